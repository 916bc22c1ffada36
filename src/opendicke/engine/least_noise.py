r"""Mean-field motion under a force on the field: the cost of a force, where it leads, and its gradient.

.. math::
    \dot a = -(\kappa + i\omega_c)a - iG\sigma_x - D\sigma_y + w(t),\qquad
    \dot\sigma = (2G\,\mathrm{Re}\,a,\; -2D\,\mathrm{Im}\,a,\; \omega_a)\times\sigma

Truncated Wigner's noise drives the field like this; what a force costs is minus the logarithm of its probability.
"""

from __future__ import annotations

import numpy as np

from opendicke.engine.compile import compiled, inlined
from opendicke.engine.mean_flow import derivative

#: Variables: σ_x, σ_y, σ_z, Re a, Im a, as in ``mean_flow``.
VARIABLES = 5


@inlined
def _pulled_back(parameters, v, push, out):  # type: ignore[no-untyped-def]
    """The transposed Jacobian of the mean-field flow at ``v`` times ``push``."""
    omega_a, omega_c, kappa, g_sum, g_difference = parameters
    b_x, b_y = 2 * g_sum * v[3], -2 * g_difference * v[4]
    out[0] = -g_sum * push[4] + omega_a * push[1] - b_y * push[2]
    out[1] = -g_difference * push[3] - omega_a * push[0] + b_x * push[2]
    out[2] = b_y * push[0] - b_x * push[1]
    out[3] = -kappa * push[3] - omega_c * push[4] + 2 * g_sum * (v[1] * push[2] - v[2] * push[1])
    out[4] = omega_c * push[3] - kappa * push[4] + 2 * g_difference * (v[0] * push[2] - v[2] * push[0])


# Loops over five numbers, not array expressions, which numba takes three times as long to compile.


@inlined
def _step(parameters, start, force, h, stages, rate, end):  # type: ignore[no-untyped-def]
    """One step from ``start`` to ``end``; ``stages`` is filled with the variables where the flow was asked."""
    for stage in range(4):
        reach = h if stage == 3 else 0.5 * h
        for i in range(VARIABLES):
            stages[stage, i] = start[i]
            if stage > 0:
                stages[stage, i] += reach * rate[stage - 1, i]
        derivative(parameters, stages[stage], rate[stage])
        for i in range(2):
            rate[stage, 3 + i] += force[i]
    for i in range(VARIABLES):
        end[i] = start[i] + h / 6 * (rate[0, i] + 2 * rate[1, i] + 2 * rate[2, i] + rate[3, i])


@inlined
def _step_back(parameters, after, h, stages, push, pulled, gradient, before):  # type: ignore[no-untyped-def]
    """The derivatives ``after`` a step carried to ``before`` it, and what the force adds to them to ``gradient``."""
    for i in range(VARIABLES):
        before[i] = after[i]
    for stage in range(3, -1, -1):
        share = h / 6 if stage in (0, 3) else h / 3
        reach = 0.0 if stage == 3 else (h if stage == 2 else 0.5 * h)
        for i in range(VARIABLES):
            push[i] = share * after[i] + reach * pulled[i]
        for i in range(2):
            gradient[i] += push[3 + i]
        _pulled_back(parameters, stages[stage], push, pulled)
        for i in range(VARIABLES):
            before[i] += pulled[i]


@compiled
def pushed(forces, start, target, weight, h, parameters, noise, gradient, path, slopes):  # type: ignore[no-untyped-def]
    r"""Runge–Kutta of fourth order with a force that is constant in every step, and back with the adjoint.

    Args:
        forces: shape (steps, 2), real and imaginary part of w.
        start, target: shape (5,).
        weight: of the squared distance from the target at the end.
        h: length of a step.
        parameters: of the mean-field flow, see ``mean_flow``.
        noise: κ(2n̄ + 1), the strength of the noise.
        gradient: filled with the derivatives of the cost by the forces, shape (steps, 2).
        path: filled with the variables at each time, shape (steps + 1, 5).
        slopes: filled with the derivatives of the cost by the variables at each time, shape (steps + 1, 5).

    Returns:
        cost :math:`\int|w|^2/\text{noise}\,dt + \text{weight}\,|v(T) - \text{target}|^2`.
    """
    steps = forces.shape[0]
    stages, rate = np.empty((steps, 4, VARIABLES)), np.empty((4, VARIABLES))
    push, pulled = np.empty(VARIABLES), np.zeros(VARIABLES)
    for i in range(VARIABLES):
        path[0, i] = start[i]
    cost = 0.0
    for step in range(steps):
        _step(parameters, path[step], forces[step], h, stages[step], rate, path[step + 1])
        cost += h * (forces[step, 0] ** 2 + forces[step, 1] ** 2) / noise
    for i in range(VARIABLES):
        distance = path[steps, i] - target[i]
        cost += weight * distance**2
        slopes[steps, i] = 2 * weight * distance
    for step in range(steps - 1, -1, -1):
        for i in range(2):
            gradient[step, i] = 2 * h * forces[step, i] / noise
        _step_back(parameters, slopes[step + 1], h, stages[step], push, pulled, gradient[step], slopes[step])
    return cost
