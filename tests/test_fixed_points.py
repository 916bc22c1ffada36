"""Fixed points of the mean-field flow against brute force, published numbers and limits known in closed form."""

import math

import numpy as np
import pytest

from mean_field_reference import flow, numerical_jacobian, solve_fixed_point
from opendicke import DickeModel
from opendicke.analysis import FixedPoint, fixed_point, fixed_points

BISTABLE = DickeModel(n_atoms=100, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.8, g_plus=0.782)


def random_model(rng: np.random.Generator) -> DickeModel:
    """Frequencies and couplings of either sign."""
    omega_a, omega_c = rng.normal(size=2)
    g_minus, g_plus = 2 * rng.normal(size=2)
    return DickeModel(
        n_atoms=7, omega_a=omega_a, omega_c=omega_c, kappa=rng.uniform(0.1, 1.5), g_minus=g_minus, g_plus=g_plus
    )


def state(point: FixedPoint) -> np.ndarray:
    return np.array([*point.m, point.beta.real, point.beta.imag])


def test_flow_vanishes_and_jacobian_is_its_derivative() -> None:
    rng = np.random.default_rng(11)
    kinds = set()
    for _ in range(300):
        model = random_model(rng)
        for point in fixed_points(model):
            kinds.add((point.kind, point.stability))
            scale = np.linalg.norm(point.jacobian)
            assert np.abs(flow(model, state(point))).max() < 1e-13 * scale
            assert abs(np.linalg.norm(point.m) - 0.5) < 1e-14
            np.testing.assert_allclose(point.frame @ point.frame.T, np.eye(3), rtol=0, atol=1e-13)
            assert np.linalg.det(point.frame) > 0
            numerical = numerical_jacobian(model, state(point), point.frame)
            np.testing.assert_allclose(point.jacobian, numerical, rtol=0, atol=1e-11 * scale)
    # SR- is a saddle without exception; each of the others is met both stable and unstable.
    both = {(kind, how) for kind in ("normal", "inverted", "SR+") for how in ("stable", "unstable")}
    assert kinds == both | {("SR-", "unstable")}


def test_no_fixed_point_is_missing() -> None:
    rng = np.random.default_rng(12)
    counts = set()
    for model in [BISTABLE, *(random_model(rng) for _ in range(14))]:
        known = np.array([state(point) for point in fixed_points(model)])
        counts.add(len(known))
        for _ in range(25):
            guess = rng.normal(size=5)
            guess[:3] *= 0.5 / np.linalg.norm(guess[:3])
            found = solve_fixed_point(model, guess)
            if found is not None:
                assert np.abs(known - found).max(axis=1).min() < 1e-4, (model, found)
    assert counts == {2, 4, 6}


def test_stability_agrees_with_the_numerical_eigenvalues() -> None:
    rng = np.random.default_rng(13)
    compared = 0
    for _ in range(1000):
        for point in fixed_points(random_model(rng)):
            if abs(point.leading) > 1e-8 * np.linalg.norm(point.jacobian):
                assert point.stability == ("stable" if point.leading < 0 else "unstable")
                compared += 1
    assert compared > 3000


def test_bistable_point() -> None:
    plus, minus, normal = (fixed_point(BISTABLE, kind) for kind in ("SR+", "SR-", "normal"))
    np.testing.assert_allclose(plus.m, [0.37551643, -0.25815667, -0.20577305], rtol=0, atol=1e-8)
    np.testing.assert_allclose(plus.beta, -0.35338996 - 0.61619345j, rtol=0, atol=1e-8)
    np.testing.assert_allclose(minus.m, [0.20133645, -0.29286535, -0.35170090], rtol=0, atol=1e-8)
    np.testing.assert_allclose(minus.beta, -0.11085689 - 0.40899382j, rtol=0, atol=1e-8)
    np.testing.assert_allclose(
        [plus.leading, minus.leading, normal.leading], [-0.2274, 0.1603, -0.2174], rtol=0, atol=5e-5
    )
    assert [plus.stability, minus.stability, normal.stability] == ["stable", "unstable", "stable"]


