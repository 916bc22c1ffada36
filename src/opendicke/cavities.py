r"""Initial states of the cavity beside the coherent one: Fock, thermal, squeezed, and cat states.

A trajectory starts from a point of phase space. For a pure state :math:`|\chi\rangle` the point ζ is drawn from its
Husimi function :math:`|\langle\zeta|\chi\rangle|^2/\pi`, and what is left of the state there is in the hierarchy:

.. math::
    \alpha = \frac{\langle\zeta|a|\chi\rangle}{\langle\zeta|\chi\rangle},\qquad
    z^* = -i(\zeta^* - \alpha^*),\qquad
    \frac{\Phi_k}{\Phi_0} = \frac{\langle\zeta|(a-\alpha)^k|\chi\rangle}{\sqrt{k!}\,\langle\zeta|\chi\rangle}

With :math:`\langle\zeta|\chi\rangle \propto p(\zeta^*)`, :math:`\Phi_k/\Phi_0` is :math:`\sqrt{k!}` times the factor of
:math:`u^k` in :math:`e^{-\alpha u}p(\zeta^* + u)/p(\zeta^*)`. The average over ζ is exact. Where p has zeros (Fock and
cat states) a trajectory may start with many more photons than the state has on average: at the very start the variance
of its :math:`\langle a^{\dagger2}a^2\rangle`, and for one photon of :math:`\langle a^\dagger a\rangle`, is infinite,
and error bars there mean nothing. The noise has healed that by about 0.3/κ.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.shown import Formula

__all__ = ["Cat", "Fock", "Squeezed", "Thermal"]

Complex = NDArray[np.complex128]

#: Levels are filled until so many in a row are below this part of the largest: far below what any tol keeps.
FAINT, IN_A_ROW = 1e-9, 8
#: Most levels at the start, and largest photon number of a Fock state (whose levels grow with it).
MOST, MOST_PHOTONS = 3000, 300
#: Fock levels that a displacement needs beyond those that are asked for.
SPARE = 60


def __dir__() -> list[str]:
    """The public names only."""
    return sorted([*__all__, "__all__", "__doc__", "__file__", "__name__"])


class Point(NamedTuple):
    """Where a trajectory's cavity starts: α, the noise z* (None: not drawn yet), and Φ_k/Φ_0, k = 0, 1, …"""

    alpha: complex
    noise: complex | None
    levels: Complex


def coherent(alpha: complex) -> Point:
    """The start from a coherent state: the noise may be any, and nothing is in the hierarchy."""
    return Point(alpha, None, np.ones(1, dtype=np.complex128))


@dataclass(frozen=True)
class Fock(Formula):
    r"""The state of so many photons, :math:`|n\rangle`.

    Args:
        photons: n, an integer from 0 to 300.

    Raises:
        ValueError, TypeError: for anything else.

    >>> Fock(2).mean_photons()
    2.0
    """

    KIND: ClassVar[str] = "fock"

    photons: int

    def __post_init__(self) -> None:
        checks.set_integer(self, "photons", minimum=0, maximum=MOST_PHOTONS)

    def mean_photons(self) -> float:
        """⟨a†a⟩."""
        return float(self.photons)

    def draw(self, rng: np.random.Generator) -> Point:
        """A point of the Husimi function and what is left: p(x) = xⁿ; Φ_k/Φ_0 = (−α)^k C_n(k; n)/√k! (Charlier)."""
        n = self.photons
        if n == 0:
            return coherent(0j)
        zeta = math.sqrt(rng.standard_gamma(n + 1.0)) * np.exp(2j * math.pi * rng.random())
        alpha = complex(n / zeta.conjugate())

        return _point(alpha, zeta, (scale * value for scale, value in zip(_powers(-alpha), _charlier(n), strict=False)))

    def matrix(self, photons: int) -> Complex:
        """Density matrix on the Fock states up to ``photons``, cut off there."""
        return np.diag((np.arange(photons + 1) == self.photons).astype(np.complex128))


