"""Trajectories with their copies, and what right and mistaken estimators make of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import opendicke as od
from opendicke.ensemble.run import BATCHES, Sample
from opendicke.methods.control import PILOT, ControlledSimulator, Revision, fitted
from opendicke.problem import Problem

#: Most copies beside a trajectory: exactness does not depend on their number, and what they cost here does.
MOST = 16
#: Pairs of which a mistaken version fits a slope that it then applies to the same pairs.
FEW_PAIRS = 4
#: tol of the trajectories.
TOL = 1e-5

Values = NDArray[np.float64]


class Trajectories:
    """Trajectories of a problem with all that belongs to each, and what is to be taken off them."""

    def __init__(self, problem: Problem, seed: int, count: int) -> None:
        simulate = od.NuHOPS(1, seed=seed, tol=TOL, control="gaussian").simulator(problem)
        assert isinstance(simulate, ControlledSimulator)
        first: list[Any] = [(index, simulate(index)) for index in range(PILOT)]
        _, revision = simulate.pilot()(first)
        self.revision = replace(revision, copies=min(revision.copies, MOST))
        others = simulate.with_copies(self.revision.copies)
        self.samples: list[Sample] = [sample for _, sample in first] + [others(i) for i in range(PILOT, count)]
        self.plain, self.copy, self.others = (
            np.array([sample.averaged[name] for sample in self.samples]) for name in ("channels", "copy", "others")
        )

    def right(self) -> Values:
        """What is averaged: (trajectories, times, channels)."""
        return self.revised(self.revision, self.copy, self.others)

    def same_others(self) -> Values:
        """A mistake: the other copies are run once, and taken off all trajectories as if they were the mean."""
        return self.revised(self.revision, self.copy, np.broadcast_to(self.others[PILOT], self.others.shape))

    def own_slopes(self) -> Values:
        """A mistake: slopes from a few pairs, applied to the same ones. Means over these: (groups, times, channels)."""
        f, h = self.groups(self.plain), self.groups((self.copy - self.others)[..., :-1])
        away = h - h.mean(axis=1, keepdims=True)
        product, square = ((away * part).sum(axis=1) for part in (f - f.mean(axis=1, keepdims=True), away))
        slope = np.divide(product, square, out=np.zeros_like(product), where=square > 0)
        return f.mean(axis=1) - slope * h.mean(axis=1)

    def other_path(self) -> Values:
        """Not a mistake, but worth nothing: the copy of the next trajectory's noise in the place of its own."""
        copy = np.roll(self.copy, 1, axis=0)
        batch = np.arange(PILOT) % BATCHES
        return self.revised(Revision(*fitted(self.plain[:PILOT], copy[:PILOT], batch), self.revision.copies), copy)

    def revised(self, revision: Revision, copy: Values, others: Values | None = None) -> Values:
        """Trajectories less what a revision makes of these copies."""
        others = self.others if others is None else others
        parts = zip(self.plain, copy, others, strict=True)
        rows = [Sample({"channels": f, "copy": g, "others": mean}) for f, g, mean in parts]
        return np.array([revision(index, row).averaged["channels"] for index, row in enumerate(rows)])

    @staticmethod
    def groups(values: Values) -> Values:
        """Trajectories in groups of a few: (groups, a few, times, channels)."""
        return values.reshape(-1, FEW_PAIRS, *values.shape[1:])

    def reduction(self) -> float:
        """Variance of the plain trajectories over that of the revised ones: the median over what fluctuates."""
        before, after = self.plain.var(axis=0), self.right().var(axis=0)
        moving = after > 1e-9 * before.max()
        return float(np.median(before[moving] / after[moving]))
