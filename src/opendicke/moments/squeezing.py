r"""Spin squeezing and what it says about quantum Fisher information, from the first and second moments of the spin.

With the symmetrised covariance of the *ensemble*,
:math:`C_{ij} = \tfrac12\langle S^iS^j+S^jS^i\rangle - \langle S^i\rangle\langle S^j\rangle`, and λ the smallest value
of :math:`e\cdot C\,e` over unit vectors e orthogonal to :math:`\langle\mathbf S\rangle`,

.. math::
    \xi^2 = \frac{N\lambda}{|\langle\mathbf S\rangle|^2},\qquad \xi_S^2 = \frac{4\lambda}N .

Averages over trajectories come first and the minimisation after them: squeezing of single trajectories is not squeezing
of their mixture.

Sources: D. J. Wineland et al., Phys. Rev. A 50, 67 (1994), and A. Sørensen et al., Nature 409, 63 (2001), for ξ²;
M. Kitagawa and M. Ueda, Phys. Rev. A 47, 5138 (1993), for ξ_S².
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke.moments.jackknife import ChannelMeans, Estimate, Quantity, labelled
from opendicke.observables.catalogue import CHANNELS

#: A mean spin shorter than this many of its standard errors has no direction.
SIGNIFICANT = 3.0
#: A mean spin shorter than this, relative to N/2, is zero up to the rounding of exact methods.
ROUNDING = 1e-8
SPIN_CHANNELS = ("Sx", "Sy", "Sz", "Sxx", "Syy", "Szz", "Sxy", "Syz", "Szx")

_WHERE = "; NaN where <S> = 0 within its error"
_ABOUT = {
    "xi2": Quantity("N min Var(S_perp) / |<S>|^2 over directions orthogonal to <S>" + _WHERE),
    "xi2_dB": Quantity("10 log10 of xi2; below 0: squeezed" + _WHERE, "dB"),
    "xi2_S": Quantity("4 min Var(S_perp) / N over directions orthogonal to <S>" + _WHERE),
    "mean_spin": Quantity("|<S>|"),
    "squeezing_direction": Quantity(
        "unit vector along which Var(S_perp) is smallest (the sign is a convention)" + _WHERE,
        dims=("component",),
        corrected=False,
    ),
}
_ABOUT_FISHER = {
    "qfi_lower": Quantity("|<S>|^2 / min Var(S_perp) = N / xi2 <= F_Q for rotations about generator" + _WHERE),
    "qfi_upper": Quantity("4 max Var(S_n) >= F_Q for rotations about any axis; equal for pure states, best axis"),
    "generator": Quantity(
        "unit vector n of the generator S_n for which qfi_lower bounds F_Q (the sign is a convention)" + _WHERE,
        dims=("component",),
        corrected=False,
    ),
}


def squeezing(dataset: xr.Dataset) -> xr.Dataset:
    r"""Spin squeezing with error bars.

    .. math::
        \xi^2 = \frac{N\,\min_{e\perp\langle\mathbf S\rangle}(\Delta\,\mathbf S\cdot e)^2}{|\langle\mathbf S\rangle|^2},
        \qquad \xi_S^2 = \frac4N\min_{e\perp\langle\mathbf S\rangle}(\Delta\,\mathbf S\cdot e)^2

    minimised after the average over the ensemble. ξ² < 1 proves entanglement among the atoms, and improves on the
    standard quantum limit of a Ramsey phase by that factor.

    For sampled methods the error bars and the correction for bias (the smallest of noisy variances is too small on
    average) come from the jackknife over batches of trajectories; ``<name>_uncorrected`` is the plain estimate.

    Args:
        dataset: what ``opendicke.solve`` returned, with the first and second moments of the spin.

    Returns:
        Dataset with ``xi2``, ``xi2_dB``, ``xi2_S`` (ξ², 10 log10 ξ² and ξ_S²), ``mean_spin`` (\|<S>\|, in ħ),
        ``squeezing_direction`` (unit vector, dimension ``component``), each with ``<name>_sem`` for sampled methods,
        and ``defined``: whether \|<S>\| is above 3 of its standard errors (root sum of squares of its components') and
        above :math:`10^{-8}N/2`. Where it is not, there is no direction to be orthogonal to, and values are NaN.
        ``resolved`` says whether the smallest variance stands out from the largest (half their difference above 3 of
        its errors); if not, the minimum is not smooth in the data, errors are enlarged to hold nevertheless, and the
        direction means little. ``attrs["degrees_of_freedom"]`` belongs to the error bars
        (:func:`opendicke.analysis.interval`).

    Raises:
        TypeError, ValueError: for a dataset of another kind, of mean-field theory (which has no fluctuations), without
            the moments, or with fewer than 8 trajectories.

    Source: K. Müller and W. T. Strunz, eq. (S1); see the module's docstring.

    >>> import opendicke as od
    >>> model = od.DickeModel(n_atoms=10, omega_a=1, omega_c=1, kappa=1, g_minus=1.8, g_plus=0.782)
    >>> squeezing(od.solve(model, od.Normal(), [0.0, 0.5], od.Cumulants())).xi2.values.round(3)
    array([1.   , 0.781])
    """
    return _analysed(dataset, _ABOUT)


def fisher_information_bound(dataset: xr.Dataset) -> xr.Dataset:
    r"""Bounds on the quantum Fisher information of collective rotations :math:`e^{-i\vartheta\mathbf S\cdot n}`.

    .. math::
        \frac{|\langle[A, B]\rangle|^2}{(\Delta B)^2} \le F_Q[\rho, A] \le 4(\Delta A)^2

    The lower bound with :math:`B = \mathbf S\cdot e` along the direction e of squeezing and
    :math:`A = \mathbf S\cdot n`, :math:`n = e\times\langle\mathbf S\rangle/|\langle\mathbf S\rangle|`, is
    :math:`|\langle\mathbf S\rangle|^2/(\Delta B)^2 = N/\xi^2`; the upper one holds with equality for pure states. More
    than N needs entangled atoms; the largest possible value is N².

    Args:
        dataset: what ``opendicke.solve`` returned, with the first and second moments of the spin.

    Returns:
        Dataset with ``qfi_lower`` (for rotations about ``generator``, a unit vector; NaN where ``defined`` is false, as
        in :func:`squeezing`) and ``qfi_upper`` (4 max (ΔS_n)² over all axes n), dimensionless, with ``<name>_sem``
        for sampled methods.

    Raises:
        TypeError, ValueError: as :func:`squeezing`.

    Source: L. Pezzé and A. Smerzi, Phys. Rev. Lett. 102, 100401 (2009).

    >>> import opendicke as od
    >>> model = od.DickeModel(n_atoms=10, omega_a=1, omega_c=1, kappa=1, g_minus=1.8, g_plus=0.782)
    >>> bounds = fisher_information_bound(od.solve(model, od.Normal(), [0.0], od.Cumulants()))
    >>> bounds.qfi_lower.values.round(6), bounds.qfi_upper.values.round(6)
    (array([10.]), array([10.]))
    """
    return _analysed(dataset, _ABOUT_FISHER)


def mean_spin(channels: NDArray[np.float64]) -> NDArray[np.float64]:
    """<S> from channels of shape (..., channels): shape (..., 3)."""
    return channels[..., _positions("Sx", "Sy", "Sz")]


def spin_covariance(channels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetrised covariance matrix of the spin, shape (..., 3, 3)."""
    second = channels[..., _positions("Sxx", "Sxy", "Szx", "Sxy", "Syy", "Syz", "Szx", "Syz", "Szz")]
    spin = mean_spin(channels)
    covariance: NDArray[np.float64] = second.reshape(*spin.shape, 3) - spin[..., :, None] * spin[..., None, :]
    return covariance


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[Any]:
    """A quotient that is NaN where the denominator is zero."""
    nothing = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    quotient: NDArray[Any] = np.divide(numerator, denominator, out=nothing, where=denominator != 0)
    return quotient


def _positions(*names: str) -> list[int]:
    return [CHANNELS.index(name) for name in names]


@dataclass(frozen=True, eq=False)
class _Principal:
    """|<S>|, the smallest variance orthogonal to <S>, its axis, the axis orthogonal to both, and the largest excess."""

    length: NDArray[np.float64]
    smallest: NDArray[np.float64]
    squeezed: NDArray[np.float64]
    stretched: NDArray[np.float64]
    gap: NDArray[np.float64]

    @classmethod
    def of(cls, channels: NDArray[np.float64]) -> _Principal:
        """From channels of shape (..., channels)."""
        spin, covariance = mean_spin(channels), spin_covariance(channels)
        length = np.linalg.norm(spin, axis=-1)
        e1, e2 = _orthogonal_axes(ratio(spin, length[..., None]))
        v11, v12, v22 = (_element(covariance, *pair) for pair in ((e1, e1), (e1, e2), (e2, e2)))
        gap = np.hypot(v11 - v22, 2 * v12)
        angle = (np.arctan2(2 * v12, v11 - v22) + np.pi) / 2
        cos, sin = np.cos(angle)[..., None], np.sin(angle)[..., None]
        return cls(length, (v11 + v22 - gap) / 2, cos * e1 + sin * e2, cos * e2 - sin * e1, gap)


def _element(matrix: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    element: NDArray[np.float64] = np.einsum("...i,...ij,...j->...", left, matrix, right)
    return element


def _orthogonal_axes(axis: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two unit vectors that are orthogonal to ``axis``, shape (..., 3), and to each other.

    Source: T. Duff et al., J. Comput. Graph. Tech. 6, 1 (2017).
    """
    x, y, z = np.moveaxis(axis, -1, 0)
    sign = np.copysign(1.0, z)
    a = -1 / (sign + z)
    e1 = np.stack([1 + sign * x * x * a, sign * x * y * a, -sign * x], axis=-1)
    e2 = np.stack([x * y * a, sign + y * y * a, -y], axis=-1)
    return e1, e2


def _analysed(dataset: xr.Dataset, about: dict[str, Quantity]) -> xr.Dataset:
    """The quantities that ``about`` names, with their error bars and the flags."""
    means = ChannelMeans.of(dataset, SPIN_CHANNELS)
    whole = _Principal.of(means.whole)
    found = means.evaluate(partial(_quantities, n_atoms=means.n_atoms, whole=whole))
    sideways = means.evaluate(partial(_sideways, n_atoms=means.n_atoms, whole=whole))
    resolved = resolves(whole.gap / 2, sideways.pop("tilt"))
    widened = found | {name: found[name].widened(other, ~resolved) for name, other in sideways.items()}
    defined = _has_direction(means)
    masks = {name: defined for name in about if name not in ("mean_spin", "qfi_upper")}
    result = labelled(dataset, means, {name: widened[name] for name in about}, about, masks)
    result = result.assign_coords(component=["x", "y", "z"])
    flags = {
        "defined": (defined, f"|<S>| > {SIGNIFICANT:g} of its standard errors and > {ROUNDING:g} N/2"),
        "resolved": (resolved & defined, "the largest and smallest variance orthogonal to <S> differ significantly"),
    }
    return result.assign({name: (means.dims, flag, {"definition": text}) for name, (flag, text) in flags.items()})


def _of_variance(length: NDArray[np.float64], smallest: NDArray[np.float64], n_atoms: int) -> dict[str, NDArray[Any]]:
    """Everything that follows from |<S>| and the smallest variance orthogonal to it."""
    xi2 = ratio(n_atoms * smallest, length**2)
    return {
        "xi2": xi2,
        "xi2_dB": 10 * np.log10(xi2, out=np.full_like(xi2, np.nan), where=xi2 > 0),
        "xi2_S": 4 * smallest / n_atoms,
        "qfi_lower": ratio(length**2, smallest),
    }


def _quantities(channels: NDArray[np.float64], n_atoms: int, whole: _Principal) -> dict[str, NDArray[Any]]:
    """All quantities; axes are signed like those of ``whole``."""
    here = _Principal.of(channels)
    return _of_variance(here.length, here.smallest, n_atoms) | {
        "mean_spin": here.length,
        "qfi_upper": 4 * np.linalg.eigvalsh(spin_covariance(channels))[..., -1],
        "squeezing_direction": _aligned(here.squeezed, whole.squeezed),
        "generator": _aligned(here.stretched, whole.stretched),
    }


def _sideways(channels: NDArray[np.float64], n_atoms: int, whole: _Principal) -> dict[str, NDArray[Any]]:
    """How noise that turns the principal axes would change the smallest variance if the two variances were equal."""
    tilt = _element(spin_covariance(channels), whole.squeezed, whole.stretched)
    return _of_variance(whole.length, whole.smallest + tilt, n_atoms) | {"tilt": tilt}


def resolves(half_gap: NDArray[np.float64], tilt: Estimate) -> NDArray[np.bool_]:
    """Whether the two principal variances of a plane differ: half their difference is above 3 errors of ``tilt``.

    ``tilt`` is the covariance of the two principal axes. If the variances are equal, a difference as large is found
    with a probability of 1 %.
    """
    return np.ones(half_gap.shape, dtype=bool) if tilt.error is None else half_gap > SIGNIFICANT * tilt.error


def _aligned(axes: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """``axes``, signs chosen to point along ``reference``, itself signed to have a positive largest component."""
    largest = np.take_along_axis(reference, np.argmax(np.abs(reference), axis=-1)[..., None], axis=-1)
    towards = reference * np.copysign(1.0, largest)
    aligned: NDArray[np.float64] = axes * np.copysign(1.0, np.sum(axes * towards, axis=-1, keepdims=True))
    return aligned


def _has_direction(means: ChannelMeans) -> NDArray[np.bool_]:
    """Whether <S> differs from zero by more than its errors."""
    spin = means.evaluate(lambda channels: {"spin": mean_spin(channels)})["spin"]
    length = np.linalg.norm(spin.uncorrected, axis=-1)
    noise = 0.0 if spin.error is None else SIGNIFICANT * np.linalg.norm(spin.error, axis=-1)
    defined: NDArray[np.bool_] = length > np.maximum(noise, ROUNDING * means.n_atoms / 2)
    return defined
