"""Entanglement between the atoms: negativity of one half against the other after a quench, with error bars.

It is computed from the density matrix of the spin, which the trajectories' states make at any time that is kept.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style


def figure(atoms: tuple[int, ...] = (10, 40), trajectories: int = 400, points: int = 13) -> Figure:
    """The logarithmic negativity of halves over time."""
    times = np.linspace(0.0, 6.0, points)
    with style.paper():
        picture = Figure(figsize=(style.COLUMN, 2.4), layout="constrained")
        axes = picture.add_subplot(xlabel=r"time $\omega_a t$", ylabel=r"$E_\mathcal{N}$ of halves")
        for n_atoms in atoms:
            model = od.DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=1.0, kappa=0.2, coupling=1.5)
            method = od.NuHOPS(trajectories, seed=1, keep_states=tuple(times))
            answer = od.solve(model, od.Normal(), times, method, ["Sz"], progress=False)
            found = od.analysis.negativity(answer)
            errors = 2 * found.log_negativity_sem
            axes.errorbar(times, found.log_negativity, errors, marker="o", markersize=2.5, label=f"$N = {n_atoms}$")
        axes.legend()
    return picture


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
