"""Phase boundaries against brute-force root finding, and labels against where trajectories really end."""

import doctest
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from mean_field_reference import leading, solve_fixed_point
from opendicke import DickeModel
from opendicke.analysis import (
    PHASES,
    PhaseBoundary,
    fixed_point,
    fixed_points,
    follow_mean_field,
    phase,
    phase_boundaries,
    phase_diagram,
    tricritical_point,
)
from tutorials import cells

UNIT = DickeModel(n_atoms=100, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.8, g_plus=0.782)
MODELS = [
    UNIT,
    UNIT.replace(omega_c=2.5, kappa=0.5),
    UNIT.replace(omega_a=2.0, omega_c=0.5, kappa=0.3),
    UNIT.replace(omega_a=0.7, omega_c=-1.2, kappa=0.8),
    UNIT.replace(omega_a=-1.0, omega_c=-1.5, kappa=0.6),
]
NORMAL, INVERTED = np.array([0.0, 0.0, -0.5, 0.0, 0.0]), np.array([0.0, 0.0, 0.5, 0.0, 0.0])


def growth_of_superradiant(model: DickeModel) -> float:
    point = fixed_point(model, "SR+")
    found = solve_fixed_point(model, np.array([*point.m, point.beta.real, point.beta.imag]))
    assert found is not None
    return leading(model, found)


def torque_balance(model: DickeModel) -> float:
    """Zero where the superradiant states merge: an extremum over the azimuth of the torque about z of the slaved field.

    A fixed point off the poles needs B_x m_y = B_y m_x, which for β slaved to the spin depends on the spin's azimuth
    alone: two pairs of solutions where it changes sign, none where it does not.
    """

    def torque(azimuth: float) -> float:
        m_x, m_y = math.cos(azimuth), math.sin(azimuth)
        total, difference = model.g_minus + model.g_plus, model.g_minus - model.g_plus
        beta = -(1j * total * m_x + difference * m_y) / (model.kappa + 1j * model.omega_c)
        return 2 * total * beta.real * m_y + 2 * difference * beta.imag * m_x

    def extremum(sign: int) -> float:
        scan = np.linspace(0, math.pi, 9)
        start = scan[int(np.argmin([sign * torque(azimuth) for azimuth in scan]))]
        found = minimize_scalar(lambda azimuth: sign * torque(azimuth), bracket=(start - 0.3, start + 0.3), tol=1e-10)
        return sign * float(found.fun)

    return extremum(1) * extremum(-1)


def brute_force(line: PhaseBoundary, model: DickeModel) -> Callable[[DickeModel], float]:
    """What changes sign on a line."""
    upper = model.omega_a * model.omega_c < 0
    if "pitchfork" in line.name:
        return lambda at: leading(at, INVERTED if upper else NORMAL)
    if line.name == "pole flip":
        return lambda at: leading(at, NORMAL if upper else INVERTED)
    return growth_of_superradiant if line.name == "Hopf" else torque_balance


def across(line: PhaseBoundary, index: int, distance: float) -> Callable[[float], tuple[float, float]]:
    """Couplings on the normal to ``line`` at a point; the argument −1 … 1 reaches ``distance`` to both sides."""
    before, after = max(index - 1, 0), min(index + 1, line.g_minus.size - 1)
    tangent = np.array([line.g_minus[after] - line.g_minus[before], line.g_plus[after] - line.g_plus[before]])
    normal = np.array([-tangent[1], tangent[0]]) / np.linalg.norm(tangent)
    return lambda t: tuple(float(g) for g in (line.g_minus[index], line.g_plus[index]) + t * distance * normal)


def with_couplings(model: DickeModel, couplings: tuple[float, float]) -> DickeModel:
    return model.replace(g_minus=couplings[0], g_plus=couplings[1])


