r"""A thermal start: atoms all up, or all down, in a resonant cavity that is as warm as its bath.

**All up** they radiate together, and take the light back several times: the ringing regime of superradiance. What
starts them is noise, that of the vacuum or thermal light of :math:`\bar n` photons. While few atoms have emitted, their
number is

.. math:: \frac N2-\langle S^z\rangle = (1+\bar n)(u^2-1),\qquad u = \frac{\lambda_+e^{\lambda_-t}
    -\lambda_-e^{\lambda_+t}}{\lambda_+-\lambda_-},\qquad \lambda_\pm = -\frac\kappa2\pm\sqrt{\frac{\kappa^2}4+g^2},

so that thermal light shortens the wait for the pulse by :math:`\ln(1+\bar n)/2\lambda_+`, and N atoms that start in it
behave as :math:`N/(1+\bar n)` atoms that start in the vacuum.

**All down** they absorb thermal light together, as one oscillator does: :math:`\bar n` photons and no more, however
many atoms there are, with the fluctuations of a Bose gas, where independent atoms would absorb
:math:`N\bar n/(1+2\bar n)`. The equilibrium is :math:`\rho\propto e^{-x(S^z+a^\dagger a)}` with
:math:`e^{-x} = \bar n/(1+\bar n)`, which is exact for any coupling, as the coupling conserves :math:`S^z+a^\dagger a`.

Sources: all this was seen with Rydberg atoms in millimetre-wave cavities, the ringing by Y. Kaluzny, P. Goy, M. Gross,
J. M. Raimond and S. Haroche, Phys. Rev. Lett. 51, 1175 (1983), the absorption by J. M. Raimond, P. Goy, M. Gross,
C. Fabre and S. Haroche, Phys. Rev. Lett. 49, 117 (1982). For the role of thermal light see M. Gross and S. Haroche,
Phys. Rep. 93, 301 (1982). Their atoms exchange energy with the cavity at the rate :math:`2dE_0\sqrt N/\hbar`, which
here is 2g: H is (g/√N)(S⁻a† + S⁺a) in the frame of both. The numbers (κ = 0.2 g, :math:`\bar n = 7`, N) are not
those of an experiment.
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

from opendicke.analysis import jackknife
from opendicke.cavities import Thermal
from opendicke.checks import dataset_atoms
from opendicke.ensemble.store import Store
from opendicke.figures.statement import Statement
from opendicke.gallery.crossing import crossing
from opendicke.methods.nuhops import NuHOPS
from opendicke.model import DickeModel
from opendicke.observables.catalogue import CHANNELS
from opendicke.plots import style
from opendicke.problem import Executor, Progress
from opendicke.solve import solve
from opendicke.states import Inverted, Normal, State, ThermalSpin

N_ATOMS = (50, 400)
TRAJECTORIES = 128
#: Trajectories that start down or thermal, which are cheap and noisy, for each that starts up.
MORE = 4
#: g and κ; times are in units of 1/g.
COUPLING, KAPPA = 1.0, 0.2
#: n̄ of the warm cavity and its bath.
PHOTONS = 7.0
#: How long atoms that start up, and down, are watched.
PULSE, ABSORPTION = 12.0, 40.0
POINTS = 121
#: Linear theory is held against the atoms that have emitted while they are so few of all.
FEW = 1 / 100

#: The runs of atoms in the thermal light's equilibrium or on the way to it, and how they start.
_GASES = {"absorbing": "all down", "equilibrium": "thermal"}
_COLOURS = ("vermillion", "blue", "green", "purple")


def model(n_atoms: int, photons: float) -> DickeModel:
    """Atoms and cavity in resonance, in the frame of both, with a bath of so many photons."""
    rates = {"omega_a": 0.0, "omega_c": 0.0, "kappa": KAPPA, "coupling": COUPLING}
    return DickeModel.tavis_cummings(n_atoms=n_atoms, n_thermal=photons, **rates)


def starts() -> dict[str, tuple[State, float, float]]:
    """State, n̄ and duration of each run, by name."""
    warm = Thermal(PHOTONS)
    return {
        "vacuum": (Inverted(), 0.0, PULSE),
        "warm": (Inverted(cavity=warm), PHOTONS, PULSE),
        "absorbing": (Normal(cavity=warm), PHOTONS, ABSORPTION),
        "equilibrium": (ThermalSpin(math.log1p(1 / PHOTONS), cavity=warm), PHOTONS, ABSORPTION),
    }


def run(
    *,
    n_atoms: Sequence[int] = N_ATOMS,
    trajectories: int = TRAJECTORIES,
    seed: int = 1,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> dict[str, xr.Dataset]:
    """The answers by name, e.g. "vacuum-n50": one for each number of atoms and each of :func:`starts`.

    Args:
        n_atoms: numbers of atoms.
        trajectories: of those that start up, at least 16; there are 4 times as many of the others.
        seed: of the random streams.
        executor, progress, store: as for :func:`opendicke.solve`.
    """
    found: dict[str, xr.Dataset] = {}
    for number in n_atoms:
        for name, (state, photons, duration) in starts().items():
            method = NuHOPS(trajectories * (MORE if name in _GASES else 1), seed=seed)
            problem = (model(number, photons), state, np.linspace(0.0, duration, POINTS), method)
            options = {"executor": executor, "progress": progress, "store": store}
            found[f"{name}-n{number}"] = solve(*problem, ["Sz", "Sz2", "n_photon"], **options)  # type: ignore[arg-type]
    return found


def growth_rate() -> float:
    """λ₊: that of the amplitudes of atoms that start up."""
    return -KAPPA / 2 + math.hypot(KAPPA / 2, COUPLING)


def linear_emission(times: NDArray[np.float64], photons: float) -> NDArray[np.float64]:
    """Atoms that have emitted, by the linear equations (the first formula at the top)."""
    rising = growth_rate()
    falling = -KAPPA - rising
    u = (rising * np.exp(falling * times) - falling * np.exp(rising * times)) / (rising - falling)
    emitted: NDArray[np.float64] = (1 + photons) * (u**2 - 1)
    return emitted


def linear_absorption(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Atoms that have absorbed, by the linear equations: n̄(1 − v²), where v is how an excitation of the atoms fades."""
    turning = math.sqrt(COUPLING**2 - KAPPA**2 / 4)
    v = np.exp(-KAPPA * times / 2) * (np.cos(turning * times) + KAPPA / (2 * turning) * np.sin(turning * times))
    absorbed: NDArray[np.float64] = PHOTONS * (1 - v**2)
    return absorbed


