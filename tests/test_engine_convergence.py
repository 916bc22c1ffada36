"""Pathwise convergence: in the step on one and the same noise, in ``tol``, and to a large fixed basis."""

from functools import cache

import numpy as np
import pytest

import opendicke as od
from opendicke.engine.fixed_basis import FixedBasis
from opendicke.engine.noise import NoisePath, OrnsteinUhlenbeck
from opendicke.engine.trajectory import Dynamics, initial_state, propagate
from opendicke.ensemble.streams import stream
from opendicke.methods.hierarchy import NuHOPSSimulator
from opendicke.problem import Problem

#: Fig. 1's parameters and an unbalanced model; strong coupling, from the side of the Bloch sphere.
MODELS = {
    "balanced": od.DickeModel(n_atoms=1, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.128716, g_plus=1.128716),
    "unbalanced": od.DickeModel(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.8, g_plus=-0.782),
}
STATE = od.SpinCoherent(np.pi / 4, np.pi, alpha=0.3j)
STOP, FINEST = 4.0, 1 / 256
TOLERANCES = np.array([1e-4, 1e-5, 1e-6, 1e-7])
PATHS = 8


def dynamics(model: od.DickeModel, tol: float, feedback: float = 5.0) -> Dynamics:
    root = np.sqrt(model.n_atoms)
    pulls = (model.g_minus + model.g_plus) / root, (model.g_minus - model.g_plus) / root
    return Dynamics(model.n_atoms / 2, model.omega_a, model.omega_c, model.kappa, *pulls, tol, feedback, 2**31)


def paths(model: od.DickeModel) -> list[NoisePath]:
    source = OrnsteinUhlenbeck(np.full(round(STOP / FINEST), FINEST), model.omega_c, model.kappa)
    return [source.sample(stream(13, index)) for index in range(PATHS)]


def end(model: od.DickeModel, path: NoisePath, tol: float, state: od.SpinCoherent = STATE) -> np.ndarray:
    """<S>/j and <a>/√N at the end of a path, shape (5,)."""
    start = initial_state(state.frame(), state.alpha, "float64", model.n_atoms)
    record = np.full(path.steps.size + 1, -1)
    record[-1] = 0
    return scaled(model, propagate(start, dynamics(model, tol), path, record, 1)[0])


def scaled(model: od.DickeModel, channels: np.ndarray) -> np.ndarray:
    return np.concatenate([channels[:3] / (model.n_atoms / 2), channels[9:11] / np.sqrt(model.n_atoms)])


@cache
def errors(name: str, n_atoms: int, flat: bool = False) -> np.ndarray:
    """Median over paths of the error at steps 1/4, 1/8, 1/16, 1/32; ``flat`` drops the line's slope."""
    model, tol = MODELS[name].replace(n_atoms=n_atoms), 1e-10
    found = []
    for fine in paths(model):
        best, row = end(model, fine, tol), []
        for factor in (64, 32, 16, 8):
            path = fine.coarsen(factor)
            if flat:
                path = NoisePath(path.steps, path.middle, 0 * path.slope)
            row.append(np.abs(end(model, path, tol) - best).max())
        found.append(row)
    return np.median(found, axis=0)


