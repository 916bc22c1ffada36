"""Signals: values, kinks, what is refused, and how models hold, store and name them."""

import dataclasses
import json
import time
from typing import Any

import numpy as np
import pytest

import opendicke as od
from opendicke import files, signals
from opendicke.description import describe, plain, restore
from opendicke.stored import open_study

RATES: dict[str, Any] = {"omega_a": 1.0, "omega_c": 2.0, "kappa": 0.5, "g_minus": 0.9, "g_plus": 0.9}
RAMP = od.Ramp((0.0, 2.0), (0.0, 1.0))
SAMPLES = od.Samples((0.0, 1.0, 2.0, 3.0, 4.0), (0.0, 1.0, 0.0, -1.0, 0.0))


def test_a_ramp_is_straight_lines_and_constant_outside() -> None:
    ramp = od.Ramp((1.0, 2.0, 4.0), (1.0, 3.0, -1.0))
    times = np.array([-1.0, 1.0, 1.5, 2.0, 3.0, 4.0, 9.0])
    np.testing.assert_allclose(ramp(times), np.interp(times, ramp.times, ramp.values), rtol=0, atol=1e-15)
    assert ramp(1.5) == 2.0
    assert ramp.kinks == (1.0, 2.0, 4.0)


@pytest.mark.parametrize("at", [0.0, 1.0, 2.0])
def test_a_repeated_time_is_a_step(at: float) -> None:
    """The first value before it, the second from it on; at the ends and in between."""
    times = tuple(sorted((0.0, 1.0, 2.0, at)))
    values = tuple(np.arange(4.0))
    ramp = od.Ramp(times, values)
    first = times.index(at)
    before, after = ramp(np.nextafter(at, -1.0)), ramp(at)
    np.testing.assert_allclose([before, after], values[first : first + 2], rtol=0, atol=1e-12)


def test_a_quench() -> None:
    np.testing.assert_array_equal(od.Ramp((5.0, 5.0), (1.0, 2.0))([0.0, 4.999, 5.0, 9.0]), [1, 1, 2, 2])


def test_a_sine_and_samples() -> None:
    times = np.linspace(0, 4, 50)
    sine = od.Sine(1.0, 0.5, frequency=3.0, phase=0.2)
    np.testing.assert_allclose(sine(times), 1 + 0.5 * np.sin(3 * times + 0.2), rtol=0, atol=1e-15)
    cubic = od.Samples(tuple(times), tuple(times**3 - times))
    inside = times[:-1] + 0.03
    np.testing.assert_allclose(cubic(inside), inside**3 - inside, rtol=0, atol=1e-11)
    np.testing.assert_allclose(cubic([-1.0, 9.0]), [0.0, 60.0], rtol=0, atol=1e-12)


def test_complex_values() -> None:
    ramp = od.Ramp((0.0, 1.0), (1.0, 1j))
    assert ramp(0.25) == 0.75 + 0.25j
    assert od.Samples((0.0, 1.0, 2.0, 3.0), (0j, 1j, 0j, 1j))(1.0) == 1j
    assert od.Sine(1j, 1.0, frequency=1.0)(0.0) == 1j


@pytest.mark.parametrize(
    ("signal", "low", "high"),
    [(od.Ramp((0.0, 1.0), (-2.0, 3.0)), -2.0, 3.0), (od.Sine(1.0, -0.5, frequency=1.0), 0.5, 1.5)],
)
def test_extremes(signal: Any, low: float, high: float) -> None:
    assert (signal.extremes().min(), signal.extremes().max()) == (low, high)
    assert signals.smallest(signal) == low
    assert signals.largest(signal) == max(abs(low), abs(high))


