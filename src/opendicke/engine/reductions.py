"""Sums and peaks over the window, in explicit SIMD."""

from __future__ import annotations

from opendicke.engine.compile import inlined
from opendicke.engine.simd import lanes, larger, largest, load, spread, store, total


@inlined
def mean_spin(phi, blocks, stride, root_n, j):  # type: ignore[no-untyped-def]
    """<ψ|ψ>, <S'_1>, <S'_2>, <S'_3> and j − <S'_3> on the physical state ψ = Φ_0."""
    width = lanes(phi)
    zero = spread(phi, 0.0)
    norm, number, raise_r, raise_i = zero, zero, zero, zero
    for block in range(blocks):
        n = block * width
        at = width + n
        pr, pi = load(phi, at), load(phi, at + stride)
        vr, vi = load(phi, at + 1), load(phi, at + 1 + stride)
        above = load(root_n, n + 1)
        weight = pr * pr + pi * pi
        norm = norm + weight
        number = number + weight * (load(root_n, stride) + spread(phi, n))
        raise_r = raise_r + above * (pr * vr + pi * vi)
        raise_i = raise_i + above * (pr * vi - pi * vr)
    square = float(total(norm))
    down = float(total(number)) / square
    return square, float(total(raise_r)) / square, float(total(raise_i)) / square, j - down, down


@inlined
def column_peak(phi, block, levels, stride):  # type: ignore[no-untyped-def]
    """Largest |Φ_k,n|² in one block of n, over all levels."""
    peak = spread(phi, 0.0)
    at = (block + 1) * lanes(phi)
    for _ in range(levels):
        pr, pi = load(phi, at), load(phi, at + stride)
        peak = larger(pr * pr + pi * pi, peak)
        at += 2 * stride
    return float(largest(peak))


@inlined
def level_peak(phi, level, blocks, stride):  # type: ignore[no-untyped-def]
    """Largest |Φ_k,n|² in one level."""
    peak = spread(phi, 0.0)
    at = lanes(phi) + 2 * level * stride
    for _ in range(blocks):
        pr, pi = load(phi, at), load(phi, at + stride)
        peak = larger(pr * pr + pi * pi, peak)
        at += lanes(phi)
    return float(largest(peak))


@inlined
def stage_gap(phi, t3, t4, blocks, stride):  # type: ignore[no-untyped-def]
    """‖T4 + Φ − 2 T3‖² on level 0, which is ‖h (k3 − k2)‖² there."""
    width = lanes(phi)
    gap, two = spread(phi, 0.0), spread(phi, 2.0)
    for block in range(blocks):
        at = (block + 1) * width
        re = load(t4, at) + load(phi, at) - two * load(t3, at)
        im = load(t4, at + stride) + load(phi, at + stride) - two * load(t3, at + stride)
        gap = gap + re * re + im * im
    return float(total(gap))


@inlined
def chebyshev_term(bands, one, two, total_sum, factor, weight, blocks, stride):  # type: ignore[no-untyped-def]
    """two = ``factor`` · bands · one + two, and ``total_sum`` += ``weight`` · two; five diagonals, see ``bands``."""
    width = lanes(one)
    f, g = spread(one, factor), spread(one, weight)
    for block in range(blocks):
        at = width + block * width
        ur, ui = load(one, at - 2), load(one, at - 2 + stride)
        br, bi = load(bands, at), load(bands, at + stride)
        xr, xi = br * ur - bi * ui, br * ui + bi * ur
        ur, ui = load(one, at - 1), load(one, at - 1 + stride)
        br, bi = load(bands, at + 2 * stride), load(bands, at + 3 * stride)
        xr, xi = xr + br * ur - bi * ui, xi + br * ui + bi * ur
        ur, ui = load(one, at), load(one, at + stride)
        br, bi = load(bands, at + 4 * stride), load(bands, at + 5 * stride)
        xr, xi = xr + br * ur - bi * ui, xi + br * ui + bi * ur
        ur, ui = load(one, at + 1), load(one, at + 1 + stride)
        br, bi = load(bands, at + 6 * stride), load(bands, at + 7 * stride)
        xr, xi = xr + br * ur - bi * ui, xi + br * ui + bi * ur
        ur, ui = load(one, at + 2), load(one, at + 2 + stride)
        br, bi = load(bands, at + 8 * stride), load(bands, at + 9 * stride)
        xr, xi = xr + br * ur - bi * ui, xi + br * ui + bi * ur
        yr, yi = f * xr + load(two, at), f * xi + load(two, at + stride)
        store(two, at, yr)
        store(two, at + stride, yi)
        store(total_sum, at, load(total_sum, at) + g * yr)
        store(total_sum, at + stride, load(total_sum, at + stride) + g * yi)
