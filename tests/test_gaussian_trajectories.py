"""Gaussian trajectories: moments against Fock space, the flow against nuHOPS and against exact Gaussian fluctuations.

Statistical tests compare numbers in standard errors (z); a correct method fails with the probability stated beside.
"""

import math
from functools import cache, reduce
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import solve_continuous_lyapunov

import opendicke as od
from opendicke.analysis import fixed_point, fluctuations
from opendicke.engine.gaussian_moments import Record
from opendicke.engine.noise import NoisePath, OrnsteinUhlenbeck
from opendicke.ensemble.streams import stream
from opendicke.methods import gaussian_trajectories as module
from opendicke.methods.gaussian_trajectories import GaussianSimulator, GaussianTrajectories
from opendicke.methods.hierarchy import NuHOPSSimulator
from opendicke.methods.moving import Light
from opendicke.observables.catalogue import CHANNELS
from opendicke.problem import Problem

#: Largest |z| among at most 80 real numbers: a correct method fails with probability 80 × 7e-6 = 5e-4.
LARGEST_Z = 4.5
FIG1 = od.DickeModel.balanced(n_atoms=1000, omega_a=1.0, omega_c=2.5, kappa=0.5, coupling=2.257432)
NORMAL = od.DickeModel(n_atoms=1000, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=0.9, g_plus=0.4)
ACROSS = od.SpinCoherent(np.pi / 4, np.pi, alpha=3.0 - 2.0j)
CUT = 24


# Moments


def bosons(count: int) -> list[Any]:
    """The annihilators of so many bosons, on Fock states of less than CUT each."""
    one, eye = sparse.diags(np.sqrt(np.arange(1.0, CUT)), 1), sparse.identity(CUT)
    return [reduce(sparse.kron, [one if at == k else eye for at in range(count)]).tocsr() for k in range(count)]


def gaussian_vector(pairs: np.ndarray, shifts: np.ndarray) -> tuple[np.ndarray, list[Any]]:
    """exp(½v†Zv† + q·v†)|0>, and the annihilators."""
    lower = bosons(len(pairs))
    exponent = sum(0.5 * pairs[i, k] * (lower[i].T @ lower[k].T) for i in range(len(pairs)) for k in range(len(pairs)))
    exponent = exponent + sum(q * one.T for q, one in zip(shifts, lower, strict=True))
    term = np.zeros(CUT ** len(pairs), dtype=complex)
    term[0] = 1.0
    total = term.copy()
    for order in range(1, 3 * CUT):
        term = exponent @ term / order
        total += term
    return total, lower


def moments_in_fock_space(pairs: np.ndarray, shifts: np.ndarray, alpha: complex, spins: int, n_atoms: int) -> Any:
    """Channels of the first spin (laboratory and frame the same) with the mode, which comes after ``spins`` of them."""
    phi, lower = gaussian_vector(pairs, np.concatenate([np.zeros(spins), shifts]))
    c, b = lower[0], lower[spins]

    def below(vector: np.ndarray) -> np.ndarray:  # <0_b|
        return vector * ((b.T @ b).diagonal() == 0)

    norm = np.linalg.norm(below(phi))
    psi, first = below(phi) / norm, (b @ phi + alpha * phi) / norm
    one, two = below(first), below(b @ first + alpha * first)
    j, root = n_atoms / 2, math.sqrt(n_atoms)
    up, down, s3 = root * c, root * c.T, j * sparse.identity(psi.size) - c.T @ c
    parts = {"Sx": (up + down) / 2, "Sy": (up - down) / 2j, "Sz": s3}
    found: dict[str, complex] = {name: psi.conj() @ (operator @ psi) for name, operator in parts.items()}
    along, squeezed = np.linalg.norm(s3 @ psi) ** 2, psi.conj() @ (up @ (up @ psi))
    across = (j * (j + 1) - along) / 2
    found |= {"Szz": along, "Sxx": across + squeezed.real / 2, "Syy": across - squeezed.real / 2}
    found |= {"Sxy": squeezed.imag / 2, "Syz": 0.0, "Szx": 0.0}
    found |= {"n_photon": np.linalg.norm(one) ** 2, "n_photon2": np.linalg.norm(two) ** 2}
    products = {"a": psi.conj() @ one, "a2": psi.conj() @ two}
    products |= {f"{name}_a": psi.conj() @ (operator @ one) for name, operator in parts.items()}
    for name, value in products.items():
        found |= {f"re_{name}": value.real, f"im_{name}": value.imag}
    return np.array([complex(found[name]).real for name in CHANNELS])


