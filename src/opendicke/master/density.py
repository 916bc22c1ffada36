"""Density matrices on the basis of :class:`Folding`: the initial one, and those of a part."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.master.folding import Folding
from opendicke.problem import Problem
from opendicke.states import EntangledSpins, SpinCoherent, fields_of, parts_of, tensor
from opendicke.words import Word

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: What a spin's density matrix is called in answers, wherever it comes from.
RHO_SPIN = {"definition": "density matrix of the spin, <j, j - n| rho |j, j - n_prime>", "units": "1"}
#: What a state may be away from a pure one.
MIXED = 1e-9


def initial(problem: Problem, photons: tuple[int, ...]) -> tuple[Real, Real]:
    """The initial state on the photon numbers up to ``photons``.

    Returns:
        A = Re ρ + Im ρ, flat; and for each mode the population of its top level and of all that is left out.
    """
    start, spins = problem.start, _spins(problem)
    fields = [
        _coherent(field, highest) if isinstance(field, complex) else field.matrix(highest)
        for field, highest in zip(fields_of(start, len(photons)), photons, strict=True)
    ]
    populations = (abs(one) ** 2 if one.ndim == 1 else one.diagonal().real for one in fields)
    missing = np.array([1.0 - one[:-1].sum() for one in populations])
    if all(one.ndim == 1 for one in (*spins, *fields)):
        rho = _projector(tensor([*spins, *(one / np.linalg.norm(one) for one in fields)]))
    else:
        spins, fields = ([_projector(one) if one.ndim == 1 else one for one in each] for each in (spins, fields))
        rho = tensor([*spins, *(one / np.trace(one) for one in fields)])
    return (rho.real + rho.imag).ravel(), missing


def _spins(problem: Problem) -> list[Complex]:
    """Amplitudes of the spins that are pure, density matrices of those that are not; of all at once if entangled."""
    start, atoms = problem.start, [spin.n_atoms for spin in problem.system.spins]
    if isinstance(start, EntangledSpins):
        return [start.amplitudes(atoms)]
    states, _ = parts_of(start, *problem.system.shape)
    return [
        one.dicke_amplitudes(n) if isinstance(one, SpinCoherent) else one.spin_matrix(n)
        for one, n in zip(states, atoms, strict=True)
    ]


def spins_at_start(problem: Problem) -> Complex:
    """The initial density matrix of all spins together, a square matrix."""
    return tensor([_projector(one) if one.ndim == 1 else one for one in _spins(problem)])


def pure_start(problem: Problem, photons: tuple[int, ...], centres: tuple[float, ...]) -> tuple[Complex, Real]:
    """The amplitudes of a pure initial state on the photon numbers up to ``photons``, around ``centres``.

    Returns:
        amplitudes, flat, of norm one; and for each mode the population of its top level and of all that is left out.

    Raises:
        ValueError: for a state that is mixed, naming it.
    """
    fields = []
    given = fields_of(problem.start, len(photons))
    for one, highest, centre in zip(given, photons, centres, strict=True):
        fields.append(
            _coherent(one - centre, highest) if isinstance(one, complex) else _amplitudes(one, one.matrix(highest))
        )
    missing = np.array([1.0 - (abs(one[:-1]) ** 2).sum() for one in fields])
    spins = [one if one.ndim == 1 else _amplitudes(problem.start, one) for one in _spins(problem)]
    psi = tensor([*spins, *fields])
    return psi / np.linalg.norm(psi), missing


def _amplitudes(state: Any, rho: Complex) -> Complex:
    """The amplitudes of a projector; refused if ``rho``, of ``state``, is none."""
    at = int(np.argmax(rho.diagonal().real))
    found: Complex = rho[:, at] / np.sqrt(rho[at, at].real)
    if np.abs(np.outer(found, found.conj()) - rho).max() > MIXED:
        raise checks.refuse("state", "a pure state", state, "Mixed states: Lindblad and NuHOPS.")
    return found


def reduced(rho: Complex, *kept: int) -> Complex:
    """The reduced density matrix of two of the axes, shape (N+1, F, N+1, F)."""
    for axis in reversed(range(rho.ndim // 2)):
        if axis not in kept:
            rho = np.trace(rho, axis1=axis, axis2=axis + rho.ndim // 2)
    return rho


def spin_state(rho: Complex) -> Complex:
    """The density matrix of the only spin: shape (N+1, N+1)."""
    state: Complex = np.einsum("nfmf->nm", reduced(rho, 0, 1))
    return state


@functools.lru_cache(maxsize=2)
def word_matrices(words: tuple[Word, ...], atoms: tuple[int, ...], photons: tuple[int, ...]) -> list[Any]:
    """The operators whose means words are, as sparse matrices in coordinates."""
    space, found = Folding(atoms, photons), []
    for word in words:
        orders = list(word.orders())
        found.append((sum(space.operator(Word(order, word.modes)) for order in orders) / len(orders)).tocoo())
    return found


def mean(operator: Any, rho: Complex) -> complex:
    """Tr Oρ for a sparse O."""
    rows, columns = operator.coords
    return complex(operator.data @ rho.reshape(operator.shape)[columns, rows])


def _projector(amplitudes: Complex) -> Complex:
    return np.outer(amplitudes, amplitudes.conj())


def _coherent(alpha: complex, photons: int) -> Complex:
    """Amplitudes of a coherent state on the Fock states up to ``photons``."""
    from scipy.special import gammaln, xlogy  # slow to import

    f = np.arange(photons + 1)
    log_size = -0.5 * abs(alpha) ** 2 + xlogy(f, abs(alpha)) - 0.5 * gammaln(f + 1)
    found: Complex = np.exp(log_size + 1j * f * np.angle(alpha))
    return found
