"""A point chosen from a sweep is an answer like one of solve: batches, states and model are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke import files
from opendicke.analysis import covariances, husimi, interval, mixedness, negativity, squeezing
from opendicke.sweep import with_point

MODEL = od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.0, g_plus=0.5)
TIMES = [0.0, 1.0]
SHORT: dict[str, Any] = {"executor": od.Serial(), "progress": False}
KEEPING = od.NuHOPS(40, seed=1, keep_states=(1.0,), keep_trajectories=True)
GRID = {"coupling": [1.0, 3.0], "n_atoms": [2, 5]}


@pytest.fixture(scope="module")
def swept() -> xr.Dataset:
    return od.sweep(MODEL, GRID, od.Normal(), TIMES, KEEPING, **SHORT)


@pytest.fixture(scope="module")
def alone() -> xr.Dataset:
    at = MODEL.replace(coupling=3.0, n_atoms=2)
    return od.solve(at, od.Normal(), TIMES, with_point(KEEPING, at), **SHORT)


def same(found: xr.Dataset, expected: xr.Dataset) -> None:
    assert set(found.data_vars) == set(expected.data_vars)
    for name in expected.data_vars:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-12, err_msg=str(name))
        assert found[name].attrs.get("degrees_of_freedom") == expected[name].attrs.get("degrees_of_freedom")
    assert found.attrs.get("degrees_of_freedom") == expected.attrs.get("degrees_of_freedom")


@pytest.mark.parametrize(
    "analyse",
    [squeezing, covariances, negativity, mixedness, lambda answer: husimi(answer, theta=[0.5, 1.0], phi=[0.0])],
    ids=["squeezing", "covariances", "negativity", "mixedness", "husimi"],
)
def test_analysis_of_a_point_is_that_of_its_solve(swept: xr.Dataset, alone: xr.Dataset, analyse: Any) -> None:
    found = analyse(swept.sel(coupling=3.0, n_atoms=2))
    same(found, analyse(alone))
    assert found.n_atoms.item() == 2  # and it still says which point it is
    assert od.DickeModel.of(found) == MODEL.replace(coupling=3.0, n_atoms=2)


def test_intervals_of_a_point_and_of_all(swept: xr.Dataset, alone: xr.Dataset) -> None:
    low, high = interval(alone, "Sz")
    everywhere = interval(swept, "Sz")
    for found in (interval(swept.sel(coupling=3.0, n_atoms=2), "Sz"), everywhere):
        for end, expected in zip(found, (low, high), strict=True):
            chosen = end.sel(coupling=3.0, n_atoms=2) if "coupling" in end.dims else end
            np.testing.assert_allclose(chosen, expected, rtol=1e-12)


def test_trajectories_that_were_kept_are_there(swept: xr.Dataset, alone: xr.Dataset) -> None:
    point = swept.sel(coupling=3.0, n_atoms=2)
    np.testing.assert_array_equal(point.Sz_trajectory, alone.Sz_trajectory)
    np.testing.assert_array_equal(point.psi[..., : alone.sizes["n"]], alone.psi)
    assert (point.psi[..., alone.sizes["n"] :] == 0).all()


def test_the_model_of_every_point(swept: xr.Dataset, tmp_path: Path) -> None:
    """Not that of the first point: what is swept is in the coordinates, also after a file."""
    stored = files.load(files.save(swept, tmp_path / "sweep.nc"))
    for dataset in (swept, stored):
        assert json.loads(dataset.attrs["model"]) == {"omega_a": 1.0, "omega_c": 1.0, "kappa": 1.0}
        assert json.loads(dataset.attrs["swept"]) == ["n_atoms", "g_minus", "g_plus"]
        assert dataset.g_plus.dims == ("coupling",)
        for coupling in GRID["coupling"]:
            for n_atoms in GRID["n_atoms"]:
                point = dataset.sel(coupling=coupling, n_atoms=n_atoms)
                assert od.DickeModel.of(point) == MODEL.replace(coupling=coupling, n_atoms=n_atoms)
    assert json.loads(swept.attrs["method_options"])["point"] == 0  # as asked for, not the stream of the first point


def test_what_needs_one_point_says_so(swept: xr.Dataset) -> None:
    with pytest.raises(ValueError, match=r"^dataset: expected an answer with a single n_atoms, .*\.isel\(n_atoms=0\)"):
        od.DickeModel.of(swept)
    for analyse in (squeezing, negativity, mixedness, covariances):
        with pytest.raises(ValueError, match=r"^dataset: expected an answer with a single n_atoms"):
            analyse(swept)
    with pytest.raises(ValueError, match=r"^dataset: expected the states of one point of a sweep"):
        negativity(swept.sel(n_atoms=2))
    with pytest.raises(ValueError, match=r"single n_atoms, got 'one without that coordinate'"):
        squeezing(swept.sel(coupling=3.0).sel(n_atoms=2, drop=True))
    with pytest.raises(TypeError, match=r"^dataset: expected a Dataset that opendicke\.solve returned"):
        od.DickeModel.of(MODEL)  # type: ignore[arg-type]


def test_points_with_the_same_sizes_can_be_taken_together(swept: xr.Dataset) -> None:
    one = squeezing(swept.sel(coupling=3.0, n_atoms=5))
    every = squeezing(swept.sel(n_atoms=5))
    same(every.sel(coupling=3.0), one)


def test_points_with_different_numbers_of_trajectories(tmp_path: Path) -> None:
    """With a precision each point takes its own number; batches and states of a point are still its own."""
    method = od.NuHOPS(200, seed=1, keep_states=(1.0,), precision=od.Precision("Sz", absolute=0.1, minimum=32))
    grid = {"g_minus": [0.2, 1.2]}
    result = od.sweep(MODEL, grid, od.Inverted(), TIMES, method, store=tmp_path, **SHORT)
    few, many = result.trajectories.values.tolist()
    assert few < many
    for value, count in zip(grid["g_minus"], (few, many), strict=True):
        at = MODEL.replace(g_minus=value)
        expected = od.solve(at, od.Inverted(), TIMES, with_point(method, at), **SHORT)
        point = result.sel(g_minus=value)
        assert point.psi.isel(state_time=0, n=0).notnull().sum() == count
        for analyse in (squeezing, mixedness, lambda one: husimi(one, theta=[0.5], phi=[0.0])):
            same(analyse(point), analyse(expected))
    with pytest.raises(ValueError, match=r"^dataset: expected as many trajectories at every point"):
        squeezing(result)


def test_points_that_are_not_begun_have_no_batches(tmp_path: Path) -> None:
    od.sweep(MODEL, {"g_plus": [0.6]}, od.Normal(), TIMES, KEEPING, store=tmp_path, **SHORT)
    grid = {"g_plus": [0.2, 0.6]}
    partial = od.sweep(MODEL, grid, od.Normal(), TIMES, KEEPING, store=tmp_path, run_missing=False, **SHORT)
    assert partial.batch_size.sum("batch").values.tolist() == [0, 40]
    assert np.isfinite(squeezing(partial.sel(g_plus=0.6)).xi2[0])
    assert np.isnan(interval(partial, "Sz")[0].sel(g_plus=0.2)).all()
    with pytest.raises(ValueError, match="at least 8 batches of trajectories, got 0"):
        squeezing(partial.sel(g_plus=0.2))
    with pytest.raises(ValueError, match="a point of the sweep that is begun"):
        negativity(partial.sel(g_plus=0.2))


def test_a_function_of_parameters_with_names_of_its_own() -> None:
    def along(s: float) -> od.DickeModel:
        return MODEL.replace(g_minus=1 + s, g_plus=1 - s)

    result = od.sweep(along, {"s": [0.1, 0.3]}, od.Normal(), TIMES, od.MeanField(), ["Sz"], **SHORT)
    assert od.DickeModel.of(result.sel(s=0.3)) == along(0.3)
    np.testing.assert_array_equal(result.g_minus, [1.1, 1.3])

    def other(kappa: float) -> od.DickeModel:
        return MODEL.replace(kappa=2 * kappa)

    with pytest.raises(ValueError, match=r"^grid: expected a kappa that is the model's own, got 'kappa = 1.0 for a"):
        od.sweep(other, {"kappa": [1.0]}, od.Normal(), TIMES, od.MeanField(), **SHORT)


def test_density_matrices() -> None:
    method = od.Lindblad(keep_states=(1.0,))
    result = od.sweep(MODEL, {"kappa": [0.5, 1.0]}, od.Normal(), TIMES, method, **SHORT)
    expected = od.solve(MODEL, od.Normal(), TIMES, method, **SHORT)
    same(negativity(result.sel(kappa=1.0)), negativity(expected))
    assert result.photons.dims == ("kappa",)  # what a point tells of itself is not told of the first only
    assert result.photons.sel(kappa=1.0) == expected.attrs["photons"]
    with pytest.raises(ValueError, match=r"^method: expected keep_states at a single n_atoms only, got 'n_atoms = \[2"):
        od.sweep(MODEL, {"n_atoms": [2, 3]}, od.Normal(), TIMES, method, **SHORT)


def test_memory_is_limited() -> None:
    class Counting:
        def map(self, function: Any, items: Any) -> Any:
            for item in items:
                runs.append(item)
                yield function(item)

    runs: list[Any] = []
    asked = (MODEL, {"kappa": np.linspace(0.5, 1.0, 50)}, od.Normal(), TIMES, od.NuHOPS(1, seed=1))
    with pytest.raises(ValueError, match=r"^max_memory: expected at least .* GiB for 50 points, got '1e-05 GiB'"):
        od.sweep(*asked, max_memory=1e-5, executor=Counting(), progress=False)
    assert len(runs) == 1  # the first point shows it
    without = od.sweep(*asked[:-1], od.NuHOPS(40, seed=1), ["Sz"], keep_batches=False, max_memory=1e-3, **SHORT)
    assert {"batch", "channel"}.isdisjoint({*without.variables, *without.dims})
    assert np.isfinite(interval(without, "Sz")[0]).all()
