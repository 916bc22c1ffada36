r"""Gaussian trajectories next to a cavity that is much faster than the spin, in steps that the spin sets.

The equations are those of ``gaussian_pair``, in variables of which each is slow, or turns by itself. With
:math:`L_\pm = G\lambda_\pm`, :math:`a = L_++xL_-`, :math:`b = L_-^*+xL_+^*`, :math:`n = (1-|x|^2)^{-1}`, the field
:math:`f = \alpha+q` and the noise :math:`g = z - iq`, in which the c-numbers of α do not appear,

.. math::
    \dot q = -wq + yh,\qquad \dot f = -wf - i\Lambda + yh,\qquad h = n(a^*g + b^*g^*),\qquad \Lambda = \lambda_3s

the frame follows the mean spin: it turns as a classical spin does in the field f (``fast_cavity``), and besides by
:math:`m/G` across e₃, :math:`m = n(ag^* + xa^*g)`, which is what the noise tells of the spin: it adds
:math:`\int ah` to Λ. Levels are taken off as in ``retarded``, :math:`y = V_++xV_-`, with

.. math::
    \dot V_\pm = -(w+id)V_\pm - iL_\pm + \{1,0\}\,ibe/w,\quad d = L_+^*V_+-L_-^*V_-,\quad e = L_-V_+-L_+V_-,\quad
    \dot x = -2iby - 2r_3x

(e is what level 2, u = yV₋ − ie/w, has of its own: it rings, and is followed to lowest order.) In a step of length H,
in which :math:`|w|H` may be anything, nothing fast is sampled:

- The noise enters by :math:`\int z^*`, :math:`\int(s-H/2)z^*` and :math:`\int e^{-w(H-s)}z`, which q answers in
  resonance, drawn exactly. The rates at which q turns itself and q*, :math:`nya^*` and :math:`nyb^*`, enter exactly.
- f, Λ and the classical rotation are those of ``fast_cavity``; in f is, besides, what follows of :math:`\int ah`.
- V is split in what follows, :math:`-iL/(w+id)`, and what rings as :math:`e^{-ws}`; so are f, :math:`-i\Lambda/w`
  and φ. φ shakes the frame, and that drives V in resonance, if both couplings differ from zero.
- Products of what rings with g, as of φ with itself, have a part that is slow. It is of the order of the noise, and
  is added; :math:`\int\rho g^*` follows from the third number and the ends.
- The values at the end of the step are found by iteration.

The parts of y that noise excites, of order 1/√N, are not the ones of ``gaussian_pair``: there a turn m leaves y as it
is in the frame, but it turns the frame alone, and not the operator that y stands for. Here y follows.
"""

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined
from opendicke.engine.fast_cavity import FastPath, answer, pull, ring, slow_slope, step_weights
from opendicke.engine.gaussian_moments import Record
from opendicke.engine.gaussian_pair import PairFlow, keep
from opendicke.engine.noise import NoisePath
from opendicke.engine.wigner import rotated

#: A step is done when a pass moves the axis of the spin, and x, by less than this; passes that a step may take.
SETTLED, MOST_PASSES = 1e-7, 40


class FastPairFlow(PairFlow):
    """The equations of motion of an everyday model, in steps that the spin sets."""

    def run(
        self, frame: NDArray[np.float64], amplitude: complex, squeezing: complex, path: NoisePath,
        hits: NDArray[np.int64], moments: int, floor: float = 0.0,
    ) -> tuple[Record, float, int]:  # fmt: skip
        """One trajectory along a :class:`FastPath` that starts without squeezing; arguments and answer as there.

        Raises:
            ArithmeticError: if the iteration of a step does not settle.
        """
        assert isinstance(path, FastPath)
        assert squeezing == 0
        record, (atoms, omega_a, g_x, g_y, g) = Record.empty(moments, 1, 1), self._model
        axes = tuple(tuple(map(float, axis)) for axis in frame)
        start = axes, 0j, 0j, 0j, complex(amplitude), 0j
        # ξ is z/√2, and all its numbers are conjugate to those of z*
        root = math.sqrt(2)
        noise = root * path.middle.conj(), root * path.slope.conj(), root * path.resonant
        model = omega_a, complex(self._w), g_x, g_y, atoms, g
        step, least, settled = _propagate(model, path.steps, noise, hits, start, floor * atoms, record)
        if not settled:
            raise ArithmeticError(f"step {step} did not settle within {MOST_PASSES} passes")
        return record, least / atoms, step


