r"""All fixed points of the mean-field flow, with their linear stability.

For N → ∞ the mean spin and the field follow, with :math:`m = \langle S\rangle/N`,
:math:`\beta = \langle a\rangle/\sqrt N`, :math:`G = g_- + g_+` and :math:`D = g_- - g_+`,

.. math::
    \dot m = B\times m,\quad B = (2G\,\mathrm{Re}\,\beta,\; -2D\,\mathrm{Im}\,\beta,\; \omega_a),\qquad
    \dot\beta = -(\kappa + i\omega_c)\beta - iGm_x - Dm_y .

:math:`|m| = 1/2` is conserved, so the flow lives on a sphere times a plane: four real dimensions. At a fixed point B is
parallel to m, :math:`B = 2b\,m`; the signed rate b at which small deviations precess labels every fixed point:
:math:`b = \mp\omega_a` at the two poles, and elsewhere

.. math::
    R\,b^2 + 2\omega_c\sigma\,b + \delta^2 = 0,\qquad m_z = \frac{\omega_a}{2b},\qquad
    R = \omega_c^2 + \kappa^2,\; \sigma = g_-^2 + g_+^2,\; \delta = g_-^2 - g_+^2 ,

which is the form used here because it stays regular where δ = 0 or ω_a = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opendicke import checks
from opendicke.model import DickeModel, check_model

Kind = Literal["normal", "inverted", "SR+", "SR-"]
Stability = Literal["stable", "marginal", "unstable"]

#: A stability margin (see :func:`stability_margin`) smaller than this is rounding: the point is on a boundary.
MARGINAL = 1e-13


@dataclass(frozen=True, eq=False)
class FixedPoint:
    r"""One fixed point of the mean-field flow of ``model``.

    Attributes:
        model: the model it belongs to.
        kind: ``"normal"`` (m_z = −1/2), ``"inverted"`` (m_z = +1/2), or one of the two superradiant branches:
            ``"SR+"`` has the smaller |m_z|, ``"SR-"``, where it exists, is always a saddle.
        m: mean spin per atom <S>/N, shape (3,), length 1/2.
        beta: field <a>/√N, complex.
        frame: right-handed orthonormal axes, rows e1, e2, e3: e3 along m, e1 along the part of x that is orthogonal
            to m (along y where m is parallel to x).
        jacobian: shape (4, 4), of the flow in the deviations (m·e1, m·e2, Re β, Im β), in units of the rates.
        eigenvalues: its four eigenvalues, complex, largest real part first.
        stability: ``"stable"`` if every deviation decays, ``"unstable"`` if one grows, else ``"marginal"`` (on a
            boundary, at g = 0, and without loss). Decided by the exact conditions of :func:`stability_margin`, not by
            the rounded eigenvalues: deep in the dispersive regime a real part may be 10⁻¹¹ of the others and count.
    """

    model: DickeModel
    kind: Kind
    m: NDArray[np.float64]
    beta: complex
    frame: NDArray[np.float64]
    jacobian: NDArray[np.float64]
    eigenvalues: NDArray[np.complex128]
    stability: Stability

    @property
    def leading(self) -> float:
        """Largest real part of the eigenvalues: minus the rate at which the slowest deviation dies out."""
        return float(self.eigenvalues[0].real)

    @property
    def is_stable(self) -> bool:
        """Whether the point attracts: every eigenvalue has a negative real part."""
        return self.stability == "stable"

    def mirror(self) -> FixedPoint:
        """The partner under (S^x, S^y, a) → −(S^x, S^y, a); a pole is its own partner."""
        if self.kind in ("normal", "inverted"):
            return self
        m = self.m * np.array([-1.0, -1.0, 1.0])
        return replace(self, m=m, beta=-self.beta, frame=tangent_frame(m))


def tangent_frame(m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Right-handed orthonormal axes, rows e1, e2, e3, with e3 along ``m`` and e1 along x − (x·e3) e3.

    >>> tangent_frame(np.array([0.0, 0.0, -0.5])) + 0.0
    array([[ 1.,  0.,  0.],
           [ 0., -1.,  0.],
           [ 0.,  0., -1.]])
    """
    e3 = m / np.linalg.norm(m)
    axis = np.array([1.0, 0.0, 0.0])
    if abs(e3[0]) > 1 - 1e-12:
        axis = np.array([0.0, 1.0, 0.0])
    e1 = axis - (axis @ e3) * e3
    e1 /= np.linalg.norm(e1)
    return np.array([e1, np.cross(e3, e1), e3])


