"""The spin's density matrix from trajectories: rotations, factors, and numbers with error bars."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import qutip
import xarray as xr

import opendicke as od
from opendicke.analysis import (
    fisher_information,
    husimi,
    jackknife_samples,
    mixedness,
    negativity,
    pure_states,
    spin_state,
)
from opendicke.methods.lindblad import spin_matrices
from opendicke.spin.state import rotate_to_lab
from spin_cases import covered, mean_z, part, random_case, rotation, states_dataset

CASES = range(60)


def random_frames(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    poles = [np.diag([1.0, -1.0, -1.0]), od.Normal().frame(), rotation(0.0, 0.0, 0.8)]
    return np.array([rotation(*random.uniform(-3, 3, 3)) for _ in range(count)] + poles)


@pytest.mark.parametrize("n_atoms", [1, 2, 5, 8])
def test_rotation_turns_operators_with_the_frame(n_atoms: int) -> None:
    """<S·e_k> in the lab is <S'_k> in the frame, and so for products, for every state: that fixes the rotation."""
    frames = random_frames(6)
    random = np.random.default_rng(1)
    psi = random.normal(size=(len(frames), n_atoms + 1)) + 1j * random.normal(size=(len(frames), n_atoms + 1))
    lab = rotate_to_lab(n_atoms, psi, frames)
    spin = np.array(spin_matrices(n_atoms))
    turned = np.einsum("skc,cij->skij", frames, spin)
    for k in range(3):
        for other in range(3):
            inside = np.einsum("si,ij,sj->s", psi.conj(), spin[k] @ spin[other], psi)
            outside = np.einsum("si,sij,sjl,sl->s", lab.conj(), turned[:, k], turned[:, other], lab)
            np.testing.assert_allclose(outside, inside, rtol=0, atol=1e-12 * n_atoms**2)


@pytest.mark.parametrize("n_atoms", [100, 1000, 3000])
def test_rotation_at_large_n(n_atoms: int) -> None:
    frames = random_frames(3)
    lab = rotate_to_lab(n_atoms, np.ones((len(frames), 1), dtype=complex), frames)
    theta, phi = np.arccos(np.clip(frames[:, 2, 2], -1, 1)), np.arctan2(frames[:, 2, 1], frames[:, 2, 0])
    expected = np.array([od.SpinCoherent(*angles).dicke_amplitudes(n_atoms) for angles in zip(theta, phi, strict=True)])
    np.testing.assert_allclose(abs((expected.conj() * lab).sum(axis=1)), 1.0, rtol=0, atol=1e-11)
    np.testing.assert_allclose(np.linalg.norm(lab, axis=1), 1.0, rtol=0, atol=1e-11)


def test_the_exact_state_comes_back_whole() -> None:
    case = random_case(6)
    rho = case.exact.rho_spin.values[0]
    state = spin_state(case.exact, case.time)
    np.testing.assert_allclose(state.dense(), rho, rtol=0, atol=1e-9)
    values, vectors = state.eigenstates()
    np.testing.assert_allclose((vectors * values) @ vectors.conj().T, rho, rtol=0, atol=1e-9)
    assert (np.diff(values) <= 0).all()
    found = mixedness(case.exact)
    q = state.to_qutip()
    assert found.purity.item() == pytest.approx(q.purity(), abs=1e-9)
    assert found.entropy.item() == pytest.approx(qutip.entropy_vn(q), abs=1e-7)
    assert "purity_sem" not in found
    assert q.dims == qutip.jmat(8 / 2, "x").dims


def test_factors_of_few_trajectories_at_large_n() -> None:
    """Fewer states than dimensions: the factors span them, and nothing of size (N+1)² is needed."""
    random = np.random.default_rng(3)
    psi = random.normal(size=(9, 6)) + 1j * random.normal(size=(9, 6))
    psi /= np.linalg.norm(psi, axis=1)[:, None]
    dataset = states_dataset(400, psi, random_frames(6, seed=4))
    state = spin_state(dataset, 0.0)
    lab = rotate_to_lab(400, psi, pure_states(dataset, 0.0).frames)
    assert state.basis.shape == (401, 9)
    np.testing.assert_allclose(state.basis.conj().T @ state.basis, np.eye(9), rtol=0, atol=1e-12)
    np.testing.assert_allclose(state.dense(), lab.T @ lab.conj() / 9, rtol=0, atol=1e-13)
    values, vectors = state.eigenstates()
    np.testing.assert_allclose((vectors * values) @ vectors.conj().T, state.dense(), rtol=0, atol=1e-13)


