"""Labels, passages and the reaction coordinate, on trajectories made by hand."""

import numpy as np
import pytest

import opendicke as od
from opendicke.analysis import FixedPoint
from opendicke.analysis.tunnelling import (
    BISTABLE_CUT,
    Classifier,
    Cut,
    Landscape,
    LookAhead,
    PassageCounter,
    Regions,
    classify,
    occupied,
    watch,
)

LANDSCAPE = Landscape.of(BISTABLE_CUT.model(0.688, n_atoms=100))
REGIONS = Regions.of(LANDSCAPE)
SPACING = 0.25


def telegraph(path: list[int], samples: int, noise: float, seed: int = 1) -> np.ndarray:
    """m that rests at the states of ``path``, ``samples`` samples each, with correlated noise."""
    rng = np.random.default_rng(seed)
    m = np.repeat(REGIONS.centres[path], samples, axis=0)
    shake = np.empty_like(m)
    value = np.zeros(3)
    for i in range(len(m)):
        value = 0.6 * value + 0.8 * noise * rng.standard_normal(3)
        shake[i] = value
    return m + shake


def test_cut_passes_through_the_stated_point_and_is_a_parameter() -> None:
    model = BISTABLE_CUT.model(0.688, n_atoms=7)
    assert (model.g_minus, model.g_plus, model.n_atoms) == (
        pytest.approx(1.8, abs=3e-4),
        pytest.approx(0.782, abs=3e-4),
        7,
    )
    assert Cut((1.8, 0.7), (0.0, 0.1), omega_c=2.0).model(0.5, 3).g_plus == pytest.approx(0.75)
    with pytest.raises(ValueError, match="direction"):
        Cut((1.8, 0.7), (0.0, 0.0))


def test_a_model_that_is_not_bistable_is_refused() -> None:
    with pytest.raises(ValueError, match="bistable"):
        Landscape.of(BISTABLE_CUT.model(1.3, n_atoms=10))
    with pytest.raises(ValueError, match="bistable"):
        Landscape.of(BISTABLE_CUT.model(-0.3, n_atoms=10))


def test_labels_and_passages_of_a_telegraph() -> None:
    path = [0, 1, 0, 2, 0, 1]
    labels, passages = classify(telegraph(path, 400, 0.03), SPACING, REGIONS)
    settled = labels.reshape(len(path), 400)[:, 40:]
    assert (settled == np.array(path)[:, None]).all()
    assert passages.counts.tolist() == [[0, 2, 1], [1, 0, 0], [1, 0, 0]]
    assert passages.residence.sum() == pytest.approx(len(path) * 100, abs=1)
    # the first state was entered before the watch began, the last never left
    assert [len(dwells) for dwells in passages.dwells] == [2, 1, 1]
    assert passages.dwells[1][0] == pytest.approx(100, abs=2)


def test_blocks_make_no_difference() -> None:
    m = telegraph([0, 1, 0, 2], 100, 0.06)
    whole = Classifier(REGIONS, SPACING).feed(m)
    piecewise = Classifier(REGIONS, SPACING)
    parts = np.concatenate([piecewise.feed(part) for part in np.split(m, [1, 3, 50, 51, 52, 200])])
    np.testing.assert_array_equal(whole, parts)


def test_thresholds_and_window_do_not_matter_where_states_are_far_apart() -> None:
    m = telegraph([0, 1, 0, 2, 1, 0], 300, 0.05)
    expected = classify(m, SPACING, REGIONS)[1].counts
    for enter, leave, window in ((0.35, 1.0, 2.0), (0.6, 1.3, 2.0), (0.5, 1.0, 4.0), (0.5, 0.8, 1.5)):
        regions = Regions.of(LANDSCAPE, enter=enter, leave=leave, window=window)
        np.testing.assert_array_equal(classify(m, SPACING, regions)[1].counts, expected)


def test_without_average_noise_is_taken_for_passages() -> None:
    """The mutation of the test above: it can fail."""
    m = telegraph([0, 1, 0, 2, 1, 0], 300, 0.2)
    averaged = classify(m, SPACING, Regions.of(LANDSCAPE, window=6.0))[1].counts.sum()
    raw = classify(m, SPACING, Regions.of(LANDSCAPE, window=0.0))[1].counts.sum()
    assert raw > averaged >= 5


def test_an_excursion_is_transit_and_no_passage() -> None:
    saddle = LANDSCAPE.saddle.m
    far = saddle + 0.3 * (LANDSCAPE.saddle.m - LANDSCAPE.normal.m)
    m = np.concatenate(
        [np.tile(REGIONS.centres[0], (60, 1)), np.tile(far, (40, 1)), np.tile(REGIONS.centres[0], (60, 1))]
    )
    labels, passages = classify(m, SPACING, REGIONS)
    assert -1 in labels[60:100]
    assert passages.counts.sum() == 0
    assert passages.residence.tolist() == [160 * SPACING, 0, 0]
    assert (occupied(labels)[:, 0] == 1).all()


