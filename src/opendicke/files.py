"""Datasets in files: NetCDF, whole or not at all.

Complex variables are stored by netCDF4-python's convention for complex numbers: a compound type with the fields ``r``
and ``i``, which every reader of NetCDF-4 or HDF5 understands. Xarray reads them back as complex with
``xarray.open_dataset(path, auto_complex=True)``.
"""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import xarray as xr

from opendicke import checks


class DamagedFileError(OSError):
    """A file is there, but cannot be read."""


def save(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write ``dataset`` to the NetCDF file ``path``.

    The file is written beside its place and then moved there, so that at no time there is half a file under this name:
    after an interruption the old one, if any, is still there.

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
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.{uuid4().hex[:8]}.part")
    try:
        dataset.to_netcdf(unfinished, format="NETCDF4", engine="netcdf4", auto_complex=True)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


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


def _checked(path: str | Path) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise checks.refuse("path", "the path of a file", path, error=TypeError)
    path = Path(path)
    if path.suffix != ".nc":
        raise checks.refuse("path", "a path ending in .nc", str(path))
    return path
