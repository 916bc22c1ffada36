"""The commands that work on studies, stores and parameter planes: parse, call, write. No science."""

from __future__ import annotations

import json
import logging
import math
import shlex
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import xarray as xr

    from opendicke.figures.statement import Statement
    from opendicke.study_file import StudyFile

STUDY = click.argument("study", type=click.Path(dir_okay=False, path_type=Path))
THREADS = click.option("--threads", type=click.IntRange(min=1), help="Number of threads.  [default: all cores]")
DASK = click.option("--dask", metavar="ADDRESS", help="Scheduler of a Dask cluster; 'local' starts one here.")
QUIET = click.option("--quiet", is_flag=True, help="No progress bar, and only what went wrong.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
SEED = click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the random streams.")
STORE = click.option(
    "--store", type=click.Path(file_okay=False, path_type=Path), help="Keeps trajectories, to go on later."
)


TRAJECTORIES = click.option(
    "--trajectories", type=click.IntRange(min=1), help="In place of the study file's number; what is stored counts."
)
TIMEOUT = click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds after which what is done is averaged."
)

log = logging.getLogger("opendicke.commands")


def output_option(folder: str) -> Callable[[Any], Any]:
    """The option for where a picture and its datasets go."""
    kind, about = click.Path(file_okay=False, path_type=Path), "Folder for the picture and the datasets."
    return click.option("--output", type=kind, default=Path(folder), show_default=True, help=about)


def executor_for(threads: int | None, dask: str | None) -> Any:
    """The executor that the options ask for."""
    import opendicke as od

    if dask is None:
        return od.Threads(threads)
    return od.Dask(workers=threads) if dask == "local" else od.Dask(address=dask)


def usable(folder: Path) -> None:
    """Make ``folder``, and refuse one that cannot be written before anything is computed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        text = f"{str(folder)!r} cannot be written ({problem.strerror}). Choose another folder."
        raise click.BadParameter(text, param_hint="--output") from problem


@contextmanager
def short_errors(finished: list[Path], store: Path | None = None) -> Iterator[None]:
    """Failures that are no mistake of the program end in one line instead of a traceback."""
    from opendicke.ensemble.run import TrajectoryError
    from opendicke.ensemble.store import StoreError

    try:
        yield
    except KeyboardInterrupt as interrupt:
        kept = f"Finished and kept: {', '.join(map(str, finished))}." if finished else "Nothing was finished."
        if store is not None:
            kept = f"Finished trajectories are kept in {store}: the same command goes on from there."
        click.echo(f"\nInterrupted. {kept}", err=True)
        raise click.exceptions.Exit(128 + getattr(interrupt, "signal", signal.SIGINT)) from None
    except (ImportError, OSError, MemoryError, TrajectoryError, StoreError) as problem:
        log.debug("traceback", exc_info=True)
        raise click.ClickException(f"{type(problem).__name__}: {problem}") from problem


def tell(statements: list[Statement], quiet: bool) -> bool:
    """Print statements, only those that fail if ``quiet``; whether all hold."""
    for statement in statements:
        if not (quiet and statement.holds):
            click.echo(f"  {statement}", err=quiet)
    return all(statement.holds for statement in statements)


def _read(path: Path) -> StudyFile:
    from opendicke.study_file import StudyFileError, load

    try:
        return load(path)
    except StudyFileError as problem:
        raise click.UsageError(str(problem)) from problem


@contextmanager
def _asked(path: Path, trajectories: int | None = None) -> Iterator[StudyFile]:
    """A study file to be run; what the library refuses about it is reported with the line where it stands."""
    from opendicke.study_file import StudyFileError

    study = _read(path)
    try:
        study = study.with_trajectories(trajectories)
        usable(study.result.parent)
        with short_errors([], study.store):
            yield study
    except StudyFileError as problem:
        raise click.UsageError(str(problem)) from problem
    except (TypeError, ValueError) as problem:
        log.debug("traceback", exc_info=True)
        raise click.UsageError(str(study.blame(problem))) from problem


def _option(argument: str) -> str:
    return f"--{argument.replace('_', '-')}"


@contextmanager
def refused(told: Callable[[str], str] = _option) -> Iterator[None]:
    """What the library refuses about an argument is reported about what it is ``told`` as: the option of its name."""
    try:
        yield
    except (TypeError, ValueError) as problem:
        log.debug("traceback", exc_info=True)
        name, _, text = str(problem).partition(": ")
        raise click.UsageError(f"{told(name)}: {text}") from problem


def _with_all_stored(study: StudyFile, trajectories: int | None) -> StudyFile:
    """The study with at least as many trajectories as its store holds; a smaller number that was asked for is refused.

    So a result is not replaced by one from fewer.
    """
    from opendicke.observables.catalogue import select
    from opendicke.problem import Problem
    from opendicke.solve import as_store, describe

    if study.store is None:
        return study
    _, words = select(study.observables)
    problem = Problem(study.model, study.state, study.times, words)
    found = as_store(study.store).lookup(describe(problem, study.method))
    stored = 0 if found is None else found.trajectories
    if stored <= study.method.trajectories:
        return study
    if trajectories is None:
        return study.with_trajectories(stored)
    text = f"trajectories: expected at least {stored}, which are stored, got {trajectories}."
    raise click.UsageError(f"{text} Name more, or another store and result in the study file.")


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), default=Path("study.toml"))
def init(path: Path) -> None:
    """Write a commented example of a study file."""
    from opendicke import files
    from opendicke.study_file import EXAMPLE

    if path.exists():
        raise click.UsageError(f"{path} exists already. Name another file.")
    with files.replacing(path) as unfinished:
        unfinished.write_text(EXAMPLE, encoding="utf-8")
    click.echo(f"{path} written. Edit it, then: opendicke run {path}")


@click.command()
@STUDY
@TRAJECTORIES
@TIMEOUT
@THREADS
@DASK
@QUIET
@JSON
def run(
    study: Path,
    trajectories: int | None,
    timeout: float | None,
    threads: int | None,
    dask: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run a study file, or go on with it where it was interrupted, and write its result."""
    with _asked(study, trajectories) as asked:
        _solve(asked, timeout, threads, dask, quiet, as_json)