@pytest.mark.parametrize("s", [0.3, 0.688])
def test_the_default_window_is_one_period_of_mean_field_about_the_superradiant_state(s: float) -> None:
    """The period by a count of zeros, to 1 %: what else moves has died out, and the amplitude is 1e-3."""
    landscape = Landscape.of(BISTABLE_CUT.model(s, n_atoms=100))
    state, times = landscape.state("s+"), np.linspace(0.0, 14.0, 1401)
    nearby = od.SpinCoherent(state.theta + 1e-3, state.phi, state.alpha)
    run = od.solve(landscape.model, nearby, times, od.MeanField(), ["Sz"], progress=False)
    away = run.Sz.values / 100 - landscape.superradiant.m[2]
    late = (times[:-1] > 7) & (away[:-1] * away[1:] < 0)
    zeros = (times[:-1] - away[:-1] * np.diff(times) / np.diff(away))[late]
    assert len(zeros) >= 4
    assert Regions.of(landscape).window == pytest.approx(2 * np.diff(zeros).mean(), rel=0.01)


def test_by_default_a_state_ends_at_the_saddle_and_begins_half_way_to_it() -> None:
    saddles = np.array([LANDSCAPE.saddle.m, LANDSCAPE.saddle.mirror().m])
    for place, centre in enumerate(REGIONS.centres):
        nearest = min(np.linalg.norm(centre - saddle) for saddle in saddles)
        assert (REGIONS.enter[place], REGIONS.leave[place]) == (pytest.approx(nearest / 2), pytest.approx(nearest))


#: At 0.5, 1.0 … 6.0: from n to s+ at 2.0, back at 4.0, and through transit to s+ again at 6.0.
BY_HAND = np.array([0, 0, 0, 1, 1, 1, 1, 0, 0, -1, -1, 1], dtype=np.int8)


@pytest.mark.parametrize(
    ("skip", "out", "back", "residence", "dwells"),
    [
        (None, 2, 1, [3.5, 2.5, 0.0], ([2.0], [2.0], [])),
        (1.0, 2, 1, [2.5, 2.5, 0.0], ([2.0], [2.0], [])),
        (2.0, 1, 1, [2.0, 2.0, 0.0], ([2.0], [], [])),  # what happened until then is not known, nor when it began
        (5.5, 1, 0, [0.0, 0.5, 0.0], ([], [], [])),
        (6.0, 0, 0, [0.0, 0.0, 0.0], ([], [], [])),
    ],
)
def test_what_is_skipped_counts_for_nothing_and_by_default_nothing_is(
    skip: float | None, out: int, back: int, residence: list[float], dwells: tuple[list[float], ...]
) -> None:
    counter = PassageCounter(0.5) if skip is None else PassageCounter(0.5, skip)
    for part in np.split(BY_HAND, [1, 7]):
        counter.feed(part)
    found = counter.passages
    assert found.counts.tolist() == [[0, out, 0], [back, 0, 0], [0, 0, 0]]
    assert (found.residence.tolist(), found.dwells) == (residence, dwells)


def test_watching_counts_all_of_the_time_but_what_is_skipped() -> None:
    """5000 atoms stay where they are for 32 time units (two pieces); labels every time unit."""
    model, method = LANDSCAPE.model.replace(n_atoms=5000), od.TruncatedWigner(trajectories=3)
    for skipped in (None, 5.0):
        more = {} if skipped is None else {"skip": skipped}
        seen = watch(model, "s-", 20.0, method, executor=od.Serial(), **more)
        assert seen.times.tolist() == list(range(1, 33))
        assert (seen.labels == 2).all()
        assert seen.passages.residence.tolist() == [0.0, 0.0, 3 * (32 - (skipped or 0.0))]
        assert np.isnan(seen.first).all()


@pytest.mark.parametrize("basin", ["n", "s"])
def test_reaction_coordinate_at_the_fixed_points(basin: str) -> None:
    ahead = LookAhead(LANDSCAPE, basin)

    def q(point: FixedPoint) -> float:
        return float(ahead(np.array([[*point.m, point.beta.real, point.beta.imag]]))[0])

    assert q(LANDSCAPE.normal) == pytest.approx(0, abs=1e-12)
    assert q(LANDSCAPE.superradiant) == pytest.approx(1, abs=1e-6)
    assert q(LANDSCAPE.superradiant.mirror()) == pytest.approx(-1, abs=1e-6)
    assert q(LANDSCAPE.saddle) == pytest.approx(ahead.saddle, abs=1e-6)
    assert 0.2 < ahead.saddle < 0.8


def test_reaction_coordinate_ignores_the_oscillation_around_a_superradiant_state() -> None:
    point = LANDSCAPE.superradiant
    values, vectors = np.linalg.eig(point.jacobian)
    fastest, slow = vectors[:, np.argmax(values.imag)].real, vectors[:, np.argmin(np.abs(values + 0.4))].real

    def shift(direction: np.ndarray, basin: str) -> float:
        q, p, re, im = 1e-3 * direction / np.linalg.norm(direction)
        state = [*(point.m + q * point.frame[0] + p * point.frame[1]), point.beta.real + re, point.beta.imag + im]
        return abs(float(LookAhead(LANDSCAPE, basin)(np.array([state]))[0]) - 1)

    assert shift(slow, "s") > 5 * shift(fastest, "s")
    assert shift(slow, "n") < 5 * shift(fastest, "n")  # the other basin's coordinate would not do
