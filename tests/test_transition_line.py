"""The line of the transition against the cut's crossing, instantons from scratch, symmetries and Landau's theory."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.analysis import phase, tricritical_point
from opendicke.analysis.tunnelling import BISTABLE_CUT, instanton, transition_line
from opendicke.plots.phases import transition_curve
from opendicke.tunnelling.transition import action_derivative, bistable_range

PLANE = BISTABLE_CUT.model(0.0, n_atoms=1)
DATA = Path(__file__).parents[1] / "docs" / "data"
#: s at which both exponents are equal on the cut, by bisection with instantons from scratch.
CROSSING = json.loads((DATA / "instantons.json").read_text())["s_c"]


def apart(model: od.DickeModel) -> float:
    normal, superradiant = (instanton(model, start).action.item() for start in ("normal", "superradiant"))  # type: ignore[arg-type]
    return float(normal - superradiant)


@pytest.fixture(scope="module")
def line() -> xr.Dataset:
    """Its second point is on the cut."""
    return transition_line(PLANE, [1.75, BISTABLE_CUT.model(CROSSING["exact"], 1).g_minus])


@pytest.mark.parametrize("method", ["exact", "truncated_wigner"])
def test_it_goes_through_the_crossing_on_the_cut(line: xr.Dataset, method: str) -> None:
    """To 1e-4 in s; the two crossings are 5.7e-4 apart."""
    there = BISTABLE_CUT.model(CROSSING[method], 1)
    found = line if method == "exact" else transition_line(PLANE, [there.g_minus], "truncated_wigner")
    error = 1e-4 * abs(BISTABLE_CUT.direction[1])
    assert found.g_plus.values[-1] == pytest.approx(there.g_plus, abs=error, rel=0)
    assert found.attrs["stopped"] == ""
    assert (abs(found.residual) < 1e-6 * found.action).all()


def test_the_derivatives_are_those_of_the_action(line: xr.Dataset) -> None:
    """Central differences, whose error goes with the third derivative: 1e-6."""
    model = PLANE.replace(g_minus=1.75, g_plus=float(line.g_plus[0]))
    for coupling, start in (("g_plus", "normal"), ("g_minus", "superradiant")):
        here = instanton(model, start)  # type: ignore[arg-type]
        value, h = getattr(model, coupling), 1e-3
        ahead, behind = (
            instanton(model.replace(**{coupling: value + step}), start, neighbour=here).action.item()  # type: ignore[arg-type]
            for step in (h, -h)
        )
        assert action_derivative(here, coupling) == pytest.approx((ahead - behind) / (2 * h), rel=1e-4)


def test_elsewhere_exponents_from_scratch_are_equal_there_and_nowhere_near() -> None:
    """ω_c = 2, κ = 0.5; 1e-3 to the side they differ by the steepness times that."""
    plane = od.DickeModel(n_atoms=1, omega_a=1, omega_c=2, kappa=0.5, g_minus=0, g_plus=0)
    found = transition_line(plane, [2.0])
    for step in (0.0, 1e-3):
        there = plane.replace(g_minus=2.0, g_plus=found.g_plus.item() + step)
        expected = found.steepness.item() * step
        assert apart(there) == pytest.approx(expected, abs=1e-5 * found.action.item() + 0.02 * abs(expected))


def test_symmetries(line: xr.Dataset) -> None:
    """a → ia, S⁻ → iS⁻ changes the sign of g₊ alone; rates in other units scale the line and leave S as it is."""
    assert abs(apart(PLANE.replace(g_minus=1.75, g_plus=-line.g_plus[0].item()))) < 1e-5 * line.action[0]
    double = od.DickeModel(n_atoms=1, omega_a=2, omega_c=2, kappa=2, g_minus=0, g_plus=0)
    scaled = transition_line(double, [3.5])
    assert scaled.g_plus.item() == pytest.approx(2 * line.g_plus[0].item(), rel=1e-6)
    assert scaled.action.item() == pytest.approx(line.action[0].item(), rel=1e-5)


def test_stored_line_is_this_one_and_begins_as_landau_says(line: xr.Dataset) -> None:
    """Next to the tricritical point S goes with the third power of the distance, as the barrier of the sixth-order
    potential r x²/2 − u x⁴/4 + w x⁶/6, whose minima are level at r = 3u²/16w: a quarter of the way from where the
    outer ones appear (u²/4w) to where the inner one ends (0).
    """
    stored = json.loads((DATA / "transition_line.json").read_text())["lines"]["exact"]
    place = stored["g_minus"].index(1.75)
    assert stored["g_plus"][place] == pytest.approx(line.g_plus[0].item(), abs=1e-6)
    away = np.array(stored["g_minus"][:4]) - tricritical_point(PLANE)[0]
    powers = np.diff(np.log(stored["action"][:4])) / np.diff(np.log(away))
    assert (np.diff(powers) < 0).all()
    limit = np.polyfit(away, stored["share"][:4], 3)[-1]
    assert limit == pytest.approx(0.25, abs=0.002)
    middle = np.sqrt(away[1:] * away[:-1])
    assert np.polyfit(middle, powers, 2)[-1] == pytest.approx(3, abs=0.05)


def test_the_range_is_that_of_the_bistable_phase() -> None:
    for rates in ({}, {"omega_c": 2.0, "kappa": 0.3}, {"omega_a": 3.0}):
        plane = PLANE.replace(**rates)
        g_minus = 1.3 * tricritical_point(plane)[0]
        for edge, inside in zip(bistable_range(plane, g_minus), (1e-6, -1e-6), strict=True):
            there = (phase(plane.replace(g_minus=g_minus, g_plus=edge + step)) for step in (inside, -inside))
            assert [name == "bistable" for name in there] == [True, False]


def test_the_curve_that_is_drawn_is_the_line() -> None:
    """Through every second point; it is then as close to those in between as the share is smooth."""
    stored = json.loads((DATA / "transition_line.json").read_text())["lines"]["exact"]
    attrs = {"tricritical": list(tricritical_point(PLANE)), "omega_a": 1.0, "omega_c": 1.0, "kappa": 1.0}
    half = xr.Dataset({"share": ("g_minus", stored["share"][::2])}, {"g_minus": stored["g_minus"][::2]}, attrs)
    g_minus, g_plus = transition_curve(half)
    assert (g_minus[0], g_plus[0]) == tricritical_point(PLANE)
    error = np.interp(stored["g_minus"], g_minus, g_plus) - stored["g_plus"]
    assert abs(error).max() < 2e-4


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"omega_a, omega_c: expected omega_a \* omega_c > 0"):
        transition_line(PLANE.replace(omega_c=-1.0), [1.8])
    with pytest.raises(ValueError, match="kappa: expected a number > 0"):
        transition_line(PLANE.replace(kappa=0.0), [1.8])
    for wrong in ([1.3], [1.8, 1.7]):
        with pytest.raises(ValueError, match=r"g_minus: expected increasing numbers, all beyond 1\.30656"):
            transition_line(PLANE, wrong)
    with pytest.raises(ValueError, match="method: expected"):
        transition_line(PLANE, [1.8], "mean_field")  # type: ignore[arg-type]
