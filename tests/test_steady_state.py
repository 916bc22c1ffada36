"""Steady state and spectrum against QuTiP, dense eigenvalues, stored exact numbers and long runs of nuHOPS."""

import math
import re
from typing import Any

import numpy as np
import pytest
import qutip
from scipy.sparse.linalg import splu

import opendicke as od
from opendicke.analysis import liouvillian_spectrum, mixedness, steady_state
from opendicke.master.davidson import NotConverged, modes_near
from opendicke.master.liouvillian import Resolvent, Sector
from opendicke.methods.lindblad import channels_of
from opendicke.observables.catalogue import from_channels
from opendicke.steady import slow_modes
from opendicke.steady.slow_modes import SlowModes

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


def test_a_steady_state_is_analysed_as_its_refusal_says() -> None:
    """Whatever wants states; the numbers are those of the density matrix."""
    model = od.DickeModel(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=0.6, g_plus=0.3)
    dataset = steady_state(model)
    with pytest.raises(ValueError, match="A steady state has no time: give it one, dataset") as refused:
        mixedness(dataset)
    call = str(refused.value).split("give it one, ")[1].removesuffix(".")
    timed = eval(call, {"dataset": dataset})
    rho = dataset.rho_spin.values
    assert mixedness(timed).purity.item() == pytest.approx(np.trace(rho @ rho).real, abs=1e-12)
    for analyse in (od.analysis.negativity, od.analysis.husimi):
        with pytest.raises(ValueError, match="A steady state has no time"):
            analyse(dataset)
        analyse(timed)


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
    np.testing.assert_allclose(result.rho_spin, rho.ptrace(0).full(), rtol=0, atol=1e-8)


#: The gap is 2e-4 of the other rates.
SLOW = od.DickeModel.balanced(n_atoms=1, omega_a=2000.0, omega_c=1.0, kappa=0.5, coupling=0.9 * math.sqrt(2000.0))


def exact(model: od.DickeModel, photons: int) -> dict[str, Any]:
    """Every variable and the spin's density matrix in the steady state: QuTiP's Liouvillian, a sparse LU, one step of
    refinement."""
    total = (model.n_atoms + 1) * (photons + 1)
    n, f = np.divmod(np.arange(total), photons + 1)
    even = np.flatnonzero(np.add.outer(n + f, n + f).ravel(order="F") % 2 == 0)
    matrix = liouvillian(model, photons)[even][:, even].tolil()
    matrix[0] = np.isin(even, np.arange(total) * (total + 1)).astype(complex)  # the trace
    right = np.eye(1, even.size, dtype=complex)[0]
    factors = splu(matrix.tocsc())
    found = factors.solve(right)
    found += factors.solve(right - matrix.tocsr() @ found)
    rho = np.zeros(total**2, dtype=complex)
    rho[even] = found
    rho = rho.reshape(total, total, order="F").reshape(2 * (model.n_atoms + 1, photons + 1))
    return from_channels(tuple(od.VARIABLES), channels_of(rho)) | {"rho_spin": np.einsum("nfmf->nm", rho)}


def stated(model: od.DickeModel) -> tuple[np.ndarray, np.ndarray]:
    """The true and the stated error of every variable; of the density matrix, the largest of its elements."""
    result = steady_state(model)
    expected, larger = (exact(model, result.attrs["photons"] + more) for more in (8, 14))
    true = np.array([np.abs(result[name].values - value).max() for name, value in expected.items()])
    error = np.array([result[name].attrs["error"] for name in expected])
    unsure = np.array([np.abs(larger[name] - value).max() for name, value in expected.items()])
    assert unsure.max() < 0.1 * error.max()
    return true, error + unsure + 1e-15 * model.n_atoms**2


HONEST = [SLOW, CASES[1], CASES[2], CASES[4].replace(n_atoms=3)]


@pytest.mark.parametrize("model", HONEST, ids=lambda model: f"N={model.n_atoms} omega_a={model.omega_a}")
def test_the_error_stated_covers_the_true_one(model: od.DickeModel) -> None:
    """Against another cutoff and another solver; and it is not far too large where there is an error to speak of."""
    true, error = stated(model)
    assert (true <= error).all()
    assert error.max() < 100 * true.max()


