"""Running means and variances that can be merged, without cancellation and without keeping the samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class Moments:
    r"""Count, mean and sum of squared deviations of samples of one shape.

    Updates are Welford's, merges those of Chan, Golub and LeVeque (1979):

    .. math:: \delta = \bar x_b - \bar x_a, \quad \bar x = \bar x_a + \delta\,\frac{n_b}{n}, \quad
              M = M_a + M_b + \delta^2\,\frac{n_a n_b}{n}

    >>> moments = Moments.of(np.array([1.0]))
    >>> moments.add(np.array([3.0]))
    >>> moments.mean, moments.sem
    (array([2.]), array([1.]))
    """

    count: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def of(cls, sample: NDArray[np.float64]) -> Moments:
        """The moments of one sample."""
        return cls(1, sample.astype(np.float64), np.zeros_like(sample, dtype=np.float64))

    def add(self, sample: NDArray[np.float64]) -> None:
        """Take one more sample in."""
        self.count += 1
        delta = sample - self.mean
        self.mean += delta / self.count
        self.squares += delta * (sample - self.mean)

    def merge(self, other: Moments) -> None:
        """Take all samples of ``other`` in."""
        count = self.count + other.count
        delta = other.mean - self.mean
        self.mean += delta * (other.count / count)
        self.squares += other.squares + delta**2 * (self.count * other.count / count)
        self.count = count

    @property
    def sem(self) -> NDArray[np.float64]:
        """Standard error of the mean; NaN while there is only one sample."""
        if self.count < 2:
            return np.full_like(self.mean, np.nan)
        error: NDArray[np.float64] = np.sqrt(self.squares / (self.count - 1) / self.count)
        return error
