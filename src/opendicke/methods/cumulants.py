r"""Cumulant expansion of the open Dicke model at finite N."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from opendicke import checks
from opendicke.integration import Watch, check_duration, check_tolerances
from opendicke.methods.cumulant_algebra import (
    Anticommutator,
    Operator,
    PolynomialMap,
    Word,
    atoms,
    collective,
    compile_polynomials,
    cumulant_equations,
    mean,
    words,
)
from opendicke.methods.gauge import is_everyday, real_problem
from opendicke.methods.mean_field import field_rate
from opendicke.model import MORE_GENERAL, DickeModel, Model, check_model, pair_of, several
from opendicke.observables.catalogue import CHANNELS, VARIABLES, from_channels
from opendicke.problem import Executor, Limits, Problem, Progress, Solution
from opendicke.shown import Shown
from opendicke.states import SpinCoherent, coherent_state, mean_photons
from opendicke.system import fastest_rate

#: The word of each channel (of each pair re_/im_ of channels).
_WORDS = {
    **{"S" + spins: Word(spins, 0, 0) for spins in ("x", "y", "z", "xx", "yy", "zz", "xy", "yz", "zx")},
    "a": Word("", 0, 1),
    "n_photon": Word("", 1, 1),
    "a2": Word("", 0, 2),
    "n_photon2": Word("", 2, 2),
    **{f"S{spin}_a": Word(spin, 0, 1) for spin in "xyz"},
}

_SPIN_PRODUCTS = (("Sx2", "Sx_Sy", "Sx_Sz"), ("Sy_Sx", "Sy2", "Sy_Sz"), ("Sz_Sx", "Sz_Sy", "Sz2"))

#: How far below zero an eigenvalue of the scaled covariance matrix, or how far (relatively) beyond N/2 the mean
#: spin, may lie before the result counts as unphysical: well above integration errors, well below the noise of a
#: pure state (1 for a a^dag, 1/4 for a spin component).
_TOLERANCE = 1e-3

#: The integration stops when a cumulant is this many times larger than any state allows: nothing brings it back,
#: and the steps would become minute.
_RUNAWAY = 100.0

#: Cost of a unit of time over the fastest rate, by order (measured at the parameters of figures 1 and S4, N = 20,
#: t = 10 and 20; generating the equations, up to 0.1 s, is not in it).
SECONDS_PER_RATE = {1: 5e-4, 2: 8e-4, 3: 2e-3}
MEMORY = 1e7


class UnphysicalWarning(UserWarning):
    """A truncated expansion has left the set of moments that any quantum state can have."""


@dataclass(frozen=True)
class Cumulants(Shown):
    r"""Cumulant expansion: joint cumulants of more than ``order`` operators are neglected, N is kept.

    .. math::
        \langle XYZ\rangle \approx \langle XY\rangle\langle Z\rangle + \langle XZ\rangle\langle Y\rangle
        + \langle YZ\rangle\langle X\rangle - 2\langle X\rangle\langle Y\rangle\langle Z\rangle
        \qquad\text{(order 2)}

    in the Heisenberg equations of all moments of up to ``order`` operators; they are generated from the operator
    algebra, not typed in. What X, Y and Z are is the ``closure``:

    ``"atoms"``
        Pauli operators of *single* atoms and a, all atoms alike, as in QuantumCumulants.jl, which the paper
        cites for the second-order curve of its Fig. 2. The spin algebra of each atom is exact; neglected are genuine
        correlations of three atoms, of two atoms and the field, and so on.
    ``"collective"``
        the components of the collective spin and a: the joint state of spin and cavity is taken as Gaussian,
        with symmetrised spin moments (order 2 only).

    The fourth moment <a^dag a^dag a a> follows from the cumulants kept, i.e. by Gaussian factorisation at order 2.
    The expansion is not a state: past its range it can return moments that no state has. The result then says so.

    Args:
        order: largest cumulant kept; 1 is the mean field (of product states), 2 the second-order expansion, 3 one
            order further (better at short times, diverges sooner at long ones). 1 and 3 only with
            ``closure="atoms"``.
        closure: ``"atoms"`` or ``"collective"``, see above.
        rtol: relative tolerance of the integration (scipy's DOP853), 2.3e-14 to 0.1.
        atol: absolute tolerance, 1e-20 to 0.1, in units of each cumulant's natural size :math:`N^{1-n_a/2}` (for
            :math:`n_a` cavity operators; divided by N for each single-atom operator).

    Returns (from :func:`opendicke.solve`), in the Dataset's attrs:
        ``unphysical_from`` is the first output time (inf if none) at which the moments violate a bound that every
        state obeys, and ``unphysical_reasons`` names the bounds: \|<S>\| <= N/2, and positivity of the covariance
        matrix of S^x, S^y, S^z, a, a^dag, commutators included (so also of variances and <a^dag a>), up to a
        tolerance of 1e-3. ``integrated_until`` and ``integration_message`` say whether the
        equations diverged; from there on the result is NaN. The data variable ``covariance_min_eigenvalue``
        holds the smallest eigenvalue itself.

    Warns:
        UnphysicalWarning: when a bound is violated or the equations diverge.

    Raises:
        ValueError, TypeError: for an option out of its range; for a last time beyond 1e8 over the fastest rate,
            that at which spins turn in the field of the initial state included.
        TimeoutError: if the ``timeout`` of :func:`opendicke.solve` is over before the last time is reached.

    Source: R. Kubo, J. Phys. Soc. Jpn. 17, 1100 (1962) (cumulants of operators); D. Plankensteiner, C. Hotter and
    H. Ritsch, Quantum 6, 617 (2022) (QuantumCumulants.jl: identical atoms).

    >>> import opendicke as od
    >>> from opendicke.methods.cumulants import Cumulants
    >>> model = od.DickeModel.balanced(n_atoms=100, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=0.5)
    >>> result = od.solve(model, od.Normal(), [0.0, 50.0], Cumulants())
    >>> result.n_photon.values.round(4)
    array([0.    , 0.0354])
    """

    order: int = 2
    closure: Literal["atoms", "collective"] = "atoms"
    rtol: float = 1e-9
    atol: float = 1e-12

    def __post_init__(self) -> None:
        checks.choice("closure", self.closure, ("atoms", "collective"))
        order = checks.integer("order", self.order, minimum=1)
        allowed = (1, 2, 3) if self.closure == "atoms" else (2,)
        if order not in allowed:
            raise checks.refuse("order", f"one of {allowed} with closure={self.closure!r}", self.order)
        object.__setattr__(self, "order", order)
        check_tolerances(self)

    def limits(self, model: Model) -> Limits:
        """Takes any model at any N; see :class:`opendicke.problem.Limits`."""
        check_model(model)
        if refusal := several(model):
            return Limits(False, False, refusal, 0.0, 0.0)
        model = pair_of(model)
        if not is_everyday(model):
            return Limits(False, False, f"Takes constant, undriven models in a vacuum. {MORE_GENERAL}", 0.0, 0.0)
        reason = (
            f"Neglects joint cumulants of more than {self.order} operators: wrong, at last unphysical, where the state "
            "splits or tunnels."
        )
        seconds = SECONDS_PER_RATE[self.order] * fastest_rate(model.system)
        return Limits(True, False, reason, MEMORY, seconds)

    def run(self, problem: Problem, names: tuple[str, ...], executor: Executor, progress: Progress) -> Solution:
        """Generate the equations of the model, integrate them and check the moments (one piece of work)."""
        problem, gauge = real_problem(problem, "Cumulants")
        state = coherent_state(problem.state, "Cumulants")
        check_duration(problem, max(fastest_rate(problem.system), field_rate(problem.model, problem.state)))
        watch = Watch(executor)
        progress.start(1, "run", f"cumulants of order {self.order}")
        equations = Equations.of(problem.model, self.order, self.closure)
        start = initial_cumulants(state, problem.model.n_atoms, equations.variables, self.closure)
        limit = _RUNAWAY * _largest_cumulants(problem, equations.variables, self.closure)
        values, until, message = self._integrate(equations, start, limit, problem.times, watch)
        channels = equations.channels(values)
        lowest = covariance_min_eigenvalue(channels, problem.model.n_atoms)
        since, reasons = _violations(channels, lowest, problem)
        attrs: dict[str, Any] = {
            "unphysical_from": since,
            "unphysical_reasons": "; ".join(reasons),
            "integrated_until": until,
            "integration_message": message,
        }
        _warn(attrs, problem)
        progress.advance(1)
        about: dict[str, Any] = {
            "definition": "smallest eigenvalue of the covariance matrix of (S^x, S^y, S^z)/sqrt(N), a, a^dag: "
            "< 0 for no quantum state",
            "units": "1",
        }
        solution = Solution(from_channels(names, gauge.channels(channels)), attrs=attrs)
        solution.extra["covariance_min_eigenvalue"] = (("time",), lowest, about)
        return solution

    def _integrate(
        self,
        equations: Equations,
        start: NDArray[np.complex128],
        limit: NDArray[np.float64],
        times: NDArray[np.float64],
        watch: Watch,
    ) -> tuple[NDArray[np.complex128], float, str]:
        """Cumulants at ``times`` (NaN where not reached), the last time reached, and why it is the last."""
        from scipy.integrate import solve_ivp

        if times[-1] == 0.0:
            return start[:, None], 0.0, "Only the initial state was asked for."
        size = equations.sizes
        limit = limit / size

        def rates(time: float, y: NDArray[np.complex128]) -> NDArray[np.complex128]:
            watch.check(time)
            return equations.rates(y * size) / size

        def runaway(_: float, y: NDArray[np.complex128]) -> float:
            return float(1 - (np.abs(y) / limit).max())

        runaway.terminal = True  # type: ignore[attr-defined]
        with np.errstate(over="ignore", invalid="ignore"):
            found = solve_ivp(
                rates,
                (0.0, float(times[-1])),
                start / size,
                method="DOP853",
                t_eval=times,
                events=runaway,
                rtol=self.rtol,
                atol=self.atol,
            )
        values = np.full((start.size, times.size), complex(math.nan, math.nan))
        reached = len(found.t)
        if reached:
            values[:, :reached] = found.y * size[:, None]
        message = found.message
        if found.status == 1:
            message = f"Stopped at t = {found.t_events[0][0]:g}: a cumulant is {_RUNAWAY:g} times beyond any state's."
        return values, float(times[reached - 1]) if reached else 0.0, str(message)


@dataclass(frozen=True)
class Equations:
    """The closed equations of one model, ready to integrate."""

    variables: tuple[Word, ...]
    sizes: NDArray[np.float64]
    rates: PolynomialMap
    outputs: PolynomialMap

    @classmethod
    def of(cls, model: DickeModel, order: int, closure: str) -> Equations:
        """Generate and compile the equations."""
        variables = words(order)
        rule = atoms(model.n_atoms) if closure == "atoms" else collective
        rates = cumulant_equations(order, model, rule)
        outputs = [mean(_symmetrised(word, rule), order) for word in _WORDS.values()]
        return cls(
            variables,
            np.array([_natural_size(word, model.n_atoms, closure) for word in variables]),
            compile_polynomials([rates[word] for word in variables], variables),
            compile_polynomials(outputs, variables),
        )

    def channels(self, values: NDArray[np.complex128]) -> NDArray[np.float64]:
        """The catalogue's channels, shape (times, channels), from cumulants of shape (variables, times)."""
        found = dict(zip(_WORDS, self.outputs(values), strict=True))
        columns = [
            found[name[3:]].imag if name.startswith("im_") else found[name.removeprefix("re_")].real
            for name in CHANNELS
        ]
        return np.stack(columns, axis=-1)


