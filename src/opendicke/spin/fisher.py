r"""The quantum Fisher information of the spin for collective rotations.

Source: S. L. Braunstein and C. M. Caves, Phys. Rev. Lett. 72, 3439 (1994); L. Pezzè et al., Rev. Mod. Phys. 90, 035005
(2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke import checks
from opendicke.moments.jackknife import jackknife_samples
from opendicke.spin.state import SpinState, apply_spin, spin_state, tabulate

#: Eigenvalues of ρ below this count as zero: they add less than this times N² to the Fisher information.
NO_WEIGHT = 1e-13

DEFINITIONS = {
    "qfi": "quantum Fisher information matrix of the spin for rotations about the axes x, y, z",
    "qfi_max": "largest quantum Fisher information over all axes of rotation",
    "axis": "axis of rotation with the largest quantum Fisher information (its sign is arbitrary)",
}


def fisher_information(
    dataset: xr.Dataset, times: Sequence[float] | None = None, *, parity: bool = False, batches: int = 8
) -> xr.Dataset:
    r"""Quantum Fisher information of the spin's state for rotations :math:`e^{-i\alpha\,\mathbf n\cdot\mathbf S}`.

    .. math::
        F_{ik} = 2\sum_{pq}\frac{(\lambda_p-\lambda_q)^2}{\lambda_p+\lambda_q}\,
        \mathrm{Re}\,\langle p|S^i|q\rangle\langle q|S^k|p\rangle,\qquad F(\mathbf n) = \mathbf n^TF\mathbf n

    with the eigenvalues λ of ρ; for a pure state it is four times the covariance of S. Coherent states have at most N,
    F > N proves entanglement, and N² is the largest value possible.

    From trajectories the plain estimate is too large on average, because F is convex in ρ; the bias of order
    1/trajectories is removed. Its largest eigenvalue has a kink where two axes are equally good, as in a state that is
    symmetric about an axis; so the error is the larger one of the jackknife's and of the scatter among groups.

    Args:
        dataset: an answer of :func:`opendicke.solve` with ``keep_states``.
        times: some of its ``state_time``, in units of one over the rates; None for all.
        parity: symmetrise first, see :func:`opendicke.analysis.spin_state`.
        batches: groups of trajectories for bias and error bars, >= 2; 95 % intervals follow from Student's t with one
            degree of freedom less.

    Returns:
        Dataset over state_time, the times of ``keep_states``, with ``qfi`` (``component``, ``component_``),
        ``qfi_max``, its ``axis`` (``component``) and, if sampled, ``_sem`` and ``_uncorrected`` of ``qfi`` and
        ``qfi_max``.

    Raises:
        TypeError, ValueError: if the dataset holds no states, none at one of ``times``, or fewer than two
            trajectories.

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.0)
    >>> answer = od.solve(model, od.Normal(), [0.0], od.Lindblad(keep_states=(0.0,)))
    >>> fisher_information(answer).qfi.values[0].diagonal().round(6) + 0.0
    array([4., 4., 0.])
    """

    checks.flag("parity", parity)

    def row(time: float) -> dict[str, Any]:
        state = spin_state(dataset, time, parity=parity)
        spin, products = _operators(state)

        def estimate(held: NDArray[np.bool_]) -> NDArray[np.float64]:
            matrix = information(state.matrix(held), spin, products)
            return np.append(matrix.ravel(), np.linalg.eigvalsh(matrix)[-1])

        if not state.sampled:
            found = estimate(np.ones(len(state.weights), dtype=bool))
            return {"qfi": found[:9].reshape(3, 3), "qfi_max": found[9], "axis": _axis(found)}
        both = jackknife_samples(len(state.weights), batches, estimate, cautious=True)
        qfi = both.part(np.s_[:9], (3, 3))
        return {"qfi": qfi, "qfi_max": both.part(np.s_[9], ()), "axis": _axis(both.value)}

    matrix = ("component", "component_")
    answer = tabulate(dataset, times, row, DEFINITIONS, {"qfi": matrix, "axis": ("component",)})
    return answer.assign_coords(component=list("xyz"), component_=list("xyz"))


def information(
    rho: NDArray[np.complex128], spin: NDArray[np.complex128], products: NDArray[np.complex128]
) -> NDArray[np.float64]:
    r"""The matrix F of ρ on a basis of its support.

    .. math::
        F_{ik} = 4\,\mathrm{Re\,Tr}\,\rho S^iS^k
        - 8\sum_{pq}\frac{\lambda_p\lambda_q}{\lambda_p+\lambda_q}
        \mathrm{Re}\,\langle p|S^i|q\rangle\langle q|S^k|p\rangle

    needs no states outside of the support.

    Args:
        rho: shape (rank, rank).
        spin: S^x, S^y, S^z between the basis states, shape (3, rank, rank).
        products: S^i S^k between the basis states, shape (3, 3, rank, rank).
    """
    values, vectors = np.linalg.eigh(rho)
    held = values > NO_WEIGHT
    values, vectors = values[held], vectors[:, held]
    elements = vectors.conj().T @ spin @ vectors
    shared = values[:, None] * values / (values[:, None] + values)
    mixed = np.einsum("pq,ipq,kqp->ik", shared, elements, elements, optimize=True).real
    direct = np.einsum("ikab,ba->ik", products, rho).real
    matrix: NDArray[np.float64] = 2 * (direct + direct.T) - 8 * mixed
    return matrix


def _operators(state: SpinState) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """S^i and S^i S^k between the basis states."""
    turned = np.moveaxis(apply_spin(state.n_atoms, state.basis.T)[..., :-1], 0, -1)  # nothing lies beyond N
    spin = state.basis.conj().T @ turned
    products = turned.conj().transpose(0, 2, 1)[:, None] @ turned[None]
    return spin, products


def _axis(values: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = values[:9].reshape(3, 3)
    axis: NDArray[np.float64] = np.linalg.eigh(matrix)[1][:, -1]
    return axis
