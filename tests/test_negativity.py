"""Negativity of two parts of the spin: states whose value is known, and trajectories against the master equation."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import qutip
import xarray as xr

import opendicke as od
from opendicke.analysis import negativity, spin_state
from opendicke.spin import negativity as negativity_module
from opendicke.spin.negativity import partial_transpose
from opendicke.spin.product_vectors import TooLarge, _kept_pairs, cholesky, transposed
from spin_cases import covered, mean_z, part, random_case, rotation, states_dataset

REFERENCE = json.loads((Path(__file__).parent / "data" / "exact.json").read_text())


def dense(rho: np.ndarray, n_first: int) -> float:
    """From the definition, with QuTiP's partial transpose, by ladder operators on a product of two spins."""
    n_atoms = rho.shape[0] - 1
    sizes = [n_first + 1, n_atoms - n_first + 1]
    first, second = (qutip.jmat((size - 1) / 2, "-") for size in sizes)
    lower = (qutip.tensor(first, qutip.qeye(sizes[1])) + qutip.tensor(qutip.qeye(sizes[0]), second)).full()
    state = np.zeros(sizes[0] * sizes[1])
    state[0] = 1.0
    columns = [state]
    for _ in range(n_atoms):
        state = lower.real @ state
        state /= np.linalg.norm(state)
        columns.append(state)
    embed = np.array(columns).T
    whole = qutip.Qobj(embed @ rho @ embed.T, dims=[sizes, sizes])
    values = qutip.partial_transpose(whole, [1, 0]).eigenenergies()
    return float(-values[values < 0].sum())


def random_states(n_atoms: int, count: int, seed: int = 0) -> xr.Dataset:
    random = np.random.default_rng(seed)
    psi = random.normal(size=(count, n_atoms + 1)) + 1j * random.normal(size=(count, n_atoms + 1))
    psi /= np.linalg.norm(psi, axis=1)[:, None]
    return states_dataset(n_atoms, psi, [rotation(*random.uniform(-3, 3, 3)) for _ in range(count)])


