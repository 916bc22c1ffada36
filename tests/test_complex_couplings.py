"""Couplings with phases, and squeezed light that comes in: against QuTiP, and the phases against the real model."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

import opendicke as od
from opendicke.methods.gauge import real_couplings

qutip = pytest.importorskip("qutip")

TIMES = [0.5, 1.0, 2.0]
#: All features of one spin and one mode at once; the phase of each coupling is constant.
MODEL = od.DickeModel(
    n_atoms=2,
    omega_a=1.0,
    omega_c=1.4,
    kappa=od.Ramp((0.0, 2.0), (0.5, 0.8)),
    g_minus=0.7 * np.exp(0.8j),
    g_plus=od.Sine(0.4 * np.exp(-1.9j), 0.2 * np.exp(-1.9j), 1.3),
    n_thermal=0.4,
    squeezing=0.3 * np.exp(0.9j),
    drive=0.3,
    atom_drive=0.2j,
)
STATE = od.SpinCoherent(1.0, 0.4, cavity=od.cavities.Fock(1))
#: The largest of 90 numbers that are standard normal passes 4.5 once in 1500 runs.
WORST = 4.5


def master_equation(model: od.DickeModel, photons: int = 20) -> dict[str, Any]:
    """All variables from QuTiP, from the state above."""
    hamiltonian, jumps = model.to_qutip(photons)
    spin = dict(zip(("Sx", "Sy", "Sz"), (qutip.jmat(model.n_atoms / 2, axis) for axis in "xyz"), strict=True))
    ops = {name: qutip.tensor(one, qutip.qeye(photons + 1)) for name, one in spin.items()}
    a = qutip.tensor(qutip.qeye(model.n_atoms + 1), qutip.destroy(photons + 1))
    ops |= {f"{name}_a": ops[name] * a for name in spin} | {"a": a, "a2": a * a, "n_photon": a.dag() * a}
    ops |= {f"{name}2": ops[name] ** 2 for name in spin} | {"n_photon2": a.dag() ** 2 * a**2}
    for one in "xyz":
        for two in "xyz":
            if one != two:
                ops[f"S{one}_S{two}"] = ops[f"S{one}"] * ops[f"S{two}"]
    start = qutip.tensor(qutip.Qobj(STATE.dicke_amplitudes(model.n_atoms)), qutip.basis(photons + 1, 1))
    options = {"max_step": 0.1, "rtol": 1e-8, "atol": 1e-10}
    answer = qutip.mesolve(hamiltonian, start, [0.0, *TIMES], jumps, e_ops=list(ops.values()), options=options)
    return {name: np.array(values)[1:] for name, values in zip(ops, answer.expect, strict=True)}


def scores(answer: xr.Dataset, exact: dict[str, Any]) -> np.ndarray:
    """Deviations of all parts of all variables from ``exact``, in standard errors."""
    found = []
    for name, value in exact.items():
        error = answer[f"{name}_sem"].values
        gap = answer[name].values - value
        found.append(gap.real / np.real(error))
        if np.iscomplexobj(error):
            found.append(gap.imag / np.imag(error))
    return np.concatenate(found)


@pytest.fixture(scope="module")
def answer() -> xr.Dataset:
    return od.solve(MODEL, STATE, TIMES, od.NuHOPS(1500, seed=7))


@pytest.fixture(scope="module")
def exact() -> dict[str, Any]:
    return master_equation(MODEL)


def test_every_variable_agrees_with_qutip(answer: xr.Dataset, exact: dict[str, Any]) -> None:
    assert set(exact) == set(od.VARIABLES)
    found = scores(answer, exact)
    assert found.size == 90
    assert np.abs(found).max() < WORST
    assert 0.6 < np.sqrt(np.mean(found**2)) < 1.4  # correlated: about 15 independent numbers


@pytest.mark.parametrize(
    "wrong",
    [
        {"squeezing": -MODEL.squeezing},
        {"squeezing": MODEL.squeezing.conjugate()},
        {"squeezing": 0.0},
        {"g_minus": MODEL.g_minus.conjugate()},
        {"g_plus": od.Sine(0.4 * np.exp(1.9j), 0.2 * np.exp(1.9j), 1.3)},
        {"drive": -0.3},
    ],
    ids=str,
)
def test_wrong_phases_are_seen(answer: xr.Dataset, wrong: dict[str, Any]) -> None:
    assert np.abs(scores(answer, master_equation(MODEL.replace(**wrong)))).max() > 6


def test_the_phases_are_only_a_frame() -> None:
    """The same trajectories as of the model with real couplings, turned: to rounding that the flow has magnified."""
    plain = od.DickeModel(n_atoms=20, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=0.6, g_plus=-0.3)
    turned = plain.replace(g_minus=0.6 * np.exp(0.5j), g_plus=-0.3 * np.exp(1.1j))
    real, gauge = real_couplings(turned)
    assert (real.g_minus, real.g_plus) == pytest.approx((0.6, -0.3))
    state = od.SpinCoherent(0.7, 0.3, alpha=0.5 + 0.2j)
    for method in (od.NuHOPS(2, seed=1, keep_states=(1.0,)), od.HOPS(2, seed=1, depth=60), od.Cumulants()):
        first = od.solve(turned, state, [0.0, 1.0], method)
        second = od.solve(plain, gauge.coherent(state), [0.0, 1.0], method)
        back = second.Sx - 1j * second.Sy
        back = back * np.exp(1j * gauge.spin)
        np.testing.assert_allclose(first.Sx - 1j * first.Sy, back, rtol=0, atol=1e-6, err_msg=str(method))
        np.testing.assert_allclose(first.a, second.a * np.exp(1j * gauge.mode), rtol=0, atol=1e-6)
        np.testing.assert_allclose(
            first.Sz_a, second.Sz_a * np.exp(1j * gauge.mode), rtol=0, atol=1e-5, err_msg=str(method)
        )
        np.testing.assert_allclose(first.Sx2 + first.Sy2, second.Sx2 + second.Sy2, rtol=0, atol=1e-5)
        assert abs(float((first.Sx - second.Sx)[-1])) > 0.1  # the turn is one


def test_kept_states_are_turned_back() -> None:
    method = od.NuHOPS(200, seed=2, keep_states=(1.0,))
    answer = od.solve(MODEL, STATE, TIMES, method)
    psi, frames = answer.psi.values[:, 0], answer.psi_frame.values[:, 0]
    n = np.arange(psi.shape[-1])
    along = (np.abs(psi) ** 2 * (MODEL.n_atoms / 2 - n)).sum(axis=-1)
    raising = np.sqrt(n[1:] * (MODEL.n_atoms - n[1:] + 1))
    across = (psi[:, :-1].conj() * raising * psi[:, 1:]).sum(axis=-1)
    local = np.stack([across.real, across.imag, along], axis=-1)  # <S+> = <Sx> + i<Sy>
    mean = np.einsum("tk,tki->ti", local, frames).mean(axis=0)
    expected = [float(answer[f"S{axis}"].sel(time=1.0)) for axis in "xyz"]
    np.testing.assert_allclose(mean, expected, rtol=0, atol=1e-9)


def test_what_is_refused() -> None:
    moving = MODEL.replace(g_minus=od.Ramp((0.0, 1.0), (1.0, 1.0j)))
    with pytest.raises(ValueError, match=r"^g_minus: expected a coupling whose phase does not move"):
        od.solve(moving, STATE, TIMES, od.NuHOPS(1))
    quantum = MODEL.replace(squeezing=0.7)
    with pytest.raises(ValueError, match=r"^squeezing: expected \|squeezing\| up to n_thermal for this method"):
        od.solve(quantum, STATE, TIMES, od.NuHOPS(1))
    with pytest.raises(ValueError, match=r"^squeezing: expected \|squeezing\|² up to n_thermal \(n_thermal \+ 1\)"):
        MODEL.replace(squeezing=1.0)
    with pytest.raises(ValueError, match=r"^kappa: expected a constant \(for HOPS\)"):
        od.solve(MODEL, od.Normal(), TIMES, od.HOPS(1))
    assert not od.HOPS(1).limits(MODEL).possible
    assert not od.Cumulants().limits(moving).possible
    for refused in (moving, quantum):  # what is refused is not promised
        assert not od.NuHOPS(1).limits(refused).possible
    assert od.NuHOPS(1).limits(MODEL).possible
    assert (
        od.HOPS(1)
        .limits(MODEL.replace(kappa=0.5, g_plus=0.3j, n_thermal=0, squeezing=0, drive=0, atom_drive=0))
        .possible
    )