def test_a_slow_mode_does_not_spoil_the_steady_state() -> None:
    """Reference: sparse LU with 30 and 36 photons, alike to 3e-13. Cutoff and residual go with one over the gap."""
    result = steady_state(SLOW)
    assert abs(result.Sz.item() + 6.68200965e-4) < 5e-13 + result.Sz.attrs["error"]
    assert abs(result.n_photon.item() - 0.11288606595) < 5e-12 + result.n_photon.attrs["error"]
    assert result.Sz.attrs["error"] < 1e-8
    assert 1.9e-4 < result.attrs["gap"] < 2.2e-4


def test_bounds_of_the_spin_hold_within_the_error() -> None:
    dark = steady_state(CASES[4].replace(n_atoms=10))
    assert dark.n_photon.item() + dark.n_photon.attrs["error"] >= 0
    assert dark.Sz.item() - dark.Sz.attrs["error"] <= -5 <= dark.Sz.item() + dark.Sz.attrs["error"]
    assert dark.Sz.attrs["error"] < 1e-8


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
        np.testing.assert_allclose(np.abs(found), np.abs(expected[:6]), rtol=0, atol=1e-8)
    upper, lower = spectrum.eigenvalue.sel(parity="odd").values[2:4]
    assert upper.imag != 0
    assert lower == upper.conjugate()
    assert (spectrum.residual < 1e-9).all()


def test_many_eigenvalues_with_errors_that_hold() -> None:
    """Against all eigenvalues of a matrix with four more photons than the second run."""
    spectrum = liouvillian_spectrum(CASES[0], k=20)
    photons = spectrum.attrs["second_photons"] + 4
    for parity in ("even", "odd"):
        sector, expected = spectrum.sel(parity=parity), dense_eigenvalues(CASES[0], photons, parity)
        distance = np.array([abs(value - expected).min() for value in sector.eigenvalue.values])
        assert (distance <= sector.error + 1e-11).all()
        np.testing.assert_allclose(
            abs(sector.eigenvalue), abs(expected[:20]), rtol=0, atol=sector.error.values.max() + 1e-11
        )
    assert spectrum.error.max() < 1e-5


#: Its slowest even modes oscillate: the eigenvalue is 1.50 times as far from 0 as its decay rate.
OSCILLATING = od.DickeModel(n_atoms=2, omega_a=0.5, omega_c=0.25, kappa=2.3, g_minus=1.6, g_plus=0.2)


def test_the_gap_is_a_decay_rate() -> None:
    """Where λ is complex, too: -Re λ of the dense matrix, not |λ|. A steady state has it to some 20 %.

    In the odd sector the slowest of three modes is not the one nearest to 0.
    """
    found, spectrum = steady_state(OSCILLATING), liouvillian_spectrum(OSCILLATING, k=3)
    even, odd = (dense_eigenvalues(OSCILLATING, found.attrs["photons"], parity) for parity in ("even", "odd"))
    slowest = even[1]
    assert abs(slowest) > 1.45 * -slowest.real
    assert -odd[2].real < 0.9 * -odd[0].real
    assert abs(found.attrs["gap"] / -slowest.real - 1) < 0.2
    error = spectrum.error.max("mode").values
    assert (abs(spectrum.gap.values + np.real([slowest, odd[2]])) < error + 1e-11).all()


