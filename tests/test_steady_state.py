"""Steady state and spectrum against QuTiP, dense eigenvalues, stored exact numbers and long runs of nuHOPS."""

import math
from typing import Any

import numpy as np
import pytest
import qutip

import opendicke as od
from opendicke.analysis import steady_state as module
from opendicke.analysis.steady_state import liouvillian_spectrum, steady_state
from opendicke.methods.davidson import NotConverged, modes_near
from opendicke.methods.liouvillian import Resolvent, Sector

BISTABLE = od.DickeModel(n_atoms=6, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.8, g_plus=0.782)
#: (even, odd) gaps of the master equation at these parameters, from runs in time with two cutoffs.
GAPS = {6: (0.211128, 0.069226), 10: (0.131381, 0.044201)}
#: (<a^dag a>, <S^x S^x>/N) at the critical coupling, omega_a = omega_c = kappa = 1.
CRITICAL = {4: (0.4065893, 0.4960381), 8: (0.5989114, 0.6998156)}
CASES = [
    od.DickeModel(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=0.7, g_minus=0.35, g_plus=0.1),
    od.DickeModel(n_atoms=2, omega_a=-0.7, omega_c=1.3, kappa=0.4, g_minus=0.5, g_plus=-0.8),
    od.DickeModel(n_atoms=3, omega_a=20.0, omega_c=-30.0, kappa=10.0, g_minus=6.0, g_plus=12.0),
    od.DickeModel(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.1, g_plus=1.1),
    od.DickeModel.tavis_cummings(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.5),
]


def liouvillian(model: od.DickeModel, photons: int) -> Any:
    """QuTiP's Liouvillian as a sparse matrix on stacked columns."""
    return qutip.liouvillian(*model.to_qutip(photons)).data.as_scipy().tocsc()


def random_hermitian(total: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(total, total)) + 1j * random.normal(size=(total, total))
    return matrix + matrix.conj().T


def generator_error(model: od.DickeModel, photons: int, checked: od.DickeModel) -> float:
    """How far both sectors together are from QuTiP's Liouvillian of ``checked`` on a random matrix."""
    levels, total = photons + 1, (model.n_atoms + 1) * (photons + 1)
    rho = random_hermitian(total, 1)
    expected = (liouvillian(checked, photons) @ rho.ravel(order="F")).reshape(total, total, order="F")
    found = np.zeros_like(rho)
    for parity in ("even", "odd"):
        sector = Sector(model, photons, parity)
        vector = sector.vector(rho.reshape(model.n_atoms + 1, levels, model.n_atoms + 1, levels))
        found += sector.density_matrix(sector(vector)).reshape(total, total)
    return float(np.abs(found - expected).max())


def test_both_sectors_together_are_the_liouvillian() -> None:
    for model in CASES:
        assert generator_error(model, 4, model) < 1e-11 * max(1.0, abs(model.omega_c)) * 10
    assert generator_error(CASES[1], 4, CASES[1].replace(g_plus=0.8)) > 0.1
    assert generator_error(CASES[1], 4, CASES[1].replace(kappa=0.8)) > 0.1


@pytest.mark.parametrize("parity", ["even", "odd"])
def test_the_resolvent_inverts_the_liouvillian_without_jumps(parity: str) -> None:
    """With n_atoms = 12 both halves and the products of the Sylvester solver are used."""
    sector = Sector(BISTABLE.replace(n_atoms=12), 14, parity)
    shift = 0.3
    inverse = Resolvent(sector, shift)
    vector = np.random.default_rng(2).normal(size=sector.size)
    vector /= np.linalg.norm(vector)
    found = inverse(vector)
    assert max(sector.shapes[0]) > 64
    for jump in sector.jump:
        jump.data[:] = 0.0
    assert np.linalg.norm(sector(found) - shift * found - vector) < 1e-3  # single precision, ||L|| = 1e2
    assert np.linalg.norm(sector(found) + shift * found - vector) > 1e-2


