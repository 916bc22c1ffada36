"""The master equation of models that move in time, are driven or thermal.

Wrong formulas that were put in by hand, and which test rejects each:

- thermal photons on one side only (2κn̄ D[a†] or its jumps left out, or n̄ left out of the loss): every seed of
  ``test_every_variable_agrees_with_qutip``, ``test_thermal_light_fills_the_cavity``;
- the sign of the drive, of its imaginary part, and of the atoms' drive: the same seeds,
  ``test_a_driven_cavity_is_coherent``, ``test_driven_atoms_turn``;
- a rate that jumps, taken at an end of the integrator's step with the value beyond it, or an integrator that is not
  stopped at the jump: ``test_the_integrator_stops_at_kinks`` (numbers alone do not tell: the integrator's error control
  shrinks its steps there until they are right);
- steps as long as the integrator likes: ``test_no_pulse_is_stepped_over``;
- photons absorbed beyond the cutoff: ``test_the_cutoff_is_raised_until_thermal_light_fits``;
- QuTiP's operators without the second channel, or with h.c. left out: ``test_operators_for_qutip``.
"""

import itertools
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import qutip
from scipy.integrate import DOP853

import opendicke as od
from opendicke import signals
from opendicke.integration import Watch
from opendicke.master.density import initial
from opendicke.master.driven_liouvillian import DrivenGenerator, longest_step
from opendicke.methods import cutoffs, lindblad
from opendicke.problem import Problem

#: Of the integrator, relative, and of the highest photon number.
RTOL, TOP = 1e-10, 1e-10
EXACT = od.Lindblad(rtol=RTOL, atol=1e-13, max_top_population=TOP)
TIMES = np.array([0.0, 0.3, 0.8, 1.7])
EVERYDAY = od.DickeModel(n_atoms=3, omega_a=1.0, omega_c=1.2, kappa=0.7, g_minus=0.9, g_plus=0.5)
LOOSE = EVERYDAY.replace(g_minus=0.0, g_plus=0.0)


