"""The commands on studies and stores, as a user types them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import opendicke as od
from opendicke import files
from opendicke.cli import main
from opendicke.store_commands import _short

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


@pytest.mark.parametrize("key", ["n_thermal", "drive", "g_minus", "omega_c", "alpha", "cavity", "kind"])
def test_what_the_example_offers_is_taken(tmp_path: Path, key: str) -> None:
    """Each line that is commented out in [model] and [state], in place of the one it replaces."""
    from opendicke.study_file import EXAMPLE, load

    (offered,) = re.findall(rf"(?m)^# ({key} = .*)$", EXAMPLE.partition("[method]")[0])
    told = re.sub(rf"(?m)^{key} = .*\n", "", EXAMPLE)
    told = told.replace(f"# {offered}", offered)
    if key == "kind":
        told = re.sub(r"(?m)^(theta|phi) = .*\n", "", told).replace(offered, f"m = 0.0\n{offered}")
    path = tmp_path / "study.toml"
    path.write_text(told)
    assert load(path).times.size == 201


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
    said = call("sweep", study, "--threads", 1)
    assert said.exit_code == 0
    assert said.output.splitlines()[-1] == f"To see it: opendicke plot {study.parent / 'out.nc'}"
    result = files.load(study.parent / "out.nc")
    assert dict(result.Sz.sizes) == {"g_plus": 2, "time": 3}
    study.write_text(STUDY.replace("[0.2, 0.5]", "[0.2, 0.3, 0.5]"))
    assert call("sweep", study, "--partial").exit_code == 0
    partial = files.load(study.parent / "out.nc")
    assert np.isnan(partial.Sz.sel(g_plus=0.3)).all()
    np.testing.assert_array_equal(partial.Sz.sel(g_plus=[0.2, 0.5]), result.Sz)


def test_a_study_of_a_moving_model(study: Path) -> None:
    """All kinds of signals, real and complex, from the file to the result and back from the store."""
    from opendicke.stored import open_study
    from opendicke.study_file import load

    moving = STUDY.replace("kappa = 1.0", "kappa = { kind = 'ramp', times = [0, 1, 1], values = [0.5, 1, 2.0] }")
    moving = moving.replace("omega_c = 1.0", "omega_c = { kind = 'sine', mean = 1, amplitude = 0.5, frequency = 2.0 }")
    moving = moving.replace(
        "[state]",
        """\
n_thermal = { kind = "samples", times = [0, 1, 2, 3], values = [0.1, 0.2, 0.2, 0.1] }
drive = { kind = "ramp", times = [0.0, 1.0], values = [0.0, [0.1, -0.3]] }
atom_drive = [0.0, 0.2]

