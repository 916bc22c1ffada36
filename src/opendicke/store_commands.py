"""The commands that work on stores: parse, call, write. No science."""

from __future__ import annotations

import json
from pathlib import Path

import click

from opendicke.commands import JSON

STORE = click.argument("store", type=click.Path(file_okay=False, exists=True, path_type=Path))


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
    if path.suffix == ".nc":
        files.save(result, path)
    else:
        names = [name for name, data in result.data_vars.items() if data.dims == ("time",)]
        result[names].to_dataframe().to_csv(path)
    click.echo(f"{path}: {result.attrs['trajectories']} trajectories")


COMMANDS = (list_studies, show, merge, export)
