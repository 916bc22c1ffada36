"""From a model that moves in time, is driven or thermal, to what its trajectories are handed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.engine.moving import COLUMNS, NODES, GaussianField, Moving, MovingPath, parabolas
from opendicke.engine.noise import NoisePath, OrnsteinUhlenbeck
from opendicke.model import DickeModel
from opendicke.system import Mode, System, fastest_rate, looks

#: Noise step times the fastest rate of the model. At Fig. 1's parameters, t = 4, the median error of <S>/j along one
#: noise path of nuHOPS is then 1e-6 at N = 200 and 1e-5 at N <= 20, and falls with the third power of the step.
STEP_TIMES_RATE = 0.16

#: By which |m| may pass n̄, relatively, through rounding.
ROUNDING = 1e-12


def rates_of(model: DickeModel, times: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""ω_a, ω_c, κ, :math:`(g_-\pm g_+)/\sqrt N`, and what drives S^x and S^y, at ``times``: (..., 7)."""
    root = math.sqrt(model.n_atoms)
    minus, plus = signals.evaluate(model.g_minus, times), signals.evaluate(model.g_plus, times)
    push = signals.evaluate(model.atom_drive, times)
    found = np.stack(
        [*(signals.evaluate(rate, times) for rate in (model.omega_a, model.omega_c, model.kappa)),
         (minus + plus) / root, (minus - plus) / root, 2 * push.real, -2 * push.imag],
        axis=-1,
    )  # fmt: skip
    assert found.shape[-1] == COLUMNS
    return found


def nodes_of(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The times of the nodes of every step, shape (steps, 3)."""
    starts = np.concatenate([[0.0], np.cumsum(steps)[:-1]])
    times: NDArray[np.float64] = starts[:, None] + steps[:, None] * NODES
    return times


def _classical(mode: DickeModel | Mode, times: NDArray[np.float64]) -> NDArray[np.complex128]:
    """The squeezing of the bath at ``times``, which is classical noise: |m| <= n̄."""
    found = signals.evaluate(mode.squeezing, times).astype(np.complex128)
    excess = np.abs(found) - np.maximum(signals.evaluate(mode.n_thermal, times), 0.0) * (1 + ROUNDING)
    if (excess > 0).any():
        at = int(np.argmax(excess))
        got = f"{found.ravel()[at]:g} at t = {times.ravel()[at]:g}"
        hint = "Light with more squeezing than classical noise has: Lindblad, and for many atoms TruncatedWigner."
        raise checks.refuse("squeezing", "|squeezing| up to n_thermal for this method", got, hint)
    return found


def check_bath(mode: DickeModel | Mode) -> None:
    """Refuse light with more squeezing than classical noise has, at any time."""
    _classical(mode, looks(mode.n_thermal, mode.squeezing))


class Light:
    """What a trajectory meets in a mode: the noise, and the field of drive and thermal light.

    Args:
        mode: any.
        steps: lengths of the noise steps, which have no kink inside.
    """

    def __init__(self, mode: Mode, steps: NDArray[np.float64]) -> None:
        self.steps = steps
        times = nodes_of(steps)
        kappa = signals.evaluate(mode.kappa, times)
        #: κ + iω_c at the nodes of every step.
        self.w = kappa + 1j * signals.evaluate(mode.omega_c, times)
        push = -1j * signals.evaluate(mode.drive, times)
        squeezing = 2 * kappa * _classical(mode, times)
        self.field = GaussianField(
            steps,
            self.w,
            2 * kappa * signals.evaluate(mode.n_thermal, times),
            push if push.any() else None,
            squeezing if squeezing.any() else None,
        )
        self.noise: OrnsteinUhlenbeck | GaussianField
        if isinstance(mode.omega_c, float) and isinstance(mode.kappa, float):
            self.noise = OrnsteinUhlenbeck(steps, mode.omega_c, mode.kappa)
        else:
            self.noise = GaussianField(steps, self.w.conj(), 2 * kappa, None)

    def draw(
        self, rng: np.random.Generator, start: complex | None = None
    ) -> tuple[NoisePath, tuple[NDArray[np.complex128], ...]]:
        """Draw the noise, from ``start`` if it is given, and then the field, from 0 on: its line, and its ends."""
        if start is None:
            start = complex(rng.standard_normal(2).view(np.complex128)[0]) / math.sqrt(2)
        if isinstance(self.noise, OrnsteinUhlenbeck):
            path = self.noise.extend(rng, start)[0]
        else:
            path = NoisePath(self.steps, *self.noise.sample(rng, start)[:2])
        return path, self.field.sample(rng, 0j)


class Surroundings(Light):
    """What a trajectory of one spin and one mode meets: rates at every step, the noise, and the field beside it.

    Args:
        model: any.
        steps: lengths of the noise steps, which have no kink inside.
    """

    def __init__(self, model: DickeModel, steps: NDArray[np.float64]) -> None:
        super().__init__(model.system.modes[0], steps)
        self.rates = parabolas(rates_of(model, nodes_of(steps)), steps)

    def rates_after(self, step: int) -> NDArray[np.float64]:
        """ω_a, ω_c, κ and the couplings of S^x and S^y after so many steps."""
        row, time = (step, 0.0) if step < self.steps.size else (step - 1, self.steps[step - 1])
        found: NDArray[np.float64] = time ** np.arange(3.0) @ self.rates[row, :, :5]
        return found

    def sample(self, rng: np.random.Generator, start: complex | None = None) -> MovingPath:
        """Draw the noise, from ``start`` if it is given, and then the field, from 0 on."""
        path, field = self.draw(rng, start)
        moving = Moving(self.steps, self.rates, *field)
        return MovingPath(self.steps, path.middle, path.slope, moving)


def noise_step(system: System, wanted: float | None, stop: float) -> float:
    """The longest noise step: as wanted, or from the fastest of the system's rates."""
    rate = fastest_rate(system)
    # without any rate nothing moves, and one step per interval will do
    default = STEP_TIMES_RATE / rate if rate > 0 else math.inf
    return wanted or min(default, stop or 1.0)


def noise_of(model: DickeModel, steps: NDArray[np.float64]) -> OrnsteinUhlenbeck | Surroundings:
    """What draws the noise of trajectories of one spin and one mode, and what moves along it."""
    return OrnsteinUhlenbeck(steps, model.omega_c, model.kappa) if model.is_everyday else Surroundings(model, steps)


def draw_path(noise: OrnsteinUhlenbeck | Surroundings, rng: np.random.Generator, start: complex | None) -> NoisePath:
    """The noise of one trajectory, from ``start`` if it is given."""
    if isinstance(noise, Surroundings):
        return noise.sample(rng, start)
    return noise.sample(rng) if start is None else noise.extend(rng, start)[0]
