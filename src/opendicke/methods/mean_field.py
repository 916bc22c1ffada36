"""Mean field: the classical limit, in which spins are vectors that couple to the complex amplitudes of modes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.description import added
from opendicke.engine import mean_flow, system_flow
from opendicke.engine.fast_cavity import FastFlow, FastPath
from opendicke.engine.noise import noise_steps
from opendicke.ensemble.interrupts import interrupts_wait
from opendicke.integration import Watch, check_duration, check_tolerances
from opendicke.methods.classical import field_rates, products, spin_rates, turning, word_products
from opendicke.methods.fast_cavity import check_fast, spin_rate
from opendicke.model import DickeModel, Model, check_model, pair_of
from opendicke.observables.catalogue import from_channels, of_parts
from opendicke.problem import Executor, Limits, Problem, Progress, Solution
from opendicke.shown import Shown
from opendicke.states import SpinCoherent, State, coherent_parts, field_sizes
from opendicke.system import Mode, System, as_system, fastest_rate
from opendicke.words import Word

Vector = NDArray[np.float64]
Flow = Callable[[float, Vector], Vector]

#: Relative change of the spin's length beyond which a run is refused: the equations conserve it exactly.
LENGTH_TOLERANCE = 1e-4

#: Slower changes than this are none: the integrator squares its errors, and 0/0 would follow in a pulse's tails.
FAINT = 1e-100

#: Cost of a unit of time over the fastest rate (measured at the parameters of figures 1 and S4, t = 10 and 20).
SECONDS_PER_RATE = 5e-4
#: How much more it is where the equations change in time (measured with nothing and with everything moving).
MOVING_COST = 4.0
#: With a fast cavity: longest step times the spin's rate, and what one costs, its half included.
FAST_STEP, SECONDS_PER_FAST_STEP = 0.1, 1e-5
MEMORY = 1e6


@dataclass(frozen=True)
class MeanField(Shown):
    r"""Mean-field equations: every correlation is dropped, whatever N.

    .. math::
        \dot{\mathbf m} = \mathbf B\times\mathbf m,\quad
        \mathbf B = \bigl(2(g_-+g_+)\,\mathrm{Re}\,\beta,\; -2(g_--g_+)\,\mathrm{Im}\,\beta,\; \omega_a\bigr),
        \qquad
        \dot\beta = -(\kappa+i\omega_c)\beta - i(g_-+g_+)m_x - (g_--g_+)m_y

    with :math:`\langle S\rangle = N\mathbf m` and :math:`\langle a\rangle = \sqrt N\beta`; κ is the decay rate of
    the field. The solution is exact for N → ∞ and finite times. **Every moment is factorised**:
    :math:`\langle S^xS^x\rangle = \langle S^x\rangle^2`, :math:`\langle a^\dagger a\rangle = |\langle a\rangle|^2`
    and so on (the antisymmetric parts of spin products follow from the commutator), so variances are zero.

    Drives add :math:`(2\,\mathrm{Re}\,\xi, -2\,\mathrm{Im}\,\xi, 0)` to **B** and :math:`-i\eta/\sqrt N` to
    :math:`\dot\beta`; rates that move in time are taken at that time. **Thermal light is neglected**: without
    correlations :math:`\bar n` appears nowhere. Its field does not grow with N, so the limit is the same. So it is with
    squeezed light.

    Of an :class:`opendicke.System` every spin and every mode has its equation, with complex couplings:

    .. math::
        \dot{\mathbf S}_i = \mathbf B_i\times\mathbf S_i,\quad
        \mathbf B_i = (2\,\mathrm{Re}\,c_i, -2\,\mathrm{Im}\,c_i, \omega_i),\quad
        c_i = \xi_i + \sum_m\frac{g^*_{-,im}\alpha_m + g_{+,im}\alpha_m^*}{\sqrt{N_\mathrm{ref}}},\qquad
        \dot\alpha_m = -w_m\alpha_m - i\sum_i\frac{g_{-,im}S_i^- + g_{+,im}S_i^+}{\sqrt{N_\mathrm{ref}}} - i\eta_m

    Args:
        rtol: relative tolerance of the integrator, 2.3e-14 to 0.1.
        atol: absolute tolerance on m and β, 1e-20 to 0.1 (of a system: on :math:`S_i/N_i`, and on
            :math:`\alpha_m/\sqrt{\sum N_i}`).
        fast_cavity: True for steps that the spin sets, however fast the cavity, as in
            :class:`opendicke.TruncatedWigner`: some thousand times quicker at
            :math:`|\omega_c| = 1000\,\omega_a`, but not to the tolerances above. The answer's ``step_error`` is how
            much m moves when the step is halved; besides, products of fast terms are neglected, of the order of
            ``fast_share`` squared, the spin's rate over :math:`|\kappa+i\omega_c|`. Everyday models only.

    Raises:
        ValueError, TypeError: for a tolerance out of its range; for a last time beyond 1e8 over the fastest rate,
            that at which spins turn in the field of the initial state and of the drives included.
        RuntimeError: if the integrator fails or does not conserve the length of the spin.
        TimeoutError: if the ``timeout`` of :func:`opendicke.solve` is over before the last time is reached.

    Source: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*,
    eq. (5), here for unequal couplings too. Integrator: DOP853 of ``scipy.integrate.solve_ivp``.

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=100, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=2.0)
    >>> result = od.solve(model, od.SpinCoherent(np.pi / 4, np.pi), [0.0, 400.0], od.MeanField())
    >>> result.Sz.values.round(2)  # ends superradiant: S^z = -(N/2) (g_c / g)^2, with g = 2 and g_c^2 = 2
    array([ 35.36, -25.  ])
    """

    rtol: float = 1e-10
    atol: float = 1e-12
    fast_cavity: bool = field(default=False, metadata=added("0.2", neutral=False))

    def __post_init__(self) -> None:
        check_tolerances(self)
        checks.set_flag(self, "fast_cavity")

    def limits(self, model: Model) -> Limits:
        """Takes any model or system at any N; see :class:`opendicke.problem.Limits`."""
        check_model(model)
        system = as_system(model)
        warm = any(signals.largest(mode.n_thermal) > 0 for mode in system.modes)
        neglected = "all noise, thermal light included" if warm else "all noise"
        reason = f"Neglects all correlations and {neglected}: exact for infinite N at fixed times only."
        seconds = SECONDS_PER_RATE * fastest_rate(system) * (1.0 if system.is_everyday else MOVING_COST)
        if self.fast_cavity and system.is_everyday:
            seconds = spin_rate(pair_of(system), 0.0) / FAST_STEP * SECONDS_PER_FAST_STEP
        return Limits(True, False, reason, MEMORY, seconds)

    def check_words(self, words: tuple[Word, ...]) -> None:
        """Answers all of them, as products of the means of their factors."""

    def run(self, problem: Problem, names: tuple[str, ...], executor: Executor, progress: Progress) -> Solution:
        """Solve ``problem`` for the variables ``names``."""
        progress.start(1, "run", "mean field")
        told: dict[str, float] = {}
        if self.fast_cavity and check_fast(problem.system):
            spins, fields, told = _fast(problem)
        else:
            spins, fields = self._solved(problem, Watch(executor))
        progress.advance(1)
        atoms = _atoms(problem.system)
        spin, a = (atoms[:, None] * spins)[:, :, None], (math.sqrt(atoms.sum()) * fields)[:, None]
        photons = np.abs(a) ** 2
        channels = products(spin, a, photons, photons**2)
        attrs = {
            "moments": "factorised: mean field keeps no correlation",
            "spin_length_drift": _drift(spins),
        } | told
        solution = Solution(of_parts(from_channels(names, channels)), attrs=attrs)
        words = word_products(problem.words, spin[:, :, 0], a[:, 0])
        solution.values |= {word.name: words[:, at] for at, word in enumerate(problem.words)}
        return solution

    def trajectory(
        self, model: DickeModel, state: SpinCoherent, times: NDArray[np.float64], watch: Watch | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
        r"""The scaled mean field: :math:`\mathbf m`, shape (times, 3), and :math:`\beta`, shape (times,)."""
        spins, fields = self._solved(Problem(model, state, times), watch or Watch())
        return spins[:, 0], fields[:, 0]

    def _solved(self, problem: Problem, clock: Watch) -> tuple[Vector, NDArray[np.complex128]]:
        r"""Spins over their N, shape (times, spins, 3), and fields over :math:`\sqrt{\sum N}`, (times, modes)."""
        system, stop = problem.system, float(problem.times[-1])
        coherent, amplitudes = coherent_parts(problem.start, *system.shape, "MeanField")
        fields = amplitudes / math.sqrt(_atoms(system).sum())
        spins = 0.5 * np.array([one.direction for one in coherent])
        if stop == 0.0:
            return spins[None], fields[None]
        rate = max(fastest_rate(system), field_rate(system, problem.start), drive_rate(system, stop))
        check_duration(problem, rate)
        y = self._along(problem, np.concatenate([spins.ravel(), fields.view(np.float64)]), clock)
        spins = y[: spins.size].T.reshape(-1, *spins.shape)
        drift = _drift(spins)
        if drift > LENGTH_TOLERANCE:
            raise RuntimeError(
                f"the length of the spin drifted by a fraction {drift:.1e}, and it is conserved. "
                f"Lower rtol (now {self.rtol:g}) and atol (now {self.atol:g})."
            )
        return spins, np.ascontiguousarray(y[spins[0].size :].T).view(np.complex128)

    def _along(self, problem: Problem, start: Vector, clock: Watch) -> Vector:
        """(spins, Re and Im of the fields) at the problem's times, from kink to kink: shape (components, times)."""
        system, times = problem.system, problem.times
        edges = [0.0, *system.kinks(float(times[-1])), float(times[-1])]
        fastest = system.signal_rate
        longest = 1 / fastest if fastest > 0 else math.inf  # no oscillation is stepped over
        found = []
        for first, last in itertools.pairwise(edges):
            flow = (
                _simple_flow(problem.model, clock) if system.is_everyday else _system_flow(system, first, last, clock)
            )
            with interrupts_wait():
                flow(first, start)  # compiled here, if it is not yet
            inside = times[(times >= first) & (times < last)]
            y = self._integrated(flow, start, (first, last), np.append(inside, last), longest)
            found.append(y[:, :-1])
            start = y[:, -1]
        return np.column_stack([*found, start])

    def _integrated(
        self, flow: Flow, start: Vector, span: tuple[float, float], times: Vector, longest: float
    ) -> Vector:
        from scipy.integrate import solve_ivp

        options = {"rtol": self.rtol, "atol": self.atol, "max_step": longest}
        answer = solve_ivp(flow, span, start, "DOP853", times, **options)
        if not answer.success:
            raise RuntimeError(f"the mean-field integrator stopped at t = {answer.t[-1]:g}: {answer.message}")
        y: Vector = answer.y
        return y


