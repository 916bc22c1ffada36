"""Argument checks: every refusal names the argument, what was expected, what came, and what to do."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Two times that differ by less, relative to their size, are one.
SAME_TIME = 1e-9
#: Real numbers up to here: powers of rates that occur in closed forms (up to the eighth) are then finite.
LARGEST = 1e30
#: Times closer than this are refused: one over the square of such an interval is still a finite number.
SHORTEST = 1e-150
#: Random streams are addressed by numbers of up to 128 bits.
LARGEST_SEED = 2**128 - 1
#: What to do about a rate that is a function.
NO_FUNCTION = "A function cannot be stored: pass a number, or an opendicke.Ramp, Sine or Samples."
#: Characters of what came that are shown.
SHOWN = 200


def refuse(name: str, expected: str, got: Any, hint: str = "", error: type[Exception] = ValueError) -> Exception:
    """The exception to raise for a bad argument (returned, so that the caller's ``raise`` stays visible)."""
    text = f"{name}: expected {expected}, got {shown(got)}."
    return error(f"{text} {hint}".rstrip())


def shown(value: Any) -> str:
    """What came, in one short line, whatever it is.

    >>> shown(10**400)[:12], len(shown(10**400)), shown(10**5000)
    ('100000000000', 201, 'an int')
    """
    try:
        text = repr(value)
    except Exception:  # repr of somebody else's object, or of a number with too many digits
        kind = type(value).__name__
        return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]}…{text[-SHOWN // 2 :]}"


def real(
    name: str,
    value: Any,
    *,
    minimum: float = -LARGEST,
    above: float = -math.inf,
    maximum: float = LARGEST,
    hint: str = "",
) -> float:
    """``value`` as a float from ``minimum`` to ``maximum``, and strictly ``above``."""
    if isinstance(value, (bool, np.timedelta64)) or not isinstance(value, numbers.Real):
        hint = "It is a constant: neither a function nor a signal can be given." if callable(value) else hint
        raise refuse(name, "a real number", value, hint, TypeError)
    number = _float(value) + 0.0  # −0 becomes 0: the same number has one key
    if not math.isfinite(number):
        raise refuse(name, "a finite number", value, hint)
    if number <= above:
        raise refuse(name, f"a number > {above:g}", value, hint)
    if number < minimum:
        raise refuse(name, f"a number >= {minimum:g}", value, hint)
    if number > maximum:
        raise refuse(name, f"a number <= {maximum:g}", value, hint)
    return number


def rate(name: str, value: Any, *, minimum: float = -LARGEST, hint: str = "") -> float:
    """``value`` as a rate, :func:`real`."""
    if callable(value):
        raise refuse(name, "a real number", value, NO_FUNCTION, TypeError)
    return real(name, value, minimum=minimum, hint=hint)


def part(name: str, value: Any) -> float:
    """``value`` as a number strictly between 0 and 1."""
    number = real(name, value)
    if not 0 < number < 1:
        raise refuse(name, "a number between 0 and 1", value)
    return number


def integer(name: str, value: Any, *, minimum: int, maximum: int = 2**63 - 1, hint: str = "") -> int:
    """``value`` as an int from ``minimum`` to ``maximum``; a float is refused even when it is whole."""
    if isinstance(value, (bool, np.timedelta64)) or not isinstance(value, numbers.Integral):
        raise refuse(name, "an integer", value, hint or "Pass an int.", TypeError)
    if int(value) < minimum:
        raise refuse(name, f"an integer >= {minimum}", value, hint)
    if int(value) > maximum:
        raise refuse(name, f"an integer <= {maximum}", value, hint)
    return int(value)


def complex_number(name: str, value: Any) -> complex:
    """``value`` as a complex number of modulus at most :data:`LARGEST`."""
    if isinstance(value, (bool, np.timedelta64)) or not isinstance(value, numbers.Complex):
        raise refuse(name, "a complex number", value, error=TypeError)
    number = complex(_float(value.real) + 0.0, _float(value.imag) + 0.0)
    if not (math.isfinite(number.real) and math.isfinite(number.imag)):
        raise refuse(name, "a finite complex number", value)
    if abs(number) > LARGEST:
        raise refuse(name, f"a complex number of modulus up to {LARGEST:g}", value)
    return number


def set_real(options: Any, name: str, *, optional: bool = False, **bounds: Any) -> None:
    """Check the number ``options.name`` of a frozen dataclass, and make it a float; if ``optional``, None passes."""
    value = getattr(options, name)
    if value is not None or not optional:
        object.__setattr__(options, name, real(name, value, **bounds))


def set_integer(options: Any, name: str, **bounds: Any) -> None:
    """Check the integer ``options.name`` of a frozen dataclass, and make it a plain one."""
    object.__setattr__(options, name, integer(name, getattr(options, name), **bounds))


def flag(name: str, value: Any) -> bool:
    """``value`` as a bool; a word or a number is refused, whatever its truth value is."""
    if not isinstance(value, (bool, np.bool_)):
        raise refuse(name, "True or False", value, error=TypeError)
    return bool(value)


def set_flag(options: Any, name: str, optional: bool = False) -> None:
    """Check the flag ``options.name`` of a frozen dataclass, and make it a plain one; ``optional``: or None."""
    value = getattr(options, name)
    if not (optional and value is None):
        object.__setattr__(options, name, flag(name, value))


def choice(name: str, value: Any, options: Iterable[str], error: type[Exception] = ValueError, others: str = "") -> str:
    """``value`` as one of the words ``options``; ``others`` says what else the caller takes."""
    known = tuple(options)
    expected = " or ".join(repr(word) for word in known) if len(known) == 2 else f"one of {', '.join(known)}"
    expected = f"{others}, {expected}" if others else expected
    if not isinstance(value, str):
        raise refuse(name, expected, value, error=TypeError)
    if value not in known:
        raise refuse(name, expected, value, error=error)
    return str(value)


def instance(name: str, value: Any, kind: type | tuple[type, ...], expected: str, hint: str = "") -> None:
    """Refuse a ``value`` that is no instance of ``kind``."""
    if not isinstance(value, kind):
        raise refuse(name, expected, value, hint, TypeError)


def folder(name: str, value: Any) -> Path:
    """``value`` as the path of a folder (which need not be there)."""
    instance(name, value, (str, Path), "a folder")
    if not str(value):
        raise refuse(name, "a folder", value, "The current one is '.'.")
    return Path(value)


def real_array(
    name: str,
    values: Any,
    shape: Sequence[int | None] | None = (None,),
    *,
    missing: bool = False,
    infinite: bool = False,
    minimum: float = -math.inf,
    hint: str = "",
) -> NDArray[np.float64]:
    """``values`` as a new array of finite floats.

    Booleans, words, dates, complex and masked numbers are refused, though numpy could make floats of them.

    Args:
        name: of the argument.
        values: any nested sequence of real numbers.
        shape: expected shape, None for any size > 0 of an axis; None for any shape.
        missing: whether NaN is allowed.
        infinite: whether ±∞ is allowed.
        minimum: smallest number allowed.
        hint: what to do about a wrong kind or shape.
    """
    expected = "real numbers" if shape is None else "a sequence of real numbers"
    array = np.array(number_array(name, values, "iuf", expected, hint), dtype=np.float64)
    if shape is not None and not _fits(array.shape, shape):
        wanted = "a non-empty one-dimensional sequence" if tuple(shape) == (None,) else f"shape {_written(shape)}"
        raise refuse(name, wanted, f"an array of shape {array.shape}" if array.ndim else values, hint)
    for wrong, wanted in (
        (np.isnan(array) & (not missing) | np.isinf(array) & (not infinite), "finite values"),
        (np.isfinite(array) & (np.abs(array) > LARGEST), f"values up to {LARGEST:g}"),
        (array < minimum, f"numbers >= {minimum:g}"),
    ):
        if wrong.any():
            place = tuple(int(index) for index in np.argwhere(wrong)[0])
            where = f"{name}[{', '.join(map(str, place))}]" if place else name
            raise refuse(name, wanted, f"{where} = {array[place]}")
    return array


def number_array(name: str, values: Any, kinds: str, expected: str, hint: str = "") -> NDArray[Any]:
    """``values`` as an array of at least one number; ``kinds`` are numpy's letters of the types that are taken."""
    members = values if isinstance(values, (list, tuple)) else ()
    if np.ma.is_masked(values) or any(np.ma.is_masked(member) for member in members):
        raise refuse(name, "numbers without a mask", values, "Fill the masked ones, or leave them out.")
    try:
        if any(isinstance(member, (bool, np.bool_)) for member in members):
            raise TypeError
        found = np.asarray(values)
        if found.dtype.kind == "O" and found.size and "f" in kinds:  # Fractions, integers with many digits, or others
            found = np.vectorize(_plain_float, otypes=[np.float64])(found)
    except (TypeError, ValueError, RecursionError):
        raise refuse(name, expected, values, hint, TypeError) from None
    if not found.size:
        expected = "a non-empty one-dimensional sequence" if "sequence" in expected else expected
        raise refuse(name, expected, f"an array of shape {found.shape}", hint)
    if found.dtype.kind not in kinds:
        raise refuse(name, expected, values, hint, TypeError)
    return found


def time_grid(times: Any) -> NDArray[np.float64]:
    """``times`` as a one-dimensional, strictly increasing, finite array that starts at t >= 0."""
    grid = real_array("times", times, hint="Pass a sequence, e.g. [10.0] or np.linspace(0, 10, 101).") + 0.0
    if grid[0] < 0:
        raise refuse("times", "a first value >= 0 (the state is given at t = 0)", float(grid[0]))
    steps = np.diff(grid, prepend=0.0)
    late = np.flatnonzero(steps[1:] <= 0)
    if late.size:
        bad = int(late[0])
        pair = f"times[{bad}] = {grid[bad]}, times[{bad + 1}] = {grid[bad + 1]}"
        raise refuse("times", "strictly increasing values", pair, "Sort them and drop repeated ones.")
    if ((steps > 0) & (steps < SHORTEST)).any():
        raise refuse("times", f"intervals of 0 or at least {SHORTEST:g}", float(steps[steps > 0].min()))
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


def dataset_model(dataset: Any, *wanted: str) -> dict[str, Any]:
    """The parameters of the model that ``dataset`` is an answer about.

    Those that a sweep varies are read from its coordinates, once a point is chosen.

    Args:
        dataset: the answer.
        wanted: parameters that must be among them.

    Raises:
        TypeError: if it is not an answer of ``opendicke.solve`` or ``opendicke.sweep``.
        ValueError: if it is one about several values of a parameter that is wanted.
    """
    import xarray as xr  # slow to import

    if not isinstance(dataset, xr.Dataset) or "model" not in dataset.attrs:
        hint = "Keep its attrs: with xarray, xr.set_options(keep_attrs=True)."
        raise refuse("dataset", "a Dataset that opendicke.solve returned", type(dataset), hint, TypeError)
    model: dict[str, Any] = json.loads(dataset.attrs["model"])
    swept = [str(name) for name in json.loads(dataset.attrs.get("swept", "[]"))]
    chosen = {name: dataset[name].item() for name in swept if name in dataset.coords and dataset[name].size == 1}
    # a parameter that moves at some points stands there as JSON
    model |= {name: json.loads(value) if isinstance(value, str) else value for name, value in chosen.items()}
    lacking = [name for name in wanted if name not in model]
    if lacking and "spins" not in wanted and ("spins" in model or "spins" in swept):
        hint = "opendicke.System.of reads its system; what is computed here is about one spin and one mode."
        raise refuse("dataset", "an answer about a DickeModel", "one about a System", hint)
    if lacking:
        over = dict.fromkeys(str(dim) for name in lacking if name in dataset.coords for dim in dataset[name].dims)
        got = f"a sweep over {', '.join(over)}" if over else "one without that coordinate"
        hint = f"Choose a point of the sweep and keep its coordinates, e.g. result.isel({next(iter(over), 'kappa')}=0)."
        raise refuse("dataset", f"an answer with a single {', '.join(lacking)}", got, hint)
    return model


def dataset_atoms(dataset: Any) -> int:
    """N of the model that ``dataset`` is an answer about; see :func:`dataset_model`."""
    return int(dataset_model(dataset, "n_atoms")["n_atoms"])


def some_times(name: str, times: Any) -> tuple[float, ...]:
    """``times``, possibly none at all, as floats: an option that picks some of a solve's times."""
    if (isinstance(times, (tuple, list)) and not times) or (isinstance(times, np.ndarray) and times.shape == (0,)):
        return ()
    return tuple(real_array(name, times, hint="Pass a sequence of times, e.g. (1.0, 2.0).").tolist())


def _float(value: Any) -> float:
    """``value`` as a float, infinite where it has too many digits for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _plain_float(value: Any) -> float:
    """One real number as a float."""
    if isinstance(value, (bool, np.bool_, np.timedelta64)) or not isinstance(value, numbers.Real):
        raise TypeError
    return _float(value)


def _fits(shape: tuple[int, ...], expected: Sequence[int | None]) -> bool:
    pairs = zip(shape, expected, strict=False)
    return len(shape) == len(expected) and all(size == want if want is not None else size > 0 for size, want in pairs)


def _written(shape: Sequence[int | None]) -> str:
    sizes = ["n" if size is None else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"
