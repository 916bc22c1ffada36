r"""Gaussian trajectories of any number of spins and modes, with rates that move, drives and classical light.

With :math:`v = (c_1\ldots c_C, b_1\ldots b_M)` the hierarchy vector of a trajectory is

.. math:: |\Phi\rangle = \exp(\tfrac12v^\dagger Zv^\dagger + q\cdot v^\dagger)|0\rangle,\qquad
          Z = \begin{pmatrix}X & Y^T\\ Y & U\end{pmatrix}

q being zero on the spins: that fixes their frames. In these, with :math:`G_i = \sqrt{N_i}/2`, r the Hermitian part of
what is linear in the spin, :math:`d = r_1+ir_2`, and :math:`\lambda_\pm = \lambda_1\pm i\lambda_2`,

.. math::
    \dot Z = A + BZ + ZB^T + ZCZ,\qquad A_{im} = -iG_i\lambda_{+,im},\quad C_{im} = -iG_i\lambda^*_{+,im},\quad
    B_{im} = -iG_i\lambda^*_{-,im},\quad B_{mi} = -iG_i\lambda_{-,im}

with A and C symmetric, :math:`B_{ii} = -r_{i3}`, :math:`B_{mm} = -w_m` and zero elsewhere, and

.. math::
    F_i = G_id_i^* + \sum_mC_{im}q_m,\quad R_i = G_id_i + \sum_mB_{im}q_m + \sum_jX_{ij}F_j,\quad
    (1-XX^*)v = -(R+XR^*)

    \dot q_m = -w_mq_m + \sum_iY_{mi}(F_i-v_i^*),\quad
    \dot\alpha_m = -w_m\alpha_m - i\sum_i\lambda_{im3}s_i,\quad s_i = \tfrac{N_i}2 + 1 - [(1-XX^*)^{-1}]_{ii}

where v turns the frames, :math:`\Omega'_1+i\Omega'_2 = -iv/G`, as the anti-Hermitian part of the linear terms does. For
one spin and one mode that is ``gaussian_pair``; a step takes the third power of C + M operations. The classical
Runge–Kutta method, in substeps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined
from opendicke.engine.gaussian_moments import Record, factor, solve
from opendicke.engine.gaussian_pair import MOST, SWING
from opendicke.engine.moving import parabolas
from opendicke.engine.noise import NoisePath
from opendicke.engine.system_flow import SpinRates

Vector = NDArray[np.float64]
Complex = NDArray[np.complex128]


class Lines(NamedTuple):
    """Of every mode and step the lines of noise and of the field that spins do not make, and that field at the ends."""

    middle: Complex
    slope: Complex
    field_middle: Complex
    field_slope: Complex
    field_ends: Complex


@dataclass(frozen=True)
class NetworkFlow:
    """The equations of motion on one grid of steps.

    Attributes:
        atoms: N of every spin.
        rates: factors of 1, s and s², s the time since a step's start: (steps or 1, 3, ...).
        w: the same of κ + iω_c, (steps, 3, modes).
    """

    atoms: Vector
    rates: SpinRates
    w: Complex

    @classmethod
    def of(cls, atoms: Sequence[int], rates: SpinRates, w: Complex, steps: Vector) -> NetworkFlow:
        """From the values at the nodes of every step (see ``moving.NODES``).

        Args:
            atoms: N of every spin.
            rates: of shape (steps, 3, ...), or (1, 3, ...) if none of them moves.
            w: κ + iω_c, shape (steps, 3, modes).
            steps: lengths.
        """
        still = rates.omega_a.shape[0] == 1
        powers = (parabolas(part, np.ones(1) if still else steps) for part in rates)
        return cls(np.array(atoms, dtype=np.float64), SpinRates(*powers), parabolas(w, steps))

    def run(
        self, frames: Vector, fields: Complex, squeezing: Complex, paths: Sequence[NoisePath],
        light: Sequence[tuple[Complex, ...]], hits: NDArray[np.int64], moments: int, floor: float = 0.0,
    ) -> tuple[Record, float, int]:  # fmt: skip
        """One trajectory.

        Args:
            frames: axes (rows) of the spins at the start, (spins, 3, 3).
            fields: α of the modes at the start.
            squeezing: U of the modes at the start.
            paths: the noise of every mode.
            light: for every mode middles, slopes and ends of the field that drives and classical light make.
            hits: for the start and each step's end, where in the answer its values go, or −1.
            moments: length of the answer.
            floor: the mean spin over N, of any spin, at which it ends.

        Returns:
            The states; the least mean spin over N on the way; and the step at which it ended, as that of a pair does.
        """
        spins, modes = self.atoms.size, fields.size
        noise = (np.stack([getattr(path, part) for path in paths], axis=-1) for part in ("middle", "slope"))
        lines = Lines(*noise, *(np.stack(parts, axis=-1) for parts in zip(*light, strict=True)))
        pairs = np.zeros((spins + modes,) * 2, dtype=np.complex128)
        pairs[range(spins, spins + modes), range(spins, spins + modes)] = squeezing
        start = (np.ascontiguousarray(np.swapaxes(frames, 1, 2)[:, :2]), fields.copy(), pairs, np.zeros_like(fields))
        record, steps = Record.empty(moments, spins, modes), paths[0].steps
        step, least = _propagate(self.atoms, self.rates, self.w, steps, lines, hits, start, floor, record)
        return record, least, step


# Below, a state is (axes, α, Z, q), ``axes`` (spins, 2, 3) the laboratory's x and y axes in the spins' frames.


@compiled
def _propagate(atoms, rates, w, steps, lines, hits, state, floor, record):  # type: ignore[no-untyped-def]
    """Fill the record; return the step at which it ends (behind the last one if all is well), and the least s/N."""
    size, modes = state[2].shape[0], state[1].size
    k, total, trial = _like(state), _like(state), _like(state)
    now = (
        np.empty(atoms.size), np.empty(atoms.size, dtype=np.complex128),
        np.empty((atoms.size, modes), dtype=np.complex128), np.empty((atoms.size, modes), dtype=np.complex128),
        np.empty(modes, dtype=np.complex128), np.empty(modes, dtype=np.complex128),
        np.empty(modes, dtype=np.complex128),
    )  # fmt: skip
    work = (
        np.empty((size, size), dtype=np.complex128), np.empty((2, atoms.size, modes), dtype=np.complex128),
        np.empty((4, atoms.size), dtype=np.complex128), np.empty((atoms.size, atoms.size), dtype=np.complex128),
        np.empty(atoms.size),
    )  # fmt: skip
    least = 0.5
    for i in range(steps.size + 1):
        if not least > floor:
            return i, least
        if hits[i] >= 0:
            _keep(state, lines.field_ends[i], hits[i], record)
        if i == steps.size:
            break
        stage, stages, h, whole = 0, 4, steps[i], steps[i]
        _add(state, 0.0, state, trial)
        while stage < stages:
            kind = stage % 4
            time = h * (stage // 4 + (0.0 if kind == 0 else (1.0 if kind == 3 else 0.5)))
            _met(rates, w, lines, steps, i, time, now)
            low = _velocity(atoms, now, trial, k, work)
            least = low if not low >= least else least
            if stage == 0:
                rate = _pace(k, work[0])
                substeps = max(math.ceil(whole * rate / SWING), 1) if whole * rate < MOST else 1
                stages, h = 4 * substeps, whole / substeps
            if kind == 0:
                _add(state, 0.0, state, total)
            _add(total, h / 6 if kind == 0 or kind == 3 else h / 3, k, total)
            if kind == 3:
                _orthonormalise(total[0])
                _add(total, 0.0, total, state)
            _add(state, 0.0 if kind == 3 else (h if kind == 2 else 0.5 * h), k, trial)
            stage += 1
        low = _length(atoms, state[2], work)
        least = low if not low >= least else least
    return steps.size + 1, least


@inlined
def _like(state):  # type: ignore[no-untyped-def]
    return np.empty_like(state[0]), np.empty_like(state[1]), np.empty_like(state[2]), np.empty_like(state[3])


@inlined
def _add(state, h, k, out):  # type: ignore[no-untyped-def]
    """state + h k, into ``out``."""
    for i in range(state[0].shape[0]):
        for axis in range(2):
            for at in range(3):
                out[0][i, axis, at] = state[0][i, axis, at] + h * k[0][i, axis, at]
    for m in range(state[1].size):
        out[1][m] = state[1][m] + h * k[1][m]
        out[3][m] = state[3][m] + h * k[3][m]
    for i in range(state[2].shape[0]):
        for j in range(state[2].shape[0]):
            out[2][i, j] = state[2][i, j] + h * k[2][i, j]


@inlined
def _keep(state, field, at, record):  # type: ignore[no-untyped-def]
    frames, fields, pairs, shifts = record
    axes = state[0]
    for i in range(axes.shape[0]):
        x, y = axes[i, 0], axes[i, 1]
        for k in range(3):
            frames[at, i, k, 0], frames[at, i, k, 1] = x[k], y[k]
            frames[at, i, k, 2] = x[(k + 1) % 3] * y[(k + 2) % 3] - x[(k + 2) % 3] * y[(k + 1) % 3]
    for m in range(field.size):
        fields[at, m], shifts[at, m] = state[1][m] + field[m], state[3][m]
    for i in range(state[2].shape[0]):
        for j in range(state[2].shape[0]):
            pairs[at, i, j] = state[2][i, j]


@inlined
def _met(rates, w, lines, steps, i, time, now):  # type: ignore[no-untyped-def]
    """Rates, noise and the fields that spins do not make, ``time`` after the start of step i."""
    omega, push, minus, plus, loss, noise, field = now
    row = min(i, rates.omega_a.shape[0] - 1)
    square, since = time * time, time - 0.5 * steps[i]
    for s in range(omega.size):
        omega[s] = rates.omega_a[row, 0, s] + time * rates.omega_a[row, 1, s] + square * rates.omega_a[row, 2, s]
        push[s] = rates.push[row, 0, s] + time * rates.push[row, 1, s] + square * rates.push[row, 2, s]
        for m in range(loss.size):
            one, two = rates.minus[row, :, s, m], rates.plus[row, :, s, m]
            minus[s, m] = one[0] + time * one[1] + square * one[2]
            plus[s, m] = two[0] + time * two[1] + square * two[2]
    for m in range(loss.size):
        loss[m] = w[i, 0, m] + time * w[i, 1, m] + square * w[i, 2, m]
        noise[m] = lines.middle[i, m] + since * lines.slope[i, m]
        field[m] = lines.field_middle[i, m] + since * lines.field_slope[i, m]


@inlined
def _length(atoms, z, work):  # type: ignore[no-untyped-def]
    """The least mean spin over N, <= 0 or NaN if there is none; 1 − XX* is factorised, and the spins are stored."""
    root, column, spin = work[3], work[2][0], work[4]
    pivot = factor(z, atoms.size, root)
    if not pivot > 0:
        return pivot
    least = 0.5
    for i in range(atoms.size):
        for k in range(atoms.size):
            column[k] = 1.0 if i == k else 0.0
        solve(root, atoms.size, column)
        spin[i] = 0.5 * atoms[i] + 1 - column[i].real
        least = min(least, spin[i] / atoms[i])
    return least


@inlined
def _velocity(atoms, now, state, out, work):  # type: ignore[no-untyped-def]
    """The state's derivative; the least mean spin over N. B + ZC/2 stays in ``work[0]``."""
    loss, axes, z, q = now[4], state[0], state[2], state[3]
    transfer, couplings, spin = work[0], work[1], work[4]
    f, r, v = work[2][1], work[2][2], work[2][3]
    spins, modes = atoms.size, loss.size
    least = _length(atoms, z, work)
    transfer[:] = 0
    for m in range(modes):
        out[1][m] = -loss[m] * state[1][m]
        out[3][m] = -loss[m] * q[m]
        transfer[spins + m, spins + m] = -loss[m]
    for i in range(spins):
        x, y, g = axes[i, 0], axes[i, 1], 0.5 * math.sqrt(atoms[i])
        cx, cy = _linear(now, state[1], i)
        d = complex(cx.real * x[0] + cy.real * y[0], cx.real * x[1] + cy.real * y[1])
        transfer[i, i] = -(cx.real * x[2] + cy.real * y[2])
        f[i], r[i] = g * d.conjugate(), g * d
        for m in range(modes):
            gx, gy = now[2][i, m] + now[3][i, m], -1j * (now[2][i, m] - now[3][i, m])
            up = -1j * g * (gx * complex(x[0], x[1]) + gy * complex(y[0], y[1]))
            down = -1j * g * (gx.conjugate() * complex(x[0], x[1]) + gy.conjugate() * complex(y[0], y[1]))
            couplings[0, i, m], couplings[1, i, m] = up, -up.conjugate()
            transfer[i, spins + m], transfer[spins + m, i] = down, -down.conjugate()
            out[1][m] -= 1j * spin[i] * (gx * x[2] + gy * y[2])
            f[i] -= up.conjugate() * q[m]
            r[i] += down * q[m]
    for i in range(spins):
        for j in range(spins):
            r[i] += z[i, j] * f[j]
    for i in range(spins):
        v[i] = -r[i]
        for j in range(spins):
            v[i] -= z[i, j] * r[j].conjugate()
    solve(work[3], spins, v)
    for i in range(spins):
        cx, cy = _linear(now, state[1], i)
        _turn(axes[i], cx.imag, cy.imag, v[i] / (0.5 * math.sqrt(atoms[i])), now[0][i], out[0][i])
        for m in range(modes):
            out[3][m] += z[spins + m, i] * (f[i] - v[i].conjugate())
    _riccati(z, couplings, transfer, out[2])
    return least