[state]""",
    )
    study.write_text(moving.partition("[sweep]")[0])
    model = load(study).model
    assert model.kappa == od.Ramp((0.0, 1.0, 1.0), (0.5, 1.0, 2.0))
    assert model.omega_c == od.Sine(1.0, 0.5, frequency=2.0)
    assert model.n_thermal == od.Samples((0.0, 1.0, 2.0, 3.0), (0.1, 0.2, 0.2, 0.1))
    assert (model.drive, model.atom_drive) == (od.Ramp((0.0, 1.0), (0.0, 0.1 - 0.3j)), 0.2j)
    assert call("run", study).exit_code == 0
    assert od.DickeModel.of(files.load(study.parent / "out.nc")) == model
    (row,) = json.loads(call("ls", study.parent / "runs", "--json").output)
    assert od.DickeModel.of(open_study(study.parent / "runs", row["key"])) == model
    (line,) = call("ls", study.parent / "runs").output.splitlines()
    assert "omega_c=sine(1, 0.5, 2, 0) kappa=ramp(t=0,1,1: 0.5,1,2)" in line
    assert "n_thermal=samples(t=0,1,2,3: 0.1,0.2,0.2,0.1) drive=ramp(t=0,1: 0+0j,0.1-0.3j) atom_drive=0+0.2j" in line


def test_a_long_signal_is_listed_in_one_short_line(study: Path) -> None:
    points = list(range(100))
    told = f"kappa = {{ kind = 'ramp', times = {points}, values = {points} }}"
    study.write_text(STUDY.replace("kappa = 1.0", told).partition("[sweep]")[0])
    assert call("run", study).exit_code == 0
    assert "kappa=ramp(t=0,…,99: 0,…,99)" in call("ls", study.parent / "runs").output


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("kind = 'dicke'\nm = 1.0\nalpha = [0.1, 0.2]", od.Dicke(1.0, alpha=0.1 + 0.2j)),
        ("kind = 'thermal_spin'\nx = 0.5", od.ThermalSpin(0.5)),
        ("kind = 'spin_squeezed'\ntheta = 1\nphi = 0.5\nmu = 0.2", od.SpinSqueezed(1.0, 0.5, 0.2)),
        (
            "kind = 'spin_superposition'\nangles = [[0, 0], [1.0, 0.5]]\nweights = [1, [0.0, 1.0]]",
            od.SpinSuperposition(((0.0, 0.0), (1.0, 0.5)), (1.0, 1j)),
        ),
        ("theta = 1.0\ncavity = { kind = 'fock', photons = 2 }", od.SpinCoherent(1.0, cavity=od.cavities.Fock(2))),
        (
            "theta = 1.0\ncavity = { kind = 'squeezed', r = 0.5, alpha = [0.1, 0.2] }",
            od.SpinCoherent(1.0, cavity=od.cavities.Squeezed(0.5, alpha=0.1 + 0.2j)),
        ),
    ],
)
def test_states_in_a_study(study: Path, told: str, state: Any) -> None:
    from opendicke.study_file import load

    study.write_text(STUDY.replace("theta = 3.0\nalpha = [0.1, 0.2]", told))
    assert load(study).state == state


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("theta = 3.0", "theta = 3.0\nkind = 'dike'", 11, "state.kind: expected a kind out of 'dicke'"),
        ("alpha = [0.1, 0.2]", "cavity = { kind = 'fok' }", 11, "state.cavity: expected a kind out of 'fock'"),
        ("alpha = [0.1, 0.2]", "cavity = { kind = 'fock', photons = -1 }", 11, "expected an integer >= 0"),
        ("kappa = 1.0", "kappa = { times = [0, 1], values = [1, 1] }", 5, "model.kappa: expected a kind out of 'ramp'"),
        ("kappa = 1.0", "kappa = { kind = 'ramp', values = [1, 1] }", 5, "model.kappa: the key 'times' is missing"),
        ("kappa = 1.0", "kappa = { kind = 'ramp', times = [0, 1], values = [1, -1] }", 5, "nowhere below 0"),
        ("kappa = 1.0", "kappa = { kind = 'sine', mean = [1, 1], amplitude = 1, frequency = 1 }", 5, "real values"),
        ("kappa = 1.0", "kappa = 1.0\ndrive = [1]", 6, "model.drive: expected [real part, imaginary part]"),
        ("kappa = 1.0", "kapa = 1.0", 5, "model.kapa: unknown"),
        ("kappa = 1.0", "", 1, "'kappa' is missing"),
        ('name = "NuHOPS"', "name = {}", 19, "method.name: expected one of NuHOPS"),
        ("kappa = 1.0", f"kappa = {'9' * 400}", 5, "model.kappa: expected a finite number"),
        ("n_atoms = 4", f"n_atoms = {'9' * 400}", 2, "model.n_atoms: expected an integer <="),
        ("stop = 2.0", f"stop = {'9' * 400}", 13, "times: stop: expected a finite number"),
        ("points = 3", f"points = 1{'0' * 30}", 13, "times: points: expected an integer <= 100000000"),
        ("start = 0.0", "start = nan", 13, "times: start: expected a finite number"),
        ("alpha = [0.1, 0.2]", f"alpha = [{'9' * 400}, 0.2]", 11, "state.alpha: expected [real part, imaginary part]"),
        ("alpha = [0.1, 0.2]", "alpha = [true, 0.2]", 11, "state.alpha: expected [real part, imaginary part]"),
        ("seed = 3", "seed = 3\nkeep_trajectories = 'no'", 22, "method.keep_trajectories: expected True or False"),
        ('store = "runs"', 'store = ""', 24, "output.store: expected a path, got ''"),
        ("g_plus = [0.2, 0.5]", f"g_plus = [{'9' * 400}]", 28, "values[0] = inf"),
        ("g_plus = [0.2, 0.5]", "n_atoms = { start = 1, stop = 1e20, points = 2 }", 28, "n_atoms: expected an integer"),
        ("g_plus = [0.2, 0.5]", "coupling = [nan]", 28, "finite"),
        ("kappa = 1.0", "kappa = -1", 5, "expected a number >= 0, got -1"),
        ('"NuHOPS"', '"nuHOPS"', 19, "method.name: expected one of NuHOPS"),
        ("seed = 3", "seeds = 3", 21, "method.seeds: unknown"),
        ("seed = 3", "seed = 3\ntol = 2.0", 22, "tol: expected a number well below 1"),
        ("points = 3", "point = 3", 13, "expected values, or start, stop and points"),
        ("[state]\ntheta = 3.0", "[state]\ntheta = 'a'", 10, "theta: expected a real number"),
        ("alpha = [0.1, 0.2]", "alpha = [0.1, 'x']", 11, "state.alpha: expected [real part, imaginary part]"),
        ("start = 0.0", "start = -1.0", 13, "expected a first value >= 0"),
        ("points = 3", "points = 2.5", 13, "points: expected an integer, got 2.5"),
        ('name = "NuHOPS"', "trajectory = 1", 18, "method.name: expected one of NuHOPS"),
        ("seed = 3", "seed = 3\nprecision = { variable = 'Sz' }", 22, "exactly one of them"),
        ("seed = 3", "seed = 3\nprecision = { variable = 'Sz', relativ = 1 }", 22, "method.relativ: unknown"),
        (
            "seed = 3",
            "seed = 3\nprecision = { variable = 'Sz', relative = 1, times = [0.3] }",
            22,
            "times out of the solve's times",
        ),
        ('result = "out.nc"', 'result = "out.csv"', 25, "output.result: expected a name that ends in .nc"),
        ('store = "runs"', "store = 3", 24, "output.store: expected a path, got 3"),
        ('result = "out.nc"', 'observables = ["Sq"]', 25, "output.observables: expected names of variables, or words"),
        ('result = "out.nc"', 'observables = "Sz"', 25, "output.observables: expected a list"),
        ("g_plus = [0.2, 0.5]", "kapa = [1.0]", 28, "sweep.kapa: unknown"),
        ("g_plus = [0.2, 0.5]", "kappa = [1.0, -1.0]", 28, "expected a number >= 0, got -1.0"),
        ("g_plus = [0.2, 0.5]", "n_atoms = [4, 4.5]", 28, "n_atoms: expected an integer"),
        ("g_plus = [0.2, 0.5]", "g_plus = [0.2, 0.2]", 28, "expected different values"),
        ("g_plus = [0.2, 0.5]", "g_plus = ['a']", 28, "expected a sequence of real numbers, got ['a']"),
        ("g_plus = [0.2, 0.5]", "common_random_numbers = 1", 28, "expected true or false"),
        (
            'name = "NuHOPS"\ntrajectories = 40\nseed = 3',
            'name = "MeanField"',
            22,
            "output.store: MeanField runs no trajectories",
        ),
        (
            'name = "NuHOPS"\ntrajectories = 40\nseed = 3',
            'name = "HOPS"\ntrajectories = 2\nmax_memory = 1e-9',
            2,
            "model.n_atoms: 4 atoms at depth 30 need",
        ),
    ],
)
def test_mistakes_are_named_with_their_line(study: Path, old: str, new: str, line: int, said: str) -> None:
    study.write_text(STUDY.replace(old, new))
    outcome = call("run", study)
    assert outcome.exit_code == 2
    assert f"line {line}," in outcome.output
    assert said in outcome.output


def test_a_key_may_be_written_in_many_ways(study: Path) -> None:
    for model in (
        "model = { n_atoms = 4, omega_a = 1.0, omega_c = 1.0, kappa = -1.0, g_minus = 1.0, g_plus = 0.5 }",
        "model.n_atoms = 4\nmodel.omega_a = 1.0\nmodel.omega_c = 1.0\nmodel.g_minus = 1.0\nmodel.g_plus = 0.5\n"
        "model.kappa = -1.0",
    ):
        study.write_text(model + STUDY[STUDY.index("\n[state]") :])
        line = model.count("\n") + 1
        assert f"line {line}, model.kappa: expected a number >= 0" in call("run", study).output
    study.write_text(STUDY.replace("seed = 3", 'seed = 3\n[method.precision]\nvariable = "Sz"\n"relativ" = 0.1'))
    assert "line 24, method.relativ: unknown" in call("run", study).output


def test_whole_numbers_of_a_sweep_stay_whole(study: Path) -> None:
    for atoms in ("[2, 4]", "{ start = 2, stop = 4, points = 2 }"):
        study.write_text(STUDY.replace("g_plus = [0.2, 0.5]", f"n_atoms = {atoms}"))
        told = json.loads(call("sweep", study, "--json").output)
        assert told == {
            "result": str(study.parent / "out.nc"),
            "points": 2,
            "points_begun": 2,
            "trajectories": 80,
        }


def test_a_sweep_over_the_coupling(study: Path) -> None:
    study.write_text(STUDY.replace("g_plus = [0.2, 0.5]", "coupling = [0.75, 3.0]"))
    assert call("sweep", study, "--quiet").exit_code == 0
    assert files.load(study.parent / "out.nc").coupling.values.tolist() == [0.75, 3.0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--omega-c", "nan"], "--omega-c: expected a finite number, got nan"),
        (["--kappa", "2", "--omega-c", "1e308"], "--omega-c: expected a number <= 1e+30"),
        (["--g-max", "1e-320"], "--g-max: expected a number >= 1e-30"),
        (["--g-max", "inf"], "--g-max: expected a finite number"),
    ],
)
def test_phases_of_what_is_no_rate(tmp_path: Path, options: list[str], said: str) -> None:
    outcome = call("phases", *options, "--points", 3, "--output", tmp_path)
    assert (outcome.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert said in outcome.output


def test_files_that_are_no_studies(tmp_path: Path) -> None:
    for brackets in ("[" * 5000, "[" * 5000 + "]" * 5000, "9" * 5000):
        (tmp_path / "deep.toml").write_text(f"x = {brackets}\n")
        outcome = call("run", tmp_path / "deep.toml")
        assert (outcome.exit_code, "deep.toml: " in outcome.output) == (2, True)
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    assert "not UTF-8" in call("run", tmp_path / "latin.toml").output
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


def test_extend_and_timeout(study: Path) -> None:
    assert json.loads(call("run", study, "--json").output)["trajectories"] == 40
    assert json.loads(call("extend", study, 70, "--json").output)["trajectories"] == 70
    assert json.loads(call("run", study, "--trajectories", 100, "--json").output)["trajectories"] == 100
    (row,) = json.loads(call("ls", study.parent / "runs", "--json").output)
    assert row["trajectories"] == 100
    assert json.loads(call("run", study, "--json").output)["trajectories"] == 40  # the study's own number
    short = call("run", study, "--trajectories", 10**6, "--timeout", 0.5, "--json", "--threads", 1)
    assert 100 < json.loads(short.output)["trajectories"] < 10**6
    study.write_text(STUDY.replace('"NuHOPS"\ntrajectories = 40\nseed = 3', '"MeanField"').replace("store", "# store"))
    outcome = call("extend", study, 50)
    assert outcome.exit_code == 2
    assert "method.name: MeanField runs no trajectories" in outcome.output


def test_compare(study: Path) -> None:
    """NuHOPS against the exact solution of four atoms: 3 times, beyond 4.5 standard errors with 1e-3."""
    study.write_text(STUDY.replace("seed = 3", "seed = 3\ntol = 1e-5"))
    arguments = ["compare", study, "--method", "Lindblad", "--method", "MeanField", "--method", "TruncatedWigner"]
    told = json.loads(call(*arguments, "--json").output)
    table = files.load(study.parent / "out-compared.nc")
    assert table.solver.values.tolist() == ["NuHOPS", "Lindblad", "MeanField", "TruncatedWigner"]
    assert told["reference"] == table.attrs["reference"] == "NuHOPS"
    assert told["result"] == str(study.parent / "out-compared.nc")
    rows = {row["method"]: row for row in told["methods"]}
    assert rows["NuHOPS"]["verdict"] == "exact: the reference"
    assert rows["Lindblad"]["exact"]
    assert not rows["MeanField"]["exact"]
    z = [abs(table[f"{name}_z"].sel(solver="Lindblad").values) for name in ("Sx", "Sy", "Sz")]
    assert np.nanmax(z) < 4.5
    assert rows["Lindblad"]["largest_z"] >= np.nanmax(z)
    output = call(*arguments, "--threads", 1).output
    assert "standard errors from the reference" in output
    refused = call("compare", study, "--method", "Exact")
    assert refused.exit_code == 2
    assert "--method: expected one of NuHOPS" in refused.output


def test_compare_says_who_cannot(study: Path) -> None:
    study.write_text(STUDY.replace("n_atoms = 4", "n_atoms = 400"))
    output = call("compare", study, "--method", "Lindblad", "--quiet", "--json").output
    rows = {row["method"]: row for row in json.loads(output)["methods"]}
    assert rows["Lindblad"]["verdict"].startswith("no answer: n_atoms: 400 atoms")


def test_logs_on_request(study: Path) -> None:
    assert call("run", study, "--quiet").stderr == ""
    assert "40 trajectories are stored" in call("-v", "run", study, "--quiet").stderr
    assert "chunk" not in call("-v", "run", study, "--quiet", "--trajectories", 50).stderr
    assert "00000000-00000059.npz written" in call("-vv", "run", study, "--quiet", "--trajectories", 60).stderr


def test_a_damaged_chunk_is_named_without_being_asked(study: Path) -> None:
    call("run", study, "--quiet")
    (chunk,) = study.parent.glob("runs/*/*.npz")
    chunk.write_bytes(chunk.read_bytes()[:1000])
    outcome = call("run", study, "--quiet")
    assert outcome.exit_code == 0
    assert f"damaged chunk {chunk}" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


def test_a_missing_chunk_and_a_damaged_study_are_told(study: Path) -> None:
    call("run", study, "--quiet", "--trajectories", 150)
    store = study.parent / "runs"
    (chunk,) = store.glob("*/00000064-*.npz")
    chunk.unlink()
    (store / "0123456789abcdef").mkdir()
    (store / "0123456789abcdef" / "study.json").write_text("[]")
    listed = call("ls", store)
    assert listed.exit_code == 0
    assert "64 trajectories" in listed.stdout
    assert "trajectories 64-127 are missing: 22 later ones are left out" in listed.stdout
    assert "0123456789abcdef/study.json: cannot be used" in listed.stderr
    (row,) = json.loads(call("ls", store, "--json").stdout)
    assert (row["trajectories"], row["left_out"]) == (64, 22)
    assert "64-127 are missing" in json.loads(call("show", store, row["key"]).stdout)["note"]
    exported = call("export", store, row["key"], study.parent / "table.csv")
    assert exported.exit_code == 0
    assert "64-127 are missing" in exported.stderr
    merged = call("merge", study.parent / "all", store)
    assert (merged.exit_code, merged.stdout) == (0, f"{store}: 2 chunks copied\n")


@pytest.mark.parametrize("what", ["init", "table.csv", "table.nc"])
def test_a_full_disk_leaves_nothing_under_the_final_name(
    study: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("run", study, "--quiet")
    key = next((study.parent / "runs").iterdir()).name
    target = study.parent / "new" / ("study.toml" if what == "init" else what)
    command = ("init", target) if what == "init" else ("export", study.parent / "runs", key, target)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        outcome = call(*command)
    assert outcome.exit_code == 1
    assert "No space left on device" in outcome.stderr
    assert not list(target.parent.iterdir())
    assert call(*command).exit_code == 0
    assert [entry.name for entry in target.parent.iterdir()] == [target.name]


def test_no_bar_off_a_terminal(study: Path) -> None:
    assert call("run", study).stderr == ""


def test_the_library_is_silent_unless_something_is_wrong(study: Path) -> None:
    """A script that sets up no logging sees nothing on standard error but a damaged chunk's name."""
    store = study.parent / "own"
    program = (
        "import numpy as np, opendicke as od;"
        "m = od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.0, g_plus=0.5);"
        f"od.solve(m, od.Normal(), [0.0, 1.0], od.NuHOPS(20, seed=1), store={str(store)!r})"
    )

    def printed() -> str:
        command = [sys.executable, "-W", "error", "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    assert printed() == ""
    (chunk,) = store.glob("*/*.npz")
    chunk.write_bytes(chunk.read_bytes()[:-100])
    assert str(chunk) in printed()
    assert printed() == ""


def test_completion_of_commands_and_methods() -> None:
    def complete(words: str, last: int) -> list[str]:
        program = "from opendicke.cli import main; main(prog_name='opendicke')"
        asked = {"_OPENDICKE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(last)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=os.environ | asked, capture_output=True, text=True, check=True
        )
        return [line.split(",")[1] for line in done.stdout.split()]

    assert complete("opendicke s", 1) == ["show", "sweep"]
    assert complete("opendicke compare study.toml --method M", 4) == ["MeanField"]


def test_doctor_finds_a_gpu_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'Some GPU, 1024 MiB'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert json.loads(call("doctor", "--json").output)["gpu"] == "Some GPU, 1024 MiB (not used)"
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert "none that answers" in call("doctor").output


def test_an_unreachable_scheduler_is_one_line(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "200ms"}):
        outcome = call("run", study, "--dask", "tcp://127.0.0.1:9", "--quiet")
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("Error: OSError: ")
    assert len(outcome.stderr.splitlines()) == 1


