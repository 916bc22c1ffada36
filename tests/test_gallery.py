"""The gallery's pieces, small: that they run, what their numbers mean, and that their checks can fail."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import opendicke as od
from opendicke.cli import main
from opendicke.gallery import hysteresis, time_crystal


@pytest.fixture(scope="module")
def loops() -> dict[str, xr.Dataset]:
    return hysteresis.run(n_atoms=(10, 30), durations=(2.0, 5.0), trajectories=16, progress=False)


def test_the_couplings_go_there_and_back() -> None:
    model = hysteresis.model(10, 5.0)
    ends = [od.analysis.tunnelling.BISTABLE_CUT.model(s, 10) for s in (1.5, -0.5)]
    for time, end in ((0.0, ends[0]), (5.0, ends[1]), (10.0, ends[0])):
        assert (model.g_minus(time), model.g_plus(time)) == (end.g_minus, end.g_plus)
    assert hysteresis.position(np.array([0.0, 2.5, 5.0, 10.0]), 5.0).tolist() == [1.5, 0.5, -0.5, 1.5]


def test_areas_are_those_of_the_loops_with_the_scatter_of_the_batches(loops: dict[str, xr.Dataset]) -> None:
    """A rectangle of height 0.3 between s = 0 and 1, with batches that differ by ± 0.1."""
    answer = loops["n10-t5"].copy(deep=True)
    s = answer.s.values
    forward = np.arange(s.size) < s.size // 2
    shape = np.where(~forward & (s < 1.0) & (s > 0.0), 0.3, 0.0) - 0.5
    answer["Sz"] = ("time", 10 * shape)
    scatter = np.linspace(-1, 1, answer.sizes["batch"])
    wide = (shape + 0.5) * (1 + scatter[:, None]) - 0.5
    answer["batch_means"] = answer.batch_means.copy(data=np.repeat(10 * wide[..., None], 21, axis=2))
    area, error = hysteresis.area(answer)
    assert area == pytest.approx(0.3, abs=0.3 * 0.026)
    held = answer.batch_size.values > 0
    expected = area * scatter[held].std() / np.sqrt(held.sum() - 1)
    assert error == pytest.approx(expected, rel=1e-6)


def test_mean_field_loses_a_branch_at_either_end() -> None:
    s, lines = hysteresis.branches(101)
    normal, superradiant = (np.isfinite(lines[name]) for name in ("normal", "superradiant"))
    assert normal[-1]
    assert superradiant[0]
    assert not normal[0]
    assert not superradiant[-1]
    both = normal & superradiant
    assert hysteresis.mean_field_area(101) == pytest.approx(
        float(np.sum((lines["superradiant"] - lines["normal"])[both]) * (s[1] - s[0]))
    )
    assert 0.2 < hysteresis.mean_field_area() < 0.4


def test_statements_hold_or_not_as_the_areas_say(loops: dict[str, xr.Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    areas = {(10, 2.0): 0.4, (10, 5.0): 0.1, (30, 2.0): 0.2, (30, 5.0): 0.3}
    monkeypatch.setattr(
        hysteresis, "area", lambda answer: (areas[od.DickeModel.of(answer).n_atoms, float(answer.time[-1]) / 2], 0.01)
    )
    assert [statement.holds for statement in hysteresis.check(loops)] == [True, False, True]


def test_the_command_writes_pictures_and_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hysteresis, "DURATIONS", (1.0,))
    arguments = ["--n-atoms", "8", "--trajectories", "16", "--output", str(tmp_path), "--quiet"]
    done = CliRunner().invoke(main, ["gallery", "hysteresis", *arguments])
    assert done.exit_code == 0, done.output
    names = {path.name for path in tmp_path.iterdir()}
    assert {"hysteresis.png", "hysteresis.pdf", "hysteresis-n8-t1.nc"} <= names


def test_the_coupling_is_on_in_the_first_half_of_every_period() -> None:
    model, length = time_crystal.model(5, periods=3), time_crystal.period()
    for cycle in range(3):
        for part, value in ((0.01, 1.0), (0.49, 1.0), (0.51, 0.0), (0.99, 0.0)):
            assert model.g_minus((cycle + part) * length) == value
            assert model.g_plus((cycle + part) * length) == value


def test_the_start_is_a_fixed_point_while_it_is_on() -> None:
    """Mean field stays where it is for half a period, and is turned by parity in the other half."""
    model, state = time_crystal.model(1, periods=1, mismatch=0.0), time_crystal.start(1)
    half = time_crystal.period(0.0) / 2
    answer = od.solve(model, state, [0.0, half, 2 * half], od.MeanField(), ["Sx", "Sz", "a"])
    np.testing.assert_allclose(answer.Sx[1], answer.Sx[0], rtol=0, atol=1e-8)
    np.testing.assert_allclose(answer.Sx[2], -answer.Sx[0], rtol=0, atol=1e-8)
    np.testing.assert_allclose(answer.a[2], -np.exp(-half) * answer.a[0], rtol=0, atol=1e-8)


@pytest.fixture(scope="module")
def crystal() -> dict[str, xr.Dataset]:
    return time_crystal.run(n_atoms=(4, 10), periods=3, trajectories=16, progress=False)


def test_order_counts_periods(crystal: dict[str, xr.Dataset]) -> None:
    values, errors = time_crystal.order(crystal["n10"])
    sign = np.sign(float(crystal["n10"].Sx[0]))
    np.testing.assert_allclose(values, sign * crystal["n10"].Sx.values * [1, -1, 1, -1] / 10, rtol=0, atol=1e-15)
    np.testing.assert_allclose(errors, crystal["n10"].Sx_sem.values / 10, rtol=0, atol=1e-15)
    assert values[0] > 0.3
    assert values[1] > 0.2


def test_statements_about_the_crystal_can_fail(crystal: dict[str, xr.Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_crystal, "LATE", 2)
    late = {4: (0.05, 0.01), 10: (0.2, 0.01)}
    monkeypatch.setattr(time_crystal, "late_order", lambda answer: late[od.DickeModel.of(answer).n_atoms])
    assert [one.holds for one in time_crystal.check(crystal)][1:] == [True, True]
    late[10] = (0.07, 0.01)
    late[4] = (0.5, 0.01)
    assert [one.holds for one in time_crystal.check(crystal)][1:] == [False, False]
    flipped = crystal | {"mean-field": crystal["mean-field"].assign(Sx=crystal["mean-field"].Sx * [1, 1, 1, 1] * 0.1)}
    assert not time_crystal.check(flipped)[0].holds


def test_the_crystal_is_drawn(crystal: dict[str, xr.Dataset]) -> None:
    (axes,) = time_crystal.plot(crystal).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["mean field", "$N = 4$", "$N = 10$"]