@pytest.mark.parametrize("model", CASES, ids=lambda model: f"N={model.n_atoms} g={model.g_minus},{model.g_plus}")
def test_every_variable_agrees_with_qutip(model: od.DickeModel) -> None:
    result = steady_state(model)
    photons = result.attrs["photons"]
    rho = qutip.steadystate(*model.to_qutip(photons))
    levels = photons + 1
    a = qutip.tensor(qutip.qeye(model.n_atoms + 1), qutip.destroy(levels))
    spin = {axis: qutip.tensor(qutip.jmat(model.n_atoms / 2, axis), qutip.qeye(levels)) for axis in "xyz"}
    operators = {"a": a, "n_photon": a.dag() * a, "a2": a * a, "n_photon2": a.dag() ** 2 * a**2}
    for axis, s in spin.items():
        operators |= {f"S{axis}": s, f"S{axis}2": s * s, f"S{axis}_a": s * a}
        operators |= {f"S{axis}_S{other}": s * spin[other] for other in "xyz" if other != axis}
    assert set(result.data_vars) == {*operators, "rho_spin"}
    for name, operator in operators.items():
        assert abs(result[name].item() - qutip.expect(operator, rho)) < 1e-7, name
    np.testing.assert_allclose(result.rho_spin, rho.ptrace(0).full(), atol=1e-8)


def dense_eigenvalues(model: od.DickeModel, photons: int, parity: str) -> np.ndarray:
    """All eigenvalues of one sector, nearest to zero first."""
    n, f = np.divmod(np.arange((model.n_atoms + 1) * (photons + 1)), photons + 1)
    odd = np.add.outer(n + f, n + f).ravel(order="F") % 2 == (parity == "odd")
    matrix = liouvillian(model, photons)[odd][:, odd].toarray()
    values = np.linalg.eigvals(matrix)
    return values[np.argsort(abs(values))]


def test_the_spectrum_is_that_of_dense_matrices() -> None:
    model = CASES[1]
    spectrum = liouvillian_spectrum(model, photons=10, k=6, max_top_population=0.1)
    for parity in ("even", "odd"):
        found = spectrum.eigenvalue.sel(parity=parity).values
        expected = dense_eigenvalues(model, 10, parity)
        for value in found:
            assert abs(value - expected).min() < 1e-8
        np.testing.assert_allclose(np.abs(found), np.abs(expected[:6]), atol=1e-8)
    upper, lower = spectrum.eigenvalue.sel(parity="odd").values[2:4]
    assert upper.imag != 0
    assert lower == upper.conjugate()
    assert (spectrum.residual < 1e-9).all()


def odd_gap(model: od.DickeModel, photons: int) -> float:
    _, (mode,) = module._modes(model, photons, "odd", 1, None, 4.0, False)
    return -mode.eigenvalue.real


def test_stored_gaps() -> None:
    spectrum = liouvillian_spectrum(BISTABLE, k=2)
    np.testing.assert_allclose(spectrum.gap, GAPS[6], rtol=1e-5)
    assert abs(spectrum.eigenvalue.values[0, 0]) < 1e-8
    ten = BISTABLE.replace(n_atoms=10)
    _, modes = module._modes(ten, 27, "even", 2, None, 4.0, False)
    np.testing.assert_allclose(-modes[1].eigenvalue.real, GAPS[10][0], rtol=1e-5)
    np.testing.assert_allclose(odd_gap(ten, 27), GAPS[10][1], rtol=1e-5)
    assert abs(odd_gap(BISTABLE.replace(g_plus=0.785), 22) / GAPS[6][1] - 1) > 1e-3


def worst_z(sampled: Any, exact: Any) -> float:
    """Largest deviation of a sampled result from ``exact``, in standard errors."""
    names = ("Sz", "n_photon", "Sx2", "Sy2", "Sz2", "n_photon2")
    return max(abs((sampled[name].item() - exact[name].item()) / sampled[f"{name}_sem"].item()) for name in names)


