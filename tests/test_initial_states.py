"""Initial states of spin and cavity: what is drawn, what is exact, and what follows, against the master equation."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import opendicke as od
from moving_cases import EVERYTHING
from opendicke import cavities
from opendicke.cavities import Cat, Fock, Squeezed, Thermal
from opendicke.methods.lindblad import spin_matrices
from opendicke.states import cavity_start, mean_photons, restore_state
from zscores import Comparison, channels_of, compare, sampled

MODEL = od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=1.2, kappa=0.7, g_minus=0.9, g_plus=0.5)
#: Not from 0 on: there the single values of ⟨a†a⟩ and ⟨a†²a²⟩ of a few photons have no finite variance.
TIMES = np.array([0.4, 0.8, 1.5, 3.0])
SPIN = {"theta": 1.1, "phi": 0.6}
STATES: dict[str, Any] = {
    "dicke": od.Dicke(1.0),
    "thermal spin": od.ThermalSpin(0.6, alpha=0.3),
    "squeezed spin": od.SpinSqueezed(**SPIN, mu=0.8),
    "superposition": od.SpinSuperposition(((0.8, 0.0), (0.8, 2.5)), weights=(1.0, 1j)),
    "ghz": od.SpinSuperposition(((0.0, 0.0), (np.pi, 0.0))),
    "fock": od.SpinCoherent(**SPIN, cavity=Fock(2)),
    "thermal": od.SpinCoherent(**SPIN, cavity=Thermal(0.5, alpha=0.4j)),
    "squeezed": od.SpinCoherent(**SPIN, cavity=Squeezed(0.6, phi=0.9, alpha=0.5)),
    "cat": od.SpinCoherent(**SPIN, cavity=Cat(1.1 + 0.3j, phase=0.7)),
    "dicke and fock": od.Dicke(-1.0, cavity=Fock(1)),
}
TRAJECTORIES = 1500


@cache
def compared(name: str) -> Comparison:
    exact = channels_of(od.solve(MODEL, STATES[name], TIMES, od.Lindblad(), progress=False))
    method = od.NuHOPS(TRAJECTORIES, seed=40 + list(STATES).index(name))
    return compare(sampled(MODEL, STATES[name], TIMES, method), exact)


@pytest.mark.parametrize("name", STATES)
def test_all_moments_agree_with_the_master_equation(name: str) -> None:
    """Each case fails in a correct method with probability 2e-4 (``zscores.FALSE_ALARM``).

    Rejected mistakes: ζ from the P or the photon-number distribution instead of the Husimi function; the noise not
    conjugated, or without α; Φ_k without √k!; a thermal amplitude without √2; the other sign of τ of a squeezed cavity;
    Φ conjugated. (Weights and amplitudes of the spin, which both methods share, have tests of their own below.)
    """
    assert compared(name).agrees, compared(name).chances


def test_all_deviations_together() -> None:
    z = np.concatenate([compared(name).z for name in STATES])
    assert z.size >= 600
    assert np.abs(z).max() < 4.5


def test_with_everything_moving() -> None:
    model = od.DickeModel(n_atoms=3, **EVERYTHING)
    state = od.Dicke(0.5, cavity=Squeezed(0.5, alpha=0.3))
    exact = channels_of(od.solve(model, state, TIMES, od.Lindblad(), progress=False))
    found = compare(sampled(model, state, TIMES, od.NuHOPS(TRAJECTORIES, seed=77)), exact)
    assert found.agrees, found.chances


FIELDS = [Fock(0), Fock(1), Fock(5), Thermal(0.7, alpha=0.5j), Squeezed(0.9, phi=1.0, alpha=0.4), Squeezed(-0.5),
          Cat(1.5, phase=np.pi), Cat(0.4j), Cat(2.0, phase=1.0)]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS, ids=repr)
def test_density_matrices_of_the_cavity(field: Any) -> None:
    """Unit trace, the mean photon number stated, and for pure states purity one."""
    rho = field.matrix(60)
    f = np.arange(61)
    np.testing.assert_allclose(np.trace(rho), 1.0, rtol=0, atol=1e-9)
    np.testing.assert_allclose(f @ rho.diagonal().real, field.mean_photons(), rtol=0, atol=1e-7)
    np.testing.assert_allclose(rho, rho.conj().T, rtol=0, atol=1e-12)
    purity = 1.0 if not isinstance(field, Thermal) else 1 / (2 * field.photons + 1)
    np.testing.assert_allclose(np.trace(rho @ rho).real, purity, rtol=0, atol=1e-9)


@pytest.mark.parametrize("field", FIELDS, ids=repr)
def test_a_point_is_the_state_seen_from_it(field: Any) -> None:
    """α, z* and Φ_k against ⟨ζ|(a − α)^k|χ⟩ in the Fock basis, at three points drawn (pure states)."""
    if isinstance(field, Thermal) or field == Fock(0):
        pytest.skip("coherent states: nothing is left")
    weights, vectors = np.linalg.eigh(field.matrix(150))
    chi = vectors[:, -1]
    assert weights[-1] == pytest.approx(1.0)
    a = np.diag(np.sqrt(np.arange(1.0, 151)), 1)
    for seed in range(3):
        alpha, noise, levels = field.draw(np.random.default_rng(seed))
        zeta = alpha + (1j * noise).conjugate()
        bra = np.cumprod(np.append(1.0, np.full(150, zeta.conjugate()) / np.sqrt(np.arange(1.0, 151))))
        np.testing.assert_allclose(bra @ a @ chi / (bra @ chi), alpha, rtol=1e-6, atol=1e-8)
        shifted, wanted, root = chi, [], 1.0
        for k in range(min(levels.size, 8)):
            wanted.append(bra @ shifted / (bra @ chi) / root)
            shifted, root = a @ shifted - alpha * shifted, root * np.sqrt(k + 1)
        np.testing.assert_allclose(levels[:8], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("field", [Fock(3), Squeezed(0.8, phi=1.0, alpha=0.5), Cat(1.2, phase=np.pi)], ids=repr)
def test_points_are_drawn_from_the_husimi_function(field: Any) -> None:
    """⟨|ζ|²⟩ = ⟨aa†⟩ and ⟨ζ²⟩ = ⟨a²⟩, within 4.5 standard errors of 4000 draws (1e-5 each)."""
    rng, draws = np.random.default_rng(2), 4000
    points = [field.draw(rng) for _ in range(draws)]
    zeta = np.array([alpha + (1j * noise).conjugate() for alpha, noise, _ in points])
    rho = field.matrix(80)
    a = np.diag(np.sqrt(np.arange(1.0, 81)), 1)
    for values, wanted in ((np.abs(zeta) ** 2, field.mean_photons() + 1), (zeta**2, np.trace(a @ a @ rho))):
        error = (values - wanted).mean()
        for part in (error.real, error.imag):
            assert abs(part) < 4.5 * np.abs(values - values.mean()).std() / np.sqrt(draws) + 4.5 * np.abs(
                values - values.mean()
            ).mean() / np.sqrt(draws)


SPINS: list[Any] = [od.Dicke(0.5), od.ThermalSpin(-1.2), od.SpinSqueezed(1.0, 0.4, mu=0.5), od.Dicke(-2.5),
                    od.SpinSuperposition(((0.3, 0.0), (2.0, 1.0)), weights=(1.0, -0.5j)),
         od.SpinCoherent(1.0, 0.4)]  # fmt: skip


@pytest.mark.parametrize("state", SPINS, ids=repr)
def test_amplitudes_and_matrices_of_the_spin(state: Any) -> None:
    """The matrix is that of the amplitudes, turned by the frame: ⟨S⟩ and ⟨S_i S_j⟩ in the laboratory."""
    rho = state.spin_matrix(5)
    np.testing.assert_allclose(np.trace(rho), 1.0, rtol=0, atol=1e-12)
    if isinstance(state, od.SpinCoherent | od.ThermalSpin):
        return
    psi, frame, own = state.amplitudes(5), state.frame(), spin_matrices(5)
    laboratory = [sum(frame[k, i] * own[k] for k in range(3)) for i in range(3)]
    for i in range(3):
        for j in range(3):
            wanted = psi.conj() @ laboratory[i] @ laboratory[j] @ psi
            np.testing.assert_allclose(np.trace(own[i] @ own[j] @ rho), wanted, rtol=0, atol=1e-10)
        np.testing.assert_allclose(np.trace(own[i] @ rho), psi.conj() @ laboratory[i] @ psi, rtol=0, atol=1e-10)


def test_the_twist_is_about_the_axis_of_growing_theta() -> None:
    """exp(−iμ(S·e_θ)²/2) on the coherent state, in the laboratory; fails with the other sign of μ."""
    theta, phi, mu = 1.0, 0.4, 0.5
    coherent, own = od.SpinCoherent(theta, phi), spin_matrices(5)
    twist = sum(coherent.frame()[0, i] * own[i] for i in range(3))
    values, vectors = np.linalg.eigh(twist)
    psi = vectors @ (np.exp(-0.5j * mu * values**2) * (vectors.conj().T @ coherent.dicke_amplitudes(5)))
    found = od.SpinSqueezed(theta, phi, mu).spin_matrix(5)
    np.testing.assert_allclose(found, np.outer(psi, psi.conj()), rtol=0, atol=1e-12)


def test_thermal_weights_are_boltzmanns() -> None:
    rho = od.ThermalSpin(0.7).spin_matrix(6)
    m = 3.0 - np.arange(7)
    np.testing.assert_allclose(rho.diagonal().real, np.exp(-0.7 * m) / np.exp(-0.7 * m).sum(), rtol=0, atol=1e-14)


def test_one_axis_twisting_squeezes_as_it_must() -> None:
    """Least variance at μ = 24^(1/6) (N/2)^(−2/3): ξ² = Kitagawa and Ueda's, about ½ (N/2)^(−2/3) ... for N = 200."""
    n_atoms = 200
    mu = 24 ** (1 / 6) * (n_atoms / 2) ** (-2 / 3)
    model = od.DickeModel(n_atoms=n_atoms, omega_a=0.0, omega_c=1.0, kappa=1.0, g_minus=0.0, g_plus=0.0)
    answer = od.solve(model, od.SpinSqueezed(np.pi / 2, 0.0, mu), [0.0], od.NuHOPS(16, seed=1), progress=False)
    squeezed = od.analysis.squeezing(answer)
    j = n_atoms / 2
    a = 1 - np.cos(mu) ** (2 * j - 2)
    b = 4 * np.sin(mu / 2) * np.cos(mu / 2) ** (2 * j - 2)
    least = j / 2 * (1 + (2 * j - 1) / 4 * (a - np.sqrt(a**2 + b**2)))
    mean = j * np.cos(mu / 2) ** (2 * j - 1)
    np.testing.assert_allclose(squeezed.xi2[0], n_atoms * least / mean**2, rtol=1e-6, atol=0)


