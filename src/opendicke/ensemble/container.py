"""The file of a chunk: outcomes as bytes, the same for the same outcomes, and nothing in it can run code.

It is an uncompressed zip that ``numpy.load(file, allow_pickle=False)`` reads: an ``.npy`` per array, and ``about.json``
with the study's key, the trajectories' indices, what failed, peaks, sums, and every array's shape and type. The zip's
comment is the SHA-256 of all bytes before it: damage anywhere is found.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from opendicke.ensemble.padding import stack_padded
from opendicke.ensemble.run import Outcome, Sample

ABOUT = "about.json"
#: Length of the comment, and what stands in its place while it is not known.
DIGEST = b"0" * 64
#: What a sample's array may hold: numbers.
NUMBERS = "biufc"
KINDS = ("averaged", "kept")


class DamagedChunkError(ValueError):
    """The bytes are not those of a chunk, or of one of another study."""


@dataclass(frozen=True)
class Chunk:
    """Outcomes of consecutive trajectories.

    Attributes:
        outcomes: in the order of their indices.
        limits: limits of resources, by name, under which those that failed did so (or larger ones).
        study: key of the study; None if the file does not say (version 1).
    """

    outcomes: list[Outcome]
    limits: dict[str, float] = field(default_factory=dict)
    study: str | None = None

    @property
    def failed(self) -> list[int]:
        """Indices of the trajectories that failed."""
        return [index for index, sample in self.outcomes if isinstance(sample, str)]


def pack(chunk: Chunk) -> bytes:
    """The chunk's file."""
    samples = [sample for _, sample in chunk.outcomes if not isinstance(sample, str)]
    arrays = {
        f"{kind}.{name}": stack_padded([getattr(sample, kind)[name] for sample in samples])
        for kind in KINDS
        for name in (getattr(samples[0], kind) if samples else ())
    }
    about = {
        "study": chunk.study,
        "limits": chunk.limits,
        "indices": [index for index, _ in chunk.outcomes],
        "failures": {str(index): sample for index, sample in chunk.outcomes if isinstance(sample, str)},
        "peaks": [sample.peaks for sample in samples],
        "sums": [sample.sums for sample in samples],
        "arrays": {name: _kind(values) for name, values in arrays.items()},
    }
    stream = BytesIO()
    with ZipFile(stream, "w") as archive:  # ZipInfo: without the time of day, and uncompressed
        archive.writestr(ZipInfo(ABOUT), json.dumps(about, sort_keys=True))
        for name in sorted(arrays):
            content = BytesIO()
            np.lib.format.write_array(content, arrays[name], version=(1, 0), allow_pickle=False)
            archive.writestr(ZipInfo(f"{name}.npy"), content.getvalue())
        archive.comment = DIGEST
    body = stream.getvalue()[: -len(DIGEST)]
    return body + hashlib.sha256(body).hexdigest().encode()


def unpack(data: bytes) -> Chunk:
    """The chunk in a file.

    Raises:
        Exception: of whatever kind, if this is not a chunk's file; the content may come from anybody.
    """
    body, digest = data[: -len(DIGEST)], data[-len(DIGEST) :]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise DamagedChunkError("its checksum is wrong")
    members = stored_members(data)
    about = json.loads(members.pop(ABOUT))
    arrays = {name.removesuffix(".npy"): _array(content) for name, content in members.items()}
    if about["arrays"] != {name: _kind(values) for name, values in arrays.items()}:
        raise DamagedChunkError("its arrays are not those that it names")
    limits = {str(name): float(value) for name, value in about["limits"].items()}
    if not isinstance(about["study"], str):
        raise DamagedChunkError("it does not name its study")
    return Chunk(outcomes_of(about, arrays), limits, about["study"])


def limits_of(file: Path) -> dict[str, float]:
    """The limits that a chunk's file tells, without a look at its numbers.

    Raises:
        Exception: as :func:`unpack`.
    """
    with ZipFile(file) as archive:
        if archive.getinfo(ABOUT).compress_type != ZIP_STORED:
            raise DamagedChunkError("its members are not stored one by one")
        return {str(name): float(value) for name, value in json.loads(archive.read(ABOUT))["limits"].items()}


def stored_members(data: bytes) -> dict[str, bytes]:
    """The files in a zip whose members are stored as they are; checked, and no larger than the zip itself."""
    with ZipFile(BytesIO(data)) as archive:
        members = archive.infolist()
        plain = all(member.compress_type == ZIP_STORED for member in members)
        if not plain or sum(member.file_size for member in members) > len(data):
            raise DamagedChunkError("its members are not stored one by one")
        if len({member.filename for member in members}) < len(members):
            raise DamagedChunkError("a name occurs twice")
        return {member.filename: archive.read(member) for member in members}


def outcomes_of(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> list[Outcome]:
    """Outcomes from what a chunk says of them and its arrays, whose first axis is that of what did not fail."""
    indices, failures, peaks, sums = (about[name] for name in ("indices", "failures", "peaks", "sums"))
    count = len(indices) - len(failures)
    named = set(failures) <= {str(index) for index in indices}
    if not named or len(peaks) != count or len(sums) != count or any(len(array) != count for array in arrays.values()):
        raise DamagedChunkError("its numbers of trajectories differ")
    outcomes: list[Outcome] = []
    rows = iter(range(count))
    for index in indices:
        if str(index) in failures:
            outcomes.append((index, str(failures[str(index)])))
            continue
        row = next(rows)
        sample = Sample({}, {}, dict(peaks[row]), dict(sums[row]))
        for name, values in arrays.items():
            kind, quantity = name.split(".", 1)
            {"averaged": sample.averaged, "kept": sample.kept}[kind][quantity] = values[row]
        outcomes.append((index, sample))
    return outcomes


def _kind(values: NDArray[Any]) -> list[Any]:
    return [list(values.shape), values.dtype.str]


def _array(content: bytes) -> NDArray[Any]:
    """The array of an ``.npy`` file that holds numbers, in C order, and not a byte more."""
    stream = BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise DamagedChunkError("an array is of another version of the format")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in NUMBERS or fortran_order:
        raise DamagedChunkError("an array does not hold numbers in C order")
    return np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape).copy()
