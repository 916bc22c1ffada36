"""The eliminated cavity against the full master equation, QuTiP, and what is known in closed form.

The error must fall with the power of 1/w that the order promises, when w grows and the couplings stay. Wrong versions
(the field lags the other way, the start of an empty cavity is forgotten) fall more slowly, and are rejected.
"""

from typing import Any

import numpy as np
import pytest
import qutip
import xarray as xr
from scipy.linalg import expm

import opendicke as od
from opendicke.analysis import spin_state, steady_state
from opendicke.master import slaved
from opendicke.master.slaved import Slaved

TIMES = np.array([1.2, 1.6])
GROUPS = {"spins": ("Sx", "Sy", "Sz", "Sx_Sy"), "field": ("a", "Sx_a", "Sy_a"), "photons": ("n_photon", "a2")}
ALL = [key for keys in GROUPS.values() for key in keys]
TILTED = od.SpinCoherent(np.pi / 4, 2.5)
#: κ = ω_c; fields have settled by then, e^(−9.6). What comes next changes a power measured by up to 0.3.
SCALES = (8.0, 16.0)


def one(scale: float) -> od.DickeModel:
    """Complex unbalanced couplings, both drives; all that is taken."""
    rates = {"omega_a": 1.0, "g_minus": 1.1, "g_plus": 0.6j, "drive": 0.4 + 0.2j, "atom_drive": 0.2j}
    return od.DickeModel(n_atoms=2, omega_c=scale, kappa=scale, **rates)


def two(scale: float) -> od.System:
    """Two atoms apart and two modes, all couplings different."""
    spins = [od.Spin(n_atoms=1, omega_a=0.7), od.Spin(n_atoms=1, omega_a=-1.0, atom_drive=0.2)]
    modes = [od.Mode(omega_c=scale, kappa=scale), od.Mode(omega_c=-0.5 * scale, kappa=1.2 * scale, drive=0.3)]
    return od.System(spins=spins, modes=modes, g_minus=[[0.8, 0.5j], [0.6, 0.7]], g_plus=[[0.4, 0.3], [0.2j, 0.6]])


MODELS = {"one": one, "two": two}


@pytest.fixture(scope="module")
def exact() -> dict[tuple[str, float], xr.Dataset]:
    method = od.Lindblad(photons=4, max_top_population=1e-7)
    return {
        (name, scale): od.solve(model(scale), TILTED, TIMES, method, ALL, progress=False)
        for name, model in MODELS.items()
        for scale in SCALES
    }


def powers(exact: Any, name: str, order: int) -> dict[str, float]:
    """By which power of 1/w the error of each group falls, all its variables and times together."""
    errors = []
    for scale in SCALES:
        found = od.solve(MODELS[name](scale), TILTED, TIMES, od.Eliminated(order=order), ALL, progress=False)
        away = {key: float(abs(found[key] - exact[name, scale][key]).max()) for key in ALL}
        errors.append({group: np.linalg.norm([away[key] for key in keys]) for group, keys in GROUPS.items()})
    return {group: float(np.log2(errors[0][group] / errors[1][group])) for group in GROUPS}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("order", [1, 2])
def test_errors_fall_as_the_order_says(exact: Any, name: str, order: int) -> None:
    """Spins by 1/w^(order+1), and the field, which falls by itself, too; its square by one more."""
    found = powers(exact, name, order)
    expected = {"spins": order + 1, "field": order + 1, "photons": order + 2}
    for group, power in found.items():
        assert abs(power - expected[group]) < 0.4, (group, power)


