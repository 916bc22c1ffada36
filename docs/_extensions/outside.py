"""Files beside ``docs/`` that are pages of the site, too: links to them lead to those pages."""

import re
from typing import Any

PAGES = {
    "../README.md": "index.md",
    "../CHANGELOG.md": "changelog.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../benchmarks/README.md": "benchmarks.md",
}


def _read(app: Any, docname: str, content: list[str]) -> None:
    up = "../" * docname.count("/")
    for file, page in PAGES.items():
        content[0] = re.sub(rf"\]\({re.escape(up + file)}(?=[)#])", f"]({up}{page}", content[0])


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
