"""NuHOPS for models that move in time, are driven or thermal: against QuTiP, against itself, and the engine's parts."""

from functools import cache

import numpy as np
import pytest

import opendicke as od
from moving_cases import BASE, CASES, EVERYTHING, STATE, TIMES, case, exact_channels
from opendicke.engine.moving import GaussianField, Moving, MovingPath
from opendicke.engine.noise import NoisePath, noise_steps, transition
from opendicke.engine.trajectory import initial_state, propagate
from opendicke.ensemble.streams import stream
from opendicke.methods.hierarchy import NuHOPSSimulator
from opendicke.methods.moving import Surroundings, rates_of
from opendicke.methods.nuhops import NuHOPS
from opendicke.problem import Problem
from zscores import Comparison, compare, sampled

TRAJECTORIES = 1500


@cache
def compared(name: str) -> Comparison:
    model = case(name)
    exact = exact_channels(model, STATE, TIMES, 18)
    return compare(sampled(model, STATE, TIMES, NuHOPS(TRAJECTORIES, seed=list(CASES).index(name))), exact)


@pytest.mark.parametrize("name", CASES)
def test_all_moments_agree_with_the_master_equation(name: str) -> None:
    """Each case fails in a correct method with probability 2e-4 (``zscores.FALSE_ALARM``).

    Rejected mistakes: n̄ in the field but not in what is read out; n̄ + ½ for n̄; the drive with the other sign, or
    conjugated; the atoms' drive with the other sign of S^y; a ramp taken at the step's end; kinks left out of the grid.
    """
    assert compared(name).agrees, compared(name).chances


def test_all_deviations_together() -> None:
    """672 correlated numbers of eight independent cases."""
    z = np.concatenate([compared(name).z for name in CASES])
    assert z.size >= 600
    assert np.abs(z).max() < 4.5
    independent = np.concatenate([compared(name).independent for name in CASES])
    # χ² of that many: five standard errors, at 1500 trajectories about 1 % wider for T²
    assert abs(independent @ independent / independent.size - 1) < 5 * np.sqrt(2 / independent.size)


def ends(model: od.DickeModel, index: int = 0, **options: float) -> np.ndarray:
    """The channels of one trajectory at TIMES."""
    method = NuHOPS(1, seed=5, tol=1e-9, **options)  # type: ignore[arg-type]
    return NuHOPSSimulator(Problem(model, STATE, TIMES), method)(index).averaged["channels"]


@pytest.mark.parametrize("balanced", [True, False])
def test_signals_that_do_not_move_are_the_constants(balanced: bool) -> None:
    """The same trajectory, but for tol, by the engine of moving rates: all columns at work."""
    rates = BASE | ({"g_plus": BASE["g_minus"]} if balanced else {})
    still = {name: od.Ramp((0.0, 1.0), (rate, rate)) for name, rate in rates.items()}
    for n_atoms in (3, 200):
        constant, moving = od.DickeModel(n_atoms=n_atoms, **rates), od.DickeModel(n_atoms=n_atoms, **still)
        assert moving.is_balanced == balanced
        # κ and ω_c of a signal have noise of their own (quadratures): equal to rounding, in the same order of draws.
        # Short steps: the frame is turned in steps of its own, whose error falls with the fourth power (1e-6 at 0.1).
        wanted, found = (ends(model, step=0.02) for model in (constant, moving))
        scale = np.abs(wanted).max(axis=0) + 1
        np.testing.assert_allclose(found / scale, wanted / scale, rtol=0, atol=1e-8)


def test_a_moving_coupling_leaves_the_noise_alone() -> None:
    """Until the coupling moves, the trajectory is that of the constant model."""
    model = od.DickeModel(n_atoms=4, **BASE)
    ramped = model.replace(g_minus=od.Ramp((1.0, 1.0), (BASE["g_minus"], 2.0)))
    before, after = (ends(one, step=0.02, feedback=4.0) for one in (model, ramped))
    np.testing.assert_allclose(after[:2], before[:2], rtol=0, atol=1e-8)
    assert np.abs(after[2:] - before[2:]).max() > 0.01


