"""The cavity eliminated: a master equation of the spins alone, and the field that follows them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opendicke import checks, signals
from opendicke.integration import Watch, check_duration, check_tolerances, follow
from opendicke.master.density import mean, spins_at_start
from opendicke.master.slaved import Slaved, neglected, own_rate
from opendicke.methods.sampled import kept_matrices, kept_rows
from opendicke.model import DickeModel, Model, check_model
from opendicke.observables.catalogue import channel_words, channels_from_means, from_channels, of_parts
from opendicke.problem import Executor, Limits, Problem, Progress, Solution
from opendicke.shown import Shown
from opendicke.states import fields_of
from opendicke.system import System, as_system
from opendicke.words import Word

#: Real matrices as large as the density matrix alive at once: stages and interpolant of DOP853, and work space.
WORKING_COPIES = 40
#: Cost of a unit of time per element of the density matrix and unit of the generator's width, and what it costs at
#: least (measured at ω_c = 25, κ = 5, g = 1.3 g_c, N = 20 to 100, t = 10).
SECONDS_PER_ELEMENT, SECONDS_PER_STEP = 6e-8, 1e-3
#: Why models that move or are warm are refused.
OTHERS = "Lindblad and NuHOPS take it."


@dataclass(frozen=True)
class Eliminated(Shown):
    r"""The cavity eliminated: it follows the spins, which then have a master equation of their own.

    .. math::
        \dot\rho = -i[H_s,\rho] + \left(B\rho\Lambda^\dagger - \Lambda^\dagger B\rho + \mathrm{h.c.}\right),\qquad
        a \to -iB,\qquad \Lambda = \frac{g_-S^- + g_+S^+}{\sqrt N} + \eta,\qquad
        B = \frac\Lambda w + \frac{[-iH_s,\Lambda]}{w^2}

    with :math:`w = \kappa + i\omega_c` and :math:`H_s = \omega_aS^z + (\xi S^+ + \mathrm{h.c.})`. In ``order=1`` B is
    :math:`\Lambda/w`: the atoms see :math:`H_s - (\omega_c/|w|^2)\Lambda^\dagger\Lambda` and lose excitations through
    :math:`\sqrt{2\kappa}\,\Lambda/|w|`, an equation of Lindblad's form. ``order=2`` knows that the field lags behind,
    which cools or heats the atoms, and starts where an empty cavity leaves them,
    :math:`\rho - [(\Lambda\rho\Lambda^\dagger - \Lambda^\dagger\Lambda\rho)/w^2 + \mathrm{h.c.}]`. It is **not of
    Lindblad's form**: ρ may have negative eigenvalues, and the lowest is reported.

    Approximate: what is neglected is of the next order in the rates of the spins over \|w\|. Answers are those of a
    field that has settled, some times 1/κ from the start on; the field follows from t = 0 on, though the cavity is
    empty then. ``docs/elimination.md`` has measured errors. Takes several spins and modes, with complex couplings and
    constant drives; the density matrix has :math:`\prod(N_i+1)^2` elements and the cutoff of photons is gone.

    Args:
        order: 1 or 2, powers of 1/w kept.
        rtol: relative tolerance of the integrator, 2.3e-14 to 0.1.
        atol: absolute tolerance on the elements of ρ, 1e-20 to 0.1.
        max_memory: memory that a run may take, in GiB.
        keep_states: some of the ``times``; also return the spin's density matrix there, ``rho_spin``, as ``Lindblad``
            does. With one spin only.

    Returns (from :func:`opendicke.solve`), in the Dataset's attrs:
        ``lag``, the rate at which the spins turn by themselves over \|w\|; ``neglected``, about what part of the
        cavity's effect is left out (:func:`opendicke.master.slaved.neglected`); ``settles_in``, 1/κ of the slowest
        mode; ``min_eigenvalue``, the lowest eigenvalue of ρ at any of the times.

    Raises:
        ValueError, TypeError: for an option out of its range; for rates that move, thermal or squeezed light, κ = 0
            (the field never settles) and a cavity that is not empty at the start; for more memory than ``max_memory``.
        RuntimeError: if the integrator fails.
        TimeoutError: if the ``timeout`` of :func:`opendicke.solve` is over before the last time is reached.

    Source: F. Damanet, A. J. Daley and J. Keeling, Phys. Rev. A 99, 033845 (2019), who show that the second order is
    needed; R. Azouit, F. Chittaro, A. Sarlette and P. Rouchon, Quantum Sci. Technol. 2, 044011 (2017).

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=10.0, kappa=5.0, coupling=4.0)
    >>> state = od.SpinCoherent(np.pi / 4, np.pi)
    >>> table = od.compare(model, state, [3.0], [od.Lindblad(), Eliminated(order=1), Eliminated()], ["Sz"])
    >>> abs(table.Sz_difference.values.ravel()).round(4)
    array([0.    , 0.2403, 0.0118])
    """

    order: int = 2
    rtol: float = 1e-9
    atol: float = 1e-12
    max_memory: float = 4.0
    keep_states: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        checks.set_integer(self, "order", minimum=1, maximum=2)
        check_tolerances(self)
        checks.set_real(self, "max_memory", above=0.0)
        object.__setattr__(self, "keep_states", checks.some_times("keep_states", self.keep_states))

    def limits(self, model: Model) -> Limits:
        """Limited by ``max_memory``; see :class:`opendicke.problem.Limits`."""
        check_model(model)
        system = as_system(model)
        if refusal := _why_not(model) or self._too_large(system):
            return Limits(False, False, str(refusal), _memory(system), 0.0)
        lag, part = neglected(system, self.order)
        reason = (
            f"Neglects how the field settles, in {_settling(system):.2g} = 1/kappa, and about {part:.1g} of its effect "
            f"on the spins (which turn at {lag:.1g} |w|)."
        )
        seconds = SECONDS_PER_ELEMENT * _elements(system) * _width(system) + SECONDS_PER_STEP * _width(system)
        return Limits(True, False, reason, _memory(system), seconds)

    def check_words(self, words: tuple[Word, ...]) -> None:
        """All words are answered, to the order kept."""

    def run(self, problem: Problem, names: tuple[str, ...], executor: Executor, progress: Progress) -> Solution:
        """Solve ``problem`` for the variables ``names``."""
        system, kept = problem.system, kept_rows(problem.times, self.keep_states)
        refusal = _why_not(problem.given) or _not_empty(problem) or self._too_large(system)
        if refusal:
            raise refusal
        if kept.size and len(system.spins) > 1:
            raise checks.refuse("keep_states", "no times for a system of several spins", self.keep_states)
        check_duration(problem, _width(system))
        progress.start(len(problem.times), "times", "eliminated cavity")
        slaved = Slaved(system, self.order)
        pairs = [[_channels(slaved, i, m) for m in range(len(system.modes))] for i in range(len(system.spins))]
        words = [slaved.operator(word) for word in problem.words]
        channels, means, lowest, states = [], [], [], {}
        for at, rho in enumerate(self._states(problem, slaved, Watch(executor))):
            channels.append([[channel(rho) for channel in row] for row in pairs])
            means.append([mean(operator, rho) for operator in words])
            lowest.append(float(np.linalg.eigvalsh(rho)[0]))
            if at in kept:
                states[at] = rho
            progress.advance(1)
        lag, part = neglected(system, self.order)
        attrs = {"lag": lag, "neglected": part, "settles_in": _settling(system), "min_eigenvalue": min(lowest)}
        solution = Solution(of_parts(from_channels(names, np.array(channels))), attrs=attrs)
        solution.values |= {word.name: np.array(means)[:, at] for at, word in enumerate(problem.words)}
        if kept.size:
            kept_matrices(solution, problem.times[kept], [states[at] for at in kept])
        return solution

    def _states(self, problem: Problem, slaved: Slaved, clock: Watch) -> Iterator[NDArray[np.complex128]]:
        """ρ at each time, a square matrix."""

        def flow(time: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
            clock.check(time)
            return slaved(time, y)

        start = slaved.folded(slaved.start(spins_at_start(problem)))
        for y in follow(flow, start, problem.times, self.rtol, self.atol):
            yield slaved.density_matrix(y)

    def _too_large(self, system: System) -> Exception | None:
        """The refusal of a problem for its memory."""
        needed = _memory(system) / 2**30
        if needed <= self.max_memory:
            return None
        atoms = " × ".join(str(spin.n_atoms) for spin in system.spins)
        expected = f"fewer atoms, or more than max_memory = {self.max_memory:g} GiB: {needed:.3g} GiB are needed"
        return checks.refuse("n_atoms", expected, atoms, "Use NuHOPS, whose cost does not grow with N.")


def _why_not(model: Model) -> Exception | None:
    """The refusal of a model."""
    for name, rate in as_system(model).rates.items():
        kind = name.rsplit(".", 1)[-1]
        shown = name if not isinstance(model, DickeModel) else name.split(".")[0] if name.startswith("g_") else kind
        if signals.moves(rate):
            return checks.refuse(shown, "a constant (for Eliminated)", rate, OTHERS)
        if kind in ("n_thermal", "squeezing") and rate != 0:
            return checks.refuse(shown, "0 (for Eliminated)", rate, OTHERS)
        if kind == "kappa" and rate == 0:
            hint = "Without losses the field never settles: use Lindblad."
            return checks.refuse(shown, "a number > 0 (for Eliminated)", rate, hint)
    return None


def _not_empty(problem: Problem) -> Exception | None:
    """The refusal of a cavity that is not empty at the start."""
    for field in fields_of(problem.start, len(problem.system.modes)):
        if field != 0:
            return checks.refuse("state", "an empty cavity (for Eliminated, which does not follow it)", field, OTHERS)
    return None


def _channels(slaved: Slaved, spin: int, mode: int) -> Callable[[NDArray[np.complex128]], NDArray[np.float64]]:
    """What makes channels of one spin and one mode of a density matrix."""
    operators = {name: slaved.operator(word) for name, word in channel_words(spin, mode).items()}
    return lambda rho: channels_from_means({name: mean(one, rho) for name, one in operators.items()})


def _settling(system: System) -> float:
    """1/κ of the slowest mode."""
    return 1 / min(float(mode.kappa) for mode in system.modes)


def _elements(system: System) -> float:
    """Elements of the density matrix."""
    return math.prod(float(spin.n_atoms + 1) for spin in system.spins) ** 2


def _memory(system: System) -> float:
    """Bytes that a run takes."""
    return 8 * WORKING_COPIES * _elements(system)


def _width(system: System) -> float:
    """About the width of the generator: the spins' own motion, and that in the field that they make."""
    total = own_rate(system) * sum(spin.n_atoms for spin in system.spins)
    for m, mode in enumerate(system.modes):
        couplings = [
            spin.n_atoms * (abs(minus[m]) + abs(plus[m])) / math.sqrt(system.n_ref)
            for spin, minus, plus in zip(system.spins, system.g_minus, system.g_plus, strict=True)
        ]
        total += (sum(couplings) / 2 + abs(mode.drive)) ** 2 / abs(complex(mode.kappa, mode.omega_c))
    return total
