r"""A slow ramp of the coupling through the threshold, in a cavity that is 400 times faster than the atoms.

The pump of an experiment is ramped up, and the atoms order some time after the threshold was passed. Which time that is
differs from run to run: the normal state is left by quantum noise, which has to grow to a visible size first. In linear
theory :math:`S^x/\sqrt N` is a normal number of variance :math:`V_{xx}(t)`, with

.. math::
    \dot V = J(t)V + VJ(t)^T + D,\quad
    J = \begin{pmatrix}
        0&-\omega_a&0&0\\ \omega_a&0&G(t)&0\\ 0&0&-\kappa&\omega_c\\ -G(t)&0&-\omega_c&-\kappa
    \end{pmatrix},\quad
    D = \tfrac\kappa2\,\mathrm{diag}(0,0,1,1),\quad V(0) = \tfrac14

for :math:`(S^x, S^y)/\sqrt N` and the quadratures of a. So the part of the runs in which :math:`|S^x|` has reached a
level ℓN, small enough for the theory to hold, is :math:`\mathrm{erfc}\,(\ell\sqrt{N/2V_{xx}(t)})`. Mean field has no
noise: from the normal state it never orders, and tilted by the size of the quantum fluctuations it orders at one time.

The rates, in 2π · MHz, are of the size of those of experiments with atoms in far detuned optical cavities; they are not
those of one of them.

Source: the linear theory is that of Gaussian fluctuations about the normal state (F. Dimer, B. Estienne, A. S. Parkins
and H. J. Carmichael, Phys. Rev. A 75, 013804 (2007)), here along a ramp.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.special import erfc, kolmogi

from opendicke.checks import dataset_atoms
from opendicke.ensemble.store import Store
from opendicke.figures.statement import Statement
from opendicke.gallery.crossing import first_time
from opendicke.methods.mean_field import MeanField
from opendicke.methods.nuhops import NuHOPS
from opendicke.model import DickeModel
from opendicke.plots import style
from opendicke.problem import Executor, Progress
from opendicke.signals import Ramp
from opendicke.solve import solve
from opendicke.states import SpinCoherent

N_ATOMS = (100_000,)
TRAJECTORIES = 1000
#: Per µs.
RATES = {"omega_a": 2 * math.pi * 0.01, "omega_c": 2 * math.pi * 4.0, "kappa": 2 * math.pi * 0.15}
#: The ramp's ends, in units of the threshold, and its duration in µs.
FROM, TO, DURATION = 0.9, 1.11, 700.0
POINTS = 176
#: Of linear theory, in µs.
STEP = 2.0
#: |S^x|/N at which a run has switched: linear theory is off by about (2ℓ)² there.
LEVEL = 0.03
#: A true statement about a distribution fails with this probability.
FALSE_ALARM = 1e-3


def threshold() -> float:
    """The critical coupling G = g₋ + g₊."""
    return DickeModel.balanced(n_atoms=1, coupling=0.0, **RATES).critical_coupling


def model(n_atoms: int) -> DickeModel:
    """The model whose coupling goes through the threshold."""
    ramp = Ramp((0.0, DURATION), (FROM * threshold(), TO * threshold()))
    return DickeModel.balanced(n_atoms=n_atoms, coupling=ramp, **RATES)


@functools.cache
def _variances() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times, :data:`STEP` apart, and V_xx there, by the equation at the top."""
    times = np.linspace(0.0, DURATION, round(DURATION / STEP) + 1)
    covariance, found = 0.25 * np.eye(4), [0.25]
    for early in times[:-1]:
        grown, noise = _propagator(early + STEP / 2, STEP)
        covariance = grown @ covariance @ grown.T + noise
        found.append(float(covariance[0, 0]))
    return times, np.array(found)


