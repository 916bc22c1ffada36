"""When a mean first reaches a level, with its standard error: the delay of what starts from quantum noise."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke.analysis import jackknife
from opendicke.observables.catalogue import CHANNELS


def first_time(times: NDArray[np.float64], values: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """When ``values``, along their last axis, first reach ``level`` from below; NaN if never.

    Args:
        times: shape (times,).
        values: shape (..., times), below ``level`` at the start; straight lines between the times.
        level: what is reached.

    >>> first_time(np.arange(4.0), np.array([[0.0, 1.0, 3.0, 1.0], [0.0, 0.0, 1.0, 1.0]]), 2.0)
    array([1.5, nan])
    """
    above = values >= level
    after = np.maximum(np.argmax(above, axis=-1), 1)[..., None]
    low, high = (np.take_along_axis(values, at, axis=-1)[..., 0] for at in (after - 1, after))
    start, end = times[after - 1][..., 0], times[after][..., 0]
    reached = above.any(axis=-1)
    part = (level - low) / np.where(reached, high - low, 1.0)
    return np.where(reached, start + part * (end - start), np.nan)


def crossing(answer: xr.Dataset, channel: str, level: float, sign: float = 1.0) -> tuple[float, float]:
    """When the mean of ``sign`` times ``channel`` first reaches ``level``, and its jackknife standard error.

    Args:
        answer: of :func:`opendicke.solve`, sampled.
        channel: such as "Sz" or "n_photon".
        level: what is reached.
        sign: −1 for what falls.
    """
    held = answer.batch_size.values > 0
    means = answer.batch_means.isel(channel=CHANNELS.index(channel)).transpose("batch", "time").values[held]
    found = jackknife(lambda mean: first_time(answer.time.values, sign * mean, level), means, answer.batch_size[held])
    return float(found.value), float(np.asarray(found.error, dtype=float))
