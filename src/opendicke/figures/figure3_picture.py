"""Fig. 3 drawn, and its phase diagram beside mean field's."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from opendicke.analysis import phase_boundaries, phase_diagram
from opendicke.analysis.tunnelling import BISTABLE_CUT, Landscape
from opendicke.figures.figure3 import FULL, G_MINUS, G_PLUS, Plan, Transition, cuts
from opendicke.model import DickeModel
from opendicke.plots import phases, style
from opendicke.plots.bloch import View, mark
from opendicke.plots.husimi import plot_husimi_sphere
from opendicke.plots.tunnelling import (
    Name,
    atom_colours,
    markers,
    plot_exponents,
    plot_occupation,
    plot_rates,
    plot_squeezing,
)

#: Of the sphere in (a): from below, so that n is near the middle and s+, s− on either side.
VIEW = View(azimuth=-125.0, elevation=-52.0)
#: Of (b): monotone in lightness, alike for all kinds of colour blindness.
SHADES = "cividis"
SMALL = 6.0
#: Of the line of the transition, on dark and light ground.
TRANSITION = "#39ff9c"
#: g₋ and g₊ where the names of the phases stand in (b).
NAMES = {"SR": (1.55, 0.9), "BI": (1.935, 0.885), "NP": (1.64, 0.6)}


def plot(datasets: Mapping[str, xr.Dataset]) -> Figure:
    """All panels, as wide as a page; what was run stands below.

    Args:
        datasets: those of :func:`figure3.run`.
    """
    found = cuts(datasets)
    transition = Transition.of(found)
    with style.paper():
        figure = Figure(figsize=(style.PAGE, 6.5))
        upper = figure.add_gridspec(1, 2, left=0, right=0.9, bottom=0.625, top=0.96, width_ratios=(1, 1.55), wspace=0.2)
        lower = figure.add_gridspec(1, 3, left=0.07, right=0.99, bottom=0.14, top=0.54, wspace=0.3)
        _draw_q(figure.add_subplot(upper[0]), datasets["q"])
        axes = figure.add_subplot(upper[1])
        mesh = _draw_diagram(axes, datasets["diagram"], transition, datasets.get("transition"))
        box = axes.get_position()
        bar = figure.colorbar(mesh, cax=figure.add_axes((box.x1 + 0.012, box.y0, 0.014, box.height)))
        bar.set_label("superradiant occupation $p_s$")
        _draw_exponents(axes.inset_axes((0.63, 0.12, 0.355, 0.29)), transition, datasets.get("limit"))
        _draw_cut(figure.add_subplot(lower[0]), found, "p_s", "ns", transition)
        _draw_cut(figure.add_subplot(lower[1]), found, "p_n", "sn", transition)
        _draw_squeezing(figure.add_subplot(lower[2]), found)
        _draw_legend(figure, found)
        figure.text(0.005, 0.004, _what_was_run(datasets), fontsize=5.5, color="0.35")
    return figure


def plot_phase_diagrams(datasets: Mapping[str, xr.Dataset]) -> Figure:
    """Mean field's phases, and beside them what is superradiant at a finite number of atoms after a finite time.

    Args:
        datasets: those of :func:`figure3.run`.
    """
    data = datasets["diagram"]
    transition = Transition.of(cuts(datasets))
    with style.paper():
        figure = Figure(figsize=(style.PAGE, 2.75), layout=ConstrainedLayoutEngine(rect=(0, 0.045, 1, 0.955)))
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        model = BISTABLE_CUT.model(0.0, 1)
        fine = phase_diagram(model, np.linspace(*G_MINUS, 361), np.linspace(*G_PLUS, 301))
        line = datasets.get("transition")
        phases.phase_diagram(fine, phase_boundaries(model, g_max=2.5), left, transition=line, legend=False)
        _name_phases(left, "black")
        left.set_title("mean field: $N\\to\\infty$, then $t\\to\\infty$")
        mesh = _draw_diagram(right, data, transition, line)
        right.set_title(rf"exact: $N = {data.attrs['n_atoms']}$, $\omega_a t = {data.attrs['stop']:g}$")
        right.set_ylabel("")
        for axes in (left, right):
            axes.set(xlim=G_MINUS, ylim=G_PLUS)
        figure.colorbar(mesh, ax=right, label="superradiant occupation $p_s$")
        figure.text(0.005, 0.004, _grid_run(data), fontsize=5.5, color="0.35")
    return figure


def _draw_q(axes: Axes, q: xr.Dataset) -> None:
    """Q on the sphere, with the three mean-field states."""
    model = DickeModel(**json.loads(q.attrs["model"]))
    plot_husimi_sphere(q, axes, view=VIEW)
    landscape = Landscape.of(model)
    places = {"n": landscape.normal, "s+": landscape.superradiant, "s-": landscape.superradiant.mirror()}
    for name, point in places.items():
        mark(axes, 2 * point.m, VIEW, "orange", "x", 4.5, zorder=6)
        x, y, _ = VIEW.project(2 * point.m)
        text = {"n": "$n$", "s+": "$s_+$", "s-": "$s_-$"}[name]
        axes.text(x + 0.09, y + 0.05, text, fontsize=8, zorder=40)
    s, time = _position(model), float(q.state_time.item())
    axes.set_title(rf"(a) $Q$, $N = {model.n_atoms}$, $s = {s:g}$, $\omega_a t = {time:g}$", pad=4)


def _position(model: DickeModel) -> float:
    """s of a model on the cut."""
    return float(round((model.g_minus - BISTABLE_CUT.origin[0]) / BISTABLE_CUT.direction[0], 6))


def _draw_diagram(axes: Axes, data: xr.Dataset, transition: Transition, line: xr.Dataset | None) -> QuadMesh:
    """The occupation as colour, mean field's boundaries and the transition on top, the cut as an arrow, and s_c."""
    mesh = axes.pcolormesh(
        data.g_minus, data.g_plus, data.p_s.transpose("g_plus", "g_minus"), cmap=SHADES, vmin=0, vmax=1,
        shading="nearest", rasterized=True,
    )  # fmt: skip
    for edge in phase_boundaries(BISTABLE_CUT.model(0.0, 1), g_max=2.5):
        if edge.name in ("pitchfork", "subcritical pitchfork", "saddle-node") and edge.g_minus[-1] >= edge.g_plus[-1]:
            colour = "white" if edge.name == "saddle-node" else "black"
            axes.plot(edge.g_minus, edge.g_plus, color=colour, linewidth=1.1, dashes=(4, 2))
    if line is not None:
        axes.plot(
            *phases.transition_curve(line), color=TRANSITION, linewidth=1.4, label=r"$t\to\infty$, then $N\to\infty$"
        )
        axes.legend(loc="lower left", fontsize=SMALL, labelcolor="white", handlelength=1.5, borderpad=0.2)
    start, end = (BISTABLE_CUT.model(s, 1) for s in (0.0, 1.0))
    arrow = {"arrowstyle": "-|>,head_length=0.3,head_width=0.15", "color": "0.75", "linewidth": 1.4}
    axes.annotate(
        "", (end.g_minus, end.g_plus), (start.g_minus, start.g_plus), arrowprops=arrow | {"shrinkA": 0, "shrinkB": 0}
    )
    if transition.crossing is not None:
        model = BISTABLE_CUT.model(transition.crossing.s, 1)
        axes.plot(model.g_minus, model.g_plus, "+", color="#39ff9c", markersize=9, markeredgewidth=2)
        axes.text(model.g_minus - 0.014, model.g_plus - 0.006, "$s_c$", color="#39ff9c", ha="right", va="top")
    _name_phases(axes, None)
    axes.set(xlim=G_MINUS, ylim=G_PLUS, xlabel="co-rotating coupling $g_-$", ylabel="counter-rotating coupling $g_+$")
    n_atoms, stop = data.attrs["n_atoms"], data.attrs["stop"]
    axes.set_title(rf"(b) $p_s$ from the normal state, $N = {n_atoms}$, $\omega_a t = {stop:g}$")
    return mesh