# Below, ``model`` is (ω_a, w, coupling of S_x, coupling of S_y, N, G); a state is (axes of the frame in the laboratory,
# x, V₊, V₋, f, q). Of what has a value at both ends of a step, that at its end has a trailing underscore.


@compiled
def _propagate(model, steps, noise, hits, state, floor, record):  # type: ignore[no-untyped-def]
    """Fill the record; return the step at which it ends (behind the last one if all is well), the least s, and whether
    all steps settled."""
    middle, slope, resonant = noise
    least, last = 0.5 * model[4], -1.0
    for i in range(steps.size + 1):
        if not least > floor:
            return i, least, True
        if hits[i] >= 0:
            _keep(model, state, hits[i], record)
        if i == steps.size:
            break
        h = steps[i]
        if h != last:
            weights, more, last = step_weights(model[:4], h), noise_weights(model[1], h), h
        # what turns against the cavity leaves little in it: that of the line will do
        counter = middle[i] * weights[1] - slope[i] * weights[5]
        path = h * middle[i], h**3 / 12 * slope[i], resonant[i], counter
        settled, state = step(model, h, weights, more, path, state)
        square = abs(state[1]) ** 2
        spin = 0.5 * model[4] - square / (1 - square) if not square >= 1 else -1.0
        if not spin >= least:
            least = spin
        if not settled and least > floor:
            return i, least, False
    return steps.size + 1, least, True


@inlined
def _keep(model, state, at, record):  # type: ignore[no-untyped-def]
    (one, two, three), x, up, down, f, q = state
    plus, minus, _ = couplings(model, state[0])
    y = up + x * down
    u = y * down - 1j * (minus * up - plus * down) / model[1]
    keep((one[0], two[0], three[0], one[1], two[1], three[1], x, f - q, y, q, u), at, record)


@inlined
def noise_weights(w, h):  # type: ignore[no-untyped-def]
    """How long before the end of a step, in the mean, what noise leaves in resonance came; and how far it fell since.

    The first is the time's mean with the part of the noise in resonance, given what is left of it.
    """
    x = 2 * w.real * h
    if x < 1e-2:
        lag = 0.5 * h * (1 - x / 12)
    else:
        lag = 0.75 * h / x * (2 - (2 + 2 * x + x * x) * math.exp(-x)) / (1 - (1 + x) * math.exp(-x))
    return lag, math.exp(2 * w.real * lag)


@inlined
def couplings(model, frame):  # type: ignore[no-untyped-def]
    """L₊, L₋ and λ₃ in the frame."""
    g_x, g_y, g, (one, two, three) = model[2], model[3], model[5], frame
    plus = complex(g_x * one[0] + g_y * two[1], g_x * two[0] - g_y * one[1])
    minus = complex(g_x * one[0] - g_y * two[1], -g_x * two[0] - g_y * one[1])
    return g * plus, g * minus, complex(g_x * three[0], -g_y * three[1])


