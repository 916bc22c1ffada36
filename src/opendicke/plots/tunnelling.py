"""Tunnelling between metastable states: occupations along a cut, rates against the number of atoms, exponents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from opendicke.plots.style import COLOURS

#: Number of atoms: colours in turn.
ATOM_COLOURS = ("vermillion", "orange", "green", "sky", "blue", "purple", "black")
#: Position on the cut: markers in turn, told apart without colour.
MARKERS = ("v", "s", "^", "D", "P", "X", "o", "<", ">", "p", "h", "*")

Name = Literal["ns", "sn"]


def atom_colours(n_atoms: Sequence[int]) -> dict[int, str]:
    """A colour for each number of atoms."""
    return {n: COLOURS[ATOM_COLOURS[place % len(ATOM_COLOURS)]] for place, n in enumerate(sorted(n_atoms))}


def markers(positions: Sequence[float]) -> dict[float, str]:
    """A marker for each position on the cut."""
    return {s: MARKERS[place % len(MARKERS)] for place, s in enumerate(sorted(positions))}


def plot_occupation(cuts: Mapping[int, xr.Dataset], axes: Axes, name: Literal["p_s", "p_n"]) -> Axes:
    """Draw an occupation at the last time against the position s; colour tells N, the marker s.

    Lines are monotone interpolations, a guide to the eye.

    Args:
        cuts: N -> Dataset over (s, time) with ``name`` and its standard error.
        axes: where to draw.
        name: ``p_s`` (from n) or ``p_n`` (from s).

    Returns:
        ``axes``.
    """
    from scipy.interpolate import PchipInterpolator

    colours = atom_colours(list(cuts))
    for n, cut in cuts.items():
        s, last = cut.s.values, cut.isel(time=-1)
        values, errors = last[name].values, last[f"{name}_sem"].values
        if s.size > 1:
            fine = np.linspace(s[0], s[-1], 201)
            axes.plot(fine, PchipInterpolator(s, values)(fine), color=colours[n], linewidth=0.8, dashes=(3, 1.2))
        _points(axes, s, values, errors, colours[n], s)
        axes.plot([], [], color=colours[n], marker="o", markersize=3, linewidth=0.8, label=f"$N = {n}$")
    axes.set_xlabel("position on the cut $s$")
    axes.set_ylim(-0.06, 1.06)
    return axes


def plot_rates(
    cuts: Mapping[int, xr.Dataset], axes: Axes, name: Name, fits: Mapping[float, tuple[float, float]]
) -> Axes:
    r"""Draw rates against N on a logarithmic scale, with the fitted exponentials; rates of zero are left out.

    Args:
        cuts: N -> Dataset over s with ``gamma_<name>`` and the ends ``_low``, ``_high`` of its interval.
        axes: where to draw.
        name: "ns" or "sn".
        fits: s -> (ln A, r), for the lines.

    Returns:
        ``axes``.
    """
    colours, numbers = atom_colours(list(cuts)), np.array(sorted(cuts))
    lowest = np.inf
    for n, cut in cuts.items():
        for s, marker in markers(cut.s.values.tolist()).items():
            here = cut.sel(s=s)
            value, low, high = (float(here[f"gamma_{name}{end}"]) for end in ("", "_low", "_high"))
            if value > 0:
                lowest = min(lowest, value)
                axes.errorbar(
                    n, value, [[value - low], [high - value]], color=colours[n], marker=marker, markersize=2.6,
                    elinewidth=0.5, markeredgewidth=0,
                )  # fmt: skip
    reach = np.linspace(numbers[0], numbers[-1], 50)
    for log_a, r in fits.values():
        axes.plot(reach, np.exp(log_a + r * reach), color="0.4", linewidth=0.5, dashes=(3, 1.5), zorder=0)
    axes.set_yscale("log")
    if np.isfinite(lowest):
        axes.set_ylim(lowest / 4, None)
    return axes


def plot_exponents(
    axes: Axes,
    s: NDArray[np.float64],
    exponents: Mapping[Name, tuple[NDArray[np.float64], NDArray[np.float64]]],
    crossing: tuple[float, float, float] | None = None,
) -> Axes:
    """Draw the exponents of both rates against s, and where they cross.

    Args:
        axes: where to draw.
        s: positions.
        exponents: "ns" and "sn" -> exponents and their standard errors, NaN where there is none.
        crossing: s_c and the ends of its 95 % interval.

    Returns:
        ``axes``.
    """
    about: dict[Name, tuple[str, str, str]] = {
        "ns": ("blue", "o", r"$r_{ns}$"), "sn": ("vermillion", "s", r"$r_{sn}$")
    }  # fmt: skip
    for name, (values, errors) in exponents.items():
        colour, marker, label = about[name]
        known = np.isfinite(values)
        axes.errorbar(
            s[known], values[known], errors[known], color=COLOURS[colour], marker=marker, markersize=2.5, linewidth=0.8,
            elinewidth=0.6, label=label,
        )  # fmt: skip
    if crossing is not None:
        best, low, high = crossing
        axes.axvspan(max(low, s.min()), min(high, s.max()), color=COLOURS["green"], alpha=0.2, linewidth=0)
        axes.axvline(best, color=COLOURS["green"], linewidth=1.0)
    return axes


def plot_squeezing(cuts: Mapping[int, xr.Dataset], axes: Axes) -> Axes:
    """Draw ξ² of the normal state against s for every N, and its limit N → ∞.

    Args:
        cuts: N -> Dataset over s with ``xi2``, ``xi2_sem`` and ``xi2_gaussian``.
        axes: where to draw.

    Returns:
        ``axes``.
    """
    colours = atom_colours(list(cuts))
    for n, cut in cuts.items():
        _points(axes, cut.s.values, cut.xi2.values, cut.xi2_sem.values, colours[n], cut.s.values)
        axes.plot(cut.s, cut.xi2, color=colours[n], linewidth=0.4)
    limit = next(iter(cuts.values()))
    axes.plot(limit.s, limit.xi2_gaussian, color="black", linewidth=1.0, label=r"$N\to\infty$")
    axes.set_xlabel("position on the cut $s$")
    return axes


def plot_populations(
    times: NDArray[np.float64],
    share: NDArray[np.float64],
    errors: NDArray[np.float64],
    axes: Axes,
    *,
    colour: str,
    fit: NDArray[np.float64] | None = None,
    label: str | None = None,
) -> Axes:
    """Draw an occupation against time with a band of one standard error, and the fit dashed.

    Args:
        times: shape (times,).
        share, errors: occupation and its standard error, shape (times,).
        axes: where to draw.
        colour: of matplotlib.
        fit: at the same times.
        label: for the legend.

    Returns:
        ``axes``.
    """
    axes.fill_between(times, share - errors, share + errors, color=colour, alpha=0.25, linewidth=0)
    axes.plot(times, share, color=colour, linewidth=0.9, label=label)
    if fit is not None:
        axes.plot(times, fit, color="black", linewidth=0.8, dashes=(3, 1.5))
    return axes


def plot_visits(
    times: NDArray[np.float64], spin: NDArray[np.float64], elsewhere: NDArray[np.bool_], axes: Axes
) -> Axes:
    """Draw <S>/N of one trajectory, shaded while it is in the state that it did not start in.

    Args:
        times: shape (times,).
        spin: shape (times, 3).
        elsewhere: shape (times,).
        axes: where to draw.

    Returns:
        ``axes``.
    """
    for component, (colour, label) in enumerate((("blue", "x"), ("vermillion", "y"), ("green", "z"))):
        axes.plot(times, spin[:, component], color=COLOURS[colour], linewidth=0.5, label=f"$m_{label}$")
    axes.fill_between(
        times, 0, 1, where=elsewhere.tolist(), color=COLOURS["sky"], alpha=0.35, linewidth=0, step="mid",
        transform=axes.get_xaxis_transform(), zorder=0,
    )  # fmt: skip
    return axes


def _points(
    axes: Axes,
    x: NDArray[np.float64],
    values: NDArray[np.float64],
    errors: NDArray[np.float64],
    colour: str,
    positions: NDArray[np.float64],
) -> None:
    """Points with error bars, their markers by position."""
    marks = markers(positions.tolist())
    for at, value, error, s in zip(x, values, errors, positions, strict=True):
        axes.errorbar(
            at, value, error, color=colour, marker=marks[float(s)], markersize=3.4, markeredgewidth=0, elinewidth=0.6
        )