def _fast(problem: Problem) -> tuple[Vector, NDArray[np.complex128], dict[str, float]]:
    """Spins over N, fields over √N, and what is known of their errors, in steps that the spin sets."""
    model, times = problem.model, problem.times
    coherent, amplitudes = coherent_parts(problem.start, 1, 1, "MeanField")
    spin = 0.5 * np.array(coherent[0].direction)
    alpha, rate = complex(amplitudes[0]) / math.sqrt(model.n_atoms), spin_rate(model, abs(amplitudes[0]))
    flow = FastFlow(model.omega_a, model.omega_c, model.kappa, model.coupling, model.g_minus - model.g_plus)
    stop = float(times[-1])
    found = []
    for step in (FAST_STEP / rate, FAST_STEP / (2 * rate)) if rate > 0 and stop > 0 else (stop or 1.0,):
        steps, hits = noise_steps(times, step)
        with interrupts_wait():
            found.append(flow.run(spin, alpha, FastPath.silent(steps), hits, times.size))
    spins, fields = found[-1]
    error = float(np.abs(spins - found[0][0]).max())
    share = rate / abs(complex(model.kappa, model.omega_c))
    return spins[:, None], fields[:, None], {"fast_cavity": 1, "step_error": error, "fast_share": share}


def _simple_flow(model: DickeModel, clock: Watch) -> Flow:
    """The flow of an everyday model."""
    parameters = flow_parameters(model)

    def flow(time: float, y: Vector) -> Vector:
        clock.check(time)
        rates = np.empty(5)
        mean_flow.velocity(parameters, y, rates)
        return rates

    return flow


