"""Modes of the Liouvillian near 0, at one photon cutoff after the other: what steady states and spectra are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke.master.corner import Corner, TwoLevel
from opendicke.master.davidson import CAPACITY, Mode, NotConverged, modes_near
from opendicke.master.liouvillian import Exact, Resolvent, Sector
from opendicke.model import DickeModel
from opendicke.phases.fixed_points import fixed_points
from opendicke.problem import Progress
from opendicke.progress import meter

#: The shift of the eigenvalue problem in units of kappa: near 0, where the slow modes are, and right of all of them.
SHIFT = 0.03
#: Largest residual of the steady state in units of kappa, or of the gap where that is smaller.
TOLERANCE = 1e-10
#: Largest residual of the other modes, in units of kappa.
MODE_TOLERANCE = 1e-7
#: The first search for a steady state makes a corner of what it has at these residuals, in units of kappa, and so far
#: takes this part of the photons.
STAGES = ((0.01, 0.7), (1e-4, 1.0))
#: Least trace of a unit vector that is a state, where 1 is the least possible; other modes have next to none.
LEAST_TRACE = 0.9
#: Modes looked at for one with a trace.
MOST_TRIED = 3
#: Residual of the second mode relative to its eigenvalue that is enough to know the gap.
GAP_TOLERANCE = 0.03
#: The second run, which tells the error, has residuals this much smaller.
FINER = 0.1
#: Residuals below this times the norm of L are rounding.
ROUNDING = 2 * float(np.finfo(float).eps)
#: Smallest population that is told from rounding.
LEAST_POPULATION = 1e-14
#: Sectors up to this size are factorised.
SMALL_SECTOR = 2500
#: Vectors as long as one sector in use besides the basis of the iteration.
OTHER_VECTORS = 12
#: Vectors in memory for each mode wanted.
VECTORS_PER_MODE = 5


@dataclass(frozen=True)
class Steady:
    """A steady state at one cutoff: ρ of shape (N+1, F, N+1, F), its residual, the population of its top level, the
    gap (NaN where it was not asked for) and the states that carry it."""

    photons: int
    rho: NDArray[np.complex128]
    residual: float
    top: float
    corner: Corner
    gap: float = math.nan


@dataclass(frozen=True)
class SlowModes:
    """Finds modes of one model at any cutoff.

    Args:
        model: the model, with a unique steady state.
        max_memory: memory that may be taken, in GiB.
        progress: who is told.
        wanted: most modes that will be asked for in a sector.
        tolerance: largest residual of the steady state in units of kappa, or of the gap where that is smaller; None
            for 1e-10.
    """

    model: DickeModel
    max_memory: float
    progress: Progress | bool | None
    wanted: int = 2
    tolerance: float | None = None
    made: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def accepted(self, photons: int, bound: float, fixed: bool) -> Steady | None:
        """The steady state at this cutoff or, unless it is ``fixed``, the first larger one that holds it.

        A cutoff holds it if the population of the top level is below ``bound``; where the gap is smaller than κ, a
        cutoff that is chosen here must do so much better, because the error goes with one over the gap. None for one
        that is fixed and too small.
        """
        state: Steady | None = None
        while True:
            state = self.steady(photons, state)
            if state.top <= bound:
                state = replace(state, gap=self._gap(state))
                slow = min(1.0, state.gap / self.model.kappa)
                if fixed or state.top <= max(LEAST_POPULATION, bound * slow):
                    return self.steady(photons, state) if slow < 1 else state
            elif fixed:
                return None
            photons = next_cutoff(photons)

    def steady(self, photons: int, guess: Steady | None = None, finer: float = 1.0) -> Steady:
        """The steady state, from one at another cutoff or with another residual."""
        gap = math.nan if guess is None else guess.gap
        slow = 1.0 if math.isnan(gap) else min(1.0, gap / self.model.kappa)
        sector = self._sector(photons, "even")
        kappa, wanted = self.model.kappa, TOLERANCE if self.tolerance is None else self.tolerance
        tolerance = max(wanted * kappa * slow, ROUNDING * norm(sector)) * finer
        corner, rho, rough = None, None, []
        if guess is not None:
            corner, rho = guess.corner, guess.rho
        elif sector.size > SMALL_SECTOR:  # a rough state has a corner already, which makes the rest quicker
            rough = [(stage * kappa, math.ceil(part * photons)) for stage, part in STAGES]
        for stage, cutoff in rough:
            rho, _ = self._state(cutoff, corner, rho, max(stage, tolerance), 1)
            if rho is None:  # another mode came first: start again, without haste
                corner = None
                break
            corner = Corner(self._sector(cutoff, "even"), rho)
        rho, residual = self._state(photons, corner, rho, tolerance, MOST_TRIED)
        if rho is None:
            raise RuntimeError(f"the steady state of {self.model} with {photons} photons: only traceless modes found")
        top = float(np.einsum("nn->", rho[:, -1, :, -1]).real)
        return Steady(photons, rho, residual, top, Corner(sector, rho), gap)

    def _state(
        self, photons: int, corner: Corner | None, rho: NDArray[np.complex128] | None, tolerance: float, most: int
    ) -> tuple[NDArray[np.complex128] | None, float]:
        """The first of up to ``most`` even modes that has a trace, made 1, and its residual; None if there is none.

        Modes that decay are traceless, but may be all that a search has found yet.
        """
        sector = self._sector(photons, "even")
        start = None if rho is None else sector.vector(_padded(rho, photons))
        for count in range(1, most + 1):
            for mode in self._modes(sector, corner, start, count, tolerance):
                found = sector.density_matrix(mode.vector.real)
                trace = np.einsum("nfnf->", found)
                if abs(trace) >= LEAST_TRACE:
                    return found / trace, mode.residual
        return None, math.nan

    def slowest(self, parity: str, count: int, state: Steady) -> list[Mode]:
        """The modes of one sector nearest to 0, at the cutoff of a steady state."""
        sector = self._sector(state.photons, parity)
        start = sector.vector(state.rho) if parity == "even" else None
        return self._modes(sector, state.corner, start, count, self._mode_tolerance(sector))

    def checked(self, parity: str, modes: list[Mode], state: Steady) -> list[Mode]:
        """The same ``modes`` with more photons and a smaller residual.

        The first even one is the steady state, whose eigenvalue is 0: here it need not be known better than to be told
        from the next.
        """
        small = self._sector(state.photons, parity)
        sector = self._sector(second_cutoff(state.photons), parity)
        parts = [part for mode in modes[::-1] for part in _parts(mode, modes)]
        wide = [sector.vector(_padded(small.density_matrix(part), sector.levels - 1)) for part in parts]
        tolerance = FINER * self._mode_tolerance(sector)
        steady = parity == "even" and len(modes) > 1
        first = max(tolerance, GAP_TOLERANCE * abs(modes[1].eigenvalue)) if steady else None
        return self._modes(sector, state.corner, np.array(wide), len(modes), tolerance, first=first)

    def _mode_tolerance(self, sector: Sector) -> float:
        wanted = TOLERANCE if sector.size <= SMALL_SECTOR else MODE_TOLERANCE  # a step costs little in a small one
        return float(max(wanted * self.model.kappa, ROUNDING * norm(sector)))

    def _gap(self, state: Steady) -> float:
        """The smallest decay rate in the even sector, to a few per cent."""
        sector = self._sector(state.photons, "even")
        start = sector.vector(state.rho)
        tolerance = max(2 * state.residual, TOLERANCE * self.model.kappa)
        modes = self._modes(sector, state.corner, start, 2, tolerance, GAP_TOLERANCE)
        return max(-modes[1].eigenvalue.real, ROUNDING * norm(sector))

    def rounding(self, photons: int) -> float:
        """What floating-point numbers leave of L ρ = 0, in units of the rates: over the gap, an error of ρ."""
        return ROUNDING * norm(self._sector(photons, "even"))

    def _sector(self, photons: int, parity: str) -> Sector:
        needed = memory_needed(self.model.n_atoms, photons, self.wanted) / 2**30
        if needed > self.max_memory:
            raise ValueError(
                f"n_atoms: the steady state of {self.model.n_atoms} atoms with up to {photons} photons needs "
                f"{needed:.3g} GiB, more than max_memory = {self.max_memory:g} GiB. Use NuHOPS for long times, whose "
                "cost does not grow with N."
            )
        if (photons, parity) not in self.made:
            self.made[photons, parity] = Sector(self.model, photons, parity)
        sector: Sector = self.made[photons, parity]
        return sector

    def _inverse(self, sector: Sector, corner: Corner | None) -> Any:
        """About the inverse of L - s: exact if the sector is small, better with a corner than without."""
        shift, photons = SHIFT * self.model.kappa, sector.levels - 1
        if sector.size <= SMALL_SECTOR:
            return Exact(sector, shift)
        if photons not in self.made:
            self.made[photons] = Resolvent(sector, shift)
        fine = self.made[photons].of(sector)
        return fine if corner is None else TwoLevel(fine, corner)

    def _modes(
        self,
        sector: Sector,
        corner: Corner | None,
        start: NDArray[np.float64] | None,
        count: int,
        tolerance: float,
        relative: float = 0.0,
        first: float | None = None,
    ) -> list[Mode]:
        """The modes of one sector nearest to 0, from ``start`` (vectors in rows), else from the modes of the corner."""
        inverse, parity = self._inverse(sector, corner), "odd" if sector.pairs[0] == (0, 1) else "even"
        starts = list(np.atleast_2d(start)) if start is not None else []
        if isinstance(inverse, TwoLevel) and len(starts) < count:
            starts = [*inverse.starts(count)[::-1], *starts]
        if not starts:
            starts = [inverse(np.random.default_rng(0).standard_normal(sector.size))]
        bar = meter(self.progress)
        bar.start(0, "step", f"{parity} modes, {sector.levels - 1} photons")

        def advance(steps: int, residual: float) -> None:
            bar.advance(steps, residual=f"{residual:.1e}")

        try:
            return modes_near(
                sector,
                inverse,
                SHIFT * self.model.kappa,
                np.array(starts),
                count,
                tolerance=tolerance,
                relative=relative,
                first=first,
                capacity=max(CAPACITY, VECTORS_PER_MODE * count),
                report=advance,
            )
        except NotConverged as problem:
            message = f"the {parity} modes of {self.model} with {sector.levels - 1} photons: {problem}"
            raise RuntimeError(message) from problem
        finally:
            bar.close()


def _parts(mode: Mode, modes: list[Mode]) -> list[NDArray[np.float64]]:
    """The real vectors that a mode contributes: of a conjugate pair among ``modes`` the first gives both."""
    value = mode.eigenvalue
    if value.imag == 0:
        return [mode.vector.real]
    told = value.imag < 0 and any(abs(other.eigenvalue - value.conjugate()) < 1e-6 * abs(value) for other in modes)
    return [] if told else [mode.vector.real, mode.vector.imag]


def _padded(rho: NDArray[np.complex128], photons: int) -> NDArray[np.complex128]:
    more = photons + 1 - rho.shape[1]
    return np.pad(rho, ((0, 0), (0, more), (0, 0), (0, more)))


def norm(sector: Sector) -> float:
    """A bound on the norm of L: the largest sums of its rows."""
    energies = max(float(abs(part).sum(axis=1).max()) for part in sector.hamiltonian)
    return 2 * energies + 4 * max(float(part.max()) for part in sector.decay)


def memory_needed(n_atoms: int, photons: int, modes: int = 2) -> float:
    """Bytes that the modes of a sector take."""
    total = float((n_atoms + 1) * (photons + 1)) ** 2
    vectors = 2 * max(CAPACITY, VECTORS_PER_MODE * modes) + OTHER_VECTORS + 2 * modes
    return 8 * (total / 2) * vectors + 16 * total


def first_cutoff(model: DickeModel) -> int:
    """A coherent state as large as the largest mean-field solution, critical fluctuations, and room for the tail."""
    largest = max((model.n_atoms * abs(point.beta) ** 2 for point in fixed_points(model)), default=0.0)
    return math.ceil(largest + 6 * math.sqrt(largest + math.sqrt(model.n_atoms))) + 4


def next_cutoff(photons: int) -> int:
    """The cutoff to try after one that was too small."""
    return photons + max(4, photons // 5)


def second_cutoff(photons: int) -> int:
    """The cutoff of the run that tells the error."""
    return photons + max(2, photons // 10)
