r"""Where the mean-field flow ends: fixed points, limit cycles, chaos; Lyapunov exponents.

.. math::
    \dot m = B\times m,\quad B = (2G\,\mathrm{Re}\,\beta,\; -2D\,\mathrm{Im}\,\beta,\; \omega_a),\qquad
    \dot\beta = -(\kappa + i\omega_c)\beta - iGm_x - Dm_y,\qquad G = g_- + g_+,\; D = g_- - g_+

All times are in the inverse of the unit of the rates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opendicke import checks
from opendicke.engine import mean_flow
from opendicke.methods.mean_field import flow_parameters
from opendicke.model import DickeModel, check_model
from opendicke.states import SpinCoherent, check_state

#: Length of a step times the fastest rate; the local error of a step is then about 1e-8.
STEP = 0.1
#: More steps than this would run for days.
MOST_STEPS = 1e12
#: Largest relative change of the spin's length in one step that is accepted.
STEP_ERROR = 1e-6
#: Two passes through the section closer than this are the same point, and a speed below it is rest.
SAME = 1e-6
#: Passes through the section that are compared, and the longest cycle that is looked for among them.
PASSES, LONGEST = 96, 32
#: An orbit smaller than this is no cycle yet: near enough to a point everything repeats to SAME.
SMALLEST = 100 * SAME


@dataclass(frozen=True, eq=False)
class Attractor:
    r"""What a mean-field trajectory settles on.

    Attributes:
        kind: ``"fixed point"``, ``"limit cycle"``, ``"chaos"`` (the largest Lyapunov exponent is positive by more than
            five standard errors) or ``"undecided"`` (none of these within the time given: quasi-periodic or slow).
        m: a point on it, <S>/N, shape (3,); on a cycle, where m_z is largest.
        beta: the field there, <a>/√N.
        period: of a limit cycle, else NaN.
        symmetric: whether a limit cycle is its own mirror image under (m_x, m_y, β) → −(m_x, m_y, β).
        exponent: largest Lyapunov exponent where it was measured (``"chaos"`` and ``"undecided"``), else NaN.
        exponent_sem: its standard error, from blocks.
    """

    kind: Literal["fixed point", "limit cycle", "chaos", "undecided"]
    m: NDArray[np.float64]
    beta: complex
    period: float = math.nan
    symmetric: bool = False
    exponent: float = math.nan
    exponent_sem: float = math.nan


def follow_mean_field(
    model: DickeModel, m: ArrayLike, beta: ArrayLike, duration: float, *, step: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    r"""Follow many mean-field trajectories and return where they are after ``duration``.

    Args:
        model: the model; ``n_atoms`` does not matter.
        m: initial mean spins <S>/N, shape (n, 3), each of length 1/2.
        beta: initial fields <a>/√N, shape (n,) or a scalar.
        duration: time to follow them, >= 0.
        step: length of a Runge–Kutta step; by default 0.1 / (fastest rate).

    Returns:
        m of shape (n, 3) and β of shape (n,).

    Raises:
        ValueError: for spins that do not have length 1/2.
        RuntimeError: if a step changes the spin's length by more than 1e-6: pass a smaller ``step``.

    >>> model = DickeModel.balanced(n_atoms=1, omega_a=1, omega_c=1, kappa=1, coupling=2)
    >>> m, beta = follow_mean_field(model, [[0.3, 0.0, -0.4]], 0.0, 200.0)
    >>> m.round(6) + 0.0, beta.round(6)
    (array([[ 0.433013,  0.      , -0.25    ]]), array([-0.433013-0.433013j]))
    """
    check_model(model, "follow_mean_field")
    spins = np.atleast_2d(checks.real_array("m", m, None))
    if spins.shape[1:] != (3,) or not np.allclose(np.linalg.norm(spins, axis=1), 0.5, rtol=0, atol=1e-9):
        raise checks.refuse("m", "an array of shape (n, 3) of vectors of length 1/2", m)
    fields = _fields(beta, len(spins))
    states = np.column_stack([spins, fields.real, fields.imag])
    h, steps = _steps(model, states, checks.real("duration", duration, minimum=0.0), step)
    _accept(mean_flow.advance(flow_parameters(model), states, h, steps), h)
    return states[:, :3], states[:, 3] + 1j * states[:, 4]


def lyapunov_exponent(
    model: DickeModel,
    state: SpinCoherent,
    *,
    transient: float,
    duration: float,
    blocks: int = 20,
    step: float | None = None,
) -> tuple[float, float]:
    r"""Largest Lyapunov exponent of the mean-field flow on the attractor that ``state`` leads to.

    .. math:: \lambda = \lim_{t\to\infty}\frac1t\ln\frac{|d(t)|}{|d(0)|},\qquad \dot d = J(t)\,d

    with d a deviation on sphere × plane (δm ⊥ m). Positive: chaos; zero: a limit cycle; negative: a fixed point.

    Args:
        model: the model; κ > 0.
        state: from where; α/√N is the initial field.
        transient: time to reach the attractor before measuring.
        duration: time over which growth is averaged; statistical errors fall as its square root.
        blocks: number of blocks from which the standard error is estimated, >= 2.
        step: length of a Runge–Kutta step; by default 0.1 / (fastest rate).

    Returns:
        the exponent and its standard error, in units of the rates.

    Raises:
        RuntimeError: if a step is too long (see :func:`follow_mean_field`).

    Source: G. Benettin et al., Meccanica 15, 9 (1980).

    >>> model = DickeModel(n_atoms=1, omega_a=1, omega_c=1, kappa=1, g_minus=1.5, g_plus=3.0)
    >>> exponent, sem = lyapunov_exponent(model, SpinCoherent(2.0, 1.0), transient=200.0, duration=2000.0)
    >>> 0.1 < exponent < 0.3
    True
    """
    y = _start(model, state)
    count = checks.integer("blocks", blocks, minimum=2)
    h, steps = _steps(model, y[None], checks.real("transient", transient, minimum=0.0), step)
    _accept(mean_flow.advance(flow_parameters(model), y[None], h, steps), h)
    return _exponent(model, y, _long("duration", duration, model, y), count, step)


def attractor(
    model: DickeModel, state: SpinCoherent, *, transient: float = 1000.0, attempts: int = 3, step: float | None = None
) -> Attractor:
    r"""Follow the mean field from ``state`` and say what it settles on.

    A trajectory at rest is a fixed point. One whose successive maxima of m_z repeat (to 1e-6, after at most 32 of them)
    and that goes further than 1e-4 meanwhile is a limit cycle. Otherwise the Lyapunov exponent over four transients
    decides; as long as it does not, the trajectory is followed twice as long, ``attempts`` times in all.

    Args:
        model: the model; κ > 0, without which nothing attracts.
        state: from where; α/√N is the initial field.
        transient: time before the first look.
        attempts: number of looks, >= 1.
        step: length of a Runge–Kutta step; by default 0.1 / (fastest rate).

    Raises:
        ValueError: if κ = 0.
        RuntimeError: if a step is too long (see :func:`follow_mean_field`).

    >>> model = DickeModel(n_atoms=1, omega_a=1, omega_c=1, kappa=1, g_minus=1.5, g_plus=2.0)
    >>> cycle = attractor(model, SpinCoherent(2.0, 1.0))
    >>> cycle.kind, round(cycle.period, 4)
    ('limit cycle', 2.4724)
    """
    check_model(model, "attractor")
    if model.kappa == 0:
        raise checks.refuse("kappa", "a number > 0", 0.0, "Without loss the flow is Hamiltonian and nothing attracts.")
    y = _start(model, state)
    wait = _long("transient", transient, model, y)
    found = Attractor("undecided", y[:3], complex(y[3], y[4]))
    for _ in range(checks.integer("attempts", attempts, minimum=1)):
        h, steps = _steps(model, y[None], wait, step)
        _accept(mean_flow.advance(flow_parameters(model), y[None], h, steps), h)
        found = _look(model, y.copy(), h, 4 * wait)
        if found.kind != "undecided":
            break
        wait *= 2
    return found


def _look(model: DickeModel, y: NDArray[np.float64], h: float, duration: float) -> Attractor:
    """What the state ``y``, assumed to be on the attractor, is on."""
    velocity = np.zeros(5)
    mean_flow.velocity(flow_parameters(model), y, velocity)
    m, beta = y[:3].copy(), complex(y[3], y[4])
    if np.linalg.norm(velocity) < SAME:
        return Attractor("fixed point", m, beta)
    times, states = np.zeros(PASSES), np.zeros((PASSES, 5))
    steps = math.ceil(duration / h)
    found = mean_flow.maxima(flow_parameters(model), y.copy(), h, steps, times, states)
    times, states = times[:found], states[:found]
    mirrored = states * np.array([-1.0, -1.0, 1.0, -1.0, -1.0])
    for length in range(1, min(LONGEST, found // 3) + 1):
        # Against the first cycle, not the previous one: a slow drift towards or away from the cycle must show.
        if np.abs(states - np.resize(states[:length], states.shape)).max() < SAME:
            half = length // 2
            symmetric = length % 2 == 0 and bool(np.abs(states[half:length] - mirrored[:half]).max() < SAME)
            top = states[int(np.argmax(states[:, 2]))]
            period = float(np.mean(times[length:] - times[:-length]))
            if _extent(model, states[0], period, h) < SMALLEST:
                break
            return Attractor("limit cycle", top[:3], complex(top[3], top[4]), period, symmetric)
    exponent, sem = _exponent(model, y, duration, 20, h)
    # Off chaos the estimate is the logarithm of a bounded number over the duration, not noise.
    chaotic = exponent > max(5 * sem, 20 / duration)
    return Attractor("chaos" if chaotic else "undecided", m, beta, exponent=exponent, exponent_sem=sem)


def _extent(model: DickeModel, y: NDArray[np.float64], period: float, step: float) -> float:
    """How far the orbit of ``y`` goes from there, looked at sixteen times in a period."""
    orbit, far = y[None].copy(), 0.0
    h, steps = _steps(model, orbit, period / 16, step)
    for _ in range(16):
        mean_flow.advance(flow_parameters(model), orbit, h, steps)
        far = max(far, float(np.abs(orbit - y).max()))
    return far


def _exponent(
    model: DickeModel, y: NDArray[np.float64], duration: float, blocks: int, step: float | None
) -> tuple[float, float]:
    """Mean growth rate along the orbit of ``y`` (moved in place), with its standard error."""
    h, steps = _steps(model, y[None], duration, step)
    renormalise = max(1, math.ceil(1.0 / (h * _fastest(model, y[None]))))
    per_block = max(1, steps // (blocks * renormalise))
    logarithms = np.zeros(blocks * per_block)
    # Any direction will do; this one has no special symmetry and is orthogonal to the spin.
    deviation = np.array([0.36, 0.48, -0.6, 0.8, 0.3])
    deviation[:3] -= 4 * (deviation[:3] @ y[:3]) * y[:3]
    warm_up = np.zeros(max(1, logarithms.size // 20))
    _accept(mean_flow.growth(flow_parameters(model), y, deviation, h, renormalise, warm_up), h)
    _accept(mean_flow.growth(flow_parameters(model), y, deviation, h, renormalise, logarithms), h)
    rates = logarithms.reshape(blocks, per_block).mean(axis=1) / (h * renormalise)
    return float(rates.mean()), float(rates.std(ddof=1) / math.sqrt(blocks))


def _fields(beta: ArrayLike, count: int) -> NDArray[np.complex128]:
    """The initial fields, one for each spin."""
    fields = checks.number_array("beta", beta, "iufc", "complex numbers")
    if fields.shape not in ((), (1,), (count,)):
        raise checks.refuse("beta", f"a number, or an array of shape ({count},)", f"an array of shape {fields.shape}")
    if not np.isfinite(fields).all():
        raise checks.refuse("beta", "finite numbers", beta)
    return np.broadcast_to(fields.astype(complex), (count,))


def _start(model: DickeModel, state: SpinCoherent) -> NDArray[np.float64]:
    check_model(model, "the attractors of mean field")
    check_state(state)
    beta = state.alpha / math.sqrt(model.n_atoms)
    return np.array([*(0.5 * component for component in state.direction), beta.real, beta.imag])


def _fastest(model: DickeModel, states: NDArray[np.float64]) -> float:
    """A rate that bounds the frequencies and the precession about the field that the spin can drive."""
    coupling = abs(model.g_minus) + abs(model.g_plus)
    driven = coupling / (2 * math.hypot(model.omega_c, model.kappa)) if model.omega_c or model.kappa else 0.0
    field = max(driven, float(np.hypot(states[:, 3], states[:, 4]).max()))
    return float(abs(model.omega_a) + abs(model.omega_c) + model.kappa + coupling * (1 + 2 * field))


def _long(name: str, duration: float, model: DickeModel, y: NDArray[np.float64]) -> float:
    """A duration in which the state ``y`` can move: not shorter than one default step."""
    least = STEP / _fastest(model, y[None])
    return checks.real(name, duration, above=0.0, minimum=least, hint=f"{STEP:g} / (fastest rate) is the least.")


def _steps(model: DickeModel, states: NDArray[np.float64], duration: float, step: float | None) -> tuple[float, int]:
    """Length and number of equal steps that make up ``duration``."""
    longest = STEP / _fastest(model, states) if step is None else checks.real("step", step, above=0.0)
    if duration / longest > MOST_STEPS:
        raise checks.refuse("duration, step", f"at most {MOST_STEPS:g} steps", duration / longest)
    count = max(1, math.ceil(duration / longest))
    return duration / count, count


def _accept(error: float, step: float) -> None:
    if not error <= STEP_ERROR:
        raise RuntimeError(
            f"a step of {step:.3g} changed the length of the spin by {error:.1e} (allowed: {STEP_ERROR:.0e}). "
            "Pass a smaller step."
        )
