"""Initial states of one spin, coherent or not, each times one of the cavity."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from opendicke import cavities, checks
from opendicke.cavities import Cavity
from opendicke.description import added
from opendicke.shown import Formula

#: Largest N of a state that is squeezed: it takes N² numbers to make.
MOST_SQUEEZED = 5000


def _cos_sin(angle: float) -> tuple[float, float]:
    """Cosine and sine, exact at whole multiples of a quarter turn (so that a pole is a pole)."""
    quarter = round(angle / (math.pi / 2))
    if angle == quarter * (math.pi / 2):
        exact = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))
        return exact[quarter % 4]
    return math.cos(angle), math.sin(angle)


@dataclass(frozen=True)
class SpinCoherent(Formula):
    r"""A spin coherent state times a coherent cavity state, :math:`|\theta,\phi\rangle\otimes|\alpha\rangle`.

    .. math::
        |\theta,\phi\rangle = e^{(\theta e^{i\phi}S^- - \theta e^{-i\phi}S^+)/2}|j,j\rangle
        = \sum_n \binom{N}{n}^{1/2}\cos^{N-n}\tfrac\theta2\,\sin^n\tfrac\theta2\,e^{in\phi}\,|j,j-n\rangle

    so that :math:`\langle S\rangle = \tfrac N2(\sin\theta\cos\phi, \sin\theta\sin\phi, \cos\theta)`.

    Args:
        theta: polar angle in radians; 0 is all atoms up, π all down.
        phi: azimuth in radians.
        alpha: cavity amplitude :math:`\langle a\rangle`, complex (not scaled with N); 0 is the vacuum.
        cavity: another state of the cavity (:mod:`opendicke.cavities`: Fock, Thermal, Squeezed, Cat), instead.

    Raises:
        ValueError, TypeError: for an angle or amplitude that is not a finite number; for both alpha and cavity.

    >>> SpinCoherent(theta=np.pi / 2, phi=0.0).direction
    (1.0, 0.0, 0.0)
    """

    theta: float
    phi: float = 0.0
    alpha: complex = 0.0
    cavity: Cavity | None = field(default=None, metadata=added("0.2", neutral=None))

    def __post_init__(self) -> None:
        object.__setattr__(self, "theta", checks.real("theta", self.theta))
        object.__setattr__(self, "phi", checks.real("phi", self.phi))
        _set_cavity(self)

    @property
    def direction(self) -> tuple[float, float, float]:
        r"""Unit vector of :math:`\langle S\rangle`."""
        cos_theta, sin_theta = _cos_sin(self.theta)
        cos_phi, sin_phi = _cos_sin(self.phi)
        return sin_theta * cos_phi, sin_theta * sin_phi, cos_theta

    def frame(self) -> NDArray[np.float64]:
        """Right-handed orthonormal axes, rows e1 (along growing θ), e2 (along growing φ), e3 (the direction)."""
        cos_theta, sin_theta = _cos_sin(self.theta)
        cos_phi, sin_phi = _cos_sin(self.phi)
        return np.array(
            [
                [cos_theta * cos_phi, cos_theta * sin_phi, -sin_theta],
                [-sin_phi, cos_phi, 0.0],
                [sin_theta * cos_phi, sin_theta * sin_phi, cos_theta],
            ]
        )

    def spin_matrix(self, n_atoms: int) -> NDArray[np.complex128]:
        """Density matrix of the spin on |j, j − n>, shape (N+1, N+1)."""
        return _projector(self.dicke_amplitudes(n_atoms))

    def dicke_amplitudes(self, n_atoms: int) -> NDArray[np.complex128]:
        """Amplitudes on |j, m = j − n>, n = 0 … N: shape (N+1,), unit norm, without overflow at any N."""
        from scipy.special import gammaln, xlogy  # slow to import

        n_atoms = checks.integer("n_atoms", n_atoms, minimum=1)
        n = np.arange(n_atoms + 1)
        cos_half, sin_half = _cos_sin(self.theta / 2)
        log_binomial = gammaln(n_atoms + 1) - gammaln(n + 1) - gammaln(n_atoms - n + 1)
        log_size = 0.5 * log_binomial + xlogy(n_atoms - n, abs(cos_half)) + xlogy(n, abs(sin_half))
        signs = np.where((cos_half < 0) & ((n_atoms - n) % 2 == 1), -1.0, 1.0)
        signs *= np.where((sin_half < 0) & (n % 2 == 1), -1.0, 1.0)
        amplitudes = signs * np.exp(log_size) * np.exp(1j * n * self.phi)
        normalised: NDArray[np.complex128] = amplitudes / np.linalg.norm(amplitudes)
        return normalised


class _InLaboratory(Formula):
    """What has its amplitudes along the laboratory's axes."""

    def frame(self) -> NDArray[np.float64]:
        """Axes on whose third amplitudes are given: the laboratory's."""
        return np.eye(3)


