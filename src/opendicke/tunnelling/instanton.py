r"""Exponents of tunnelling rates for N → ∞: the least action of an escape.

The rate at which a stable state is left falls as :math:`\gamma \sim e^{-NS}` with the number of atoms. S is the action
of the path by which it is left, an instanton: it leaves the stable fixed point and reaches the saddle at the edge of
its basin, in the doubled phase space of :mod:`.doubled`; from there mean field carries on at no cost.
"""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke import checks
from opendicke.engine.least_noise import pushed
from opendicke.methods.mean_field import flow_parameters
from opendicke.model import DickeModel, check_model
from opendicke.phases.fixed_points import FixedPoint, fixed_points
from opendicke.tunnelling.doubled import SIZE, DoubledFlow, at_rest
from opendicke.tunnelling.heteroclinic import Orbit, converge

Start = Literal["normal", "superradiant"]
Kind = Literal["exact", "truncated_wigner"]

#: Longest distance between nodes times the fastest rate; the answer is computed at half of that once more.
NODE_TIMES_RATE = 0.4
#: An orbit that is continued with no larger residual, but does not conserve the energy, gets more nodes.
COARSE = 1e-9
#: How close to the fixed points the ends of an orbit come: what is left out of the action goes with its third power.
CLOSE = 1e-3
#: Weights, one after the other, of the distance from the saddle in the search for a first guess.
WEIGHTS = (3.0, 30.0, 300.0)
#: Longest time of the search for a first guess, times the fastest rate.
SEARCH = 160.0
#: First guesses that are tried, each from another random force.
GUESSES = 4
#: Factors of the couplings at which an orbit is looked for that is not found from scratch, and then continued.
NEARBY = (0.95, 1.05, 0.9, 0.8)
#: An answer is refined until doubling the nodes moves S by less than this fraction, or so many times.
ACCURACY, REFINEMENTS = 1e-6, 3


class OrbitNotFoundError(RuntimeError):
    """No orbit to the saddle was found; nothing is known about the exponent."""


def instanton(
    model: DickeModel,
    start: Start = "normal",
    method: Kind = "exact",
    *,
    n_thermal: float = 0.0,
    neighbour: xr.Dataset | None = None,
    seed: int = 0,
) -> xr.Dataset:
    r"""The exponent of the rate at which a stable state is left, for N → ∞, and the path by which it is left.

    .. math::
        \gamma \sim e^{-NS}, \qquad S = \int p\,dx \;\text{ from the stable fixed point to the saddle}

    at energy 0, with Hamilton's equations of :mod:`opendicke.tunnelling.doubled`.

    Args:
        model: the model; ``n_atoms`` does not matter. κ > 0.
        start: the state that is left: ``"normal"``, or ``"superradiant"`` (the stable branch with m_x > 0).
        method: ``"exact"``, or ``"truncated_wigner"`` for the exponent that this approximation gives.
        n_thermal: mean photon number :math:`\bar n \ge 0` of the cavity's surroundings.
        neighbour: an answer for a model nearby, from which the path is continued: some ten times faster.
        seed: of the random force with which the search begins; another one must lead to the same answer.

    Returns:
        Dataset with ``action`` (S), and along the dimension ``time`` (in units of one over the rates) the path: ``a``
        (<a>/√N), ``sigma`` (<S>/N, with dimension ``component``) and their momenta ``p`` and ``pi``. In attrs:
        ``action_error`` (change of S when the nodes were doubled), ``residual``, ``energy`` and ``casimir`` (all 0 on
        an orbit), ``ends`` (distance of the ends from the fixed points), ``saddle`` (kind of the point that is
        reached), ``found_by`` and provenance.

    Raises:
        ValueError: where ``start`` is not a stable state of the model, or no saddle bounds its basin.
        OrbitNotFoundError: if the search does not end at an orbit.

    Source: the Hamilton–Jacobi limit of the master equation; for the least-action paths of weak noise see M. I.
    Freidlin and A. D. Wentzell, *Random Perturbations of Dynamical Systems*.

    >>> from opendicke.analysis.tunnelling import BISTABLE_CUT
    >>> answer = instanton(BISTABLE_CUT.model(0.7, n_atoms=1), "superradiant", "truncated_wigner")
    >>> round(answer.action.item(), 6), answer.attrs["saddle"]
    (0.029996, 'SR-')
    """
    check_model(model, "instanton")
    checks.choice("start", start, get_args(Start))
    checks.choice("method", method, get_args(Kind))
    thermal = checks.real("n_thermal", n_thermal, minimum=0.0)
    wanted = DoubledFlow(model, thermal, 1.0 if method == "exact" else 0.0)
    if neighbour is not None:
        orbit, found_by = _continued(_orbit_of(neighbour), wanted, start), "continuation from a neighbour"
    else:
        orbit, found_by = _search(wanted, start, seed)
    fine, error = _resolved(orbit, start)
    return _dataset(fine, start, method, error, found_by)


