r"""Exact Ornstein–Uhlenbeck noise, as the straight line in every step that has the path's first two moments.

The unit noise :math:`z^*(t)` is stationary, complex, Gaussian, with :math:`E[z_t z_s] = 0` and
:math:`E[z_t z^*_s] = e^{-i\omega_c(t-s) - \kappa|t-s|}`. In a step of length h the end value and the moments

.. math:: I_0 = \int z^*\,ds, \qquad I_1 = \int (s - h/2)\, z^*\,ds

are drawn exactly and jointly; inside the step z* is replaced by the line ``middle + slope (s - h/2)`` with the same
two moments, :math:`I_0/h` and :math:`12 I_1/h^3`. Moments of a fine path add up to those of a coarse one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.engine.compile import compiled

#: The largest |κ + iω_c| h of a step that one quadrature resolves to rounding.
LONGEST = 18.0
#: Correlations are below rounding after this many correlation times 1/κ; panels of a quadrature, at most.
CORRELATED, MOST_PANELS = 40.0, 10_000
#: Noise steps of a trajectory: their lengths and marks take 16 bytes each.
MOST_STEPS = 2**31


@dataclass(frozen=True)
class NoisePath:
    """A path on its grid: step lengths, and the line (middle value, slope) that stands for z* in each step."""

    steps: NDArray[np.float64]
    middle: NDArray[np.complex128]
    slope: NDArray[np.complex128]

    def part(self, first: int, last: int) -> NoisePath:
        """Steps ``first`` to ``last`` − 1 of the path."""
        return NoisePath(self.steps[first:last], self.middle[first:last], self.slope[first:last])

    def field_at(self, step: int, amplitude: complex) -> complex:
        """The cavity's whole field at the start of a step, of which the trajectory carries ``amplitude``."""
        return amplitude

    def coarsen(self, factor: int) -> NoisePath:
        """The same path on a grid ``factor`` times coarser: moments of the fine steps added up, exactly."""
        h = self.steps.reshape(-1, factor)
        ends = np.cumsum(h, axis=1)
        coarse = ends[:, -1].copy()  # a strided array would be a type of its own to what is compiled
        offset = ends - h / 2 - coarse[:, None] / 2
        i0 = self.middle.reshape(h.shape) * h
        i1 = self.slope.reshape(h.shape) * h**3 / 12 + offset * i0
        return NoisePath(coarse, i0.sum(axis=1) / coarse, 12 * i1.sum(axis=1) / coarse**3)


