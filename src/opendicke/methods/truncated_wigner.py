"""The truncated Wigner approximation: classical trajectories with quantum noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.engine.moving import GaussianField
from opendicke.engine.noise import noise_steps
from opendicke.engine.wigner import MovingFlow, VacuumNoise, VacuumPath, WignerFlow
from opendicke.ensemble.run import Sample
from opendicke.ensemble.streams import stream
from opendicke.methods.moving import Surroundings
from opendicke.methods.precision import Precision
from opendicke.methods.sampled import Sampled, Simulator
from opendicke.model import DickeModel, Model, check_model, pair_of, several
from opendicke.observables.catalogue import CHANNELS
from opendicke.problem import Limits, Problem
from opendicke.signals import Rate
from opendicke.states import SpinCoherent, coherent_state, mean_photons
from opendicke.system import fastest_rate

#: Default step times the fastest rate. The strong error of S/j is below 2e-4 after 10 time units, at the parameters of
#: the paper's figures 1 and 3 and N = 4 and 100: far below the error of the approximation.
STEP_TIMES_RATE = 0.16

#: Cost of one step of a trajectory (measured at the parameters of figures 1 and S4, N = 20 to 1000, t = 10).
SECONDS_PER_STEP = 1e-6
MEMORY = 1e6
#: Times over the fastest rate in which the field has grown, to estimate the cost of a model that moves or is driven.
TYPICAL_TURNS = 10.0


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
    the noise has :math:`\kappa(2\bar n+1)`: nothing is neglected there.

    The cavity starts as a Gaussian of variance ½ about the state's α, the spin with component N/2 along its direction
    and random components :math:`S_\perp` across it, of mean 0 and variance N/4 each. A trajectory keeps its
    :math:`|\mathbf S|`, which is not N/2: :math:`E|\mathbf S|^2 = j(j+1)`. At t = 0 every variable is exact.

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
            precession in the field); None for 0.16 of that.
        keep_trajectories: also return S and α of every trajectory, with dimension ``trajectory``.
        point: non-negative integer; streams of different points of a parameter study are independent.
        precision: a target standard error (:class:`opendicke.Precision`); the run stops when it is met, and
            ``trajectories`` is then the most that are run.

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

    kept: ClassVar[dict[str, str]] = {
        "Sx_trajectory": "S_x at one trajectory's point of phase space",
        "Sy_trajectory": "S_y at one trajectory's point of phase space",
        "Sz_trajectory": "S_z at one trajectory's point of phase space",
        "a_trajectory": "alpha at one trajectory's point of phase space",
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.choice("sampling", self.sampling, ("gaussian", "exact"))

    def limits(self, model: Model) -> Limits:
        """Takes any model at any N; see :class:`opendicke.problem.Limits`."""
        check_model(model)
        if refusal := several(model):
            return Limits(False, False, refusal, 0.0, 0.0)
        model = pair_of(model)
        reason = "Neglects quantum corrections to classical motion: off by about 1/N; rare events uncertain."
        grown = math.inf if model.is_everyday else TYPICAL_TURNS / (fastest_rate(model.system) or 1.0)
        rate = _fastest_rate(model, 0.0, grown)
        steps = 1 / self.step if self.step is not None else rate / STEP_TIMES_RATE
        return Limits(True, False, reason, MEMORY, steps * SECONDS_PER_STEP)

    def simulator(self, problem: Problem) -> WignerSimulator:
        """What runs one trajectory."""
        return WignerSimulator(problem, self)


class WignerSimulator(Simulator[TruncatedWigner]):
    """Moves a point of phase space along the noise."""

    def __init__(self, problem: Problem, options: TruncatedWigner) -> None:
        model = problem.model
        self._state = coherent_state(problem.state, "TruncatedWigner")
        super().__init__(problem, options, _step(problem, options.step))
        steps = self.steps
        self._noise: VacuumNoise | FieldPaths
        self.flow: WignerFlow | MovingFlow
        if not model.is_everyday:
            around = Surroundings(model, steps, VacuumNoise)
            self._noise, self.flow = FieldPaths(around), MovingFlow.of(around.rates, steps)
            return
        self._noise = VacuumNoise(steps, model.omega_c, model.kappa)
        root = math.sqrt(model.n_atoms)
        pulls = model.coupling / root, (model.g_minus - model.g_plus) / root
        self.flow = WignerFlow(model.omega_a, model.omega_c, model.kappa, *pulls)

    def prepare(self) -> None:
        """Compile what a trajectory needs, by one that ends where it starts."""
        path = self._noise.sample(stream(0, 0))
        nowhere = VacuumPath(path.steps[:0], path.middle[:0], path.slope[:0], path.ends[:1])
        self.flow.run(np.zeros(3), 0j, nowhere, np.full(1, -1), 0)

    def __call__(self, index: int) -> Sample:
        """Trajectory ``index``, start to end."""
        state, options = self._state, self.options
        rng = self.stream(index)
        start = draw_spin(state, self.problem.model.n_atoms, options.sampling, rng)
        path = self._noise.sample(rng)
        spin, alpha = self.flow.run(start, state.alpha, path, self.hits, self.problem.times.size)
        kept: dict[str, NDArray[Any]] = {}
        if options.keep_trajectories:
            kept = {f"S{axis}_trajectory": spin[:, i] for i, axis in enumerate("xyz")} | {"a_trajectory": alpha}
        drift = float(np.abs(np.linalg.norm(spin, axis=1) / np.linalg.norm(start) - 1).max())
        return Sample({"channels": reordered(spin, alpha)}, kept, peaks={"spin_length_drift": drift})


class FieldPaths:
    """Paths of the field that the spin does not make: the vacuum's noise, and what drive and thermal light add."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def sample(self, rng: np.random.Generator) -> VacuumPath:
        """Draw the vacuum's noise, and then the rest, which is 0 at the start."""
        noise = self._vacuum(rng)
        return VacuumPath(self._around.steps, *map(np.add, noise, self._around.field.sample(rng, 0j)))

    def _vacuum(self, rng: np.random.Generator) -> tuple[NDArray[np.complex128], ...]:
        """Middle, slope and ends of a path of the vacuum's noise."""
        noise = self._around.noise
        if isinstance(noise, GaussianField):  # z*, from as many random numbers as below
            start = complex(rng.standard_normal(6).view(np.complex128)[0]) / math.sqrt(2)
            return tuple(part.conj() / math.sqrt(2) for part in noise.sample(rng, start))
        assert isinstance(noise, VacuumNoise)
        path = noise.sample(rng)
        return path.middle, path.slope, path.ends


