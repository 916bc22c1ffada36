"""Measure what the tests notice: small mistakes put into the package one at a time, each with the tests that see it.

    python -m benchmarks.mutants --count 100 --minutes 35 --results mutants.jsonl

A mistake (mutant) changes one operator, comparison, constant, argument or function in the code, never a message, a
docstring, a type or a picture. It is put into a copy of the tree, where the tests that import or name the mutated
module, or a module that imports it, run until one fails. The answer is one line of JSON per mutant: file, line, what,
"killed" and by which test, or "survived" and what was tried.

Run it again with the same seed and file to go on where it was stopped; ``--again`` repeats the survivors only,
``--list`` shows what would be done. It may take hours, and is no part of ``make test``.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from opendicke.analysis import HOMES

ROOT = Path(__file__).resolve().parent.parent
#: Share of the mutants by the first folder below the package; "" stands for the modules without one.
WEIGHTS = {"engine": 15, "methods": 25, "tunnelling": 13, "spin": 6, "phases": 5, "moments": 5, "steady": 3,
           "ensemble": 8, "observables": 5, "figures": 5, "": 10}  # fmt: skip
#: These decide what is printed and drawn, not what is computed.
LEFT_OUT = {"cli", "commands", "store_commands", "progress", "figure3_picture", "figure1_statements", "statement"}
#: Functions that word an error or draw.
SILENT = {"refuse", "warn", "format", "meter", "isinstance", "hasattr", "plot", "errorbar", "text", "set", "legend"}
#: One test file may take this long, in seconds; the longest that passes takes less than half of it.
LIMIT = 300
#: Most test files for one mutant, nearest first.
MOST = 7
SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.MatMult: ast.Mult}
BOUNDARY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
RENAMED = {"real": "imag", "imag": "real", "min": "max", "max": "min", "sin": "cos", "cos": "sin", "minimum": "maximum",
           "maximum": "minimum", "floor": "ceil", "ceil": "floor"}  # fmt: skip
PARTS = {"real", "imag"}
DROPPED = {"conj", "conjugate", "abs", "sqrt"}


@dataclass(frozen=True)
class Mutant:
    """One mistake: the bytes from ``start`` to ``end`` of ``path`` (relative to the package) become ``text``."""

    path: str
    line: int
    what: str
    start: int
    end: int
    text: str

    @property
    def name(self) -> str:
        return f"{self.path}:{self.line} {self.what}"


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What can be done to this node, and what comes out."""
    yield from _operators(copy.deepcopy(node))
    yield from _values_and_calls(copy.deepcopy(node))


def _operators(new: Any) -> Iterator[tuple[str, ast.AST]]:
    match new:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SWAPPED:
            if isinstance(op, ast.Mult | ast.Div):
                yield "factor dropped", left
            new.op = SWAPPED[type(op)]()
            yield "operator", new
            if isinstance(op, ast.Sub):
                yield "terms swapped", ast.BinOp(right, ast.Sub(), left)
        case ast.BinOp(op=ast.Pow(), left=left):
            yield "power dropped", left
        case ast.Compare(ops=[op]) if type(op) in BOUNDARY:
            new.ops = [BOUNDARY[type(op)]()]
            yield "comparison", new
        case ast.BoolOp():
            new.op = ast.Or() if isinstance(new.op, ast.And) else ast.And()
            yield "and/or", new
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield "not or sign dropped", operand


def _values_and_calls(new: Any) -> Iterator[tuple[str, ast.AST]]:
    match new:
        case ast.Constant(value=bool(value)):
            yield "constant", ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield "constant doubled" if value else "constant", ast.Constant(2 * value or 1)
            yield "off by one", ast.Constant(value + 1)
        case ast.Constant(value=complex() as value):
            yield "sign of i", ast.Constant(-value)
        case ast.Attribute(attr=name) if name in PARTS:
            new.attr = RENAMED[name]
            yield f"{name} -> {new.attr}", new
        case ast.Call(func=ast.Attribute(value=value, attr=name), args=args) if name in DROPPED:
            yield f"{name} dropped", args[0] if args else value
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in RENAMED and name not in PARTS:
            setattr(new.func, "attr" if isinstance(new.func, ast.Attribute) else "id", RENAMED[name])
            yield f"{name} -> {RENAMED[name]}", new
        case ast.Call(args=[ast.Name() as first, ast.Name() as second, *rest]) if first.id != second.id != "self":
            new.args = [second, first, *rest]
            yield "arguments swapped", new


