"""Truncated Wigner trajectories walked piece by piece, and their tunnelling rates by the same means as nuHOPS."""

import math

import numpy as np

import opendicke as od
from opendicke.analysis.tunnelling import (
    BISTABLE_CUT,
    Landscape,
    Splitting,
    count_rates,
    escape_rate,
    fit_populations,
    watch,
)
from opendicke.analysis.tunnelling.walker import WignerWalker, walk

TIMES = 0.5 * np.arange(1, 9)


def deviations(lost: complex = 1.0) -> np.ndarray:
    """Means and mean squares of 3000 walks in two pieces against ``solve``, in standard errors; shape (2, 8, 5).

    Between the pieces the field is multiplied by ``lost``.
    """
    model = BISTABLE_CUT.model(0.688, n_atoms=100)
    state, count = Landscape.of(model).state("s+"), 3000
    steps, rng = walk(model, od.TruncatedWigner(trajectories=1), look=0.5, piece=4), np.random.default_rng(6)
    found = np.empty((count, 8, 5))
    for one in found:
        walker = steps.start(state, rng)
        one[:4] = walker.go(rng)
        assert isinstance(walker, WignerWalker)
        walker.alpha *= lost
        one[4:] = walker.go(rng)
    method = od.TruncatedWigner(trajectories=count, seed=8, keep_trajectories=True)
    run = od.solve(model, state, TIMES, method, ["Sz"], progress=False)
    field = run.a_trajectory.values / 10
    spin = [run[f"S{axis}_trajectory"].values / 100 for axis in "xyz"]
    whole = np.stack([*spin, field.real, field.imag], axis=-1)
    pairs = [(found, whole), (found**2, whole**2)]
    return np.array([(a.mean(0) - b.mean(0)) / np.sqrt((a.var(0) + b.var(0)) / count) for a, b in pairs])


def test_pieces_make_no_difference_to_the_ensemble() -> None:
    """80 deviations, each within 5 standard errors: false-alarm rate 5e-5. 5 % of the field lost on the way fails."""
    assert np.abs(deviations()).max() < 5
    assert np.abs(deviations(0.95)).max() > 5


def test_three_ways_to_a_rate_agree() -> None:
    """N = 80, (1.8, 0.782): 4 standard errors between counting, fitting and splitting; false-alarm rate 2e-4."""
    model = BISTABLE_CUT.model(0.688, n_atoms=80)
    method = od.TruncatedWigner(trajectories=96, seed=3)
    runs = [watch(model, start, 640.0, method, skip=20.0) for start in ("n", "s+")]
    passages = runs[0].passages
    passages.add(runs[1].passages)
    counted = count_rates(passages)
    fit = fit_populations(runs[0].times, *(run.occupied() for run in runs))
    split = escape_rate(model, "n", Splitting(replicas=16, particles=32, seed=5), method=method)
    events = passages.counts[0].sum()
    error = 2 * counted.ns.value / math.sqrt(events)
    assert events > 100
    assert abs(2 * counted.ns.value - 2 * fit.ns) < 4 * math.hypot(error, 2 * fit.ns_sem)
    assert abs(2 * counted.ns.value - split.rate) < 4 * math.hypot(error, split.sem)
    assert abs(2 * counted.ns.value - 2 * split.rate) > 4 * math.hypot(error, split.sem)  # a lost factor of two
