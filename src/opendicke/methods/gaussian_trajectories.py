"""Gaussian trajectories: those of nuHOPS with the state of each taken for a Gaussian one, in its moving frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from opendicke import cavities, checks
from opendicke.description import added
from opendicke.engine.fast_cavity import FastNoise
from opendicke.engine.fast_gaussian import FastPairFlow
from opendicke.engine.gaussian_moments import Record
from opendicke.engine.gaussian_network import NetworkFlow
from opendicke.engine.gaussian_pair import PairFlow
from opendicke.engine.gram import Plan
from opendicke.engine.noise import OrnsteinUhlenbeck
from opendicke.engine.trajectory import TrajectoryFailure
from opendicke.ensemble.padding import stack_padded
from opendicke.ensemble.run import Ensemble, Sample
from opendicke.ensemble.streams import stream
from opendicke.integration import check_duration
from opendicke.methods.classical import spin_rates
from opendicke.methods.fast_cavity import seems_fast, spin_rate, step_within, takes_fast
from opendicke.methods.gauge import Gauge, phases_are_fixed, real_couplings
from opendicke.methods.mean_field import drive_rate, field_rate
from opendicke.methods.moving import STEP_TIMES_RATE, Light, check_bath, nodes_of, noise_step
from opendicke.methods.precision import Precision
from opendicke.methods.sampled import MEANS_KEPT, Sampled, Simulator, kept_rows, kept_states, point_kept, words_averaged
from opendicke.model import DickeModel, Model, check_model, pair_of
from opendicke.observables.catalogue import CHANNELS
from opendicke.problem import Limits, Problem, Solution
from opendicke.states import SpinCoherent, field_sizes, parts_of
from opendicke.system import System, as_system, fastest_rate
from opendicke.words import Word

#: What a trajectory costs: of an everyday model per noise step; of a system per step too, and per third power of its
#: spins and modes (measured at the parameters of figure 1, t = 20, and with up to 8 spins and modes).
SECONDS_PER_STEP, SECONDS_PER_SYSTEM_STEP, SECONDS_PER_CUBE = 7e-7, 4e-6, 1e-7
MEMORY = 1e6
#: Cost of a step that the spin sets, in steps that resolve the cavity (measured).
FAST_COST = 20.0
#: Share of excited atoms up to which a copy of an exact trajectory is close to it.
MOST_EXCITED = 0.05
#: Why a trajectory ends early.
TOO_MANY = "its Gaussian state holds N/2 excitations or has no norm"
REASON = (
    "Neglects what is not Gaussian in a trajectory: spins are off by a few, whatever N is, and with less than about "
    "300 atoms some trajectories fail."
)


@dataclass(frozen=True)
class GaussianTrajectories(Sampled):
    r"""The trajectories of :class:`opendicke.NuHOPS`, each a Gaussian state in its moving spin frame. Large N.

    In its frame, where :math:`S'_-\approx\sqrt Nc^\dagger`, a trajectory's hierarchy vector is taken for

    .. math:: |\Phi\rangle = \exp(\tfrac12xc^{\dagger2} + yc^\dagger b^\dagger + \tfrac12ub^{\dagger2}
              + qb^\dagger)|0\rangle

    and moves along the noise of nuHOPS by

    .. math::
        \dot x = 2Py-2r_3x,\quad \dot y = Pu+Wy^2-iG(\lambda_++\lambda_-x)-(r_3+w)y,\quad
        \dot u = 2y(Wu-iG\lambda_-)-2wu,\quad \dot q = y(F-v^*)-wq

    with :math:`\Lambda = \lambda\cdot S'` and the c-number coefficients of :mod:`opendicke.engine.gaussian_pair`; the
    frame and the field α move along. κ is the decay rate of the field. Each trajectory has quantum fluctuations of its
    own (squeezing, correlations of spin and field); their average is a mixture of Gaussians, and may be as far from
    one as it likes. Several spins and modes have vectors and matrices in the place of x, y, u, q.

    With the same ``seed``, ``point``, ``step`` and times, trajectory i runs along the noise of nuHOPS's trajectory i,
    and stays close to it; unless steps follow the spin (``fast_cavity``), which draw noise of their own.

    **It is an approximation**, of leading order in 1/N: it becomes exact for N → ∞, and a mean spin is off by one or
    two, whatever N is (by 1/N per atom). ``<name>_sem`` is the sampling error alone. At few atoms, and close to where
    a state loses its stability, a trajectory may come to hold N/2 excitations (|x| goes to 1, where a Gaussian has no
    norm), and the mean spin is 0: it is reported as failed, with the time, and left out. At the parameters of figure 1
    up to t = 20 that is the fate of 102 in 300 at N = 30, 8 in 300 at N = 100, and none of 300 at N = 300.

    Spins start from coherent states; cavities from coherent, ``Thermal`` and ``Squeezed`` ones.

    Args:
        trajectories: how many, >= 1. Standard errors fall as one over its square root.
        seed: non-negative integer; trajectory i of a seed is the same whoever runs it, and for any number of them.
        point: non-negative integer; streams of different points of a parameter study are independent.
        step: longest noise step, in units of time; None for 0.16 over the fastest of the model's rates. With
            ``fast_cavity`` over that of the spin's rates, and at most one over it.
        precision: a target standard error (:class:`opendicke.Precision`); the run stops when it is met, and
            ``trajectories`` is then the most that are run.
        keep_trajectories: also return <S> and <a> of every trajectory, with dimension ``trajectory``.
        keep_states: some of the ``times``; also return the spin state of every trajectory at these times, as
            :class:`opendicke.NuHOPS` does. For one spin and one mode.
        fast_cavity: True for steps that the spin sets, however fast the cavity: what follows the spin, what rings, and
            the noise are integrated exactly in each. False for steps that resolve the cavity. None for the first where
            :math:`|\kappa+i\omega_c|` is at least 20 times :math:`|\omega_a|` and the spin's precession in the field,
            and the second elsewhere. Everyday models that start without squeezed light only. The answer's
            ``fast_cavity`` tells which it was.

    Raises:
        ValueError, TypeError: for an option out of range; for other states, light more squeezed than classical noise,
            and words of several spins or modes.
        TrajectoryError: if every trajectory failed.

    Warns:
        FailedTrajectoryWarning: if some failed; the message names index, parameters and time.

    Source: derived for this package from eq. (4) of K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type
    models at large atom numbers*.

    >>> import numpy as np, opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=1000, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.26)
    >>> state = od.SpinCoherent(np.pi / 4, np.pi)
    >>> result = od.solve(model, state, [0.0, 5.0], od.GaussianTrajectories(trajectories=400, seed=1), ["Sz"])
    """

    trajectories: int
    seed: int = 0
    point: int = 0
    step: float | None = None
    precision: Precision | None = None
    keep_trajectories: bool = False
    keep_states: tuple[float, ...] = ()
    fast_cavity: bool | None = field(default=None, metadata=added("0.2", neutral=False))

    kept: ClassVar[dict[str, str]] = MEANS_KEPT

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "keep_states", checks.some_times("keep_states", self.keep_states))
        checks.set_flag(self, "fast_cavity", optional=True)

    def settled(self, problem: Problem) -> GaussianTrajectories:
        """With the steps that it takes here."""
        return replace(self, fast_cavity=_is_fast(problem, self))

    def limits(self, model: Model) -> Limits:
        """Takes any model or system with classical light; see :class:`opendicke.problem.Limits`."""
        check_model(model)
        system = as_system(model)
        try:
            for mode in system.modes:
                check_bath(mode)
        except ValueError as problem:
            return Limits(False, False, str(problem), 0.0, 0.0)
        rate = fastest_rate(system)
        if seems_fast(self.fast_cavity, system):
            rate = FAST_COST * spin_rate(pair_of(system), 1.0)
        steps = 1 / self.step if self.step is not None else rate / STEP_TIMES_RATE
        size = sum(system.shape)
        seconds = SECONDS_PER_STEP if system.is_everyday else SECONDS_PER_SYSTEM_STEP + SECONDS_PER_CUBE * size**3
        return Limits(True, False, REASON, MEMORY, steps * seconds)

    def check_words(self, words: tuple[Word, ...]) -> None:
        """Answers all of them, of one spin and one mode."""

    def simulator(self, problem: Problem) -> GaussianSimulator:
        """What runs one trajectory."""
        return GaussianSimulator(problem, self)

    def finish(self, problem: Problem, ensemble: Ensemble, solution: Solution) -> None:
        """Say which steps were taken, and add the states that were kept."""
        solution.attrs["fast_cavity"] = int(_is_fast(problem, self))
        if self.keep_states:
            kept_states(ensemble, solution, problem.times[kept_rows(problem.times, self.keep_states)])


class GaussianSimulator(Simulator[GaussianTrajectories]):
    """Moves a Gaussian state along the noise of nuHOPS."""

    hint = "Use NuHOPS, which is exact at any N."

    def __init__(self, problem: Problem, options: GaussianTrajectories) -> None:
        given, stop = problem.system, float(problem.times[-1])
        if given.shape != (1, 1):
            _refuse_of_several(problem, options)
        spins, self._modes = _parts(problem)
        check_duration(problem, max(fastest_rate(given), field_rate(given, problem.start), drive_rate(given, stop)))
        system, self._gauge = _real(given)
        self.fast = _is_fast(problem, options)
        super().__init__(problem, options, _step(problem, system, options.step, self.fast))
        self._atoms = np.array([float(spin.n_atoms) for spin in system.spins])
        self._frames = np.array([self._gauge.frame(spin.frame()) for spin in spins])
        self._flow: PairFlow | NetworkFlow
        if system.is_everyday:
            noise = FastNoise if self.fast else OrnsteinUhlenbeck
            self._noise = noise(self.steps, system.modes[0].omega_c, system.modes[0].kappa)
            self._flow = _pair_flow(pair_of(system), self.fast)
        else:
            self._lights = [Light(mode, self.steps) for mode in system.modes]
            self._flow = _network_flow(system, self._lights, self.steps)
        self._plan = Plan.of(problem.words) if problem.words else None

    def prepare(self) -> None:
        """Compile what a trajectory needs, by one that ends where it starts."""
        self._run(stream(0, 0), 0)[0].channels(self._atoms)

    def __call__(self, index: int) -> Sample:
        """Trajectory ``index``, start to end."""
        try:
            record, least, end = self._run(self.stream(index), self.steps.size)
        except ArithmeticError as failure:
            raise self.stopped(index, 0, failure) from None
        if end <= self.steps.size:
            raise self.stopped(index, end, TrajectoryFailure(TOO_MANY, end))
        return self._sample(record, {"largest_excitation": 0.5 - least})

    def copy(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """The channels of a trajectory of one spin and one mode, and 1: (times, channels + 1).

        From where more than MOST_EXCITED of the atoms are excited in its frame there are zeros in their place.
        """
        record, _, end = self._run(rng, self.steps.size, 0.5 - MOST_EXCITED)
        found = np.ones((self.problem.times.size, len(CHANNELS) + 1))
        found[:, :-1] = self._gauge.channels(record.channels(self._atoms)[:, 0, 0])
        if end <= self.steps.size:
            found[int((self.hits[:end] >= 0).sum()) :] = 0.0
        return found

    def _run(self, rng: np.random.Generator, last: int, floor: float = 0.0) -> tuple[Record, float, int]:
        """The first steps of a trajectory, up to ``last``; see :meth:`opendicke.engine.gaussian_pair.PairFlow.run`."""
        hits, moments = self.hits[: last + 1], self.problem.times.size
        points = [
            self._gauge.point(cavities.coherent(one) if isinstance(one, complex) else one.draw(rng))
            for one in self._modes
        ]
        fields, squeezing = [point.alpha for point in points], [_pairs(point.levels) for point in points]
        if isinstance(self._flow, PairFlow):
            noise, begin = self._noise, points[0].noise
            path = noise.sample(rng) if begin is None else noise.extend(rng, begin)[0]
            return self._flow.run(self._frames[0], fields[0], squeezing[0], path.part(0, last), hits, moments, floor)
        drawn = [one.draw(rng, point.noise) for one, point in zip(self._lights, points, strict=True)]
        paths = [path.part(0, last) for path, _ in drawn]
        light = [parts for _, parts in drawn]
        return self._flow.run(self._frames, np.array(fields), np.array(squeezing), paths, light, hits, moments, floor)

    def _sample(self, record: Record, peaks: dict[str, float]) -> Sample:
        """What is left of a trajectory; axes of spins and modes if a system was asked for."""
        problem, options = self.problem, self.options
        channels = self._gauge.channels(record.channels(self._atoms))
        spins, a = channels[:, :, 0, :3], channels[:, 0, :, 9] + 1j * channels[:, 0, :, 10]
        if not isinstance(problem.given, System):
            channels, spins, a = channels[:, 0, 0], spins[:, 0], a[:, 0]
        kept: dict[str, NDArray[Any]] = {}
        if options.keep_trajectories:
            kept = point_kept(spins, a)
        if options.keep_states:
            rows, n_atoms = kept_rows(problem.times, options.keep_states), int(self._atoms[0])
            kept["psi"] = stack_padded([record.hierarchy(row, n_atoms, 1)[0] for row in rows])
            kept["psi_frame"] = self._gauge.frame_back(record.frames[rows, 0])
        return Sample({"channels": channels} | words_averaged(self._words(record)), kept, peaks)

    def _words(self, record: Record) -> NDArray[np.complex128]:
        """The means of the words, on the Dicke states that the Gaussian state stands for."""
        times, n_atoms = self.problem.times.size, int(self._atoms[0])
        found = np.empty((times, len(self.problem.words)), dtype=np.complex128)
        if self._plan is not None:
            for row in range(times):
                phi = record.hierarchy(row, n_atoms, self._plan.levels)
                frame = self._gauge.frame_back(record.frames[row, 0])
                found[row] = self._plan.moments(phi, n_atoms, frame, complex(record.fields[row, 0]))
        return self._gauge.words(self.problem.words, found)


def _pairs(levels: NDArray[np.complex128]) -> complex:
    """u of a hierarchy that starts as exp(u b†²/2)|0>."""
    return math.sqrt(2) * complex(levels[2]) if levels.size > 2 else 0j


def _real(system: System) -> tuple[System, Gauge]:
    """The system, of one spin and one mode in the gauge in which nuHOPS solves it if there is one."""
    if system.shape != (1, 1) or not phases_are_fixed(pair_of(system)):
        return system, Gauge()
    model, gauge = real_couplings(pair_of(system))
    return model.system, gauge


def _is_fast(problem: Problem, options: GaussianTrajectories) -> bool:
    """Whether steps follow the spin."""
    system, _ = _real(problem.system)
    squeezed = any(isinstance(mode, cavities.Squeezed) for mode in _parts(problem)[1])
    if squeezed and options.fast_cavity:
        raise checks.refuse("fast_cavity", "no True with a cavity that starts Squeezed", True)
    amplitude = field_sizes(problem.start, *system.shape)[0] + 1
    return not squeezed and takes_fast(options.fast_cavity, system, amplitude)


def _step(problem: Problem, system: System, wanted: float | None, fast: bool) -> float:
    """The longest noise step; ``system`` is the problem's with real couplings."""
    stop = float(problem.times[-1])
    if not fast:
        return noise_step(system, wanted, stop)
    amplitude = field_sizes(problem.start, *system.shape)[0] + 1
    return step_within(spin_rate(pair_of(system), amplitude), STEP_TIMES_RATE, wanted, stop or 1.0)


