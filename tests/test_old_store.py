"""A store as version 1 wrote it (zarr, limits of memory in the keys): read, gone on with, extended and merged."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.ensemble.store import Store, Study, key_of
from opendicke.problem import Problem
from opendicke.solve import describe
from opendicke.stored import open_study

DATA = Path(__file__).parent / "data"
#: What version 1 answered: for each study its key, the answer for Sz, and the last trajectory's numbers.
EXPECTED: dict[str, Any] = json.loads((DATA / "old-store.json").read_text())

FEW = od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.2, g_plus=-0.4)
NEAR = od.DickeModel.balanced(n_atoms=1000, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.2574)
FILLED = od.SpinCoherent(theta=2.0, phi=0.3, alpha=0.7 - 0.4j)
TILTED = od.SpinCoherent(np.pi / 4, np.pi)
#: Limits of memory then: 1 GiB, 2 GiB (the default), 1 MiB, 0.5 GiB (the default is 1).
CASES: dict[str, tuple[od.DickeModel, od.SpinCoherent, list[float], Any]] = {
    "kept": (FEW, FILLED, [0.5, 1.0], od.NuHOPS(8, seed=4, keep_trajectories=True, keep_states=(1.0,))),
    "zeros": (FEW, TILTED, [0.0], od.NuHOPS(2, seed=1, keep_trajectories=True)),
    "failed": (NEAR, TILTED, [8.0], od.NuHOPS(5, seed=1, max_memory=2.0**-10)),
    "hops": (FEW, FILLED, [0.5], od.HOPS(3, seed=5)),
    "wigner": (FEW, FILLED, [0.5, 1.0], od.TruncatedWigner(4, seed=7, sampling="exact", keep_trajectories=True)),
}
RUNS_WELL = [name for name in CASES if name != "failed"]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / "old-store", tmp_path / "old"))


def run(name: str, store: Path | None, trajectories: int | None = None) -> xr.Dataset:
    model, state, times, method = CASES[name]
    if trajectories is not None:
        method = dataclasses.replace(method, trajectories=trajectories)
    return od.solve(model, state, times, method, store=store, executor=od.Serial())


def never(*_: object) -> None:
    raise AssertionError("a stored trajectory was run again")


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opendicke.methods.hierarchy.propagate", never)
    monkeypatch.setattr("opendicke.methods.hops.FixedBasis.run", never)
    monkeypatch.setattr("opendicke.methods.truncated_wigner.WignerSimulator.__call__", never)


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("name", CASES)
def test_what_was_stored_is_what_is_read(name: str, old: Path) -> None:
    expected = EXPECTED[name]
    study = Store(old).find(expected["key"])
    chunk = study.read(range(expected["trajectories"]))
    assert chunk is not None
    assert chunk.failed == expected["failed"]
    last = chunk.outcomes[-1][1]
    assert not isinstance(last, str)
    parts = {f"averaged.{part}": values for part, values in last.averaged.items()}
    parts |= {f"kept.{part}": values for part, values in last.kept.items()}
    found = {part: np.ascontiguousarray(values).view(float).ravel().tolist() for part, values in parts.items()}
    assert found == expected["last"]


def stored_with(options: dict[str, Any], place: Path) -> str:
    """Eight trajectories, in a study whose description holds these numbers as they are."""
    problem = Problem(FEW, FILLED, np.array([0.5]))
    method = od.NuHOPS(8, seed=4, step=1, feedback=3)
    od.solve(FEW, FILLED, [0.5], method, store=place / "new", executor=od.Serial())
    (new,) = Store(place / "new").studies()
    told = describe(problem, method)
    told["options"] |= options
    path = place / key_of(told)
    path.mkdir()
    (path / "study.json").write_text(json.dumps({"format": 1, "description": told}))
    chunk = new.read(range(8))
    assert chunk is not None
    Study(path).write(chunk)
    shutil.rmtree(place / "new")
    return path.name


@pytest.mark.parametrize("written", [{"step": 1, "feedback": 3}, {"step": 1}, {}], ids=str)
@pytest.mark.parametrize("asked", [1, 1.0], ids=repr)
def test_ints_and_floats_are_the_same_study(
    written: dict[str, Any], asked: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found, read and extended, whichever way it was written and is asked for."""
    stored = stored_with(written, tmp_path)

    def solve(trajectories: int, store: Path | None = tmp_path) -> xr.Dataset:
        method = od.NuHOPS(trajectories, seed=4, step=asked, feedback=3)
        return od.solve(FEW, FILLED, [0.5], method, store=store, executor=od.Serial())

    plain = solve(8, None).drop_attrs()
    with monkeypatch.context() as patch:
        patch.setattr("opendicke.methods.hierarchy.propagate", never)
        for answer in (solve(8), open_study(tmp_path, stored)):
            xr.testing.assert_identical(answer.drop_attrs(), plain)
    xr.testing.assert_identical(solve(12).drop_attrs(), solve(12, None).drop_attrs())
    assert [(study.key, study.trajectories) for study in Store(tmp_path).studies()] == [(stored, 12)]


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("name", RUNS_WELL)
def test_the_same_call_goes_on_with_it(name: str, old: Path) -> None:
    """Whatever the limit of memory was, and is."""
    for result in (run(name, old), open_study(old, EXPECTED[name]["key"])):
        assert result.Sz.values.tolist() == EXPECTED[name]["Sz"]
        assert result.Sz_sem.values.tolist() == EXPECTED[name]["Sz_sem"]
    assert len(Store(old).studies()) == len(CASES)


@pytest.mark.parametrize("name", RUNS_WELL)
def test_it_is_extended(name: str, old: Path) -> None:
    """Other processors may differ in the last digits: by 1e-12 (as in test_golden) of numbers up to 10."""
    longer = CASES[name][3].trajectories + 70
    result, expected = run(name, old, longer), run(name, None, longer)
    assert Store(old).find(EXPECTED[name]["key"]).trajectories == longer
    assert len(Store(old).studies()) == len(CASES)
    for part in expected.data_vars:
        np.testing.assert_allclose(result[part], expected[part], rtol=0, atol=1e-11, err_msg=str(part))


def test_it_is_merged(old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into studies with the keys of today, wherever these lie."""
    new = tmp_path / "new"
    assert Store(new).merge(Store(old)) == len(CASES)
    assert Store(new).merge(Store(old)) == 0
    assert Store(old).merge(Store(new)) == 0
    monkeypatch.setattr("opendicke.methods.hierarchy.propagate", never)
    for name in ("kept", "zeros"):
        assert run(name, new).Sz.values.tolist() == EXPECTED[name]["Sz"]
    keys = {study.key for study in Store(new).studies()}
    assert {EXPECTED[name]["key"] for name in ("zeros", "wigner")} < keys
    assert EXPECTED["kept"]["key"] not in keys


def test_what_failed_is_run_again_under_a_larger_limit_only(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, state, times, method = CASES["failed"]
    with monkeypatch.context() as patch:
        patch.setattr("opendicke.methods.hierarchy.propagate", never)
        with pytest.warns(od.FailedTrajectoryWarning):
            result = run("failed", old)
    assert result.Sz.values.tolist() == EXPECTED["failed"]["Sz"]
    larger = dataclasses.replace(method, max_memory=2.0)
    result = od.solve(model, state, times, larger, store=old, executor=od.Serial())
    assert (result.attrs["trajectories"], result.attrs["failed_trajectories"]) == (5, "[]")
    expected = od.solve(model, state, times, larger, executor=od.Serial())
    np.testing.assert_allclose(result.Sz, expected.Sz, rtol=0, atol=1e-9)  # 1e-12 of N
