"""Make docs/images/phase-diagram.png and .pdf:  python docs/images/phase_diagram.py"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import opendicke as od
from opendicke.analysis import phase_boundaries, phase_diagram
from opendicke.plots import phases, style

model = od.DickeModel.balanced(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=1.0)
g = np.linspace(0.0, 3.5, 701)
with style.paper():
    figure = Figure(figsize=(5.2, 3.3), layout="constrained")
    axes = phases.phase_diagram(phase_diagram(model, g, g), phase_boundaries(model, g_max=3.5), figure.add_subplot())
    axes.set(aspect="equal", xlabel=r"$g_-/\omega_a$", ylabel=r"$g_+/\omega_a$")
    axes.set_title(r"Stable mean-field states, $\omega_a = \omega_c = \kappa$")
    style.save(figure, Path(__file__).with_name("phase-diagram"))
