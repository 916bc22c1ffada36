"""Runs killed at random moments, then resumed: the result must be that of the uninterrupted run, bit for bit.

    python -m benchmarks.kill_test --runs 50

Each run is a process of its own that is sent SIGKILL at a random moment; every other one runs on a Dask cluster of two
workers, and there every second time a worker is killed instead of the driver. Then the same command is run to its end.
Chunks that were complete at the kill must not be written again.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import xarray as xr

import opendicke as od
from benchmarks.timing import table


def study(store: Path | None, executor: object) -> xr.Dataset:
    """The job: some seconds of work in chunks of a fraction of a second."""
    model = od.DickeModel(n_atoms=100, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.13, g_plus=1.13)
    method = od.NuHOPS(trajectories=640, seed=11)
    return od.solve(
        model, od.SpinCoherent(np.pi / 4, np.pi), np.linspace(0, 8, 41), method, store=store, executor=executor
    )


def child(store: Path, dask: bool) -> None:
    """What the killed process does."""
    study(store, od.Dask(workers=2) if dask else od.Threads(2))


def start(store: Path, dask: bool) -> subprocess.Popen[bytes]:
    """Start the child in a process group of its own."""
    command = [sys.executable, "-m", "benchmarks.kill_test", "--child", str(store), *(["--dask"] if dask else [])]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)


def dask_workers(driver: int) -> list[int]:
    """Process ids of the workers that ``driver`` spawned."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
            command = (path.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(fields[3]) == driver and "spawn_main" in command:  # same session as the driver
            found.append(int(path.parent.name))
    return found


def chunk_times(store: Path) -> dict[str, float]:
    """When each chunk was written."""
    return {path.name: path.stat().st_mtime_ns for path in store.glob("*/*.npz")}


def uninterrupted(dask: bool) -> float:
    """Seconds that the child takes, start-up included."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        start(Path(folder), dask).wait()
        return time.monotonic() - began


def trial(number: int, store: Path, longest: dict[bool, float], rng: random.Random) -> tuple[str, int, float]:
    """One kill and one resumption; returns what was killed, how many chunks were done, and after how many seconds."""
    dask = number % 2 == 1
    process = start(store, dask)
    began, wait = time.monotonic(), rng.uniform(0.2, 1.0) * longest[dask]
    while time.monotonic() - began < wait and process.poll() is None:
        time.sleep(0.01)
    victim, after_s = "driver", time.monotonic() - began
    workers = dask_workers(process.pid) if dask and number % 4 == 3 else []
    with suppress(ProcessLookupError):  # it has just ended by itself
        if workers:
            victim = "worker"
            os.kill(rng.choice(workers), signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    before = chunk_times(store)
    process.wait()
    if victim == "driver":
        start(store, dask).wait()
    after = chunk_times(store)
    again = [name for name, when in before.items() if after.get(name) != when]
    if again:
        raise SystemExit(f"run {number}: complete chunks were written again: {again}")
    where = "Dask" if dask else "threads"
    return victim + f" ({where})", len(before), after_s


def main() -> None:
    """Run the trials and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child")
    parser.add_argument("--dask", action="store_true")
    options = parser.parse_args()
    if options.child:
        child(Path(options.child), options.dask)
        return
    rng = random.Random(options.seed)
    expected = study(None, od.Threads(2))
    longest = {dask: uninterrupted(dask) for dask in (False, True)}
    found: dict[str, list[int]] = {}
    for number in range(options.runs):
        store = Path(tempfile.mkdtemp())
        victim, chunks, seconds = trial(number, store, longest, rng)
        xr.testing.assert_identical(study(store, od.Serial()).drop_attrs(), expected.drop_attrs())
        shutil.rmtree(store)
        found.setdefault(victim, []).append(chunks)
        killed = f"{victim} killed after {seconds:.1f} s with {chunks} chunks done"
        print(f"run {number + 1} of {options.runs}: {killed}; result identical", flush=True)
    print(f"\n{options.runs} runs killed and resumed: all results identical, no complete chunk written twice")
    table(
        ["killed", "runs", "chunks done at the kill, of 10"],
        [[victim, len(counts), " ".join(map(str, sorted(counts)))] for victim, counts in sorted(found.items())],
    )


if __name__ == "__main__":
    main()
