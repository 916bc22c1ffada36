r"""Cumulant equations of the open Dicke model, generated from the operator algebra.

An operator is a sum of *words* :math:`W\,a^{\dagger p}a^q`, with a spin part W and normal-ordered cavity operators.
The Hamiltonian is a sum of :math:`S^k B_k` with cavity operators :math:`B_k`, and spins commute with the cavity, so

.. math::
    i[S^k B_k,\,W B] = i\,[S^k, W]\,\tfrac12\{B_k, B\} + i\,\tfrac12\{S^k, W\}\,[B_k, B]

is all that a Heisenberg equation needs. W is a string over x, y, z and stands either for a product of Pauli matrices
of as many *different* atoms, all alike, or for a symmetrised product of collective spin components. The commutator
with :math:`S^k` rotates each letter in turn in both readings; only the anticommutator tells them apart.

Means are then written as polynomials of joint cumulants, those beyond the chosen order left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opendicke.model import DickeModel

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Word(NamedTuple):
    r"""A spin string, and the powers of :math:`a^\dagger` and of a (normal order)."""

    spins: str
    creators: int
    annihilators: int

    @property
    def degree(self) -> int:
        """Number of letters."""
        return len(self.spins) + self.creators + self.annihilators

    @property
    def adjoint(self) -> Word:
        """The Hermitian conjugate (spin strings are Hermitian in both readings)."""
        return Word(self.spins, self.annihilators, self.creators)


Spins = dict[str, complex]
Cavity = dict[tuple[int, int], complex]
Operator = dict[Word, complex]
Polynomial = dict[tuple[Word, ...], complex]
#: ½{S^k, W} as a sum of spin strings, for a component k and a string W.
Anticommutator = Callable[[str, str], Spins]

_ROTATES_TO = {"xy": ("z", 1), "yz": ("x", 1), "zx": ("y", 1), "yx": ("z", -1), "zy": ("x", -1), "xz": ("y", -1)}


def _add(total: dict[Any, complex], key: Any, value: complex) -> None:
    total[key] = total.get(key, 0.0) + value


def _sorted(spins: str) -> str:
    return "".join(sorted(spins))


# --- spin part ---------------------------------------------------------------------------------------------------


def commutator(component: str, spins: str) -> Spins:
    r""":math:`[S^k, W]`, by :math:`[S^k, S^l] = i\epsilon_{klm}S^m` on each letter in turn.

    >>> commutator("x", "y")
    {'z': 1j}
    """
    total: Spins = {}
    for place, letter in enumerate(spins):
        if letter != component:
            image, sign = _ROTATES_TO[component + letter]
            _add(total, _sorted(spins[:place] + image + spins[place + 1 :]), 1j * sign)
    return total


def atoms(n_atoms: int) -> Anticommutator:
    r"""½{S^k, W} for products of Pauli matrices of different atoms, with :math:`S^k=\tfrac12\sum_n\sigma^k_n`.

    On an atom of W, ½{σ^k, σ^l} = δ_kl; each of the N − m other atoms adds a letter.

    >>> atoms(10)("x", "x") == {"": 0.5, "xx": 4.5}
    True
    """

    def half_anticommutator(component: str, spins: str) -> Spins:
        total: Spins = {_sorted(spins + component): (n_atoms - len(spins)) / 2}
        for place, letter in enumerate(spins):
            if letter == component:
                _add(total, spins[:place] + spins[place + 1 :], 0.5)
        return total

    return half_anticommutator


def collective(component: str, spins: str) -> Spins:
    """½{S^k, W} for symmetrised products of collective components, W of one letter at most.

    (With two or more letters lower orders appear; equations for second moments never need them.)
    """
    if len(spins) > 1:
        raise ValueError(f"spins: expected one letter at most, got {spins!r}.")
    return {_sorted(spins + component): 1.0}


# --- cavity part -------------------------------------------------------------------------------------------------


def _times(left: Cavity, right: Cavity) -> Cavity:
    """Product in normal order, by a^q a†^p = Σ_k C(q,k) C(p,k) k! a†^(p−k) a^(q−k)."""
    total: Cavity = {}
    for (p, q), x in left.items():
        for (r, s), y in right.items():
            for k in range(min(q, r) + 1):
                weight = math.comb(q, k) * math.comb(r, k) * math.factorial(k)
                _add(total, (p + r - k, q + s - k), weight * x * y)
    return total


def _combine(*terms: tuple[complex, Cavity]) -> Cavity:
    """Linear combination, without the terms that cancelled."""
    total: Cavity = {}
    for factor, operator in terms:
        for key, value in operator.items():
            _add(total, key, factor * value)
    return {key: value for key, value in total.items() if value != 0}


# --- Heisenberg equations ----------------------------------------------------------------------------------------


def hamiltonian(model: DickeModel) -> list[tuple[str, Cavity]]:
    r"""H as pairs :math:`(k, B_k)` meaning :math:`\sum_k S^kB_k`; the empty k is the identity.

    .. math::
        H = \omega_aS^z + \omega_ca^\dagger a + \frac1{\sqrt N}[(g_-+g_+)S^x(a+a^\dagger) + i(g_--g_+)S^y(a-a^\dagger)]
    """
    root = math.sqrt(model.n_atoms)
    along_x, along_y = (model.g_minus + model.g_plus) / root, 1j * (model.g_minus - model.g_plus) / root
    return [
        ("z", {(0, 0): model.omega_a}),
        ("", {(1, 1): model.omega_c}),
        ("x", {(0, 1): along_x, (1, 0): along_x}),
        ("y", {(0, 1): along_y, (1, 0): -along_y}),
    ]


def heisenberg(word: Word, model: DickeModel, anticommutator: Anticommutator) -> Operator:
    r"""The operator whose mean is the time derivative of the mean of ``word``.

    .. math:: \mathcal L^\dagger O = i[H, O] + \kappa(2a^\dagger Oa - a^\dagger aO - Oa^\dagger a)
    """
    total: Operator = {}
    cavity: Cavity = {(word.creators, word.annihilators): 1.0}

    def add(spins: Spins, factor: complex, operator: Cavity) -> None:
        for letters, x in spins.items():
            for (p, q), y in operator.items():
                _add(total, Word(letters, p, q), factor * x * y)

    for component, coupled in hamiltonian(model):
        there, back = _times(coupled, cavity), _times(cavity, coupled)
        add(commutator(component, word.spins) if component else {}, 1j, _combine((0.5, there), (0.5, back)))
        if commuted := _combine((1, there), (-1, back)):
            same: Spins = {word.spins: 1.0}
            add(anticommutator(component, word.spins) if component else same, 1j, commuted)
    number: Cavity = {(1, 1): 1.0}
    sandwich = _times(_times({(1, 0): 1.0}, cavity), {(0, 1): 1.0})
    loss = _combine((2, sandwich), (-1, _times(number, cavity)), (-1, _times(cavity, number)))
    add({word.spins: 1.0}, model.kappa, loss)
    return {key: value for key, value in total.items() if value != 0}


# --- moments and cumulants ---------------------------------------------------------------------------------------


def words(order: int) -> tuple[Word, ...]:
    """Words of 1 … ``order`` letters, one of each pair of adjoints, shortest first.

    >>> len(words(1)), len(words(2))
    (4, 15)
    """
    found = []
    for degree in range(1, order + 1):
        for letters in range(degree, -1, -1):
            for spins in combinations_with_replacement("xyz", letters):
                powers = [(p, degree - letters - p) for p in range((degree - letters) // 2 + 1)]
                found += [Word("".join(spins), p, q) for p, q in powers]
    return tuple(found)


def _partitions(items: tuple[str, ...]) -> Iterator[list[tuple[str, ...]]]:
    """All ways to split ``items`` (told apart by their place) into blocks, order kept within a block."""
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for partition in _partitions(rest):
        yield [(first,), *partition]
        for place, block in enumerate(partition):
            yield [*partition[:place], (first, *block), *partition[place + 1 :]]


@cache
def _blocks(word: Word) -> tuple[tuple[Word, ...], ...]:
    """The partitions of the letters of ``word``, each block a word."""
    letters = (*word.spins, *("+" * word.creators), *("-" * word.annihilators))
    found = []
    for partition in _partitions(letters):
        blocks = [
            Word("".join(c for c in block if c in "xyz"), block.count("+"), block.count("-")) for block in partition
        ]
        found.append(tuple(sorted(blocks)))
    return tuple(found)


def moment(word: Word, order: int) -> Polynomial:
    r"""The mean of ``word`` in cumulants κ, those of more than ``order`` letters left out.

    .. math:: \langle X_1\cdots X_n\rangle = \sum_{\text{partitions}}\ \prod_{\text{blocks}}\kappa(\text{block})
    """
    total: Polynomial = {}
    for blocks in _blocks(word):
        if all(block.degree <= order for block in blocks):
            _add(total, blocks, 1.0)
    return total


def mean(operator: Operator, order: int) -> Polynomial:
    """The mean of a sum of words, in cumulants."""
    total: Polynomial = {}
    for word, factor in operator.items():
        for blocks, value in moment(word, order).items():
            _add(total, blocks, factor * value)
    return total


def _adjoint(polynomial: Polynomial) -> Polynomial:
    return {tuple(sorted(b.adjoint for b in blocks)): np.conj(value) for blocks, value in polynomial.items()}


def cumulant_equations(order: int, model: DickeModel, anticommutator: Anticommutator) -> dict[Word, Polynomial]:
    r"""dκ/dt as a polynomial of cumulants, for every cumulant of up to ``order`` letters.

    .. math:: \dot\kappa(W) = \langle\mathcal L^\dagger W\rangle - \frac{d}{dt}\sum_{\ge 2\text{ blocks}}\prod\kappa

    The products of means cancel here, on paper as it were, and not in the integrator: a covariance of relative
    size 1/N keeps its own digits.
    """
    rates: dict[Word, Polynomial] = {}
    for word in words(order):
        rate = mean(heisenberg(word, model, anticommutator), order)
        for blocks in _blocks(word):
            for place, block in enumerate(blocks) if len(blocks) > 1 else ():
                others = blocks[:place] + blocks[place + 1 :]
                known = rates[block] if block in rates else _adjoint(rates[block.adjoint])
                for factors, value in known.items():
                    _add(rate, tuple(sorted(factors + others)), -value)
        rates[word] = rate
    return rates


@dataclass(frozen=True)
class PolynomialMap:
    """Several polynomials of the same complex variables and their conjugates, as tables.

    The coefficients are sparse: few are not zero, and BLAS would set threads to work on a product of microseconds,
    which wait for each other for milliseconds where cores are busy.
    """

    factors: NDArray[np.intp]
    coefficients: csr_array

    def __call__(self, values: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """The polynomials, shape (polynomials, ...), from ``values`` of shape (variables, ...)."""
        one = np.ones_like(values[:1])
        table = np.concatenate([one, values, values.conj()])
        products = table[self.factors].prod(axis=1)
        result: NDArray[np.complex128] = self.coefficients @ products
        return result


def compile_polynomials(polynomials: list[Polynomial], variables: tuple[Word, ...]) -> PolynomialMap:
    """Tables for ``polynomials`` over ``variables`` (adjoint words become conjugates)."""
    from scipy.sparse import csr_array  # slow to import

    index = {word.adjoint: len(variables) + place for place, word in enumerate(variables, start=1)}
    index |= {word: place for place, word in enumerate(variables, start=1)}
    products = sorted({tuple(sorted(index[w] for w in blocks)) for terms in polynomials for blocks in terms})
    column = {product: place for place, product in enumerate(products)}
    longest = max(map(len, products))
    factors = np.array([product + (0,) * (longest - len(product)) for product in products], dtype=np.intp)
    coefficients = np.zeros((len(polynomials), len(products)), dtype=np.complex128)
    for row, terms in enumerate(polynomials):
        for blocks, value in terms.items():
            coefficients[row, column[tuple(sorted(index[w] for w in blocks))]] += value
    return PolynomialMap(factors, csr_array(coefficients))
