"""Random models and starts, of which few enough atoms are asked that the master equation answers."""

from __future__ import annotations

import numpy as np

import opendicke as od

TIMES = np.array([0.4, 1.0, 2.0, 4.0])
#: tol of the statistical tests: its effect must stay below the statistical error in every combination of variables.
TOL = 1e-5
#: Models of :func:`random_case`, and of :func:`further_case`.
MODELS, FURTHER = 12, 20


def random_case(case: int) -> tuple[od.DickeModel, od.SpinCoherent]:
    """A third of the models has g₊ > 0, a third g₊ < 0, a third is balanced; half start with a cavity amplitude."""
    random = np.random.default_rng(100 + case)
    g_minus, g_plus = random.uniform(-1.2, 1.2, 2)
    model = od.DickeModel(
        n_atoms=(1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 8, 12)[case],
        omega_a=random.uniform(-1.5, 1.5),
        omega_c=random.uniform(-2.5, 2.5),
        kappa=random.uniform(0.05, 1.0),
        g_minus=g_minus,
        g_plus=(abs(g_plus), -abs(g_plus), g_minus)[case % 3],
    )
    alpha = 0j if case % 2 else complex(*random.uniform(-0.8, 0.8, 2))
    return model, od.SpinCoherent(random.uniform(0, np.pi), random.uniform(0, 2 * np.pi), alpha)


def further_case(case: int) -> tuple[od.DickeModel, od.SpinCoherent]:
    """N = 1 … 14; every second one is driven, in thermal light, and has complex couplings (and eight atoms at most)."""
    random = np.random.default_rng(500 + case)
    n_atoms = (1, 2, 3, 4, 5, 6, 7, 8, 9, 4, 10, 3, 11, 6, 12, 8, 13, 5, 14, 7)[case]
    phases = np.exp(2j * np.pi * random.random(4))
    model = od.DickeModel(
        n_atoms=n_atoms,
        omega_a=random.uniform(-1.5, 1.5),
        omega_c=random.uniform(-2.5, 2.5),
        kappa=random.uniform(0.4, 1.0),
        g_minus=random.uniform(0.3, 1.1),
        g_plus=random.uniform(-0.8, 0.8),
    )
    if case % 2:
        model = model.replace(
            g_minus=model.g_minus * phases[0],
            g_plus=model.g_plus * phases[1],
            n_thermal=random.uniform(0.05, 0.3),
            drive=0.4 * phases[2],
            atom_drive=0.3 * phases[3],
        )
    alpha = complex(*random.uniform(-0.6, 0.6, 2)) if case % 3 else 0j
    return model, od.SpinCoherent(random.uniform(0, np.pi), random.uniform(0, 2 * np.pi), alpha)
