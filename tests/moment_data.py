"""Datasets with given moments, and independent ensembles with known exact answers, for the tests of error bars."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

import opendicke as od
from opendicke.analysis import interval
from opendicke.observables.catalogue import CHANNELS, VARIABLES, from_channels

#: Independent ensembles of each case, and trajectories in each (batches of 3 and of 4).
ENSEMBLES, TRAJECTORIES = 200, 120
TIMES = (0.5, 1.0)
CASES = {
    "balanced": (
        od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.1287, g_plus=1.1287),
        od.SpinCoherent(np.pi / 4, np.pi),
    ),
    "unbalanced": (
        od.DickeModel(n_atoms=6, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.8, g_plus=0.782),
        od.Normal(),
    ),
}

#: One of them every day, the other with the slow tests: an ensemble takes half a minute.
COVERED = ["unbalanced", pytest.param("balanced", marks=pytest.mark.slow)]


def spin_channels(mean: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Channels (..., channels) with <S> = ``mean`` (..., 3) and symmetrised moments ``second`` (..., 3, 3); vacuum."""
    channels = np.zeros((*mean.shape[:-1], len(CHANNELS)))
    for i, axis in enumerate("xyz"):
        channels[..., CHANNELS.index(f"S{axis}")] = mean[..., i]
    for pair in ("xx", "yy", "zz", "xy", "yz", "zx"):
        channels[..., CHANNELS.index(f"S{pair}")] = second[..., "xyz".index(pair[0]), "xyz".index(pair[1])]
    return channels


def normal_dataset(
    rng: np.random.Generator, trajectories: int, repeats: int, n_atoms: int, variances: tuple[float, float]
) -> xr.Dataset:
    """Independent experiments (one a "time") on a spin along −z with normally distributed S^x and S^y.

    ``variances`` are those of S^x and S^y, in units of N/4, so that the smaller one is ξ² and ξ_S² up to 1/N.
    """
    spread = np.sqrt(np.array([*variances, 0.0]) * n_atoms / 4)
    points = rng.standard_normal((trajectories, repeats, 3)) * spread - np.array([0.0, 0.0, n_atoms / 2])
    channels = spin_channels(points, points[..., :, None] * points[..., None, :])
    means = channels.reshape(trajectories // 32, 32, repeats, -1).mean(axis=0)
    return sampled_dataset_of(means, np.full(32, trajectories // 32), n_atoms)


def dataset_of(channels: NDArray[np.float64], n_atoms: int) -> xr.Dataset:
    """What a method without sampling error would return for these channels, shape (times, channels)."""
    model = json.dumps({"n_atoms": n_atoms})
    values = from_channels(tuple(VARIABLES), channels)
    return xr.Dataset({name: ("time", value) for name, value in values.items()}, attrs={"model": model})


def sampled_dataset_of(means: NDArray[np.float64], sizes: NDArray[np.int64], n_atoms: int) -> xr.Dataset:
    """What a sampled method would return for batches with these means, shape (batches, times, channels)."""
    data = {"batch_means": (("batch", "time", "channel"), means), "batch_size": ("batch", sizes)}
    return xr.Dataset(data, {"channel": list(CHANNELS)}, {"model": json.dumps({"n_atoms": n_atoms})})


@functools.cache
def exact(case: str) -> xr.Dataset:
    """The master equation's answer."""
    return od.solve(*CASES[case], TIMES, od.Lindblad(), progress=False)


@functools.cache
def ensembles(case: str) -> xr.Dataset:
    """Independent nuHOPS ensembles of the same problem, one after the other along the dimension "time"."""
    runs = [
        od.solve(*CASES[case], TIMES, od.NuHOPS(trajectories=TRAJECTORIES, seed=seed), ["Sz"], progress=False)
        for seed in range(ENSEMBLES)
    ]
    means = np.concatenate([run.batch_means.values for run in runs], axis=1)
    return sampled_dataset_of(means, runs[0].batch_size.values, CASES[case][0].n_atoms)


def coverage(result: xr.Dataset, truth: xr.Dataset, name: str, level: float = 0.95) -> float:
    """How often the interval of ``name`` holds the truth: over ensembles, times, and real and imaginary parts."""
    low, high = (end.values for end in interval(result, name, level))
    value = truth[name].values
    hits = [(low.real <= value.real) & (value.real <= high.real)]
    if np.iscomplexobj(value):
        hits.append((low.imag <= value.imag) & (value.imag <= high.imag))
    return float(np.mean(hits))


@functools.cache
def analyses(function: Callable[[xr.Dataset], xr.Dataset], case: str) -> tuple[xr.Dataset, xr.Dataset]:
    """``function`` of all ensembles of a case, and of its exact answer as often."""
    return function(ensembles(case)), function(exact(case)).isel(time=np.tile(np.arange(len(TIMES)), ENSEMBLES))
