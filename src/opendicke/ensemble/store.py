"""Trajectories on disk: written as they are finished, read instead of run again.

A store is a folder with one folder per study, named by a hash of everything that determines the study's numbers. A
study holds ``study.json`` and a file per chunk of consecutive trajectories: a zipped Zarr group, written beside its
place and then moved there, so that a chunk is whole or absent. What a chunk holds does not depend on who wrote it; two
processes may therefore work on one study, and one chunk done twice is the same chunk. No clock decides what is read or
run: chunks are told apart by their names and checked by what they hold.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise, tee
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.ensemble.executors import closing
from opendicke.ensemble.padding import stack_padded
from opendicke.ensemble.run import Outcome, Sample, blocks
from opendicke.problem import Executor

#: Version of the layout on disk.
FORMAT = 1
#: Trajectories in a chunk (the last one of a study may hold fewer).
CHUNK = 64
#: Seconds after which a chunk that is not full yet is written all the same: no more than this is lost in a crash.
CHECKPOINT = 30.0
#: Seconds after which a half-written file is taken for left behind; writing one takes milliseconds.
LEFT_BEHIND = 86400.0

log = logging.getLogger("opendicke.store")


class StoreError(RuntimeError):
    """A store cannot be used, or could not be written to; what it holds already is intact."""


def key_of(description: dict[str, Any]) -> str:
    """The hash of a study's description (plain data), 16 hexadecimal digits."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
        study = Study(self.root / key_of(description))
        if (study.path / "study.json").exists():
            study.check()
            study.tidy()
            log.info("study %s: %d trajectories are stored", study.path, study.trajectories)
            return study
        try:
            study.path.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"format": FORMAT, "description": description}, indent=1)
            _write(study.path / "study.json", lambda place: place.write_text(text))
        except OSError as problem:
            raise StoreError(
                f"store {self.root}: cannot be written to ({problem}). Choose another folder."
            ) from problem
        log.info("study %s is new", study.path)
        return study

    def studies(self) -> list[Study]:
        """All studies, in the order of their names."""
        return [Study(path.parent) for path in sorted(self.root.glob("*/study.json"))]

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
        for study in other.studies():
            own = self.study(study.check())
            for first, count in study.chunks().items():
                outcomes = study.read(range(first, first + count))
                if outcomes is not None and own.chunks().get(first, 0) < count:
                    own.write(outcomes)
                    copied += 1
        return copied


