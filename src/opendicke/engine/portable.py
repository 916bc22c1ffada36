"""The kernels in plain loops that LLVM vectorises by itself: slower, and independent of ``simd``.

They compute what ``generator.sweep`` and ``reductions`` compute, from the same arguments.
"""

from __future__ import annotations

import numpy as np

from opendicke.engine.compile import compiled
from opendicke.engine.stages import FIRST, LAST, SECOND, THIRD


@compiled
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


@compiled
def column_peak(phi, block, levels, stride):  # type: ignore[no-untyped-def]
    """See ``reductions.column_peak``."""
    width = 64 // phi.itemsize
    peak = 0.0
    for k in range(levels):
        at = (block + 1) * width + 2 * k * stride
        for n in range(width):
            size = phi[at + n] * phi[at + n] + phi[at + stride + n] * phi[at + stride + n]
            if not size <= peak:  # NaN counts as a peak, so that it is seen
                peak = float(size)
    return peak


@compiled
def level_peak(phi, level, blocks, stride):  # type: ignore[no-untyped-def]
    """See ``reductions.level_peak``."""
    width = 64 // phi.itemsize
    at = width + 2 * level * stride
    peak = 0.0
    for n in range(blocks * width):
        size = phi[at + n] * phi[at + n] + phi[at + stride + n] * phi[at + stride + n]
        if not size <= peak:
            peak = float(size)
    return peak


@compiled
def _weights(size, root_n, c):  # type: ignore[no-untyped-def]
    """For A, B and c·S' in turn: factors of Φ[n−1] (re, im), of Φ[n+1] (re, im), and the diagonal, for each n."""
    weights = np.empty((3, 5, size), dtype=root_n.dtype)
    for n in range(size):
        below, above = root_n[n], root_n[n + 1]
        for which in range(2):
            first = 5 + 4 * which
            weights[which, 0, n], weights[which, 1, n] = c[first] * below, c[first + 1] * below
            weights[which, 2, n], weights[which, 3, n] = c[first] * above, -c[first + 1] * above
            weights[which, 4, n] = c[first + 3] - c[first + 2] * n
        weights[2, 0, n], weights[2, 1, n] = c[0] * below, c[1] * below
        weights[2, 2, n], weights[2, 3, n] = c[2] * above, c[3] * above
        weights[2, 4, n] = -c[4] * n
    return weights


@compiled
def _apply(source, at, stride, weights, re, im):  # type: ignore[no-untyped-def]
    """One tridiagonal operator on the level that starts at ``at``."""
    br, bi, ar, ai, d = weights[0], weights[1], weights[2], weights[3], weights[4]
    for n in range(re.size):
        i = at + n
        ur, ui, vr, vi = source[i - 1], source[i - 1 + stride], source[i + 1], source[i + 1 + stride]
        re[n] = br[n] * ur - bi[n] * ui + ar[n] * vr - ai[n] * vi + d[n] * source[i]
        im[n] = br[n] * ui + bi[n] * ur + ar[n] * vi + ai[n] * vr + d[n] * source[i + stride]


@compiled
def _derivative(low, own, high, f_low, f_high, dr, di):  # type: ignore[no-untyped-def]
    """F of one level but for the damping, from rows (A re, im, B re, im, c·S' re, im) of three levels."""
    for n in range(dr.size):
        dr[n] = own[4, n] + f_low * (low[1, n] - low[2, n]) + f_high * (high[1, n] + high[2, n])
        di[n] = own[5, n] - f_low * (low[0, n] + low[3, n]) - f_high * (high[0, n] - high[3, n])


@compiled
def _combine(stage, er, ei, factor, dr, di, phi, t2, t3, t4, out, at, stride):  # type: ignore[no-untyped-def]
    """The stage's combination of F with the earlier stages, on one level."""
    third = dr.dtype.type(1.0 / 3)
    for n in range(dr.size):
        i, k = at + n, at + n + stride
        qr, qi = phi[i], phi[k]
        if stage == FIRST:
            sr, si = qr + factor * dr[n], qi + factor * di[n]
            out[i], out[k] = er * sr - ei * si, er * si + ei * sr
            continue
        wr, wi = er * qr - ei * qi, er * qi + ei * qr
        if stage == SECOND:
            out[i], out[k] = wr + factor * dr[n], wi + factor * di[n]
        elif stage == THIRD:
            sr, si = wr + factor * dr[n], wi + factor * di[n]
            out[i], out[k] = er * sr - ei * si, er * si + ei * sr
        else:
            sr, si = t2[i] + 2 * t3[i] - wr, t2[k] + 2 * t3[k] - wi
            out[i] = third * (t4[i] + er * sr - ei * si) + factor * dr[n]
            out[k] = third * (t4[k] + er * si + ei * sr) + factor * di[n]


# fmt: off
@compiled
def sweep(stage, source, phi, t2, t3, out, h, blocks, levels, stride, root_n, root_k, decay, c, skew):  # type: ignore[no-untyped-def]
    """See ``generator.sweep``: rows of three neighbouring levels are kept, and one level is finished at a time."""
    width = 64 // source.itemsize
    size = blocks * width
    factor = source.dtype.type(0.5 * h if stage < THIRD else (h if stage < LAST else h / 6))
    weights = _weights(size, root_n, c)
    rows = np.zeros((3, 6, size), dtype=source.dtype)
    change = np.empty((2, size), dtype=source.dtype)
    for k in range(levels + 1):
        new = rows[k % 3]
        if k < levels:
            at = width + 2 * k * stride
            _apply(source, at, stride, weights[0], new[0], new[1])
            if skew is not None:
                _apply(source, at, stride, weights[1], new[2], new[3])
            _apply(source, at, stride, weights[2], new[4], new[5])
        else:
            new[:] = 0
        if k > 0:
            _derivative(rows[(k + 1) % 3], rows[(k + 2) % 3], new, root_k[k - 1], root_k[k], change[0], change[1])
            _combine(stage, decay[2 * k - 2], decay[2 * k - 1], factor, change[0], change[1], phi, t2, t3, source,
                     out, width + 2 * (k - 1) * stride, stride)
# fmt: on
