r"""Fig. 1: the exact spin dynamics of the balanced open Dicke model, on the Bloch sphere and as Husimi functions.

ω_a = 1, ω_c = 2.5, κ = 0.5 and :math:`2\bar g = 1.4\,g_c`, deep in the superradiant phase and far from where the
cavity could be eliminated. (a1)–(c1) start from the spin coherent state at θ = π/4, φ = π with the cavity in vacuum,
for N = 100, 500 and 1000; (d1) starts from the normal state, N = 1000, where mean field stays for ever: it cannot
choose between the two superradiant states, and each trajectory does. (a2)–(d2) show the spin's Husimi function of each
at :math:`\omega_at = 7.5`. The paper draws :math:`\langle\theta,\phi|\rho|\theta,\phi\rangle`; here Q is
:math:`(N+1)/4\pi` times as large, so that its integral over the sphere is one. Each map has its own scale.

Source: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*, Fig. 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from opendicke.analysis import husimi
from opendicke.ensemble.store import Store
from opendicke.figures.figure1_setup import (
    LATER_TIME,
    MARKED_TIME,
    N_ATOMS,
    PANELS,
    TILTED,
    TIMES,
    Panel,
    model,
    panels,
    steady_states,
)
from opendicke.figures.figure1_statements import check
from opendicke.methods.mean_field import MeanField
from opendicke.methods.nuhops import NuHOPS
from opendicke.plots import style
from opendicke.plots.bloch import View, legend_handles, plot_bloch, scaled_spin
from opendicke.plots.husimi import plot_husimi_map
from opendicke.problem import Executor, Progress
from opendicke.solve import solve

__all__ = [
    "LATER_TIME", "MARKED_TIME", "N_ATOMS", "PANELS", "TILTED", "TIMES", "TRAJECTORIES", "Panel", "check", "model",
    "panels", "plot", "remarks", "run", "solve_panel", "steady_states",
]  # fmt: skip

#: Averaged in each panel unless asked otherwise.
TRAJECTORIES = 300
#: Above this N a grid over the whole sphere takes more than 1 GiB, and Q is left out.
MAP_ATOMS = 200_000
#: A Husimi function that fills less than this share of both axes of its map is drawn enlarged, too.
SMALL = 0.2
#: Where Q is above this share of its maximum, it is drawn in the enlargement.
SHOWN = 0.01


def solve_panel(
    panel: Panel,
    *,
    trajectories: int,
    seed: int,
    times: ArrayLike = TIMES,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> dict[str, xr.Dataset]:
    """The exact answer of one panel under its name, e.g. "a1", mean field's as "a1-mean-field", and Q as "a2".

    Args:
        panel: one of :data:`PANELS`, or of :func:`panels`; there is no Q above :data:`MAP_ATOMS`.
        trajectories: how many are averaged, and kept.
        seed: of the random streams.
        times: in units of 1/ω_a, :data:`MARKED_TIME` and :data:`LATER_TIME` among them; those of the figure if not
            given.
        executor, progress, store: as for :func:`opendicke.solve`.
    """
    exactly = NuHOPS(
        trajectories=trajectories, seed=seed, keep_trajectories=True, keep_states=(MARKED_TIME, LATER_TIME)
    )
    problem = (model(panel.n_atoms), panel.state, times)
    exact = solve(*problem, exactly, executor=executor, progress=progress, store=store)
    answers = {panel.name: exact, f"{panel.name}-mean-field": solve(*problem, MeanField(), progress=False)}
    if panel.n_atoms <= MAP_ATOMS:
        answers[panel.map_name] = husimi(exact)
    return answers


def run(
    *,
    trajectories: int = TRAJECTORIES,
    seed: int = 1,
    n_atoms: Sequence[int] = N_ATOMS,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> dict[str, xr.Dataset]:
    """All panels, as :func:`plot` and :func:`check` take them; the arguments are those of :func:`solve_panel`."""
    datasets: dict[str, xr.Dataset] = {}
    for panel in panels(n_atoms):
        datasets |= solve_panel(
            panel, trajectories=trajectories, seed=seed, executor=executor, progress=progress, store=store
        )
    return datasets


def remarks(drawn: Sequence[Panel]) -> list[str]:
    """What the picture of these panels leaves out.

    >>> remarks(panels([100, 10**6]))
    ['(b2), (c2): no Husimi function above N = 200000, where a grid over the whole sphere takes more than 1 GiB']
    """
    left_out = ", ".join(f"({panel.map_name})" for panel in drawn if panel.n_atoms > MAP_ATOMS)
    why = f"no Husimi function above N = {MAP_ATOMS}, where a grid over the whole sphere takes more than 1 GiB"
    return [f"{left_out}: {why}"] if left_out else []


def plot(datasets: Mapping[str, xr.Dataset], *, trajectories: int = 12, drawn: Sequence[Panel] | None = None) -> Figure:
    """The spheres in a row, the Husimi functions below, as wide as a page.

    Args:
        datasets: those of :func:`run`, or of :func:`solve_panel` for all ``drawn``.
        trajectories: how many single ones are drawn in each.
        drawn: the panels, if not :data:`PANELS`.
    """
    drawn = PANELS if drawn is None else drawn
    view = View(azimuth=-122.0, elevation=22.0)
    with style.paper():
        figure = Figure(figsize=(style.PAGE, 3.75))
        upper = figure.add_gridspec(1, len(drawn), left=0.0, right=1.0, bottom=0.475, top=0.955, wspace=0.0)
        lower = figure.add_gridspec(1, len(drawn), left=0.065, right=0.985, bottom=0.1, top=0.36, wspace=0.12)
        for place, panel in enumerate(drawn):
            exact, mean_field = datasets[panel.name], datasets[f"{panel.name}-mean-field"]
            axes = figure.add_subplot(upper[place])
            plot_bloch(
                exact,
                axes,
                mean_field=mean_field,
                steady_states=steady_states(),
                trajectories=min(trajectories, exact.sizes["trajectory"]),
                marked_time=MARKED_TIME,
                view=view,
            )
            axes.set_title(f"({panel.name}) {panel.title}", pad=3)
            _draw_map(figure.add_subplot(lower[place]), panel, datasets, first=place == 0)
        handles = legend_handles(dot=rf"$\omega_a t = {MARKED_TIME:g}$")
        handles[1].set_label(f"mean field (in {drawn[-1].name}: stays at the pole)")
        figure.legend(
            handles=handles,
            loc="center",
            bbox_to_anchor=(0.5, 0.45),
            ncols=len(handles),
            handlelength=1.6,
            columnspacing=1.4,
        )
    return figure


def _draw_map(axes: Axes, panel: Panel, datasets: Mapping[str, xr.Dataset], *, first: bool) -> None:
    """Q at the marked time, and the path of mean field, unless that stays where it is."""
    phi, theta = _path(datasets[f"{panel.name}-mean-field"])
    q = datasets.get(panel.map_name)
    if q is None:
        text = f"no map of the sphere\nabove $N = {MAP_ATOMS:,}$"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=6)
        axes.set(xlabel=r"$\phi/\pi$", ylabel=r"$\theta/\pi$", ylim=(1, 0))
    else:
        now = q.sel(state_time=[MARKED_TIME], method="nearest")
        plot_husimi_map(now, axes)
        largest = float(f"{now.Q.max().item():.2g}")
        axes.text(
            0.97, 0.94, f"max {largest:g}", transform=axes.transAxes, ha="right", va="top", fontsize=5.5, color="0.3"
        )
        window = _window(now)
        if window is not None:
            _enlarge(axes, now, window, (phi, theta))
    if phi.size:
        axes.plot(phi, theta, color="black", linewidth=0.4, alpha=0.7)
    axes.set_xlim(0, 2)
    axes.set_xticks([0, 0.5, 1, 1.5, 2], ["0", "0.5", "1", "1.5", "2"])
    axes.set_title(rf"({panel.map_name}) $Q$ at $\omega_a t = {MARKED_TIME:g}$", pad=3)
    if not first:
        axes.set_ylabel("")
        axes.tick_params(labelleft=False)


def _path(mean_field: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """φ/π and θ/π along mean field's path, broken where it leaves the map; empty if it does not move."""
    x, y, z = scaled_spin(mean_field).T
    if np.hypot(x, y).max() < 1e-6:
        return np.empty(0), np.empty(0)
    phi, theta = np.mod(np.arctan2(y, x), 2 * np.pi) / np.pi, np.arccos(np.clip(z, -1, 1)) / np.pi
    phi[1:][np.abs(np.diff(phi)) > 1] = np.nan
    return phi, theta


