"""The store: what is kept is what would be run, and damage is found, named and mended."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.ensemble import store as store_module
from opendicke.ensemble.store import Store, StoreError, Study, key_of
from opendicke.stored import open_study

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


def only_study(root: Path) -> Study:
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

    monkeypatch.setattr("opendicke.methods.hierarchy.propagate", never)
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
    method = od.NuHOPS(trajectories=24, seed=1, max_memory=2.0**-10)
    results = []
    for _ in range(2):
        with pytest.warns(od.FailedTrajectoryWarning):
            results.append(od.solve(model, od.SpinCoherent(np.pi / 4, np.pi), [0.0, 8.0], method, store=tmp_path))
    assert_identical(results[1], results[0])
    assert json.loads(results[0].attrs["failed_trajectories"])


def test_a_larger_limit_goes_on_with_the_same_study(tmp_path: Path) -> None:
    """What failed under the smaller one is run again, and nothing else; under a smaller one nothing is."""
    model = od.DickeModel.balanced(n_atoms=1000, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.2574)

    def solve(limit: float, store: Path | None = tmp_path) -> xr.Dataset:
        method = od.NuHOPS(trajectories=24, seed=1, max_memory=limit)
        return od.solve(model, od.SpinCoherent(np.pi / 4, np.pi), [0.0, 8.0], method, store=store)

    with pytest.warns(od.FailedTrajectoryWarning):
        failed = len(json.loads(solve(2.0**-10).attrs["failed_trajectories"]))
    plain = solve(2.0, None)
    assert count_runs(lambda: assert_same(solve(2.0), plain)) == failed > 0
    for limit in (2.0, 2.0**-10, 4.0):
        assert count_runs(lambda limit=limit: assert_same(solve(limit), plain)) == 0  # type: ignore[misc]
    assert only_study(tmp_path).trajectories == 24


def assert_same(result: xr.Dataset, expected: xr.Dataset) -> None:
    """All numbers, bit for bit."""
    xr.testing.assert_identical(result.drop_attrs(), expected.drop_attrs())


NEAR = od.DickeModel.balanced(n_atoms=1000, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.2574)


def run_near(store: Path, limit: float, trajectories: int = 80) -> xr.Dataset:
    """Some of these outgrow a limit of 2^−10 GiB."""
    method = od.NuHOPS(trajectories=trajectories, seed=1, max_memory=limit, tol=1e-3)
    return od.solve(NEAR, od.SpinCoherent(np.pi / 4, np.pi), [0.0, 8.0], method, store=store)


@pytest.mark.parametrize("victim", [range(64), range(64, 80)], ids=str)
def test_a_study_opened_again_keeps_its_limits(tmp_path: Path, victim: range) -> None:
    """Damaged chunks are mended under the limits of the others: the same numbers, failures and files."""
    with pytest.warns(od.FailedTrajectoryWarning):
        expected = run_near(tmp_path, 2.0**-10)
    study = only_study(tmp_path)
    assert study.limits() == {"max_memory": 2.0**-10}
    content = study.file(victim).read_bytes()
    study.file(victim).write_bytes(b"damaged")
    with pytest.warns(od.FailedTrajectoryWarning):
        assert_identical(open_study(tmp_path, study.key), expected)
    assert study.file(victim).read_bytes() == content


def test_opening_a_study_runs_no_failed_trajectory_again(tmp_path: Path) -> None:
    """Not even where other chunks were run under a larger limit."""
    with pytest.warns(od.FailedTrajectoryWarning):
        failed = run_near(tmp_path, 2.0**-10, 64).attrs["failed_trajectories"]
    file = only_study(tmp_path).file(range(64))
    content = file.read_bytes()
    run_near(tmp_path, 2.0)
    file.write_bytes(content)
    study = only_study(tmp_path)
    assert study.limits() == {"max_memory": 2.0}
    with pytest.warns(od.FailedTrajectoryWarning):
        assert count_runs(lambda: assert_failed(open_study(tmp_path, study.key), failed)) == 0
    assert file.read_bytes() == content


def assert_failed(result: xr.Dataset, failed: str) -> None:
    assert result.attrs["failed_trajectories"] == failed != "[]"


def test_a_damaged_chunk_of_a_sweep_is_mended_under_its_limits(tmp_path: Path) -> None:
    def sweep(run_missing: bool) -> xr.Dataset:
        method = od.NuHOPS(trajectories=40, seed=4, max_memory=0.5)
        grid = {"omega_a": [1.0]}
        return od.sweep(MODEL, grid, STATE, TIMES, method, store=tmp_path, run_missing=run_missing)

    expected = sweep(True)
    file = only_study(tmp_path).file(range(40))
    content = file.read_bytes()
    file.write_bytes(b"damaged")
    assert_same(sweep(False).drop_vars("wall_time_s"), expected.drop_vars("wall_time_s"))
    assert file.read_bytes() == content


def folder_in_place(file: Path) -> None:
    file.unlink()
    file.mkdir()


def dangling_link(file: Path) -> None:
    file.rename(file.with_suffix(".moved"))
    file.symlink_to(file.with_suffix(".elsewhere"))


def link_to_itself(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


@pytest.mark.skipif(os.name == "nt", reason="needs links")
@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (folder_in_place, r"is a folder\. Put the file back, or move it away"),
        (dangling_link, r"is a link to .*elsewhere, which is not there\. Bring that back, or move it away"),
        (link_to_itself, r"is a link to .*, which is not there\. Bring that back, or move it away"),
    ],
)
def test_what_cannot_be_read_is_named_and_left_as_it_is(
    tmp_path: Path, reference: xr.Dataset, harm: Callable[[Path], None], told: str
) -> None:
    """Only what is there and damaged is run again."""
    run(store=tmp_path)
    study = only_study(tmp_path)
    file = study.file(range(64, 128))
    harm(file)
    for use in (
        lambda: run(store=tmp_path),
        lambda: open_study(tmp_path, study.key),
        lambda: Store(tmp_path / "other").merge(Store(tmp_path)),
    ):
        with pytest.raises(StoreError, match=rf"^chunk {file}: {told} to have its trajectories run again\.$"):
            use()
    assert file.is_symlink() or file.is_dir()
    file.rename(tmp_path / "away")
    assert_identical(run(store=tmp_path), reference)


def test_a_chunk_without_permission_is_not_overwritten(
    tmp_path: Path, reference: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests may run as root, whom no permission stops: the refusal is made by hand."""
    run(store=tmp_path)
    file = only_study(tmp_path).file(range(64, 128))
    content, read = file.read_bytes(), Path.read_bytes

    def refuse(self: Path) -> bytes:
        if self == file:
            raise PermissionError(13, "Permission denied", str(self))
        return read(self)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(StoreError, match=rf"^chunk {file}: cannot be read \(.*denied.*\)\. Make it readable, or"):
            run(store=tmp_path)
    assert file.read_bytes() == content
    assert_identical(run(store=tmp_path), reference)


