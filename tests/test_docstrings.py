"""What users read is true: the README's example runs, and public docstrings name every argument.

The examples inside the docstrings are executed by ``--doctest-modules``.
"""

import dataclasses
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import opendicke
from tutorials import cells

README = Path(__file__).parent.parent / "README.md"
NAMESPACES = (opendicke, opendicke.analysis, opendicke.analysis.tunnelling, opendicke.units)
PUBLIC = {name: thing for space in NAMESPACES for name in space.__all__ if callable(thing := getattr(space, name))}


def public_methods() -> dict[str, Callable[..., Any]]:
    """Methods and constructors that the public classes define themselves."""
    found = {}
    for owner, kind in PUBLIC.items():
        if inspect.isclass(kind):
            for name in vars(kind):
                member = getattr(kind, name)
                if not name.startswith("_") and inspect.isroutine(member):
                    found[f"{owner}.{name}"] = member
    return found


def undescribed(target: Callable[..., Any]) -> list[str]:
    """Arguments of ``target`` that have no line of their own in its docstring."""
    if dataclasses.is_dataclass(target):
        arguments = [
            field.name for field in dataclasses.fields(target) if field.init and not field.name.startswith("_")
        ]
    else:
        arguments = [name for name in inspect.signature(target).parameters if name != "self"]
    described = {
        name
        for names in re.findall(r"^\s*(\w+(?:, \w+)*)(?: \([^)]*\))?: ", inspect.getdoc(target) or "", re.MULTILINE)
        for name in names.split(", ")
    }
    return [name for name in arguments if name not in described]


#: Exceptions and warnings take a message and nothing else.
RAISED = {name for name, target in PUBLIC.items() if isinstance(target, type) and issubclass(target, Exception)}


@pytest.mark.parametrize("name", sorted(set(PUBLIC) - RAISED))
def test_docstring_describes_every_argument(name: str) -> None:
    assert undescribed(PUBLIC[name]) == []


@pytest.mark.parametrize("name", sorted(public_methods()))
def test_public_method_has_its_own_docstring(name: str) -> None:
    assert public_methods()[name].__doc__


def test_an_undescribed_argument_is_found() -> None:
    def example(first: int, second: int, third: int) -> None:
        """Text that mentions second.

        Args:
            first, third: one line for both.
        """

    assert undescribed(example) == ["second"]


@pytest.mark.parametrize(
    "page", ["models.md", "observables.md", "elimination.md", "closed.md", "units.md", "conventions.md"]
)
def test_examples_of_a_page_run(page: str) -> None:
    blocks = cells(README.parent / "docs" / page)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    assert blocks


def test_readme_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # it writes a picture
    blocks = cells(README)
    assert blocks
    for block in blocks:
        exec(compile(block, str(README), "exec"), {})
