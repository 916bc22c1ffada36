"""The gallery's slow ramp: its theory against an independent one, and that its checks can fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from scipy.integrate import solve_ivp

from opendicke.cli import main
from opendicke.gallery import slow_ramp

N_ATOMS = 100_000


@pytest.fixture(scope="module")
def answers() -> dict[str, xr.Dataset]:
    """As linear theory has them: S^x is a normal number times the growth of its deviation, up to a third of N."""
    times, found = slow_ramp._variances()
    normal = np.random.default_rng(1).standard_normal(600)
    sx = np.clip(normal[:, None] * np.sqrt(N_ATOMS * found), -N_ATOMS / 3, N_ATOMS / 3)
    data = {
        "Sx_trajectory": (("trajectory", "time"), sx),
        "Sx2": (("time",), (sx**2).mean(axis=0) + 0.5 * N_ATOMS),
    }
    exact = xr.Dataset(data, {"time": times}, attrs={"model": slow_ramp.model(N_ATOMS).json()})
    grown = np.minimum(np.sqrt(N_ATOMS * found), N_ATOMS / 3)
    mean_field = xr.Dataset({"Sx": (("time",), grown)}, {"time": times}, attrs=exact.attrs)
    return {f"n{N_ATOMS}": exact, f"mean-field-n{N_ATOMS}": mean_field}


def test_the_variance_is_that_of_the_differential_equation(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the ramp in 20 µs, in which the cavity turns 80 times: off by 4e-4, and by 2e-2 with the coupling of each
    step's start."""
    monkeypatch.setattr(slow_ramp, "DURATION", 20.0)
    rates = slow_ramp.RATES

    def flow(time: float, y: np.ndarray) -> np.ndarray:
        coupling = slow_ramp.threshold() * slow_ramp._coupling(np.array(time))
        drift = np.zeros((4, 4))
        drift[0, 1], drift[1, 0], drift[1, 2] = -rates["omega_a"], rates["omega_a"], coupling
        drift[2] = [0, 0, -rates["kappa"], rates["omega_c"]]
        drift[3] = [-coupling, 0, -rates["omega_c"], -rates["kappa"]]
        v = y.reshape(4, 4)
        change: np.ndarray = drift @ v + v @ drift.T + np.diag([0, 0, 0.5, 0.5]) * rates["kappa"]
        return change.ravel()

    _, found = slow_ramp._variances.__wrapped__()
    exact = solve_ivp(flow, (0, 20.0), 0.25 * np.eye(4).ravel(), "DOP853", rtol=1e-9, atol=1e-12)
    assert found[-1] == pytest.approx(exact.y[0, -1], rel=1e-3)


def test_what_is_true_passes_and_what_is_false_fails(answers: dict[str, xr.Dataset]) -> None:
    localised, linear, sides, scatter = slow_ramp.check(answers)
    assert all(one.holds for one in (localised, linear, sides, scatter))
    exact = f"n{N_ATOMS}"

    def changed(**values: xr.DataArray) -> list[bool]:
        return [one.holds for one in slow_ramp.check(answers | {exact: answers[exact].assign(**values)})]

    sx = answers[exact].Sx_trajectory
    assert changed(Sx_trajectory=2 * sx)[1] is False
    assert changed(Sx_trajectory=abs(sx))[2] is False
    assert changed(Sx_trajectory=0 * sx + sx[0])[3] is False
    assert changed(Sx2=answers[exact].Sx2 * 2)[0] is False


def test_it_is_drawn(answers: dict[str, xr.Dataset]) -> None:
    figure = slow_ramp.plot(answers)
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "time (µs)"]


def test_command(answers: dict[str, xr.Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures and numbers are there; what is run is asked for with the command's options."""
    asked: dict[str, object] = {}

    def run(**options: object) -> dict[str, xr.Dataset]:
        asked.update(options)
        return answers

    monkeypatch.setattr(slow_ramp, "run", run)
    arguments = ["gallery", "slow-ramp", "--trajectories", "600", "--output", str(tmp_path), "--quiet"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert (asked["n_atoms"], asked["trajectories"]) == (slow_ramp.N_ATOMS, 600)
    assert {path.suffix for path in tmp_path.iterdir()} == {".nc", ".png", ".pdf"}


def test_what_is_run_is_the_ramp(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short one of few atoms, in which nothing switches, and the check says so."""
    for name, value in {"DURATION": 4.0, "POINTS": 3}.items():
        monkeypatch.setattr(slow_ramp, name, value)
    found = slow_ramp.run(n_atoms=(100,), trajectories=16, progress=False)
    assert found["n100"].Sx_trajectory.shape == (16, 3)
    assert [one.holds for one in slow_ramp.check(found)] == [False]
