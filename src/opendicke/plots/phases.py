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

from opendicke.analysis import PHASES, PhaseBoundary
from opendicke.plots import style

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


def phase_diagram(
    data: xr.Dataset, lines: Iterable[PhaseBoundary] = (), ax: Axes | None = None, *, legend: bool = True
) -> Axes:
    """Draw a phase diagram: areas from its labels, lines from the closed-form boundaries.

    Args:
        data: from :func:`opendicke.analysis.phase_diagram`.
        lines: from :func:`opendicke.analysis.phase_boundaries`, for the same model.
        ax: where to draw; by default the current axes.
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
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, handlelength=3.2)
    return axes


def diagram_figure(data: xr.Dataset, lines: Iterable[PhaseBoundary] = ()) -> Figure:
    """A phase diagram as a figure of its own, for the width of one column and its legend.

    Args:
        data: from :func:`opendicke.analysis.phase_diagram`.
        lines: from :func:`opendicke.analysis.phase_boundaries`, for the same model.

    Returns:
        the figure.
    """
    with style.paper():
        figure = Figure(figsize=(5.2, 3.3), layout="constrained")
        axes = phase_diagram(data, lines, figure.add_subplot())
        axes.set_aspect("equal")
    return figure
