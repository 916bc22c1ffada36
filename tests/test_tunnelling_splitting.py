"""Splitting on a random walk with known answers; walkers, and the rates of nuHOPS against exact gaps."""

import itertools
import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

import opendicke as od
from opendicke.analysis.tunnelling import (
    BISTABLE_CUT,
    Landscape,
    Splitting,
    count_rates,
    escape_rate,
    fit_populations,
    linear_populations,
    watch,
)
from opendicke.engine.compile import from_python
from opendicke.engine.trajectory import propagate
from opendicke.tunnelling import pushed_flow
from opendicke.tunnelling.splitting import TOLERANCE, _Climb, _pilot, _Replica
from opendicke.tunnelling.walker import SPIN, NuHOPSWalk, NuHOPSWalker, walk

UP, TOP, FLOOR, FIRST = 0.35, 14, 0.0, 2.0


@dataclass
class Position:
    at: int = 0

    def copy(self) -> "Position":
        return Position(self.at)


@dataclass
class RandomWalk:
    """A walk on 0, 1, 2 … that goes up with probability UP, and arrives at TOP."""

    options: Splitting
    relaxation: float = 1.0
    start: Position = field(default_factory=Position)

    def look(self, walker: Position, rng: np.random.Generator) -> float:
        walker.at = walker.at + 1 if rng.random() < UP else max(walker.at - 1, 0)
        return math.inf if walker.at >= TOP else float(walker.at)

    def settled(self, rng: np.random.Generator) -> tuple[Position, int]:
        return Position(), 0


def exact_rate() -> float:
    """Crossings of FIRST per step (by renewal: 0 → FIRST → 0), times the gambler's chance to reach TOP before 0."""
    ratio = (1 - UP) / UP
    chance = (1 - ratio**FIRST) / (1 - ratio**TOP)
    to_first = (1 / UP) + (1 / UP + (1 - UP) / UP * (1 / UP))  # 0 → 1, then 1 → 2 with a return through 0
    back = (FIRST - FLOOR) / (1 - 2 * UP)  # biased walk, TOP far away
    return chance / (to_first + back)


def walk_rates(levels: tuple[float, ...], replicas: int = 600) -> np.ndarray:
    climb = RandomWalk(Splitting(particles=12, basin_time=1000.0, look=1.0, seed=4))
    replica = _Replica(climb, levels)  # type: ignore[arg-type]
    return np.array([replica(index)[0] for index in range(replicas)])


def test_splitting_is_unbiased_and_levels_do_not_matter() -> None:
    """3.5 standard errors: false-alarm rate 5e-4 each. The rate is 2e-4 of the crossings."""
    exact = exact_rate()
    for levels in ((0.0, 2.0, 5.0, 8.0, 11.0, math.inf), (0.0, 2.0, 4.0, 7.0, 9.0, 12.0, math.inf)):
        rates = walk_rates(levels)
        sem = rates.std(ddof=1) / math.sqrt(rates.size)
        assert sem < 0.12 * exact
        assert abs(rates.mean() - exact) < 3.5 * sem
        assert abs(rates.mean() - exact / 2) > 3.5 * sem  # a lost factor of two


def test_pilot_finds_levels_that_end_in_arrival() -> None:
    climb = RandomWalk(Splitting(particles=40, basin_time=400.0, look=1.0))
    levels, looks = _pilot(climb, np.random.default_rng(2))  # type: ignore[arg-type]
    assert levels[-1] == math.inf
    assert all(low < high for low, high in itertools.pairwise(levels))
    assert looks > 800


def test_clones_go_the_same_way_on_the_same_noise_and_apart_on_fresh_noise() -> None:
    landscape = Landscape.of(BISTABLE_CUT.model(0.7, n_atoms=50))
    steps = walk(landscape.model, od.NuHOPS(trajectories=1), look=0.25, piece=4)
    walker = steps.start(landscape.state("s+"), np.random.default_rng(0))
    walker.go(np.random.default_rng(1))
    twin, other = walker.copy(), walker.copy()
    first = walker.go(np.random.default_rng(2))
    np.testing.assert_array_equal(first, twin.go(np.random.default_rng(2)))
    apart = np.abs(first - other.go(np.random.default_rng(3))).max(axis=1)
    assert 0 < apart[0] < apart[-1] + 0.05


