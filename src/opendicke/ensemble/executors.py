"""Who runs the work: this thread or several. Results come back in order, so an executor changes no number."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from opendicke import checks
from opendicke.problem import Item, Result


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
        if self.workers is not None:
            object.__setattr__(self, "workers", checks.integer("workers", self.workers, minimum=1))

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` in order, with a bounded number of items in flight.

        An interrupt (or an exception in the caller) cancels what has not started.
        """
        workers = self.workers or available_cores()
        pending: deque[Future[Result]] = deque()
        source = iter(items)
        with ThreadPoolExecutor(workers, thread_name_prefix="opendicke") as pool:
            try:
                pending.extend(pool.submit(function, item) for item in islice(source, 4 * workers))
                while pending:
                    yield pending.popleft().result()
                    pending.extend(pool.submit(function, item) for item in islice(source, 1))
            finally:
                for future in pending:
                    future.cancel()
