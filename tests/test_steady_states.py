"""Steady states over a grid: each is that of its point, and one that is refused does not stop the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import opendicke as od
from opendicke import files
from opendicke.analysis import steady_state, steady_states

MODEL = od.DickeModel(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=0.6, g_plus=0.3)


def test_points_are_those_of_steady_state_and_refusals_are_kept(tmp_path: Path) -> None:
    grid = {"kappa": [0.0, 0.8], "coupling": [0.5, 0.9]}
    found = steady_states(MODEL, grid, progress=False)
    assert found.Sz.dims == ("kappa", "coupling")
    assert np.isnan(found.n_photon.sel(kappa=0.0)).all()
    refused = found.refusal.sel(kappa=0.0).values.tolist()
    assert all(reason.startswith("kappa: expected a number > 0 for a unique steady state") for reason in refused)
    for coupling in grid["coupling"]:
        point = found.sel(kappa=0.8, coupling=coupling)
        expected = steady_state(MODEL.replace(kappa=0.8, coupling=coupling))
        for name, variable in expected.data_vars.items():
            np.testing.assert_array_equal(point[name], variable)
            assert point[f"{name}_error"] == variable.attrs["error"]
        for name in ("photons", "second_photons", "top_population", "residual", "gap"):
            assert point[name] == expected.attrs[name]
        assert point.refusal.item() == ""
        assert od.DickeModel.of(point) == MODEL.replace(kappa=0.8, coupling=coupling)
    stored = files.load(files.save(found, tmp_path / "found.nc"))
    np.testing.assert_array_equal(stored.refusal, found.refusal)
    np.testing.assert_array_equal(stored.a, found.a)


def test_different_numbers_of_atoms_and_a_function() -> None:
    def balanced(n_atoms: int) -> od.DickeModel:
        return od.DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.6)

    found = steady_states(balanced, {"n_atoms": [1, 3]}, progress=False)
    assert "rho_spin" not in found  # matrices of different sizes
    assert found.Sz.sel(n_atoms=3) == steady_state(balanced(3)).Sz
    assert json.loads(found.attrs["swept"]) == ["n_atoms"]


def test_what_is_too_large_is_named_and_everything_may_be() -> None:
    found = steady_states(MODEL, {"n_atoms": [1, 400]}, max_memory=0.5, progress=False)
    assert np.isfinite(found.Sz[0])
    assert np.isnan(found.Sz[1])
    assert "GiB" in found.refusal[1].item()
    nowhere = steady_states(MODEL, {"kappa": [0.0]}, progress=False)
    assert np.isnan(nowhere.Sz).all()
    assert set(nowhere.data_vars) >= {*od.VARIABLES, "refusal"}


def test_the_bar_counts_points() -> None:
    class Meter:
        def __init__(self) -> None:
            self.started: list[Any] = []
            self.done, self.closed = 0, 0

        def start(self, total: int, unit: str, label: str) -> None:
            self.started.append((total, unit))

        def advance(self, amount: int, **notes: Any) -> None:
            self.done += amount
            assert set(notes) == {"kappa"}

        def close(self) -> None:
            self.closed += 1

    meter = Meter()
    steady_states(MODEL, {"kappa": [0.0, 1.0, 2.0]}, progress=meter)
    assert (meter.started, meter.done, meter.closed) == ([(3, "point")], 3, 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": 5}, "model: expected an opendicke.DickeModel"),
        ({"grid": {"kapa": [1.0]}}, "grid: expected parameters out of"),
        ({"photons": 0}, "photons: expected an integer >= 1"),
        ({"max_memory": "much"}, "max_memory: expected a real number"),
        ({"max_top_population": 2.0}, "max_top_population: expected a number >= 1e-12"),
    ],
)
def test_mistakes_are_no_refusals_of_points(change: dict[str, Any], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{said}"):
        steady_states(**{"model": MODEL, "grid": {"kappa": [1.0]}} | change)