def test_extremes_of_samples_are_those_of_the_curve() -> None:
    """The spline overshoots its values."""
    fine = SAMPLES(np.linspace(0, 4, 4001))
    assert fine.max() > 1.0
    assert signals.smallest(SAMPLES) <= fine.min() + 1e-9
    np.testing.assert_allclose(signals.smallest(SAMPLES), fine.min(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: od.Ramp((0.0,), (1.0,)), "times"),
        (lambda: od.Ramp((1.0, 0.0), (1.0, 2.0)), "times"),
        (lambda: od.Ramp((0.0, 0.0, 0.0), (1.0, 2.0, 3.0)), "times"),
        (lambda: od.Ramp((0.0, np.inf), (1.0, 2.0)), "times"),
        (lambda: od.Ramp((0.0, 1.0), (1.0,)), "values"),
        (lambda: od.Ramp((0.0, 1.0), (1.0, np.nan)), "values"),
        (lambda: od.Ramp((0.0, 1.0), "ab"), "values"),
        (lambda: od.Ramp((0.0, 1.0), 3.0), "values"),
        (lambda: od.Samples((0.0, 1.0, 2.0), (0.0, 1.0, 2.0)), "times"),
        (lambda: od.Samples((0.0, 1.0, 1.0, 2.0), (0.0,) * 4), "times"),
        (lambda: od.Samples((-1e30, 0.0, 1.0, 1e30), (0.0, 0.0, 1.0, 0.0)), "times"),
        (lambda: od.Sine(0.0, 1.0, frequency=0.0), "frequency"),
        (lambda: od.Sine(0.0, 1.0, frequency=1j), "frequency"),
        (lambda: od.Sine(0.0, "1", frequency=1.0), "amplitude"),
        (lambda: od.DickeModel(n_atoms=2, **RATES | {"kappa": od.Ramp((0.0, 1.0), (0.1, -0.1))}), "kappa"),
        (lambda: od.DickeModel(n_atoms=2, **RATES | {"kappa": SAMPLES}), "kappa"),
        (lambda: od.DickeModel(n_atoms=2, **RATES, n_thermal=od.Sine(0.1, 0.2, frequency=1.0)), "n_thermal"),
        (lambda: od.DickeModel(n_atoms=2, **RATES, n_thermal=-0.1), "n_thermal"),
        (lambda: od.DickeModel(n_atoms=2, **RATES | {"omega_a": od.Ramp((0.0, 1.0), (0.0, 1j))}), "omega_a"),
        (lambda: od.DickeModel(n_atoms=2, **RATES | {"omega_a": np.sin}), "omega_a"),
        (lambda: od.DickeModel(n_atoms=2, **RATES, drive="1"), "drive"),
        (lambda: od.DickeModel(n_atoms=RAMP, **RATES), "n_atoms"),
    ],
)
def test_what_is_refused(make: Any, name: str) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"^{name}: expected"):
        make()


MOVING = od.DickeModel(
    n_atoms=3, omega_a=RAMP, omega_c=SAMPLES, kappa=od.Sine(1.0, 0.2, frequency=3.0), g_minus=0.4, g_plus=RAMP,
    n_thermal=od.Ramp((0.0, 0.0), (0.0, 1.0)), drive=od.Ramp((0.0, 1.0), (0.0, 1j)), atom_drive=0.3j,
)  # fmt: skip


def test_models_are_written_and_read() -> None:
    """All kinds, real and complex, by way of JSON."""
    assert restore(od.DickeModel, json.loads(MOVING.json())) == MOVING
    assert hash(MOVING) == hash(restore(od.DickeModel, json.loads(json.dumps(plain(MOVING)))))


def test_the_everyday_model_is_described_as_it_was() -> None:
    model = od.DickeModel(n_atoms=2, **RATES)
    assert describe(model) == {"n_atoms": 2, **RATES}
    assert model.json() == json.dumps({"n_atoms": 2, **RATES})
    assert model.is_everyday
    for more in ({"drive": 0.1}, {"n_thermal": 0.1}, {"atom_drive": 1j}, {"g_plus": RAMP}):
        assert not model.replace(**more).is_everyday


