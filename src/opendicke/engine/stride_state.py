"""What strides read off ψ, and do to its frame: moments, generators, channels, rotations. See ``strides``."""

from __future__ import annotations

import math

from opendicke.engine.bands import PAD, add_product, apply, linear
from opendicke.engine.compile import inlined
from opendicke.engine.frame import orthonormalise
from opendicke.engine.kernels import mean_spin
from opendicke.engine.measure import measure
from opendicke.engine.moving import met, with_field

#: Entries of ``TrajectoryState.field``-like arrays of strides: α, α_D, v (3), the last <Λ> but one, and how long ago.
SHIFT, FIELD, RESPONSE, BEFORE, LATELY = 0, 1, 2, 5, 6


@inlined
def cross(a, b, out):  # type: ignore[no-untyped-def]
    """i a × b: the vector of [a·S, b·S]."""
    out[0] = 1j * (a[1] * b[2] - a[2] * b[1])
    out[1] = 1j * (a[2] * b[0] - a[0] * b[2])
    out[2] = 1j * (a[0] * b[1] - a[1] * b[0])


@inlined
def _expected(operator, vector, partner, states, stride, root_n):  # type: ignore[no-untyped-def]
    """Re <partner| operator |vector>."""
    value = 0.0
    for n in range(states):
        at = PAD + n
        image = (
            operator[0] * root_n[n] * complex(vector[at - 1], vector[at - 1 + stride])
            + operator[1] * root_n[n + 1] * complex(vector[at + 1], vector[at + 1 + stride])
            + (operator[3] - operator[2] * n) * complex(vector[at], vector[at + stride])
        )
        value += partner[at] * image.real + partner[at + stride] * image.imag
    return value


# fmt: off
@inlined
def moments_of(phi, ax, ay, blocks, stride, frame, j, root_n, ops, out):  # type: ignore[no-untyped-def]
    """Write the moments that ``retarded`` reads, along the laboratory's axes; return s'_1, s'_2, j − s'_3.

    ``ax`` and ``ay`` are work space of the size of ψ; their blocks behind the window are cleared.
    """
    states = 8 * blocks
    square, s1, s2, _, down = mean_spin(phi, blocks, stride, root_n, j)
    xx, xy, xz, yy, yz, zz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for n in range(states):
        at = PAD + n
        lr, li = root_n[n] * phi[at - 1], root_n[n] * phi[at - 1 + stride]
        ur, ui = root_n[n + 1] * phi[at + 1], root_n[n + 1] * phi[at + 1 + stride]
        re, im = phi[at], phi[at + stride]
        pr, pi = 0.5 * (ur + lr) - s1 * re, 0.5 * (ui + li) - s1 * im
        qr, qi = 0.5 * (ui - li) - s2 * re, 0.5 * (lr - ur) - s2 * im
        rr, ri = (down - n) * re, (down - n) * im
        xr = frame[0, 0] * pr + frame[1, 0] * qr + frame[2, 0] * rr
        xi = frame[0, 0] * pi + frame[1, 0] * qi + frame[2, 0] * ri
        yr = frame[0, 1] * pr + frame[1, 1] * qr + frame[2, 1] * rr
        yi = frame[0, 1] * pi + frame[1, 1] * qi + frame[2, 1] * ri
        zr = frame[0, 2] * pr + frame[1, 2] * qr + frame[2, 2] * rr
        zi = frame[0, 2] * pi + frame[1, 2] * qi + frame[2, 2] * ri
        xx += xr * xr + xi * xi
        xy += xr * yr + xi * yi
        xz += xr * zr + xi * zi
        yy += yr * yr + yi * yi
        yz += yr * zr + yi * zi
        zz += zr * zr + zi * zi
        ax[at], ax[at + stride], ay[at], ay[at + stride] = xr, xi, yr, yi
    for edge in range(PAD + states, 2 * PAD + states):
        ax[edge], ax[edge + stride], ay[edge], ay[edge + stride] = 0.0, 0.0, 0.0, 0.0
    for i in range(3):
        out[i] = frame[0, i] * s1 + frame[1, i] * s2 + frame[2, i] * (j - down)
    out[3], out[4], out[5], out[6], out[7], out[8] = (xx / square, xy / square, xz / square, yy / square, yz / square,
                                                      zz / square)
    across, along = ops[0], ops[1]
    linear(1.0, 0.0, 0.0, 0j, frame, down, s1, s2, across)
    out[9] = _expected(across, ax, ax, states, stride, root_n) / square
    linear(0.0, 1.0, 0.0, 0j, frame, down, s1, s2, along)
    out[10] = (2 * _expected(across, ax, ay, states, stride, root_n)
               + _expected(along, ax, ax, states, stride, root_n)) / (3 * square)
    out[11] = (2 * _expected(along, ay, ax, states, stride, root_n)
               + _expected(across, ay, ay, states, stride, root_n)) / (3 * square)
    out[12] = _expected(along, ay, ay, states, stride, root_n) / square
    return s1, s2, down


