r"""Correlations of atoms and field, and the statistics of the photons in the cavity, with error bars.

Covariances are differences of products of means, :math:`\langle XY\rangle - \langle X\rangle\langle Y\rangle`, of the
whole ensemble: those of single trajectories say nothing about the state. Error bars come from the jackknife over
batches of trajectories (:mod:`opendicke.moments.jackknife`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke.moments.jackknife import ChannelMeans, Quantity, labelled
from opendicke.moments.squeezing import SPIN_CHANNELS, mean_spin, ratio, resolves, spin_covariance
from opendicke.observables.catalogue import CHANNELS

#: A photon number below this many of its standard errors is zero.
SIGNIFICANT = 3.0
#: A photon number below this is zero: its square, by which g2 divides, is no larger than the errors of exact methods.
EMPTY = 1e-5
FIELD_CHANNELS = ("re_a", "im_a", "n_photon", "re_a2", "im_a2", "n_photon2")
JOINT_CHANNELS = ("re_Sx_a", "im_Sx_a", "re_Sy_a", "im_Sy_a", "re_Sz_a", "im_Sz_a")

_ABOUT_COVARIANCES = {
    "C_af": Quantity("<S^x a> - <S^x><a>"),
    "spin_field_covariance": Quantity("<S^i a> - <S^i><a>", dims=("component",)),
    "spin_covariance": Quantity("<S^i S^j + S^j S^i>/2 - <S^i><S^j>", dims=("component", "other_component")),
}
_WHERE = "; NaN where <a^dag a> = 0 within its error"
_ABOUT_PHOTONS = {
    "g2": Quantity("g2(0) = <a^dag a^dag a a> / <a^dag a>^2" + _WHERE),
    "fano": Quantity("Var(a^dag a) / <a^dag a>" + _WHERE),
    "quadrature_variance": Quantity(
        "2 min Var(X_phi) over phi, X_phi = (a e^{-i phi} + a^dag e^{i phi})/sqrt(2); 1 in vacuum"
    ),
    "quadrature_angle": Quantity("phi in [0, pi) of the quietest quadrature X_phi", "rad", corrected=False),
}


def covariances(dataset: xr.Dataset) -> xr.Dataset:
    r"""Covariances of spin with field and of the spin's components, with error bars.

    .. math::
        C_{af} = \langle S^xa\rangle - \langle S^x\rangle\langle a\rangle,\qquad
        C_i = \langle S^ia\rangle - \langle S^i\rangle\langle a\rangle,\qquad
        C_{ij} = \tfrac12\langle S^iS^j+S^jS^i\rangle - \langle S^i\rangle\langle S^j\rangle

    Args:
        dataset: what ``opendicke.solve`` returned, with the moments of spin, of <a>, and <S^i a>.

    Returns:
        Dataset with ``C_af`` (complex), ``spin_field_covariance`` (complex, dimension ``component``: x, y, z) and
        ``spin_covariance`` (dimensions ``component``, ``other_component``), in units of ħ (spin) and 1 (field). Sampled
        methods add ``<name>_sem`` and ``<name>_uncorrected``, the estimate without correction for bias.

    Raises:
        TypeError, ValueError: for a dataset of another kind, of mean-field theory (where all of these are zero by
            assumption), without the moments, or with fewer than 8 trajectories.

    Source: K. Müller and W. T. Strunz, Fig. 2, for C_af.

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=2, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.26)
    >>> covariances(od.solve(model, od.SpinCoherent(np.pi / 4), [0.0, 1.0], od.Lindblad())).C_af.values.round(3)
    array([ 0.   +0.j   , -0.279-0.276j])
    """
    means = ChannelMeans.of(dataset, (*SPIN_CHANNELS, "re_a", "im_a", *JOINT_CHANNELS))
    found = means.evaluate(_covariances_of)
    axes = {dim: ["x", "y", "z"] for dim in ("component", "other_component")}
    return labelled(dataset, means, found, _ABOUT_COVARIANCES, {}).assign_coords(axes)


def photon_statistics(dataset: xr.Dataset) -> xr.Dataset:
    r"""Statistics of the cavity's photons, and squeezing of its field, with error bars.

    .. math::
        g^{(2)}(0) = \frac{\langle a^{\dagger2}a^2\rangle}{\langle a^\dagger a\rangle^2},\qquad
        F = \frac{(\Delta a^\dagger a)^2}{\langle a^\dagger a\rangle},\qquad
        2\min_\phi(\Delta X_\phi)^2 = 1 + 2\langle c^\dagger c\rangle - 2|\langle c^2\rangle|

    with :math:`X_\phi = (ae^{-i\phi}+a^\dagger e^{i\phi})/\sqrt2` and :math:`c = a-\langle a\rangle`. All three are 1
    for coherent light; g² < 1 and F < 1 are sub-Poissonian, and a quadrature below 1 is squeezed below vacuum. This is
    the field inside the cavity; what leaves it has a spectrum, see
    :meth:`opendicke.analysis.Fluctuations.output_spectrum`.

    Args:
        dataset: what ``opendicke.solve`` returned, with the moments of the field.

    Returns:
        Dataset with ``g2``, ``fano``, ``quadrature_variance`` (all dimensionless, vacuum or coherent light 1) and
        ``quadrature_angle`` (radians, [0, π); its error is large where no quadrature stands out), with ``<name>_sem``
        for sampled methods, and ``defined``: whether <a†a> is above 3 of its standard errors and above 1e-5. Where it
        is not, ``g2`` and ``fano`` are NaN. ``resolved`` says whether the quietest quadrature stands out from the
        loudest (as in :func:`opendicke.analysis.squeezing`).

    Raises:
        TypeError, ValueError: for a dataset of another kind, of mean-field theory (which has no fluctuations), without
            the moments, or with fewer than 8 trajectories.

    Source: R. Loudon, *The Quantum Theory of Light*, chapters 5 and 6.

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=0.1, coupling=0.0)
    >>> light = photon_statistics(od.solve(model, od.SpinCoherent(0.0, alpha=1.5), [1.0], od.Lindblad()))
    >>> [float(light[name].values[0].round(5)) for name in ("g2", "fano", "quadrature_variance")]
    [1.0, 1.0, 1.0]
    """
    means = ChannelMeans.of(dataset, FIELD_CHANNELS)
    reference = _quietest_angle(means.whole)
    found = means.evaluate(partial(_photons_of, reference=reference))
    tilt = means.evaluate(partial(_tilt_of, reference=reference))["tilt"]
    resolved = resolves(2 * np.abs(_field_covariance(means.whole)[1]), tilt)
    found["quadrature_variance"] = found["quadrature_variance"].widened(tilt, ~resolved)
    defined = _has_photons(means)
    result = labelled(dataset, means, found, _ABOUT_PHOTONS, {"g2": defined, "fano": defined})
    flags = {
        "defined": (defined, f"<a^dag a> > {SIGNIFICANT:g} of its standard errors and > {EMPTY:g}"),
        "resolved": (resolved, "the largest and smallest variance of a quadrature differ significantly"),
    }
    return result.assign({name: (means.dims, flag, {"definition": text}) for name, (flag, text) in flags.items()})


def _channel(channels: NDArray[np.float64], name: str) -> NDArray[Any]:
    """One channel, or the complex number whose two parts are channels."""
    if name in CHANNELS:
        return channels[..., CHANNELS.index(name)]
    return channels[..., CHANNELS.index(f"re_{name}")] + 1j * channels[..., CHANNELS.index(f"im_{name}")]


def _covariances_of(channels: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """The quantities of :func:`covariances`."""
    joint = np.stack([_channel(channels, f"S{axis}_a") for axis in "xyz"], axis=-1)
    spin_field = joint - mean_spin(channels) * _channel(channels, "a")[..., None]
    return {
        "C_af": spin_field[..., 0],
        "spin_field_covariance": spin_field,
        "spin_covariance": spin_covariance(channels),
    }


def _field_covariance(channels: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """<c†c> and <c²> of c = a − <a>."""
    a = _channel(channels, "a")
    return _channel(channels, "n_photon") - np.abs(a) ** 2, _channel(channels, "a2") - a**2


def _quietest_angle(channels: NDArray[np.float64]) -> NDArray[np.float64]:
    angle: NDArray[np.float64] = (np.angle(_field_covariance(channels)[1]) + np.pi) / 2 % np.pi
    return angle


def _photons_of(channels: NDArray[np.float64], reference: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """The quantities of :func:`photon_statistics`; angles are those nearest to ``reference``."""
    photons, pairs = _channel(channels, "n_photon"), _channel(channels, "n_photon2")
    incoherent, anomalous = _field_covariance(channels)
    turn = (_quietest_angle(channels) - reference + np.pi / 2) % np.pi - np.pi / 2
    return {
        "g2": ratio(pairs, photons**2),
        "fano": ratio(pairs + photons - photons**2, photons),
        "quadrature_variance": 1 + 2 * incoherent - 2 * np.abs(anomalous),
        "quadrature_angle": reference + turn,
    }


def _tilt_of(channels: NDArray[np.float64], reference: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Twice the covariance of the quietest and the loudest quadrature: zero for all batches together."""
    return {"tilt": 2 * (_field_covariance(channels)[1] * np.exp(-2j * reference)).imag}


def _has_photons(means: ChannelMeans) -> NDArray[np.bool_]:
    """Whether <a†a> differs from zero by more than its error."""
    photons = means.evaluate(lambda channels: {"photons": _channel(channels, "n_photon")})["photons"]
    noise = 0.0 if photons.error is None else SIGNIFICANT * photons.error
    defined: NDArray[np.bool_] = photons.uncorrected > np.maximum(noise, EMPTY)
    return defined
