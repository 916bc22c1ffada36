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

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from opendicke.analysis.fixed_points import fixed_points
from opendicke.analysis.husimi import husimi
from opendicke.ensemble.store import Store
from opendicke.figures.statement import Statement
from opendicke.methods.mean_field import MeanField
from opendicke.methods.nuhops import NuHOPS
from opendicke.model import DickeModel
from opendicke.plots import style
from opendicke.plots.bloch import View, legend_handles, plot_bloch, scaled_spin
from opendicke.plots.husimi import plot_husimi_map
from opendicke.problem import Executor, Progress
from opendicke.solve import solve
from opendicke.states import Normal, SpinCoherent

TILTED = SpinCoherent(theta=math.pi / 4, phi=math.pi)

#: 1/ω_a; the spin spirals into its steady state with the rate 0.136.
TIMES: NDArray[np.float64] = np.linspace(0.0, 30.0, 601)
MARKED_TIME = 7.5
#: 1/ω_a; half of a period of the spiral into the steady state.
HALF_TURN = 2.0
#: From here on the state counts as steady: what is left of the spiral averages out.
STEADY_TIME = 20.0
#: Tighter than the default: at 1e-4 about one trajectory in twenty leaves its path by a visible jump that is not there.
TOLERANCE = 1e-6
#: Averaged in each panel unless asked otherwise.
TRAJECTORIES = 300


@dataclass(frozen=True)
class Panel:
    """One sphere: its name, what starts where, and how that is written in a picture and in plain text."""

    name: str
    n_atoms: int
    state: SpinCoherent
    title: str
    text: str

    @property
    def map_name(self) -> str:
        """Of the Husimi function below, e.g. "a2"."""
        return f"{self.name[0]}2"


def panels(n_atoms: Sequence[int]) -> tuple[Panel, ...]:
    """A panel from the tilted state for each N, and one from the normal state for the last.

    >>> [panel.name for panel in panels([10**4, 10**5])]
    ['a1', 'b1', 'c1']
    """
    tilted = [
        Panel(f"{chr(ord('a') + place)}1", n, TILTED, f"$N = {n}$", f"N = {n}, from theta = pi/4, phi = pi")
        for place, n in enumerate(n_atoms)
    ]
    name, last = f"{chr(ord('a') + len(tilted))}1", n_atoms[-1]
    title, text = rf"$N = {last}$, $\theta = \pi$", f"N = {last}, from theta = pi, the normal state"
    return (*tilted, Panel(name, last, Normal(), title, text))


N_ATOMS = (100, 500, 1000)
PANELS = panels(N_ATOMS)


