"""Fig. 2 at its parameters: what it is made of, and its checks, which accept a true result and reject wrong ones."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import opendicke as od
from opendicke import files
from opendicke.analysis import covariances
from opendicke.cli import main
from opendicke.figures import figure2

Datasets = dict[str, xr.Dataset]
TIMES = figure2.TIMES[::5]
STATE_TIMES = (3.0, 20.0)


@pytest.fixture(scope="module")
def datasets() -> Datasets:
    """A small run at N = 100 and 500, on a coarser grid of the same times."""
    found = figure2.solve_cumulants(TIMES)
    for n_atoms in (100, 500):
        found |= figure2.solve_atoms(
            n_atoms,
            trajectories=48,
            seed=1,
            times=TIMES,
            state_times=STATE_TIMES,
            executor=od.Serial(),
            progress=False,
        )
    return found


def verdicts(datasets: Datasets) -> dict[str, bool]:
    return {statement.text: statement.holds for statement in figure2.check(datasets)}


def test_the_paper_is_borne_out(datasets: Datasets) -> None:
    # 48 trajectories are too few to tell the cumulant expansion from the truth: that statement has its own test.
    found = {text: holds for text, holds in verdicts(datasets).items() if "cumulant" not in text}
    assert len(found) == 6
    assert [text for text, holds in found.items() if not holds] == []


def test_covariance_is_that_of_the_answer(datasets: Datasets) -> None:
    exact, found = datasets["n100"], datasets["n100-correlations"]
    plain = (exact.Sx_a - exact.Sx * exact.a).values
    assert found.C_af.values == pytest.approx(plain, abs=0.1 * np.abs(plain).max())
    values, errors = figure2._scaled(found, 100)
    assert values == pytest.approx(found.C_af.values / 1000)
    assert errors == pytest.approx(found.C_af_sem.values / 1000)


def test_cumulants_are_of_second_order_and_marked_where_unphysical() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = figure2.solve_cumulants(TIMES)[figure2.CUMULANTS]
    assert '"order": 2' in found.attrs["method_options"]
    assert 10 < found.attrs["unphysical_from"] < 16
    with pytest.warns(figure2.UnphysicalWarning):
        again = od.solve(figure2.model(500), figure2.TILTED, TIMES, figure2.Cumulants(order=2), progress=False)
    assert found.C_af.values == pytest.approx(covariances(again).C_af.values)


@pytest.mark.parametrize(("sigmas", "share", "holds"), [(8.0, 0.2, True), (2.0, 0.2, False), (8.0, 0.02, False)])
def test_cumulants_fail_if_far_off_in_errors_and_in_size(
    datasets: Datasets, sigmas: float, share: float, holds: bool
) -> None:
    """An answer that differs from the expansion at one time, by known numbers of errors and of its largest value."""
    cumulants = datasets[figure2.CUMULANTS]
    values = cumulants.C_af.values.copy()
    shift = share * np.abs(values.real).max()
    errors = np.full(values.shape, shift / sigmas * (1 + 1j))
    errors[0] = 0
    values[20] += shift
    exact = datasets["n500-correlations"].assign(C_af=("time", values), C_af_sem=("time", errors))
    (verdict,) = [ok for text, ok in verdicts(datasets | {"n500-correlations": exact}).items() if "cumulant" in text]
    assert verdict == holds


def steadily_entangled(datasets: Datasets) -> Datasets:
    data = datasets["n100-correlations"]
    return datasets | {"n100-correlations": data.assign(negativity=data.negativity * 0 + float(data.negativity[0]))}


def never_entangled(datasets: Datasets) -> Datasets:
    data = datasets["n100-correlations"]
    return datasets | {"n100-correlations": data.assign(negativity=data.negativity * 0.01)}


def without_mixture(datasets: Datasets) -> Datasets:
    """<S^x a> alone, without the product of the means."""
    data = datasets["n500-correlations"]
    return datasets | {"n500-correlations": data.assign(C_af=datasets["n500"].Sx_a)}


def both_sides(datasets: Datasets) -> Datasets:
    """Every other trajectory on the other side, where a covariance would remain."""
    answer = datasets["n500"]
    sign = xr.DataArray(np.where(np.arange(answer.sizes["trajectory"]) % 2, 1, -1), dims="trajectory")
    return datasets | {"n500": answer.assign(psi_frame=answer.psi_frame * sign)}


@pytest.mark.parametrize(
    ("spoil", "rejected"),
    [
        (steadily_entangled, "N = 100: and not entangled in the steady state"),
        (never_entangled, "N = 100: two halves of the atoms are entangled"),
        (without_mixture, "N = 500: the covariance decays"),
        (both_sides, "N = 500: the covariance decays"),
    ],
)
def test_a_wrong_result_is_rejected(datasets: Datasets, spoil: Callable[[Datasets], Datasets], rejected: str) -> None:
    (verdict,) = [holds for text, holds in verdicts(spoil(datasets)).items() if rejected in text]
    assert not verdict


@pytest.mark.parametrize("up", [0, 3, 8, 10, 16])
def test_covariance_of_the_mixture_is_that_of_its_two_values(up: int) -> None:
    """``up`` of 16 trajectories on one side: (S^x, a) is one of two pairs, of which the covariance is taken plainly.

    The pairs are where mean field ends.
    """
    n_atoms = 100
    run = od.solve(figure2.model(n_atoms), figure2.TILTED, [0.0, 150.0], od.MeanField(), ["Sx", "a"], progress=False)
    side = np.where(np.arange(16) < up, 1.0, -1.0)
    spin, field = side * float(run.Sx[-1]), side * complex(run.a[-1])
    plain = ((spin * field).mean() - spin.mean() * field.mean()).real / n_atoms**1.5
    frames = np.zeros((16, 2, 3, 3))
    frames[:, -1, 2, 0], frames[:, 0, 2, 0] = 0.7 * side, -1.0  # only the last state's third axis counts
    answer = xr.Dataset({"psi_frame": (("trajectory", "state_time", "axis", "component"), frames)})
    assert figure2._mixture(answer) == pytest.approx(plain, abs=1e-6)
    assert abs(plain) > 0.05 or up in (0, 16)


def test_plot_has_curves_bands_and_negativity(datasets: Datasets) -> None:
    figure = figure2.plot(datasets)
    axes, lower = figure.axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["$N = 100$", "$N = 500$", "cumulants, $N = 500$", "(unphysical)"]
    assert len(axes.collections) == 2
    assert len(lower.containers) == 2
    figure.draw_without_rendering()


def test_too_many_atoms_for_the_negativity(datasets: Datasets) -> None:
    """N = 10^5: the covariance is there, and the picture says what is not."""
    found = datasets | figure2.solve_atoms(
        10**5, trajectories=16, seed=1, times=TIMES, state_times=STATE_TIMES, executor=od.Serial(), progress=False
    )
    assert "negativity" not in found["n100000-correlations"]
    assert figure2.remarks(datasets) == []
    assert figure2.remarks(found) == [
        "N = 100000: no negativity above 5000 atoms: its rotations would hold N^2 numbers"
    ]
    assert [text for text in verdicts(found) if text.startswith("N = 100000")] == [
        "N = 100000: the covariance decays to that of a classical mixture of the two superradiant states"
    ]
    axes, lower = figure2.plot(found).axes
    assert len(axes.collections) == 3
    assert len(lower.containers) == 2
    assert "not computed" in lower.texts[0].get_text()


def test_command_writes_pictures_and_datasets(tmp_path: Path) -> None:
    arguments = ["--trajectories", "16", "--n-atoms", "4", "--n-atoms", "6", "--threads", "1", "--seed", "3"]
    for number in ("1", "2"):
        folder = tmp_path / number
        outcome = CliRunner().invoke(main, ["figure", number, "--output", str(folder), *arguments])
        assert outcome.exit_code in (0, 1), outcome.output  # what the paper states need not hold for N = 4
        assert outcome.exception is None or isinstance(outcome.exception, SystemExit)
        assert (outcome.exit_code == 1) == ("FAIL" in outcome.stdout)
        assert {f"figure{number}.png", f"figure{number}.pdf"} < {entry.name for entry in folder.iterdir()}
    answer = files.load(tmp_path / "2" / "figure2-n6.nc")
    assert '"seed": 3' in answer.attrs["method_options"]
    assert files.load(tmp_path / "2" / "figure2-n6-correlations.nc").sizes["state_time"] == len(figure2.STATE_TIMES)
    assert files.load(tmp_path / "1" / "figure1-b2.nc").Q.ndim == 3


def test_command_refuses_an_unknown_figure(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(main, ["figure", "7", "--output", str(tmp_path)])
    assert outcome.exit_code == 2
    assert "Traceback" not in outcome.output
