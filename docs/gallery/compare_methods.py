"""Which method can be trusted: three of them on one problem, and how far each is from the exact one.

Other numbers of atoms, other verdicts: mean field is good where no trajectory turns the other way."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style


def figure(n_atoms: int = 30, trajectories: int = 200, points: int = 61) -> Figure:
    """⟨S^z⟩ and photons of all, with bands of two standard errors, and deviations in standard errors."""
    model = od.DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.26)
    methods = [od.NuHOPS(trajectories, seed=1), od.TruncatedWigner(trajectories, seed=2), od.MeanField()]
    times = np.linspace(0.0, 12.0, points)
    start = od.SpinCoherent(theta=np.pi / 4, phi=np.pi)
    return od.plot(od.compare(model, start, times, methods, ["Sz", "n_photon"], progress=False))


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
