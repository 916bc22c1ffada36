"""Trajectories that are run piece by piece, and can be cloned between pieces: nuHOPS, and truncated Wigner."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.engine.noise import OrnsteinUhlenbeck, noise_steps
from opendicke.engine.trajectory import TrajectoryFailure, TrajectoryState, initial_state, propagate
from opendicke.engine.wigner import VacuumNoise
from opendicke.ensemble.run import TrajectoryError
from opendicke.methods.hierarchy import NuHOPSSimulator
from opendicke.methods.nuhops import NuHOPS
from opendicke.methods.truncated_wigner import TruncatedWigner, WignerSimulator, draw_spin, simple_flow
from opendicke.model import DickeModel
from opendicke.problem import Problem
from opendicke.states import SpinCoherent

#: Where <S> and <a> stand among the channels of a trajectory, and the symmetrised <S_i S_j>.
SPIN, FIELD = slice(0, 3), slice(9, 11)
MOMENTS = np.array([[3, 6, 8], [6, 4, 7], [8, 7, 5]])

Basin = Literal["n", "s+", "s-"]


class Walker(Protocol):
    """A trajectory at one moment: all that its future depends on, apart from fresh noise."""

    @property
    def push(self) -> tuple[complex, NDArray[np.float64]]:
        """What pushes it beside the mean values: z*/√N, and the covariances of the spin over N, shape (3, 3)."""

    def go(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Walk one piece with fresh noise; return (m_x, m_y, m_z, Re β, Im β) at each look: shape (piece, 5)."""

    def copy(self) -> Walker:
        """A clone; with fresh noise the two go separate ways from here."""


class Walk(Protocol):
    """How trajectories of one model are walked: all that walkers share.

    Attributes:
        look: time between two looks.
        piece: looks in one call of :meth:`Walker.go`.
    """

    look: float
    piece: int

    def start(self, state: SpinCoherent, rng: np.random.Generator) -> Walker:
        """A walker that begins in ``state``."""


def check_walked(method: object) -> None:
    """Refuse a method whose trajectories cannot be walked piece by piece."""
    checks.instance("method", method, (NuHOPS, TruncatedWigner), "a NuHOPS or TruncatedWigner method")


def walk(model: DickeModel, method: NuHOPS | TruncatedWigner, look: float, piece: int) -> Walk:
    """How trajectories of ``method`` are walked."""
    kind = WignerWalk if isinstance(method, TruncatedWigner) else NuHOPSWalk
    return kind(model, method, look, piece)  # type: ignore[arg-type]


class NuHOPSWalk:
    """How nuHOPS trajectories of ``model`` are walked: all that walkers share.

    Args:
        model: the model.
        options: method; its ``tol``, ``step``, ``feedback``, ``dtype`` and ``max_memory`` are used.
        look: time between two looks at the mean values.
        piece: looks in one call of :meth:`NuHOPSWalker.go`.
    """

    def __init__(self, model: DickeModel, options: NuHOPS, look: float, piece: int) -> None:
        simulator = NuHOPSSimulator(Problem(model, SpinCoherent(math.pi), np.array([look])), options)
        per_look = math.ceil(look / simulator.step * (1 - 1e-12))
        steps = np.full(piece * per_look, look / per_look)
        self.model, self.options, self.look, self.piece = model, options, look, piece
        self.dynamics = simulator.dynamics
        self.noise = OrnsteinUhlenbeck(steps, model.omega_c, model.kappa)
        self.record_after = np.full(steps.size + 1, -1, dtype=np.int64)
        self.record_after[per_look::per_look] = np.arange(piece)
        self.dtype = options.dtype

    def start(self, state: SpinCoherent, rng: np.random.Generator) -> NuHOPSWalker:
        """A walker that begins in ``state``, with stationary noise."""
        first = complex(*rng.standard_normal(2)) / math.sqrt(2)
        begun = initial_state(state.frame(), state.alpha, self.dtype, self.model.n_atoms)
        return NuHOPSWalker(self, begun, first)


