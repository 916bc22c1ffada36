"""From a model that moves in time, is driven or thermal, to what its trajectories are handed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.engine.moving import COLUMNS, NODES, GaussianField, Moving, MovingPath, parabolas
from opendicke.engine.noise import NoisePath, OrnsteinUhlenbeck
from opendicke.model import DickeModel
from opendicke.system import looks

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


def _classical(model: DickeModel, times: NDArray[np.float64]) -> NDArray[np.complex128]:
    """The squeezing of the bath at ``times``, which is classical noise: |m| <= n̄."""
    found = signals.evaluate(model.squeezing, times).astype(np.complex128)
    excess = np.abs(found) - np.maximum(signals.evaluate(model.n_thermal, times), 0.0) * (1 + ROUNDING)
    if (excess > 0).any():
        at = int(np.argmax(excess))
        got = f"{found.ravel()[at]:g} at t = {times.ravel()[at]:g}"
        hint = "Light with more squeezing than classical noise has: Lindblad, and for many atoms TruncatedWigner."
        raise checks.refuse("squeezing", "|squeezing| up to n_thermal for this method", got, hint)
    return found


def check_bath(model: DickeModel) -> None:
    """Refuse light with more squeezing than classical noise has, at any time."""
    _classical(model, looks(model.n_thermal, model.squeezing))


class Surroundings:
    """What a trajectory meets: rates at every step, the noise, and the field of drive and thermal light.

    Args:
        model: any.
        steps: lengths of the noise steps, which have no kink inside.
    """

    def __init__(self, model: DickeModel, steps: NDArray[np.float64]) -> None:
        self.steps = steps
        times = nodes_of(steps)
        values = rates_of(model, times)
        self.rates = parabolas(values, steps)
        self.w, self.kappa = values[..., 2] + 1j * values[..., 1], values[..., 2]
        #: n̄ and −iη at the nodes of every step.
        self.photons = signals.evaluate(model.n_thermal, times)
        self.push = -1j * signals.evaluate(model.drive, times)
        squeezing = 2 * self.kappa * _classical(model, times)
        self.field = GaussianField(
            steps,
            self.w,
            2 * self.kappa * self.photons,
            self.push if self.push.any() else None,
            squeezing if squeezing.any() else None,
        )
        self.constant_cavity = not {"omega_c", "kappa"} & set(model.moving)
        self.noise: OrnsteinUhlenbeck | GaussianField
        if self.constant_cavity:
            self.noise = OrnsteinUhlenbeck(steps, model.omega_c, model.kappa)
        else:
            self.noise = GaussianField(steps, self.w.conj(), 2 * self.kappa, None)

    def rates_after(self, step: int) -> NDArray[np.float64]:
        """ω_a, ω_c, κ and the couplings of S^x and S^y after so many steps."""
        row, time = (step, 0.0) if step < self.steps.size else (step - 1, self.steps[step - 1])
        found: NDArray[np.float64] = time ** np.arange(3.0) @ self.rates[row, :, :5]
        return found

    def sample(self, rng: np.random.Generator, start: complex | None = None) -> MovingPath:
        """Draw the noise, from ``start`` if it is given, and then the field, from 0 on."""
        if start is None:
            start = complex(rng.standard_normal(2).view(np.complex128)[0]) / math.sqrt(2)
        if isinstance(self.noise, OrnsteinUhlenbeck):
            path = self.noise.extend(rng, start)[0]
        else:
            path = NoisePath(self.steps, *self.noise.sample(rng, start)[:2])
        moving = Moving(self.steps, self.rates, *self.field.sample(rng, 0j))
        return MovingPath(self.steps, path.middle, path.slope, moving)