def edge_of_basin(model: DickeModel, start: Start) -> tuple[FixedPoint, FixedPoint]:
    """The stable state that is left, and the saddle at the edge of its basin.

    Raises:
        ValueError: if the state is not stable, or there is no saddle with one direction that grows.
    """
    kind: Literal["normal", "SR+"] = "normal" if start == "normal" else "SR+"
    state = next((point for point in fixed_points(model) if point.kind == kind), None)
    if state is None or not state.is_stable:
        present = ", ".join(f"{point.kind} ({point.stability})" for point in fixed_points(model))
        raise checks.refuse("start", f"a stable state of the model, which has {present}", start)
    for other in fixed_points(model):
        if other.kind in ("SR-", "normal") and other.kind != kind and int((other.eigenvalues.real > 0).sum()) == 1:
            return state, other
    raise checks.refuse("model", f"one with a saddle at the edge of the basin of {start!r}", model)


def _orbit(flow: DoubledFlow, start: Start, times: NDArray[np.float64], path: NDArray[np.float64]) -> Orbit:
    """An approximate path as an orbit to be converged."""
    state, saddle = edge_of_basin(flow.model, start)
    return Orbit(flow, at_rest(state), at_rest(saddle), times, path)


def _search(wanted: DoubledFlow, start: Start, seed: int) -> tuple[Orbit, str]:
    """From scratch, by the least noise that carries truncated Wigner over; else from other couplings nearby."""
    edge_of_basin(wanted.model, start)
    orbit = _from_scratch(wanted, start, seed)
    if orbit is not None:
        return orbit, "least noise"
    g_minus, g_plus = wanted.model.g_minus, wanted.model.g_plus
    for factor, which in itertools.product(NEARBY, ((True, True), (False, True), (True, False))):
        scaled = [g * factor if scale else g for g, scale in zip((g_minus, g_plus), which, strict=True)]
        near = replace(wanted, model=wanted.model.replace(g_minus=scaled[0], g_plus=scaled[1]))
        try:
            edge_of_basin(near.model, start)
            found = _from_scratch(near, start, seed)
            if found is not None:
                text = f"continuation from g_minus = {scaled[0]:g}, g_plus = {scaled[1]:g}"
                return _continued(found, wanted, start), text
        except (ValueError, OrbitNotFoundError):
            continue
    text = f"the way out of the {start} state was not found, neither from scratch nor from couplings nearby"
    raise OrbitNotFoundError(f"{text}. Pass an answer for a similar model as neighbour.")


def _from_scratch(wanted: DoubledFlow, start: Start, seed: int) -> Orbit | None:
    """The orbit of least action that a few random first guesses lead to; None if none does."""
    found: list[Orbit] = []
    for attempt in range(GUESSES):
        classical = replace(wanted, moyal=0.0)
        guess = _least_noise(classical, start, np.random.default_rng((seed, attempt)), 1 + attempt % 2)
        h = NODE_TIMES_RATE / float(abs(np.linalg.eigvals(classical.jacobian(guess.start))).max())
        orbit = _closed(converge(_extended(guess, h)))
        if orbit.found:
            found.append(orbit)
        if len(found) == 2:
            break
    if not found:
        return None
    best = min(found, key=lambda orbit: orbit.action)
    try:
        return best if wanted.moyal == 0 else _continued(best, wanted, start)
    except OrbitNotFoundError:
        return None


