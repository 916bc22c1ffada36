"""A sweep killed three times from the command line, resumed, and compared with the uninterrupted one; and its picture.

    python -m benchmarks.sweep_kill                     # writes docs/data/sweep.nc and docs/images/sweep.png

`opendicke sweep` runs 12 × 12 points of the unbalanced model at N = 100. It is sent SIGKILL (with all its threads) when
about a quarter, a half and three quarters of it are done; each time the same command goes on. The result is compared
bit for bit with that of a run in another folder that nobody disturbed, and drawn from the exported NetCDF file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from opendicke import DickeModel, files
from opendicke.analysis import phase_boundaries
from opendicke.ensemble.store import Store
from opendicke.plots import style

STUDY = """\
[model]
n_atoms = 100
omega_a = 1.0
omega_c = 1.0
kappa = 1.0
g_minus = 1.0        # both are swept below
g_plus = 1.0

[state]              # all atoms down, no photon: the normal state
theta = 3.141592653589793

[times]
values = [0.0, 5.0, 10.0]

[method]
name = "NuHOPS"
trajectories = 96    # at most
seed = 1
precision = { variable = "n_photon", absolute = 1.5, times = [10.0], minimum = 32 }

[output]
store = "runs"
result = "sweep.nc"
observables = ["Sz", "n_photon", "Sx2"]

[sweep]
g_minus = { start = 0.1, stop = 2.3, points = 12 }
g_plus = { start = 0.1, stop = 2.3, points = 12 }
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    """`opendicke sweep`, in a process group of its own."""
    command = [sys.executable, "-c", "from opendicke.cli import main; main()", "sweep", "sweep.toml", "--quiet"]
    return subprocess.Popen(command, cwd=folder, start_new_session=True)


def stored(folder: Path) -> dict[str, int]:
    """Every chunk on disk, and when it was written."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.glob("runs/*/*.npz")}


def begun(folder: Path) -> int:
    """Points of which something is stored."""
    return len({path.parent for path in folder.glob("runs/*/*.npz")})


def disturbed(folder: Path) -> float:
    """Kill the sweep at three moments, resume it to its end; return the seconds that it worked."""
    seconds = 0.0
    for share in (0.25, 0.5, 0.75):
        before, began, process = stored(folder), time.monotonic(), start(folder)
        while begun(folder) < share * 144:
            if process.poll() is not None:
                raise SystemExit("the sweep ended before it could be killed")
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        seconds += time.monotonic() - began
        check_untouched(before, stored(folder))
        count = sum(study.trajectories for study in Store(folder / "runs").studies())
        print(f"killed with {begun(folder)} of 144 points begun and {count} trajectories stored", flush=True)
    before, began = stored(folder), time.monotonic()
    if start(folder).wait() != 0:
        raise SystemExit("the resumed sweep failed")
    check_untouched(before, stored(folder))
    return seconds + time.monotonic() - began


def check_untouched(before: dict[str, int], after: dict[str, int]) -> None:
    """Complete chunks must not be written again."""
    again = [name for name, when in before.items() if after.get(name) != when]
    if again:
        raise SystemExit(f"written again: {again}")


def draw(result: xr.Dataset, place: Path) -> None:
    """Photons, the share of the largest spin, and trajectories per point, over the mean-field boundaries."""
    model = DickeModel(n_atoms=1, omega_a=1.0, omega_c=1.0, kappa=1.0, g_minus=0.0, g_plus=0.0)
    lines = phase_boundaries(model, g_max=2.4)
    last = result.isel(time=-1)
    panels = (
        (last.n_photon / 100, r"$\langle a^\dagger a\rangle/N$", "viridis"),
        (last.Sz / 50, r"$\langle S^z\rangle/j$", "viridis"),
        (result.trajectories, "trajectories", "Greys"),
    )
    with style.paper():
        figure = Figure(figsize=(style.PAGE, 2.5), layout="constrained")
        for ax, (data, title, colours) in zip(figure.subplots(1, 3, sharey=True), panels, strict=True):
            mesh = ax.pcolormesh(
                result.g_minus, result.g_plus, data.T, cmap=colours, shading="nearest", rasterized=True
            )
            for line in lines:
                ax.plot(line.g_minus, line.g_plus, color="#D55E00", linewidth=1.0)
            ax.set(title=title, xlabel=r"$g_-/\omega_a$", xlim=(0, 2.4), ylim=(0, 2.4), aspect="equal")
            figure.colorbar(mesh, ax=ax, shrink=0.8)
        figure.axes[0].set_ylabel(r"$g_+/\omega_a$")
        place.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(place, dpi=200)


def main() -> None:
    """Run, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, default=Path("docs/images/sweep.png"))
    parser.add_argument("--data", type=Path, default=Path("docs/data/sweep.nc"))
    parser.add_argument("--draw", action="store_true", help="only draw the data that are there")
    options = parser.parse_args()
    if not options.draw:
        options.data.parent.mkdir(parents=True, exist_ok=True)
        run(options.data)
    draw(files.load(options.data), options.picture)
    print(f"{options.picture} written")


def run(place: Path) -> None:
    """Run both, compare, and copy the exported file to ``place``."""
    with tempfile.TemporaryDirectory() as scratch:
        killed, quiet = Path(scratch) / "killed", Path(scratch) / "quiet"
        for folder in (killed, quiet):
            folder.mkdir()
            (folder / "sweep.toml").write_text(STUDY)
        began = time.monotonic()
        if start(quiet).wait() != 0:
            raise SystemExit("the undisturbed sweep failed")
        alone = time.monotonic() - began
        took = disturbed(killed)
        result, expected = files.load(killed / "sweep.nc"), files.load(quiet / "sweep.nc")
        xr.testing.assert_identical(
            result.drop_vars("wall_time_s").drop_attrs(), expected.drop_vars("wall_time_s").drop_attrs()
        )
        counts = result.trajectories.values
        spread = f"{counts.min():g} to {counts.max():g} each"
        print(f"identical: {counts.size} points, {int(counts.sum())} trajectories, {spread}")
        print(f"undisturbed {alone:.0f} s, killed three times {took:.0f} s, four start-ups included")
        shutil.copyfile(killed / "sweep.nc", place)


if __name__ == "__main__":
    main()
