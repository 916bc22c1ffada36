"""The Liouvillian of the master equation: its operators, and its two parity sectors as real linear maps."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from opendicke.model import DickeModel

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Blocks = dict[tuple[int, int], Real]

#: Sylvester equations up to this size are left to LAPACK.
SMALL_BLOCK = 32


@dataclass(frozen=True)
class Operators:
    r"""H, :math:`\sqrt{2\kappa}\,a` and the diagonal of :math:`\kappa\,a^\dagger a`, all real.

    Basis states |j, j−n>|f>, at index n F + f.
    """

    hamiltonian: csr_array
    jump: csr_array
    decay: Real

    @classmethod
    def of(cls, model: DickeModel, photons: int) -> Operators:
        """The operators of ``model`` with at most ``photons`` photons."""
        from scipy import sparse

        n_atoms, levels = model.n_atoms, photons + 1
        n, f = np.arange(n_atoms + 1), np.arange(levels)
        lower = sparse.diags_array(np.sqrt((n[:-1] + 1.0) * (n_atoms - n[:-1])), offsets=-1)
        destroy = sparse.diags_array(np.sqrt(f[1:].astype(float)), offsets=1)
        rise = sparse.kron(model.g_minus * lower + model.g_plus * lower.T, destroy.T) / math.sqrt(n_atoms)
        energy = np.add.outer(model.omega_a * (n_atoms / 2 - n), model.omega_c * f).ravel()
        jump = math.sqrt(2 * model.kappa) * sparse.kron(sparse.eye_array(n_atoms + 1), destroy)
        return cls(
            sparse.csr_array(rise + rise.T + sparse.diags_array(energy)),
            sparse.csr_array(jump),
            model.kappa * np.tile(f.astype(float), n_atoms + 1),
        )


class Sector:
    r"""The Liouvillian on the density matrices of one parity, as a real linear map.

    With :math:`P = (-1)^{n+a^\dagger a}`, :math:`P\rho P = \pm\rho` is conserved. An even ρ has the blocks
    (p, q) = (0, 0) and (1, 1) between states of even and odd n + f, an odd one (0, 1) and (1, 0). As H and a are
    real, the real matrix :math:`A = \mathrm{Re}\,\rho + \mathrm{Im}\,\rho` of a Hermitian ρ obeys

    .. math:: \dot A_{pq} = (H_q A_{qp})^T - H_p A_{qp}^T + J_p A_{\bar p\bar q} J_q^T - K_p A_{pq} - A_{pq} K_q

    with :math:`J = \sqrt{2\kappa}\,a`, :math:`K = \kappa\,a^\dagger a`. A vector holds both blocks, flat; its
    eigenvalues are those of the Liouvillian on all matrices of this parity.

    Args:
        model: the model.
        photons: highest photon number kept.
        parity: "even" or "odd".
    """

    def __init__(self, model: DickeModel, photons: int, parity: str) -> None:
        operators = Operators.of(model, photons)
        self.n_atoms, self.levels = model.n_atoms, photons + 1
        n, f = np.divmod(np.arange((model.n_atoms + 1) * self.levels), self.levels)
        self.states = [np.flatnonzero((n + f) % 2 == p) for p in (0, 1)]
        self.hamiltonian = [operators.hamiltonian[kept][:, kept] for kept in self.states]
        self.jump = [operators.jump[self.states[p]][:, self.states[1 - p]] for p in (0, 1)]
        self.decay = [operators.decay[kept] for kept in self.states]
        self.pairs = [(0, 0), (1, 1)] if parity == "even" else [(0, 1), (1, 0)]
        self.shapes = [(self.states[p].size, self.states[q].size) for p, q in self.pairs]
        self.size = sum(rows * columns for rows, columns in self.shapes)

    def __call__(self, vector: Real) -> Real:
        """The Liouvillian on one vector."""
        a = self.blocks(vector)
        parts = []
        for p, q in self.pairs:
            inner = np.ascontiguousarray((self.jump[p] @ a[1 - p, 1 - q]).T)
            change = np.ascontiguousarray((self.jump[q] @ inner).T)
            change -= self.hamiltonian[p] @ np.ascontiguousarray(a[q, p].T)
            change += (self.hamiltonian[q] @ a[q, p]).T
            change -= np.add.outer(self.decay[p], self.decay[q]) * a[p, q]
            parts.append(change.ravel())
        return np.concatenate(parts)

    def matrix(self) -> Any:
        """The map as a sparse matrix: twenty numbers a row, for small problems."""
        from scipy import sparse

        a, b = self.pairs
        parts: dict[Any, Any] = {}
        for p, q in self.pairs:
            one_p, one_q = sparse.eye_array(self.states[p].size), sparse.eye_array(self.states[q].size)
            order = np.arange(self.states[p].size * self.states[q].size).reshape(self.states[q].size, -1).T.ravel()
            transposed = sparse.csr_array((np.ones(order.size), (np.arange(order.size), order)))
            turn = transposed @ sparse.kron(self.hamiltonian[q], one_p)
            parts[(p, q), (q, p)] = turn - sparse.kron(self.hamiltonian[p], one_q) @ transposed
            parts[(p, q), (1 - p, 1 - q)] = parts.get(((p, q), (1 - p, 1 - q)), 0) + sparse.kron(
                self.jump[p], self.jump[q]
            )
            loss = sparse.diags_array(np.add.outer(self.decay[p], self.decay[q]).ravel())
            parts[(p, q), (p, q)] = parts.get(((p, q), (p, q)), 0) - loss
        return sparse.csc_array(sparse.block_array([[parts[a, a], parts[a, b]], [parts[b, a], parts[b, b]]]))

    def density_matrix(self, vector: Real) -> Complex:
        """The Hermitian matrix of a vector, shape (N+1, F, N+1, F)."""
        a = self.blocks(vector)
        total = (self.n_atoms + 1) * self.levels
        rho = np.zeros((total, total), dtype=np.complex128)
        for p, q in self.pairs:
            rho[np.ix_(self.states[p], self.states[q])] = unfold(a, p, q)
        return rho.reshape(self.n_atoms + 1, self.levels, self.n_atoms + 1, self.levels)

    def vector(self, rho: Complex) -> Real:
        """The vector of this sector's part of a Hermitian matrix of shape (N+1, F, N+1, F)."""
        total = (self.n_atoms + 1) * self.levels
        square = rho.reshape(total, total)
        parts = (square[np.ix_(self.states[p], self.states[q])] for p, q in self.pairs)
        return np.concatenate([(part.real + part.imag).ravel() for part in parts])

    def blocks(self, vector: Real) -> Blocks:
        """The two blocks of A, by their parities (p, q)."""
        cut = self.shapes[0][0] * self.shapes[0][1]
        parts = zip(self.pairs, (vector[:cut], vector[cut:]), self.shapes, strict=True)
        return {pair: part.reshape(shape) for pair, part, shape in parts}


