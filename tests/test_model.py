"""The model: what it accepts, what it refuses and how, and what it says about itself."""

import inspect
import pickle
from typing import Any

import numpy as np
import pytest
import qutip

import opendicke as od

GOOD: dict[str, Any] = {
    "n_atoms": 3,
    "omega_a": 1.0,
    "omega_c": 2.5,
    "kappa": 0.5,
    "g_minus": 1.1,
    "g_plus": -0.7,
}
REALS = [name for name in GOOD if name != "n_atoms"]


@pytest.mark.parametrize("name", REALS)
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (np.nan, ValueError),
        (np.inf, ValueError),
        (-np.inf, ValueError),
        ("1.0", TypeError),
        (None, TypeError),
        (True, TypeError),
        (1.0 + 0.5j, TypeError),
        ([1.0], TypeError),
        (np.array([1.0]), TypeError),
    ],
    ids=str,
)
def test_a_parameter_that_is_no_finite_real_number_is_refused_by_name(
    name: str, value: Any, error: type[Exception]
) -> None:
    couples = name in ("g_minus", "g_plus")
    if couples and isinstance(value, complex):
        assert getattr(od.DickeModel(**GOOD | {name: value}), name) == value
        return
    kind = "(a|a finite) complex number" if couples else "a (real|finite) number"
    with pytest.raises(error, match=rf"^{name}: expected {kind}, got"):
        od.DickeModel(**GOOD | {name: value})


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-2, ValueError), (2.0, TypeError), ("2", TypeError), (True, TypeError), (np.nan, TypeError)],
)
def test_the_number_of_atoms_is_a_positive_int(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^n_atoms: expected an integer"):
        od.DickeModel(**GOOD | {"n_atoms": value})


def test_a_negative_kappa_is_refused_with_its_convention() -> None:
    with pytest.raises(ValueError, match=r"^kappa: expected a number >= 0, got -0\.1\. kappa is the field decay rate"):
        od.DickeModel(**GOOD | {"kappa": -0.1})


def test_misspelt_missing_and_positional_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="omega"):
        od.DickeModel(**GOOD, omega=1.0)
    with pytest.raises(TypeError, match="kappa"):
        od.DickeModel(**{name: value for name, value in GOOD.items() if name != "kappa"})
    with pytest.raises(TypeError):
        od.DickeModel(*GOOD.values())  # type: ignore[misc]
    with pytest.raises(TypeError, match="n_atom"):
        od.DickeModel(**GOOD).replace(n_atom=4)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("N", "The number of atoms is n_atoms"),
        ("coupling", "DickeModel.balanced"),
        ("eta", "A drive of the cavity is called drive"),
        ("n_th", "The photons of a thermal bath are n_thermal"),
        ("gamma", "Decay, dephasing and pumping of the atoms are not available"),
        ("colour", "squeezing, got 1"),
    ],
)
def test_what_newcomers_try_first(name: str, said: str) -> None:
    rates = {key: GOOD[key] for key in ("n_atoms", "omega_a", "omega_c", "kappa")}
    for call in (lambda: od.DickeModel(**GOOD | {name: 1.0}), lambda: od.DickeModel(**{name: 1.0})):
        with pytest.raises(TypeError, match=rf"^{name}: expected parameters out of .*{said}"):
            call()
    if name != "coupling":
        with pytest.raises(TypeError, match=rf"^{name}: expected parameters out of .*coupling"):
            od.DickeModel.balanced(**rates, coupling=1.0, **{name: 1.0})
        with pytest.raises(TypeError, match=rf"^{name}: expected parameters out of"):
            od.DickeModel(**GOOD).replace(**{name: 1.0})


def test_positional_arguments_are_shown_how() -> None:
    with pytest.raises(
        TypeError, match=r"^arguments: expected parameters by name, got \(10, 1\.0\)\. Write DickeModel\(n_a"
    ):
        od.DickeModel(10, 1.0)  # type: ignore[misc]
    with pytest.raises(
        TypeError, match=r"^arguments: expected parameters by name, got \(10,\)\. Write DickeModel\.balanced\("
    ):
        od.DickeModel.balanced(10)  # type: ignore[misc]


def test_functions_are_pointed_to_signals() -> None:
    with pytest.raises(TypeError, match=r"^kappa: expected a real number, got <function .* pass .*opendicke\.Ramp"):
        od.DickeModel(**GOOD | {"kappa": lambda time: time})


