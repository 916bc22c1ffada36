"""The kernels in plain loops that LLVM vectorises by itself: slower, and independent of ``simd``.

They compute what ``generator.sweep`` and ``reductions`` compute, from the same arguments.
"""

from __future__ import annotations

import numpy as np

from opendicke.engine.compile import inlined
from opendicke.engine.stages import FIRST, LAST, THIRD


@inlined
def mean_spin(phi, blocks, stride, root_n, j):  # type: ignore[no-untyped-def]
    """See ``reductions.mean_spin``."""
    width = 64 // phi.itemsize
    square, number, raise_r, raise_i = 0.0, 0.0, 0.0, 0.0
    for n in range(blocks * width):
        at = width + n
        pr, pi, vr, vi = phi[at], phi[at + stride], phi[at + 1], phi[at + 1 + stride]
        weight = pr * pr + pi * pi
        square += weight
        number += weight * n
        raise_r += root_n[n + 1] * (pr * vr + pi * vi)
        raise_i += root_n[n + 1] * (pr * vi - pi * vr)
    down = number / square
    return square, raise_r / square, raise_i / square, j - down, down


@inlined
def column_peak(phi, block, levels, stride):  # type: ignore[no-untyped-def]
    """See ``reductions.column_peak``."""
    width = 64 // phi.itemsize
    peak = 0.0
    for k in range(levels):
        at = (block + 1) * width + 2 * k * stride
        for n in range(width):
            size = phi[at + n] * phi[at + n] + phi[at + stride + n] * phi[at + stride + n]
            if not size <= peak and peak == peak:  # NaN counts as the largest, so that it is seen
                peak = float(size)
    return peak


@inlined
def level_peak(phi, level, blocks, stride):  # type: ignore[no-untyped-def]
    """See ``reductions.level_peak``."""
    width = 64 // phi.itemsize
    at = width + 2 * level * stride
    peak = 0.0
    for n in range(blocks * width):
        size = phi[at + n] * phi[at + n] + phi[at + stride + n] * phi[at + stride + n]
        if not size <= peak and peak == peak:
            peak = float(size)
    return peak


@inlined
def stage_gap(phi, t3, t4, blocks, stride):  # type: ignore[no-untyped-def]
    """See ``reductions.stage_gap``."""
    width = 64 // phi.itemsize
    gap = 0.0
    for at in range(width, (blocks + 1) * width):
        re = t4[at] + phi[at] - 2 * t3[at]
        im = t4[at + stride] + phi[at + stride] - 2 * t3[at + stride]
        gap += re * re + im * im
    return gap


@inlined
def chebyshev_term(bands, one, two, total_sum, factor, weight, blocks, stride):  # type: ignore[no-untyped-def]
    """See ``reductions.chebyshev_term``."""
    width = 64 // one.itemsize
    for at in range(width, (blocks + 1) * width):
        xr, xi = 0.0, 0.0
        for offset in range(5):
            br, bi = bands[at + 2 * offset * stride], bands[at + (2 * offset + 1) * stride]
            ur, ui = one[at + offset - 2], one[at + offset - 2 + stride]
            xr += br * ur - bi * ui
            xi += br * ui + bi * ur
        two[at] += factor * xr
        two[at + stride] += factor * xi
        total_sum[at] += weight * two[at]
        total_sum[at + stride] += weight * two[at + stride]


#: States that are worked on at a time, and the distance of the rows of ``work``, which LLVM so knows.
TILE, ROW_LENGTH = 128, 144
ROW, ONE = np.uintp(ROW_LENGTH), np.uintp(1)
#: Rows of ``work``: the derivative F (re, im), the sum and the difference of the neighbouring levels (re, im each),
#: and the weights of c·S', A and B: factors of n − 1 (re, im), of n + 1 (re, im), and the diagonal.
F_RE, F_IM = np.uintp(0), ROW
SUM, GAP = np.uintp(2) * ROW, np.uintp(4) * ROW
OF_C, OF_A, OF_B = np.uintp(6) * ROW, np.uintp(11) * ROW, np.uintp(16) * ROW
ROWS = 21

# In the loops below arrays are flat and few and indices unsigned: otherwise LLVM does not vectorise them (numba wraps
# signed indices around, and too many arrays, or rows at unknown distances, are too many to be proved disjoint).


@inlined
def _weigh(work, first, size, root_n, c, skew):  # type: ignore[no-untyped-def]
    """The weights of the states ``first`` … ``first + size − 1``."""
    row = ROW_LENGTH
    for i in range(size):
        n = first + i
        below, above = root_n[n], root_n[n + 1]
        at = 6 * row + i
        work[at], work[at + row] = c[0] * below, c[1] * below
        work[at + 2 * row], work[at + 3 * row] = c[2] * above, c[3] * above
        work[at + 4 * row] = -c[4] * n
        for which in range(1 if skew is None else 2):
            at += 5 * row
            b = 5 + 4 * which
            work[at], work[at + row] = c[b] * below, c[b + 1] * below
            work[at + 2 * row], work[at + 3 * row] = c[b] * above, -c[b + 1] * above
            work[at + 4 * row] = c[b + 3] - c[b + 2] * n


