"""The energy levels of closed Dicke models, by parity, and the ground state."""

from __future__ import annotations

import json
import math
import platform
from importlib import metadata
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke import checks
from opendicke.master.density import RHO_SPIN
from opendicke.master.liouvillian import Operators
from opendicke.master.pure import Moments
from opendicke.methods.cutoffs import next_cutoff
from opendicke.model import DickeModel, check_model
from opendicke.observables.catalogue import VARIABLES, channel_words, channels_from_means, from_channels
from opendicke.system import fastest_rate
from opendicke.version import version

Real = NDArray[np.float64]

PARITIES = ("even", "odd")
#: Sectors up to this size are diagonalised whole, and larger ones if more than this part of the levels is wanted.
DENSE, MUCH = 600, 0.05
#: What the difference between two cutoffs is multiplied with to make an error: the second is not exact either.
SAFETY = 3.0
#: Rounding of an eigenvalue, in units of the largest element of H.
ROUNDING = 1e-13
#: Bytes for each element of a matrix that is diagonalised, and for each state of a sector otherwise.
BYTES_DENSE, BYTES_SPARSE = 32, 600


class Levels:
    """Eigenstates of H in both sectors, at one cutoff.

    Attributes:
        energies: of each sector, lowest first, shape (levels,).
        states: columns, shape (states of the sector, levels); none if they are not asked for.
        kept: the states of each sector among all |j, j−n>|f>, at n F + f.
    """

    def __init__(self, model: DickeModel, photons: int, k: int, *, vectors: bool) -> None:
        matrix = Operators.of(model, photons).hamiltonian
        n, f = np.divmod(np.arange(matrix.shape[0]), photons + 1)
        excitations = model.n_atoms - n + f
        self.largest = float(abs(matrix.data).max(initial=0.0))
        self.photons, self.kept = photons, [np.flatnonzero(excitations % 2 == parity) for parity in (0, 1)]
        found = [_lowest(matrix[kept][:, kept], k, vectors) for kept in self.kept]
        self.energies = [energies for energies, _ in found]
        self.states = [states for _, states in found]


def _lowest(matrix: Any, k: int, vectors: bool) -> tuple[Real, Real]:
    """The k lowest eigenvalues of a sparse matrix, and their eigenvectors if asked for."""
    size = matrix.shape[0]
    k = min(k, size)
    if size <= DENSE or k > MUCH * size:
        from scipy.linalg import eigh

        options: dict[str, Any] = {} if k == size else {"subset_by_index": (0, k - 1)}
        if vectors:
            energies, states = eigh(matrix.toarray(), **options)
            return energies, states
        return eigh(matrix.toarray(), eigvals_only=True, **options), np.empty((size, 0))
    from scipy.sparse.linalg import eigsh

    start = np.random.default_rng(0).standard_normal(size)
    energies, states = eigsh(matrix, k, which="SA", v0=start, ncv=max(40, 3 * k))
    order = np.argsort(energies)
    return energies[order], states[:, order]


def energy_levels(
    model: DickeModel,
    k: int = 10,
    photons: int | None = None,
    *,
    tolerance: float = 1e-8,
    max_memory: float = 4.0,
) -> xr.Dataset:
    r"""The k lowest energies of a closed model in each sector of parity.

    .. math:: H|\psi\rangle = E|\psi\rangle,\qquad
              P|\psi\rangle = \pm|\psi\rangle,\qquad P = (-1)^{a^\dagger a + S^z + N/2}

    Args:
        model: everyday, with κ = 0.
        k: levels in each sector, >= 1.
        photons: highest photon number kept, >= 1; None raises it until all errors are below ``tolerance``.
        tolerance: largest error of an energy, in units of the model's fastest rate, >= 1e-12.
        max_memory: memory that may be taken, in GiB.

    Returns:
        Dataset with dimensions ``parity`` ("even", "odd") and ``level``: ``energy``, lowest first, and ``error``, three
        times the difference to a second run with more photons, and rounding. ``attrs`` hold ``photons``, those of the
        second run, whose energies are given, and provenance.

    Raises:
        ValueError, TypeError: for a model that is not everyday, κ > 0, ω_c <= 0 (no energy is the lowest), or an
            argument out of range; for more memory than ``max_memory``.

    Source: C. Emary and T. Brandes, Phys. Rev. E 67, 066203 (2003).

    >>> import opendicke as od
    >>> model = od.DickeModel.tavis_cummings(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=0.2)
    >>> energy_levels(model, k=2).energy.values.round(6)  # (n + 1/2) ± g √(n + 1), and the state without excitations
    array([[-0.5     ,  1.217157],
           [ 0.3     ,  0.7     ]])
    """
    found, errors = _converged(model, k, photons, tolerance, max_memory, vectors=False)
    size = min(map(len, errors))
    energies = np.array([one[:size] for one in found.energies])
    rate = "unit of the model's rates"
    data = {
        "energy": (("parity", "level"), energies, {"definition": "H psi = energy psi", "units": rate}),
        "error": (
            ("parity", "level"),
            np.array([one[:size] for one in errors]),
            {"definition": "estimated error of the energy", "units": rate},
        ),
    }
    coords = {"parity": list(PARITIES), "level": np.arange(size)}
    return xr.Dataset(data, coords, _provenance(model, found))


