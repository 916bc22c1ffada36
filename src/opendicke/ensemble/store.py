"""Trajectories on disk: written as they are finished, read instead of run again.

A store is a folder with one folder per study (:mod:`opendicke.ensemble.study`). Chunks are read and written where the
results are asked for; workers know nothing of the store.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise, tee
from pathlib import Path
from typing import Any

from opendicke import checks
from opendicke.description import canonical
from opendicke.ensemble.container import Chunk
from opendicke.ensemble.executors import closing
from opendicke.ensemble.run import Outcome, blocks
from opendicke.ensemble.study import FORMAT, StoreError, Study, key_of
from opendicke.files import replacing
from opendicke.problem import Executor

__all__ = ["Store", "StoreError", "Stored", "Study", "key_of"]

#: Seconds after which a chunk that is not full yet is written all the same: no more than this is lost in a crash.
CHECKPOINT = 30.0

log = logging.getLogger("opendicke.store")


@dataclass(frozen=True)
class Store:
    """A folder of studies.

    Args:
        root: the folder; made when the first study is.
    """

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", checks.folder("root", self.root))

    def study(self, description: dict[str, Any]) -> Study:
        """The study with this description, made if it is new.

        Raises:
            StoreError: if the folder cannot be written to, or holds something else under this name.
        """
        study = self.lookup(description)
        if study is not None:
            study.check()
            study.tidy()
            log.info("study %s: %d trajectories are stored", study.path, study.trajectories)
            return study
        description = canonical(description)
        study = Study(self.root / key_of(description))
        try:
            study.path.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"format": FORMAT, "description": description}, indent=1)
            with replacing(study.path / "study.json") as place:
                place.write_text(text)
        except OSError as problem:
            raise StoreError(
                f"store {self.root}: cannot be written to ({problem}). Choose another folder."
            ) from problem
        log.info("study %s is new", study.path)
        return study

    def lookup(self, description: dict[str, Any]) -> Study | None:
        """The study with this description, or the largest with the same numbers that an older version wrote; or None.

        Older versions had limits of memory in the key, and wrote 1 and 1.0 differently (:mod:`opendicke.description`).
        """
        key = key_of(canonical(description))
        study = Study(self.root / key)
        if (study.path / "study.json").exists():
            return study
        alike = [study for study in self.studies() if study.canonical_key() == key]
        return max(alike, key=lambda study: study.trajectories, default=None)

    def studies(self) -> list[Study]:
        """All studies, in the order of their names."""
        return [Study(path.parent) for path in sorted(self.root.glob("*/study.json"))]

    def readable(self) -> Iterator[tuple[Study, dict[str, Any]]]:
        """All studies with their descriptions; one that is damaged is named in a warning and left out."""
        for study in self.studies():
            description = _checked(study)
            if description is not None:
                yield study, description

    def find(self, prefix: str) -> Study:
        """The one study whose key starts with ``prefix``.

        Raises:
            StoreError: if there is none, or more than one.
        """
        found = [study for study in self.studies() if study.key.startswith(prefix)]
        if len(found) != 1:
            known = ", ".join(study.key for study in self.studies()) or "none"
            raise StoreError(f"store {self.root}: {len(found)} studies begin with {prefix!r} (there: {known})")
        return found[0]

    def merge(self, other: Store) -> int:
        """Copy what ``other`` has and this store lacks; return the number of chunks copied."""
        copied = 0
        for study, description in other.readable():
            there = self.lookup(description)
            if there is not None and _checked(there) is None:
                continue
            own = self.study(description)
            for first, count in study.chunks().items():
                here = range(first, first + count)
                chunk = study.read(here)
                if chunk is not None and (own.chunks().get(first, 0) < count or own.read(here) is None):
                    own.write(chunk)
                    copied += 1
        return copied


def _checked(study: Study) -> dict[str, Any] | None:
    """A study's description; None, and a word in the log, if it is damaged."""
    try:
        return study.check()
    except StoreError as problem:
        log.warning("%s It is left out.", problem)
        return None