def test_the_field_is_exact_without_atoms_coupled() -> None:
    """Driven, thermal, with moving κ and ω_c: ⟨a⟩ and ⟨a†a⟩ obey linear equations, integrated here by many steps."""
    model = od.DickeModel(n_atoms=1, **(EVERYTHING | {"g_minus": 0.0, "g_plus": 0.0}))
    t = np.linspace(0, TIMES[-1], 60_001)
    middle, h = (t[1:] + t[:-1]) / 2, t[1]
    w = model.kappa(middle) + 1j * model.omega_c(middle)
    alpha, photons, values = STATE.alpha, 0.0, []
    for at in range(middle.size):  # exponential midpoint
        decay = np.exp(-w[at] * h / 2)
        alpha = decay * (decay * alpha - 1j * h * model.drive(middle[at]))
        kappa = w[at].real
        photons = np.exp(-2 * kappa * h) * photons + 2 * kappa * h * model.n_thermal(middle[at])
        values.append([alpha, photons])
    wanted = np.array(values)[np.round(TIMES / h).astype(int) - 1]
    channels = sampled(model, STATE, TIMES, NuHOPS(4000, seed=3))
    fields = channels[..., 9] + 1j * channels[..., 10]
    # a Gaussian field of variance n: means within 4.5 standard errors of each part, variances within 4.5 of theirs
    spread = np.sqrt(wanted[:, 1].real / 2 / 4000)
    deviation = fields.mean(axis=0) - wanted[:, 0]
    assert (np.maximum(abs(deviation.real), abs(deviation.imag)) < 4.5 * spread).all()
    variance = (np.abs(fields - wanted[:, 0]) ** 2).mean(axis=0)
    assert (np.abs(variance / wanted[:, 1].real - 1) < 4.5 / np.sqrt(4000)).all()


@pytest.mark.parametrize("n_atoms", [3, 60])
def test_strong_order_in_the_step_with_everything_moving(n_atoms: int) -> None:
    """Third order, as with constant rates (measured 2.8 to 3.1): parabolas and the field's line cost nothing."""
    model = case("everything", n_atoms)
    finest, stop = 1 / 256, 3.0
    found = []
    for index in range(6):
        surroundings = Surroundings(_without_kinks(model), np.full(round(stop / finest), finest))
        fine = surroundings.sample(stream(21, index))
        best = _end(model, fine)
        found.append([np.abs(_end(model, _coarser(model, fine, factor)) - best).max() for factor in (32, 16, 8)])
    errors = np.median(found, axis=0)
    assert np.log(errors[0] / errors[2]) / np.log(4) > 2.5
    assert errors[1] < 1e-4


def _without_kinks(model: od.DickeModel) -> od.DickeModel:
    return model.replace(g_plus=od.Sine(0.5, 0.3, frequency=2.0), omega_c=od.Sine(1.0, 0.5, frequency=2.0),
                         n_thermal=od.Sine(0.3, 0.2, frequency=1.0))  # fmt: skip


def _coarser(model: od.DickeModel, fine: MovingPath, factor: int) -> MovingPath:
    """The same noise and field on longer steps; rates are parabolas of these."""
    z = NoisePath(fine.steps, fine.middle, fine.slope).coarsen(factor)
    field = NoisePath(fine.steps, fine.moving.middle, fine.moving.slope).coarsen(factor)
    rates = Surroundings(_without_kinks(model), z.steps).rates
    moving = Moving(z.steps, rates, field.middle, field.slope, fine.moving.ends[::factor])
    return MovingPath(z.steps, z.middle, z.slope, moving)


def _end(model: od.DickeModel, path: MovingPath) -> np.ndarray:
    """<S>/j and <a>/√N at the end of a path."""
    dynamics = NuHOPSSimulator(Problem(_without_kinks(model), STATE, TIMES), NuHOPS(1, tol=1e-10)).dynamics
    start = initial_state(STATE.frame(), STATE.alpha, "float64", model.n_atoms)
    record = np.full(path.steps.size + 1, -1)
    record[-1] = 0
    row = propagate(start, dynamics, path, record, 1)[0]
    return np.concatenate([row[:3] / (model.n_atoms / 2), row[9:11] / np.sqrt(model.n_atoms)])


def test_moments_of_a_field_at_constant_rates_are_those_of_the_noise() -> None:
    steps, kappa, omega = np.array([0.1, 0.7, 2.0]), 0.6, 1.7
    ones = np.ones((3, 3))
    field = GaussianField(steps, (kappa - 1j * omega) * ones, 2 * kappa * ones, None)
    for row, h in enumerate(steps):
        mean, root = transition(float(h), omega, kappa)
        np.testing.assert_allclose(field.mean[row], mean, rtol=0, atol=1e-13)
        covariance = field.root[row] @ field.root[row].conj().T
        np.testing.assert_allclose(covariance, root @ root.conj().T, rtol=0, atol=1e-13)


