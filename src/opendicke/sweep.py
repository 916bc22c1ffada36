"""The same question at every point of a grid of parameters."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from opendicke import checks
from opendicke.ensemble.store import Store, StoreError, Study, key_of
from opendicke.model import DickeModel
from opendicke.problem import Executor, Method, Problem, Progress
from opendicke.progress import Silent, meter
from opendicke.solve import as_store, describe, solve
from opendicke.states import SpinCoherent

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
        state, times, method, observables, executor: as for :func:`opendicke.solve`. A ``Precision`` in the method holds
            at every point by itself.
        common_random_numbers: use the same noise at every point, so that differences between points are less noisy;
            otherwise the streams of different points are independent. A point's stream depends on its parameters, not
            on its place in the grid: a grid may be refined without losing what is done.
        run_missing: False runs nothing and returns what ``store`` holds by now, with NaN at points that are not begun:
            a look at a sweep that is still running elsewhere.
        progress: None for a bar on a terminal only; it counts points.
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
    axes = _axes(grid)
    bar = meter(progress)
    results: list[xr.Dataset | None] = []
    points = list(_points(model, axes))
    bar.start(len(points), "point", "sweep")
    try:
        for place, at in points:
            how: Any = method if common_random_numbers else with_point(method, at)
            if not run_missing:
                how = _only_stored(Problem(at, state, checks.time_grid(times)), how, store)
            options: dict[str, Any] = {"executor": executor, "progress": Silent(), "store": store}
            results.append(None if how is None else solve(at, state, times, how, observables, **options))
            bar.advance(1, **{name: f"{value:g}" for name, value in place.items()})
    finally:
        bar.close()
    return assemble(axes, results)


def with_point(method: Any, model: DickeModel) -> Any:
    """The method with random streams of this model's own (a method without streams is returned as it is)."""
    if "point" not in {field.name for field in dataclasses.fields(method)}:
        return method
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(model), sort_keys=True).encode()).digest()
    return dataclasses.replace(method, point=int.from_bytes(digest[:8], "big"))


def _only_stored(problem: Problem, method: Any, store: Store | str | Path | None) -> Any:
    """The method with as many trajectories as are stored, at most; None if there are none."""
    if store is None:
        raise checks.refuse("store", "a folder, when nothing is to be run", store)
    study = Study(as_store(store).root / key_of(describe(problem, method)))
    there = min(study.trajectories, method.trajectories)
    return dataclasses.replace(method, trajectories=there) if there else None


def _axes(grid: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    if not grid:
        raise checks.refuse("grid", "at least one parameter", dict(grid))
    axes = {name: np.asarray(values) for name, values in grid.items()}
    for name, values in axes.items():
        if values.ndim != 1 or values.size == 0 or np.unique(values).size != values.size:
            raise checks.refuse(f"grid[{name!r}]", "a one-dimensional sequence of different values", values)
    return axes


def _points(
    model: DickeModel | Callable[..., DickeModel], axes: dict[str, NDArray[Any]]
) -> Iterator[tuple[dict[str, Any], DickeModel]]:
    """Every point of the grid: its parameters, and its model."""
    known = {field.name for field in dataclasses.fields(DickeModel)}
    for values in itertools.product(*(axis.tolist() for axis in axes.values())):
        place = dict(zip(axes, values, strict=True))
        if not isinstance(model, DickeModel):
            yield place, model(**place)
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
    names = [name for name, data in example.data_vars.items() if data.dims == ("time",)]
    data: dict[str, Any] = {}
    for name in names:
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
