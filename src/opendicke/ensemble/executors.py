"""Who runs the work: this thread, several, or several processes.

Results come back in order, so an executor changes no number.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor as Pool
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
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

    @contextmanager
    def opened(self) -> Iterator[Executor]:
        """The threads, kept for several ensembles."""
        workers, left = self.workers or available_cores(), threading.Event()
        with _released(ThreadPoolExecutor(workers, "opendicke", _settle, (left,)), left) as pool:
            yield _Started(pool, workers)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` in order, with a bounded number of items in flight.

        An interrupt (or an exception in the caller) cancels what has not started; what has is not waited for, and ends
        by itself (see :func:`abandoned`).
        """
        with self.opened() as started:
            yield from started.map(function, items)


@dataclass(frozen=True)
class Processes:
    """Run on several processes of this machine.

    Args:
        workers: number of processes; None takes the cores that this process may use.
    """

    workers: int | None = None

    def __post_init__(self) -> None:
        _check_workers(self)

    @contextmanager
    def opened(self) -> Iterator[Executor]:
        """The processes, kept for several ensembles."""
        workers, context = self.workers or available_cores(), multiprocessing.get_context("spawn")
        left = context.Event()
        with _released(ProcessPoolExecutor(workers, context, _settle_process, (left,)), left) as pool:
            yield _Started(pool, workers)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` in order; function, items and results are sent by pickle."""
        with self.opened() as started:
            yield from started.map(function, items)


#: What the worker that runs in this thread was told when it started.
_told = threading.local()


def abandoned() -> bool:
    """Whether this code runs in a worker whose results nobody waits for any more: it should end soon."""
    left = getattr(_told, "left", None)
    return left is not None and bool(left.is_set())


def _settle(left: Any) -> None:
    """In a new worker: where to look whether it is still wanted."""
    _told.left = left


def _settle_process(left: Any) -> None:
    """In a new process: interrupts are its parent's business, and without the parent it ends."""
    _settle(left)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _released(pool: Pool, left: Any) -> Iterator[Pool]:
    """Leave a pool without waiting for what it still runs: nobody wants those results any more."""
    try:
        yield pool
    finally:
        left.set()
        pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class _Started:
    """A pool that is there already."""

    pool: Pool
    workers: int

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` in order."""
        return in_order(self.pool.submit, function, items, IN_FLIGHT * self.workers)


@contextmanager
def opened(executor: Executor) -> Iterator[Executor]:
    """``executor`` with the threads, processes or cluster that it starts, if any, kept for several ensembles."""
    start = getattr(executor, "opened", None)
    if start is not None:
        with start() as started:
            yield started
    else:
        yield executor


@contextmanager
def closing(results: Iterator[Result]) -> Iterator[Iterator[Result]]:
    """Close a generator of results on the way out, now and not when it is collected; other iterators are left alone."""
    try:
        yield results
    finally:
        if isinstance(results, Generator):
            results.close()


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
        with closing(self.inner.map(function, items)) as results:
            for result in results:
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
