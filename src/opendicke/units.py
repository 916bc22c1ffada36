r"""From the numbers of an experiment to a model, and back: units, decay rates, couplings, and what was meant.

Rates here are angular frequencies in 1/µs, and times are in µs: ``1.3 * MHz`` is :math:`2\pi\times1.3` MHz.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from opendicke import checks
from opendicke.model import DickeModel, check_model

__all__ = [
    "Conventions",
    "GHz",
    "Hz",
    "MHz",
    "conventions",
    "cooperativity",
    "from_experiment",
    "kHz",
    "ms",
    "ns",
    "raman_coupling",
    "recoil",
    "s",
    "us",
]


def __dir__() -> list[str]:
    """The public names only."""
    return sorted([*__all__, "__all__", "__doc__", "__file__", "__name__"])


#: Angular frequencies, 2π times so many oscillations, in 1/µs.
Hz, kHz, MHz, GHz = (2 * math.pi * 10.0**power for power in (-6, -3, 0, 3))
#: Times in µs.
ns, us, ms, s = 1e-3, 1.0, 1e3, 1e6


def from_experiment(
    *,
    n_atoms: int,
    omega_a: float,
    omega_c: float | None = None,
    detuning: float | None = None,
    shift: float = 0.0,
    kappa: float | None = None,
    linewidth: float | None = None,
    energy_decay: float | None = None,
    collective: float | tuple[float, float] | None = None,
    per_atom: float | tuple[float, float] | None = None,
) -> DickeModel:
    r"""A model from what an experiment states. Of each group exactly one is given, so that nothing is guessed.

    .. math::
        \omega_c = -(\omega_\mathrm{laser} - \omega_\mathrm{cavity}) + \text{shift},\qquad
        \kappa = \tfrac12\,\text{energy\_decay} = \tfrac12\,\text{linewidth},\qquad
        g_\mp = \sqrt N\,\text{per\_atom} = \text{collective}

    Args:
        n_atoms: N.
        omega_a: splitting of the two states of an atom. For atoms at rest that scatter between a pump and a cavity at
            right angles, :math:`2\omega_\mathrm{rec}`: one recoil in each direction; see :func:`recoil`.
        omega_c: frequency of the mode in the frame of the model.
        detuning: instead of it, of the laser from the cavity, :math:`\omega_\mathrm{laser} - \omega_\mathrm{cavity}`,
            with its sign: a laser below the cavity has a negative one, and makes ``omega_c`` positive.
        shift: of the cavity by the atoms, added to ``omega_c``; with its sign.
        kappa: decay rate of the field, half width at half maximum of the cavity's line.
        linewidth: instead of it, full width at half maximum, an angular frequency like all others.
        energy_decay: instead of it, decay rate of the photon number: one over the photons' lifetime.
        collective: λ in :math:`\lambda(a + a^\dagger)(S^+ + S^-)/\sqrt N`; or a pair, :math:`(g_-, g_+)`.
        per_atom: instead of it, the coupling of each atom, in :math:`g_0(a + a^\dagger)(S^+ + S^-)`; or a pair.

    All are in one unit, such as 1/µs: ``kappa=1.3 * MHz``.

    Raises:
        ValueError, TypeError: for none or several of a group, and as for the model itself.

    >>> from opendicke.units import kHz, from_experiment
    >>> model = from_experiment(
    ...     n_atoms=10**5, omega_a=8 * kHz, detuning=-20 * kHz, linewidth=9 * kHz, per_atom=0.01 * kHz
    ... )
    >>> round(model.omega_c / kHz, 9), round(model.kappa / kHz, 9), round(model.g_minus / kHz, 4)
    (20.0, 4.5, 3.1623)
    """
    n_atoms = checks.integer("n_atoms", n_atoms, minimum=1)
    frequency = _one_of(omega_c=omega_c, detuning=detuning)
    loss = _one_of(kappa=kappa, linewidth=linewidth, energy_decay=energy_decay)
    coupling = _one_of(collective=collective, per_atom=per_atom)
    given = {name: checks.real(name, value) for name, value in (frequency, loss)}
    pair = coupling[1] if isinstance(coupling[1], tuple | list) else (coupling[1], coupling[1])
    if len(pair) != 2:
        raise checks.refuse(coupling[0], "a number, or a pair (g_minus, g_plus)", coupling[1])
    root = math.sqrt(n_atoms) if coupling[0] == "per_atom" else 1.0
    minus, plus = (root * checks.real(coupling[0], one) for one in pair)
    return DickeModel(
        n_atoms=n_atoms,
        omega_a=checks.real("omega_a", omega_a),
        omega_c=given.get("omega_c", -given.get("detuning", 0.0)) + checks.real("shift", shift),
        kappa=given[loss[0]] * (1.0 if loss[0] == "kappa" else 0.5),
        g_minus=minus,
        g_plus=plus,
    )


def _one_of(**group: Any) -> tuple[str, Any]:
    """The name and value of the one that is given."""
    given = [(name, value) for name, value in group.items() if value is not None]
    if len(given) != 1:
        names = ", ".join(group)
        raise checks.refuse(names, "exactly one of them", ", ".join(name for name, _ in given) or "none")
    return given[0]


def raman_coupling(g0: float, rabi: float, detuning: float) -> float:
    r"""The coupling per atom of a Raman transition with one leg in the cavity, :math:`g_0\Omega/(2\Delta)`.

    Args:
        g0: coupling of the atom's optical transition to the cavity, half the vacuum Rabi splitting.
        rabi: Rabi frequency Ω of the laser: populations oscillate at Ω in resonance.
        detuning: Δ of both from the excited state, with its sign, much larger than both.

    Returns:
        What :func:`from_experiment` takes as ``per_atom``. Two lasers make a pair :math:`(g_-, g_+)`. For a condensate
        between a standing-wave pump and the cavity's standing wave it is the same number, with the largest Ω and
        :math:`g_0` of either wave.

    Raises:
        ValueError, TypeError: for what is no number, and a detuning of 0.

    Source: F. Dimer, B. Estienne, A. S. Parkins and H. J. Carmichael, Phys. Rev. A 75, 013804 (2007).

    >>> raman_coupling(g0=2.0, rabi=3.0, detuning=100.0)
    0.03
    """
    away = checks.real("detuning", detuning)
    if away == 0:
        raise checks.refuse("detuning", "a number other than 0", detuning)
    return checks.real("g0", g0) * checks.real("rabi", rabi) / (2 * away)


def recoil(mass_u: float, wavelength_nm: float) -> float:
    r"""The recoil frequency :math:`\hbar k^2/2m` in 1/µs.

    Args:
        mass_u: mass of an atom in atomic mass units: 86.909 for rubidium 87.
        wavelength_nm: of the light in a vacuum, in nm.

    Raises:
        ValueError, TypeError: for what is no positive number (or below 1e-6).

    >>> round(recoil(86.909, 784.5) / kHz, 2)
    3.73
    """
    from scipy.constants import atomic_mass, hbar

    k = 2e9 * math.pi / checks.real("wavelength_nm", wavelength_nm, minimum=1e-6)
    rate: float = hbar * k**2 / (2 * atomic_mass * checks.real("mass_u", mass_u, minimum=1e-6)) * 1e-6
    return rate


def cooperativity(coupling: float, kappa: float, gamma: float) -> float:
    r"""The cooperativity :math:`g^2/\kappa\gamma`, with both rates those of amplitudes (half widths).

    Args:
        coupling: g: :math:`g_0` for one atom, :math:`\sqrt Ng_0` for all.
        kappa: field decay rate of the cavity.
        gamma: decay rate of the atomic dipole, half of the excited state's.

    Raises:
        ValueError, TypeError: for what is no positive number.

    Others define half of it, or a quarter: :math:`4g^2/\kappa'\gamma'` with the full widths is the same number.

    >>> cooperativity(coupling=10.0, kappa=2.0, gamma=5.0)
    10.0
    """
    kappa, gamma = checks.real("kappa", kappa, above=0.0), checks.real("gamma", gamma, above=0.0)
    return checks.real("coupling", coupling) ** 2 / (kappa * gamma)


@dataclass(frozen=True)
class Conventions:
    """What a model says of the experiment, in the unit of its rates; printed in Hz if that is 1/µs.

    Attributes:
        linewidth: full width at half maximum of the cavity, 2κ.
        photon_lifetime: 1/2κ.
        coupling: g₋ + g₊, which is compared with the threshold of a balanced model.
        critical_coupling: that threshold, NaN where there is none.
        ratio: their quotient, g/g_c.
        critical_per_atom: the coupling per atom there, g_c/(2√N).
        polaritons: of the normal state, with all atoms down: frequency and damping of each of the two modes, the
            lower first; a negative damping is an instability.
    """

    linewidth: float
    photon_lifetime: float
    coupling: float
    critical_coupling: float
    ratio: float
    critical_per_atom: float
    polaritons: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        lines = [
            f"cavity line, full width at half maximum   {_shown(self.linewidth)}",
            f"lifetime of a photon                      {self.photon_lifetime:.4g} µs",
            f"coupling g₋ + g₊                          {_shown(self.coupling)}",
            f"threshold of the balanced model           {_shown(self.critical_coupling)}",
            f"g / g_c                                   {self.ratio:.4g}",
            f"coupling per atom at threshold            {_shown(self.critical_per_atom)}",
        ]
        for frequency, damping in self.polaritons:
            lines.append(f"mode of the normal state at               {_shown(frequency)}, damped at {_shown(damping)}")
        return "\n".join(lines)


def conventions(model: DickeModel) -> Conventions:
    r"""What a model means for the experiment, to be held against what was measured: linewidth, threshold, modes.

    The modes are those of mean field around all atoms down and no photons, :math:`\delta\propto e^{\lambda t}`, with
    frequency :math:`|\mathrm{Im}\,\lambda|` and damping :math:`-\mathrm{Re}\,\lambda`. At threshold the lower one is at
    frequency 0.

    Args:
        model: everyday, with rates in 1/µs if what is printed is to be in Hz.

    Raises:
        TypeError, ValueError: for any other model.

    >>> from opendicke.units import MHz, conventions, from_experiment, kHz
    >>> model = from_experiment(
    ...     n_atoms=100000, omega_a=7.46 * kHz, omega_c=15 * MHz, kappa=1.3 * MHz, collective=120 * kHz
    ... )
    >>> print(conventions(model))
    cavity line, full width at half maximum   2π × 2.6 MHz
    lifetime of a photon                      0.06121 µs
    coupling g₋ + g₊                          2π × 240 kHz
    threshold of the balanced model           2π × 335.8 kHz
    g / g_c                                   0.7148
    coupling per atom at threshold            2π × 530.9 Hz
    mode of the normal state at               2π × 5.217 kHz, damped at 2π × 0.1631 Hz
    mode of the normal state at               2π × 15 MHz, damped at 2π × 1.3 MHz
    """
    check_model(model, "conventions")
    coupling, away = model.coupling, model.g_minus - model.g_plus
    threshold = model.critical_coupling if model.omega_a * model.omega_c > 0 else math.nan
    flow = np.array(
        [  # of m_x, m_y, Re β, Im β around m_z = -1/2
            [0.0, -model.omega_a, 0.0, away],
            [model.omega_a, 0.0, coupling, 0.0],
            [0.0, -away, -model.kappa, model.omega_c],
            [-coupling, 0.0, -model.omega_c, -model.kappa],
        ]
    )
    return Conventions(
        linewidth=2 * model.kappa,
        photon_lifetime=1 / (2 * model.kappa) if model.kappa > 0 else math.inf,
        coupling=coupling,
        critical_coupling=threshold,
        ratio=coupling / threshold,
        critical_per_atom=threshold / (2 * math.sqrt(model.n_atoms)),
        polaritons=_pairs(np.linalg.eigvals(flow)),
    )


def _pairs(eigenvalues: Any) -> tuple[tuple[float, float], ...]:
    """Frequency and damping of two modes, of which one may have split into two that do not oscillate: the slower."""
    ordered = sorted(eigenvalues, key=lambda one: (abs(one.imag), -one.real))
    return tuple((float(abs(one.imag)), float(-one.real)) for one in (ordered[0], ordered[2]))


def _shown(rate: float) -> str:
    """A rate in 1/µs, as 2π times a frequency."""
    if math.isnan(rate):
        return "none, as ω_a ω_c is not positive"
    oscillations = abs(rate) / (2 * math.pi)
    for unit, size in (("GHz", 1e3), ("MHz", 1.0), ("kHz", 1e-3)):
        if oscillations >= size:
            return f"2π × {rate / (2 * math.pi * size):.4g} {unit}"
    return f"2π × {rate / (2 * math.pi * 1e-6):.4g} Hz"
