"""Executors change no number, and stop when they are told to."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.ensemble.executors import RESTARTS, Deadline, check_executor, opened
from opendicke.ensemble.interrupts import interrupts_wait
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


def test_without_dask_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(ImportError, match=r"pip install 'opendicke\[dask\]'"):
        run(2, od.Dask())


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


def die_sometimes(place: Path, item: int) -> int:
    """Kill this process at the items 3 and 11, but only once each."""
    if item in (3, 11):
        try:
            (place / str(item)).touch(exist_ok=False)
        except FileExistsError:
            return item**2
        os.kill(os.getpid(), signal.SIGKILL)
    return item**2


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_process_that_dies_is_replaced_and_its_items_run_again(tmp_path: Path, caplog: Any) -> None:
    assert list(od.Processes(2).map(partial(die_sometimes, tmp_path), range(30))) == [item**2 for item in range(30)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["11", "3"]
    assert caplog.text.count("a worker process died") == 2


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_processes_that_die_every_time_end_the_run_with_advice(caplog: Any) -> None:
    with pytest.raises(BrokenExecutor, match=r"died 4 times in a row .* fewer workers, or Threads.*__main__"):
        list(od.Processes(1).map(die, range(5)))
    assert caplog.text.count("a worker process died") == RESTARTS


INTERRUPTED = """
import os, signal, sys, threading
import numpy as np, opendicke as od
from opendicke.ensemble.executors import opened
model = od.DickeModel(n_atoms=5, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.1, g_plus=-0.6)
random = np.random.default_rng(0)

def run(trajectories, executor, store=None):
    method = od.NuHOPS(trajectories, seed=2)
    od.solve(model, od.SpinCoherent(2.0), [0.0, 30.0], method, executor=executor, progress=False, store=store)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where this was started in the background
    for executor, tries in ((od.Serial(), 12), (od.Threads(2), 3), (od.Processes(2), 2)):
        with opened(executor) as ready:
            run(40, ready)
            for attempt in range(tries):
                threading.Timer(random.uniform(0.02, 0.1), os.kill, (os.getpid(), signal.SIGINT)).start()
                try:
                    run(10**6, ready, sys.argv[1] + str(attempt) if attempt % 2 else None)
                except BaseException as error:
                    print(type(executor).__name__, type(error).__name__)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_an_interrupt_is_a_keyboard_interrupt(tmp_path: Path) -> None:
    """At random moments, most of them in compiled code, with a store and without."""
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    arguments = [sys.executable, str(script), str(tmp_path / "store")]
    run = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=300)
    counts = {"Serial": 12, "Threads": 3, "Processes": 2}
    expected = [f"{name} KeyboardInterrupt" for name, count in counts.items() for _ in range(count)]
    assert run.stdout.split("\n")[:-1] == expected


class Prepared:
    """Work whose preparation is interrupted (so many times) where exceptions get lost: in a callback of C code."""

    def __init__(self, interrupts: int) -> None:
        self.interrupts, self.prepared = interrupts, False

    def prepare(self) -> None:
        def callback() -> None:
            signal.raise_signal(signal.SIGINT)

        for _ in range(self.interrupts):
            ctypes.CFUNCTYPE(None)(callback)()
        self.prepared = True

    def __call__(self, item: int) -> int:
        return item


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Interrupts are ignored where the tests were started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("executor", [od.Serial(), od.Threads(2)])
def test_an_interrupt_while_compiling_is_not_lost(executor: Any) -> None:
    work = Prepared(1)
    with pytest.raises(KeyboardInterrupt):
        list(executor.map(work, range(3)))
    assert work.prepared
    assert list(executor.map(Prepared(0), range(3))) == [0, 1, 2]


@pytest.mark.usefixtures("interruptible")
def test_a_second_interrupt_does_not_wait() -> None:
    reached = []

    def work() -> None:
        with interrupts_wait():
            for attempt in (1, 2):
                signal.raise_signal(signal.SIGINT)
                reached.append(attempt)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == [1]


@pytest.mark.usefixtures("interruptible")
def test_interrupts_that_are_ignored_or_none_of_this_thread_s_business() -> None:
    def elsewhere() -> None:
        with interrupts_wait():
            pass

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_wait():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("executor", [0, "", [], "x", 2.0, od.Threads, od.Serial, object()])
def test_what_is_no_executor_is_refused(executor: Any) -> None:
    with pytest.raises(TypeError, match=r"executor: expected None, Serial\(\), .*got "):
        check_executor(executor)
    with pytest.raises(TypeError, match="executor: expected"):
        run(1, executor)


def test_a_class_is_no_executor_but_a_hint_tells() -> None:
    with pytest.raises(TypeError, match=r"Pass an instance: Threads\(\)\.$"):
        check_executor(od.Threads)


def test_executors_are_taken() -> None:
    assert check_executor(None) == od.Threads()
    for executor in (od.Serial(), od.Threads(3), od.Processes(1), od.Dask(workers=1), Sleepy()):
        assert check_executor(executor) is executor


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
