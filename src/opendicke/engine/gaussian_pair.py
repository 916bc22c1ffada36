r"""Gaussian trajectories of one spin and one mode with constant, real rates.

The hierarchy vector of a trajectory is, in a spin frame with :math:`S'_- \approx \sqrt N c^\dagger`,

.. math:: |\Phi\rangle = \exp(\tfrac12xc^{\dagger2} + yc^\dagger b^\dagger + \tfrac12ub^{\dagger2}
          + qb^\dagger)|0\rangle

With :math:`\Lambda = \lambda\cdot S'`, :math:`\lambda_\pm = \lambda_1\pm i\lambda_2`, :math:`G = \sqrt N/2` and all
that is linear in the spin collected in :math:`c\cdot S'`, the anti-Hermitian part of that only turns the frame. Of the
Hermitian part r = Re c, with d = r₁ + ir₂, :math:`W = -iG\lambda_+^*` and :math:`P = -iG\lambda_-^* + Wx`,

.. math::
    \dot x = 2Py - 2r_3x,\quad \dot y = Pu + Wy^2 - iG(\lambda_+ + \lambda_-x) - (r_3+w)y,\quad
    \dot u = 2y(Wu - iG\lambda_-) - 2wu

    \dot q = y(F - v^*) - wq,\quad F = Gd^* + Wq,\quad R = Gd - iG\lambda_-^*q + xF,\quad
    v = -\frac{R + xR^*}{1-|x|^2}

where v turns the frame so that no term linear in c† comes up, :math:`\Omega'_1 + i\Omega'_2 = -iv/G`. The cavity's
field is that of the mean spin, :math:`\dot\alpha = -w\alpha - i\lambda_3s`, :math:`s = N/2 - |x|^2/(1-|x|^2)`.

The frame is held as the components of the laboratory's x and y axes in it. Noise is the line of ``noise`` in each step;
α, y, u and q decay exactly, all else is the classical Runge–Kutta method. ``gaussian_network`` has all other models.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined
from opendicke.engine.gaussian_moments import Record
from opendicke.engine.noise import NoisePath

#: Largest phase through which rates turn frame or parameters in a substep.
SWING = 1.5
#: Beyond so many there is no use in going on.
MOST = 1e6


class PairFlow:
    """The equations of motion of an everyday model.

    Args:
        n_atoms: N.
        rates: ω_a, and the couplings (g₋ ± g₊)/√N of S^x and S^y.
        w: κ + iω_c.
    """

    def __init__(self, n_atoms: int, rates: tuple[float, float, float], w: complex) -> None:
        self._model = (float(n_atoms), *rates, math.sqrt(n_atoms) / 2)
        self._w = w

    def run(
        self, frame: NDArray[np.float64], amplitude: complex, squeezing: complex, path: NoisePath,
        hits: NDArray[np.int64], moments: int, floor: float = 0.0,
    ) -> tuple[Record, float, int]:  # fmt: skip
        """One trajectory.

        Args:
            frame: axes (rows) of the spin at the start.
            amplitude: α at the start.
            squeezing: u at the start.
            path: the noise.
            hits: for the start and each step's end, where in the answer its values go, or −1.
            moments: length of the answer.
            floor: the mean spin over N at which it ends. There is none, and no norm in the end, below 0.

        Returns:
            The states; the least mean spin over N on the way; and the step at which it ended because that is not above
            ``floor``: what it hits, and all later states, are not filled. Behind the last one if all is well.
        """
        record = Record.empty(moments, 1, 1)
        first, second = (tuple(map(float, axis)) for axis in frame.T[:2])
        start = (*first, *second, 0j, complex(amplitude), 0j, 0j, complex(squeezing))
        step, least = _propagate(
            self._model, self._w, path.steps, path.middle, path.slope, hits, start, floor * self._model[0], record
        )
        return record, least / self._model[0], step


# Below, a state is (X, Y, x, α, y, q, u): three components each of X and Y, the rest complex;
# ``model`` is (N, ω_a, coupling of S_x, coupling of S_y, G).


@compiled
def _propagate(model, w, steps, middle, slope, hits, start, floor, record):  # type: ignore[no-untyped-def]
    """Fill the record; return the step at which it ends (behind the last one if all is well), and the least s."""
    state, least = start, 0.5 * model[0]
    for i in range(steps.size + 1):
        if not least > floor:
            return i, least
        if hits[i] >= 0:
            keep(state, hits[i], record)
        if i == steps.size:
            break
        z, whole = middle[i] - _scaled(0.5 * steps[i], slope[i]), steps[i]
        stage, stages, h, half = 0, 4, whole, 1.0 + 0j
        base = found = trial = state
        while stage < stages:
            kind = stage % 4
            k, spin, rate = _velocity(model, trial, z)
            least = _lower(least, spin)
            if stage == 0:
                substeps = max(math.ceil(whole * rate / SWING), 1) if whole * rate < MOST else 1
                stages, h = 4 * substeps, whole / substeps
                half = np.exp(-0.5 * h * w)
            found = _moved(found, h / 6 if kind == 0 or kind == 3 else h / 3, k)
            if kind == 3:
                base = found = trial = _orthonormal(found)
            else:
                trial = _moved(base, h if kind == 2 else 0.5 * h, k)
            if kind == 0:
                base = _decayed(base, half)
            if kind == 0 or kind == 2:
                found, trial = _decayed(found, half), _decayed(trial, half)
                z += _scaled(0.5 * h, slope[i])
            stage += 1
        state = trial
        least = _lower(least, _spin(model, state))
    return steps.size + 1, least


@inlined
def keep(state, at, record):  # type: ignore[no-untyped-def]
    """Write a state into the record."""
    frames, fields, pairs, shifts = record
    frames[at, 0, 0, 0], frames[at, 0, 1, 0], frames[at, 0, 2, 0] = state[0], state[1], state[2]
    frames[at, 0, 0, 1], frames[at, 0, 1, 1], frames[at, 0, 2, 1] = state[3], state[4], state[5]
    frames[at, 0, 0, 2] = state[1] * state[5] - state[2] * state[4]
    frames[at, 0, 1, 2] = state[2] * state[3] - state[0] * state[5]
    frames[at, 0, 2, 2] = state[0] * state[4] - state[1] * state[3]
    fields[at, 0], shifts[at, 0] = state[7], state[9]
    pairs[at, 0, 0], pairs[at, 1, 1] = state[6], state[10]
    pairs[at, 0, 1] = pairs[at, 1, 0] = state[8]


@inlined
def _scaled(factor, value):  # type: ignore[no-untyped-def]
    """A real factor times a complex number: numba would make the factor complex, and multiply with its zero."""
    return complex(factor * value.real, factor * value.imag)


@inlined
def _size(value):  # type: ignore[no-untyped-def]
    """A bound on the modulus, without a root."""
    return abs(value.real) + abs(value.imag)


@inlined
def _lower(first, second):  # type: ignore[no-untyped-def]
    """The smaller of two numbers; the second if it is none."""
    return first if second >= first else second


@inlined
def _spin(model, state):  # type: ignore[no-untyped-def]
    """The mean spin; −1 (or NaN) if the state has none."""
    square = state[6].real * state[6].real + state[6].imag * state[6].imag
    return 0.5 * model[0] - square / (1 - square) if not square >= 1 else -1.0


@inlined
def _velocity(model, state, z):  # type: ignore[no-untyped-def]
    """The state's derivative but for the decay of α, y, q and u; the mean spin; and how fast all of it turns."""
    omega, gx, gy, g = model[1], model[2], model[3], model[4]
    x1, x2, x3, y1, y2, y3, x, alpha, y, q, u = state
    # c = p X + k Y, but for the precession
    p, k = complex(gx * z.real, gx * (z.imag - 2 * alpha.real)), complex(gy * z.imag, gy * (2 * alpha.imag - z.real))
    d, r3 = complex(p.real * x1 + k.real * y1, p.real * x2 + k.real * y2), p.real * x3 + k.real * y3
    o1, o2, o3 = p.imag * x1 + k.imag * y1, p.imag * x2 + k.imag * y2, p.imag * x3 + k.imag * y3
    spin = _spin(model, state)
    pull = complex(-gy * spin * y3, -gx * spin * x3)
    gx, gy = g * gx, g * gy
    up, down = complex(gx * x1 + gy * y2, gx * x2 - gy * y1), complex(gx * x1 - gy * y2, gx * x2 + gy * y1)
    # −iG times λ₊*, λ₊, λ₋*, λ₋
    w, a = complex(-up.imag, -up.real), complex(up.imag, -up.real)
    b, back = complex(down.imag, -down.real), complex(-down.imag, -down.real)
    wy, f = w * y, _scaled(g, d.conjugate()) + w * q
    r = _scaled(g, d) + b * q + x * f
    v = _scaled(-1 / (1 - x.real * x.real - x.imag * x.imag), r + x * r.conjugate())
    o1, o2, o3 = v.imag / g - o1, -v.real / g - o2, -o3
    push = b + w * x
    dx, dy, du = push * y - _scaled(r3, x), push * u + (wy - r3) * y + a + back * x, wy * u + back * y
    rate = abs(o1) + abs(o2) + abs(o3) + abs(r3) + _size(wy) + _size(b) + 0.5 * _size(w) * (_size(x) + _size(u))
    out = (
        x2 * o3 - x3 * o2 - omega * y1, x3 * o1 - x1 * o3 - omega * y2, x1 * o2 - x2 * o1 - omega * y3,
        y2 * o3 - y3 * o2 + omega * x1, y3 * o1 - y1 * o3 + omega * x2, y1 * o2 - y2 * o1 + omega * x3,
        dx + dx, pull, dy, y * (f - v.conjugate()), du + du,
    )  # fmt: skip
    return out, spin, rate


