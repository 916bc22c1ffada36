"""One evolution of a closed system, whose basis grows with the field."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.integration import Watch
from opendicke.master.density import pure_start
from opendicke.master.driven_liouvillian import longest_step
from opendicke.master.pure import Hamiltonian, bounds, displaced, evolved
from opendicke.methods.cutoffs import (
    asked_cutoffs,
    classical_field,
    coherent_cutoff,
    first_cutoffs,
    next_cutoff,
    one_or_all,
)
from opendicke.problem import Problem
from opendicke.states import EntangledSpins, is_coherent

if TYPE_CHECKING:
    from opendicke.methods.schroedinger import Schroedinger

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Longest piece of the evolution, in units of one over half the width of H: the cutoff is looked at after each.
PIECE = 80.0
#: A displaced basis is taken if it has fewer levels than this part of the plain one: it is a loss where a state spreads
#: further than mean field does, and a gain near superradiant states of many atoms.
WORTH_IT = 0.25
#: The norm is conserved; one that is off by more than this is a failure.
NORM_TOLERANCE = 1e-6


class Evolution:
    """The state of a closed system in time.

    Args:
        options: of the method.
        problem: what evolves.
        clock: told of every piece.

    Attributes:
        centres: the amplitude of each mode from which photons are counted.
        photons: the cutoffs by now.
    """

    def __init__(self, options: Schroedinger, problem: Problem, clock: Watch) -> None:
        self.options, self.problem, self.clock = options, problem, clock
        self._moving = bool(problem.system.moving)
        self.centres, guess = _centred(problem, options.max_top_population, clock)
        self._asked = asked_cutoffs(options.photons, problem.system)
        self.photons = self._asked or guess
        self._system, self._offset = problem.system, 0.0
        if any(self.centres):
            self._system, self._offset = displaced(problem.system, self.centres)
        self._top, self._norm, self._most = np.zeros(len(self.photons)), 0.0, 0
        self._energies: list[float] = []
        self._half = 0.0
        self._tops: list[NDArray[np.intp]] = []

    def states(self) -> Iterator[Complex]:
        """ψ at each of the problem's times: shape (N+1, …, F, …)."""
        times, stop = self.problem.times, float(self.problem.times[-1])
        while True:
            if refusal := self.options.too_large(self._system, self.photons):
                raise refusal
            psi, missing = pure_start(self.problem, self.photons, self.centres)
            if not self._overflows(missing, 0.0):
                break
        self._settle(psi)
        now, pending = 0.0, 0
        for end in sorted({0.0, *times.tolist(), *self.problem.system.kinks(stop)}):
            while now < end:
                now = self._piece(now, end)
            if end == times[pending]:
                pending += 1
                yield self._whole()

    def attrs(self) -> dict[str, Any]:
        """What there is to say of it."""
        return {
            "photons": one_or_all(self.photons),
            "top_population": one_or_all(tuple(self._top.tolist())),
            "centre": one_or_all(self.centres),
            "states": self._most,
            "norm_drift": self._norm,
            "energy_drift": math.nan if self._moving else float(np.ptp(self._energies)),
        }

    def _piece(self, now: float, end: float) -> float:
        """Advance towards ``end``; the time that is reached: ``now`` if the cutoff had to be raised first."""
        pieces = max(1, math.ceil(self._half * (end - now) / PIECE))
        later = end if pieces == 1 else now + (end - now) / pieces
        self.clock.check(now)
        psi = self._integrated(now, later) if self._moving else self._exponential(later - now)
        populations = np.array([(np.abs(psi[top]) ** 2).sum() for top in self._tops])
        if self._overflows(populations, later):
            if refusal := self.options.too_large(self._system, self.photons):
                raise refusal
            whole = self._whole()
            spare = [(0, 0)] * len(self._hamiltonian.atoms)
            spare += [(0, new - old) for new, old in zip(self.photons, self._hamiltonian.photons, strict=True)]
            self._settle(np.pad(whole, spare).ravel())
            return now
        self._psi, self._top = psi, np.maximum(self._top, populations)
        self._norm = max(self._norm, abs(float(np.vdot(psi, psi).real) - 1))
        if self._norm > NORM_TOLERANCE:
            raise RuntimeError(f"the norm is off by {self._norm:.1e} at t = {later:g}, and it is conserved.")
        return later

    def _overflows(self, populations: Real, time: float) -> bool:
        """Whether a cutoff is too low; it is raised then, or refused if it was asked for."""
        high = populations > self.options.max_top_population
        if not high.any():
            return False
        if self._asked:
            expected = f"a cutoff whose top level stays below max_top_population = {self.options.max_top_population:g}"
            got = f"{one_or_all(self._asked)} (population {populations.max():.1e} at t = {time:.4g})"
            raise checks.refuse("photons", expected, got, "Pass photons=None to have it chosen.")
        self.photons = tuple(next_cutoff(one) if late else one for one, late in zip(self.photons, high, strict=True))
        return True

    def _settle(self, psi: Complex) -> None:
        """Build H at this cutoff, on the states that can be reached from ``psi``."""
        self._hamiltonian = Hamiltonian(self._system, self.photons)
        # integrators take all: the matrices of what moves are summed anew at every time
        self._kept = np.arange(psi.size) if self._moving else self._hamiltonian.reached(psi)
        self._psi, self._tops = psi[self._kept], self._hamiltonian.tops(self._kept)
        self._apply = self._hamiltonian.apply(self._kept)
        self._ends = bounds(self._apply, self._kept.size)
        self._half = 0.5 * (self._ends[1] - self._ends[0])
        self._most = max(self._most, self._kept.size)

    def _exponential(self, time: float) -> Complex:
        """ψ that much later, of a system whose rates are constant."""
        return evolved(self._apply, self._psi, time, self._ends)

    def _integrated(self, now: float, later: float) -> Complex:
        """ψ at ``later``, of a system whose rates move."""
        from scipy.integrate import DOP853

        hamiltonian, first, last = self._hamiltonian, math.nextafter(now, later), math.nextafter(later, now)

        def flow(time: float, y: Real) -> Real:
            hamiltonian.set(min(max(time, first), last))  # at its ends a rate may jump
            return hamiltonian.flow(y)

        options = {"rtol": self.options.rtol, "atol": self.options.atol, "max_step": longest_step(self._system)}
        solver = DOP853(flow, now, self._psi.view(np.float64), later, **options)
        while solver.status == "running":
            message = solver.step()
        if solver.status == "failed":
            raise RuntimeError(f"the integrator stopped at t = {solver.t:g}: {message}")
        y: Real = solver.y
        return y.view(np.complex128)

    def _whole(self) -> Complex:
        """ψ on the whole basis; its energy is noted."""
        if not self._moving:
            mean = float(np.vdot(self._psi, self._apply(self._psi)).real)
            self._energies.append(mean / float(np.vdot(self._psi, self._psi).real) + self._offset)
        whole = np.zeros(self._hamiltonian.size, dtype=np.complex128)
        whole[self._kept] = self._psi
        return whole.reshape(self._hamiltonian.dims)


def _centred(problem: Problem, bound: float, clock: Watch) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """The amplitude of each mode from which photons are best counted, and first cutoffs."""
    plain, nowhere = first_cutoffs(problem, bound, clock), (0.0,) * len(problem.system.modes)
    simple = problem.system.is_everyday and not isinstance(problem.start, EntangledSpins)
    if not simple or not is_coherent(problem.state):
        return nowhere, plain
    alpha = math.sqrt(problem.model.n_atoms) * classical_field(problem, clock)
    centre = 0.5 * float(alpha.real.min() + alpha.real.max())
    cutoff = coherent_cutoff((1 + float(np.abs(alpha - centre).max())) ** 2)
    return ((centre,), (cutoff,)) if cutoff < WORTH_IT * plain[0] else (nowhere, plain)
