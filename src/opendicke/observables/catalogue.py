"""The variables that every method returns: names, definitions, and how they follow from a trajectory's channels.

A trajectory records real numbers, the *channels*: the mean spin, the symmetrised second moments
½<S_i S_j + S_j S_i>, and the normal-ordered cavity moments. Every variable is a linear combination of channels,
so means and standard errors of variables follow from those of channels without further approximation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.words import Word, word

#: The channels, in the order in which a trajectory records them.
CHANNELS: tuple[str, ...] = (
    "Sx", "Sy", "Sz",
    "Sxx", "Syy", "Szz", "Sxy", "Syz", "Szx",
    "re_a", "im_a", "n_photon", "re_a2", "im_a2", "n_photon2",
    "re_Sx_a", "im_Sx_a", "re_Sy_a", "im_Sy_a", "re_Sz_a", "im_Sz_a",
)  # fmt: skip
#: The spin's axes in the channels of the spin alone.
SPIN_PRODUCTS = ("x", "y", "z", "xx", "yy", "zz", "xy", "yz", "zx")


@dataclass(frozen=True)
class Variable:
    """One variable of a result: its definition, and the channels of its real and imaginary parts.

    ``real`` and ``imag`` are (channel, factor); ``imag`` is None for a Hermitian operator.

    >>> VARIABLES["Sz"].dims, VARIABLES["a2"].dims, VARIABLES["Sx_a"].dims
    (('spin',), ('mode',), ('spin', 'mode'))
    """

    definition: str
    real: tuple[str, float]
    imag: tuple[str, float] | None = None

    @property
    def dtype(self) -> type:
        """complex for an operator that is not Hermitian, else float."""
        return float if self.imag is None else complex

    @property
    def dims(self) -> tuple[str, ...]:
        """The dimensions that it has beside time in an answer about a system: "spin", "mode", or both.

        Words have none: they say themselves which spins and modes they are about.
        """
        channels = [part[0] for part in (self.real, self.imag) if part is not None and part[0] in CHANNELS]
        there = {"spin": any("S" in one for one in channels), "mode": any(one[0] != "S" for one in channels)}
        return tuple(dim for dim, is_there in there.items() if is_there)


#: What a result holds unless it is asked for less: each variable's name, and its definition.
VARIABLES: dict[str, Variable] = {
    "Sx": Variable("<S^x>", ("Sx", 1.0)),
    "Sy": Variable("<S^y>", ("Sy", 1.0)),
    "Sz": Variable("<S^z>", ("Sz", 1.0)),
    "Sx2": Variable("<S^x S^x>", ("Sxx", 1.0)),
    "Sy2": Variable("<S^y S^y>", ("Syy", 1.0)),
    "Sz2": Variable("<S^z S^z>", ("Szz", 1.0)),
    "Sx_Sy": Variable("<S^x S^y>", ("Sxy", 1.0), ("Sz", 0.5)),
    "Sy_Sx": Variable("<S^y S^x>", ("Sxy", 1.0), ("Sz", -0.5)),
    "Sy_Sz": Variable("<S^y S^z>", ("Syz", 1.0), ("Sx", 0.5)),
    "Sz_Sy": Variable("<S^z S^y>", ("Syz", 1.0), ("Sx", -0.5)),
    "Sz_Sx": Variable("<S^z S^x>", ("Szx", 1.0), ("Sy", 0.5)),
    "Sx_Sz": Variable("<S^x S^z>", ("Szx", 1.0), ("Sy", -0.5)),
    "a": Variable("<a>", ("re_a", 1.0), ("im_a", 1.0)),
    "n_photon": Variable("<a^dag a>", ("n_photon", 1.0)),
    "a2": Variable("<a a>", ("re_a2", 1.0), ("im_a2", 1.0)),
    "n_photon2": Variable("<a^dag a^dag a a>", ("n_photon2", 1.0)),
    "Sx_a": Variable("<S^x a>", ("re_Sx_a", 1.0), ("im_Sx_a", 1.0)),
    "Sy_a": Variable("<S^y a>", ("re_Sy_a", 1.0), ("im_Sy_a", 1.0)),
    "Sz_a": Variable("<S^z a>", ("re_Sz_a", 1.0), ("im_Sz_a", 1.0)),
}


def select(observables: Any) -> tuple[tuple[str, ...], tuple[Word, ...]]:
    """The names of variables asked for, and the words among them, checked; None means all variables.

    What is no variable's name is read as a word (:func:`opendicke.word`).

    >>> select(["Sx", "n_photon", "Sx Sx a† a"])[0]
    ('Sx', 'n_photon', 'Sx_Sx_adag_a')
    """
    if observables is None:
        return tuple(VARIABLES), ()
    hint = f"Variables are {', '.join(VARIABLES)}."
    try:
        given = (observables,) if isinstance(observables, (str, Word)) else tuple(observables)
    except TypeError as problem:
        raise checks.refuse("observables", "a sequence of names or words", observables, hint, TypeError) from problem
    read = [_read(one, hint) for one in given]
    names = tuple(one if isinstance(one, str) else one.name for one in read)
    if not names or len(set(names)) < len(names):
        twice = ", ".join(sorted({name for name in names if names.count(name) > 1}))
        told = f"Asked for more than once: {twice}." if twice else ""
        raise checks.refuse("observables", "at least one name, each once", observables, told)
    return names, tuple(one for one in read if isinstance(one, Word))


def _read(one: Any, hint: str) -> str | Word:
    """A variable's name, or a word that is none of the variables."""
    if isinstance(one, str) and one in VARIABLES:
        return one
    if not isinstance(one, (str, Word)):
        raise checks.refuse("observables", "names, or words such as opendicke.word('Sx Sx')", one, hint, TypeError)
    try:
        found = one if isinstance(one, Word) else word(one)
    except (ValueError, TypeError) as problem:
        hint = f"As a word: {problem} {hint}"
        raise checks.refuse("observables", "names of variables, or words such as 'Sx Sx a† a'", one, hint) from problem
    if found.name not in VARIABLES:
        return found
    if found.numbered:  # the second spin's S^x would be called as S^x S^x is
        told = found.name[:-1]
        hint = f"Ask for {told!r}: it has a dimension for spins or modes, and [1] is the second."
        raise checks.refuse("observables", "words not called as a variable is", found.definition, hint)
    return found.name