@inlined
def _end(model, state):  # type: ignore[no-untyped-def]
    """All that a step needs of a state at one of its ends."""
    w, (frame, x, up, down, f, _) = model[1], state
    plus, minus, along = couplings(model, frame)
    n, a, b = 1 / (1 - abs(x) ** 2), plus + x * minus, minus.conjugate() + x * plus.conjugate()
    length = 0.5 * model[4] - abs(x) ** 2 * n
    spin = length * frame[2][0], length * frame[2][1], length * frame[2][2]
    value = pull(model[:4], spin)
    ringing = f + 1j * value / w
    # how the ringing field shakes L₊ and L₋
    crossed = -1j / w * ringing
    nod_up = crossed * (along * minus.conjugate() - along.conjugate() * plus)
    nod_down = -crossed * (along * plus.conjugate() - along.conjugate() * minus)
    shift = 0j
    for _ in range(3):
        shift = -1j * (abs(plus) ** 2 - abs(minus) ** 2) / (w + 1j * shift)
    up_follows, down_follows = -1j * plus / (w + 1j * shift), -1j * minus / (w + 1j * shift)
    d, e = plus.conjugate() * up - minus.conjugate() * down, minus * up - plus * down
    # what drives V: slowly, and in resonance
    slow = -1j * (plus - nod_up + shift * up_follows), -1j * (minus - nod_down + shift * down_follows)
    fast = (
        -1j * (d * up - shift * up_follows + nod_up) - b * e / w,
        -1j * (d * down - shift * down_follows + nod_down),
    )
    follows = up_follows + x * down_follows
    rings = up + x * down - follows
    return (plus, minus, along), (n, a, b), (length, spin, value), ringing, slow, fast, (follows, rings)


@inlined
def step(model, h, weights, more, path, state):  # type: ignore[no-untyped-def]
    """One step of length h: whether it settled, and the state at its end."""
    new, h0, h1, settled = state, 0j, 0j, False
    for attempt in range(MOST_PASSES):
        there = _end(model, new)
        if attempt == 0:
            here = there
        q_, h0, h1, driven, turn = _noise(model, h, weights[0], more, path, state, new, here, there, h0, h1)
        f_, one, two = _field(model, h, weights, more[0], here, there, h0, h1, driven, state[4])
        up_, down_, x_ = _squeezed(model[1], h, weights, more[0], path[0], here, there, state)
        (first, second, third), (before, x_before) = _turned(state[0], turn, one, two), (new[0][2], new[1])
        new = (first, second, third), x_, up_, down_, f_, q_
        moved = abs(third[0] - before[0]) + abs(third[1] - before[1]) + abs(third[2] - before[2]) + abs(x_ - x_before)
        if moved <= SETTLED:
            settled = True
            break
    return settled, new


@inlined
def _turned(frame, turn, one, two):  # type: ignore[no-untyped-def]
    """The axes, turned by ``turn`` in the frame, and then by ``one`` and ``two`` in the laboratory."""
    e1, e2, e3 = frame
    across = (
        turn[0] * e1[0] + turn[1] * e2[0] + turn[2] * e3[0],
        turn[0] * e1[1] + turn[1] * e2[1] + turn[2] * e3[1],
        turn[0] * e1[2] + turn[1] * e2[2] + turn[2] * e3[2],
    )
    a, c = rotated(two, rotated(one, rotated(across, e1))), rotated(two, rotated(one, rotated(across, e3)))
    return a, (c[1] * a[2] - c[2] * a[1], c[2] * a[0] - c[0] * a[2], c[0] * a[1] - c[1] * a[0]), c


