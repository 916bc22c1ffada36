"""Spin states for the tests of their analysis: random models solved both ways, and states given by hand."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats

import opendicke as od
from opendicke.analysis import interval

#: Trajectories of a sampled case.
TRAJECTORIES = 96


@dataclass(frozen=True)
class Case:
    """One model solved exactly and by trajectories, with the states kept at the last time."""

    exact: xr.Dataset
    sampled: xr.Dataset

    @property
    def time(self) -> float:
        return float(self.exact.state_time[-1])

    @property
    def n_atoms(self) -> int:
        return int(json.loads(self.exact.attrs["model"])["n_atoms"])


def random_problem(seed: int) -> tuple[od.DickeModel, od.SpinCoherent, float]:
    """A random model with N = 1 … 12 (balanced for every third seed), an initial state and a time."""
    random = np.random.default_rng(1000 + seed)
    n_atoms = (1, 2, 3, 4, 5, 6, 8, 12)[seed % 8]
    omega_a, omega_c, kappa = random.uniform(-1.5, 1.5), random.uniform(0.5, 2), random.uniform(0.3, 1)
    g_minus, g_plus = random.uniform(0.2, 0.9, 2)
    if seed % 3 == 0:
        g_plus = g_minus
    model = od.DickeModel(
        n_atoms=n_atoms, omega_a=omega_a, omega_c=omega_c, kappa=kappa, g_minus=g_minus, g_plus=g_plus
    )
    state = od.SpinCoherent(random.uniform(0, math.pi), random.uniform(0, 2 * math.pi))
    return model, state, float(random.uniform(0.5, 3.0))


@cache
def random_case(seed: int) -> Case:
    """A random problem solved both ways."""
    model, state, time = random_problem(seed)
    exact = od.Lindblad(keep_states=(time,), rtol=1e-7, atol=1e-9, max_top_population=1e-6)
    sampled = od.NuHOPS(trajectories=TRAJECTORIES, seed=seed, keep_states=(time,))
    answers = [
        od.solve(model, state, [time], method, executor=od.Serial(), progress=False) for method in (exact, sampled)
    ]
    return Case(*answers)


def part(dataset: xr.Dataset, first: int, step: int) -> xr.Dataset:
    """Every ``step``-th trajectory of a sampled answer."""
    return dataset.isel(trajectory=slice(first, None, step))


def mean_z(values: ArrayLike) -> float:
    """Mean of independent numbers, in its own standard errors."""
    numbers = np.asarray(values, dtype=float)
    return float(numbers.mean() / (numbers.std(ddof=1) / math.sqrt(numbers.size)))


def states_dataset(n_atoms: int, psi: ArrayLike, frames: ArrayLike) -> xr.Dataset:
    """States given by hand, as trajectories at time 0."""
    dims = ("trajectory", "state_time")
    amplitudes = np.asarray(psi, dtype=complex)[:, None]
    data = {
        "psi": ((*dims, "n"), amplitudes),
        "psi_frame": ((*dims, "axis", "component"), np.asarray(frames, dtype=float)[:, None]),
    }
    return xr.Dataset(data, {"state_time": [0.0]}, {"model": json.dumps({"n_atoms": n_atoms})})


def rotation(phi: float, theta: float, chi: float) -> NDArray[np.float64]:
    """Axes (rows) of the frame turned by chi, then theta about y, then phi about z."""
    turn = np.array([[math.cos(chi), math.sin(chi), 0.0], [-math.sin(chi), math.cos(chi), 0.0], [0.0, 0.0, 1.0]])
    return turn @ od.SpinCoherent(theta, phi).frame()


def covered(pairs: Sequence[tuple[xr.Dataset, xr.Dataset]], name: str) -> float:
    """Share of sampled values whose 95 % interval holds the exact one; real and imaginary parts count as two.

    Pairs are (sampled, exact). Values that do not fluctuate are left out: there the exact method's error would count.
    """
    inside: list[bool] = []
    for sampled, exact in pairs:
        low, high = (end.values for end in interval(sampled, name))
        value = exact[name].values
        for part in ("real", "imag") if np.iscomplexobj(value) else ("real",):
            bottom, top, truth = (np.ravel(getattr(one, part)) for one in (low, high, value))
            moving = top - bottom > 1e-6
            inside.extend(((bottom <= truth) & (truth <= top))[moving])
    return float(np.mean(inside))


def coverage(z: Sequence[ArrayLike], degrees: int) -> float:
    """Share of deviations, in standard errors, inside the 95 % interval of Student's t."""
    values = np.concatenate([np.ravel(part) for part in z])
    return float(np.mean(np.abs(values) < stats.t.ppf(0.975, degrees)))
