"""Stop rules: met when they say so, at the same trajectory whoever ran them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od

MODEL = od.DickeModel.balanced(n_atoms=8, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.2)
STATE = od.SpinCoherent(np.pi / 4, np.pi)
TIMES = np.linspace(0.0, 2.0, 5)


def run(precision: od.Precision | None, most: int = 5000, executor: Any = None) -> xr.Dataset:
    method = od.NuHOPS(trajectories=most, seed=3, precision=precision)
    return od.solve(MODEL, STATE, TIMES, method, executor=executor)


@pytest.mark.parametrize(
    "precision",
    [
        od.Precision("Sx", absolute=0.08),
        od.Precision("n_photon", relative=0.05, times=(1.0, 2.0)),
        od.Precision("a", absolute=0.06, minimum=100),
    ],
)
def test_stops_at_the_first_batch_that_meets_the_target(precision: od.Precision) -> None:
    result = run(precision)
    done = result.attrs["trajectories"]
    assert precision.minimum <= done < 5000
    assert done % 32 == 0
    assert result.attrs["precision_reached"] == 1

    def error(data: xr.Dataset) -> float:
        rows = data.sel(time=list(precision.times or TIMES))
        sem, mean = np.abs(rows[f"{precision.variable}_sem"]), np.abs(rows[precision.variable])
        return float((sem / (precision.absolute or precision.relative * mean)).max())

    assert error(result) <= 1
    before = run(None, done - 32)
    assert error(before) > 1 or before.attrs["trajectories"] < precision.minimum


def test_same_trajectories_on_every_executor() -> None:
    precision = od.Precision("Sz", absolute=0.1)
    results = [run(precision, executor=executor).drop_attrs() for executor in (od.Serial(), od.Threads(4))]
    xr.testing.assert_identical(*results)


def test_target_out_of_reach_is_reported() -> None:
    result = run(od.Precision("Sz", absolute=1e-6), most=100)
    assert result.attrs["trajectories"] == 100
    assert result.attrs["precision_reached"] == 0


def test_bad_targets() -> None:
    with pytest.raises(ValueError, match="variable: expected one of Sx"):
        od.Precision("Sq", absolute=1.0)
    with pytest.raises(ValueError, match="exactly one of them"):
        od.Precision("Sx")
    with pytest.raises(ValueError, match="exactly one of them"):
        od.Precision("Sx", absolute=1.0, relative=0.1)
    with pytest.raises(ValueError, match="relative: expected a number > 0"):
        od.Precision("Sx", relative=-0.1)
    with pytest.raises(ValueError, match="times out of the solve's times"):
        run(od.Precision("Sx", absolute=1.0, times=(0.3,)))
    with pytest.raises(TypeError, match="precision: expected a Precision"):
        od.NuHOPS(trajectories=2, precision=0.1)  # type: ignore[arg-type]


def test_a_store_and_the_size_of_blocks_do_not_move_the_stop(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    precision = od.Precision("Sz", absolute=0.5, minimum=32)
    expected = run(precision)
    assert expected.attrs["trajectories"] % 64 == 32  # in the middle of a stored chunk
    for size in (1, 7, 64):
        monkeypatch.setattr("opendicke.ensemble.run.BLOCK", size)
        method = od.NuHOPS(trajectories=5000, seed=3, precision=precision)
        for _ in range(2):
            result = od.solve(MODEL, STATE, TIMES, method, store=tmp_path / str(size))
            xr.testing.assert_identical(result.drop_attrs(), expected.drop_attrs())
            assert result.attrs["trajectories"] == expected.attrs["trajectories"]


@pytest.mark.parametrize("method", [od.HOPS(3000, seed=2, depth=60), od.TruncatedWigner(3000, seed=2)])
def test_every_sampled_method_stops(method: Any) -> None:
    target = dataclasses.replace(method, precision=od.Precision("Sz", absolute=0.15, times=(2.0,)))
    result = od.solve(MODEL, STATE, TIMES, target)
    done = result.attrs["trajectories"]
    assert result.attrs["precision_reached"] == 1
    assert 64 < done < 3000
    assert result.Sz_sem[-1] <= 0.15
    assert od.solve(MODEL, STATE, TIMES, dataclasses.replace(method, trajectories=done - 32)).Sz_sem[-1] > 0.15
