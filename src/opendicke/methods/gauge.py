r"""Complex couplings of one spin and one mode: fixed phases of a and of :math:`S^-` make them real, exactly.

With :math:`a = e^{i\chi}a'`, :math:`S^- = e^{i\sigma}S'^-` and phases μ, ν of :math:`g_-, g_+`

.. math:: \mu + \sigma - \chi = 0, \qquad \nu - \sigma - \chi = 0

so the spin is turned about z by σ, and drives, squeezed light and the initial state along with it.
"""

from __future__ import annotations

import cmath
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.cavities import Point
from opendicke.model import DickeModel, check_model
from opendicke.observables.catalogue import CHANNELS
from opendicke.problem import Problem
from opendicke.states import SpinCoherent, coherent_state
from opendicke.words import Word


@dataclass(frozen=True)
class Gauge:
    """Angles χ and σ by which operators are those of the real model; 0 and 0 where nothing is to be done."""

    mode: float = 0.0
    spin: float = 0.0

    @property
    def is_trivial(self) -> bool:
        """Whether the model is real as it stands."""
        return self.mode == self.spin == 0

    def frame(self, frame: NDArray[np.float64]) -> NDArray[np.float64]:
        """Axes (rows) of the real model's spin."""
        return frame if self.is_trivial else frame @ _about_z(self.spin)

    def frame_back(self, frames: NDArray[np.float64]) -> NDArray[np.float64]:
        """Axes of the spin that is asked for, from those of the real model's."""
        return frames if self.is_trivial else frames @ _about_z(-self.spin)

    def point(self, start: Point) -> Point:
        """Where a trajectory's cavity starts, in the real model."""
        if self.is_trivial:
            return start
        turn = cmath.exp(-1j * self.mode)
        noise = None if start.noise is None else start.noise * turn.conjugate()
        return Point(start.alpha * turn, noise, start.levels * turn ** np.arange(start.levels.size))

    def coherent(self, state: SpinCoherent) -> SpinCoherent:
        """A coherent state, in the real model."""
        if self.is_trivial:
            return state
        return replace(state, phi=state.phi + self.spin, alpha=state.alpha * cmath.exp(-1j * self.mode))

    def channels(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The channels that are asked for, from the real model's: (…, channels)."""
        return rows if self.is_trivial else rows @ self._matrix.T

    def words(self, words: Sequence[Word], rows: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """The words' means that are asked for, from those of the real model's field: (times, words)."""
        turns = [len(word.lowered) - len(word.raised) for word in words]
        return rows if self.is_trivial else rows * np.exp(1j * self.mode * np.array(turns))

    @functools.cached_property
    def _matrix(self) -> NDArray[np.float64]:
        """Of the channels; every trajectory takes it."""
        turn, found = _about_z(-self.spin), np.zeros((len(CHANNELS), len(CHANNELS)))
        at = {name: index for index, name in enumerate(CHANNELS)}
        found[at["n_photon"], at["n_photon"]] = found[at["n_photon2"], at["n_photon2"]] = 1.0
        for i, axis in enumerate("xyz"):
            for k, other in enumerate("xyz"):
                found[at[f"S{axis}"], at[f"S{other}"]] = turn[k, i]
                _fill(found, at, f"S{axis}_a", f"S{other}_a", turn[k, i] * cmath.exp(1j * self.mode))
        for pair in ("xx", "yy", "zz", "xy", "yz", "zx"):
            for i, one in enumerate("xyz"):
                for k, two in enumerate("xyz"):
                    name = f"S{one}{two}" if f"S{one}{two}" in at else f"S{two}{one}"
                    found[at[f"S{pair}"], at[name]] += turn[i, "xyz".index(pair[0])] * turn[k, "xyz".index(pair[1])]
        for power, name in enumerate(("a", "a2"), 1):
            _fill(found, at, name, name, cmath.exp(1j * power * self.mode))
        return found


def real_couplings(model: DickeModel) -> tuple[DickeModel, Gauge]:
    """The model with real couplings that ``model`` is, and how to come back.

    Raises:
        ValueError: if the phase of a coupling moves.
    """
    pair: dict[str, Any] = {name: getattr(model, name) for name in ("g_minus", "g_plus")}
    phases = {name: signals.phase(rate) for name, rate in pair.items()}
    for name, phase in phases.items():
        if phase is None:
            hint = (
                "A phase that moves is a frequency: add its rate to omega_c or omega_a. Lindblad, TruncatedWigner, "
                "GaussianTrajectories and MeanField take it as it is."
            )
            raise checks.refuse(name, "a coupling whose phase does not move for this method", pair[name], hint)
    minus, plus = phases["g_minus"] or 0.0, phases["g_plus"] or 0.0
    if minus == plus == 0:
        return model, Gauge()
    if signals.largest(pair["g_plus"]) == 0:
        plus = minus
    elif signals.largest(pair["g_minus"]) == 0:
        minus = plus
    gauge = Gauge((minus + plus) / 2, (plus - minus) / 2)
    back = {name: cmath.exp(-1j * angle) for name, angle in (("drive", gauge.mode), ("atom_drive", gauge.spin))}
    changes = {name: signals.scaled(getattr(model, name), factor) for name, factor in back.items()}
    changes["squeezing"] = signals.scaled(model.squeezing, cmath.exp(-2j * gauge.mode))
    changes |= {"g_minus": signals.without_phase(pair["g_minus"], minus)}
    changes |= {"g_plus": signals.without_phase(pair["g_plus"], plus)}
    return model.replace(**changes), gauge


def phases_are_fixed(model: DickeModel) -> bool:
    """Whether the phases of the couplings do not move."""
    return signals.phase(model.g_minus) is not None and signals.phase(model.g_plus) is not None


def real_problem(problem: Problem, whose: str) -> tuple[Problem, Gauge]:
    """The problem with real couplings that ``problem`` is, for ``whose``: what takes coherent everyday ones only."""
    if problem.model.is_everyday:
        return problem, Gauge()
    model, gauge = real_couplings(problem.model)
    check_model(model, whose)
    return Problem(model, gauge.coherent(coherent_state(problem.state, whose)), problem.times), gauge


def is_everyday(model: DickeModel) -> bool:
    """Whether ``model`` is the everyday one up to constant phases of its couplings."""
    return not model.moving and real_couplings(model)[0].is_everyday


def _about_z(angle: float) -> NDArray[np.float64]:
    """Takes the row vector v to v turned about z by ``angle``."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _fill(matrix: NDArray[np.float64], at: dict[str, int], out: str, source: str, factor: complex) -> None:
    """``out`` has ``factor`` times ``source``, both complex, in its rows."""
    rows, columns = [at[f"re_{out}"], at[f"im_{out}"]], [at[f"re_{source}"], at[f"im_{source}"]]
    matrix[np.ix_(rows, columns)] = [[factor.real, -factor.imag], [factor.imag, factor.real]]
