"""Progress meters: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from typing import Any

from opendicke.problem import Progress


class Silent:
    """The null meter."""

    def start(self, total: int, unit: str, label: str) -> None:
        """Nothing."""

    def advance(self, amount: int, **notes: Any) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Bar:
    """A tqdm bar on standard error."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, total: int, unit: str, label: str) -> None:
        """Open the bar."""
        from tqdm import tqdm

        self._bar = tqdm(total=total, unit=unit, desc=label, file=sys.stderr, dynamic_ncols=True)

    def advance(self, amount: int, **notes: Any) -> None:
        """Move the bar, with ``notes`` beside it."""
        if notes:
            self._bar.set_postfix(notes, refresh=False)
        self._bar.update(amount)

    def close(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()


def meter(progress: Progress | bool | None) -> Progress:
    """The meter for a ``progress`` argument: None shows a bar on a terminal only, True always, False never."""
    if progress is None:
        return Bar() if sys.stderr.isatty() else Silent()
    if isinstance(progress, bool):
        return Bar() if progress else Silent()
    return progress