def _window(q: xr.Dataset) -> tuple[float, float, float, float] | None:
    """Where Q is, as ranges of φ/π and of θ/π, if that is a small part of the map."""
    there = q.Q.isel(state_time=0) > SHOWN * float(q.Q.max())
    phi, theta = (
        q[name].values[there.any(other).values] / np.pi for name, other in (("phi", "theta"), ("theta", "phi"))
    )
    if np.ptp(phi) > 2 * SMALL or np.ptp(theta) > SMALL:
        return None
    margin = 0.15 * np.array([np.ptp(phi), -np.ptp(phi), np.ptp(theta), -np.ptp(theta)])
    edges = np.array([phi.min(), phi.max(), theta.min(), theta.max()]) - margin
    return float(edges[0]), float(edges[1]), float(edges[2]), float(edges[3])


def _enlarge(
    axes: Axes,
    q: xr.Dataset,
    window: tuple[float, float, float, float],
    path: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """An inset with what is in ``window``, in the corner of the map where mean field never comes."""
    left, right, top, bottom = window
    inset = axes.inset_axes((0.03, 0.6, 0.4, 0.37))
    part = q.isel(
        phi=(q.phi.values / np.pi > left) & (q.phi.values / np.pi < right),
        theta=(q.theta.values / np.pi > top) & (q.theta.values / np.pi < bottom),
    )
    plot_husimi_map(part, inset)
    inset.plot(*path, color="black", linewidth=0.4, alpha=0.7)
    inset.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], xlabel="", ylabel="")
    inset.text(
        0.5, 0.0, rf"$\Delta\phi = {right - left:.2g}\pi$", transform=inset.transAxes, ha="center", va="bottom",
        fontsize=5,
    )  # fmt: skip
    axes.indicate_inset_zoom(inset, edgecolor="0.4", linewidth=0.5, alpha=1.0)
