"""Gaussian copies as a control variate of nuHOPS: the same means with smaller error bars, whoever runs them.

Statistical tests have fixed seeds and say how often a correct method fails them.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom

import opendicke as od
from control_cases import Trajectories
from opendicke.description import describe_method
from opendicke.ensemble.run import BATCHES, Ensemble, Sample, run_ensemble
from opendicke.methods import control
from opendicke.methods.control import PILOT, ControlledSimulator, Revision, fitted, number_of_copies
from opendicke.problem import Problem
from opendicke.progress import Silent
from random_models import TIMES as LATER
from random_models import random_case
from zscores import channels_of, compare

FIG1 = od.DickeModel.balanced(n_atoms=300, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.257432)
START = od.SpinCoherent(np.pi / 4, np.pi)
FEW = od.DickeModel.balanced(n_atoms=5, omega_a=1.1, omega_c=1.4, kappa=0.8, coupling=1.6)
TIMES = np.array([0.0, 0.8, 2.0])


def simulator(model: od.DickeModel, times: np.ndarray, seed: int = 1) -> ControlledSimulator:
    found = od.NuHOPS(1, seed=seed, tol=1e-3, control="gaussian").simulator(Problem(model, START, times))
    assert isinstance(found, ControlledSimulator)
    return found


def revised(simulate: ControlledSimulator, count: int) -> np.ndarray:
    """What is averaged, of so many trajectories: (trajectories, times, channels)."""
    first: list[Any] = [(index, simulate(index)) for index in range(PILOT)]
    others, revise = simulate.pilot()(first)
    rows = first + [(index, others(index)) for index in range(PILOT, count)]
    return np.array([revise(index, sample).averaged["channels"] for index, sample in rows])


def test_means_are_those_of_the_master_equation() -> None:
    """With five atoms, where copies are bad and many come to no end; a correct method fails once in 5000 times.

    A control that has a mean (copies without the others taken off) is seen.
    """
    exact = channels_of(od.solve(FEW, START, TIMES, od.Lindblad()))
    simulate = simulator(FEW, TIMES).with_copies(4)
    found = compare(revised(simulate, 300), exact)
    assert found.agrees, found.chances
    simulate.gaussian.copy = lambda rng, original=simulate.gaussian.copy: _leaning(original, rng)  # type: ignore[method-assign,misc]
    assert not compare(revised(simulate, 300), exact).agrees


def test_means_of_a_random_model() -> None:
    """One of the 32 of ``benchmarks/control_exactness.py``: a correct method fails once in 5000 times.

    Seen: other copies run once, whose mean is then not that of the copies; slopes applied to the four pairs that gave
    them. (Copies along another trajectory's noise are no mistake, but of no use: below.)
    """
    model, state = random_case(3)
    exact = channels_of(od.solve(model, state, LATER, od.Lindblad()))
    found = Trajectories(Problem(model, state, LATER), 1003, 400)
    assert compare(found.right(), exact).agrees
    assert found.reduction() > 5
    assert not compare(found.same_others(), exact).agrees
    assert not compare(found.own_slopes(), exact).agrees


def _leaning(copy: Any, rng: Any) -> Any:
    """A copy whose own noise is told from that of the others, and used."""
    beside = len(rng.bit_generator.seed_seq.spawn_key) > 2
    return copy(rng) * (0 if beside else 1)


@pytest.fixture
def few_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four copies in the pilot: quick, and as exact as many."""
    monkeypatch.setattr(ControlledSimulator.__init__, "__defaults__", (4,))
    monkeypatch.setattr(control, "PILOT_COPIES", 4)


@cache
def reduction(shift: int) -> float:
    """By how much the variance of S^x and S^z is reduced at N = 300; copies along the noise of another trajectory."""
    simulate = simulator(FIG1, np.array([2.0, 4.0]))
    if shift:
        stream = simulate.stream
        simulate.stream = lambda index: stream(index + shift)  # type: ignore[method-assign]
    samples: list[Any] = [(index, simulate(index)) for index in range(PILOT)]
    _, revise = simulate.pilot()(samples)
    rows = np.array([revise(index, sample).averaged["channels"] for index, sample in samples])[..., [0, 2]]
    plain = np.array([sample.averaged["channels"] for _, sample in samples])[..., [0, 2]]
    return float(np.median(plain.var(axis=0) / rows.var(axis=0)))


def test_copies_along_the_same_noise_take_the_noise_off() -> None:
    """Measured: 16; along another path slopes vanish, and nothing is gained or lost."""
    assert reduction(0) > 6
    assert 0.7 < reduction(1) < 1.3


# Slopes


def with_theta(g: np.ndarray, there: Any = 1.0) -> np.ndarray:
    """θg and θ, as copies have them."""
    return np.concatenate([g * there, np.ones_like(g[..., :1]) * there], axis=-1)


def estimates(own: bool) -> np.ndarray:
    """500 means of f = h², E h = 0, with the control taken off: slopes from other batches, or from all."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(500):
        h = rng.exponential(size=(40, 1, 1)) - 1
        slope, _ = fitted(h**2, with_theta(h), np.arange(40) % BATCHES)
        if own:
            slope[:] = ((h - h.mean()) * (h**2 - (h**2).mean())).sum() / ((h - h.mean()) ** 2).sum()
        found.append(np.mean([h[i] ** 2 - slope[i % BATCHES] * h[i] for i in range(40)]))
    return np.array(found)


def test_slopes_of_other_batches_leave_no_bias() -> None:
    """E f = 1: within 4 standard errors (once in 16000); slopes that know of their own batch are far out."""
    for own in (False, True):
        values = estimates(own)
        z = abs(values.mean() - 1) / (values.std() / np.sqrt(values.size))
        assert (z > 8) if own else (z < 4), z


def test_slopes_and_centres_are_those_without_the_batch() -> None:
    rng = np.random.default_rng(2)
    f, g, batch = rng.standard_normal((50, 1, 3)) + 50, rng.standard_normal((50, 1, 3)) + 100.0, np.arange(50) % BATCHES
    there = (rng.random((50, 1, 1)) < 0.8) * 1.0
    slope, centre = fitted(f, with_theta(g, there), batch)
    for one, column in ((0, 1), (20, 2), (31, 0)):
        others = batch != one
        mean = f[others, 0, column].mean()
        control = there[others, 0, 0] * (g[others, 0, column] - mean)
        np.testing.assert_allclose(centre[one, 0, column], mean, rtol=0, atol=1e-11)
        wanted = np.polyfit(control, f[others, 0, column], 1)[0]
        np.testing.assert_allclose(slope[one, 0, column], wanted, rtol=0, atol=1e-11)


def test_a_few_trajectories_have_no_slope() -> None:
    f = np.random.default_rng(0).standard_normal((15, 1, 2))
    assert not fitted(f, with_theta(f), np.arange(15))[0].any()


@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_intervals_cover_as_often_as_they_say(noise: float) -> None:
    """400 experiments of 96 trajectories, 64 of them the pilot: 95 % within 99.99 % of the binomial distribution.

    Intervals of half the length cover less often than that.
    """
    rng, hits, short = np.random.default_rng(5), 0, 0
    for _ in range(400):
        ensemble = Ensemble()
        h = rng.exponential(size=(96, 1, 1)) - 1
        f = 2 * h + noise * rng.standard_normal(h.shape)
        copies = with_theta(h)
        revise = Revision(*fitted(f[:PILOT], copies[:PILOT], np.arange(PILOT) % BATCHES), 64)
        for index in range(96):
            sample = Sample({"channels": f[index], "copy": copies[index], "others": with_theta(0 * h[index])})
            ensemble.add(index, revise(index, sample))
        moments = ensemble.moments("channels")
        z = abs(moments.mean.item()) / moments.sem.item()
        hits, short = hits + (z < 1.985), short + (z < 1.985 / 2)  # Student's t of 95 degrees of freedom
    assert binom.ppf(5e-5, 400, 0.95) <= hits <= binom.ppf(1 - 5e-5, 400, 0.95)
    assert short < binom.ppf(5e-5, 400, 0.95)


def test_the_number_of_copies_follows_cost_and_correlation() -> None:
    rng = np.random.default_rng(1)
    h, noise = rng.standard_normal((2, 500, 3, 2))
    assert number_of_copies(h + noise, h, 100.0) == 8  # R² = 1/2: the root of 100
    assert number_of_copies(h + 0.1 * noise, h, 100.0) == 128  # R² = 0.99: 10 times more
    assert number_of_copies(noise, h, 100.0) == 1
    assert number_of_copies(h, h, 100.0) == control.MOST_COPIES
    assert number_of_copies(np.ones_like(h), h, 100.0) == 1


# Whoever runs it


def run(trajectories: int, executor: Any = None, store: Path | None = None, **changes: Any) -> xr.Dataset:
    method = od.NuHOPS(trajectories, seed=2, tol=1e-3, **{"control": "gaussian"} | changes)
    return od.solve(FIG1, START, [0.5, 1.0], method, ["Sx", "n_photon"], executor=executor, store=store)


def same(one: xr.Dataset, other: xr.Dataset) -> bool:
    return all(np.array_equal(one[name].values, other[name].values) for name in (*one.data_vars,))


@pytest.mark.usefixtures("few_copies")
def test_numbers_depend_neither_on_the_executor_nor_on_interruptions(tmp_path: Path) -> None:
    whole = run(72)
    assert same(run(72, od.Serial()), whole)
    run(40, store=tmp_path)
    run(66, store=tmp_path)
    assert same(run(72, store=tmp_path), whole)
    assert same(run(72, store=tmp_path), whole)  # all of it read


def test_means_and_batches_are_one_and_the_attrs_tell(tmp_path: Path) -> None:
    answer = run(70)
    held = answer.batch_size.values
    mean = (answer.batch_means.sel(channel="Sx").values * held[:, None]).sum(axis=0) / held.sum()
    np.testing.assert_allclose(mean, answer.Sx.values, rtol=0, atol=1e-10)
    assert answer.attrs["copies"] > 70
    assert json.loads(answer.attrs["variance_reduction"])["Sx"] > 3
    assert answer.attrs["core_seconds_of_copies"] > 0
    assert "plain" not in answer
    plain = run(70, control=None)
    gain = (plain.Sx_sem / answer.Sx_sem).values
    assert (gain > 1.5).all()
    told = json.loads(answer.attrs["variance_reduction"])["Sx"]
    np.testing.assert_allclose(told, np.median(gain**2), rtol=0.01, atol=0)
    assert answer.attrs["failed_copies"] == 0
    shown = str(od.report(answer))
    assert re.search(r"how it ran +hierarchy plain, control gaussian\n", shown)
    assert re.search(rf"Gaussian copies +{answer.attrs['copies']:g}\n +failed copies +0\n", shown)
    assert re.search(rf"variance reduced by +Sx {told:g}, ", shown)
    # the same trajectories: means differ by what chance made of the plain ones, within 4.5 of their errors
    assert (np.abs(answer.Sx - plain.Sx) < 4.5 * plain.Sx_sem).all()


def test_a_target_is_reached_with_fewer_trajectories() -> None:
    target = od.Precision("Sx", absolute=0.25)
    with_copies, without = (run(2000, precision=target, control=one) for one in ("gaussian", None))
    assert with_copies.attrs["precision_reached"] == without.attrs["precision_reached"] == 1
    assert with_copies.attrs["trajectories"] < without.attrs["trajectories"] / 2


def test_nothing_changes_without_it() -> None:
    assert "control" not in describe_method(od.NuHOPS(1))
    assert describe_method(od.NuHOPS(1, control="gaussian"))["control"] == "gaussian"
    auto = od.solve(FEW, START, [0.5], od.NuHOPS(4, control="auto"), ["Sx"])
    assert same(auto, od.solve(FEW, START, [0.5], od.NuHOPS(4), ["Sx"]))
    assert "copies" not in auto.attrs
    fock = od.SpinCoherent(0.4, cavity=od.cavities.Fock(1))
    many = FEW.replace(n_atoms=500)
    assert "copies" not in od.solve(many, fock, [0.1], od.NuHOPS(1, control="auto"), ["Sx"]).attrs
    assert "copies" in od.solve(many, START, [0.1], od.NuHOPS(1, control="auto"), ["Sx"]).attrs


def test_states_without_copies_are_refused() -> None:
    fock = od.SpinCoherent(0.4, cavity=od.cavities.Fock(1))
    for state in (fock, od.Dicke(0.0)):
        with pytest.raises(ValueError, match=r"coherent, Thermal or Squeezed cavities .*: control=None, or"):
            od.solve(FEW, state, [0.1], od.NuHOPS(1, control="gaussian"), ["Sx"])
    with pytest.raises(ValueError, match="control: expected None, 'gaussian' or 'auto', got"):
        od.NuHOPS(1, control="Gaussian")  # type: ignore[arg-type]


def test_a_pilot_that_is_cut_short_is_all_there_is() -> None:
    """An executor that ends early: what has come is averaged, and no more is run."""

    class Short:
        def map(self, function: Any, items: Any) -> Any:
            return (function(item) for item in list(items)[:2])

    simulate = simulator(FEW, TIMES)
    ensemble = run_ensemble(simulate, 100, Short(), Silent(), None, simulate.pilot())
    assert 0 < ensemble.size < PILOT


def test_what_is_taken_off_a_trajectory_is_its_own_excess() -> None:
    """f − β[θ(g − c) − mean of others], with the share θ of a copy and the β that goes with so many others."""
    averaged = {"channels": np.zeros((1, 1)), "copy": np.array([[5.0, 1.0]]), "others": np.array([[1.0, 0.5]])}
    revision = Revision(np.full((BATCHES, 1, 1), 3.0), np.full((BATCHES, 1, 1), 2.0), 1)
    for index, copies in ((0, control.PILOT_COPIES), (PILOT, 1)):
        found = revision(index, Sample(averaged)).averaged["channels"].item()
        assert found == pytest.approx(-9 / (1 + 1 / copies))
