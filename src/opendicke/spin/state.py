r"""The state of the spin alone, from the spin states that :func:`opendicke.solve` kept.

Both kinds of answer are accepted wherever a state is wanted: trajectories, ``NuHOPS(..., keep_states=times)``, whose
average :math:`\rho = \mathrm{E}\,|\psi\rangle\langle\psi|` has a statistical error, and the density matrix itself,
``Lindblad(keep_states=times)``.

Quantities that are not linear in ρ are biased when ρ is an average over finitely many trajectories. Their bias is
removed, and their standard error found, by leaving out one group of trajectories at a time
(:mod:`opendicke.moments.jackknife`); :func:`opendicke.analysis.interval` makes 95 % intervals of them.

These answers and all that is made of them have the dimension ``state_time``, the few of the answer's ``time`` at which
states were kept, with the same values: ``answer.Sz.sel(time=found.state_time)`` is <S^z> at the times of ``found``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke import checks
from opendicke.moments.jackknife import Estimate, jackknife_samples, leave_one_out, sample_groups

#: Directions of the span of all trajectories' states with less weight than this in ρ are rounding noise.
NO_DIRECTION = 1e-14

#: What times of states are chosen from, in messages.
KEPT = "the times whose states were kept"

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
        TypeError, ValueError: if the dataset holds no states, or none at ``time``.
    """
    at = int(checks.among("time", time, state_times(dataset), KEPT)[0])
    n_atoms = checks.dataset_atoms(dataset)
    if not dataset.state_time.dims:  # one of them was selected
        dataset = dataset.expand_dims("state_time")
    if "psi" in dataset:
        own = held_trajectories(dataset)
        psi = dataset.psi.transpose("trajectory", "state_time", "n").values[own, at, : n_atoms + 1]
        frames = dataset.psi_frame.transpose("trajectory", "state_time", "axis", "component").values[own, at]
        weights = np.full(psi.shape[0], 1.0 / psi.shape[0])
        return PureStates(n_atoms, psi, np.ascontiguousarray(frames), weights, sampled=True)
    rho = dataset.rho_spin.transpose("state_time", "n", "n_prime").values[at]
    weights, vectors = np.linalg.eigh(rho)
    held = weights > 0  # rounding leaves eigenvalues of −1e-17
    frames = np.broadcast_to(np.eye(3), (int(held.sum()), 3, 3)).copy()
    kept = weights[held] / weights[held].sum()
    return PureStates(n_atoms, np.ascontiguousarray(vectors.T[held]), frames, kept, sampled=False)


def held_trajectories(dataset: xr.Dataset) -> NDArray[np.intp]:
    """Which of the trajectories have states: at a point of a sweep some may be NaN, which other points have.

    Raises:
        ValueError: for several points of a sweep, or one without states.
    """
    if extra := [str(dim) for dim in dataset.psi.dims if dim not in ("trajectory", "state_time", "n")]:
        hint = f"Choose one, e.g. result.isel({extra[0]}=0)."
        raise checks.refuse("dataset", "the states of one point of a sweep", f"one over {', '.join(extra)}", hint)
    found = dataset.psi_frame.notnull().all([dim for dim in dataset.psi_frame.dims if dim != "trajectory"])
    if not found.any():
        raise checks.refuse("dataset", "a point of the sweep that is begun", "one without any trajectory")
    return np.flatnonzero(found.values)