def test_noise_of_walkers_is_stationary_and_remembered() -> None:
    """E|z*|² = 1, and z* of one piece on is e^-(κ−iω_c)t times the present one: 5 standard errors of 2000."""
    model = od.DickeModel(n_atoms=3, omega_a=1.0, omega_c=0.8, kappa=0.6, g_minus=0.0, g_plus=0.0)
    steps, rng = walk(model, od.NuHOPS(trajectories=1), look=1.0, piece=1), np.random.default_rng(3)
    noise = np.empty((2000, 2), dtype=np.complex128)
    for one in noise:
        walker = steps.start(od.SpinCoherent(2.0), rng)
        assert isinstance(walker, NuHOPSWalker)
        one[0] = walker.noise
        walker.go(rng)
        one[1] = walker.noise
    error = 1 / math.sqrt(2000)
    assert np.abs((np.abs(noise) ** 2).mean(axis=0) - 1).max() < 5 * error
    assert abs((noise**2).mean()) < 5 * error
    memory = np.exp(-(model.kappa - 1j * model.omega_c))
    assert abs((noise[:, 1] * noise[:, 0].conj()).mean() - memory) < 5 * error
    assert abs(memory - memory.conj()) > 10 * error


@pytest.mark.parametrize("basin", ["n", "s"])
@pytest.mark.parametrize("commit", [None, 0.5])
def test_arrival_is_commit_of_the_way_from_the_saddle_to_what_lies_beyond(basin: str, commit: float | None) -> None:
    """In q: saddle + commit (1 − saddle) on both sides from n, saddle (1 − commit) from s+. 0.9 by default."""
    options, share = (Splitting(), 0.9) if commit is None else (Splitting(commit=commit), commit)
    climb = _Climb(BISTABLE_CUT.model(0.7, n_atoms=50), basin, options, od.TruncatedWigner(1))  # type: ignore[arg-type]
    saddle, reached = climb.ahead.saddle, {}
    walker = climb.walk.start(climb.start, np.random.default_rng(1))
    there = saddle + share * (1 - saddle) if basin == "n" else saddle * (1 - share)
    for q in (0.0, 1.0, saddle, there - 1e-9, there + 1e-9, -there - 1e-9):
        climb.ahead = lambda *_, q=q: np.array([q])  # type: ignore[assignment, misc]
        reached[q] = climb.look(walker, np.random.default_rng(1))
    short, far = (there - 1e-9, there + 1e-9) if basin == "n" else (there + 1e-9, there - 1e-9)
    assert [reached[q] for q in (saddle, short)] == [q if basin == "n" else 1 - q for q in (saddle, short)]
    assert [reached[q] for q in (far, -there - 1e-9)] == [math.inf, math.inf]
    assert (reached[0.0], reached[1.0]) == ((0.0, math.inf) if basin == "n" else (math.inf, 0.0))


@pytest.mark.parametrize("method", [od.NuHOPS(1), od.TruncatedWigner(1)])
def test_a_look_takes_the_time_of_a_look(method: od.NuHOPS | od.TruncatedWigner) -> None:
    """At N = 10^10 mean field tells where a walker is after each look, to some 1/√N: ten times that is allowed."""
    model = BISTABLE_CUT.model(0.7, n_atoms=10**10)
    climb, state, looks = _Climb(model, "n", Splitting(look=0.4), method), od.SpinCoherent(1.0, 0.3), []
    climb.ahead = lambda seen, *_: looks.append(seen[-1, :3]) or np.zeros(1)  # type: ignore[assignment, misc, func-returns-value]
    random = np.random.default_rng(1)
    walker = climb.walk.start(state, random)
    for _ in range(3):
        climb.look(walker, random)
    exact = od.solve(model, state, [0.4, 0.8, 1.2], od.MeanField())
    expected = np.stack([exact[f"S{axis}"].values for axis in "xyz"], axis=-1) / model.n_atoms
    assert np.abs(np.diff(expected, axis=0)).max(axis=1).min() > 0.01
    np.testing.assert_allclose(looks, expected, rtol=0, atol=10 / math.sqrt(model.n_atoms))


def test_rates_are_the_gaps_of_the_exact_liouvillian() -> None:
    """N = 10 at (1.8, 0.782): the even gap is 0.131381, the odd one 0.044201 (exact diagonalisation).

    4 standard errors: false-alarm rate 6e-5 each. Half the even gap, as without the factor in 2γ_ns + γ_sn, fails.
    """
    model = BISTABLE_CUT.model(0.0, n_atoms=10).replace(g_minus=1.8, g_plus=0.782)
    landscape = Landscape.of(model)
    method = od.NuHOPS(trajectories=448, seed=3, keep_trajectories=True)
    times = np.arange(1, 49) * 0.5
    populations = []
    for start in ("n", "s+"):
        run = od.solve(model, landscape.state(start), times, method, ["Sz"], progress=False)
        m = np.stack([run[f"S{axis}_trajectory"].values for axis in "xyz"], axis=-1) / 10
        populations.append(linear_populations(m, landscape))
    fit = fit_populations(times, *populations, lag=5.0)
    assert abs(fit.even - 0.131381) < 4 * fit.even_sem
    assert abs(fit.odd - 0.044201) < 4 * fit.odd_sem
    assert fit.even_sem < 0.015
    assert abs(fit.even - 0.131381 / 2) > 4 * fit.even_sem


