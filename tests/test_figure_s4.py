"""Fig. S4: a small run of its own pipeline, and its checks, which accept true results and reject wrong ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import opendicke as od
from opendicke.analysis.tunnelling import BISTABLE_CUT, populations, watch
from opendicke.cli import main
from opendicke.figures import bistable, figure_s4

Datasets = dict[str, xr.Dataset]
N_ATOMS = (100, 200, 300)


@pytest.fixture(scope="module")
def few_atoms() -> Datasets:
    """A real run, N = 20 until t = 60."""
    plan = figure_s4.Plan((20,), 48, 96)
    times = bistable.TIMES[:121]
    return figure_s4.solve_atoms(20, plan, times, executor=od.Serial(), progress=False)


def test_parameters() -> None:
    model = figure_s4.model(100)
    assert (model.omega_a, model.omega_c, model.kappa, model.g_minus, model.g_plus) == (1.0, 1.0, 1.0, 1.8, 0.782)
    on_the_cut = BISTABLE_CUT.model(0.688, 100)
    assert (model.g_minus, model.g_plus) == pytest.approx((on_the_cut.g_minus, on_the_cut.g_plus), abs=2e-4)
    assert figure_s4.DRAWN == N_ATOMS
    assert set(N_ATOMS) <= set(figure_s4.QUICK.n_atoms) & set(figure_s4.FULL.n_atoms)


def test_both_methods_go_through_the_same_pipeline(few_atoms: Datasets) -> None:
    exact, wigner = few_atoms["n20"], few_atoms["n20-wigner"]
    assert (exact.attrs["method"], wigner.attrs["method"]) == ("NuHOPS", "TruncatedWigner")
    for found in (exact, wigner):
        assert found.gamma_ns_low < found.gamma_ns < found.gamma_ns_high
        assert found.passages.min() >= 6
        assert np.isfinite([found.gamma_ns_fit, found.gamma_sn_fit]).all()
    assert "xi2" in exact
    assert "xi2" not in wigner


def test_populations_of_truncated_wigner_are_those_of_watched_trajectories(few_atoms: Datasets) -> None:
    """Other noise, another way to run and classify; five standard errors: a false alarm in a million."""
    method = od.TruncatedWigner(trajectories=256, seed=5)
    seen = watch(figure_s4.model(20), "s+", 60.0, method, executor=od.Serial())
    share, then = seen.occupied()[:, 59, 0].mean(), few_atoms["n20-wigner"].sel(time=60)
    error = np.hypot(float(then.p_n_sem), np.sqrt(share * (1 - share) / 256))
    assert 0.2 < share < 0.8
    assert float(then.p_n) == pytest.approx(share, abs=5 * error)


def test_examples_tunnel_and_one_stays(few_atoms: Datasets) -> None:
    exact = few_atoms["n20"]
    assert exact.m.dims == ("start", "shown", "time", "component")
    assert exact.m.isel(time=0).values[:, :, 2] == pytest.approx(np.repeat([[-0.5], [-0.2]], 3, axis=1), abs=0.12)
    assert exact.elsewhere.any("time").values[:, :2].all()
    assert not exact.elsewhere.isel(time=0).any()


def made(n_atoms: int, *, factor: float = 1.0, wigner: bool = False, bend: float = 1.0) -> xr.Dataset:
    """Occupations and rates that obey the rate equation, with 0.03 and 0.06 times exp(−N/30) as rates."""
    ns, sn = (factor * rate * np.exp(-bend * n_atoms / 30) for rate in (0.03, 0.06))
    time, exposure = np.arange(0.5, 150.5, 0.5), 1e5
    from_n, from_s = (populations((ns, sn, 0.0), np.array(start), time) for start in np.eye(3)[:2])
    seen = np.round(np.array([2 * ns, sn]) * exposure)
    data = {
        "p_s": ("time", 1 - from_n[:, 0]), "p_s_sem": ("time", np.full(300, 0.02)),
        "p_n": ("time", from_s[:, 0]), "p_n_sem": ("time", np.full(300, 0.02)),
        "passages": ("direction", seen), "residence": ("state", [exposure, exposure]),
        "relaxation": ("state", [0.2, 0.2]),
        "m": (("start", "shown", "time", "component"), np.zeros((2, 3, 300, 3))),
        "elsewhere": (("start", "shown", "time"), np.zeros((2, 3, 300), dtype=bool)),
    }  # fmt: skip
    enough = seen.min() >= 6
    data["lag"] = 0.0 if enough else np.nan
    for name, rate, count in (("ns", ns, seen[0] / 2), ("sn", sn, seen[1])):
        data |= {
            f"gamma_{name}": count / exposure, f"gamma_{name}_low": 0.8 * count / exposure,
            f"gamma_{name}_high": (1.2 * count + 3) / exposure,
            f"gamma_{name}_fit": rate if enough else np.nan, f"gamma_{name}_fit_sem": 0.1 * rate if enough else np.nan,
        }  # fmt: skip
    attrs = {"trajectories": 512 if wigner else 256, "seed": 1}
    return xr.Dataset(data, {"time": time}, attrs)


def made_all(exact: float = 1.0, wigner: float = 1.6, bend: float = 1.0) -> Datasets:
    found = {f"n{n}": made(n, factor=exact, bend=bend) for n in N_ATOMS}
    return found | {f"n{n}-wigner": made(n, factor=wigner * exact, wigner=True, bend=bend) for n in N_ATOMS}


def verdicts(datasets: Datasets) -> dict[str, bool]:
    return {statement.text: statement.holds for statement in figure_s4.check(datasets)}


def test_true_results_are_accepted() -> None:
    found = verdicts(made_all())
    assert len(found) == 7
    assert [text for text, holds in found.items() if not holds] == []


@pytest.mark.parametrize(("n_atoms", "lag"), [(100, 0.0), (100, 8.0), (400, None)])
def test_solution_of_the_rate_equation_is_what_obeys_it(n_atoms: int, lag: float | None) -> None:
    """By the rates of the fit after its lag; at N = 400, where there is no fit, by counts, which are rounded."""
    data = made(n_atoms)
    data["lag"] = np.nan if lag is None else lag
    if lag is None:
        assert np.isnan(data.gamma_ns_fit)
        data["gamma_ns"], data["gamma_sn"] = 0.03 * np.exp(-n_atoms / 30), 0.06 * np.exp(-n_atoms / 30)
    for name, found in figure_s4._solution(data).items():
        late = data.time.values >= (lag or 0.0)
        np.testing.assert_allclose(found[late], data[name].values[late], rtol=0, atol=1e-12)
        assert np.isnan(found[~late]).all()


def other_curve(datasets: Datasets) -> Datasets:
    """All that leave do so at the same time."""
    data = datasets["n100"]
    return datasets | {"n100": data.assign(p_s=data.p_s.isel(time=-1) * (data.time > 75))}


def other_fit(datasets: Datasets) -> Datasets:
    data = datasets["n100"]
    return datasets | {"n100": data.assign(gamma_ns_fit=2 * data.gamma_ns_fit)}


@pytest.mark.parametrize(
    ("spoil", "rejected"),
    [
        (other_curve, "N = 100: the solution"),
        (other_fit, "N = 100: its rates"),
        (lambda _: made_all(exact=0.1, bend=-0.01), "both rates fall"),
        (lambda _: made_all(exact=30.0), "N = 300: no tunnelling"),
    ],
)
def test_a_wrong_result_is_rejected(spoil: Callable[[Datasets], Datasets], rejected: str) -> None:
    (verdict,) = [holds for text, holds in verdicts(spoil(made_all())).items() if text.startswith(rejected)]
    assert not verdict


def test_truncated_wigner_with_the_exact_exponents_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    for exact, wigner in ((0.035, 0.035), (0.035, 0.036)):
        monkeypatch.setattr(figure_s4, "limit_exponents", lambda pair=(exact, wigner, 1e-8): (pair, pair))
        (verdict,) = [holds for text, holds in verdicts(made_all()).items() if text.startswith("truncated Wigner")]
        assert not verdict


def test_plot_has_trajectories_occupations_and_rates(few_atoms: Datasets) -> None:
    for datasets in (few_atoms, made_all()):
        figure = figure_s4.plot(datasets)
        titles = [axes.get_title()[:3] for axes in figure.axes if axes.get_title()]
        assert titles == ["(a)", "(b)", "(c)", "(d)", "(e)"]
        figure.draw_without_rendering()
    assert "In full" in figure.texts[-1].get_text()


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure_s4, "QUICK", figure_s4.Plan((99,), 99, 24))
    arguments = ["--trajectories", "16", "--n-atoms", "10", "--threads", "2", "--quiet"]
    outcome = CliRunner().invoke(main, ["figure", "S4", "--output", str(tmp_path), *arguments])
    assert outcome.exit_code in (0, 1), outcome.output  # what the paper states need not hold for N = 10
    names = {entry.name for entry in tmp_path.iterdir()}
    assert names == {f"figureS4{end}" for end in
                     (".png", ".pdf", "-n10.nc", "-n10-wigner.nc")}  # fmt: skip
