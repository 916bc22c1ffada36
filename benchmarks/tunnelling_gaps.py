"""Tunnelling rates from trajectories against the gaps of the Liouvillian at small N; resumable.

python benchmarks/tunnelling_gaps.py docs/data/tunnelling_gaps.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from opendicke import NuHOPS, Serial, solve
from opendicke.analysis import liouvillian_spectrum
from opendicke.analysis.tunnelling import (
    BISTABLE_CUT,
    Landscape,
    Regions,
    classify,
    fit_populations,
    lagged_rates,
    linear_populations,
)

POSITIONS = (0.5, 0.6, 0.7, 0.8, 0.9)
#: Trajectories are 3.2 N long, since the states live longer at larger N.
TRAJECTORIES, DURATION_PER_ATOM, SPACING, GROUPS, SEED = 640, 3.2, 0.5, 16, 1000
#: Labels this far apart in time enter the lagged estimate; before the same time they are left out.
LAG = 5.0


def lagged(labels: list[np.ndarray]) -> np.ndarray:
    """(Γ_e, Γ_o) of the labels after LAG."""
    steps = round(LAG / SPACING)
    ns, sn, ss = lagged_rates(np.concatenate(labels)[:, steps:], steps, SPACING)
    return np.array([2 * ns + sn, sn + 2 * ss])


def run_point(s: float, n_atoms: int) -> dict[str, Any]:
    began = time.process_time()
    model = BISTABLE_CUT.model(s, n_atoms)
    exact = liouvillian_spectrum(model, k=2, max_top_population=1e-6, progress=False)
    spent = time.process_time() - began
    landscape = Landscape.of(model)
    method = NuHOPS(trajectories=TRAJECTORIES, seed=SEED + round(100 * s), keep_trajectories=True)
    times = SPACING * np.arange(1.0, round(DURATION_PER_ATOM * n_atoms / SPACING) + 1)
    # Labels are functions of the present state only: at small N a moving average and hysteresis would remember for as
    # long as the states live.
    nearest = Regions.of(landscape, enter=10.0, leave=10.0, window=0.0)
    populations, labels = [], []
    for start in ("n", "s+"):
        run = solve(model, landscape.state(start), times, method, ["Sz"], executor=Serial(), progress=False)
        m = np.stack([run[f"S{axis}_trajectory"].values for axis in "xyz"], axis=-1) / n_atoms
        populations.append(linear_populations(m, landscape))
        labels.append(classify(m, SPACING, nearest)[0])
    fit = fit_populations(times, *populations, lag=LAG, batches=GROUPS)
    whole = lagged(labels)
    groups = [[np.delete(run, np.s_[i::GROUPS], axis=0) for run in labels] for i in range(GROUPS)]
    scatter = np.array([lagged(group) for group in groups])
    sem = np.sqrt((GROUPS - 1) * np.nanvar(scatter, axis=0))
    return {
        "s": s, "n_atoms": n_atoms, "exact": exact.gap.values.tolist(), "exact_cpu_s": spent,
        "next": exact.eigenvalue.values.real.tolist(),
        "fit": [fit.even, fit.odd], "fit_sem": [fit.even_sem, fit.odd_sem], "chi2": fit.chi2,
        "gamma": [fit.ns, fit.sn], "gamma_sem": [fit.ns_sem, fit.sn_sem],
        "lagged": whole.tolist(), "lagged_sem": sem.tolist(), "lag": LAG,
        "trajectories": TRAJECTORIES, "cpu_s": time.process_time() - began,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--atoms", type=int, nargs="*", default=[10])
    parser.add_argument("--positions", type=float, nargs="*", default=POSITIONS)
    options = parser.parse_args()
    records: list[dict[str, Any]] = json.loads(options.file.read_text()) if options.file.exists() else []
    for n_atoms in options.atoms:
        for s in options.positions:
            if any((r["s"], r["n_atoms"]) == (s, n_atoms) for r in records):
                continue
            record = run_point(s, n_atoms)
            records.append(record)
            options.file.write_text(json.dumps(records, indent=1))
            for name in ("exact", "fit", "fit_sem", "lagged", "lagged_sem"):
                print(f"s={s} N={n_atoms} {name}:", np.round(record[name], 4), flush=True)
            print(f"  {record['cpu_s']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
