"""Studies opened again from what they say of themselves."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import xarray as xr

from opendicke import checks
from opendicke.description import limits, restore, restore_method, with_limits
from opendicke.ensemble.executors import Serial
from opendicke.ensemble.store import Store, Stored, StoreError
from opendicke.methods.registry import METHODS
from opendicke.model import restore_model
from opendicke.observables.catalogue import VARIABLES
from opendicke.solve import as_store, solve
from opendicke.states import restore_state
from opendicke.words import Word

log = logging.getLogger("opendicke.store")


def open_study(store: Store | str | Path, key: str) -> xr.Dataset:
    """Average the trajectories that a store holds of one study; nothing is run (but damaged chunks are mended).

    They are mended under the largest limits (``max_memory``) that the study was run with.

    Args:
        store: a folder, or a Store.
        key: the study's key, or its first digits.

    Returns:
        What :func:`opendicke.solve` returns for as many trajectories: those before the first that is missing. A warning
        in the log says so if later ones are stored.

    Raises:
        StoreError: if there is no such study, nothing in it, or something that this version does not know; if a chunk
            cannot be read.
    """
    study = as_store(store).find(key)
    about: dict[str, Any] = study.check()
    if not study.trajectories:
        raise StoreError(f"study {study.key}: {study.note() or 'no trajectory is stored yet'}")
    if study.note():
        log.warning("study %s: %s", study.path, study.note())
    if about["method"] not in METHODS:
        raise StoreError(f"study {study.key}: its method is {about['method']!r:.80}, and none of {', '.join(METHODS)}")
    try:
        method = restore_method(METHODS[about["method"]], about["options"], study.trajectories)
        method = with_limits(method, study.limits())
        state, model = restore_state(about["state"]), restore_model(about["model"])
        words = [restore(Word, told) for told in about.get("words", [])]
        times = checks.time_grid(about["times"])
    except (TypeError, ValueError) as problem:
        raise StoreError(f"study {study.key}: this version cannot tell what it is ({problem})") from problem
    # this very study, whatever this version would call it
    mending = Stored(Serial(), study, limits(method), retry=False)
    return solve(model, state, times, method, [*VARIABLES, *words], executor=mending, progress=False)
