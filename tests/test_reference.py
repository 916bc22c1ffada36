"""Every public name has its place in the reference of the site, once."""

import inspect
import re
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

import opendicke as od
from opendicke import files, stored
from opendicke.plots import bloch, husimi, tunnelling

PAGES = sorted((Path(__file__).parent.parent / "docs" / "reference").glob("*.md"))
FENCE = re.compile(r"```\{public\} ([\w.]+)\n(.*?)\n```", re.DOTALL)
#: Modules that say what is public, and modules of which everything is that has no underscore.
SAID = (od, od.analysis, od.analysis.tunnelling, od.cavities, od.units)
OPEN = (files, stored)
#: Used by the package itself to write files.
WITHIN = {"opendicke.files.replacing"}


def listed() -> Counter[str]:
    """How often each name stands in the reference."""
    return Counter(
        f"{module}.{name}"
        for page in PAGES
        for module, names in FENCE.findall(page.read_text(encoding="utf-8"))
        for name in names.split()
    )


def public() -> set[str]:
    """The names that a user may import; of the plots, those that draw a picture."""
    found = {f"{module.__name__}.{name}" for module in SAID for name in module.__all__}
    for module, start in [*((one, "") for one in OPEN), *((one, "plot_") for one in (bloch, husimi, tunnelling))]:
        own = [name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__]
        found |= {f"{module.__name__}.{name}" for name in own if name.startswith(start) and not name.startswith("_")}
    return {name for name in found if not inspect.ismodule(_named(name))} - WITHIN


def _named(name: str) -> object:
    module, _, last = name.rpartition(".")
    return getattr(import_module(module), last)


def test_every_public_name_is_in_the_reference_once() -> None:
    assert public() - set(listed()) == set()
    assert [name for name, times in listed().items() if times > 1] == []


def test_what_the_reference_names_is_there_and_described() -> None:
    things = {name: _named(name) for name in listed()}
    assert [name for name, thing in things.items() if callable(thing) and not inspect.getdoc(thing)] == []


def test_a_name_that_is_missing_or_doubled_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(od, "__all__", [*od.__all__, "new"])
    monkeypatch.setattr(od, "new", {}, raising=False)
    assert public() - set(listed()) == {"opendicke.new"}
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "```{public} opendicke\nsolve\nsweep\nsolve\n```")
    assert listed()["opendicke.solve"] == 2 * len(PAGES)
