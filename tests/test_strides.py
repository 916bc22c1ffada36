"""Strides of a trajectory whose cavity follows the spins: against the hierarchy, and their order along one path."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.linalg import expm

import opendicke as od
from opendicke.engine import bands
from opendicke.engine.compile import from_python
from opendicke.engine.noise import NoisePath, OrnsteinUhlenbeck
from opendicke.engine.strides import propagate_strides, start
from opendicke.engine.trajectory import Dynamics, initial_state, propagate
from opendicke.methods.hierarchy import HierarchySimulator, NuHOPSSimulator
from opendicke.methods.strides import StrideSimulator
from opendicke.problem import Problem

THETA, N_ATOMS = 2.6, 400
FRAME = np.array([[math.cos(THETA), 0, -math.sin(THETA)], [0, 1.0, 0], [math.sin(THETA), 0, math.cos(THETA)]])


def dynamics(omega_c: float, kappa: float, skew: float) -> Dynamics:
    """1.2 times the critical coupling of the balanced model; ``skew`` is (g₋ − g₊)/(g₋ + g₊)."""
    x = 1.2 * math.sqrt((omega_c**2 + kappa**2) / omega_c / N_ATOMS)
    return Dynamics(N_ATOMS / 2, 1.0, omega_c, kappa, x, skew * x, tol=1e-4, feedback=5.0, memory_limit=2**30)


def noise(omega_c: float, kappa: float, stop: float, seed: int = 3) -> NoisePath:
    """A path on steps of a power of two that turn the cavity by at most 0.4, each a fine step."""
    h = 0.5 ** math.ceil(math.log2(omega_c / 0.4))
    return OrnsteinUhlenbeck(np.full(round(stop / h), h), omega_c, kappa).sample(np.random.default_rng(seed))


def marks(path: NoisePath, times: int) -> NDArray[np.int64]:
    every = path.steps.size // times
    after = np.full(path.steps.size + 1, -1)
    after[every::every] = np.arange(times)
    return after


def run(parameters: Dynamics, longest: float, path: NoisePath, times: int) -> NDArray[np.float64]:
    fastest, hits = math.hypot(parameters.omega_c, parameters.kappa), marks(path, times)
    return propagate_strides(start(FRAME, 0.2j), parameters, longest, fastest, path, hits, times)


def test_strides_follow_the_hierarchy() -> None:
    # at N = 1000 … 10⁴: 1e-5 to 5e-5 in the spins, 1e-4 to 4e-4 of the field's moments; the hierarchy's own error is
    # below 1e-8
    path = noise(50.0, 10.0, 3.0)
    chosen = dynamics(50.0, 10.0, 0.4)
    plain = dataclasses.replace(chosen, tol=1e-5)
    expected = propagate(initial_state(FRAME, 0.2j, "float64", N_ATOMS), plain, path, marks(path, 3), 3)
    scale = np.abs(expected).max(axis=0)
    scale[:3], scale[3:9] = N_ATOMS, N_ATOMS**2
    bound = np.array([2e-4] * 9 + [1.5e-3] * (scale.size - 9))
    assert (np.abs(run(chosen, 0.05, path, 3) - expected) <= bound * scale).all()
    # a cavity that is 1 % off is told from it
    wrong = run(dataclasses.replace(chosen, omega_c=50.5), 0.05, path, 3)
    assert (np.abs(wrong - expected) > bound * scale).any(axis=1).all()


def _worst(omega_c: float, kappa: float, skew: float) -> list[float]:
    """The largest error of <S>/N along one path with strides of 0.2, 0.1 and 0.05, against far shorter ones."""
    path = noise(omega_c, kappa, 3.0)
    exact = run(dynamics(omega_c, kappa, skew), 1 / 128, path, 3)
    runs = [run(dynamics(omega_c, kappa, skew), longest, path, 3) for longest in (0.2, 0.1, 0.05)]
    return [float(np.abs(one - exact)[:, :3].max()) / N_ATOMS for one in runs]


@pytest.mark.parametrize("skew", [0.0, 0.4])
def test_strides_are_of_second_order_at_any_detuning(skew: float) -> None:
    # ω_c H is 1.25 … 500 here. Second order divides by 4 each time, down to what fine steps of ω_c h = 0.3 leave, 2e-5.
    for omega_c in (25.0, 250.0, 2500.0):
        worst = _worst(omega_c, 10.0, skew)
        assert worst[0] < 1e-3
        assert worst[1] < worst[0] / 2.5
        assert worst[2] < max(worst[0] / 9, 2.5e-5)


def test_exponentials_on_the_window() -> None:
    n_atoms, blocks, stride = 15, 2, 40
    rng = np.random.default_rng(1)
    n = np.arange(stride)
    root_n = np.concatenate([np.sqrt(np.maximum(n * (n_atoms - n + 1.0), 0)), np.arange(8.0)])
    lower = np.diag(root_n[1:16], -1)

    def dense(one: NDArray[np.complex128]) -> NDArray[np.complex128]:
        found: NDArray[np.complex128] = one[0] * lower + one[1] * lower.T + np.diag(one[3] - one[2] * n[:16])
        return found

    first, second = rng.normal(size=(2, 4)) * 0.2 + 1j * rng.normal(size=(2, 4)) * 0.2
    psi = rng.normal(size=16) + 1j * rng.normal(size=16)
    phi, space = np.zeros((2, stride)), np.zeros((2, 2 * stride))
    phi[:, 8:24] = psi.real, psi.imag
    flat, diagonals = phi.ravel().copy(), np.zeros(10 * stride)
    from_python(bands.add_product)(diagonals, first, second, 16, stride, root_n)
    from_python(bands.exponentiate)(flat, space[0], space[1], diagonals, blocks, stride, np.zeros(4096))
    expected = expm(dense(first) @ dense(second)) @ psi
    found = flat.reshape(2, -1)[:, 8:24]
    np.testing.assert_allclose(found[0] + 1j * found[1], expected, rtol=0, atol=1e-7 * np.abs(expected).max())


def _scores(answer: xr.Dataset, exact: xr.Dataset) -> NDArray[np.float64]:
    """Errors of all variables in standard errors."""
    parts = []
    for name in od.VARIABLES:
        if f"{name}_sem" not in answer:
            continue
        off, error = answer[name].values - exact[name].values, answer[f"{name}_sem"].values
        for part in (np.real, np.imag):
            held = part(error) > 1e-9
            parts.append(part(off)[held] / part(error)[held])
    return np.concatenate(parts)


@pytest.mark.parametrize(("omega_c", "skew"), [(-100.0, 0.2), (60.0, -0.3)])
def test_averages_are_those_of_the_master_equation(omega_c: float, skew: float) -> None:
    """Some 90 numbers of 400 trajectories, correlated: none beyond 4.5 errors (1 in 1600), rms below 1.5."""
    half = 0.6 * math.sqrt((omega_c**2 + 15.0**2) / abs(omega_c))
    model = od.DickeModel(
        n_atoms=8, omega_a=1.0, omega_c=omega_c, kappa=15.0, g_minus=half * (1 + skew), g_plus=half * (1 - skew)
    )
    problem = (model, od.SpinCoherent(2.2, 0.4, alpha=0.3), np.array([0.0, 0.5, 1.0, 2.0]))
    exact = od.solve(*problem, od.Lindblad())
    found = od.solve(*problem, od.NuHOPS(400, seed=1, hierarchy="strides"))
    assert found.attrs["hierarchy"] == "strides"

    score = _scores(found, exact)
    assert score.size > 80
    assert np.abs(score).max() < 4.5
    assert np.sqrt((score**2).mean()) < 1.5
    mirrored = model.replace(g_minus=model.g_plus, g_plus=model.g_minus)
    wrong = od.solve(mirrored, *problem[1:], od.NuHOPS(400, seed=1, hierarchy="strides"))
    assert np.abs(_scores(wrong, exact)).max() > 10


def test_what_moves_and_shines_is_that_of_the_master_equation() -> None:
    """Ramp, modulation, drives and thermal light; bounds as above, of 300 trajectories."""
    half = 0.6 * math.sqrt((60.0**2 + 15.0**2) / 60.0)
    model = od.DickeModel(
        n_atoms=6, omega_a=od.Ramp((0.0, 2.0), (1.0, 0.5)), omega_c=60.0, kappa=15.0, n_thermal=0.2, drive=20.0 + 5j,
        g_minus=od.Ramp((0.0, 1.0), (0.4 * half, 1.2 * half)), g_plus=od.Sine(half, 0.3 * half, frequency=3.0),
        atom_drive=0.4 + 0.3j,
    )  # fmt: skip
    problem = (od.SpinCoherent(2.2, 0.4, alpha=0.3), np.array([0.0, 0.5, 1.0, 2.0]))
    exact = od.solve(model, *problem, od.Lindblad())
    method = od.NuHOPS(300, seed=1, hierarchy="strides")
    score = _scores(od.solve(model, *problem, method), exact)
    assert score.size > 80
    assert np.abs(score).max() < 4.5
    assert np.sqrt((score**2).mean()) < 1.5
    for changes in ({"atom_drive": 0.4 - 0.3j}, {"drive": 20.0 - 5j}):
        wrong = od.solve(model.replace(**changes), *problem, method)
        assert np.abs(_scores(wrong, exact)).max() > 10


def _moving(late: float) -> od.DickeModel:
    """Everything moves, without a kink; spins and couplings so much later than at 0."""
    return od.DickeModel(
        n_atoms=20, omega_a=od.Ramp((0.0, 0.5), (1.0 + 4 * late, -1.0 + 4 * late)), omega_c=60.0, kappa=15.0,
        g_minus=od.Ramp((0.0, 0.5), (1.0 - 12 * late, 7.0 - 12 * late)),
        g_plus=od.Sine(3.0, 2.0, frequency=6.0, phase=-6 * late),
        drive=od.Sine(5.0 + 5j, 10.0, frequency=4.0), atom_drive=od.Sine(0.4 + 0.3j, 1j, frequency=5.0), n_thermal=0.2,
    )  # fmt: skip


def test_a_path_of_what_moves_is_the_hierarchys() -> None:
    """Two noise steps make a fine one. Errors of the spins over N, and of their second moments over N²: 0.3e-4, of the
    field's, relative, 2.5e-3, from fine steps of ω_c h = 0.5.

    Rejected mistakes: rates of the wrong end of a step (2.4e-4), or of the last of the noise steps (9e-4); fields and
    pushes conjugated, doubled or of the other sign (8e-3 and more), or left out of the mean field (1).
    """

    def channels(kind: type[HierarchySimulator[Any]], which: Any, late: float = 0.0) -> NDArray[np.float64]:
        problem = Problem(_moving(late), od.SpinCoherent(2.2, 0.4, alpha=0.3), np.array([0.1, 0.2]))
        found = kind(problem, od.NuHOPS(1, seed=5, tol=1e-6, step=0.004, hierarchy=which))(0).averaged["channels"]
        return np.asarray(found)

    expected = channels(NuHOPSSimulator, "plain")
    scale = np.abs(expected).max(axis=0)
    scale[:3], scale[3:9] = 20, 400
    bound = scale * np.array([1e-4] * 9 + [5e-3] * (scale.size - 9))
    assert (np.abs(channels(StrideSimulator, "strides") - expected) < bound).all()
    off = np.abs(channels(StrideSimulator, "strides", late=0.002) - expected) > bound
    assert off[:, :9].any()


@pytest.mark.parametrize(
    ("changes", "options", "reason"),
    [
        ({"omega_c": 2.5}, {}, "of 10 and"),
        ({"kappa": 0.1}, {}, "and kappa of 2 times"),
        ({"g_plus": od.Ramp((0.0, 1.0), (4.0, 36.0))}, {}, "and kappa of 2 times the spins' rate 15.8"),
        ({"omega_c": od.Ramp((0.0, 1.0), (100.0, 101.0))}, {}, "omega_c or kappa that moves"),
        ({}, {"dtype": "float32"}, "double precision"),
        ({}, {"control": "gaussian"}, "Gaussian copies"),
    ],
)
def test_what_strides_do_not_solve_is_refused(changes: dict[str, Any], options: dict[str, str], reason: str) -> None:
    model = od.DickeModel.balanced(n_atoms=100, omega_a=1.0, omega_c=100.0, kappa=15.0, coupling=8.0)
    method = od.NuHOPS(2, hierarchy="strides", **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"hierarchy: expected .*{reason}"):
        od.solve(model.replace(**changes), od.Normal(), [1.0], method)


def test_limits_say_in_advance_what_is_refused() -> None:
    model = od.DickeModel.balanced(n_atoms=100, omega_a=1.0, omega_c=100.0, kappa=15.0, coupling=8.0)
    method = od.NuHOPS(2, hierarchy="strides")
    assert method.limits(model).possible
    assert 1e-4 < method.limits(model).seconds < 0.1
    told = method.limits(model.replace(kappa=1.5))
    assert not told.possible
    assert "here 100 and 1.5" in told.reason


def test_edges() -> None:
    """No time, one atom, a spin that nothing turns, a cavity that does not turn, complex couplings, states kept."""
    for changes in (
        {"n_atoms": 1},
        {"omega_a": 0.0, "g_minus": 0.0, "g_plus": 0.0},
        {"omega_c": 0.0, "kappa": 100.0},
        {"g_minus": 3j, "g_plus": 2.0},
    ):
        model = od.DickeModel(n_atoms=50, omega_a=1.0, omega_c=100.0, kappa=15.0, g_minus=4.0, g_plus=4.0)
        method = od.NuHOPS(8, seed=1, hierarchy="strides", keep_states=(0.2,))
        found = od.solve(model.replace(**changes), od.SpinCoherent(2.0, 0.3), [0.0, 0.2], method, ["Sx", "Sz"])
        assert np.isfinite(found.Sz).all()
        assert found.psi.shape[0] == 8
    assert od.solve(model, od.Normal(), [0.0], od.NuHOPS(2, hierarchy="strides"), ["Sz"]).Sz.item() == -25.0
    unsorted = od.NuHOPS(2, hierarchy="strides", keep_states=(0.2, 0.1))
    with pytest.raises(ValueError, match=r"^keep_states: expected strictly increasing times"):
        od.solve(model, od.Normal(), [0.1, 0.2], unsorted, ["Sz"])