def _name_phases(axes: Axes, colour: str | None) -> None:
    for name, (x, y) in NAMES.items():
        axes.text(x, y, name, color=colour or ("black" if name == "SR" else "white"), ha="center", va="center")


def _draw_exponents(inset: Axes, transition: Transition, limit: xr.Dataset | None) -> None:
    """r_ns and r_sn against s on a white ground, and those for N → ∞."""
    positions = sorted({s for fits in transition.fits.values() for s in fits})
    s = np.array(positions)
    values: dict[Name, tuple[NDArray[np.float64], NDArray[np.float64]]] = {
        name: (
            np.array([fits[p].r if p in fits else np.nan for p in positions]),
            np.array([fits[p].r_sem if p in fits else np.nan for p in positions]),
        )
        for name, fits in transition.fits.items()
    }
    point = transition.crossing
    plot_exponents(inset, s, values, (point.s, point.low, point.high) if point else None)
    if limit is not None:
        for name, colour in (("r_ns", "blue"), ("r_sn", "vermillion")):
            inset.plot(limit.s, limit[name], color=style.COLOURS[colour], linewidth=0.9, dashes=(3, 1.2))
        inset.plot([], [], color="0.3", linewidth=0.9, dashes=(3, 1.2), label=r"$N\to\infty$")
        inset.set_ylim(-0.14, 0.01)
    inset.set_xlabel("$s$", color="white", fontsize=SMALL, labelpad=0)
    inset.tick_params(labelsize=SMALL, labelcolor="white", pad=1.5)
    inset.legend(fontsize=SMALL, loc="lower right", handlelength=1.2, borderpad=0.1, labelspacing=0.1)


