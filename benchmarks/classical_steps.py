"""Truncated Wigner next to fast cavities: steps that resolve the cavity, and steps that the spin sets."""

from __future__ import annotations

import numpy as np

from benchmarks.timing import interleaved, table
from opendicke import DickeModel, SpinCoherent, TruncatedWigner
from opendicke.methods.truncated_wigner import WignerSimulator
from opendicke.problem import Problem

UNTIL, ROUNDS = 10.0, 9


def simulator(omega_c: float, fast: bool) -> WignerSimulator:
    """N = 10⁵, κ = 0.5 ω_a, 1.2 times the critical coupling, from near the south pole."""
    free = DickeModel.balanced(n_atoms=10**5, omega_a=1.0, omega_c=omega_c, kappa=0.5, coupling=0.0)
    model = free.replace(g_minus=0.6 * free.critical_coupling, g_plus=0.6 * free.critical_coupling)
    problem = Problem(model, SpinCoherent(np.pi - 0.05, 0.0), np.linspace(0.0, UNTIL, 11))
    return WignerSimulator(problem, TruncatedWigner(1, seed=1, fast_cavity=fast))


def main() -> None:
    """Milliseconds per trajectory, and steps."""
    rows = []
    for omega_c in (2.5, 25.0, 250.0, 2500.0):
        both = [simulator(omega_c, fast) for fast in (False, True)]
        works = [lambda one=one: one(0) for one in both]  # type: ignore[misc]
        slow, quick = 1e3 * np.median(interleaved(works, ROUNDS), axis=0)
        counts = [one.steps.size for one in both]
        rows.append([f"{omega_c:g}", f"{slow:.2f}", counts[0], f"{quick:.2f}", counts[1], f"{slow / quick:.2g}"])
    table(["ω_c/ω_a", "ms, resolved", "steps", "ms, fast_cavity", "steps", "gain"], rows)


if __name__ == "__main__":
    main()
