r"""Expectation values of one trajectory at one moment, as a row of channels.

With :math:`\varphi^0 = \psi = \Phi_0`, :math:`\varphi^1 = \Phi_1 + \alpha\psi` and
:math:`\varphi^2 = \sqrt2\,\Phi_2 + 2\alpha\Phi_1 + \alpha^2\psi`, normal-ordered moments are
:math:`\langle A\,a^{\dagger m}a^n\rangle = \langle\varphi^m|A|\varphi^n\rangle/\langle\psi|\psi\rangle`.
"""

from __future__ import annotations

import math

from opendicke.engine.compile import inlined_strictly

#: Channels written by ``measure``: <S> (3), ½<{S_i, S_j}> for xx yy zz xy yz zx (6), <a> (2), <a†a>, <a²> (2),
#: <a†²a²>, and <S_i a> for i = x, y, z (6); complex values as real part, imaginary part.
CHANNELS = 21


@inlined_strictly
def measure(phi, blocks, levels, stride, root_n, j, frame, field, out):  # type: ignore[no-untyped-def]
    """Write all channels of the state ``phi`` to ``out``."""
    width = 64 // phi.itemsize
    size = blocks * width
    out[:] = 0
    norm = 0.0
    # Every channel is its own sum over n: none waits for another, so strict order costs no time.
    for n in range(size):
        psi, phi1, phi2, sx, sy, sz = _components(phi, n, size, levels, stride, width, root_n, j, frame, field)
        norm += _product(psi, psi).real
        out[0] += _product(psi, sx).real
        out[1] += _product(psi, sy).real
        out[2] += _product(psi, sz).real
        out[3] += _product(sx, sx).real
        out[4] += _product(sy, sy).real
        out[5] += _product(sz, sz).real
        out[6] += _product(sx, sy).real
        out[7] += _product(sy, sz).real
        out[8] += _product(sz, sx).real
        out[11] += _product(phi1, phi1).real
        out[14] += _product(phi2, phi2).real
        a, aa = _product(psi, phi1), _product(psi, phi2)
        ax, ay, az = _product(sx, phi1), _product(sy, phi1), _product(sz, phi1)
        out[9] += a.real
        out[10] += a.imag
        out[12] += aa.real
        out[13] += aa.imag
        out[15] += ax.real
        out[16] += ax.imag
        out[17] += ay.real
        out[18] += ay.imag
        out[19] += az.real
        out[20] += az.imag
    for channel in range(CHANNELS):
        out[channel] /= norm


@inlined_strictly
def _product(left, right):  # type: ignore[no-untyped-def]
    return left.conjugate() * right


@inlined_strictly
def _components(phi, n, size, levels, stride, width, root_n, j, frame, field):  # type: ignore[no-untyped-def]
    """ψ, φ¹, φ² and the three S_i ψ (laboratory axes) at one n. The pads of ``phi`` are zero."""
    at = width + n
    psi = complex(phi[at], phi[at + stride])
    one = complex(phi[at + 2 * stride], phi[at + 3 * stride]) if levels > 1 else 0j
    two = complex(phi[at + 4 * stride], phi[at + 5 * stride]) if levels > 2 else 0j
    phi1 = one + field * psi
    phi2 = math.sqrt(2.0) * two + 2 * field * one + field * field * psi
    lower = root_n[n] * complex(phi[at - 1], phi[at - 1 + stride])
    upper = root_n[n + 1] * complex(phi[at + 1], phi[at + 1 + stride])
    s1, s2, s3 = 0.5 * (upper + lower), -0.5j * (upper - lower), (j - n) * psi
    sx = frame[0, 0] * s1 + frame[1, 0] * s2 + frame[2, 0] * s3
    sy = frame[0, 1] * s1 + frame[1, 1] * s2 + frame[2, 1] * s3
    sz = frame[0, 2] * s1 + frame[1, 2] * s2 + frame[2, 2] * s3
    return psi, phi1, phi2, sx, sy, sz