def _draw_cut(axes: Axes, found: Mapping[int, xr.Dataset], name: str, rate: Name, transition: Transition) -> None:
    """An occupation along the cut with the rates in an inset."""
    from_n = name == "p_s"
    plot_occupation(found, axes, "p_s" if from_n else "p_n")
    edge = 0.0 if from_n else 1.0
    axes.plot([-0.1, edge, edge, 1.1], [1, 1, 0, 0] if from_n else [0, 0, 1, 1], color="black", linewidth=0.9,
              dashes=(4, 2), zorder=0)  # fmt: skip
    axes.set_xlim(-0.08, 1.08)
    stop = float(next(iter(found.values())).time[-1])
    start, letter = ("normal", "c") if from_n else ("superradiant", "d")
    axes.set_title(rf"({letter}) from the {start} state, $\omega_a t = {stop:g}$", fontsize=7.5)
    axes.set_ylabel("superradiant $p_s$" if from_n else "normal $p_n$")
    inset = _space_above(axes, (-0.06, 1.06), np.linspace(0, 1, 6))
    lines = {s: (fit.log_a, fit.r) for s, fit in transition.fits[rate].items()}
    plot_rates(found, inset, rate, lines)
    inset.set_ylabel(rf"$\gamma_{{{rate}}}/\omega_a$", fontsize=SMALL, labelpad=0)
    inset.tick_params(which="minor", labelleft=False)


def _space_above(axes: Axes, data: tuple[float, float], ticks: NDArray[np.float64]) -> Axes:
    """Keep the data, between the two values, in the lower part of ``axes``; an inset against N for the upper part."""
    low, high = data
    axes.set_ylim(low, low + (high - low) / 0.57)
    axes.set_yticks(ticks)
    axes.yaxis.set_label_coords(-0.13, 0.28)
    inset = axes.inset_axes((0.2, 0.665, 0.775, 0.315))
    inset.set_xlabel("$N$", fontsize=SMALL, labelpad=0)
    inset.tick_params(labelsize=SMALL, pad=1.5)
    return inset


def _draw_squeezing(axes: Axes, found: Mapping[int, xr.Dataset]) -> None:
    """ξ² along the cut; inset: against N next to (1.8, 0.782)."""
    plot_squeezing(found, axes)
    axes.set_xlim(-0.02, 1.02)
    axes.set_title("(e) squeezing of the normal state", fontsize=7.5)
    axes.set_ylabel(r"$\xi^2$")
    largest = max(float(np.nanmax((cut.xi2 + cut.xi2_sem).fillna(cut.xi2_gaussian).values)) for cut in found.values())
    inset = _space_above(axes, (0.53, max(largest + 0.01, 0.6)), np.arange(0.55, largest, 0.05))
    positions = next(iter(found.values())).s.values
    s = float(positions[np.abs(positions - 0.688).argmin()])
    one = {n: cut.sel(s=s) for n, cut in found.items()}
    numbers = np.array(list(one))
    inset.errorbar(
        numbers, [float(cut.xi2) for cut in one.values()], [float(cut.xi2_sem) for cut in one.values()], color="black",
        marker=markers(positions.tolist())[s], markersize=2.6, linewidth=0, elinewidth=0.6,
    )  # fmt: skip
    inset.axhline(float(one[numbers[0]].xi2_gaussian), color="black", linewidth=0.9)
    inset.set_ylabel(rf"$\xi^2$ at $s = {s:g}$", fontsize=SMALL, labelpad=1)
    inset.set_ylim(0.55, None)


def _draw_legend(figure: Figure, found: Mapping[int, xr.Dataset]) -> None:
    """Colours for N, markers for s, once for the three lower panels."""
    handles: list[Line2D] = [
        Line2D([], [], color=colour, marker="o", markersize=3.4, linewidth=0.8, label=f"$N = {n}$")
        for n, colour in atom_colours(list(found)).items()
    ]
    handles.append(Line2D([], [], color="black", linewidth=0.9, dashes=(4, 2), label="mean field"))
    handles.append(Line2D([], [], color="black", linewidth=1.0, label=r"Gaussian, $N\to\infty$"))
    figure.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.054), ncols=len(handles), fontsize=SMALL,
        columnspacing=1.2, handlelength=1.8,
    )  # fmt: skip
    places = markers(next(iter(found.values())).s.values.tolist())
    shapes = [
        Line2D([], [], color="0.3", marker=marker, markersize=3.4, linewidth=0, label=f"$s = {s:g}$")
        for s, marker in places.items()
    ]
    figure.legend(
        handles=shapes, loc="lower center", bbox_to_anchor=(0.5, 0.03), ncols=len(shapes), fontsize=SMALL,
        columnspacing=0.9, handletextpad=0.1,
    )  # fmt: skip


def _what_was_run(datasets: Mapping[str, xr.Dataset]) -> str:
    """How much of which seed, and what the full figure has, so that a picture says how good it is."""
    plan, seed = Plan.of(datasets), datasets["diagram"].attrs["seed"]
    told = f"{plan}; seed {seed}"
    return told if plan == FULL else f"{told}\nIn full: {FULL}"


def _grid_run(data: xr.Dataset) -> str:
    """The same of the phase diagram alone."""
    grid, count = (data.sizes["g_minus"], data.sizes["g_plus"]), data.attrs["trajectories"]
    told = f"{grid[0]} × {grid[1]} points, {count} trajectories each; seed {data.attrs['seed']}"
    full = f"; in full {FULL.grid[0]} × {FULL.grid[1]} and {FULL.diagram_trajectories}"
    return told if (grid, count) == (FULL.grid, FULL.diagram_trajectories) else told + full
