"""A result as a picture: what is drawn is chosen by what it holds."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from opendicke import checks, files
from opendicke.plots import compare, husimi, phases, style
from opendicke.plots.bloch import SPIN, plot_bloch

#: What may be asked for beside names of variables.
BLOCH = "bloch"
#: Drawn where nothing is asked for, as far as it is there; of one answer also the sphere.
FAVOURITES = ("Sz", "n_photon")
#: Without any of these so many of the others are drawn.
MOST_PANELS = 6
#: Half widths of bands and bars, in standard errors.
ERRORS = 2.0
#: Points of a sweep up to which each has a line against time; more make a map.
MOST_LINES = 8
#: Single trajectories on the sphere, where they are kept.
MOST_TRAJECTORIES = 10
#: Endings of names that belong to another variable, and where that shows them.
BESIDE = {
    "_sem": "is the width of bands and bars: ask for {0}.",
    "_error": "is the width of bands and bars: ask for {0}.",
    "_difference": "is drawn in standard errors, where there are any: ask for {0}.",
    "_z": "has a panel beside that of {0}, where it is finite: ask for {0}.",
}
#: Dimensions that are no parameters.
SITES = ("spin", "mode")
INSIDE = frozenset({"batch", "channel", "trajectory", "n", "n_prime", "axis", "component", "word"})
#: Dimensions that stay where one of their values is chosen.
KEPT = ("time", "state_time")
#: Marks of the spins and modes where colours tell points of a sweep apart, and how many there are along a line.
MARKERS, MOST_MARKS = ("o", "s", "^", "D", "v", "P"), 8
#: Dots per inch of what a notebook shows.
NOTEBOOK_DPI = 120
_COLOURS = tuple(colour for name, colour in style.COLOURS.items() if name not in ("yellow", "sky"))


class Picture(Figure):
    """A figure that a notebook shows, whether or not matplotlib has been set up there."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=NOTEBOOK_DPI)
        return stream.getvalue()


def plot(
    result: xr.Dataset | str | Path,
    variables: Sequence[str] | str | None = None,
    *,
    at: Mapping[str, float] | None = None,
    output: str | Path | None = None,
) -> Picture:
    r"""Draw a result: a picture that fits what it holds.

    - An answer of ``solve``: :math:`2\langle\mathbf S\rangle/N` on the Bloch sphere, and variables against time.
    - One of ``compare``: a curve for each method, and how far it is from the reference.
    - One of ``sweep`` over one parameter: a curve for each point, or a map over parameter and time if there are more
      than eight; over a single time, points against the parameter.
    - One of ``sweep`` over two parameters: a map, at the last time.
    - A phase diagram; a Husimi function; what :mod:`opendicke.analysis` returns over time or over parameters.

    Bands and bars are two standard errors to either side; real parts are drawn solid, imaginary ones dashed.

    Args:
        result: a Dataset, or the NetCDF file that holds it.
        variables: what to draw, a panel each: names of variables of the result, and "bloch". Chosen if left out.
        at: values of dimensions, of which the nearest are taken: ``{"time": 5.0, "kappa": 0.5}``.
        output: a name ending in .png, .pdf or .svg, or without an ending: the picture is also written there, then as
            PNG and as PDF.

    Returns:
        The figure, which a notebook shows.

    Raises:
        TypeError, ValueError: for what is no result, or holds nothing that can be drawn; for a variable or dimension
            that it does not have; for another ending.
        OSError: for a file that is not there, cannot be read or cannot be written.

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=10, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=2.0)
    >>> answer = od.solve(model, od.SpinCoherent(1.0), np.linspace(0, 5, 51), od.MeanField())
    >>> figure = od.plot(answer, ["Sz", "a"])
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['$\\langle S^z\\rangle$', '$\\langle a\\rangle$']
    """
    data = _chosen(files.opened(result), _asked("at", at, Mapping, "a mapping from dimensions to values") or {})
    wanted = _asked("variables", (variables,) if isinstance(variables, str) else variables, Sequence, "names")
    place = _asked("output", output, str | Path, "a path")
    if place is not None and not Path(place).name:
        raise checks.refuse("output", "a path with a name", output)
    with style.paper():
        figure = _special(data, wanted) or _panels(data, wanted)
    if place is not None:
        style.write(figure, place)
    return figure


def _asked(name: str, value: Any, kind: Any, expected: str) -> Any:
    """What was asked for, or None for nothing."""
    if value is not None:
        checks.instance(name, value, kind, f"{expected}, or None")
    return value