@pytest.mark.parametrize("model", MODELS)
def test_boundaries_are_where_brute_force_finds_them(model: DickeModel) -> None:
    distance = 1e-3
    for line in phase_boundaries(model, g_max=3.5, points=400):
        function = brute_force(line, model)
        for index in (40, 130, 220, 310, 370):
            move = across(line, index, distance)
            root = brentq(lambda t, f=function, move=move: f(with_couplings(model, move(t))), -1, 1, xtol=1e-7)
            assert abs(root) * distance < 1e-6, (line.name, move(0.0), root)


@pytest.mark.parametrize("model", MODELS)
def test_straight_lines_and_the_pitchfork_end_at_the_edge(model: DickeModel) -> None:
    """The larger coupling of the last point is ``g_max``; all lines but the first pitchfork and Hopf's."""
    ends = {}
    for line in phase_boundaries(model, g_max=3.5, points=20):
        ends[line.name] = max(line.g_minus[-1], line.g_plus[-1])
        if line.name not in ("pitchfork", "Hopf"):
            np.testing.assert_allclose(ends[line.name], 3.5, rtol=1e-12)
    assert set(ends) >= {"pole flip", "subcritical pitchfork"}
    assert ends["pitchfork"] < 3.4


@pytest.mark.parametrize("model", MODELS)
def test_the_phase_changes_on_every_boundary(model: DickeModel) -> None:
    changes = set()
    for line in phase_boundaries(model, g_max=3.5, points=200):
        for index in range(4, 196, 8):
            move = across(line, index, 1e-6)
            sides = {phase(with_couplings(model, move(t))) for t in (-1.0, 1.0)}
            assert len(sides) == 2, (line.name, move(0.0), sides)
            changes.add(line.name)
    assert changes >= {"pitchfork", "subcritical pitchfork", "saddle-node", "pole flip", "Hopf"}


@pytest.mark.parametrize("model", [*MODELS, UNIT.replace(omega_a=0.0), UNIT.replace(omega_c=0.0)])
def test_the_phase_changes_nowhere_else(model: DickeModel) -> None:
    """Two neighbours on a fine grid with different labels have a boundary no farther away than their distance."""
    g = np.linspace(0.013, 3.4, 180)
    label = phase_diagram(model, g, g).phase.values
    lines = [np.column_stack([line.g_minus, line.g_plus]) for line in phase_boundaries(model, g_max=3.5, points=3000)]
    cloud = np.vstack(lines)
    spacing = g[1] - g[0]
    for axis in (0, 1):
        here = np.argwhere(np.diff(label, axis=axis) != 0)
        middle = np.array([g[here[:, 0]] + spacing / 2 * (axis == 0), g[here[:, 1]] + spacing / 2 * (axis == 1)]).T
        gap = np.array([np.linalg.norm(cloud - point, axis=1).min() for point in middle])
        assert here.shape[0] > 100
        assert gap.max() < spacing


def test_labels_follow_from_the_fixed_points() -> None:
    rng = np.random.default_rng(21)
    seen = Counter()
    for _ in range(400):
        omega_a, omega_c = rng.normal(size=2)
        g_minus, g_plus = rng.normal(size=2)
        kappa = rng.uniform(0.1, 1.5)
        model = DickeModel(n_atoms=1, omega_a=omega_a, omega_c=omega_c, kappa=kappa, g_minus=g_minus, g_plus=g_plus)
        data = phase_diagram(model, [g_minus], [g_plus]).squeeze()
        stable = {point.kind for point in fixed_points(model) if point.is_stable}
        bits = {"normal": 1, "SR+": 2, "inverted": 4}
        assert int(data.phase) == sum(bits[kind] for kind in stable)
        seen[PHASES[int(data.phase)]] += 1
        present = {point.kind: point for point in fixed_points(model)}
        for kind, name in (("normal", "leading_normal"), ("inverted", "leading_inverted"), ("SR+", "leading_SR")):
            if kind in present:
                scale = np.linalg.norm(present[kind].jacobian)
                np.testing.assert_allclose(data[name], present[kind].leading, rtol=0, atol=1e-6 * scale)
            else:
                assert np.isnan(data[name])
        if "SR+" in present:
            np.testing.assert_allclose(data.mz_SR, present["SR+"].m[2], rtol=1e-12)
    assert set(seen) == set(PHASES.values())


