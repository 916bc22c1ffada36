"""The negativity at Fig. 1's parameters and time 7.5: against what is neglected, and against trajectories (N = 20)."""

from __future__ import annotations

import time

import numpy as np
import xarray as xr

from benchmarks.problems import STATE, model
from benchmarks.timing import table
from opendicke import NuHOPS, solve
from opendicke.analysis import negativity

TIME = 7.5


def run(trajectories: int = 500, most: int = 4096) -> None:
    """A minute or two."""
    rows = []
    for n_atoms in (100, 1000, 5000):
        answer = _answer(n_atoms, trajectories)
        for neglect in (1e-3, 1e-4, 1e-5):
            began = time.process_time()
            found = negativity(answer, neglect=neglect).isel(state_time=0)
            cost = time.process_time() - began
            bound = f"{found.neglected:.2g}"
            rows.append(
                (n_atoms, neglect, f"{found.negativity_uncorrected:.4f}", bound, int(found["rank"]), f"{cost:.1f} s")
            )
    table(("N", "`neglect`", "uncorrected", "bound on what is neglected", "rank", "CPU"), rows)
    print()
    answer, rows = _answer(20, most), []
    for count in (64, 128, 256, 1024, most):
        sets = [
            negativity(answer.isel(trajectory=slice(at, at + count))) for at in range(0, min(most, 8 * count), count)
        ]
        names = ("negativity_uncorrected", "negativity", "negativity_lower")
        values = [np.array([one[name].item() for one in sets]) for name in names]
        errors = [f" ± {value.std(ddof=1) / np.sqrt(len(sets)):.3f}" if len(sets) > 2 else "" for value in values]
        rows.append((count, *(f"{value.mean():.4f}{error}" for value, error in zip(values, errors, strict=True))))
    table(("trajectories", "uncorrected", "corrected", "lower"), rows)


def _answer(n_atoms: int, trajectories: int) -> xr.Dataset:
    options = NuHOPS(trajectories=trajectories, seed=1, keep_states=(TIME,))
    return solve(model(n_atoms), STATE, [TIME], options, progress=False)
