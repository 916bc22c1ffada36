"""Sums and peaks over the window, in explicit SIMD."""

from __future__ import annotations

from opendicke.engine.compile import inlined
from opendicke.engine.simd import lanes, larger, largest, load, spread, total


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
