"""What a result says of itself, at a glance: numbers with their errors, what they cost, and where they come from."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from opendicke import checks, description, files
from opendicke.comparison import summary
from opendicke.methods.registry import METHODS
from opendicke.model import Model, restore_model
from opendicke.observables.catalogue import VARIABLES
from opendicke.states import restore_state

#: What a result knows of its cost, by the name under which it is kept.
COST = {
    "trajectories": "trajectories",
    "copies": "Gaussian copies",
    "failed_copies": "failed copies",
    "wall_time_s": "wall time, s",
    "largest_states": "largest window, spin states",
    "largest_levels": "largest window, levels",
    "photons": "photon states",
    "right_hand_sides": "right-hand sides",
}
#: Options that a method may settle by itself: an answer of solve holds what it was.
SETTLED = ("hierarchy", "control", "fast_cavity")
#: Rows of numbers that are open at first; the others are folded away.
OPEN = ("Sx", "Sy", "Sz", "n_photon")
#: The section that they are in.
NUMBERS = "Numbers"
#: Characters of a cell.
WIDEST = 160


@dataclass(frozen=True)
class Section:
    """A heading and a table below it, the first row of which may be its head."""

    title: str
    rows: tuple[tuple[str, ...], ...]
    head: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What :func:`report` returns: a notebook shows it as a page, ``print`` as text.

    Attributes:
        sections: headings with their tables.
        warnings: what a reader should know before believing the numbers; empty if there is nothing.
        formulas: the model and the initial state as LaTeX, where they can be told.
    """

    sections: tuple[Section, ...]
    warnings: tuple[str, ...] = ()
    formulas: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"! {warning}" for warning in self.warnings]
        for section in self.sections:
            rows = [section.head, *section.rows] if section.head else list(section.rows)
            widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
            lines += ["", section.title] if lines else [section.title]
            lines += ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<p><b>⚠ {html.escape(warning)}</b></p>" for warning in self.warnings]
        parts += [f"<p>$\\displaystyle {formula}$</p>" for formula in self.formulas]
        for section in self.sections:
            shown = [row for row in section.rows if section.title != NUMBERS or row[0] in OPEN] or section.rows[:4]
            folded = [row for row in section.rows if row not in shown]
            parts.append(f"<p><b>{html.escape(section.title)}</b></p>{_table(section.head, shown)}")
            if folded:
                parts.append(f"<details><summary>{len(folded)} more</summary>{_table(section.head, folded)}</details>")
        return f'<div class="opendicke-report">{"".join(parts)}</div>'


def report(result: xr.Dataset | str | Path) -> Report:
    r"""What a result says of itself: numbers and their errors, cost, provenance, and what to beware of.

    Relative errors are those of a whole curve, :math:`\sqrt{\sum_t\sigma_t^2 / \sum_t|x_t|^2}`.

    Args:
        result: of :func:`opendicke.solve`, :func:`opendicke.compare` or :func:`opendicke.sweep`, or its NetCDF file.

    Returns:
        What a notebook shows, and ``print`` writes.

    Raises:
        TypeError: for anything else.
        OSError: for a file that is not there or cannot be read.

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.0)
    >>> answer = od.solve(model, od.Normal(), [0.0, 1.0], od.TruncatedWigner(10, seed=1), ["Sz"])
    >>> print(str(od.report(answer)).partition("Method")[0].rstrip())
    Problem
      model          n_atoms 4, omega_a 1, omega_c 1, kappa 1, g_minus 0, g_plus 0
      initial state  theta 3.14159, phi 0, alpha [0, 0]
      times          2, from 0 to 1
    """
    data = files.opened(result)
    if "model" not in data.attrs:
        raise checks.refuse("result", "an answer of solve, compare or sweep", sorted(data.attrs), error=TypeError)
    sections = [_problem(data)]
    if "solver" in data.dims:
        head = ("method", "seconds", "verdict")
        told = ((row["method"], f"{row['seconds']:.3g}", row["verdict"]) for row in summary(data))
        sections.append(Section("Methods", tuple(told), head))
    else:
        sections += [*_method(data), _numbers(data), *_cost(data)]
    return Report((*sections, *_provenance(data)), tuple(_warnings(data)), tuple(_formulas(data)))