@pytest.mark.parametrize("n_atoms", [1, 5, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", MODELS)
def test_strong_order_in_the_step(name: str, n_atoms: int) -> None:
    """Third order below a step of 1/8 (measured 2.9 to 3.2); at the default step, about 1/16, the error is 1e-5."""
    found = errors(name, n_atoms)
    assert np.log(found[1] / found[3]) / np.log(4) > 2.6
    assert found[2] < 2e-5


def test_the_slope_of_the_noise_matters() -> None:
    """Without it the order is two, and the error a hundred times larger."""
    flat, line = errors("balanced", 5, flat=True), errors("balanced", 5)
    assert np.log(flat[1] / flat[3]) / np.log(4) < 2.4
    assert flat[3] > 50 * line[3]


@cache
def tolerance_errors(name: str, n_atoms: int) -> np.ndarray:
    """Median over paths of the error for each of ``TOLERANCES``, on a fixed noise grid."""
    model = MODELS[name].replace(n_atoms=n_atoms)
    found = []
    for fine in paths(model):
        path = fine.coarsen(16)
        best = end(model, path, 1e-10)
        found.append([np.abs(end(model, path, tol) - best).max() for tol in TOLERANCES])
    return np.median(found, axis=0)


@pytest.mark.parametrize("n_atoms", [3, 60])
@pytest.mark.parametrize("name", MODELS)
def test_convergence_in_the_tolerance(name: str, n_atoms: int) -> None:
    """On the same noise grid the error falls with ``tol``, at worst as its power 4/5: steps are of length tol^(1/5)
    and cost a tenth of tol each. Measured: up to 4 tol^(4/5), at three atoms."""
    found = tolerance_errors(name, n_atoms)
    assert (found < 8 * TOLERANCES**0.8).all()
    assert (np.diff(found) < 0).all()
    assert found[0] > 3 * found[3]


@pytest.mark.parametrize("n_atoms", [1, 2, 3, 8])
@pytest.mark.parametrize("name", MODELS)
def test_the_limit_is_that_of_a_large_fixed_basis(name: str, n_atoms: int) -> None:
    """The hierarchy with all spin states and more levels than are ever filled, on the same noise: 3e-6 at h = 1/256."""
    model = MODELS[name].replace(n_atoms=n_atoms)
    plain = FixedBasis(n_atoms, model.omega_a, model.omega_c, model.kappa, model.g_minus, model.g_plus, levels=45)
    record = np.full(round(STOP / FINEST) + 1, -1)
    record[-1] = 0
    gaps = []
    for path in paths(model)[:4]:
        channels, top = plain.run(STATE.dicke_amplitudes(n_atoms), STATE.alpha, path, record, 1)
        assert top < 1e-7
        gaps.append(np.abs(scaled(model, channels[0]) - end(model, path, 1e-8)).max())
    assert np.median(gaps) < 3e-6


def test_a_large_cavity_amplitude() -> None:
    """α = 20 + 10i, where a photon basis would need 700 states: against the plain hierarchy on the same noise."""
    model, state = MODELS["balanced"].replace(n_atoms=3), od.SpinCoherent(1.0, 0.5, alpha=20 + 10j)
    plain = FixedBasis(3, model.omega_a, model.omega_c, model.kappa, model.g_minus, model.g_plus, levels=45)
    source = OrnsteinUhlenbeck(np.full(2048, 1 / 1024), model.omega_c, model.kappa)
    record = np.full(2049, -1)
    record[-1] = 0
    path = source.sample(stream(13, 0))
    channels, _ = plain.run(state.dicke_amplitudes(3), state.alpha, path, record, 1)
    np.testing.assert_allclose(end(model, path, 1e-8, state), scaled(model, channels[0]), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("n_atoms", "seed", "paths"), [(1000, 9, [12]), (500, 77, [337, 339, 609, 838, 968, 1283])], ids=["1000", "500"]
)
def test_paths_that_amplify_errors_do_not_go_astray(n_atoms: int, seed: int, paths: list[int]) -> None:
    """Fig. 1's parameters. Noise makes small amplitudes grow ten-thousandfold: all of these paths jump to the other
    superradiant state, or go a long way towards it, when levels are dropped at ``tol`` instead of far below."""
    problem = Problem(
        MODELS["balanced"].replace(n_atoms=n_atoms), od.SpinCoherent(np.pi / 4, np.pi), np.arange(1.0, 20.5)
    )
    for index in paths:
        loose, tight = (
            NuHOPSSimulator(problem, od.NuHOPS(1, seed=seed, tol=tol, keep_trajectories=True))(index)
            for tol in (1e-4, 1e-7)
        )
        off = (loose.kept["Sx_trajectory"] - tight.kept["Sx_trajectory"]) / (n_atoms / 2)
        assert abs(off).max() < 0.02
