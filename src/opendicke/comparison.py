"""The same problem solved by several methods, side by side."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from opendicke import checks, description
from opendicke.model import Model, check_model
from opendicke.observables import catalogue
from opendicke.observables.catalogue import VARIABLES, select
from opendicke.problem import Executor, Limits, Method, Problem, Progress
from opendicke.progress import Silent, meter
from opendicke.solve import check_method, solve
from opendicke.states import State, check_state
from opendicke.words import Word

#: Standard errors below this part of a number are rounding.
ROUNDING = 1e-13


@dataclass(frozen=True)
class _Attempt:
    """What became of one method: its answer, or why there is none; and what it cost."""

    method: Any
    limits: Limits
    result: xr.Dataset | None
    refusal: str
    wall_time: float
    cpu_time: float


def compare(
    model: Model,
    state: State,
    times: ArrayLike,
    methods: Mapping[str, Method] | Sequence[Method],
    observables: Any = None,
    *,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    timeout: float | None = None,
) -> xr.Dataset:
    r"""Solve one problem by several methods and say how far each is from the first exact one.

    .. math:: z = \frac{x_\mathrm{method} - x_\mathrm{reference}}
                       {\sqrt{\sigma_\mathrm{method}^2 + \sigma_\mathrm{reference}^2}}

    The reference is the first method in the list that is exact (``limits(model).exact``) and gave an answer. A method
    that cannot solve the problem stays in the table with NaN and its reason. Statistical errors are taken as
    independent: give sampled methods different seeds.

    Args:
        model, state, times, observables, executor: as for :func:`opendicke.solve`.
        methods: name -> method, or a sequence of methods, which are named by their kinds.
        progress: None for a bar on a terminal only; it counts methods.
        timeout: seconds for each method, as for :func:`opendicke.solve`: one that has no partial answer then stays in
            the table without an answer. None for no limit.

    Returns:
        Dataset with dimensions ``solver``, the names of the methods, and ``time``: ``sel(solver="MeanField")`` (a
        dimension ``method`` would collide with an option of xarray's ``sel``). For every variable ``x``: its values;
        ``x_sem``, 0 where nothing is sampled; ``x_difference`` from the reference; ``x_z``, that difference in
        standard errors (complex variables: of real and imaginary part each; NaN where both are without statistical
        error). From few trajectories ``x_z`` follows Student's t and not a normal distribution; :func:`summary` takes
        account of that. For every method: ``exact``, ``trajectories`` (0 where nothing is sampled), ``refusal`` (empty
        if it ran), ``neglects``, ``options``, ``wall_time_s``, and ``cpu_time_s`` of this process (work of other
        processes is not in it).

    Raises:
        TypeError, ValueError: for an argument that is not of the kind described, or no method.

    >>> import numpy as np, opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=2.0)
    >>> table = compare(model, od.SpinCoherent(np.pi / 4, np.pi), [1.0], [od.Lindblad(), od.MeanField()], ["Sz"])
    >>> table.Sz_difference.sel(solver="MeanField").values.round(3)
    array([0.35])
    """
    check_model(model)
    check_state(state)
    named = _named(methods)
    names, words = select(observables)
    grid = checks.time_grid(times)
    limit = None if timeout is None else checks.real("timeout", timeout, above=0.0)
    bar = meter(progress)
    bar.start(len(named), "method", "comparison")
    attempts: dict[str, _Attempt] = {}
    try:
        for name, method in named.items():
            attempts[name] = _attempt(Problem(model, state, grid, words), method, names, executor, limit)
            bar.advance(1, last=name)
    finally:
        bar.close()
    return _table(attempts, names, words, grid, {"model": model, "state": state})


def _named(methods: Mapping[str, Method] | Sequence[Method]) -> dict[str, Any]:
    """The methods by name; of several of one kind the later ones get a number."""
    if isinstance(methods, Mapping):
        named: dict[str, Any] = dict(methods)
    elif isinstance(methods, Sequence) and not isinstance(methods, (str, bytes)):
        named = {}
        for method in methods:
            kind = type(method).__name__
            count = sum(type(other).__name__ == kind for other in named.values())
            named[f"{kind} {count + 1}" if count else kind] = method
    else:
        raise checks.refuse(
            "methods", "a mapping from names to methods, or a list of methods", methods, error=TypeError
        )
    if not named:
        raise checks.refuse("methods", "at least one method", methods)
    for name, method in named.items():
        if not isinstance(name, str):
            raise checks.refuse("methods", "names that are strings", name, error=TypeError)
        check_method(f"methods[{name!r}]", method)
    return named


def _attempt(
    problem: Problem, method: Any, names: tuple[str, ...], executor: Executor | None, timeout: float | None
) -> _Attempt:
    began = time.perf_counter(), time.process_time()
    result, refusal = None, ""
    try:
        known = [name for name in names if name in VARIABLES]
        asked = (problem.given, problem.start, problem.times, method, [*known, *problem.words])
        result = solve(*asked, executor=executor, progress=Silent(), timeout=timeout)
    except (ValueError, RuntimeError, MemoryError, TimeoutError) as failure:
        refusal = str(failure) or type(failure).__name__
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    return _Attempt(method, method.limits(problem.given), result, refusal, wall, cpu)


def _table(
    attempts: dict[str, _Attempt],
    names: tuple[str, ...],
    words: tuple[Word, ...],
    times: NDArray[np.float64],
    about: dict[str, Any],
) -> xr.Dataset:
    """Everything side by side."""
    reference = next((name for name, tried in attempts.items() if tried.limits.exact and tried.result is not None), "")
    data: dict[str, Any] = {}
    answered = next((tried.result for tried in attempts.values() if tried.result is not None), None)
    for name in names:
        variable = catalogue.about(name, words)
        dtype = variable.dtype
        parts = {"time": times.size} if answered is None else answered[name].sizes  # and spin, mode of a System
        dims = ("solver", *map(str, parts))
        values: NDArray[Any] = np.full((len(attempts), *parts.values()), _nan(dtype), dtype)
        sem = values.copy()
        for row, tried in enumerate(attempts.values()):
            if tried.result is not None:
                values[row] = tried.result[name].values
                sem[row] = tried.result[f"{name}_sem"].values if f"{name}_sem" in tried.result else 0.0
        difference, z = _deviation(values, sem, list(attempts).index(reference) if reference else None)
        definition = variable.definition
        for suffix, array, text in (
            ("", values, definition),
            ("_sem", sem, f"standard error of the mean of {name}; 0 where nothing is sampled"),
            ("_difference", difference, f"{definition} minus that of the reference"),
            ("_z", z, f"{name}_difference over its standard error (of each part of a complex number)"),
        ):
            data[name + suffix] = (dims, array, {"definition": text, "units": "1"})
    ran = list(attempts.values())
    columns: dict[str, tuple[list[Any], str]] = {
        "exact": ([tried.limits.exact for tried in ran], "whether only statistics and tolerances are in the way"),
        "trajectories": ([_trajectories(tried) for tried in ran], "how many were averaged; 0 where nothing is sampled"),
        "refusal": ([tried.refusal for tried in ran], "why there is no answer; empty if there is one"),
        "neglects": ([tried.limits.reason for tried in ran], "what the method says of itself"),
        "options": ([repr(tried.method) for tried in ran], "the method with its options"),
        "wall_time_s": ([tried.wall_time for tried in ran], "time that it took"),
        "cpu_time_s": ([tried.cpu_time for tried in ran], "processor time of this process, all threads"),
    }
    for name, (column, text) in columns.items():
        data[name] = (("solver",), np.array(column), {"definition": text})
    attrs = {
        "reference": reference,
        "model": about["model"].json(),
        "state": json.dumps(description.plain(about["state"])),
        "conventions": "hbar = 1; kappa is the field decay rate (the photon number decays at 2 kappa)",
    }
    time_attrs = {"units": "1 / (unit of the model's rates)", "definition": "time since the initial state"}
    sites = {} if answered is None else {str(dim): answered[dim] for dim in ("spin", "mode") if dim in answered.coords}
    return xr.Dataset(data, {"solver": list(attempts), "time": ("time", times, time_attrs), **sites}, attrs)


def _trajectories(tried: _Attempt) -> int:
    return 0 if tried.result is None else int(tried.result.attrs.get("trajectories", 0))


def _deviation(values: NDArray[Any], sem: NDArray[Any], reference: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Differences from the row ``reference``, and the same in standard errors (its own row: 0 and NaN)."""
    nothing = np.full_like(values, _nan(values.dtype.type))
    if reference is None:
        return nothing, nothing
    difference = values - values[reference]
    size = np.abs(values)
    if not np.iscomplexobj(values):
        return difference, _ratio(difference, np.hypot(sem, sem[reference]), size, reference)
    parts = [
        _ratio(getattr(difference, part), np.hypot(getattr(sem, part), getattr(sem[reference], part)), size, reference)
        for part in ("real", "imag")
    ]
    z = np.empty_like(values)
    z.real, z.imag = parts
    return difference, z


