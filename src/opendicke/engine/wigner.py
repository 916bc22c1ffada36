r"""Trajectories of the truncated Wigner approximation: a classical spin and a damped amplitude with vacuum noise.

.. math::
    \dot S = B\times S,\quad B = (2g_x\,\mathrm{Re}\,\alpha, -2g_y\,\mathrm{Im}\,\alpha, \omega_a),\qquad
    \alpha = \bar\alpha + \xi,\quad \dot{\bar\alpha} = -(\kappa+i\omega_c)\bar\alpha - ig_xS_x - g_yS_y

All noise is in ξ, the vacuum of the cavity: stationary, Gaussian, :math:`E|\xi|^2 = 1/2` and
:math:`d\xi = -(\kappa+i\omega_c)\xi\,dt + \sqrt\kappa\,dW`. It does not depend on the spin, so it is drawn exactly;
in a step it is the straight line with the path's first two moments. What is left, (S, ᾱ), is smooth and is solved by
the commutator-free Lie group method of fourth order: the spin is only ever turned, so its length is kept, and ᾱ decays
exactly. Without coupling nothing is approximated.

This is for one spin and one mode with constant rates; ``system_flow`` has all else, along the same paths.

Source: E. Celledoni, A. Marthinsen and B. Owren, Future Gener. Comput. Syst. 19, 341 (2003), the four-stage method
with five exponentials whose abelian part is the classical Runge–Kutta method.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined
from opendicke.engine.noise import NoisePath, OrnsteinUhlenbeck


@dataclass(frozen=True)
class VacuumPath(NoisePath):
    """A path of ξ: its line in each step, and its value at the start and at each step's end."""

    ends: NDArray[np.complex128]

    def start(self) -> VacuumPath:
        """The part of no length at the start."""
        return VacuumPath(self.steps[:0], self.middle[:0], self.slope[:0], self.ends[:1])

    def coarsen(self, factor: int) -> VacuumPath:
        """The same path on a grid ``factor`` times coarser."""
        lines = super().coarsen(factor)
        return VacuumPath(lines.steps, lines.middle, lines.slope, self.ends[::factor].copy())


class VacuumNoise(OrnsteinUhlenbeck):
    r"""Paths of :math:`\xi = z/\sqrt2`, z the unit noise, on one grid of steps."""

    def sample(self, rng: np.random.Generator) -> VacuumPath:
        """Draw one path, starting from the vacuum."""
        normals = rng.standard_normal((self.steps.size + 1, 6)).view(np.complex128) / np.sqrt(2)
        middle = np.empty(self.steps.size, dtype=np.complex128)
        slope, ends = np.empty_like(middle), np.empty(self.steps.size + 1, dtype=np.complex128)
        _walk(normals, self._kind, self._mean, self._root, self.steps, middle, slope, ends)
        return VacuumPath(self.steps, *(part.conj() / np.sqrt(2) for part in (middle, slope, ends)))


@compiled
def _walk(normals, kind, mean, root, steps, middle, slope, ends):  # type: ignore[no-untyped-def]
    """z*: its line in every step, and its value at the start and at every step's end."""
    z = normals[0, 0]
    ends[0] = z
    for i in range(steps.size):
        m, r, x, h = mean[kind[i]], root[kind[i]], normals[i + 1], steps[i]
        middle[i] = (m[1] * z + r[1, 0] * x[0] + r[1, 1] * x[1]) / h
        slope[i] = 12 * (m[2] * z + r[2, 0] * x[0] + r[2, 1] * x[1] + r[2, 2] * x[2]) / h**3
        z = m[0] * z + r[0, 0] * x[0]
        ends[i + 1] = z


@dataclass(frozen=True)
class WignerFlow:
    """The equations of motion: frequencies, decay rate of the field, and couplings of S_x and S_y to it."""

    omega_a: float
    omega_c: float
    kappa: float
    coupling_x: float
    coupling_y: float

    def run(
        self, spin: NDArray[np.float64], amplitude: complex, path: VacuumPath, hits: NDArray[np.int64], moments: int
    ) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
        """One trajectory.

        Args:
            spin: the spin at the start, shape (3,).
            amplitude: ᾱ at the start.
            path: the noise.
            hits: for the start and each step's end, where in the answer its values go, or −1.
            moments: length of the answer.

        Returns:
            The spin, shape (moments, 3), and α, shape (moments,).
        """
        halves = np.exp(-(self.kappa + 1j * self.omega_c) * path.steps / 2)
        model = (self.omega_a, self.coupling_x, self.coupling_y)
        spins, fields = np.empty((moments, 3)), np.empty(moments, dtype=np.complex128)
        start = (float(spin[0]), float(spin[1]), float(spin[2]))
        noise = (path.middle, path.slope, path.ends)
        _propagate(model, path.steps, halves, noise, hits, start, complex(amplitude), spins, fields)
        return spins, fields


