"""The core's peak rate of fused multiply-adds: the yardstick of every other speed."""

from __future__ import annotations

import time

import numpy as np

from opendicke.engine.compile import compiled
from opendicke.engine.simd import lanes, load, total

#: Independent chains: enough that the latency of one addition does not hold up the next.
CHAINS = 12


@compiled
def multiply_add(numbers, repeats):  # type: ignore[no-untyped-def]
    """CHAINS independent chains of fused multiply-adds on full vectors; returns a number that depends on all."""
    x, y = load(numbers, 0), load(numbers, lanes(numbers))
    a, b, c, d, e, f, g, h, i, j, k, m = x, x, x, x, x, x, x, x, x, x, x, x
    for _ in range(repeats):
        a, b, c, d, e, f = a * x + y, b * x + y, c * x + y, d * x + y, e * x + y, f * x + y
        g, h, i, j, k, m = g * x + y, h * x + y, i * x + y, j * x + y, k * x + y, m * x + y
    return total(a + b + c + d + e + f + g + h + i + j + k + m)


def peak_rate(repeats: int = 250_000, tries: int = 5) -> float:
    """Floating-point operations per second of one core in double precision (the best of some tries)."""
    numbers = np.full(16, 0.999)
    multiply_add(numbers, 10)
    best = float("inf")
    for _ in range(tries):
        began = time.thread_time()
        multiply_add(numbers, repeats)
        best = min(best, time.thread_time() - began)
    return 2.0 * CHAINS * 8 * repeats / best