def test_large_dicke_states_shrink() -> None:
    """The window starts as wide as the state and follows it down; ⟨S_z⟩ + ⟨a†a⟩ decays (Tavis–Cummings)."""
    model = od.DickeModel.tavis_cummings(n_atoms=300, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=1.0)
    answer = od.solve(model, od.Dicke(0.0, cavity=Fock(3)), [0.0, 2.0], od.NuHOPS(8, seed=1), progress=False)
    np.testing.assert_allclose(answer.Sz[0], 0.0, rtol=0, atol=1e-9)
    np.testing.assert_allclose(answer.Sz2[0], 0.0, rtol=0, atol=1e-9)
    assert answer.attrs["largest_states"] >= 151
    assert answer.Sz[1] < -10


def test_nothing_is_drawn_for_coherent_states() -> None:
    rng = np.random.default_rng(0)
    assert cavity_start(od.SpinCoherent(1.0, alpha=0.5), rng).noise is None
    assert rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("state", [*STATES.values(), od.SpinCoherent(1.0, 0.5, 0.1j)], ids=repr)
def test_states_are_written_and_read(state: Any, tmp_path: Any) -> None:
    from opendicke.description import describe
    from opendicke.stored import open_study

    assert restore_state(describe(state)) == state
    method = od.NuHOPS(2, seed=1)
    first = od.solve(MODEL, state, [0.0, 0.5], method, ["Sz"], store=tmp_path, progress=False)
    again = open_study(tmp_path, od.Store(tmp_path).studies()[0].key)
    np.testing.assert_array_equal(first.Sz, again.Sz)


