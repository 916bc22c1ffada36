"""Run the benchmarks named on the command line, or all of them, and print their tables."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
from pathlib import Path

NAMES = (
    "kernels", "trajectories", "convergence", "reliability", "startup", "mcsolve", "spin_states", "negativity",
    "squeezing", "coverage", "control", "classical_steps", "scaling",
)  # fmt: skip


def processor() -> str:
    """The processor's model and the widest vector instructions that it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    about = dict(reversed([tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line]))
    flags = about.get("flags", "").split()
    vectors = [name for name in ("avx512f", "avx2", "fma", "asimd") if name in flags]
    return f"{about.get('model name', platform.machine())} ({', '.join(vectors)})"


def main() -> None:
    """Parse the command line and run."""
    # One thread: what is compared on one core must stay there. Before numpy is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of: {', '.join(NAMES)} (default: all)")
    names = parser.parse_args().names or NAMES
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"
    print(f"{processor()}, {os.cpu_count()} cores, {load}")
    for name in names:
        print(f"\n## {name}\n", flush=True)
        importlib.import_module(f"benchmarks.{name}").run()


if __name__ == "__main__":
    main()
