r"""The line in the plane of the couplings at which the bistable phase breaks, t → ∞ before N → ∞.

Both states are left at rates :math:`\sim e^{-NS}`, so with many atoms all of the stationary state is where S is larger.
On the line both exponents are equal. It begins at the tricritical point, where the bistable phase begins too, and at
every larger :math:`g_-` crosses that phase once: S out of the normal state falls from the saddle-node line to the
pitchfork, where this state ends, and S out of the superradiant state rises from 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from opendicke import checks
from opendicke.model import DickeModel, check_model
from opendicke.phases.diagram import tricritical_point
from opendicke.tunnelling.doubled import DoubledFlow, at_rest
from opendicke.tunnelling.instanton import (
    Kind,
    OrbitNotFoundError,
    Start,
    edge_of_basin,
    instanton,
    slowest_rate,
)

#: Where the search begins: g₋ over that of the tricritical point, and the share of the way across the bistable phase.
ANCHOR, SHARE = 1.4, 0.3
#: The exponents are equal when they differ by less than this fraction; Newton's method takes no more steps than these.
EQUAL, STEPS = 1e-6, 12
#: From one point to the next the distance from the tricritical point changes by this factor at most.
STRIDE = 1.4
STARTS: tuple[Start, Start] = get_args(Start)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Both ways out at one point of the plane.

    Attributes:
        model: the point.
        share: of the way across the bistable phase at this g₋, from the saddle-node line to the pitchfork.
        ways: the instanton out of each state.
    """

    model: DickeModel
    share: float
    ways: tuple[xr.Dataset, xr.Dataset]

    @property
    def actions(self) -> tuple[float, float]:
        """S out of the normal and out of the superradiant state."""
        normal, superradiant = (way.action.item() for way in self.ways)
        return normal, superradiant

    @property
    def apart(self) -> float:
        """By how much S is larger out of the normal state."""
        normal, superradiant = self.actions
        return float(normal - superradiant)

    def change(self, coupling: str) -> float:
        """Of ``apart``, with a coupling."""
        normal, superradiant = (action_derivative(way, coupling) for way in self.ways)
        return normal - superradiant


def transition_line(
    model: DickeModel, g_minus: ArrayLike, method: Kind = "exact", *, n_thermal: float = 0.0, seed: int = 0
) -> xr.Dataset:
    r"""Where the rates out of the normal and the superradiant state fall alike as N → ∞: the line of the transition.

    .. math:: S_n(g_-, g_+) = S_s(g_-, g_+),\qquad \gamma_{ns}\sim e^{-NS_n},\quad \gamma_{sn}\sim e^{-NS_s}

    For more :math:`g_+` than on the line the stationary state of many atoms is superradiant, for less it is normal. The
    line is followed from one point by Newton's method in :math:`g_+`, with the derivatives that Hamilton's equations
    give: :math:`\partial S/\partial g = -\int\partial\mathcal H/\partial g\,dt` along the path.

    Args:
        model: ω_a, ω_c and κ are taken from it, ω_aω_c > 0, κ > 0; its couplings and ``n_atoms`` do not matter.
        g_minus: where, one-dimensional and increasing, in units of the rates; beyond that of the tricritical point.
            Each point takes some seconds, and the longer the closer it is to the tricritical point, where everything
            is slow.
        method: ``"exact"``, or ``"truncated_wigner"`` for the line that this approximation gives.
        n_thermal: mean photon number :math:`\bar n \ge 0` of the cavity's surroundings.
        seed: of the search for the first point.

    Returns:
        Dataset over ``g_minus`` with ``g_plus``; ``action`` (the common exponent S), ``action_error`` and ``residual``
        (S_n − S_s); ``steepness`` (its derivative by g_plus: the stationary state changes over within
        1/(N · steepness)); ``share`` (of the way from the saddle-node line to the pitchfork). In attrs: ``tricritical``
        (the point where the line begins), ``stopped`` (why points that were asked for are missing; empty if none
        is) and provenance. A point that is not reached ends the line on its side.

    Raises:
        ValueError: where the model has no tricritical point, and so no bistable phase with :math:`g_- > g_+`; for
            ``g_minus`` that is not beyond it, or not increasing.
        OrbitNotFoundError: if not even the first point is found.

    Source: the exponents are those of :func:`instanton`; the two orders of limits are those of K. Müller and W. T.
    Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*.

    >>> from opendicke.analysis.tunnelling import BISTABLE_CUT
    >>> line = transition_line(BISTABLE_CUT.model(0, n_atoms=1), [1.8], "truncated_wigner")
    >>> line.g_plus.values.round(4), line.attrs["stopped"]
    (array([0.7837]), '')
    """
    check_model(model, "transition_line")
    checks.choice("method", method, get_args(Kind))
    thermal = checks.real("n_thermal", n_thermal, minimum=0.0)
    tip = tricritical_point(model)
    asked = checks.real_array("g_minus", g_minus)
    if asked.size == 0 or not (np.diff(asked) > 0).all() or not asked[0] > tip[0]:
        bounds = f"increasing numbers, all beyond {tip[0]:.6g}, where the bistable phase begins"
        raise checks.refuse("g_minus", bounds, asked.tolist())
    start = _place(model, ANCHOR * tip[0], SHARE)
    ways = [instanton(start, one, method, n_thermal=thermal, seed=seed) for one in STARTS]
    anchor = _equalised(_Pair(start, SHARE, (ways[0], ways[1])))
    beyond = asked >= anchor.model.g_minus
    (before, why_before), (after, why_after) = (
        _walk(anchor, part, tip[0]) for part in (asked[~beyond][::-1], asked[beyond])
    )
    about = {"stopped": "; ".join(why for why in (why_before, why_after) if why), "tricritical": list(tip)}
    return _dataset([*before[::-1], *after], about | {"method": method, "n_thermal": thermal})