def test_the_coherent_state_is_described_as_it_was() -> None:
    from opendicke.description import describe

    assert describe(od.SpinCoherent(1.0, 0.5, 0.1j)) == {"theta": 1.0, "phi": 0.5, "alpha": [0.0, 0.1]}


@pytest.mark.parametrize("name", ["dicke", "fock"])
def test_methods_that_do_not_take_it_say_so(name: str) -> None:
    for method in (od.HOPS(1), od.Cumulants(), od.MeanField()):
        with pytest.raises(ValueError, match=r"^state: expected a SpinCoherent state with a coherent cavity \(for"):
            od.solve(MODEL, STATES[name], [0.0, 1.0], method, progress=False)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: od.Dicke(0.3), "m"),
        (lambda: od.Dicke("1"), "m"),  # type: ignore[arg-type]
        (lambda: od.Dicke(1.0, alpha=1.0, cavity=Fock(1)), "alpha, cavity"),
        (lambda: od.SpinCoherent(1.0, cavity=2), "cavity"),  # type: ignore[arg-type]
        (lambda: od.ThermalSpin(np.inf), "x"),
        (lambda: od.SpinSqueezed(1.0, 0.0, np.nan), "mu"),
        (lambda: od.SpinSuperposition((1.0, 2.0)), "angles"),  # type: ignore[arg-type]
        (lambda: od.SpinSuperposition(((1.0, 2.0),), weights=(1.0, 2.0)), "weights"),
        (lambda: od.SpinSuperposition(((1.0, 2.0), (0.0, 0.0)), weights=(0.0, 0.0)), "weights"),
        (lambda: Fock(-1), "photons"),
        (lambda: Fock(1.5), "photons"),  # type: ignore[arg-type]
        (lambda: Thermal(-0.1), "photons"),
        (lambda: Squeezed(3.0), "r"),
        (lambda: Cat(0.0), "alpha"),
        (lambda: od.solve(MODEL, od.Dicke(0.5), [1.0], od.NuHOPS(1)), "m"),
        (lambda: od.solve(MODEL, od.Dicke(3.0), [1.0], od.Lindblad()), "m"),
        (lambda: od.solve(MODEL, Fock(1), [1.0], od.Lindblad()), "state"),
    ],
)
def test_what_is_refused(make: Callable[[], Any], name: str) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"^{name}: expected"):
        make()


