"""Fig. 3: what it is made of, held against other ways to the same numbers, and its checks on made-up results."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import opendicke as od
from opendicke import files
from opendicke.analysis import fixed_point, squeezing
from opendicke.analysis.tunnelling import BISTABLE_CUT, fit_exponent, occupation, watch
from opendicke.cli import main
from opendicke.figures import bistable, figure3, figure3_picture

Datasets = dict[str, xr.Dataset]
TIMES = bistable.TIMES[:81]
POSITIONS = (0.1, 0.3, 0.5, 0.688, 0.9)
N_ATOMS = (50, 100, 200, 400)


def quiet(trajectories: int, **options: object) -> bistable.Runs:
    return replace(bistable.Runs(trajectories, executor=od.Serial(), progress=False), **options)


@pytest.fixture(scope="module")
def few_atoms() -> tuple[xr.Dataset, xr.Dataset]:
    """N = 30 at s = 0.5 until t = 40: from the normal state, and what is observed of it."""
    model, runs = BISTABLE_CUT.model(0.5, 30), quiet(48)
    return runs.solve(model, "n", TIMES), bistable.observe(model, runs, TIMES)


# --- what it is made of -------------------------------------------------------------------------------------------


def test_moments_of_kept_states_are_those_of_the_answer(few_atoms: tuple[xr.Dataset, xr.Dataset]) -> None:
    answer, _ = few_atoms
    mean, second = bistable.spin_moments(30, answer.psi.values, answer.psi_frame.values)
    then = answer.sel(time=answer.state_time.values)
    for component, name in enumerate(("Sx", "Sy", "Sz")):
        assert mean.mean(axis=0)[:, component] == pytest.approx(then[name].values, abs=1e-10)
    assert second.mean(axis=0)[:, 0, 0] == pytest.approx(then.Sx2.values)
    assert second.mean(axis=0)[:, 2, 2] == pytest.approx(then.Sz2.values)
    assert second.mean(axis=0)[:, 0, 1] == pytest.approx(then.Sx_Sy.values.real, abs=1e-10)
    assert second.mean(axis=0)[:, 2, 1] == pytest.approx(then.Sy_Sz.values.real, abs=1e-10)


def test_populations_are_those_of_watched_trajectories(few_atoms: tuple[xr.Dataset, xr.Dataset]) -> None:
    """Other noise, another way to run and classify; five standard errors: a false alarm in a million."""
    _, found = few_atoms
    seen = watch(BISTABLE_CUT.model(0.5, 30), "n", 40.0, od.NuHOPS(trajectories=128, seed=5), executor=od.Serial())
    share = 1 - seen.occupied()[:, 39, 0].mean()
    error = np.hypot(float(found.p_s_sem.sel(time=40)), np.sqrt(share * (1 - share) / 128))
    assert 0.2 < share < 0.9
    assert float(found.p_s.sel(time=40)) == pytest.approx(share, abs=5 * error)


def test_squeezing_is_that_of_trajectories_that_stay() -> None:
    """Near the superradiant phase many leave: their mixture is not squeezed, those that stay are."""
    model = BISTABLE_CUT.model(0.3, 60)
    answer = quiet(64).solve(model, "n", TIMES)
    labels, _ = bistable.classify(bistable.spins(answer), 0.5, bistable.Regions.of(bistable.Landscape.of(model)))
    found = bistable.normal_squeezing(answer, labels)
    assert 24 < found["states"][1] < 110
    assert found["xi2"][1] + 3 * found["xi2_sem"][1] < 1
    assert float(squeezing(answer).xi2[-1]) > 1
    everything = bistable.normal_squeezing(answer, np.zeros_like(labels))
    assert everything["states"][1] == 128
    assert everything["xi2"][1] > 1


def test_squeezing_of_many_atoms_is_gaussian() -> None:
    """N = 4000, where corrections of order 1/N are 0.1 %: four standard errors, a false alarm in ten thousand."""
    answer = quiet(48).solve(BISTABLE_CUT.model(0.688, 4000), "n", TIMES[:41])
    found = bistable.normal_squeezing(answer, np.zeros((48, 40), dtype=np.int8))
    assert found["xi2"][1] == pytest.approx(0.5754, abs=4 * found["xi2_sem"][1])
    assert found["xi2_sem"][1] < 0.03


def test_superradiant_level_is_the_fixed_point_and_goes_on_smoothly() -> None:
    model = BISTABLE_CUT.model(0.5, 100)
    g_minus, g_plus = xr.DataArray(model.g_minus), xr.DataArray(model.g_plus)
    assert float(figure3.superradiant_level(model, g_minus, g_plus)) == pytest.approx(fixed_point(model, "SR+").m[2])
    edge = (np.sqrt(2) - 1) * 1.8
    inside, outside = (
        float(figure3.superradiant_level(model, xr.DataArray(1.8), xr.DataArray(edge * (1 + step))))
        for step in (1e-8, -1e-8)
    )
    assert inside == pytest.approx(outside, abs=1e-3)


def test_diagram_has_the_occupation_of_mean_field_far_from_its_boundaries() -> None:
    data = figure3.solve_diagram((2, 2), 16, executor=od.Serial(), progress=False, n_atoms=200)["diagram"]
    assert data.p_s.dims == ("g_minus", "g_plus")
    assert data.p_s.sel(g_minus=1.4, g_plus=1.0).item() == pytest.approx(1.0, abs=0.1)
    assert data.p_s.sel(g_minus=2.1, g_plus=0.55).item() < 0.03
    assert data.phase.values.tolist() == [[1, 2], [1, 3]]


def point(n_atoms: int, rate: float, passages: int = 100, relaxation: float = 0.2) -> xr.Dataset:
    """A point of the cut with the same rate both ways."""
    time = passages / rate if passages else 1e5
    return xr.Dataset(
        {
            "gamma_ns": rate / 2, "gamma_sn": rate, "passages": ("direction", [passages, passages]),
            "residence": ("state", [time, time]), "relaxation": ("state", [relaxation, relaxation]),
        }
    )  # fmt: skip


def test_exponent_is_that_of_the_rates() -> None:
    numbers = (50, 100, 200)
    points = [point(n, 0.05 * np.exp(-0.02 * n)) for n in numbers]
    for name, factor in (("ns", 0.5), ("sn", 1.0)):
        fit = bistable.exponent(points, numbers, name)  # type: ignore[arg-type]
        assert fit is not None
        assert fit.r == pytest.approx(-0.02)
        assert np.exp(fit.log_a) == pytest.approx(0.05 * factor)
    faster = [point(n, 0.05 * np.exp(-0.02 * n)) for n in (50, 100)]
    left_at_once = point(20, 0.15)
    fit = bistable.exponent([left_at_once, *faster], (20, 50, 100), "sn")
    assert fit is not None
    assert (fit.points, round(fit.r, 6)) == (2, -0.02)
    assert bistable.exponent(points[:1], numbers[:1], "sn") is None
    assert bistable.exponent([points[0], point(100, 0.01, passages=0)], (50, 100), "sn") is None


@pytest.mark.parametrize("name", ["ns", "sn"])
def test_what_is_left_faster_than_half_its_relaxation_is_no_state(name: Literal["ns", "sn"]) -> None:
    """A rate of 0.1 out of the state altogether (γ_ns to either side), where it relaxes with 0.2."""
    slow = [point(n, 0.02 * np.exp(-0.01 * n)) for n in (100, 200)]
    for rate, points in ((0.099, 3), (0.101, 2)):
        fit = bistable.exponent([point(50, rate), *slow], (50, 100, 200), name)
        assert fit is not None
        assert fit.points == points


def test_where_no_passage_was_seen_the_time_without_one_counts_for_both_ways_out() -> None:
    points = [point(50, 0.05), point(100, 0.02, passages=20), point(150, 0.0, passages=0)]
    for name, sides in (("ns", 2), ("sn", 1)):
        found = bistable.exponent(points, (50, 100, 150), name)  # type: ignore[arg-type]
        logs, errors = [np.log(0.05 / sides), np.log(0.02 / sides), np.nan], [0.1, 1 / np.sqrt(20), np.nan]
        by_hand = fit_exponent([50, 100, 150], logs, errors, exposures=[0.0, 0.0, sides * 1e5])
        assert found is not None
        assert (found.r, found.log_a) == (pytest.approx(by_hand.r), pytest.approx(by_hand.log_a))
        assert found.r_sem == pytest.approx(by_hand.r_sem)


# --- checks, on made-up results -----------------------------------------------------------------------------------


def made_cut(n_atoms: int, *, bend: float = 1.0, excess: float = 5.0, limit: float = 0.0) -> xr.Dataset:
    """Rates with exponents −(0.01 + 0.04 s) and −(0.06 − 0.05 s), which cross at s = 5/9."""
    s, exposure = np.array(POSITIONS), 1e6
    ns = 0.02 * np.exp(-bend * (0.01 + 0.04 * s) * n_atoms)
    sn = 0.02 * np.exp(-bend * (0.06 - 0.05 * s) * n_atoms)
    counts = np.round(np.stack([2 * ns, sn], axis=1) * exposure)
    one = np.full_like(s, 0.01)
    data = {
        "p_s": (("s", "time"), 1 - occupation(ns, sn, 150.0)[:, None]), "p_s_sem": (("s", "time"), one[:, None]),
        "p_n": (("s", "time"), occupation(ns, sn, 150.0, 0.0)[:, None]), "p_n_sem": (("s", "time"), one[:, None]),
        "gamma_ns": ("s", counts[:, 0] / 2 / exposure), "gamma_sn": ("s", counts[:, 1] / exposure),
        "passages": (("s", "direction"), counts), "residence": (("s", "state"), np.full((len(s), 2), exposure)),
        "relaxation": (("s", "state"), np.full((len(s), 2), 0.3)),
        "xi2": ("s", 0.56 + 0.03 * s + excess / n_atoms + limit), "xi2_sem": ("s", one / 2),
        "xi2_gaussian": ("s", 0.56 + 0.03 * s),
    }  # fmt: skip
    for name in ("gamma_ns", "gamma_sn"):
        data |= {f"{name}_low": ("s", data[name][1] * 0.8), f"{name}_high": ("s", data[name][1] * 1.2)}
    attrs = {"n_atoms": n_atoms, "trajectories": 96, "seed": 1}
    return xr.Dataset(data, {"s": s, "time": [150.0]}, attrs)


def made_diagram(scale: float = 1.0) -> xr.Dataset:
    axes = (np.linspace(*figure3.G_MINUS, 24), np.linspace(*figure3.G_PLUS, 24))
    found = figure3.phase_diagram(BISTABLE_CUT.model(0.0, 1), *axes)
    leaving = np.exp(np.minimum(found.leading_normal / 0.03, 0.0)) * found.phase.isin([2, 3])
    attrs = {"n_atoms": 500, "trajectories": 64, "seed": 1, "stop": 50.0}
    return found.assign(p_s=leaving**scale, p_s_sem=leaving * 0).assign_attrs(attrs)


@pytest.fixture(scope="module")
def q() -> xr.Dataset:
    return figure3.solve_q(quiet(24), 50, TIMES)["q"]


@pytest.fixture(scope="module")
def datasets(q: xr.Dataset) -> Datasets:
    """What the paper states, made up; Q is a real one (of fewer atoms)."""
    return {f"cut-n{n}": made_cut(n) for n in N_ATOMS} | {"diagram": made_diagram(), "q": blobs(q, (1, 1, 1))}


def blobs(q: xr.Dataset, weights: tuple[float, float, float]) -> xr.Dataset:
    """Q with given weights around n, s+ and s−."""
    landscape = bistable.Landscape.of(BISTABLE_CUT.model(figure3.Q_POSITION, 50))
    theta, phi = np.meshgrid(q.theta, q.phi, indexing="ij")
    direction = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    points = (landscape.normal, landscape.superradiant, landscape.superradiant.mirror())
    total = sum(
        weight * np.exp(60 * (np.tensordot(2 * one.m, direction, axes=1) - 1))
        for weight, one in zip(weights, points, strict=True)
    )
    made = q.assign(Q=(("state_time", "theta", "phi"), np.asarray(total)[None]))
    return made.assign(Q=made.Q / (made.Q * made.theta_weight * made.phi_weight).sum())


def verdicts(datasets: Datasets) -> dict[str, bool]:
    return {statement.text: statement.holds for statement in figure3.check(datasets)}


def test_true_results_are_accepted(datasets: Datasets) -> None:
    found = verdicts(datasets)
    assert len(found) == 11
    assert [text for text, holds in found.items() if not holds] == []


def with_cuts(**options: float) -> Callable[[Datasets], Datasets]:
    return lambda datasets: datasets | {f"cut-n{n}": made_cut(n, **options) for n in N_ATOMS}


def without_n(datasets: Datasets) -> Datasets:
    """The same occupations for all N."""
    return datasets | {f"cut-n{n}": made_cut(100).assign_attrs(n_atoms=n) for n in N_ATOMS}


def swapped(datasets: Datasets) -> Datasets:
    """s counted from the other end."""
    return datasets | {f"cut-n{n}": made_cut(n).assign_coords(s=1 - np.array(POSITIONS)).sortby("s") for n in N_ATOMS}


def one_way(datasets: Datasets) -> Datasets:
    """γ_sn slower than γ_ns everywhere."""

    def slower(cut: xr.Dataset) -> xr.Dataset:
        out = cut.passages.values[:, 0]
        back = out * np.exp(-0.005 * cut.attrs["n_atoms"])
        return cut.assign(passages=(("s", "direction"), np.stack([out, back.round()], axis=1)))

    return datasets | {f"cut-n{n}": slower(made_cut(n)) for n in N_ATOMS}


@pytest.mark.parametrize(
    ("spoil", "rejected"),
    [
        (lambda d: d | {"q": blobs(d["q"], (1, 0, 0))}, "(a) the state is a mixture"),
        (lambda d: d | {"q": blobs(d["q"], (1, 8, 1))}, "(a) the state is a mixture"),
        (lambda d: d | {"diagram": d["diagram"].assign(p_s=1 - d["diagram"].p_s)}, "(b) deep in the superradiant"),
        (lambda d: d | {"diagram": made_diagram(20.0)}, "(b) N = 500: close to"),
        (lambda d: d | {"diagram": made_diagram(0.1)}, "(b) N = 500: close to"),
        (without_n, "(c) from the normal state: the larger N"),
        (without_n, "(d) from the superradiant state: the larger N"),
        (without_n, "(c), (d) insets"),
        (swapped, "(c) from the normal state: tunnelling is strongest"),
        (swapped, "(d) from the superradiant state: tunnelling is strongest"),
        (with_cuts(bend=-0.02), "(c), (d) insets"),
        (one_way, "(b) inset"),
        (with_cuts(excess=25.0), "(e) the normal state is squeezed"),
        (with_cuts(limit=0.1), "(e) and tends to"),
    ],
)
def test_a_wrong_result_is_rejected(datasets: Datasets, spoil: Callable[[Datasets], Datasets], rejected: str) -> None:
    (verdict,) = [holds for text, holds in verdicts(spoil(datasets)).items() if text.startswith(rejected)]
    assert not verdict


def test_crossing_is_found(datasets: Datasets) -> None:
    transition = figure3.Transition.of(figure3.cuts(datasets))
    assert transition.crossing is not None
    assert transition.crossing.s == pytest.approx(5 / 9, abs=0.01)


def test_pictures(datasets: Datasets) -> None:
    figure = figure3_picture.plot(datasets)
    assert [axes.get_title()[:3] for axes in figure.axes if axes.get_title()] == ["(a)", "(b)", "(c)", "(d)", "(e)"]
    assert "5 positions, 96 each; seed 1\nIn full: " in figure.texts[-1].get_text()
    figure.draw_without_rendering()
    pair = figure3_picture.plot_phase_diagrams(datasets)
    assert [axes.get_title().split(":")[0] for axes in pair.axes[:2]] == ["mean field", "exact"]
    pair.draw_without_rendering()


@pytest.mark.slow
def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure3, "QUICK", figure3.Plan((20, 200), (0.5,), 99, (2, 2), 16, 16))
    monkeypatch.setattr(figure3, "LINE", (1.8,))
    arguments = ["--trajectories", "16", "--n-atoms", "20", "--threads", "2", "--quiet"]
    folder = tmp_path / "out"
    outcome = CliRunner().invoke(main, ["figure", "3", "--output", str(folder), *arguments])
    assert outcome.exit_code in (0, 1), outcome.output  # what the paper states need not hold for N = 20
    assert (outcome.exit_code == 1) == ("FAIL" in outcome.stderr)
    names = {entry.name for entry in folder.iterdir()}
    assert {"figure3.png", "figure3.pdf", "figure3b.png", "figure3b.pdf", "figure3-q.nc", "figure3-limit.nc"} < names
    cut = files.load(folder / "figure3-cut-n20.nc")
    assert (cut.attrs["trajectories"], cut.s.values.tolist()) == (16, [0.5])


def test_the_small_figures_have_one_size(tmp_path: Path) -> None:
    refused = CliRunner().invoke(main, ["figure", "1", "--full", "--output", str(tmp_path)])
    assert refused.exit_code == 2
    assert "--full" in refused.output