def _system_flow(system: System, first: float, last: float, clock: Watch) -> Flow:
    """The flow of any system between two kinks."""
    inside = math.nextafter(last, first)  # a step at the end belongs to what follows
    atoms = _atoms(system)
    root, share = math.sqrt(atoms.sum()), atoms / atoms.sum()
    now, w, kick = _scaled_rates(system, first, root)
    places = _places(system, now, w, kick, root)
    moving = [(system.rates[name], *places[name]) for name in system.moving if name in places]

    def flow(time: float, y: Vector) -> Vector:
        clock.check(time)
        for rate, array, index, factor in moving:
            array[index] = factor * rate(min(max(time, first), inside))
        out = np.empty(y.size)
        system_flow.velocity(now, w, kick, share, y, out)
        out[np.abs(out) < FAINT] = 0.0
        return out

    return flow


def _scaled_rates(
    system: System, time: float, root: float
) -> tuple[system_flow.SpinRates, NDArray[np.complex128], NDArray[np.complex128]]:
    """Rates at ``time``, for spins over N and fields over ``root``: one row for the spins, and κ + iω_c and −iη."""
    now = spin_rates(system, [time])
    w, kick = (part[0] for part in field_rates(system, [time]))
    return now._replace(minus=root * now.minus, plus=root * now.plus), w, kick / root


