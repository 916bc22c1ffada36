r"""The hierarchy without its moving frame, field and window: all N+1 Dicke states and a fixed number of levels.

With :math:`w = \kappa + i\omega_c`, :math:`\Lambda = (g_-S^- + g_+S^+)/\sqrt N`, the decaying field
:math:`\alpha_0(t) = \alpha(0)e^{-wt}` of the initial coherent cavity, and the shift
:math:`\dot{\bar a} = -w\bar a - i\langle\Lambda\rangle`,

.. math::
    \dot\Phi_k = \left[-i\omega_aS^z - i(\alpha_0^*\Lambda + \alpha_0\Lambda^\dagger)
                 + (z^* - i\bar a^*)\Lambda - wk\right]\Phi_k - i\sqrt k\,\Lambda\Phi_{k-1}
                 - i\sqrt{k+1}\,(\Lambda^\dagger-\langle\Lambda^\dagger\rangle)\Phi_{k+1}.

It is the hierarchy of ``generator`` times :math:`e^{\bar a b^\dagger}`, so that on the same noise both give the same
:math:`\psi = \Phi_0`, and cavity moments follow as there with the field α replaced by :math:`\alpha_0`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined
from opendicke.engine.measure import CHANNELS, measure
from opendicke.engine.noise import NoisePath
from opendicke.engine.trajectory import TrajectoryFailure

#: A step of length h is cut so that h times a bound of the generator's norm stays below this (classical RK4).
STABILITY = 2.4
#: Lanes of the layout that ``measure`` reads (eight float64 in 64 bytes).
LANES = 8
#: Complex arrays as large as the hierarchy alive at once.
WORKING_COPIES = 7


@dataclass(frozen=True)
class FixedBasis:
    """Parameters of a run: N, rates, couplings and the number of hierarchy levels (level 0 included)."""

    n_atoms: int
    omega_a: float
    omega_c: float
    kappa: float
    g_minus: float
    g_plus: float
    levels: int

    def memory(self) -> float:
        """Bytes that one trajectory needs."""
        return 16.0 * WORKING_COPIES * self.levels * (self.n_atoms + 1)

    def run(
        self, spin: NDArray[np.complex128], alpha: complex, path: NoisePath, record_after: NDArray[np.int64], rows: int
    ) -> tuple[NDArray[np.float64], float]:
        """One trajectory along ``path``.

        Args:
            spin: amplitudes on |j, j−n>, shape (N+1,).
            alpha: initial cavity amplitude.
            path: noise.
            record_after: for the start and for each step's end, the row of the answer to fill, or −1: (steps + 1,).
            rows: rows of the answer.

        Returns:
            Channels of ``measure``, shape (rows, CHANNELS), and the largest norm that the highest level reached
            relative to level 0, which tells whether there were enough levels.

        Raises:
            TrajectoryFailure: at a number that is not finite.
        """
        channels = np.full((rows, CHANNELS), np.nan)
        rates = (self.omega_a, self.omega_c, self.kappa)
        scale = 1 / math.sqrt(self.n_atoms)
        couplings = (self.g_minus * scale, self.g_plus * scale)
        phi = np.zeros((self.levels, spin.size), dtype=np.complex128)
        phi[0] = spin
        noise = (path.middle, path.slope)
        step, top = _run(
            phi, complex(alpha), rates, couplings, path.steps, noise, record_after, channels, _scratch(*phi.shape)
        )
        if step < path.steps.size:
            raise TrajectoryFailure("a number that is not finite", step)
        return channels, top


def _scratch(levels: int, states: int) -> tuple[NDArray[Any], ...]:
    """Arrays to work with, made here because numba takes long to compile what makes or fills an array.

    The hierarchy five times; for every level a factor; for every state √(n(N+1−n)), padded; the rows that ``measure``
    reads; and the laboratory's axes.
    """
    stride = (-(-states // LANES) + 2) * LANES
    n, root = np.arange(states), np.zeros(stride)
    root[:states] = np.sqrt(n * (states - n))
    work, half = np.zeros((5, levels, states), dtype=np.complex128), np.zeros(levels, dtype=np.complex128)
    return work, half, root, np.zeros(6 * stride), np.eye(3)


@inlined
def _couple(source, couplings, root, out):  # type: ignore[no-untyped-def]
    """Λ applied to every level: out[k] = (g₋S⁻ + g₊S⁺)/√N source[k]."""
    minus, plus = couplings
    states = source.shape[1]
    for k in range(source.shape[0]):
        for n in range(states):
            value = 0j
            if n > 0:
                value += minus * root[n] * source[k, n - 1]
            if n + 1 < states:
                value += plus * root[n + 1] * source[k, n + 1]
            out[k, n] = value


@inlined
def _mean(psi, couplings, root):  # type: ignore[no-untyped-def]
    """<Λ>."""
    lower = 0j
    for n in range(1, psi.size):
        lower += root[n] * psi[n].conjugate() * psi[n - 1]
    return (couplings[0] * lower + couplings[1] * lower.conjugate()) / _squared(psi)


@inlined
def _squared(psi):  # type: ignore[no-untyped-def]
    """<ψ|ψ>."""
    norm = 0.0
    for n in range(psi.size):
        norm += psi[n].real ** 2 + psi[n].imag ** 2
    return norm


@inlined
def _derivative(phi, shift, field, z, omega_a, w, couplings, root, down, up, out):  # type: ignore[no-untyped-def]
    """Write ∂Φ/∂t without its damping −wk to ``out`` and return ∂ā/∂t. ``down`` is ΛΦ, ``up`` is Λ†Φ."""
    levels, states = phi.shape
    average = _mean(phi[0], couplings, root)
    _couple(phi, couplings, root, down)
    _couple(phi, (couplings[1], couplings[0]), root, up)
    drive = z - 1j * shift.conjugate() - 1j * field.conjugate()
    for k in range(levels):
        below, above = math.sqrt(k), math.sqrt(k + 1)
        for n in range(states):
            value = -1j * omega_a * (0.5 * (states - 1) - n) * phi[k, n] + drive * down[k, n] - 1j * field * up[k, n]
            if k > 0:
                value -= 1j * below * down[k - 1, n]
            if k + 1 < levels:
                value -= 1j * above * (up[k + 1, n] - average.conjugate() * phi[k + 1, n])
            out[k, n] = value
    return -w * shift - 1j * average


@inlined
def _step(phi, shift, field, z, slope, h, omega_a, w, couplings, root, work, half):  # type: ignore[no-untyped-def]
    """One Runge–Kutta step in place, the damping −wk by integrating factors; returns the new ā.

    ``z + slope t`` is the noise and ``field`` α₀ at the start of the step.
    """
    down, up, rate, stage, total = work[0], work[1], work[2], work[3], work[4]
    levels, states = phi.shape
    total_shift, stage_shift = 0j, shift
    for k in range(levels):
        half[k] = np.exp(-0.5 * h * w * k)
        for n in range(states):
            stage[k, n] = phi[k, n]
            total[k, n] = 0
    for part in range(4):
        past = 0.0 if part == 0 else (h if part == 3 else 0.5 * h)
        weight = h / 6 if part == 0 or part == 3 else h / 3
        reach = h if part == 2 else 0.5 * h
        now = field * np.exp(-w * past)
        shift_rate = _derivative(stage, stage_shift, now, z + slope * past, omega_a, w, couplings, root, down, up, rate)
        total_shift += weight * shift_rate
        stage_shift = shift + reach * shift_rate
        for k in range(levels):
            # Factors that carry this stage's rate to the end of the step, and Φ and the rate to the next stage.
            end = half[k] * half[k] if part == 0 else (1.0 + 0j if part == 3 else half[k])
            start = half[k] * half[k] if part == 2 else half[k]
            carry = 1.0 + 0j if part == 1 else half[k]
            for n in range(states):
                total[k, n] += weight * end * rate[k, n]
                stage[k, n] = start * phi[k, n] + reach * carry * rate[k, n]
    for k in range(levels):
        for n in range(states):
            phi[k, n] = half[k] * half[k] * phi[k, n] + total[k, n]
    return shift + total_shift


@inlined
def _record(phi, field, root, rows, axes, out):  # type: ignore[no-untyped-def]
    """Write the channels: the lowest three levels, in the layout of ``measure``, with laboratory axes as frame."""
    levels, states = phi.shape
    blocks = -(-states // LANES)
    stride = (blocks + 2) * LANES
    for k in range(min(levels, 3)):
        for n in range(states):
            rows[2 * k * stride + LANES + n] = phi[k, n].real
            rows[(2 * k + 1) * stride + LANES + n] = phi[k, n].imag
    measure(rows, blocks, min(levels, 3), stride, root, 0.5 * (states - 1), axes, field, out)


@compiled
def _run(phi, alpha, rates, couplings, steps, noise, record_after, channels, scratch):  # type: ignore[no-untyped-def]
    """Run along the path. Returns (steps completed, largest relative norm of the highest level)."""
    omega_a, w = rates[0], rates[2] + 1j * rates[1]
    middle, slope = noise
    work, half, root, rows, axes = scratch
    levels, states = phi.shape
    j = 0.5 * (states - 1)
    strength = (abs(couplings[0]) + abs(couplings[1])) * (j + 0.5)
    shift, top, time = 0j, 0.0, 0.0
    for step in range(steps.size + 1):
        field = alpha * np.exp(-w * time)
        if record_after[step] >= 0:
            _record(phi, field, root, rows, axes, channels[record_after[step]])
        if step == steps.size:
            break
        size = abs(middle[step]) + 0.5 * abs(slope[step]) * steps[step] + abs(shift)
        bound = (size + 2 * abs(field) + 2 * math.sqrt(levels)) * strength + abs(omega_a) * j
        pieces = max(math.ceil(steps[step] * bound / STABILITY), 1)
        h = steps[step] / pieces
        for piece in range(pieces):
            z = middle[step] + slope[step] * (piece * h - 0.5 * steps[step])
            now = field * np.exp(-w * (piece * h))
            shift = _step(phi, shift, now, z, slope[step], h, omega_a, w, couplings, root, work, half)
            norm, highest = _squared(phi[0]), _squared(phi[levels - 1])
            if not (math.isfinite(norm) and math.isfinite(highest) and norm > 0):
                return step, top
            top = max(top, math.sqrt(highest / norm))
            scale = 1 / math.sqrt(norm)
            for k in range(levels):
                for n in range(states):
                    phi[k, n] *= scale
        time += steps[step]
    return steps.size, top