@inlined
def generator(bands, sums, share, axes, down, s1, s2, ops, blocks, stride, root_n):  # type: ignore[no-untyped-def]
    """The diagonals of −i Σ X_p (sums[0]/2 + share · sums[1])_pq X_q, X the spin from its mean, and 1 (p, q = 3)."""
    for i in range(10 * stride):
        bands[i] = 0
    inner, outer = ops[0], ops[1]
    for p in range(4):
        for q in range(4):
            ops[2, q] = -1j * (0.5 * sums[0, p, q] + share * sums[1, p, q]) if p + q < 6 else 0j
        linear(ops[2, 0], ops[2, 1], ops[2, 2], ops[2, 3], axes, down, s1, s2, inner)
        if p < 3:
            linear(1.0 if p == 0 else 0.0, 1.0 if p == 1 else 0.0, 1.0 if p == 2 else 0.0, 0j, axes, down, s1, s2,
                   outer)
        else:
            outer[0], outer[1], outer[2], outer[3] = 0j, 0j, 0j, 1 + 0j
        add_product(bands, outer, inner, 8 * blocks, stride, root_n)


@inlined
def follow(phi, space, means, whole, w, mean, frame, down, s1, s2, ops, blocks, stride, root_n):  # type: ignore[no-untyped-def]
    """What levels 1 and 2 do to ψ in a stride, to first order, where they follow what drives them.

    Φ₂ = U₂ψ/√2w and Φ₁ = (U₁ψ − i√2 (Λ† − c*) Φ₂)/w, with U₁ = −i(D − <D>)(B − b₀) and
    U₂ = −(i/2)([Λ, B] + [D, B](B − b₀)), all averaged over the stride. ``mean``: the spin from which X is counted.

    Returns:
        ‖Φ₁‖².
    """
    states, row = 8 * blocks, 2 * stride
    for i in range(3):
        for k in range(4):
            means[i, k] /= whole
    left, v, own, d, e, f = means[0], means[1], means[2], ops[3], ops[4], ops[5]
    cross(left, v, d)
    cross(own, v, e)
    cross(d, v, f)
    for i in range(3 * row):
        space[i] = 0
    response, other, first, second = ops[0], ops[1], space[row:2 * row], space[2 * row:3 * row]
    linear(v[0], v[1], v[2], v[3], frame, down, s1, s2, response)
    linear(left[0], left[1], left[2], left[3], frame, down, s1, s2, other)
    apply(response, phi, space, 1.0 + 0j, states, stride, root_n)
    linear(f[0], f[1], f[2], f[0] * mean[0] + f[1] * mean[1] + f[2] * mean[2], frame, down, s1, s2, ops[2])
    apply(ops[2], space, first, -0.5j, states, stride, root_n)
    linear(e[0], e[1], e[2], e[0] * mean[0] + e[1] * mean[1] + e[2] * mean[2], frame, down, s1, s2, ops[2])
    apply(ops[2], phi, first, -0.5j, states, stride, root_n)
    apply(other, first, second, -1j / (w * w), states, stride, root_n)
    linear(d[0], d[1], d[2], 0j, frame, down, s1, s2, ops[2])
    apply(ops[2], space, second, -1j / w, states, stride, root_n)
    apply(other, second, phi, -1j * whole, states, stride, root_n)
    size = 0.0
    for i in range(row):
        size += second[i] * second[i]
    return size


@inlined
def turn(u0, u1, frame):  # type: ignore[no-untyped-def]
    """Turn the axes by the rotation [[u0, u1], [−u1*, u0*]], in place."""
    p, q, r, t = u0 * u0, u1 * u1, u0 * u1, u0 * u1.conjugate()
    for k in range(3):
        x, y, z = frame[k, 0], frame[k, 1], frame[k, 2]
        frame[k, 0] = (p - q).real * x + (p + q).imag * y - 2 * r.real * z
        frame[k, 1] = -(p - q).imag * x + (p + q).real * y + 2 * r.imag * z
        frame[k, 2] = 2 * t.real * x + 2 * t.imag * y + (abs(u0) ** 2 - abs(u1) ** 2) * z
    orthonormalise(frame)


