r"""Which metastable state a trajectory is in, told block by block, whatever method made it.

The moving average of :math:`m = \langle S\rangle/N` over a window is compared with the mean-field fixed points. A
trajectory enters state i when the average comes closer to it than ``enter`` times the distance between the fixed point
and the nearest saddle, and leaves it when the average is farther than ``leave`` times that distance; in between the
label stays. Outside all states it is in transit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.tunnelling.landscape import Landscape

#: Labels, and what they index in every array of this package.
NORMAL, PLUS, MINUS, TRANSIT = 0, 1, 2, -1
#: Their names, in this order.
STATES = ("n", "s+", "s-")


@dataclass(frozen=True, eq=False)
class Regions:
    """Where the three states begin and end.

    Attributes:
        centres: fixed points m of n, s+, s−: shape (3, 3).
        enter, leave: radii in units of |m|: shape (3,).
        window: length of the moving average, in time.
    """

    centres: NDArray[np.float64]
    enter: NDArray[np.float64]
    leave: NDArray[np.float64]
    window: float

    @classmethod
    def of(
        cls, landscape: Landscape, *, enter: float = 0.5, leave: float = 1.0, window: float | None = None
    ) -> Regions:
        """The regions of a bistable model.

        Args:
            landscape: attractors and saddle.
            enter, leave: thresholds as fractions of the distance to the nearest saddle, 0 < enter <= leave. Large ones
                (10, 10) make the label that of the nearest fixed point, without hysteresis.
            window: length of the moving average, >= 0; None for one period of the slowest-damped oscillation around
                the superradiant state.

        Raises:
            ValueError: for thresholds out of order.
        """
        checks.instance("landscape", landscape, Landscape, "a Landscape, from Landscape.of(model)")
        enter = checks.real("enter", enter, above=0.0)
        leave = checks.real("leave", leave, minimum=enter)
        centres = np.array([landscape.normal.m, landscape.superradiant.m, landscape.superradiant.mirror().m])
        saddles = np.array([landscape.saddle.m, landscape.saddle.mirror().m])
        reach = np.linalg.norm(centres[:, None] - saddles, axis=2).min(axis=1)
        if window is None:
            turning = np.abs(landscape.superradiant.eigenvalues.imag)
            window = 2 * np.pi / float(turning.max()) if turning.max() > 0 else 0.0
        return cls(centres, enter * reach, leave * reach, checks.real("window", window, minimum=0.0))


@dataclass
class Classifier:
    """Labels the samples of one trajectory as they come.

    Args:
        regions: the states' regions.
        spacing: time between two samples.
    """

    regions: Regions
    spacing: float
    _label: int = TRANSIT
    _tail: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))

    def feed(self, spins: NDArray[np.float64]) -> NDArray[np.int8]:
        """Labels of the next samples.

        Args:
            spins: m = S/N at the next times, shape (samples, 3).

        Returns:
            NORMAL, PLUS, MINUS or TRANSIT at each, from the average over the window that ends there (shorter at the
            start of the trajectory): shape (samples,).
        """
        width = max(1, round(min(self.regions.window / self.spacing, 2.0**62)))
        known = np.concatenate([self._tail, spins])
        sums = np.concatenate([np.zeros((1, 3)), np.cumsum(known, axis=0)])
        ends = np.arange(len(self._tail), len(known)) + 1
        starts = np.maximum(ends - width, 0)
        averages = (sums[ends] - sums[starts]) / (ends - starts)[:, None]
        self._tail = known[max(0, len(known) - width + 1) :] if width > 1 else known[:0]
        distance = np.linalg.norm(averages[:, None] - self.regions.centres, axis=2)
        inside, outside = distance < self.regions.enter, distance > self.regions.leave
        labels = np.empty(len(spins), dtype=np.int8)
        for i in range(len(spins)):
            if self._label != TRANSIT and outside[i, self._label]:
                self._label = TRANSIT
            if inside[i].any():
                self._label = int(np.argmin(distance[i]))
            labels[i] = self._label
        return labels


def linear_populations(spins: NDArray[np.float64], landscape: Landscape) -> NDArray[np.float64]:
    r"""Populations (n, s+, s−) read off the mean spin, without labels.

    .. math::
        p_n = \frac{m_z - m_z^s}{-1/2 - m_z^s}, \qquad p_{s+} - p_{s-} = \frac{m_\perp\cdot m_\perp^s}{|m_\perp^s|^2},
        \qquad p_{s+} + p_{s-} = 1 - p_n

    Averaged over trajectories they are linear in the density matrix, so they relax with the modes of the Liouvillian
    and no others, even where N is too small for states to be told apart; a label is not linear in ψ. For one
    trajectory they need not lie between 0 and 1.

    Args:
        spins: m = <S>/N, shape (..., 3).
        landscape: attractors.

    Returns:
        shape (..., 3).

    >>> from opendicke.analysis.tunnelling import BISTABLE_CUT
    >>> landscape = Landscape.of(BISTABLE_CUT.model(0.7, n_atoms=10))
    >>> linear_populations(landscape.superradiant.mirror().m, landscape).round(9) + 0.0
    array([0., 0., 1.])
    """
    checks.instance("landscape", landscape, Landscape, "a Landscape, from Landscape.of(model)")
    m = _vectors(spins)
    target = landscape.superradiant.m
    normal = (m[..., 2] - target[2]) / (-0.5 - target[2])
    apart = m[..., :2] @ target[:2] / (target[:2] @ target[:2])
    return np.stack([normal, (1 - normal + apart) / 2, (1 - normal - apart) / 2], axis=-1)


def last_visited(labels: NDArray[np.int8]) -> NDArray[np.int8]:
    """Labels with those in transit replaced by the state before (TRANSIT where there was none): same shape.

    >>> last_visited(np.array([[0, -1, 1]], dtype=np.int8))
    array([[0, 0, 1]], dtype=int8)
    """
    at = np.where(labels != TRANSIT, np.arange(labels.shape[-1]), 0)
    visited: NDArray[np.int8] = np.take_along_axis(labels, np.maximum.accumulate(at, axis=-1), axis=-1)
    return visited


@dataclass
class Passages:
    """What the labels of one trajectory, or of many added up, say about passages.

    Time in transit counts for the state that was visited last, and a passage is counted when another state is entered.

    Attributes:
        counts: passages from i to j, shape (3, 3).
        residence: time that belongs to each state, shape (3,).
        dwells: complete dwell times in each state (entered and left under observation).
    """

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, 3), dtype=np.int64))
    residence: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    dwells: tuple[list[float], list[float], list[float]] = field(default_factory=lambda: ([], [], []))

    def add(self, other: Passages) -> None:
        """Add another trajectory's."""
        self.counts += other.counts
        self.residence += other.residence
        for mine, theirs in zip(self.dwells, other.dwells, strict=True):
            mine.extend(theirs)


