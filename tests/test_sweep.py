"""Sweeps: every point is what solve gives for it, whatever grid it is on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke import description
from opendicke.ensemble.store import StoreError
from opendicke.sweep import with_point

MODEL = od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.0, g_plus=1.0)
TIMES = np.array([0.0, 1.0, 2.0])
METHOD = od.NuHOPS(trajectories=40, seed=1)


def test_points_equal_solve() -> None:
    grid = {"g_minus": [0.5, 1.0], "g_plus": [0.0, 0.3, 0.6]}
    result = od.sweep(MODEL, grid, od.Normal(), TIMES, METHOD)
    assert result.Sz.dims == ("g_minus", "g_plus", "time")
    assert result.trajectories.values.tolist() == [[40] * 3] * 2
    at = MODEL.replace(g_minus=1.0, g_plus=0.3)
    alone = od.solve(at, od.Normal(), TIMES, with_point(METHOD, at))
    chosen = result.sel(g_minus=1.0, g_plus=0.3)
    for name in ("Sz", "Sz_sem", "a", "Sx_a_sem"):
        np.testing.assert_array_equal(chosen[name], alone[name])


def test_streams_of_points_are_independent_unless_asked() -> None:
    # two points that differ in the ninth digit only
    grid = {"g_minus": [1.0, 1.0 + 1e-9]}
    apart = od.sweep(MODEL, grid, od.Inverted(), TIMES, METHOD)
    common = od.sweep(MODEL, grid, od.Inverted(), TIMES, METHOD, common_random_numbers=True)
    assert abs(float(apart.Sz[0, -1] - apart.Sz[1, -1])) > 1e-3
    assert abs(float(common.Sz[0, -1] - common.Sz[1, -1])) < 1e-6


def test_refined_grid_keeps_its_old_points(tmp_path: Path) -> None:
    coarse = od.sweep(MODEL, {"g_plus": [0.2, 0.6]}, od.Normal(), TIMES, METHOD, store=tmp_path)
    fine = od.sweep(MODEL, {"g_plus": [0.2, 0.4, 0.6]}, od.Normal(), TIMES, METHOD, store=tmp_path)
    np.testing.assert_array_equal(fine.Sz.sel(g_plus=[0.2, 0.6]), coarse.Sz)


def test_partial_results(tmp_path: Path) -> None:
    wanted = {"g_plus": [0.2, 0.6]}
    with pytest.raises(StoreError, match="no point of this sweep is stored"):
        od.sweep(MODEL, wanted, od.Normal(), TIMES, METHOD, store=tmp_path, run_missing=False)
    od.sweep(MODEL, {"g_plus": [0.6]}, od.Normal(), TIMES, METHOD, store=tmp_path)
    partial = od.sweep(MODEL, wanted, od.Normal(), TIMES, METHOD, store=tmp_path, run_missing=False)
    assert np.isnan(partial.Sz.sel(g_plus=0.2)).all()
    assert np.isfinite(partial.Sz.sel(g_plus=0.6)).all()
    with pytest.raises(ValueError, match="store: expected a folder"):
        od.sweep(MODEL, wanted, od.Normal(), TIMES, METHOD, run_missing=False)


def test_model_factory_and_deterministic_method() -> None:
    def along(coupling: float) -> od.DickeModel:
        return od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=coupling)

    result = od.sweep(along, {"coupling": [0.0, 1.0]}, od.SpinCoherent(1.0), TIMES, od.MeanField(), ["Sx", "n_photon"])
    assert set(result.data_vars) >= {"Sx", "n_photon"}
    np.testing.assert_allclose(result.n_photon.sel(coupling=0.0), 0.0, rtol=0, atol=1e-12)


def test_bad_grids() -> None:
    with pytest.raises(ValueError, match="grid: expected parameters out of"):
        od.sweep(MODEL, {"g_zero": [1.0]}, od.Normal(), TIMES, METHOD)
    with pytest.raises(ValueError, match=r"grid\['g_plus'\]: expected a one-dimensional sequence of different values"):
        od.sweep(MODEL, {"g_plus": [1.0, 1.0]}, od.Normal(), TIMES, METHOD)
    with pytest.raises(ValueError, match="grid: expected a mapping from at least one parameter"):
        od.sweep(MODEL, {}, od.Normal(), TIMES, METHOD)
    with pytest.raises(ValueError, match="kappa: expected a number >= 0"):
        od.sweep(MODEL, {"kappa": [-1.0]}, od.Normal(), TIMES, METHOD)


class Recorder:
    """A progress meter that keeps what it is told."""

    def __init__(self) -> None:
        self.total, self.unit, self.done, self.notes, self.closed = 0, "", 0, {}, 0

    def start(self, total: int, unit: str, label: str) -> None:
        self.total, self.unit = total, unit

    def advance(self, amount: int, **notes: Any) -> None:
        self.done += amount
        self.notes |= notes

    def close(self) -> None:
        self.closed += 1


GRID = {"g_minus": [0.5, 1.0, 1.2], "g_plus": [0.0, 0.3]}


def test_points_side_by_side_change_nothing(tmp_path: Path) -> None:
    expected = od.sweep(MODEL, GRID, od.Normal(), TIMES, METHOD, executor=od.Serial()).drop_vars("wall_time_s")
    for executor in (od.Threads(1), od.Threads(3)):
        for store in (None, tmp_path, tmp_path):
            result = od.sweep(MODEL, GRID, od.Normal(), TIMES, METHOD, executor=executor, store=store)
            xr.testing.assert_identical(result.drop_vars("wall_time_s").drop_attrs(), expected.drop_attrs())


def test_precision_of_every_point_and_the_meter() -> None:
    method = od.NuHOPS(2000, seed=1, precision=od.Precision("Sz", absolute=0.1))
    meter = Recorder()
    result = od.sweep(MODEL, GRID, od.Inverted(), TIMES, method, executor=od.Threads(2), progress=meter)
    assert (result.precision_reached == 1).all()
    assert (result.Sz_sem <= 0.1).all()
    assert len(np.unique(result.trajectories)) > 1
    assert (meter.total, meter.unit, meter.closed) == (6 * 2000, "trajectory", 1)
    assert meter.done == meter.total  # an early end counts in full, so that the time left is right
    assert meter.notes["points"] == "6/6"
    assert {"g_minus", "g_plus", "largest_states", "largest_levels"} <= set(meter.notes)


def test_meter_counts_points_where_there_are_no_trajectories() -> None:
    meter = Recorder()
    od.sweep(MODEL, GRID, od.Normal(), TIMES, od.MeanField(), progress=meter)
    assert (meter.total, meter.unit, meter.done) == (6, "point", 6)


def test_common_random_numbers_are_common_although_rates_differ() -> None:
    """The difference of two neighbouring points is far less noisy than with streams of their own."""
    grid = {"g_minus": [1.05, 1.1]}  # 13 and 14 steps per unit of time, left to themselves
    options = {"executor": od.Serial()}
    strong = od.solve(MODEL.replace(g_minus=1.1), od.Inverted(), TIMES, od.NuHOPS(1), progress=False)
    shortest = strong.attrs["noise_step"]  # common to both, if one is

    def spread(common: bool) -> float:
        differences = []
        for seed in range(8):
            method = od.NuHOPS(16, seed=seed)
            result = od.sweep(MODEL, grid, od.Inverted(), TIMES, method, common_random_numbers=common, **options)
            differences.append(float(result.Sz[1, -1] - result.Sz[0, -1]))
            steps = result.noise_step.values
            assert (steps[0] == steps[1]) == common
            assert steps.min() == shortest
        return float(np.std(differences))

    assert spread(True) < 0.3 * spread(False)


@pytest.mark.parametrize("method", [od.HOPS(20, seed=1, depth=40), od.TruncatedWigner(20, seed=1)])
def test_every_sampled_method_has_streams_of_points(method: Any) -> None:
    grid = {"g_minus": [1.0, 1.0 + 1e-9]}
    apart = od.sweep(MODEL, grid, od.Inverted(), TIMES, method)
    common = od.sweep(MODEL, grid, od.Inverted(), TIMES, method, common_random_numbers=True)
    assert abs(float(apart.Sz[0, -1] - apart.Sz[1, -1])) > 1e-3
    assert abs(float(common.Sz[0, -1] - common.Sz[1, -1])) < 1e-6


def test_interrupted_sweep_goes_on(tmp_path: Path) -> None:
    class Interrupt(Recorder):
        def advance(self, amount: int, **notes: Any) -> None:
            super().advance(amount, **notes)
            if self.done >= 100:
                raise KeyboardInterrupt

    expected = od.sweep(MODEL, GRID, od.Normal(), TIMES, METHOD, executor=od.Serial())
    with pytest.raises(KeyboardInterrupt):
        od.sweep(MODEL, GRID, od.Normal(), TIMES, METHOD, executor=od.Threads(2), store=tmp_path, progress=Interrupt())
    partial = od.sweep(MODEL, GRID, od.Normal(), TIMES, METHOD, store=tmp_path, run_missing=False)
    assert 0 < partial.trajectories.sum() < 240
    result = od.sweep(MODEL, GRID, od.Normal(), TIMES, METHOD, store=tmp_path)
    np.testing.assert_array_equal(result.Sz, expected.Sz)
    np.testing.assert_array_equal(result.Sz_sem, expected.Sz_sem)


def test_a_failing_point_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="n_atoms: "):
        od.sweep(MODEL, {"n_atoms": [4, 10**6]}, od.Normal(), TIMES, od.HOPS(2), executor=od.Threads(2))


def test_a_sweep_over_the_coupling() -> None:
    """The picture everybody draws: at a fixed ratio of the couplings, with the streams of the models themselves."""
    rates = {"n_atoms": 4, "omega_a": 1.0, "omega_c": 1.0, "kappa": 1.0}
    model, method = od.DickeModel.balanced(**rates, coupling=1.0), od.NuHOPS(3, seed=1)
    result = od.sweep(model, {"coupling": [0.5, 2.0]}, od.Normal(), TIMES, method, ["Sz"], executor=od.Serial())
    same = od.sweep(
        lambda coupling: od.DickeModel.balanced(**rates, coupling=coupling),
        {"coupling": [0.5, 2.0]}, od.Normal(), TIMES, method, ["Sz"], executor=od.Serial(),
    )  # fmt: skip
    np.testing.assert_array_equal(result.Sz, same.Sz)
    with pytest.raises(ValueError, match=r"^coupling: expected either coupling, or g_minus and g_plus"):
        od.sweep(model, {"coupling": [0.5], "g_plus": [1.0]}, od.Normal(), TIMES, method)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"grid": [1]}, "grid: expected a mapping"),
        ({"grid": {"kappa": ["a"]}}, r"grid\['kappa'\]: expected a sequence of real numbers"),
        ({"method": None}, "method: expected a method such as"),
        ({"model": 5}, "model: expected an opendicke.DickeModel"),
        ({"common_random_numbers": "no"}, "common_random_numbers: expected True or False, got 'no'"),
        ({"run_missing": "false"}, "run_missing: expected True or False, got 'false'"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, Any], said: str) -> None:
    good: dict[str, Any] = {"model": MODEL, "grid": {"kappa": [1.0]}, "state": od.Normal(), "times": TIMES}
    with pytest.raises((TypeError, ValueError), match=f"^{said}"):
        od.sweep(**good | {"method": METHOD} | change)


def test_dotted_names_lead_to_parts() -> None:
    model = MODEL.replace(drive=od.Sine(0.0, 0.5, 2.0))
    grid = {"drive.amplitude": [0.1, 0.4], "state.theta": [0.5, 2.0]}
    result = od.sweep(model, grid, od.SpinCoherent(1.0, 0.3), TIMES, METHOD, ["Sz", "a"])
    assert result.Sz.dims == ("drive.amplitude", "state.theta", "time")
    point = result.sel({"drive.amplitude": 0.4, "state.theta": 2.0})
    at, start = model.replace(drive=od.Sine(0.0, 0.4, 2.0)), od.SpinCoherent(2.0, 0.3)
    assert od.DickeModel.of(point) == at
    assert result.state.dims == ("state.theta",)
    assert json.loads(point.state.item()) == description.plain(start)
    alone = od.solve(at, start, TIMES, with_point(METHOD, at, {"theta": 2.0}), ["Sz", "a"])
    np.testing.assert_array_equal(point.a, alone.a)
    # the initial state has streams of its own, and none where it is not swept
    assert (
        with_point(METHOD, at, {"theta": 2.0}).point != with_point(METHOD, at, {}).point == with_point(METHOD, at).point
    )
    fields = od.sweep(
        MODEL, {"state.cavity.photons": [1, 3]}, od.Normal(cavity=od.cavities.Fock(2)), [0.0], od.Lindblad()
    )
    np.testing.assert_allclose(fields.n_photon.values.ravel(), [1.0, 3.0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"drive.amplitude": [1.0]}, r"^grid: drive.amplitude: expected no further name"),
        ({"state.psi": [1.0]}, r"^grid: state\.psi: expected one of theta, phi"),
        ({"state.cavity.photons": [1]}, r"^grid: state\.cavity\.photons: expected no further name"),
        ({"drive..x": [1.0]}, r"^grid: expected names of parameters"),
        ({"theta": [1.0]}, r"^grid: expected parameters out of .* got 'theta'\. Dotted names .*\"state\.theta\""),
        ({"modes.0.kappa": [1.0]}, r"^grid: modes\.0\.kappa: expected one of n_atoms"),
    ],
)
def test_dotted_names_that_lead_nowhere(grid: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        od.sweep(MODEL, grid, od.Normal(), TIMES, METHOD)


SPINS = [od.Spin(n_atoms=1, omega_a=1.0), od.Spin(n_atoms=1, omega_a=0.7)]
MODES = [od.Mode(omega_c=1.0, kappa=0.5), od.Mode(omega_c=-1.0, kappa=0.5)]
SYSTEM = od.System(spins=SPINS, modes=MODES, g_minus=[[0.5, 0.1], [0.3j, 0.2]])


def test_a_dotted_name_changes_the_part_that_it_names() -> None:
    changed = SYSTEM.replace(**{"modes.1.kappa": 0.7, "g_minus.1.0": 0.9, "spins.1.omega_a": 0.2})
    assert [mode.kappa for mode in changed.modes] == [0.5, 0.7]
    assert changed.g_minus == ((0.5, 0.1), (0.9, 0.2))
    assert [spin.omega_a for spin in changed.spins] == [1.0, 0.2]


def test_every_mode_of_a_system_has_its_cutoff(tmp_path: Path) -> None:
    grid = {"modes.0.kappa": [0.5, 1.0, 2.0]}
    result = od.sweep(SYSTEM, grid, od.Inverted(), [0.5], od.Lindblad(photons=(5, 4), max_top_population=1e-3), ["Sz"])
    assert result.photons.dims == result.top_population.dims == ("modes.0.kappa", "mode")
    np.testing.assert_array_equal(result.photons, [[5, 4]] * 3)
    with pytest.raises(ValueError, match=r"^dataset: expected an answer about a DickeModel, got 'one about a System'"):
        od.DickeModel.of(result.isel({"modes.0.kappa": 0}))


@pytest.mark.parametrize("name", ["spin", "mode", "word", "word_batch_means", "Sx1_Sx2", "Sx1_Sx2_sem"])
def test_names_in_an_answer_are_no_parameters(name: str) -> None:
    def made(**given: float) -> od.System:
        return SYSTEM.replace(**{"modes.0.kappa": given[name]})

    with pytest.raises(ValueError, match=r"^grid: expected names of parameters that the answer has no other use for"):
        od.sweep(made, {name: [0.5, 1.0]}, od.Normal(), TIMES, od.MeanField(), ["Sx1 Sx2", "a"])


def test_points_are_of_one_kind() -> None:
    one = od.System(spins=SPINS[:1], modes=MODES[:1])
    for here, there in ((SYSTEM, MODEL), (MODEL, SYSTEM), (SYSTEM, one), (one, SYSTEM)):
        with pytest.raises(ValueError, match=r"^model: expected models of one kind, of as many spins and modes"):
            od.sweep(lambda x, pair=(here, there): pair[x], {"x": [0, 1]}, od.Normal(), TIMES, od.MeanField())
    with pytest.raises(ValueError, match=r"^grid: expected a n_ref that is the model's own"):
        od.sweep(lambda n_ref: SYSTEM, {"n_ref": [1.0, 2.0]}, od.Normal(), TIMES, od.MeanField())
