"""Numbers that must not change by accident: trajectories, study keys, random streams.

Run ``python tests/golden.py`` to write ``tests/data/golden.json`` anew, and explain in the changelog why they changed.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

import opendicke as od
from opendicke.engine.compile import PORTABLE
from opendicke.ensemble.store import key_of
from opendicke.ensemble.streams import stream
from opendicke.problem import Problem
from opendicke.solve import describe
from opendicke.sweep import with_point

PLACE = Path(__file__).parent / "data" / "golden.json"
TIMES = (0.0, 0.5, 1.25, 2.0)

BALANCED = od.DickeModel.balanced(n_atoms=100, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.26)
UNBALANCED = od.DickeModel(n_atoms=21, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.8, g_plus=0.782)
FEW = od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.2, g_plus=-0.4)
TILTED = od.SpinCoherent(theta=np.pi / 4, phi=np.pi)
FILLED = od.SpinCoherent(theta=2.0, phi=0.3, alpha=0.7 - 0.4j)

#: Name -> model, state, method: one of each kind of trajectory.
CASES: dict[str, tuple[od.DickeModel, od.SpinCoherent, Any]] = {
    "nuhops": (BALANCED, TILTED, od.NuHOPS(trajectories=8, seed=1)),
    "nuhops pole": (BALANCED.replace(n_atoms=100000), od.Normal(), od.NuHOPS(trajectories=8, seed=7, tol=1e-3)),
    "nuhops unbalanced": (UNBALANCED, FILLED, od.NuHOPS(trajectories=8, seed=2, keep_trajectories=True)),
    "nuhops single precision": (UNBALANCED, TILTED, od.NuHOPS(trajectories=8, seed=3, dtype="float32")),
    "nuhops states": (FEW, FILLED, od.NuHOPS(trajectories=8, seed=4, point=5, keep_states=(0.5, 2.0))),
    "hops": (FEW, FILLED, od.HOPS(trajectories=8, seed=5)),
    "wigner": (BALANCED, FILLED, od.TruncatedWigner(trajectories=8, seed=6)),
    "wigner exact": (UNBALANCED, TILTED, od.TruncatedWigner(trajectories=8, seed=7, sampling="exact")),
}


def machine() -> dict[str, str]:
    """What decides the last bits: the processor and the libraries that compute."""
    import llvmlite.binding as llvm  # no stubs
    import numba

    kernels = {str(pool.get("architecture", pool["internal_api"])) for pool in threadpool_info()}
    return {
        "processor": numba.config.CPU_NAME or llvm.get_host_cpu_name(),
        "kernels": "portable" if PORTABLE else "simd",
        "blas": " ".join(sorted(kernels)),
        "libc": " ".join(platform.libc_ver()),
        **{name: metadata.version(name) for name in ("numpy", "scipy", "numba", "llvmlite")},
    }


def trajectories(name: str) -> dict[str, list[float]]:
    """Two trajectories of a case: their channels and what else they keep, flat."""
    model, state, method = CASES[name]
    simulate = method.simulator(Problem(model, state, np.array(TIMES)))
    found = {}
    for index in (0, 3):
        sample = simulate(index)
        for part, values in (sample.averaged | sample.kept).items():
            found[f"{index} {part}"] = np.ascontiguousarray(values).view(np.float64).ravel().tolist()
    return found


def key(name: str) -> str:
    """The key of a case's study."""
    model, state, method = CASES[name]
    return key_of(describe(Problem(model, state, np.array(TIMES)), method))


def streams() -> dict[str, list[float]]:
    """The first numbers of some streams, by seed, point and trajectory."""
    places = [(0, 0, 0), (1, 0, 0), (1, 0, 7), (1, 12345678901234567890, 7)]
    return {str(place): stream(place[0], place[2], place[1]).standard_normal(3).tolist() for place in places}


def points() -> list[int]:
    """The points of streams that a sweep takes at some models."""
    return [with_point(od.NuHOPS(1), model).point for model in (BALANCED, UNBALANCED, FEW)]


def everything() -> dict[str, Any]:
    """All golden numbers, with the machine that computed them."""
    return {
        "machine": machine(),
        "keys": {name: key(name) for name in CASES},
        "streams": streams(),
        "points": points(),
        "trajectories": {name: trajectories(name) for name in CASES},
    }


if __name__ == "__main__":
    PLACE.write_text(json.dumps(everything(), indent=1) + "\n")
    sys.stdout.write(f"{PLACE}\n")
