r"""The mean-field phase diagram: which fixed points attract at every pair of couplings, and the lines in between.

With :math:`\sigma = g_-^2 + g_+^2`, :math:`\delta = g_-^2 - g_+^2`, :math:`R = \omega_c^2 + \kappa^2`,
:math:`K = R + \omega_a^2` and :math:`c = \omega_a\omega_c` every boundary is known in closed form:

==============  ==================================================  ==============================================
line            equation                                            what happens
==============  ==================================================  ==============================================
pitchfork       δ² − 2|c|σ + ω_a²R = 0                            a pole meets a superradiant pair
saddle-node     2|ω_c g₋g₊| = κ|δ|                              SR+ and SR− merge and vanish
pole flip       Kδ + 2cσ = 0                                        normal and inverted exchange stability
Hopf            δ⁴ + 2cRσδ + ω_a²R³ = 0                             SR+ sheds a limit cycle
==============  ==================================================  ==============================================

The pitchfork is supercritical for :math:`|\delta| < |\omega_a|\sqrt R` and subcritical beyond; the saddle-node line
starts at the tricritical point in between. Signs of the couplings do not matter: the phase depends on δ and σ only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from opendicke import checks
from opendicke.model import DickeModel, check_model
from opendicke.phases.fixed_points import MARGINAL, stability_margin, superradiant_precession

#: Names of the phases. A label is the sum of 1 (normal state stable), 2 (SR+ stable), 4 (inverted state stable).
PHASES: dict[int, str] = {
    0: "no stable fixed point",
    1: "normal",
    2: "superradiant",
    3: "bistable",
    4: "inverted",
    6: "inverted and superradiant",
}


@dataclass(frozen=True, eq=False)
class PhaseBoundary:
    """One stretch of a line on which the phase changes, in the quadrant g₋, g₊ ≥ 0.

    Attributes:
        name: ``"pitchfork"``, ``"subcritical pitchfork"``, ``"saddle-node"``, ``"pole flip"`` or ``"Hopf"``.
        g_minus, g_plus: the line, shape (points,), in units of the rates, in order along it.
    """

    name: str
    g_minus: NDArray[np.float64]
    g_plus: NDArray[np.float64]


def phase(model: DickeModel) -> str:
    """The phase of one model, one of the values of :data:`PHASES`.

    Args:
        model: the model; ``n_atoms`` does not matter, κ > 0.

    Raises:
        ValueError: if κ = 0, where no fixed point attracts (see :func:`phase_diagram`).

    >>> phase(DickeModel(n_atoms=100, omega_a=1, omega_c=1, kappa=1, g_minus=1.8, g_plus=0.782))
    'bistable'
    """
    check_model(model, "phase")
    data = phase_diagram(model, [model.g_minus], [model.g_plus])
    return PHASES[int(data.phase.item())]


def phase_diagram(model: DickeModel, g_minus: ArrayLike, g_plus: ArrayLike) -> xr.Dataset:
    r"""Stable fixed points, and how stable, on a grid of couplings.

    .. math:: \text{phase} = 1\cdot[\text{normal stable}] + 2\cdot[\text{SR+ stable}] + 4\cdot[\text{inverted stable}]

    Points exactly on a line are not stable on either side of it, so g₋ = g₊ = 0 has no stable fixed point.

    Args:
        model: ω_a, ω_c and κ are taken from it; its couplings and ``n_atoms`` do not matter.
        g_minus, g_plus: the two axes, one-dimensional, in units of the rates, of either sign.

    Returns:
        Dataset over (g_minus, g_plus) with ``phase`` (a label of :data:`PHASES`), ``leading_normal``,
        ``leading_inverted`` and ``leading_SR`` (largest real part of the eigenvalues; NaN where there is no
        superradiant state) and ``mz_SR`` (:math:`\langle S^z\rangle/N` of SR+).

    Raises:
        ValueError: if κ = 0: the flow is then Hamiltonian, nothing attracts, and there are no phases in this sense.

    >>> model = DickeModel.balanced(n_atoms=1, omega_a=1, omega_c=1, kappa=1, coupling=1)
    >>> phase_diagram(model, [1.8, 1.5], [0.782, 3.0]).phase.values
    array([[3, 0],
           [2, 0]], dtype=int8)
    """
    _need_loss(model)
    axes = {name: _axis(name, values) for name, values in (("g_minus", g_minus), ("g_plus", g_plus))}
    gm, gp = np.meshgrid(axes["g_minus"], axes["g_plus"], indexing="ij")
    b_sr, _ = superradiant_precession(model.omega_a, model.omega_c, model.kappa, gm, gp)
    w_sr = model.omega_a / b_sr
    points = {
        "normal": (np.full(gm.shape, -model.omega_a), np.full(gm.shape, -1.0), True),
        "SR": (b_sr, w_sr, False),
        "inverted": (np.full(gm.shape, model.omega_a), np.full(gm.shape, 1.0), True),
    }
    dims = ("g_minus", "g_plus")
    label = np.zeros(gm.shape, dtype=np.int8)
    data = xr.Dataset(coords={name: (name, axis, {"units": "rate"}) for name, axis in axes.items()})
    for bit, (name, (b, w, pole)) in enumerate(points.items()):
        margin = stability_margin(model.omega_c, model.kappa, gm, gp, b, w, pole=pole)
        label += (1 << bit) * (np.nan_to_num(margin, nan=-1.0) > MARGINAL).astype(np.int8)
        attrs = {"units": "rate", "definition": f"largest real part of the eigenvalues of the {name} state"}
        data[f"leading_{name}"] = (dims, _leading(model, gm, gp, b, w, pole), attrs)
    names = " ".join(name.replace(" ", "_") for name in PHASES.values())
    flags = {"flag_values": np.array(list(PHASES), dtype=np.int8), "flag_meanings": names}
    data["phase"] = (dims, label, {"definition": "1 normal + 2 SR+ + 4 inverted, of those that are stable", **flags})
    data["mz_SR"] = (dims, w_sr / 2, {"units": "1", "definition": "<S^z>/N of the superradiant state SR+"})
    data.attrs = {"omega_a": model.omega_a, "omega_c": model.omega_c, "kappa": model.kappa}
    return data


def tricritical_point(model: DickeModel) -> tuple[float, float]:
    r"""(g₋, g₊) at which the pitchfork turns subcritical and the saddle-node line begins.

    .. math:: \delta = |\omega_a|\sqrt R,\qquad \sigma = |\omega_a/\omega_c|\,R

    Args:
        model: the model; its couplings and ``n_atoms`` do not matter.

    Raises:
        ValueError: if ω_aω_c ≤ 0 or κ = 0.

    >>> model = DickeModel.balanced(n_atoms=1, omega_a=1, omega_c=1, kappa=1, coupling=1)
    >>> [round(g, 6) for g in tricritical_point(model)]
    [1.306563, 0.541196]
    """
    _need_loss(model)
    if model.omega_a * model.omega_c <= 0:
        pair = (model.omega_a, model.omega_c)
        raise checks.refuse("omega_a, omega_c", "omega_a * omega_c > 0 for a transition out of the normal state", pair)
    rate2 = model.omega_c**2 + model.kappa**2
    g_minus, g_plus = _couplings(
        np.array([model.omega_a * math.sqrt(rate2)]), np.array([abs(model.omega_a / model.omega_c) * rate2])
    )
    return float(g_minus[0]), float(g_plus[0])


def phase_boundaries(model: DickeModel, g_max: float, points: int = 400) -> tuple[PhaseBoundary, ...]:
    r"""The lines on which the phase changes, each followed to the edge of the square [0, g_max]².

    Args:
        model: ω_a, ω_c and κ are taken from it.
        g_max: edge of the square, in units of the rates; a curved line may reach a little beyond it.
        points: points on each line.

    Returns:
        the stretches that exist for this model, from the closed forms at the top of this module. For ω_aω_c < 0 they
        are those of (|ω_a|, |ω_c|) with g₋ ↔ g₊ and normal ↔ inverted; without a pitchfork (ω_aω_c = 0) only
        the pole flip and, for ω_c ≠ 0, the saddle-node lines remain.

    Raises:
        ValueError: if κ = 0, ``g_max`` is not between 1e-30 and 1e30, or ``points`` < 2.

    >>> model = DickeModel.balanced(n_atoms=1, omega_a=1, omega_c=1, kappa=1, coupling=1)
    >>> [line.name for line in phase_boundaries(model, g_max=3.5)]
    ['pole flip', 'saddle-node', 'saddle-node', 'pitchfork', 'subcritical pitchfork', 'Hopf']
    """
    _need_loss(model)
    extent = checks.real("g_max", g_max, above=0.0, minimum=1 / checks.LARGEST)
    count = checks.integer("points", points, minimum=2)
    lines = [(name, *_couplings(delta, sigma)) for name, delta, sigma in _lines(model, extent, count)]
    if model.omega_a * model.omega_c < 0:
        lines = [(name, g_plus, g_minus) for name, g_minus, g_plus in lines]
    reaching = [line for line in lines if bool(((line[1] <= extent) & (line[2] <= extent)).any())]
    return tuple(PhaseBoundary(*line) for line in reaching)


def _lines(model: DickeModel, extent: float, count: int) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """(name, δ, σ) of every stretch, for |ω_a| and |ω_c|."""
    omega_a, omega_c, rate2 = abs(model.omega_a), abs(model.omega_c), model.omega_c**2 + model.kappa**2
    rate, product = math.sqrt(rate2), omega_a * omega_c
    tricritical, hopf_end = omega_a * rate, math.sqrt(omega_a) * rate**1.5

    def stretch(start: float, stop: float) -> NDArray[np.float64]:
        """δ from start to stop, spaced evenly in the couplings."""
        first, last = (math.copysign(math.sqrt(abs(value)), value) for value in (start, stop))
        roots = np.linspace(first, last, count)
        return roots * np.abs(roots)

    def edge(slope: float) -> float:
        """|δ| at which the ray σ = slope |δ| leaves the square."""
        return 2 * extent**2 / (1 + slope)

    if product == 0:
        found = [("pole flip", np.zeros(count), stretch(0.0, 2 * extent**2))]
    else:
        slope = (rate2 + omega_a**2) / (2 * product)
        flip = stretch(0.0, edge(slope))
        found = [("pole flip", -flip, slope * flip)]
    if omega_c > 0:
        slope = rate / omega_c
        starts = {1: tricritical, -1: hopf_end if omega_a < rate else math.inf}
        for sign, start in starts.items():
            if start < edge(slope):
                ray = stretch(start, edge(slope))
                found.append(("saddle-node", sign * ray, slope * ray))
    if product > 0:
        found += _pitchforks(product, omega_a, rate2, extent, stretch)
        # σ ~ ω_a R² / (2 ω_c |δ|) as the Hopf line approaches the diagonal.
        near = min(hopf_end, rate2)
        delta = -np.geomspace(near, min(omega_a * rate2**2 / (4 * omega_c * extent**2), 0.5 * near), count)
        found.append(("Hopf", delta, -(delta**4 + omega_a**2 * rate2**3) / (2 * product * rate2 * delta)))
    return found


def _pitchforks(
    product: float, omega_a: float, rate2: float, extent: float, stretch: Callable[[float, float], NDArray[np.float64]]
) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """The two stretches of the pitchfork, the second until g₋ = ``extent``."""
    tricritical = omega_a * math.sqrt(rate2)
    far = math.sqrt(max(4 * product * extent**2 - omega_a**2 * rate2 + product**2, 0.0)) - product
    pieces = [("pitchfork", -min(omega_a**2, rate2), tricritical)]
    if far > tricritical:
        pieces.append(("subcritical pitchfork", tricritical, far))
    deltas = [(name, stretch(start, stop)) for name, start, stop in pieces]
    return [(name, delta, (delta**2 + omega_a**2 * rate2) / (2 * product)) for name, delta in deltas]


def _couplings(
    delta: NDArray[np.float64], sigma: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Couplings g₋, g₊ >= 0 with these δ and σ >= |δ| (up to rounding)."""
    return np.sqrt(np.maximum(sigma + delta, 0.0) / 2), np.sqrt(np.maximum(sigma - delta, 0.0) / 2)


