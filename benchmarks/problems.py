"""What is simulated: Fig. 1's model and initial state, at any N."""

from __future__ import annotations

import numpy as np

from opendicke import DickeModel, NuHOPS, SpinCoherent
from opendicke.methods.hierarchy import NuHOPSSimulator
from opendicke.problem import Problem

STATE = SpinCoherent(theta=np.pi / 4, phi=np.pi)
#: g₋ and g₊ as multiples of the balanced coupling; the mean coupling is the same in both.
COUPLINGS = {"balanced": (1.0, 1.0), "unbalanced": (1.5, 0.5)}


def model(n_atoms: int, coupling: str = "balanced") -> DickeModel:
    """ω_a = 1, ω_c = 2.5, κ = 0.5, and 1.4 times the critical coupling of the balanced model."""
    free = DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=0.0)
    half = 0.7 * free.critical_coupling
    minus, plus = COUPLINGS[coupling]
    return free.replace(g_minus=minus * half, g_plus=plus * half)


def simulator(n_atoms: int, until: float, coupling: str = "balanced") -> NuHOPSSimulator:
    """Trajectories up to time ``until``, recorded ten times per unit of time, at default accuracy."""
    times = np.linspace(0.0, until, round(10 * until) + 1)
    options = NuHOPS(trajectories=1, seed=1)
    return NuHOPSSimulator(Problem(model(n_atoms, coupling), STATE, times), options)