@dataclass(frozen=True)
class SpinState:
    r"""A density matrix of the spin as a sum over samples, on an orthonormal basis of their span.

    Attributes:
        n_atoms: N.
        basis: columns are orthonormal vectors of amplitudes on |j, m = j−n> along z: shape (N+1, rank).
        amplitudes: of the samples' states on ``basis``, shape (samples, parts, rank): each sample is the sum of its
            parts' projectors, of unit trace. Parity-symmetrised samples have two parts, others one.
        weights: of the samples, summing to one: shape (samples,).
        sampled: whether the samples are random trajectories.
    """

    n_atoms: int
    basis: NDArray[np.complex128]
    amplitudes: NDArray[np.complex128]
    weights: NDArray[np.float64]
    sampled: bool

    def matrix(self, held: NDArray[np.bool_] | None = None) -> NDArray[np.complex128]:
        """ρ on ``basis``, shape (rank, rank), from all samples or the ones ``held``, with unit trace."""
        amplitudes, weights = (
            (self.amplitudes, self.weights) if held is None else (self.amplitudes[held], self.weights[held])
        )
        columns = (amplitudes * np.sqrt(weights / weights.sum())[:, None, None]).reshape(-1, self.basis.shape[1])
        product: NDArray[np.complex128] = columns.T @ columns.conj()
        return product

    def eigenstates(self) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
        """Eigenvalues of ρ, largest first, and its eigenvectors as columns in the Dicke basis, (N+1, rank)."""
        values, vectors = np.linalg.eigh(self.matrix())
        return np.maximum(values[::-1], 0.0), self.basis @ vectors[:, ::-1]

    def dense(self) -> NDArray[np.complex128]:
        """ρ in the Dicke basis, all-up first: shape (N+1, N+1)."""
        matrix: NDArray[np.complex128] = self.basis @ self.matrix() @ self.basis.conj().T
        return matrix

    def to_qutip(self) -> Any:
        """ρ as a ``qutip.Qobj`` on the basis of ``qutip.jmat(N/2)``; needs QuTiP."""
        import qutip

        return qutip.Qobj(self.dense())


def spin_state(dataset: xr.Dataset, time: float, *, parity: bool = False) -> SpinState:
    r"""The spin's density matrix at one of the times kept, in the Dicke basis of the laboratory.

    .. math:: \rho = \mathrm E\,|\psi\rangle\langle\psi|,\qquad
              \text{with parity: }\ \tfrac12(\rho + \Pi\rho\Pi),\quad \Pi\,|j, j-n\rangle = (-1)^n |j, j-n\rangle

    Memory grows as N² + N × trajectories, time as N² × trajectories: up to N of a few thousand.

    Args:
        dataset: an answer of :func:`opendicke.solve` with ``keep_states``.
        time: one of its ``state_time``, in units of one over the model's rates.
        parity: average over :math:`(S^x, S^y) \to -(S^x, S^y)`. Halves the noise where the problem has this symmetry,
            that is for initial states at a pole with an empty cavity; otherwise it answers another question.

    Raises:
        TypeError, ValueError: if the dataset holds no states, or none at ``time``.

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=3, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.0)
    >>> answer = od.solve(model, od.Normal(), [0.0], od.NuHOPS(trajectories=4, keep_states=(0.0,)))
    >>> spin_state(answer, 0.0).dense().real.round(6).diagonal()
    array([0., 0., 0., 1.])
    """
    return mixture(pure_states(dataset, time), parity=parity)


def mixture(states: PureStates, *, parity: bool = False) -> SpinState:
    """The density matrix that pure states add up to; see :func:`spin_state`."""
    lab = rotate_to_lab(states.n_atoms, states.psi, states.frames)[:, None, :]
    if parity:
        even = np.arange(states.n_atoms + 1) % 2 == 0
        lab = np.concatenate([np.where(even, lab, 0), np.where(even, 0, lab)], axis=1)
    columns = (lab * np.sqrt(states.weights)[:, None, None]).reshape(-1, states.n_atoms + 1)
    if columns.shape[0] > states.n_atoms:
        basis = np.eye(states.n_atoms + 1, dtype=np.complex128)
        return SpinState(states.n_atoms, basis, lab, states.weights, states.sampled)
    _, sizes, rows = np.linalg.svd(columns, full_matrices=False)
    basis = np.ascontiguousarray(rows[sizes**2 > NO_DIRECTION].T)
    return SpinState(states.n_atoms, basis, lab @ basis.conj(), states.weights, states.sampled)


