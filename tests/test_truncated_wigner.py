"""Truncated Wigner against what it must reproduce exactly, and against exact methods where it is an approximation.

Statistical tests compare numbers in standard errors (z) and fail a correct method with the probability stated beside
their bound; each bound is also shown to be exceeded by a method with a factor or a sign wrong.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.analysis import fixed_point, fluctuations
from opendicke.engine.wigner import VacuumNoise, VacuumPath, WignerFlow
from opendicke.ensemble.streams import stream
from opendicke.methods import truncated_wigner
from opendicke.methods.truncated_wigner import TruncatedWigner, WignerSimulator, draw_spin
from opendicke.problem import Problem

#: Largest |z| allowed among at most 80 real numbers: a correct method fails with probability 80 × 7e-6 = 5e-4.
LARGEST_Z = 4.5
TILTED = od.SpinCoherent(1.1, 0.6, alpha=0.7 - 0.5j)
FREE = od.DickeModel(n_atoms=3, omega_a=1.0, omega_c=0.8, kappa=0.3, g_minus=0.0, g_plus=0.0)
FIG1 = od.DickeModel(n_atoms=100, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.128716, g_plus=1.128716)
UNBALANCED = od.DickeModel(n_atoms=100, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.8, g_plus=0.782)
ACROSS = od.SpinCoherent(np.pi / 4, np.pi)


class LoudVacuum(VacuumNoise):
    """Vacuum noise without the factor 1/2 in its variance."""

    def sample(self, rng: np.random.Generator) -> VacuumPath:
        path = super().sample(rng)
        return VacuumPath(path.steps, *(np.sqrt(2) * part for part in (path.middle, path.slope, path.ends)))


def noiseless_spin(state: od.SpinCoherent, n_atoms: int, *_: Any) -> np.ndarray:
    """The mean spin in place of a random one."""
    return n_atoms / 2 * np.array(state.direction)


MUTATIONS = {"VacuumNoise": LoudVacuum, "draw_spin": noiseless_spin}
mutations = pytest.mark.parametrize("name", MUTATIONS)


def largest_z(sample: xr.Dataset, reference: xr.Dataset) -> float:
    """The largest deviation in standard errors; a reference that is sampled too brings its own."""
    worst = 0.0
    for name in set(od.VARIABLES) & set(reference.data_vars):
        gap, error = (sample[name] - reference[name]).values, sample[f"{name}_sem"].values
        other = reference[f"{name}_sem"].values if f"{name}_sem" in reference else 0 * error
        for part in (np.real, np.imag):
            scale = np.maximum(np.hypot(part(error), part(other)), 1e-9)
            worst = max(worst, float((np.abs(part(gap)) / scale).max()))
    return worst


# Exact: no coupling, at t = 0 and later


def free_z(sampling: Any, n_atoms: int) -> float:
    model, times = FREE.replace(n_atoms=n_atoms), [0.0, 1.7]
    sample = od.solve(model, TILTED, times, TruncatedWigner(4000, seed=3, sampling=sampling))
    return largest_z(sample, od.solve(model, TILTED, times, od.Lindblad()))


@pytest.mark.parametrize("sampling", ["gaussian", "exact"])
@pytest.mark.parametrize("n_atoms", [1, 6])
def test_every_variable_is_exact_without_coupling(sampling: str, n_atoms: int) -> None:
    assert free_z(sampling, n_atoms) < LARGEST_Z


@mutations
def test_wrong_noise_is_seen_without_coupling(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truncated_wigner, name, MUTATIONS[name])
    assert free_z("gaussian", 6) > 2 * LARGEST_Z


def test_each_trajectory_precesses_and_decays_exactly_without_coupling() -> None:
    """The step plays no role; without loss the noise only turns, so α does too."""
    model, times = FREE.replace(kappa=0.0), np.array([0.0, 5.0])
    run = od.solve(model, TILTED, times, TruncatedWigner(3, seed=1, step=1.0, keep_trajectories=True))
    transverse = (run.Sx_trajectory + 1j * run.Sy_trajectory).values
    np.testing.assert_allclose(transverse[:, 1], transverse[:, 0] * np.exp(5j * model.omega_a), rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        run.a_trajectory[:, 1], run.a_trajectory[:, 0] * np.exp(-5j * model.omega_c), rtol=0, atol=1e-13
    )


# Exact: a conserved component of the spin pushes the field


def pushed_z(ratio: float, sampling: Any, n_atoms: int = 2, sign: int = 1) -> float:
    """ω_a = 0 and g₊/g₋ = ±1 conserve S^x or S^y: all moments of it and of the field follow from linear equations.

    ``sign`` spoils the coupling of the sample.
    """
    method = TruncatedWigner(8000 if sign > 0 else 1000, seed=4, sampling=sampling)
    couplings = {"g_minus": 0.9, "g_plus": 0.9 * ratio}
    model = od.DickeModel(n_atoms=n_atoms, omega_a=0.0, omega_c=0.7, kappa=0.4, **couplings)
    spoilt = model.replace(**{name: sign * value for name, value in couplings.items()})
    axis = "x" if ratio > 0 else "y"
    names = [f"S{axis}", f"S{axis}2", f"S{axis}_a", "a", "a2", "n_photon", "n_photon2"]
    state, times = od.SpinCoherent(0.0), [1.0, 3.0]
    sample = od.solve(spoilt, state, times, method, names)
    return largest_z(sample, od.solve(model, state, times, od.Lindblad(), names))


@pytest.mark.parametrize("ratio", [1, -1])
def test_a_conserved_spin_component_pushes_the_field_exactly(ratio: int) -> None:
    assert pushed_z(ratio, "exact") < LARGEST_Z
    assert pushed_z(ratio, "exact", sign=-1) > 2 * LARGEST_Z


def test_gaussian_sampling_misses_fourth_moments() -> None:
    """<a†²a²> holds the fourth moment of S^x: 3N²/16 for a Gaussian, N/8 less for N atoms."""
    assert pushed_z(1, "exact", n_atoms=1) < LARGEST_Z
    assert pushed_z(1, "gaussian", n_atoms=1) > 2 * LARGEST_Z


@pytest.mark.parametrize("n_atoms", [1, 5])
def test_exact_sampling_has_the_moments_of_the_measured_component(n_atoms: int) -> None:
    """Moments 2, 4 and 6 of a component across a coherent state, to 5 standard errors: false alarms 6 × 6e-7."""
    state = od.SpinCoherent(np.pi / 2, 0.0)
    spectrum, vectors = np.linalg.eigh(_spin_y(n_atoms))
    weights = np.abs(vectors.conj().T @ state.dicke_amplitudes(n_atoms)) ** 2
    rng = np.random.default_rng(8)
    drawn = np.array([draw_spin(state, n_atoms, "exact", rng) for _ in range(20000)])
    np.testing.assert_allclose(drawn[:, 0], n_atoms / 2, rtol=0, atol=1e-12)
    for power in (2, 4, 6):
        powers = drawn[:, 1] ** power
        error = max(powers.std() / np.sqrt(powers.size), 1e-12)
        assert abs(powers.mean() - weights @ spectrum**power) < 5 * error


def _spin_y(n_atoms: int) -> np.ndarray:
    n = np.arange(1, n_atoms + 1)
    raising = np.diag(np.sqrt(n * (n_atoms - n + 1)), 1)
    return (raising - raising.T) / 2j


# Exact in the limit N → ∞: Gaussian fluctuations


def gaussian_z() -> float:
    """All second moments of spin and field about the normal state, long after the start, at N = 10^5."""
    model = UNBALANCED.replace(n_atoms=100_000)
    point = fixed_point(model, "normal")
    v = fluctuations(point).covariance
    root = np.sqrt(model.n_atoms)
    sign = point.frame[:2] @ np.eye(3)[:, :2]  # spin axes of the theory, in terms of x and y
    spin = sign.T @ v[:2, :2] @ sign * model.n_atoms / 2
    mixed = sign.T @ (v[:2, 2] + 1j * v[:2, 3]) * root / 2
    theory = {"Sx2": spin[0, 0], "Sy2": spin[1, 1], "Sx_a": mixed[0], "Sy_a": mixed[1]}
    theory |= {"n_photon": (v[2, 2] + v[3, 3] - 1) / 2, "a2": (v[2, 2] - v[3, 3]) / 2 + 1j * v[2, 3]}
    theory |= {"Sz": fluctuations(point).excitations - model.n_atoms / 2, "Sx": 0.0, "Sy": 0.0, "a": 0j}
    reference = xr.Dataset({name: ("time", [value]) for name, value in theory.items()})
    return largest_z(od.solve(model, od.Normal(), [40.0], TruncatedWigner(3000, seed=5)), reference)


def test_gaussian_fluctuations_about_the_normal_state() -> None:
    assert gaussian_z() < LARGEST_Z


def test_wrong_noise_is_seen_in_the_fluctuations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truncated_wigner, "VacuumNoise", LoudVacuum)
    assert gaussian_z() > 2 * LARGEST_Z


# An approximation: against exact methods


def nuhops_z(**changes: float) -> float:
    """At N = 100 and short times the approximation's error is far below the sampling error."""
    state, times = od.SpinCoherent(2.0, 0.5, alpha=2.0 - 3.0j), [0.6, 1.2]
    sample = od.solve(UNBALANCED.replace(**changes), state, times, TruncatedWigner(1500, seed=6))
    return largest_z(sample, od.solve(UNBALANCED, state, times, od.NuHOPS(300, seed=6)))


