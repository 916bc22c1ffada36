"""What a model, a state and a method say of themselves in the key of a study.

A key is a hash of plain data, and it must stand for the same numbers in all later versions. So a description holds
what determines the numbers and nothing else, and the fields of a dataclass say in their metadata how they count:

- :func:`added`: a field that came after version 1 is left out while it has the value that means what was before it.
  Neither keys nor random streams change when such a field appears, or when its default changes.
- :data:`LIMIT`: a field that only limits resources never takes part. Two limits of version 1 did take part
  (:data:`FIRST_LIMITS`): they stand in every description with the value that was their default then, whatever the
  limit is, so that the keys of that version stay what they are.
- numbers that are the same have one form: real options are floats. Version 1 wrote an int where one was given
  (:data:`FIRST_REALS`); :func:`canonical` makes both alike.
- how many trajectories, and when to stop (:data:`COUNTS`), are no part of what one trajectory is.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from opendicke import checks

#: Metadata of a field that only limits what a run may take: a larger limit goes on with the same study.
LIMIT: Mapping[str, Any] = MappingProxyType({"limit": True})
#: Options that say how many trajectories are run, and not what one of them is.
COUNTS = ("trajectories", "precision")


@dataclasses.dataclass(frozen=True)
class FirstLimit:
    """A limit that version 1 wrote into its descriptions.

    Attributes:
        written: its name there.
        default: what stands there for ever, whatever the limit is.
        field: its name today.
        unit: the unit there in units of today's.
    """

    written: str
    default: float
    field: str
    unit: float


#: By method. The list is closed: later limits are not written.
FIRST_LIMITS = {
    "NuHOPS": FirstLimit("memory_limit", 2**31, "max_memory", 2.0**-30),
    "HOPS": FirstLimit("max_memory", 1.0, "max_memory", 1.0),
}

#: Real options that version 1 wrote as an int where they were given as one; since then they are floats. The list is
#: closed.
FIRST_REALS = ("step", "tol", "feedback", "max_top_level")


def added(since: str, neutral: Any) -> dict[str, Any]:
    """Metadata of a field that was added in version ``since``; with the value ``neutral`` all is as it was before.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Thing:
    ...     size: float
    ...     tilt: float = dataclasses.field(default=0.0, metadata=added("0.2", neutral=0.0))
    >>> describe(Thing(1.0)), describe(Thing(1.0, tilt=0.5))
    ({'size': 1.0}, {'size': 1.0, 'tilt': 0.5})
    """
    return {"since": since, "neutral": neutral}


def plain(value: Any) -> Any:
    """``value`` as a JSON file holds it, with all fields of dataclasses.

    Numpy's numbers become Python's, tuples and arrays lists, complex numbers pairs [real part, imaginary part].

    Raises:
        TypeError: for what no file can hold.
    """
    return _plain(value, lambda field, value: True)


def describe(thing: Any) -> dict[str, Any]:
    """The fields of a dataclass that determine numbers, as plain data; nested dataclasses likewise."""
    told: dict[str, Any] = _plain(thing, _counts)
    return told


def describe_method(method: Any) -> dict[str, Any]:
    """The options of a method that determine the numbers of one trajectory, as plain data."""
    told = {name: value for name, value in describe(method).items() if name not in COUNTS}
    return told | _first_limits(type(method).__name__)


def canonical(study: dict[str, Any]) -> dict[str, Any]:
    """The description of a study as this version writes it.

    It is the same whatever limits it was once run with, and whether an option was given as 1 or as 1.0.
    """
    options = study["options"] | _first_limits(study["method"])
    whole = {name: float(options[name]) for name in FIRST_REALS if type(options.get(name)) is int}
    return study | {"options": options | whole}


def limits(method: Any) -> dict[str, float]:
    """The limits of a method: field -> value."""
    return {item.name: float(getattr(method, item.name)) for item in dataclasses.fields(method) if _is_limit(item)}


def with_limits(method: Any, told: Mapping[str, float]) -> Any:
    """The method with those of the limits ``told`` that it has."""
    return dataclasses.replace(method, **{name: told[name] for name in limits(method) if name in told})


def limits_told(study: dict[str, Any]) -> dict[str, float]:
    """The limits that a study of version 1 was run with, according to its description, in today's units."""
    first = FIRST_LIMITS.get(study["method"])
    told = None if first is None else study["options"].get(first.written)
    return {first.field: told * first.unit} if first is not None and isinstance(told, int | float) else {}


def restore(kind: Any, told: Mapping[str, Any], *, by_hand: bool = False) -> Any:
    """The dataclass ``kind`` with the fields told by :func:`describe`, in this version or an earlier one.

    Args:
        kind: what is to be made.
        told: its fields, as plain data.
        by_hand: somebody wrote them, and may have left out what has a default.

    Raises:
        TypeError, ValueError: if a field is unknown (a later version wrote it), missing or not of its kind.
    """
    return kind(**_fields(kind, told, by_hand=by_hand))


