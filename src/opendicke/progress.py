"""Progress meters: a bar on a terminal and in a notebook, nothing elsewhere."""

from __future__ import annotations

import importlib.util
import logging
import sys
import threading
from typing import Any

from opendicke import checks
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
    """A tqdm bar on standard error; a widget in a notebook that has ipywidgets."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, total: int, unit: str, label: str) -> None:
        """Open the bar."""
        # Not tqdm.auto: it warns where there is no ipywidgets.
        if in_notebook() and importlib.util.find_spec("ipywidgets"):
            from tqdm.notebook import tqdm
        else:
            from tqdm import tqdm
        self._bar = tqdm(total=total, unit=unit, desc=label, file=sys.stderr, dynamic_ncols=True)

    def note(self, text: str) -> None:
        """Write one line above the bar."""
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)

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

    def note(self, text: str) -> None:
        """Say something, from any thread."""
        with self._lock:
            announce(self._inner, text)

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

    def note(self, text: str) -> None:
        """Say something beside the whole."""
        self._whole.note(text)

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


def announce(progress: Progress, text: str) -> None:
    """Have a meter say something, if it can: ``note`` is a method that a meter may have beside those it must."""
    getattr(progress, "note", lambda text: None)(text)


def in_notebook() -> bool:
    """Whether this code runs in a kernel of Jupyter, which shows what is written to standard error."""
    shell = sys.modules.get("IPython")
    return "ipykernel" in sys.modules and shell is not None and hasattr(shell.get_ipython(), "kernel")


def check_progress(progress: Any) -> None:
    """Refuse what is neither a switch nor a meter.

    Raises:
        TypeError: for anything else than None, True, False or an instance with start, advance and close.
    """
    if progress is None or isinstance(progress, bool):
        return
    lacks = any(not callable(getattr(progress, name, None)) for name in ("start", "advance", "close"))
    if lacks or isinstance(progress, type):
        expected = "None, True, False or a meter, an instance with start, advance and close"
        raise checks.refuse("progress", expected, progress, error=TypeError)


def meter(progress: Progress | bool | None) -> Progress:
    """The meter for a ``progress`` argument: None shows a bar on a terminal or in a notebook, True always, False never.

    Raises:
        TypeError: see :func:`check_progress`.
    """
    check_progress(progress)
    if progress is None:
        progress = in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
    if isinstance(progress, bool):
        return Bar() if progress else Silent()
    return progress
