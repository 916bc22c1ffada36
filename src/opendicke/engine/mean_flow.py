r"""The flow of a classical spin coupled to a damped complex amplitude, its tangent flow and a section through it.

.. math::
    \dot m = B\times m,\quad B = (2Gu, -2Dv, \omega_a),\qquad
    \dot u = -\kappa u + \omega_cv - Dm_y,\quad \dot v = -\kappa v - \omega_cu - Gm_x

A state is (m_x, m_y, m_z, u, v); parameters are (ω_a, ω_c, κ, G, D). Steps are classical Runge–Kutta steps of fixed
length, after which m is put back to length 1/2; how much that changed it measures the error of the step.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined

Vector = NDArray[np.float64]


@inlined
def derivative(parameters: Vector, y: Vector, out: Vector) -> None:
    """The flow at ``y``, into ``out``."""
    omega_a, omega_c, kappa, g_sum, g_difference = parameters
    b_x, b_y = 2 * g_sum * y[3], -2 * g_difference * y[4]
    out[0] = b_y * y[2] - omega_a * y[1]
    out[1] = omega_a * y[0] - b_x * y[2]
    out[2] = b_x * y[1] - b_y * y[0]
    out[3] = -kappa * y[3] + omega_c * y[4] - g_difference * y[1]
    out[4] = -kappa * y[4] - omega_c * y[3] - g_sum * y[0]


@compiled
def velocity(parameters: Vector, y: Vector, out: Vector) -> None:
    """The flow at ``y``, into ``out``, for Python to call."""
    derivative(parameters, y, out)


@inlined
def tangent_derivative(parameters: Vector, y: Vector, d: Vector, out: Vector) -> None:
    """The linearised flow at ``y`` of a small deviation ``d``, into ``out``."""
    derivative(parameters, d, out)
    # derivative() of the deviation has δB × δm + (0, 0, ω_a) × δm; the products are due to B × δm + δB × m instead.
    _, _, _, g_sum, g_difference = parameters
    b_x, b_y = 2 * g_sum * y[3], -2 * g_difference * y[4]
    e_x, e_y = 2 * g_sum * d[3], -2 * g_difference * d[4]
    out[0] += (b_y - e_y) * d[2] + e_y * y[2]
    out[1] += -(b_x - e_x) * d[2] - e_x * y[2]
    out[2] += (b_x - e_x) * d[1] - (b_y - e_y) * d[0] + e_x * y[1] - e_y * y[0]


@inlined
def runge_kutta(parameters: Vector, y: Vector, d: Vector, step: float, work: Vector) -> float:
    """One step of the state ``y`` and of the deviation ``d`` (left alone if it has length 0), both in place.

    ``work`` has shape (6, 5). Returns the relative error of the spin's length that the step made.
    """
    k, trial, total, k_d, trial_d, total_d = work[0], work[1], work[2], work[3], work[4], work[5]
    follow = d.shape[0] > 0
    for i in range(5):
        total[i], total_d[i], trial[i] = 0.0, 0.0, y[i]
        if follow:
            trial_d[i] = d[i]
    for stage in range(4):
        derivative(parameters, trial, k)
        if follow:
            tangent_derivative(parameters, trial, trial_d, k_d)
        weight = step / 6 if stage == 0 or stage == 3 else step / 3
        ahead = step if stage == 2 else step / 2
        for i in range(5):
            total[i] += weight * k[i]
            trial[i] = y[i] + ahead * k[i]
        if follow:
            for i in range(5):
                total_d[i] += weight * k_d[i]
                trial_d[i] = d[i] + ahead * k_d[i]
    for i in range(5):
        y[i] += total[i]
    if follow:
        for i in range(5):
            d[i] += total_d[i]
    length = 2 * math.sqrt(y[0] * y[0] + y[1] * y[1] + y[2] * y[2])
    for i in range(3):
        y[i] /= length
    return abs(length - 1)


@compiled
def advance(parameters: Vector, states: Vector, step: float, steps: int) -> float:
    """Move every state (rows of ``states``, in place) by ``steps`` steps. Returns the largest error of a step."""
    work, nothing = np.zeros((6, 5)), np.zeros(0)
    worst = 0.0
    for row in range(states.shape[0]):
        for _ in range(steps):
            # Not max(): a NaN must win.
            error = runge_kutta(parameters, states[row], nothing, step, work)
            if not error <= worst:
                worst = error
    return worst


@compiled
def growth(parameters: Vector, y: Vector, d: Vector, step: float, steps: int, out: Vector) -> float:
    """Logarithms, into ``out``, of how much the deviation ``d`` grows in each of out.size blocks of ``steps`` steps.

    ``y`` and ``d`` move in place; after each block ``d`` is made orthogonal to the spin and put back to length 1.
    Returns the largest error of a step.
    """
    work = np.zeros((6, 5))
    worst = 0.0
    for block in range(out.size):
        for _ in range(steps):
            error = runge_kutta(parameters, y, d, step, work)
            if not error <= worst:
                worst = error
        along = 4 * (d[0] * y[0] + d[1] * y[1] + d[2] * y[2])
        for i in range(3):
            d[i] -= along * y[i]
        size = math.sqrt((d * d).sum())
        out[block] = math.log(size)
        d /= size
    return worst


@compiled
def maxima(parameters: Vector, y: Vector, step: float, steps: int, times: Vector, states: Vector) -> int:
    """The next maxima of m_z along the orbit of ``y``: their times and states, into ``times`` and ``states``.

    At most ``steps`` steps are made, and at most times.size maxima kept. Returns how many were found. Each is refined
    by a step of part length, found by the Illinois variant of false position on the derivative of m_z.
    """
    work, nothing = np.zeros((6, 5)), np.zeros(0)
    slope, before, trial = np.zeros(5), np.zeros(5), np.zeros(5)
    found = 0
    derivative(parameters, y, slope)
    old = slope[2]
    for count in range(steps):
        for i in range(5):
            before[i] = y[i]
        runge_kutta(parameters, y, nothing, step, work)
        derivative(parameters, y, slope)
        new = slope[2]
        if old > 0 and new <= 0:
            low, high, at_low, at_high, side = 0.0, step, old, new, 0
            part = step
            for _ in range(40):
                part = (low * at_high - high * at_low) / (at_high - at_low)
                for i in range(5):
                    trial[i] = before[i]
                runge_kutta(parameters, trial, nothing, part, work)
                derivative(parameters, trial, slope)
                value = slope[2]
                if abs(value) < 1e-14 * (abs(old) + abs(new)) or high - low < 1e-14 * step:
                    break
                if value > 0:
                    low, at_low = part, value
                    at_high = at_high / 2 if side == 1 else at_high
                    side = 1
                else:
                    high, at_high = part, value
                    at_low = at_low / 2 if side == -1 else at_low
                    side = -1
            times[found] = count * step + part
            for i in range(5):
                states[found, i] = trial[i]
            found += 1
            if found == times.size:
                return found
        old = new
    return found