def model(n_atoms: int) -> DickeModel:
    """The model of all panels, with ``n_atoms`` atoms.

    >>> round(model(100).coupling, 6)
    2.257432
    """
    free = DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=0.0)
    half = 0.7 * free.critical_coupling
    return free.replace(g_minus=half, g_plus=half)


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
        panel: one of :data:`PANELS`.
        trajectories: how many are averaged, and kept.
        seed: of the random streams.
        times: in units of 1/ω_a, :data:`MARKED_TIME` among them; those of the figure if not given.
        executor, progress, store: as for :func:`opendicke.solve`.
    """
    exactly = NuHOPS(
        trajectories=trajectories, seed=seed, tol=TOLERANCE, keep_trajectories=True, keep_states=(MARKED_TIME,)
    )
    problem = (model(panel.n_atoms), panel.state, times)
    exact = solve(*problem, exactly, executor=executor, progress=progress, store=store)
    return {
        panel.name: exact,
        f"{panel.name}-mean-field": solve(*problem, MeanField(), progress=False),
        panel.map_name: husimi(exact),
    }


def run(
    *,
    trajectories: int = TRAJECTORIES,
    seed: int = 1,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> dict[str, xr.Dataset]:
    """All panels, as :func:`plot` and :func:`check` take them; the arguments are those of :func:`solve_panel`."""
    datasets: dict[str, xr.Dataset] = {}
    for panel in PANELS:
        datasets |= solve_panel(
            panel, trajectories=trajectories, seed=seed, executor=executor, progress=progress, store=store
        )
    return datasets


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
            _draw_map(figure.add_subplot(lower[place]), panel, datasets[panel.map_name], mean_field, first=place == 0)
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


def _draw_map(axes: Axes, panel: Panel, q: xr.Dataset, mean_field: xr.Dataset, *, first: bool) -> None:
    """Q at the marked time, and the path of mean field, unless that stays where it is."""
    plot_husimi_map(q, axes)
    x, y, z = scaled_spin(mean_field).T
    if np.hypot(x, y).max() > 1e-6:
        phi, theta = np.mod(np.arctan2(y, x), 2 * np.pi) / np.pi, np.arccos(np.clip(z, -1, 1)) / np.pi
        phi[1:][np.abs(np.diff(phi)) > 1] = np.nan  # from one edge of the map to the other
        axes.plot(phi, theta, color="black", linewidth=0.4, alpha=0.7)
    axes.set_xlim(0, 2)
    axes.set_xticks([0, 0.5, 1, 1.5, 2], ["0", "0.5", "1", "1.5", "2"])
    axes.set_title(rf"({panel.map_name}) $Q$ at $\omega_a t = {MARKED_TIME:g}$", pad=3)
    if not first:
        axes.set_ylabel("")
        axes.tick_params(labelleft=False)


def steady_states() -> list[NDArray[np.float64]]:
    """The two superradiant steady states m = <S>/N of mean field."""
    return [point.m for point in fixed_points(model(1)) if point.is_stable]


def check(datasets: Mapping[str, xr.Dataset]) -> list[Statement]:
    """What the paper says about Fig. 1, held against ``datasets`` (those of :func:`run`).

    Numbers on the sphere are in units of its radius; errors after ± are standard errors. With the trajectories of
    :func:`run` a statement that is true fails for about one seed in a thousand.
    """
    return [
        *_deviations(datasets),
        *_opposite_side(datasets["a1"]),
        *_steady(datasets),
        *_symmetric(datasets["d1"]),
        *_normalised(datasets),
        *_both_sides(datasets),
        *_along_the_path(datasets),
    ]


def _deviations(datasets: Mapping[str, xr.Dataset]) -> Iterator[Statement]:
    """How far the exact mean strays from mean field: much at N = 100, marginally at N = 1000."""
    found = [_deviation(datasets[name], datasets[f"{name}-mean-field"]) for name in ("a1", "b1", "c1")]
    (small, small_sem), (middle, middle_sem), (large, large_sem) = found
    yield Statement(
        "(a1) N = 100: the dynamics deviate significantly from mean field",
        small > 0.25 and small > 5 * small_sem,
        f"by up to {small:.3f} ± {small_sem:.3f}",
    )
    yield Statement(
        "(a1)-(c1) the deviation falls with N",
        small - middle > 3 * math.hypot(small_sem, middle_sem) and middle - large > 0,
        f"{small:.3f}, {middle:.3f} ± {middle_sem:.3f}, {large:.3f}",
    )
    yield Statement(
        "(c1) N = 1000: only a marginal difference from mean field",
        large < 0.1 + 3 * large_sem,
        f"at most {large:.3f} ± {large_sem:.3f}",
    )


def _deviation(exact: xr.Dataset, mean_field: xr.Dataset) -> tuple[float, float]:
    """Largest distance of the two means on the unit sphere, and the standard error of the mean along it."""
    apart = scaled_spin(exact) - scaled_spin(mean_field)
    distance = np.linalg.norm(apart, axis=1)
    latest = int(distance.argmax())
    along = apart[latest] / max(float(distance[latest]), 1e-300)  # two equal means: zero, and no error
    single = _trajectories(exact)[:, latest] @ along
    return float(distance[latest]), float(single.std(ddof=1) / math.sqrt(single.size))


def _opposite_side(exact: xr.Dataset) -> Iterator[Statement]:
    """At N = 100 some trajectories end in the other superradiant state."""
    share, sem = _share_opposite(exact)
    yield Statement(
        "(a1) N = 100: a number of trajectories localise on the opposite side, in an uneven mixture",
        0 < share < 0.5 - 3 * sem,
        f"a share of {share:.3f} ± {sem:.3f} ends with S^x > 0",
    )


def _share_opposite(exact: xr.Dataset) -> tuple[float, float]:
    opposite = _trajectories(exact)[:, -1, 0] > 0
    share = float(opposite.mean())
    return share, math.sqrt(share * (1 - share) / opposite.size)


def _steady(datasets: Mapping[str, xr.Dataset]) -> Iterator[Statement]:
    """Late trajectories are at one of the two steady states of mean field, whatever N and the start."""
    expected = 2 * np.abs(steady_states()[0])[[0, 2]] * [1, -1]
    for name in ("a1", "d1"):
        exact = datasets[name]
        late = _trajectories(exact)[:, exact.time.values >= STEADY_TIME]
        # |S^x|, since each trajectory has a side of its own
        mean = np.array([np.abs(late[..., 0].mean(axis=1)).mean(), late[..., 2].mean()])
        yield Statement(
            f"({name}) the steady state agrees with mean field's",
            bool(np.abs(mean - expected).max() < 0.03),
            f"2|S^x|/N, 2 S^z/N = {mean[0]:.3f}, {mean[1]:.3f} against {expected[0]:.3f}, {expected[1]:.3f}",
        )


def _symmetric(exact: xr.Dataset) -> Iterator[Statement]:
    """From the normal state the symmetry (S^x, S^y, a) -> -(S^x, S^y, a) of the start is kept."""
    worst = max(
        float(np.abs(exact[name][1:] / exact[f"{name}_sem"][1:]).max()) for name in ("Sx", "Sy")
    )  # at t = 0 both are zero exactly
    yield Statement("(d1) <S^x> = <S^y> = 0 within errors", worst < 4.5, f"at most {worst:.1f} standard errors")
    share, sem = _share_opposite(exact)
    yield Statement(
        "(d1) the trajectories choose either side equally often",
        abs(share - 0.5) < 4 * max(sem, 1e-9),
        f"a share of {share:.3f} ± {sem:.3f} ends with S^x > 0",
    )


def _normalised(datasets: Mapping[str, xr.Dataset]) -> Iterator[Statement]:
    """Q is a density on the sphere."""
    maps = {name: datasets[name] for name in ("a2", "b2", "c2", "d2")}
    worst = max(float(np.abs(q.norm - 1).max()) for q in maps.values())
    lowest = min(float(q.Q.min() / q.Q.max()) for q in maps.values())
    yield Statement(
        "(a2)-(d2) Q is nowhere negative and integrates to one",
        worst < 1e-6 and lowest >= 0,
        f"to within {worst:.1g}",
    )


def _both_sides(datasets: Mapping[str, xr.Dataset]) -> Iterator[Statement]:
    """At N = 100 Q has passed the normal state and lies on both sides of S^x = 0; at N = 1000 it stays in one piece."""
    few, many = (_weight_opposite(datasets[name]) for name in ("a2", "c2"))
    yield Statement("(a2) N = 100: Q has weight on both sides", 0.01 < few < 0.5, f"{few:.3f} where S^x > 0")
    yield Statement("(c2) N = 1000: and on one side only", many < 1e-3, f"{many:.1g} where S^x > 0")


def _weight_opposite(q: xr.Dataset) -> float:
    """Integral of Q over the half of the sphere where S^x > 0."""
    weight = q.Q.isel(state_time=0) * q.theta_weight * q.phi_weight
    return float(weight.where(np.cos(q.phi) > 0, 0.0).sum())


def _along_the_path(datasets: Mapping[str, xr.Dataset]) -> Iterator[Statement]:
    """At the marked time trajectories are early or late on mean field's path, rather than beside it."""
    for name in ("b1", "c1"):
        exact, path = datasets[name], scaled_spin(datasets[f"{name}-mean-field"])
        now = int(np.abs(exact.time.values - MARKED_TIME).argmin())
        single = _trajectories(exact)[:, now]
        _, directions = np.linalg.eigh(np.cov(single.T))
        velocity = path[now + 1] - path[now - 1]
        cosine = abs(float(directions[:, -1] @ velocity)) / float(np.linalg.norm(velocity))
        near = np.abs(exact.time.values - MARKED_TIME) <= HALF_TURN
        beside = float(np.median(_distance(single, path[near])))
        along = float(np.median(np.linalg.norm(single - path[now], axis=1)))
        yield Statement(
            f"({name[0]}2) the trajectories are spread along mean field's path, not perpendicular to it",
            cosine > 0.9 and beside < along / 4,
            f"|cos| = {cosine:.3f} between the direction of largest spread and the velocity; median distance from "
            f"mean field {along:.3f}, from its path {beside:.3f}",
        )


def _distance(points: NDArray[np.float64], path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each point, shape (points, 3), from the polygonal line through ``path``, shape (corners, 3)."""
    start, edge = path[:-1], np.diff(path, axis=0)
    offset = points[:, None] - start
    share = np.clip((offset * edge).sum(axis=-1) / (edge**2).sum(axis=-1), 0, 1)
    distance: NDArray[np.float64] = np.linalg.norm(offset - share[..., None] * edge, axis=-1).min(axis=1)
    return distance


def _trajectories(exact: xr.Dataset) -> NDArray[np.float64]:
    """2<S>/N of the single trajectories: shape (trajectories, times, 3)."""
    n_atoms = json.loads(exact.attrs["model"])["n_atoms"]
    parts = [exact[f"{name}_trajectory"].values for name in ("Sx", "Sy", "Sz")]
    spins: NDArray[np.float64] = 2 / n_atoms * np.stack(parts, axis=-1)
    return spins
