"""A straight cut through the plane of the two couplings."""

from __future__ import annotations

from dataclasses import dataclass

from opendicke import checks
from opendicke.model import DickeModel


@dataclass(frozen=True)
class Cut:
    r"""A straight line in the plane of the couplings, parameterised by s.

    .. math:: (g_-, g_+)(s) = (g_-, g_+)_0 + s\,(\Delta g_-, \Delta g_+)

    Args:
        origin: :math:`(g_-, g_+)` at s = 0, in units of the rates.
        direction: change of :math:`(g_-, g_+)` from s = 0 to s = 1.
        omega_a, omega_c, kappa: the other parameters of the model, constant on the cut; κ is the decay rate of the
            field.

    Raises:
        ValueError, TypeError: for a number that is not finite and real, or a cut without direction.

    >>> model = Cut((1.75, 0.841664), (0.072704, -0.086676)).model(0.5, n_atoms=100)
    >>> round(model.g_minus, 6), round(model.g_plus, 6)
    (1.786352, 0.798326)
    """

    origin: tuple[float, float]
    direction: tuple[float, float]
    omega_a: float = 1.0
    omega_c: float = 1.0
    kappa: float = 1.0

    def __post_init__(self) -> None:
        for name in ("origin", "direction"):
            pair = checks.real_array(name, getattr(self, name), (2,), hint="Pass a pair (g_minus, g_plus).")
            object.__setattr__(self, name, tuple(pair.tolist()))
        for name, minimum in (("omega_a", -checks.LARGEST), ("omega_c", -checks.LARGEST), ("kappa", 0.0)):
            object.__setattr__(self, name, checks.rate(name, getattr(self, name), minimum=minimum))
        if self.direction == (0.0, 0.0):
            raise checks.refuse("direction", "a pair that is not (0, 0)", self.direction)

    def model(self, s: float, n_atoms: int) -> DickeModel:
        """The model with ``n_atoms`` atoms at position ``s`` of the cut."""
        s = checks.real("s", s)
        return DickeModel(
            n_atoms=n_atoms,
            omega_a=self.omega_a,
            omega_c=self.omega_c,
            kappa=self.kappa,
            g_minus=self.origin[0] + s * self.direction[0],
            g_plus=self.origin[1] + s * self.direction[1],
        )


#: Through the bistable phase at ω_a = ω_c = κ = 1, from the boundary of the superradiant phase (s = 0), at a right
#: angle to it, to the boundary of the normal phase (s = 1); the point (1.8, 0.782) is at s = 0.688. It reproduces the
#: cut of Fig. 3 of K. Müller and W. T. Strunz, which is drawn there but not stated.
BISTABLE_CUT = Cut(origin=(1.75, 0.841664), direction=(0.072704, -0.086676))
