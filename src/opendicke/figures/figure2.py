r"""Fig. 2: covariance of atoms and field against time, and below it the entanglement of two halves of the atoms.

Parameters and initial state are those of Fig. 1 (a1)–(c1). The covariance
:math:`C_{af} = \langle S^xa\rangle - \langle S^x\rangle\langle a\rangle` is complex; drawn is its real part, over
:math:`N^{3/2}`, with a band of one standard error; the same is checked. The second-order cumulant expansion
joins at N = 500. For the lower panel (an inset in the paper) the N atoms are split into two equal groups, whose
entanglement is measured by the negativity, up to N of a few thousand.

Source: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*, Fig. 2.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from opendicke.analysis import covariances, fixed_points, negativity
from opendicke.ensemble.store import Store
from opendicke.figures.figure1_setup import TILTED, model, written
from opendicke.figures.statement import Statement
from opendicke.methods.cumulants import Cumulants, UnphysicalWarning
from opendicke.methods.nuhops import NuHOPS
from opendicke.plots import style
from opendicke.problem import Executor, Progress
from opendicke.solve import solve

N_ATOMS = (100, 500, 1000)
CUMULANT_ATOMS = 500
CUMULANTS = f"n{CUMULANT_ATOMS}-cumulants"

#: 1/ω_a
TIMES: NDArray[np.float64] = np.linspace(0.0, 20.0, 201)
#: 1/ω_a; where the negativity is computed.
STATE_TIMES = (*(0.5 * step for step in range(1, 21)), 11.0, 12.0, 13.5, 15.0, 17.0, 20.0)
#: 1/ω_a; the covariance counts as late over the last so many times: a period of the spiral into the steady state.
LATE = 2.5
TRAJECTORIES = 500
#: Above this N the rotations that the negativity needs, N² numbers, become too large.
NEGATIVITY_ATOMS = 5000

_COLOURS = ("vermillion", "green", "blue", "purple", "orange", "sky")


def solve_atoms(
    n_atoms: int,
    *,
    trajectories: int,
    seed: int,
    times: ArrayLike = TIMES,
    state_times: Sequence[float] = STATE_TIMES,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> dict[str, xr.Dataset]:
    """The exact answer for one N under its name, e.g. "n100", and what follows from it as "n100-correlations".

    Args:
        n_atoms: N; above :data:`NEGATIVITY_ATOMS` there is no negativity, and only the last state is kept.
        trajectories: how many are averaged; at least 16 for error bars of the negativity.
        seed: of the random streams.
        times: in units of 1/ω_a; those of the figure if not given.
        state_times: some of ``times``, where the negativity is computed.
        executor, progress, store: as for :func:`opendicke.solve`.
    """
    entangled = n_atoms <= NEGATIVITY_ATOMS
    kept = tuple(state_times) if entangled else (state_times[-1],)
    exactly = NuHOPS(trajectories=trajectories, seed=seed, keep_states=kept)
    exact = solve(model(n_atoms), TILTED, times, exactly, executor=executor, progress=progress, store=store)
    found = covariances(exact)
    if entangled:
        found = found.merge(negativity(exact), combine_attrs="override", join="exact")
    return {f"n{n_atoms}": exact, f"n{n_atoms}-correlations": found}


def solve_cumulants(times: ArrayLike = TIMES) -> dict[str, xr.Dataset]:
    """The second-order cumulant expansion at N = 500, under its name.

    From the time ``unphysical_from`` in its attrs on, no state has its moments; the figure shows and says that.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnphysicalWarning)
        answer = solve(model(CUMULANT_ATOMS), TILTED, times, Cumulants(order=2), progress=False)
    return {CUMULANTS: covariances(answer)}