def test_known_lines_at_unit_parameters() -> None:
    np.testing.assert_allclose(tricritical_point(UNIT), [1.3065629648763766, 0.5411961001461969], rtol=1e-14)
    lines = {line.name: line for line in phase_boundaries(UNIT, 3.5, points=4000) if line.name != "saddle-node"}
    spinodals = [line for line in phase_boundaries(UNIT, 3.5) if line.name == "saddle-node"]
    for line, slope in zip(spinodals, (math.sqrt(2) - 1, math.sqrt(2) + 1), strict=True):
        np.testing.assert_allclose(line.g_plus, slope * line.g_minus, rtol=1e-13)
    np.testing.assert_allclose(lines["pole flip"].g_plus, math.sqrt(5) * lines["pole flip"].g_minus, rtol=1e-13)
    pitchfork = lines["subcritical pitchfork"]
    assert abs(np.interp(1.8, pitchfork.g_minus, pitchfork.g_plus) - 0.8841248253735915) < 1e-6
    # Brute-force roots of the leading eigenvalue of SR+ (test_boundaries_… has the method).
    table = {1.05: 1.345595, 1.2: 1.423231, 1.5: 1.630598, 2.0: 2.059792, 2.5: 2.531406}
    hopf = lines["Hopf"]
    rising = hopf.g_plus[hopf.g_minus > 0.8]
    for g_minus, g_plus in table.items():
        found = np.interp(g_minus, hopf.g_minus[hopf.g_minus > 0.8], rising)
        assert abs(found - g_plus) < 2e-6
        root = brentq(
            lambda g, g_minus=g_minus: growth_of_superradiant(with_couplings(UNIT, (g_minus, g))),
            g_plus - 0.01,
            g_plus + 0.01,
        )
        assert abs(root - g_plus) < 1e-6


def test_phases_by_name() -> None:
    expected = {
        (0.3, 0.3): "normal",
        (1.5, 1.0): "superradiant",
        (1.8, 0.782): "bistable",
        (0.2, 1.0): "inverted",
        (1.2, 2.8): "inverted and superradiant",
        (1.5, 2.0): "no stable fixed point",
        (0.0, 0.0): "no stable fixed point",
    }
    for couplings, name in expected.items():
        for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            assert phase(with_couplings(UNIT, (signs[0] * couplings[0], signs[1] * couplings[1]))) == name


def test_without_a_pitchfork() -> None:
    """ω_a = 0 leaves the pole flip and both saddle-node lines; ω_c = 0 leaves the pole flip alone."""
    assert [line.name for line in phase_boundaries(UNIT.replace(omega_a=0.0), 3.0)] == [
        "pole flip",
        "saddle-node",
        "saddle-node",
    ]
    (flip,) = phase_boundaries(UNIT.replace(omega_c=0.0), 3.0)
    np.testing.assert_allclose(flip.g_plus, flip.g_minus, rtol=1e-12)
    assert phase(UNIT.replace(omega_a=0.0, g_minus=1.0, g_plus=0.8)) == "bistable"
    assert phase(UNIT.replace(omega_c=0.0, g_minus=1.0, g_plus=0.8)) == "normal"


def test_examples_of_the_user_documentation() -> None:
    blocks = cells(Path(__file__).parent.parent / "docs" / "mean-field.md")
    names: dict[str, object] = {}
    exec(blocks[0], names)
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks[1:]), names, "mean-field.md", None, 0)
    result = doctest.DocTestRunner().run(examples)
    assert result.attempted >= 8
    assert result.failed == 0


