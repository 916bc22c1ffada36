"""Progress meters: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import logging
import sys
import threading
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


class SharedMeter:
    """One meter for many ensembles that run side by side, each of which advances its share of the whole."""

    def __init__(self, inner: Progress, points: int, trajectories: int | None) -> None:
        self._inner, self._points, self._done = inner, points, 0
        self._share = trajectories or 1
        self._lock = threading.Lock()
        inner.start(points * self._share, "trajectory" if trajectories else "point", "sweep")

    def point(self, place: dict[str, str]) -> PointMeter:
        """A meter for the ensemble with the parameters ``place``."""
        return PointMeter(self, place, self._share)

    def advance(self, amount: int, done: bool, notes: dict[str, Any]) -> None:
        """Move the whole, from any thread."""
        with self._lock:
            self._done += done
            self._inner.advance(amount, points=f"{self._done}/{self._points}", **notes)

    def close(self) -> None:
        """No more is coming."""
        self._inner.close()


class PointMeter:
    """The meter of one of the ensembles; its end counts as all of its share."""

    def __init__(self, whole: SharedMeter, place: dict[str, str], share: int) -> None:
        self._whole, self._place, self._left, self._closed = whole, place, share, False

    def start(self, total: int, unit: str, label: str) -> None:
        """Nothing: the whole has started."""

    def advance(self, amount: int, **notes: Any) -> None:
        """Move the whole, with the parameters beside it."""
        self._left -= amount
        self._whole.advance(amount, False, self._place | notes)

    def close(self) -> None:
        """This ensemble is done."""
        if not self._closed:
            self._closed = True
            self._whole.advance(self._left, True, self._place)


class LogBesideBar(logging.Handler):
    """Log records on standard error, above the bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        from tqdm import tqdm

        tqdm.write(self.format(record), file=sys.stderr)


def meter(progress: Progress | bool | None) -> Progress:
    """The meter for a ``progress`` argument: None shows a bar on a terminal only, True always, False never."""
    if progress is None:
        return Bar() if sys.stderr.isatty() else Silent()
    if isinstance(progress, bool):
        return Bar() if progress else Silent()
    return progress