def test_going_on_never_leaves_a_result_from_fewer_trajectories(study: Path) -> None:
    assert call("extend", study, 60, "--quiet").exit_code == 0
    written = files.load(study.parent / "out.nc")
    assert json.loads(call("resume", study, "--json").output)["trajectories"] == 60  # the study file says 40
    np.testing.assert_array_equal(files.load(study.parent / "out.nc").Sz, written.Sz)
    for command in (["extend", study, 10], ["resume", study, "--trajectories", 10]):
        outcome = call(*command)
        assert outcome.exit_code == 2
        assert "trajectories: expected at least 60, which are stored, got 10" in outcome.output
        assert files.load(study.parent / "out.nc").attrs["trajectories"] == 60
    study.write_text(STUDY.replace('store = "runs"\n', ""))  # nothing is stored: any number will do
    assert json.loads(call("run", study, "--trajectories", 10, "--json").output)["trajectories"] == 10


def test_extend_and_compare_take_a_timeout(study: Path) -> None:
    told = json.loads(call("extend", study, 1_000_000, "--timeout", 1, "--threads", 1, "--json").output)
    assert 0 < told["trajectories"] < 1_000_000
    study.write_text(STUDY.replace("n_atoms = 4", "n_atoms = 40").replace("stop = 2.0", "stop = 2000.0"))
    outcome = call("compare", study, "--method", "Lindblad", "--timeout", 0.5, "--threads", 1, "--json")
    rows = {row["method"]: row["verdict"] for row in json.loads(outcome.output)["methods"]}
    assert rows["Lindblad"].startswith("no answer: timeout")


