"""Exponents along the cut and their crossing, from the rates that tunnelling_rates.py wrote.

    python benchmarks/tunnelling_transition.py docs/data/tunnelling_rates.json

Replicas of the same point in several records or files are put together. The interval of the crossing is a bootstrap
over replicas; where few of them carry the rate it is wide, as it should be.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np

from opendicke.analysis.tunnelling import Exponent, crossing, fit_exponent

#: (s, basin) -> N -> the rates that all replicas found.
Rates = dict[tuple[float, str], dict[int, np.ndarray]]


def collect(files: list[Path], atoms: list[int] | None) -> Rates:
    found: Rates = {}
    for file in files:
        for record in json.loads(file.read_text()):
            if "replicas" in record and (not atoms or record["n_atoms"] in atoms):
                point = found.setdefault((record["s"], record["basin"]), {})
                before = point.get(record["n_atoms"], np.empty(0))
                point[record["n_atoms"]] = np.concatenate([before, record["replicas"]])
    return found


def exponent(point: dict[int, np.ndarray]) -> Exponent | None:
    """ln Γ = ln A + r N; an escape rate of n is 2γ_ns, and the factor does not change the exponent."""
    seen = {n_atoms: rates for n_atoms, rates in point.items() if rates.any()}
    if len(seen) < 2:
        return None
    logs = [math.log(rates.mean()) for rates in seen.values()]
    # A resampled point may be one replica, many times over: its spread then says nothing.
    errors = [max(rates.std(ddof=1) / rates.mean() / math.sqrt(rates.size), 0.1) for rates in seen.values()]
    return fit_exponent(list(seen), logs, errors)


def cross(rates: Rates, degree: int) -> tuple[float, list[tuple[float, Exponent, Exponent]]]:
    """s_c, NaN if there is none, and the exponents."""
    rows = []
    for s in sorted({s for s, _ in rates}):
        out, back = (exponent(rates.get((s, basin), {})) for basin in "ns")
        if out is not None and back is not None:
            rows.append((s, out, back))
    table = np.array([(s, out.r, out.r_sem, back.r, back.r_sem) for s, out, back in rows])
    try:
        return crossing(*table.T, degree=degree, samples=20).s, rows
    except ValueError:
        return math.nan, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--atoms", type=int, nargs="*", help="only these N")
    parser.add_argument("--degree", type=int, default=2)
    options = parser.parse_args()
    rates = collect(options.files, options.atoms)
    for (s, basin), point in sorted(rates.items()):
        for n_atoms, replicas in sorted(point.items()):
            sem = replicas.std(ddof=1) / math.sqrt(replicas.size)
            print(f"s = {s} N = {n_atoms} {basin}: {replicas.mean():.2e} ± {sem:.1e} ({replicas.size})")
    best, rows = cross(rates, options.degree)
    for s, out, back in rows:
        print(f"s = {s}: r_ns = {out.r:.5f} ± {out.r_sem:.5f}, r_sn = {back.r:.5f} ± {back.r_sem:.5f}")
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(1000):
        sample = {
            key: {n_atoms: rng.choice(replicas, replicas.size) for n_atoms, replicas in point.items()}
            for key, point in rates.items()
        }
        drawn.append(cross(sample, options.degree)[0])
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    print(
        f"s_c = {best:.3f}, 95 % [{low:.3f}, {high:.3f}]; without a crossing: {np.isnan(drawn).sum()} of {len(drawn)}"
    )


if __name__ == "__main__":
    main()
