"""The command line: parse, call, write. No science."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import warnings
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from opendicke import commands, result_commands, store_commands
from opendicke.commands import SEED, output_option, short_errors, tell, usable
from opendicke.progress import LogBesideBar

if TYPE_CHECKING:
    import xarray as xr


#: Signals that end the program in good order: Ctrl-C, and what batch systems send before they kill.
STOPPING = (signal.SIGINT, signal.SIGTERM)


class _Stopped(KeyboardInterrupt):
    """A signal asked the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.signal = number


def _stop_soon(number: int, frame: FrameType | None) -> None:
    """On the first signal: let what is finished be written, and end."""
    for kind in STOPPING:
        signal.signal(kind, _stop_now)
    os.write(2, b"\nStopping after what is being written; once more ends at once.\n")
    raise _Stopped(number)


def _stop_now(number: int, frame: FrameType | None) -> None:
    """On the second one: a chunk is on disk or not, so there is nothing to lose but what is in memory."""
    os._exit(128 + number)


class _Group(click.Group):
    """Commands end in one line when something outside of the program went wrong, and on a signal in good order."""

    def invoke(self, context: click.Context) -> object:
        """Run the command."""
        before = {}
        if threading.current_thread() is threading.main_thread():
            before = {kind: signal.signal(kind, _stop_soon) for kind in STOPPING}
        try:
            with short_errors([]):
                return super().invoke(context)
        finally:
            for kind, handler in before.items():
                if signal.getsignal(kind) is _stop_soon:  # after a signal, the next one is to end the process
                    signal.signal(kind, handler)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="opendicke")
@click.option("-v", "--verbose", count=True, help="Log to standard error what is read and run; -vv: every chunk.")
def main(verbose: int) -> None:
    """Open Dicke models, numerically exact from one atom to a million.

    Exit codes: 0 done, 1 failed (or a checked statement does not hold), 2 bad input, 130 interrupted by Ctrl-C, 143
    ended by SIGTERM (what is finished is kept in both).
    """
    levels = (logging.WARNING, logging.INFO, logging.DEBUG)
    log = logging.getLogger("opendicke")
    log.setLevel(levels[min(verbose, 2)])
    if not any(isinstance(handler, LogBesideBar) for handler in log.handlers):
        log.addHandler(LogBesideBar())
    warnings.showwarning = _tell_warning


def _tell_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as a user wants it: without the line of the program that gave it."""
    logging.getLogger("opendicke").warning("Warning: %s", message)


@main.command(short_help="Compute a first figure: spin dynamics, exact and in mean field.")
@output_option("demo")
@click.option("--trajectories", type=click.IntRange(min=2), help="Trajectories in each panel.  [default: 300]")
@SEED
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
    all_hold = tell(figure1.check(datasets), quiet)
    say(f"\nPicture:  {picture}, {document}\nDatasets: {output}/figure1-*.nc, to read with opendicke.files.load")
    say(f"Wall time: {time.perf_counter() - began:.0f} s")
    say(f"Smaller errors: opendicke demo --trajectories {10 * count}")
    return all_hold


for command in (*commands.COMMANDS, *result_commands.COMMANDS, *store_commands.COMMANDS):
    main.add_command(command)
