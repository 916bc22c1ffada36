"""nuHOPS against exact numbers, within statistical error; in limits without any; and what it promises besides."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.special import gammaln

import opendicke as od
from opendicke.engine.noise import NoisePath, OrnsteinUhlenbeck, noise_steps
from opendicke.ensemble.streams import stream
from opendicke.methods import moving
from opendicke.observables.catalogue import CHANNELS
from random_models import MODELS, TIMES, TOL, random_case
from zscores import FALSE_ALARM, Comparison, channels_of, compare, sampled

REFERENCE = json.loads((Path(__file__).parent / "data" / "exact.json").read_text())
FIG1 = od.DickeModel(n_atoms=4, **REFERENCE["model"])
TILTED = od.SpinCoherent(np.pi / 4, np.pi)


# Against exact results, in standard errors


def stored(run: dict[str, Any]) -> tuple[list[int], np.ndarray]:
    """Channels among the stored exact numbers, and their values (times, channels)."""
    rows = run["data"]
    columns = {"Sx": "Sx", "Sy": "Sy", "Sz": "Sz", "Sxx": "Sx2", "re_a": "Re_a", "im_a": "Im_a", "n_photon": "n"}
    columns["n_photon2"] = "adadaa"
    values = {channel: np.array([row[column] for row in rows]) for channel, column in columns.items()}
    for part in ("re", "im"):
        connected = np.array([row[f"{part.title()}_Caf"] for row in rows])
        values[f"{part}_Sx_a"] = connected + values["Sx"] * values[f"{part}_a"]
    return [CHANNELS.index(channel) for channel in values], np.array(list(values.values())).T


def _named(run: dict[str, Any]) -> Any:
    """A stored case; the longest ones are for the long run."""
    name = f"N={run['n_atoms']} theta={run['theta']:.2f}"
    long = run["n_atoms"] > 10 or (run["n_atoms"] == 10 and run["theta"] > 3)
    return pytest.param(run, id=name, marks=[pytest.mark.slow] * long)


@pytest.mark.parametrize("run", [_named(run) for run in REFERENCE["runs"]])
def test_stored_exact_numbers(run: dict[str, Any]) -> None:
    """Fig. 1's parameters, up to t = 10; stored numbers are good to 1e-9. False alarms: 2e-4 for each case."""
    which, exact = stored(run)
    times = np.array([row["t"] for row in run["data"]])
    model, state = FIG1.replace(n_atoms=run["n_atoms"]), od.SpinCoherent(run["theta"], run["phi"])
    samples = sampled(model, state, times, od.NuHOPS(1000, seed=11, tol=TOL))
    assert compare(samples[:, :, which], exact).agrees


@cache
def exact_channels(model: od.DickeModel, state: od.SpinCoherent) -> np.ndarray:
    return channels_of(od.solve(model, state, TIMES, od.Lindblad()))


@cache
def random_comparison(case: int) -> Comparison:
    model, state = random_case(case)
    return compare(sampled(model, state, TIMES, od.NuHOPS(3000, seed=case, tol=TOL)), exact_channels(model, state))


CASES = range(MODELS)
#: The others have five to twelve atoms, and take as long as these eight.
EVERY_DAY = range(8)


@pytest.mark.parametrize("case", [*EVERY_DAY, *(pytest.param(case, marks=pytest.mark.slow) for case in CASES[8:])])
def test_every_variable_of_random_models(case: int) -> None:
    """Real and imaginary parts of every variable at four times: 60 to 84 numbers. False alarms: 2e-4 for each case."""
    assert random_comparison(case).agrees


@pytest.mark.slow
def test_random_models_together() -> None:
    """About 500 independent standard normals: rms 1 ± 0.03, so an error of a tenth of a standard error would show in
    all. False alarms: 1e-4."""
    every = np.concatenate([random_comparison(case).independent for case in CASES])
    larger = stats.chi2.sf((every**2).sum(), every.size)
    assert every.size > 400
    assert 2 * min(larger, 1 - larger) > FALSE_ALARM


