"""The master equation of models that move in time, are driven or thermal.

Wrong formulas that were put in by hand, and which test rejects each:

- thermal photons on one side only (2κn̄ D[a†] left out, or 2κ n̄ left out of the loss): every seed of
  ``test_every_variable_agrees_with_qutip``, ``test_thermal_light_fills_the_cavity``;
- the sign of the drive, of its imaginary part, and of the atoms' drive: the same seeds,
  ``test_a_driven_cavity_is_coherent``, ``test_driven_atoms_turn``;
- a rate that jumps, taken at the end of the integrator's step with the value it has after the jump:
  ``test_a_step_is_met_at_its_time``;
- an integrator that is not stopped at the jump: ``test_the_integrator_stops_at_kinks``;
- steps as long as the integrator likes: ``test_no_oscillation_is_stepped_over``.
"""

import itertools
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import qutip
from scipy.integrate import DOP853

import opendicke as od
from opendicke import signals
from opendicke.methods import lindblad
from opendicke.methods.driven_liouvillian import DrivenGenerator, longest_step
from opendicke.methods.integration import Watch
from opendicke.problem import Problem

#: Of the integrator, relative, and of the highest photon number.
RTOL, TOP = 1e-10, 1e-10
EXACT = od.Lindblad(rtol=RTOL, atol=1e-13, max_top_population=TOP)
TIMES = np.array([0.0, 0.3, 0.8, 1.7])
EVERYDAY = od.DickeModel(n_atoms=3, omega_a=1.0, omega_c=1.2, kappa=0.7, g_minus=0.9, g_plus=0.5)
LOOSE = EVERYDAY.replace(g_minus=0.0, g_plus=0.0)


