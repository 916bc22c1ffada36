r"""Exponents along the cut, where they cross and where p_n = 1/2, from the rates that tunnelling_rates.py wrote.

    python benchmarks/tunnelling_transition.py docs/data/tunnelling_rates.json \
        --write docs/data/tunnelling_transition.json

Replicas of the same point in several records or files are put together. Intervals are from a bootstrap over replicas;
where few of them carry the rate they are wide, as they should be.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from opendicke.analysis.tunnelling import BISTABLE_CUT, Exponent, crossing, fit_exponent

#: (s, basin) -> N -> the rates that all replicas found.
Rates = dict[tuple[float, str], dict[int, np.ndarray]]
#: Which N enter the exponents.
CHOICES: tuple[tuple[int, ...], ...] = ((200, 500, 1000), (500, 1000), (200, 500), (100, 200))
SAMPLES = 1000


def collect(files: list[Path]) -> Rates:
    found: Rates = {}
    for file in files:
        for record in json.loads(file.read_text()):
            if "replicas" in record:
                point = found.setdefault((record["s"], record["basin"]), {})
                before = point.get(record["n_atoms"], np.empty(0))
                point[record["n_atoms"]] = np.concatenate([before, record["replicas"]])
    return found


def log_rate(replicas: np.ndarray) -> tuple[float, float]:
    """ln Γ and its standard error. A resampled point may be one replica many times over: its spread says nothing."""
    return math.log(replicas.mean()), max(replicas.std(ddof=1) / replicas.mean() / math.sqrt(replicas.size), 0.1)


def exponent(point: dict[int, np.ndarray], atoms: tuple[int, ...]) -> Exponent | None:
    """ln Γ = ln A + r N; an escape rate of n is 2γ_ns, and the factor does not change the exponent."""
    seen = {n_atoms: log_rate(rates) for n_atoms, rates in point.items() if n_atoms in atoms and rates.any()}
    if len(seen) < 2:
        return None
    return fit_exponent(list(seen), *zip(*seen.values(), strict=True))


def exponents(rates: Rates, atoms: tuple[int, ...]) -> np.ndarray:
    """Rows (s, r_ns, its error, r_sn, its error)."""
    rows = []
    for s in sorted({s for s, _ in rates}):
        out, back = (exponent(rates.get((s, basin), {}), atoms) for basin in "ns")
        if out is not None and back is not None:
            rows.append((s, out.r, out.r_sem, back.r, back.r_sem))
    return np.array(rows)


def balances(rates: Rates, n_atoms: int) -> np.ndarray:
    """Rows (s, ln 2γ_ns, its error, ln γ_sn, its error): equal where half of the trajectories are in n."""
    rows = []
    for s in sorted({s for s, _ in rates}):
        both = [rates.get((s, basin), {}).get(n_atoms, np.zeros(1)) for basin in "ns"]
        if all(one.any() for one in both):
            rows.append((s, *log_rate(both[0]), *log_rate(both[1])))
    return np.array(rows)


def root(table: np.ndarray) -> float:
    """Where the two lines of a table cross, NaN if they do not."""
    if len(table) < 2:
        return math.nan
    try:
        return crossing(*table.T, degree=min(2, len(table) - 1), samples=20).s
    except ValueError:
        return math.nan


def interval(rates: Rates, what: Callable[[Rates], float]) -> dict[str, Any]:
    """``what`` of the rates, with a 95 % interval from a bootstrap over replicas."""
    rng, drawn = np.random.default_rng(0), []
    for _ in range(SAMPLES):
        sample = {
            key: {n_atoms: rng.choice(replicas, replicas.size) for n_atoms, replicas in point.items()}
            for key, point in rates.items()
        }
        drawn.append(what(sample))
    best, (low, high) = what(rates), np.nanquantile(drawn, (0.025, 0.975))
    couplings = BISTABLE_CUT.model(best, n_atoms=2)
    return {
        "s": best, "low": float(low), "high": float(high), "g_minus": couplings.g_minus, "g_plus": couplings.g_plus,
        "without": int(np.isnan(drawn).sum()), "samples": SAMPLES,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    rates = collect(options.files)
    for (s, basin), point in sorted(rates.items()):
        for n_atoms, replicas in sorted(point.items()):
            sem = replicas.std(ddof=1) / math.sqrt(replicas.size)
            print(f"s = {s} N = {n_atoms} {basin}: {replicas.mean():.2e} ± {sem:.1e} ({replicas.size})")
    known = {n_atoms for point in rates.values() for n_atoms in point}
    found: dict[str, Any] = {"crossing": [], "half": []}
    for atoms in CHOICES:
        table = exponents(rates, atoms)
        if len(table) >= 2 and known.issuperset(atoms) and not math.isnan(root(table)):
            record = interval(rates, lambda one, atoms=atoms: root(exponents(one, atoms)))  # type: ignore[misc]
            found["crossing"].append({"atoms": atoms, "exponents": table.tolist()} | record)
            print(f"N in {atoms}: s_c = {record['s']:.3f} [{record['low']:.3f}, {record['high']:.3f}]")
            for s, *numbers in table:
                out, out_sem, back, back_sem = (f"{number:.5f}" for number in numbers)
                print(f"    s = {s}: r_ns = {out} ± {out_sem}, r_sn = {back} ± {back_sem}")
    for n_atoms in sorted(known):
        if not math.isnan(root(balances(rates, n_atoms))):
            record = interval(rates, lambda one, n_atoms=n_atoms: root(balances(one, n_atoms)))  # type: ignore[misc]
            found["half"].append({"n_atoms": n_atoms} | record)
            print(f"N = {n_atoms}: p_n = 1/2 at s = {record['s']:.3f} [{record['low']:.3f}, {record['high']:.3f}]")
    largest, atoms = max(known), tuple(sorted(known - {100, 300}))
    more = {
        key: {
            n_atoms: replicas * (10 if (n_atoms, key[1]) == (largest, "n") else 1)
            for n_atoms, replicas in point.items()
        }
        for key, point in rates.items()
    }
    found["tenfold"] = root(exponents(more, atoms)) - root(exponents(rates, atoms))
    print(f"With ten times the rate out of n at N = {largest}, s_c moves by {found['tenfold']:+.3f}")
    if options.write:
        options.write.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