def _ratio(difference: NDArray[Any], error: NDArray[Any], size: NDArray[Any], reference: int) -> NDArray[Any]:
    """Differences over their errors; NaN where there is none but rounding, as in the other part of a real number."""
    found = np.full(difference.shape, math.nan)
    np.divide(difference, error, out=found, where=error > ROUNDING * size)
    found[reference] = math.nan
    return found


def _nan(dtype: Any) -> complex | float:
    return complex(math.nan, math.nan) if np.issubdtype(dtype, np.complexfloating) else math.nan


def summary(table: xr.Dataset) -> list[dict[str, Any]]:
    r"""One row for each method of a comparison, as plain data, with a verdict to read.

    Standard errors from n trajectories have n − 1 degrees of freedom, that of a difference has (Welch, Satterthwaite)

    .. math:: \nu = \frac{(\sigma_1^2 + \sigma_2^2)^2}
                        {\sigma_1^4/(n_1 - 1) + \sigma_2^4/(n_2 - 1)}

    A verdict therefore tells how many standard errors of a normal distribution are exceeded as rarely as ``x_z`` is by
    Student's t with ν degrees of freedom: 5 standard errors from 4 trajectories are worth 2.4.

    Args:
        table: what :func:`compare` returned.

    Returns:
        For each method ``method``, ``exact``, ``seconds``, ``verdict`` and, where there is something to tell, the
        ``variable`` and ``time`` of ``largest_z`` (in such standard errors) or, without statistical errors, of
        ``largest_difference``.

    >>> import numpy as np, opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=2.0)
    >>> table = compare(model, od.SpinCoherent(np.pi / 4, np.pi), [1.0], [od.Lindblad(), od.MeanField()], ["Sz"])
    >>> [row["verdict"] for row in summary(table)]
    ['exact: the reference', 'approximate: Sz is off by 0.35 at t = 1']
    """
    reference = table.attrs["reference"]
    known = table.sel(solver=reference) if reference else None
    return [_row(table.sel(solver=name), known) for name in table.solver.values.tolist()]


