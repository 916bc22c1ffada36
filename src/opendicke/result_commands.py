"""The commands that show what a result holds: parse, call, write. No science."""

from __future__ import annotations

from pathlib import Path

import click

from opendicke.commands import QUIET, refused, short_errors

RESULT = click.argument("result", type=click.Path(dir_okay=False, exists=True, path_type=Path))


@click.command(short_help="Draw a result: a picture that fits what it holds.")
@RESULT
@click.option("--variables", multiple=True, help="Names of variables, or 'bloch'; with commas between, or repeat it.")
@click.option("--at", multiple=True, metavar="NAME=VALUE", help="A time or a parameter, the nearest; repeat it.")
@click.option(
    "--output", multiple=True, type=click.Path(path_type=Path),
    help="Name of the picture, .png, .pdf or .svg; without an ending PNG and PDF; repeat it.  "
    "[default: RESULT's name, and what is chosen]",
)  # fmt: skip
@QUIET
def plot(result: Path, variables: tuple[str, ...], at: tuple[str, ...], output: tuple[Path, ...], quiet: bool) -> None:
    """Draw RESULT, a file that run, sweep, compare or phases wrote, or opendicke.files.save."""
    from opendicke.plots import result as picture
    from opendicke.plots import style

    names = [name.strip() for one in variables for name in one.split(",")]
    with short_errors([]), refused(_told):
        chosen = dict(map(_pair, at))
        figure = picture.plot(result, names or None, at=chosen)
        if output:
            written = [path for name in output for path in style.write(figure, name)]
        else:  # not write: what stands behind a point in the name is no ending
            parts = (result.stem, *names, *(f"{name}={value:.12g}" for name, value in chosen.items()))
            written = [*style.save(figure, result.with_name("-".join(parts)))]
    if not quiet:
        click.echo(", ".join(map(str, written)))


def _told(argument: str) -> str:
    """The option of an argument's name, or else RESULT."""
    option = argument.partition("[")[0]
    return f"--{option}" if option in ("variables", "at", "output") else "RESULT"


def _pair(text: str) -> tuple[str, float]:
    """The name and the number of NAME=VALUE."""
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise click.BadParameter(f"expected NAME=VALUE with a number, got {text!r}", param_hint="--at") from None


COMMANDS = (plot,)
