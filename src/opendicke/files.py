"""Files that are whole or not there, and Datasets in them: NetCDF, and tables of time series.

Complex variables are stored by netCDF4-python's convention for complex numbers: a compound type with the fields ``r``
and ``i``, which every reader of NetCDF-4 or HDF5 understands. Xarray reads them back as complex with
``xarray.open_dataset(path, auto_complex=True)``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
import xarray as xr

from opendicke import checks

#: End of the names of files that are being written.
UNFINISHED = ".part"


class DamagedFileError(OSError):
    """A file is there, but cannot be read."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place beside ``path`` to write a file to; at the end it is moved to ``path``, or removed if that broke off.

    At no time there is half a file under this name: after a failure the old one, if any, is still there.

    Args:
        path: of the file to be; missing folders are made.

    Raises:
        OSError: if the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem[:64]}.{uuid4().hex}{UNFINISHED}")
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def save(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write ``dataset`` to the NetCDF file ``path``.

    The file is whole or not there: after an interruption the old one, if any, still is.

    Args:
        dataset: what to write, e.g. an answer of :func:`opendicke.solve`.
        path: where, ending in ``.nc``; missing folders are made and an older file is replaced.

    Returns:
        ``path``.

    Raises:
        TypeError, ValueError: if ``dataset`` is no Dataset or holds something that NetCDF cannot.
        OSError: if the file cannot be written.
    """
    if not isinstance(dataset, xr.Dataset):
        raise checks.refuse("dataset", "an xarray.Dataset", dataset, error=TypeError)
    path = _checked(path)
    with replacing(path) as unfinished:
        dataset.to_netcdf(unfinished, format="NETCDF4", engine="netcdf4", auto_complex=True)
    return path


def save_table(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write the time series of ``dataset`` as comma-separated values.

    These are the variables with dimension ``time`` alone; those of a system have a column for each spin and mode, such
    as ``Sz[0]`` and ``Sx_a[0][1]``.

    Args:
        dataset: e.g. an answer of :func:`opendicke.solve`.
        path: where, ending in ``.csv``; missing folders are made and an older file is replaced, whole or not at all.

    Returns:
        ``path``.

    Raises:
        OSError: if the file cannot be written.
    """
    path = _checked(path, ".csv")
    columns = {}
    for name, data in dataset.data_vars.items():
        if data.dims[:1] == ("time",) and set(data.dims[1:]) <= {"spin", "mode"}:
            for place in np.ndindex(*data.shape[1:]):
                columns[f"{name}{''.join(f'[{at}]' for at in place)}"] = ("time", data.values[:, *place])
    with replacing(path) as unfinished:
        xr.Dataset(columns, {"time": dataset.time}).to_dataframe().to_csv(unfinished)
    return path


def opened(result: xr.Dataset | str | Path) -> xr.Dataset:
    """A result, or that of a file: what takes either.

    Args:
        result: a Dataset, or the path of a NetCDF file.

    Raises:
        TypeError: for anything else.
        OSError: for a file that is not there or cannot be read.
    """
    data = load(result) if isinstance(result, str | Path) else result
    checks.instance("result", data, xr.Dataset, "a Dataset that opendicke returned, or the path of one's file")
    return data


def load(path: str | Path) -> xr.Dataset:
    """Read a Dataset that :func:`save` wrote, into memory: the file may then be replaced.

    Args:
        path: the file.

    Returns:
        The same Dataset, numbers and attrs.

    Raises:
        FileNotFoundError: if there is no such file.
        DamagedFileError: if it cannot be read, e.g. because a copy broke off.
    """
    path = _checked(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"path: expected a NetCDF file, got {str(path)!r}, where there is none. Check the path."
        )
    try:
        # decode_times: times are numbers in units of one over the rates, whatever those are called
        with xr.open_dataset(path, engine="netcdf4", auto_complex=True, decode_times=False) as stored:
            return stored.load().drop_encoding()
    except (OSError, RuntimeError, ValueError) as problem:
        what = f"{str(path)!r}, which cannot be read ({problem})"
        hint = "It is damaged, or not NetCDF: compute it again, or copy it again from where it came."
        raise DamagedFileError(f"path: expected a NetCDF file written by opendicke, got {what}. {hint}") from problem


def _checked(path: str | Path, suffix: str = ".nc") -> Path:
    if not isinstance(path, str | os.PathLike):
        raise checks.refuse("path", "the path of a file", path, error=TypeError)
    path = Path(path)
    if path.suffix != suffix:
        raise checks.refuse("path", f"a path ending in {suffix}", str(path))
    return path
