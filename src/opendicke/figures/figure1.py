r"""Fig. 1, upper row: the exact spin dynamics of the balanced open Dicke model on the generalised Bloch sphere.

ω_a = 1, ω_c = 2.5, κ = 0.5 and :math:`2\bar g = 1.4\,g_c`, deep in the superradiant phase and far from where the
cavity could be eliminated. (a1)–(c1) start from the spin coherent state at θ = π/4, φ = π with the cavity in vacuum,
for N = 100, 500 and 1000; (d1) starts from the normal state, N = 1000, where mean field stays for ever: it cannot
choose between the two superradiant states, and each trajectory does.

Source: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*, Fig. 1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from opendicke.analysis.fixed_points import fixed_points
from opendicke.figures.statement import Statement
from opendicke.methods.mean_field import MeanField
from opendicke.methods.nuhops import NuHOPS
from opendicke.model import DickeModel
from opendicke.plots import style
from opendicke.plots.bloch import View, legend_handles, plot_bloch, scaled_spin
from opendicke.problem import Executor, Progress
from opendicke.solve import solve
from opendicke.states import Normal, SpinCoherent

TILTED = SpinCoherent(theta=math.pi / 4, phi=math.pi)

#: 1/ω_a; the spin spirals into its steady state with the rate 0.136.
TIMES: NDArray[np.float64] = np.linspace(0.0, 30.0, 601)
MARKED_TIME = 7.5
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


PANELS = (
    Panel("a1", 100, TILTED, "$N = 100$", "N = 100, from theta = pi/4, phi = pi"),
    Panel("b1", 500, TILTED, "$N = 500$", "N = 500, from theta = pi/4, phi = pi"),
    Panel("c1", 1000, TILTED, "$N = 1000$", "N = 1000, from theta = pi/4, phi = pi"),
    Panel("d1", 1000, Normal(), r"$N = 1000$, $\theta = \pi$", "N = 1000, from theta = pi, the normal state"),
)


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
) -> dict[str, xr.Dataset]:
    """The exact answer of one panel under its name, e.g. "a1", and mean field's as "a1-mean-field".

    Args:
        panel: one of :data:`PANELS`.
        trajectories: how many are averaged, and kept.
        seed: of the random streams.
        times: in units of 1/ω_a; those of the figure if not given.
        executor, progress: as for :func:`opendicke.solve`.
    """
    exactly = NuHOPS(trajectories=trajectories, seed=seed, tol=TOLERANCE, keep_trajectories=True)
    problem = (model(panel.n_atoms), panel.state, times)
    return {
        panel.name: solve(*problem, exactly, executor=executor, progress=progress),
        f"{panel.name}-mean-field": solve(*problem, MeanField(), progress=False),
    }


def run(
    *,
    trajectories: int = TRAJECTORIES,
    seed: int = 1,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
) -> dict[str, xr.Dataset]:
    """All panels, as :func:`plot` and :func:`check` take them; the arguments are those of :func:`solve_panel`."""
    datasets: dict[str, xr.Dataset] = {}
    for panel in PANELS:
        datasets |= solve_panel(panel, trajectories=trajectories, seed=seed, executor=executor, progress=progress)
    return datasets


def plot(datasets: Mapping[str, xr.Dataset], *, trajectories: int = 12) -> Figure:
    """The four spheres in a row, as wide as a page.

    Args:
        datasets: those of :func:`run`.
        trajectories: how many single ones are drawn in each.
    """
    view = View(azimuth=-122.0, elevation=22.0)
    with style.paper():
        figure = Figure(figsize=(style.PAGE, 2.15))
        grid = figure.subplots(1, len(PANELS), gridspec_kw={"wspace": 0.0})
        figure.subplots_adjust(left=0.0, right=1.0, bottom=0.12, top=0.92)
        for panel, axes in zip(PANELS, grid, strict=True):
            exact = datasets[panel.name]
            plot_bloch(
                exact,
                axes,
                mean_field=datasets[f"{panel.name}-mean-field"],
                steady_states=steady_states(),
                trajectories=min(trajectories, exact.sizes["trajectory"]),
                marked_time=MARKED_TIME,
                view=view,
            )
            axes.set_title(f"({panel.name}) {panel.title}", pad=3)
        handles = legend_handles(dot=rf"$\omega_a t = {MARKED_TIME:g}$")
        handles[1].set_label("mean field (in d1: stays at the pole)")
        figure.legend(handles=handles, loc="lower center", ncols=len(handles), handlelength=1.6, columnspacing=1.4)
    return figure


def steady_states() -> list[NDArray[np.float64]]:
    """The two superradiant steady states m = <S>/N of mean field."""
    return [point.m for point in fixed_points(model(1)) if point.is_stable]


def check(datasets: Mapping[str, xr.Dataset]) -> list[Statement]:
    """What the paper says about the upper row of Fig. 1, held against ``datasets`` (those of :func:`run`).

    Numbers on the sphere are in units of its radius; errors after ± are standard errors. With the trajectories of
    :func:`run` a statement that is true fails for about one seed in a thousand.
    """
    return [*_deviations(datasets), *_opposite_side(datasets["a1"]), *_steady(datasets), *_symmetric(datasets["d1"])]


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


def _trajectories(exact: xr.Dataset) -> NDArray[np.float64]:
    """2<S>/N of the single trajectories: shape (trajectories, times, 3)."""
    n_atoms = json.loads(exact.attrs["model"])["n_atoms"]
    parts = [exact[f"{name}_trajectory"].values for name in ("Sx", "Sy", "Sz")]
    spins: NDArray[np.float64] = 2 / n_atoms * np.stack(parts, axis=-1)
    return spins