def _chosen(data: xr.Dataset, at: Mapping[str, float]) -> xr.Dataset:
    """The result at the nearest of the values wanted; a dimension of time stays one."""
    for name, value in at.items():
        where = data.coords[name].values if name in data.coords and data[name].dims == (name,) else np.empty(0, str)
        if where.dtype.kind not in "iuf" or name in INSIDE:
            there = [str(dim) for dim in data.dims if dim in data.coords and data[dim].dtype.kind in "iuf"]
            there = [dim for dim in there if dim not in INSIDE]
            raise checks.refuse("at", f"dimensions out of {', '.join(there)}", name)
        index = int(np.abs(where - checks.real(f"at[{name!r}]", value)).argmin())
        data = data.isel({name: [index] if name in KEPT else index})
    return data


def _special(data: xr.Dataset, wanted: Sequence[str] | None) -> Picture | None:
    """The picture of what is neither a time series nor swept over; None if it is."""
    if {"phase", "g_minus", "g_plus"} <= set(data.variables) and data.phase.dims == ("g_minus", "g_plus"):
        _check_names(wanted, ["phase"])
        figure = Picture(figsize=(5.2, 3.3), layout="constrained")
        phases.phase_diagram(data, ax=figure.add_subplot()).set_aspect("equal")
        return figure
    if "Q" in data and {"theta", "phi"} <= set(data.Q.dims):
        _check_names(wanted, ["Q"])
        return _husimi(data)
    return None


def _husimi(data: xr.Dataset) -> Picture:
    times = data.state_time.values[:MOST_PANELS]
    figure, every = _grid(len(times), 1.9)
    for axes, time in zip(every, times.tolist(), strict=True):
        mesh = husimi.plot_husimi_map(data, axes, time=time)
        axes.set_title(f"$t = {time:g}$")
        figure.colorbar(mesh, ax=axes, label="$Q$")
    return figure


@dataclass(frozen=True)
class _Panel:
    """One panel: how it is drawn, and with what."""

    draw: Callable[..., None]
    arguments: tuple[Any, ...]


def _panels(data: xr.Dataset, wanted: Sequence[str] | None) -> Picture:
    there = drawable(data)
    compared = "solver" in data.dims
    sphere = not compared and _has_sphere(data)
    known = [*there, *[BLOCH] * sphere]
    if not known:
        hint = "Draw an answer of solve, compare, sweep or one of opendicke.analysis."
        raise checks.refuse("result", "variables over time or parameters", sorted(map(str, data.variables)), hint)
    _check_names(wanted, known, data)
    panels: list[_Panel] = []
    for names in _default(there, sphere, compared) if wanted is None else [(name,) for name in wanted]:
        if names == (BLOCH,):
            panels.append(_Panel(_sphere, (data,)))
        elif compared:
            panels += [_Panel(_methods, (data, name)) for name in names]
            panels += [_Panel(_distances, (data, name)) for name in names if np.isfinite(data[f"{name}_z"]).any()]
        else:
            panels.append(_Panel(_variables, (data, names)))
    figure, every = _grid(len(panels), 2.2)
    for axes, panel in zip(every, panels, strict=True):
        panel.draw(axes, *panel.arguments)
    bands = any(axes.containers or any(isinstance(part, PolyCollection) for part in axes.collections) for axes in every)
    title = _title(data) + f", bands and bars: ±{ERRORS:g} standard errors" * bands
    figure.suptitle(title, fontsize=style.SETTINGS["legend.fontsize"], color="0.3")
    return figure


def _grid(panels: int, height: float) -> tuple[Picture, list[Axes]]:
    """A figure with so many axes, three in a row at most."""
    columns = 2 if panels == 4 else min(panels, 3)
    rows = math.ceil(panels / columns)
    width = style.COLUMN if columns == 1 else style.PAGE
    figure = Picture(figsize=(width, height * rows + 0.25), layout="constrained")
    every = [figure.add_subplot(rows, columns, place + 1) for place in range(panels)]
    return figure, every


def drawable(data: xr.Dataset) -> list[str]:
    """The variables of a result that a panel can show: numbers over time, parameters, spins, modes and methods.

    Args:
        data: the result.
    """
    found = []
    for name, variable in data.data_vars.items():
        numbers = variable.dtype.kind in "iufc" and not str(name).endswith(tuple(BESIDE))
        over_something = "time" in variable.dims or bool(_parameters(variable))
        if numbers and over_something and not INSIDE.intersection(variable.dims) and np.isfinite(variable).any():
            found.append(str(name))
    return found


