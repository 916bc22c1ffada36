"""What sampled methods share, by a method made for the purpose, of which everything is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import opendicke as od
from opendicke.cli import main
from opendicke.ensemble.run import Sample
from opendicke.methods.registry import METHODS
from opendicke.methods.sampled import Sampled, Simulator
from opendicke.observables.catalogue import CHANNELS
from opendicke.problem import Limits, Problem
from opendicke.stored import open_study

MODEL = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=1.0)
TIMES = np.array([0.0, 0.3, 1.0])


@dataclass(frozen=True)
class Normals(Sampled):
    """At time t every channel is normal, of mean ``drift`` t and standard deviation 1 + t."""

    trajectories: int
    drift: float = -1.0
    seed: int = 0
    point: int = 0
    step: float | None = None
    precision: od.Precision | None = None
    keep_trajectories: bool = False

    kept: ClassVar[dict[str, str]] = {"Sz_trajectory": "<Sz> of one trajectory"}

    def limits(self, model: od.DickeModel) -> Limits:
        return Limits(True, False, "Neglects everything.", 0.0, 0.0)

    def simulator(self, problem: Problem) -> NormalsSimulator:
        return NormalsSimulator(problem, self, self.step or 0.1 / problem.model.kappa)


class NormalsSimulator(Simulator[Normals]):
    ran: ClassVar[list[int]] = []
    failing: ClassVar[set[int]] = set()

    def prepare(self) -> None:
        pass

    def __call__(self, index: int) -> Sample:
        self.ran.append(index)
        if index in self.failing:
            raise self.stopped(index, 2, RuntimeError("fell over"))
        times = self.problem.times[:, None]
        noise = self.stream(index).standard_normal((times.size, len(CHANNELS)))
        channels = self.options.drift * times + (1 + times) * noise
        return Sample({"channels": channels}, {"Sz_trajectory": channels[:, CHANNELS.index("Sz")]})


def run(method: Normals, **options: Any) -> xr.Dataset:
    options = {"executor": od.Serial(), "progress": False} | options
    return od.solve(MODEL, od.SpinCoherent(1.0), TIMES, method, ["Sz", "a", "n_photon"], **options)


def numbers(result: xr.Dataset) -> xr.Dataset:
    return result.drop_attrs(deep=False)


def deviations(result: xr.Dataset, count: int) -> np.ndarray:
    """Means and standard errors minus what they should be, each over its own standard deviation."""
    error = (1 + TIMES) / np.sqrt(count)
    means = np.array([result.Sz, result.n_photon, result.a.real, result.a.imag])
    sems = np.array([result.Sz_sem, result.n_photon_sem, result.a_sem.real, result.a_sem.imag])
    return np.array([(means + TIMES) / error, (sems / error - 1) * np.sqrt(2 * count)])


def test_means_and_standard_errors_are_those_of_the_distribution() -> None:
    """24 numbers within 4.5 of their standard deviations: the false-alarm rate is below 2e-4 (fixed seed)."""
    count = 2000
    result = run(Normals(count, seed=3))
    assert np.abs(deviations(result, count)).max() < 4.5
    wrong_mean = run(Normals(count, seed=3, drift=-1.3))  # off by 0.3, and at t = 1 by 6.7 standard errors
    assert np.abs(deviations(wrong_mean, count)).max() > 4.5
    wrong_error = result.assign({name: 1.1 * result[name] for name in ("Sz_sem", "a_sem", "n_photon_sem")})
    assert np.abs(deviations(wrong_error, count)).max() > 4.5
    assert result.attrs["noise_step"] == 0.2
    assert result.attrs["trajectories"] == count


def test_points_and_seeds_have_streams_of_their_own() -> None:
    first, *others = (run(Normals(4, **at)) for at in ({}, {"seed": 1}, {"point": 1}))
    assert not any(np.isin(other.Sz, first.Sz).any() for other in others)


@pytest.mark.parametrize("executor", [od.Threads(3), od.Processes(2)], ids=["threads", "processes"])
def test_who_runs_it_changes_nothing(executor: Any) -> None:
    method = Normals(70, seed=2, keep_trajectories=True)
    xr.testing.assert_identical(numbers(run(method, executor=executor)), numbers(run(method)))


def test_a_store_is_gone_on_with(tmp_path: Path) -> None:
    NormalsSimulator.ran.clear()
    run(Normals(40), store=tmp_path)
    assert NormalsSimulator.ran == list(range(40))
    longer = run(Normals(100), store=tmp_path)
    assert NormalsSimulator.ran == list(range(100))
    xr.testing.assert_identical(numbers(longer), numbers(run(Normals(100))))


def test_it_stops_at_the_precision_asked_for() -> None:
    """A standard deviation of 2 at t = 1 takes 400 trajectories; 300 to 500 is 3 of the standard deviations of it."""
    result = run(Normals(10_000, seed=1, precision=od.Precision("Sz", absolute=0.1)))
    assert result.attrs["precision_reached"] == 1
    assert 300 < result.attrs["trajectories"] < 500
    assert result.Sz_sem.values.max() <= 0.1
    assert run(Normals(64, precision=od.Precision("Sz", absolute=0.1))).attrs["precision_reached"] == 0


def test_trajectories_are_kept_where_asked_for() -> None:
    result = run(Normals(50, keep_trajectories=True))
    np.testing.assert_allclose(result.Sz_trajectory.mean("trajectory"), result.Sz, rtol=0, atol=1e-13)
    assert result.Sz_trajectory.attrs["definition"] == Normals.kept["Sz_trajectory"]
    assert "Sz_trajectory" not in run(Normals(50))


def test_one_that_stops_is_named_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NormalsSimulator, "failing", {3})
    told = f"trajectory 3 of seed 7 stopped at time 0.3: fell over (model {MODEL.json()}). Try a smaller step."
    with pytest.warns(od.FailedTrajectoryWarning) as caught:
        result = run(Normals(8, seed=7))
    assert str(caught[0].message) == f"1 of 8 trajectories failed and are left out: {told}"
    assert result.attrs["trajectories"] == 7


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"trajectories": 0}, ValueError, "trajectories: expected an integer >= 1, got 0"),
        ({"seed": -1}, ValueError, "seed: expected"),
        ({"point": 0.5}, TypeError, "point: expected an integer"),
        ({"step": 0.0}, ValueError, "step: expected"),
        ({"precision": 0.1}, TypeError, "precision: expected a Precision"),
        ({"keep_trajectories": 1}, TypeError, "keep_trajectories: expected True or False"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^{text}"):
        Normals(**({"trajectories": 3} | options))


def test_a_sweep_knows_its_streams_and_its_step() -> None:
    def sweep(**options: Any) -> xr.Dataset:
        at = (MODEL, {"kappa": [0.5, 1.0]}, od.SpinCoherent(1.0), TIMES, Normals(8), ["Sz"])
        return od.sweep(*at, executor=od.Serial(), progress=False, **options)

    common = sweep(common_random_numbers=True)
    np.testing.assert_array_equal(common.Sz[0], common.Sz[1])
    assert '"step": 0.1,' in common.attrs["method_options"]
    assert not np.isin(*sweep().Sz.values).any()


def test_every_public_method_is_registered() -> None:
    public = {name: thing for name, thing in vars(od).items() if hasattr(thing, "run") and hasattr(thing, "limits")}
    assert len(public) >= 6
    assert public == METHODS


def test_to_be_registered_is_all_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Study files, the commands and stored studies find a method there."""
    study, store = tmp_path / "study.toml", tmp_path / "runs"
    lines = ["n_atoms = 4", "omega_a = 1.0", "omega_c = 2.5", "kappa = 0.5", "g_minus = 0.5", "g_plus = 0.5", "[state]",
             "theta = 1.0", "[times]", "values = [0.0, 1.0]", "[method]", 'name = "Normals"', "trajectories = 20",
             "[output]", 'store = "runs"']  # fmt: skip
    study.write_text("\n".join(["[model]", *lines]))
    unknown = CliRunner().invoke(main, ["run", str(study), "--quiet"])
    assert unknown.exit_code != 0
    assert "method.name: expected one of NuHOPS" in unknown.output
    monkeypatch.setitem(METHODS, "Normals", Normals)
    for command in (["run", str(study), "--quiet"], ["compare", str(study), "--method", "MeanField", "--quiet"]):
        done = CliRunner().invoke(main, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    (key,) = (path.name for path in store.iterdir() if path.is_dir())
    again = od.solve(MODEL, od.SpinCoherent(1.0), [0.0, 1.0], Normals(20), executor=od.Serial(), progress=False)
    xr.testing.assert_equal(numbers(open_study(store, key)), numbers(again))