@inlined
def _linear(now, alpha, i):  # type: ignore[no-untyped-def]
    """What multiplies S^x and S^y of spin i in the generator, but for the precession about z."""
    push, minus, plus, noise, field = now[1][i], now[2], now[3], now[5], now[6]
    cx, cy = complex(0.0, -2 * push.real), complex(0.0, 2 * push.imag)
    for m in range(alpha.size):
        gx, gy = minus[i, m] + plus[i, m], -1j * (minus[i, m] - plus[i, m])
        total = alpha[m] + field[m]
        along = noise[m] - 1j * total.conjugate()
        cx += along * gx - 1j * total * gx.conjugate()
        cy += along * gy - 1j * total * gy.conjugate()
    return cx, cy


@inlined
def _turn(axes, cx, cy, v, omega, out):  # type: ignore[no-untyped-def]
    """The derivative of the axes: they turn by −Im c, by v and by the precession."""
    x, y = axes[0], axes[1]
    o1, o2 = v.imag - cx * x[0] - cy * y[0], -v.real - cx * x[1] - cy * y[1]
    o3 = -cx * x[2] - cy * y[2]
    for at in range(2):
        a, other, sign = axes[at], axes[1 - at], -omega if at == 0 else omega
        out[at, 0] = a[1] * o3 - a[2] * o2 + sign * other[0]
        out[at, 1] = a[2] * o1 - a[0] * o3 + sign * other[1]
        out[at, 2] = a[0] * o2 - a[1] * o1 + sign * other[2]


