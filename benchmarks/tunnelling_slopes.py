"""Measured rates against instantons: prefactors Γ exp(NS), and slopes of ln Γ between N = 200 and 1000.

    python -m benchmarks.tunnelling_slopes

Reads docs/data/tunnelling_rates*.json and instantons.json; prints a table.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import table
from opendicke.analysis.tunnelling import Exponent, fit_exponent

DATA = Path("docs/data")
ATOMS = (200, 500, 1000)
#: Files of rates, the method of their exponents, and the largest N out of n that is fitted: at ``tol=1e-3`` rates of
#: nuHOPS out of n are wrong beyond.
FILES = (
    ("tunnelling_rates.json", "nuHOPS", "exact", 500),
    ("tunnelling_rates_twa.json", "truncated Wigner", "truncated_wigner", 1000),
)
#: Relative errors smaller than this are not believed of a few replicas.
LEAST = 0.1


def measured(records: list[dict[str, Any]], s: float, basin: str, n_atoms: int) -> tuple[float, float]:
    """ln Γ and its standard error, from all replicas; NaN where there are none."""
    same = [one for one in records if (one["s"], one["basin"], one["n_atoms"]) == (s, basin, n_atoms)]
    replicas = np.array([rate for one in same for rate in one.get("replicas", [])])
    if replicas.size < 2 or not replicas.any():
        return float("nan"), float("nan")
    error = replicas.std(ddof=1) / np.sqrt(replicas.size) / replicas.mean()
    return float(np.log(replicas.mean())), max(float(error), LEAST)


def row(records: list[dict[str, Any]], s: float, basin: str, action: float, most: int) -> list[str]:
    """ln(Γ exp(NS)) at each N; the fitted exponent, and its distance from S in standard errors."""
    values, errors = np.array([measured(records, s, basin, n_atoms) for n_atoms in ATOMS]).T
    cells = [
        "–" if np.isnan(y) else f"{y + n * action:.2f} ± {e:.2f}" for n, y, e in zip(ATOMS, values, errors, strict=True)
    ]
    known = np.isfinite(values) & (np.array(ATOMS) <= (most if basin == "n" else max(ATOMS)))
    fit: Exponent = fit_exponent(np.array(ATOMS)[known], values[known], errors[known])
    return [*cells, f"{action:.5f}", f"{-fit.r:.5f} ± {fit.r_sem:.5f}", f"{(-fit.r - action) / fit.r_sem:+.1f}"]


def main() -> None:
    instantons = {one["s"]: one for one in json.loads((DATA / "instantons.json").read_text())["rows"]}
    rows = []
    for name, method, kind, most in FILES:
        records = json.loads((DATA / name).read_text())
        for basin, start in (("n", "normal"), ("s", "superradiant")):
            for s in sorted({one["s"] for one in records}):
                if sum(np.isfinite(measured(records, s, basin, n_atoms)[0]) for n_atoms in ATOMS) < 2:
                    continue
                action = instantons[s][f"{start} {kind}"]["action"]
                rows.append([method, basin, f"{s:g}", *row(records, s, basin, action, most)])
    heads = ["method", "out of", "s", *(f"ln(Γ exp(NS)), N = {n}" for n in ATOMS)]
    table([*heads, "instanton", "measured", "standard errors apart"], rows)


if __name__ == "__main__":
    main()