def record_of(pairs: np.ndarray, shifts: np.ndarray, alpha: complex, spins: int) -> Record:
    fields = np.full((1, len(pairs) - spins), alpha)
    return Record(np.tile(np.eye(3), (1, spins, 1, 1)), fields, pairs[None], shifts[None])


def random_pairs(seed: int, size: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """A symmetric matrix of numbers of modulus ``scale``, and shifts, of random phases."""
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, (size + 1, size))
    upper = np.triu(scale * np.exp(1j * phases[:size]))
    return upper + np.triu(upper, 1).T, 0.2 * np.exp(1j * phases[size])


@pytest.mark.parametrize(("spins", "scale"), [(1, 0.3), (2, 0.15)])
def test_all_moments_are_those_in_fock_space(spins: int, scale: float) -> None:
    """To 1e-6 of 40 atoms' spin: the weight beyond 24 quanta is below 0.4^24."""
    pairs, shifts = random_pairs(spins, spins + 1, scale)
    alpha, atoms = 0.3 - 0.5j, np.array([40.0, 25.0])[:spins]
    found = record_of(pairs, shifts[spins:], alpha, spins).channels(atoms)[0, 0, 0]
    wanted = moments_in_fock_space(pairs, shifts[spins:], alpha, spins, 40)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    without = record_of(np.diag(pairs.diagonal()), shifts[spins:], alpha, spins)
    assert np.abs(without.channels(atoms)[0, 0, 0] - wanted)[9:].max() > 0.1  # what couples is seen


def test_the_hierarchy_that_words_are_read_from_is_the_gaussian_vector() -> None:
    pairs, shifts = random_pairs(3, 2, 0.3)
    found = record_of(pairs, shifts[1:], 0j, 1).hierarchy(0, 10**6, 4)
    phi, _ = gaussian_vector(pairs, np.array([0.0, shifts[1]]))
    wanted = phi.reshape(CUT, CUT).T / np.linalg.norm(phi.reshape(CUT, CUT)[:, 0])
    np.testing.assert_allclose(found[:, :10], wanted[:4, :10], rtol=0, atol=1e-6)


def test_words_are_close_to_those_of_nuhops() -> None:
    """Exact at the start, and off by a few in N later, as the variables are."""
    words = tuple(od.word(text) for text in ("Sx a† a", "Sy Sx a", "Sz Sz a", "S+ S+ a† a a"))
    problem = Problem(FIG1, ACROSS, np.array([0.0, 2.0]), words)
    found = GaussianSimulator(problem, GaussianTrajectories(1, seed=2))(0).averaged["words"] @ (1, 1j)
    exact = NuHOPSSimulator(problem, od.NuHOPS(1, seed=2))(0).averaged["words"] @ (1, 1j)
    np.testing.assert_allclose(found[0], exact[0], rtol=1e-9, atol=1e-6)
    assert (np.abs(found[1] / exact[1] - 1) < 0.03).all()


# One trajectory


@cache
def trajectory(n_atoms: int, seed: int, index: int, exact: bool = False) -> np.ndarray:
    """<S>/j and <a>/√N at t = 2 and 4."""
    problem = Problem(FIG1.replace(n_atoms=n_atoms), od.SpinCoherent(np.pi / 4, np.pi), np.array([2.0, 4.0]))
    simulate: Any = (
        NuHOPSSimulator(problem, od.NuHOPS(1, seed=seed)) if exact else
        GaussianSimulator(problem, GaussianTrajectories(1, seed=seed))
    )  # fmt: skip
    rows = simulate(index).averaged["channels"]
    return np.concatenate([rows[:, :3] / (n_atoms / 2), rows[:, 9:11] / math.sqrt(n_atoms)], axis=1)