@inlined
def _riccati(z, couplings, transfer, out):  # type: ignore[no-untyped-def]
    """dZ/dt = A + TZ + (TZ)ᵀ with T = B + ZC/2; ``transfer`` is B and becomes T."""
    spins, modes = couplings.shape[1], couplings.shape[2]
    size = spins + modes
    for a in range(size):
        for i in range(spins):
            for m in range(modes):
                transfer[a, i] += 0.5 * z[a, spins + m] * couplings[1, i, m]
                transfer[a, spins + m] += 0.5 * z[a, i] * couplings[1, i, m]
    out[:] = 0
    for a in range(size):
        for c in range(size):
            weight = transfer[a, c]
            for b in range(size):
                out[a, b] += weight * z[c, b]
    for a in range(size):
        for b in range(a, size):
            total = out[a, b] + out[b, a]
            if b >= spins > a:
                total += couplings[0, a, b - spins]
            out[a, b] = out[b, a] = total


@inlined
def _pace(k, transfer):  # type: ignore[no-untyped-def]
    """How fast frames and parameters turn."""
    turning, flowing = 0.0, 0.0
    for i in range(k[0].shape[0]):
        square = 0.0
        for axis in range(2):
            for at in range(3):
                square += k[0][i, axis, at] ** 2
        turning = max(turning, math.sqrt(square))
    for a in range(transfer.shape[0]):
        total = 0.0
        for b in range(transfer.shape[0]):
            total += abs(transfer[a, b])
        flowing = max(flowing, total)
    return turning + flowing


@inlined
def _orthonormalise(axes):  # type: ignore[no-untyped-def]
    """Make all axes orthonormal again."""
    for i in range(axes.shape[0]):
        x, y = axes[i, 0], axes[i, 1]
        scale = 1 / math.sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2])
        x[0], x[1], x[2] = scale * x[0], scale * x[1], scale * x[2]
        overlap = x[0] * y[0] + x[1] * y[1] + x[2] * y[2]
        y[0], y[1], y[2] = y[0] - overlap * x[0], y[1] - overlap * x[1], y[2] - overlap * x[2]
        scale = 1 / math.sqrt(y[0] * y[0] + y[1] * y[1] + y[2] * y[2])
        y[0], y[1], y[2] = scale * y[0], scale * y[1], scale * y[2]
