"""Files of chunks: damage anywhere is found, those of other studies are refused, and nothing in them can run code."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import opendicke as od
from opendicke.ensemble import container, old_container
from opendicke.ensemble.container import Chunk
from opendicke.ensemble.run import Outcome, Sample
from opendicke.ensemble.store import Store, Study

OLD = Path(__file__).parent / "data" / "old-store"
MODEL = od.DickeModel(n_atoms=6, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.1, g_plus=0.6)


def outcome(index: int, size: int = 2) -> Outcome:
    averaged = {"channels": np.linspace(index, index + 1, 3).reshape(1, 3)}
    return index, Sample(averaged, {"psi": np.arange(size) * (1 + 1j)}, {"top": 0.25 * index}, {"count": 1})


CHUNK = Chunk([outcome(0), (1, "it failed"), outcome(2, size=4)], {"max_memory": 2.0}, "0123456789abcdef")


def told(chunk: Chunk) -> str:
    """All that is in a chunk, bit for bit."""
    return repr(
        [
            (index, sample)
            if isinstance(sample, str)
            else (index, sample.peaks, sample.sums, *(
                (name, values.dtype, values.shape, values.tobytes())
                for part in (sample.averaged, sample.kept)
                for name, values in sorted(part.items())
            ))
            for index, sample in chunk.outcomes
        ]
    )  # fmt: skip


def test_what_is_packed_is_unpacked() -> None:
    data = container.pack(CHUNK)
    found = container.unpack(data)
    (_, first), (_, failure), (_, last) = found.outcomes
    assert (found.limits, found.study, found.failed, failure) == (CHUNK.limits, CHUNK.study, [1], "it failed")
    assert isinstance(first, Sample)
    assert isinstance(last, Sample)
    np.testing.assert_array_equal(first.kept["psi"], [0, 1 + 1j, 0, 0])  # padded
    np.testing.assert_array_equal(last.averaged["channels"], [[2.0, 2.5, 3.0]])
    assert (last.peaks, last.sums) == ({"top": 0.5}, {"count": 1})
    assert container.pack(CHUNK) == data
    assert told(container.unpack(container.pack(found))) == told(found)


def test_numpy_reads_the_file() -> None:
    with np.load(io.BytesIO(container.pack(CHUNK)), allow_pickle=False) as content:
        assert content["averaged.channels"].shape == (2, 1, 3)
        assert json.loads(content["about.json"])["indices"] == [0, 1, 2]


def damages(data: bytes) -> list[bytes]:
    """A bit flipped in every byte, lengths that are too short, and bytes too many."""
    flipped = [data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :] for at in range(len(data))]
    return [*flipped, *(data[:length] for length in range(0, len(data), 7)), data + b"\0", b"PK" + data]


def test_damage_anywhere_is_found() -> None:
    for content in damages(container.pack(CHUNK)):
        with pytest.raises(container.DamagedChunkError, match="its checksum is wrong"):
            container.unpack(content)


def test_damage_to_version_1_is_found_or_changes_nothing() -> None:
    """What its zip's headers say besides names, sizes and checksums (time, system, …) does not matter."""
    (file,) = OLD.glob("33eabe3bc4366326/*.zarr.zip")
    data = file.read_bytes()
    whole, damaged, unnoticed = told(old_container.unpack(data)), damages(data), 0
    for content in damaged:
        try:
            found = old_container.unpack(content)
        except Exception:
            continue
        assert told(found) == whole
        unnoticed += 1
    assert unnoticed < 0.15 * len(damaged)


