"""Initial states: of the spin, coherent or not, each times one of the cavity."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from opendicke import cavities, checks
from opendicke.cavities import Cavity
from opendicke.description import added, restore

#: Largest N of a state that is squeezed: it takes N² numbers to make.
MOST_SQUEEZED = 5000


def _cos_sin(angle: float) -> tuple[float, float]:
    """Cosine and sine, exact at whole multiples of a quarter turn (so that a pole is a pole)."""
    quarter = round(angle / (math.pi / 2))
    if angle == quarter * (math.pi / 2):
        exact = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))
        return exact[quarter % 4]
    return math.cos(angle), math.sin(angle)


@dataclass(frozen=True)
class SpinCoherent:
    r"""A spin coherent state times a coherent cavity state, :math:`|\theta,\phi\rangle\otimes|\alpha\rangle`.

    .. math::
        |\theta,\phi\rangle = e^{(\theta e^{i\phi}S^- - \theta e^{-i\phi}S^+)/2}|j,j\rangle
        = \sum_n \binom{N}{n}^{1/2}\cos^{N-n}\tfrac\theta2\,\sin^n\tfrac\theta2\,e^{in\phi}\,|j,j-n\rangle

    so that :math:`\langle S\rangle = \tfrac N2(\sin\theta\cos\phi, \sin\theta\sin\phi, \cos\theta)`.

    Args:
        theta: polar angle in radians; 0 is all atoms up, π all down.
        phi: azimuth in radians.
        alpha: cavity amplitude :math:`\langle a\rangle`, complex (not scaled with N); 0 is the vacuum.
        cavity: another state of the cavity (:mod:`opendicke.cavities`: Fock, Thermal, Squeezed, Cat), instead.

    Raises:
        ValueError, TypeError: for an angle or amplitude that is not a finite number; for both alpha and cavity.

    >>> SpinCoherent(theta=np.pi / 2, phi=0.0).direction
    (1.0, 0.0, 0.0)
    """

    theta: float
    phi: float = 0.0
    alpha: complex = 0.0
    cavity: Cavity | None = field(default=None, metadata=added("0.2", neutral=None))

    def __post_init__(self) -> None:
        object.__setattr__(self, "theta", checks.real("theta", self.theta))
        object.__setattr__(self, "phi", checks.real("phi", self.phi))
        _set_cavity(self)

    @property
    def direction(self) -> tuple[float, float, float]:
        r"""Unit vector of :math:`\langle S\rangle`."""
        cos_theta, sin_theta = _cos_sin(self.theta)
        cos_phi, sin_phi = _cos_sin(self.phi)
        return sin_theta * cos_phi, sin_theta * sin_phi, cos_theta

    def frame(self) -> NDArray[np.float64]:
        """Right-handed orthonormal axes, rows e1 (along growing θ), e2 (along growing φ), e3 (the direction)."""
        cos_theta, sin_theta = _cos_sin(self.theta)
        cos_phi, sin_phi = _cos_sin(self.phi)
        return np.array(
            [
                [cos_theta * cos_phi, cos_theta * sin_phi, -sin_theta],
                [-sin_phi, cos_phi, 0.0],
                [sin_theta * cos_phi, sin_theta * sin_phi, cos_theta],
            ]
        )

    def spin_matrix(self, n_atoms: int) -> NDArray[np.complex128]:
        """Density matrix of the spin on |j, j − n>, shape (N+1, N+1)."""
        return _projector(self.dicke_amplitudes(n_atoms))

    def dicke_amplitudes(self, n_atoms: int) -> NDArray[np.complex128]:
        """Amplitudes on |j, m = j − n>, n = 0 … N: shape (N+1,), unit norm, without overflow at any N."""
        from scipy.special import gammaln, xlogy  # slow to import

        n_atoms = checks.integer("n_atoms", n_atoms, minimum=1)
        n = np.arange(n_atoms + 1)
        cos_half, sin_half = _cos_sin(self.theta / 2)
        log_binomial = gammaln(n_atoms + 1) - gammaln(n + 1) - gammaln(n_atoms - n + 1)
        log_size = 0.5 * log_binomial + xlogy(n_atoms - n, abs(cos_half)) + xlogy(n, abs(sin_half))
        signs = np.where((cos_half < 0) & ((n_atoms - n) % 2 == 1), -1.0, 1.0)
        signs *= np.where((sin_half < 0) & (n % 2 == 1), -1.0, 1.0)
        amplitudes = signs * np.exp(log_size) * np.exp(1j * n * self.phi)
        normalised: NDArray[np.complex128] = amplitudes / np.linalg.norm(amplitudes)
        return normalised


class _InLaboratory:
    """What has its amplitudes along the laboratory's axes."""

    def frame(self) -> NDArray[np.float64]:
        """Axes on whose third amplitudes are given: the laboratory's."""
        return np.eye(3)