class Resolvent:
    r"""The inverse of the Liouvillian without its jumps, minus a shift: an approximation of :math:`(L-s)^{-1}`.

    .. math:: \rho \to X,\qquad -i(H_\mathrm{eff}X - XH_\mathrm{eff}^\dagger) - sX = \rho,
              \qquad H_\mathrm{eff} = H - i\kappa\,a^\dagger a

    a Sylvester equation, solved in the Schur basis of :math:`H_\mathrm{eff}` (its eigenvectors are useless: their
    condition grows exponentially with N). Single precision is enough for steering an iteration.

    Args:
        sector: what to invert.
        shift: s > 0.
    """

    def __init__(self, sector: Sector, shift: float) -> None:
        from scipy.linalg import schur

        self.sector, self.shift = sector, shift
        self._triangles, self._bases = [], []
        for hamiltonian, decay in zip(sector.hamiltonian, sector.decay, strict=True):
            triangle, basis = schur(hamiltonian.toarray() - 1j * np.diag(decay), output="complex")
            shifted = triangle - 0.5j * shift * np.eye(decay.size)
            self._triangles.append(np.asfortranarray(shifted, dtype=np.complex64))
            self._bases.append(np.asarray(basis, dtype=np.complex64))

    def of(self, sector: Sector) -> Resolvent:
        """The same for the other parity: the Schur bases do not depend on it."""
        other = copy.copy(self)
        other.sector = sector
        return other

    def __call__(self, vector: Real) -> Real:
        """The approximate solution for one vector."""
        scale = float(np.linalg.norm(vector)) or 1.0  # single precision ends at 1e-38
        a = self.sector.blocks(vector / scale)
        parts: dict[tuple[int, int], Real] = {}
        for p, q in self.sector.pairs:
            if (p, q) in parts:
                continue
            left, right = self._bases[p], self._bases[q]
            x = np.asfortranarray(left.conj().T @ unfold(a, p, q).astype(np.complex64) @ right)
            x *= 1j
            if p == q:
                _lyapunov(self._triangles[p], x)
            else:
                _sylvester(self._triangles[p], self._triangles[q], x)
            x = left @ x @ right.conj().T
            parts[q, p] = (x.real - x.imag).T.astype(np.float64)  # the Hermitian conjugate; p = q comes next
            parts[p, q] = (x.real + x.imag).astype(np.float64)
        return scale * np.concatenate([parts[pair].ravel() for pair in self.sector.pairs])


