"""The short scripts of the gallery: each runs, at a tiny size, draws finite numbers, and is as short as promised."""

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "gallery"
SCRIPTS = sorted(FOLDER.glob("*.py"))
#: A size at which each takes about a second.
TINY: dict[str, dict[str, Any]] = {
    "compare_methods": {"n_atoms": 4, "trajectories": 8, "points": 4},
    "control": {"n_atoms": 300, "trajectories": 16, "points": 4},
    "entanglement": {"atoms": (2,), "trajectories": 16, "points": 3},
    "far_detuned": {"n_atoms": 20, "trajectories": 2, "points": 4},
    "husimi": {"n_atoms": 4, "trajectories": 4, "times": (0.0, 0.5, 1.0)},
    "levels": {"n_atoms": 6, "levels": 40, "couplings": (0.5, 1.0)},
    "squeezed_light": {"n_atoms": 4, "trajectories": 8, "points": 4},
    "squeezing": {"atoms": (4,), "trajectories": 16, "points": 3},
    "steady_states": {"atoms": (2,), "points": 2},
    "sweep": {"n_atoms": 4, "trajectories": 4, "points": 2},
    "two_clumps": {"n_atoms": 4, "trajectories": 8, "points": 4},
}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_draws_what_it_computes(script: Path) -> None:
    picture = runpy.run_path(str(script))["figure"](**TINY[script.stem])
    drawn = [line.get_ydata() for axes in picture.axes for line in axes.lines]
    drawn += [part.get_array() for axes in picture.axes for part in (*axes.collections, *axes.images)]
    numbers = [np.ravel(np.asarray(values, dtype=float)) for values in drawn if values is not None and len(values)]
    assert numbers
    assert all(np.isfinite(values).any() for values in numbers)
    assert all(axes.get_xlabel() or not axes.axison or len(picture.axes) > 1 for axes in picture.axes)


def test_scripts_are_short_and_shown() -> None:
    page = (FOLDER.parent / "gallery.md").read_text(encoding="utf-8")
    assert {script.stem for script in SCRIPTS} == set(TINY)
    for script in SCRIPTS:
        assert len(script.read_text(encoding="utf-8").splitlines()) <= 40
        assert script.with_suffix(".png").is_file()
        assert re.search(rf"\[!\[[^\]]+\]\(gallery/{script.stem}\.png\)\]\(gallery/{script.stem}\.py\)", page)