@dataclass(frozen=True)
class Dicke(_InLaboratory):
    r"""A Dicke state, :math:`|j,m\rangle` with j = N/2: as many atoms up as :math:`N/2 + m`, symmetrically.

    Args:
        m: eigenvalue of S^z: one of −N/2, −N/2 + 1, …, N/2.
        alpha, cavity: as for :class:`SpinCoherent`.

    Raises:
        ValueError, TypeError: for an m that is no multiple of 1/2; by what solves, for one that N does not have.
    """

    KIND: ClassVar[str] = "dicke"

    m: float
    alpha: complex = 0.0
    cavity: Cavity | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "m", checks.real("m", self.m))
        if not (2 * self.m).is_integer():
            raise checks.refuse("m", "a whole number, or half of one", self.m)
        _set_cavity(self)

    def level(self, n_atoms: int) -> int:
        """n = N/2 − m; refused where N atoms have no such m."""
        n = n_atoms / 2 - self.m
        if not n.is_integer() or not 0 <= n <= n_atoms:
            raise checks.refuse("m", f"one of −N/2, −N/2 + 1, …, N/2 for N = {n_atoms}", self.m)
        return int(n)

    def amplitudes(self, n_atoms: int, rng: np.random.Generator | None = None) -> NDArray[np.complex128]:
        """On |j, j − n> along the third axis of the frame, shape (N+1,)."""
        return _one(self.level(n_atoms), n_atoms)

    def spin_matrix(self, n_atoms: int) -> NDArray[np.complex128]:
        """Density matrix of the spin on |j, j − n>, shape (N+1, N+1)."""
        return _projector(self.amplitudes(n_atoms))


@dataclass(frozen=True)
class ThermalSpin(_InLaboratory):
    r"""A thermal state of the collective spin: :math:`\rho \propto e^{-xS^z}` within j = N/2.

    Args:
        x: :math:`\hbar\omega_a/k_BT`: 0 fills all N + 1 states alike, large x only the lowest, negative x inverts.
        alpha, cavity: as for :class:`SpinCoherent`.

    Each trajectory starts from one Dicke state, drawn with its weight.

    Raises:
        ValueError, TypeError: for an x that is not a finite number.
    """

    KIND: ClassVar[str] = "thermal_spin"

    x: float
    alpha: complex = 0.0
    cavity: Cavity | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", checks.real("x", self.x))
        _set_cavity(self)

    def weights(self, n_atoms: int) -> NDArray[np.float64]:
        """Of the states |j, j − n>, shape (N+1,)."""
        logs = self.x * np.arange(n_atoms + 1.0)
        sizes = np.exp(logs - logs.max())
        found: NDArray[np.float64] = sizes / sizes.sum()
        return found

    def amplitudes(self, n_atoms: int, rng: np.random.Generator) -> NDArray[np.complex128]:
        """Of a state drawn, on |j, j − n>, shape (N+1,)."""
        return _one(int(rng.choice(n_atoms + 1, p=self.weights(n_atoms))), n_atoms)

    def spin_matrix(self, n_atoms: int) -> NDArray[np.complex128]:
        """Density matrix of the spin on |j, j − n>, shape (N+1, N+1)."""
        return np.diag(self.weights(n_atoms)).astype(np.complex128)


