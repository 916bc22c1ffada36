"""The exact master equation for small N: the full density matrix of spin and cavity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.integration import Watch, check_duration, check_tolerances
from opendicke.master import propagator
from opendicke.master.density import initial, mean, reduced, spin_state, word_matrices
from opendicke.master.driven_liouvillian import DrivenGenerator, forced_steps, longest_step, pace
from opendicke.master.folding import Folding
from opendicke.master.liouvillian import Operators
from opendicke.methods.cutoffs import (
    asked_cutoffs,
    check_photons,
    first_cutoffs,
    next_cutoff,
    one_or_all,
    photons_at_start,
)
from opendicke.methods.sampled import kept_matrices, kept_rows
from opendicke.model import DickeModel, Model, check_model
from opendicke.observables.catalogue import CHANNELS, from_channels, of_parts
from opendicke.problem import Executor, Limits, Problem, Progress, Solution
from opendicke.progress import Silent
from opendicke.shown import Shown
from opendicke.states import SpinCoherent
from opendicke.system import System, as_system, fastest_rate
from opendicke.words import Word

Record = TypeVar("Record")

#: Real matrices as large as the density matrix alive at once: 16 stages of DOP853, its state and error vectors,
#: the generator's work space.
WORKING_COPIES = 28

#: Cost of a unit of time per element of the density matrix and unit of the Liouvillian's width (measured at the
#: parameters of figures 1 and S4, N = 6 and 10, t = 10, default tolerances).
SECONDS_PER_ELEMENT = 2e-8
#: The same for what does not grow with the matrix (measured for one atom, where it is all there is).
SECONDS_PER_STEP = 2e-4
#: What a step costs at least where signals move (measured for one atom and a sine of frequency 3000).
SECONDS_PER_FORCED_STEP = 5e-4


class _OverflowError(Exception):
    """The highest photon number kept of a mode holds too much."""

    def __init__(self, populations: NDArray[np.float64], time: float) -> None:
        super().__init__(populations, time)
        self.populations, self.time = populations, time

    def raised(self, photons: Sequence[int], bound: float) -> tuple[int, ...]:
        """Higher cutoffs for the modes that hold more than ``bound``."""
        pairs = zip(photons, self.populations, strict=True)
        return tuple(next_cutoff(one) if population > bound else one for one, population in pairs)


@dataclass(frozen=True)
class Lindblad(Shown):
    r"""The exact master equation, for small N.

    .. math::
        \dot\rho = -i[H,\rho] + 2\kappa(\bar n + 1)\,\mathcal D[a]\rho + 2\kappa\bar n\,\mathcal D[a^\dagger]\rho
            - \kappa\left[m\,(2a^\dagger\rho a^\dagger - a^{\dagger2}\rho - \rho a^{\dagger2}) + \mathrm{h.c.}\right]

    with H of :class:`opendicke.DickeModel` or of an :class:`opendicke.System` of several spins and modes (each mode has
    its own losses), moving in time or not; κ is the decay rate of the field. The only
    approximations are each mode's highest photon number, which is watched at every step of the integrator, and the
    integrator's tolerance: it starts anew wherever a rate or its slope jumps, and steps over no oscillation.
    Time grows as :math:`(N+1)^2` photons², and faster for strong coupling: N = 10 takes seconds. Models that move, are
    driven or thermal take about twice as long; each further spin or mode multiplies it by its own
    :math:`(N+1)^2` or photons².

    Args:
        photons: highest photon number kept, >= 1, for all modes or one for each; None raises that of each mode until
            the bound below holds.
        rtol: relative tolerance of the integrator, 2.3e-14 to 0.1.
        atol: absolute tolerance on the elements of ρ, 1e-20 to 0.1.
        max_top_population: largest population of a mode's highest photon number, >= 1e-12 and < 1.
        max_memory: memory that a run may take, in GiB.
        keep_states: some of the ``times``; also return the spin's density matrix at these times, as ``rho_spin`` on
            the Dicke states |j, j−n>. With one spin only.

    Raises:
        ValueError, TypeError: for an option out of range, or ``keep_states`` that are not among the times; for
            ``photons`` too small, naming a number that is enough (to find it takes about as long as a run); for a
            problem that needs more than ``max_memory``; for a last time beyond 1e8 over the fastest rate.
        RuntimeError: if the integrator fails.
        TimeoutError: if the ``timeout`` of :func:`opendicke.solve` is over before the last time is reached.

    Source: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*,
    eqs. (1) and (2). Integrator: DOP853 of ``scipy.integrate``;
    small models with rates that differ by more than a hundred are followed by dense matrices of the evolution instead.

    >>> import opendicke as od
    >>> model = od.DickeModel.tavis_cummings(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=0.5)
    >>> result = od.solve(model, od.Inverted(), [0.0, np.pi / 2, np.pi], od.Lindblad())
    >>> (result.Sz.values + 0.5).round(6) + 0.0  # vacuum Rabi oscillations, cos²(g t)
    array([1. , 0.5, 0. ])
    >>> thermal = model.replace(kappa=0.5, n_thermal=0.2, g_minus=od.Ramp((0.0, 1.0), (0.5, 0.0)))
    >>> od.solve(thermal, od.Normal(), [20.0], od.Lindblad(), ["n_photon"]).n_photon.values.round(6)
    array([0.2])
    """

    photons: int | tuple[int, ...] | None = None
    rtol: float = 1e-9
    atol: float = 1e-12
    max_top_population: float = 1e-8
    max_memory: float = 4.0
    keep_states: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "photons", check_photons(self.photons))
        check_tolerances(self)
        for name in ("max_top_population", "max_memory"):
            object.__setattr__(self, name, checks.real(name, getattr(self, name), above=0.0))
        if not 1e-12 <= self.max_top_population < 1:
            expected = "a number >= 1e-12 (less is lost in rounding) and < 1"
            raise checks.refuse("max_top_population", expected, self.max_top_population)
        object.__setattr__(self, "keep_states", checks.some_times("keep_states", self.keep_states))

    def limits(self, model: Model) -> Limits:
        """Limited by ``max_memory``, and by the time it takes; see :class:`opendicke.problem.Limits`."""
        check_model(model)
        system = as_system(model)
        stop = 10 / (fastest_rate(system) or 1.0)
        typical = Problem(model, SpinCoherent(math.pi / 4, math.pi), np.linspace(0.0, stop, 2))
        photons = self._cutoffs(system) or first_cutoffs(typical, self.max_top_population)
        refusal = self._too_large(system, photons, 0)
        if self.photons is None:
            photons = tuple(next_cutoff(one) for one in photons)  # the first guess is often raised once
        told = ", ".join(str(one) for one in photons)
        reason = f"Exact, with about {told} photons; time grows as the square of N times photons, and faster."
        memory, seconds = 8 * _elements(system, photons) * WORKING_COPIES, _seconds_a_time(system, photons)
        if system.is_everyday and self._dense(typical.model, photons, 1.0):
            memory += propagator.setup_cost(typical.model.n_atoms, photons[0])[1]
        return Limits(not refusal, True, refusal or reason, memory, seconds)

    def check_words(self, words: tuple[Word, ...]) -> None:
        """All words are answered."""

    def run(self, problem: Problem, names: tuple[str, ...], executor: Executor, progress: Progress) -> Solution:
        """Solve ``problem`` for the variables ``names``."""
        kept = kept_rows(problem.times, self.keep_states)
        atoms = tuple(spin.n_atoms for spin in problem.system.spins)
        spins, words = len(atoms), problem.words
        if kept.size and spins > 1:
            hint = "Without keep_states the variables of each spin are computed."
            raise checks.refuse("keep_states", "no times for a system of several spins", self.keep_states, hint)
        progress.start(len(problem.times), "times", "master equation")

        def record(rho: NDArray[np.complex128]) -> tuple[NDArray[np.float64], list[complex], NDArray[np.complex128]]:
            cutoffs = tuple(levels - 1 for levels in rho.shape[spins : rho.ndim // 2])
            means = [mean(operator, rho) for operator in word_matrices(words, atoms, cutoffs)]
            return _channels_of_pairs(rho, spins), means, spin_state(rho) if kept.size else rho[:0]

        rows, photons, top = self._collect(problem, record, progress, watch=Watch(executor))
        channels, means, states = zip(*rows, strict=True)
        attrs = {"photons": one_or_all(photons), "top_population": one_or_all(top)}
        solution = Solution(of_parts(from_channels(names, np.array(channels))), attrs=attrs)
        solution.values |= {word.name: np.array(means)[:, at] for at, word in enumerate(words)}
        if kept.size:
            kept_matrices(solution, problem.times[kept], [states[at] for at in kept])
        return solution

    def density_matrices(self, problem: Problem) -> NDArray[np.complex128]:
        r"""The density matrix :math:`\langle n,f|\rho(t)|n',f'\rangle` at ``problem.times``.

        Returns:
            shape (times, N+1, F, N+1, F): n counts down from the top, :math:`m = j - n`; f counts photons. With
            several spins or modes there are as many axes N+1, and then F, on either side.
        """
        matrices, _, _ = self._collect(problem, lambda rho: rho, Silent(), stored=len(problem.times))
        return np.array(matrices)

    def spin_states(self, problem: Problem) -> NDArray[np.complex128]:
        """The reduced density matrix of one spin at ``problem.times``: shape (times, N+1, N+1), all-up first."""
        matrices, _, _ = self._collect(problem, spin_state, Silent())
        return np.array(matrices)

    def _collect(
        self,
        problem: Problem,
        record: Callable[[NDArray[np.complex128]], Record],
        progress: Progress,
        stored: int = 0,
        watch: Watch | None = None,
        least: tuple[int, ...] = (),
    ) -> tuple[list[Record], tuple[int, ...], tuple[float, ...]]:
        """What ``record`` makes of ρ at each time, the cutoffs used, and the largest populations of the top levels.

        Cutoffs that are not given are at least ``least``.
        """
        reached, clock, system = 0, watch or Watch(), problem.system
        check_duration(problem, max(fastest_rate(system), pace(system)))
        asked = self._cutoffs(system)
        # before mean field follows a huge amplitude
        needed = asked or tuple(math.ceil(one) for one in photons_at_start(problem))
        if refusal := self._too_large(system, needed, stored):
            raise ValueError(refusal)
        photons = asked or tuple(
            map(max, self._first_cutoffs(problem, clock), least or (next_cutoff(0),) * len(needed))
        )
        while True:
            if refusal := self._too_large(system, photons, stored):
                raise ValueError(refusal)
            records: list[Record] = []
            top = np.zeros(len(photons))
            try:
                for rho, worst in self._evolve(problem, photons, clock):
                    top = worst
                    records.append(record(rho))
                    if len(records) > reached:  # a larger cutoff starts again; the meter does not go back
                        reached = len(records)
                        progress.advance(1, photons=one_or_all(photons))
                return records, photons, tuple(top.tolist())
            except _OverflowError as overflow:
                larger = overflow.raised(photons, self.max_top_population)
                if asked:
                    raise self._too_small(problem, overflow, asked, larger, clock) from None
            photons = larger

    def _cutoffs(self, system: System) -> tuple[int, ...]:
        """The cutoff asked for of each mode; empty if none is."""
        return asked_cutoffs(self.photons, system)

    def _first_cutoffs(self, problem: Problem, clock: Watch) -> tuple[int, ...]:
        return first_cutoffs(problem, self.max_top_population, clock)

    def _too_small(
        self, problem: Problem, overflow: _OverflowError, asked: tuple[int, ...], larger: tuple[int, ...], clock: Watch
    ) -> Exception:
        """The refusal of the cutoffs asked for, with some that are large enough: found by trying, less accurately."""
        bound = max(1e-12, 0.9 * self.max_top_population)
        search = replace(self, photons=None, rtol=max(self.rtol, 1e-6), atol=0.01 * bound, max_top_population=bound)
        try:
            _, enough, _ = search._collect(problem, lambda rho: None, Silent(), watch=clock, least=larger)
            hint = f"Try photons={one_or_all(enough)}, or photons=None to have it chosen."
        except ValueError:
            hint = "No cutoff within max_memory is large enough: use NuHOPS."
        expected = f"a cutoff whose top level stays below max_top_population = {self.max_top_population:g}"
        population = float(overflow.populations.max())
        got = f"{one_or_all(asked)} (population {population:.1e} at t = {overflow.time:.4g})"
        return ValueError(f"photons: expected {expected}, got {got}. {hint}")

    def _too_large(self, system: System, photons: tuple[int, ...], stored: int) -> str:
        """Why a problem is refused for its memory; empty if it is not."""
        needed = 8 * _elements(system, photons) * (WORKING_COPIES + 2 * stored) / 2**30
        if needed <= self.max_memory:
            return ""
        atoms, levels = (" × ".join(map(str, one)) for one in ([spin.n_atoms for spin in system.spins], photons))
        hint = "Use NuHOPS, whose cost does not grow with N."
        if system.shape != (1, 1):
            hint = "Use fewer atoms or photons, or MeanField or TruncatedWigner, whose cost does not grow with them."
        return (
            f"n_atoms: {atoms} atoms with up to {levels} photons need {needed:.3g} GiB of memory for the "
            f"master equation, more than max_memory = {self.max_memory:g} GiB. {hint}"
        )

    def _dense(self, model: DickeModel, photons: tuple[int, ...], stop: float) -> bool:
        """Whether a model is stiff, and small enough for dense matrices to be cheaper than an integrator's steps."""
        size = (model.n_atoms, *photons)
        if not propagator.is_stiff(model) or propagator.sector_size(*size) > propagator.LARGEST:
            return False
        seconds, memory = propagator.setup_cost(*size)
        steps = stop * (_seconds_a_time(model.system, photons) + SECONDS_PER_STEP * _width(model.system, photons))
        return memory <= self.max_memory * 2**30 and seconds < steps

    def _evolve(
        self, problem: Problem, photons: tuple[int, ...], clock: Watch
    ) -> Iterator[tuple[NDArray[np.complex128], NDArray[np.float64]]]:
        """ρ at each time, as :class:`Folding` has it, with the largest population of each top level up to then."""
        stop, plain = float(problem.times[-1]), problem.system.is_everyday
        generator: Folding
        if plain:
            generator = _Generator(problem.model, photons[0], clock)
        else:
            generator = DrivenGenerator(problem.system, photons, clock)
        start, missing = initial(problem, photons)
        if (missing > self.max_top_population).any():
            raise _OverflowError(missing, 0.0)
        worst = generator.top_populations(start)
        pending = 0
        if problem.times[0] == 0.0:
            yield generator.unfold(start), worst
            pending = 1
        if pending == len(problem.times):
            return
        evolution: Iterator[tuple[float, Any, NDArray[np.float64] | None]]
        if plain and self._dense(problem.model, photons, stop):
            evolution = propagator.evolve(problem.model, photons[0], start, problem.times[pending:], clock)
        else:
            evolution = self._integrate(generator, problem.system, start, problem.times[pending:])
        for time, top, state in evolution:
            worst = np.maximum(worst, top)
            if (worst > self.max_top_population).any():
                raise _OverflowError(worst, time)
            if state is not None:
                yield generator.unfold(state), worst

    def _integrate(
        self,
        generator: _Generator | DrivenGenerator,
        system: System,
        state: NDArray[np.float64],
        times: NDArray[np.float64],
    ) -> Iterator[tuple[float, NDArray[np.float64], NDArray[np.float64] | None]]:
        """As :func:`propagator.evolve`: at the end of every step, and then at each of ``times`` in it."""
        from scipy.integrate import DOP853

        pending, stop = 0, float(times[-1])
        # An integrator that starts anew at every kink sees smooth rates only.
        for begin, end in pairwise((0.0, *system.kinks(stop), stop)):
            flow = _inside(generator, begin, end)
            solver = DOP853(flow, begin, state, end, rtol=self.rtol, atol=self.atol, max_step=longest_step(system))
            while solver.status == "running":
                message = solver.step()
                if solver.status == "failed":
                    raise RuntimeError(f"the integrator stopped at t = {solver.t:g}: {message}")
                top = generator.top_populations(solver.y)
                yield solver.t, top, None
                inside = int(np.searchsorted(times, solver.t, side="right"))
                if inside > pending:
                    interpolant = solver.dense_output()
                    for time in times[pending:inside]:
                        yield float(time), top, interpolant(time)
                    pending = inside
            state = solver.y


