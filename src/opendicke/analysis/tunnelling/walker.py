"""One nuHOPS trajectory that is run piece by piece, and can be cloned between pieces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.noise import OrnsteinUhlenbeck
from opendicke.engine.trajectory import TrajectoryFailure, TrajectoryState, initial_state, propagate
from opendicke.ensemble.run import TrajectoryError
from opendicke.methods.nuhops import NuHOPS, NuHOPSSimulator
from opendicke.model import DickeModel
from opendicke.problem import Problem
from opendicke.states import SpinCoherent

#: Where <S> and <a> stand among the channels of a trajectory.
SPIN, FIELD = slice(0, 3), slice(9, 11)

Basin = Literal["n", "s+", "s-"]


class Walk:
    """How trajectories of ``model`` are walked: all that walkers share.

    Args:
        model: the model.
        options: method; its ``tol``, ``step``, ``feedback``, ``dtype`` and ``memory_limit`` are used.
        look: time between two looks at the mean values.
        piece: looks in one call of :meth:`Walker.go`.
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

    def start(self, state: SpinCoherent, rng: np.random.Generator) -> Walker:
        """A walker that begins in ``state``, with stationary noise."""
        first = complex(*rng.standard_normal(2)) / math.sqrt(2)
        begun = initial_state(state.frame(), state.alpha, self.dtype, self.model.n_atoms)
        return Walker(self, begun, first)


@dataclass
class Walker:
    """A trajectory's state and the present value of its noise z*: together they are Markovian."""

    walk: Walk
    state: TrajectoryState
    noise: complex

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
            hint = "Try a smaller step or tol, or a larger memory_limit."
            raise TrajectoryError(f"a walker of {walk.model} stopped: {failure}. {hint}") from failure
        n_atoms = walk.model.n_atoms
        found = np.concatenate([channels[:, SPIN] / n_atoms, channels[:, FIELD] / math.sqrt(n_atoms)], axis=1)
        return found

    def copy(self) -> Walker:
        """A clone; with fresh noise the two go separate ways from here."""
        return Walker(self.walk, self.state.copy(), self.noise)