def _parameters(variable: xr.DataArray) -> list[str]:
    """The dimensions that are swept over."""
    return [str(dim) for dim in variable.dims if dim not in (*KEPT, "solver", *SITES)]


def _has_sphere(data: xr.Dataset) -> bool:
    """Whether there is one mean spin of known N, at several times."""
    one = all(name in data and data[name].dims == ("time",) for name in SPIN)
    return one and data.sizes["time"] > 1 and _atoms(data) is not None


def _atoms(data: xr.Dataset) -> int | None:
    """N, if there is one."""
    try:
        return checks.dataset_atoms(data)
    except (TypeError, ValueError):  # nothing is said of a model; several spins; a sweep over N
        return None


def _default(there: list[str], sphere: bool, compared: bool) -> list[tuple[str, ...]]:
    """The panels where nothing is asked for."""
    if sphere:
        return [(BLOCH,), SPIN, *[("n_photon",)] * ("n_photon" in there)]
    favourites = [name for name in FAVOURITES if name in there] or there[: 3 if compared else MOST_PANELS]
    return [(name,) for name in favourites]


def _check_names(wanted: Sequence[str] | None, known: Sequence[str], data: xr.Dataset | None = None) -> None:
    if wanted is None:
        return
    if not wanted:
        raise checks.refuse("variables", f"some of {', '.join(known)}", list(wanted))
    for name in wanted:
        if name not in known:
            raise checks.refuse("variables", f"some of {', '.join(known)}", name, _why_not(name, known, data))


def _why_not(name: str, known: Sequence[str], data: xr.Dataset | None) -> str:
    """Why a variable that is there has no panel; nothing of one that is not there."""
    if data is None or name not in data.data_vars:
        return ""
    for ending, said in BESIDE.items():
        if (of := name.removesuffix(ending)) != name and of in known:
            return f"{name} is there, and {said.format(of)}"
    return f"{name} is there, but no numbers over time or parameters alone."


def _title(data: xr.Dataset) -> str:
    """What was solved and how, as far as the result says it."""
    told = [str(data.attrs["method"])] if "method" in data.attrs else []
    if (atoms := _atoms(data)) is not None:
        told.append(f"$N = {atoms}$")
    if "trajectories" in data.attrs:
        told.append(f"{data.attrs['trajectories']} trajectories")
    return ", ".join(told)


def _sphere(axes: Axes, data: xr.Dataset) -> None:
    kept = data.sizes["trajectory"] if "Sx_trajectory" in data else 0
    plot_bloch(data, axes, trajectories=min(kept, MOST_TRAJECTORIES), marked_time=float(data.time[0]))
    axes.set_title(r"$2\langle\mathbf{S}\rangle/N$, dot: start")


def _methods(axes: Axes, data: xr.Dataset, name: str) -> None:
    compare.curves(data, name, axes, errors=ERRORS)
    part = "Re " if np.iscomplexobj(data[name]) else ""
    axes.set_ylabel(part + label(data, name))


def _distances(axes: Axes, data: xr.Dataset, name: str) -> None:
    compare.deviations(data, name, axes)
    axes.set(title=f"{label(data, name)}: from {data.attrs['reference']}", ylabel="deviation / standard error")


def _variables(axes: Axes, data: xr.Dataset, names: tuple[str, ...]) -> None:
    """Variables over time or over what is swept."""
    over = _parameters(data[names[0]])
    has_times = "time" in data[names[0]].dims
    times = data.sizes["time"] if has_times else 1
    if len(over) > 2:
        hint = f"Choose with at (or --at), e.g. {over[0]}={float(data[over[0]][0]):g}."
        raise checks.refuse("result", "at most two parameters to draw over", ", ".join(over), hint)
    if len(over) == 2 or (over and times > 1 and data.sizes[over[0]] > MOST_LINES):
        _map(axes, data, names[0], over if len(over) == 2 else [over[0], "time"])
        return
    if over and times > 1:
        _lines_of_points(axes, data, names[0], over[0])
        return
    flat = data[list(names)].isel(time=0) if over and has_times else data
    for at, name in enumerate(names):
        own = label(data, name) if len(names) > 1 else ""
        _lines(axes, data if flat is data else data.isel(time=0), name, over[0] if over else "time", own, at)
    axes.set(xlabel=over[0] if over else "time", ylabel="" if len(names) > 1 else label(data, names[0]))
    _legend(axes)


