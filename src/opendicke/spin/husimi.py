r"""The spin's Husimi function, at any N, without the density matrix.

Each trajectory's state is overlapped with coherent states in its own frame, where it has few amplitudes, and only at
those directions where it can have weight: with M amplitudes,
:math:`|\langle\theta,\phi|\psi\rangle|^2 \le P(n < M)`, n binomial with N trials of probability
:math:`\sin^2(\Theta/2)`, Θ the angle from the frame's third axis. Where this bound is below :data:`NEGLIGIBLE` the
trajectory is left out. Cost does not depend on N: a finer grid goes with a smaller patch.

Source: F. T. Arecchi, E. Courtens, R. Gilmore, H. Thomas, Phys. Rev. A 6, 2211 (1972).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from opendicke import checks
from opendicke.spin.state import (
    PureStates,
    chosen_times,
    held_trajectories,
    place_of,
    pure_states,
    state_time_of,
)

#: θ and φ, and the weights of an integral over each.
Axes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

#: Largest |<θ,φ|ψ>|² that is left out.
NEGLIGIBLE = 1e-12

#: Largest deviation of the integral over the sphere from one on a grid that counts as fine enough.
COARSE = 1e-3


def husimi(
    dataset: xr.Dataset,
    times: Sequence[float] | None = None,
    *,
    theta: ArrayLike | None = None,
    phi: ArrayLike | None = None,
    points_per_width: float = 3.0,
    max_memory: float = 1.0,
) -> xr.Dataset:
    r"""The spin's Husimi function on a grid of directions.

    .. math:: Q(\theta,\phi) = \frac{N+1}{4\pi}\,\langle\theta,\phi|\rho|\theta,\phi\rangle,\qquad
              \int Q\,\sin\theta\,d\theta\,d\phi = 1

    Args:
        dataset: an answer of :func:`opendicke.solve` with ``keep_states``.
        times: some of its ``state_time``, in units of one over the rates; None for all.
        theta, phi: increasing angles in radians, 0 <= theta <= π; give both, or none for the whole sphere. They may
            cover a window only.
        points_per_width: grid points per standard deviation :math:`\sqrt{2/N}` of a coherent state's Q; sets the
            grid when theta and phi are not given.
        max_memory: memory that the answer may take, in GiB.

    Returns:
        Dataset over (state_time, theta, phi) with ``Q`` (per steradian), ``Q_sem`` (standard error of Q over the
        trajectories; absent if the states are exact) and ``norm``, the integral of Q over the grid. Weights of that
        integral are the coordinates ``theta_weight`` (with :math:`\sin\theta`) and ``phi_weight``. ``state_time`` are
        the times of ``keep_states``, some of the answer's ``time``.

    Raises:
        TypeError, ValueError: for a grid that would not fit into ``max_memory`` or is too coarse to integrate Q over
            the sphere; if the dataset holds no states, or none at one of ``times``.

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=10**4, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=0.0)
    >>> start = od.solve(model, od.SpinCoherent(1.0), [0.0], od.NuHOPS(trajectories=2, keep_states=(0.0,)))
    >>> q = husimi(start, theta=[0.99, 1.0, 1.01], phi=[0.0])
    >>> (q.Q.isel(state_time=0, phi=0) * 4 * np.pi / (10**4 + 1)).values.round(4)
    array([0.7788, 1.    , 0.7788])
    """
    chosen, limit = chosen_times(dataset, times), checks.real("max_memory", max_memory, above=0.0)
    everywhere = theta is None and phi is None
    if everywhere:
        n_atoms = pure_states(dataset, chosen[0]).n_atoms
        size = _sphere_size(n_atoms, checks.real("points_per_width", points_per_width, above=0.0))
        _check_memory(dataset, chosen, size, limit)
        axes = _sphere(*size)
    else:
        axes = _window(theta, phi)
        _check_memory(dataset, chosen, (axes[0].size, axes[1].size), limit)
    values = [_accumulate(pure_states(dataset, time), axes[0], axes[1]) for time in chosen]
    result = _label(dataset, chosen, axes, values)
    worst = float(np.abs(result.norm - 1).max())
    if everywhere and worst > COARSE:
        hint = "Take a larger points_per_width."
        raise checks.refuse("points_per_width", "a grid that integrates Q to one", f"{1 - worst:.4f}", hint)
    return result


def _sphere_size(n_atoms: int, points_per_width: float) -> tuple[int, int]:
    rows = math.ceil(math.pi * points_per_width * math.sqrt(n_atoms / 2))
    return rows, 2 * rows


def _sphere(rows: int, columns: int) -> Axes:
    """θ, φ and their weights: Fejér's first rule in cos θ, exact for polynomials of degree < rows, and equal ones."""
    from scipy.fft import dct

    theta = np.pi * (np.arange(rows, dtype=np.float64) + 0.5) / rows
    phi = np.arange(columns, dtype=np.float64) * (2 * np.pi / columns)
    series = np.zeros(rows)
    even = np.arange(0, rows, 2)
    series[even] = 2 / rows / (1.0 - even.astype(float) ** 2)
    theta_weight: NDArray[np.float64] = dct(series, type=3)
    return theta, phi, theta_weight, np.full(columns, 2 * np.pi / columns)


