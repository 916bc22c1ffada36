"""What a notebook shows of models, states and methods: formulas with their numbers, and tables of options.

The classes that are shown stand above this file: they are known by their names.
"""

from __future__ import annotations

import dataclasses
import html
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from opendicke import signals

#: Terms of a sum of states, and points of a signal, that are written.
MOST_TERMS = 4
#: Angles are written as fractions of π with these denominators.
DENOMINATORS = (1, 2, 3, 4, 6, 8)
BEGIN, LINE, END = r"\begin{aligned}", r" \\ ", r"\end{aligned}"
CONJUGATE, TO, AND = r"\mathrm{h.c.}", r" \to ", r" \otimes "


class Formula:
    """Something that a notebook shows as a formula."""

    def latex(self) -> str:
        r"""Its formula with its numbers, as LaTeX without dollar signs.

        >>> import opendicke as od
        >>> od.Dicke(1.0, cavity=od.cavities.Fock(2)).latex()
        '|m{=}{1}\\rangle \\otimes |n{=}2\\rangle'
        """
        return FORMULAS[type(self).__name__](self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


class Shown:
    """A method: a notebook shows its options, those in bold that are not the default."""

    def _repr_html_(self) -> str:
        rows = []
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            told = html.escape(repr(value))
            is_default = item.default is not dataclasses.MISSING and value == item.default
            rows.append(f"<tr><td>{item.name}</td><td>{told if is_default else f'<b>{told}</b>'}</td></tr>")
        about = html.escape((inspect.getdoc(self) or "").partition("\n")[0])
        return f"<p><b>{type(self).__name__}</b><br>{about}</p><table>{''.join(rows)}</table>"


def number(value: complex) -> str:
    """A number as LaTeX.

    >>> number(2.5), number(1e-7), number(1 - 0.5j), number(2j)
    ('2.5', '10^{-7}', '(1-0.5i)', '2i')
    """
    value = complex(value)
    if value.imag == 0:
        return _real(value.real)
    digits = _real(value.imag)
    imaginary = {"1": "i", "-1": "-i"}.get(digits, f"{digits}i")
    if value.real == 0:
        return imaginary
    return f"({_real(value.real)}{'' if imaginary.startswith('-') else '+'}{imaginary})"


def _real(value: float) -> str:
    digits, e, power = f"{value:.6g}".partition("e")
    if not e:
        return digits
    factor = "" if digits == "1" else "-" if digits == "-1" else rf"{digits}\cdot"
    return f"{factor}10^{{{int(power)}}}"


def angle(value: float) -> str:
    r"""An angle as LaTeX, as a fraction of π where it is one.

    >>> import math
    >>> angle(-math.pi / 4), angle(2 * math.pi), angle(0.0), angle(1.2)
    ('-\\pi/4', '2\\pi', '0', '1.2')
    """
    for below in DENOMINATORS:
        above = round(value / math.pi * below)
        if above and value == above * math.pi / below:
            factor = {1: "", -1: "-"}.get(above, f"{above}")
            return rf"{factor}\pi" + (f"/{below}" if below > 1 else "")
    return number(value)


def plus(terms: Iterable[str]) -> str:
    """A sum, with the signs of its terms.

    >>> plus(["2x", "-y", "z"])
    '2x - y + z'
    """
    total = ""
    for term in terms:
        sign = "-" if term.startswith("-") else "+"
        total += f" {sign} {term.removeprefix('-')}" if total else term
    return total or "0"


def times(factor: str, what: str) -> str:
    """A product in which 1 is not written."""
    return {"1": "", "-1": "-"}.get(factor, factor + r"\,") + what


class _Written:
    """A system as it is written: signals are called by their symbols, and told below."""

    def __init__(self, system: Any) -> None:
        self.system = system
        self.spins, self.modes = len(system.spins), len(system.modes)
        self.told: list[str] = []

    def rate(self, value: Any, symbol: str, site: str = "") -> str:
        """A rate: its number, or its symbol if it moves."""
        if not signals.moves(value):
            return number(value)
        name = f"{symbol}_{{{site}}}(t)" if site else f"{symbol}(t)"
        self.told.append(f"{name} &= {_signal(value)}")
        return name

    def spin(self, i: int, axis: str) -> str:
        return f"S^{axis}" + (f"_{{{i + 1}}}" if self.spins > 1 else "")

    def mode(self, m: int, dagger: str = "") -> str:
        return "a" + (f"_{{{m + 1}}}" if self.modes > 1 else "") + (r"^\dagger" if dagger else "")

    def sites(self, i: int | None, m: int | None) -> str:
        """The numbers of a spin and a mode, where there are several."""
        found = [str(i + 1)] if i is not None and self.spins > 1 else []
        return ",".join(found + ([str(m + 1)] if m is not None and self.modes > 1 else []))

    def hamiltonian(self) -> str:
        """The spins' and the modes' own terms, the couplings and the drives; the last two without the conjugates."""
        inner = self.of_spins("omega_a", r"\omega_{a}", "z")
        inner += self.of_modes("omega_c", r"\omega_{c}", lambda m: f"{self.mode(m, '†')} {self.mode(m)}")
        coupled = self.coupled()
        driven = self.of_spins("atom_drive", r"\xi", "+")
        driven += self.of_modes("drive", r"\eta", lambda m: self.mode(m, "†"))
        if coupled:
            root = rf"\frac{{1}}{{\sqrt{{{number(self.system.n_ref)}}}}}"
            inner.append(rf"{root}\left[{plus([*coupled, CONJUGATE])}\right]")
        if driven:
            inner.append(rf"\left[{plus([*driven, CONJUGATE])}\right]")
        return plus(inner)

    def of_spins(self, name: str, symbol: str, axis: str) -> list[str]:
        """The terms of a rate that each spin has."""
        return [
            times(self.rate(getattr(spin, name), symbol, self.sites(i, None)), self.spin(i, axis))
            for i, spin in enumerate(self.system.spins)
            if getattr(spin, name) != 0
        ]

    def of_modes(self, name: str, symbol: str, operator: Callable[[int], str]) -> list[str]:
        """The terms of a rate that each mode has."""
        return [
            times(self.rate(getattr(mode, name), symbol, self.sites(None, m)), operator(m))
            for m, mode in enumerate(self.system.modes)
            if getattr(mode, name) != 0
        ]

    def coupled(self) -> list[str]:
        """The couplings, without the root and the conjugates."""
        return [
            times(self.rate(rate, symbol, self.sites(i, m)), f"{self.spin(i, axis)} {self.mode(m, '†')}")
            for name, symbol, axis in (("g_minus", "{g_-}", "-"), ("g_plus", "{g_+}", "+"))
            for i, row in enumerate(getattr(self.system, name))
            for m, rate in enumerate(row)
            if rate != 0
        ]

    def master_equation(self) -> str:
        parts = [r"-i[H,\rho]"]
        for m, mode in enumerate(self.system.modes):
            if mode.kappa == 0:
                continue
            at, field, raised = self.sites(None, m), self.mode(m), self.mode(m, "†")
            kappa = self.rate(mode.kappa, r"\kappa", at)
            if mode.n_thermal == 0:
                parts.append(rf"2\times {kappa}\,\mathcal{{D}}[{field}]\rho")
            else:
                photons = self.rate(mode.n_thermal, r"\bar n", at)
                parts.append(rf"2\times {kappa}\,({photons}+1)\,\mathcal{{D}}[{field}]\rho")
                parts.append(rf"2\times {kappa}\times {photons}\,\mathcal{{D}}[{raised}]\rho")
            if mode.squeezing != 0:
                light = self.rate(mode.squeezing, "m", at)
                inner = rf"2{raised}\rho {raised} - {raised}{{}}^2\rho - \rho {raised}{{}}^2"
                parts.append(rf"-{kappa}\left[{times(light, f'({inner})')} + {CONJUGATE}\right]")
        return plus(parts)

    def lines(self) -> list[str]:
        made = [f"H &= {self.hamiltonian()}", rf"\dot\rho &= {self.master_equation()}"]
        return [*made, *self.told]


def _model(model: Any) -> str:
    """A model or a system: H, the master equation, the signals, N."""
    system = getattr(model, "system", model)
    counts = [str(spin.n_atoms) for spin in system.spins]
    atoms = [f"N &= {counts[0]}"] if len(counts) == 1 else [f"N_{{{i + 1}}} &= {n}" for i, n in enumerate(counts)]
    return BEGIN + LINE.join([*_Written(system).lines(), *atoms]) + END


def _signal(signal: Any) -> str:
    if signal.KIND == "sine":
        phase = plus([rf"{times(number(signal.frequency), 't')}", *([angle(signal.phase)] if signal.phase else [])])
        swing = times(number(signal.amplitude), rf"\sin({phase})")
        return plus([*([number(signal.mean)] if signal.mean else []), swing])
    points = list(zip(signal.times, signal.values, strict=True))
    told = [rf"{number(value)}\,({number(time)})" for time, value in points]
    shown = told if len(told) <= MOST_TERMS else [*told[:2], r"\dots", told[-1]]
    kind = {"ramp": "linear", "samples": "smooth"}[signal.KIND]
    return TO.join(shown) + rf" \quad\text{{({kind}; times in parentheses)}}"


def _coherent_spin(state: Any) -> str:
    cos_theta = math.cos(state.theta)
    if abs(cos_theta) == 1 and state.direction[:2] == (0.0, 0.0):
        arrow = r"\uparrow" if cos_theta > 0 else r"\downarrow"
        return rf"|{{{arrow}}}\cdots{{{arrow}}}\rangle"
    return _angles(state.theta, state.phi)


def _angles(theta: float, phi: float) -> str:
    return rf"|\theta{{=}}{angle(theta)},\phi{{=}}{angle(phi)}\rangle"


def _dicke(state: Any) -> str:
    return rf"|m{{=}}{{{number(state.m)}}}\rangle"


def _thermal_spin(state: Any) -> str:
    return rf"\frac{{1}}{{Z}}e^{{{times(number(-state.x), 'S^z')}}}"


def _squeezed_spin(state: Any) -> str:
    return rf"e^{{-i\,{number(state.mu)}\,(S\cdot e_\theta)^2/2}}{_angles(state.theta, state.phi)}"


def _superposed(weights: Sequence[complex] | None, kets: Sequence[str]) -> str:
    """A sum of kets that stands for its normalised state."""
    told = [times(number(c), ket) for c, ket in zip(weights or (1,) * len(kets), kets, strict=True)]
    shown = told if len(told) <= MOST_TERMS else [*told[: MOST_TERMS - 1], r"\dots"]
    return rf"\tfrac{{1}}{{\mathcal{{N}}}}\left({plus(shown)}\right)"


def _spin_superposition(state: Any) -> str:
    return _superposed(state.weights, [_angles(*pair) for pair in state.angles])


SPINS: dict[str, Callable[[Any], str]] = {
    "SpinCoherent": _coherent_spin,
    "Dicke": _dicke,
    "ThermalSpin": _thermal_spin,
    "SpinSqueezed": _squeezed_spin,
    "SpinSuperposition": _spin_superposition,
}


def _field(field: Any) -> str:
    """The state of a mode: an amplitude, or one of :mod:`opendicke.cavities`."""
    if not dataclasses.is_dataclass(field):
        return r"|0\rangle" if field == 0 else rf"|\alpha{{=}}{number(field)}\rangle"
    return FORMULAS[type(field).__name__](field)


def _fock(field: Any) -> str:
    return rf"|n{{=}}{field.photons}\rangle"


def _thermal(field: Any) -> str:
    centred = rf"\rho_{{\bar n={number(field.photons)}}}"
    return rf"D({number(field.alpha)})\,{centred}\,D({number(field.alpha)})^\dagger" if field.alpha else centred


def _squeezed(field: Any) -> str:
    phase = rf"e^{{i\,{angle(field.phi)}}}" if field.phi else ""
    moved = rf"D({number(field.alpha)})\," if field.alpha else ""
    return rf"{moved}S({number(field.r)}{phase})|0\rangle"


def _cat(field: Any) -> str:
    phase = rf"e^{{i\,{angle(field.phase)}}}" if field.phase else ""
    kets = rf"|\alpha\rangle + {phase}|{{-\alpha}}\rangle"
    return rf"\tfrac{{1}}{{\mathcal{{N}}}}\left({kets}\right)_{{\alpha={number(field.alpha)}}}"


def _one_spin(state: Any) -> str:
    field = state.cavity if state.cavity is not None else state.alpha
    return SPINS[type(state).__name__](state) + AND + _field(field)


def _modes(state: Any) -> str:
    return AND.join(map(_field, state.modes)) if state.modes else r"|0\rangle"


def _product(state: Any) -> str:
    spins = AND.join(SPINS[type(one).__name__](one) for one in state.spins)
    return spins + AND + _modes(state)


def _entangled(state: Any) -> str:
    kets = ["".join(SPINS[type(one).__name__](one) for one in term) for term in state.terms]
    return _superposed(state.weights, kets) + AND + _modes(state)


#: The formula of each class.
FORMULAS: dict[str, Callable[[Any], str]] = {
    "DickeModel": _model,
    "System": _model,
    **dict.fromkeys(SPINS, _one_spin),
    "Product": _product,
    "EntangledSpins": _entangled,
    "Fock": _fock,
    "Thermal": _thermal,
    "Squeezed": _squeezed,
    "Cat": _cat,
}
