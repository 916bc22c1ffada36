"""A trajectory of the dressed hierarchy: its start, and the function that carries it along a noise path."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opendicke.engine.compile import compiled, inlined
from opendicke.engine.dressed_kernel import OPERATORS, ORDERS, dressed_sweep, workspace
from opendicke.engine.dressing import coefficients, coupling, enough_orders, response, stiffness
from opendicke.engine.frame import moved, orthonormalise, precess
from opendicke.engine.kernels import mean_spin, stage_gap
from opendicke.engine.measure import measure
from opendicke.engine.moving import MovingPath, halves, later, met, turned, turning, with_field
from opendicke.engine.noise import NoisePath
from opendicke.engine.stages import FIRST, LAST, SECOND, THIRD
from opendicke.engine.trajectory import (
    BLOCKS,
    CAPACITY,
    FINE,
    LEVELS,
    MOST_LEVELS,
    MOST_STATES,
    POINTS,
    SPEED,
    STEPS_DONE,
    STRAYED,
    STRIDE,
    SWEEPS,
    Dynamics,
    Outcome,
    TrajectoryState,
    carried,
    fill_decay,
    filled_state,
    fitted,
    tables,
)

Complex = NDArray[np.complex128]

#: States are dropped at this fraction of ``tol``, levels at this one of that, and so many are kept beyond the last one
#: that is not.
CUT, LEVEL_TOL, LEVEL_MARGIN = 0.1, 0.1, 3
#: Entries of ``TrajectoryState.field``: α_G, which shifts the noise, and α_D.
SHIFT, FIELD = 0, 1


@dataclass(frozen=True)
class Coupling:
    """Λ = λ·S and x = −i/w at one moment, and how they act on a vector on |j, j−n> in some frame.

    Args:
        dynamics: parameters; where rates move, ``rates`` are those of the moment: ω_a, ω_c, κ, coupling_x, coupling_y.
        frame: axes (rows).
        psi: the state in whose mean Λ is taken.
    """

    x: complex
    mean: complex
    operator: tuple[complex, complex, complex, complex]
    n_atoms: int

    @classmethod
    def of(cls, rates: NDArray[np.float64], n_atoms: int, frame: NDArray[np.float64], psi: Complex) -> Coupling:
        """With the rates ω_a, ω_c, κ, (g₋ + g₊)/√N, (g₋ − g₊)/√N of the moment, about the mean in ``psi``."""
        x = -1j / complex(rates[2], rates[1])
        p = frame[:, 0] * rates[3] - 1j * frame[:, 1] * rates[4]
        bare = (0.5 * (p[0] + 1j * p[1]), 0.5 * (p[0] - 1j * p[1]), p[2], 0j)
        mean = np.vdot(psi, _acted(psi[None], bare, n_atoms)[0]) / np.vdot(psi, psi)  # of Λ − j p3
        return cls(x, complex(mean + n_atoms / 2 * p[2]), (*bare[:3], -mean), n_atoms)

    def shifted(self, phi: Complex, sign: int, levels: int) -> Complex:
        """exp(± x (Λ − <Λ>) b†) Φ on so many levels, on the states that this reaches."""
        states = min(self.n_atoms + 1, phi.shape[1] + levels)
        found = np.zeros((levels, states), dtype=np.complex128)
        held = min(levels, phi.shape[0])
        found[:held, : phi.shape[1]] = phi[:held]
        term, up = found.copy(), np.sqrt(np.arange(1.0, levels))[:, None]
        for power in range(1, levels):
            term[1:] = sign * self.x / power * up * _acted(term[:-1], self.operator, self.n_atoms)
            term[0] = 0
            found += term
        return found


def _acted(phi: Complex, operator: tuple[complex, ...], n_atoms: int) -> Complex:
    """A tridiagonal operator (lower, upper, slope, offset) on each row of ``phi``, cut to its states."""
    n = np.arange(phi.shape[1])
    found: Complex = (operator[3] - operator[2] * n) * phi
    root = np.sqrt(n[1:] * (n_atoms - n[1:] + 1.0))
    found[:, 1:] += operator[0] * root * phi[:, :-1]
    found[:, :-1] += operator[1] * root * phi[:, 1:]
    return found


def dressed(state: TrajectoryState, rates: NDArray[np.float64], dynamics: Dynamics) -> TrajectoryState:
    """The dressed form of a plain ``state``, one of ``initial_state``; ``rates`` are those of the moment."""
    n_atoms, faintest = round(2 * dynamics.j), CUT * LEVEL_TOL * dynamics.tol
    held = int(state.window[LEVELS])
    phi = state.hierarchy(held)[:, : n_atoms + 1]
    coupling = Coupling.of(rates, n_atoms, state.frame, phi[0])
    filled = 1 + int(np.flatnonzero(np.abs(phi).max(axis=1))[-1])
    levels, reached = filled + 1, math.inf
    while reached > faintest:
        levels += 2
        found = coupling.shifted(phi[:filled], -1, levels)
        reached = float(np.abs(found[-1]).max())
    amplitude = complex(state.field[0])
    field = np.array([amplitude, amplitude - coupling.x * coupling.mean])
    return filled_state(state.frame, field, state.buffer.dtype.name, n_atoms, found)


def undressed(state: TrajectoryState, rates: NDArray[np.float64], n_atoms: int, levels: int) -> tuple[Complex, complex]:
    """Φ on so many levels as the plain hierarchy has it, about the field that is the second answer."""
    phi = state.hierarchy(levels)[:, : n_atoms + 1]
    coupling = Coupling.of(rates, n_atoms, state.frame, phi[0])
    return coupling.shifted(phi, 1, levels), complex(state.field[FIELD] + coupling.x * coupling.mean)


def propagate_dressed(
    state: TrajectoryState,
    dynamics: Dynamics,
    path: NoisePath,
    record_after: NDArray[np.int64],
    rows: int,
    rates: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Carry the ``dressed`` state along ``path``, as ``trajectory.propagate`` does; ``rates`` are those at its start.

    Raises:
        TrajectoryFailure: also where the series of b† needs too many terms.
    """
    skew = None if dynamics.coupling_y == 0 else 1.0
    constants, scratch = dynamics.constants(state.buffer.dtype), np.zeros((3, 3, 3))
    constants[1:6] = rates
    constants[6] *= CUT
    ops = np.zeros((OPERATORS, 4), dtype=np.complex128)
    moving = path.moving.arrays() if isinstance(path, MovingPath) else None

    def run(channels: NDArray[np.float64], step: int, elapsed: float) -> Outcome:
        return _propagate(  # type: ignore[no-any-return]
            state.buffer, state.window, state.frame, state.field, state.work, state.gauge, constants,
            LEVEL_TOL, LEVEL_MARGIN,
            skew, moving, path.steps, path.middle, path.slope, record_after, channels, step, elapsed,
            *tables(state.buffer.dtype, state.window[STRIDE], state.window[CAPACITY], dynamics.j), ops, scratch,
            workspace(state.buffer.dtype, state.window[CAPACITY]),
        )  # fmt: skip

    return carried(state, run, dynamics.memory_limit, path.steps.size, record_after, rows)


