"""What tunnelling rates do and do not depend on, and whether their errors are what they say; resumable.

    python benchmarks/tunnelling_checks.py docs/data/tunnelling_checks.json

``tol``: the same trajectories at several accuracies. ``thresholds``: the same trajectories with other regions and
windows. ``direct``: rates of escape counted against splitting. ``scatter``: independent runs of splitting.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from opendicke import NuHOPS, Serial, solve
from opendicke.analysis.tunnelling import (
    BISTABLE_CUT,
    Landscape,
    Passages,
    Regions,
    Splitting,
    classify,
    count_rates,
    escape_rate,
    fit_populations,
    occupied,
    watch,
)

Basin = Literal["n", "s"]
Record = dict[str, Any]
START = {"n": "n", "s": "s+"}
#: enter, leave, window in periods of the oscillation around the superradiant state.
REGIONS = ((0.5, 1.0, 1.0), (0.35, 1.0, 1.0), (0.7, 1.0, 1.0), (0.5, 0.7, 1.0), (0.5, 1.3, 1.0), (0.5, 1.0, 2.0),
           (0.5, 1.0, 0.5), (0.5, 1.0, 0.0), (10.0, 10.0, 0.0))  # fmt: skip


def tolerance(n_atoms: int, s: float, tol: float) -> Record:
    """Passages of the same trajectories at another tol."""
    method = NuHOPS(trajectories=24, seed=7, tol=tol)
    began = time.process_time()
    seen = watch(BISTABLE_CUT.model(s, n_atoms), "n", 1000.0, method, skip=10.0, executor=Serial())
    passages = seen.passages
    return {
        "counts": passages.counts.tolist(), "residence": passages.residence.tolist(), "failures": len(seen.failures),
        "cpu_s": time.process_time() - began,
    }  # fmt: skip


def thresholds(n_atoms: int, s: float) -> Record:
    """Passages and rates of the same trajectories with other thresholds and windows."""
    model, spacing, skip = BISTABLE_CUT.model(s, n_atoms), 0.25, 10.0
    landscape = Landscape.of(model)
    times = spacing * np.arange(1.0, 2001.0)
    method = NuHOPS(trajectories=48, seed=17, tol=1e-3, keep_trajectories=True)
    spins = []
    for start in ("n", "s+"):
        run = solve(model, landscape.state(start), times, method, ["Sz"], executor=Serial(), progress=False)
        spins.append(np.stack([run[f"S{axis}_trajectory"].values for axis in "xyz"], axis=-1) / n_atoms)
    period = Regions.of(landscape).window
    rows = []
    for enter, leave, window in REGIONS:
        regions = Regions.of(landscape, enter=enter, leave=leave, window=window * period)
        labels, passages = [], Passages()
        for m in spins:
            one, seen = classify(m, spacing, regions, skip=skip)
            labels.append(one)
            passages.add(seen)
        rates = count_rates(passages)
        fit = fit_populations(times[3::4], *(occupied(one)[:, 3::4] for one in labels), lag=skip)
        rows.append({
            "enter": enter, "leave": leave, "window": window, "counts": passages.counts.tolist(),
            "ns": rates.ns.value, "sn": rates.sn.value, "fit": [fit.ns, fit.sn], "fit_sem": [fit.ns_sem, fit.sn_sem],
        })  # fmt: skip
    return {"period": period, "rows": rows}


def direct(n_atoms: int, s: float, basin: Basin, duration: float, times: int = 1, seed: int = 23) -> Record:
    """The rate out of a basin: escapes over the time until then, and by splitting; ``times`` as much of both.

    Time and escapes count from t = 20, when the start is forgotten.
    """
    model, settle = BISTABLE_CUT.model(s, n_atoms), 20.0
    method = NuHOPS(trajectories=64 * times, seed=seed, tol=1e-3)
    seen = watch(model, START[basin], duration, method, executor=Serial())  # type: ignore[arg-type]
    first = np.where(np.isnan(seen.first), np.inf, seen.first)
    waited = np.minimum(first, seen.times[-1]) - settle
    inside = waited > 0
    escapes, exposure = int((first[inside] < np.inf).sum()), float(waited[inside].sum())
    options = Splitting(replicas=8 * times, particles=64, seed=seed + 6)
    split = escape_rate(model, basin, options, method=method, executor=Serial())
    rate, error = escapes / exposure, math.sqrt(escapes) / exposure
    return {
        "escapes": escapes, "exposure": exposure, "direct": rate, "direct_sem": error, "split": split.rate,
        "split_sem": split.sem, "z": (split.rate - rate) / math.hypot(error, split.sem),
        "exposure_split": split.time, "replicas": split.replicas.tolist(),
    }  # fmt: skip


def scatter(n_atoms: int, s: float, basin: Basin, runs: int) -> Record:
    """Independent runs of splitting, each with levels of its own: do they scatter as their errors say?"""
    model, method = BISTABLE_CUT.model(s, n_atoms), NuHOPS(trajectories=1, tol=1e-3)
    found = []
    for seed in range(runs):
        options = Splitting(replicas=8, particles=32, seed=100 + seed)
        found.append(escape_rate(model, basin, options, method=method, executor=Serial()))
    rates, errors = np.array([one.rate for one in found]), np.array([one.sem for one in found])
    return {
        "rates": rates.tolist(), "sems": errors.tolist(), "spread": float(rates.std(ddof=1)),
        "rms_sem": float(np.sqrt((errors**2).mean())),
    }  # fmt: skip


#: Name of each check, and what it runs.
CHECKS: dict[str, tuple[Callable[..., Record], tuple[Any, ...]]] = {
    **{f"tol {n} {tol}": (tolerance, (n, 0.688, tol)) for n in (100,) for tol in (1e-3, 1e-4, 1e-6)},
    "thresholds 100": (thresholds, (100, 0.688)),
    **{
        f"direct {n} {s} {basin}": (direct, (n, s, basin, duration))
        for n, s, basin, duration in (
            (50, 0.6, "n", 400.0), (50, 0.6, "s", 200.0), (50, 0.8, "n", 400.0), (50, 0.8, "s", 100.0),
            (100, 0.6, "n", 500.0), (100, 0.6, "s", 1000.0), (100, 0.8, "n", 1500.0), (100, 0.8, "s", 200.0),
            (150, 0.7, "n", 2000.0), (150, 0.8, "s", 400.0), (200, 0.7, "n", 5000.0), (200, 0.7, "s", 4000.0),
        )
    },
    "direct 100 0.6 n again": (direct, (100, 0.6, "n", 500.0, 2, 123)),
    "scatter 100 0.7 n": (scatter, (100, 0.7, "n", 16)),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", nargs="*", default=[""], help="checks whose names begin with this")
    options = parser.parse_args()
    records: dict[str, Record] = json.loads(options.file.read_text()) if options.file.exists() else {}
    for name, (check, arguments) in CHECKS.items():
        if name in records or not name.startswith(tuple(options.only)):
            continue
        began = time.process_time()
        records[name] = check(*arguments)
        options.file.write_text(json.dumps(records, indent=1))
        print(f"{name} ({time.process_time() - began:.0f} s):", json.dumps(records[name]), flush=True)


if __name__ == "__main__":
    main()