@inlined
def turn_response(m, field):  # type: ignore[no-untyped-def]
    """v from the moving picture back to the laboratory: (v·σ) → m (v·σ) m⁻¹."""
    x, y, z = field[RESPONSE], field[RESPONSE + 1], field[RESPONSE + 2]
    a, b, c, d = m
    p, q, r, s = z, x - 1j * y, x + 1j * y, -z
    p, q, r, s = a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s
    p, q, r = p * d - q * c, q * a - p * b, r * d - s * c
    field[RESPONSE], field[RESPONSE + 1], field[RESPONSE + 2] = 0.5 * (q + r), 0.5j * (q - r), p


@inlined
def turn_moments(u0, u1, trend):  # type: ignore[no-untyped-def]
    """Turn a vector and a symmetric matrix (xx, xy, xz, yy, yz, zz), as the frame is turned."""
    p, q, r, t = u0 * u0, u1 * u1, u0 * u1, u0 * u1.conjugate()
    a0, a1, a2 = (p - q).real, (p + q).imag, -2 * r.real
    b0, b1, b2 = -(p - q).imag, (p + q).real, 2 * r.imag
    c0, c1, c2 = 2 * t.real, 2 * t.imag, abs(u0) ** 2 - abs(u1) ** 2
    x, y, z = trend[0], trend[1], trend[2]
    trend[0], trend[1], trend[2] = a0 * x + a1 * y + a2 * z, b0 * x + b1 * y + b2 * z, c0 * x + c1 * y + c2 * z
    xx, xy, xz, yy, yz, zz = trend[3], trend[4], trend[5], trend[6], trend[7], trend[8]
    ax, ay, az = a0 * xx + a1 * xy + a2 * xz, a0 * xy + a1 * yy + a2 * yz, a0 * xz + a1 * yz + a2 * zz
    bx, by, bz = b0 * xx + b1 * xy + b2 * xz, b0 * xy + b1 * yy + b2 * yz, b0 * xz + b1 * yz + b2 * zz
    cx, cy, cz = c0 * xx + c1 * xy + c2 * xz, c0 * xy + c1 * yy + c2 * yz, c0 * xz + c1 * yz + c2 * zz
    trend[3], trend[4], trend[5] = ax * a0 + ay * a1 + az * a2, ax * b0 + ay * b1 + az * b2, ax * c0 + ay * c1 + az * c2
    trend[6], trend[7], trend[8] = bx * b0 + by * b1 + bz * b2, bx * c0 + by * c1 + bz * c2, cx * c0 + cy * c1 + cz * c2


@inlined
def record(phi, space, blocks, stride, root_n, j, frame, field, model, moving, step, ops, out):  # type: ignore[no-untyped-def]
    """Write the channels: about <B> + α_D, level 1 is δBψ and what follows of Φ₁, level 2 is δB²ψ/√2."""
    if moving is not None and step < moving.steps.size:
        met(moving, step, 0.0, 0j, model)
    states, row = 8 * blocks, 2 * stride
    _, s1, s2, s3, down = mean_spin(phi, blocks, stride, root_n, j)
    v = field[RESPONSE:RESPONSE + 3]
    response, shifted = ops[0], ops[1]
    linear(v[0], v[1], v[2], 0j, frame, down, s1, s2, response)
    ops[2, 0], ops[2, 1], ops[2, 2] = model[4] + 0j, 1j * model[5], 0j
    cross(ops[2], v, ops[3])
    linear(ops[3, 0], ops[3, 1], ops[3, 2], 0j, frame, down, s1, s2, shifted)
    for i in range(row):
        space[i], space[row + i], space[2 * row + i], space[3 * row + i] = phi[i], 0.0, 0.0, 0.0
    one, two = space[row:2 * row], space[2 * row:3 * row]
    apply(response, space, one, 1.0 + 0j, states, stride, root_n)
    apply(response, one, two, 1 / math.sqrt(2.0) + 0j, states, stride, root_n)
    apply(shifted, one, space[3 * row:4 * row], -1j / complex(model[3], model[2]), states, stride, root_n)
    for i in range(row):
        one[i] += space[3 * row + i]
    mean = with_field(moving, step, field[FIELD])
    for k in range(3):
        mean += v[k] * (frame[0, k] * s1 + frame[1, k] * s2 + frame[2, k] * s3)
    measure(space, blocks, 3, stride, root_n, j, frame, mean, out)
# fmt: on
