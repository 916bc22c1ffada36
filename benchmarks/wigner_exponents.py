"""Where truncated Wigner's exponents fail most in the plane: docs/data/wigner_exponents.json; resumable.

python -m benchmarks.wigner_exponents
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import xarray as xr

from opendicke import DickeModel
from opendicke.analysis import tricritical_point
from opendicke.analysis.tunnelling import OrbitNotFoundError, instanton
from opendicke.tunnelling.transition import STARTS, bistable_range

#: (ω_c, κ) at ω_a = 1; g₋ over that of the tricritical point; shares of the way across the bistable phase.
CAVITIES = ((1.0, 1.0), (3.0, 1.0))
G_MINUS = (1.3, 2.0)
SHARES = (0.25, 0.05, 0.6, 0.95)


def row(model: DickeModel, share: float, neighbours: dict[str, xr.Dataset]) -> dict[str, Any]:
    """Both exponents by both methods at one point; ``neighbours`` are replaced by the paths found."""
    began = time.process_time()
    found: dict[str, Any] = {"g_minus": model.g_minus, "g_plus": model.g_plus, "share": share}
    for start in STARTS:
        try:
            wigner = instanton(model, start, "truncated_wigner", neighbour=neighbours.get(start))
            exact = instanton(model, start, "exact", neighbour=wigner)
        except OrbitNotFoundError as problem:
            found[start] = {"failure": str(problem)}
            continue
        neighbours[start] = wigner
        found[start] = {"exact": exact.action.item(), "truncated_wigner": wigner.action.item()}
    return found | {"seconds": round(time.process_time() - began, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/data/wigner_exponents.json"))
    options = parser.parse_args()
    results: dict[str, Any] = json.loads(options.output.read_text()) if options.output.exists() else {}
    for omega_c, kappa in CAVITIES:
        name = f"omega_c = {omega_c:g}, kappa = {kappa:g}"
        plane = DickeModel(n_atoms=1, omega_a=1.0, omega_c=omega_c, kappa=kappa, g_minus=1.0, g_plus=1.0)
        rows = results.setdefault(name, [])
        for factor in G_MINUS:
            g_minus = factor * tricritical_point(plane)[0]
            lowest, highest = bistable_range(plane, g_minus)
            neighbours: dict[str, xr.Dataset] = {}
            for share in SHARES:
                if any((one["g_minus"], one["share"]) == (g_minus, share) for one in rows):
                    continue
                model = plane.replace(g_minus=g_minus, g_plus=lowest + share * (highest - lowest))
                rows.append(row(model, share, neighbours))
                options.output.write_text(json.dumps(results, indent=1) + "\n")
                print(name, rows[-1], flush=True)


if __name__ == "__main__":
    main()
