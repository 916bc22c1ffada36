r"""What changes in time along a trajectory: rates, and a field in the cavity that the atoms do not make.

In a step every rate is the parabola through three values inside it (kinks belong between steps). A drive, and thermal
light, are a field y that only adds to the cavity's: with :math:`w = \kappa + i\omega_c`,

.. math:: dy = -wy\,dt - i\eta\,dt + \sqrt{2\kappa\bar n}\,dW

It does not depend on the atoms, so it is drawn exactly, and is in a step the straight line with the path's first two
moments, as the noise z* is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined
from opendicke.engine.noise import NoisePath

#: Columns of the rates: ω_a, ω_c, κ, the couplings of S^x and S^y to the cavity, and what drives S^x and S^y.
OMEGA_A, OMEGA_C, KAPPA, COUPLING_X, COUPLING_Y, PUSH_X, PUSH_Y = range(7)
COLUMNS = 7

#: Where in a step, from 0 to 1, the values lie that make its parabola (Gauss–Legendre nodes: never at a kink), and
#: what makes the factors of 1, s, s² from them.
NODES = 0.5 + np.array([-0.5, 0.0, 0.5]) * np.sqrt(0.6)
TO_POWERS = np.linalg.inv(np.vander(NODES, increasing=True))
#: Nodes of the quadratures over a step; the largest |w| h that they resolve to rounding; steps done at a time.
ORDER, LONGEST, BLOCK = 24, 18.0, 512


def parabolas(values: NDArray[Any], steps: NDArray[np.float64]) -> NDArray[Any]:
    """Factors of 1, s and s², s the time since the step's start, from values at the nodes: (steps, 3, ...)."""
    powers = np.einsum("pn,sn...->sp...", TO_POWERS, values)
    scales = steps[:, None] ** -np.arange(3.0)
    found: NDArray[Any] = powers * scales.reshape(*scales.shape, *[1] * (values.ndim - 2))
    return found


class Arrays(NamedTuple):
    """A :class:`Moving` in compiled code."""

    steps: NDArray[np.float64]
    rates: NDArray[np.float64]
    middle: NDArray[np.complex128]
    slope: NDArray[np.complex128]
    ends: NDArray[np.complex128]


@dataclass(frozen=True)
class Moving:
    """Rates and field along a path: ``rates`` (steps, 3, COLUMNS), the line of the field in every step, and its value
    at the start and at each step's end."""

    steps: NDArray[np.float64]
    rates: NDArray[np.float64]
    middle: NDArray[np.complex128]
    slope: NDArray[np.complex128]
    ends: NDArray[np.complex128]

    def part(self, first: int, last: int) -> Moving:
        """Steps ``first`` to ``last`` − 1."""
        one = slice(first, last)
        return Moving(self.steps[one], self.rates[one], self.middle[one], self.slope[one], self.ends[first : last + 1])

    def arrays(self) -> Arrays:
        """As compiled code takes it."""
        return Arrays(self.steps, self.rates, self.middle, self.slope, self.ends)


@dataclass(frozen=True)
class MovingPath(NoisePath):
    """A path of the noise, and what moves along it."""

    moving: Moving

    def part(self, first: int, last: int) -> MovingPath:
        """Steps ``first`` to ``last`` − 1 of the path."""
        one = slice(first, last)
        return MovingPath(self.steps[one], self.middle[one], self.slope[one], self.moving.part(first, last))

    def field_at(self, step: int, amplitude: complex) -> complex:
        """As of any path; here drive and thermal light make a part of it."""
        return amplitude + complex(self.moving.ends[step])


# The functions below take ``moving`` = None for a path along which nothing moves.
# ``model`` holds the rates (see ``trajectory.Dynamics.constants``).


@inlined
def met(moving, row, time, amplitude, model):  # type: ignore[no-untyped-def]
    """The cavity's whole field at ``time`` in step ``row``, and what drives S^x and S^y; the rates go to ``model``."""
    if moving is None:
        return amplitude, (0.0, 0.0)
    push = _rates_at(moving.rates, row, time, model)
    return amplitude + moving.middle[row] + moving.slope[row] * (time - 0.5 * moving.steps[row]), push


@inlined
def with_field(moving, row, amplitude):  # type: ignore[no-untyped-def]
    """The cavity's whole field at the start of step ``row``."""
    if moving is None:
        return amplitude
    return amplitude + moving.ends[row]


@inlined
def turned(moving, row, start, elapsed, model):  # type: ignore[no-untyped-def]
    """By how much the spin has precessed about z, ``elapsed`` after ``start``."""
    if moving is None:
        return model[1] * elapsed
    return _integral(moving.rates, row, 0, start, start + elapsed)


