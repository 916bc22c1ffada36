r"""The moving spin frame: axes e1, e2, e3 (rows of a 3 × 3 array) that follow the trajectory.

:math:`S = \sum_k e_k S'_k`. With :math:`\dot e_k = \Omega\times e_k` the generator gains :math:`i\Omega'\cdot S'`.
All terms without b are collected into :math:`c\cdot S'`; Ω' is chosen so that nothing drives |0> → |1>
(:math:`c_1 + ic_2 = 0`), no phase turns fast (Im c3 = 0), and a feedback turns e3 towards the mean spin.
Ω is a gauge: any choice gives the same physics, so its denominator may be bounded freely.
The free precession with ω_a about z is not integrated but made exactly, step by step.
"""

from __future__ import annotations

import math

from opendicke.engine.compile import inlined

#: Size of the coefficient array that ``coefficients`` writes and the generator reads.
COEFFICIENTS = 13


@inlined
def coefficients(model, feedback, frame, cosine, sine, field, z, s1, s2, s3, down, c, turn, push):  # type: ignore[no-untyped-def]
    r"""Write the generator's coefficients to ``c`` and the frame's derivative to ``turn``; return dα/dt + wα.

    Args:
        model: (j, ω_a, ω_c, κ, G/√N, D/√N).
        feedback: rate at which e3 turns to the mean spin.
        frame: axes, in the picture that precesses about z with ω_a since the step's start.
        cosine, sine: of the angle precessed.
        field, z: cavity amplitude α and noise z* at this moment.
        s1, s2, s3, down: mean spin in the frame and j − s3.
        push: factors of S^x and S^y that a drive adds to H.
    """
    j, big_g, big_d = model[0], model[4], model[5]
    along = z - 1j * field.conjugate()
    # (z* − iα*)Λ − iαΛ† with Λ = (G S^x − i D S^y)/√N, along the laboratory's x and y axes
    lab_x = big_g * (along - 1j * field)
    lab_y = -1j * big_d * (along + 1j * field)
    lab_x, lab_y = lab_x - 1j * push[0], lab_y - 1j * push[1]
    cx, cy = lab_x * cosine + lab_y * sine, lab_y * cosine - lab_x * sine
    c1 = cx * frame[0, 0] + cy * frame[0, 1]
    c2 = cx * frame[1, 0] + cy * frame[1, 1]
    c3 = cx * frame[2, 0] + cy * frame[2, 1]
    drive = c1 + 1j * c2
    steady = max(s3, 0.5 * j)
    o1 = -drive.imag - feedback * s2 / steady
    o2 = drive.real + feedback * s1 / steady
    o3 = -c3.imag
    c1 += 1j * o1
    c2 += 1j * o2
    for i in range(3):
        turn[0, i] = o3 * frame[1, i] - o2 * frame[2, i]
        turn[1, i] = o1 * frame[2, i] - o3 * frame[0, i]
        turn[2, i] = o2 * frame[0, i] - o1 * frame[1, i]
    lower, upper = 0.5 * (c1 + 1j * c2), 0.5 * (c1 - 1j * c2)
    c[0], c[1], c[2], c[3], c[4] = lower.real, lower.imag, upper.real, upper.imag, c3.real
    mean_a = _tilted(big_g * cosine, -big_g * sine, frame, s1, s2, s3, down, c, 5)
    mean_b = _tilted(big_d * sine, big_d * cosine, frame, s1, s2, s3, down, c, 9)
    return -1j * mean_a - mean_b


@inlined
def _tilted(x, y, frame, s1, s2, s3, down, c, at):  # type: ignore[no-untyped-def]
    """Coefficients of X = x S^x + y S^y in the frame, written to c[at:at+4]; returns <X>.

    They are Re and Im of the factor of S'_-, the slope in n, and X's diagonal at n = 0 minus <X>
    (written without the large j, which cancels).
    """
    x1 = x * frame[0, 0] + y * frame[0, 1]
    x2 = x * frame[1, 0] + y * frame[1, 1]
    x3 = x * frame[2, 0] + y * frame[2, 1]
    c[at], c[at + 1], c[at + 2] = 0.5 * x1, 0.5 * x2, x3
    c[at + 3] = x3 * down - x1 * s1 - x2 * s2
    return x1 * s1 + x2 * s2 + x3 * s3


@inlined
def moved(frame, amount, turn, out):  # type: ignore[no-untyped-def]
    """Write frame + amount · turn to ``out`` (in loops: numba takes seconds to compile the array expression)."""
    for i in range(3):
        for k in range(3):
            out[i, k] = frame[i, k] + amount * turn[i, k]


@inlined
def precess(frame, cosine, sine):  # type: ignore[no-untyped-def]
    """Turn all axes about z, in place."""
    for k in range(3):
        x, y = frame[k, 0], frame[k, 1]
        frame[k, 0], frame[k, 1] = cosine * x - sine * y, sine * x + cosine * y


@inlined
def orthonormalise(frame):  # type: ignore[no-untyped-def]
    """Make the axes orthonormal and right-handed again, keeping the direction of e3."""
    x, y, z = frame[2, 0], frame[2, 1], frame[2, 2]
    scale = 1 / math.sqrt(x * x + y * y + z * z)
    x, y, z = scale * x, scale * y, scale * z
    u, v, w = frame[0, 0], frame[0, 1], frame[0, 2]
    overlap = u * x + v * y + w * z
    u, v, w = u - overlap * x, v - overlap * y, w - overlap * z
    scale = 1 / math.sqrt(u * u + v * v + w * w)
    u, v, w = scale * u, scale * v, scale * w
    frame[0, 0], frame[0, 1], frame[0, 2] = u, v, w
    frame[1, 0], frame[1, 1], frame[1, 2] = y * w - z * v, z * u - x * w, x * v - y * u
    frame[2, 0], frame[2, 1], frame[2, 2] = x, y, z
