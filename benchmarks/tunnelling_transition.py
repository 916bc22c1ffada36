"""Exponents along the cut and their crossing, from the rates that tunnelling_rates.py wrote.

python benchmarks/tunnelling_transition.py docs/data/tunnelling_rates.json
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from opendicke.analysis.tunnelling import Exponent, crossing, fit_exponent


def exponent(records: list[dict[str, Any]], least_atoms: int) -> Exponent | None:
    """The exponent of one basin's rates at one position; points without an arrival enter as limits."""
    used = [r for r in records if r["n_atoms"] >= least_atoms and "replicas" in r]
    seen = [r for r in used if r["rate"] > 0]
    if len(seen) < 2:
        return None
    n_atoms = [r["n_atoms"] for r in used]
    # An escape rate of n is 2γ_ns: the factor is in the prefactor, not in the exponent.
    logs = [math.log(r["rate"]) if r["rate"] > 0 else math.nan for r in used]
    errors = [r["sem"] / r["rate"] if r["rate"] > 0 else math.nan for r in used]
    # No replica arrived: only the simulated time bounds the rate, as in a direct count.
    return fit_exponent(n_atoms, logs, errors, exposures=[r["time"] for r in used])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--least-atoms", type=int, default=100)
    parser.add_argument("--degree", type=int, default=1)
    options = parser.parse_args()
    records = [record for file in options.files for record in json.loads(file.read_text())]
    rows = []
    for s in sorted({r["s"] for r in records}):
        found = [
            exponent([r for r in records if r["s"] == s and r["basin"] == basin], options.least_atoms)
            for basin in ("n", "s")
        ]
        n, sn = found
        if n is None or sn is None:
            continue
        rows.append((s, n.r, n.r_sem, sn.r, sn.r_sem))
        print(
            f"s = {s}: r_ns = {n.r:.5f} ± {n.r_sem:.5f} ({n.points} points), "
            f"r_sn = {sn.r:.5f} ± {sn.r_sem:.5f} ({sn.points} points)"
        )
    if len(rows) >= 2:
        found_crossing = crossing(*np.array(rows).T, degree=options.degree)
        print(f"s_c = {found_crossing.s:.3f}, 95 % [{found_crossing.low:.3f}, {found_crossing.high:.3f}]")


if __name__ == "__main__":
    main()
