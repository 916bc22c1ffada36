"""Whether the cavity's field follows the spins so closely that the dressed hierarchy is the better one."""

from __future__ import annotations

import math

from opendicke import signals
from opendicke.methods.gauge import is_everyday
from opendicke.model import DickeModel

#: How much faster than the spins the cavity must turn for the dressed hierarchy to be taken unasked.
FOLLOWING = 10.0
#: Below this, √N G/|w| photon amplitudes apart, all spin states share a few levels anyway.
APART = 0.1


def field_follows(model: DickeModel) -> bool:
    r"""Whether the dressed hierarchy is the better one.

    .. math:: |\omega_c| > 10 \max(|\omega_a|, \kappa, G^2/|\omega_c|), \qquad \sqrt N G > 0.1\,|\kappa + i\omega_c|,
              \qquad G = |g_-| + |g_+|

    G²/|ω_c| is the rate at which the spins turn in the field that they make. Constant rates in a vacuum only.
    """
    if not is_everyday(model) or dressing_refused(model):
        return False
    coupling = signals.largest(model.g_minus) + signals.largest(model.g_plus)
    fast = abs(model.omega_c)
    follows = fast**2 > FOLLOWING * max(fast * abs(model.omega_a), fast * model.kappa, coupling**2)
    return follows and math.sqrt(model.n_atoms) * coupling > APART * abs(complex(model.kappa, fast))


def dressing_refused(model: DickeModel) -> str:
    """Why the dressed hierarchy cannot be had; empty if it can."""
    if signals.smallest(model.kappa) <= 0:
        return "without damping nothing is forgotten, and the dressed hierarchy keeps too little of what is faint."
    for name in ("omega_c", "kappa", "g_minus", "g_plus"):
        if signals.jumps(getattr(model, name)):
            return f"{name} jumps, and the field that was transformed away does not."
    return ""