@inlined
def _noise(model, h, decay, more, path, state, new, here, there, h0, h1):  # type: ignore[no-untyped-def]
    """q at the end; ∫h and its first moment; how h drives the field; and the turn that the noise makes in the frame."""
    w, g = model[1], model[5]
    lag, boost = more
    i0, i1, resonant, counter = path
    (plus, minus, along), (n, a, b), _, ringing, _, _, (follows, rings) = here
    (plus_, minus_, along_), (n_, a_, b_), _, ringing_, _, _, (follows_, rings_) = there
    x, q, x_, q_ = state[1], state[5], new[1], new[5]
    follow, ring, ring_end = 0.5 * (follows + follows_), 0.5 * (rings + rings_), 0.5 * (decay * rings + rings_)
    left, left_ = (n * a).conjugate(), (n_ * a_).conjugate()
    right, right_ = (n * b).conjugate(), (n_ * b_).conjugate()
    # h = left g + right g*
    a0, b0, a1, b1 = 0.5 * (left + left_), 0.5 * (right + right_), (left_ - left) / h, (right_ - right) / h
    q0 = (q - q_ + (follow + ring) * h0) / w
    # ∫ρg* beyond what the means of both tell, for the ρ of y and of f
    conj0 = i0 + 1j * q0.conjugate()
    beyond = _slow_product(rings, rings_, decay, lag, boost, resonant, q, q_, conj0)
    beyond_f = _slow_product(ringing, ringing_, decay, lag, boost, resonant, q, q_, conj0)
    y_h = (follow + ring) * h0 + b0 * beyond
    q0 = (q - q_ + y_h) / w
    q1 = ((follow + ring) * h1 - 0.5 * h * (q_ + q) + q0) / w
    g0, g1 = i0.conjugate() - 1j * q0, i1.conjugate() - 1j * q1
    h0 = a0 * g0 + b0 * g0.conjugate() + a1 * g1 + b1 * g1.conjugate()
    h1 = a0 * g1 + b0 * g1.conjugate()
    answered, q_ = _resonant(w, h, decay, lag, follow, a0, b0, resonant, counter, q)
    q_ += ring_end * h0
    # the turn: as the means tell, and what is slow in products with what rings
    middle, x_change = 0.5 * (x + x_), (x_ * left_ - x * left) / h
    m = a0.conjugate() * g0.conjugate() + middle * a0 * g0 + a1.conjugate() * g1.conjugate() + x_change * g1
    m_n, m_b, m_along = 0.5 * (n + n_), 0.5 * (b + b_), 0.5 * (along + along_)
    part = 2j * m_b / w * beyond
    m += m_n * m_n * (m_b.conjugate() * part + middle * m_b * part.conjugate())
    m_plus, m_minus = 0.5 * (plus + plus_), 0.5 * (minus + minus_)
    part = m_along * (m_minus - middle.conjugate() * m_plus).conjugate() - m_along.conjugate() * (
        m_plus - middle * m_minus
    )
    part *= -1j / w * beyond_f
    m += m_n * (part + middle * part.conjugate())
    turn = -m.imag / g, m.real / g, -(m_along * i0).imag - 2 * (m_along.conjugate() * q0).real
    return q_, h0, h1, (follow, ring, ring_end, y_h, answered), turn


@inlined
def _resonant(w, h, decay, lag, follow, left, right, resonant, counter, q):  # type: ignore[no-untyped-def]
    """∫ exp(−w(H − s)) h, and what q becomes: it turns itself, faster the more squeezed the spin is.

    dq/dt = −(w + t) q + s q* + …, and q + mixed q* is a mode of that.
    """
    own, other = 1j * follow * left, 1j * follow * right
    mixed = 0j
    for _ in range(4):
        mixed = other / (w.conjugate() - w + own.conjugate() - own + mixed * other.conjugate())
    turning = own - mixed * other.conjugate()
    kept, taken = shrunk(h * turning), shrunk(2 * lag * turning)
    answered = taken * (left * resonant + right * counter) - 1j * left * decay * q * h * kept
    mode = decay * cmath.exp(-h * turning) * (q + mixed * q.conjugate()) + taken * (
        (follow * left + mixed * (follow * right).conjugate()) * resonant
        + (follow * right + mixed * (follow * left).conjugate()) * counter
    )
    return answered, (mode - mixed * mode.conjugate()) / (1 - abs(mixed) ** 2)


@inlined
def shrunk(z):  # type: ignore[no-untyped-def]
    """(1 − exp(−z))/z."""
    return (1 - cmath.exp(-z)) / z if abs(z) > 1e-6 else 1 - z / 2


@inlined
def _slow_product(ring, ring_, decay, lag, boost, resonant, q, q_, whole):  # type: ignore[no-untyped-def]
    """∫ρg* of what rings, without the product of the mean of ρ and the integral of g*."""
    known = 0.5 * (decay * ring + ring_) * resonant.conjugate() * boost
    return known + 1j * lag * (ring * q.conjugate() + ring_ * q_.conjugate()) - 0.5 * (ring + ring_) * whole


