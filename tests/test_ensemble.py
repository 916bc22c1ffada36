"""Running moments against numpy, streams by index, executors, and ensembles of made-up trajectories."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import opendicke as od
from opendicke.ensemble.moments import Moments
from opendicke.ensemble.run import BATCHES, BLOCK, BlockRunner, Ensemble, Sample, TrajectoryError, blocks, run_ensemble
from opendicke.ensemble.streams import stream
from opendicke.progress import Silent

# Moments


def gathered(samples: np.ndarray) -> Moments:
    moments = Moments.of(samples[0])
    for sample in samples[1:]:
        moments.add(sample)
    return moments


def sem(samples: np.ndarray) -> np.ndarray:
    return samples.std(axis=0, ddof=1) / np.sqrt(len(samples))


@pytest.mark.parametrize("count", [2, 3, 500])
def test_moments_are_those_of_numpy(count: int) -> None:
    samples = np.random.default_rng(0).normal(2.0, 3.0, size=(count, 4, 5))
    moments = gathered(samples)
    assert moments.count == count
    np.testing.assert_allclose(moments.mean, samples.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.sem, sem(samples), rtol=1e-12)


@pytest.mark.parametrize("cuts", [[1], [499], [3, 10, 11, 400]])
def test_merged_moments_are_those_of_all(cuts: list[int]) -> None:
    samples = np.random.default_rng(1).standard_cauchy(size=(500, 3))
    parts = np.split(samples, cuts)
    for order in (parts, parts[::-1]):
        whole = gathered(order[0])
        for part in order[1:]:
            other = gathered(part)
            before = other.mean.copy()
            whole.merge(other)
            np.testing.assert_array_equal(other.mean, before)
        assert whole.count == 500
        np.testing.assert_allclose(whole.mean, samples.mean(axis=0), rtol=1e-10)
        np.testing.assert_allclose(whole.sem, sem(samples), rtol=1e-10)


def test_no_cancellation_at_a_large_offset() -> None:
    """A variance of one on top of 10^9, where E x² − (E x)² has no correct digit."""
    samples = 1e9 + np.random.default_rng(2).normal(size=(1000, 1))
    halves = [gathered(half) for half in np.split(samples, 2)]
    halves[0].merge(halves[1])
    for moments in (gathered(samples), halves[0]):
        np.testing.assert_allclose(moments.sem, sem(samples), rtol=1e-6)
    naive = (samples**2).mean() - samples.mean() ** 2
    assert abs(naive - 1) > 0.5


def test_one_sample_has_no_error_bar_and_is_copied() -> None:
    sample = np.array([1.0, 2.0])
    moments = Moments.of(sample)
    assert np.isnan(moments.sem).all()
    moments.add(np.array([3.0, 4.0]))
    np.testing.assert_array_equal(sample, [1.0, 2.0])


# Streams


def test_streams_are_named_by_seed_point_and_index() -> None:
    names = [(seed, index, point) for seed in (0, 1, 2**70) for index in (0, 1, 17) for point in (0, 1)]
    numbers = {stream(*name).standard_normal() for name in names}
    assert len(numbers) == len(names)
    assert stream(5, 3).standard_normal() == stream(5, 3, 0).standard_normal()


def test_neighbouring_streams_are_uncorrelated() -> None:
    """Correlation of streams i and i + 1: standard normal over √n, |z| < 4.5 of 3 numbers (false alarms 2e-5)."""
    draws = np.array([stream(0, index).standard_normal(200) for index in range(400)])
    for one, other in ((draws[:-1], draws[1:]), (draws[:, :-1], draws[:, 1:]), (draws[:-2], draws[2:])):
        assert abs((one * other).sum() / np.sqrt(one.size)) < 4.5
    assert abs((draws * draws).sum() / np.sqrt(draws.size)) > 9


# Executors


def squares(numbers: Any, executor: od.Serial | od.Threads) -> list[int]:
    return list(executor.map(lambda number: number**2, numbers))


@pytest.mark.parametrize("executor", [od.Serial(), od.Threads(), od.Threads(1), od.Threads(3)])
def test_executors_keep_the_order(executor: Any) -> None:
    assert squares(range(100), executor) == [number**2 for number in range(100)]
    assert squares([], executor) == []


def test_the_order_is_kept_when_the_first_is_the_slowest() -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.05 if number == 0 else 0)
        return number

    assert list(od.Threads(4).map(slow_first, range(20))) == list(range(20))


def test_threads_take_no_more_than_they_can_hold() -> None:
    """Items are drawn as results are taken, so that an endless source is no problem."""
    taken = []

    def endless() -> Iterator[int]:
        number = 0
        while True:
            taken.append(number)
            yield number
            number += 1

    results = od.Threads(2).map(lambda number: number, endless())
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    results.close()  # type: ignore[attr-defined]
    assert len(taken) <= 5 + 8


@pytest.mark.parametrize("executor", [od.Serial(), od.Threads(2)])
def test_exceptions_come_out(executor: Any) -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise ZeroDivisionError("three")
        return number

    with pytest.raises(ZeroDivisionError, match="three"):
        list(executor.map(fail, range(50)))
    assert threading.active_count() < 20


@pytest.mark.parametrize(("workers", "error"), [(0, ValueError), (2.0, TypeError), ("2", TypeError)])
def test_a_bad_number_of_workers_is_refused(workers: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="workers: expected an integer"):
        od.Threads(workers)


# Ensembles


class Fake:
    """Trajectory i records its own numbers; some fail."""

    def __init__(self, *failing: int) -> None:
        self.failing = failing

    def __call__(self, index: int) -> Sample:
        if index in self.failing:
            raise TrajectoryError(f"trajectory {index} fell over")
        values = np.random.default_rng(index).normal(size=3)
        return Sample({"x": values}, {"first": values[:1]}, {"largest": float(index % 7)}, {"work": 1.0})


@pytest.mark.parametrize("count", [1, 2, BLOCK, BLOCK + 1, 5 * BATCHES + 3])
def test_an_ensemble_is_the_average_of_its_trajectories(count: int) -> None:
    ensemble = run_ensemble(Fake(), count, od.Threads(3), Silent())
    samples = np.array([Fake()(index).averaged["x"] for index in range(count)])
    moments = ensemble.moments("x")
    assert moments.count == count
    assert ensemble.indices == list(range(count))
    np.testing.assert_allclose(moments.mean, samples.mean(axis=0), rtol=1e-12, atol=1e-15)
    if count > 1:
        np.testing.assert_allclose(moments.sem, sem(samples), rtol=1e-12)
    np.testing.assert_array_equal(np.array(ensemble.kept["first"]), samples[:, :1])
    assert ensemble.peaks == {"largest": min(count - 1, 6)}
    assert ensemble.sums == {"work": count}
    for batch, found in enumerate(ensemble.filled("x")):
        np.testing.assert_allclose(found.mean, samples[batch::BATCHES].mean(axis=0), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("executor", [od.Threads(1), od.Threads(2), od.Threads(7)])
def test_the_reduced_moments_do_not_depend_on_who_ran_them(executor: Any) -> None:
    one = run_ensemble(Fake(), 101, od.Serial(), Silent()).moments("x")
    other = run_ensemble(Fake(), 101, executor, Silent()).moments("x")
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.squares, other.squares)


def test_failures_are_kept_with_their_index_and_the_rest_goes_on() -> None:
    ensemble = run_ensemble(Fake(0, 33), 40, od.Threads(2), Silent())
    assert ensemble.failures == [(0, "trajectory 0 fell over"), (33, "trajectory 33 fell over")]
    assert ensemble.moments("x").count == 38
    assert 33 not in ensemble.indices


def test_only_a_trajectory_error_is_a_failed_trajectory() -> None:
    """A mistake in the program is not swallowed."""

    def broken(index: int) -> Sample:
        raise KeyError(index)

    with pytest.raises(KeyError):
        BlockRunner(broken)(range(3))


def test_reading_the_moments_does_not_change_them() -> None:
    ensemble = Ensemble()
    for index in range(70):
        ensemble.add(index, Fake()(index))
    np.testing.assert_array_equal(ensemble.moments("x").mean, ensemble.moments("x").mean)
    assert ensemble.moments("x").count == 70


@pytest.mark.parametrize("count", [1, 15, 16, 17, 100])
def test_blocks_cover_all_indices_once(count: int) -> None:
    assert [index for block in blocks(count) for index in block] == list(range(count))
