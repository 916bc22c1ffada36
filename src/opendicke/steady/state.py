"""The exact steady state and the slowest modes of the master equation, for small N."""

from __future__ import annotations

import json
import math
import platform
from importlib import metadata
from typing import Any

import numpy as np
import xarray as xr

from opendicke import checks
from opendicke.master.density import RHO_SPIN
from opendicke.methods.lindblad import channels_of
from opendicke.model import DickeModel, check_model
from opendicke.observables.catalogue import VARIABLES, from_channels
from opendicke.problem import Progress
from opendicke.steady.slow_modes import (
    FINER,
    MODE_TOLERANCE,
    TOLERANCE,
    SlowModes,
    Steady,
    first_cutoff,
    next_cutoff,
    second_cutoff,
)
from opendicke.version import version

#: What the difference between the two runs is multiplied with to make an error: the second run is not exact either.
SAFETY = 3.0
#: Rounding, divided by the gap, makes an error of the state; one that is larger than this leaves no answer.
UNKNOWABLE = 0.1


def steady_state(
    model: DickeModel,
    photons: int | None = None,
    *,
    max_top_population: float = 1e-8,
    max_memory: float = 4.0,
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    r"""The state that does not change any more, :math:`L\rho = 0`, without following the evolution towards it.

    .. math::
        0 = -i[H,\rho] + \kappa\,(2a\rho a^\dagger - a^\dagger a\rho - \rho a^\dagger a), \qquad \mathrm{Tr}\,\rho = 1

    It is even under :math:`P = (-1)^{a^\dagger a + S^z + N/2}`, so :math:`\langle S^x\rangle`,
    :math:`\langle S^y\rangle` and :math:`\langle a\rangle` are zero even where mean field breaks the symmetry. How
    long it takes to get there is told by :func:`liouvillian_spectrum`.

    What the cutoff and the iteration leave out is multiplied by one over the gap (the slowest even decay rate), so
    both are made smaller where the gap is below κ. How much is left is measured by a second run, with more photons
    and a smaller residual.

    Args:
        model: what evolves; at κ = 0, or with a conserved quantity, there is no unique steady state.
        photons: highest photon number kept, >= 1; None raises it until the population of the highest photon number
            is below ``max_top_population``, times gap/κ where the gap is below κ.
        max_top_population: largest population of the highest photon number, >= 1e-12 and < 1.
        max_memory: memory that may be taken, in GiB; it grows as :math:`(N+1)^2` photons².
        progress: None for a bar on a terminal only; it counts applications of L.

    Returns:
        Dataset without time: the variables of :func:`opendicke.solve`, and the spin's density matrix ``rho_spin`` on
        the Dicke states |j, j−n>. Each has the estimate of its error (absolute; for ``rho_spin`` of its elements) in
        ``attrs["error"]``: three times the difference to the second run, and rounding over the gap. The Dataset's
        ``attrs`` hold cutoff, top population, residual :math:`\|L\rho\|/\|\rho\|`, gap (decay rate of the
        even mode nearest to 0, to some 20 %), the second cutoff and provenance.

    Raises:
        ValueError, TypeError: for a model without a unique steady state, or with rates so far apart that rounding
            over the gap leaves nothing of it; for ``photons`` too small, naming a number that is enough; for a problem
            that needs more than ``max_memory``.
        RuntimeError: if the iteration does not converge.

    Sources: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*, eq. (2);
    spectral theory of such Liouvillians: F. Minganti, A. Biella, N. Bartolo and C. Ciuti, Phys. Rev. A 98, 042118
    (2018).

    >>> import opendicke as od
    >>> model = od.DickeModel(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=0.6, g_plus=0.3)
    >>> result = steady_state(model)
    >>> evolved = od.solve(model, od.Normal(), [300.0], od.Lindblad())
    >>> abs(result.n_photon.item() - evolved.n_photon.item()) < 1e-7
    True
    >>> result.n_photon.attrs["error"] < 1e-7
    True
    """
    _check_model(model)
    solver = SlowModes(model, checks.real("max_memory", max_memory, above=0.0), progress)
    found = _accepted(solver, photons, check_bound(max_top_population))
    lost = solver.rounding(found.photons) / found.gap
    if lost > UNKNOWABLE:
        expected = "rates so close that rounding over the gap is small"
        hint = "The steady state is beyond floating-point numbers: bring the rates closer together."
        raise checks.refuse("model", expected, f"{lost:.1g} (gap {found.gap:.1e}, {model})", hint)
    second = solver.steady(second_cutoff(found.photons), found, FINER)
    values, finer = (from_channels(tuple(VARIABLES), channels_of(state.rho)) for state in (found, second))
    data: dict[str, Any] = {}
    for name, variable in VARIABLES.items():
        # rounding, which both runs share, moves an observable by at most about its largest value
        size = max(float(abs(values[name])), (model.n_atoms / 2) ** name.count("S"), 1.0)
        error = SAFETY * float(abs(values[name] - finer[name])) + lost * size
        data[name] = ((), values[name], {"definition": variable.definition, "units": "1", "error": error})
    spin, finer_spin = (np.einsum("nfmf->nm", state.rho) for state in (found, second))
    error = SAFETY * float(np.abs(spin - finer_spin).max()) + lost
    data["rho_spin"] = (("n", "n_prime"), spin, RHO_SPIN | {"error": error})
    attrs = {"photons": found.photons, "top_population": found.top, "residual": found.residual}
    attrs |= {"gap": found.gap, "second_photons": second.photons}
    return xr.Dataset(data, attrs=_provenance(model) | attrs)


def liouvillian_spectrum(
    model: DickeModel,
    photons: int | None = None,
    k: int = 2,
    *,
    max_top_population: float = 1e-8,
    max_memory: float = 4.0,
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    r"""The k eigenvalues λ of the Liouvillian nearest to 0, in the even and in the odd sector of parity.

    .. math::
        L X = \lambda X, \qquad PXP = \pm X, \qquad P = (-1)^{a^\dagger a + S^z + N/2}

    A deviation from the steady state along X decays as :math:`e^{\lambda t}`. Quantities that do not change under
    :math:`(S^x, S^y, a) \to -(S^x, S^y, a)` relax with even modes, :math:`\langle S^x\rangle` and
    :math:`\langle a\rangle` with odd ones. Where states are metastable, the slowest modes are tunnelling: with rates
    :math:`\gamma_{ns}, \gamma_{sn}` between normal and superradiant states, :math:`\gamma_{ss}` between the two
    superradiant ones, the even gap is :math:`2\gamma_{ns} + \gamma_{sn}` and the odd one
    :math:`\gamma_{sn} + 2\gamma_{ss}`.

    Args:
        model, photons, max_top_population, max_memory, progress: as for :func:`steady_state`, whose cutoff is used.
        k: eigenvalues in each sector, >= 1. The first of the even sector is 0, the steady state's.

    Returns:
        Dataset with dimensions ``parity`` ("even", "odd") and ``mode``: complex ``eigenvalue``, nearest to 0 first;
        ``residual`` of each, and ``error``, an estimate of its error: three times the distance to the nearest
        eigenvalue of a second run with more photons and a tenth of the residual (to 0 for the steady state).
        ``gap`` of each sector, the smallest decay rate :math:`-\mathrm{Re}\,\lambda` among the k, without the steady
        state (NaN where there is none).
        Modes that oscillate fast and decay slowly are far from 0: a larger k finds them.

    Raises:
        ValueError, TypeError, RuntimeError: as for :func:`steady_state`.

    >>> import opendicke as od
    >>> model = od.DickeModel.tavis_cummings(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.3)
    >>> spectrum = liouvillian_spectrum(model, k=2)  # one excitation: amplitudes decay at κ/2 - √(κ²/4 - g²) = 0.1
    >>> spectrum.gap.values.round(6)
    array([0.2, 0.1])
    """
    wanted = checks.integer("k", k, minimum=1)
    _check_model(model)
    bound = check_bound(max_top_population)
    # The state only decides about the cutoff and starts the search: no need to know it better than the bound.
    tolerance = max(TOLERANCE, min(bound, MODE_TOLERANCE))
    solver = SlowModes(model, checks.real("max_memory", max_memory, above=0.0), progress, wanted, tolerance)
    found = _accepted(solver, photons, bound)
    most = ((model.n_atoms + 1) * (found.photons + 1)) ** 2 // 6
    if wanted > most:
        raise checks.refuse("k", f"an integer <= {most}, a third of what {found.photons} photons have", k)
    parities = ("even", "odd")
    modes, errors = [], []
    for parity in parities:
        first = solver.slowest(parity, wanted, found)
        second = solver.checked(parity, first, found)
        others = np.array([mode.eigenvalue for mode in second])
        if parity == "even":
            others[0] = 0.0  # the trace is conserved: the steady state's eigenvalue is known
        modes.append(first)
        rounding = solver.rounding(found.photons)
        errors.append([SAFETY * float(np.abs(others - mode.eigenvalue).min()) + rounding for mode in first])
    eigenvalues = np.array([[mode.eigenvalue for mode in sector] for sector in modes])
    residuals = np.array([[mode.residual for mode in sector] for sector in modes])
    decaying = (-eigenvalues[0, 1:].real, -eigenvalues[1].real)
    gaps = [float(rates.min()) if rates.size else math.nan for rates in decaying]
    rate, axes = "unit of the model's rates", ("parity", "mode")
    data = {
        "eigenvalue": (axes, eigenvalues, {"definition": "L X = eigenvalue X", "units": rate}),
        "residual": (axes, residuals, {"definition": "norm of L X - eigenvalue X", "units": rate}),
        "error": (axes, np.array(errors), {"definition": "estimated error of the eigenvalue", "units": rate}),
        "gap": (("parity",), gaps, {"definition": "smallest decay rate, steady state left out", "units": rate}),
    }
    attrs = _provenance(model) | {"photons": found.photons, "top_population": found.top}
    attrs["second_photons"] = second_cutoff(found.photons)
    return xr.Dataset(data, {"parity": list(parities), "mode": np.arange(wanted)}, attrs)


def _accepted(solver: SlowModes, photons: int | None, bound: float) -> Steady:
    """The steady state at the cutoff asked for, if it is large enough, or at the first that is."""
    cutoff = first_cutoff(solver.model) if photons is None else checks.integer("photons", photons, minimum=1)
    found = solver.accepted(cutoff, bound, fixed=photons is not None)
    if found is None:
        enough = solver.accepted(next_cutoff(cutoff), bound, fixed=False)
        expected = f"a cutoff whose top level stays below max_top_population = {bound:g}"
        hint = (
            "Pass photons=None to have it chosen."
            if enough is None
            else (f"Try photons={enough.photons}, or photons=None to have it chosen.")
        )
        raise checks.refuse("photons", expected, cutoff, hint)
    return found


def check_bound(max_top_population: float) -> float:
    """``max_top_population``, if it is one."""
    bound = checks.real("max_top_population", max_top_population, above=0.0)
    if not 1e-12 <= bound < 1:
        expected = "a number >= 1e-12 (less is lost in rounding) and < 1"
        raise checks.refuse("max_top_population", expected, max_top_population)
    return bound


def _check_model(model: DickeModel) -> None:
    """Refuse what conserves a quantity and so has many steady states."""
    check_model(model, "steady states")
    hint = "Its long-time state depends on where it starts: use solve()."
    if model.kappa == 0:
        raise checks.refuse("kappa", "a number > 0 for a unique steady state", model.kappa, hint)
    couplings = (model.g_minus, model.g_plus)
    if couplings == (0, 0):
        raise checks.refuse("g_minus, g_plus", "a coupling for a unique steady state", couplings, hint)
    if model.omega_a == 0 and abs(model.g_minus) == abs(model.g_plus):
        expected = "a number other than 0 for a unique steady state, as |g_minus| = |g_plus|"
        raise checks.refuse("omega_a", expected, model.omega_a, hint)


def _provenance(model: DickeModel) -> dict[str, Any]:
    versions = {"opendicke": version()} | {name: metadata.version(name) for name in ("numpy", "scipy", "xarray")}
    return {
        "model": model.json(),
        "versions": json.dumps(versions | {"python": platform.python_version()}),
        "conventions": "hbar = 1; kappa is the field decay rate (the photon number decays at 2 kappa)",
    }
