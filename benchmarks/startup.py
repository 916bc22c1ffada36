"""From the start of a process to its first trajectory, with the compiled code on disk and without."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.timing import table

IMPORT = "import opendicke"
TRAJECTORY = """
import numpy as np, opendicke as od
model = od.DickeModel(n_atoms=1000, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.13, g_plus=1.13)
times = np.linspace(0.0, 20.0, 201)
od.solve(model, od.SpinCoherent(np.pi / 4, np.pi), times, od.NuHOPS(trajectories=1, seed=1), executor=od.Serial())
"""


def process(program: str, cache: Path) -> tuple[float, float]:
    """Wall-clock and CPU seconds of a fresh interpreter that runs ``program``."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", program], env=os.environ | {"NUMBA_CACHE_DIR": str(cache)}, check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(rounds: int = 7) -> None:
    """One cold start, then warm ones."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        rows = [_row("first trajectory, nothing compiled yet", [process(TRAJECTORY, cache)])]
        for program, name in ((IMPORT, "import opendicke"), (TRAJECTORY, "first trajectory, compiled code on disk")):
            rows.append(_row(name, [process(program, cache) for _ in range(rounds)]))
    table(("fresh process up to the end of", "wall clock, s (median)", "(fastest)", "CPU, s (median)"), rows)


def _row(name: str, taken: list[tuple[float, float]]) -> tuple[str, ...]:
    wall, cpu = np.array(taken).T
    return name, *(f"{value:.2f}" for value in (np.median(wall), wall.min(), np.median(cpu)))
