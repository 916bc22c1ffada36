"""The same question at every point of a grid of parameters."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from opendicke import checks, description
from opendicke.ensemble.executors import Serial, Threads, check_executor, closing, opened
from opendicke.ensemble.store import Store, Stored, StoreError
from opendicke.ensemble.study import Study
from opendicke.methods.hops import HOPS, HOPSSimulator
from opendicke.methods.nuhops import NuHOPS, NuHOPSSimulator
from opendicke.methods.truncated_wigner import TruncatedWigner, WignerSimulator
from opendicke.model import DickeModel, check_model
from opendicke.observables.catalogue import VARIABLES
from opendicke.problem import Executor, Method, Problem, Progress
from opendicke.progress import SharedMeter, meter
from opendicke.solve import as_store, check_method, describe, solve
from opendicke.states import SpinCoherent, check_state

#: Numbers in a result's attrs that become variables of the sweep.
COUNTS = (
    "trajectories",
    "largest_states",
    "largest_levels",
    "right_hand_sides",
    "dropped_weight",
    "noise_step",
    "precision_reached",
    "wall_time_s",
)


#: Names that a parameter cannot have: other names in the answer, and options of xarray's ``sel``, ``isel``, ``interp``.
TAKEN = frozenset(
    {"time", "self", "method", "tolerance", "drop", "indexers", "missing_dims", "coords", "assume_sorted", "kwargs"}
    | {*VARIABLES, *COUNTS, "method_non_numeric", "labels", "errors", "copy", "fill_value"}
)


#: Points in work at a time, at most: as many as there are workers, so that none waits for the end of a point.
MOST_POINTS = 32


#: What chooses the noise step of each method that has noise.
SIMULATORS: dict[type, Any] = {
    NuHOPS: NuHOPSSimulator,
    HOPS: HOPSSimulator,
    TruncatedWigner: WignerSimulator,
}


def sweep(
    model: DickeModel | Callable[..., DickeModel],
    grid: Mapping[str, ArrayLike],
    state: SpinCoherent,
    times: ArrayLike,
    method: Method,
    observables: Any = None,
    *,
    common_random_numbers: bool = False,
    run_missing: bool = True,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> xr.Dataset:
    """Solve the same problem at every point of a grid of parameters.

    Args:
        model: the model whose parameters are replaced, or a function from the grid's parameters to a model.
        grid: parameter name -> its values (one-dimensional, all different); the sweep runs over their product.
            ``"coupling"`` is :math:`g_- + g_+`, at the model's ratio of the two (see :meth:`DickeModel.replace`).
        state, times, method, observables, executor: as for :func:`opendicke.solve`. A ``Precision`` in the method holds
            at every point by itself.
        common_random_numbers: use the same noise at every point, so that differences between points are less noisy (the
            default step is then that of the fastest point, as the noise depends on the steps); otherwise the streams of
            different points are independent. A point's stream depends on its parameters, not on its place in the
            grid: a grid may be refined without losing what is done.
        run_missing: False runs nothing and returns what ``store`` holds by now, with NaN at points that are not begun:
            a look at a sweep that is still running elsewhere.
        progress: None for a bar on a terminal only. It counts the trajectories of all points (a point that meets its
            ``Precision`` early counts in full), or points where there are no trajectories.
        store: a folder where trajectories are kept; what is done is never run again.

    Returns:
        Dataset with a dimension for each parameter besides ``time``, and how many trajectories each point took.

    Raises:
        ValueError, TypeError: for a grid that does not fit the model; the message names the parameter.
        StoreError: if nothing is to be run and nothing is stored.

    >>> from opendicke.methods.mean_field import MeanField
    >>> model = DickeModel.balanced(n_atoms=10, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.0)
    >>> result = sweep(model, {"omega_a": [0.5, 1.0]}, SpinCoherent(np.pi / 2), [0.0, np.pi], MeanField(), ["Sx"])
    >>> result.Sx.values.round(6) + 0.0
    array([[ 5.,  0.],
           [ 5., -5.]])
    """
    check_method("method", method)
    check_state(state)
    checks.flag("common_random_numbers", common_random_numbers)
    checks.flag("run_missing", run_missing)
    axes = _axes(grid)
    points = list(_points(model, axes))
    if common_random_numbers:
        method = _with_common_step(method, [Problem(at, state, checks.time_grid(times)) for _, at in points])
    trajectories = getattr(method, "trajectories", None)
    shared = SharedMeter(meter(progress), len(points), trajectories)
    asked = _Asked(
        state, checks.time_grid(times), method, observables, common_random_numbers, run_missing, store, shared
    )
    try:
        with opened(check_executor(executor)) as started:
            together = min(getattr(started, "workers", None) or 1, MOST_POINTS) if trajectories else 1
            who = Threads(together) if together > 1 else Serial()
            with closing(who.map(partial(asked.solve, started), points)) as results:
                return assemble(axes, list(results))
    finally:
        shared.close()


@dataclass(frozen=True)
class _Asked:
    """What is asked at every point."""

    state: SpinCoherent
    times: NDArray[np.float64]
    method: Any
    observables: Any
    common_random_numbers: bool
    run_missing: bool
    store: Store | str | Path | None
    meter: SharedMeter

    def solve(self, executor: Executor, point: tuple[dict[str, Any], DickeModel]) -> xr.Dataset | None:
        """The answer at one point, time series and attrs only; None where nothing is stored and nothing to be run."""
        place, model = point
        method = self.method if self.common_random_numbers else with_point(self.method, model)
        gauge = self.meter.point({name: f"{value:g}" for name, value in place.items()})
        options: dict[str, Any] = {"executor": executor, "progress": gauge, "store": self.store}
        if not self.run_missing:
            study = _begun(Problem(model, self.state, self.times), method, self.store)
            if study is None:
                gauge.close()
                return None
            method = dataclasses.replace(method, trajectories=min(study.trajectories, method.trajectories))
            options |= {"executor": Stored(executor, study, description.limits(method), retry=False), "store": None}
        result = solve(model, self.state, self.times, method, self.observables, **options)
        return result[[name for name, data in result.data_vars.items() if data.dims == ("time",)]]


def _with_common_step(method: Any, problems: list[Problem]) -> Any:
    """The method with the shortest of the noise steps that it would choose at these problems."""
    simulator = SIMULATORS.get(type(method))
    if simulator is None or method.step is not None:
        return method
    return dataclasses.replace(method, step=min(simulator(problem, method).step for problem in problems))


def with_point(method: Any, model: DickeModel) -> Any:
    """The method with random streams of this model's own (a method without streams is returned as it is)."""
    if "point" not in {field.name for field in dataclasses.fields(method)}:
        return method
    digest = hashlib.sha256(json.dumps(description.describe(model), sort_keys=True).encode()).digest()
    return dataclasses.replace(method, point=int.from_bytes(digest[:8], "big"))


