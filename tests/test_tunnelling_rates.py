"""Rates, intervals, exponents and their crossing, on Markov chains and lines whose answers are known."""

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import linregress

from opendicke.analysis.tunnelling import (
    Passages,
    count_rates,
    crossing,
    fit_exponent,
    fit_populations,
    lagged_rates,
    occupation,
    occupied,
    poisson_rate,
    populations,
)
from opendicke.tunnelling.rates import _fit

NS, SN, SS = 0.012, 0.05, 0.008
GENERATOR = np.array([[-2 * NS, NS, NS], [SN, -SN - SS, SS], [SN, SS, -SN - SS]])
SPACING, STEPS, TRAJECTORIES = 1.0, 160, 800


def chain(start: int, delay: int = 0, seed: int = 0) -> np.ndarray:
    """Labels of a Markov chain with GENERATOR, which rests in its first state for ``delay`` samples."""
    rng = np.random.default_rng((seed, start))
    jumps = np.cumsum(expm(GENERATOR * SPACING), axis=1)
    state = np.full(TRAJECTORIES, start)
    labels = np.empty((TRAJECTORIES, STEPS), dtype=np.int8)
    for step in range(STEPS):
        if step >= delay:
            state = (rng.random(TRAJECTORIES)[:, None] > jumps[state]).sum(axis=1)
        labels[:, step] = state
    return labels


@pytest.fixture(scope="module")
def labels() -> tuple[np.ndarray, np.ndarray]:
    return chain(0), chain(1)


TIMES = SPACING * np.arange(1, STEPS + 1)


def test_populations_solve_the_rate_equation() -> None:
    start = np.array([0.2, 0.7, 0.1])
    exact = np.array([start @ expm(GENERATOR * t) for t in (0.0, 3.0, 40.0)])
    np.testing.assert_allclose(populations((NS, SN, SS), start, [0.0, 3.0, 40.0]), exact, rtol=0, atol=1e-12)
    wrong = populations((2 * NS, SN, SS), start, [0.0, 3.0, 40.0])  # the factor of two in 2γ_ns
    assert np.abs(wrong - exact).max() > 0.01


def test_poisson_intervals_are_the_exact_ones() -> None:
    # F. Garwood, Biometrika 28, 437 (1936): 10 events, 95 %
    rate = poisson_rate(10, 2.0)
    assert (rate.value, rate.low, rate.high) == (
        5.0,
        pytest.approx(4.795 / 2, abs=1e-3),
        pytest.approx(18.390 / 2, abs=1e-3),
    )
    none = poisson_rate(0, 10.0)
    assert none.is_limit
    assert none.high == pytest.approx(-np.log(0.05) / 10)


def test_fit_recovers_rates_within_its_errors(labels: tuple[np.ndarray, np.ndarray]) -> None:
    """4 standard errors: false-alarm rate 6e-5 for each of the four numbers."""
    fit = fit_populations(TIMES, *(occupied(one) for one in labels))
    assert fit.lag == TIMES[0]  # (S4) and (S5) hold from the start
    for value, sem, exact in (
        (fit.ns, fit.ns_sem, NS),
        (fit.sn, fit.sn_sem, SN),
        (fit.even, fit.even_sem, 2 * NS + SN),
        (fit.odd, fit.odd_sem, SN + 2 * SS),
    ):
        assert abs(value - exact) < 4 * sem
        assert sem < 0.1 * exact
        # a lost factor of two would be seen
        assert abs(value - 2 * exact) > 4 * sem
        assert abs(value - exact / 2) > 4 * sem


def test_counts_and_lagged_rates_agree_with_the_fit(labels: tuple[np.ndarray, np.ndarray]) -> None:
    passages = Passages()
    for one in labels:
        np.add.at(passages.counts, (one[:, :-1].ravel(), one[:, 1:].ravel()), 1)
        passages.residence += SPACING * np.bincount(one[:, :-1].ravel(), minlength=3)
    np.fill_diagonal(passages.counts, 0)
    counted = count_rates(passages)
    # jumps there and back within one sample are missed: rates off by about rate² x spacing, 3 % at most
    for rate, exact in ((counted.ns, NS), (counted.sn, SN), (counted.ss, SS)):
        assert rate.low * 0.95 < exact < rate.high * 1.05
    for steps in (1, 5, 20):
        ns, sn, ss = lagged_rates(np.concatenate(labels), steps, SPACING)
        np.testing.assert_allclose([ns, sn, ss], [NS, SN, SS], rtol=0.12)


