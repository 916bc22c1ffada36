"""When a cavity is so fast that classical methods let the spin alone set their steps, and which steps those are."""

from __future__ import annotations

import math

from opendicke import checks
from opendicke.model import DickeModel, pair_of
from opendicke.system import System

#: By default steps follow the spin where |w| is this many times the spin's rates: the strong error of S/N is then below
#: 1e-3 (truncated Wigner, N = 100, both couplings), and less for more atoms and faster cavities.
FAST = 20.0


def check_fast(system: System) -> bool:
    """True; steps that the spin sets were asked for.

    Raises:
        ValueError: if they cannot be taken.
    """
    if not system.is_everyday or not (system.modes[0].omega_c or system.modes[0].kappa):
        expected = "no True unless the model has one spin, one mode with a frequency or a loss, and constant real rates"
        raise checks.refuse("fast_cavity", expected, True, "Drives, thermal and squeezed light need False, too.")
    return True


def takes_fast(wanted: bool | None, system: System, amplitude: float) -> bool:
    """Whether steps follow the spin, as wanted or (None) where the cavity is fast.

    Raises:
        ValueError: if they are wanted and cannot be taken.
    """
    if wanted is not None:
        return wanted and check_fast(system)
    return system.is_everyday and is_fast(pair_of(system), amplitude)


def seems_fast(wanted: bool | None, system: System) -> bool:
    """As ``takes_fast``, in advance: in a field of one photon, and no where it is refused."""
    try:
        return takes_fast(wanted, system, 1.0)
    except ValueError:
        return False


def step_within(rate: float, share: float, wanted: float | None, stop: float) -> float:
    """The longest step: as wanted, or the ``share`` of one over the fastest ``rate``.

    Raises:
        ValueError: if one is wanted that is longer than one over the rate.
    """
    longest = 1 / rate if rate > 0 else math.inf
    if wanted is None:
        return min(share * longest, stop)
    if wanted > longest:
        raise checks.refuse("step", f"at most {longest:.3g}, one over the fastest rate of this problem", wanted)
    return wanted


def is_fast(model: DickeModel, amplitude: float) -> bool:
    """Whether the cavity is fast compared with everything that the spin does in a field of ``amplitude``."""
    loss = abs(complex(model.kappa, model.omega_c))
    return bool(loss > 0 and loss >= FAST * max(abs(model.omega_a), _turning(model, amplitude)))


def spin_rate(model: DickeModel, amplitude: float) -> float:
    """The spin's fastest rate once all that turns with the cavity is averaged."""
    loss, pull = abs(complex(model.kappa, model.omega_c)), strongest_pull(model)
    return float(max(abs(model.omega_a), pull**2 / loss, _turning(model, amplitude) ** 2 / loss))


def _turning(model: DickeModel, amplitude: float) -> float:
    """A bound on the spin's precession in the field: what there was at the start or is noise, and what follows it."""
    own = 2 * strongest_pull(model) * amplitude / math.sqrt(model.n_atoms)
    return float(own + strongest_pull(model) ** 2 / abs(complex(model.kappa, model.omega_c)))


def strongest_pull(model: DickeModel) -> float:
    """The larger of the couplings of S^x and S^y to the field, in g₋ ± g₊."""
    return float(max(abs(model.coupling), abs(model.g_minus - model.g_plus)))
