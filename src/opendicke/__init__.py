"""Open Dicke models, from one atom to a million, with error bars on everything."""

from typing import TYPE_CHECKING

from opendicke import analysis, cavities, units
from opendicke.comparison import compare
from opendicke.ensemble.dask_executor import Dask
from opendicke.ensemble.executors import Processes, Serial, Threads
from opendicke.ensemble.run import TrajectoryError
from opendicke.ensemble.store import Store, StoreError
from opendicke.methods.cumulants import Cumulants, UnphysicalWarning
from opendicke.methods.eliminated import Eliminated
from opendicke.methods.gaussian_trajectories import GaussianTrajectories
from opendicke.methods.hops import HOPS
from opendicke.methods.lindblad import Lindblad
from opendicke.methods.mean_field import MeanField
from opendicke.methods.nuhops import NuHOPS
from opendicke.methods.precision import Precision
from opendicke.methods.sampled import FailedTrajectoryWarning
from opendicke.methods.schroedinger import Schroedinger
from opendicke.methods.truncated_wigner import TruncatedWigner
from opendicke.methods.weak_damping import WeakDampingWarning
from opendicke.model import DickeModel
from opendicke.observables.catalogue import VARIABLES
from opendicke.problem import Limits
from opendicke.signals import Ramp, Samples, Sine
from opendicke.solve import solve
from opendicke.states import (
    Dicke,
    EntangledSpins,
    Inverted,
    Normal,
    Product,
    SpinCoherent,
    SpinSqueezed,
    SpinSuperposition,
    ThermalSpin,
    hint_for,
)
from opendicke.sweep import sweep
from opendicke.system import Mode, Spin, System
from opendicke.words import word

if TYPE_CHECKING:
    from opendicke.plots.result import plot  # imports matplotlib; like report it comes when it is asked for
    from opendicke.reports import report

#: The installed version; found when asked for.
__version__: str

__all__ = [
    "HOPS",
    "VARIABLES",
    "Cumulants",
    "Dask",
    "Dicke",
    "DickeModel",
    "Eliminated",
    "EntangledSpins",
    "FailedTrajectoryWarning",
    "GaussianTrajectories",
    "Inverted",
    "Limits",
    "Lindblad",
    "MeanField",
    "Mode",
    "Normal",
    "NuHOPS",
    "Precision",
    "Processes",
    "Product",
    "Ramp",
    "Samples",
    "Schroedinger",
    "Serial",
    "Sine",
    "Spin",
    "SpinCoherent",
    "SpinSqueezed",
    "SpinSuperposition",
    "Store",
    "StoreError",
    "System",
    "ThermalSpin",
    "Threads",
    "TrajectoryError",
    "TruncatedWigner",
    "UnphysicalWarning",
    "WeakDampingWarning",
    "analysis",
    "cavities",
    "compare",
    "plot",
    "report",
    "solve",
    "sweep",
    "units",
    "word",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from opendicke.version import version

        return version()
    if name == "plot":
        from opendicke.plots.result import plot

        return plot
    if name == "report":
        from opendicke.reports import report

        return report
    from opendicke.places import place_of

    place = place_of(name)
    hint = hint_for(name) or (f"Did you mean: {place}" if place else "")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}. {hint}".rstrip())


def __dir__() -> list[str]:
    """The public names only: no modules but ``analysis``."""
    return sorted([*__all__, "__all__", "__doc__", "__file__", "__name__", "__path__", "__version__"])