def _symmetrised(word: Word, rule: Anticommutator) -> Operator:
    """The collective operator that ``word`` names, symmetrised in its spin letters."""
    spins: dict[str, complex] = {"": 1.0}
    for letter in word.spins:
        longer: dict[str, complex] = {}
        for known, factor in spins.items():
            for image, value in rule(letter, known).items():
                longer[image] = longer.get(image, 0.0) + factor * value
        spins = longer
    return {Word(letters, word.creators, word.annihilators): factor for letters, factor in spins.items()}


def _natural_size(word: Word, n_atoms: int, closure: str) -> float:
    """How a cumulant grows with N: as N for collective letters, 1/sqrt(N) less per cavity operator."""
    power = 1 - (word.creators + word.annihilators) / 2 - (len(word.spins) if closure == "atoms" else 0)
    return math.pow(n_atoms, power)


def _largest_cumulants(problem: Problem, variables: tuple[Word, ...], closure: str) -> NDArray[np.float64]:
    r"""What no state can much exceed: a power of the largest spin times a power of the largest amplitude.

    .. math:: \sqrt{\langle a^\dagger a\rangle} \le |\alpha|
              + \min(t, 1/\kappa)\,(|g_-|+|g_+|)\frac{N+1}{2\sqrt N}

    because :math:`|\langle S^\pm a\rangle| \le \frac{N+1}2\sqrt{\langle a^\dagger a\rangle}`.
    """
    model, n = problem.model, problem.model.n_atoms
    drive = (abs(model.g_minus) + abs(model.g_plus)) * (n + 1) / (2 * math.sqrt(n))
    duration = float(problem.times[-1])
    growth = drive * (min(duration, 1 / model.kappa) if model.kappa else duration)
    amplitude = max(1.0, math.sqrt(mean_photons(problem.state)) + growth)
    spin = 1.0 if closure == "atoms" else n / 2
    return np.array([spin ** len(w.spins) * amplitude ** (w.creators + w.annihilators) for w in variables])


