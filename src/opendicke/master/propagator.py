"""Small stiff master equations: dense matrices of the evolution by h, 2h, 4h, ... instead of steps of an integrator."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from opendicke.integration import Watch
from opendicke.master.liouvillian import Sector
from opendicke.model import DickeModel

Real = NDArray[np.float64]

#: A model is stiff if its fastest rate is this much larger than the slowest that is not 0
#: (of atoms, cavity and the larger coupling).
STIFF = 100.0
#: Largest sector that is kept as dense matrices.
LARGEST = 1000
#: A block is 2 to this power fine steps: the top population is known at each, and costs one product for all.
DOUBLINGS = 10
#: Dense matrices of each sector alive at once: the powers, and work space.
MATRICES = DOUBLINGS + 8
#: Cost of a step of setting up, in units of n³ (products and solving), and how many there are.
SECONDS_PER_PRODUCT, PRODUCTS = 2e-10, 2 * (DOUBLINGS + 12)


def is_stiff(model: DickeModel) -> bool:
    """Whether the rates of ``model`` differ so much that an explicit integrator follows what nobody asked for."""
    rates = [abs(model.omega_a), abs(complex(model.kappa, model.omega_c)), max(abs(model.g_minus), abs(model.g_plus))]
    moving = [rate for rate in rates if rate > 0]
    return bool(moving) and max(moving) >= STIFF * min(moving)


def sector_size(n_atoms: int, photons: int) -> int:
    """Numbers in the larger sector of parity."""
    return (((n_atoms + 1) * (photons + 1)) ** 2 + 1) // 2


def setup_cost(n_atoms: int, photons: int) -> tuple[float, float]:
    """Seconds and bytes that the matrices of a model take."""
    size = float(sector_size(n_atoms, photons))
    return PRODUCTS * SECONDS_PER_PRODUCT * size**3, 8 * 2 * MATRICES * size**2


class Powers:
    r"""The evolution of one sector, :math:`e^{2^jhL}`, j = 0, ..., ``DOUBLINGS``, for :math:`h\|L\|_1 \le 1`.

    Args:
        sector: what evolves.
        step: h.
        clock: told between the products.
    """

    def __init__(self, sector: Sector, step: float, clock: Watch) -> None:
        from scipy.linalg import expm

        self.step, self.generator = step, sector.matrix().toarray()
        self.steps: list[Real] = [expm(step * self.generator)]
        for _ in range(DOUBLINGS):
            clock.check(0.0)
            self.steps.append(self.steps[-1] @ self.steps[-1])

    def block(self, vector: Real) -> Real:
        """The state a block later."""
        later: Real = self.steps[-1] @ vector
        return later

    def after(self, vector: Real, time: float) -> Real:
        """The state ``time`` later, less than a block."""
        count = min(int(time / self.step), 2**DOUBLINGS - 1)
        for power in range(DOUBLINGS):
            if count >> power & 1:
                vector = self.steps[power] @ vector
        rest, term, order = time - count * self.step, vector, 0
        while np.linalg.norm(term) > 1e-17 * np.linalg.norm(vector):  # falls as 1/order!
            order += 1
            term = (rest / order) * (self.generator @ term)
            vector = vector + term
        return vector

    def watched(self, functional: Real) -> Real:
        """Rows that give a linear functional of the state at each fine step of a block."""
        rows = functional[None, :]
        for power in range(DOUBLINGS):
            rows = np.concatenate([rows, rows @ self.steps[power]])
        return rows


def evolve(
    model: DickeModel, photons: int, start: Real, times: Real, clock: Watch
) -> Iterator[tuple[float, float, Real | None]]:
    """A = Re ρ + Im ρ, flat, at each of ``times``, all > 0, in order.

    Yields:
        a time; the largest top population since the time before, at every fine step; and A, or None at the end of a
        block without one of the ``times``.
    """
    total = (model.n_atoms + 1) * (photons + 1)
    sectors = [Sector(model, photons, parity) for parity in ("even", "odd")]
    places = [_places(sector, total) for sector in sectors]
    step = 1.0 / max(float(abs(sector.matrix()).sum(axis=0).max()) for sector in sectors)
    powers = [Powers(sector, step, clock) for sector in sectors]
    top = np.zeros((total, total))
    at = np.arange(photons, total, photons + 1)
    top[at, at] = 1.0
    rows = powers[0].watched(top.ravel()[places[0]])  # populations are even
    parts = [start[place] for place in places]
    length, pending = step * 2**DOUBLINGS, 0
    for block in range(math.floor(times[-1] / length) + 1):
        begin, done = block * length, 0
        clock.check(begin)
        populations = rows @ parts[0]
        inside = int(np.searchsorted(times, begin + length, side="left"))
        for time in times[pending:inside]:
            state = np.empty_like(start)
            for place, power, part in zip(places, powers, parts, strict=True):
                state[place] = power.after(part, time - begin)
            before = math.floor((time - begin) / step) + 1
            yield float(time), float(populations[done:before].max(initial=state[top.ravel() > 0].sum())), state
            done = min(before, len(populations))
        pending = inside
        if pending < len(times):
            yield begin + length, float(populations[done:].max(initial=0.0)), None
            parts = [power.block(part) for power, part in zip(powers, parts, strict=True)]


def _places(sector: Sector, total: int) -> NDArray[np.intp]:
    """Where the numbers of a sector's vector are in the flat matrix A."""
    return np.concatenate([np.add.outer(sector.states[p] * total, sector.states[q]).ravel() for p, q in sector.pairs])
