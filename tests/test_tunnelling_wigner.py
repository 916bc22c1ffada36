"""Truncated Wigner trajectories walked piece by piece, and their tunnelling rates by the same means as nuHOPS."""

import math

import numpy as np
import pytest

import opendicke as od
from opendicke.analysis.tunnelling import (
    BISTABLE_CUT,
    Classifier,
    Landscape,
    Regions,
    Splitting,
    count_rates,
    escape_rate,
    fit_populations,
    watch,
)
from opendicke.engine.wigner import VacuumNoise, VacuumPath
from opendicke.tunnelling.classify import NORMAL, TRANSIT
from opendicke.tunnelling.splitting import _Climb
from opendicke.tunnelling.walker import WignerWalk, WignerWalker, walk

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


@pytest.mark.slow
def test_pieces_make_no_difference_to_the_ensemble() -> None:
    """80 deviations, each within 5 standard errors: false-alarm rate 5e-5. 5 % of the field lost on the way fails."""
    assert np.abs(deviations()).max() < 5
    assert np.abs(deviations(0.95)).max() > 5


def spread_of_the_field(vacuum: type[VacuumNoise] = VacuumNoise) -> np.ndarray:
    """E|α|² − |E α|² of 2000 uncoupled walkers over ½, less 1, in standard errors: at the start, and after each piece.

    A vacuum it stays, so |α − E α|² is exponentially distributed: a standard error is 1/√2000.
    """
    model = od.DickeModel(n_atoms=3, omega_a=1.0, omega_c=0.8, kappa=0.6, g_minus=0.0, g_plus=0.0)
    steps, rng = walk(model, od.TruncatedWigner(1), look=1.0, piece=1), np.random.default_rng(3)
    assert isinstance(steps, WignerWalk)
    steps.noise = vacuum(steps.noise.steps, model.omega_c, model.kappa)
    fields = np.empty((2000, 3), dtype=np.complex128)
    for one in fields:
        walker = steps.start(od.SpinCoherent(2.0, alpha=1.5 - 0.5j), rng)
        one[0] = walker.alpha
        for piece in (1, 2):
            walker.go(rng)
            one[piece] = walker.alpha
    mean = (1.5 - 0.5j) * np.exp(-(model.kappa + 1j * model.omega_c) * np.arange(3))
    away = np.abs(fields - mean) ** 2
    np.testing.assert_allclose(fields.mean(axis=0), mean, rtol=0, atol=5 / np.sqrt(2 * 2000))
    return (away.mean(axis=0) / 0.5 - 1) * np.sqrt(2000)


class Loud(VacuumNoise):
    """The vacuum without its √½."""

    def sample(self, rng: np.random.Generator) -> VacuumPath:
        path = super().sample(rng)
        return VacuumPath(path.steps, *(np.sqrt(2) * part for part in (path.middle, path.slope, path.ends)))


def test_walkers_have_the_vacuums_noise() -> None:
    """From the start on, and from piece to piece: 5 standard errors, false-alarm rate 2e-6."""
    assert np.abs(spread_of_the_field()).max() < 5
    assert spread_of_the_field(Loud)[1:].min() > 10


def returned(commit: float | None = None) -> int:
    """How many of 100 arrivals from the normal state are back there before another state is entered."""
    options = Splitting() if commit is None else Splitting(commit=commit)
    model, rng = BISTABLE_CUT.model(0.688, n_atoms=40), np.random.default_rng(3)
    regions, back = Regions.of(Landscape.of(model)), 0
    climb = _Climb(model, "n", options, od.TruncatedWigner(1))
    for _ in range(100):
        walker, _ = climb.settled(rng)
        while climb.look(walker, rng) < math.inf:
            pass
        classifier, label = Classifier(regions, options.look), TRANSIT
        for look in range(400):
            label = int(classifier.feed(walker.go(rng)[:, :3])[0])
            if label != TRANSIT and look * options.look > regions.window:
                break
        back += label == NORMAL
    return back


def test_by_default_who_has_arrived_does_not_come_back() -> None:
    """An arrival that returns is no escape: the share is the error of the rate, 4 % here, below what sampling leaves.

    More than 13 of 100 have a probability of 5e-5 if 4 % return; with an arrival near the saddle 28 % do.
    """
    assert returned() <= 13
    assert returned(commit=0.05) > 13


def test_three_ways_to_a_rate_agree() -> None:
    """N = 80, (1.8, 0.782): 4 standard errors between counting, fitting and splitting; false-alarm rate 2e-4."""
    model = BISTABLE_CUT.model(0.688, n_atoms=80)
    method = od.TruncatedWigner(trajectories=96, seed=3)
    runs = [watch(model, start, 480.0, method, skip=20.0) for start in ("n", "s+")]
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
