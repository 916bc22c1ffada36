r"""A hysteresis loop: the couplings go slowly through the bistable region and back.

Along the cut through the bistable region (``BISTABLE_CUT``) the position s goes from the normal phase, s = 1.5, to the
superradiant one, s = −0.5, in a time T, and back. Mean field follows a stable fixed point until it ends; a finite
number of atoms tunnels earlier, the earlier the fewer they are and the slower the ramp. The area of the loop,

.. math:: A = \Big|\oint \frac{\langle S^z\rangle}{N}\,ds\Big|,

tells by how much. The area of mean field is that of an infinitely slow ramp, from its branches of stable fixed points.

Source of the setting: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*,
Fig. 3; loops of this kind were measured by J. Klinder, H. Keßler, M. Wolke, L. Mathey and A. Hemmerich, Proc. Natl.
Acad. Sci. USA 112, 3290 (2015).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from opendicke.analysis import fixed_points, interval, jackknife
from opendicke.analysis.tunnelling import BISTABLE_CUT
from opendicke.checks import dataset_atoms
from opendicke.ensemble.store import Store
from opendicke.figures.statement import Statement
from opendicke.methods.nuhops import NuHOPS
from opendicke.model import DickeModel
from opendicke.observables.catalogue import CHANNELS
from opendicke.plots import style
from opendicke.problem import Executor, Progress
from opendicke.signals import Ramp
from opendicke.solve import solve
from opendicke.states import Normal

N_ATOMS = (100, 1000)
#: Times of the way there, 1/κ.
DURATIONS = (50.0, 200.0, 800.0)
TRAJECTORIES = 64
#: The ends of the loop.
NORMAL, SUPERRADIANT = 1.5, -0.5
POINTS = 161

_COLOURS = ("orange", "vermillion", "purple", "blue", "green")


def model(n_atoms: int, duration: float) -> DickeModel:
    """The model whose couplings go there and back."""
    ends = [BISTABLE_CUT.model(s, n_atoms) for s in (NORMAL, SUPERRADIANT, NORMAL)]
    times = (0.0, duration, 2 * duration)
    ramps = {name: Ramp(times, tuple(getattr(end, name) for end in ends)) for name in ("g_minus", "g_plus")}
    return ends[0].replace(**ramps)


def position(times: NDArray[np.float64], duration: float) -> NDArray[np.float64]:
    """s at ``times``."""
    return np.interp(times, [0.0, duration, 2 * duration], [NORMAL, SUPERRADIANT, NORMAL])


def run(
    *,
    n_atoms: Sequence[int] = N_ATOMS,
    durations: Sequence[float] | None = None,
    trajectories: int = TRAJECTORIES,
    seed: int = 1,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> dict[str, xr.Dataset]:
    """The answers by name, e.g. "n100-t50", each with the position ``s`` beside its times.

    Args:
        n_atoms: numbers of atoms.
        durations: times of the way there, in 1/κ; :data:`DURATIONS` if not given.
        trajectories: of each; at least 16.
        seed: of the random streams.
        executor, progress, store: as for :func:`opendicke.solve`.
    """
    found: dict[str, xr.Dataset] = {}
    for number in n_atoms:
        for duration in DURATIONS if durations is None else durations:
            times = np.linspace(0.0, 2 * duration, POINTS)
            method = NuHOPS(trajectories, seed=seed)
            options = {"executor": executor, "progress": progress, "store": store}
            answer = solve(model(number, duration), Normal(), times, method, ["Sz", "n_photon"], **options)  # type: ignore[arg-type]
            about = {"definition": "position on the cut through the bistable region", "units": "1"}
            found[f"n{number}-t{duration:g}"] = answer.assign_coords(s=("time", position(times, duration), about))
    return found


def area(answer: xr.Dataset) -> tuple[float, float]:
    """The area of the loop, and its standard error by the jackknife over batches of trajectories."""
    n_atoms = DickeModel.of(answer).n_atoms
    inversion = answer.batch_means.isel(channel=CHANNELS.index("Sz")).transpose("batch", "time").values / n_atoms
    held = answer.batch_size.values > 0

    def loop(means: NDArray[np.float64]) -> NDArray[np.float64]:
        enclosed: NDArray[np.float64] = np.abs(np.trapezoid(means, answer.s.values))
        return enclosed

    error = np.asarray(jackknife(loop, inversion[held], answer.batch_size.values[held]).error, dtype=float)
    return float(loop(answer.Sz.values / n_atoms)), float(error)


def branches(points: int = 401) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Positions, and m_z of the stable normal and superradiant fixed points there (NaN where there is none)."""
    s = np.linspace(SUPERRADIANT, NORMAL, points)
    found: dict[str, NDArray[np.float64]] = {name: np.full(points, np.nan) for name in ("normal", "superradiant")}
    for at, one in enumerate(s):
        for point in fixed_points(BISTABLE_CUT.model(float(one), 1)):
            if point.is_stable:
                found["normal" if point.kind == "normal" else "superradiant"][at] = point.m[2]
    return s, found


