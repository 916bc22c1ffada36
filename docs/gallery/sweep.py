"""A sweep over two parameters as a map: photons after a quench, over the coupling and the cavity's loss."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style


def figure(n_atoms: int = 100, trajectories: int = 64, points: int = 11) -> Figure:
    """⟨S^z⟩ and ⟨a†a⟩ at a late time; the noise is the same at every point."""
    model = od.DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=1.0)
    grid = {"coupling": np.linspace(0.5, 2.5, points), "kappa": np.linspace(0.2, 2.0, points)}
    method = od.TruncatedWigner(trajectories, seed=1)
    found = od.sweep(
        model, grid, od.Normal(), [15.0], method, ["Sz", "n_photon"], common_random_numbers=True, progress=False
    )
    return od.plot(found)


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
