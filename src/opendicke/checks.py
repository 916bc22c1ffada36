"""Argument checks: every refusal names the argument, what was expected, what came, and what to do."""

from __future__ import annotations

import json
import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Two times that differ by less, relative to their size, are one.
SAME_TIME = 1e-9


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


def among(name: str, wanted: Any, times: NDArray[np.float64], whose: str) -> NDArray[np.intp]:
    """Where the times ``wanted`` stand among ``times``: indices, in the order asked for.

    Args:
        name: the argument that holds ``wanted``, for the message.
        wanted: one time or a sequence of times.
        times: those that there are, shape (times,).
        whose: what ``times`` are, for the message, e.g. "the solve's times".

    Raises:
        TypeError, ValueError: for no times at all, for what is no real number, or a time that is not among ``times``.
    """
    try:
        chosen = np.asarray(wanted)
    except ValueError as problem:  # rows of unequal length
        raise refuse(name, "a time or a sequence of times", wanted, error=TypeError) from problem
    if chosen.ndim > 1 or (chosen.size and chosen.dtype.kind not in "iufO"):
        raise refuse(name, "a time or a sequence of times", wanted, error=TypeError)
    if chosen.size == 0:
        raise refuse(name, f"at least one of {whose}", wanted)
    found = np.empty(chosen.size, dtype=np.intp)
    for at, one in enumerate(chosen.ravel().tolist()):
        time = real(name, one)
        index = find_time(time, times)
        if index is None:
            told = np.array2string(times, threshold=12, separator=", ")
            raise refuse(name, f"times out of {whose}, {told}", time)
        found[at] = index
    return found


def find_time(time: float, times: NDArray[np.float64]) -> int | None:
    """Where ``time`` stands among ``times``, None if nowhere: the one rule by which two times are the same.

    They are if they differ by rounding at most, :data:`SAME_TIME` of their size.
    """
    index = int(np.argmin(np.abs(times - time)))
    return index if math.isclose(times[index], time, rel_tol=SAME_TIME) else None


def dataset_model(dataset: Any) -> dict[str, Any]:
    """The parameters of the model that ``dataset`` is an answer about.

    Raises:
        TypeError: if it is not an answer of ``opendicke.solve``.
    """
    import xarray as xr  # slow to import

    if not isinstance(dataset, xr.Dataset) or "model" not in dataset.attrs:
        hint = "Keep its attrs: with xarray, xr.set_options(keep_attrs=True)."
        raise refuse("dataset", "a Dataset that opendicke.solve returned", type(dataset), hint, TypeError)
    model: dict[str, Any] = json.loads(dataset.attrs["model"])
    return model
