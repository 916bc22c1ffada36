"""The master equation of models that move in time, are driven or thermal."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import signals
from opendicke.methods.folding import Folding
from opendicke.methods.integration import Watch
from opendicke.model import DickeModel
from opendicke.system import fastest_rate

Real = NDArray[np.float64]

#: Parameters of a model that may move.
RATES = tuple(item.name for item in fields(DickeModel) if item.name != "n_atoms")
#: Longest step of an integrator over 1/rate of the fastest signal: a dozen evaluations in a twelfth of a period.
STEP_TIMES_RATE = 0.5
#: What a rate is over the fastest one to be 0: the integrator squares errors, and the tails of pulses are so faint
#: that it would divide 0 by 0.
NOTHING = 1e-100
#: What it costs to start anew, in steps.
STEPS_PER_KINK = 4


class DrivenGenerator(Folding):
    r"""The right-hand side on :math:`A = \mathrm{Re}\,\rho + \mathrm{Im}\,\rho` for any model.

    Drives make H complex, :math:`H = R + iI` with R symmetric and I antisymmetric. With
    :math:`\Gamma_\downarrow = 2\kappa(\bar n+1)`, :math:`\Gamma_\uparrow = 2\kappa\bar n` and
    :math:`K = \tfrac12(\Gamma_\downarrow a^\dagger a + \Gamma_\uparrow a a^\dagger)`

    .. math:: \dot A = (RA + IA^T)^T - (RA^T - IA) + \Gamma_\downarrow aAa^T + \Gamma_\uparrow a^TAa - KA - AK

    Args:
        model: any.
        photons: highest photon number kept.
        clock: told of every evaluation.
    """

    def __init__(self, model: DickeModel, photons: int, clock: Watch) -> None:
        super().__init__(model.n_atoms, photons)
        self.model, self.clock = model, clock
        self._least = NOTHING * max(fastest_rate(model.system), pace(model))
        self._real, self._imaginary = _hamiltonian(model.n_atoms, photons)
        f = np.arange(photons + 1.0)
        self._hop = np.sqrt(np.outer(f[1:], f[1:]))[:, None, :]  # of <f|a|f+1><g+1|a†|g>, for all spin states
        self._emit = np.tile(f, model.n_atoms + 1)
        self._absorb = np.tile(np.append(f[1:], 0.0), model.n_atoms + 1)  # nothing is absorbed beyond the cutoff

    def __call__(self, time: float, y: Real) -> Real:
        """How A changes at ``time``."""
        self.clock.check(time)
        self._set_rates(time)
        folded = y.reshape(self.size, self.size)
        transposed = np.ascontiguousarray(folded.T)  # the sparse products want rows that are contiguous
        change: Real = self._imaginary.matrix @ folded
        change -= self._real.matrix @ transposed
        back: Real = self._real.matrix @ folded
        back += self._imaginary.matrix @ transposed
        change += back.T
        self._add_losses(change, folded)
        return change.ravel()

    def _set_rates(self, time: float) -> None:
        """H and the rates of loss at ``time``."""
        rate = {name: self._rate(name, time) for name in RATES}
        kappa, photons, drive, push = (rate[name] for name in ("kappa", "n_thermal", "drive", "atom_drive"))
        stay = (rate[name] for name in ("omega_a", "omega_c", "g_minus", "g_plus"))
        self._real.set(*stay, drive.real, push.real)
        self._imaginary.set(drive.imag, push.imag)
        self._down, self._up = float(2 * kappa * (photons + 1)), float(2 * kappa * photons)

    def _rate(self, name: str, time: float) -> Any:
        value = signals.evaluate(getattr(self.model, name), time)
        return value if abs(value) > self._least else 0.0 * value

    def _add_losses(self, change: Real, folded: Real) -> None:
        """What the bath does to A, added to ``change``."""
        k = 0.5 * (self._down * self._emit + self._up * self._absorb)
        change -= np.add.outer(k, k) * folded
        after, before = change.reshape(self.shape), folded.reshape(self.shape)
        after[:, :-1, :, :-1] += self._down * self._hop * before[:, 1:, :, 1:]
        if self._up > 0:
            after[:, 1:, :, 1:] += self._up * self._hop * before[:, :-1, :, :-1]


class Combination:
    r"""A sparse matrix :math:`\sum_i c_iM_i`; where it has elements is worked out once.

    Args:
        parts: the :math:`M_i`.
    """

    def __init__(self, *parts: Any) -> None:
        from scipy import sparse

        self.matrix = sparse.csr_array(sum(abs(part) for part in parts))
        self.matrix.sort_indices()
        rows, columns = self.matrix.tocoo().coords
        keys = rows.astype(np.int64) * self.matrix.shape[1] + columns
        self._elements = np.zeros((len(parts), keys.size))
        for elements, part in zip(self._elements, parts, strict=True):
            part = part.tocoo()
            elements[np.searchsorted(keys, part.coords[0].astype(np.int64) * part.shape[1] + part.coords[1])] = (
                part.data
            )

    def set(self, *coefficients: Any) -> None:
        """Make it the sum with these coefficients."""
        self.matrix.data[:] = np.array(coefficients) @ self._elements


def _hamiltonian(n_atoms: int, photons: int) -> tuple[Combination, Combination]:
    """Re H, linear in ω_a, ω_c, g₋, g₊, Re η, Re ξ, and Im H, linear in Im η, Im ξ; the basis is |j, j−n>|f>."""
    from scipy import sparse

    n, f = np.arange(n_atoms + 1), np.arange(photons + 1)
    one_spin, one_cavity = sparse.eye_array(n_atoms + 1), sparse.eye_array(photons + 1)
    lower = sparse.diags_array(np.sqrt((n[:-1] + 1.0) * (n_atoms - n[:-1])), offsets=-1)
    destroy = sparse.diags_array(np.sqrt(f[1:].astype(float)), offsets=1)

    def product(spin: Any, cavity: Any) -> Any:
        return sparse.csr_array(sparse.kron(spin, cavity))

    def symmetric(spin: Any, cavity: Any) -> Any:
        return product(spin, cavity) + product(spin.T, cavity.T)

    real = Combination(
        product(sparse.diags_array(n_atoms / 2 - n), one_cavity),
        product(one_spin, sparse.diags_array(f.astype(float))),
        symmetric(lower, destroy.T) / math.sqrt(n_atoms),
        symmetric(lower.T, destroy.T) / math.sqrt(n_atoms),
        symmetric(one_spin, destroy.T),
        symmetric(lower.T, one_cavity),
    )
    imaginary = Combination(
        product(one_spin, destroy.T) - product(one_spin, destroy),
        product(lower.T, one_cavity) - product(lower, one_cavity),
    )
    return real, imaginary


def longest_step(model: DickeModel) -> float:
    """The longest step that does not step over an oscillation of a signal."""
    fastest = max((getattr(model, name).rate for name in model.moving), default=0.0)
    return STEP_TIMES_RATE / fastest if fastest > 0 else math.inf


def forced_steps(model: DickeModel) -> float:
    """Steps of an integrator in a unit of time that signals alone ask for, in the time in which they have kinks."""
    kinks = model.system.kinks(math.inf)
    return 1 / longest_step(model) + (STEPS_PER_KINK * len(kinks) / kinks[-1] if kinks else 0.0)


def pace(model: DickeModel) -> float:
    """The fastest rate at which drives and thermal photons move spins and field; 0 for the everyday model."""
    kappa, photons = signals.largest(model.kappa), signals.largest(model.n_thermal)
    return max(signals.largest(model.drive), 2 * signals.largest(model.atom_drive), 2 * kappa * photons)


def empty_cavity(model: DickeModel, alpha: complex, times: Real) -> NDArray[np.complex128]:
    r"""<a> at ``times`` (from 0 on, evenly spaced) if there were no atoms.

    .. math:: \dot\alpha = -(\kappa+i\omega_c)\alpha - i\eta

    with rates that stay as they are in the middle of each interval.
    """
    middles, steps = 0.5 * (times[1:] + times[:-1]), np.diff(times)
    w = signals.evaluate(model.kappa, middles) + 1j * signals.evaluate(model.omega_c, middles)
    decay = np.exp(-w * steps)
    # (1 − e^(−wh))/w, which is h at w = 0
    length = np.where(abs(w) * steps > 1e-8, (1 - decay) / np.where(w == 0, 1, w), steps)
    push = -1j * signals.evaluate(model.drive, middles) * length
    found = [alpha]
    for factor, change in zip(decay, push, strict=True):
        found.append(factor * found[-1] + change)
    return np.array(found)


def thermal_photons(model: DickeModel, time: float) -> float:
    """The most that the bath alone can have put into an empty cavity by ``time``."""
    kappa, photons = signals.largest(model.kappa), signals.largest(model.n_thermal)
    return -photons * math.expm1(-2 * kappa * time)


def thermal_tail(photons: float, bound: float) -> float:
    """The photon number that holds less than ``bound`` of a thermal state."""
    return -math.log(bound) / math.log1p(1 / photons) if photons > 0 else 0.0