def mean_field_area(points: int = 401) -> float:
    """The area between the two branches, where both are stable."""
    s, found = branches(points)
    gap = found["superradiant"] - found["normal"]
    return float(np.nansum(gap) * (s[1] - s[0]))


def plot(datasets: Mapping[str, xr.Dataset]) -> Figure:
    """One panel a number of atoms: the loops, one a duration, on the branches of mean field.

    Args:
        datasets: those of :func:`run`.
    """
    loops = _by_atoms(datasets)
    s, lines = branches()
    with style.paper():
        figure = Figure(figsize=(style.COLUMN, 1.2 + 1.6 * len(loops)), layout="constrained")
        panels = figure.subplots(len(loops), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (n_atoms, answers) in zip(panels, loops.items(), strict=True):
            for values in lines.values():
                label = "mean field" if values is lines["normal"] else None
                axes.plot(s, values, color="black", linewidth=0.8, linestyle=(0, (4, 1.5)), label=label)
            for colour, (duration, answer) in zip(_COLOURS, answers.items(), strict=False):
                low, high = (one.values / n_atoms for one in interval(answer, "Sz", 0.68))
                shade = style.COLOURS[colour]
                axes.fill_between(answer.s.values, low, high, color=shade, alpha=0.3, linewidth=0)
                axes.plot(answer.s.values, answer.Sz.values / n_atoms, color=shade, linewidth=1.0,
                          label=rf"$\kappa T = {duration:g}$")  # fmt: skip
            axes.set(ylabel=r"$\langle S^z\rangle/N$", ylim=(-0.53, -0.12))
            axes.text(0.97, 0.9, f"$N = {n_atoms}$", transform=axes.transAxes, ha="right")
        panels[-1].set_xlabel(r"position $s$ on the cut")
        panels[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handlelength=1.8, columnspacing=1.2)
        panels[0].margins(x=0)
    return figure


def check(datasets: Mapping[str, xr.Dataset]) -> list[Statement]:
    """What is expected of the loops, held against ``datasets`` (those of :func:`run`).

    A statement that is true fails for about one seed in a thousand.
    """
    statements: list[Statement] = []
    loops, classical = _by_atoms(datasets), mean_field_area()
    areas = {n: {t: area(answer) for t, answer in answers.items()} for n, answers in loops.items()}
    for n_atoms, of in areas.items():
        slow = sorted(of)[-2:]
        if len(slow) == 2:
            (quick, quick_sem), (long, long_sem) = (of[t] for t in slow)
            statements.append(
                Statement(
                    f"N = {n_atoms}: the slower ramp has the smaller loop",
                    quick - long > 3 * np.hypot(quick_sem, long_sem),
                    f"{quick:.3f} ± {quick_sem:.3f} at T = {slow[0]:g}, {long:.3f} ± {long_sem:.3f} at {slow[1]:g}",
                )
            )
    few, many = min(areas), max(areas)
    slowest = max(areas[few])
    if few < many and slowest in areas[many]:
        (small, small_sem), (large, large_sem) = areas[few][slowest], areas[many][slowest]
        told = f"{small:.3f} ± {small_sem:.3f} and {large:.3f} ± {large_sem:.3f}; mean field {classical:.3f}"
        text = f"N = {few} has a smaller loop than N = {many}, because fewer atoms tunnel earlier (T = {slowest:g})"
        statements.append(Statement(text, large - small > 3 * np.hypot(small_sem, large_sem), told))
    return statements


def _by_atoms(datasets: Mapping[str, xr.Dataset]) -> dict[int, dict[float, xr.Dataset]]:
    """The answers by N and duration."""
    found: dict[int, dict[float, xr.Dataset]] = {}
    for answer in datasets.values():
        n_atoms = dataset_atoms(answer)
        found.setdefault(n_atoms, {})[float(answer.time[-1]) / 2] = answer
    return found
