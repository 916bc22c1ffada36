"""The exact steady state and the slowest modes of the master equation, for small N."""

from __future__ import annotations

import dataclasses
import json
import math
import platform
from importlib import metadata
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke import checks
from opendicke.analysis.fixed_points import fixed_points
from opendicke.methods.davidson import CAPACITY, Mode, NotConverged, modes_near
from opendicke.methods.lindblad import channels_of
from opendicke.methods.liouvillian import Resolvent, Sector
from opendicke.model import DickeModel
from opendicke.observables.catalogue import VARIABLES, from_channels
from opendicke.problem import Progress
from opendicke.progress import meter
from opendicke.version import version

#: The shift of the eigenvalue problem in units of kappa: near 0, where the slow modes are, and right of all of them.
SHIFT = 0.03
#: Largest residual of a mode, in units of kappa.
TOLERANCE = 1e-10
#: Vectors as long as one sector in use besides the basis of the iteration.
OTHER_VECTORS = 12


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

    Args:
        model: what evolves; at κ = 0, or with a conserved quantity, there is no unique steady state.
        photons: highest photon number kept, >= 1; None raises it until ``max_top_population`` is met.
        max_top_population: largest population of the highest photon number, >= 1e-12 and < 1.
        max_memory: memory that may be taken, in GiB; it grows as :math:`(N+1)^2` photons².
        progress: None for a bar on a terminal only; it counts applications of L.

    Returns:
        Dataset without time: the variables of :func:`opendicke.solve`, and the spin's density matrix ``rho_spin`` on
        the Dicke states |j, j−n>. ``attrs`` hold cutoff, residual :math:`\|L\rho\|/\|\rho\|` and provenance.

    Raises:
        ValueError, TypeError: for a model without a unique steady state; for ``photons`` too small, naming one to
            try; for a problem that needs more than ``max_memory``.
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
    """
    _check_model(model)
    bound = _check_bound(max_top_population)
    cutoff = _first_cutoff(model) if photons is None else checks.integer("photons", photons, minimum=1)
    guess: NDArray[np.complex128] | None = None
    while True:
        sector, (mode,) = _modes(model, cutoff, "even", 1, guess, max_memory, progress)
        rho = sector.density_matrix(mode.vector.real)
        rho /= np.einsum("nfnf->", rho)
        top = float(np.einsum("nn->", rho[:, -1, :, -1]).real)
        if top <= bound:
            break
        if photons is not None:
            expected = f"a cutoff whose top level stays below max_top_population = {bound:g}"
            hint = f"Try photons={_next_cutoff(cutoff)}, or photons=None to have it chosen."
            raise checks.refuse("photons", expected, f"{cutoff} (population {top:.1e})", hint)
        more = _next_cutoff(cutoff) - cutoff
        guess = np.pad(rho, ((0, 0), (0, more), (0, 0), (0, more)))
        cutoff += more
    names = tuple(VARIABLES)
    values = from_channels(names, channels_of(rho))
    data: dict[str, Any] = {
        name: ((), values[name], {"definition": VARIABLES[name].definition, "units": "1"}) for name in names
    }
    about = {"definition": "density matrix of the spin, <j, j - n| rho |j, j - n_prime>", "units": "1"}
    data["rho_spin"] = (("n", "n_prime"), np.einsum("nfmf->nm", rho), about)
    attrs = {"photons": cutoff, "top_population": top, "residual": mode.residual}
    return xr.Dataset(data, attrs=_provenance(model) | attrs)


def liouvillian_spectrum(
    model: DickeModel,
    photons: int | None = None,
    k: int = 6,
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
        k: eigenvalues in each sector, 1 to 10. The first of the even sector is 0, the steady state's.

    Returns:
        Dataset with dimensions ``parity`` ("even", "odd") and ``mode``: complex ``eigenvalue``, nearest to 0 first,
        and ``residual``; ``gap`` of each sector, the smallest decay rate :math:`-\mathrm{Re}\,\lambda` among the k,
        without the steady state (NaN where there is none). Modes that oscillate fast and decay slowly are far from 0:
        a larger k finds them.

    Raises:
        ValueError, TypeError, RuntimeError: as for :func:`steady_state`.

    >>> import opendicke as od
    >>> model = od.DickeModel.tavis_cummings(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.3)
    >>> spectrum = liouvillian_spectrum(model, k=2)  # one excitation: amplitudes decay at κ/2 - √(κ²/4 - g²) = 0.1
    >>> spectrum.gap.values.round(6)
    array([0.2, 0.1])
    """
    wanted = checks.integer("k", k, minimum=1)
    if wanted > CAPACITY // 3:
        raise checks.refuse("k", f"an integer <= {CAPACITY // 3}", k)
    options: dict[str, Any] = {"max_memory": max_memory, "progress": progress}
    found = steady_state(model, photons, max_top_population=max_top_population, **options)
    cutoff = found.attrs["photons"]
    parities = ("even", "odd")
    modes = [_modes(model, cutoff, parity, wanted, None, max_memory, progress)[1] for parity in parities]
    eigenvalues = np.array([[mode.eigenvalue for mode in sector] for sector in modes])
    residuals = np.array([[mode.residual for mode in sector] for sector in modes])
    decaying = (-eigenvalues[0, 1:].real, -eigenvalues[1].real)
    gaps = [float(rates.min()) if rates.size else math.nan for rates in decaying]
    rate = "unit of the model's rates"
    data = {
        "eigenvalue": (("parity", "mode"), eigenvalues, {"definition": "L X = eigenvalue X", "units": rate}),
        "residual": (("parity", "mode"), residuals, {"definition": "norm of L X - eigenvalue X", "units": rate}),
        "gap": (("parity",), gaps, {"definition": "smallest decay rate, steady state left out", "units": rate}),
    }
    attrs = _provenance(model) | {"photons": cutoff, "top_population": found.attrs["top_population"]}
    return xr.Dataset(data, {"parity": list(parities), "mode": np.arange(wanted)}, attrs)


