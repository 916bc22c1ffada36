r"""What Figs. 3 and S4 are made of: trajectories in the bistable phase, populations, rates, and the normal state.

ω_a = ω_c = κ = 1. Trajectories start from coherent states at the mean-field normal state n and superradiant state s+,
run to :math:`\omega_at = 150`, and are classified by the moving average of <S>/N
(:mod:`opendicke.tunnelling.classify`). A trajectory in transit counts for the state it visited last.

Source: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*, Supplement.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from opendicke import checks
from opendicke.analysis import fixed_point, fluctuations, jackknife_samples
from opendicke.analysis.tunnelling import (
    Exponent,
    Landscape,
    Passages,
    Rate,
    Regions,
    classify,
    count_rates,
    fit_exponent,
    fit_populations,
    occupied,
)
from opendicke.ensemble.store import Store
from opendicke.methods.nuhops import NuHOPS
from opendicke.methods.truncated_wigner import TruncatedWigner
from opendicke.model import DickeModel
from opendicke.problem import Executor, Progress
from opendicke.solve import solve
from opendicke.spin.state import apply_spin
from opendicke.sweep import with_point
from opendicke.tunnelling.classify import MINUS, NORMAL, PLUS, TRANSIT

#: 1/ω_a; between two samples of <S>. The moving average is over 2.0 to 2.2.
SPACING = 0.5
#: 1/ω_a; samples of <S>/N for the classification.
TIMES: NDArray[np.float64] = np.arange(0.0, 150.0 + SPACING / 2, SPACING)
#: 1/ω_a; when states are kept, for the squeezing of the normal state and the spin Q function.
STATE_TIMES = (20.0, 40.0, 60.0, 90.0, 120.0, 150.0)
#: Groups of trajectories for error bars; fewest trajectories in n from which its squeezing is computed.
GROUPS, FEWEST = 16, 24
#: Fewest passages each way for which the populations are fitted; rates follow from counts alone otherwise.
FEWEST_PASSAGES = 6
#: Of nuHOPS: errors of one trajectory stay far below what trajectories scatter by, and no jump is made or missed.
TOLERANCE = 1e-3
STARTS = ("n", "s+")
SPIN = ("Sx_trajectory", "Sy_trajectory", "Sz_trajectory")


@dataclass(frozen=True)
class Runs:
    """How trajectories are run.

    Attributes:
        trajectories: from each start, at each point.
        seed: of the random streams; points, and the two starts, have streams of their own.
        wigner: by the truncated Wigner approximation instead of exactly.
        executor, progress, store: as for :func:`opendicke.solve`.
    """

    trajectories: int
    seed: int = 1
    wigner: bool = False
    executor: Executor | None = None
    progress: Progress | bool | None = None
    store: Store | str | Path | None = None

    def solve(self, model: DickeModel, start: str, times: NDArray[np.float64] = TIMES) -> xr.Dataset:
        """Trajectories of ``model`` from the state ``start``, one of :data:`STARTS`, with the spin states if exact."""
        seed = len(STARTS) * self.seed + STARTS.index(start)
        about: dict[str, Any] = {"trajectories": self.trajectories, "seed": seed, "keep_trajectories": True}
        exactly = NuHOPS(**about, tol=TOLERANCE, keep_states=kept(times))
        method: Any = TruncatedWigner(**about) if self.wigner else exactly
        state = Landscape.of(model).state("n" if start == "n" else "s+")
        return solve(
            model, state, times, with_point(method, model),
            executor=self.executor, progress=self.progress, store=self.store,
        )  # fmt: skip


def kept(times: NDArray[np.float64]) -> tuple[float, ...]:
    """Those of :data:`STATE_TIMES` that are among ``times``."""
    return tuple(time for time in STATE_TIMES if checks.find_time(time, times) is not None)


def spins(answer: xr.Dataset) -> NDArray[np.float64]:
    """<S>/N of every trajectory after the start, shape (trajectories, times, 3)."""
    n_atoms = json.loads(answer.attrs["model"])["n_atoms"]
    found: NDArray[np.float64] = np.stack([answer[name].values[:, 1:] for name in SPIN], axis=-1) / n_atoms
    return found


def observe(model: DickeModel, runs: Runs, times: NDArray[np.float64] = TIMES, *, shown: int = 0) -> xr.Dataset:
    """Populations, rates, and the squeezing of the normal state, at one point of the bistable phase.

    Args:
        model: the point.
        runs: how.
        times: evenly spaced, from 0.
        shown: how many single trajectories of each start to include: one that stays where it is, the others tunnel.

    Returns:
        Dataset with ``p_s`` (from n) and ``p_n`` (from s+) over time, with errors; ``gamma_ns`` and ``gamma_sn`` from
        counts with intervals of 95 %, ``<name>_fit`` and ``<name>_fit_sem`` from the fit of (S4) and (S5) after a
        ``lag``, NaN with fewer than 6 passages each way; ``passages``, ``residence``, ``relaxation`` (rate of the
        slowest motion about n and s) and, unless by truncated Wigner, ``xi2``, ``xi2_sem`` and ``states``
        (:func:`normal_squeezing`).
    """
    landscape = Landscape.of(model)
    answers = {start: runs.solve(model, start, times) for start in STARTS}
    regions, spacing = Regions.of(landscape), float(times[1] - times[0])
    found = {start: classify(spins(answer), spacing, regions) for start, answer in answers.items()}
    everything = Passages()
    for _, passages in found.values():
        everything.add(passages)
    indicators = {start: occupied(labels) for start, (labels, _) in found.items()}
    data: dict[str, Any] = {}
    about = {"p_s": ("n", 1 - indicators["n"][..., NORMAL]), "p_n": ("s+", indicators["s+"][..., NORMAL])}
    for name, (start, share) in about.items():
        data[name] = ("time", share.mean(axis=0), {"definition": f"occupation of {name[-1]} from {start}"})
        error = np.sqrt(share.mean(axis=0) * (1 - share.mean(axis=0)) / len(share))
        data[f"{name}_sem"] = ("time", error, {"definition": f"binomial standard error of {name}"})
    data |= _rates(everything, times[1:], indicators)
    about_n, about_s = landscape.normal.leading, landscape.superradiant.leading
    data["relaxation"] = ("state", np.array([-about_n, -about_s]), {"units": "rate"})
    if not runs.wigner:
        data |= normal_squeezing(answers["n"], found["n"][0])
        gaussian = fluctuations(fixed_point(model, "normal")).squeezing
        data["xi2_gaussian"] = ((), gaussian, {"definition": "xi2 of the normal state for N to infinity"})
    if shown:
        data |= _examples(answers, {start: labels for start, (labels, _) in found.items()}, shown)
    coords = {"time": times[1:], "state": ["n", "s"]}
    return xr.Dataset(data, coords, _provenance(model, runs, answers))


def _examples(answers: dict[str, xr.Dataset], labels: dict[str, NDArray[np.int8]], shown: int) -> dict[str, Any]:
    """<S>/N of a few trajectories from each start, and when they are elsewhere, the first that tunnel leading."""
    spin, away = [], []
    for start, answer in answers.items():
        elsewhere = np.isin(labels[start], (PLUS, MINUS) if start == "n" else (NORMAL,))
        tunnel, stay = (np.flatnonzero(elsewhere.any(axis=1) == moved) for moved in (True, False))
        order = [*tunnel[: shown - 1], *stay, *tunnel[shown - 1 :]]
        spin.append(spins(answer)[order[:shown]])
        away.append(elsewhere[order[:shown]])
    about = {"definition": "<S>/N of single trajectories", "units": "1"}
    return {
        "m": (("start", "shown", "time", "component"), np.array(spin), about),
        "elsewhere": (("start", "shown", "time"), np.array(away), {"definition": "not where it started"}),
    }


def _provenance(model: DickeModel, runs: Runs, answers: dict[str, xr.Dataset]) -> dict[str, Any]:
    about = {"trajectories": runs.trajectories, "seed": runs.seed, "method": answers["n"].attrs["method"]}
    return about | {"model": model.json(), "versions": answers["n"].attrs["versions"]}


def _rates(
    passages: Passages, times: NDArray[np.float64], indicators: dict[str, NDArray[np.float64]]
) -> dict[str, Any]:
    """Rates from counts, and from the populations if there are enough passages."""
    counted = count_rates(passages)
    out = int(passages.counts[NORMAL, PLUS:].sum())
    back = int(passages.counts[PLUS:, NORMAL].sum())
    data: dict[str, Any] = {
        "passages": ("direction", np.array([out, back]), {"definition": "passages seen, n to s and s to n"}),
        "residence": ("state", np.array([passages.residence[NORMAL], passages.residence[PLUS:].sum()])),
    }
    fitted, lag = {"ns": (math.nan, math.nan), "sn": (math.nan, math.nan)}, math.nan
    if min(out, back) >= FEWEST_PASSAGES and min(map(len, indicators.values())) >= 2 * GROUPS:
        fit = fit_populations(times, indicators["n"], indicators["s+"], batches=GROUPS)
        fitted, lag = {"ns": (fit.ns, fit.ns_sem), "sn": (fit.sn, fit.sn_sem)}, fit.lag
    data["lag"] = ((), lag, {"definition": "times before it were left out of the fit"})
    rates: dict[str, Rate] = {"ns": counted.ns, "sn": counted.sn}
    for name, rate in rates.items():
        words = {"definition": f"gamma_{name}: passages over time", "units": "rate"}
        data[f"gamma_{name}"] = ((), rate.value, words)
        data[f"gamma_{name}_low"], data[f"gamma_{name}_high"] = ((), rate.low), ((), rate.high)
        data[f"gamma_{name}_fit"], data[f"gamma_{name}_fit_sem"] = ((), fitted[name][0]), ((), fitted[name][1])
    return data


def normal_squeezing(answer: xr.Dataset, labels: NDArray[np.int8]) -> dict[str, Any]:
    r"""Squeezing of the metastable normal state.

    .. math:: \xi^2 = N\,\frac{\lambda_{min}}{\langle S^z\rangle^2},\qquad
              \lambda:\ \text{eigenvalues of } \tfrac12\langle S^iS^j+S^jS^i\rangle,\ i, j \in \{x, y\}

    Averages are over the states kept of trajectories that are in n and have not left it since the start: over the
    quasi-stationary state, not over its mixture with s. By symmetry <S> is along z there.

    Args:
        answer: of :meth:`Runs.solve` from n.
        labels: of its trajectories at all times but the first.

    Returns:
        ``xi2``, corrected for bias, with ``xi2_sem`` (jackknife over trajectories) and ``states``, how many were used;
        NaN if they are of fewer than 24 trajectories.
    """
    n_atoms = int(json.loads(answer.attrs["model"])["n_atoms"])
    at = checks.among("state_time", answer.state_time.values, answer.time.values[1:], "the answer's times")
    left = np.maximum.accumulate(~np.isin(labels, (NORMAL, TRANSIT)), axis=1)
    held = (labels == NORMAL)[:, at] & ~left[:, at]
    mean, second = spin_moments(n_atoms, answer.psi.values, answer.psi_frame.values)

    def xi2(chosen: NDArray[np.bool_]) -> float:
        used = held & chosen[:, None]
        if not used.any():
            return math.nan
        smallest = float(np.linalg.eigvalsh(second[used].mean(axis=0)[:2, :2])[0])
        return n_atoms * smallest / float(mean[used][:, 2].mean()) ** 2

    value, error = math.nan, math.nan
    if np.count_nonzero(held.any(axis=1)) >= FEWEST:
        found = jackknife_samples(len(held), GROUPS, xi2)
        value, error = float(found.value), float(np.asarray(found.error, dtype=float))
    words = {"definition": "N min Var(S_perp) / <S>^2 of the normal state, by trajectories that never left it"}
    return {"xi2": ((), value, words), "xi2_sem": ((), error), "states": ((), int(held.sum()))}


def spin_moments(
    n_atoms: int, psi: NDArray[np.complex128], frames: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""<S_i> and ½<S_iS_j + S_jS_i> of pure states along x, y, z.

    Args:
        n_atoms: N.
        psi: amplitudes on |j, j−n> along the third row of each frame, normalised: shape (..., n).
        frames: shape (..., 3, 3).

    Returns:
        shapes (..., 3) and (..., 3, 3).

    >>> mean, second = spin_moments(10, np.array([1.0 + 0j]), np.eye(3))
    >>> mean.tolist(), second.diagonal().round(12).tolist()
    ([0.0, 0.0, 5.0], [2.5, 2.5, 25.0])
    """
    lab = np.einsum("...ai,...an->...in", frames, apply_spin(n_atoms, psi))
    mean: NDArray[np.float64] = np.einsum("...n,...in->...i", psi.conj(), lab[..., :-1]).real
    second: NDArray[np.float64] = np.einsum("...in,...jn->...ij", lab.conj(), lab).real
    return mean, second