def test_a_chunk_that_another_process_replaced_is_no_error(tmp_path: Path) -> None:
    run(20, store=tmp_path)
    study = only_study(tmp_path)
    ((chunk, file),) = study.files()
    file.unlink()
    assert study._read(file, chunk) is None


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
    with pytest.raises(StoreError, match=r"hashes to .*Restore it"):
        run(20, store=tmp_path)


def test_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written to"):
        run(20, store=tmp_path / "file" / "store")


def test_full_disk_leaves_what_is_done(tmp_path: Path, reference: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def full(source: Path, target: Path) -> None:
        if str(target).endswith(".npz") and len(written) == 1:
            raise OSError(28, "No space left on device")
        written.append(target)
        os.rename(source, target)

    run(1, store=tmp_path)  # the study exists
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
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


def test_read_only_folder(tmp_path: Path, reference: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, whom no permission stops: the refusal is that of a read-only file system, by hand."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    run(store=tmp_path)
    monkeypatch.setattr("os.replace", refuse)
    assert_identical(run(store=tmp_path), reference)  # what is complete can be read
    with pytest.raises(StoreError, match=r"cannot be written \(.*Read-only file system\).*intact"):
        run(160, store=tmp_path)
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StoreError, match=r"cannot be written to \(.*Read-only.*Choose another folder"):
        run(store=tmp_path / "new")


@pytest.mark.parametrize("clock", [[2e9, 1e9, 0.0], [0.0], [-1e9]])
def test_clock_that_goes_backwards(
    tmp_path: Path, reference: xr.Dataset, monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    left = list(clock)
    monkeypatch.setattr("time.time", lambda: left.pop(0) if len(left) > 1 else left[0])
    assert_identical(run(store=tmp_path), reference)
    study = only_study(tmp_path)
    assert study.trajectories == 150
    monkeypatch.undo()
    assert_identical(run(store=tmp_path / "on time"), reference)
    for first, count in study.chunks().items():  # a chunk is the same file whenever it is written
        name = study.file(range(first, first + count)).name
        assert (study.path / name).read_bytes() == (only_study(tmp_path / "on time").path / name).read_bytes()
    assert_identical(run(store=tmp_path), reference)


class StopAfter:
    """A progress meter that interrupts."""

    def __init__(self, trajectories: int) -> None:
        self.left = trajectories

    def start(self, total: int, unit: str, label: str) -> None: ...

    def advance(self, amount: int, **notes: object) -> None:
        self.left -= amount
        if self.left <= 0:
            raise KeyboardInterrupt

    def close(self) -> None: ...


@pytest.mark.parametrize("executor", [od.Serial(), od.Threads(2)])
def test_interrupt_writes_what_is_finished(tmp_path: Path, reference: xr.Dataset, executor: object) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(store=tmp_path, executor=executor, progress=StopAfter(80))
    assert 80 <= only_study(tmp_path).trajectories < 80 + 16
    ran = count_runs(lambda: assert_identical(run(store=tmp_path), reference))
    assert 150 - 96 < ran <= 150 - 80


def count_runs(work: Callable[[], None]) -> int:
    """How many trajectories ``work`` runs."""
    from opendicke.methods import hierarchy

    indices = []
    original = hierarchy.NuHOPSSimulator.__call__

    def counting(self: hierarchy.NuHOPSSimulator, index: int) -> object:
        indices.append(index)
        return original(self, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hierarchy.NuHOPSSimulator, "__call__", counting)
        work()
    return len(indices)


def test_only_what_is_missing_is_run(tmp_path: Path, reference: xr.Dataset) -> None:
    run(100, store=tmp_path)
    only_study(tmp_path).file(range(0, 64)).unlink()
    assert count_runs(lambda: assert_identical(run(store=tmp_path), reference)) == 64 + 50


def test_slow_trajectories_are_written_before_their_chunk_is_full(
    tmp_path: Path, reference: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    original = Study.write
    monkeypatch.setattr(store_module, "CHECKPOINT", 0.0)
    monkeypatch.setattr(
        Study, "write", lambda self, chunk: (written.append(len(chunk.outcomes)), original(self, chunk))
    )
    assert_identical(run(store=tmp_path, executor=od.Serial()), reference)
    assert len(written) > 10
    assert set(only_study(tmp_path).chunks().values()) == {64, 22}  # shorter ones are gone


def test_a_shorter_chunk_stands_in_for_a_damaged_one(tmp_path: Path, reference: xr.Dataset) -> None:
    run(20, store=tmp_path)
    study = only_study(tmp_path)
    short = study.file(range(20)).read_bytes()
    run(store=tmp_path)
    study.file(range(20)).write_bytes(short)  # another process was late with it
    study.file(range(64)).write_bytes(b"damaged")
    assert count_runs(lambda: assert_identical(run(store=tmp_path), reference)) == 44


def test_two_processes_on_one_study(tmp_path: Path, reference: xr.Dataset) -> None:
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]); import test_store, opendicke as od\n"
        "for count in (30, 100, 150): test_store.run(count, store=Path(sys.argv[1]), executor=od.Threads(2))"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path), str(Path(__file__).parent)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert count_runs(lambda: assert_identical(run(store=tmp_path), reference)) == 0
    assert not list(only_study(tmp_path).path.glob(".*"))


