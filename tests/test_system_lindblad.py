"""The master equation of several spins and modes, with complex couplings and squeezed light.

Both sides of a comparison with QuTiP keep the same few photons: the equations that are cut off are the same, term by
term, so nothing but the integrators' errors is between them. ``test_wrong_equations_are_rejected`` puts in wrong
formulas: squeezing of the wrong sign or phase, complex conjugates of couplings, thermal photons on one side only, modes
that change places.
"""

import functools
import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import qutip
from numpy.typing import NDArray

import opendicke as od
from opendicke import signals
from opendicke.cavities import Fock, Squeezed, Thermal
from opendicke.description import describe
from opendicke.master.driven_liouvillian import DrivenGenerator
from opendicke.methods import lindblad
from opendicke.observables.catalogue import about
from opendicke.problem import Problem
from opendicke.qutip_bridge import Space
from opendicke.states import restore_state
from opendicke.words import Word

RTOL = 1e-10
#: The slope of some rates jumps here; QuTiP is started anew.
KINK = 0.4
TIMES = np.array([0.0, 0.3, 0.7])
#: Atoms of each spin and highest photon numbers of each mode.
SIZES = {"1x1": ((3,), (5,)), "2x1": ((2, 3), (4,)), "1x2": ((2,), (3, 3)), "2x2": ((2, 1), (3, 2))}


def exact(photons: Any, **options: Any) -> od.Lindblad:
    """With these cutoffs, whatever is lost there."""
    return od.Lindblad(photons=photons, rtol=RTOL, atol=1e-13, max_top_population=0.999, **options)


def random_system(case: str) -> tuple[od.System, tuple[int, ...]]:
    """Everything is on: couplings are complex, each rate is a number, a sine or a ramp, at random."""
    atoms, photons = SIZES[case]
    random = np.random.default_rng(100 + list(SIZES).index(case))

    def rate(low: float, high: float, turn: bool = False) -> Any:
        first, second = random.uniform(low, high, 2)
        factor = np.exp(2j * np.pi * random.random()) if turn else 1.0
        match random.integers(3):
            case 0:
                return factor * first
            case 1:
                mean, swing = factor * 0.5 * (first + second), 0.5 * abs(first - second)
                return od.Sine(mean, factor * swing, random.uniform(1.0, 6.0), random.uniform(0.0, 6.0))
            case _:
                return od.Ramp((0.0, KINK, 1.0), (factor * first, factor * second, factor * first))

    spins = [od.Spin(n_atoms=n, omega_a=rate(-1.5, 1.5), atom_drive=rate(0.2, 0.6, True)) for n in atoms]
    modes = []
    for _ in photons:
        rates = {"omega_c": rate(-1.5, 1.5), "kappa": rate(0.3, 0.8), "drive": rate(0.2, 0.6, True)}
        # |m|² up to 0.3² < 0.1 · 1.1
        modes.append(od.Mode(**rates, n_thermal=rate(0.1, 0.3), squeezing=rate(0.2, 0.3, True)))
    minus, plus = ([[rate(0.3, 0.9, True) for _ in photons] for _ in atoms] for _ in range(2))
    return od.System(spins=spins, modes=modes, g_minus=minus, g_plus=plus, n_ref=2.5), photons


def product_state(atoms: tuple[int, ...], photons: tuple[int, ...]) -> tuple[od.Product, qutip.Qobj]:
    """A product of different states of spins and modes, and the same for QuTiP."""
    spins = (od.SpinCoherent(1.1, 0.6), od.ThermalSpin(0.7))[: len(atoms)]
    fields = (0.5 - 0.3j, Fock(1))[: len(photons)]
    own = [qutip.ket2dm(qutip.spin_coherent(atoms[0] / 2, 1.1, 0.6))]
    for n in atoms[1:]:
        own.append((-0.7 * qutip.jmat(n / 2, "z")).expm().unit())
    own.append(qutip.ket2dm(qutip.coherent(photons[0] + 1, fields[0], method="analytic").unit()))
    own += [qutip.ket2dm(qutip.basis(highest + 1, 1)) for highest in photons[1:]]
    return od.Product(spins, fields), qutip.tensor(own)


