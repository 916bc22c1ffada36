"""The store: what is kept is what would be run, and damage is found, named and mended."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.ensemble import store as store_module
from opendicke.ensemble.store import Store, StoreError, key_of

MODEL = od.DickeModel(n_atoms=6, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.1, g_plus=0.6)
STATE = od.SpinCoherent(0.8, 3.0, alpha=0.2)
TIMES = np.linspace(0.0, 2.0, 5)


def run(trajectories: int = 150, store: Path | None = None, **options: object) -> xr.Dataset:
    method = od.NuHOPS(trajectories=trajectories, seed=4, keep_trajectories=True, keep_states=(1.0,))
    return od.solve(MODEL, STATE, TIMES, method, store=store, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def reference() -> xr.Dataset:
    return run()


def assert_identical(result: xr.Dataset, expected: xr.Dataset) -> None:
    """All numbers, bit for bit, and all of the provenance but the time it took."""
    xr.testing.assert_identical(result.drop_attrs(), expected.drop_attrs())
    ours, theirs = dict(result.attrs), dict(expected.attrs)
    assert ours.pop("wall_time_s") >= 0
    theirs.pop("wall_time_s")
    assert ours == theirs


def only_study(root: Path) -> store_module.Study:
    (study,) = Store(root).studies()
    return study


def test_stored_run_equals_plain_run(tmp_path: Path, reference: xr.Dataset) -> None:
    assert_identical(run(store=tmp_path), reference)
    assert only_study(tmp_path).trajectories == 150


def test_second_run_reads_and_runs_nothing(
    tmp_path: Path, reference: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store=tmp_path)

    def never(*_: object) -> None:
        raise AssertionError("a stored trajectory was run again")

    monkeypatch.setattr("opendicke.methods.nuhops.propagate", never)
    assert_identical(run(store=tmp_path), reference)


@pytest.mark.parametrize("first", [1, 63, 64, 100])
def test_extended_run_equals_plain_run(tmp_path: Path, reference: xr.Dataset, first: int) -> None:
    run(first, store=tmp_path)
    assert_identical(run(store=tmp_path), reference)
    assert sum(only_study(tmp_path).chunks().values()) == 150


def test_shorter_run_from_a_longer_study(tmp_path: Path) -> None:
    run(store=tmp_path)
    assert_identical(run(70, store=tmp_path), run(70))


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "other trajectories"])
def test_damaged_chunk_is_named_and_run_again(
    tmp_path: Path, reference: xr.Dataset, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    run(store=tmp_path)
    study = only_study(tmp_path)
    victim = study.file(range(64, 128))
    content = victim.read_bytes()
    if damage == "truncate":
        victim.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        middle = len(content) // 2
        victim.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "empty":
        victim.write_bytes(b"")
    else:
        victim.write_bytes(study.file(range(0, 64)).read_bytes())
    with caplog.at_level(logging.WARNING, "opendicke.store"):
        assert_identical(run(store=tmp_path), reference)
    assert victim.name in caplog.text
    assert "damaged" in caplog.text
    assert study.read(range(64, 128)) is not None


def test_failed_trajectories_are_stored(tmp_path: Path) -> None:
    # a few trajectories pass so close to the unstable point that they outgrow the memory limit
    model = od.DickeModel.balanced(n_atoms=1000, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.2574)
    method = od.NuHOPS(trajectories=24, seed=1, memory_limit=2**20)
    results = []
    for _ in range(2):
        with pytest.warns(od.FailedTrajectoryWarning):
            results.append(od.solve(model, od.SpinCoherent(np.pi / 4, np.pi), [0.0, 8.0], method, store=tmp_path))
    assert_identical(results[1], results[0])
    assert json.loads(results[0].attrs["failed_trajectories"])


def test_each_study_has_its_own_key() -> None:
    def key(model: od.DickeModel = MODEL, seed: int = 4, times: object = TIMES, tol: float = 1e-4, n: int = 10) -> str:
        problem = od.solve.__globals__["Problem"](model, STATE, np.asarray(times))
        return key_of(od.solve.__globals__["describe"](problem, od.NuHOPS(trajectories=n, seed=seed, tol=tol)))

    keys = [key(), key(MODEL.replace(g_plus=0.7)), key(seed=5), key(times=TIMES[:-1]), key(tol=1e-5)]
    assert len(set(keys)) == len(keys)
    assert key(n=1000) == key()


def test_store_of_another_version_is_refused(tmp_path: Path) -> None:
    run(20, store=tmp_path)
    file = only_study(tmp_path).path / "study.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(StoreError, match=r"format 99, but this version reads 1"):
        run(20, store=tmp_path)


def test_changed_description_is_refused(tmp_path: Path) -> None:
    run(20, store=tmp_path)
    file = only_study(tmp_path).path / "study.json"
    file.write_text(file.read_text().replace('"seed": 4', '"seed": 5'))
    with pytest.raises(StoreError, match="hashes to"):
        run(20, store=tmp_path)


def test_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written to"):
        run(20, store=tmp_path / "file" / "store")


def test_full_disk_leaves_what_is_done(tmp_path: Path, reference: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def full(source: Path, target: Path) -> None:
        if str(target).endswith(".zip") and len(written) == 1:
            raise OSError(28, "No space left on device")
        written.append(target)
        os.rename(source, target)

    run(1, store=tmp_path)  # the study exists
    with monkeypatch.context() as patch:
        patch.setattr(store_module.os, "replace", full)
        with pytest.raises(StoreError, match=r"No space left.*intact"):
            run(store=tmp_path, executor=od.Serial())
    assert only_study(tmp_path).trajectories == 64
    assert not list(only_study(tmp_path).path.glob(".*"))
    assert_identical(run(store=tmp_path), reference)


def test_method_without_trajectories_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="store: expected a method that runs trajectories"):
        od.solve(MODEL, STATE, TIMES, od.MeanField(), store=tmp_path)


def test_merge_copies_what_is_missing(tmp_path: Path, reference: xr.Dataset) -> None:
    run(store=tmp_path / "long")
    run(10, store=tmp_path / "short")
    assert Store(tmp_path / "short").merge(Store(tmp_path / "long")) == 3
    assert Store(tmp_path / "short").merge(Store(tmp_path / "long")) == 0
    assert_identical(run(store=tmp_path / "short"), reference)


def test_find_needs_one_study(tmp_path: Path) -> None:
    run(2, store=tmp_path)
    key = only_study(tmp_path).key
    assert Store(tmp_path).find(key[:4]).key == key
    with pytest.raises(StoreError, match="0 studies begin with 'zz'"):
        Store(tmp_path).find("zz")
