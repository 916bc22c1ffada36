r"""The generalised Bloch sphere: :math:`2\langle\mathbf S\rangle/N` in perspective-free projection.

Drawn on ordinary two-dimensional axes, so that curves stay vector graphics and depth can be shown: what lies inside the
sphere or on its back is paler, the more sphere there is in front of it. Paler means mixed with white and not
transparent: transparent segments would show a bead at every joint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import ArrayLike, NDArray

from opendicke import checks
from opendicke.plots.style import COLOURS

SPIN = ("Sx", "Sy", "Sz")

#: Share of its colour that a curve keeps at the far end of the sphere.
FAINTEST = 0.18

#: Added to the drawing order of what is in the near half of the sphere.
NEAR = 10.0
#: Grey of the circles and axes.
GRID = "0.68"
#: Points of a circle.
CIRCLE = 181


@dataclass(frozen=True)
class View:
    """Where the sphere is seen from.

    Args:
        azimuth: of the viewer, in degrees from the x-axis towards the y-axis.
        elevation: of the viewer above the equator, in degrees.

    >>> View(azimuth=0.0, elevation=0.0).project([0.0, 1.0, 0.0]).round(12) + 0.0
    array([1., 0., 0.])
    """

    azimuth: float = -70.0
    elevation: float = 18.0

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """Right, up and towards the viewer: shape (..., 3), of ``points`` of that shape in (x, y, z)."""
        azimuth, elevation = np.radians([self.azimuth, self.elevation])
        right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
        toward = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
        turned: NDArray[np.float64] = (
            np.asarray(points, dtype=float) @ np.array([right, np.cross(toward, right), toward]).T
        )
        return turned


def plot_bloch(
    dataset: xr.Dataset,
    axes: Axes,
    *,
    mean_field: xr.Dataset | None = None,
    steady_states: Sequence[ArrayLike] = (),
    trajectories: int = 0,
    marked_time: float | None = None,
    view: View | None = None,
) -> Axes:
    r"""Draw the path of the mean spin, :math:`2\langle\mathbf S\rangle/N`, on and in the unit sphere.

    Args:
        dataset: an answer of :func:`opendicke.solve` with Sx, Sy, Sz; its mean is the thick blue curve.
        axes: where to draw (any two-dimensional axes; their frame is removed).
        mean_field: an answer of ``MeanField`` to the same problem, drawn black.
        steady_states: vectors m = <S>/N, of length 1/2 on the sphere, drawn as orange crosses.
        trajectories: how many single trajectories to draw, thin and purple: the first ones of ``dataset``, which
            must then hold ``Sx_trajectory`` and so on (``keep_trajectories=True``).
        marked_time: the mean at this time, in units of one over the rates, gets a green dot (the nearest time is
            taken).
        view: where the sphere is seen from.

    Returns:
        ``axes``. Each kind of curve has a label, for a legend.

    Raises:
        ValueError: if a dataset lacks what is to be drawn, or ``marked_time`` lies outside its times.

    >>> import opendicke as od
    >>> from matplotlib.figure import Figure
    >>> model = od.DickeModel.balanced(n_atoms=10, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=2.0)
    >>> answer = od.solve(model, od.SpinCoherent(1.0), np.linspace(0, 5, 51), od.MeanField())
    >>> axes = plot_bloch(answer, Figure().add_subplot(), marked_time=2.0)
    >>> len(axes.collections) > 0
    True
    """
    view = view or View()
    sphere(axes, view)
    mean = scaled_spin(dataset)
    for path in _single(dataset, checks.integer("trajectories", trajectories, minimum=0)):
        curve(axes, path, view, "purple", 0.5, zorder=3)
    curve(axes, mean, view, "blue", 2.2, zorder=4)
    if mean_field is not None:
        classical = scaled_spin(mean_field)
        curve(axes, classical, view, "black", 0.8, zorder=5)
        if np.ptp(classical, axis=0).max() < 1e-6:  # it does not move: a curve of no length would not be seen
            mark(axes, classical[0], view, "black", "o", 3.0, zorder=5)
    for state in steady_states:
        mark(axes, 2 * np.asarray(state, dtype=float), view, "orange", "x", 5.5, zorder=6)
    if marked_time is not None:
        mark(axes, mean[_nearest(dataset, marked_time)], view, "green", "o", 4.5, zorder=7)
    return axes


def legend_handles(*, dot: str) -> list[Line2D]:
    """One line or mark for every kind of thing that :func:`plot_bloch` draws, for ``figure.legend``.

    Args:
        dot: what the green dot says, e.g. "t = 7.5".
    """
    return [
        Line2D([], [], color=COLOURS["blue"], linewidth=2.2, label=r"exact $\mathbf{m} = 2\langle\mathbf{S}\rangle/N$"),
        Line2D([], [], color=COLOURS["black"], linewidth=0.8, label="mean field"),
        Line2D([], [], color=COLOURS["purple"], linewidth=0.8, label="single trajectories"),
        Line2D(
            [], [], color=COLOURS["orange"], marker="x", markersize=5.5, markeredgewidth=1.8, linestyle="none",
            label="mean-field steady states",
        ),
        Line2D([], [], color=COLOURS["green"], marker="o", markersize=4.5, linestyle="none", label=dot),
    ]  # fmt: skip


def scaled_spin(dataset: xr.Dataset) -> NDArray[np.float64]:
    r""":math:`2\langle\mathbf S\rangle/N` of an answer: shape (times, 3)."""
    return 2 / _n_atoms(dataset) * np.stack([_variable(dataset, name).values for name in SPIN], axis=-1)


def sphere(axes: Axes, view: View) -> Axes:
    """Outline, equator, two meridians and labelled axes of the unit sphere; the frame of ``axes`` is removed."""
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_xlim(-1.44, 1.44)
    axes.set_ylim(-1.08, 1.4)
    axes.add_patch(Circle((0, 0), 1.0, facecolor="#F5F6F8", edgecolor="0.45", linewidth=0.6, zorder=0))
    angle = np.linspace(0, 2 * np.pi, CIRCLE)
    first, second, zero = np.cos(angle), np.sin(angle), np.zeros(CIRCLE)
    for circle in ((first, second, zero), (first, zero, second), (zero, first, second)):
        curve(axes, np.stack(circle, axis=-1), view, GRID, 0.5, zorder=1)
    for name, direction in zip(("m_x", "m_y", "m_z"), np.eye(3), strict=True):
        _axis(axes, view, f"${name}$", direction)
    return axes


def curve(axes: Axes, points: NDArray[np.float64], view: View, colour: str, width: float, *, zorder: float) -> None:
    """A path through ``points``, shape (n, 3), paler where more of the unit sphere lies in front of it."""
    turned = view.project(points)
    middles = (turned[1:] + turned[:-1]) / 2
    segments = np.stack([turned[:-1, :2], turned[1:, :2]], axis=1)
    shades = shade(COLOURS.get(colour, colour), middles)
    # far segments first, and all curves of the near half over all of the far half
    order = np.argsort(middles[:, 2])
    far = int((middles[:, 2] < 0).sum())
    for half, height in ((order[:far], zorder), (order[far:], zorder + NEAR)):
        axes.add_collection(
            LineCollection(list(segments[half]), colors=shades[half], linewidths=width, capstyle="round", zorder=height)
        )


def mark(
    axes: Axes, point: NDArray[np.float64], view: View, colour: str, marker: str, size: float, *, zorder: float
) -> None:
    """One mark, of ``size`` points, at ``point``, shape (3,), paler at the back like a curve."""
    turned = view.project(point)
    shades = shade(COLOURS.get(colour, colour), turned[None, :])
    tint = tuple(shades[0])
    edge, width = (tint, 1.8) if marker == "x" else ("white", 0.4)
    axes.add_line(
        Line2D(
            turned[:1], turned[1:2], marker=marker, markersize=size, color=tint, markeredgecolor=edge,
            markeredgewidth=width, zorder=zorder + (NEAR if turned[2] >= 0 else 0.0),
        )
    )  # fmt: skip


def shade(colour: str, turned: NDArray[np.float64]) -> NDArray[np.float64]:
    """The colour at points in the viewer's frame, shape (n, 3): full on the front, mixed with white behind it."""
    front = np.sqrt(np.maximum(0.0, 1.0 - (turned[:, :2] ** 2).sum(axis=1)))
    covered = np.clip((front - turned[:, 2]) / 2, 0.0, 1.0)
    kept = (FAINTEST + (1 - FAINTEST) * (1 - covered) ** 1.5)[:, None]
    mixed: NDArray[np.float64] = kept * np.array(to_rgb(colour)) + (1 - kept)
    return mixed