def superradiant_precession(
    omega_a: float, omega_c: float, kappa: float, g_minus: ArrayLike, g_plus: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""The rates b of the two superradiant branches, NaN where a branch does not exist.

    .. math::
        b_\pm = -\frac1R
            \left[\omega_c\sigma \pm \mathrm{sgn}(\omega_c)\sqrt{4\omega_c^2 g_-^2 g_+^2 - \kappa^2\delta^2}\right]

    A branch exists where the root is real and :math:`|m_z| = |\omega_a/2b| < 1/2`. Where the two merge (the
    saddle-node line itself) only the first is returned.

    Args:
        omega_a, omega_c, kappa: rates of the model; ω_c and κ not both zero.
        g_minus, g_plus: couplings, arrays that broadcast against each other.

    Returns:
        b of SR+ (the larger |b|) and of SR−, arrays of the broadcast shape, in units of the rates.
    """
    g_minus, g_plus = np.asarray(g_minus, dtype=float), np.asarray(g_plus, dtype=float)
    sigma, delta = g_minus**2 + g_plus**2, (g_minus - g_plus) * (g_minus + g_plus)
    rate2 = omega_c**2 + kappa**2
    product = 2 * np.abs(omega_c * g_minus * g_plus)
    square = (product - kappa * np.abs(delta)) * (product + kappa * np.abs(delta))
    outer = -(omega_c * sigma + np.sign(omega_c) * np.sqrt(np.maximum(square, 0.0))) / rate2
    # The small root from the product of the two: the textbook formula cancels as δ → 0.
    inner = np.divide(delta**2, rate2 * outer, out=np.zeros_like(outer), where=outer != 0)
    plus = np.where((square >= 0) & (np.abs(outer) > abs(omega_a)), outer, np.nan)
    minus = np.where((square > 0) & (np.abs(inner) > abs(omega_a)), inner, np.nan)
    return plus, minus


def stability_margin(
    omega_c: float, kappa: float, g_minus: ArrayLike, g_plus: ArrayLike, b: ArrayLike, w: ArrayLike, *, pole: bool
) -> NDArray[np.float64]:
    r"""How far inside the region of stability a fixed point is: the smallest Hurwitz condition, in [−1, 1].

    With :math:`w = 2m_z`, the characteristic polynomial of the Jacobian is
    :math:`\lambda^4 + 2\kappa\lambda^3 + c_2\lambda^2 + c_1\lambda + c_0`,

    .. math::
        c_2 = R + b^2 - 2\delta w,\quad c_1 = 2\kappa(b^2 - \delta w),\quad
        c_0 = \begin{cases} b^2R + 2b\omega_c\sigma + \delta^2 & \text{poles}\\
              (1-w^2)(b^2R - \delta^2) & \text{superradiant}\end{cases}

    and, for κ > 0, all roots have a negative real part iff :math:`c_0 > 0`, :math:`b^2 > \delta w` and :math:`h > 0`,

    .. math::
        h = \frac{c_1(2\kappa c_2 - c_1) - 4\kappa^2c_0}{4\kappa^2}
        = \begin{cases} -\delta w(R + b^2) - 2b\omega_c\sigma & \text{poles}\\
          (\delta - wR)(\delta - wb^2) & \text{superradiant.}\end{cases}

    Without loss (κ = 0) the roots come in pairs ±λ and no point attracts; then :math:`c_2, c_0, c_2^2 - 4c_0 \ge 0`
    are the conditions that none grows.

    Args:
        omega_c, kappa: rates of the model.
        g_minus, g_plus, b, w: couplings, precession rate and 2 m_z of the point, arrays that broadcast.
        pole: whether the point is the normal or the inverted state.

    Returns:
        each condition as the sum of its terms over the sum of their absolute values (0 for 0/0), the smallest of them;
        NaN where b is.
    """
    g_minus, g_plus = np.asarray(g_minus, dtype=float), np.asarray(g_plus, dtype=float)
    b, w = np.asarray(b, dtype=float), np.asarray(w, dtype=float)
    sigma, delta = g_minus**2 + g_plus**2, (g_minus - g_plus) * (g_minus + g_plus)
    rate2 = omega_c**2 + kappa**2
    cross = 2 * b * omega_c * sigma
    if pole:
        restoring, force = b**2 * rate2 + cross + delta**2, _balance(b**2 * rate2, cross, delta**2)
        hopf = _balance(-delta * w * rate2, -delta * w * b**2, -cross)
    else:
        restoring, force = (1 - w**2) * (b**2 * rate2 - delta**2), _balance(b**2 * rate2, -(delta**2))
        hopf = _balance(delta, -w * rate2) * _balance(delta, -w * b**2)
    if kappa > 0:
        return np.minimum(np.minimum(force, hopf), _balance(b**2, -delta * w))
    stiffness = rate2 + b**2 - 2 * delta * w
    elliptic = _balance(stiffness**2, -4 * restoring)
    return np.minimum(np.minimum(force, elliptic), _balance(rate2, b**2, -2 * delta * w))


def _balance(*terms: ArrayLike) -> NDArray[np.float64]:
    """The sum of the terms over the sum of their absolute values, and 0 for 0/0."""
    stacked = np.stack(np.broadcast_arrays(*terms)).astype(float)
    scale = np.abs(stacked).sum(axis=0)
    balance: NDArray[np.float64] = np.divide(stacked.sum(axis=0), scale, out=np.zeros_like(scale), where=scale != 0)
    return balance


def fixed_points(model: DickeModel) -> tuple[FixedPoint, ...]:
    r"""Every fixed point of the mean-field flow of ``model``.

    Args:
        model: the model; ``n_atoms`` does not matter.

    Returns:
        The normal and the inverted state, then, where they exist, SR+ and its mirror partner, SR− and its partner;
        of each pair the one with m_x > 0 comes first (m_y > 0 if m_x = 0). Where fixed points form a continuous family
        (Tavis–Cummings with κ = 0; ω_a = 0 and balanced) one representative pair is returned, and is marginal.

    Raises:
        ValueError: if ω_c = κ = 0 (the field then has no restoring force and fixed points are not isolated).

    >>> model = DickeModel(n_atoms=100, omega_a=1, omega_c=1, kappa=1, g_minus=1.8, g_plus=0.782)
    >>> [(point.kind, point.stability) for point in fixed_points(model)][:4]
    [('normal', 'stable'), ('inverted', 'unstable'), ('SR+', 'stable'), ('SR+', 'stable')]
    >>> fixed_points(model)[2].m.round(6)
    array([ 0.375516, -0.258157, -0.205773])
    """
    check_model(model, "fixed_points")
    if model.omega_c == 0 and model.kappa == 0:
        hint = "Without either, the mean-field fixed points are not isolated."
        raise checks.refuse("omega_c, kappa", "at least one of them nonzero", (0.0, 0.0), hint)
    found = [_pole(model, "normal"), _pole(model, "inverted")]
    rates = (float(rate) for rate in superradiant_precession(*_frequencies(model), model.g_minus, model.g_plus))
    branches: tuple[Kind, Kind] = ("SR+", "SR-")
    for kind, b in zip(branches, rates, strict=True):
        if not np.isnan(b):
            point = _superradiant(model, kind, b)
            found += [point, point.mirror()]
    return tuple(found)


def fixed_point(model: DickeModel, kind: Kind) -> FixedPoint:
    """The fixed point of one kind (of a mirror pair the first; its :meth:`FixedPoint.mirror` is the other).

    Args:
        model: the model; ``n_atoms`` does not matter.
        kind: ``"normal"``, ``"inverted"``, ``"SR+"`` or ``"SR-"``.

    Raises:
        ValueError: for an unknown kind, or one that the model does not have.

    >>> fixed_point(DickeModel.balanced(n_atoms=10, omega_a=1, omega_c=2, kappa=1, coupling=1), "SR+")
    Traceback (most recent call last):
        ...
    ValueError: kind: expected one of normal, inverted (the fixed points of this model), got 'SR+'.
    """
    checks.choice("kind", kind, get_args(Kind))
    points = fixed_points(model)
    for point in points:
        if point.kind == kind:
            return point
    present = ", ".join(dict.fromkeys(point.kind for point in points))
    raise checks.refuse("kind", f"one of {present} (the fixed points of this model)", kind)


def jacobian(model: DickeModel, frame: NDArray[np.float64], b: float) -> NDArray[np.float64]:
    r"""Jacobian of the flow on sphere × plane at a fixed point with axes ``frame`` and precession rate ``b``.

    .. math::
        \dot q &= -bp + G x_2\,\mathrm{Re}\,\delta\beta - D y_2\,\mathrm{Im}\,\delta\beta, \qquad
        \dot p = bq - G x_1\,\mathrm{Re}\,\delta\beta + D y_1\,\mathrm{Im}\,\delta\beta \\
        \dot{\delta\beta} &= -(\kappa + i\omega_c)\delta\beta - iG(x_1q + x_2p) - D(y_1q + y_2p)

    with :math:`\delta m = q e_1 + p e_2` and :math:`x_k, y_k` the x- and y-components of :math:`e_k`.

    Returns:
        shape (4, 4), in (q, p, Re δβ, Im δβ).
    """
    coupling, imbalance = model.g_minus + model.g_plus, model.g_minus - model.g_plus
    (x1, y1), (x2, y2) = frame[0, :2], frame[1, :2]
    return np.array(
        [
            [0.0, -b, coupling * x2, -imbalance * y2],
            [b, 0.0, -coupling * x1, imbalance * y1],
            [-imbalance * y1, -imbalance * y2, -model.kappa, model.omega_c],
            [-coupling * x1, -coupling * x2, -model.omega_c, -model.kappa],
        ]
    )


def _frequencies(model: DickeModel) -> tuple[float, float, float]:
    return model.omega_a, model.omega_c, model.kappa


def _point(model: DickeModel, kind: Kind, m: NDArray[np.float64], beta: complex, b: float) -> FixedPoint:
    frame = tangent_frame(m)
    matrix = jacobian(model, frame, b)
    values = cast(NDArray[Any], np.linalg.eigvals(matrix)).astype(np.complex128)
    ordered = values[np.lexsort((-values.imag, -values.real))]
    return FixedPoint(model, kind, m, beta, frame, matrix, ordered, _stability(model, kind, b))


def _stability(model: DickeModel, kind: Kind, b: float) -> Stability:
    pole = kind in ("normal", "inverted")
    w = (-1.0 if kind == "normal" else 1.0) if pole else model.omega_a / b
    point = (model.g_minus, model.g_plus, b, w)
    margin = float(stability_margin(model.omega_c, model.kappa, *point, pole=pole))
    if margin < -MARGINAL:
        return "unstable"
    return "stable" if margin > MARGINAL and model.kappa > 0 else "marginal"


def _pole(model: DickeModel, kind: Literal["normal", "inverted"]) -> FixedPoint:
    sign = -1.0 if kind == "normal" else 1.0
    return _point(model, kind, np.array([0.0, 0.0, sign / 2]), 0j, sign * model.omega_a)


def _superradiant(model: DickeModel, kind: Kind, b: float) -> FixedPoint:
    """The member with m_x > 0 of the pair on the branch with rate ``b``.

    The transverse spin is the eigenvector, for the eigenvalue b, of [[−ω_c G², −κδ], [κδ, −ω_c D²]] / R.
    """
    coupling, imbalance = model.g_minus + model.g_plus, model.g_minus - model.g_plus
    delta, rate2 = coupling * imbalance, model.omega_c**2 + model.kappa**2
    first = np.array([-model.kappa * delta, model.omega_c * coupling**2 + b * rate2])
    second = np.array([model.omega_c * imbalance**2 + b * rate2, model.kappa * delta])
    direction = max(first, second, key=lambda vector: float(np.linalg.norm(vector)))
    length = float(np.linalg.norm(direction))
    # Both vanish where the matrix is a multiple of one: every direction then is a fixed point.
    direction = direction / length if length > 1e-14 * rate2 * abs(b) else np.array([1.0, 0.0])
    if direction[0] < 0 or (direction[0] == 0 and direction[1] < 0):
        direction = -direction
    m_z = model.omega_a / (2 * b)
    transverse = np.sqrt((0.5 - m_z) * (0.5 + m_z)) * direction + 0.0
    m = np.array([transverse[0], transverse[1], m_z])
    beta = -(1j * coupling * m[0] + imbalance * m[1]) / (model.kappa + 1j * model.omega_c)
    return _point(model, kind, m, complex(beta), b)
