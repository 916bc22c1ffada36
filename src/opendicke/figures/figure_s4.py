r"""Fig. S4: how the tunnelling rates are obtained, at g₋ = 1.8, g₊ = 0.782, ω_a = ω_c = κ = 1.

Single trajectories at N = 100 from the normal (superradiant) state, shaded while they are in the other one; the
occupation of the initially empty state against time, with the solution of the rate equation,

.. math::
    p_s(t) = \frac{2\gamma_{ns}}{\Gamma}\left(1-e^{-\Gamma t}\right),\qquad
    p_n(t) = \frac{\gamma_{sn}}{\Gamma}\left(1-e^{-\Gamma t}\right),\qquad \Gamma = 2\gamma_{ns}+\gamma_{sn}

after the time that a passage takes; and the rates against N with fits of :math:`Ae^{rN}`. The rates of the truncated
Wigner approximation, found in the same way, are drawn beside the exact ones.

Source: K. Müller and W. T. Strunz, *Genuine quantum effects in Dicke-type models at large atom numbers*, Fig. S4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from opendicke.analysis import fixed_point
from opendicke.analysis.tunnelling import Exponent, instanton, populations
from opendicke.ensemble.store import Store
from opendicke.figures.bistable import TIMES, Runs, exponent, observe
from opendicke.figures.statement import Statement
from opendicke.model import DickeModel
from opendicke.plots import style
from opendicke.plots.tunnelling import Name, atom_colours, plot_populations, plot_visits
from opendicke.problem import Executor, Progress
from opendicke.tunnelling.instanton import Start

#: Numbers of atoms whose occupations are drawn; single trajectories are of the first.
DRAWN = (100, 200, 300)
#: Trajectories drawn, from each start.
SHOWN = 3
NAMES: tuple[Name, Name] = ("ns", "sn")
STARTS: tuple[Start, Start] = ("normal", "superradiant")


@dataclass(frozen=True)
class Plan:
    """How much is computed.

    Attributes:
        n_atoms: numbers of atoms.
        trajectories: exact ones, from each start.
        wigner: trajectories of the truncated Wigner approximation, from each start; 0 to leave it out.
    """

    n_atoms: tuple[int, ...]
    trajectories: int
    wigner: int

    def __str__(self) -> str:
        n_atoms = ", ".join(map(str, self.n_atoms))
        return f"N = {n_atoms}; trajectories from each start: {self.trajectories} exact, {self.wigner} truncated Wigner"


#: Minutes on two cores.
QUICK = Plan((50, 100, 200, 300), 96, 512)
#: Some ten minutes on one core.
FULL = Plan((50, 75, 100, 150, 200, 300), 256, 2048)


def model(n_atoms: int) -> DickeModel:
    """The model with ``n_atoms`` atoms."""
    return DickeModel(n_atoms=n_atoms, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=1.8, g_plus=0.782)


def solve_atoms(
    n_atoms: int,
    plan: Plan,
    times: NDArray[np.float64] = TIMES,
    *,
    seed: int = 1,
    executor: Executor | None = None,
    progress: Progress | bool | None = None,
    store: Store | str | Path | None = None,
) -> dict[str, xr.Dataset]:
    """What :func:`bistable.observe` finds for one N, e.g. "n100", and by truncated Wigner, "n100-wigner".

    Args:
        n_atoms: N.
        plan: how many trajectories.
        times: 1/ω_a.
        seed: of the random streams.
        executor, progress, store: as for :func:`opendicke.solve`.
    """
    how: dict[str, Any] = {"executor": executor, "progress": progress, "store": store}
    found = {f"n{n_atoms}": observe(model(n_atoms), Runs(plan.trajectories, seed, **how), times, shown=SHOWN)}
    if plan.wigner:
        # Cheaper to run again than to keep
        runs = Runs(plan.wigner, seed, wigner=True, executor=executor, progress=progress)
        found[f"n{n_atoms}-wigner"] = observe(model(n_atoms), runs, times)
    return found


def parts(plan: Plan = QUICK, **options: Any) -> Iterator[dict[str, xr.Dataset]]:
    """The datasets, a number of atoms at a time; ``options`` are those of :func:`solve_atoms`."""
    for n_atoms in plan.n_atoms:
        yield solve_atoms(n_atoms, plan, **options)


def run(plan: Plan = QUICK, **options: Any) -> dict[str, xr.Dataset]:
    """All datasets, as :func:`plot` and :func:`check` take them; ``options`` are those of :func:`solve_atoms`."""
    datasets: dict[str, xr.Dataset] = {}
    for part in parts(plan, **options):
        datasets |= part
    return datasets


def _by_atoms(datasets: Mapping[str, xr.Dataset], *, wigner: bool = False) -> dict[int, xr.Dataset]:
    """The datasets of one method, by N."""
    names = {name.removesuffix("-wigner") if wigner else name: data for name, data in datasets.items()
             if name.endswith("-wigner") == wigner}  # fmt: skip
    return {n: names[f"n{n}"] for n in sorted(int(name[1:]) for name in names)}


def _exponents(found: Mapping[int, xr.Dataset]) -> dict[Name, Exponent | None]:
    return {name: exponent(list(found.values()), list(found), name) for name in NAMES}


def _solution(data: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """p_s(t) from n and p_n(t) from s+ by the rate equation, with the rates of the fit, else those of counts.

    It takes a trajectory a while to get from one state to the other, so no passage is seen early on. As in
    :func:`opendicke.analysis.tunnelling.fit_populations`, the fit is of times after this lag, with a free amplitude;
    NaN before it.
    """
    fitted, time = math.isfinite(float(data.lag)), data.time.values
    ns, sn = (float(data[f"gamma_{name}{'_fit' if fitted else ''}"]) for name in NAMES)
    if not fitted:
        from_n, from_s = (populations((ns, sn, 0.0), np.array(start), time) for start in np.eye(3)[:2])
        return {"p_s": 1 - from_n[:, 0], "p_n": from_s[:, 0]}
    late, total = time >= float(data.lag), 2 * ns + sn
    decay = np.where(late, np.exp(-total * (time - float(data.lag))), 0.0)
    found = {}
    for name, rest in (("p_s", 2 * ns / total), ("p_n", sn / total)):
        amplitude = (rest - data[name].values) @ decay / (decay @ decay)
        found[name] = np.where(late, rest - amplitude * decay, np.nan)
    return found


def plot(datasets: Mapping[str, xr.Dataset]) -> Figure:
    """Trajectories above, occupations and rates below, as wide as a page.

    Args:
        datasets: those of :func:`run`.
    """
    exact, wigner = _by_atoms(datasets), _by_atoms(datasets, wigner=True)
    with style.paper():
        figure = Figure(figsize=(style.PAGE, 5.4))
        upper = figure.add_gridspec(SHOWN, 2, left=0.07, right=0.985, bottom=0.56, top=0.945, hspace=0.08, wspace=0.09)
        lower = figure.add_gridspec(1, 3, left=0.07, right=0.985, bottom=0.115, top=0.445, wspace=0.33)
        _draw_examples(figure, upper, exact)
        drawn = {n: exact[n] for n in exact if n in DRAWN} or exact
        titles = {"p_s": r"(c) from $n$: in $s_\pm$", "p_n": "(d) from $s_+$: in $n$"}
        for place, (name, title) in enumerate(titles.items()):
            axes = figure.add_subplot(lower[place])
            _draw_occupations(axes, drawn, name)
            axes.set_title(title)
        _draw_rates(figure.add_subplot(lower[2]), exact, wigner)
        figure.text(0.005, 0.006, _what_was_run(exact, wigner), fontsize=5.5, color="0.35")
    return figure


def _draw_examples(figure: Figure, grid: Any, exact: Mapping[int, xr.Dataset]) -> None:
    n_atoms = next((n for n in DRAWN if n in exact), min(exact))
    data = exact[n_atoms]
    target = fixed_point(model(1), "SR+").m
    for column, (letter, start) in enumerate((("a", "normal"), ("b", "superradiant"))):
        for row in range(data.sizes["shown"]):
            axes = figure.add_subplot(grid[row, column])
            one = data.isel(start=column, shown=row)
            plot_visits(data.time.values, one.m.values, one.elsewhere.values, axes)
            side = np.sign(one.m.values[one.elsewhere.values ^ (column == 1), 0].sum()) or 1.0
            for value, colour in zip(target * [side, side, 1], ("blue", "vermillion", "green"), strict=True):
                axes.axhline(value, color=style.COLOURS[colour], linewidth=0.6, dashes=(3, 2), zorder=1)
            axes.set(xlim=(0, float(data.time[-1])), ylim=(-0.58, 0.58))
            axes.tick_params(labelbottom=row == data.sizes["shown"] - 1, labelleft=column == 0)
            if row == 0:
                axes.set_title(f"({letter}) $N = {n_atoms}$, trajectories from the {start} state")
            if column == 0:
                axes.set_ylabel(r"$\langle S^i\rangle/N$", labelpad=1)
            if row == data.sizes["shown"] - 1:
                axes.set_xlabel(r"$\omega_a t$", labelpad=1)
            if row == column == 0:
                axes.legend(["$x$", "$y$", "$z$"], loc="upper left", ncols=3, handlelength=1.0, columnspacing=0.8,
                            borderpad=0.0, fontsize=6)  # fmt: skip


def _draw_occupations(axes: Axes, drawn: Mapping[int, xr.Dataset], name: str) -> None:
    colours = atom_colours(list(drawn))
    for n, data in drawn.items():
        plot_populations(
            data.time.values, data[name].values, data[f"{name}_sem"].values, axes, colour=colours[n],
            fit=_solution(data)[name], label=f"$N = {n}$",
        )  # fmt: skip
    axes.plot([], [], color="black", linewidth=0.8, dashes=(3, 1.5), label="rate equation")
    top = max(float((data[name] + data[f"{name}_sem"]).max()) for data in drawn.values())
    axes.set(xlim=(0, None), ylim=(-0.02 * top, 1.45 * top + 1e-3), xlabel=r"$\omega_a t$", ylabel=f"${name}(t)$")
    axes.legend(loc="upper left", fontsize=6, handlelength=1.6)


def _draw_rates(axes: Axes, exact: Mapping[int, xr.Dataset], wigner: Mapping[int, xr.Dataset]) -> None:
    looks: dict[Name, tuple[str, str, str]] = {
        "ns": ("blue", "o", r"$\gamma_{ns}$"),
        "sn": ("vermillion", "s", r"$\gamma_{sn}$"),
    }
    fits, numbers = _exponents(exact), np.array(list(exact), dtype=float)
    fine = np.linspace(numbers.min(), numbers.max(), 50)
    lowest = math.inf
    for name, (colour, marker, label) in looks.items():
        for found, filled, words in ((exact, True, label), (wigner, False, f"{label}, truncated Wigner")):
            face = style.COLOURS[colour] if filled else "white"
            for n, data in found.items():
                value, low, high = (float(data[f"gamma_{name}{end}"]) for end in ("", "_low", "_high"))
                at = n if filled else n + 0.02 * np.ptp(numbers)
                if value > 0:
                    lowest = min(lowest, value)
                    axes.errorbar(
                        at, value, [[value - low], [high - value]], color=style.COLOURS[colour], marker=marker,
                        markersize=3.6, elinewidth=0.6, markerfacecolor=face, markeredgewidth=0.7,
                    )  # fmt: skip
                elif filled:
                    axes.plot(at, high, color=style.COLOURS[colour], marker=r"$\downarrow$", markersize=6, linewidth=0)
            if found:
                axes.plot([], [], color=style.COLOURS[colour], marker=marker, markersize=3.6, markerfacecolor=face,
                          markeredgewidth=0.7, linewidth=0, label=words)  # fmt: skip
        fit = fits[name]
        if fit is not None:
            line = np.exp(fit.log_a + fit.r * fine)
            axes.plot(fine, line, color=style.COLOURS[colour], linewidth=0.8, dashes=(3, 1.5))
    axes.set_yscale("log")
    if math.isfinite(lowest):
        axes.set_ylim(lowest / 5, None)
    axes.set(xlabel="$N$", ylabel=r"rate $/\,\omega_a$")
    axes.set_title("(e) rates")
    axes.legend(loc="lower left", fontsize=5.5, handlelength=1.0, borderpad=0.1)


def _what_was_run(exact: Mapping[int, xr.Dataset], wigner: Mapping[int, xr.Dataset]) -> str:
    """How much of which seed, and what the full figure has."""
    first = next(iter(exact.values())).attrs
    count = int(next(iter(wigner.values())).attrs["trajectories"]) if wigner else 0
    plan = Plan(tuple(exact), int(first["trajectories"]), count)
    told = f"{plan}; seed {first['seed']}; arrows: upper limits (95 %), no passage seen"
    return told if plan == FULL else f"{told}\nIn full: {FULL}"


def check(datasets: Mapping[str, xr.Dataset]) -> list[Statement]:
    """What the supplement says about Fig. S4, held against ``datasets`` (those of :func:`run`)."""
    exact, wigner = _by_atoms(datasets), _by_atoms(datasets, wigner=True)
    statements = [one for n, data in exact.items() for one in _fitted(n, data)]
    statements += [*_exponential(exact)]
    if 300 in exact:
        seen = int(exact[300].passages[0])
        text = "N = 300: no tunnelling to the superradiant state is observed"
        time = float(exact[300].residence[0])
        statements.append(Statement(text, seen == 0, f"{seen} passages in a time {time:.3g} in the normal state"))
    return statements + ([*_approximate()] if wigner else [])


def _fitted(n_atoms: int, data: xr.Dataset) -> Iterator[Statement]:
    """The solution of the rate equation matches the occupations; the rates are those of counts."""
    if not math.isfinite(float(data.gamma_ns_fit)):
        return
    worst = []
    for name, solution in _solution(data).items():
        error = np.maximum(data[f"{name}_sem"].values, 1 / data.attrs["trajectories"])
        worst.append(float(np.sqrt(np.nanmean(((data[name].values - solution) / error) ** 2))))
    yield Statement(
        f"N = {n_atoms}: the solution of the rate equation matches the occupations",
        max(worst) < 2.5,
        f"off by {worst[0]:.1f} (p_s) and {worst[1]:.1f} (p_n) standard errors, root mean square",
    )
    apart = []
    for name in NAMES:
        counted, low, high = (float(data[f"gamma_{name}{end}"]) for end in ("", "_low", "_high"))
        error = math.hypot(float(data[f"gamma_{name}_fit_sem"]), (high - low) / 4)
        apart.append((float(data[f"gamma_{name}_fit"]) - counted) / error)
    yield Statement(
        f"N = {n_atoms}: its rates are those of counting passages",
        max(map(abs, apart)) < 4,
        f"apart by {apart[0]:+.1f} (ns) and {apart[1]:+.1f} (sn) standard errors",
    )


def _exponential(exact: Mapping[int, xr.Dataset]) -> Iterator[Statement]:
    fits = _exponents(exact)
    known = {name: fit for name, fit in fits.items() if fit is not None}
    yield Statement(
        "both rates fall exponentially with N",
        len(known) == 2 and all(fit.r + 3 * fit.r_sem < 0 for fit in known.values()),
        ", ".join(f"r_{name} = {fit.r:.4f} ± {fit.r_sem:.4f}" for name, fit in known.items()) or "nothing to fit",
    )


@cache
def limit_exponents() -> tuple[tuple[float, float, float], ...]:
    """S for N → ∞ out of the normal and the superradiant state: exact, by truncated Wigner, and both errors added."""
    found = []
    for start in STARTS:
        exact, wigner = instanton(model(1), start), instanton(model(1), start, "truncated_wigner")
        error = exact.attrs["action_error"] + wigner.attrs["action_error"]
        found.append((exact.action.item(), wigner.action.item(), error))
    return tuple(found)


def _approximate() -> Iterator[Statement]:
    """Truncated Wigner's exponents for N → ∞ are smaller than the exact ones, by far more than their errors.

    Counted rates cannot tell: at N <= 300 the difference is smaller than their errors.
    """
    found = limit_exponents()
    words = [f"r_{n} = {-wigner:.6f}, exact {-exact:.6f}" for n, (exact, wigner, _) in zip(NAMES, found, strict=True)]
    factors = " and ".join(f"{math.exp(1000 * (exact - wigner)):.2f}" for exact, wigner, _ in found)
    yield Statement(
        "truncated Wigner's rates become too fast as N grows, by its exponents for N to infinity",
        all(exact - wigner > 10 * error for exact, wigner, error in found),
        f"{'; '.join(words)}: at N = 1000 a factor of {factors}",
    )
