"""Energy levels of closed models against QuTiP, the Jaynes–Cummings ladder, the limit N → ∞, and random matrices."""

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.analysis import energy_levels, ground_state, level_statistics
from opendicke.closed import levels as closed


def resonant(n_atoms: int, coupling: float) -> od.DickeModel:
    return od.DickeModel.balanced(n_atoms=n_atoms, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=coupling)


def test_levels_and_ground_state_agree_with_qutip() -> None:
    """A random unbalanced model; parity from its operator, and the variables of the lowest state."""
    model = od.DickeModel(n_atoms=3, omega_a=-0.7, omega_c=1.2, kappa=0.0, g_minus=0.9, g_plus=-0.4)
    found = energy_levels(model, k=6, tolerance=1e-10)
    hamiltonian, jumps = model.replace(kappa=0.5).to_qutip(40)
    energies, states = hamiltonian.eigenstates(eigvals=16)
    a = jumps[0]
    n, f = np.divmod(np.arange(4 * 41), 41)
    parity = (-1.0) ** (f + 3 - n)
    signs = np.array([round(float(parity @ np.abs(state.full().ravel()) ** 2)) for state in states])
    for name, sign in (("even", 1), ("odd", -1)):
        np.testing.assert_allclose(found.energy.sel(parity=name), energies[signs == sign][:6], rtol=0, atol=1e-9)
    lowest = ground_state(model)
    assert lowest.energy.item() == pytest.approx(energies[0], abs=1e-8)
    assert lowest.gap.item() == pytest.approx(energies[1] - energies[0], abs=1e-8)
    assert lowest.parity.item() == {1: "even", -1: "odd"}[signs[0]]
    photons = float(np.real(states[0].overlap(a.dag() * a * states[0])))
    assert lowest.n_photon.item() == pytest.approx(photons, abs=1e-7)
    z = (1.5 - n) @ np.abs(states[0].full().ravel()) ** 2
    assert lowest.Sz.item() == pytest.approx(float(z), abs=1e-7)
    assert np.trace(lowest.rho_spin.values).real == pytest.approx(1.0)


def test_the_ladder_of_one_atom() -> None:
    """(n + ½)ω ± g√(n+1), and −ω/2; even sectors hold even numbers of excitations."""
    model = od.DickeModel.tavis_cummings(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=0.1)
    found = energy_levels(model, k=5).energy
    ladder = {n: [n - 0.5 - 0.1 * math.sqrt(n), n - 0.5 + 0.1 * math.sqrt(n)] for n in range(1, 7)}
    np.testing.assert_allclose(found.sel(parity="even"), [-0.5, *ladder[2], *ladder[4]], rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.sel(parity="odd"), [*ladder[1], *ladder[3], ladder[5][0]], rtol=0, atol=1e-10)


@pytest.fixture(scope="module")
def ground_states() -> dict[tuple[int, float], xr.Dataset]:
    return {(n, g): ground_state(resonant(n, g)) for n in (20, 40) for g in (0.5, 1.0, 1.5)}


def test_energy_of_many_atoms(ground_states: dict[tuple[int, float], xr.Dataset]) -> None:
    """E/j → −[g²/2 + 1/(2g²)] above threshold and −1 below (ω = 1, g = 2λ); deviations halve with 1/N."""
    for g, limit in ((0.5, -1.0), (1.5, -(1.5**2 / 2 + 1 / (2 * 1.5**2)))):
        first, second = (ground_states[n, g].energy.item() * 2 / n - limit for n in (20, 40))
        assert abs(first) < 0.1 / 20 * 2
        assert first / second == pytest.approx(2.0, abs=0.1)


def test_the_gap_closes_at_the_threshold(ground_states: dict[tuple[int, float], xr.Dataset]) -> None:
    """Below it is √(1 − g) (ω = 1) and 1/N; at it N^(−1/3); above, the splitting of two states, exponentially small."""
    gap = {key: state.gap.item() for key, state in ground_states.items()}
    first, second = (gap[n, 0.5] - math.sqrt(0.5) for n in (20, 40))
    assert first / second == pytest.approx(2.0, abs=0.1)
    assert abs(second) < 0.002
    assert math.log2(gap[20, 1.0] / gap[40, 1.0]) == pytest.approx(1 / 3, abs=0.04)
    assert gap[20, 1.5] < 1e-7
    assert gap[40, 1.5] < 1e-12


def test_order_of_many_atoms(ground_states: dict[tuple[int, float], xr.Dataset]) -> None:
    """⟨S^x S^x⟩ → (N/2)²(1 − 1/g⁴), photons → g²⟨S^x S^x⟩/N; the symmetry itself is not broken."""
    state = ground_states[40, 1.5]
    order = state.Sx2.item() / 400
    assert order == pytest.approx(1 - 1.5**-4, abs=0.02)
    assert state.n_photon.item() == pytest.approx(1.5**2 * state.Sx2.item() / 40, rel=0.01)
    assert abs(state.Sx.item()) < 1e-10