def noise_steps(
    times: NDArray[np.float64], step: float, kinks: tuple[float, ...] = ()
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A grid of steps, none longer than ``step``, that starts at 0 and hits every one of ``times`` and of ``kinks``.

    Returns:
        The step lengths, and for the start and each step's end the index of the time it hits, or −1.

    Raises:
        ValueError: for more than :data:`MOST_STEPS` of them.
    """
    wanted = np.concatenate([times, kinks])
    order = np.argsort(wanted, kind="stable")
    edges = np.concatenate([[0.0], wanted[order]])
    if edges[-1] / step > MOST_STEPS:
        raise checks.refuse("times, step", f"at most {MOST_STEPS} noise steps", f"{times[-1]:g} / {step:g}")
    counts = np.ceil(np.diff(edges) / step * (1 - 1e-12)).astype(np.int64)
    steps = np.repeat(np.diff(edges) / np.maximum(counts, 1), counts)
    hits = np.full(counts.sum() + 1, -1, dtype=np.int64)
    is_time = order < times.size
    hits[np.cumsum(counts)[is_time]] = order[is_time]
    return steps, hits


def transition(h: float, omega_c: float, kappa: float) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    r"""How (z*(h), I0, I1) follow from z*(0): conditional mean factors and a square root of the covariance.

    Returns:
        ``mean`` of shape (3,) and lower-triangular ``root`` of shape (3, 3), so that the three numbers are
        ``mean * z0 + root @ x`` with x three standard complex normals (E|x|² = 1).

    An impulse of white noise at time s contributes :math:`e^{-a(t-s)}`, a = κ − iω_c, to z* at t > s. Integrals over
    s by Gauss–Legendre quadrature, exact to rounding for the smooth integrands here; the root by QR, which stays
    accurate where the covariance matrix itself is nearly singular (small κh) or zero (κ = 0).
    """
    a = kappa - 1j * omega_c
    if abs(a) * h > LONGEST:
        return _closed_transition(h, a, _long_responses)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    nodes, weights = (nodes + 1) / 2, weights / 2

    def responses(start: NDArray[np.float64]) -> NDArray[np.complex128]:
        """End value, I0 and I1 that follow from a unit impulse at time ``start``."""
        left = h - start
        elapsed = left[:, None] * nodes
        values = np.exp(-a * elapsed)
        lever = start[:, None] + elapsed - h / 2
        return np.array(
            [np.exp(-a * left), left * (values @ weights), left * ((values * lever) @ weights)], dtype=np.complex128
        )

    mean = responses(np.zeros(1))[:, 0]
    factor = responses(h * nodes) * np.sqrt(2 * kappa * h * weights)
    triangle: Any = np.linalg.qr(factor.conj().T, mode="r")
    return mean, np.ascontiguousarray(triangle.conj().T)


def resonant_transition(
    h: float, omega_c: float, kappa: float
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    r"""``transition`` with a fourth number, :math:`\int e^{-a(t+h-s)} z^*(s)\,ds`; for steps of any length.

    It is what the noise leaves in a cavity that it drives in resonance. The closed forms lose digits as
    :math:`(|a|h)^{-2}`.
    """
    a = kappa - 1j * omega_c

    def responses(left: NDArray[np.float64], h: float, a: complex) -> NDArray[np.complex128]:
        return np.vstack([_long_responses(left, h, a), left * np.exp(-a * left)])

    return _closed_transition(h, a, responses)


def _long_responses(left: NDArray[np.float64], h: float, a: complex) -> NDArray[np.complex128]:
    """End value, I0 and I1 that follow from a unit impulse at time h − ``left``."""
    end = np.exp(-a * left)
    i0 = -np.expm1(-a * left) / a
    # ∫(h/2 − left + s) exp(−a s) ds over 0 < s < left
    return np.array([end, i0, (h / 2 - left) * i0 + (i0 - left * end) / a], dtype=np.complex128)


def _closed_transition(
    h: float, a: complex, responses: Callable[[NDArray[np.float64], float, complex], NDArray[np.complex128]]
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """``transition`` of a step in which the noise forgets or turns more than one quadrature resolves.

    The responses are in closed form here. As functions of the time ``left`` after an impulse they vary within the
    correlation time, in panels no longer than the quadrature resolves; beyond it they are polynomials, one panel.
    """
    kappa = a.real
    layer = min(h, CORRELATED / kappa) if kappa > 0 else h
    panels = math.ceil(abs(a) * layer / (LONGEST / 2))
    if panels > MOST_PANELS:
        raise ValueError(
            f"step: expected a noise step with |omega_c| * step below {MOST_PANELS * LONGEST / 2:g}, got {h}"
        )
    edges = np.append(np.linspace(0, layer, panels + 1), [h] if layer < h else [])
    nodes, weights = np.polynomial.legendre.leggauss(24)
    left = (edges[:-1, None] + np.diff(edges)[:, None] * (nodes + 1) / 2).ravel()
    weights = (np.diff(edges)[:, None] * weights / 2).ravel()
    factor = responses(left, h, a) * np.sqrt(2 * kappa * weights)
    triangle: Any = np.linalg.qr(factor.conj().T, mode="r")
    return responses(np.array([h]), h, a)[:, 0], np.ascontiguousarray(triangle.conj().T)


class OrnsteinUhlenbeck:
    """Paths of the unit noise on one grid of steps; the tables are computed once and shared by all paths."""

    transition = staticmethod(transition)  # what is drawn in a step, and how it follows from z* at its start

    def __init__(self, steps: NDArray[np.float64], omega_c: float, kappa: float) -> None:
        # Steps that differ by rounding only share one table, so that evenly spaced times cost one table.
        longest = steps.max(initial=0.0)
        kinds, self._kind = np.unique(np.round(steps / longest, 12), return_inverse=True)
        tables = [self.transition(float(kind * longest), omega_c, kappa) for kind in kinds]
        size = tables[0][0].size if tables else 1
        self._mean = np.array([mean for mean, _ in tables]).reshape(-1, size)
        self._root = np.array([root for _, root in tables]).reshape(-1, size, size)
        self.steps = steps

    def sample(self, rng: np.random.Generator) -> NoisePath:
        """Draw one path, starting from the stationary distribution: six real normals per step, whatever happens."""
        return self.extend(rng, complex(rng.standard_normal(2).view(np.complex128)[0]) / np.sqrt(2))[0]

    def extend(self, rng: np.random.Generator, start: complex) -> tuple[NoisePath, complex]:
        """Draw one path that goes on from z* = ``start``; return it and the value at its end."""
        normals = rng.standard_normal((self.steps.size, 6)).view(np.complex128) / np.sqrt(2)
        middle = np.empty(self.steps.size, dtype=np.complex128)
        slope = np.empty_like(middle)
        end = _walk(start, normals, self._kind, self._mean, self._root, self.steps, middle, slope)
        return NoisePath(self.steps, middle, slope), end


@compiled
def _walk(start, normals, kind, mean, root, steps, middle, slope):  # type: ignore[no-untyped-def]
    z = start
    for i in range(steps.size):
        m, r, x, h = mean[kind[i]], root[kind[i]], normals[i], steps[i]
        middle[i] = (m[1] * z + r[1, 0] * x[0] + r[1, 1] * x[1]) / h
        slope[i] = 12 * (m[2] * z + r[2, 0] * x[0] + r[2, 1] * x[1] + r[2, 2] * x[2]) / h**3
        z = m[0] * z + r[0, 0] * x[0]
    return z
