"""What the methods that integrate equations share: tolerances that make sense, and an end to what would not end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.ensemble.executors import Deadline
from opendicke.problem import Executor, Problem

#: Range of a relative tolerance: SciPy's integrators take no less, and more is no accuracy at all.
RTOL = (2.3e-14, 0.1)
#: Range of an absolute tolerance, in the units of what is integrated.
ATOL = (1e-20, 0.1)
#: Largest product of the fastest rate and the last time. An integrator makes about one step per unit of it: days.
MOST_TURNS = 1e8


def check_tolerances(method: Any) -> None:
    """``rtol`` and ``atol`` of a (frozen) method as floats within their ranges."""
    for name, (least, most) in {"rtol": RTOL, "atol": ATOL}.items():
        number = checks.real(name, getattr(method, name), above=0.0)
        if not least <= number <= most:
            raise checks.refuse(name, f"a number from {least:g} to {most:g}", number)
        object.__setattr__(method, name, number)


def check_duration(problem: Problem, rate: float) -> None:
    """Refuse what turns so often that no integrator will see the end.

    Args:
        problem: what is to be integrated.
        rate: the fastest rate in its equations.
    """
    stop = float(problem.times[-1])
    if rate * stop > MOST_TURNS:
        expected = f"a last time of at most {MOST_TURNS:g} over the fastest rate, {rate:.3g}, which is followed"
        hint = "Measure frequencies from a rotating frame, or take shorter times."
        raise checks.refuse("times", expected, stop, hint)


def follow(
    flow: Callable[[float, NDArray[Any]], NDArray[Any]],
    start: NDArray[Any],
    times: NDArray[np.float64],
    rtol: float,
    atol: float,
) -> Iterator[NDArray[Any]]:
    """The solution of :math:`\\dot y` = ``flow(t, y)`` from ``start`` at t = 0, at each of ``times`` in turn.

    Raises:
        RuntimeError: if the integrator fails.
    """
    from scipy.integrate import DOP853

    pending, stop = int(times[0] == 0.0), float(times[-1])
    if pending:
        yield start
    if pending == times.size:
        return
    solver = DOP853(flow, 0.0, start, stop, rtol=rtol, atol=atol)
    while solver.status == "running":
        message = solver.step()
        if solver.status == "failed":
            raise RuntimeError(f"the integrator stopped at t = {solver.t:g}: {message}")
        inside = int(np.searchsorted(times, solver.t, side="right"))
        if inside > pending:
            interpolant = solver.dense_output()
            for moment in times[pending:inside]:
                yield interpolant(moment)
            pending = inside


class Watch:
    """The time that a run may take.

    Args:
        executor: the run's; a :class:`Deadline` says how long, others set no limit.
    """

    def __init__(self, executor: Executor | None = None) -> None:
        self.seconds = executor.seconds if isinstance(executor, Deadline) else None
        self._began = time.monotonic()

    def check(self, reached: float) -> None:
        """Raise if the time is over; ``reached`` is the time that the integration has come to."""
        if self.seconds is not None and time.monotonic() - self._began > self.seconds:
            raise TimeoutError(
                f"timeout: the {self.seconds:g} s allowed were over at t = {reached:.4g}, and what an integrator has "
                "done so far is no answer. Allow more, ask for shorter times, or use NuHOPS."
            )
