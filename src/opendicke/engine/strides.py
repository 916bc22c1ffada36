"""A trajectory in which the cavity follows the spins, in strides that are set by the spins: see ``retarded``.

One stride: the fine quantities are carried along the noise, with moments of ψ foretold from their last motion; what
was added up is exp(Ω) on the window, by the fourth-order commutator-free Magnus method (S. Blanes and P. C. Moan,
Appl. Numer. Math. 56, 1519 (2006)) with the exact integrals; in its middle stands what the levels do where they follow;
with the moments found, the fine quantities are carried once more; the boost in their propagator goes to the window, its
rotation into the frame.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.bands import PAD, add_product, exponentiate, linear
from opendicke.engine.compile import compiled, inlined
from opendicke.engine.kernels import column_peak, mean_spin
from opendicke.engine.measure import CHANNELS
from opendicke.engine.moving import MovingPath
from opendicke.engine.noise import NoisePath
from opendicke.engine.retarded import MOMENTS, boost, carry
from opendicke.engine.stride_state import (
    follow,
    generator,
    moments_of,
    record,
    turn,
    turn_moments,
    turn_response,
)
from opendicke.engine.trajectory import Dynamics, TrajectoryFailure

#: Outcomes of ``_propagate``.
FINE, NOT_FINITE, CROWDED = 0, 1, 2
#: Entries of ``StrideState.work``: applications of an operator to ψ, strides, strides done anew, most states, noise
#: steps completed.
APPLIED, STRIDES, AGAIN, MOST_STATES, STEPS_DONE = 0, 1, 2, 3, 4
#: The frame is turned back to the mean spin by so much a stride at most: the size of the operator that does it.
MOST_TURN = 200.0
#: A stride is so long that the mean spin at its end is foretold to √tol times this, relative to j; where that fails by
#: the factor ``POOR`` it is done anew with what was found.
FORETOLD, POOR, TRIES = 0.3, 4.0, 3
#: Strides change in length by these factors at most; the first is the last of them times the longest.
SHRINK, GROW, CAREFUL = 0.4, 1.5, 0.125
#: The boost of a stride times the width of ψ: <Λ> is known to the third cumulant in it.
MOST_SWEPT = 0.5
#: Noise steps are put together up to this angle.
FINE_TURN = 0.5
#: The window reaches this much further than ψ, and two blocks more; a stride in which ψ comes to its end is done anew
#: in a wider one, up to so much.
SPARE, WIDER, MOST_SPARE = 0.2, 1.6, 8.0


@dataclass
class StrideState:
    """A trajectory at one moment.

    Args:
        phi: ψ on |j, j−n> along the third row of ``frame``, two rows as in ``bands``.
        blocks: of the window, shape (1,).
        frame: axes (rows).
        field: α, α_D, v (3), and the <Λ> before the last with how long before.
        trend: how fast the moments of ψ moved last, and how long the next stride is to be.
        work: counters.
        levels: the largest ‖Φ₁‖² so far.
    """

    phi: NDArray[np.float64]
    blocks: NDArray[np.int64]
    frame: NDArray[np.float64]
    field: NDArray[np.complex128]
    trend: NDArray[np.float64] = dataclasses.field(default_factory=lambda: np.zeros(MOMENTS + 1))
    work: NDArray[np.int64] = dataclasses.field(default_factory=lambda: np.zeros(5, dtype=np.int64))
    levels: NDArray[np.float64] = dataclasses.field(default_factory=lambda: np.zeros(1))

    def psi(self) -> NDArray[np.complex128]:
        """The state on |j, j−n> along e3, n = 0 …: normalised, shape (states in the window,)."""
        rows = self.phi.reshape(2, -1)[:, PAD : PAD + 8 * int(self.blocks[0])]
        state = rows[0] + 1j * rows[1]
        normalised: NDArray[np.complex128] = state / np.linalg.norm(state)
        return normalised


def start(frame: NDArray[np.float64], amplitude: complex, spin: NDArray[np.complex128] | None = None) -> StrideState:
    """ψ = ``spin`` (|0> without) along the third row of ``frame``, the cavity coherent with ``amplitude``."""
    spin = np.ones(1, dtype=np.complex128) if spin is None else spin
    blocks = max(2, -(-spin.size // PAD))
    phi = np.zeros((2, (blocks + 6) * PAD))
    phi[:, PAD : PAD + spin.size] = spin.real, spin.imag
    field = np.array([amplitude, amplitude, 0, 0, 0, 0, 0], dtype=np.complex128)
    return StrideState(phi.ravel(), np.array([blocks]), frame.astype(np.float64), field)


def propagate_strides(
    state: StrideState,
    dynamics: Dynamics,
    longest: float,
    fastest: float,
    path: NoisePath,
    record_after: NDArray[np.int64],
    rows: int,
) -> NDArray[np.float64]:
    """Carry ``state`` along ``path`` in place, as ``trajectory.propagate`` does, in strides of at most ``longest``.

    Noise steps are put together to fine ones as long as these times the rate ``fastest`` stay small.

    Raises:
        TrajectoryFailure: at a non-finite number, or when the window outgrows the memory limit.
    """
    channels = np.full((rows, CHANNELS), np.nan)
    constants = dynamics.constants(np.dtype(np.float64))
    moving = path.moving.arrays() if isinstance(path, MovingPath) else None
    if moving is not None and path.steps.size:
        constants[1:6] = moving.rates[0, 0, :5]
    angle = fastest * float(path.steps.max(initial=0.0))
    merge = max(1, int(FINE_TURN / angle)) if angle > 0 else 1
    outcome, step = CROWDED, 0
    while outcome == CROWDED:
        stride = state.phi.size // 2
        n = np.arange(stride)
        root_n = np.concatenate([np.sqrt(np.maximum(n * (2 * dynamics.j - n + 1.0), 0.0)), np.arange(float(PAD))])
        outcome, step, blocks = _propagate(
            state.phi, np.zeros(20 * stride), state.blocks, state.frame, state.field, state.trend, state.work,
            state.levels, constants, moving, dynamics.j, dynamics.tol, longest, merge, path.steps, path.middle,
            record_after, channels, step, root_n, np.zeros(4096), np.zeros((3, 4, 4), dtype=np.complex128),
            np.zeros((3, MOMENTS)), np.zeros((6, 4), dtype=np.complex128), np.zeros(7, dtype=np.complex128),
        )  # fmt: skip
        if outcome == CROWDED:
            wider = (blocks + blocks // 2 + 4) * PAD
            if 22 * 8 * wider > dynamics.memory_limit:
                raise TrajectoryFailure(f"a window of {blocks * PAD} states, over the memory limit", step)
            fresh = np.zeros((2, wider))
            fresh[:, :stride] = state.phi.reshape(2, -1)
            state.phi = fresh.ravel()
    if outcome == NOT_FINITE or not np.isfinite(channels[record_after[record_after >= 0]]).all():
        raise TrajectoryFailure("a number that is not finite", step)
    return channels


# fmt: off
@inlined
def _reach(steps, record_after, step, wish):  # type: ignore[no-untyped-def]
    """The noise step at whose start a stride of about that length ends, and its length; it stops where one records."""
    end, whole = step, 0.0
    while end == step or (end < steps.size and record_after[end] < 0 and whole + 0.5 * steps[end] < wish):
        whole += steps[end]
        end += 1
    return end, whole


@inlined
def _fit(phi, window, stride, max_blocks, spare, tol, work):  # type: ignore[no-untyped-def]
    """Set the window to what ψ needs; returns that, larger than the memory allows if negative."""
    blocks = window[0]
    last = blocks - 1
    while last > 0 and column_peak(phi, last, 1, stride) <= tol * tol:
        last -= 1
    wanted = min(max_blocks, last + 2 + int(last * spare))
    if (wanted + 3) * 8 > stride:
        return -wanted
    for n in range(8 * wanted, 8 * blocks):
        phi[PAD + n], phi[PAD + n + stride] = 0.0, 0.0
    window[0] = wanted
    work[MOST_STATES] = max(work[MOST_STATES], 8 * wanted)
    return wanted


@inlined
def _finish(m, phi, one, two, bands, table, blocks, stride, root_n, j, frame, down, s1, s2, field, ops, work):  # type: ignore[no-untyped-def]
    """What m does: its boost to ψ, its rotation to the frame and v; then e3 is turned to the mean spin, and ψ back.

    Returns the rotation.
    """
    e0, e1, e2, u0, u1 = boost(m)
    first = u0, u1
    linear(e0, e1, e2, 0j, frame, down, s1, s2, ops[0])
    turn_response(m, field)
    for realigning in range(2):
        if realigning == 1:
            _, s1, s2, s3, _ = mean_spin(phi, blocks, stride, root_n, j)
            steady = max(s3, 0.5 * j)
            x, y = s2 / steady, -s1 / steady
            size = math.sqrt(x * x + y * y)
            if size < 1e-12:
                break
            part = min(1.0, MOST_TURN / (size * max(root_n[8 * blocks], root_n[8 * blocks - 1], 1.0)))
            x, y, size = part * x, part * y, part * size
            ops[0, 0], ops[0, 1], ops[0, 2], ops[0, 3] = -0.5j * (x + 1j * y), -0.5j * (x - 1j * y), 0j, 0j
            sine = -math.sin(0.5 * size) / size
            a = sine * (x * frame[0, 0] + y * frame[1, 0])
            b = sine * (x * frame[0, 1] + y * frame[1, 1])
            c = sine * (x * frame[0, 2] + y * frame[1, 2])
            u0, u1 = complex(math.cos(0.5 * size), -c), complex(-b, -a)
        for i in range(10 * stride):
            bands[i] = 0
        ops[1, 0], ops[1, 1], ops[1, 2], ops[1, 3] = 0j, 0j, 0j, 1 + 0j
        add_product(bands, ops[1], ops[0], 8 * blocks, stride, root_n)
        work[APPLIED] += exponentiate(phi, one, two, bands, blocks, stride, table)
        turn(u0, u1, frame)
    return first


@inlined
def _through(  # type: ignore[no-untyped-def]
    phi, old, one, two, bands, field, fields, work, largest, model, moving, steps, middle, step, end, whole, merge,
    goal, frame, down, s1, s2, j, blocks, stride, root_n, table, sums, moments, ops,
):
    """ψ through one stride but for what m does to it; returns m, and how well the mean spin was foretold."""
    w, row = complex(model[3], model[2]), 2 * stride
    foretold, settled, m = 0.0, False, (1.0 + 0j, 0j, 0j, 1.0 + 0j)
    for attempt in range(TRIES + 1):
        fields[:] = field
        m = carry(steps, middle, moving, step, end, merge, fields, model, moments[0], moments[1], sums)
        if settled:
            break
        if attempt > 0:
            work[AGAIN] += 1
            for i in range(row):
                phi[i] = old[i]
        for half in range(2):
            generator(bands, sums, 4.0 * half - 2.0, frame, down, s1, s2, ops, blocks, stride, root_n)
            work[APPLIED] += exponentiate(phi, one, two, bands, blocks, stride, table)
            if half == 0:
                level = follow(phi, bands, sums[2], whole, w, moments[0], frame, down, s1, s2, ops, blocks, stride,
                               root_n)
                largest[0] = max(largest[0], level)
        moments_of(phi, one, two, blocks, stride, frame, j, root_n, ops, moments[2])
        missed = 0.0
        for i in range(MOMENTS):
            change = moments[2, i] - moments[0, i]
            if i < 3:
                missed = max(missed, abs(change - moments[1, i]) / j)
            moments[1, i] = change
        if attempt == 0:
            foretold = missed
        settled = missed <= POOR * goal or attempt == TRIES - 1
    return m, foretold


@compiled
def _propagate(  # type: ignore[no-untyped-def]
    phi, space, window, frame, field, trend, work, largest, model, moving, j, tol, longest, merge, steps, middle,
    record_after, channels, step, root_n, table, sums, moments, ops, fields,
):
    """Run along the path from noise step ``step`` on. Returns (outcome, step, blocks)."""
    stride = phi.size // 2
    row = 2 * stride
    old, one, two, bands = space[:row], space[row:2 * row], space[2 * row:3 * row], space[3 * row:]
    max_blocks, goal = -(-(int(2 * j) + 1) // 8), FORETOLD * math.sqrt(tol)
    spare = SPARE
    while True:
        square, _, _, _, down = mean_spin(phi, window[0], stride, root_n, j)
        if not (math.isfinite(square) and math.isfinite(down) and math.isfinite(abs(field[0]))):
            return NOT_FINITE, step, 0
        for i in range(row):
            phi[i] /= math.sqrt(square)
        blocks = _fit(phi, window, stride, max_blocks, spare, tol, work)
        if blocks < 0:
            return CROWDED, step, -blocks
        if record_after[step] >= 0:
            record(phi, space, blocks, stride, root_n, j, frame, field, model, moving, step, ops,
                   channels[record_after[step]])
        if step == steps.size:
            return FINE, step, 0
        wish = trend[MOMENTS] if trend[MOMENTS] > 0 else CAREFUL * longest
        end, whole = _reach(steps, record_after, step, wish)
        for i in range(row):
            old[i] = phi[i]
        s1, s2, down = moments_of(phi, one, two, blocks, stride, frame, j, root_n, ops, moments[0])
        for i in range(MOMENTS):
            moments[1, i] = whole * trend[i]
        m, foretold = _through(phi, old, one, two, bands, field, fields, work, largest, model, moving, steps, middle,
                               step, end, whole, merge, goal, frame, down, s1, s2, j, blocks, stride, root_n, table,
                               sums, moments, ops)
        full = not column_peak(phi, blocks - 1, 1, stride) <= tol * tol
        if full and min(max_blocks - blocks, MOST_SPARE - spare) > 0:
            spare *= WIDER
            work[AGAIN] += 1
            for i in range(row):
                phi[i] = old[i]
            continue
        spare = SPARE
        field[:] = fields
        u0, u1 = _finish(m, phi, one, two, bands, table, blocks, stride, root_n, j, frame, down, s1, s2, field, ops,
                         work)
        for i in range(MOMENTS):
            trend[i] = moments[1, i] / whole if i < 9 else 0.0
        turn_moments(u0, u1, trend)
        factor = min(GROW, max(SHRINK, math.sqrt(goal / max(foretold, 1e-300))))
        e0, e1, e2, _, _ = boost(m)
        swept = math.sqrt((e0 * e0 + e1 * e1 + e2 * e2) * (moments[0, 3] + moments[0, 6] + moments[0, 8]))
        trend[MOMENTS] = min(longest, max(wish, whole) * min(factor, max(SHRINK, MOST_SWEPT / max(swept, 1e-300))))
        work[STRIDES] += 1
        work[STEPS_DONE] += end - step
        step = end
# fmt: on
