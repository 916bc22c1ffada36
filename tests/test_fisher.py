"""Quantum Fisher information: states whose value is known, and trajectories against the master equation."""

import math

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.analysis import fisher_information
from spin_cases import covered, mean_z, part, random_case, rotation, states_dataset


@pytest.mark.parametrize("n_atoms", [1, 2, 9, 300, 2000])
def test_coherent_states_have_n_across_and_nothing_along(n_atoms: int) -> None:
    frame = rotation(0.7, 2.1, 0.3)
    found = fisher_information(states_dataset(n_atoms, np.ones((2, 1)), [frame, frame]))
    expected = n_atoms * (np.eye(3) - np.outer(frame[2], frame[2]))
    np.testing.assert_allclose(found.qfi[0], expected, rtol=0, atol=1e-9 * n_atoms)
    assert found.qfi_max.item() == pytest.approx(n_atoms, rel=1e-9)


@pytest.mark.parametrize("n_atoms", [2, 10, 501])
def test_cats_reach_the_heisenberg_limit_and_mixtures_do_not(n_atoms: int) -> None:
    """(|N,0> + |0,N>)/√2 has N² about z; the mixture of the two has none about z, and N across."""
    frame = rotation(0.4, 1.0, 0.0)
    cat = np.zeros((2, n_atoms + 1))
    cat[:, [0, -1]] = math.sqrt(0.5)
    found = fisher_information(states_dataset(n_atoms, cat, [frame, frame]))
    assert found.qfi_max.item() == pytest.approx(n_atoms**2, rel=1e-9)
    assert frame[2] @ found.qfi.values[0] @ frame[2] == pytest.approx(n_atoms**2, rel=1e-9)
    if n_atoms > 2:  # of two atoms the cat is a Dicke state of another axis too, and two axes are best
        assert abs(found.axis.values[0] @ frame[2]) == pytest.approx(1.0, abs=1e-9)
    opposite = frame * [[1], [-1], [-1]]
    mixed = fisher_information(states_dataset(n_atoms, np.ones((2, 1)), [frame, opposite]))
    along = frame[2] @ mixed.qfi_uncorrected.values[0] @ frame[2]
    assert along == pytest.approx(0.0, abs=1e-6 * n_atoms)
    across = frame[0] @ mixed.qfi_uncorrected.values[0] @ frame[0]
    assert across == pytest.approx(n_atoms, rel=1e-9)


@pytest.mark.parametrize(("n_atoms", "n"), [(4, 1), (20, 10), (400, 150)])
def test_dicke_states(n_atoms: int, n: int) -> None:
    """4 Var S^x = 4 Var S^y = 2 (j(j+1) − m²), nothing about z."""
    psi = np.zeros((2, n + 1))
    psi[:, n] = 1.0
    found = fisher_information(states_dataset(n_atoms, psi, [np.eye(3)] * 2))
    j, m = n_atoms / 2, n_atoms / 2 - n
    expected = np.diag([2 * (j * (j + 1) - m**2)] * 2 + [0.0])
    np.testing.assert_allclose(found.qfi[0], expected, rtol=0, atol=1e-8 * n_atoms**2)


def test_one_axis_twisting() -> None:
    """exp(−iχ t S_z²) on |x>: the largest information, Kitagawa and Ueda, Phys. Rev. A 47, 5138 (1993), as 4 V₊."""
    n_atoms, angle = 60, 0.05  # 2χt
    n = np.arange(n_atoms + 1)
    m = n_atoms / 2 - n
    psi = od.SpinCoherent(math.pi / 2, 0.0).dicke_amplitudes(n_atoms) * np.exp(-0.5j * angle * m**2)
    found = fisher_information(states_dataset(n_atoms, [psi, psi], [np.eye(3)] * 2))
    a = 1 - math.cos(angle) ** (n_atoms - 2)
    b = 4 * math.sin(angle / 2) * math.cos(angle / 2) ** (n_atoms - 2)
    expected = n_atoms * (1 + (n_atoms - 1) / 4 * (a + math.hypot(a, b)))
    assert found.qfi_max.item() == pytest.approx(expected, rel=1e-9)