@dataclass(frozen=True)
class SpinSqueezed:
    r"""A spin squeezed by one-axis twisting, :math:`e^{-i\mu(S\cdot e_\theta)^2/2}|\theta,\phi\rangle`.

    :math:`e_\theta` is the direction of growing θ: on the equator that is −z, and the twist is that of
    :math:`(S^z)^2`.

    Args:
        theta, phi: of the coherent state that is twisted.
        mu: by how much; squeezing is strongest near :math:`\mu = 24^{1/6}(N/2)^{-2/3}`.
        alpha, cavity: as for :class:`SpinCoherent`.

    Raises:
        ValueError, TypeError: for what is not a finite number; by what solves, for more than 5000 atoms.

    Source: M. Kitagawa and M. Ueda, Phys. Rev. A 47, 5138 (1993).
    """

    KIND: ClassVar[str] = "spin_squeezed"

    theta: float
    phi: float
    mu: float
    alpha: complex = 0.0
    cavity: Cavity | None = None

    def __post_init__(self) -> None:
        for name in ("theta", "phi", "mu"):
            object.__setattr__(self, name, checks.real(name, getattr(self, name)))
        _set_cavity(self)

    def frame(self) -> NDArray[np.float64]:
        """Axes on whose third amplitudes are given: those of the coherent state."""
        return SpinCoherent(self.theta, self.phi).frame()

    def amplitudes(self, n_atoms: int, rng: np.random.Generator | None = None) -> NDArray[np.complex128]:
        """On |j, j − n> along the third axis of the frame, shape (N+1,)."""
        if n_atoms > MOST_SQUEEZED:
            raise checks.refuse("n_atoms", f"at most {MOST_SQUEEZED} atoms for SpinSqueezed", n_atoms)
        return _twisted(n_atoms, self.mu)

    def spin_matrix(self, n_atoms: int) -> NDArray[np.complex128]:
        """Density matrix of the spin on |j, j − n> along z, shape (N+1, N+1)."""
        return _projector(_turned(self.amplitudes(n_atoms), self.theta, self.phi))


@dataclass(frozen=True)
class SpinSuperposition(_InLaboratory):
    r"""A superposition of spin coherent states, :math:`\sum_kc_k|\theta_k,\phi_k\rangle`, normalised.

    Args:
        angles: pairs (θ_k, φ_k) in radians.
        weights: complex c_k, as many; None for equal ones.
        alpha, cavity: as for :class:`SpinCoherent`.

    Raises:
        ValueError, TypeError: for angles that are no pairs, or not as many weights; by what solves, for a sum that
            vanishes.

    >>> ghz = SpinSuperposition(((0.0, 0.0), (np.pi, 0.0)))
    >>> ghz.amplitudes(4).round(3).real
    array([0.707, 0.   , 0.   , 0.   , 0.707])
    """

    KIND: ClassVar[str] = "spin_superposition"

    angles: tuple[tuple[float, float], ...]
    weights: tuple[complex, ...] | None = None
    alpha: complex = 0.0
    cavity: Cavity | None = None

    def __post_init__(self) -> None:
        pairs = checks.real_array("angles", self.angles, (None, 2))
        object.__setattr__(self, "angles", tuple((float(theta), float(phi)) for theta, phi in pairs))
        _set_weights(self, len(pairs), "angles")
        _set_cavity(self)

    def amplitudes(self, n_atoms: int, rng: np.random.Generator | None = None) -> NDArray[np.complex128]:
        """On |j, j − n>, shape (N+1,)."""
        return _superposed(self.weights, [SpinCoherent(*pair).dicke_amplitudes(n_atoms) for pair in self.angles])

    def spin_matrix(self, n_atoms: int) -> NDArray[np.complex128]:
        """Density matrix of the spin on |j, j − n>, shape (N+1, N+1)."""
        return _projector(self.amplitudes(n_atoms))


