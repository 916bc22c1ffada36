"""Cavity modes that follow the spins: the master equation of the spins alone, and the field that they make."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import signals
from opendicke.master.folding import Folding
from opendicke.system import System
from opendicke.words import Word

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


class Slaved:
    r"""The spins of a system whose modes are eliminated, to first or second order in 1/w.

    With :math:`H = H_s + \sum_m(\Lambda_ma_m^\dagger + \mathrm{h.c.}) + \sum_m\omega_ma_m^\dagger a_m` (drives of the
    modes are in :math:`\Lambda`) and :math:`C = [-iH_s, \Lambda]`

    .. math::
        \dot\rho = -iH_s\rho + \sum_m(B_m\rho\Lambda_m^\dagger - \Lambda_m^\dagger B_m\rho) + \mathrm{h.c.},\qquad
        B = \int_0^\infty e^{-wt}e^{-iH_st}\Lambda e^{iH_st}\,dt = \frac\Lambda w + \frac C{w^2} + \dots

    Args:
        system: of constant rates, in a vacuum, with κ > 0.
        order: 1 or 2.
    """

    def __init__(self, system: System, order: int) -> None:
        from scipy import sparse

        self.space, self.order = Folding(tuple(spin.n_atoms for spin in system.spins), ()), order
        nothing = sparse.csr_array((self.space.size, self.space.size), dtype=np.complex128)
        self.hamiltonian, self.couplings = nothing, [nothing] * len(system.modes)
        self.w = [complex(mode.kappa, mode.omega_c) for mode in system.modes]
        for term in system.terms():
            matrix = term.rate * self.space.operator(Word(term.word.spins))
            if not term.word.modes:
                self.hamiltonian = self.hamiltonian + (matrix if term.hermitian else matrix + matrix.conj().T)
            elif not term.hermitian:
                mode = term.word.modes[0][0]
                self.couplings[mode] = self.couplings[mode] + matrix
        self._fields: dict[tuple[int, ...], Any] = {}
        modes = range(len(self.w))
        self._followed = [1j * self.field(_one(mode, len(modes))) for mode in modes]  # B
        pairs = zip(self.couplings, self._followed, strict=True)
        self._drift = sparse.csr_array(-1j * self.hamiltonian - sum(one.conj().T @ follows for one, follows in pairs))

    def __call__(self, time: float, y: Real) -> Real:
        """How A = Re ρ + Im ρ, flat, changes."""
        rho = self.density_matrix(y)
        change = self._drift @ rho
        for coupling, follows in zip(self.couplings, self._followed, strict=True):
            change += coupling @ np.ascontiguousarray((follows @ rho).conj().T)  # the Hermitian conjugate of BρΛ†
        return self.folded(change + change.conj().T)

    def density_matrix(self, y: Real) -> Complex:
        """ρ, a square matrix."""
        return self.space.unfold(y).reshape(self.space.size, self.space.size)

    def folded(self, rho: Complex) -> Real:
        """A, flat, of a Hermitian matrix."""
        return (rho.real + rho.imag).ravel()

    def start(self, rho: Complex) -> Complex:
        r"""From where ρ seems to start, seen later, if the modes are empty at first.

        Until the field follows, the equation runs ahead: in second order by
        :math:`\int_0^\infty(B_t - B)\,dt = -\Lambda/w^2` with :math:`B_t` the integral up to t.
        """
        if self.order == 1:
            return rho
        found = rho.copy()
        for coupling, w in zip(self.couplings, self.w, strict=True):
            half = (coupling @ (coupling @ rho).conj().T).conj().T - coupling.conj().T @ (coupling @ rho)
            found -= half / w**2 + (half / w**2).conj().T
        return found

    def field(self, powers: tuple[int, ...]) -> Any:
        r"""What stands for :math:`a_1^{n_1}a_2^{n_2}\cdots` to the left of ρ.

        It follows from its equation of motion, with the motion of the leading order A⁰ in it,

        .. math:: \textstyle\sum_mn_mw_m\,A_n = -i\sum_mn_m\Lambda_mA_{n-e_m} + [-iH_s, A^0_n]
        """
        if powers not in self._fields:
            leading, found = self._made(powers, 1), self._made(powers, self.order)
            if self.order == 2 and any(powers):
                total = sum(n * w for n, w in zip(powers, self.w, strict=True))
                found = found - 1j * (self.hamiltonian @ leading - leading @ self.hamiltonian) / total
            self._fields[powers] = found
        return self._fields[powers]

    def _made(self, powers: tuple[int, ...], order: int) -> Any:
        """A without the motion of its leading order, from lower powers to that order."""
        if not any(powers):
            return self.space.operator(Word())
        total = sum(n * w for n, w in zip(powers, self.w, strict=True))
        found = 0 * self.hamiltonian
        for mode, n in enumerate(powers):
            if n:
                lower = tuple(np.subtract(powers, _one(mode, len(powers))).tolist())
                below = self._made(lower, 1) if order == 1 else self.field(lower)
                found = found - 1j * n / total * (self.couplings[mode] @ below)
        return found

    def operator(self, word: Word) -> Any:
        """The operator on the spins whose mean is that of ``word``, as a sparse matrix in coordinates."""
        orders = [self.space.operator(Word(order)) for order in word.orders()]
        right, left = (
            self.field(tuple(sites.count(mode) for mode in range(len(self.w)))) for sites in (word.lowered, word.raised)
        )
        return (left.conj().T @ (sum(orders) / len(orders)) @ right).tocoo()


def _one(mode: int, modes: int) -> tuple[int, ...]:
    """One a of ``mode``, none of the others."""
    return tuple(int(other == mode) for other in range(modes))


def own_rate(system: System) -> float:
    """The fastest rate at which the spins turn by themselves: √(ω_a² + 4|ξ|²)."""
    size = signals.largest
    return float(max(math.hypot(size(spin.omega_a), 2 * size(spin.atom_drive)) for spin in system.spins))


def neglected(system: System, order: int) -> tuple[float, float]:
    r"""How far the field lags behind, :math:`\Omega/|w|`; and about what part of its effect on the spins is left out.

    In first order that is the lag; in second order its square, and the lag times :math:`G^2/|w|^2`,
    :math:`G = |g_-| + |g_+|`. In either order there is :math:`\bigl||g_-|^2 - |g_+|^2\bigr|/|w|^2`: the field of
    unbalanced couplings turns what makes it.
    """
    rate, lags, parts = own_rate(system), [], []
    for m, mode in enumerate(system.modes):
        w = abs(complex(mode.kappa, mode.omega_c))
        minus, plus = (
            np.array([abs(row[m]) * math.sqrt(spin.n_atoms) for row, spin in zip(rows, system.spins, strict=True)])
            / (w * math.sqrt(system.n_ref))
            for rows in (system.g_minus, system.g_plus)
        )
        lags.append(rate / w)
        turned = float(abs(minus**2 - plus**2).sum())
        pull = float(((minus + plus) ** 2).sum())
        parts += [turned, rate / w if order == 1 else rate / w * max(rate / w, pull)]
    return max(lags), max(parts)
