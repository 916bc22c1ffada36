r"""The mean-field geometry of the bistable phase: three attractors, the saddles between them, and a coordinate.

Superradiant states s± (the branch SR+ and its mirror image), the normal state n, and the saddles (SR− and its mirror
image) whose stable manifolds part the basins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.analysis.fixed_points import FixedPoint, fixed_point
from opendicke.analysis.tunnelling.walker import Basin
from opendicke.engine.mean_flow import advance
from opendicke.model import DickeModel
from opendicke.states import Normal, SpinCoherent

#: Step of the mean-field look-ahead times the fastest rate; the coordinate needs no more accuracy than this gives.
STEP_TIMES_RATE = 0.25


@dataclass(frozen=True, eq=False)
class Landscape:
    """Attractors and saddle of a bistable model (SR+ and SR− with m_x > 0)."""

    model: DickeModel
    normal: FixedPoint
    superradiant: FixedPoint
    saddle: FixedPoint

    @classmethod
    def of(cls, model: DickeModel) -> Landscape:
        """The landscape of ``model``.

        Raises:
            ValueError: if the model is not in the bistable phase.

        >>> from opendicke.analysis.tunnelling.cut import BISTABLE_CUT
        >>> Landscape.of(BISTABLE_CUT.model(0.688, n_atoms=100)).superradiant.m.round(3)
        array([ 0.376, -0.258, -0.206])
        """
        try:
            points = tuple(fixed_point(model, kind) for kind in ("normal", "SR+", "SR-"))
        except ValueError:
            points = ()
        if not points or not (points[0].is_stable and points[1].is_stable):
            raise checks.refuse("model", "a model in the bistable phase (normal and superradiant state stable)", model)
        return cls(model, *points)

    def state(self, basin: Basin) -> SpinCoherent:
        """The coherent state at an attractor: spin along m, cavity amplitude β√N."""
        if basin == "n":
            return Normal()
        point = self.superradiant if basin == "s+" else self.superradiant.mirror()
        x, y, z = 2 * point.m
        return SpinCoherent(math.acos(z), math.atan2(y, x), point.beta * math.sqrt(self.model.n_atoms))


class LookAhead:
    r"""The reaction coordinate q: where the mean-field flow, without noise, has carried the state after a time τ.

    .. math::
        q = \mathrm{sgn}(m_\perp\cdot e)\;\frac{m_z(\tau) + 1/2}{m_z^{s} + 1/2}

    so that q = 0 at n and ±1 at s±; e is the transverse direction of the saddle with m_x > 0. The flow takes out the
    fast oscillation, which neither helps nor hinders an escape, and sharpens what matters: on which side of the
    separatrix a state is. Any τ gives correct rates; it decides only how much they scatter.

    Args:
        landscape: attractors and saddle.
        tau: how far to look ahead, > 0; None for one over the growth rate at the saddle.
    """

    def __init__(self, landscape: Landscape, tau: float | None = None) -> None:
        model = landscape.model
        self.tau = checks.real("tau", 1 / landscape.saddle.leading if tau is None else tau, above=0.0)
        difference = model.g_minus - model.g_plus
        self._parameters = np.array([model.omega_a, model.omega_c, model.kappa, model.coupling, difference])
        rate = max(abs(landscape.superradiant.eigenvalues).max(), abs(landscape.normal.eigenvalues).max())
        self._steps = math.ceil(self.tau * rate / STEP_TIMES_RATE)
        self._axis = landscape.saddle.m[:2]
        self._scale = 1 / (landscape.superradiant.m[2] + 0.5)
        #: q of the saddle.
        self.saddle = float((landscape.saddle.m[2] + 0.5) * self._scale)

    def __call__(self, looks: NDArray[np.float64]) -> NDArray[np.float64]:
        """q of states (m_x, m_y, m_z, Re β, Im β), shape (looks, 5)."""
        ahead = np.array(looks, dtype=np.float64, order="C")
        advance(self._parameters, ahead, self.tau / self._steps, self._steps)
        q: NDArray[np.float64] = np.copysign((ahead[:, 2] + 0.5) * self._scale, ahead[:, :2] @ self._axis)
        return q