def _begun(problem: Problem, method: Any, store: Store | str | Path | None) -> Study | None:
    """The study that is stored of a problem, if there is anything in it."""
    if store is None:
        raise checks.refuse("store", "a folder, when nothing is to be run", store)
    study = as_store(store).lookup(describe(problem, method))
    return study if study is not None and study.trajectories else None


def _axes(grid: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    if not isinstance(grid, Mapping) or not grid:
        expected = "a mapping from at least one parameter to its values"
        raise checks.refuse("grid", expected, grid, error=ValueError if isinstance(grid, Mapping) else TypeError)
    for name in grid:
        if not isinstance(name, str) or not name.isidentifier() or name in TAKEN:
            raise checks.refuse("grid", "names of parameters that the answer has no other use for", name)
    axes: dict[str, NDArray[Any]] = {}
    for name, values in grid.items():
        axis = checks.real_array(f"grid[{name!r}]", values)
        if np.unique(axis).size != axis.size:
            raise checks.refuse(f"grid[{name!r}]", "a one-dimensional sequence of different values", values)
        whole = np.asarray(values).dtype.kind in "iu"
        axes[name] = np.array(values) if whole else axis
    return axes


def _points(
    model: DickeModel | Callable[..., DickeModel], axes: dict[str, NDArray[Any]]
) -> Iterator[tuple[dict[str, Any], DickeModel]]:
    """Every point of the grid: its parameters, and its model."""
    if not callable(model):
        check_model(model)
    known = {field.name for field in dataclasses.fields(DickeModel)} | {"coupling"}
    for values in itertools.product(*(axis.tolist() for axis in axes.values())):
        place = dict(zip(axes, values, strict=True))
        if not isinstance(model, DickeModel):
            made = model(**place)
            checks.instance("model", made, DickeModel, "a function that returns an opendicke.DickeModel")
            yield place, made
            continue
        for name in place:
            if name not in known:
                raise checks.refuse("grid", f"parameters out of {', '.join(sorted(known))}", name)
        yield place, model.replace(**place)


def assemble(axes: dict[str, NDArray[Any]], results: list[xr.Dataset | None]) -> xr.Dataset:
    """One Dataset from the results of all points, in the order of the grid; a missing one becomes NaN."""
    example = next((result for result in results if result is not None), None)
    if example is None:
        raise StoreError("no point of this sweep is stored yet")
    shape = tuple(axis.size for axis in axes.values())
    data: dict[str, Any] = {}
    for name in example.data_vars:
        missing = np.full(example[name].shape, np.nan)
        values = np.array([missing if result is None else result[name].values for result in results])
        data[str(name)] = ((*axes, "time"), values.reshape(*shape, -1), example[name].attrs)
    for name in COUNTS:
        if name in example.attrs:
            counts = [np.nan if result is None else result.attrs[name] for result in results]
            data[name] = (tuple(axes), np.reshape(counts, shape), {"definition": f"{name} of each point"})
    attrs = {key: value for key, value in example.attrs.items() if key not in {*COUNTS, "failed_trajectories"}}
    failures = [json.loads(result.attrs.get("failed_trajectories", "[]")) if result else [] for result in results]
    return xr.Dataset(data, {"time": example["time"], **axes}, attrs | {"failed_trajectories": json.dumps(failures)})
