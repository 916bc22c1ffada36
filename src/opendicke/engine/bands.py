r"""Exponentials of operators that are linear or quadratic in the spin, on the window of states |n> = |j, j−n>.

A linear operator is four complex numbers (lower, upper, slope, offset): lower·S'_- + upper·S'_+ + offset − slope·n.
Sums of products of two are five diagonals. exp of such a sum, which is nearly anti-Hermitian, is a series of Chebyshev
polynomials: about as many applications of the operator as its spectrum's half width (Y. Saad, SIAM J. Numer. Anal. 29,
209 (1992); H. Tal-Ezer and R. Kosloff, J. Chem. Phys. 81, 3967 (1984)).

The state is two rows of ``stride`` numbers, real and imaginary parts, amplitude n at position ``PAD`` + n; outside of
the window it is zero.
"""

from __future__ import annotations

import math

from opendicke.engine.compile import inlined
from opendicke.engine.kernels import chebyshev_term

PAD = 8
#: Chebyshev terms below this are left out, and one series turns by at most so much and grows by at most e to so much.
SMALLEST, LONGEST_TURN, MOST_GROWTH = 1e-10, 2000.0, 3.0


@inlined
def linear(x, y, z, mean, axes, down, s1, s2, out):  # type: ignore[no-untyped-def]
    """(x, y, z)·(S − mean) + ``mean`` written to ``out``, for laboratory components and the mean spin in the frame."""
    p = x * axes[0, 0] + y * axes[0, 1] + z * axes[0, 2]
    q = x * axes[1, 0] + y * axes[1, 1] + z * axes[1, 2]
    r = x * axes[2, 0] + y * axes[2, 1] + z * axes[2, 2]
    out[0], out[1], out[2] = 0.5 * (p + 1j * q), 0.5 * (p - 1j * q), r
    out[3] = mean + r * down - p * s1 - q * s2


@inlined
def apply(operator, source, out, factor, states, stride, root_n):  # type: ignore[no-untyped-def]
    """Add ``factor`` · operator · source to ``out``, for a linear operator; ``out`` is another array."""
    for n in range(states):
        at = PAD + n
        value = factor * (
            operator[0] * root_n[n] * complex(source[at - 1], source[at - 1 + stride])
            + operator[1] * root_n[n + 1] * complex(source[at + 1], source[at + 1 + stride])
            + (operator[3] - operator[2] * n) * complex(source[at], source[at + stride])
        )
        out[at] += value.real
        out[at + stride] += value.imag


@inlined
def add_product(bands, outer, inner, states, stride, root_n):  # type: ignore[no-untyped-def]
    """Add outer · inner to the diagonals −2 … 2, kept as (re, im) rows."""
    for n in range(states):
        r0, r1, r2 = root_n[n], root_n[n + 1], root_n[n + 2]
        rm = root_n[n - 1] if n > 0 else 0.0
        d = outer[3] - outer[2] * n
        e = inner[3] - inner[2] * n
        below, above = outer[0] * r0, outer[1] * r1
        b0 = below * inner[0] * rm
        b1 = below * (e + inner[2]) + d * inner[0] * r0
        b2 = below * inner[1] * r0 + d * e + above * inner[0] * r1
        b3 = above * (e - inner[2]) + d * inner[1] * r1
        b4 = above * inner[1] * r2
        at = PAD + n
        bands[at] += b0.real
        bands[at + stride] += b0.imag
        bands[at + 2 * stride] += b1.real
        bands[at + 3 * stride] += b1.imag
        bands[at + 4 * stride] += b2.real
        bands[at + 5 * stride] += b2.imag
        bands[at + 6 * stride] += b3.real
        bands[at + 7 * stride] += b3.imag
        bands[at + 8 * stride] += b4.real
        bands[at + 9 * stride] += b4.imag


@inlined
def spectrum(bands, states, stride):  # type: ignore[no-untyped-def]
    """Middle and half width of the spectrum's imaginary part, and the largest real part, by Gershgorin's discs.

    Of the anti-Hermitian and of the Hermitian part of the bands, cut to the window.
    """
    low, high, growth = 1e300, -1e300, 0.0
    for n in range(states):
        at = PAD + n
        turn, grow = 0.0, 0.0
        for offset in range(-2, 3):
            if offset == 0 or n + offset < 0 or n + offset >= states:
                continue
            here, there = at + (4 + 2 * offset) * stride, at + offset + (4 - 2 * offset) * stride
            re, im, rt, it = bands[here], bands[here + stride], bands[there], bands[there + stride]
            turn += math.sqrt((re - rt) ** 2 + (im + it) ** 2)
            grow += math.sqrt((re + rt) ** 2 + (im - it) ** 2)
        centre = bands[at + 5 * stride]
        low, high = min(low, centre - 0.5 * turn), max(high, centre + 0.5 * turn)
        growth = max(growth, abs(bands[at + 4 * stride]) + 0.5 * grow)
    return 0.5 * (low + high), 0.5 * (high - low), growth


@inlined
def bessel(z, lean, table):  # type: ignore[no-untyped-def]
    """J_0(z) … by Miller's recurrence downwards, until exp(k lean) J_k is below ``SMALLEST``; returns how many."""
    start = int(z + 12 * z ** (1.0 / 3.0) + 30)
    start += start % 2
    above, value, total = 0.0, 1e-280, 0.0
    for k in range(start, 0, -1):
        above, value = value, 2 * k / z * value - above
        if abs(value) > 1e200:  # everything so far was far too small
            above, total, value = above * 1e-250, total * 1e-250, value * 1e-250
            for i in range(k, start):
                table[i] *= 1e-250
        table[k - 1] = value
        if (k - 1) % 2 == 0 and k > 1:
            total += 2 * value
    total += value
    count = start
    for k in range(start):
        table[k] /= total
    while count > 2 and abs(table[count - 1]) * math.exp(lean * (count - 1)) < SMALLEST:
        count -= 1
    return count


@inlined
def exponentiate(phi, one, two, bands, blocks, stride, table):  # type: ignore[no-untyped-def]
    """phi = exp(bands) phi; ``one`` and ``two`` are work space. Returns applications."""
    states = 8 * blocks
    middle, width, growth = spectrum(bands, states, stride)
    parts = max(1, math.ceil(max(width / LONGEST_TURN, growth / MOST_GROWTH)))
    # the polynomials grow as exp(k asinh(growth / z)) on a spectrum that leans out of the interval
    z = max(width, 2 * growth, 1e-3) / parts
    terms = bessel(z, math.asinh(growth / parts / z), table)
    for n in range(states):
        bands[PAD + n + 5 * stride] -= middle
    c, s = math.cos(middle / parts), math.sin(middle / parts)
    for _ in range(parts):
        for i in range(2 * stride):
            one[i] = phi[i]
            two[i] = 0
            phi[i] *= table[0]
        chebyshev_term(bands, one, two, phi, 1 / (z * parts), 2 * table[1], blocks, stride)
        for k in range(2, terms):
            if k % 2 == 0:
                chebyshev_term(bands, two, one, phi, 2 / (z * parts), 2 * table[k], blocks, stride)
            else:
                chebyshev_term(bands, one, two, phi, 2 / (z * parts), 2 * table[k], blocks, stride)
        for i in range(stride):
            re, im = phi[i], phi[i + stride]
            phi[i], phi[i + stride] = c * re - s * im, c * im + s * re
    return parts * terms
