"""What nuHOPS with Gaussian copies costs at equal standard errors, against nuHOPS by itself; and what a copy costs."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import xarray as xr

import opendicke as od
from benchmarks.problems import STATE, model
from benchmarks.timing import cpu_seconds, interleaved, table
from opendicke.methods.gaussian_trajectories import GaussianSimulator
from opendicke.problem import Problem

ATOMS = (100, 300, 1000, 10**4, 10**5)
TIMES = np.array([2.5, 5.0, 10.0, 20.0])
NAMES = ("Sx", "Sz", "a", "n_photon", "Sz2")
COUNT = 256


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
    parts()


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
