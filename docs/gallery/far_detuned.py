"""A cavity a hundred times faster than the atoms, as in experiments: exact trajectories in strides that the spins set.

Single runs order to either side at times of their own; their mean ⟨S^x⟩ stays 0.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style


def figure(n_atoms: int = 1000, trajectories: int = 8, ratio: float = 100.0, points: int = 73) -> Figure:
    """⟨S^x⟩/N of single trajectories and in the mean, above threshold."""
    free = od.DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=ratio, kappa=0.15 * ratio, coupling=1.0)
    model = free.replace(coupling=1.2 * free.critical_coupling)
    times = np.linspace(0.0, 12.0, points)
    method = od.NuHOPS(trajectories, seed=1, hierarchy="strides", keep_trajectories=True)
    answer = od.solve(model, od.Normal(), times, method, ["Sx"], progress=False)
    with style.paper():
        picture = Figure(figsize=(style.COLUMN, 2.4), layout="constrained")
        axes = picture.add_subplot(xlabel=r"time $\omega_a t$", ylabel=r"$\langle S^x\rangle/N$")
        single = answer.Sx_trajectory.transpose("time", "trajectory").values / n_atoms
        axes.plot(times, single, color=style.COLOURS["purple"], linewidth=0.6)
        axes.plot(times, answer.Sx / n_atoms, color=style.COLOURS["blue"], linewidth=1.8, label="mean")
        axes.legend()
    return picture


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
