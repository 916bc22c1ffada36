"""The commands that work on stores: parse, call, write. No science."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from opendicke.commands import JSON

STORE = click.argument("store", type=click.Path(file_okay=False, exists=True, path_type=Path))

#: Points of a signal that `ls` shows.
MOST_SHOWN = 4


@click.command("ls")
@STORE
@JSON
def list_studies(store: Path, as_json: bool) -> None:
    """List the studies of a store."""
    from opendicke.ensemble.store import Store

    rows, notes = [], []
    for study, about in Store(store).readable():
        found = {"key": study.key, "method": about["method"], "trajectories": study.trajectories}
        left_out = study.left_out()
        rows.append(found | {"left_out": left_out[1] if left_out else 0, **about["model"]})
        notes.append(study.note())
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row, note in zip(rows, notes, strict=True):
        model = _named(dict(list(row.items())[4:]))
        click.echo(f"{row['key']}  {row['method']:<16} {row['trajectories']:>8} trajectories  {model}")
        if note:
            click.echo(f"{'':16}  {note}")
    if not rows:
        click.echo(f"{store} holds no study.")


def _short(value: Any) -> str:
    """A parameter in a few characters."""
    if isinstance(value, dict):
        return _short_signal(value) if "kind" in value else f"({_named(value)})"
    if isinstance(value, list):
        if len(value) == 2 and all(isinstance(part, int | float) for part in value):  # real and imaginary part
            return f"{complex(*value):g}"
        if value and all(isinstance(row, list) for row in value):  # couplings, a row for each spin
            return f"[{', '.join('[' + ', '.join(map(_short, row)) + ']' for row in value)}]"
        return f"[{', '.join(map(_short, value))}]"
    return f"{value:g}" if isinstance(value, int | float) else f"{value}"


def _named(told: dict[str, Any]) -> str:
    """The fields of a spin or of a mode."""
    return " ".join(f"{name}={_short(value)}" for name, value in told.items())


def _short_signal(told: dict[str, Any]) -> str:
    """A signal as ``ramp(t=0,50: 0.5,1.5)`` or ``sine(1, 0.1, 2, 0)``; of many points the first and the last."""
    if "times" not in told:
        return f"{told['kind']}({', '.join(_short(value) for name, value in told.items() if name != 'kind')})"
    times, values = (",".join(map(_short, _ends(told[name]))) for name in ("times", "values"))
    return f"{told['kind']}(t={times}: {values})"


def _ends(values: list[Any]) -> list[Any]:
    return values if len(values) <= MOST_SHOWN else [values[0], "…", values[-1]]


@click.command()
@STORE
@click.argument("key")
def show(store: Path, key: str) -> None:
    """Print what a study is (KEY: the first digits of its key are enough), as JSON."""
    from opendicke.ensemble.store import Store

    study = Store(store).find(key)
    about = study.check()
    files: dict[str, str] = {}
    for chunk, file in study.files():
        files.setdefault(f"{chunk.start}-{chunk.stop - 1}", file.name)
    note = {"note": study.note()} if study.note() else {}
    told = {"key": study.key, "trajectories": study.trajectories, **note, **about, "chunks": files}
    click.echo(json.dumps(told, indent=1))


@click.command()
@click.argument("store", type=click.Path(file_okay=False, path_type=Path))
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
    files.save(result, path) if path.suffix == ".nc" else files.save_table(result, path)
    click.echo(f"{path}: {result.attrs['trajectories']} trajectories")


COMMANDS = (list_studies, show, merge, export)
