"""Gaussian trajectories in steps that the spin sets: the same paths as with steps that resolve the cavity."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest

import opendicke as od
from opendicke.engine.fast_cavity import FastPath
from opendicke.engine.noise import NoisePath
from opendicke.engine.wigner import VacuumNoise
from opendicke.methods.gaussian_trajectories import _pair_flow
from opendicke.problem import Problem
from opendicke.solve import describe
from test_fast_cavity import MODEL, STATE, TIMES, coarsened, scores

#: So many atoms that terms of order 1/N, which the two kinds of steps do not share, are none.
ATOMS = 10**7
DURATION = 3.0
#: ω_c, κ, share of the second coupling.
CASES = [(25.0, 15.0, -0.6), (250.0, 15.0, 0.0), (250.0, 0.5, 0.0), (-250.0, 0.5, 0.6)]


class Resolved:
    """A path at 1.3 times the critical coupling, what noise makes of the spin along it, and x."""

    def __init__(self, omega_c: float, kappa: float, skew: float) -> None:
        size = 1.3 * np.sqrt((omega_c**2 + kappa**2) / abs(omega_c))
        pair = {"g_minus": size * (1 + skew) / 2, "g_plus": size * (1 - skew) / 2}
        self.model = od.DickeModel(n_atoms=ATOMS, omega_a=1.0, omega_c=omega_c, kappa=kappa, **pair)
        self.w = complex(kappa, omega_c)
        self.fine = 128 * int(np.ceil(DURATION * abs(self.w) / 0.1 / 128))
        steps = np.full(self.fine, DURATION / self.fine)
        self.path = VacuumNoise(steps, omega_c, kappa).sample(np.random.default_rng(3))
        # of the vacuum's noise z/√2, that of nuHOPS
        path = NoisePath(steps, *(np.sqrt(2) * part.conj() for part in (self.path.middle, self.path.slope)))
        self.moved, self.x = self.run(path, fast=False)

    def run(self, path: NoisePath, fast: bool) -> tuple[np.ndarray, np.ndarray]:
        """How far noise takes the spin at 16 times, in √N/2, and x there."""
        count, frame, found = path.steps.size, od.SpinCoherent(2.6, 0.3).frame(), []
        hits = np.full(count + 1, -1)
        hits[:: count // 16] = np.arange(17)
        for one in (path, silent(path)):
            record, _, end = _pair_flow(self.model, fast).run(frame, 0j, 0j, one, hits, 17)
            assert end == count + 1
            found.append(record)
        moved = np.sqrt(ATOMS) * (found[0].frames - found[1].frames)[:, 0, 2]
        return moved, found[0].pairs[:, 0, 0]

    def errors(self, path: FastPath) -> tuple[float, float]:
        moved, x = self.run(path, fast=True)
        return float(np.abs(moved - self.moved).max()), float(np.abs(x - self.x).max())

    def coarse(self, count: int) -> FastPath:
        return coarsened(self.path, self.fine // count, self.w)


def silent(path: NoisePath) -> NoisePath:
    """No noise on the same steps."""
    rest = {part.name: 0 * getattr(path, part.name) for part in dataclasses.fields(path) if part.name != "steps"}
    return dataclasses.replace(path, **rest)


@cache
def resolved(case: int) -> Resolved:
    return Resolved(*CASES[case])


@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_error_at_a_step_does_not_grow_with_the_frequency(case: int) -> None:
    """At H = 0.047/ω_a, |w|H from 1.4 to 12: of a noise that moves the spin by 0.2 to 2 times √N/2."""
    moved, x = resolved(case).errors(resolved(case).coarse(64))
    assert moved < 0.02
    assert x < 4e-3
    assert np.abs(resolved(case).moved).max() > 0.1


def test_order() -> None:
    first, last = (resolved(1).errors(resolved(1).coarse(count))[1] for count in (32, 128))
    assert np.log2(first / last) / 2 > 1.8


@pytest.mark.parametrize("part", ["middle", "resonant"])
def test_each_number_that_is_drawn_counts(part: str) -> None:
    path = resolved(0).coarse(64)
    lost = dataclasses.replace(path, **{part: 0 * getattr(path, part)})
    assert resolved(0).errors(lost)[0] > 3 * resolved(0).errors(path)[0]


def test_mean_spins_are_those_of_steps_that_resolve_the_cavity() -> None:
    """15 correlated numbers of independent runs: none beyond 4.5 (1 in 10 000), rms below 1.6.

    At so many atoms the field that rings is off by more than its standard error, by a thousandth of its size.
    """
    model, names = MODEL.replace(n_atoms=10**5), ["Sx", "Sy", "Sz", "Sx2", "Sz2"]
    slow = od.solve(model, STATE, TIMES, od.GaussianTrajectories(200, seed=1, fast_cavity=False), names)
    fast = od.solve(model, STATE, TIMES, od.GaussianTrajectories(200, seed=2), names)
    assert (slow.attrs["fast_cavity"], fast.attrs["fast_cavity"]) == (0, 1)
    assert fast.attrs["noise_step"] > 20 * slow.attrs["noise_step"]
    score = scores(fast, slow)
    assert score.size == 15
    assert np.abs(score).max() < 4.5
    assert np.sqrt((score**2).mean()) < 1.6
    other = od.solve(model.replace(g_plus=5.03), STATE, TIMES, od.GaussianTrajectories(200, seed=2), names)
    assert np.abs(scores(other, slow)).max() > 10


def test_keys_and_streams_change_only_where_steps_do() -> None:
    near = MODEL.replace(omega_c=2.5, g_minus=1.0, g_plus=1.0)

    def key(model: od.DickeModel, state: od.SpinCoherent = STATE, **options: object) -> object:
        return describe(Problem(model, state, TIMES), od.GaussianTrajectories(10, **options))  # type: ignore[arg-type]

    assert key(MODEL) == key(MODEL, fast_cavity=True) != key(MODEL, fast_cavity=False)
    squeezed = od.SpinCoherent(2.2, cavity=od.cavities.Squeezed(0.3))
    for told in (key(near), key(MODEL, squeezed), key(MODEL, fast_cavity=False)):
        assert "fast_cavity" not in told["options"]  # type: ignore[index]


def test_a_phase_of_the_couplings_is_turned_away_first() -> None:
    turned = MODEL.replace(g_minus=8j, g_plus=5j)
    assert od.solve(turned, STATE, [1.0], od.GaussianTrajectories(2), ["Sz"]).attrs["fast_cavity"] == 1


def test_a_state_without_a_norm_is_a_failure_and_no_number() -> None:
    """Of few atoms, from where a state is unstable; the message says when."""
    model, method = MODEL.replace(n_atoms=10, g_minus=10.0, g_plus=10.0), od.GaussianTrajectories(20, seed=1)
    with pytest.warns(od.FailedTrajectoryWarning, match=r"stopped at time [\d.]+: its Gaussian state"):
        answer = od.solve(model, STATE, [10.0, 20.0], method)
    assert 0 < answer.attrs["trajectories"] < 20
    assert np.isfinite(answer.Sz.values).all()


def test_refusals() -> None:
    method = od.GaussianTrajectories(2, fast_cavity=True)
    for model in (MODEL.replace(g_minus=od.Ramp([0.0, 1.0], [7.0, 8.0])), MODEL.replace(n_thermal=0.5)):
        with pytest.raises(ValueError, match="fast_cavity: expected no True unless the model has one spin, one mode"):
            od.solve(model, STATE, TIMES, method)
    several = od.System(
        spins=[od.Spin(n_atoms=100, omega_a=1.0)] * 2, modes=MODEL.system.modes, g_minus=[[8.0]] * 2, g_plus=[[5.0]] * 2
    )
    with pytest.raises(ValueError, match="fast_cavity: expected no True unless the model has one spin, one mode"):
        od.solve(several, STATE, TIMES, method)
    with pytest.raises(ValueError, match="fast_cavity: expected no True with a cavity that starts Squeezed"):
        od.solve(MODEL, od.SpinCoherent(2.2, cavity=od.cavities.Squeezed(0.3)), TIMES, method)
    with pytest.raises(ValueError, match=r"step: expected at most 0\.\d+, one over the fastest rate"):
        od.solve(MODEL, STATE, TIMES, od.GaussianTrajectories(2, step=2.0))
    with pytest.raises(TypeError, match="fast_cavity: expected True or False"):
        od.GaussianTrajectories(2, fast_cavity="yes")  # type: ignore[arg-type]
