"""The model: parameters of the open, (un)balanced Dicke model and its conventions."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from opendicke import checks, signals
from opendicke.description import added, describe, replaced, restore
from opendicke.parameters import by_name, made_by_name
from opendicke.shown import Formula
from opendicke.signals import ComplexRate, Rate
from opendicke.system import KAPPA_HINT, Mode, Spin, System, check_squeezing

if TYPE_CHECKING:
    import xarray as xr
    from qutip import Qobj, QobjEvo

#: What to do with a model that a method or an analysis does not take.
MORE_GENERAL = (
    "Models that move in time, are driven, thermal or squeezed, or couple with a phase: NuHOPS, TruncatedWigner, "
    "GaussianTrajectories, Lindblad and MeanField."
)
#: What to do with several spins or modes.
MORE_THAN_ONE = (
    "Several spins or modes: MeanField, TruncatedWigner, GaussianTrajectories, Lindblad and Eliminated, and "
    "Schroedinger without losses."
)
#: g_minus + g_plus is 0 up to rounding if it is below this fraction of their sizes.
CANCELLED = 1e-12


@made_by_name
@dataclass(frozen=True, kw_only=True)
class DickeModel(Formula):
    r"""N two-level atoms, one collective spin j = N/2, coupled to one lossy cavity mode.

    .. math::
        H &= \omega_a S^z + \omega_c a^\dagger a
            + \frac{1}{\sqrt N}\left[ g_-S^- a^\dagger + g_+S^+ a^\dagger + \mathrm{h.c.}\right]
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
        g_minus: co-rotating coupling :math:`g_-`, real, of either sign, or complex.
        g_plus: counter-rotating coupling :math:`g_+`, likewise.
        n_thermal: photons :math:`\bar n` of the cavity's bath, >= 0, without a unit.
        drive: what drives the cavity, :math:`\eta`, complex, in the frame in which ``omega_c`` is measured.
        atom_drive: what drives the atoms, :math:`\xi`, complex.
        squeezing: :math:`m`, complex, of squeezed light that comes in; see :class:`opendicke.Mode`.

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
    g_minus: ComplexRate
    g_plus: ComplexRate
    n_thermal: Rate = field(default=0.0, metadata=added("0.2", neutral=0.0))
    drive: ComplexRate = field(default=0j, metadata=added("0.2", neutral=0j))
    atom_drive: ComplexRate = field(default=0j, metadata=added("0.2", neutral=0j))
    squeezing: ComplexRate = field(default=0j, metadata=added("0.2", neutral=0j))

    def __post_init__(self) -> None:
        checked = {
            "n_atoms": checks.integer("n_atoms", self.n_atoms, minimum=1),
            "omega_a": signals.rate("omega_a", self.omega_a),
            "omega_c": signals.rate("omega_c", self.omega_c),
            "kappa": signals.rate("kappa", self.kappa, minimum=0.0, hint=KAPPA_HINT),
            "g_minus": signals.coupling("g_minus", self.g_minus),
            "g_plus": signals.coupling("g_plus", self.g_plus),
            "n_thermal": signals.rate("n_thermal", self.n_thermal, minimum=0.0),
            "drive": signals.complex_rate("drive", self.drive),
            "atom_drive": signals.complex_rate("atom_drive", self.atom_drive),
            "squeezing": signals.complex_rate("squeezing", self.squeezing),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        check_squeezing(self.n_thermal, self.squeezing)

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
        squeezing: ComplexRate = 0j,
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
            squeezing=squeezing,
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
        squeezing: ComplexRate = 0j,
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
            squeezing=squeezing,
        )

    @classmethod
    @by_name
    def bad_cavity(
        cls,
        *,
        n_atoms: int,
        gamma: float,
        kappa: float,
        omega_a: float = 0.0,
        n_thermal: Rate = 0.0,
        atom_drive: ComplexRate = 0j,
    ) -> DickeModel:
        r"""Collective decay of the atoms through a bad cavity, which follows them and is not seen any more.

        .. math:: \dot\rho = -i[\omega_aS^z + \xi S^+ + \xi^*S^-, \rho] + \gamma(\bar n+1)\,\mathcal D[S^-]\rho
            + \gamma\bar n\,\mathcal D[S^+]\rho, \qquad \gamma = \frac{2g_-^2}{N\kappa}

        The model is the Tavis–Cummings one with the cavity in resonance, :math:`\omega_c = \omega_a`, and is that
        equation up to terms of order :math:`N\gamma/\kappa`: from the inverted state :math:`\langle S^z\rangle/N` is
        off by at most :math:`0.8\,N\gamma/\kappa` for one atom, and :math:`0.35\,N\gamma/\kappa` for four and more
        (measured up to N = 8 in a vacuum, driven with :math:`\xi = N\gamma/2` and not). Twice the κ halves it.

        Args:
            n_atoms: number of atoms N.
            gamma: rate γ >= 0 of collective decay, at which one atom alone would decay.
            kappa: field decay rate of the cavity, at least :math:`2N\gamma`, or it is no bad cavity.
            omega_a: atomic frequency; 0 in the frame that turns with it.
            n_thermal: photons of the bath.
            atom_drive: ξ, in the frame in which ``omega_a`` is measured.

        Raises:
            ValueError, TypeError: as for the model itself; and for a κ below :math:`2N\gamma`.

        Source: R. Bonifacio, P. Schwendimann and F. Haake, Phys. Rev. A 4, 302 (1971).

        >>> model = DickeModel.bad_cavity(n_atoms=100, gamma=0.01, kappa=50.0)
        >>> model.g_minus, 2 * model.g_minus**2 / (model.n_atoms * model.kappa)
        (5.0, 0.01)
        """
        n_atoms = checks.integer("n_atoms", n_atoms, minimum=1)
        gamma, kappa = checks.real("gamma", gamma, minimum=0.0), checks.real("kappa", kappa, above=0.0)
        if kappa < 2 * n_atoms * gamma:
            expected = f"a bad cavity: at least 2 n_atoms gamma = {2 * n_atoms * gamma:g}"
            raise checks.refuse("kappa", expected, kappa, "The error is about n_atoms gamma / kappa.")
        return cls(
            n_atoms=n_atoms,
            omega_a=omega_a,
            omega_c=omega_a,
            kappa=kappa,
            g_minus=math.sqrt(gamma * kappa * n_atoms / 2),
            g_plus=0.0,
            n_thermal=n_thermal,
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
        for name in ("g_minus", "g_plus"):
            if isinstance(getattr(self, name), complex):
                hint = "Give g_minus and g_plus themselves."
                raise checks.refuse(name, "a real coupling here", getattr(self, name), hint, TypeError)
        total: float = self.g_minus + self.g_plus
        return total

    @property
    def moving(self) -> tuple[str, ...]:
        """The parameters that are signals."""
        return tuple(item.name for item in fields(self) if signals.moves(getattr(self, item.name)))

    @property
    def is_everyday(self) -> bool:
        """Whether all is constant and real, the bath is a vacuum and nothing is driven: the model of the paper."""
        return self.system.is_everyday

    @functools.cached_property
    def system(self) -> System:
        """The same as spins, modes and couplings: what methods are handed."""
        spin = Spin(n_atoms=self.n_atoms, omega_a=self.omega_a, atom_drive=self.atom_drive)
        bath = {name: getattr(self, name) for name in ("n_thermal", "drive", "squeezing")}
        mode = Mode(omega_c=self.omega_c, kappa=self.kappa, **bath)
        return System(spins=(spin,), modes=(mode,), g_minus=((self.g_minus,),), g_plus=((self.g_plus,),))

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
        """A copy with some parameters changed; a dotted name, ``**{"drive.amplitude": 0.2}``, changes part of a signal.

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
        changed, dotted = self, {name: value for name, value in changes.items() if "." in name}
        for name, value in dotted.items():
            changed = replaced(changed, name, value)
        changes = {name: value for name, value in changes.items() if name not in dotted}
        if "coupling" in changes:
            changes |= changed._couplings(signals.rate("coupling", changes.pop("coupling")), changes)
        return replace(changed, **changes)

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
            (m = +j first); the second operator is left out where ``n_thermal`` is 0. With squeezing, and where rates
            move in time, see :meth:`opendicke.System.to_qutip`.

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
        return self.system.to_qutip(photons)


def check_model(model: Any, whose: str = "") -> None:
    """Refuse what is no model, and what ``whose`` (a function or a method) does not take: all but the everyday one.

    Args:
        model: the argument.
        whose: for the message; empty if any model or system will do.
    """
    if not whose:
        checks.instance("model", model, (DickeModel, System), "an opendicke.DickeModel (or an opendicke.System)")
        return
    checks.instance("model", model, DickeModel, f"an opendicke.DickeModel (for {whose})")
    refusal = why_not_everyday(model)
    if refusal:
        name, expected, got = refusal
        raise checks.refuse(name, f"{expected} (for {whose})", got, MORE_GENERAL)


def why_not_everyday(model: DickeModel) -> tuple[str, str, Any] | None:
    """The parameter because of which ``model`` is not the everyday one, what it would have to be, and what it is."""
    for name in model.moving:
        return name, "a constant", getattr(model, name)
    for name in ("n_thermal", "drive", "atom_drive", "squeezing"):
        if getattr(model, name) != 0:
            return name, "0", getattr(model, name)
    for name in ("g_minus", "g_plus"):
        if isinstance(getattr(model, name), complex):
            return name, "a real number", getattr(model, name)
    return None


Model = DickeModel | System


def restore_model(told: Mapping[str, Any]) -> Model:
    """The model or system told by :func:`opendicke.description.describe`."""
    model: Model = restore(System if "spins" in told else DickeModel, told)
    return model


def several(model: Model) -> str:
    """Why a method that takes one spin and one mode refuses ``model``; empty if it takes it."""
    if isinstance(model, DickeModel) or model.shape == (1, 1):
        return ""
    return f"model: expected one spin and one mode, got {model.shape[0]} and {model.shape[1]}. {MORE_THAN_ONE}"


def pair_of(model: Model) -> DickeModel:
    """``model`` as one spin and one mode; refused where it has several."""
    if isinstance(model, DickeModel):
        return model
    if refusal := several(model):
        raise ValueError(refusal)
    (spin,), (mode,) = model.spins, model.modes
    own = {item.name: getattr(part, item.name) for part in (spin, mode) for item in fields(part)}
    scale = math.sqrt(spin.n_atoms / model.n_ref)
    minus, plus = (signals.scaled(rows[0][0], scale) for rows in (model.g_minus, model.g_plus))
    return DickeModel(**own, g_minus=minus, g_plus=plus)
