"""Initial states: what a start may be, of one spin and mode or of several, and what is asked of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from opendicke import cavities, checks
from opendicke.cavities import Cavity
from opendicke.description import restore

#: Largest N of a state that is squeezed: it takes N² numbers to make.
from opendicke.one_spin import (
    ONE_SPIN,
    Dicke,
    Inverted,
    Normal,
    OneSpin,
    SpinCoherent,
    SpinSqueezed,
    SpinSuperposition,
    ThermalSpin,
    set_weights,
    superposed,
)
from opendicke.shown import Formula

__all__ = [
    "KINDS",
    "ONE_SPIN",
    "STATES",
    "Dicke",
    "EntangledSpins",
    "Inverted",
    "Normal",
    "OneSpin",
    "Product",
    "SpinCoherent",
    "SpinSqueezed",
    "SpinSuperposition",
    "State",
    "ThermalSpin",
    "cavity_start",
    "check_state",
    "coherent_parts",
    "coherent_state",
    "field_sizes",
    "fields_of",
    "hint_for",
    "is_coherent",
    "mean_photons",
    "one_of",
    "parts_of",
    "restore_state",
    "tensor",
]


@dataclass(frozen=True)
class Product(Formula):
    r"""A state for every spin and every mode of an :class:`opendicke.System`, and their product.

    Args:
        spins: a state for each spin, its own cavity left in vacuum: ``SpinCoherent(0.3)``, ``Dicke(0)``, ``Normal()``.
        modes: for each mode a complex amplitude, or a state of :mod:`opendicke.cavities`; all in vacuum if left out.

    Raises:
        ValueError, TypeError: for anything else; by what solves, for other numbers of spins and modes than there are.

    Any other state, given to a system of several spins or modes, is that of each spin and of each mode.

    >>> Product(spins=(Normal(), SpinCoherent(1.0)), modes=(0.5, cavities.Fock(1))).modes
    ((0.5+0j), Fock(photons=1))
    """

    KIND: ClassVar[str] = "product"

    spins: tuple[OneSpin, ...]
    modes: tuple[complex | Cavity, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "spins", _bare_spins("spins", self.spins, ONE_SPIN, "SpinCoherent(theta, phi)"))
        _set_modes(self)


@dataclass(frozen=True)
class EntangledSpins(Formula):
    r"""A superposition of products of states of several spins, normalised.

    .. math:: \sum_kc_k\bigotimes_i|\psi_{ki}\rangle

    Each :math:`|\psi_{ki}\rangle` is a spin coherent state :math:`|\theta_{ki},\phi_{ki}\rangle` or a Dicke state.
    ``Lindblad`` starts from it; the other methods start from products.

    Args:
        terms: for every k a state for each spin, its own cavity left in vacuum: ``SpinCoherent(0.3)``, ``Dicke(0)``.
        weights: complex c_k, as many; None for equal ones.
        modes: for each mode a complex amplitude, or a state of :mod:`opendicke.cavities`; all in vacuum if left out.

    Raises:
        ValueError, TypeError: for anything else; by what solves, for other numbers of spins and modes than there are,
            and for a sum that vanishes.

    >>> up, down = Inverted(), Normal()
    >>> EntangledSpins(terms=((up, down), (down, up)), weights=(1.0, -1.0)).amplitudes([1, 1]).round(3).real + 0.0
    array([ 0.   ,  0.707, -0.707,  0.   ])
    """

    KIND: ClassVar[str] = "entangled_spins"

    terms: tuple[tuple[SpinCoherent | Dicke, ...], ...]
    weights: tuple[complex, ...] | None = None
    modes: tuple[complex | Cavity, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.terms, (tuple, list)) or not self.terms:
            expected = "a sequence of at least one sequence of states of one spin"
            raise checks.refuse("terms", expected, self.terms, error=TypeError)
        pure, example = (SpinCoherent, Dicke), "SpinCoherent(theta, phi) or Dicke(m)"
        terms = tuple(_bare_spins(f"terms[{k}]", term, pure, example) for k, term in enumerate(self.terms))
        if len({len(term) for term in terms}) > 1 or not terms[0]:
            raise checks.refuse("terms", "states of as many spins, one or more, in every term", self.terms)
        object.__setattr__(self, "terms", terms)
        set_weights(self, len(terms), "terms")
        _set_modes(self)

    def amplitudes(self, atoms: Sequence[int]) -> NDArray[np.complex128]:
        """On the products of |j, j − n>, the last spin's n fastest; N of each spin is given: shape (∏(N+1),)."""
        if len(atoms) != len(self.terms[0]):
            raise checks.refuse("state", _numbers(len(atoms), None), len(self.terms[0]))
        products = []
        for term in self.terms:
            spins = [
                one.amplitudes(n) if isinstance(one, Dicke) else one.dicke_amplitudes(n)
                for one, n in zip(term, atoms, strict=True)
            ]
            products.append(tensor(spins))
        return superposed(self.weights, products)