@inlined
def turning(turn):  # type: ignore[no-untyped-def]
    """How fast the frame turns, from the derivative of its axes."""
    square = 0.0
    for i in range(3):
        for k in range(3):
            square += turn[i, k] * turn[i, k]
    return math.sqrt(0.5 * square)


@inlined
def halves(moving, row, start, h, model):  # type: ignore[no-untyped-def]
    """The factors by which a field in the cavity decays and turns in the halves of a step of length h."""
    if moving is None:
        half = np.exp(-0.5 * h * (model[3] + 1j * model[2]))
        return half, half
    middle = start + 0.5 * h
    return _decay_of(moving.rates, row, start, middle), _decay_of(moving.rates, row, middle, start + h)


@inlined
def later(moving, decay):  # type: ignore[no-untyped-def]
    """Where the table of the second half's factors begins; 0 if there is only one."""
    if moving is None:
        return 0
    return decay.size // 2


@inlined
def _rates_at(rates, row, time, model):  # type: ignore[no-untyped-def]
    for column in range(5):
        model[1 + column] = rates[row, 0, column] + time * (rates[row, 1, column] + time * rates[row, 2, column])
    x = rates[row, 0, 5] + time * (rates[row, 1, 5] + time * rates[row, 2, 5])
    y = rates[row, 0, 6] + time * (rates[row, 1, 6] + time * rates[row, 2, 6])
    return x, y


@inlined
def _integral(rates, row, column, start, stop):  # type: ignore[no-untyped-def]
    """The integral of a rate over a part of step ``row``."""
    first, second = stop - start, 0.5 * (stop * stop - start * start)
    third = (stop * stop * stop - start * start * start) / 3
    return rates[row, 0, column] * first + rates[row, 1, column] * second + rates[row, 2, column] * third


@inlined
def _decay_of(rates, row, start, stop):  # type: ignore[no-untyped-def]
    return np.exp(-(_integral(rates, row, 2, start, stop) + 1j * _integral(rates, row, 1, start, stop)))


class GaussianField:
    r"""Paths of :math:`dx = -ax\,dt + f\,dt + dB`, :math:`E|dB|^2 = \Gamma dt`, :math:`E\,dB^2 = M dt`.

    a, f, Γ and M are parabolas in each step. The moments of x in a step, and its value at the end, are drawn exactly
    and jointly (see ``noise``).

    Args:
        steps: lengths.
        a: complex rates at the nodes of each step, (steps, 3).
        spread: Γ there, or None for none.
        push: f there, or None for none.
        squeezing: M there, or None for none; where rounding makes |M| > Γ it is taken for Γ.
    """

    def __init__(
        self,
        steps: NDArray[np.float64],
        a: NDArray[np.complex128],
        spread: NDArray[np.float64] | None,
        push: NDArray[np.complex128] | None,
        squeezing: NDArray[np.complex128] | None = None,
    ) -> None:
        self.steps = steps
        self.mean, self.drift = (np.zeros((steps.size, 3), dtype=np.complex128) for _ in range(2))
        self.root = np.zeros((steps.size, 3, 3), dtype=np.complex128)
        self.noisy = spread is not None and bool(spread.any())
        rates = parabolas(a, steps)
        spreads = parabolas(spread, steps) if spread is not None and self.noisy else None
        pushes, squeezings = (None if part is None else parabolas(part, steps) for part in (push, squeezing))
        #: From six real normals to the real and imaginary parts of (x(h), I0, I1), if they are not circular.
        self.skew = None if squeezing is None else np.zeros((steps.size, 6, 6))
        for first in range(0, steps.size, BLOCK):
            rows = slice(first, first + BLOCK)
            parts = (rates, spreads, pushes, squeezings)
            self._fill(rows, *(None if part is None else part[rows] for part in parts))

    def _fill(self, rows: slice, rates: Any, spreads: Any, pushes: Any, squeezings: Any) -> None:
        """Mean factors, drift and root of the covariance of (x(h), I0, I1) for some steps."""
        h = self.steps[rows]
        nodes, weights = np.polynomial.legendre.leggauss(ORDER)
        nodes, weights = (nodes + 1) / 2, weights / 2
        starts = h[:, None] * np.append(0.0, nodes)
        responses = _responses(rates, h, starts, nodes, weights)  # (steps, starts, 3)
        self.mean[rows] = responses[:, 0]
        inside, at = responses[:, 1:], starts[:, 1:]
        if pushes is not None:
            self.drift[rows] = np.einsum("snm,sn,n,s->sm", inside, _polynomial(pushes, at), weights, h)
        if spreads is not None and self.skew is not None:
            share = weights * h[:, None]
            noises = _axes_of(_polynomial(spreads, at) * share, _polynomial(squeezings, at) * share)
            kicks = inside[:, :, None, :] * noises[..., None]  # (steps, starts, two real noises, 3)
            kicks = kicks.reshape(h.size, -1, 3)
            upper: Any = np.linalg.qr(np.concatenate([kicks.real, kicks.imag], axis=-1), mode="r")
            self.skew[rows] = np.swapaxes(upper, 1, 2)
        elif spreads is not None:
            sizes = np.sqrt(np.maximum(_polynomial(spreads, at), 0.0) * weights * h[:, None])
            triangles: Any = np.linalg.qr((inside * sizes[:, :, None]).conj(), mode="r")
            self.root[rows] = np.swapaxes(triangles.conj(), 1, 2)

    def sample(self, rng: np.random.Generator, start: complex) -> tuple[NDArray[np.complex128], ...]:
        """A path from ``start``: its line in each step (middle, slope), and its value at the start and the ends.

        Six real normals per step are drawn if there is noise, and none otherwise.
        """
        shape = (self.steps.size, 6)
        drawn, drift = rng.standard_normal(shape) if self.noisy else np.zeros(shape), self.drift
        if self.skew is not None:
            kicks = np.einsum("sij,sj->si", self.skew, drawn)
            drift, drawn = drift + kicks[:, :3] + 1j * kicks[:, 3:], np.zeros(shape)
        normals = drawn.view(np.complex128) / np.sqrt(2)
        middle, slope = (np.empty(self.steps.size, dtype=np.complex128) for _ in range(2))
        ends = np.empty(self.steps.size + 1, dtype=np.complex128)
        _walk(complex(start), normals, self.mean, drift, self.root, self.steps, middle, slope, ends)
        return middle, slope, ends