def test_short_times_agree_with_nuhops() -> None:
    assert nuhops_z() < LARGEST_Z


def test_a_wrong_sign_of_g_plus_is_seen() -> None:
    assert nuhops_z(g_plus=-UNBALANCED.g_plus) > 2 * LARGEST_Z


def test_the_deviation_falls_with_the_number_of_atoms() -> None:
    """<S^z>/j at t = 10 is off by 0.12 for 2 atoms and by 0.03 for 8 (sampling errors 0.007 and 0.004).

    The bounds are 5 standard errors away from these values: false alarms 1e-6.
    """
    deviation = {}
    for n_atoms in (2, 8):
        model = FIG1.replace(n_atoms=n_atoms)
        sample = od.solve(model, ACROSS, [10.0], TruncatedWigner(8000, seed=7), ["Sz"])
        exact = od.solve(model, ACROSS, [10.0], od.Lindblad(), ["Sz"])
        deviation[n_atoms] = float((sample.Sz - exact.Sz).item() / (n_atoms / 2))
    assert deviation[2] > 0.09
    assert abs(deviation[8]) < 0.05


# The integrator


def end_point(model: od.DickeModel, spin: np.ndarray, alpha: complex, path: VacuumPath) -> np.ndarray:
    """S/j at the end of a path."""
    root = np.sqrt(model.n_atoms)
    pulls = (model.g_minus + model.g_plus) / root, (model.g_minus - model.g_plus) / root
    flow = WignerFlow(model.omega_a, model.omega_c, model.kappa, *pulls)
    hits = np.full(path.steps.size + 1, -1)
    hits[-1] = 0
    return flow.run(spin, alpha, path, hits, 1)[0][0] / (model.n_atoms / 2)


