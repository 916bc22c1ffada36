"""Trajectories on disk: written as they are finished, read instead of run again.

A store is a folder with one folder per study, named by a hash of everything that determines the study's numbers. A
study holds ``study.json`` and a file per chunk of consecutive trajectories: a zipped Zarr group, written beside its
place and then moved there, so that a chunk is whole or absent. What a chunk holds does not depend on who wrote it; two
processes may therefore work on one study, and one chunk done twice is the same chunk.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke.ensemble.padding import stack_padded
from opendicke.ensemble.run import Outcome, Sample
from opendicke.problem import Executor

#: Version of the layout on disk.
FORMAT = 1
#: Trajectories in a chunk (the last one of a study may hold fewer).
CHUNK = 64

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
        object.__setattr__(self, "root", Path(self.root))

    def study(self, description: dict[str, Any]) -> Study:
        """The study with this description, made if it is new.

        Raises:
            StoreError: if the folder cannot be written to, or holds something else under this name.
        """
        study = Study(self.root / key_of(description))
        if (study.path / "study.json").exists():
            study.check()
            return study
        try:
            study.path.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"format": FORMAT, "description": description}, indent=1)
            _write(study.path / "study.json", lambda place: place.write_text(text))
        except OSError as problem:
            raise StoreError(
                f"store {self.root}: cannot be written to ({problem}). Choose another folder."
            ) from problem
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
        """The chunk's outcomes; None, and a word in the log, if it is damaged."""
        file = self.file(chunk)
        try:
            outcomes = _read_chunk(file)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as problem:
            log.warning(
                "damaged chunk %s (%s: %s): it is left out and run again", file, type(problem).__name__, problem
            )
            return None
        if [index for index, _ in outcomes] != list(chunk):
            log.warning("damaged chunk %s (other trajectories than its name says): it is run again", file)
            return None
        return outcomes

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


@dataclass(frozen=True)
class Stored:
    """An executor that reads from a study what it holds, and has the inner executor run and store the rest."""

    inner: Executor
    study: Study

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Outcomes of the blocks ``items``, in order, chunk by chunk."""
        return self.inner.map(ReadOrRun(function, self.study), _chunks(items))


@dataclass(frozen=True)
class ReadOrRun:
    """Reads a chunk, or runs what it lacks and writes it; an object, so that it can be sent to other processes."""

    run: Callable[[range], list[Outcome]]
    study: Study

    def __call__(self, chunk: range) -> list[Outcome]:
        """The outcomes of ``chunk``."""
        there = self.study.chunks().get(chunk.start, 0)
        known = self.study.read(range(chunk.start, chunk.start + there)) if there else None
        outcomes = known or []
        if len(outcomes) < len(chunk):
            outcomes = outcomes + self.run(range(chunk.start + len(outcomes), chunk.stop))
            self.study.write(outcomes)
        return outcomes[: len(chunk)]


def _chunks(blocks: Iterable[range]) -> Iterator[range]:
    """Consecutive blocks joined to chunks."""
    start, stop = 0, 0
    for block in blocks:
        stop = block.stop
        while stop - start >= CHUNK:
            yield range(start, start + CHUNK)
            start += CHUNK
    if stop > start:
        yield range(start, stop)


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
    with zarr.storage.ZipStore(place, mode="w") as target:
        group = zarr.create_group(store=target, attributes=about)
        if not samples:
            return
        for kind in ("averaged", "kept"):
            for name in getattr(samples[0], kind):
                values = stack_padded([getattr(sample, kind)[name] for sample in samples])
                array = group.create_array(
                    f"{kind}.{name}", shape=values.shape, dtype=values.dtype, chunks=values.shape, compressors=None
                )
                array[...] = values


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