#: States of one spin and one mode.
OneSpin = SpinCoherent | Dicke | ThermalSpin | SpinSqueezed | SpinSuperposition
ONE_SPIN = (SpinCoherent, Dicke, ThermalSpin, SpinSqueezed, SpinSuperposition)


@dataclass(frozen=True)
class Product:
    r"""A state for every spin and every mode of an :class:`opendicke.System`, and their product.

    Args:
        spins: a state for each spin, its own cavity left in vacuum: ``SpinCoherent(0.3)``, ``Dicke(0)``, ``Normal()``.
        modes: for each mode a complex amplitude, or a state of :mod:`opendicke.cavities`; all in vacuum if left out.

    Raises:
        ValueError, TypeError: for anything else; by what solves, for other numbers of spins and modes than there are.

    Any other state, given to a system of several spins or modes, is that of each spin and of each mode.

    >>> Product(spins=(Normal(), SpinCoherent(1.0)), modes=(0.5, cavities.Fock(1))).modes
    ((0.5+0j), Fock(photons=1))
    """

    KIND: ClassVar[str] = "product"

    spins: tuple[OneSpin, ...]
    modes: tuple[complex | Cavity, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "spins", _bare_spins("spins", self.spins, ONE_SPIN, "SpinCoherent(theta, phi)"))
        _set_modes(self)


@dataclass(frozen=True)
class EntangledSpins:
    r"""A superposition of products of states of several spins, normalised.

    .. math:: \sum_kc_k\bigotimes_i|\psi_{ki}\rangle

    Each :math:`|\psi_{ki}\rangle` is a spin coherent state :math:`|\theta_{ki},\phi_{ki}\rangle` or a Dicke state.
    ``Lindblad`` starts from it; the other methods start from products.

    Args:
        terms: for every k a state for each spin, its own cavity left in vacuum: ``SpinCoherent(0.3)``, ``Dicke(0)``.
        weights: complex c_k, as many; None for equal ones.
        modes: for each mode a complex amplitude, or a state of :mod:`opendicke.cavities`; all in vacuum if left out.

    Raises:
        ValueError, TypeError: for anything else; by what solves, for other numbers of spins and modes than there are,
            and for a sum that vanishes.

    >>> up, down = Inverted(), Normal()
    >>> EntangledSpins(terms=((up, down), (down, up)), weights=(1.0, -1.0)).amplitudes([1, 1]).round(3).real + 0.0
    array([ 0.   ,  0.707, -0.707,  0.   ])
    """

    KIND: ClassVar[str] = "entangled_spins"

    terms: tuple[tuple[SpinCoherent | Dicke, ...], ...]
    weights: tuple[complex, ...] | None = None
    modes: tuple[complex | Cavity, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.terms, (tuple, list)) or not self.terms:
            expected = "a sequence of at least one sequence of states of one spin"
            raise checks.refuse("terms", expected, self.terms, error=TypeError)
        pure, example = (SpinCoherent, Dicke), "SpinCoherent(theta, phi) or Dicke(m)"
        terms = tuple(_bare_spins(f"terms[{k}]", term, pure, example) for k, term in enumerate(self.terms))
        if len({len(term) for term in terms}) > 1 or not terms[0]:
            raise checks.refuse("terms", "states of as many spins, one or more, in every term", self.terms)
        object.__setattr__(self, "terms", terms)
        _set_weights(self, len(terms), "terms")
        _set_modes(self)

    def amplitudes(self, atoms: Sequence[int]) -> NDArray[np.complex128]:
        """On the products of |j, j − n>, the last spin's n fastest; N of each spin is given: shape (∏(N+1),)."""
        if len(atoms) != len(self.terms[0]):
            raise checks.refuse("state", _numbers(len(atoms), None), len(self.terms[0]))
        products = []
        for term in self.terms:
            spins = [
                one.amplitudes(n) if isinstance(one, Dicke) else one.dicke_amplitudes(n)
                for one, n in zip(term, atoms, strict=True)
            ]
            products.append(tensor(spins))
        return _superposed(self.weights, products)


