"""Trajectories of nuHOPS: what all hierarchies share, and the simulator of the plain and the dressed one."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.engine.dressed import dressed, propagate_dressed, undressed
from opendicke.engine.gram import Plan
from opendicke.engine.noise import NoisePath
from opendicke.engine.trajectory import (
    DROPPED,
    MOST_LEVELS,
    MOST_STATES,
    SWEEPS,
    Dynamics,
    TrajectoryFailure,
    TrajectoryState,
    initial_state,
    propagate,
)
from opendicke.ensemble.padding import stack_padded
from opendicke.ensemble.run import Sample
from opendicke.ensemble.streams import stream
from opendicke.integration import check_duration
from opendicke.methods.cutoffs import thermal_photons
from opendicke.methods.following import dressing_refused
from opendicke.methods.gauge import real_couplings
from opendicke.methods.mean_field import drive_rate, field_rate
from opendicke.methods.moving import Surroundings, draw_path, noise_of, noise_step
from opendicke.methods.sampled import Simulator, kept_steps, point_kept, words_averaged
from opendicke.methods.weak_damping import weakly_damped
from opendicke.model import DickeModel
from opendicke.observables.catalogue import CHANNELS
from opendicke.problem import Problem
from opendicke.states import SpinCoherent, cavity_start
from opendicke.system import fastest_rate

if TYPE_CHECKING:
    from opendicke.methods.nuhops import NuHOPS


class Carried(Protocol):
    """A trajectory at one moment."""

    frame: NDArray[np.float64]

    def psi(self) -> NDArray[np.complex128]:
        """The spin's state on |j, j−n> along the third row of the frame."""


State = TypeVar("State", bound=Carried)


class HierarchySimulator(Simulator["NuHOPS"], Generic[State]):
    """Carries a state along the noise with the engine, and stops at the states to be kept.

    Args:
        problem, options: as for any simulator.
        finest: the longest noise step if the options name none; None for that of the model's rates.
    """

    hint = "Try a smaller step or tol, or a larger max_memory."

    def __init__(self, problem: Problem, options: NuHOPS, finest: float | None = None) -> None:
        check_duration(problem, turning(problem))
        model, self._gauge = real_couplings(problem.model)
        self.dynamics = _dynamics(model, options)
        super().__init__(problem, options, noise_step(model.system, options.step or finest, float(problem.times[-1])))
        self._noise = noise_of(model, self.steps)
        self._frame = self._gauge.frame(problem.state.frame())
        self._kept = frozenset(kept_steps(problem.times, self.hits, options.keep_states))
        self._plan = Plan.of(problem.words) if problem.words else None
        breaks = self._kept if self._plan is None else set(np.flatnonzero(self.hits >= 0).tolist())
        self._breaks = sorted({*breaks, self.steps.size})

    @abstractmethod
    def _begin(
        self, alpha: complex, spin: NDArray[np.complex128] | None, levels: NDArray[np.complex128] | None
    ) -> State:
        """A trajectory's start, with a field ``alpha``; see ``trajectory.initial_state``."""

    @abstractmethod
    def _carry(self, state: State, path: NoisePath, first: int, record_after: NDArray[np.int64]) -> NDArray[np.float64]:
        """Channels (times, channels) of a part of the path, which begins at step ``first``."""

    @abstractmethod
    def _words(self, state: State, path: NoisePath, step: int, plan: Plan) -> NDArray[np.complex128]:
        """The words' means after so many steps."""

    @abstractmethod
    def _told(self, state: State) -> tuple[dict[str, float], dict[str, float]]:
        """What a trajectory tells at its end: peaks and sums."""

    def prepare(self) -> None:
        """Compile what a trajectory needs, by one that ends where it starts."""
        path = self._noise.sample(stream(0, 0)).part(0, 0)
        self._carry(self._begin(0j, None, None), path, 0, np.full(1, -1))

    def __call__(self, index: int) -> Sample:
        """Trajectory ``index``, start to end."""
        problem, options = self.problem, self.options
        n_atoms, rng = problem.model.n_atoms, self.stream(index)
        spin = None if isinstance(problem.state, SpinCoherent) else problem.state.amplitudes(n_atoms, rng)
        start = self._gauge.point(cavity_start(problem.state, rng))
        path = draw_path(self._noise, rng, start.noise)
        state = self._begin(start.alpha, spin, start.levels)
        channels, psi, frames = np.empty((problem.times.size, len(CHANNELS))), [], []
        words = np.empty((problem.times.size, len(problem.words)), dtype=np.complex128)
        first, hits = 0, self.hits.copy()
        try:
            for last in self._breaks:
                filled = hits[first : last + 1]
                part = self._carry(state, path.part(first, last), first, filled)
                channels[filled[filled >= 0]] = part[filled[filled >= 0]]
                hits[last], first = -1, last  # recorded at the end of this part, so not again at the next one's start
                if last in self._kept:
                    psi.append(state.psi()[: n_atoms + 1])
                    frames.append(state.frame.copy())
                if self._plan is not None and self.hits[last] >= 0:
                    words[self.hits[last]] = self._words(state, path, last, self._plan)
        except TrajectoryFailure as failure:
            raise self.stopped(index, first + failure.step, failure) from failure
        channels = self._gauge.channels(channels)
        kept: dict[str, NDArray[Any]] = {}
        if options.keep_trajectories:
            kept = point_kept(channels[:, :3], channels[:, 9] + 1j * channels[:, 10])
        if options.keep_states:
            kept["psi"] = stack_padded(psi)
            kept["psi_frame"] = self._gauge.frame_back(np.array(frames))
        averaged = {"channels": channels} | words_averaged(self._gauge.words(problem.words, words))
        return Sample(averaged, kept, *self._told(state))


