"""Where public names are: for those who look for them in the wrong place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
#: Packages and modules whose names are public beside those of ``opendicke`` itself.
PUBLIC = ("analysis", "plots", "files.py", "stored.py")


def place_of(name: str) -> str:
    """How to import a public module, function, class or constant of this name; empty if there is none.

    The sources are read, not imported: that would take a hundred times as long.

    >>> place_of("husimi"), place_of("instanton"), place_of("nothing")
    ('from opendicke.spin.husimi import husimi', 'from opendicke.analysis.tunnelling import instanton', '')
    """
    if name.startswith("_") or not name.isidentifier():
        return ""
    modules = [(_module(file), file) for part in PUBLIC for file in _sources(HERE / part)]
    # defined there, or named in the __all__ of a package
    defined = re.compile(rf'^(?:(?:def|class) {name}\b|    "{name}",$)', re.MULTILINE)
    for module, file in modules:
        if defined.search(file.read_text(encoding="utf-8")):
            return f"from {module} import {name}"
    named = next((module for module, _ in modules if module.endswith(f".{name}")), "")
    return f"from {named.removesuffix(f'.{name}')} import {name}" if named else ""


def _sources(part: Path) -> Iterator[Path]:
    """The files of a module or package, a package's own before those in it; none where there are no sources."""
    return iter(sorted(part.rglob("*.py")) if part.is_dir() else [part] * part.is_file())


def _module(file: Path) -> str:
    parts = file.relative_to(HERE).with_suffix("").parts
    return ".".join(("opendicke", *parts)).removesuffix(".__init__")
