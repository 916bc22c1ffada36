"""The master equation of any system: several spins and modes, driven, thermal, squeezed, moving in time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import signals
from opendicke.integration import Watch
from opendicke.master.folding import Folding
from opendicke.signals import ComplexRate
from opendicke.system import System, fastest_rate
from opendicke.words import Word

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Longest step of an integrator over 1/rate of the fastest signal: a dozen evaluations in a twelfth of a period.
STEP_TIMES_RATE = 0.5
#: What a rate is over the fastest one to be 0: the integrator squares errors, and the tails of pulses are so faint
#: that it would divide 0 by 0.
NOTHING = 1e-100
#: What it costs to start anew, in steps.
STEPS_PER_KINK = 4


class DrivenGenerator(Folding):
    r"""The right-hand side on :math:`A = \mathrm{Re}\,\rho + \mathrm{Im}\,\rho` for any system.

    With :math:`\Gamma_\downarrow = 2\kappa(\bar n+1)`, :math:`\Gamma_\uparrow = 2\kappa\bar n` and
    :math:`s = 2\kappa m`, and a sum over modes understood,

    .. math::
        \dot\rho = (T - iS)\rho + \mathrm{h.c.} + \Gamma_\downarrow a\rho a^\dagger + \Gamma_\uparrow a^\dagger\rho a
            - (s\,a^\dagger\rho a^\dagger + \mathrm{h.c.}), \qquad
        T - iS = -iH - \tfrac12(\Gamma_\downarrow a^\dagger a + \Gamma_\uparrow aa^\dagger
            - s\,a^{\dagger2} - s^*a^2)

    with real T and S. All operators are real, so

    .. math::
        \dot A = TA - SA^T + (SA + TA^T)^T + \Gamma_\downarrow aAa^T + \Gamma_\uparrow a^TAa
            - \mathrm{Re}\,s\,(a^TAa^T + aAa) - \mathrm{Im}\,s\,(a^TA^Ta^T - aA^Ta)

    Args:
        system: any.
        photons: highest photon number kept of each mode.
        clock: told of every evaluation.
    """

    def __init__(self, system: System, photons: tuple[int, ...], clock: Watch) -> None:
        super().__init__(tuple(spin.n_atoms for spin in system.spins), photons)
        self.clock, self._moves = clock, bool(system.moving)
        terms = [term for term in system.terms() if term.rate != 0]
        baths = [rate for mode in system.modes for rate in (mode.kappa, mode.n_thermal, mode.squeezing)]
        self._rates = Rates([*(term.rate for term in terms), *baths], NOTHING * max(fastest_rate(system), pace(system)))
        self._squeezed = [m for m, mode in enumerate(system.modes) if mode.squeezing != 0]
        self._hops = [np.sqrt(np.outer(f, f)) for f in (np.arange(1.0, highest + 1) for highest in photons)]
        t_parts, s_parts = [], []
        #: Terms whose rate has an imaginary part.
        self._turned = [at for at, term in enumerate(terms) if not term.hermitian and _is_complex(term.rate)]
        for at, term in enumerate(terms):
            matrix = self.operator(term.word)
            s_parts.append(matrix if term.hermitian else matrix + matrix.T)
            if at in self._turned:
                t_parts.append(matrix - matrix.T)
        squares = []
        for m in range(len(photons)):
            destroy = self.operator(Word((), ((m, ""),)))
            t_parts += [destroy.T @ destroy, destroy @ destroy.T]  # nothing is absorbed beyond the cutoff
            squares.append((destroy @ destroy).T)
        t_parts += [squares[m] + squares[m].T for m in self._squeezed]
        s_parts += [squares[m] - squares[m].T for m in self._squeezed]
        self._t, self._s = Combination(self.size, t_parts), Combination(self.size, s_parts)
        self._set_rates(0.0)

    def __call__(self, time: float, y: Real) -> Real:
        """How A changes at ``time``."""
        self.clock.check(time)
        if self._moves:
            self._set_rates(time)
        folded = y.reshape(self.size, self.size)
        transposed = np.ascontiguousarray(folded.T)  # the sparse products want rows that are contiguous
        change: Real = self._t.matrix @ folded
        change -= self._s.matrix @ transposed
        back: Real = self._s.matrix @ folded
        back += self._t.matrix @ transposed
        change += back.T
        self._add_jumps(change, folded, transposed)
        return change.ravel()

    def _set_rates(self, time: float) -> None:
        """T, S and the rates of the baths at ``time``."""
        values, modes = self._rates.at(time), len(self._hops)
        own, baths = values[: -3 * modes], values[-3 * modes :].reshape(modes, 3)
        kappa, photons = baths[:, 0].real, baths[:, 1].real
        self._down, self._up, self._pair = 2 * kappa * (photons + 1), 2 * kappa * photons, 2 * kappa * baths[:, 2]
        losses = -0.5 * np.stack([self._down, self._up], axis=-1).ravel()
        pairs = 0.5 * self._pair[self._squeezed]
        self._t.set(np.concatenate([own.imag[self._turned], losses, pairs.real]))
        self._s.set(np.concatenate([own.real, -pairs.imag]))

    def _add_jumps(self, change: Real, folded: Real, transposed: Real) -> None:
        """What stands on both sides of ρ, added to ``change``."""
        for m, hop in enumerate(self._hops):
            at = len(self.atoms) + m
            shape = (math.prod(self.dims[:at]), self.dims[at], math.prod(self.dims[at + 1 :])) * 2
            after, before, mirrored = (one.reshape(shape) for one in (change, folded, transposed))
            weights = hop[:, None, None, :, None]  # of <f|a|f+1><g+1|a†|g>, for all other states
            after[:, :-1, :, :, :-1] += self._down[m] * weights * before[:, 1:, :, :, 1:]
            if self._up[m] > 0:
                after[:, 1:, :, :, 1:] += self._up[m] * weights * before[:, :-1, :, :, :-1]
            if m in self._squeezed:
                re, im = self._pair[m].real * weights, self._pair[m].imag * weights
                gained, lost = (np.s_[:, 1:, :, :, :-1], np.s_[:, :-1, :, :, 1:])
                after[gained] -= re * before[lost] + im * mirrored[lost]
                after[lost] -= re * before[gained] - im * mirrored[gained]


class Rates:
    """The values of rates at a time, as complex numbers.

    Args:
        rates: numbers and signals.
        least: smaller ones are 0.
    """

    def __init__(self, rates: Iterable[ComplexRate], least: float) -> None:
        self._rates, self._least = list(rates), least
        self._values = np.array([complex(signals.evaluate(rate, 0.0)) for rate in self._rates])
        self._moving = [at for at, rate in enumerate(self._rates) if signals.moves(rate)]

    def at(self, time: float) -> Complex:
        """All of them at ``time``."""
        for at in self._moving:
            self._values[at] = signals.evaluate(self._rates[at], time)
        return np.where(abs(self._values) > self._least, self._values, 0.0)


class Combination:
    r"""A sparse matrix :math:`\sum_i c_iM_i`; where it has elements is worked out once.

    Args:
        size: of the matrix, which is square.
        parts: the :math:`M_i`.
    """

    def __init__(self, size: int, parts: list[Any]) -> None:
        from scipy import sparse

        self.matrix = sparse.csr_array(sum((abs(part) for part in parts), sparse.csr_array((size, size))))
        self.matrix.sort_indices()
        rows, columns = self.matrix.tocoo().coords
        keys = rows.astype(np.int64) * size + columns
        self._elements = np.zeros((len(parts), keys.size))
        for elements, part in zip(self._elements, parts, strict=True):
            part = part.tocoo()
            elements[np.searchsorted(keys, part.coords[0].astype(np.int64) * size + part.coords[1])] = part.data

    def set(self, coefficients: Real) -> None:
        """Make it the sum with these coefficients."""
        self.matrix.data[:] = coefficients @ self._elements


def _is_complex(rate: ComplexRate) -> bool:
    """Whether a rate has an imaginary part at some time."""
    return bool(np.iscomplexobj(signals.evaluate(rate, 0.0)))


def longest_step(system: System) -> float:
    """The longest step that does not step over an oscillation of a signal."""
    fastest = system.signal_rate
    return STEP_TIMES_RATE / fastest if fastest > 0 else math.inf


def forced_steps(system: System) -> float:
    """Steps of an integrator in a unit of time that signals alone ask for, in the time in which they have kinks."""
    kinks = system.kinks(math.inf)
    return 1 / longest_step(system) + (STEPS_PER_KINK * len(kinks) / kinks[-1] if kinks else 0.0)


def pace(system: System) -> float:
    """The fastest rate at which drives and the light of the baths move spins and fields; 0 for everyday models."""
    size = signals.largest
    spins = [2 * size(spin.atom_drive) for spin in system.spins]
    drives = [size(mode.drive) for mode in system.modes]
    baths = [2 * size(mode.kappa) * (size(mode.n_thermal) + size(mode.squeezing)) for mode in system.modes]
    return float(max(*spins, *drives, *baths))
