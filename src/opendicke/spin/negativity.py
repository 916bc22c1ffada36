r"""Entanglement of two parts of the spin: the negativity, from trajectories, at N of thousands.

The eigenvalues of the partial transpose come from the cheaper one of two forms: the full matrix of dimension
:math:`(n_1+1)(n_2+1)`, whose cost does not depend on the number of trajectories, or, where that is large, the
matrix on the span of the trajectories' product vectors (:mod:`opendicke.spin.product_vectors`).

Source: G. Vidal and R. F. Werner, Phys. Rev. A 65, 032314 (2002).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke import checks
from opendicke.moments.jackknife import jackknife_samples, sample_groups
from opendicke.spin.product_vectors import (
    TooLarge,
    check_memory,
    cholesky,
    product_vectors,
    split_table,
    transposed,
    vectors_expected,
)  # fmt: skip
from opendicke.spin.state import PureStates, mixture, pure_states, tabulate

#: The partial transpose on some basis, from the trajectories held, a mask; with unit trace.
Transpose = Callable[[NDArray[np.bool_]], NDArray[Any]]

DEFINITIONS = {
    "negativity": "(||rho^TA||_1 - 1)/2 of the spin split in two",
    "log_negativity": "log2 ||rho^TA||_1 of the spin split in two",
    "negativity_lower": "on average a lower bound: negative eigenspace of one half of the trajectories, in the other",
    "neglected": "strict bound on the effect of the truncation on the negativity",
    "rank": "dimension in which rho^TA was diagonalised",
}


def negativity(
    dataset: xr.Dataset,
    times: Sequence[float] | None = None,
    *,
    split: int | None = None,
    batches: int = 8,
    neglect: float | None = None,
    max_memory: float = 4.0,
) -> xr.Dataset:
    r"""Negativity and logarithmic negativity between n₁ and the other n₂ = N − n₁ atoms.

    .. math::
        \mathcal N = \tfrac12\big(\|\rho^{T_A}\|_1 - 1\big),\qquad E_{\mathcal N} = \log_2\|\rho^{T_A}\|_1,\qquad
        |N,k\rangle = \sum_l \sqrt{\tbinom{n_1}{l}\tbinom{n_2}{k-l}\big/\tbinom Nk}\;|l\rangle|k-l\rangle

    From trajectories the estimate from all of them is too large on average, because the negativity is convex; its bias
    of order 1/trajectories is removed. So a small negativity may come out slightly negative. ``negativity_lower`` and
    ``negativity_uncorrected`` are, on average, below and above the true value whatever the number of trajectories: if
    they lie far apart, take more.

    Args:
        dataset: an answer of :func:`opendicke.solve` with ``keep_states``.
        times: some of its ``state_time``, in units of one over the rates; None for all.
        split: n₁, 1 <= n₁ < N; None for one half, N // 2.
        batches: groups of trajectories for bias and error bars, >= 2; 95 % intervals follow from Student's t with one
            degree of freedom less. The negativity has kinks where eigenvalues change sign, so the error is the larger
            one of the jackknife's and of the scatter among groups.
        neglect: share of the product vectors' weight that may be neglected (see ``neglected`` for what follows); None
            for 1e-5, and 1e-12 if the states are exact. Where the full matrix is cheaper, nothing is.
        max_memory: memory that may be taken, in GiB.

    Returns:
        Dataset over state_time with ``negativity`` and ``log_negativity``; if sampled also ``_sem`` (standard errors)
        and ``_uncorrected`` of both, and ``negativity_lower``; ``neglected``, a strict bound on the truncation's
        effect on the uncorrected negativity (what is found in practice is 10 to 100 times less; 0 for the full
        matrix), and ``rank``. ``state_time`` are the times of ``keep_states``, some of the answer's ``time``.

    Raises:
        TypeError, ValueError: for N = 1 or a ``split`` out of range, a dataset without states, times at which none were
            kept, fewer than two trajectories, or a need for more memory.

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.0)
    >>> answer = od.solve(model, od.Normal(), [0.0], od.Lindblad(keep_states=(0.0,)))
    >>> negativity(answer).negativity.values.round(6) + 0.0
    array([0.])
    """

    limit = checks.real("max_memory", max_memory, above=0.0)
    wanted = None if neglect is None else checks.real("neglect", neglect, above=0.0)

    def row(time: float) -> dict[str, Any]:
        states = pure_states(dataset, time)
        share = (1e-5 if states.sampled else 1e-12) if wanted is None else wanted
        n_first = _first_part(states.n_atoms, split)
        groups = sample_groups(len(states.weights), batches) if states.sampled else None
        smallest = math.inf
        for form in _by_cost(states, n_first, share, groups):
            try:
                transpose, about = form(states, n_first, share, groups, limit)
            except TooLarge as problem:
                smallest = min(smallest, problem.needed)
                continue
            return about | _estimate(transpose, states, batches)
        hint = "Use fewer trajectories, a larger neglect, or a larger max_memory."
        raise checks.refuse("max_memory", f"at least {smallest:.3g} GiB", limit, hint)

    return tabulate(dataset, times, row, DEFINITIONS)


def _first_part(n_atoms: int, split: int | None) -> int:
    if n_atoms < 2:
        raise checks.refuse("dataset", "at least two atoms, to be split", n_atoms)
    if split is None:
        return n_atoms // 2
    if checks.integer("split", split, minimum=1) >= n_atoms:
        raise checks.refuse("split", f"fewer than all {n_atoms} atoms", split)
    return split


#: Group of each trajectory; None if the states are exact, and together one group.
Groups = NDArray[np.int64] | None


Form = Callable[[PureStates, int, float, Groups, float], tuple[Transpose, dict[str, float]]]


def _by_cost(states: PureStates, n_first: int, share: float, groups: Groups) -> list[Form]:
    """The two forms, the one with fewer operations first."""
    equal = 2 * n_first == states.n_atoms
    dimension = (n_first + 1.0) * (states.n_atoms - n_first + 1)
    # eigenvalues of all, without and within each group, and eigenvectors of two halves
    matrices = 1 if groups is None else 2 * groups.max() + 10
    full = matrices * 4 / 3 * dimension**3 * (1 if equal else 4)
    of_pair = 8 * (n_first + 1 if equal else states.n_atoms + 2)  # of two Schmidt vectors: their overlaps
    # every state has one at least: often enough to know without looking at any
    if full < of_pair * len(states.weights) ** 2 or full < of_pair * vectors_expected(states, n_first, share) ** 2:
        return [_full, _spanned]
    return [_spanned, _full]


def _full(
    states: PureStates, n_first: int, _share: float, _groups: Groups, max_memory: float
) -> tuple[Transpose, dict[str, float]]:
    """The partial transpose on all |l>|r>; nothing is neglected."""
    n_second = states.n_atoms - n_first
    dimension = (n_first + 1) * (n_second + 1)
    check_memory(16.0 * 5 * dimension**2, max_memory)
    whole = mixture(states)

    def transpose(held: NDArray[np.bool_]) -> NDArray[Any]:
        rho = whole.basis @ whole.matrix(held) @ whole.basis.conj().T
        return partial_transpose(rho, n_first)

    return transpose, {"neglected": 0.0, "rank": dimension}


def partial_transpose(rho: NDArray[np.complex128], n_first: int) -> NDArray[Any]:
    r"""A matrix with the eigenvalues of :math:`\rho^{T_A}`, the spin's density matrix transposed in its first n₁ atoms.

    .. math:: \langle l, r|\rho^{T_A}|l', r'\rangle = c_{l'r}\,c_{lr'}\,\rho_{l'+r,\,l+r'},\qquad
              c_{lr} = \sqrt{\tbinom{n_1}{l}\tbinom{n_2}{r}\big/\tbinom{N}{l+r}}

    Args:
        rho: in the Dicke basis, shape (N+1, N+1).
        n_first: n₁.

    Returns:
        shape (D, D), D = (n₁+1)(n₂+1). Of equal parts it is real: exchanging them, F, is complex conjugation of
        :math:`\rho^{T_A}`, and a square root of F turns that into :math:`\mathrm{Re} + \mathrm{Im}\cdot F`.
    """
    n_atoms = rho.shape[0] - 1
    n_second = n_atoms - n_first
    c = split_table(n_atoms, n_first, n_atoms + 1)
    total = np.add.outer(np.arange(n_first + 1), np.arange(n_second + 1))
    whole = rho[total[:, :, None, None], total] * (c[:, :, None, None] * c)
    dimension = (n_first + 1) * (n_second + 1)
    matrix: NDArray[Any] = whole.transpose(2, 1, 0, 3).reshape(dimension, dimension)
    if n_first != n_second:
        return matrix
    exchanged = np.arange(dimension).reshape(n_first + 1, -1).T.ravel()
    real: NDArray[np.float64] = matrix.real + matrix.imag[:, exchanged]
    return real


def _spanned(
    states: PureStates, n_first: int, share: float, groups: Groups, max_memory: float
) -> tuple[Transpose, dict[str, float]]:
    """The partial transpose on the span of the trajectories' product vectors."""
    products = product_vectors(states, n_first, share, max_memory)
    factor, lost = cholesky(products, share, max_memory)
    member = np.zeros(len(states.weights), dtype=np.int64) if groups is None else groups
    # sums over the groups that the jackknife leaves out, so that each product is made once
    sums = [transposed(products, factor, member == group) for group in range(int(member.max()) + 1)]

    def transpose(held: NDArray[np.bool_]) -> NDArray[Any]:
        matrix: NDArray[Any] = sum(sums[group] for group in np.unique(member[held])) / states.weights[held].sum()
        return matrix

    return transpose, {"neglected": products.dropped + lost, "rank": factor.shape[1]}