def restore_method(kind: Any, told: Mapping[str, Any], trajectories: int) -> Any:
    """The method ``kind`` with the options told by :func:`describe_method`, and so many trajectories.

    Raises:
        TypeError, ValueError: as :func:`restore`.
    """
    options = {name: value for name, value in told.items() if name not in _first_limits(kind.__name__)}
    return kind(trajectories=trajectories, **_fields(kind, options, COUNTS))


def replaced(thing: Any, path: str, value: Any, whole: str = "") -> Any:
    """A copy of a dataclass, or of a tuple, with one part changed that a dotted name leads to.

    Args:
        thing: what is copied.
        path: the dotted name.
        value: the changed part.
        whole: the name for messages, where ``path`` is the end of a longer one.

    Raises:
        ValueError: if the name leads nowhere; it says what there is.
        TypeError, ValueError: what the changed part's own checks raise.

    >>> import opendicke as od
    >>> replaced(od.SpinCoherent(1.0, cavity=od.cavities.Fock(1)), "cavity.photons", 3).cavity
    Fock(photons=3)
    """
    head, _, rest = path.partition(".")
    if isinstance(thing, tuple):
        known = [str(at) for at in range(len(thing))]
    else:
        known = [item.name for item in dataclasses.fields(thing)] if dataclasses.is_dataclass(thing) else []
    if head not in known:
        there = f"one of {', '.join(known)}" if known else "no further name: it has no parts"
        raise checks.refuse(whole or path, there, head)
    if rest:
        value = replaced(
            thing[int(head)] if isinstance(thing, tuple) else getattr(thing, head), rest, value, whole or path
        )
    if isinstance(thing, tuple):
        return (*thing[: int(head)], value, *thing[int(head) + 1 :])
    return dataclasses.replace(thing, **{head: value})


def _first_limits(method: str) -> dict[str, Any]:
    first = FIRST_LIMITS.get(method)
    return {} if first is None else {first.written: first.default}


def _is_limit(field: dataclasses.Field[Any]) -> bool:
    return bool(field.metadata.get("limit", False))


def _counts(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a field with this (plain) value takes part."""
    if _is_limit(field):
        return False
    return "neutral" not in field.metadata or value != _plain(field.metadata["neutral"], _counts)


def _plain(value: Any, takes_part: Callable[[dataclasses.Field[Any], Any], bool]) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        told = [(item, _plain(getattr(value, item.name), takes_part)) for item in dataclasses.fields(value)]
        kind = {"kind": value.KIND} if hasattr(value, "KIND") else {}  # one of several that may stand in its place
        return kind | {item.name: inner for item, inner in told if takes_part(item, inner)}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist(), takes_part)
    if isinstance(value, complex):
        return [value.real, value.imag]
    if isinstance(value, list | tuple):
        return [_plain(inner, takes_part) for inner in value]
    if isinstance(value, dict):
        return {str(name): _plain(inner, takes_part) for name, inner in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a {type(value).__name__} cannot be described in a file: {value!r}")


def _fields(
    kind: Any, told: Mapping[str, Any], without: tuple[str, ...] = (), *, by_hand: bool = False
) -> dict[str, Any]:
    """The arguments of ``kind`` that ``told`` speaks of, with what was neutral where a later field is not told."""
    hints = typing.get_type_hints(kind)
    known = {item.name: item for item in dataclasses.fields(kind) if not _is_limit(item) and item.name not in without}
    unknown = sorted(set(told) - set(known))
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(unknown)} in this version: a later one wrote it")
    values = {}
    for name, item in known.items():
        if name in told:
            values[name] = _typed(hints[name], told[name], by_hand)
        elif by_hand and item.default is not dataclasses.MISSING:
            continue
        elif "neutral" in item.metadata:
            values[name] = item.metadata["neutral"]
        else:
            raise ValueError(f"{name} of {kind.__name__} is missing")
    return values


def _typed(hint: Any, value: Any, by_hand: bool) -> Any:
    """What ``value`` was before it was made plain, by the type of its field."""
    kinds = typing.get_args(hint) if typing.get_origin(hint) is not tuple else (hint,)
    kinds = kinds or (hint,)
    if isinstance(value, dict):
        name, told = value.get("kind"), {key: inner for key, inner in value.items() if key != "kind"}
        fitting = (kind for kind in kinds if dataclasses.is_dataclass(kind) and getattr(kind, "KIND", None) == name)
        kind = next(fitting, None)
        return value if kind is None else restore(kind, told, by_hand=by_hand)
    if not isinstance(value, list):
        return value
    if complex in kinds:
        return complex(*value)
    members = next((typing.get_args(kind) for kind in kinds if typing.get_origin(kind) is tuple), (None,))
    return tuple(_typed(members[0], inner, by_hand) for inner in value)
