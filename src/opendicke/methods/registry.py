"""All methods, by name: a new one is added here and nowhere else."""

from __future__ import annotations

from typing import Any

from opendicke.methods.cumulants import Cumulants
from opendicke.methods.eliminated import Eliminated
from opendicke.methods.gaussian_trajectories import GaussianTrajectories
from opendicke.methods.hops import HOPS
from opendicke.methods.lindblad import Lindblad
from opendicke.methods.mean_field import MeanField
from opendicke.methods.nuhops import NuHOPS
from opendicke.methods.schroedinger import Schroedinger
from opendicke.methods.truncated_wigner import TruncatedWigner

KINDS = (NuHOPS, HOPS, TruncatedWigner, GaussianTrajectories, Lindblad, MeanField, Cumulants, Eliminated, Schroedinger)
#: Name -> class, as study files, the command line and stored studies know them.
METHODS: dict[str, Any] = {method.__name__: method for method in KINDS}