def _solve(
    asked: StudyFile, timeout: float | None, threads: int | None, dask: str | None, quiet: bool, as_json: bool
) -> None:
    """Run a study and write its result."""
    import opendicke as od
    from opendicke import files

    result = od.solve(
        asked.model,
        asked.state,
        asked.times,
        asked.method,
        asked.observables,
        executor=executor_for(threads, dask),
        progress=False if quiet or as_json else None,
        store=asked.store,
        timeout=timeout,
    )
    _report(result.attrs, files.save(result, asked.result), quiet, as_json)


@click.command()
@STUDY
@click.argument("trajectories", type=click.IntRange(min=1))
@TIMEOUT
@THREADS
@DASK
@QUIET
@JSON
def extend(study: Path, trajectories: int, **options: Any) -> None:
    """Run a study file with TRAJECTORIES, at least as many as are stored: only what is not stored yet is run."""
    with _asked(study, trajectories) as asked:
        _solve(_with_all_stored(asked, trajectories), **options)


@click.command()
@STUDY
@TRAJECTORIES
@TIMEOUT
@THREADS
@DASK
@QUIET
@JSON
def resume(study: Path, trajectories: int | None, **options: Any) -> None:
    """Go on with a study file: as `run`, but never with fewer trajectories than are stored."""
    with _asked(study, trajectories) as asked:
        _solve(_with_all_stored(asked, trajectories), **options)


