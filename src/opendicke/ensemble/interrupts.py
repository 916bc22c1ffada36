"""Interrupts (Ctrl-C) that arrive while code is compiled."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Let an interrupt that arrives in here take effect at the end; a second one does at once.

    LLVM calls back into Python, and an exception raised there is printed and lost: the run would go on. Only the main
    thread sees interrupts, and one that is ignored or handled outside of Python is left as it is.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    arrived: list[FrameType | None] = []

    def note(number: int, frame: FrameType | None) -> None:
        arrived.append(frame)
        if len(arrived) > 1:
            before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if len(arrived) == 1:
            before(signal.SIGINT, arrived[0])
