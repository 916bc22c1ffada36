"""Clocks and tables.

Single-core numbers are CPU time of the calling thread, so that other work on the machine counts as little as possible.
What is compared is run in turns, so that a change of clock rate or load meets all of it alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time that this thread spends in ``work``."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def interleaved(works: Sequence[Callable[[], object]], rounds: int) -> NDArray[np.float64]:
    """CPU seconds of every work in every round, shape (rounds, works); all are run once before, unmeasured."""
    for work in works:
        work()
    return np.array([[cpu_seconds(work) for work in works] for _ in range(rounds)])


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table, row by row as they come."""
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
