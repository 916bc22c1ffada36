r"""Overlaps of Dicke-state amplitudes with spin coherent states, at any N.

In the frame of a state the coherent state along (x, y, z) has the amplitudes

.. math:: b_n = \binom Nn^{1/2} \cos^{N-n}\tfrac\theta2\,\sin^n\tfrac\theta2\,e^{in\phi}

on |j, j−n>. They are summed from their largest one outwards, so that every ratio of neighbours is below one: nothing
overflows, and the sum ends when the amplitudes are gone. The largest one itself comes from its logarithm.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined

#: |b_n|² over its largest value at which the sum ends.
GONE = 1e-26


def binomial_tables(n_atoms: int, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    r"""For n = 0 … size−1: log of the binomial coefficient, and the factors of b_{n+1}/b_n and b_{n−1}/b_n.

    The factors are those that do not depend on the direction, √((N−n)/(n+1)) and √(n/(N−n+1)).
    """
    n = np.arange(size, dtype=np.float64)
    up, down = np.sqrt((n_atoms - n) / (n + 1)), np.sqrt(n / (n_atoms - n + 1))
    return np.concatenate([[0.0], np.cumsum(2 * np.log(up[:-1]))]), up, down


@inlined
def overlap(psi, log_binomial, up, down, n_atoms, x, y, z):  # type: ignore[no-untyped-def]
    """|<x,y,z|ψ>|² with a unit vector in the frame of ψ."""
    across = x * x + y * y
    # sin² and cos² of half the polar angle; the small one of the two without cancellation
    if z > 0:
        odd = 0.5 * across / (1 + z)
        even = 1 - odd
    else:
        even = 0.5 * across / (1 - z)
        odd = 1 - even
    top = min(int(n_atoms * odd + 0.5), psi.size - 1)
    log_size = log_binomial[top]
    if top > 0:
        log_size += top * (math.log(odd) if z > 0 else math.log1p(-even))
    if top < n_atoms:
        log_size += (n_atoms - top) * (math.log1p(-odd) if z > 0 else math.log(even))
    re, im = psi[top].real, psi[top].imag
    b_re, b_im, n = 1.0, 0.0, top
    while n > 0:  # downwards: times cot(θ/2) exp(+iφ), conjugated as <θ,φ| is
        factor = down[n] / (1 - z)
        b_re, b_im = factor * (b_re * x - b_im * y), factor * (b_re * y + b_im * x)
        n -= 1
        re += b_re * psi[n].real - b_im * psi[n].imag
        im += b_re * psi[n].imag + b_im * psi[n].real
        if b_re * b_re + b_im * b_im < GONE:
            break
    b_re, b_im, n = 1.0, 0.0, top
    while n < psi.size - 1:  # upwards: times tan(θ/2) exp(−iφ)
        factor = up[n] / (1 + z)
        b_re, b_im = factor * (b_re * x + b_im * y), factor * (b_im * x - b_re * y)
        n += 1
        re += b_re * psi[n].real - b_im * psi[n].imag
        im += b_re * psi[n].imag + b_im * psi[n].real
        if b_re * b_re + b_im * b_im < GONE:
            break
    return math.exp(log_size) * (re * re + im * im)


# fmt: off
@compiled
def add_state(psi, frame, reach, log_binomial, up, down, n_atoms, theta, phi, weight, total, square):  # type: ignore[no-untyped-def]
    """Add weight·|<θ,φ|ψ>|² to ``total``, and its square to ``square`` unless that is empty.

    Args:
        psi, frame: amplitudes on |j, j−n> along the frame's third row, and the frame.
        reach: points farther than this angle from the third row are left out.
        log_binomial, up, down: ``binomial_tables``, at least as long as ``psi``.
        theta, phi: increasing.
        weight: of the state.
        total, square: shape (theta, phi).
    """
    polar = math.atan2(math.hypot(frame[2, 0], frame[2, 1]), frame[2, 2])
    azimuth = math.atan2(frame[2, 1], frame[2, 0])
    cos_polar, sin_polar, turn = math.cos(polar), math.sin(polar), 2 * math.pi
    first, last = np.searchsorted(theta, polar - reach), np.searchsorted(theta, polar + reach, side="right")
    for row in range(first, last):
        cosine, sine = math.cos(theta[row]), math.sin(theta[row])
        # |φ − azimuth| <= half inside the cap of angle ``reach``
        near, size = math.cos(reach) - cosine * cos_polar, sine * sin_polar
        if near > size and reach < math.pi:
            continue
        half = math.pi if near <= -size or reach >= math.pi else math.acos(near / size)
        low, high = azimuth - half, azimuth + half
        # the window in φ recurs after each turn; a whole circle is half open, so that no point counts twice
        shift = math.ceil((phi[0] - high) / turn)
        while low + shift * turn <= phi[-1]:
            start = np.searchsorted(phi, low + shift * turn)
            side = np.searchsorted(phi, high + shift * turn)
            for column in range(start, side):
                dx, dy = sine * math.cos(phi[column]), sine * math.sin(phi[column])
                x = frame[0, 0] * dx + frame[0, 1] * dy + frame[0, 2] * cosine
                y = frame[1, 0] * dx + frame[1, 1] * dy + frame[1, 2] * cosine
                z = frame[2, 0] * dx + frame[2, 1] * dy + frame[2, 2] * cosine
                value = weight * overlap(psi, log_binomial, up, down, n_atoms, x, y, z)
                total[row, column] += value
                if square.size > 0:
                    square[row, column] += value * value
            shift += 1
# fmt: on