def _pair_flow(model: DickeModel, fast: bool = False) -> PairFlow:
    root = math.sqrt(model.n_atoms)
    rates = model.omega_a, (model.g_minus + model.g_plus) / root, (model.g_minus - model.g_plus) / root
    return (FastPairFlow if fast else PairFlow)(model.n_atoms, rates, complex(model.kappa, model.omega_c))


def _network_flow(system: System, lights: list[Light], steps: NDArray[np.float64]) -> NetworkFlow:
    """The equations of motion of any system; one row of rates will do where those of the spins are constant."""
    times = nodes_of(steps)
    still = not any(name.startswith(("spins", "g_")) for name in system.moving)
    atoms = [spin.n_atoms for spin in system.spins]
    w = np.stack([light.w for light in lights], axis=-1)
    return NetworkFlow.of(atoms, spin_rates(system, times[:1] if still else times), w, steps)


def _parts(problem: Problem) -> tuple[list[SpinCoherent], list[complex | cavities.Thermal | cavities.Squeezed]]:
    """The states of the spins and of the modes, if they are Gaussian."""
    spins, modes = parts_of(problem.start, *problem.system.shape)
    own, fields = [], []
    hint = "Other states: NuHOPS and Lindblad, and some of them TruncatedWigner."
    for spin in spins:
        if not isinstance(spin, SpinCoherent):
            raise checks.refuse("state", "SpinCoherent states of the spin (for GaussianTrajectories)", spin, hint)
        own.append(spin)
    for mode in modes:
        if isinstance(mode, cavities.Fock | cavities.Cat):
            expected = "a coherent, Thermal or Squeezed cavity (for GaussianTrajectories)"
            raise checks.refuse("state", expected, mode, hint)
        fields.append(mode if isinstance(mode, cavities.Thermal | cavities.Squeezed) else complex(mode))
    return own, fields


def takes(problem: Problem) -> bool:
    """Whether the states that a problem starts from are Gaussian."""
    try:
        _parts(problem)
    except ValueError:
        return False
    return True


def _refuse_of_several(problem: Problem, options: GaussianTrajectories) -> None:
    """What there is of one spin and one mode only."""
    got, hint = f"{problem.system.shape[0]} and {problem.system.shape[1]}", "TruncatedWigner answers words of several."
    if problem.words:
        raise checks.refuse("observables", "words of one spin and one mode (for GaussianTrajectories)", got, hint)
    if options.keep_states:
        raise checks.refuse("keep_states", "one spin and one mode (for GaussianTrajectories)", got)