def random_case(seed: int) -> tuple[od.DickeModel, od.SpinCoherent]:
    """Everything moves, each in one of three ways; every third drive and bath stays as it is."""
    random = np.random.default_rng(seed)

    def moving(low: float, high: float, kind: int, factor: complex = 1.0) -> Any:
        first, second = random.uniform(low, high, 2)
        if kind == 0:  # within low and high
            mean, amplitude = 0.5 * (first + second), 0.5 * abs(first - second)
            return od.Sine(factor * mean, factor * amplitude, random.uniform(1.0, 6.0), random.uniform(0.0, 6.0))
        if kind == 1:  # with a step, at the same time as others
            return od.Ramp((0.2, 1.0, 1.0, 1.5), (factor * first, factor * second, factor * first, factor * second))
        if kind == 2:
            values = factor * (first + (second - first) * np.linspace(0.0, 1.0, 6) ** 2)
            return od.Samples(tuple(np.linspace(0.1, 1.6, 6)), tuple(values))
        return factor * first

    model = od.DickeModel(
        n_atoms=1 + seed % 4,
        omega_a=moving(-1.5, 1.5, seed % 3),
        omega_c=moving(-1.5, 1.5, (seed + 1) % 3),
        kappa=moving(0.3, 0.8, (seed + 2) % 3),
        g_minus=moving(-0.8, 0.8, (seed // 2) % 3),
        g_plus=moving(-0.8, 0.8, (seed // 2 + 1) % 3),
        n_thermal=moving(0.05, 0.25, seed % 4),
        drive=moving(-0.6, 0.6, (seed + 1) % 4, np.exp(1j * seed)),
        atom_drive=moving(-0.6, 0.6, (seed + 2) % 4, np.exp(2j * seed)),
    )
    theta, phi = random.uniform(0, np.pi), random.uniform(0, 2 * np.pi)
    return model, od.SpinCoherent(theta, phi, alpha=complex(*random.uniform(-0.4, 0.4, 2)))


def terms(n_atoms: int, photons: int) -> dict[str, Any]:
    """S^x, S^y, S^z, S⁺ and a for QuTiP."""
    j, levels = n_atoms / 2, photons + 1
    spin = {axis: qutip.tensor(qutip.jmat(j, axis), qutip.qeye(levels)) for axis in "xyz+"}
    return spin | {"a": qutip.tensor(qutip.qeye(n_atoms + 1), qutip.destroy(levels))}


def equation(model: od.DickeModel, photons: int, begin: float, end: float) -> tuple[Any, list[Any]]:
    """H and the jump operators between two times, written out from the docstring of the model."""
    of = terms(model.n_atoms, photons)
    a, raising = of["a"], of["+"]
    lower, rise = raising.dag() * a.dag(), raising * a.dag()
    first, last = np.nextafter(begin, end), np.nextafter(end, begin)

    def at(name: str, function: Callable[[complex], complex] = lambda value: value) -> Callable[[float], complex]:
        return lambda t: complex(function(complex(signals.evaluate(getattr(model, name), min(max(t, first), last)))))

    kappa, photons_at = at("kappa"), at("n_thermal")
    hamiltonian = [
        [of["z"], at("omega_a")],
        [a.dag() * a, at("omega_c")],
        [(lower + lower.dag()) / math.sqrt(model.n_atoms), at("g_minus")],
        [(rise + rise.dag()) / math.sqrt(model.n_atoms), at("g_plus")],
        [a.dag(), at("drive")],
        [a, at("drive", np.conj)],
        [raising, at("atom_drive")],
        [raising.dag(), at("atom_drive", np.conj)],
    ]
    jumps = [
        qutip.QobjEvo([a, lambda t: np.sqrt(2 * kappa(t) * (photons_at(t) + 1))]),
        qutip.QobjEvo([a.dag(), lambda t: np.sqrt(2 * kappa(t) * photons_at(t))]),
    ]
    return qutip.QobjEvo(hamiltonian), jumps


def catalogue(n_atoms: int, photons: int) -> dict[str, Any]:
    """The operator of every variable."""
    of = terms(n_atoms, photons)
    a = of["a"]
    operators = {"a": a, "n_photon": a.dag() * a, "a2": a * a, "n_photon2": a.dag() ** 2 * a**2}
    for axis in "xyz":
        s = of[axis]
        operators |= {f"S{axis}": s, f"S{axis}2": s * s, f"S{axis}_a": s * a}
        operators |= {f"S{axis}_S{other}": s * of[other] for other in "xyz" if other != axis}
    return operators


def qutip_states(model: od.DickeModel, state: od.SpinCoherent, times: np.ndarray, photons: int) -> list[Any]:
    """ρ at ``times``, from QuTiP, started anew at every kink."""
    cavity = qutip.coherent(photons + 1, state.alpha, method="analytic").unit()
    rho = qutip.ket2dm(qutip.tensor(qutip.spin_coherent(model.n_atoms / 2, state.theta, state.phi), cavity))
    kinks = signals.kinks((getattr(model, name) for name in model.moving), times[-1])
    options = {"rtol": 1e-10, "atol": 1e-13, "nsteps": 100_000, "max_step": 0.05, "method": "vern9"}
    found = [rho] if times[0] == 0 else []
    for begin, end in itertools.pairwise((0.0, *kinks, times[-1])):
        wanted = times[(times > begin) & (times <= end)]
        asked = np.unique([begin, *wanted, end])
        hamiltonian, jumps = equation(model, photons, begin, end)
        answer = qutip.mesolve(hamiltonian, rho, asked, jumps, options=options)
        found += [answer.states[int(np.searchsorted(asked, time))] for time in wanted]
        rho = answer.states[-1]
    return found


def bound(operator: Any, model: od.DickeModel, photons: int, stop: float) -> float:
    """How far integrator and cutoff may be off: ‖O‖ times (rtol a step + what the top level holds and passes on).

    The Liouvillian's width W makes about W steps a unit of time, and moves at most W times the top population.
    """
    turns = 1 + stop * lindblad._width(model.system, (photons,))
    return float(np.linalg.norm(operator.full(), 2)) * turns * (RTOL + TOP)


@pytest.mark.parametrize("seed", range(8))
def test_every_variable_agrees_with_qutip(seed: int) -> None:
    model, state = random_case(seed)
    result = od.solve(model, state, TIMES, EXACT, progress=False)
    photons = result.attrs["photons"] + 3
    states, operators = qutip_states(model, state, TIMES, photons), catalogue(model.n_atoms, photons)
    assert set(result.data_vars) == set(operators)
    for name, operator in operators.items():
        expected = [qutip.expect(operator, rho) for rho in states]
        atol = bound(operator, model, photons, TIMES[-1])
        assert atol < 5e-3 * max(1.0, abs(np.array(expected)).max())
        np.testing.assert_allclose(result[name], expected, rtol=0, atol=atol, err_msg=name)


def decayed(w: complex, times: np.ndarray) -> np.ndarray:
    r""":math:`\int_0^t e^{-w(t-s)}ds`."""
    return (1 - np.exp(-w * times)) / w


def turned(nu: float, w: complex, times: np.ndarray) -> np.ndarray:
    r""":math:`\int_0^t e^{-w(t-s)}e^{i\nu s}ds`."""
    return (np.exp(1j * nu * times) - np.exp(-w * times)) / (w + 1j * nu)


def test_a_driven_cavity_is_coherent() -> None:
    """η = η₀ + η₁ sin(νt + φ): α(t) = α₀e^(−wt) − i ∫ e^(−w(t−s)) η(s) ds in closed form, and |α|² photons."""
    alpha, steady, swing, nu, phase = 0.5 - 0.3j, 0.6 + 0.8j, 0.7 - 0.2j, 3.0, 0.4
    w = LOOSE.kappa + 1j * LOOSE.omega_c
    constant = alpha * np.exp(-w * TIMES) - 1j * steady * decayed(w, TIMES)
    waves = [sign * np.exp(1j * sign * phase) * turned(sign * nu, w, TIMES) for sign in (1, -1)]
    for drive, expected in (
        (steady, constant),
        (od.Sine(steady, swing, nu, phase), constant - 1j * swing * sum(waves) / 2j),
    ):
        model = LOOSE.replace(n_atoms=1, drive=drive)
        result = od.solve(model, od.SpinCoherent(1.0, alpha=alpha), TIMES, EXACT, progress=False)
        np.testing.assert_allclose(result.a, expected, rtol=0, atol=1e-8)
        np.testing.assert_allclose(result.n_photon, abs(expected) ** 2, rtol=0, atol=1e-8)
        np.testing.assert_allclose(result.n_photon2, abs(expected) ** 4, rtol=0, atol=1e-7)


def test_thermal_light_fills_the_cavity() -> None:
    """n̄(1 − e^(−2κt)), and ⟨a†²a²⟩ is twice its square."""
    model = LOOSE.replace(n_atoms=1, n_thermal=0.6)
    result = od.solve(model, od.Normal(), TIMES, EXACT, progress=False)
    photons = -0.6 * np.expm1(-2 * LOOSE.kappa * TIMES)
    np.testing.assert_allclose(result.n_photon, photons, rtol=0, atol=1e-8)
    np.testing.assert_allclose(result.n_photon2, 2 * photons**2, rtol=0, atol=1e-7)


def test_thermal_light_beside_a_moving_loss() -> None:
    """With κ(t) = κ₀ + κ₁ sin(νt): n̄(1 − e^(−2∫κ))."""
    model = LOOSE.replace(n_atoms=1, n_thermal=0.3, kappa=od.Sine(0.5, 0.4, 5.0))
    photons = -0.3 * np.expm1(-2 * (0.5 * TIMES + 0.4 * (1 - np.cos(5.0 * TIMES)) / 5.0))
    result = od.solve(model, od.Normal(), TIMES, EXACT, ["n_photon"], progress=False)
    np.testing.assert_allclose(result.n_photon, photons, rtol=0, atol=1e-8)


@pytest.mark.parametrize("n_atoms", [1, 4])
def test_driven_atoms_turn(n_atoms: int) -> None:
    """About B = (2 Re ξ, −2 Im ξ, ω_a), at the rate |B|: Rodrigues' rotation."""
    push = 0.4 - 0.7j
    model = LOOSE.replace(n_atoms=n_atoms, atom_drive=push)
    state = od.SpinCoherent(0.8, 2.0)
    field = np.array([2 * push.real, -2 * push.imag, model.omega_a])
    rate, start = np.linalg.norm(field), n_atoms / 2 * np.array(state.direction)
    axis, angle = field / rate, (rate * TIMES)[:, None]
    along = axis * (axis @ start)
    expected = along + np.cos(angle) * (start - along) + np.sin(angle) * np.cross(axis, start)
    result = od.solve(model, state, TIMES, EXACT, progress=False)
    for name, values in zip(("Sx", "Sy", "Sz"), expected.T, strict=True):
        np.testing.assert_allclose(result[name], values, rtol=0, atol=1e-8, err_msg=name)


def test_a_step_is_met_at_its_time() -> None:
    """Drive and frequency jump at t = 1, which is also an output time; before it nothing of it is felt."""
    drive = od.Ramp((1.0, 1.0), (0.4, -0.9j))
    model = LOOSE.replace(n_atoms=1, drive=drive, omega_c=od.Ramp((1.0, 1.0), (0.5, -2.0)))
    times = np.array([0.6, 1.0, 1.3, 2.0])
    before, after = LOOSE.kappa + 0.5j, LOOSE.kappa - 2.0j
    expected = -0.4j * decayed(before, np.minimum(times, 1.0))
    later = np.maximum(times - 1.0, 0.0)
    expected = expected * np.exp(-after * later) - 0.9 * decayed(after, later)
    result = od.solve(model, od.Normal(), times, EXACT, progress=False)
    np.testing.assert_allclose(result.a, expected, rtol=0, atol=1e-9)


def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Times and values of κ that the right-hand side is computed with, from now on."""
    seen: list[tuple[float, float]] = []
    call = DrivenGenerator.__call__

    def watched(self: DrivenGenerator, time: float, y: np.ndarray) -> np.ndarray:
        found = call(self, time, y)
        seen.append((time, 0.5 * (self._down[0] - self._up[0])))
        return found

    monkeypatch.setattr(DrivenGenerator, "__call__", watched)
    return seen


def test_the_integrator_stops_at_kinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a jump only the value before it, after it only the one after; both ends of the ramp are met."""
    seen = evaluations(monkeypatch)
    model = LOOSE.replace(kappa=od.Ramp((0.5, 0.5), (0.2, 3.0)), omega_a=od.Ramp((0.3, 0.9), (0.0, 1.0)))
    od.solve(model, od.SpinCoherent(1.0, alpha=0.2), [1.0], od.Lindblad(), progress=False)
    times, kappa = np.array(seen).T
    np.testing.assert_allclose(kappa, np.where(times < 0.5, 0.2, 3.0), rtol=1e-12)
    for kink in (0.3, 0.5, 0.9):
        assert np.nextafter(kink, 0.0) in times
        assert np.nextafter(kink, 2.0) in times
        assert kink not in times


def test_no_pulse_is_stepped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing happens until a short pulse drives the cavity: α is −i times its area.

    An integrator left alone sees nothing, takes steps ten times as long as those before and is beyond it at once.
    The pulse's tails, down to 1e-160, are no numbers for the integrator to square.
    """
    times = np.linspace(0.0, 20.0, 401)
    pulse = od.Samples(tuple(times), tuple(0.5 * np.exp(-(((times - 15.4) / 0.15) ** 2))))
    model = od.DickeModel(n_atoms=1, omega_a=0, omega_c=0, kappa=0, g_minus=0, g_plus=0, drive=pulse)
    assert longest_step(model.system) == pytest.approx(0.025)
    seen = evaluations(monkeypatch)
    result = od.solve(model, od.Normal(), [20.0], od.Lindblad(photons=8), ["a"], progress=False)
    np.testing.assert_allclose(
        result.a, -0.5j * 0.15 * np.sqrt(np.pi), rtol=0, atol=1e-8
    )  # sums of a Gaussian are exact
    assert np.diff(np.sort([time for time, _ in seen])).max() < longest_step(model.system)
    assert longest_step(model.replace(drive=od.Sine(0, 1, 40.0)).system) == 0.5 / 40
    assert longest_step(EVERYDAY.system) == np.inf


def test_the_cutoff_is_raised_until_thermal_light_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """P(f) = n̄^f/(n̄+1)^(f+1) of a thermal state; a guess of 2 photons is raised, and one asked for refused."""
    model = LOOSE.replace(n_atoms=1, n_thermal=1.0, kappa=5.0)
    monkeypatch.setattr(lindblad.Lindblad, "_first_cutoffs", lambda self, problem, clock: (2,))
    result = od.solve(model, od.Normal(), [3.0], od.Lindblad(), progress=False)
    photons = result.attrs["photons"]
    assert 0.5 ** (photons + 1) < result.attrs["top_population"] < 1.01 * 2 * 0.5 ** (photons + 1) < 2e-8
    np.testing.assert_allclose(result.n_photon, 1.0, atol=1e-5)
    with pytest.raises(ValueError, match=r"photons: expected .* got 8 .*Try photons=\d+"):
        od.solve(model, od.Normal(), [3.0], od.Lindblad(photons=8), progress=False)


@pytest.mark.parametrize(
    "change",
    [
        {"n_thermal": 0.5},
        {"drive": 1.5 - 0.5j},
        {"drive": od.Sine(0.0, 4.0, frequency=60.0)},  # far from resonance: few photons
        {"drive": 2.0, "omega_c": od.Ramp((0.0, 4.0), (-4.0, 4.0))},
        {"atom_drive": od.Ramp((0.0, 1.0), (0.0, 2.0))},
    ],
)
def test_the_cutoff_found_is_enough_and_not_far_too_large(change: dict[str, Any]) -> None:
    state, method = od.SpinCoherent(np.pi / 4, np.pi), od.Lindblad()
    found = od.solve(EVERYDAY.replace(n_atoms=1, **change), state, [4.0], method, progress=False)
    assert found.attrs["top_population"] < 1e-8
    photons = found.attrs["photons"]
    larger = od.Lindblad(photons=photons + 10)
    for name, values in od.solve(EVERYDAY.replace(n_atoms=1, **change), state, [4.0], larger, progress=False).items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-5, err_msg=name)
    smaller = od.Lindblad(photons=photons // 2)
    with pytest.raises(ValueError, match="photons: expected"):
        od.solve(EVERYDAY.replace(n_atoms=1, **change), state, [4.0], smaller, progress=False)


def test_states_are_kept_and_are_states() -> None:
    model, state = random_case(5)
    problem = Problem(model, state, TIMES)
    rho = EXACT.density_matrices(problem)
    square = rho.reshape(len(TIMES), rho.shape[1] * rho.shape[2], -1)
    np.testing.assert_allclose(square, square.conj().transpose(0, 2, 1), atol=1e-14)
    np.testing.assert_allclose(np.trace(square, axis1=1, axis2=2), 1.0, atol=1e-9)
    assert np.linalg.eigvalsh(square).min() > -1e-9
    for found, expected in zip(square, qutip_states(model, state, TIMES, rho.shape[2] - 1), strict=True):
        np.testing.assert_allclose(found, expected.full(), rtol=0, atol=1e-8)
    reduced = np.einsum("tnfmf->tnm", rho)
    np.testing.assert_allclose(EXACT.spin_states(problem), reduced, atol=1e-15)
    kept = od.solve(model, state, TIMES, od.Lindblad(keep_states=(0.0, 1.7)), progress=False).rho_spin
    np.testing.assert_allclose(kept, reduced[[0, -1]], rtol=0, atol=1e-7)


def test_limits_tell_of_drives_and_bath() -> None:
    plain, method = od.Lindblad().limits(EVERYDAY), od.Lindblad()
    driven = method.limits(EVERYDAY.replace(drive=od.Sine(0.0, 3.0, 1.2)))
    thermal = method.limits(EVERYDAY.replace(n_thermal=2.0))
    for limits in (driven, thermal):
        assert limits.possible
        assert limits.exact
        assert limits.memory_bytes > 1.5 * plain.memory_bytes
        assert limits.seconds > 2 * plain.seconds
    fast, plain = (method.limits(LOOSE.replace(n_atoms=1, omega_a=rate)) for rate in (od.Sine(1.0, 0.1, 3e3), 1.0))
    assert 1 < fast.seconds < 10  # measured: 3 s
    assert plain.seconds < 0.01
    ends = tuple(np.linspace(0.0, 3.0, 3001))
    bent = method.limits(LOOSE.replace(n_atoms=1, omega_a=od.Ramp(ends, tuple(np.sin(ends)))))
    assert 1 < bent.seconds < 5  # measured: 2 s a unit of time
    hot = method.limits(EVERYDAY.replace(n_thermal=od.Ramp((0.0, 1.0), (0.0, 300.0))))
    assert not hot.possible
    assert "GiB of memory" in hot.reason


def test_what_would_never_end_is_refused() -> None:
    for change in ({"atom_drive": 1e9}, {"drive": od.Sine(0, 1, frequency=1e9)}, {"kappa": 1e5, "n_thermal": 1e5}):
        with pytest.raises(ValueError, match="times: expected a last time of at most 1e"):
            od.solve(LOOSE.replace(**change), od.Normal(), [1.0], od.Lindblad(), progress=False)
    with pytest.raises(TimeoutError, match="timeout"):
        od.solve(LOOSE.replace(atom_drive=1e4), od.Normal(), [1e2], od.Lindblad(), timeout=0.2, progress=False)


def test_everyday_models_are_solved_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit what one run of DOP853 on the everyday right-hand side gives, and nothing else is asked."""
    monkeypatch.delattr(lindblad, "DrivenGenerator")
    for name in ("empty_cavity", "thermal_tail"):
        monkeypatch.delattr(cutoffs, name)
    state = od.SpinCoherent(0.9, 0.4, alpha=0.3 - 0.2j)
    problem = Problem(EVERYDAY, state, TIMES)
    rho = od.Lindblad(photons=14).density_matrices(problem)
    generator, start = lindblad._Generator(EVERYDAY, 14), initial(problem, (14,))[0]
    solver, found = DOP853(generator, 0.0, start, TIMES[-1], rtol=1e-9, atol=1e-12), [start]
    while solver.status == "running":
        solver.step()
        inside = TIMES[(solver.t_old < TIMES) & (solver.t >= TIMES)]
        found += [solver.dense_output()(time) for time in inside]
    assert len(found) == len(TIMES)
    np.testing.assert_array_equal(rho, [generator.unfold(y) for y in found])


def test_both_right_hand_sides_agree_on_everyday_models() -> None:
    model = EVERYDAY.replace(omega_a=-0.7, g_plus=-0.4)
    y = np.random.default_rng(1).standard_normal((4 * 9) ** 2)
    both = lindblad._Generator(model, 8)(0.3, y), DrivenGenerator(model.system, (8,), Watch())(0.3, y)
    np.testing.assert_allclose(both[0], both[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_operators_for_qutip(seed: int) -> None:
    """Hamiltonian and jumps within each segment, against those written out; and they can be sent to processes."""
    model = random_case(seed)[0]
    hamiltonian, jumps = pickle.loads(pickle.dumps(model.to_qutip(6)))
    assert isinstance(hamiltonian, qutip.QobjEvo)
    expected, others = equation(model, 6, 0.0, 9.0)
    for time in (0.05, 0.7, 1.2):
        assert (hamiltonian(time) - expected(time)).norm() < 1e-12
        for jump, other in zip(jumps, others, strict=True):
            assert (qutip.QobjEvo(jump)(time) - other(time)).norm() < 1e-12


def test_operators_for_qutip_move_only_where_the_model_does() -> None:
    hamiltonian, jumps = EVERYDAY.replace(drive=0.3j, n_thermal=0.5).to_qutip(4)
    assert isinstance(hamiltonian, qutip.Qobj)
    assert hamiltonian.isherm
    assert [type(jump) for jump in jumps] == [qutip.Qobj, qutip.Qobj]
    hamiltonian, jumps = EVERYDAY.replace(kappa=od.Ramp((0.0, 1.0), (0.0, 1.0))).to_qutip(4)
    assert isinstance(hamiltonian, qutip.Qobj)
    assert [type(jump) for jump in jumps] == [qutip.QobjEvo]
    hamiltonian, jumps = EVERYDAY.replace(atom_drive=od.Sine(0.0, 1j, 2.0)).to_qutip(4)
    assert isinstance(hamiltonian, qutip.QobjEvo)
    assert [type(jump) for jump in jumps] == [qutip.Qobj]


def test_mesolve_takes_the_operators() -> None:
    """QuTiP takes adjoints of the operators it is given: of functions it understands."""
    model = EVERYDAY.replace(n_atoms=1, kappa=od.Sine(0.5, 0.3, 2.0), n_thermal=0.2, drive=od.Sine(0.2j, 0.3, 1.0))
    hamiltonian, jumps = model.to_qutip(12)
    start = qutip.tensor(qutip.basis(2, 1), qutip.basis(13, 0))
    a = terms(1, 12)["a"]
    options = {"rtol": 1e-8, "atol": 1e-10, "max_step": 0.1}
    answer = qutip.mesolve(hamiltonian, start, [0.0, 1.5], jumps, e_ops=[a], options=options)
    result = od.solve(model, od.Normal(), [1.5], EXACT, ["a"], progress=False)
    assert abs(answer.expect[0][-1] - result.a.item()) < 1e-6
