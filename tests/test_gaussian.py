"""Gaussian fluctuations against closed forms, stored numbers, the regression theorem and exactly solvable limits."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import expm

from opendicke import DickeModel
from opendicke.analysis import Fluctuations, fixed_point, fixed_points, fluctuations

REFERENCE = json.loads((Path(__file__).parent / "data" / "gaussian.json").read_text())
UNIT = DickeModel(n_atoms=100, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.8, g_plus=0.782)


def model_of(row: dict) -> DickeModel:
    return DickeModel(n_atoms=100, **row["model"])


@pytest.mark.parametrize(
    "row", REFERENCE["normal"], ids=lambda row: "{g_minus:.4g},{g_plus:.4g}".format(**row["model"])
)
def test_stored_normal_states(row: dict) -> None:
    found = fluctuations(fixed_point(model_of(row), "normal"))
    names = ("squeezing", "antisqueezing", "excitations", "photons", "cavity_squeezing", "logarithmic_negativity")
    for name in names:
        np.testing.assert_allclose(getattr(found, name), row[name], rtol=1e-10, err_msg=name)
    np.testing.assert_allclose(math.degrees(found.squeezing_angle), row["squeezing_angle_degrees"], rtol=1e-9)
    v = found.covariance
    np.testing.assert_allclose([v[0, 0], v[1, 1], v[0, 1]], [row["Vxx"], row["Vpp"], row["Vxp"]], rtol=1e-9, atol=1e-12)
    if row["VXX"] is not None:
        np.testing.assert_allclose([v[2, 2], v[3, 3], v[2, 3]], [row["VXX"], row["VPP"], row["VXP"]], rtol=1e-9)
        np.testing.assert_allclose(v[:2, 2:], row["cross"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("row", REFERENCE["superradiant"])
def test_stored_superradiant_states(row: dict) -> None:
    point = fixed_point(model_of(row), "SR+")
    np.testing.assert_allclose(fluctuations(point).squeezing, row["squeezing"], rtol=1e-12)
    np.testing.assert_allclose(fluctuations(point.mirror()).squeezing, row["squeezing"], rtol=1e-12)


@pytest.mark.parametrize("row", REFERENCE["finite_size"])
def test_exact_steady_states_approach_the_gaussian_limit(row: dict) -> None:
    """Master-equation values at N = 8 and 16 approach the limit from above, the difference falling as about 1/N."""
    limit = fluctuations(fixed_point(model_of(row), "normal")).squeezing
    np.testing.assert_allclose(limit, row["squeezing"]["inf"], rtol=1e-9)
    ratio = (row["squeezing"]["8"] - limit) / (row["squeezing"]["16"] - limit)
    assert 1.5 < ratio < 2.7


def closed_forms(model: DickeModel) -> dict[str, complex]:
    """Rational functions for the normal state, from the symbolic solution of the Lyapunov equation."""
    wa, wc, k, gm, gp = model.omega_a, model.omega_c, model.kappa, model.g_minus, model.g_plus
    delta, sigma, rate2 = gm**2 - gp**2, gm**2 + gp**2, wc**2 + k**2
    big = rate2 + wa**2
    below = (wa**2 * rate2 - 2 * wa * wc * sigma + delta**2) * (delta * big + 2 * wa * wc * sigma)
    bb = big * delta**2 + 2 * wa * wc * gp**2 * (delta - rate2) + 2 * wa**2 * wc * sigma * (2 * wc - wa)
    bb += wa**2 * rate2 * (k**2 + (wc - wa) ** 2)
    b2 = -gm * gp * (rate2 * delta * (delta - wa**2) + wa * wc * sigma * (delta - rate2))
    b2 += 1j * gm * gp * k * wa * delta * (delta + rate2)
    photons = 2 * gm**2 * gp**2 * wa**2 * (delta + rate2)
    return {"photons": photons / below, "excitations": gp**2 * bb / below, "b2": b2 / below}


def test_normal_state_in_closed_form() -> None:
    rng = np.random.default_rng(31)
    checked = 0
    while checked < 200:
        omega_a, omega_c, g_minus, g_plus = rng.normal(size=4)
        kappa = rng.uniform(0.1, 1.5)
        model = DickeModel(n_atoms=1, omega_a=omega_a, omega_c=omega_c, kappa=kappa, g_minus=g_minus, g_plus=g_plus)
        point = fixed_point(model, "normal")
        if point.leading > -1e-2:
            continue
        checked += 1
        found = fluctuations(point)
        for name, value in closed_forms(model).items():
            np.testing.assert_allclose(getattr(found, name), value, rtol=1e-7, atol=1e-9)
        squeezing = 1 + 2 * found.excitations - 2 * abs(found.b2)
        np.testing.assert_allclose(found.squeezing, squeezing, rtol=1e-7, atol=1e-9)


def test_inverted_state_is_the_normal_state_of_the_reflected_model() -> None:
    """Turning the spin by π about x maps ω_a → −ω_a and g₋ ↔ g₊."""
    model = DickeModel(n_atoms=1, omega_a=1.0, omega_c=1.2, kappa=0.7, g_minus=0.3, g_plus=1.1)
    reflected = DickeModel(n_atoms=1, omega_a=-1.0, omega_c=1.2, kappa=0.7, g_minus=1.1, g_plus=0.3)
    found = fluctuations(fixed_point(model, "inverted")).covariance
    np.testing.assert_allclose(found, fluctuations(fixed_point(reflected, "normal")).covariance, rtol=1e-12)


def test_no_counter_rotation_means_vacuum() -> None:
    found = fluctuations(fixed_point(UNIT.replace(g_plus=0.0), "normal"))
    np.testing.assert_allclose(found.covariance, np.eye(4) / 2, rtol=0, atol=1e-14)
    light = found.output_spectrum(np.linspace(-3, 3, 7))
    np.testing.assert_allclose(light.spectrum, 0, rtol=0, atol=1e-28)
    np.testing.assert_allclose(light.squeezing, 1, rtol=1e-12)


@pytest.mark.parametrize("kind", ["normal", "SR+"])
def test_uncertainty_and_purity_of_the_output(kind: str) -> None:
    found = fluctuations(fixed_point(UNIT, kind))
    symplectic = np.kron(np.eye(2), [[0, 1], [-1, 0]])
    assert np.linalg.eigvalsh(found.covariance + 0.5j * symplectic).min() > -1e-12
    np.testing.assert_allclose(found.squeezing_axis @ found.point.m, 0, rtol=0, atol=1e-15)
    # The whole output is pure: vacuum in, lossless scattering. At ω = 0 that is one mode, so noise × antinoise = 1.
    response = found.response(0.0).real
    np.testing.assert_allclose(np.linalg.det(response), 1, rtol=1e-10)


@pytest.mark.parametrize("kind", ["normal", "SR+"])
def test_output_spectrum_by_the_regression_theorem(kind: str) -> None:
    r"""2κ ∫ dτ e^{-iωτ} <c†(τ) c(0)> by quadrature, from <r(τ) r(0)^T> = exp(Jτ) (V + iΩ/2)."""
    found = fluctuations(fixed_point(UNIT, kind))
    omega = np.array([-2.0, -0.7, 0.0, 0.4, 1.0, 1.9])
    spectrum = found.output_spectrum(omega).spectrum
    correlation, expected = regression(found, omega, commutator=1.0)
    np.testing.assert_allclose(correlation.real, found.photons, rtol=1e-10)
    np.testing.assert_allclose(spectrum, expected, rtol=2e-4)
    # One port, vacuum in: photons leave in pairs ω, −ω, so S is even although the cavity's frequency is not zero.
    np.testing.assert_allclose(found.output_spectrum(-omega).spectrum, spectrum, rtol=1e-9)
    # The mutation this must catch: symmetrised instead of normally ordered noise.
    assert np.abs(spectrum / regression(found, omega, commutator=0.0)[1] - 1).max() > 0.1


def regression(found: Fluctuations, omega: np.ndarray, commutator: float) -> tuple[complex, np.ndarray]:
    """<c†c> and the spectrum, with the commutator of the quadratures multiplied by a factor."""
    step, count = 0.004, 30_000
    start = found.covariance + 0.5j * commutator * np.kron(np.eye(2), [[0, 1], [-1, 0]])
    row, right = np.array([0, 0, 1, -1j]) / math.sqrt(2), start @ np.array([0, 0, 1, 1j]) / math.sqrt(2)
    move = expm(found.point.jacobian * step)
    correlation = np.empty(count, dtype=complex)
    for index in range(count):
        correlation[index] = row @ right
        row = row @ move
    assert abs(correlation[-1]) < 1e-9
    tau = step * np.arange(count)
    half = np.trapezoid(correlation * np.exp(-1j * omega[:, None] * tau), dx=step, axis=1)
    # The half line τ < 0 gives the complex conjugate.
    return complex(correlation[0]), 2 * found.point.model.kappa * 2 * half.real


@pytest.mark.parametrize("kind", ["normal", "SR+"])
def test_output_carries_away_the_incoherent_photons(kind: str) -> None:
    found = fluctuations(fixed_point(UNIT, kind))
    omega = np.linspace(-300, 300, 300_001)
    flux = np.trapezoid(found.output_spectrum(omega).spectrum, omega) / (2 * math.pi)
    np.testing.assert_allclose(flux, 2 * UNIT.kappa * found.photons, rtol=1e-6)


def test_squeezing_survives_where_antisqueezing_diverges() -> None:
    line = [UNIT.replace(g_plus=0.8841248253735915 - gap) for gap in (1e-3, 1e-5, 1e-7)]
    found = [fluctuations(fixed_point(model, "normal")) for model in line]
    assert found[2].antisqueezing > 100 * found[1].antisqueezing * 0.9 > 9e3 * found[0].antisqueezing * 0.9
    assert abs(found[2].squeezing - found[1].squeezing) < 1e-4


def test_photon_number_variance() -> None:
    """Thermal-like at β = 0; and of a displaced Gaussian state, by sampling its Wigner function (5 standard errors)."""
    normal = fluctuations(fixed_point(UNIT, "normal"))
    n = normal.photons
    np.testing.assert_allclose(normal.photon_variance, n * (n + 1) + abs(normal.c2) ** 2, rtol=1e-12)
    found = fluctuations(fixed_point(UNIT, "SR+"))
    rng = np.random.default_rng(32)
    alpha = math.sqrt(UNIT.n_atoms) * found.point.beta
    quadratures = rng.multivariate_normal(np.zeros(2), found.covariance[2:, 2:], size=400_000)
    intensity = np.abs(alpha + (quadratures[:, 0] + 1j * quadratures[:, 1]) / math.sqrt(2)) ** 2
    # Symmetric ordering: Var(n) = Var(|a|²) − 1/4. The relative standard error of a variance is about √(2/400000).
    expected, error = intensity.var() - 0.25, intensity.var() * math.sqrt(2 / intensity.size)
    assert abs(found.photon_variance - expected) < 5 * error
    # A displacement twice as large, or phase-insensitive noise, would be seen.
    insensitive = UNIT.n_atoms * abs(found.point.beta) ** 2 * (1 + 2 * found.photons)
    assert abs(insensitive - expected) > 20 * error


def test_unstable_points_are_refused() -> None:
    for point in fixed_points(UNIT):
        if not point.is_stable:
            with pytest.raises(ValueError, match="point: expected a stable fixed point, got 'the unstable"):
                fluctuations(point)
    with pytest.raises(ValueError, match="the marginal normal state"):
        fluctuations(fixed_point(UNIT.replace(g_minus=0.0, g_plus=0.0), "normal"))
    with pytest.raises(ValueError, match="omega: expected a one-dimensional sequence"):
        fluctuations(fixed_point(UNIT, "normal")).output_spectrum(0.0)
    for wrong in (UNIT, "normal", None):
        with pytest.raises(TypeError, match="point: expected a FixedPoint"):
            fluctuations(wrong)
