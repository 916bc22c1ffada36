"""Closed systems against QuTiP, the master equation without losses, and what is known in closed form."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import qutip
from scipy.linalg import expm

import opendicke as od
from opendicke.analysis import spin_state
from opendicke.integration import Watch
from opendicke.master import pure
from opendicke.methods import closed_evolution
from opendicke.methods.closed_evolution import Evolution
from opendicke.observables.catalogue import channel_words
from opendicke.problem import Problem

TIMES = np.array([0.0, 0.4, 1.1])
TILTED = od.SpinCoherent(1.1, 0.6, alpha=0.5 - 0.3j)
KINK = 0.3


def one(**changes: Any) -> od.DickeModel:
    """Complex couplings and both drives."""
    rates: dict[str, Any] = {"omega_a": 1.0, "omega_c": 1.3, "g_minus": 0.9, "g_plus": 0.5j, "drive": 0.3 + 0.1j}
    return od.DickeModel(**({"n_atoms": 3, "kappa": 0.0, "atom_drive": 0.2j} | rates | changes))


def two() -> od.System:
    """Two spins and two modes, all different."""
    spins = [od.Spin(n_atoms=2, omega_a=0.7), od.Spin(n_atoms=1, omega_a=-1.0, atom_drive=0.2)]
    modes = [od.Mode(omega_c=0.9, kappa=0.0), od.Mode(omega_c=-0.5, kappa=0.0, drive=0.2)]
    return od.System(spins=spins, modes=modes, g_minus=[[0.8, 0.5j], [0.6, 0.7]], g_plus=[[0.4, 0.3], [0.2j, 0.6]])


MODELS = {
    "one": one(),
    "moving": one(g_minus=od.Sine(0.8j, 0.4j, 3.0), omega_c=od.Ramp((0.0, KINK, 1.0), (1.0, -1.0, 2.0)),
                  drive=od.Ramp((KINK, KINK), (0.0, 0.5))),
    "two": two(),
}  # fmt: skip


def qutip_means(model: Any, photons: tuple[int, ...]) -> dict[Any, np.ndarray]:
    """Means of the words of the first spin and the last mode."""
    system = model if isinstance(model, od.System) else model.system
    atoms = [spin.n_atoms for spin in system.spins]
    start = qutip.tensor(
        [qutip.spin_coherent(n / 2, 1.1, 0.6) for n in atoms]
        + [qutip.coherent(highest + 1, TILTED.alpha, method="analytic").unit() for highest in photons]
    )
    hamiltonian = system.to_qutip(photons)[0]
    options = {"rtol": 1e-10, "atol": 1e-12, "nsteps": 100_000, "max_step": 0.1, "method": "vern9"}
    states = [start]
    for begin, end in itertools.pairwise(sorted({KINK, *TIMES})):
        start = qutip.sesolve(hamiltonian, start, [begin, end], options=options).states[-1]
        states += [start] * (end in TIMES)
    places = [qutip.qeye(n + 1) for n in (*atoms, *photons)]

    def alone(at: int, operator: qutip.Qobj) -> qutip.Qobj:
        return qutip.tensor([*places[:at], operator, *places[at + 1 :]])

    s = {axis: alone(0, qutip.jmat(atoms[0] / 2, axis)) for axis in "xyz"}
    a = alone(len(places) - 1, qutip.destroy(photons[-1] + 1))
    operators = {"a": a, "n_photon": a.dag() * a, "a2": a * a, "n_photon2": a.dag() ** 2 * a**2}
    for axis in "xyz":
        operators |= {f"S{axis}": s[axis], f"S{axis}2": s[axis] * s[axis], f"S{axis}_a": s[axis] * a}
        operators |= {f"S{axis}_S{other}": s[axis] * s[other] for other in "xyz" if other != axis}
    return {name: qutip.expect(operator, states) for name, operator in operators.items()}


@pytest.mark.parametrize("name", MODELS)
def test_everything_agrees_with_qutip(name: str) -> None:
    """The same cutoff on both sides, whatever it loses: integrators' errors alone are between them."""
    model, photons = MODELS[name], (7,) if name != "two" else (4, 5)
    method = od.Schroedinger(photons=photons, max_top_population=0.9)
    expected = qutip_means(model, photons)
    found = od.solve(model, TILTED, TIMES, method, progress=False)
    assert set(expected) == set(od.VARIABLES)
    for variable, values in expected.items():
        own = found[variable]
        own = own.isel({dim: {"spin": 0, "mode": -1}[dim] for dim in own.dims if dim != "time"})
        np.testing.assert_allclose(own, values, rtol=0, atol=1e-7, err_msg=variable)
    assert found.attrs["norm_drift"] < 1e-8
    assert math.isnan(found.attrs["energy_drift"]) == (name == "moving")


