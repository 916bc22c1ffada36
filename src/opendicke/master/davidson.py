"""Eigenvalues of a real linear map nearest to a shift, without ever solving a linear system exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Map = Callable[[Real], Real]

#: Pairs of vectors in memory. More than this saves next to nothing (measured for N = 10: 20 and 60 take the same).
CAPACITY = 30
#: Vectors kept at a restart, as a fraction of the largest basis.
KEPT = 0.7
REPORT_EVERY = 10
MOST = 3000


@dataclass(frozen=True)
class Mode:
    """One eigenvalue, its eigenvector (unit norm) and how well both satisfy the equation."""

    eigenvalue: complex
    vector: NDArray[Any]
    residual: float


class NotConverged(Exception):
    """The iteration has not reached its tolerance."""


class Basis:
    r"""Vectors u and their images :math:`w = (L-s)u`, with orthonormal w; and :math:`B = W^TU`.

    Then B is the projection of :math:`(L-s)^{-1}` on the span of W: its eigenvalues ν of largest size give
    :math:`\lambda = s + 1/\nu`, with eigenvectors :math:`Uy` and residuals orthogonal to W.
    """

    def __init__(self, size: int, capacity: int) -> None:
        self.count, self.capacity = 0, capacity
        self.u, self.w = np.empty((capacity, size)), np.empty((capacity, size))
        self.projected = np.empty((capacity, capacity))

    def add(self, u: Real, w: Real) -> None:
        """One more pair, orthogonalised."""
        m = self.count
        overlaps, before = np.zeros(m), np.linalg.norm(w)
        for _ in range(3):
            part = self.w[:m] @ w
            w = w - part @ self.w[:m]
            overlaps += part
            after = np.linalg.norm(w)
            if after > 0.3 * before:  # little was lost: what remains is orthogonal
                break
            before = after
        self.w[m] = w / after
        self.u[m] = (u - overlaps @ self.u[:m]) / after
        self.count = m + 1
        self.projected[m, : m + 1] = self.u[: m + 1] @ self.w[m]
        self.projected[:m, m] = self.w[:m] @ self.u[m]

    def ritz(self) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        """Eigenvalues ν of B, largest first, and its eigenvectors in columns; of a conjugate pair the first only."""
        m = self.count
        nu, y = np.linalg.eig(self.projected[:m, :m])
        nu, y = nu.astype(np.complex128), y.astype(np.complex128)
        upper = np.flatnonzero(nu.imag >= 0)
        order = upper[np.argsort(-np.abs(nu[upper]))]
        return nu[order], y[:, order]

    def combine(self, nu: complex, y: NDArray[np.complex128]) -> tuple[NDArray[Any], NDArray[Any]]:
        """The approximate eigenvector, of unit norm, and its residual; both real if ν is."""
        coefficients = y if nu.imag else y.real
        x, image = coefficients @ self.u[: self.count], coefficients @ self.w[: self.count]
        norm = np.linalg.norm(x)
        residual: NDArray[Any] = (image - x / (nu if nu.imag else nu.real)) / norm
        return x / norm, residual

    def restart(self, nu: NDArray[np.complex128], y: NDArray[np.complex128]) -> None:
        """Keep only the span of the leading vectors."""
        columns: list[Real] = []
        for value, column in zip(nu, y.T, strict=True):
            if len(columns) >= KEPT * self.capacity:
                break
            columns += [column.real, column.imag] if value.imag else [column.real]
        rotation, m = np.linalg.qr(np.array(columns).T)[0], self.count
        self.count = rotation.shape[1]
        for rows in (self.u, self.w):
            rows[: self.count] = rotation.T @ rows[:m]
        self.projected[: self.count, : self.count] = rotation.T @ self.projected[:m, :m] @ rotation


def modes_near(
    apply: Map,
    approximate_inverse: Map,
    shift: float,
    start: Real,
    count: int,
    *,
    tolerance: float,
    relative: float = 0.0,
    first: float | None = None,
    capacity: int = CAPACITY,
    most: int | None = None,
    report: Callable[[int, float], None] | None = None,
) -> list[Mode]:
    r"""The ``count`` eigenvalues nearest to a real shift s, and their eigenvectors.

    Generalised Davidson iteration with harmonic extraction: the residual of the first pair that is not good enough
    yet is brought through an approximate inverse of :math:`L-s` and extends the basis.

    Args:
        apply: L on a vector.
        approximate_inverse: about :math:`(L-s)^{-1}`.
        shift: s, not an eigenvalue.
        start: first vector, or several in rows.
        count: eigenvalues wanted, each member of a complex pair counted; at most ``capacity`` // 3.
        tolerance: largest :math:`\|Lx-\lambda x\|` for :math:`\|x\|=1`.
        relative: a mode is also good enough with a residual of this times :math:`|\lambda|`.
        first: largest residual of the mode nearest to s instead, for one that is known; None for no difference.
        capacity: vectors in memory, times two.
        most: applications of L after which it is given up; None for 3000.
        report: told how many applications were done since the last time, and the residual.

    Returns:
        The modes, nearest to s first.

    Raises:
        NotConverged: after ``most`` applications of L.

    Source: E. R. Davidson, J. Comput. Phys. 17, 87 (1975); R. B. Morgan, Linear Algebra Appl. 154-156, 289 (1991)
    (harmonic extraction); A. Stathopoulos, Y. Saad and K. Wu, SIAM J. Sci. Comput. 19, 227 (1998) (thick restarts).
    """
    *others, direction = np.atleast_2d(start)
    capacity = min(capacity, direction.size)
    basis, random = Basis(direction.size, capacity), np.random.default_rng(0)
    for vector in others:
        basis.add(vector, apply(vector) - shift * vector)
    limit = MOST if most is None else most
    allowed = tolerance, relative, tolerance if first is None else first
    for applications in range(limit):
        basis.add(direction, apply(direction) - shift * direction)
        nu, y = basis.ritz()
        found, residual = _good(basis, nu, y, shift, count, allowed)
        if len(found) >= count:
            return found[:count]
        if report is not None and (applications + 1) % REPORT_EVERY == 0:
            report(REPORT_EVERY, float(np.linalg.norm(residual)))
        if basis.count + 1 >= capacity:
            basis.restart(nu, y)
        if not residual.any():  # all that the basis holds is good, but it holds too little
            residual = random.standard_normal(direction.size)
        direction = approximate_inverse(residual)
    reached = float(np.linalg.norm(residual))
    raise NotConverged(f"residual {reached:.1e} after {limit} applications, with {tolerance:.1e} wanted")


def _good(
    basis: Basis,
    nu: NDArray[np.complex128],
    y: NDArray[np.complex128],
    shift: float,
    count: int,
    allowed: tuple[float, float, float],
) -> tuple[list[Mode], Real]:
    """The leading modes that are good, and what is missing from the first one that is not (0 if all are)."""
    found: list[Mode] = []
    for value, column in zip(nu, y.T, strict=True):
        if len(found) >= count:
            break
        vector, residual = basis.combine(value, column)
        size = float(np.linalg.norm(residual))
        absolute = allowed[0] if found else allowed[2]
        if size > max(absolute, allowed[1] * abs(shift + 1 / value)):
            larger_real = np.linalg.norm(residual.real) >= np.linalg.norm(residual.imag)
            return found, np.ascontiguousarray(residual.real if larger_real else residual.imag)
        mode = Mode(complex(shift + 1 / value), vector, size)
        found.append(mode)
        if value.imag:
            found.append(Mode(mode.eigenvalue.conjugate(), vector.conj(), size))
    return found, np.zeros(basis.u.shape[1])