def _problem(data: xr.Dataset) -> Section:
    rows = _rows("model", json.loads(data.attrs["model"]))
    rows += [(f"swept over {dim}", _range(data[dim].values)) for dim in _swept(data)]
    # as of a model: parameters that move at some points stand in a sweep as JSON
    known = checks.dataset_model(data)
    apart = ("time", "state")
    scalars = {str(name): one.item() for name, one in data.coords.items() if not one.dims and name not in apart}
    rows += _rows("chosen", {name: known.get(name, value) for name, value in scalars.items()})
    if (state := _state(data)) is not None:
        rows += _rows("initial state", state)
    if "time" in data.coords:
        times = np.atleast_1d(data.time.values)
        rows.append(("times", _range(times) if times.size > 1 else f"t = {times[0]:g}"))
    return Section("Problem", tuple(rows))


def _state(data: xr.Dataset) -> dict[str, Any] | None:
    """What is told of the initial state; None where it is swept over."""
    told = data.attrs.get("state", data.coords.get("state"))
    if told is None or np.ndim(told):
        return None
    state: dict[str, Any] = json.loads(str(np.asarray(told)))
    return state


def _swept(data: xr.Dataset) -> list[str]:
    """The dimensions that are swept over: those of a variable beside its own."""
    example = next((data[name] for name in data.data_vars if name in VARIABLES or f"{name}_sem" in data), None)
    dims = () if example is None else example.dims
    return [str(dim) for dim in dims if dim not in ("time", "solver", "spin", "mode")]


def _named(told: Mapping[str, Any]) -> str:
    """Parameters in one line."""
    return _cut(", ".join(_entries(told)))


