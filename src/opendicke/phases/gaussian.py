r"""Gaussian quantum fluctuations about a stable mean-field fixed point, in the limit N → ∞.

About a fixed point with axes e1, e2, e3 (e3 along the mean spin) Holstein and Primakoff's boson b describes the spin,

.. math::
    S\cdot e_3 = \tfrac N2 - b^\dagger b,\qquad S\cdot(e_1 + ie_2) \to \sqrt N\,b,\qquad a = \sqrt N\,\beta + c ,

and to leading order in 1/N the quadratures :math:`r = (x, p, X, P)`, with :math:`b = (x+ip)/\sqrt2` and
:math:`c = (X+iP)/\sqrt2`, obey linear Langevin equations whose drift J is the Jacobian of the mean-field flow:

.. math::
    \dot r = Jr + \sqrt{2\kappa}\,(0, 0, X_{in}, P_{in}),\qquad JV + VJ^T + \mathrm{diag}(0, 0, \kappa, \kappa) = 0,
    \qquad V = \tfrac12\langle rr^T + (rr^T)^T\rangle

with vacuum noise at the input. About the normal state :math:`S^- \to \sqrt N\,b`. Where several fixed points attract,
these are the fluctuations about one of them; tunnelling between them lies beyond this theory.

Sources: T. Holstein and H. Primakoff, Phys. Rev. 58, 1098 (1940); C. W. Gardiner and M. J. Collett, Phys. Rev. A 31,
3761 (1985), for the output field; A. S. Sørensen et al., Nature 409, 63 (2001), for the squeezing parameter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from opendicke import checks
from opendicke.phases.fixed_points import FixedPoint

#: (c, c†) = QUADRATURES (X, P).
QUADRATURES = np.array([[1.0, 1.0j], [1.0, -1.0j]]) / math.sqrt(2)


@dataclass(frozen=True, eq=False)
class Fluctuations:
    r"""Stationary Gaussian fluctuations about ``point``.

    Attributes:
        point: the fixed point.
        covariance: V, shape (4, 4), of (x, p, X, P); 1/2 on the diagonal is vacuum.
    """

    point: FixedPoint
    covariance: NDArray[np.float64]

    @property
    def squeezing(self) -> float:
        r"""Spin squeezing :math:`\xi^2 = N\min\mathrm{Var}(S_\perp)/|\langle S\rangle|^2`, over axes ⊥ <S>.

        .. math:: \xi^2 = 2\min_\psi V_{\psi\psi} = 1 + 2\langle b^\dagger b\rangle - 2|\langle b^2\rangle|
        """
        return float(2 * np.linalg.eigvalsh(self.covariance[:2, :2])[0])

    @property
    def antisqueezing(self) -> float:
        r""":math:`N\max\mathrm{Var}(S_\perp)/|\langle S\rangle|^2`, over axes orthogonal to <S>."""
        return float(2 * np.linalg.eigvalsh(self.covariance[:2, :2])[1])

    @property
    def squeezing_angle(self) -> float:
        """Angle ψ in [0, π), in radians: the variance is smallest along cos ψ e1 + sin ψ e2 (``point.frame``)."""
        direction = np.linalg.eigh(self.covariance[:2, :2])[1][:, 0]
        return float(math.atan2(direction[1], direction[0]) % math.pi)

    @property
    def squeezing_axis(self) -> NDArray[np.float64]:
        """The unit vector, shape (3,), in space along which the spin's variance is smallest (its sign is arbitrary)."""
        axis: NDArray[np.float64] = (
            np.array([math.cos(self.squeezing_angle), math.sin(self.squeezing_angle)]) @ self.point.frame[:2]
        )
        return axis

    @property
    def excitations(self) -> float:
        r""":math:`\langle b^\dagger b\rangle = N/2 - \langle S\cdot e_3\rangle`, 0 for a spin coherent state."""
        return float(self.covariance[0, 0] + self.covariance[1, 1] - 1) / 2

    @property
    def b2(self) -> complex:
        r""":math:`\langle b^2\rangle = \tfrac12(V_{xx} - V_{pp}) + iV_{xp}`."""
        v = self.covariance
        return complex((v[0, 0] - v[1, 1]) / 2, v[0, 1])

    @property
    def photons(self) -> float:
        r""":math:`\langle c^\dagger c\rangle = \langle a^\dagger a\rangle - |\langle a\rangle|^2`: incoherent light."""
        return float(self.covariance[2, 2] + self.covariance[3, 3] - 1) / 2

    @property
    def c2(self) -> complex:
        r""":math:`\langle c^2\rangle = \langle a^2\rangle - \langle a\rangle^2`."""
        v = self.covariance
        return complex((v[2, 2] - v[3, 3]) / 2, v[2, 3])

    @property
    def cavity_squeezing(self) -> float:
        """Smallest variance of a quadrature of the cavity field, relative to vacuum (below 1: squeezed)."""
        return float(2 * np.linalg.eigvalsh(self.covariance[2:, 2:])[0])

    @property
    def photon_variance(self) -> float:
        r"""Variance of the photon number, with N = ``point.model.n_atoms``.

        .. math::
            \mathrm{Var}(a^\dagger a) = N\left[|\beta|^2(1 + 2n) + 2\,\mathrm{Re}(\beta^{*2}\langle c^2\rangle)\right]
            + n^2 + |\langle c^2\rangle|^2 + n,\qquad n = \langle c^\dagger c\rangle

        For β = 0 this is the limit N → ∞; otherwise its first term is the leading order, and there are further
        corrections of order 1.
        """
        n, beta = self.photons, self.point.beta
        coherent = abs(beta) ** 2 * (1 + 2 * n) + 2 * (beta.conjugate() ** 2 * self.c2).real
        return float(self.point.model.n_atoms * coherent + n**2 + abs(self.c2) ** 2 + n)

    @property
    def logarithmic_negativity(self) -> float:
        r"""Entanglement of the atoms with the cavity, :math:`\max(0, -\ln 2\nu)`, ν the smallest symplectic eigenvalue
        of the partially transposed covariance (natural logarithm).
        """
        v = self.covariance
        symplectic = np.linalg.det(v[:2, :2]) + np.linalg.det(v[2:, 2:]) - 2 * np.linalg.det(v[:2, 2:])
        root = math.sqrt(max(symplectic**2 - 4 * np.linalg.det(v), 0.0))
        # ν² = (symplectic − root) / 2, written so that it does not cancel.
        smallest = math.sqrt(2 * np.linalg.det(v) / (symplectic + root))
        return max(0.0, -math.log(2 * smallest))

    def response(self, omega: ArrayLike) -> NDArray[np.complex128]:
        r"""How the output field answers the input, :math:`r_{out}(\omega) = T(\omega)\,r_{in}(\omega)`, r = (X, P).

        .. math::
            T(\omega) = 2\kappa\left[(-i\omega - J)^{-1}\right]_{\text{cavity}} - 1,\qquad
            a_{out} = \sqrt{2\kappa}\,a - a_{in}

        Args:
            omega: frequencies (of the rotating frame of H), any shape, in units of the rates.

        Returns:
            shape (..., 2, 2), for Fourier components that go as :math:`e^{-i\omega t}`.
        """
        frequencies = np.asarray(omega, dtype=float)
        resolvent = np.linalg.inv(-1j * frequencies[..., None, None] * np.eye(4) - self.point.jacobian)
        scattered: NDArray[np.complex128] = 2 * self.point.model.kappa * resolvent[..., 2:, 2:] - np.eye(2)
        return scattered

    def output_spectrum(self, omega: ArrayLike) -> xr.Dataset:
        r"""Spectrum of the light that leaves the cavity, without the coherent part.

        .. math::
            S(\omega) = \int d\tau\,e^{-i\omega\tau}\langle a_{out}^\dagger(\tau)\,a_{out}(0)\rangle_c,\qquad
            \int\frac{d\omega}{2\pi}\,S(\omega) = 2\kappa\langle c^\dagger c\rangle

        S is even in ω: the light has one way out and comes from vacuum, so photons leave in pairs ω, −ω.
        The coherent part, absent for β = 0, is a line of :math:`2\kappa N|\beta|^2` photons per unit time at ω = 0,
        the frequency of the rotating frame.

        Args:
            omega: frequencies, one-dimensional, in units of the rates; ω = ω_c is an empty cavity's resonance.

        Returns:
            Dataset over ``omega`` with ``spectrum`` (S, dimensionless: photons per unit time and bandwidth dω/2π),
            ``squeezing`` (smallest noise of an output quadrature relative to vacuum; symmetric in ω) and
            ``squeezing_angle`` (of that quadrature :math:`X\cos\phi + P\sin\phi`, in [0, π), radians).

        >>> from opendicke import DickeModel
        >>> from opendicke.analysis import fixed_point
        >>> model = DickeModel(n_atoms=100, omega_a=1, omega_c=1, kappa=1, g_minus=1.8, g_plus=0.782)
        >>> light = fluctuations(fixed_point(model, "normal")).output_spectrum([0.0])
        >>> light.spectrum.values.round(2), light.squeezing.values.round(4)
        (array([21.8]), array([0.0112]))
        """
        frequencies = np.asarray(omega, dtype=float)
        if frequencies.ndim != 1 or not np.isfinite(frequencies).all():
            raise checks.refuse("omega", "a one-dimensional sequence of finite frequencies", omega)
        response = self.response(frequencies)
        # Vacuum comes in, so S is what turns the input's creation part into the output's annihilation part.
        creation = (QUADRATURES @ response @ np.linalg.inv(QUADRATURES))[:, 0, 1]
        noise, directions = np.linalg.eigh((response @ response.conj().swapaxes(-1, -2)).real)
        angle = np.arctan2(directions[:, 1, 0], directions[:, 0, 0]) % math.pi
        meaning = {
            "spectrum": (np.abs(creation) ** 2, "1", "incoherent photons per unit time and bandwidth domega/2pi"),
            "squeezing": (noise[:, 0], "1", "smallest noise of an output quadrature, relative to vacuum"),
            "squeezing_angle": (angle, "rad", "angle of the quietest output quadrature"),
        }
        return xr.Dataset(
            {
                name: ("omega", values, {"units": units, "definition": definition})
                for name, (values, units, definition) in meaning.items()
            },
            coords={"omega": ("omega", frequencies, {"units": "rate"})},
            attrs={"fixed_point": self.point.kind, "output": "a_out = sqrt(2 kappa) a - a_in"},
        )


