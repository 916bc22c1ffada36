"""What the paper states about Fig. 1, held against datasets."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke.figures.figure1_setup import LATER_TIME, MARKED_TIME, PANELS, TILTED, Panel, steady_states
from opendicke.figures.statement import Statement
from opendicke.plots.bloch import scaled_spin

#: 1/ω_a; half of a period of the spiral into the steady state.
HALF_TURN = 2.0
#: From here on the state counts as steady: what is left of the spiral averages out.
STEADY_TIME = 20.0


def check(datasets: Mapping[str, xr.Dataset], drawn: Sequence[Panel] = PANELS) -> list[Statement]:
    """What the paper says about Fig. 1, held against ``datasets`` (those of ``figure1.run``).

    Numbers on the sphere are in units of its radius; errors after ± are standard errors. What the paper says about N =
    1000 is expected of larger N too, what it says about N = 100 of no other. With the trajectories of ``figure1.run`` a
    statement that is true fails for about one seed in a thousand.

    Args:
        datasets: of all ``drawn``.
        drawn: the panels, if not the paper's.
    """
    tilted = [panel for panel in drawn if panel.state == TILTED]
    last = drawn[-1]
    statements = [*_deviations(datasets, tilted)]
    for panel in tilted:
        if panel.n_atoms == 100:
            statements += _opposite_side(panel, datasets[panel.name])
    for panel in (tilted[0], last):
        if panel.n_atoms >= 100:
            statements += _steady(panel, datasets[panel.name])
    statements += _symmetric(last, datasets[last.name])
    statements += _normalised(
        {panel.map_name: datasets[panel.map_name] for panel in drawn if panel.map_name in datasets}
    )
    for panel in tilted:
        if panel.map_name in datasets:
            statements += _sides(panel, datasets[panel.map_name])
    for panel in tilted:
        if panel.n_atoms >= 500:
            statements += _along_the_path(panel, datasets)
    return statements


def _deviations(datasets: Mapping[str, xr.Dataset], tilted: Sequence[Panel]) -> Iterator[Statement]:
    """How far the exact mean strays from mean field: much at N = 100, marginally at N = 1000."""
    found = {panel: _deviation(datasets[panel.name], datasets[f"{panel.name}-mean-field"]) for panel in tilted}
    for panel, (distance, sem) in found.items():
        if panel.n_atoms == 100:
            yield Statement(
                f"({panel.name}) N = 100: the dynamics deviate significantly from mean field",
                distance > 0.25 and distance > 5 * sem,
                f"by up to {distance:.3f} ± {sem:.3f}",
            )
    numbers = [panel.n_atoms for panel in tilted]
    if len(tilted) > 1 and numbers == sorted(numbers):
        distances, sems = np.array(list(found.values())).T
        yield Statement(
            f"({tilted[0].name})-({tilted[-1].name}) the deviation falls with N",
            bool((np.diff(distances) < 0).all() and distances[0] - distances[-1] > 3 * math.hypot(sems[0], sems[-1])),
            ", ".join(f"{distance:.3g} ± {sem:.2g}" for distance, sem in found.values()),
        )
    for panel, (distance, sem) in found.items():
        if panel.n_atoms >= 1000:
            yield Statement(
                f"({panel.name}) N = {panel.n_atoms}: only a marginal difference from mean field",
                distance < 0.1 + 3 * sem,
                f"at most {distance:.3g} ± {sem:.2g}",
            )


def _deviation(exact: xr.Dataset, mean_field: xr.Dataset) -> tuple[float, float]:
    """Largest distance of the two means on the unit sphere, and the standard error of the mean along it."""
    apart = scaled_spin(exact) - scaled_spin(mean_field)
    distance = np.linalg.norm(apart, axis=1)
    latest = int(distance.argmax())
    along = apart[latest] / max(float(distance[latest]), 1e-300)  # two equal means: zero, and no error
    single = _trajectories(exact)[:, latest] @ along
    return float(distance[latest]), float(single.std(ddof=1) / math.sqrt(single.size))


def _opposite_side(panel: Panel, exact: xr.Dataset) -> Iterator[Statement]:
    """At N = 100 some trajectories end in the other superradiant state."""
    share, sem = _share_opposite(exact)
    yield Statement(
        f"({panel.name}) N = 100: a number of trajectories localise on the opposite side, in an uneven mixture",
        0 < share < 0.5 - 3 * sem,
        f"a share of {share:.3f} ± {sem:.3f} ends with S^x > 0",
    )


def _share_opposite(exact: xr.Dataset) -> tuple[float, float]:
    opposite = _trajectories(exact)[:, -1, 0] > 0
    share = float(opposite.mean())
    return share, math.sqrt(share * (1 - share) / opposite.size)


def _steady(panel: Panel, exact: xr.Dataset) -> Iterator[Statement]:
    """Late trajectories are at one of the two steady states of mean field, whatever N and the start."""
    expected = 2 * np.abs(steady_states()[0])[[0, 2]] * [1, -1]
    late = _trajectories(exact)[:, exact.time.values >= STEADY_TIME]
    # |S^x|, since each trajectory has a side of its own
    mean = np.array([np.abs(late[..., 0].mean(axis=1)).mean(), late[..., 2].mean()])
    yield Statement(
        f"({panel.name}) the steady state agrees with mean field's",
        bool(np.abs(mean - expected).max() < 0.03),
        f"2|S^x|/N, 2 S^z/N = {mean[0]:.3f}, {mean[1]:.3f} against {expected[0]:.3f}, {expected[1]:.3f}",
    )


def _symmetric(panel: Panel, exact: xr.Dataset) -> Iterator[Statement]:
    """From the normal state the symmetry (S^x, S^y, a) -> -(S^x, S^y, a) of the start is kept."""
    worst = max(
        float(np.abs(exact[name][1:] / exact[f"{name}_sem"][1:]).max()) for name in ("Sx", "Sy")
    )  # at t = 0 both are zero exactly
    yield Statement(
        f"({panel.name}) <S^x> = <S^y> = 0 within errors", worst < 4.5, f"at most {worst:.1f} standard errors"
    )
    share, sem = _share_opposite(exact)
    yield Statement(
        f"({panel.name}) the trajectories choose either side equally often",
        abs(share - 0.5) < 4 * max(sem, 1e-9),
        f"a share of {share:.3f} ± {sem:.3f} ends with S^x > 0",
    )


def _normalised(maps: Mapping[str, xr.Dataset]) -> Iterator[Statement]:
    """Q is a density on the sphere."""
    if not maps:
        return
    names = list(maps)
    worst = max(float(np.abs(q.norm - 1).max()) for q in maps.values())
    lowest = min(float(q.Q.min() / q.Q.max()) for q in maps.values())
    yield Statement(
        f"({names[0]})-({names[-1]}) Q is nowhere negative and integrates to one",
        worst < 1e-6 and lowest >= 0,
        f"to within {worst:.1g}",
    )


def _sides(panel: Panel, q: xr.Dataset) -> Iterator[Statement]:
    """At N = 100 Q runs over the normal state to the other side and comes apart; at N = 1000 it is in one piece."""
    now = q.sel(state_time=MARKED_TIME, method="nearest")
    opposite = _weight_opposite(now)
    if panel.n_atoms == 100:
        where = f"({panel.map_name}) N = 100: Q"
        yield Statement(f"{where} has weight on both sides", 0.01 < opposite < 0.5, f"{opposite:.3f} where S^x > 0")
        peaks, between, z = _maxima(q.sel(state_time=LATER_TIME, method="nearest"))
        yield Statement(
            f"{where} becomes bimodal: at t = {LATER_TIME:g} it has a maximum on each side",
            z > 2,
            f"{peaks[0]:.3g} and {peaks[1]:.3g}, at most {between:.1g} in between; {z:.1f} standard errors. At t = "
            f"{MARKED_TIME:g} the smaller one is {_maxima(now)[2]:.1f} standard errors above what is in between",
        )
    elif panel.n_atoms >= 1000:
        yield Statement(
            f"({panel.map_name}) N = {panel.n_atoms}: Q is on one side only",
            opposite < 1e-3,
            f"{opposite:.1g} where S^x > 0",
        )


def _weight_opposite(q: xr.Dataset) -> float:
    """Integral of Q over the half of the sphere where S^x > 0."""
    weight = q.Q * q.theta_weight * q.phi_weight
    return float(weight.where(np.cos(q.phi) > 0, 0.0).sum())


def _maxima(q: xr.Dataset) -> tuple[tuple[float, float], float, float]:
    """Q's maxima where S^x < 0 and S^x > 0, its maximum on the circle S^x = 0, and how significant the smaller one is.

    Every way from one side to the other crosses the circle. If a side's maximum is above all that is on it, then it is
    a local maximum of Q and not the flank of the other one.
    """
    sides, errors = [], []
    for half in (np.cos(q.phi) < 0, np.cos(q.phi) > 0):
        flat = q.Q.where(half, -1.0).values
        at = np.unravel_index(int(flat.argmax()), flat.shape)
        sides.append(float(flat[at]))
        errors.append(float(q.Q_sem.values[at]))
    # the grid's columns on either side of φ = π/2 and 3π/2 may not lie on the circle: the larger neighbour counts
    phi, count = q.phi.values, q.phi.size
    columns = [
        (int(np.searchsorted(phi, angle)) - step) % count for angle in (np.pi / 2, 1.5 * np.pi) for step in (0, 1)
    ]
    circle = q.isel(phi=columns)
    at = np.unravel_index(int(circle.Q.values.argmax()), circle.Q.shape)
    between, error = float(circle.Q.values[at]), float(circle.Q_sem.values[at])
    lesser = int(np.argmin(sides))
    return (sides[0], sides[1]), between, (sides[lesser] - between) / max(math.hypot(errors[lesser], error), 1e-300)


def _along_the_path(panel: Panel, datasets: Mapping[str, xr.Dataset]) -> Iterator[Statement]:
    """At the marked time trajectories are early or late on mean field's path, rather than beside it."""
    exact, path = datasets[panel.name], scaled_spin(datasets[f"{panel.name}-mean-field"])
    now = int(np.abs(exact.time.values - MARKED_TIME).argmin())
    single = _trajectories(exact)[:, now]
    _, directions = np.linalg.eigh(np.cov(single.T))
    velocity = path[now + 1] - path[now - 1]
    cosine = abs(float(directions[:, -1] @ velocity)) / float(np.linalg.norm(velocity))
    near = np.abs(exact.time.values - MARKED_TIME) <= HALF_TURN
    beside = float(np.median(_distance(single, path[near])))
    along = float(np.median(np.linalg.norm(single - path[now], axis=1)))
    yield Statement(
        f"({panel.map_name}) the trajectories are spread along mean field's path, not perpendicular to it",
        cosine > 0.9 and beside < along / 4,
        f"|cos| = {cosine:.3f} between the direction of largest spread and the velocity; median distance from "
        f"mean field {along:.3g}, from its path {beside:.2g}",
    )


def _distance(points: NDArray[np.float64], path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each point, shape (points, 3), from the polygonal line through ``path``, shape (corners, 3)."""
    start, edge = path[:-1], np.diff(path, axis=0)
    offset = points[:, None] - start
    share = np.clip((offset * edge).sum(axis=-1) / (edge**2).sum(axis=-1), 0, 1)
    distance: NDArray[np.float64] = np.linalg.norm(offset - share[..., None] * edge, axis=-1).min(axis=1)
    return distance


def _trajectories(exact: xr.Dataset) -> NDArray[np.float64]:
    """2<S>/N of the single trajectories: shape (trajectories, times, 3)."""
    n_atoms = json.loads(exact.attrs["model"])["n_atoms"]
    parts = [exact[f"{name}_trajectory"].values for name in ("Sx", "Sy", "Sz")]
    spins: NDArray[np.float64] = 2 / n_atoms * np.stack(parts, axis=-1)
    return spins