def _rows(name: str, told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Parameters in as many rows as they need, the first of which has the name; none where nothing is told."""
    lines: list[str] = []
    for entry in _entries(told):
        if lines and len(lines[-1]) + len(entry) <= WIDEST - len(", "):
            lines[-1] += f", {entry}"
        else:
            lines.append(_cut(entry))
    return [(name if row == 0 else "", line) for row, line in enumerate(lines)]


def _entries(told: Mapping[str, Any]) -> list[str]:
    return [f"{name} {_value(value)}" for name, value in told.items() if value is not None]


def _value(value: Any) -> str:
    """A parameter in a few characters."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"({_named(value)})"
    return str(value)


def _cut(text: str) -> str:
    """What has room, up to a whole entry."""
    if len(text) <= WIDEST:
        return text
    whole = text[: WIDEST - 1].rpartition(", ")[0]
    return f"{whole}, …" if whole else f"{text[: WIDEST - 1]}…"


def _range(values: Any) -> str:
    if len(values) == 1:
        return f"{values[0]:g}"
    return f"{len(values)}, from {values[0]:g} to {values[-1]:g}"


def _method(data: xr.Dataset) -> list[Section]:
    """The method, how exact it says it is, all options, and what became of those that were left to it."""
    if "method" not in data.attrs:
        return []
    name, options = str(data.attrs["method"]), json.loads(data.attrs.get("method_options", "{}"))
    ran = {} if "swept" in data.attrs else {key: options[key] for key in SETTLED if key in options}
    asked = {key: value for key, value in options.items() if key not in ran}
    if "hierarchy" in data.attrs:
        ran["hierarchy"] = data.attrs["hierarchy"]
    rows = [(name, _accuracy(name, options, data)), *_rows("options", asked), *_rows("how it ran", ran)]
    return [Section("Method", tuple(rows))]


def _accuracy(name: str, options: Mapping[str, Any], data: xr.Dataset) -> str:
    """What the method says of itself about this model; empty where it cannot be asked."""
    try:
        kind, model = METHODS[name], _model(data)
        limits = {item.name for item in fields(kind) if item.metadata.get("limit")}
        method = description.restore(kind, {key: value for key, value in options.items() if key not in limits})
        found = method.limits(model)
    except (KeyError, TypeError, ValueError):  # a sweep, or options of another version
        return ""
    return found.reason if found.exact else f"approximate: {found.reason}"


def _model(data: xr.Dataset) -> Model:
    """The model; ValueError for several."""
    return restore_model(checks.dataset_model(data, *json.loads(data.attrs.get("swept", "[]"))))


def _numbers(data: xr.Dataset) -> Section:
    """Each variable at the end, with its standard error, and the relative error of the whole."""
    rows = []
    names = [str(name) for name in data.data_vars if name in VARIABLES or f"{name}_sem" in data]
    for name in names:
        variable, error = data[name], data.get(f"{name}_sem")
        end = variable.isel(time=-1) if "time" in variable.dims else variable
        last = _span(end) if end.size > 1 else _measured(end.item(), None if error is None else error.values.flat[-1])
        rows.append((name, str(variable.attrs.get("definition", "")), last, _relative(variable, error)))
    time = f" at t = {np.atleast_1d(data.time.values)[-1]:g}" if "time" in data.coords else ""
    return Section(NUMBERS, tuple(rows), ("variable", "definition", f"value{time}", "relative error"))


def _span(values: xr.DataArray) -> str:
    """The least and the largest of several numbers, of their real parts."""
    return f"{float(values.real.min()):.4g} … {float(values.real.max()):.4g}"


def _measured(value: complex, error: complex | None) -> str:
    """A number with its standard error, to two digits of it.

    >>> _measured(1.23456, 0.0123), _measured(1.5, None), _measured(1.0 + 2.0j, 0.1 + 0.2j)
    ('1.235 ± 0.012', '1.5', '1.00 ± 0.10 + (2.00 ± 0.20) i')
    """
    if np.iscomplexobj(value):
        real, imaginary = (
            _measured(getattr(value, part), None if error is None else getattr(error, part))
            for part in ("real", "imag")
        )
        return f"{real} + ({imaginary}) i"
    if error is None or not 0 < error.real < math.inf:
        return f"{value:.6g}"
    digits = max(0, 1 - math.floor(math.log10(error.real)))
    return f"{value:.{digits}f} ± {error.real:.{digits}f}"


def _relative(variable: xr.DataArray, error: xr.DataArray | None) -> str:
    if error is None:
        return "not sampled"
    size = math.sqrt(float(np.nansum(np.abs(variable.values) ** 2)))
    return f"{math.sqrt(float(np.nansum(np.abs(error.values) ** 2))) / size:.2g}" if size > 0 else "–"


def _cost(data: xr.Dataset) -> list[Section]:
    """What a result knows of its cost; over a sweep the sum, or the largest."""
    rows: list[tuple[str, ...]] = []
    for name, text in COST.items():
        found = data.attrs.get(name, data.get(name))
        if found is None:
            continue
        values = np.asarray(found, dtype=float)
        total = np.nanmax(values) if name.startswith("largest") or name == "photons" else np.nansum(values)
        rows.append((text, f"{total:.4g}" if total < 1e4 else f"{total:.0f}"))
    rows += _rows("variance reduced by", json.loads(data.attrs.get("variance_reduction", "{}")))
    return [Section("Cost", tuple(rows))] if rows else []


def _provenance(data: xr.Dataset) -> list[Section]:
    rows = _rows("versions", json.loads(data.attrs.get("versions", "{}")))
    rows += [(name, _cut(str(data.attrs[name]))) for name in ("reference", "conventions") if name in data.attrs]
    return [Section("Provenance", tuple(rows))] if rows else []


def _warnings(data: xr.Dataset) -> list[str]:
    """What a reader should know before believing the numbers."""
    found = []
    failed = json.loads(str(data.attrs.get("failed_trajectories", "[]")))
    count = sum(len(one) if isinstance(one, list) else 1 for one in failed)
    if count:
        found.append(f"{count} trajectories failed and are not in the averages")
    reached = data.attrs.get("precision_reached", data.get("precision_reached"))
    if reached is not None and not np.all(np.asarray(reached, dtype=float) == 1):
        found.append("the precision that was asked for is not reached everywhere")
    unphysical = data.attrs.get("unphysical_from", data.get("unphysical_from"))
    if unphysical is not None and np.isfinite(np.asarray(unphysical, dtype=float)).any():
        first = float(np.nanmin(np.asarray(unphysical, dtype=float)))
        found.append(f"the moments are those of no quantum state from t = {first:g} on")
    if "refusal" in data and "solver" in data.dims and (lacking := [str(one) for one in data.refusal.values if one]):
        found.append(f"{len(lacking)} of the methods gave no answer")
    return found


def _formulas(data: xr.Dataset) -> list[str]:
    found = []
    for told in (lambda: _model(data), lambda: restore_state(_state(data) or {})):
        try:
            found.append(told().latex())
        except (KeyError, TypeError, ValueError):  # swept over, or of a later version
            continue
    return found


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = f"<tr>{''.join(f'<th>{html.escape(cell)}</th>' for cell in head)}</tr>" if head else ""
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{top}{body}</table>"