@dataclass(frozen=True)
class Dicke(_InLaboratory):
    r"""A Dicke state, :math:`|j,m\rangle` with j = N/2: as many atoms up as :math:`N/2 + m`, symmetrically.

    Args:
        m: eigenvalue of S^z: one of −N/2, −N/2 + 1, …, N/2.
        alpha, cavity: as for :class:`SpinCoherent`.

    Raises:
        ValueError, TypeError: for an m that is no multiple of 1/2; by what solves, for one that N does not have.
    """

    KIND: ClassVar[str] = "dicke"

    m: float
    alpha: complex = 0.0
    cavity: Cavity | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "m", checks.real("m", self.m))
        if not (2 * self.m).is_integer():
            raise checks.refuse("m", "a whole number, or half of one", self.m)
        _set_cavity(self)

    def level(self, n_atoms: int) -> int:
        """n = N/2 − m; refused where N atoms have no such m."""
        n = n_atoms / 2 - self.m
        if not n.is_integer() or not 0 <= n <= n_atoms:
            raise checks.refuse("m", f"one of −N/2, −N/2 + 1, …, N/2 for N = {n_atoms}", self.m)
        return int(n)

    def amplitudes(self, n_atoms: int, rng: np.random.Generator | None = None) -> NDArray[np.complex128]:
        """On |j, j − n> along the third axis of the frame, shape (N+1,)."""
        return _one(self.level(n_atoms), n_atoms)

    def spin_matrix(self, n_atoms: int) -> NDArray[np.complex128]:
        """Density matrix of the spin on |j, j − n>, shape (N+1, N+1)."""
        return _projector(self.amplitudes(n_atoms))


@dataclass(frozen=True)
class ThermalSpin(_InLaboratory):
    r"""A thermal state of the collective spin: :math:`\rho \propto e^{-xS^z}` within j = N/2.

    Args:
        x: :math:`\hbar\omega_a/k_BT`: 0 fills all N + 1 states alike, large x only the lowest, negative x inverts.
        alpha, cavity: as for :class:`SpinCoherent`.

    Each trajectory starts from one Dicke state, drawn with its weight.

    Raises:
        ValueError, TypeError: for an x that is not a finite number.
    """

    KIND: ClassVar[str] = "thermal_spin"

    x: float
    alpha: complex = 0.0
    cavity: Cavity | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", checks.real("x", self.x))
        _set_cavity(self)

    def weights(self, n_atoms: int) -> NDArray[np.float64]:
        """Of the states |j, j − n>, shape (N+1,)."""
        logs = self.x * np.arange(n_atoms + 1.0)
        sizes = np.exp(logs - logs.max())
        found: NDArray[np.float64] = sizes / sizes.sum()
        return found

    def amplitudes(self, n_atoms: int, rng: np.random.Generator) -> NDArray[np.complex128]:
        """Of a state drawn, on |j, j − n>, shape (N+1,)."""
        return _one(int(rng.choice(n_atoms + 1, p=self.weights(n_atoms))), n_atoms)

    def spin_matrix(self, n_atoms: int) -> NDArray[np.complex128]:
        """Density matrix of the spin on |j, j − n>, shape (N+1, N+1)."""
        return np.diag(self.weights(n_atoms)).astype(np.complex128)


