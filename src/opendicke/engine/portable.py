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
def stage_gap(phi, t3, t4, blocks, stride):  # type: ignore[no-untyped-def]
    """See ``reductions.stage_gap``."""
    width = 64 // phi.itemsize
    gap = 0.0
    for at in range(width, (blocks + 1) * width):
        re = t4[at] + phi[at] - 2 * t3[at]
        im = t4[at + stride] + phi[at + stride] - 2 * t3[at + stride]
        gap += re * re + im * im
    return gap


@compiled
def _weights(size, root_n, c):  # type: ignore[no-untyped-def]
    """For A, B and c·S' in turn: factors of Φ[n−1] (re, im), of Φ[n+1] (re, im), and the diagonal; flat rows of n."""
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
    return weights.ravel()


# The loops below have flat arrays, few of them, and unsigned indices: otherwise LLVM does not vectorise them
# (numba wraps signed indices around, and too many arrays are too many to be proved disjoint).


@compiled
def _apply(source, start, stride, weights, which, size, rows, slot):  # type: ignore[no-untyped-def]
    """Tridiagonal operator ``which`` on the level at ``start``, into its two rows (re, im) of the slot."""
    one, s, at, im = np.uintp(1), np.uintp(size), np.uintp(start), np.uintp(stride)
    w0, r0 = np.uintp(5 * which * size), np.uintp((6 * slot + 2 * which) * size)
    w1, r1 = w0 + s, r0 + s
    w2, w3 = w1 + s, w1 + s + s
    w4 = w3 + s
    for n in range(s):
        i = at + n
        ur, ui, vr, vi = source[i - one], source[i - one + im], source[i + one], source[i + one + im]
        br, bi, ar, ai, d = weights[w0 + n], weights[w1 + n], weights[w2 + n], weights[w3 + n], weights[w4 + n]
        rows[r0 + n] = br * ur - bi * ui + ar * vr - ai * vi + d * source[i]
        rows[r1 + n] = br * ui + bi * ur + ar * vi + ai * vr + d * source[i + im]


@compiled
def _derivative(rows, low, own, high, f_low, f_high, size, change):  # type: ignore[no-untyped-def]
    """F of one level but for the damping, from rows (A re, im, B re, im, c·S' re, im) in three slots."""
    s = np.uintp(size)
    below, here, above = np.uintp(6 * low * size), np.uintp(6 * own * size), np.uintp(6 * high * size)
    below1, below2, below3 = below + s, below + s + s, below + s + s + s
    above1, above2, above3 = above + s, above + s + s, above + s + s + s
    here4, here5 = here + s + s + s + s, here + s + s + s + s + s
    for n in range(s):
        up, down = rows[below1 + n] - rows[below2 + n], rows[above1 + n] + rows[above2 + n]
        change[n] = rows[here4 + n] + f_low * up + f_high * down
    for n in range(s):
        up, down = rows[below + n] + rows[below3 + n], rows[above + n] - rows[above3 + n]
        change[s + n] = rows[here5 + n] - f_low * up - f_high * down


@compiled
def _early(stage, er, ei, factor, change, phi, out, start, stride, size):  # type: ignore[no-untyped-def]
    """The first three stages' combination of F with Φ, on one level."""
    s, at, im = np.uintp(size), np.uintp(start), np.uintp(stride)
    # E(EΦ + …) in the third stage, E(Φ + …) in the first, EΦ + … in the second
    before_r, before_i = (er, ei) if stage != FIRST else (change.dtype.type(1), change.dtype.type(0))
    after_r, after_i = (er, ei) if stage != SECOND else (change.dtype.type(1), change.dtype.type(0))
    for n in range(s):
        i = at + n
        qr, qi = phi[i], phi[i + im]
        sr = before_r * qr - before_i * qi + factor * change[n]
        si = before_r * qi + before_i * qr + factor * change[s + n]
        out[i], out[i + im] = after_r * sr - after_i * si, after_r * si + after_i * sr


@compiled
def _last(er, ei, factor, change, phi, t2, t3, t4, start, stride, size):  # type: ignore[no-untyped-def]
    """The last stage's combination, written over Φ, on one level."""
    s, at, im = np.uintp(size), np.uintp(start), np.uintp(stride)
    third, two = change.dtype.type(1.0 / 3), change.dtype.type(2)
    for n in range(s):
        i = at + n
        k = i + im
        sr = t2[i] + two * t3[i] - (er * phi[i] - ei * phi[k])
        si = t2[k] + two * t3[k] - (er * phi[k] + ei * phi[i])
        change[n] = third * (er * sr - ei * si) + factor * change[n]
        change[s + n] = third * (er * si + ei * sr) + factor * change[s + n]
    for n in range(s):
        phi[at + n] = third * t4[at + n] + change[n]
    for n in range(s):
        phi[at + im + n] = third * t4[at + im + n] + change[s + n]


# fmt: off
@compiled
def sweep(stage, source, phi, t2, t3, out, h, blocks, levels, stride, root_n, root_k, decay, c, skew):  # type: ignore[no-untyped-def]
    """See ``generator.sweep``: rows of three neighbouring levels are kept, and one level is finished at a time."""
    width = 64 // source.itemsize
    size = blocks * width
    factor = source.dtype.type(0.5 * h if stage < THIRD else (h if stage < LAST else h / 6))
    weights = _weights(size, root_n, c)
    rows = np.zeros(18 * size, dtype=source.dtype)
    change = np.empty(2 * size, dtype=source.dtype)
    for k in range(levels + 1):
        slot = k % 3
        if k < levels:
            at = width + 2 * k * stride
            _apply(source, at, stride, weights, 0, size, rows, slot)
            if skew is not None:
                _apply(source, at, stride, weights, 1, size, rows, slot)
            _apply(source, at, stride, weights, 2, size, rows, slot)
        else:
            rows[6 * slot * size:6 * (slot + 1) * size] = 0
        if k > 0:
            _derivative(rows, (k + 1) % 3, (k + 2) % 3, slot, root_k[k - 1], root_k[k], size, change)
            er, ei, at = decay[2 * k - 2], decay[2 * k - 1], width + 2 * (k - 1) * stride
            if stage == LAST:
                _last(er, ei, factor, change, phi, t2, t3, source, at, stride, size)
            else:
                _early(stage, er, ei, factor, change, phi, out, at, stride, size)
# fmt: on
