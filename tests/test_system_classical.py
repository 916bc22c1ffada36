"""Mean field and truncated Wigner of several spins and modes, against commutators, exact formulas and nuHOPS.

What is sampled is compared in standard errors; a bound says how often a correct method fails, and mistakes pass it.
"""

import copy
import functools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import solve_ivp

import opendicke as od
from opendicke import signals
from opendicke.cavities import Cat, Fock, Squeezed, Thermal
from opendicke.engine.wigner import VacuumNoise
from opendicke.methods import truncated_wigner
from opendicke.methods.truncated_wigner import FieldPaths

#: Largest |z| allowed among at most 80 real numbers: a correct method fails with probability 80 × 7e-6 = 5e-4.
LARGEST_Z = 4.5


def random_system(spins: int, modes: int, seed: int) -> od.System:
    """Everything on: complex couplings that move with their phase, drives, thermal and squeezed light."""
    rng = np.random.default_rng(seed)

    def real() -> od.Sine:
        return od.Sine(rng.normal(), 0.5 * rng.normal(), rng.uniform(1.0, 3.0), rng.uniform(0, 6))

    def complex_() -> complex:
        return complex(*rng.normal(size=2))

    def coupling() -> Any:
        return od.Ramp((0.0, 1.1, 1.1, 2.0), tuple(complex_() for _ in range(4)))

    return od.System(
        spins=[od.Spin(n_atoms=int(rng.integers(1, 4)), omega_a=real(), atom_drive=complex_()) for _ in range(spins)],
        modes=[
            od.Mode(
                omega_c=real(), kappa=0.6, drive=od.Sine(complex_(), complex_(), 2.0), n_thermal=0.3, squeezing=0.5j
            )
            for _ in range(modes)
        ],
        g_minus=[[coupling() for _ in range(modes)] for _ in range(spins)],
        g_plus=[[complex_() for _ in range(modes)] for _ in range(spins)],
        n_ref=3.5,
    )


def random_state(spins: int, modes: int, seed: int) -> od.Product:
    rng = np.random.default_rng(seed)
    angles = rng.uniform(0.3, 2.8, (spins, 2))
    return od.Product(
        [od.SpinCoherent(*pair) for pair in angles], rng.normal(size=(modes, 2)).dot([0.3, 0.3j]).tolist()
    )


SHAPES = [(1, 1), (2, 1), (1, 2), (2, 2)]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


# Mean field


