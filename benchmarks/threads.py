"""Wall-clock gain from a second thread. Meaningful only where nothing else runs: the load is printed with it."""

from __future__ import annotations

import os
import time

import numpy as np

from benchmarks.problems import STATE, model
from benchmarks.timing import table
from opendicke import NuHOPS, Threads, solve


def seconds(workers: int, trajectories: int) -> float:
    """Wall-clock time of one ensemble; its trajectories differ much in length."""
    times = np.linspace(0.0, 20.0, 201)
    began = time.perf_counter()
    options = NuHOPS(trajectories=trajectories, seed=3)
    solve(model(1000), STATE, times, options, executor=Threads(workers), progress=False)
    return time.perf_counter() - began


def run(rounds: int = 5, trajectories: int = 256) -> None:
    """One and two threads in turns."""
    seconds(2, 16)
    load = os.getloadavg()[0]
    taken = np.array([[seconds(workers, trajectories) for workers in (1, 2)] for _ in range(rounds)])
    ratios = taken[:, 0] / taken[:, 1]
    row = (*(f"{value:.2f}" for value in np.median(taken, axis=0)), f"{np.median(ratios):.2f}", f"{ratios.max():.2f}")
    head = ("1 thread, s", "2 threads, s", "gain (median)", "gain (best round)", "other load before")
    table(head, [(*row, f"{load:.1f}")])