def _row(one: xr.Dataset, known: xr.Dataset | None) -> dict[str, Any]:
    name, exact = str(one.solver.item()), bool(one.exact.item())
    row: dict[str, Any] = {"method": name, "exact": exact, "seconds": float(one.wall_time_s)}
    kind = "exact" if exact else "approximate"
    if one.refusal.item():
        return row | {"verdict": f"no answer: {one.refusal.item()}"}
    if known is None:
        return row | {"verdict": f"{kind}: nothing exact to compare with"}
    if name == known.solver.item():
        return row | {"verdict": f"{kind}: the reference"}
    variables = [str(key).removesuffix("_difference") for key in one.data_vars if str(key).endswith("_difference")]
    z = {key: worst for key in variables if (worst := _largest(_normal(one, known, key))) is not None}
    off = {key: worst for key in variables if (worst := _largest(one[f"{key}_difference"])) is not None}
    if not off:
        return row | {"verdict": f"{kind}: no finite numbers to compare"}
    if z:
        key = max(z, key=lambda name: z[name][0])
        row |= {"largest_z": z[key][0], "variable": key, "time": z[key][1]}
        text = f"at most {z[key][0]:.1f} standard errors from the reference ({key} at t = {z[key][1]:g})"
    else:
        key = max(off, key=lambda name: off[name][0])
        row |= {"largest_difference": off[key][0], "variable": key, "time": off[key][1]}
        text = f"{key} is off by {off[key][0]:.2g} at t = {off[key][1]:g}"
    return row | {"verdict": f"{kind}: {text}"}