@dataclass(frozen=True)
class SpinSqueezed(Formula):
    r"""A spin squeezed by one-axis twisting, :math:`e^{-i\mu(S\cdot e_\theta)^2/2}|\theta,\phi\rangle`.

    :math:`e_\theta` is the direction of growing θ: on the equator that is −z, and the twist is that of
    :math:`(S^z)^2`.

    Args:
        theta, phi: of the coherent state that is twisted.
        mu: by how much; squeezing is strongest near :math:`\mu = 24^{1/6}(N/2)^{-2/3}`.
        alpha, cavity: as for :class:`SpinCoherent`.

    Raises:
        ValueError, TypeError: for what is not a finite number; by what solves, for more than 5000 atoms.

    Source: M. Kitagawa and M. Ueda, Phys. Rev. A 47, 5138 (1993).
    """

    KIND: ClassVar[str] = "spin_squeezed"

    theta: float
    phi: float
    mu: float
    alpha: complex = 0.0
    cavity: Cavity | None = None

    def __post_init__(self) -> None:
        for name in ("theta", "phi", "mu"):
            object.__setattr__(self, name, checks.real(name, getattr(self, name)))
        _set_cavity(self)

    def frame(self) -> NDArray[np.float64]:
        """Axes on whose third amplitudes are given: those of the coherent state."""
        return SpinCoherent(self.theta, self.phi).frame()

    def amplitudes(self, n_atoms: int, rng: np.random.Generator | None = None) -> NDArray[np.complex128]:
        """On |j, j − n> along the third axis of the frame, shape (N+1,)."""
        if n_atoms > MOST_SQUEEZED:
            raise checks.refuse("n_atoms", f"at most {MOST_SQUEEZED} atoms for SpinSqueezed", n_atoms)
        return _twisted(n_atoms, self.mu)

    def spin_matrix(self, n_atoms: int) -> NDArray[np.complex128]:
        """Density matrix of the spin on |j, j − n> along z, shape (N+1, N+1)."""
        return _projector(_turned(self.amplitudes(n_atoms), self.theta, self.phi))


@dataclass(frozen=True)
class SpinSuperposition(_InLaboratory):
    r"""A superposition of spin coherent states, :math:`\sum_kc_k|\theta_k,\phi_k\rangle`, normalised.

    Args:
        angles: pairs (θ_k, φ_k) in radians.
        weights: complex c_k, as many; None for equal ones.
        alpha, cavity: as for :class:`SpinCoherent`.

    Raises:
        ValueError, TypeError: for angles that are no pairs, or not as many weights; by what solves, for a sum that
            vanishes.

    >>> ghz = SpinSuperposition(((0.0, 0.0), (np.pi, 0.0)))
    >>> ghz.amplitudes(4).round(3).real
    array([0.707, 0.   , 0.   , 0.   , 0.707])
    """

    KIND: ClassVar[str] = "spin_superposition"

    angles: tuple[tuple[float, float], ...]
    weights: tuple[complex, ...] | None = None
    alpha: complex = 0.0
    cavity: Cavity | None = None

    def __post_init__(self) -> None:
        pairs = checks.real_array("angles", self.angles, (None, 2))
        object.__setattr__(self, "angles", tuple((float(theta), float(phi)) for theta, phi in pairs))
        set_weights(self, len(pairs), "angles")
        _set_cavity(self)

    def amplitudes(self, n_atoms: int, rng: np.random.Generator | None = None) -> NDArray[np.complex128]:
        """On |j, j − n>, shape (N+1,)."""
        return superposed(self.weights, [SpinCoherent(*pair).dicke_amplitudes(n_atoms) for pair in self.angles])

    def spin_matrix(self, n_atoms: int) -> NDArray[np.complex128]:
        """Density matrix of the spin on |j, j − n>, shape (N+1, N+1)."""
        return _projector(self.amplitudes(n_atoms))


#: States of one spin and one mode.
OneSpin = SpinCoherent | Dicke | ThermalSpin | SpinSqueezed | SpinSuperposition
ONE_SPIN = (SpinCoherent, Dicke, ThermalSpin, SpinSqueezed, SpinSuperposition)