def _least_noise(flow: DoubledFlow, start: Start, rng: np.random.Generator, longer: float) -> Orbit:
    """A path of truncated Wigner to the saddle whose noise is as small as the optimiser could make it."""
    from scipy.optimize import minimize

    state, saddle = edge_of_basin(flow.model, start)
    first, last = at_rest(state), at_rest(saddle)
    own = [4, 5, 6, 0, 1]
    slow = float(abs(state.eigenvalues.real).min()), float(abs(saddle.eigenvalues.real).min())
    fastest = float(max(abs(state.eigenvalues).max(), abs(saddle.eigenvalues).max()))
    h = NODE_TIMES_RATE / fastest / 2
    steps = math.ceil(min(8 / slow[0] + 8 / slow[1], longer * SEARCH / fastest) / h)
    smooth = np.hanning(round(4 / fastest / h) + 2)
    forces = np.stack([np.convolve(rng.normal(size=steps), smooth / smooth.sum(), "same") for _ in range(2)], axis=1)
    forces *= 0.1 * flow.noise

    parameters = flow_parameters(flow.model)
    gradient, path, slopes = np.empty((steps, 2)), np.empty((steps + 1, 5)), np.empty((steps + 1, 5))

    def cost(flat: NDArray[np.float64], weight: float) -> tuple[float, NDArray[np.float64]]:
        forces, numbers = flat.reshape(steps, 2), (weight, h, parameters, flow.noise)
        return pushed(forces, first[own], last[own], *numbers, gradient, path, slopes), gradient.ravel().copy()

    for weight in WEIGHTS:
        options = {"maxiter": 150, "maxcor": 30}
        found = minimize(cost, forces.ravel(), (weight,), "L-BFGS-B", jac=True, options=options)
        forces = found.x.reshape(steps, 2)
    cost(forces.ravel(), WEIGHTS[-1])
    u = np.zeros((steps + 1, SIZE), dtype=np.float64)
    u[:, own] = path
    # the momenta are the derivatives of the action up to here, minus those of what is still to come
    u[:, 2], u[:, 3] = -slopes[:, 3] / 2, slopes[:, 4] / 2
    u[:, 7:] = -np.cross(path[:, :3], slopes[:, :3]) / 2
    return Orbit(flow, first, last, _even(steps + 1, h), u)


def _extended(orbit: Orbit, h: float) -> Orbit:
    """Without its ends, where noise has little time left, and continued along the slowest motion to the fixed points.

    Nodes are ``h`` apart.
    """
    away, left = np.linalg.norm(orbit.path - orbit.start, axis=1), np.linalg.norm(orbit.path - orbit.end, axis=1)
    leaves, arrives = slowest_rate(orbit.flow, orbit.start), slowest_rate(orbit.flow, orbit.end)
    first = int(np.argmax(away > 2 * CLOSE))
    last = max(len(away) - 1 - int(1 / arrives / np.diff(orbit.times).max()), first + 2)
    from scipy.interpolate import CubicSpline

    inner = np.arange(orbit.times[first], orbit.times[last], h)
    path = CubicSpline(orbit.times, orbit.path)(inner)
    before = np.arange(-math.ceil(math.log(max(away[first] / CLOSE, 1) * 2) / leaves / h), 0) * h
    after = np.arange(1, math.ceil(math.log(max(left[last] / CLOSE, 1) * 2) / arrives / h) + 1) * h
    head = orbit.start + (path[0] - orbit.start) * np.exp(leaves * before)[:, None]
    tail = orbit.end + (path[-1] - orbit.end) * np.exp(-arrives * after)[:, None]
    u = np.concatenate([head, path, tail])
    return replace(orbit, times=_even(len(u), h), path=u, multiplier=0.0)


def _even(nodes: int, h: float) -> NDArray[np.float64]:
    return np.arange(nodes, dtype=np.float64) * h


def _closed(orbit: Orbit) -> Orbit:
    """The orbit, continued at its ends until they are close to the fixed points."""
    for _ in range(4):
        if not orbit.solved or orbit.ends < CLOSE:
            break
        orbit = converge(_extended(orbit, float(np.diff(orbit.times).max())))
    return orbit


def slowest_rate(flow: DoubledFlow, u: NDArray[np.float64]) -> float:
    """The slowest rate at which anything grows or decays at a fixed point."""
    rates = abs(np.linalg.eigvals(flow.jacobian(u)).real)
    return float(rates[rates > 1e-7 * rates.max()].min())


def _continued(orbit: Orbit, wanted: DoubledFlow, start: Start) -> Orbit:
    """The orbit of another model, by steps in the parameters that are halved where Newton's method fails."""
    done, step = 0.0, 1.0
    origin = orbit.flow
    while done < 1:
        step = min(step, 1 - done)
        flow = _between(origin, wanted, done + step)
        try:
            tried = _closed(converge(_orbit(flow, start, orbit.times, _moved(orbit, flow, start))))
            if not tried.solved and tried.residual < COARSE:  # the nodes are too far apart for these rates
                tried = _closed(converge(_refined(tried)))
        except ValueError:  # outside of the bistable phase
            tried = replace(orbit, residual=math.inf)
        if tried.found and abs(tried.action - orbit.action) < 0.5 * max(abs(tried.action), abs(orbit.action)):
            orbit, done, step = tried, done + step, 2 * step
        else:
            step /= 2
        if step < 1e-3:
            raise _not_found(tried, start)
    return orbit


