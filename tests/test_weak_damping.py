"""What a run tells of a cavity that hardly loses anything: broken conservation laws, and what may be lost."""

import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats

import opendicke as od
from opendicke.engine.compile import NUMERICS
from opendicke.methods import weak_damping
from opendicke.methods.hierarchy import NuHOPSSimulator
from opendicke.methods.weak_damping import check_conservation, check_memory, conserved_quantities
from opendicke.observables.catalogue import CHANNELS
from opendicke.problem import Problem, Solution
from opendicke.solve import describe

CLOSED = od.DickeModel(n_atoms=3, omega_a=0.8, omega_c=1.1, kappa=0.0, g_minus=0.7, g_plus=-0.4)
FILLED = od.SpinCoherent(1.0, 2.0, alpha=0.6 - 0.5j)
TIMES = np.array([0.0, 1.0, 3.0])


@cache
def batches(model: od.DickeModel, trajectories: int = 320) -> tuple[Problem, Solution]:
    """A run's batch means, and nothing else that is looked at here."""
    run = od.solve(model, FILLED, TIMES, od.NuHOPS(trajectories, seed=3))
    extra = {name: (run[name].dims, run[name].values.copy(), {}) for name in ("batch_means", "batch_size")}
    return Problem(model, FILLED, TIMES), Solution({}, extra=extra)


@pytest.mark.parametrize("changes", [{}, {"g_plus": 0.0}, {"g_minus": 0.0}, {"g_plus": 0.7}], ids=str)
def test_a_closed_system_conserves(changes: dict[str, Any]) -> None:
    """Any warning fails the test; each law, broken by 1 in a channel at the last time, is missed."""
    problem, solution = batches(CLOSED.replace(**changes))
    check_conservation(problem, solution)
    assert len(conserved_quantities(problem)) == (2 if 0.0 in changes.values() else 1)
    for name, factors in conserved_quantities(problem).items():
        broken = Solution({}, extra=solution.extra | {})
        means = solution.extra["batch_means"][1].copy()
        means[:, -1, int(np.argmax(np.abs(factors)))] += 1.0
        broken.extra["batch_means"] = (("batch", "time", "channel"), means, {})
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            check_conservation(problem, broken)
        assert any(f"the {name} is conserved" in str(one.message) for one in told), name
        assert all("standard errors at time 3:" in str(one.message) for one in told)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize(("share", "told"), [(0.9, True), (1.1, False)])
def test_the_score_is_that_of_student_s_test(times: int, share: float, told: bool) -> None:
    """Eight batches whose energy is off by so much that the p-value, times the number of times, is at the edge."""
    noise = np.array([0.3, -0.1, 0.2, -0.4, 0.1, 0.0, -0.2, 0.1]) * 0.01
    statistic = stats.t.isf(share * 1e-5 / (2 * times), 7)
    offset = statistic * stats.sem(noise)
    means = np.zeros((8, times, len(CHANNELS)))
    means[..., CHANNELS.index("Sz")] = -1.5 + noise[:, None]
    means[:, -1, CHANNELS.index("Sz")] += offset - noise.mean()
    assert stats.ttest_1samp(means[:, -1, CHANNELS.index("Sz")], -1.5).pvalue == pytest.approx(share * 1e-5 / times)
    extra = {"batch_means": (("batch", "time", "channel"), means, {}), "batch_size": (("batch",), np.full(8, 10), {})}
    problem = Problem(CLOSED, od.Normal(), np.arange(float(times)))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        check_conservation(problem, Solution({}, extra=extra))
    assert [f"= {statistic:.1f} standard errors" in str(one.message) for one in found] == [True] * told