def test_a_coupling_keeps_the_ratio() -> None:
    rates = {name: GOOD[name] for name in ("n_atoms", "omega_a", "omega_c", "kappa")}
    for kind in (od.DickeModel.balanced, od.DickeModel.tavis_cummings):
        assert kind(**rates, coupling=0.7).replace(coupling=2.3) == kind(**rates, coupling=2.3)
    model = od.DickeModel(**rates, g_minus=3.0, g_plus=-1.0)
    assert model.replace(coupling=1.0) == od.DickeModel(**rates, g_minus=1.5, g_plus=-0.5)
    assert model.replace(coupling=0.0, kappa=2.0).kappa == 2.0
    for bad in ({"g_minus": 1.0}, {"g_plus": 1.0}):
        with pytest.raises(ValueError, match=r"^coupling: expected either coupling, or g_minus and g_plus"):
            model.replace(coupling=1.0, **bad)
    for ratio in (0.0, 1.0):
        with pytest.raises(ValueError, match=r"^coupling: expected a model with g_minus \+ g_plus != 0"):
            model.replace(g_minus=ratio, g_plus=-ratio).replace(coupling=1.0)


def test_the_constructor_is_documented_as_it_was() -> None:
    assert list(inspect.signature(od.DickeModel).parameters) == [*GOOD, "n_thermal", "drive", "atom_drive", "squeezing"]
    assert pickle.loads(pickle.dumps(od.DickeModel(**GOOD))) == od.DickeModel(**GOOD)


