r"""Orbits of the doubled phase space from one fixed point to another: collocation and Newton's method.

Between neighbouring nodes the orbit is a cubic that has the right velocity at both nodes and in the middle
(Hermite–Simpson, an error of fourth order in the step). It leaves the first fixed point within its unstable manifold,
reaches the second within its stable one, both linearised, and starts with the right Casimirs; its position in time is
fixed by a plane that its fastest node must not leave. These are as many conditions as unknowns once the momenta may
grow at a rate μ, which is 0 at a solution, as energy is conserved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke.tunnelling.doubled import MOMENTA, SIZE, DoubledFlow

#: Newton's method stops at this residual, or after so many steps.
RESIDUAL, STEPS = 1e-11, 40
#: What is conserved is off by no more than this on an orbit; it tells how well the nodes resolve it.
CONSERVED = 1e-6
#: Real parts of eigenvalues smaller than this in units of the fastest are no motion (the two Casimirs).
STILL = 1e-7


@dataclass(frozen=True, eq=False)
class Orbit:
    """An orbit, or an attempt at one.

    Attributes:
        flow: its equations.
        start, end: the fixed points, shape (10,).
        times: nodes, shape (nodes,).
        path: shape (nodes, 10).
        multiplier: μ.
        residual: largest violation of a condition.
        iterations: steps of Newton's method.
    """

    flow: DoubledFlow
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    times: NDArray[np.float64]
    path: NDArray[np.float64]
    multiplier: float = 0.0
    residual: float = np.inf
    iterations: int = 0

    @property
    def action(self) -> float:
        """∫ p dx, by Simpson's rule, and by the linear flow beyond the ends: the exponent, per atom."""
        h = np.diff(self.times)
        middle = _middle(self.path, self.flow.velocity(self.path), h[:, None])
        rate, between = self.flow.action_rate(self.path), self.flow.action_rate(middle)
        inside = float((h / 6 * (rate[:-1] + 4 * between + rate[1:])).sum())
        flow, first, last = self.flow, self.path[0], self.path[-1]
        beyond = flow.linear_action(first, self.start) - flow.linear_action(last, self.end)
        return inside + flow.boundary(last) - flow.boundary(first) + beyond

    @property
    def energy(self) -> float:
        """Largest |energy|, in units of the rates."""
        return float(abs(self.flow.energy(self.path)).max())

    @property
    def casimir(self) -> float:
        """Largest violation of a Casimir."""
        return float(abs(self.flow.casimirs(self.path)).max())

    @property
    def ends(self) -> float:
        """Largest distance of an end from its fixed point."""
        return float(max(np.linalg.norm(self.path[0] - self.start), np.linalg.norm(self.path[-1] - self.end)))

    @property
    def solved(self) -> bool:
        """Whether every condition holds."""
        small = max(self.energy, self.casimir) < CONSERVED and abs(self.multiplier) < CONSERVED
        return bool(self.residual < 1e-9 and small)

    @property
    def found(self) -> bool:
        """Whether every condition holds, and the ends are close enough to their fixed points to be theirs."""
        return self.solved and self.ends < 0.1 * float(np.linalg.norm(self.start - self.end))


def converge(orbit: Orbit) -> Orbit:
    """Newton's method with step halving, from an approximate orbit; look at ``found`` of what comes back."""
    with np.errstate(all="ignore"):  # an attempt may run away; what is not finite is no orbit
        return _converge(orbit)


def _converge(orbit: Orbit) -> Orbit:
    system = _System(orbit)
    path, mu = orbit.path, orbit.multiplier
    residual = system.residual(path, mu)
    size, iterations = float(np.linalg.norm(residual)), 0
    while size > RESIDUAL and iterations < STEPS:
        try:
            step = system.newton_step(path, mu, residual)
        except RuntimeError:  # a singular matrix
            break
        damping = 1.0
        while True:
            trial = path + damping * step[:-1].reshape(path.shape), mu + damping * float(step[-1])
            after = system.residual(*trial)
            smaller = float(np.linalg.norm(after))
            if smaller < (1 - 0.2 * damping) * size or damping < 1e-3:
                break
            damping /= 2
        if not smaller < size:
            break
        (path, mu), residual, size = trial, after, smaller
        iterations += 1
    largest = float(abs(residual).max())
    return Orbit(orbit.flow, orbit.start, orbit.end, orbit.times, path, mu, largest, iterations)


