"""Executors change no number, and stop when they are told to."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.ensemble.executors import Deadline, opened
from opendicke.ensemble.run import BlockRunner, Sample

MODEL = od.DickeModel(n_atoms=5, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.1, g_plus=-0.6)
TIMES = np.linspace(0.0, 1.5, 4)


def run(trajectories: int, executor: Any, **options: Any) -> xr.Dataset:
    method = od.NuHOPS(trajectories=trajectories, seed=2)
    result = od.solve(MODEL, od.SpinCoherent(2.0), TIMES, method, executor=executor, **options)
    return result.drop_attrs()


@pytest.mark.parametrize("executor", [od.Threads(1), od.Threads(2), od.Threads(5), od.Processes(2)])
def test_same_numbers_on_every_executor(executor: Any) -> None:
    xr.testing.assert_identical(run(90, executor), run(90, od.Serial()))


def test_same_numbers_on_dask() -> None:
    from dask.distributed import Client, LocalCluster

    expected = run(90, od.Serial())
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")
    with cluster, Client(cluster) as client:
        xr.testing.assert_identical(run(90, od.Dask(client=client)), expected)
        xr.testing.assert_identical(run(90, od.Dask(address=cluster.scheduler_address)), expected)


def test_numbers_do_not_depend_on_the_size_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run(90, od.Serial())
    for size in (1, 7, 64):
        monkeypatch.setattr("opendicke.ensemble.run.BLOCK", size)
        xr.testing.assert_identical(run(90, od.Threads(2)), expected)


class Sleepy:
    """An executor whose every result takes a while."""

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            time.sleep(0.05)
            yield function(item)


def test_timeout_keeps_what_is_done() -> None:
    method = od.NuHOPS(trajectories=16 * 1000, seed=2)
    result = od.solve(MODEL, od.SpinCoherent(2.0), TIMES, method, executor=Sleepy(), timeout=0.2)
    done = result.attrs["trajectories"]
    assert 16 <= done < 16 * 20
    assert done % 16 == 0
    xr.testing.assert_identical(result.drop_attrs(), run(done, od.Serial()))


def test_results_come_in_order_and_few_are_in_flight() -> None:
    started: list[int] = []

    def work(item: int) -> int:
        started.append(item)
        time.sleep(0.002 * (7 - item % 7))
        return item

    results = od.Threads(3).map(work, range(200))
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(started) < 40
    results.close()  # type: ignore[attr-defined]
    assert len(started) < 40


def test_an_error_in_the_work_reaches_the_caller() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ZeroDivisionError("three")
        return item

    with pytest.raises(ZeroDivisionError, match="three"):
        list(od.Threads(2).map(work, range(100)))


def test_deadline_hands_out_at_least_one_result() -> None:
    assert list(Deadline(od.Serial(), 1e-9).map(str, range(5))) == ["0"]


@pytest.mark.parametrize("executor", [od.Threads, od.Processes])
def test_bad_number_of_workers(executor: Any) -> None:
    with pytest.raises(ValueError, match="workers: expected an integer >= 1, got 0"):
        executor(0)


def test_dask_takes_one_cluster() -> None:
    with pytest.raises(ValueError, match="address, client: expected at most one of them"):
        od.Dask(address="tcp://127.0.0.1:1", client=object())


def test_same_numbers_from_a_store_filled_by_several_executors(tmp_path: Any) -> None:
    for count, executor in ((30, od.Serial()), (70, od.Processes(2)), (90, od.Threads(3)), (90, od.Serial())):
        xr.testing.assert_identical(run(count, executor, store=tmp_path), run(count, od.Serial()))


def test_an_executor_kept_open_serves_several_ensembles() -> None:
    with opened(od.Threads(2)) as ready:
        assert ready.workers == 2  # type: ignore[attr-defined]
        for count in (20, 33):
            xr.testing.assert_identical(run(count, ready), run(count, od.Serial()))
    with pytest.raises(RuntimeError, match="shutdown"):
        run(5, ready)


def test_serial_needs_no_opening() -> None:
    with opened(od.Serial()) as ready:
        assert ready == od.Serial()


class Slow:
    """Trajectories that take a while, and note that they ran."""

    def __init__(self) -> None:
        self.ran: list[int] = []

    def __call__(self, index: int) -> Sample:
        time.sleep(0.05)
        self.ran.append(index)
        return Sample({"x": np.ones(1)})


def test_workers_give_up_what_nobody_waits_for() -> None:
    """Two blocks of 16 are under way when the caller ends; each stops before its next trajectory."""
    simulate = Slow()
    results = od.Threads(2).map(BlockRunner(simulate), [range(3), range(3, 19), range(19, 35), range(35, 51)])
    assert [index for index, _ in next(results)] == [0, 1, 2]
    began = time.monotonic()
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 0.5  # not waited for
    time.sleep(0.3)
    ran = len(simulate.ran)
    time.sleep(0.3)
    assert len(simulate.ran) == ran < 20


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks into /proc")
def test_processes_end_with_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys, time\nimport opendicke as od\n"
        "def work(item):\n    print(os.getpid(), flush=True)\n    time.sleep(0.2)\n"
        "if __name__ == '__main__':\n    list(od.Processes(2).map(work, range(1000)))\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout is not None
    workers = set()
    while len(workers) < 2:
        workers.add(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while any(alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(worker) for worker in workers)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
