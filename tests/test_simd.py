"""The vector operations, lane by lane, against numpy: both element types, NaN and infinity included."""

from typing import Any

import numpy as np
import pytest

from opendicke.engine.compile import compiled
from opendicke.engine.simd import lanes, larger, largest, load, spread, store, total

DTYPES = ["float64", "float32"]


@compiled
def width_of(x):  # type: ignore[no-untyped-def]
    return lanes(x)


@compiled
def copy_at(x, out, at, to):  # type: ignore[no-untyped-def]
    store(out, to, load(x, at))


@compiled
def fill_at(out, value, to):  # type: ignore[no-untyped-def]
    store(out, to, spread(out, value))


@compiled
def combine(x, y, plus, minus, times):  # type: ignore[no-untyped-def]
    left, right = load(x, 0), load(y, 0)
    store(plus, 0, left + right)
    store(minus, 0, left - right)
    store(times, 0, left * right)


@compiled
def larger_of(x, y, out):  # type: ignore[no-untyped-def]
    store(out, 0, larger(load(x, 0), load(y, 0)))


@compiled
def folds(x):  # type: ignore[no-untyped-def]
    return total(load(x, 0)), largest(load(x, 0))


def numbers(dtype: str, seed: int = 0, size: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=size).astype(dtype)


@pytest.mark.parametrize(("dtype", "width"), [("float64", 8), ("float32", 16)])
def test_lanes(dtype: str, width: int) -> None:
    assert width_of(np.empty(0, dtype)) == width


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("at", "to"), [(0, 0), (1, 5), (7, 3)])
def test_load_and_store_at_any_place(dtype: str, at: int, to: int) -> None:
    """What lies beside the lanes is not touched."""
    x, out = numbers(dtype, size=40), np.zeros(40, dtype)
    width = width_of(x)
    copy_at(x, out, at, to)
    expected = np.zeros(40, dtype)
    expected[to : to + width] = x[at : at + width]
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.1, -3.0, np.inf, np.nan])
def test_spread(dtype: str, value: float) -> None:
    out = np.zeros(40, dtype)
    fill_at(out, value, 4)
    np.testing.assert_array_equal(out[4 : 4 + width_of(out)], np.dtype(dtype).type(value))
    assert (out[:4] == 0).all()
    assert (out[4 + width_of(out) :] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_arithmetic(dtype: str) -> None:
    x, y = numbers(dtype, 1), numbers(dtype, 2)
    x[3], y[5] = np.nan, np.inf
    plus, minus, times = (np.zeros(16, dtype) for _ in range(3))
    combine(x, y, plus, minus, times)
    width = width_of(x)
    for got, expected in ((plus, x + y), (minus, x - y), (times, x * y)):
        np.testing.assert_array_equal(got[:width], expected[:width])


@pytest.mark.parametrize("dtype", DTYPES)
def test_larger_shows_a_nan_on_either_side(dtype: str) -> None:
    x, y = numbers(dtype, 1), numbers(dtype, 2)
    x[2], x[4], y[6], y[3], x[5], y[5] = np.nan, np.inf, np.inf, np.nan, np.nan, np.nan
    out = np.zeros(16, dtype)
    larger_of(x, y, out)
    np.testing.assert_array_equal(out[: width_of(x)], np.maximum(x, y)[: width_of(x)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_folds(dtype: str) -> None:
    x = numbers(dtype, 3)[: width_of(np.empty(0, dtype))]
    added, peak = folds(x)
    np.testing.assert_allclose(added, x.astype(float).sum(), rtol=1e-14 if dtype == "float64" else 1e-6, atol=1e-6)
    assert peak == x.max()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lane", range(16))
def test_every_lane_counts_in_a_fold(dtype: str, lane: int) -> None:
    """Sum and peak come from the one lane that is not zero."""
    x = np.zeros(16, dtype)
    x[lane] = 2.5
    inside: Any = lane < width_of(x)
    assert folds(x) == ((2.5, 2.5) if inside else (0, 0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_nan_in_any_lane_shows_in_sum_and_peak(dtype: str) -> None:
    for lane in range(width_of(np.empty(0, dtype))):
        x = numbers(dtype, 3)
        x[lane] = np.nan
        assert np.isnan(folds(x)).all()
