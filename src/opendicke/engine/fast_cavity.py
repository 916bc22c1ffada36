r"""A classical spin and a cavity that is much faster than it, in steps that the spin sets.

The equations are those of ``wigner``: :math:`\dot S = B\times S`, :math:`\alpha=\bar\alpha+\xi`,
:math:`\dot{\bar\alpha} = -w\bar\alpha - i\Lambda(S)`, :math:`\Lambda = g_xS_x - ig_yS_y`, :math:`w=\kappa+i\omega_c`.
In a step of length H, in which :math:`|w|H` may be anything, nothing fast is ever sampled:

- Λ is a cubic through its values and slow derivatives at both ends, and the answer of :math:`\bar\alpha` to it is
  exact. What rings besides, :math:`\varphi = (\bar\alpha+i\Lambda/w)_0\,e^{-ws} + \xi(s)`, is known beforehand.
- The spin turns by the commutator-free method of fourth order with B's first two moments over the step, which follow
  from :math:`\int\alpha\,ds` and :math:`\int(s-H/2)\alpha\,ds`, exactly.
- Where both couplings differ from zero (:math:`g_xg_y\ne0`), φ moves Λ at once, by :math:`\chi\int\varphi`,
  :math:`\chi = 2ig_xg_yS_z`, and Λ answers into φ, in resonance: the dispersive shift of the cavity by the spin. It
  enters by :math:`\int e^{-w(H-s)}\varphi\,ds`. And φ turns the spin about z by the area that it encloses, the light
  shift, of which the moments know a part only.
- The values at the end of the step are found by iteration.

The error at a fixed step does not grow with :math:`\omega_c`: per atom it is about (spin's rate × H)⁴ and, from
products of two fast terms within a step, a part that vanishes as :math:`1/\omega_c`. For :math:`|w|H < 1` it is of
second order, and of fourth without :math:`g_y`.

Sources: S. Blanes and P. C. Moan, Appl. Numer. Math. 56, 1519 (2006), for the method with two exponentials; the rest
was derived for this project.
"""

from __future__ import annotations

import cmath
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined
from opendicke.engine.noise import OrnsteinUhlenbeck, resonant_transition
from opendicke.engine.wigner import VacuumPath, WignerFlow, rotated

#: A step is done when a pass moves the spin by less than this part of its length; passes that a step may take.
SETTLED, MOST_PASSES = 1e-11, 40


@dataclass(frozen=True)
class FastPath(VacuumPath):
    r"""A path of ξ that also tells, for each step, :math:`\int e^{-w(H-s)}\xi(s)\,ds`."""

    resonant: NDArray[np.complex128]

    def part(self, first: int, last: int) -> FastPath:
        """Steps ``first`` to ``last`` − 1 of the path."""
        lines, resonant = super().part(first, last), self.resonant[first:last]
        return FastPath(lines.steps, lines.middle, lines.slope, self.ends[first : last + 1], resonant)

    @classmethod
    def silent(cls, steps: NDArray[np.float64]) -> FastPath:
        """No noise at all."""
        nothing = np.zeros(steps.size, dtype=np.complex128)
        return cls(steps, nothing, nothing, np.zeros(steps.size + 1, dtype=np.complex128), nothing)

    def start(self) -> FastPath:
        """The part of no length at the start."""
        return self.part(0, 0)


class FastNoise(OrnsteinUhlenbeck):
    r"""Paths of :math:`\xi = z/\sqrt2`, z the unit noise, with what a fast cavity makes of them in each step."""

    transition = staticmethod(resonant_transition)

    def sample(self, rng: np.random.Generator) -> FastPath:
        """Draw one path, starting from the vacuum."""
        normals = rng.standard_normal((self.steps.size + 1, 8)).view(np.complex128) / np.sqrt(2)
        found = np.empty((3, self.steps.size), dtype=np.complex128)
        ends = np.empty(self.steps.size + 1, dtype=np.complex128)
        _walk(normals, self._kind, self._mean, self._root, found, ends)
        (first, second, resonant), h = found.conj() / np.sqrt(2), self.steps
        return FastPath(h, first / h, 12 * second / h**3, ends.conj() / np.sqrt(2), resonant)


