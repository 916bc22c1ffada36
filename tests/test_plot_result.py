"""What a picture of a result shows is what the result holds: the axes' contents are looked at, not pixels."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner, Result
from matplotlib.collections import QuadMesh

import opendicke as od
from opendicke import files
from opendicke.cli import main
from opendicke.plots import bloch
from opendicke.plots.result import drawable

MODEL = od.DickeModel.balanced(n_atoms=10, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.0)
START = od.SpinCoherent(1.0)
TIMES = np.linspace(0.0, 3.0, 31)
RARE = od.TruncatedWigner(20, seed=1)


@pytest.fixture(scope="module")
def answer() -> xr.Dataset:
    return od.solve(MODEL, START, TIMES, RARE, progress=False)


@pytest.fixture(scope="module")
def plane() -> xr.Dataset:
    grid = {"kappa": [0.2, 0.5], "coupling": [0.5, 1.0, 2.0]}
    return od.sweep(MODEL, grid, START, TIMES[::10], od.MeanField(), progress=False)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plot", *map(str, arguments)])


def bands(axes: mpl.axes.Axes) -> list[tuple[float, float]]:
    """The lowest and highest points of each band."""
    found = [part.get_paths()[0].vertices[:, 1] for part in axes.collections if not isinstance(part, QuadMesh)]
    return [(float(path.min()), float(path.max())) for path in found]


def test_an_answer_is_a_sphere_the_spin_and_photons(answer: xr.Dataset) -> None:
    figure = od.plot(answer)
    assert figure.get_suptitle() == "TruncatedWigner, $N = 10$, 20 trajectories, bands and bars: ±2 standard errors"
    sphere, spin, photons = figure.axes
    assert "m_z" in " ".join(text.get_text() for text in sphere.texts)
    assert [line.get_label() for line in spin.lines] == [rf"$\langle S^{axis}\rangle$" for axis in "xyz"]
    for line, name in zip(spin.lines, ("Sx", "Sy", "Sz"), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.stack([TIMES, answer[name]], axis=-1))
    np.testing.assert_array_equal(photons.lines[0].get_ydata(), answer.n_photon)
    (band,) = bands(photons)
    assert band == (
        float((answer.n_photon - 2 * answer.n_photon_sem).min()),
        float((answer.n_photon + 2 * answer.n_photon_sem).max()),
    )


def test_the_dot_on_the_sphere_is_the_start(answer: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    marked = []
    monkeypatch.setattr(bloch, "mark", lambda axes, point, *others, **options: marked.append(point))
    od.plot(answer, "bloch")
    expected = [[float(answer[name][0]) / 5 for name in ("Sx", "Sy", "Sz")]]
    np.testing.assert_allclose(marked, expected, rtol=0, atol=1e-12)


def test_a_notebook_shows_it(answer: xr.Dataset) -> None:
    """Without pyplot, by the hook that IPython asks for; `make test-dist` looks in a kernel."""
    assert od.plot(answer, "Sz")._repr_png_().startswith(b"\x89PNG")


def test_complex_variables_have_two_curves(answer: xr.Dataset) -> None:
    (axes,) = od.plot(answer, "a").axes
    real, imaginary = axes.lines
    np.testing.assert_array_equal(real.get_ydata(), answer.a.real)
    np.testing.assert_array_equal(imaginary.get_ydata(), answer.a.imag)
    assert [real.get_linestyle(), imaginary.get_linestyle()] == ["-", "--"]
    assert bands(axes)[1][1] == float((answer.a.imag + 2 * answer.a_sem.imag).max())


def test_the_spins_of_a_system_have_a_curve_each() -> None:
    spins = [od.Spin(n_atoms=number, omega_a=1.0) for number in (6, 4)]
    cavity = od.Mode(omega_c=2.5, kappa=0.5)
    system = od.System(spins=spins, modes=[cavity], g_minus=[[1.0], [1.0]], g_plus=[[1.0], [-1.0]])
    result = od.solve(system, START, TIMES, od.MeanField(), progress=False)
    spin, photons = od.plot(result).axes
    assert [line.get_label() for line in spin.lines] == ["spin 0", "spin 1"]
    np.testing.assert_array_equal(spin.lines[1].get_ydata(), result.Sz[:, 1])
    assert photons.get_legend() is None  # there is one mode


def test_the_spins_of_a_sweep_are_told_apart() -> None:
    spins = [od.Spin(n_atoms=number, omega_a=1.0) for number in (6, 4)]
    system = od.System(spins=spins, modes=[od.Mode(omega_c=2.5, kappa=0.5)], g_minus=[[1.0], [1.0]])
    grid = {"modes.0.kappa": [0.5, 1.0]}
    result = od.sweep(system, grid, START, TIMES, od.MeanField(), ["Sz"], progress=False)
    (axes,) = od.plot(result, "Sz").axes
    looks = {(tuple(line.get_color()), line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert len(looks) == len(axes.lines) == 4


def test_methods_are_compared_with_the_reference() -> None:
    table = od.compare(MODEL, START, TIMES, [od.Lindblad(), od.MeanField(), RARE], ["Sz"], progress=False)
    values, deviation = od.plot(table).axes
    assert [line.get_label() for line in values.lines] == ["Lindblad", "MeanField", "TruncatedWigner"]
    (sampled,) = [line for line in deviation.lines if line.get_label() == "TruncatedWigner"]
    np.testing.assert_array_equal(sampled.get_ydata(), table.Sz_z.sel(solver="TruncatedWigner"))
    assert "Lindblad" in deviation.get_title()
    row = table.sel(solver="TruncatedWigner")
    assert bands(values) == [
        (float((row.Sz - 2 * row.Sz_sem).min()), float((row.Sz + 2 * row.Sz_sem).max())),
    ]
    without = od.compare(MODEL, START, TIMES, [od.Lindblad(), od.MeanField()], ["Sz"], progress=False)
    assert len(od.plot(without).axes) == 1  # no standard errors, no distance in them


def test_two_parameters_make_a_map(plane: xr.Dataset) -> None:
    figure = od.plot(plane, ["Sz"])
    assert figure.get_suptitle() == "MeanField, $N = 10$"
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("kappa", "coupling", "$t = 3$")
    (mesh,) = axes.collections
    np.testing.assert_array_equal(mesh.get_array(), plane.Sz.isel(time=-1).T)
    (mesh,) = od.plot(plane, ["Sz"], at={"time": 1.1}).axes[0].collections
    np.testing.assert_array_equal(mesh.get_array(), plane.Sz.sel(time=1.0).T)


def test_one_parameter_makes_curves_or_a_map_or_points(plane: xr.Dataset) -> None:
    (axes,) = od.plot(plane, ["Sz"], at={"kappa": 0.45}).axes
    assert [line.get_label() for line in axes.lines] == ["coupling = 0.5", "coupling = 1", "coupling = 2"]
    np.testing.assert_array_equal(axes.lines[2].get_ydata(), plane.Sz.sel(kappa=0.5, coupling=2.0))
    (axes,) = od.plot(plane, ["Sz"], at={"kappa": 0.45, "time": 3.0}).axes
    np.testing.assert_array_equal(
        axes.lines[0].get_xydata(), np.stack([plane.coupling, plane.Sz.sel(kappa=0.5).isel(time=-1)], axis=-1)
    )
    many = plane.isel(kappa=0).interp(coupling=np.linspace(0.5, 2.0, 9))
    axes = od.plot(many, ["Sz"]).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("coupling", "time")
    np.testing.assert_array_equal(axes.collections[0].get_array(), many.Sz.transpose("time", "coupling"))


@pytest.mark.parametrize("ending", ["_sem", "_error"])
def test_points_have_bars_of_two_errors_to_either_side(ending: str) -> None:
    values, errors = np.array([1.0, 2.0, 4.0]), np.array([0.1, 0.2, 0.3])
    data = xr.Dataset({"x": ("kappa", values), f"x{ending}": ("kappa", errors)}, {"kappa": [0.1, 0.2, 0.5]})
    figure = od.plot(data)
    (axes,) = figure.axes
    (bars,) = axes.collections
    ends = np.array(bars.get_segments())[:, :, 1]
    np.testing.assert_allclose(ends, np.stack([values - 2 * errors, values + 2 * errors], axis=-1), rtol=0, atol=1e-12)
    assert figure.get_suptitle().endswith("bands and bars: ±2 standard errors")


def test_other_results_are_drawn_as_what_they_are(answer: xr.Dataset) -> None:
    grid = np.linspace(0.0, 3.0, 7)
    diagram = od.analysis.phase_diagram(MODEL, grid, grid)
    (mesh,) = od.plot(diagram).axes[0].collections
    np.testing.assert_array_equal(mesh.get_array(), diagram.phase.T)
    exact = od.solve(MODEL, START, TIMES, od.NuHOPS(2, keep_states=(0.0, 3.0)), progress=False)
    husimi = od.plot(od.analysis.husimi(exact), at={"state_time": 2.9})
    assert husimi.axes[0].get_title() == "$t = 3$"
    squeezing = od.analysis.squeezing(answer)
    (axes,) = od.plot(squeezing, ["xi2_dB"]).axes
    assert bands(axes)[0][1] == pytest.approx(float((squeezing.xi2_dB + 2 * squeezing.xi2_dB_sem).max()))


def test_what_cannot_be_drawn_is_refused(answer: xr.Dataset, plane: xr.Dataset) -> None:
    with pytest.raises(ValueError, match=r"variables: expected some of Sx, .*, bloch, got 'Sq'"):
        od.plot(answer, ["Sq"])
    with pytest.raises(ValueError, match="variables: expected some of"):
        od.plot(answer, [])
    with pytest.raises(ValueError, match="at: expected dimensions out of time, got 'batch'"):
        od.plot(answer, at={"batch": 1})
    with pytest.raises(ValueError, match="result: expected variables over time or parameters"):
        od.plot(answer.drop_dims("time"))
    with pytest.raises(TypeError, match="result: expected a Dataset that opendicke returned"):
        od.plot(answer.Sz)
    with pytest.raises(ValueError, match=r"result: expected at most two parameters .*kappa=0\.2"):
        od.plot(plane.expand_dims(omega_a=[1.0, 2.0]).transpose("kappa", ...), ["Sz"])
    assert "bloch" not in drawable(plane)
    with pytest.raises(ValueError, match=r"Sz_sem is there, and is the width of bands and bars: ask for Sz"):
        od.plot(answer, ["Sz_sem"])
    with pytest.raises(ValueError, match=r"batch_means is there, but no numbers over time"):
        od.plot(answer, ["batch_means"])
    axes = od.plot(plane, ["wall_time_s"]).axes[0]
    np.testing.assert_array_equal(axes.collections[0].get_array(), plane.wall_time_s.T)
    with pytest.raises(ValueError, match="got 'bloch'"):
        od.plot(plane, ["bloch"])


def test_the_command(answer: xr.Dataset, tmp_path: Path) -> None:
    path = files.save(answer, tmp_path / "answer.nc")
    done = call(
        path, "--variables", "Sz,n_photon", "--output", tmp_path / "new" / "one.svg", "--output", tmp_path / "b"
    )
    assert done.exit_code == 0, done.output
    written = [tmp_path / "new" / "one.svg", tmp_path / "b.png", tmp_path / "b.pdf"]
    assert done.output.split(", ") == [*map(str, written[:2]), f"{written[2]}\n"]
    for file, begins in zip(written, (b"<?xml", b"\x89PNG", b"%PDF"), strict=True):
        assert file.read_bytes().startswith(begins)


def test_the_command_names_the_picture_by_what_is_chosen(plane: xr.Dataset, tmp_path: Path) -> None:
    path = files.save(plane, tmp_path / "of.many.nc")
    for chosen, name in (((), "of.many"), (("--variables", "Sz", "--at", "kappa=0.5"), "of.many-Sz-kappa=0.5")):
        done = call(path, *chosen)
        assert done.exit_code == 0, done.output
        assert done.output == f"{tmp_path / name}.png, {tmp_path / name}.pdf\n"
    assert len(list(tmp_path.iterdir())) == 5


def test_the_command_says_what_is_wrong(answer: xr.Dataset, tmp_path: Path) -> None:
    path = files.save(answer, tmp_path / "answer.nc")
    cut = tmp_path / "cut.nc"
    cut.write_bytes(path.read_bytes()[:5000])
    empty = files.save(answer.drop_dims("time"), tmp_path / "empty.nc")
    for arguments, code, said in (
        ([path, "--variables", "Sq"], 2, "--variables: expected some of Sx"),
        ([path, "--at", "t=1"], 2, "--at: expected dimensions out of time"),
        ([path, "--at", "time"], 2, "expected NAME=VALUE with a number, got 'time'"),
        ([path, "--output", tmp_path / "a.jpg"], 2, "--output: expected a name ending in .png, .pdf, .svg"),
        ([cut], 1, "which cannot be read"),
        ([empty], 2, "RESULT: expected variables over time or parameters"),
        ([tmp_path / "none.nc"], 2, "does not exist"),
    ):
        outcome = call(*arguments)
        assert (outcome.exit_code, "Traceback" in outcome.output) == (code, False)
        assert said in outcome.stderr
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".nc"] * 3


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("variables", 5),
        ("at", 5),
        ("at", ["time"]),
        ("output", 5),
        ("output", ""),
        ("output", "a.doc"),
        ("result", None),
    ],
)
def test_odd_arguments_are_refused_by_name(argument: str, value: object) -> None:
    model = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=2.0)
    good = {"result": od.solve(model, od.Normal(), [0.0, 1.0], od.MeanField())}
    with pytest.raises((TypeError, ValueError), match=f"^{argument}: expected"):
        od.plot(**good | {argument: value})
