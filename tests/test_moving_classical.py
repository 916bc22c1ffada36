"""Mean field and truncated Wigner along rates that move, drives and thermal light.

References are written anew here, in complex amplitudes: H = ω_a S^z + (S⁺ c + h.c.), c = (g₋ a + g₊ a*)/√N + ξ. What is
sampled is compared in standard errors; a bound says how often a correct method fails.

Mutations that were tried by hand, each seen by at least one test: noise without its 1/√2, the sign of η and of ξ, noise
κ(n̄+1) in place of κ(2n̄+1), rates of a step taken at its end, ω_c of the wrong sign in the noise, the second half's
decay factor in both halves, steps across jumps, no longest step in mean field, steps that do not know of the drives.
Mean field that takes the end of a segment from what follows is only slower: its error control sees the jump.
"""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import solve_ivp

import opendicke as od
from opendicke import signals
from opendicke.engine.moving import GaussianField
from opendicke.engine.system_flow import SystemFlow
from opendicke.engine.wigner import VacuumPath
from opendicke.ensemble.streams import stream
from opendicke.methods import truncated_wigner
from opendicke.methods.classical import field_rates
from opendicke.methods.moving import nodes_of
from opendicke.methods.truncated_wigner import FieldPaths, TruncatedWigner, WignerSimulator, draw_spin
from opendicke.problem import Problem

#: Largest |z| allowed among at most 80 real numbers: a correct method fails with probability 80 × 7e-6 = 5e-4.
LARGEST_Z = 4.5
STATE = od.SpinCoherent(1.1, 0.6, alpha=0.7 - 0.5j)
#: Where the signals of EVERYTHING jump or bend.
KINKS = (1.0, 1.5, 2.5)
EVERYTHING = od.DickeModel(
    n_atoms=100,
    omega_a=od.Sine(1.0, 0.4, 3.0),
    omega_c=od.Ramp((0.0, 1.5, 1.5, 2.5), (0.5, 2.0, -1.0, 0.5)),
    kappa=od.Sine(0.7, 0.3, 2.5),
    g_minus=od.Sine(0.7, 0.4, 2.0),
    g_plus=od.Ramp((1.0, 1.0), (0.2, 0.8)),
    n_thermal=od.Ramp((0.0, 2.5), (0.0, 0.5)),
    drive=od.Sine(1.3 + 0.2j, 0.5j, 1.5),
    atom_drive=od.Samples((-1.0, 0.0, 1.0, 2.0, 3.0, 4.0), (0.1, 0.4j, 0.3, -0.2, 0.1, 0.0)),
)
#: The same without anything that is not smooth.
SMOOTH = EVERYTHING.replace(omega_c=od.Sine(0.8, 0.6, 1.7), g_plus=od.Sine(0.3, 0.5, 1.1, phase=1.0), n_thermal=0.3)


def swelling(model: od.DickeModel, factor: float) -> od.DickeModel:
    """More atoms, and a drive of the cavity that grows with their root, as the field that they make does."""
    return model.replace(n_atoms=int(model.n_atoms * factor), drive=signals.scaled(model.drive, math.sqrt(factor)))


def integrated(flow: Any, start: Any, times: list[float], kinks: tuple[float, ...] = KINKS) -> np.ndarray:
    """``flow`` at ``times``, from kink to kink in short steps: shape (times, components)."""
    edges = sorted({0.0, *(kink for kink in kinks if kink < times[-1]), *times})
    found, y = {edges[0]: np.asarray(start)}, np.asarray(start)
    for first, last in itertools.pairwise(edges):
        inside = last - 1e-12 * (last - first)
        shielded = lambda t, y, inside=inside: flow(min(t, inside), y)  # noqa: E731
        y = solve_ivp(shielded, (first, last), y, rtol=1e-10, atol=1e-12, max_step=0.05).y[:, -1]
        found[last] = y
    return np.array([found[time] for time in times])


def values(model: od.DickeModel, time: float, *names: str) -> list[complex]:
    return [complex(signals.evaluate(getattr(model, name), time)) for name in names]