def initial_cumulants(
    state: SpinCoherent, n_atoms: int, variables: tuple[Word, ...], closure: str
) -> NDArray[np.complex128]:
    r"""Cumulants of :math:`|\theta,\phi\rangle\otimes|\alpha\rangle`.

    Atoms in a product state have none beyond the means; collectively
    :math:`\kappa(S^iS^j) = \tfrac N4(\delta_{ij} - n_in_j)` with n the direction of the spin.
    """
    direction = dict(zip("xyz", state.direction, strict=True))
    start = np.zeros(len(variables), dtype=np.complex128)
    for place, word in enumerate(variables):
        if word == ("", 0, 1):
            start[place] = state.alpha
        elif word in [(spin, 0, 0) for spin in "xyz"]:
            start[place] = direction[word.spins] * (1 if closure == "atoms" else n_atoms / 2)
        elif closure == "collective" and len(word.spins) == 2:
            i, j = word.spins[0], word.spins[1]
            start[place] = n_atoms / 4 * ((i == j) - direction[i] * direction[j])
    return start


def covariance_min_eigenvalue(channels: NDArray[np.float64], n_atoms: int) -> NDArray[np.float64]:
    r"""Smallest eigenvalue of the covariance matrix at every time, NaN where the moments are not finite.

    .. math:: M_{ij} = \langle X_i^\dagger X_j\rangle - \langle X_i^\dagger\rangle\langle X_j\rangle,
              \qquad X = (S^x, S^y, S^z)/\sqrt N,\ a,\ a^\dagger

    M is positive semidefinite in every state, which contains the uncertainty relations.

    Args:
        channels: shape (times, channels).
        n_atoms: N.

    Returns:
        Shape (times,).
    """
    v = from_channels(tuple(VARIABLES), channels)
    means = np.stack([v["Sx"], v["Sy"], v["Sz"], v["a"], v["a"].conj()], axis=-1)
    moments = np.empty((*means.shape, 5), dtype=np.complex128)
    for i, row in enumerate(_SPIN_PRODUCTS):
        for j, name in enumerate(row):
            moments[:, i, j] = v[name]
    for i, name in enumerate(("Sx_a", "Sy_a", "Sz_a")):
        moments[:, i, 3], moments[:, i, 4] = v[name], v[name].conj()
        moments[:, 3, i], moments[:, 4, i] = v[name].conj(), v[name]
    moments[:, 3, 3], moments[:, 4, 4] = v["n_photon"], v["n_photon"] + 1
    moments[:, 3, 4], moments[:, 4, 3] = v["a2"].conj(), v["a2"]
    scale = np.array([1 / math.sqrt(n_atoms)] * 3 + [1.0, 1.0])
    matrix = (moments - means.conj()[:, :, None] * means[:, None, :]) * scale[:, None] * scale
    finite = np.isfinite(matrix).all(axis=(1, 2))
    lowest = np.full(len(matrix), math.nan)
    lowest[finite] = np.linalg.eigvalsh(matrix[finite])[:, 0]
    return lowest


