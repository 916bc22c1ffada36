"""Smaller error bars for the same trajectories: Gaussian copies along the same noise take most of the scatter away.

Both curves are exact, from as many trajectories; what differs is the width of their bands.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style


def figure(n_atoms: int = 2000, trajectories: int = 64, points: int = 41) -> Figure:
    """⟨S^z⟩/N with bands of two standard errors, without and with copies."""
    model = od.DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=1.2)
    times = np.linspace(0.0, 8.0, points)
    start = od.SpinCoherent(theta=np.pi / 4, phi=np.pi)
    with style.paper():
        picture = Figure(figsize=(style.COLUMN, 2.6), layout="constrained")
        means, errors = picture.subplots(2, 1, sharex=True)
        for control, colour in ((None, "vermillion"), ("gaussian", "blue")):
            method = od.NuHOPS(trajectories, seed=1, control=control)
            answer = od.solve(model, start, times, method, ["Sz"], progress=False)
            mean, error = answer.Sz / n_atoms, answer.Sz_sem / n_atoms
            label = "with copies" if control else "without"
            means.plot(times, mean, color=style.COLOURS[colour], label=label)
            means.fill_between(times, mean - 2 * error, mean + 2 * error, color=style.COLOURS[colour], alpha=0.3)
            errors.semilogy(times[1:], error[1:], color=style.COLOURS[colour])
        means.set(ylabel=r"$\langle S^z\rangle/N$")
        means.legend()
        errors.set(xlabel=r"time $\omega_a t$", ylabel="standard error")
    return picture


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
