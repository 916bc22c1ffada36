"""Where public names are: for those who look for them in the wrong place, or by a name that is nearly right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

HERE = Path(__file__).parent
#: Packages and modules whose names are public; of two with the same name the first is meant.
PUBLIC = ("analysis", "plots", "files.py", "units.py", "stored.py", "__init__.py")
#: Defined in a module, or named in the ``__all__`` of one that hands on.
NAMED = re.compile(r'^(?:(?:def|class) ([A-Za-z]\w*)|    "(\w+)",$)', re.MULTILINE)
#: A line of ``opendicke.analysis.HOMES``.
HOME = re.compile(r'^    "(\w+)": "([\w.]+)",$', re.MULTILINE)
#: How alike two spellings are that are taken for each other, from 0 to 1.
ALIKE = 0.75


def place_of(name: str) -> str:
    """How to import what is meant by ``name``; empty if that cannot be told.

    Meant is the public module, function, class or constant of this name; what :mod:`opendicke.analysis` has from a
    module of this name; or what is spelt nearly like it. The sources are read, not imported: that would take a hundred
    times as long.

    >>> place_of("husimi"), place_of("instanton"), place_of("nothing")
    ('from opendicke.analysis import husimi', 'from opendicke.analysis.tunnelling import instanton', '')
    >>> place_of("correlations"), place_of("nuhops")
    ('from opendicke.analysis import covariances, photon_statistics', 'from opendicke import NuHOPS')
    """
    if name.startswith("_") or not name.isidentifier():
        return ""
    places, modules = _read()
    if name not in places and (within := _within(name)):
        return f"from opendicke.analysis import {', '.join(within)}"
    places = modules | places
    if name not in places:
        spellings = {one.lower(): one for one in places}
        near = get_close_matches(name.lower(), spellings, 1, ALIKE)
        if not near:
            return ""
        name = spellings[near[0]]
    return f"from {places[name]} import {name}"


def _read() -> tuple[dict[str, str], dict[str, str]]:
    """The module of each public name, and the package of each public module."""
    places: dict[str, str] = {}
    modules: dict[str, str] = {}
    for file in (file for part in PUBLIC for file in _sources(HERE / part)):
        module = _module(file)
        for defined, handed_on in NAMED.findall(file.read_text(encoding="utf-8")):
            places.setdefault(defined or handed_on, module)
        package, dot, stem = module.rpartition(".")
        if dot:
            modules.setdefault(stem, package)
    return places, modules


def _within(name: str) -> list[str]:
    """What ``opendicke.analysis`` has from a room or a module of this name."""
    table = HERE / "analysis" / "__init__.py"
    homes = HOME.findall(table.read_text(encoding="utf-8")) if table.is_file() else []
    return [one for one, home in homes if name in home.split(".")]


def _sources(part: Path) -> Iterator[Path]:
    """The files of a module or package, a package's own before those in it; none where there are no sources."""
    return iter(sorted(part.rglob("*.py")) if part.is_dir() else [part] * part.is_file())


def _module(file: Path) -> str:
    parts = file.relative_to(HERE).with_suffix("").parts
    return ".".join(("opendicke", *parts)).removesuffix(".__init__")