def gap(n_atoms: int, seed: int = 1) -> float:
    """Root mean square distance from nuHOPS's trajectories of seed 1."""
    pairs = [(trajectory(n_atoms, seed, i), trajectory(n_atoms, 1, i, exact=True)) for i in range(8)]
    return float(np.sqrt(np.mean([(one - other) ** 2 for one, other in pairs])))


def test_trajectories_approach_those_of_nuhops_as_one_over_n() -> None:
    """Tenfold N: a tenth of the distance (measured 0.09); along other noise a root of ten at most."""
    assert gap(300) < 0.03
    assert gap(3000) < 0.2 * gap(300)
    assert gap(3000, seed=2) > 10 * gap(3000)


def halved(path: NoisePath) -> NoisePath:
    """The same lines on a grid of half the steps."""
    away = path.slope * path.steps / 4
    middle = np.stack([path.middle - away, path.middle + away], axis=-1).ravel()
    return NoisePath(np.repeat(path.steps / 2, 2), middle, np.repeat(path.slope, 2))


def end(model: od.DickeModel, path: NoisePath, general: bool = False) -> np.ndarray:
    """Channels at the end of a path, by the flow of a pair or by that of any system, relative to their sizes."""
    frame, hits = ACROSS.frame(), np.append(np.full(path.steps.size, -1), 0)
    if general:
        lights = [Light(mode, path.steps) for mode in model.system.modes]
        nothing = (0 * path.middle, 0 * path.slope, np.zeros(hits.size, dtype=complex))
        flow = module._network_flow(model.system, lights, path.steps)
        arrays = frame[None], np.array([3 - 2j]), np.array([0.1j])
        record, _, _ = flow.run(*arrays, [path], [nothing], hits, 1)
    else:
        record, _, _ = module._pair_flow(model).run(frame, 3 - 2j, 0.1j, path, hits, 1)
    scale = np.repeat([model.n_atoms, model.n_atoms**2, math.sqrt(model.n_atoms), model.n_atoms], [3, 6, 2, 3])
    scale = np.concatenate([scale, [model.n_atoms**2], np.full(6, model.n_atoms**1.5)])
    found: np.ndarray = record.channels(np.array([float(model.n_atoms)]))[0, 0, 0] / scale
    return found


@pytest.mark.parametrize("model", [FIG1, NORMAL])
def test_both_flows_are_one_and_of_fourth_order(model: od.DickeModel) -> None:
    """Along one path of lines, on steps of 0.08 and halves and quarters of them."""
    path = OrnsteinUhlenbeck(np.full(40, 0.08), model.omega_c, model.kappa).sample(stream(1, 0))
    paths = [path, halved(path), halved(halved(path))]
    pair, general = ([end(model, one, kind) for one in paths] for kind in (False, True))
    for found in (pair, general):
        errors = [np.abs(one - found[2]).max() for one in found[:2]]
        assert errors[0] < 2e-5
        assert errors[1] < errors[0] / 10
    # two errors of a 4^4th of the first each
    assert np.abs(pair[2] - general[2]).max() < 2e-7


# All trajectories: against what is known when N is large


def worst_z(sample: Any, reference: dict[str, Any]) -> float:
    """The largest deviation in standard errors of either part."""
    found = 0.0
    for name, value in reference.items():
        away, error = sample[name].values[-1] - value, sample[f"{name}_sem"].values[-1]
        for part in (np.real, np.imag):
            scale = np.maximum(np.abs(part(error)), 1e-9)
            found = max(found, float((np.abs(part(away)) / scale).max()))
    return found