def _axes_of(spread: Any, squeezing: Any) -> Any:
    """Factors u, v of two real unit normals in a complex number with E|x|² = spread and E x² = squeezing: (..., 2)."""
    size = np.minimum(np.abs(squeezing), spread)
    turn = np.exp(0.5j * np.angle(squeezing))
    halves = np.sqrt(np.maximum(np.stack([spread + size, spread - size], axis=-1), 0.0) / 2)
    return halves * np.array([1.0, 1j]) * turn[..., None]


def _polynomial(powers: Any, time: Any) -> Any:
    """Parabolas of each step at ``time`` (steps, ...)."""
    c = powers.reshape(*powers.shape, *[1] * (time.ndim - 1))
    return c[:, 0] + time * (c[:, 1] + time * c[:, 2])


def _decays(rates: Any, start: Any, stop: Any) -> Any:
    """exp(−∫ a) from ``start`` to ``stop``."""
    c = rates.reshape(*rates.shape, *[1] * (stop.ndim - 1))
    parts = [c[:, power] * (stop ** (power + 1) - start ** (power + 1)) / (power + 1) for power in range(3)]
    return np.exp(-(parts[0] + parts[1] + parts[2]))


def _responses(rates: Any, h: Any, starts: Any, nodes: Any, weights: Any) -> NDArray[np.complex128]:
    """End value, I0 and I1 that follow from unit impulses at ``starts``: (steps, starts, 3)."""
    left = h[:, None] - starts
    times = starts[:, :, None] + left[:, :, None] * nodes
    values = _decays(rates, starts[:, :, None], times)
    lever = times - h[:, None, None] / 2
    ends = _decays(rates, starts, np.broadcast_to(h[:, None], starts.shape))
    return np.stack([ends, left * (values @ weights), left * ((values * lever) @ weights)], axis=-1)


@compiled
def _walk(start, normals, mean, drift, root, steps, middle, slope, ends):  # type: ignore[no-untyped-def]
    value = start
    ends[0] = value
    for i in range(steps.size):
        m, d, r, x, h = mean[i], drift[i], root[i], normals[i], steps[i]
        middle[i] = (m[1] * value + d[1] + r[1, 0] * x[0] + r[1, 1] * x[1]) / h
        slope[i] = 12 * (m[2] * value + d[2] + r[2, 0] * x[0] + r[2, 1] * x[1] + r[2, 2] * x[2]) / h**3
        value = m[0] * value + d[0] + r[0, 0] * x[0]
        ends[i + 1] = value