def channel_words(spin: int, mode: int) -> dict[str, Word]:
    """The products whose means channels are, of one spin and one mode; "a" is behind "re_a" and "im_a".

    >>> channel_words(0, 1)["Sx_a"].definition
    '<S^x a>'
    """
    found = {f"S{axes}": Word(tuple((spin, axis) for axis in axes), (), True) for axes in SPIN_PRODUCTS}
    fields = {"a": ("",), "n_photon": ("†", ""), "a2": ("", ""), "n_photon2": ("†", "†", "", "")}
    found |= {name: Word((), tuple((mode, factor) for factor in factors)) for name, factors in fields.items()}
    return found | {f"S{axis}_a": Word(((spin, axis),), ((mode, ""),)) for axis in "xyz"}


def channels_from_means(means: Mapping[str, complex]) -> NDArray[np.float64]:
    """The channels, shape (channels,), from the means of :func:`channel_words`."""
    found = {name: complex(value) for name, value in means.items()}
    parts = {f"re_{name}": value.real for name, value in found.items()}
    parts |= {f"im_{name}": value.imag for name, value in found.items()}
    return np.array([parts[name] if name in parts else found[name].real for name in CHANNELS])


def about(name: str, words: Iterable[Word]) -> Variable:
    """A variable of the catalogue, or that of one of the ``words``."""
    if name in VARIABLES:
        return VARIABLES[name]
    found = next(one for one in words if one.name == name)
    return Variable(found.definition, (f"re {name}", 1.0), (f"im {name}", 1.0))


def from_channels(
    names: tuple[str, ...], channels: NDArray[np.float64], *, errors: bool = False
) -> dict[str, NDArray[Any]]:
    """Variables from channel values (or, with ``errors``, from the channels' standard errors).

    Args:
        names: variables wanted.
        channels: shape (..., len(CHANNELS)).
        errors: the values are standard errors, so factors enter with their absolute value.

    Returns:
        name -> array of shape (...), complex where the variable is.
    """
    position = {channel: index for index, channel in enumerate(CHANNELS)}

    def part(source: tuple[str, float]) -> NDArray[np.float64]:
        channel, factor = source
        scale = abs(factor) if errors else factor
        values: NDArray[np.float64] = scale * channels[..., position[channel]]
        return values

    found: dict[str, NDArray[Any]] = {}
    for name in names:
        variable = VARIABLES[name]
        values: NDArray[Any] = part(variable.real)
        if variable.imag is not None:
            values = values + 1j * part(variable.imag)
        found[name] = values
    return found


def of_parts(values: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Variables of spins and modes from those of every pair: the axes go that a variable does not have.

    Args:
        values: name -> array of shape (..., spins, modes), as :func:`from_channels` gives it.

    Returns:
        name -> array of shape (...), (..., spins), (..., modes) or (..., spins, modes), as its ``dims`` say.
    """
    found = {}
    for name, value in values.items():
        dims = VARIABLES[name].dims
        found[name] = value[..., slice(None) if "spin" in dims else 0, slice(None) if "mode" in dims else 0]
    return found
