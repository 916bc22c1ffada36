"""Every tutorial as a notebook to download, beside its page: the same text, the same cells, no results yet."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
from executed import FENCE

FOLDER = "tutorials/"
#: Links to other pages of the site; not to addresses, nor within the page.
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)#]+?)\.md(#[^)]*)?\)")


def notebook(text: str, name: str, address: str) -> Any:
    """The page ``name`` as a notebook; ``address`` is that of the site, without which links are just their words.

    >>> page = notebook("# A page\\n\\n```python\\n1 + 1\\n```\\n\\nSee [b](../b.md#c).", "tutorials/a", "https://x.org/")
    >>> [cell.source for cell in page.cells]
    ['# A page', '1 + 1', 'See [b](https://x.org/b.html#c).']
    """
    written = LINK.sub(lambda link: _elsewhere(link, name, address), text)
    pieces = FENCE.split(written)
    made = [nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell]
    page = nbformat.v4.new_notebook(
        cells=[made[number % 2 == 0](piece.strip()) for number, piece in enumerate(pieces) if piece.strip()],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    for number, cell in enumerate(page.cells):
        cell.id = f"cell-{number}"  # random otherwise
    return page


def _elsewhere(link: re.Match[str], name: str, address: str) -> str:
    if not address:
        return link[1]
    parts: list[str] = []
    for part in (PurePosixPath(name).parent / link[2]).parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return f"[{link[1]}]({address}{'/'.join(parts)}.html{link[3] or ''})"


def _read(app: Any, docname: str, content: list[str]) -> None:
    """Lead to the notebook, below the title."""
    if _is_tutorial(docname, content[0]):
        title, rest = content[0].split("\n", 1)
        name = PurePosixPath(docname).name
        content[0] = f'{title}\n\n<p><a href="{name}.ipynb" download>Download this page as a notebook</a></p>\n{rest}'


def _is_tutorial(docname: str, text: str) -> bool:
    return docname.startswith(FOLDER) and FENCE.search(text) is not None


def _write(app: Any, exception: Exception | None) -> None:
    for docname in app.env.found_docs if exception is None and app.builder.format == "html" else ():
        text = Path(app.env.doc2path(docname)).read_text(encoding="utf-8")
        if _is_tutorial(docname, text):
            target = Path(app.outdir) / f"{docname}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook(text, docname, app.config.html_baseurl), target)


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    # Before the fences become cells (executed.py).
    app.connect("source-read", _read, priority=100)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