@dataclass(frozen=True)
class Thermal(Formula):
    r"""A thermal state, displaced by α: the mixture of coherent states with Gaussian amplitudes around α.

    Args:
        photons: mean number :math:`\bar n` of thermal photons, >= 0:
            :math:`\langle a^\dagger a\rangle = \bar n + |\alpha|^2`.
        alpha: mean amplitude.

    Raises:
        ValueError, TypeError: for a negative or infinite number.

    >>> Thermal(0.5, alpha=1.0).mean_photons()
    1.5
    """

    KIND: ClassVar[str] = "thermal"

    photons: float
    alpha: complex = 0j

    def __post_init__(self) -> None:
        object.__setattr__(self, "photons", checks.real("photons", self.photons, minimum=0.0))
        object.__setattr__(self, "alpha", checks.complex_number("alpha", self.alpha))

    def mean_photons(self) -> float:
        """⟨a†a⟩."""
        return self.photons + abs(self.alpha) ** 2

    def draw(self, rng: np.random.Generator) -> Point:
        """A coherent state of the mixture."""
        return coherent(self.alpha + math.sqrt(self.photons) * _normal(rng))

    def wigner(self, rng: np.random.Generator) -> complex:
        """A point of the Wigner function."""
        return self.alpha + math.sqrt(self.photons + 0.5) * _normal(rng)

    def matrix(self, photons: int) -> Complex:
        """Density matrix on the Fock states up to ``photons``, cut off there."""
        f = np.arange(_wide(photons, self.alpha))
        rho = np.diag((self.photons / (self.photons + 1)) ** f / (self.photons + 1)).astype(complex)
        return _displaced(rho, self.alpha, photons)


@dataclass(frozen=True)
class Squeezed(Formula):
    r"""A squeezed coherent state.

    .. math:: D(\alpha)S(re^{i\phi})|0\rangle,\qquad S(\xi) = e^{(\xi^*a^2 - \xi a^{\dagger 2})/2}

    At φ = 0 the variance of :math:`(a + a^\dagger)/\sqrt2` is :math:`e^{-2r}/2`.

    Args:
        r: squeezing, from -2 to 2.
        phi: its direction in radians.
        alpha: mean amplitude.

    Raises:
        ValueError, TypeError: for a number out of range.

    >>> round(Squeezed(1.0).mean_photons(), 6)  # sinh² r
    1.381098
    """

    KIND: ClassVar[str] = "squeezed"

    r: float
    phi: float = 0.0
    alpha: complex = 0j

    def __post_init__(self) -> None:
        object.__setattr__(self, "r", checks.real("r", self.r, minimum=-2.0, maximum=2.0))
        object.__setattr__(self, "phi", checks.real("phi", self.phi))
        object.__setattr__(self, "alpha", checks.complex_number("alpha", self.alpha))

    def mean_photons(self) -> float:
        """⟨a†a⟩."""
        return math.sinh(self.r) ** 2 + abs(self.alpha) ** 2

    def draw(self, rng: np.random.Generator) -> Point:
        """A point of the Husimi function and what is left: p(x) = exp(αx − τ(x − α*)²/2), τ = exp(iφ) tanh r."""
        t, turn = math.tanh(self.r), np.exp(0.5j * self.phi)
        x, y = rng.standard_normal(2) / np.sqrt([2 * (1 + t), 2 * (1 - t)])
        away, tau = complex(turn * (x + 1j * y)), complex(t * turn**2)

        def levels() -> Iterator[complex]:
            now = 1 + 0j
            for k in itertools.count(step=2):
                yield now
                yield 0j
                now *= -tau * math.sqrt((k + 1) / (k + 2))

        return _point(self.alpha - tau * away.conjugate(), self.alpha + away, levels())

    def wigner(self, rng: np.random.Generator) -> complex:
        """A point of the Wigner function."""
        x, y = rng.standard_normal(2) * np.exp([-self.r, self.r]) / 2
        return self.alpha + complex(np.exp(0.5j * self.phi) * (x + 1j * y))

    def matrix(self, photons: int) -> Complex:
        """Density matrix on the Fock states up to ``photons``, cut off there."""
        wide = _wide(photons, self.alpha)
        chi = np.zeros(wide, dtype=np.complex128)
        chi[0] = 1 / math.sqrt(math.cosh(self.r))
        for k in range(0, wide - 2, 2):
            chi[k + 2] = -chi[k] * np.exp(1j * self.phi) * math.tanh(self.r) * math.sqrt((k + 1) / (k + 2))
        return _displaced(np.outer(chi, chi.conj()), self.alpha, photons)


