"""Open Dicke models, from one atom to a million, with error bars on everything."""

from opendicke.ensemble.executors import Serial, Threads
from opendicke.ensemble.run import TrajectoryError
from opendicke.methods.cumulants import Cumulants, UnphysicalWarning
from opendicke.methods.hops import HOPS
from opendicke.methods.lindblad import Lindblad
from opendicke.methods.mean_field import MeanField
from opendicke.methods.nuhops import NuHOPS
from opendicke.methods.sampled import FailedTrajectoryWarning
from opendicke.model import DickeModel
from opendicke.observables.catalogue import VARIABLES
from opendicke.solve import solve
from opendicke.states import Inverted, Normal, SpinCoherent

__all__ = [
    "HOPS",
    "VARIABLES",
    "Cumulants",
    "DickeModel",
    "FailedTrajectoryWarning",
    "Inverted",
    "Lindblad",
    "MeanField",
    "Normal",
    "NuHOPS",
    "Serial",
    "SpinCoherent",
    "Threads",
    "TrajectoryError",
    "UnphysicalWarning",
    "solve",
]