@compiled
def _walk(normals, kind, mean, root, found, ends):  # type: ignore[no-untyped-def]
    """z*: its moments and what it leaves in resonance for every step, and its values at the start and at the ends."""
    z = normals[0, 0]
    ends[0] = z
    for i in range(found.shape[1]):
        m, r, x = mean[kind[i]], root[kind[i]], normals[i + 1]
        for k in range(1, 4):
            value = m[k] * z
            for j in range(k + 1):
                value += r[k, j] * x[j]
            found[k - 1, i] = value
        z = m[0] * z + r[0, 0] * x[0]
        ends[i + 1] = z


@dataclass(frozen=True)
class FastFlow(WignerFlow):
    """The equations of motion of :class:`opendicke.engine.wigner.WignerFlow`, in steps that the spin sets."""

    def run(
        self, spin: NDArray[np.float64], amplitude: complex, path: VacuumPath, hits: NDArray[np.int64], moments: int
    ) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
        """One trajectory along a :class:`FastPath`; arguments and answer as there.

        Raises:
            ArithmeticError: if the iteration of a step does not settle.
        """
        assert isinstance(path, FastPath)
        model = self.omega_a, complex(self.kappa, self.omega_c), self.coupling_x, self.coupling_y
        spins, fields = np.empty((moments, 3)), np.empty(moments, dtype=np.complex128)
        start = float(spin[0]), float(spin[1]), float(spin[2])
        noise = path.middle, path.slope, path.resonant, path.ends
        done = _propagate(model, path.steps, noise, hits, start, complex(amplitude), spins, fields)
        if done < path.steps.size:
            raise ArithmeticError(f"step {done} did not settle within {MOST_PASSES} passes")
        return spins, fields


# Below, ``model`` is (ω_a, w, coupling of S_x, coupling of S_y).


@compiled
def _propagate(model, steps, noise, hits, spin, mean, spins, fields):  # type: ignore[no-untyped-def]
    middle, slope, resonant, ends = noise
    weights = step_weights(model, 1.0)
    last = -1.0
    for i in range(steps.size + 1):
        if hits[i] >= 0:
            for axis in range(3):
                spins[hits[i], axis] = spin[axis]
            fields[hits[i]] = mean + ends[i]
        if i < steps.size:
            h = steps[i]
            if h != last:
                weights, last = step_weights(model, h), h
            path = h * middle[i], h**3 / 12 * slope[i], resonant[i], ends[i], ends[i + 1]
            settled, spin, mean = step(model, h, weights, path, spin, mean)
            if not settled:
                return i
    return steps.size


@inlined
def step_weights(model, h):  # type: ignore[no-untyped-def]
    r"""What a step of length h needs besides the path.

    Returns:
        :math:`e^{-wh}`; :math:`\int e^{-w(h-s)}s^k\,ds` for k = 0 … 3; the first two moments of :math:`e^{-ws}`; what
        its squared modulus integrates to; and by how much twice the area it encloses exceeds that of its line.
    """
    w = model[1]
    decay = cmath.exp(-w * h)
    e0 = (1 - decay) / w
    e1 = (h - e0) / w
    e2 = (h * h - 2 * e1) / w
    e3 = (h**3 - 3 * e2) / w
    first = (e0 - h / 2 * (1 + decay)) / w
    square = (1 - abs(decay) ** 2) / (2 * w.real) if w.real > 0 else h
    area = ((e0 - square) / w.conjugate()).imag - 2 * (first * e0.conjugate()).imag / h
    return decay, e0, e1, e2, e3, first, square, area


