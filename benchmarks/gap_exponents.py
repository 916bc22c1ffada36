"""Gaps of the Liouvillian at small N, extrapolated to N → ∞, against the exponents of instantons; resumable.

    python -m benchmarks.gap_exponents

The gap of the even sector is 2γ_ns + γ_sn and falls with the smaller of both exponents, that of the odd one is
γ_sn + 2γ_ss and falls with that out of the superradiant state. Written to docs/data/gap_exponents.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import DickeModel
from opendicke.analysis import liouvillian_spectrum
from opendicke.analysis.tunnelling import BISTABLE_CUT, instanton

CUT = BISTABLE_CUT.model(0.1, n_atoms=1)
#: Models, those beside the cut by ω_c, κ, g₋ and g₊ at ω_a = 1, and the numbers of atoms.
POINTS: dict[str, tuple[DickeModel, tuple[int, ...]]] = {
    "3, 1, 2.7, 0.6": (
        CUT.replace(omega_c=3.0, kappa=1.0, g_minus=2.7, g_plus=0.6),
        (6, 8, 10, 12, 14, 16, 20, 24, 30),
    ),
    "1, 0.3, 1.3, 0.3": (
        CUT.replace(omega_c=1.0, kappa=0.3, g_minus=1.3, g_plus=0.3),
        (6, 8, 10, 12, 14, 17, 20, 24),
    ),
    "s = 0.1": (CUT, (6, 8, 10, 12, 14, 17, 20)),
}
#: Corrections to −ln(gap) = N S − ln A that are fitted: those of the answer first.
CORRECTIONS = ((-1,), (-1, -2), (-1, -2, -3))


def gaps(model: DickeModel) -> dict[str, Any]:
    """Both gaps with the errors of their eigenvalues."""
    began = time.process_time()
    found = liouvillian_spectrum(model, k=2, max_top_population=1e-6, progress=False)
    return {
        "n_atoms": model.n_atoms,
        "gap": found.gap.values.tolist(),
        "error": [float(found.error[0, 1]), float(found.error[1, 0])],
        "seconds": round(time.process_time() - began, 1),
    }


def extrapolated(n_atoms: NDArray[np.float64], gap: NDArray[np.float64]) -> dict[str, Any]:
    """S from the largest N: with 1/N as the correction; its error by higher orders and without the largest N.

    ``power`` is that of N in front if it is fitted besides: escapes over a saddle have none.
    """
    y = -np.log(gap)

    def through(columns: list[NDArray[np.float64]], leave_out: int = 0) -> NDArray[np.float64]:
        design = np.stack([n_atoms, np.ones_like(n_atoms), *columns], axis=1)
        last = len(y) - leave_out
        rows = slice(last - design.shape[1], last)
        found: NDArray[np.float64] = np.linalg.solve(design[rows], y[rows])
        return found

    fits = [float(through([n_atoms**power for power in powers])[0]) for powers in CORRECTIONS]
    with_power = through([np.log(n_atoms), 1 / n_atoms])
    others = [*fits[1:], through([1 / n_atoms], 1)[0], with_power[0]]
    return {
        "action": fits[0],
        "error": float(abs(np.array(others) - fits[0]).max()),
        "power": -float(with_power[2]),
        "last_slope": float((y[-1] - y[-2]) / (n_atoms[-1] - n_atoms[-2])),
        "plain": float(y[-1] / n_atoms[-1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/data/gap_exponents.json"))
    options = parser.parse_args()
    results: dict[str, Any] = json.loads(options.output.read_text()) if options.output.exists() else {}
    for name, (model, atoms) in POINTS.items():
        one = results.setdefault(name, {"model": json.loads(model.json()), "gaps": []})
        for method in ("exact", "truncated_wigner"):
            if method not in one:
                one[method] = [instanton(model, start, method).action.item() for start in ("normal", "superradiant")]  # type: ignore[arg-type]
        for n_atoms in atoms:
            if all(gap["n_atoms"] != n_atoms for gap in one["gaps"]):
                one["gaps"].append(gaps(model.replace(n_atoms=n_atoms)))
                options.output.write_text(json.dumps(results, indent=1) + "\n")
        n = np.array([float(gap["n_atoms"]) for gap in one["gaps"]])
        for parity, column in (("even", 0), ("odd", 1)):
            one[parity] = extrapolated(n, np.array([gap["gap"][column] for gap in one["gaps"]]))
            print(name, parity, one[parity], "exact", one["exact"], "Wigner", one["truncated_wigner"], flush=True)
    options.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