class Exact:
    """The inverse of the Liouvillian minus a shift, by sparse LU: for small problems.

    Args:
        sector: what to invert.
        shift: not an eigenvalue.
    """

    def __init__(self, sector: Sector, shift: float) -> None:
        from scipy import sparse
        from scipy.sparse.linalg import splu

        matrix = sparse.csc_array(sector.matrix() - shift * sparse.eye_array(sector.size))
        self._factors = splu(matrix)

    def __call__(self, vector: Real) -> Real:
        """The solution for one vector."""
        solution: Real = self._factors.solve(vector)
        return solution


def unfold(a: Blocks, p: int, q: int) -> Complex:
    """Block (p, q) of ρ from the blocks of A = Re ρ + Im ρ."""
    mirrored = a[q, p].T
    rho: Complex = 0.5 * (a[p, q] + mirrored) + 0.5j * (a[p, q] - mirrored)
    return rho


def _sylvester(a: Any, b: Any, c: Any) -> None:
    r"""Solve :math:`AY - YB^\dagger = C` for upper triangular A and B, in place of C.

    Halved until LAPACK's routine, which does not use the cache well, has little left to do: the rest is products.
    """
    from scipy.linalg import lapack

    rows, columns = c.shape
    if max(rows, columns) <= SMALL_BLOCK:
        solution, scale, _ = lapack.ctrsyl(a, b, c, tranb="C", isgn=-1)
        c[:] = solution / scale
    elif rows >= columns:
        half = rows // 2
        _sylvester(a[half:, half:], b, c[half:])
        c[:half] -= a[:half, half:] @ c[half:]
        _sylvester(a[:half, :half], b, c[:half])
    else:
        half = columns // 2
        _sylvester(a, b[half:, half:], c[:, half:])
        c[:, :half] += c[:, half:] @ b[:half, half:].conj().T
        _sylvester(a, b[:half, :half], c[:, :half])


def _lyapunov(a: Any, c: Any) -> None:
    r"""Solve :math:`AY - YA^\dagger = C` for upper triangular A and :math:`C = -C^\dagger`, in place of C.

    Y is Hermitian: only one of its off-diagonal quarters is solved for, which leaves a third of the work.
    """
    half = len(c) // 2
    if len(c) <= SMALL_BLOCK:
        _sylvester(a, a, c)
        return
    upper, lower = slice(0, half), slice(half, None)
    _lyapunov(a[lower, lower], c[lower, lower])
    c[upper, lower] -= a[upper, lower] @ c[lower, lower]
    _sylvester(a[upper, upper], a[lower, lower], c[upper, lower])
    product = a[upper, lower] @ c[upper, lower].conj().T
    c[upper, upper] -= product - product.conj().T
    _lyapunov(a[upper, upper], c[upper, upper])
    c[lower, upper] = c[upper, lower].conj().T