def test_revival() -> None:
    """One inverted atom in α = 4: ⟨S^z⟩ = ½ Σ p_n cos 2g√(n+1)t collapses, and revives at 2πα/g."""
    model = od.DickeModel.tavis_cummings(n_atoms=1, omega_a=2.0, omega_c=2.0, kappa=0.0, coupling=1.0)
    times = np.array([0.5, 6.0, 8 * np.pi, 8 * np.pi + 0.4])
    found = od.solve(model, od.Inverted(alpha=4.0), times, od.Schroedinger(), ["Sz", "n_photon"])
    n = np.arange(120)
    p = np.exp(-16 + n * np.log(16.0) - np.array([math.lgamma(k + 1) for k in n]))
    exact = 0.5 * (p * np.cos(2 * np.sqrt(n + 1) * times[:, None])).sum(axis=1)
    np.testing.assert_allclose(found.Sz, exact, rtol=0, atol=1e-7)
    np.testing.assert_allclose(found.Sz + found.n_photon, 16.5, rtol=0, atol=1e-6)
    assert abs(found.Sz[1]) < 0.01 < 0.1 < abs(found.Sz[2:]).max()


@pytest.mark.parametrize(
    "start",
    [
        od.Dicke(1.0, cavity=od.cavities.Cat(0.9 + 0.5j)),
        od.SpinSqueezed(1.0, 0.4, 0.3, cavity=od.cavities.Squeezed(0.3, 0.2, 0.3)),
        od.SpinSuperposition(((0.3, 0.0), (2.0, 1.0)), cavity=od.cavities.Fock(1)),
        od.EntangledSpins(terms=((od.Inverted(),), (od.Dicke(0.0),)), weights=(1.0, 1j), modes=(0.4j,)),
    ],
    ids=lambda start: start.KIND,
)
def test_other_starts_agree_with_the_master_equation(start: Any) -> None:
    """At t = 0 and later; both keep populations of 1e-9 of the highest level at most."""
    model = one(n_atoms=2, drive=0.0)
    methods = [od.Lindblad(max_top_population=1e-9), od.Schroedinger(max_top_population=1e-11)]
    table = od.compare(model, start, [0.0, 0.5], methods, ["Sx", "Sz", "Sx_Sy", "a", "n_photon", "a2", "Sy_a"])
    assert not table.refusal.values.any()
    for name in ("Sx", "Sz", "Sx_Sy", "a", "n_photon", "a2", "Sy_a"):
        assert abs(table[f"{name}_difference"][1]).max() < 2e-5, name


def test_states_that_are_not_reached_are_left_out() -> None:
    """Half for parity; two for an excitation; all for a coherent state."""
    model = od.DickeModel.balanced(n_atoms=3, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=0.8)
    rotating = od.DickeModel.tavis_cummings(n_atoms=3, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=0.8)
    method = od.Schroedinger(photons=19)
    half, single, whole = (
        od.solve(one, start, [1.0], method, ["Sz"]).attrs["states"]
        for one, start in ((model, od.Normal()), (rotating, od.Dicke(-0.5)), (model, TILTED))
    )
    assert (half, single, whole) == (40, 2, 80)


