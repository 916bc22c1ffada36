"""Studies opened again from what they say of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr

from opendicke.description import restore, restore_method
from opendicke.ensemble.executors import Serial
from opendicke.ensemble.store import Store, Stored, StoreError
from opendicke.model import DickeModel
from opendicke.solve import as_store, solve
from opendicke.states import SpinCoherent
from opendicke.study_file import METHODS


def open_study(store: Store | str | Path, key: str) -> xr.Dataset:
    """Average the trajectories that a store holds of one study; nothing is run (but damaged chunks are mended).

    Args:
        store: a folder, or a Store.
        key: the study's key, or its first digits.

    Returns:
        What :func:`opendicke.solve` returns for as many trajectories.

    Raises:
        StoreError: if there is no such study, or nothing in it.
    """
    place = as_store(store)
    study = place.find(key)
    about: dict[str, Any] = study.check()
    if not study.trajectories:
        raise StoreError(f"study {study.key}: no trajectory is stored yet")
    method = restore_method(METHODS[about["method"]], about["options"], study.trajectories)
    state, model = restore(SpinCoherent, about["state"]), restore(DickeModel, about["model"])
    # this very study, whatever it is called in this version
    reader = Stored(Serial(), study)
    return solve(model, state, about["times"], method, executor=reader, progress=False)
