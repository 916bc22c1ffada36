"""Grids of parameters: the models at their points, and one Dataset out of what is found there."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from opendicke import checks, description
from opendicke.model import DickeModel, Model, check_model
from opendicke.observables.catalogue import VARIABLES
from opendicke.system import System, as_system

#: What answers say of single points in their attrs; over a grid these are variables.
COUNTS = (
    "trajectories",
    "largest_states",
    "largest_levels",
    "right_hand_sides",
    "dropped_weight",
    "noise_step",
    "precision_reached",
    "wall_time_s",
    "photons",
    "second_photons",
    "top_population",
    "residual",
    "gap",
    "top_level",
    "spin_length_drift",
    "unphysical_from",
    "unphysical_reasons",
    "integrated_until",
    "integration_message",
    "lag",
    "neglected",
    "settles_in",
    "min_eigenvalue",
    "centre",
    "states",
    "norm_drift",
    "energy_drift",
)

#: Further names in answers: what is kept of trajectories, dimensions, errors.
OTHERS = (
    {"batch", "batch_means", "batch_size", "channel", "trajectory", "state_time", "psi", "psi_frame", "n", "axis"}
    | {"spin", "mode", "word", "word_batch_means"}
    | {"component", "rho_spin", "n_prime", "covariance_min_eigenvalue", "refusal"}
    | {f"{name}{suffix}" for name in VARIABLES for suffix in ("_sem", "_error", "_trajectory")}
)

#: Names that a parameter cannot have: other names in the answer, and options of xarray's ``sel``, ``isel``, ``interp``.
TAKEN = frozenset(
    {"time", "self", "method", "tolerance", "drop", "indexers", "missing_dims", "coords", "assume_sorted", "kwargs"}
    | {"method_non_numeric", "labels", "errors", "copy", "fill_value", *VARIABLES, *COUNTS, *OTHERS}
)

#: What to do about an axis of complex numbers or signals.
NO_NUMBERS = "For signals and complex numbers, sweep a function from real numbers to a model."

#: What else may be swept.
PARTS = 'Dotted names lead to parts of signals and of the initial state: "drive.amplitude", "state.theta".'
#: What the names of the initial state's parameters begin with.
STATE = "state."
#: The parameters of a model.
PARAMETERS = tuple(field.name for field in dataclasses.fields(DickeModel))


@dataclass(frozen=True, eq=False)
class Grid:
    """Models over the product of some parameters' values.

    Attributes:
        axes: parameter -> its values; the dimensions of the grid, in order.
        models: one for each point, the last axis running fastest.
    """

    axes: dict[str, NDArray[Any]]
    models: tuple[Model, ...]

    @classmethod
    def of(cls, model: Model | Callable[..., Model], grid: Mapping[str, ArrayLike]) -> Grid:
        """The grid of a model whose parameters are replaced, or of a function from the grid's parameters to a model.

        Raises:
            ValueError, TypeError: for a grid that does not fit the model; the message names the parameter.
        """
        if not callable(model):
            check_model(model)
        axes = _axes(grid)
        models = tuple(_model_at(model, place) for place in _places(axes))
        kinds = {(type(one).__name__, *as_system(one).shape) for one in models}
        if len(kinds) > 1:
            expected = "models of one kind, of as many spins and modes, at all points"
            raise checks.refuse("model", expected, " and ".join(map(str, sorted(kinds))))
        return cls(axes, models)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of values on each axis."""
        return tuple(axis.size for axis in self.axes.values())

    @property
    def size(self) -> int:
        """The number of points."""
        return math.prod(self.shape)

    @property
    def places(self) -> list[dict[str, Any]]:
        """The parameters of each point."""
        return _places(self.axes)

    @property
    def swept(self) -> tuple[str, ...]:
        """The parameters of the model that have an axis, or are not the same at all points."""
        known = (field.name for field in dataclasses.fields(self.models[0]))
        return tuple(name for name in known if name in self.axes or len({*self._values(name)}) > 1)

    def attrs(self) -> dict[str, str]:
        """What :func:`opendicke.checks.dataset_model` reads: the parameters that are fixed, and the others' names."""
        fixed = {name: value for name, value in description.describe(self.models[0]).items() if name not in self.swept}
        return {"model": json.dumps(fixed), "swept": json.dumps(self.swept)}

    def coords(self) -> dict[str, Any]:
        """The axes, and the model's parameters that vary along them."""
        found: dict[str, Any] = {}
        for name in self.swept:
            values = np.reshape(_as_coordinate(self._values(name)), self.shape)
            dims: list[str] = []
            for place, axis in reversed(list(enumerate(self.axes))):
                if (values == values.take([0], axis=place)).all():
                    values = values.take(0, axis=place)
                else:
                    dims.insert(0, axis)
            about = {"definition": f"parameter {name} of the model at each point"}
            found[name] = (tuple(dims), values, about)
        return found | self.axes

    def stack(self, results: Sequence[xr.Dataset | None]) -> xr.Dataset:
        """One Dataset from the answers at all points; see :func:`stacked`."""
        return stacked(self, results)

    def _values(self, name: str) -> list[Any]:
        return [getattr(model, name) for model in self.models]


