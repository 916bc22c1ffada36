"""Many trajectories: run in blocks of consecutive indices, reduced one by one in the order of their indices.

Every trajectory belongs to the batch ``index % BATCHES`` and is added to it in order, so the answer does not depend on
who ran what, when, or in blocks of which size. The batches' means also give error bars of everything that is not
linear in the means (jackknife).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import announcing
from opendicke.ensemble.executors import abandoned, closing
from opendicke.ensemble.moments import Moments
from opendicke.problem import Executor, Progress
from opendicke.progress import announce

#: Most trajectories in a block, the unit of work.
BLOCK = 16
#: No block is more than one part in so many of what is left: towards the end blocks shrink, and all workers finish at
#: about the same time although trajectories differ in length.
SHARES = 8
#: Batches over which trajectories are dealt out. Part of the numbers' definition.
BATCHES = 32
#: Seconds between two looks at the standard errors for the progress meter; they cost about a millisecond each.
LOOK_EVERY = 0.5
#: What is said while there is no trajectory yet.
COMPILING = "opendicke: compiling for this processor, once; it takes some ten seconds"


class TrajectoryError(RuntimeError):
    """One trajectory could not be finished; the message says which, where and why."""


class Abandoned(RuntimeError):
    """Work was given up because its caller has ended; the caller never sees this."""


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

    batches: dict[str, list[Moments | None]] = field(default_factory=dict)
    kept: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    indices: list[int] = field(default_factory=list)
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, index: int, sample: Sample) -> None:
        """Take one trajectory in; call in the order of the indices."""
        for name, values in sample.averaged.items():
            batches = self.batches.setdefault(name, [None] * BATCHES)
            batch = batches[index % BATCHES]
            if batch is None:
                batches[index % BATCHES] = Moments.of(values)
            else:
                batch.add(values)
        for name, kept in sample.kept.items():
            self.kept.setdefault(name, []).append(kept)
        self.indices.append(index)
        for name, value in sample.peaks.items():
            self.peaks[name] = max(self.peaks.get(name, value), value)
        for name, value in sample.sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    @property
    def size(self) -> int:
        """Trajectories taken in, failed ones included."""
        return len(self.indices) + len(self.failures)

    def spread(self) -> str:
        """Standard errors of all means over the means (lengths of the vectors), in percent: a look while it runs."""
        if len(self.indices) < 2:
            return "?"
        errors, means = 0.0, 0.0
        for name in self.batches.keys() - {"plain"}:  # which a control has been taken off
            moments = self.moments(name)
            errors, means = errors + float((moments.sem**2).sum()), means + float((moments.mean**2).sum())
        return f"{100 * (errors / means) ** 0.5:.2g}%" if means > 0 else "?"

    def filled(self, name: str) -> list[Moments]:
        """The batches of one averaged quantity that hold any trajectory."""
        return [batch for batch in self.batches[name] if batch is not None]

    def moments(self, name: str) -> Moments:
        """All batches of one averaged quantity together."""
        first, *others = self.filled(name)
        whole = Moments(first.count, first.mean.copy(), first.squares.copy())
        for batch in others:
            whole.merge(batch)
        return whole


#: What became of one trajectory: its index, and its sample or why it failed.
Outcome = tuple[int, Sample | str]


@dataclass(frozen=True)
class BlockRunner:
    """Runs one block with a simulator; an object and not a closure, so that it can be sent to other processes."""

    simulate: Simulator

    def __call__(self, block: range) -> list[Outcome]:
        """The block's outcomes; a trajectory that fails is noted and the others go on."""
        outcomes: list[Outcome] = []
        for index in block:
            if abandoned():
                raise Abandoned(f"nobody waits for trajectory {index} any more")
            try:
                outcomes.append((index, self.simulate(index)))
            except TrajectoryError as failure:
                outcomes.append((index, str(failure)))
        return outcomes

    def prepare(self) -> None:
        """Compile what the simulator needs, if it knows how."""
        getattr(self.simulate, "prepare", lambda: None)()


