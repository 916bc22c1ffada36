r"""Words: products of operators of spins and modes, as data.

The factors are :math:`S^x, S^y, S^z, S^+, S^-` of a spin and :math:`a, a^\dagger` of a mode. Spins commute with modes
and with other spins, so only the order within one spin counts; the factors of the modes stand in normal order, all
:math:`a^\dagger` left of all :math:`a`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opendicke import checks

#: One letter for each factor of a spin, and of a mode.
SPIN_FACTORS, MODE_FACTORS = ("x", "y", "z", "+", "-"), ("†", "")
#: What the Hermitian conjugate of a factor is, where it is another one.
CONJUGATE = {"+": "-", "-": "+", "†": "", "": "†"}
#: Longest product of factors of spins: a word is symmetrised over all of their orders.
MOST_FACTORS = 6

_FACTOR = re.compile(r"(?:S(?P<axis>[xyz+-])|a(?P<dagger>†|dag|\^dag|\^†)?)(?P<site>[1-9]\d*)?(?P<late>†|dag)?")
_EXAMPLES = 'Write, say, "Sx Sx a† a", and "Sx1 Sx2 a1" for the first and second spin and the first mode.'


@dataclass(frozen=True)
class Word:
    """A product of operators; see :func:`word`.

    Attributes:
        spins: pairs (index of the spin, factor), from left to right; factors are "x", "y", "z", "+", "-".
        modes: pairs (index of the mode, "†" or ""), in normal order.
        symmetrised: the average over all orders of the factors of spins is meant.
        numbered: whether spins and modes have a number in the word's name.
    """

    spins: tuple[tuple[int, str], ...] = ()
    modes: tuple[tuple[int, str], ...] = ()
    symmetrised: bool = False
    numbered: bool = False

    @property
    def name(self) -> str:
        """The name of the variable, e.g. ``Sx_Sx_adag_a``."""

        def number(site: int) -> str:
            return str(site + 1) if self.numbered else ""

        letters = {"+": "p", "-": "m"}
        spins = [f"S{letters.get(factor, factor)}{number(site)}" for site, factor in self.spins]
        modes = [f"a{'dag' * (factor == '†')}{number(site)}" for site, factor in self.modes]
        return "_".join(["sym"] * self.symmetrised + spins + modes)

    @property
    def definition(self) -> str:
        """What is averaged, as the results say it."""

        def number(site: int) -> str:
            return f"_{site + 1}" if self.numbered else ""

        spins = [f"S{number(site)}^{factor}" for site, factor in self.spins]
        modes = [f"a{number(site)}{'^dag' * (factor == '†')}" for site, factor in self.modes]
        product = " ".join(spins + modes)
        return f"<{product}>, averaged over all orders of the S" if self.symmetrised else f"<{product}>"

    @property
    def raised(self) -> tuple[int, ...]:
        """The modes of the factors a†."""
        return tuple(site for site, factor in self.modes if factor == "†")

    @property
    def lowered(self) -> tuple[int, ...]:
        """The modes of the factors a."""
        return tuple(site for site, factor in self.modes if factor == "")

    def spin_factors(self, spin: int) -> tuple[str, ...]:
        """The factors of one spin, from left to right."""
        return tuple(factor for site, factor in self.spins if site == spin)

    def orders(self) -> Iterator[tuple[tuple[int, str], ...]]:
        """The products of spins whose average the word means: one, or all different orders of the factors."""
        if not self.symmetrised:
            yield self.spins
            return
        yield from sorted(set(itertools.permutations(self.spins)))

    def __str__(self) -> str:
        return self.name


def word(text: str, *, symmetrised: bool = False) -> Word:
    r"""An observable of your own: a product of spin components and of field operators.

    .. math:: \langle S_{i_1}\cdots S_{i_p}\, a^{\dagger m}a^n\rangle

    Args:
        text: factors with spaces between them: ``Sx Sy Sz S+ S-`` and ``a†`` (or ``adag``) and ``a``. The order of the
            spin's factors counts; those of the field are in normal order. With several spins or modes each factor
            has its number: ``"Sx1 Sx2"``, ``"a1† a2"``.
        symmetrised: average over all orders of the spin's factors, as ½⟨S_x S_y + S_y S_x⟩.

    Returns:
        What ``observables`` takes beside names; the variable is called as its ``name`` says.

    Raises:
        ValueError, TypeError: for a factor that is not known, fields that are not in normal order, numbers at some
            factors only, or more than six factors of spins.

    >>> word("Sx Sx a† a").name, word("Sx Sy", symmetrised=True).name, word("adag1 a2").name
    ('Sx_Sx_adag_a', 'sym_Sx_Sy', 'adag1_a2')
    """
    if not isinstance(text, str) or not text.split():
        raise checks.refuse("text", "factors out of Sx Sy Sz S+ S- a† a", text, _EXAMPLES, TypeError)
    symmetrised = checks.flag("symmetrised", symmetrised)
    spins: list[tuple[int, str]] = []
    modes: list[tuple[int, str]] = []
    sites = []
    for factor in text.split():
        found = _FACTOR.fullmatch(factor)
        if found is None or (found["late"] and (found["axis"] or found["dagger"])):
            raise checks.refuse("text", "factors out of Sx Sy Sz S+ S- a† a", factor, _EXAMPLES)
        sites.append(found["site"])
        site = int(found["site"] or 1) - 1
        if found["axis"]:
            spins.append((site, found["axis"]))
        else:
            modes.append((site, "†" if found["dagger"] or found["late"] else ""))
    if any(site is None for site in sites) and any(site is not None for site in sites):
        raise checks.refuse("text", "numbers at all factors or at none", text, _EXAMPLES)
    if any(factor == "" and (site, "†") in modes[at:] for at, (site, factor) in enumerate(modes)):
        raise checks.refuse("text", "a† left of a", text, "a a† is a† a + 1.")
    if len(spins) > MOST_FACTORS:
        raise checks.refuse("text", f"at most {MOST_FACTORS} factors of spins", text)
    # a spin's order is told, that of what commutes is not: equal operators have one name
    ordered = tuple(sorted(spins, key=lambda one: one[0]))
    fields = tuple(sorted(modes, key=lambda one: (one[1] != "†", one[0])))
    return Word(ordered, fields, symmetrised, sites[0] is not None)


def check_word(one: Any, spins: int, modes: int) -> None:
    """Refuse a word that speaks of spins or modes which are not there, or does not say which of several it means."""
    for kind, places, there in (("spin", one.spins, spins), ("mode", one.modes, modes)):
        if places and there > 1 and not one.numbered:
            hint = f'Of {there} {kind}s say which: "Sx1 Sx2 a1" is of the first and second spin and the first mode.'
            raise checks.refuse("observables", "words with a number at every factor", str(one), hint)
        for site, _ in places:
            if site >= there:
                raise checks.refuse("observables", f"words of {there} {kind}{'s' * (there > 1)}", str(one))
