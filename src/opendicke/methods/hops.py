"""HOPS: the plain nonlinear hierarchy of pure states, in a fixed basis and with a fixed depth."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from opendicke import checks
from opendicke.description import LIMIT, describe
from opendicke.engine.fixed_basis import FixedBasis
from opendicke.engine.noise import OrnsteinUhlenbeck
from opendicke.engine.trajectory import TrajectoryFailure
from opendicke.ensemble.executors import abandoned
from opendicke.ensemble.run import Ensemble, Sample
from opendicke.ensemble.streams import stream
from opendicke.integration import check_duration
from opendicke.methods.gauge import is_everyday, real_couplings, real_problem
from opendicke.methods.mean_field import field_rate
from opendicke.methods.precision import Precision
from opendicke.methods.sampled import Sampled, Simulator
from opendicke.methods.weak_damping import check_conservation, check_memory, forgets_slowly
from opendicke.model import MORE_GENERAL, DickeModel, Model, check_model, pair_of, several
from opendicke.problem import Limits, Problem, Solution
from opendicke.states import coherent_state

#: Default noise step times the fastest rate of the model. At the paper's parameters and N = 4 the strong error of
#: <S> at this step is 1e-4.
STEP_TIMES_RATE = 0.08

#: Cost of one step per spin state and level (measured at the parameters of figures 1 and S4, N = 4 to 20, depth 70).
SECONDS_PER_CELL = 9e-8

#: The search for a depth that is enough ends at so many times the one that was not (or that of a few photons).
_MOST_DEEPER, _SHALLOW = 30, 30

#: Seen from the centre of the empty cavity, levels of a component at distance d reach e^(d²/2), d² = 4n for n photons,
#: and what is below 1e-10 of the largest is rounding: more than 1 % of the paths are concerned from 6.2 photons on.
#: (Measured up to the revival, paths that are more than 0.02 off in <S^z>/j: one atom, κ = 1e-4, none of 24 at 6 and 9
#: photons, 14 at 11, all at 13; two atoms, κ = 1e-3, one of 12 at 6 photons, two at 9, four at 12.)
FAINT, FAINTER_PER_PHOTON = 1e-10, 2.0


@dataclass(frozen=True)
class HOPS(Sampled):
    r"""The nonlinear hierarchy of pure states (HOPS), for small N: the method that :class:`opendicke.NuHOPS` improves.

    Each trajectory solves, with unit Ornstein–Uhlenbeck noise z and :math:`w = \kappa + i\omega_c`,

    .. math::
        \dot\Phi_k = \left[-i\omega_aS^z - i(\alpha_0^*\Lambda + \alpha_0\Lambda^\dagger)
                     + (z^* - i\bar a^*)\Lambda - wk\right]\Phi_k - i\sqrt k\,\Lambda\Phi_{k-1}
                     - i\sqrt{k+1}\,(\Lambda^\dagger-\langle\Lambda^\dagger\rangle)\Phi_{k+1},
        \qquad \dot{\bar a} = -w\bar a - i\langle\Lambda\rangle

    with :math:`\Lambda = (g_-S^- + g_+S^+)/\sqrt N`, :math:`\alpha_0(t) = \alpha_0(0)e^{-wt}` the free field of the
    initial coherent cavity and k = 0 … ``depth``; κ is the decay rate of the field. The density matrix is the
    average of :math:`|\psi\rangle\langle\psi|`, :math:`\psi = \Phi_0` normalised, and normal-ordered cavity moments
    follow from the levels, :math:`\langle a\rangle = \overline{\langle\psi|\Phi_1 + \alpha_0\psi\rangle}`.

    All N+1 Dicke states and all levels are carried along whatever the state needs, and the depth has to grow with
    the photon number: that is the difference to ``NuHOPS``, which solves the same equations in another gauge. On
    the same seed and a common noise step both give the same trajectories.

    Args:
        trajectories: how many, >= 1.
        seed: non-negative integer; trajectory i of a seed is the same whoever runs it, and for any number of them.
        depth: highest level of the hierarchy, >= 2.
        step: longest noise step, in units of time; None for 0.08 over the fastest of the model's rates.
        max_top_level: largest norm that the highest level may reach, relative to :math:`\|\psi\|`. The error of
            <S> goes with its square: at 0.01 it is below 1e-5 (measured for N = 4 and 10).
        max_memory: memory that one trajectory may take, in GiB.
        point: non-negative integer; streams of different points of a parameter study are independent.
        precision: a target standard error (:class:`opendicke.Precision`); the run stops when it is met, and
            ``trajectories`` is then the most that are run.

    Raises:
        ValueError, TypeError: for an option out of range; for a ``depth`` that a trajectory exceeds, naming one to
            try; for a problem that needs more than ``max_memory``.
        TrajectoryError: if every trajectory failed.

    Warns:
        FailedTrajectoryWarning: if some failed; the message names index, parameters and time.
        WeakDampingWarning: at κ = 0, if energy or number of excitations is off by more than its error bar allows; at
            little κ (see :class:`opendicke.NuHOPS`), with more than about 6 photons n as long as 4κnt < 30 + 4n.

    Source: D. Suess, A. Eisfeld and W. T. Strunz, Phys. Rev. Lett. 113, 150403 (2014), for one damped mode;
    K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*.

    >>> import numpy as np, opendicke as od
    >>> from opendicke.methods.hops import HOPS
    >>> model = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.2)
    >>> result = od.solve(model, od.SpinCoherent(np.pi / 4, np.pi), [1.0], HOPS(trajectories=4, seed=1))
    >>> result.attrs["top_level"] < 1e-6
    True
    """

    trajectories: int
    seed: int = 0
    depth: int = 30
    step: float | None = None
    max_top_level: float = 1e-2
    max_memory: float = field(default=1.0, metadata=LIMIT)
    point: int = 0
    precision: Precision | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.set_integer(self, "depth", minimum=2, hint="<a†a†aa> is read from level 2.")
        checks.set_real(self, "max_top_level", above=0.0)
        checks.set_real(self, "max_memory", above=0.0)

    def limits(self, model: Model) -> Limits:
        """Limited by ``max_memory``, and by the time it takes; see :class:`opendicke.problem.Limits`."""
        check_model(model)
        if refusal := several(model):
            return Limits(False, False, refusal, 0.0, 0.0)
        model = pair_of(model)
        if not is_everyday(model):
            return Limits(False, True, f"HOPS takes constant, undriven models in a vacuum. {MORE_GENERAL}", 0.0, 0.0)
        model, _ = real_couplings(model)
        basis = FixedBasis(**describe(model), levels=self.depth + 1)
        steps = 1 / (self.step or _default_step(model, math.inf))
        seconds = steps * SECONDS_PER_CELL * (model.n_atoms + 1) * (self.depth + 1)
        memory = float(basis.memory())
        refusal = self.too_large(model.n_atoms, memory)
        reason = f"Exact if depth = {self.depth} is enough, which every trajectory checks."
        if forgets_slowly(model):
            reason = (
                f"Exact if depth = {self.depth} is enough, which every trajectory checks, and with more than about 6 "
                "photons until what has spread in phase space comes back (never if 4 kappa n t > 30 + 4 n by "
                "then, n photons): run warns. Use NuHOPS or Lindblad."
            )
        return Limits(not refusal, True, refusal or reason, memory, seconds)

    def too_large(self, n_atoms: int, memory: float) -> str:
        """Why a problem is refused for its memory; empty if it is not."""
        needed = memory / 2**30
        if needed <= self.max_memory:
            return ""
        return (
            f"n_atoms: {n_atoms} atoms at depth {self.depth} need {needed:.3g} GiB of memory per trajectory, more than "
            f"max_memory = {self.max_memory:g} GiB. Use NuHOPS, whose cost does not grow with N."
        )

    def simulator(self, problem: Problem) -> HOPSSimulator:
        """What runs one trajectory."""
        return HOPSSimulator(problem, self)

    def finish(self, problem: Problem, ensemble: Ensemble, solution: Solution) -> None:
        """Check what is conserved and what may come back."""
        check_conservation(problem, solution)
        if forgets_slowly(problem.model):
            check_memory(problem, solution, FAINT, FAINTER_PER_PHOTON, "NuHOPS or Lindblad")


class HOPSSimulator(Simulator[HOPS]):
    """Carries all states and levels along the noise, and checks that the levels were enough."""

    hint = "Try a larger depth or a smaller step."

    def __init__(self, problem: Problem, options: HOPS) -> None:
        problem, self._gauge = real_problem(problem, "HOPS")
        model = problem.model
        check_duration(problem, field_rate(model, problem.state))
        self._basis = FixedBasis(**describe(model), levels=options.depth + 1)
        refusal = options.too_large(model.n_atoms, self._basis.memory())
        if refusal:
            raise ValueError(refusal)
        super().__init__(problem, options, options.step or _default_step(model, float(problem.times[-1])))
        self._noise = OrnsteinUhlenbeck(self.steps, model.omega_c, model.kappa)
        self._state = coherent_state(problem.state, "HOPS")
        self._spin = self._state.dicke_amplitudes(model.n_atoms)

    def prepare(self) -> None:
        """Compile what a trajectory needs, by one that ends where it starts."""
        path = self._noise.sample(stream(0, 0)).part(0, 0)
        self._basis.run(self._spin, 0j, path, np.full(1, -1), 0)

    def __call__(self, index: int) -> Sample:
        """Trajectory ``index``, start to end."""
        path = self._noise.sample(self.stream(index))
        try:
            channels, top = self._basis.run(self._spin, self._state.alpha, path, self.hits, self.problem.times.size)
        except TrajectoryFailure as failure:
            raise self.stopped(index, failure.step, failure) from failure
        if top > self.options.max_top_level:
            depth = self.options.depth
            expected = f"a depth whose highest level stays below max_top_level = {self.options.max_top_level:g}"
            got = f"{depth} (the highest level of {self.which(index)} reached {top:.2g})"
            raise ValueError(f"depth: expected {expected}, got {got}. {self._enough(path)}")
        return Sample({"channels": self._gauge.channels(channels)}, peaks={"top_level": top})

    def _enough(self, path: Any) -> str:
        """What to try: a depth at which this trajectory, along the same noise, passes, and half as much again.

        Others may need more than this one; by such steps a depth that is enough for all is reached soon.
        """
        model, times, state = self.problem.model, self.problem.times, self._state
        depth, most = self.options.depth, _MOST_DEEPER * max(self.options.depth, _SHALLOW)
        while not abandoned():
            depth = _deeper(depth)
            if not self._fits(depth):
                return "No depth within max_memory is enough: use NuHOPS."
            if depth > most:
                break
            basis = FixedBasis(**describe(model), levels=depth + 1)
            try:
                _, top = basis.run(self._spin, state.alpha, path, self.hits, times.size)
            except TrajectoryFailure:
                continue
            if top <= self.options.max_top_level:
                further = _deeper(depth)
                if not self._fits(further):
                    return f"Try depth={depth}, enough here: more does not fit into max_memory."
                return f"Try depth={further}: {depth} is enough here, the rest is for others."
        return "No depth tried is enough: use NuHOPS."

    def _fits(self, depth: int) -> bool:
        """Whether ``max_memory`` allows it."""
        n_atoms = self.problem.model.n_atoms
        memory = FixedBasis(**describe(self.problem.model), levels=depth + 1).memory()
        return not replace(self.options, depth=depth).too_large(n_atoms, memory)


def _deeper(depth: int) -> int:
    return depth + max(8, depth // 2)


def _default_step(model: DickeModel, stop: float) -> float:
    couplings = abs(model.g_minus) + abs(model.g_plus)
    rate = max(abs(model.omega_a), abs(complex(model.kappa, model.omega_c)), couplings)
    longest = STEP_TIMES_RATE / rate if rate > 0 else math.inf
    return min(longest, stop or 1.0)