State = OneSpin | Product | EntangledSpins
STATES = (*ONE_SPIN, Product, EntangledSpins)
#: All but the first, by their kind.
KINDS: dict[str, Any] = {
    state.KIND: state for state in (Dicke, ThermalSpin, SpinSqueezed, SpinSuperposition, Product, EntangledSpins)
}


def check_state(state: Any) -> None:
    """Refuse what is no state."""
    checks.instance("state", state, STATES, "a state such as opendicke.SpinCoherent(theta, phi)")


def parts_of(state: State, spins: int, modes: int) -> tuple[tuple[OneSpin, ...], tuple[complex | Cavity, ...]]:
    """The state of each spin (its cavity is to be ignored), and an amplitude or a state for each mode.

    Raises:
        ValueError: for a :class:`Product` of other numbers of spins and modes, and for spins that are entangled.
    """
    if isinstance(state, EntangledSpins):
        raise checks.refuse("state", "a product of states of the spins", state, "Entangled spins: Lindblad.")
    if not isinstance(state, Product):
        return (state,) * spins, fields_of(state, modes)
    if len(state.spins) != spins or len(state.modes) not in (0, modes):
        raise checks.refuse("state", _numbers(spins, modes), f"{len(state.spins)} and {len(state.modes)}")
    return state.spins, fields_of(state, modes)


def fields_of(state: State, modes: int) -> tuple[complex | Cavity, ...]:
    """An amplitude or a state for each mode.

    Raises:
        ValueError: for a state of another number of modes.
    """
    if not isinstance(state, Product | EntangledSpins):
        return (state.alpha if state.cavity is None else state.cavity,) * modes
    if len(state.modes) not in (0, modes):
        raise checks.refuse("state", _numbers(None, modes), len(state.modes))
    return state.modes or (0j,) * modes


def one_of(state: State) -> OneSpin:
    """``state`` as one of one spin and one mode; refused if it is a :class:`Product` of more, or entangled."""
    if not isinstance(state, Product | EntangledSpins):
        return state
    (spin,), (mode,) = parts_of(state, 1, 1)
    own: dict[str, Any] = {"cavity": mode} if isinstance(mode, cavities.CAVITIES) else {"alpha": mode}
    return replace(spin, **own)


def tensor(parts: Sequence[NDArray[np.complex128]]) -> NDArray[np.complex128]:
    """The tensor product of amplitudes, or of density matrices, in their order."""
    product, *others = parts
    for one in others:
        product = np.kron(product, one).astype(np.complex128, copy=False)
    return product


def coherent_state(state: OneSpin, whose: str) -> SpinCoherent:
    """``state``, if spin and cavity are coherent; refused for ``whose`` (a method) if not."""
    if isinstance(state, SpinCoherent) and state.cavity is None:
        return state
    raise _not_coherent(state, whose)


