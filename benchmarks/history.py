"""A few numbers of one day beside those of earlier ones: ``python -m benchmarks.history history.jsonl``.

A line is added to the file, as JSON. Compared is with the median of earlier lines of the same processor: CPU time of
one thread, and the same over the peak rate, which leaves out most of what the clock does.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import opendicke as od
from benchmarks.__main__ import processor
from benchmarks.problems import STATE, model
from benchmarks.timing import interleaved, table
from opendicke.engine.peak import peak_rate
from opendicke.version import version

#: Trajectories of each method in a round, and rounds.
TRAJECTORIES, ROUNDS = 16, 7
TIMES = np.linspace(0.0, 20.0, 201)


def works() -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    methods = {"nuHOPS": od.NuHOPS(TRAJECTORIES, seed=1), "truncated Wigner": od.TruncatedWigner(TRAJECTORIES, seed=1)}
    return {
        f"{name}, {coupling}, N = {n_atoms}": lambda method=method, n_atoms=n_atoms, coupling=coupling: od.solve(
            model(n_atoms, coupling), STATE, TIMES, method, executor=od.Serial(), progress=False
        )
        for name, method in methods.items()
        for coupling in ("balanced", "unbalanced")
        for n_atoms in (100, 10_000)
    }


def measure() -> dict[str, Any]:
    """One line of the history: ms of CPU per trajectory, medians over the rounds."""
    asked = works()
    medians = np.median(interleaved(list(asked.values()), ROUNDS), axis=0) * 1e3 / TRAJECTORIES
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "version": version(),
        "processor": processor(),
        "python": platform.python_version(),
        "peak_gflops": peak_rate() / 1e9,
        "milliseconds": dict(zip(asked, medians.tolist(), strict=True)),
    }


def rows(today: dict[str, Any], earlier: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Each number, its ratio to the median of ``earlier``, and that ratio at equal peak rate."""
    found = []
    for name, now in today["milliseconds"].items():
        old = [(line["milliseconds"][name], line["peak_gflops"]) for line in earlier if name in line["milliseconds"]]
        if not old:
            found.append((name, f"{now:.2f}", "", ""))
            continue
        ratio = now / statistics.median(time for time, _ in old)
        at_peak = now * today["peak_gflops"] / statistics.median(time * peak for time, peak in old)
        found.append((name, f"{now:.2f}", f"{ratio:.2f}", f"{at_peak:.2f}"))
    return found


def main() -> None:
    """Measure, print beside the history, and add to it."""
    history = Path(sys.argv[1])
    lines = history.read_text(encoding="utf-8").splitlines() if history.exists() else []
    today = measure()
    earlier = [line for line in map(json.loads, lines) if line["processor"] == today["processor"]]
    print(f"{today['date']}, {today['commit']}, {today['processor']}; {len(earlier)} earlier lines of this processor")
    table(("", "ms per trajectory", "over the median", "at equal peak rate"), rows(today, earlier))
    with history.open("a", encoding="utf-8") as file:
        file.write(json.dumps(today) + "\n")


if __name__ == "__main__":
    main()