def _leading(
    model: DickeModel,
    g_minus: NDArray[np.float64],
    g_plus: NDArray[np.float64],
    b: NDArray[np.float64],
    w: NDArray[np.float64],
    pole: bool,
) -> NDArray[np.float64]:
    """Largest real part of the roots of the characteristic polynomial of :func:`stability_margin`; NaN where b is."""
    sigma, delta = g_minus**2 + g_plus**2, g_minus**2 - g_plus**2
    rate2, kappa = model.omega_c**2 + model.kappa**2, model.kappa
    if pole:
        c0 = b**2 * rate2 + 2 * b * model.omega_c * sigma + delta**2
    else:
        c0 = (1 - w**2) * (b**2 * rate2 - delta**2)
    companion = np.zeros((*b.shape, 4, 4))
    companion[..., 1:, :-1] = np.eye(3)
    lower = (-2 * kappa * np.ones_like(b), -(rate2 + b**2 - 2 * delta * w), -2 * kappa * (b**2 - delta * w), -c0)
    companion[..., 0, :] = np.stack(lower, axis=-1)
    present = np.isfinite(b)
    leading = np.full(b.shape, np.nan)
    leading[present] = np.linalg.eigvals(companion[present]).real.max(axis=-1)
    return leading


def _axis(name: str, values: ArrayLike) -> NDArray[np.float64]:
    return checks.real_array(name, values)


def _need_loss(model: DickeModel) -> None:
    check_model(model, "a phase diagram")
    if model.kappa == 0:
        hint = "Without loss the mean-field flow is Hamiltonian and no fixed point attracts; see fixed_points."
        raise checks.refuse("kappa", "a number > 0", model.kappa, hint)
