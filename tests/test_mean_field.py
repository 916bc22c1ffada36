"""Mean field against closed-form solutions, published fixed points and stored numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

import opendicke as od
from opendicke.methods import mean_field
from opendicke.methods.mean_field import field_rate
from opendicke.problem import Problem

REFERENCE = json.loads((Path(__file__).parent / "data" / "exact.json").read_text())
FIG1 = od.DickeModel(n_atoms=100, **REFERENCE["model"])
UNBALANCED = od.DickeModel(n_atoms=30, omega_a=0.8, omega_c=-1.3, kappa=0.4, g_minus=1.1, g_plus=-0.6)


def test_stored_trajectory_of_the_balanced_model() -> None:
    rows = REFERENCE["mean_field"]
    result = od.solve(FIG1, od.SpinCoherent(np.pi / 4, np.pi), [row["t"] for row in rows], od.MeanField())
    for axis in "xyz":
        np.testing.assert_allclose(result[f"S{axis}"] / 100, [row[f"m{axis}"] for row in rows], rtol=0, atol=1e-9)
    beta = np.array([row["re_b"] + 1j * row["im_b"] for row in rows])
    np.testing.assert_allclose(result.a / 10, beta, rtol=0, atol=1e-9)


def test_uncoupled_cavity_decays_at_kappa_and_turns_at_omega_c() -> None:
    model = UNBALANCED.replace(g_minus=0.0, g_plus=0.0)
    times = np.linspace(0.0, 4.0, 9)
    result = od.solve(model, od.SpinCoherent(1.0, 0.3, alpha=2.0 - 1.0j), times, od.MeanField())
    np.testing.assert_allclose(result.a, (2 - 1j) * np.exp(-(0.4 - 1.3j) * times), rtol=0, atol=1e-8)
    np.testing.assert_allclose(result.n_photon, 5 * np.exp(-0.8 * times), rtol=0, atol=1e-8)
    in_plane = 15 * np.sin(1.0) * np.exp(1j * (0.3 + 0.8 * times))
    np.testing.assert_allclose(result.Sx + 1j * result.Sy, in_plane, rtol=0, atol=1e-7)


@pytest.mark.parametrize("sign", [1, -1])
def test_unbalanced_superradiant_fixed_point_does_not_move(sign: int) -> None:
    """The fixed point at g- = 1.8, g+ = 0.782 (all else 1), solved for analytically."""
    m = np.array([sign * 0.375516, -sign * 0.258157, -0.205773])
    m *= 0.5 / np.linalg.norm(m)
    n_atoms = 400
    alpha = -sign * (0.353390 + 0.616193j) * np.sqrt(n_atoms)
    model = od.DickeModel(n_atoms=n_atoms, omega_a=1, omega_c=1, kappa=1, g_minus=1.8, g_plus=0.782)
    state = od.SpinCoherent(np.arccos(2 * m[2]), np.arctan2(m[1], m[0]), alpha=alpha)
    result = od.solve(model, state, [0.0, 3.0, 10.0], od.MeanField())
    for axis, value in zip("xyz", m, strict=True):
        np.testing.assert_allclose(result[f"S{axis}"] / n_atoms, value, rtol=0, atol=1e-5)
    np.testing.assert_allclose(result.a, alpha, rtol=0, atol=1e-5 * np.sqrt(n_atoms))


def short_time_gap(dt: float) -> float:
    """Distance between mean field and the master equation's derivative at t = 0, where both agree exactly."""
    state = od.SpinCoherent(1.1, 0.4, alpha=0.7 + 0.5j)
    model = UNBALANCED.replace(n_atoms=2)
    classical = od.solve(model, state, [dt], od.MeanField(), ["Sx", "Sy", "Sz", "a"])
    exact = od.solve(model, state, [dt], od.Lindblad(), ["Sx", "Sy", "Sz", "a"])
    return max(float(abs(classical[name] - exact[name])[0]) for name in classical.data_vars)


def test_short_times_agree_with_the_master_equation_to_second_order(monkeypatch: pytest.MonkeyPatch) -> None:
    gaps = [short_time_gap(dt) for dt in (0.02, 0.01)]
    assert gaps[0] / gaps[1] == pytest.approx(4.0, rel=0.15)
    assert gaps[1] < 1e-4

    def flipped(model: od.DickeModel) -> np.ndarray:
        return right(model.replace(g_plus=-model.g_plus))

    right = mean_field.flow_parameters
    monkeypatch.setattr(mean_field, "flow_parameters", flipped)
    assert short_time_gap(0.01) > 1e-3


def test_moments_factorise_and_the_spin_keeps_its_length() -> None:
    result = od.solve(UNBALANCED, od.SpinCoherent(0.4, 1.0, alpha=1j), np.linspace(0, 30, 50), od.MeanField())
    assert result.attrs["spin_length_drift"] < 1e-7
    np.testing.assert_allclose(result.Sx2 + result.Sy2 + result.Sz2, 15.0**2, rtol=1e-7)
    np.testing.assert_allclose(result.Sy_Sz - result.Sz_Sy, 1j * result.Sx, rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.Sx_a, result.Sx * result.a, rtol=1e-12)
    np.testing.assert_allclose(result.n_photon2, abs(result.a2) ** 2, rtol=1e-12)


def test_a_poor_tolerance_is_reported() -> None:
    problem = Problem(UNBALANCED, od.SpinCoherent(0.4, 1.0, alpha=9j), np.array([400.0]))
    with pytest.raises(RuntimeError, match="Lower rtol"):
        od.MeanField(rtol=1e-2, atol=1e-2).trajectory(problem.model, problem.state, problem.times)


@pytest.mark.parametrize("options", [{"rtol": 0.0}, {"atol": -1.0}, {"rtol": float("nan")}])
def test_bad_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        od.MeanField(**options)


@pytest.mark.parametrize(("n_atoms", "alpha", "rate"), [(4, 3.0, 9.0), (100, 3j, 1.8)])
def test_the_rate_of_a_field(n_atoms: int, alpha: complex, rate: float) -> None:
    """2(|g₋| + |g₊|)|α|/√N, which decides what is refused as too fast."""
    model = od.DickeModel(n_atoms=n_atoms, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=2.0, g_plus=-1.0)
    assert field_rate(model, od.SpinCoherent(1.0, alpha=alpha)) == pytest.approx(rate, rel=1e-12)
