"""The exact master equation for small N: the full density matrix of spin and cavity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.methods import propagator
from opendicke.methods.driven_liouvillian import (
    DrivenGenerator,
    empty_cavity,
    forced_steps,
    longest_step,
    pace,
    thermal_photons,
    thermal_tail,
)
from opendicke.methods.folding import Folding
from opendicke.methods.integration import Watch, check_duration, check_tolerances
from opendicke.methods.liouvillian import Operators
from opendicke.methods.mean_field import MeanField
from opendicke.methods.sampled import kept_rows, state_time
from opendicke.model import DickeModel, Model, check_model, pair_of, several
from opendicke.observables.catalogue import CHANNELS, from_channels
from opendicke.problem import Executor, Limits, Problem, Progress, Solution
from opendicke.progress import Silent
from opendicke.states import OneSpin, SpinCoherent, mean_photons
from opendicke.system import fastest_rate

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

#: A stiff model's first cutoff is guessed from mean field up to this many of its fastest turns.
GUESS_TURNS = 1000.0


class _OverflowError(Exception):
    """The highest photon number kept holds too much."""

    def __init__(self, population: float, time: float) -> None:
        super().__init__(population, time)
        self.population, self.time = population, time


@dataclass(frozen=True)
class Lindblad:
    r"""The exact master equation, for small N.

    .. math::
        \dot\rho = -i[H,\rho] + 2\kappa(\bar n + 1)\,\mathcal D[a]\rho + 2\kappa\bar n\,\mathcal D[a^\dagger]\rho

    with H of :class:`opendicke.DickeModel`, moving in time or not; κ is the decay rate of the field. The only
    approximations are the cavity's highest photon number, which is watched at every step of the integrator, and the
    integrator's tolerance: it starts anew wherever a rate or its slope jumps, and steps over no oscillation.
    Time grows as :math:`(N+1)^2` photons², and faster for strong coupling: N = 10 takes seconds. Models that move, are
    driven or thermal take about twice as long.

    Args:
        photons: highest photon number kept, >= 1; None raises it until the bound below holds.
        rtol: relative tolerance of the integrator, 2.3e-14 to 0.1.
        atol: absolute tolerance on the elements of ρ, 1e-20 to 0.1.
        max_top_population: largest population of the highest photon number, >= 1e-12 and < 1.
        max_memory: memory that a run may take, in GiB.
        keep_states: some of the ``times``; also return the spin's density matrix at these times, as ``rho_spin`` on
            the Dicke states |j, j−n>.

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

    photons: int | None = None
    rtol: float = 1e-9
    atol: float = 1e-12
    max_top_population: float = 1e-8
    max_memory: float = 4.0
    keep_states: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.photons is not None:
            object.__setattr__(self, "photons", checks.integer("photons", self.photons, minimum=1))
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
        if refusal := several(model):
            return Limits(False, False, refusal, 0.0, 0.0)
        model = pair_of(model)
        stop = 10 / (fastest_rate(model.system) or 1.0)
        typical = Problem(model, SpinCoherent(math.pi / 4, math.pi), np.linspace(0.0, stop, 2))
        photons = self._first_cutoff(typical) if self.photons is None else self.photons
        refusal = self._too_large(model.n_atoms, photons, 0)
        if self.photons is None:
            photons = _next_cutoff(photons)  # the first guess is often raised once
        elements = float((model.n_atoms + 1) * (photons + 1)) ** 2
        reason = f"Exact, with about {photons} photons; time grows as the square of N times photons, and faster."
        memory, seconds = 8 * elements * WORKING_COPIES, _seconds_a_time(model, photons)
        if model.is_everyday and self._dense(model, photons, 1.0):
            memory += propagator.setup_cost(model.n_atoms, photons)[1]
        return Limits(not refusal, True, refusal or reason, memory, seconds)

    def run(self, problem: Problem, names: tuple[str, ...], executor: Executor, progress: Progress) -> Solution:
        """Solve ``problem`` for the variables ``names``."""
        kept = kept_rows(problem.times, self.keep_states)
        progress.start(len(problem.times), "times", "master equation")

        def record(rho: NDArray[np.complex128]) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
            return channels_of(rho), _spin_state(rho)

        rows, photons, top = self._collect(problem, record, progress, watch=Watch(executor))
        channels, states = zip(*rows, strict=True)
        attrs = {"photons": photons, "top_population": top}
        solution = Solution(from_channels(names, np.array(channels)), attrs=attrs)
        if kept.size:
            about = {"definition": "density matrix of the spin, <j, j - n| rho |j, j - n_prime>", "units": "1"}
            solution.extra["rho_spin"] = (("state_time", "n", "n_prime"), np.array([states[at] for at in kept]), about)
            solution.coords["state_time"] = state_time(problem.times[kept])
        return solution

    def density_matrices(self, problem: Problem) -> NDArray[np.complex128]:
        r"""The density matrix :math:`\langle n,f|\rho(t)|n',f'\rangle` at ``problem.times``.

        Returns:
            shape (times, N+1, F, N+1, F): n counts down from the top, :math:`m = j - n`; f counts photons.
        """
        matrices, _, _ = self._collect(problem, lambda rho: rho, Silent(), stored=len(problem.times))
        return np.array(matrices)

    def spin_states(self, problem: Problem) -> NDArray[np.complex128]:
        """The spin's reduced density matrix at ``problem.times``: shape (times, N+1, N+1), all-up first."""
        matrices, _, _ = self._collect(problem, _spin_state, Silent())
        return np.array(matrices)

    def _collect(
        self,
        problem: Problem,
        record: Callable[[NDArray[np.complex128]], Record],
        progress: Progress,
        stored: int = 0,
        watch: Watch | None = None,
        above: int = 0,
    ) -> tuple[list[Record], int, float]:
        """What ``record`` makes of ρ at each time, the cutoff used, and the largest population of its top level."""
        reached, clock = 0, watch or Watch()
        check_duration(problem, max(fastest_rate(problem.system), pace(problem.model)))
        least = self.photons if self.photons is not None else math.ceil(mean_photons(problem.state))
        refusal = self._too_large(problem.model.n_atoms, least, stored)  # before mean field follows a huge amplitude
        if refusal:
            raise ValueError(refusal)
        photons = max(self._first_cutoff(problem, clock), _next_cutoff(above)) if self.photons is None else self.photons
        while True:
            refusal = self._too_large(problem.model.n_atoms, photons, stored)
            if refusal:
                raise ValueError(refusal)
            records: list[Record] = []
            top = 0.0
            try:
                for rho, worst in self._evolve(problem, photons, clock):
                    top = worst
                    records.append(record(rho))
                    if len(records) > reached:  # a larger cutoff starts again; the meter does not go back
                        reached = len(records)
                        progress.advance(1, photons=photons)
                return records, photons, top
            except _OverflowError as overflow:
                if self.photons is not None:
                    raise self._too_small(problem, overflow, clock) from None
            photons = _next_cutoff(photons)

    def _first_cutoff(self, problem: Problem, clock: Watch | None = None) -> int:
        """A guess: room for the field, or for what the bath puts into the cavity; tails add up by much less."""
        thermal = thermal_photons(problem.model, float(problem.times[-1]))
        if thermal == 0:
            return _guess(problem, clock)
        return max(_guess(problem, clock), math.ceil(thermal_tail(thermal, self.max_top_population)) + 4)

    def _too_small(self, problem: Problem, overflow: _OverflowError, clock: Watch) -> Exception:
        """The refusal of the cutoff asked for, with one that is large enough: found by trying, less accurately."""
        photons = self.photons or 0
        bound = max(1e-12, 0.9 * self.max_top_population)
        search = replace(self, photons=None, rtol=max(self.rtol, 1e-6), atol=0.01 * bound, max_top_population=bound)
        try:
            _, enough, _ = search._collect(problem, lambda rho: None, Silent(), watch=clock, above=photons)
            hint = f"Try photons={enough}, or photons=None to have it chosen."
        except ValueError:
            hint = "No cutoff within max_memory is large enough: use NuHOPS."
        expected = f"a cutoff whose top level stays below max_top_population = {self.max_top_population:g}"
        got = f"{photons} (population {overflow.population:.1e} at t = {overflow.time:.4g})"
        return ValueError(f"photons: expected {expected}, got {got}. {hint}")

    def _too_large(self, n_atoms: int, photons: int, stored: int) -> str:
        """Why a problem is refused for its memory; empty if it is not."""
        elements = float((n_atoms + 1) * (photons + 1)) ** 2
        needed = 8 * elements * (WORKING_COPIES + 2 * stored) / 2**30
        if needed <= self.max_memory:
            return ""
        return (
            f"n_atoms: {n_atoms} atoms with up to {photons} photons need {needed:.3g} GiB of memory for the "
            f"master equation, more than max_memory = {self.max_memory:g} GiB. "
            "Use NuHOPS, whose cost does not grow with N."
        )

    def _dense(self, model: DickeModel, photons: int, stop: float) -> bool:
        """Whether a model is stiff, and small enough for dense matrices to be cheaper than an integrator's steps."""
        if not propagator.is_stiff(model) or propagator.sector_size(model.n_atoms, photons) > propagator.LARGEST:
            return False
        seconds, memory = propagator.setup_cost(model.n_atoms, photons)
        steps = stop * (_seconds_a_time(model, photons) + SECONDS_PER_STEP * _width(model, photons))
        return memory <= self.max_memory * 2**30 and seconds < steps

    def _evolve(self, problem: Problem, photons: int, clock: Watch) -> Iterator[tuple[NDArray[np.complex128], float]]:
        """ρ at each time, shape (N+1, F, N+1, F), with the largest top population up to then."""
        model, stop = problem.model, float(problem.times[-1])
        generator = (_Generator if model.is_everyday else DrivenGenerator)(model, photons, clock)
        start = _initial(problem, photons, self.max_top_population)
        # The top level was checked for t = 0 by _initial; here it is checked after every step.
        worst = generator.top_population(start)
        pending = 0
        if problem.times[0] == 0.0:
            yield generator.unfold(start), worst
            pending = 1
        if pending == len(problem.times):
            return
        if model.is_everyday and self._dense(model, photons, stop):
            evolution = propagator.evolve(model, photons, start, problem.times[pending:], clock)
        else:
            evolution = self._integrate(generator, model, start, problem.times[pending:])
        for time, top, state in evolution:
            worst = max(worst, top)
            if worst > self.max_top_population:
                raise _OverflowError(worst, time)
            if state is not None:
                yield generator.unfold(state), worst

    def _integrate(
        self,
        generator: _Generator | DrivenGenerator,
        model: DickeModel,
        state: NDArray[np.float64],
        times: NDArray[np.float64],
    ) -> Iterator[tuple[float, float, NDArray[np.float64] | None]]:
        """As :func:`propagator.evolve`: at the end of every step, and then at each of ``times`` in it."""
        from scipy.integrate import DOP853

        pending, stop = 0, float(times[-1])
        # An integrator that starts anew at every kink sees smooth rates only.
        for begin, end in pairwise((0.0, *model.system.kinks(stop), stop)):
            flow = _inside(generator, begin, end)
            solver = DOP853(flow, begin, state, end, rtol=self.rtol, atol=self.atol, max_step=longest_step(model))
            while solver.status == "running":
                message = solver.step()
                if solver.status == "failed":
                    raise RuntimeError(f"the integrator stopped at t = {solver.t:g}: {message}")
                top = generator.top_population(solver.y)
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
        super().__init__(model.n_atoms, photons)
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


