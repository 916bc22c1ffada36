"""The front door: a problem, a method and an executor in, a labelled Dataset out."""

from __future__ import annotations

import dataclasses
import functools
import json
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from opendicke import checks, description
from opendicke.engine.compile import NUMERICS
from opendicke.ensemble.executors import Deadline, check_executor
from opendicke.ensemble.store import Store, Stored
from opendicke.methods.sampled import Sampled
from opendicke.model import Model, check_model
from opendicke.observables import catalogue
from opendicke.observables.catalogue import VARIABLES, select
from opendicke.problem import Executor, Method, Problem, Progress, Solution
from opendicke.progress import meter
from opendicke.states import State, check_state
from opendicke.system import System
from opendicke.version import version
from opendicke.words import check_word


def solve(
    model: Model,
    state: State,
    times: ArrayLike,
    method: Method,
    observables: Any = None,
    *,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
    timeout: float | None = None,
) -> xr.Dataset:
    r"""Evolve ``state`` under ``model`` and return expectation values at ``times``.

    .. math:: \dot\rho = -i[H,\rho] + \kappa(2a\rho a^\dagger - \{a^\dagger a, \rho\}), \qquad
              \langle X\rangle(t) = \mathrm{Tr}\,X\rho(t)

    Args:
        model: what evolves.
        state: the state at t = 0.
        times: strictly increasing times >= 0, in units of one over the model's rates; evenly spaced or not.
        method: how, e.g. ``NuHOPS(trajectories=1000, seed=1)``, ``Lindblad()``, ``MeanField()``.
        observables: names of the variables wanted (see ``opendicke.VARIABLES``); None for all of them. Products of your
            own beside them: :func:`opendicke.word`, or just its text. What a method cannot answer it refuses.
        executor: who runs the trajectories, e.g. ``Serial()`` or ``Threads(2)``; None for threads on all cores.
            Methods without trajectories (``Lindblad``, ``MeanField``, ``Cumulants``) do not need one and ignore it.
        progress: None for a bar on a terminal only, True or False to force it, or a meter of your own.
        store: a folder (or :class:`opendicke.Store`) where finished trajectories are kept: the same call goes on where
            it was interrupted, and one with more trajectories runs only the new ones. Sampled methods only.
        timeout: seconds after which no more trajectories are waited for; those done are averaged. They come in blocks
            of up to 16, and neither a block nor a trajectory is broken off: at least one block is waited for, and each
            that was begun before the end delays it (the default executors end other blocks before their next
            trajectory). A method that integrates one set of equations (Lindblad, MeanField, Cumulants) looks at the
            time whenever it computes rates, and raises TimeoutError. None for no limit.

    Returns:
        Dataset with dimension ``time`` (and for an :class:`opendicke.System` ``spin``, ``mode`` or both), one variable
        per name, ``<name>_sem`` (standard error of the mean) beside each one that was sampled, definition and unit in
        each variable's attrs, and in the Dataset's attrs everything needed to run it again.

    Raises:
        TypeError, ValueError: for an argument that is not of the kind described; the message names it.
        TimeoutError: if a method that has no partial answer is not done after ``timeout`` seconds.

    >>> from opendicke import DickeModel, MeanField, SpinCoherent
    >>> model = DickeModel.balanced(n_atoms=2, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=0.0)
    >>> result = solve(model, SpinCoherent(np.pi / 2), [0.0, np.pi], MeanField())
    >>> result.Sx.values.round(6)
    array([ 1., -1.])
    """
    check_model(model)
    check_state(state)
    check_method("method", method)
    names, words = select(observables)
    problem = Problem(model, state, checks.time_grid(times), words)
    _check_words(problem, method)
    runner = check_executor(executor)
    if store is not None:
        runner = Stored(runner, as_store(store).study(describe(problem, method)), description.limits(method))
    if timeout is not None:
        runner = Deadline(runner, checks.real("timeout", timeout, above=0.0))
    gauge = meter(progress)
    began = time.perf_counter()
    try:
        known = tuple(name for name in names if name in VARIABLES)
        solution = method.run(problem, known, runner, gauge)
    finally:
        gauge.close()
    solution.attrs["wall_time_s"] = time.perf_counter() - began
    return _label(problem, method, names, solution)


