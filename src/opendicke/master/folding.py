"""Spins and modes on one basis: operators as sparse matrices, and the density matrix as one real matrix."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke.words import Word

Real = NDArray[np.float64]


class Folding:
    r"""Between ρ and :math:`A = \mathrm{Re}\,\rho + \mathrm{Im}\,\rho`, as a flat vector.

    Re ρ is symmetric and Im ρ antisymmetric, so A determines ρ, with half the memory and half the work. The basis is
    :math:`|j_1,j_1-n_1\rangle\cdots|f_1\rangle\cdots`: spins and then modes, in their order, the last one fastest.

    Args:
        atoms: N of each spin.
        photons: highest photon number kept of each mode.
    """

    def __init__(self, atoms: tuple[int, ...], photons: tuple[int, ...]) -> None:
        self.atoms = atoms
        self.dims = (*(n + 1 for n in atoms), *(f + 1 for f in photons))
        self.size = int(np.prod(self.dims))

    def unfold(self, y: Real) -> NDArray[np.complex128]:
        """ρ from A, shape (*dims, *dims): (N+1, F, N+1, F) for one spin and one mode."""
        folded = y.reshape(self.size, self.size)
        return (0.5 * (folded + folded.T) + 0.5j * (folded - folded.T)).reshape(self.dims * 2)

    def top_populations(self, y: Real) -> Real:
        """Population of the highest photon number of each mode."""
        populations = y.reshape(self.size, self.size).diagonal().reshape(self.dims)
        modes = range(len(self.atoms), len(self.dims))
        return np.array([populations.take(-1, axis).sum() for axis in modes])

    def operator(self, word: Word) -> Any:
        """The product of operators that a word is, as a sparse matrix: a real one unless S^y is among its factors."""
        from scipy import sparse

        places = [sparse.eye_array(size) for size in self.dims]
        for site, factor in word.spins:
            n_atoms, n = self.atoms[site], np.arange(self.dims[site])
            lower = sparse.diags_array(np.sqrt((n[:-1] + 1.0) * (n_atoms - n[:-1])), offsets=-1)
            own = {"-": lower, "+": lower.T, "z": sparse.diags_array(n_atoms / 2 - n)}
            own |= {"x": 0.5 * (lower.T + lower), "y": -0.5j * (lower.T - lower)}
            places[site] = places[site] @ own[factor]
        for site, factor in word.modes:
            at = len(self.atoms) + site
            destroy = sparse.diags_array(np.sqrt(np.arange(1.0, self.dims[at])), offsets=1)
            places[at] = places[at] @ (destroy.T if factor else destroy)
        found = sparse.csr_array(functools.reduce(sparse.kron, places))
        found.eliminate_zeros()
        return found
