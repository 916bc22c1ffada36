r"""Tunnelling rates from labelled trajectories.

.. math::
    \dot p_n = -2\gamma_{ns}p_n + \gamma_{sn}(p_{s+} + p_{s-}), \qquad
    \dot p_{s\pm} = \gamma_{ns}p_n - (\gamma_{sn} + \gamma_{ss})p_{s\pm} + \gamma_{ss}p_{s\mp}

so that :math:`p_s = p_{s+}+p_{s-}` relaxes with :math:`\Gamma_e = 2\gamma_{ns}+\gamma_{sn}` and
:math:`p_{s+}-p_{s-}` with :math:`\Gamma_o = \gamma_{sn}+2\gamma_{ss}`: the gaps of the Liouvillian in its even and odd
sector, where these are far below all its other eigenvalues.

Source: K. Müller and W. T. Strunz, Supplement, eqs. (S2), (S4), (S5); the second line of (S3) as printed does not
conserve probability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opendicke import checks
from opendicke.moments.jackknife import leave_one_out
from opendicke.tunnelling.classify import MINUS, NORMAL, PLUS, TRANSIT, Passages, check_labels, last_visited


@dataclass(frozen=True)
class Rate:
    """A rate with its confidence interval, of 95 % unless another was asked for; in the model's units.

    Args:
        value: the rate, 0 where nothing was seen.
        low: lower end of the interval, 0 where only an upper limit is known.
        high: upper end of the interval.
    """

    value: float
    low: float
    high: float

    @property
    def is_limit(self) -> bool:
        """Whether nothing was seen, so that only an upper limit is known."""
        return self.value == 0.0


def poisson_rate(events: int, exposure: float, confidence: float = 0.95) -> Rate:
    r"""Maximum-likelihood rate of ``events`` in a time ``exposure``, with the exact (Garwood) interval.

    .. math:: \hat\gamma = K/T,\quad \gamma_{low} = \chi^2_{2K}(a/2)/2T,\quad
              \gamma_{high} = \chi^2_{2K+2}(1-a/2)/2T

    With no events the interval is one-sided: :math:`\gamma < -\ln(a)/T`.

    Args:
        events: how many were seen, K >= 0.
        exposure: time T > 0 in which they could have happened.
        confidence: probability 1 − a that the interval holds the rate, between 0 and 1.

    Raises:
        TypeError, ValueError: for numbers that are none of these.

    Source: F. Garwood, Biometrika 28, 437 (1936).

    >>> rate = poisson_rate(0, 100.0)
    >>> rate.is_limit, round(rate.high, 4)
    (True, 0.03)
    """
    from scipy.stats import chi2

    checks.integer("events", events, minimum=0, maximum=2**53)
    exposure = checks.real("exposure", exposure, above=0.0, minimum=1 / checks.LARGEST)
    missing = 1 - checks.part("confidence", confidence)
    if events == 0:
        return Rate(0.0, 0.0, -math.log(missing) / exposure)
    low = chi2.ppf(missing / 2, 2 * events) / 2 / exposure
    high = chi2.ppf(1 - missing / 2, 2 * events + 2) / 2 / exposure
    return Rate(events / exposure, float(low), float(high))


@dataclass(frozen=True)
class Rates:
    """The three rates of tunnelling, in the model's units.

    Args:
        ns: γ_ns, from the normal state into one of the two superradiant ones.
        sn: γ_sn, from a superradiant state into the normal one.
        ss: γ_ss, from a superradiant state into the other.
    """

    ns: Rate
    sn: Rate
    ss: Rate


def count_rates(passages: Passages) -> Rates:
    r"""Maximum likelihood on counts and residence times, :math:`\gamma_{ns} = K_{n\to s}/2T_n` and so on.

    Args:
        passages: of classified trajectories, from :func:`opendicke.analysis.tunnelling.classify` or ``watch``.

    Raises:
        ValueError: if no time was spent in one of the states.
    """
    checks.instance("passages", passages, Passages, "the Passages of classified trajectories")
    counts, time = passages.counts, passages.residence
    in_s = float(time[PLUS] + time[MINUS])
    if time[NORMAL] <= 0 or in_s <= 0:
        hint = "Start trajectories from both states."
        raise checks.refuse("passages", "some time in n and in s", time.tolist(), hint)
    into_s = int(counts[NORMAL, PLUS] + counts[NORMAL, MINUS])
    into_n = int(counts[PLUS, NORMAL] + counts[MINUS, NORMAL])
    across = int(counts[PLUS, MINUS] + counts[MINUS, PLUS])
    return Rates(poisson_rate(into_s, 2 * float(time[NORMAL])), poisson_rate(into_n, in_s), poisson_rate(across, in_s))


def populations(rates: tuple[float, float, float], start: NDArray[np.float64], times: ArrayLike) -> NDArray[np.float64]:
    r"""Populations p_n, p_s+, p_s− of the three states, as the rates change them: shape (times, 3).

    .. math:: \dot p_s = 2\gamma_{ns}p_n - \gamma_{sn}p_s,\quad p_s = p_{s+} + p_{s-} = 1 - p_n,\qquad
              \frac{d}{dt}(p_{s+} - p_{s-}) = -(\gamma_{sn} + 2\gamma_{ss})(p_{s+} - p_{s-})

    Args:
        rates: (γ_ns, γ_sn, γ_ss), each >= 0.
        start: p_n, p_s+, p_s− at time 0, shape (3,).
        times: times >= 0 at which they are wanted, shape (times,).

    Raises:
        TypeError, ValueError: for negative numbers, or other shapes.

    >>> populations((0.1, 0.2, 0.0), np.array([1.0, 0.0, 0.0]), [0.0, 1e9]).round(3)
    array([[1.  , 0.  , 0.  ],
           [0.5 , 0.25, 0.25]])
    """
    ns, sn, ss = checks.real_array("rates", rates, (3,), minimum=0.0)
    start = checks.real_array("start", start, (3,), minimum=0.0)
    times = checks.real_array("times", times, minimum=0.0)
    even, odd = 2 * ns + sn, sn + 2 * ss
    rest = 2 * ns / even if even > 0 else 1 - start[0]
    in_s = rest + (1 - start[0] - rest) * np.exp(-even * times)
    apart = (start[1] - start[2]) * np.exp(-odd * times)
    return np.stack([1 - in_s, (in_s + apart) / 2, (in_s - apart) / 2], axis=-1)


@dataclass(frozen=True)
class Fit:
    """Rates from the fit of populations, with standard errors, and what they imply.

    Attributes:
        ns, sn: γ_ns and γ_sn.
        ns_sem, sn_sem: their standard errors.
        even, even_sem: Γ_e = 2 γ_ns + γ_sn.
        odd, odd_sem: Γ_o = γ_sn + 2 γ_ss.
        lag: times before this were left out.
        chi2: of the fit, per degree of freedom (batches of trajectories; points in time are correlated).
    """

    ns: float
    sn: float
    ns_sem: float
    sn_sem: float
    even: float
    even_sem: float
    odd: float
    odd_sem: float
    lag: float
    chi2: float


def fit_populations(
    times: NDArray[np.float64],
    from_n: NDArray[np.float64],
    from_s: NDArray[np.float64],
    *,
    lag: float | None = None,
    batches: int = 16,
) -> Fit:
    r"""Fit of (S4) and (S5) to the populations from either start.

    .. math:: p_s(t) = p_s^\infty - b_n e^{-\Gamma_e t},\qquad p_n(t) = p_n^\infty - b_s e^{-\Gamma_e t},
              \qquad (p_{s+}-p_{s-})(t) = b_o e^{-\Gamma_o t}

    with one Γ_e and one stationary state for both starts. (S4) and (S5) hold at t = 0 only if the states are left
    from the beginning at their stationary rate; the amplitudes b are free, so that what happens in the lag before
    that does not matter, and times before it are left out.

    Args:
        times: shape (times,), starting anywhere.
        from_n: (p_n, p_s+, p_s−) of every trajectory started in n, indicators (:meth:`Watched.occupied`) or
            :func:`linear_populations`: shape (trajectories, times, 3).
        from_s: the same from s+.
        lag: times before it are left out; None to find the shortest after which the fit is good (χ² per degree of
            freedom no more than 1.5 times the best of all lags).
        batches: groups of trajectories over which errors are estimated (jackknife), >= 3.

    Returns:
        Rates and their errors.

    Raises:
        ValueError, TypeError: for arrays that do not fit each other, fewer than 4 times, or fewer than
            2 × ``batches`` trajectories.
    """
    times = checks.real_array("times", times)
    lag = None if lag is None else checks.real("lag", lag)
    if (times >= (times[0] if lag is None else lag)).sum() < 4 or not (np.diff(times) > 0).all():
        raise checks.refuse("times", "at least 4 increasing ones from the lag on", times)
    checks.integer("batches", batches, minimum=3, hint="Each is left out in turn, and the others must scatter.")
    means = [_batch_means("from_n", from_n, times.size, batches), _batch_means("from_s", from_s, times.size, batches)]
    if lag is None:
        candidates = times[np.linspace(0, len(times) // 3, 7).astype(int)]
        tried = [_fit(times, means, float(candidate)) for candidate in candidates]
        best = min(chi2 for _, chi2 in tried)
        lag = float(next(c for c, (_, chi2) in zip(candidates, tried, strict=True) if chi2 <= 1.5 * best))
    whole, chi2 = _fit(times, means, lag)
    without = np.array(
        [_fit(times, [np.delete(one, left_out, axis=0) for one in means], lag)[0] for left_out in range(batches)]
    )
    error = leave_one_out(np.array(whole), without, np.ones(batches, dtype=np.int64)).error
    sem: list[float] = np.asarray(error, dtype=np.float64).tolist()
    ns, sn, even, odd = whole
    return Fit(ns, sn, sem[0], sem[1], even, sem[2], odd, sem[3], lag, chi2)


def _batch_means(name: str, populations: ArrayLike, times: int, batches: int) -> NDArray[np.float64]:
    """Mean populations of each batch (trajectory index modulo the number of batches)."""
    indicator = checks.real_array(name, populations, (None, times, 3))
    if len(indicator) < 2 * batches:
        raise checks.refuse(name, f"at least {2 * batches} trajectories", len(indicator))
    return np.array([indicator[batch::batches].mean(axis=0) for batch in range(batches)])


def _fit(
    times: NDArray[np.float64], means: list[NDArray[np.float64]], lag: float
) -> tuple[tuple[float, float, float, float], float]:
    """(γ_ns, γ_sn, Γ_e, Γ_o) and χ² per degree of freedom of the even part.

    The amplitudes enter linearly, so only Γ is searched for (variable projection).
    """

    kept = times >= lag
    t = times[kept] - lag
    curves, weights = [], []
    for one in means:
        normal = one[:, kept, NORMAL]
        curves.append(normal.mean(axis=0))
        error2 = normal.var(axis=0, ddof=1) / len(normal)
        weights.append(1 / np.sqrt(np.maximum(error2, np.median(error2) / 4 + 1e-12)))
    data, weight = np.concatenate(curves), np.concatenate(weights)

    def solve(log_rate: float) -> tuple[float, NDArray[np.float64]]:
        decay, none = np.exp(-math.exp(log_rate) * t), np.zeros_like(t)
        first, second = np.concatenate([decay, none]), np.concatenate([none, decay])
        design = np.stack([np.ones_like(data), first, second], axis=1) * weight[:, None]
        answer = np.linalg.lstsq(design, data * weight, rcond=None)[0]
        return float(np.sum((design @ answer - data * weight) ** 2)), answer

    log_range = math.log(0.02 / t[-1]), math.log(3 / (t[1] - t[0]))
    even = _least(lambda value: solve(value)[0], log_range)
    chi2, (at_rest, *_) = solve(math.log(even))
    difference = means[1][:, kept, PLUS] - means[1][:, kept, MINUS]
    apart = difference.mean(axis=0)
    error = np.sqrt(difference.var(axis=0, ddof=1) / len(difference))
    per = 1 / np.maximum(error, np.median(error) / 2 + 1e-9)

    def miss(log_rate: float) -> float:
        decay = np.exp(-math.exp(log_rate) * t) * per
        return float(np.sum((apart * per - decay * (decay @ (apart * per)) / (decay @ decay)) ** 2))

    odd = _least(miss, log_range)
    at_rest = min(max(float(at_rest), 0.0), 1.0)
    return (even * (1 - at_rest) / 2, even * at_rest, even, odd), chi2 / (len(data) - 4)


def _least(function, log_range: tuple[float, float]) -> float:  # type: ignore[no-untyped-def]
    """exp of the argument of the least value in the range: a scan, then golden section around its best point."""
    from scipy.optimize import minimize_scalar

    grid = np.linspace(*log_range, 60)
    at = int(np.argmin([function(value) for value in grid]))
    bounds = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    return math.exp(float(minimize_scalar(function, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))


def lagged_rates(labels: NDArray[np.int8], steps: int, spacing: float) -> tuple[float, float, float]:
    r"""γ_ns, γ_sn and γ_ss from how the labels at one time depend on those at times τ and 2τ earlier.

    With the transition matrices over τ = ``steps`` × ``spacing`` and over 2τ, and the symmetry s+ ↔ s− built in,

    .. math:: e^{-\Gamma_e\tau} = \frac{1 - P_{ns}(2\tau) - P_{sn}(2\tau)}{1 - P_{ns}(\tau) - P_{sn}(\tau)},\qquad
              e^{-\Gamma_o\tau} = \frac{P_{++}(2\tau) - P_{+-}(2\tau)}{P_{++}(\tau) - P_{+-}(\tau)}

    Unlike in :func:`count_rates`, short excursions do not count as passages, and labels that err or lag behind do no
    harm: the estimate converges to the gaps of the Liouvillian as τ exceeds the relaxation times within the states.

    Args:
        labels: of stretches in which the start is forgotten, shape (trajectories, times). In transit, the state
            visited last counts.
        steps: τ in units of ``spacing``.
        spacing: time between two labels.

    Returns:
        the rates; NaN where the sample shows no decay.
    """
    found = check_labels(labels)
    if found.ndim != 2:
        raise checks.refuse("labels", "an array of shape (trajectories, times)", f"an array of shape {found.shape}")
    checks.integer("steps", steps, minimum=1)
    spacing = checks.real("spacing", spacing, above=0.0)
    if 2 * steps >= found.shape[1]:
        raise checks.refuse("steps", f"less than half of the {found.shape[1]} times", steps)
    state = last_visited(found)
    (_, _, even1, odd1), (p_ns, p_sn, even2, odd2) = (_transitions(state, lag) for lag in (steps, 2 * steps))
    with np.errstate(invalid="ignore", divide="ignore"):
        even, odd = -np.log(np.array([even2 / even1, odd2 / odd1])) / (steps * spacing)
    ns, sn = even * p_ns / (p_ns + p_sn) / 2, even * p_sn / (p_ns + p_sn)
    return float(ns), float(sn), float((odd - sn) / 2)


def _transitions(state: NDArray[np.int8], steps: int) -> tuple[float, float, float, float]:
    """P_ns, P_sn, 1 − P_ns − P_sn and P_++ − P_+- over ``steps`` samples."""
    now, later = state[:, :-steps].ravel(), state[:, steps:].ravel()
    valid = now != TRANSIT
    pairs = np.zeros((3, 3))
    np.add.at(pairs, (now[valid], later[valid]), 1)
    p_ns = pairs[NORMAL, PLUS:].sum() / pairs[NORMAL].sum()
    p_sn = pairs[PLUS:, NORMAL].sum() / pairs[PLUS:].sum()
    apart = pairs[PLUS, PLUS] + pairs[MINUS, MINUS] - pairs[PLUS, MINUS] - pairs[MINUS, PLUS]
    return p_ns, p_sn, 1 - p_ns - p_sn, apart / pairs[PLUS:].sum()
