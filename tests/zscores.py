"""Sampled means against exact numbers, in standard errors, with false-alarm rates that know of correlations."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import opendicke as od
from opendicke.methods.hierarchy import NuHOPSSimulator
from opendicke.observables.catalogue import CHANNELS, VARIABLES
from opendicke.problem import Problem

#: Probability with which a correct method fails one comparison, on each of the two counts of ``Comparison.chances``.
FALSE_ALARM = 1e-4
#: Standard errors below this (relative to the channel's size) say that a channel does not fluctuate: |S|² at N = 1.
STILL = 1e-6
#: Largest error, relative to the size, of a channel that does not fluctuate.
STILL_ERROR = 1e-5
#: So many times the trajectories are run: ten in `make test-slow`.
STATISTICS = int(os.environ.get("OPENDICKE_TEST_STATISTICS", "1"))
#: Combinations of channels with a smaller share of the variance are left out: there the method's own error would show.
SMALLEST_SHARE = 1e-3


def channels_of(variables: Any) -> NDArray[np.float64]:
    """Channels (times, channels) from a Dataset with all variables: the inverse of what the catalogue does.

    Every channel is the real or imaginary part of a variable (times a factor), so they hold no less than the variables.
    """
    found = {}
    for name, variable in VARIABLES.items():
        values = variables[name].values
        found[variable.real[0]] = values.real / variable.real[1]
        if variable.imag is not None:
            found[variable.imag[0]] = values.imag / variable.imag[1]
    return np.array([found[channel] for channel in CHANNELS]).T


def sampled(
    model: od.DickeModel, state: od.SpinCoherent, times: NDArray[np.float64], method: od.NuHOPS
) -> NDArray[np.float64]:
    """Channels of every trajectory, shape (trajectories, times, channels); the more in the long run."""
    simulate = NuHOPSSimulator(Problem(model, state, times), method)
    return np.array(list(od.Threads().map(partial(_channels, simulate), range(STATISTICS * method.trajectories))))


def _channels(simulate: NuHOPSSimulator, index: int) -> NDArray[np.float64]:
    return simulate(index).averaged["channels"]


@dataclass
class Comparison:
    """How far sampled means are from exact numbers.

    Attributes:
        z: deviations in standard errors of all numbers that fluctuate: standard normal, and strongly correlated among
            variables and times (60 to 84 numbers hold about as much independent noise as 5 would).
        independent: the same deviations along the eigenvectors of the correlation matrix that the samples show, in
            standard errors: standard normal and independent.
        trajectories: how many.
        still: largest relative error of the numbers that do not fluctuate.
    """

    z: NDArray[np.float64]
    independent: NDArray[np.float64]
    trajectories: int
    still: float

    @property
    def rms(self) -> float:
        """Root mean square of the independent deviations: 1 up to fluctuations."""
        return float(np.sqrt(np.mean(self.independent**2)))

    @property
    def chances(self) -> tuple[float, float]:
        """Probability, in a correct method, of an rms as far from 1 (Hotelling's T²), and of so large a worst |z|.

        The second one is an upper bound (as if all numbers were independent).
        """
        n, m = self.independent.size, self.trajectories
        statistic = (m - n) / (n * (m - 1)) * float((self.independent**2).sum())
        larger = float(stats.f.sf(statistic, n, m - n))
        return 2 * min(larger, 1 - larger), float(2 * self.z.size * stats.norm.sf(np.abs(self.z).max()))

    @property
    def agrees(self) -> bool:
        """Whether all is as expected of a correct method, which fails with a probability of 2 FALSE_ALARM."""
        return min(self.chances) > FALSE_ALARM and self.still < STILL_ERROR


def compare(samples: NDArray[np.float64], exact: NDArray[np.float64]) -> Comparison:
    """Compare means over the first axis of ``samples`` with ``exact``, number by number."""
    count = samples.shape[0]
    values, target = samples.reshape(count, -1), exact.ravel()
    scale = np.abs(values).max(axis=0) + 1e-2
    mean, sem = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(count)
    moving = sem > STILL * scale
    z = (mean - target)[moving] / sem[moving]
    share, directions = np.linalg.eigh(np.corrcoef(values[:, moving], rowvar=False))
    kept = share > SMALLEST_SHARE
    still = np.abs(mean - target)[~moving] / scale[~moving]
    independent = (directions.T @ z)[kept] / np.sqrt(share[kept])
    return Comparison(z, independent, count, float(still.max(initial=0.0)))