def mixedness(
    dataset: xr.Dataset, times: Sequence[float] | None = None, *, parity: bool = False, batches: int = 16
) -> xr.Dataset:
    r"""Purity and von Neumann entropy of the spin.

    .. math:: P = \mathrm{Tr}\,\rho^2,\qquad S = -\mathrm{Tr}\,\rho\ln\rho

    From trajectories, the purity is the mean of :math:`|\langle\psi_i|\psi_j\rangle|^2` over pairs of different
    trajectories, which is unbiased. The entropy's bias of order 1/trajectories is removed; what is left is small only
    if the trajectories are many more than the eigenvalues that matter, :math:`e^S`.

    Args:
        dataset: an answer of :func:`opendicke.solve` with ``keep_states``.
        times: some of its ``state_time``; None for all.
        parity: symmetrise first, see :func:`spin_state`.
        batches: groups of trajectories for the error bars, >= 2.

    Returns:
        Dataset over state_time, the times of ``keep_states``, with ``purity``, ``entropy`` (natural units) and, if
        sampled, ``purity_sem``, ``entropy_sem`` and ``entropy_uncorrected`` (biased downwards).

    Raises:
        TypeError, ValueError: if the dataset holds no states, none at one of ``times``, or fewer than two
            trajectories.
    """

    checks.flag("parity", parity)

    def row(time: float) -> dict[str, Any]:
        state = spin_state(dataset, time, parity=parity)
        if not state.sampled:
            matrix = state.matrix()
            return {"purity": float(np.sum(np.abs(matrix) ** 2)), "entropy": _entropy(matrix)}
        entropy = jackknife_samples(len(state.weights), batches, lambda held: _entropy(state.matrix(held)))
        return {"purity": _pair_purity(state), "entropy": entropy}

    definitions = {"purity": "Tr rho^2 of the spin", "entropy": "-Tr rho ln rho of the spin"}
    return tabulate(dataset, times, row, definitions)


def _entropy(matrix: NDArray[np.complex128]) -> float:
    values = np.linalg.eigvalsh(matrix)
    values = values[values > 0]
    return float(-np.sum(values * np.log(values)))


def _pair_purity(state: SpinState) -> Estimate:
    r"""The mean of Tr ρ_i ρ_j over pairs of samples, and its error: the jackknife over single samples.

    .. math:: \sum_{j\ne i}\mathrm{Tr}\,\rho_i\rho_j = n\,\mathrm{Tr}\,\rho_i\hat\rho - \mathrm{Tr}\,\rho_i^2

    needs the mean state only and no overlap of any two samples.
    """
    count = sample_groups(len(state.weights), 2).size
    parts = state.amplitudes
    overlaps = np.einsum("spa,spa->s", parts.conj(), parts @ state.matrix().T).real
    own = np.sum(np.abs(parts.conj() @ parts.transpose(0, 2, 1)) ** 2, axis=(1, 2))
    others = count * overlaps - own
    purity = np.asarray(others.sum() / (count * (count - 1)))
    error: NDArray[np.float64] | None = np.asarray(np.nan)
    if count > 2:
        without = (others.sum() - 2 * others) / ((count - 1) * (count - 2))
        error = leave_one_out(purity, without, np.ones(count, dtype=np.int64)).error
    return Estimate(purity, purity, error, count - 1)  # without bias as it is


