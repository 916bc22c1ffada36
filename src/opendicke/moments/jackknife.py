r"""Error bars for everything that follows from the means of a result: the delete-one-batch jackknife.

A quantity such as :math:`\langle S^xa\rangle - \langle S^x\rangle\langle a\rangle` is a function f of channel means and
not itself a mean over trajectories. With g batches of :math:`m_j` trajectories, :math:`n = \sum_j m_j` and
:math:`h_j = n/m_j`, let :math:`\theta = f(\bar x)` and :math:`\theta_{(j)}` the same without batch j. Then

.. math::
    \theta_J = \theta + \sum_j\Bigl(1-\frac{m_j}{n}\Bigr)(\theta-\theta_{(j)}),\qquad
    \sigma_J^2 = \frac1g\sum_j\frac{(\tilde\theta_j-\theta_J)^2}{h_j-1},\qquad
    \tilde\theta_j = h_j\theta - (h_j-1)\theta_{(j)}

are an estimate that has no bias of order 1/n, and its squared standard error. Every jackknife of the library is
:func:`leave_one_out`; what differs is how θ without one batch is found.

Source: F. M. T. A. Busing, E. Meijer and R. van der Leeden, *Delete-m jackknife for unequal m*, Statistics and
Computing 9, 3 (1999).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from opendicke import checks
from opendicke.observables.catalogue import CHANNELS, VARIABLES

#: Fewest batches from which a standard error is computed: with 8 it is itself known to 27 %.
FEWEST_BATCHES = 8

#: Quantities from channel means of shape (..., channels), each of shape (...) or (..., further dimensions).
Function = Callable[[NDArray[np.float64]], Mapping[str, NDArray[Any]]]


@dataclass(frozen=True, eq=False)
class Estimate:
    """A quantity with its error bar.

    Attributes:
        value: the quantity; for samples corrected for bias (:math:`\\theta_J` above).
        uncorrected: the plain function of the means, θ.
        error: standard error of ``value``; None for a method without sampling error. Where ``value`` is complex, the
            real and imaginary parts of ``error`` are the standard errors of the two parts.
        degrees: degrees of freedom for Student's t; infinite without sampling error.
    """

    value: NDArray[Any]
    uncorrected: NDArray[Any]
    error: NDArray[Any] | None
    degrees: float

    def widened(self, by: Estimate, where: NDArray[np.bool_]) -> Estimate:
        """The same with the errors of ``by`` added in quadrature where asked for."""
        if self.error is None or by.error is None:
            return self
        return replace(self, error=np.where(where, np.hypot(self.error, by.error), self.error))

    def part(self, which: Any, shape: tuple[int, ...]) -> Estimate:
        """One of several quantities that were estimated together: the elements ``which``, in ``shape``."""
        value, uncorrected = self.value[which].reshape(shape), self.uncorrected[which].reshape(shape)
        error = None if self.error is None else self.error[which].reshape(shape)
        return Estimate(value, uncorrected, error, self.degrees)


@dataclass(frozen=True, eq=False)
class Batches:
    """Channel means of batches of independent trajectories.

    Args:
        means: shape (batches, ..., channels).
        sizes: trajectories in each batch, shape (batches,), all >= 1; they may differ.

    Raises:
        ValueError: for fewer than 8 batches, or for shapes or sizes that do not fit.
    """

    means: NDArray[np.float64]
    sizes: NDArray[np.int64]

    def __post_init__(self) -> None:
        count = self.means.shape[0]
        if self.sizes.shape != (count,) or (self.sizes < 1).any():
            raise checks.refuse("sizes", f"{count} positive numbers, one for each batch", self.sizes.tolist())
        if count < FEWEST_BATCHES:
            hint = f"Error bars need at least {FEWEST_BATCHES} trajectories."
            raise checks.refuse("batches", f"at least {FEWEST_BATCHES} batches of trajectories", count, hint)

    @property
    def whole(self) -> NDArray[np.float64]:
        """Means over all trajectories, shape (..., channels)."""
        means: NDArray[np.float64] = np.tensordot(self.sizes / self.sizes.sum(), self.means, axes=1)
        return means

    @property
    def without(self) -> NDArray[np.float64]:
        """Means without one batch after the other, shape (batches, ..., channels)."""
        weight = _column(self.sizes / (self.sizes.sum() - self.sizes), self.means.ndim)
        without: NDArray[np.float64] = self.whole + weight * (self.whole - self.means)
        return without

    @property
    def degrees(self) -> float:
        """Degrees of freedom of the error, :func:`degrees_of_freedom` of the sizes."""
        return degrees_of_freedom(self.sizes)

    def estimate(self, whole: NDArray[Any], without: NDArray[Any]) -> Estimate:
        """The jackknife estimate of a quantity from its values with all batches, and without one after the other."""
        return leave_one_out(whole, without, self.sizes)


def leave_one_out(whole: NDArray[Any], without: NDArray[Any], sizes: NDArray[np.int64]) -> Estimate:
    """The jackknife estimate of a quantity θ, by the formulas at the top of this module.

    Args:
        whole: θ from all trajectories, any shape, real or complex.
        without: θ without batch j, shape (batches, ...).
        sizes: trajectories m_j in each batch, shape (batches,).
    """
    share = _column(sizes / sizes.sum(), without.ndim)
    change = whole - without
    value = whole + np.sum((1 - share) * change, axis=0)
    deviation = whole + (1 / share - 1) * change - value
    weight = share / (1 - share)

    def spread(part: NDArray[np.float64]) -> NDArray[np.float64]:
        squared: NDArray[np.float64] = np.mean(weight * part**2, axis=0)
        return np.sqrt(squared)

    error = spread(deviation.real)
    if np.iscomplexobj(deviation):
        error = error + 1j * spread(deviation.imag)
    return Estimate(value, whole, error, degrees_of_freedom(sizes))


def degrees_of_freedom(sizes: NDArray[np.int64]) -> float:
    r"""Degrees of freedom of a jackknife's error: g − 1 for equal batches, fewer for unequal ones.

    :math:`\sigma_J^2` of a mean is a quadratic form A in independent normal numbers; the χ² with the same mean and
    variance has :math:`(\mathrm{tr}A)^2/\mathrm{tr}A^2` degrees of freedom (Satterthwaite).
    """
    if (sizes == sizes[0]).all():
        return float(sizes.size - 1)
    share = sizes / sizes.sum()
    deviations = (np.eye(share.size) - share) / np.sqrt(sizes)
    form = deviations.T @ np.diag(share / (1 - share)) @ deviations
    return float(np.trace(form) ** 2 / np.sum(form**2))


def _column(values: NDArray[np.float64], dimensions: int) -> NDArray[np.float64]:
    return values.reshape(-1, *[1] * (dimensions - 1))


def jackknife(function: Callable[[NDArray[np.float64]], NDArray[Any]], means: ArrayLike, sizes: ArrayLike) -> Estimate:
    r"""A function of means, corrected for bias, with its standard error.

    .. math::
        \theta_J = \theta + \sum_j(1-m_j/n)(\theta-\theta_{(j)}),\qquad
        \sigma_J^2 = \frac1g\sum_j\frac{(\tilde\theta_j-\theta_J)^2}{h_j-1},\quad
        \tilde\theta_j = h_j\theta-(h_j-1)\theta_{(j)},\quad h_j = n/m_j

    Args:
        function: takes means of shape (..., channels) with any number of leading dimensions and returns an array with
            the same leading dimensions; real or complex, smooth on the scale of the means' errors.
        means: means over each batch, shape (batches, ..., channels).
        sizes: trajectories m_j in each batch, shape (batches,).

    Returns:
        The :class:`Estimate`.

    Raises:
        ValueError: for fewer than 8 batches, or sizes that are not positive.

    Source: F. M. T. A. Busing, E. Meijer and R. van der Leeden, Statistics and Computing 9, 3 (1999).

    >>> means = np.arange(8.0)[:, None]  # eight batches, one channel
    >>> square = jackknife(lambda x: x[..., 0] ** 2, means, np.ones(8))
    >>> float(square.value), float(square.uncorrected)  # 3.5², and without the variance of the mean, 0.75
    (11.5, 12.25)
    """
    batches = Batches(np.asarray(means, dtype=np.float64), np.asarray(sizes, dtype=np.int64))
    return batches.estimate(np.asarray(function(batches.whole)), np.asarray(function(batches.without)))


def jackknife_samples(
    count: int, batches: int, function: Callable[[NDArray[np.bool_]], Any], *, cautious: bool = False
) -> Estimate:
    """A function of samples that are not reduced to means, such as kept states: one group is left out at a time.

    Args:
        count: samples, >= 2.
        batches: groups, >= 2; as many as there are samples if these are fewer.
        function: of the samples held, a mask of shape (count,); real, may return an array.
        cautious: take the standard error from the scatter among the groups' own values where that is larger. For
            functions with kinks, to which leaving out one group is too small a change.

    Raises:
        ValueError, TypeError: for fewer than two samples or groups.

    >>> values = np.arange(8.0)
    >>> square = jackknife_samples(8, 8, lambda held: values[held].mean() ** 2)
    >>> float(square.value), float(square.uncorrected), square.degrees
    (11.5, 12.25, 7.0)
    """
    member = sample_groups(count, batches)
    groups = range(int(member.max()) + 1)
    whole = np.asarray(function(np.ones(count, dtype=bool)), dtype=np.float64)
    without = np.array([function(member != group) for group in groups], dtype=np.float64)
    found = leave_one_out(whole, without, np.bincount(member))
    if not cautious or found.error is None:
        return found
    alone = np.array([function(member == group) for group in groups], dtype=np.float64)
    return replace(found, error=np.maximum(found.error, alone.std(axis=0, ddof=1) / math.sqrt(len(groups))))


def sample_groups(count: int, batches: int) -> NDArray[np.int64]:
    """The group of each sample: its index modulo the number of groups."""
    groups = min(checks.integer("batches", batches, minimum=2), count)
    if count < 2:
        hint = "Solve with more trajectories."
        raise checks.refuse("dataset", "at least 2 trajectories with states", count, hint)
    member: NDArray[np.int64] = np.arange(count) % groups
    return member


@dataclass(frozen=True, eq=False)
class ChannelMeans:
    """The channel means of a result, with the batches that they come from if it was sampled.

    Attributes:
        whole: shape (..., channels), the channels of ``opendicke.observables.catalogue.CHANNELS``.
        batches: None for a method without sampling error.
        dims: names of the leading dimensions of ``whole`` (usually just ``time``).
        n_atoms: number of atoms N of the model.
    """

    whole: NDArray[np.float64]
    batches: Batches | None
    dims: tuple[Hashable, ...]
    n_atoms: int

    @classmethod
    def of(cls, dataset: xr.Dataset, channels: tuple[str, ...]) -> ChannelMeans:
        """The channel means in the result of ``opendicke.solve``.

        Args:
            dataset: what ``solve`` returned, or a selection of its times.
            channels: the channels that are needed; others may be missing, and are then NaN.

        Raises:
            TypeError, ValueError: for anything else, a mean-field result (it has no fluctuations), or one that lacks
                a channel.
        """
        n_atoms = checks.dataset_atoms(dataset)
        if str(dataset.attrs.get("moments", "")).startswith("factorised"):
            hint = "Use Cumulants, or the Gaussian fluctuations of opendicke.analysis.fluctuations."
            raise checks.refuse("dataset", "a method with fluctuations", dataset.attrs["method"], hint)
        if "batch_means" in dataset:
            means = dataset.batch_means.transpose("batch", ..., "channel").sel(channel=list(CHANNELS))
            sizes = _batch_sizes(dataset)
            batches = Batches(means.values[sizes > 0], sizes[sizes > 0])
            return cls(batches.whole, batches, means.dims[1:-1], n_atoms)
        whole, dims = _channels_from_variables(dataset, channels)
        return cls(whole, None, dims, n_atoms)

    def evaluate(self, function: Function) -> dict[str, Estimate]:
        """Every quantity that ``function`` returns, with its error bar where there is one."""
        found = function(self.whole)
        if self.batches is None:
            return {name: Estimate(value, value, None, np.inf) for name, value in found.items()}
        without = function(self.batches.without)
        return {name: self.batches.estimate(value, without[name]) for name, value in found.items()}


def _batch_sizes(dataset: xr.Dataset) -> NDArray[np.int64]:
    """Trajectories in each batch; points of a sweep are taken together if these are the same at all of them."""
    sizes: NDArray[np.int64] = dataset.batch_size.transpose(..., "batch").values.reshape(-1, dataset.sizes["batch"])
    if (sizes != sizes[0]).any():
        hint = "Choose one point of the sweep, e.g. result.isel(kappa=0)."
        raise checks.refuse("dataset", "as many trajectories at every point", sizes.sum(axis=1).tolist(), hint)
    one: NDArray[np.int64] = sizes[0]
    return one


def _channels_from_variables(
    dataset: xr.Dataset, channels: tuple[str, ...]
) -> tuple[NDArray[np.float64], tuple[Hashable, ...]]:
    """Channels of a result without batches, from its variables: the inverse of what the catalogue does."""
    found: dict[str, xr.DataArray] = {}
    for name, variable in VARIABLES.items():
        if name in dataset:
            found[variable.real[0]] = dataset[name].real / variable.real[1]
            if variable.imag is not None:
                found[variable.imag[0]] = dataset[name].imag / variable.imag[1]
    lacking = [channel for channel in channels if channel not in found]
    if lacking:
        wanted = [name for name, about in VARIABLES.items() if about.real[0] in lacking]
        hint = f"Call solve without observables, or add {', '.join(wanted)} to them."
        raise checks.refuse("dataset", f"the variables that hold {', '.join(lacking)}", list(dataset.data_vars), hint)
    first = found[channels[0]]
    nothing = xr.full_like(first, np.nan)
    stacked = np.stack([found.get(channel, nothing).transpose(*first.dims).values for channel in CHANNELS], axis=-1)
    return stacked.astype(np.float64), first.dims


def interval(dataset: xr.Dataset, name: str, level: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
    r"""The confidence interval of a variable, from its standard error and Student's t.

    .. math:: \theta \pm t_{(1+p)/2,\,\nu}\,\sigma

    with ν the degrees of freedom of the standard error σ: of a mean over n trajectories n − 1, of a jackknife over g
    groups g − 1.

    Args:
        dataset: a sampled answer of :func:`opendicke.solve`, :func:`opendicke.sweep` or :func:`opendicke.compare`, or
            what a function of :mod:`opendicke.analysis` made of it.
        name: a variable with an error bar, such as ``"Sz"``, ``"xi2"``, ``"negativity"``, ``"purity"``, ``"Q"``.
        level: probability p with which the interval covers the truth, between 0 and 1.

    Returns:
        Lower and upper end. For a complex variable the real and imaginary parts have an interval each.

    Raises:
        TypeError, ValueError: if there is no error bar for ``name``, or for a level that is no probability.

    >>> import opendicke as od
    >>> model = od.DickeModel(n_atoms=10, omega_a=1, omega_c=1, kappa=1, g_minus=1.8, g_plus=0.782)
    >>> answer = od.solve(model, od.Normal(), [1.0], od.NuHOPS(trajectories=16))
    >>> low, high = interval(answer, "Sz")
    >>> ((high - low) / answer.Sz_sem / 2).values.round(3)  # Student's t of 15 degrees of freedom
    array([2.131])
    """
    from scipy.special import stdtrit

    if not isinstance(dataset, xr.Dataset):
        raise checks.refuse("dataset", "an xarray Dataset with error bars", type(dataset), error=TypeError)
    if not isinstance(name, str) or name not in dataset or f"{name}_sem" not in dataset:
        known = ", ".join(str(other)[:-4] for other in dataset if str(other).endswith("_sem"))
        hint = f"This dataset has error bars of {known}." if known else "This dataset has no error bars."
        raise checks.refuse("name", "a variable with an error bar", name, hint)
    degrees = _degrees(dataset, name)
    if degrees is None:
        hint = "They follow from attrs and trajectories: keep both."
        raise checks.refuse("name", "a variable with an error bar of known degrees of freedom", name, hint)
    if not 0 < checks.real("level", level) < 1:
        raise checks.refuse("level", "a number between 0 and 1", level)
    reach = stdtrit(degrees, (1 + level) / 2) * dataset[f"{name}_sem"]
    return dataset[name] - reach, dataset[name] + reach


def _degrees(dataset: xr.Dataset, name: str) -> float | xr.DataArray | None:
    """Degrees of freedom of the error bar of ``name``, at every point of a sweep; None if nothing tells them."""
    found = dataset[f"{name}_sem"].attrs.get("degrees_of_freedom", dataset.attrs.get("degrees_of_freedom"))
    if found is None and (
        name in VARIABLES or name in dataset.get("word", ())
    ):  # the error of solve's means comes from single trajectories
        if "trajectories" in dataset:
            count = dataset["trajectories"]
            return (count - 1.0).where(count != 0, np.inf)  # 0 where nothing is sampled
        found = dataset.attrs.get("trajectories", np.nan) - 1
    return None if found is None or np.isnan(found) else float(found)


@dataclass(frozen=True)
class Quantity:
    """What is said of a quantity in a Dataset: its definition, unit, and dimensions beyond those of the means."""

    definition: str
    units: str = "1"
    dims: tuple[str, ...] = ()
    corrected: bool = True


def labelled(
    dataset: xr.Dataset,
    means: ChannelMeans,
    estimates: Mapping[str, Estimate],
    about: Mapping[str, Quantity],
    defined: Mapping[str, NDArray[np.bool_]],
) -> xr.Dataset:
    """A Dataset of estimates over the dimensions and with the provenance of ``dataset``.

    Args:
        dataset: what the means come from.
        means: its channel means.
        estimates: the quantities.
        about: what to say of each; one that is not ``corrected`` keeps its plain value.
        defined: for some of them, where they are defined; NaN elsewhere.
    """
    data: dict[str, tuple[tuple[Hashable, ...], NDArray[Any], dict[str, str]]] = {}

    def put(name: str, of: str, values: NDArray[Any], definition: str) -> None:
        if of in defined:
            mask = defined[of].reshape(defined[of].shape + (1,) * len(about[of].dims))
            values = np.where(mask, values, np.nan)
        data[name] = ((*means.dims, *about[of].dims), values, {"definition": definition, "units": about[of].units})

    for name, estimate in estimates.items():
        words = about[name].definition
        if estimate.error is None:
            put(name, name, estimate.value, words)
            continue
        parts = " (real part: of Re; imaginary part: of Im)" * np.iscomplexobj(estimate.error)
        put(f"{name}_sem", name, estimate.error, f"jackknife standard error{parts} of {name}")
        if about[name].corrected:
            put(name, name, estimate.value, words)
            put(f"{name}_uncorrected", name, estimate.uncorrected, f"{words}; not corrected for the bias of sampling")
        else:
            put(name, name, estimate.uncorrected, words)
    coords = {name: values for name, values in dataset.coords.items() if set(values.dims) <= set(means.dims)}
    if means.batches is None:
        return xr.Dataset(data, coords, dataset.attrs)
    return xr.Dataset(data, coords, dataset.attrs | {"degrees_of_freedom": means.batches.degrees})