State = OneSpin | Product | EntangledSpins
STATES = (*ONE_SPIN, Product, EntangledSpins)
#: All but the first, by their kind.
KINDS: dict[str, Any] = {
    state.KIND: state for state in (Dicke, ThermalSpin, SpinSqueezed, SpinSuperposition, Product, EntangledSpins)
}


def Normal(alpha: complex = 0.0, cavity: Cavity | None = None) -> SpinCoherent:
    """The normal state: all atoms down; the cavity in vacuum, or in the state that is given.

    Args:
        alpha, cavity: as for :class:`SpinCoherent`.

    >>> Normal().direction
    (0.0, 0.0, -1.0)
    """
    return SpinCoherent(theta=math.pi, alpha=alpha, cavity=cavity)


def Inverted(alpha: complex = 0.0, cavity: Cavity | None = None) -> SpinCoherent:
    """The inverted state: all atoms up; the cavity in vacuum, or in the state that is given.

    Args:
        alpha, cavity: as for :class:`SpinCoherent`.
    """
    return SpinCoherent(theta=0.0, alpha=alpha, cavity=cavity)


def check_state(state: Any) -> None:
    """Refuse what is no state."""
    checks.instance("state", state, STATES, "a state such as opendicke.SpinCoherent(theta, phi)")


def parts_of(state: State, spins: int, modes: int) -> tuple[tuple[OneSpin, ...], tuple[complex | Cavity, ...]]:
    """The state of each spin (its cavity is to be ignored), and an amplitude or a state for each mode.

    Raises:
        ValueError: for a :class:`Product` of other numbers of spins and modes, and for spins that are entangled.
    """
    if isinstance(state, EntangledSpins):
        raise checks.refuse("state", "a product of states of the spins", state, "Entangled spins: Lindblad.")
    if not isinstance(state, Product):
        return (state,) * spins, fields_of(state, modes)
    if len(state.spins) != spins or len(state.modes) not in (0, modes):
        raise checks.refuse("state", _numbers(spins, modes), f"{len(state.spins)} and {len(state.modes)}")
    return state.spins, fields_of(state, modes)


def fields_of(state: State, modes: int) -> tuple[complex | Cavity, ...]:
    """An amplitude or a state for each mode.

    Raises:
        ValueError: for a state of another number of modes.
    """
    if not isinstance(state, Product | EntangledSpins):
        return (state.alpha if state.cavity is None else state.cavity,) * modes
    if len(state.modes) not in (0, modes):
        raise checks.refuse("state", _numbers(None, modes), len(state.modes))
    return state.modes or (0j,) * modes


def one_of(state: State) -> OneSpin:
    """``state`` as one of one spin and one mode; refused if it is a :class:`Product` of more, or entangled."""
    if not isinstance(state, Product | EntangledSpins):
        return state
    (spin,), (mode,) = parts_of(state, 1, 1)
    own: dict[str, Any] = {"cavity": mode} if isinstance(mode, cavities.CAVITIES) else {"alpha": mode}
    return replace(spin, **own)


def tensor(parts: Sequence[NDArray[np.complex128]]) -> NDArray[np.complex128]:
    """The tensor product of amplitudes, or of density matrices, in their order."""
    product, *others = parts
    for one in others:
        product = np.kron(product, one).astype(np.complex128, copy=False)
    return product


def coherent_state(state: OneSpin, whose: str) -> SpinCoherent:
    """``state``, if spin and cavity are coherent; refused for ``whose`` (a method) if not."""
    if isinstance(state, SpinCoherent) and state.cavity is None:
        return state
    hint = "Other states of spin and cavity: NuHOPS and Lindblad."
    raise checks.refuse("state", f"a SpinCoherent state with a coherent cavity (for {whose})", state, hint)