def Normal(alpha: complex = 0.0, cavity: Cavity | None = None) -> SpinCoherent:
    """The normal state: all atoms down; the cavity in vacuum, or in the state that is given.

    Args:
        alpha, cavity: as for :class:`SpinCoherent`.

    >>> Normal().direction
    (0.0, 0.0, -1.0)
    """
    return SpinCoherent(theta=math.pi, alpha=alpha, cavity=cavity)


def Inverted(alpha: complex = 0.0, cavity: Cavity | None = None) -> SpinCoherent:
    """The inverted state: all atoms up; the cavity in vacuum, or in the state that is given.

    Args:
        alpha, cavity: as for :class:`SpinCoherent`.
    """
    return SpinCoherent(theta=0.0, alpha=alpha, cavity=cavity)


def _set_cavity(state: Any) -> None:
    """Check ``alpha`` and ``cavity``, of which one is given at most."""
    object.__setattr__(state, "alpha", checks.complex_number("alpha", state.alpha))
    if state.cavity is not None:
        checks.instance("cavity", state.cavity, cavities.CAVITIES, "a state of opendicke.cavities, such as Fock(2)")
        if state.alpha != 0:
            raise checks.refuse("alpha, cavity", "at most one of them", (state.alpha, state.cavity))


def set_weights(state: Any, count: int, of: str) -> None:
    """Check ``weights``: None, or so many complex numbers, as there are ``of``."""
    if state.weights is None:
        return
    given = checks.number_array("weights", state.weights, "iufc", "complex numbers")
    if given.shape != (count,) or not np.isfinite(given).all() or not given.any():
        raise checks.refuse("weights", f"{count} finite numbers, as many as {of}, not all 0", state.weights)
    object.__setattr__(state, "weights", tuple(complex(one) for one in given))


def superposed(given: tuple[complex, ...] | None, parts: list[NDArray[np.complex128]]) -> NDArray[np.complex128]:
    """The normalised sum of states with these weights, or with equal ones."""
    weights = np.array(given or (1.0,) * len(parts), dtype=np.complex128)
    parts_of_weights = weights.view(np.float64)
    parts_of_weights /= np.abs(parts_of_weights).max()  # their squares are then numbers
    total = np.einsum("k,kn->n", weights, np.array(parts))
    size = float(np.linalg.norm(total))
    if size < 1e-6 * np.abs(weights).max():
        raise checks.refuse("weights", "a superposition that does not cancel", given)
    found: NDArray[np.complex128] = total / size
    return found


def _one(n: int, n_atoms: int) -> NDArray[np.complex128]:
    """Amplitudes of |j, j − n>."""
    found = np.zeros(n_atoms + 1, dtype=np.complex128)
    found[n] = 1.0
    return found


def _projector(amplitudes: NDArray[np.complex128]) -> NDArray[np.complex128]:
    return np.outer(amplitudes, amplitudes.conj())


def _turned(amplitudes: NDArray[np.complex128], theta: float, phi: float) -> NDArray[np.complex128]:
    """exp(−iφS_z) exp(−iθS_y) on amplitudes on |j, j − n>, from the axes of |θ, φ> to the laboratory's; for small N."""
    from scipy.linalg import expm

    n_atoms = amplitudes.size - 1
    n = np.arange(n_atoms)
    raising = np.diag(np.sqrt((n + 1.0) * (n_atoms - n)), 1)
    tilted = expm(-0.5 * theta * (raising - raising.T)) @ amplitudes
    found: NDArray[np.complex128] = np.exp(-1j * phi * (n_atoms / 2 - np.arange(n_atoms + 1))) * tilted
    return found


@functools.lru_cache(maxsize=4)
def _twisted(n_atoms: int, mu: float) -> NDArray[np.complex128]:
    """exp(−iμ S_x²/2)|j, j> on |j, j − n>."""
    from scipy.linalg import eigh_tridiagonal

    n = np.arange(n_atoms)
    _, vectors = eigh_tridiagonal(np.zeros(n_atoms + 1), 0.5 * np.sqrt((n + 1.0) * (n_atoms - n)))
    phases = np.exp(-0.5j * mu * (np.arange(n_atoms + 1) - n_atoms / 2) ** 2)  # the eigenvalues are known exactly
    found: NDArray[np.complex128] = vectors @ (phases * vectors[0])
    return found
