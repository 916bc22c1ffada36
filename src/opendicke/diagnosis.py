"""What this installation is, and how fast: for `opendicke doctor` and for bug reports."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from opendicke.engine import compile as compilation
from opendicke.engine.peak import multiply_add, peak_rate
from opendicke.ensemble.executors import available_cores
from opendicke.version import version

PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "xarray", "dask", "netCDF4", "matplotlib")


def diagnose() -> dict[str, Any]:
    """Versions, cores, measured peak rate, kernels, compiled code on disk and GPU, as plain data.

    >>> sorted(diagnose())[:3]
    ['compiled functions on disk', 'cores', 'gpu']
    """
    return {
        "versions": {"opendicke": version()}
        | {name: metadata.version(name) for name in PACKAGES if importlib.util.find_spec(name)},
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": available_cores(),
        "peak, Gflop/s per core (double)": round(peak_rate() / 1e9, 1),
        "kernels": "plain loops" if compilation.PORTABLE else "SIMD",
        "compiled functions on disk": _cached(),
        "gpu": _gpu(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _cached() -> int:
    """Compiled functions of this version of the engine that the next start need not compile."""
    folder = compilation.folder_of(multiply_add)
    return sum(1 for _ in folder.glob(f"*{compilation.FINGERPRINT}*.nbc")) if folder else 0


def _gpu() -> str:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "none found (none is needed)"
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    return f"{answer.stdout.strip()} (not used)" if answer.returncode == 0 else "none that answers (none is needed)"
