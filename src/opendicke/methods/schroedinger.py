"""Closed systems: Schrödinger's equation for the pure state of spins and modes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from opendicke import checks, signals
from opendicke.integration import Watch, check_duration, check_tolerances
from opendicke.master.driven_liouvillian import pace
from opendicke.master.pure import Moments, half_width
from opendicke.methods.closed_evolution import Evolution
from opendicke.methods.cutoffs import asked_cutoffs, check_photons, first_cutoffs, next_cutoff, one_or_all
from opendicke.methods.sampled import kept_matrices, kept_rows
from opendicke.model import Model, check_model
from opendicke.observables.catalogue import channel_words, channels_from_means, from_channels, of_parts
from opendicke.problem import Executor, Limits, Problem, Progress, Solution
from opendicke.shown import Shown
from opendicke.states import SpinCoherent
from opendicke.system import System, as_system, fastest_rate
from opendicke.words import Word

#: Bytes for each amplitude: H, the vectors of the series, and some thirty that means are made of.
BYTES_PER_AMPLITUDE = 700
#: Time of a product with H and what goes with it, for each amplitude (measured at N = 50, 100 photons), and at least.
SECONDS_PER_AMPLITUDE, SECONDS_PER_PRODUCT = 1e-7, 3e-5
#: What to do where photons are lost.
LOSSY = "Lindblad for small N, or NuHOPS, take losses; with kappa = 0 in all modes it is the closed system."


@dataclass(frozen=True)
class Schroedinger(Shown):
    r"""Closed systems, κ = 0: the pure state of spins and modes, for N up to hundreds.

    .. math:: i\,\frac{d}{dt}|\psi\rangle = H(t)\,|\psi\rangle

    with H of :class:`opendicke.DickeModel` or of an :class:`opendicke.System`, moving in time or not. The only
    approximation is each mode's highest photon number, which is watched, and raised on the way; constant models are
    evolved by Chebyshev polynomials of H, to rounding, others by an integrator with its tolerances. What is conserved
    (parity, the number of excitations) is found and leaves the states out that are not reached. Where the field stays
    around an amplitude other than 0 in mean field, photons are counted from there.
    A run costs (N+1) photons times the width of H, where the master equation's costs the square of the first.

    Args:
        photons: highest photon number kept, >= 1, for all modes or one for each, counted from ``centre``; None raises
            that of each mode until the bound below holds.
        rtol: relative tolerance of the integrator (moving rates), 2.3e-14 to 0.1.
        atol: absolute tolerance on the amplitudes, 1e-20 to 0.1.
        max_top_population: largest population of a mode's highest photon number, >= 1e-14 and < 1.
        max_memory: memory that a run may take, in GiB.
        keep_states: some of the ``times``; also return the spin's density matrix there, ``rho_spin``, as ``Lindblad``
            does. With one spin only.

    Returns (from :func:`opendicke.solve`), in the Dataset's attrs:
        ``photons`` and ``top_population``; ``centre``, the amplitude from which photons are counted;
        ``states``, how many of the basis are reached; ``norm_drift`` and ``energy_drift``: the largest
        changes of :math:`\langle\psi|\psi\rangle` and, for constant rates (else NaN), of :math:`\langle H\rangle`,
        which are conserved.

    Raises:
        ValueError, TypeError: for an option out of range; for κ > 0 and mixed initial states; for ``photons`` that are
            too few, or more memory than ``max_memory``; for a last time beyond 1e8 over the fastest rate.
        RuntimeError: if the norm is not conserved.
        TimeoutError: if the ``timeout`` of :func:`opendicke.solve` is over before the last time is reached.

    Source: H. Tal-Ezer and R. Kosloff, J. Chem. Phys. 81, 3967 (1984) (Chebyshev polynomials).

    >>> import opendicke as od
    >>> model = od.DickeModel.tavis_cummings(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=0.5)
    >>> result = od.solve(model, od.Inverted(), [0.0, np.pi / 2, np.pi], Schroedinger())
    >>> (result.Sz.values + 0.5).round(6) + 0.0  # vacuum Rabi oscillations, cos²(g t)
    array([1. , 0.5, 0. ])
    >>> result.attrs["states"]
    2
    """

    photons: int | tuple[int, ...] | None = None
    rtol: float = 1e-10
    atol: float = 1e-12
    max_top_population: float = 1e-12
    max_memory: float = 4.0
    keep_states: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "photons", check_photons(self.photons))
        check_tolerances(self)
        checks.set_real(self, "max_memory", above=0.0)
        checks.set_real(self, "max_top_population", above=0.0)
        if not 1e-14 <= self.max_top_population < 1:
            expected = "a number >= 1e-14 (less is lost in rounding) and < 1"
            raise checks.refuse("max_top_population", expected, self.max_top_population)
        object.__setattr__(self, "keep_states", checks.some_times("keep_states", self.keep_states))

    def limits(self, model: Model) -> Limits:
        """Limited to κ = 0, and by ``max_memory``; see :class:`opendicke.problem.Limits`."""
        check_model(model)
        system = as_system(model)
        if refusal := _lossy(system):
            return Limits(False, True, str(refusal), 0.0, 0.0)
        stop = 10 / (fastest_rate(system) or 1.0)
        typical = Problem(model, SpinCoherent(math.pi / 4, math.pi), np.linspace(0.0, stop, 2))
        guessed = first_cutoffs(typical, self.max_top_population)
        photons = asked_cutoffs(self.photons, system) or tuple(map(next_cutoff, guessed))
        size, told = _size(system, photons), ", ".join(map(str, photons))
        refused = self.too_large(system, photons)
        reason = f"Exact, with about {told} photons; time grows as N times photons, and with the width of H."
        products = half_width(system, photons) + fastest_rate(system)
        seconds = (SECONDS_PER_AMPLITUDE * size + SECONDS_PER_PRODUCT) * products
        return Limits(not refused, True, str(refused) if refused else reason, BYTES_PER_AMPLITUDE * size, seconds)

    def check_words(self, words: tuple[Word, ...]) -> None:
        """All words are answered."""

    def run(self, problem: Problem, names: tuple[str, ...], executor: Executor, progress: Progress) -> Solution:
        """Solve ``problem`` for the variables ``names``."""
        system, kept = problem.system, kept_rows(problem.times, self.keep_states)
        if refusal := _lossy(system):
            raise refusal
        if kept.size and len(system.spins) > 1:
            raise checks.refuse("keep_states", "no times for a system of several spins", self.keep_states)
        check_duration(problem, max(fastest_rate(system), pace(system)))
        progress.start(len(problem.times), "times", "Schrödinger's equation")
        run = Evolution(self, problem, Watch(executor))
        channels, means, states = [], [], {}
        pairs = [[channel_words(i, m) for m in range(len(system.modes))] for i in range(len(system.spins))]
        for at, psi in enumerate(run.states()):
            moments = Moments(tuple(spin.n_atoms for spin in system.spins), psi, run.centres)
            found = [[{name: moments.mean(word) for name, word in one.items()} for one in row] for row in pairs]
            channels.append([[channels_from_means(one) for one in row] for row in found])
            means.append([moments.mean(word) for word in problem.words])
            if at in kept:
                flat = psi.reshape(len(psi), -1)
                states[at] = flat @ flat.conj().T
            progress.advance(1, photons=one_or_all(run.photons))
        solution = Solution(of_parts(from_channels(names, np.array(channels))), attrs=run.attrs())
        solution.values |= {word.name: np.array(means)[:, at] for at, word in enumerate(problem.words)}
        if kept.size:
            kept_matrices(solution, problem.times[kept], [states[at] for at in kept])
        return solution

    def too_large(self, system: System, photons: tuple[int, ...]) -> Exception | None:
        """The refusal of a problem for its memory."""
        needed = BYTES_PER_AMPLITUDE * _size(system, photons) / 2**30
        if needed <= self.max_memory:
            return None
        atoms, levels = (" × ".join(map(str, one)) for one in ([spin.n_atoms for spin in system.spins], photons))
        expected = f"fewer, or more than max_memory = {self.max_memory:g} GiB: {needed:.3g} GiB are needed"
        hint = "NuHOPS and TruncatedWigner take any N; see docs/accuracy.md on little damping."
        return checks.refuse("n_atoms", expected, f"{atoms} atoms with up to {levels} photons", hint)


def _lossy(system: System) -> Exception | None:
    """The refusal of a system that loses photons."""
    for m, mode in enumerate(system.modes):
        if signals.largest(mode.kappa) > 0:
            name = "kappa" if system.shape == (1, 1) else f"modes[{m}].kappa"
            return checks.refuse(name, "0 (for Schroedinger, which is of closed systems)", mode.kappa, LOSSY)
    return None


def _size(system: System, photons: tuple[int, ...]) -> float:
    """Amplitudes of a state."""
    return math.prod(float(n + 1) for n in (*(spin.n_atoms for spin in system.spins), *photons))
