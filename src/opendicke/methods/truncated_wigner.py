"""The truncated Wigner approximation: classical trajectories with quantum noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.cavities import Cat, Fock, Squeezed, Thermal
from opendicke.description import added
from opendicke.engine.fast_cavity import FastFlow, FastNoise
from opendicke.engine.moving import GaussianField
from opendicke.engine.noise import noise_steps
from opendicke.engine.system_flow import SystemFlow
from opendicke.engine.wigner import VacuumNoise, VacuumPath, WignerFlow
from opendicke.ensemble.run import Ensemble, Sample
from opendicke.ensemble.streams import stream
from opendicke.methods.classical import coupling_sizes, field_rates, products, spin_rates, turning, word_products
from opendicke.methods.fast_cavity import seems_fast, spin_rate, step_within, strongest_pull, takes_fast
from opendicke.methods.moving import nodes_of
from opendicke.methods.precision import Precision
from opendicke.methods.sampled import Sampled, Simulator, point_kept, words_averaged
from opendicke.model import DickeModel, Model, check_model, pair_of
from opendicke.problem import Limits, Problem, Solution
from opendicke.signals import Rate
from opendicke.states import Dicke, SpinCoherent, ThermalSpin, field_sizes, parts_of
from opendicke.system import Mode, System, as_system, fastest_rate
from opendicke.words import Word

#: Default step times the fastest rate. The strong error of S/j is below 2e-4 after 10 time units, at the parameters of
#: the paper's figures 1 and 3 and N = 4 and 100: far below the error of the approximation.
STEP_TIMES_RATE = 0.16

#: Cost of one step of a trajectory (measured at the parameters of figures 1 and S4, N = 20 to 1000, t = 10).
SECONDS_PER_STEP = 1e-6
MEMORY = 1e6
#: Cost of a step that the spin sets, in steps that resolve the cavity (measured).
FAST_COST = 3.0
#: Times over the fastest rate in which the field has grown, to estimate the cost of a model that moves or is driven.
TYPICAL_TURNS = 10.0

#: States of a spin whose Wigner functions are sampled.
Start = SpinCoherent | Dicke | ThermalSpin
NEGATIVE = "Other states, whose Wigner functions may be negative: NuHOPS and Lindblad."


@dataclass(frozen=True)
class TruncatedWigner(Sampled):
    r"""The truncated Wigner approximation: mean-field equations with the quantum noise of spin and vacuum. Large N.

    Each trajectory is a point of phase space that moves by

    .. math::
        \dot{\mathbf S} = \mathbf B\times\mathbf S,\quad
        \mathbf B = \Bigl(\tfrac{2G}{\sqrt N}\mathrm{Re}\,\alpha,\; -\tfrac{2D}{\sqrt N}\mathrm{Im}\,\alpha,\;
        \omega_a\Bigr),\qquad
        d\alpha = -\Bigl[(\kappa+i\omega_c)\alpha + \tfrac{iG}{\sqrt N}S_x + \tfrac{D}{\sqrt N}S_y\Bigr]dt
        + \sqrt\kappa\,dW

    with :math:`G = g_-+g_+`, :math:`D = g_--g_+` and complex white noise, :math:`E|dW|^2 = dt`, so that the vacuum has
    :math:`E|\alpha|^2 = \tfrac12`; κ is the decay rate of the field. Averages over points are symmetrically ordered
    moments, from which the variables follow as

    .. math::
        \langle a^\dagger a\rangle = E|\alpha|^2-\tfrac12,\quad
        \langle a^{\dagger2}a^2\rangle = E|\alpha|^4 - 2E|\alpha|^2+\tfrac12,\quad
        \tfrac12\langle S_iS_j+S_jS_i\rangle = E[S_iS_j],\quad \langle S_ia\rangle = E[S_i\alpha].

    Rates that move in time are taken at that time. Drives add :math:`(2\,\mathrm{Re}\,\xi, -2\,\mathrm{Im}\,\xi, 0)`
    to **B** and :math:`-i\eta\,dt` to :math:`d\alpha`, thermal light :math:`\sqrt{2\kappa\bar n}\,dW'`, so that
    the noise has :math:`\kappa(2\bar n+1)`, squeezed light :math:`E\,dW^2\propto m`: nothing is neglected there. Of an
    :class:`opendicke.System` every spin and every mode is a point of its own, each mode with noise of its own; the
    equations are those of :class:`opendicke.MeanField`.

    A coherent cavity starts as a Gaussian of variance ½ about the state's α, a coherent spin with component N/2 along
    its direction and random components :math:`S_\perp` across it, of mean 0 and variance N/4 each. A trajectory keeps
    its :math:`|\mathbf S|`, which is not N/2: :math:`E|\mathbf S|^2 = j(j+1)`. The Wigner functions of ``Thermal`` and
    ``Squeezed`` cavities are Gaussians too, and exact. ``Dicke`` and ``ThermalSpin`` states start on the circle of
    their :math:`S^z` with :math:`|\mathbf S|^2 = j(j+1)`, at any azimuth. At t = 0 every variable is exact. States
    whose Wigner function is negative by more than O(1/N) (``Fock``, ``Cat``, ``SpinSuperposition``) are refused, and so
    is ``SpinSqueezed``.

    **It is an approximation**: dropped are derivatives of third order in the equation of the Wigner function. Without
    coupling it is exact; for N → ∞ it becomes exact at fixed times, and for Gaussian fluctuations about a stable state
    at all times. At finite N means per atom are off by about 1/N, and nothing bounds the error of rates of tunnelling
    between stable states. ``<name>_sem`` is the sampling error alone; it does not tell of the approximation.

    Args:
        trajectories: how many, >= 1. Standard errors fall as one over its square root.
        seed: non-negative integer; trajectory i of a seed is the same whoever runs it, and for any number of them.
        sampling: "gaussian" for Gaussian :math:`S_\perp`; "exact" for sums of N numbers ±½, the outcomes of measuring
            that component, so that all its moments are exact (discrete truncated Wigner). The second is tied to the
            axes along growing θ and φ. They differ in fourth moments, by O(1/N), which matters for a few atoms.
        step: longest step, in units of time, at most one over the fastest rate (the model's rates, and the spin's
            precession in the field; with a fast cavity, that in the field which follows it); None for 0.16 of that.
        keep_trajectories: also return S and α of every trajectory, with dimension ``trajectory``.
        point: non-negative integer; streams of different points of a parameter study are independent.
        precision: a target standard error (:class:`opendicke.Precision`); the run stops when it is met, and
            ``trajectories`` is then the most that are run.
        fast_cavity: True for steps that the spin sets, however fast the cavity: in each the field that follows the
            spin, what rings, and the noise are integrated exactly, and the spin turns in their moments. False for
            steps that resolve the cavity. None for the first where :math:`|\kappa+i\omega_c|` is at least 20 times
            :math:`|\omega_a|` and the spin's precession in the field, and the second elsewhere. Everyday models only.
            The answer's ``fast_cavity`` tells which it was.

    Raises:
        ValueError, TypeError: for an option out of range; the message names it.

    Sources: A. Polkovnikov, Ann. Phys. 325, 1790 (2010); J. Schachenmayer, A. Pikovski and A. M. Rey, Phys. Rev. X 5,
    011022 (2015), for the discrete sampling; J. Huber, A. M. Rey and P. Rabl, Phys. Rev. A 105, 013716 (2022), and
    C. D. Mink and M. Fleischhauer, SciPost Phys. 15, 233 (2023), for open systems.

    >>> import numpy as np, opendicke as od
    >>> from opendicke.methods.truncated_wigner import TruncatedWigner
    >>> model = od.DickeModel.balanced(n_atoms=1000, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.26)
    >>> state = od.SpinCoherent(np.pi / 4, np.pi)
    >>> result = od.solve(model, state, [0.0, 5.0], TruncatedWigner(trajectories=400, seed=1), ["Sz", "n_photon"])
    >>> result.Sz.values.round(), result.attrs["spin_length_drift"] < 1e-12
    (array([ 354., -421.]), True)
    """

    trajectories: int
    seed: int = 0
    sampling: Literal["gaussian", "exact"] = "gaussian"
    step: float | None = None
    keep_trajectories: bool = False
    point: int = 0
    precision: Precision | None = None
    fast_cavity: bool | None = field(default=None, metadata=added("0.2", neutral=False))

    kept: ClassVar[dict[str, str]] = {
        "Sx_trajectory": "S_x at one trajectory's point of phase space",
        "Sy_trajectory": "S_y at one trajectory's point of phase space",
        "Sz_trajectory": "S_z at one trajectory's point of phase space",
        "a_trajectory": "alpha at one trajectory's point of phase space",
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.choice("sampling", self.sampling, ("gaussian", "exact"))
        checks.set_flag(self, "fast_cavity", optional=True)

    def settled(self, problem: Problem) -> TruncatedWigner:
        """With the steps that it takes here."""
        return replace(self, fast_cavity=_is_fast(problem, self))

    def limits(self, model: Model) -> Limits:
        """Takes any model or system at any N; see :class:`opendicke.problem.Limits`."""
        check_model(model)
        system = as_system(model)
        reason = "Neglects quantum corrections to classical motion: off by about 1/N; rare events uncertain."
        grown = math.inf if system.is_everyday else TYPICAL_TURNS / (fastest_rate(system) or 1.0)
        rate = _fastest_rate(system, [0.0] * len(system.modes), grown)
        if seems_fast(self.fast_cavity, system):
            rate = FAST_COST * spin_rate(pair_of(system), 1.0)
        steps = 1 / self.step if self.step is not None else rate / STEP_TIMES_RATE
        return Limits(True, False, reason, MEMORY, steps * SECONDS_PER_STEP * sum(system.shape) / 2)

    def check_words(self, words: tuple[Word, ...]) -> None:
        """Answers those with at most two factors of each spin, or symmetrised ones."""
        for word in words:
            longest = max((len(word.spin_factors(site)) for site, _ in word.spins), default=0)
            if longest > 2 and not word.symmetrised:
                hint = "Ask for it with symmetrised=True, or use NuHOPS or Lindblad."
                expected = "at most two factors of a spin in words for TruncatedWigner"
                raise checks.refuse("observables", expected, word.name, hint)

    def simulator(self, problem: Problem) -> WignerSimulator:
        """What runs one trajectory."""
        return WignerSimulator(problem, self)

    def finish(self, problem: Problem, ensemble: Ensemble, solution: Solution) -> None:
        """Say which steps were taken."""
        solution.attrs["fast_cavity"] = int(_is_fast(problem, self))


class WignerSimulator(Simulator[TruncatedWigner]):
    """Moves a point of phase space along the noise."""

    def __init__(self, problem: Problem, options: TruncatedWigner) -> None:
        system = problem.system
        self._spins, self._modes = _parts(problem)
        self._atoms = [spin.n_atoms for spin in system.spins]
        self.fast = _is_fast(problem, options)
        super().__init__(problem, options, _step(problem, options.step, self.fast))
        self._noises = [_noise(mode, self.steps, self.fast) for mode in system.modes]
        simple = system.is_everyday
        self._flow = simple_flow(problem.model, self.fast) if simple else _system_flow(system, self.steps)

    def prepare(self) -> None:
        """Compile what a trajectory needs, by one that ends where it starts."""
        nowhere = [noise.sample(stream(0, 0)).start() for noise in self._noises]
        spins, modes = self.problem.system.shape
        self._run(np.zeros((spins, 3)), np.zeros(modes, dtype=np.complex128), nowhere, np.full(1, -1), 0)

    def _run(
        self,
        spins: NDArray[np.float64],
        fields: NDArray[np.complex128],
        paths: list[VacuumPath],
        hits: NDArray[np.int64],
        moments: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
        """Spins (moments, spins, 3) and fields (moments, modes)."""
        if isinstance(self._flow, SystemFlow):
            return self._flow.run(spins, fields, paths, hits, moments)
        spin, alpha = self._flow.run(spins[0], complex(fields[0]), paths[0], hits, moments)
        return spin[:, None], alpha[:, None]

    def __call__(self, index: int) -> Sample:
        """Trajectory ``index``, start to end."""
        problem, options, rng = self.problem, self.options, self.stream(index)
        atoms = zip(self._spins, self._atoms, strict=True)
        starts = np.array([draw_spin(one, n, options.sampling, rng) for one, n in atoms])
        points = [one.wigner(rng) if isinstance(one, (Thermal, Squeezed)) else None for one in self._modes]
        paths = [noise.sample(rng) for noise in self._noises]
        # of other states the vacuum's noise is a part: what its path starts from is taken away, and decays alike
        fields = [
            mode if point is None else point - path.ends[0]
            for mode, point, path in zip(self._modes, points, paths, strict=True)
        ]
        try:
            found = self._run(starts, np.array(fields, dtype=np.complex128), paths, self.hits, problem.times.size)
        except ArithmeticError as failure:
            raise self.stopped(index, 0, failure) from None
        drift = float(np.abs(np.linalg.norm(found[0], axis=-1) / np.linalg.norm(starts, axis=-1) - 1).max())
        return self._sample(*found, drift)

    def _sample(self, spins: NDArray[np.float64], alpha: NDArray[np.complex128], drift: float) -> Sample:
        """What is left of a trajectory; axes of spins and modes if a system was asked for."""
        words = word_products(self.problem.words, spins, alpha, noisy=True)
        if isinstance(self.problem.given, System):
            channels = reordered(spins[:, :, None], alpha[:, None])
        else:
            spins, alpha = spins[:, 0], alpha[:, 0]
            channels = reordered(spins, alpha)
        kept: dict[str, NDArray[Any]] = {}
        if self.options.keep_trajectories:
            kept = point_kept(spins, alpha)
        return Sample({"channels": channels} | words_averaged(words), kept, peaks={"spin_length_drift": drift})


class FieldPaths:
    r"""Paths of the field in a mode that the spins do not make: vacuum, thermal and squeezed light, and a drive's.

    .. math:: dy = -wy\,dt - i\eta\,dt + dB, \qquad E|dB|^2 = \kappa(2\bar n+1)\,dt, \quad E\,dB^2 = 2\kappa m\,dt

    from the vacuum at the start. There is such noise for every m that a bath may have, as :math:`|m| < \bar n + 1/2`.
    """

    def __init__(self, mode: Mode, steps: NDArray[np.float64]) -> None:
        self._steps, times = steps, nodes_of(steps)
        kappa, omega_c, photons, eta, squeezing = (
            signals.evaluate(getattr(mode, name), times)
            for name in ("kappa", "omega_c", "n_thermal", "drive", "squeezing")
        )
        # all of it conjugate: the same numbers then make the same path as those of VacuumNoise
        push, skew = (1j * eta.conj(), 2 * kappa * squeezing.conj())
        self._field = GaussianField(
            steps,
            kappa - 1j * omega_c,
            kappa * (2 * photons + 1),
            push if push.any() else None,
            skew if skew.any() else None,
        )

    def sample(self, rng: np.random.Generator) -> VacuumPath:
        """Draw one path."""
        start = complex(rng.standard_normal(6).view(np.complex128)[0]) / 2
        return VacuumPath(self._steps, *(part.conj() for part in self._field.sample(rng, start)))


def _noise(mode: Mode, steps: NDArray[np.float64], fast: bool) -> VacuumNoise | FastNoise | FieldPaths:
    """What draws the field that the spins do not make."""
    if fast:
        return FastNoise(steps, mode.omega_c, mode.kappa)
    moves = signals.moves(mode.omega_c) or signals.moves(mode.kappa)
    if moves or mode.n_thermal != 0 or mode.drive != 0 or mode.squeezing != 0:
        return FieldPaths(mode, steps)
    return VacuumNoise(steps, mode.omega_c, mode.kappa)


def simple_flow(model: DickeModel, fast: bool = False) -> WignerFlow:
    """The equations of motion of an everyday model, in steps that resolve the cavity or, with ``fast``, the spin."""
    root = math.sqrt(model.n_atoms)
    pulls = model.coupling / root, (model.g_minus - model.g_plus) / root
    return (FastFlow if fast else WignerFlow)(model.omega_a, model.omega_c, model.kappa, *pulls)


def _system_flow(system: System, steps: NDArray[np.float64]) -> SystemFlow:
    """The equations of motion of any system; one row of rates will do where those of the spins are constant."""
    times = nodes_of(steps)
    still = not any(name.startswith(("spins", "g_")) for name in system.moving)
    return SystemFlow.of(spin_rates(system, times[:1] if still else times), field_rates(system, times)[0], steps)


def _parts(problem: Problem) -> tuple[list[Start], list[complex | Thermal | Squeezed]]:
    """The states of the spins and of the modes, if their Wigner functions can be sampled."""
    system = problem.system
    spins, modes = parts_of(problem.start, *system.shape)
    starts: list[Start] = []
    for spin, state in zip(system.spins, spins, strict=True):
        if not isinstance(state, (SpinCoherent, Dicke, ThermalSpin)):
            expected = "SpinCoherent, Dicke or ThermalSpin states of the spin (for TruncatedWigner)"
            raise checks.refuse("state", expected, state, NEGATIVE)
        if isinstance(state, Dicke):
            state.level(spin.n_atoms)  # refuses what there is not
        starts.append(state)
    fields: list[complex | Thermal | Squeezed] = []
    for mode in modes:
        if isinstance(mode, (Fock, Cat)):
            raise checks.refuse("state", "a coherent, Thermal or Squeezed cavity (for TruncatedWigner)", mode, NEGATIVE)
        fields.append(mode)
    return starts, fields


def draw_spin(state: Start, n_atoms: int, sampling: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """A point, shape (3,), of a spin state's Wigner distribution."""
    if isinstance(state, SpinCoherent):
        if sampling == "gaussian":
            across = rng.standard_normal(2) * math.sqrt(n_atoms / 4)
        else:
            across = rng.binomial(n_atoms, 0.5, 2).astype(np.float64) - n_atoms / 2
        return np.array([*across, n_atoms / 2], dtype=np.float64) @ state.frame()
    m = n_atoms / 2 - (state.level(n_atoms) if isinstance(state, Dicke) else _thermal_level(state.x, n_atoms, rng))
    radius = math.sqrt(n_atoms / 2 * (n_atoms / 2 + 1) - m**2)
    azimuth = 2 * math.pi * rng.random()
    return np.array([radius * math.cos(azimuth), radius * math.sin(azimuth), m])