@functools.cache
def qutip_states(case: str) -> list[qutip.Qobj]:
    """ρ at ``TIMES`` of a random system, from the product of different states."""
    system, photons = random_system(case)
    _, start = product_state(SIZES[case][0], photons)
    hamiltonian, jumps = system.to_qutip(photons)
    options = {"rtol": RTOL, "atol": 1e-13, "nsteps": 100_000, "max_step": 0.1, "method": "vern9"}
    rho, found = start, [start]
    for begin, end in itertools.pairwise((0.0, *sorted({KINK, *TIMES[1:]}))):
        rho = qutip.mesolve(hamiltonian, rho, [begin, end], jumps, options=options).states[-1]
        found += [rho] * (end in TIMES)
    return found


def bound(system: od.System, photons: tuple[int, ...]) -> float:
    """How far elements of ρ may be apart: two integrators make about W steps a unit of time, each off by rtol."""
    return 2 * RTOL * (1 + TIMES[-1] * lindblad._width(system, photons))


def square(rho: NDArray[Any]) -> NDArray[Any]:
    """Density matrices, one for each time, as matrices."""
    size = math.isqrt(rho[0].size)
    return rho.reshape(len(rho), size, size)


def operators(system: od.System, photons: tuple[int, ...], spin: int, mode: int) -> dict[str, qutip.Qobj]:
    """The operator of every variable, of one spin and one mode."""
    levels = [one.n_atoms + 1 for one in system.spins], [highest + 1 for highest in photons]
    places = [qutip.qeye(size) for size in itertools.chain(*levels)]

    def alone(at: int, operator: qutip.Qobj) -> qutip.Qobj:
        return qutip.tensor([*places[:at], operator, *places[at + 1 :]])

    s = {axis: alone(spin, qutip.jmat(system.spins[spin].n_atoms / 2, axis)) for axis in "xyz"}
    a = alone(len(levels[0]) + mode, qutip.destroy(levels[1][mode]))
    found = {"a": a, "n_photon": a.dag() * a, "a2": a * a, "n_photon2": a.dag() ** 2 * a**2}
    for axis in "xyz":
        found |= {f"S{axis}": s[axis], f"S{axis}2": s[axis] * s[axis], f"S{axis}_a": s[axis] * a}
        found |= {f"S{axis}_S{other}": s[axis] * s[other] for other in "xyz" if other != axis}
    return found


