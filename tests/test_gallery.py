"""The gallery's pieces, small: that they run, what their numbers mean, and that their checks can fail."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import opendicke as od
from opendicke.cli import main
from opendicke.gallery import hysteresis


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
