"""Rates of escape from the normal and from a superradiant state along a cut, by splitting; resumable.

    python benchmarks/tunnelling_rates.py docs/data/tunnelling_rates.json --cpu-minutes 25

One record per (s, N, basin); records already in the file are not run again. A point is skipped, and said to be, where
the rates found at smaller N, extrapolated, fall below ``LEAST``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np

from opendicke import NuHOPS, Serial, TrajectoryError, TruncatedWigner
from opendicke.analysis.tunnelling import BISTABLE_CUT, Splitting, escape_rate

POSITIONS = (0.6, 0.8, 0.7, 0.65, 0.75)
ATOMS = (100, 200, 300, 500, 1000)
LEAST = 1e-20
TOL = 1e-6
OPTIONS = Splitting(replicas=4, particles=96, seed=2025)


def expected_log_rate(records: list[dict[str, Any]], n_atoms: int) -> float:
    """ln Γ at ``n_atoms``, extrapolated from the two largest N known."""
    known = sorted((r["n_atoms"], math.log(r["rate"])) for r in records if r["rate"] > 0)
    if len(known) < 2:
        return 0.0
    (n1, y1), (n2, y2) = known[-2:]
    return float(y2 + (y2 - y1) / (n2 - n1) * (n_atoms - n2))


def run_point(
    s: float, n_atoms: int, basin: Literal["n", "s"], seed: int, particles: int, method: NuHOPS | TruncatedWigner
) -> dict[str, Any]:
    options = dataclasses.replace(OPTIONS, seed=seed + n_atoms + round(1e6 * s), particles=particles)
    began = time.process_time()
    record = {"s": s, "n_atoms": n_atoms, "basin": basin, "splitting": dataclasses.asdict(options)}
    if isinstance(method, NuHOPS):
        record["tol"] = method.tol
    try:
        found = escape_rate(BISTABLE_CUT.model(s, n_atoms), basin, options, method=method, executor=Serial())
    except TrajectoryError as failure:
        return record | {"rate": math.nan, "failure": str(failure)}
    levels = [level if math.isfinite(level) else None for level in found.levels]
    return record | {
        "rate": found.rate, "sem": found.sem, "replicas": found.replicas.tolist(), "levels": levels,
        "time": found.time, "cpu_s": time.process_time() - began,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--cpu-minutes", type=float, default=25.0)
    parser.add_argument("--atoms", type=int, nargs="*", default=ATOMS)
    parser.add_argument("--positions", type=float, nargs="*", default=POSITIONS)
    parser.add_argument("--basins", nargs="*", default=["n", "s"])
    parser.add_argument("--seed", type=int, default=OPTIONS.seed, help="another seed and another file add replicas")
    parser.add_argument("--particles", type=int, default=OPTIONS.particles)
    parser.add_argument("--wigner", action="store_true", help="truncated Wigner instead of nuHOPS, to another file")
    options = parser.parse_args()
    method = TruncatedWigner(trajectories=1) if options.wigner else NuHOPS(trajectories=1, tol=TOL)
    records: list[dict[str, Any]] = json.loads(options.file.read_text()) if options.file.exists() else []
    for n_atoms in options.atoms:
        for s in options.positions:
            for basin in options.basins:
                same = [r for r in records if r["s"] == s and r["basin"] == basin]
                if any(r["n_atoms"] == n_atoms for r in same):
                    continue
                expected = expected_log_rate([r for r in same if r["n_atoms"] < n_atoms], n_atoms)
                if expected < math.log(LEAST):
                    print(f"s={s} N={n_atoms} {basin}: skipped, rate expected near {math.exp(expected):.1e}")
                    continue
                record = run_point(s, n_atoms, basin, options.seed, options.particles, method)
                records.append(record)
                partial = options.file.with_suffix(".part")
                partial.write_text(json.dumps(records, indent=1))
                partial.replace(options.file)
                spread = np.array(record.get("replicas", [])) / (record["rate"] or 1)
                print(
                    f"s={s} N={n_atoms} {basin}: {record['rate']:.3g}",
                    spread.round(2),
                    f"{record.get('cpu_s', 0):.0f} s",
                    flush=True,
                )
                if time.process_time() > 60 * options.cpu_minutes:
                    return


if __name__ == "__main__":
    main()