@pytest.mark.parametrize("wrong", ["lags the other way", "starts anyhow", "lags half"])
def test_wrong_second_orders_are_rejected(exact: Any, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    field = Slaved.field
    if wrong == "starts anyhow":
        monkeypatch.setattr(Slaved, "start", lambda self, rho: rho)
    else:
        factor = -1.0 if wrong == "lags the other way" else 0.5

        def changed(self: Slaved, n: tuple[int, ...]) -> Any:
            leading = self._made(n, 1)
            return leading + factor * (field(self, n) - leading)

        monkeypatch.setattr(Slaved, "field", changed)
    assert powers(exact, "one", 2)["spins"] < 2.4


def test_first_order_agrees_with_qutip() -> None:
    """H_s − ω_c/|w|² Λ†Λ and √(2κ)/|w| Λ, written out."""
    model = od.DickeModel(n_atoms=3, omega_a=1.0, omega_c=2.0, kappa=1.0, g_minus=0.8, g_plus=0.3 + 0.2j, drive=0.3)
    minus, z = qutip.jmat(1.5, "-"), qutip.jmat(1.5, "z")
    coupling = (model.g_minus * minus + model.g_plus * minus.dag()) / np.sqrt(3) + model.drive
    hamiltonian = z - 2.0 / 5.0 * coupling.dag() * coupling
    jump, start = np.sqrt(2 / 5.0) * coupling, qutip.spin_coherent(1.5, TILTED.theta, TILTED.phi)
    options = {"rtol": 1e-10, "atol": 1e-12}
    asked = [z, -1j * coupling / (1 + 2j)]
    answer = qutip.mesolve(hamiltonian, start, [0.0, 1.0, 4.0], [jump], e_ops=asked, options=options)
    found = od.solve(model, TILTED, [0.0, 1.0, 4.0], od.Eliminated(order=1), ["Sz", "a"])
    np.testing.assert_allclose(found.Sz, answer.expect[0], rtol=0, atol=1e-7)
    np.testing.assert_allclose(found.a, answer.expect[1], rtol=0, atol=1e-7)
    assert found.attrs["min_eigenvalue"] > -1e-9


def test_an_atom_that_does_not_turn() -> None:
    """Dephasing of one atom at ω_a = 0 is known exactly, e^(−Γ) with Γ = G² Re[t/w − (1 − e^(−wt))/w²]."""
    model = od.DickeModel.balanced(n_atoms=1, omega_a=0.0, omega_c=3.0, kappa=2.0, coupling=0.5)
    w, times = 2 + 3j, np.array([5.0, 9.0])
    first, second = (od.solve(model, od.Inverted(), times, od.Eliminated(order=order)) for order in (1, 2))
    np.testing.assert_allclose(first.Sz, 0.5 * np.exp(-0.25 * times * (1 / w).real), rtol=0, atol=1e-8)
    exact = 0.5 * np.exp(-0.25 * (times / w - (1 - np.exp(-w * times)) / w**2).real)
    # the start is expanded in (G/w)²: the next term is its square over 2
    np.testing.assert_allclose(second.Sz, exact, rtol=0, atol=0.5 * (0.25 / abs(w) ** 2) ** 2 + 1e-8)
    assert abs(first.Sz - exact).min() > 1e-3


def test_collective_decay() -> None:
    """A bad cavity in resonance: an atom decays at γ, many as the rate equations say."""
    model = od.DickeModel.bad_cavity(n_atoms=3, gamma=0.1, kappa=1.0)
    times = np.array([1.0, 4.0, 10.0])
    found = od.solve(model, od.Inverted(), times, od.Eliminated(order=1), ["Sz", "n_photon"])
    n = np.arange(4)
    rates = 0.1 * (3 - n) * (n + 1)
    rates[-1] = 0.0
    flow = np.diag(-rates) + np.diag(rates[:-1], -1)
    populations = np.array([expm(time * flow)[:, 0] for time in times]).T
    np.testing.assert_allclose(found.Sz, (1.5 - n) @ populations, rtol=0, atol=1e-7)
    # photons leave at 2κ as excitations go
    np.testing.assert_allclose(2 * found.n_photon, rates @ populations, rtol=0, atol=1e-7)


def test_only_the_second_order_finds_the_steady_state() -> None:
    """Without the lag nothing cools the atoms: they end with all states filled alike."""
    model = od.DickeModel.balanced(n_atoms=2, omega_a=1.0, omega_c=6.0, kappa=3.0, coupling=2.0)
    exact = steady_state(model).Sz.item()
    first, second = (
        od.solve(model, od.Normal(), [200.0], od.Eliminated(order=order), ["Sz"]).Sz.item() for order in (1, 2)
    )
    assert exact < -0.3
    assert abs(first) < 1e-6
    assert abs(second - exact) < 0.05


def test_what_is_reported() -> None:
    """The lag, what is left out, and that ρ may have negative eigenvalues: in second order only."""
    model = od.DickeModel(n_atoms=2, omega_a=1.0, omega_c=6.0, kappa=8.0, g_minus=3.0, g_plus=1.0, atom_drive=0.5)
    first, second = (od.solve(model, TILTED, [0.0, 1.0], od.Eliminated(order=order)).attrs for order in (1, 2))
    assert first["lag"] == second["lag"] == pytest.approx(np.sqrt(2) / 10)
    assert first["neglected"] == pytest.approx(np.sqrt(2) / 10)
    assert second["neglected"] == pytest.approx((9 - 1) / 100)
    assert slaved.neglected(model.replace(g_plus=3.0).system, 2)[1] == pytest.approx(np.sqrt(2) / 10 * 0.36)
    assert first["settles_in"] == 1 / 8
    assert second["min_eigenvalue"] < -1e-3
    assert first["min_eigenvalue"] > -1e-9
    limits = od.Eliminated().limits(model)
    assert limits.possible
    assert not limits.exact


def test_words_and_states() -> None:
    model = one(20.0)
    method = od.Eliminated(keep_states=(3.0,))
    exact = od.solve(model, TILTED, [3.0], od.Lindblad(keep_states=(3.0,)), ["Sx Sz a† a", "a† a a"])
    found = od.solve(model, TILTED, [3.0], method, ["Sx Sz a† a", "a† a a"])
    for name in ("Sx_Sz_adag_a", "adag_a_a"):
        assert abs(found[name] - exact[name]).item() < 0.02 * abs(exact[name]).item()
    states = [spin_state(answer, 3.0).dense() for answer in (found, exact)]
    assert 1e-6 < np.abs(states[0] - states[1]).max() < 1e-3


@pytest.mark.parametrize(
    ("changes", "start", "message"),
    [
        ({"kappa": 0.0}, TILTED, "^kappa: expected a number > 0"),
        ({"omega_a": od.Ramp((0.0, 1.0), (0.0, 1.0))}, TILTED, "^omega_a: expected a constant"),
        ({"n_thermal": 0.1}, TILTED, "^n_thermal: expected 0"),
        ({}, od.Normal(alpha=1.0), "^state: expected an empty cavity"),
        ({}, od.Normal(cavity=od.cavities.Fock(1)), "^state: expected an empty cavity"),
        ({"n_atoms": 5000}, TILTED, "^n_atoms: expected fewer atoms.*NuHOPS"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], start: Any, message: str) -> None:
    model = one(5.0).replace(**changes)
    with pytest.raises(ValueError, match=message):
        od.solve(model, start, [1.0], od.Eliminated())
    assert od.Eliminated().limits(model).possible == (not changes)


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match=r"^order"):
        od.Eliminated(order=3)
    with pytest.raises(ValueError, match=r"^keep_states"):
        od.solve(two(5.0), TILTED, [1.0], od.Eliminated(keep_states=(1.0,)))


MODES = [od.Mode(omega_c=6.0, kappa=8.0), od.Mode(omega_c=0.0, kappa=20.0)]


def test_every_mode_counts() -> None:
    weak = [[0.1, 0.1]]
    system = od.System(spins=[od.Spin(n_atoms=1, omega_a=1.0)], modes=MODES, g_minus=weak, g_plus=weak)
    assert od.solve(system, od.Normal(), [0.5], od.Eliminated()).attrs["settles_in"] == 1 / 8
    with pytest.raises(ValueError, match=r"^state: expected an empty cavity"):
        od.solve(system, od.Product(spins=(od.Normal(),), modes=(0.0, 1.0)), [0.5], od.Eliminated())


def test_what_is_neglected_of_several_spins_is_that_of_the_largest_part() -> None:
    spins = [od.Spin(n_atoms=n, omega_a=1.0) for n in (9, 1)]
    system = od.System(spins=spins, modes=MODES, g_minus=[[2.0, 0.0], [0.0, 1.0]], g_plus=[[0.0, 0.0], [0.0, 0.0]])
    assert slaved.neglected(system, 2)[1] == pytest.approx(0.036)
