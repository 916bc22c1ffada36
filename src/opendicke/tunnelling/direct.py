"""Watching trajectories tunnel: ensembles run in pieces, classified as they go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.ensemble.executors import check_executor
from opendicke.ensemble.run import Sample, TrajectoryError, run_ensemble
from opendicke.ensemble.streams import stream
from opendicke.methods.nuhops import NuHOPS
from opendicke.methods.truncated_wigner import TruncatedWigner
from opendicke.model import DickeModel
from opendicke.problem import Executor, Progress
from opendicke.progress import meter
from opendicke.tunnelling.classify import (
    STATES,
    TRANSIT,
    Classifier,
    PassageCounter,
    Passages,
    Regions,
    check_labels,
    last_visited,
)
from opendicke.tunnelling.landscape import Landscape
from opendicke.tunnelling.walker import Basin, Walk, check_walked, walk

#: Looks in one piece of a trajectory; only one piece is in memory at a time.
PIECE = 64


@dataclass(frozen=True, eq=False)
class Watched:
    """What was seen of an ensemble.

    Attributes:
        times: shape (times,).
        labels: of every trajectory (0 for n, 1 for s+, 2 for s−, −1 in transit): shape (trajectories, times).
        passages: of all trajectories together, the time up to ``skip`` left out.
        first: time at which each trajectory first reached a state other than its first, NaN if it did not.
        failures: (index, message) of the trajectories that are missing.
    """

    times: NDArray[np.float64]
    labels: NDArray[np.int8]
    passages: Passages
    first: NDArray[np.float64]
    failures: list[tuple[int, str]]

    def occupied(self) -> NDArray[np.float64]:
        """1 for the state visited last, 0 for the others: shape (trajectories, times, 3)."""
        return occupied(self.labels)


def occupied(labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """Indicators of the state visited last (all 0 before any was): shape (..., times, 3).

    Args:
        labels: of classified trajectories (-1 in transit, else the state's number), shape (..., times).

    >>> occupied(np.array([[0, -1, 1]], dtype=np.int8))[0].argmax(axis=-1)
    array([0, 0, 1])
    """
    last = last_visited(check_labels(labels))
    indicators: NDArray[np.float64] = (last[..., None] == np.arange(3)).astype(np.float64)
    return indicators


@dataclass(frozen=True)
class _Watcher:
    """Runs trajectory i (an object, so that it can be sent to other processes)."""

    walk: Walk
    landscape: Landscape
    regions: Regions
    start: Basin
    pieces: int
    every: int
    skip: float
    seed: int

    def __call__(self, index: int) -> Sample:
        """Trajectory ``index``, classified piece by piece."""
        look, piece, rng = self.walk.look, self.walk.piece, stream(self.seed, index)
        walker = self.walk.start(self.landscape.state(self.start), rng)
        classifier, counter = Classifier(self.regions, look), PassageCounter(look, self.skip)
        labels = np.empty(self.pieces * piece, dtype=np.int8)
        for at in range(0, labels.size, piece):
            try:
                looks = walker.go(rng)
            except TrajectoryError as failure:
                time = at * look
                raise TrajectoryError(f"trajectory {index} of seed {self.seed} after {time:g}: {failure}") from failure
            labels[at : at + piece] = classifier.feed(looks[:, :3])
            counter.feed(labels[at : at + piece])
        elsewhere = np.flatnonzero((labels != TRANSIT) & (labels != STATES.index(self.start)))
        first = (elsewhere[0] + 1) * look if elsewhere.size else math.nan
        found = counter.passages
        kept: dict[str, NDArray[Any]] = {
            "labels": labels[self.every - 1 :: self.every],
            "counts": found.counts,
            "residence": found.residence,
        }
        kept |= {f"dwells_{name}": np.array(dwells) for name, dwells in zip(STATES, found.dwells, strict=True)}
        return Sample({}, kept | {"first": np.array(first)})


def watch(
    model: DickeModel,
    start: Basin,
    duration: float,
    method: NuHOPS | TruncatedWigner,
    *,
    regions: Regions | None = None,
    look: float = 0.25,
    spacing: float = 1.0,
    skip: float = 0.0,
    executor: Executor | None = None,
    progress: Progress | bool | None = False,
) -> Watched:
    r"""Run trajectories from a coherent state at one attractor and note which metastable state each is in.

    Args:
        model: a model in the bistable phase.
        start: "n", "s+" or "s-".
        duration: length of each trajectory, at least; whole pieces are run.
        method: nuHOPS, or truncated Wigner to be held against it, with the number of trajectories, the seed, and its
            accuracy options.
        regions: where the states are; None for the default thresholds.
        look: time between two samples of <S> that enter the moving average.
        spacing: time between two labels that are kept (a multiple of ``look``).
        skip: time at the start in which passages and residence are not counted.
        executor: who runs the trajectories; None for threads on all cores.
        progress: as in :func:`opendicke.solve`.

    Returns:
        Labels and passages.

    Raises:
        ValueError: if the model is not bistable, or for an argument out of range.
        TrajectoryError: if no trajectory came through.
    """
    landscape = Landscape.of(model)
    checks.choice("start", start, STATES)
    check_walked(method)
    if regions is not None:
        checks.instance("regions", regions, Regions, "the Regions of a model, or None")
    look, duration = checks.real("look", look, above=0.0), checks.real("duration", duration, above=0.0)
    skip = checks.real("skip", skip, minimum=0.0)
    every = round(checks.real("spacing", spacing, above=0.0) / look)
    if every < 1 or not math.isclose(every * look, spacing):
        raise checks.refuse("spacing", f"a multiple of look = {look:g}", spacing)
    pieces = math.ceil(duration / (PIECE * look) * (1 - 1e-12))
    walked, regions = walk(model, method, look, PIECE), regions or Regions.of(landscape)
    watcher = _Watcher(walked, landscape, regions, start, pieces, every, skip, method.seed)
    gauge = meter(progress)
    try:
        ensemble = run_ensemble(watcher, method.trajectories, check_executor(executor), gauge)
    finally:
        gauge.close()
    if not ensemble.indices:
        raise TrajectoryError(f"all {len(ensemble.failures)} trajectories failed; the first: {ensemble.failures[0][1]}")
    kept = ensemble.kept
    dwells = tuple([float(time) for one in kept[f"dwells_{name}"] for time in one] for name in STATES)
    passages = Passages(sum(kept["counts"]), sum(kept["residence"]), dwells)  # type: ignore[arg-type]
    labels = np.array(kept["labels"])
    times = look * every * np.arange(1, labels.shape[1] + 1)
    return Watched(times, labels, passages, np.array(kept["first"]), ensemble.failures)