def fluctuations_of(model: od.DickeModel) -> dict[str, Any]:
    """Second moments about the normal state, long after the start, for N → ∞."""
    point = fixed_point(model, "normal")
    v, n_atoms = fluctuations(point).covariance, model.n_atoms
    sign = point.frame[:2] @ np.eye(3)[:, :2]  # spin axes of the theory, in terms of x and y
    spin = sign.T @ v[:2, :2] @ sign * n_atoms / 2
    mixed = sign.T @ (v[:2, 2] + 1j * v[:2, 3]) * math.sqrt(n_atoms) / 2
    found = {"Sx2": spin[0, 0], "Sy2": spin[1, 1], "Sx_a": mixed[0], "Sy_a": mixed[1], "Sx": 0.0, "Sy": 0.0, "a": 0j}
    found |= {"n_photon": (v[2, 2] + v[3, 3] - 1) / 2, "a2": (v[2, 2] - v[3, 3]) / 2 + 1j * v[2, 3]}
    return found | {"Sz": fluctuations(point).excitations - n_atoms / 2}


def test_fluctuations_about_the_normal_state() -> None:
    """20 numbers; the bias of the method is of relative order 1/N = 1e-5."""
    model = NORMAL.replace(n_atoms=100_000)
    sample = od.solve(model, od.Normal(), [30.0], GaussianTrajectories(600, seed=5, step=0.25))
    assert worst_z(sample, fluctuations_of(model)) < LARGEST_Z
    assert worst_z(sample, fluctuations_of(model.replace(g_plus=-model.g_plus))) > 2 * LARGEST_Z


NETWORK = od.System(
    spins=(od.Spin(n_atoms=20_000, omega_a=1.0), od.Spin(n_atoms=10_000, omega_a=1.3)),
    modes=(od.Mode(omega_c=1.2, kappa=0.5), od.Mode(omega_c=0.8, kappa=0.7, n_thermal=0.3)),
    g_minus=((0.6, 0.3j), (0.2, 0.5)),
    g_plus=((0.3, -0.2), (0.25j, 0.3)),
)


def linear(system: od.System) -> dict[str, Any]:
    """Stationary photons, excitations and <S_i a_m> of a system about its normal state, for N → ∞ (Lyapunov)."""
    share = np.sqrt(np.array([spin.n_atoms for spin in system.spins]) / system.n_ref)
    minus, plus = (share[:, None] * np.array(rows, dtype=complex) for rows in (system.g_minus, system.g_plus))
    size = sum(system.shape)
    # i d(v)/dt = normal v + pairs v†, v = (c…, a…), as S^- ≈ √N c about the normal state
    normal = np.diag([spin.omega_a for spin in system.spins] + [mode.omega_c for mode in system.modes]).astype(complex)
    pairs = np.zeros((size, size), dtype=complex)
    first = len(system.spins)
    normal[first:, :first], normal[:first, first:] = minus.T, minus.conj()
    pairs[first:, :first], pairs[:first, first:] = plus.T, plus
    loss = np.array([0.0] * first + [mode.kappa for mode in system.modes])
    photons = np.array([0.0] * first + [mode.n_thermal for mode in system.modes])
    drift = np.block([[-1j * normal, -1j * pairs], [1j * pairs.conj(), 1j * normal.conj()]])
    drift -= np.diag(np.concatenate([loss, loss]))
    spread = np.diag(np.concatenate([loss, loss]) * (2 * np.concatenate([photons, photons]) + 1))
    covariance = solve_continuous_lyapunov(drift, -spread.astype(complex))  # ½<{w, w†}>, w = (v, v†)
    excited = covariance.diagonal().real[:size] - 0.5
    found: dict[str, Any] = {"n_photon": excited[first:]}
    found["Sz"] = excited[:first] - np.array([spin.n_atoms for spin in system.spins]) / 2
    # <c a> and <c† a>: S^x = √N (c + c†)/2
    both = covariance[:first, size + first :].T, covariance[first:size, :first]
    root = np.sqrt([spin.n_atoms for spin in system.spins])[:, None]
    found["Sx_a"] = root * (covariance[first:size, size : size + first] + both[1]).T / 2
    return found


