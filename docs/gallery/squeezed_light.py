"""Squeezed light falls on a cavity full of atoms: the photons are squeezed at once, the atoms after them."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style


def figure(n_atoms: int = 100, r: float = 0.6, trajectories: int = 1500, points: int = 31) -> Figure:
    """Both quadratures of the cavity, and the spin's variances across the mean spin, in units of the vacuum's."""
    light = {"n_thermal": np.sinh(r) ** 2, "squeezing": np.sinh(r) * np.cosh(r)}
    rates = {"omega_a": 0.0, "omega_c": 0.0, "kappa": 1.0, "coupling": 0.5}
    model = od.DickeModel.tavis_cummings(n_atoms=n_atoms, **rates, **light)
    times = np.linspace(0.0, 15.0, points)
    answer = od.solve(model, od.Normal(), times, od.TruncatedWigner(trajectories, seed=1), progress=False)
    squares = {sign: 1 + 2 * answer.n_photon + 2 * sign * answer.a2.real for sign in (1, -1)}
    with style.paper():
        picture = Figure(figsize=(style.COLUMN, 2.4), layout="constrained")
        axes = picture.add_subplot(xlabel=r"time $\kappa t$", ylabel="variance over that of the vacuum", yscale="log")
        for sign, dashes in ((1, "-"), (-1, "--")):
            axes.plot(times, squares[sign], color=style.COLOURS["orange"], linestyle=dashes)
        for name, dashes in (("Sx2", "-"), ("Sy2", "--")):
            axes.plot(times, 4 * answer[name] / n_atoms, color=style.COLOURS["blue"], linestyle=dashes)
        axes.plot([], [], color=style.COLOURS["orange"], label="light")
        axes.plot([], [], color=style.COLOURS["blue"], label="atoms")
        axes.axhline(1.0, color="0.8", linewidth=0.6)
        axes.legend()
    return picture


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
