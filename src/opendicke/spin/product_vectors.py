r"""The partial transpose of the spin's density matrix on the span of its product vectors: small at any N.

A trajectory's state has a Schmidt decomposition :math:`\psi = \sum_a \sigma_a\, u_a\otimes w_a` of few terms. Written
with the product vectors :math:`y_{ab} = u_a^*\otimes w_b`, its partial transpose is

.. math::
    (|\psi\rangle\langle\psi|)^{T_A} = \sum_{ab}\sigma_a\sigma_b\, y_{ba}y_{ab}^\dagger
    = \sum_a \sigma_a^2\, y_{aa}y_{aa}^\dagger
    + \sum_{a<b}\sigma_a\sigma_b\,(s_{ab}s_{ab}^\dagger - t_{ab}t_{ab}^\dagger),\qquad
    s_{ab} = \frac{y_{ab}+y_{ba}}{\sqrt2},\quad t_{ab} = \frac{i(y_{ab}-y_{ba})}{\sqrt2}

so that :math:`\rho^{T_A} = ZDZ^\dagger` with columns Z and signs D = ±1. Its nonzero eigenvalues are those of
:math:`L^\dagger DL`, :math:`LL^\dagger = Z^\dagger Z`: only overlaps of the parts' Schmidt vectors are needed, and a
pivoted Cholesky factor L as wide as the state is extended, some thousand columns at N = 1000, never a matrix of
dimension :math:`(n_1+1)(n_2+1)`. With equal parts everything is real, because exchanging them and complex
conjugation together leave :math:`\rho^{T_A}` as it is.

Source: H. Harbrecht, M. Peters and R. Schneider, Appl. Numer. Math. 62, 428 (2012), for the pivoted Cholesky
decomposition with a trace bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke.spin.state import PureStates, rotate_to_lab

#: Squared lengths below this, relative to the longest column's, are rounding noise.
ROUNDING = 1e-13

#: Pivots that are chosen together, and out of how many candidates.
PIVOTS, CANDIDATES = 128, 400


class TooLarge(Exception):
    """A form of the partial transpose needs more memory than it may take; ``needed`` is in GiB."""

    def __init__(self, needed: float) -> None:
        super().__init__(f"{needed:.3g} GiB")
        self.needed = needed


def check_memory(size: float, max_memory: float) -> None:
    """Raise :class:`TooLarge` if ``size``, in bytes, is more than ``max_memory``, in GiB."""
    if size > max_memory * 2**30:
        raise TooLarge(size / 2**30)


@dataclass(frozen=True)
class Products:
    r"""The columns of Z: coefficient·y_ab + conj(coefficient)·y_ba, with the sign in D and the state it belongs to.

    ``first[a, c]`` = <u_a|u_c> over the Schmidt vectors of all states, ``second`` likewise; the same if the parts are
    equal. ``dropped`` bounds the trace norm of the terms left out, and so their effect on the negativity.
    """

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    coefficient: NDArray[np.complex128]
    sign: NDArray[np.float64]
    owner: NDArray[np.int64]
    first: NDArray[np.complex128]
    second: NDArray[np.complex128]
    dropped: float

    @property
    def equal(self) -> bool:
        """Whether the two parts have as many atoms."""
        return self.first is self.second

    def gram(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[Any]:
        """Elements of Z†Z for index arrays that broadcast: real if the parts are equal."""
        a, b, c, d = self.a[rows], self.b[rows], self.a[columns], self.b[columns]
        left, right = self.coefficient[rows].conj(), self.coefficient[columns]
        straight, crossed = self.first[a, c].conj() * self.second[b, d], self.first[a, d].conj() * self.second[b, c]
        half = left * (right * straight + right.conj() * crossed)
        if self.equal:  # exchanging a and b in both factors is complex conjugation
            return 2 * half.real
        straight, crossed = self.first[b, d].conj() * self.second[a, c], self.first[b, c].conj() * self.second[a, d]
        other: NDArray[np.complex128] = left.conj() * (right.conj() * straight + right * crossed)
        return half + other


def product_vectors(states: PureStates, n_first: int, share: float, max_memory: float) -> Products:
    """Schmidt decompositions of all states, product vectors of all but √share of their weight, and overlaps."""
    n_second = states.n_atoms - n_first
    table = split_table(states.n_atoms, n_first, states.psi.shape[1])
    vectors: tuple[list[Any], list[Any]] = ([], [])
    columns, owners, dropped, at = [], [], 0.0, 0
    for index, weight in enumerate(states.weights):
        sigma, u, w = _schmidt(states.trimmed(index), table, equal=n_first == n_second)
        a, b, kept, lost = _kept_pairs(sigma, math.sqrt(share))
        size = int(b.max()) + 1
        vectors[0].append(u[:, :size].T)
        vectors[1].append(w[:, :size].T)
        columns.append((a + at, b + at, weight * kept))
        owners.append(np.full(size, index))
        dropped += weight * lost
        at += size
    check_memory(16 * at * at * (1 if n_first == n_second else 2), max_memory)
    frames = states.frames[np.concatenate(owners)]
    first = _overlaps(n_first, vectors[0], frames)
    second = first if n_first == n_second else _overlaps(n_second, vectors[1], frames)
    return _signed(columns, np.concatenate(owners), first, second, dropped)


def vectors_expected(states: PureStates, n_first: int, share: float) -> float:
    """About how many Schmidt vectors all states have together, from sixteen of them."""
    table = split_table(states.n_atoms, n_first, states.psi.shape[1])
    tried = np.unique(np.linspace(0, len(states.weights) - 1, 16).astype(int))
    sizes = []
    for index in tried:
        sigma, _, _ = _schmidt(states.trimmed(index), table, equal=2 * n_first == states.n_atoms)
        sizes.append(int(_kept_pairs(sigma, math.sqrt(share))[1].max()) + 1)
    return float(np.mean(sizes)) * len(states.weights)


def _signed(
    columns: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]],
    owner: NDArray[np.int64],
    first: NDArray[np.complex128],
    second: NDArray[np.complex128],
    dropped: float,
) -> Products:
    """Columns y_aa and s_ab with sign +1, then t_ab with −1, each times the root of its weight."""
    a, b, weight = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    apart = a != b
    plus = np.where(apart, np.sqrt(weight / 2), np.sqrt(weight) / 2)
    coefficient = np.concatenate([plus + 0j, 1j * plus[apart]])
    sign = np.concatenate([np.ones(a.size), -np.ones(np.count_nonzero(apart))])
    a, b = np.concatenate([a, a[apart]]), np.concatenate([b, b[apart]])
    return Products(a, b, coefficient, sign, owner[a], first, second, dropped)


def split_table(n_atoms: int, n_first: int, size: int) -> NDArray[np.float64]:
    """Amplitude of |l>|r> in |N, l+r>, for l, r < size, zero where l or r exceeds its part."""
    from scipy.special import gammaln

    def log_binomial(n: int, k: NDArray[np.int64]) -> NDArray[np.float64]:
        value: NDArray[np.float64] = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
        return value

    left = np.arange(min(size, n_first + 1))
    right = np.arange(min(size, n_atoms - n_first + 1))
    whole = log_binomial(n_atoms, np.add.outer(left, right))
    parts = np.add.outer(log_binomial(n_first, left), log_binomial(n_atoms - n_first, right))
    table: NDArray[np.float64] = np.exp(0.5 * (parts - whole))
    return table


def _schmidt(
    psi: NDArray[np.complex128], table: NDArray[np.float64], *, equal: bool
) -> tuple[NDArray[np.float64], NDArray[np.complex128], NDArray[np.complex128]]:
    """σ, largest first, and u, w as columns, with ψ = Σ σ u⊗w; u = w if the parts are equal."""
    rows, columns = min(psi.size, table.shape[0]), min(psi.size, table.shape[1])
    total = np.add.outer(np.arange(rows), np.arange(columns))
    padded = np.concatenate([psi, np.zeros(rows + columns, dtype=np.complex128)])
    matrix = table[:rows, :columns] * padded[total]
    if not equal:
        u, sigma, w = np.linalg.svd(matrix, full_matrices=False)
        return sigma, u, w.T
    # Takagi: X conj(u) = σ u, as a real symmetric problem whose eigenvalues are ±σ
    real, imaginary = matrix.real, matrix.imag
    values, vectors = np.linalg.eigh(np.block([[real, imaginary], [imaginary, -real]]))
    top = slice(2 * rows - 1, rows - 1, -1)
    u = vectors[:rows, top] + 1j * vectors[rows:, top]
    return np.maximum(values[top], 0.0), u, u


def _kept_pairs(
    sigma: NDArray[np.float64], bound: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], float]:
    """Pairs a <= b with the largest σ_a σ_b, these products, and the sum of the ones left out (below ``bound``)."""
    a, b = np.triu_indices(sigma.size)
    product = sigma[a] * sigma[b]
    counted = np.where(a == b, product, 2 * product)
    order = np.argsort(counted, kind="stable")
    beyond = np.cumsum(counted[order])
    cut = int(np.searchsorted(beyond, bound))
    kept = order[cut:]
    return a[kept], b[kept], product[kept], float(beyond[cut - 1]) if cut else 0.0


def _overlaps(n_atoms: int, vectors: list[Any], frames: NDArray[np.float64]) -> NDArray[np.complex128]:
    """<u_a|u_c> of vectors given in the frames of their states."""
    size = max(part.shape[1] for part in vectors)
    padded = np.concatenate([np.pad(part, ((0, 0), (0, size - part.shape[1]))) for part in vectors])
    lab = rotate_to_lab(n_atoms, padded, frames)
    product: NDArray[np.complex128] = lab.conj() @ lab.T
    return product


def cholesky(products: Products, share: float, max_memory: float) -> tuple[NDArray[Any], float]:
    r"""L with LL† = Z†Z up to a residual of relative trace ``share``; and a bound on what this does to the negativity.

    The residual's diagonal holds the squared lengths e² of what the columns z have outside of the subspace of L.
    With P the projector on it, the negativity of :math:`P\rho^{T_A}P` is never above that of :math:`\rho^{T_A}`, and
    at most :math:`\sum(e|Pz| + e^2)` below it.
    """
    everything = np.arange(products.a.size)
    squares = products.gram(everything, everything).real
    left, total = squares.copy(), float(squares.sum())
    factor = np.empty((everything.size, 0), dtype=np.float64 if products.equal else np.complex128)
    while left.sum() > share * total and left.max() > ROUNDING * squares.max():
        candidates = np.argsort(-left, kind="stable")[:CANDIDATES]
        pivots, triangle = _pivots(products, factor, candidates)
        check_memory(factor.itemsize * everything.size * 2 * (factor.shape[1] + 2 * pivots.size), max_memory)
        columns = products.gram(everything[:, None], pivots[None, :]) - factor @ factor[pivots].conj().T
        new = np.linalg.solve(triangle.conj(), columns.T).T
        factor = np.concatenate([factor, new], axis=1)
        left = np.maximum(left - (np.abs(new) ** 2).sum(axis=1), 0.0)
        left[pivots] = 0.0
    inside = np.sqrt(np.maximum(squares - left, 0.0))
    return factor, float(np.sum(np.sqrt(left) * inside + left))


def _pivots(
    products: Products, factor: NDArray[Any], candidates: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """The most independent ones among ``candidates``, and the Cholesky factor of their part of the residual."""
    rows = factor[candidates]
    residual = products.gram(candidates[:, None], candidates[None, :]) - rows @ rows.conj().T
    left = residual.diagonal().real.copy()
    chosen: list[int] = []
    columns = np.empty((candidates.size, 0), dtype=residual.dtype)
    least = 0.05 * float(left.max())
    while len(chosen) < PIVOTS and left.max() > least:
        best = int(left.argmax())
        column = (residual[:, best] - columns @ columns[best].conj()) / math.sqrt(left[best])
        columns = np.concatenate([columns, column[:, None]], axis=1)
        left -= np.abs(column) ** 2
        left[best] = 0.0
        chosen.append(best)
    return candidates[chosen], columns[chosen]


def transposed(products: Products, factor: NDArray[Any], held: NDArray[np.bool_]) -> NDArray[Any]:
    """L†DL of the states held."""
    rows = held[products.owner]
    part = factor[rows]
    matrix: NDArray[Any] = part.conj().T @ (products.sign[rows, None] * part)
    return matrix