def _places(
    system: System,
    now: system_flow.SpinRates,
    w: NDArray[np.complex128],
    kick: NDArray[np.complex128],
    root: float,
) -> dict[str, tuple[NDArray[Any], tuple[int, ...], complex]]:
    """Where each of the system's rates stands in these arrays, and the factor with which: array, index, factor."""
    places: dict[str, tuple[NDArray[Any], tuple[int, ...], complex]] = {}
    scale = root / math.sqrt(system.n_ref)
    for i in range(len(system.spins)):
        places[f"spins.{i}.omega_a"] = now.omega_a, (0, i), 1.0
        places[f"spins.{i}.atom_drive"] = now.push, (0, i), 1.0
        for m in range(len(system.modes)):
            places[f"g_minus.{i}.{m}"] = now.minus, (0, i, m), scale
            places[f"g_plus.{i}.{m}"] = now.plus, (0, i, m), scale
    for m in range(len(system.modes)):
        places[f"modes.{m}.kappa"] = w.real, (m,), 1.0
        places[f"modes.{m}.omega_c"] = w.imag, (m,), 1.0
        places[f"modes.{m}.drive"] = kick, (m,), -1j / root
    return places


def _atoms(system: System) -> NDArray[np.float64]:
    return np.array([float(spin.n_atoms) for spin in system.spins])


def _drift(spins: Vector) -> float:
    """The largest relative change of a spin's length, of spins over N."""
    return float(np.abs(2 * np.linalg.norm(spins, axis=-1) - 1).max())


def field_rate(model: Model, state: State) -> float:
    """The rate 2(|g₋| + |g₊|)|α|/√N at which spins turn in the field that is there at the start."""
    system = as_system(model)
    return turning(system, field_sizes(state, *system.shape))


def drive_rate(model: Model, stop: float) -> float:
    """A bound on the rate at which drives turn the spins until ``stop``: 2|ξ|, and that in the field that η makes."""
    system = as_system(model)
    own = max(signals.largest(spin.atom_drive) for spin in system.spins)
    return 2 * own + turning(system, [_filled(mode, stop) for mode in system.modes])


def _filled(mode: Mode, stop: float) -> float:
    """A bound on the field that a drive makes until ``stop``."""
    loss = signals.smallest(mode.kappa)
    longest = 1 / loss if loss > 0 else math.inf  # in which a resonant drive fills the cavity
    moves = any(signals.moves(rate) for rate in (mode.omega_c, mode.kappa, mode.drive))
    if not moves and (mode.omega_c or loss):
        longest = 2 / abs(complex(loss, mode.omega_c))
    return signals.largest(mode.drive) * min(stop, longest)


def flow_parameters(model: DickeModel) -> NDArray[np.float64]:
    """(ω_a, ω_c, κ, g₋ + g₊, g₋ − g₊), as :mod:`opendicke.engine.mean_flow` takes them."""
    return np.array([model.omega_a, model.omega_c, model.kappa, model.coupling, model.g_minus - model.g_plus])
