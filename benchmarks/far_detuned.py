"""Far-detuned cavities: what a trajectory costs with the plain and the dressed hierarchy, and in strides.

    python -m benchmarks.far_detuned                                  # everything: hours
    python -m benchmarks.far_detuned --atoms 1000 --ratios 25 250 --couplings 1.2 --until 3 --hierarchies dressed
    python -m benchmarks.far_detuned --kappa 15 --ratios 250 2500     # the cavity forgets faster than the spins move

From the normal state with an empty cavity, default accuracy. A trajectory is run in all ways before the next one is;
CPU seconds of one thread, medians (largest), per trajectory and 1/ω_a. No more is started of a hierarchy once it has
spent ``--seconds`` on a model; "—" where a hierarchy refuses the model.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np

from benchmarks.timing import cpu_seconds, table
from opendicke import DickeModel, Normal, NuHOPS
from opendicke.problem import Problem

Hierarchy = Literal["plain", "dressed", "strides"]
HIERARCHIES: tuple[Hierarchy, ...] = ("plain", "dressed", "strides")


def model(n_atoms: int, ratio: float, coupling: float, kappa: float) -> DickeModel:
    """ω_a = 1, ω_c = ``ratio``, ``coupling`` times the critical one, g₋ = g₊."""
    free = DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=ratio, kappa=kappa, coupling=0.0)
    half = coupling / 2 * free.critical_coupling
    return free.replace(g_minus=half, g_plus=half)


class Contender:
    """One hierarchy on one model; keeps what its trajectories cost."""

    def __init__(self, problem: Problem, hierarchy: Hierarchy, budget: float) -> None:
        self.hierarchy, self.budget, self.until = hierarchy, budget, float(problem.times[-1])
        try:
            self.simulate = NuHOPS(1, seed=1, hierarchy=hierarchy).simulator(problem)
            self.simulate.prepare()
        except ValueError:
            self.budget = 0.0
        self.seconds: list[float] = []
        self.windows: list[tuple[float, float]] = []
        self.sweeps: list[float] = []

    def run(self, index: int) -> None:
        """Trajectory ``index``, if there is time left for it."""
        if sum(self.seconds) >= self.budget:
            return
        found = []
        self.seconds.append(cpu_seconds(lambda: found.append(self.simulate(index))))
        peaks, sums = found[0].peaks, found[0].sums
        self.windows.append((peaks["largest_states"], peaks.get("largest_levels", 1)))
        self.sweeps.append(sums.get("right_hand_sides", sums.get("operators_applied", 0)))

    def row(self) -> list[str]:
        """Cells of the table."""
        if not self.seconds:
            return [self.hierarchy, "—", "—", "—", "0"]
        taken, window = np.array(self.seconds) / self.until, np.median(self.windows, axis=0)
        cost = f"{np.median(taken):.3g} ({taken.max():.3g})"
        size = f"{window[0]:.0f} × {window[1]:.0f}"
        return [self.hierarchy, cost, size, f"{np.median(self.sweeps) / self.until:.0f}", str(len(self.seconds))]


def rows(arguments: argparse.Namespace) -> Iterator[list[str]]:
    """Rows of the table, one for each hierarchy on each model."""
    for n_atoms, ratio, coupling in itertools.product(arguments.atoms, arguments.ratios, arguments.couplings):
        problem = Problem(model(n_atoms, ratio, coupling, arguments.kappa), Normal(), np.array([arguments.until]))
        contenders = [Contender(problem, which, arguments.seconds) for which in arguments.hierarchies]
        for index in range(arguments.trajectories):
            for contender in contenders:
                contender.run(index)
        yield from ([f"{n_atoms:,}", f"{ratio:g}", f"{coupling:g}", *each.row()] for each in contenders)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atoms", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--ratios", type=float, nargs="+", default=[2.5, 25.0, 250.0, 2500.0])
    parser.add_argument("--couplings", type=float, nargs="+", default=[0.8, 1.2, 1.4])
    parser.add_argument("--kappa", type=float, default=0.5)
    parser.add_argument("--until", type=float, default=4.0)
    parser.add_argument("--trajectories", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hierarchies", nargs="+", choices=HIERARCHIES, default=list(HIERARCHIES))
    cost = "s per trajectory and 1/ω_a"
    head = ("N", "ω_c/ω_a", "g/g_c", "hierarchy", cost, "window n × k", "right-hand sides or operators", "run")
    table(head, rows(parser.parse_args()))


if __name__ == "__main__":
    main()