def test_the_corner_saves_most_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four eigenvalues in less than 60 applications of L, without the corner in 297; the steady state takes 101."""
    monkeypatch.setattr("opendicke.master.davidson.MOST", 150)
    spectrum = liouvillian_spectrum(BISTABLE, photons=22, k=4)
    assert (spectrum.residual < 2e-7).all()
    assert (spectrum.error < 1e-5).all()


def gaps_at(model: od.DickeModel, photons: int) -> list[float]:
    """The even and the odd gap with a cutoff that is not checked."""
    solver = SlowModes(model, 4.0, False)
    state = solver.steady(photons)
    even, odd = solver.slowest("even", 2, state)[1], solver.slowest("odd", 1, state)[0]
    return [-even.eigenvalue.real, -odd.eigenvalue.real]


def test_stored_gaps() -> None:
    spectrum = liouvillian_spectrum(BISTABLE, k=2)
    np.testing.assert_allclose(spectrum.gap, GAPS[6], rtol=1e-5)
    assert abs(spectrum.eigenvalue.values[0, 0]) <= spectrum.error.values[0, 0] < 1e-8  # 0 is known
    assert abs(gaps_at(BISTABLE.replace(g_plus=0.785), 22)[1] / GAPS[6][1] - 1) > 1e-3


@pytest.mark.slow
def test_stored_gaps_of_ten_atoms() -> None:
    np.testing.assert_allclose(gaps_at(BISTABLE.replace(n_atoms=10), 27), GAPS[10], rtol=1e-5)


def worst_z(sampled: Any, exact: Any) -> float:
    """Largest deviation of a sampled result from ``exact``, in standard errors."""
    names = ("Sz", "n_photon", "Sx2", "Sy2", "Sz2", "n_photon2")
    return max(abs((sampled[name].item() - exact[name].item()) / sampled[f"{name}_sem"].item()) for name in names)


@pytest.mark.slow
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
    with pytest.raises(ValueError, match=r"photons: expected .* got 6\. Try photons=(\d+)") as refusal:
        steady_state(CASES[3], photons=6)
    named = int(re.search(r"Try photons=(\d+)", str(refusal.value)).group(1))  # type: ignore[union-attr]
    assert steady_state(CASES[3], photons=named).attrs["top_population"] <= 1e-8
    automatic = steady_state(CASES[3], max_top_population=1e-11)
    assert automatic.attrs["top_population"] <= 1e-11
    assert abs(automatic.n_photon.item() - steady_state(CASES[3], photons=30).n_photon.item()) < 1e-8


def test_a_mode_without_trace_is_no_steady_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too hasty a first search ends in a decaying mode, with a residual below 1e-10."""
    monkeypatch.setattr(slow_modes, "STAGES", ((0.1, 0.7), (0.01, 0.7), (1e-4, 1.0)))
    found, exact = (steady_state(CASES[3], photons=photons) for photons in (19, 23))
    assert abs(found.n_photon.item() - exact.n_photon.item()) < 1e-8


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
        liouvillian_spectrum(CASES[0], k=1000)


def test_no_convergence_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotConverged, match=r"after 3 applications"):
        modes_near(lambda x: -np.arange(1.0, 9.0) * x, lambda x: x, 0.1, np.ones(8), 2, tolerance=1e-12, most=3)
    monkeypatch.setattr(slow_modes, "TOLERANCE", 0.0)
    monkeypatch.setattr(slow_modes, "ROUNDING", 0.0)
    monkeypatch.setattr("opendicke.master.davidson.MOST", 20)
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
    np.testing.assert_allclose(values, [-0.5 - 0.7j, 0, -0.5 + 0.7j], rtol=0, atol=1e-9)
    for mode in found:
        assert np.linalg.norm(matrix @ mode.vector - mode.eigenvalue * mode.vector) < 1e-9


@pytest.mark.parametrize(
    ("rates", "solvable"),
    [
        ((1.0, 1e3, 1.0, 2.0, 1.0), True),
        ((1e5, 1.0, 1.0, 2.0, 1.0), True),
        ((1.0, 1.0, 1.0, 1e-7, 2e-7), True),
        ((1e6, 1.0, 1.0, 2.0, 1.0), False),
        ((1.0, 1e6, 1.0, 2.0, 1.0), False),
    ],
)
def test_rounding_over_the_gap_is_in_the_error(rates: tuple[float, ...], solvable: bool) -> None:
    """One atom whose levels are populated by rates, g² κ/(κ² + mismatch²) of second order: known to 1e-5."""
    omega_a, omega_c, kappa, g_minus, g_plus = rates
    names = ("omega_a", "omega_c", "kappa", "g_minus", "g_plus")
    model = od.DickeModel(n_atoms=1, **dict(zip(names, rates, strict=True)))
    if not solvable:
        with pytest.raises(ValueError, match="model: expected rates so close that rounding over the gap is small"):
            steady_state(model)
        return
    down = g_minus**2 / (kappa**2 + (omega_c - omega_a) ** 2)
    up = g_plus**2 / (kappa**2 + (omega_c + omega_a) ** 2)
    found = steady_state(model).Sz
    assert abs(found.item() - (up - down) / (2 * (up + down))) < found.attrs["error"] + 1e-5
    assert found.attrs["error"] < 0.1


def test_one_member_of_a_pair_is_enough() -> None:
    model = od.DickeModel.balanced(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.5)
    one, three = (liouvillian_spectrum(model, k=k).eigenvalue.sel(parity="odd") for k in (1, 3))
    assert abs(one.item().real - three.values[0].real) < 1e-9
    assert abs(abs(one.item().imag) - abs(three.values[0].imag)) < 1e-9