def _between(first: DoubledFlow, last: DoubledFlow, part: float) -> DoubledFlow:
    """The flow at a fraction of the straight line from one set of parameters to another."""
    if part == 1:
        return last
    names = ("omega_a", "omega_c", "kappa", "g_minus", "g_plus")
    ends = [(getattr(first.model, name), getattr(last.model, name)) for name in names]
    model = last.model.replace(**{name: a + part * (b - a) for name, (a, b) in zip(names, ends, strict=True)})
    thermal = first.n_thermal + part * (last.n_thermal - first.n_thermal)
    return DoubledFlow(model, thermal, first.moyal + part * (last.moyal - first.moyal))


def _moved(orbit: Orbit, flow: DoubledFlow, start: Start) -> NDArray[np.float64]:
    """The path, shifted so that it ends at another model's fixed points."""
    state, saddle = edge_of_basin(flow.model, start)
    near = np.linalg.norm(orbit.path - orbit.start, axis=1)
    far = np.linalg.norm(orbit.path - orbit.end, axis=1)
    share = (near / (near + far))[:, None]
    shift = (1 - share) * (at_rest(state) - orbit.start) + share * (at_rest(saddle) - orbit.end)
    moved: NDArray[np.float64] = orbit.path + shift
    return moved


def _resolved(orbit: Orbit, start: str) -> tuple[Orbit, float]:
    """The orbit on nodes so dense that doubling them hardly changes S, and by how much it still did."""
    for _ in range(REFINEMENTS):
        fine = converge(_refined(orbit))
        if not fine.found:
            raise _not_found(fine, start)
        error = abs(fine.action - orbit.action)
        if error < ACCURACY * fine.action:
            break
        orbit = fine
    return fine, error


def _refined(orbit: Orbit) -> Orbit:
    """The orbit with a node more in the middle of every interval."""
    from scipy.interpolate import CubicHermiteSpline

    times = np.linspace(orbit.times[0], orbit.times[-1], 2 * len(orbit.times) - 1)
    path = CubicHermiteSpline(orbit.times, orbit.path, orbit.flow.velocity(orbit.path))(times)
    return replace(orbit, times=times, path=path)


def _not_found(orbit: Orbit, start: str) -> OrbitNotFoundError:
    text = f"the search for the way out of the {start} state ended with residual {orbit.residual:.1e} (energy "
    return OrbitNotFoundError(
        f"{text}{orbit.energy:.1e}), which is no orbit. Pass an answer for a model nearby as neighbour."
    )


def _dataset(orbit: Orbit, start: str, method: str, error: float, found_by: str) -> xr.Dataset:
    u = orbit.path
    data = {
        "action": ((), orbit.action, {"definition": "S: the rate falls as exp(-N S)", "units": "1"}),
        "a": (("time",), u[:, 0] + 1j * u[:, 1], {"definition": "<a>/sqrt(N)", "units": "1"}),
        "p": (("time",), u[:, 2] + 1j * u[:, 3], {"definition": "momentum of a, dS/da", "units": "1"}),
        "sigma": (("time", "component"), u[:, 4:7], {"definition": "<S>/N", "units": "1"}),
        "pi": (
            ("time", "component"),
            u[:, 7:],
            {"definition": "momentum of sigma, sigma x dS/dsigma / 2", "units": "1"},
        ),
    }
    coords = {
        "time": ("time", orbit.times, {"units": "1 / (unit of the model's rates)", "definition": "time on the orbit"}),
        "component": list("xyz"),
    }
    saddle = next(point for point in fixed_points(orbit.flow.model) if np.array_equal(at_rest(point), orbit.end))
    attrs = {
        "action_error": error,
        "residual": orbit.residual,
        "energy": orbit.energy,
        "casimir": orbit.casimir,
        "ends": orbit.ends,
        "saddle": saddle.kind,
        "found_by": found_by,
        "start": start,
        "method": method,
        "n_thermal": orbit.flow.n_thermal,
        "model": orbit.flow.model.json(),
        "conventions": "hbar = 1; kappa is the field decay rate (the photon number decays at 2 kappa)",
    }
    return xr.Dataset(data, coords, attrs)


def _orbit_of(answer: xr.Dataset) -> Orbit:
    """The orbit that an answer holds."""
    try:
        flow = DoubledFlow(
            DickeModel(**json.loads(answer.attrs["model"])),
            answer.attrs["n_thermal"],
            1.0 if answer.attrs["method"] == "exact" else 0.0,
        )
        fields = [part for name in ("a", "p") for part in (answer[name].values.real, answer[name].values.imag)]
        path = np.column_stack([*fields, answer.sigma.values, answer.pi.values])[::2]
        return _orbit(flow, answer.attrs["start"], answer.time.values[::2], path)
    except (AttributeError, KeyError, TypeError) as problem:
        raise checks.refuse("neighbour", "an answer of instanton()", answer, error=TypeError) from problem
