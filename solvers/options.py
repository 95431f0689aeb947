"""Options of a solve; anything misspelt is refused, nothing falls back to a default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from solvers.errors import UnknownBackend
from solvers.registry import NAMES
from solvers.result import Progress

METHODS = ("auto", "steiner", "milp")


@dataclass(frozen=True)
class Options:
    """How to solve.

    Attributes:
        method: "steiner" (reductions, dual ascent, cuts: the fast exact path), "milp" (acyclic flow), "auto".
        backend: "highs", "scip", "cvxpy" or "auto"; which engine solves linear and integer programs.
        time_limit_s: Wall clock in seconds, >= 0; None: no limit.
        seed: Of the engine's random decisions and of tie-breaking in heuristics.
        on_progress: Called with a `Progress` whenever incumbent or bound improves.
    """

    method: str = "auto"
    backend: str = "auto"
    time_limit_s: float | None = None
    seed: int = 0
    on_progress: Callable[[Progress], None] | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UnknownBackend(f"expected method to be one of {', '.join(METHODS)}, got {self.method!r}")
        if self.backend not in ("auto", *NAMES):
            raise UnknownBackend(f"expected solver to be one of auto, {', '.join(NAMES)}, got {self.backend!r}")
        if self.time_limit_s is not None and not self.time_limit_s >= 0:
            raise UnknownBackend(f"expected time_limit_s >= 0 or None, got {self.time_limit_s!r}")
