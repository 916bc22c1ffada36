r"""Rates of rare escapes by multilevel splitting.

A basin is left by climbing a coordinate λ. With levels :math:`\lambda_A < \lambda_0 < \dots < \lambda_K`, the last of
them the arrival across the saddle,

.. math:: \Gamma = \Phi_0\,\prod_{k=1}^{K} P(\lambda_k\,|\,\lambda_{k-1})

where :math:`\Phi_0` is the rate of first crossings of λ_0 since the last visit below λ_A, and each factor the
probability that a trajectory at its first crossing of one level reaches the next before it falls back below λ_A.
Each factor is measured with clones of the trajectories that came that far, driven by fresh noise. A replica is one
run through all levels; the mean over replicas is unbiased whatever the coordinate and the levels, because both are
fixed beforehand, by a pilot run. Their scatter gives the error.

The coordinate is built on q, where the mean-field flow will carry the mean values (:class:`LookAhead`): λ = \|q\| from
the normal state, λ = 1 − q from a superradiant one.

Source: forward flux sampling, R. J. Allen, C. Valeriani and P. R. ten Wolde, J. Phys. Condens. Matter 21, 463102
(2009); unbiasedness of fixed-effort splitting, P. Del Moral, Feynman–Kac Formulae (Springer, 2004).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.ensemble.executors import check_executor
from opendicke.ensemble.streams import stream
from opendicke.methods.nuhops import NuHOPS
from opendicke.methods.truncated_wigner import TruncatedWigner
from opendicke.model import DickeModel
from opendicke.problem import Executor
from opendicke.tunnelling.landscape import Landscape, LookAhead
from opendicke.tunnelling.walker import Walker, check_walked, walk

#: The pilot's random streams: those of another point, so that they are independent of every replica's.
PILOT_POINT, REPLICA_POINT = 1, 0
#: Of nuHOPS, unless a method is given: rare noise is strong, and makes of amplitudes dropped at 1e-4 what is not there.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Splitting:
    """How to split.

    Args:
        replicas: independent estimates, >= 2; their scatter is the error.
        particles: trajectories started from each level in one replica, >= 2.
        basin_time: how long one replica watches the basin for crossings of the first level, in relaxation times of the
            basin's attractor, > 0.
        burn_in: relaxation times between the coherent state at the attractor and the first count, >= 0.
        keep: part of the pilot's particles that reaches the next level, between 0 and 1; it sets the levels' spacing.
        look: time between two looks at the coordinate, in units of one over the model's rates, > 0.
        commit: how far beyond the saddle (0), on the way to the attractor there (1), q must be for an arrival.
        seed: replica i of a seed is the same whoever runs it.
    """

    replicas: int = 8
    particles: int = 64
    basin_time: float = 80.0
    burn_in: float = 8.0
    keep: float = 0.35
    look: float = 0.25
    commit: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        for name, minimum in (("replicas", 2), ("particles", 2)):
            checks.set_integer(self, name, minimum=minimum)
        checks.set_integer(self, "seed", minimum=0, maximum=checks.LARGEST_SEED)
        for name in ("basin_time", "look"):
            checks.set_real(self, name, above=0.0)
        checks.set_real(self, "burn_in", minimum=0.0)
        for name in ("keep", "commit"):
            object.__setattr__(self, name, checks.part(name, getattr(self, name)))


@dataclass(frozen=True, eq=False)
class Escape:
    r"""The rate of escapes from one basin.

    Attributes:
        rate: mean over replicas of the rate Γ out of the basin (for the normal state :math:`2\gamma_{ns}`), in the
            model's units.
        sem: its standard error.
        replicas: the estimates of all replicas, shape (replicas,).
        levels: λ_A, λ_0 … λ_K; λ_K is infinite and means arrival.
        time: time that was simulated altogether.
    """

    rate: float
    sem: float
    replicas: NDArray[np.float64]
    levels: tuple[float, ...]
    time: float


class _Climb:
    """Everything that replicas share: the walk, the coordinate of the escape, and where it starts."""

    def __init__(
        self, model: DickeModel, basin: Literal["n", "s"], options: Splitting, method: NuHOPS | TruncatedWigner
    ) -> None:
        landscape = Landscape.of(model)
        self.basin = basin
        self.options = options
        self.walk = walk(model, method, options.look, piece=1)
        self.ahead = LookAhead(landscape, basin)
        self.start = landscape.state("n" if basin == "n" else "s+")
        point = landscape.normal if basin == "n" else landscape.superradiant
        self.relaxation = -1 / point.leading
        saddle = self.ahead.saddle if basin == "n" else 1 - self.ahead.saddle
        self._arrival = saddle + options.commit * (1 - saddle)

    def look(self, walker: Walker, rng: np.random.Generator) -> float:
        """Walk on to the next look; λ there, infinite on arrival."""
        looks = walker.go(rng)
        noise, covariance = walker.push
        q = float(self.ahead(looks, np.array([noise]), covariance[None])[0])
        progress = abs(q) if self.basin == "n" else 1 - q
        return math.inf if progress >= self._arrival else progress

    def settled(self, rng: np.random.Generator) -> tuple[Walker, int]:
        """A walker at the attractor whose memory of its start has gone, and how many looks that took."""
        count = round(self.options.burn_in * self.relaxation / self.options.look)
        walker = self.walk.start(self.start, rng)
        for _ in range(count):
            self.look(walker, rng)
        return walker, count


@dataclass
class _Particle:
    """A walker at its first crossing of a level, and λ there."""

    walker: Walker
    height: float


def escape_rate(
    model: DickeModel,
    basin: Literal["n", "s"],
    options: Splitting | None = None,
    *,
    method: NuHOPS | TruncatedWigner | None = None,
    executor: Executor | None = None,
) -> Escape:
    r"""The rate Γ at which the normal state ("n") or one superradiant state ("s") is left, however small it is.

    :math:`\Gamma_n = 2\gamma_{ns}`, since there are two superradiant states; :math:`\Gamma_s = \gamma_{sn}` up to
    direct passages between the superradiant states.

    Args:
        model: a model in the bistable phase.
        basin: which attractor is left.
        options: replicas, particles, levels.
        method: nuHOPS with ``tol=1e-6`` (None), or another one, or truncated Wigner to be held against it; its
            ``trajectories`` and ``seed`` are not used. A larger ``tol`` is not for many atoms: the rare moments of
            strong noise that carry an escape tear a spin state apart whose faint amplitudes were dropped.
        executor: who runs the replicas; None for threads on all cores.

    Returns:
        The rate with its standard error.

    Raises:
        ValueError: if the model is not bistable, or for a ``basin`` other than these.
        TrajectoryError: if a trajectory cannot be carried on.
    """
    checks.choice("basin", basin, ("n", "s"))
    options = Splitting() if options is None else options
    checks.instance("options", options, Splitting, "a Splitting, or None")
    method = NuHOPS(trajectories=1, tol=TOLERANCE) if method is None else method
    check_walked(method)
    climb = _Climb(model, basin, options, method)
    levels, pilot_looks = _pilot(climb, stream(options.seed, 0, PILOT_POINT))
    replica = _Replica(climb, levels)
    found = list(check_executor(executor).map(replica, range(options.replicas)))
    rates = np.array([rate for rate, _ in found])
    looks = pilot_looks + sum(count for _, count in found)
    sem = float(rates.std(ddof=1) / np.sqrt(rates.size))
    return Escape(float(rates.mean()), sem, rates, levels, looks * options.look)


@dataclass(frozen=True)
class _Replica:
    """Runs one replica (an object and not a closure, so that it can be sent to other processes)."""

    climb: _Climb
    levels: tuple[float, ...]

    def __call__(self, index: int) -> tuple[float, int]:
        """The rate that replica ``index`` finds, and the number of looks it took."""
        climb, options = self.climb, self.climb.options
        floor, first, *higher = self.levels
        rng = stream(options.seed, index, REPLICA_POINT)
        particles, watched, looks = _crossings(climb, floor, first, rng)
        rate = len(particles) / (watched * options.look)
        for level in higher:
            if not particles:
                return 0.0, looks
            particles, tried, spent = _stage(climb, particles, floor, level, rng)
            rate *= len(particles) / tried
            looks += spent
        return rate, looks


def _crossings(climb: _Climb, floor: float, first: float, rng: np.random.Generator) -> tuple[list[_Particle], int, int]:
    """First crossings of ``first`` since the last visit below ``floor``; looks watched, and looks in all.

    A trajectory that escapes altogether is replaced by a fresh one.
    """
    options = climb.options
    target = round(options.basin_time * climb.relaxation / options.look)
    walker, looks = climb.settled(rng)
    particles, armed, watched = [], False, 0
    while watched < target:
        height = climb.look(walker, rng)
        watched += 1
        if height <= floor:
            armed = True
        elif height >= first and armed:
            particles.append(_Particle(walker.copy(), height))
            armed = False
        if height == math.inf:
            walker, spent = climb.settled(rng)
            looks += spent
            armed = False
    return particles, watched, looks + watched


def _stage(
    climb: _Climb, parents: list[_Particle], floor: float, level: float, rng: np.random.Generator
) -> tuple[list[_Particle], int, int]:
    """Clones of ``parents`` that reach ``level`` before ``floor``; how many were tried, and looks spent.

    Every parent has the same expected number of clones, and as far as possible the same number.
    """
    wanted = climb.options.particles
    whole, rest = divmod(wanted, len(parents))
    chosen = list(range(len(parents))) * whole + list(rng.choice(len(parents), rest, replace=False))
    arrived, looks = [], 0
    for index in chosen:
        particle = _Particle(parents[index].walker.copy(), parents[index].height)
        while floor < particle.height < level:
            particle.height = climb.look(particle.walker, rng)
            looks += 1
        if particle.height >= level:
            arrived.append(particle)
    return arrived, wanted, looks


def _pilot(climb: _Climb, rng: np.random.Generator) -> tuple[tuple[float, ...], int]:
    """Levels such that a part ``keep`` of the particles reaches each from the one before."""
    options = climb.options
    walker, looks = climb.settled(rng)
    heights = []
    for _ in range(round(options.basin_time * climb.relaxation / options.look)):
        heights.append(climb.look(walker, rng))
        if heights[-1] == math.inf:
            walker, spent = climb.settled(rng)
            looks += spent
    floor, first = (float(level) for level in np.quantile(heights, (0.5, 0.85)))
    parents, _, spent = _crossings(climb, floor, first, rng)
    looks += len(heights) + spent
    levels = [floor, first]
    while levels[-1] < math.inf:
        climbs = []
        for index in rng.integers(len(parents), size=options.particles):
            records, spent = _record_heights(climb, parents[index], floor, rng)
            climbs.append(records)
            looks += spent
        peaks = np.sort([records[-1].height for records in climbs])
        higher = peaks[peaks > levels[-1]]
        if higher.size == 0:  # every clone fell back at once: try again with more
            continue
        level = max(peaks[-max(2, round(options.keep * options.particles))], higher[0])
        levels.append(float(level))
        parents = [
            next(one for one in records if one.height >= level) for records in climbs if records[-1].height >= level
        ]
    return tuple(levels), looks


def _record_heights(
    climb: _Climb, parent: _Particle, floor: float, rng: np.random.Generator
) -> tuple[list[_Particle], int]:
    """A clone's record heights until it falls to ``floor`` or arrives: its first crossings of any level."""
    particle = _Particle(parent.walker.copy(), parent.height)
    records, looks = [parent], 0
    while floor < particle.height < math.inf:
        particle.height = climb.look(particle.walker, rng)
        looks += 1
        if particle.height > records[-1].height:
            records.append(_Particle(particle.walker.copy(), particle.height))
    return records, looks
