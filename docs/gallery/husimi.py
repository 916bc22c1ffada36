"""The Husimi function of the spin while it chooses: from all atoms down to two superradiant states, and both remain.

The mean spin says nothing of it: ⟨S^x⟩ = 0 at all times.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style
from opendicke.plots.bloch import View
from opendicke.plots.husimi import plot_husimi_sphere


def figure(n_atoms: int = 50, trajectories: int = 200, times: tuple[float, ...] = (0.0, 6.0, 20.0)) -> Figure:
    """Q on the sphere at three times, seen from below."""
    model = od.DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.0)
    method = od.NuHOPS(trajectories, seed=1, keep_states=times)
    answer = od.solve(model, od.Normal(), np.array(times), method, ["Sz"], progress=False)
    q = od.analysis.husimi(answer)
    with style.paper():
        picture = Figure(figsize=(style.PAGE, 2.6), layout="constrained")
        for place, time in enumerate(times):
            axes = picture.add_subplot(1, len(times), place + 1)
            plot_husimi_sphere(q, axes, time=time, view=View(azimuth=-90.0, elevation=-50.0))
            axes.set_title(rf"$\omega_a t = {time:g}$")
    return picture


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
