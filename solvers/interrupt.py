"""Ctrl-C ends a solve early, with what was found by then."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from solvers.clock import Clock


class NothingFound(KeyboardInterrupt):
    """Ctrl-C came once, before there was any network."""


@contextmanager
def hearing_interrupts(clock: Clock) -> Iterator[None]:
    """While inside, the first Ctrl-C makes the clock run out, and the second raises KeyboardInterrupt.

    Only in the main thread, and only where Ctrl-C has Python's own meaning; a handler of the caller's stays in charge.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def heard(number: int, frame: FrameType | None) -> None:
        if clock.interrupted:
            raise KeyboardInterrupt
        clock.interrupt()

    signal.signal(signal.SIGINT, heard)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
