"""Whether the dressed hierarchy is the better one: the cavity's field follows the spins, and they spread."""

from __future__ import annotations

import math

import numpy as np

from opendicke import signals
from opendicke.methods.gauge import is_everyday, real_couplings
from opendicke.model import DickeModel
from opendicke.states import SpinCoherent, State

#: How much faster than ω_a and κ, and than the spins' turning in their own field, the cavity must turn.
FOLLOWING, TURNING = 10.0, 15.0
#: Fewer atoms are few states anyway.
MANY = 100
#: A cavity that forgets faster than this times the spins' rate keeps them together.
FORGETS = 1.5
#: What spreads are paths that leave a pole: the least growth rate over ω_a, and the largest angle from it.
GROWTH, NEAR = 0.25, 0.3


def field_follows(model: DickeModel, state: State) -> bool:
    r"""Whether the dressed hierarchy is the better one.

    .. math:: |\omega_c| > \max(10|\omega_a|, 10\kappa, 15G^2/|\omega_c|), \qquad
              \kappa < 1.5\max(|\omega_a|, G^2/|\omega_c|), \qquad G = |g_-| + |g_+|

    for 100 atoms and more that start next to a pole and leave it: elsewhere few levels are filled, and a plain one
    costs less. Constant rates in a vacuum only.
    """
    if not is_everyday(model) or dressing_refused(model) or model.n_atoms < MANY:
        return False
    model, _ = real_couplings(model)
    coupling, fast = signals.largest(model.g_minus) + signals.largest(model.g_plus), abs(model.omega_c)
    if fast <= FOLLOWING * max(abs(model.omega_a), model.kappa) or fast**2 <= TURNING * coupling**2:
        return False
    return model.kappa < FORGETS * max(abs(model.omega_a), coupling**2 / fast) and _leaves_a_pole(model, state)


def _leaves_a_pole(model: DickeModel, state: State) -> bool:
    """Whether the spin starts next to a pole, with hardly a photon, and leaves it."""
    if not isinstance(state, SpinCoherent) or state.cavity is not None:
        return False
    if state.theta < math.pi / 2:  # upside down: S_- and S_+ change places
        model = model.replace(omega_a=-model.omega_a, g_minus=model.g_plus, g_plus=model.g_minus)
    near = min(state.theta, math.pi - state.theta) < NEAR and abs(state.alpha) < NEAR * math.sqrt(model.n_atoms)
    return near and _growth(model) > GROWTH * abs(model.omega_a)


def _growth(model: DickeModel) -> float:
    r"""How fast the lower pole is left: S_- ≈ √N b in the equations of a, a*, b, b*, the largest real part."""
    minus, plus = model.g_minus, model.g_plus
    w = complex(model.kappa, model.omega_c)
    rows = np.array([
        [-w, 0, -1j * minus, -1j * plus],
        [0, -w.conjugate(), 1j * plus, 1j * minus],
        [-1j * minus, -1j * plus, -1j * model.omega_a, 0],
        [1j * plus, 1j * minus, 0, 1j * model.omega_a],
    ])  # fmt: skip
    return float(np.linalg.eigvals(rows).real.max())


def dressing_refused(model: DickeModel) -> str:
    """Why the dressed hierarchy cannot be had; empty if it can."""
    if signals.smallest(model.kappa) <= 0:
        return "without damping nothing is forgotten, and the dressed hierarchy keeps too little of what is faint."
    for name in ("omega_c", "kappa", "g_minus", "g_plus"):
        if signals.jumps(getattr(model, name)):
            return f"{name} jumps, and the field that was transformed away does not."
    return ""