def only(form: str, dataset: xr.Dataset, **options: Any) -> xr.Dataset:
    """The negativity by one of the two forms, whatever it costs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(negativity_module, "_by_cost", lambda *_: [getattr(negativity_module, form)])
        return negativity(dataset, **options)


@pytest.mark.parametrize(("n_atoms", "split"), [(2, 1), (3, 1), (5, None), (6, None), (6, 1), (7, 5), (9, 3)])
@pytest.mark.parametrize(("form", "error"), [("_full", 1e-12), ("_spanned", 1e-6)])
def test_mixtures_agree_with_the_definition(n_atoms: int, split: int | None, form: str, error: float) -> None:
    """The full matrix up to rounding; the other form up to the root of what it counts as rounding noise, 1e-13."""
    dataset = random_states(n_atoms, 5)
    found = only(form, dataset, split=split, neglect=1e-14)
    expected = dense(spin_state(dataset, 0.0).dense(), split or n_atoms // 2)
    assert found.negativity_uncorrected.item() == pytest.approx(expected, abs=error)
    assert found.log_negativity_uncorrected.item() == pytest.approx(math.log2(1 + 2 * expected), abs=3 * error)


@pytest.mark.parametrize("split", [None, 3])
def test_the_two_forms_agree(split: int | None) -> None:
    """Every number of an answer, error bars included, for states that end: nothing is then left out but rounding."""
    random = np.random.default_rng(6)
    psi = (random.normal(size=(24, 4)) + 1j * random.normal(size=(24, 4))) * 0.5 ** np.arange(4)
    psi /= np.linalg.norm(psi, axis=1)[:, None]
    dataset = states_dataset(12, psi, [rotation(*random.uniform(0, 1.5, 3)) for _ in range(24)])
    full, spanned = (only(form, dataset, split=split, neglect=1e-15) for form in ("_full", "_spanned"))
    assert (full.neglected.item(), full["rank"].item()) == (0.0, 49 if split is None else 40)
    # errors of one estimate enter a bias-corrected value 2 x 8 times
    bound = 16 * spanned.neglected.item()
    assert bound < 1e-4
    for name in set(full) - {"neglected", "rank"}:
        assert full[name].item() == pytest.approx(spanned[name].item(), abs=bound), name
    assert abs(full.negativity - spanned.negativity).item() < 1e-6


@pytest.mark.parametrize("bound", [1e-3, 0.05, 0.6])
def test_pairs_left_out_have_the_trace_norm_that_is_told(bound: float) -> None:
    """The partial transpose of a state with these Schmidt coefficients is Σ σ_a σ_b |ba><ab|, here a matrix."""
    sigma = np.array([0.8, 0.5, 0.3, 0.1, 0.02, 0.01])
    sigma /= np.linalg.norm(sigma)
    a, b, product, lost = _kept_pairs(sigma, bound)
    left_out = np.zeros((6, 6, 6, 6))
    for c in range(6):
        for d in range(6):
            left_out[d, c, c, d] = sigma[c] * sigma[d]
    left_out[b, a, a, b] -= product
    left_out[a, b, b, a] -= product * (a != b)
    assert np.linalg.norm(left_out.reshape(36, 36), "nuc") == pytest.approx(lost, rel=1e-10)
    assert 0 < lost < bound


def test_the_bound_on_what_is_outside_of_the_span() -> None:
    """ρ = xx† − yy† at an angle ε has the eigenvalues ± sin ε, and on the span of x alone none below zero."""
    cosine, sine = math.cos(0.2), math.sin(0.2)
    gram = np.array([[1.0, cosine], [cosine, 1.0]])
    two: Any = SimpleNamespace(
        a=np.arange(2), equal=True, owner=np.zeros(2, int), sign=np.array([1.0, -1.0]), gram=lambda *at: gram[at]
    )
    factor, lost = cholesky(two, 0.03, 1.0)
    assert factor.shape == (2, 1)
    assert transposed(two, factor, np.ones(1, bool)).item() >= 0
    assert sine <= lost == pytest.approx(sine * cosine + sine**2)


def test_a_partial_transpose_of_equal_parts_is_made_real() -> None:
    """The real matrix has the spectrum of the complex one, which unequal parts keep: here by the same formula."""
    rho = spin_state(random_states(6, 4), 0.0).dense()
    real = partial_transpose(rho, 3)
    assert real.dtype == np.float64
    np.testing.assert_allclose(real, real.T, rtol=0, atol=1e-15)
    values = np.linalg.eigvalsh(real)
    assert -values[values < 0].sum() == pytest.approx(dense(rho, 3), abs=1e-13)
    assert real.trace() == pytest.approx(1.0)
    uneven = partial_transpose(rho, 2)
    np.testing.assert_allclose(uneven, uneven.conj().T, rtol=0, atol=1e-15)
    assert uneven.trace() == pytest.approx(1.0)


def test_the_cheaper_form_is_taken() -> None:
    """Few atoms: the full matrix however many trajectories; many atoms: the product vectors, unless they do not fit."""
    few = negativity(random_states(12, 300))
    assert few["rank"].item() == 49
    many = [rotation(0.1 * k, 1.0, 0.0) for k in range(8)]
    assert negativity(states_dataset(60, np.ones((8, 1)), many))["rank"].item() <= 8
    # a limit that either form exceeds at once goes to the other
    random = random_states(20, 30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(negativity_module, "_by_cost", lambda *_: [refuses, negativity_module._full])
        assert negativity(random)["rank"].item() == 121


def refuses(*_: Any) -> Any:
    raise TooLarge(5.85)


def test_four_thousand_trajectories_of_forty_atoms_fit() -> None:
    """With its default limit of memory, where the product vectors would need 5.35 GiB; a mixture of coherent states."""
    turned = [rotation(phi, 1.0, 0.0) for phi in np.linspace(0, 6, 4000)]
    found = negativity(states_dataset(40, np.ones((4000, 1)), turned), batches=2)
    assert found["rank"].item() == 441
    assert found.negativity_uncorrected.item() == pytest.approx(0.0, abs=1e-12)  # of a separable state


@pytest.mark.parametrize("n_atoms", [2, 3, 100, 1001])
def test_coherent_states_are_not_entangled(n_atoms: int) -> None:
    frames = [rotation(0.1, 1.0, 0.0)] * 2
    found = negativity(states_dataset(n_atoms, np.ones((2, 1)), frames))
    assert found.negativity.item() == pytest.approx(0.0, abs=1e-10)


@pytest.mark.parametrize(("n_atoms", "split"), [(2, None), (9, 2), (200, None), (1000, None), (501, 100)])
def test_cats_and_their_mixture(n_atoms: int, split: int | None) -> None:
    """(|N,0> + |0,N>)/√2 has 1/2, however split; the mixture of the two has nothing."""
    cat = np.zeros((2, n_atoms + 1))
    cat[:, [0, -1]] = math.sqrt(0.5)
    frame = rotation(0.4, 1.0, 0.0)
    found = negativity(states_dataset(n_atoms, cat, [frame, frame]), split=split)
    assert found.negativity.item() == pytest.approx(0.5, abs=1e-9)
    assert found.log_negativity.item() == pytest.approx(1.0, abs=1e-9)
    mixed = states_dataset(n_atoms, np.ones((2, 1)), [frame, frame * [[1], [-1], [-1]]])
    assert negativity(mixed, split=split).negativity_uncorrected.item() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("n_atoms", "n", "split"), [(4, 1, None), (10, 5, None), (10, 5, 3), (200, 40, None)])
def test_dicke_states(n_atoms: int, n: int, split: int | None) -> None:
    """Pure: ((Σσ)² − 1)/2, with the hypergeometric Schmidt coefficients (degenerate ones among them)."""
    psi = np.zeros((2, n + 1))
    psi[:, n] = 1.0
    found = negativity(states_dataset(n_atoms, psi, [rotation(0.3, 2.0, 1.0)] * 2), split=split, neglect=1e-9)
    half = split or n_atoms // 2
    sigma = [
        math.sqrt(math.comb(half, k) * math.comb(n_atoms - half, n - k) / math.comb(n_atoms, n))
        for k in range(max(0, n - n_atoms + half), min(n, half) + 1)
    ]
    assert found.negativity.item() == pytest.approx((sum(sigma) ** 2 - 1) / 2, abs=1e-4)


def test_one_axis_twisting_agrees_with_the_definition() -> None:
    """A pure state of 40 atoms: Σσ from a singular value decomposition of its amplitudes."""
    n_atoms = 40
    m = n_atoms / 2 - np.arange(n_atoms + 1)
    psi = od.SpinCoherent(math.pi / 2).dicke_amplitudes(n_atoms) * np.exp(-0.1j * m**2)
    k = np.add.outer(np.arange(21), np.arange(21))
    comb = np.vectorize(lambda n, k: float(math.comb(n, k)))
    table = np.sqrt(np.multiply.outer(comb(20, np.arange(21)), comb(20, np.arange(21))) / comb(40, k))
    sigma = np.linalg.svd(table * psi[k], compute_uv=False)
    found = negativity(states_dataset(n_atoms, [psi, psi], [np.eye(3)] * 2), neglect=1e-10)
    assert found.negativity.item() == pytest.approx((sigma.sum() ** 2 - 1) / 2, abs=2e-5)


#: The default, and tolerances and a bound on the photon cutoff that are 100 and 1000 times smaller.
ACCURACIES = ({}, {"rtol": 1e-11, "atol": 1e-14, "max_top_population": 1e-11})


@pytest.mark.parametrize("n_atoms", [2, 4, 10])
def test_stored_exact_numbers(n_atoms: int) -> None:
    r"""Within the errors of both sides.

    With D = (n₁+1)(n₂+1), a change of ρ changes the negativity by ½ ‖Δρ^TA‖₁ <= ½ √D ‖Δρ‖₂ at most. The solver's error
    is what two of its answers differ by, the finer one taken; the stored numbers were found with two cutoffs, differ by
    ``max_diff_between_cutoffs`` and have 12 digits.
    """
    run = next(run for run in REFERENCE["runs"] if run["n_atoms"] == n_atoms and run["theta"] < 1)
    rows = [row for row in run["data"] if n_atoms <= 4 or row["t"] <= 2]
    times = tuple(row["t"] for row in rows)
    model, state = od.DickeModel(n_atoms=n_atoms, **REFERENCE["model"]), od.SpinCoherent(run["theta"], run["phi"])
    coarse, fine = (
        od.solve(model, state, times, od.Lindblad(keep_states=times, **options), ("Sz",), progress=False)
        for options in ACCURACIES
    )
    error = 0.5 * (n_atoms / 2 + 1) * np.linalg.norm(coarse.rho_spin.values - fine.rho_spin.values, axis=(1, 2))
    assert error.max() < 1e-5  # small enough to tell a wrong formula
    expected = np.array([row["negativity"] for row in rows])
    bound = error + run["max_diff_between_cutoffs"] + 1e-12
    assert (abs(negativity(fine).negativity.values - expected) <= bound).all()
    assert (abs(negativity(coarse).negativity.values - expected) <= 2 * bound).all()
    # what is neglected has a strict bound, for one and the same density matrix; each eigenvalue is rounded by 1e-16
    full = only("_full", coarse).negativity.values
    for neglect in (1e-4, 1e-12):
        cut = only("_spanned", coarse, neglect=neglect)
        assert (abs(cut.negativity.values - full) <= cut.neglected.values + 1e-14 * (n_atoms / 2 + 1) ** 2).all()


@pytest.mark.parametrize("neglect", [1e-2, 1e-4, 1e-6])
def test_what_is_neglected_stays_within_its_bound(neglect: float) -> None:
    random = np.random.default_rng(3)
    psi = (random.normal(size=(40, 12)) + 1j * random.normal(size=(40, 12))) * 0.6 ** np.arange(12)
    psi /= np.linalg.norm(psi, axis=1)[:, None]
    dataset = states_dataset(60, psi, [rotation(*random.uniform(0, 1.5, 3)) for _ in range(40)])
    full, cut = only("_spanned", dataset, neglect=1e-13), only("_spanned", dataset, neglect=neglect)
    gap = (full.negativity_uncorrected - cut.negativity_uncorrected).item()
    assert full.neglected.item() < 2e-6
    assert abs(gap) <= cut.neglected.item() + full.neglected.item()
    assert cut["rank"].item() < full["rank"].item()


def test_trajectories_agree_with_the_master_equation() -> None:
    """52 random cases, N = 2 … 12, 96 trajectories; 95 % intervals from Student's t with 7 degrees of freedom.

    If 95 % is exact, less than 90 % are inside for 5 % of all sets of seeds. All inside is no alarm: where the state
    is hardly entangled the errors come out too large.
    """
    pairs, wrong = [], []
    for seed in range(60):
        case = random_case(seed)
        if seed % 8 == 0:
            continue  # one atom
        exact = negativity(case.exact)
        pairs.append((negativity(case.sampled), exact))
        # mutation: every state turned by a right angle about its own axis
        quarter = case.sampled.psi_frame.values[:, :, [1, 0, 2]] * np.array([[1], [-1], [1]])
        turned = negativity(case.sampled.assign(psi_frame=case.sampled.psi_frame.copy(data=quarter)))
        wrong.append((turned, exact))
    for name in ("negativity", "log_negativity"):
        assert covered(pairs, name) >= 0.90
        assert covered(wrong, name) < 0.90


def test_bias_is_removed_and_the_value_bracketed() -> None:
    """Mean deviations over 52 cases of 4 × 24 trajectories; a method without bias exceeds 3.7 for 2 in 10⁴ seeds."""
    gaps: dict[str, list[float]] = {"negativity": [], "negativity_uncorrected": [], "negativity_lower": []}
    for seed in range(60):
        case = random_case(seed)
        if seed % 8 == 0:
            continue
        exact = negativity(case.exact).negativity.item()
        found = [negativity(part(case.sampled, first, 4)) for first in range(4)]
        for name, values in gaps.items():
            values.append(float(np.mean([one[name].item() for one in found])) - exact)
    assert abs(mean_z(gaps["negativity"])) < 3.7
    assert mean_z(gaps["negativity_uncorrected"]) > 5
    assert mean_z(gaps["negativity_lower"]) < -5


def test_refusals() -> None:
    with pytest.raises(ValueError, match="split"):
        negativity(random_states(4, 3), split=4)
    with pytest.raises(ValueError, match="two atoms"):
        negativity(random_states(1, 3))
    with pytest.raises(ValueError, match=r"max_memory: expected at least 0.00109 GiB, got 0.001.*fewer trajectories"):
        negativity(random_states(20, 30), max_memory=0.001)
    with pytest.raises(ValueError, match="max_memory: expected a number > 0"):
        negativity(random_states(4, 3), max_memory=-1.0)
    with pytest.raises(TypeError, match="memory_limit"):
        negativity(random_states(4, 3), memory_limit=2**30)