def test_refusals() -> None:
    lossless = UNIT.replace(kappa=0.0)
    for call in (lambda: phase(lossless), lambda: phase_boundaries(lossless, 3.0), lambda: tricritical_point(lossless)):
        with pytest.raises(ValueError, match=r"kappa: expected a number > 0, got 0\.0\. Without loss"):
            call()
    with pytest.raises(ValueError, match="g_plus: expected a non-empty one-dimensional sequence"):
        phase_diagram(UNIT, [1.0], [[1.0]])
    with pytest.raises(ValueError, match=r"omega_a, omega_c: expected omega_a \* omega_c > 0"):
        tricritical_point(UNIT.replace(omega_c=-1.0))
    with pytest.raises(ValueError, match="g_max: expected a number > 0"):
        phase_boundaries(UNIT, 0.0)


#: A fixed point with a rate below this is not followed to its end: three of its times would take longer than 750.
SLOW = 0.004


def ends(model: DickeModel, starts: np.ndarray, duration: float) -> tuple[list[str], np.ndarray]:
    """The kind of the nearest fixed point at the end of each trajectory, and whether the trajectory rests there."""
    points = fixed_points(model)
    m, beta = follow_mean_field(model, starts, 0.0, duration)
    arrived = np.column_stack([m, beta.real, beta.imag])
    known = np.array([[*point.m, point.beta.real, point.beta.imag] for point in points])
    distance = np.linalg.norm(arrived[:, None] - known, axis=2)
    return [points[k].kind for k in distance.argmin(axis=1)], distance.min(axis=1) < 1e-3


def test_trajectories_end_where_the_labels_say() -> None:
    """Brute force on a 25 × 25 grid, two ways.

    Locally: from 1e-3 beside every fixed point a trajectory must return if and only if the point is labelled stable.
    Points whose slowest rate is below SLOW (within about 0.01 of a boundary, or deep in the dispersive regime near
    the diagonal) are left to the eigenvalue tests above; the last line says how many.
    Globally: from four random states, whatever has come to rest by t = 150 must be in a state labelled stable, and
    nothing may rest where nothing is stable. Where every rate is above 0.15 all must come to rest; those still on their
    way (past a saddle, or round the pole) are followed for ten times as long.
    """
    rng = np.random.default_rng(22)
    g = np.linspace(0.1, 3.5, 25)
    bits = {"normal": 1, "SR+": 2, "inverted": 4, "SR-": 0}
    label = phase_diagram(UNIT, g, g).phase.values
    starts = rng.normal(size=(4, 3))
    starts *= 0.5 / np.linalg.norm(starts, axis=1)[:, None]
    tally = Counter()
    for i, j in np.ndindex(label.shape):
        model = with_couplings(UNIT, (float(g[i]), float(g[j])))
        points = {point.kind: point for point in fixed_points(model)}
        for point in points.values():
            if abs(point.leading) < SLOW:
                tally["slow"] += 1
                continue
            near = point.m + 1e-3 * (point.frame[0] * 0.6 + point.frame[1] * 0.8)
            near *= 0.5 / np.linalg.norm(near)
            m, beta = follow_mean_field(model, near, point.beta, 3 / abs(point.leading))
            returned = math.hypot(np.linalg.norm(m[0] - point.m), abs(beta[0] - point.beta)) < 5e-4
            assert returned == bool(bits[point.kind] & label[i, j]), (model, point.kind)
            tally["returned" if returned else "left"] += 1
        kinds, at_rest = ends(model, starts, 150.0)
        if label[i, j] and all(abs(point.leading) > 0.15 for point in points.values()):
            tally["fast"] += 1
            if not at_rest.all():
                kinds, at_rest = ends(model, starts, 1500.0)
            assert at_rest.all(), model
        resting = [kind for kind, rests in zip(kinds, at_rest, strict=True) if rests]
        assert all(bits[kind] & label[i, j] for kind in resting), (model, resting)
        tally["resting"] += len(resting)
    # 1521 fixed points decided locally, 195 left to the eigenvalues; 218 of the 625 grid points wholly at rest.
    assert tally["returned"] > 450
    assert tally["left"] > 1000
    assert tally["slow"] < 200
    assert tally["fast"] > 200
