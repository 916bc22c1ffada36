"""Open Dicke models, from one atom to a million, with error bars on everything."""

from opendicke import analysis
from opendicke.comparison import compare
from opendicke.ensemble.dask_executor import Dask
from opendicke.ensemble.executors import Processes, Serial, Threads
from opendicke.ensemble.run import TrajectoryError
from opendicke.ensemble.store import Store, StoreError
from opendicke.methods.cumulants import Cumulants, UnphysicalWarning
from opendicke.methods.hops import HOPS
from opendicke.methods.lindblad import Lindblad
from opendicke.methods.mean_field import MeanField
from opendicke.methods.nuhops import NuHOPS
from opendicke.methods.precision import Precision
from opendicke.methods.sampled import FailedTrajectoryWarning
from opendicke.methods.truncated_wigner import TruncatedWigner
from opendicke.model import DickeModel
from opendicke.observables.catalogue import VARIABLES
from opendicke.problem import Limits
from opendicke.solve import solve
from opendicke.states import Inverted, Normal, SpinCoherent, hint_for
from opendicke.sweep import sweep

__all__ = [
    "HOPS",
    "VARIABLES",
    "Cumulants",
    "Dask",
    "DickeModel",
    "FailedTrajectoryWarning",
    "Inverted",
    "Limits",
    "Lindblad",
    "MeanField",
    "Normal",
    "NuHOPS",
    "Precision",
    "Processes",
    "Serial",
    "SpinCoherent",
    "Store",
    "StoreError",
    "Threads",
    "TrajectoryError",
    "TruncatedWigner",
    "UnphysicalWarning",
    "analysis",
    "compare",
    "solve",
    "sweep",
]


def __getattr__(name: str) -> object:
    """Called for names that are not there."""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}. {hint_for(name)}".rstrip())
