"""Spin squeezing after a quench: the coupling is switched on just above its threshold, and noise grows into squeezing.

The best variance orthogonal to the mean spin falls below that of a coherent state, the lower the more atoms.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style


def figure(atoms: tuple[int, ...] = (50, 200, 1000), trajectories: int = 200, points: int = 41) -> Figure:
    """ξ² in decibels over time, exact, with 95 % intervals."""
    times = np.linspace(0.0, 4.0, points)
    with style.paper():
        picture = Figure(figsize=(style.COLUMN, 2.4), layout="constrained")
        axes = picture.add_subplot(xlabel=r"time $\omega_a t$", ylabel=r"squeezing $\xi^2$, dB")
        axes.axhline(0.0, color="0.8", linewidth=0.6)
        for n_atoms in atoms:
            model = od.DickeModel(n_atoms=n_atoms, omega_a=1.0, omega_c=1.0, kappa=0.2, g_minus=0.3, g_plus=1.0)
            answer = od.solve(model, od.Normal(), times, od.NuHOPS(trajectories, seed=1), progress=False)
            squeezed = od.analysis.squeezing(answer)
            low, high = od.analysis.interval(squeezed, "xi2_dB")
            axes.plot(times, squeezed.xi2_dB, label=f"$N = {n_atoms}$")
            axes.fill_between(times, low, high, alpha=0.25, linewidth=0)
        axes.legend()
    return picture


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
