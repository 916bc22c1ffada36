r"""Gaussian copies as a control variate: exact means with smaller error bars.

A trajectory f of nuHOPS and its Gaussian copy g (:class:`opendicke.GaussianTrajectories`) run along the same noise, and
r more copies g' along noise of their own. What is averaged is, for every channel at every time,

.. math:: y = f - \beta h,\qquad h = g - \frac1r\sum g',\qquad \mathsf E\,h = 0

so :math:`\mathsf E\,y = \mathsf E f` for any number β that does not depend on the trajectory's own h, however bad the
copies are. The first PILOT trajectories, those of the pilot, settle β and r:

* β is the slope of f on g over the trajectories of the pilot that are in *other* batches, over 1 + 1/r.
* r is the power of two next to what makes the cost at a given error least, with c the cost of a trajectory over that of
  a copy, :math:`r^2 = c\,R^2/(1-R^2)`, R the correlation of f and g, of which the median over channels and times is
  taken. Costs are counted in right-hand sides and steps, not by a clock: the numbers do not depend on who runs what.

All that is done to means over trajectories, or batches of them, works as before. A copy that comes to no end, because
it is no Gaussian any more, stays where it was last: that is a function of its noise, too.
"""

from __future__ import annotations

import copy
import json
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from opendicke.ensemble.run import BATCHES, Ensemble, Outcome, Sample
from opendicke.ensemble.streams import stream
from opendicke.methods.gaussian_trajectories import SECONDS_PER_STEP, GaussianSimulator, GaussianTrajectories
from opendicke.methods.sampled import Simulator
from opendicke.observables.catalogue import VARIABLES, from_channels
from opendicke.problem import Problem, Solution

if TYPE_CHECKING:
    from opendicke.methods.nuhops import NuHOPS, NuHOPSSimulator

#: Trajectories of the pilot, and copies beside each of them. Part of the numbers' definition.
PILOT, PILOT_COPIES = 64, 64
#: Most copies beside a trajectory, and fewest trajectories from which slopes are taken.
MOST_COPIES, FEWEST = 1024, 16
#: Cost of a right-hand side of nuHOPS with a window of typical size (Fig. 1, N = 1000), to be compared with that of a
#: step of a copy.
SECONDS_PER_SIDE = 7e-6
#: Numbers that fluctuate by less than this, relative to their size, do not.
STILL = 1e-9


class ControlledSimulator(Simulator["NuHOPS"]):
    """Runs a trajectory of nuHOPS, its copy, and so many more copies.

    Args:
        exact: runs the trajectory.
        copies: how many more.
    """

    def __init__(self, exact: NuHOPSSimulator, copies: int = PILOT_COPIES) -> None:
        super().__init__(exact.problem, exact.options, exact.step)
        self.exact, self.copies = exact, copies
        self.gaussian = _gaussian(exact.problem, exact.options)

    def pilot(self) -> Pilot:
        """What settles slopes and number of copies."""
        return Pilot(self)

    def with_copies(self, copies: int) -> ControlledSimulator:
        """The same with so many more copies beside each trajectory."""
        other = copy.copy(self)
        other.copies = copies
        return other

    def prepare(self) -> None:
        """Compile what a trajectory needs."""
        self.exact.prepare()
        self.gaussian.prepare()

    def __call__(self, index: int) -> Sample:
        """Trajectory ``index`` with its own ``copy``, and the mean of ``others``."""
        began = time.thread_time()
        sample = self.exact(index)
        done = time.thread_time()
        own, fine = self.gaussian.copy(self.stream(index))
        rng = stream(self.options.seed, index, self.options.point, beside=(1,))
        others, failed = np.zeros_like(own), int(not fine)
        for _ in range(self.copies):
            channels, fine = self.gaussian.copy(rng)
            others += channels
            failed += not fine
        sums = {
            "copies": float(self.copies + 1),
            "failed_copies": float(failed),
            "core_seconds_of_trajectories": done - began,
            "core_seconds_of_copies": time.thread_time() - done,
        }
        averaged = sample.averaged | {"copy": own, "others": others / self.copies}
        return replace(sample, averaged=averaged, sums=sample.sums | sums)


def _gaussian(problem: Problem, options: NuHOPS) -> GaussianSimulator:
    method = GaussianTrajectories(1, seed=options.seed, point=options.point, step=options.step)
    return GaussianSimulator(Problem(problem.model, problem.state, problem.times), method)


def why_not(problem: Problem, options: NuHOPS) -> str:
    """Why there are no copies of trajectories of a problem; empty if there are."""
    try:
        _gaussian(problem, options)
    except ValueError as refusal:
        return str(refusal)
    return ""


