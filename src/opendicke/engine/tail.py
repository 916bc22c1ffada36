r"""How far a spin state reaches away from a direction: the generating function of its excitations along it.

.. math:: G = \langle\psi|\,x^{\,j - S\cdot e}\,|\psi\rangle = x^j\,\langle\psi|e^{-\theta S\cdot e}|\psi\rangle,
          \qquad \theta = \ln x

is 1 for the coherent state along e and grows with every component away from it, of however small a weight. With
:math:`e^{-\theta S\cdot e} = e^{c^*S_-}e^{bS_3}e^{cS_+}` in the frame of the state,

.. math:: e^{b/2} = \cosh\tfrac\theta2 - e_3\sinh\tfrac\theta2,\qquad
          c = -\frac{(e_1 - ie_2)\sinh\tfrac\theta2}{\cosh\tfrac\theta2 - e_3\sinh\tfrac\theta2}

and S_+ only lowers n, so the window that holds ψ holds :math:`e^{cS_+}\psi` as well.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled_strictly


def log_reach(
    psi: NDArray[np.complex128], direction: NDArray[np.float64], root_n: NDArray[np.float64], theta: float
) -> float:
    """ln G of a normalised state.

    Args:
        psi: amplitudes on |j, j−n>, n = 0 … M−1, along the third axis of the state's frame: shape (M,).
        direction: e in that frame, shape (3,).
        root_n: sqrt(n (N − n + 1)) for n = 0 … M at least.
        theta: ln x.
    """
    cosh, sinh = math.cosh(theta / 2), math.sinh(theta / 2)
    half_b = cosh - direction[2] * sinh
    c = -sinh * complex(direction[0], -direction[1]) / half_b
    square = _tilted_norm(psi, c, half_b**-2.0, root_n)
    two_j = root_n[1] ** 2
    return float(two_j / 2 * (theta + 2 * math.log(half_b)) + math.log(square))


@compiled_strictly
def _tilted_norm(psi, c, factor, root_n):  # type: ignore[no-untyped-def]
    """Σ_n factor^n |(e^{c S+} ψ)_n|²."""
    size = psi.size
    term, total = psi.copy(), psi.copy()
    for k in range(1, size):
        largest = 0.0
        for n in range(size - k):
            term[n] = (c / k) * root_n[n + 1] * term[n + 1]
            total[n] += term[n]
            largest = max(largest, abs(term[n].real) + abs(term[n].imag))
        if largest < 1e-18:
            break
    square, weight = 0.0, 1.0
    for n in range(size):
        square += weight * (total[n].real ** 2 + total[n].imag ** 2)
        weight *= factor
    return square
