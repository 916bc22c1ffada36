"""The command line: what it writes, and how it ends when something is wrong."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import opendicke as od
from opendicke import files
from opendicke.cli import main
from opendicke.ensemble.store import Store
from opendicke.figures import figure1

FILES = {f"figure1-{panel.name}{kind}.nc" for panel in figure1.PANELS for kind in ("", "-mean-field")}
FILES |= {f"figure1-{panel.map_name}.nc" for panel in figure1.PANELS}


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo with few atoms (what the paper states is then not true, which the checks must notice)."""
    panels = tuple(replace(panel, n_atoms=4) for panel in figure1.PANELS)
    monkeypatch.setattr(figure1, "PANELS", panels)


def test_version() -> None:
    import importlib.metadata

    outcome = call("--version")
    assert outcome.exit_code == 0
    assert importlib.metadata.version("opendicke") in outcome.output


@pytest.mark.usefixtures("small")
def test_demo_writes_picture_and_datasets_and_reports_what_fails(tmp_path: Path) -> None:
    outcome = call("demo", "--output", str(tmp_path / "out"), "--trajectories", "20", "--seed", "3", "--threads", "1")
    assert names(tmp_path / "out") == FILES | {"figure1.png", "figure1.pdf"}
    assert re.search(r"Wall time: \d+ s", outcome.stdout)
    assert "opendicke demo --trajectories 200" in outcome.stdout
    assert "FAIL  (c1) N = 1000: only a marginal difference" in outcome.stdout
    assert outcome.exit_code == 1
    loaded = files.load(tmp_path / "out" / "figure1-d1.nc")
    assert loaded.sizes["trajectory"] == 20
    assert '"seed": 3' in loaded.attrs["method_options"]


@pytest.mark.usefixtures("small")
def test_quiet_prints_only_what_failed(tmp_path: Path) -> None:
    outcome = call("demo", "--output", str(tmp_path), "--trajectories", "20", "--quiet")
    assert outcome.stdout == ""
    assert outcome.stderr
    assert all(line.startswith("  FAIL") for line in outcome.stderr.splitlines())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--trajectories", "0"], "--trajectories"),
        (["--trajectories", "many"], "'many' is not a valid integer"),
        (["--seed", "-1"], "--seed"),
        (["--threads", "0"], "--threads"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_bad_input_ends_with_code_2_and_no_traceback(tmp_path: Path, arguments: list[str], words: str) -> None:
    outcome = call("demo", "--output", str(tmp_path), *arguments)
    assert outcome.exit_code == 2
    assert words in outcome.stderr
    assert "Traceback" not in outcome.output
    assert names(tmp_path) == set()


def test_a_folder_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    for folder in (blocked, blocked / "below"):
        outcome = call("demo", "--output", str(folder))
        assert outcome.exit_code == 2
        assert "--output" in outcome.stderr


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), od.TrajectoryError("all 20 failed")])
def test_a_failure_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def fail(*_: object) -> None:
        raise problem

    monkeypatch.setattr(files, "save", fail)
    outcome = call("demo", "--output", str(tmp_path), "--trajectories", "2", "--quiet")
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("Error: ")
    assert len(outcome.stderr.splitlines()) == 1


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """However long it takes to compile on a busy machine: a signal before that meets no handler of ours."""
    deadline = time.monotonic() + 300
    while not ready():
        assert process.poll() is None, process.communicate()
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError("the program did not come as far as it should")
        time.sleep(0.02)


def test_an_interrupt_keeps_what_is_finished(tmp_path: Path) -> None:
    # The first panel is small, the others take minutes: the interrupt always comes in the second.
    program = (
        "from dataclasses import replace; from opendicke.figures import figure1; from opendicke.cli import main;"
        "first, *others = figure1.PANELS; figure1.PANELS = (replace(first, n_atoms=2), *others);"
        f"main(['demo', '--output', {str(tmp_path)!r}, '--trajectories', '600'])"
    )
    environment = os.environ | {"PYTHONWARNINGS": "error"}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    finished = tmp_path / "figure1-a2.nc"
    wait_for(finished.exists, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Interrupted. Finished and kept: " in errors
    assert "Traceback" not in errors
    assert names(tmp_path) == {"figure1-a1.nc", "figure1-a1-mean-field.nc", "figure1-a2.nc"}
    assert files.load(tmp_path / "figure1-a1.nc").sizes["trajectory"] == 600


LONG = """\
model = { n_atoms = 100, omega_a = 1.0, omega_c = 2.5, kappa = 0.5, g_minus = 1.1, g_plus = 1.1 }
state = { theta = 0.8 }
times = { start = 0.0, stop = 4.0, points = 5 }
method = { name = "NuHOPS", trajectories = 1000000, seed = 1 }
output = { store = "runs", result = "out.nc" }
"""


@pytest.mark.parametrize(
    ("signals", "code"), [([signal.SIGINT], 130), ([signal.SIGTERM], 143), ([signal.SIGINT, signal.SIGINT], 130)]
)
def test_a_signal_ends_a_run_in_good_order_and_the_second_at_once(
    tmp_path: Path, signals: list[signal.Signals], code: int
) -> None:
    (tmp_path / "study.toml").write_text(LONG)
    # "At once" may be in the middle of a loop over a folder, which Python then calls unclosed.
    strict = ["-W", "error", "-W", "ignore::ResourceWarning"]
    command = [sys.executable, *strict, "-c", "from opendicke.cli import main; main()", "run", "study.toml"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: len(list(tmp_path.glob("runs/*/*.npz"))) >= 2, process)
    for number in signals:
        os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)  # the whole run would take hours
    assert process.returncode == code
    assert "Traceback" not in errors
    assert "once more ends at once" in errors
    if len(signals) == 1:
        assert "Finished trajectories are kept in runs: the same command goes on from there" in errors
        assert not list(tmp_path.glob("runs/*/.*"))
    study = Store(tmp_path / "runs").studies()[0]
    assert study.trajectories >= 128
    outcome = CliRunner().invoke(
        main, ["run", str(tmp_path / "study.toml"), "--trajectories", "128", "--json"], catch_exceptions=False
    )
    assert json.loads(outcome.output)["trajectories"] == 128
    stored = files.load(tmp_path / "out.nc")
    model = od.DickeModel(n_atoms=100, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.1, g_plus=1.1)
    expected = od.solve(model, od.SpinCoherent(0.8), np.linspace(0, 4, 5), od.NuHOPS(128, seed=1))
    np.testing.assert_array_equal(stored.Sz, expected.Sz)
    np.testing.assert_array_equal(stored.Sz_sem, expected.Sz_sem)