def _lines_of_points(axes: Axes, data: xr.Dataset, name: str, parameter: str) -> None:
    """A line against time for each point, from dark to light."""
    shades = colormaps["viridis"](np.linspace(0.0, 0.85, data.sizes[parameter]))
    for shade, point in zip(shades, range(data.sizes[parameter]), strict=True):
        own = data.isel({parameter: point})
        _lines(axes, own, name, "time", f"{parameter} = {float(data[parameter][point]):.4g}", 0, shade)
    axes.set(xlabel="time", ylabel=label(data, name))
    _legend(axes)


def _lines(axes: Axes, data: xr.Dataset, name: str, against: str, own: str, colour: int, shade: Any = None) -> None:
    """A line with its band for each spin and mode, dashed for imaginary parts; with a shade marks tell them apart."""
    variable, error = data[name], _errors(data, name)
    sites = [dim for dim in SITES if dim in variable.dims]
    marked = shade is not None and any(variable.sizes[dim] > 1 for dim in sites)
    for at, place in enumerate(np.ndindex(*(variable.sizes[dim] for dim in sites))):
        where = dict(zip(sites, place, strict=True))
        several = [f"{dim} {index}" for dim, index in where.items() if variable.sizes[dim] > 1]
        said = ", ".join([own] * bool(own) + several)
        tint = _COLOURS[colour % len(_COLOURS)] if shade is None else shade
        colour += 1
        values = variable.isel(where).values
        errors = None if error is None else ERRORS * error.isel(where).values
        is_complex = np.iscomplexobj(values)
        for part, dashes in (("real", "-"), ("imag", "--")) if is_complex else (("real", "-"),):
            about = f"{'Re' if part == 'real' else 'Im'} {said}".strip() if is_complex else said
            width = None if errors is None else np.asarray(getattr(errors, part))
            mark = MARKERS[at % len(MARKERS)] if marked else ""
            _line(axes, data[against].values, np.asarray(getattr(values, part)), width, (tint, dashes, mark), about)


def _line(
    axes: Axes,
    x: NDArray[Any],
    y: NDArray[Any],
    error: NDArray[Any] | None,
    look: tuple[Any, str, str],
    said: str,
) -> None:
    """A line with a band; marks with bars where points stand for themselves. The look is colour, dashes and mark."""
    few = x.size <= MOST_LINES
    colour, dashes, mark = look
    every = 1 if few else x.size // MOST_MARKS
    marks: dict[str, Any] = {"marker": mark or ("o" if few else ""), "markersize": 3, "markevery": every}
    axes.plot(x, y, color=colour, linestyle=dashes, label=said or None, **marks)
    if error is None or not error.any():
        return
    if few:
        axes.errorbar(x, y, error, color=colour, linestyle="none", elinewidth=0.8)
    else:
        axes.fill_between(x, y - error, y + error, color=colour, alpha=0.25, linewidth=0)


def _map(axes: Axes, data: xr.Dataset, name: str, over: list[str]) -> None:
    """Colours over two dimensions, at the last time if time is none of them."""
    variable = data[name]
    if several := [dim for dim in SITES if dim in variable.dims]:
        hint = f"Choose with at (or --at): {several[0]}=0."
        raise checks.refuse("result", f"a single {' and '.join(several)} to draw a map of {name}", "all", hint)
    if "time" in variable.dims and "time" not in over:
        variable = variable.isel(time=-1)
        axes.set_title(f"$t = {float(data.time[-1]):g}$")
    values = variable.transpose(over[1], over[0]).real
    mesh = axes.pcolormesh(
        data[over[0]].values, data[over[1]].values, values.values, shading="nearest", cmap="viridis", rasterized=True
    )
    said = ("Re " if np.iscomplexobj(variable) else "") + label(data, name)
    axes.figure.colorbar(mesh, ax=axes, label=said)
    axes.set(xlabel=over[0], ylabel=over[1])


def _errors(data: xr.Dataset, name: str) -> xr.DataArray | None:
    """The standard errors of a variable, if there are any."""
    found = (data[name + ending] for ending in ("_sem", "_error") if name + ending in data)
    return next((error for error in found if error.dims == data[name].dims), None)


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(handlelength=1.5)


def label(data: xr.Dataset, name: str) -> str:
    r"""How an axis calls a variable: its definition in mathematical type if that is a mean, else its name.

    Args:
        data: the result.
        name: of the variable.

    >>> label(xr.Dataset({"n_photon": ((), 0.0, {"definition": "<a^dag a>"})}), "n_photon")
    '$\\langle a^\\dagger a\\rangle$'
    """
    definition = str(data[name].attrs.get("definition", ""))
    if definition.startswith("<") and definition.endswith(">"):
        inner = definition[1:-1].replace("^dag", r"^\dagger")
        return rf"$\langle {inner}\rangle$"
    return name
