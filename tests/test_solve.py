"""The front door: what it accepts, what it refuses and how, and what it hands back."""

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.observables.catalogue import VARIABLES

MODEL = od.DickeModel(n_atoms=3, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.1, g_plus=0.7)
STATE = od.SpinCoherent(1.0, 0.5, alpha=0.3 - 0.2j)
METHOD = od.NuHOPS(4, seed=1)


# Arguments


@pytest.mark.parametrize(
    ("times", "error", "text"),
    [
        ([], ValueError, "non-empty"),
        ([[0.0, 1.0]], ValueError, "one-dimensional"),
        ([0.0, np.nan], ValueError, r"times\[1\] = nan"),
        ([0.0, np.inf], ValueError, r"times\[1\] = inf"),
        ([-1.0, 1.0], ValueError, "first value >= 0"),
        ([0.0, 2.0, 1.0], ValueError, r"times\[1\] = 2\.0, times\[2\] = 1\.0.*Sort"),
        ([0.0, 1.0, 1.0], ValueError, "strictly increasing"),
        ("soon", TypeError, "a sequence of real numbers"),
        ([1j], TypeError, "a sequence of real numbers"),
        (None, TypeError, "a sequence of real numbers"),
        (10, ValueError, r"got 10\. Pass a sequence, e\.g\. \[10\.0\] or np\.linspace"),
        (np.float32(0.5), ValueError, "Pass a sequence"),
        (["1"], TypeError, "a sequence of real numbers"),
        ([True, 2.0], TypeError, "a sequence of real numbers"),
        (np.array([1j]), TypeError, "a sequence of real numbers"),
        (np.array(["2020-01-01"], "datetime64[D]"), TypeError, "a sequence of real numbers"),
        (np.array([1, 2], "timedelta64[s]"), TypeError, "a sequence of real numbers"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), ValueError, "numbers without a mask"),
        ([0.0, 1e-320], ValueError, "intervals of 0 or at least 1e-150"),
        ([1e-320, 1.0], ValueError, "intervals of 0 or at least 1e-150"),
        ([10**400], ValueError, r"times\[0\] = inf"),
        ([1e31], ValueError, r"values up to 1e\+30"),
    ],
)
def test_bad_times_are_refused(times: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^times: expected .*{text}"):
        od.solve(MODEL, STATE, times, METHOD)


@pytest.mark.parametrize(
    "times", [[0.5], (0.5,), np.array([0.5]), np.float32([0.5]), range(1, 2), [Fraction(1, 2)], np.ma.array([0.5])]
)
def test_times_may_come_in_any_container(times: Any) -> None:
    assert od.solve(MODEL, STATE, times, METHOD).sizes["time"] == 1


def test_the_callers_times_are_not_touched() -> None:
    times = np.array([0.0, 1.0])
    result = od.solve(MODEL, STATE, times, METHOD)
    times[1] = 5.0
    assert result.time[1] == 1.0


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (({"n_atoms": 3}, STATE, [1.0], METHOD), "model"),
        ((od.DickeModel, STATE, [1.0], METHOD), "model"),
        ((MODEL, (1.0, 0.5), [1.0], METHOD), "state"),
        ((MODEL, od.Normal, [1.0], METHOD), "state"),
        ((MODEL, STATE, [1.0], "nuhops"), "method"),
        ((MODEL, STATE, [1.0], od.NuHOPS), "method"),
        ((MODEL, STATE, [1.0], MODEL), "method"),
        ((MODEL, STATE, [1.0], None), "method"),
        ((MODEL, STATE, [1.0], METHOD, 1), "observables"),
        ((MODEL, STATE, [1.0], METHOD, [MODEL]), "observables"),
        ((MODEL, STATE, [1.0], METHOD, [MODEL.to_qutip(2)[0]]), "observables"),
    ],
)
def test_arguments_of_the_wrong_kind_are_refused_by_name(arguments: Any, name: str) -> None:
    with pytest.raises(TypeError, match=f"^{name}: expected"):
        od.solve(*arguments)


def test_a_method_class_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match="Pass an instance, with its options in the parentheses"):
        od.solve(MODEL, STATE, [1.0], od.MeanField)  # type: ignore[arg-type]