def coherent_parts(
    state: State, spins: int, modes: int, whose: str
) -> tuple[tuple[SpinCoherent, ...], NDArray[np.complex128]]:
    """The states of the spins and the amplitudes of the modes, if all are coherent; refused for ``whose`` if not.

    Raises:
        ValueError: for anything else, and for a :class:`Product` of other numbers of spins and modes.
    """
    own, fields = parts_of(state, spins, modes)
    coherent = tuple(one for one in own if isinstance(one, SpinCoherent))
    if len(coherent) < len(own) or any(isinstance(one, cavities.CAVITIES) for one in fields):
        hint = "Other states of spin and cavity: NuHOPS and Lindblad."
        raise checks.refuse("state", f"a SpinCoherent state with a coherent cavity (for {whose})", state, hint)
    return coherent, np.array(fields, dtype=np.complex128)


def restore_state(told: Mapping[str, Any]) -> State:
    """The state told by :func:`opendicke.description.describe`."""
    kind = KINDS[told["kind"]] if "kind" in told else SpinCoherent
    state: State = restore(kind, {name: value for name, value in told.items() if name != "kind"})
    return state


def is_coherent(state: OneSpin) -> bool:
    """Whether spin and cavity are in coherent states."""
    return isinstance(state, SpinCoherent) and state.cavity is None


def field_sizes(state: State, spins: int, modes: int) -> list[float]:
    """√⟨a†a⟩ of every mode at the start."""
    fields = parts_of(state, spins, modes)[1]
    return [
        math.sqrt(one.mean_photons()) if isinstance(one, cavities.CAVITIES) else abs(complex(one)) for one in fields
    ]


def mean_photons(state: OneSpin) -> float:
    """⟨a†a⟩ at the start."""
    return abs(state.alpha) ** 2 if state.cavity is None else state.cavity.mean_photons()


def cavity_start(state: OneSpin, rng: np.random.Generator) -> cavities.Point:
    """Where a trajectory's cavity starts; nothing is drawn for a coherent one."""
    return cavities.coherent(state.alpha) if state.cavity is None else state.cavity.draw(rng)


def _set_cavity(state: Any) -> None:
    """Check ``alpha`` and ``cavity``, of which one is given at most."""
    object.__setattr__(state, "alpha", checks.complex_number("alpha", state.alpha))
    if state.cavity is not None:
        checks.instance("cavity", state.cavity, cavities.CAVITIES, "a state of opendicke.cavities, such as Fock(2)")
        if state.alpha != 0:
            raise checks.refuse("alpha, cavity", "at most one of them", (state.alpha, state.cavity))


def _bare_spins(name: str, given: Any, kinds: tuple[type, ...], example: str) -> tuple[Any, ...]:
    """``given`` as a tuple of states of spins of these kinds, without a cavity of their own."""
    if not isinstance(given, (tuple, list)) or not all(isinstance(one, kinds) for one in given):
        raise checks.refuse(name, f"a sequence of states of one spin, such as {example}", given, error=TypeError)
    for one in given:
        if one.cavity is not None or one.alpha != 0:
            raise checks.refuse(name, "states whose own cavity is left in vacuum", one, "Use modes.")
    return tuple(given)


def _set_modes(state: Any) -> None:
    """Check ``modes``: an amplitude or a state of each."""
    if not isinstance(state.modes, (tuple, list)):
        expected = "a sequence of amplitudes, or states of opendicke.cavities"
        raise checks.refuse("modes", expected, state.modes, error=TypeError)
    modes = (
        one if isinstance(one, cavities.CAVITIES) else checks.complex_number(f"modes[{at}]", one)
        for at, one in enumerate(state.modes)
    )
    object.__setattr__(state, "modes", tuple(modes))