def _window(theta: ArrayLike | None, phi: ArrayLike | None) -> Axes:
    """The caller's angles, and trapezoid weights."""
    axes = []
    for name, values in (("theta", theta), ("phi", phi)):
        if values is None:
            raise checks.refuse(name, "angles, since the other axis is given", None, "Give both theta and phi.")
        angles = np.array(values, dtype=np.float64, ndmin=1)
        if angles.ndim != 1 or angles.size == 0 or not np.isfinite(angles).all() or (np.diff(angles) <= 0).any():
            raise checks.refuse(name, "a non-empty sequence of increasing angles in radians", values)
        axes.append(angles)
    if axes[0][0] < 0 or axes[0][-1] > math.pi:
        raise checks.refuse("theta", "angles from 0 to pi", [float(axes[0][0]), float(axes[0][-1])])
    turned = axes[1][-1] - axes[1][0]
    if turned > 2 * math.pi * (1 + 1e-12):
        raise checks.refuse("phi", "at most one turn, 2 pi", turned)
    weights = _trapezoid(axes[1])
    step = turned / max(axes[1].size - 1, 1)
    if np.allclose(np.diff(axes[1]), step) and math.isclose(turned + step, 2 * math.pi, rel_tol=1e-9):
        weights = np.full(axes[1].size, step)  # evenly spaced once around
    return axes[0], axes[1], _trapezoid(axes[0]) * np.sin(axes[0]), weights


def _trapezoid(axis: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.zeros_like(axis)
    weights[:-1] += np.diff(axis) / 2
    weights[1:] += np.diff(axis) / 2
    return weights


def _check_memory(dataset: xr.Dataset, times: NDArray[np.float64], size: tuple[int, int], limit: float) -> None:
    needed = 8 * size[0] * size[1] * (2 * times.size + 2) / 2**30
    if needed <= limit:
        return
    states = pure_states(dataset, times[0])
    e3 = states.frames[:, 2]
    low, high = np.degrees(np.arccos(np.clip([e3[:, 2].max(), e3[:, 2].min()], -1, 1)))
    azimuth = math.degrees(math.atan2(*e3[:, 1::-1].mean(axis=0)))
    raise ValueError(
        f"theta, phi: expected a grid within max_memory = {limit:.3g} GiB, got {size[0]} x {size[1]} points "
        f"at {times.size} times ({needed:.3g} GiB). Pass theta and phi of a window (at the first time the "
        f"states point to theta = {low:.3g} to {high:.3g} degrees, phi = {azimuth:.3g} degrees on average), fewer "
        "times, a smaller points_per_width, or a larger max_memory."
    )


def _accumulate(
    states: PureStates, theta: NDArray[np.float64], phi: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Q and its standard error (None if the states are exact)."""
    from opendicke.engine.husimi import add_state, binomial_tables

    total = np.zeros((theta.size, phi.size))
    square = np.zeros(total.shape if states.sampled else (0, 0))
    tables = binomial_tables(states.n_atoms, states.psi.shape[1])
    for index, (frame, weight) in enumerate(zip(states.frames, states.weights, strict=True)):
        psi = states.trimmed(index)
        reach = reach_of(states.n_atoms, psi.size)
        share = 1.0 if states.sampled else weight
        add_state(psi, frame, reach, *tables, states.n_atoms, theta, phi, share, total, square)
    density = (states.n_atoms + 1) / (4 * np.pi)
    if not states.sampled:
        total *= density
        return total, None
    count = len(states.weights)
    total *= 1.0 / count
    if count == 1:
        square[:] = np.nan
    else:  # rounding of the difference is 1e-8 of Q at most, far below any error of interest
        square *= 1.0 / count
        square -= total**2
        np.sqrt(np.maximum(square, 0.0, out=square) / (count - 1), out=square)
    return total * density, square * density


def reach_of(n_atoms: int, size: int) -> float:
    """Angle from the frame's third axis beyond which a state of ``size`` amplitudes has |<θ,φ|ψ>|² < NEGLIGIBLE."""
    from scipy.special import betainccinv

    if size > n_atoms:
        return math.pi
    # P(n < size) = 1 − I_v(size, N − size + 1), falling with v = sin²(Θ/2)
    return 2 * math.asin(math.sqrt(float(betainccinv(size, n_atoms - size + 1, NEGLIGIBLE))))


def _label(
    dataset: xr.Dataset,
    times: NDArray[np.float64],
    axes: Axes,
    values: list[tuple[NDArray[np.float64], NDArray[np.float64] | None]],
) -> xr.Dataset:
    theta, phi, theta_weight, phi_weight = axes
    dims = ("state_time", "theta", "phi")
    q = np.array([value for value, _ in values])
    data = {"Q": (dims, q, {"definition": "(N+1)/(4 pi) <theta,phi|rho|theta,phi>", "units": "1/sr"})}
    if values[0][1] is not None:
        about: dict[str, Any] = {"definition": "standard error of the mean of Q over trajectories", "units": "1/sr"}
        about["degrees_of_freedom"] = held_trajectories(dataset).size - 1
        data["Q_sem"] = (dims, np.array([sem for _, sem in values]), about)
    norm = np.einsum("tij,i,j->t", q, theta_weight, phi_weight)
    about = {"definition": "integral of Q over the grid's directions", "units": "1"}
    coords = place_of(dataset) | {
        "state_time": state_time_of(dataset, times),
        "theta": (("theta",), theta, {"definition": "polar angle", "units": "rad"}),
        "phi": (("phi",), phi, {"definition": "azimuth", "units": "rad"}),
        "theta_weight": (("theta",), theta_weight, {"definition": "weight of the integral, with sin(theta)"}),
        "phi_weight": (("phi",), phi_weight, {"definition": "weight of the integral", "units": "rad"}),
    }
    attrs = dict(dataset.attrs) | {"neglected_overlap": NEGLIGIBLE}
    answer = xr.Dataset(data | {"norm": (("state_time",), norm, about)}, coords, attrs)
    for name in data:  # mostly zeros where N is large
        answer[name].encoding = {"zlib": True, "complevel": 1}
    return answer
