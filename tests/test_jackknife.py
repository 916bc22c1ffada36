"""The jackknife against its definition, exact results for normal numbers, and the standard errors of solve."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

import opendicke as od
from moment_data import dataset_of, spin_channels
from opendicke.analysis import (
    covariances,
    fisher_information_bound,
    interval,
    jackknife,
    jackknife_samples,
    photon_statistics,
    squeezing,
)
from opendicke.moments.jackknife import Batches, ChannelMeans
from opendicke.observables.catalogue import CHANNELS, VARIABLES, from_channels

MODEL = od.DickeModel(n_atoms=5, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.0, g_plus=0.6)
STATE = od.SpinCoherent(1.0, 0.4, alpha=0.5)
SIZES = np.array([1, 2, 3, 4, 5, 6, 7, 20])


def batches_of_normals(rng: np.random.Generator, sizes: NDArray[np.int64], repeats: int) -> Batches:
    """Batch means of ``repeats`` independent experiments with standard normal samples."""
    means = rng.standard_normal((sizes.size, repeats, 1)) / np.sqrt(sizes)[:, None, None]
    return Batches(means, sizes)


def test_definition() -> None:
    """Busing et al.'s formulas, written out for one number."""
    rng = np.random.default_rng(0)
    means = rng.normal(2.0, 1.0, (8, 2))

    def function(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log(x[..., 0] ** 2 + 1) * x[..., 1]

    found = jackknife(function, means, SIZES)
    n, g = SIZES.sum(), 8
    theta = function(SIZES @ means / n)
    without = []
    for j in range(g):
        keep = np.arange(g) != j
        without.append(function(SIZES[keep] @ means[keep] / SIZES[keep].sum()))
    value = g * theta - sum((1 - m / n) * part for m, part in zip(SIZES, without, strict=True))
    square = 0.0
    for m, part in zip(SIZES, without, strict=True):
        h = n / m
        square += (h * theta - (h - 1) * part - value) ** 2 / (h - 1) / g
    np.testing.assert_allclose([found.value, found.error], [value, np.sqrt(square)], rtol=1e-12)
    np.testing.assert_allclose(found.uncorrected, theta, rtol=1e-12)


def test_complex_values_have_an_error_for_each_part() -> None:
    means = np.random.default_rng(1).normal(size=(12, 3, 2))
    both = jackknife(lambda x: x[..., 0] * x[..., 1] + 1j * x[..., 1] ** 2, means, np.ones(12))
    real = jackknife(lambda x: x[..., 0] * x[..., 1], means, np.ones(12))
    imag = jackknife(lambda x: x[..., 1] ** 2, means, np.ones(12))
    assert both.error is not None
    np.testing.assert_allclose(both.error, real.error + 1j * imag.error, rtol=1e-12)
    np.testing.assert_allclose(both.value, real.value + 1j * imag.value, rtol=1e-12)


@pytest.mark.parametrize("sizes", [SIZES, np.full(8, 3), np.array([2] * 8 + [1] * 24)], ids=["rising", "equal", "two"])
def test_errors_of_a_mean_follow_chi_square(sizes: NDArray[np.int64]) -> None:
    """Mean and variance of the squared error, within 4.5 standard errors each (false alarm 1e-5)."""
    repeats = 40_000
    batches = batches_of_normals(np.random.default_rng(2), sizes, repeats)
    found = batches.estimate(batches.whole[..., 0], batches.without[..., 0])
    assert found.error is not None
    square = found.error**2 * sizes.sum()
    variance = 2 / found.degrees
    assert abs(square.mean() - 1) < 4.5 * np.sqrt(variance / repeats)
    # A weighted sum of squared normal numbers has an excess kurtosis of at most 12.
    assert abs(square.var() / variance - 1) < 4.5 * np.sqrt((12 + 2) / repeats)


@pytest.mark.parametrize("sizes", [SIZES, np.full(8, 3)], ids=["rising", "equal"])
def test_intervals_of_a_mean_cover(sizes: NDArray[np.int64]) -> None:
    """95 % within 1 %, with Student's t at the stated degrees of freedom and not with the normal distribution."""
    from scipy import stats

    batches = batches_of_normals(np.random.default_rng(3), sizes, 40_000)
    found = batches.estimate(batches.whole[..., 0], batches.without[..., 0])
    deviation = np.abs(found.value) / found.error
    assert np.mean(deviation < stats.t.ppf(0.975, found.degrees)) == pytest.approx(0.95, abs=0.01)
    assert np.mean(deviation < stats.norm.ppf(0.975)) < 0.92


@pytest.mark.parametrize("sizes", [SIZES, np.full(8, 3), np.array([200] * 4 + [1] * 8)], ids=["rising", "equal", "two"])
def test_degrees_of_freedom_follow_from_the_squared_error(sizes: NDArray[np.int64]) -> None:
    """The squared error of a mean is xᵀAx of normal numbers x, so its mean is tr A and its variance 2 tr A²; A is
    found from the squared errors of unit vectors and of their sums."""

    def square(*ones: int) -> float:
        means = np.isin(np.arange(sizes.size), ones)[:, None] / np.sqrt(sizes)[:, None]
        found = jackknife(lambda x: x[..., 0], means, sizes)
        assert found.error is not None
        return float(found.error**2)

    each = range(sizes.size)
    form = np.array([[(square(i, k) - square(i) - square(k)) / 2 if i != k else square(i) for k in each] for i in each])
    degrees = Batches(np.zeros((sizes.size, 1)), sizes).degrees
    assert degrees == pytest.approx(np.trace(form) ** 2 / np.trace(form @ form), rel=1e-10)
    assert (degrees == sizes.size - 1) == (np.ptp(sizes) == 0)


def test_a_cautious_error_is_the_larger_one() -> None:
    """Above a kink at 1, leaving out one of nine groups changes nothing though single groups are beyond it; and in
    the modulus, where single groups are all alike, leaving out one does."""
    values = np.array([0.0, 3.0, 0.0, 0.0, 2.0, 0.0, 0.0, 1.5, 0.0])

    def both(function: Callable[[NDArray[np.float64]], float], samples: NDArray[np.float64]) -> list[float]:
        estimates = (
            jackknife_samples(9, 9, lambda held: function(samples[held]), cautious=cautious)
            for cautious in (False, True)
        )
        return [float(one.error) for one in estimates if one.error is not None]

    plain, cautious = both(lambda x: max(x.mean() - 1.0, 0.0), values)
    assert plain == 0
    # of 2, 1, 1/2 and six zeros: sum 7/2, sum of squares 21/4, so ((21/4 − 49/36) / 8 / 9)^1/2
    assert cautious == pytest.approx(np.sqrt(35 / 9 / 72))
    plain, cautious = both(lambda x: abs(x.mean()), np.array([1.0, -1.0] * 4 + [1.0]))
    assert plain == cautious > 0.1


def test_bias_of_a_square_is_removed() -> None:
    """E x̄² = (E x)² + Var x̄: gone within 4 standard errors (false alarm 6e-5), and plain to see without correction."""
    batches = batches_of_normals(np.random.default_rng(4), SIZES, 20_000)
    found = batches.estimate(batches.whole[..., 0] ** 2, batches.without[..., 0] ** 2)
    scores = [np.mean(x) / np.std(x) * np.sqrt(x.size) for x in (found.value, found.uncorrected)]
    assert abs(scores[0]) < 4
    assert scores[1] > 50


def test_equals_the_standard_error_of_solve_for_batches_of_one() -> None:
    dataset = od.solve(MODEL, STATE, [0.5, 1.5], od.NuHOPS(trajectories=20, seed=1), progress=False)
    means = ChannelMeans.of(dataset, CHANNELS)
    found = means.evaluate(lambda channels: from_channels(tuple(VARIABLES), channels))
    for name, estimate in found.items():
        np.testing.assert_allclose(estimate.value, dataset[name], rtol=1e-10)
        np.testing.assert_allclose(estimate.uncorrected, dataset[name], rtol=1e-10)
        np.testing.assert_allclose(estimate.error, dataset[f"{name}_sem"], rtol=1e-10)
    assert means.batches is not None
    assert means.batches.degrees == pytest.approx(19)


def test_channels_of_an_exact_method_are_found_again() -> None:
    channels = np.random.default_rng(5).normal(size=(3, len(CHANNELS)))
    means = ChannelMeans.of(dataset_of(channels, 7), CHANNELS)
    np.testing.assert_allclose(means.whole, channels, rtol=1e-12)
    assert (means.batches, means.n_atoms, means.dims) == (None, 7, ("time",))


def test_one_time_can_be_selected() -> None:
    dataset = od.solve(MODEL, STATE, [0.5, 1.5], od.NuHOPS(trajectories=40, seed=2), progress=False)
    for function in (squeezing, covariances, photon_statistics):
        xr.testing.assert_allclose(
            function(dataset.isel(time=1)), function(dataset).isel(time=1), rtol=1e-12, atol=1e-14
        )
    exact = od.solve(MODEL, STATE, [0.5, 1.5], od.Lindblad(), progress=False)
    xr.testing.assert_allclose(squeezing(exact.isel(time=1)), squeezing(exact).isel(time=1), rtol=1e-12, atol=1e-14)


def test_fewer_than_eight_trajectories_are_refused() -> None:
    few = od.solve(MODEL, STATE, [0.5], od.NuHOPS(trajectories=7), progress=False)
    for function in (squeezing, covariances, photon_statistics):
        with pytest.raises(ValueError, match=r"at least 8 batches of trajectories, got 7.*at least 8 trajectories"):
            function(few)
    enough = squeezing(od.solve(MODEL, STATE, [0.5], od.NuHOPS(trajectories=8), progress=False))
    assert enough.attrs["degrees_of_freedom"] == pytest.approx(7)


def test_datasets_without_fluctuations_or_moments_are_refused() -> None:
    mean_field = od.solve(MODEL, STATE, [0.5], od.MeanField(), progress=False)
    for function in (squeezing, covariances, photon_statistics):
        with pytest.raises(ValueError, match="a method with fluctuations, got 'MeanField'"):
            function(mean_field)
    partial = od.solve(MODEL, STATE, [0.5], od.Lindblad(), ["Sx", "Sy", "Sz", "Sx2"], progress=False)
    with pytest.raises(ValueError, match=r"hold Syy, Szz, .*add Sy2, Sz2"):
        squeezing(partial)
    for wrong in (mean_field.drop_attrs(), mean_field.Sz, "Sz", None, MODEL, np.ones(3)):
        for function in (squeezing, fisher_information_bound, covariances, photon_statistics):
            with pytest.raises(TypeError, match=r"dataset: expected a Dataset that opendicke\.solve returned"):
                function(wrong)
    with pytest.raises(ValueError, match="sizes"):
        jackknife(lambda x: x[..., 0], np.ones((8, 1)), np.ones(9))


def test_intervals_are_refused_without_error_bars() -> None:
    exact = squeezing(dataset_of(spin_channels(np.array([[0, 0, 2.0]]), np.eye(3)[None]), 4))
    with pytest.raises(ValueError, match=r"name: expected a variable with an error bar.*has no error bars"):
        interval(exact, "xi2")
    sampled = squeezing(od.solve(MODEL, STATE, [0.5], od.NuHOPS(trajectories=16), progress=False))
    low, high = interval(sampled, "xi2", 0.5)
    assert low < sampled.xi2 < high
    with pytest.raises(ValueError, match="level"):
        interval(sampled, "xi2", 1.0)
    for wrong in ("Sz", "defined", 3, None, ["xi2"]):
        with pytest.raises(ValueError, match=r"name: expected.*error bars of xi2, "):
            interval(sampled, wrong)
    with pytest.raises(TypeError, match="dataset: expected an xarray Dataset"):
        interval(sampled.xi2, "xi2")
    # an error bar whose degrees of freedom were lost is refused, and no guess is made
    kept = od.NuHOPS(trajectories=16, keep_states=(0.5,))
    mixed = od.analysis.mixedness(od.solve(MODEL, STATE, [0.5], kept, progress=False))
    mixed["entropy_sem"] = mixed.entropy_sem.drop_attrs()
    with pytest.raises(ValueError, match="name: expected a variable with an error bar"):
        interval(mixed, "entropy")


def test_intervals_of_everything_with_an_error_bar() -> None:
    """Half widths in standard errors are Student's t with the degrees of freedom of each error: 31, 15, 7."""
    from scipy import stats

    method = od.NuHOPS(trajectories=32, keep_states=(0.5,))
    answer = od.solve(MODEL, STATE, [0.5], method, progress=False)
    analysis = od.analysis
    made = [
        (answer, 31, tuple(VARIABLES)),
        (squeezing(answer), 31, ("xi2", "xi2_dB", "squeezing_direction")),
        (covariances(answer), 31, ("C_af", "spin_covariance")),
        (photon_statistics(answer), 31, ("g2", "fano")),
        (analysis.mixedness(answer), 31, ("purity",)),
        (analysis.mixedness(answer), 15, ("entropy",)),
        (analysis.fisher_information(answer), 7, ("qfi", "qfi_max")),
        (analysis.negativity(answer), 7, ("negativity", "log_negativity")),
        (analysis.husimi(answer, theta=[1.0], phi=[0.0, 1.0]), 31, ("Q",)),
    ]
    for dataset, degrees, names in made:
        for name in names:
            low, high = interval(dataset, name, 0.9)
            expected = 2 * stats.t.ppf(0.95, degrees) * dataset[f"{name}_sem"]
            rounding = 4 * np.finfo(float).eps * float(abs(dataset[name]).max())
            xr.testing.assert_allclose(high - low, expected.rename(None).drop_attrs(), rtol=1e-12, atol=rounding)


def test_an_interval_without_degrees_of_freedom_says_what_is_missing() -> None:
    """And does not claim that the error bar itself is there, or is not."""
    answer = od.solve(MODEL, STATE, [0.5], od.NuHOPS(trajectories=16), ["Sz"], progress=False).drop_attrs()
    with pytest.raises(ValueError, match=r"^name: expected a variable with an error bar of known degrees of freedom"):
        interval(answer, "Sz")