@click.command()
@STUDY
@click.option("--partial", is_flag=True, help="Run nothing: write what is stored by now, with NaN where nothing is.")
@TRAJECTORIES
@THREADS
@DASK
@QUIET
@JSON
def sweep(
    study: Path,
    partial: bool,
    trajectories: int | None,
    threads: int | None,
    dask: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run a study file at every point of its [sweep], or go on with it, and write the result."""
    import opendicke as od
    from opendicke import files

    with _asked(study, trajectories) as asked:
        if not asked.grid:
            raise click.UsageError(f"{study}: the section [sweep] is missing")
        result = od.sweep(
            asked.model,
            asked.grid,
            asked.state,
            asked.times,
            asked.method,
            asked.observables,
            common_random_numbers=asked.common_random_numbers,
            run_missing=not partial,
            executor=executor_for(threads, dask),
            progress=False if quiet or as_json else None,
            store=asked.store,
        )
        told: dict[str, Any] = {"points": math.prod(axis.size for axis in asked.grid.values())}
        if "trajectories" in result:
            counts = result.trajectories
            told |= {"points_begun": int(counts.notnull().sum()), "trajectories": int(counts.sum())}
        _report(told, files.save(result, asked.result), quiet, as_json)


#: What a run tells of itself, where it knows it.
TOLD = (
    "points",
    "points_begun",
    "trajectories",
    "precision_reached",
    "largest_states",
    "largest_levels",
    "wall_time_s",
)


def _report(about: Mapping[str, Any], path: Path, quiet: bool, as_json: bool) -> None:
    told = {name: about[name] for name in TOLD if name in about}
    if as_json:
        click.echo(json.dumps({"result": str(path), **told}))
    elif not quiet:
        texts = (
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in told.items()
        )
        click.echo(f"{path}: {', '.join(texts)}")
        _name_picture(path)


def _name_picture(path: Path) -> None:
    """Say how to see a result."""
    click.echo(f"To see it: opendicke plot {shlex.quote(str(path))}")


def _method_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For the shell's completion."""
    from opendicke.methods.registry import METHODS

    return [name for name in METHODS if name.startswith(incomplete)]


@click.command()
@STUDY
@click.option(
    "--method", "methods", multiple=True, required=True, shell_complete=_method_names, help="Its name; repeat it."
)
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds for each method; see `run --help`."
)
@THREADS
@QUIET
@JSON
def compare(
    study: Path, methods: tuple[str, ...], timeout: float | None, threads: int | None, quiet: bool, as_json: bool
) -> None:
    """Solve a study file's problem with its own method and others, and write them side by side."""
    from opendicke import files
    from opendicke.comparison import compare as solve_all
    from opendicke.comparison import summary
    from opendicke.methods.registry import METHODS
    from opendicke.methods.sampled import Sampled

    with _asked(study) as asked:
        chosen = {type(asked.method).__name__: asked.method}
        for seed, name in enumerate(methods, start=getattr(asked.method, "seed", 0) + 1):
            if name not in METHODS:
                raise click.BadParameter(f"expected one of {', '.join(METHODS)}, got {name!r}", param_hint="--method")
            options = {}
            if issubclass(METHODS[name], Sampled):
                options = {"trajectories": getattr(asked.method, "trajectories", 300), "seed": seed}
            if name not in chosen:
                chosen[name] = METHODS[name](**options)
        executor, progress = executor_for(threads, None), False if quiet or as_json else None
        problem = (asked.model, asked.state, asked.times, chosen, asked.observables)
        result = solve_all(*problem, executor=executor, progress=progress, timeout=timeout)
        path = files.save(result, asked.result.with_name(f"{asked.result.stem}-compared.nc"))
    rows = summary(result)
    if as_json:
        click.echo(json.dumps({"result": str(path), "reference": result.attrs["reference"], "methods": rows}))
    elif not quiet:
        for row in rows:
            click.echo("  ".join((f"{row['method']:<15}", f"{row['seconds']:8.2f} s", row["verdict"])))
        click.echo(str(path))
        _name_picture(path)


