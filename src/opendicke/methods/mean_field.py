"""Mean field: the classical limit of the model, one spin vector coupled to one complex amplitude."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opendicke import signals
from opendicke.engine import mean_flow
from opendicke.engine.moving import PUSH_X, PUSH_Y
from opendicke.ensemble.interrupts import interrupts_wait
from opendicke.methods.integration import Watch, check_duration, check_tolerances
from opendicke.methods.moving import rates_of
from opendicke.model import DickeModel, Model, check_model, pair_of, several
from opendicke.observables.catalogue import CHANNELS, from_channels
from opendicke.problem import Executor, Limits, Problem, Progress, Solution
from opendicke.states import OneSpin, SpinCoherent, coherent_state, mean_photons
from opendicke.system import fastest_rate

Vector = NDArray[np.float64]
Flow = Callable[[float, Vector], Vector]

#: Relative change of the spin's length beyond which a run is refused: the equations conserve it exactly.
LENGTH_TOLERANCE = 1e-4

#: Slower changes than this are none: the integrator squares its errors, and 0/0 would follow in a pulse's tails.
FAINT = 1e-100

#: Cost of a unit of time over the fastest rate (measured at the parameters of figures 1 and S4, t = 10 and 20).
SECONDS_PER_RATE = 5e-4
#: How much more it is where the equations change in time (measured with nothing and with everything moving).
MOVING_COST = 4.0
MEMORY = 1e6


@dataclass(frozen=True)
class MeanField:
    r"""Mean-field equations: every correlation is dropped, whatever N.

    .. math::
        \dot{\mathbf m} = \mathbf B\times\mathbf m,\quad
        \mathbf B = \bigl(2(g_-+g_+)\,\mathrm{Re}\,\beta,\; -2(g_--g_+)\,\mathrm{Im}\,\beta,\; \omega_a\bigr),
        \qquad
        \dot\beta = -(\kappa+i\omega_c)\beta - i(g_-+g_+)m_x - (g_--g_+)m_y

    with :math:`\langle S\rangle = N\mathbf m` and :math:`\langle a\rangle = \sqrt N\beta`; κ is the decay rate of
    the field. The solution is exact for N → ∞ and finite times. **Every moment is factorised**:
    :math:`\langle S^xS^x\rangle = \langle S^x\rangle^2`, :math:`\langle a^\dagger a\rangle = |\langle a\rangle|^2`
    and so on (the antisymmetric parts of spin products follow from the commutator), so variances are zero.

    Drives add :math:`(2\,\mathrm{Re}\,\xi, -2\,\mathrm{Im}\,\xi, 0)` to **B** and :math:`-i\eta/\sqrt N` to
    :math:`\dot\beta`; rates that move in time are taken at that time. **Thermal light is neglected**: without
    correlations :math:`\bar n` appears nowhere. Its field does not grow with N, so the limit is the same.

    Args:
        rtol: relative tolerance of the integrator, 2.3e-14 to 0.1.
        atol: absolute tolerance on m and β, 1e-20 to 0.1.

    Raises:
        ValueError, TypeError: for a tolerance out of its range; for a last time beyond 1e8 over the fastest rate,
            that at which spins turn in the field of the initial state and of the drives included.
        RuntimeError: if the integrator fails or does not conserve the length of the spin.
        TimeoutError: if the ``timeout`` of :func:`opendicke.solve` is over before the last time is reached.

    Source: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*,
    eq. (5), here for unequal couplings too. Integrator: DOP853 of ``scipy.integrate.solve_ivp``.

    >>> import opendicke as od
    >>> model = od.DickeModel.balanced(n_atoms=100, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=2.0)
    >>> result = od.solve(model, od.SpinCoherent(np.pi / 4, np.pi), [0.0, 400.0], od.MeanField())
    >>> result.Sz.values.round(2)  # ends superradiant: S^z = -(N/2) (g_c / g)^2, with g = 2 and g_c^2 = 2
    array([ 35.36, -25.  ])
    """

    rtol: float = 1e-10
    atol: float = 1e-12

    def __post_init__(self) -> None:
        check_tolerances(self)

    def limits(self, model: Model) -> Limits:
        """Takes any model at any N; see :class:`opendicke.problem.Limits`."""
        check_model(model)
        if refusal := several(model):
            return Limits(False, False, refusal, 0.0, 0.0)
        model = pair_of(model)
        neglected = "all noise, thermal light included" if signals.largest(model.n_thermal) > 0 else "all noise"
        reason = f"Neglects all correlations and {neglected}: exact for infinite N at fixed times only."
        seconds = SECONDS_PER_RATE * fastest_rate(model.system) * (1.0 if model.is_everyday else MOVING_COST)
        return Limits(True, False, reason, MEMORY, seconds)

    def run(self, problem: Problem, names: tuple[str, ...], executor: Executor, progress: Progress) -> Solution:
        """Solve ``problem`` for the variables ``names``."""
        progress.start(1, "run", "mean field")
        spin, amplitude = self.trajectory(
            problem.model, coherent_state(problem.state, "MeanField"), problem.times, Watch(executor)
        )
        progress.advance(1)
        n_atoms = problem.model.n_atoms
        channels = _factorised(n_atoms * spin, math.sqrt(n_atoms) * amplitude)
        length = np.linalg.norm(spin, axis=1)
        attrs = {
            "moments": "factorised: mean field keeps no correlation",
            "spin_length_drift": float(np.abs(2 * length - 1).max()),
        }
        return Solution(from_channels(names, channels), attrs=attrs)

    def trajectory(
        self, model: DickeModel, state: SpinCoherent, times: NDArray[np.float64], watch: Watch | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
        r"""The scaled mean field: :math:`\mathbf m`, shape (times, 3), and :math:`\beta`, shape (times,)."""
        beta = state.alpha / math.sqrt(model.n_atoms)
        start = np.array([*(0.5 * part for part in state.direction), beta.real, beta.imag])
        stop = float(times[-1])
        if stop == 0.0:
            return start[None, :3], np.array([beta])
        fastest = max(fastest_rate(model.system), field_rate(model, state), drive_rate(model, stop))
        check_duration(Problem(model, state, times), fastest)
        clock = watch or Watch()
        with interrupts_wait():
            mean_flow.velocity(np.zeros(5), start, np.empty(5))  # compiled here, if it is not yet
        solve = self._along_constants if model.is_everyday else self._along_signals
        y = solve(model, start, times, clock)
        spin = y[:3].T
        drift = float(np.abs(2 * np.linalg.norm(spin, axis=1) - 1).max())
        if drift > LENGTH_TOLERANCE:
            raise RuntimeError(
                f"the length of the spin drifted by a fraction {drift:.1e}, and it is conserved. "
                f"Lower rtol (now {self.rtol:g}) and atol (now {self.atol:g})."
            )
        return spin, y[3] + 1j * y[4]

    def _along_constants(self, model: DickeModel, start: Vector, times: NDArray[np.float64], clock: Watch) -> Vector:
        """(m, Re β, Im β) at ``times`` of an everyday model: shape (5, times)."""
        parameters = flow_parameters(model)

        def flow(time: float, y: Vector) -> Vector:
            clock.check(time)
            rates = np.empty(5)
            mean_flow.velocity(parameters, y, rates)
            return rates

        return self._integrated(flow, start, (0.0, float(times[-1])), times, math.inf)

    def _along_signals(self, model: DickeModel, start: Vector, times: NDArray[np.float64], clock: Watch) -> Vector:
        """The same of any model, from kink to kink."""
        edges = [0.0, *model.system.kinks(float(times[-1])), float(times[-1])]
        fastest = max((getattr(model, name).rate for name in model.moving), default=0.0)
        longest = 1 / fastest if fastest > 0 else math.inf  # no oscillation is stepped over
        found = []
        for first, last in itertools.pairwise(edges):
            inside = times[(times >= first) & (times < last)]
            y = self._integrated(
                _driven_flow(model, first, last, clock), start, (first, last), np.append(inside, last), longest
            )
            found.append(y[:, :-1])
            start = y[:, -1]
        return np.column_stack([*found, start])

    def _integrated(
        self, flow: Flow, start: Vector, span: tuple[float, float], times: Vector, longest: float
    ) -> Vector:
        from scipy.integrate import solve_ivp

        options = {"rtol": self.rtol, "atol": self.atol, "max_step": longest}
        answer = solve_ivp(flow, span, start, "DOP853", times, **options)
        if not answer.success:
            raise RuntimeError(f"the mean-field integrator stopped at t = {answer.t[-1]:g}: {answer.message}")
        y: Vector = answer.y
        return y


def _driven_flow(model: DickeModel, first: float, last: float, clock: Watch) -> Flow:
    """The flow of a driven model between two kinks."""
    root = math.sqrt(model.n_atoms)
    inside = math.nextafter(last, first)  # a step at the end belongs to what follows

    def flow(time: float, y: Vector) -> Vector:
        clock.check(time)
        now = np.array(min(max(time, first), inside))
        at, out = rates_of(model, now), np.empty(5)
        mean_flow.velocity(at[:5] * (1.0, 1.0, 1.0, root, root), y, out)
        x, z, push = y[0], y[2], at[PUSH_X : PUSH_Y + 1]
        out[:3] += push[1] * z, -push[0] * z, push[0] * y[1] - push[1] * x
        kick = -1j * complex(signals.evaluate(model.drive, now)) / root
        out[3:] += kick.real, kick.imag
        out[np.abs(out) < FAINT] = 0.0
        return out

    return flow


def field_rate(model: DickeModel, state: OneSpin) -> float:
    """The rate 2(|g₋| + |g₊|)|α|/√N at which spins turn in the field that is there at the start."""
    coupling = signals.largest(model.g_minus) + signals.largest(model.g_plus)
    return 2 * coupling * math.sqrt(mean_photons(state) / model.n_atoms)


def drive_rate(model: DickeModel, stop: float) -> float:
    """A bound on the rate at which drives turn the spins until ``stop``: 2|ξ|, and that in the field that η makes."""
    loss = signals.smallest(model.kappa)
    longest = 1 / loss if loss > 0 else math.inf  # in which a resonant drive fills the cavity
    if not {"omega_c", "kappa", "drive"} & set(model.moving) and (model.omega_c or loss):
        longest = 2 / abs(complex(loss, model.omega_c))
    coupling = signals.largest(model.g_minus) + signals.largest(model.g_plus)
    field = signals.largest(model.drive) * min(stop, longest)
    return 2 * signals.largest(model.atom_drive) + 2 * coupling * field / math.sqrt(model.n_atoms)


def flow_parameters(model: DickeModel) -> NDArray[np.float64]:
    """(ω_a, ω_c, κ, g₋ + g₊, g₋ − g₊), as :mod:`opendicke.engine.mean_flow` takes them."""
    return np.array([model.omega_a, model.omega_c, model.kappa, model.coupling, model.g_minus - model.g_plus])


def _factorised(spin: NDArray[np.float64], a: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Channels of uncorrelated spin and field: shape (times, channels)."""
    x, y, z = spin.T
    photons = np.abs(a) ** 2
    found: dict[str, NDArray[Any]] = {"Sx": x, "Sy": y, "Sz": z}
    found |= {"Sxx": x * x, "Syy": y * y, "Szz": z * z, "Sxy": x * y, "Syz": y * z, "Szx": z * x}
    found |= {"n_photon": photons, "n_photon2": photons**2}
    for name, value in {"a": a, "a2": a * a, "Sx_a": x * a, "Sy_a": y * a, "Sz_a": z * a}.items():
        found |= {f"re_{name}": value.real, f"im_{name}": value.imag}
    return np.stack([found[name] for name in CHANNELS], axis=-1)