def test_what_a_killed_writer_left_is_removed_after_a_day(tmp_path: Path, reference: xr.Dataset) -> None:
    run(store=tmp_path)
    study, now = only_study(tmp_path), time.time()
    for name, age in (("old", 2e5), ("young", 60.0), ("from the future", -1e6)):
        left = study.path / f".00000000-00000063.{name}.part"
        left.write_bytes(b"half")
        os.utime(left, (now - age, now - age))
    assert_identical(run(store=tmp_path), reference)
    assert sorted(file.suffixes[0] for file in study.path.glob(".*")) == [".from the future", ".young"]


@pytest.mark.parametrize("size", [7, 200])
def test_the_size_of_a_chunk_changes_nothing(
    tmp_path: Path, reference: xr.Dataset, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(Study, "CHUNK", size)
    for executor in (od.Threads(3), od.Serial()):
        assert_identical(run(store=tmp_path, executor=executor), reference)


STRANGE = [
    "00000000-00000063 (copy).npz", "a-b.zarr.zip", "1-2-3.zarr.zip", "-.npz", ".npz", "00000064-00000063.npz",
    "00000192-00099999999.zarr.zip", "00000192-99999999999999.npz", "00000000-99999999999999.zarr.zip",
    "00000193-00000200.npz", "00000192-00000256.npz", "000000192-000000193.npz", "٠٠٠٠٠١٩٢-٠٠٠٠٠١٩٣.npz",
    f"00000192-{10**30}.npz",
]  # fmt: skip


def test_files_with_names_that_no_chunk_has(
    tmp_path: Path, reference: xr.Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    run(192, store=tmp_path)
    study = only_study(tmp_path)
    for name in STRANGE:
        (study.path / name).write_bytes(study.file(range(64)).read_bytes())
    (study.path / "notes.txt").write_text("mine")
    assert study.trajectories == 192
    assert Store(tmp_path / "other").merge(Store(tmp_path)) == 3
    assert_identical(run(store=tmp_path), reference)
    expected = [f"{study.path / name}: no chunk has such a name; it is ignored" for name in STRANGE if name != ".npz"]
    assert sorted(record.getMessage() for record in caplog.records) == sorted(expected)


def foreign(description: object) -> dict[str, object]:
    return {"format": 1, "description": description}


FOREIGN = [
    "[]", "1", "null", '"text"', '{"format": 1}', "[" * 100_000, "{", "", "\ud800",
    *(json.dumps(foreign(content)) for content in ([], 1, None, {}, {"model": {}}, {"options": 3, "method": "NuHOPS"})),
]  # fmt: skip


@pytest.mark.parametrize("content", FOREIGN, ids=lambda content: content[:20])
def test_a_damaged_study_is_named_and_hides_no_other(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    run(2, store=tmp_path)
    healthy = only_study(tmp_path).key
    try:
        key = key_of(json.loads(content)["description"])  # the right name
    except (ValueError, LookupError, TypeError, RecursionError):
        key = "0123456789abcdef"
    (tmp_path / key).mkdir()
    (tmp_path / key / "study.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    (damaged,) = [study for study in Store(tmp_path).studies() if study.key != healthy]
    with pytest.raises(StoreError, match=r"study\.json: cannot be used .* Restore it, or move its folder away"):
        damaged.check()
    assert [study.key for study, _ in Store(tmp_path).readable()] == [healthy]
    assert Store(tmp_path / "other").merge(Store(tmp_path)) == 1
    assert caplog.text.count(f"{damaged.path / 'study.json'}: cannot be used") == 2
    assert run(4, store=tmp_path).attrs["trajectories"] == 4


def test_merge_goes_on_beside_a_damaged_study_of_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(2, store=tmp_path / "from")
    shutil.copytree(tmp_path / "from", tmp_path / "to")
    od.solve(MODEL, STATE, TIMES, od.TruncatedWigner(2), store=tmp_path / "from")
    (only_study(tmp_path / "to").path / "study.json").write_text("[]")
    assert Store(tmp_path / "to").merge(Store(tmp_path / "from")) == 1
    assert "It is left out" in caplog.text


def stored_as(tmp_path: Path, change: dict[str, object]) -> str:
    """A study whose description was changed, under the name that this gives it."""
    run(2, store=tmp_path / "first")
    study = only_study(tmp_path / "first")
    description = study.check() | change
    path = tmp_path / key_of(description)
    shutil.copytree(study.path, path)
    (path / "study.json").write_text(json.dumps(foreign(description)))
    return path.name


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"method": "Oracle"}, "its method is 'Oracle', and none of"),
        ({"model": {"n_atoms": 4}}, "omega_a of DickeModel is missing"),
        (
            {"model": {"n_atoms": "x", "omega_a": 1, "omega_c": 1, "kappa": 1, "g_minus": 1, "g_plus": 1}},
            "n_atoms: exp",
        ),
        ({"state": {"theta": 1.0, "phi": 0.0, "alpha": [1, 2, 3]}}, "cannot tell what it is"),
        ({"state": {"theta": 1.0, "phi": 0.0, "alpha": [0, 0], "squeezing": 1}}, "has no squeezing in this version"),
        ({"times": ["a"]}, "times: expected"),
        ({"options": {"seed": 1}}, "point of NuHOPS is missing"),
    ],
    ids=str,
)
def test_a_study_of_something_else_is_refused(tmp_path: Path, change: dict[str, object], told: str) -> None:
    with pytest.raises(StoreError, match=told):
        open_study(tmp_path, stored_as(tmp_path, change))


