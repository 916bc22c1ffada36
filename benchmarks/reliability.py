"""A thousand trajectories at each of several N: does any fail, and how large do the windows get?"""

from __future__ import annotations

import json

import numpy as np

from benchmarks.problems import STATE, model
from benchmarks.timing import table
from opendicke import NuHOPS, solve

ATOMS = (10**2, 10**3, 10**5)


def run(trajectories: int = 1000) -> None:
    """On all cores, t = 20."""
    rows = []
    for n_atoms in ATOMS:
        times = np.linspace(0.0, 20.0, 201)
        result = solve(model(n_atoms), STATE, times, NuHOPS(trajectories=trajectories, seed=2), progress=False)
        about = result.attrs
        window = f"{about['largest_states']:.0f} × {about['largest_levels']:.0f}"
        failed = len(json.loads(about["failed_trajectories"]))
        rows.append((f"{n_atoms:,}", trajectories, failed, window, f"{about['wall_time_s']:.0f}"))
    table(("N", "trajectories", "failed", "largest window n × k", "wall time, s"), rows)
