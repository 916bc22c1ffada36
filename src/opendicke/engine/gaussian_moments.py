r"""Moments of a Gaussian hierarchy vector, for any number of spins and modes.

In the spins' frames, with :math:`S'_{i,-} \approx \sqrt{N_i}c_i^\dagger`,

.. math:: |\Phi\rangle = \exp(\tfrac12c^\dagger Xc^\dagger + b^\dagger Yc^\dagger + \tfrac12b^\dagger Ub^\dagger
                              + qb^\dagger)|0\rangle

The physical state :math:`\psi = \langle0_b|\Phi\rangle` is :math:`\exp(\frac12c^\dagger Xc^\dagger)|0\rangle`, with

.. math:: \langle c_ic_j^\dagger\rangle = W_{ij},\quad \langle c_ic_j\rangle = (WX)_{ij},\quad W = (1-XX^*)^{-1}

and :math:`(a_m)\psi = (A_m + (Yc^\dagger)_m)\psi`, :math:`a_m^2\psi = [(A_m + (Yc^\dagger)_m)^2 + U_{mm}]\psi` with the
field :math:`A = \alpha + q`, so that all moments follow by Wick's theorem. With :math:`n_i = W_{ii} - 1`,
:math:`M_i = N_i(WX)_{ii}`, :math:`V = (YWY^\dagger)_{mm}`, :math:`Q = (Y(WX)^*Y^T)_{mm}` and :math:`P = A^2+U_{mm}`

.. math::
    \langle S'_3\rangle = \tfrac N2 - n,\quad \langle S_3'^2\rangle = \langle S'_3\rangle^2 + n(1+n) + |M/N|^2,\quad
    \langle S_1'^2 + S_2'^2\rangle = \tfrac N2(\tfrac N2+1) - \langle S_3'^2\rangle,\quad \langle S_+'^2\rangle = M

    \langle a^\dagger a\rangle = |A|^2+V,\quad \langle a^2\rangle = A^2+U+Q,\quad
    \langle a^{\dagger2}a^2\rangle = |P|^2 + 4|A|^2V + 2V^2 + |Q|^2 + 2\,\mathrm{Re}\,P^*Q

    \langle S'_+a\rangle = \sqrt N(WY^T)_{im},\quad \langle S'_-a\rangle = \sqrt N((WX)^*Y^T)_{im},\quad
    \langle S'_3a\rangle = \langle S'_3\rangle A

All are of leading order in 1/N, but for the length of the spin, which is exactly N/2(N/2 + 1).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined

Complex = NDArray[np.complex128]
#: Amplitudes below this part of the largest are no part of a state that is kept.
FAINT = 1e-12


class Record(NamedTuple):
    """Gaussian states at some times, of C spins and M modes, D = C + M.

    Attributes:
        frames: axes (rows) of every spin, (times, C, 3, 3).
        fields: α of every mode, what drives and thermal light make included, (times, M).
        pairs: X, Y and U in one symmetric matrix, (times, D, D).
        shifts: q of every mode, (times, M).
    """

    frames: NDArray[np.float64]
    fields: Complex
    pairs: Complex
    shifts: Complex

    @classmethod
    def empty(cls, times: int, spins: int, modes: int) -> Record:
        """One to be filled."""
        sizes = (times, modes), (times, spins + modes, spins + modes), (times, modes)
        return cls(np.empty((times, spins, 3, 3)), *(np.zeros(size, dtype=np.complex128) for size in sizes))

    def channels(self, atoms: NDArray[np.float64]) -> NDArray[np.float64]:
        """All channels of ``measure``, of every spin (of so many atoms) with every mode: (times, C, M, 21)."""
        out = np.empty((*self.frames.shape[:2], self.fields.shape[1], 21))
        _read(atoms, self, out)
        return out

    def hierarchy(self, row: int, n_atoms: int, levels: int) -> Complex:
        """Φ of one spin and one mode on |j, j−n>, n = 0 …, as far as it is not faint: (levels, states)."""
        x, y, u, q = self.pairs[row, 0, 0], self.pairs[row, 0, 1], self.pairs[row, 1, 1], self.shifts[row, 0]
        decades = math.log(FAINT) / math.log(max(min(abs(x), 1 - 1e-9), 1e-9))
        states = min(n_atoms, 2 * math.ceil(decades) + levels) + 1
        phi = np.zeros((levels, states), dtype=np.complex128)
        phi[0, 0] = 1.0
        for n in range(2, states, 2):
            phi[0, n] = x * math.sqrt((n - 1) / n) * phi[0, n - 2]
        phi /= np.linalg.norm(phi[0])
        raised = np.sqrt(np.arange(1.0, states))
        for level in range(1, levels):
            phi[level] = q * phi[level - 1]
            phi[level, 1:] += y * raised * phi[level - 1, :-1]
            if level > 1:
                phi[level] += u * math.sqrt(level - 1) * phi[level - 2]
            phi[level] /= math.sqrt(level)
        return phi


@inlined
def factor(x, size, root):  # type: ignore[no-untyped-def]
    """The lower triangle of 1 − XX* = ``root`` root†; returns the least pivot, <= 0 (or NaN) where there is none."""
    least = 1.0
    for i in range(size):
        for k in range(i + 1):
            total = complex(1.0 if i == k else 0.0, 0.0)
            for j in range(size):
                total -= x[i, j] * x[j, k].conjugate()
            for j in range(k):
                total -= root[i, j] * root[k, j].conjugate()
            if i > k:
                root[i, k] = total / root[k, k].real
            elif total.real > 0:
                root[i, i] = math.sqrt(total.real)
                least = min(least, total.real)
            else:
                return total.real
    return least


@inlined
def solve(root, size, vector):  # type: ignore[no-untyped-def]
    """(1 − XX*)⁻¹ times a vector, in its place."""
    for i in range(size):
        for k in range(i):
            vector[i] -= root[i, k] * vector[k]
        vector[i] /= root[i, i].real
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            vector[i] -= root[k, i].conjugate() * vector[k]
        vector[i] /= root[i, i].real


@compiled
def _read(atoms, record, out):  # type: ignore[no-untyped-def]
    frames, fields, pairs, shifts = record
    spins, modes = atoms.size, fields.shape[1]
    root, w = np.empty((spins, spins), dtype=np.complex128), np.empty((spins, spins), dtype=np.complex128)
    twos, second = np.empty((spins, spins), dtype=np.complex128), np.empty((3, 3))
    up, down = np.empty(spins, dtype=np.complex128), np.empty(spins, dtype=np.complex128)
    for t in range(frames.shape[0]):
        factor(pairs[t], spins, root)
        for i in range(spins):  # rows of the inverse's transpose, which are its columns
            for k in range(spins):
                w[i, k] = 1.0 if i == k else 0.0
            solve(root, spins, w[i])
        for i in range(spins):
            for k in range(spins):
                twos[i, k] = 0.0
                for j in range(spins):
                    twos[i, k] += w[j, i] * pairs[t, j, k]
        for m in range(modes):
            y = pairs[t, spins + m]
            spread, skew = 0.0, 0j
            for i in range(spins):
                up[i], down[i] = 0.0, 0.0
                for k in range(spins):
                    up[i] += w[k, i] * y[k]
                    down[i] += twos[i, k].conjugate() * y[k]
                spread += (y[i].conjugate() * up[i]).real
                skew += y[i] * down[i]
            a, u = fields[t, m] + shifts[t, m], pairs[t, spins + m, spins + m]
            for i in range(spins):
                row = out[t, i, m]
                n = w[i, i].real - 1
                spin = 0.5 * atoms[i] - n
                _spin_moments(atoms[i], spin, n, twos[i, i], frames[t, i], second, row)
                _field_moments(a, u, spread, skew, row)
                _products(math.sqrt(atoms[i]), spin * a, up[i], down[i], frames[t, i], row)


@inlined
def _spin_moments(n_atoms, spin, n, twos, frame, second, row):  # type: ignore[no-untyped-def]
    """<S> and the symmetrised second moments, in the laboratory's axes."""
    along = spin * spin + n * (1 + n) + twos.real * twos.real + twos.imag * twos.imag
    across = 0.5 * (0.5 * n_atoms * (0.5 * n_atoms + 1) - along)
    one, two, mixed = across + 0.5 * n_atoms * twos.real, across - 0.5 * n_atoms * twos.real, 0.5 * n_atoms * twos.imag
    for i in range(3):
        row[i] = spin * frame[2, i]
        for k in range(3):
            second[i, k] = (
                one * frame[0, i] * frame[0, k] + two * frame[1, i] * frame[1, k] + along * frame[2, i] * frame[2, k]
                + mixed * (frame[0, i] * frame[1, k] + frame[1, i] * frame[0, k])
            )  # fmt: skip
    row[3], row[4], row[5] = second[0, 0], second[1, 1], second[2, 2]
    row[6], row[7], row[8] = second[0, 1], second[1, 2], second[2, 0]


@inlined
def _field_moments(a, u, spread, skew, row):  # type: ignore[no-untyped-def]
    """Normally ordered moments of a mode."""
    p, size = a * a + u, a.real * a.real + a.imag * a.imag
    squared = p + skew
    row[9], row[10], row[11], row[12], row[13] = a.real, a.imag, size + spread, squared.real, squared.imag
    row[14] = abs(squared) ** 2 + 4 * size * spread + 2 * spread * spread


@inlined
def _products(root, along, up, down, frame, row):  # type: ignore[no-untyped-def]
    """<S_i a>."""
    one, two = 0.5 * root * (up + down), -0.5j * root * (up - down)
    for i in range(3):
        value = one * frame[0, i] + two * frame[1, i] + along * frame[2, i]
        row[15 + 2 * i], row[16 + 2 * i] = value.real, value.imag