def _violations(
    channels: NDArray[np.float64], lowest: NDArray[np.float64], problem: Problem
) -> tuple[float, list[str]]:
    """First output time at which a bound is violated (inf if none), and the bounds violated at any time."""
    longest = np.linalg.norm(channels[:, :3], axis=1) / (problem.model.n_atoms / 2)
    tests = {
        "|<S>| > N/2": longest > 1 + _TOLERANCE,
        "covariance matrix not positive semidefinite": lowest < -_TOLERANCE,
        "equations diverged": ~np.isfinite(channels).all(axis=1),
    }
    reasons = [reason for reason, violated in tests.items() if violated.any()]
    anywhere = np.any(list(tests.values()), axis=0)
    return float(problem.times[anywhere.argmax()]) if anywhere.any() else math.inf, reasons


def _warn(attrs: dict[str, Any], problem: Problem) -> None:
    if math.isfinite(attrs["unphysical_from"]):
        text = (
            f"the cumulant expansion is unphysical from t = {attrs['unphysical_from']:g} on "
            f"({attrs['unphysical_reasons']}); integrated until t = {attrs['integrated_until']:g} "
            f"of {problem.times[-1]:g}. Try the other closure, or NuHOPS."
        )
        warnings.warn(text, UnphysicalWarning, stacklevel=4)
