"""The system: spins, modes, couplings and what is put in, as data. This is what methods are handed."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.description import added, describe, replaced, restore
from opendicke.parameters import made_by_name
from opendicke.shown import Formula
from opendicke.signals import ComplexRate, Rate
from opendicke.words import Word

if TYPE_CHECKING:
    import xarray as xr
    from qutip import Qobj, QobjEvo

KAPPA_HINT = "kappa is the field decay rate; the photon number decays at 2 kappa."
#: Times at which it is looked whether the squeezing of a bath that moves is one that there can be.
LOOKS = 2000
#: By which |m|² may pass n̄(n̄ + 1), relatively, through rounding.
ROUNDING = 1e-12

#: A row for each spin, an entry for each mode.
Couplings = tuple[tuple[ComplexRate, ...], ...]


@made_by_name
@dataclass(frozen=True, kw_only=True)
class Spin:
    r"""N two-level atoms that act as one spin, j = N/2: :math:`\omega_aS^z + (\xi S^+ + \mathrm{h.c.})`.

    Args:
        n_atoms: number of atoms N >= 1 (an int).
        omega_a: atomic frequency, real.
        atom_drive: what drives the atoms, :math:`\xi`, complex.

    Rates are numbers, or signals such as :class:`opendicke.Ramp`.

    Raises:
        ValueError, TypeError: for anything else; the message names the parameter.
    """

    n_atoms: int
    omega_a: Rate
    atom_drive: ComplexRate = field(default=0j, metadata=added("0.2", neutral=0j))

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_atoms", checks.integer("n_atoms", self.n_atoms, minimum=1))
        object.__setattr__(self, "omega_a", signals.rate("omega_a", self.omega_a))
        object.__setattr__(self, "atom_drive", signals.complex_rate("atom_drive", self.atom_drive))


@made_by_name
@dataclass(frozen=True, kw_only=True)
class Mode:
    r"""A lossy mode of the cavity: :math:`\omega_ca^\dagger a + (\eta a^\dagger + \mathrm{h.c.})` and its bath.

    .. math::
        \dot\rho = 2\kappa\left[(\bar n + 1)\,\mathcal D[a] + \bar n\,\mathcal D[a^\dagger]\right]\rho
        - \kappa\left[m\,(2a^\dagger\rho a^\dagger - a^{\dagger2}\rho - \rho a^{\dagger2}) + \mathrm{h.c.}\right]

    Args:
        omega_c: frequency (minus the detuning, in a rotating frame), real, of either sign.
        kappa: field decay rate, >= 0.
        n_thermal: photons :math:`\bar n` of the bath, >= 0, without a unit.
        drive: :math:`\eta`, complex, in the frame in which ``omega_c`` is measured.
        squeezing: :math:`m`, complex, without a unit: the light that comes in has :math:`\langle b^\dagger b\rangle =
            \bar n` and :math:`\langle bb\rangle = m` in that frame, :math:`|m|^2 \le \bar n(\bar n+1)`.

    Rates are numbers, or signals such as :class:`opendicke.Ramp`.

    Raises:
        ValueError, TypeError: for anything else; the message names the parameter.

    Source: C. W. Gardiner and P. Zoller, *Quantum Noise*, chapter 10.
    """

    omega_c: Rate
    kappa: Rate
    n_thermal: Rate = field(default=0.0, metadata=added("0.2", neutral=0.0))
    drive: ComplexRate = field(default=0j, metadata=added("0.2", neutral=0j))
    squeezing: ComplexRate = field(default=0j, metadata=added("0.2", neutral=0j))

    def __post_init__(self) -> None:
        checked = {
            "omega_c": signals.rate("omega_c", self.omega_c),
            "kappa": signals.rate("kappa", self.kappa, minimum=0.0, hint=KAPPA_HINT),
            "n_thermal": signals.rate("n_thermal", self.n_thermal, minimum=0.0),
            "drive": signals.complex_rate("drive", self.drive),
            "squeezing": signals.complex_rate("squeezing", self.squeezing),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        check_squeezing(self.n_thermal, self.squeezing)


def check_squeezing(n_thermal: Rate, squeezing: ComplexRate) -> None:
    """Refuse squeezing that no bath has: |m|² > n̄(n̄ + 1). What moves is looked at 2000 times."""
    if squeezing == 0:
        return
    times = looks(n_thermal, squeezing)
    photons, squares = signals.evaluate(n_thermal, times), np.abs(signals.evaluate(squeezing, times)) ** 2
    excess = squares - photons * (photons + 1) * (1 + ROUNDING)
    worst = int(np.argmax(excess))
    if excess[worst] > 0:
        got = f"|m| = {math.sqrt(squares[worst]):g} and n_thermal = {photons[worst]:g} at t = {times[worst]:g}"
        hint = "Squeezed vacuum has n_thermal = sinh²r and squeezing = e^(iφ) sinh r cosh r."
        raise checks.refuse("squeezing", "|squeezing|² up to n_thermal (n_thermal + 1)", got, hint)


def looks(*rates: ComplexRate) -> NDArray[np.float64]:
    """Times that show all values of signals."""
    kinks = signals.kinks(rates, math.inf)
    slowest = [2 * math.pi / rate.frequency for rate in rates if isinstance(rate, signals.Sine)]
    stop = max([*kinks, *slowest, 1.0])
    return np.concatenate([[0.0], np.linspace(0.0, stop, LOOKS), kinks])


class Term(NamedTuple):
    """One term of H: rate times word, and the Hermitian conjugate where the word is not Hermitian."""

    rate: ComplexRate
    word: Word
    hermitian: bool


@made_by_name
@dataclass(frozen=True, kw_only=True)
class System(Formula):
    r"""Spins and modes that couple linearly, each mode with a bath of its own: for several ensembles, several modes.

    .. math::
        H = \sum_i H_i + \sum_m H_m + \frac{1}{\sqrt{N_\mathrm{ref}}}\sum_{im}
            \left[g_{-,im}S_i^-a_m^\dagger + g_{+,im}S_i^+a_m^\dagger + \mathrm{h.c.}\right]

    with :math:`H_i` of :class:`opendicke.Spin`, and :math:`H_m` and the losses of :class:`opendicke.Mode`.
    :class:`opendicke.DickeModel` is the everyday way to write the case of one spin and one mode. ``MeanField``,
    ``TruncatedWigner``, ``GaussianTrajectories`` and ``Lindblad`` take any system, ``Eliminated`` constant ones in a
    vacuum, ``Schroedinger`` those without losses; every other method takes one spin and one mode.

    Args:
        spins: one :class:`opendicke.Spin` or more.
        modes: one :class:`opendicke.Mode` or more.
        g_minus, g_plus: complex couplings, a row for each spin, an entry for each mode; numbers or signals. Those that
            are left out are 0.
        n_ref: the number of atoms :math:`N_\mathrm{ref} > 0` under the root; all atoms together if it is left out. From
            then on it is a number of its own: ``replace``, and a sweep over numbers of atoms, leave it as it is.

    Raises:
        ValueError, TypeError: for what does not fit together; the message names the parameter.

    Answers have the dimensions ``spin`` and ``mode`` beside ``time``.

    >>> import opendicke as od
    >>> clumps = [od.Spin(n_atoms=n, omega_a=1.0) for n in (60, 40)]
    >>> cavity = od.Mode(omega_c=2.5, kappa=0.5)
    >>> system = System(spins=clumps, modes=[cavity], g_minus=[[1.13], [1.13]], g_plus=[[1.13], [-1.13]])
    >>> result = od.solve(system, od.Normal(), [0.0, 1.0], od.MeanField(), ["Sz", "a"])
    >>> dict(result.Sz.sizes), result.Sz.values[0]
    ({'time': 2, 'spin': 2}, array([-30., -20.]))
    """

    spins: tuple[Spin, ...]
    modes: tuple[Mode, ...]
    g_minus: Couplings = ()
    g_plus: Couplings = ()
    n_ref: float = 0.0

    def __post_init__(self) -> None:
        for name, kind in (("spins", Spin), ("modes", Mode)):
            given = getattr(self, name)
            if not isinstance(given, (tuple, list)) or not given or not all(isinstance(one, kind) for one in given):
                expected = f"a sequence of at least one opendicke.{kind.__name__}"
                raise checks.refuse(name, expected, given, error=TypeError)
            object.__setattr__(self, name, tuple(given))
        for name in ("g_minus", "g_plus"):
            object.__setattr__(self, name, self._couplings(name))
        checks.set_real(self, "n_ref", minimum=0.0)
        if self.n_ref == 0:
            object.__setattr__(self, "n_ref", float(sum(spin.n_atoms for spin in self.spins)))

    def _couplings(self, name: str) -> Couplings:
        """The couplings called ``name``, checked; real ones are floats."""
        shape = (len(self.spins), len(self.modes))
        rows = getattr(self, name)
        rows = rows.tolist() if isinstance(rows, np.ndarray) else rows
        if isinstance(rows, tuple) and not rows:
            return ((0.0,) * shape[1],) * shape[0]
        sizes = [len(row) if isinstance(row, (tuple, list)) else -1 for row in rows] if hasattr(rows, "__len__") else []
        if sizes != [shape[1]] * shape[0]:
            expected = f"{shape[0]} rows (one for each spin) of {shape[1]} couplings (one for each mode)"
            raise checks.refuse(name, expected, rows)
        return tuple(
            tuple(signals.coupling(f"{name}[{i}][{m}]", one) for m, one in enumerate(row)) for i, row in enumerate(rows)
        )

    @classmethod
    def of(cls, dataset: xr.Dataset) -> System:
        """The system that an answer of :func:`opendicke.solve` is about, or a point of :func:`opendicke.sweep`.

        Raises:
            TypeError, ValueError: for anything else, and for a sweep of which no point is chosen.
        """
        system: System = restore(cls, checks.dataset_model(dataset, "spins", "modes"))
        return system

    def replace(self, **changes: Any) -> System:
        """A copy with some parameters changed: fields, and parts of them by dotted names.

        Raises:
            ValueError, TypeError: for a name that leads nowhere, and as for the system itself.

        >>> system = System(spins=[Spin(n_atoms=2, omega_a=1.0)], modes=[Mode(omega_c=1.0, kappa=1.0)])
        >>> system.replace(**{"modes.0.kappa": 0.5, "g_minus.0.0": 1j}).rates["modes.0.kappa"]
        0.5
        """
        changed = self
        for name, value in changes.items():
            changed = replaced(changed, name, value)
        return changed

    @property
    def shape(self) -> tuple[int, int]:
        """(spins, modes)."""
        return len(self.spins), len(self.modes)

    @functools.cached_property
    def rates(self) -> dict[str, ComplexRate]:
        """All rates by their dotted names, such as ``modes.0.kappa`` and ``g_minus.0.1``."""
        found: dict[str, ComplexRate] = {}
        kinds: dict[str, tuple[Spin | Mode, ...]] = {"spins": self.spins, "modes": self.modes}
        for kind, parts in kinds.items():
            for at, part in enumerate(parts):
                names = (item.name for item in fields(part) if item.name != "n_atoms")
                found |= {f"{kind}.{at}.{name}": getattr(part, name) for name in names}
        for name in ("g_minus", "g_plus"):
            for i, row in enumerate(getattr(self, name)):
                found |= {f"{name}.{i}.{m}": rate for m, rate in enumerate(row)}
        return found

    def json(self) -> str:
        """The system as a JSON object, without what stands for nothing (no drive, no thermal photons)."""
        return json.dumps(describe(self))

    @property
    def moving(self) -> tuple[str, ...]:
        """The dotted names of the rates that are signals."""
        return tuple(name for name, rate in self.rates.items() if signals.moves(rate))

    def kinks(self, stop: float) -> tuple[float, ...]:
        """The times before ``stop`` at which a rate or its slope jumps: steps end there."""
        return signals.kinks(self.rates.values(), stop)

    @property
    def signal_rate(self) -> float:
        """How fast the fastest of the signals moves; 0 if none does."""
        return max((self.rates[name].rate for name in self.moving), default=0.0)

    @property
    def is_everyday(self) -> bool:
        """Whether it is one spin and one mode, constant, with a vacuum bath and real couplings, and not driven."""
        quiet = ("n_thermal", "drive", "squeezing", "atom_drive")
        return (
            self.shape == (1, 1)
            and not self.moving
            and not any(
                rate.imag != 0 if name.startswith("g_") else rate != 0
                for name, rate in self.rates.items()
                if name.startswith("g_") or name.rsplit(".", 1)[-1] in quiet
            )
        )

    def terms(self) -> Iterator[Term]:
        """The terms of H."""
        for i, spin in enumerate(self.spins):
            yield Term(spin.omega_a, Word(((i, "z"),)), True)
            yield Term(spin.atom_drive, Word(((i, "+"),)), False)
        for m, mode in enumerate(self.modes):
            yield Term(mode.omega_c, Word((), ((m, "†"), (m, ""))), True)
            yield Term(mode.drive, Word((), ((m, "†"),)), False)
        root = math.sqrt(self.n_ref)
        for name, factor in (("g_minus", "-"), ("g_plus", "+")):
            for i, row in enumerate(getattr(self, name)):
                for m, rate in enumerate(row):
                    yield Term(signals.scaled(rate, 1 / root), Word(((i, factor),), ((m, "†"),)), False)

    def to_qutip(self, photons: int | Sequence[int]) -> tuple[Qobj | QobjEvo, list[Qobj | QobjEvo]]:
        r"""Hamiltonian and collapse operators for QuTiP, on spins :math:`\otimes` modes, in their order.

        Args:
            photons: highest photon number kept (Fock dimension ``photons + 1``), one for each mode or one for all.

        Returns:
            H, and for each mode :math:`\sqrt{2\kappa}\,[\sqrt{\bar n+1}\,a - m/\sqrt{\bar n+1}\,a^\dagger]` and
            :math:`\sqrt{2\kappa}\,[\bar n - |m|^2/(\bar n+1)]^{1/2}a^\dagger`; the second is left out where it is 0.
            Spins are in QuTiP's order (m = +j first). What moves in time is a ``QobjEvo``, whose coefficients are the
            signals; all else a ``Qobj``. QuTiP's integrators know nothing of kinks and oscillations of a signal: give
            them a ``max_step`` that does not step over them.

        Raises:
            ImportError: if QuTiP is not installed (``pip install opendicke[qutip]``).
        """
        from opendicke import qutip_bridge

        return qutip_bridge.export(self, photons)


def fastest_rate(system: System) -> float:
    """The fastest rate that the system's parameters name, at any time; signals themselves are among them."""
    size = signals.largest
    own = [system.signal_rate, *(size(spin.omega_a) for spin in system.spins)]
    own += [abs(complex(size(mode.kappa), size(mode.omega_c))) for mode in system.modes]
    return float(max(*own, pull(system)))


def pull(system: System) -> float:
    r"""The rate at which couplings act, :math:`\sum_{im}\sqrt{N_i/N_\mathrm{ref}}\,(|g_{-,im}| + |g_{+,im}|)`."""
    total = 0.0
    for spin, minuses, pluses in zip(system.spins, system.g_minus, system.g_plus, strict=True):
        share = math.sqrt(spin.n_atoms / (system.n_ref))
        for minus, plus in zip(minuses, pluses, strict=True):
            total += share * (signals.largest(minus) + signals.largest(plus))
    return total


def as_system(model: Any) -> System:
    """The system that ``model`` (a :class:`opendicke.DickeModel`, or a system) stands for."""
    system: System = model if isinstance(model, System) else model.system
    return system