def _check_words(problem: Problem, method: Any) -> None:
    """Refuse words that the system or the method does not have."""
    for word in problem.words:
        check_word(word, *problem.system.shape)
    if problem.words and not hasattr(method, "check_words"):
        hint = "NuHOPS, Lindblad, TruncatedWigner, GaussianTrajectories and MeanField answer words."
        got = ", ".join(word.name for word in problem.words)
        raise checks.refuse("observables", f"names of variables for {type(method).__name__}", got, hint)
    if problem.words:
        method.check_words(problem.words)


def check_method(name: str, method: Any) -> None:
    """Refuse what is no method, ready to run."""
    if not dataclasses.is_dataclass(method) or isinstance(method, type) or not hasattr(method, "run"):
        hint = "Pass an instance, with its options in the parentheses."
        raise checks.refuse(name, "a method such as NuHOPS(trajectories=100, seed=1)", method, hint, TypeError)


def as_store(store: Store | str | Path) -> Store:
    """A store, from itself or from its folder."""
    if isinstance(store, Store):
        return store
    return Store(checks.folder("store", store))


def describe(problem: Problem, method: Any) -> dict[str, Any]:
    """Everything that determines the numbers of each trajectory, as plain data, and nothing else: the key's content.

    A method whose numbers have changed for some models only has its own ``numerics(problem)``.

    Raises:
        TypeError: if the method does not run trajectories.
    """
    if not isinstance(method, Sampled):
        raise checks.refuse(
            "store", "a method that runs trajectories, such as NuHOPS", type(method).__name__, error=TypeError
        )
    words = {"words": [description.describe(word) for word in problem.words]} if problem.words else {}
    return words | {
        "model": description.describe(problem.given),
        "state": description.describe(problem.start),
        "times": problem.times.tolist(),
        "method": type(method).__name__,
        "options": description.describe_method(method.settled(problem)),
        "numerics": method.numerics(problem) if hasattr(method, "numerics") else NUMERICS,
    }


def _label(problem: Problem, method: Method, names: tuple[str, ...], solution: Solution) -> xr.Dataset:
    """Names, units and provenance around the numbers of ``solution``."""
    data: dict[str, tuple[tuple[str, ...], NDArray[Any], dict[str, Any]]] = {}
    parts = _parts(problem)
    for name in names:
        variable = catalogue.about(name, problem.words)
        dims = tuple(dim for dim in variable.dims if dim in parts)
        shape = (len(problem.times), *(parts[dim] for dim in dims))
        about = {"definition": variable.definition, "units": "1"}
        data[name] = (("time", *dims), solution.values[name].reshape(shape), about)
        if name in solution.sem:
            note = "standard error of the mean" + (
                " (real part: of Re; imaginary part: of Im)" * np.iscomplexobj(solution.sem[name])
            )
            about = {"definition": f"{note} of {name}", "units": "1"}
            data[f"{name}_sem"] = (("time", *dims), solution.sem[name].reshape(shape), about)
    clash = set(data) & set(solution.extra)
    if clash:
        raise RuntimeError(f"a method may not overwrite {sorted(clash)}")
    time_attrs = {"units": "1 / (unit of the model's rates)", "definition": "time since the initial state"}
    coords = {"time": (("time",), problem.times, time_attrs), **solution.coords}
    for dim, size in parts.items():
        if any(dim in dims for dims, _, _ in data.values()):
            coords[dim] = ((dim,), np.arange(size), {"units": "1", "definition": f"which {dim} of the system"})
    return xr.Dataset(data | solution.extra, coords, _provenance(problem, method) | solution.attrs)


def _parts(problem: Problem) -> dict[str, int]:
    """The sizes of the dimensions of spins and modes: none for a DickeModel, which has one of each."""
    return dict(zip(("spin", "mode"), problem.given.shape, strict=True)) if isinstance(problem.given, System) else {}


def _provenance(problem: Problem, method: Any) -> dict[str, Any]:
    """Everything that determines the numbers, as plain strings and numbers that a file can hold."""
    settled = method.settled(problem) if isinstance(method, Sampled) else method
    return {
        "model": problem.given.json(),
        "state": json.dumps(description.plain(problem.start)),
        "method": type(method).__name__,
        "method_options": json.dumps(description.plain(settled)),
        "versions": json.dumps({"opendicke": version()} | _others_versions()),
        "conventions": "hbar = 1; kappa is the field decay rate (the photon number decays at 2 kappa)",
    }


@functools.cache
def _others_versions() -> dict[str, str]:
    """Of what the numbers come from besides opendicke; to read them takes longer than a short run."""
    versions = {name: metadata.version(name) for name in ("numpy", "scipy", "numba", "xarray")}
    return versions | {"python": platform.python_version()}