def tabulate(
    dataset: xr.Dataset,
    times: Sequence[float] | None,
    row: Callable[[float], dict[str, Any]],
    definitions: dict[str, str],
    dims: dict[str, tuple[str, ...]] | None = None,
) -> xr.Dataset:
    """One row of numbers for each time, labelled; an Estimate becomes ``<name>``, ``_sem`` and ``_uncorrected``."""
    chosen = chosen_times(dataset, times)
    rows = [row(float(time)) for time in chosen]
    data: dict[str, Any] = {}

    def put(name: str, of: str, values: list[Any], note: str = "", **attrs: float) -> None:
        about = {"definition": note + definitions[of], "units": "1"} | attrs
        data[name] = (("state_time", *(dims or {}).get(of, ())), np.array(values), about)

    for name, first in rows[0].items():
        found = [one[name] for one in rows]
        if not isinstance(first, Estimate):
            put(name, name, found)
            continue
        put(name, name, [one.value for one in found])
        errors = [one.error for one in found]
        put(f"{name}_sem", name, errors, "standard error of ", degrees_of_freedom=first.degrees)
        plain = [one.uncorrected for one in found]
        if first.uncorrected is not first.value:
            put(f"{name}_uncorrected", name, plain, "with its bias from finitely many trajectories: ")
    coords = place_of(dataset) | {"state_time": state_time_of(dataset, chosen)}
    return xr.Dataset(data, coords, dict(dataset.attrs))


def state_times(dataset: xr.Dataset) -> NDArray[np.float64]:
    """The times at which ``dataset`` holds spin states.

    Raises:
        TypeError: if it is not an answer of ``opendicke.solve``.
        ValueError: if it holds none.
    """
    checks.dataset_model(dataset)
    if "state_time" not in dataset.coords or not ("psi" in dataset or "rho_spin" in dataset):
        hint = "Solve with keep_states=(...), times at which the states are kept."
        if "rho_spin" in dataset and "state_time" not in dataset.dims:
            hint = "A steady state has no time: give it one, dataset.expand_dims(state_time=[0.0])."
        got = f"one with {', '.join(map(str, dataset.data_vars))}"
        raise checks.refuse("dataset", "an answer of NuHOPS or Lindblad that holds spin states", got, hint)
    times: NDArray[np.float64] = np.atleast_1d(np.asarray(dataset.state_time.values, dtype=np.float64))
    return times


def chosen_times(dataset: xr.Dataset, times: Sequence[float] | None) -> NDArray[np.float64]:
    """Those of ``dataset``'s times of states that are asked for; all of them for None."""
    kept = state_times(dataset)
    return kept if times is None else kept[checks.among("times", times, kept, KEPT)]


def state_time_of(dataset: xr.Dataset, times: NDArray[np.float64]) -> tuple[str, NDArray[np.float64], dict[str, Any]]:
    """The coordinate ``state_time`` of what follows from the states of ``dataset`` at ``times``."""
    return "state_time", times, dict(dataset.state_time.attrs)


def place_of(dataset: xr.Dataset) -> dict[Hashable, xr.DataArray]:
    """The coordinates of a point of a sweep; none of another answer."""
    return {name: at for name, at in dataset.coords.items() if not at.dims and name not in ("time", "state_time")}


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


def apply_spin(n_atoms: int, psi: NDArray[np.complex128]) -> NDArray[np.complex128]:
    r"""S^x, S^y and S^z on amplitudes of |j, j−n>.

    Args:
        n_atoms: N.
        psi: shape (..., n).

    Returns:
        shape (..., 3, n + 1): the spin raises n by one at most, and never beyond N.

    >>> apply_spin(2, np.array([1.0 + 0j]))[..., 0, :].round(6) + 0.0
    array([0.      +0.j, 0.707107+0.j])
    """
    n = np.arange(psi.shape[-1] + 1)
    padded = np.concatenate([psi, np.zeros((*psi.shape[:-1], 1))], axis=-1)
    root = np.sqrt(np.maximum(n * (n_atoms - n + 1.0), 0.0))
    raised, lowered = np.zeros_like(padded), np.zeros_like(padded)
    raised[..., :-1] = root[1:] * padded[..., 1:]
    lowered[..., 1:] = root[1:] * padded[..., :-1]
    return np.stack([(raised + lowered) / 2, (raised - lowered) / 2j, (n_atoms / 2 - n) * padded], axis=-2)


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