def test_without_noise_it_is_mean_field_to_fourth_order() -> None:
    state, stop = od.SpinCoherent(2.0, 0.5, alpha=2.0 - 3.0j), 5.0
    spin, _ = od.MeanField().trajectory(UNBALANCED, state, np.array([stop]))
    errors = []
    for steps in (40, 80, 160):
        silence = np.zeros(steps + 1, dtype=np.complex128)
        path = VacuumPath(np.full(steps, stop / steps), silence[1:], silence[1:], silence)
        end = end_point(UNBALANCED, noiseless_spin(state, UNBALANCED.n_atoms), state.alpha, path)
        errors.append(np.linalg.norm(end - 2 * spin[0]))
    assert errors[-1] < 1e-5
    np.testing.assert_allclose(np.diff(np.log2(errors)), -4, rtol=0, atol=0.5)


def strong_errors(flat: bool) -> np.ndarray:
    """Root mean square over 30 paths of the error of S/j at t = 5, for steps 1/16 and 1/64 of a time unit.

    ``flat`` takes the mean of the noise in a step in place of its straight line.
    """
    fine = VacuumNoise(np.full(5 * 512, 1 / 512), UNBALANCED.omega_c, UNBALANCED.kappa)
    squares = np.zeros(2)
    for index in range(30):
        rng = stream(11, index)
        spin, path = draw_spin(ACROSS, UNBALANCED.n_atoms, "gaussian", rng), fine.sample(rng)
        best = end_point(UNBALANCED, spin, 0j, path)
        for k, factor in enumerate((32, 8)):
            coarse = path.coarsen(factor)
            if flat:
                coarse = VacuumPath(coarse.steps, coarse.middle, 0 * coarse.slope, coarse.ends)
            squares[k] += ((end_point(UNBALANCED, spin, 0j, coarse) - best) ** 2).sum()
    return np.sqrt(squares / 30)


