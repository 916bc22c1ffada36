"""Many trajectories: run in blocks of fixed, index-ordered trajectories, reduced in order.

The block is the unit of work. Within a block samples are added in order, and blocks are merged in order, so the
answer does not depend on who ran what, or when.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from opendicke.ensemble.moments import Moments
from opendicke.problem import Executor, Progress

#: Trajectories in a block. Part of the numbers' definition: changing it changes results in the last digits.
BLOCK = 16


class TrajectoryError(RuntimeError):
    """One trajectory could not be finished; the message says which, where and why."""


@dataclass
class Sample:
    """What one trajectory leaves behind.

    ``averaged`` arrays are reduced to mean and variance over trajectories; ``kept`` arrays are stacked;
    ``peaks`` are reduced to their maximum and ``sums`` added up.
    """

    averaged: dict[str, NDArray[np.float64]]
    kept: dict[str, NDArray[Any]] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)


class Simulator(Protocol):
    """Runs one trajectory, given its index; raises TrajectoryError if it cannot."""

    def __call__(self, index: int) -> Sample:
        """The sample of trajectory ``index``."""
        ...


@dataclass
class Ensemble:
    """Samples reduced over trajectories, and the trajectories that failed (index, message)."""

    moments: dict[str, Moments] = field(default_factory=dict)
    kept: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    indices: list[int] = field(default_factory=list)
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, index: int, sample: Sample) -> None:
        """Take one sample in."""
        for name, values in sample.averaged.items():
            if name in self.moments:
                self.moments[name].add(values)
            else:
                self.moments[name] = Moments.of(values)
        for name, kept in sample.kept.items():
            self.kept.setdefault(name, []).append(kept)
        self.indices.append(index)
        self._tally(sample.peaks, sample.sums)

    def merge(self, other: Ensemble) -> None:
        """Take a later block in."""
        for name, moments in other.moments.items():
            if name in self.moments:
                self.moments[name].merge(moments)
            else:
                self.moments[name] = moments
        for name, kept in other.kept.items():
            self.kept.setdefault(name, []).extend(kept)
        self.indices.extend(other.indices)
        self.failures.extend(other.failures)
        self._tally(other.peaks, other.sums)

    def _tally(self, peaks: dict[str, float], sums: dict[str, float]) -> None:
        for name, value in peaks.items():
            self.peaks[name] = max(self.peaks.get(name, value), value)
        for name, value in sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + value


@dataclass(frozen=True)
class BlockRunner:
    """Runs one block with a simulator; an object and not a closure, so that it can be sent to other processes."""

    simulate: Simulator

    def __call__(self, block: range) -> Ensemble:
        """The reduced block; a trajectory that fails is noted and the others go on."""
        result = Ensemble()
        for index in block:
            try:
                sample = self.simulate(index)
            except TrajectoryError as failure:
                result.failures.append((index, str(failure)))
            else:
                result.add(index, sample)
        return result


def blocks(trajectories: int) -> Iterator[range]:
    """Indices 0 … trajectories − 1 in blocks.

    >>> [len(block) for block in blocks(40)]
    [16, 16, 8]
    """
    for first in range(0, trajectories, BLOCK):
        yield range(first, min(first + BLOCK, trajectories))


def run_ensemble(simulate: Simulator, trajectories: int, executor: Executor, progress: Progress) -> Ensemble:
    """Run trajectories 0 … ``trajectories`` − 1 and reduce them.

    Args:
        simulate: runs one of them.
        trajectories: how many.
        executor: who runs the blocks.
        progress: told of every finished block.

    Returns:
        The reduced ensemble.
    """
    progress.start(trajectories, "trajectory", "trajectories")
    whole = Ensemble()
    for block in executor.map(BlockRunner(simulate), blocks(trajectories)):
        whole.merge(block)
        notes = {name: f"{value:g}" for name, value in whole.peaks.items()}
        progress.advance(len(block.indices) + len(block.failures), **notes)
    return whole
