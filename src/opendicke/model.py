"""The model: parameters of the open, (un)balanced Dicke model and its conventions."""

from __future__ import annotations

import functools
import inspect
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from opendicke import checks, signals
from opendicke.description import added, describe, restore
from opendicke.signals import ComplexRate, Rate

if TYPE_CHECKING:
    import xarray as xr
    from qutip import Qobj, QobjEvo

Function = TypeVar("Function", bound=Callable[..., Any])
Class = TypeVar("Class", bound=type)

#: What people call a parameter that this model has under another name, or not at all, and what to do.
KNOWN_ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(("N", "n", "natoms", "num_atoms", "n_spins"), "The number of atoms is n_atoms."),
    **dict.fromkeys(
        ("coupling", "g", "lam", "lambda_", "g_c"),
        "Pass g_minus and g_plus, or coupling to DickeModel.balanced or DickeModel.tavis_cummings.",
    ),
    **dict.fromkeys(("wc", "omega", "omega_0", "detuning", "delta_c"), "The cavity frequency is omega_c."),
    **dict.fromkeys(("wa", "omega_z", "omega_s", "w0"), "The atomic frequency is omega_a."),
    **dict.fromkeys(("eta", "Omega", "epsilon"), "A drive of the cavity is called drive, one of the atoms atom_drive."),
    **dict.fromkeys(("n_th", "nth", "temperature", "nbar"), "The photons of a thermal bath are n_thermal."),
    **dict.fromkeys(
        ("gamma", "gamma_down", "gamma_up", "gamma_phi", "emission", "dephasing", "pumping"),
        "Decay, dephasing and pumping of the atoms are not available: the cavity's loss kappa is the only one.",
    ),
}


def by_name(function: Function, called: str = "", skip: int = 1) -> Function:
    """``function``, which takes its parameters by name, with refusals that say which it has.

    Args:
        function: what is called; its first ``skip`` parameters (self, cls) are not the caller's.
        called: its name, as the caller knows it.
        skip: see above.
    """
    known = list(inspect.signature(function).parameters)[skip:]
    example = f"{called or function.__qualname__}({', '.join(f'{name}=…' for name in known)})"

    @functools.wraps(function)
    def checked(*arguments: Any, **parameters: Any) -> Any:
        if len(arguments) > skip:
            raise checks.refuse("arguments", "parameters by name", arguments[skip:], f"Write {example}.", TypeError)
        for name, value in parameters.items():
            if name not in known:
                hint = KNOWN_ELSEWHERE.get(name, "")
                raise checks.refuse(name, f"parameters out of {', '.join(known)}", value, hint, TypeError)
        return function(*arguments, **parameters)

    return checked  # type: ignore[return-value]


def _made_by_name(kind: Class) -> Class:
    """A class whose constructor is :func:`by_name`."""
    kind.__init__ = by_name(kind.__init__, kind.__name__)  # type: ignore[misc]
    return kind


#: What to do with a model that a method or an analysis does not take.
MORE_GENERAL = "Models that move in time, are driven or thermal: NuHOPS, TruncatedWigner, Lindblad and MeanField."
#: g_minus + g_plus is 0 up to rounding if it is below this fraction of their sizes.
CANCELLED = 1e-12


