"""What the analysis of the spin's state costs beside the trajectories, at Fig. 1's parameters and time 7.5."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable

import xarray as xr

from benchmarks.problems import STATE, model
from benchmarks.timing import table
from opendicke import NuHOPS, Serial, solve
from opendicke.analysis import fisher_information, husimi, mixedness, negativity

TIME = 7.5
WORKS: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "Q on the default grid": husimi,
    "purity and entropy": mixedness,
    "Fisher information": fisher_information,
    "negativity": negativity,
}


def run(n_atoms: int = 1000, trajectories: int = 500) -> None:
    """About a minute. Each in a process of its own, so that memory is its own."""
    rows = [("trajectories", *_apart(None, n_atoms, trajectories))]
    rows += [(name, *_apart(name, n_atoms, trajectories)) for name in WORKS]
    heads = (f"N = {n_atoms}, {trajectories} trajectories", "CPU, s", "of that a trajectory, ms", "peak memory, GiB")
    table(heads, [(name, f"{cpu:.1f}", f"{1e3 * cpu / trajectories:.1f}", f"{peak:.2f}") for name, cpu, peak in rows])


def _apart(name: str | None, n_atoms: int, trajectories: int) -> tuple[float, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (name, n_atoms, trajectories))


def _measured(name: str | None, n_atoms: int, trajectories: int) -> tuple[float, float]:
    """CPU seconds of the work, or of the trajectories for None; and the process's largest memory in GiB."""
    _answer(n_atoms, 2)  # compiles
    began = time.process_time()
    answer = _answer(n_atoms, trajectories)
    if name is not None:
        WORKS[name](answer.isel(trajectory=slice(2)))
        began = time.process_time()
        WORKS[name](answer)
    return time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _answer(n_atoms: int, trajectories: int) -> xr.Dataset:
    options = NuHOPS(trajectories=trajectories, seed=1, keep_states=(TIME,))
    return solve(model(n_atoms), STATE, [TIME], options, executor=Serial(), progress=False)
