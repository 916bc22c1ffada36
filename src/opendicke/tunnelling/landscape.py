r"""The mean-field geometry of the bistable phase: three attractors, the saddles between them, and a coordinate.

Superradiant states s± (the branch SR+ and its mirror image), the normal state n, and the saddles (SR− and its mirror
image) whose stable manifolds part the basins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.model import DickeModel, check_model
from opendicke.phases.fixed_points import FixedPoint, fixed_point
from opendicke.states import Normal, SpinCoherent
from opendicke.tunnelling.pushed_flow import VARIABLES, average
from opendicke.tunnelling.walker import Basin

#: Step of the mean-field look-ahead times the fastest rate; the coordinate needs no more accuracy than this gives.
STEP_TIMES_RATE = 0.25
#: Points of the average over one period of the oscillation.
POINTS = 6


@dataclass(frozen=True, eq=False)
class Landscape:
    """Attractors and saddle of a bistable model, found by :meth:`of`.

    Args:
        model: the model.
        normal: its normal state, stable.
        superradiant: its state SR+ with m_x > 0, stable.
        saddle: its state SR− with m_x > 0, unstable.
    """

    model: DickeModel
    normal: FixedPoint
    superradiant: FixedPoint
    saddle: FixedPoint

    @classmethod
    def of(cls, model: DickeModel) -> Landscape:
        """The landscape of ``model``.

        Raises:
            ValueError: if the model is not in the bistable phase.

        >>> from opendicke.analysis.tunnelling import BISTABLE_CUT
        >>> Landscape.of(BISTABLE_CUT.model(0.688, n_atoms=100)).superradiant.m.round(3)
        array([ 0.376, -0.258, -0.206])
        """
        check_model(model, "a mean-field landscape")
        try:
            points = tuple(fixed_point(model, kind) for kind in ("normal", "SR+", "SR-"))
        except ValueError:
            points = ()
        if not points or not (points[0].is_stable and points[1].is_stable):
            raise checks.refuse("model", "a model in the bistable phase (normal and superradiant state stable)", model)
        return cls(model, *points)

    def state(self, basin: Basin) -> SpinCoherent:
        """The coherent state at an attractor: spin along m, cavity amplitude β√N."""
        checks.choice("basin", basin, ("n", "s+", "s-"))
        if basin == "n":
            return Normal()
        point = self.superradiant if basin == "s+" else self.superradiant.mirror()
        x, y, z = 2 * point.m
        return SpinCoherent(math.acos(z), math.atan2(y, x), point.beta * math.sqrt(self.model.n_atoms))


class LookAhead:
    r"""The reaction coordinate q: where the mean-field flow, without further noise, will carry the mean values.

    .. math::
        q = \mathrm{sgn}(\bar m_\perp\cdot e)\;\frac{\bar m_z + 1/2}{m_z^{s} + 1/2}

    so that q = 0 at n and ±1 at s±; e is the transverse direction of the saddle with m_x > 0. From the normal state
    :math:`\bar m = m(\tau)`, with τ one over the growth rate at the saddle: what oscillates there has died out by then,
    and what matters for an escape, the slow direction towards the saddle, has not. Around a superradiant state the
    oscillation dies out last; :math:`\bar m` is the average of m(t) over its second period, which takes it out.

    The noise of nuHOPS is remembered for 1/κ, so its present value belongs to the state and is let die out in the flow
    (:mod:`.pushed_flow`). Other choices give the same rates; they decide only how much the rates scatter.

    Args:
        landscape: attractors and saddle.
        basin: "n" or "s", the state that is left.
    """

    def __init__(self, landscape: Landscape, basin: Literal["n", "s"]) -> None:
        checks.instance("landscape", landscape, Landscape, "a Landscape, from Landscape.of(model)")
        checks.choice("basin", basin, ("n", "s"))
        model = landscape.model
        difference = model.g_minus - model.g_plus
        self._parameters = np.array([model.omega_a, model.omega_c, model.kappa, model.coupling, difference])
        rate = max(abs(landscape.superradiant.eigenvalues).max(), abs(landscape.normal.eigenvalues).max())
        turning = float(abs(landscape.superradiant.eigenvalues.imag).max())
        periodic = basin == "s" and turning > 0
        between = 2 * math.pi / turning / POINTS if periodic else 1 / landscape.saddle.leading
        steps = math.ceil(between * rate / STEP_TIMES_RATE)
        points = POINTS if periodic else 1
        #: step, points before the average begins, points of the average, steps between them
        self._flow = between / steps, points if periodic else 0, points, steps
        self._axis = landscape.saddle.m[:2]
        self._scale = 1 / (landscape.superradiant.m[2] + 0.5)
        #: q of the saddle.
        self.saddle = float((landscape.saddle.m[2] + 0.5) * self._scale)

    def __call__(
        self,
        looks: NDArray[np.float64],
        noise: NDArray[np.complex128] | None = None,
        covariances: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """q of states (m_x, m_y, m_z, Re β, Im β), shape (looks, 5).

        ``noise`` is z*/√N, shape (looks,), and ``covariances`` those of the spin over N, shape (looks, 3, 3).
        """
        states = np.zeros((len(looks), VARIABLES))
        states[:, :5] = looks
        if noise is not None:
            states[:, 5], states[:, 6] = noise.real, noise.imag
        spread = np.zeros((len(looks), 3, 3)) if covariances is None else covariances
        average(self._parameters, states, spread, *self._flow)
        q: NDArray[np.float64] = np.copysign((states[:, 2] + 0.5) * self._scale, states[:, :2] @ self._axis)
        return q