def action_derivative(way: xr.Dataset, coupling: str) -> float:
    r"""∂S/∂g of an answer of :func:`instanton`, for g = ``"g_minus"`` or ``"g_plus"``: −∫ ∂H/∂g dt.

    The Hamilton function is linear in both couplings, and smooth enough for the trapezoidal rule. Beyond the ends of
    the path, close to the fixed points, the integrand decays at the slowest rate.
    """
    model = DickeModel(**json.loads(way.attrs["model"]))
    fields = [part for name in ("a", "p") for part in (way[name].values.real, way[name].values.imag)]
    path = np.column_stack([*fields, way.sigma.values, way.pi.values])
    flow, steeper = (
        DoubledFlow(model.replace(**{coupling: getattr(model, coupling) + step}), way.attrs["n_thermal"])
        for step in (0.0, 1.0)
    )
    rate = steeper.energy(path) - flow.energy(path)
    leaves, arrives = (slowest_rate(flow, at_rest(point)) for point in edge_of_basin(model, way.attrs["start"]))
    beyond = rate[0] / leaves + rate[-1] / arrives
    return -float(np.trapezoid(rate, way.time.values) + beyond)


def bistable_range(model: DickeModel, g_minus: float) -> tuple[float, float]:
    r"""g₊ of the saddle-node line and of the subcritical pitchfork at this g₋, beyond the tricritical point.

    From :math:`\sigma = \sqrt R\,\delta/|\omega_c|` and :math:`2\omega_a\omega_c\sigma = \delta^2+\omega_a^2R`, with
    :math:`R = \omega_c^2+\kappa^2`, :math:`\sigma = g_-^2+g_+^2` and :math:`\delta = g_-^2-g_+^2`.

    >>> from opendicke.analysis.tunnelling import BISTABLE_CUT
    >>> [round(g, 6) for g in bistable_range(BISTABLE_CUT.model(0, n_atoms=1), 1.75)]
    [0.724874, 0.841664]
    """
    square, product = g_minus**2, model.omega_a * model.omega_c
    rate2 = model.omega_c**2 + model.kappa**2
    rate = math.sqrt(rate2)
    lowest = g_minus * model.kappa / (rate + abs(model.omega_c))
    # the smaller root, without a difference of nearly equal numbers
    root = math.sqrt(product**2 + 4 * product * square - model.omega_a**2 * rate2)
    highest2 = ((square - product) ** 2 + model.omega_a**2 * rate2 - product**2) / (square + product + root)
    return lowest, math.sqrt(highest2)


