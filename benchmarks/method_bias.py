"""By how much approximate methods are off, and how that falls with N: mean field, cumulants, classical and Gaussian.

    python -m benchmarks.method_bias --results docs/data/method_bias.json --draw docs/images/method-bias

Figure 1's model and start, per atom, against nuHOPS with Gaussian copies; all runs have random numbers of their own.
What is in the file of results already is not run again.
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import curve_fit

import opendicke as od
from benchmarks.problems import STATE, model
from benchmarks.timing import cpu_seconds, table
from opendicke.methods.sampled import FailedTrajectoryWarning
from opendicke.moments.jackknife import jackknife
from opendicke.observables.catalogue import CHANNELS
from opendicke.plots import style

#: N, and exact trajectories.
ATOMS = {30: 512, 100: 512, 300: 512, 1000: 384, 3000: 256}
TIMES = np.linspace(0.5, 20.0, 40)
#: Place of the fixed time, ω_a t = 2.5.
FIXED = 4
#: Least N of which exponents are fitted.
LEAST = 100
NAMES = {
    "Sx": r"$\langle S^x\rangle/N$",
    "Sz": r"$\langle S^z\rangle/N$",
    "n_photon": r"$\langle a^\dagger a\rangle/N$",
}
CLOUD = 8192
METHODS: dict[str, Any] = {
    "mean field": od.MeanField(),
    "cumulants": od.Cumulants(),
    "truncated Wigner": od.TruncatedWigner(CLOUD, seed=3),
    "Gaussian trajectories": od.GaussianTrajectories(CLOUD, seed=4),
}
LOOKS = dict(
    zip(METHODS, (("black", "o"), ("orange", "s"), ("blue", "^"), ("vermillion", "D")), strict=True)
)  # of each method, colour and marker

Values = NDArray[np.float64]


def solved(n_atoms: int, method: Any) -> tuple[xr.Dataset, float]:
    """An answer and its CPU seconds."""
    kept: list[xr.Dataset] = []

    def solve() -> None:
        kept.append(od.solve(model(n_atoms), STATE, TIMES, method, executor=od.Serial(), progress=False))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FailedTrajectoryWarning)
        seconds = cpu_seconds(solve)
    return kept[0], seconds


def batches(answer: xr.Dataset) -> Values:
    """Means over batches, (batches, times, names); of a method without, the answer."""
    if "batch_means" not in answer:
        return np.stack([answer[name].values for name in NAMES], axis=-1)[None]
    means: Values = answer.batch_means.values[..., [CHANNELS.index(name) for name in NAMES]]
    return means


def bias(answer: xr.Dataset, exact: xr.Dataset, n_atoms: int) -> dict[str, dict[str, list[float]]]:
    """Per atom, of every name: at the fixed time with its error, and the mean square over the times with its own.

    Batch k is left out of both answers at once. The mean square is that of the true difference: the jackknife takes off
    what statistical errors add to it.
    """
    difference, held = (batches(answer) - batches(exact)) / n_atoms, exact.batch_size.values
    found = {}
    for place, name in enumerate(NAMES):
        fixed = jackknife(lambda mean: mean[..., FIXED], difference[..., place], held)
        square = jackknife(lambda mean: (mean**2).mean(axis=-1), difference[..., place], held)
        found[name] = {"fixed": [float(fixed.value), float(fixed.error)]}
        found[name]["square"] = [float(square.value), float(square.error)]
    return found


def measure(n_atoms: int) -> dict[str, Any]:
    """All methods at one N: biases, CPU seconds, and how many trajectories failed."""
    count = ATOMS[n_atoms]
    exact, seconds = solved(n_atoms, od.NuHOPS(count, seed=5, control="gaussian"))
    record: dict[str, Any] = {"trajectories": count, "seconds": {"nuHOPS": seconds}, "bias": {}, "failed": {}}
    for name, method in METHODS.items():
        answer, record["seconds"][name] = solved(n_atoms, method)
        record["bias"][name] = bias(answer, exact, n_atoms)
        record["failed"][name] = len(json.loads(answer.attrs.get("failed_trajectories", "[]")))
    errors = {name: float(np.median(exact[f"{name}_sem"])) / n_atoms for name in NAMES}
    return record | {"errors": errors}


Record = dict[str, dict[str, Any]]


def series(record: Record, method: str, name: str, kind: str) -> tuple[Values, Values, Values]:
    """N, bias per atom (at the fixed time, or root mean square over the times), and its standard error."""
    atoms = np.array(sorted(int(key) for key in record), dtype=float)
    pairs = np.array([record[str(int(one))]["bias"][method][name][kind] for one in atoms])
    if kind == "fixed":
        return atoms, pairs[:, 0], pairs[:, 1]
    root = np.sqrt(np.maximum(pairs[:, 0], 0.0))
    # that of the square over twice the root; where the square is within its error, the root of the error
    return (
        atoms,
        root,
        np.where(pairs[:, 0] > pairs[:, 1], pairs[:, 1] / (2 * np.maximum(root, 1e-30)), pairs[:, 1] ** 0.5),
    )


def exponent(atoms: Values, values: Values, errors: Values) -> tuple[float, float] | None:
    """p of c N^p through the biases with their signs, and its error, larger where the law does not fit; None if there
    is too little bias to be seen."""
    used = atoms >= LEAST
    n, y, error = atoms[used] / LEAST, values[used], errors[used]
    if (np.abs(y) > 2 * error).sum() < 3:
        return None
    found, covariance = curve_fit(lambda x, c, p: c * x**p, n, y, (y[0], -1.0), error, absolute_sigma=True)
    chi = float((((y - found[0] * n ** found[1]) / error) ** 2).sum()) / (n.size - 2)
    return float(found[1]), float(np.sqrt(covariance[1, 1] * max(chi, 1.0)))


def told(value: float, error: float) -> str:
    """In units of 10⁻⁴, with the standard error."""
    value, error = 1e4 * value, 1e4 * error
    digits = 2 if error < 0.1 else 1 if error < 2 else 0
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def tell(record: Record) -> None:
    """The tables: biases with exponents, and costs."""
    atoms = sorted(int(key) for key in record)
    head = ("variable", "method", *(f"N = {one}" for one in atoms), "exponent")
    for kind, about in (("fixed", f"at ω_a t = {TIMES[FIXED]}"), ("square", "root mean square over the times")):
        print(f"\nbias per atom in 10⁻⁴, {about}\n")
        rows = []
        for name in NAMES:
            for method in METHODS:
                numbers = series(record, method, name, kind)
                fit = exponent(*numbers)
                law = "–" if fit is None else f"{fit[0]:.2f} ± {fit[1]:.2f}"
                rows.append((name, method, *map(told, *numbers[1:]), law))
        table(head, rows)
    print("\nCPU seconds, and trajectories that failed\n")
    rows = []
    for method in ("nuHOPS", *METHODS):
        lost = [record[str(one)]["failed"].get(method, 0) for one in atoms]
        seconds = [record[str(one)]["seconds"][method] for one in atoms]
        cells = [f"{s:.2g}" + (f" ({n} failed)" if n else "") for s, n in zip(seconds, lost, strict=True)]
        rows.append((method, *cells))
    table(("method", *(f"N = {one}" for one in atoms)), rows)


def draw(record: Record, path: Path) -> None:
    """Bias against N: a column for each variable, at the fixed time above and over all times below."""
    with style.paper():
        figure = Figure(figsize=(style.PAGE, 4.3), layout="constrained")
        panels = figure.subplots(2, len(NAMES), sharex=True, sharey="row")
        for row, kind in enumerate(("fixed", "square")):
            for column, (name, label) in enumerate(NAMES.items()):
                axes = panels[row, column]
                for method in METHODS:
                    _curve(axes, method, *series(record, method, name, kind))
                atoms = np.array(sorted(int(key) for key in record), dtype=float)
                axes.plot(atoms, 0.3 / atoms, color="0.6", lw=0.8, ls=":", zorder=0)
                axes.set(xscale="log", yscale="log")
                axes.text(
                    0.96,
                    0.95,
                    f"({'abcdef'[3 * row + column]}) {label}",
                    transform=axes.transAxes,
                    ha="right",
                    va="top",
                )
        for axes in panels[1]:
            axes.set_xlabel("atoms $N$")
        panels[0, 0].set_ylabel(rf"|bias| at $\omega_a t = {TIMES[FIXED]}$")
        panels[1, 0].set_ylabel(rf"rms bias, $\omega_a t \leq {TIMES[-1]:.0f}$")
        panels[1, 0].text(atoms[0], 0.08 / atoms[0], r"$\propto 1/N$", color="0.4", fontsize=7)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(METHODS))
        style.save(figure, path)


def _curve(axes: Any, method: str, atoms: Values, values: Values, errors: Values) -> None:
    """Points with error bars; what is below two standard errors as an upper limit of two more."""
    colour, marker = LOOKS[method]
    about = {"color": style.COLOURS[colour], "marker": marker, "ms": 3.5, "lw": 0.9, "capsize": 1.5}
    size, seen = np.abs(values), np.abs(values) > 2 * errors
    low = np.minimum(errors, 0.6 * size)  # an error bar that ends above zero
    axes.errorbar(atoms[seen], size[seen], (low[seen], errors[seen]), label=method, **about)
    limits = (size + 2 * errors)[~seen]
    about |= {"ls": "none", "mfc": "white"}
    axes.errorbar(atoms[~seen], limits, 0.4 * limits, uplims=True, **about)


def main() -> None:
    """Run what is missing, then tell and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, metavar="FILE")
    parser.add_argument("--draw", type=Path, metavar="PICTURE")
    given = parser.parse_args()
    record: Record = json.loads(given.results.read_text()) if given.results.exists() else {}
    for method in (od.NuHOPS(1, control="gaussian"), *METHODS.values()):  # compiles
        few = method if not hasattr(method, "trajectories") else replace(method, trajectories=1)
        od.solve(model(100), STATE, [0.1], few, executor=od.Serial(), progress=False)
    for n_atoms in ATOMS:
        if str(n_atoms) not in record:
            record[str(n_atoms)] = measure(n_atoms)
            given.results.write_text(json.dumps(record, indent=1) + "\n")
    tell(record)
    if given.draw:
        draw(record, given.draw)


if __name__ == "__main__":
    main()