def test_a_lag_after_the_start_is_found_and_left_out() -> None:
    delayed = [occupied(chain(start, delay=25, seed=3)) for start in (0, 1)]
    fit = fit_populations(TIMES, *delayed)
    assert fit.lag >= 17
    assert abs(fit.even - 2 * NS - SN) < 4 * fit.even_sem
    kept_in = fit_populations(TIMES, *delayed, lag=0.0)
    assert abs(kept_in.even - 2 * NS - SN) > 4 * kept_in.even_sem


def test_rates_need_both_starts() -> None:
    with pytest.raises(ValueError, match="passages"):
        count_rates(Passages(residence=np.array([1.0, 0.0, 0.0])))


def test_exponents_within_errors_and_what_limits_add() -> None:
    """z of 400 fits: standard deviation 1 within 4 x 1/√800 = 0.14."""
    rng = np.random.default_rng(5)
    n, error = np.array([100.0, 200, 300, 500]), np.array([0.1, 0.2, 0.3, 0.3])
    z = []
    for _ in range(400):
        fit = fit_exponent(n, -2 - 0.02 * n + error * rng.standard_normal(4), error)
        z.append((fit.r + 0.02) / np.sqrt(fit.covariance[1, 1] / max(1.0, fit.chi2)))
    assert np.std(z) == pytest.approx(1, abs=0.14)
    assert abs(np.mean(z)) < 4 / np.sqrt(400)
    # nothing seen at N = 1000 in a time in which e^-2-0.02x600 would have shown: the slope must be steeper
    n, y = np.array([100.0, 200, 1000]), np.array([-4.0, -5.0, np.nan])
    errors = np.array([0.5, 0.5, np.nan])
    free = fit_exponent(n[:2], y[:2], errors[:2])
    limited = fit_exponent(n, y, errors, exposures=[0, 0, 1e8])
    assert limited.r < free.r - 0.002
    assert limited.r_sem < free.r_sem


@pytest.mark.parametrize(("scatter", "scaled"), [(4.0, True), (0.25, False)])
def test_errors_of_exponents_grow_with_the_scatter_and_never_shrink(scatter: float, scaled: bool) -> None:
    """Points with equal errors, so that SciPy's regression, which knows the scatter alone, gives the scaled errors.

    Without scaling the textbook's error of a slope stands: e/√Σ(N − mean)², and of the intercept.
    """
    n, error = np.array([50.0, 100, 150, 200, 300, 400]), 0.2
    off = scatter * error * np.array([1.0, -1.3, 0.4, 0.9, -1.2, 0.6])
    y = -2 - 0.02 * n + off
    fit, line = fit_exponent(n, y, np.full(6, error)), linregress(n, y)
    residual = y - line.intercept - line.slope * n
    spread = np.sum((n - n.mean()) ** 2)
    assert fit.chi2 == pytest.approx(np.sum(residual**2) / error**2 / (6 - 2))
    assert (fit.chi2 > 1) == scaled
    r_sem = line.stderr if scaled else error / np.sqrt(spread)
    log_a_sem = line.intercept_stderr if scaled else error * np.sqrt(1 / 6 + n.mean() ** 2 / spread)
    assert (fit.r, fit.log_a) == (pytest.approx(line.slope), pytest.approx(line.intercept))
    assert fit.r_sem == pytest.approx(r_sem)
    assert np.sqrt(np.diag(fit.covariance)).tolist() == pytest.approx([log_a_sem, r_sem])


def test_two_rates_have_the_error_of_their_difference() -> None:
    fit = fit_exponent([100.0, 200.0], [-3.0, -5.0], [0.3, 0.4])
    assert (fit.r, fit.log_a, fit.r_sem) == (pytest.approx(-0.02), pytest.approx(-1.0), pytest.approx(0.5 / 100))
    assert np.isnan(fit.chi2)


def test_limits_enter_with_their_poisson_probability() -> None:
    """At the maximum the score vanishes: the sum of pulls of measured rates is the number of events missed, γT."""
    n, y, error = np.array([100.0, 200, 500]), np.array([-4.0, -5.0, np.nan]), np.array([0.5, 0.4, np.nan])
    fit = fit_exponent(n, y, error, exposures=[9.0, 9.0, 4e4])
    line = fit.log_a + fit.r * n
    pull, missed = (y - line)[:2] / error[:2] ** 2, 4e4 * np.exp(line[2])
    assert missed > 0.1
    assert [pull.sum(), pull @ n[:2]] == pytest.approx([missed, missed * n[2]], rel=1e-5)
    # and the observed information is that of two normal errors and of a Poisson count
    design = np.stack([np.ones(3), n], axis=1)
    information = design.T @ np.diag([1 / 0.25, 1 / 0.16, missed]) @ design
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(information), rtol=1e-4)


