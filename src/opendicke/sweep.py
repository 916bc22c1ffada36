"""The same question at every point of a grid of parameters."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from opendicke.grid import STATE, Grid, nbytes, of_state
from opendicke.methods.lindblad import Lindblad
from opendicke.methods.sampled import Sampled
from opendicke.model import Model
from opendicke.observables.catalogue import select
from opendicke.problem import Executor, Method, Problem, Progress
from opendicke.progress import SharedMeter, meter
from opendicke.solve import as_store, check_method, describe, solve
from opendicke.states import State, check_state
from opendicke.system import as_system

#: Points in work at a time, at most: as many as there are workers, so that none waits for the end of a point.
MOST_POINTS = 32


def sweep(
    model: Model | Callable[..., Model],
    grid: Mapping[str, ArrayLike],
    state: State,
    times: ArrayLike,
    method: Method,
    observables: Any = None,
    *,
    common_random_numbers: bool = False,
    run_missing: bool = True,
    keep_batches: bool = True,
    max_memory: float = 4.0,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> xr.Dataset:
    """Solve the same problem at every point of a grid of parameters.

    Args:
        model: the model whose parameters are replaced, or a function from the grid's parameters to a model.
        grid: parameter name -> its values (one-dimensional, all different); the sweep runs over their product.
            ``"coupling"`` is :math:`g_- + g_+`, at the model's ratio of the two (see :meth:`DickeModel.replace`).
            Dotted names lead to parts of signals (``"drive.amplitude"``), of a system (``"modes.0.kappa"``,
            ``"g_minus.0.1"``) and of the initial state (``"state.theta"``, ``"state.cavity.photons"``).
            Values are real numbers: for signals, or complex drives, pass a function as ``model``.
        state, times, method, observables, executor: as for :func:`opendicke.solve`. A ``Precision`` in the method holds
            at every point by itself.
        common_random_numbers: use the same noise at every point, so that differences between points are less noisy (the
            default step is then that of the fastest point, as the noise depends on the steps); otherwise the streams of
            different points are independent. A point's stream depends on its parameters, not on its place in the
            grid: a grid may be refined without losing what is done.
        run_missing: False runs nothing and returns what ``store`` holds by now, with NaN at points that are not begun:
            a look at a sweep that is still running elsewhere.
        keep_batches: keep the means over batches of trajectories, from which :mod:`opendicke.analysis` makes error
            bars: at each time some 700 numbers for each point.
        max_memory: memory that the answer may take, in GiB, while it is put together.
        progress: None for a bar on a terminal only. It counts the trajectories of all points (a point that meets its
            ``Precision`` early counts in full), or points where there are no trajectories.
        store: a folder where trajectories are kept; what is done is never run again.

    Returns:
        Dataset with a dimension for each parameter in front of those of :func:`opendicke.solve`, and how many
        trajectories each point took. ``result.sel(kappa=1.0)`` (all parameters chosen) is an answer that
        :mod:`opendicke.analysis` and :meth:`DickeModel.of` take as they take one of ``solve``. Trajectories and states
        that the method keeps are NaN where a point has fewer than others. In the attrs, ``model`` holds the parameters
        that all points share; those named in ``swept`` are coordinates (as JSON where one is a signal). Where the
        initial state is swept over, the coordinate ``state`` holds that of each point, as JSON.

    Raises:
        ValueError, TypeError: for a grid that does not fit the model; the message names the parameter. For an answer
            that needs more than ``max_memory``, as soon as a point shows that; for density matrices of different sizes
            (``Lindblad(keep_states=...)`` over ``n_atoms``).
        StoreError: if nothing is to be run and nothing is stored.

    >>> from opendicke import DickeModel, MeanField, SpinCoherent
    >>> model = DickeModel.balanced(n_atoms=10, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.0)
    >>> result = sweep(model, {"omega_a": [0.5, 1.0]}, SpinCoherent(np.pi / 2), [0.0, np.pi], MeanField(), ["Sx"])
    >>> result.Sx.values.round(6) + 0.0
    array([[ 5.,  0.],
           [ 5., -5.]])
    >>> from opendicke import Normal, Ramp
    >>> def ramped(duration):
    ...     return model.replace(g_minus=Ramp((0.0, duration), (0.0, 1.0)))
    >>> slow = sweep(ramped, {"duration": [1.0, 10.0]}, Normal(), [10.0], MeanField(), ["Sx"]).sel(duration=10.0)
    >>> DickeModel.of(slow) == ramped(10.0)
    True
    """
    check_method("method", method)
    check_state(state)
    checks.flag("common_random_numbers", common_random_numbers)
    checks.flag("run_missing", run_missing)
    checks.flag("keep_batches", keep_batches)
    most = checks.real("max_memory", max_memory, above=0.0)
    over = Grid.of(model, grid)
    _check_names(over, select(observables)[0])
    _check_states(over, method)
    instants = checks.time_grid(times)
    starts = [state_with(state, of_state(place)) for place in over.places]
    if common_random_numbers:
        problems = [Problem(at, start, instants) for at, start in zip(over.models, starts, strict=True)]
        method = _with_common_step(method, problems)
    trajectories = getattr(method, "trajectories", None)
    shared = SharedMeter(meter(progress), over.size, trajectories)
    asked = _Asked(instants, method, observables, common_random_numbers, run_missing, keep_batches, store, shared)
    try:
        with opened(check_executor(executor)) as started:
            together = min(getattr(started, "workers", None) or 1, MOST_POINTS) if trajectories else 1
            who = Threads(together) if together > 1 else Serial()
            points = list(zip(over.places, over.models, starts, strict=True))
            with closing(who.map(partial(asked.solve, started), points)) as results:
                answer = assemble(over, method, list(_within(most, over.size, results)))
        return _with_states(answer, over, starts)
    finally:
        shared.close()


@dataclass(frozen=True)
class _Asked:
    """What is asked at every point."""

    times: NDArray[np.float64]
    method: Any
    observables: Any
    common_random_numbers: bool
    run_missing: bool
    keep_batches: bool
    store: Store | str | Path | None
    meter: SharedMeter

    def solve(self, executor: Executor, point: tuple[dict[str, Any], Model, State]) -> xr.Dataset | None:
        """The answer at one point; None where nothing is stored and nothing to be run."""
        place, model, state = point
        method = self.method if self.common_random_numbers else with_point(self.method, model, of_state(place))
        gauge = self.meter.point({name: f"{value:g}" for name, value in place.items()})
        options: dict[str, Any] = {"executor": executor, "progress": gauge, "store": self.store}
        if not self.run_missing:
            _, words = select(self.observables)
            study = _begun(Problem(model, state, self.times, words), method, self.store)
            if study is None:
                gauge.close()
                return None
            method = dataclasses.replace(method, trajectories=min(study.trajectories, method.trajectories))
            options |= {"executor": Stored(executor, study, description.limits(method), retry=False), "store": None}
        result = solve(model, state, self.times, method, self.observables, **options)
        return (
            result
            if self.keep_batches
            else result.drop_dims("batch", errors="ignore").drop_vars("channel", errors="ignore")
        )


def _with_common_step(method: Any, problems: list[Problem]) -> Any:
    """The method with the shortest of the noise steps that it would choose at these problems."""
    sampled = isinstance(method, Sampled)
    if not sampled or method.step is not None:
        return method
    return dataclasses.replace(method, step=min(method.simulator(problem).step for problem in problems))


def state_with(state: State, changes: Mapping[str, Any]) -> State:
    """The state with parts changed that dotted names lead to."""
    for name, value in changes.items():
        try:
            state = description.replaced(state, name, value)
        except (TypeError, ValueError) as problem:
            raise type(problem)(f"grid: {STATE}{problem}") from problem
    return state


def with_point(method: Any, model: Model, changes: Mapping[str, Any] | None = None) -> Any:
    """The method with random streams of this model's own (a method without streams is returned as it is).

    What a sweep changes in the initial state counts too, if it changes anything.
    """
    told = description.describe(model) | ({"state": dict(changes)} if changes else {})
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).digest()
    point = {"point": int.from_bytes(digest[:8], "big")} if isinstance(method, Sampled) else {}
    return dataclasses.replace(method, **point)


def _begun(problem: Problem, method: Any, store: Store | str | Path | None) -> Study | None:
    """The study that is stored of a problem, if there is anything in it."""
    if store is None:
        raise checks.refuse("store", "a folder, when nothing is to be run", store)
    study = as_store(store).lookup(describe(problem, method))
    return study if study is not None and study.trajectories else None


def _check_names(grid: Grid, names: Iterable[str]) -> None:
    """Refuse parameters that are called as a word that is asked for."""
    for name in names:
        if taken := {name, f"{name}_sem"} & set(grid.axes):
            raise checks.refuse("grid", "names of parameters that the answer has no other use for", taken.pop())


def _check_states(grid: Grid, method: Any) -> None:
    """Refuse density matrices of different sizes: they have no common array."""
    atoms = sorted({spin.n_atoms for model in grid.models for spin in as_system(model).spins})
    if isinstance(method, Lindblad) and method.keep_states and len(atoms) > 1:
        hint = "Sweep without keep_states, or the other parameters at one n_atoms after the other."
        raise checks.refuse("method", "keep_states at a single n_atoms only", f"n_atoms = {atoms}", hint)


def _within(most: float, points: int, results: Iterable[xr.Dataset | None]) -> Iterator[xr.Dataset | None]:
    """The results, until one is so large that those of all points and what is made of them take too much memory."""
    for result in results:
        needed = 0.0 if result is None else 2.0 * points * nbytes(result) / 2**30
        if needed > most:
            hint = "Ask for fewer times, points or kept states, or pass keep_batches=False or a larger max_memory."
            raise checks.refuse("max_memory", f"at least {needed:.2g} GiB for {points} points", f"{most:g} GiB", hint)
        yield result


def _with_states(answer: xr.Dataset, grid: Grid, starts: list[State]) -> xr.Dataset:
    """The answer with the initial states as a coordinate, if they are swept over."""
    axes = [name for name in grid.axes if name.startswith(STATE)]
    if not axes:
        return answer
    told = np.reshape([json.dumps(description.plain(start)) for start in starts], grid.shape)
    told = told[tuple(slice(None) if name in axes else 0 for name in grid.axes)]
    return answer.assign_coords(state=(axes, told, {"definition": "initial state at each point"}))


def assemble(grid: Grid, method: Any, results: list[xr.Dataset | None]) -> xr.Dataset:
    """One Dataset from the results of all points, in the order of the grid; a missing one becomes NaN."""
    if all(result is None for result in results):
        raise StoreError("no point of this sweep is stored yet")
    failures = [json.loads(result.attrs.get("failed_trajectories", "[]")) if result else [] for result in results]
    about = {"failed_trajectories": json.dumps(failures), "method_options": json.dumps(description.plain(method))}
    return grid.stack(results).assign_attrs(about)