def _inside(
    generator: Callable[[float, NDArray[np.float64]], NDArray[np.float64]], begin: float, end: float
) -> Callable[[float, NDArray[np.float64]], NDArray[np.float64]]:
    """``generator`` with the rates that hold between ``begin`` and ``end``, at which they may jump."""
    first, last = math.nextafter(begin, end), math.nextafter(end, begin)
    return lambda time, y: generator(min(max(time, first), last), y)


class _Generator(Folding):
    r"""The right-hand side on one real matrix, :math:`A = \mathrm{Re}\,\rho + \mathrm{Im}\,\rho`, of constant rates.

    H and a are real in the Dicke and Fock basis, so

    .. math:: \dot A = (HA)^T - HA^T + \kappa\,(2aAa^T - a^\dagger a A - A a^\dagger a)

    which halves both memory and work. (:class:`DrivenGenerator` takes any model, at twice the work.)
    """

    def __init__(self, model: DickeModel, photons: int, clock: Watch | None = None) -> None:
        super().__init__((model.n_atoms,), (photons,))
        self.clock = clock or Watch()
        operators = Operators.of(model, photons)
        self.hamiltonian, self.jump, self.decay = operators.hamiltonian, operators.jump, operators.decay

    def __call__(self, time: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        self.clock.check(time)  # a step of the integrator takes a dozen of these
        folded = y.reshape(self.size, self.size)
        transposed = np.ascontiguousarray(folded.T)  # the sparse products want rows that are contiguous
        change: NDArray[np.float64] = self.jump @ np.ascontiguousarray((self.jump @ transposed).T)
        change -= self.hamiltonian @ transposed
        change += np.ascontiguousarray((self.hamiltonian @ folded).T)
        change -= np.add.outer(self.decay, self.decay) * folded
        return change.ravel()


def _elements(system: System, photons: tuple[int, ...]) -> float:
    """Elements of the density matrix."""
    return math.prod(float(n + 1) for n in (*(spin.n_atoms for spin in system.spins), *photons)) ** 2


def _seconds_a_time(system: System, photons: tuple[int, ...]) -> float:
    """What a unit of time costs the integrator."""
    elements, forced = _elements(system, photons), forced_steps(system)
    return SECONDS_PER_ELEMENT * elements * (_width(system, photons) + forced) + SECONDS_PER_FORCED_STEP * forced


def _width(system: System, photons: tuple[int, ...]) -> float:
    """About the width of the Liouvillian."""
    size = signals.largest
    width = sum((size(spin.omega_a) + size(spin.atom_drive)) * spin.n_atoms for spin in system.spins)
    for mode, highest in zip(system.modes, photons, strict=True):
        loss = size(mode.kappa) * (2 * size(mode.n_thermal) + 1 + 2 * size(mode.squeezing))
        width += 2 * highest * (size(mode.omega_c) + loss) + 2 * size(mode.drive) * math.sqrt(highest)
    for rows in (system.g_minus, system.g_plus):
        for spin, row in zip(system.spins, rows, strict=True):
            fields = (size(rate) * math.sqrt(highest) for rate, highest in zip(row, photons, strict=True))
            width += spin.n_atoms * sum(fields) / math.sqrt(system.n_ref)
    return float(width)


def _channels_of_pairs(rho: NDArray[np.complex128], spins: int) -> NDArray[np.float64]:
    """The catalogue's channels of every pair of a spin and a mode: shape (spins, modes, channels)."""
    modes = range(spins, rho.ndim // 2)
    return np.array([[channels_of(reduced(rho, spin, mode)) for mode in modes] for spin in range(spins)])


def channels_of(rho: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The catalogue's channels of one density matrix of shape (N+1, F, N+1, F): shape (channels,)."""
    n_atoms, levels = rho.shape[0] - 1, rho.shape[1]
    f = np.arange(levels, dtype=float)
    photon_blocks = np.einsum("nfmf->fnm", rho)
    spin = photon_blocks.sum(axis=0)
    # Tr_cavity(a ρ) = Σ_f √(f+1) <f+1|ρ|f>
    spin_a = np.einsum("f,nfmf->nm", np.sqrt(f[1:]), rho[:, 1:, :, :-1])
    spin_a2 = np.einsum("f,nfmf->nm", np.sqrt(f[2:] * f[1:-1]), rho[:, 2:, :, :-2])
    population = np.einsum("fnn->f", photon_blocks).real
    operators = dict(zip("xyz", spin_matrices(n_atoms), strict=True))
    found: dict[str, Any] = {"n_photon": f @ population, "n_photon2": (f * (f - 1)) @ population}
    amplitudes = {"a": np.trace(spin_a), "a2": np.trace(spin_a2)}
    for axis, operator in operators.items():
        found[f"S{axis}"] = np.sum(operator.T * spin).real
        amplitudes[f"S{axis}_a"] = np.sum(operator.T * spin_a)
    for pair in ("xx", "yy", "zz", "xy", "yz", "zx"):
        # Re Tr(S_i S_j ρ) is the symmetrised moment
        found[f"S{pair}"] = np.sum((operators[pair[0]] @ operators[pair[1]]).T * spin).real
    for name, value in amplitudes.items():
        found |= {f"re_{name}": value.real, f"im_{name}": value.imag}
    return np.array([found[name] for name in CHANNELS], dtype=np.float64)


def spin_matrices(n_atoms: int) -> tuple[NDArray[np.complex128], ...]:
    """S^x, S^y, S^z in the Dicke basis, all-up first: shape (N+1, N+1) each."""
    n = np.arange(n_atoms)
    lower = np.diag(np.sqrt((n + 1.0) * (n_atoms - n)), -1).astype(complex)
    raising = lower.T
    z = np.diag(n_atoms / 2 - np.arange(n_atoms + 1)).astype(complex)
    return 0.5 * (raising + lower), -0.5j * (raising - lower), z