@pytest.mark.parametrize(("store", "error"), [("", ValueError), (5, TypeError), (b"here", TypeError), ([], TypeError)])
def test_a_store_is_a_folder(store: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^store: expected a folder, got"):
        od.solve(MODEL, STATE, [1.0], METHOD, store=store)
    with pytest.raises(error, match=r"^root: expected a folder, got"):
        od.Store(store)


def test_a_misspelt_argument_is_refused() -> None:
    with pytest.raises(TypeError, match="observable"):
        od.solve(MODEL, STATE, [1.0], METHOD, observable="Sx")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("observables", "text"),
    [(["Sx", "sz"], "got 'sz'"), ("photons", "got 'photons'"), ([], "at least one"), (["Sx", "Sx"], "each once")],
)
def test_unknown_and_repeated_observables_are_refused(observables: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"^observables: expected .*{text}"):
        od.solve(MODEL, STATE, [1.0], METHOD, observables)


# The answer


@pytest.mark.parametrize("method", [METHOD, od.Lindblad(), od.MeanField()], ids=lambda method: type(method).__name__)
def test_every_variable_with_dimension_units_and_definition(method: Any) -> None:
    result = od.solve(MODEL, STATE, [0.0, 1.0], method)
    assert isinstance(result, xr.Dataset)
    for name, variable in VARIABLES.items():
        assert result[name].dims == ("time",)
        assert result[name].dtype == variable.dtype
        assert result[name].attrs["definition"] == variable.definition
        assert result[name].attrs["units"] == "1"
    assert "units" in result.time.attrs
    assert result.attrs["method"] == type(method).__name__
    assert result.attrs["wall_time_s"] > 0


def test_only_what_was_asked_for() -> None:
    result = od.solve(MODEL, STATE, [0.0, 1.0], METHOD, ["a", "Sz"])
    assert {name for name in result.data_vars if "time" in result[name].dims and "batch" not in result[name].dims} == {
        "a", "a_sem", "Sz", "Sz_sem",
    }  # fmt: skip
    every = od.solve(MODEL, STATE, [0.0, 1.0], METHOD)
    np.testing.assert_array_equal(result.a, every.a)
    assert "Sx" in od.solve(MODEL, STATE, [1.0], METHOD, "Sx")


def test_standard_errors_say_what_they_are() -> None:
    result = od.solve(MODEL, STATE, [1.0], METHOD)
    assert result.Sx_sem.attrs["definition"] == "standard error of the mean of Sx"
    assert "imaginary part: of Im" in result.a_sem.attrs["definition"]
    assert result.a_sem.dtype == complex
    one = od.solve(MODEL, STATE, [1.0], od.NuHOPS(1))
    assert np.isnan(one.Sx_sem).all()


def test_a_result_can_be_run_again_from_its_attrs() -> None:
    """Model, state, method and options are all there, as plain numbers and strings, bit for bit."""
    method = od.NuHOPS(5, seed=7, tol=3e-4, keep_states=(1.0,))
    result = od.solve(MODEL, STATE, [0.3, 1.0], method)
    attrs = result.attrs
    state = json.loads(attrs["state"])
    model = od.DickeModel(**json.loads(attrs["model"]))
    again = od.solve(
        model,
        od.SpinCoherent(state["theta"], state["phi"], complex(*state["alpha"])),
        result.time.values,
        getattr(od, attrs["method"])(**json.loads(attrs["method_options"])),
    )
    for name in result.data_vars:
        np.testing.assert_array_equal(again[name], result[name])
    assert all(isinstance(value, str | int | float) for value in attrs.values())
    assert {"opendicke", "numpy", "numba", "python"} <= set(json.loads(attrs["versions"]))
    assert attrs["trajectories"] == 5
    assert json.loads(attrs["failed_trajectories"]) == []
    for name in ("largest_states", "largest_levels", "right_hand_sides", "noise_step"):
        assert attrs[name] > 0


class Meter:
    """A progress meter that remembers what it was told."""

    def __init__(self) -> None:
        self.total, self.done, self.closed = 0, 0, False

    def start(self, total: int, unit: str, label: str) -> None:
        self.total = total

    def advance(self, amount: int, **notes: Any) -> None:
        self.done += amount

    def close(self) -> None:
        self.closed = True


def test_a_meter_is_told_everything_and_closed() -> None:
    meter = Meter()
    od.solve(MODEL, STATE, [1.0], od.NuHOPS(37), progress=meter)
    assert (meter.total, meter.done, meter.closed) == (37, 37, True)


def test_a_meter_is_closed_when_something_goes_wrong() -> None:
    meter = Meter()
    with pytest.raises(ValueError, match="keep_states"):
        od.solve(MODEL, STATE, [1.0], od.NuHOPS(3, keep_states=(2.0,)), progress=meter)
    assert meter.closed


def test_a_bar_only_if_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    od.solve(MODEL, STATE, [1.0], METHOD)
    assert capsys.readouterr().err == ""
    od.solve(MODEL, STATE, [1.0], METHOD, progress=True)
    assert "trajectories: 100%" in capsys.readouterr().err
