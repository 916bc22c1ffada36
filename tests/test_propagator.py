"""Stiff models: dense matrices of the evolution against exponentials of QuTiP's Liouvillian."""

import numpy as np
import pytest
import qutip
from scipy.linalg import expm

import opendicke as od
from opendicke.analysis import steady_state
from opendicke.integration import Watch
from opendicke.master import propagator
from opendicke.master.density import initial
from opendicke.problem import Problem

FAST_ATOM = od.DickeModel.balanced(n_atoms=1, omega_a=2000, omega_c=1, kappa=0.5, coupling=0.9 * np.sqrt(2000))
FAST_LOSS = od.DickeModel(n_atoms=2, omega_a=1.0, omega_c=2.0, kappa=400.0, g_minus=20.0, g_plus=-7.0)
START = od.SpinCoherent(np.pi / 4, 1.0, alpha=0.3 - 0.2j)  # both parities
TIMES = np.array([0.0, 1e-5, 0.013, 0.31, 0.7, 3.0])  # within a fine step, within a block, over many


def qutip_liouvillian(model: od.DickeModel, photons: int) -> np.ndarray:
    spin, a = model.n_atoms / 2, qutip.destroy(photons + 1)
    one, cavity = qutip.qeye(model.n_atoms + 1), qutip.qeye(photons + 1)
    lower = qutip.tensor(qutip.jmat(spin, "-"), cavity)
    a = qutip.tensor(one, a)
    rise = (model.g_minus * lower + model.g_plus * lower.dag()) * a.dag() / np.sqrt(model.n_atoms)
    energy = model.omega_a * qutip.tensor(qutip.jmat(spin, "z"), cavity) + model.omega_c * a.dag() * a
    return qutip.liouvillian(energy + rise + rise.dag(), [np.sqrt(2 * model.kappa) * a]).full()


@pytest.mark.parametrize("model", [FAST_ATOM, FAST_LOSS], ids=["atom", "loss"])
def test_a_stiff_model_follows_the_exponential(model: od.DickeModel) -> None:
    """Up to 3e4 fine steps, each with the rounding of products of 150 or so numbers: 3e4 · 1e-16 · √150 = 4e-11."""
    photons = 7 if model is FAST_ATOM else 5
    rho = od.Lindblad(photons=photons, max_top_population=0.1).density_matrices(Problem(model, START, TIMES))
    size, generator = rho[0].size, qutip_liouvillian(model, photons)
    total = int(np.sqrt(size))
    for time, found in zip(TIMES, rho, strict=True):
        column = expm(time * generator) @ rho[0].reshape(total, total).ravel(order="F")
        np.testing.assert_allclose(found.reshape(total, total).ravel(order="F"), column, rtol=0, atol=4e-11)


def test_a_slow_mode_of_a_stiff_model_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gap is 2.0e-4, known to 3 %; the integrator takes two seconds for a unit of time: two hours."""
    monkeypatch.delattr("scipy.integrate.DOP853.__init__")  # who makes one fails: the arguments would be object's
    options = {"photons": 12, "max_top_population": 1e-6}
    result = od.solve(FAST_ATOM, od.Normal(), [1e3, 2e3, 4e3], od.Lindblad(**options), progress=False)
    end = steady_state(FAST_ATOM, **options)
    left = np.log(abs(result.Sz.values - end.Sz.item()))
    np.testing.assert_allclose((left[:-1] - left[1:]) / [1e3, 2e3], end.attrs["gap"], rtol=0.03)


def test_models_that_are_not_stiff_keep_the_integrator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(propagator, "evolve")
    model = FAST_ATOM.replace(omega_a=50.0, g_minus=1.0, g_plus=1.0)
    od.solve(model, START, [0.5], od.Lindblad(), progress=False)


@pytest.mark.parametrize("doublings", [10, 14])  # over several blocks, and within one
def test_the_top_level_of_a_stiff_model_is_watched_between_times(
    doublings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photons come and go in half a Rabi period; the output time sees none. A fast frame makes the model stiff."""
    model = od.DickeModel.tavis_cummings(n_atoms=2, omega_a=200, omega_c=200, kappa=0.0, coupling=1.0)
    monkeypatch.setattr(propagator, "DOUBLINGS", doublings)
    period = 2 * np.pi / np.sqrt(3)
    late = od.solve(model, od.Inverted(), [period], od.Lindblad(photons=3), progress=False)
    assert late.n_photon[0] < 1e-6
    with pytest.raises(ValueError, match="Try photons"):
        od.solve(model, od.Inverted(), [period], od.Lindblad(photons=2), progress=False)
    start = initial(Problem(model, od.Inverted(), np.array([period])), (2,))[0]
    seen = list(propagator.evolve(model, 2, start, np.array([period]), Watch()))
    assert abs(max(top for _, top, _ in seen) - 8 / 9) < 1e-3  # both atoms have emitted: (2√2/3)² at half a period
    assert abs(seen[-1][1] - 8 / 9) > 1e-3 or doublings == 14  # in a block without an output
    with pytest.raises(ValueError, match="at t = 0"):
        od.solve(FAST_ATOM, od.SpinCoherent(0.0, alpha=3.0), [0.0, 1e-3], od.Lindblad(photons=9), progress=False)


def test_the_timeout_of_a_stiff_model_holds() -> None:
    method = od.Lindblad(photons=8, max_top_population=0.01)  # set up in less
    with pytest.raises(TimeoutError, match=r"timeout: the 0.5 s allowed were over at t = "):
        od.solve(FAST_ATOM, od.Normal(), [4e4], method, timeout=0.5, progress=False)