@pytest.mark.parametrize("case", SIZES)
def test_everything_agrees_with_qutip(case: str) -> None:
    """The whole density matrix, and every variable of every spin, mode and pair."""
    system, photons = random_system(case)
    state, _ = product_state(SIZES[case][0], photons)
    states = qutip_states(case)
    expected = np.array([rho.full() for rho in states])
    atol = bound(system, photons)
    assert 1e-9 < atol < 1e-7
    found = square(exact(photons).density_matrices(Problem(system, state, TIMES)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
    result = od.solve(system, state, TIMES, exact(photons), progress=False)
    for spin, mode in np.ndindex(system.shape):
        for name, operator in operators(system, photons, spin, mode).items():
            dims = {dim: at for dim, at in {"spin": spin, "mode": mode}.items() if dim in result[name].dims}
            values = [qutip.expect(operator, rho) for rho in states]
            size = float(np.abs(operator.full()).sum(axis=0).max() * np.sqrt(len(expected[0])))
            np.testing.assert_allclose(result[name].isel(dims), values, rtol=0, atol=size * atol, err_msg=name)
    assert set(result.data_vars) == set(od.VARIABLES)
    assert result.attrs["photons"] == (photons if len(photons) > 1 else photons[0])


def test_words_within_and_across_spins_and_modes_agree_with_qutip() -> None:
    system, photons = random_system("2x2")
    state, _ = product_state(SIZES["2x2"][0], photons)
    words = [od.word(text) for text in ("Sx1 Sx2", "S+1 S-2", "a1† a2", "Sy1 Sz2 Sx1 a1† a1† a2", "Sz2 S-2 a2†")]
    words.append(od.word("Sx1 Sy1 Sz2", symmetrised=True))
    result = od.solve(system, state, TIMES, exact(photons), ["Sz", *words], progress=False)
    space, atol = Space(system, photons), bound(system, photons)
    for word in words:
        orders = list(word.orders())
        operator = sum(space.operator(Word(order, word.modes)) for order in orders) / len(orders)
        expected = [qutip.expect(operator, rho) for rho in qutip_states("2x2")]
        size = float(np.abs(operator.full()).sum())
        assert result[word.name].dims == ("time",)
        assert np.abs(expected).max() > 1e4 * size * atol
        np.testing.assert_allclose(result[word.name], expected, rtol=0, atol=size * atol, err_msg=word.name)


def wrong_rates(system: od.System, name: str) -> od.System:
    """The system with one wrong formula."""
    scaled = signals.scaled
    match name:
        case "sign of m":
            modes = [replace(mode, squeezing=scaled(mode.squeezing, -1.0)) for mode in system.modes]
            return replace(system, modes=modes)
        case "phase of m":
            modes = [replace(mode, squeezing=conjugate(mode.squeezing)) for mode in system.modes]
            return replace(system, modes=modes)
        case "modes change places":
            return replace(system, modes=system.modes[::-1])
        case _:
            return replace(system, **{name: [[conjugate(one) for one in row] for row in getattr(system, name)]})


def conjugate(rate: Any) -> Any:
    if isinstance(rate, od.Sine):
        return replace(rate, mean=np.conj(rate.mean), amplitude=np.conj(rate.amplitude))
    if isinstance(rate, od.Ramp):
        return od.Ramp(rate.times, tuple(np.conj(rate.values)))
    return np.conj(rate)


@pytest.mark.parametrize(
    "name",
    ["sign of m", "phase of m", "g_minus", "g_plus", "modes change places", "no absorption", "no squeezed pairs"],
)
def test_wrong_equations_are_rejected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is further off than the bound of the test above, by far."""
    system, photons = random_system("1x2")
    wrong = system
    if name.startswith("no "):
        call, part = DrivenGenerator._add_jumps, {"no absorption": "_up", "no squeezed pairs": "_pair"}[name]

        def without(self: DrivenGenerator, *matrices: NDArray[np.float64]) -> None:
            setattr(self, part, 0 * getattr(self, part))
            call(self, *matrices)
            self._set_rates(0.0)

        monkeypatch.setattr(DrivenGenerator, "_add_jumps", without)
    else:
        wrong = wrong_rates(system, name)
    state, _ = product_state(SIZES["1x2"][0], photons)
    expected = np.array([rho.full() for rho in qutip_states("1x2")])
    found = square(exact(photons).density_matrices(Problem(wrong, state, TIMES)))
    assert np.abs(found - expected).max() > 1e4 * bound(system, photons)


def test_squeezed_light_fills_the_cavity() -> None:
    r"""From a coherent state, without atoms.

    ⟨a⟩ = αe^(−wt), ⟨a²⟩ − ⟨a⟩² = mκ/w (1 − e^(−2wt)), ⟨a†a⟩ − |⟨a⟩|² = n̄(1 − e^(−2κt)), w = κ + iω_c;
    ⟨a†²a²⟩ by Wick's theorem.
    """
    kappa, omega, photons, m, alpha = 0.7, 0.9, 0.3, 0.4 - 0.4j, 0.4 + 0.2j
    mode = od.Mode(omega_c=omega, kappa=kappa, n_thermal=photons, squeezing=m)
    system = od.System(spins=[od.Spin(n_atoms=1, omega_a=1.0)], modes=[mode])
    method = od.Lindblad(rtol=RTOL, atol=1e-13, max_top_population=1e-10)
    result = od.solve(system, od.Normal(alpha), TIMES, method, progress=False).squeeze()
    w = kappa + 1j * omega
    mean, pairs = alpha * np.exp(-w * TIMES), -m * kappa / w * np.expm1(-2 * w * TIMES)
    extra = -photons * np.expm1(-2 * kappa * TIMES)
    np.testing.assert_allclose(result.a, mean, rtol=0, atol=1e-8)
    np.testing.assert_allclose(result.a2, mean**2 + pairs, rtol=0, atol=1e-8)
    np.testing.assert_allclose(result.n_photon, abs(mean) ** 2 + extra, rtol=0, atol=1e-8)
    wick = abs(mean) ** 4 + 4 * abs(mean) ** 2 * extra + 2 * (mean.conj() ** 2 * pairs).real
    np.testing.assert_allclose(result.n_photon2, wick + 2 * extra**2 + abs(pairs) ** 2, rtol=0, atol=1e-7)


def test_the_cutoff_holds_the_tail_of_squeezed_vacuum() -> None:
    """P(2k) of squeezed vacuum falls as tanh(r)^2k: the first guess is enough, and half of it is not."""
    r, stop = 0.5, 3.0
    bath = {"n_thermal": np.sinh(r) ** 2, "squeezing": np.sinh(r) * np.cosh(r)}
    model = od.DickeModel.balanced(n_atoms=1, omega_a=1.0, omega_c=0.0, kappa=1.0, coupling=0.0, **bath)
    result = od.solve(model, od.Normal(), [stop], od.Lindblad(), progress=False)
    photons, guess = result.attrs["photons"], math.log(1e-8) / math.log(np.tanh(r))
    assert guess < photons < guess + 8
    np.testing.assert_allclose(result.a2, -bath["squeezing"] * np.expm1(-2 * stop), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="photons: expected"):
        od.solve(model, od.Normal(), [stop], od.Lindblad(photons=photons // 2), progress=False)


def pair_of_clumps(*atoms: int) -> od.System:
    """Equal in everything but their number of atoms."""
    clumps = [od.Spin(n_atoms=n, omega_a=0.8, atom_drive=0.2j) for n in atoms]
    mode = od.Mode(omega_c=1.1, kappa=0.6, n_thermal=0.05, squeezing=0.1j)
    minus, plus = ([[g]] * len(atoms) for g in (0.5 + 0.4j, od.Sine(0.2, 0.3j, 2.0)))
    return od.System(spins=clumps, modes=[mode], g_minus=minus, g_plus=plus)


def test_equal_clumps_are_one_clump() -> None:
    state, method = od.SpinCoherent(0.9, 0.4, alpha=0.3), exact(7)
    two, one = (od.solve(pair_of_clumps(*n), state, TIMES, method, progress=False) for n in ((1, 2), (3,)))
    for name in ("Sx", "Sy", "Sz", "Sx_a", "a", "n_photon", "a2"):
        total, alone = (each[name].sum("spin") if "spin" in each[name].dims else each[name] for each in (two, one))
        np.testing.assert_allclose(total, alone, rtol=0, atol=1e-7, err_msg=name)
    assert abs(two.Sz.isel(spin=1) - 2 * two.Sz.isel(spin=0)).max() < 1e-7


def test_two_equal_modes_are_one_mode() -> None:
    """(a₁ + a₂)/√2 is coupled √2 times as strongly, and the other combination stays dark."""
    spin, mode = od.Spin(n_atoms=2, omega_a=0.8), od.Mode(omega_c=1.1, kappa=0.6)
    couplings = np.array([0.9 + 0.2j, 0.5j])
    one, two = (
        od.System(spins=[spin], modes=[mode] * count, g_minus=[[minus] * count], g_plus=[[plus] * count])
        for count, (minus, plus) in ((1, couplings), (2, couplings / np.sqrt(2)))
    )
    method = od.Lindblad(rtol=RTOL, max_top_population=1e-10)
    bright, both = (od.solve(each, od.SpinCoherent(0.7, 0.3), TIMES, method, progress=False) for each in (one, two))
    for name, factor in {"Sx": 1.0, "Sz2": 1.0, "n_photon": 0.5, "a": np.sqrt(0.5), "Sy_a": np.sqrt(0.5)}.items():
        parts = both[name].transpose("mode", ...) if "mode" in both[name].dims else [both[name]]
        for part in parts:
            np.testing.assert_allclose(
                np.asarray(part).ravel(), factor * bright[name].values.ravel(), rtol=0, atol=1e-7, err_msg=name
            )
    assert bright.n_photon.max() > 0.1


def test_a_system_of_one_pair_is_a_model() -> None:
    """With the number of atoms under the root, and with another one and couplings that make up for it."""
    everyday = od.DickeModel(n_atoms=2, omega_a=1.0, omega_c=1.2, kappa=0.7, g_minus=0.9, g_plus=0.5)
    bath = {"n_thermal": 0.1, "squeezing": 0.1j}
    for model in (everyday, everyday.replace(g_minus=0.5j, drive=od.Sine(0.2, 0.3j, 1.0), **bath)):
        state, method = od.SpinCoherent(0.4, 1.0), exact(6, keep_states=(0.3,))
        plain = od.solve(model, state, TIMES, method, progress=False)
        for factor in (1.0, 2.0):
            couplings = {name: [[factor * getattr(model, name)]] for name in ("g_minus", "g_plus")}
            system = replace(model.system, n_ref=2 * factor**2, **couplings)
            found = od.solve(system, state, TIMES, method, progress=False)
            for name, values in plain.items():
                np.testing.assert_array_equal(found[name].values.ravel(), values.values.ravel(), err_msg=name)
            assert found.attrs["photons"] == plain.attrs["photons"] == 6
            assert found.attrs["top_population"] == plain.attrs["top_population"]


def test_each_mode_has_its_own_cutoff() -> None:
    """One is driven, the other is filled by spins that its guess does not know of."""
    modes = [od.Mode(omega_c=0.0, kappa=1.0, drive=0.5), od.Mode(omega_c=0.3, kappa=1.0)]
    spin = od.Spin(n_atoms=1, omega_a=0.0)
    system = od.System(spins=[spin], modes=modes, g_minus=[[0.0, 1.2]], g_plus=[[0.0, 1.2]])
    times = [0.5, 1.5]
    result = od.solve(system, od.Normal(), times, od.Lindblad(max_top_population=1e-5), progress=False)
    photons, top = result.attrs["photons"], result.attrs["top_population"]
    first = lindblad.first_cutoffs(Problem(system, od.Normal(), np.array(times)), 1e-5)
    assert photons[0] == first[0]
    assert photons[1] > first[1]
    assert min(top) > 0
    assert max(top) < 1e-5
    np.testing.assert_allclose(result.a.isel(mode=0), -0.5j * (1 - np.exp(-result.time)), rtol=0, atol=1e-4)
    few = od.Lindblad(photons=(photons[0], 3), max_top_population=1e-5)
    with pytest.raises(ValueError, match=rf"got \({photons[0]}, 3\) .*Try photons=\(\d+, \d+\)") as refused:
        od.solve(system, od.Normal(), times, few, progress=False)
    enough = eval(str(refused.value).partition("Try photons=")[2].partition(", or")[0])
    assert enough[0] <= photons[0] + 4
    answer = od.solve(system, od.Normal(), times, replace(few, photons=enough), ["Sz", "n_photon"], progress=False)
    for name in ("Sz", "n_photon"):
        np.testing.assert_allclose(answer[name], result[name], rtol=0, atol=1e-3)


def test_entangled_spins_are_what_qutip_makes_of_them() -> None:
    state = od.EntangledSpins(
        terms=((od.SpinCoherent(0.3, 1.0), od.Dicke(0.5)), (od.Normal(), od.SpinCoherent(1.2, -0.5)),
               (od.Dicke(0), od.Inverted())),
        weights=(1.0, 0.5j, -0.7), modes=(0.3j, Thermal(0.4)),
    )  # fmt: skip
    assert restore_state(describe(state)) == state
    modes = [od.Mode(omega_c=1.0, kappa=0.5)] * 2
    system = od.System(spins=[od.Spin(n_atoms=n, omega_a=1.0) for n in (2, 3)], modes=modes)
    coherent, basis = qutip.spin_coherent, qutip.basis
    psi = qutip.tensor(coherent(1, 0.3, 1.0), basis(4, 1)) + 0.5j * qutip.tensor(basis(3, 2), coherent(1.5, 1.2, -0.5))
    psi -= 0.7 * qutip.tensor(basis(3, 1), basis(4, 0))
    expected = qutip.tensor(
        qutip.ket2dm(psi.unit()), qutip.ket2dm(qutip.coherent(5, 0.3j, method="analytic").unit()),
        qutip.Qobj(np.diag((0.4 / 1.4) ** np.arange(4))).unit(),
    )  # fmt: skip
    rho = exact((4, 3)).density_matrices(Problem(system, state, np.array([0.0])))
    np.testing.assert_allclose(square(rho)[0], expected.full(), rtol=0, atol=1e-12)


def test_the_singlet_of_two_atoms_is_dark() -> None:
    """It does not couple to the field, and the triplet radiates twice as fast as one atom."""
    up, down = od.Inverted(), od.Normal()
    system = od.System(
        spins=[od.Spin(n_atoms=1, omega_a=1.0)] * 2,
        modes=[od.Mode(omega_c=1.0, kappa=0.0)],
        g_minus=[[0.5]] * 2,
        n_ref=1,
    )
    for sign in (-1.0, 1.0):
        state = od.EntangledSpins(((up, down), (down, up)), weights=(1.0, sign))
        answer = od.solve(system, state, TIMES, exact(3), ["Sz", "n_photon"], progress=False)
        light = np.sin(0.5 * np.sqrt(2) * TIMES) ** 2 if sign > 0 else 0 * TIMES
        np.testing.assert_allclose(answer.n_photon.isel(mode=0), light, rtol=0, atol=1e-9)
        np.testing.assert_allclose(answer.Sz, np.outer(-light / 2, (1, 1)), rtol=0, atol=1e-9)


def test_states_that_do_not_fit_are_refused() -> None:
    up, down = od.Inverted(), od.Normal()
    system = pair_of_clumps(1, 2)
    entangled = od.EntangledSpins(((up, down), (down, up)))
    for state, method, message in (
        (entangled, od.MeanField(), "Lindblad|one spin"),
        (od.EntangledSpins(((up, down, up),)), od.Lindblad(), "state: expected states of 2 spins, got 3"),
        (od.EntangledSpins(((up, down),), modes=(0j, 0j)), od.Lindblad(), "state: expected states of 1 mode, got 2"),
        (od.Product((up,)), od.Lindblad(), "state: expected states of 2 spins and 1 mode"),
        (od.EntangledSpins(((up, down), (up, down)), weights=(1, -1)), od.Lindblad(), "weights: expected .* cancel"),
        (entangled, od.Lindblad(photons=(4, 4)), "photons: expected one number, or 1"),
        (entangled, od.Lindblad(keep_states=(1.0,)), "keep_states: expected no times for a system of several spins"),
    ):
        with pytest.raises(ValueError, match=message):
            od.solve(system, state, [0.0, 1.0], method, progress=False)
    for arguments, name in (
        ({"terms": ()}, "terms"),
        ({"terms": ((up, down), (up,))}, "terms"),
        ({"terms": ((up, od.ThermalSpin(0.5)),)}, r"terms\[0\]"),
        ({"terms": ((od.Normal(alpha=1.0), up),)}, r"terms\[0\]"),
        ({"terms": ((up, down),), "weights": (1.0, 2.0)}, "weights"),
        ({"terms": ((up, down),), "modes": ("vacuum",)}, "modes"),
    ):
        with pytest.raises((ValueError, TypeError), match=name):
            od.EntangledSpins(**arguments)
    with pytest.raises(ValueError, match=r"state: expected a product of states of the spins.*Lindblad"):
        od.solve(od.DickeModel.balanced(n_atoms=1, omega_a=1, omega_c=1, kappa=1, coupling=1),
                 od.EntangledSpins(((up,), (down,))), [0.0], od.MeanField(), progress=False)  # fmt: skip


def test_a_large_system_is_refused_before_anything_is_allocated() -> None:
    spins, modes = [od.Spin(n_atoms=400, omega_a=1.0)] * 3, [od.Mode(omega_c=1.0, kappa=1.0)] * 2
    system = od.System(spins=spins, modes=modes, g_minus=[[1.0] * 2] * 3)
    up = od.Inverted()
    for state in (up, od.EntangledSpins(((up,) * 3,))):
        with pytest.raises(ValueError, match=r"400 × 400 × 400 atoms with up to .* GiB of memory.*MeanField"):
            od.solve(system, state, [0.0, 1.0], od.Lindblad(), progress=False)
    assert not od.Lindblad().limits(system).possible
    fine = od.Lindblad(photons=(3, 2)).limits(random_system("2x2")[0])
    assert fine.possible
    assert fine.memory_bytes == 8 * (3 * 2 * 4 * 3) ** 2 * lindblad.WORKING_COPIES


def test_states_of_one_spin_beside_two_modes_are_kept() -> None:
    system, photons = random_system("1x2")
    state = od.Product((od.SpinCoherent(0.5),), (0.2, Squeezed(0.3)))
    problem, method = Problem(system, state, TIMES), exact(photons, keep_states=(0.7,))
    rho = method.density_matrices(problem)
    reduced = np.einsum("tnabmab->tnm", rho)
    np.testing.assert_allclose(method.spin_states(problem), reduced, rtol=0, atol=1e-14)
    kept = od.solve(system, state, TIMES, method, ["Sz"], progress=False).rho_spin
    np.testing.assert_allclose(kept, reduced[[2]], rtol=0, atol=1e-14)


def test_a_system_of_one_pair_has_the_dimensions_of_a_system() -> None:
    model = od.DickeModel(n_atoms=2, omega_a=1.0, omega_c=1.2, kappa=0.7, g_minus=0.9, g_plus=0.5)
    arguments = (od.SpinCoherent(0.4), [0.0, 1.0], od.TruncatedWigner(trajectories=2, seed=1))
    answer, plain = (od.solve(one, *arguments, progress=False) for one in (model.system, model))
    for name, dims in {"Sz": ("spin",), "a_sem": ("mode",), "Sx_a": ("spin", "mode")}.items():
        assert answer[name].dims == ("time", *dims)
        assert plain[name].dims == ("time",)
        np.testing.assert_array_equal(answer[name].values.ravel(), plain[name])
    assert about("Sx1_Sx2_a1", [od.word("Sx1 Sx2 a1")]).dims == ()
    assert answer.spin.values.tolist() == answer.mode.values.tolist() == [0]
    assert answer.batch_means.dims == ("batch", "time", "spin", "mode", "channel")
    only_spins = od.solve(model.system, *arguments[:2], od.MeanField(), ["Sz"], progress=False)
    assert set(only_spins.dims) == {"time", "spin"}