def test_a_start_over_the_memory_limit_is_a_failure_with_advice() -> None:
    with pytest.raises(od.TrajectoryError, match="first state is over the memory limit"):
        od.solve(MODEL.replace(n_atoms=20_000), od.Dicke(0.0, cavity=Fock(300)), [1.0],
                 od.NuHOPS(1, max_memory=0.05), progress=False)  # fmt: skip


def test_mean_photons() -> None:
    assert mean_photons(od.SpinCoherent(1.0, alpha=2j)) == 4.0
    assert mean_photons(od.Dicke(1.0, cavity=Fock(3))) == 3.0
    assert set(cavities.KINDS) == {"fock", "thermal", "squeezed", "cat"}


def test_weights_of_any_size() -> None:
    """Only their ratio counts, though their squares are no numbers."""
    angles, expected = ((0.0, 0.0), (1.0, 0.5)), od.SpinSuperposition(((0.0, 0.0), (1.0, 0.5)), (1.0, 2j))
    for size in (1e-300, 1e300):
        found = od.SpinSuperposition(angles, (size, 2j * size)).amplitudes(4)
        np.testing.assert_allclose(found, expected.amplitudes(4), rtol=0, atol=1e-15)


def test_poles_take_a_cavity() -> None:
    assert od.Normal(cavity=Fock(2)) == od.SpinCoherent(np.pi, cavity=Fock(2))
    assert od.Inverted(alpha=0.5j) == od.SpinCoherent(0.0, alpha=0.5j)
