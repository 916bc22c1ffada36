r"""Fig. 3: finite-size effects on the bistable phase of the unbalanced Dicke model, ω_a = ω_c = κ = 1.

(a) Spin Q function at N = 500 in the bistable phase, reached from the normal state. (b) Occupation of the superradiant
states at :math:`\omega_at = 50` from the normal state, N = 500, in the plane of the couplings:

.. math:: p_s = \frac{\langle S^z\rangle/N + \tfrac12}{m_z^{SR} + \tfrac12}

averaged over the last 4/ω_a; where mean field has no superradiant state the real part of its complex continuation
stands for :math:`m_z^{SR}`. Inset: exponents of the tunnelling rates along the cut, which cross at s_c. (c), (d)
Occupation of the superradiant (normal) state at :math:`\omega_at = 150` from the normal (superradiant) state on the
cut, :data:`opendicke.analysis.tunnelling.BISTABLE_CUT`; insets: the rates with the fits of :math:`Ae^{rN}`. (e)
Squeezing of the normal state, from trajectories that never left it, with the limit N → ∞ of Gaussian fluctuations.

The caption in the paper has no panel of its own for the squeezing; the text speaks of one.

Source: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*, Fig. 3.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from opendicke.analysis import husimi, phase_diagram
from opendicke.analysis.tunnelling import (
    BISTABLE_CUT,
    Crossing,
    Exponent,
    Landscape,
    crossing,
    instanton,
    transition_line,
)
from opendicke.ensemble.store import Store
from opendicke.figures.bistable import TIMES, TOLERANCE, Runs, along, exponent, observe
from opendicke.figures.statement import Statement
from opendicke.methods.nuhops import NuHOPS
from opendicke.model import DickeModel
from opendicke.plots.tunnelling import Name
from opendicke.problem import Executor, Progress
from opendicke.states import Normal
from opendicke.sweep import sweep

#: Of (a) and (b).
N_ATOMS = 500
#: 1/ω_a; (b) is averaged over these times.
DIAGRAM_TIMES: NDArray[np.float64] = np.arange(46.0, 50.25, 0.5)
#: The part of the plane that (b) shows.
G_MINUS, G_PLUS = (1.4, 2.1), (0.55, 1.0)
#: Position on the cut, and 1/ω_a, of (a).
Q_POSITION, Q_TIME = 0.1, 90.0
#: g₋ at which the line of the transition is computed; it begins at the tricritical point.
LINE = (1.6, 1.7, 1.8, 1.9, 2.0, 2.1)
#: s_c, as read off in the paper.
PAPER_CROSSING = 0.6


@dataclass(frozen=True)
class Plan:
    """How much is computed.

    Attributes:
        n_atoms: numbers of atoms on the cut.
        positions: s on the cut, between 0 and 1.
        trajectories: from each start at each of these points.
        grid: points in g₋ and g₊ of (b).
        diagram_trajectories: at each of them.
        q_trajectories: of (a).
    """

    n_atoms: tuple[int, ...]
    positions: tuple[float, ...]
    trajectories: int
    grid: tuple[int, int]
    diagram_trajectories: int
    q_trajectories: int

    def __str__(self) -> str:
        a, b = f"(a) {self.q_trajectories} trajectories", "{} × {} points".format(*self.grid)
        n_atoms, s = ", ".join(map(str, self.n_atoms)), f"{len(self.positions)} positions"
        return f"{a}; (b) {b}, {self.diagram_trajectories} each; (c)–(e) N = {n_atoms}, {s}, {self.trajectories} each"

    @classmethod
    def of(cls, datasets: Mapping[str, xr.Dataset]) -> Plan:
        """What was computed for these."""
        found, diagram = cuts(datasets), datasets["diagram"]
        first = next(iter(found.values()))
        return cls(
            tuple(found), tuple(first.s.values.tolist()), int(first.attrs["trajectories"]),
            (diagram.sizes["g_minus"], diagram.sizes["g_plus"]), int(diagram.attrs["trajectories"]),
            int(datasets["q"].attrs["trajectories"]),
        )  # fmt: skip


#: Minutes on two cores.
QUICK = Plan((50, 75, 100, 200), (0.1, 0.3, 0.5, 0.6, 0.688, 0.8, 0.9), 64, (12, 12), 16, 64)
#: Half an hour on one core.
FULL = Plan((50, 75, 100, 200, 500), (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.688, 0.8, 0.9), 96, (24, 24), 64, 192)


def solve_diagram(
    grid: tuple[int, int],
    trajectories: int,
    *,
    seed: int = 1,
    n_atoms: int = N_ATOMS,
    times: ArrayLike = DIAGRAM_TIMES,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> dict[str, xr.Dataset]:
    """Panel (b): ``p_s`` with errors over g_minus and g_plus, and mean field's phases there, under "diagram".

    Args:
        grid: points in g₋ and g₊.
        trajectories: at each.
        seed: of the random streams.
        n_atoms: N.
        times: 1/ω_a; averaged over.
        executor, progress, store: as for :func:`opendicke.sweep`.
    """
    axes = {name: np.linspace(*ends, count) for name, ends, count in zip(
        ("g_minus", "g_plus"), (G_MINUS, G_PLUS), grid, strict=True)}  # fmt: skip
    plane = BISTABLE_CUT.model(0.0, n_atoms)
    method = NuHOPS(trajectories=trajectories, seed=seed, tol=TOLERANCE)
    options: dict[str, Any] = {"executor": executor, "progress": progress, "store": store}
    answer = sweep(plane, axes, Normal(), times, method, ["Sz", "n_photon"], keep_batches=False, **options)
    mean_field = phase_diagram(plane, axes["g_minus"], axes["g_plus"])
    reach = superradiant_level(plane, answer.g_minus, answer.g_plus) + 0.5
    raised, error = answer.Sz.mean("time") / n_atoms + 0.5, answer.Sz_sem.mean("time") / n_atoms
    there = reach > 0
    data = {
        "p_s": (raised / reach.where(there)).clip(0, 1).fillna(0.0).transpose("g_minus", "g_plus"),
        "p_s_sem": (error / reach.where(there)).fillna(0.0).transpose("g_minus", "g_plus"),
        "n_photon": answer.n_photon.mean("time"),
        "phase": mean_field.phase,
        "leading_normal": mean_field.leading_normal,
    }
    about = {"n_atoms": n_atoms, "trajectories": trajectories, "seed": seed, "tol": TOLERANCE}
    stop = {"stop": float(np.max(np.asarray(times))), "versions": answer.attrs["versions"]}
    result = xr.Dataset(data, attrs=about | stop)
    result.p_s.attrs = {"definition": "(<S^z>/N + 1/2) / (m_z of the superradiant state + 1/2), within 0 and 1"}
    return {"diagram": result}


def superradiant_level(model: DickeModel, g_minus: xr.DataArray, g_plus: xr.DataArray) -> xr.DataArray:
    r"""m_z of the superradiant state SR+; where there is none, the real part of the complex root.

    .. math::
        m_z = \mathrm{Re}\,\frac{\omega_a}{2b},\qquad b = -\frac1R\left[\omega_c\sigma +
        \sqrt{4\omega_c^2g_-^2g_+^2 - \kappa^2\delta^2}\right]

    with :math:`\sigma = g_-^2+g_+^2`, :math:`\delta = g_-^2-g_+^2`, :math:`R = \omega_c^2+\kappa^2`. Below −1/2 there
    is none nearby either.
    """
    sigma, delta = g_minus**2 + g_plus**2, g_minus**2 - g_plus**2
    square = 4 * model.omega_c**2 * g_minus**2 * g_plus**2 - model.kappa**2 * delta**2
    b = -(model.omega_c * sigma + np.sqrt(square.astype(complex))) / (model.omega_c**2 + model.kappa**2)
    found: xr.DataArray = (model.omega_a / (2 * b)).real
    return found


def solve_atoms(
    n_atoms: int, positions: Sequence[float], runs: Runs, times: NDArray[np.float64] = TIMES
) -> dict[str, xr.Dataset]:
    """Panels (c)–(e) for one N, under its name, e.g. "cut-n100": :func:`bistable.observe` at all positions."""
    points = {s: observe(BISTABLE_CUT.model(s, n_atoms), runs, times) for s in positions}
    return {f"cut-n{n_atoms}": along(points)}


def solve_q(runs: Runs, n_atoms: int = N_ATOMS, times: NDArray[np.float64] = TIMES) -> dict[str, xr.Dataset]:
    """Panel (a), under "q"."""
    answer = runs.solve(BISTABLE_CUT.model(Q_POSITION, n_atoms), "n", times)
    time = float(answer.state_time[int(np.abs(answer.state_time.values - Q_TIME).argmin())])
    return {"q": husimi(answer, [time])}


def solve_limit(positions: Sequence[float]) -> dict[str, xr.Dataset]:
    """Of N → ∞, by instantons: the exponents ``r_ns`` and ``r_sn`` on the cut under "limit", and where both are equal
    in the plane under "transition" (:func:`opendicke.analysis.tunnelling.transition_line`).
    """
    data = {}
    for name, start in (("r_ns", "normal"), ("r_sn", "superradiant")):
        actions, last = [], None
        for s in positions:
            last = instanton(BISTABLE_CUT.model(s, 1), start, neighbour=last)  # type: ignore[arg-type]
            actions.append(-last.action.item())
        data[name] = ("s", actions, {"definition": f"exponent of gamma_{name[2:]} for N to infinity", "units": "1"})
    limit = xr.Dataset(data, {"s": list(positions)}, {"found_by": "instanton"})
    return {"limit": limit, "transition": transition_line(BISTABLE_CUT.model(0.0, 1), LINE)}


def limit_crossing(limit: xr.Dataset) -> float:
    """s_c for N → ∞: the root of a cubic spline through the difference of both exponents; NaN without one."""
    from scipy.interpolate import CubicSpline

    if limit.s.size < 4:
        return math.nan
    roots = CubicSpline(limit.s.values, (limit.r_ns - limit.r_sn).values).roots(extrapolate=False)
    return float(roots[0]) if len(roots) else math.nan


def parts(
    plan: Plan = QUICK,
    *,
    seed: int = 1,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> Iterator[dict[str, xr.Dataset]]:
    """The datasets, a panel or a number of atoms at a time.

    Args:
        plan: how much.
        seed: of the random streams.
        executor, progress, store: as for :func:`opendicke.solve`; with a store an interrupted run goes on where it was.
    """
    how: dict[str, Any] = {"executor": executor, "progress": progress, "store": store}
    for n_atoms in plan.n_atoms:
        yield solve_atoms(n_atoms, plan.positions, Runs(plan.trajectories, seed, **how))
    yield solve_limit(plan.positions)
    yield solve_q(Runs(plan.q_trajectories, seed, **how))
    yield solve_diagram(plan.grid, plan.diagram_trajectories, seed=seed, **how)


def run(plan: Plan = QUICK, **options: Any) -> dict[str, xr.Dataset]:
    """All datasets, as :func:`figure3_picture.plot` and :func:`check` take them; arguments of :func:`parts`."""
    datasets: dict[str, xr.Dataset] = {}
    for part in parts(plan, **options):
        datasets |= part
    return datasets


def cuts(datasets: Mapping[str, xr.Dataset]) -> dict[int, xr.Dataset]:
    """What was found on the cut, by N."""
    found = [data for name, data in datasets.items() if name.startswith("cut-")]
    return {int(data.attrs["n_atoms"]): data for data in sorted(found, key=lambda data: data.attrs["n_atoms"])}


@dataclass(frozen=True)
class Transition:
    """Exponents along the cut and where they cross.

    Attributes:
        fits: "ns" and "sn" -> s -> the exponent there, where there is one.
        crossing: s_c; None if the exponents known do not cross.
    """

    fits: dict[Name, dict[float, Exponent]]
    crossing: Crossing | None

    @classmethod
    def of(cls, found: Mapping[int, xr.Dataset]) -> Transition:
        """From rates at several N."""
        numbers, positions = list(found), next(iter(found.values())).s.values.tolist()
        fits: dict[Name, dict[float, Exponent]] = {"ns": {}, "sn": {}}
        for name, known in fits.items():
            for s in positions:
                fit = exponent([cut.sel(s=s) for cut in found.values()], numbers, name)
                if fit is not None:
                    known[s] = fit
        both = sorted(set(fits["ns"]) & set(fits["sn"]))
        if len(both) < 2:
            return cls(fits, None)
        columns = [getattr(fits[name][s], part) for name in ("ns", "sn") for part in ("r", "r_sem") for s in both]
        try:
            return cls(fits, crossing(both, *np.reshape(columns, (4, -1)), degree=min(len(both) - 1, 2)))
        except ValueError:  # all on one side
            return cls(fits, None)


def check(datasets: Mapping[str, xr.Dataset]) -> list[Statement]:
    """What the paper says about Fig. 3, held against ``datasets`` (those of :func:`run`).

    Errors after ± are standard errors; the interval of s_c is a 95 % one. What is said of the dependence on N is left
    out if there is one N only.
    """
    found = cuts(datasets)
    statements = [*_three_states(datasets["q"]), *_diagram(datasets["diagram"])]
    statements += [*_ends(found, "p_s", "(c) from the normal state")]
    statements += [*_ends(found, "p_n", "(d) from the superradiant state"), *_squeezed(found)]
    if len(found) > 1:
        statements += [*_step(found, "p_s", "(c) from the normal state")]
        statements += [*_step(found, "p_n", "(d) from the superradiant state")]
        statements += [*_transition(found), *_gaussian(found)]
        if "limit" in datasets:
            statements += [*_limit(found, datasets["limit"])]
    return statements


def _three_states(q: xr.Dataset) -> Iterator[Statement]:
    """Q has weight around n, s+ and s−: each direction belongs to the nearest of the three."""
    model = DickeModel(**json.loads(q.attrs["model"]))
    landscape = Landscape.of(model)
    centres = [landscape.normal.m, landscape.superradiant.m, landscape.superradiant.mirror().m]
    theta, phi = np.meshgrid(q.theta.values, q.phi.values, indexing="ij")
    directions = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    nearest = np.argmax(np.einsum("si,ijk->sjk", np.array(centres), directions), axis=0)
    weight = (q.Q.isel(state_time=0) * q.theta_weight * q.phi_weight).transpose("theta", "phi").values
    shares = [float(weight[nearest == place].sum()) for place in range(3)]
    error = math.sqrt(0.25 / int(q.attrs["trajectories"]))
    yield Statement(
        "(a) the state is a mixture of the normal state and, alike, both superradiant states",
        min(shares) > 0.02 and abs(shares[1] - shares[2]) < 4 * error,
        f"weights {shares[0]:.3f} (n), {shares[1]:.3f} (s+), {shares[2]:.3f} (s-), ± at most {error:.3f}",
    )


def _diagram(data: xr.Dataset) -> Iterator[Statement]:
    """Full, empty, and in between with finite-size effects next to the superradiant phase."""
    p, margin, label = data.p_s.values, data.leading_normal.values, data.phase.values
    full, empty = p[(label == 2) & (margin > 0.15)], p[(label == 1) & (margin < -0.15)]
    yield Statement(
        "(b) deep in the superradiant phase everything is superradiant, deep in the normal phase nothing",
        full.size > 0 and empty.size > 0 and bool(np.median(full) > 0.9 and empty.max() < 0.1),
        f"p_s: median {np.median(full):.3f}, at most {empty.max():.3f}" if full.size and empty.size else "no points",
    )
    near, far = p[(label == 3) & (margin > -0.04)], p[(label == 3) & (margin < -0.12)]
    yield Statement(
        f"(b) N = {data.attrs['n_atoms']}: close to the superradiant phase the normal state is often left",
        near.size > 0 and far.size > 0 and bool(near.mean() > 0.1 and far.mean() < 0.03),
        f"mean p_s {near.mean():.3f} there, {far.mean():.3f} far from it" if near.size and far.size else "no points",
    )


def _step(found: Mapping[int, xr.Dataset], name: str, where: str) -> Iterator[Statement]:
    """Occupations are the closer to mean field's the larger N: zero, all through the bistable phase."""
    last = {n: cut.isel(time=-1) for n, cut in found.items()}
    sums = {n: (float(one[name].mean()), _mean_error(one[f"{name}_sem"])) for n, one in last.items()}
    means, errors = (np.array(column) for column in zip(*sums.values(), strict=True))
    falls = np.diff(means) < 3 * np.hypot(errors[1:], errors[:-1])
    yield Statement(
        f"{where}: the larger N, the closer to mean field, where the bistable phase is left at its end only",
        bool(falls.all() and means[0] - means[-1] > 5 * math.hypot(errors[0], errors[-1])),
        "mean over the cut " + ", ".join(f"{mean:.3f} ± {error:.3f}" for mean, error in sums.values())
        + " for N = " + ", ".join(map(str, sums)),
    )  # fmt: skip


