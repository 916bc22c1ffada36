"""The commands on studies and stores, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from opendicke import files
from opendicke.cli import main

STUDY = """\
[model]
n_atoms = 4
omega_a = 1.0
omega_c = 1.0
kappa = 1.0
g_minus = 1.0
g_plus = 0.5

[state]
theta = 3.0
alpha = [0.1, 0.2]

[times]
start = 0.0
stop = 2.0
points = 3

[method]
name = "NuHOPS"
trajectories = 40
seed = 3

[output]
store = "runs"
result = "out.nc"

[sweep]
g_plus = [0.2, 0.5]
"""


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def test_example_is_a_valid_study(tmp_path: Path) -> None:
    from opendicke.study_file import load

    path = tmp_path / "new.toml"
    assert call("init", path).exit_code == 0
    assert load(path).method.trajectories == 300
    again = call("init", path)
    assert again.exit_code == 2
    assert "exists already" in again.output


def test_run_resume_list_show_export_merge(study: Path) -> None:
    first = call("run", study, "--json")
    assert first.exit_code == 0
    assert json.loads(first.output)["trajectories"] == 40
    written = files.load(study.parent / "out.nc")
    assert call("resume", study, "--quiet").exit_code == 0
    np.testing.assert_array_equal(files.load(study.parent / "out.nc").Sz, written.Sz)

    store = study.parent / "runs"
    (row,) = json.loads(call("ls", store, "--json").output)
    assert row["trajectories"] == 40
    assert row["key"] in call("ls", store).output
    assert json.loads(call("show", store, row["key"][:5]).output)["options"]["seed"] == 3

    table = study.parent / "out.csv"
    assert call("export", store, row["key"], table).exit_code == 0
    header, *lines = table.read_text().splitlines()
    assert len(lines) == 3
    assert float(lines[-1].split(",")[header.split(",").index("Sz")]) == pytest.approx(float(written.Sz[-1]))
    assert call("export", store, row["key"], study.parent / "copy.nc").exit_code == 0
    np.testing.assert_array_equal(files.load(study.parent / "copy.nc").Sz_sem, written.Sz_sem)
    assert "1 chunks copied" in call("merge", study.parent / "other", store).output


def test_sweep_and_its_partial_result(study: Path) -> None:
    assert call("sweep", study, "--partial").exit_code == 1
    assert call("sweep", study, "--threads", 1).exit_code == 0
    result = files.load(study.parent / "out.nc")
    assert dict(result.Sz.sizes) == {"g_plus": 2, "time": 3}
    study.write_text(STUDY.replace("[0.2, 0.5]", "[0.2, 0.3, 0.5]"))
    assert call("sweep", study, "--partial").exit_code == 0
    partial = files.load(study.parent / "out.nc")
    assert np.isnan(partial.Sz.sel(g_plus=0.3)).all()
    np.testing.assert_array_equal(partial.Sz.sel(g_plus=[0.2, 0.5]), result.Sz)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("kappa = 1.0", "kapa = 1.0", 5, "model.kapa: unknown"),
        ("kappa = 1.0", "", 1, "'kappa' is missing"),
        ("kappa = 1.0", "kappa = -1", 5, "expected a number >= 0, got -1"),
        ('"NuHOPS"', '"nuHOPS"', 19, "method.name: expected one of NuHOPS"),
        ("seed = 3", "seeds = 3", 21, "method.seeds: unknown"),
        ("seed = 3", "seed = 3\ntol = 2.0", 22, "tol: expected a number well below 1"),
        ("points = 3", "point = 3", 13, "expected values, or start, stop and points"),
        ("[state]\ntheta = 3.0", "[state]\ntheta = 'a'", 10, "theta: expected a real number"),
    ],
)
def test_mistakes_are_named_with_their_line(study: Path, old: str, new: str, line: int, said: str) -> None:
    study.write_text(STUDY.replace(old, new))
    outcome = call("run", study)
    assert outcome.exit_code == 2
    assert f"line {line}," in outcome.output
    assert said in outcome.output


def test_files_that_are_no_studies(tmp_path: Path) -> None:
    assert "cannot be read" in call("run", tmp_path / "none.toml").output
    (tmp_path / "bad.toml").write_text("[model\n")
    assert "not TOML" in call("run", tmp_path / "bad.toml").output
    (tmp_path / "empty.toml").write_text("")
    assert "the section [" in call("run", tmp_path / "empty.toml").output


def test_broken_store_ends_in_one_line(study: Path) -> None:
    call("run", study, "--quiet")
    (description,) = study.parent.glob("runs/*/study.json")
    description.write_text("{")
    outcome = call("run", study)
    assert outcome.exit_code == 1
    assert "StoreError" in outcome.output
    assert "Traceback" not in outcome.output


def test_phases_and_doctor(tmp_path: Path) -> None:
    assert call("phases", "--points", 15, "--output", tmp_path).exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"phases.png", "phases.pdf", "phases.nc"}
    found = json.loads(call("doctor", "--json").output)
    assert found["peak, Gflop/s per core (double)"] > 0.1
    assert "numba" in found["versions"]
