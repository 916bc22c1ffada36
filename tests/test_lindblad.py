"""The master equation against stored exact numbers, QuTiP and closed-form limits."""

import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qutip

import opendicke as od
from opendicke.ensemble.executors import Deadline
from opendicke.integration import Watch
from opendicke.methods import lindblad
from opendicke.problem import Problem

REFERENCE = json.loads((Path(__file__).parent / "data" / "exact.json").read_text())
FIG1 = od.DickeModel(n_atoms=4, **REFERENCE["model"])
RUNS = [run for run in REFERENCE["runs"] if run["n_atoms"] <= 10]
STORED = {"Sx": "Sx", "Sy": "Sy", "Sz": "Sz", "n_photon": "n", "n_photon2": "adadaa", "Sx2": "Sx2"}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"N={run['n_atoms']} theta={run['theta']:.2f}")
def test_stored_exact_numbers(run: dict[str, Any]) -> None:
    rows = run["data"]
    state = od.SpinCoherent(run["theta"], run["phi"])
    result = od.solve(FIG1.replace(n_atoms=run["n_atoms"]), state, [row["t"] for row in rows], od.Lindblad())
    for name, stored in STORED.items():
        np.testing.assert_allclose(result[name], [row[stored] for row in rows], rtol=0, atol=2e-7, err_msg=name)
    np.testing.assert_allclose(result.a, [row["Re_a"] + 1j * row["Im_a"] for row in rows], rtol=0, atol=2e-7)
    correlation = (result.Sx_a - result.Sx * result.a).values
    np.testing.assert_allclose(correlation, [row["Re_Caf"] + 1j * row["Im_Caf"] for row in rows], rtol=0, atol=2e-7)


def random_case(seed: int) -> tuple[od.DickeModel, od.SpinCoherent]:
    """A random model and state with a displaced cavity; even seeds are balanced."""
    random = np.random.default_rng(seed)
    omega_a, omega_c, kappa = random.uniform(-2, 2), random.uniform(-2, 2), random.uniform(0.1, 1)
    g_minus, g_plus = random.uniform(-1, 1, 2)
    model = od.DickeModel(
        n_atoms=1 + seed % 4,
        omega_a=omega_a,
        omega_c=omega_c,
        kappa=kappa,
        g_minus=g_minus,
        g_plus=g_minus if seed % 2 == 0 else g_plus,
    )
    theta, phi = random.uniform(0, np.pi), random.uniform(0, 2 * np.pi)
    return model, od.SpinCoherent(theta, phi, alpha=complex(*random.uniform(-0.8, 0.8, 2)))


def qutip_values(model: od.DickeModel, state: od.SpinCoherent, times: np.ndarray, photons: int) -> dict[str, Any]:
    """Every variable of the catalogue, from QuTiP's master equation."""
    hamiltonian, jumps = model.to_qutip(photons)
    levels, j = photons + 1, model.n_atoms / 2
    cavity = qutip.coherent(levels, state.alpha, method="analytic").unit()
    start = qutip.tensor(qutip.spin_coherent(j, state.theta, state.phi), cavity)
    a = qutip.tensor(qutip.qeye(model.n_atoms + 1), qutip.destroy(levels))
    spin = {axis: qutip.tensor(qutip.jmat(j, axis), qutip.qeye(levels)) for axis in "xyz"}
    operators = {"a": a, "n_photon": a.dag() * a, "a2": a * a, "n_photon2": a.dag() ** 2 * a**2}
    for axis, s in spin.items():
        operators |= {f"S{axis}": s, f"S{axis}2": s * s, f"S{axis}_a": s * a}
        operators |= {f"S{axis}_S{other}": s * spin[other] for other in "xyz" if other != axis}
    options = {"rtol": 1e-10, "atol": 1e-12, "nsteps": 100_000}
    answer = qutip.mesolve(hamiltonian, start, times, jumps, e_ops=operators, options=options)
    return {name: np.array(values) for name, values in answer.e_data.items()}


@pytest.mark.parametrize("seed", range(8))
def test_every_variable_agrees_with_qutip(seed: int) -> None:
    model, state = random_case(seed)
    times = np.array([0.0, 0.7, 2.0, 5.0])
    result = od.solve(model, state, times, od.Lindblad(max_top_population=1e-10))
    expected = qutip_values(model, state, times, result.attrs["photons"] + 4)
    assert set(result.data_vars) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(result[name], values, rtol=0, atol=1e-6, err_msg=name)


def test_the_comparison_sees_a_wrong_sign_of_g_plus() -> None:
    model, state = random_case(3)
    wrong = od.solve(model.replace(g_plus=-model.g_plus), state, [0.7], od.Lindblad())
    right = qutip_values(model, state, np.array([0.0, 0.7]), wrong.attrs["photons"])
    assert abs(wrong.Sz.values[0] - right["Sz"][1]) > 1e-3


