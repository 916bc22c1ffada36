"""The line of the transition, and truncated Wigner's errors around it: docs/data/transition_line.json.

python -m benchmarks.transition_line
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import date
from pathlib import Path
from typing import Any, get_args

import numpy as np

from opendicke.analysis import tricritical_point
from opendicke.analysis.tunnelling import BISTABLE_CUT, OrbitNotFoundError, instanton, transition_line
from opendicke.tunnelling.instanton import Kind, Start
from opendicke.tunnelling.transition import bistable_range

#: g₋ of the line, and of the scan of the bistable phase with both methods; shares of the way across it.
G_MINUS = (*np.arange(1.45, 2.0, 0.05).round(2).tolist(), 2.0, 2.1, 2.2, 2.3, 2.4, 2.6, 2.8, 3.0)
SCAN = (1.6, 1.8, 2.0, 2.4, 3.0)
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
PLANE = BISTABLE_CUT.model(0.0, n_atoms=1)


def line(method: Kind) -> dict[str, Any]:
    """The line with what it cost."""
    began = time.process_time()
    found = transition_line(PLANE, G_MINUS, method)
    columns = {name: found[name].values.tolist() for name in ("g_minus", *found.data_vars)}
    seconds = round((time.process_time() - began) / found.sizes["g_minus"], 1)
    return {**columns, "stopped": found.attrs["stopped"], "seconds_per_point": seconds}


def scan() -> list[dict[str, Any]]:
    """Both exponents by both methods across the bistable phase, each continued from the one before."""
    rows = []
    for start in get_args(Start):
        for g_minus in SCAN:
            lowest, highest = bistable_range(PLANE, g_minus)
            known: dict[Kind, Any] = dict.fromkeys(get_args(Kind))
            for share in SHARES:
                model = PLANE.replace(g_minus=g_minus, g_plus=lowest + share * (highest - lowest))
                row: dict[str, Any] = {"start": start, "g_minus": g_minus, "g_plus": model.g_plus, "share": share}
                for method in known:
                    try:
                        known[method] = instanton(model, start, method, neighbour=known[method])
                        row[method] = known[method].action.item()
                    except OrbitNotFoundError as problem:
                        row[method] = str(problem)
                rows.append(row)
    return rows


def run(output: Path) -> None:
    methods: tuple[Kind, ...] = get_args(Kind)
    result: dict[str, Any] = {
        "command": "python -m benchmarks.transition_line",
        "date": date.today().isoformat(),
        "tricritical": list(tricritical_point(PLANE)),
        "lines": {method: line(method) for method in methods},
    }
    output.write_text(json.dumps(result, indent=1) + "\n")
    result["scan"] = scan()
    output.write_text(json.dumps(result, indent=1) + "\n")
    for row in result["scan"]:
        if all(isinstance(row[method], float) for method in methods):
            off = row["truncated_wigner"] / row["exact"] - 1
            print(f"{row['start']:13} {row['g_minus']:4} {row['share']:4} {row['exact']:.6f} {100 * off:+.2f} %")
        else:
            print(row)
    for method in methods:
        one = result["lines"][method]
        print(method, one["seconds_per_point"], "s a point", one["stopped"])
        print(np.array([one[name] for name in ("g_minus", "g_plus", "action", "share")]).T)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/data/transition_line.json"))
    run(parser.parse_args().output)
