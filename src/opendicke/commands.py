"""The commands that work on studies, stores and parameter planes: parse, call, write. No science."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import xarray as xr

    from opendicke.figures.statement import Statement
    from opendicke.study_file import StudyFile

STUDY = click.argument("study", type=click.Path(dir_okay=False, path_type=Path))
STORE = click.argument("store", type=click.Path(file_okay=False, path_type=Path))
THREADS = click.option("--threads", type=click.IntRange(min=1), help="Number of threads.  [default: all cores]")
DASK = click.option("--dask", metavar="ADDRESS", help="Scheduler of a Dask cluster; 'local' starts one here.")
QUIET = click.option("--quiet", is_flag=True, help="No progress bar, and only what went wrong.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


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
def short_errors(finished: list[Path]) -> Iterator[None]:
    """Failures that are no mistake of the program end in one line instead of a traceback."""
    from opendicke.ensemble.run import TrajectoryError
    from opendicke.ensemble.store import StoreError

    try:
        yield
    except KeyboardInterrupt:
        kept = f"Finished and kept: {', '.join(map(str, finished))}." if finished else "Nothing was finished."
        click.echo(f"\nInterrupted. {kept}", err=True)
        raise click.exceptions.Exit(130) from None
    except (OSError, MemoryError, TrajectoryError, StoreError) as problem:
        raise click.ClickException(f"{type(problem).__name__}: {problem}") from problem


def _read(path: Path) -> StudyFile:
    from opendicke.study_file import StudyFileError, load

    try:
        return load(path)
    except StudyFileError as problem:
        raise click.UsageError(str(problem)) from problem


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), default=Path("study.toml"))
def init(path: Path) -> None:
    """Write a commented example of a study file."""
    from opendicke.study_file import EXAMPLE

    if path.exists():
        raise click.UsageError(f"{path} exists already. Name another file.")
    path.write_text(EXAMPLE)
    click.echo(f"{path} written. Edit it, then: opendicke run {path}")


@click.command()
@STUDY
@THREADS
@DASK
@QUIET
@JSON
def run(study: Path, threads: int | None, dask: str | None, quiet: bool, as_json: bool) -> None:
    """Run a study file, or go on with it where it was interrupted, and write its result."""
    import opendicke as od
    from opendicke import files

    asked = _read(study)
    result = od.solve(
        asked.model,
        asked.state,
        asked.times,
        asked.method,
        asked.observables,
        executor=executor_for(threads, dask),
        progress=False if quiet or as_json else None,
        store=asked.store,
    )
    _report(result, files.save(result, asked.result), quiet, as_json)


@click.command()
@STUDY
@click.option("--partial", is_flag=True, help="Run nothing: write what is stored by now, with NaN where nothing is.")
@THREADS
@DASK
@QUIET
@JSON
def sweep(study: Path, partial: bool, threads: int | None, dask: str | None, quiet: bool, as_json: bool) -> None:
    """Run a study file at every point of its [sweep], or go on with it, and write the result."""
    import opendicke as od
    from opendicke import files

    asked = _read(study)
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
    _report(result, files.save(result, asked.result), quiet, as_json)


def _report(result: xr.Dataset, path: Path, quiet: bool, as_json: bool) -> None:
    counts = ("trajectories", "precision_reached", "largest_states", "largest_levels", "wall_time_s")
    told = {name: result.attrs[name] for name in counts if name in result.attrs}
    if as_json:
        click.echo(json.dumps({"result": str(path), **told}))
    elif not quiet:
        click.echo(f"{path}: " + ", ".join(f"{name} {value:.4g}" for name, value in told.items()))


@click.command("ls")
@STORE
@JSON
def list_studies(store: Path, as_json: bool) -> None:
    """List the studies of a store."""
    from opendicke.ensemble.store import Store

    rows = []
    for study in Store(store).studies():
        about = study.check()
        rows.append({"key": study.key, "method": about["method"], "trajectories": study.trajectories, **about["model"]})
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        model = " ".join(f"{name}={value:g}" for name, value in list(row.items())[3:])
        click.echo(f"{row['key']}  {row['method']:<16} {row['trajectories']:>8} trajectories  {model}")
    if not rows:
        click.echo(f"{store} holds no study.")


@click.command()
@STORE
@click.argument("key")
def show(store: Path, key: str) -> None:
    """Print what a study is (KEY: the first digits of its key are enough), as JSON."""
    from opendicke.ensemble.store import Store

    study = Store(store).find(key)
    about = study.check()
    chunks = {f"{first}-{first + count - 1}": study.file(range(first, first + count)).name
              for first, count in study.chunks().items()}  # fmt: skip
    click.echo(json.dumps({"key": study.key, "trajectories": study.trajectories, **about, "chunks": chunks}, indent=1))


@click.command()
@STORE
@click.argument("others", nargs=-1, required=True, type=click.Path(file_okay=False, exists=True, path_type=Path))
def merge(store: Path, others: tuple[Path, ...]) -> None:
    """Copy into STORE what OTHERS hold and it lacks."""
    from opendicke.ensemble.store import Store

    for other in others:
        click.echo(f"{other}: {Store(store).merge(Store(other))} chunks copied")


@click.command()
@STORE
@click.argument("key")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def export(store: Path, key: str, path: Path) -> None:
    """Average what a study holds and write it to PATH: NetCDF (.nc), or its time series as CSV (.csv)."""
    from opendicke import files
    from opendicke.stored import open_study

    if path.suffix not in (".nc", ".csv"):
        raise click.UsageError(f"{path}: expected a name that ends in .nc or .csv")
    result = open_study(store, key)
    if path.suffix == ".nc":
        files.save(result, path)
    else:
        names = [name for name, data in result.data_vars.items() if data.dims == ("time",)]
        result[names].to_dataframe().to_csv(path)
    click.echo(f"{path}: {result.attrs['trajectories']} trajectories")


@click.command()
@STUDY
@click.option("--method", "methods", multiple=True, required=True, help="A method's name; repeat it.")
@THREADS
@QUIET
def compare(study: Path, methods: tuple[str, ...], threads: int | None, quiet: bool) -> None:
    """Solve a study file's problem with its own method and others, and write them side by side."""
    from opendicke import files
    from opendicke.comparison import compare as solve_all
    from opendicke.study_file import METHODS

    asked = _read(study)
    chosen = {type(asked.method).__name__: asked.method}
    for name in methods:
        if name not in METHODS:
            raise click.BadParameter(f"expected one of {', '.join(METHODS)}, got {name!r}", param_hint="--method")
        sampled = "trajectories" in METHODS[name].__dataclass_fields__
        count = getattr(asked.method, "trajectories", 300)
        chosen[name] = METHODS[name](trajectories=count, seed=1) if sampled else METHODS[name]()
    executor, progress = executor_for(threads, None), False if quiet else None
    result = solve_all(
        asked.model, asked.state, asked.times, chosen, asked.observables, executor=executor, progress=progress
    )
    path = files.save(result, asked.result.with_name(f"{asked.result.stem}-compared.nc"))
    click.echo(f"{path}: {', '.join(chosen)}")