@dataclass(frozen=True)
class Study:
    """The trajectories of one study; its name is its key."""

    path: Path

    @property
    def key(self) -> str:
        """The hash of the description."""
        return self.path.name

    def check(self) -> dict[str, Any]:
        """The description, after a look at its format and its hash.

        Raises:
            StoreError: if either is wrong.
        """
        file = self.path / "study.json"
        try:
            content = json.loads(file.read_text())
        except (OSError, ValueError) as problem:
            raise StoreError(f"{file}: cannot be read ({problem}). Restore it, or move its folder away.") from problem
        if content.get("format") != FORMAT:
            found = content.get("format")
            raise StoreError(f"{file}: format {found!r}, but this version reads {FORMAT}. Use another folder.")
        description: dict[str, Any] = content["description"]
        if key_of(description) != self.key:
            expected = key_of(description)
            raise StoreError(f"{file}: its content hashes to {expected}, not to its name {self.key}: it was changed.")
        return description

    def tidy(self) -> None:
        """Remove what writers that were killed left half-written, if it has not been touched for a day."""
        for file in self.path.glob(".*.zarr.zip.*"):
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > LEFT_BEHIND:
                    file.unlink()

    def chunks(self) -> dict[int, int]:
        """First index -> number of trajectories, of every chunk on disk."""
        found: dict[int, int] = {}
        for file in sorted(self.path.glob("*-*.zarr.zip")):
            first, last = (int(part) for part in file.name.split(".")[0].split("-"))
            found[first] = max(found.get(first, 0), last - first + 1)
        return found

    @property
    def trajectories(self) -> int:
        """Length of the unbroken run of trajectories from index 0."""
        chunks, total = self.chunks(), 0
        while total in chunks:
            total += chunks[total]
        return total

    def file(self, chunk: range) -> Path:
        """Where a chunk lies."""
        return self.path / f"{chunk.start:08d}-{chunk.stop - 1:08d}.zarr.zip"

    def read(self, chunk: range) -> list[Outcome] | None:
        """The chunk's outcomes; None, and a word in the log, if it is damaged (or gone)."""
        file = self.file(chunk)
        try:
            outcomes = _read_chunk(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as problem:
            told = f"{type(problem).__name__}: {problem}"
            log.warning("damaged chunk %s (%s): it is left out and run again", file, told)
            return None
        if [index for index, _ in outcomes] != list(chunk):
            log.warning("damaged chunk %s (other trajectories than its name says): it is run again", file)
            return None
        return outcomes

    def beginning(self, first: int) -> list[Outcome]:
        """The longest readable chunk that starts at trajectory ``first``; empty if there is none."""
        lasts = (int(file.name.split(".")[0].split("-")[1]) for file in self.path.glob(f"{first:08d}-*.zarr.zip"))
        for last in sorted(lasts, reverse=True):
            outcomes = self.read(range(first, last + 1))
            if outcomes is not None:
                return outcomes
        return []

    def write(self, outcomes: list[Outcome]) -> None:
        """Write a chunk, and then remove a shorter one with the same start.

        Raises:
            StoreError: if the disk refuses; nothing half-written is left.
        """
        chunk = range(outcomes[0][0], outcomes[-1][0] + 1)
        file = self.file(chunk)
        try:
            _write(file, lambda place: _write_chunk(place, outcomes))
            for older in self.path.glob(f"{chunk.start:08d}-*.zarr.zip"):
                if int(older.name.split(".")[0].split("-")[1]) < chunk.stop - 1:
                    older.unlink(missing_ok=True)
        except OSError as problem:
            hint = "What was stored before is intact: make room or access, and run the same again to go on."
            raise StoreError(f"chunk {file}: cannot be written ({problem}). {hint}") from problem
        log.debug("chunk %s written", file)


@dataclass(frozen=True)
class Stored:
    """An executor that reads from a study what it holds, has the inner one run the rest, and stores that.

    Everything is read and written here, where the results are asked for, and in order: workers need not see the folder.
    """

    inner: Executor
    study: Study

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Outcomes of the blocks ``items``, in order."""
        there = self.study.chunks()
        ahead, here = tee(_within_chunks(items))
        lacking = (rest for piece in ahead if (rest := _beyond(piece, there)))
        chunk = _Chunk(self.study, -CHUNK)
        with closing(self.inner.map(function, lacking)) as fresh:
            try:
                for piece in here:
                    if piece.start >= chunk.first + CHUNK:
                        chunk.save()
                        chunk = self._open(piece.start, there, function)
                    if _beyond(piece, there):
                        chunk.add(next(fresh))
                    yield chunk.outcomes[piece.start - chunk.first : piece.stop - chunk.first]
            finally:
                chunk.save()

    def _open(self, first: int, there: dict[int, int], function: Callable[[Any], Any]) -> _Chunk:
        """The chunk from ``first`` on, as stored; what turns out to be damaged is run here and now."""
        count = there.get(first, 0)
        chunk = _Chunk(self.study, first, self.study.beginning(first)[:count] if count else [])
        if len(chunk.outcomes) < count:
            for outcomes in self.inner.map(function, blocks(first + count, first + len(chunk.outcomes))):
                chunk.add(outcomes)
        return chunk


@dataclass
class _Chunk:
    """A chunk that is being filled."""

    study: Study
    first: int
    outcomes: list[Outcome] = field(default_factory=list)
    changed: bool = False
    saved: float = field(default_factory=time.monotonic)

    def add(self, outcomes: list[Outcome]) -> None:
        """Take more trajectories in, and write them if the chunk is full or it has been a while."""
        self.outcomes += outcomes
        self.changed = True
        if len(self.outcomes) == CHUNK or time.monotonic() - self.saved > CHECKPOINT:
            self.save()

    def save(self) -> None:
        """Write what is not written yet."""
        if self.changed:
            self.changed = False  # even if it fails: it is not tried twice
            self.study.write(self.outcomes)
            self.saved = time.monotonic()


def _within_chunks(items: Iterable[range]) -> Iterator[range]:
    """The blocks, cut where chunks begin."""
    for item in items:
        edges = [item.start, *range(item.start - item.start % CHUNK + CHUNK, item.stop, CHUNK), item.stop]
        yield from (range(start, stop) for start, stop in pairwise(edges))


def _beyond(piece: range, there: dict[int, int]) -> range:
    """The part of a piece of a chunk that is not stored."""
    first = piece.start - piece.start % CHUNK
    return range(max(piece.start, first + there.get(first, 0)), piece.stop)


def _write(file: Path, write: Callable[[Path], Any]) -> None:
    """Have ``write`` make a file beside ``file``, and move it into place; on failure nothing is left."""
    beside = file.with_name(f".{file.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    try:
        write(beside)
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)


def _write_chunk(place: Path, outcomes: list[Outcome]) -> None:
    import zarr

    samples = [sample for _, sample in outcomes if not isinstance(sample, str)]
    about = {
        "indices": [index for index, _ in outcomes],
        "failures": {str(index): sample for index, sample in outcomes if isinstance(sample, str)},
        "peaks": [sample.peaks for sample in samples],
        "sums": [sample.sums for sample in samples],
    }
    files: dict[str, Any] = {}
    group = zarr.create_group(store=zarr.storage.MemoryStore(files), attributes=about)
    for kind in ("averaged", "kept") if samples else ():
        for name in getattr(samples[0], kind):
            values = stack_padded([getattr(sample, kind)[name] for sample in samples])
            array = group.create_array(
                f"{kind}.{name}", shape=values.shape, dtype=values.dtype, chunks=values.shape, compressors=None
            )
            array[...] = values
    # not by zarr's ZipStore, whose files hold the time of day: the same chunk is the same file, and clocks may err
    with zipfile.ZipFile(place, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), files[name].to_bytes())


def _read_chunk(file: Path) -> list[Outcome]:
    import zarr

    with zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()  # zarr itself does not look at the checksums
        if damaged is not None:
            raise ValueError(f"checksum of {damaged} is wrong")
    with zarr.storage.ZipStore(file, mode="r") as source:
        group = zarr.open_group(source, mode="r")
        about: dict[str, Any] = dict(group.attrs)
        arrays: dict[str, NDArray[Any]] = {name: np.asarray(array[...]) for name, array in group.arrays()}
    outcomes: list[Outcome] = []
    row = 0
    for index in about["indices"]:
        failure = about["failures"].get(str(index))
        if failure is not None:
            outcomes.append((index, failure))
            continue
        sample = Sample({}, {}, about["peaks"][row], about["sums"][row])
        for name, values in arrays.items():
            kind, quantity = name.split(".", 1)
            getattr(sample, kind)[quantity] = values[row]
        outcomes.append((index, sample))
        row += 1
    return outcomes
