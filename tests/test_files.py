"""Datasets survive a file, and files that are missing, damaged or half written are told apart."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke import files

MODEL = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.0)


@pytest.fixture(scope="module")
def answer() -> xr.Dataset:
    """One with complex variables, standard errors and trajectories."""
    method = od.NuHOPS(trajectories=3, seed=1, keep_trajectories=True)
    return od.solve(MODEL, od.SpinCoherent(1.0), np.linspace(0, 2, 5), method, progress=False)


def test_an_answer_survives_a_file(answer: xr.Dataset, tmp_path: Path) -> None:
    path = files.save(answer, tmp_path / "new folder" / "answer.nc")
    loaded = files.load(path)
    assert loaded.identical(answer)
    assert {name: part.dtype for name, part in loaded.items()} == {name: part.dtype for name, part in answer.items()}
    assert loaded.a.dtype == np.complex128
    assert {key: type(value) for key, value in loaded.attrs.items() if isinstance(value, str)} == {
        key: str for key, value in answer.attrs.items() if isinstance(value, str)
    }


def test_a_loaded_answer_can_replace_its_own_file(answer: xr.Dataset, tmp_path: Path) -> None:
    path = files.save(answer, tmp_path / "answer.nc")
    files.save(files.load(path), path)
    assert files.load(path).identical(answer)


def test_times_are_numbers_whatever_their_unit_is_called(tmp_path: Path) -> None:
    times = xr.DataArray(np.array([0.0, 1.5]), dims="time", attrs={"units": "seconds"})
    path = files.save(xr.Dataset({"x": ("time", [1.0, 2.0])}, {"time": times}), tmp_path / "seconds.nc")
    assert files.load(path).time.values.tolist() == [0.0, 1.5]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused_by_name(answer: xr.Dataset, tmp_path: Path, share: float) -> None:
    path = files.save(answer, tmp_path / "answer.nc")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(files.DamagedFileError, match=r"answer\.nc.* damaged.* compute it again"):
        files.load(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.nc"
    path.write_text("not NetCDF " * 100)
    with pytest.raises(files.DamagedFileError, match=r"text\.nc"):
        files.load(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.nc.* Check the path"):
        files.load(tmp_path / "missing.nc")


def test_a_failure_leaves_the_old_file_and_nothing_else(
    answer: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.save(answer, tmp_path / "answer.nc")

    def break_off(self: xr.Dataset, target: Path, **_: Any) -> None:
        Path(target).write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(xr.Dataset, "to_netcdf", break_off)
    with pytest.raises(KeyboardInterrupt):
        files.save(answer * 2, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["answer.nc"]
    assert files.load(path).identical(answer)


def test_wrong_arguments_are_named(answer: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"dataset: expected an xarray\.Dataset"):
        files.save(answer.Sx, tmp_path / "answer.nc")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"path: expected a path ending in \.nc"):
        files.save(answer, tmp_path / "answer.txt")
    with pytest.raises(TypeError, match="path: expected the path of a file"):
        files.load(3)  # type: ignore[arg-type]


def test_a_table_is_written(answer: xr.Dataset, tmp_path: Path) -> None:
    lines = files.save_table(answer, tmp_path / "new folder" / "answer.csv").read_text().splitlines()
    assert len(lines) == 1 + answer.time.size
    assert lines[0].startswith("time,Sx,Sx_sem")
    assert "trajectory" not in lines[0]
    with pytest.raises(ValueError, match=r"path: expected a path ending in \.csv"):
        files.save_table(answer, tmp_path / "answer.nc")


def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def break_off(problem: BaseException) -> None:
        with files.replacing(path) as unfinished:
            unfinished.write_text("half")
            raise problem

    for problem in (OSError(28, "No space left on device"), KeyboardInterrupt()):
        with pytest.raises(type(problem)):
            break_off(problem)
        assert not list(tmp_path.iterdir())
    with files.replacing(path) as unfinished:
        unfinished.write_text("whole")
    assert path.read_text() == "whole"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_every_final_file_is_written_by_way_of_another() -> None:
    """Whatever in the package writes files does so in one of these functions, which move them into place."""
    writes = re.compile(r"\.(write_text|write_bytes|to_csv|to_netcdf|savefig)\(|\bopen\([^)]*[\"'][wax]|json\.dump\(")
    # what `replacing` gives; a lock holds nothing; what stays in memory
    allowed = {"unfinished", "place", "opendicke.lock", "self.savefig(stream"}
    for source in Path(od.__file__).parent.rglob("*.py"):
        for line in source.read_text(encoding="utf-8").splitlines():
            if writes.search(line):
                assert any(name in line for name in allowed), f"{source.name}: {line}"


def test_a_table_has_a_column_for_each_spin_and_mode(tmp_path: Path) -> None:
    spins, modes = [od.Spin(n_atoms=n, omega_a=1.0) for n in (2, 4)], [od.Mode(omega_c=1.0, kappa=1.0)] * 2
    system = od.System(spins=spins, modes=modes)
    result = od.solve(system, od.Inverted(), [0.0, 1.0], od.MeanField(), ["Sz", "Sx_a", "Sz1 Sz2"])
    lines = files.save_table(result, tmp_path / "answer.csv").read_text().splitlines()
    assert lines[0] == "time,Sz[0],Sz[1],Sx_a[0][0],Sx_a[0][1],Sx_a[1][0],Sx_a[1][1],Sz1_Sz2"
    assert lines[1].startswith("0.0,1.0,2.0,")