@inlined
def _neighbours(work, source, below, above, stride, f_below, f_above, size, skew):  # type: ignore[no-untyped-def]
    """Sum and difference of the levels at ``below`` and ``above``, from one state before the tile to one after."""
    low, high, im = np.uintp(below) - ONE, np.uintp(above) - ONE, np.uintp(stride)
    for n in range(np.uintp(size + 2)):
        work[SUM + n] = f_above * source[high + n] + f_below * source[low + n]
        work[SUM + ROW + n] = f_above * source[high + im + n] + f_below * source[low + im + n]
    if skew is not None:
        for n in range(np.uintp(size + 2)):
            work[GAP + n] = f_above * source[high + n] - f_below * source[low + n]
            work[GAP + ROW + n] = f_above * source[high + im + n] - f_below * source[low + im + n]


@inlined
def _tridiagonal(work, at, vector, re, im, n):  # type: ignore[no-untyped-def]
    """Element n of the operator with weights ``at`` on the vector with parts ``re`` and ``im``."""
    br, bi, ar, ai = work[at + n], work[at + ROW + n], work[at + ROW + ROW + n], work[at + ROW + ROW + ROW + n]
    d = work[at + ROW + ROW + ROW + ROW + n]
    ur, pr, vr = vector[re + n - ONE], vector[re + n], vector[re + n + ONE]
    ui, pi, vi = vector[im + n - ONE], vector[im + n], vector[im + n + ONE]
    return br * ur - bi * ui + ar * vr - ai * vi + d * pr, br * ui + bi * ur + ar * vi + ai * vr + d * pi


@inlined
def _derivative(work, source, start, stride, size, skew):  # type: ignore[no-untyped-def]
    """F of one level but for the damping."""
    re, im = np.uintp(start), np.uintp(start + stride)
    for n in range(np.uintp(size)):
        own_r, own_i = _tridiagonal(work, OF_C, source, re, im, n)
        x_r, x_i = _tridiagonal(work, OF_A, work, SUM + ONE, SUM + ROW + ONE, n)
        if skew is not None:
            y_r, y_i = _tridiagonal(work, OF_B, work, GAP + ONE, GAP + ROW + ONE, n)
            own_r, own_i = own_r + y_r, own_i + y_i
        work[F_RE + n], work[F_IM + n] = own_r + x_i, own_i - x_r


@inlined
def _early(stage, er, ei, fr, fi, factor, work, phi, out, start, stride, size):  # type: ignore[no-untyped-def]
    """The first three stages' combination of F with Φ, on one level."""
    at, im = np.uintp(start), np.uintp(stride)
    one, zero = work.dtype.type(1), work.dtype.type(0)
    # F(EΦ + …) in the third stage, E(Φ + …) in the first, EΦ + … in the second
    before_r, before_i = (er, ei) if stage != FIRST else (one, zero)
    after_r, after_i = (er, ei) if stage == FIRST else ((fr, fi) if stage == THIRD else (one, zero))
    for n in range(np.uintp(size)):
        i = at + n
        qr, qi = phi[i], phi[i + im]
        sr = before_r * qr - before_i * qi + factor * work[F_RE + n]
        si = before_r * qi + before_i * qr + factor * work[F_IM + n]
        out[i], out[i + im] = after_r * sr - after_i * si, after_r * si + after_i * sr


@inlined
def _last(er, ei, fr, fi, factor, work, phi, t2, t3, t4, start, stride, size):  # type: ignore[no-untyped-def]
    """The last stage's combination, written over Φ, on one level."""
    at, im = np.uintp(start), np.uintp(stride)
    third, two = work.dtype.type(1.0 / 3), work.dtype.type(2)
    for n in range(np.uintp(size)):
        i = at + n
        k = i + im
        sr = t2[i] + two * t3[i] - (er * phi[i] - ei * phi[k])
        si = t2[k] + two * t3[k] - (er * phi[k] + ei * phi[i])
        work[F_RE + n] = third * (t4[i] + fr * sr - fi * si) + factor * work[F_RE + n]
        work[F_IM + n] = third * (t4[k] + fr * si + fi * sr) + factor * work[F_IM + n]
    for n in range(np.uintp(size)):
        phi[at + n] = work[F_RE + n]
        phi[at + im + n] = work[F_IM + n]


# fmt: off
@inlined
def sweep(stage, source, phi, t2, t3, out, h, blocks, levels, stride, root_n, root_k, decay, c, skew, later):  # type: ignore[no-untyped-def]
    """See ``generator.sweep``.

    A and B act on n only, so they are applied once, to the combination of the two neighbouring levels.
    """
    width = 64 // source.itemsize
    factor = source.dtype.type(0.5 * h if stage < THIRD else (h if stage < LAST else h / 6))
    zero = source.dtype.type(0)
    work = np.empty(ROWS * ROW_LENGTH, dtype=source.dtype)
    for first in range(0, blocks * width, TILE):
        size = min(TILE, blocks * width - first)
        _weigh(work, first, size, root_n, c, skew)
        for k in range(levels):
            at = width + first + 2 * k * stride
            below, f_below = (at - 2 * stride, root_k[k]) if k > 0 else (at, zero)
            above, f_above = (at + 2 * stride, root_k[k + 1]) if k + 1 < levels else (at, zero)
            _neighbours(work, source, below, above, stride, f_below, f_above, size, skew)
            _derivative(work, source, at, stride, size, skew)
            er, ei = decay[2 * k], decay[2 * k + 1]
            fr, fi = decay[later + 2 * k], decay[later + 2 * k + 1]
            if stage == LAST:
                _last(er, ei, fr, fi, factor, work, phi, t2, t3, source, at, stride, size)
            else:
                _early(stage, er, ei, fr, fi, factor, work, phi, out, at, stride, size)
# fmt: on
