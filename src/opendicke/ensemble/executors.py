"""Who runs the work: this thread, several, or several processes.

Results come back in order, so an executor changes no number.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import Any

from opendicke import checks
from opendicke.problem import Executor, Item, Result

#: Items submitted ahead, per worker: enough that none waits, few enough that memory stays flat.
IN_FLIGHT = 4


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Serial:
    """Run everything in the calling thread."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` for every item, in order."""
        return map(function, items)


@dataclass(frozen=True)
class Threads:
    """Run on several threads of this process (the default: compiled code releases the GIL).

    Args:
        workers: number of threads; None takes the cores that this process may use.
    """

    workers: int | None = None

    def __post_init__(self) -> None:
        _check_workers(self)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` in order, with a bounded number of items in flight.

        An interrupt (or an exception in the caller) cancels what has not started.
        """
        workers = self.workers or available_cores()
        with ThreadPoolExecutor(workers, thread_name_prefix="opendicke") as pool:
            yield from in_order(pool.submit, function, items, IN_FLIGHT * workers)


@dataclass(frozen=True)
class Processes:
    """Run on several processes of this machine.

    Args:
        workers: number of processes; None takes the cores that this process may use.
    """

    workers: int | None = None

    def __post_init__(self) -> None:
        _check_workers(self)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` in order; function, items and results are sent by pickle."""
        workers = self.workers or available_cores()
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            yield from in_order(pool.submit, function, items, IN_FLIGHT * workers)


@dataclass(frozen=True)
class Deadline:
    """Another executor that stops handing out results some time after its start; what it handed out is kept.

    Args:
        inner: who runs the work.
        seconds: wall-clock time, > 0. At least one result is handed out.
    """

    inner: Executor
    seconds: float

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield results in order until the time is over."""
        began = time.monotonic()
        for result in self.inner.map(function, items):
            yield result
            if time.monotonic() - began > self.seconds:
                return


def _check_workers(executor: Any) -> None:
    if executor.workers is not None:
        object.__setattr__(executor, "workers", checks.integer("workers", executor.workers, minimum=1))


def in_order(
    submit: Callable[..., Any], function: Callable[[Item], Result], items: Iterable[Item], in_flight: int
) -> Iterator[Result]:
    """Submit items, at most ``in_flight`` ahead; yield the futures' results in order; cancel on the way out."""
    pending: deque[Any] = deque()
    source = iter(items)
    try:
        pending.extend(submit(function, item) for item in islice(source, in_flight))
        while pending:
            yield pending.popleft().result()
            pending.extend(submit(function, item) for item in islice(source, 1))
    finally:
        for future in pending:
            future.cancel()