def exact_slopes(system: od.System, state: od.Product, photons: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """d<S_i>/dt, shape (spins, 3), and d<a_m>/dt at t = 0 of the master equation, by commutators."""
    qutip = pytest.importorskip("qutip")
    hamiltonian, losses = system.to_qutip(photons)
    h, *jumps = [part(0.0) if isinstance(part, qutip.QobjEvo) else part for part in (hamiltonian, *losses)]
    atoms = [spin.n_atoms for spin in system.spins]
    places = [qutip.qeye(n + 1) for n in atoms] + [qutip.qeye(photons + 1)] * len(system.modes)
    # the components of a coherent state, not its displacement by truncated operators
    fields = [qutip.coherent(photons + 1, alpha, method="analytic") for alpha in state.modes]
    spins = [qutip.Qobj(one.dicke_amplitudes(n)) for one, n in zip(state.spins, atoms, strict=True)]
    psi = qutip.tensor(*spins, *fields)

    def slope(at: int, operator: Any) -> complex:
        x = qutip.tensor(*places[:at], operator, *places[at + 1 :])
        xpsi, hpsi = x.dag() * psi, h * psi
        found = 1j * (hpsi.overlap(x * psi) - xpsi.overlap(hpsi))
        for jump in jumps:
            jpsi, gone = jump * psi, jump.dag() * (jump * psi)
            found += jpsi.overlap(x * jpsi) - (xpsi.overlap(gone) + gone.overlap(x * psi)) / 2
        return complex(found)

    of_spins = [[slope(i, qutip.jmat(n / 2, axis)).real for axis in "xyz"] for i, n in enumerate(atoms)]
    of_modes = [slope(len(atoms) + m, qutip.destroy(photons + 1)) for m in range(len(system.modes))]
    return np.array(of_spins), np.array(of_modes)


def slope_gap(system: od.System, sampled: od.System, seed: int) -> float:
    """Largest difference of the slopes at t = 0, where product states are exact; from three times 1e-4 apart.

    The parabola is off by 1e-8 times third derivatives, the integrator by 1e-10/1e-4, the Fock space by 1e-5.
    """
    state = random_state(*system.shape, seed)
    run = od.solve(sampled, state, [0.0, 1e-4, 2e-4], od.MeanField(), ["Sx", "Sy", "Sz", "a"], progress=False)
    weights = np.array([-3.0, 4.0, -1.0]) / 2e-4
    spins = np.stack([weights @ run[f"S{axis}"].values for axis in "xyz"], axis=-1)
    exact = exact_slopes(system, state)
    return max(np.abs(spins - exact[0]).max(), np.abs(weights @ run.a.values - exact[1]).max())


def conjugate(system: od.System) -> od.System:
    turned = tuple(tuple(rate.conjugate() for rate in row) for row in system.g_plus)
    return replace(system, g_plus=turned)


@shapes
def test_mean_field_starts_as_the_master_equation(shape: tuple[int, int]) -> None:
    system = random_system(*shape, seed=3)
    assert slope_gap(system, system, seed=4) < 1e-3
    for wrong in (conjugate(system), replace(system, n_ref=1.0)):
        assert slope_gap(system, wrong, seed=4) > 0.05


def reference(system: od.System, state: od.Product, times: list[float], kinks: tuple[float, ...]) -> np.ndarray:
    """<S_x>, <S_y>, <S_z> of all spins, then <a> of all modes, from equations in S⁻ and S^z: (times, components)."""
    spins, modes = system.shape
    root = math.sqrt(system.n_ref)

    def at(rate: Any, t: float) -> complex:
        return complex(signals.evaluate(rate, t))

    def flow(t: float, y: np.ndarray) -> np.ndarray:
        lower, z, a = y[:spins], y[spins : 2 * spins].real, y[2 * spins :]
        out = np.zeros_like(y)
        for m, mode in enumerate(system.modes):
            out[2 * spins + m] = -(at(mode.kappa, t) + 1j * at(mode.omega_c, t)) * a[m] - 1j * at(mode.drive, t)
        for i, spin in enumerate(system.spins):
            raises = at(spin.atom_drive, t)  # what stands at S⁺
            for m in range(modes):
                minus, plus = at(system.g_minus[i][m], t) / root, at(system.g_plus[i][m], t) / root
                raises += minus.conjugate() * a[m] + plus * a[m].conjugate()
                out[2 * spins + m] -= 1j * (minus * lower[i] + plus * lower[i].conjugate())
            # i[S⁺c + S⁻c*, S⁻] = 2i c S^z, i[ω S^z, S⁻] = −iω S⁻, i[S⁺c + S⁻c*, S^z] = −i(S⁺c − S⁻c*)
            out[i] = 2j * raises * z[i] - 1j * at(spin.omega_a, t) * lower[i]
            out[spins + i] = 2 * (lower[i].conjugate() * raises).imag
        return out

    start = np.array(
        [n.n_atoms / 2 * (s.direction[0] - 1j * s.direction[1]) for n, s in zip(system.spins, state.spins, strict=True)]
        + [n.n_atoms / 2 * s.direction[2] for n, s in zip(system.spins, state.spins, strict=True)]
        + list(state.modes)
    )
    y, now, found = start, 0.0, []
    for stop in sorted({*kinks, *times} - {0.0}):
        inside = np.nextafter(stop, now)
        held = lambda t, y, inside=inside: flow(min(t, inside), y)  # noqa: E731
        y = solve_ivp(held, (now, stop), y, "DOP853", rtol=1e-10, atol=1e-11, max_step=0.2).y[:, -1]
        now = stop
        if stop in times:
            found.append(np.concatenate([y[:spins].real, -y[:spins].imag, y[spins : 2 * spins], y[2 * spins :]]))
    return np.array(found)


@shapes
def test_mean_field_solves_the_classical_equations(shape: tuple[int, int]) -> None:
    system, state, times = random_system(*shape, seed=8), random_state(*shape, seed=9), [0.5, 1.1, 2.5]
    run = od.solve(system, state, times, od.MeanField(), ["Sx", "Sy", "Sz", "a"], progress=False)
    assert (run.Sz.dims, run.a.dims) == (("time", "spin"), ("time", "mode"))
    found = np.concatenate([run[name].values for name in ("Sx", "Sy", "Sz", "a")], axis=1)
    np.testing.assert_allclose(found, reference(system, state, times, (1.1, 2.0)), rtol=0, atol=1e-7)
    assert run.attrs["spin_length_drift"] < 1e-7


# One clump as two, one mode as two, with phases of their own


ONE = od.DickeModel(
    n_atoms=100,
    omega_a=1.0,
    omega_c=1.3,
    kappa=0.8,
    g_minus=0.9,
    g_plus=od.Ramp((0.0, 1.0), (0.2, 0.6)),
    n_thermal=0.4,
    squeezing=0.3 - 0.2j,
    drive=1.5 - 0.5j,
    atom_drive=0.1j,
)
START = od.SpinCoherent(2.0, 0.5, alpha=2.0 - 3.0j)
CLUMPS, CHI, SIGMA = (60, 40), (0.7, -1.9), (0.4, 2.2)


def split(n_ref: float = 100.0, conjugate: bool = False) -> od.System:
    """ONE as two clumps and two modes: a_m = e^(iχ) a/√2 and S⁻_i = e^(iσ) S⁻, summed over modes and clumps."""

    def coupled(rate: Any, sign: int) -> list[list[Any]]:
        phases = [[np.exp(1j * (chi + sign * sigma)) / math.sqrt(2) for chi in CHI] for sigma in SIGMA]
        return [[signals.scaled(rate, one.conjugate() if conjugate else one) for one in row] for row in phases]

    return od.System(
        spins=[
            od.Spin(n_atoms=n, omega_a=1.0, atom_drive=ONE.atom_drive * np.exp(1j * sigma))
            for n, sigma in zip(CLUMPS, SIGMA, strict=True)
        ],
        modes=[
            od.Mode(omega_c=1.3, kappa=0.8, n_thermal=0.4, squeezing=ONE.squeezing * np.exp(2j * chi),
                    drive=ONE.drive * np.exp(1j * chi) / math.sqrt(2))
            for chi in CHI
        ],
        g_minus=coupled(ONE.g_minus, -1), g_plus=coupled(ONE.g_plus, 1), n_ref=n_ref,
    )  # fmt: skip


SPLIT_START = od.Product(
    [od.SpinCoherent(START.theta, START.phi - sigma) for sigma in SIGMA],
    [START.alpha * np.exp(1j * chi) / math.sqrt(2) for chi in CHI],
)


def turned_back(run: xr.Dataset) -> dict[str, np.ndarray]:
    """S⁻ and a of every clump and mode, as they would be in ONE: (..., clumps or modes)."""
    lower = (run.Sx - 1j * run.Sy).values * np.exp(-1j * np.array(SIGMA)) * 100 / np.array(CLUMPS)
    return {
        "lower": lower, "Sz": run.Sz.values * 100 / np.array(CLUMPS),
        "a": run.a.values * np.exp(-1j * np.array(CHI)) * math.sqrt(2),
    }  # fmt: skip


def test_equal_clumps_and_modes_are_one_in_mean_field() -> None:
    times = [0.0, 0.7, 2.0, 5.0]
    one = od.solve(ONE, START, times, od.MeanField(), progress=False)
    found = turned_back(od.solve(split(), SPLIT_START, times, od.MeanField(), progress=False))
    for name, wanted in {"lower": one.Sx - 1j * one.Sy, "Sz": one.Sz, "a": one.a}.items():
        np.testing.assert_allclose(found[name], np.stack([wanted.values] * 2, axis=1), rtol=0, atol=1e-6, err_msg=name)


def split_z(exact: xr.Dataset, trajectories: int = 1500, **wrong: Any) -> float:
    """The collective spin and mode of the split system, from its points, against nuHOPS of one clump and mode."""
    method = od.TruncatedWigner(trajectories, seed=5, keep_trajectories=True)
    run = od.solve(split(**wrong), SPLIT_START, exact.time.values, method, ["Sz"], progress=False)
    lower = ((run.Sx_trajectory - 1j * run.Sy_trajectory).values * np.exp(-1j * np.array(SIGMA))).sum(axis=-1)
    a = (run.a_trajectory.values * np.exp(-1j * np.array(CHI))).sum(axis=-1) / math.sqrt(2)
    z = run.Sz_trajectory.values.sum(axis=-1)
    found = {
        "Sx": lower.real, "Sy": -lower.imag, "Sz": z, "Sz2": z**2, "a": a, "a2": a**2, "n_photon": abs(a) ** 2 - 0.5,
        "Sx_a": lower.real * a, "Sx2": lower.real**2,
    }  # fmt: skip
    worst = 0.0
    for name, samples in found.items():
        gap = samples.mean(axis=0) - exact[name].values
        for part in (np.real, np.imag) if np.iscomplexobj(samples) else (np.real,):
            own = part(samples).std(axis=0) / math.sqrt(trajectories)
            error = np.hypot(own, part(exact[f"{name}_sem"].values))
            worst = max(worst, float(np.abs(part(gap) / error).max()))
    return worst


def doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mode draws the same numbers."""
    for kind in (VacuumNoise, FieldPaths):
        right = kind.sample
        monkeypatch.setattr(kind, "sample", lambda self, rng, right=right: right(self, copy.deepcopy(rng)))


def test_truncated_wigner_of_two_clumps_and_modes_is_nuhops_of_one() -> None:
    """At N = 100 and short times the approximation is off by less than a standard error. 24 numbers: 2e-4."""
    exact = od.solve(ONE, START, [0.6, 1.2], od.NuHOPS(250, seed=6), progress=False)
    assert split_z(exact) < LARGEST_Z
    assert split_z(exact, 400, n_ref=1.5**2 * 100) > 2 * LARGEST_Z
    assert split_z(exact, 400, conjugate=True) > 2 * LARGEST_Z


# One spin and one mode


def test_a_system_of_one_pair_is_the_model_it_stands_for() -> None:
    everyday = od.DickeModel(n_atoms=20, omega_a=1.0, omega_c=1.3, kappa=0.6, g_minus=1.1, g_plus=0.4)
    for model in (everyday, ONE):
        for method in (od.MeanField(), od.TruncatedWigner(3, seed=2, keep_trajectories=True)):
            one, two = (od.solve(it, START, [0.0, 1.0], method, progress=False) for it in (model, model.system))
            for name in {*od.VARIABLES, "Sx_trajectory", "a_trajectory"} & set(one):
                np.testing.assert_array_equal(one[name].values.ravel(), two[name].values.ravel())


def test_the_phases_of_one_pair_are_only_a_frame() -> None:
    plain = od.DickeModel(n_atoms=20, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=0.6, g_plus=-0.3)
    turned = plain.replace(g_minus=0.6 * np.exp(0.5j), g_plus=-0.3 * np.exp(1.1j))
    chi, sigma = 0.8, 0.3
    first = od.solve(turned, od.SpinCoherent(0.7, 0.3, alpha=1j), [3.0], od.MeanField(), progress=False)
    start = od.SpinCoherent(0.7, 0.3 + sigma, alpha=1j * np.exp(-1j * chi))
    second = od.solve(plain, start, [3.0], od.MeanField(), progress=False)
    np.testing.assert_allclose(first.a, second.a * np.exp(1j * chi), rtol=0, atol=1e-7)
    back = (second.Sx - 1j * second.Sy) * np.exp(1j * sigma)
    np.testing.assert_allclose(first.Sx - 1j * first.Sy, back, rtol=0, atol=1e-7)


# Truncated Wigner where it is exact: modes alone


def light(**changes: Any) -> od.System:
    """A mode with squeezed vacuum, and one in which everything moves; |m| > n̄, which no classical noise has."""
    r = 0.8
    vacuum: dict[str, Any] = {"n_thermal": math.sinh(r) ** 2, "squeezing": math.sinh(r) * math.cosh(r) * np.exp(1j)}
    first = od.Mode(**{"omega_c": 0.6, "kappa": 0.7, **vacuum, **changes})
    moving = od.Mode(
        omega_c=od.Sine(0.5, 0.5, 2.0), kappa=od.Sine(0.6, 0.3, 1.5), n_thermal=od.Ramp((0.0, 1.0), (0.2, 0.5)),
        drive=0.4j, squeezing=od.Sine(0.0, 0.45 - 0.1j, 1.0),
    )  # fmt: skip
    return od.System(spins=[od.Spin(n_atoms=1, omega_a=0.0)], modes=[first, moving])


LIGHT_START = od.Product([od.Normal()], [Squeezed(0.6, 0.9, alpha=0.3), Thermal(0.7, alpha=-0.4j)])
LIGHT_TIMES = [0.0, 0.6, 1.5]


def moments_of_light() -> dict[str, np.ndarray]:
    """<a>, <a²>, <a†a> by linear equations of the master equation."""
    starts = [[0.3, -np.exp(0.9j) * math.sinh(0.6) * math.cosh(0.6), math.sinh(0.6) ** 2], [-0.4j, 0, 0.7]]
    found = []
    for mode, (a, squared, photons) in zip(light().modes, starts, strict=True):

        def flow(t: float, y: np.ndarray, mode: od.Mode = mode) -> list[complex]:
            names = ("omega_c", "kappa", "n_thermal", "drive", "squeezing")
            omega_c, kappa, n, eta, m = (complex(signals.evaluate(getattr(mode, name), t)) for name in names)
            w = kappa + 1j * omega_c
            return [-w * y[0] - 1j * eta, -2 * w * y[1] + 2 * kappa * m, -2 * kappa * (y[2] - n)]

        start = np.array([a, squared, photons], dtype=complex)
        y = solve_ivp(flow, (0, 1.5), start, t_eval=LIGHT_TIMES, rtol=1e-9, atol=1e-10, max_step=0.05).y
        found.append([y[0], y[1] + y[0] ** 2, y[2].real + np.abs(y[0]) ** 2])
    values = np.moveaxis(np.array(found), 0, -1)
    return {"a": values[0], "a2": values[1], "n_photon": values[2].real}


def z_of(run: xr.Dataset, wanted: dict[str, Any]) -> float:
    worst = 0.0
    for name, value in wanted.items():
        gap, error = run[name].values - value, run[f"{name}_sem"].values
        for part in (np.real, np.imag) if np.iscomplexobj(run[name]) else (np.real,):
            worst = max(worst, float((np.abs(part(gap)) / np.maximum(part(error), 1e-9)).max()))
    return worst


def test_any_light_is_exact() -> None:
    """Thirty numbers: false alarms 2e-4."""
    wanted, method = moments_of_light(), od.TruncatedWigner(2000, seed=3)
    names = list(wanted)
    assert z_of(od.solve(light(), LIGHT_START, LIGHT_TIMES, method, names, progress=False), wanted) < LARGEST_Z
    first = light().modes[0]
    for wrong in ({"squeezing": first.squeezing.conjugate()}, {"squeezing": -first.squeezing}, {"n_thermal": 1.8}):
        run = od.solve(light(**wrong), LIGHT_START, LIGHT_TIMES, od.TruncatedWigner(1000), names, progress=False)
        assert z_of(run, wanted) > 2 * LARGEST_Z


def test_modes_have_noise_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two numbers, to 4.5 standard errors: 3e-5."""

    def correlation() -> float:
        modes = [od.Mode(omega_c=1.0, kappa=0.5), od.Mode(omega_c=1.0, kappa=0.5, n_thermal=0.5)]
        system = od.System(spins=[od.Spin(n_atoms=1, omega_a=0.0)], modes=modes)
        method = od.TruncatedWigner(800, seed=1, keep_trajectories=True)
        field = od.solve(system, od.Normal(), [0.5], method, ["a"], progress=False).a_trajectory.values[:, 0]
        products = field[:, 0] * field[:, 1].conj()
        return float(max(abs(part.mean()) / part.std() for part in (products.real, products.imag)) * math.sqrt(800))

    assert correlation() < LARGEST_Z
    doubled(monkeypatch)
    assert correlation() > 2 * LARGEST_Z


# Initial states


STATES = {
    "dicke, thermal": od.Dicke(0.5, cavity=Thermal(0.7, alpha=0.3j)),
    "thermal, squeezed": od.ThermalSpin(0.6, cavity=Squeezed(0.5, 0.8, alpha=0.4)),
    "inverted thermal": od.ThermalSpin(-0.3, alpha=0.5),
    "infinite temperature": od.ThermalSpin(0.0),
    "coherent, squeezed": od.SpinCoherent(1.0, 0.3, cavity=Squeezed(-0.7, 2.0)),
}
SMALL = od.DickeModel(n_atoms=3, omega_a=1.0, omega_c=1.3, kappa=0.5, g_minus=0.0, g_plus=0.0)


@functools.cache
def exact_start(name: str) -> xr.Dataset:
    return od.solve(SMALL, STATES[name], [0.0, 0.8], od.Lindblad(), progress=False)


def start_z(name: str) -> float:
    """All variables at the start and, without coupling, later."""
    sample = od.solve(SMALL, STATES[name], [0.0, 0.8], od.TruncatedWigner(1500, seed=4), progress=False)
    return z_of(sample, {one: exact_start(name)[one].values for one in od.VARIABLES})


@pytest.mark.parametrize("name", STATES)
def test_every_variable_is_exact_at_the_start(name: str) -> None:
    """Sixty numbers each: false alarms 4e-4."""
    assert start_z(name) < LARGEST_Z


@pytest.mark.parametrize(
    ("name", "where", "wrong"),
    [
        ("dicke, thermal", "draw_spin", lambda state, n, *_: np.array([math.sqrt(n**2 / 4 - state.m**2), 0, state.m])),
        ("thermal, squeezed", "_thermal_level", lambda x, n, rng: int(rng.integers(n + 1))),
    ],
)
def test_wrong_spins_are_seen(name: str, where: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truncated_wigner, where, wrong)
    assert start_z(name) > 2 * LARGEST_Z


@pytest.mark.parametrize("name", ["thermal, squeezed", "coherent, squeezed"])
def test_wrong_squeezing_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Squeezed, "wigner", lambda self, rng: Squeezed.draw(self, rng).alpha)  # P, if there were one
    assert start_z(name) > 2 * LARGEST_Z