def test_spacings_are_random_or_repel() -> None:
    """250 levels of each sector: standard error 0.012 for both sectors together; 4 of them fail once in 10⁴.

    Those of the Tavis–Cummings model and of the Dicke model above threshold are 12 apart.
    """
    rotating = od.DickeModel.tavis_cummings(n_atoms=16, omega_a=1.0, omega_c=1.1, kappa=0.0, coupling=0.5)
    means = []
    for model in (rotating, resonant(16, 1.4)):
        found = level_statistics(energy_levels(model, k=280, tolerance=1e-5), first=30)
        assert found.ratio_sem.values == pytest.approx(0.017, abs=0.004)
        means.append(float(found.ratio.mean()))
    assert abs(means[0] - found.attrs["poisson"]) < 0.048
    assert abs(means[1] - found.attrs["goe"]) < 0.048


def test_ratios_of_random_matrices() -> None:
    """Eigenvalues of real symmetric Gaussian matrices, and numbers at random."""
    random = np.random.default_rng(5)
    matrices = random.standard_normal((2, 800, 800))
    for energies, expected in (
        (np.array([np.linalg.eigvalsh(one + one.T)[200:600] for one in matrices]), 0.5307),
        (np.sort(random.random((2, 400)), axis=1), 0.3863),
    ):
        data = {"energy": (("parity", "level"), energies), "error": (("parity", "level"), 0 * energies)}
        found = level_statistics(xr.Dataset(data, {"parity": ["even", "odd"]}))
        # 4 standard errors of 800 ratios: once in 10⁴
        assert abs(float(found.ratio.mean()) - expected) < 4 * 0.26 / math.sqrt(800)
        assert found.ratios.values.tolist() == [398, 398]


def test_errors_tell_of_the_cutoff() -> None:
    """Of levels at cutoffs that are too low: more photons lower the energies by no more than the error says."""
    model = resonant(6, 1.5)
    exact = energy_levels(model, k=4, tolerance=1e-11)
    for photons in (4, 8, 12):
        rough = energy_levels(model, k=4, photons=photons)
        away = rough.energy - exact.energy
        assert (abs(away) <= rough.error + exact.error).all()
        assert float(away.max()) > 1e-9


def test_sparse_and_dense_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    model = resonant(10, 1.2)
    dense = energy_levels(model, k=3)
    monkeypatch.setattr(closed, "DENSE", 10)
    sparse = energy_levels(model, k=3)
    np.testing.assert_allclose(sparse.energy, dense.energy, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"kappa": 0.1}, {}, r"^kappa: expected 0.*replace\(kappa"),
        ({"omega_c": 0.0}, {}, "^omega_c: expected a number > 0"),
        ({"drive": 0.1}, {}, "^drive: expected 0"),
        ({}, {"k": 0}, "^k: expected"),
        ({}, {"tolerance": 0.0}, "^tolerance: expected"),
        ({"n_atoms": 3000}, {"k": 20000, "photons": 100}, "^n_atoms: expected fewer"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        energy_levels(resonant(3, 0.5).replace(**changes), **options)


def test_statistics_refuse_what_says_nothing() -> None:
    few = energy_levels(resonant(3, 0.5), k=8)
    with pytest.raises(ValueError, match=r"^levels: expected at least ten"):
        level_statistics(few)
    rough = energy_levels(resonant(6, 1.5), k=40, photons=12)
    with pytest.raises(ValueError, match=r"^levels: expected errors below"):
        level_statistics(rough)
    with pytest.raises(TypeError, match=r"^levels: expected"):
        level_statistics(xr.Dataset())


def test_tolerances_are_relative_to_the_rates() -> None:
    def cutoff(unit: float) -> int:
        rates = {"omega_a": unit, "omega_c": unit, "kappa": 0.0, "coupling": 1.5 * unit}
        return int(energy_levels(od.DickeModel.balanced(n_atoms=4, **rates), k=3, tolerance=1e-4).attrs["photons"])

    assert cutoff(1.0) == cutoff(1e4)


def test_the_spin_state_has_its_coherences() -> None:
    model = od.DickeModel.balanced(n_atoms=6, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=1.3)
    state = ground_state(model)
    n = np.arange(6)
    raising = np.diag(np.sqrt((n + 1) * (6 - n)), 1)
    sx = (raising + raising.T) / 2
    assert np.trace(state.rho_spin.values @ sx @ sx).real == pytest.approx(state.Sx2.item(), abs=1e-9)


def test_statistics_leave_out_the_first_levels() -> None:
    rest = np.cumsum(np.random.default_rng(1).exponential(size=12)) + 11.0
    data = energy_levels(od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=0.0, coupling=0.5), k=22)
    energies = np.broadcast_to(np.concatenate([np.arange(10.0), rest]), data.energy.shape)
    data = data.assign(energy=data.energy.copy(data=energies))
    gaps = np.diff(rest)
    expected = np.mean(np.minimum(gaps[1:], gaps[:-1]) / np.maximum(gaps[1:], gaps[:-1]))
    found = level_statistics(data, first=10)
    np.testing.assert_allclose(found.ratio, expected, rtol=0, atol=1e-9)
    assert found.attrs["goe"] == 0.5307
