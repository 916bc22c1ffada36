"""The Liouvillian between the few states that carry a density matrix: a coarse copy that steers the exact iteration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke.master.liouvillian import Complex, Real, Resolvent, Sector, unfold

#: Most states kept in each half of the Hilbert space; the coarse Liouvillian is a dense matrix of twice the square.
MOST_STATES = 24
#: States with less weight than this, relative to the largest, are rounding.
LEAST_WEIGHT = 1e-11


class Corner:
    r"""The leading eigenvectors of a steady state, for even and odd :math:`n + a^\dagger a`, and L between them.

    .. math:: \rho \approx \sum_{pq} V_p\,C_{pq}\,V_q^\dagger

    Slow modes live where the steady state does, so this small L has nearly their eigenvalues. It is exact in nothing:
    its modes start the iteration, and its inverse mends the :class:`Resolvent` where the jumps that this leaves out
    matter most.

    Args:
        even: the even sector of the model.
        rho: density matrix, shape (N+1, F, N+1, F).

    Source: S. Finazzi, A. Le Boité, F. Storme, A. Baksic and C. Ciuti, Phys. Rev. Lett. 115, 080604 (2015) (the corner
    of the Hilbert space that carries a steady state).
    """

    def __init__(self, even: Sector, rho: Complex) -> None:
        total = (even.n_atoms + 1) * even.levels
        square, self.shape = rho.reshape(total, total), rho.shape[:2]
        weights, vectors = zip(*(np.linalg.eigh(square[np.ix_(kept, kept)]) for kept in even.states), strict=True)
        least = LEAST_WEIGHT * max(float(values.max()) for values in weights)
        self.bases: list[Complex] = []
        for kept, values, columns in zip(even.states, weights, vectors, strict=True):
            leading = np.flatnonzero(values > least)[-MOST_STATES:] if (values > least).any() else [-1]
            basis = np.zeros((total, len(leading)), dtype=np.complex128)
            basis[kept] = columns[:, leading]
            self.bases.append(basis)

    def at(self, sector: Sector) -> list[Complex]:
        """The two bases in the states of ``sector``, which may keep more photons."""
        wide = []
        for basis, kept in zip(self.bases, sector.states, strict=True):
            levels = basis.reshape(*self.shape, -1)
            more = sector.levels - self.shape[1]
            wide.append(np.pad(levels, ((0, 0), (0, more), (0, 0))).reshape(-1, basis.shape[1])[kept])
        return wide


class TwoLevel:
    r"""The :class:`Resolvent` of a sector, mended by the exact inverse of :math:`L-s` in a :class:`Corner`.

    Args:
        fine: the resolvent.
        corner: the states between which L is inverted exactly.
    """

    def __init__(self, fine: Resolvent, corner: Corner) -> None:
        from scipy.linalg import lu_factor

        sector, shift = fine.sector, fine.shift
        self._fine, self.sector, self.shift = fine, sector, shift
        self._bases = bases = corner.at(sector)
        halves = zip(bases, sector.hamiltonian, sector.decay, strict=True)
        local = [v.conj().T @ (h @ v - 1j * k[:, None] * v) for v, h, k in halves]
        jump = [bases[p].conj().T @ (sector.jump[p] @ bases[1 - p]) for p in (0, 1)]
        rows = []
        for at, (p, q) in enumerate(sector.pairs):
            one_p, one_q = np.eye(len(local[p])), np.eye(len(local[q]))
            own = -1j * (np.kron(local[p], one_q) - np.kron(one_p, local[q].conj()))
            other = np.kron(jump[p], jump[q].conj())
            rows.append([own, other] if at == 0 else [other, own])
        matrix = np.block(rows)
        self.size = matrix.shape[0]
        self._factors = lu_factor(matrix - shift * np.eye(self.size))

    def __call__(self, vector: Real) -> Real:
        """The approximate solution for one vector."""
        x = self._fine(vector)
        rest = vector - (self.sector(x) - self.shift * x)
        return x + self._expand(self._solve(self._reduce(rest)))[0]

    def starts(self, count: int) -> Real:
        """Vectors that span about the ``count`` modes nearest to the shift, nearest first: shape (vectors, size)."""
        from scipy.sparse.linalg import LinearOperator, eigs

        count = min(count, self.size - 2)
        if count < 1:
            return np.empty((0, self.sector.size))
        inverse = LinearOperator((self.size, self.size), matvec=self._solve, dtype=np.complex128)
        values, vectors = eigs(inverse, count, v0=np.ones(self.size))
        parts = [part for at in np.argsort(-np.abs(values)) for part in self._expand(vectors[:, at])]
        kept: list[Real] = []
        for part in parts:  # of a conjugate pair, and of a Hermitian mode, one part repeats what there is
            for _ in range(2):
                for known in kept:
                    part = part - (known @ part) * known
            size = float(np.linalg.norm(part))
            if size > 1e-4:
                kept.append(part / size)
        return np.array(kept)

    def _solve(self, vector: Complex) -> Complex:
        from scipy.linalg import lu_solve

        solution: Complex = lu_solve(self._factors, vector.ravel())
        return solution

    def _reduce(self, vector: Real) -> Complex:
        """The corner's part of a Hermitian matrix, given as a vector."""
        a, bases = self.sector.blocks(vector), self._bases
        rho = {(p, q): unfold(a, p, q) for p, q in self.sector.pairs}
        return np.concatenate([(bases[p].conj().T @ rho[p, q] @ bases[q]).ravel() for p, q in self.sector.pairs])

    def _expand(self, corner: Complex) -> tuple[Real, Real]:
        """The Hermitian and the anti-Hermitian part (over i) of the matrix with this corner, as vectors."""
        bases, pairs = self._bases, self.sector.pairs
        cut = math.prod(bases[part].shape[1] for part in pairs[0])
        x: dict[tuple[int, int], Any] = {}
        for (p, q), flat in zip(pairs, (corner[:cut], corner[cut:]), strict=True):
            x[p, q] = bases[p] @ flat.reshape(bases[p].shape[1], -1) @ bases[q].conj().T
        upper = {(p, q): 0.5 * (x[p, q] + x[q, p].conj().T) for p, q in pairs}
        lower = {(p, q): -0.5j * (x[p, q] - x[q, p].conj().T) for p, q in pairs}
        return _folded(upper, pairs), _folded(lower, pairs)


def _folded(rho: dict[tuple[int, int], Complex], pairs: list[tuple[int, int]]) -> NDArray[np.float64]:
    return np.concatenate([(rho[pair].real + rho[pair].imag).ravel() for pair in pairs])