def test_parity() -> None:
    case = random_case(6)
    sign = np.diag((-1.0) ** np.arange(9))
    rho, symmetric = (
        spin_state(case.sampled, case.time).dense(),
        spin_state(case.sampled, case.time, parity=True).dense(),
    )
    np.testing.assert_allclose(symmetric, (rho + sign @ rho @ sign) / 2, rtol=0, atol=1e-13)
    assert abs(symmetric - rho).max() > 1e-3
    sx, _, _ = spin_matrices(8)
    assert abs(np.trace(sx @ symmetric)) < 1e-12
    both = mixedness(case.sampled, parity=True)
    pairs = 96 * (np.sum(abs(symmetric) ** 2) * 96 - _own(case.sampled, sign)) / (96 * 95)
    assert both.purity.item() == pytest.approx(pairs, abs=1e-10)


def _own(dataset: object, sign: np.ndarray) -> float:
    """Mean purity of one symmetrised trajectory."""
    states = pure_states(dataset, float(dataset.state_time[0]))
    lab = rotate_to_lab(states.n_atoms, states.psi, states.frames)
    overlap = (abs(lab) ** 2) @ sign.diagonal()
    return float(np.mean((1 + overlap**2) / 2))


def test_purity_and_entropy_against_the_master_equation() -> None:
    """60 random cases, N = 1 … 12, 96 trajectories; 95 % intervals.

    If 95 % is exact, less than 90 % or more than 99 % (all of them) are inside for 4 % and 5 % of all sets of seeds;
    all inside is no alarm here.
    """
    pairs = [(mixedness(random_case(seed).sampled), mixedness(random_case(seed).exact)) for seed in CASES]
    assert covered(pairs, "purity") >= 0.90
    assert covered(pairs, "entropy") >= 0.90
    assert pairs[0][0].purity_sem.attrs["degrees_of_freedom"] == 95
    assert pairs[0][0].entropy_sem.attrs["degrees_of_freedom"] == 15


@pytest.mark.parametrize("name", ["Sz", "n_photon", "Sx_a"])
def test_intervals_of_plain_means_against_the_master_equation(name: str) -> None:
    """``interval`` of what solve returned: 60 cases of 96 trajectories, of <S^x a> the two parts (correlated).

    If 95 % is exact, less than 88 % are inside for 1 % of all sets of seeds (2 % for the two parts).
    """
    pairs = [(random_case(seed).sampled, random_case(seed).exact) for seed in CASES]
    assert covered(pairs, name) >= 0.88
    narrow = [(sampled.assign({f"{name}_sem": sampled[f"{name}_sem"] / 2}), exact) for sampled, exact in pairs]
    assert covered(narrow, name) < 0.85  # a mutation: errors half as large cover 68 %


def test_bias_is_removed() -> None:
    """The mean deviation of 60 cases, each the mean over 6 sets of 16 trajectories, in its standard errors.

    A method without bias exceeds 3.7 for 2 in 10000 sets of seeds; without corrections both stand out.
    """
    gaps: dict[str, list[float]] = {"purity": [], "entropy": [], "biased purity": [], "biased entropy": []}
    for seed in CASES:
        case = random_case(seed)
        exact = mixedness(case.exact)
        sets = [part(case.sampled, first, 6) for first in range(6)]
        found = [mixedness(one) for one in sets]
        squares = [np.sum(abs(spin_state(one, case.time).dense()) ** 2) for one in sets]
        gaps["purity"].append(np.mean([one.purity.item() for one in found]) - exact.purity.item())
        gaps["entropy"].append(np.mean([one.entropy.item() for one in found]) - exact.entropy.item())
        gaps["biased purity"].append(np.mean(squares) - exact.purity.item())
        gaps["biased entropy"].append(np.mean([one.entropy_uncorrected.item() for one in found]) - exact.entropy.item())
    assert abs(mean_z(gaps["purity"])) < 3.7
    assert abs(mean_z(gaps["entropy"])) < 3.7
    assert mean_z(gaps["biased purity"]) > 5
    assert mean_z(gaps["biased entropy"]) < -5


def test_jackknife_of_a_mean_and_of_its_square() -> None:
    random = np.random.default_rng(0)
    values = random.normal(1.0, 2.0, 50)
    mean = jackknife_samples(50, 50, lambda held: values[held].mean())
    assert float(mean.value) == pytest.approx(float(mean.uncorrected), abs=1e-12)
    assert float(mean.error) == pytest.approx(values.std(ddof=1) / math.sqrt(50), abs=1e-12)
    # the square of the mean is biased by the variance of the mean, exactly
    square = jackknife_samples(50, 50, lambda held: values[held].mean() ** 2)
    assert float(square.value) == pytest.approx(float(square.uncorrected) - values.var(ddof=1) / 50, abs=1e-12)


