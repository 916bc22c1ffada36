"""HOPS against the exact master equation, within statistical error, and against nuHOPS on the same noise."""

import re
from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.engine.noise import NoisePath, OrnsteinUhlenbeck
from opendicke.methods import hops
from opendicke.methods.hops import HOPS
from opendicke.problem import Problem

TIMES = (0.6, 1.5, 3.0)
#: Largest |z| allowed among about 80 real numbers a case: a correct method fails a case with probability 5e-4.
LARGEST_Z = 4.5
#: The step error of <S> and the like, beside the statistical error (0.003 to 0.05).
SYSTEMATIC = 2e-4
MODELS = [
    od.DickeModel(n_atoms=1, omega_a=1.0, omega_c=0.8, kappa=0.5, g_minus=0.9, g_plus=-0.5),
    od.DickeModel(n_atoms=2, omega_a=-0.7, omega_c=1.2, kappa=0.3, g_minus=0.3, g_plus=0.8),
    od.DickeModel(n_atoms=3, omega_a=0.5, omega_c=-1.5, kappa=0.6, g_minus=1.0, g_plus=0.0),
    od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.128716, g_plus=1.128716),
]
STATES = [
    od.SpinCoherent(0.9, 0.5, alpha=0.6 - 0.4j),
    od.SpinCoherent(2.0, 1.0, alpha=0.5j),
    od.SpinCoherent(1.2, 4.0, alpha=-0.7 + 0.2j),
    od.SpinCoherent(np.pi / 4, np.pi),
]


@cache
def exact(n_atoms: int) -> xr.Dataset:
    return od.solve(MODELS[n_atoms - 1], STATES[n_atoms - 1], TIMES, od.Lindblad())


def sampled(n_atoms: int, trajectories: int, **model_changes: Any) -> xr.Dataset:
    model = MODELS[n_atoms - 1].replace(**model_changes)
    return od.solve(model, STATES[n_atoms - 1], TIMES, HOPS(trajectories, seed=7, depth=24))


def largest_z(sample: xr.Dataset, reference: xr.Dataset) -> float:
    """The largest deviation, in standard errors, after the step error has been forgiven."""
    worst = 0.0
    for name in reference.data_vars:
        gap = (sample[name] - reference[name]).values
        error = sample[f"{name}_sem"].values
        for part in (np.real, np.imag):
            excess = np.maximum(np.abs(part(gap)) - SYSTEMATIC, 0.0)
            worst = max(worst, float((excess / np.maximum(part(error), 1e-9)).max()))
    return worst


@pytest.mark.parametrize("n_atoms", [1, 2, 3, 4])
def test_every_variable_agrees_with_the_master_equation(n_atoms: int) -> None:
    assert largest_z(sampled(n_atoms, 2000), exact(n_atoms)) < LARGEST_Z


class WrongTurn(OrnsteinUhlenbeck):
    """Noise that rotates the wrong way."""

    def __init__(self, steps: np.ndarray, omega_c: float, kappa: float) -> None:
        super().__init__(steps, -omega_c, kappa)


class MissingFactor(OrnsteinUhlenbeck):
    """Noise of half the variance."""

    def sample(self, rng: np.random.Generator) -> NoisePath:
        path = super().sample(rng)
        return NoisePath(path.steps, path.middle / np.sqrt(2), path.slope / np.sqrt(2))


@pytest.mark.parametrize("noise", [WrongTurn, MissingFactor])
def test_wrong_noise_is_seen(noise: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hops, "OrnsteinUhlenbeck", noise)
    assert largest_z(sampled(2, 1000), exact(2)) > 2 * LARGEST_Z


def test_a_wrong_sign_of_g_plus_is_seen() -> None:
    assert largest_z(sampled(2, 1000, g_plus=-0.8), exact(2)) > 2 * LARGEST_Z


@pytest.mark.parametrize("n_atoms", [1, 2, 3, 4])
def test_trajectories_are_those_of_nuhops(n_atoms: int) -> None:
    """Same seed, same step: the two gauges give the same numbers up to tolerance and step error."""
    model, state = MODELS[n_atoms - 1], STATES[n_atoms - 1]
    plain = od.solve(model, state, TIMES, HOPS(3, seed=5, step=0.01))
    moving = od.solve(model, state, TIMES, od.NuHOPS(3, seed=5, step=0.01, tol=1e-8))
    for name in plain.data_vars:
        np.testing.assert_allclose(plain[name], moving[name], rtol=0, atol=1e-4, err_msg=name)


