"""The exact steady state at every point of a grid of parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from opendicke import checks
from opendicke.grid import Grid
from opendicke.model import DickeModel, pair_of
from opendicke.observables.catalogue import VARIABLES
from opendicke.problem import Progress
from opendicke.progress import meter
from opendicke.steady.state import check_bound, steady_state


def steady_states(
    model: DickeModel | Callable[..., DickeModel],
    grid: Mapping[str, ArrayLike],
    photons: int | None = None,
    *,
    max_top_population: float = 1e-8,
    max_memory: float = 4.0,
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    r"""The steady state, :math:`L\rho = 0`, at every point of a grid: see :func:`.steady_state.steady_state`.

    A point that is refused, such as one without a unique steady state or one that needs too much memory, is NaN, and
    the others go on.

    Args:
        model: the model whose parameters are replaced, or a function from the grid's parameters to a model.
        grid: parameter name -> its values, as for :func:`opendicke.sweep`.
        photons, max_top_population, max_memory: as for :func:`.steady_state.steady_state`, at every point by itself.
        progress: None for a bar on a terminal only; it counts points.

    Returns:
        Dataset with a dimension for each parameter: the variables of :func:`opendicke.solve`; ``<name>_error``, the
        estimate of the error of each; ``rho_spin`` and ``rho_spin_error`` if N is the same at all points; ``photons``,
        ``second_photons``, ``top_population``, ``residual``, ``gap``; and ``refusal``, why there is no answer (empty if
        there is one).

    Raises:
        ValueError, TypeError: for a grid that does not fit the model, or an option out of range.

    >>> import opendicke as od
    >>> model = od.DickeModel(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=0.6, g_plus=0.3)
    >>> found = steady_states(model, {"kappa": [0.0, 1.0]})
    >>> found.n_photon.values.round(4)
    array([   nan, 0.0507])
    >>> found.refusal.sel(kappa=0.0).item()[:55]
    'kappa: expected a number > 0 for a unique steady state,'
    """
    over = Grid.of(model, grid)
    if photons is not None:
        checks.integer("photons", photons, minimum=1)
    check_bound(max_top_population)
    checks.real("max_memory", max_memory, above=0.0)
    options: dict[str, Any] = {"max_top_population": max_top_population, "max_memory": max_memory}
    found: list[xr.Dataset | None] = []
    refusals: list[str] = []
    bar = meter(progress)
    bar.start(over.size, "point", "steady states")
    try:
        for place, at in zip(over.places, over.models, strict=True):
            answer, refusal = _attempt(pair_of(at), photons, options)
            found.append(answer)
            refusals.append(refusal)
            bar.advance(1, **{name: f"{value:g}" for name, value in place.items()})
    finally:
        bar.close()
    if all(answer is None for answer in found):
        return _labelled(over, _nothing(over), refusals)
    if "n_atoms" in over.swept:
        found = [answer if answer is None else answer.drop_vars(["rho_spin", "rho_spin_error"]) for answer in found]
    return _labelled(over, over.stack(found), refusals)


def _attempt(model: DickeModel, photons: int | None, options: dict[str, Any]) -> tuple[xr.Dataset | None, str]:
    """The steady state with its errors as variables, or why there is none."""
    try:
        answer = steady_state(model, photons, progress=False, **options)
    except (ValueError, RuntimeError, MemoryError) as problem:
        return None, str(problem) or type(problem).__name__
    errors = {}
    for name, variable in answer.data_vars.items():
        about = {"definition": f"estimated absolute error of {name}", "units": "1"}
        errors[f"{name}_error"] = ((), variable.attrs.pop("error"), about)
    return answer.assign(errors), ""


def _nothing(grid: Grid) -> xr.Dataset:
    """The Dataset where every point is refused."""
    data: dict[str, Any] = {}
    for name, variable in VARIABLES.items():
        about = {"definition": variable.definition, "units": "1"}
        data[name] = (tuple(grid.axes), np.full(grid.shape, np.nan, variable.dtype), about)
    return xr.Dataset(data, grid.coords(), grid.attrs())


def _labelled(grid: Grid, dataset: xr.Dataset, refusals: list[str]) -> xr.Dataset:
    about = {"definition": "why there is no steady state; empty if there is one"}
    return dataset.assign(refusal=(tuple(grid.axes), np.reshape(refusals, grid.shape), about))
