"""Steps that the spin sets, next to a cavity that is much faster: the same paths as with steps that resolve it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import opendicke as od
from opendicke.engine.fast_cavity import FastFlow, FastNoise, FastPath
from opendicke.engine.noise import resonant_transition, transition
from opendicke.engine.wigner import VacuumNoise, VacuumPath, WignerFlow
from opendicke.ensemble.streams import stream
from opendicke.methods.truncated_wigner import WignerSimulator, draw_spin, simple_flow
from opendicke.problem import Problem
from opendicke.solve import describe

DURATION = 6.4
COUNTS = (64, 128, 256)
#: ω_c, κ, share of the second coupling, atoms.
CASES = [
    (25.0, 0.5, 0.0, 100.0),
    (-25.0, 0.5, 0.6, 1e4),
    (250.0, 0.5, 0.0, 100.0),
    (250.0, 15.0, -0.6, 1e4),
    (2500.0, 0.5, 0.6, 1e4),
]


def coarsened(path: VacuumPath, factor: int, w: complex) -> FastPath:
    """What the path of steps that resolve the cavity is on a grid ``factor`` times coarser."""
    coarse = path.coarsen(factor)
    h = path.steps.reshape(-1, factor)
    left = h[:, ::-1].cumsum(axis=1)[:, ::-1] - h / 2  # from the middle of a step to the coarse step's end
    even, odd = 2 * np.sinh(w * h / 2) / w, h * np.cosh(w * h / 2) / w - 2 * np.sinh(w * h / 2) / w**2
    lines = path.middle.reshape(h.shape) * even + path.slope.reshape(h.shape) * odd
    return FastPath(coarse.steps, coarse.middle, coarse.slope, coarse.ends, (np.exp(-w * left) * lines).sum(axis=1))


class Resolved:
    """A path at 1.3 times the critical coupling whose steps resolve the cavity; per-atom errors of coarser ones."""

    def __init__(self, omega_c: float, kappa: float, skew: float, n_atoms: float) -> None:
        g_x = 1.3 * np.sqrt((omega_c**2 + kappa**2) / abs(omega_c) / n_atoms)
        self.rates = 1.0, omega_c, kappa, g_x, skew * g_x
        self.n_atoms, self.w = n_atoms, complex(kappa, omega_c)
        self.fine = max(COUNTS) * int(np.ceil(DURATION * abs(omega_c) / 0.1 / max(COUNTS)))
        noise = VacuumNoise(np.full(self.fine, DURATION / self.fine), omega_c, kappa)
        self.path = noise.sample(np.random.default_rng(3))
        across = np.sqrt(n_atoms) / 2 * np.random.default_rng(5).standard_normal(2)
        self.spin = np.array([np.sin(2.6), 0, np.cos(2.6)]) * n_atoms / 2 + [*across, 0]
        self.points, _ = WignerFlow(*self.rates).run(self.spin, 0j, self.path, np.arange(self.fine + 1), self.fine + 1)

    def coarse(self, count: int) -> FastPath:
        return coarsened(self.path, self.fine // count, self.w)

    def error(self, path: FastPath) -> float:
        count = path.steps.size
        found, _ = FastFlow(*self.rates).run(self.spin, 0j, path, np.arange(count + 1), count + 1)
        return float(np.abs(found - self.points[:: self.fine // count]).max() / self.n_atoms)


@pytest.mark.parametrize("case", CASES)
def test_the_error_at_a_step_does_not_grow_with_the_frequency(case: tuple[float, ...]) -> None:
    """At H = 0.05/ω_a, where |w|H goes from 1.25 to 125; 1e-3 is what is left of products of fast terms at N = 100."""
    resolved = Resolved(*case)
    assert resolved.error(resolved.coarse(128)) < (1e-3 if abs(case[0]) < 100 else 1e-4)


@pytest.mark.parametrize(("case", "order"), [(CASES[0], 3.5), (CASES[1], 2.0)])
def test_order(case: tuple[float, ...], order: float) -> None:
    resolved = Resolved(*case)
    first, last = resolved.error(resolved.coarse(64)), resolved.error(resolved.coarse(256))
    assert np.log2(first / last) / 2 > order


def test_what_noise_leaves_in_resonance_counts_and_so_do_its_slopes() -> None:
    skew, plain = Resolved(*CASES[1]), Resolved(*CASES[0])
    path = skew.coarse(128)
    lost = dataclasses.replace(path, resonant=0 * path.resonant)
    assert skew.error(lost) > 5 * skew.error(path)
    path = plain.coarse(128)
    assert plain.error(dataclasses.replace(path, slope=0 * path.slope)) > 5 * plain.error(path)


@pytest.mark.parametrize(("h", "omega_c", "kappa"), [(0.1, 20.0, 0.5), (0.3, -100.0, 15.0), (0.2, 30.0, 0.0)])
def test_noise_of_long_steps(h: float, omega_c: float, kappa: float) -> None:
    r"""The first three numbers are those of any step; E|J|² = 2∫ u exp(−2κu) du for u up to h, J that in resonance."""
    mean, root = resonant_transition(h, omega_c, kappa)
    few, few_root = transition(h, omega_c, kappa)
    scale = np.array([1.0, h, h**2])
    np.testing.assert_allclose(mean[:3] / scale, few / scale, rtol=0, atol=1e-13)
    known = few_root @ few_root.conj().T / np.outer(scale, scale)
    np.testing.assert_allclose((root @ root.conj().T)[:3, :3] / np.outer(scale, scale), known, rtol=0, atol=1e-13)
    x = 2 * kappa * h
    exact = h**2 if x == 0 else 2 * (1 - (1 + x) * np.exp(-x)) / (2 * kappa) ** 2
    np.testing.assert_allclose(abs(mean[3]) ** 2 + (np.abs(root[3]) ** 2).sum(), exact, rtol=1e-12, atol=0)


def test_drawn_paths_have_that_covariance() -> None:
    """E of |J|² and of the conjugate of J times I0, over 4000 steps apart: within 4.5 errors each (1 in 70 000)."""
    h, omega_c, kappa = 0.3, 40.0, 15.0
    noise = FastNoise(np.full(12_000, h), omega_c, kappa)
    path = noise.sample(np.random.default_rng(1))
    mean, root = resonant_transition(h, omega_c, kappa)
    whole = (np.outer(mean, mean.conj()) + root @ root.conj().T).conj() / 2  # of ξ = conj(z*)/√2
    found, known = [], []
    first, resonant = h * path.middle[::3], path.resonant[::3]
    for sample, exact in ((np.abs(resonant) ** 2, whole[3, 3]), (resonant * first.conj(), whole[3, 1])):
        found += [abs(sample.mean() - exact) / (sample.std() / np.sqrt(sample.size))]
        known += [abs(2 * sample.mean() - exact) / (sample.std() / np.sqrt(sample.size))]
    assert max(found) < 4.5
    assert max(known) > 10  # of twice the power


MODEL = od.DickeModel(n_atoms=200, omega_a=1.0, omega_c=150.0, kappa=2.0, g_minus=8.0, g_plus=5.0)
STATE = od.SpinCoherent(2.2, 0.4)
TIMES = np.array([0.0, 1.0, 2.0, 4.0])


def scores(one: object, other: object) -> np.ndarray:
    """Differences of all channels in standard errors."""
    parts = []
    for name in ("Sx", "Sy", "Sz", "a", "n_photon", "Sx_a", "Sy_a", "Sz_a", "Sx2", "Sy2", "Sz2", "SxSz"):
        if name not in one:  # type: ignore[operator]
            continue
        a, b = one[name].values[1:], other[name].values[1:]  # type: ignore[index]
        error = one[f"{name}_sem"].values[1:], other[f"{name}_sem"].values[1:]  # type: ignore[index]
        for part in (np.real, np.imag) if np.iscomplexobj(a) else (np.real,):
            parts.append(part(a - b) / np.hypot(part(error[0]), part(error[1])))
    return np.concatenate(parts)


def test_truncated_wigner_takes_them_by_itself_and_answers_the_same() -> None:
    """Some 45 correlated numbers of independent runs: none beyond 4.5 (1 in 3000), rms below 1.4."""
    resolved = od.solve(MODEL, STATE, TIMES, od.TruncatedWigner(600, seed=1, fast_cavity=False))
    fast = od.solve(MODEL, STATE, TIMES, od.TruncatedWigner(600, seed=2))
    assert (resolved.attrs["fast_cavity"], fast.attrs["fast_cavity"]) == (0, 1)
    assert fast.attrs["noise_step"] > 20 * resolved.attrs["noise_step"]
    score = scores(fast, resolved)
    assert score.size > 40
    assert np.abs(score).max() < 4.5
    assert np.sqrt((score**2).mean()) < 1.4
    other = od.solve(MODEL.replace(g_plus=-5.0), STATE, TIMES, od.TruncatedWigner(600, seed=2))
    assert np.abs(scores(other, resolved)).max() > 10


@pytest.mark.parametrize(
    "model",
    [
        MODEL.replace(omega_c=300.0, kappa=1.0, n_atoms=100, g_minus=12.0, g_plus=6.0),
        MODEL.replace(omega_c=-300.0, kappa=3.0, n_atoms=1000, g_minus=15.0, g_plus=2.0),
        MODEL.replace(omega_c=1.0, kappa=20.0, n_atoms=100, g_minus=1.8, g_plus=0.782),  # near the edge of "fast"
    ],
)
def test_at_the_default_step_paths_are_right_to_far_less_than_one_over_n(model: od.DickeModel) -> None:
    """Root mean square over ten paths of the error of S/j at t = 10; measured 0.12/N, 0.34/N and 0.02/N."""
    options = od.TruncatedWigner(1)
    simulator = WignerSimulator(Problem(model, STATE, np.array([10.0])), options)
    assert simulator.fast
    w, count = complex(model.kappa, model.omega_c), simulator.steps.size
    factor = int(np.ceil(simulator.step * abs(w) / 0.1))
    noise = VacuumNoise(np.full(count * factor, 10.0 / (count * factor)), model.omega_c, model.kappa)
    square, ends = 0.0, np.array([-1] * count + [0])
    for index in range(10):
        rng = stream(3, index)
        spin, path = draw_spin(STATE, model.n_atoms, "gaussian", rng), noise.sample(rng)
        fine, _ = simple_flow(model).run(spin, 0j, path, np.array([-1] * count * factor + [0]), 1)
        coarse, _ = simple_flow(model, fast=True).run(spin, 0j, coarsened(path, factor, w), ends, 1)
        square += ((fine - coarse) ** 2).sum() / (model.n_atoms / 2) ** 2
    assert np.sqrt(square / 10) < 0.5 / model.n_atoms


def test_mean_field_is_off_by_what_it_says() -> None:
    exact = od.solve(MODEL, STATE, TIMES, od.MeanField())
    fast = od.solve(MODEL, STATE, TIMES, od.MeanField(fast_cavity=True))
    off = max(np.abs(fast[name].values - exact[name].values).max() for name in ("Sx", "Sy", "Sz")) / MODEL.n_atoms
    assert off < fast.attrs["step_error"] + fast.attrs["fast_share"] ** 2
    assert fast.attrs["step_error"] < 1e-4


def test_keys_tell_the_two_apart_where_they_differ() -> None:
    near = MODEL.replace(omega_c=2.5, g_minus=1.0, g_plus=1.0)

    def key(model: od.DickeModel, **options: object) -> object:
        return describe(Problem(model, STATE, TIMES), od.TruncatedWigner(10, **options))  # type: ignore[arg-type]

    assert key(MODEL) == key(MODEL, fast_cavity=True) != key(MODEL, fast_cavity=False)
    assert "fast_cavity" not in key(near)["options"]  # type: ignore[index]


@pytest.mark.parametrize("method", [od.TruncatedWigner(2, fast_cavity=True), od.MeanField(fast_cavity=True)])
def test_refusals(method: object) -> None:
    ramped = MODEL.replace(g_minus=od.Ramp([0.0, 1.0], [7.0, 8.0]))
    with pytest.raises(ValueError, match="fast_cavity: expected no True unless the model has one spin, one mode"):
        od.solve(ramped, STATE, TIMES, method)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="fast_cavity: expected True or False"):
        type(method)(**{**vars(method), "fast_cavity": "yes"})
