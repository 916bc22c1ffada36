"""From an experiment's numbers to a model and back."""

import math
from typing import Any

import numpy as np
import pytest

import opendicke as od
from opendicke.units import (
    Hz,
    MHz,
    conventions,
    cooperativity,
    from_experiment,
    kHz,
    ms,
    raman_coupling,
    recoil,
    us,
)

RATES: dict[str, Any] = {"n_atoms": 10_000, "omega_a": 8 * kHz}


def test_units() -> None:
    assert MHz == 1000 * kHz == pytest.approx(2 * math.pi)
    assert pytest.approx(1e6 * Hz) == MHz
    assert ms == 1000 * us
    # of 1.3 MHz, 1.3 periods fit into a µs
    assert 1.3 * MHz * us == pytest.approx(1.3 * 2 * math.pi)


def test_every_way_to_say_the_same() -> None:
    model = from_experiment(**RATES, omega_c=20 * kHz, kappa=4.5 * kHz, collective=3 * kHz)
    assert model == od.DickeModel(
        n_atoms=10_000, omega_a=8 * kHz, omega_c=20 * kHz, kappa=4.5 * kHz, g_minus=3 * kHz, g_plus=3 * kHz
    )
    other = {"detuning": -15 * kHz, "shift": 5 * kHz, "per_atom": 0.03 * kHz}
    for loss in ({"linewidth": 9 * kHz}, {"energy_decay": 9 * kHz}):
        again = from_experiment(**RATES, **other, **loss)
        for name in ("omega_c", "kappa", "g_minus", "g_plus"):
            assert getattr(again, name) == pytest.approx(getattr(model, name), rel=1e-14)
    pair = from_experiment(**RATES, omega_c=1.0, kappa=1.0, per_atom=(0.01, 0.02))
    assert (pair.g_minus, pair.g_plus) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"omega_c": 1.0, "detuning": -1.0}, "^omega_c, detuning: expected exactly one"),
        ({"detuning": None}, "^omega_c, detuning: .*none"),
        ({"kappa": 1.0, "linewidth": 2.0}, "^kappa, linewidth, energy_decay: "),
        ({"collective": None}, "^collective, per_atom: "),
        ({"collective": (1.0, 2.0, 3.0)}, "^collective: expected a number, or a pair"),
        ({"kappa": -1.0}, "^kappa: expected"),
    ],
)
def test_nothing_is_guessed(changes: dict[str, Any], message: str) -> None:
    given = RATES | {"detuning": -1.0, "kappa": 1.0, "collective": 1.0} | changes
    with pytest.raises(ValueError, match=message):
        from_experiment(**given)


@pytest.mark.parametrize("couplings", [(0.3, 0.3), (0.5, 0.1), (0.2, -0.4), (1.5, 1.5)])
def test_modes_of_the_normal_state(couplings: tuple[float, float]) -> None:
    """Roots of λ⁴ + 2κλ³ + (K + 2δ)λ² + 2κ(ω_a² + δ)λ + a₀, written out for any couplings."""
    omega_a, omega_c, kappa = 0.8, 1.3, 0.4
    minus, plus = couplings
    model = od.DickeModel(n_atoms=5, omega_a=omega_a, omega_c=omega_c, kappa=kappa, g_minus=minus, g_plus=plus)
    difference, total, square = minus**2 - plus**2, minus**2 + plus**2, omega_c**2 + kappa**2
    constant = omega_a**2 * square - 2 * omega_a * omega_c * total + difference**2
    roots = np.roots(
        [1, 2 * kappa, square + omega_a**2 + 2 * difference, 2 * kappa * (omega_a**2 + difference), constant]
    )
    found = conventions(model).polaritons
    assert found[0][0] <= found[1][0]
    for frequency, damping in found:
        assert np.abs(roots - (-damping + 1j * frequency)).min() < 1e-9
    slowest = min(damping for _, damping in found)
    assert slowest == pytest.approx(-roots.real.max(), abs=1e-9)
    assert (slowest < 0) == (couplings == (1.5, 1.5))


def test_threshold() -> None:
    """At g = g_c the lower mode is at 0 and does not decay; without losses modes are those of Emary and Brandes."""
    model = from_experiment(**RATES, omega_c=20 * kHz, kappa=4.5 * kHz, collective=1.0)
    told = conventions(model.replace(coupling=model.critical_coupling))
    assert told.ratio == pytest.approx(1.0)
    assert told.polaritons[0] == pytest.approx((0.0, 0.0), abs=1e-9)
    assert told.critical_per_atom * 200 == pytest.approx(model.critical_coupling)
    assert told.linewidth == pytest.approx(9 * kHz)
    assert told.linewidth * told.photon_lifetime == pytest.approx(1.0)
    closed = od.DickeModel.balanced(n_atoms=5, omega_a=1.0, omega_c=1.5, kappa=0.0, coupling=0.7)
    middle, half = 0.5 * (1 + 1.5**2), 0.5 * math.sqrt((1.5**2 - 1) ** 2 + 4 * 0.7**2 * 1.5)
    energies = [frequency for frequency, _ in conventions(closed).polaritons]
    assert energies == pytest.approx([math.sqrt(middle - half), math.sqrt(middle + half)])
    assert conventions(closed).photon_lifetime == math.inf
    assert math.isnan(conventions(closed.replace(omega_c=-1.0)).ratio)


def test_atoms_and_lasers() -> None:
    """Rubidium's recoil on the D2 line is 2π × 3.771 kHz (D. A. Steck); a Raman coupling is g₀Ω/2Δ."""
    assert recoil(86.909180, 780.241) / kHz == pytest.approx(3.771, abs=5e-4)
    assert raman_coupling(1.1 * MHz, 0.5 * MHz, -100_000 * MHz) / Hz == pytest.approx(-2.75)
    assert cooperativity(10.6 * MHz, 1.3 * MHz, 3.0 * MHz) == pytest.approx(28.8, abs=0.05)
    with pytest.raises(ValueError, match=r"^detuning"):
        raman_coupling(1.0, 1.0, 0.0)


def test_it_prints_what_was_meant() -> None:
    model = from_experiment(**RATES, omega_c=20 * kHz, kappa=4.5 * kHz, collective=3 * kHz)
    lines = str(conventions(model)).splitlines()
    assert len(lines) == 8
    assert lines[0].endswith("2π × 9 kHz")
    assert "2π × 2500 GHz" in str(conventions(model.replace(kappa=1.25e6 * MHz)))
    with pytest.raises(TypeError, match=r"^model: expected an opendicke\.DickeModel"):
        conventions(model.system)  # type: ignore[arg-type]


def test_a_shift_is_added_to_the_cavity() -> None:
    model = od.units.from_experiment(
        n_atoms=100, omega_a=1.0, omega_c=15 * od.units.kHz, shift=-5 * od.units.kHz, kappa=1.0, collective=1.0
    )
    assert model.omega_c == pytest.approx(10 * od.units.kHz)
