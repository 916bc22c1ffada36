"""Methods side by side: curves with error bands, and how far they are from the exact one."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from opendicke import checks
from opendicke.plots.style import COLOURS

#: Dashes of the curves, in turn: told apart without colour too.
DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))


def curves(data: xr.Dataset, name: str, ax: Axes | None = None, *, part: str = "real", errors: float = 2.0) -> Axes:
    """Draw one variable of all methods that gave an answer, with bands of statistical errors.

    Args:
        data: from :func:`opendicke.compare`.
        name: a variable, e.g. ``"Sz"``.
        ax: where to draw; by default the current axes.
        part: "real" or "imag" part of a complex variable.
        errors: half width of the bands, in standard errors.

    Returns:
        the axes drawn on.

    Raises:
        ValueError: for a variable or part that is not there.

    >>> from matplotlib.figure import Figure
    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=2.0)
    >>> table = od.compare(model, od.SpinCoherent(1.0), np.linspace(0, 2, 9), [od.Lindblad(), od.MeanField()], ["Sz"])
    >>> axes = curves(table, "Sz", Figure().add_subplot())
    >>> [line.get_label() for line in axes.lines]
    ['Lindblad', 'MeanField']
    """
    axes = plt.gca() if ax is None else ax
    values, sem = _part(data, name, part), _part(data, f"{name}_sem", part)
    for (label, colour), dashes in zip(_rows(data), DASHES * len(data.solver), strict=False):
        mean, error = values.sel(solver=label).values, errors * sem.sel(solver=label).values
        axes.plot(data.time, mean, color=colour, linestyle=dashes, label=label)
        if error.any():
            axes.fill_between(data.time, mean - error, mean + error, color=colour, alpha=0.25, linewidth=0)
    axes.set(xlabel="time", ylabel=data[name].attrs["definition"])
    axes.legend()
    return axes


def deviations(data: xr.Dataset, name: str, ax: Axes | None = None, *, part: str = "real") -> Axes:
    """Draw how far the methods are from the reference, in standard errors; the shaded band is ±2.

    Args:
        data: from :func:`opendicke.compare`.
        name: a variable, e.g. ``"Sz"``.
        ax: where to draw; by default the current axes.
        part: "real" or "imag" part of a complex variable.

    Returns:
        the axes drawn on.

    Raises:
        ValueError: for a variable or part that is not there.
    """
    axes = plt.gca() if ax is None else ax
    z = _part(data, f"{name}_z", part)
    axes.axhspan(-2, 2, color="0.9", linewidth=0)
    for (label, colour), dashes in zip(_rows(data), DASHES * len(data.solver), strict=False):
        row = z.sel(solver=label).values
        if np.isfinite(row).any():
            axes.plot(data.time, row, color=colour, linestyle=dashes, label=label)
    axes.set(xlabel="time", ylabel=f"deviation from {data.attrs['reference'] or 'reference'} / standard error")
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    return axes


def _rows(data: xr.Dataset) -> list[tuple[str, str]]:
    """Name and colour of each method that gave an answer."""
    colours = list(COLOURS.values())
    labels = [str(label) for label in data.solver.values]
    return [(label, colours[row % len(colours)]) for row, label in enumerate(labels) if not data.refusal.values[row]]


def _part(data: xr.Dataset, name: str, part: str) -> xr.DataArray:
    if name not in data:
        raise checks.refuse("name", f"one of {', '.join(str(known) for known in data.data_vars)}", name)
    if several := [dim for dim in ("spin", "mode") if dim in data[name].dims]:
        hint = f"Choose: data.isel({', '.join(f'{dim}=0' for dim in several)})."
        raise checks.refuse("data", f"a single {' and '.join(several)} to draw {name} of", "all", hint)
    if part not in ("real", "imag"):
        raise checks.refuse("part", "'real' or 'imag'", part)
    return data[name].real if part == "real" else data[name].imag
