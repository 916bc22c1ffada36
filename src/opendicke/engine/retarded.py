r"""The retarded dressing: what a cavity that follows the spins does to them, on the fine grid of the noise.

Displacing b by an operator that is linear in the spin, :math:`\Phi = e^{\beta b^\dagger}\tilde\Phi` with
:math:`\beta = B + \Gamma`, :math:`B = v\cdot S`, leaves ψ as it is. Let B be what the cavity answers to the spins'
own linear motion A,

.. math::
    \dot B = [A, B] - (w + id)B - i\Lambda, \qquad
    A = -iH_s - i\alpha^*\Lambda - i(\alpha_D + b_0)\Lambda^\dagger + z^*\Lambda, \\
    \dot\alpha = -w\alpha - i\langle\Lambda\rangle, \qquad \dot\alpha_D = -w\alpha_D + i\,d\,b_0,

which for d = 0 is :math:`B(t) = -i\int_0^t e^{-w(t-s)}\Lambda(s)\,ds`, Λ(s) carried from s to t by A. Then, with
:math:`D = [\Lambda^\dagger, B]`, the hierarchy becomes, exactly,

.. math::
    \partial_t\tilde\Phi = \big\{A - i(\Lambda^\dagger - c^*)(B - b_0) - w\,b^\dagger b - i(\Lambda^\dagger - c^*)b
    - i(D - d)(B - b_0)b^\dagger - iD\,b^\dagger b - \tfrac i2[\Lambda, B]\,b^{\dagger2}
    - \tfrac i2[D, B]\,b^{\dagger2}(b + B - b_0) - \dots\big\}\tilde\Phi,

c = <Λ>. Rates may move, κ and ω_c aside; a drive, and thermal light, add their field to α and α_D in A, and what drives
the spins adds to H_s. The c-numbers b0 and d are free: b0 ≈ <B> and d ≈ <D> keep the levels small. The field is
<0|(b + α)|Φ> = Φ̃₁ + (α_D + B)ψ. At t = 0 B = 0: the switch-on rings in the three numbers v, and in the levels only to
second order. What drives the levels is smaller than in the plain hierarchy by (ω_a/ω_c)² or, for a Λ that is not
Hermitian, by ω_a/(ω_c √N): two of them, which follow, are enough.

A is linear in the spin, so its propagator is the image of one complex 2 × 2 matrix m(t), however fast the noise. In the
picture that moves with it the spin operators are :math:`m^{-1}S_i m = \sum_j R_{ij}S_j`, R complex orthogonal, and all
that is left is slow: :math:`-i(\Lambda^\dagger - c^*)(B - b_0)` with vectors that are known on the fine grid.
``carry`` advances m, v and α and adds up the integrals of that.
"""

from __future__ import annotations

import math

from opendicke.engine.compile import inlined
from opendicke.engine.moving import met

#: Entries of ``moments``: mean spin (3), covariance xx, xy, xz, yy, yz, zz, third cumulants xxx, xxy, xyy, yyy.
MOMENTS = 13


@inlined
def exponential(x, y, z):  # type: ignore[no-untyped-def]
    """exp((x, y, z)·σ/2): the elements (a, b, c, d) of the 2 × 2 matrix by rows."""
    square = 0.25 * (x * x + y * y + z * z)
    if abs(square) < 0.01:
        even = 1 + square * (0.5 + square * (1 / 24.0 + square / 720.0))
        odd = 0.5 * (1 + square * (1 / 6.0 + square * (1 / 120.0 + square / 5040.0)))
    else:
        root = square**0.5
        grown = math.exp(root.real) * complex(math.cos(root.imag), math.sin(root.imag))
        even = 0.5 * (grown + 1 / grown)
        odd = 0.25 * (grown - 1 / grown) / root
    return even + odd * z, odd * (x - 1j * y), odd * (x + 1j * y), even - odd * z


@inlined
def times(a, b, c, d, m):  # type: ignore[no-untyped-def]
    """The product of two 2 × 2 matrices."""
    return a * m[0] + b * m[2], a * m[1] + b * m[3], c * m[0] + d * m[2], c * m[1] + d * m[3]


@inlined
def boost(m):  # type: ignore[no-untyped-def]
    """The polar decomposition m = u exp(η·σ/2): η, and the elements of u."""
    p0 = m[0].real ** 2 + m[0].imag ** 2 + m[2].real ** 2 + m[2].imag ** 2
    p3 = m[1].real ** 2 + m[1].imag ** 2 + m[3].real ** 2 + m[3].imag ** 2
    off = m[0].conjugate() * m[1] + m[2].conjugate() * m[3]
    x, y, z = off.real, -off.imag, 0.5 * (p0 - p3)
    size = x * x + y * y + z * z
    if size < 1e-3:
        factor = 1 - size * (1 / 6.0 - size * (3 / 40.0 - size * (15 / 336.0)))
    else:
        factor = math.asinh(math.sqrt(size)) / math.sqrt(size)
    scale = 1 / math.sqrt(p0 + p3 + 2)
    q0, q3, q1 = scale * (p3 + 1), scale * (p0 + 1), -scale * off
    u0, u1 = m[0] * q0 + m[1] * q1.conjugate(), m[0] * q1 + m[1] * q3
    return factor * x, factor * y, factor * z, u0, u1


