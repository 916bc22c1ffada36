"""Two clumps of atoms in one cavity: what one emits, the other absorbs - if both are in resonance with it.

A System has any number of spins and modes with complex couplings.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style


def figure(n_atoms: int = 200, trajectories: int = 100, points: int = 81) -> Figure:
    """Inversion of both clumps and photons, for a second clump in resonance and one that is not."""
    times = np.linspace(0.0, 12.0, points)
    start = od.Product(spins=(od.Inverted(), od.Normal()))
    with style.paper():
        picture = Figure(figsize=(style.PAGE, 2.3), layout="constrained")
        for place, (frequency, text) in enumerate(((1.0, "in resonance"), (6.0, "out of resonance"))):
            spins = [od.Spin(n_atoms=n_atoms, omega_a=one) for one in (1.0, frequency)]
            system = od.System(spins=spins, modes=[od.Mode(omega_c=1.0, kappa=0.2)], g_minus=[[1.5], [1.5]])
            answer = od.solve(
                system, start, times, od.TruncatedWigner(trajectories, seed=1), ["Sz", "n_photon"], progress=False
            )
            axes = picture.add_subplot(1, 2, place + 1, xlabel="time $t$", title=f"second clump {text}")
            for spin in range(2):
                axes.plot(times, answer.Sz.isel(spin=spin) / n_atoms, label=rf"$\langle S^z_{spin + 1}\rangle/N$")
            axes.plot(times, answer.n_photon.isel(mode=0) / n_atoms, "--", label=r"$\langle a^\dagger a\rangle/N$")
        axes.legend()
    return picture


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