@dataclass(frozen=True)
class Cat(Formula):
    r"""A superposition of two coherent states, :math:`|\alpha\rangle + e^{i\varphi}|-\alpha\rangle`, normalised.

    Args:
        alpha: amplitude of the first, other than 0.
        phase: φ in radians: 0 is the even cat, π the odd one.

    Raises:
        ValueError, TypeError: for an amplitude of 0 or beyond 20.

    >>> round(Cat(2.0).mean_photons(), 4)
    3.9973
    """

    KIND: ClassVar[str] = "cat"

    alpha: complex
    phase: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", checks.complex_number("alpha", self.alpha))
        object.__setattr__(self, "phase", checks.real("phase", self.phase))
        if not 0.01 <= abs(self.alpha) <= 20:
            raise checks.refuse("alpha", "a complex number of modulus 0.01 to 20", self.alpha)

    def mean_photons(self) -> float:
        """⟨a†a⟩."""
        overlap = math.exp(-2 * abs(self.alpha) ** 2) * math.cos(self.phase)
        return abs(self.alpha) ** 2 * (1 - overlap) / (1 + overlap)

    def draw(self, rng: np.random.Generator) -> Point:
        """A point of the Husimi function, and what is left: two coherent states, seen from there."""
        amplitudes = np.array([self.alpha, -self.alpha])
        while True:  # from the Husimi function of the mixture of both, accepted by their interference
            zeta = complex(amplitudes[rng.integers(2)] + _normal(rng))
            logs = zeta.conjugate() * amplitudes + 1j * np.array([0.0, self.phase])
            shares = np.exp(logs - logs.real.max())
            if rng.random() * 2 * float((np.abs(shares) ** 2).sum()) < abs(shares.sum()) ** 2:
                break
        shares /= shares.sum()
        alpha = complex(shares @ amplitudes)

        def levels() -> Iterator[complex]:
            now = shares
            for k in itertools.count():
                yield complex(now.sum())
                now = now * (amplitudes - alpha) / math.sqrt(k + 1)

        return _point(alpha, zeta, levels())

    def matrix(self, photons: int) -> Complex:
        """Density matrix on the Fock states up to ``photons``, cut off there."""
        chi = np.ones(_wide(photons, self.alpha), dtype=np.complex128)
        for k in range(chi.size - 1):
            chi[k + 1] = chi[k] * self.alpha / math.sqrt(k + 1)
        chi *= 1 + np.exp(1j * self.phase) * (-1.0) ** np.arange(chi.size)
        chi /= np.linalg.norm(chi)
        return np.outer(chi, chi.conj())[: photons + 1, : photons + 1]


Cavity = Fock | Thermal | Squeezed | Cat
CAVITIES = (Fock, Thermal, Squeezed, Cat)
#: Every state, by its kind.
KINDS: dict[str, Any] = {cavity.KIND: cavity for cavity in CAVITIES}


def _normal(rng: np.random.Generator) -> complex:
    """A complex normal number ξ with E|ξ|² = 1."""
    return complex(*rng.standard_normal(2)) / math.sqrt(2)


def _point(alpha: complex, zeta: complex, levels: Iterator[complex]) -> Point:
    """The start at ζ, with as many of the ``levels`` as matter."""
    kept: list[complex] = []
    largest, faint = 0.0, 0
    for level in itertools.islice(levels, MOST):
        kept.append(level)
        largest = max(largest, abs(level))
        faint = faint + 1 if abs(level) < FAINT * largest else 0
        if faint >= IN_A_ROW:
            break
    return Point(alpha, -1j * (zeta - alpha).conjugate(), np.array(kept[: len(kept) - faint]))


def _powers(alpha: complex) -> Iterator[complex]:
    """α^k/√k!"""
    now = 1 + 0j
    for k in itertools.count():
        yield now
        now *= alpha / math.sqrt(k + 1)


@functools.lru_cache(maxsize=32)
def _charlier(n: int) -> tuple[float, ...]:
    """The Charlier polynomial C_n(k; n), k = 0, 1, …, by its recurrence in the degree, which is stable."""
    k = np.arange(float(MOST))
    before, now = np.zeros(MOST), np.ones(MOST)
    for degree in range(n):
        before, now = now, ((degree + n - k) * now - degree * before) / n
    return tuple(now.tolist())


def _wide(photons: int, alpha: complex) -> int:
    """Fock levels in which a state that is displaced by ``alpha`` is right up to ``photons``."""
    return photons + 1 + SPARE + 4 * math.ceil(abs(alpha) ** 2)


def _displaced(rho: Complex, alpha: complex, photons: int) -> Complex:
    from scipy.linalg import expm

    a = np.diag(np.sqrt(np.arange(1.0, len(rho))), 1)
    shift = expm(alpha * a.T - np.conj(alpha) * a) if alpha else np.eye(len(rho))
    found: Complex = (shift @ rho @ shift.conj().T)[: photons + 1, : photons + 1]
    return found