@click.command()
@click.option("--omega-a", type=float, default=1.0, show_default=True)
@click.option("--omega-c", type=float, default=1.0, show_default=True)
@click.option("--kappa", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option("--g-max", type=click.FloatRange(min=0, min_open=True), default=3.5, show_default=True)
@click.option("--points", type=click.IntRange(min=2), default=301, show_default=True)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default=Path("."), show_default=True)
def phases(omega_a: float, omega_c: float, kappa: float, g_max: float, points: int, output: Path) -> None:
    """Draw the mean-field phase diagram in the plane of the two couplings."""
    import numpy as np

    import opendicke as od
    from opendicke import files
    from opendicke.analysis import phases as theory
    from opendicke.plots import style
    from opendicke.plots.phases import diagram_figure

    model = od.DickeModel(n_atoms=1, omega_a=omega_a, omega_c=omega_c, kappa=kappa, g_minus=0.0, g_plus=0.0)
    couplings = np.linspace(0.0, g_max, points)
    diagram = theory.phase_diagram(model, couplings, couplings)
    drawing = diagram_figure(diagram, theory.boundaries(model, g_max=g_max))
    picture, document = style.save(drawing, output / "phases")
    click.echo(f"{picture}, {document}, {files.save(diagram, output / 'phases.nc')}")


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


@click.command()
@click.argument("number", type=click.Choice(["1", "2"]))
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("figures"),
    show_default=True,
    help="Folder for the picture and the datasets.",
)
@click.option("--trajectories", type=click.IntRange(min=16), help="For each number of atoms.  [default: 300; 500]")
@click.option("--n-atoms", type=click.IntRange(min=2), multiple=True, help="Repeat it.  [default: 100, 500, 1000]")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the random streams.")
@click.option("--store", type=click.Path(file_okay=False, path_type=Path), help="Keeps trajectories, to go on later.")
@THREADS
@QUIET
def figure(
    number: str,
    output: Path,
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

    atoms = tuple(dict.fromkeys(n_atoms))
    options = {"executor": executor_for(threads, None), "progress": False if quiet else None, "store": store}
    finished: list[Path] = []
    datasets: dict[str, xr.Dataset] = {}
    with short_errors(finished):
        usable(output)
        for part in _parts(number, atoms, trajectories, options | {"seed": seed}):
            finished += [files.save(dataset, output / f"figure{number}-{name}.nc") for name, dataset in part.items()]
            datasets |= part
        drawing, statements = _drawn_and_checked(number, atoms, datasets)
        finished += style.save(drawing, output / f"figure{number}")
    for statement in statements:
        if not (quiet and statement.holds):
            click.echo(f"  {statement}", err=quiet)
    if not quiet:
        click.echo("\n".join(map(str, finished)))
    if not all(statement.holds for statement in statements):
        raise click.exceptions.Exit(1)


def _parts(
    number: str, atoms: tuple[int, ...], trajectories: int | None, options: dict[str, Any]
) -> Iterator[dict[str, xr.Dataset]]:
    """The datasets of a figure, a panel or a curve at a time."""
    from opendicke.figures import figure1, figure2

    if number == "1":
        count = trajectories or figure1.TRAJECTORIES
        for panel in figure1.panels(atoms or figure1.N_ATOMS):
            yield figure1.solve_panel(panel, trajectories=count, **options)
    else:
        yield figure2.solve_cumulants()
        for n_atoms in atoms or figure2.N_ATOMS:
            yield figure2.solve_atoms(n_atoms, trajectories=trajectories or figure2.TRAJECTORIES, **options)


def _drawn_and_checked(
    number: str, atoms: tuple[int, ...], datasets: Mapping[str, xr.Dataset]
) -> tuple[Any, list[Statement]]:
    """What the paper says about Fig. 1 is about its own numbers of atoms: nothing is checked for others."""
    from opendicke.figures import figure1, figure2

    if number == "2":
        return figure2.plot(datasets), figure2.check(datasets)
    statements = figure1.check(datasets) if atoms in ((), figure1.N_ATOMS) else []
    return figure1.plot(datasets, drawn=figure1.panels(atoms or figure1.N_ATOMS)), statements


#: `resume` is `run`: a run always goes on from what is stored.
resume = click.Command("resume", callback=run.callback, params=run.params, help=run.help)

COMMANDS = (init, run, resume, sweep, list_studies, show, merge, export, compare, phases, figure, doctor)