def _initial(problem: Problem, photons: int, bound: float) -> NDArray[np.float64]:
    """A = Re ρ + Im ρ of the initial state, flat."""
    state = problem.state
    if isinstance(state, SpinCoherent) and state.cavity is None:
        cavity = _coherent(state.alpha, photons)
        missing = 1.0 - float(np.sum(np.abs(cavity[:-1]) ** 2))  # population at the top level and above
        psi = np.outer(state.dicke_amplitudes(problem.model.n_atoms), cavity / np.linalg.norm(cavity)).ravel()
        rho = np.outer(psi, psi.conj())
    else:
        one = _coherent(state.alpha, photons)
        field = np.outer(one, one.conj()) if state.cavity is None else state.cavity.matrix(photons)
        missing = 1.0 - float((np.trace(field) - field[-1, -1]).real)
        rho = np.kron(state.spin_matrix(problem.model.n_atoms), field / np.trace(field))
    if missing > bound:
        raise _OverflowError(missing, 0.0)
    folded: NDArray[np.float64] = (rho.real + rho.imag).ravel()
    return folded


def _coherent(alpha: complex, photons: int) -> NDArray[np.complex128]:
    """Amplitudes of a coherent state on the Fock states up to ``photons``."""
    from scipy.special import gammaln, xlogy  # slow to import

    f = np.arange(photons + 1)
    log_size = -0.5 * abs(alpha) ** 2 + xlogy(f, abs(alpha)) - 0.5 * gammaln(f + 1)
    found: NDArray[np.complex128] = np.exp(log_size + 1j * f * np.angle(alpha))
    return found