def _axis(axes: Axes, view: View, label: str, direction: NDArray[np.float64]) -> None:
    """A pale line along one axis, out of the sphere to a labelled arrow; short where the axis points at the viewer."""
    curve(axes, np.linspace(-direction, direction, 33), view, GRID, 0.4, zorder=1)
    surface = view.project(direction)
    foreshortened = max(float(np.linalg.norm(surface[:2])), 0.35)
    tip, text = 1.16 * surface[:2] / foreshortened, 1.3 * surface[:2] / foreshortened
    tint = tuple(shade("0.3", surface[None, :])[0])
    arrow = {"arrowstyle": "-|>,head_length=0.25,head_width=0.1", "linewidth": 0.5, "color": tint}
    axes.annotate("", tuple(tip), tuple(surface[:2]), arrowprops=arrow | {"shrinkA": 0, "shrinkB": 0}, zorder=1)
    axes.text(text[0], text[1], label, ha="center", va="center", color="0.2", zorder=2 * NEAR)


def _single(dataset: xr.Dataset, count: int) -> NDArray[np.float64]:
    """The first ``count`` trajectories, shape (count, times, 3)."""
    if count == 0:
        return np.empty((0, dataset.sizes["time"], 3))
    hint = "Solve with keep_trajectories=True and enough trajectories."
    kept = [_variable(dataset, f"{name}_trajectory", hint).transpose("trajectory", "time") for name in SPIN]
    parts = [part.dropna("trajectory", how="all") for part in kept]  # at a point of a sweep some may be missing
    if parts[0].sizes["trajectory"] < count:
        got = f"{parts[0].sizes['trajectory']} in the dataset"
        raise checks.refuse("trajectories", f"at least {count} to draw", got, hint)
    return 2 / _n_atoms(dataset) * np.stack([part.values[:count] for part in parts], axis=-1)


def _variable(dataset: xr.Dataset, name: str, hint: str = "") -> xr.DataArray:
    if name not in dataset:
        raise checks.refuse("dataset", f"a variable {name}", sorted(map(str, dataset.data_vars)), hint)
    return dataset[name]


def _n_atoms(dataset: xr.Dataset) -> int:
    if "model" not in dataset.attrs:
        raise checks.refuse("dataset", "an answer of opendicke.solve, with its model in the attrs", dataset.attrs)
    return checks.dataset_atoms(dataset)


def _nearest(dataset: xr.Dataset, time: float) -> int:
    times = dataset.time.values
    if not times[0] <= time <= times[-1]:
        raise checks.refuse("marked_time", f"a time from {times[0]:g} to {times[-1]:g}", time)
    return int(np.abs(times - time).argmin())