def test_uncoupled_cavity_stays_coherent() -> None:
    model = FIG1.replace(n_atoms=1, g_minus=0.0, g_plus=0.0)
    times = np.linspace(0, 3, 4)
    result = od.solve(model, od.SpinCoherent(1.0, alpha=1.5j), times, od.Lindblad(max_top_population=1e-12))
    amplitude = 1.5j * np.exp(-(0.5 + 2.5j) * times)
    np.testing.assert_allclose(result.a, amplitude, rtol=0, atol=1e-8)
    np.testing.assert_allclose(result.n_photon2, abs(amplitude) ** 4, rtol=0, atol=1e-7)


def test_density_matrices_are_states_and_give_the_variables() -> None:
    model, state = random_case(2)
    problem = Problem(model, state, np.array([0.0, 1.3, 2.9]))
    method = od.Lindblad()
    rho = method.density_matrices(problem)
    times, spin, levels = rho.shape[:3]
    assert rho.shape == (3, model.n_atoms + 1, levels, model.n_atoms + 1, levels)
    square = rho.reshape(times, spin * levels, spin * levels)
    np.testing.assert_allclose(square, square.conj().transpose(0, 2, 1), rtol=0, atol=1e-14)
    np.testing.assert_allclose(np.trace(square, axis1=1, axis2=2), 1.0, rtol=0, atol=1e-9)
    assert np.linalg.eigvalsh(square).min() > -1e-8
    reduced = method.spin_states(problem)
    np.testing.assert_allclose(reduced, np.einsum("tnfmf->tnm", rho), rtol=0, atol=1e-15)
    m = model.n_atoms / 2 - np.arange(spin)  # all-up first
    expected = od.solve(model, state, problem.times, method).Sz
    np.testing.assert_allclose(np.einsum("tnn,n->t", reduced, m), expected, rtol=0, atol=1e-12)


def test_a_small_cutoff_is_refused_with_one_that_works() -> None:
    with pytest.raises(ValueError, match=r"photons: expected .* got 3 "):
        od.solve(FIG1, od.SpinCoherent(np.pi / 4, np.pi), [5.0], od.Lindblad(photons=3))
    with pytest.raises(ValueError, match="at t = 0"):
        od.solve(FIG1, od.SpinCoherent(0.0, alpha=3.0), [0.0], od.Lindblad(photons=9))


def suggested(model: od.DickeModel, state: od.SpinCoherent, photons: int) -> int:
    """The cutoff that the refusal of ``photons`` names."""
    with pytest.raises(ValueError, match=r"Try photons=(\d+)") as refusal:
        od.solve(model, state, [5.0], od.Lindblad(photons=photons))
    return int(re.search(r"Try photons=(\d+)", str(refusal.value)).group(1))  # type: ignore[union-attr]


@pytest.mark.parametrize("photons", [3, 9])
def test_the_cutoff_that_a_refusal_names_is_accepted(photons: int) -> None:
    for model, state in (
        (FIG1, od.SpinCoherent(np.pi / 4, np.pi)),
        (random_case(3)[0].replace(g_plus=3.0), od.Normal()),
    ):
        od.solve(model, state, [5.0], od.Lindblad(photons=suggested(model, state, photons)))


def test_the_top_level_counts_at_the_start() -> None:
    """P(5) = 3.1e-3 and P(> 5) = 5.9e-4 for <a> = 1: the top level itself decides, and loss empties it at once."""
    model = FIG1.replace(n_atoms=1, kappa=100.0, g_minus=0.0, g_plus=0.0)
    state, bound = od.SpinCoherent(0.0, alpha=1.0), 1e-3
    for times in ([0.0], [0.0, 1.0], [1.0]):
        with pytest.raises(ValueError, match=r"got 5 \(population 3.7e-03 at t = 0\)"):
            od.solve(model, state, times, od.Lindblad(photons=5, max_top_population=bound))
        found = od.solve(model, state, times, od.Lindblad(photons=6, max_top_population=bound))
        assert found.attrs["top_population"] == pytest.approx(np.exp(-1) / 720, rel=1e-3)


def test_what_watches_the_time() -> None:
    """First, because what it watches does not end without it."""
    watch = Watch(Deadline(od.Serial(), 1e-3))
    time.sleep(2e-3)
    with pytest.raises(TimeoutError, match=r"timeout: the 0.001 s allowed were over at t = 0.5,"):
        watch.check(0.5)
    Watch(Deadline(od.Serial(), 1e3)).check(0.5)
    Watch(od.Serial()).check(0.5)
    Watch().check(0.5)


def test_the_timeout_holds() -> None:
    """Mean field, cumulants and the master equation of what would take hours."""
    model, times = FIG1.replace(n_atoms=10, omega_c=3e3), [1e4]
    for method in (od.Lindblad(), od.MeanField(), od.Cumulants()):
        with pytest.raises(TimeoutError, match=r"timeout: the 0.2 s allowed were over at t = "):
            od.solve(model, od.SpinCoherent(np.pi / 4, np.pi), times, method, timeout=0.2)
    with pytest.raises(TimeoutError, match="timeout"):
        od.solve(model, od.SpinCoherent(np.pi / 4, np.pi), [1.0], od.Lindblad(photons=40), timeout=0.2)