def test_constructors_take_signals_and_scale_them() -> None:
    common = {"n_atoms": 2, "omega_a": 1.0, "omega_c": 1.0, "kappa": 1.0, "drive": 0.1}
    for signal in (RAMP, SAMPLES, od.Sine(1.0, 0.5, frequency=2.0)):
        model = od.DickeModel.balanced(**common, coupling=signal)
        assert model.is_balanced
        assert model.drive == 0.1
        np.testing.assert_allclose(model.g_minus(1.3), signal(1.3) / 2, rtol=0, atol=1e-15)
        assert od.DickeModel.tavis_cummings(**common, coupling=signal).g_minus == signal


@pytest.mark.parametrize("attribute", ["coupling", "critical_coupling"])
def test_what_needs_constants_says_so(attribute: str) -> None:
    with pytest.raises(TypeError, match="expected a constant here"):
        getattr(MOVING, attribute)


@pytest.mark.parametrize("more", [{"drive": 0.1}, {"n_thermal": 0.1}, {"atom_drive": 0.1}, {"g_plus": RAMP}])
def test_methods_and_analyses_that_do_not_take_it_say_so(more: dict[str, Any]) -> None:
    model = od.DickeModel(n_atoms=2, **RATES).replace(**more)
    name = next(iter(more))
    for method in (od.HOPS(1), od.Cumulants()):
        limits = method.limits(model)
        assert not limits.possible
        assert "NuHOPS" in limits.reason
        with pytest.raises((ValueError, TypeError), match=rf"^{name}: expected (a constant|0) \(for"):
            od.solve(model, od.Normal(), [0.0, 1.0], method)
    analysis = od.analysis
    for call in (analysis.fixed_points, analysis.phase, analysis.steady_state,
                 analysis.tunnelling.Landscape.of):  # fmt: skip
        with pytest.raises((ValueError, TypeError), match=rf"^{name}: expected (a constant|0) \(for"):
            call(model)


def test_a_store_keeps_a_study_of_a_moving_model(tmp_path: Any) -> None:
    method = od.NuHOPS(3, seed=1)
    first = od.solve(MOVING, od.Normal(), [0.0, 1.0], method, store=tmp_path)
    again = open_study(tmp_path, od.Store(tmp_path).studies()[0].key)
    np.testing.assert_array_equal(first.Sz, again.Sz)
    assert od.DickeModel.of(again) == MOVING


def test_a_sweep_over_thermal_photons() -> None:
    model = od.DickeModel(n_atoms=2, **RATES)
    answer = od.sweep(model, {"n_thermal": [0.0, 0.5]}, od.Normal(), [0.0, 2.0], od.NuHOPS(20, seed=1), ["n_photon"])
    assert od.DickeModel.of(answer.isel(n_thermal=1)).n_thermal == 0.5
    assert od.DickeModel.of(answer.isel(n_thermal=0)) == model


def test_equal_signals_have_one_key() -> None:
    """However their numbers are written: real or complex, 0 or −0."""
    pairs = [
        (od.Ramp((0.0, 1.0), (0.0, 1.0)), od.Ramp((-0.0, 1.0), (-0j, 1 + 0j))),
        (od.Sine(0.0, 0.3j, frequency=2.0), od.Sine(0j, 0.3j, frequency=2.0)),
        (SAMPLES, od.Samples(np.array(SAMPLES.times), np.array(SAMPLES.values, dtype=complex))),
    ]
    for one, other in pairs:
        first, second = (od.DickeModel(n_atoms=2, **RATES, drive=signal) for signal in (one, other))
        assert first == second
        assert first.json() == second.json()


def test_values_that_are_complex_by_type_only_are_real() -> None:
    assert od.DickeModel(n_atoms=2, **RATES).replace(kappa=od.Ramp((0.0, 1.0), (1 + 0j, 2 + 0j))).kappa(0.5) == 1.5