@pytest.mark.parametrize("channel", ["re_Sx_a", "im_Sy_a", "Sz", "n_photon"])
def test_a_wrong_sign_in_the_energy_is_seen(channel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law itself is right: with the sign of any one term changed it is broken by an ordinary run."""
    problem, solution = batches(CLOSED, 800)
    check_conservation(problem, solution)
    factors = conserved_quantities(problem)["energy"]
    assert factors[CHANNELS.index(channel)] != 0
    factors[CHANNELS.index(channel)] *= -1
    monkeypatch.setattr(weak_damping, "conserved_quantities", lambda _: {"energy": factors})
    with pytest.warns(od.WeakDampingWarning):
        check_conservation(problem, solution)


def test_with_damping_nothing_is_conserved() -> None:
    assert conserved_quantities(Problem(CLOSED.replace(kappa=1e-3), FILLED, TIMES)) == {}


def test_hops_tells_that_it_fails_without_damping() -> None:
    """Its levels, all seen from the empty cavity, span more than double precision: 25 photons, at the revival.

    What it makes of that is rounding, so the number of photons, of which it may warn too, depends on the processor.
    """
    model = od.DickeModel.tavis_cummings(n_atoms=1, omega_a=0.0, omega_c=0.0, kappa=0.0, coupling=1.0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        od.solve(model, od.SpinCoherent(np.pi, 0, alpha=5), [31.0], od.HOPS(32, seed=4, depth=250))
    assert {one.category for one in told} == {od.WeakDampingWarning}
    assert [one for one in told if "is conserved, but here it is off" in str(one.message)]


def revived(n_atoms: int, photons: float, kappa: float) -> tuple[float, list[str]]:
    """How far HOPS is from NuHOPS along the same noise, up to the revival, in <S^z>/j; and what it warns of."""
    model = od.DickeModel.tavis_cummings(n_atoms=n_atoms, omega_a=0.0, omega_c=0.0, kappa=kappa, coupling=1.0)
    state, times = od.SpinCoherent(np.pi, 0, alpha=photons**0.5), np.linspace(0, 7 * (photons * n_atoms) ** 0.5, 24)
    moving = od.solve(model, state, times, od.NuHOPS(4, seed=1, step=0.02), ["Sz"])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fixed = od.solve(model, state, times, od.HOPS(4, seed=1, step=0.02, depth=240), ["Sz"])
    return float(np.abs(fixed.Sz - moving.Sz).max()) / (n_atoms / 2), [str(one.message) for one in told]


@pytest.mark.parametrize(("n_atoms", "photons"), [(1, 4), (1, 5), (2, 3)])
def test_hops_is_right_with_few_photons_and_does_not_warn(n_atoms: int, photons: float) -> None:
    error, told = revived(n_atoms, photons, 1e-3)
    assert error < 1e-3
    assert told == []


@pytest.mark.parametrize(("n_atoms", "photons", "kappa"), [(1, 13, 1e-3), (1, 20, 1e-2), (2, 16, 1e-3)])
def test_hops_warns_where_it_is_wrong(n_atoms: int, photons: float, kappa: float) -> None:
    error, told = revived(n_atoms, photons, kappa)
    assert error > 0.02
    assert [text for text in told if "too faint to be kept" in text and "Use NuHOPS or Lindblad." in text]


def test_hops_tells_its_limits() -> None:
    assert "6 photons" in od.HOPS(1).limits(CLOSED).reason
    assert "photons" not in od.HOPS(1).limits(CLOSED.replace(kappa=0.5)).reason


def filled(kappa: float, photons: float, stop: float) -> tuple[Problem, Solution]:
    """Eight batches of a run that had so many photons."""
    means = np.zeros((8, 1, len(CHANNELS)))
    means[..., CHANNELS.index("n_photon")] = photons
    extra = {"batch_means": (("batch", "time", "channel"), means, {}), "batch_size": (("batch",), np.full(8, 10), {})}
    return Problem(CLOSED.replace(kappa=kappa), FILLED, np.array([stop])), Solution({}, extra=extra)


@pytest.mark.parametrize(
    ("kappa", "photons", "stop", "told"),
    [
        (0.0, 40.0, 1e3, False),
        (0.0, 60.0, 1.0, True),
        (0.0, 0.0, 1.0, False),
        (1e-3, 60.0, 100.0, True),
        (1e-3, 60.0, 130.0, False),
    ],
)
def test_photons_that_are_too_many(kappa: float, photons: float, stop: float, told: bool) -> None:
    """exp(−(30.75)²/4n) passes 1 % at n = 51, and 4κnt passes 30 at t = 125."""
    problem, solution = filled(kappa, photons, stop)
    if told:
        with pytest.warns(od.WeakDampingWarning, match="too faint to be kept"):
            check_memory(problem, solution, 4.4e-14)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_memory(problem, solution, 4.4e-14)


@pytest.mark.parametrize(
    ("kappa", "photons", "stop", "told"),
    [
        (0.0, 6.0, 1.0, False),
        (0.0, 6.5, 1.0, True),
        (0.0, 100.0, 1.0, True),
        (0.03, 20.0, 45.0, True),
        (0.03, 20.0, 46.0, False),
    ],
)
def test_photons_that_are_too_many_seen_from_the_centre(kappa: float, photons: float, stop: float, told: bool) -> None:
    """exp(−(23.03 − 2n)²/4n) passes 1 % at n = 6.2, and 4κnt passes 30 + 4n = 110 at t = 45.8."""
    problem, solution = filled(kappa, photons, stop)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        check_memory(problem, solution, 1e-10, 2.0)
    assert len(found) == told


def test_a_run_with_many_photons_says_so() -> None:
    model = od.DickeModel.tavis_cummings(n_atoms=1, omega_a=0.0, omega_c=0.0, kappa=0.0, coupling=1.0)
    with pytest.warns(od.WeakDampingWarning, match="kappa = 0 with 81 photons.*Use Schroedinger"):
        od.solve(model, od.SpinCoherent(np.pi, 0, alpha=9), [0.01], od.NuHOPS(2))


def test_many_atoms_without_damping_say_so() -> None:
    """What is faint is not kept there, so that the share lost counts from ``tol``: 18 photons are too many."""
    model = od.DickeModel.tavis_cummings(n_atoms=101, omega_a=0.0, omega_c=0.0, kappa=0.0, coupling=1.0)
    with pytest.warns(od.WeakDampingWarning, match="18 photons: in up to .* \\(below 1e-07\\)"):
        od.solve(model, od.SpinCoherent(np.pi, 0, alpha=18**0.5), [0.01], od.NuHOPS(2))


def test_limits_tell() -> None:
    def reason(**changes: Any) -> str:
        return od.NuHOPS(1).limits(CLOSED.replace(**changes)).reason

    assert "Lindblad" in reason()
    assert "more than 100 atoms" in reason(n_atoms=101)
    assert reason(kappa=0.5) == reason(kappa=0.5, n_atoms=101)
    assert "faint" not in reason(kappa=0.5)


def resonant(n_atoms: int, kappa: float, omega_c: float = 1.0, coupling: float = 1.4) -> od.DickeModel:
    return od.DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=omega_c, kappa=kappa, coupling=coupling)


#: Where trajectories go wrong unless what is faint is kept, and where they do not (docs/accuracy.md).
NEEDED = {
    "one atom, 25 photons": od.DickeModel.tavis_cummings(n_atoms=1, omega_a=0, omega_c=0, kappa=0.003, coupling=1),
    "the same, far from zero": od.DickeModel.tavis_cummings(n_atoms=1, omega_a=99, omega_c=99, kappa=0.003, coupling=1),
    "no damping": resonant(10, 0.0),
    "little damping": resonant(10, 0.05),
    "thirty atoms": resonant(30, 0.05),
    "fifty atoms": resonant(50, 0.01),
    "a dispersive cavity": od.DickeModel.tavis_cummings(n_atoms=1, omega_a=8, omega_c=0, kappa=0.005, coupling=1),
}
NOT_NEEDED = {
    "damping": resonant(10, 0.2),
    "a hundred atoms": resonant(100, 0.05),
    "many atoms": resonant(1000, 0.05),
    "far detuned": resonant(1000, 0.5, 250.0, 19.0),
    "farther": resonant(100000, 0.5, 2500.0, 60.0),
    "far detuned, few atoms": resonant(10, 0.5, 250.0, 19.0),
    "a dispersive cavity": od.DickeModel.tavis_cummings(n_atoms=1, omega_a=8, omega_c=0, kappa=0.05, coupling=1),
    "no coupling": resonant(10, 0.0, 1.0, 0.0),
    "hopeless": resonant(600, 0.0),
}


@pytest.mark.parametrize(
    ("model", "wanted"),
    [(model, wanted) for models, wanted in ((NEEDED, True), (NOT_NEEDED, False)) for model in models.values()],
    ids=[f"{name}: {wanted}" for models, wanted in ((NEEDED, True), (NOT_NEEDED, False)) for name in models],
)
def test_what_is_faint_is_kept_where_it_comes_back(model: od.DickeModel, wanted: bool) -> None:
    """And results stored before it was kept are told apart, in these models and by this method alone."""
    problem = Problem(model, FILLED, TIMES)
    assert NuHOPSSimulator(problem, od.NuHOPS(1)).dynamics.weakly_damped is wanted
    assert describe(problem, od.NuHOPS(1))["numerics"] == NUMERICS + wanted
    assert {describe(problem, method)["numerics"] for method in (od.HOPS(1), od.TruncatedWigner(1))} == {NUMERICS}
