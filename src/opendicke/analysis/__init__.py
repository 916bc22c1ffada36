"""What follows from answers and from models: numbers and Datasets, no pictures.

Everything is there after ``import opendicke as od`` and loaded when it is first used, ``od.analysis.squeezing(answer)``
for one; what is about tunnelling is in ``od.analysis.tunnelling``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opendicke.analysis import tunnelling
    from opendicke.closed.levels import energy_levels, ground_state
    from opendicke.closed.statistics import level_statistics
    from opendicke.moments.correlations import covariances, photon_statistics
    from opendicke.moments.jackknife import Estimate, interval, jackknife, jackknife_samples
    from opendicke.moments.squeezing import fisher_information_bound, squeezing
    from opendicke.phases.diagram import (
        PHASES,
        PhaseBoundary,
        phase,
        phase_boundaries,
        phase_diagram,
        tricritical_point,
    )
    from opendicke.phases.fixed_points import FixedPoint, fixed_point, fixed_points
    from opendicke.phases.flow import Attractor, attractor, follow_mean_field, lyapunov_exponent
    from opendicke.phases.gaussian import Fluctuations, fluctuations
    from opendicke.spin.fisher import fisher_information
    from opendicke.spin.husimi import husimi
    from opendicke.spin.negativity import negativity
    from opendicke.spin.state import PureStates, SpinState, mixedness, pure_states, spin_state
    from opendicke.steady.grid import steady_states
    from opendicke.steady.state import liouvillian_spectrum, steady_state

__all__ = [
    "PHASES",
    "Attractor",
    "Estimate",
    "FixedPoint",
    "Fluctuations",
    "PhaseBoundary",
    "PureStates",
    "SpinState",
    "attractor",
    "covariances",
    "energy_levels",
    "fisher_information",
    "fisher_information_bound",
    "fixed_point",
    "fixed_points",
    "fluctuations",
    "follow_mean_field",
    "ground_state",
    "husimi",
    "interval",
    "jackknife",
    "jackknife_samples",
    "level_statistics",
    "liouvillian_spectrum",
    "lyapunov_exponent",
    "mixedness",
    "negativity",
    "phase",
    "phase_boundaries",
    "phase_diagram",
    "photon_statistics",
    "pure_states",
    "spin_state",
    "squeezing",
    "steady_state",
    "steady_states",
    "tricritical_point",
    "tunnelling",
]

#: The module of each name; the imports above are for type checkers.
HOMES = {
    "PHASES": "phases.diagram",
    "Attractor": "phases.flow",
    "Estimate": "moments.jackknife",
    "FixedPoint": "phases.fixed_points",
    "Fluctuations": "phases.gaussian",
    "PhaseBoundary": "phases.diagram",
    "PureStates": "spin.state",
    "SpinState": "spin.state",
    "attractor": "phases.flow",
    "covariances": "moments.correlations",
    "energy_levels": "closed.levels",
    "fisher_information": "spin.fisher",
    "fisher_information_bound": "moments.squeezing",
    "fixed_point": "phases.fixed_points",
    "fixed_points": "phases.fixed_points",
    "fluctuations": "phases.gaussian",
    "follow_mean_field": "phases.flow",
    "ground_state": "closed.levels",
    "husimi": "spin.husimi",
    "interval": "moments.jackknife",
    "jackknife": "moments.jackknife",
    "jackknife_samples": "moments.jackknife",
    "level_statistics": "closed.statistics",
    "liouvillian_spectrum": "steady.state",
    "lyapunov_exponent": "phases.flow",
    "mixedness": "spin.state",
    "negativity": "spin.negativity",
    "phase": "phases.diagram",
    "phase_boundaries": "phases.diagram",
    "phase_diagram": "phases.diagram",
    "photon_statistics": "moments.correlations",
    "pure_states": "spin.state",
    "spin_state": "spin.state",
    "squeezing": "moments.squeezing",
    "steady_state": "steady.state",
    "steady_states": "steady.grid",
    "tricritical_point": "phases.diagram",
}


def __getattr__(name: str) -> object:
    if name == "tunnelling":
        return import_module("opendicke.analysis.tunnelling")
    if name in HOMES:
        return getattr(import_module(f"opendicke.{HOMES[name]}"), name)
    from opendicke.places import place_of

    place = place_of(name)
    hint = f"Did you mean: {place}" if place else f"It has {', '.join(__all__)}."
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}. {hint}")


def __dir__() -> list[str]:
    """The public names only."""
    return sorted([*__all__, "__all__", "__doc__", "__file__", "__name__", "__path__"])
