"""The command line: parse, call, write. No science."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from opendicke.commands import COMMANDS, short_errors, usable

if TYPE_CHECKING:
    import xarray as xr


class _ShortErrors(click.Group):
    """A group whose commands end in one line when something outside of the program went wrong."""

    def invoke(self, context: click.Context) -> object:
        """Run the command."""
        with short_errors([]):
            return super().invoke(context)


@click.group(cls=_ShortErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="opendicke")
def main() -> None:
    """Open Dicke models, numerically exact from one atom to a million.

    Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted (what is finished is kept).
    """


@main.command()
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder for the picture and the datasets.",
)
@click.option("--trajectories", type=click.IntRange(min=2), help="Trajectories in each panel.  [default: 300]")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the random streams.")
@click.option("--threads", type=click.IntRange(min=1), help="Number of threads.  [default: all cores]")
@click.option("--quiet", is_flag=True, help="Print only what went wrong.")
def demo(output: Path, trajectories: int | None, seed: int, threads: int | None, quiet: bool) -> None:
    """Compute Fig. 1 of Müller and Strunz: spin dynamics, exact and in mean field."""
    finished: list[Path] = []
    with short_errors(finished):
        usable(output)
        if not _demo(output, trajectories, seed, threads, quiet, finished):
            raise click.exceptions.Exit(1)


def _demo(
    output: Path, trajectories: int | None, seed: int, threads: int | None, quiet: bool, finished: list[Path]
) -> bool:
    """Run, write and check; ``finished`` fills with the files as they are written. Whether every statement holds."""
    from opendicke import files
    from opendicke.ensemble.executors import Threads
    from opendicke.figures import figure1
    from opendicke.plots import style

    def say(text: str) -> None:
        if not quiet:
            click.echo(text)

    count = trajectories or figure1.TRAJECTORIES
    began = time.perf_counter()
    say("The first run after an installation compiles for some 20 s before the first trajectory is done.")
    datasets: dict[str, xr.Dataset] = {}
    for panel in figure1.PANELS:
        say(f"({panel.name}) {panel.text}: {count} trajectories")
        solved = figure1.solve_panel(
            panel, trajectories=count, seed=seed, executor=Threads(threads), progress=False if quiet else None
        )
        finished += [files.save(dataset, output / f"figure1-{name}.nc") for name, dataset in solved.items()]
        datasets |= solved
    picture, document = style.save(figure1.plot(datasets), output / "figure1")
    say("\nWhat the paper states, held against these numbers (± one standard error):")
    statements = figure1.check(datasets)
    for statement in statements:
        if not (quiet and statement.holds):
            click.echo(f"  {statement}", err=quiet)
    say(f"\nPicture:  {picture}, {document}\nDatasets: {output}/figure1-*.nc, to read with opendicke.files.load")
    say(f"Wall time: {time.perf_counter() - began:.0f} s")
    say(f"Smaller errors: opendicke demo --trajectories {10 * count}")
    return all(statement.holds for statement in statements)


for command in COMMANDS:
    main.add_command(command)
