"""Exact steady states against the coupling: the superradiant transition, rounded by few atoms.

Mean field has a sharp onset, which the exact density matrix approaches as N grows. Far above it the slowest rate falls
with N: it takes ever longer to change from one superradiant state to the other.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style


def figure(atoms: tuple[int, ...] = (3, 6, 9), points: int = 9) -> Figure:
    """Photons per atom, and the gap of the Liouvillian."""
    couplings = np.linspace(0.4, 2.0, points)
    with style.paper():
        picture = Figure(figsize=(style.COLUMN, 3.4), layout="constrained")
        photons, gap = picture.subplots(2, 1, sharex=True)
        for n_atoms in atoms:
            model = od.DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=1.0)
            steady = od.analysis.steady_states(model, {"coupling": couplings}, max_top_population=1e-5, progress=False)
            photons.plot(couplings, steady.n_photon / n_atoms, marker="o", markersize=2.5, label=f"$N = {n_atoms}$")
            gap.semilogy(couplings, steady.gap, marker="o", markersize=2.5)
        points_of = [od.analysis.fixed_points(model.replace(coupling=float(g))) for g in couplings]
        stable = [max(abs(point.beta) ** 2 for point in found if point.is_stable) for found in points_of]
        photons.plot(couplings, stable, color="black", linestyle="--", label="mean field")
        photons.set(ylabel=r"$\langle a^\dagger a\rangle/N$")
        photons.legend()
        gap.set(xlabel=r"coupling $g_- + g_+$", ylabel=r"gap$/\kappa$")
    return picture


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
