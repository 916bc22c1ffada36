"""The line of the transition, exact and by truncated Wigner: docs/data/transition_line.json.

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
from opendicke.analysis.tunnelling import BISTABLE_CUT, transition_line
from opendicke.tunnelling.instanton import Kind

#: g₋ of the line.
G_MINUS = (*np.arange(1.45, 2.0, 0.05).round(2).tolist(), 2.0, 2.1, 2.2, 2.3, 2.4, 2.6, 2.8, 3.0)
PLANE = BISTABLE_CUT.model(0.0, n_atoms=1)


def line(method: Kind) -> dict[str, Any]:
    """The line with what it cost."""
    began = time.process_time()
    found = transition_line(PLANE, G_MINUS, method)
    columns = {name: found[name].values.tolist() for name in ("g_minus", *found.data_vars)}
    seconds = round((time.process_time() - began) / found.sizes["g_minus"], 1)
    return {**columns, "stopped": found.attrs["stopped"], "seconds_per_point": seconds}


def run(output: Path) -> None:
    methods: tuple[Kind, ...] = get_args(Kind)
    result: dict[str, Any] = {
        "command": "python -m benchmarks.transition_line",
        "date": date.today().isoformat(),
        "tricritical": list(tricritical_point(PLANE)),
        "lines": {method: line(method) for method in methods},
    }
    output.write_text(json.dumps(result, indent=1) + "\n")
    for method in methods:
        one = result["lines"][method]
        print(method, one["seconds_per_point"], "s a point", one["stopped"])
        print(np.array([one[name] for name in ("g_minus", "g_plus", "action", "share")]).T)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/data/transition_line.json"))
    run(parser.parse_args().output)