def _modes(
    model: DickeModel,
    photons: int,
    parity: str,
    count: int,
    guess: NDArray[np.complex128] | None,
    max_memory: float,
    progress: Progress | bool | None,
) -> tuple[Sector, list[Mode]]:
    """The modes of one sector nearest to 0."""
    _check_memory(model.n_atoms, photons, max_memory)
    shift = SHIFT * model.kappa
    sector = Sector(model, photons, parity)
    inverse = Resolvent(sector, shift)
    start = inverse(np.random.default_rng(0).standard_normal(sector.size)) if guess is None else sector.vector(guess)
    bar = meter(progress)
    bar.start(0, "step", f"{parity} modes, {photons} photons")

    def advance(steps: int, residual: float) -> None:
        bar.advance(steps, residual=f"{residual:.1e}")

    try:
        return sector, modes_near(
            sector, inverse, shift, start, count, tolerance=TOLERANCE * model.kappa, report=advance
        )
    except NotConverged as problem:
        raise RuntimeError(f"the {parity} modes of {model} with {photons} photons: {problem}") from problem
    finally:
        bar.close()


def memory_needed(n_atoms: int, photons: int) -> float:
    """Bytes that a steady state takes."""
    total = float((n_atoms + 1) * (photons + 1)) ** 2
    return 8 * (total / 2) * (2 * CAPACITY + OTHER_VECTORS) + 16 * total


def _check_memory(n_atoms: int, photons: int, max_memory: float) -> None:
    allowed = checks.real("max_memory", max_memory, above=0.0)
    needed = memory_needed(n_atoms, photons) / 2**30
    if needed > allowed:
        raise ValueError(
            f"n_atoms: the steady state of {n_atoms} atoms with up to {photons} photons needs {needed:.3g} GiB, more "
            f"than max_memory = {allowed:g} GiB. Use NuHOPS for long times, whose cost does not grow with N."
        )


def _check_bound(max_top_population: float) -> float:
    bound = checks.real("max_top_population", max_top_population, above=0.0)
    if not 1e-12 <= bound < 1:
        expected = "a number >= 1e-12 (less is lost in rounding) and < 1"
        raise checks.refuse("max_top_population", expected, max_top_population)
    return bound


def _check_model(model: DickeModel) -> None:
    """Refuse what conserves a quantity and so has many steady states."""
    if not isinstance(model, DickeModel):
        raise checks.refuse("model", "an opendicke.DickeModel", model, error=TypeError)
    hint = "Its long-time state depends on where it starts: use solve()."
    if model.kappa == 0:
        raise checks.refuse("kappa", "a number > 0 for a unique steady state", model.kappa, hint)
    couplings = (model.g_minus, model.g_plus)
    if couplings == (0, 0):
        raise checks.refuse("g_minus, g_plus", "a coupling for a unique steady state", couplings, hint)
    if model.omega_a == 0 and abs(model.g_minus) == abs(model.g_plus):
        expected = "a number other than 0 for a unique steady state, as |g_minus| = |g_plus|"
        raise checks.refuse("omega_a", expected, model.omega_a, hint)


def _first_cutoff(model: DickeModel) -> int:
    """A coherent state as large as the largest mean-field solution, critical fluctuations, and room for the tail."""
    largest = max((model.n_atoms * abs(point.beta) ** 2 for point in fixed_points(model)), default=0.0)
    return math.ceil(largest + 6 * math.sqrt(largest + math.sqrt(model.n_atoms))) + 4


def _next_cutoff(photons: int) -> int:
    return photons + max(4, photons // 5)


def _provenance(model: DickeModel) -> dict[str, Any]:
    versions = {"opendicke": version()} | {name: metadata.version(name) for name in ("numpy", "scipy", "xarray")}
    return {
        "model": json.dumps(dataclasses.asdict(model)),
        "versions": json.dumps(versions | {"python": platform.python_version()}),
        "conventions": "hbar = 1; kappa is the field decay rate (the photon number decays at 2 kappa)",
    }