@inlined
def _field(model, h, weights, lag, here, there, h0, h1, driven, f):  # type: ignore[no-untyped-def]
    """f at the end, and the two rotations that it makes."""
    pair, w = model[:4], model[1]
    (_, _, along), (_, a, _), (length, spin, value), _, _, _, _ = here
    (_, _, along_), (_, a_, _), (length_, spin_, value_), _, _, _, _ = there
    follow, rest, ring_end, y_h, answered = driven
    middle, slope = 0.5 * (a + a_), (length_ - length) / h
    # what h makes of f besides the field that follows Λ
    lasting = follow + 1j * middle / w
    late = lasting * answered + ring_end * h0
    first = (y_h + 1j * middle / w * h0 - late) / w
    second = ((lasting + rest) * h1 - 0.5 * h * late + first) / w
    # what it makes of Λ
    push = middle * h0 + (a_ - a) / h * h1
    ends = (
        value, slow_slope(pair, spin, value) + slope * along,
        value_ - push, slow_slope(pair, spin_, value_) + slope * along_,
    )  # fmt: skip
    chi = 1j * model[2] * model[3] * (spin[2] + spin_[2])
    around = first, second, lag * late, 0j, late
    mean, one, two = answer(pair, h, weights, around, ring(pair, h, weights, around, value, f), ends, chi, f)
    # and the field that follows of that: its moments
    whole, lever = -1j / w * middle * (0.5 * h * h0 - h1), -1j / w * middle * h * h0 / 3
    early, after = whole - lever, whole + lever
    one = one[0] + model[2] * early.real, one[1] - model[3] * early.imag, one[2]
    two = two[0] + model[2] * after.real, two[1] - model[3] * after.imag, two[2]
    return mean + late - 1j * push / w, one, two


@inlined
def _squeezed(w, h, weights, lag, i0, here, there, state):  # type: ignore[no-untyped-def]
    """V₊, V₋ and x at the end."""
    (plus, minus, along), _, _, _, slow, fast, _ = here
    (plus_, minus_, along_), _, _, _, slow_, fast_, _ = there
    _, x, up, down, _, _ = state
    up_, up0, up1 = _followed(w, h, weights, lag, up, slow[0], slow_[0], fast[0], fast_[0])
    down_, down0, down1 = _followed(w, h, weights, lag, down, slow[1], slow_[1], fast[1], fast_[1])
    p, m = 0.5 * (plus + plus_).conjugate(), 0.5 * (minus + minus_).conjugate()
    p_slope, m_slope = (plus_ - plus).conjugate() / h, (minus_ - minus).conjugate() / h
    constant, quadratic = -2j * (m * up0 + m_slope * up1), -2j * (p * down0 + p_slope * down1)
    linear = -2j * (m * down0 + m_slope * down1 + p * up0 + p_slope * up1) - ((along + along_) * i0).real
    return up_, down_, _riccati(constant, linear, quadratic, x)


@inlined
def _followed(w, h, weights, lag, v, slow, slow_, fast, fast_):  # type: ignore[no-untyped-def]
    """V at the end, ∫V and its first moment."""
    decay, e0, e1 = weights[0], weights[1], weights[2]
    v_ = decay * v + slow * e0 + (slow_ - slow) / h * e1 + lag * (decay * fast + fast_)
    whole = (v - v_ + 0.5 * h * (slow + slow_) + 0.5 * e0 * (fast + fast_)) / w
    return v_, whole, (h * h / 12 * (slow_ - slow) - 0.5 * h * (v_ + v) + whole) / w


@inlined
def _riccati(constant, linear, quadratic, x):  # type: ignore[no-untyped-def]
    """x after unit time of dx/dt = constant + linear x + quadratic x²."""
    square = linear * linear / 4 - constant * quadratic
    if abs(square) < 0.01:
        even = 1 + square * (0.5 + square * (1 / 24.0 + square / 720.0))
        odd = 1 + square * (1 / 6.0 + square * (1 / 120.0 + square / 5040.0))
    else:
        root = cmath.sqrt(square)
        grown = cmath.exp(root)
        even, odd = 0.5 * (grown + 1 / grown), 0.5 * (grown - 1 / grown) / root
    half = 0.5 * linear * odd
    return ((even + half) * x + constant * odd) / (even - half - quadratic * odd * x)
