"""The tutorials compile and use public names only.

That they run is shown by ``make docs`` and ``make test-dist``.
"""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import opendicke
from test_reference import listed
from tutorials import cells

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(page for page in (DOCS / "tutorials").glob("*.md") if page.stem != "index")


def public() -> tuple[set[str], set[str]]:
    """Names and modules of the reference, in full."""
    names = {*listed(), *(f"opendicke.{name}" for name in opendicke.__all__)}
    return names, {name.rpartition(".")[0] for name in listed()}


def used(program: str) -> Iterator[str]:
    """What a program takes from the library: ``opendicke.analysis.squeezing`` and so on."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "opendicke":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if re.fullmatch(r"od(\.\w+)+", name):
                yield "opendicke" + name.removeprefix("od")
            if node.attr.startswith("_"):
                yield node.attr


def hidden(program: str) -> list[str]:
    """What of it no page of the reference lists; parts of what is listed, as ``od.DickeModel.balanced``, are."""
    names, modules = public()
    of_modules = {".".join(parts[:end]) for module in modules if (parts := module.split(".")) for end in range(1, 5)}
    return [
        name
        for name in used(program)
        if name not in of_modules and not any(f"{name}.".startswith(f"{one}.") for one in names)
    ]


def test_what_is_not_public_is_found() -> None:
    assert hidden("import opendicke as od\nod.solve(od.DickeModel.balanced, od.analysis.husimi)") == []
    assert hidden("from opendicke import files\nfrom opendicke.units import kHz\nx.plot()") == []
    wrong = "import opendicke as od\nfrom opendicke.engine import noise\nod.checks.real('x', 1)\nx._secret"
    assert sorted(hidden(wrong)) == ["_secret", "opendicke.checks", "opendicke.checks.real", "opendicke.engine.noise"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_cells_compile_and_use_public_names(page: Path) -> None:
    programs = cells(page)
    assert len(programs) > 3
    for number, program in enumerate(programs, 1):
        compile(program, f"{page.name}, cell {number}", "exec")
        assert hidden(program) == [], f"cell {number}"


def test_every_tutorial_is_listed_and_leads_on() -> None:
    (listed,) = re.findall(
        r"(?s)```\{toctree\}\n:maxdepth: 1\n\n(.*?)\n```", (DOCS / "tutorials" / "index.md").read_text("utf-8")
    )
    order = listed.split()
    assert sorted(order) == [page.stem for page in PAGES]
    for one, following in itertools.pairwise(order):
        last = (DOCS / "tutorials" / f"{one}.md").read_text("utf-8").rsplit("Next:", 1)[1]
        assert f"({following}.md)" in last
