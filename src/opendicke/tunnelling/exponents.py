r"""From rates at several N and s to exponents, the transition and its error.

.. math:: \gamma_i = A_i\,e^{r_i N}, \qquad r_{ns}(s_c) = r_{sn}(s_c)

Above and below s_c different states survive in the limit N → ∞ after t → ∞; for t → ∞ after N → ∞ both are stable. Both
limits are in :func:`occupation`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opendicke import checks

#: Standard errors smaller than this would make infinite weights.
LEAST = 1e-100


@dataclass(frozen=True)
class Exponent:
    """ln γ = ln A + r N, fitted.

    Attributes:
        r, r_sem: exponent and its standard error (scaled up where the points scatter by more than their errors).
        log_a: ln A.
        covariance: of (ln A, r), shape (2, 2).
        chi2: per degree of freedom; NaN for two points.
        points: rates used (upper limits included).
    """

    r: float
    r_sem: float
    log_a: float
    covariance: NDArray[np.float64]
    chi2: float
    points: int


def fit_exponent(
    n_atoms: ArrayLike, log_rates: ArrayLike, errors: ArrayLike, *, exposures: ArrayLike | None = None
) -> Exponent:
    r"""Maximum-likelihood fit of ln γ = ln A + r N.

    A measured rate enters with a normal error of ln γ; a point at which nothing was seen during an exposure T (its
    ``log_rates`` is NaN) enters with its Poisson probability :math:`e^{-\gamma T}`.

    Args:
        n_atoms: shape (points,).
        log_rates: ln γ, NaN where nothing was seen: shape (points,).
        errors: standard errors of ln γ (ignored where nothing was seen), > 0.
        exposures: T of the points at which nothing was seen; ignored elsewhere.

    Returns:
        The exponent with its error.

    Raises:
        ValueError, TypeError: for fewer than two measured rates, or arrays of different shapes.

    >>> fit_exponent([100, 200, 300], [-1.0, -3.0, -5.0], [0.1, 0.1, 0.1]).r.__round__(6)
    -0.02
    """
    from scipy.optimize import minimize

    n = checks.real_array("n_atoms", n_atoms)
    y = checks.real_array("log_rates", log_rates, n.shape, missing=True)
    e = checks.real_array("errors", errors, n.shape, missing=True)
    seen = np.isfinite(y)
    if seen.sum() < 2:
        raise checks.refuse("log_rates", "at least two measured rates", int(seen.sum()))
    if not (e[seen] >= LEAST).all():
        raise checks.refuse("errors", f"numbers > 0, at least {LEAST:g}", e.tolist())
    if np.unique(n[seen]).size < 2:
        raise checks.refuse("n_atoms", "measured rates at two numbers of atoms, at least", n[seen].tolist())
    given = np.zeros_like(n) if exposures is None else checks.real_array("exposures", exposures, n.shape, missing=True)
    exposure = np.where(seen, 0.0, given)
    if not (exposure >= 0).all():
        raise checks.refuse("exposures", "numbers >= 0 where nothing was seen", given.tolist())
    centre = n[seen].mean()
    design = np.stack([np.ones_like(n), n - centre], axis=1)

    def cost(parameters: NDArray[np.float64]) -> float:
        line = design @ parameters
        missed = np.exp(np.minimum(line[~seen], 700.0)) @ exposure[~seen]
        return float(0.5 * np.sum(((y - line)[seen] / e[seen]) ** 2) + missed)

    weighted = design[seen] / e[seen, None]
    guess = np.linalg.lstsq(weighted, y[seen] / e[seen], rcond=None)[0]
    best = (
        guess if seen.all() else minimize(cost, guess, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9}).x
    )
    line = design @ best
    curvature = weighted.T @ weighted
    unseen = design[~seen] * np.sqrt(np.exp(line[~seen]) * exposure[~seen])[:, None]
    freedom = int(seen.sum()) - 2
    chi2 = float(np.sum(((y - line)[seen] / e[seen]) ** 2)) / freedom if freedom > 0 else np.nan
    covariance = np.linalg.inv(curvature + unseen.T @ unseen) * max(1.0, np.nan_to_num(chi2))
    shift = np.array([[1.0, -centre], [0.0, 1.0]])
    covariance = shift @ covariance @ shift.T
    log_a = float(best[0] - centre * best[1])
    return Exponent(float(best[1]), float(np.sqrt(covariance[1, 1])), log_a, covariance, chi2, len(n))


@dataclass(frozen=True)
class Crossing:
    """Where two exponents cross.

    Attributes:
        s: the crossing s_c.
        low, high: 95 % confidence interval.
        samples: of s_c, shape (samples,).
    """

    s: float
    low: float
    high: float
    samples: NDArray[np.float64]


def crossing(
    s: ArrayLike, r_ns: ArrayLike, r_ns_sem: ArrayLike, r_sn: ArrayLike, r_sn_sem: ArrayLike,
    *, degree: int = 2, samples: int = 4000, seed: int = 0,
) -> Crossing:  # fmt: skip
    r"""The root s_c of r_ns(s) − r_sn(s), with a parametric bootstrap for its confidence interval.

    Args:
        s: positions, shape (points,).
        r_ns, r_sn: exponents there.
        r_ns_sem, r_sn_sem: their standard errors.
        degree: of the polynomial fitted, with weights, to the difference.
        samples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError, TypeError: for arrays of different shapes, or fewer positions than the polynomial needs; if the
            fitted difference has no root between the first and the last position.
    """
    checks.integer("degree", degree, minimum=1, maximum=2)
    checks.integer("samples", samples, minimum=1)
    checks.integer("seed", seed, minimum=0, maximum=checks.LARGEST_SEED)
    position = checks.real_array("s", s)
    if np.unique(position).size <= degree:
        raise checks.refuse("s", f"at least {degree + 1} different positions, for degree {degree}", position.tolist())
    given = {"r_ns": r_ns, "r_ns_sem": r_ns_sem, "r_sn": r_sn, "r_sn_sem": r_sn_sem}
    least = {"r_ns_sem": 0.0, "r_sn_sem": 0.0}
    ns, ns_sem, sn, sn_sem = (
        checks.real_array(name, one, position.shape, minimum=least.get(name, -np.inf)) for name, one in given.items()
    )
    difference, error = ns - sn, np.hypot(ns_sem, sn_sem)
    if not (error >= LEAST).all():
        raise checks.refuse("r_ns_sem, r_sn_sem", f"standard errors > 0, at least {LEAST:g}", error.tolist())
    best = float(_roots(position, difference[None], error, degree)[0])
    if not np.isfinite(best):
        raise checks.refuse("s", "positions on both sides of the crossing", position.tolist())
    drawn = difference + error * np.random.default_rng(seed).standard_normal((samples, len(position)))
    roots = _roots(position, drawn, error, degree)
    low, high = np.quantile(roots, (0.025, 0.975), method="nearest")
    return Crossing(best, float(low), float(high), roots)


def _roots(
    s: NDArray[np.float64], differences: NDArray[np.float64], error: NDArray[np.float64], degree: int
) -> NDArray[np.float64]:
    """Where a polynomial through each row of ``differences`` is zero: nearest to the middle of the positions.

    A root outside of the positions is put at ±∞, on the side where the difference is nearest to zero.
    """
    middle, half = (s.max() + s.min()) / 2, (s.max() - s.min()) / 2
    x = (s - middle) / half
    design = np.vander(x, degree + 1) / error[:, None]
    *square, slope, height = np.linalg.lstsq(design, (differences / error).T, rcond=None)[0]
    bend = square[0] if square else np.zeros_like(slope)
    with np.errstate(invalid="ignore", divide="ignore"):
        # the root of bend x² + slope x + height that stays finite as bend → 0
        root = -2 * height / (slope + np.copysign(np.sqrt(slope**2 - 4 * bend * height), slope))
    inside = np.abs(root) <= 1
    side = np.where(np.abs(bend + slope + height) < np.abs(bend - slope + height), np.inf, -np.inf)
    found: NDArray[np.float64] = np.where(inside, middle + half * root, side)
    return found


def occupation(gamma_ns: ArrayLike, gamma_sn: ArrayLike, time: ArrayLike, p_n: float = 1.0) -> NDArray[np.float64]:
    r"""Occupation of the normal state at ``time``, from ``p_n`` at the start.

    .. math:: p_n(t) = \frac{\gamma_{sn}}{\Gamma} + \frac{2\gamma_{ns}p_n(0) - \gamma_{sn}p_s(0)}{\Gamma}
              e^{-\Gamma t},\qquad \Gamma = 2\gamma_{ns} + \gamma_{sn}

    With rates :math:`A e^{rN}` it holds both orders of limits: N → ∞ at a fixed time leaves p_n(0), and t → ∞ at
    fixed N gives :math:`1/(1 + (2A_{ns}/A_{sn})e^{(r_{ns}-r_{sn})N})`, a step at s_c as N → ∞.

    Args:
        gamma_ns, gamma_sn: rates, arrays that broadcast with ``time``.
        time: may be infinite.
        p_n: at the start.

    Source: K. Müller and W. T. Strunz, eqs. (6) and (7).

    >>> occupation(0.1, 0.2, [0.0, np.inf]).round(6)
    array([1. , 0.5])
    """
    out = 2 * checks.real_array("gamma_ns", gamma_ns, None, minimum=0.0)
    into = checks.real_array("gamma_sn", gamma_sn, None, minimum=0.0)
    time = checks.real_array("time", time, None, infinite=True, minimum=0.0)
    p_n = checks.real("p_n", p_n, minimum=0.0, maximum=1.0)
    try:
        total, _ = np.broadcast_arrays(into + out, time)
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in (out, into, time))
        raise checks.refuse("gamma_ns, gamma_sn, time", "shapes that broadcast", shapes) from None
    with np.errstate(invalid="ignore", divide="ignore"):
        at_rest = np.where(total > 0, into / total, p_n)
        decay = np.where(total > 0, np.exp(-total * time), 1.0)
    found: NDArray[np.float64] = at_rest + (p_n - at_rest) * decay
    return found