def fluctuations(point: FixedPoint) -> Fluctuations:
    r"""The stationary Gaussian fluctuations about a stable fixed point.

    .. math:: JV + VJ^T + \mathrm{diag}(0, 0, \kappa, \kappa) = 0

    Args:
        point: a stable fixed point, e.g. ``fixed_point(model, "normal")``.

    Raises:
        TypeError: if ``point`` is not a fixed point.
        ValueError: if it is not stable: fluctuations about it grow and no stationary state exists.

    >>> from opendicke import DickeModel
    >>> from opendicke.analysis import fixed_point
    >>> model = DickeModel(n_atoms=100, omega_a=1, omega_c=1, kappa=1, g_minus=1.8, g_plus=0.782)
    >>> normal = fluctuations(fixed_point(model, "normal"))
    >>> round(normal.squeezing, 6), round(normal.excitations, 6), round(normal.photons, 6)
    (0.575405, 1.014969, 0.975739)
    """
    if not isinstance(point, FixedPoint):
        hint = 'Pass fixed_point(model, "normal").'
        raise checks.refuse("point", "a FixedPoint", point, hint, TypeError)
    if not point.is_stable:
        got = f"the {point.stability} {point.kind} state (largest growth rate {point.leading:.3g})"
        raise checks.refuse("point", "a stable fixed point", got, "Take one of fixed_points(model) with is_stable.")
    from scipy.linalg import solve_continuous_lyapunov

    kappa = point.model.kappa
    covariance = solve_continuous_lyapunov(point.jacobian, -np.diag([0.0, 0.0, kappa, kappa]))
    return Fluctuations(point, (covariance + covariance.T) / 2)
