"""Covariances and photon statistics against closed forms and exact numbers; their error bars against the truth."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

import opendicke as od
from moment_data import CASES, COVERED, analyses, coverage, dataset_of, ensembles, sampled_dataset_of
from opendicke.analysis import covariances, fixed_point, fluctuations, photon_statistics
from opendicke.observables.catalogue import CHANNELS

REFERENCE = json.loads((Path(__file__).parent / "data" / "exact.json").read_text())


def field_channels(a: Any, n_photon: Any, a2: Any, n_photon2: Any) -> NDArray[np.float64]:
    """Channels of a field with these moments beside a spin along −z."""
    a, a2 = np.asarray(a, dtype=complex), np.asarray(a2, dtype=complex)
    channels = np.zeros((*a.shape, len(CHANNELS)))
    values = {"re_a": a.real, "im_a": a.imag, "n_photon": n_photon, "re_a2": a2.real, "im_a2": a2.imag}
    for name, value in (values | {"n_photon2": n_photon2, "Sz": -1.0, "Szz": 1.0}).items():
        channels[..., CHANNELS.index(name)] = value
    return channels


def light(a: complex, n_photon: float, a2: complex, n_photon2: float) -> xr.Dataset:
    return photon_statistics(dataset_of(field_channels([a], n_photon, a2, n_photon2), 2)).isel(time=0)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_number_states(n: int) -> None:
    found = light(0, n, 0, n * (n - 1))
    assert found.g2 == pytest.approx(1 - 1 / n)
    assert found.fano == pytest.approx(0.0, abs=1e-12)
    assert found.quadrature_variance == pytest.approx(2 * n + 1)


def test_thermal_and_coherent_light() -> None:
    thermal, coherent = light(0, 1.7, 0, 2 * 1.7**2), light(1 - 2j, 5.0, (1 - 2j) ** 2, 25.0)
    np.testing.assert_allclose([thermal.g2, thermal.fano, thermal.quadrature_variance], [2.0, 2.7, 4.4], rtol=1e-12)
    np.testing.assert_allclose([coherent.g2, coherent.fano, coherent.quadrature_variance], 1.0, rtol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.9, 3.0])
@pytest.mark.parametrize("r", [0.1, 1.0])
def test_squeezed_vacuum(r: float, angle: float) -> None:
    """<a²> = −e^{2iφ} sinh r cosh r: X_φ has e^{−2r} of the vacuum's variance, and g² = 3 + 1/<n>."""
    n, pair = np.sinh(r) ** 2, -np.exp(2j * angle) * np.sinh(r) * np.cosh(r)
    found = light(0, n, pair, 2 * n**2 + abs(pair) ** 2)
    assert found.g2 == pytest.approx(3 + 1 / n)
    shift = 2.0 - 1.0j
    for result in (found, light(shift, n + abs(shift) ** 2, pair + shift**2, 1.0)):
        assert result.quadrature_variance == pytest.approx(np.exp(-2 * r))
        assert np.sin(result.quadrature_angle - angle) == pytest.approx(0.0, abs=1e-9)
        assert 0 <= result.quadrature_angle < np.pi


def test_the_vacuum_has_no_photon_statistics() -> None:
    model, state = CASES["balanced"]
    for method in (od.Lindblad(), od.NuHOPS(trajectories=16)):
        found = photon_statistics(od.solve(model, state, [0.0, 1.0], method, progress=False))
        assert found.defined.values.tolist() == [False, True]
        assert np.isnan(found.g2).values.tolist() == [True, False]
        assert np.isnan(found.fano).values.tolist() == [True, False]
        assert found.quadrature_variance[0] == pytest.approx(1.0)


def test_photons_lost_in_noise_are_undefined() -> None:
    """Points of the vacuum's Wigner distribution: <a†a> = 0 ± 0.06 in 100 ensembles of 64 (false alarm 0.1 % each)."""
    rng = np.random.default_rng(0)
    alpha = (rng.normal(0, 0.5, (64, 100, 2)) * [1, 1j]).sum(-1)
    square = np.abs(alpha) ** 2
    channels = field_channels(alpha, square - 0.5, alpha**2, square**2 - 2 * square + 0.5)
    found = photon_statistics(sampled_dataset_of(channels.reshape(2, 32, 100, -1).mean(0), np.full(32, 2), 2))
    assert found.defined.sum() <= 2
    assert np.isnan(found.g2.where(~found.defined)).all()
    # vacuum: no quadrature stands out, and the variance 1 lies in the interval all the same
    assert found.resolved.sum() <= 5
    assert 0.85 < coverage(found, xr.Dataset({"quadrature_variance": 1.0}), "quadrature_variance") < 1.0


