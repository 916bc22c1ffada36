"""The right-hand side with its part of the Runge–Kutta step, as a share of the core's peak."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

from benchmarks.timing import interleaved, table
from opendicke.engine import generator, portable
from opendicke.engine.frame import COEFFICIENTS
from opendicke.engine.peak import CHAINS, multiply_add
from opendicke.engine.stages import FIRST, LAST, SECOND, THIRD
from opendicke.engine.window import allocate

WINDOWS = ((40, 16), (80, 24), (160, 48))
#: A tridiagonal operator (complex beside the diagonal, real on it): 5 products and 4 sums in each of Re and Im.
TRIDIAGONAL = 18
#: √k and √(k+1) times the neighbouring levels, added: 4 in each of Re and Im.
LADDER = 8
#: A − iB and A + iB from A and B: 2 in each of Re and Im.
UNITE = 4
#: Integrating factors and Runge–Kutta combination in the stages 1 … 4: 10 + 10 + 16 + 26.
COMBINATION = 62
#: Flops per amplitude and right-hand side. The set-up of a block of n, once for all levels, is not counted.
HERMITIAN = 2 * TRIDIAGONAL + LADDER + COMBINATION / 4
GENERAL = 3 * TRIDIAGONAL + UNITE + LADDER + COMBINATION / 4


def peak_work(dtype: str, repeats: int = 250_000) -> tuple[Callable[[], object], float]:
    """The chains as a callable, and how many flops one call makes."""
    width = 64 // np.dtype(dtype).itemsize
    numbers = np.full(2 * width, 0.999, dtype=dtype)
    return lambda: multiply_add(numbers, repeats), 2.0 * CHAINS * width * repeats


def _stepper(sweep: Callable[..., None]) -> Callable[..., None]:
    @numba.njit
    def steps(repeats, buffer, size, h, blocks, levels, stride, root_n, root_k, decay, c, skew):
        phi, t2, t3, t4 = buffer[:size], buffer[size : 2 * size], buffer[2 * size : 3 * size], buffer[3 * size :]
        for _ in range(repeats):
            sweep(FIRST, phi, phi, t2, t3, t2, h, blocks, levels, stride, root_n, root_k, decay, c, skew, 0)
            sweep(SECOND, t2, phi, t2, t3, t3, h, blocks, levels, stride, root_n, root_k, decay, c, skew, 0)
            sweep(THIRD, t3, phi, t2, t3, t4, h, blocks, levels, stride, root_n, root_k, decay, c, skew, 0)
            sweep(LAST, t4, phi, t2, t3, phi, h, blocks, levels, stride, root_n, root_k, decay, c, skew, 0)

    return steps


STEPPERS = {"SIMD": _stepper(generator.sweep), "plain loops": _stepper(portable.sweep)}


def step_work(
    kernels: str, dtype: str, hermitian: bool, states: int, levels: int
) -> tuple[Callable[[], object], float]:
    """Runge–Kutta steps on a filled window as a callable, and how many flops one call makes.

    The step is tiny and the damping zero, so that amplitudes neither grow nor fade and every call is the same work.
    """
    width = 64 // np.dtype(dtype).itemsize
    blocks = -(-states // width)
    stride = (blocks + 2) * width
    size = 2 * stride * levels
    rng = np.random.default_rng(0)
    buffer = allocate(dtype, stride, levels)
    rows = buffer[:size].reshape(2 * levels, stride)[:, width : width + blocks * width]
    rows[:] = rng.normal(size=rows.shape)
    n = np.arange(stride)
    root_n = np.concatenate([np.sqrt(np.maximum(n * (1001.0 - n), 0)), np.arange(width)]).astype(dtype)
    root_k = np.sqrt(np.arange(levels + 2)).astype(dtype)
    decay = np.tile(np.array([1, 0], dtype=dtype), levels)
    c = rng.normal(size=COEFFICIENTS)
    repeats = max(1, round(2e5 / (blocks * width * levels)))
    skew = None if hermitian else 1.0
    arguments = (repeats, buffer, size, 1e-12, blocks, levels, stride, root_n, root_k, decay, c, skew, 0)
    flops = 4.0 * repeats * blocks * width * levels * (HERMITIAN if hermitian else GENERAL)
    return lambda: STEPPERS[kernels](*arguments), flops


def run(rounds: int = 25) -> None:
    """Peak, and both kinds of kernels on all windows, in turns with the peak."""
    rows = []
    for dtype in ("float64", "float32"):
        for hermitian in (True, False):
            works = [peak_work(dtype)]
            works += [step_work(name, dtype, hermitian, *window) for window in WINDOWS for name in STEPPERS]
            seconds = interleaved([work for work, _ in works], rounds)
            rates = np.array([flops for _, flops in works]) / seconds / 1e9
            shares = np.median(rates[:, 1:] / rates[:, :1], axis=0).reshape(len(WINDOWS), len(STEPPERS))
            for (states, levels), share in zip(WINDOWS, shares, strict=True):
                about = (dtype, "Hermitian" if hermitian else "general", f"{states} × {levels}")
                rows.append((*about, f"{np.median(rates[:, 0]):.1f}", *(f"{value:.0%}" for value in share)))
    print(f"Flops per amplitude and right-hand side: {HERMITIAN} (Hermitian), {GENERAL} (general).\n")
    table(("precision", "Λ", "window n × k", "FMA peak, Gflop/s", *STEPPERS), rows)
