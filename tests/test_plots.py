"""The Bloch sphere puts points where they belong and pales what is hidden; pictures are written whole."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

import opendicke as od
from opendicke.plots import bloch, style
from tutorials import cells

MODEL = od.DickeModel.balanced(n_atoms=10, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.0)
TIMES = np.linspace(0.0, 3.0, 31)


@pytest.fixture(scope="module")
def exact() -> xr.Dataset:
    method = od.NuHOPS(trajectories=3, seed=1, keep_trajectories=True)
    return od.solve(MODEL, od.SpinCoherent(1.0), TIMES, method, progress=False)


@pytest.fixture(scope="module")
def mean_field() -> xr.Dataset:
    return od.solve(MODEL, od.SpinCoherent(1.0), TIMES, od.MeanField(), progress=False)


def curves(axes: mpl.axes.Axes, width: float) -> list[NDArray[np.float64]]:
    """The segments of the collections drawn with this line width: shape (n, 2, 2) each."""
    found = [part for part in axes.collections if isinstance(part, LineCollection) and part.get_linewidths() == [width]]
    return [np.array(part.get_segments()) for part in found if part.get_segments()]


@pytest.mark.parametrize(("azimuth", "elevation"), [(0.0, 0.0), (-122.0, 22.0), (35.0, -60.0)])
def test_view_is_a_rotation(azimuth: float, elevation: float) -> None:
    turn = bloch.View(azimuth, elevation).project(np.eye(3))
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1.0)
    assert turn[2, 0] == 0.0  # z stays upright


def test_what_the_viewer_looks_at_is_nearest() -> None:
    view = bloch.View(azimuth=40.0, elevation=25.0)
    azimuth, elevation = np.radians([40.0, 25.0])
    toward = [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
    assert view.project(toward) == pytest.approx([0.0, 0.0, 1.0], abs=1e-12)


def test_shade_is_full_in_front_and_pales_with_what_lies_before() -> None:
    blue = np.array(to_rgb(style.COLOURS["blue"]))
    front, limb, centre, back = bloch.shade(
        style.COLOURS["blue"], np.array([[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, -1]])
    )
    assert front == pytest.approx(blue)
    assert limb == pytest.approx(blue)  # nothing lies in front of the outline
    assert (front < centre)[0]
    assert (centre < back)[0]
    assert back == pytest.approx(bloch.FAINTEST * blue + 1 - bloch.FAINTEST)


def test_curves_are_where_the_spin_is(exact: xr.Dataset, mean_field: xr.Dataset) -> None:
    view = bloch.View()
    axes = bloch.plot_bloch(exact, Figure().add_subplot(), mean_field=mean_field, view=view)
    spin = 2 / 10 * np.stack([exact.Sx, exact.Sy, exact.Sz], axis=-1)
    drawn = np.concatenate([half.reshape(-1, 2) for half in curves(axes, 2.2)])
    expected = view.project(spin)[:, :2]
    assert len(drawn) == 2 * (len(TIMES) - 1)
    assert {tuple(point) for point in drawn.round(9)} == {tuple(point) for point in expected.round(9)}
    black = np.concatenate([half.reshape(-1, 2) for half in curves(axes, 0.8)])
    classical = view.project(2 / 10 * np.stack([mean_field.Sx, mean_field.Sy, mean_field.Sz], axis=-1))[:, :2]
    assert {tuple(point) for point in black.round(9)} == {tuple(point) for point in classical.round(9)}


def test_marks_and_trajectories_are_drawn(exact: xr.Dataset) -> None:
    view = bloch.View()
    states = [np.array([0.4, 0.0, -0.3]), np.array([-0.4, 0.0, -0.3])]
    axes = bloch.plot_bloch(
        exact, Figure().add_subplot(), steady_states=states, trajectories=2, marked_time=1.0, view=view
    )
    points = {
        marker: [line.get_xydata()[0] for line in axes.lines if line.get_marker() == marker] for marker in ("x", "o")
    }
    assert np.array(points["x"]) == pytest.approx(view.project(2 * np.array(states))[:, :2])
    spin = 2 / 10 * np.array([exact[name].sel(time=1.0, method="nearest").item() for name in ("Sx", "Sy", "Sz")])
    assert np.array(points["o"]) == pytest.approx(view.project(spin)[None, :2])
    thin = [part for part in axes.collections if part.get_zorder() in (3, 3 + bloch.NEAR)]
    assert sum(len(part.get_segments()) for part in thin if isinstance(part, LineCollection)) == 2 * (len(TIMES) - 1)


def test_a_mean_field_at_rest_is_a_dot() -> None:
    at_rest = od.solve(MODEL, od.Normal(), TIMES, od.MeanField(), progress=False)
    view = bloch.View()
    axes = bloch.plot_bloch(at_rest, Figure().add_subplot(), mean_field=at_rest, view=view)
    (dot,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert np.array(dot.get_xydata()[0]) == pytest.approx(view.project([0.0, 0.0, -1.0])[:2])


def test_legend_has_an_entry_for_everything() -> None:
    handles = bloch.legend_handles(dot="now")
    assert all(isinstance(handle, Line2D) for handle in handles)
    assert len({handle.get_label() for handle in handles}) == 5


def test_what_cannot_be_drawn_is_refused(exact: xr.Dataset, mean_field: xr.Dataset) -> None:
    axes = Figure().add_subplot()
    with pytest.raises(ValueError, match="marked_time: expected a time from 0 to 3, got 4"):
        bloch.plot_bloch(exact, axes, marked_time=4.0)
    with pytest.raises(ValueError, match="trajectories: expected at least 4 to draw, got '3 in the dataset'"):
        bloch.plot_bloch(exact, axes, trajectories=4)
    with pytest.raises(ValueError, match=r"variable Sx_trajectory.*keep_trajectories=True"):
        bloch.plot_bloch(mean_field, axes, trajectories=1)
    with pytest.raises(ValueError, match="with its model in the attrs"):
        bloch.plot_bloch(exact.drop_attrs(), axes)


def test_a_point_of_a_sweep_is_drawn_with_its_own_trajectories() -> None:
    """Of a point that took fewer than others only those are drawn, and no more than there are."""
    method = od.NuHOPS(96, seed=1, keep_trajectories=True, precision=od.Precision("Sz", absolute=0.1, minimum=32))
    model = od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.0, g_plus=0.5)
    swept = od.sweep(model, {"g_minus": [0.2, 1.2]}, od.Inverted(), [0.0, 1.0], method, progress=False)
    assert swept.trajectories.values.tolist() == [32, 64]
    axes = Figure().add_subplot()
    bloch.plot_bloch(swept.sel(g_minus=0.2), axes, trajectories=32)
    with pytest.raises(ValueError, match="trajectories: expected at least 33 to draw, got '32 in the dataset'"):
        bloch.plot_bloch(swept.sel(g_minus=0.2), axes, trajectories=33)


def test_pictures_are_written_whole_and_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with style.paper():
        figure = Figure(figsize=(style.COLUMN, 1.0))
        figure.add_subplot().plot([0, 1])
    png, pdf = style.save(figure, tmp_path / "folder" / "picture")
    assert [png.name, pdf.name] == ["picture.png", "picture.pdf"]
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")
    first = png.read_bytes(), pdf.read_bytes()
    style.save(figure, png)  # with a suffix, to the same place
    assert (png.read_bytes(), pdf.read_bytes()) == first
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        style.save(figure, png)
    assert sorted(entry.name for entry in png.parent.iterdir()) == ["picture.pdf", "picture.png"]
    assert png.read_bytes() == first[0]


def test_settings_return_after_the_context() -> None:
    before = mpl.rcParams["font.size"]
    with style.paper():
        assert mpl.rcParams["font.size"] == 8.0
    assert mpl.rcParams["font.size"] == before


def test_getting_started_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = Path(__file__).parent.parent / "docs" / "getting-started.md"
    monkeypatch.chdir(tmp_path)
    program = "\n".join(cells(guide))
    exec(compile(program, "docs/getting-started.md", "exec"), {})
    assert {entry.name for entry in (tmp_path / "results").iterdir()} == {
        "n100.nc", "n100.png", "n100.pdf", "overview.png", "overview.pdf",
    }  # fmt: skip