def test_a_displaced_basis_is_smaller_and_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Near a superradiant state; a displacement with a push of the wrong sign gives other numbers."""
    model = od.DickeModel.balanced(n_atoms=40, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=2.0)
    # S^z = -(N/2)(g_c/g)², g_c = 1; a = −G S^x/(√N ω_c)
    theta = math.acos(-0.25)
    start = od.SpinCoherent(theta, np.pi, alpha=2.0 * 20 * math.sin(theta) / math.sqrt(40))

    def run() -> Any:
        return od.solve(model, start, [0.3, 1.0], od.Schroedinger(), ["Sx", "a", "n_photon2", "Sz_a"])

    shifted = run()
    monkeypatch.setattr(closed_evolution, "WORTH_IT", 0.0)
    plain = run()
    assert plain.attrs["centre"] == 0.0
    assert shifted.attrs["centre"] == pytest.approx(start.alpha.real, rel=0.05)
    assert shifted.attrs["states"] < 0.5 * plain.attrs["states"]
    for name in ("Sx", "a", "n_photon2", "Sz_a"):
        np.testing.assert_allclose(shifted[name], plain[name], rtol=0, atol=1e-5 * float(abs(plain[name]).max()))
    monkeypatch.setattr(closed_evolution, "WORTH_IT", 0.25)
    monkeypatch.setattr(closed_evolution, "displaced", lambda system, c: pure.displaced(system, (-c[0],)))
    assert abs(run().Sx - plain.Sx).max() > 0.1


def test_the_cutoff_grows_on_the_way() -> None:
    """From the unstable normal state mean field sees no photon; a cutoff that is large from the start is the same."""
    model = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=2.0)
    grown = od.solve(model, od.Normal(), [1.0, 6.0], od.Schroedinger())
    fixed = od.solve(model, od.Normal(), [1.0, 6.0], od.Schroedinger(photons=80))
    assert 15 < grown.attrs["photons"] < 80
    assert grown.attrs["energy_drift"] < 1e-4
    assert fixed.attrs["energy_drift"] < 1e-11
    for name in od.VARIABLES:
        scale = max(1.0, float(abs(fixed[name]).max()))
        np.testing.assert_allclose(grown[name], fixed[name], rtol=0, atol=2e-5 * scale, err_msg=name)
    loose = od.solve(model, od.Normal(), [1.0, 6.0], od.Schroedinger(max_top_population=0.1), ["n_photon"])
    assert abs(loose.n_photon - fixed.n_photon).max() > 1e-2


def test_words_and_states() -> None:
    model, method = one(), od.Schroedinger(keep_states=(1.1,))
    exact = od.solve(model, TILTED, TIMES, od.Lindblad(keep_states=(1.1,)), ["Sx Sz a† a", "S+ S- a"])
    found = od.solve(model, TILTED, TIMES, method, ["Sx Sz a† a", "S+ S- a"])
    for name in ("Sx_Sz_adag_a", "Sp_Sm_a"):
        np.testing.assert_allclose(found[name], exact[name], rtol=0, atol=2e-5)
    states = [spin_state(answer, 1.1).dense() for answer in (found, exact)]
    np.testing.assert_allclose(*states, rtol=0, atol=1e-6)


def test_exponential_of_a_random_matrix() -> None:
    """Complex, real, and of one number; the eigenvalues lie where they are said to."""
    random = np.random.default_rng(3)
    for size, imaginary in ((40, 1.0), (40, 0.0), (1, 0.0)):
        matrix = random.standard_normal((size, size)) + 1j * imaginary * random.standard_normal((size, size))
        matrix = matrix + matrix.conj().T
        psi = random.standard_normal(size) + 1j * random.standard_normal(size)

        def apply(state: Any, h: Any = matrix) -> Any:
            return h @ state

        ends, values = pure.bounds(apply, size), np.linalg.eigvalsh(matrix)
        assert ends[0] <= values[0] + 1e-12
        assert ends[1] >= values[-1] - 1e-12
        for time in (0.01, 2.0):
            found = pure.evolved(apply, psi, time, ends)
            np.testing.assert_allclose(found, expm(-1j * time * matrix) @ psi, rtol=0, atol=1e-11)


def test_energy_of_a_displaced_system() -> None:
    """⟨H⟩ is that of the system before it was displaced."""
    model = od.DickeModel.balanced(n_atoms=30, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=2.0)
    start = od.SpinCoherent(math.acos(-0.25), np.pi, alpha=5.0)
    run = Evolution(od.Schroedinger(), Problem(model, start, np.array([0.0])), Watch())
    (psi,) = run.states()
    moments = pure.Moments((30,), psi, run.centres)
    means = {name: moments.mean(word).real for name, word in channel_words(0, 0).items()}
    energy = means["Sz"] + means["n_photon"] + 2 * 2.0 / math.sqrt(30) * means["Sx_a"]
    assert run.centres != (0.0,)
    assert run._energies[0] == pytest.approx(energy, abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "start", "options", "message"),
    [
        ({"kappa": 0.1}, TILTED, {}, "^kappa: expected 0 .*NuHOPS"),
        ({"kappa": od.Ramp((0.0, 1.0), (0.0, 1.0))}, TILTED, {}, "^kappa: expected 0 "),
        ({}, od.ThermalSpin(1.0), {}, "^state: expected a pure state"),
        ({}, od.Normal(cavity=od.cavities.Thermal(0.5)), {}, "^state: expected a pure state"),
        ({}, TILTED, {"photons": 2}, "^photons: expected a cutoff"),
        ({}, TILTED, {"photons": (20, 20)}, "^photons: expected one number"),
        ({"n_atoms": 10**6}, TILTED, {}, "^n_atoms: expected fewer"),
    ],
)
def test_what_is_refused(changes: Any, start: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        od.solve(one(**changes), start, [1.0], od.Schroedinger(**options))


def test_sweeps_keep_what_is_told_of_each_point() -> None:
    def model(ramp: float) -> od.DickeModel:
        return one(n_atoms=1, drive=od.Ramp((0.0, 1.0), (0.0, ramp)) if ramp else 0.1)

    found = od.sweep(model, {"ramp": [0.0, 0.1]}, od.Normal(), [0.5], od.Schroedinger(), ["Sz"], progress=False)
    assert found.energy_drift.isnull().values.tolist() == [False, True]
    assert (found.states > 0).all()
    eliminated = od.sweep(
        one(n_atoms=1), {"kappa": [5.0, 10.0]}, od.Normal(), [0.5], od.Eliminated(), ["Sz"], progress=False
    )
    assert eliminated.settles_in.values.tolist() == [0.2, 0.1]
    assert eliminated.lag.values[0] > eliminated.lag.values[1]


def test_limits() -> None:
    assert not od.Schroedinger().limits(one(kappa=0.1)).possible
    assert not od.Schroedinger().limits(one(n_atoms=10**6)).possible
    limits = od.Schroedinger().limits(one())
    assert limits.possible
    assert limits.exact
    with pytest.raises(ValueError, match=r"^max_top_population"):
        od.Schroedinger(max_top_population=1e-20)
    with pytest.raises(ValueError, match=r"^keep_states"):
        od.solve(two(), TILTED, [1.0], od.Schroedinger(keep_states=(1.0,)))
    with pytest.raises(TimeoutError):
        od.solve(one(), TILTED, [1000.0], od.Schroedinger(), timeout=0.05)


def test_a_short_pulse_is_not_stepped_over() -> None:
    """A drive for a hundredth of the time, in closed form."""
    pulse = od.Ramp((0.3, 0.3, 0.31, 0.31), (0.0, 40.0, 40.0, 0.0))
    model = od.DickeModel(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=0.0, g_minus=0.0, g_plus=0.0, drive=pulse)
    found = od.solve(model, od.Normal(), [1.0], od.Schroedinger(photons=15), ["a"]).a.item()
    assert abs(found + 40 * (np.exp(-0.69j) - np.exp(-0.70j))) < 1e-8


@pytest.mark.parametrize(("method", "kappa"), [(od.Schroedinger(), 0.0), (od.Eliminated(order=1), 5.0)])
def test_symmetrised_words_are_real(method: Any, kappa: float) -> None:
    model = od.DickeModel(n_atoms=3, omega_a=1.0, omega_c=10.0, kappa=kappa, g_minus=0.5, g_plus=0.5)
    word = od.word("Sx Sy Sx Sz", symmetrised=True)
    found = od.solve(model, od.SpinCoherent(0.7, 0.4), [0.5], method, [word])[word.name].item()
    assert abs(complex(found).imag) < 1e-12


def test_the_top_population_is_the_largest_on_the_way() -> None:
    """One excitation goes to the field and back: sin²(t/√1) for one atom, with the coupling 1."""
    model = od.DickeModel.tavis_cummings(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=1.0)
    method = od.Schroedinger(photons=1, max_top_population=0.999)
    found = od.solve(model, od.Inverted(), [0.45 * math.pi, math.pi], method, ["Sz"])
    assert found.attrs["top_population"] == pytest.approx(math.sin(0.45 * math.pi) ** 2, abs=1e-6)


def test_a_displaced_system_moves_like_the_plain_one() -> None:
    """In mean field, with complex couplings and a drive; the field is less by the centre."""
    spin, mode = od.Spin(n_atoms=20, omega_a=1.0), od.Mode(omega_c=1.3, kappa=0.0, drive=0.4 - 0.2j)
    system = od.System(spins=[spin], modes=[mode], g_minus=[[0.5 + 0.3j]], g_plus=[[0.2 - 0.1j]])
    other, _ = pure.displaced(system, (1.7,))
    state, times = od.SpinCoherent(0.8, 0.3, alpha=0.5 + 0.4j), [0.0, 0.7, 2.0]
    moved = od.SpinCoherent(0.8, 0.3, alpha=0.5 + 0.4j - 1.7)
    one, two = (od.solve(*pair, times, od.MeanField(), ["Sx", "a"]) for pair in ((system, state), (other, moved)))
    np.testing.assert_allclose(two.Sx, one.Sx, rtol=0, atol=1e-7)
    np.testing.assert_allclose(two.a + 1.7, one.a, rtol=0, atol=1e-7)