def white(batches: int, seed: int, noise: float = 0.01) -> list[np.ndarray]:
    """Populations from both starts with white noise, small enough for a fit to be linear in it."""
    rng, starts = np.random.default_rng(seed), np.eye(3)[:2]
    return [populations((NS, SN, SS), start, FEW) + noise * rng.standard_normal((batches, 12, 3)) for start in starts]


FEW = np.arange(1.0, 49.0, 4.0)


def even_errors(batches: int, noise: float = 0.01) -> tuple[float, float]:
    """Standard errors of Γ_e and γ_sn = Γ_e p_n(∞) by the linear theory of least squares, for :func:`white`."""
    even = 2 * NS + SN
    decay, none, rest = np.exp(-even * FEW), np.zeros(12), SN / even
    # p_n = rest + b e^-Γt, with b = 1 − rest from n and −rest from s+
    slope = -np.concatenate([(1 - rest) * FEW * decay, -rest * FEW * decay])
    jacobian = np.stack([np.ones(24), np.concatenate([decay, none]), np.concatenate([none, decay]), slope], axis=1)
    covariance = noise**2 / batches * np.linalg.inv(jacobian.T @ jacobian)
    of_sn = np.array([even, 0, 0, rest])
    return float(np.sqrt(covariance[3, 3])), float(np.sqrt(of_sn @ covariance @ of_sn))


def test_fits_scatter_as_they_must_and_chi_squared_is_per_degree_of_freedom() -> None:
    """100 fits over 64 batches. Standard deviations are known to 7 %, the mean of χ² to 3.3 %; four of these.

    χ² has 24 numbers and four parameters, and variances from 64 batches: mean 63/61. Over 24 in place of 20 it fails.
    """
    fits = [_fit(FEW, white(64, seed), 0.0) for seed in range(100)]
    (_, sn, even, _), chi2 = np.array([rates for rates, _ in fits]).T, [one for _, one in fits]
    for found, truth, error in zip((even, sn), (2 * NS + SN, SN), even_errors(64), strict=True):
        assert found.std() == pytest.approx(error, rel=0.28)
        assert abs(found.mean() - truth) < 4 * error / 10
    assert np.mean(chi2) == pytest.approx(63 / 61, rel=0.132)


def test_errors_of_the_fit_are_those_of_the_scatter() -> None:
    """Mean squares of the errors of 16 fits, known to √(2/15/16) = 9.1 %; four of these: false alarms 6e-5 each.

    Weights from the variances s² of 16 batches cost E[s^-4]/E[s^-2]² = 13/11 of what known weights would give.
    """
    fits = [fit_populations(FEW, *white(32, seed), lag=0.0) for seed in range(16)]
    even, sn = even_errors(32)
    assert np.mean([fit.even_sem**2 for fit in fits]) == pytest.approx(13 / 11 * even**2, rel=0.365)
    assert np.mean([fit.sn_sem**2 for fit in fits]) == pytest.approx(13 / 11 * sn**2, rel=0.365)


def test_crossing_and_its_interval() -> None:
    """The 95 % interval of 200 data sets holds the truth 190 ± 4 x 3.1 times."""
    s = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
    sem = np.full(5, 0.002)
    rng = np.random.default_rng(9)
    inside = 0
    for seed in range(200):
        ns, sn = -0.04 * s + sem * rng.standard_normal(5), -0.06 + 0.04 * s + sem * rng.standard_normal(5)
        found = crossing(s, ns, sem, sn, sem, degree=1, samples=400, seed=seed)
        inside += found.low <= 0.75 <= found.high
    assert 178 <= inside <= 200
    with pytest.raises(ValueError, match="both sides"):
        crossing(s, 0.01 * s, sem, 0.01 * s - 0.1, sem)


def test_both_orders_of_limits() -> None:
    def at(n_atoms: float, time: float, r_ns: float, r_sn: float) -> float:
        return float(occupation(np.exp(r_ns * n_atoms), np.exp(r_sn * n_atoms), time, p_n=1.0))

    assert at(1e4, 1e3, -0.02, -0.03) == pytest.approx(1, abs=1e-12)  # N first: stays where it was
    assert at(1e4, np.inf, -0.02, -0.03) == pytest.approx(0, abs=1e-12)  # t first: the exponents decide
    assert at(1e4, np.inf, -0.03, -0.02) == pytest.approx(1, abs=1e-12)
    times = np.array([0.0, 5.0, 80.0])
    exact = populations((NS, SN, SS), np.array([0.3, 0.7, 0.0]), times)[:, 0]
    np.testing.assert_allclose(occupation(NS, SN, times, p_n=0.3), exact, rtol=0, atol=1e-12)
