"""Cumulant expansion against exact operators, the master equation, stored numbers and the limit of large N.

The comparisons are deterministic. Each is repeated with a mutated derivation (``MUTATIONS``), which must fail.
"""

import json
import warnings
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.methods import cumulant_algebra, cumulants, lindblad
from opendicke.methods.cumulants import Cumulants, UnphysicalWarning
from opendicke.observables.catalogue import CHANNELS
from opendicke.problem import Problem
from opendicke.progress import Silent

REFERENCE = json.loads((Path(__file__).parent / "data" / "exact.json").read_text())
FIG1 = od.DickeModel(n_atoms=500, **REFERENCE["model"])
TILTED = od.SpinCoherent(np.pi / 4, np.pi)
GENERIC = od.DickeModel(n_atoms=3, omega_a=1.0, omega_c=1.3, kappa=0.7, g_minus=0.9, g_plus=0.5)
DISPLACED = od.SpinCoherent(theta=1.1, phi=0.7, alpha=0.3 + 0.2j)
BELOW = od.DickeModel(n_atoms=100, omega_a=1.0, omega_c=1.3, kappa=0.7, g_minus=0.6, g_plus=0.3)
CLOSURES = ("atoms", "collective")


def solve(model: od.DickeModel, state: od.SpinCoherent, times: Any, method: Cumulants) -> xr.Dataset:
    """``od.solve`` where being unphysical is not the point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnphysicalWarning)
        return od.solve(model, state, times, method)


def correlation(result: xr.Dataset) -> np.ndarray:
    return (result.Sx_a - result.Sx * result.a).values


# --- mutations ---------------------------------------------------------------------------------------------------


def rotate_backwards(patch: pytest.MonkeyPatch) -> None:
    """[S^x, S^y] = -i S^z."""
    reverse = {pair: (image, -sign) for pair, (image, sign) in cumulant_algebra._ROTATES_TO.items()}
    patch.setattr(cumulant_algebra, "_ROTATES_TO", reverse)


def couple_to_self(patch: pytest.MonkeyPatch) -> None:
    """N instead of N - 1 other atoms (closure "atoms"), twice the anticommutator (closure "collective")."""
    exact_atoms, exact_collective = cumulants.atoms, cumulants.collective
    patch.setattr(cumulants, "atoms", lambda n_atoms: exact_atoms(n_atoms + 1))
    patch.setattr(cumulants, "collective", lambda k, w: {key: 2 * x for key, x in exact_collective(k, w).items()})


def lose_at_half_the_rate(patch: pytest.MonkeyPatch) -> None:
    """Photon number decaying at kappa."""
    exact = cumulants.cumulant_equations
    patch.setattr(
        cumulants, "cumulant_equations", lambda m, model, rule: exact(m, model.replace(kappa=model.kappa / 2), rule)
    )


def swap_couplings(patch: pytest.MonkeyPatch) -> None:
    """g_- and g_+ exchanged: the sign of the S^y coupling."""
    exact = cumulants.cumulant_equations

    def swapped(order: int, model: od.DickeModel, rule: Any) -> Any:
        return exact(order, model.replace(g_minus=model.g_plus, g_plus=model.g_minus), rule)

    patch.setattr(cumulants, "cumulant_equations", swapped)


MUTATIONS = [rotate_backwards, couple_to_self, lose_at_half_the_rate, swap_couplings]


# --- the derivation: time derivatives at t = 0, where nothing is neglected ---------------------------------------


def exact_derivatives(model: od.DickeModel, state: od.SpinCoherent, levels: int = 25) -> np.ndarray:
    """d/dt of every channel at t = 0, from matrices on all 2^N atomic levels times ``levels`` photon numbers."""
    n = model.n_atoms
    pauli = {"x": [[0, 1], [1, 0]], "y": [[0, -1j], [1j, 0]], "z": [[1, 0], [0, -1]]}

    def spin(axis: str) -> np.ndarray:
        ones = [np.kron(np.kron(np.eye(2**k), pauli[axis]), np.eye(2 ** (n - 1 - k))) for k in range(n)]
        return np.kron(sum(ones) / 2, np.eye(levels))

    s = {axis: spin(axis) for axis in "xyz"}
    a = np.kron(np.eye(2**n), np.diag(np.sqrt(np.arange(1.0, levels)), 1))
    lower, up = s["x"] - 1j * s["y"], a.conj().T
    half = (model.g_minus * lower + model.g_plus * lower.conj().T) @ up / np.sqrt(n)
    hamiltonian = model.omega_a * s["z"] + model.omega_c * up @ a + half + half.conj().T
    atom = np.array([np.cos(state.theta / 2), np.exp(1j * state.phi) * np.sin(state.theta / 2)])
    factorials = np.cumprod(np.maximum(np.arange(levels), 1.0))
    cavity = state.alpha ** np.arange(levels) / np.sqrt(factorials) * np.exp(-(abs(state.alpha) ** 2) / 2)
    psi = reduce(np.kron, [atom] * n + [cavity])
    rho = np.outer(psi, psi.conj())
    change = -1j * (hamiltonian @ rho - rho @ hamiltonian)
    change += model.kappa * (2 * a @ rho @ up - up @ a @ rho - rho @ up @ a)
    operators = {f"S{k}": m for k, m in s.items()}
    operators |= {f"S{k + m}": (s[k] @ s[m] + s[m] @ s[k]) / 2 for k, m in ("xx", "yy", "zz", "xy", "yz", "zx")}
    operators |= {"n_photon": up @ a, "n_photon2": up @ up @ a @ a}
    for name, operator in {"a": a, "a2": a @ a, **{f"S{k}_a": m @ a for k, m in s.items()}}.items():
        operators |= {f"re_{name}": operator, f"im_{name}": -1j * operator}
    return np.array([np.trace(operators[channel] @ change).real for channel in CHANNELS])


def expansion_derivatives(model: od.DickeModel, state: od.SpinCoherent, method: Cumulants) -> np.ndarray:
    """d/dt of every channel at t = 0, from the generated equations.

    Channels are polynomials of fourth degree in the cumulants, for which the five-point formula is exact.
    """
    equations = cumulants.Equations.of(model, method.order, method.closure)
    start = cumulants.initial_cumulants(state, model.n_atoms, equations.variables, method.closure)
    rates = equations.rates(start)
    steps = np.array([-2, -1, 1, 2])
    around = equations.channels(start[:, None] + steps * rates[:, None])
    derivatives: np.ndarray = np.array([1, -8, 8, -1]) @ around / 12
    return derivatives


@pytest.mark.parametrize("n_atoms", [2, 3])
@pytest.mark.parametrize("method", [Cumulants(), Cumulants(closure="collective"), Cumulants(order=3)])
def test_derivatives_at_the_start_are_exact(method: Cumulants, n_atoms: int) -> None:
    """Third cumulants with a cavity operator vanish in a product state, so truncation costs nothing there."""
    model = GENERIC.replace(n_atoms=n_atoms)
    expected = exact_derivatives(model, DISPLACED)
    np.testing.assert_allclose(expansion_derivatives(model, DISPLACED, method), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("closure", CLOSURES)
@pytest.mark.parametrize("mutate", MUTATIONS)
def test_mutated_derivatives_differ(
    mutate: Callable[[pytest.MonkeyPatch], None], closure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = exact_derivatives(GENERIC, DISPLACED)
    mutate(monkeypatch)
    assert np.abs(expansion_derivatives(GENERIC, DISPLACED, Cumulants(closure=closure)) - expected).max() > 0.01


# --- against the master equation ---------------------------------------------------------------------------------


def short_time_exponents(method: Cumulants) -> np.ndarray:
    """Power of t with which the error of <S^y> and <a^dag a> starts."""
    times = [0.1, 0.2]
    exact = od.solve(GENERIC, DISPLACED, times, od.Lindblad(rtol=1e-12, atol=1e-14))
    found = solve(GENERIC, DISPLACED, times, method)
    errors = np.array([abs(found[name] - exact[name]).values for name in ("Sy", "n_photon")])
    exponents: np.ndarray = np.log2(errors[:, 1] / errors[:, 0])
    return exponents


@pytest.mark.parametrize(("order", "closure"), [(1, "atoms"), (2, "atoms"), (2, "collective"), (3, "atoms")])
def test_error_of_means_starts_as_time_to_twice_the_order(order: int, closure: Any) -> None:
    """An m-th cumulant of a product state grows as t^(m-1); the first one left out reaches the means as t^(2 order)."""
    exponents = short_time_exponents(Cumulants(order, closure, rtol=1e-12, atol=1e-14))
    np.testing.assert_allclose(exponents, 2 * order, rtol=0, atol=0.25)


@pytest.mark.parametrize("closure", CLOSURES)
@pytest.mark.parametrize("mutate", MUTATIONS)
def test_mutated_error_of_means_starts_earlier(
    mutate: Callable[[pytest.MonkeyPatch], None], closure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    assert short_time_exponents(Cumulants(2, closure, rtol=1e-12, atol=1e-14)).min() < 3.5


def weak_coupling_powers(method: Cumulants) -> tuple[float, float]:
    """Power of the coupling in the largest error of the second moments, and in that of n_photon2 (N = 4)."""
    times, errors = np.linspace(0.0, 5.0, 11), []
    for coupling in (0.05, 0.1):
        model = GENERIC.replace(n_atoms=4, g_minus=coupling, g_plus=coupling / 2)
        exact = od.solve(model, od.Normal(), times, od.Lindblad(rtol=1e-11, atol=1e-14, max_top_population=1e-12))
        found = solve(model, od.Normal(), times, method)
        error = {name: float(abs(found[name] - exact[name]).max()) for name in od.VARIABLES}
        errors.append((max(error[name] for name in error if name != "n_photon2"), error["n_photon2"]))
    second, fourth = np.log2(np.array(errors[1]) / errors[0])
    return float(second), float(fourth)


@pytest.mark.parametrize(("order", "closure", "power"), [(2, "atoms", 4), (2, "collective", 2), (3, "atoms", 6)])
def test_weak_coupling_error_has_the_power_of_what_is_neglected(order: int, closure: Any, power: int) -> None:
    """The collective spin has third cumulants (of order N) even in a product state, so that closure errs first.

    n_photon2 lacks the fourth cumulant of a, a, a^dag, a^dag, of fourth power, in all of them.
    """
    second, fourth = weak_coupling_powers(Cumulants(order, closure, rtol=1e-12, atol=1e-15))
    assert second == pytest.approx(power, abs=0.3)
    assert fourth == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_mutated_weak_coupling_error_is_of_lower_power(
    mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    second, _ = weak_coupling_powers(Cumulants())
    assert second < 3


@pytest.mark.parametrize("closure", CLOSURES)
def test_correlation_above_threshold_before_it_breaks_down(closure: Any) -> None:
    """Fig. 1 parameters, t = 1: the relative error of <S^x a> - <S^x><a> falls as 1/N (stored exact numbers)."""
    sizes, errors = [], []
    for run in sorted(REFERENCE["runs"], key=lambda run: run["n_atoms"]):
        if run["theta"] < 1 and run["n_atoms"] >= 4:
            row = run["data"][0]
            exact = row["Re_Caf"] + 1j * row["Im_Caf"]
            found = correlation(solve(FIG1.replace(n_atoms=run["n_atoms"]), TILTED, [row["t"]], Cumulants(2, closure)))
            sizes.append(run["n_atoms"])
            errors.append(abs(found[0] - exact) / abs(exact))
    assert sizes == [4, 10, 20]
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert slope == pytest.approx(-1, abs=0.15)
    assert max(np.multiply(sizes, errors)) < 1.2


# --- the limit of large N ----------------------------------------------------------------------------------------


def gaussian_limit(model: od.DickeModel) -> np.ndarray:
    """<a^dag a>, <b^dag b>, Re<b^2>, Im<b^2> of the normal state for N -> infinity; b = S^-/sqrt(N)."""
    wa, wc, k, gm, gp = model.omega_a, model.omega_c, model.kappa, model.g_minus, model.g_plus
    delta, sigma, r = gm**2 - gp**2, gm**2 + gp**2, wc**2 + k**2
    big_k = r + wa**2
    a0 = wa**2 * r - 2 * wa * wc * sigma + delta**2
    h = delta * big_k + 2 * wa * wc * sigma
    excited = big_k * delta**2 + 2 * wa * wc * gp**2 * (delta - r) + 2 * wa**2 * wc * sigma * (2 * wc - wa)
    excited += wa**2 * r * (k**2 + (wc - wa) ** 2)
    squeezed = r * delta * (delta - wa**2) + wa * wc * sigma * (delta - r)
    return np.array(
        [
            2 * gm**2 * gp**2 * wa**2 * (delta + r),
            gp**2 * excited,
            -gm * gp * squeezed,
            gm * gp * k * wa * delta * (delta + r),
        ]
    ) / (a0 * h)


def deviations_from_limit(closure: Any) -> tuple[np.ndarray, np.ndarray]:
    """N, and the deviations from the Gaussian limit, shape (sizes, 4)."""
    sizes = np.array([100, 200, 400, 800])
    rows = []
    for n in sizes:
        end = solve(BELOW.replace(n_atoms=int(n)), od.Normal(), [80.0], Cumulants(2, closure)).isel(time=0)
        b2 = complex(end.Sx2 - end.Sy2 - 1j * (end.Sx_Sy + end.Sy_Sx)) / n
        rows.append([float(end.n_photon), float(end.Sz) + n / 2, b2.real, b2.imag])
    return sizes, np.array(rows) - gaussian_limit(BELOW)


@pytest.mark.parametrize("closure", CLOSURES)
def test_normal_state_tends_to_its_gaussian_limit_as_one_over_n(closure: Any) -> None:
    sizes, deviations = deviations_from_limit(closure)
    assert np.abs(deviations[-1]).max() < 0.002
    slopes = np.polyfit(np.log(sizes), np.log(np.abs(deviations)), 1)[0]
    np.testing.assert_allclose(slopes, -1, rtol=0, atol=0.05)


@pytest.mark.parametrize("closure", CLOSURES)
@pytest.mark.parametrize("mutate", [lose_at_half_the_rate, swap_couplings])
def test_mutated_limit_is_missed(
    mutate: Callable[[pytest.MonkeyPatch], None], closure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    sizes, deviations = deviations_from_limit(closure)
    assert np.abs(deviations[-1]).max() > 0.01
    assert np.polyfit(np.log(sizes), np.log(np.abs(deviations)), 1)[0].max() > -0.5


def test_first_order_is_the_mean_field() -> None:
    times = np.linspace(0.0, 10.0, 11)
    result = od.solve(FIG1, TILTED, times, Cumulants(order=1))
    mean_field = od.solve(FIG1, TILTED, times, od.MeanField())
    for name in ("Sx", "Sy", "Sz", "a"):
        np.testing.assert_allclose(result[name], mean_field[name], rtol=0, atol=1e-4, err_msg=name)
    assert result.attrs["unphysical_from"] == np.inf


# --- what is conserved, and what is said when the expansion breaks down ------------------------------------------


@pytest.mark.parametrize("closure", CLOSURES)
def test_length_of_the_collective_spin_is_conserved(closure: Any) -> None:
    result = solve(FIG1, TILTED, np.linspace(0.0, 20.0, 21), Cumulants(2, closure))
    np.testing.assert_allclose(result.Sx2 + result.Sy2 + result.Sz2, 250 * 251, rtol=1e-8)


def test_the_closures_agree_at_large_n() -> None:
    """They differ by 1/N^2 in a covariance per N, that is by 1/N of its size."""
    times = np.linspace(0.0, 10.0, 41)
    differences = []
    for n_atoms in (500, 1000):
        found = [correlation(solve(FIG1.replace(n_atoms=n_atoms), TILTED, times, Cumulants(2, c))) for c in CLOSURES]
        differences.append(np.abs(found[0] - found[1]).max() / np.abs(found[0]).max())
    assert differences[0] < 0.05
    assert differences[0] / differences[1] == pytest.approx(2, abs=0.5)


def test_physical_states_have_no_negative_eigenvalue() -> None:
    """Exact states, mixed by the loss; at t = 0 the state is pure and the smallest eigenvalue is 0."""
    model, times = GENERIC, np.array([0.0, 2.0, 6.0])
    rows, _, _ = od.Lindblad()._collect(Problem(model, DISPLACED, times), lindblad.channels_of, Silent())
    lowest = cumulants.covariance_min_eigenvalue(np.array(rows), model.n_atoms)
    assert lowest[0] == pytest.approx(0, abs=1e-6)
    assert lowest[1:].min() > 1e-3


@pytest.mark.parametrize(("channel", "change"), [("n_photon", -0.1), ("Sxx", -0.3), ("Szz", -0.3), ("re_Sx_a", 2.0)])
def test_a_spoilt_moment_is_found(channel: str, change: float) -> None:
    model, times = GENERIC, np.array([0.0])
    rows, _, _ = od.Lindblad()._collect(Problem(model, DISPLACED, times), lindblad.channels_of, Silent())
    rows[0][CHANNELS.index(channel)] += change
    assert cumulants.covariance_min_eigenvalue(np.array(rows), model.n_atoms)[0] < -0.01


def test_unphysical_moments_are_reported() -> None:
    model = FIG1.replace(n_atoms=100)
    with pytest.warns(UnphysicalWarning, match=r"unphysical from t = .*covariance matrix"):
        result = od.solve(model, TILTED, np.linspace(0.0, 10.0, 101), Cumulants())
    since = result.attrs["unphysical_from"]
    bad = result.covariance_min_eigenvalue < -1e-3
    assert since == float(result.time[bad.values.argmax()])
    assert 3 < since < 6
    assert result.attrs["integrated_until"] == 10.0
    assert np.isfinite(result.Sx).all()


def test_divergence_keeps_what_was_computed() -> None:
    """Third order from the normal state above threshold runs away; the times before it stay, the rest is NaN."""
    model, method = FIG1.replace(n_atoms=100), Cumulants(order=3)
    with pytest.warns(UnphysicalWarning, match=r"diverged.*integrated until t = 5 of 8"):
        result = od.solve(model, od.Normal(), np.arange(9.0), method)
    assert result.attrs["integrated_until"] == 5.0
    assert result.attrs["integration_message"].startswith("Stopped at t = 5.")
    np.testing.assert_array_equal(np.isfinite(result.n_photon), np.arange(9) <= 5)
    early = solve(model, od.Normal(), np.arange(3.0), method)
    np.testing.assert_allclose(result.n_photon[:3], early.n_photon, rtol=1e-6)


def test_divergence_before_the_first_time() -> None:
    with pytest.warns(UnphysicalWarning, match="integrated until t = 0 of 8"):
        result = od.solve(FIG1.replace(n_atoms=100), od.Normal(), [8.0], Cumulants(order=3))
    assert np.isnan(result.n_photon).all()


@pytest.mark.parametrize("closure", CLOSURES)
def test_only_the_start(closure: Any) -> None:
    """The initial moments themselves, against the exact ones."""
    result = od.solve(GENERIC, DISPLACED, [0.0], Cumulants(2, closure))
    exact = od.solve(GENERIC, DISPLACED, [0.0], od.Lindblad())
    for name in od.VARIABLES:
        np.testing.assert_allclose(result[name], exact[name], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"closure": "spins"}, "closure: expected 'atoms' or 'collective'"),
        ({"order": 4}, r"order: expected one of \(1, 2, 3\)"),
        ({"order": 3, "closure": "collective"}, r"order: expected one of \(2,\)"),
        ({"rtol": 0.0}, "rtol"),
        ({"atol": -1.0}, "atol"),
    ],
)
def test_options_are_checked(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Cumulants(**options)


def test_longer_collective_products_are_refused() -> None:
    with pytest.raises(ValueError, match="spins: expected one letter at most, got 'xy'"):
        cumulant_algebra.collective("x", "xy")
