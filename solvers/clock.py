"""Time left of a budget; the one place where `solvers` reads a clock."""

from __future__ import annotations

import math
import time


class Clock:
    """Seconds since it was made, and seconds left of a limit (None: no limit)."""

    def __init__(self, limit_s: float | None = None, *, within: Clock | None = None) -> None:
        self._start = time.monotonic()
        self._limit_s = math.inf if limit_s is None else limit_s
        self._within = within
        self._interrupted = False

    def share(self, fraction: float) -> Clock:
        """A clock for this fraction of what is left; time is up on it whenever it is up on this one."""
        return Clock(fraction * self.left_s, within=self)

    def interrupt(self) -> None:
        """Time is up from now on, whatever the limit."""
        self._interrupted = True

    @property
    def interrupted(self) -> bool:
        """Whether time was up before the limit, here or on the clock that this one has a share of."""
        return self._interrupted or (self._within is not None and self._within.interrupted)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @property
    def left_s(self) -> float:
        """Seconds left, at least 0; inf without a limit."""
        return 0.0 if self.interrupted else max(0.0, self._limit_s - self.seconds)

    @property
    def expired(self) -> bool:
        """Whether the limit is reached."""
        return self.left_s == 0.0
