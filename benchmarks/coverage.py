"""How often 95 % intervals from trajectories hold the master equation's value, over random models with N <= 12.

The cases are none of those that the tests use. Afterwards the same with Gaussian copies, for models with N >= 5.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from unittest import mock

import numpy as np
import xarray as xr
from scipy import stats
from tests.spin_cases import TRAJECTORIES, random_case, random_problem

import opendicke as od
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
from opendicke.methods import control
from opendicke.observables.catalogue import VARIABLES

FIRST = 800
#: Seeds of models, eight of which are one of each N, from where on those with copies are; ensembles of each model.
FIRST_CONTROLLED, ENSEMBLES = 4000, 12
#: Most copies beside a trajectory: what is to be shown does not depend on their number, and what they cost here does.
MOST = 64

Function = Callable[[xr.Dataset], xr.Dataset]


def _husimi(dataset: xr.Dataset) -> xr.Dataset:
    return husimi(dataset, theta=np.linspace(0.3, 2.8, 4), phi=np.linspace(0, 5.2, 5))


def _fisher(dataset: xr.Dataset) -> xr.Dataset:
    found = fisher_information(dataset)
    endings = [end for end in ("", "_sem") if f"qfi{end}" in found]
    diagonals = {f"diagonal{end}": ("axis", found[f"qfi{end}"].values[0].diagonal()) for end in endings}
    return xr.Dataset(diagonals).merge(found[[f"qfi_max{end}" for end in endings]])


#: Degrees of freedom of what follows from the means over batches.
JACKKNIFED = 31
#: Name in the table, function, variable, degrees of freedom of Student's t.
QUANTITIES: tuple[tuple[str, Function, str, int], ...] = (
    ("Q", _husimi, "Q", TRAJECTORIES - 1),
    ("purity", mixedness, "purity", TRAJECTORIES - 1),
    ("entropy", mixedness, "entropy", 15),
    ("negativity", negativity, "negativity", 7),
    ("Fisher matrix, diagonal", _fisher, "diagonal", 7),
    ("largest Fisher information", _fisher, "qfi_max", 7),
    ("ξ²", squeezing, "xi2", JACKKNIFED),
    ("ξ² in dB", squeezing, "xi2_dB", JACKKNIFED),
    ("ξ_S²", squeezing, "xi2_S", JACKKNIFED),
    ("C_af", covariances, "C_af", JACKKNIFED),
    ("g²(0)", photon_statistics, "g2", JACKKNIFED),
    ("Fano factor", photon_statistics, "fano", JACKKNIFED),
    ("quadrature variance", photon_statistics, "quadrature_variance", JACKKNIFED),
)

#: Those of them that follow from means over batches, into which copies enter; and what else is told of these.
BATCHED = tuple(one for one in QUANTITIES if one[-1] == JACKKNIFED)
MEANS, REDUCTION = "means, all variables", "reduction"


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
    degrees = {name: degrees for name, *_, degrees in QUANTITIES}
    _tell({name: ([z for z in deviations[name] if z.size], degrees[name]) for name in deviations})
    controlled()


def controlled(models: int = 42) -> None:
    """504 ensembles with Gaussian copies, whose first 64 trajectories are the pilot; a few minutes."""
    _tell(_together([of_model(number) for number in range(models)]))


def of_model(number: int) -> dict[str, np.ndarray]:
    """Deviations of the ensembles of one random model, of N = 5, 6, 8 and 12 in turn; ``reduction`` is no deviation."""
    seed = FIRST_CONTROLLED + 8 * (number // 4) + 4 + number % 4
    model, state, time = random_problem(seed)
    exact = od.solve(model, state, [time], od.Lindblad(rtol=1e-7, atol=1e-9), executor=od.Serial(), progress=False)
    found: dict[str, list[np.ndarray]] = {name: [] for name in (MEANS, *(name for name, *_ in BATCHED), REDUCTION)}
    for ensemble in range(ENSEMBLES):
        method = od.NuHOPS(TRAJECTORIES, seed=seed, point=ensemble, control="gaussian")
        with mock.patch.object(control, "MOST_COPIES", MOST):
            sampled = od.solve(model, state, [time], method, executor=od.Serial(), progress=False)
        found[MEANS] += [_deviations(exact, sampled, name) for name in VARIABLES]
        for name, function, variable, _ in BATCHED:
            found[name].append(_deviations(function(exact), function(sampled), variable))
        reductions = json.loads(sampled.attrs["variance_reduction"])
        found[REDUCTION].append(np.array([np.median(list(reductions.values()))]))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _together(models: list[dict[str, np.ndarray]]) -> dict[str, tuple[list[np.ndarray], int]]:
    """What :func:`_tell` tells of, after a line on the whole."""
    reduction = np.median(np.concatenate([one.pop(REDUCTION) for one in models]))
    print(f"\nwith copies: {len(models) * ENSEMBLES} ensembles, variance reduced {reduction:.1f} times (median)\n")
    degrees = {MEANS: TRAJECTORIES - 1} | {name: degrees for name, *_, degrees in BATCHED}
    return {name: ([one[name] for one in models if one[name].size], degrees[name]) for name in degrees}


def _tell(deviations: Mapping[str, tuple[Sequence[np.ndarray], int]]) -> None:
    """The share inside, with an error from the scatter among cases; name -> deviations of each case, and of Student's t
    the degrees of freedom."""
    rows = []
    for name, (cases, degrees) in deviations.items():
        reach = float(stats.t.ppf(0.975, degrees))
        each = [np.mean(np.abs(z) < reach) for z in cases]
        z = np.concatenate(cases)
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