@inlined
def _moved(state, h, k):  # type: ignore[no-untyped-def]
    """state + h k."""
    return (
        state[0] + h * k[0], state[1] + h * k[1], state[2] + h * k[2],
        state[3] + h * k[3], state[4] + h * k[4], state[5] + h * k[5],
        state[6] + _scaled(h, k[6]), state[7] + _scaled(h, k[7]), state[8] + _scaled(h, k[8]),
        state[9] + _scaled(h, k[9]), state[10] + _scaled(h, k[10]),
    )  # fmt: skip


@inlined
def _decayed(state, part):  # type: ignore[no-untyped-def]
    """A state whose α, y and q are multiplied with ``part``, and u with its square."""
    return (
        state[0], state[1], state[2], state[3], state[4], state[5],
        state[6], part * state[7], part * state[8], part * state[9], part * part * state[10],
    )  # fmt: skip


@inlined
def _orthonormal(state):  # type: ignore[no-untyped-def]
    """The state with X and Y orthonormal again."""
    a1, a2, a3, b1, b2, b3 = state[0], state[1], state[2], state[3], state[4], state[5]
    scale = 1 / math.sqrt(a1 * a1 + a2 * a2 + a3 * a3)
    a1, a2, a3 = scale * a1, scale * a2, scale * a3
    overlap = a1 * b1 + a2 * b2 + a3 * b3
    b1, b2, b3 = b1 - overlap * a1, b2 - overlap * a2, b3 - overlap * a3
    scale = 1 / math.sqrt(b1 * b1 + b2 * b2 + b3 * b3)
    return a1, a2, a3, scale * b1, scale * b2, scale * b3, state[6], state[7], state[8], state[9], state[10]
