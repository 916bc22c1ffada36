"""Two clumps of atoms in one cavity, at places where the light has opposite signs: what one emits, the other absorbs.

A System has any number of spins and modes with complex couplings.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style


def figure(n_atoms: int = 200, trajectories: int = 100, points: int = 81) -> Figure:
    """Inversion of both clumps and photons, for the second clump with the same and with the opposite sign."""
    times = np.linspace(0.0, 8.0, points)
    cavity = od.Mode(omega_c=1.0, kappa=0.5)
    spins = [od.Spin(n_atoms=n_atoms, omega_a=1.0) for _ in range(2)]
    start = od.Product(spins=(od.Inverted(), od.Normal()))
    with style.paper():
        picture = Figure(figsize=(style.PAGE, 2.3), layout="constrained")
        for place, (sign, text) in enumerate(((1.0, "same sign"), (-1.0, "opposite sign"))):
            system = od.System(spins=spins, modes=[cavity], g_minus=[[1.0], [sign]])
            method = od.TruncatedWigner(trajectories, seed=1)
            answer = od.solve(system, start, times, method, ["Sz", "n_photon"], progress=False)
            axes = picture.add_subplot(1, 2, place + 1, xlabel=r"time $\omega_a t$", title=text)
            for spin in range(2):
                axes.plot(times, answer.Sz.isel(spin=spin) / n_atoms, label=rf"$\langle S^z_{spin + 1}\rangle/N$")
            axes.plot(
                times, answer.n_photon.isel(mode=0) / n_atoms, linestyle="--", label=r"$\langle a^\dagger a\rangle/N$"
            )
            axes.legend()
    return picture


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
