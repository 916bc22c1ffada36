"""Observables of one's own: how they are written, and their means against QuTiP."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.engine.gram import Plan
from opendicke.qutip_bridge import Space
from opendicke.words import Word

qutip = pytest.importorskip("qutip")

MODEL = od.DickeModel(
    n_atoms=2,
    omega_a=1.0,
    omega_c=1.4,
    kappa=0.5,
    g_minus=0.7 * np.exp(0.8j),
    g_plus=0.4 * np.exp(-1.9j),
    n_thermal=0.1,
    squeezing=0.1j,
    drive=od.Sine(0.3, 0.2, 2.0),
    atom_drive=0.2j,
)
STATE = od.SpinCoherent(1.0, 0.4, alpha=0.4)
TIMES = [0.0, 0.5, 1.0]
WORDS = [
    od.word("Sx Sx a† a"),
    od.word("S+ S- Sz a† a† a"),
    od.word("a† a† a† a a a"),
    od.word("Sx Sy Sz", symmetrised=True),
    od.word("Sx Sy Sz"),
    od.word("S+ a†"),
    od.word("Sz Sz Sz Sz"),
]
PHOTONS = 14
#: The largest of 16 numbers that are standard normal passes 4.5 once in 9000 runs.
WORST = 4.5


def matrix(word: Word, model: od.DickeModel = MODEL, photons: int = PHOTONS) -> Any:
    """The operator in QuTiP."""
    space, orders = Space(model.system, photons), list(word.orders())
    return sum(space.operator(Word(order, word.modes)) for order in orders) / len(orders)


@pytest.fixture(scope="module")
def exact() -> dict[str, Any]:
    hamiltonian, jumps = MODEL.to_qutip(PHOTONS)
    spin = qutip.Qobj(STATE.dicke_amplitudes(MODEL.n_atoms))
    start = qutip.tensor(spin, qutip.coherent(PHOTONS + 1, 0.4, method="analytic"))
    options = {"max_step": 0.1, "rtol": 1e-8, "atol": 1e-10}
    operators = [matrix(word) for word in WORDS]
    answer = qutip.mesolve(hamiltonian, start, TIMES, jumps, e_ops=operators, options=options)
    return dict(zip([word.name for word in WORDS], answer.expect, strict=True))


@pytest.fixture(scope="module")
def answer() -> xr.Dataset:
    return od.solve(MODEL, STATE, TIMES, od.NuHOPS(2000, seed=3), ["Sx", *WORDS])


def scores(answer: xr.Dataset, exact: dict[str, Any]) -> np.ndarray:
    """Deviations of the real and imaginary parts that are sampled, in standard errors."""
    found = []
    for name, values in exact.items():
        gap, error = answer[name].values - values, answer[f"{name}_sem"].values
        for part in (np.real, np.imag):
            sampled = part(error) > 1e-9
            found.append(part(gap)[sampled] / part(error)[sampled])
    return np.concatenate(found)


def test_words_agree_with_qutip(answer: xr.Dataset, exact: dict[str, Any]) -> None:
    found = scores(answer, exact)
    assert found.size >= 16
    shares = answer.batch_size / answer.batch_size.sum()
    for name in answer.word.values:  # the same trajectories, added up in another order
        again = (answer.word_batch_means.sel(word=name, drop=True) * shares).sum("batch")
        np.testing.assert_allclose(again, answer[name], rtol=0, atol=1e-12 * float(abs(answer[name]).max()))
    assert np.abs(found).max() < WORST
    for name, values in exact.items():
        np.testing.assert_allclose(answer[name].values[0], values[0], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("wrong", ["order", "conjugate", "field"])
def test_wrong_words_are_seen(answer: xr.Dataset, exact: dict[str, Any], wrong: str) -> None:
    changed = {
        "order": {"Sx_Sy_Sz": exact["sym_Sx_Sy_Sz"]},
        "conjugate": {"Sp_adag": np.conj(exact["Sp_adag"])},
        "field": {"Sx_Sx_adag_a": 0 * exact["Sx_Sx_adag_a"]},
    }
    assert np.abs(scores(answer, changed[wrong])).max() > 6


def test_the_master_equation_answers_words(exact: dict[str, Any]) -> None:
    answer = od.solve(MODEL, STATE, TIMES, od.Lindblad(photons=PHOTONS, max_top_population=1e-2), WORDS)
    for name, values in exact.items():
        np.testing.assert_allclose(answer[name], values, rtol=0, atol=1e-5, err_msg=name)


def test_truncated_wigner_orders_words() -> None:
    """Coherent and thermal states, whose words are known, from samples of the start; and wrong orders are seen."""
    model = MODEL.replace(n_atoms=20, drive=0.0)
    state = od.SpinCoherent(0.7, 0.4, cavity=od.cavities.Thermal(0.5, alpha=0.8))
    words = [od.word(text) for text in ("a† a† a† a a a", "a† a† a", "S+ S-", "S- S+ a†", "Sx Sz a")]
    answer = od.solve(model, state, [0.0], od.TruncatedWigner(3000, seed=5, sampling="exact"), words)
    exact = od.solve(model.replace(kappa=1.0), state, [0.0], od.Lindblad(max_top_population=1e-7), words)
    found = scores(answer, {word.name: exact[word.name].values for word in words})
    assert found.size >= 7
    assert np.abs(found).max() < 4.5  # once in 20 000 runs
    swapped = {"Sp_Sm": exact.Sp_Sm.values - 2 * 10 * np.cos(0.7)}  # S- S+
    assert np.abs(scores(answer, swapped)).max() > 6
    classical = {"adag_adag_adag_a_a_a": exact.adag_adag_adag_a_a_a.values + 1.5 * exact.adag_adag_a.values.real}
    assert np.abs(scores(answer, classical)).max() > 6
    with pytest.raises(ValueError, match=r"^observables: expected at most two factors of a spin"):
        od.solve(model, state, [0.0], od.TruncatedWigner(1), ["Sx Sx Sx"])


def test_mean_field_multiplies_means() -> None:
    state = od.SpinCoherent(0.7, 0.4, alpha=0.5j)
    answer = od.solve(MODEL, state, [0.0, 1.0], od.MeanField(), ["Sx", "Sy", "a", "S+ a† a", "Sx Sy a"])
    raised = answer.Sx + 1j * answer.Sy
    np.testing.assert_allclose(answer.Sp_adag_a, raised * abs(answer.a) ** 2, rtol=0, atol=1e-12)
    np.testing.assert_allclose(answer.Sx_Sy_a, answer.Sx * answer.Sy * answer.a, rtol=0, atol=1e-12)


def test_words_of_several_parts() -> None:
    """The same question to three methods about two spins and two modes, at the start."""
    spins = [od.Spin(n_atoms=2, omega_a=1.0), od.Spin(n_atoms=1, omega_a=0.7)]
    modes = [od.Mode(omega_c=1.0, kappa=0.5), od.Mode(omega_c=2.0, kappa=0.3)]
    system = od.System(spins=spins, modes=modes, g_minus=[[0.2, 0.1], [0.3, 0.2]])
    state = od.Product(spins=(od.SpinCoherent(0.5, 0.2), od.SpinCoherent(1.5)), modes=(0.3j, 0.4))
    words = [od.word(text) for text in ("Sx1 Sx2", "a†1 a2", "Sz1 a†2 a2", "S+1 S-2 a1")]
    exact = od.solve(system, state, [0.0, 0.5], od.Lindblad(), words)
    means = od.solve(system, state, [0.0, 0.5], od.MeanField(), words)
    sampled = od.solve(system, state, [0.0, 0.5], od.TruncatedWigner(4000, seed=2), words)
    for word in words:
        assert exact[word.name].dims == ("time",)
        np.testing.assert_allclose(means[word.name][0], exact[word.name][0], rtol=0, atol=1e-9)
    found = scores(sampled.isel(time=[0]), {word.name: exact[word.name].values[:1] for word in words})
    assert np.abs(found).max() < 4.5


def test_what_is_asked_beside_changes_nothing(answer: xr.Dataset) -> None:
    """Breaking a trajectory at every time for its words moves no number of it."""
    alone = od.solve(MODEL, STATE, TIMES, od.NuHOPS(32, seed=3, keep_states=(1.0,)), ["Sx", "Sz_a"])
    both = od.solve(MODEL, STATE, TIMES, od.NuHOPS(32, seed=3, keep_states=(1.0,)), ["Sx", "Sz_a", *WORDS])
    for name in ("Sx", "Sz_a", "psi", "psi_frame"):
        np.testing.assert_array_equal(alone[name].values, both[name].values)


def test_variables_are_words_too() -> None:
    """The catalogue's moments, by both ways: their arithmetic differs by rounding, relative to the largest."""
    model, state = MODEL.replace(n_atoms=200, drive=3.0), od.SpinCoherent(0.8, 2.0)
    same = {"n_photon2": "a† a† a a", "Sz_a": "Sz a", "Sx_Sy": "Sx Sy", "a2": "a a", "Sz": "Sz"}
    words = [Word(one.spins, one.modes, one.symmetrised, numbered=True) for one in map(od.word, same.values())]
    answer = od.solve(model, state, [1.0], od.NuHOPS(4, seed=1), [*same, *words])
    for name, one in zip(same, words, strict=True):
        scale = abs(answer[name].item())
        np.testing.assert_allclose(answer[one.name].item(), answer[name].item(), rtol=0, atol=1e-10 * scale + 1e-9)