def _normal(one: xr.Dataset, known: xr.Dataset, name: str) -> xr.DataArray:
    """How far ``name`` is from the reference, in standard errors of a normal distribution; see :func:`summary`."""
    z, counts = one[f"{name}_z"], (int(one.trajectories), int(known.trajectories))
    own, other = one[f"{name}_sem"].values, known[f"{name}_sem"].values
    if not np.iscomplexobj(z):
        return z.copy(data=normal_errors(z.values, welch(own, other, *counts)))
    parts = [
        normal_errors(getattr(z.values, part), welch(getattr(own, part), getattr(other, part), *counts))
        for part in ("real", "imag")
    ]
    return z.copy(data=parts[0] + 1j * parts[1])


def welch(
    first: NDArray[np.float64], second: NDArray[np.float64], first_count: int, second_count: int
) -> NDArray[np.float64]:
    """Degrees of freedom of the standard error of a difference, from the two standard errors and their counts.

    A standard error of 0, that of a number that is not sampled, has no part in it.
    """
    largest = np.where(np.fmax(first, second) > 0, np.fmax(first, second), 1.0)  # fourth powers stay numbers
    one, other = (first / largest) ** 2, (second / largest) ** 2
    shares = one**2 / max(first_count - 1, 1) + other**2 / max(second_count - 1, 1)
    found = np.full(np.shape(first), math.inf)
    np.divide((one + other) ** 2, shares, out=found, where=shares > 0)
    return found


def normal_errors(t: NDArray[np.float64], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """The multiple of a normal distribution's standard error that is exceeded as rarely as Student's ``t``.

    Where that probability is no floating-point number, Wallace's approximation stands in (Biometrika 46, 1959).

    >>> normal_errors(np.array([5.0, 5.0, 100.0]), np.array([3.0, np.inf, 400.0])).round(2)
    array([ 2.42,  5.  , 36.08])
    """
    from scipy.special import ndtri, stdtr

    size = np.abs(t)
    found = -ndtri(stdtr(degrees, -size))
    finite = np.where(np.isfinite(degrees), degrees, 1.0)
    wallace = (8 * finite + 1) / (8 * finite + 3) * np.sqrt(finite * np.log1p(size**2 / finite))
    beyond = np.where(np.isfinite(degrees), wallace, size)
    return np.copysign(np.where(np.isfinite(found) | np.isnan(t), found, beyond), t)


def _largest(series: xr.DataArray) -> tuple[float, float] | None:
    """The largest modulus of a time series (of real and imaginary part), and when; None if there is none."""
    values = series.values
    size = np.fmax(abs(values.real), abs(values.imag)) if np.iscomplexobj(values) else abs(values)
    if not np.isfinite(size).any():
        return None
    place = np.unravel_index(int(np.nanargmax(size)), size.shape)
    times = series.time.broadcast_like(series)  # one of them may be chosen
    return float(size[place]), float(times.values[place])
