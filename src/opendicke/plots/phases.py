"""The mean-field phase diagram as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from opendicke.analysis import PHASES, PhaseBoundary
from opendicke.model import DickeModel
from opendicke.plots import style
from opendicke.tunnelling.transition import bistable_range

#: Fill of each phase: tints of the Okabe–Ito palette, told apart with every common colour blindness and by lightness.
COLOURS: dict[int, str] = {
    0: "#ffffff",
    1: "#cfe6f5",
    2: "#f3b98d",
    3: "#8fd0b6",
    4: "#b9b9c9",
    6: "#e3a8c9",
}
#: Dashes of each boundary, in points on and off: the shape carries the meaning, not the colour.
DASHES: dict[str, tuple[float, ...]] = {
    "pitchfork": (),
    "subcritical pitchfork": (5, 2),
    "saddle-node": (1, 1.6),
    "pole flip": (7, 2, 1, 2),
    "Hopf": (7, 2, 1, 2, 1, 2),
}

#: Of the line of the transition.
TRANSITION = "#d1006f"


def phase_diagram(
    data: xr.Dataset,
    lines: Iterable[PhaseBoundary] = (),
    ax: Axes | None = None,
    *,
    transition: xr.Dataset | None = None,
    legend: bool = True,
) -> Axes:
    """Draw a phase diagram: areas from its labels, lines from the closed-form boundaries.

    Args:
        data: from :func:`opendicke.analysis.phase_diagram`.
        lines: from :func:`opendicke.analysis.phase_boundaries`, for the same model.
        ax: where to draw; by default the current axes.
        transition: from :func:`opendicke.analysis.tunnelling.transition_line`, for the same model: where the bistable
            phase breaks if t → ∞ before N → ∞.
        legend: whether to name the phases and lines beside the axes.

    Returns:
        the axes drawn on.

    >>> from matplotlib.figure import Figure
    >>> from opendicke import DickeModel
    >>> from opendicke import analysis
    >>> model = DickeModel.balanced(n_atoms=1, omega_a=1, omega_c=1, kappa=1, coupling=1)
    >>> data = analysis.phase_diagram(model, np.linspace(0, 2, 21), np.linspace(0, 2, 21))
    >>> axes = phase_diagram(data, analysis.phase_boundaries(model, g_max=2.0), Figure().add_subplot())
    >>> len(axes.lines), axes.get_xlim()
    (6, (np.float64(0.0), np.float64(2.0)))
    """
    axes = plt.gca() if ax is None else ax
    labels = list(PHASES)
    edges = [-0.5, *((low + high) / 2 for low, high in pairwise(labels)), labels[-1] + 0.5]
    colours = ListedColormap([COLOURS[label] for label in labels])
    g_minus, g_plus = data.g_minus.values, data.g_plus.values
    norm = BoundaryNorm(edges, colours.N)
    axes.pcolormesh(g_minus, g_plus, data.phase.values.T, cmap=colours, norm=norm, shading="nearest", rasterized=True)
    names = []
    for line in lines:
        axes.plot(line.g_minus, line.g_plus, color="black", linewidth=1.2, dashes=DASHES[line.name])
        names.append(line.name)
    if transition is not None:
        axes.plot(*transition_curve(transition), color=TRANSITION, linewidth=1.8)
    axes.set(xlim=(g_minus.min(), g_minus.max()), ylim=(g_plus.min(), g_plus.max()))
    axes.set(xlabel="co-rotating coupling $g_-$", ylabel="counter-rotating coupling $g_+$")
    if legend:
        present = set(np.unique(data.phase.values).tolist())
        handles: list[Patch | Line2D] = [
            Patch(facecolor=COLOURS[label], edgecolor="black", linewidth=0.5, label=name)
            for label, name in PHASES.items()
            if label in present
        ]
        handles += [
            Line2D([], [], color="black", linewidth=1.2, linestyle=(0, DASHES[name] or (1, 0)), label=name)
            for name in dict.fromkeys(names)
        ]
        if transition is not None:
            handles.append(Line2D([], [], color=TRANSITION, linewidth=1.8, label="transition, $t\\to\\infty$ first"))
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, handlelength=3.2)
    return axes


def transition_curve(line: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """g₋ and g₊ of the line of the transition, smooth, from the tricritical point to its last point.

    Interpolated is the share of the way across the bistable phase, which hardly changes and is a quarter at the
    tricritical point.

    Args:
        line: from :func:`opendicke.analysis.tunnelling.transition_line`.
    """
    from scipy.interpolate import PchipInterpolator

    tip = float(line.attrs["tricritical"][0])
    share = PchipInterpolator([tip, *line.g_minus.values], [0.25, *line.share.values])
    rates = {name: line.attrs[name] for name in ("omega_a", "omega_c", "kappa")}
    model = DickeModel(n_atoms=1, g_minus=0.0, g_plus=0.0, **rates)
    g_minus = np.linspace(tip, float(line.g_minus[-1]), 201)
    edges = np.array([bistable_range(model, g) for g in g_minus[1:].tolist()])
    g_plus = edges[:, 0] + share(g_minus[1:]) * (edges[:, 1] - edges[:, 0])
    return g_minus, np.concatenate([[float(line.attrs["tricritical"][1])], g_plus])


def diagram_figure(
    data: xr.Dataset, lines: Iterable[PhaseBoundary] = (), transition: xr.Dataset | None = None
) -> Figure:
    """A phase diagram as a figure of its own, for the width of one column and its legend.

    Args:
        data: from :func:`opendicke.analysis.phase_diagram`.
        lines: from :func:`opendicke.analysis.phase_boundaries`, for the same model.
        transition: from :func:`opendicke.analysis.tunnelling.transition_line`, for the same model.

    Returns:
        the figure.
    """
    with style.paper():
        figure = Figure(figsize=(5.2, 3.3), layout="constrained")
        axes = phase_diagram(data, lines, figure.add_subplot(), transition=transition)
        axes.set_aspect("equal")
    return figure
