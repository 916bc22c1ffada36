"""Formulas without a network: the site brings what it needs of MathJax, from a wheel that packs all 24 MB of it.

And means in plain text, ``<S>``, are found that Markdown takes for HTML (this one strikes out the rest of the page).
"""

from importlib.metadata import files
from typing import Any

from docutils import nodes
from sphinx.util.logging import getLogger

#: The program with all of TeX, and its fonts.
PROGRAM, FONTS = "tex-chtml-full.js", "/woff-v2/"
#: Where the wheel has them.
FOLDER = "static/mathjax/"

log = getLogger(__name__)


def _copy(app: Any, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    for file in files("sphinx-mathjax-offline") or []:
        _, _, name = file.as_posix().partition(FOLDER)
        if name == PROGRAM or FONTS in name:
            target = app.outdir / "_static" / "mathjax" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.locate().read_bytes())


def _check(app: Any, doctree: nodes.document) -> None:
    for raw in doctree.findall(nodes.raw):
        if isinstance(raw.parent, nodes.TextElement):
            log.warning("HTML within a text: %s (means are written ⟨S⟩)", raw.astext(), location=raw)


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.setup_extension("sphinx.ext.mathjax")
    app.config.mathjax_path = f"mathjax/{PROGRAM}"
    app.connect("doctree-read", _check)
    app.connect("build-finished", _copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
