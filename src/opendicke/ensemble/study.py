"""A study on disk: what it is, and its trajectories in chunks.

A study is a folder named by a hash of everything that determines its numbers. It holds ``study.json`` and a file per
chunk of consecutive trajectories, written beside its place and then moved there, so that a chunk is whole or absent.
What a chunk holds does not depend on who wrote it; two processes may therefore work on one study, and one chunk done
twice is the same chunk. No clock decides what is read or run: chunks are told apart by their names and checked by what
they hold.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from opendicke.description import canonical, limits_told
from opendicke.ensemble import container, old_container
from opendicke.ensemble.container import Chunk, DamagedChunkError
from opendicke.files import UNFINISHED, replacing

#: Version of the layout on disk.
FORMAT = 1
#: What a description consists of, at least.
PARTS = {"model": dict, "state": dict, "times": list, "method": str, "options": dict}
#: Ends of the names of chunks, the one that is written first, and who reads them.
CHUNK_FILES: dict[str, Callable[[bytes], Chunk]] = {".npz": container.unpack, ".zarr.zip": old_container.unpack}
#: Seconds after which a half-written file is taken for left behind; writing one takes milliseconds.
LEFT_BEHIND = 86400.0

log = logging.getLogger("opendicke.store")

#: What :meth:`Study.canonical_key` found. A key stands for one description, so none of this can become wrong.
_CANONICAL_KEYS: dict[str, str] = {}


class StoreError(RuntimeError):
    """A store cannot be used, or could not be written to; what it holds already is intact."""


def key_of(description: dict[str, Any]) -> str:
    """The hash of a study's description (plain data), 16 hexadecimal digits."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Study:
    """The trajectories of one study; its name is its key."""

    #: Trajectories in a chunk (the last one of a study may hold fewer).
    CHUNK: ClassVar[int] = 64

    path: Path

    @property
    def key(self) -> str:
        """The hash of the description."""
        return self.path.name

    def canonical_key(self) -> str | None:
        """The key that this version gives to the study; None if it cannot be read."""
        if self.key not in _CANONICAL_KEYS:
            try:
                _CANONICAL_KEYS[self.key] = key_of(canonical(self.check()))
            except StoreError:
                return None
        return _CANONICAL_KEYS[self.key]

    def check(self) -> dict[str, Any]:
        """The description, after a look at its format and its hash.

        Raises:
            StoreError: if either is wrong.
        """
        file = self.path / "study.json"
        try:
            description = _description(json.loads(file.read_text()))
            hashed = key_of(description)
        except (OSError, ValueError, RecursionError) as problem:
            told = f"cannot be used ({type(problem).__name__}: {problem})"
            raise StoreError(f"{file}: {told}. Restore it, or move its folder away.") from problem
        if hashed != self.key:
            told = f"its content hashes to {hashed}, not to its name {self.key}: it was changed"
            raise StoreError(f"{file}: {told}. Restore it, or move its folder away.")
        return description

    def tidy(self) -> None:
        """Remove what writers that were killed left half-written, if it has not been touched for a day."""
        for file in (*self.path.glob(f".*{UNFINISHED}"), *self.path.glob(".*.zarr.zip.*")):
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > LEFT_BEHIND:
                    file.unlink()

    def files(self, first: int | None = None) -> list[tuple[range, Path]]:
        """Trajectories and file of every chunk (of those from ``first`` on), the best of each beginning first."""
        kinds, found = list(CHUNK_FILES), []
        for file in self.path.glob("[!.]*" if first is None else f"{first:08d}-*"):
            chunk = self._named(file.name)
            if chunk is not None:
                found.append(((chunk.start, -chunk.stop, kinds.index(_suffix(file.name))), chunk, file))
            elif _suffix(file.name):
                _warn_ignored(file)
        return [(chunk, file) for _, chunk, file in sorted(found, key=lambda item: item[0])]

    def _named(self, name: str) -> range | None:
        """The trajectories of the chunk with this file name; None for a name that no chunk has."""
        parts = re.fullmatch(r"([0-9]{8,16})-([0-9]{8,16})", name.removesuffix(_suffix(name)))
        if parts is None:
            return None
        chunk = range(int(parts[1]), int(parts[2]) + 1)
        whole = name == f"{chunk.start:08d}-{chunk.stop - 1:08d}{_suffix(name)}"
        return chunk if whole and chunk.start % self.CHUNK == 0 and 0 < len(chunk) <= self.CHUNK else None

    def chunks(self) -> dict[int, int]:
        """First index -> number of trajectories, of every chunk on disk."""
        found: dict[int, int] = {}
        for chunk, _ in self.files():
            found.setdefault(chunk.start, len(chunk))
        return found

    def limits(self) -> dict[str, float]:
        """The largest limits of resources that its trajectories were run under, as far as its files tell."""
        found = limits_told(self.check())
        told: dict[str, float] = {}
        for _, file in self.files():
            with suppress(Exception):  # damaged ones are told when they are read
                for name, limit in container.limits_of(file).items():
                    told[name] = max(limit, told.get(name, limit))
        return found | told

    @property
    def trajectories(self) -> int:
        """Length of the unbroken run of trajectories from index 0."""
        chunks, total = self.chunks(), 0
        while total in chunks:
            total += chunks[total]
        return total

    def left_out(self) -> tuple[range, int] | None:
        """The first trajectories that are missing although later ones are stored, and how many these are; or None."""
        total = self.trajectories
        later = {first: count for first, count in self.chunks().items() if first >= total}
        return (range(total, min(later)), sum(later.values())) if later else None

    def note(self) -> str:
        """A sentence on trajectories that are stored and cannot be used yet; empty if there are none."""
        found = self.left_out()
        if found is None:
            return ""
        missing, later = found
        which = f"{missing.start}-{missing.stop - 1}"
        return f"trajectories {which} are missing: {later} later ones are left out until the study is run again"

    def file(self, chunk: range) -> Path:
        """Where a chunk is written."""
        return self.path / f"{chunk.start:08d}-{chunk.stop - 1:08d}{next(iter(CHUNK_FILES))}"

    def read(self, chunk: range) -> Chunk | None:
        """The chunk; None, and a word in the log, if it is damaged (or gone).

        Raises:
            StoreError: if its file cannot be read: what it holds may be sound.
        """
        readable = (self._read(file, chunk) for which, file in self.files(chunk.start) if which == chunk)
        return next((found for found in readable if found is not None), None)

    def beginning(self, first: int) -> Chunk:
        """The longest sound chunk from trajectory ``first`` on, empty if there is none; raises as :meth:`read`."""
        readable = (self._read(file, chunk) for chunk, file in self.files(first))
        return next((found for found in readable if found is not None), Chunk([]))

    def _read(self, file: Path, chunk: range) -> Chunk | None:
        content = _content(file)
        if content is None:
            return None
        try:
            return self._ours(CHUNK_FILES[_suffix(file.name)](content), chunk)
        except MemoryError:
            raise
        except Exception as problem:  # whatever bytes of unknown origin can do to those who read them
            told = f"{type(problem).__name__}: {problem}"
            log.warning("damaged chunk %s (%s): it is left out and run again", file, told)
            return None

    def _ours(self, found: Chunk, chunk: range) -> Chunk:
        """What was found in a file, if it is this chunk of this study."""
        if [index for index, _ in found.outcomes] != list(chunk):
            raise DamagedChunkError("it holds other trajectories than its name says")
        if found.study is None:  # version 1
            return replace(found, limits=limits_told(self.check()) if found.failed else {})
        if found.study != self.key:
            raise DamagedChunkError(f"it belongs to study {found.study}")
        return found

    def write(self, chunk: Chunk) -> None:
        """Write a chunk, and then remove shorter ones with the same start, and its like of version 1.

        Raises:
            StoreError: if the disk refuses; nothing half-written is left.
        """
        trajectories = range(chunk.outcomes[0][0], chunk.outcomes[-1][0] + 1)
        file = self.file(trajectories)
        try:
            with replacing(file) as place:
                place.write_bytes(container.pack(replace(chunk, study=self.key)))
            for other, older in self.files(trajectories.start):
                if other.stop <= trajectories.stop and older != file:
                    older.unlink(missing_ok=True)
        except OSError as problem:
            hint = "What was stored before is intact: make room or access, and run the same again to go on."
            raise StoreError(f"chunk {file}: cannot be written ({problem}). {hint}") from problem
        log.debug("chunk %s written", file)