def test_a_network_in_thermal_light_below_threshold() -> None:
    """12 real numbers, some correlated, after 25 units of time; with vacuum in the light they would be others."""
    sample = od.solve(NETWORK, od.Normal(), [25.0], GaussianTrajectories(400, seed=4, step=0.25))
    assert worst_z(sample, linear(NETWORK)) < LARGEST_Z
    assert worst_z(sample, linear(NETWORK.replace(**{"modes.1.n_thermal": 0.0}))) > 2 * LARGEST_Z


def test_a_ramp_a_drive_and_light_agree_with_nuhops() -> None:
    """The same noise, and that of the light: trajectories differ by a spin or two, whatever moves."""
    model = FIG1.replace(
        n_atoms=2000, g_plus=od.Ramp((0.0, 2.0), (0.2, 1.2)), n_thermal=0.5, squeezing=0.3j, drive=4.0 - 1.0j,
        atom_drive=0.1j, g_minus=0.9 * np.exp(0.4j),
    )  # fmt: skip
    problem = Problem(
        model, od.SpinCoherent(0.6, 0.3, cavity=od.cavities.Thermal(0.5, alpha=2.0)), np.array([0.0, 3.0])
    )
    simulate = GaussianSimulator(problem, GaussianTrajectories(1, seed=3))
    exact = NuHOPSSimulator(problem, od.NuHOPS(1, seed=3))
    scale = np.array([1000.0] * 3 + [1e6] * 6 + [45.0] * 2 + [2000.0] * 3 + [4e6] + [45_000.0] * 6)
    one, same, other = (run(i).averaged["channels"] / scale for run, i in ((exact, 0), (simulate, 0), (simulate, 1)))
    np.testing.assert_allclose(same[0], one[0], rtol=0, atol=1e-9)
    assert np.abs(same[1] - one[1]).max() < 0.005
    assert np.abs(other[1] - one[1]).max() > 0.02


def test_a_squeezed_cavity_is_exact_at_the_start() -> None:
    state = od.SpinCoherent(0.6, 0.3, cavity=od.cavities.Squeezed(0.5, phi=0.7, alpha=1.0))
    problem = Problem(FIG1, state, np.array([0.0]))
    found = GaussianSimulator(problem, GaussianTrajectories(1, seed=3))(0).averaged["channels"]
    exact = NuHOPSSimulator(problem, od.NuHOPS(1, seed=3))(0).averaged["channels"]
    np.testing.assert_allclose(found, exact, rtol=1e-8, atol=1e-6)


def test_states_that_are_kept_have_the_moments_of_their_trajectories() -> None:
    method = GaussianTrajectories(2, seed=1, keep_trajectories=True, keep_states=(1.5,))
    answer = od.solve(FIG1, ACROSS, [0.0, 1.5], method, ["Sz"])
    psi, frame = answer.psi.values[1, 0], answer.psi_frame.values[1, 0]
    length = FIG1.n_atoms / 2 - (np.abs(psi) ** 2) @ np.arange(psi.size)
    mean = [answer[f"S{axis}_trajectory"].values[1, 1] for axis in "xyz"]
    np.testing.assert_allclose(length * frame[2], mean, rtol=0, atol=1e-6)


# Limits


def test_a_state_without_a_norm_is_a_failure_and_no_number() -> None:
    """At N = 30 some trajectories end so; the message says when, and they are left out."""
    model, method = FIG1.replace(n_atoms=30), GaussianTrajectories(60, seed=1)
    with pytest.warns(od.FailedTrajectoryWarning, match=r"stopped at time [\d.]+: its Gaussian state"):
        answer = od.solve(model, od.SpinCoherent(np.pi / 4, np.pi), [10.0, 20.0], method)
    assert 40 <= answer.attrs["trajectories"] < 60
    assert np.isfinite(answer.Sz.values).all()
    assert answer.attrs["largest_excitation"] < 0.5


