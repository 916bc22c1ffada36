"""Spin squeezing of the normal state beside its phase boundary: exact, with error bars, against Gaussian theory.

Many atoms reach what linear theory says for N → ∞; few tunnel away first, and lose it.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style


def figure(atoms: tuple[int, ...] = (30, 1000), trajectories: int = 150, points: int = 33) -> Figure:
    """ξ² in decibels over time, with 95 % intervals."""
    times, rates = np.linspace(0.0, 8.0, points), {"omega_a": 1.0, "omega_c": 1.0, "kappa": 1.0}
    with style.paper():
        picture = Figure(figsize=(style.COLUMN, 2.4), layout="constrained")
        axes = picture.add_subplot(xlabel=r"time $\omega_a t$", ylabel=r"squeezing $\xi^2$, dB")
        for n_atoms in atoms:
            model = od.DickeModel(n_atoms=n_atoms, g_minus=1.8, g_plus=0.782, **rates)
            answer = od.solve(model, od.Normal(), times, od.NuHOPS(trajectories, seed=1), progress=False)
            squeezed = od.analysis.squeezing(answer)
            low, high = od.analysis.interval(squeezed, "xi2_dB")
            axes.plot(times, squeezed.xi2_dB, label=f"$N = {n_atoms}$")
            axes.fill_between(times, low, high, alpha=0.25, linewidth=0)
        theory = od.analysis.fluctuations(od.analysis.fixed_point(model, "normal")).squeezing
        axes.axhline(10 * np.log10(theory), color="black", linestyle="--", linewidth=0.8, label=r"$N \to \infty$")
        axes.legend()
    return picture


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
