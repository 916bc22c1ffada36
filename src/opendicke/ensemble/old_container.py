"""Chunks of version 1: read, and no longer written. They were zips of a Zarr v3 group of uncompressed arrays.

What that version wrote is accepted and nothing else: no filter, codec or type is looked up by a name in the file.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke.ensemble.container import Chunk, DamagedChunkError, outcomes_of, stored_members

TYPES = ("bool", "int32", "int64", "float32", "float64", "complex64", "complex128")
CODECS = [{"name": "bytes", "configuration": {"endian": "little"}}]
META = "zarr.json"


def unpack(data: bytes) -> Chunk:
    """The chunk in a file.

    Raises:
        Exception: of whatever kind, if version 1 did not write it; the content may come from anybody.
    """
    members = stored_members(data)
    group = json.loads(members.pop(META))
    _expect(group["zarr_format"] == 3 and group["node_type"] == "group", "not a Zarr v3 group")
    names = [name.removesuffix(f"/{META}") for name in members if name.endswith(f"/{META}")]
    arrays = {name: _array(json.loads(members.pop(f"{name}/{META}")), name, members) for name in names}
    _expect(not members, f"it holds {', '.join(members)} besides")
    return Chunk(outcomes_of(group["attributes"], arrays))


def _array(about: dict[str, Any], name: str, members: dict[str, bytes]) -> NDArray[Any]:
    """An array of one piece, taken out of ``members``; pieces of zeros alone were not written."""
    _expect(about["zarr_format"] == 3 and about["node_type"] == "array", f"{name} is no array")
    _expect(about["codecs"] == CODECS and not about.get("storage_transformers"), f"{name} is encoded")
    _expect(about["data_type"] in TYPES, f"{name} does not hold numbers")
    shape = tuple(about["shape"])
    _expect(about["chunk_grid"] == {"name": "regular", "configuration": {"chunk_shape": list(shape)}}, f"{name} is cut")
    dtype = np.dtype(about["data_type"]).newbyteorder("<")
    content = members.pop("/".join([name, "c", *("0" for _ in shape)]), None)
    if content is None:
        _expect(not np.any(about["fill_value"]), f"{name} is missing")
        _expect(math.prod(shape) < 2**27, f"{name} is too large")  # 1 GiB: the file does not bound it
        return np.zeros(shape, dtype)
    return np.frombuffer(content, dtype).reshape(shape).copy()


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DamagedChunkError(otherwise)
