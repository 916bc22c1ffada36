"""What bounds a time step, and what the window drops."""

import numpy as np
import pytest

import opendicke as od
from opendicke.engine import fixed_basis, window
from opendicke.engine.compile import from_python
from opendicke.engine.noise import NoisePath
from opendicke.engine.trajectory import BLOCKS, DROPPED, LEVELS, STRIDE, SWEEPS, Dynamics, initial_state, propagate

#: Coefficients c[0:13] of the generator in groups that act apart: S'_- and S'_+, S'_3, and A and B beside and on the
#: diagonal.
GROUPS = {"lower": (0, 1), "upper": (2, 3), "along": (4,), "A": (5, 6), "A diagonal": (7, 8), "A shift": (8,),
          "B": (9, 10), "B diagonal": (11, 12), "B shift": (12,), "all": tuple(range(13))}  # fmt: skip


def generator(c: np.ndarray, two_j: int, states: int, levels: int) -> np.ndarray:
    """F without its damping, as a dense matrix on (level, state)."""
    n = np.arange(states)
    lowering = np.diag(np.sqrt(n[1:] * (two_j - n[1:] + 1.0)), -1)  # S'_- raises n

    def hermitian(at: int) -> np.ndarray:
        half = (c[at] + 1j * c[at + 1]) * lowering
        return half + half.conj().T + np.diag(c[at + 3] - c[at + 2] * n)

    a, b = hermitian(5), hermitian(9)
    up = np.diag(np.sqrt(np.arange(1.0, levels)), -1)
    own = (c[0] + 1j * c[1]) * lowering + (c[2] + 1j * c[3]) * lowering.T - np.diag(c[4] * n)
    return np.kron(np.eye(levels), own) - 1j * (np.kron(up, a - 1j * b) + np.kron(up.T, a + 1j * b))


def numerical_radius(matrix: np.ndarray) -> float:
    """The largest |<x|M|x>|, which no eigenvalue exceeds, on a grid of 16 directions (2 % below it, at most)."""
    turned = (np.exp(2j * np.pi * k / 16) * matrix for k in range(16))
    return max(float(np.linalg.eigvalsh((part + part.conj().T) / 2)[-1]) for part in turned)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(("two_j", "states", "levels"), [(1000, 12, 6), (11, 12, 6), (40, 8, 9)])
def test_no_rate_of_the_generator_is_above_its_bound(group: str, two_j: int, states: int, levels: int) -> None:
    """On part of a spin's states and on all; and each part alone is not overestimated by more than a factor of two."""
    stiffness, random = from_python(window.stiffness), np.random.default_rng(3)
    for _ in range(2):
        c = np.zeros(13)
        c[list(GROUPS[group])] = random.normal(size=len(GROUPS[group]))
        model = np.array([two_j / 2])
        largest = numerical_radius(generator(c, two_j, states, levels))
        assert largest <= stiffness(model, c, states, levels, False) * (1 + 1e-12)  # equal on all of a spin
        if group != "all":
            assert stiffness(model, c, states, levels, False) < 2 * largest
        if not c[9:].any():
            assert stiffness(model, c, states, levels, True) == stiffness(model, c, states, levels, False)


@pytest.mark.parametrize("where", [window, fixed_basis])
def test_a_step_of_the_largest_length_is_stable(where: object) -> None:
    """The classical Runge–Kutta factor of exp(iy), 1 + z + z²/2 + z³/6 + z⁴/24, does not grow up to y = 2√2."""
    y = np.linspace(0.0, where.STABILITY, 10_001)  # type: ignore[attr-defined]
    factor = np.abs(np.polynomial.polynomial.polyval(1j * y, [1, 1, 1 / 2, 1 / 6, 1 / 24]))
    assert factor.max() <= 1 + 1e-15
    assert where.STABILITY > 2  # type: ignore[attr-defined]


def test_the_weight_dropped_is_that_of_what_was_cut_off_relative_to_the_state() -> None:
    """A state of norm² about 3 with crumbs outside what ``tol`` needs: they count once, over the norm, and add up."""
    dynamics = Dynamics(500.0, 1.0, 2.5, 0.5, 1.3, 0.2, 1e-3, 5.0, 10**9)
    still = NoisePath(np.array([1e-9]), np.zeros(1, complex), np.zeros(1, complex))
    state = initial_state(od.SpinCoherent(1.0).frame(), 0.3j, "float64", 1000)
    total = 0.0
    for seed in (1, 2):
        random = np.random.default_rng(seed)
        state.window[BLOCKS], state.window[LEVELS] = 6, 30
        rows = state.buffer.reshape(4, -1, 2, state.window[STRIDE])[0]
        rows[...] = 0
        rows[:30, :, 8:56] = 1e-7 * random.normal(size=(30, 2, 48))
        rows[:2, :, 8:11] = 0.6 * random.choice([-1, 1], size=(2, 2, 3))
        rows[20, 1, 33] = 1e-5  # far out in n and in k
        before = rows.copy()
        propagate(state, dynamics, still, np.full(2, -1), 0)
        kept = int(state.window[BLOCKS]), int(state.window[LEVELS])
        assert kept < (6, 30)
        norm, outside = (before[0] ** 2).sum(), before.copy()
        outside[: kept[1], :, 8 : 8 + 8 * kept[0]] = 0
        assert (outside**2).sum() > 1e-11
        total += (outside**2).sum() / norm
        np.testing.assert_allclose(state.gauge[DROPPED], total, rtol=1e-9)
    assert state.work[SWEEPS] == 8  # one step each, so one look each