def _description(content: Any) -> dict[str, Any]:
    """The description in a ``study.json``."""
    if not isinstance(content, dict) or "format" not in content:
        raise ValueError("no study of opendicke")
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']!r:.80}, but this version reads {FORMAT}")
    description = content.get("description")
    if not isinstance(description, dict) or not all(isinstance(description.get(n), k) for n, k in PARTS.items()):
        raise ValueError(f"expected a description of {', '.join(PARTS)}")
    return description


def _content(file: Path) -> bytes | None:
    """The bytes of a chunk's file; None if it is gone, as when another process has written a longer one.

    Raises:
        StoreError: if it is there and cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as problem:
        if file.is_symlink() and not file.exists():
            told, hint = f"is a link to {os.readlink(file)}, which is not there", "Bring that back"
        elif isinstance(problem, FileNotFoundError):
            return None
        elif file.is_dir():
            told, hint = "is a folder", "Put the file back"
        else:
            told, hint = f"cannot be read ({problem})", "Make it readable"
        hint += ", or move it away to have its trajectories run again."
        raise StoreError(f"chunk {file}: {told}. {hint}") from problem


def _suffix(name: str) -> str:
    return next((suffix for suffix in CHUNK_FILES if name.endswith(suffix)), "")


@cache
def _warn_ignored(file: Path) -> None:
    """Once in a process."""
    log.warning("%s: no chunk has such a name; it is ignored", file)
