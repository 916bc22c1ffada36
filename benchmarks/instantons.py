"""Exponents of tunnelling for N → ∞ along the bistable cut, and where they cross: docs/data/instantons.json."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from scipy.optimize import brentq

from opendicke.analysis.tunnelling import BISTABLE_CUT, instanton

POSITIONS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 0.95)


def row(s: float) -> dict[str, Any]:
    """Exponents at one position, with their errors and what they cost."""
    model, found = BISTABLE_CUT.model(s, n_atoms=1), {"s": s}
    for start in ("normal", "superradiant"):
        for method in ("exact", "truncated_wigner"):
            began = time.process_time()
            answer = instanton(model, start, method)  # type: ignore[arg-type]
            found[f"{start} {method}"] = {
                "action": answer.action.item(),
                "error": answer.attrs["action_error"],
                "energy": answer.attrs["energy"],
                "seconds": round(time.process_time() - began, 1),
            }
    return found


def crossing(method: str) -> float:
    """Where both exponents are equal."""

    def difference(s: float) -> float:
        model = BISTABLE_CUT.model(s, n_atoms=1)
        normal, superradiant = (instanton(model, start, method).action.item() for start in ("normal", "superradiant"))  # type: ignore[arg-type]
        return float(normal - superradiant)

    return float(brentq(difference, 0.65, 0.7, xtol=1e-7))


def run(output: Path) -> None:
    rows = [row(s) for s in POSITIONS]
    result = {"rows": rows, "s_c": {method: crossing(method) for method in ("exact", "truncated_wigner")}}
    output.write_text(json.dumps(result, indent=1) + "\n")
    for one in rows:
        numbers = [
            one[f"{start} {method}"] for start in ("normal", "superradiant") for method in ("exact", "truncated_wigner")
        ]
        print(f"| {one['s']:g} | " + " | ".join(f"{number['action']:.6f}" for number in numbers) + " |")
    print(result["s_c"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/data/instantons.json"))
    run(parser.parse_args().output)