def equilibrium(n_atoms: int) -> tuple[float, float]:
    """Mean and variance of the number of atoms that are up, in the state ρ ∝ exp(−x S^z)."""
    number = np.arange(n_atoms + 1.0)
    weights = (PHOTONS / (1 + PHOTONS)) ** number
    mean, square = (float(np.average(number**power, weights=weights)) for power in (1, 2))
    return mean, square - mean**2


def delay(answer: xr.Dataset) -> tuple[float, float]:
    """When half of the atoms have emitted on average, and its standard error."""
    return crossing(answer, "Sz", 0.0, sign=-1.0)


def late_excitations(answer: xr.Dataset) -> tuple[tuple[float, float], tuple[float, float]]:
    """Mean and variance of the atoms that are up in the last third of the time, each with its standard error."""
    n_atoms, last = dataset_atoms(answer), answer.sizes["time"] // 3
    held = answer.batch_size.values > 0
    means = answer.batch_means.transpose("batch", "time", "channel").values[held, -last:].mean(axis=1)
    first, second = CHANNELS.index("Sz"), CHANNELS.index("Szz")

    def moments(mean: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([mean[..., first] + n_atoms / 2, mean[..., second] - mean[..., first] ** 2], axis=-1)

    found = jackknife(moments, means, answer.batch_size.values[held])
    error = np.asarray(found.error, dtype=float)
    return (float(found.value[0]), float(error[0])), (float(found.value[1]), float(error[1]))


def plot(datasets: Mapping[str, xr.Dataset]) -> Figure:
    """Inversion of atoms that start up, and number of excited ones of those that start down, against the time.

    Args:
        datasets: those of :func:`run`.
    """
    with style.paper():
        figure = Figure(figsize=(style.COLUMN, 4.4), layout="constrained")
        above, below = figure.subplots(2, 1)
        for colour, n_atoms in zip(_COLOURS, _numbers(datasets), strict=False):
            for name, dashes in (("vacuum", (0, (4, 1.5))), ("warm", "solid")):
                label = f"$N = {n_atoms}$, " + ("vacuum" if name == "vacuum" else rf"$\bar n = {PHOTONS:g}$")
                _draw(above, datasets[f"{name}-n{n_atoms}"], colour, dashes, label, per_atom=True)
            for name, dashes in (("absorbing", "solid"), ("equilibrium", (0, (1, 1.2)))):
                _draw(below, datasets[f"{name}-n{n_atoms}"], colour, dashes, None, per_atom=False)
        above.set(xlim=(0, PULSE), ylim=(-0.52, 0.52), ylabel=r"inversion $\langle S^z\rangle/N$")
        above.set_xlabel("time (units of $1/g$)")
        above.text(0.97, 0.9, "start: all up", transform=above.transAxes, ha="right")
        below.plot([], [], color="black", label="start: all down")
        below.plot([], [], color="black", linestyle=(0, (1, 1.2)), label="start: thermal")
        times = np.linspace(0.0, ABSORPTION, 400)
        below.plot(times, linear_absorption(times), color="0.6", linewidth=3.0, zorder=0, label="linear theory")
        below.set(xlim=(0, ABSORPTION), ylim=(0, 1.45 * PHOTONS), ylabel=r"atoms up, $\langle S^z\rangle + N/2$")
        below.set_xlabel("time (units of $1/g$)")
        above.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handlelength=2.2, columnspacing=1.2)
        below.legend(loc="lower right", handlelength=2.2)
    return figure