def test_both_flows_end_where_there_is_no_norm() -> None:
    """Found by running them: trajectory 4 of seed 1 at N = 30 ends at t = 2.9, that at N = 1000 does not."""
    for n_atoms in (30, 1000):
        model = FIG1.replace(n_atoms=n_atoms)
        problem = Problem(model, od.SpinCoherent(np.pi / 4, np.pi), np.array([5.0]))
        pair, general = (GaussianSimulator(problem, GaussianTrajectories(1, seed=1)) for _ in range(2))
        general._lights = [Light(mode, general.steps) for mode in model.system.modes]
        general._flow = module._network_flow(model.system, general._lights, general.steps)
        for simulate in (pair, general):
            if n_atoms == 1000:
                assert simulate(4).peaks["largest_excitation"] < 0.1
                continue
            with pytest.raises(od.TrajectoryError, match=r"stopped at time 2\.\d+: its Gaussian state"):
                simulate(4)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (od.Dicke(0.0), "SpinCoherent states of the spin"),
        (od.SpinCoherent(0.3, cavity=od.cavities.Fock(1)), "coherent, Thermal or Squeezed cavity"),
        (od.SpinCoherent(0.3, cavity=od.cavities.Cat(1.0)), "coherent, Thermal or Squeezed cavity"),
    ],
)
def test_other_states_are_refused(state: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        od.solve(FIG1, state, [1.0], GaussianTrajectories(1))


def test_what_it_cannot_take_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="words of one spin and one mode"):
        od.solve(NETWORK, od.Normal(), [1.0], GaussianTrajectories(1), ["Sx1 Sx2"])
    with pytest.raises(ValueError, match="keep_states"):
        od.solve(NETWORK, od.Normal(), [1.0], GaussianTrajectories(1, keep_states=(1.0,)))
    light = FIG1.replace(n_thermal=0.5, squeezing=0.8)
    assert not GaussianTrajectories(1).limits(light).possible
    with pytest.raises(ValueError, match="squeezing"):
        od.solve(light, od.Normal(), [1.0], GaussianTrajectories(1))


def test_a_system_of_one_pair_is_the_model() -> None:
    method = GaussianTrajectories(2, seed=1)
    one, other = (od.solve(given, ACROSS, [1.0], method, ["Sz", "a"]) for given in (FIG1, FIG1.system))
    np.testing.assert_allclose(other.Sz.values[:, 0], one.Sz.values, rtol=1e-9, atol=0)
    np.testing.assert_allclose(other.a.values[:, 0], one.a.values, rtol=1e-9, atol=0)


def test_a_spin_is_the_sum_of_two_on_the_same_path() -> None:
    """Of 700 and 300 atoms: the same equations, to rounding, with what the two have to do with each other."""
    model = od.DickeModel(n_atoms=1000, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.13, g_plus=0.7)
    path = OrnsteinUhlenbeck(np.full(40, 0.04), 2.5, 0.5).sample(stream(1, 0))
    frame, one = od.SpinCoherent(np.pi / 4, np.pi).frame(), model.system
    spins = [od.Spin(n_atoms=n, omega_a=1.0) for n in (700, 300)]
    rows = {"g_minus": [one.g_minus[0]] * 2, "g_plus": [one.g_plus[0]] * 2}
    ends = []
    for system in (one, od.System(spins=spins, modes=one.modes, **rows)):
        flow = module._network_flow(system, [Light(mode, path.steps) for mode in system.modes], path.steps)
        still = (0 * path.middle, 0 * path.slope, np.zeros(41, dtype=np.complex128))
        hits, frames = np.append(np.full(40, -1), 0), np.stack([frame] * len(system.spins))
        record, *_ = flow.run(frames, np.array([3 - 2j]), np.array([0.1j]), [path], [still], hits, 1)
        found = record.channels(np.array([float(spin.n_atoms) for spin in system.spins]))[0, :, 0]
        ends.append(np.concatenate([found[:, :3].sum(axis=0), found[0, 9:15], found[:, 15:].sum(axis=0)]))
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-10, atol=1e-8)
