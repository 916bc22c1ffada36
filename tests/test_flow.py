"""Where the mean field goes: against an independent integrator, eigenvalues and diverging pairs of trajectories."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from mean_field_reference import flow
from opendicke import DickeModel, Inverted, SpinCoherent
from opendicke.analysis import attractor, fixed_point, follow_mean_field, lyapunov_exponent
from opendicke.engine import mean_flow
from opendicke.engine.compile import from_python

UNIT = DickeModel(n_atoms=100, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.8, g_plus=0.782)
START = SpinCoherent(2.0, 1.0, alpha=3.0 - 1.0j)


def at(g_minus: float, g_plus: float) -> DickeModel:
    return UNIT.replace(g_minus=g_minus, g_plus=g_plus)


def parameters(model: DickeModel) -> np.ndarray:
    couplings = (model.g_minus + model.g_plus, model.g_minus - model.g_plus)
    return np.array([model.omega_a, model.omega_c, model.kappa, *couplings])


def test_derivative_and_tangent() -> None:
    rng = np.random.default_rng(41)
    model = DickeModel(n_atoms=1, omega_a=0.8, omega_c=-1.3, kappa=0.4, g_minus=1.1, g_plus=-0.6)
    for _ in range(20):
        y, d, out = rng.normal(size=5), rng.normal(size=5), np.zeros(5)
        mean_flow.velocity(parameters(model), y, out)
        np.testing.assert_allclose(out, flow(model, y), rtol=0, atol=1e-13)
        from_python(mean_flow.tangent_derivative)(parameters(model), y, d, out)
        np.testing.assert_allclose(out, (flow(model, y + d) - flow(model, y - d)) / 2, rtol=0, atol=1e-12)


def test_relax_agrees_with_another_integrator() -> None:
    model = DickeModel(n_atoms=1, omega_a=0.8, omega_c=-1.3, kappa=0.4, g_minus=1.1, g_plus=-0.6)
    m = 0.5 * np.array([START.direction, (0.6, 0.0, 0.8)])
    beta = np.array([0.3 - 0.1j, 0.0])
    found_m, found_beta = follow_mean_field(model, m, beta, 12.0)
    for index in range(2):
        start = [*m[index], beta[index].real, beta[index].imag]
        exact = solve_ivp(lambda _, y: flow(model, y), (0, 12), start, method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
        np.testing.assert_allclose(found_m[index], exact[:3], rtol=0, atol=1e-7)
        np.testing.assert_allclose(found_beta[index], exact[3] + 1j * exact[4], rtol=0, atol=1e-7)


def test_error_of_the_steps_falls_with_their_fourth_power() -> None:
    m, fine = [[0.3, 0.0, 0.4]], 0.002
    exact, _ = follow_mean_field(UNIT, m, 0.0, 5.0, step=fine)
    errors = [np.abs(follow_mean_field(UNIT, m, 0.0, 5.0, step=step)[0] - exact).max() for step in (0.04, 0.02)]
    assert 3.5 < math.log2(errors[0] / errors[1]) < 4.8


def test_lyapunov_exponents() -> None:
    """Runs of 10⁵ time units give 0.0803 ± 0.0005 at (1.1, 2.0); the other two are limit cycles."""
    exponent, sem = lyapunov_exponent(at(1.1, 2.0), START, transient=300.0, duration=5000.0)
    assert abs(exponent - 0.080) < 5 * sem
    assert sem < 0.005
    for couplings in ((1.5, 2.0), (2.0, 2.2)):
        exponent, sem = lyapunov_exponent(at(*couplings), START, transient=1500.0, duration=3000.0)
        assert abs(exponent) < 1e-3
    # On a fixed point: the slowest rate.
    exponent, _ = lyapunov_exponent(UNIT, START, transient=300.0, duration=500.0)
    rates = [fixed_point(UNIT, kind).leading for kind in ("normal", "SR+")]
    assert min(abs(exponent - rate) for rate in rates) < 1e-3


def test_lyapunov_exponent_from_two_trajectories() -> None:
    """The distance of two full trajectories, put back to 1e-8 again and again, grows at the same rate (within 5 σ).

    The starts are fixed: no false alarm; over random ones about 1 in 10⁵. A tangent flow without δB × m fails.
    """
    model = at(1.5, 3.0)
    exponent, sem = lyapunov_exponent(model, START, transient=300.0, duration=20_000.0)
    step, per_block = 0.005, 100
    pair = np.array([[*(0.5 * np.array(START.direction)), 0.3, -0.1]] * 2)
    mean_flow.advance(parameters(model), pair, step, 60_000)
    pair[1] = pair[0] + [0, 0, 0, 1e-8, 0]
    logs = np.empty(20_000)
    for index in range(logs.size):
        mean_flow.advance(parameters(model), pair, step, per_block)
        apart = pair[1] - pair[0]
        distance = np.linalg.norm(apart)
        logs[index] = math.log(distance / 1e-8)
        pair[1] = pair[0] + apart * (1e-8 / distance)
    blocks = logs.reshape(20, -1).mean(axis=1) / (step * per_block)
    other, other_sem = blocks.mean(), blocks.std(ddof=1) / math.sqrt(20)
    assert abs(exponent - other) < 5 * math.hypot(sem, other_sem)
    assert max(sem, other_sem) < 0.015


def test_limit_cycle_closes() -> None:
    model = at(1.5, 2.0)
    cycle = attractor(model, START)
    assert cycle.kind == "limit cycle"
    start = np.array([*cycle.m, cycle.beta.real, cycle.beta.imag])
    path = solve_ivp(
        lambda _, y: flow(model, y),
        (0, cycle.period),
        start,
        method="DOP853",
        rtol=1e-12,
        atol=1e-13,
        dense_output=True,
    )
    np.testing.assert_allclose(path.y[:, -1], start, rtol=0, atol=1e-6)
    inside = path.sol(np.linspace(0.05, 0.95, 91) * cycle.period)
    assert np.linalg.norm(inside - start[:, None], axis=0).min() > 0.05
    assert inside[2].max() <= start[2] + 1e-9
    assert not cycle.symmetric


def test_a_symmetric_limit_cycle() -> None:
    """After half a period of another integrator the orbit is at the mirror image of where it began."""
    model = UNIT.replace(omega_c=3.0, kappa=0.33, g_minus=2.28, g_plus=4.02)
    cycle = attractor(model, START, transient=300.0)
    assert cycle.kind == "limit cycle"
    assert cycle.symmetric
    start = [*cycle.m, cycle.beta.real, cycle.beta.imag]
    path = solve_ivp(lambda _, y: flow(model, y), (0, cycle.period / 2), start, method="DOP853", rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(path.y[:, -1], start * np.array([-1, -1, 1, -1, -1]), rtol=0, atol=1e-5)
    assert abs(start[0]) > 0.1


@pytest.mark.parametrize(
    "model",
    [
        UNIT.replace(omega_c=1.1, g_minus=0.6, g_plus=1.8),
        UNIT.replace(omega_c=-0.1, kappa=0.4, g_minus=1.7, g_plus=1.2),
    ],
    ids=["up", "down"],
)
def test_the_end_of_a_spiral_is_no_limit_cycle(model: DickeModel) -> None:
    """Rates of 0.087 and 0.091 take the orbit from 1e-4 to 1e-6 within 53 units of time, where all is alike to 1e-6."""
    kinds = {attractor(model, START, transient=wait, attempts=1).kind for wait in np.arange(110.0, 190.0, 4.0)}
    assert kinds == {"undecided", "fixed point"}
    assert attractor(model, START, transient=150.0).kind == "fixed point"


def test_what_trajectories_settle_on() -> None:
    assert attractor(at(1.1, 2.0), START).kind == "chaos"
    rest = attractor(at(1.5, 1.0), START)
    assert rest.kind == "fixed point"
    np.testing.assert_allclose(np.abs(rest.m), np.abs(fixed_point(at(1.5, 1.0), "SR+").m), rtol=0, atol=1e-5)
    assert attractor(at(0.2, 1.0), SpinCoherent(2.0), transient=300.0).m[2] > 0.499
    # An unstable pole is still a fixed point for a trajectory that starts exactly on it.
    assert attractor(at(1.5, 1.0), Inverted(), transient=10.0).kind == "fixed point"
    # Too short a look decides nothing, and says so: here the trajectory is still spiralling in.
    assert attractor(at(2.5, 2.0), START, transient=5.0, attempts=1).kind == "undecided"


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"m: expected an array of shape \(n, 3\) of vectors of length 1/2"):
        follow_mean_field(UNIT, [[0.0, 0.0, -1.0]], 0.0, 1.0)
    with pytest.raises(RuntimeError, match=r"a step of 1 changed the length of the spin .* Pass a smaller step"):
        follow_mean_field(UNIT, [[0.3, 0.0, 0.4]], 0.0, 10.0, step=1.0)
    with pytest.raises(RuntimeError, match="changed the length of the spin by nan"):
        follow_mean_field(UNIT, [[0.3, 0.0, 0.4]], 1e200, 10.0, step=1.0)
    with pytest.raises(ValueError, match="kappa: expected a number > 0"):
        attractor(UNIT.replace(kappa=0.0), START)