class _System:
    """The conditions on an orbit, and their derivatives."""

    def __init__(self, orbit: Orbit) -> None:
        self.flow, self.start, self.end = orbit.flow, orbit.start, orbit.end
        self.h = np.diff(orbit.times)[:, None]
        self.leave = invariant_rows(self.flow.jacobian(orbit.start), growing=False)
        self.arrive = invariant_rows(self.flow.jacobian(orbit.end), growing=True)
        velocity = self.flow.velocity(orbit.path)
        self.fastest = int(np.argmax(np.linalg.norm(velocity, axis=1)))
        self.anchor, self.normal = orbit.path[self.fastest].copy(), velocity[self.fastest].copy()

    def _velocity(self, u: NDArray[np.float64], mu: float) -> NDArray[np.float64]:
        velocity: NDArray[np.float64] = self.flow.velocity(u) + mu * MOMENTA * u
        return velocity

    def residual(self, path: NDArray[np.float64], mu: float) -> NDArray[np.float64]:
        """Violations: of the motion on every interval, then at both ends and of the plane."""
        velocity = self._velocity(path, mu)
        between = self._velocity(_middle(path, velocity, self.h), mu)
        motion = np.diff(path, axis=0) - self.h / 6 * (velocity[:-1] + 4 * between + velocity[1:])
        first, last = self.leave @ (path[0] - self.start), self.arrive @ (path[-1] - self.end)
        plane = self.normal @ (path[self.fastest] - self.anchor)
        return np.concatenate([motion.ravel(), first, self.flow.casimirs(path[0]), last, [plane]])

    def newton_step(self, path: NDArray[np.float64], mu: float, residual: NDArray[np.float64]) -> NDArray[np.float64]:
        """The step that makes the linearised violations vanish: changes of all nodes, and of μ."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.linalg import splu

        intervals = len(path) - 1
        before, after, by_mu = self._interval_derivatives(path, mu)
        node = SIZE * np.arange(intervals)[:, None, None]
        row = np.broadcast_to(node + np.arange(SIZE)[:, None], before.shape)
        column = np.broadcast_to(node + np.arange(SIZE), before.shape)
        last = np.full(by_mu.size, SIZE * (intervals + 1))
        edge_row, edge_column, edge = self._edge_derivatives(path)
        rows = np.concatenate([row.ravel(), row.ravel(), np.arange(by_mu.size), SIZE * intervals + edge_row])
        columns = np.concatenate([column.ravel(), column.ravel() + SIZE, last, edge_column])
        values = np.concatenate([before.ravel(), after.ravel(), by_mu.ravel(), edge])
        matrix: Any = coo_matrix((values, (rows, columns)), shape=(residual.size, residual.size))
        step: NDArray[np.float64] = splu(matrix.tocsc()).solve(-residual)
        return step

    def _interval_derivatives(
        self, path: NDArray[np.float64], mu: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Of the motion on every interval: by the node before, by the node after, and by μ."""
        h, unit = self.h[..., None], np.eye(SIZE)
        middle = _middle(path, self._velocity(path, mu), self.h)
        growth = mu * np.diag(MOMENTA)
        nodes, between = self.flow.jacobian(path) + growth, self.flow.jacobian(middle) + growth
        before = -unit - h / 6 * (nodes[:-1] + 4 * between @ (unit / 2 + h / 8 * nodes[:-1]))
        after = unit - h / 6 * (nodes[1:] + 4 * between @ (unit / 2 - h / 8 * nodes[1:]))
        grown = MOMENTA * path
        shift = (between @ (self.h / 8 * (grown[:-1] - grown[1:]))[..., None])[..., 0]
        by_mu = -self.h / 6 * (grown[:-1] + grown[1:] + 4 * (MOMENTA * middle + shift))
        return before, after, by_mu

    def _edge_derivatives(
        self, path: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Of the conditions at the ends and of the plane: rows, columns and values of what is not 0."""
        spin, turn = path[0, 4:7], path[0, 7:10]
        casimirs = np.zeros((2, SIZE))
        casimirs[0, 4:7], casimirs[0, 7:10] = 2 * spin, -2 * self.flow.moyal**2 * turn
        casimirs[1, 4:7], casimirs[1, 7:10] = turn, spin
        parts = [(self.leave, 0), (casimirs, 0), (self.arrive, len(path) - 1), (self.normal[None], self.fastest)]
        rows, columns, values, first = [], [], [], 0
        for part, node in parts:
            rows.append(np.repeat(first + np.arange(len(part)), SIZE))
            columns.append(np.tile(SIZE * node + np.arange(SIZE), len(part)))
            values.append(part.ravel())
            first += len(part)
        return np.concatenate(rows), np.concatenate(columns), np.concatenate(values)


def invariant_rows(jacobian: NDArray[np.float64], *, growing: bool) -> NDArray[np.float64]:
    """Rows, shape (4, 10), orthonormal, that vanish on every deviation that does not grow (or, else, does not decay).

    Raises:
        ValueError: if not four deviations grow and four decay: the fixed point is on a boundary of stability.
    """
    from scipy.linalg import schur

    smallest = STILL * float(abs(np.linalg.eigvals(jacobian)).max())

    def wanted(real: float, _: float = 0.0) -> bool:
        return real > smallest if growing else real < -smallest

    _, vectors, count = schur(jacobian.T, output="real", sort=wanted)
    if count != 4:
        kind = "grow" if growing else "decay"
        raise ValueError(f"{count} deviations {kind}, not four: a fixed point is on a boundary of stability")
    rows: NDArray[np.float64] = vectors[:, :4].T
    return rows


def _middle(path: NDArray[np.float64], velocity: NDArray[np.float64], h: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cubic between neighbouring nodes, half way."""
    middle: NDArray[np.float64] = (path[1:] + path[:-1]) / 2 + h / 8 * (velocity[:-1] - velocity[1:])
    return middle
