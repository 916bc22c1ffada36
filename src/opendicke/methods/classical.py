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
from opendicke.words import Word

#: Directions of the factors of spins.
AXES = {
    "x": np.array([1, 0, 0j]),
    "y": np.array([0, 1, 0j]),
    "z": np.array([0, 0, 1 + 0j]),
    "+": np.array([1, 1j, 0]),
    "-": np.array([1, -1j, 0]),
}


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
    x, y, z = spin[..., 0], spin[..., 1], spin[..., 2]
    found: dict[str, NDArray[Any]] = {"Sx": x, "Sy": y, "Sz": z}
    found |= {"Sxx": x * x, "Syy": y * y, "Szz": z * z, "Sxy": x * y, "Syz": y * z, "Szx": z * x}
    found |= {"n_photon": photons, "n_photon2": pairs}
    for name, value in {"a": a, "a2": a * a, "Sx_a": x * a, "Sy_a": y * a, "Sz_a": z * a}.items():
        found |= {f"re_{name}": value.real, f"im_{name}": value.imag}
    # filled in place: a trajectory of truncated Wigner takes no longer than a few such arrays
    channels = np.empty((*np.broadcast_shapes(x.shape, a.shape), len(CHANNELS)))
    for at, name in enumerate(CHANNELS):
        channels[..., at] = found[name]
    return channels


def word_products(
    words: Sequence[Word], spins: NDArray[np.float64], fields: NDArray[np.complex128], *, noisy: bool = False
) -> NDArray[np.complex128]:
    r"""What words are at points of phase space: (times, words).

    Args:
        words: of any spins and modes.
        spins: (times, spins, 3).
        fields: (times, modes).
        noisy: whether the points have the noise of the Wigner function, whose averages are symmetrically ordered.
            :math:`a^{\dagger m}a^n` is then :math:`\sum_k k!\binom mk\binom nk(-\tfrac12)^k\alpha^{*m-k}\alpha^{n-k}`,
            and :math:`S_iS_j` is the product and :math:`\tfrac i2\epsilon_{ijk}S_k`.
    """
    found = np.ones((len(spins), len(words)), dtype=np.complex128)
    for at, word in enumerate(words):
        for site in {site for site, _ in word.modes}:
            raised, lowered = word.raised.count(site), word.lowered.count(site)
            found[:, at] *= _field_product(fields[:, site], raised, lowered, noisy)
        for site in {site for site, _ in word.spins}:
            axes = [AXES[factor] for factor in word.spin_factors(site)]
            found[:, at] *= _spin_product(spins[:, site], axes, noisy and not word.symmetrised)
    return found


def _field_product(a: NDArray[np.complex128], raised: int, lowered: int, noisy: bool) -> Any:
    total: Any = a.conj() ** raised * a**lowered
    for k in range(1, min(raised, lowered) + 1) if noisy else ():
        weight = math.factorial(k) * math.comb(raised, k) * math.comb(lowered, k) * (-0.5) ** k
        total = total + weight * a.conj() ** (raised - k) * a ** (lowered - k)
    return total


def _spin_product(spin: NDArray[np.float64], axes: list[Any], ordered: bool) -> Any:
    total = np.prod([spin @ axis for axis in axes], axis=0) + 0j
    if ordered and len(axes) == 2:
        total += 0.5j * (spin @ np.cross(*axes))
    return total
