"""Stop rules: met when they say so, at the same trajectory whoever ran them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.ensemble.moments import Moments
from opendicke.methods.precision import stop_rule
from opendicke.observables.catalogue import CHANNELS

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


@dataclass(frozen=True)
class Made:
    """An ensemble of which only the means and standard errors of the channels are known, at TIMES."""

    mean: dict[str, list[float]]
    sem: dict[str, list[float]]
    count: int = 64

    @property
    def indices(self) -> range:
        return range(self.count)

    def moments(self, name: str) -> Moments:
        assert name == "channels"
        rows = np.full((2, TIMES.size, len(CHANNELS)), 1e3)  # what the target does not name counts for nothing
        for values, part in zip(rows, (self.mean, self.sem), strict=True):
            for channel, over_time in part.items():
                values[:, CHANNELS.index(channel)] = over_time
        return Moments(self.count, rows[0], rows[1] ** 2 * self.count * (self.count - 1))


#: S_z is negative and grows, so its relative error is largest first and its absolute error last.
FALLING = Made({"Sz": [-1.0, -2.0, -4.0, -8.0, -16.0]}, {"Sz": [0.04, 0.06, 0.08, 0.12, 0.2]})
#: Moduli of a are 5, 10 …, those of its errors (3-4-5) 0.5, 0.5 …
TURNING = Made(
    {"re_a": [3.0, -6.0, 9.0, 0.0, 15.0], "im_a": [4.0, -8.0, -12.0, 20.0, 20.0]},
    {"re_a": [0.3] * 5, "im_a": [0.4] * 5},
)


@pytest.mark.parametrize(
    ("ensemble", "target", "met"),
    [
        (FALLING, {"variable": "Sz", "relative": 0.04}, 0.04),
        (FALLING, {"variable": "Sz", "relative": 0.03, "times": (1.0,)}, 0.02),
        (FALLING, {"variable": "Sz", "relative": 0.03, "times": (2.0, 0.5)}, 0.03),
        (FALLING, {"variable": "Sz", "absolute": 0.1}, 0.2),
        (FALLING, {"variable": "Sz", "absolute": 0.1, "times": (0.0, 1.0)}, 0.08),
        (TURNING, {"variable": "a", "relative": 0.05}, 0.1),
        (TURNING, {"variable": "a", "relative": 0.05, "times": (0.5, 1.5)}, 0.05),
        (TURNING, {"variable": "a", "absolute": 0.4}, 0.5),
    ],
)
def test_a_target_is_met_from_the_error_on_that_was_worked_out_by_hand(
    ensemble: Made, target: dict[str, Any], met: float
) -> None:
    """``met`` is the largest error, over the modulus where the target is relative, at the target's times."""
    kind = "relative" if "relative" in target else "absolute"
    for factor, reached in ((1.001, True), (0.999, False)):
        rule = stop_rule(od.Precision(**{**target, kind: factor * met}), TIMES)
        assert rule is not None
        assert rule(ensemble) is reached  # type: ignore[arg-type]
        assert rule.note(ensemble) == f"{1 / factor:.2f} of target"  # type: ignore[arg-type]
    wanted = od.Precision(**target)
    assert wanted.worst(ensemble, wanted.rows(TIMES)) == pytest.approx(met / target[kind])  # type: ignore[arg-type]


def test_nothing_is_decided_before_the_minimum() -> None:
    for count, reached in ((99, False), (100, True)):
        rule = stop_rule(od.Precision("Sz", relative=0.05, minimum=100), TIMES)
        assert rule is not None
        assert rule(dataclasses.replace(FALLING, count=count)) is reached  # type: ignore[arg-type]


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
