"""What nuHOPS with Gaussian copies costs at equal standard errors, against nuHOPS by itself; and what a copy costs.

First both ways in turn, then the gain in every variable of several problems, from one run with copies each: what is
left of the variance, and the time that is spent besides.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import opendicke as od
from benchmarks.problems import STATE, model
from benchmarks.squeezing import model as bistable
from benchmarks.timing import cpu_seconds, interleaved, table
from opendicke.ensemble.run import Ensemble, run_ensemble
from opendicke.methods.gaussian_trajectories import GaussianSimulator
from opendicke.observables.catalogue import VARIABLES, from_channels
from opendicke.problem import Problem
from opendicke.progress import Silent

ATOMS = (100, 300, 1000, 10**4, 10**5)
TIMES = np.array([2.5, 5.0, 10.0, 20.0])
NAMES = ("Sx", "Sz", "a", "n_photon", "Sz2")
COUNT = 256
#: Model, start, N, and trajectories.
PROBLEMS: dict[str, tuple[Callable[[int], od.DickeModel], od.SpinCoherent, tuple[int, ...], int]] = {
    "Fig. 1 (a)": (model, STATE, (100, 200, 300), 512),
    "Fig. 1 (a), from the pole": (model, od.Inverted(), (300, 1000, 10**4), COUNT),
    "bistable, normal state": (bistable, od.Normal(), (300, 1000, 10**4), COUNT),
}
#: What loses more than this is told.
LOSS = 1 / 1.1


def solved(n_atoms: int, control: str | None) -> tuple[xr.Dataset, float]:
    """The answer of COUNT trajectories, and its CPU seconds."""
    kept: list[xr.Dataset] = []
    method = od.NuHOPS(COUNT, seed=1, control=control)
    seconds = cpu_seconds(lambda: kept.append(od.solve(model(n_atoms), STATE, TIMES, method, executor=od.Serial())))
    return kept[0], seconds


def run() -> None:
    """Both ways at every N: the gain is the ratio of seconds times squared standard error, one for each time."""
    for control in (None, "gaussian"):  # compiles
        od.solve(model(100), STATE, [0.1], od.NuHOPS(1, control=control), executor=od.Serial())
    rows = []
    for n_atoms in ATOMS:
        (plain, seconds), (answer, other) = solved(n_atoms, None), solved(n_atoms, "gaussian")
        gains = [
            (seconds * np.abs(plain[f"{name}_sem"]) ** 2 / (other * np.abs(answer[f"{name}_sem"]) ** 2)).values
            for name in NAMES
        ]
        about = answer.attrs
        exact, copies = about["core_seconds_of_trajectories"] / COUNT, about["core_seconds_of_copies"] / about["copies"]
        left_out = f"{100 * about['failed_copies'] / about['copies']:.2g} %"
        reduction = f"{json.loads(about['variance_reduction'])['Sz']:.3g}"
        told = (" / ".join(f"{gain:.2g}" for gain in one) for one in gains)
        counts = f"{n_atoms:,}", f"{exact * 1e3:.1f}", f"{copies * 1e6:.0f}", f"{about['copies'] / COUNT:.0f}"
        rows.append((*counts, left_out, reduction, *told))
    head = ["N", "ms a trajectory", "µs a copy", "copies a trajectory", "copies that fail", "variance of S^z over"]
    table([*head, *(f"gain in {name}" for name in NAMES)], rows)
    print()
    everywhere()
    print()
    parts()


def everywhere() -> None:
    """The gain in every variable at every time: median, range, and where copies make it dearer."""
    rows = []
    for name, (of, state, atoms, count) in PROBLEMS.items():
        for n_atoms in atoms:
            problem = Problem(of(n_atoms), state, TIMES)
            simulate = od.NuHOPS(1, seed=3, control="gaussian").simulator(problem)
            ensemble = run_ensemble(simulate, count, od.Serial(), Silent(), None, simulate.pilot())
            exact, copies = (ensemble.sums[f"core_seconds_of_{which}"] for which in ("trajectories", "copies"))
            gains = {name: exact / (exact + copies) * one for name, one in reductions(ensemble).items()}
            each = np.concatenate(list(gains.values()))
            lost = [f"{name} ({one.min():.2f})" for name, one in gains.items() if one.size and one.min() < LOSS]
            median = " / ".join(f"{np.median([one[row] for one in gains.values()]):.2g}" for row in range(TIMES.size))
            shares = f"{100 * np.mean(each < LOSS):.0f} %", f"{100 * np.mean(each < 1):.0f} %"
            spread = f"{each.min():.2g} … {each.max():.3g}"
            around = f"{ensemble.sums['copies'] / count:.0f}", f"{copies / exact:.2f}"
            rows.append(
                (name, f"{n_atoms:,}", *around, f"{np.median(each):.2g}", median, spread, *shares, ", ".join(lost))
            )
            print(*rows[-1], flush=True)
    head = ("problem", "N", "copies each", "their share of time", "median gain", "at each time", "range")
    table((*head, "below 1/1.1", "below 1", "which, and their least"), rows)


def reductions(ensemble: Ensemble) -> dict[str, NDArray[np.float64]]:
    """Variance of the plain trajectories over what is left of it: name -> (times,)."""
    names = tuple(VARIABLES)
    plain, left = (from_channels(names, ensemble.moments(name).sem, errors=True) for name in ("plain", "channels"))
    return {name: np.abs(plain[name]) ** 2 / np.abs(left[name]) ** 2 for name in names}


def parts() -> None:
    """Where the time of a Gaussian trajectory goes."""
    simulate = GaussianSimulator(Problem(model(1000), STATE, TIMES), od.GaussianTrajectories(1, seed=1))
    rng, flow = simulate.stream(0), simulate._flow
    path = simulate._noise.sample(rng)
    works: dict[str, Callable[[int], object]] = {
        "stream": simulate.stream,
        "noise": lambda index: simulate._noise.sample(rng),
        "flow": lambda index: flow.run(simulate._frames[0], 0j, 0j, path, simulate.hits, TIMES.size),
        "whole": simulate,
    }
    repeated = [lambda work=work: [work(index) for index in range(200)] for work in works.values()]
    found = interleaved(repeated, 20).min(axis=0) / 200
    table(["part of a trajectory", "µs"], [(name, f"{1e6 * one:.0f}") for name, one in zip(works, found, strict=True)])