def test_nuhops_ends_there() -> None:
    """The even gap 0.131 leaves exp(-6.5) of the start. Six values beyond 4.5 standard errors: false alarm 5e-5."""
    model = BISTABLE.replace(n_atoms=10)
    exact = steady_state(model)
    sampled = od.solve(model, od.Normal(), [50.0], od.NuHOPS(trajectories=100, seed=5), executor=od.Serial())
    assert worst_z(sampled, exact) < 4.5
    assert worst_z(sampled, steady_state(model.replace(kappa=2.0))) > 4.5


def test_photons_at_the_critical_coupling_grow_as_the_root_of_n() -> None:
    model = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=math.sqrt(2))
    found = {n: steady_state(model.replace(n_atoms=n)) for n in (4, 8, 16)}
    for n, (photons, square) in CRITICAL.items():
        assert abs(found[n].n_photon.item() - photons) < 1e-6
        assert abs(found[n].Sx2.item() / n - square) < 1e-6
    exponents = [math.log2(found[2 * n].n_photon.item() / found[n].n_photon.item()) for n in (4, 8)]
    assert [round(exponent, 2) for exponent in exponents] == [0.56, 0.55]


def test_a_small_cutoff_is_refused_or_raised() -> None:
    with pytest.raises(ValueError, match=r"photons: expected .* got '6 .*Try photons=10"):
        steady_state(CASES[3], photons=6)
    automatic = steady_state(CASES[3], max_top_population=1e-11)
    assert automatic.attrs["top_population"] <= 1e-11
    assert abs(automatic.n_photon.item() - steady_state(CASES[3], photons=30).n_photon.item()) < 1e-8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kappa": 0.0}, "kappa: expected"),
        ({"g_minus": 0.0, "g_plus": 0.0}, "g_minus, g_plus: expected"),
        ({"omega_a": 0.0, "g_plus": -1.8}, "omega_a: expected"),
    ],
)
def test_models_with_many_steady_states_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        steady_state(BISTABLE.replace(**changes))


def test_refusals() -> None:
    with pytest.raises(TypeError, match="model: expected"):
        steady_state("dicke")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"needs .* GiB, more than max_memory = 4 GiB"):
        steady_state(BISTABLE.replace(n_atoms=100))
    with pytest.raises(ValueError, match="max_top_population"):
        steady_state(BISTABLE, max_top_population=2.0)
    with pytest.raises(ValueError, match="k: expected"):
        liouvillian_spectrum(BISTABLE, k=11)


def test_no_convergence_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotConverged, match=r"after 3 applications"):
        modes_near(lambda x: -np.arange(1.0, 9.0) * x, lambda x: x, 0.1, np.ones(8), 2, tolerance=1e-12, most=3)
    monkeypatch.setattr(module, "TOLERANCE", 0.0)
    monkeypatch.setattr("opendicke.methods.davidson.MOST", 20)
    with pytest.raises(RuntimeError, match="the even modes of DickeModel"):
        steady_state(CASES[0])


def test_modes_of_a_matrix() -> None:
    """A matrix with known eigenvalues, some complex, and a poor inverse; the basis restarts many times."""
    random = np.random.default_rng(4)
    diagonal = -np.concatenate([[0.0, 0.5, 0.5], np.linspace(2, 40, 60)])
    matrix = np.diag(diagonal)
    matrix[1, 2], matrix[2, 1] = 0.7, -0.7
    mix = np.eye(63) + 0.1 * random.normal(size=(63, 63)) / 8
    matrix = np.linalg.solve(mix, matrix @ mix)
    found = modes_near(
        lambda x: matrix @ x, lambda x: x / (matrix.diagonal() - 0.1), 0.1, np.ones(63), 3, tolerance=1e-10, capacity=15
    )
    values = sorted((mode.eigenvalue for mode in found), key=lambda value: value.imag)
    np.testing.assert_allclose(values, [-0.5 - 0.7j, 0, -0.5 + 0.7j], atol=1e-9)
    for mode in found:
        assert np.linalg.norm(matrix @ mode.vector - mode.eigenvalue * mode.vector) < 1e-9
