"""The demonstration and all tests in many environments: ``make test-matrix``, ``make test-matrix ONLY=haswell,py312``.

Each environment is a copy of the work tree in ``.matrix/`` with a ``.venv`` of its own, made as the Makefile makes it;
the work tree's ``.venv`` stays as it is. Every entry starts without compiled code. Logs and results stay in
``.matrix/``; the table holds all results of the commit at hand, also those of earlier runs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".matrix"
OLDEST = "3.11"
#: What the lowest versions need in turn is the newest of this day: later ones bring warnings unknown then (Pillow 11.3
#: and pyparsing 3.3 under matplotlib 3.9). To be moved when a bound in ``pyproject.toml`` is raised past it.
DAY = "2025-06-15"
#: Settings of whoever starts the matrix that would change what an entry means.
FOREIGN = re.compile(r"PYTHON.*|VIRTUAL_ENV|MAKE.*|MFLAGS|GNUMAKEFLAGS|OPENDICKE_.*|NUMBA_.*|.*_NUM_THREADS|PYTEST_.*")


@dataclass(frozen=True)
class Entry:
    """An environment: an interpreter, the versions of the packages, variables, what stands before the command."""

    about: str
    python: str = OLDEST
    versions: str = "pinned"
    variables: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where its packages and its copy of the work tree are; entries that differ in variables alone share it."""
        return PLACE / f"python{self.python}-{self.versions}"


def processor(blas: str, code: str) -> Entry:
    """The pinned packages as another processor would run them: OpenBLAS's kernels and numba's machine code."""
    variables = {"OPENBLAS_CORETYPE": blas, "NUMBA_CPU_NAME": code, "NUMBA_CPU_FEATURES": ""}
    return Entry(f"OpenBLAS for {blas}, compiled code for {code}", variables=variables)


