"""The density matrix of spin and cavity as one real matrix: half the memory and half the work."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Folding:
    r"""Between ρ and :math:`A = \mathrm{Re}\,\rho + \mathrm{Im}\,\rho`, as a flat vector.

    Re ρ is symmetric and Im ρ antisymmetric, so A determines ρ.

    Args:
        n_atoms: N.
        photons: highest photon number kept.
    """

    def __init__(self, n_atoms: int, photons: int) -> None:
        levels = photons + 1
        self.shape = (n_atoms + 1, levels, n_atoms + 1, levels)
        self.size = (n_atoms + 1) * levels

    def unfold(self, y: NDArray[np.float64]) -> NDArray[np.complex128]:
        """ρ from A, shape (N+1, F, N+1, F)."""
        folded = y.reshape(self.size, self.size)
        return (0.5 * (folded + folded.T) + 0.5j * (folded - folded.T)).reshape(self.shape)

    def top_population(self, y: NDArray[np.float64]) -> float:
        """Population of the highest photon number."""
        levels = self.shape[1]
        return float(y.reshape(self.size, self.size).diagonal()[levels - 1 :: levels].sum())
