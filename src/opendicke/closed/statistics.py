"""How energy levels are spaced: at random, or repelling each other."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke import checks

#: Mean ratios of levels at random, and of random real symmetric matrices.
POISSON, GOE = 2 * math.log(2) - 1, 0.5307
#: Errors of levels may be as large as this part of their mean spacing.
FINE_ENOUGH = 0.01


def level_statistics(levels: xr.Dataset, first: int = 0) -> xr.Dataset:
    r"""The mean ratio of consecutive spacings of levels, in each sector of parity.

    .. math:: r_n = \frac{\min(s_n, s_{n+1})}{\max(s_n, s_{n+1})},\qquad s_n = E_{n+1} - E_n

    Levels of an integrable model fall at random, :math:`\langle r\rangle = 2\ln2 - 1 = 0.3863`; those of a chaotic one
    repel each other, :math:`\langle r\rangle = 0.5307` as for random real symmetric matrices. No unfolding is needed.

    Args:
        levels: of :func:`opendicke.analysis.energy_levels`: hundreds of them.
        first: how many of the lowest of each sector are left out, >= 0: near the ground state levels are regular.

    Returns:
        Dataset with dimension ``parity``: ``ratio``, ``ratio_sem`` (its standard error, of ratios taken as independent)
        and ``ratios``, how many there are; in ``attrs`` the values for levels at ``poisson`` and of ``goe``.

    Raises:
        TypeError, ValueError: for what is no such Dataset, for fewer than ten levels, and for levels whose errors
            are more than a hundredth of their mean spacing.

    Source: V. Oganesyan and D. A. Huse, Phys. Rev. B 75, 155111 (2007); Y. Y. Atas, E. Bogomolny, O. Giraud and
    G. Roux, Phys. Rev. Lett. 110, 084101 (2013).

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=12, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=1.4)
    >>> found = level_statistics(od.analysis.energy_levels(model, k=150, tolerance=1e-5), first=30)
    >>> found.ratio.round(1).values.tolist()
    [0.5, 0.5]
    """
    checks.instance("levels", levels, xr.Dataset, "a Dataset of energy_levels")
    if not {"energy", "error"} <= set(levels.data_vars) or "level" not in levels.dims:
        raise checks.refuse("levels", "a Dataset of energy_levels", list(levels.data_vars), error=TypeError)
    count = levels.sizes["level"]
    first = checks.integer("first", first, minimum=0)
    if count < 10:
        raise checks.refuse("levels", "at least ten in each sector", count)
    if count - first < 10:
        raise checks.refuse("first", f"at most {count - 10}: of the {count} levels ten have to stay", first)
    kept = levels.isel(level=slice(first, None)).transpose("parity", "level")
    energies, errors = kept.energy.values, kept.error.values
    worst = errors.max() * (count - first - 1) / np.ptp(energies, axis=1).min()
    if worst > FINE_ENOUGH:
        expected = f"errors below {FINE_ENOUGH:g} of the mean spacing"
        raise checks.refuse("levels", expected, f"{worst:.1g} of it", "Lower the tolerance of energy_levels.")
    ratios = [_ratios(one, float(error.max())) for one, error in zip(energies, errors, strict=True)]
    sizes = [one.size for one in ratios]
    sems = [float(one.std(ddof=1)) / math.sqrt(one.size) for one in ratios]
    data = {
        "ratio": (("parity",), [float(one.mean()) for one in ratios], {"definition": "mean of r_n", "units": "1"}),
        "ratio_sem": (("parity",), sems, {"definition": "standard error of ratio", "units": "1"}),
        "ratios": (("parity",), sizes, {"definition": "ratios averaged", "units": "1"}),
    }
    return xr.Dataset(data, {"parity": levels.parity.values}, {"poisson": POISSON, "goe": GOE})


def _ratios(energies: NDArray[np.float64], error: float) -> NDArray[np.float64]:
    """r_n; of two spacings that are both nothing but errors there is none."""
    spacings = np.diff(energies)
    smaller, larger = np.minimum(spacings[1:], spacings[:-1]), np.maximum(spacings[1:], spacings[:-1])
    told = larger > 2 * error
    found: NDArray[np.float64] = np.maximum(smaller[told], 0.0) / larger[told]
    return found
