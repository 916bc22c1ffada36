"""One trajectory: a state, and the function that carries it along a noise path."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from opendicke.engine.compile import compiled, inlined
from opendicke.engine.frame import COEFFICIENTS, coefficients, moved, orthonormalise, precess
from opendicke.engine.kernels import mean_spin, stage_gap, sweep
from opendicke.engine.measure import CHANNELS, measure
from opendicke.engine.moving import MovingPath, halves, later, met, turned, turning, with_field
from opendicke.engine.noise import NoisePath
from opendicke.engine.stages import FIRST, LAST, SECOND, THIRD
from opendicke.engine.window import (
    LEVEL_MARGIN,
    LEVEL_TOL,
    allocate,
    clear,
    demands,
    enlarge,
    needed,
    stiffness,
    swing,
)

#: Outcomes of ``_propagate``, and why a trajectory cannot be carried on.
FINE, NOT_FINITE, CROWDED, STRAYED = 0, 1, 2, 3
REASONS = {NOT_FINITE: "a number that is not finite", STRAYED: "its field does not follow the spin closely enough"}
#: Outcome, step, time since its start, blocks and levels.
Outcome = tuple[int, int, float, int, int]

#: Entries of ``TrajectoryState.window``.
BLOCKS, LEVELS, STRIDE, CAPACITY = 0, 1, 2, 3
#: Entries of ``TrajectoryState.work``: right-hand sides, points swept, largest n and k, steps completed.
SWEEPS, POINTS, MOST_STATES, MOST_LEVELS, STEPS_DONE = 0, 1, 2, 3, 4
#: Entries of ``TrajectoryState.gauge``: weight dropped from the window so far, and how fast ψ turns in its frame.
DROPPED, SPEED = 0, 1


class TrajectoryFailure(RuntimeError):
    """A trajectory could not be carried on; ``step`` is the noise step at which it stopped."""

    def __init__(self, reason: str, step: int) -> None:
        super().__init__(reason)
        self.step = step


@dataclass(frozen=True)
class Dynamics:
    """Numbers that stay the same along a trajectory.

    ``coupling_x`` = (g₋ + g₊)/√N and ``coupling_y`` = (g₋ − g₊)/√N multiply S^x and S^y in Λ. ``weakly_damped``: faint
    components may come back, so they are kept and resolved (see ``window``).
    """

    j: float
    omega_a: float
    omega_c: float
    kappa: float
    coupling_x: float
    coupling_y: float
    tol: float
    feedback: float
    memory_limit: int
    weakly_damped: bool = False

    @property
    def rates(self) -> NDArray[np.float64]:
        """ω_a, ω_c, κ and the couplings of S^x and S^y."""
        return np.array([self.omega_a, self.omega_c, self.kappa, self.coupling_x, self.coupling_y])

    def constants(self, dtype: np.dtype[np.floating]) -> NDArray[np.float64]:
        """The numbers in the order in which the compiled code reads them, for amplitudes of type ``dtype``."""
        rates = (self.j, self.omega_a, self.omega_c, self.kappa, self.coupling_x, self.coupling_y)
        cut, reach = demands(self.tol, dtype, self.weakly_damped)
        return np.array([*rates, cut, self.feedback, swing(self.tol), reach], dtype=np.float64)


@dataclass
class TrajectoryState:
    """Everything that a trajectory is at one moment (copy it to clone the trajectory)."""

    buffer: NDArray[np.floating]
    window: NDArray[np.int64]
    frame: NDArray[np.float64]
    field: NDArray[np.complex128]
    work: NDArray[np.int64] = dataclasses.field(default_factory=lambda: np.zeros(5, dtype=np.int64))
    gauge: NDArray[np.float64] = dataclasses.field(default_factory=lambda: np.zeros(2))

    def copy(self) -> TrajectoryState:
        """An independent copy."""
        # The buffer must stay aligned, so it is allocated anew and filled.
        buffer = allocate(self.buffer.dtype, self.window[STRIDE], self.window[CAPACITY])
        buffer[:] = self.buffer
        return replace(
            self,
            buffer=buffer,
            window=self.window.copy(),
            frame=self.frame.copy(),
            field=self.field.copy(),
            work=self.work.copy(),
            gauge=self.gauge.copy(),
        )

    def psi(self) -> NDArray[np.complex128]:
        """The physical state on |j, j−n> along e3, n = 0 …: normalised, shape (states in the window,)."""
        width = 64 // self.buffer.itemsize
        rows = self.buffer[: 2 * self.window[STRIDE]].reshape(2, -1)[:, width : width * (1 + self.window[BLOCKS])]
        state = rows[0].astype(np.float64) + 1j * rows[1]
        normalised: NDArray[np.complex128] = state / np.linalg.norm(state)
        return normalised

    def hierarchy(self, levels: int) -> NDArray[np.complex128]:
        """Φ on the levels 0 … ``levels`` − 1, as far as they are in the window: (levels, states in the window)."""
        width, held = 64 // self.buffer.itemsize, min(levels, int(self.window[LEVELS]))
        rows = self.buffer[: 2 * held * self.window[STRIDE]].reshape(held, 2, -1).astype(np.float64)
        inside = rows[:, :, width : width * (1 + self.window[BLOCKS])]
        found: NDArray[np.complex128] = inside[:, 0] + 1j * inside[:, 1]
        return found


def initial_state(
    frame: NDArray[np.float64],
    amplitude: complex,
    dtype: str,
    two_j: int,
    spin: NDArray[np.complex128] | None = None,
    levels: NDArray[np.complex128] | None = None,
) -> TrajectoryState:
    """Φ_{k,n} = ``levels``[k] ``spin``[n] on |j, j−n> along e3 (row 2 of ``frame``), cavity field ``amplitude``.

    Without ``spin`` it is |0>, without ``levels`` the hierarchy is empty.
    """
    one = np.ones(1, dtype=np.complex128)
    phi = np.outer(one if levels is None else levels, one if spin is None else spin)
    return filled_state(frame, np.array([amplitude], dtype=np.complex128), dtype, two_j, phi)


def filled_state(
    frame: NDArray[np.float64], field: NDArray[np.complex128], dtype: str, two_j: int, phi: NDArray[np.complex128]
) -> TrajectoryState:
    """The state with Φ = ``phi``, (levels, states)."""
    levels, states = phi.shape
    width = 64 // np.dtype(dtype).itemsize
    blocks = min(max(2, -(-states // width)), -(-(two_j + 1) // width))
    stride, capacity = (max(blocks, 6) + 2) * width, max(40, levels + 2 * LEVEL_MARGIN)
    buffer = allocate(dtype, stride, capacity)
    rows = buffer[: 2 * stride * levels].reshape(levels, 2, stride)[:, :, width : width + states]
    rows[:, 0], rows[:, 1] = phi.real, phi.imag
    window = np.array([blocks, levels + LEVEL_MARGIN, stride, capacity], dtype=np.int64)
    return TrajectoryState(buffer, window, frame.astype(np.float64), field)


def propagate(
    state: TrajectoryState, dynamics: Dynamics, path: NoisePath, record_after: NDArray[np.int64], rows: int
) -> NDArray[np.float64]:
    """Carry ``state`` along ``path`` in place; return the channels at the steps asked for.

    Args:
        state: where to start; afterwards, where it ended.
        dynamics: parameters.
        path: noise.
        record_after: for the start and for each step's end, the row of the answer to fill, or −1: (steps + 1,).
        rows: rows of the answer.

    Returns:
        Channels, shape (rows, CHANNELS).

    Raises:
        TrajectoryFailure: at a non-finite number, or when the window outgrows the memory limit.
    """
    skew = None if dynamics.coupling_y == 0 else 1.0
    constants, c, scratch = dynamics.constants(state.buffer.dtype), np.zeros(COEFFICIENTS), np.zeros((3, 3, 3))
    moving = path.moving.arrays() if isinstance(path, MovingPath) else None

    def run(channels: NDArray[np.float64], step: int, elapsed: float) -> Outcome:
        return _propagate(  # type: ignore[no-any-return]
            state.buffer, state.window, state.frame, state.field, state.work, state.gauge, constants, skew, moving,
            path.steps, path.middle, path.slope, record_after, channels, step, elapsed,
            *tables(state.buffer.dtype, state.window[STRIDE], state.window[CAPACITY], dynamics.j), c, scratch,
        )  # fmt: skip

    return carried(state, run, dynamics.memory_limit, path.steps.size, record_after, rows)


def carried(
    state: TrajectoryState,
    run: Callable[[NDArray[np.float64], int, float], Outcome],
    memory_limit: int,
    steps: int,
    record_after: NDArray[np.int64],
    rows: int,
) -> NDArray[np.float64]:
    """Channels from ``run``, which is given more room whenever it asks for it; see ``propagate``."""
    channels = np.full((rows, CHANNELS), np.nan)
    outcome, step, elapsed = CROWDED, 0, 0.0
    while outcome == CROWDED:
        outcome, step, elapsed, blocks, levels = run(channels, step, elapsed)
        if outcome == CROWDED:
            _make_room(state, blocks, levels, memory_limit, step)
    if outcome != FINE:
        raise TrajectoryFailure(REASONS[outcome], step)
    if not np.isfinite(channels[record_after[record_after >= 0]]).all():  # it may have come up in the last step
        raise TrajectoryFailure(REASONS[NOT_FINITE], steps)
    return channels


def _make_room(state: TrajectoryState, blocks: int, levels: int, memory_limit: int, step: int) -> None:
    """Give ``state`` a buffer that holds a window of so many blocks and levels, and some more."""
    width = 64 // state.buffer.itemsize
    stride = max(int(state.window[STRIDE]), (blocks + blocks // 2 + 2) * width)
    capacity = max(int(state.window[CAPACITY]), levels + levels // 2)
    if 8.0 * stride * capacity * state.buffer.itemsize > memory_limit:
        raise TrajectoryFailure(f"a window of {blocks * width} states x {levels} levels, over the memory limit", step)
    state.buffer = enlarge(state.buffer, state.window[STRIDE], stride, capacity, state.window[LEVELS])
    state.window[STRIDE], state.window[CAPACITY] = stride, capacity


def tables(dtype: DTypeLike, stride: int, capacity: int, j: float) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """sqrt(n(N−n+1)) with the lane numbers behind it, sqrt(k), and room for ``fill_decay``."""
    n, lane = np.arange(stride), np.arange(64 // np.dtype(dtype).itemsize)
    root_n = np.concatenate([np.sqrt(np.maximum(n * (2 * j - n + 1), 0.0)), lane]).astype(dtype)
    root_k = np.sqrt(np.arange(capacity + 2)).astype(dtype)
    return root_n, root_k, np.empty(4 * capacity, dtype=dtype)


@inlined
def fill_decay(decay, first, levels, one):  # type: ignore[no-untyped-def]
    """Re and Im of the powers of ``one``, from position ``first`` on."""
    value = 1.0 + 0j
    for k in range(levels):
        decay[first + 2 * k], decay[first + 2 * k + 1] = value.real, value.imag
        value *= one


# fmt: off
@inlined
def _step(buffer, size, window, frame, field, dynamics, skew, moving, row, since, early, late, h, z, slope, root_n,  # type: ignore[no-untyped-def]
          root_k, decay, c, scratch, psi):
    """One Runge–Kutta step of length h with the noise z + slope·(time since the start of the step).

    Returns the rate at which ψ turned, which sets how long the next step may be.
    ``early`` and ``late`` are the factors by which α decays in its halves. ``moving``: None, or what changes in time,
    at ``row``, ``since`` after the start of the noise step; the rates in ``dynamics`` are then left as they are last.
    ``psi`` is ``mean_spin`` of Φ, known already. ``scratch`` is (frame of the stage, its derivative, sum).
    """
    phi, t2, t3, t4 = buffer[:size], buffer[size:2 * size], buffer[2 * size:3 * size], buffer[3 * size:4 * size]
    axes, turn, gathered = scratch[0], scratch[1], scratch[2]
    blocks, levels, stride = window[BLOCKS], window[LEVELS], window[STRIDE]
    moved(frame, 0.0, frame, axes)
    moved(frame, -1.0, frame, gathered)
    # α decays exactly, with the same integrating factors as Φ.
    start, square = field[0], psi[0]
    amplitude, final, speed = start, early * late * start, 0.0
    source, out = phi, t2
    for stage in range(4):
        if stage == LAST:
            # ψ turns by x in the step: (h/2)(k3 − k2) has size x³/8, and the step's own error is about x⁵/120
            speed = (4 * math.sqrt(stage_gap(phi, t3, t4, blocks, stride) / square)) ** (1.0 / 3.0) / h
        if stage > FIRST:
            psi = mean_spin(source, blocks, stride, root_n, dynamics[0])
        elapsed = 0.0 if stage == FIRST else (h if stage == LAST else 0.5 * h)
        z_now = z + slope * elapsed
        total, push = met(moving, row, since + elapsed, amplitude, dynamics)
        precessed = turned(moving, row, since, elapsed, dynamics)
        rate = coefficients(dynamics, dynamics[7], axes, math.cos(precessed), math.sin(precessed), total, z_now,
                            psi[1], psi[2], psi[3], psi[4], c, turn, push)
        sweep(stage, source, phi, t2, t3, out, h, blocks, levels, stride, root_n, root_k, decay, c, skew,
              later(moving, decay))
        weight = h / 6 if stage in (FIRST, LAST) else h / 3
        reach = h if stage == THIRD else 0.5 * h
        if stage == FIRST:
            amplitude = early * (start + reach * rate)
            final += weight * early * late * rate
        elif stage == LAST:
            final += weight * rate
        else:
            amplitude = early * start + reach * rate if stage == SECOND else late * (early * start + reach * rate)
            final += weight * late * rate
        moved(gathered, weight, turn, gathered)
        moved(frame, reach, turn, axes)
        if stage == FIRST:
            source, out = t2, t3
        elif stage == SECOND:
            source, out = t3, t4
        else:
            source, out = t4, phi
    field[0] = final
    moved(frame, 1.0, gathered, frame)
    whole = turned(moving, row, since, h, dynamics)
    precess(frame, math.cos(whole), math.sin(whole))
    orthonormalise(frame)
    return speed


@inlined
def _rescale(phi, size, factor):  # type: ignore[no-untyped-def]
    for at in range(size):
        phi[at] *= factor


@inlined
def fitted(buffer, size, window, gauge, root_n, j, cut, level_tol, margin, field):  # type: ignore[no-untyped-def]
    """Make the window fit Φ, and bring Φ's norm back near one; ``cut``, ``level_tol`` and ``margin`` as in ``window``.

    Returns (outcome, blocks, levels, mean spin). NOT_FINITE: so is a number of ψ, or ``field``. CROWDED: as in
    ``_propagate``.
    """
    width = 64 // buffer.itemsize
    max_blocks = -(-(int(2 * j) + 1) // width)
    psi = mean_spin(buffer, window[BLOCKS], window[STRIDE], root_n, j)
    if not (math.isfinite(psi[0]) and math.isfinite(psi[4]) and math.isfinite(field)):
        return NOT_FINITE, 0, 0, psi
    if psi[0] > 4.0 or psi[0] < 0.25:
        _rescale(buffer, window[LEVELS] * 2 * window[STRIDE], 1 / math.sqrt(psi[0]))
        psi = mean_spin(buffer, window[BLOCKS], window[STRIDE], root_n, j)
    blocks, levels = needed(buffer, window[BLOCKS], window[LEVELS], window[STRIDE], cut * cut * psi[0], max_blocks,
                            level_tol, margin)
    if (blocks + 2) * width > window[STRIDE] or levels > window[CAPACITY]:
        return CROWDED, blocks, levels, psi
    if blocks < window[BLOCKS] or levels < window[LEVELS]:
        gauge[DROPPED] += clear(buffer, size, window[BLOCKS], window[LEVELS], window[STRIDE], blocks, levels) / psi[0]
    window[BLOCKS], window[LEVELS] = blocks, levels
    return FINE, blocks, levels, psi


@compiled
def _propagate(  # type: ignore[no-untyped-def]
    buffer, window, frame, field, work, gauge, dynamics, skew, moving, steps, middle, slope, record_after, channels,
    first, elapsed, root_n, root_k, decay, c, scratch,
):
    """Run along the path, from ``elapsed`` after the start of step ``first``.

    Returns (outcome, step, elapsed, blocks, levels). CROWDED: the buffer is too small for a window of so many blocks
    and levels; with a larger one, go on from there.
    """
    j, cut, swing, reach = dynamics[0], dynamics[6], dynamics[8], dynamics[9]
    width, size = 64 // buffer.itemsize, 2 * window[STRIDE] * window[CAPACITY]
    for step in range(first, steps.size + 1):
        if record_after[step] >= 0 and elapsed == 0.0:
            measure(buffer, window[BLOCKS], window[LEVELS], window[STRIDE], root_n, j, frame,
                    with_field(moving, step, field[0]), channels[record_after[step]])
        if step == steps.size:
            break
        whole = steps[step]
        while elapsed < whole * (1 - 1e-12):
            outcome, blocks, levels, psi = fitted(buffer, size, window, gauge, root_n, j, cut, LEVEL_TOL, LEVEL_MARGIN,
                                                  field[0].real)
            if outcome != FINE:
                return outcome, step, elapsed, blocks, levels
            states = min(blocks * width, int(2 * j) + 1)
            z = middle[step] + slope[step] * (elapsed - 0.5 * whole)
            total, push = met(moving, step, elapsed, field[0], dynamics)
            coefficients(dynamics, dynamics[7], frame, 1.0, 0.0, total, z, psi[1], psi[2], psi[3], psi[4], c,
                         scratch[1], push)
            fastest = max(stiffness(dynamics, c, states, levels, skew is None) / reach, gauge[SPEED] / swing)
            if moving is not None:  # a drive may turn the spins faster than any rate that the noise's steps know of
                fastest = max(fastest, turning(scratch[1]) / swing)
            h = (whole - elapsed) / max(math.ceil((whole - elapsed) * fastest), 1)
            early, late = halves(moving, step, elapsed, h, dynamics)
            fill_decay(decay, 0, levels, early)
            if moving is not None:
                fill_decay(decay, decay.size // 2, levels, late)
            gauge[SPEED] = _step(buffer, size, window, frame, field, dynamics, skew, moving, step, elapsed, early, late,
                                 h, z, slope[step], root_n, root_k, decay, c, scratch, psi)
            elapsed += h
            work[SWEEPS] += 4
            work[POINTS] += 4 * blocks * width * levels
            work[MOST_STATES] = max(work[MOST_STATES], states)
            work[MOST_LEVELS] = max(work[MOST_LEVELS], levels)
        work[STEPS_DONE] += 1
        elapsed = 0.0
    return FINE, steps.size, 0.0, 0, 0
# fmt: on