def test_executors_change_no_number() -> None:
    method = HOPS(40, seed=1)
    runs = [od.solve(MODELS[1], STATES[1], TIMES, method, executor=who) for who in (od.Serial(), od.Threads(2))]
    for name in runs[0].data_vars:
        np.testing.assert_array_equal(runs[0][name], runs[1][name])


def test_the_initial_state_is_read_out_exactly() -> None:
    state = STATES[0]
    result = od.solve(MODELS[0], state, [0.0], HOPS(2))
    np.testing.assert_allclose(result.a, state.alpha, rtol=0, atol=1e-14)
    np.testing.assert_allclose(result.n_photon2, abs(state.alpha) ** 4, rtol=0, atol=1e-14)
    np.testing.assert_allclose(result.Sy_a, 0.5 * state.direction[1] * state.alpha, rtol=0, atol=1e-14)


def test_too_shallow_a_hierarchy_is_refused_with_a_depth_that_works() -> None:
    with pytest.raises(ValueError, match=r"depth: expected .* got 6 .*Try depth=22: 14 is enough here, the rest"):
        od.solve(MODELS[3], STATES[3], TIMES, HOPS(16, seed=1, depth=6))
    result = od.solve(MODELS[3], STATES[3], TIMES, HOPS(16, seed=1, depth=22))
    assert result.attrs["top_level"] < 1e-2


#: Spins that spread, whose trajectories need different depths.
WIDE = od.DickeModel.balanced(n_atoms=8, omega_a=1.0, omega_c=1.0, kappa=0.3, coupling=1.6)


@pytest.mark.parametrize(
    ("model", "stop", "depth"), [(MODELS[3], 3.0, 2), (WIDE, 6.0, 12), (WIDE, 6.0, 20)], ids=["few", "wide", "deep"]
)
def test_who_follows_the_hint_gets_an_answer(model: od.DickeModel, stop: float, depth: int) -> None:
    """For many trajectories, at once. (With a depth that is just enough for the one refused it took two or three.)"""
    depths, state = [depth], od.SpinCoherent(np.pi / 4, np.pi)
    while True:
        try:
            od.solve(model, state, [stop], HOPS(200, seed=1, depth=depths[-1]))
            break
        except ValueError as refused:
            depths.append(int(re.findall(r"Try depth=(\d+)", str(refused))[0]))
    assert len(depths) == 2, depths


def test_the_search_for_a_depth_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is enough, and where none that is enough fits."""
    problem = Problem(MODELS[3], STATES[3], np.array(TIMES))
    small = HOPS(1, seed=1, depth=6, max_memory=560 * 14 / 2**30)
    with pytest.raises(ValueError, match=r"No depth within max_memory is enough: use NuHOPS\.$"):
        hops.HOPSSimulator(problem, small)(0)
    between = HOPS(1, seed=1, depth=6, max_memory=560 * 16 / 2**30)
    with pytest.raises(ValueError, match=r"Try depth=14, enough here: more does not fit into max_memory\.$"):
        hops.HOPSSimulator(problem, between)(0)
    monkeypatch.setattr(hops, "_MOST_DEEPER", 1)
    with pytest.raises(ValueError, match=r"No depth tried is enough: use NuHOPS\.$"):
        hops.HOPSSimulator(problem, HOPS(1, seed=1, depth=6, max_top_level=1e-100))(0)


def test_a_model_without_rates_stands_still() -> None:
    model = od.DickeModel(n_atoms=2, omega_a=0.0, omega_c=0.0, kappa=0.0, g_minus=0.0, g_plus=0.0)
    result = od.solve(model, STATES[1], [0.0, 4.0], HOPS(2))
    np.testing.assert_allclose(result.Sx[1], result.Sx[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(result.a, STATES[1].alpha, rtol=0, atol=1e-14)


def test_too_large_a_problem_is_refused_with_its_size() -> None:
    with pytest.raises(ValueError, match=r"GiB of memory.*NuHOPS"):
        od.solve(MODELS[0].replace(n_atoms=10**6), STATES[0], TIMES, HOPS(1))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"trajectories": 0}, ValueError),
        ({"trajectories": 2, "seed": -1}, ValueError),
        ({"trajectories": 2, "depth": 1}, ValueError),
        ({"trajectories": 2, "step": 0.0}, ValueError),
        ({"trajectories": 2, "max_memory": "1"}, TypeError),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=list(options)[-1]):
        HOPS(**options)
