"""Who runs the work: this thread, several, or several processes.

Results come back in order, so an executor changes no number.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from concurrent.futures import Executor as Pool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic
from weakref import WeakSet

from opendicke import checks
from opendicke.ensemble.interrupts import interrupts_wait
from opendicke.problem import Executor, Item, Result

#: Items submitted ahead, per worker: enough that none waits, few enough that memory stays flat.
IN_FLIGHT = 4
#: How often in a row, without any result, the processes are started again after one of them died.
RESTARTS = 3

#: What is said then.
DIED = (
    f"a worker process died {RESTARTS + 1} times in a row without a result. Was it killed for its memory? Then take "
    "Processes with fewer workers, or Threads. Does it end at its start? Then put the call under "
    "if __name__ == '__main__': in your script, which every process reads."
)

log = logging.getLogger(__name__)


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
        for place, item in enumerate(items):
            if place == 0:
                _prepare(function)
            yield function(item)


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
        with _released(
            _Workers(lambda: ThreadPoolExecutor(workers, "opendicke", _settle, (left,)), workers), left
        ) as pool:
            yield pool

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

    Where a process dies (killed for its memory, say), all are started again and what was under way is run again.

    Args:
        workers: number of processes; None takes the cores that this process may use.

    Raises:
        BrokenExecutor: (``map``) if processes die several times in a row without any result.
    """

    workers: int | None = None

    def __post_init__(self) -> None:
        _check_workers(self)

    @contextmanager
    def opened(self) -> Iterator[Executor]:
        """The processes, kept for several ensembles."""
        import multiprocessing  # slow to import
        from concurrent.futures import ProcessPoolExecutor

        workers, context = self.workers or available_cores(), multiprocessing.get_context("spawn")
        left = context.Event()

        def start() -> Pool:
            return ProcessPoolExecutor(workers, context, _settle_process, (left,))

        with _released(_Workers(start, workers), left) as pool:
            yield pool

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
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _released(workers: _Workers, left: Any) -> Iterator[_Workers]:
    """Leave a pool without waiting for what it still runs: nobody wants those results any more."""
    try:
        yield workers
    finally:
        left.set()
        workers.pool.shutdown(wait=False, cancel_futures=True)


class _Workers:
    """A pool that is there already, and is started again if it breaks."""

    def __init__(self, start: Callable[[], Pool], workers: int) -> None:
        self.workers, self._start, self._lock = workers, start, threading.Lock()
        self._under_way: WeakSet[_Piece[Any, Any]] = WeakSet()
        self.pool = start()

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` in order."""
        return in_order(self._piece, function, items, IN_FLIGHT * self.workers)

    def _piece(self, function: Callable[[Item], Result], item: Item) -> _Piece[Item, Result]:
        piece = _Piece(self, function, item)
        with self._lock:
            self._under_way.add(piece)
        return piece

    def replace(self, broken: Pool) -> None:
        """Start a new pool in place of ``broken``, unless another thread did; what was under way is run again."""
        with self._lock:
            if self.pool is broken:
                log.warning("a worker process died; all are started again, and what was under way is run again")
                broken.shutdown(wait=False, cancel_futures=True)
                self.pool = self._start()
                for piece in self._under_way:
                    piece.renew(broken)


class _Piece(Generic[Item, Result]):
    """One item under way."""

    def __init__(self, workers: _Workers, function: Callable[[Item], Result], item: Item) -> None:
        self._workers, self._function, self._item = workers, function, item
        self._submit()

    def _submit(self) -> None:
        pool = self._workers.pool
        try:
            self._at: tuple[Pool, Future[Result]] = pool, pool.submit(self._function, self._item)
        except BrokenExecutor as broken:
            self._at = pool, Future()
            self._at[1].set_exception(broken)

    def renew(self, broken: Pool) -> None:
        """Submit it again if it was lost with the pool ``broken``."""
        pool, future = self._at
        kept = future.done() and not future.cancelled() and not isinstance(future.exception(), BrokenExecutor)
        if pool is broken and not kept:
            self._submit()

    def result(self) -> Result:
        """Wait for it."""
        for restart in range(RESTARTS + 1):
            pool, future = self._at
            try:
                return future.result()
            except BrokenExecutor as broken:
                if restart == RESTARTS:
                    raise type(broken)(DIED) from broken
                self._workers.replace(pool)
        raise AssertionError("not reached")

    def cancel(self) -> None:
        """Do not start it any more."""
        self._at[1].cancel()


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


def check_executor(executor: Any) -> Executor:
    """``executor`` itself, or threads on all cores for None.

    Raises:
        TypeError: for anything that has no ``map``, and for a class instead of an instance.
    """
    if executor is None:
        return Threads()
    if isinstance(executor, type) or not callable(getattr(executor, "map", None)):
        hint = f"Pass an instance: {executor.__name__}()." if isinstance(executor, type) else ""
        raise checks.refuse("executor", "None, Serial(), Threads(2), Processes(2) or Dask()", executor, hint, TypeError)
    found: Executor = executor
    return found


def _prepare(function: Callable[..., Any]) -> None:
    """Compile what a function needs, if it knows how, before anything runs; an interrupt waits for its end."""
    with interrupts_wait():
        getattr(function, "prepare", lambda: None)()


def in_order(
    submit: Callable[..., Any], function: Callable[[Item], Result], items: Iterable[Item], in_flight: int
) -> Iterator[Result]:
    """Submit items, at most ``in_flight`` ahead; yield the futures' results in order; cancel on the way out.

    A function's method ``prepare``, if it has one, is called before: what it compiles, the workers need only load.
    """
    pending: deque[Any] = deque()
    source = iter(items)
    try:
        first = list(islice(source, in_flight))
        if first:
            _prepare(function)
        pending.extend(submit(function, item) for item in first)
        while pending:
            yield pending.popleft().result()
            pending.extend(submit(function, item) for item in islice(source, 1))
    finally:
        for future in pending:
            future.cancel()
