"""The tutorials as plain programs, without Jupyter: ``python tests/tutorials.py docs/tutorials/first-steps.md``.

``make test-dist`` does so with the wheel.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

#: Fences that are run; ``python no-run`` is shown only.
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def cells(page: Path) -> list[str]:
    """The programs of a page, in the order in which they stand there."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def main() -> None:
    """Run the page that is named, and print what it took, the processor time of its own processes included."""
    page, names = Path(sys.argv[1]), {"__name__": "tutorial"}
    began = time.monotonic()
    for number, program in enumerate(cells(page), 1):
        exec(compile(program, f"{page.name}, cell {number}", "exec"), names)
    spent = sum(os.times()[:4])
    print(f"{page.stem}: {spent:.0f} s of processor time, {time.monotonic() - began:.0f} s in all", flush=True)


if __name__ == "__main__":
    main()
