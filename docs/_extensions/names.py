"""The public names on their pages of the reference, and references in docstrings to them.

A page names them in fences, which a code host shows as they are::

    ```{public} opendicke.analysis
    squeezing
    negativity
    ```

gives a table with the first line of each docstring, and then the docstrings.
"""

import inspect
import re
import sys
from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.util.nodes import make_refnode

FENCE = re.compile(r"^```\{public\} ([\w.]+)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
#: The page of a module: what ``:mod:`` leads to.
PAGES = {
    "opendicke.analysis": "reference/answers",
    "opendicke.analysis.tunnelling": "reference/tunnelling",
    "opendicke.cavities": "reference/states",
    "opendicke.units": "reference/models",
}
#: Stands for a colon in the first line about an attribute: napoleon would take what is before it for a type.
COLON = "\ue000"
#: What is left as it is, formulas and code, or else a bar: restructured text would take \|x\| and \|j, m> for marks.
BAR = re.compile(
    r"(^(?P<indent> *)\.\. math::.*\n(?:(?:(?P=indent) +.*)?(?:\n|\Z))*"
    r"|^ *>>> .*(?:\n.*\S.*)*|``.*?``|`[^`]*`|\\\|)|\|",
    re.MULTILINE,
)


def _entries(fence: re.Match[str]) -> str:
    module, names = import_module(fence[1]), fence[2].split()
    described = [name for name in names if _is_described(getattr(module, name))]
    lines = [f".. currentmodule:: {fence[1]}"]
    if described:
        lines += ["", ".. autosummary::", "   :nosignatures:", "", *(f"   {name}" for name in described)]
    for name in names:
        lines += ["", *_entry(name, getattr(module, name))]
    return "\n".join(["```{eval-rst}", *lines, "```"])


def _is_described(thing: object) -> bool:
    return inspect.isclass(thing) or callable(thing)


def _entry(name: str, thing: object) -> list[str]:
    if not _is_described(thing):
        return [f".. py:data:: {name}", "", f"   {_comment(name, thing)}"]
    if not inspect.isclass(thing):
        return [f".. autofunction:: {name}"]
    if issubclass(thing, Exception):
        return [f".. autoexception:: {name}"]
    return [f".. autoclass:: {name}", "   :members:"]


def _comment(name: str, thing: object) -> str:
    """What ``#:`` lines say above the assignment, wherever that is."""
    above = re.compile(rf"((?:^#: .*\n)+)(?:\w+, )*{name}\b[^=\n]*=", re.MULTILINE)
    for module in [one for at, one in sys.modules.items() if at.startswith("opendicke")]:
        if vars(module).get(name) is thing and (found := above.search(inspect.getsource(module))):
            return " ".join(line.removeprefix("#: ") for line in found[1].splitlines())
    raise LookupError(f"{name}: no comment #: above its definition")


def _read(app: Any, docname: str, content: list[str]) -> None:
    content[0] = FENCE.sub(_entries, content[0])


def _before_napoleon(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = BAR.sub(lambda found: found[1] or r"\|", "\n".join(lines)).split("\n")
    if what in ("attribute", "property"):
        lines[0] = lines[0].replace(":", COLON)


def _after_napoleon(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [line.replace(COLON, ":") for line in lines]


def _find(app: Any, env: Any, node: Any, contnode: nodes.Element) -> nodes.Element | None:
    """A docstring may say where a name is defined, or only the name: what is meant is where it is public."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].lstrip(".")
    if page := PAGES.get(target):
        return make_refnode(app.builder, node["refdoc"], page, "", contnode)
    last = target.split(".")[-1]
    objects = env.get_domain("py").objects
    found = [name for name in objects if name.split(".")[-1] == last]
    if len(found) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, found[0])


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _read)
    app.connect("autodoc-process-docstring", _before_napoleon, priority=100)
    app.connect("autodoc-process-docstring", _after_napoleon, priority=900)
    app.connect("missing-reference", _find)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