def coherent_parts(
    state: State, spins: int, modes: int, whose: str
) -> tuple[tuple[SpinCoherent, ...], NDArray[np.complex128]]:
    """The states of the spins and the amplitudes of the modes, if all are coherent; refused for ``whose`` if not.

    Raises:
        ValueError: for anything else, and for a :class:`Product` of other numbers of spins and modes.
    """
    own, fields = parts_of(state, spins, modes)
    coherent = tuple(one for one in own if isinstance(one, SpinCoherent))
    if len(coherent) < len(own) or any(isinstance(one, cavities.CAVITIES) for one in fields):
        raise _not_coherent(state, whose)
    return coherent, np.array(fields, dtype=np.complex128)


def _not_coherent(state: State, whose: str) -> Exception:
    hint = "Other states of spin and cavity: NuHOPS and Lindblad, and some of them TruncatedWigner."
    return checks.refuse("state", f"a SpinCoherent state with a coherent cavity (for {whose})", state, hint)


def restore_state(told: Mapping[str, Any]) -> State:
    """The state told by :func:`opendicke.description.describe`."""
    kind = KINDS[told["kind"]] if "kind" in told else SpinCoherent
    state: State = restore(kind, {name: value for name, value in told.items() if name != "kind"})
    return state


def is_coherent(state: OneSpin) -> bool:
    """Whether spin and cavity are in coherent states."""
    return isinstance(state, SpinCoherent) and state.cavity is None


def field_sizes(state: State, spins: int, modes: int) -> list[float]:
    """√⟨a†a⟩ of every mode at the start."""
    fields = parts_of(state, spins, modes)[1]
    return [
        math.sqrt(one.mean_photons()) if isinstance(one, cavities.CAVITIES) else abs(complex(one)) for one in fields
    ]


def mean_photons(state: OneSpin) -> float:
    """⟨a†a⟩ at the start."""
    return abs(state.alpha) ** 2 if state.cavity is None else state.cavity.mean_photons()


def cavity_start(state: OneSpin, rng: np.random.Generator) -> cavities.Point:
    """Where a trajectory's cavity starts; nothing is drawn for a coherent one."""
    return cavities.coherent(state.alpha) if state.cavity is None else state.cavity.draw(rng)


def _bare_spins(name: str, given: Any, kinds: tuple[type, ...], example: str) -> tuple[Any, ...]:
    """``given`` as a tuple of states of spins of these kinds, without a cavity of their own."""
    if not isinstance(given, (tuple, list)) or not all(isinstance(one, kinds) for one in given):
        raise checks.refuse(name, f"a sequence of states of one spin, such as {example}", given, error=TypeError)
    for one in given:
        if one.cavity is not None or one.alpha != 0:
            raise checks.refuse(name, "states whose own cavity is left in vacuum", one, "Use modes.")
    return tuple(given)


def _set_modes(state: Any) -> None:
    """Check ``modes``: an amplitude or a state of each."""
    if not isinstance(state.modes, (tuple, list)):
        expected = "a sequence of amplitudes, or states of opendicke.cavities"
        raise checks.refuse("modes", expected, state.modes, error=TypeError)
    modes = (
        one if isinstance(one, cavities.CAVITIES) else checks.complex_number(f"modes[{at}]", one)
        for at, one in enumerate(state.modes)
    )
    object.__setattr__(state, "modes", tuple(modes))


def _numbers(spins: int | None, modes: int | None) -> str:
    """So many spins and modes, in words; those that are None are not spoken of."""
    told = {"spin": spins, "mode": modes}
    words = (f"{count} {kind}{'s' * (count > 1)}" for kind, count in told.items() if count is not None)
    return f"states of {' and '.join(words)}"


#: Names under which other states are looked for.
OTHER_STATES = ("Fock", "Dicke", "GHZ", "Thermal", "Squeezed", "Cat", "Coherent", "Vacuum", "W")


def hint_for(name: str) -> str:
    """What to say to someone who looks for a state that is not there; empty for any other name."""
    if name.removesuffix("State").lower() not in {state.lower() for state in OTHER_STATES}:
        return ""
    return (
        "Initial states of the spin are SpinCoherent, Normal(), Inverted(), Dicke, ThermalSpin, SpinSqueezed and "
        "SpinSuperposition, each with a state of the cavity: cavity=opendicke.cavities.Fock(2), say."
    )
