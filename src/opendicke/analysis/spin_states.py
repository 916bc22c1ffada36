r"""The state of the spin alone, from the spin states that :func:`opendicke.solve` kept.

Both kinds of answer are accepted wherever a state is wanted: trajectories, ``NuHOPS(..., keep_states=times)``, whose
average :math:`\rho = \mathrm{E}\,|\psi\rangle\langle\psi|` has a statistical error, and the density matrix itself,
``Lindblad(keep_states=times)``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke import checks

#: Amplitudes at the end of a state that together have less weight are rounding noise and left out.
NO_WEIGHT = 1e-24


@dataclass(frozen=True)
class PureStates:
    """Pure spin states, each in its own frame, that add up to one density matrix.

    Attributes:
        n_atoms: N.
        psi: amplitudes on |j, m = j−n> along each frame's third row: shape (states, n).
        frames: axes e1, e2, e3 (rows) of each state, shape (states, 3, 3).
        weights: of the states in the density matrix, summing to one: shape (states,).
        sampled: whether the states are random trajectories (independent, equally distributed), so that there are
            statistical errors; otherwise they are the eigenstates of an exact density matrix.
    """

    n_atoms: int
    psi: NDArray[np.complex128]
    frames: NDArray[np.float64]
    weights: NDArray[np.float64]
    sampled: bool

    def trimmed(self, index: int) -> NDArray[np.complex128]:
        """State ``index`` without the amplitudes at its end that carry no weight."""
        beyond = np.cumsum(np.abs(self.psi[index, ::-1]) ** 2)[::-1]
        size = max(int(np.count_nonzero(beyond > NO_WEIGHT)), 1)
        return np.ascontiguousarray(self.psi[index, :size])


def pure_states(dataset: xr.Dataset, time: float) -> PureStates:
    """The pure states that make up the spin's density matrix at one of the times kept.

    Args:
        dataset: an answer of :func:`opendicke.solve` with ``keep_states``.
        time: one of its ``state_time``, in units of one over the model's rates.

    Raises:
        ValueError: if the dataset holds no states, or none at ``time``.
    """
    at = _index(dataset, time)
    n_atoms = int(json.loads(dataset.attrs["model"])["n_atoms"])
    if "psi" in dataset:
        psi = dataset.psi.transpose("trajectory", "state_time", "n").values[:, at]
        frames = dataset.psi_frame.transpose("trajectory", "state_time", "axis", "component").values[:, at]
        weights = np.full(psi.shape[0], 1.0 / psi.shape[0])
        return PureStates(n_atoms, psi, np.ascontiguousarray(frames), weights, sampled=True)
    rho = dataset.rho_spin.transpose("state_time", "n", "n_prime").values[at]
    weights, vectors = np.linalg.eigh(rho)
    held = weights > 0  # rounding leaves eigenvalues of −1e-17
    frames = np.broadcast_to(np.eye(3), (int(held.sum()), 3, 3)).copy()
    kept = weights[held] / weights[held].sum()
    return PureStates(n_atoms, np.ascontiguousarray(vectors.T[held]), frames, kept, sampled=False)


def state_times(dataset: xr.Dataset) -> NDArray[np.float64]:
    """The times at which ``dataset`` holds spin states.

    Raises:
        ValueError: if it holds none.
    """
    if "state_time" not in dataset.coords or not ("psi" in dataset or "rho_spin" in dataset):
        hint = "Solve with keep_states=(...), times at which the states are kept."
        got = f"one with {', '.join(map(str, dataset.data_vars))}"
        raise checks.refuse("dataset", "an answer of NuHOPS or Lindblad that holds spin states", got, hint)
    times: NDArray[np.float64] = np.asarray(dataset.state_time.values, dtype=np.float64)
    return times


def _index(dataset: xr.Dataset, time: float) -> int:
    times = state_times(dataset)
    wanted = checks.real("time", time)
    index = int(np.argmin(np.abs(times - wanted)))
    if not math.isclose(times[index], wanted, rel_tol=1e-9, abs_tol=1e-12):
        raise checks.refuse("time", f"one of the times whose states were kept, {times.tolist()}", wanted)
    return index


def rotate_to_lab(
    n_atoms: int, psi: NDArray[np.complex128], frames: NDArray[np.float64], chunk: int = 256
) -> NDArray[np.complex128]:
    r"""Amplitudes on |j, j−n> along z of states given along the third rows of ``frames``.

    .. math:: e^{-i\phi S^z} e^{-i\theta S^y} e^{-i\chi S^z},\qquad
              e^{-i\theta S^y} = e^{-i\frac\pi2 S^z}\, V e^{-i\theta m} V^T\, e^{i\frac\pi2 S^z}

    with the eigenvectors V of :math:`S^x`: unlike recurrences for Wigner's d, stable at any angle.

    Args:
        n_atoms: N; memory and time grow as N².
        psi: shape (states, n), n <= N+1.
        frames: shape (states, 3, 3).
        chunk: states rotated at once.

    Returns:
        shape (states, N+1); the phase common to all amplitudes of a state is arbitrary.
    """
    count, size = psi.shape
    if (frames == np.eye(3)).all():
        return np.pad(psi, ((0, 0), (0, n_atoms + 1 - size)))
    m, vectors = _x_eigenstates(n_atoms)
    n = np.arange(n_atoms + 1)
    phi, theta, chi = _euler_angles(frames)
    lab = np.empty((count, n_atoms + 1), dtype=np.complex128)
    for first in range(0, count, chunk):
        part = slice(first, first + chunk)
        turned = psi[part] * np.exp(1j * np.multiply.outer(chi[part] - np.pi / 2, n[:size]))
        along_x = _times_real(turned, vectors[:size]) * np.exp(-1j * np.multiply.outer(theta[part], m))
        lab[part] = _times_real(along_x, vectors.T) * np.exp(1j * np.multiply.outer(phi[part] + np.pi / 2, n))
    return lab


def _x_eigenstates(n_atoms: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues and eigenvectors (columns, real) of S^x."""
    from scipy.linalg import eigh_tridiagonal

    n = np.arange(n_atoms)
    _, vectors = eigh_tridiagonal(np.zeros(n_atoms + 1), 0.5 * np.sqrt((n + 1.0) * (n_atoms - n)))
    return np.arange(n_atoms + 1, dtype=np.float64) - n_atoms / 2, vectors


def _euler_angles(frames: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """φ, θ, χ with (e1, e2, e3) = R_z(φ) R_y(θ) R_z(χ) applied to (x, y, z)."""
    e1, e3 = frames[:, 0], frames[:, 2]
    theta = np.arctan2(np.hypot(e3[:, 0], e3[:, 1]), e3[:, 2])
    phi = np.arctan2(e3[:, 1], e3[:, 0])  # at a pole any φ will do: χ makes up for it
    along_theta = np.stack([np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), -np.sin(theta)], axis=-1)
    along_phi = np.stack([-np.sin(phi), np.cos(phi), np.zeros_like(phi)], axis=-1)
    chi = np.arctan2((e1 * along_phi).sum(axis=-1), (e1 * along_theta).sum(axis=-1))
    return phi, theta, chi


def _times_real(left: NDArray[np.complex128], right: NDArray[np.float64]) -> NDArray[np.complex128]:
    """left @ right without making ``right`` complex."""
    product = np.empty((left.shape[0], right.shape[1]), dtype=np.complex128)
    product.real, product.imag = left.real @ right, left.imag @ right
    return product