def _estimate(transpose: Transpose, states: PureStates, batches: int) -> dict[str, Any]:
    names = ("negativity", "log_negativity")
    count = len(states.weights)
    if not states.sampled:
        return dict(zip(names, _both(transpose(np.ones(count, dtype=bool))), strict=True))
    both = jackknife_samples(count, batches, lambda held: _both(transpose(held)), cautious=True)
    answer: dict[str, Any] = {name: both.part(at, ()) for at, name in enumerate(names)}
    even = sample_groups(count, batches) % 2 == 0
    return answer | {"negativity_lower": _lower(transpose(even), transpose(~even))}


def _both(transposed: NDArray[Any]) -> NDArray[np.float64]:
    """Negativity and logarithmic negativity."""
    values = np.linalg.eigvalsh(transposed)
    found = -float(values[values < 0].sum())
    return np.array([found, math.log2(1 + 2 * found)])


def _lower(one: NDArray[Any], other: NDArray[Any]) -> float:
    r""":math:`-\mathrm{Tr}\,P\rho^{T_A}` is at most the negativity for any projector P: here the other half's."""
    found = 0.0
    for source, target in ((one, other), (other, one)):
        values, vectors = np.linalg.eigh(source)
        negative = vectors[:, values < 0]
        found -= 0.5 * float(np.sum((negative.conj() * (target @ negative)).real))
    return found
