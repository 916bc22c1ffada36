"""First guesses of the highest photon number of each mode. One that is too low is raised."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.cavities import Cavity
from opendicke.integration import Watch
from opendicke.master import propagator
from opendicke.master.driven_liouvillian import pace
from opendicke.methods.mean_field import MeanField
from opendicke.problem import Problem
from opendicke.states import EntangledSpins, SpinCoherent, fields_of
from opendicke.system import Mode, System, fastest_rate

Real = NDArray[np.float64]

#: A stiff model's first cutoff is guessed from mean field up to this many of its fastest turns.
GUESS_TURNS = 1000.0


def check_photons(photons: Any) -> int | tuple[int, ...] | None:
    """The option ``photons``: a highest photon number for all modes or one for each, or None."""
    if isinstance(photons, tuple | list) and photons:
        return tuple(checks.integer(f"photons[{m}]", one, minimum=1) for m, one in enumerate(photons))
    return None if photons is None else checks.integer("photons", photons, minimum=1)


def asked_cutoffs(photons: int | tuple[int, ...] | None, system: System) -> tuple[int, ...]:
    """The cutoff asked for of each mode; empty if none is."""
    if photons is None:
        return ()
    modes = len(system.modes)
    several = photons if isinstance(photons, tuple) else (photons,) * modes
    if len(several) != modes:
        raise checks.refuse("photons", f"one number, or {modes}, one for each mode", photons)
    return several


def one_or_all(values: tuple[Any, ...]) -> Any:
    """The value of the only mode, or those of all."""
    return values[0] if len(values) == 1 else values


def first_cutoffs(problem: Problem, bound: float, clock: Watch | None = None) -> tuple[int, ...]:
    """For each mode room for the field, or for what the bath puts into it; tails add up by much less.

    Args:
        problem: any.
        bound: what the highest photon number may hold.
        clock: told of the time that a guess takes.
    """
    system, stop = problem.system, float(problem.times[-1])
    fields = _classical(problem, clock) if problem.system.is_everyday else _without_atoms(problem)
    cutoffs = []
    for mode, photons in zip(system.modes, fields, strict=True):
        bath = bath_photons(mode, stop)
        tail = math.ceil(thermal_tail(bath, bound)) + 4 if bath > 0 else 0
        cutoffs.append(max(coherent_cutoff(photons), tail))
    return tuple(cutoffs)


def next_cutoff(photons: int) -> int:
    """The one to try after ``photons``."""
    return photons + max(4, photons // 4)


def photons_at_start(problem: Problem) -> list[float]:
    """⟨a†a⟩ of each mode in the initial state."""
    fields = fields_of(problem.start, len(problem.system.modes))
    return [abs(field) ** 2 if isinstance(field, complex) else field.mean_photons() for field in fields]


def coherent_cutoff(photons: float) -> int:
    """Room for a coherent state with that mean photon number."""
    return math.ceil(photons + 6 * math.sqrt(photons)) + 6


def _classical(problem: Problem, clock: Watch | None) -> list[float]:
    """The largest photon number in mean field."""
    return [problem.model.n_atoms * float(np.max(np.abs(classical_field(problem, clock)) ** 2))]


def classical_field(problem: Problem, clock: Watch | None) -> NDArray[np.complex128]:
    """⟨a⟩/√N in mean field, at times up to the last, of one spin and one mode."""
    model, stop = problem.model, float(problem.times[-1])
    if propagator.is_stiff(model):
        stop = min(stop, GUESS_TURNS / fastest_rate(model.system))
    grid = np.linspace(0.0, stop, 200) if stop > 0 else np.zeros(1)
    state = problem.start if isinstance(problem.start, EntangledSpins) else problem.state
    if not isinstance(state, SpinCoherent) or state.cavity is not None:  # a coherent state with as many photons
        state = SpinCoherent(math.pi / 2, 0.0, math.sqrt(photons_at_start(problem)[0]))
    _, beta = MeanField(rtol=1e-6, atol=1e-9).trajectory(model, state, grid, clock)
    return beta


def _without_atoms(problem: Problem) -> list[float]:
    """The largest photon number of each mode if there were no atoms. What they add is left to raising the cutoff."""
    stop, rate = float(problem.times[-1]), max(fastest_rate(problem.system), pace(problem.system))
    turns = min(stop * rate, GUESS_TURNS)
    grid = np.linspace(0.0, turns / rate if rate > 0 else stop, 200 + int(10 * turns))
    modes = problem.system.modes
    starts = [_amplitude(field) for field in fields_of(problem.start, len(modes))]
    amplitudes = [empty_cavity(mode, start, grid) for mode, start in zip(modes, starts, strict=True)]
    return [float(np.max(np.abs(one) ** 2)) for one in amplitudes]


def _amplitude(field: complex | Cavity) -> complex:
    """The amplitude of a mode, or that of a coherent state with as many photons."""
    return field if isinstance(field, complex) else complex(math.sqrt(field.mean_photons()))


def empty_cavity(mode: Mode, alpha: complex, times: Real) -> NDArray[np.complex128]:
    r"""<a> at ``times`` (from 0 on, evenly spaced) if there were no atoms.

    .. math:: \dot\alpha = -(\kappa+i\omega_c)\alpha - i\eta

    with rates that stay as they are in the middle of each interval.
    """
    middles, steps = 0.5 * (times[1:] + times[:-1]), np.diff(times)
    w = signals.evaluate(mode.kappa, middles) + 1j * signals.evaluate(mode.omega_c, middles)
    decay = np.exp(-w * steps)
    # (1 − e^(−wh))/w, which is h at w = 0
    length = np.where(abs(w) * steps > 1e-8, (1 - decay) / np.where(w == 0, 1, w), steps)
    push = -1j * signals.evaluate(mode.drive, middles) * length
    found = [alpha]
    for factor, change in zip(decay, push, strict=True):
        found.append(factor * found[-1] + change)
    return np.array(found)


def thermal_photons(mode: Mode, time: float) -> float:
    """The most that the bath's thermal light alone can have put into an empty cavity by ``time``."""
    kappa, photons = signals.largest(mode.kappa), signals.largest(mode.n_thermal)
    return -photons * math.expm1(-2 * kappa * time)


def bath_photons(mode: Mode, time: float) -> float:
    r"""The n̄ of a thermal state whose photon numbers fall off as those that the bath alone makes by ``time``.

    That is :math:`\bar n + |m|`: :math:`\sum_nP_nz^n = [(1-(z-1)(\bar n+|m|))(1-(z-1)(\bar n-|m|))]^{-1/2}` of a
    Gaussian state. Away from resonance less of m gets in, :math:`m\kappa/(\kappa+i\omega_c)` in the end.
    """
    squeezing, kappa = signals.largest(mode.squeezing), signals.largest(mode.kappa)
    share = -math.expm1(-2 * kappa * time)
    if squeezing > 0 and not any(signals.moves(rate) for rate in (mode.squeezing, mode.kappa, mode.omega_c)):
        share = min(share, kappa / abs(complex(kappa, mode.omega_c)) * (2 - share)) if kappa > 0 else 0.0
    return thermal_photons(mode, time) + squeezing * share


def thermal_tail(photons: float, bound: float) -> float:
    """The photon number that holds less than ``bound`` of a thermal state."""
    return -math.log(bound) / math.log1p(1 / photons) if photons > 0 else 0.0
