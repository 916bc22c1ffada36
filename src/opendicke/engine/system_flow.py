r"""The classical flow of spins and modes: as it is, for mean field, and along noise, for truncated Wigner.

.. math::
    \dot S_i = B_i\times S_i,\quad B_i = (2\,\mathrm{Re}\,c_i, -2\,\mathrm{Im}\,c_i, \omega_i),\quad
    c_i = \xi_i + \sum_m(g^*_{-,im}\alpha_m + g_{+,im}\alpha_m^*),\qquad
    \dot\alpha_m = -w_m\alpha_m - i\sum_i(g_{-,im}S_i^- + g_{+,im}S_i^+) - i\eta_m

with couplings that hold their :math:`1/\sqrt{N_\mathrm{ref}}`. Along noise the method is that of ``wigner``: noise and
drives are a path of each mode's field, the rest is smooth, and spins are only ever turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined
from opendicke.engine.moving import TO_POWERS
from opendicke.engine.wigner import VacuumPath, rotated, scaled, weighted

Vector = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: From the values at the nodes of a step to those of their parabola at its start, middle and end, and to its integrals
#: over the halves of a step of length 1.
TO_STAGES = np.vander([0.0, 0.5, 1.0], 3, increasing=True) @ TO_POWERS
TO_HALVES = np.array([[1 / 2, 1 / 8, 1 / 24], [1 / 2, 3 / 8, 7 / 24]]) @ TO_POWERS


class SpinRates(NamedTuple):
    """What moves the spins, with any axes in front: ω_a and ξ (..., spins); g₋ and g₊ over √N_ref (..., spins, modes).

    Compiled code takes one axis in front, the row.
    """

    omega_a: Vector
    push: Complex
    minus: Complex
    plus: Complex


@dataclass(frozen=True)
class SystemFlow:
    """The equations of motion along noise, on one grid of steps.

    ``rates`` has three rows (start, middle, end) for every step, or for all of them alike; ``halves``, shape
    (steps, 2, modes), the factors by which the smooth part of a field decays in the halves of a step.
    """

    rates: SpinRates
    halves: Complex

    @classmethod
    def of(cls, rates: SpinRates, w: Complex, steps: Vector) -> SystemFlow:
        """From the values at the nodes of every step (see ``moving.NODES``).

        Args:
            rates: of shape (steps, 3, ...), or (1, 3, ...) if none of them moves.
            w: κ + iω_c, shape (steps, 3, modes).
            steps: lengths.
        """
        stages = (np.einsum("qn,sn...->sq...", TO_STAGES, part) for part in rates)
        rows = SpinRates(*(np.ascontiguousarray(part.reshape(-1, *part.shape[2:])) for part in stages))
        integrals = np.einsum("qn,snm,s->sqm", TO_HALVES, w, steps)
        return cls(rows, np.exp(-integrals))

    def run(
        self, spins: Vector, fields: Complex, paths: Sequence[VacuumPath], hits: NDArray[np.int64], moments: int
    ) -> tuple[Vector, Complex]:
        """One trajectory.

        Args:
            spins: at the start, shape (spins, 3).
            fields: the smooth parts of the fields at the start, shape (modes,).
            paths: what else there is of each mode's field.
            hits: for the start and each step's end, where in the answer its values go, or −1.
            moments: length of the answer.

        Returns:
            The spins, shape (moments, spins, 3), and α, shape (moments, modes).
        """
        noise = tuple(
            np.stack([getattr(path, part) for path in paths], axis=-1) for part in ("middle", "slope", "ends")
        )
        found, alpha = np.empty((moments, *spins.shape)), np.empty((moments, fields.size), dtype=np.complex128)
        _propagate(self.rates, paths[0].steps, self.halves, noise, hits, spins.copy(), fields.copy(), found, alpha)
        return found, alpha


@compiled
def velocity(rates, w, kick, share, y, out):  # type: ignore[no-untyped-def]
    """The flow at ``y`` = (spins, real and imaginary parts of the fields), into ``out``.

    ``rates`` has one row, ``kick`` is −iη, and ``share`` is what a unit of each spin counts in the fields' equations.
    """
    count = share.size
    turn, spins = np.empty((count, 3)), np.empty((count, 3))
    fields, drive = np.empty(w.size, dtype=np.complex128), np.empty(w.size, dtype=np.complex128)
    for m in range(w.size):
        fields[m] = complex(y[3 * count + 2 * m], y[3 * count + 2 * m + 1])
    turns(rates, 0, 1.0, fields, turn)
    for i in range(count):
        x, y_, z = y[3 * i], y[3 * i + 1], y[3 * i + 2]
        out[3 * i] = turn[i, 1] * z - turn[i, 2] * y_
        out[3 * i + 1] = turn[i, 2] * x - turn[i, 0] * z
        out[3 * i + 2] = turn[i, 0] * y_ - turn[i, 1] * x
        for axis in range(3):
            spins[i, axis] = share[i] * y[3 * i + axis]
    drives(rates, 0, spins, drive)
    for m in range(w.size):
        rate = drive[m] - w[m] * fields[m] + kick[m]
        out[3 * count + 2 * m] = rate.real
        out[3 * count + 2 * m + 1] = rate.imag


@compiled
def _propagate(rates, steps, halves, noise, hits, spins, means, found, alpha):  # type: ignore[no-untyped-def]
    middle, slope, ends = noise
    count, modes = spins.shape[0], means.size
    turn, trial = np.empty((4, count, 3)), np.empty((2, count, 3))
    drive, field = np.empty((4, modes), dtype=np.complex128), np.empty(modes, dtype=np.complex128)
    work = turn, drive, trial, field
    last = rates.omega_a.shape[0] - 3
    for i in range(steps.size + 1):
        if hits[i] >= 0:
            found[hits[i]] = spins
            for m in range(modes):
                alpha[hits[i], m] = means[m] + ends[i, m]
        if i < steps.size:
            step(rates, min(3 * i, last), steps[i], halves[i], middle[i], slope[i], spins, means, work)


@inlined
def step(rates, row, h, halves, middle, slope, spins, means, work):  # type: ignore[no-untyped-def]
    """One step of length h of spins and fields, in place; as ``wigner.step``, where k1 … k4 and f1 … f4 are said."""
    turn, drive, trial, field = work
    for m in range(means.size):
        field[m] = means[m] + middle[m] - 0.5 * h * slope[m]
    turns(rates, row, h, field, turn[0])
    drives(rates, row, spins, drive[0])
    for i in range(spins.shape[0]):
        put(trial[0, i], rotated(scaled(0.5, turn[0, i]), spins[i]))
    for m in range(means.size):
        field[m] = halves[0, m] * (means[m] + 0.5 * h * drive[0, m]) + middle[m]
    turns(rates, row + 1, h, field, turn[1])
    drives(rates, row + 1, trial[0], drive[1])
    for i in range(spins.shape[0]):
        put(trial[1, i], rotated(scaled(0.5, turn[1, i]), spins[i]))
    for m in range(means.size):
        field[m] = halves[0, m] * means[m] + 0.5 * h * drive[1, m] + middle[m]
    turns(rates, row + 1, h, field, turn[2])
    drives(rates, row + 1, trial[1], drive[2])
    for i in range(spins.shape[0]):
        k1, k3 = turn[0, i], turn[2, i]
        rest = k3[0] - 0.5 * k1[0], k3[1] - 0.5 * k1[1], k3[2] - 0.5 * k1[2]
        put(trial[1, i], rotated(rest, trial[0, i]))
    for m in range(means.size):
        field[m] = halves[1, m] * (halves[0, m] * means[m] + h * drive[2, m]) + middle[m] + 0.5 * h * slope[m]
    turns(rates, row + 2, h, field, turn[3])
    drives(rates, row + 2, trial[1], drive[3])
    for i in range(spins.shape[0]):
        first = rotated(weighted(turn[0, i], turn[1, i], turn[2, i], turn[3, i]), spins[i])
        put(spins[i], rotated(weighted(turn[3, i], turn[1, i], turn[2, i], turn[0, i]), first))
    for m in range(means.size):
        early, late = halves[0, m], halves[1, m]
        means[m] = early * late * (means[m] + h * drive[0, m] / 6) + late * h * (drive[1, m] + drive[2, m]) / 3
        means[m] += h * drive[3, m] / 6


@inlined
def turns(rates, row, h, fields, out):  # type: ignore[no-untyped-def]
    """The rotation vectors h B_i in the fields, into ``out``."""
    for i in range(out.shape[0]):
        c = rates.push[row, i]
        for m in range(fields.size):
            c += rates.minus[row, i, m].conjugate() * fields[m] + rates.plus[row, i, m] * fields[m].conjugate()
        out[i, 0], out[i, 1], out[i, 2] = 2 * h * c.real, -2 * h * c.imag, h * rates.omega_a[row, i]


@inlined
def drives(rates, row, spins, out):  # type: ignore[no-untyped-def]
    """What the spins add to the fields' time derivatives, into ``out``."""
    for m in range(out.size):
        pull = 0j
        for i in range(spins.shape[0]):
            lower = complex(spins[i, 0], -spins[i, 1])
            pull += rates.minus[row, i, m] * lower + rates.plus[row, i, m] * lower.conjugate()
        out[m] = complex(pull.imag, -pull.real)


@inlined
def put(vector, values):  # type: ignore[no-untyped-def]
    """Store three numbers."""
    vector[0], vector[1], vector[2] = values