def check(datasets: Mapping[str, xr.Dataset]) -> list[Statement]:
    """What is expected, held against ``datasets`` (those of :func:`run`).

    A statement that is true fails for about one seed in a thousand: each tolerance is 4 standard errors.
    """
    numbers = _numbers(datasets)
    many = max(numbers)
    statements = [_early(datasets[f"{name}-n{many}"]) for name in ("vacuum", "warm")]
    (cold, cold_sem), (warm, warm_sem) = (delay(datasets[f"{name}-n{many}"]) for name in ("vacuum", "warm"))
    expected = math.log1p(PHOTONS) / (2 * growth_rate())
    text = f"N = {many}: thermal light shortens the wait by ln({1 + PHOTONS:g})/2λ = {expected:.2f}"
    told = f"{cold:.2f} ± {cold_sem:.2f} in the vacuum, {warm:.2f} ± {warm_sem:.2f} in thermal light"
    holds = abs(cold - warm - expected) < 4 * math.hypot(cold_sem, warm_sem)
    statements.append(Statement(text, holds, told))
    fewer = round(many / (1 + PHOTONS))
    if fewer in numbers:
        few, few_sem = delay(datasets[f"vacuum-n{fewer}"])
        text = f"N = {many} in thermal light wait as N = {fewer} in the vacuum"
        holds = abs(warm - few) < 4 * math.hypot(warm_sem, few_sem)
        statements.append(Statement(text, holds, f"{warm:.2f} ± {warm_sem:.2f} and {few:.2f} ± {few_sem:.2f}"))
    statements.append(_ringing(datasets[f"vacuum-n{many}"]))
    for number in numbers:
        statements += [_gas(datasets[f"{name}-n{number}"], start) for name, start in _GASES.items()]
    return statements


def _early(answer: xr.Dataset) -> Statement:
    """While few atoms have emitted, they are as many as in linear theory."""
    n_atoms, photons = dataset_atoms(answer), float(DickeModel.of(answer).n_thermal)
    linear = linear_emission(answer.time.values, photons)
    last = int(np.argmax(linear >= FEW * n_atoms)) - 1
    # each trajectory's number scatters like the square of a complex normal number, by as much as its mean
    expected, error = linear[last], linear[last] / math.sqrt(int(answer.batch_size.sum()))
    emitted = n_atoms / 2 - float(answer.Sz[last])
    text = f"N = {n_atoms}, {photons:g} photons: emission starts as in linear theory"
    told = f"{emitted:.2f} ± {error:.2f} atoms after {float(answer.time[last]):g}, linear theory {expected:.2f}"
    return Statement(text, abs(emitted - expected) < 4 * error, told)


def _ringing(answer: xr.Dataset) -> Statement:
    """After the pulse the atoms take light back."""
    low = int(np.argmin(answer.Sz.values[answer.time.values < 0.5 * PULSE]))
    high = low + int(np.argmax(answer.Sz.values[low:]))
    n_atoms = dataset_atoms(answer)
    rise = float(answer.Sz[high] - answer.Sz[low]) / n_atoms
    error = float(np.hypot(answer.Sz_sem[low], answer.Sz_sem[high])) / n_atoms
    text = f"N = {n_atoms}: it rings, the atoms take light back after the pulse"
    told = f"{rise:.3f} ± {error:.3f} of them from {float(answer.time[low]):.1f} to {float(answer.time[high]):.1f}"
    return Statement(text, rise > 4 * error, told)


def _gas(answer: xr.Dataset, start: str) -> Statement:
    """Late, the number of excited atoms has the mean and the variance of the equilibrium."""
    n_atoms = dataset_atoms(answer)
    (mean, mean_sem), (variance, variance_sem) = late_excitations(answer)
    expected, spread = equilibrium(n_atoms)
    alone = n_atoms * PHOTONS / (1 + 2 * PHOTONS)
    text = f"N = {n_atoms}, start {start}: as many atoms are up as an oscillator has quanta, with the variance of Bose"
    told = (
        f"mean {mean:.2f} ± {mean_sem:.2f}, exact {expected:.2f} (independent atoms {alone:.0f}); "
        f"variance {variance:.0f} ± {variance_sem:.0f}, exact {spread:.0f}"
    )
    holds = abs(mean - expected) < 4 * mean_sem and abs(variance - spread) < 4 * variance_sem
    return Statement(text, holds, told)


def _draw(axes: Axes, answer: xr.Dataset, colour: str, dashes: object, label: str | None, *, per_atom: bool) -> None:
    n_atoms = dataset_atoms(answer)
    scale, shift = (n_atoms, 0.0) if per_atom else (1, n_atoms / 2)
    mean, error = answer.Sz.values / scale + shift, answer.Sz_sem.values / scale
    shade = style.COLOURS[colour]
    axes.fill_between(answer.time.values, mean - error, mean + error, color=shade, alpha=0.25, linewidth=0)
    axes.plot(answer.time.values, mean, color=shade, linewidth=1.0, linestyle=dashes, label=label)


def _numbers(datasets: Mapping[str, xr.Dataset]) -> list[int]:
    """The numbers of atoms."""
    return sorted({dataset_atoms(answer) for answer in datasets.values()})