@pytest.mark.parametrize("x", [1e-300, 1e30, -1e30, 0.02, -3.0])
def test_thermal_levels_have_their_weights_at_any_temperature(x: float) -> None:
    """The mean level of 101, to 4.5 standard errors: 7e-6."""
    rng = np.random.default_rng(1)
    drawn = np.array([truncated_wigner._thermal_level(x, 100, rng) for _ in range(4000)])
    levels, weights = np.arange(101), od.ThermalSpin(x).weights(100)
    mean = weights @ levels
    spread = math.sqrt(weights @ (levels - mean) ** 2)
    assert abs(drawn.mean() - mean) <= LARGEST_Z * spread / math.sqrt(4000)
    assert drawn.min() >= 0
    assert drawn.max() <= 100


def test_states_that_start_elsewhere_move_as_nuhops_says() -> None:
    """Forty atoms that fall together, and a thermal field: off by 1/N of what happens. 42 numbers: 3e-4."""
    model = od.DickeModel(n_atoms=40, omega_a=1.0, omega_c=1.3, kappa=0.8, g_minus=1.0, g_plus=0.3)
    state, names = od.ThermalSpin(-0.2, cavity=Thermal(1.0, alpha=2.0)), ["Sx", "Sy", "Sz", "Sz2", "a", "n_photon"]
    exact = od.solve(model, state, [0.5, 1.0], od.NuHOPS(60, seed=1), names, progress=False)
    run = od.solve(model, state, [0.5, 1.0], od.TruncatedWigner(600, seed=2), names, progress=False)
    for name in names:
        gap = (run[name] - exact[name]).values
        for part in (np.real, np.imag):
            error = np.hypot(part(run[f"{name}_sem"].values), part(exact[f"{name}_sem"].values))
            assert np.abs(part(gap) / np.maximum(error, 1e-9)).max() < LARGEST_Z


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (od.Normal(cavity=Fock(1)), "state: expected a coherent, Thermal or Squeezed cavity"),
        (od.Normal(cavity=Cat(1.0)), "state: expected a coherent, Thermal or Squeezed cavity"),
        (od.SpinSqueezed(1.0, 0.0, 0.1), "state: expected SpinCoherent, Dicke or ThermalSpin states"),
        (od.SpinSuperposition(((0.0, 0.0), (1.0, 0.0))), "state: expected SpinCoherent, Dicke or ThermalSpin states"),
        (od.Dicke(0.0), "m: expected one of"),
        (od.Product([od.Normal()] * 2), "state: expected states of 1 spin and 1 mode"),
    ],
)
def test_states_that_are_refused(state: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}"):
        od.solve(SMALL, state, [1.0], od.TruncatedWigner(1), progress=False)


