r"""Expectation values of one trajectory at one moment, as a row of channels.

With :math:`\varphi^0 = \psi = \Phi_0`, :math:`\varphi^1 = \Phi_1 + \alpha\psi` and
:math:`\varphi^2 = \sqrt2\,\Phi_2 + 2\alpha\Phi_1 + \alpha^2\psi`, normal-ordered moments are
:math:`\langle A\,a^{\dagger m}a^n\rangle = \langle\varphi^m|A|\varphi^n\rangle/\langle\psi|\psi\rangle`.
"""

from __future__ import annotations

import math

import numpy as np

from opendicke.engine.compile import compiled

#: Channels written by ``measure``: <S> (3), ½<{S_i, S_j}> for xx yy zz xy yz zx (6), <a> (2), <a†a>, <a²> (2),
#: <a†²a²>, and <S_i a> for i = x, y, z (6); complex values as real part, imaginary part.
CHANNELS = 21


@compiled
def measure(phi, blocks, levels, stride, root_n, j, frame, field, out):  # type: ignore[no-untyped-def]
    """Write all channels of the state ``phi`` to ``out``."""
    width = 64 // phi.itemsize
    size = blocks * width
    psi, spin_psi, phi1, phi2 = _vectors(phi, size, levels, stride, width, root_n, j, frame, field)
    norm = 0.0
    for n in range(size):
        norm += psi[n].real ** 2 + psi[n].imag ** 2
    inverse = 1 / norm
    for i in range(3):
        out[i] = _overlap(psi, spin_psi[i]).real * inverse
        out[3 + i] = _overlap(spin_psi[i], spin_psi[i]).real * inverse
        out[6 + i] = _overlap(spin_psi[i], spin_psi[(i + 1) % 3]).real * inverse
        mixed = _overlap(spin_psi[i], phi1) * inverse
        out[15 + 2 * i], out[16 + 2 * i] = mixed.real, mixed.imag
    amplitude, square = _overlap(psi, phi1) * inverse, _overlap(psi, phi2) * inverse
    out[9], out[10] = amplitude.real, amplitude.imag
    out[11] = _overlap(phi1, phi1).real * inverse
    out[12], out[13] = square.real, square.imag
    out[14] = _overlap(phi2, phi2).real * inverse


@compiled
def _vectors(phi, size, levels, stride, width, root_n, j, frame, field):  # type: ignore[no-untyped-def]
    """ψ, the three S_i ψ (laboratory axes), φ¹ and φ² as complex vectors over n."""
    psi = np.empty(size, dtype=np.complex128)
    phi1 = np.empty_like(psi)
    phi2 = np.empty_like(psi)
    for n in range(size):
        at = width + n
        psi[n] = phi[at] + 1j * phi[at + stride]
        one = phi[at + 2 * stride] + 1j * phi[at + 3 * stride] if levels > 1 else 0j
        two = phi[at + 4 * stride] + 1j * phi[at + 5 * stride] if levels > 2 else 0j
        phi1[n] = one + field * psi[n]
        phi2[n] = math.sqrt(2.0) * two + 2 * field * one + field * field * psi[n]
    spin_psi = np.empty((3, size), dtype=np.complex128)
    for n in range(size):
        lower = root_n[n] * psi[n - 1] if n > 0 else 0j
        upper = root_n[n + 1] * psi[n + 1] if n + 1 < size else 0j
        s1, s2, s3 = 0.5 * (upper + lower), -0.5j * (upper - lower), (j - n) * psi[n]
        for i in range(3):
            spin_psi[i, n] = frame[0, i] * s1 + frame[1, i] * s2 + frame[2, i] * s3
    return psi, spin_psi, phi1, phi2


@compiled
def _overlap(left, right):  # type: ignore[no-untyped-def]
    value = 0j
    for n in range(left.size):
        value += left[n].conjugate() * right[n]
    return value