@pytest.mark.parametrize("method", [od.NuHOPS(4, seed=1), od.TruncatedWigner(4, seed=1), od.Lindblad(), od.MeanField()])
def test_a_kink_as_good_as_at_the_start(method: Any) -> None:
    """Steps that end there would be too short to divide by."""
    model = od.DickeModel(n_atoms=2, **RATES).replace(g_minus=od.Ramp((0.0, 1e-140, 1.0), (0.1, 0.5, 0.8)))
    plain = model.replace(g_minus=od.Ramp((0.0, 1.0), (0.5, 0.8)))
    there, expected = (od.solve(one, od.Normal(), [0.0, 1.0], method, ["n_photon"]) for one in (model, plain))
    np.testing.assert_allclose(there.n_photon, expected.n_photon, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("kind", [od.Ramp, od.Samples])
def test_times_that_are_too_close_are_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"^times: expected times at least 1e-150 apart"):
        kind((0.0, 1e-200, 1.0, 2.0), (0.0, 1.0, 2.0, 3.0))


def test_many_points_are_evaluated_quickly() -> None:
    """One value of 10⁵ points costs what a search costs: their arrays are made once."""
    times = np.linspace(0.0, 1.0, 10**5)
    for kind in (od.Ramp, od.Samples):
        signal = kind(times, times**2)
        signal(0.5)
        began = time.process_time()
        for _ in range(100):
            signal(0.5)
        assert time.process_time() - began < 0.1  # 0.005 s; 0.9 s if they were made every time


def test_a_coupling_may_become_a_signal() -> None:
    model = od.DickeModel(n_atoms=2, **RATES).replace(g_minus=0.3, g_plus=0.1)
    moving = model.replace(coupling=od.Ramp((0.0, 1.0), (0.0, 0.8)))
    np.testing.assert_allclose([moving.g_minus(0.5), moving.g_plus(0.5)], [0.3, 0.1], rtol=1e-14)
    assert model.replace(g_plus=0.0).replace(coupling=RAMP).moving == ("g_minus",)
    with pytest.raises(TypeError, match=r"^g_minus: expected a constant here, .* It moves in time"):
        moving.replace(coupling=1.0)


@pytest.mark.parametrize("name", ["drive", "atom_drive", "g_minus"])
def test_a_function_is_pointed_to_signals(name: str) -> None:
    with pytest.raises(TypeError, match=r"A function cannot be stored: pass a number, or an opendicke\.Ramp"):
        od.DickeModel(n_atoms=2, **RATES).replace(**{name: np.sin})


def test_a_sweep_of_signals_has_its_models(tmp_path: Any) -> None:
    """Where a parameter moves at all points or at some, by way of a file."""
    start = od.DickeModel(n_atoms=2, **RATES)

    def at(duration: float) -> od.DickeModel:
        ramp = od.Ramp((0.0, duration), (0.0, 1.0)) if duration else 0.0
        return start.replace(g_minus=ramp, drive=od.Sine(0.0, 0.1j * duration, frequency=1.0))

    answer = od.sweep(at, {"duration": [0.0, 1.0, 2.0]}, od.Normal(), [0.0, 1.0], od.NuHOPS(3, seed=1), ["Sz"])
    files.save(answer, tmp_path / "sweep.nc")
    again = files.load(tmp_path / "sweep.nc")
    assert again.identical(answer)
    for duration in (0.0, 1.0, 2.0):
        assert od.DickeModel.of(again.sel(duration=duration)) == at(duration)
    with pytest.raises(ValueError, match="expected an answer with a single g_minus, got 'a sweep over duration'"):
        od.DickeModel.of(again)