BASE = od.DickeModel(n_atoms=3, omega_a=0.8, omega_c=1.1, kappa=0.4, g_minus=0.7, g_plus=0.5)
EDGES = {
    "no damping": (BASE.replace(kappa=0.0), TILTED),
    "little damping": (BASE.replace(kappa=1e-3), TILTED),
    "strong damping": (BASE.replace(kappa=12.0), TILTED),
    "no atomic frequency": (BASE.replace(omega_a=0.0), TILTED),
    "no cavity frequency": (BASE.replace(omega_c=0.0), TILTED),
    "negative cavity frequency": (BASE.replace(omega_c=-1.1), TILTED),
    "only g-": (BASE.replace(g_plus=0.0), od.Inverted()),
    "only g+": (BASE.replace(g_minus=0.0), od.Normal()),
    "g+ = -g-": (BASE.replace(g_plus=-0.7), od.Normal()),
    "one atom from above": (BASE.replace(n_atoms=1), od.Inverted()),
    "two atoms from the equator": (BASE.replace(n_atoms=2), od.SpinCoherent(np.pi / 2, np.pi / 2, 0.5 - 0.5j)),
    "one atom, strong coupling": (BASE.replace(n_atoms=1, g_minus=2.5, g_plus=1.5), od.Normal()),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name == "little damping")) for name in EDGES],
)
def test_edges_of_the_parameters(name: str) -> None:
    """False alarms: 2e-4 for each case."""
    model, state = EDGES[name]
    samples = sampled(model, state, TIMES, od.NuHOPS(1500, seed=5, tol=TOL))
    assert compare(samples, exact_channels(model, state)).agrees


# The comparison sees what is wrong

MUTANT_MODEL = od.DickeModel(n_atoms=3, omega_a=0.9, omega_c=1.6, kappa=0.5, g_minus=1.0, g_plus=0.6)
MUTANT_STATE = od.SpinCoherent(1.0, 2.0, alpha=0.6 - 0.5j)


class WrongTurn(OrnsteinUhlenbeck):
    """Noise that rotates the wrong way."""

    def __init__(self, steps: np.ndarray, omega_c: float, kappa: float) -> None:
        super().__init__(steps, -omega_c, kappa)


class MissingFactor(OrnsteinUhlenbeck):
    """Noise without the factor √2: half the variance."""

    def sample(self, rng: np.random.Generator) -> NoisePath:
        path = super().sample(rng)
        return NoisePath(path.steps, path.middle / np.sqrt(2), path.slope / np.sqrt(2))


class Conjugate(OrnsteinUhlenbeck):
    """z in place of z*."""

    def sample(self, rng: np.random.Generator) -> NoisePath:
        path = super().sample(rng)
        return NoisePath(path.steps, path.middle.conj(), path.slope.conj())


class EnergyRate(OrnsteinUhlenbeck):
    """κ taken as the decay rate of the photon number."""

    def __init__(self, steps: np.ndarray, omega_c: float, kappa: float) -> None:
        super().__init__(steps, omega_c, kappa / 2)


def seen(model: od.DickeModel, state: od.SpinCoherent, trajectories: int = 1000) -> bool:
    """Whether the model is rejected, which happens to the right one in one of 10^12."""
    samples = sampled(model, state, TIMES, od.NuHOPS(trajectories, seed=6, tol=TOL))
    return min(compare(samples, exact_channels(MUTANT_MODEL, MUTANT_STATE)).chances) < 1e-12


def test_the_unchanged_method_is_not_a_mutant() -> None:
    assert not seen(MUTANT_MODEL, MUTANT_STATE)


