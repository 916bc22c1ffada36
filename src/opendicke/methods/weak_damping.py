"""What can go wrong in a cavity that hardly loses anything, told by what a run has measured.

Without damping energy is conserved: the error bars of sampled means must reach its known value. And what leaves the
neighbourhood of a trajectory may come back later, so that nothing may be dropped that floating-point numbers hold.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from opendicke import signals
from opendicke.model import DickeModel
from opendicke.observables.catalogue import CHANNELS
from opendicke.problem import Problem, Solution
from opendicke.states import coherent_state, is_coherent

#: A correct run without damping warns with at most this probability per conserved quantity.
FALSE_ALARM = 1e-5
#: Standard errors come from the means of batches; from fewer batches than this they are too uncertain.
FEWEST_BATCHES = 8
#: Standard errors below this fraction of a quantity's terms are no measure: the trajectories' own errors are larger.
STILL = 1e-4


#: Share of trajectories that may have lost something for good from which on a run says so.
LOST = 0.01
#: A component whose amplitude has decayed by this exponent does not come back.
FORGOTTEN = 30.0
#: A cavity forgets slowly if κ is below this times the rate at which its coupling moves the spins, and for more than so
#: many atoms, whose distances in phase space grow with √N, below one over N of that.
WEAK, FEW_ATOMS = 0.1, 15
#: What is faint is kept up to so many atoms. More hold so many photons (50 and up at ordinary couplings) that what
#: comes back falls below double precision, and keeping all would cost hundreds of times as much.
MOST_ATOMS = 100


class WeakDampingWarning(RuntimeWarning):
    """With so little damping the numbers are, or may be, wrong by more than their error bars; the message says why."""


def forgets_slowly(model: DickeModel) -> bool:
    r"""Whether what has left the neighbourhood of a trajectory may come back before the cavity has forgotten it.

    .. math:: \kappa < 0.1\,R\,\min(1, 15/N), \qquad R = G \min(1, G/\Delta), \quad
              G = |g_-| + |g_+|, \quad \Delta = \big||\omega_c| - |\omega_a|\big|

    R is the rate at which the coupling takes components of the state apart and together again: G itself near
    resonance, G²/Δ far from it, where the cavity follows the spins. A component at distance d decays with κd²
    meanwhile. What is dropped first lies at d ≈ 4, where e^(−|z|d) passes ``tol``, and is gone within 1/R unless
    κ < 0.1 R; of many atoms most of the state lies further apart, at d² ∝ N.
    """
    coupling = signals.largest(model.g_minus) + signals.largest(model.g_plus)
    swept = {"omega_a", "omega_c"} & set(model.moving)  # may come to resonance
    detuning = 0.0 if swept else abs(abs(model.omega_c) - abs(model.omega_a))
    rate = coupling if coupling >= detuning else coupling**2 / detuning
    return signals.smallest(model.kappa) < WEAK * rate * min(1.0, FEW_ATOMS / model.n_atoms)


def weakly_damped(model: DickeModel) -> bool:
    """Whether trajectories keep and resolve what is faint: where the cavity forgets slowly and that is enough."""
    return model.n_atoms <= MOST_ATOMS and forgets_slowly(model)


def conserved_quantities(problem: Problem) -> dict[str, NDArray[np.float64]]:
    r"""Factors of the channels, by name of the quantity; empty if κ > 0.

    The energy :math:`\omega_a S^z + \omega_c a^\dagger a + 2\,\mathrm{Re}\langle\Lambda^\dagger a\rangle`, and
    :math:`a^\dagger a \pm S^z` where g₊ or g₋ vanishes.
    """
    model = problem.model
    if not model.is_everyday or model.kappa > 0 or not is_coherent(problem.state):
        return {}
    scale = 2 / math.sqrt(model.n_atoms)
    total, difference = scale * (model.g_minus + model.g_plus), scale * (model.g_minus - model.g_plus)
    laws = {
        "energy": {"Sz": model.omega_a, "n_photon": model.omega_c, "re_Sx_a": total, "im_Sy_a": -difference},
        "<a†a + S^z>": {"n_photon": 1.0, "Sz": 1.0} if model.g_plus == 0 else {},
        "<a†a − S^z>": {"n_photon": 1.0, "Sz": -1.0} if model.g_minus == 0 else {},
    }
    factors = {name: np.array([law.get(channel, 0.0) for channel in CHANNELS]) for name, law in laws.items() if law}
    return {name: factor for name, factor in factors.items() if factor.any()}


def check_conservation(problem: Problem, solution: Solution) -> None:
    """Compare what is conserved with its value at the start, in standard errors over the batches.

    Warns:
        WeakDampingWarning: naming the quantity, the time, and by how many standard errors it is off.
    """
    laws = conserved_quantities(problem)
    means, sizes = solution.extra["batch_means"][1], solution.extra["batch_size"][1]
    if not laws or sizes.size < FEWEST_BATCHES:
        return
    from scipy.special import stdtrit  # slow to import

    start = _initial_channels(problem)
    weights = sizes / sizes.sum()
    limit = -stdtrit(sizes.size - 1, FALSE_ALARM / (2 * problem.times.size))
    for name, factors in laws.items():
        drift = means @ factors - start @ factors  # (batches, times)
        mean = weights @ drift
        error = np.sqrt(weights @ (drift - mean) ** 2 / (sizes.size - 1))
        terms = np.abs(np.einsum("b,btc->tc", weights, means) * factors).sum(axis=-1)
        score = np.abs(mean) / np.maximum(error, STILL * np.maximum(terms, np.abs(start * factors).sum()) + 1e-12)
        worst = int(np.argmax(score))
        if score[worst] > limit:
            text = (
                f"without damping the {name} is conserved, but here it is off by {mean[worst]:.3g} = "
                f"{score[worst]:.1f} standard errors at time {problem.times[worst]:g}: the numbers are wrong by more "
                f"than their error bars. At kappa = 0 a trajectory needs amplitudes that floating-point numbers no "
                f"longer hold, the sooner the more photons there are. Use Schroedinger, or shorter times."
            )
            warnings.warn(text, WeakDampingWarning, stacklevel=2)


def check_memory(
    problem: Problem, solution: Solution, faint: float, per_photon: float = 0.0, better: str = "Lindblad if N is small"
) -> None:
    r"""Whether trajectories may have lost what comes back, given the photons there were and what is too faint.

    Two components of the state at distance d = 2√n in phase space differ in weight by exp(±|z| d), with P(|z| > x) =
    exp(−x²); the far one decays with κd². It is lost where exp(−|z| d) is below ``faint`` exp(``per_photon`` n).

    Args:
        problem, solution: what was run, and what came of it.
        faint: relative amplitude below which nothing is kept.
        per_photon: how that grows with the photons.
        better: what to use instead.

    Warns:
        WeakDampingWarning: if that is so in more than one of a hundred trajectories.
    """
    sizes = solution.extra["batch_size"][1]
    means = solution.extra["batch_means"][1][..., CHANNELS.index("n_photon")]
    photons = float((sizes @ means).max() / sizes.sum())
    forgotten = FORGOTTEN + 2 * per_photon * photons
    kappa = signals.smallest(problem.model.kappa)  # what is lost while it is small may come back in that time
    if kappa == signals.largest(problem.model.kappa) == 0:
        better = f"Schroedinger, which is of closed systems, or {better}"
    if photons <= 0 or 4 * kappa * photons * problem.times[-1] > forgotten:
        return
    depth = max(-math.log(faint) - per_photon * photons, 0.0)
    share = math.exp(-(depth**2) / (4 * photons))
    if share > LOST:
        text = (
            f"kappa = {kappa:g} with {photons:.3g} photons: in up to {100 * share:.0f} % of the "
            f"trajectories a part of the state that is elsewhere in phase space was too faint to be kept (below "
            f"{math.exp(-depth):.0e}). From when it comes back (revivals, interference of distant parts) the numbers "
            f"may be wrong by more than their error bars; before, they are right. Use {better}."
        )
        warnings.warn(text, WeakDampingWarning, stacklevel=2)


def _initial_channels(problem: Problem) -> NDArray[np.float64]:
    """The channels in which conservation laws are written, at t = 0; the others are zero."""
    state, j = coherent_state(problem.state, "a conservation law"), problem.model.n_atoms / 2
    alpha = state.alpha
    x, y, z = (j * part for part in state.direction)
    known = {"Sz": z, "n_photon": abs(alpha) ** 2, "re_Sx_a": x * alpha.real, "im_Sy_a": y * alpha.imag}
    return np.array([known.get(channel, 0.0) for channel in CHANNELS])
