"""How often 95 % intervals from trajectories hold the master equation's value, over random models with N <= 12.

The cases are none of those that the tests use.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy import stats
from tests.spin_cases import TRAJECTORIES, random_case

from benchmarks.timing import table
from opendicke.analysis import (
    covariances,
    fisher_information,
    husimi,
    mixedness,
    negativity,
    photon_statistics,
    squeezing,
)

FIRST = 800

Function = Callable[[xr.Dataset], xr.Dataset]


def _husimi(dataset: xr.Dataset) -> xr.Dataset:
    return husimi(dataset, theta=np.linspace(0.3, 2.8, 4), phi=np.linspace(0, 5.2, 5))


def _fisher(dataset: xr.Dataset) -> xr.Dataset:
    found = fisher_information(dataset)
    endings = [end for end in ("", "_sem") if f"qfi{end}" in found]
    diagonals = {f"diagonal{end}": ("axis", found[f"qfi{end}"].values[0].diagonal()) for end in endings}
    return xr.Dataset(diagonals).merge(found[[f"qfi_max{end}" for end in endings]])


#: Name in the table, function, variable, degrees of freedom of Student's t.
QUANTITIES: tuple[tuple[str, Function, str, int], ...] = (
    ("Q", _husimi, "Q", TRAJECTORIES - 1),
    ("purity", mixedness, "purity", TRAJECTORIES - 1),
    ("entropy", mixedness, "entropy", 15),
    ("negativity", negativity, "negativity", 7),
    ("Fisher matrix, diagonal", _fisher, "diagonal", 7),
    ("largest Fisher information", _fisher, "qfi_max", 7),
    ("ξ²", squeezing, "xi2", 31),
    ("ξ² in dB", squeezing, "xi2_dB", 31),
    ("ξ_S²", squeezing, "xi2_S", 31),
    ("C_af", covariances, "C_af", 31),
    ("g²(0)", photon_statistics, "g2", 31),
    ("Fano factor", photon_statistics, "fano", 31),
    ("quadrature variance", photon_statistics, "quadrature_variance", 31),
)


def run(cases: int = 600) -> None:
    """A few minutes."""
    deviations: dict[str, list[np.ndarray]] = {name: [] for name, *_ in QUANTITIES}
    for seed in range(FIRST, FIRST + cases):
        case = random_case(seed)
        random_case.cache_clear()
        pairs = {
            function: (function(case.exact), function(case.sampled))
            for function in {function for _, function, *_ in QUANTITIES}
            if function is not negativity or case.n_atoms > 1
        }
        for name, function, variable, _ in QUANTITIES:
            if function in pairs:
                deviations[name].append(_deviations(*pairs[function], variable))
    rows = []
    for name, _, _, degrees in QUANTITIES:
        reach = float(stats.t.ppf(0.975, degrees))
        each = [np.mean(np.abs(z) < reach) for z in deviations[name] if z.size]
        z = np.concatenate(deviations[name])
        sides = f"{100 * np.mean(z < -reach):.1f} %, {100 * np.mean(z > reach):.1f} %"
        share, error = np.mean(each), np.std(each, ddof=1) / np.sqrt(len(each))
        rows.append((name, len(each), f"{100 * share:.1f} ± {100 * error:.1f} %", sides))
    table(("quantity", "cases", "inside", "estimate too small, too large"), rows)


def _deviations(exact: xr.Dataset, sampled: xr.Dataset, variable: str) -> np.ndarray:
    """In standard errors, where there is one; of Q where it is above 2 % of its largest value."""
    arrays = exact[variable], sampled[variable], sampled[f"{variable}_sem"]
    truth, found, error = (np.ravel(values) for values in arrays)
    if np.iscomplexobj(truth):
        truth, found, error = (np.concatenate([values.real, values.imag]) for values in (truth, found, error))
    counted = np.isfinite(found - truth) & (error > 1e-9 * np.nan_to_num(np.abs(found)).max())
    if variable == "Q":
        counted &= truth > 0.02 * truth.max()
    z: np.ndarray = (found - truth)[counted] / error[counted]
    return z
