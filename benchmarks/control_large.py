"""500 trajectories with Gaussian copies against many plain ones, at N where nothing else is exact: N = 1000 and 10⁴.

    python -m benchmarks.control_large --store FOLDER --trajectories 20000

Figure 1's model and start, every variable at four times. Deviations in standard errors are strongly correlated, so
their root mean square and the largest are held against those of random numbers with the correlations that batches show.
The Gaussian trajectories alone, which are off by one or two spins, are compared in the same way: they should be seen.
What is in the folder is not run again; plain trajectories are gone on with.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import opendicke as od
from benchmarks.control import TIMES
from benchmarks.problems import STATE, model
from benchmarks.timing import table
from opendicke.methods.sampled import Sampled

ATOMS = (1000, 10**4)
COUNT, CLOUD, DRAWS = 500, 20000, 20000


def spreads(answer: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of all channels at all times, and of each batch a vector: their outer products add up to the covariance."""
    held = answer.batch_size.values / answer.batch_size.values.sum()
    means = answer.batch_means.values.reshape(held.size, -1)
    whole = held @ means
    away = held[:, None] * (means - whole) / np.sqrt(1 - held[:, None])
    return whole, away


def compared(one: xr.Dataset, other: xr.Dataset) -> tuple[str, ...]:
    """How many numbers; rms and largest deviation in standard errors, and how often chance alone gives as much."""
    (mean, away), (truth, around) = spreads(one), spreads(other)
    parts = np.concatenate([away, around])
    error = np.sqrt((parts**2).sum(axis=0))
    moving = error > 1e-9 * np.abs(truth).max()
    z, parts = (mean - truth)[moving] / error[moving], parts[:, moving] / error[moving]
    drawn = np.random.default_rng(0).standard_normal((DRAWS, len(parts))) @ parts
    rms, most = np.sqrt((z**2).mean()), np.abs(z).max()
    chances = [(np.sqrt((drawn**2).mean(axis=1)) >= rms).mean(), (np.abs(drawn).max(axis=1) >= most).mean()]
    low, high = np.quantile(np.abs(drawn).max(axis=1), [0.025, 0.975])
    told = (f"{100 * chance:.2g} %" for chance in chances)
    return f"{z.size}", f"{rms:.2f}", next(told), f"{most:.1f}", f"{low:.1f} … {high:.1f}", next(told)


def run(store: Path, trajectories: int) -> None:
    rows = []
    for n_atoms in ATOMS:

        def solved(method: Sampled, n_atoms: int = n_atoms) -> xr.Dataset:
            return od.solve(model(n_atoms), STATE, TIMES, method, executor=od.Serial(), store=store, progress=False)

        plain = solved(od.NuHOPS(trajectories, seed=2))
        methods = od.NuHOPS(COUNT, seed=1, control="gaussian"), od.GaussianTrajectories(CLOUD, seed=7)
        for name, method in zip((f"{COUNT} with copies", "Gaussian alone"), methods, strict=True):
            answer = solved(method)
            ratio = np.median([(plain[f"{one}_sem"] / answer[f"{one}_sem"]).values for one in ("Sx", "Sz", "n_photon")])
            rows.append((f"{n_atoms:,}", name, f"{ratio:.1f}", *compared(answer, plain)))
    print(f"against {trajectories} plain trajectories")
    head = ("N", "what", "errors of the plain ones over its own", "numbers", "rms", "chance of as much")
    table((*head, "largest", "expected in 95 %", "chance of as much"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--trajectories", type=int, default=20000)
    given = parser.parse_args()
    run(given.store, given.trajectories)


if __name__ == "__main__":
    main()