class NuHOPSSimulator(HierarchySimulator[TrajectoryState]):
    """Carries all levels of the plain or of the dressed hierarchy."""

    def __init__(self, problem: Problem, options: NuHOPS) -> None:
        super().__init__(problem, options)
        self.dressed = options.settled(problem).hierarchy == "dressed"
        if self.dressed and (refusal := dressing_refused(real_couplings(problem.model)[0])):
            hint = 'Take hierarchy="plain", or "auto", which takes the dressed one where it is better.'
            raise checks.refuse("hierarchy", f"'auto' or 'plain': {refusal}", options.hierarchy, hint)

    def _begin(
        self, alpha: complex, spin: NDArray[np.complex128] | None, levels: NDArray[np.complex128] | None
    ) -> TrajectoryState:
        state = initial_state(self._frame, alpha, self.options.dtype, self.problem.model.n_atoms, spin, levels)
        return dressed(state, self._rates(0), self.dynamics) if self.dressed else state

    def _carry(
        self, state: TrajectoryState, path: NoisePath, first: int, record_after: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        if state.buffer.nbytes > self.dynamics.memory_limit:  # later on the engine sees to it
            raise TrajectoryFailure("its first state is over the memory limit", 0)
        rows = self.problem.times.size
        if self.dressed:
            return propagate_dressed(state, self.dynamics, path, record_after, rows, self._rates(first))
        return propagate(state, self.dynamics, path, record_after, rows)

    def _rates(self, step: int) -> NDArray[np.float64]:
        """ω_a, ω_c, κ and the couplings after so many steps."""
        if isinstance(self._noise, Surroundings):
            return self._noise.rates_after(step)
        return self.dynamics.rates

    def _words(self, state: TrajectoryState, path: NoisePath, step: int, plan: Plan) -> NDArray[np.complex128]:
        n_atoms, frame = self.problem.model.n_atoms, self._gauge.frame_back(state.frame)
        if self.dressed:
            phi, amplitude = undressed(state, self._rates(step), n_atoms, plan.levels)
        else:
            phi, amplitude = state.hierarchy(plan.levels), complex(state.field[0])
        return plan.moments(phi, n_atoms, frame, path.field_at(step, amplitude))

    def _told(self, state: TrajectoryState) -> tuple[dict[str, float], dict[str, float]]:
        peaks: dict[str, float] = {
            "largest_states": int(state.work[MOST_STATES]),
            "largest_levels": int(state.work[MOST_LEVELS]),
        }
        return peaks, {"right_hand_sides": int(state.work[SWEEPS]), "dropped_weight": float(state.gauge[DROPPED])}


def turning(problem: Problem) -> float:
    """The rate at which the field there is at the start, that of drives or thermal light turns the spins."""
    model, stop = problem.model, float(problem.times[-1])
    coupling = signals.largest(model.g_minus) + signals.largest(model.g_plus)
    warm = 2 * coupling * math.sqrt(max(thermal_photons(model.system.modes[0], stop), 0.0) / model.n_atoms)
    return max(field_rate(model, problem.state), drive_rate(model, stop), warm)


def _dynamics(model: DickeModel, options: NuHOPS) -> Dynamics:
    """The engine's parameters."""
    root = math.sqrt(model.n_atoms)
    rate = fastest_rate(model.system)
    # Of what moves the engine is told at every step; here only whether S^y couples at all counts.
    moving = bool(model.moving)
    omega_a, omega_c, kappa = (0.0, 0.0, 0.0) if moving else (model.omega_a, model.omega_c, model.kappa)
    big_g = 0.0 if moving else model.g_minus + model.g_plus
    big_d = float(not model.is_balanced) if moving else model.g_minus - model.g_plus
    return Dynamics(
        j=model.n_atoms / 2,
        omega_a=omega_a,
        omega_c=omega_c,
        kappa=kappa,
        coupling_x=big_g / root,
        coupling_y=big_d / root,
        tol=options.tol,
        feedback=options.feedback or 2 * rate,
        memory_limit=int(options.max_memory * 2**30),
        weakly_damped=weakly_damped(model),
    )