@pytest.mark.parametrize("change", [{"kappa": -1.0}, {"n_atoms": 0}, {"omega_c": np.nan}])
def test_a_changed_copy_is_checked_too(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        od.DickeModel(**GOOD).replace(**change)


def test_numpy_numbers_become_plain_ones() -> None:
    model = od.DickeModel(**{name: np.float32(1.5) for name in REALS}, n_atoms=np.int32(4))
    assert type(model.n_atoms) is int
    assert all(type(getattr(model, name)) is float for name in REALS)
    assert model == od.DickeModel(**dict.fromkeys(REALS, 1.5), n_atoms=4)


def test_a_model_cannot_be_changed_and_can_be_a_key() -> None:
    model = od.DickeModel(**GOOD)
    with pytest.raises(AttributeError):
        model.kappa = 1.0  # type: ignore[misc]
    assert {model: 1}[od.DickeModel(**GOOD)] == 1


def test_constructors() -> None:
    rates = {name: GOOD[name] for name in ("n_atoms", "omega_a", "omega_c", "kappa")}
    balanced = od.DickeModel.balanced(**rates, coupling=2.2)
    assert balanced == od.DickeModel(**GOOD | {"g_minus": 1.1, "g_plus": 1.1})
    assert balanced.is_balanced
    assert balanced.coupling == 2.2
    rotating = od.DickeModel.tavis_cummings(**rates, coupling=2.2)
    assert rotating == od.DickeModel(**GOOD | {"g_minus": 2.2, "g_plus": 0.0})
    assert not rotating.is_balanced
    for constructor in (od.DickeModel.balanced, od.DickeModel.tavis_cummings):
        with pytest.raises(TypeError, match=r"(coupling|g_minus): expected a real number"):
            constructor(**rates, coupling="strong")


@pytest.mark.parametrize("sign", [1, -1])
def test_critical_coupling(sign: int) -> None:
    """√(ω_a(ω_c² + κ²)/ω_c) for Fig. 1 is 1.612452; it only depends on the sign of ω_a ω_c."""
    model = od.DickeModel(**GOOD | {"omega_a": sign * 1.0, "omega_c": sign * 2.5})
    np.testing.assert_allclose(model.critical_coupling, 1.612452, rtol=0, atol=1e-6)


@pytest.mark.parametrize("change", [{"omega_a": -1.0}, {"omega_c": 0.0}, {"omega_a": 0.0}])
def test_no_threshold_without_positive_frequencies(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"omega_a, omega_c: expected omega_a \* omega_c > 0"):
        _ = od.DickeModel(**GOOD | change).critical_coupling


def test_hamiltonian_elements() -> None:
    """Matrix elements of H between product states, one for every term, against the formula."""
    model = od.DickeModel(**GOOD)
    hamiltonian, jumps = model.to_qutip(photons=4)
    assert hamiltonian.isherm
    assert hamiltonian.dims == [[4, 5], [4, 5]]

    def element(n: int, photons: int, m: int, others: int) -> complex:
        """Between |j, j−n>|photons> and |j, j−m>|others>."""
        bra, ket = (
            qutip.tensor(qutip.basis(4, spin), qutip.basis(5, fock)) for spin, fock in ((n, photons), (m, others))
        )
        return complex(bra.dag() * hamiltonian * ket)

    root = np.sqrt(3.0)
    np.testing.assert_allclose(element(0, 0, 0, 0), 1.5 * 1.0, rtol=1e-12)
    np.testing.assert_allclose(element(3, 2, 3, 2), -1.5 + 2 * 2.5, rtol=1e-12)
    # S⁻a† takes |j, j>|0> to √(2j)|j, j−1>|1>; S⁺a† takes |j, −j>|1> to √(2j)√2 |j, −j+1>|2>
    np.testing.assert_allclose(element(1, 1, 0, 0), 1.1 * root / root, rtol=1e-12)
    np.testing.assert_allclose(element(2, 2, 3, 1), -0.7 * root * np.sqrt(2) / root, rtol=1e-12)
    np.testing.assert_allclose(element(1, 0, 0, 1), -0.7, rtol=1e-12)
    assert element(1, 2, 0, 0) == 0
    np.testing.assert_allclose((jumps[0].dag() * jumps[0]).tr(), 2 * 0.5 * 4 * (1 + 2 + 3 + 4), rtol=1e-12)
    assert len(jumps) == 1


@pytest.mark.parametrize("photons", [0, 2.0, "3"])
def test_to_qutip_refuses_a_bad_cutoff(photons: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="photons: expected"):
        od.DickeModel(**GOOD).to_qutip(photons)


def test_couplings_that_cancel_up_to_rounding_have_no_ratio() -> None:
    model = od.DickeModel(n_atoms=2, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=0.1 + 0.2, g_plus=-0.3)
    with pytest.raises(ValueError, match=r"^coupling: expected a model with g_minus \+ g_plus != 0"):
        model.replace(coupling=1.0)


def test_minus_zero_is_zero() -> None:
    """It would give the same numbers another key."""
    model = od.DickeModel(n_atoms=2, omega_a=-0.0, omega_c=-0.0, kappa=1.0, g_minus=1.0, g_plus=-0.0)
    state = od.SpinCoherent(-0.0, -0.0, alpha=complex(-0.0, -0.0))
    signs = [np.copysign(1, x) for x in (model.omega_a, model.omega_c, model.g_plus, state.theta, state.alpha.imag)]
    assert signs == [1] * 5


@pytest.mark.parametrize(
    ("n_atoms", "drive", "photons", "worst"), [(1, 0.0, 0.2, 1.2), (1, 0.5j, 0.0, 0.8), (4, 0.3, 0.0, 0.35)]
)
def test_a_bad_cavity_is_collective_decay(n_atoms: int, drive: complex, photons: float, worst: float) -> None:
    """Against the equation of the spin alone: the error is what the docstring says, and half of it at twice kappa.

    (Thermal light speeds the atom up by 2 n + 1.)
    """
    qutip = pytest.importorskip("qutip")
    gamma, times = 1 / n_atoms, np.linspace(0.0, 4.0, 9)
    down, up = (qutip.jmat(n_atoms / 2, axis) for axis in "-+")
    jumps = [np.sqrt((photons + 1) * gamma) * down, np.sqrt(photons * gamma) * up]
    hamiltonian, options = drive * up + np.conj(drive) * down, {"rtol": 1e-9, "atol": 1e-11}
    inversion = [qutip.jmat(n_atoms / 2, "z")]
    start = qutip.basis(n_atoms + 1, 0)
    exact = qutip.mesolve(hamiltonian, start, times, jumps, e_ops=inversion, options=options).expect[0]
    errors = []
    for ratio in (10.0, 20.0):
        light = {"n_thermal": photons, "atom_drive": drive}
        model = od.DickeModel.bad_cavity(n_atoms=n_atoms, gamma=gamma, kappa=ratio, **light)
        method = od.Lindblad(max_top_population=1e-6, rtol=1e-7, atol=1e-9)
        answer = od.solve(model, od.Inverted(), times, method, ["Sz"])
        errors.append(float(np.abs(answer.Sz.values - exact).max()) / n_atoms)
        assert errors[-1] < worst / ratio
    assert 1.7 < errors[0] / errors[1] < 2.3
    with pytest.raises(ValueError, match=r"^kappa: expected a bad cavity: at least 2 n_atoms gamma = 2"):
        od.DickeModel.bad_cavity(n_atoms=n_atoms, gamma=gamma, kappa=1.9)