def _propagator(time: float, step: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """exp(J step), and the noise that comes in meanwhile (C. F. Van Loan, IEEE Trans. Autom. Control 23, 395, 1978)."""
    coupling = threshold() * (FROM + (TO - FROM) * time / DURATION)
    omega_a, omega_c, kappa = RATES["omega_a"], RATES["omega_c"], RATES["kappa"]
    drift = np.array(
        [[0, -omega_a, 0, 0], [omega_a, 0, coupling, 0], [0, 0, -kappa, omega_c], [-coupling, 0, -omega_c, -kappa]]
    )
    both = np.block([[-drift, np.diag([0, 0, 0.5 * kappa, 0.5 * kappa])], [np.zeros((4, 4)), drift.T]])
    found = expm(both * step)
    grown = found[4:, 4:].T
    return grown, grown @ found[:4, 4:]


def run(
    *,
    n_atoms: Sequence[int] = N_ATOMS,
    trajectories: int = TRAJECTORIES,
    seed: int = 1,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> dict[str, xr.Dataset]:
    """The answers by name: "n100000" and "mean-field-n100000", tilted from the normal state by 1/√N.

    Args:
        n_atoms: numbers of atoms.
        trajectories: of each; at least 16.
        seed: of the random streams.
        executor, progress, store: as for :func:`opendicke.solve`.
    """
    times, found = np.linspace(0.0, DURATION, POINTS), {}
    exact = NuHOPS(trajectories, seed=seed, keep_trajectories=True, hierarchy="strides")
    for number in n_atoms:
        down, tilted = SpinCoherent(math.pi), SpinCoherent(math.pi - 1 / math.sqrt(number))
        found[f"n{number}"] = solve(
            model(number), down, times, exact, ["Sx2", "n_photon"], executor=executor, progress=progress, store=store
        )
        found[f"mean-field-n{number}"] = solve(model(number), tilted, times, MeanField(), ["Sx"], progress=progress)
    return found


def switching_times(answer: xr.Dataset, level: float = LEVEL) -> NDArray[np.float64]:
    """When |S^x|/N of each trajectory, or of mean field, first reaches ``level``, in µs; NaN if never."""
    sx = answer.Sx_trajectory if "Sx_trajectory" in answer else answer.Sx
    return first_time(answer.time.values, np.abs(np.atleast_2d(sx.values)) / dataset_atoms(answer), level)


def linear_share(n_atoms: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times, and the part of the runs that have switched by then, by linear theory."""
    times, found = _variances()
    return times, erfc(LEVEL * np.sqrt(n_atoms / (2 * found)))


def plot(datasets: Mapping[str, xr.Dataset]) -> Figure:
    """S^x of some runs while the coupling grows, and the part of the runs that have switched.

    Args:
        datasets: those of :func:`run`.
    """
    exact = _exact(datasets)
    largest = max(exact)
    answer = exact[largest]
    with style.paper():
        figure = Figure(figsize=(style.COLUMN, 4.2), layout="constrained")
        runs, share = figure.subplots(2, 1, sharex=True)
        times = answer.time.values
        for row in answer.Sx_trajectory.values[:40] / largest:
            runs.plot(times, row, color=style.COLOURS["blue"], linewidth=0.4, alpha=0.7)
        tilted = datasets[f"mean-field-n{largest}"]
        runs.plot(times, tilted.Sx / largest, color="black", linewidth=0.8, linestyle=(0, (4, 1.5)))
        crossed = DURATION * (1 - FROM) / (TO - FROM)
        for axes in (runs, share):
            axes.axvline(crossed, color="0.6", linewidth=0.8, linestyle=":")
        runs.text(crossed - 8, 0.25, "threshold", fontsize=7, color="0.4", ha="right")
        runs.set(ylabel=r"$\langle S^x\rangle/N$ of a run", ylim=(-0.4, 0.4), xlim=(0.0, DURATION))
        for colour, (number, one) in zip(("blue", "vermillion", "green", "purple"), exact.items(), strict=False):
            done, shade = np.sort(switching_times(one)), style.COLOURS[colour]
            share.step(done, np.arange(1, done.size + 1) / done.size, where="post", color=shade,
                       label=f"$N = {number}$, exact")  # fmt: skip
            first = number == largest
            share.plot(*linear_share(number), color="0.5", linewidth=2.5, alpha=0.6, zorder=0,
                       label="linear theory" if first else None)  # fmt: skip
            when = switching_times(datasets[f"mean-field-n{number}"])[0]
            label = r"mean field, tilted by $1/\sqrt{N}$" if first else None
            share.step([0.0, when, DURATION], [0.0, 1.0, 1.0], where="post", color="black", linewidth=0.8,
                       linestyle=(0, (4, 1.5)), label=label)  # fmt: skip
        share.set(ylim=(-0.03, 1.03), ylabel=rf"share with $|\langle S^x\rangle| > {LEVEL}\,N$", xlabel="time (µs)")
        share.legend(loc="upper left", fontsize=7)
        top = runs.secondary_xaxis("top", functions=(_coupling, _time))
        top.set_xlabel(r"coupling $G/G_c$")
    return figure


def _coupling(time: NDArray[np.float64]) -> NDArray[np.float64]:
    return FROM + (TO - FROM) * time / DURATION


def _time(coupling: NDArray[np.float64]) -> NDArray[np.float64]:
    return (coupling - FROM) / (TO - FROM) * DURATION


def check(datasets: Mapping[str, xr.Dataset]) -> list[Statement]:
    """What is expected, held against ``datasets`` (those of :func:`run`)."""
    statements = []
    for number, answer in _exact(datasets).items():
        found = switching_times(answer)
        done = found[np.isfinite(found)]
        if done.size < found.size / 2:
            told = f"{done.size} of {found.size}"
            statements.append(Statement(f"N = {number}: most runs switch", False, told))
            continue
        statements += [_localised(number, answer, done), _linear(number, found), _sides(number, answer)]
        when = float(switching_times(datasets[f"mean-field-n{number}"])[0])
        text = f"N = {number}: runs scatter, where mean field has one time"
        told = f"{done.mean():.0f} ± {done.std():.0f} µs over the runs, mean field {when:.0f} µs"
        statements.append(Statement(text, bool(done.std() > 0.02 * done.mean()), told))
    return statements


def _localised(n_atoms: int, answer: xr.Dataset, done: NDArray[np.float64]) -> Statement:
    """When half of the runs have switched, S^x hardly varies within one: to speak of a run's S^x makes sense."""
    at = int(np.searchsorted(answer.time.values, np.median(done)))
    within = float(answer.Sx2[at]) - float((answer.Sx_trajectory[:, at] ** 2).mean())
    share = math.sqrt(max(within, 0.0)) / (LEVEL * n_atoms)
    text = f"N = {n_atoms}: S^x is sharp within a run"
    return Statement(text, share < 0.2, f"its deviation within a run is {share:.3f} of the level")


def _linear(n_atoms: int, found: NDArray[np.float64]) -> Statement:
    """Kolmogorov's test of the switching times against linear theory."""
    held = np.sort(found[np.isfinite(found)])
    expected = np.interp(held, *linear_share(n_atoms))
    ranks = np.arange(1, held.size + 1) / found.size
    distance = float(max(abs(ranks - expected).max(), abs(ranks - 1 / found.size - expected).max()))
    limit = float(kolmogi(FALSE_ALARM)) / math.sqrt(found.size)
    text = f"N = {n_atoms}: switching times are those of noise that grows by linear theory"
    return Statement(text, distance < limit, f"largest distance of the distributions {distance:.3f}, limit {limit:.3f}")


def _sides(n_atoms: int, answer: xr.Dataset) -> Statement:
    """Both signs of S^x are as likely: within 3.3 standard errors (1 in 1000)."""
    last = answer.Sx_trajectory.values[:, -1]
    score = abs(2 * (last > 0).sum() - last.size) / math.sqrt(last.size)
    told = f"{(last > 0).sum()} of {last.size} runs end with S^x > 0"
    return Statement(f"N = {n_atoms}: both signs of the order are as likely", bool(score < 3.3), told)


def _exact(datasets: Mapping[str, xr.Dataset]) -> dict[int, xr.Dataset]:
    """The answers of NuHOPS by N."""
    return {dataset_atoms(answer): answer for name, answer in datasets.items() if name.startswith("n")}