def threads(number: int) -> dict[str, str]:
    """So many threads inside BLAS; the tests take one where nothing is said."""
    return {name: str(number) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


ENTRIES = {
    "pinned": Entry("as `make test`"),
    "haswell": processor("Haswell", "haswell"),
    "zen": processor("Zen", "znver1"),
    "skylakex": processor("SkylakeX", "skylake-avx512"),
    "nehalem": processor("Nehalem", "nehalem"),
    "portable": Entry("plain loops instead of vector kernels", variables={"OPENDICKE_KERNELS": "portable"}),
    "threads4": Entry("four BLAS threads", variables=threads(4)),
    "core1": Entry("one core, so one thread and one process by default", before=("taskset", "--cpu-list", "0")),
    "cache": Entry("compiled code kept in `NUMBA_CACHE_DIR`", variables={"NUMBA_CACHE_DIR": str(PLACE / "cache")}),
    "py312": Entry("Python 3.12", python="3.12"),
    "py313": Entry("Python 3.13", python="3.13"),
    "py314": Entry("Python 3.14", python="3.14"),
    "lowest": Entry("lowest versions that `pyproject.toml` allows", versions="lowest"),
    "newest": Entry("newest versions, Python 3.13", python="3.13", versions="newest"),
}

#: Run inside an environment: what the tests really compute with.
PROBE = """
import platform, sys
sys.path.insert(0, "tests")
import conftest
from importlib.metadata import version
import numpy, scipy.linalg
from threadpoolctl import threadpool_info
scipy.linalg.eigh(numpy.eye(64) @ numpy.eye(64))
pools = {f"{pool.get('architecture', pool['internal_api'])} on {pool['num_threads']}" for pool in threadpool_info()}
names = ("numpy", "scipy", "numba", "xarray")
print(", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)]))
print(", ".join(sorted(pools)))
"""


class Impossible(Exception):
    """An entry that cannot run here, with the reason."""


def surroundings(entry: Entry) -> dict[str, str]:
    """The variables under which everything of an entry runs."""
    return {name: text for name, text in os.environ.items() if not FOREIGN.fullmatch(name)} | entry.variables


def interpreter(version: str) -> str:
    """A Python of this version: this one, one on the path, or one of pyenv."""
    kept = sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python"))
    asks = "import os, sys; print(*sys.version_info[:2], sep='.'); print(os.path.realpath(sys.executable))"
    for candidate in (sys.executable, shutil.which(f"python{version}"), *map(str, kept)):
        if candidate:
            found = subprocess.run([candidate, "-c", asks], capture_output=True, text=True)
            if found.stdout.startswith(f"{version}\n"):  # pyenv's stand-ins exist for versions that do not run
                return found.stdout.splitlines()[1]  # without links: an environment made from one finds no library
    raise Impossible(f"no Python {version} on the path or in ~/.pyenv")


def run(command: Iterable[str | Path], log: Path, entry: Entry, check: bool = True) -> int:
    """Run in an entry's folder, with all output in its log; Impossible if it fails and may not."""
    words = [str(word) for word in command]
    with log.open("a") as out:
        out.write(f"$ {' '.join(words)}\n")
        out.flush()
        done = subprocess.run(
            words, cwd=entry.folder, env=surroundings(entry), stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    if check and done.returncode:
        raise Impossible(f"`{Path(words[0]).name} {words[1]} …` failed: {log}")
    return done.returncode


def copy(folder: Path) -> None:
    """The work tree as it is, without what git ignores; a ``.venv`` already there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.name != ".venv":
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def resolve(entry: Entry, log: Path) -> None:
    """Other versions in ``constraints.txt``: of the library's own dependencies first, then of the tests' tools."""
    uv = PLACE / "tools" / "bin" / "uv"
    if not uv.exists():
        run([sys.executable, "-m", "venv", "--clear", PLACE / "tools"], log, entry)
        run([PLACE / "tools" / "bin" / "python", "-m", "pip", "install", "--quiet", "uv"], log, entry)
    common: list[str | Path] = [
        uv,
        "pip",
        "compile",
        "pyproject.toml",
        "--python-version",
        entry.python,
        "--no-build",
        "--no-config",
        "--extra",
        "dask",
    ]
    common += ["--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header", "--quiet"]
    tools = ["--extra", "dev", "--extra", "qutip", "--generate-hashes", "--output-file", "found.txt"]
    if entry.versions == "lowest":
        common += ["--exclude-newer", DAY]
        run([*common, "--resolution", "lowest-direct", "--output-file", "direct.txt"], log, entry)
        tools += ["--constraints", "direct.txt"]
    run([*common, *tools], log, entry)
    found, kept = (entry.folder / "found.txt").read_text(), entry.folder.with_suffix(".txt")
    if not kept.exists() or kept.read_text() != found:
        kept.write_text(found)  # only then: an older file leaves the packages as they are
    shutil.copy2(kept, entry.folder / "constraints.txt")


def prepare(entry: Entry, log: Path) -> list[str]:
    """The copy and its packages; what they are, and which kernels BLAS takes (its nearest, if it lacks those asked)."""
    python = interpreter(entry.python)
    copy(entry.folder)
    if entry.versions != "pinned":
        resolve(entry, log)
    run(["make", f"PYTHON={python}", ".venv/.ready"], log, entry)
    shutil.rmtree(PLACE / "cache", ignore_errors=True)
    command = [*entry.before, ".venv/bin/python", "-c", PROBE]
    probe = subprocess.run(command, cwd=entry.folder, env=surroundings(entry), capture_output=True, text=True)
    if probe.returncode:
        said = probe.stderr.strip().splitlines()[-1:] or [f"ended with {probe.returncode}"]
        raise Impossible(f"cannot compute here: {said[0]}")
    return probe.stdout.splitlines()


def tested(entry: Entry, log: Path, arguments: list[str]) -> dict[str, Any]:
    """Run one entry: its packages, the demonstration, the tests."""
    try:
        found = prepare(entry, log)
    except Impossible as reason:
        return {"impossible": str(reason)}
    started = time.monotonic()
    demo = run([*entry.before, "make", "demo"], log, entry, check=False) if not arguments else None
    between, report = time.monotonic(), entry.folder / "report.xml"
    pytest = [
        *entry.before,
        ".venv/bin/pytest",
        "--numprocesses",
        "2",
        "--dist",
        "worksteal",
        "-v",
        f"--junit-xml={report}",
    ]
    code = run([*pytest, *arguments], log, entry, check=False)
    ended = time.monotonic()
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    failed: list[str] = []
    if report.exists():
        suite = next(ElementTree.parse(report).iter("testsuite"))
        counts = {name: int(suite.get(name, 0)) for name in counts}
        bad = (case for case in suite.iter("testcase") if {part.tag for part in case} & {"failure", "error"})
        failed = [f"{case.get('classname')}::{case.get('name')}" for case in bad]
    return {"found": found, "demo": demo, "pytest": code, "failed": failed, "arguments": arguments, **counts} | {
        "demo_seconds": between - started,
        "test_seconds": ended - between,
    }


def green(result: dict[str, Any]) -> bool:
    """Whether everything that ran passed."""
    return not result.get("impossible") and not result["pytest"] and not result["demo"]


def row(name: str, result: dict[str, Any]) -> str:
    """One line of the table."""
    about = ENTRIES[name].about
    if "impossible" in result:
        return f"| `{name}` | {about} | not run: {result['impossible']} | | | |"
    demo = "" if result["demo"] is None else f"{'FAIL' if result['demo'] else 'pass'}, {result['demo_seconds']:.0f} s"
    lost = result["failures"] + result["errors"]
    passed = result["tests"] - lost - result["skipped"]
    part = f" ({' '.join(result['arguments'])})" if result["arguments"] else ""
    tests = f"{passed} passed, {lost} failed" + (f", {result['skipped']} skipped" if result["skipped"] else "") + part
    if result["pytest"] and not lost:
        tests = f"pytest ended with {result['pytest']}"
    return (
        f"| `{name}` | {about} | {'; '.join(result['found'])} | {demo} | {tests} | {result['test_seconds'] / 60:.1f} |"
    )


def table(commit: str) -> str:
    """All results of a commit as Markdown."""
    lines = ["| Entry | Environment | Found | Demo | Tests | Minutes |", "|---|---|---|---|---|---|"]
    for name in ENTRIES:
        kept = PLACE / f"{name}.json"
        result = json.loads(kept.read_text()) if kept.exists() else {}
        if result.get("commit") == commit:
            lines += [row(name, result)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the entries one after the other; exit code 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(ENTRIES), help=f"some of {','.join(ENTRIES)} (default: all)")
    parser.add_argument("arguments", nargs="*", help="for pytest, after --; without them the demonstration runs too")
    asked = parser.parse_args()
    names = asked.only.split(",")
    if unknown := sorted(set(names) - set(ENTRIES)):
        parser.error(f"no entry named {', '.join(unknown)}; there are {', '.join(ENTRIES)}")
    PLACE.mkdir(exist_ok=True)
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    commit = subprocess.check_output(describe, cwd=ROOT, text=True).strip()
    bad = []
    for name in names:
        log = PLACE / f"{name}.log"
        log.write_text(f"{commit}\n")
        print(f"{name}: {ENTRIES[name].about} … {log}", flush=True)
        result = {"commit": commit} | tested(ENTRIES[name], log, asked.arguments)
        (PLACE / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
        print(row(name, result), *result.get("failed", ()), sep="\n    ", flush=True)
        bad += [] if green(result) else [name]
    (PLACE / "table.md").write_text(table(commit))
    print(f"\n{commit}\n\n{table(commit)}")
    sys.exit(f"not green: {', '.join(bad)}" if bad else 0)


if __name__ == "__main__":
    main()
