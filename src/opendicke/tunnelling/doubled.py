r"""Motion in the doubled phase space, in which instantons live: Hamilton's equations for N → ∞.

With :math:`a \to \sqrt N a`, :math:`S \to N\sigma` and the density matrix (its Weyl symbol)
:math:`W = e^{-N S(a,\sigma)}`, the master equation becomes to leading order the Hamilton–Jacobi equation of ten real
variables: field a and spin σ, and their momenta :math:`p = \partial S/\partial a` and
:math:`\Pi = \tfrac12\,\sigma\times\partial S/\partial\sigma`. What acts on ρ from the left sees
:math:`a - \varepsilon p^*/2` and :math:`\sigma + i\varepsilon\Pi`, what acts from the right the same with −ε:
ε = 1 is the exact equation (all orders of the Moyal product), ε = 0 the truncated Wigner approximation.

.. math::
    \dot a &= -(\kappa + i\omega_c)a - iG\sigma_x - D\sigma_y + \kappa'p^*, \qquad
    \dot p = (\kappa + i\omega_c)p - 2G\Pi_x - 2iD\Pi_y \\
    \dot\sigma &= b\times\sigma - \varepsilon^2 c\times\Pi, \qquad \dot\Pi = b\times\Pi + c\times\sigma \\
    b &= (2G\,\mathrm{Re}\,a, -2D\,\mathrm{Im}\,a, \omega_a), \quad c = (G\,\mathrm{Im}\,p, -D\,\mathrm{Re}\,p, 0),
    \quad G = g_- + g_+,\; D = g_- - g_+,\; \kappa' = \kappa(2\bar n + 1)

They conserve :math:`\sigma^2 - \varepsilon^2\Pi^2 = 1/4`, :math:`\sigma\cdot\Pi = 0` and the energy, which is 0 on
every orbit that leaves a fixed point. At :math:`p = \Pi = 0` this is the mean-field flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from opendicke.model import DickeModel
from opendicke.phases.fixed_points import FixedPoint

#: Real variables: Re a, Im a, Re p, Im p, σ (3), Π (3).
SIZE = 10
#: Which of them are momenta.
MOMENTA = np.array([0, 0, 1, 1, 0, 0, 0, 1, 1, 1], dtype=np.float64)
#: The symmetry (S^x, S^y, a) → −(S^x, S^y, a) on the variables.
MIRROR = np.array([-1, -1, -1, -1, -1, -1, 1, -1, -1, 1], dtype=np.float64)


@dataclass(frozen=True)
class DoubledFlow:
    """Hamilton's equations of one model.

    Args:
        model: the model; ``n_atoms`` does not matter.
        n_thermal: mean photon number n̄ >= 0 of the cavity's surroundings.
        moyal: ε, from 0 (truncated Wigner) to 1 (exact).
    """

    model: DickeModel
    n_thermal: float = 0.0
    moyal: float = 1.0

    @property
    def noise(self) -> float:
        """κ' = κ (2 n̄ + 1)."""
        return float(self.model.kappa * (2 * self.n_thermal + 1))

    @property
    def rates(self) -> NDArray[np.float64]:
        """G, D, ω_a, ω_c, κ."""
        model = self.model
        difference = model.g_minus - model.g_plus
        return np.array([model.coupling, difference, model.omega_a, model.omega_c, model.kappa])

    def velocity(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """du/dt, shape (..., 10)."""
        big_g, big_d, _, omega_c, kappa = self.rates
        a, p, spin, turn = _parts(u)
        b, c = self._fields(a, p)
        w = kappa + 1j * omega_c
        a_dot = -w * a - 1j * big_g * spin[..., 0] - big_d * spin[..., 1] + self.noise * p.conj()
        p_dot = w * p - 2 * big_g * turn[..., 0] - 2j * big_d * turn[..., 1]
        spin_dot = np.cross(b, spin) - self.moyal**2 * np.cross(c, turn)
        return _joined(a_dot, p_dot, spin_dot, np.cross(b, turn) + np.cross(c, spin))

    def jacobian(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Derivatives of the velocity, shape (..., 10, 10): velocity is quadratic, so they are linear in u."""
        linear, quadratic = self._derivatives
        found: NDArray[np.float64] = linear + np.einsum("ijk,...k->...ij", quadratic, u)
        return found

    @cached_property
    def _derivatives(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The Jacobian at 0, and how it grows with u. Central differences of a quadratic function are exact."""
        unit = np.eye(SIZE)

        def at(u: NDArray[np.float64]) -> NDArray[np.float64]:
            return ((self.velocity(u + unit) - self.velocity(u - unit)) / 2).T

        linear = at(np.zeros(SIZE))
        return linear, np.stack([at(axis) - linear for axis in unit], axis=-1)

    def energy(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """The Hamilton function, in units of the rates: shape (...); 0 on an orbit from a fixed point."""
        big_g, big_d, omega_a, omega_c, kappa = self.rates
        a, p, spin, turn = _parts(u)
        pa = p * a
        x = 2 * turn[..., 0] * a.real + spin[..., 0] * p.imag
        y = 2 * turn[..., 1] * a.imag + spin[..., 1] * p.real
        found: NDArray[np.float64] = (
            2 * (omega_a * turn[..., 2] + omega_c * pa.imag + big_g * x - big_d * y)
            - 2 * kappa * pa.real
            + self.noise * abs(p) ** 2
        )
        return found

    def action_rate(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """dS/dt: momentum times velocity of the field, and Berry's phase of the spin (pole at m_z = +1/2)."""
        a, p, spin, turn = _parts(u)
        b, c = self._fields(a, p)
        velocity = self.velocity(u)
        field = 2 * (p * (velocity[..., 0] + 1j * velocity[..., 1])).real
        if self.moyal == 0:
            plain: NDArray[np.float64] = field + 2 * (turn * b).sum(axis=-1)
            return plain
        left, push = spin + 1j * self.moyal * turn, b + 1j * self.moyal * c
        across = left[..., 0] * push[..., 0] + left[..., 1] * push[..., 1]
        phase = push[..., 2] * (0.5 + left[..., 2]) - left[..., 2] * across / (0.5 - left[..., 2])
        found: NDArray[np.float64] = field + 2 * phase.imag / self.moyal
        return found

    def boundary(self, u: NDArray[np.float64]) -> float:
        """What the spin's coordinates, which Berry's phase leaves out, add to the action at an end: 0 where Π = 0."""
        if self.moyal == 0:
            return 0.0
        _, _, spin, turn = _parts(u)
        return float(-2 * (spin[0] * turn[1] - spin[1] * turn[0]) / abs(0.5 - spin[2] - 1j * self.moyal * turn[2]))

    def linear_action(self, u: NDArray[np.float64], rest: NDArray[np.float64]) -> float:
        """½ p·(x − x_rest): the action from a fixed point to a point so close that the flow is linear in between."""
        a, p, spin, turn = _parts(u)
        field = 2 * (p * (a - rest[0] - 1j * rest[1])).real
        # ∂S/∂σ = −8 σ × Π on the sphere of radius 1/2
        return float(field - 8 * np.cross(spin, turn) @ (spin - rest[4:7])) / 2

    def casimirs(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """σ² − ε²Π² − 1/4 and σ·Π, shape (..., 2); both 0."""
        _, _, spin, turn = _parts(u)
        length = (spin**2).sum(axis=-1) - self.moyal**2 * (turn**2).sum(axis=-1) - 0.25
        return np.stack([length, (spin * turn).sum(axis=-1)], axis=-1)

    def _fields(
        self, a: NDArray[np.complex128], p: NDArray[np.complex128]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """b and c, shape (..., 3)."""
        big_g, big_d, omega_a, _, _ = self.rates
        still = np.zeros_like(a.real)
        b = np.stack([2 * big_g * a.real, -2 * big_d * a.imag, still + omega_a], axis=-1)
        return b, np.stack([big_g * p.imag, -big_d * p.real, still], axis=-1)


def at_rest(point: FixedPoint) -> NDArray[np.float64]:
    """A mean-field fixed point as a point of the doubled phase space, without momenta."""
    still = np.zeros(3)
    return np.concatenate([[point.beta.real, point.beta.imag, 0.0, 0.0], point.m, still])


def _parts(
    u: NDArray[np.float64],
) -> tuple[NDArray[np.complex128], NDArray[np.complex128], NDArray[np.float64], NDArray[np.float64]]:
    """a, p, σ, Π."""
    return u[..., 0] + 1j * u[..., 1], u[..., 2] + 1j * u[..., 3], u[..., 4:7], u[..., 7:10]


def _joined(
    a: NDArray[np.complex128], p: NDArray[np.complex128], spin: NDArray[np.float64], turn: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.concatenate([np.stack([a.real, a.imag, p.real, p.imag], axis=-1), spin, turn], axis=-1)
