"""Studies opened again from what they say of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr

from opendicke.ensemble.executors import Serial
from opendicke.ensemble.store import Store, StoreError
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
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in about["options"].items()}
    method = METHODS[about["method"]](trajectories=study.trajectories, **options)
    state = SpinCoherent(**(about["state"] | {"alpha": complex(*about["state"]["alpha"])}))
    model = DickeModel(**about["model"])
    return solve(model, state, about["times"], method, executor=Serial(), progress=False, store=place)