# The house


def test_dimensions_and_kept_trajectories() -> None:
    system = random_system(2, 3, seed=1)
    method = od.TruncatedWigner(40, seed=1, keep_trajectories=True)
    run = od.solve(system, od.Normal(), [0.0, 0.3], method, progress=False)
    assert dict(run.Sz_trajectory.sizes) == {"trajectory": 40, "time": 2, "spin": 2}
    assert dict(run.a_trajectory.sizes) == {"trajectory": 40, "time": 2, "mode": 3}
    assert run.batch_means.dims == ("batch", "time", "spin", "mode", "channel")
    assert (run.Sz.dims, run.a_sem.dims, run.Sx_a.dims) == (
        ("time", "spin"),
        ("time", "mode"),
        ("time", "spin", "mode"),
    )
    np.testing.assert_allclose(run.Sz, run.Sz_trajectory.mean("trajectory"), rtol=0, atol=1e-12)
    pairs = (run.Sx_trajectory * run.a_trajectory).mean("trajectory").transpose("time", "spin", "mode")
    np.testing.assert_allclose(run.Sx_a, pairs, rtol=0, atol=1e-12)
    assert run.attrs["spin_length_drift"] < 1e-12
    few = od.solve(
        system, od.Normal(), [0.0, 0.3], od.TruncatedWigner(3, seed=1, keep_trajectories=True), progress=False
    )
    np.testing.assert_array_equal(few.a_trajectory, run.a_trajectory[:3])


def test_a_precision_holds_for_all_spins() -> None:
    spins = [od.Spin(n_atoms=4, omega_a=1.0), od.Spin(n_atoms=400, omega_a=1.0)]
    system = od.System(spins=spins, modes=[od.Mode(omega_c=1.0, kappa=1.0)], g_minus=[[0.5]] * 2)
    method = od.TruncatedWigner(4000, precision=od.Precision("Sx", absolute=0.5))
    run = od.solve(system, od.SpinCoherent(0.3), [1.0], method, ["Sx"], progress=False)
    assert run.Sx_sem.max() <= 0.5
    assert 64 < run.attrs["trajectories"] < 4000


def test_limits_take_any_system() -> None:
    system = random_system(2, 2, seed=1)
    for method in (od.MeanField(), od.TruncatedWigner(1)):
        limits = method.limits(system)
        assert limits.possible
        assert not limits.exact
        assert 0 < limits.seconds < 1
    assert "thermal" in od.MeanField().limits(system).reason
