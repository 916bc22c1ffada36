"""Methods side by side: numbers, refusals, errors, pictures; and what each method is worth against exact ones."""

import json
import time
import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import opendicke as od
from opendicke.analysis import covariances, interval
from opendicke.comparison import normal_errors, summary, welch
from opendicke.description import restore
from opendicke.plots.compare import curves, deviations

FIG1 = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.257432169523594)
TILTED = od.SpinCoherent(np.pi / 4, np.pi)
TIMES = np.array([1.0, 2.0, 5.0])
METHODS = {
    "mean field": od.MeanField(),
    "too small": od.Lindblad(photons=2),
    "exact": od.Lindblad(),
    "nuHOPS": od.NuHOPS(trajectories=100, seed=3),
    "HOPS": od.HOPS(trajectories=100, seed=4),
}


@pytest.fixture(scope="module")
def table() -> xr.Dataset:
    return od.compare(FIG1, TILTED, TIMES, METHODS, ["Sz", "a"], executor=od.Serial(), progress=False)


def test_the_numbers_are_those_of_solve(table: xr.Dataset) -> None:
    assert table.attrs["reference"] == "exact"
    assert table.solver.values.tolist() == list(METHODS)
    exact = od.solve(FIG1, TILTED, TIMES, METHODS["exact"])
    sampled = od.solve(FIG1, TILTED, TIMES, METHODS["nuHOPS"], executor=od.Serial())
    for name in ("Sz", "a"):
        row = table[name].sel(solver="nuHOPS").values
        np.testing.assert_array_equal(row, sampled[name])
        np.testing.assert_array_equal(table[f"{name}_sem"].sel(solver="nuHOPS"), sampled[f"{name}_sem"])
        np.testing.assert_array_equal(table[f"{name}_difference"].sel(solver="nuHOPS"), row - exact[name].values)
    z = table.a_z.sel(solver="nuHOPS").values
    np.testing.assert_allclose(z.imag, (sampled.a - exact.a).values.imag / sampled.a_sem.values.imag, rtol=1e-12)
    assert (table.Sz_difference.sel(solver="exact") == 0).all()
    assert np.isnan(table.Sz_z.sel(solver=["exact", "mean field"])).all()  # no statistical error in either


def test_exact_methods_agree_and_mean_field_does_not(table: xr.Dataset) -> None:
    """Eighteen numbers beyond 4.5 standard errors: false alarm 1e-4."""
    sampled = table.sel(solver=["nuHOPS", "HOPS"])
    worst = max(float(abs(z).max()) for z in (sampled.Sz_z, sampled.a_z.real, sampled.a_z.imag))
    assert worst < 4.5
    error = table.Sz_sem.sel(solver="nuHOPS")
    assert (abs(table.Sz_difference.sel(solver="mean field")) > 4.5 * error).any()


def test_a_refusal_is_reported_and_the_others_go_on(table: xr.Dataset) -> None:
    assert "photons: expected" in str(table.refusal.sel(solver="too small").item())
    assert np.isnan(table.Sz.sel(solver="too small")).all()
    assert np.isnan(table.a_difference.sel(solver="too small").values.imag).all()
    assert table.refusal.drop_sel(solver="too small").values.tolist() == [""] * 4
    assert table.exact.values.tolist() == [False, True, True, True, True]
    assert (table.wall_time_s > 0).all()
    assert "photons=2" in str(table.options.sel(solver="too small").item())


def test_two_sampled_methods_share_the_error() -> None:
    methods = [od.NuHOPS(trajectories=30, seed=1), od.NuHOPS(trajectories=30, seed=2)]
    began = time.perf_counter()
    table = od.compare(FIG1, TILTED, TIMES, methods, "Sz", executor=od.Serial())
    assert 0 < float(table.wall_time_s.sum()) < time.perf_counter() - began
    assert table.solver.values.tolist() == ["NuHOPS", "NuHOPS 2"]
    both = np.hypot(*table.Sz_sem.values)
    np.testing.assert_allclose(table.Sz_z.sel(solver="NuHOPS 2"), np.diff(table.Sz, axis=0)[0] / both, rtol=1e-12)