@inlined
def mean_coupling(m, moments, more, x, big_g, big_d):  # type: ignore[no-untyped-def]
    """<Λ> in the state m Ψ, Ψ having ``moments`` + x · ``more``."""
    e0, e1, e2, u0, u1 = boost(m)
    s0, s1, s2 = moments[0] + x * more[0], moments[1] + x * more[1], moments[2] + x * more[2]
    xx, xy, xz = moments[3] + x * more[3], moments[4] + x * more[4], moments[5] + x * more[5]
    yy, yz, zz = moments[6] + x * more[6], moments[7] + x * more[7], moments[8] + x * more[8]
    t0, t1 = moments[9] + x * more[9], moments[10] + x * more[10]
    t2, t3 = moments[11] + x * more[11], moments[12] + x * more[12]
    f0, f1, f2 = xx * e0 + xy * e1 + xz * e2, xy * e0 + yy * e1 + yz * e2, xz * e0 + yz * e1 + zz * e2
    g0 = t0 * e0 * e0 + 2 * t1 * e0 * e1 + t2 * e1 * e1
    g1 = t1 * e0 * e0 + 2 * t2 * e0 * e1 + t3 * e1 * e1
    # the second order may correct the first, not replace it: that would run away
    bound = 1 / (1 + 4 * (g0 * g0 + g1 * g1) / (f0 * f0 + f1 * f1 + f2 * f2 + 1e-300))
    s0, s1, s2 = s0 + 2 * (f0 + bound * g0), s1 + 2 * (f1 + bound * g1), s2 + 2 * f2
    # rows of the rotation that u = [[u0, u1], [−u1*, u0*]] makes
    p, q, r = u0 * u0, u1 * u1, u0 * u1
    sx = (p - q).real * s0 + (p + q).imag * s1 - 2 * r.real * s2
    sy = -(p - q).imag * s0 + (p + q).real * s1 + 2 * r.imag * s2
    return complex(big_g * sx, -big_d * sy)


@inlined
def turned_coupling(m, big_g, big_d):  # type: ignore[no-untyped-def]
    """The vectors of Λ and Λ† in the picture that moves with m: (3 numbers, 3 numbers)."""
    a, b, c, d = m
    f, g = d * d - b * b, a * a - c * c
    x0, x1, x2 = 0.5 * big_g * (f + g), 0.5j * big_g * (f - g), big_g * (c * d - a * b)
    f, g = d * d + b * b, a * a + c * c
    # row of S^y times −i
    y0, y1, y2 = 0.5 * big_d * (g - f), -0.5j * big_d * (f + g), -big_d * (c * d + a * b)
    return (x0 + y0, x1 + y1, x2 + y2), (x0 - y0, x1 - y1, x2 - y2)


@inlined
def driven(moving, steps, first, last, span, model):  # type: ignore[no-untyped-def]
    """Means over noise steps: the field beside the spins', what drives S^x and S^y, ω_a, G/√N and D/√N."""
    if moving is None:
        return 0j, 0.0, 0.0, model[1], model[4], model[5]
    field, x, y, omega_a, big_g, big_d = 0j, 0.0, 0.0, 0.0, 0.0, 0.0
    for at in range(first, last):
        share = steps[at] / span
        there, push = met(moving, at, 0.5 * steps[at], 0j, model)
        field, x, y = field + share * there, x + share * push[0], y + share * push[1]
        omega_a, big_g, big_d = omega_a + share * model[1], big_g + share * model[4], big_d + share * model[5]
    return field, x, y, omega_a, big_g, big_d