def along(points: dict[float, xr.Dataset]) -> xr.Dataset:
    """The points of a cut at one N, by position s, as one Dataset over ``s``."""
    whole = xr.concat(list(points.values()), dim="s", combine_attrs="override").assign_coords(s=list(points))
    whole.attrs["n_atoms"] = json.loads(whole.attrs.pop("model"))["n_atoms"]
    return whole


def exponent(points: Sequence[xr.Dataset], n_atoms: Sequence[int], name: Literal["ns", "sn"]) -> Exponent | None:
    r"""The fit of :math:`\gamma = Ae^{rN}` at one point of the phase diagram.

    Left out are numbers of atoms so small that a state is left faster than half its own slowest relaxation: there is
    no tunnelling out of a state that is no state. Where no passage was seen the time without one enters the fit.

    Args:
        points: of :func:`observe` at different N.
        n_atoms: these N.
        name: which rate.

    Returns:
        The exponent; None where there are not two N with two passages each.
    """
    way = ("ns", "sn").index(name)
    sides = 2 if name == "ns" else 1
    slow = {
        n: one
        for n, one in zip(n_atoms, points, strict=True)
        if sides * float(one[f"gamma_{name}"]) < float(one.relaxation[way]) / 2
    }
    chosen, used = list(slow), slow.values()
    seen = np.array([float(one.passages[way]) for one in used])
    if np.count_nonzero(seen >= 2) < 2:
        return None
    exposure = np.array([sides * float(one.residence[way]) for one in used])
    with np.errstate(divide="ignore"):
        logs = np.where(seen > 0, np.log(np.maximum(seen, 1) / exposure), np.nan)
    return fit_exponent(chosen, logs, 1 / np.sqrt(np.maximum(seen, 1)), exposures=exposure)
