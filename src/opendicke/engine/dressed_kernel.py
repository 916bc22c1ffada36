r"""The dressed hierarchy's generator on the window: operators that are linear in the spin, and products of two.

.. math::
    (G\Phi)_k = \sqrt{k+1}\,B\,\Phi_{k+1}
    + \sum_{m=0}^{\text{orders}} \sqrt{k!/l!}\,\big[(U_m + l\,V_m)\,\Phi_l + E_m\,\Lambda\,\Phi_l\big], \qquad l = k - m

B, U, V, E and Λ are tridiagonal in n, each given by four complex numbers (lower, upper, slope, offset): on |j, j−n> it
is lower·S'_- + upper·S'_+ + offset − slope·n. They are the rows of ``ops``: ``LAMBDA``, ``DOWN`` (B), ``LINEAR`` + m
(U), ``NUMBER`` + m (V, of b†^m b†b) and ``PRODUCT`` + m (E). With ``skew`` None only U_m, B and E_0 are there: V and
the other E vanish where Λ is Hermitian. ``dressing.coefficients`` writes them for one moment; averages over a longer
time do as well. The damping −wk is not part of G.

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
LAMBDA, DOWN, LINEAR, NUMBER, PRODUCT = 0, 1, 2, 2 + ORDERS, 2 + 2 * ORDERS
OPERATORS = 2 + 3 * ORDERS
#: Columns of ``ops``.
LOWER, UPPER, SLOPE, OFFSET = 0, 1, 2, 3

#: States that are worked on at a time, and the distance of the rows of ``work``, which LLVM so knows.
TILE, ROW_LENGTH = 128, 144
ROW, ONE = np.uintp(ROW_LENGTH), np.uintp(1)
#: Rows of ``work``. A vector has eight: itself, its neighbours n − 1 and n + 1 times their weights, and n times itself.
#: Column i of a row is the state n = first + i − EDGE.
VECTOR, IMAGE, BELOW, ABOVE, COUNT, FORCE = 0, 8, 16, 17, 18, 20
EDGE = 2


def workspace(dtype: DTypeLike, capacity: int) -> NDArray[np.floating]:
    """Memory for the kernel on so many levels."""
    return np.zeros((FORCE + 2 * capacity) * ROW_LENGTH, dtype=dtype)


@inlined
def _weights(work, first, size, root_n):  # type: ignore[no-untyped-def]
    """Weights of the states first − 1 … first + size."""
    for i in range(EDGE - 1, size + EDGE + 1):
        n = first + i - EDGE
        work[BELOW * ROW_LENGTH + i] = root_n[n] if n >= 0 else 0
        work[ABOVE * ROW_LENGTH + i] = root_n[n + 1]
        work[COUNT * ROW_LENGTH + i] = n


@inlined
def _parts(work, at, begin, end):  # type: ignore[no-untyped-def]
    """The neighbours of the vector in row ``at``, weighted, and n times itself, for columns begin … end − 1."""
    v, below, above = np.uintp(at * ROW_LENGTH), np.uintp(BELOW * ROW_LENGTH), np.uintp(ABOVE * ROW_LENGTH)
    count = np.uintp(COUNT * ROW_LENGTH)
    for i in range(np.uintp(begin), np.uintp(end)):
        work[v + ROW + ROW + i] = work[below + i] * work[v + i - ONE]
        work[v + ROW + ROW + ROW + i] = work[below + i] * work[v + ROW + i - ONE]
    v4 = v + ROW + ROW + ROW + ROW
    for i in range(np.uintp(begin), np.uintp(end)):
        work[v4 + i] = work[above + i] * work[v + i + ONE]
        work[v4 + ROW + i] = work[above + i] * work[v + ROW + i + ONE]
        work[v4 + ROW + ROW + i] = work[count + i] * work[v + i]
        work[v4 + ROW + ROW + ROW + i] = work[count + i] * work[v + ROW + i]


@inlined
def _add(work, to, at, lower, upper, slope, offset, begin, end, fresh):  # type: ignore[no-untyped-def]
    """Add (or write, if ``fresh``) an operator times the vector in row ``at`` to row ``to``."""
    number = work.dtype.type
    lr, li, ur, ui = number(lower.real), number(lower.imag), number(upper.real), number(upper.imag)
    dr, di, gr, gi = number(offset.real), number(offset.imag), number(-slope.real), number(-slope.imag)
    keep = number(0 if fresh else 1)
    v, f = np.uintp(at * ROW_LENGTH), np.uintp(to * ROW_LENGTH)
    v2 = v + ROW + ROW
    v4, v6 = v2 + ROW + ROW, v2 + ROW + ROW + ROW + ROW
    for i in range(np.uintp(begin), np.uintp(end)):
        pr, pi, ar, ai = work[v + i], work[v + ROW + i], work[v2 + i], work[v2 + ROW + i]
        br, bi, cr, ci = work[v4 + i], work[v4 + ROW + i], work[v6 + i], work[v6 + ROW + i]
        re = lr * ar - li * ai + ur * br - ui * bi + dr * pr - di * pi + gr * cr - gi * ci
        im = lr * ai + li * ar + ur * bi + ui * br + dr * pi + di * pr + gr * ci + gi * cr
        work[f + i] = keep * work[f + i] + re
        work[f + ROW + i] = keep * work[f + ROW + i] + im


@inlined
def _operate(work, to, at, ops, which, factor, size):  # type: ignore[no-untyped-def]
    """Add ``factor`` times an operator on the vector in row ``at`` to row ``to``."""
    _add(work, to, at, factor * ops[which, 0], factor * ops[which, 1], factor * ops[which, 2], factor * ops[which, 3],
         EDGE, size + EDGE, False)  # fmt: skip


@inlined
def _forces(work, source, first, size, levels, stride, root_n, root_k, ops, orders, skew):  # type: ignore[no-untyped-def]
    """GΦ of the states first … first + size − 1 on all levels, into the rows from ``FORCE`` on."""
    width = 64 // source.itemsize
    _weights(work, first, size, root_n)
    for i in range(FORCE * ROW_LENGTH, (FORCE + 2 * levels) * ROW_LENGTH):
        work[i] = 0
    for level in range(levels):
        start, im = np.uintp(width + first + 2 * level * stride - EDGE), np.uintp(stride)
        for i in range(np.uintp(size + 2 * EDGE)):
            work[i] = source[start + i]
            work[ROW + i] = source[start + im + i]
        _parts(work, VECTOR, EDGE - 1, size + EDGE + 1)
        _add(work, IMAGE, VECTOR, ops[LAMBDA, 0], ops[LAMBDA, 1], ops[LAMBDA, 2], ops[LAMBDA, 3],
             EDGE - 1, size + EDGE + 1, True)  # fmt: skip
        _parts(work, IMAGE, EDGE, size + EDGE)
        if level > 0:
            _operate(work, FORCE + 2 * level - 2, VECTOR, ops, DOWN, float(root_k[level]), size)
        factor = 1.0
        for m in range(min(orders + 1, levels - level)):
            if m > 0:
                factor *= root_k[level + m]
            to, u, v = FORCE + 2 * (level + m), LINEAR + m, NUMBER + m
            if skew is None:
                _operate(work, to, VECTOR, ops, u, factor, size)
            else:
                _add(work, to, VECTOR, factor * (ops[u, 0] + level * ops[v, 0]),
                     factor * (ops[u, 1] + level * ops[v, 1]), factor * (ops[u, 2] + level * ops[v, 2]),
                     factor * (ops[u, 3] + level * ops[v, 3]), EDGE, size + EDGE, False)  # fmt: skip
            if m == 0 or skew is not None:
                _operate(work, to, IMAGE, ops, PRODUCT + m, factor, size)


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
