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
from opendicke.methods.hierarchy import HierarchySimulator
from opendicke.model import DickeModel
from opendicke.problem import Problem
from opendicke.signals import Signal
from opendicke.states import is_coherent

if TYPE_CHECKING:
    from opendicke.methods.nuhops import NuHOPS

#: The longest stride times ω_a or the rate of the spins in the field that follows them, whichever is faster.
STRIDE = 0.1
#: |w| times the longest step of the noise.
FINE = 0.45
#: How much faster than the spins the cavity must turn, and forget: levels that ring are not carried.
TURNS, FORGETS = 10.0, 2.0
#: What else there is.
OTHERS = 'Take hierarchy="plain", or "auto".'


def check_strides(problem: Problem, options: NuHOPS) -> None:
    """Refuse what strides do not solve.

    Raises:
        ValueError: with the reason.
    """
    model, _ = real_couplings(problem.model)
    reason = ""
    if isinstance(model.omega_c, Signal) or isinstance(model.kappa, Signal):
        reason = "a cavity whose omega_c or kappa moves is not in their equation"
    elif not is_coherent(problem.state):
        reason = "they start from coherent states"
    elif problem.words:
        reason = "words are read from levels, which they do not have"
    elif options.dtype != "float64":
        reason = "they are in double precision"
    elif options.control == "gaussian":
        reason = "Gaussian copies run along the noise of the other two"
    else:
        rate = _fastest(model)
        if abs(complex(model.kappa, model.omega_c)) < TURNS * rate or model.kappa < FORGETS * rate:
            reason = (
                f"|kappa + i omega_c| has to be {TURNS:g} and kappa {FORGETS:g} times the spins' rate, here {rate:.3g}"
            )
    if reason:
        raise checks.refuse("hierarchy", f"'auto', 'plain' or 'dressed': {reason}", "strides", OTHERS)


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
        super().__init__(problem, options, FINE / abs(complex(model.kappa, model.omega_c)))
        rate = _fastest(real_couplings(model)[0])
        self._longest = STRIDE / rate if rate > 0 else float(problem.times[-1]) or 1.0

    def _begin(
        self, alpha: complex, spin: NDArray[np.complex128] | None, levels: NDArray[np.complex128] | None
    ) -> StrideState:
        return start(self._frame, alpha, spin)

    def _carry(
        self, state: StrideState, path: NoisePath, first: int, record_after: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        return propagate_strides(state, self.dynamics, self._longest, path, record_after, self.problem.times.size)

    def _words(self, state: StrideState, path: NoisePath, step: int, plan: Plan) -> NDArray[np.complex128]:
        raise NotImplementedError("check_strides refuses words")

    def _told(self, state: StrideState) -> tuple[dict[str, float], dict[str, float]]:
        work, level = state.work, math.sqrt(float(state.levels[0]))
        peaks: dict[str, float] = {"largest_states": int(work[MOST_STATES]), "largest_level": level}
        return peaks, {"operators_applied": int(work[APPLIED]), "strides_repeated": int(work[AGAIN])}