def test_analytic_states_at_a_hundred_thousand_atoms() -> None:
    """A cat has N², a Dicke state 2 (j(j+1) − m²), a coherent state N, and the twisted state Kitagawa and Ueda's."""
    n_atoms = 10**5
    j, m = n_atoms / 2, n_atoms / 2 - np.arange(n_atoms + 1)
    cat, dicke = np.zeros((2, n_atoms + 1))
    cat[[0, -1]], dicke[40_000] = math.sqrt(0.5), 1.0
    coherent = od.SpinCoherent(math.pi / 2, 0.0).dicke_amplitudes(n_atoms)
    angle = 24 ** (1 / 6) * j ** (-2 / 3)
    a = 1 - math.cos(angle) ** (n_atoms - 2)
    b = 4 * math.sin(angle / 2) * math.cos(angle / 2) ** (n_atoms - 2)
    cases = [
        (cat, n_atoms**2),
        (dicke, 2 * (j * (j + 1) - m[40_000] ** 2)),
        (coherent, n_atoms),
        (coherent * np.exp(-0.5j * angle * m**2), n_atoms * (1 + (n_atoms - 1) / 4 * (a + math.hypot(a, b)))),
    ]
    for psi, expected in cases:
        found = fisher_information(states_dataset(n_atoms, [psi, psi], [np.eye(3)] * 2))
        assert found.qfi_max.item() == pytest.approx(expected, rel=1e-6)


def spectral(rho: np.ndarray, spin: np.ndarray) -> np.ndarray:
    """F from the definition, over all pairs of eigenstates."""
    values, vectors = np.linalg.eigh(rho)
    elements = np.array([vectors.conj().T @ s @ vectors for s in spin])
    total = values[:, None] + values
    weight = np.where(total > 1e-12, (values[:, None] - values) ** 2 / np.where(total > 1e-12, total, 1), 0)
    return 2 * np.einsum("pq,ipq,kqp->ik", weight, elements, elements).real


def test_mixed_states_agree_with_the_definition() -> None:
    from opendicke.methods.lindblad import spin_matrices

    for seed in (4, 6):
        case = random_case(seed)
        rho = case.exact.rho_spin.values[0]
        expected = spectral(rho, np.array(spin_matrices(rho.shape[0] - 1)))
        np.testing.assert_allclose(fisher_information(case.exact).qfi[0], expected, rtol=0, atol=1e-6)


def test_trajectories_agree_with_the_master_equation() -> None:
    """60 random cases, 96 trajectories, 95 % intervals from Student's t with 7 degrees of freedom.

    If 95 % is exact, less than 90 % are inside for 4 % of all sets of seeds (the three diagonal elements of one case
    are correlated, so that they may count as one).
    """
    cases = [random_case(seed) for seed in range(60)]
    pairs = [(fisher_information(case.sampled), fisher_information(case.exact)) for case in cases]
    xyz = xr.DataArray(list("xyz"), dims="axis")
    diagonal = [tuple(one.sel(component=xyz, component_=xyz) for one in pair) for pair in pairs]
    assert 0.90 <= covered(diagonal, "qfi") <= 0.99
    assert covered(pairs, "qfi_max") >= 0.90


def test_bias_is_removed() -> None:
    """Mean deviation over 60 cases of 4 × 24 trajectories; a method without bias exceeds 3.7 for 2 in 10⁴ seeds."""
    gaps, biased = [], []
    for seed in range(60):
        case = random_case(seed)
        exact = fisher_information(case.exact).qfi_max.item()
        found = [fisher_information(part(case.sampled, first, 4)) for first in range(4)]
        gaps.append(np.mean([one.qfi_max.item() for one in found]) / exact - 1)
        biased.append(np.mean([one.qfi_max_uncorrected.item() for one in found]) / exact - 1)
    assert abs(mean_z(gaps)) < 3.7
    assert mean_z(biased) > 5
