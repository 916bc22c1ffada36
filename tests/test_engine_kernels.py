"""The SIMD kernels against the plain loops, and the choice between them; the window's bookkeeping."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import opendicke as od
from opendicke.engine import generator, portable, reductions
from opendicke.engine.compile import PORTABLE, from_python
from opendicke.engine.noise import OrnsteinUhlenbeck
from opendicke.engine.stages import FIRST, LAST, SECOND, THIRD
from opendicke.engine.trajectory import Dynamics, fill_decay, initial_state, propagate, tables
from opendicke.engine.window import allocate, clear, enlarge, needed, oscillator_edge

#: The scale of rounding, with up to some ten operations on numbers of order ten.
ROUNDING = {"float64": 1e-13, "float32": 1e-4}
DTYPES = ["float64", "float32"]
TWO_J = 1000


def filled(dtype: str, states: int, levels: int, seed: int = 0) -> tuple[np.ndarray, int, int, int]:
    """A buffer with random Φ and stages in its window: (buffer, blocks, stride, size of one copy)."""
    width = 64 // np.dtype(dtype).itemsize
    blocks = -(-states // width)
    stride, capacity = (blocks + 3) * width, levels + 3
    buffer = allocate(dtype, stride, capacity)
    size, random = 2 * stride * capacity, np.random.default_rng(seed)
    view = buffer.reshape(4, capacity, 2, stride)
    view[:, :levels, :, width : width * (1 + blocks)] = random.normal(size=(4, levels, 2, blocks * width))
    return buffer, blocks, stride, size


def swept(sweep: Any, stage: int, dtype: str, hermitian: bool, levels: int) -> np.ndarray:
    """The buffer after one stage on random numbers."""
    buffer, blocks, stride, size = filled(dtype, 48, levels)
    root_n, root_k, decay = tables(dtype, stride, levels + 3, TWO_J / 2)
    later = decay.size // 2  # the two halves of the step decay differently
    from_python(fill_decay)(decay, 0, levels, np.exp(-0.15 * (0.5 + 2.5j)))
    from_python(fill_decay)(decay, later, levels, np.exp(-0.15 * (0.7 + 1.5j)))
    c = np.random.default_rng(1).normal(size=13) * 0.05
    phi, t2, t3, t4 = (buffer[k * size : (k + 1) * size] for k in range(4))
    source, out = {FIRST: (phi, t2), SECOND: (t2, t3), THIRD: (t3, t4), LAST: (t4, phi)}[stage]
    skew = None if hermitian else 1.0
    tables_of = (root_n, root_k, decay, c, skew, later)
    from_python(sweep)(stage, source, phi, t2, t3, out, 0.3, blocks, levels, stride, *tables_of)
    return buffer


@pytest.mark.parametrize("levels", [1, 2, 17])
@pytest.mark.parametrize("hermitian", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stage", [FIRST, SECOND, THIRD, LAST])
def test_sweeps_agree(stage: int, dtype: str, hermitian: bool, levels: int) -> None:
    ours = swept(generator.sweep, stage, dtype, hermitian, levels)
    theirs = swept(portable.sweep, stage, dtype, hermitian, levels)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=ROUNDING[dtype])
    before = filled(dtype, 48, levels)[0]
    assert np.abs(ours - before).max() > 0.1


def test_the_sweep_is_the_hierarchy() -> None:
    """Against dense matrices: F(Φ) from the difference of two first stages, all 13 coefficients at work."""
    levels, states = 6, 16
    buffer, blocks, stride, size = filled("float64", states, levels, seed=4)
    view = buffer[:size].reshape(-1, 2, stride)
    view[:, :, 8 + states :] = 0
    phi = (view[:levels, 0] + 1j * view[:levels, 1])[:, 8 : 8 + states]
    j, h = (states - 1) / 2, 0.2
    root_n, root_k, decay = tables("float64", stride, levels + 3, j)
    from_python(fill_decay)(decay, 0, levels, 1.0 + 0j)
    c = np.random.default_rng(1).normal(size=13)
    phi0, t2, t3, _ = (buffer[k * size : (k + 1) * size] for k in range(4))
    sweep = from_python(generator.sweep)
    sweep(FIRST, phi0, phi0, t2, t3, t2, h, blocks, levels, stride, root_n, root_k, decay, c, 1.0, 0)
    t2 = t2.reshape(-1, 2, stride)
    got = ((t2[:levels, 0] + 1j * t2[:levels, 1])[:, 8 : 8 + states] - phi) / (h / 2)

    n = np.arange(states)
    lowering = np.diag(np.sqrt(n[1:] * (states - n[1:])), -1)  # S'_- raises n

    def hermitian(at: int) -> np.ndarray:
        half = (c[at] + 1j * c[at + 1]) * lowering
        return half + half.conj().T + np.diag(c[at + 3] - c[at + 2] * n)

    a, b = hermitian(5), hermitian(9)
    own = (c[0] + 1j * c[1]) * lowering + (c[2] + 1j * c[3]) * lowering.T - np.diag(c[4] * n)
    expected = phi @ own.T
    for k in range(levels):
        if k > 0:
            expected[k] -= 1j * np.sqrt(k) * (a - 1j * b) @ phi[k - 1]
        if k + 1 < levels:
            expected[k] -= 1j * np.sqrt(k + 1) * (a + 1j * b) @ phi[k + 1]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", DTYPES)
def test_reductions_agree_with_plain_loops_and_numpy(dtype: str) -> None:
    buffer, blocks, stride, size = filled(dtype, 48, 9)
    root_n, _, _ = tables(dtype, stride, 12, TWO_J / 2)
    ours = from_python(reductions.mean_spin)(buffer, blocks, stride, root_n, TWO_J / 2)
    rtol = 1e-12 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(
        ours, from_python(portable.mean_spin)(buffer, blocks, stride, root_n, TWO_J / 2), rtol=rtol
    )
    width = 64 // buffer.itemsize
    whole = buffer[:size].reshape(-1, 2, stride)[:9, :, width : width + 48].astype(float)
    squares = whole[:, 0] ** 2 + whole[:, 1] ** 2
    np.testing.assert_allclose(ours[0], squares[0].sum(), rtol=rtol)
    np.testing.assert_allclose(ours[4], squares[0] @ np.arange(48) / squares[0].sum(), rtol=rtol)
    for kernels in (reductions, portable):
        for block in range(blocks):
            columns = squares[:, block * width : (block + 1) * width]
            np.testing.assert_allclose(
                from_python(kernels.column_peak)(buffer, block, 9, stride), columns.max(), rtol=rtol
            )
        for level in range(9):
            peak = from_python(kernels.level_peak)(buffer, level, blocks, stride)
            np.testing.assert_allclose(peak, squares[level].max(), rtol=rtol)


@pytest.mark.parametrize("kernels", [reductions, portable])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_nan_keeps_its_place_in_the_window(kernels: Any, dtype: str) -> None:
    """A peak that is not a number is not below any threshold, so what holds it is not dropped."""
    for n in (0, 7, 20, 47):
        buffer, blocks, stride, _ = filled(dtype, 48, 9)
        width = 64 // buffer.itemsize
        buffer[2 * 5 * stride + width + n] = np.nan
        assert not from_python(kernels.column_peak)(buffer, n // width, 9, stride) <= 1e30
        assert not from_python(kernels.level_peak)(buffer, 5, blocks, stride) <= 1e30
        assert from_python(kernels.level_peak)(buffer, 4, blocks, stride) <= 1e30


SCRIPT = """
import numpy as np, opendicke as od
from opendicke.engine import kernels
model = od.DickeModel(n_atoms=40, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.128716, g_plus=0.5)
run = od.solve(model, od.SpinCoherent(np.pi / 4, np.pi), [1.0, 4.0], od.NuHOPS(3, seed=1, tol=1e-6), progress=False)
print(kernels.sweep.__module__, *(repr(float(x)) for name in od.VARIABLES for x in run[name].values.real.flat))
"""


@pytest.mark.slow
def test_the_other_choice_of_kernels_gives_the_same_trajectories(capsys: pytest.CaptureFixture[str]) -> None:
    """In a process of its own: all variables to 1e-9."""
    exec(SCRIPT, {})
    ours = capsys.readouterr().out
    other = "simd" if PORTABLE else "portable"
    environment = os.environ | {"OPENDICKE_KERNELS": other}
    run = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    modules, numbers = zip(*(text.split(maxsplit=1) for text in (ours, run.stdout)), strict=True)
    assert set(modules) == {"opendicke.engine.portable", "opendicke.engine.generator"}
    one, two = (np.array(row.split(), dtype=float) for row in numbers)
    assert one.size == 2 * len(od.VARIABLES)
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


# The window


#: Of the plain hierarchy: levels are dropped at this part of what states are, and so many more are kept.
RULE = (1e-3, 8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_window_holds_what_matters_and_its_margins(dtype: str) -> None:
    """Amplitudes above 1e-4 keep their state and a block more; those above 1e-7 keep their level and eight more."""
    buffer, blocks, stride, size = filled(dtype, 48, 20)
    width = 64 // buffer.itemsize
    buffer[:size] *= 1e-9
    for n, k in ((0, 0), (width, 3), (2 * width - 1, 15), (0, 19)):
        buffer[width] = 1.0
        spot = 2 * k * stride + width + n
        keep = buffer[spot]
        for value, window in ((1e-3, (n // width + 2, k + 9)), (1e-6, (2, k + 9)), (1e-8, (2, 9))):
            buffer[spot] = max(value, buffer[spot] if spot == width else 0.0)
            assert from_python(needed)(buffer, blocks, 20, stride, 1e-8, 100, *RULE) == window
        buffer[spot] = 1e-3
        assert from_python(needed)(buffer, blocks, 20, stride, 1e-4, 1, *RULE) == (1, k + 9)
        buffer[spot] = keep


def test_clearing_drops_and_counts() -> None:
    buffer, blocks, stride, size = filled("float64", 48, 9)
    before = buffer[:size].reshape(-1, 2, stride).copy()
    dropped = from_python(clear)(buffer, size, blocks, 9, stride, 3, 5)
    after = buffer.reshape(4, -1, 2, stride)
    np.testing.assert_array_equal(after[0, :5, :, 8:32], before[:5, :, 8:32])
    assert (after[:, 5:] == 0).all()
    assert (after[:, :, :, 32:] == 0).all()
    np.testing.assert_allclose(dropped, (before**2).sum() - (before[:5, :, 8:32] ** 2).sum(), rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_enlarging_keeps_the_state_and_alignment(dtype: str) -> None:
    buffer, _, stride, size = filled(dtype, 48, 9)
    width = 64 // buffer.itemsize
    new = enlarge(buffer, stride, stride + 4 * width, 20, 9)
    assert new.ctypes.data % 64 == 0
    grown = new[: 2 * 20 * (stride + 4 * width)].reshape(20, 2, -1)
    np.testing.assert_array_equal(grown[:9, :, :stride], buffer[:size].reshape(-1, 2, stride)[:9])
    assert (grown[:, :, stride:] == 0).all()
    assert (grown[9:] == 0).all()


@pytest.mark.parametrize("levels", [1, 2, 3, 10, 100, 400])
def test_the_bound_of_the_oscillator_is_one(levels: int) -> None:
    """It lies above the largest eigenvalue of b + b†, and by less than a fifth."""
    off = np.sqrt(np.arange(1, levels))
    largest = np.linalg.eigvalsh(np.diag(off, 1) + np.diag(off, -1))[-1]
    assert largest <= from_python(oscillator_edge)(levels) < 1.2 * largest + 0.6


# A trajectory's state

DYNAMICS = Dynamics(1.5, 1.0, 2.5, 0.5, 1.3, 0.2, 1e-6, 5.0, 10**9)


def test_a_copy_of_a_trajectory_goes_on_alike() -> None:
    """Run on from a copy, or in two parts: the same numbers, and the original is not touched."""
    path = OrnsteinUhlenbeck(np.full(40, 0.05), 2.5, 0.5).sample(np.random.default_rng(0))
    record = np.full(21, -1)
    record[-1] = 0
    state = initial_state(od.SpinCoherent(1.0).frame(), 0.3j, "float64", 3)
    propagate(state, DYNAMICS, path.part(0, 20), record, 1)
    clone, before = state.copy(), state.psi()
    one = propagate(clone, DYNAMICS, path.part(20, 40), record, 1)
    np.testing.assert_array_equal(state.psi(), before)
    np.testing.assert_array_equal(propagate(state, DYNAMICS, path.part(20, 40), record, 1), one)


def test_nothing_leaves_the_spin() -> None:
    """Amplitudes beyond n = N stay exactly zero, and the frame stays orthonormal and right-handed."""
    path = OrnsteinUhlenbeck(np.full(200, 0.05), 2.5, 0.5).sample(np.random.default_rng(0))
    state = initial_state(od.SpinCoherent(1.0).frame(), 0.3j, "float64", 3)
    propagate(state, DYNAMICS, path, np.full(201, -1), 0)
    assert (state.psi()[4:] == 0).all()
    assert abs(state.psi()[3]) > 0
    np.testing.assert_allclose(state.frame @ state.frame.T, np.eye(3), rtol=0, atol=1e-13)
    assert np.linalg.det(state.frame) > 0
