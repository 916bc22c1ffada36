"""How exact one trajectory is: against itself at finer steps and tolerances, on one and the same noise.

Numbers are the median and the largest, over paths, of the largest error among <S>/j and <a>/√N at the end of a run.
``python -m benchmarks.convergence`` prints the tables of docs/accuracy.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.problems import STATE, model, simulator
from benchmarks.timing import table
from opendicke.engine.fixed_basis import FixedBasis
from opendicke.engine.noise import NoisePath, OrnsteinUhlenbeck
from opendicke.engine.trajectory import initial_state, propagate
from opendicke.ensemble.streams import stream

ATOMS = (1, 10, 100, 1000)
UNTIL, FINEST = 4.0, 1 / 512
#: The default noise step of this model is 1/16 of a unit of time (0.16 over the fastest rate, 2.55).
DEFAULT = 1 / 16
STEPS = (1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64)
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7)


class Paths:
    """Some noise paths on a fine grid, and what trajectories make of them."""

    def __init__(self, n_atoms: int, coupling: str, paths: int, until: float = UNTIL) -> None:
        self.model = model(n_atoms, coupling)
        self.dynamics = simulator(n_atoms, until, coupling).dynamics
        source = OrnsteinUhlenbeck(np.full(round(until / FINEST), FINEST), self.model.omega_c, self.model.kappa)
        self.fine = [source.sample(stream(3, index)) for index in range(paths)]

    def ends(self, step: float, tol: float, dtype: str = "float64", feedback: float = 1.0) -> NDArray[np.float64]:
        """<S>/j and <a>/√N at the end: (paths, 5)."""
        settings = replace(self.dynamics, tol=tol, feedback=feedback * self.dynamics.feedback)
        rows = []
        for fine in self.fine:
            path = fine.coarsen(round(step / FINEST))
            state = initial_state(STATE.frame(), STATE.alpha, dtype, self.model.n_atoms)
            rows.append(self._scaled(propagate(state, settings, path, _last(path), 1)[0]))
        return np.array(rows)

    def plain(self, step: float, levels: int) -> NDArray[np.float64]:
        """The same numbers from the hierarchy in a fixed basis of all spin states."""
        about = self.model
        basis = FixedBasis(
            about.n_atoms, about.omega_a, about.omega_c, about.kappa, about.g_minus, about.g_plus, levels
        )
        amplitudes = STATE.dicke_amplitudes(about.n_atoms)
        paths = [fine.coarsen(round(step / FINEST)) for fine in self.fine]
        runs = [basis.run(amplitudes, STATE.alpha, path, _last(path), 1)[0][0] for path in paths]
        return np.array([self._scaled(run) for run in runs])

    def _scaled(self, channels: NDArray[np.float64]) -> NDArray[np.float64]:
        n_atoms = self.model.n_atoms
        return np.concatenate([channels[:3] / (n_atoms / 2), channels[9:11] / np.sqrt(n_atoms)])


def _last(path: NoisePath) -> NDArray[np.int64]:
    record = np.full(path.steps.size + 1, -1, dtype=np.int64)
    record[-1] = 0
    return record


def _errors(found: NDArray[np.float64], best: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest error of each path."""
    gaps: NDArray[np.float64] = np.abs(found - best).max(axis=1)
    return gaps


def _told(errors: NDArray[np.float64]) -> str:
    return f"{np.median(errors):.0e} ({errors.max():.0e})"


def steps(paths: int) -> None:
    """Errors of the noise step: the same path, its straight line in each step drawn coarser and coarser."""
    rows = []
    for coupling in ("balanced", "unbalanced"):
        for n_atoms in ATOMS:
            problem = Paths(n_atoms, coupling, paths)
            best = problem.ends(FINEST, 1e-10)
            errors = [_errors(problem.ends(step, 1e-10), best) for step in STEPS]
            medians = [float(np.median(error)) for error in errors]
            order = np.log(medians[1] / medians[4]) / np.log(8)
            rows.append((coupling, n_atoms, *(_told(error) for error in errors), f"{order:.1f}"))
    table(("couplings", "N", *(f"h = 1/{round(1 / step)}" for step in STEPS), "order from 1/8 on"), rows)


def tolerances(paths: int) -> None:
    """Errors of ``tol``, of the default settings, of the frame and of single precision."""
    rows = []
    for coupling in ("balanced", "unbalanced"):
        for n_atoms in ATOMS:
            problem = Paths(n_atoms, coupling, paths)
            best = problem.ends(DEFAULT, 1e-10)
            errors = [_errors(problem.ends(DEFAULT, tol), best) for tol in TOLERANCES]
            other = _errors(problem.ends(DEFAULT, 1e-6, feedback=0.1), problem.ends(DEFAULT, 1e-6, feedback=10.0))
            single = _errors(problem.ends(DEFAULT, 1e-6, "float32"), problem.ends(DEFAULT, 1e-6))
            rows.append((coupling, n_atoms, *(_told(error) for error in (*errors, other, single))))
    head = ("couplings", "N", *(f"tol = {tol:.0e}" for tol in TOLERANCES), "frame, tol = 1e-06", "float32")
    table(head, rows)


def limits(paths: int) -> None:
    """Distance from the hierarchy in a fixed basis, at a fine step."""
    rows = []
    for coupling in ("balanced", "unbalanced"):
        for n_atoms in (1, 2, 4, 10):
            problem = Paths(n_atoms, coupling, paths)
            errors = _errors(problem.ends(1 / 256, 1e-10), problem.plain(1 / 256, levels=60))
            rows.append((coupling, n_atoms, _told(errors)))
    table(("couplings", "N", "nuHOPS − fixed basis"), rows)


def run(paths: int = 16) -> None:
    """All three tables, each number as median (largest) over the paths."""
    steps(paths)
    tolerances(paths)
    limits(paths)


if __name__ == "__main__":
    run()
