"""The plain hierarchy against the moving frame on the same noise: two derivations, one trajectory."""

from collections.abc import Callable

import numpy as np
import pytest

import opendicke as od
from opendicke.engine.fixed_basis import FixedBasis
from opendicke.engine.noise import NoisePath, OrnsteinUhlenbeck
from opendicke.engine.trajectory import Dynamics, initial_state, propagate

FIG1 = od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.128716, g_plus=1.128716)


def random_case(seed: int) -> tuple[od.DickeModel, od.SpinCoherent]:
    random = np.random.default_rng(seed)
    omega_a, omega_c, g_minus, g_plus = random.uniform(-1, 1, 4)
    model = od.DickeModel(
        n_atoms=1 + seed % 4, omega_a=omega_a, omega_c=2 * omega_c, kappa=0.6, g_minus=g_minus, g_plus=g_plus
    )
    theta, phi = random.uniform(0, 3), random.uniform(0, 6)
    return model, od.SpinCoherent(theta, phi, alpha=complex(*random.uniform(-0.7, 0.7, 2)))


def noise(model: od.DickeModel, stop: float, steps: int, seed: int) -> NoisePath:
    source = OrnsteinUhlenbeck(np.full(steps, stop / steps), model.omega_c, model.kappa)
    return source.sample(np.random.default_rng(seed))


def every(steps: int, rows: int) -> np.ndarray:
    record = np.full(steps + 1, -1)
    record[:: steps // (rows - 1)] = np.arange(rows)
    return record


def fixed(model: od.DickeModel, state: od.SpinCoherent, path: NoisePath, levels: int = 25) -> np.ndarray:
    couplings = model.g_minus, model.g_plus
    hierarchy = FixedBasis(model.n_atoms, model.omega_a, model.omega_c, model.kappa, *couplings, levels)
    amplitudes = state.dicke_amplitudes(model.n_atoms)
    return hierarchy.run(amplitudes, state.alpha, path, every(path.steps.size, 6), 6)[0]


def moving(model: od.DickeModel, state: od.SpinCoherent, path: NoisePath) -> np.ndarray:
    j, scale = model.n_atoms / 2, 1 / np.sqrt(model.n_atoms)
    plus, minus = (model.g_minus + model.g_plus) * scale, (model.g_minus - model.g_plus) * scale
    dynamics = Dynamics(j, model.omega_a, model.omega_c, model.kappa, plus, minus, 1e-8, 8.0, 10**9)
    start = initial_state(state.frame(), state.alpha, "float64", model.n_atoms)
    return propagate(start, dynamics, path, every(path.steps.size, 6), 6)


@pytest.mark.parametrize("seed", range(6))
def test_same_noise_same_trajectory(seed: int) -> None:
    """Every channel, with an initial cavity amplitude; both are within 1e-5 of their own limit at this step."""
    model, state = random_case(seed)
    path = noise(model, 2.0, 400, seed)
    np.testing.assert_allclose(fixed(model, state, path), moving(model, state, path), rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    "mutate",
    [
        lambda model, state: (model.replace(g_plus=-model.g_plus), state),
        lambda model, state: (model, od.SpinCoherent(state.theta, state.phi, -state.alpha)),
        lambda model, state: (model, od.SpinCoherent(state.theta, state.phi, state.alpha.conjugate())),
        lambda model, state: (model.replace(omega_a=-model.omega_a), state),
    ],
    ids=["sign of g+", "sign of alpha", "conjugate of alpha", "sign of omega_a"],
)
def test_the_comparison_sees_a_mutation(
    mutate: Callable[[od.DickeModel, od.SpinCoherent], tuple[od.DickeModel, od.SpinCoherent]],
) -> None:
    model, state = random_case(3)
    path = noise(model, 2.0, 400, 3)
    assert np.abs(fixed(*mutate(model, state), path) - moving(model, state, path)).max() > 1e-2


def test_fourth_order_in_the_step() -> None:
    """The noise is the same path at every step, so the error is the integrator's alone; orders averaged over six paths.

    On a single path the leading errors of the largest channel may nearly cancel at one of the steps.
    """
    state = od.SpinCoherent(np.pi / 4, np.pi, alpha=0.3j)
    levels = 14
    orders = []
    for seed in range(6):
        fine = noise(FIG1, 1.25, 1280, seed=seed)
        exact = fixed(FIG1, state, fine, levels)
        errors = [np.abs(fixed(FIG1, state, fine.coarsen(factor), levels) - exact).max() for factor in (32, 16, 8)]
        orders.append(-np.diff(np.log2(errors)))
    np.testing.assert_allclose(np.mean(orders, axis=0), 4.0, rtol=0, atol=0.2)


def test_the_top_level_tells_of_too_few_levels() -> None:
    state = od.SpinCoherent(np.pi / 4, np.pi)
    path = noise(FIG1, 5.0, 200, seed=1)
    tops = []
    for levels in (4, 8, 16, 24):
        hierarchy = FixedBasis(4, 1.0, 2.5, 0.5, FIG1.g_minus, FIG1.g_plus, levels)
        tops.append(hierarchy.run(state.dicke_amplitudes(4), 0j, path, every(200, 6), 6)[1])
    assert tops[0] > 0.1
    assert tops == sorted(tops, reverse=True)
    assert tops[-1] < 1e-6