def classical(model: od.DickeModel, state: od.SpinCoherent, times: list[float]) -> np.ndarray:
    """<S_x>, <S_y>, <S_z>, <a> of the classical equations: shape (times, 4)."""
    root = math.sqrt(model.n_atoms)

    def flow(t: float, y: np.ndarray) -> np.ndarray:
        omega_a, omega_c, kappa, minus, plus, eta, xi = values(
            model, t, "omega_a", "omega_c", "kappa", "g_minus", "g_plus", "drive", "atom_drive"
        )
        spin, a = y[:3], y[3]
        c = (minus * a + plus * np.conj(a)) / root + xi
        b = np.array([2 * c.real, -2 * c.imag, omega_a.real])
        lower = spin[0] - 1j * spin[1]
        push = -1j * (minus * lower + plus * np.conj(lower)) / root - 1j * eta
        return np.array([*np.cross(b, spin.real), push - (kappa + 1j * omega_c) * a])

    start = np.array([*(model.n_atoms / 2 * np.array(state.direction)), state.alpha], dtype=complex)
    return integrated(flow, start, times)


def largest_z(sample: xr.Dataset, reference: dict[str, Any]) -> float:
    """The largest deviation in standard errors."""
    worst = 0.0
    for name, wanted in reference.items():
        gap, error = sample[name].values - wanted, sample[f"{name}_sem"].values
        for part in (np.real, np.imag):
            scale = np.maximum(np.abs(part(error)), 1e-9)
            worst = max(worst, float((np.abs(part(gap)) / scale).max()))
    return worst


# Mean field


def shaken(seed: int) -> od.DickeModel:
    """A random model with everything on."""
    rng = np.random.default_rng(seed)

    def sine(lowest: float, highest: float) -> od.Sine:
        middle, size = (highest + lowest) / 2, (highest - lowest) / 2
        return od.Sine(middle, size * rng.uniform(), rng.uniform(0.5, 6.0), rng.uniform(0, 6))

    def complex_ramp() -> od.Ramp:
        return od.Ramp((0.0, *KINKS), tuple(complex(*pair) for pair in rng.normal(size=(4, 2))))

    steps = od.Ramp((1.0, 1.0, 2.5, 2.5), tuple(rng.normal(size=4)))
    return EVERYTHING.replace(
        omega_a=sine(-1, 2), omega_c=steps, kappa=sine(0, 2), g_minus=sine(-2, 2), g_plus=complex_free(rng),
        drive=signals.scaled(complex_ramp(), 5.0), atom_drive=complex_ramp(),
    )  # fmt: skip