def _axes(grid: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    if not isinstance(grid, Mapping) or not grid:
        expected = "a mapping from at least one parameter to its values"
        raise checks.refuse("grid", expected, grid, error=ValueError if isinstance(grid, Mapping) else TypeError)
    for name in grid:
        if not isinstance(name, str) or not _is_name(name) or name in TAKEN:
            raise checks.refuse("grid", "names of parameters that the answer has no other use for", name)
    axes: dict[str, NDArray[Any]] = {}
    for name, values in grid.items():
        axis = checks.real_array(f"grid[{name!r}]", values, hint=NO_NUMBERS)
        if np.unique(axis).size != axis.size:
            raise checks.refuse(f"grid[{name!r}]", "a one-dimensional sequence of different values", values)
        whole = np.asarray(values).dtype.kind in "iu"
        axes[name] = np.array(values) if whole else axis
    return axes


def _is_name(name: str) -> bool:
    """Whether a parameter may be called so: an identifier, or a dotted name."""
    head, *rest = name.split(".")
    return head.isidentifier() and all(part.isidentifier() or part.isdigit() for part in rest)


def of_state(place: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the initial state at a point (``state.theta``), by their names in it."""
    return {name.removeprefix(STATE): value for name, value in place.items() if name.startswith(STATE)}


def _as_coordinate(values: list[Any]) -> list[Any]:
    """What a coordinate holds of a parameter: its values; as JSON if they are no numbers at some points."""
    if all(isinstance(value, numbers.Number) for value in values):
        return values
    return [json.dumps(description.plain(value)) for value in values]


def _places(axes: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    values = itertools.product(*(axis.tolist() for axis in axes.values()))
    return [dict(zip(axes, point, strict=True)) for point in values]


def _model_at(model: Model | Callable[..., Model], place: dict[str, Any]) -> Model:
    own = {name: value for name, value in place.items() if not name.startswith(STATE)}
    if not isinstance(model, (DickeModel, System)):
        made = model(**own)
        expected = "a function that returns an opendicke.DickeModel (or an opendicke.System)"
        checks.instance("model", made, (DickeModel, System), expected)
        fields = {field.name for field in dataclasses.fields(made)}
        for name in own:
            if name in fields and getattr(made, name) != own[name]:
                got = f"{name} = {own[name]} for a model with {name} = {getattr(made, name)}"
                raise checks.refuse("grid", f"a {name} that is the model's own", got, "Give it another name.")
        return made
    known = {*PARAMETERS, "coupling"} if isinstance(model, DickeModel) else {*model.rates, "n_ref"}
    for name in own:
        if name not in known and "." not in name:
            raise checks.refuse("grid", f"parameters out of {', '.join(sorted(known))}", name, PARTS)
    try:
        return model.replace(**own)
    except (TypeError, ValueError) as problem:
        if not any("." in name for name in own):
            raise
        raise type(problem)(f"grid: {problem}") from problem


def stacked(grid: Grid, results: Sequence[xr.Dataset | None]) -> xr.Dataset:
    """One Dataset from the answers at all points of a grid, at least one of which is there.

    Everything gets the grid's dimensions in front. What a point lacks is NaN: all of it where its answer is None,
    trajectories that others have, batches beyond its own (these have the size 0). States are filled up with zeros
    along ``n``, which changes none of them. Of the attrs, :data:`COUNTS` become variables; others are kept that are
    the same at all points.
    """
    held = _with_same_trajectories([result for result in results if result is not None])
    example, rows = held[0], [row for row, result in enumerate(results) if result is not None]
    sizes = {dim: max(one.sizes[dim] for one in held) for dim in example.dims}
    data: dict[str, Any] = {}
    for name, variable in example.data_vars.items():
        values = np.full((len(results), *(sizes[dim] for dim in variable.dims)), *_nothing(variable.dtype))
        for row, one in zip(rows, held, strict=True):
            found = one[name].values
            if "n" in variable.dims:
                values[row] = 0
            own: tuple[int | slice, ...] = (row, *(slice(size) for size in found.shape))
            values[own] = found
        data[str(name)] = ((*grid.axes, *variable.dims), values.reshape(*grid.shape, *values.shape[1:]), variable.attrs)
    for name in COUNTS:
        if name in example.attrs:
            missing = "" if isinstance(example.attrs[name], str) else np.full(np.shape(example.attrs[name]), np.nan)
            counts = np.array([missing if one is None else one.attrs[name] for one in results])
            dims = (*grid.axes, *("mode",)[: counts.ndim - 1])  # what a system's every mode has is a tuple
            values = counts.reshape(*grid.shape, *counts.shape[1:])
            data[name] = (dims, values, {"definition": f"{name} of each point"})
    attrs = {
        name: value
        for name, value in example.attrs.items()
        if name not in COUNTS and all(one.attrs.get(name) == value for one in held)
    }
    coords = {name: values for name, values in example.coords.items() if name not in grid.axes}
    return xr.Dataset(data, {**coords, **grid.coords()}, attrs | grid.attrs())


def _with_same_trajectories(results: list[xr.Dataset]) -> list[xr.Dataset]:
    """The answers with all trajectories that any of them kept, NaN where one lacks them."""
    if "trajectory" not in results[0].coords:
        return results
    first = results[0].trajectory
    if all(first.equals(result.trajectory) for result in results):
        return results
    every = np.unique(np.concatenate([result.trajectory.values for result in results]))
    return [result.reindex(trajectory=every) for result in results]


def _nothing(dtype: Any) -> tuple[Any, Any]:
    """What stands where there is no answer, and its type: NaN, or 0 for counts."""
    if dtype.kind in "iu":
        return 0, dtype
    return (complex(np.nan, np.nan) if dtype.kind == "c" else np.nan), dtype


def nbytes(result: xr.Dataset) -> int:
    """Bytes that the variables of an answer take."""
    return sum(variable.nbytes for variable in result.data_vars.values())