def test_a_plan_shares_its_vectors() -> None:
    plan = Plan.of([od.word("Sx Sx a† a"), od.word("Sx Sx"), od.word("Sx a† a")])
    assert plan.levels == 2
    assert len(plan.vectors) == 4  # ψ, φ¹, S_x φ¹, S_x ψ


def test_words_are_stored_and_read(tmp_path: Path) -> None:
    method = od.NuHOPS(8, seed=3)
    first = od.solve(MODEL, STATE, TIMES, method, ["Sx", "Sx Sx a† a"], store=tmp_path)
    again = od.solve(MODEL, STATE, TIMES, od.NuHOPS(12, seed=3), ["Sx", "Sx Sx a† a"], store=tmp_path)
    whole = od.solve(MODEL, STATE, TIMES, od.NuHOPS(12, seed=3), ["Sx", "Sx Sx a† a"])
    xr.testing.assert_equal(again.Sx_Sx_adag_a, whole.Sx_Sx_adag_a)
    assert (first.Sx_Sx_adag_a != again.Sx_Sx_adag_a).any()
    od.solve(MODEL, STATE, TIMES, method, ["Sx"], store=tmp_path)  # another study: nothing is missing in it
    assert len(list(tmp_path.iterdir())) == 2
    low, high = od.analysis.interval(whole, "Sx_Sx_adag_a")
    assert (high.real > low.real)[1:].all()
    assert whole.word_batch_means.sizes == {"batch": 12, "time": 3, "word": 1}


