r"""A Dicke time crystal: the coupling goes on and off with a period, and the atoms answer with twice that period.

While the coupling is on, for half a period, the atoms superradiate in one of the two states that parity exchanges;
while it is off they and the cavity turn freely, by about half a turn, which is parity. So :math:`\langle S^x\rangle`
changes its sign every period. The free turn is made wrong on purpose, by a few per cent: without interaction the answer
would drift out of step, but the superradiant states pull it back. The order

.. math:: m_n = (-1)^n\,\frac{\langle S^x\rangle(nP)}{N}

stays for ever in mean field. Few atoms lose much of it, most in the first periods, when some trajectories end in the
other superradiant state; many atoms lose little.

Source: Z. Gong, R. Hamazaki and M. Ueda, Phys. Rev. Lett. 120, 040404 (2018), who propose it (with other parameters).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from opendicke.analysis import fixed_points
from opendicke.checks import dataset_atoms
from opendicke.ensemble.store import Store
from opendicke.figures.statement import Statement
from opendicke.methods.mean_field import MeanField
from opendicke.methods.nuhops import NuHOPS
from opendicke.model import DickeModel
from opendicke.plots import style
from opendicke.problem import Executor, Progress
from opendicke.signals import Ramp
from opendicke.solve import solve
from opendicke.states import SpinCoherent

N_ATOMS = (100, 1000)
TRAJECTORIES = 128
PERIODS = 30
#: How much longer than exact the free turn is.
MISMATCH = 0.05
RATES = {"omega_a": 1.0, "omega_c": 1.0, "kappa": 1.0}
#: g₋ + g₊ while it is on; the threshold is √2.
COUPLING = 2.0
#: Mean over so many of the last periods is the late order.
LATE = 10

_COLOURS = ("vermillion", "blue", "green", "purple")


def period(mismatch: float = MISMATCH) -> float:
    """P: half of it is a free turn by π (1 + mismatch)."""
    return 2 * math.pi * (1 + mismatch) / RATES["omega_a"]


def model(n_atoms: int, periods: int = PERIODS, mismatch: float = MISMATCH) -> DickeModel:
    """The model with its coupling on in the first half of every period and off in the second."""
    edges = 0.5 * period(mismatch) * np.arange(1, 2 * periods)
    values = [COUPLING if step % 2 == 0 else 0.0 for step in range(2 * periods)]
    # every edge twice: the value before it, and the value after
    times = np.repeat(edges, 2)
    coupling = Ramp(tuple(times), tuple(np.repeat(values, 2)[1:-1]))
    return DickeModel.balanced(n_atoms=n_atoms, coupling=coupling, **RATES)


def start(n_atoms: int) -> SpinCoherent:
    """A superradiant state of the model that is on."""
    on = DickeModel.balanced(n_atoms=1, coupling=COUPLING, **RATES)
    point = next(point for point in fixed_points(on) if point.is_stable)
    theta, phi = math.acos(2 * point.m[2]), math.atan2(point.m[1], point.m[0])
    return SpinCoherent(theta, phi, alpha=complex(point.beta) * math.sqrt(n_atoms))


def run(
    *,
    n_atoms: Sequence[int] = N_ATOMS,
    periods: int | None = None,
    trajectories: int = TRAJECTORIES,
    seed: int = 1,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> dict[str, xr.Dataset]:
    """The answers by name, "mean-field" and e.g. "n100", at whole periods.

    Args:
        n_atoms: numbers of atoms.
        periods: how many; :data:`PERIODS` if not given.
        trajectories: of each; at least 16.
        seed: of the random streams.
        executor, progress, store: as for :func:`opendicke.solve`.
    """
    count = PERIODS if periods is None else periods
    times = period() * np.arange(count + 1.0)
    found = {"mean-field": solve(model(1, count), start(1), times, MeanField(), ["Sx"], progress=progress)}
    for number in n_atoms:
        method = NuHOPS(trajectories, seed=seed)
        problem = (model(number, count), start(number), times)
        found[f"n{number}"] = solve(
            *problem, method, ["Sx", "n_photon"], executor=executor, progress=progress, store=store
        )
    return found


def order(answer: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """m_n with its standard error (0 for mean field), n = 0, 1, …; positive at the start."""
    n_atoms = dataset_atoms(answer)
    signs = (-1.0) ** np.arange(answer.sizes["time"]) * np.sign(float(answer.Sx[0]))
    error = answer.Sx_sem.values if "Sx_sem" in answer else np.zeros(answer.sizes["time"])
    return signs * answer.Sx.values / n_atoms, error / n_atoms


def late_order(answer: xr.Dataset) -> tuple[float, float]:
    """The mean of m_n over the last periods, with the standard error of one (they move together)."""
    values, errors = order(answer)
    return float(values[-LATE:].mean()), float(errors[-LATE:].max())


def plot(datasets: Mapping[str, xr.Dataset]) -> Figure:
    """The order against the number of periods.

    Args:
        datasets: those of :func:`run`.
    """
    with style.paper():
        figure = Figure(figsize=(style.COLUMN, 2.4), layout="constrained")
        axes = figure.subplots()
        axes.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        values, _ = order(datasets["mean-field"])
        axes.plot(values, color="black", linewidth=0.8, linestyle=(0, (4, 1.5)), label="mean field")
        exact = [name for name in datasets if name != "mean-field"]
        for colour, name in zip(_COLOURS, exact, strict=False):
            values, errors = order(datasets[name])
            axes.errorbar(
                np.arange(values.size), values, errors, color=style.COLOURS[colour], linewidth=0.8, marker="o",
                markersize=2.0, elinewidth=0.6, label=f"$N = {name[1:]}$",
            )  # fmt: skip
        axes.set(xlabel="periods $n$", ylabel=r"$(-1)^n\langle S^x\rangle/N$")
        axes.margins(x=0.02)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, handlelength=1.8, columnspacing=1.2)
    return figure


def check(datasets: Mapping[str, xr.Dataset]) -> list[Statement]:
    """What is expected, held against ``datasets`` (those of :func:`run`).

    A statement that is true fails for about one seed in a thousand.
    """
    classical, _ = order(datasets["mean-field"])
    least = float(classical[-LATE:].min())
    statements = [
        Statement("mean field: the atoms answer with twice the period, for ever", least > 0.3, f"order >= {least:.3f}")
    ]
    exact = [name for name in datasets if name != "mean-field"]
    late = {int(name[1:]): late_order(datasets[name]) for name in exact}
    few, many = min(late), max(late)
    mean, error = late[few]
    told = f"{mean:.3f} ± {error:.3f}"
    stays = float(classical[-LATE:].mean())
    text = f"N = {few}: part of the order is lost, none of it in mean field"
    statements.append(Statement(text, mean + 3 * error < stays, f"late {told}, mean field {stays:.3f}"))
    if few < many:
        larger, its = late[many]
        text = f"N = {many}: less of it is lost than for N = {few}"
        holds = larger - mean > 3 * math.hypot(error, its)
        statements.append(Statement(text, holds, f"late {larger:.3f} ± {its:.3f}, {told}"))
    return statements
