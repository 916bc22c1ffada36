r"""The dressed hierarchy's generator on the window: operators that are linear in the spin, and products of two.

.. math::
    (G\Phi)_k = B\,\big(\zeta\,\Lambda\Phi_k + \sigma\sqrt{k+1}\,\Phi_{k+1}\big)
    + \sum_{m=0}^{\text{orders}} \sqrt{k!/l!}\,\big[(U_m + l\,V_m)\,\Phi_l + E_m\,\Lambda\,\Phi_l\big], \qquad l = k - m

B, U, V, E and Λ are tridiagonal in n, each given by four complex numbers (lower, upper, slope, offset): on |j, j−n> it
is lower·S'_- + upper·S'_+ + offset − slope·n. They are the rows of ``ops``: ``LAMBDA``, ``DOWN`` (B), ``LINEAR`` + m
(U), ``NUMBER`` + m (V, of b†^m b†b) and ``PRODUCT`` + m (E, m > 0); row ``MIX`` holds ζ and σ. In the equation at one
moment ζ = −i/w and σ = 1, so that Bζ is −(Λ† − <Λ†>)/w. With ``skew`` None there are no V and no E: they vanish where
Λ is Hermitian. ``dressing.coefficients`` writes all for one moment; averages over a longer time do as well. The damping
−wk is not part of G.

The layout of Φ is that of ``generator``: [k][re, im][n], with a block of zeros on both sides of each row. Work is done
in tiles of n; ``workspace`` gives the memory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from opendicke.engine.compile import inlined
from opendicke.engine.stages import FIRST, LAST, THIRD

#: Powers of b† that there is room for, 0 included.
ORDERS = 24
#: Rows of ``ops``.
LAMBDA, DOWN, MIX, LINEAR, NUMBER, PRODUCT = 0, 1, 2, 3, 3 + ORDERS, 3 + 2 * ORDERS
OPERATORS = 3 + 3 * ORDERS

#: States that are worked on at a time, and the distance of the rows of ``work``, which LLVM so knows.
TILE, ROW_LENGTH = 128, 144
ROW, ONE = np.uintp(ROW_LENGTH), np.uintp(1)
#: Rows of ``work``: ΛΦ_k, what B acts on, the force on each level, and, behind those, six rows for each operator, the
#: elements below and above the diagonal and on it. Column i of a row is the state n = first + i − EDGE.
IMAGE, MIXED, FORCE = 0, 2, 4
EDGE, WEIGHTS = 2, 6


def workspace(dtype: DTypeLike, capacity: int) -> NDArray[np.floating]:
    """Memory for the kernel on so many levels."""
    return np.zeros((FORCE + 2 * capacity + WEIGHTS * OPERATORS) * ROW_LENGTH, dtype=dtype)


@inlined
def _weigh(work, at, ops, which, first, size, root_n):  # type: ignore[no-untyped-def]
    """The elements of an operator for the states first − 1 … first + size, into the rows from ``at`` on."""
    number = work.dtype.type
    lr, li, ur, ui = (number(ops[which, 0].real), number(ops[which, 0].imag), number(ops[which, 1].real),
                      number(ops[which, 1].imag))  # fmt: skip
    gr, gi, dr, di = (number(ops[which, 2].real), number(ops[which, 2].imag), number(ops[which, 3].real),
                      number(ops[which, 3].imag))  # fmt: skip
    row, root = np.uintp(at * ROW_LENGTH), np.uintp(first)
    a2 = row + ROW + ROW
    a4 = a2 + ROW + ROW
    for i in range(ONE + ONE, np.uintp(size + EDGE + 1)):
        below, above = root_n[root + i - ONE - ONE], root_n[root + i - ONE]
        work[row + i], work[row + ROW + i], work[a2 + i], work[a2 + ROW + i] = (
            lr * below,
            li * below,
            ur * above,
            ui * above,
        )
    for i in range(ONE, np.uintp(size + EDGE + 1)):
        n = number(np.intp(i)) + number(first - EDGE)
        work[a4 + i], work[a4 + ROW + i] = dr - gr * n, di - gi * n
    below, above = root_n[max(first - 1, 0)], root_n[first]
    work[row + ONE], work[row + ROW + ONE], work[a2 + ONE], work[a2 + ROW + ONE] = (
        lr * below,
        li * below,
        ur * above,
        ui * above,
    )


@inlined
def _element(work, at, vector, re, im, i):  # type: ignore[no-untyped-def]
    """Element i of the operator in row ``at`` on the vector with parts that begin at ``re`` and ``im``."""
    a2 = at + ROW + ROW
    a4 = a2 + ROW + ROW
    br, bi, ar, ai, dr, di = (
        work[at + i],
        work[at + ROW + i],
        work[a2 + i],
        work[a2 + ROW + i],
        work[a4 + i],
        work[a4 + ROW + i],
    )
    ur, pr, vr = vector[re + i - ONE], vector[re + i], vector[re + i + ONE]
    ui, pi, vi = vector[im + i - ONE], vector[im + i], vector[im + i + ONE]
    return (br * ur - bi * ui + ar * vr - ai * vi + dr * pr - di * pi,
            br * ui + bi * ur + ar * vi + ai * vr + dr * pi + di * pr)  # fmt: skip


@inlined
def _mix(work, operator, source, here, above, stride, zeta, s, size, skew):  # type: ignore[no-untyped-def]
    """ΛΦ_k, and ζΛΦ_k + sΦ_{k+1}, on the states first − 1 … first + size."""
    number = work.dtype.type
    zr, zi, sr, si = number(zeta.real), number(zeta.imag), number(s.real), number(s.imag)
    at, re, up, im = np.uintp(operator * ROW_LENGTH), np.uintp(here), np.uintp(above), np.uintp(stride)
    image, mixed = np.uintp(IMAGE * ROW_LENGTH), np.uintp(MIXED * ROW_LENGTH)
    for i in range(ONE, np.uintp(size + EDGE + 1)):
        yr, yi = _element(work, at, source, re, re + im, i)
        pr, pi = source[up + i], source[up + im + i]
        if skew is not None:
            work[image + i], work[image + ROW + i] = yr, yi
        work[mixed + i] = zr * yr - zi * yi + sr * pr - si * pi
        work[mixed + ROW + i] = zr * yi + zi * yr + sr * pi + si * pr


@inlined
def _add(work, to, operator, factor, vector, re, im, size):  # type: ignore[no-untyped-def]
    """Add ``factor`` times an operator on a vector to the force in row ``to``."""
    f, at, scale = np.uintp(to * ROW_LENGTH), np.uintp(operator * ROW_LENGTH), work.dtype.type(factor)
    re, im = np.uintp(re), np.uintp(im)
    for i in range(ONE + ONE, np.uintp(size + EDGE)):
        xr, xi = _element(work, at, vector, re, im, i)
        work[f + i] += scale * xr
        work[f + ROW + i] += scale * xi


@inlined
def _forces(work, source, first, size, levels, stride, root_n, root_k, ops, orders, skew):  # type: ignore[no-untyped-def]
    """GΦ of the states first … first + size − 1 on all levels, into the rows from ``FORCE`` on."""
    width = 64 // source.itemsize
    weights = FORCE + 2 * levels
    for i in range(FORCE * ROW_LENGTH, weights * ROW_LENGTH):
        work[i] = 0
    linear, own = 2, orders + 1  # slots of the weights: Λ, B, and then all U, all V, all E
    for slot in range(linear + (own if skew is None else 3 * own)):
        which = slot if slot < linear else LINEAR + (slot - linear) // own * ORDERS + (slot - linear) % own
        _weigh(work, weights + WEIGHTS * slot, ops, which, first, size, root_n)
    for level in range(levels):
        here = width + first + 2 * level * stride - EDGE
        more = level + 1 < levels
        s = ops[MIX, 1] * float(root_k[level + 1]) if more else 0j
        _mix(work, weights, source, here, here + 2 * stride if more else here, stride, ops[MIX, 0], s, size, skew)
        factor = 1.0
        for m in range(min(own, levels - level)):
            if m > 0:
                factor *= root_k[level + m]
            # U_m on Φ; B on what is mixed, for m = 0, E_m on ΛΦ for all others; V_m on Φ
            for part in range(2 if m == 0 and skew is None else (1 if skew is None else (2 if level == 0 else 3))):
                slot, scale = linear + m, factor
                vector, re, im = source, here, here + stride
                if part == 1:
                    slot = 1 if m == 0 else linear + 2 * own + m
                    row = MIXED if m == 0 else IMAGE
                    vector, re, im = work, row * ROW_LENGTH, (row + 1) * ROW_LENGTH
                elif part == 2:
                    slot, scale = linear + own + m, factor * level
                _add(work, FORCE + 2 * (level + m), weights + WEIGHTS * slot, scale, vector, re, im, size)


@inlined
def generate(source, out, blocks, levels, stride, root_n, root_k, ops, orders, skew, work):  # type: ignore[no-untyped-def]
    """out = GΦ on the window; ``out`` is another array than ``source``."""
    width = 64 // source.itemsize
    for first in range(0, blocks * width, TILE):
        size = min(TILE, blocks * width - first)
        _forces(work, source, first, size, levels, stride, root_n, root_k, ops, orders, skew)
        for level in range(levels):
            at, im = np.uintp(width + first + 2 * level * stride), np.uintp(stride)
            force = np.uintp((FORCE + 2 * level) * ROW_LENGTH + EDGE)
            for i in range(np.uintp(size)):
                out[at + i] = work[force + i]
                out[at + im + i] = work[force + ROW + i]


# fmt: off
@inlined
def dressed_sweep(stage, source, phi, t2, t3, out, h, blocks, levels, stride, root_n, root_k, decay, ops, orders, skew,  # type: ignore[no-untyped-def]
                  later, work):
    """One stage of a Runge–Kutta step of length h, as ``generator.sweep`` makes it, with G as above."""
    width = 64 // source.itemsize
    factor = source.dtype.type(0.5 * h if stage < THIRD else (h if stage < LAST else h / 6))
    for first in range(0, blocks * width, TILE):
        size = min(TILE, blocks * width - first)
        _forces(work, source, first, size, levels, stride, root_n, root_k, ops, orders, skew)
        for k in range(levels):
            at, force = width + first + 2 * k * stride, (FORCE + 2 * k) * ROW_LENGTH + EDGE
            er, ei = decay[2 * k], decay[2 * k + 1]
            fr, fi = decay[later + 2 * k], decay[later + 2 * k + 1]
            if stage == LAST:
                _last(er, ei, fr, fi, factor, work, force, phi, t2, t3, source, at, stride, size)
            else:
                _early(stage, er, ei, fr, fi, factor, work, force, phi, out, at, stride, size)
# fmt: on


@inlined
def _early(stage, er, ei, fr, fi, factor, work, force, phi, out, start, stride, size):  # type: ignore[no-untyped-def]
    """The first three stages' combination of the force with Φ, on one level."""
    at, im, f = np.uintp(start), np.uintp(stride), np.uintp(force)
    one, zero = work.dtype.type(1), work.dtype.type(0)
    # F(EΦ + …) in the third stage, E(Φ + …) in the first, EΦ + … in the second
    before_r, before_i = (er, ei) if stage != FIRST else (one, zero)
    after_r, after_i = (er, ei) if stage == FIRST else ((fr, fi) if stage == THIRD else (one, zero))
    for n in range(np.uintp(size)):
        qr, qi = phi[at + n], phi[at + im + n]
        sr = before_r * qr - before_i * qi + factor * work[f + n]
        si = before_r * qi + before_i * qr + factor * work[f + ROW + n]
        out[at + n], out[at + im + n] = after_r * sr - after_i * si, after_r * si + after_i * sr


@inlined
def _last(er, ei, fr, fi, factor, work, force, phi, t2, t3, t4, start, stride, size):  # type: ignore[no-untyped-def]
    """The last stage's combination, written over Φ, on one level."""
    at, im, f = np.uintp(start), np.uintp(stride), np.uintp(force)
    third, two = work.dtype.type(1.0 / 3), work.dtype.type(2)
    for n in range(np.uintp(size)):
        i, k = at + n, at + im + n
        sr = t2[i] + two * t3[i] - (er * phi[i] - ei * phi[k])
        si = t2[k] + two * t3[k] - (er * phi[k] + ei * phi[i])
        work[f + n] = third * (t4[i] + fr * sr - fi * si) + factor * work[f + n]
        work[f + ROW + n] = third * (t4[k] + fr * si + fi * sr) + factor * work[f + ROW + n]
    for n in range(np.uintp(size)):
        phi[at + n] = work[f + n]
        phi[at + im + n] = work[f + ROW + n]