@pytest.mark.slow
def test_splitting_agrees_with_direct_counting() -> None:
    """Escapes from a superradiant state at N = 50, s = 0.85; 4 standard errors: false-alarm rate 6e-5."""
    model = BISTABLE_CUT.model(0.85, n_atoms=50)
    method = od.NuHOPS(trajectories=16, seed=5, tol=1e-5)
    options = Splitting(replicas=4, particles=32, basin_time=30.0, seed=1)
    split = escape_rate(model, "s", options, method=method)
    seen = watch(model, "s+", 80.0, method, skip=10.0)
    first = np.where(np.isnan(seen.first), seen.times[-1], seen.first)
    escapes, exposure = int(np.isfinite(seen.first).sum()), float(first.sum())
    direct, error = escapes / exposure, math.sqrt(escapes) / exposure
    assert escapes >= 8
    assert abs(split.rate - direct) < 4 * math.hypot(split.sem, error)
    assert abs(split.rate / 20 - direct) > 2.5 * error  # a flux that lost a level's probability
    assert count_rates(seen.passages).sn.value > 0


def test_coordinate_knows_what_the_present_noise_will_do() -> None:
    """At the superradiant fixed point only the noise moves the spin, at once by 2Ck' − k'' × m."""
    landscape = Landscape.of(BISTABLE_CUT.model(0.7, n_atoms=100))
    model, moment = landscape.model, 1e-4
    steps = walk(model, od.NuHOPS(trajectories=1, tol=1e-10), look=moment, piece=1)
    direction = 2 * landscape.superradiant.m
    covariance = (np.eye(3) - np.outer(direction, direction)) / 4
    start = np.array([*landscape.superradiant.m, landscape.superradiant.beta.real, landscape.superradiant.beta.imag])
    parameters = np.array(
        [model.omega_a, model.omega_c, model.kappa, model.coupling, model.g_minus - model.g_plus], dtype=np.float64
    )
    for noise in (2.0 + 0j, 2j, -1.0 + 1j):
        walker = steps.start(landscape.state("s+"), np.random.default_rng(7))
        assert isinstance(walker, NuHOPSWalker)
        walker.noise = noise
        moved = (walker.go(np.random.default_rng(1))[0, :3] - start[:3]) / moment
        np.testing.assert_allclose(walker.push[1], covariance, rtol=0, atol=1e-3)
        expected, derivative = [np.empty(7), np.empty(7)], from_python(pushed_flow.derivative)
        for rate, sign in zip(expected, (1, -1), strict=True):
            derivative(parameters, np.array([*start, sign * noise.real / 10, sign * noise.imag / 10]), covariance, rate)
        scale = np.abs(moved).max()
        np.testing.assert_allclose(moved, expected[0][:3], rtol=0, atol=0.05 * scale)
        assert np.abs(moved - expected[1][:3]).max() > scale  # pushed the other way


def strongly_driven(tol: float) -> np.ndarray:
    """<S>/N of a trajectory of 1000 atoms along a noise made twice as strong, as it is in rare trajectories."""
    steps = NuHOPSWalk(BISTABLE_CUT.model(0.7, n_atoms=1000), od.NuHOPS(trajectories=1, tol=tol), look=0.25, piece=1)
    rng = np.random.default_rng(1)
    walker, means = steps.start(od.Normal(), np.random.default_rng(1)), []
    for _ in range(48):
        path, walker.noise = steps.noise.extend(rng, walker.noise)
        twice = replace(path, middle=2 * path.middle, slope=2 * path.slope)
        means.append(propagate(walker.state, steps.dynamics, twice, steps.record_after, 1)[-1, SPIN] / 1000)
    return np.array(means)


def test_rare_noise_is_followed_at_the_tolerance_of_escapes() -> None:
    """z* reaches 4.6 times its standard deviation. With amplitudes dropped at 1e-3 the mean spin jumps by 0.09."""
    exact = strongly_driven(1e-8)
    np.testing.assert_allclose(strongly_driven(TOLERANCE), exact, rtol=0, atol=1e-3)  # 7e-6 was seen
    assert np.abs(strongly_driven(1e-3) - exact).max() > 0.02