def test_groups_of_unequal_size() -> None:
    """50 samples in 16 groups of 3 and 4: the error of a mean is that of its groups, and a constant changes nothing."""
    values = np.random.default_rng(1).normal(1.0, 2.0, 50)
    mean = jackknife_samples(50, 16, lambda held: values[held].mean())
    assert float(mean.value) == pytest.approx(values.mean(), abs=1e-12)
    sizes = np.bincount(np.arange(50) % 16)
    groups = np.bincount(np.arange(50) % 16, values) / sizes
    expected = math.sqrt(np.mean(sizes / (50 - sizes) * (groups - values.mean()) ** 2))
    assert float(mean.error) == pytest.approx(expected, rel=1e-12)
    shifted = jackknife_samples(50, 16, lambda held: values[held].mean() + 1000.0)
    assert float(shifted.error) == pytest.approx(expected, rel=1e-9)
    assert mean.degrees < 15


def test_too_few_trajectories_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 trajectories"):
        mixedness(states_dataset(4, np.ones((1, 1)), np.eye(3)[None]))
    with pytest.raises(ValueError, match="batches"):
        mixedness(random_case(3).sampled, batches=1)


def test_the_purity_of_many_trajectories_needs_no_overlap_of_any_two() -> None:
    """By its definition as a mean over pairs, and its error by leaving out one trajectory after the other."""
    random = np.random.default_rng(8)
    psi = random.normal(size=(30, 5)) + 1j * random.normal(size=(30, 5))
    psi /= np.linalg.norm(psi, axis=1)[:, None]
    found = mixedness(states_dataset(4, psi, np.repeat(np.eye(3)[None], 30, axis=0)))
    pairs = np.abs(psi.conj() @ psi.T) ** 2
    np.fill_diagonal(pairs, 0.0)
    without = [np.delete(np.delete(pairs, i, 0), i, 1).sum() / (29 * 28) for i in range(30)]
    assert found.purity.item() == pytest.approx(pairs.sum() / (30 * 29), rel=1e-12)
    assert found.purity_sem.item() == pytest.approx(np.std(without) * math.sqrt(29), rel=1e-10)


@pytest.mark.parametrize("function", [mixedness, fisher_information, negativity, husimi])
def test_bad_datasets_and_times_are_refused(function: Callable[..., object]) -> None:
    for wrong in (None, "Sz", np.ones(3), xr.Dataset(), od.Normal()):
        with pytest.raises(TypeError, match=r"dataset: expected a Dataset that opendicke\.solve returned"):
            function(wrong)
    good = random_case(3).sampled
    with pytest.raises(ValueError, match="dataset: expected an answer of NuHOPS or Lindblad that holds spin states"):
        function(good.drop_vars("psi"))
    with pytest.raises(ValueError, match="times: expected at least one of the times whose states were kept"):
        function(good, times=[])
    with pytest.raises(ValueError, match="times: expected times out of the times whose states were kept"):
        function(good, times=[77.0])
    for times in ("now", [True], [[1.0]], [1j], np.array([1], dtype="datetime64[s]"), [[1.0], [1.0, 2.0]]):
        with pytest.raises(TypeError, match="times: expected a"):
            function(good, times=times)
    one, all_of_them = (function(good, times=times) for times in (random_case(3).time, None))
    xr.testing.assert_identical(one, all_of_them)
    xr.testing.assert_allclose(function(good.isel(state_time=0)), all_of_them, rtol=1e-12, atol=1e-14)


def test_times_of_states_select_from_the_solves_times() -> None:
    """A time of states that is written otherwise, 0.1 + 0.2, has the grid's value to the last bit, and is explained."""
    model = od.DickeModel.balanced(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.5)
    for method in (od.NuHOPS(trajectories=4, keep_states=(0.1 + 0.2,)), od.Lindblad(keep_states=(0.1 + 0.2,))):
        answer = od.solve(model, od.Normal(), [0.3, 1.0], method, progress=False)
        found = mixedness(answer, times=[0.1 + 0.2])
        assert found.state_time.values.tolist() == [0.3] != [0.1 + 0.2]
        assert answer.Sz.sel(time=found.state_time).values.tolist() == answer.Sz.values[:1].tolist()
        for about in (answer.state_time.attrs, found.state_time.attrs):
            assert "keep_states" in about["definition"]
            assert about["units"] == answer.time.attrs["units"]


def test_only_states_at_solved_times_are_kept() -> None:
    model = od.DickeModel.balanced(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.5)
    with pytest.raises(ValueError, match=r"keep_states.*0\.7"):
        od.solve(model, od.Normal(), [0.5, 1.0], od.Lindblad(keep_states=(0.7,)), progress=False)
    kept = od.solve(model, od.Normal(), [0.5, 1.0], od.Lindblad(keep_states=(1.0,)), progress=False)
    assert kept.state_time.values.tolist() == [1.0]
    sz = np.diag([1.0, 0.0, -1.0])
    assert np.trace(sz @ kept.rho_spin.values[0]).real == pytest.approx(kept.Sz.values[1], abs=1e-12)