def draw_spin(state: SpinCoherent, n_atoms: int, sampling: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """A point, shape (3,), of a spin coherent state's Wigner distribution."""
    if sampling == "gaussian":
        across = rng.standard_normal(2) * math.sqrt(n_atoms / 4)
    else:
        across = rng.binomial(n_atoms, 0.5, 2).astype(np.float64) - n_atoms / 2
    return np.array([*across, n_atoms / 2], dtype=np.float64) @ state.frame()


def reordered(spin: NDArray[np.float64], a: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Channels of points of phase space, brought from symmetric to normal order: shape (times, channels).

    Products of two spin components are meant symmetrised, and spin and field commute: these need no correction.
    """
    x, y, z = spin.T
    square = a.real**2 + a.imag**2
    found: dict[str, NDArray[Any]] = {"Sx": x, "Sy": y, "Sz": z}
    found |= {"Sxx": x * x, "Syy": y * y, "Szz": z * z, "Sxy": x * y, "Syz": y * z, "Szx": z * x}
    found |= {"n_photon": square - 0.5, "n_photon2": square**2 - 2 * square + 0.5}
    for name, value in {"a": a, "a2": a * a, "Sx_a": x * a, "Sy_a": y * a, "Sz_a": z * a}.items():
        found |= {f"re_{name}": value.real, f"im_{name}": value.imag}
    return np.stack([found[name] for name in CHANNELS], axis=-1)


def _step(problem: Problem, wanted: float | None) -> float:
    """The longest step: as wanted, or from the fastest rate."""
    stop = float(problem.times[-1]) or 1.0
    rate = _fastest_rate(problem.model, math.sqrt(mean_photons(problem.state)), stop)
    longest = 1 / rate if rate > 0 else math.inf
    if wanted is None:
        return min(STEP_TIMES_RATE * longest, stop)
    if wanted > longest:
        raise checks.refuse("step", f"at most {longest:.3g}, one over the fastest rate of this problem", wanted)
    return wanted


def _fastest_rate(model: DickeModel, amplitude: float, stop: float) -> float:
    """The fastest of the model's rates and the spin's precession in the largest field to expect until ``stop``."""
    if not model.is_everyday:
        return _fastest_moving_rate(model, amplitude, stop)
    loss = abs(complex(model.kappa, model.omega_c))
    pull = max(abs(model.coupling), abs(model.g_minus - model.g_plus))
    # |β| from the initial field, the vacuum's noise, and a spin that drives it as hard as it can
    beta = (amplitude + 1) / math.sqrt(model.n_atoms) + pull / 2 * (min(stop, 1 / loss) if loss > 0 else stop)
    return float(max(abs(model.omega_a), loss, 2 * pull * beta))


def _fastest_moving_rate(model: DickeModel, amplitude: float, stop: float) -> float:
    """The same for a model that moves, is driven or thermal."""
    pull = signals.largest(model.g_minus) + signals.largest(model.g_plus)
    loss = abs(complex(signals.smallest(model.kappa), _least_size(model.omega_c)))
    amplitude += math.sqrt(1 + 2 * signals.largest(model.n_thermal)) + _driven_field(model, stop)
    beta = amplitude / math.sqrt(model.n_atoms) + pull / 2 * (min(stop, 1 / loss) if loss > 0 else stop)
    return float(max(fastest_rate(model.system), 2 * pull * beta + 2 * signals.largest(model.atom_drive)))


def _least_size(rate: Rate) -> float:
    """The smallest modulus that a real rate takes."""
    lowest, highest = signals.smallest(rate), -signals.smallest(signals.scaled(rate, -1.0))
    return max(lowest, -highest, 0.0)


def _driven_field(model: DickeModel, stop: float) -> float:
    """The largest field that the drive makes until ``stop``, exact at the ends of steps that resolve the rates."""
    if signals.largest(model.drive) == 0:
        return 0.0
    rate = fastest_rate(model.system)
    steps, _ = noise_steps(np.array([stop]), min(stop, 0.5 / rate if rate > 0 else stop), model.system.kinks(stop))
    field = Surroundings(model.replace(n_thermal=0.0), steps).field  # without noise
    return float(np.abs(field.sample(np.random.default_rng(0), 0j)[2]).max())