@dataclass(frozen=True)
class Stored:
    """An executor that reads from a study what it holds, has the inner one run the rest, and stores that.

    Everything is read and written here, where the results are asked for, and in order: workers need not see the folder.

    Attributes:
        inner: who runs what is not stored.
        study: where it is stored.
        limits: limits of resources that trajectories run under now.
        retry: whether stored ones that failed under smaller limits are run again.
    """

    inner: Executor
    study: Study
    limits: dict[str, float]
    retry: bool = True

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Outcomes of the blocks ``items``, in order."""
        there = self.study.chunks()
        ahead, here = tee(_within_chunks(items))
        lacking = (rest for piece in ahead if (rest := _beyond(piece, there)))
        chunk = _Chunk(self.study, -Study.CHUNK, self.limits)
        with closing(self.inner.map(function, lacking)) as fresh:
            try:
                for piece in here:
                    if piece.start >= chunk.first + Study.CHUNK:
                        chunk.save()
                        chunk = self._open(piece.start, there, function)
                    if _beyond(piece, there):
                        chunk.add(next(fresh))
                    yield chunk.outcomes[piece.start - chunk.first : piece.stop - chunk.first]
            finally:
                chunk.save()

    def _open(self, first: int, there: dict[int, int], function: Callable[[Any], Any]) -> _Chunk:
        """The chunk from ``first`` on, as stored; what is damaged or failed for a smaller limit is run here and now."""
        count = there.get(first, 0)
        found = self.study.beginning(first) if count else Chunk([])
        chunk = _Chunk(self.study, first, self.limits, found.outcomes[:count])
        failed = [index for index in found.failed if index < first + count]
        if self.retry and failed and any(limit > found.limits.get(name, 0.0) for name, limit in self.limits.items()):
            again = self.inner.map(function, (range(index, index + 1) for index in failed))
            chunk.replace([outcome for outcomes in again for outcome in outcomes])
        elif failed:
            chunk.limits = found.limits | {name: min(found.limits.get(name, x), x) for name, x in self.limits.items()}
        if len(chunk.outcomes) < count:
            for outcomes in self.inner.map(function, blocks(first + count, first + len(chunk.outcomes))):
                chunk.add(outcomes)
        return chunk


@dataclass
class _Chunk:
    """A chunk that is being filled."""

    study: Study
    first: int
    limits: dict[str, float]
    outcomes: list[Outcome] = field(default_factory=list)
    changed: bool = False
    saved: float = field(default_factory=time.monotonic)

    def replace(self, outcomes: list[Outcome]) -> None:
        """Put these in the place of those with the same indices."""
        for index, sample in outcomes:
            self.outcomes[index - self.first] = (index, sample)
        self.changed = True

    def add(self, outcomes: list[Outcome]) -> None:
        """Take more trajectories in, and write them if the chunk is full or it has been a while."""
        self.outcomes += outcomes
        self.changed = True
        if len(self.outcomes) == Study.CHUNK or time.monotonic() - self.saved > CHECKPOINT:
            self.save()

    def save(self) -> None:
        """Write what is not written yet."""
        if self.changed:
            self.changed = False  # even if it fails: it is not tried twice
            self.study.write(Chunk(self.outcomes, self.limits))
            self.saved = time.monotonic()


def _within_chunks(items: Iterable[range]) -> Iterator[range]:
    """The blocks, cut where chunks begin."""
    for item in items:
        edges = [
            item.start,
            *range(item.start - item.start % Study.CHUNK + Study.CHUNK, item.stop, Study.CHUNK),
            item.stop,
        ]
        yield from (range(start, stop) for start, stop in pairwise(edges))


def _beyond(piece: range, there: dict[int, int]) -> range:
    """The part of a piece of a chunk that is not stored."""
    first = piece.start - piece.start % Study.CHUNK
    return range(max(piece.start, first + there.get(first, 0)), piece.stop)