def test_two_steps_of_a_field_are_one() -> None:
    """Mean, drift and covariance over a step in which all moves, from those of its halves."""
    whole, halves = np.array([0.8]), np.array([0.4, 0.4])
    tables = []
    for steps in (whole, halves):
        surroundings = Surroundings(_slow(), steps)
        tables.append(surroundings.field)
    one, two = tables
    np.testing.assert_allclose(two.mean[0, 0] * two.mean[1, 0], one.mean[0, 0], rtol=0, atol=1e-13)
    end = two.mean[1, 0] * two.drift[0, 0] + two.drift[1, 0]
    np.testing.assert_allclose(end, one.drift[0, 0], rtol=0, atol=1e-13)
    spread = [abs(two.root[step, 0, 0]) ** 2 for step in (0, 1)]
    total = abs(two.mean[1, 0]) ** 2 * spread[0] + spread[1]
    np.testing.assert_allclose(total, abs(one.root[0, 0, 0]) ** 2, rtol=0, atol=1e-13)


def _slow() -> od.DickeModel:
    """Rates that are parabolas, or straight lines, of time: no error of theirs."""
    return od.DickeModel(
        n_atoms=2, omega_a=1.0, g_minus=0.5, g_plus=0.5, omega_c=od.Ramp((0.0, 1.0), (0.3, 2.0)),
        kappa=od.Ramp((0.0, 1.0), (0.4, 1.1)), n_thermal=0.7, drive=od.Ramp((0.0, 1.0), (0.2j, 1.0)),
    )  # fmt: skip


def test_steps_end_at_kinks_and_times() -> None:
    steps, hits = noise_steps(np.array([1.0, 2.0]), 0.3, (0.5, 1.0, 1.7))
    edges = np.append(0.0, np.cumsum(steps))
    for time in (0.5, 1.0, 1.7, 2.0):
        assert np.abs(edges - time).min() < 1e-12
    np.testing.assert_allclose(edges[hits >= 0], [1.0, 2.0], rtol=0, atol=1e-12)
    assert hits[hits >= 0].tolist() == [0, 1]
    assert steps.max() < 0.3 * (1 + 1e-9)


def test_a_step_between_times_is_where_it_is() -> None:
    """Atoms alone, turned about x by twice the integral of their drive; a noise step across the jump would be wrong."""
    model = od.DickeModel(n_atoms=4, omega_a=0.0, omega_c=1.0, kappa=1.0, g_minus=0.0, g_plus=0.0,
                          atom_drive=od.Ramp((0.93, 0.93), (0.2, 1.0)))  # fmt: skip
    turned = 2 * (0.2 * np.minimum(TIMES, 0.93) + np.maximum(TIMES - 0.93, 0.0))
    simulate = NuHOPSSimulator(Problem(model, od.Normal(), TIMES), NuHOPS(1, tol=1e-9))
    sx, sy, sz = simulate(0).averaged["channels"][:, :3].T
    np.testing.assert_allclose([sx, sy, sz], [0 * turned, 2 * np.sin(turned), -2 * np.cos(turned)], rtol=0, atol=1e-7)


def test_rates_and_what_drives_the_spin() -> None:
    model = case("everything").replace(atom_drive=0.3 + 0.2j)
    found = rates_of(model, np.array([1.0]))[0]
    minus, plus = (float(rate(1.0)) / np.sqrt(3) for rate in (model.g_minus, model.g_plus))
    wanted = [model.omega_a(1.0), model.omega_c(1.0), model.kappa(1.0), minus + plus, minus - plus, 0.6, -0.4]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14)


def test_kept_states_and_single_precision_know_of_it() -> None:
    model = case("everything", 20)
    exact = od.solve(model, STATE, TIMES, NuHOPS(3, seed=1, keep_trajectories=True, keep_states=(1.0, 3.0)))
    single = od.solve(model, STATE, TIMES, NuHOPS(3, seed=1, keep_trajectories=True, dtype="float32"))
    np.testing.assert_allclose(single.Sz_trajectory, exact.Sz_trajectory, rtol=0, atol=0.02)
    rho = od.analysis.spin_state(exact, 3.0).dense()
    np.testing.assert_allclose(np.trace(rho @ np.diag(10.0 - np.arange(21))), exact.Sz[-1], rtol=0, atol=1e-9)