@dataclass
class NuHOPSWalker:
    """A trajectory's state and the present value of its noise z*: together they are Markovian."""

    walk: NuHOPSWalk
    state: TrajectoryState
    noise: complex
    covariance: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, 3)))

    @property
    def push(self) -> tuple[complex, NDArray[np.float64]]:
        """z*/√N, and the covariances of the spin over N, at the end of the last piece."""
        return self.noise / math.sqrt(self.walk.model.n_atoms), self.covariance

    def go(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Walk one piece with fresh noise; return (m_x, m_y, m_z, Re β, Im β) at each look: shape (piece, 5).

        Raises:
            TrajectoryError: if the trajectory cannot be carried on.
        """
        walk = self.walk
        path, self.noise = walk.noise.extend(rng, self.noise)
        try:
            channels = propagate(self.state, walk.dynamics, path, walk.record_after, walk.piece)
        except TrajectoryFailure as failure:
            text = f"a walker of {walk.model} stopped: {failure}. {NuHOPSSimulator.hint}"
            raise TrajectoryError(text) from failure
        n_atoms = walk.model.n_atoms
        spin = channels[-1, SPIN]
        self.covariance = (channels[-1, MOMENTS] - np.outer(spin, spin)) / n_atoms
        found = np.concatenate([channels[:, SPIN] / n_atoms, channels[:, FIELD] / math.sqrt(n_atoms)], axis=1)
        return found

    def copy(self) -> NuHOPSWalker:
        """A clone; with fresh noise the two go separate ways from here."""
        return NuHOPSWalker(self.walk, self.state.copy(), self.noise, self.covariance)


class WignerWalk:
    """How trajectories of the truncated Wigner approximation are walked: all that walkers share.

    Args:
        model: the model.
        options: method; its ``step`` and ``sampling`` are used.
        look: time between two looks at the point of phase space.
        piece: looks in one call of :meth:`WignerWalker.go`.
    """

    def __init__(self, model: DickeModel, options: TruncatedWigner, look: float, piece: int) -> None:
        long = np.array([1 / abs(complex(model.kappa, model.omega_c))])  # in which the field gets as large as it can
        options = dataclasses.replace(options, fast_cavity=False)  # noise starts anew in every piece: α in full
        simulator = WignerSimulator(Problem(model, SpinCoherent(math.pi), long), options)
        steps, self.hits = noise_steps(look * np.arange(1.0, piece + 1), simulator.step)
        self.model, self.options, self.look, self.piece = model, options, look, piece
        self.noise = VacuumNoise(steps, model.omega_c, model.kappa)
        self.flow = simple_flow(model)

    def start(self, state: SpinCoherent, rng: np.random.Generator) -> WignerWalker:
        """A walker at a point drawn from the Wigner distribution of ``state``."""
        alpha = state.alpha + complex(*rng.standard_normal(2)) / 2
        return WignerWalker(self, draw_spin(state, self.model.n_atoms, self.options.sampling, rng), alpha)


@dataclass
class WignerWalker:
    """A point of phase space: the spin, and α with its vacuum noise."""

    walk: WignerWalk
    spin: NDArray[np.float64]
    alpha: complex

    @property
    def push(self) -> tuple[complex, NDArray[np.float64]]:
        """Nothing: all of the noise is in α."""
        return 0j, np.zeros((3, 3))

    def go(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Walk one piece with fresh noise; return (m_x, m_y, m_z, Re β, Im β) at each look: shape (piece, 5)."""
        walk, n_atoms = self.walk, self.walk.model.n_atoms
        # α = ᾱ + ξ is Markovian by itself, so ξ may start anew: what it differs by goes into ᾱ, which decays alike.
        path = walk.noise.sample(rng)
        spin, alpha = walk.flow.run(self.spin, self.alpha - complex(path.ends[0]), path, walk.hits, walk.piece)
        self.spin, self.alpha = spin[-1].copy(), complex(alpha[-1])
        beta = alpha / math.sqrt(n_atoms)
        return np.column_stack([spin / n_atoms, beta.real, beta.imag])

    def copy(self) -> WignerWalker:
        """A clone; with fresh noise the two go separate ways from here."""
        return WignerWalker(self.walk, self.spin.copy(), self.alpha)