def _set_weights(state: Any, count: int, of: str) -> None:
    """Check ``weights``: None, or so many complex numbers, as there are ``of``."""
    if state.weights is None:
        return
    given = checks.number_array("weights", state.weights, "iufc", "complex numbers")
    if given.shape != (count,) or not np.isfinite(given).all() or not given.any():
        raise checks.refuse("weights", f"{count} finite numbers, as many as {of}, not all 0", state.weights)
    object.__setattr__(state, "weights", tuple(complex(one) for one in given))


def _superposed(given: tuple[complex, ...] | None, parts: list[NDArray[np.complex128]]) -> NDArray[np.complex128]:
    """The normalised sum of states with these weights, or with equal ones."""
    weights = np.array(given or (1.0,) * len(parts), dtype=np.complex128)
    parts_of_weights = weights.view(np.float64)
    parts_of_weights /= np.abs(parts_of_weights).max()  # their squares are then numbers
    total = np.einsum("k,kn->n", weights, np.array(parts))
    size = float(np.linalg.norm(total))
    if size < 1e-6 * np.abs(weights).max():
        raise checks.refuse("weights", "a superposition that does not cancel", given)
    found: NDArray[np.complex128] = total / size
    return found


def _numbers(spins: int | None, modes: int | None) -> str:
    """So many spins and modes, in words; those that are None are not spoken of."""
    told = {"spin": spins, "mode": modes}
    words = (f"{count} {kind}{'s' * (count > 1)}" for kind, count in told.items() if count is not None)
    return f"states of {' and '.join(words)}"


def _one(n: int, n_atoms: int) -> NDArray[np.complex128]:
    """Amplitudes of |j, j − n>."""
    found = np.zeros(n_atoms + 1, dtype=np.complex128)
    found[n] = 1.0
    return found


def _projector(amplitudes: NDArray[np.complex128]) -> NDArray[np.complex128]:
    return np.outer(amplitudes, amplitudes.conj())


def _turned(amplitudes: NDArray[np.complex128], theta: float, phi: float) -> NDArray[np.complex128]:
    """exp(−iφS_z) exp(−iθS_y) on amplitudes on |j, j − n>, from the axes of |θ, φ> to the laboratory's; for small N."""
    from scipy.linalg import expm

    n_atoms = amplitudes.size - 1
    n = np.arange(n_atoms)
    raising = np.diag(np.sqrt((n + 1.0) * (n_atoms - n)), 1)
    tilted = expm(-0.5 * theta * (raising - raising.T)) @ amplitudes
    found: NDArray[np.complex128] = np.exp(-1j * phi * (n_atoms / 2 - np.arange(n_atoms + 1))) * tilted
    return found


@functools.lru_cache(maxsize=4)
def _twisted(n_atoms: int, mu: float) -> NDArray[np.complex128]:
    """exp(−iμ S_x²/2)|j, j> on |j, j − n>."""
    from scipy.linalg import eigh_tridiagonal

    n = np.arange(n_atoms)
    _, vectors = eigh_tridiagonal(np.zeros(n_atoms + 1), 0.5 * np.sqrt((n + 1.0) * (n_atoms - n)))
    phases = np.exp(-0.5j * mu * (np.arange(n_atoms + 1) - n_atoms / 2) ** 2)  # the eigenvalues are known exactly
    found: NDArray[np.complex128] = vectors @ (phases * vectors[0])
    return found


#: Names under which other states are looked for.
OTHER_STATES = ("Fock", "Dicke", "GHZ", "Thermal", "Squeezed", "Cat", "Coherent", "Vacuum", "W")


def hint_for(name: str) -> str:
    """What to say to someone who looks for a state that is not there; empty for any other name."""
    if name.removesuffix("State").lower() not in {state.lower() for state in OTHER_STATES}:
        return ""
    return (
        "Initial states of the spin are SpinCoherent, Normal(), Inverted(), Dicke, ThermalSpin, SpinSqueezed and "
        "SpinSuperposition, each with a state of the cavity: cavity=opendicke.cavities.Fock(2), say."
    )