@inlined
def _growth(moving, row, time, model):  # type: ignore[no-untyped-def]
    """d(xΛ)/dt along S^x and S^y, where the rates move."""
    if moving is None:
        return 0j, 0j
    rates, x = moving.rates, response(model)
    turn = (rates[row, 1, 2] + 2 * time * rates[row, 2, 2]) + 1j * (rates[row, 1, 1] + 2 * time * rates[row, 2, 1])
    along = rates[row, 1, 3] + 2 * time * rates[row, 2, 3] - 1j * x * model[4] * turn
    across = rates[row, 1, 4] + 2 * time * rates[row, 2, 4] - 1j * x * model[5] * turn
    return x * along, -1j * x * across


@inlined
def _advanced(stage, start, early, late, reach, rate):  # type: ignore[no-untyped-def]
    """A field at the next stage; it decays exactly, with the integrating factors of Φ."""
    if stage == FIRST:
        return early * (start + reach * rate)
    if stage == SECOND:
        return early * start + reach * rate
    return late * (early * start + reach * rate)


# fmt: off
@inlined
def _step(buffer, size, window, frame, field, gauge, dynamics, skew, moving, row, since, left, orders, z, slope,  # type: ignore[no-untyped-def]
          root_n, root_k, decay, ops, scratch, work, psi):
    """One Runge–Kutta step, of at most ``left``; see ``trajectory._step``. Returns its length."""
    phi, t2, t3, t4 = buffer[:size], buffer[size:2 * size], buffer[2 * size:3 * size], buffer[3 * size:4 * size]
    axes, turn, gathered = scratch[0], scratch[1], scratch[2]
    blocks, levels, stride = window[BLOCKS], window[LEVELS], window[STRIDE]
    moved(frame, 0.0, frame, axes)
    moved(frame, -1.0, frame, gathered)
    start, start_d, square = field[SHIFT], field[FIELD], psi[0]
    shift, dressed, final, final_d = start, start_d, 0j, 0j
    h, early, late = 0.0, 1.0 + 0j, 1.0 + 0j
    source, out = phi, t2
    for stage in range(4):
        if stage > FIRST:
            psi = mean_spin(source, blocks, stride, root_n, dynamics[0])
        elapsed = h if stage == LAST else 0.5 * h  # h is still zero at first
        total, push = met(moving, row, since + elapsed, shift, dynamics)
        precessed = turned(moving, row, since, elapsed, dynamics)
        rate, rate_d = coefficients(
            dynamics, dynamics[7], axes, math.cos(precessed), math.sin(precessed), total, dressed + (total - shift),
            z + slope * elapsed, psi[1], psi[2], psi[3], psi[4], ops, orders, skew, turn, push,
            _growth(moving, row, since + elapsed, dynamics))
        if stage == FIRST:
            states = min(blocks * (64 // buffer.itemsize), int(2 * dynamics[0]) + 1)
            fastest = max(stiffness(dynamics, ops, orders, skew, states, levels) / dynamics[9],
                          gauge[SPEED] / dynamics[8])
            if moving is not None:  # a drive may turn the spins faster than any rate that the noise's steps know of
                fastest = max(fastest, turning(turn) / dynamics[8])
            h = left / max(math.ceil(left * fastest), 1)
            early, late = halves(moving, row, since, h, dynamics)
            fill_decay(decay, 0, levels, early)
            if moving is not None:
                fill_decay(decay, decay.size // 2, levels, late)
            final, final_d = early * late * start, early * late * start_d
        if stage == LAST:
            gauge[SPEED] = (4 * math.sqrt(stage_gap(phi, t3, t4, blocks, stride) / square)) ** (1.0 / 3.0) / h
        dressed_sweep(stage, source, phi, t2, t3, out, h, blocks, levels, stride, root_n, root_k, decay, ops, orders,
                      skew, later(moving, decay), work)
        weight = h / 6 if stage in (FIRST, LAST) else h / 3
        reach = h if stage == THIRD else 0.5 * h
        lasting = weight * (early * late if stage == FIRST else (late if stage < LAST else 1.0 + 0j))
        final += lasting * rate
        final_d += lasting * rate_d
        shift = _advanced(stage, start, early, late, reach, rate)
        dressed = _advanced(stage, start_d, early, late, reach, rate_d)
        moved(gathered, weight, turn, gathered)
        moved(frame, reach, turn, axes)
        if stage == FIRST:
            source, out = t2, t3
        elif stage == SECOND:
            source, out = t3, t4
        else:
            source, out = t4, phi
    field[SHIFT], field[FIELD] = final, final_d
    moved(frame, 1.0, gathered, frame)
    whole = turned(moving, row, since, h, dynamics)
    precess(frame, math.cos(whole), math.sin(whole))
    orthonormalise(frame)
    return h


@inlined
def _undress(phi, out, blocks, levels, stride, root_n, ops, x):  # type: ignore[no-untyped-def]
    """Levels 0, 1, 2 of exp(x (Λ − <Λ>) b†) Φ, which are all that the channels need."""
    width = 64 // phi.itemsize
    # Φ₁ + δψ, and Φ₂ + δ(Φ₁ + (Φ₁ + δψ))/√2, with δ = x(Λ − <Λ>)
    for level in range(3):
        to = 2 * level * stride
        for i in range(2 * stride):
            out[to + i] = phi[to + i] if level < levels else 0
        if level == 0:
            continue
        below, factor = to - 2 * stride, x if level == 1 else x / math.sqrt(2.0)
        for n in range(blocks * width):
            value = 0j
            for which in range(3):
                at = width + n + (-1, 1, 0)[which]
                one = complex(phi[below + at], phi[below + at + stride])
                if level == 2:
                    one += complex(out[below + at], out[below + at + stride])
                weight = (ops[0, 0] * root_n[n], ops[0, 1] * root_n[n + 1], ops[0, 3] - ops[0, 2] * n)[which]
                value += weight * one
            out[to + width + n] += (factor * value).real
            out[to + width + n + stride] += (factor * value).imag


@inlined
def _record(buffer, window, frame, field, dynamics, moving, steps, step, root_n, ops, out):  # type: ignore[no-untyped-def]
    """Write the channels at the start of a step, or after the last one, to ``out``."""
    j, size = dynamics[0], 2 * window[STRIDE] * window[CAPACITY]
    psi = mean_spin(buffer, window[BLOCKS], window[STRIDE], root_n, j)
    if step < steps.size:
        met(moving, step, 0.0, field[SHIFT], dynamics)
    elif steps.size > 0:
        met(moving, step - 1, steps[step - 1], field[SHIFT], dynamics)
    x = response(dynamics)
    _, mean = coupling(dynamics, frame, 1.0, 0.0, psi[1], psi[2], psi[3], psi[4], ops)
    _undress(buffer, buffer[size:], window[BLOCKS], window[LEVELS], window[STRIDE], root_n, ops, x)
    total = with_field(moving, step, field[FIELD] + x * mean)
    measure(buffer[size:], window[BLOCKS], 3, window[STRIDE], root_n, j, frame, total, out)


@compiled
def _propagate(  # type: ignore[no-untyped-def]
    buffer, window, frame, field, work, gauge, dynamics, level_tol, margin, skew, moving, steps, middle, slope,
    record_after, channels, first, elapsed, root_n, root_k, decay, ops, scratch, space,
):
    """Run along the path, as ``trajectory._propagate`` does. STRAYED: the series of b† would need too many terms."""
    j, cut = dynamics[0], dynamics[6]
    width, size = 64 // buffer.itemsize, 2 * window[STRIDE] * window[CAPACITY]
    for step in range(first, steps.size + 1):
        if record_after[step] >= 0 and elapsed == 0.0:
            _record(buffer, window, frame, field, dynamics, moving, steps, step, root_n, ops,
                    channels[record_after[step]])
        if step == steps.size:
            break
        whole = steps[step]
        while elapsed < whole * (1 - 1e-12):
            outcome, blocks, levels, psi = fitted(buffer, size, window, gauge, root_n, j, cut, level_tol, margin,
                                                  abs(field[FIELD]))
            if outcome != FINE:
                return outcome, step, elapsed, blocks, levels
            total, push = met(moving, step, elapsed, field[SHIFT], dynamics)
            orders = min(enough_orders(dynamics, total, push, level_tol * cut), levels - 1)
            if orders >= ORDERS:
                return STRAYED, step, elapsed, 0, 0
            h = _step(buffer, size, window, frame, field, gauge, dynamics, skew, moving, step, elapsed, whole - elapsed,
                      orders, middle[step] + slope[step] * (elapsed - 0.5 * whole), slope[step], root_n, root_k, decay,
                      ops, scratch, space, psi)
            elapsed += h
            work[SWEEPS] += 4
            work[POINTS] += 4 * blocks * width * levels
            work[MOST_STATES] = max(work[MOST_STATES], min(blocks * width, int(2 * j) + 1))
            work[MOST_LEVELS] = max(work[MOST_LEVELS], levels)
        work[STEPS_DONE] += 1
        elapsed = 0.0
    return FINE, steps.size, 0.0, 0, 0
# fmt: on