@_made_by_name
@dataclass(frozen=True, kw_only=True)
class DickeModel:
    r"""N two-level atoms, one collective spin j = N/2, coupled to one lossy cavity mode.

    .. math::
        H &= \omega_a S^z + \omega_c a^\dagger a
            + \frac{1}{\sqrt N}\left[ g_-(S^- a^\dagger + S^+ a) + g_+(S^+ a^\dagger + S^- a) \right]
            + (\eta a^\dagger + \mathrm{h.c.}) + (\xi S^+ + \mathrm{h.c.}),
        \\
        \dot\rho &= -i[H, \rho] + 2\kappa(\bar n + 1)\,\mathcal D[a]\rho + 2\kappa\bar n\,\mathcal D[a^\dagger]\rho,
        \qquad \mathcal D[X]\rho = X\rho X^\dagger - \tfrac12\{X^\dagger X, \rho\}

    with :math:`\hbar = 1`. **κ is the decay rate of the field**: the photon number decays at 2κ and the
    collapse operator is :math:`\sqrt{2\kappa}\,a`. Codes that use the energy decay rate call 2κ "κ".

    Args:
        n_atoms: number of atoms N >= 1 (an int).
        omega_a: atomic frequency, real. All rates share one unit of the caller's choice; times are its inverse.
        omega_c: cavity frequency (minus the detuning, in a rotating frame), real, of either sign.
        kappa: field decay rate, >= 0.
        g_minus: co-rotating coupling :math:`g_-`, real, of either sign.
        g_plus: counter-rotating coupling :math:`g_+`, real, of either sign.
        n_thermal: photons :math:`\bar n` of the cavity's bath, >= 0, without a unit.
        drive: what drives the cavity, :math:`\eta`, complex, in the frame in which ``omega_c`` is measured.
        atom_drive: what drives the atoms, :math:`\xi`, complex.

    Each but ``n_atoms`` is a number, with a modulus of at most 1e30, or moves in time: a :class:`opendicke.Ramp`,
    :class:`opendicke.Sine` or :class:`opendicke.Samples`.

    Raises:
        ValueError, TypeError: for a parameter that is not a finite real number, a negative ``kappa`` or ``n_thermal``,
            an ``n_atoms`` that is not a positive int, or a parameter that the model does not have.

    Source: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*,
    eqs. (1) and (2).

    >>> model = DickeModel(n_atoms=1000, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.13, g_plus=1.13)
    >>> model.is_balanced, round(model.critical_coupling, 6)
    (True, 1.612452)
    """

    n_atoms: int
    omega_a: Rate
    omega_c: Rate
    kappa: Rate
    g_minus: Rate
    g_plus: Rate
    n_thermal: Rate = field(default=0.0, metadata=added("0.2", neutral=0.0))
    drive: ComplexRate = field(default=0j, metadata=added("0.2", neutral=0j))
    atom_drive: ComplexRate = field(default=0j, metadata=added("0.2", neutral=0j))

    def __post_init__(self) -> None:
        hint = "kappa is the field decay rate; the photon number decays at 2 kappa."
        checked = {
            "n_atoms": checks.integer("n_atoms", self.n_atoms, minimum=1),
            "omega_a": signals.rate("omega_a", self.omega_a),
            "omega_c": signals.rate("omega_c", self.omega_c),
            "kappa": signals.rate("kappa", self.kappa, minimum=0.0, hint=hint),
            "g_minus": signals.rate("g_minus", self.g_minus),
            "g_plus": signals.rate("g_plus", self.g_plus),
            "n_thermal": signals.rate("n_thermal", self.n_thermal, minimum=0.0),
            "drive": signals.complex_rate("drive", self.drive),
            "atom_drive": signals.complex_rate("atom_drive", self.atom_drive),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    @by_name
    def balanced(
        cls,
        *,
        n_atoms: int,
        omega_a: Rate,
        omega_c: Rate,
        kappa: Rate,
        coupling: Rate,
        n_thermal: Rate = 0.0,
        drive: ComplexRate = 0j,
        atom_drive: ComplexRate = 0j,
    ) -> DickeModel:
        r"""The Hepp–Lieb Dicke model, :math:`g_- = g_+ = \bar g`, with ``coupling`` :math:`= 2\bar g`.

        ``coupling`` is the quantity compared with :attr:`critical_coupling` (the paper's "g = 1.4 g_c").

        >>> DickeModel.balanced(n_atoms=10, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=2.0).g_minus
        1.0
        """
        half = signals.scaled(signals.rate("coupling", coupling), 0.5)
        return cls(
            n_atoms=n_atoms,
            omega_a=omega_a,
            omega_c=omega_c,
            kappa=kappa,
            g_minus=half,
            g_plus=half,
            n_thermal=n_thermal,
            drive=drive,
            atom_drive=atom_drive,
        )

    @classmethod
    @by_name
    def tavis_cummings(
        cls,
        *,
        n_atoms: int,
        omega_a: Rate,
        omega_c: Rate,
        kappa: Rate,
        coupling: Rate,
        n_thermal: Rate = 0.0,
        drive: ComplexRate = 0j,
        atom_drive: ComplexRate = 0j,
    ) -> DickeModel:
        r"""The Tavis–Cummings model, :math:`g_+ = 0` and :math:`g_-` = ``coupling``."""
        strength = signals.rate("coupling", coupling)
        return cls(
            n_atoms=n_atoms,
            omega_a=omega_a,
            omega_c=omega_c,
            kappa=kappa,
            g_minus=strength,
            g_plus=0.0,
            n_thermal=n_thermal,
            drive=drive,
            atom_drive=atom_drive,
        )

    @classmethod
    def of(cls, dataset: xr.Dataset) -> DickeModel:
        """The model that an answer of :func:`opendicke.solve` is about, or a point of :func:`opendicke.sweep`.

        Raises:
            TypeError, ValueError: for anything else, and for a sweep of which no point is chosen.

        >>> import numpy as np, opendicke as od
        >>> model = od.DickeModel.balanced(n_atoms=10, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=2.0)
        >>> result = od.sweep(model, {"kappa": [0.5, 1.0]}, od.Normal(), [1.0], od.MeanField(), ["Sz"])
        >>> od.DickeModel.of(result.sel(kappa=1.0)) == model
        True
        """
        needed = [item.name for item in fields(cls) if "neutral" not in item.metadata]
        model: DickeModel = restore(cls, checks.dataset_model(dataset, *needed))
        return model

    @property
    def is_balanced(self) -> bool:
        """Whether :math:`g_- = g_+`."""
        return bool(self.g_minus == self.g_plus)

    @property
    def coupling(self) -> float:
        r""":math:`G = 2\bar g = g_- + g_+`, the coupling of :math:`S^x` to the cavity (of constant couplings)."""
        self._need_constants("g_minus", "g_plus")
        total: float = self.g_minus + self.g_plus
        return total

    @property
    def moving(self) -> tuple[str, ...]:
        """The parameters that are signals."""
        return tuple(item.name for item in fields(self) if signals.moves(getattr(self, item.name)))

    @property
    def is_everyday(self) -> bool:
        """Whether all is constant, the bath is a vacuum and nothing is driven: the model of the paper."""
        return not self.moving and self.n_thermal == self.drive == self.atom_drive == 0

    def json(self) -> str:
        """The parameters as a JSON object, without those that stand for nothing (no drive, no thermal photons)."""
        return json.dumps(describe(self))

    def _need_constants(self, *names: str) -> None:
        for name in names:
            if signals.moves(getattr(self, name)):
                hint = "It moves in time: ask for constants, or at one time after the other."
                raise checks.refuse(name, "a constant here", getattr(self, name), hint, TypeError)

    @property
    def critical_coupling(self) -> float:
        r"""Mean-field threshold of :math:`2\bar g` in the balanced model with these frequencies and this κ.

        .. math:: g_c = \sqrt{\omega_a(\omega_c^2 + \kappa^2)/\omega_c}

        Raises:
            ValueError: if :math:`\omega_a\omega_c \le 0`: the balanced model then has no threshold.
        """
        self._need_constants("omega_a", "omega_c", "kappa")
        if self.omega_a * self.omega_c <= 0:
            pair = (self.omega_a, self.omega_c)
            raise checks.refuse("omega_a, omega_c", "omega_a * omega_c > 0 for a superradiant threshold", pair)
        return math.sqrt(self.omega_a * (self.omega_c**2 + self.kappa**2) / self.omega_c)

    def replace(self, **changes: Any) -> DickeModel:
        """A copy with some parameters changed.

        ``coupling``, a number or a signal, may be among them: :math:`g_-` and :math:`g_+`, which must be constant, then
        keep their ratio, and add up to it. So a balanced model stays balanced, and a Tavis–Cummings model one.

        Raises:
            ValueError, TypeError: as for the model itself; and for a ``coupling`` together with ``g_minus`` or
                ``g_plus``, or of a model with :math:`g_- + g_+ = 0`, where the ratio says nothing.

        >>> DickeModel.balanced(n_atoms=10, omega_a=1, omega_c=1, kappa=1, coupling=2).replace(n_atoms=20).n_atoms
        20
        >>> DickeModel.tavis_cummings(n_atoms=10, omega_a=1, omega_c=1, kappa=1, coupling=2).replace(coupling=3).g_minus
        3.0
        """
        if "coupling" in changes:
            changes |= self._couplings(signals.rate("coupling", changes.pop("coupling")), changes)
        return replace(self, **changes)

    def _couplings(self, total: Rate, others: dict[str, Any]) -> dict[str, Rate]:
        """Couplings that add up to ``total`` and have the ratio of this model's."""
        if "g_minus" in others or "g_plus" in others:
            raise checks.refuse("coupling", "either coupling, or g_minus and g_plus", total)
        if abs(self.coupling) < CANCELLED * (abs(self.g_minus) + abs(self.g_plus)) or self.coupling == 0:
            hint = "Start from a model whose coupling is not 0, e.g. DickeModel.balanced(…, coupling=1.0)."
            raise checks.refuse("coupling", "a model with g_minus + g_plus != 0, whose ratio is kept", total, hint)
        shares = {name: getattr(self, name) / self.coupling for name in ("g_minus", "g_plus")}
        return {name: signals.scaled(total, share) if share else 0.0 for name, share in shares.items()}

    def to_qutip(self, photons: int) -> tuple[Qobj | QobjEvo, list[Qobj | QobjEvo]]:
        r"""Hamiltonian and collapse operators for QuTiP, on spin :math:`\otimes` cavity.

        Args:
            photons: highest photon number kept (Fock dimension ``photons + 1``).

        Returns:
            ``(H, [sqrt(2 kappa (n_thermal + 1)) a, sqrt(2 kappa n_thermal) a†])`` with the spin in QuTiP's order
            (m = +j first); the second operator is left out where ``n_thermal`` is 0. What moves in time is a
            ``QobjEvo``, whose coefficients are the signals; all else a ``Qobj``. QuTiP's integrators know nothing of
            kinks and oscillations of a signal: give them a ``max_step`` that does not step over them.

        Raises:
            ImportError: if QuTiP is not installed (``pip install opendicke[qutip]``).

        >>> import numpy as np, opendicke as od, qutip
        >>> drive = od.Sine(0.0, 0.5, frequency=2.0)
        >>> rates = {"omega_a": 1, "omega_c": 2, "kappa": 1, "g_minus": 0.5, "g_plus": 0.5}
        >>> model = DickeModel(n_atoms=1, **rates, n_thermal=0.1, drive=drive)
        >>> hamiltonian, jumps = model.to_qutip(photons=16)
        >>> a, start = jumps[0] / np.sqrt(2.2), qutip.tensor(qutip.basis(2, 1), qutip.basis(17, 0))
        >>> options = {"max_step": 0.1, "rtol": 1e-8, "atol": 1e-10}
        >>> answer = qutip.mesolve(hamiltonian, start, [0.0, 2.0], jumps, e_ops=[a], options=options)
        >>> result = od.solve(model, od.Normal(), [2.0], od.Lindblad(), ["a"])
        >>> bool(abs(answer.expect[0][-1] - result.a.item()) < 1e-6)
        True
        """
        try:
            import qutip
        except ImportError as problem:
            raise ImportError("to_qutip needs QuTiP: pip install 'opendicke[qutip]'") from problem
        fock = checks.integer("photons", photons, minimum=1) + 1
        j = self.n_atoms / 2
        one_spin, one_cavity = qutip.qeye(self.n_atoms + 1), qutip.qeye(fock)
        sz, sp, sm = (qutip.tensor(qutip.jmat(j, axis), one_cavity) for axis in ("z", "+", "-"))
        a = qutip.tensor(one_spin, qutip.destroy(fock))
        if self.is_everyday:
            half = (self.g_minus * sm + self.g_plus * sp) * a.dag() / math.sqrt(self.n_atoms)
            hamiltonian = self.omega_a * sz + self.omega_c * a.dag() * a + half + half.dag()
            return hamiltonian, [math.sqrt(2 * self.kappa) * a]
        whole = {"omega_a": sz, "omega_c": a.dag() * a}
        halves = {"g_minus": sm * a.dag(), "g_plus": sp * a.dag(), "drive": a.dag(), "atom_drive": sp}
        for name in ("g_minus", "g_plus"):
            halves[name] /= math.sqrt(self.n_atoms)
        total = sum(_times(operator, _Value(getattr(self, name))) for name, operator in whole.items())
        for name, operator in halves.items():
            half = _times(operator, _Value(getattr(self, name)))
            total = total + half + half.dag()
        jumps = [_times(a, _Jump(self.kappa, self.n_thermal, 1.0))]
        if self.n_thermal != 0:
            jumps.append(_times(a.dag(), _Jump(self.kappa, self.n_thermal, 0.0)))
        return total, jumps


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
class _Jump:
    """√(2κ(n̄ + ``more``)) as a coefficient of QuTiP."""

    kappa: Rate
    n_thermal: Rate
    more: float

    @property
    def moves(self) -> bool:
        return signals.moves(self.kappa) or signals.moves(self.n_thermal)

    def at(self, t: float) -> complex:
        square = 2 * float(signals.evaluate(self.kappa, t)) * (float(signals.evaluate(self.n_thermal, t)) + self.more)
        return complex(math.sqrt(max(square, 0.0)))  # a spline that touches 0 falls below it by rounding


def _times(operator: Qobj, coefficient: _Value | _Jump) -> Qobj | QobjEvo:
    """Their product, a QobjEvo if the coefficient moves."""
    if not coefficient.moves:
        return coefficient.at(0.0) * operator
    import qutip

    return qutip.QobjEvo([operator, coefficient.at])


def check_model(model: Any, whose: str = "") -> None:
    """Refuse what is no model, and what ``whose`` (a function or a method) does not take: all but the everyday one.

    Args:
        model: the argument.
        whose: for the message; empty if any model will do.
    """
    checks.instance("model", model, DickeModel, "an opendicke.DickeModel")
    if not whose or model.is_everyday:
        return
    names = [*model.moving, *(name for name in ("n_thermal", "drive", "atom_drive") if getattr(model, name) != 0)]
    for name in names:
        expected = f"a constant (for {whose})" if name in model.moving else f"0 (for {whose})"
        raise checks.refuse(name, expected, getattr(model, name), MORE_GENERAL)
