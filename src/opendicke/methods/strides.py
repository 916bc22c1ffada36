r"""nuHOPS in strides that the spins set, for cavities that are far faster than they: ``NuHOPS(hierarchy="strides")``.

ψ alone is carried (``engine.retarded`` has the equation): what the cavity answers to the spins' own linear motion is
transformed away exactly, on the grid of the noise; of what is left the levels follow, in lowest order. The error is of
second order in the stride and does not grow with ω_c, as long as the cavity forgets faster than the spins move.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.engine.strides import AGAIN, APPLIED, MOST_STATES, StrideDynamics, propagate_strides, start
from opendicke.engine.trajectory import TrajectoryFailure
from opendicke.ensemble.padding import stack_padded
from opendicke.ensemble.run import Sample
from opendicke.ensemble.streams import stream
from opendicke.integration import check_duration
from opendicke.methods.fast_cavity import spin_rate
from opendicke.methods.gauge import real_couplings
from opendicke.methods.mean_field import field_rate
from opendicke.methods.moving import draw_path, noise_of
from opendicke.methods.sampled import Simulator, kept_steps, point_kept
from opendicke.observables.catalogue import CHANNELS
from opendicke.problem import Problem
from opendicke.states import coherent_state, is_coherent

if TYPE_CHECKING:
    from opendicke.methods.nuhops import NuHOPS

#: The longest stride times ω_a or the rate of the spins in the field that follows them, whichever is faster.
STRIDE = 0.1
#: |w| times the longest step of the noise.
FINE = 0.45
#: How much faster than the spins the cavity must turn, and forget: levels that ring are not carried.
TURNS, FORGETS = 10.0, 2.0
#: What else there is.
OTHERS = 'Take hierarchy="plain", or "auto".'


def check_strides(problem: Problem, options: NuHOPS) -> None:
    """Refuse what strides do not solve.

    Raises:
        ValueError: with the reason.
    """
    model, _ = real_couplings(problem.model)
    reason = ""
    if not model.is_everyday:
        reason = "rates that move, drives, thermal and squeezed light are not in their equation"
    elif not is_coherent(problem.state):
        reason = "they start from coherent states"
    elif problem.words:
        reason = "words are read from levels, which they do not have"
    elif options.dtype != "float64":
        reason = "they are in double precision"
    elif options.control == "gaussian":
        reason = "Gaussian copies run along the noise of the other two"
    else:
        rate = spin_rate(model, 0.0)
        if abs(complex(model.kappa, model.omega_c)) < TURNS * rate or model.kappa < FORGETS * rate:
            reason = (
                f"|kappa + i omega_c| has to be {TURNS:g} and kappa {FORGETS:g} times the spins' rate, here {rate:.3g}"
            )
    if reason:
        raise checks.refuse("hierarchy", f"'auto', 'plain' or 'dressed': {reason}", "strides", OTHERS)


class StrideSimulator(Simulator["NuHOPS"]):
    """Carries ψ along the noise in strides, and stops at the states to be kept."""

    hint = "Try a smaller tol, or a larger max_memory."

    def __init__(self, problem: Problem, options: NuHOPS) -> None:
        check_strides(problem, options)
        check_duration(problem, field_rate(problem.model, problem.state))
        model, self._gauge = real_couplings(problem.model)
        stop, rate = float(problem.times[-1]) or 1.0, spin_rate(model, 0.0)
        step = options.step or min(FINE / abs(complex(model.kappa, model.omega_c)), stop)
        super().__init__(problem, options, step)
        self._noise, root = noise_of(model, self.steps), math.sqrt(model.n_atoms)
        self._dynamics = StrideDynamics(
            j=model.n_atoms / 2,
            omega_a=model.omega_a,
            omega_c=model.omega_c,
            kappa=model.kappa,
            coupling_x=model.coupling / root,
            coupling_y=(model.g_minus - model.g_plus) / root,
            tol=options.tol,
            longest=STRIDE / rate if rate > 0 else stop,
            memory_limit=int(options.max_memory * 2**30),
        )
        self._start = self._gauge.coherent(coherent_state(problem.state, 'hierarchy="strides"'))
        self._kept = kept_steps(problem.times, self.hits, options.keep_states)

    def prepare(self) -> None:
        """Compile what a trajectory needs, by one that ends where it starts."""
        path = self._noise.sample(stream(0, 0)).part(0, 0)
        propagate_strides(start(self._start.frame(), 0j), self._dynamics, path, np.full(1, -1), 0)

    def __call__(self, index: int) -> Sample:
        """Trajectory ``index``, start to end."""
        problem, options = self.problem, self.options
        path = draw_path(self._noise, self.stream(index), None)
        state = start(self._start.frame(), self._start.alpha)
        channels = np.empty((problem.times.size, len(CHANNELS)))
        psi, frames, first, hits = [], [], 0, self.hits.copy()
        try:
            for last in sorted({*self._kept, self.steps.size}):
                filled = hits[first : last + 1]
                part = propagate_strides(state, self._dynamics, path.part(first, last), filled, problem.times.size)
                channels[filled[filled >= 0]] = part[filled[filled >= 0]]
                hits[last], first = -1, last  # recorded at the end of this part, so not again at the next one's start
                if last in self._kept:
                    psi.append(state.psi()[: problem.model.n_atoms + 1])
                    frames.append(state.frame.copy())
        except TrajectoryFailure as failure:
            raise self.stopped(index, first + failure.step, failure) from failure
        channels = self._gauge.channels(channels)
        kept: dict[str, NDArray[Any]] = {}
        if options.keep_trajectories:
            kept = point_kept(channels[:, :3], channels[:, 9] + 1j * channels[:, 10])
        if options.keep_states:
            kept |= {"psi": stack_padded(psi), "psi_frame": self._gauge.frame_back(np.array(frames))}
        work, level = state.work, math.sqrt(float(state.levels[0]))
        peaks: dict[str, float] = {"largest_states": int(work[MOST_STATES]), "largest_level": level}
        sums: dict[str, float] = {"operators_applied": int(work[APPLIED]), "strides_repeated": int(work[AGAIN])}
        return Sample({"channels": channels}, kept, peaks, sums)