def _ends(found: Mapping[int, xr.Dataset], name: str, where: str) -> Iterator[Statement]:
    """At the smallest N, more has left at one end of the cut than at the other."""
    n_atoms = min(found)
    smallest = found[n_atoms].isel(time=-1)
    values, sems = smallest[name].values, smallest[f"{name}_sem"].values
    first, end = (0, -1) if name == "p_s" else (-1, 0)
    yield Statement(
        f"{where}: tunnelling is strongest at the boundary where this state ends",
        bool(values[first] - values[end] > 4 * math.hypot(sems[first], sems[end])),
        f"N = {n_atoms}: {values[0]:.3f} at s = {smallest.s.values[0]:g}, {values[-1]:.3f} at "
        f"s = {smallest.s.values[-1]:g}",
    )


def _mean_error(errors: xr.DataArray) -> float:
    return float(np.sqrt((errors.values**2).sum()) / errors.size)


def _transition(found: Mapping[int, xr.Dataset]) -> Iterator[Statement]:
    """Rates fall exponentially with N; their exponents cross, which less than three positions would not show."""
    transition = Transition.of(found)
    known = [fit for fits in transition.fits.values() for fit in fits.values()]
    sigmas = [fit.r / fit.r_sem for fit in known]
    falling = bool(sigmas) and max(sigmas) < 1 and np.median(sigmas) < -3
    numbers = ", ".join(f"{fit.r:.4f} ± {fit.r_sem:.4f}" for fit in known) or "no exponent could be fitted"
    yield Statement("(c), (d) insets: the rates fall exponentially with N", bool(falling), numbers)
    if len(set(transition.fits["ns"]) & set(transition.fits["sn"])) < 3:
        return
    point = transition.crossing
    if point is None:
        text = "the exponents that could be fitted do not cross"
        yield Statement("(b) inset: the exponents cross inside the bistable phase", False, text)
        return
    yield Statement(
        f"(b) inset: the exponents cross inside the bistable phase (in the paper at s_c = {PAPER_CROSSING:g}, roughly)",
        0 < point.s < 1 and point.low < PAPER_CROSSING + 0.15 and point.high > PAPER_CROSSING - 0.15,
        f"s_c = {point.s:.3f}, 95 % from {point.low:.3f} to {point.high:.3f}",
    )


