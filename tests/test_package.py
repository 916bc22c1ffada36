"""The package as a whole: its version, and what it shows of itself."""

import subprocess
import sys
from importlib import metadata

import pytest

import opendicke as od
from opendicke.version import UNKNOWN, version


def test_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert od.__version__ == metadata.version("opendicke")

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert od.__version__ == version() == UNKNOWN
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        od.nothing  # noqa: B018


ELSEWHERE = (
    "steady_state", "squeezing", "negativity", "husimi", "mixedness", "instanton", "BISTABLE_CUT", "fixed_points",
    "phase_boundaries", "open_study", "save", "load", "tunnelling", "plots",
)  # fmt: skip


def test_what_is_elsewhere_is_pointed_to() -> None:
    """The answers can be run as they are, in a fresh process."""
    code = (
        "import opendicke as od\n"
        "hints = {}\n"
        f"for name in {ELSEWHERE}:\n"
        "    try: getattr(od, name)\n"
        "    except AttributeError as error: hints[name] = str(error).split('Did you mean: ')[1]\n"
        f"assert set(hints) == set({ELSEWHERE})\n"
        "for name, hint in hints.items():\n"
        "    found = {}\n"
        "    exec(hint, found)\n"
        "    assert found[name] is not None, name"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_what_is_nowhere_is_not_pointed_to() -> None:
    for name in ("nothing", "a|b", "_cos_sin", "__wrapped__", "check_duration"):
        with pytest.raises(AttributeError, match=r"has no attribute '.*'\.$"):
            getattr(od, name)
    with pytest.raises(AttributeError, match=r"\. Did you mean: from opendicke\.analysis import phase$"):
        od.phase  # noqa: B018


def test_only_public_names_show() -> None:
    shown = {name for name in dir(od) if not name.startswith("_")}
    assert shown == set(od.__all__)
    assert "__version__" in dir(od)
    assert {name for name in dir(od.cavities) if not name.startswith("_")} == {"Cat", "Fock", "Squeezed", "Thermal"}
    for name in od.__all__:
        getattr(od, name)


def test_what_is_slow_to_import_is_imported_late() -> None:
    late = ("matplotlib", "dask", "distributed", "netCDF4", "scipy.special", "scipy.integrate", "scipy.sparse", "zarr",
            "tqdm", "concurrent.futures.process")  # fmt: skip
    script = f"import opendicke, sys; print(*(name for name in {late} if name in sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_the_first_trajectory_imports_no_more_than_it_needs() -> None:
    """What numba and xarray import by themselves is left to them: scipy.linalg (SciPy 1.13: scipy.sparse too), dask."""
    late = ("matplotlib", "distributed", "netCDF4", "scipy.stats", "scipy.optimize", "scipy.integrate",
            "tqdm", "concurrent.futures.process")  # fmt: skip
    script = f"""
import sys
sys.modules["dask"] = None  # as if it were not installed: its arrays import much of scipy
import opendicke as od
model = od.DickeModel.balanced(n_atoms=3, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=1.0)
od.solve(model, od.SpinCoherent(1.0), [0.0, 0.1], od.NuHOPS(1), progress=False)
print(*(name for name in {late} if name in sys.modules))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