def run(
    *,
    trajectories: int = TRAJECTORIES,
    seed: int = 1,
    n_atoms: Sequence[int] = N_ATOMS,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> dict[str, xr.Dataset]:
    """Everything that :func:`plot` and :func:`check` take; the arguments are those of :func:`solve_atoms`."""
    datasets = solve_cumulants()
    for number in n_atoms:
        datasets |= solve_atoms(
            number, trajectories=trajectories, seed=seed, executor=executor, progress=progress, store=store
        )
    return datasets


def plot(datasets: Mapping[str, xr.Dataset]) -> Figure:
    """The covariance, and the negativity below, as wide as a column.

    Args:
        datasets: those of :func:`run`.
    """
    with style.paper():
        figure = Figure(figsize=(style.COLUMN, 4.0), layout="constrained")
        axes, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
        for part in (axes, lower):
            part.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        smallest = np.inf
        for place, (n_atoms, found) in enumerate(_correlations(datasets).items()):
            colour = style.COLOURS[_COLOURS[place % len(_COLOURS)]]
            values, errors = _scaled(found, n_atoms)
            smallest = min(smallest, float(np.abs(values.real).max()))
            _band(axes, found.time.values, values, errors, colour, f"$N = {written(n_atoms)}$")
            if "negativity" in found:
                lower.errorbar(
                    found.state_time.values, found.negativity.values, found.negativity_sem.values,
                    color=colour, linewidth=0.8, marker="o", markersize=2.0, elinewidth=0.6, clip_on=False,
                )  # fmt: skip
        _draw_cumulants(axes, datasets[CUMULANTS])
        # Logarithmic beyond a third of the smallest curve, since values for different N are orders of magnitude apart
        linear = 10.0 ** round(np.log10(smallest / 3))
        axes.set_yscale("symlog", linthresh=linear, linscale=1.0, subs=range(2, 10))
        axes.set_ylabel(r"$\mathrm{Re}\, C_{af}/N^{3/2}$")
        axes.margins(x=0)
        axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2, handlelength=2.2, columnspacing=1.2)
        lower.set(xlabel=r"$\omega_a t$", ylabel="negativity")
        if remarks(datasets):
            text = f"not computed for $N > {NEGATIVITY_ATOMS}$"
            lower.text(0.98, 0.92, text, transform=lower.transAxes, ha="right", va="top", fontsize=6.5)
        figure.align_ylabels()
    return figure


def remarks(datasets: Mapping[str, xr.Dataset]) -> list[str]:
    """What the picture of ``datasets`` leaves out."""
    left_out = [str(n_atoms) for n_atoms, found in _correlations(datasets).items() if "negativity" not in found]
    why = f"no negativity above {NEGATIVITY_ATOMS} atoms: its rotations would hold N^2 numbers"
    return [f"N = {', '.join(left_out)}: {why}"] if left_out else []


def _draw_cumulants(axes: Axes, cumulants: xr.Dataset) -> None:
    """Dashed; dotted from where on it is unphysical."""
    times, values = cumulants.time.values, _scaled(cumulants, CUMULANT_ATOMS)[0].real
    beyond = times >= cumulants.attrs["unphysical_from"]
    sound = ~beyond | (np.cumsum(beyond) == 1)  # the two parts meet
    label = f"cumulants, $N = {CUMULANT_ATOMS}$"
    axes.plot(times[sound], values[sound], color="black", linewidth=0.9, linestyle=(0, (4, 1.5)), label=label)
    if beyond.any():
        axes.plot(times[beyond], values[beyond], color="black", linewidth=0.9, linestyle=":", label="(unphysical)")


def _band(
    axes: Axes,
    times: NDArray[np.float64],
    values: NDArray[np.complex128],
    errors: NDArray[np.complex128],
    colour: str,
    label: str,
) -> None:
    low, high = values.real - errors.real, values.real + errors.real
    axes.fill_between(times, low, high, color=colour, alpha=0.3, linewidth=0)
    axes.plot(times, values.real, color=colour, linewidth=1.0, label=label)


def _correlations(datasets: Mapping[str, xr.Dataset]) -> dict[int, xr.Dataset]:
    """What follows from the exact answers, by N."""
    found = [data for name, data in datasets.items() if name.endswith("-correlations")]
    return {json.loads(data.attrs["model"])["n_atoms"]: data for data in found}


def _scaled(found: xr.Dataset, n_atoms: int) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """C_af/N^{3/2} and its standard errors, of the real part and of the imaginary part."""
    errors = found.C_af_sem.values if "C_af_sem" in found else np.zeros_like(found.C_af.values)
    return found.C_af.values / n_atoms**1.5, errors / n_atoms**1.5