def _limit(found: Mapping[int, xr.Dataset], limit: xr.Dataset) -> Iterator[Statement]:
    """The crossing from counts is that of the exponents for N → ∞, within its interval."""
    point, exact = Transition.of(found).crossing, limit_crossing(limit)
    if point is not None and math.isfinite(exact):
        yield Statement(
            "(b) inset: counting finds the crossing of the exponents for N to infinity within its error",
            point.low < exact < point.high,
            f"s_c = {exact:.4f}; by counting {point.low:.3f} to {point.high:.3f} (95 %)",
        )


def _squeezed(found: Mapping[int, xr.Dataset]) -> Iterator[Statement]:
    """ξ² < 1."""
    known = [one for cut in found.values() for one in (cut.xi2 + 3 * cut.xi2_sem).values if np.isfinite(one)]
    yield Statement(
        "(e) the normal state is squeezed for every N, everywhere on the cut",
        bool(known) and max(known) < 1,
        f"xi^2 + 3 sem <= {max(known, default=math.nan):.3f}",
    )


def _gaussian(found: Mapping[int, xr.Dataset]) -> Iterator[Statement]:
    """ξ² tends to its value for Gaussian fluctuations; checked at the end of the cut, where the state lives longest."""
    gaps = {n: cut.isel(s=-1) for n, cut in found.items()}
    apart = {n: (float(one.xi2 - one.xi2_gaussian), float(one.xi2_sem)) for n, one in gaps.items()}
    (first, _), *_, (last, error) = apart.values()
    yield Statement(
        "(e) and tends to the Gaussian value as N grows",
        bool(abs(last) < 0.5 * abs(first) + 3 * error and abs(last) < 0.05 + 4 * error),
        f"off at s = {float(next(iter(gaps.values())).s):g} by "
        + ", ".join(f"{gap:+.3f} ± {sem:.3f} (N = {n})" for n, (gap, sem) in apart.items()),
    )
