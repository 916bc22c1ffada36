"""What threads, Dask and the store cost and gain, in turns; and the memory of a large ensemble.

    python -m benchmarks scaling        # 2 to 3 minutes on an idle machine; the load is printed

Wall-clock times, meaningful only where nothing else runs. Pools and clusters are started, and their workers have
compiled code loaded, before the clock starts. Ratios are taken within a round, and their medians printed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from dask.distributed import Client

from benchmarks.problems import STATE, model
from benchmarks.timing import table
from opendicke import Dask, DickeModel, Normal, NuHOPS, Serial, Threads, solve
from opendicke.ensemble.executors import opened

TIMES = np.linspace(0.0, 20.0, 201)
#: Steps and states of this model are few: what is measured is what every trajectory leaves behind.
SMALL = DickeModel(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=0.5, g_plus=0.2)


def seconds(executor: Any, trajectories: int, store: bool = False) -> float:
    """Wall-clock time of one ensemble; its trajectories differ much in length."""
    folder = tempfile.mkdtemp() if store else None
    began = time.perf_counter()
    options = NuHOPS(trajectories=trajectories, seed=3)
    solve(model(1000), STATE, TIMES, options, executor=executor, progress=False, store=folder)
    taken = time.perf_counter() - began
    if folder is not None:
        shutil.rmtree(folder)
    return taken


@contextmanager
def contenders() -> Iterator[dict[str, tuple[Any, bool]]]:
    """Name -> executor, ready to run, and whether with a store."""
    with ExitStack() as stack:
        cluster = stack.enter_context(opened(Dask(workers=2)))
        client = stack.enter_context(Client(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"))
        yield {
            "one thread": (Serial(), False),
            "two threads": (Threads(2), False),
            "two Dask workers": (cluster, False),
            "two Dask workers in this process": (Dask(client=client), False),
            "one thread, stored": (Serial(), True),
            "two threads, stored": (Threads(2), True),
        }


def compare(rounds: int, trajectories: int) -> list[list[object]]:
    """Rows of what is measured, its median and best, and what is aimed at."""
    with contenders() as ready:
        for executor, store in ready.values():
            seconds(executor, 32, store)
        taken = {name: np.empty(rounds) for name in ready}
        for number in range(rounds):
            for name, (executor, store) in ready.items():
                taken[name][number] = seconds(executor, trajectories, store)
    one, two = taken["one thread"], taken["two threads"]
    gain, dask = one / two, 100 * (taken["two Dask workers"] / two - 1)
    inside = 100 * (taken["two Dask workers in this process"] / two - 1)
    stored = 100 * (taken["one thread, stored"] / one - 1), 100 * (taken["two threads, stored"] / two - 1)
    rows: list[list[object]] = [
        [f"{name}, s", f"{np.median(t):.2f}", f"{t.min():.2f}", ""] for name, t in taken.items()
    ]
    rows += [
        ["gain from the second thread", f"{np.median(gain):.2f}", f"{gain.max():.2f}", ">= 1.8"],
        ["two Dask workers over two threads", f"{np.median(dask):+.1f} %", f"{dask.min():+.1f} %", "<= 10 %"],
        ["the same, in this process", f"{np.median(inside):+.1f} %", f"{inside.min():+.1f} %", "<= 10 %"],
        ["storing, one thread", f"{np.median(stored[0]):+.1f} %", f"{stored[0].min():+.1f} %", "<= 3 %"],
        ["storing, two threads", f"{np.median(stored[1]):+.1f} %", f"{stored[1].min():+.1f} %", "<= 3 %"],
    ]
    return rows


class Memory:
    """A progress meter that notes the memory of this process, in MiB, when so many trajectories are done."""

    def __init__(self, *marks: int) -> None:
        self.marks, self.done, self.found = list(marks), 0, dict.fromkeys(marks, 0.0)

    def start(self, total: int, unit: str, label: str) -> None: ...

    def advance(self, amount: int, **notes: object) -> None:
        self.done += amount
        while self.marks and self.done >= self.marks[0]:
            self.found[self.marks.pop(0)] = resident()

    def close(self) -> None: ...


def resident() -> float:
    """Memory of this process that is in use, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory(trajectories: int) -> list[list[object]]:
    """Memory while a large ensemble runs, with a store and without."""
    marks = (trajectories // 100, trajectories // 10, trajectories)
    rows: list[list[object]] = []
    for text, stored in (("", False), (", stored", True)):
        folder = tempfile.mkdtemp() if stored else None
        gauge = Memory(*marks)
        options: dict[str, Any] = {"executor": Threads(2), "progress": gauge, "store": folder}
        solve(SMALL, Normal(), np.linspace(0.0, 0.5, 6), NuHOPS(trajectories, seed=1), **options)
        if folder is not None:
            shutil.rmtree(folder)
        for mark in marks:
            rows.append([f"memory after {mark:,} trajectories{text}, MiB", f"{gauge.found[mark]:.0f}", "", ""])
        rows[-1][-1] = "flat"
    return rows


def run(rounds: int = 7, trajectories: int = 256, many: int = 100_000) -> None:
    """Everything, as one table."""
    load = os.getloadavg()[0]
    rows = compare(rounds, trajectories) + memory(many)
    table([f"{trajectories} uneven trajectories, {rounds} rounds", "median", "best", "aim"], rows)
    print(f"\nOther load before: {load:.1f}")