def test_names_and_refusals() -> None:
    assert od.word("a2 S-1 a1†") == od.word("S-1 adag1 a2")
    assert od.word("Sx2 Sx1").name == "Sx1_Sx2"
    for text in ("a a†", "Sq", "", "Sx1 a", "Sx Sx Sx Sx Sx Sx Sx", "a††", None, 3):
        with pytest.raises((ValueError, TypeError), match=r"^text: expected"):
            od.word(text)  # type: ignore[arg-type]
    for word, reason in (
        ("a a†", "expected a† left of a"),
        ("Sx2 a", "numbers at all factors"),
        ("Sx² a", "got 'Sx²'"),
    ):
        with pytest.raises(ValueError, match=rf"^observables: .* As a word: .*{reason}"):
            od.solve(MODEL, STATE, [1.0], od.NuHOPS(1), [word])
    solve = {"model": MODEL, "state": STATE, "times": [1.0], "method": od.NuHOPS(1)}
    with pytest.raises(ValueError, match=r"^observables: expected words of 1 spin, got 'Sx1_Sx2'"):
        od.solve(**solve, observables=["Sx1 Sx2"])
    with pytest.raises(ValueError, match=r"^observables: expected names of variables, or words"):
        od.solve(**solve, observables=["Sxx"])
    with pytest.raises(ValueError, match=r"^observables: expected names of variables for Cumulants"):
        od.solve(**solve | {"method": od.Cumulants()}, observables=["Sx Sx Sx"])
    with pytest.raises(ValueError, match=r"As a word: text: expected a† left of a"):
        od.solve(**solve, observables=["a a†"])
    for text in ("Sx2", "a2"):  # of the second spin or mode; a variable is called so too
        with pytest.raises(ValueError, match=r"^observables: expected words not called as a variable is"):
            od.solve(**solve, observables=[od.word(text)])
    assert od.solve(**solve, observables=["Sx2"]).Sx2.definition == "<S^x S^x>"
    assert od.solve(**solve, observables=[od.word("Sx Sy"), "Sx Sz Sx"]).Sx_Sy.dims == ("time",)


def test_words_of_several_spins_say_which() -> None:
    spins = [od.Spin(n_atoms=1, omega_a=1.0), od.Spin(n_atoms=2, omega_a=1.0)]
    system = od.System(spins=spins, modes=[od.Mode(omega_c=1.0, kappa=1.0)], g_minus=[[0.5], [0.5]])

    def solve(*words: Any) -> xr.Dataset:
        return od.solve(system, od.Normal(), [0.0], od.Lindblad(), words)

    assert solve("a† a† a").adag_adag_a.dims == ("time",)  # there is one mode only
    with pytest.raises(ValueError, match=r"^observables: expected words with a number .* got 'Sz_a_a'"):
        solve("Sz a a")
    # the name of <S^x> of the second spin is that of <S^x S^x>
    with pytest.raises(ValueError, match=r"^observables: expected words not called as a variable"):
        solve(od.word("Sz2"))
    np.testing.assert_allclose(solve("Sz2").Sz2.values, [[0.25, 1.0]], rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match=r"^observables: .* more than once: Sx1_Sx2\."):
        solve("Sx1 Sx2", "Sx2 Sx1")
