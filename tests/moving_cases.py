"""Models in which everything moves, and what QuTiP says of them: H, jumps and their rates written out anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import qutip
from numpy.typing import NDArray

import opendicke as od
from opendicke.observables.catalogue import CHANNELS
from opendicke.signals import Signal

#: Rates of the constant parts of all cases.
BASE = {"omega_a": 1.0, "omega_c": 1.2, "kappa": 0.7, "g_minus": 0.9, "g_plus": 0.5}
EVERYTHING = {
    "omega_a": od.Sine(1.0, 0.6, frequency=3.0, phase=0.4),
    "omega_c": od.Ramp((0.0, 1.2, 3.0), (0.5, 2.0, 1.0)),
    "kappa": od.Sine(0.7, 0.3, frequency=2.5),
    "g_minus": od.Samples(tuple(np.linspace(0.0, 3.0, 7)), (0.3, 0.9, 1.0, 0.5, 0.2, 0.6, 1.0)),
    "g_plus": od.Ramp((0.0, 0.7, 0.7, 3.0), (0.1, 0.4, 0.9, 0.3)),
    "n_thermal": od.Ramp((0.0, 2.0), (0.1, 0.4)),
    "drive": od.Sine(0.3 + 0.2j, 0.5j, frequency=1.5),
    "atom_drive": od.Sine(0.0, 0.3 + 0.3j, frequency=2.0),
}
#: Each feature alone, then all of them.
CASES = {
    "drive": {"drive": 0.6 - 0.4j},
    "atom_drive": {"atom_drive": 0.4 + 0.3j},
    "thermal": {"n_thermal": 0.4},
    "ramp": {"g_minus": od.Ramp((0.0, 0.9, 0.9, 2.5), (0.2, 0.9, 0.3, 1.0)), "g_plus": 0.5},
    "balanced ramp": dict.fromkeys(("g_minus", "g_plus"), od.Ramp((0.0, 2.0), (0.0, 0.9))),
    "frequencies": {"omega_a": EVERYTHING["omega_a"], "omega_c": od.Sine(1.2, 0.8, frequency=4.0)},
    "loss": {"kappa": od.Ramp((0.0, 2.0), (0.2, 1.5)), "n_thermal": od.Sine(0.2, 0.2, frequency=2.0)},
    "everything": EVERYTHING,
}
STATE = od.SpinCoherent(1.1, 0.6, alpha=0.3 + 0.2j)
TIMES = np.array([0.5, 1.0, 2.0, 3.0])


def case(name: str, n_atoms: int = 3) -> od.DickeModel:
    return od.DickeModel(n_atoms=n_atoms, **(BASE | CASES[name]))


def value(rate: float | complex | Signal) -> Callable[[float], complex]:
    return lambda t: complex(rate(t)) if isinstance(rate, Signal) else complex(rate)


def exact_channels(
    model: od.DickeModel, state: od.SpinCoherent, times: NDArray[np.float64], photons: int
) -> NDArray[np.float64]:
    """All channels by QuTiP's master equation, shape (times, channels); the cutoff is checked."""
    n, levels = model.n_atoms, photons + 1
    cavity = qutip.qeye(levels)
    x, y, z, up = (qutip.tensor(qutip.jmat(n / 2, axis), cavity) for axis in ("x", "y", "z", "+"))
    a = qutip.tensor(qutip.qeye(n + 1), qutip.destroy(levels))
    minus, plus = up.dag() * a.dag() / np.sqrt(n), up * a.dag() / np.sqrt(n)
    at = {name: value(getattr(model, name)) for name in (*BASE, "n_thermal", "drive", "atom_drive")}
    hamiltonian = [
        [z, at["omega_a"]], [a.dag() * a, at["omega_c"]],
        [minus + minus.dag(), at["g_minus"]], [plus + plus.dag(), at["g_plus"]],
        [a.dag(), at["drive"]], [a, lambda t: at["drive"](t).conjugate()],
        [up, at["atom_drive"]], [up.dag(), lambda t: at["atom_drive"](t).conjugate()],
    ]  # fmt: skip
    emitted = [a, lambda t: np.sqrt(2 * at["kappa"](t) * (at["n_thermal"](t) + 1))]
    absorbed = [a.dag(), lambda t: np.sqrt(2 * at["kappa"](t) * at["n_thermal"](t))]
    amplitude = qutip.coherent(levels, state.alpha, method="analytic") if state.alpha else qutip.basis(levels, 0)
    start = qutip.tensor(qutip.Qobj(state.dicke_amplitudes(n)), amplitude).unit()
    wanted = {"Sx": x, "Sy": y, "Sz": z, "n_photon": a.dag() * a, "n_photon2": a.dag() ** 2 * a**2}
    axes = dict(zip("xyz", (x, y, z), strict=True))
    wanted |= {
        f"S{p}{q}": 0.5 * (axes[p] * axes[q] + axes[q] * axes[p]) for p, q in ("xx", "yy", "zz", "xy", "yz", "zx")
    }
    amplitudes = {"a": a, "a2": a * a} | {f"S{axis}_a": spin * a for axis, spin in axes.items()}
    top = qutip.tensor(qutip.qeye(n + 1), qutip.ket2dm(qutip.basis(levels, photons)))
    # short steps: the integrator does not know of kinks
    options = {"nsteps": 100_000, "atol": 1e-9, "rtol": 1e-7, "max_step": 0.02}
    answer = qutip.mesolve(
        qutip.QobjEvo(hamiltonian), start, np.append(0.0, times), [qutip.QobjEvo([emitted]), qutip.QobjEvo([absorbed])],
        e_ops=[*wanted.values(), *amplitudes.values(), top], options=options,
    )  # fmt: skip
    rows = dict(zip([*wanted, *amplitudes, "top"], (np.array(row)[1:] for row in answer.expect), strict=True))
    assert np.abs(rows.pop("top")).max() < 1e-7
    found = {name: rows[name].real for name in wanted}
    for name in amplitudes:
        found |= {f"re_{name}": rows[name].real, f"im_{name}": rows[name].imag}
    return np.array([found[name] for name in CHANNELS]).T
