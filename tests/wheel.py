"""The wheel in empty environments, one for each extra, and one for the tutorials: ``make test-dist``.

Each extra must be sufficient for what it is for, and refused with an instruction where it is missing. Needs an index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = """
import numpy as np, opendicke as od
from pathlib import Path
assert Path(od.__file__).is_relative_to(ENVIRONMENT), od.__file__
model = od.DickeModel.balanced(n_atoms=4, omega_a=1.0, omega_c=1.0, kappa=1.0, coupling=2.0)
problem = (model, od.SpinCoherent(1.0), np.linspace(0.0, 1.0, 5))
method = od.NuHOPS(trajectories=4, seed=1)
"""
#: What is run with the wheel alone, and with each extra.
PROBES = {
    "": """
answer = od.solve(*problem, method)
od.plot(answer, output="answer")
for extra, attempt in {
    "qutip": lambda: model.to_qutip(photons=3),
    "dask": lambda: od.solve(*problem, method, executor=od.Dask(workers=1)),
}.items():
    try:
        attempt()
    except ImportError as refusal:
        assert f"pip install 'opendicke[{extra}]'" in str(refusal), refusal
    else:
        raise AssertionError(f"{extra} is there without its extra")
""",
    "qutip": """
hamiltonian, jumps = model.to_qutip(photons=3)
assert hamiltonian.shape == (20, 20) and len(jumps) == 1
""",
    "dask": """
if __name__ == "__main__":
    spread = od.solve(*problem, method, executor=od.Dask(workers=1))
    assert spread.equals(od.solve(*problem, method, executor=od.Serial()))
""",
    "notebook": """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
shown = []
reply = client.execute_interactive(SETUP + "answer = od.solve(*problem, method)\\nod.plot(answer)", timeout=300,
    output_hook=lambda message: shown.append(message["content"].get("data", message["content"])))
manager.shutdown_kernel(now=True)
assert reply["content"]["status"] == "ok", reply["content"]
kinds = {kind for content in shown for kind in content}
assert {"application/vnd.jupyter.widget-view+json", "image/png"} <= kinds, kinds
""",
}


TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"


def environment(folder: Path, *wanted: str | Path) -> Path:
    """A new environment with these packages; its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
    return python


def run_tutorials(folder: Path, wheel: Path) -> None:
    """Each as a program of its own, away from the work tree; it prints what it took."""
    python = environment(folder, f"{wheel}[notebook,qutip,dask]")
    runner = shutil.copy(Path(__file__).with_name("tutorials.py"), folder)
    quiet = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"MPLBACKEND": "Agg"}
    for page in sorted(TUTORIALS.glob("*.md")):
        place = folder / page.stem
        place.mkdir()
        subprocess.run([python, runner, shutil.copy(page, place)], check=True, cwd=place, env=quiet)


def main() -> None:
    """Check the files in the folder that is named, and run what the wheel can do with each extra."""
    built = sorted(Path(sys.argv[1]).resolve().glob("opendicke-*"))
    (wheel,) = [path for path in built if path.suffix == ".whl"]
    with tempfile.TemporaryDirectory() as place:
        tools = environment(Path(place) / "tools", "twine")
        subprocess.run([tools, "-m", "twine", "check", "--strict", *built], check=True)
        for extra, probe in PROBES.items():
            began = time.monotonic()
            folder = Path(place) / (extra or "bare")
            python = environment(folder, f"{wheel}[{extra}]" if extra else wheel)
            setup = BARE.replace("ENVIRONMENT", repr(str(folder)))
            script = folder / "probe.py"
            script.write_text(f"{setup}SETUP = {setup!r}\n{probe}", encoding="utf-8")
            subprocess.run([python, script], check=True, cwd=folder)
            print(f"opendicke[{extra}]: sufficient, {time.monotonic() - began:.0f} s", flush=True)
        run_tutorials(Path(place) / "tutorials", wheel)


if __name__ == "__main__":
    main()