def computed(tree: ast.AST) -> Iterator[ast.AST]:
    """The expressions that compute something."""
    if isinstance(tree, ast.Raise | ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
        return
    if isinstance(tree, ast.Call):
        name = getattr(tree.func, "attr", getattr(tree.func, "id", ""))
        if name in SILENT:
            return
    if isinstance(tree, ast.expr):
        yield tree
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list", "bases", "type_params", "slice_"):
            continue
        if isinstance(tree, ast.FunctionDef) and (tree.name.startswith(("_draw", "plot", "__str", "__repr"))):
            return
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from computed(child)


def mutants_of(path: Path, package: Path) -> list[Mutant]:
    source = path.read_bytes()
    lines = [0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    found = []
    for node in computed(ast.parse(source)):
        start = lines[node.lineno - 1] + node.col_offset
        end = lines[node.end_lineno - 1] + node.end_col_offset
        for what, new in changes(node):
            text = ast.unparse(ast.fix_missing_locations(new))
            text = text if isinstance(new, ast.Constant | ast.Name) else f"({text})"
            was = " ".join(source[start:end].decode().split())
            found.append(Mutant(str(path.relative_to(package)), node.lineno, f"{what}: {was[:70]} -> {text[:70]}",
                                start, end, text))  # fmt: skip
    return found


def drawn(package: Path, seed: int) -> Iterator[Mutant]:
    """All mutants in a random order, folders by :data:`WEIGHTS`, files by the square root of their number."""
    rng = random.Random(seed)
    folders: dict[str, dict[Path, list[Mutant]]] = {name: {} for name in WEIGHTS}
    for path in sorted(package.rglob("*.py")):
        folder = path.relative_to(package).parts[0] if path.parent != package else ""
        if folder in folders and path.stem not in LEFT_OUT and (found := mutants_of(path, package)):
            rng.shuffle(found)
            folders[folder][path] = found
    while any(folders.values()):
        folder = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if not (files := folders[folder]):
            continue
        path = rng.choices(list(files), [len(found) ** 0.5 for found in files.values()])[0]
        yield files[path].pop()
        if not files[path]:
            del files[path]


class Tests:
    """Which test files can see a change in a module: by its name, by what they import, by who imports it."""

    def __init__(self, root: Path) -> None:
        package = root / "src"
        modules = {path: ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__")
                   for path in package.rglob("*.py")}  # fmt: skip
        trees = {modules[path]: ast.parse(path.read_bytes()) for path in modules}
        self.imports = {name: _imports(tree) for name, tree in trees.items()}
        self.public = {name: {one.name for one in tree.body if isinstance(one, ast.ClassDef | ast.FunctionDef)}
                       for name, tree in trees.items()}  # fmt: skip
        # Stored numbers tell that something changed, not that it is wrong; their last digit is the compiler's.
        files = sorted(path for path in (root / "tests").glob("test_*") if path.stem != "test_golden")
        self.tests = {path: _imports(ast.parse(path.read_bytes())) for path in files}
        for modules, _ in (*self.imports.values(), *self.tests.values()):
            modules |= {f"opendicke.{home}" for name, home in HOMES.items() if f"opendicke.analysis.{name}" in modules}

    def scores(self, module: str) -> dict[Path, int]:
        """3 for a namesake, 2 for one that imports the module, 1 for one that takes something of it."""
        stem, found = module.split(".")[-1], {}
        parent = module.rpartition(".")[0]
        for path, (modules, names) in self.tests.items():
            near = 2 * (module in modules) or 1 * bool(names & self.public[module])
            near = 3 if stem in path.stem.removeprefix("test_") or path.stem.endswith(stem) else near
            near = near or int(parent.count(".") > 1 and parent.split(".")[-1] in path.stem)
            if near:
                found[path] = near
        return found

    def that_see(self, module: str) -> list[Path]:
        """Nearest first."""
        found = {path: 10 * score for path, score in self.scores(module).items()}
        for other, (modules, _) in self.imports.items():
            if module in modules and other != "opendicke":
                for path, score in self.scores(other).items():
                    found[path] = max(found.get(path, 0), score * (score > 1))
        found = {path: near for path, near in found.items() if near}
        return sorted(found, key=lambda path: (-found[path], path.name))[:MOST]


def _imports(tree: ast.AST) -> tuple[set[str], set[str]]:
    """Modules of the package that a file imports, and names that it takes from them."""
    modules, names = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("opendicke"):
            modules |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
            names |= {one.name for one in node.names}
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "od":
            names.add(node.attr)
        if isinstance(node, ast.Attribute) and "analysis" in (getattr(node.value, kind, "") for kind in ("id", "attr")):
            modules.add(f"opendicke.analysis.{node.attr}")
    return modules, names


class Bench:
    """A copy of the tree in which mutants are tried."""

    def __init__(self, place: Path) -> None:
        self.root = place / "tree"
        for part in ("src", "tests", "docs", "README.md", "pyproject.toml", "CHANGELOG.md", "CONTRIBUTING.md"):
            source, target = ROOT / part, self.root / part
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
        self.package, self.cache = self.root / "src" / "opendicke", place / "numba"
        self.tests = Tests(self.root)
        self.sound: dict[Path, bool] = {}

    def try_one(self, mutant: Mutant) -> dict[str, object]:
        path = self.package / mutant.path
        source, stamp = path.read_bytes(), path.stat()
        module = ".".join(("opendicke", *Path(mutant.path).with_suffix("").parts)).removesuffix(".__init__")
        files = self.tests.that_see(module)
        if b">>>" in source:
            files.insert(0, path)
        engine = mutant.path.startswith("engine")  # every change there compiles all of it anew
        cache = Path(tempfile.mkdtemp(dir=self.cache.parent)) if engine else self.cache
        mutated = source[: mutant.start] + mutant.text.encode() + source[mutant.end :]
        try:
            for file in files:
                path.write_bytes(mutated)
                failed = self.fails(file, cache)
                path.write_bytes(source)
                os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # compiled files are of the original again
                if failed and self.passes_without(file):
                    return {"outcome": "killed", "by": f"{file.relative_to(self.root)} {failed}"}
            return {"outcome": "survived", "tried": [file.name for file in files if self.sound.get(file, True)]}
        finally:
            path.write_bytes(source)
            os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
            if engine:
                shutil.rmtree(cache)

    def passes_without(self, file: Path) -> bool:
        """Whether ``file`` passes on the unchanged tree: only then does its failure tell anything."""
        if file not in self.sound:
            self.sound[file] = not self.fails(file, self.cache)
        return self.sound[file]

    def fails(self, file: Path, cache: Path) -> str:
        """The first test of ``file`` that fails; empty if all pass."""
        about = {"PYTHONPATH": str(self.root / "src"), "NUMBA_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
        arguments = ["-x", "-q", "-p", "no:cacheprovider", "--durations=0", "--tb=no", str(file)]
        with subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments], cwd=self.root, env=os.environ | about,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                told, _ = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return "(does not end)"
        if process.returncode in (0, 5):  # 5: no tests in there
            return ""
        failures = [
            line.split(" - ")[0].split("::")[-1] for line in told.splitlines() if line.startswith(("FAILED", "ERROR"))
        ]
        if process.returncode > 0 and not failures:  # no mutant does that: even one that cannot be imported is named
            raise SystemExit(f"pytest itself does not start, is the environment whole?\n{told[-1000:]}")
        return failures[0] if failures else "(crashes)"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=35.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("mutants.jsonl"))
    parser.add_argument("--again", action="store_true", help="repeat the survivors in the results")
    parser.add_argument("--list", action="store_true", help="only show what would be done")
    options = parser.parse_args()
    known = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.exists() else []
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        bench = Bench(Path(place))
        every = drawn(bench.package, options.seed)
        chosen = [next(every) for _ in range(options.count)]
        outcomes = {one["name"]: one["outcome"] for one in known}  # the last one counts
        wanted = [one for one in chosen if outcomes.get(one.name) in ((None, "survived") if options.again else (None,))]
        stop = time.monotonic() + 60 * options.minutes
        for place_in_line, mutant in enumerate(wanted, 1):
            if options.list:
                print(mutant.name)
            elif time.monotonic() < stop:
                begin = time.monotonic()
                found = bench.try_one(mutant)
                record = {"name": mutant.name, **asdict(mutant), **found, "seconds": round(time.monotonic() - begin)}
                with options.results.open("a") as file:
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
                told = f"{place_in_line}/{len(wanted)} {found['outcome']:8} {record['seconds']:4} s  {mutant.name}"
                print(told, flush=True)
                outcomes[mutant.name] = found["outcome"]
    count = {outcome: list(outcomes.values()).count(outcome) for outcome in ("killed", "survived")}
    print(f"{count['killed']} killed, {count['survived']} survived")


if __name__ == "__main__":
    main()