# fmt: off
@inlined
def carry(steps, middle, moving, first, last, merge, field, model, moments, more, sums):  # type: ignore[no-untyped-def]
    """Advance the fine quantities along the noise steps ``first`` … ``last`` − 1; return m, which starts as 1.

    Args:
        moving: what moves along the path, or None (see ``moving``); κ and ω_c do not.
        merge: noise steps that make one fine step.
        field: α, α_D, the three numbers of v in the moving picture, and <Λ> one fine step ago with how long that is;
            advanced.
        model: at 1 … 5: ω_a, ω_c, κ, G/√N, D/√N; where they move, those of the last step are left there.
        moments, more: of the state in the moving picture, at the start and their change until the end.
        sums: written: [0] is ∫ of the products of (l, l₀) with (v, v₀), (4, 4), where Λ† − c* = l·X + l₀ and
            B − b₀ = v·X + v₀ in the moving picture, X = S − mean at the start; [1] the same with (t − middle)/duration
            under the integral; the rows of [2] are ∫ of (l, l₀), of (v, v₀) and of the vector of Λ.
    """
    if moving is not None:
        met(moving, first, 0.0, 0j, model)
    omega_a, big_g, big_d = model[1], model[4], model[5]
    w = complex(model[3], model[2])
    whole, elapsed = 0.0, 0.0
    for i in range(first, last):
        whole += steps[i]
    sums[:] = 0
    m = (1.0 + 0j, 0j, 0j, 1.0 + 0j)
    c = mean_coupling(m, moments, more, 0.0, big_g, big_d)
    before, length = field[5], field[6].real
    own, other = turned_coupling(m, big_g, big_d)
    alpha, alpha_d, v0, v1, v2 = field[0], field[1], field[2], field[3], field[4]
    decay, forgotten, lag, curved = 1 + 0j, 0j, 0j, 0j
    h = -1.0
    i = first
    while i < last:
        end = min(i + merge, last)
        span, area = 0.0, 0j
        for at in range(i, end):
            span += steps[at]
            area += middle[at] * steps[at]
        outside = driven(moving, steps, i, end, span, model)
        i = end
        if abs(span - h) > 1e-9 * span:
            h = span
            decay = math.exp(-w.real * h) * complex(math.cos(w.imag * h), -math.sin(w.imag * h))
            forgotten = (1 - decay) / w
            lag = (1 - forgotten / h) / w
            curved = 0.5 * ((1 - 2 * lag / h) / w - lag)
        change = (c - before) * (h / length) if length > 0 else 0j
        reached = decay * alpha - 1j * (c * forgotten + change * lag)
        average = (alpha - reached - 1j * (c + 0.5 * change) * h) / (w * h)
        x = (elapsed + 0.5 * h) / whole
        g0, g1, g2 = x * more[0], x * more[1], x * more[2]
        b0 = (v0 * (moments[0] + g0) + v1 * (moments[1] + g1) + v2 * (moments[2] + g2))
        # the spins' answer to b shifts the cavity's frequency by <D> (a c-number that may be taken as one likes)
        d0, d1, d2 = other[1] * v2 - other[2] * v1, other[2] * v0 - other[0] * v2, other[0] * v1 - other[1] * v0
        d = 1j * (d0 * (moments[0] + g0) + d1 * (moments[1] + g1) + d2 * (moments[2] + g2))
        drift, pull = 1j * d * h, 1j * d * b0
        along = area / h - 1j * average.conjugate()
        across = -1j * (alpha_d * forgotten / h + pull * (h - forgotten) / (w * h) + b0)
        if moving is not None:
            _, _, _, omega_a, big_g, big_d = outside
            along, across = along - 1j * outside[0].conjugate(), across - 1j * outside[0]
        ax, ay = big_g * (along + across), -1j * big_d * (along - across)
        if moving is not None:
            ax, ay = ax - 1j * outside[1], ay - 1j * outside[2]
            met(moving, end - 1, steps[end - 1], 0j, model)
            big_g, big_d = model[4], model[5]
        e0, e1, e2, e3 = exponential(ax * h, ay * h, -1j * omega_a * h)
        m = times(e0, e1, e2, e3, m)
        last_own, last_other = own, other
        own, other = turned_coupling(m, big_g, big_d)
        l0, l1, l2 = 0.5 * (own[0] + last_own[0]), 0.5 * (own[1] + last_own[1]), 0.5 * (own[2] + last_own[2])
        k0, k1 = 0.5 * (other[0] + last_other[0]), 0.5 * (other[1] + last_other[1])
        k2 = 0.5 * (other[2] + last_other[2])
        lasting = decay * (1 - drift * (1 - drift * (0.5 - drift / 6.0)))
        passed = (1 - lasting) / (w + 1j * d)
        gain, half, kept = -1j * passed, -1j * (h - passed) / ((w + 1j * d) * h), passed / h
        n0, n1, n2 = kept * v0 + half * l0, kept * v1 + half * l1, kept * v2 + half * l2
        v0, v1, v2 = lasting * v0 + gain * l0, lasting * v1 + gain * l1, lasting * v2 + gain * l2
        mean = c + 0.5 * change
        k3 = k0 * moments[0] + k1 * moments[1] + k2 * moments[2] - mean.conjugate()
        n3 = n0 * moments[0] + n1 * moments[1] + n2 * moments[2] - b0
        left, right = (k0 * h, k1 * h, k2 * h, k3 * h), (n0, n1, n2, n3)
        weight = x - 0.5
        for p in range(4):
            for q in range(4):
                product = left[p] * right[q]
                sums[0, p, q] += product
                sums[1, p, q] += weight * product
        for p in range(4):
            sums[2, 0, p] += left[p]
            sums[2, 1, p] += right[p] * h
        for p in range(3):
            sums[2, 2, p] += (l0, l1, l2)[p] * h
        elapsed += h
        c_next = mean_coupling(m, moments, more, elapsed / whole, big_g, big_d)
        bend = c_next - c - (c - before) * (h / length) if length > 0 else 0j
        alpha = decay * alpha - 1j * (c * forgotten + (c_next - c) * lag + bend * curved)
        alpha_d = decay * alpha_d + pull * forgotten
        before, c, length = c, c_next, h
    field[0], field[1], field[2], field[3], field[4] = alpha, alpha_d, v0, v1, v2
    field[5], field[6] = before, complex(length)
    return m
# fmt: on