def test_a_missing_chunk_is_told(tmp_path: Path, reference: xr.Dataset, caplog: pytest.LogCaptureFixture) -> None:
    run(store=tmp_path)
    study = only_study(tmp_path)
    assert (study.left_out(), study.note()) == (None, "")
    first = study.file(range(64))
    content = first.read_bytes()
    first.unlink()
    assert study.left_out() == (range(64), 86)  # up to the first of two later chunks
    first.write_bytes(content)
    study.file(range(64, 128)).unlink()
    assert study.left_out() == (range(64, 128), 22)
    assert study.note().startswith("trajectories 64-127 are missing: 22 later ones are left out")
    assert open_study(tmp_path, study.key).attrs["trajectories"] == 64
    assert study.note() in caplog.text
    study.file(range(64)).unlink()
    with pytest.raises(StoreError, match="trajectories 0-127 are missing: 22 later ones are left out"):
        open_study(tmp_path, study.key)
    assert_identical(run(store=tmp_path), reference)
    assert study.note() == ""


def test_merge_mends_what_is_damaged_here(tmp_path: Path) -> None:
    run(store=tmp_path / "from")
    shutil.copytree(tmp_path / "from", tmp_path / "to")
    study = only_study(tmp_path / "to")
    file = study.file(range(64))
    content = file.read_bytes()
    file.write_bytes(content[:-100] + bytes(100))
    assert Store(tmp_path / "to").merge(Store(tmp_path / "from")) == 1
    assert file.read_bytes() == content