def test_a_row_is_selected_by_name(table: xr.Dataset) -> None:
    assert table.sel(solver="exact").Sz.dims == ("time",)
    with pytest.raises(KeyError):
        table.sel(solver="inexact")


def test_a_method_without_finite_numbers_has_a_verdict(table: xr.Dataset) -> None:
    empty = table.copy(deep=True)
    for name in ("Sz", "a"):
        empty[f"{name}_difference"][0] = complex(np.nan, np.nan) if name == "a" else np.nan
    assert summary(empty)[0]["verdict"] == "approximate: no finite numbers to compare"


def test_without_an_exact_method_there_is_no_difference() -> None:
    table = od.compare(FIG1, TILTED, TIMES, [od.MeanField(), od.MeanField(rtol=1e-6)], ["Sz"])
    assert table.attrs["reference"] == ""
    assert table.solver.values.tolist() == ["MeanField", "MeanField 2"]
    assert np.isnan(table.Sz_difference).all()
    assert np.isfinite(table.Sz).all()


@pytest.mark.parametrize(
    ("methods", "error", "message"),
    [
        ([], ValueError, "at least one method"),
        (5, TypeError, "methods: expected"),
        ("MeanField", TypeError, "methods: expected"),
        ({1: od.MeanField()}, TypeError, "methods: expected names"),
        ([od.MeanField], TypeError, r"methods\['type'\]: expected"),
        ({"mine": "mean field"}, TypeError, r"methods\['mine'\]: expected"),
    ],
)
def test_bad_methods(methods: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        od.compare(FIG1, TILTED, TIMES, methods)


def test_bad_arguments_are_not_taken_for_refusals() -> None:
    with pytest.raises(ValueError, match="observables"):
        od.compare(FIG1, TILTED, TIMES, [od.MeanField()], ["S7"])
    with pytest.raises(TypeError, match="model"):
        od.compare("dicke", TILTED, TIMES, [od.MeanField()])  # type: ignore[arg-type]


def test_it_can_be_written_to_a_file(table: xr.Dataset, tmp_path: Any) -> None:
    real = table.drop_vars([name for name in table.data_vars if np.iscomplexobj(table[name])])
    real.to_netcdf(tmp_path / "table.nc")
    with xr.open_dataset(tmp_path / "table.nc") as read:
        assert read.refusal.values.tolist() == table.refusal.values.tolist()


def test_pictures(table: xr.Dataset) -> None:
    upper, lower = Figure().subplots(2)
    curves(table, "Sz", upper)
    assert [line.get_label() for line in upper.lines] == ["mean field", "exact", "nuHOPS", "HOPS"]
    np.testing.assert_array_equal(upper.lines[1].get_ydata(), table.Sz.sel(solver="exact"))
    assert len(upper.collections) == 2  # bands of the two sampled methods
    deviations(table, "a", lower, part="imag")
    drawn = {line.get_label(): line.get_ydata() for line in lower.lines}
    assert list(drawn) == ["nuHOPS", "HOPS"]
    np.testing.assert_array_equal(drawn["HOPS"], table.a_z.sel(solver="HOPS").values.imag)
    with pytest.raises(ValueError, match="name: expected"):
        curves(table, "S7", upper)
    with pytest.raises(ValueError, match="part: expected"):
        curves(table, "a", upper, part="both")


def mean_field_error(n_atoms: int, time: float) -> float:
    """Length of the error of <S>/N."""
    model, axes = FIG1.replace(n_atoms=n_atoms), ("Sx", "Sy", "Sz")
    table = od.compare(model, TILTED, [time], [od.Lindblad(), od.MeanField()], axes)
    parts = [table[f"{axis}_difference"].sel(solver="MeanField").item() for axis in axes]
    return float(np.linalg.norm(parts)) / n_atoms


def test_mean_field_is_off_by_one_over_n() -> None:
    """Early on; later it takes larger N to see the power."""
    exponent = np.log2(mean_field_error(12, 0.5) / mean_field_error(6, 0.5))
    assert -1.05 < exponent < -0.95


def test_second_order_cumulants_miss_the_correlation_of_a_split_state() -> None:
    """N = 100. Four numbers within 4.5 standard errors at t = 1: false alarm 3e-5; at t = 10 all are beyond."""
    model, times = FIG1.replace(n_atoms=100), np.array([1.0, 10.0])
    sampled = od.solve(model, TILTED, times, od.NuHOPS(trajectories=200, seed=2), executor=od.Serial())
    exact = covariances(sampled)
    for closure in ("atoms", "collective"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", od.UnphysicalWarning)
            approximate = covariances(od.solve(model, TILTED, times, od.Cumulants(closure=closure)))
        difference = (approximate.C_af - exact.C_af).values
        z_real, z_imag = (
            abs(difference.real / exact.C_af_sem.values.real),
            abs(difference.imag / exact.C_af_sem.values.imag),
        )
        assert max(z_real[0], z_imag[0]) < 4.5
        assert min(z_real[1], z_imag[1]) > 4.5


def test_verdicts_from_few_trajectories_are_students() -> None:
    """Against scipy's distributions: t in the table, the normal error of the same probability in the verdict."""
    from scipy import stats

    methods = {"exact": od.Lindblad(), "four": od.NuHOPS(trajectories=4, seed=1)}
    table = od.compare(FIG1, TILTED, TIMES, methods, ["Sz"], executor=od.Serial())
    assert table.trajectories.values.tolist() == [0, 4]
    (row,) = [row for row in summary(table) if row["method"] == "four"]
    t = float(abs(table.Sz_z.sel(solver="four")).max())
    expected = stats.norm.isf(stats.t.sf(t, 3))
    assert row["largest_z"] == pytest.approx(expected, rel=1e-12)
    assert expected < 0.9 * t
    assert f"at most {expected:.1f} standard errors" in row["verdict"]


def test_two_sampled_methods_share_degrees_of_freedom() -> None:
    """Welch and Satterthwaite, written out; a complex variable has an error of each part."""
    from scipy import stats

    methods = [od.NuHOPS(trajectories=4, seed=1), od.NuHOPS(trajectories=9, seed=2)]
    table = od.compare(FIG1, TILTED, [2.0], methods, ["a"], executor=od.Serial())
    found = []
    for part in ("real", "imag"):
        one, other = (getattr(error, part) ** 2 for error in table.a_sem.values[:, 0])
        degrees = (one + other) ** 2 / (one**2 / 3 + other**2 / 8)
        assert 3 < degrees < 11
        found.append(stats.norm.isf(stats.t.sf(abs(getattr(table.a_z.values[1, 0], part)), degrees)))
    assert summary(table)[1]["largest_z"] == pytest.approx(max(found), rel=1e-9)


def test_normal_errors_over_the_whole_range() -> None:
    """Exact against scipy; finite and growing also where probabilities are no floating-point numbers any more."""
    from scipy import stats

    for degrees in (1.0, 3.0, 29.0, np.inf):
        t = np.array([-6.0, -0.5, 0.0, 0.5, 6.0])
        expected = np.sign(t) * stats.norm.isf(stats.t.sf(abs(t), degrees))
        np.testing.assert_allclose(normal_errors(t, np.full(5, degrees)), expected, rtol=1e-9, atol=1e-12)
    t = np.geomspace(1, 1e6, 2001)
    for degrees in (30.0, 300.0, 3000.0, 1e6):
        z = normal_errors(t, np.full(t.size, degrees))
        assert (np.diff(z) > 0).all()
        assert np.isfinite(z).all()
        assert (z <= t).all()
    assert normal_errors(np.array([1e4]), np.array([np.inf])) == 1e4


def test_false_alarms_of_verdicts_are_as_rare_as_they_say() -> None:
    """Four and six normal numbers with unequal variances: 2 of these standard errors are passed in 4.55 % of 40 000.

    Welch's approximation is off by up to 10 % there; taken as normal, the rate would be above 10 %.
    """
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(4, 40_000)), 2 * rng.normal(size=(6, 40_000))
    errors = [sample.std(axis=0, ddof=1) / np.sqrt(len(sample)) for sample in (first, second)]
    t = (first.mean(axis=0) - second.mean(axis=0)) / np.hypot(*errors)
    rate = float((abs(normal_errors(t, welch(*errors, 4, 6))) > 2).mean())
    assert abs(rate / 0.0455 - 1) < 0.1 + 4.5 * np.sqrt(1 / (0.0455 * t.size))
    assert (abs(t) > 2).mean() > 0.08


def test_a_method_that_takes_too_long_stays_in_the_table() -> None:
    methods = {"slow": od.Lindblad(photons=200), "mean field": od.MeanField()}
    began = time.perf_counter()
    table = od.compare(FIG1.replace(n_atoms=10), TILTED, [1000.0], methods, ["Sz"], timeout=1.0, progress=False)
    assert time.perf_counter() - began < 30
    assert "timeout" in str(table.refusal.sel(solver="slow").item())
    assert np.isfinite(table.Sz.sel(solver="mean field")).all()
    assert summary(table)[0]["verdict"].startswith("no answer: ")
    for wrong in (0.0, "long"):
        with pytest.raises((TypeError, ValueError), match=r"^timeout: expected"):
            od.compare(FIG1, TILTED, TIMES, methods, timeout=wrong)


def test_model_and_state_can_be_read_back(table: xr.Dataset) -> None:
    answer = od.solve(FIG1, TILTED, TIMES, od.MeanField())
    assert table.attrs["state"] == answer.attrs["state"]
    assert od.DickeModel.of(table) == FIG1
    assert restore(od.SpinCoherent, json.loads(table.attrs["state"])) == TILTED


def test_intervals_of_a_comparison(table: xr.Dataset) -> None:
    low, high = interval(table, "Sz")
    sampled = od.solve(FIG1, TILTED, TIMES, METHODS["nuHOPS"], executor=od.Serial())
    for end, expected in zip((low, high), interval(sampled, "Sz"), strict=True):
        np.testing.assert_allclose(end.sel(solver="nuHOPS"), expected, rtol=1e-12)
    np.testing.assert_array_equal(low.sel(solver="exact"), table.Sz.sel(solver="exact"))  # nothing is sampled


def test_verdicts_of_several_spins_and_modes() -> None:
    spins = [od.Spin(n_atoms=1, omega_a=1.0), od.Spin(n_atoms=2, omega_a=0.5)]
    system = od.System(spins=spins, modes=[od.Mode(omega_c=1.0, kappa=1.0)], g_minus=[[0.8], [0.8]])
    methods = [od.Lindblad(), od.MeanField(), od.NuHOPS(1)]
    table = od.compare(system, od.Inverted(), [0.5, 1.0, 1.5], methods, ["Sz", "Sz1 Sz2"], progress=False)
    gap = np.abs(table.Sz_difference.sel(solver="MeanField"))
    rows = summary(table)
    assert rows[1]["largest_difference"] == float(gap.max())
    assert float(gap.sel(time=rows[1]["time"]).max()) == float(gap.max())
    assert rows[2]["verdict"].startswith("no answer: model: expected one spin and one mode")
    for draw in (curves, deviations):
        with pytest.raises(ValueError, match=r"^data: expected a single spin to draw Sz.*data\.isel\(spin=0\)"):
            draw(table, "Sz", Figure().add_subplot())
        draw(table.isel(spin=0), "Sz", Figure().add_subplot())


def test_a_table_of_a_system_has_the_coordinates_of_its_answers() -> None:
    spins = [od.Spin(n_atoms=1, omega_a=1.0), od.Spin(n_atoms=2, omega_a=1.0)]
    system = od.System(spins=spins, modes=[od.Mode(omega_c=1.0, kappa=1.0)], g_minus=[[0.5], [0.5]])
    table = od.compare(system, od.Normal(), [0.0], [od.Lindblad(), od.MeanField()], ["Sz", "n_photon"])
    assert {"spin", "mode"} <= set(table.indexes)
    assert table.Sz.sel(solver="Lindblad", spin=1).item() == pytest.approx(-1.0, rel=0, abs=1e-12)
    with pytest.raises(ValueError, match=r"^dataset: expected an answer about a DickeModel, got"):
        od.analysis.squeezing(od.solve(system, od.Normal(), [0.0], od.Lindblad()))