@click.command()
@click.option("--omega-a", type=float, default=1.0, show_default=True)
@click.option("--omega-c", type=float, default=1.0, show_default=True)
@click.option("--kappa", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option("--g-max", type=click.FloatRange(min=0, min_open=True), default=3.5, show_default=True)
@click.option("--points", type=click.IntRange(min=2), default=301, show_default=True)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default=Path("."), show_default=True)
@click.option(
    "--transition", is_flag=True, help="With the line where the bistable phase breaks as t, then N -> infinity."
)
def phases(
    omega_a: float, omega_c: float, kappa: float, g_max: float, points: int, output: Path, transition: bool
) -> None:
    """Draw the mean-field phase diagram in the plane of the two couplings."""
    import numpy as np

    import opendicke as od
    from opendicke import checks, files
    from opendicke.analysis import phase_boundaries, phase_diagram, tricritical_point
    from opendicke.analysis.tunnelling import transition_line
    from opendicke.plots import style
    from opendicke.plots.phases import diagram_figure

    with refused():
        model = od.DickeModel(n_atoms=1, omega_a=omega_a, omega_c=omega_c, kappa=kappa, g_minus=0.0, g_plus=0.0)
        lines = phase_boundaries(model, g_max=g_max)
        couplings = np.linspace(0.0, g_max, points)
        diagram = phase_diagram(model, couplings, couplings)
        tip = tricritical_point(model)[0] if transition else 0.0
        if tip * 1.2 >= g_max:
            raise checks.refuse("g_max", f"more than {tip * 1.2:.4g}, for --transition to have a line to draw", g_max)
    usable(output)
    line = transition_line(model, np.linspace(1.2 * tip, g_max, 8)) if transition else None
    if line is not None and line.attrs["stopped"]:
        click.echo(f"The line of the transition ends early: {line.attrs['stopped']}", err=True)
    picture, document = style.save(diagram_figure(diagram, lines, line), output / "phases")
    datasets = {"phases": diagram} | ({} if line is None else {"transition": line})
    saved = [files.save(data, output / f"{name}.nc") for name, data in datasets.items()]
    click.echo(", ".join(map(str, [picture, document, *saved])))


@click.command()
@JSON
def doctor(as_json: bool) -> None:
    """Say what is installed and how fast this machine is."""
    from opendicke.diagnosis import diagnose

    found = diagnose()
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        text = ", ".join(f"{key} {entry}" for key, entry in value.items()) if isinstance(value, dict) else value
        click.echo(f"{name}: {text}")


@click.command(short_help="Compute a figure of Müller and Strunz, and check what they state.")
@click.argument("number", type=click.Choice(["1", "2", "3", "S4"]))
@output_option("figures")
@click.option(
    "--full", is_flag=True, help="Figs. 3 and S4 with all points and trajectories: half an hour, not minutes."
)
@click.option("--trajectories", type=click.IntRange(min=16), help="For each number of atoms.  [default: the figure's]")
@click.option("--n-atoms", type=click.IntRange(min=2), multiple=True, help="Repeat it.  [default: the figure's]")
@SEED
@STORE
@THREADS
@QUIET
def figure(
    number: str,
    output: Path,
    full: bool,
    trajectories: int | None,
    n_atoms: tuple[int, ...],
    seed: int,
    store: Path | None,
    threads: int | None,
    quiet: bool,
) -> None:
    """Compute Fig. NUMBER of Müller and Strunz, for their numbers of atoms or others, and check what they state."""
    from opendicke import files
    from opendicke.plots import style

    if full and number in ("1", "2"):
        raise click.UsageError("--full is for Figs. 3 and S4; 1 and 2 have one size. Set --trajectories instead.")
    atoms = tuple(dict.fromkeys(n_atoms))
    options = {"executor": executor_for(threads, None), "progress": False if quiet else None, "store": store}
    finished: list[Path] = []
    datasets: dict[str, xr.Dataset] = {}
    with short_errors(finished, store):
        usable(output)
        for part in _parts(number, full, atoms, trajectories, options | {"seed": seed}):
            finished += [files.save(dataset, output / f"figure{number}-{name}.nc") for name, dataset in part.items()]
            datasets |= part
        drawings, statements, remarks = _drawn_and_checked(number, atoms, datasets)
        for name, drawing in drawings.items():
            finished += style.save(drawing, output / name)
    all_hold = tell(statements, quiet)
    if not quiet:
        click.echo("\n".join([*(f"  note  {remark}" for remark in remarks), *map(str, finished)]))
    if not all_hold:
        raise click.exceptions.Exit(1)


