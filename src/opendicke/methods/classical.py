"""What mean field and truncated Wigner share: the rates of a system as arrays, how fast spins turn, and channels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opendicke import signals
from opendicke.engine.system_flow import SpinRates
from opendicke.observables.catalogue import CHANNELS
from opendicke.signals import ComplexRate
from opendicke.system import System


def spin_rates(system: System, times: ArrayLike) -> SpinRates:
    """What moves the spins at ``times``."""
    root = math.sqrt(system.n_ref)
    couplings = [
        np.stack([_stacked(row, times) for row in rows], axis=-2).astype(np.complex128) / root
        for rows in (system.g_minus, system.g_plus)
    ]
    push = _stacked((spin.atom_drive for spin in system.spins), times).astype(np.complex128)
    return SpinRates(_stacked((spin.omega_a for spin in system.spins), times).astype(np.float64), push, *couplings)


def field_rates(system: System, times: ArrayLike) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """κ + iω_c and −iη at ``times``: (..., modes) each."""
    kappa, omega_c, eta = (
        _stacked((getattr(mode, name) for mode in system.modes), times) for name in ("kappa", "omega_c", "drive")
    )
    return kappa + 1j * omega_c, -1j * eta


def _stacked(rates: Iterable[ComplexRate], times: ArrayLike) -> NDArray[Any]:
    return np.stack([signals.evaluate(rate, times) for rate in rates], axis=-1)


def turning(system: System, fields: Sequence[float]) -> float:
    r"""A bound on the rate at which fields of these sizes turn the spins.

    .. math:: \max_i\frac{2}{\sqrt{N_\mathrm{ref}}}\sum_m(|g_{-,im}| + |g_{+,im}|)|\alpha_m|
    """
    return 2 * float((coupling_sizes(system) @ np.asarray(fields)).max())


def coupling_sizes(system: System) -> NDArray[np.float64]:
    """The largest (|g₋| + |g₊|)/√N_ref: (spins, modes)."""
    minus, plus = (
        np.array([[signals.largest(rate) for rate in row] for row in rows]) for rows in (system.g_minus, system.g_plus)
    )
    found: NDArray[np.float64] = (minus + plus) / math.sqrt(system.n_ref)
    return found


def products(
    spin: NDArray[np.float64], a: NDArray[np.complex128], photons: NDArray[np.float64], pairs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Channels of points of phase space: what spin (..., 3) and a (...), which may have other axes, multiply to.

    ``photons`` and ``pairs`` are what stands for a†a and a†²a². Products of spins are meant symmetrised.
    """
    x, y, z = np.moveaxis(spin, -1, 0)
    found: dict[str, NDArray[Any]] = {"Sx": x, "Sy": y, "Sz": z}
    found |= {"Sxx": x * x, "Syy": y * y, "Szz": z * z, "Sxy": x * y, "Syz": y * z, "Szx": z * x}
    found |= {"n_photon": photons, "n_photon2": pairs}
    for name, value in {"a": a, "a2": a * a, "Sx_a": x * a, "Sy_a": y * a, "Sz_a": z * a}.items():
        found |= {f"re_{name}": value.real, f"im_{name}": value.imag}
    return np.stack(np.broadcast_arrays(*(found[name] for name in CHANNELS)), axis=-1)
