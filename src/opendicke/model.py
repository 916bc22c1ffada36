"""The model: parameters of the open, (un)balanced Dicke model and its conventions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from opendicke import checks

if TYPE_CHECKING:
    from qutip import Qobj


@dataclass(frozen=True, kw_only=True)
class DickeModel:
    r"""N two-level atoms, one collective spin j = N/2, coupled to one lossy cavity mode.

    .. math::
        H = \omega_a S^z + \omega_c a^\dagger a
            + \frac{1}{\sqrt N}\left[ g_-(S^- a^\dagger + S^+ a) + g_+(S^+ a^\dagger + S^- a) \right],
        \qquad
        \dot\rho = -i[H, \rho] + \kappa\,(2 a\rho a^\dagger - a^\dagger a\rho - \rho a^\dagger a)

    with :math:`\hbar = 1`. **κ is the decay rate of the field**: the photon number decays at 2κ and the
    collapse operator is :math:`\sqrt{2\kappa}\,a`. Codes that use the energy decay rate call 2κ "κ".

    Args:
        n_atoms: number of atoms N >= 1 (an int).
        omega_a: atomic frequency, real. All rates share one unit of the caller's choice; times are its inverse.
        omega_c: cavity frequency (minus the detuning, in a rotating frame), real, of either sign.
        kappa: field decay rate, >= 0.
        g_minus: co-rotating coupling :math:`g_-`, real, of either sign.
        g_plus: counter-rotating coupling :math:`g_+`, real, of either sign.

    Raises:
        ValueError, TypeError: for a parameter that is not a finite real number, a negative ``kappa``,
            or an ``n_atoms`` that is not a positive int.

    Source: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*,
    eqs. (1) and (2).

    >>> model = DickeModel(n_atoms=1000, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.13, g_plus=1.13)
    >>> model.is_balanced, round(model.critical_coupling, 6)
    (True, 1.612452)
    """

    n_atoms: int
    omega_a: float
    omega_c: float
    kappa: float
    g_minus: float
    g_plus: float

    def __post_init__(self) -> None:
        hint = "kappa is the field decay rate; the photon number decays at 2 kappa."
        checked = {
            "n_atoms": checks.integer("n_atoms", self.n_atoms, minimum=1),
            "omega_a": checks.real("omega_a", self.omega_a),
            "omega_c": checks.real("omega_c", self.omega_c),
            "kappa": checks.real("kappa", self.kappa, minimum=0.0, hint=hint),
            "g_minus": checks.real("g_minus", self.g_minus),
            "g_plus": checks.real("g_plus", self.g_plus),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def balanced(cls, *, n_atoms: int, omega_a: float, omega_c: float, kappa: float, coupling: float) -> DickeModel:
        r"""The Hepp–Lieb Dicke model, :math:`g_- = g_+ = \bar g`, with ``coupling`` :math:`= 2\bar g`.

        ``coupling`` is the quantity compared with :attr:`critical_coupling` (the paper's "g = 1.4 g_c").

        >>> DickeModel.balanced(n_atoms=10, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=2.0).g_minus
        1.0
        """
        half = checks.real("coupling", coupling) / 2
        return cls(n_atoms=n_atoms, omega_a=omega_a, omega_c=omega_c, kappa=kappa, g_minus=half, g_plus=half)

    @classmethod
    def tavis_cummings(
        cls, *, n_atoms: int, omega_a: float, omega_c: float, kappa: float, coupling: float
    ) -> DickeModel:
        r"""The Tavis–Cummings model, :math:`g_+ = 0` and :math:`g_-` = ``coupling``."""
        return cls(n_atoms=n_atoms, omega_a=omega_a, omega_c=omega_c, kappa=kappa, g_minus=coupling, g_plus=0.0)

    @property
    def is_balanced(self) -> bool:
        """Whether :math:`g_- = g_+`."""
        return self.g_minus == self.g_plus

    @property
    def coupling(self) -> float:
        r""":math:`G = 2\bar g = g_- + g_+`, the coupling of :math:`S^x` to the cavity."""
        return self.g_minus + self.g_plus

    @property
    def critical_coupling(self) -> float:
        r"""Mean-field threshold of :math:`2\bar g` in the balanced model with these frequencies and this κ.

        .. math:: g_c = \sqrt{\omega_a(\omega_c^2 + \kappa^2)/\omega_c}

        Raises:
            ValueError: if :math:`\omega_a\omega_c \le 0`: the balanced model then has no threshold.
        """
        if self.omega_a * self.omega_c <= 0:
            pair = (self.omega_a, self.omega_c)
            raise checks.refuse("omega_a, omega_c", "omega_a * omega_c > 0 for a superradiant threshold", pair)
        return math.sqrt(self.omega_a * (self.omega_c**2 + self.kappa**2) / self.omega_c)

    def replace(self, **changes: Any) -> DickeModel:
        """A copy with some parameters changed.

        >>> DickeModel.balanced(n_atoms=10, omega_a=1, omega_c=1, kappa=1, coupling=2).replace(n_atoms=20).n_atoms
        20
        """
        return replace(self, **changes)

    def to_qutip(self, photons: int) -> tuple[Qobj, list[Qobj]]:
        r"""Hamiltonian and collapse operators for QuTiP, on spin :math:`\otimes` cavity.

        Args:
            photons: highest photon number kept (Fock dimension ``photons + 1``).

        Returns:
            ``(H, [sqrt(2 kappa) a])`` with the spin in QuTiP's order (m = +j first).

        Raises:
            ImportError: if QuTiP is not installed (``pip install opendicke[qutip]``).
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
        half = (self.g_minus * sm + self.g_plus * sp) * a.dag() / math.sqrt(self.n_atoms)
        hamiltonian = self.omega_a * sz + self.omega_c * a.dag() * a + half + half.dag()
        return hamiltonian, [math.sqrt(2 * self.kappa) * a]
