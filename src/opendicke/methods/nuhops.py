"""nuHOPS: the numerically exact method, at any N."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np

from opendicke import checks
from opendicke.description import LIMIT, added
from opendicke.engine.compile import NUMERICS
from opendicke.engine.dressed import CUT
from opendicke.engine.window import LEVEL_TOL, demands
from opendicke.ensemble.run import Ensemble
from opendicke.methods.control import ControlledSimulator, tell
from opendicke.methods.following import dressing_refused, field_follows
from opendicke.methods.gauge import real_couplings
from opendicke.methods.gaussian_trajectories import SECONDS_PER_STEP as COPY_SECONDS_PER_STEP
from opendicke.methods.gaussian_trajectories import takes
from opendicke.methods.hierarchy import NuHOPSSimulator
from opendicke.methods.moving import STEP_TIMES_RATE, check_bath
from opendicke.methods.precision import Precision
from opendicke.methods.sampled import MEANS_KEPT, Sampled, kept_rows, kept_states
from opendicke.methods.strides import StrideSimulator, strides_cost, strides_refused
from opendicke.methods.weak_damping import MOST_ATOMS, check_conservation, check_memory, forgets_slowly, weakly_damped
from opendicke.model import Model, check_model, pair_of, several
from opendicke.problem import Limits, Problem, Solution
from opendicke.system import fastest_rate
from opendicke.words import Word

#: From so many atoms on Gaussian copies reduce errors by more than they cost (see docs/methods.md).
WORTHWHILE = 200
#: Copies beside a trajectory over the third root of N, within a factor of two from N = 100 to 10⁵ (benchmarks/control).
COPIES = 12
#: How much longer a weakly damped trajectory takes for it (2 to 10 measured, N = 1 to 50; up to 26 at N = 100, κ = 0).
WEAK_COST = 6.0

#: The basis of a trajectory that superradiates, in spin states and levels, and what a noise step costs: measured at the
#: parameters of figures 1 and S4, N = 20, 100, 1000, t = 10, tol = 1e-4.
TYPICAL_STATES, TYPICAL_LEVELS = 160, 100
#: As many levels of the plain hierarchy cost what those of a dressed one do.
DRESSED_LEVELS = 25
SECONDS_PER_STEP, SECONDS_PER_CELL = 1.5e-5, 4.5e-9
BYTES_PER_CELL = 16.0 * 4  # the hierarchy and three stages


Hierarchy = Literal["auto", "dressed", "plain", "strides"]


@dataclass(frozen=True)
class NuHOPS(Sampled):
    r"""The near-unitary hierarchy of pure states in a moving spin frame: exact at any N, at a cost that does not grow.

    Each trajectory solves, with unit Ornstein–Uhlenbeck noise z and :math:`w = \kappa + i\omega_c`,

    .. math::
        \partial_t\Phi = \big[-i\omega_a S^z - i(\alpha^*\Lambda + \alpha\Lambda^\dagger) + z^*\Lambda - w\,b^\dagger b
        - i\big((\Lambda^\dagger - \langle\Lambda^\dagger\rangle)b + (\Lambda - \langle\Lambda\rangle)b^\dagger\big)
        \big]\Phi, \qquad \dot\alpha = -w\alpha - i\langle\Lambda\rangle

    with :math:`\Lambda = [(g_-+g_+)S^x - i(g_--g_+)S^y]/\sqrt N`; the density matrix is the average of
    :math:`|\psi\rangle\langle\psi|`, :math:`\psi = \langle 0_b|\Phi\rangle` normalised. The truncation in spin states
    and levels follows the state and has no cap.

    Below κ = 0.1 R min(1, 15/N) the cavity forgets so slowly that what a trajectory has dropped would be missed later;
    R = G min(1, G/Δ), G = |g₋| + |g₊|, Δ = ||ω_c| − |ω_a||, is the rate at which the coupling moves the spins. There,
    up to 100 atoms, amplitudes are kept down to about 1e-13 and steps resolve all of them, at several times the cost.
    With n photons that is enough up to n ≈ 50; beyond, as long as 4κnt < 30, the run warns, and so it does with more
    atoms.

    Args:
        trajectories: how many, >= 1. Standard errors fall as one over its square root.
        seed: non-negative integer; trajectory i of a seed is the same whoever runs it, and for any number of them
            (its noise is drawn on a grid that contains all of ``times``, so other times mean other noise).
        point: non-negative integer; streams of different points of a parameter study are independent.
        tol: the accuracy of one trajectory: amplitudes below it (relative to :math:`\|\psi\|`) are dropped, and time
            steps are so short that their errors stay below it. Unit: 1.
        step: longest noise step, in units of time; None for 0.16 over the fastest of the model's rates.
        feedback: rate at which the frame turns to the mean spin; None for twice the fastest rate. Changes no result
            beyond ``tol``.
        dtype: "float64", or "float32" for amplitudes in single precision (frame, field and sums stay double): faster,
            and pathwise equal to about 1e-6.
        precision: a target standard error (:class:`opendicke.Precision`); the run stops when it is met, and
            ``trajectories`` is then the most that are run.
        keep_trajectories: also return <S> and <a> of every trajectory, with dimension ``trajectory``.
        keep_states: some of the ``times``; also return the spin states ψ of every trajectory at these times, as ``psi``
            on the Dicke states |j, j−n> along the third row of ``psi_frame``. Spin Q functions, density matrices and
            entanglement are computed from them.
        max_memory: memory that one trajectory may take, in GiB; one that needs more fails, and is reported.
        control: "gaussian" runs beside each trajectory a copy of it, and others, as
            :class:`opendicke.GaussianTrajectories`, and takes off what these show to be chance: the same means,
            exactly, with smaller error bars (:mod:`opendicke.methods.control`). It is done to variables; words and what
            is kept stay as they are. "auto" does so where it pays: from 200 atoms on, for states and light that the
            copies take.
        hierarchy: "plain" is the equation above. "dressed" has the field that the cavity makes at once for every spin
            state transformed away, exactly, so that few levels are left where ω_c is large; same noise, same averages.
            "auto" takes it where that was measured to pay: constant rates in a vacuum, |ω_c| > 10 max(|ω_a|, κ) and
            > 15 G²/|ω_c|, κ < 1.5 max(|ω_a|, G²/|ω_c|), 100 atoms or more that start next to a pole and leave it.
            Elsewhere it takes "plain". The answer's attrs say which it was.
            "strides" is for cavities far faster than the spins that forget faster, too (κ at least twice, \|w\| ten
            times their rate): the spins alone set the steps, at a cost that hardly grows with ω_c; of second order in
            the stride, S/N is off by some 1e-5 to 1e-4 along a path, the field's moments by 1e-4 to 4e-4, and at few
            atoms and slow cavities (κ ≲ the spins' rate) by more. Coherent starts, ω_c and κ that do not move, noise
            on a grid of its own. It has to be asked for.

    Raises:
        ValueError, TypeError: for an option out of range; the message names it.
        TrajectoryError: if every trajectory failed.

    Warns:
        FailedTrajectoryWarning: if some failed; the message names index, parameters and time.
        WeakDampingWarning: at κ = 0, if energy or number of excitations is off by more than its error bar allows; at
            little κ, if there are so many photons that trajectories may have lost what comes back later.

    Source: K. Müller and W. T. Strunz, eq. (4), with the normalisation E|z|² = 1.

    >>> import numpy as np, opendicke as od
    >>> model = od.DickeModel(n_atoms=1000, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.13, g_plus=1.13)
    >>> result = od.solve(model, od.SpinCoherent(np.pi / 4, np.pi), [1.0, 2.0], od.NuHOPS(trajectories=4, seed=1))
    >>> result.Sz.dims, result.attrs["trajectories"]
    (('time',), 4)
    """

    trajectories: int
    seed: int = 0
    point: int = 0
    tol: float = 1e-4
    step: float | None = None
    feedback: float | None = None
    dtype: Literal["float64", "float32"] = "float64"
    precision: Precision | None = None
    keep_trajectories: bool = False
    keep_states: tuple[float, ...] = ()
    max_memory: float = field(default=2.0, metadata=LIMIT)
    control: Literal["gaussian", "auto"] | None = field(default=None, metadata=added("0.2", neutral=None))
    hierarchy: Literal["auto", "dressed", "plain", "strides"] = field(
        default="auto", metadata=added("0.2", neutral="plain")
    )

    kept: ClassVar[dict[str, str]] = MEANS_KEPT

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.set_real(self, "tol", above=0.0)
        if self.tol >= 0.1:
            raise checks.refuse("tol", "a number well below 1, such as 1e-4", self.tol)
        checks.set_real(self, "feedback", optional=True, above=0.0)
        checks.choice("dtype", self.dtype, ("float64", "float32"))
        object.__setattr__(self, "keep_states", checks.some_times("keep_states", self.keep_states))
        checks.set_real(self, "max_memory", minimum=2.0**-10)
        if self.control is not None:
            checks.choice("control", self.control, ("gaussian", "auto"), others="None")
        checks.choice("hierarchy", self.hierarchy, ("auto", "dressed", "plain", "strides"))
        if self.hierarchy == "dressed" and self.dtype != "float64":
            hint = 'Take dtype="float64" for it.'
            raise checks.refuse("hierarchy", "'auto' or 'plain' in single precision", self.hierarchy, hint)

    def limits(self, model: Model) -> Limits:
        """Takes any model at any N; see :class:`opendicke.problem.Limits`."""
        check_model(model)
        if refusal := several(model):
            return Limits(False, False, refusal, 0.0, 0.0)
        model = pair_of(model)
        try:
            check_bath(real_couplings(model)[0])
        except ValueError as problem:
            return Limits(False, True, str(problem), 0.0, 0.0)
        refused = {"dressed": dressing_refused, "strides": strides_refused}.get(self.hierarchy)
        if refused is not None and (refusal := refused(model)):
            return Limits(False, True, refusal, 0.0, 0.0)
        levels = DRESSED_LEVELS if self.hierarchy == "dressed" else TYPICAL_LEVELS
        cells = min(model.n_atoms + 1, TYPICAL_STATES) * levels
        rate = fastest_rate(model.system)
        steps = 1 / self.step if self.step is not None else rate / STEP_TIMES_RATE
        seconds = steps * (SECONDS_PER_STEP + SECONDS_PER_CELL * cells)
        if self.hierarchy == "strides":
            seconds = strides_cost(model)
        reason = "Exact: statistical errors fall as one over the root of the number of trajectories."
        if self.control == "gaussian" or (self.control == "auto" and model.n_atoms >= WORTHWHILE):
            seconds += steps * COPIES * model.n_atoms ** (1 / 3) * COPY_SECONDS_PER_STEP
        if weakly_damped(model):
            seconds *= WEAK_COST
            reason = (
                "Exact up to about 50 photons, and with n > 50 photons until what has spread in phase space comes back "
                "(never if 4 kappa n t > 30 by then): amplitudes become too faint for floating-point numbers, and run "
                "warns. Use Lindblad if N is small, and Schroedinger at kappa = 0."
            )
        elif forgets_slowly(model):
            reason = (
                "Exact until what has spread in phase space comes back (never if 4 kappa n t > 30 by then, n photons): "
                f"with so little damping and more than {MOST_ATOMS} atoms it becomes too faint to be kept, and run "
                "warns."
            )
        return Limits(True, True, reason, BYTES_PER_CELL * cells, seconds)

    def settled(self, problem: Problem) -> NuHOPS:
        """With the hierarchy and the control that "auto" means here."""
        hierarchy: Hierarchy = self.hierarchy
        if hierarchy == "auto":
            hierarchy = "dressed" if self._is_dressed(problem) else "plain"
        control: Literal["gaussian"] | None = "gaussian" if self._is_controlled(problem) else None
        return replace(self, hierarchy=hierarchy, control=control)

    def _is_controlled(self, problem: Problem) -> bool:
        """Whether there are copies: "auto" takes them where they are close enough to be worth their cost."""
        if self.control != "auto" or self.hierarchy == "strides":
            return self.control == "gaussian"
        return problem.model.n_atoms >= WORTHWHILE and not forgets_slowly(problem.model) and takes(problem)

    def _is_dressed(self, problem: Problem) -> bool:
        if self.hierarchy == "auto":
            follows = self.dtype == "float64" and field_follows(problem.model, problem.state)
            return follows and not weakly_damped(problem.model)
        return self.hierarchy == "dressed"

    def numerics(self, problem: Problem) -> int:
        """Version of a trajectory's numbers, part of the key of stored results.

        Its own for weakly damped models: results stored before what is faint was kept are not to be gone on with.
        """
        return NUMERICS + 1 if weakly_damped(problem.model) else NUMERICS

    def check_words(self, words: tuple[Word, ...]) -> None:
        """Answers all of them."""

    def simulator(self, problem: Problem) -> NuHOPSSimulator | ControlledSimulator | StrideSimulator:
        """What runs one trajectory."""
        if self.hierarchy == "strides":
            return StrideSimulator(problem, self)
        exact = NuHOPSSimulator(problem, self)
        return exact if self.settled(problem).control is None else ControlledSimulator(exact)

    def finish(self, problem: Problem, ensemble: Ensemble, solution: Solution) -> None:
        """Say which hierarchy it was, check what is conserved and may come back, add the states that were kept."""
        solution.attrs["hierarchy"] = self.settled(problem).hierarchy
        check_conservation(problem, solution)
        if forgets_slowly(problem.model):
            cut, _ = demands(self.tol, np.dtype(self.dtype), weakly_damped(problem.model))
            check_memory(problem, solution, (CUT if self._is_dressed(problem) else LEVEL_TOL) * cut)
        if "plain" in ensemble.batches:
            tell(ensemble, solution)
        if self.keep_states:
            kept_states(ensemble, solution, problem.times[kept_rows(problem.times, self.keep_states)])
