"""Python blocks of the pages are cells: run when the site is built, results shown below them.

Pages are plain Markdown with ``python`` fences, as a code host shows them. A fence that says ``python no-run`` is
shown and not run: a cluster's program, or minutes of work. In a fence with prompts (``>>>``) the results that stand
there are for readers of the Markdown; the site has those of the run. Answers are kept in ``.docs-cache`` and hold for
one state of the library: another one asks all pages anew.
"""

import doctest
import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FRONT = """---
file_format: mystnb
kernelspec:
  name: python3
language_info:
  name: python
  pygments_lexer: ipython3
---
"""


def cells(text: str) -> str:
    """The page as a notebook, where it has something to run.

    >>> cells("# A page") == "# A page"
    True
    >>> print(cells("```python\\n>>> x = 1\\n>>> x\\n1\\n>>> x + 1\\n2\\n```").removeprefix(FRONT))
    ```{code-cell} ipython3
    x = 1
    x
    ```
    ```{code-cell} ipython3
    x + 1
    ```
    """
    if text.startswith("---") or not FENCE.search(text):
        return text
    return FRONT + FENCE.sub(lambda fence: "\n".join(map(_cell, _programs(fence[1]))), text)


def _cell(program: str) -> str:
    return f"```{{code-cell}} ipython3\n{program}```"


def _programs(block: str) -> list[str]:
    """One, or with prompts one for every result."""
    if not block.startswith(">>> "):
        return [block]
    programs = [""]
    for example in doctest.DocTestParser().get_examples(block):
        programs[-1] += example.source
        if example.want:
            programs.append("")
    return [program for program in programs if program]


def cache_of(root: Path) -> Path:
    """Where answers of this state of the library are; those of other states are deleted."""
    state = hashlib.sha256()
    for file in [root / "constraints-docs.txt", *sorted((root / "src").rglob("*.py"))]:
        state.update(file.read_bytes())
    cache = root / ".docs-cache" / state.hexdigest()[:16]
    for other in cache.parent.glob("*"):
        if other != cache:
            shutil.rmtree(other)
    return cache


def _read(app: Any, docname: str, content: list[str]) -> None:
    content[0] = cells(content[0])


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    # A page has no use for progress bars.
    os.environ["TQDM_DISABLE"] = "1"
    # Encrypted where it can be: ipykernel warns of plain text between processes.
    KernelManager.transport_encryption.default_value = "auto"
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
