"""Spin coherent states against QuTiP and closed forms, at poles, at the equator and at any N."""

from typing import Any

import numpy as np
import pytest
import qutip

import opendicke as od

ANGLES = [
    (0.0, 0.0),
    (np.pi, 0.0),
    (np.pi, 1.3),
    (np.pi / 2, 0.0),
    (np.pi / 2, np.pi / 2),
    (np.pi / 4, np.pi),
    (1.1, 0.4),
    (-0.7, 2.0),
    (4.5, -9.0),
]


@pytest.mark.parametrize(("theta", "phi"), ANGLES)
@pytest.mark.parametrize("n_atoms", [1, 2, 7, 40])
def test_amplitudes_are_those_of_qutip(n_atoms: int, theta: float, phi: float) -> None:
    """Up to one global phase: QuTiP leaves it to a matrix exponential."""
    ours = od.SpinCoherent(theta, phi).dicke_amplitudes(n_atoms)
    theirs = qutip.spin_coherent(n_atoms / 2, theta, phi).full()[:, 0]
    np.testing.assert_allclose(np.linalg.norm(ours), 1, rtol=1e-14)
    np.testing.assert_allclose(abs(np.vdot(ours, theirs)), 1, rtol=1e-12)


@pytest.mark.parametrize(("theta", "phi"), ANGLES)
@pytest.mark.parametrize("n_atoms", [1, 2, 7, 5000])
def test_mean_spin_of_the_amplitudes_is_the_direction(n_atoms: int, theta: float, phi: float) -> None:
    state = od.SpinCoherent(theta, phi)
    psi, n = state.dicke_amplitudes(n_atoms), np.arange(n_atoms + 1)
    ladder = np.sqrt(n[1:] * (n_atoms + 1.0 - n[1:]))
    plus = np.sum(ladder * psi[:-1].conj() * psi[1:]) / (n_atoms / 2)
    height = np.sum((n_atoms / 2 - n) * np.abs(psi) ** 2) / (n_atoms / 2)
    np.testing.assert_allclose([plus.real, plus.imag, height], state.direction, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("theta", "phi"), ANGLES)
def test_frame(theta: float, phi: float) -> None:
    """Right-handed, orthonormal, third row the direction, first row its derivative with θ."""
    state = od.SpinCoherent(theta, phi)
    frame = state.frame()
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), rtol=0, atol=1e-15)
    np.testing.assert_allclose(np.linalg.det(frame), 1, rtol=1e-14)
    np.testing.assert_allclose(frame[2], state.direction, rtol=0, atol=1e-15)
    step = 1e-6
    ahead, behind = (np.array(od.SpinCoherent(theta + d, phi).direction) for d in (step, -step))
    np.testing.assert_allclose(frame[0], (ahead - behind) / (2 * step), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("state", "direction"),
    [
        (od.Normal(), (0, 0, -1)),
        (od.Inverted(), (0, 0, 1)),
        (od.SpinCoherent(np.pi, 0.3), (0, 0, -1)),
        (od.SpinCoherent(np.pi / 2), (1, 0, 0)),
        (od.SpinCoherent(np.pi / 2, np.pi / 2), (0, 1, 0)),
        (od.SpinCoherent(np.pi / 2, -np.pi), (-1, 0, 0)),
        (od.SpinCoherent(2 * np.pi), (0, 0, 1)),
    ],
)
def test_poles_and_axes_are_exact(state: od.SpinCoherent, direction: tuple[int, int, int]) -> None:
    """To the last bit, so that a state meant to be stationary is."""
    assert state.direction == direction
    np.testing.assert_array_equal(state.frame()[2], direction)


@pytest.mark.parametrize(("state", "n"), [(od.Normal(), 30), (od.Inverted(), 0)])
def test_a_pole_is_one_dicke_state(state: od.SpinCoherent, n: int) -> None:
    expected = np.zeros(31)
    expected[n] = 1
    np.testing.assert_array_equal(np.abs(state.dicke_amplitudes(30)), expected)
    assert state.alpha == 0


def test_a_million_atoms_do_not_overflow() -> None:
    n_atoms = 10**6
    weights = np.abs(od.SpinCoherent(1.0).dicke_amplitudes(n_atoms)) ** 2
    n = np.arange(n_atoms + 1)
    p = np.sin(0.5) ** 2
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-12)
    np.testing.assert_allclose(weights @ n, n_atoms * p, rtol=1e-9)
    np.testing.assert_allclose(weights @ (n - n_atoms * p) ** 2, n_atoms * p * (1 - p), rtol=1e-6)


@pytest.mark.parametrize("name", ["theta", "phi"])
@pytest.mark.parametrize(
    ("value", "error"),
    [(np.nan, ValueError), (np.inf, ValueError), ("0", TypeError), (1j, TypeError), (None, TypeError)],
)
def test_bad_angles_are_refused_by_name(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{name}: expected"):
        od.SpinCoherent(**{"theta": 1.0, name: value})


@pytest.mark.parametrize(
    ("value", "error"), [(np.nan, ValueError), (complex(0, np.inf), ValueError), ("1", TypeError), (True, TypeError)]
)
def test_bad_amplitudes_are_refused_by_name(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^alpha: expected a (finite )?complex number"):
        od.SpinCoherent(1.0, alpha=value)


def test_numpy_numbers_become_plain_ones() -> None:
    state = od.SpinCoherent(np.float32(0.5), np.int64(1), alpha=np.complex64(1 + 2j))
    assert [type(value) for value in (state.theta, state.phi, state.alpha)] == [float, float, complex]
    assert type(od.SpinCoherent(1.0).alpha) is complex
    with pytest.raises(TypeError, match="beta"):
        od.SpinCoherent(1.0, beta=2.0)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["Fock", "fock", "DickeState", "GHZ", "Thermal", "Cat"])
def test_states_that_are_not_there(name: str) -> None:
    with pytest.raises(
        AttributeError, match=r"Initial states of the spin are SpinCoherent, .*opendicke\.cavities\.Fock"
    ):
        getattr(od, name)
    with pytest.raises(AttributeError, match=r"has no attribute 'colour'\.$"):
        od.colour  # noqa: B018