def _parts(
    number: str, full: bool, atoms: tuple[int, ...], trajectories: int | None, options: dict[str, Any]
) -> Iterator[dict[str, xr.Dataset]]:
    """The datasets of a figure, a panel or a curve at a time."""
    from opendicke.figures import figure1, figure2, figure3, figure_s4

    if number == "1":
        count = trajectories or figure1.TRAJECTORIES
        for panel in figure1.panels(atoms or figure1.N_ATOMS):
            yield figure1.solve_panel(panel, trajectories=count, **options)
    elif number == "2":
        yield figure2.solve_cumulants()
        for n_atoms in atoms or figure2.N_ATOMS:
            yield figure2.solve_atoms(n_atoms, trajectories=trajectories or figure2.TRAJECTORIES, **options)
    else:
        asked = {"n_atoms": tuple(sorted(atoms)), "trajectories": trajectories}
        changes: dict[str, Any] = {name: value for name, value in asked.items() if value}
        if number == "3":
            yield from figure3.parts(replace(figure3.FULL if full else figure3.QUICK, **changes), **options)
        else:
            yield from figure_s4.parts(replace(figure_s4.FULL if full else figure_s4.QUICK, **changes), **options)


def _drawn_and_checked(
    number: str, atoms: tuple[int, ...], datasets: Mapping[str, xr.Dataset]
) -> tuple[dict[str, Any], list[Statement], list[str]]:
    """Pictures by name, what the paper states, and what the pictures leave out."""
    from opendicke.figures import figure1, figure2, figure3, figure3_picture, figure_s4

    if number == "1":
        drawn = figure1.panels(atoms or figure1.N_ATOMS)
        picture = figure1.plot(datasets, drawn=drawn)
        return {"figure1": picture}, figure1.check(datasets, drawn), figure1.remarks(drawn)
    if number == "2":
        return {"figure2": figure2.plot(datasets)}, figure2.check(datasets), figure2.remarks(datasets)
    if number == "3":
        pictures = {"figure3": figure3_picture.plot, "figure3b": figure3_picture.plot_phase_diagrams}
        return {name: draw(datasets) for name, draw in pictures.items()}, figure3.check(datasets), []
    return {"figureS4": figure_s4.plot(datasets)}, figure_s4.check(datasets), []


@click.command(short_help="Compute a piece of the gallery: what the library can do beyond the paper.")
@click.argument("name", type=click.Choice(["hysteresis", "time-crystal", "quench", "thermal-start", "slow-ramp"]))
@output_option("gallery")
@click.option("--trajectories", type=click.IntRange(min=16), help="For each curve.  [default: the piece's]")
@click.option("--n-atoms", type=click.IntRange(min=2), multiple=True, help="Repeat it.  [default: the piece's]")
@SEED
@STORE
@THREADS
@QUIET
def gallery(
    name: str,
    output: Path,
    trajectories: int | None,
    n_atoms: tuple[int, ...],
    seed: int,
    store: Path | None,
    threads: int | None,
    quiet: bool,
) -> None:
    """Compute NAME, draw it, and check what is expected of it."""
    from opendicke import files
    from opendicke.gallery import hysteresis, quench, slow_ramp, thermal_start, time_crystal
    from opendicke.plots import style

    pieces = {
        "hysteresis": hysteresis, "time-crystal": time_crystal, "quench": quench, "thermal-start": thermal_start,
        "slow-ramp": slow_ramp,
    }  # fmt: skip
    piece: Any = pieces[name]
    finished: list[Path] = []
    options = {"executor": executor_for(threads, None), "progress": False if quiet else None, "store": store}
    with short_errors(finished, store):
        usable(output)
        datasets = piece.run(
            n_atoms=tuple(dict.fromkeys(n_atoms)) or piece.N_ATOMS,
            trajectories=trajectories or piece.TRAJECTORIES,
            seed=seed,
            **options,
        )
        finished += [files.save(dataset, output / f"{name}-{part}.nc") for part, dataset in datasets.items()]
        finished += style.save(piece.plot(datasets), output / name)
    all_hold = tell(piece.check(datasets), quiet)
    if not quiet:
        click.echo("\n".join(map(str, finished)))
    if not all_hold:
        raise click.exceptions.Exit(1)


COMMANDS = (init, run, resume, extend, sweep, compare, phases, figure, gallery, doctor)
