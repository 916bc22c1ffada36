r"""Gaussian copies as a control variate: exact means with smaller error bars.

A trajectory f of nuHOPS and its Gaussian copy g (:class:`opendicke.GaussianTrajectories`) run along the same noise, and
r more copies g' along noise of their own. What is averaged is, for every channel at every time,

.. math:: y = f - \beta h,\qquad h = \theta(g - c) - \frac1r\sum\theta'(g' - c),\qquad \mathsf E\,h = 0

so :math:`\mathsf E\,y = \mathsf E f` for any numbers β and c that do not depend on the trajectory's own h, however bad
the copies are. θ is 1 until a copy has become no Gaussian state any more, and 0 then: such a trajectory goes on by
itself. The first PILOT trajectories, those of the pilot, settle β, c and r:

* β is the slope of f on θ(g − c) over the trajectories of the pilot that are in *other* batches, over 1 + 1/r, and c
  the mean of f over these.
* r is the power of two next to what makes the cost at a given error least, with k the cost of a trajectory over that of
  a copy, :math:`r^2 = kR^2/(1-R^2)`, R the correlation of f and θ(g − c), of which the median over channels and times
  is taken. Costs are counted in right-hand sides and steps, not by a clock: the numbers do not depend on who runs what.

All that is done to means over trajectories, or batches of them, works as before.
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

from opendicke import checks
from opendicke.ensemble.run import BATCHES, Ensemble, Outcome, Sample
from opendicke.ensemble.streams import stream
from opendicke.methods.gaussian_trajectories import SECONDS_PER_STEP, GaussianSimulator, GaussianTrajectories, takes
from opendicke.methods.sampled import Simulator
from opendicke.observables.catalogue import VARIABLES, from_channels
from opendicke.problem import Problem, Solution

if TYPE_CHECKING:
    from opendicke.methods.hierarchy import NuHOPSSimulator
    from opendicke.methods.nuhops import NuHOPS

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
        own = self.gaussian.copy(self.stream(index))
        rng = stream(self.options.seed, index, self.options.point, beside=(1,))
        others = np.zeros_like(own)
        for _ in range(self.copies):
            others += self.gaussian.copy(rng)
        sums = {
            "copies": float(self.copies + 1),
            "failed_copies": float(self.copies + 1 - own[-1, -1] - others[-1, -1]),
            "core_seconds_of_trajectories": done - began,
            "core_seconds_of_copies": time.thread_time() - done,
        }
        averaged = sample.averaged | {"copy": own, "others": others / self.copies}
        return replace(sample, averaged=averaged, sums=sample.sums | sums)


def _gaussian(problem: Problem, options: NuHOPS) -> GaussianSimulator:
    if not takes(problem):
        expected = "SpinCoherent spins and coherent, Thermal or Squeezed cavities (for control='gaussian')"
        raise checks.refuse("state", expected, problem.start, "Other states: control=None, or control='auto'.")
    method = GaussianTrajectories(1, seed=options.seed, point=options.point, step=options.step, fast_cavity=False)
    return GaussianSimulator(Problem(problem.model, problem.state, problem.times), method)


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
            return self.simulate, Revision(np.zeros((BATCHES, 1, 1)), np.zeros((BATCHES, 1, 1)), PILOT_COPIES)
        f, g = (np.array([sample.averaged[name] for _, sample in held]) for name in ("channels", "copy"))
        sides = np.mean([sample.sums["right_hand_sides"] for _, sample in held])
        cost = float(sides) * SECONDS_PER_SIDE / (self.simulate.steps.size * SECONDS_PER_STEP or 1.0)
        copies = number_of_copies(f, g[..., :-1] - f.mean(axis=0) * g[..., -1:], cost)
        return self.simulate.with_copies(copies), Revision(*fitted(f, g, batch), copies)


def fitted(
    f: NDArray[np.float64], g: NDArray[np.float64], batch: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slopes and centres, (batches, times, channels), of the trajectories that are not of each batch.

    Args:
        f: of the pilot, (trajectories, times, channels).
        g: θg, and θ behind the last channel.
        batch: of each trajectory.
    """
    # sums over all but each batch of: 1, f, θg, θ, fθg, fθ, (θg)², all from about where f is
    middle, there = f.mean(axis=0), g[..., -1:]
    f, g = f - middle, g[..., :-1] - middle * there
    terms = (np.ones_like(f), f, g, there + 0 * f, f * g, f * there, g * g)
    sums = np.zeros((len(terms), BATCHES, *f.shape[1:]))
    for part, values in zip(sums, terms, strict=True):
        np.add.at(part, batch, values)
    count, own, copy_, held, both, mixed, square = sums.sum(axis=1, keepdims=True) - sums
    count = np.maximum(count, 1.0)
    centre = own / count
    mean = copy_ - centre * held
    product = both - centre * mixed - own * mean / count
    spread = square - 2 * centre * copy_ + centre**2 * held - mean**2 / count
    fits = (count >= FEWEST) & (spread > 0)
    return np.where(fits, product / np.where(fits, spread, 1.0), 0.0), middle + centre


def number_of_copies(f: NDArray[np.float64], g: NDArray[np.float64], cost: float) -> int:
    """How many copies beside a trajectory, which costs as much as ``cost`` of them, are best.

    Args:
        f, g: of the pilot, (trajectories, ...); g is θ(g − c).
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
        slopes, centres: for every batch, (batches, times, channels).
        copies: how many more copies the trajectories have that are not of the pilot.
    """

    slopes: NDArray[np.float64]
    centres: NDArray[np.float64]
    copies: int

    def __call__(self, index: int, sample: Sample) -> Sample:
        """The sample that is reduced."""
        beside, batch = sample.averaged, index % BATCHES
        share = 1 / (1 + 1 / (PILOT_COPIES if index < PILOT else self.copies))
        control = beside["copy"] - beside["others"]
        h = control[..., :-1] - self.centres[batch] * control[..., -1:]
        channels = beside["channels"] - share * self.slopes[batch] * h
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