def _thermal_level(x: float, n_atoms: int, rng: np.random.Generator) -> int:
    """n of a Dicke state |j, j − n>, drawn with weight exp(xn); by the inverse of its distribution, at any N."""
    part = rng.random()
    if x == 0:
        return int(part * (n_atoms + 1))
    from_best = -math.log1p(part * math.expm1(-abs(x) * (n_atoms + 1))) / abs(x)
    level = min(int(from_best), n_atoms)
    return n_atoms - level if x > 0 else level


def reordered(spin: NDArray[np.float64], a: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Channels of points of phase space, brought from symmetric to normal order: shape (..., channels).

    Products of two spin components are meant symmetrised, and spin and field commute: these need no correction.
    """
    square = a.real**2 + a.imag**2
    return products(spin, a, square - 0.5, square**2 - 2 * square + 0.5)


def _is_fast(problem: Problem, options: TruncatedWigner) -> bool:
    """Whether steps follow the spin."""
    system = problem.system
    return takes_fast(options.fast_cavity, system, field_sizes(problem.start, *system.shape)[0] + 1)


def _step(problem: Problem, wanted: float | None, fast: bool = False) -> float:
    """The longest step: as wanted, or from the fastest rate."""
    system, stop = problem.system, float(problem.times[-1]) or 1.0
    amplitudes = field_sizes(problem.start, *system.shape)
    rate = spin_rate(problem.model, amplitudes[0] + 1) if fast else _fastest_rate(system, amplitudes, stop)
    return step_within(rate, STEP_TIMES_RATE, wanted, stop)


def _fastest_rate(system: System, amplitudes: list[float], stop: float) -> float:
    """The fastest of the rates, and the spins' precession in the largest fields to expect until ``stop``."""
    if system.is_everyday:
        return _fastest_simple_rate(pair_of(system), amplitudes[0], stop)
    sizes, fields = coupling_sizes(system), []
    for m, (mode, amplitude) in enumerate(zip(system.modes, amplitudes, strict=True)):
        # from the initial field, noise, drives, and spins that drive it as hard as they can
        noise = math.sqrt(1 + 2 * signals.largest(mode.n_thermal) + 2 * signals.largest(mode.squeezing))
        loss = abs(complex(signals.smallest(mode.kappa), _least_size(mode.omega_c)))
        pull = sum(spin.n_atoms / 2 * size for spin, size in zip(system.spins, sizes[:, m], strict=True))
        made = pull * (min(stop, 1 / loss) if loss > 0 else stop)
        fields.append(amplitude + noise + _driven_field(mode, fastest_rate(system), system.kinks(stop), stop) + made)
    own = max(signals.largest(spin.atom_drive) for spin in system.spins)
    return float(max(fastest_rate(system), turning(system, fields) + 2 * own))


def _fastest_simple_rate(model: DickeModel, amplitude: float, stop: float) -> float:
    """The same of the everyday model."""
    loss = abs(complex(model.kappa, model.omega_c))
    pull = strongest_pull(model)
    # |β| from the initial field, the vacuum's noise, and a spin that drives it as hard as it can
    beta = (amplitude + 1) / math.sqrt(model.n_atoms) + pull / 2 * (min(stop, 1 / loss) if loss > 0 else stop)
    return float(max(abs(model.omega_a), loss, 2 * pull * beta))


def _least_size(rate: Rate) -> float:
    """The smallest modulus that a real rate takes."""
    lowest, highest = signals.smallest(rate), -signals.smallest(signals.scaled(rate, -1.0))
    return max(lowest, -highest, 0.0)


def _driven_field(mode: Mode, rate: float, kinks: tuple[float, ...], stop: float) -> float:
    """The largest field that the drive makes until ``stop``, exact at the ends of steps that resolve ``rate``."""
    if signals.largest(mode.drive) == 0:
        return 0.0
    steps, _ = noise_steps(np.array([stop]), min(stop, 0.5 / rate if rate > 0 else stop), kinks)
    kappa, omega_c, eta = (
        signals.evaluate(getattr(mode, name), nodes_of(steps)) for name in ("kappa", "omega_c", "drive")
    )
    field = GaussianField(steps, kappa + 1j * omega_c, None, -1j * eta)
    return float(np.abs(field.sample(np.random.default_rng(0), 0j)[2]).max())
