"""Tunnelling between the normal and the superradiant states where mean field finds all of them stable."""

from opendicke.tunnelling.classify import (
    Classifier,
    PassageCounter,
    Passages,
    Regions,
    classify,
    linear_populations,
)
from opendicke.tunnelling.cut import BISTABLE_CUT, Cut
from opendicke.tunnelling.direct import Watched, occupied, watch
from opendicke.tunnelling.exponents import Crossing, Exponent, crossing, fit_exponent, occupation
from opendicke.tunnelling.instanton import OrbitNotFoundError, instanton
from opendicke.tunnelling.landscape import Landscape, LookAhead
from opendicke.tunnelling.rates import (
    Fit,
    Rate,
    Rates,
    count_rates,
    fit_populations,
    lagged_rates,
    poisson_rate,
    populations,
)
from opendicke.tunnelling.splitting import Escape, Splitting, escape_rate
from opendicke.tunnelling.transition import transition_line

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
    "Rates",
    "Regions",
    "Splitting",
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
    "transition_line",
    "watch",
]