def _place(model: DickeModel, g_minus: float, share: float) -> DickeModel:
    """The model at this g₋ and share of the way across the bistable phase."""
    lowest, highest = bistable_range(model, g_minus)
    return model.replace(g_minus=g_minus, g_plus=lowest + share * (highest - lowest))


def _moved(pair: _Pair, g_minus: float, share: float) -> _Pair:
    """Both ways out at another point."""
    target = _place(pair.model, g_minus, share)
    normal, superradiant = (
        instanton(target, start, way.attrs["method"], n_thermal=way.attrs["n_thermal"], neighbour=way)
        for start, way in zip(STARTS, pair.ways, strict=True)
    )
    return _Pair(target, share, (normal, superradiant))


def _equalised(pair: _Pair) -> _Pair:
    """The point at the same g₋ at which both exponents are equal, by Newton's method in the share.

    Steps do not take more than half of what is left to either boundary, where one of the two paths shrinks to a point.
    """
    lowest, highest = bistable_range(pair.model, pair.model.g_minus)
    for _ in range(STEPS):
        if abs(pair.apart) < EQUAL * min(pair.actions):
            return pair
        share = pair.share - pair.apart / pair.change("g_plus") / (highest - lowest)
        share = min(max(share, pair.share / 2), (1 + pair.share) / 2)
        pair = _moved(pair, pair.model.g_minus, share)
    raise OrbitNotFoundError(f"the exponents still differ by {pair.apart:.1e} after {STEPS} steps of Newton's method")


def _walk(anchor: _Pair, asked: NDArray[np.float64], tip: float) -> tuple[list[_Pair], str]:
    """The points at these g₋, one after the other, and why there are no more.

    Times on a path grow as the distance from the tricritical point squared falls: there are stations on the way.
    """
    found: list[_Pair] = []
    last = anchor
    for wanted in asked.tolist():
        away, far = last.model.g_minus - tip, wanted - tip
        stations = math.ceil(abs(math.log(far / away)) / math.log(STRIDE))
        try:
            for place in range(1, stations + 1):
                g_minus = wanted if place == stations else tip + away * (far / away) ** (place / stations)
                last = _equalised(_moved(last, g_minus, last.share))
        except OrbitNotFoundError as problem:
            return found, f"g_minus = {wanted:g} was not reached, nor what lies beyond: {problem}"
        found.append(last)
    return found, ""


def _dataset(found: Sequence[_Pair], about: dict[str, object]) -> xr.Dataset:
    if not found:
        raise OrbitNotFoundError(f"no point of the line was found: {about['stopped']}")
    columns = {
        "g_plus": ([pair.model.g_plus for pair in found], "rate", "both states are left with the same exponent"),
        "action": ([sum(pair.actions) / 2 for pair in found], "1", "the common exponent S: rates fall as exp(-N S)"),
        "action_error": (
            [max(way.attrs["action_error"] for way in pair.ways) for pair in found],
            "1", "change of S when the nodes were doubled",
        ),
        "residual": ([pair.apart for pair in found], "1", "S out of the normal minus S out of the superradiant state"),
        "steepness": ([pair.change("g_plus") for pair in found], "1 / rate", "derivative of the residual by g_plus"),
        "share": ([pair.share for pair in found], "1", "0 on the saddle-node line, 1 on the pitchfork"),
    }  # fmt: skip
    data = {
        name: ("g_minus", np.array(values), {"units": units, "definition": text})
        for name, (values, units, text) in columns.items()
    }
    model = found[0].model
    rates = {name: getattr(model, name) for name in ("omega_a", "omega_c", "kappa")}
    conventions = "hbar = 1; kappa is the field decay rate (the photon number decays at 2 kappa)"
    coords = {"g_minus": ("g_minus", np.array([pair.model.g_minus for pair in found]), {"units": "rate"})}
    return xr.Dataset(data, coords, rates | about | {"conventions": conventions})
