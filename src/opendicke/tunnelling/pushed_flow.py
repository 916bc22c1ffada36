r"""The mean-field flow of a nuHOPS trajectory whose noise, from now on, dies out as it is expected to.

.. math::
    \dot m = B\times m - k''\times m + 2Ck',\qquad \dot\beta = -w\beta - iGm_x - Dm_y,\qquad \dot\zeta = -w^*\zeta

with :math:`\zeta = z^*/\sqrt N`, :math:`k = k' + ik'' = \zeta\,(G, -iD, 0)` and C the covariances of the spin's
components in units of N: what :math:`z^*\Lambda` does to the mean spin. C stays what it is now, since the noise is gone
before it changes by much. Without ζ it is the mean-field flow.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined

Vector = NDArray[np.float64]
#: m_x, m_y, m_z, Re β, Im β, Re ζ, Im ζ.
VARIABLES = 7


@inlined
def derivative(parameters: Vector, y: Vector, covariance: Vector, out: Vector) -> None:
    """The flow at ``y``, into ``out``; parameters are (ω_a, ω_c, κ, G, D)."""
    omega_a, omega_c, kappa, g_sum, g_difference = parameters
    # B − k'' has the third component ω_a, and k' none
    b_x, b_y = 2 * g_sum * y[3] - g_sum * y[6], -2 * g_difference * y[4] + g_difference * y[5]
    k_x, k_y = 2 * g_sum * y[5], 2 * g_difference * y[6]
    out[0] = b_y * y[2] - omega_a * y[1] + covariance[0, 0] * k_x + covariance[0, 1] * k_y
    out[1] = omega_a * y[0] - b_x * y[2] + covariance[1, 0] * k_x + covariance[1, 1] * k_y
    out[2] = b_x * y[1] - b_y * y[0] + covariance[2, 0] * k_x + covariance[2, 1] * k_y
    out[3] = -kappa * y[3] + omega_c * y[4] - g_difference * y[1]
    out[4] = -kappa * y[4] - omega_c * y[3] - g_sum * y[0]
    out[5] = -kappa * y[5] - omega_c * y[6]
    out[6] = -kappa * y[6] + omega_c * y[5]


@inlined
def advance(parameters: Vector, y: Vector, covariance: Vector, step: float, steps: int) -> None:
    """Move ``y``, in place, by ``steps`` Runge–Kutta steps; m is put back to length 1/2 after each."""
    k, trial, total = np.empty(VARIABLES), np.empty(VARIABLES), np.empty(VARIABLES)
    for _ in range(steps):
        for i in range(VARIABLES):
            trial[i], total[i] = y[i], 0.0
        for stage in range(4):
            derivative(parameters, trial, covariance, k)
            weight = step / 6 if stage == 0 or stage == 3 else step / 3
            reach = step if stage == 2 else step / 2
            for i in range(VARIABLES):
                total[i] += weight * k[i]
                trial[i] = y[i] + reach * k[i]
        for i in range(VARIABLES):
            y[i] += total[i]
        length = 2 * math.sqrt(y[0] * y[0] + y[1] * y[1] + y[2] * y[2])
        for i in range(3):
            y[i] /= length


@compiled
def average(
    parameters: Vector, states: Vector, covariances: Vector, step: float, wait: int, points: int, between: int
) -> None:
    """Replace every state (rows) by its average over ``points`` moments, ``wait`` + 1, 2 … times ``between`` steps on.

    ``wait`` is in units of ``between`` too; with one point there is no average.
    """
    total = np.empty(VARIABLES)
    for row in range(states.shape[0]):
        y = states[row]
        for i in range(VARIABLES):
            total[i] = 0.0
        advance(parameters, y, covariances[row], step, wait * between)
        for _ in range(points):
            advance(parameters, y, covariances[row], step, between)
            for i in range(VARIABLES):
                total[i] += y[i]
        for i in range(VARIABLES):
            y[i] = total[i] / points