def blocks(trajectories: int, first: int = 0) -> Iterator[range]:
    """Indices ``first`` … ``trajectories`` − 1 in blocks.

    >>> [len(block) for block in blocks(160)]
    [16, 16, 16, 14, 12, 10, 9, 8, 7, 6, 5, 5, 4, 4, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    """
    while first < trajectories:
        size = max(1, min(BLOCK, (trajectories - first) // SHARES))
        yield range(first, first + size)
        first += size


class Pilot(Protocol):
    """Decides by the first trajectories how the others are run, and what of each one is averaged."""

    @property
    def size(self) -> int:
        """How many are the first."""
        ...

    def __call__(self, outcomes: list[Outcome]) -> tuple[Simulator, Callable[[int, Sample], Sample]]:
        """The simulator of the others, and what turns any sample, given its index, into the one that is reduced."""
        ...


class StopRule(Protocol):
    """Decides when an ensemble is large enough."""

    def __call__(self, ensemble: Ensemble) -> bool:
        """Whether no more trajectories are needed."""
        ...

    def note(self, ensemble: Ensemble) -> str:
        """How far it is from the target, in a few characters."""
        ...


def run_ensemble(
    simulate: Simulator,
    trajectories: int,
    executor: Executor,
    progress: Progress,
    enough: StopRule | None = None,
    pilot: Pilot | None = None,
) -> Ensemble:
    """Run trajectories 0 … ``trajectories`` − 1 and reduce them, in order.

    Args:
        simulate: runs one of them.
        trajectories: how many, at most.
        executor: who runs the blocks. One that stops early (a timeout) leaves a shorter ensemble.
        progress: told of every finished block.
        enough: asked after every BATCHES trajectories whether to stop.
        pilot: asked about the first ones, if there is one, before any is reduced.

    Returns:
        The reduced ensemble.
    """
    progress.start(trajectories, "trajectory", "trajectories")
    whole = Ensemble()
    notes: dict[str, str] = {}
    looked = time.monotonic()
    with (
        announcing(lambda: announce(progress, COMPILING)),
        closing(_outcomes(simulate, trajectories, executor, progress, pilot)) as results,
    ):
        for outcomes, told in results:
            before = whole.size
            stop = _take(whole, outcomes, enough)
            if time.monotonic() - looked > LOOK_EVERY:
                notes["error"] = enough.note(whole) if enough is not None else whole.spread()
                looked = time.monotonic()
            peaks = {name: f"{value:g}" for name, value in whole.peaks.items()}
            progress.advance(whole.size - before - told, **peaks, **notes)
            if stop:
                break
    return whole


def _outcomes(
    simulate: Simulator, trajectories: int, executor: Executor, progress: Progress, pilot: Pilot | None
) -> Iterator[tuple[list[Outcome], int]]:
    """Outcomes in the order of their indices, and of how many of them ``progress`` knows already."""
    first, revise = 0, None
    if pilot is not None:
        gathered: list[Outcome] = []
        first = min(pilot.size, trajectories)
        with closing(executor.map(BlockRunner(simulate), blocks(first))) as results:
            for outcomes in results:
                gathered += outcomes
                progress.advance(len(outcomes))
        simulate, revise = pilot(gathered)
        yield _revised(gathered, revise), len(gathered)
        if len(gathered) < first:  # the executor has stopped early
            return
    with closing(executor.map(BlockRunner(simulate), blocks(trajectories, first))) as results:
        for outcomes in results:
            yield (outcomes if revise is None else _revised(outcomes, revise)), 0


def _revised(outcomes: list[Outcome], revise: Callable[[int, Sample], Sample]) -> list[Outcome]:
    return [(index, one if isinstance(one, str) else revise(index, one)) for index, one in outcomes]


def _take(whole: Ensemble, outcomes: list[Outcome], enough: StopRule | None) -> bool:
    """Add outcomes up to the first batch that is enough; whether there was one."""
    for index, outcome in outcomes:
        if isinstance(outcome, str):
            whole.failures.append((index, outcome))
        else:
            whole.add(index, outcome)
        if enough is not None and (index + 1) % BATCHES == 0 and enough(whole):
            return True
    return False
