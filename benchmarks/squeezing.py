"""Spin squeezing of the normal state in the bistable phase against N, beside Gaussian theory (N → ∞)."""

from __future__ import annotations

import time

import numpy as np
import xarray as xr

from benchmarks.timing import table
from opendicke import DickeModel, Normal, NuHOPS, solve
from opendicke.analysis import fixed_point, fluctuations, squeezing

#: Trajectories for each N.
ENSEMBLES = {100: 4096, 300: 2048, 1000: 2048, 3000: 1024, 10_000: 1024, 100_000: 512}
TIMES = np.array([5.0, 10.0, 15.0, 20.0, 25.0, 30.0])


def model(n_atoms: int) -> DickeModel:
    return DickeModel(n_atoms=n_atoms, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.8, g_plus=0.782)


def run(part: float = 1.0) -> None:
    """On all cores; ``part`` of the trajectories."""
    print(f"Gaussian theory: {fluctuations(fixed_point(model(1), 'normal')).squeezing:.6f}\n")
    rows = []
    for seed, (n_atoms, count) in enumerate(ENSEMBLES.items(), start=1):
        began = time.process_time()
        method = NuHOPS(trajectories=round(part * count), seed=seed)
        result = solve(model(n_atoms), Normal(), TIMES, method, progress=False)
        cost = 1e3 * (time.process_time() - began) / result.attrs["trajectories"]
        found = squeezing(result)
        values = [_quoted(found.isel(time=at)) for at in range(TIMES.size)]
        rows.append((f"{n_atoms:,}", result.attrs["trajectories"], *values, f"{cost:.0f}"))
    table(("N", "trajectories", *(f"t = {at:g}" for at in TIMES), "CPU a trajectory, ms"), rows)


def _quoted(found: xr.Dataset) -> str:
    return f"{found.xi2.item():.4f} ± {found.xi2_sem.item():.4f}"
