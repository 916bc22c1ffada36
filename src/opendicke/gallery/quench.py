r"""A quench across the threshold: the coupling is switched on, and the atoms leave the normal state by quantum noise.

In mean field nothing happens, for the normal state is a fixed point, if an unstable one. Its quantum fluctuations grow
as :math:`e^{2\lambda t}`, whatever the number of atoms, until the photons are as many as a superradiant state has,

.. math:: \frac{\langle a^\dagger a\rangle}{N} = \frac{\bar g^2}{\omega_c^2+\kappa^2}\Bigl(1-\frac{g_c^4}{G^4}\Bigr),

which takes :math:`\ln N/2\lambda` and a time that does not depend on N. λ is the growth rate of the linear equations
about the normal state, :math:`G = 2\bar g` the coupling and :math:`g_c` its threshold.

Sources: the setting is that of P. Kirton and J. Keeling, Phys. Rev. Lett. 118, 123602 (2017), without the dephasing and
decay of single atoms, with the parameters of the example ``run_Dicke.py`` that they publish with it
(github.com/peterkirton/permutations): ω = ω₀ = 1, g√N = 0.9, κ = 1, all atoms down and no photon. In their conventions

.. math::
    H = \omega a^\dagger a + \sum_i\bigl[\omega_0\sigma^z_i + g(a^\dagger+a)\sigma^x_i\bigr],\qquad
    \dot\rho = -i[H,\rho] + \kappa\mathcal D[a]\rho,

so that here ω_a = 2ω₀ (:math:`\sigma^z = 2S^z`), ω_c = ω, κ is half of theirs (of the field, not of the energy),
:math:`\bar g = g\sqrt N` and G = 2g√N. The threshold and the photons of the superradiant state are those of F. Dimer,
B. Estienne, A. S. Parkins and H. J. Carmichael, Phys. Rev. A 75, 013804 (2007), whose λ is :math:`\bar g`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.linalg import expm, solve_continuous_lyapunov

from opendicke.analysis import fixed_point
from opendicke.checks import dataset_atoms
from opendicke.ensemble.store import Store
from opendicke.figures.statement import Statement
from opendicke.gallery.crossing import crossing
from opendicke.methods.mean_field import MeanField
from opendicke.methods.nuhops import NuHOPS
from opendicke.methods.truncated_wigner import TruncatedWigner
from opendicke.model import DickeModel
from opendicke.plots import style
from opendicke.problem import Executor, Method, Progress
from opendicke.signals import Ramp
from opendicke.solve import solve
from opendicke.states import Normal

N_ATOMS = (100, 1000)
TRAJECTORIES = 512
#: Trajectories of truncated Wigner, which are cheap, for each of the exact ones.
MORE = 8
RATES = {"omega_a": 2.0, "omega_c": 1.0, "kappa": 0.5}
COUPLING = 1.8
#: When the coupling is switched on, and how long it is watched afterwards.
QUENCH, DURATION = 2.0, 50.0
POINTS = 209
#: The linear theory is held against the photons until they are so many per atom.
FEW = 1 / 400
#: The last times, over which the photons are averaged.
LATE = 10.0

_COLOURS = ("vermillion", "blue", "green", "purple")


def model(n_atoms: int) -> DickeModel:
    """The model whose coupling jumps from 0 across the threshold."""
    return DickeModel.balanced(n_atoms=n_atoms, coupling=Ramp((QUENCH, QUENCH), (0.0, COUPLING)), **RATES)


def after() -> DickeModel:
    """The model after the quench, per atom."""
    return DickeModel.balanced(n_atoms=1, coupling=COUPLING, **RATES)


def growth_rate() -> float:
    """λ: that of the linear mean-field equations about the normal state."""
    return float(fixed_point(after(), "normal").eigenvalues.real.max())


def superradiant_photons() -> float:
    """Photons per atom of the superradiant states in mean field (the formula at the top)."""
    on = after()
    share = 1 - (on.critical_coupling / COUPLING) ** 4
    return (COUPLING / 2) ** 2 * share / (RATES["omega_c"] ** 2 + RATES["kappa"] ** 2)


def linear_photons(since: NDArray[np.float64]) -> NDArray[np.float64]:
    """Photons that grow from the noise of the normal state by the linear equations, at times since the quench.

    The covariance V of (two components of S)/√N and (Re a, Im a) obeys dV/dt = JV + VJᵀ + D, from V = 1/4.
    """
    drift = fixed_point(after(), "normal").jacobian
    noise = np.diag([0.0, 0.0, 0.5 * RATES["kappa"], 0.5 * RATES["kappa"]])
    centre = solve_continuous_lyapunov(drift, -noise)
    found = np.zeros(since.size)
    for at, time in enumerate(since):
        grown = expm(drift * max(time, 0.0))
        covariance = centre + grown @ (0.25 * np.eye(4) - centre) @ grown.T
        found[at] = covariance[2, 2] + covariance[3, 3] - 0.5
    return found


def run(
    *,
    n_atoms: Sequence[int] = N_ATOMS,
    trajectories: int = TRAJECTORIES,
    seed: int = 1,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> dict[str, xr.Dataset]:
    """The answers by name: "mean-field", and e.g. "n100" and "wigner-n100".

    Args:
        n_atoms: numbers of atoms.
        trajectories: of each; at least 16. Truncated Wigner has 8 times as many.
        seed: of the random streams.
        executor, progress, store: as for :func:`opendicke.solve`.
    """
    times = np.linspace(0.0, QUENCH + DURATION, POINTS)
    found = {"mean-field": solve(model(1), Normal(), times, MeanField(), ["n_photon"], progress=progress)}
    methods: dict[str, Method] = {
        "": NuHOPS(trajectories, seed=seed),
        "wigner-": TruncatedWigner(MORE * trajectories, seed=seed),
    }
    for number in n_atoms:
        problem = (model(number), Normal(), times)
        for name, method in methods.items():
            found[f"{name}n{number}"] = solve(
                *problem, method, ["n_photon", "Sz"], executor=executor, progress=progress, store=store
            )
    return found


def delay(answer: xr.Dataset) -> tuple[float, float]:
    """Time from the quench until the mean photons are half of the superradiant ones, and its standard error."""
    time, error = crossing(answer, "n_photon", 0.5 * superradiant_photons() * dataset_atoms(answer))
    return time - QUENCH, error


def plot(datasets: Mapping[str, xr.Dataset]) -> Figure:
    """Photons against the time since the quench: their number (logarithmic), and per atom.

    Args:
        datasets: those of :func:`run`.
    """
    with style.paper():
        figure = Figure(figsize=(style.COLUMN, 4.2), layout="constrained")
        number, share = figure.subplots(2, 1, sharex=True)
        _draw(number, datasets, per_atom=False)
        _draw(share, datasets, per_atom=True)
        since = np.linspace(0.05, DURATION, 400)
        number.plot(since, linear_photons(since), color="0.55", linewidth=3.0, zorder=0, label="linear theory")
        share.axhline(superradiant_photons(), color="black", linewidth=0.8, linestyle=(0, (4, 1.5)), zorder=0)
        share.text(0.0, superradiant_photons() + 0.006, "superradiant state in mean field", fontsize=7)
        largest = max(_exact(datasets))
        number.set(yscale="log", ylim=(0.03, largest), ylabel=r"photons $\langle a^\dagger a\rangle$")
        share.set(
            ylim=(-0.01, 0.31), ylabel=r"$\langle a^\dagger a\rangle/N$", xlim=(-QUENCH, DURATION),
            xlabel=r"time since the quench (units of $1/\omega_c$)",
        )  # fmt: skip
        share.text(DURATION - 1, 0.006, "mean field from the normal state", fontsize=7, ha="right")
        number.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handlelength=1.8, columnspacing=1.2)
    return figure


def check(datasets: Mapping[str, xr.Dataset]) -> list[Statement]:
    """What is expected, held against ``datasets`` (those of :func:`run`).

    A statement that is true fails for about one seed in a thousand: tolerances are 4 standard errors for one number,
    4.5 for the largest of many times of which few are independent.
    """
    stuck = float(datasets["mean-field"].n_photon.max())
    statements = [Statement("mean field never leaves the normal state", stuck < 1e-9, f"at most {stuck:.1g} photons")]
    exact = _exact(datasets)
    few, many = min(exact), max(exact)
    statements += [_early(many, exact[many]), _late(many, exact[many])]
    if few < many:
        (soon, soon_sem), (later, later_sem) = delay(exact[few]), delay(exact[many])
        expected, error = math.log(many / few) / (2 * growth_rate()), math.hypot(soon_sem, later_sem)
        text = f"N = {many} waits longer than N = {few} by ln({many / few:g})/2λ = {expected:.2f}"
        told = f"{later:.2f} ± {later_sem:.2f} and {soon:.2f} ± {soon_sem:.2f}, difference {later - soon:.2f}"
        statements.append(Statement(text, abs(later - soon - expected) < 4 * error, told))
    wigner = datasets[f"wigner-n{many}"]
    # photons of trajectories scatter like squares of normal numbers: where the mean of few of them is small by chance,
    # so is the standard error that is estimated from them
    error = np.hypot(np.maximum(exact[many].n_photon_sem, wigner.n_photon_sem * MORE**0.5), wigner.n_photon_sem)
    worst = float((abs(exact[many].n_photon - wigner.n_photon) / error).max())
    text = f"N = {many}: truncated Wigner agrees at all times"
    return [*statements, Statement(text, worst < 4.5, f"largest deviation {worst:.1f} standard errors")]


def _early(n_atoms: int, answer: xr.Dataset) -> Statement:
    """While they are few, the photons are those of the linear theory."""
    linear = linear_photons(answer.time.values - QUENCH)
    last = int(np.argmax(linear >= FEW * n_atoms)) - 1
    # along the one direction that grows amplitudes are normal numbers: the variance of their squares is twice the
    # square of the mean
    expected, error = linear[last], linear[last] * math.sqrt(2 / int(answer.batch_size.sum()))
    text = f"N = {n_atoms}: photons grow from quantum noise as in linear theory"
    told = f"{float(answer.n_photon[last]):.2f} ± {error:.2f} photons after {float(answer.time[last]) - QUENCH:g}"
    holds = abs(float(answer.n_photon[last]) - expected) < 4 * error
    return Statement(text, holds, f"{told}, linear theory {expected:.2f}")


def _late(n_atoms: int, answer: xr.Dataset) -> Statement:
    """At the end the photons are those of the superradiant state; fluctuations change them by about 1/N per atom."""
    last = answer.time.values >= QUENCH + DURATION - LATE
    # the times move together: the error of their mean is at most that of one
    share, error = (float(one.values[last].mean()) / n_atoms for one in (answer.n_photon, answer.n_photon_sem))
    expected = superradiant_photons()
    text = f"N = {n_atoms}: it ends with the photons of the superradiant state (up to 2/N per atom)"
    told = f"{share:.4f} ± {error:.4f} per atom, superradiant state {expected:.4f}"
    return Statement(text, abs(share - expected) < 4 * error + 2 / n_atoms, told)


def _draw(axes: Axes, datasets: Mapping[str, xr.Dataset], *, per_atom: bool) -> None:
    for colour, (number, answer) in zip(_COLOURS, _exact(datasets).items(), strict=False):
        scale = number if per_atom else 1
        since, shade = answer.time.values - QUENCH, style.COLOURS[colour]
        mean, error = answer.n_photon.values / scale, answer.n_photon_sem.values / scale
        axes.fill_between(since, mean - error, mean + error, color=shade, alpha=0.3, linewidth=0)
        axes.plot(since, mean, color=shade, linewidth=1.0, label=f"$N = {number}$, exact")
        wigner = datasets[f"wigner-n{number}"].n_photon.values / scale
        axes.plot(since, wigner, color="black", linewidth=0.8, linestyle=(0, (1, 1.5)),
                  label="truncated Wigner" if number == max(_exact(datasets)) else None)  # fmt: skip
    if per_atom:
        mean = datasets["mean-field"].n_photon.values
        axes.plot(datasets["mean-field"].time.values - QUENCH, mean, color="black", linewidth=0.8,
                  linestyle=(0, (4, 1.5)))  # fmt: skip


def _exact(datasets: Mapping[str, xr.Dataset]) -> dict[int, xr.Dataset]:
    """The answers of NuHOPS by N."""
    return {dataset_atoms(answer): answer for name, answer in datasets.items() if name.startswith("n")}