def test_balanced_model_in_closed_form() -> None:
    model = DickeModel.balanced(n_atoms=5, omega_a=1.3, omega_c=2.5, kappa=0.5, coupling=1.0)
    model = model.replace(g_minus=0.7 * model.critical_coupling, g_plus=0.7 * model.critical_coupling)
    point = fixed_point(model, "SR+")
    rate2 = model.omega_c**2 + model.kappa**2
    m_z = -model.omega_a * rate2 / (2 * model.coupling**2 * model.omega_c)
    np.testing.assert_allclose(point.m, [math.sqrt(0.25 - m_z**2), 0.0, m_z], rtol=1e-14)
    beta = -model.coupling * point.m[0] * (model.omega_c + 1j * model.kappa) / rate2
    np.testing.assert_allclose(point.beta, beta, rtol=1e-14)
    assert [other.kind for other in fixed_points(model)] == ["normal", "inverted", "SR+", "SR+"]
    below = model.replace(g_minus=0.499 * model.critical_coupling, g_plus=0.499 * model.critical_coupling)
    assert [other.stability for other in fixed_points(below)] == ["stable", "unstable"]


@pytest.mark.parametrize("kind", ["normal", "inverted", "SR+", "SR-"])
def test_mirror_partner(kind: str) -> None:
    point = fixed_point(BISTABLE, kind)
    partner = point.mirror()
    np.testing.assert_array_equal(partner.m, point.m * [-1, -1, 1])
    assert partner.beta == -point.beta
    numerical = numerical_jacobian(BISTABLE, state(partner), partner.frame)
    np.testing.assert_allclose(partner.jacobian, numerical, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(partner.mirror().m, point.m)


def test_degenerate_models() -> None:
    base = {"n_atoms": 2, "omega_a": 1.0, "omega_c": 1.0, "kappa": 1.0, "g_minus": 0.0, "g_plus": 0.0}

    def summary(**changes: float) -> list[tuple[str, str]]:
        return [(point.kind, point.stability) for point in fixed_points(DickeModel(**(base | changes)))]

    poles = [("normal", "marginal"), ("inverted", "marginal")]
    assert summary() == poles
    # Tavis-Cummings: with loss the normal state alone; without, a circle of superradiant states (a pair stands for it).
    assert summary(g_minus=5.0) == [("normal", "stable"), ("inverted", "unstable")]
    assert summary(g_minus=5.0, kappa=0.0)[2:] == [("SR+", "marginal")] * 2
    # Opposite frequencies: what is superradiant now lies on the upper half of the sphere.
    upper = fixed_point(DickeModel(**(base | {"omega_c": -1.0, "g_minus": 2.0, "g_plus": 2.0})), "SR+")
    assert upper.m[2] > 0
    assert upper.is_stable
    # No atomic frequency: superradiant states on the equator.
    equator = fixed_point(DickeModel(**(base | {"omega_a": 0.0, "g_minus": 1.0, "g_plus": 0.8})), "SR+")
    assert equator.m[2] == 0
    assert equator.is_stable
    # No cavity frequency: nothing is superradiant.
    assert summary(omega_c=0.0, g_minus=3.0, g_plus=3.0) == poles
    # No loss: elliptic or hyperbolic, never attracting.
    for couplings in ((0.3, 0.3), (2.0, 2.0), (2.0, 0.5), (0.5, 2.0)):
        lossless = summary(kappa=0.0, g_minus=couplings[0], g_plus=couplings[1])
        assert {how for _, how in lossless} <= {"marginal", "unstable"}
        assert "marginal" in {how for _, how in lossless}


def test_a_rate_lost_in_the_rounding_of_the_eigenvalues_still_decides() -> None:
    """The slowest rate falls as (ω_a/b)², far below the rounding of eigenvalues ± ib, yet the state is stable."""
    model = DickeModel.balanced(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=1e4)
    point = fixed_point(model, "SR+")
    assert abs(point.leading) < 1e-13 * np.linalg.norm(point.jacobian)
    assert point.stability == "stable"


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"omega_c, kappa: expected at least one of them nonzero"):
        fixed_points(BISTABLE.replace(omega_c=0.0, kappa=0.0))
    with pytest.raises(ValueError, match=r"kind: expected one of normal, inverted, SR\+, SR-, got 'superradiant'"):
        fixed_point(BISTABLE, "superradiant")
