"""Run on a Dask cluster: one started here, or any whose scheduler can be reached (dask-jobqueue on Slurm, say)."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opendicke import checks
from opendicke.ensemble.executors import IN_FLIGHT, available_cores, in_order
from opendicke.problem import Item, Result


@dataclass(frozen=True)
class Dask:
    """Run on the workers of a Dask cluster.

    Args:
        address: a scheduler's address, e.g. ``"tcp://10.0.0.1:8786"``; None starts a cluster on this machine and closes
            it afterwards.
        workers: number of processes of the cluster started here; None takes the cores that this process may use.
        client: a ``dask.distributed.Client`` that is connected already, instead of ``address``.

    Raises:
        ValueError: if more than one of ``address``, ``client`` is given.
        OSError: if no scheduler answers at ``address``.
        ImportError: at the first use, if Dask is not installed (``pip install 'opendicke[dask]'``).
    """

    address: str | None = None
    workers: int | None = None
    client: Any = None

    def __post_init__(self) -> None:
        if self.address is not None and self.client is not None:
            raise checks.refuse("address, client", "at most one of them", (self.address, self.client))
        if self.workers is not None:
            checks.integer("workers", self.workers, minimum=1)

    @contextmanager
    def opened(self) -> Iterator[Dask]:
        """The cluster and the connection to it, kept for several ensembles."""
        distributed = _distributed()
        cluster_of: Any = distributed.LocalCluster  # untyped
        connect: Any = distributed.Client
        if self.client is not None:
            yield _connected(self.client)
        elif self.address is not None:
            with connect(self.address) as client:
                yield _connected(client)
        else:
            count = self.workers or available_cores()
            with _interrupts_are_ours():
                cluster = cluster_of(n_workers=count, threads_per_worker=1, dashboard_address=":0")
            with cluster, connect(cluster) as client:
                yield _connected(client)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` in order; a worker that dies has its items run again by another."""
        with self.opened() as connected:
            yield from connected._through(connected.client, function, items)

    def _through(self, client: Any, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        # sent once to every worker; items are impure only in name: the same item always gives the same result
        everywhere = client.scatter(function, broadcast=True, hash=False)

        def submit(_: Any, item: Item) -> Any:
            return client.submit(_call, everywhere, item, pure=False)

        return in_order(submit, function, items, IN_FLIGHT * _threads(client))


@contextmanager
def _interrupts_are_ours() -> Iterator[None]:
    """Threads and processes started in here never see a Ctrl-C: this process closes them in good order.

    Blocked signals are inherited; an interrupt that comes meanwhile is delivered at the end.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # started later, it would unblock the signal again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _distributed() -> Any:
    try:
        from dask import distributed
    except ImportError as problem:
        raise ImportError("opendicke.Dask needs dask and distributed: pip install 'opendicke[dask]'") from problem
    return distributed


def _connected(client: Any) -> Dask:
    return Dask(client=client, workers=_threads(client))


def _threads(client: Any) -> int:
    return max(int(sum(client.nthreads().values())), 1)


def _call(function: Callable[[Item], Result], item: Item) -> Result:
    return function(item)
