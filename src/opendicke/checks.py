"""Argument checks: every refusal names the argument, what was expected, what came, and what to do."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray


def refuse(name: str, expected: str, got: Any, hint: str = "", error: type[Exception] = ValueError) -> Exception:
    """The exception to raise for a bad argument (returned, so that the caller's ``raise`` stays visible)."""
    text = f"{name}: expected {expected}, got {got!r}."
    return error(f"{text} {hint}".rstrip())


def real(name: str, value: Any, *, minimum: float | None = None, above: float | None = None, hint: str = "") -> float:
    """``value`` as a finite float, at least ``minimum`` and strictly ``above`` where these are given."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise refuse(name, "a real number", value, hint, TypeError)
    number = float(value)
    if not math.isfinite(number):
        raise refuse(name, "a finite number", value, hint)
    if minimum is not None and number < minimum:
        raise refuse(name, f"a number >= {minimum:g}", value, hint)
    if above is not None and number <= above:
        raise refuse(name, f"a number > {above:g}", value, hint)
    return number


def integer(name: str, value: Any, *, minimum: int, hint: str = "") -> int:
    """``value`` as an int, at least ``minimum``; a float is refused even when it is whole."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise refuse(name, "an integer", value, hint or "Pass an int.", TypeError)
    if int(value) < minimum:
        raise refuse(name, f"an integer >= {minimum}", value, hint)
    return int(value)


def complex_number(name: str, value: Any) -> complex:
    """``value`` as a finite complex number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Complex):
        raise refuse(name, "a complex number", value, error=TypeError)
    number = complex(value)
    if not (math.isfinite(number.real) and math.isfinite(number.imag)):
        raise refuse(name, "a finite complex number", value)
    return number


def time_grid(times: Any) -> NDArray[np.float64]:
    """``times`` as a one-dimensional, strictly increasing, finite array that starts at t >= 0."""
    try:
        grid = np.array(times, dtype=np.float64, ndmin=1)
    except (TypeError, ValueError) as problem:
        raise refuse("times", "a sequence of real numbers", times, error=TypeError) from problem
    if grid.ndim != 1 or grid.size == 0:
        raise refuse("times", "a non-empty one-dimensional sequence", f"an array of shape {grid.shape}")
    if not np.isfinite(grid).all():
        bad = int(np.flatnonzero(~np.isfinite(grid))[0])
        raise refuse("times", "finite values", f"times[{bad}] = {grid[bad]}")
    if grid[0] < 0:
        raise refuse("times", "a first value >= 0 (the state is given at t = 0)", float(grid[0]))
    steps = np.diff(grid)
    if steps.size and steps.min() <= 0:
        bad = int(np.flatnonzero(steps <= 0)[0])
        pair = f"times[{bad}] = {grid[bad]}, times[{bad + 1}] = {grid[bad + 1]}"
        raise refuse("times", "strictly increasing values", pair, "Sort them and drop repeated ones.")
    grid.flags.writeable = False
    return grid