@dataclass(frozen=True)
class Pilot:
    """Settles by the first trajectories what is taken off each one, and how many copies the others have."""

    simulate: ControlledSimulator

    @property
    def size(self) -> int:
        """How many are the first."""
        return PILOT

    def __call__(self, outcomes: list[Outcome]) -> tuple[ControlledSimulator, Revision]:
        """The simulator of the others, and what takes off the control."""
        held = [(index, sample) for index, sample in outcomes if isinstance(sample, Sample)]
        batch = np.array([index % BATCHES for index, _ in held], dtype=np.int64)
        if not held:
            return self.simulate, Revision(np.zeros((BATCHES, 1, 1)), PILOT_COPIES)
        f, g = (np.array([sample.averaged[name] for _, sample in held]) for name in ("channels", "copy"))
        sides = np.mean([sample.sums["right_hand_sides"] for _, sample in held])
        cost = float(sides) * SECONDS_PER_SIDE / (self.simulate.steps.size * SECONDS_PER_STEP or 1.0)
        copies = number_of_copies(f, g, cost)
        return self.simulate.with_copies(copies), Revision(slopes(f, g, batch), copies)


def slopes(f: NDArray[np.float64], g: NDArray[np.float64], batch: NDArray[np.int64]) -> NDArray[np.float64]:
    """The slope of f on g, (trajectories, ...), without the trajectories of each batch: (batches, ...)."""
    if len(f) == 0:
        return np.zeros((BATCHES, *f.shape[1:]))
    away, control = f - f.mean(axis=0), g - g.mean(axis=0)
    parts = np.zeros((4, BATCHES, *f.shape[1:]))
    for part, values in zip(parts, (away, control, away * control, control**2), strict=True):
        np.add.at(part, batch, values)
    sums, others = parts[:2], parts[2:].sum(axis=1, keepdims=True) - parts[2:]  # sums over all are 0
    count = (len(f) - np.bincount(batch, minlength=BATCHES)).reshape(-1, *[1] * (f.ndim - 1))
    product, spread = others - np.stack([sums[0] * sums[1], sums[1] ** 2]) / np.maximum(count, 1)
    fits = (count >= FEWEST) & (spread > 0)
    return np.where(fits, product / np.where(fits, spread, 1.0), 0.0)


def number_of_copies(f: NDArray[np.float64], g: NDArray[np.float64], cost: float) -> int:
    """How many copies beside a trajectory, which costs as much as ``cost`` of them, are best.

    Args:
        f, g: of the pilot, (trajectories, ...).
        cost: of a trajectory over that of a copy.
    """
    if len(f) < FEWEST:
        return PILOT_COPIES
    away, control = f - f.mean(axis=0), g - g.mean(axis=0)
    whole, spread = (away**2).mean(axis=0), (control**2).mean(axis=0)
    moving = (whole > (STILL * np.abs(f).max(axis=0)) ** 2) & (spread > 0)
    if not moving.any():
        return 1
    square = np.minimum((away * control).mean(axis=0)[moving] ** 2 / (whole * spread)[moving], 1 - 1e-9)
    best = math.sqrt(cost * float(np.median(square / (1 - square))))
    return int(min(2 ** max(round(math.log2(best)) if best > 0 else 0, 0), MOST_COPIES))


@dataclass(frozen=True)
class Revision:
    """Takes the control off a trajectory's channels; they stay beside it, as ``plain``.

    Attributes:
        slopes: for every batch, (batches, times, channels).
        copies: how many more copies the trajectories have that are not of the pilot.
    """

    slopes: NDArray[np.float64]
    copies: int

    def __call__(self, index: int, sample: Sample) -> Sample:
        """The sample that is reduced."""
        beside = sample.averaged
        share = 1 / (1 + 1 / (PILOT_COPIES if index < PILOT else self.copies))
        channels = beside["channels"] - share * self.slopes[index % BATCHES] * (beside["copy"] - beside["others"])
        rest = {name: values for name, values in beside.items() if name not in ("copy", "others")}
        return replace(sample, averaged=rest | {"channels": channels, "plain": beside["channels"]})


def tell(ensemble: Ensemble, solution: Solution) -> None:
    """Say in the attrs by how much the copies have reduced the variance of each variable: the median over times."""
    names = tuple(VARIABLES)
    whole, left = (from_channels(names, ensemble.moments(name).sem ** 2, errors=True) for name in ("plain", "channels"))
    found: dict[str, Any] = {}
    for name in names:
        before, after = np.real(whole[name]) + np.imag(whole[name]), np.real(left[name]) + np.imag(left[name])
        moving = after > 0
        if moving.any():
            found[name] = float(f"{np.median(before[moving] / after[moving]):.3g}")
    solution.attrs["variance_reduction"] = json.dumps(found)
