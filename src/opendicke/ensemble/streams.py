"""Random streams addressed by index: trajectory i of seed s is the same whoever runs it, in whatever chunk."""

from __future__ import annotations

import numpy as np


def stream(seed: int, trajectory: int, point: int = 0, beside: tuple[int, ...] = ()) -> np.random.Generator:
    """The generator of one trajectory of one parameter point; independent for all (seed, point, trajectory, beside).

    ``beside``: numbers of further generators that go with the trajectory.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(point, trajectory, *beside))))
