"""The adaptive window: how many states n and levels k are kept, and how long a step it allows.

The window holds every state n with some |Φ_k,n| > tol (relative to ‖ψ‖ = 1) and one block more, and every level k with
some |Φ_k,n| > tol/1000 and eight more; the rest is set to zero and what was dropped is added up. There is no cap: n may
reach N, and k goes as far as it must.

That levels matter so far down is what keeps a trajectory on its path. A component far out in n is multiplied by
exp(∫ Re z* ΔΛ dt), by e^30 in a unit of time when the noise is strong; what holds it down is its own ladder of levels,
a coherent state of mean number about |ΔΛ/w|². Its low levels are smaller than the whole by a factor exp(−|ΔΛ/w|²/2), so
a cut at tol takes them away, and the component grows to order one: the trajectory takes a false jump. With levels cut
at tol, one trajectory in twenty did so at Fig. 1's parameters (N = 1000, tol = 1e-4, four spare levels).

Without damping nothing is ever forgotten: the whole hierarchy is the state of spin and cavity, seen from one point of
phase space. A component elsewhere, at a distance d, lives in levels about d² and has in Φ the weight exp(±|z| d), which
may fall far below any tol before the component comes back with weight one (a revival). Damping ends its return: it
decays with κd². So where κ is small against the couplings, amplitudes are kept down to rounding and steps resolve the
whole window as well as ψ, not only stably: ``demands`` says which.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike, NDArray

from opendicke.engine.compile import inlined
from opendicke.engine.kernels import column_peak, level_peak

#: Levels are dropped at this fraction of ``tol``, and this many are kept beyond the last one that is not.
LEVEL_TOL, LEVEL_MARGIN = 1e-3, 8
#: RK4 is stable on the imaginary axis up to 2.83; the rest of that is safety for the bound below.
STABILITY = 2.4
#: Error of one step on ψ, as a fraction of ``tol``.
LOCAL_ERROR = 1e-3
#: In a weakly damped hierarchy: amplitudes are dropped at this many roundings (levels at LEVEL_TOL of them), and the
#: bound of the generator's norm turns the window by at most so many times the angle by which ψ may turn in a step.
FAINTEST, RESOLVED = 2e5, 4.0


def swing(tol: float) -> float:
    """The angle by which a step may turn: its error, x⁵/120, is then the allowed one."""
    return float((120 * LOCAL_ERROR * tol) ** 0.2)


def demands(tol: float, dtype: np.dtype[np.floating], weakly_damped: bool) -> tuple[float, float]:
    """Where amplitudes are dropped, and how large the bound of the generator's norm times a step may be."""
    if not weakly_damped:
        return tol, STABILITY
    return min(tol, FAINTEST * float(np.finfo(dtype).eps)), min(STABILITY, RESOLVED * swing(tol))


@inlined
def needed(phi, blocks, levels, stride, threshold, max_blocks, level_tol, margin):  # type: ignore[no-untyped-def]
    """Blocks and levels of the window, with its margins, for a drop of |Φ|² below ``threshold``."""
    last = blocks - 1
    while last > 0 and column_peak(phi, last, levels, stride) <= threshold:
        last -= 1
    level = levels - 1
    while level > 0 and level_peak(phi, level, blocks, stride) <= level_tol**2 * threshold:
        level -= 1
    return min(max_blocks, last + 2), level + 1 + margin


@inlined
def clear(buffer, size, blocks, levels, stride, new_blocks, new_levels):  # type: ignore[no-untyped-def]
    """Zero what lies outside the new window, in Φ and in the stages; return the weight dropped from Φ."""
    width = 64 // buffer.itemsize
    dropped = 0.0
    for k in range(levels):
        first = 0 if k >= new_levels else new_blocks * width
        for part in range(2):
            start = (2 * k + part) * stride + width
            for at in range(start + first, start + blocks * width):
                dropped += float(buffer[at]) ** 2
                for copy in range(4):
                    buffer[copy * size + at] = 0
    return dropped


def enlarge(
    buffer: NDArray[np.floating], stride: int, new_stride: int, new_capacity: int, levels: int
) -> NDArray[np.floating]:
    """A zeroed buffer of the new capacity with Φ copied into it (the stages are scratch)."""
    fresh = allocate(buffer.dtype, new_stride, new_capacity)
    fresh[: 2 * levels * new_stride].reshape(-1, new_stride)[:, :stride] = buffer[: 2 * levels * stride].reshape(
        -1, stride
    )
    return fresh


def allocate(dtype: DTypeLike, stride: int, capacity: int) -> NDArray[np.floating]:
    """Zeroed memory for Φ and the three stages of ``capacity`` levels, aligned to the vector registers."""
    size = 8 * stride * capacity
    raw = np.zeros(size + 64, dtype=dtype)
    skip = (-(raw.ctypes.data // raw.itemsize)) % (64 // raw.itemsize)
    return raw[skip : skip + size]


@inlined
def oscillator_edge(levels):  # type: ignore[no-untyped-def]
    """Upper bound of b + b† cut to ``levels`` states: √2 × the largest zero of the Hermite polynomial H_levels.

    G. Szegő, Orthogonal Polynomials, eq. (6.32.4): that zero is below √(2K+1) − 1.8557 (2K+1)^(-1/6).
    """
    edge = 2.0 * levels + 1.0
    return math.sqrt(2.0) * (math.sqrt(edge) - 1.8557 * edge ** (-1.0 / 6.0))


@inlined
def stiffness(model, c, states, levels, hermitian):  # type: ignore[no-untyped-def]
    """Bound of the generator's norm on the window, without the damping −wk (which is integrated exactly)."""
    j = model[0]
    # ‖S'_+ + S'_-‖ on n < states: of an oscillator with √N quanta per step, or of the whole spin
    flip = min(math.sqrt(2 * j) * oscillator_edge(states), 2 * j)
    depth = oscillator_edge(levels)
    coupling = math.sqrt(c[5] ** 2 + c[6] ** 2) * flip + max(abs(c[8]), abs(c[8] - c[7] * (states - 1)))
    if not hermitian:
        coupling += math.sqrt(c[9] ** 2 + c[10] ** 2) * flip + max(abs(c[12]), abs(c[12] - c[11] * (states - 1)))
    lower, upper = math.sqrt(c[0] ** 2 + c[1] ** 2), math.sqrt(c[2] ** 2 + c[3] ** 2)
    return depth * coupling + (lower + upper) * 0.5 * flip + abs(c[4]) * (states - 1)