def check(datasets: Mapping[str, xr.Dataset]) -> list[Statement]:
    """What the paper says about Fig. 2, held against ``datasets`` (those of :func:`run`).

    Covariances are over :math:`N^{3/2}`; errors after ± are standard errors. What the paper says about a number of
    atoms that is not among the datasets is left out. With the trajectories of :func:`run` a statement that is true
    fails for about one seed in a thousand.
    """
    found = _correlations(datasets)
    statements: list[Statement] = []
    if CUMULANT_ATOMS in found:
        statements.append(_cumulants_fail(found[CUMULANT_ATOMS], datasets[CUMULANTS]))
    for n_atoms, data in found.items():
        answer = datasets[f"n{n_atoms}"]
        statements.append(_remainder(n_atoms, data, answer))
        if "negativity" in data:
            statements += _transient(n_atoms, data)
    return statements


def _cumulants_fail(exact: xr.Dataset, cumulants: xr.Dataset) -> Statement:
    """Somewhere the two are many standard errors apart, and by much of the covariance itself."""
    values, errors = _scaled(exact, CUMULANT_ATOMS)
    apart = values - _scaled(cumulants, CUMULANT_ATOMS)[0]
    known = (errors.real > 0) & np.isfinite(apart)  # not the start, which has no error
    sigmas = np.abs(apart.real[known]) / errors.real[known]
    worst = int(sigmas.argmax())
    share = float(np.abs(apart.real[known]).max() / np.abs(values.real).max())
    return Statement(
        f"N = {CUMULANT_ATOMS}: the second-order cumulant expansion fails to predict the covariance",
        bool(sigmas[worst] > 5 and share > 0.1),
        f"off by up to {sigmas[worst]:.1f} standard errors (at t = {exact.time.values[known][worst]:g}) and "
        f"by up to {100 * share:.0f} % of its largest value; unphysical from t = "
        f"{cumulants.attrs['unphysical_from']:g}",
    )


def _remainder(n_atoms: int, found: xr.Dataset, answer: xr.Dataset) -> Statement:
    """What is left of the covariance late is that of a classical mixture of the two superradiant states."""
    late = found.time.values >= found.time.values[-1] - LATE
    values, errors = _scaled(found, n_atoms)
    largest = float(np.abs(values.real).max())
    mean, error = float(values.real[late].mean()), float(errors.real[late].mean())
    mixed = _mixture(answer)
    return Statement(
        f"N = {n_atoms}: the covariance decays to that of a classical mixture of the two superradiant states",
        abs(mean - mixed) < 0.15 * largest + 3 * error,
        f"late {mean:.2g} ± {error:.1g}, of the mixture {mixed:.2g}; at most {largest:.2g}",
    )


def _mixture(answer: xr.Dataset) -> float:
    r"""Re C_af/N^{3/2} of a mixture of the two steady states ±(m, α), in the proportions of the trajectories' ends.

    .. math:: \frac{C_{af}}{N^{3/2}} = 4p(1-p)\,m_x\frac{\alpha}{\sqrt N}
    """
    point = next(point for point in fixed_points(model(1)) if point.is_stable)
    # the third axis of a trajectory's frame follows its mean spin
    share = float((answer.psi_frame.isel(state_time=-1, axis=2, component=0) > 0).mean())
    return float(4 * share * (1 - share) * point.m[0] * point.beta.real)


def _transient(n_atoms: int, found: xr.Dataset) -> Iterator[Statement]:
    """The two halves are entangled on the way to the steady state, and not in it."""
    values, errors = found.negativity.values, found.negativity_sem.values
    peak = int(values.argmax())
    yield Statement(
        f"N = {n_atoms}: two halves of the atoms are entangled during the transient",
        bool(values[peak] > 6 * errors[peak] and found.negativity_lower.values[peak] > 0),
        f"negativity {values[peak]:.3f} ± {errors[peak]:.3f} at t = {found.state_time.values[peak]:g}",
    )
    yield Statement(
        f"N = {n_atoms}: and not entangled in the steady state",
        bool(abs(values[-1]) < 0.01 * values[peak] + 3 * errors[-1]),
        f"negativity {values[-1]:.1g} ± {errors[-1]:.1g} at t = {found.state_time.values[-1]:g}",
    )