@pytest.mark.parametrize("old", [False, True])
def test_damage_is_named_and_run_again(old: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A sample of the above, all the way: read answers None and says why, whatever exception is behind it."""
    (source,) = OLD.glob("33eabe3bc4366326/*.zarr.zip")
    study = Study(Path(shutil.copytree(source.parent, tmp_path / source.parent.name)))
    if not old:
        whole = study.read(range(3))
        assert whole is not None
        study.write(whole)  # and the one of version 1 is removed
    ((_, victim),) = study.files()
    data = victim.read_bytes()
    found = []
    for content in damages(data)[:: len(data) // 60]:
        victim.write_bytes(content)
        caplog.clear()
        found.append(study.read(range(3)))
        assert (found[-1] is None) == (f"damaged chunk {victim}" in caplog.text and "run again" in caplog.text)
    assert found.count(None) > 50
    assert old or found.count(None) == len(found)


def test_a_chunk_of_another_study_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def run(seed: int, store: Path | None) -> Any:
        return od.solve(MODEL, od.Normal(), [0.0, 1.0], od.NuHOPS(4, seed=seed), store=store, executor=od.Serial()).Sz

    run(1, tmp_path)
    run(2, tmp_path / "other")
    (own,), (other,) = tmp_path.glob("*/*.npz"), tmp_path.glob("other/*/*.npz")
    shutil.copy(other, own)
    with caplog.at_level(logging.WARNING, "opendicke.store"):
        assert Store(tmp_path / "merged").merge(Store(tmp_path)) == 0
        np.testing.assert_array_equal(run(1, tmp_path), run(1, None))
    assert f"it belongs to study {other.parent.name}" in caplog.text


def test_a_longer_chunk_stays_when_a_shorter_one_is_written(tmp_path: Path) -> None:
    """As two processes do that work on one study; a shorter one goes when a longer one is written."""
    study, short = Study(tmp_path), Chunk(CHUNK.outcomes[:2])
    for chunk, left in ((short, [2]), (CHUNK, [3]), (short, [3, 2])):
        study.write(chunk)
        assert [len(which) for which, _ in study.files(0)] == left


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return pytest.fail, ("code in a chunk was run",)


def signed(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A chunk of foreign content whose checksum is right."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = container.DIGEST
    body = stream.getvalue()[: -len(container.DIGEST)]
    return body + hashlib.sha256(body).hexdigest().encode()


def members_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npy(header: str, content: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + content


FOREIGN = {
    "pickle": npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", pickle.dumps(Bomb())),
    "bare pickle": pickle.dumps(Bomb()),
    "huge": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3)}", b"12345678"),
    "negative": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3)}", b"12345678" * 6),
    "expression": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (pytest.fail('run'),)}", b"12345678"),
    "deep": npy("(" * 9000, b""),
    "structure": npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,)}", b"12345678" * 2),
    "other order": npy("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 1, 3)}", b"12345678" * 6),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_arrays_are_refused(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    study = Study(tmp_path)
    members = members_of(container.pack(Chunk(CHUNK.outcomes, study=study.key)))
    study.file(range(3)).write_bytes(signed(members))
    assert study.read(range(3)) is not None  # as it should be, it is taken
    members["averaged.channels.npy"] = FOREIGN[name]
    study.file(range(3)).write_bytes(signed(members))
    assert study.read(range(3)) is None
    assert "damaged chunk" in caplog.text


@pytest.mark.parametrize("name", ["pickle", "structure", "other order"])
def test_arrays_hold_numbers(name: str) -> None:
    members = members_of(container.pack(CHUNK)) | {"averaged.channels.npy": FOREIGN[name]}
    with pytest.raises(container.DamagedChunkError, match="does not hold numbers"):
        container.unpack(signed(members))


@pytest.mark.parametrize(
    "about",
    [
        b"[]", b"1", b"{}", b"[" * 100_000, b"\xff", b'{"arrays": {}}',
        b'{"arrays": {}, "limits": {}, "study": null, "indices": [0, 1, 2], "failures": {}, "peaks": [], "sums": []}',
    ],
)  # fmt: skip
def test_foreign_descriptions_are_refused(about: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    study = Study(tmp_path)
    members = members_of(container.pack(Chunk(CHUNK.outcomes, study=study.key)))
    study.file(range(3)).write_bytes(signed(members | {"about.json": about}))
    assert study.read(range(3)) is None
    assert "damaged chunk" in caplog.text


def test_names_shapes_and_types_are_those_that_the_chunk_names() -> None:
    members = members_of(container.pack(CHUNK))
    single = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 3)}", bytes(24))
    for changed in (
        members | {"averaged.channels.npy": single},
        members | {"kept.more.npy": single},
        {name: content for name, content in members.items() if name != "kept.psi.npy"},
    ):
        with pytest.raises(container.DamagedChunkError, match="not those that it names"):
            container.unpack(signed(changed))


@pytest.mark.parametrize(
    "changes",
    [
        {"arrays": {"averaged.channels": [[3, 1, 3], "<f8"], "kept.psi": [[2, 4], "<c16"]}},  # a row that is nobody's
        {"failures": {"7": "it failed"}},
        {"failures": {}},
        {"peaks": [{}]},
        {"sums": [{}, {}, {}]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_numbers_of_trajectories_agree(changes: dict[str, Any]) -> None:
    members = members_of(container.pack(CHUNK))
    about = json.loads(members["about.json"]) | changes
    shape, _ = about["arrays"]["averaged.channels"]
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {tuple(shape)}}}"
    members |= {
        "about.json": json.dumps(about).encode(),
        "averaged.channels.npy": npy(header, bytes(8 * int(np.prod(shape)))),
    }
    with pytest.raises(container.DamagedChunkError, match="numbers of trajectories differ"):
        container.unpack(signed(members))


def test_members_are_stored_and_not_compressed() -> None:
    """So that a small file cannot fill the memory."""
    members = members_of(container.pack(CHUNK)) | {"kept.psi.npy": bytes(10**6)}
    with pytest.raises(container.DamagedChunkError, match="not stored"):
        container.unpack(signed(members, zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize(
    "change",
    [
        {"zarr_format": 2, "filters": [{"id": "pickle"}]},
        {"codecs": [{"name": "numcodecs.pickle", "configuration": {}}]},
        {"codecs": [{"name": "bytes", "configuration": {"endian": "big"}}]},
        {"data_type": "object"},
        {"shape": [3, 1, 20]},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 1, 21]}}},
        {"storage_transformers": [{"name": "other"}]},
        {"node_type": "group"},
    ],
    ids=str,
)
def test_of_version_1_only_what_it_wrote_is_read(change: dict[str, Any]) -> None:
    (file,) = OLD.glob("33eabe3bc4366326/*.zarr.zip")
    members = members_of(file.read_bytes())
    name = "averaged.channels/zarr.json"
    assert old_container.unpack(signed(members)).outcomes
    changed = members | {name: json.dumps(json.loads(members[name]) | change).encode()}
    with pytest.raises((container.DamagedChunkError, ValueError, KeyError)):
        old_container.unpack(signed(changed))


def test_a_version_2_group_of_zarr_is_refused() -> None:
    """Its metadata could name a filter that runs code."""
    members = {".zgroup": b'{"zarr_format": 2}', "averaged.channels/.zarray": b"{}", "averaged.channels/0": b""}
    with pytest.raises(KeyError, match=r"zarr\.json"):
        old_container.unpack(signed(members))


def test_an_array_of_version_1_that_is_missing_is_zero_or_damage() -> None:
    (file,) = OLD.glob("915ad8777c2ac994/*.zarr.zip")
    members = members_of(file.read_bytes())
    sample = old_container.unpack(file.read_bytes()).outcomes[0][1]
    assert isinstance(sample, Sample)
    assert sample.kept["a_trajectory"].tolist() == [0j]
    name = "kept.a_trajectory/zarr.json"
    changed = members | {name: json.dumps(json.loads(members[name]) | {"fill_value": [1.0, 0.0]}).encode()}
    with pytest.raises(container.DamagedChunkError, match=r"kept\.a_trajectory is missing"):
        old_container.unpack(signed(changed))
