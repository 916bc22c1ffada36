r"""The dressed hierarchy: the field that every spin state makes for itself is transformed away.

With Φ the hierarchy of ``generator``, x = −i/w, w = κ + iω_c, and a number Γ,

.. math:: \Phi = e^{\beta b^\dagger}\tilde\Phi, \qquad \beta = \Gamma + x\Lambda

leaves ψ as it is. Put α_G = α (it shifts the noise), α_D = α_G + Γ, c = <Λ>, A₀ = −ih·S (free precession and drives),
C₀ = A₀, D₀ = Λ†, C_{m+1} = [C_m, Λ], D_{m+1} = [D_m, Λ]. Then

.. math::
    \partial_t\tilde\Phi = \Big[\big(z^* - i\alpha_G^* + \tfrac{c^*}{w}\big)\Lambda + ic^*b - w\,b^\dagger b
    + \sum_m \frac{x^m}{m!} b^{\dagger m}\Big(C_m - i\alpha_D D_m - \tfrac1w D_m\Lambda - iD_m b\Big)
    - q\,b^\dagger - \sum_m \frac{x^m}{(m+1)!} b^{\dagger m+1} Y_m\Big]\tilde\Phi,

    \dot\alpha_G = -w\alpha_G - ic, \qquad \dot\alpha_D = -w\alpha_D + q

with Y₀ = d(xΛ)/dt and Y_{m+1} = [Y_m, Λ], where rates move. There q, a gauge, is the mean of what multiplies b† (but
for the fluctuations' product). The sum is infinite only in name: xΛ is small as 1/√N, and C_{m+2} = λ²C_m, D_{m+2} =
λ²D_m with the number λ² = 4g₋g₊/N. −Λ†Λ/w is the spins' interaction through the cavity and their collective damping, as
adiabatic elimination has them; the levels hold what is beyond that.

Moments of the field need Λ as well: <0|(b + α_G)^m|Φ> = <0|(b + α_D + xΛ)^m|Φ~>. ``undress`` gives levels that can be
read like those of the plain hierarchy, with the field α_D + xc.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import inlined
from opendicke.engine.dressed_kernel import DOWN, LAMBDA, LINEAR, MIX, NUMBER, ORDERS, PRODUCT
from opendicke.engine.window import oscillator_edge

Complex = NDArray[np.complex128]


@inlined
def _operator(ops, row, v1, v2, v3, offset):  # type: ignore[no-untyped-def]
    """v·S' + offset − j v3, where S'_3 = j − n."""
    ops[row, 0], ops[row, 1], ops[row, 2], ops[row, 3] = 0.5 * (v1 + 1j * v2), 0.5 * (v1 - 1j * v2), v3, offset


@inlined
def _cross(a, b):  # type: ignore[no-untyped-def]
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@inlined
def _scaled(factor, v):  # type: ignore[no-untyped-def]
    return factor * v[0], factor * v[1], factor * v[2]


@inlined
def _sum(a, b):  # type: ignore[no-untyped-def]
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


@inlined
def _dot(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@inlined
def _inside(x, y, z, cosine, sine, frame):  # type: ignore[no-untyped-def]
    """A vector of the laboratory in the frame, whose axes are in the picture that precesses about z."""
    u, v = x * cosine + y * sine, y * cosine - x * sine
    return (
        u * frame[0, 0] + v * frame[0, 1] + z * frame[0, 2],
        u * frame[1, 0] + v * frame[1, 1] + z * frame[1, 2],
        u * frame[2, 0] + v * frame[2, 1] + z * frame[2, 2],
    )


@inlined
def response(model):  # type: ignore[no-untyped-def]
    """x = −i/w."""
    w = model[3] ** 2 + model[2] ** 2
    return complex(-model[2] / w, -model[3] / w)


@inlined
def coupling(model, frame, cosine, sine, s1, s2, s3, down, ops):  # type: ignore[no-untyped-def]
    """Λ in the frame, about its mean, into ``ops``; returns its components and the mean."""
    p = _inside(model[4] + 0j, -1j * model[5], 0j, cosine, sine, frame)
    _operator(ops, LAMBDA, p[0], p[1], p[2], p[2] * down - p[0] * s1 - p[1] * s2)
    return p, p[0] * s1 + p[1] * s2 + p[2] * s3


# fmt: off
@inlined
def coefficients(model, feedback, frame, cosine, sine, shift, field, z, s1, s2, s3, down, ops, orders, skew, turn, push,  # type: ignore[no-untyped-def]
                 growth):
    r"""Write the generator's operators to ``ops`` and the frame's derivative to ``turn``.

    Returns dα_G/dt + wα_G and dα_D/dt + wα_D.

    Args:
        model, feedback, frame, cosine, sine, z, s1, s2, s3, down, turn, push: as in ``frame.coefficients``.
        shift, field: α_G and α_D.
        orders: the highest power of b† that is written.
        skew: None if Λ is Hermitian.
        growth: what d(xΛ)/dt has along S^x and S^y.
    """
    j, x, mean = model[0], response(model), (s1 + 0j, s2 + 0j, s3 + 0j)
    one_w = 1j * x
    p, c = coupling(model, frame, cosine, sine, s1, s2, s3, down, ops)
    p_conj = (p[0].conjugate(), p[1].conjugate(), p[2].conjugate())
    kick = _inside(push[0] + 0j, push[1] + 0j, 0j, cosine, sine, frame)
    axis = (frame[0, 2] + 0j, frame[1, 2] + 0j, frame[2, 2] + 0j)
    back = -1j * field - one_w * c

    drive = _sum(_scaled(z - 1j * shift.conjugate(), p), _sum(_scaled(back, p_conj), _scaled(-1j, kick)))
    leap, steady = drive[0] + 1j * drive[1], max(s3, 0.5 * j)
    o1 = -leap.imag - feedback * s2 / steady
    o2 = leap.real + feedback * s1 / steady
    o3 = -drive[2].imag
    for i in range(3):
        turn[0, i] = o3 * frame[1, i] - o2 * frame[2, i]
        turn[1, i] = o1 * frame[2, i] - o3 * frame[0, i]
        turn[2, i] = o2 * frame[0, i] - o1 * frame[1, i]
    _operator(ops, LINEAR, drive[0] + 1j * o1, drive[1] + 1j * o2, drive[2].real + 0j, 0j)
    away = p_conj[2] * down - p_conj[0] * s1 - p_conj[1] * s2
    _operator(ops, DOWN, -1j * p_conj[0], -1j * p_conj[1], -1j * p_conj[2], -1j * away)
    ops[MIX, 0], ops[MIX, 1] = x, 1.0 + 0j

    square, factor, q = model[4] ** 2 - model[5] ** 2, 1.0 + 0j, 0j
    turning = _sum(kick, _scaled(model[1] + 0j, axis))
    commutator = _cross(turning, p)
    after = _sum(_scaled(1j * _dot(turning, p), p), _scaled(-1j * square, turning))
    other = _scaled(2 * model[4] * model[5] + 0j, axis)
    other_after = _scaled(1j, _cross(other, p))
    share, change = 1.0 + 0j, _inside(growth[0], growth[1], 0j, cosine, sine, frame)
    if skew is not None:
        v = _scaled(-1j * x, other)
        _operator(ops, NUMBER, v[0], v[1], v[2], j * v[2])
    for m in range(1, orders + 1):
        factor *= x / m
        u = _scaled(factor, commutator)
        if skew is not None:
            u = _sum(u, _scaled(factor * back, other))
        u = _sum(u, _scaled(-share, change))
        share, change = share * x / (m + 1), _scaled(1j, _cross(change, p))
        if m == 1:
            q = _dot(u, mean)
            _operator(ops, LINEAR + 1, u[0], u[1], u[2], u[2] * down - u[0] * s1 - u[1] * s2)
        else:
            _operator(ops, LINEAR + m, u[0], u[1], u[2], j * u[2])
        if skew is not None:
            beside, e = -factor * one_w * _dot(other, mean), _scaled(-factor * one_w, other)
            for column in range(4):
                ops[LINEAR + m, column] += beside * ops[LAMBDA, column]
            _operator(ops, PRODUCT + m, e[0], e[1], e[2], e[2] * down - e[0] * s1 - e[1] * s2)
            v = _scaled(-1j * factor * x / (m + 1), other_after)
            _operator(ops, NUMBER + m, v[0], v[1], v[2], j * v[2])
        commutator, after = after, _scaled(square + 0j, commutator)
        other, other_after = other_after, _scaled(square + 0j, other)
    return -1j * c, q
# fmt: on


@inlined
def enough_orders(model, field, push, room):  # type: ignore[no-untyped-def]
    r"""The highest power of b† that drives a level above ``room``; ORDERS if there is none below that.

    Term m drives level m, which turns and decays with mw, at a rate below :math:`R\,|x\lambda|^m N/(2\sqrt{m!})`, with
    R that at which H_s and, where Λ is not Hermitian, the field turn the spins.
    """
    w, coupling = math.sqrt(model[2] ** 2 + model[3] ** 2), math.sqrt(model[4] ** 2 + model[5] ** 2)
    rate = abs(model[1]) + abs(push[0]) + abs(push[1])
    if model[5] != 0:
        rate += coupling * (abs(field) + 2 * coupling * model[0] / w)
    size, order = rate / w * model[0], 0
    while order < ORDERS and (order < 1 or size > room):
        order += 1
        size *= coupling / w / math.sqrt(order) * (1.0 if order == 1 else (order - 1.0) / order)
    return order


@inlined
def _size(ops, row, half, states):  # type: ignore[no-untyped-def]
    """Bound of an operator's norm; ``half``: of that of S'_-."""
    low, high = abs(ops[row, 3]), abs(ops[row, 3] - ops[row, 2] * (states - 1))
    return (abs(ops[row, 0]) + abs(ops[row, 1])) * half + max(low, high)


@inlined
def stiffness(model, ops, orders, skew, states, levels):  # type: ignore[no-untyped-def]
    """Bound of the generator's norm on the window, without the damping −wk (which is integrated exactly).

    Levels fall off as powers of some s; with Φ_k/s^k in place of Φ_k the norm is smallest.
    """
    half = 0.5 * min(math.sqrt(2 * model[0]) * oscillator_edge(states), 2 * model[0])
    inner = _size(ops, LAMBDA, half, states)
    total = _size(ops, LINEAR, half, states) + abs(ops[MIX, 0]) * _size(ops, DOWN, half, states) * inner
    down, fall, power = _size(ops, DOWN, half, states), 1.0, 1.0
    for m in range(1, orders + 1):
        up = _size(ops, LINEAR + m, half, states)
        if skew is not None:
            up += _size(ops, PRODUCT + m, half, states) * inner
        if m == 1:
            if up > 0 and down > 0:
                fall = math.sqrt(up / down)
            total += 0.5 * oscillator_edge(levels) * (fall * down + up / fall)
        power *= math.sqrt(levels) / fall
        if m > 1:
            total += power * up
        if skew is not None:
            total += power * math.sqrt(levels) * fall * _size(ops, NUMBER + m - 1, half, states)
    return total
