r"""Moments of any word from a hierarchy vector: entries of a Gram matrix of a few vectors.

With :math:`\varphi^m = \sum_l\binom ml A^{m-l}\sqrt{l!}\,\Phi_l` (A the cavity's field),

.. math::
    \langle S_{i_1}\cdots S_{i_p}a^{\dagger m}a^n\rangle
    = \frac{\langle S_{i_q}^\dagger\cdots S_{i_1}^\dagger\varphi^m | S_{i_{q+1}}\cdots S_{i_p}\varphi^n\rangle}
           {\langle\psi|\psi\rangle}

so each word takes two vectors, and words share them. (``measure`` writes the everyday moments out in one sweep.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined
from opendicke.words import CONJUGATE, SPIN_FACTORS, Word

Complex = NDArray[np.complex128]
#: A vector: the power of the field, and factors of the spin, the first to act first.
Key = tuple[int, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Plan:
    """Which vectors are formed, and which of their products each word is the mean of.

    Attributes:
        vectors: for each vector the power of the field, the vector from which it follows, and the factor (a position in
            ``SPIN_FACTORS``) that makes it; −1 and −1 for φ^m itself. (vectors, 3); parents come first.
        pairs: positions of two vectors and of the word of whose mean their product is a part: (products, 3).
        shares: one over the number of products of each word.
        reach: by how many states the factors of the spin widen a vector.
    """

    vectors: NDArray[np.int64]
    pairs: NDArray[np.int64]
    shares: NDArray[np.float64]
    reach: int

    @classmethod
    def of(cls, words: Sequence[Word]) -> Plan:
        """The plan for words of one spin and one mode."""
        found: dict[Key, int] = {(0, ()): 0}
        pairs = []
        for at, word in enumerate(words):
            pairs += [(*_pair(found, word, [factor for _, factor in order]), at) for order in word.orders()]
        rows = [
            (power, found[power, factors[:-1]], SPIN_FACTORS.index(factors[-1])) if factors else (power, -1, -1)
            for power, factors in found
        ]
        products = np.array(pairs, dtype=np.int64)
        reach = max(len(factors) for _, factors in found)
        return cls(np.array(rows, dtype=np.int64), products, 1 / np.bincount(products[:, 2]), reach)

    @property
    def levels(self) -> int:
        """How many levels of the hierarchy are asked for."""
        return 1 + int(self.vectors[:, 0].max())

    def moments(self, phi: Complex, n_atoms: int, frame: NDArray[np.float64], field: complex) -> Complex:
        """The words' means: (words,).

        Args:
            phi: the hierarchy on |j, j − n>, n = 0 …, along the third row of ``frame``: (levels, states).
            n_atoms: N.
            frame: axes (rows).
            field: the cavity's field.
        """
        states = min(phi.shape[1] + self.reach, n_atoms + 1)
        x, y, z = frame.T.astype(np.complex128)
        axes = np.stack([x, y, z, x + 1j * y, x - 1j * y])
        formed = np.zeros((len(self.vectors), states), dtype=np.complex128)
        means = np.zeros(self.shares.size, dtype=np.complex128)
        _moments(phi, n_atoms, axes, complex(field), _weights(self.levels), self.vectors, self.pairs, formed, means)
        return means * self.shares


def _pair(found: dict[Key, int], word: Word, factors: list[str]) -> tuple[int, int]:
    """Places of the two vectors whose product is one order of a word; they are added to ``found``."""
    half = len(factors) // 2
    left = [CONJUGATE.get(factor, factor) for factor in factors[:half]]
    return _place(found, len(word.raised), left), _place(found, len(word.lowered), factors[half:][::-1])


def _place(found: dict[Key, int], power: int, factors: Sequence[str]) -> int:
    for length in range(len(factors) + 1):
        found.setdefault((power, tuple(factors[:length])), len(found))
    return found[power, tuple(factors)]


def _weights(levels: int) -> NDArray[np.float64]:
    r"""Of Φ_l in φ^m, :math:`\binom ml\sqrt{l!}`: (levels, levels)."""
    rows = [[math.comb(m, level) * math.sqrt(math.factorial(level)) for level in range(levels)] for m in range(levels)]
    return np.array(rows)


@compiled
def _moments(phi, n_atoms, axes, field, weights, vectors, pairs, formed, means):  # type: ignore[no-untyped-def]
    """Form the vectors, and add up their products over <ψ|ψ>."""
    for at in range(vectors.shape[0]):
        power, parent, factor = vectors[at, 0], vectors[at, 1], vectors[at, 2]
        if parent >= 0:
            _apply(axes[factor], n_atoms, formed[parent], formed[at])
        else:
            for level in range(min(power + 1, phi.shape[0])):
                weight = weights[power, level] * field ** (power - level)
                for n in range(min(phi.shape[1], formed.shape[1])):
                    formed[at, n] += weight * phi[level, n]
    norm = _overlap(formed[0], formed[0]).real
    for at in range(pairs.shape[0]):
        means[pairs[at, 2]] += _overlap(formed[pairs[at, 0]], formed[pairs[at, 1]]) / norm


@inlined
def _overlap(left, right):  # type: ignore[no-untyped-def]
    total = 0j
    for n in range(left.size):
        total += left[n].conjugate() * right[n]
    return total


@inlined
def _apply(axis, n_atoms, vector, out):  # type: ignore[no-untyped-def]
    """A component of the spin, whose parts along the frame are ``axis``, times a vector."""
    lower, upper = 0.5 * (axis[0] + 1j * axis[1]), 0.5 * (axis[0] - 1j * axis[1])
    for n in range(vector.size):
        value = axis[2] * (0.5 * n_atoms - n) * vector[n]
        if n > 0:
            value += lower * math.sqrt(n * (n_atoms - n + 1.0)) * vector[n - 1]
        if n + 1 < vector.size:
            value += upper * math.sqrt((n + 1.0) * (n_atoms - n)) * vector[n + 1]
        out[n] = value
