"""Run an engine so that Ctrl-C is heard while it works.

Python hears Ctrl-C in the main thread only, and only between two of its own instructions; an engine in native code
would keep it waiting until the end. So the engine works in a thread of its own while the main thread waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

WAIT_S = 0.05  # between two looks at whether the engine is done


def attentive(
    work: Callable[[], T],
    *,
    cancel: Callable[[], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> T:
    """Do the work in another thread and pass on its result, its error, or a KeyboardInterrupt.

    Args:
        work: Releases Python's lock while it computes.
        cancel: Makes `work` return soon. None: an engine that cannot be stopped is left behind to end by itself.
        stopped: Asked now and then whether the work should end early; it is cancelled then, and its result is
            passed on.

    Raises:
        KeyboardInterrupt: Ctrl-C; with `cancel`, after the engine has come to rest. Also where the work should end
            early and cannot be cancelled.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(WAIT_S)
            if stopped is not None and stopped():
                if cancel is None:
                    raise KeyboardInterrupt
                cancel()
    except KeyboardInterrupt:
        if cancel is not None:
            cancel()
            thread.join()
        raise
    if errors:
        raise errors[0]
    return results[0]
