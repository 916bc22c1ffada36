"""Nothing changes by accident: trajectories, keys and streams of what exists."""

import json

import numpy as np
import pytest

import golden

STORED = json.loads(golden.PLACE.read_text())
#: Single precision keeps seven digits of the amplitudes: a last digit that differs shows there.
TOLERANCE = {"nuhops single precision": 1e-5}


@pytest.mark.parametrize("name", golden.CASES)
def test_trajectories(name: str) -> None:
    """Bit for bit on a machine like the one that wrote them, elsewhere to 1e-12 of the largest number."""
    stored, found = STORED["trajectories"][name], golden.trajectories(name)
    assert list(found) == list(stored)
    same = golden.machine() == STORED["machine"]
    for part, values in stored.items():
        if same:
            assert found[part] == values, part
        scale = max(1.0, np.abs(values).max())
        np.testing.assert_allclose(found[part], values, rtol=0, atol=TOLERANCE.get(name, 1e-12) * scale, err_msg=part)


@pytest.mark.parametrize("name", golden.CASES)
def test_keys(name: str) -> None:
    assert golden.key(name) == STORED["keys"][name]


def test_streams() -> None:
    """numpy's generators keep their streams, and ours their addresses: bit for bit everywhere."""
    assert golden.streams() == STORED["streams"]


def test_points_of_a_sweep() -> None:
    assert golden.points() == STORED["points"]