def random_case(seed: int) -> tuple[od.DickeModel, od.SpinCoherent]:
    """Everything moves, each in one of three ways; every third drive and bath stays as it is."""
    random = np.random.default_rng(seed)

    def moving(low: float, high: float, kind: int, factor: complex = 1.0) -> Any:
        first, second = random.uniform(low, high, 2)
        if kind == 0:  # within low and high
            mean, amplitude = 0.5 * (first + second), 0.5 * abs(first - second)
            return od.Sine(factor * mean, factor * amplitude, random.uniform(1.0, 6.0), random.uniform(0.0, 6.0))
        if kind == 1:  # with a step, at the same time as others
            return od.Ramp((0.2, 1.0, 1.0, 1.5), (factor * first, factor * second, factor * first, factor * second))
        if kind == 2:
            values = factor * (first + (second - first) * np.linspace(0.0, 1.0, 6) ** 2)
            return od.Samples(tuple(np.linspace(0.1, 1.6, 6)), tuple(values))
        return factor * first

    model = od.DickeModel(
        n_atoms=1 + seed % 4,
        omega_a=moving(-1.5, 1.5, seed % 3),
        omega_c=moving(-1.5, 1.5, (seed + 1) % 3),
        kappa=moving(0.3, 0.8, (seed + 2) % 3),
        g_minus=moving(-0.8, 0.8, (seed // 2) % 3),
        g_plus=moving(-0.8, 0.8, (seed // 2 + 1) % 3),
        n_thermal=moving(0.05, 0.25, seed % 4),
        drive=moving(-0.6, 0.6, (seed + 1) % 4, np.exp(1j * seed)),
        atom_drive=moving(-0.6, 0.6, (seed + 2) % 4, np.exp(2j * seed)),
    )
    theta, phi = random.uniform(0, np.pi), random.uniform(0, 2 * np.pi)
    return model, od.SpinCoherent(theta, phi, alpha=complex(*random.uniform(-0.4, 0.4, 2)))


def terms(n_atoms: int, photons: int) -> dict[str, Any]:
    """S^x, S^y, S^z, S⁺ and a for QuTiP."""
    j, levels = n_atoms / 2, photons + 1
    spin = {axis: qutip.tensor(qutip.jmat(j, axis), qutip.qeye(levels)) for axis in "xyz+"}
    return spin | {"a": qutip.tensor(qutip.qeye(n_atoms + 1), qutip.destroy(levels))}


def equation(model: od.DickeModel, photons: int, begin: float, end: float) -> tuple[Any, list[Any]]:
    """H and the jump operators between two times, written out from the docstring of the model."""
    of = terms(model.n_atoms, photons)
    a, raising = of["a"], of["+"]
    lower, rise = raising.dag() * a.dag(), raising * a.dag()
    first, last = np.nextafter(begin, end), np.nextafter(end, begin)

    def at(name: str, function: Callable[[complex], complex] = lambda value: value) -> Callable[[float], complex]:
        return lambda t: complex(function(complex(signals.evaluate(getattr(model, name), min(max(t, first), last)))))

    kappa, photons_at = at("kappa"), at("n_thermal")
    hamiltonian = [
        [of["z"], at("omega_a")],
        [a.dag() * a, at("omega_c")],
        [(lower + lower.dag()) / math.sqrt(model.n_atoms), at("g_minus")],
        [(rise + rise.dag()) / math.sqrt(model.n_atoms), at("g_plus")],
        [a.dag(), at("drive")],
        [a, at("drive", np.conj)],
        [raising, at("atom_drive")],
        [raising.dag(), at("atom_drive", np.conj)],
    ]
    jumps = [
        qutip.QobjEvo([a, lambda t: np.sqrt(2 * kappa(t) * (photons_at(t) + 1))]),
        qutip.QobjEvo([a.dag(), lambda t: np.sqrt(2 * kappa(t) * photons_at(t))]),
    ]
    return qutip.QobjEvo(hamiltonian), jumps


def catalogue(n_atoms: int, photons: int) -> dict[str, Any]:
    """The operator of every variable."""
    of = terms(n_atoms, photons)
    a = of["a"]
    operators = {"a": a, "n_photon": a.dag() * a, "a2": a * a, "n_photon2": a.dag() ** 2 * a**2}
    for axis in "xyz":
        s = of[axis]
        operators |= {f"S{axis}": s, f"S{axis}2": s * s, f"S{axis}_a": s * a}
        operators |= {f"S{axis}_S{other}": s * of[other] for other in "xyz" if other != axis}
    return operators


def qutip_states(model: od.DickeModel, state: od.SpinCoherent, times: np.ndarray, photons: int) -> list[Any]:
    """ρ at ``times``, from QuTiP, started anew at every kink."""
    cavity = qutip.coherent(photons + 1, state.alpha, method="analytic").unit()
    rho = qutip.ket2dm(qutip.tensor(qutip.spin_coherent(model.n_atoms / 2, state.theta, state.phi), cavity))
    kinks = signals.kinks((getattr(model, name) for name in model.moving), times[-1])
    options = {"rtol": 1e-10, "atol": 1e-13, "nsteps": 100_000, "max_step": 0.05, "method": "vern9"}
    found = [rho] if times[0] == 0 else []
    for begin, end in itertools.pairwise((0.0, *kinks, times[-1])):
        wanted = times[(times > begin) & (times <= end)]
        asked = np.unique([begin, *wanted, end])
        hamiltonian, jumps = equation(model, photons, begin, end)
        answer = qutip.mesolve(hamiltonian, rho, asked, jumps, options=options)
        found += [answer.states[int(np.searchsorted(asked, time))] for time in wanted]
        rho = answer.states[-1]
    return found



def bound(operator: Any, model: od.DickeModel, photons: int, stop: float) -> float:
    """How far integrator and cutoff may be off: ‖O‖ times (rtol a step + what the top level holds and passes on).

    The Liouvillian's width W makes about W steps a unit of time, and moves at most W times the top population.
    """
    turns = 1 + stop * lindblad._width(model, photons)
    return float(np.linalg.norm(operator.full(), 2)) * turns * (RTOL + TOP)


@pytest.mark.parametrize("seed", range(8))
def test_every_variable_agrees_with_qutip(seed: int) -> None:
    model, state = random_case(seed)
    result = od.solve(model, state, TIMES, EXACT, progress=False)
    photons = result.attrs["photons"] + 3
    states, operators = qutip_states(model, state, TIMES, photons), catalogue(model.n_atoms, photons)
    assert set(result.data_vars) == set(operators)
    for name, operator in operators.items():
        expected = [qutip.expect(operator, rho) for rho in states]
        atol = bound(operator, model, photons, TIMES[-1])
        assert atol < 5e-3 * max(1.0, abs(np.array(expected)).max())
        np.testing.assert_allclose(result[name], expected, rtol=0, atol=atol, err_msg=name)
