r"""nuHOPS in strides that the spins set, for cavities that are far faster than they: ``NuHOPS(hierarchy="strides")``.

ψ alone is carried (``engine.retarded`` has the equation): what the cavity answers to the spins' own linear motion is
transformed away exactly, on the grid of the noise; of what is left the levels follow, in lowest order. The error is of
second order in the stride and does not grow with ω_c, as long as the cavity forgets faster than the spins move.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.engine.gram import Plan
from opendicke.engine.noise import NoisePath
from opendicke.engine.strides import AGAIN, APPLIED, MOST_STATES, StrideState, propagate_strides, start
from opendicke.methods.fast_cavity import spin_rate
from opendicke.methods.gauge import real_couplings
from opendicke.methods.hierarchy import HierarchySimulator, turning
from opendicke.model import DickeModel
from opendicke.problem import Problem
from opendicke.signals import Signal
from opendicke.states import is_coherent

if TYPE_CHECKING:
    from opendicke.methods.nuhops import NuHOPS

#: The longest stride times ω_a or the rate of the spins in the field that follows them, whichever is faster.
STRIDE = 0.1
#: The longest step of the noise times |w|, or times so much of the rate at which a field from outside turns the spins.
FINE, OUTSIDE = 0.45, 4.0
#: How much faster than the spins the cavity must turn, and forget: levels that ring are not carried.
TURNS, FORGETS = 10.0, 2.0
#: Cost of a trajectory in the time of one over the spins' rate: 0.3 to 20 ms were measured.
SECONDS = 5e-3


def check_strides(problem: Problem, options: NuHOPS) -> None:
    """Refuse what strides do not solve.

    Raises:
        ValueError: with the reason.
    """
    if not is_coherent(problem.state):
        reason = "strides start from coherent states"
    elif problem.words:
        reason = "strides have no levels from which words are read"
    elif options.dtype != "float64":
        reason = "strides are in double precision"
    elif options.control == "gaussian":
        reason = "Gaussian copies do not run along the noise of strides"
    else:
        reason = strides_refused(problem.model)
    if reason:
        raise checks.refuse("hierarchy", f"'auto' or 'plain': {reason}", "strides")


def strides_refused(model: DickeModel) -> str:
    """Why strides do not solve a model; empty if they do."""
    if isinstance(model.omega_c, Signal) or isinstance(model.kappa, Signal):
        return "strides take no omega_c or kappa that moves"
    rate, loss = _fastest(real_couplings(model)[0]), abs(complex(model.kappa, model.omega_c))
    if loss >= TURNS * rate and model.kappa >= FORGETS * rate:
        return ""
    needed = f"|kappa + i omega_c| of {TURNS:g} and kappa of {FORGETS:g} times the spins' rate"
    return f"strides need {needed} {rate:.3g}, here {loss:.3g} and {model.kappa:.3g}"


def strides_cost(model: DickeModel) -> float:
    """Seconds of a core for a trajectory and unit of time, roughly."""
    return SECONDS * _fastest(real_couplings(model)[0])


def _fastest(model: DickeModel) -> float:
    """The spin's fastest rate at any time, once all that turns with the cavity is averaged."""
    if not model.moving:
        return spin_rate(model, 0.0)
    largest = {name: signals.largest(getattr(model, name)) for name in ("omega_a", "g_minus", "g_plus")}
    return spin_rate(model.replace(**largest, drive=0j, atom_drive=0j, n_thermal=0.0, squeezing=0j), 0.0)


class StrideSimulator(HierarchySimulator[StrideState]):
    """Carries ψ alone, in strides."""

    def __init__(self, problem: Problem, options: NuHOPS) -> None:
        check_strides(problem, options)
        model = problem.model
        self._fastest = max(abs(complex(model.kappa, model.omega_c)), OUTSIDE * turning(problem))
        super().__init__(problem, options, FINE / self._fastest)
        rate = _fastest(real_couplings(model)[0])
        self._longest = STRIDE / rate if rate > 0 else float(problem.times[-1]) or 1.0

    def _begin(
        self, alpha: complex, spin: NDArray[np.complex128] | None, levels: NDArray[np.complex128] | None
    ) -> StrideState:
        return start(self._frame, alpha, spin)

    def _carry(
        self, state: StrideState, path: NoisePath, first: int, record_after: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        rows = self.problem.times.size
        return propagate_strides(state, self.dynamics, self._longest, self._fastest, path, record_after, rows)

    def _words(self, state: StrideState, path: NoisePath, step: int, plan: Plan) -> NDArray[np.complex128]:
        raise NotImplementedError("check_strides refuses words")

    def _told(self, state: StrideState) -> tuple[dict[str, float], dict[str, float]]:
        work, level = state.work, math.sqrt(float(state.levels[0]))
        peaks: dict[str, float] = {"largest_states": int(work[MOST_STATES]), "largest_level": level}
        return peaks, {"operators_applied": int(work[APPLIED]), "strides_repeated": int(work[AGAIN])}