SYSTEM = """
[model]
spins = [{ n_atoms = 6, omega_a = 1.0 }, { n_atoms = 4, omega_a = 1.0 }]
modes = [{ omega_c = 1.0, kappa = 0.5, drive = { kind = "sine", mean = 0.0, amplitude = [0.1, 0.2], frequency = 2.0 } }]
g_minus = [[0.8], [[0.0, 0.3]]]

[state]
kind = "product"
spins = [{ theta = 2.0 }, { kind = "dicke", m = 1.0 }]
modes = [{ kind = "thermal", photons = 0.3 }]

[times]
values = [0.0, 1.0]

[method]
name = "TruncatedWigner"
trajectories = 4

[output]
store = "runs"
result = "out.nc"
observables = ["Sz", "Sx1 Sx2"]

[sweep]
modes.0.kappa = [0.5, 1.0]
"""


def test_a_system_in_a_study_file(tmp_path: Path) -> None:
    path = tmp_path / "system.toml"
    path.write_text(SYSTEM)
    assert call("run", path, "--quiet").exit_code == 0
    alone = files.load(tmp_path / "out.nc")
    assert alone.Sz.dims == ("time", "spin")
    system = od.System.of(alone)
    assert system.modes[0].drive == od.Sine(0.0, 0.1 + 0.2j, 2.0)
    assert system.g_minus == ((0.8,), (0.3j,))
    assert call("sweep", path, "--quiet").exit_code == 0
    swept = files.load(tmp_path / "out.nc")
    assert swept.Sx1_Sx2.dims == ("modes.0.kappa", "time")
    point = swept.sel({"modes.0.kappa": 1.0})
    assert od.System.of(point) == system.replace(**{"modes.0.kappa": 1.0})
    listed = call("ls", tmp_path / "runs").output
    assert _short([[0.3, 0.4], [[0.0, 1.0], 2.0]]) == "[[0.3, 0.4], [0+1j, 2]]"
    assert "spins=[(n_atoms=6 omega_a=1), (n_atoms=4 omega_a=1)]" in listed
    compared = call("compare", path, "--method", "TruncatedWigner", "--method", "NuHOPS")
    assert "expected one spin and one mode, got 2 and 1" in compared.output
    path.write_text(SYSTEM.replace("kappa = 0.5, drive", "kapa = 0.5, drive"))
    assert "Mode" in call("run", path).output