def complex_free(rng: np.random.Generator) -> od.Samples:
    return od.Samples((0.0, 1.0, 1.5, 2.5), tuple(rng.normal(size=4)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mean_field_solves_the_classical_equations(seed: int) -> None:
    model, times = shaken(seed), [0.0, 0.7, 1.0, 2.0, 2.5, 4.0]
    state = od.SpinCoherent(1.1, 0.6, alpha=3.0 + 2.0j)
    run, wanted = od.solve(model, state, times, od.MeanField()), classical(model, state, times)
    for name, column in zip(("Sx", "Sy", "Sz", "a"), wanted.T, strict=True):
        np.testing.assert_allclose(run[name], column, atol=1e-5, err_msg=name)  # of N/2 = 50
    assert run.attrs["spin_length_drift"] < 1e-8


@pytest.mark.parametrize("when", [13.0, 25.0, 38.0])
def test_mean_field_does_not_step_over_a_pulse(when: float) -> None:
    """In a model in which nothing else happens, a = −i ∫η. The pulse's tails are no numbers to divide by."""
    times = np.linspace(0.0, 40.0, 401)
    pulse = od.Samples(tuple(times), tuple(np.exp(-(((times - when) / 0.2) ** 2) / 2)))
    model = od.DickeModel(n_atoms=4, omega_a=0.0, omega_c=0.0, kappa=0.0, g_minus=0.0, g_plus=0.0, drive=pulse)
    run = od.solve(model, od.Normal(), [40.0], od.MeanField(), ["a"])
    np.testing.assert_allclose(run.a, -0.2j * math.sqrt(2 * math.pi), atol=1e-6)


def test_mean_field_keeps_times_at_the_start_and_at_kinks_apart() -> None:
    """Two signals whose kinks differ by rounding, and a time there."""
    close = 0.1 + 0.2
    assert close != 0.3
    model = EVERYTHING.replace(omega_a=od.Ramp((0.3, 0.3), (1.0, 2.0)), g_minus=od.Ramp((close, close), (0.5, 1.0)))
    for method in (od.MeanField(), TruncatedWigner(2, keep_trajectories=True), od.NuHOPS(2)):
        run = od.solve(model, STATE, [0.0, 0.3, close, 0.5], method, ["Sz", "a"])
        assert abs(run.a[2] - run.a[1]).item() < 1e-7  # noise of √(5e-17)
        assert np.isfinite(run.Sz).all()


def test_mean_field_says_that_it_neglects_thermal_light() -> None:
    assert "thermal" in od.MeanField().limits(EVERYTHING).reason
    assert "thermal" not in od.MeanField().limits(EVERYTHING.replace(n_thermal=0.0)).reason
    runs = [od.solve(model, STATE, [2.0], od.MeanField()) for model in (SMOOTH, SMOOTH.replace(n_thermal=0.0))]
    assert runs[0].a.item() == runs[1].a.item()


@pytest.mark.parametrize("strong", [{"drive": 1e7}, {"atom_drive": -1e8j}, {"drive": od.Sine(0.0, 1e7, 1.0)}])
def test_what_would_turn_for_days_is_refused(strong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="times: expected a last time"):
        od.solve(SMOOTH.replace(**strong), STATE, [300.0], od.MeanField())


# Many atoms: all methods are mean field


@pytest.mark.parametrize("method", [TruncatedWigner(60, seed=5), od.NuHOPS(2, seed=5)], ids=["wigner", "nuhops"])
def test_many_atoms_follow_mean_field(method: Any) -> None:
    """N = 10^6: S/N and a/√N of a single trajectory fluctuate about it by 1/(2√N) each at the start, and by some times
    that later; off by more than 5/√N is none of 10 numbers.
    """
    model, times = swelling(EVERYTHING, 1e4), [1.0, 2.6]
    state = od.SpinCoherent(1.1, 0.6, alpha=300.0 + 200.0j)
    names = ["Sx", "Sy", "Sz", "a"]
    run = od.solve(model, state, times, method, names)
    limit = od.solve(model, state, times, od.MeanField(), names)
    for name in names:
        scale = math.sqrt(model.n_atoms) * (math.sqrt(model.n_atoms) if name != "a" else 1.0)
        assert np.abs((run[name] - limit[name]) / scale).max() < 5e-3, name


# Truncated Wigner where it is exact


FREE = EVERYTHING.replace(n_atoms=6, g_minus=0.0, g_plus=0.0, atom_drive=0j)
TIMES = [0.4, 1.3, 2.2, 4.0]


def gaussian_field(model: od.DickeModel, alpha: complex, push: complex = 0j) -> np.ndarray:
    """<a>, <δa†δa> and the response to a spin that pushes with −i(g₋+g₊)/√N, at TIMES: shape (times, 3)."""
    root = math.sqrt(model.n_atoms)

    def flow(t: float, y: np.ndarray) -> np.ndarray:
        names = ("omega_c", "kappa", "n_thermal", "drive", "g_minus", "g_plus")
        omega_c, kappa, photons, eta, minus, plus = values(model, t, *names)
        w = kappa + 1j * omega_c
        return np.array([-w * y[0] - 1j * eta, -2 * kappa * (y[1] - photons), -w * y[2] - 1j * (minus + plus) / root])

    return integrated(flow, np.array([alpha, 0, 0], dtype=complex), TIMES)


def free_z(seed: int = 1, **changes: Any) -> float:
    """Field and spin without coupling; ``changes`` spoil the model that is sampled."""
    a, photons, _ = gaussian_field(FREE, STATE.alpha).T
    photons = photons.real
    size = np.abs(a) ** 2
    turned = integrated(lambda t, y: 1j * values(FREE, t, "omega_a")[0] * y, np.array([1.0 + 0j]), TIMES)[:, 0]
    x, y, z = 3 * np.array(STATE.direction)
    across = (x + 1j * y) * turned
    reference = {
        "a": a, "a2": a**2, "n_photon": size + photons, "n_photon2": size**2 + 4 * size * photons + 2 * photons**2,
        "Sx": across.real, "Sy": across.imag, "Sx_a": across.real * a, "Sz_a": z * a,
    }  # fmt: skip
    sample = od.solve(FREE.replace(**changes), STATE, TIMES, TruncatedWigner(4000, seed=seed), list(reference))
    return largest_z(sample, reference)


def test_field_and_spin_are_exact_without_coupling() -> None:
    """Forty-eight numbers: false alarms 3e-4."""
    assert free_z() < LARGEST_Z


@pytest.mark.parametrize(
    "wrong",
    [
        {"drive": signals.scaled(FREE.drive, -1.0)},
        {"n_thermal": signals.scaled(FREE.n_thermal, 0.5)},  # as if the bath only took up photons, or only gave them
        {"kappa": 0.7},
        {"omega_a": od.Sine(1.0, 0.4, 3.0, phase=1.0)},
        {"omega_c": od.Ramp((0.1, 1.6, 1.6, 2.6), (0.5, 2.0, -1.0, 0.5))},
    ],
)
def test_a_wrong_sample_is_seen_without_coupling(wrong: dict[str, Any]) -> None:
    assert free_z(**wrong) > 2 * LARGEST_Z


@pytest.mark.parametrize("cavity", [FREE, FREE.replace(kappa=0.7, omega_c=0.5)], ids=["moving", "constant"])
def test_the_vacuum_stays_the_vacuum(cavity: od.DickeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a drive that moves, but no thermal light, <δa†δa> = 0, to 4.5 standard errors at 4 times: 3e-5."""

    def excess() -> float:
        model = cavity.replace(n_thermal=0.0)
        method = TruncatedWigner(4000, seed=2, keep_trajectories=True)
        field = od.solve(model, STATE, TIMES, method, ["a"]).a_trajectory.values
        squares = np.abs(field - field.mean(axis=0)) ** 2
        return float((np.abs(squares.mean(axis=0) - 0.5) / squares.std(axis=0)).max() * math.sqrt(4000))

    assert excess() < LARGEST_Z
    right = GaussianField.sample
    monkeypatch.setattr(
        GaussianField, "sample", lambda self, rng, start: tuple(math.sqrt(2) * part for part in right(self, rng, start))
    )
    assert excess() > 2 * LARGEST_Z


def test_vacuum_noise_of_a_moving_cavity_has_its_correlations() -> None:
    """E[δα(t) δα*(s)] = exp(−∫w)/2 and E[δα(t) δα(s)] = 0, to 4.5 standard errors of 24 numbers: 2e-4."""
    model = FREE.replace(n_thermal=0.0)
    field = od.solve(model, STATE, TIMES, TruncatedWigner(4000, seed=3, keep_trajectories=True), ["a"]).a_trajectory
    noise = field.values - gaussian_field(model, STATE.alpha)[:, 0]
    w = integrated(lambda t, y: np.array(values(model, t, "kappa", "omega_c")), np.zeros(2, complex), TIMES) @ (1, 1j)
    for early, late in itertools.combinations(range(4), 2):
        for other, wanted in ((noise[:, early].conj(), np.exp(w[early] - w[late]) / 2), (noise[:, early], 0.0)):
            products = noise[:, late] * other
            for part in (np.real, np.imag):
                error = part(products).std() / math.sqrt(4000)
                assert abs(part(products).mean() - part(wanted)) < LARGEST_Z * error


def test_a_quench_is_met_where_it_is() -> None:
    """Steps end at jumps, wherever these lie: without coupling and loss every trajectory is exact in long steps."""
    jump = od.Ramp((1.03, 1.03), (0.0, 2.0))
    model = FREE.replace(omega_a=jump, omega_c=0.0, kappa=0.0, n_thermal=0.0, drive=jump)
    run = od.solve(model, STATE, [0.0, 2.0], TruncatedWigner(3, seed=1, step=0.4, keep_trajectories=True))
    across = (run.Sx_trajectory + 1j * run.Sy_trajectory).values
    np.testing.assert_allclose(across[:, 1], across[:, 0] * np.exp(2j * 0.97), atol=1e-13)
    np.testing.assert_allclose(run.a_trajectory[:, 1], run.a_trajectory[:, 0] - 2j * 0.97, atol=1e-13)


def test_driven_atoms_turn_as_one() -> None:
    """Without coupling every trajectory's spin is turned by dS/dt = B × S."""
    model = EVERYTHING.replace(g_minus=0.0, g_plus=0.0)
    times = [0.0, 1.0, 3.0]
    run = od.solve(model, STATE, times, TruncatedWigner(3, seed=1, step=0.02, keep_trajectories=True))
    spins = np.stack([run[f"S{axis}_trajectory"].values for axis in "xyz"], axis=-1)

    def flow(t: float, spin: np.ndarray) -> np.ndarray:
        omega_a, xi = values(model, t, "omega_a", "atom_drive")
        return np.cross([2 * xi.real, -2 * xi.imag, omega_a.real], spin)

    for one in spins:
        np.testing.assert_allclose(one, integrated(flow, one[0], times), atol=1e-5)  # of 50


def test_atoms_driven_at_resonance_turn_by_twice_the_drive() -> None:
    """Rabi oscillations, <S^z> = (N/2) cos 2|ξ|t, exactly at any N."""
    model = EVERYTHING.replace(omega_a=0.0, g_minus=0.0, g_plus=0.0, atom_drive=0.3 - 0.4j, n_atoms=5)
    run = od.solve(model, od.SpinCoherent(0.0), [0.5, 2.0], TruncatedWigner(4000, seed=4), ["Sx", "Sy", "Sz", "Sz2"])
    angle = 2 * 0.5 * np.array([0.5, 2.0])
    # B = (2 Re ξ, −2 Im ξ, 0) = (0.6, 0.8, 0) turns z to (0.8, −0.6, 0)
    reference = {"Sx": 2.5 * 0.8 * np.sin(angle), "Sy": -2.5 * 0.6 * np.sin(angle), "Sz": 2.5 * np.cos(angle)}
    reference["Sz2"] = (2.5 * np.cos(angle)) ** 2 + 1.25 * np.sin(angle) ** 2
    assert largest_z(run, reference) < LARGEST_Z
    flipped = od.solve(
        model.replace(atom_drive=0.3 + 0.4j), od.SpinCoherent(0.0), [0.5, 2.0], TruncatedWigner(4000, seed=4)
    )
    assert largest_z(flipped, reference) > 2 * LARGEST_Z


def pushed_z(**changes: Any) -> float:
    """ω_a = 0 and g₊ = g₋ conserve S^x, whose outcomes m push the field by m times its response."""
    coupling = od.Sine(0.5, 0.4, 2.0)
    model = EVERYTHING.replace(n_atoms=4, omega_a=0.0, g_minus=coupling, g_plus=coupling, atom_drive=od.Sine(0, 0.5, 2))
    a, photons, response = gaussian_field(model, 0.5j).T
    m = np.arange(5) - 2.0
    chances = np.array([math.comb(4, k) for k in range(5)]) / 16
    fields = a[:, None] + m * response[:, None]
    reference = {
        "a": fields @ chances, "a2": fields**2 @ chances, "Sx_a": (m * fields) @ chances,
        "n_photon": photons.real + np.abs(fields) ** 2 @ chances, "Sx2": np.full(4, m**2 @ chances),
    }  # fmt: skip
    method = TruncatedWigner(4000, seed=6, sampling="exact")
    sample = od.solve(model.replace(**changes), od.SpinCoherent(0.0, alpha=0.5j), TIMES, method, list(reference))
    return largest_z(sample, reference)


def test_a_conserved_spin_component_pushes_the_field_exactly() -> None:
    """Thirty-two numbers: false alarms 2e-4."""
    assert pushed_z() < LARGEST_Z
    for wrong in ({"g_minus": od.Sine(0.5, 0.4, 2.0, 0.4)}, {"drive": 1.3}, {"n_thermal": 0.0}):
        assert pushed_z(**wrong) > 2 * LARGEST_Z


# The same noise


@pytest.mark.parametrize("names", [("g_minus",), ("omega_a", "g_plus"), ("omega_c", "kappa"), ("n_thermal",)])
def test_signals_that_stand_still_are_constants(names: tuple[str, ...]) -> None:
    """The noise is the same, whoever draws it, and so is the path (on the same steps)."""
    constant = od.DickeModel(n_atoms=20, omega_a=1.0, omega_c=1.3, kappa=0.6, g_minus=1.1, g_plus=0.4)
    still = constant.replace(**{name: od.Ramp((0.0, 9.0), (getattr(constant, name),) * 2) for name in names})
    method = TruncatedWigner(3, seed=1, step=0.05, keep_trajectories=True)
    one, two = (od.solve(model, STATE, [0.0, 0.7, 3.0], method) for model in (constant, still))
    for name in ("Sx_trajectory", "Sz_trajectory", "a_trajectory"):
        np.testing.assert_allclose(two[name], one[name], atol=1e-9)


# The integrator


def flow_of(model: od.DickeModel, steps: np.ndarray) -> SystemFlow:
    return truncated_wigner._system_flow(model.system, steps)


def end_point(model: od.DickeModel, flow: SystemFlow, path: VacuumPath, spin: np.ndarray) -> np.ndarray:
    """S/j at the end of a path of the field."""
    hits = np.full(path.steps.size + 1, -1)
    hits[-1] = 0
    return flow.run(spin[None], np.array([STATE.alpha]), [path], hits, 1)[0][0, 0] / (model.n_atoms / 2)


def test_without_noise_it_is_mean_field_to_fourth_order() -> None:
    """Drive and rates all move; rates taken at the end of a step would leave first order."""
    model = SMOOTH.replace(n_thermal=0.0)
    spin = model.n_atoms / 2 * np.array(STATE.direction)
    limit = 2 * od.MeanField().trajectory(model, STATE, np.array([3.0]))[0][0]
    errors = []
    for count in (30, 60, 120):
        steps = np.full(count, 3.0 / count)
        w, push = (part[..., 0] for part in field_rates(model.system, nodes_of(steps)))
        path = VacuumPath(steps, *GaussianField(steps, w, None, push).sample(stream(0, 0), 0j))
        errors.append(np.linalg.norm(end_point(model, flow_of(model, steps), path, spin) - limit))
    assert errors[-1] < 1e-5
    np.testing.assert_allclose(np.diff(np.log2(errors)), -4, atol=0.5)


def test_strong_order_is_above_two_and_a_half() -> None:
    """Twenty paths with all the noise there is, on grids of 1/16 and 1/64."""
    flows = {count: flow_of(SMOOTH, np.full(3 * count, 1 / count)) for count in (512, 64, 16)}
    paths, squares = FieldPaths(SMOOTH.system.modes[0], np.full(3 * 512, 1 / 512)), np.zeros(2)
    for index in range(20):
        rng = stream(12, index)
        spin, path = draw_spin(STATE, SMOOTH.n_atoms, "gaussian", rng), paths.sample(rng)
        best = end_point(SMOOTH, flows[512], path, spin)
        for k, count in enumerate((16, 64)):
            squares[k] += ((end_point(SMOOTH, flows[count], path.coarsen(512 // count), spin) - best) ** 2).sum()
    errors = np.sqrt(squares / 20)
    assert errors[1] < 1e-5
    assert np.log(errors[0] / errors[1]) / np.log(4) > 2.5


PULSE = od.Samples((0.0, 1.0, 2.0, 3.0, 4.0), (0.0, 400.0, 0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    "changes",
    [
        {"drive": 60.0},
        {"drive": od.Sine(0.0, 40.0, 1.0)},  # at resonance
        {"drive": PULSE},
        {"drive": od.Ramp((0.0, 0.5), (0.0, 900.0)), "omega_c": 20.0},  # far from it
        {"atom_drive": 20.0j},
        {"atom_drive": od.Sine(0.0, 25.0, 2.0)},
    ],
)
def test_the_spin_turns_no_faster_than_the_step_is_made_for(changes: dict[str, Any]) -> None:
    """|B| of the mean field is not above the rate, and at its highest not below a fifth of it."""
    model = od.DickeModel(n_atoms=100, omega_a=1.0, omega_c=1.0, kappa=0.3, g_minus=1.0, g_plus=0.5).replace(**changes)
    times = np.linspace(0.0, 10.0, 401)
    beta = od.solve(model, od.SpinCoherent(1.0), times, od.MeanField(), ["a"]).a.values / 10
    xi = signals.evaluate(model.atom_drive, times)
    b = np.stack([3 * beta.real + 2 * xi.real, -1 * beta.imag - 2 * xi.imag, np.ones(401)])
    fastest = np.linalg.norm(b, axis=0).max()
    step = WignerSimulator(Problem(model, od.SpinCoherent(1.0), times), TruncatedWigner(1)).step
    assert fastest > 5
    assert 0.2 * 0.16 < step * fastest <= 0.16


def test_the_step_resolves_the_signals() -> None:
    model = od.DickeModel(n_atoms=100, omega_a=od.Sine(0.1, 0.1, 50.0), omega_c=0.1, kappa=0.1, g_minus=0.1, g_plus=0.0)
    run = od.solve(model, STATE, [1.0], TruncatedWigner(2))
    assert run.attrs["noise_step"] <= 0.16 / 50
    with pytest.raises(ValueError, match="step: expected at most"):
        od.solve(model, STATE, [1.0], TruncatedWigner(2, step=0.1))


def test_limits_tell_of_a_cost_that_is_finite() -> None:
    """Also where the cavity may be lossless for a while and on resonance."""
    model = EVERYTHING.replace(kappa=od.Ramp((0.0, 1.0), (0.0, 1.0)))
    limits = TruncatedWigner(100).limits(model)
    assert limits.possible
    assert not limits.exact
    assert 1e-6 < limits.seconds < 1e-2


# The house


def test_executors_and_counts_change_no_number() -> None:
    method = TruncatedWigner(12, seed=1, keep_trajectories=True)
    few = od.solve(EVERYTHING, STATE, [1.0, 2.0], TruncatedWigner(3, seed=1, keep_trajectories=True))
    one, two = (od.solve(EVERYTHING, STATE, [1.0, 2.0], method, executor=who) for who in (od.Serial(), od.Threads(2)))
    for name in one.data_vars:
        np.testing.assert_array_equal(one[name], two[name])
    np.testing.assert_array_equal(few.a_trajectory, one.a_trajectory[:3])


def test_the_start_alone_can_be_asked_for() -> None:
    for method in (od.MeanField(), TruncatedWigner(4)):
        run = od.solve(EVERYTHING, STATE, [0.0], method, ["a", "Sz"])
        assert abs(run.a - STATE.alpha).item() < 3


def test_a_drive_alone_needs_no_rates() -> None:
    """Nothing but η = 2: a = −2i t, in one step."""
    model = od.DickeModel(n_atoms=1, omega_a=0.0, omega_c=0.0, kappa=0.0, g_minus=0.0, g_plus=0.0, drive=2.0)
    run = od.solve(model, STATE, [0.0, 3.0], TruncatedWigner(2, keep_trajectories=True), ["a"]).a_trajectory
    np.testing.assert_allclose(run[:, 1], run[:, 0] - 6j, atol=1e-13)
    np.testing.assert_allclose(od.solve(model, STATE, [3.0], od.MeanField(), ["a"]).a, STATE.alpha - 6j, atol=1e-9)


def test_the_length_of_the_spin_is_kept() -> None:
    assert od.solve(EVERYTHING, STATE, [5.0], TruncatedWigner(20)).attrs["spin_length_drift"] < 1e-12