def strong_order(errors: np.ndarray) -> float:
    return float(np.log(errors[0] / errors[1]) / np.log(4))


def test_strong_order_is_above_two_and_a_half() -> None:
    errors = strong_errors(flat=False)
    assert errors[1] < 1e-6
    assert strong_order(errors) > 2.5


def test_the_mean_of_the_noise_alone_is_of_order_two() -> None:
    errors = strong_errors(flat=True)
    assert errors[1] > 1e-5
    assert strong_order(errors) < 2.3


# The default step


@dataclass(frozen=True)
class Paths:
    """Twenty paths on a grid 16 times finer than the default step of a problem until t = 10."""

    model: od.DickeModel

    def errors(self, *factors: int) -> list[float]:
        """Root mean square error of S/j at the end, for steps so many times the default."""
        stop = 10.0
        resolved = TruncatedWigner(1, fast_cavity=False)
        step = WignerSimulator(Problem(self.model, ACROSS, np.array([stop])), resolved).step
        coarsest = 8 * step
        steps = 8 * 16 * math.ceil(stop / coarsest)
        noise = VacuumNoise(np.full(steps, stop / steps), self.model.omega_c, self.model.kappa)
        squares = np.zeros(len(factors))
        for index in range(20):
            rng = stream(3, index)
            spin, path = draw_spin(ACROSS, self.model.n_atoms, "gaussian", rng), noise.sample(rng)
            best = end_point(self.model, spin, 0j, path)
            for k, factor in enumerate(factors):
                squares[k] += ((end_point(self.model, spin, 0j, path.coarsen(16 * factor)) - best) ** 2).sum()
        return np.sqrt(squares / 20).tolist()


#: What the comment on STEP_TIMES_RATE promises for the strong error of S/j after 10 time units.
PROMISED = 2e-4


@pytest.mark.parametrize(
    "model",
    [
        *(model.replace(n_atoms=n) for model in (FIG1, UNBALANCED) for n in (4, 100)),
        *(UNBALANCED.replace(**fast) for fast in ({"omega_a": 30.0}, {"omega_c": 20.0}, {"kappa": 20.0})),
    ],
)
def test_the_default_step_is_as_accurate_as_it_says_and_no_shorter_than_that_needs(model: od.DickeModel) -> None:
    """Whichever rate is the fastest. With eight times the step the error is more than promised, in every model."""
    default, longer = Paths(model).errors(1, 8)
    assert default < PROMISED < longer


def test_four_times_the_default_step_is_too_long_for_the_parameters_of_figure_1() -> None:
    assert min(Paths(FIG1).errors(4) + Paths(FIG1.replace(n_atoms=4)).errors(4)) > PROMISED


@pytest.mark.parametrize(
    ("model", "state", "stop"),
    [
        (UNBALANCED, od.SpinCoherent(1.0, 0.3, alpha=100.0), 10.0),  # an initial field, real and imaginary
        (UNBALANCED, od.SpinCoherent(1.0, 0.3, alpha=60.0j), 10.0),
        (UNBALANCED.replace(g_minus=0.8, g_plus=-3.0), od.SpinCoherent(1.0, 0.3, alpha=-60.0j), 1.0),
        (FIG1.replace(g_minus=6.0, g_plus=6.0), ACROSS, 10.0),  # a field that the spin makes
        (FIG1.replace(g_minus=6.0, g_plus=-6.0), od.SpinCoherent(1.0, 0.5), 10.0),
    ],
)
def test_the_spin_precesses_no_faster_than_the_step_is_made_for(
    model: od.DickeModel, state: od.SpinCoherent, stop: float
) -> None:
    """|B| of the mean field, from its definition: not above the rate, and at its highest not below a fifth of it."""
    run = od.solve(model, state, np.linspace(0.0, stop, 201), od.MeanField(), ["a"], progress=False)
    field = run.a.values / np.sqrt(model.n_atoms)
    pulls = model.g_minus + model.g_plus, model.g_minus - model.g_plus
    fastest = np.sqrt(model.omega_a**2 + (2 * pulls[0] * field.real) ** 2 + (2 * pulls[1] * field.imag) ** 2).max()
    step = WignerSimulator(Problem(model, state, np.array([stop])), TruncatedWigner(1)).step
    assert fastest > 2 * max(model.omega_a, abs(complex(model.kappa, model.omega_c)))  # it is the field that counts
    assert 0.2 * 0.16 < step * fastest <= 0.16