# Below, ``model`` is (ω_a, coupling of S_x, coupling of S_y).


@compiled
def _propagate(model, steps, halves, noise, hits, spin, mean, spins, fields):  # type: ignore[no-untyped-def]
    middle, slope, ends = noise
    for i in range(steps.size + 1):
        if hits[i] >= 0:
            for axis in range(3):
                spins[hits[i], axis] = spin[axis]
            fields[hits[i]] = mean + ends[i]
        if i < steps.size:
            spin, mean = step(model, steps[i], halves[i], middle[i], slope[i], spin, mean)


@inlined
def step(model, h, half, middle, slope, spin, mean):  # type: ignore[no-untyped-def]
    """One step of length h of the spin and of ᾱ; ``half`` is the factor by which ᾱ decays in h/2.

    k1 … k4 are h B at the stages, f1 … f4 what drives ᾱ there.
    """
    edge = 0.5 * h * slope
    k1, f1 = turn(model, h, mean + middle - edge), drive(model, spin)
    spin2 = rotated(scaled(0.5, k1), spin)
    k2, f2 = turn(model, h, half * (mean + 0.5 * h * f1) + middle), drive(model, spin2)
    spin3 = rotated(scaled(0.5, k2), spin)
    k3, f3 = turn(model, h, half * mean + 0.5 * h * f2 + middle), drive(model, spin3)
    spin4 = rotated((k3[0] - 0.5 * k1[0], k3[1] - 0.5 * k1[1], k3[2] - 0.5 * k1[2]), spin2)
    k4, f4 = turn(model, h, half * (half * mean + h * f3) + middle + edge), drive(model, spin4)
    spin = rotated(weighted(k1, k2, k3, k4), spin)
    spin = rotated(weighted(k4, k2, k3, k1), spin)
    mean = half * half * (mean + h * f1 / 6) + half * h * (f2 + f3) / 3 + h * f4 / 6
    return spin, mean


@inlined
def turn(model, h, field):  # type: ignore[no-untyped-def]
    """The rotation vector h B in the field α."""
    return 2 * h * model[1] * field.real, -2 * h * model[2] * field.imag, h * model[0]


@inlined
def drive(model, spin):  # type: ignore[no-untyped-def]
    """What the spin adds to dᾱ/dt."""
    return complex(-model[2] * spin[1], -model[1] * spin[0])


@inlined
def scaled(factor, k):  # type: ignore[no-untyped-def]
    """The vector factor times k."""
    return factor * k[0], factor * k[1], factor * k[2]


@inlined
def weighted(near, k2, k3, far):  # type: ignore[no-untyped-def]
    """(3 near + 2 k2 + 2 k3 − far)/12: one of the two rotations that make up a step."""
    return (
        (3 * near[0] + 2 * (k2[0] + k3[0]) - far[0]) / 12,
        (3 * near[1] + 2 * (k2[1] + k3[1]) - far[1]) / 12,
        (3 * near[2] + 2 * (k2[2] + k3[2]) - far[2]) / 12,
    )


@inlined
def rotated(k, s):  # type: ignore[no-untyped-def]
    """The vector s turned about k by the angle abs(k): s + sin θ/θ k×s + (1 − cos θ)/θ² k×(k×s)."""
    half = 0.5 * math.sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2])
    sinc = math.sin(half) / half if half > 0 else 1.0
    first, second = sinc * math.cos(half), 0.5 * sinc * sinc
    x, y, z = k[1] * s[2] - k[2] * s[1], k[2] * s[0] - k[0] * s[2], k[0] * s[1] - k[1] * s[0]
    return (
        s[0] + first * x + second * (k[1] * z - k[2] * y),
        s[1] + first * y + second * (k[2] * x - k[0] * z),
        s[2] + first * z + second * (k[0] * y - k[1] * x),
    )