def _seconds_a_time(model: DickeModel, photons: int) -> float:
    """What a unit of time costs the integrator."""
    elements, forced = float((model.n_atoms + 1) * (photons + 1)) ** 2, forced_steps(model)
    return SECONDS_PER_ELEMENT * elements * (_width(model, photons) + forced) + SECONDS_PER_FORCED_STEP * forced


def _width(model: DickeModel, photons: int) -> float:
    """About the width of the Liouvillian."""
    size = signals.largest
    coupling = size(model.g_minus) + size(model.g_plus)
    energies = size(model.omega_a) * model.n_atoms + size(model.omega_c) * 2 * photons
    drives = 2 * size(model.drive) * math.sqrt(photons) + size(model.atom_drive) * model.n_atoms
    loss = 2 * size(model.kappa) * photons * (2 * size(model.n_thermal) + 1)
    return float(energies + coupling * math.sqrt(model.n_atoms * photons) + drives + loss)


def _next_cutoff(photons: int) -> int:
    return photons + max(4, photons // 4)


def _guess(problem: Problem, clock: Watch | None = None) -> int:
    """A first cutoff: a coherent state of the largest classical photon number, and room for its tail."""
    model, stop = problem.model, float(problem.times[-1])
    if not model.is_everyday:
        return _driven_guess(problem)
    if propagator.is_stiff(model):
        stop = min(stop, GUESS_TURNS / fastest_rate(model.system))
    grid = np.linspace(0.0, stop, 200) if stop > 0 else np.zeros(1)
    _, beta = MeanField(rtol=1e-6, atol=1e-9).trajectory(model, _stand_in(problem.state), grid, clock)
    return _coherent_cutoff(model.n_atoms * float(np.max(np.abs(beta) ** 2)))


def _driven_guess(problem: Problem) -> int:
    """The same of a driven cavity without atoms. What they add is left to raising the cutoff."""
    stop, rate = float(problem.times[-1]), max(fastest_rate(problem.system), pace(problem.model))
    turns = min(stop * rate, GUESS_TURNS)
    grid = np.linspace(0.0, turns / rate if rate > 0 else stop, 200 + int(10 * turns))
    amplitude = empty_cavity(problem.model, _stand_in(problem.state).alpha, grid)
    return _coherent_cutoff(float(np.max(np.abs(amplitude) ** 2)))


def _stand_in(state: OneSpin) -> SpinCoherent:
    """A coherent state with as many photons, for a guess."""
    if isinstance(state, SpinCoherent) and state.cavity is None:
        return state
    return SpinCoherent(math.pi / 2, 0.0, math.sqrt(mean_photons(state)))


def _coherent_cutoff(photons: float) -> int:
    """Room for a coherent state with that mean photon number."""
    return math.ceil(photons + 6 * math.sqrt(photons)) + 6


def _spin_state(rho: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """The spin's density matrix: shape (N+1, N+1)."""
    state: NDArray[np.complex128] = np.einsum("nfmf->nm", rho)
    return state


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
