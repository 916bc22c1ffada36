"""Quantum chaos in the closed Dicke model: how neighbouring energy levels are spaced, from regular to chaotic.

The mean ratio of spacings goes from that of random numbers to that of random matrices as the coupling grows.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.plots import style


def figure(
    n_atoms: int = 16, levels: int = 250, couplings: tuple[float, ...] = (0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 2.0)
) -> Figure:
    """⟨r⟩ of both parities, with standard errors."""
    free = od.DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=1.0)
    spectra = [od.analysis.energy_levels(free.replace(coupling=g), k=levels, tolerance=1e-5) for g in couplings]
    found = [od.analysis.level_statistics(spectrum, first=levels // 5) for spectrum in spectra]
    ratios, errors = (np.array([one[name].values for one in found]) for name in ("ratio", "ratio_sem"))
    with style.paper():
        picture = Figure(figsize=(style.COLUMN, 2.4), layout="constrained")
        axes = picture.add_subplot(
            xlabel=r"coupling $g/\omega_a$ (threshold: 1)", ylabel=r"mean ratio $\langle r\rangle$"
        )
        for at, parity in enumerate(("even", "odd")):
            axes.errorbar(
                couplings, ratios[:, at], errors[:, at], marker="os"[at], markersize=3, label=f"{parity} parity"
            )
        for name, text in (("poisson", "random numbers"), ("goe", "random matrices")):
            axes.axhline(found[0].attrs[name], color="0.6", linewidth=0.8, linestyle=":")
            axes.text(couplings[-1], found[0].attrs[name], text, ha="right", va="bottom", color="0.4", fontsize=7)
        axes.legend(loc="upper left")
    return picture


if __name__ == "__main__":
    style.write(figure(), Path(__file__).with_suffix(".png"))
