"""Sweeps: every point is what solve gives for it, whatever grid it is on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import opendicke as od
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
    np.testing.assert_allclose(result.n_photon.sel(coupling=0.0), 0.0, atol=1e-12)


def test_bad_grids() -> None:
    with pytest.raises(ValueError, match="grid: expected parameters out of"):
        od.sweep(MODEL, {"g_zero": [1.0]}, od.Normal(), TIMES, METHOD)
    with pytest.raises(ValueError, match=r"grid\['g_plus'\]: expected a one-dimensional sequence of different values"):
        od.sweep(MODEL, {"g_plus": [1.0, 1.0]}, od.Normal(), TIMES, METHOD)
    with pytest.raises(ValueError, match="grid: expected at least one parameter"):
        od.sweep(MODEL, {}, od.Normal(), TIMES, METHOD)
    with pytest.raises(ValueError, match="kappa: expected a number >= 0"):
        od.sweep(MODEL, {"kappa": [-1.0]}, od.Normal(), TIMES, METHOD)
