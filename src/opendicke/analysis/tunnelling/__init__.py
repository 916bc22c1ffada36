"""Tunnelling between the normal and the superradiant states where mean field finds all of them stable."""

from opendicke.analysis.tunnelling.classify import (
    Classifier,
    PassageCounter,
    Passages,
    Regions,
    classify,
    linear_populations,
)
from opendicke.analysis.tunnelling.cut import BISTABLE_CUT, Cut
from opendicke.analysis.tunnelling.direct import Watched, occupied, watch
from opendicke.analysis.tunnelling.exponents import Crossing, Exponent, crossing, fit_exponent, occupation
from opendicke.analysis.tunnelling.instanton import OrbitNotFoundError, instanton
from opendicke.analysis.tunnelling.landscape import Landscape, LookAhead
from opendicke.analysis.tunnelling.rates import (
    Fit,
    Rate,
    TunnellingRates,
    count_rates,
    fit_populations,
    lagged_rates,
    poisson_rate,
    populations,
)
from opendicke.analysis.tunnelling.splitting import Escape, Splitting, escape_rate

__all__ = [
    "BISTABLE_CUT",
    "Classifier",
    "Crossing",
    "Cut",
    "Escape",
    "Exponent",
    "Fit",
    "Landscape",
    "LookAhead",
    "OrbitNotFoundError",
    "PassageCounter",
    "Passages",
    "Rate",
    "Regions",
    "Splitting",
    "TunnellingRates",
    "Watched",
    "classify",
    "count_rates",
    "crossing",
    "escape_rate",
    "fit_exponent",
    "fit_populations",
    "instanton",
    "lagged_rates",
    "linear_populations",
    "occupation",
    "occupied",
    "poisson_rate",
    "populations",
    "watch",
]