def ground_state(
    model: DickeModel, photons: int | None = None, *, tolerance: float = 1e-8, max_memory: float = 4.0
) -> xr.Dataset:
    r"""The ground state of a closed model: its energy, all variables, and the gap above it.

    Args:
        model, photons, tolerance, max_memory: as for :func:`energy_levels`.

    Returns:
        Dataset without time: the variables of :func:`opendicke.solve` in the ground state, ``energy``, ``parity``,
        ``rho_spin`` (the spin's density matrix on |j, j−n>), and ``gap``, to the next level of the same or the other
        parity: above threshold that is the splitting of the two lowest states, exponentially small in N, in whose sum
        and difference the symmetry is broken. Of energies ``attrs["error"]`` is an estimate of the error.

    Raises:
        ValueError, TypeError: as for :func:`energy_levels`.

    Source: C. Emary and T. Brandes, Phys. Rev. E 67, 066203 (2003).

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=20, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=0.5)
    >>> state = ground_state(model)
    >>> state.parity.item(), round(state.energy.item(), 4), round(state.gap.item(), 4)
    ('even', -10.0339, 0.71)
    """
    found, errors = _converged(model, 2, photons, tolerance, max_memory, vectors=True)
    lowest = [float(one[0]) for one in found.energies]
    sector = int(np.argmin(lowest))
    others = [lowest[1 - sector], *found.energies[sector][1:2].tolist()]
    error = float(max(one.max() for one in errors))
    flat = np.zeros((model.n_atoms + 1) * (found.photons + 1), dtype=np.complex128)
    flat[found.kept[sector]] = found.states[sector][:, 0]
    psi = flat.reshape(model.n_atoms + 1, -1)
    moments = Moments((model.n_atoms,), psi, (0.0,))
    channels = channels_from_means({name: moments.mean(word) for name, word in channel_words(0, 0).items()})
    rate = "unit of the model's rates"
    data: dict[str, Any] = {
        name: ((), value, {"definition": VARIABLES[name].definition, "units": "1"})
        for name, value in from_channels(tuple(VARIABLES), channels).items()
    }
    data["energy"] = ((), lowest[sector], {"definition": "lowest energy", "units": rate, "error": error})
    about = {"definition": "distance of the next level of either parity", "units": rate, "error": 2 * error}
    data["gap"] = ((), min(others) - lowest[sector], about)
    data["parity"] = ((), PARITIES[sector], {"definition": "(-1)^(a†a + S^z + N/2) of the ground state"})
    data["rho_spin"] = (("n", "n_prime"), psi @ psi.conj().T, RHO_SPIN)
    return xr.Dataset(data, attrs=_provenance(model, found))


def _converged(
    model: DickeModel, k: int, photons: int | None, tolerance: float, max_memory: float, *, vectors: bool
) -> tuple[Levels, list[Real]]:
    """The levels at a cutoff at which they are right, or at one that is given, and their errors."""
    k = checks.integer("k", k, minimum=1)
    check_model(model, "energy levels")
    if model.kappa > 0:
        hint = "Levels are those of closed systems: model.replace(kappa=0.0)."
        raise checks.refuse("kappa", "0", model.kappa, hint)
    if model.omega_c <= 0:
        raise checks.refuse("omega_c", "a number > 0, or there is no lowest energy", model.omega_c)
    bound = checks.real("tolerance", tolerance, minimum=1e-12) * fastest_rate(model.system)
    memory = checks.real("max_memory", max_memory, above=0.0)
    cutoff = _first(model, k) if photons is None else checks.integer("photons", photons, minimum=1)
    before = _levels(model, cutoff, k, memory, vectors=False)
    while True:
        cutoff = next_cutoff(cutoff)
        now = _levels(model, cutoff, k, memory, vectors=vectors)
        errors = [
            SAFETY * np.abs(one - other[: len(one)]) + ROUNDING * now.largest
            for one, other in zip(before.energies, now.energies, strict=True)
        ]
        enough = min(map(len, errors)) >= min(k, 2)
        if photons is not None or (enough and max(float(one.max()) for one in errors) <= max(bound, 0.0)):
            return now, errors
        before = now


def _levels(model: DickeModel, photons: int, k: int, max_memory: float, *, vectors: bool) -> Levels:
    """The levels at one cutoff, if there is memory for them."""
    size = (model.n_atoms + 1.0) * (photons + 1) / 2
    dense = size <= DENSE or k > MUCH * size
    needed = (BYTES_DENSE * size**2 if dense else (BYTES_SPARSE + 8 * max(40, 3 * k)) * size) / 2**30
    if needed > max_memory:
        expected = f"fewer atoms, levels or photons, or more than max_memory = {max_memory:g} GiB"
        raise checks.refuse("n_atoms", expected, f"{model.n_atoms} with {photons} photons: {needed:.3g} GiB")
    return Levels(model, photons, k, vectors=vectors)


def _first(model: DickeModel, k: int) -> int:
    """A first cutoff: room for the field that lowers the energy most, and for as many levels."""
    coupling, w = abs(model.g_minus) + abs(model.g_plus), abs(model.omega_c)
    field = coupling * math.sqrt(model.n_atoms) / (2 * w) if w > 0 else 1.0
    spare = math.ceil(2 * k / (model.n_atoms + 1))
    return math.ceil(min(field, 1e3) ** 2 + 4 * min(field, 1e3)) + 6 + spare


def _provenance(model: DickeModel, found: Levels) -> dict[str, Any]:
    versions = {"opendicke": version()} | {name: metadata.version(name) for name in ("numpy", "scipy", "xarray")}
    return {
        "model": model.json(),
        "versions": json.dumps(versions | {"python": platform.python_version()}),
        "conventions": "hbar = 1; energies are of H, without the zero point of the mode",
        "photons": found.photons,
    }
