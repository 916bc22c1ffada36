"""Truncated Wigner and Gaussian trajectories next to fast cavities: steps that resolve it, and steps of the spin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.timing import interleaved, table
from opendicke import DickeModel, GaussianTrajectories, SpinCoherent, TruncatedWigner
from opendicke.methods.gaussian_trajectories import GaussianSimulator
from opendicke.methods.truncated_wigner import WignerSimulator
from opendicke.problem import Problem

UNTIL, ROUNDS = 10.0, 9
#: Gaussian steps that the spin sets do not settle where the cavity is no faster than it.
FREQUENCIES = {"wigner": (2.5, 25.0, 250.0, 2500.0), "gaussian": (25.0, 250.0, 2500.0)}


def simulator(which: str, omega_c: float, fast: bool) -> WignerSimulator | GaussianSimulator:
    """N = 10⁵, κ = 0.5 ω_a, 1.2 times the critical coupling, from near the south pole."""
    free = DickeModel.balanced(n_atoms=10**5, omega_a=1.0, omega_c=omega_c, kappa=0.5, coupling=0.0)
    model = free.replace(g_minus=0.6 * free.critical_coupling, g_plus=0.6 * free.critical_coupling)
    problem = Problem(model, SpinCoherent(np.pi - 0.05, 0.0), np.linspace(0.0, UNTIL, 11))
    if which == "wigner":
        return WignerSimulator(problem, TruncatedWigner(1, seed=1, fast_cavity=fast))
    return GaussianSimulator(problem, GaussianTrajectories(1, seed=1, fast_cavity=fast))


def costs(which: str) -> None:
    """Milliseconds per trajectory, and steps."""
    rows = []
    for omega_c in FREQUENCIES[which]:
        both = [simulator(which, omega_c, fast) for fast in (False, True)]
        works: list[Callable[[], object]] = [lambda one=one: one(0) for one in both]  # type: ignore[misc]
        slow, quick = 1e3 * np.median(interleaved(works, ROUNDS), axis=0)
        counts = [one.steps.size for one in both]
        rows.append([f"{omega_c:g}", f"{slow:.2f}", counts[0], f"{quick:.2f}", counts[1], f"{slow / quick:.2g}"])
    table(["ω_c/ω_a", "ms, resolved", "steps", "ms, fast_cavity", "steps", "gain"], rows)


def main() -> None:
    """Both tables."""
    for which in FREQUENCIES:
        print(f"\n{which}\n")
        costs(which)


if __name__ == "__main__":
    main()
