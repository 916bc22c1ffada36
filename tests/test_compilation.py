"""What runs is the same machine code, whoever compiled it, when, and beside what."""

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import opendicke as od
from opendicke import engine

MODEL = od.DickeModel(n_atoms=30, omega_a=1.0, omega_c=2.5, kappa=0.5, g_minus=1.1, g_plus=1.1)
TIMES = np.linspace(0.0, 4.0, 5)

#: A process that has compiled complex arithmetic of its own, with floating-point flags of its own, and then the engine
#: for a model of another kind, runs on an empty cache: in other processes, which load what this one compiles for them,
#: and here, with what it compiled.
SCRIPT = """
import numba, numpy, sys

@numba.njit(fastmath=True)
def mine(z, h, n):
    return numpy.exp(z) * z / (h * z) + h**n

if __name__ == "__main__":
    mine(1 + 1j, 2.0, 3)
    import test_compilation
    test_compilation.numbers(test_compilation.od.Serial(), test_compilation.MODEL.replace(g_plus=0.3))
    for executor in (test_compilation.od.Processes(2), test_compilation.od.Serial()):
        print(*test_compilation.numbers(executor))
    print(*test_compilation.left_out_of_line())
"""


def numbers(executor: Any, model: od.DickeModel = MODEL) -> list[str]:
    """All that twelve trajectories give, bit by bit."""
    run = od.solve(model, od.SpinCoherent(np.pi / 4), TIMES, od.NuHOPS(12, seed=1), executor=executor, progress=False)
    return [value.hex() for name in od.VARIABLES for value in np.ravel(run[name].values).view(np.float64).tolist()]


def left_out_of_line() -> list[str]:
    """Functions that the code of a trajectory, compiled in this process, calls by name, but for memory's."""
    from opendicke.engine.trajectory import _propagate

    overloads = _propagate.overloads.values()  # type: ignore[attr-defined]
    names = [function.name for compiled in overloads for function in compiled.library.get_defined_functions()]
    return [name for name in names if not name.startswith("NRT_") and "_propagate" not in name]


@pytest.mark.slow
def test_numbers_on_an_empty_cache(tmp_path: Path) -> None:
    """Compiled just now, by others, or long ago: the same to the last bit, and closed in itself, which is why."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), environment.get("PYTHONPATH", "")])
    run = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True)
    processes, serial, names = run.stdout.split("\n")[:3]
    here = numbers(od.Serial())
    assert serial.split() == here
    assert processes.split() == here
    assert names == ""
    assert len(list((tmp_path / "cache").rglob("*.nbc"))) == 3  # noise, and trajectories of either kind, once


def test_nothing_is_kept() -> None:
    """Where numba may write nowhere, the package can be imported and says so in its log only."""
    script = "import numba.core.caching as c; c.CacheImpl._locator_classes = []\n"
    script += "from opendicke.engine import mean_flow as m; import numpy as np; y = np.zeros(5)\n"
    script += "m.velocity(np.ones(5), np.ones(5), y); print(*y)"
    run = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["-3.0", "-1.0", "4.0", "-1.0", "-3.0"]
    assert run.stderr == ""


def test_compiled_functions_call_inlined_ones_only() -> None:
    """A compiled function that another calls would be linked by name: then which copy runs depends on the process."""
    for module in pkgutil.iter_modules(engine.__path__, "opendicke.engine."):
        importlib.import_module(module.name)
    importlib.import_module("opendicke.tunnelling.pushed_flow")
    places = [vars(module) for name, module in list(sys.modules.items()) if name.startswith("opendicke.")]
    ours = {id(thing): thing for place in places for thing in place.values() if isinstance(thing, Dispatcher)}
    entries = {key for key, thing in ours.items() if not thing.targetoptions.get("forceinline")}
    assert len(ours) > 40
    assert len(entries) > 8
    for dispatcher in ours.values():
        code, place = dispatcher.py_func.__code__, dispatcher.py_func.__globals__
        assert [name for name in code.co_names if id(place.get(name)) in entries] == [], dispatcher
