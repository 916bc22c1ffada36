"""A system as QuTiP writes it: the only file that imports QuTiP."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opendicke import checks, signals
from opendicke.signals import ComplexRate, Rate
from opendicke.words import Word

if TYPE_CHECKING:
    from qutip import Qobj, QobjEvo

#: An :class:`opendicke.System` and one of its modes; ``system`` imports this module, and not the other way round.
System = Any
Mode = Any


def export(system: System, photons: int | Sequence[int]) -> tuple[Qobj | QobjEvo, list[Qobj | QobjEvo]]:
    """Hamiltonian and collapse operators; see :meth:`opendicke.System.to_qutip`."""
    try:
        import qutip  # noqa: F401
    except ImportError as problem:
        raise ImportError("to_qutip needs QuTiP: pip install 'opendicke[qutip]'") from problem
    space = Space(system, photons)
    total: Any = 0
    for rate, word, hermitian in system.terms():
        if rate == 0:
            continue
        part = _times(space.operator(word), _Value(rate))
        total = total + part + (0 if hermitian else part.dag())
    if total == 0:
        total = 0 * space.identity()
    jumps: list[Any] = []
    for m, mode in enumerate(system.modes):
        lower, raise_ = space.operator(Word((), ((m, ""),))), space.operator(Word((), ((m, "†"),)))
        jump = _times(lower, _Bath(mode, "down"))
        jumps.append(jump if mode.squeezing == 0 else jump + _times(raise_, _Bath(mode, "mix")))
        if mode.n_thermal != 0:
            jumps.append(_times(raise_, _Bath(mode, "up")))
    return total, jumps


class Space:
    """Operators on spins ⊗ modes."""

    def __init__(self, system: System, photons: int | Sequence[int]) -> None:
        self.atoms = [spin.n_atoms for spin in system.spins]
        modes = len(system.modes)
        given = list(photons) if isinstance(photons, (tuple, list)) else [photons] * modes
        if len(given) != modes:
            raise checks.refuse("photons", f"one number, or {modes}, one for each mode", photons)
        self.fock = [checks.integer("photons", one, minimum=1) + 1 for one in given]

    def identity(self) -> Qobj:
        """Of the whole space."""
        import qutip

        return qutip.qeye([*(n + 1 for n in self.atoms), *self.fock])

    def operator(self, word: Word) -> Qobj:
        """The product of operators that a word is."""
        import qutip

        places = [qutip.qeye(n + 1) for n in self.atoms] + [qutip.qeye(levels) for levels in self.fock]
        for site, factor in word.spins:
            places[site] = places[site] * qutip.jmat(self.atoms[site] / 2, factor)
        for site, factor in word.modes:
            one = qutip.destroy(self.fock[site])
            at = len(self.atoms) + site
            places[at] = places[at] * (one.dag() if factor else one)
        return qutip.tensor(places)


@dataclass(frozen=True)
class _Value:
    """A rate as a coefficient of QuTiP, which wants something like a function and copies it to other processes."""

    rate: ComplexRate

    @property
    def moves(self) -> bool:
        return signals.moves(self.rate)

    def at(self, t: float) -> complex:
        return complex(signals.evaluate(self.rate, t))


@dataclass(frozen=True)
class _Bath:
    """A coefficient of a collapse operator: of a and a† in the first, of a† in the second."""

    mode: Mode
    part: str

    @property
    def moves(self) -> bool:
        return any(signals.moves(rate) for rate in (self.mode.kappa, self.mode.n_thermal, self.mode.squeezing))

    def at(self, t: float) -> complex:
        rates: tuple[Rate, ...] = (self.mode.kappa, self.mode.n_thermal, self.mode.squeezing)
        kappa, photons, squeezing = (complex(signals.evaluate(rate, t)) for rate in rates)
        root, bath = math.sqrt(2 * max(kappa.real, 0.0)), max(photons.real, 0.0)  # splines touch 0 up to rounding
        if self.part == "down":
            return complex(root * math.sqrt(bath + 1))
        if self.part == "mix":
            return -root * squeezing / math.sqrt(bath + 1)
        return complex(root * math.sqrt(max(bath - abs(squeezing) ** 2 / (bath + 1), 0.0)))


def _times(operand: Qobj, coefficient: _Value | _Bath) -> Qobj | QobjEvo:
    """Their product, a QobjEvo if the coefficient moves."""
    if not coefficient.moves:
        return coefficient.at(0.0) * operand
    import qutip

    return qutip.QobjEvo([operand, coefficient.at])