@pytest.mark.parametrize("values", [[RAMP, RAMP], [0.1, 0.2j]])
def test_an_axis_of_signals_or_complex_numbers_is_pointed_to_a_function(values: list[Any]) -> None:
    with pytest.raises(TypeError, match="sweep a function from real numbers to a model"):
        od.sweep(od.DickeModel(n_atoms=2, **RATES), {"drive": values}, od.Normal(), [0.0, 1.0], od.MeanField())


PULSE_TIMES = np.linspace(0.0, 10.0, 101)
TOUCHING = (
    od.Sine(0.3, 0.1 + 0.2, frequency=1.0),
    od.Samples(PULSE_TIMES, np.exp(-4 * (PULSE_TIMES - 5) ** 2)),
)


@pytest.mark.parametrize("name", ["kappa", "n_thermal"])
@pytest.mark.parametrize("signal", TOUCHING)
def test_a_rate_may_touch_zero(signal: Any, name: str) -> None:
    """Rounding takes both of these below 0; all methods take that for 0."""
    model = od.DickeModel(n_atoms=2, **RATES).replace(n_thermal=0.1).replace(**{name: signal})
    assert signals.smallest(signal) < 0
    for method in (od.NuHOPS(4, seed=1), od.TruncatedWigner(4, seed=1), od.Lindblad(), od.MeanField()):
        answer = od.solve(model, od.Normal(), [0.0, 2.0, 6.0], method, ["n_photon", "Sz"])
        assert np.isfinite(answer.n_photon).all()


def test_a_spline_that_swings_below_zero_is_explained() -> None:
    swinging = od.Samples(PULSE_TIMES, np.clip(PULSE_TIMES - 5, 0.0, 1.0))
    with pytest.raises(ValueError, match=r"^n_thermal: expected a signal that is nowhere below 0, .* or use a Ramp\."):
        od.DickeModel(n_atoms=2, **RATES).replace(n_thermal=swinging)


@pytest.mark.parametrize("name", [item.name for item in dataclasses.fields(od.DickeModel)][1:])
@pytest.mark.parametrize("method", [od.NuHOPS(4, seed=1), od.TruncatedWigner(4, seed=1), od.Lindblad(), od.MeanField()])
def test_each_parameter_may_start_from_zero(method: Any, name: str) -> None:
    """Where nothing turns, is damped or coupled, no formula may ask for the number that is not there."""
    bath = {"n_thermal": 1.0} if name == "squeezing" else {}
    model = od.DickeModel(n_atoms=2, **RATES).replace(**bath, **{name: RAMP})
    answer = od.solve(model, od.Normal(), [0.0, 1.0], method, ["n_photon", "Sz"])
    assert np.isfinite(answer.Sz).all()
    assert od.DickeModel.of(answer) == model
    assert method.limits(model).possible


def test_a_loss_that_starts_from_zero_warns_as_a_faint_one() -> None:
    """101 atoms: faint parts are not kept, and nothing is forgotten in the first moments."""
    model = od.DickeModel.tavis_cummings(n_atoms=101, omega_a=1.0, omega_c=1.0, kappa=1e-6, coupling=1.0)
    method, start = od.NuHOPS(16, seed=1), od.Inverted()
    for kappa, told in ((1e-6, "kappa = 1e-06 with"), (od.Ramp((0.0, 100.0), (0.0, 0.1)), "kappa = 0 with")):
        with pytest.warns(od.WeakDampingWarning, match=told):
            od.solve(model.replace(kappa=kappa), start, [3.0], method, ["n_photon"])


@pytest.mark.parametrize("more", [{"drive": 1e29}, {"n_thermal": 1e29}, {"atom_drive": 1e29}])
def test_fields_in_which_spins_turn_for_ever_are_refused(more: dict[str, Any]) -> None:
    model = od.DickeModel(n_atoms=2, **RATES).replace(**more)
    for method in (od.NuHOPS(1, seed=1), od.TruncatedWigner(1, seed=1)):
        with pytest.raises(ValueError, match=r"^times(, step)?: expected"):
            od.solve(model, od.Normal(), [2.0], method)