@pytest.mark.parametrize("method", [od.Lindblad(photons=40), od.MeanField(), od.Cumulants()])
def test_the_timeout_holds_within_a_step(method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is looked at whenever rates are computed: one evaluation is the most that is waited for."""
    looked = []
    monkeypatch.setattr(Watch, "check", lambda self, reached: looked.append(reached))
    od.solve(FIG1.replace(n_atoms=2), od.SpinCoherent(np.pi / 4, np.pi), [1e-6], method)
    assert len(looked) > 12  # DOP853 computes them as often in a single step


#: All that integrate; the others choose their steps at once.
SPUN = [od.MeanField(), od.Cumulants(), od.Cumulants(closure="collective"), od.NuHOPS(1), od.HOPS(1)]


@pytest.mark.parametrize("method", SPUN)
def test_a_field_that_turns_spins_for_ever_is_refused(method: Any) -> None:
    """And where it has no time to turn them it is followed."""
    state = od.SpinCoherent(1.0, 0.3, alpha=1e15)
    with pytest.raises(ValueError, match="times: expected a last time of at most 1e"):
        od.solve(FIG1, state, [1.0], method)
    if not isinstance(method, od.NuHOPS | od.HOPS):  # these lose all digits of ψ to so large a field
        od.solve(FIG1, state, [1e-15], method)


def test_what_would_never_end_is_refused() -> None:
    for method in (od.Lindblad(), od.MeanField(), od.Cumulants()):
        with pytest.raises(ValueError, match="times: expected a last time of at most 1e"):
            od.solve(FIG1.replace(omega_c=-(2**31)), od.SpinCoherent(np.pi / 4, np.pi), [1.0], method)
    with pytest.raises(ValueError, match="GiB of memory"):
        od.solve(FIG1, od.SpinCoherent(0.0, alpha=1e6), [1.0], od.Lindblad())


@pytest.mark.parametrize("method", [od.Lindblad, od.MeanField, od.Cumulants])
@pytest.mark.parametrize("name", ["rtol", "atol"])
def test_tolerances_that_mean_nothing_are_refused(method: Any, name: str) -> None:
    for value, expected in ((1e300, "<= 1e"), (1e29, "from .* to 0.1, got"), (1e-300, "from"), (0.2, "from")):
        with pytest.raises(ValueError, match=rf"{name}: expected a number {expected}"):
            method(**{name: value})
    least = method(**{name: {"rtol": 2.3e-14, "atol": 1e-20}[name]})  # SciPy takes it, without a warning
    od.solve(FIG1, od.Normal(), [0.1], least)


def test_the_top_level_is_watched_between_output_times() -> None:
    """Photons come and go in half a Rabi period; the output time sees none."""
    model = od.DickeModel.tavis_cummings(n_atoms=2, omega_a=1, omega_c=1, kappa=0.0, coupling=1.0)
    period = 2 * np.pi / np.sqrt(3)  # two excitations: (|2,0>, |1,1>, |0,2>) has energies 0, +-sqrt(3) g
    late = od.solve(model, od.Inverted(), [period], od.Lindblad(photons=3))
    assert late.n_photon[0] < 1e-6
    with pytest.raises(ValueError, match="Try photons"):
        od.solve(model, od.Inverted(), [period], od.Lindblad(photons=2))


def test_the_cutoff_found_is_enough_and_is_reported() -> None:
    state = od.SpinCoherent(np.pi / 4, np.pi)
    automatic = od.solve(FIG1, state, [0.0, 4.0], od.Lindblad())
    larger = od.solve(FIG1, state, [0.0, 4.0], od.Lindblad(photons=automatic.attrs["photons"] + 10))
    assert automatic.attrs["top_population"] < 1e-8
    for name in automatic.data_vars:
        np.testing.assert_allclose(automatic[name], larger[name], rtol=0, atol=1e-6, err_msg=name)


def test_an_automatic_cutoff_grows_when_the_guess_was_too_low(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lindblad.Lindblad, "_first_cutoffs", lambda self, problem, clock: (2,))
    result = od.solve(FIG1, od.SpinCoherent(np.pi / 4, np.pi), [4.0], od.Lindblad())
    assert result.attrs["photons"] > 10


def test_too_large_a_problem_is_refused_with_its_size() -> None:
    with pytest.raises(ValueError, match=r"GiB of memory.*NuHOPS"):
        od.solve(FIG1.replace(n_atoms=1000), od.SpinCoherent(np.pi / 4, np.pi), [1.0], od.Lindblad())


@pytest.mark.parametrize(
    ("options", "error"),
    [({"photons": 0}, ValueError), ({"photons": 2.0}, TypeError), ({"max_top_population": 1.0}, ValueError)],
)
def test_bad_options_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(options))):
        od.Lindblad(**options)