@dataclass
class PassageCounter:
    """Turns labels that come block by block into passages.

    Args:
        spacing: time between two labels.
        skip: time at the start of the trajectory that is not counted.
        passages: what was counted before, and is added to; by default nothing.
    """

    spacing: float
    skip: float = 0.0
    passages: Passages = field(default_factory=Passages)
    _state: int = TRANSIT
    _time: float = 0.0
    _entered: float | None = None

    def feed(self, labels: NDArray[np.int8]) -> None:
        """Take the next labels in."""
        for label in labels:
            self._time += self.spacing
            counting = self._time > self.skip
            if label not in (TRANSIT, self._state):
                if counting and self._state != TRANSIT:
                    self.passages.counts[self._state, label] += 1
                    if self._entered is not None:
                        self.passages.dwells[self._state].append(self._time - self._entered)
                self._entered = self._time if counting and self._state != TRANSIT else None
                self._state = int(label)
            if counting and self._state != TRANSIT:
                self.passages.residence[self._state] += self.spacing


def classify(
    spins: NDArray[np.float64], spacing: float, regions: Regions, *, skip: float = 0.0
) -> tuple[NDArray[np.int8], Passages]:
    """Labels and passages of whole trajectories on an even time grid.

    Args:
        spins: m = S/N, shape (..., times, 3): <S>/N of quantum trajectories, or S/N of phase-space samples.
        spacing: time between two samples.
        regions: the states' regions.
        skip: time at the start that is not counted.

    Returns:
        labels, shape (..., times), and the passages of all trajectories together.
    """
    m = _vectors(spins)
    if m.ndim < 2:
        raise checks.refuse("spins", "an array of shape (..., times, 3)", f"an array of shape {m.shape}")
    spacing, skip = checks.real("spacing", spacing, above=0.0), checks.real("skip", skip, minimum=0.0)
    checks.instance("regions", regions, Regions, "the Regions of a model, from Regions.of(landscape)")
    flat = m.reshape(-1, *m.shape[-2:])
    labels = np.empty(flat.shape[:2], dtype=np.int8)
    total = Passages()
    for row, one in enumerate(flat):
        labels[row] = Classifier(regions, spacing).feed(one)
        counter = PassageCounter(spacing, skip)
        counter.feed(labels[row])
        total.add(counter.passages)
    return labels.reshape(m.shape[:-1]), total


def _vectors(spins: object) -> NDArray[np.float64]:
    """Mean spins, three numbers each."""
    m = checks.real_array("spins", spins, None)
    if m.ndim == 0 or m.shape[-1] != 3:
        raise checks.refuse("spins", "an array of shape (..., 3)", f"an array of shape {m.shape}")
    return m


def check_labels(labels: object) -> NDArray[np.int8]:
    """Labels of trajectories, checked: shape (..., times)."""
    expected = f"a non-empty integer array of labels {TRANSIT} (in transit) to {MINUS}"
    found = checks.number_array("labels", labels, "iu", expected)
    if found.ndim == 0 or found.min() < TRANSIT or found.max() > MINUS:
        raise checks.refuse("labels", expected, labels)
    return found.astype(np.int8)
