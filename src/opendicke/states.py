"""Initial states: spin coherent states with a coherent cavity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import checks


def _cos_sin(angle: float) -> tuple[float, float]:
    """Cosine and sine, exact at whole multiples of a quarter turn (so that a pole is a pole)."""
    quarter = round(angle / (math.pi / 2))
    if angle == quarter * (math.pi / 2):
        exact = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))
        return exact[quarter % 4]
    return math.cos(angle), math.sin(angle)


@dataclass(frozen=True)
class SpinCoherent:
    r"""A spin coherent state times a coherent cavity state, :math:`|\theta,\phi\rangle\otimes|\alpha\rangle`.

    .. math::
        |\theta,\phi\rangle = e^{(\theta e^{i\phi}S^- - \theta e^{-i\phi}S^+)/2}|j,j\rangle
        = \sum_n \binom{N}{n}^{1/2}\cos^{N-n}\tfrac\theta2\,\sin^n\tfrac\theta2\,e^{in\phi}\,|j,j-n\rangle

    so that :math:`\langle S\rangle = \tfrac N2(\sin\theta\cos\phi, \sin\theta\sin\phi, \cos\theta)`.

    Args:
        theta: polar angle in radians; 0 is all atoms up, π all down.
        phi: azimuth in radians.
        alpha: cavity amplitude :math:`\langle a\rangle`, complex (not scaled with N); 0 is the vacuum.

    Raises:
        ValueError, TypeError: for an angle or amplitude that is not a finite number.

    >>> SpinCoherent(theta=np.pi / 2, phi=0.0).direction
    (1.0, 0.0, 0.0)
    """

    theta: float
    phi: float = 0.0
    alpha: complex = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "theta", checks.real("theta", self.theta))
        object.__setattr__(self, "phi", checks.real("phi", self.phi))
        object.__setattr__(self, "alpha", checks.complex_number("alpha", self.alpha))

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


def Normal() -> SpinCoherent:
    """The normal state: all atoms down, cavity in vacuum.

    >>> Normal().direction
    (0.0, 0.0, -1.0)
    """
    return SpinCoherent(theta=math.pi)


def Inverted() -> SpinCoherent:
    """The inverted state: all atoms up, cavity in vacuum."""
    return SpinCoherent(theta=0.0)


def check_state(state: Any) -> None:
    """Refuse what is no state."""
    checks.instance("state", state, SpinCoherent, "a state such as opendicke.SpinCoherent(theta, phi)")


#: Names under which other states are looked for.
OTHER_STATES = ("Fock", "Dicke", "GHZ", "Thermal", "Squeezed", "Cat", "Coherent", "Vacuum", "W")


def hint_for(name: str) -> str:
    """What to say to someone who looks for a state that is not there; empty for any other name."""
    if name.removesuffix("State").lower() not in {state.lower() for state in OTHER_STATES}:
        return ""
    return "Initial states are SpinCoherent(theta, phi, alpha), Normal() and Inverted(); others are not available."
