"""When an ensemble is large enough: a target standard error of one variable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.ensemble.run import Ensemble
from opendicke.observables.catalogue import VARIABLES, from_channels


@dataclass(frozen=True)
class Precision:
    r"""Stop when the standard error of ``variable`` is at most ``absolute`` (or ``relative`` times its size).

    Decided whenever a whole number of batches of trajectories is complete, in the order of their indices, so that the
    answer does not depend on who was faster.

    Args:
        variable: name of a variable, e.g. ``"Sz"``. A complex one counts with the modulus of value and error.
        absolute: target standard error, > 0, in the variable's own unit.
        relative: target standard error over the variable's modulus, > 0. Exactly one of the two is given.
        times: when it must hold, a subset of the solve's times; None for all of them.
        minimum: trajectories before the first decision, >= 2; a standard error from few is unreliable.

    Raises:
        ValueError, TypeError: for a target that is not positive, an unknown variable, or not exactly one target.

    >>> Precision("Sz", relative=0.01).minimum
    64
    """

    variable: str
    absolute: float | None = None
    relative: float | None = None
    times: tuple[float, ...] | None = None
    minimum: int = 64

    def __post_init__(self) -> None:
        checks.choice("variable", self.variable, VARIABLES)
        if (self.absolute is None) == (self.relative is None):
            raise checks.refuse("absolute, relative", "exactly one of them", (self.absolute, self.relative))
        for name in ("absolute", "relative"):
            checks.set_real(self, name, optional=True, above=0.0)
        if self.times is not None:
            object.__setattr__(self, "times", tuple(checks.real_array("times", self.times).tolist()))
        checks.set_integer(self, "minimum", minimum=2)

    def rows(self, times: NDArray[np.float64]) -> NDArray[np.int64]:
        """Positions of this target's times among the solve's times."""
        if self.times is None:
            return np.arange(times.size)
        return checks.among("precision", self.times, times, "the solve's times")

    def reached(self, ensemble: Ensemble, rows: NDArray[np.int64]) -> bool:
        """Whether the ensemble, as it is now, meets the target."""
        if len(ensemble.indices) < self.minimum:
            return False
        error, allowed = self._errors(ensemble, rows)
        return bool((error <= allowed).all())

    def worst(self, ensemble: Ensemble, rows: NDArray[np.int64]) -> float:
        """The largest standard error over its target: 1 when the target is just met."""
        error, allowed = self._errors(ensemble, rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.max(error / allowed))

    def _errors(self, ensemble: Ensemble, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Standard errors and their targets."""
        moments = ensemble.moments("channels")
        error = np.abs(from_channels((self.variable,), moments.sem[rows], errors=True)[self.variable])
        if self.absolute is not None:
            return error, np.full_like(error, self.absolute)
        size = np.abs(from_channels((self.variable,), moments.mean[rows])[self.variable])
        return error, float(self.relative or 0) * size


@dataclass(frozen=True)
class Enough:
    """A precision bound to the times of one problem: the stop rule of ``run_ensemble``."""

    precision: Precision
    rows: NDArray[np.int64]

    def __call__(self, ensemble: Ensemble) -> bool:
        """Whether no more trajectories are needed."""
        return self.precision.reached(ensemble, self.rows)

    def note(self, ensemble: Ensemble) -> str:
        """The largest standard error in units of its target."""
        if len(ensemble.indices) < 2:
            return "?"
        return f"{self.precision.worst(ensemble, self.rows):.2f} of target"


def stop_rule(precision: Precision | None, times: NDArray[np.float64]) -> Enough | None:
    """The stop rule of a run with these times; None where there is no target."""
    return None if precision is None else Enough(precision, precision.rows(times))


def check_precision(precision: object) -> None:
    """Refuse what is neither a target nor None."""
    if precision is not None and not isinstance(precision, Precision):
        raise checks.refuse("precision", "a Precision('Sz', relative=0.01) or None", precision, error=TypeError)
