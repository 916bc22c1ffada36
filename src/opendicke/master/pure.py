"""Pure states of closed systems: the Hamiltonian, its exponential on a state, and means in a state."""

from __future__ import annotations

import cmath
import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import signals
from opendicke.master.driven_liouvillian import NOTHING, Combination, Rates, pace
from opendicke.master.folding import Folding
from opendicke.signals import ComplexRate
from opendicke.system import System, fastest_rate
from opendicke.words import Word

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Apply = Callable[[Complex], Complex]

#: Steps of Lanczos after which the ends of a spectrum are known well enough to be bounded.
LANCZOS_STEPS = 24
#: Terms of a Chebyshev series below this are left out.
NEGLIGIBLE = 1e-17


class Hamiltonian(Folding):
    r"""H of any system as S + iT with real matrices S (symmetric) and T (antisymmetric).

    Args:
        system: any; κ plays no part.
        photons: highest photon number kept of each mode.
    """

    def __init__(self, system: System, photons: tuple[int, ...]) -> None:
        super().__init__(tuple(spin.n_atoms for spin in system.spins), photons)
        self.photons = photons
        terms = [term for term in system.terms() if term.rate != 0]
        self._rates = Rates((term.rate for term in terms), NOTHING * max(fastest_rate(system), pace(system)))
        self._turned = [at for at, term in enumerate(terms) if not term.hermitian and _is_complex(term.rate)]
        matrices = [self.operator(term.word) for term in terms]
        whole = [matrix if term.hermitian else matrix + matrix.T for matrix, term in zip(matrices, terms, strict=True)]
        self._s = Combination(self.size, whole)
        self._t = Combination(self.size, [matrices[at] - matrices[at].T for at in self._turned])
        self.set(0.0)

    def set(self, time: float) -> None:
        """Take the rates at ``time``."""
        values = self._rates.at(time)
        self._s.set(values.real)
        self._t.set(values.imag[self._turned])

    def flow(self, y: Real) -> Real:
        """−iHψ, both as alternating real and imaginary parts."""
        psi = y.reshape(-1, 2)
        change = (self._s.matrix @ psi)[:, ::-1] * (1.0, -1.0)
        if self._turned:
            change += self._t.matrix @ psi
        flat: Real = change.ravel()
        return flat

    def reached(self, psi: Complex) -> NDArray[np.intp]:
        """The basis states that can be reached from ``psi``, whatever the rates do.

        Parity, the number of excitations and all else that is conserved show as parts of the basis that are not
        connected.
        """
        from scipy.sparse.csgraph import connected_components

        labels = connected_components(self._s.matrix, directed=False)[1]
        return np.flatnonzero(np.isin(labels, np.unique(labels[np.abs(psi) > 0])))

    def apply(self, kept: NDArray[np.intp]) -> Apply:
        """H on the states ``kept``, as it is set."""
        from scipy.sparse import csr_array

        matrix = csr_array(self._s.matrix + 1j * self._t.matrix) if self._turned else self._s.matrix
        return functools.partial(_product, matrix if kept.size == self.size else matrix[kept][:, kept])

    def tops(self, kept: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Which of the states ``kept`` have the highest photon number of each mode."""
        levels = np.unravel_index(kept, self.dims)[len(self.atoms) :]
        return [np.flatnonzero(level == highest) for level, highest in zip(levels, self.photons, strict=True)]


def _product(matrix: Any, psi: Complex) -> Complex:
    """A real or complex sparse matrix times a state, without a complex copy of a real one."""
    if np.iscomplexobj(matrix):
        found: Complex = matrix @ psi
        return found
    parts: Real = matrix @ psi.view(np.float64).reshape(-1, 2)
    return parts.view(np.complex128).ravel()


def _is_complex(rate: ComplexRate) -> bool:
    return bool(np.iscomplexobj(signals.evaluate(rate, 0.0)))


def bounds(apply: Apply, size: int) -> tuple[float, float]:
    """Numbers between which all eigenvalues of a Hermitian matrix lie, from some steps of Lanczos.

    Each end found is moved outwards by the last residual, which bounds how far it can be off.

    Source: Y. Zhou and R.-C. Li, Linear Algebra Appl. 435, 480 (2011).
    """
    random = np.random.default_rng(0)
    start = random.standard_normal(size).astype(np.complex128)
    before: Complex = np.zeros(size, dtype=np.complex128)
    now: Complex = start / np.linalg.norm(start)
    diagonal: list[float] = []
    beside: list[float] = [0.0]
    for _ in range(min(LANCZOS_STEPS, size)):
        after = apply(now) - beside[-1] * before
        diagonal.append(float(np.vdot(now, after).real))
        after -= diagonal[-1] * now
        beside.append(float(np.linalg.norm(after)))
        if beside[-1] < 1e-13 * (abs(diagonal[0]) + beside[1]):
            break
        before, now = now, after / beside[-1]
    side = beside[1 : len(diagonal)]
    found = np.linalg.eigvalsh(np.diag(diagonal) + np.diag(side, 1) + np.diag(side, -1))
    return float(found[0]) - beside[-1], float(found[-1]) + beside[-1]


def evolved(apply: Apply, psi: Complex, time: float, ends: tuple[float, float]) -> Complex:
    r""":math:`e^{-iHt}\psi` by Chebyshev polynomials, to rounding.

    .. math:: e^{-iHt} = e^{-iEt}\Bigl[J_0(Rt) + 2\sum_k(-i)^kJ_k(Rt)\,T_k\bigl((H-E)/R\bigr)\Bigr]

    Args:
        apply: H on a state.
        psi: the state.
        time: t.
        ends: E − R and E + R, between which H's eigenvalues lie.

    Source: H. Tal-Ezer and R. Kosloff, J. Chem. Phys. 81, 3967 (1984).
    """
    from scipy.special import jv

    total: Complex
    middle, half = 0.5 * (ends[0] + ends[1]), 0.5 * (ends[1] - ends[0])
    phase = cmath.exp(-1j * middle * time)
    if half == 0.0:
        return psi * phase
    reach = half * time
    orders = np.arange(math.ceil(reach + 12 * reach ** (1 / 3)) + 24)
    factors = 2 * (-1j) ** (orders % 4) * jv(orders, reach)
    before, now = psi, (apply(psi) - middle * psi) / half
    total = 0.5 * factors[0] * psi + factors[1] * now
    for factor in factors[2 : np.flatnonzero(np.abs(factors) > NEGLIGIBLE)[-1] + 1]:
        after = apply(now)
        after -= middle * now
        after *= 2 / half
        after -= before
        before, now = now, after
        total += factor * now
    return total * phase


def displaced(system: System, centres: tuple[float, ...]) -> tuple[System, float]:
    """The constant system whose modes are b = a − c for real c, and what is to be added to its energy."""
    spins, modes, energy, root = list(system.spins), list(system.modes), 0.0, math.sqrt(system.n_ref)
    for m, (mode, centre) in enumerate(zip(system.modes, centres, strict=True)):
        modes[m] = replace(mode, drive=mode.drive + mode.omega_c * centre)
        energy += mode.omega_c * centre**2 + 2 * complex(mode.drive).real * centre
        for i, spin in enumerate(spins):
            push = centre * (complex(system.g_minus[i][m]).conjugate() + system.g_plus[i][m]) / root
            spins[i] = replace(spin, atom_drive=spin.atom_drive + push)
    return replace(system, spins=tuple(spins), modes=tuple(modes)), energy


def half_width(system: System, photons: tuple[int, ...]) -> float:
    """About half the width of H's spectrum."""
    size = signals.largest
    width = sum((0.5 * size(spin.omega_a) + size(spin.atom_drive)) * spin.n_atoms for spin in system.spins)
    for mode, highest in zip(system.modes, photons, strict=True):
        width += 0.5 * highest * size(mode.omega_c) + 2 * size(mode.drive) * math.sqrt(highest)
    for rows in (system.g_minus, system.g_plus):
        for spin, row in zip(system.spins, rows, strict=True):
            fields = (size(rate) * math.sqrt(highest) for rate, highest in zip(row, photons, strict=True))
            width += 0.5 * spin.n_atoms * sum(fields) / math.sqrt(system.n_ref)
    return float(width)


class Moments:
    """Means of words in one pure state; what operators make of it is formed once.

    Args:
        atoms: N of each spin.
        psi: shape (N+1, …, F, …): spins and then modes.
        centres: c of each mode, a = b + c.
    """

    def __init__(self, atoms: tuple[int, ...], psi: Complex, centres: tuple[float, ...]) -> None:
        self.atoms, self.centres = atoms, centres
        self._known = {Word(): psi}

    def mean(self, word: Word) -> complex:
        """The mean of a word."""
        orders = list(word.orders())
        left = self._of(Word((), tuple((mode, "") for mode in word.raised)))
        lowered = tuple((mode, "") for mode in word.lowered)
        return complex(sum(np.vdot(left, self._of(Word(order, lowered))) for order in orders) / len(orders))

    def _of(self, word: Word) -> Complex:
        """The product of a word's operators on the state."""
        if word not in self._known:
            if word.spins:
                (site, factor), rest = word.spins[0], Word(word.spins[1:], word.modes)
                self._known[word] = self._turned(self._of(rest), site, factor)
            else:
                rest = Word((), word.modes[1:])
                self._known[word] = self._lowered(self._of(rest), word.modes[0][0])
        return self._known[word]

    def _turned(self, psi: Complex, site: int, factor: str) -> Complex:
        """A spin's operator on a state."""
        moved = np.moveaxis(psi, site, -1)
        n_atoms, n = self.atoms[site], np.arange(self.atoms[site])
        if factor == "z":
            found = (0.5 * n_atoms - np.arange(n_atoms + 1)) * moved
        else:
            steps, found = np.sqrt((n + 1.0) * (n_atoms - n)), np.zeros_like(moved)
            up, down = {"+": (1, 0), "-": (0, 1), "x": (0.5, 0.5), "y": (-0.5j, 0.5j)}[factor]
            found[..., :-1] += up * steps * moved[..., 1:]
            found[..., 1:] += down * steps * moved[..., :-1]
        return np.moveaxis(found, -1, site)

    def _lowered(self, psi: Complex, mode: int) -> Complex:
        """a = b + c of a mode on a state."""
        axis = len(self.atoms) + mode
        found = self.centres[mode] * psi
        moved, target = np.moveaxis(psi, axis, -1), np.moveaxis(found, axis, -1)
        target[..., :-1] += np.sqrt(np.arange(1.0, moved.shape[-1])) * moved[..., 1:]
        return found