def test_the_length_of_the_spin_is_kept() -> None:
    """Each trajectory keeps its own length; E S² = j(j+1) to 4.5 standard errors (false alarms 7e-6)."""
    run = od.solve(FIG1, ACROSS, np.linspace(0, 20, 21), TruncatedWigner(1000, seed=2, keep_trajectories=True))
    square = (run.Sx_trajectory**2 + run.Sy_trajectory**2 + run.Sz_trajectory**2).values
    np.testing.assert_allclose(square, np.repeat(square[:, :1], 21, axis=1), rtol=1e-12)
    assert run.attrs["spin_length_drift"] < 1e-12
    error = square[:, 0].std() / np.sqrt(1000)
    assert abs(square[:, 0].mean() - 50 * 51) < LARGEST_Z * error
    assert abs(square[:, 0].mean() - 50 * 50) > 2 * LARGEST_Z * error


# The house


def test_executors_change_no_number() -> None:
    method = TruncatedWigner(40, seed=1)
    runs = [od.solve(FIG1, ACROSS, [1.0, 2.0], method, executor=who) for who in (od.Serial(), od.Threads(2))]
    for name in runs[0].data_vars:
        np.testing.assert_array_equal(runs[0][name], runs[1][name])


def test_a_trajectory_does_not_depend_on_how_many_there_are() -> None:
    few, many = (
        od.solve(FIG1, ACROSS, [1.0, 2.0], TruncatedWigner(n, seed=1, keep_trajectories=True)) for n in (3, 20)
    )
    assert few.a_trajectory.dims == ("trajectory", "time")
    for name in ("Sx_trajectory", "Sy_trajectory", "Sz_trajectory", "a_trajectory"):
        np.testing.assert_array_equal(few[name], many[name][:3])


def test_a_model_without_rates_stands_still() -> None:
    model = od.DickeModel(n_atoms=2, omega_a=0.0, omega_c=0.0, kappa=0.0, g_minus=0.0, g_plus=0.0)
    run = od.solve(model, TILTED, [0.0, 4.0], TruncatedWigner(2, keep_trajectories=True))
    for name in ("Sx_trajectory", "Sy_trajectory", "Sz_trajectory", "a_trajectory"):
        np.testing.assert_allclose(run[name][:, 1], run[name][:, 0], rtol=0, atol=1e-14)


def test_too_long_a_step_is_refused_with_one_that_works() -> None:
    with pytest.raises(ValueError, match=r"step: expected at most 0\.\d+, one over the fastest rate"):
        od.solve(FIG1, ACROSS, [1.0], TruncatedWigner(2, step=0.5))
    with pytest.raises(ValueError, match="step"):
        od.solve(FIG1, od.SpinCoherent(0.0, alpha=100.0), [1.0], TruncatedWigner(2, step=0.3))
    assert od.solve(FIG1, ACROSS, [1.0], TruncatedWigner(2, step=0.3)).attrs["noise_step"] == 0.3


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"trajectories": 0}, ValueError),
        ({"trajectories": 2.0}, TypeError),
        ({"trajectories": 2, "seed": -1}, ValueError),
        ({"trajectories": 2, "sampling": "wigner"}, ValueError),
        ({"trajectories": 2, "step": 0.0}, ValueError),
        ({"trajectories": 2, "keep_trajectories": "yes"}, TypeError),
        ({"trajectories": 2, "tol": 1e-4}, TypeError),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=list(options)[-1]):
        TruncatedWigner(**options)