@inlined
def step(model, h, weights, path, spin, mean):  # type: ignore[no-untyped-def]
    """One step of length h of the spin and of ᾱ, and whether it settled."""
    start = pull(model, spin)
    start_slope = slow_slope(model, spin, start)
    phi = ring(model, h, weights, path, start, mean)
    new, end, end_slope = spin, start, start_slope
    mean_new = mean
    for _ in range(MOST_PASSES):
        chi = 1j * model[2] * model[3] * (spin[2] + new[2])
        ends = start, start_slope, end, end_slope
        mean_new, one, two = answer(model, h, weights, path, phi, ends, chi, mean)
        before = new
        new = rotated(two, rotated(one, spin))
        end = pull(model, new)
        end_slope = slow_slope(model, new, end)
        moved = abs(new[0] - before[0]) + abs(new[1] - before[1]) + abs(new[2] - before[2])
        if moved <= SETTLED * (abs(new[0]) + abs(new[1]) + abs(new[2])):
            return True, new, mean_new
    return False, new, mean_new


@inlined
def ring(model, h, weights, path, start, mean):  # type: ignore[no-untyped-def]
    """φ in a step: its moments, what it leaves in resonance, its value at the start. ``start`` is Λ there."""
    decay, e0, first = weights[0], weights[1], weights[5]
    i0, i1, resonant, early, _ = path
    ringing = mean + 1j * start / model[1]
    return i0 + ringing * e0, i1 + ringing * first, resonant + ringing * h * decay, early + ringing


@inlined
def answer(model, h, weights, path, phi, ends, chi, mean):  # type: ignore[no-untyped-def]
    """ᾱ at the end of a step, and the two rotations that the spin makes.

    Args:
        path: of ξ in the step: its moments, what it leaves in resonance, its values at both ends.
        phi: what ``ring`` says.
        ends: Λ and its slow derivative at the start and at the end.
        chi: by which φ moves Λ.
        mean: ᾱ at the start.
    """
    omega_a, w, g_x, g_y = model
    decay, e0, e1, e2, e3, _, square, area = weights
    i0, i1, _, _, late = path
    start, start_slope, end, end_slope = ends
    f0, f1, f_resonant, f_early = phi
    pushed = chi * f0
    rise = (end - pushed - start) / h
    c2, c3 = (3 * rise - 2 * start_slope - end_slope) / h, (start_slope + end_slope - 2 * rise) / h**2
    answered = (
        start * e0 + start_slope * e1 + c2 * e2 + c3 * e3 + chi * (f0 - growth(1j * chi * h / w) * f_resonant) / w
    )
    answered -= 1j * (chi / w) ** 2 * f_early * (e1 - 2 / w * (e0 - h * decay))
    mean_new = decay * mean - 1j * answered
    total = start * h + start_slope * h**2 / 2 + c2 * h**3 / 3 + c3 * h**4 / 4 + chi * (h / 2 * f0 - f1)
    a0 = (mean - mean_new - 1j * total) / w
    lever = start_slope * h**3 / 12 + c2 * h**4 / 12 + c3 * h**5 * 3 / 40
    a1 = (a0 - h / 2 * (mean + mean_new) - 1j * lever) / w + i1
    a0 += i0
    f_late = late + mean_new + 1j * end / w
    shift = g_x * g_y * area * h / square * (abs(f_early) ** 2 + abs(f_late) ** 2)
    half = g_x * a0.real, -g_y * a0.imag, 0.5 * (omega_a * h + shift)
    tilt = 4 / h * g_x * a1.real, -4 / h * g_y * a1.imag
    one, two = (half[0] - tilt[0], half[1] - tilt[1], half[2]), (half[0] + tilt[0], half[1] + tilt[1], half[2])
    return mean_new, one, two


@inlined
def pull(model, spin):  # type: ignore[no-untyped-def]
    """Λ."""
    return complex(model[2] * spin[0], -model[3] * spin[1])


@inlined
def slow_slope(model, spin, value):  # type: ignore[no-untyped-def]
    """dΛ/dt in the field −iΛ/w that follows the spin; ``value`` is Λ."""
    omega_a, w, g_x, g_y = model
    field = -1j * value / w
    x, y = 2 * g_x * field.real, -2 * g_y * field.imag
    return complex(g_x * (y * spin[2] - omega_a * spin[1]), -g_y * (omega_a * spin[0] - x * spin[2]))


@inlined
def growth(x):  # type: ignore[no-untyped-def]
    """(eˣ − 1)/x."""
    return (cmath.exp(x) - 1) / x if abs(x) > 1e-6 else 1 + x / 2