@pytest.mark.parametrize("run", REFERENCE["runs"], ids=lambda run: f"N={run['n_atoms']} theta={run['theta']:.2f}")
def test_stored_exact_numbers(run: dict[str, Any]) -> None:
    if run["n_atoms"] > 10:
        pytest.skip("the master equation takes minutes")
    model = od.DickeModel(n_atoms=run["n_atoms"], **REFERENCE["model"])
    rows = [row for row in run["data"] if row["t"] <= (10.0 if run["n_atoms"] <= 4 else 2.0)]
    state = od.SpinCoherent(run["theta"], run["phi"])
    method = od.Lindblad(max_top_population=1e-11)
    result = od.solve(model, state, [row["t"] for row in rows], method, progress=False)
    found, photons = covariances(result), photon_statistics(result)
    np.testing.assert_allclose(found.C_af, [row["Re_Caf"] + 1j * row["Im_Caf"] for row in rows], rtol=0, atol=2e-7)
    np.testing.assert_allclose(photons.g2, [row["adadaa"] / row["n"] ** 2 for row in rows], rtol=2e-6)
    variance = found.spin_covariance.sel(component="x", other_component="x")
    np.testing.assert_allclose(variance, [row["Sx2"] - row["Sx"] ** 2 for row in rows], rtol=0, atol=1e-6)


def test_covariances_of_a_product_state_vanish_between_spin_and_field() -> None:
    model = CASES["balanced"][0]
    found = covariances(
        od.solve(model, od.SpinCoherent(1.0, 0.3, alpha=1 - 0.5j), [0.0], od.Lindblad(), progress=False)
    )
    np.testing.assert_allclose(found.spin_field_covariance, 0, rtol=0, atol=1e-6)
    direction = np.array(od.SpinCoherent(1.0, 0.3).direction)
    coherent = model.n_atoms / 4 * (np.eye(3) - np.outer(direction, direction))
    np.testing.assert_allclose(found.spin_covariance[0], coherent, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(found.C_af, found.spin_field_covariance.sel(component="x"))


def test_gaussian_theory_of_the_field() -> None:
    """The cumulants' stationary light at N = 10^6 is Gaussian theory's, below threshold."""
    model = od.DickeModel(n_atoms=10**6, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=0.7, g_plus=0.3)
    theory = fluctuations(fixed_point(model, "normal"))
    found = photon_statistics(od.solve(model, od.Normal(), [60.0], od.Cumulants(), progress=False)).isel(time=0)
    assert found.quadrature_variance == pytest.approx(theory.cavity_squeezing, rel=1e-4)
    assert found.fano == pytest.approx(theory.photon_variance / theory.photons, rel=1e-4)
    assert np.exp(2j * found.quadrature_angle) == pytest.approx(-theory.c2 / abs(theory.c2), rel=1e-4)


@pytest.mark.parametrize("case", COVERED)
@pytest.mark.parametrize("name", ["C_af", "spin_field_covariance", "spin_covariance"])
def test_intervals_of_covariances_cover(case: str, name: str) -> None:
    """The 95 % interval holds the exact value in 90 to 99 % of 200 ensembles of 120 trajectories, at two times.

    Entries without noise (zero by symmetry) are left out: they are zero in every trajectory.
    """
    result, truth = analyses(covariances, case)
    noisy = result[f"{name}_sem"] != 0
    assert 0.90 < coverage(result.where(noisy), truth, name) / float(noisy.mean()) < 0.99


@pytest.mark.parametrize("case", COVERED)
@pytest.mark.parametrize("name", ["g2", "fano", "quadrature_variance"])
def test_intervals_of_photon_statistics_cover(case: str, name: str) -> None:
    assert 0.90 < coverage(*analyses(photon_statistics, case), name) < 0.99


@pytest.mark.parametrize("case", COVERED)
def test_intervals_of_the_quietest_angle_cover(case: str) -> None:
    """Angles are counted modulo π, from the exact one."""
    result, truth = analyses(photon_statistics, case)
    away = result.quadrature_angle.values - truth.quadrature_angle.values
    nearest = result.assign(quadrature_angle=("time", (away + np.pi / 2) % np.pi - np.pi / 2))
    assert 0.90 < coverage(nearest, xr.zeros_like(truth), "quadrature_angle") < 0.99


def test_covariances_within_trajectories_are_not_those_of_the_ensemble() -> None:
    """A mutation: C_af of each batch by itself, averaged, loses the scatter between batches and misses."""
    _, truth = analyses(covariances, "unbalanced")
    means = ensembles("unbalanced").batch_means.values
    each = covariances(dataset_of(means.reshape(-1, means.shape[-1]), 6)).C_af.values.reshape(means.shape[:2])
    error = each.imag.std(axis=0, ddof=1) / np.sqrt(len(each))
    assert np.mean(np.abs(each.mean(axis=0).imag - truth.C_af.values.imag) < 2.04 * error) < 0.5