@pytest.mark.parametrize(
    ("noise", "trajectories"), [(WrongTurn, 1000), (MissingFactor, 1000), (Conjugate, 1000), (EnergyRate, 4000)]
)
def test_wrong_noise_is_seen(noise: type, trajectories: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first three are rejected at 10^-144 and less with each of 16 sets of 1000 trajectories. The last is the
    weakest: 10^-6 to 10^-15 with 1000, 10^-16 to 10^-41 with each of 12 sets of 2000; of 4000 that are one in 10^12
    in fewer than one set of 1000 (Hotelling's T² with the strength that these show)."""
    monkeypatch.setattr(moving, "OrnsteinUhlenbeck", noise)
    assert seen(MUTANT_MODEL, MUTANT_STATE, trajectories)


@pytest.mark.parametrize(
    "change",
    [{"g_plus": -MUTANT_MODEL.g_plus}, {"omega_a": -MUTANT_MODEL.omega_a}, {"kappa": MUTANT_MODEL.kappa / 2}],
    ids=lambda change: next(iter(change)),
)
def test_a_wrong_model_is_seen(change: dict[str, float]) -> None:
    assert seen(MUTANT_MODEL.replace(**change), MUTANT_STATE)


@pytest.mark.parametrize("alpha", [0j, MUTANT_STATE.alpha.conjugate()])
def test_a_wrong_cavity_amplitude_is_seen(alpha: complex) -> None:
    assert seen(MUTANT_MODEL, od.SpinCoherent(MUTANT_STATE.theta, MUTANT_STATE.phi, alpha))


# Limits without statistical error


@pytest.mark.parametrize("n_atoms", [1, 2, 50, 1000])
@pytest.mark.parametrize("times", [[0.0], [3.0], [0.0, 0.1, 2.7, 3.0, 17.0]], ids=str)
def test_free_precession_and_decay(n_atoms: int, times: list[float]) -> None:
    """Without coupling every trajectory is exact, at any times."""
    model = od.DickeModel(n_atoms=n_atoms, omega_a=1.3, omega_c=-2.1, kappa=0.2, g_minus=0.0, g_plus=0.0)
    state = od.SpinCoherent(1.1, 0.4, alpha=2.0 - 1.0j)
    run = od.solve(model, state, times, od.NuHOPS(2, seed=1))
    t, j = np.array(times), n_atoms / 2
    a = state.alpha * np.exp(-(0.2 - 2.1j) * t)
    np.testing.assert_array_equal(run.time, t)
    np.testing.assert_allclose(
        (run.Sx + 1j * run.Sy) / j, np.sin(1.1) * np.exp(1j * (0.4 + 1.3 * t)), rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(run.Sz / j, np.cos(1.1), rtol=0, atol=1e-10)
    np.testing.assert_allclose(run.a, a, rtol=0, atol=1e-10)
    np.testing.assert_allclose(run.n_photon, abs(a) ** 2, rtol=0, atol=1e-10)
    np.testing.assert_allclose(run.n_photon2, abs(a) ** 4, rtol=0, atol=1e-9)
    np.testing.assert_allclose(run.Sz_a / j, np.cos(1.1) * a, rtol=0, atol=1e-10)
    np.testing.assert_allclose(run.Sx_sem / j, 0, rtol=0, atol=1e-10)


@pytest.mark.parametrize("n_atoms", [1, 2, 7, 1000, 10**6])
def test_the_normal_state_is_dark_without_counter_rotating_terms(n_atoms: int) -> None:
    model = od.DickeModel.tavis_cummings(n_atoms=n_atoms, omega_a=1.0, omega_c=0.7, kappa=0.3, coupling=2.0)
    run = od.solve(model, od.Normal(), [0.0, 5.0], od.NuHOPS(2, seed=1))
    np.testing.assert_allclose(run.Sz, -n_atoms / 2, rtol=1e-14)
    for name in ("Sx", "Sy", "a", "n_photon", "n_photon2", "a2", "Sx_a", "Sy_a"):
        np.testing.assert_allclose(run[name], 0.0, rtol=0, atol=1e-15 * n_atoms, err_msg=name)


def test_a_model_without_rates_stands_still() -> None:
    model = od.DickeModel(n_atoms=2, omega_a=0.0, omega_c=0.0, kappa=0.0, g_minus=0.0, g_plus=0.0)
    run = od.solve(model, od.SpinCoherent(1.0, 2.0, 3j), [0.0, 4.0], od.NuHOPS(2))
    for name in ("Sx", "Sy", "Sz", "a", "n_photon"):
        np.testing.assert_allclose(run[name][1], run[name][0], rtol=0, atol=1e-14, err_msg=name)


ANGLES = [(0.0, 0.0), (np.pi, 0.0), (np.pi / 2, 0.0), (np.pi / 2, -np.pi / 2), (1.1, 0.4), (-2.0, 7.0)]


@pytest.mark.parametrize(("theta", "phi"), ANGLES)
@pytest.mark.parametrize("n_atoms", [1, 2, 9, 300])
def test_every_variable_of_the_initial_state(n_atoms: int, theta: float, phi: float) -> None:
    """Moments of a product of coherent states, in closed form."""
    state = od.SpinCoherent(theta, phi, alpha=0.8 - 0.3j)
    run = od.solve(BASE.replace(n_atoms=n_atoms), state, [0.0], od.NuHOPS(1))
    u, j = np.array(state.direction), n_atoms / 2
    second = j * (j - 0.5) * np.outer(u, u) + 0.5 * j * np.eye(3)
    scale = max(j, 1.0) ** 2
    np.testing.assert_allclose([run.Sx[0], run.Sy[0], run.Sz[0]], j * u, rtol=0, atol=1e-13 * scale)
    for i, row in enumerate("xyz"):
        np.testing.assert_allclose(run[f"S{row}2"][0], second[i, i], rtol=0, atol=1e-13 * scale)
        np.testing.assert_allclose(run[f"S{row}_a"][0], j * u[i] * state.alpha, rtol=0, atol=1e-13 * scale)
        k, rest = (i + 1) % 3, (i + 2) % 3
        pair = run[f"S{row}_S{'xyz'[k]}"][0]
        np.testing.assert_allclose(pair, second[i, k] + 0.5j * j * u[rest], rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(run.a2[0], state.alpha**2, rtol=0, atol=1e-13)


@pytest.mark.parametrize("model", [FIG1, FIG1.replace(g_plus=0.6)], ids=["balanced", "unbalanced"])
def test_a_million_atoms_follow_mean_field(model: od.DickeModel) -> None:
    """<S>/j within 3 standard errors and 1e-3 of mean field: false alarms 3e-3 × 15 numbers if the errors were all.

    A wrong sign of g₊ is off by more than 0.1.
    """
    model = model.replace(n_atoms=10**6)
    times = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    run = od.solve(model, TILTED, times, od.NuHOPS(16, seed=3))

    def excess(reference: od.DickeModel) -> float:
        limit = od.solve(reference, TILTED, times, od.MeanField())
        gaps = [abs(run[name] - limit[name]) - 3 * run[f"{name}_sem"] for name in ("Sx", "Sy", "Sz")]
        return float(np.max(gaps)) / (model.n_atoms / 2)

    assert excess(model) < 1e-3
    assert excess(model.replace(g_plus=-model.g_plus)) > 0.1


# Little damping


def jaynes_cummings(z: complex, alpha: float, times: np.ndarray) -> np.ndarray:
    """<S^z> along the exact trajectory of one atom from below, without frequencies and damping, coupling 1.

    The state is known, so ψ = <0|exp(ζ* a)|Ψ(t)> is, and what remains of a trajectory is dζ/dt = −i<S^-> from
    ζ(0)* = α + iz*, with the path's constant z*.
    """
    n = np.arange(int(alpha**2 + 12 * alpha + 40))
    poisson = -(alpha**2) / 2 + n * np.log(alpha) - gammaln(n + 1) / 2

    def psi(t: float, zeta: complex) -> tuple[complex, complex]:
        powers = n * np.log(zeta.conjugate()) - gammaln(n + 1) / 2
        lower = np.exp(poisson + powers) * np.cos(np.sqrt(n) * t)
        upper = -1j * np.exp(poisson[1:] + powers[:-1]) * np.sin(np.sqrt(n[1:]) * t)
        return lower.sum(), upper.sum()

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        lower, upper = psi(t, complex(y[0]))
        return np.array([-1j * lower.conjugate() * upper / (abs(lower) ** 2 + abs(upper) ** 2)])

    start = np.array([(alpha + 1j * z).conjugate()])
    run = solve_ivp(slope, (0, times[-1]), start, "DOP853", times, rtol=1e-8, atol=1e-8)
    ends = [psi(t, complex(zeta)) for t, zeta in zip(times, run.y[0], strict=True)]
    return np.array([0.5 * (abs(u) ** 2 - abs(d) ** 2) / (abs(u) ** 2 + abs(d) ** 2) for d, u in ends])


def test_a_revival_without_damping() -> None:
    """Twelve trajectories of 25 photons, through the revival at t = 10π, against the exact ones, to 0.003.

    Steps err by less than 1e-7 each, 5000 of them, and the fourfold angle allowed to the window lets its parts err ten
    times more. With the window and steps of a damped cavity the first is off by 0.02 and the worst by 0.3; with either
    of the two alone some are off by 0.02 or more.
    """
    model = od.DickeModel.tavis_cummings(n_atoms=1, omega_a=0.0, omega_c=0.0, kappa=0.0, coupling=1.0)
    times = np.array([20.0, 28.0, 31.4, 33.0, 37.0])
    method = od.NuHOPS(12, seed=4, keep_trajectories=True)
    run = od.solve(model, od.SpinCoherent(np.pi, 0, alpha=5), times, method)
    for index in range(method.trajectories):
        noise = OrnsteinUhlenbeck(np.array([1.0]), 0.0, 0.0).sample(stream(4, index, 0)).middle[0]
        exact = jaynes_cummings(complex(noise), 5.0, times)
        np.testing.assert_allclose(run.Sz_trajectory[index], exact, rtol=0, atol=3e-3, err_msg=f"trajectory {index}")


def test_little_damping_converges_with_tol() -> None:
    """κ = 0.05, ten atoms: pathwise within 1e-3 of tol = 1e-8 up to t = 20 (0.007 off if treated as well damped)."""
    model = od.DickeModel.balanced(n_atoms=10, omega_a=1.0, omega_c=1.0, kappa=0.05, coupling=1.4)
    runs = [
        od.solve(model, TILTED, [10.0, 20.0], od.NuHOPS(6, seed=4, tol=tol, keep_trajectories=True))
        for tol in (1e-4, 1e-8)
    ]
    np.testing.assert_allclose(runs[0].Sz_trajectory / 5, runs[1].Sz_trajectory / 5, rtol=0, atol=1e-3)


# Options that change no result


def kept(method: od.NuHOPS, model: od.DickeModel = FIG1, **more: Any) -> np.ndarray:
    """<S>/j and <a>/√N of every trajectory at three times: (trajectories, times, 5)."""
    run = od.solve(model, TILTED, [0.5, 2.0, 5.0], method, **more)
    j, a = model.n_atoms / 2, run.a_trajectory.values / np.sqrt(model.n_atoms)
    spin = [run[f"S{axis}_trajectory"].values / j for axis in "xyz"]
    return np.stack([*spin, a.real, a.imag], axis=-1)


@pytest.mark.parametrize("n_atoms", [4, 100])
def test_the_gauge_does_not_matter(n_atoms: int) -> None:
    """The rate at which the frame follows the mean spin changes nothing beyond ``tol``, over a factor of 300."""
    model = FIG1.replace(n_atoms=n_atoms)
    default = kept(od.NuHOPS(6, seed=2, tol=1e-8, keep_trajectories=True), model)
    for feedback in (0.1, 2.0, 30.0):
        other = kept(od.NuHOPS(6, seed=2, tol=1e-8, feedback=feedback, keep_trajectories=True), model)
        np.testing.assert_allclose(other, default, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [FIG1, FIG1.replace(n_atoms=100), pytest.param(FIG1.replace(n_atoms=20, g_plus=0.4), marks=pytest.mark.slow)],
)
def test_single_precision(model: od.DickeModel) -> None:
    """Pathwise equal to 2e-5 at the tolerance where float32 still resolves the window."""
    double, single = (
        kept(od.NuHOPS(6, seed=2, tol=1e-4, dtype=dtype, keep_trajectories=True), model)
        for dtype in ("float64", "float32")
    )
    np.testing.assert_allclose(single, double, rtol=0, atol=2e-5)
    assert np.abs(single - double).max() > 0


def test_states_kept_give_the_mean_spin() -> None:
    """<S> of psi in its frame is the trajectory's, and keeping states changes no number."""
    times, model = [0.5, 2.0, 5.0], FIG1.replace(n_atoms=30)
    plain = od.solve(model, TILTED, times, od.NuHOPS(5, seed=2, keep_trajectories=True))
    run = od.solve(model, TILTED, times, od.NuHOPS(5, seed=2, keep_trajectories=True, keep_states=(0.5, 5.0)))
    np.testing.assert_array_equal(run.Sz_trajectory, plain.Sz_trajectory)
    np.testing.assert_array_equal(run.n_photon2, plain.n_photon2)
    n = np.arange(run.sizes["n"])
    ladder = np.sqrt((n + 1) * (model.n_atoms - n))[:-1]
    psi = run.psi.values
    np.testing.assert_allclose((abs(psi) ** 2).sum(axis=-1), 1, rtol=1e-12)
    lower = (ladder * psi[..., :-1].conj() * psi[..., 1:]).sum(axis=-1)
    spin = np.stack([lower.real, lower.imag, (abs(psi) ** 2 * (model.n_atoms / 2 - n)).sum(axis=-1)], axis=-1)
    laboratory = np.einsum("iskc,isk->isc", run.psi_frame.values, spin)
    for axis, name in enumerate("xyz"):
        np.testing.assert_allclose(
            laboratory[..., axis], run[f"S{name}_trajectory"].values[:, [0, 2]], rtol=0, atol=1e-10
        )


def test_other_steps_are_other_noise_but_the_same_physics() -> None:
    """Means over 1000 trajectories with steps of 0.3 and 0.05 of the default: false alarms 2e-4 each."""
    model, state = random_case(7)
    for step in (0.01, 0.1):
        samples = sampled(model, state, TIMES, od.NuHOPS(800, seed=3, tol=TOL, step=step))
        assert compare(samples, exact_channels(model, state)).agrees


# Reproducible


def test_executors_change_no_bit() -> None:
    method = od.NuHOPS(40, seed=1, keep_trajectories=True)
    model = FIG1.replace(n_atoms=30)
    runs = [
        od.solve(model, TILTED, [1.0, 2.0], method, executor=executor)
        for executor in (od.Serial(), od.Threads(1), od.Threads(2), od.Threads(5))
    ]
    for run in runs[1:]:
        for name in runs[0].variables:
            np.testing.assert_array_equal(run[name], runs[0][name], err_msg=str(name))


def test_a_trajectory_does_not_depend_on_how_many_there_are() -> None:
    few, many = (kept(od.NuHOPS(n, seed=1, keep_trajectories=True)) for n in (3, 40))
    np.testing.assert_array_equal(few, many[:3])


def test_the_seed_and_the_index_name_the_trajectory() -> None:
    one, other = (kept(od.NuHOPS(3, seed=seed, keep_trajectories=True)) for seed in (1, 2))
    assert np.unique(np.concatenate([one, other])[:, -1, 0]).size == 6


def test_means_and_errors_are_those_of_the_trajectories() -> None:
    run = od.solve(FIG1, TILTED, [1.0, 2.0], od.NuHOPS(100, seed=1, keep_trajectories=True))
    for name in ("Sx", "Sz", "a"):
        values = run[f"{name}_trajectory"].values
        np.testing.assert_allclose(run[name], values.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(run[f"{name}_sem"].values.real, values.real.std(axis=0, ddof=1) / 10, rtol=1e-10)
    imaginary = run.a_trajectory.values.imag.std(axis=0, ddof=1) / 10
    np.testing.assert_allclose(run.a_sem.values.imag, imaginary, rtol=1e-10)
    weights = run.batch_size.values / 100
    np.testing.assert_allclose(weights @ run.batch_means.sel(channel="Sz").values, run.Sz, rtol=1e-12)


@pytest.mark.parametrize("step", [0.1, 0.3, 5.0])
def test_the_noise_grid_hits_every_time(step: float) -> None:
    times = np.array([0.0, 0.3, 0.3 + 1e-9, 1.0, 7.25])
    steps, hits = noise_steps(times, step)
    assert steps.max() <= step * (1 + 1e-12)
    assert steps.min() > 0
    ends = np.concatenate([[0.0], np.cumsum(steps)])
    found = [int(np.flatnonzero(hits == index)[0]) for index in range(times.size)]
    assert np.count_nonzero(hits >= 0) == times.size
    np.testing.assert_allclose(ends[found], times, rtol=0, atol=1e-14)


# Failures


class Poisoned(OrnsteinUhlenbeck):
    """Noise with a NaN in step 7 of the path drawn second, and in the last step of the path drawn fourth.

    The path that is drawn to compile does not count.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.drawn = -1

    def sample(self, rng: np.random.Generator) -> NoisePath:
        path = super().sample(rng)
        if self.drawn in (1, 3):
            path.middle[7 if self.drawn == 1 else -1] = np.nan
        self.drawn += 1
        return path


def test_a_failed_trajectory_is_reported_and_the_others_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    method = od.NuHOPS(6, seed=42, step=0.1, keep_trajectories=True)
    whole = od.solve(FIG1, TILTED, [0.5, 2.0], method, executor=od.Serial())
    monkeypatch.setattr(moving, "OrnsteinUhlenbeck", Poisoned)
    told = r"2 of 6 trajectories failed .* trajectory 1 of seed 42 stopped at time 0\.8: a number that is not finite"
    with pytest.warns(od.FailedTrajectoryWarning, match=told) as caught:
        run = od.solve(FIG1, TILTED, [0.5, 2.0], method, executor=od.Serial())
    assert '"n_atoms": 4' in str(caught[0].message)
    assert '"kappa": 0.5' in str(caught[0].message)
    failures = json.loads(run.attrs["failed_trajectories"])
    assert [index for index, _ in failures] == [1, 3]
    assert "trajectory 3 of seed 42 stopped at time 2: a number that is not finite" in failures[1][1]
    assert run.attrs["trajectories"] == 4
    assert run.trajectory.values.tolist() == [0, 2, 4, 5]
    np.testing.assert_array_equal(run.Sx_trajectory, whole.Sx_trajectory[[0, 2, 4, 5]])
    np.testing.assert_allclose(run.Sx, whole.Sx_trajectory[[0, 2, 4, 5]].mean("trajectory"), rtol=1e-12)


class Hopeless(OrnsteinUhlenbeck):
    """Noise that is not a number."""

    def sample(self, rng: np.random.Generator) -> NoisePath:
        path = super().sample(rng)
        return NoisePath(path.steps, path.middle * np.nan, path.slope)


def test_if_all_fail_there_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "OrnsteinUhlenbeck", Hopeless)
    with pytest.raises(od.TrajectoryError, match=r"all 3 trajectories failed.*trajectory 0 of seed 0 stopped at time"):
        od.solve(FIG1, TILTED, [2.0], od.NuHOPS(3))


def test_a_window_over_the_memory_limit_stops_its_trajectory() -> None:
    told = r"trajectory \d of seed 0 stopped at time .*: a window of \d+ states x \d+ levels, over the memory limit"
    with pytest.warns(od.FailedTrajectoryWarning, match=told):
        run = od.solve(FIG1.replace(n_atoms=1000), od.Normal(), [20.0], od.NuHOPS(3, max_memory=2.0**-10))
    assert 0 < run.attrs["trajectories"] < 3


# Bad options


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"trajectories": 0}, ValueError),
        ({"trajectories": -3}, ValueError),
        ({"trajectories": 2.0}, TypeError),
        ({"trajectories": True}, TypeError),
        ({"trajectories": "many"}, TypeError),
        ({"trajectories": 2, "seed": -1}, ValueError),
        ({"trajectories": 2, "seed": None}, TypeError),
        ({"trajectories": 2, "tol": 0.0}, ValueError),
        ({"trajectories": 2, "tol": 0.5}, ValueError),
        ({"trajectories": 2, "tol": np.nan}, ValueError),
        ({"trajectories": 2, "step": 0.0}, ValueError),
        ({"trajectories": 2, "step": np.inf}, ValueError),
        ({"trajectories": 2, "step": "short"}, TypeError),
        ({"trajectories": 2, "feedback": -1.0}, ValueError),
        ({"trajectories": 2, "point": -1}, ValueError),
        ({"trajectories": 2, "dtype": "float16"}, ValueError),
        ({"trajectories": 2, "precision": 0.01}, TypeError),
        ({"trajectories": 2, "max_memory": 1e-6}, ValueError),
        ({"trajectories": 2, "trajectory": 5}, TypeError),
        ({"trajectories": 2, "depth": 5}, TypeError),
        ({}, TypeError),
    ],
    ids=str,
)
def test_bad_options_are_refused_by_name(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=list(options)[-1] if options else "trajectories"):
        od.NuHOPS(**options)


@pytest.mark.parametrize("wanted", [(0.7,), (2.0, 1.0), (1.0, 1.0)])
def test_states_can_only_be_kept_at_the_times_asked_for(wanted: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="keep_states: expected"):
        od.solve(FIG1, TILTED, [1.0, 2.0], od.NuHOPS(1, keep_states=wanted))


def test_numpy_numbers_are_numbers() -> None:
    plain = od.solve(FIG1, TILTED, [1.0], od.NuHOPS(2, seed=3, tol=1e-4))
    options = od.NuHOPS(np.int64(2), seed=np.int32(3), tol=np.float64(1e-4))
    run = od.solve(FIG1, TILTED, np.array([1], dtype=np.int64), options)
    np.testing.assert_array_equal(run.Sx, plain.Sx)
    assert json.loads(run.attrs["method_options"])["seed"] == 3
