"""What every back end receives and returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

FloatVector = npt.NDArray[np.float64]
BoolVector = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class MixedIntegerProgram:
    """Minimise cost @ x subject to row_lower <= matrix @ x <= row_upper, lower <= x <= upper, x[integer] integer.

    Attributes:
        cost: Shape (n_columns,).
        matrix: Shape (n_rows, n_columns).
        row_lower: Shape (n_rows,); -inf where there is none.
        row_upper: Shape (n_rows,); inf where there is none.
        lower: Shape (n_columns,).
        upper: Shape (n_columns,).
        integer: Shape (n_columns,).
    """

    cost: FloatVector
    matrix: csr_array
    row_lower: FloatVector
    row_upper: FloatVector
    lower: FloatVector
    upper: FloatVector
    integer: BoolVector


class Status(Enum):
    """How an engine ended, in our words; each back end has a table from its own words to these."""

    OPTIMAL = "optimal"
    LIMIT = "limit"
    INFEASIBLE = "infeasible"


@dataclass(frozen=True, eq=False)
class BackendResult:
    """What an engine found.

    Attributes:
        status: How it ended.
        x: Its best point, shape (n_columns,); None where it has none (never zeros in place of nothing).
        objective: Cost of `x`; inf where there is none.
        bound: What it proved; -inf where it proved nothing.
        engine: Its name with the engine behind it, e.g. "cvxpy/HIGHS".
    """

    status: Status
    x: FloatVector | None
    objective: float
    bound: float
    engine: str


@dataclass(frozen=True)
class EngineOptions:
    """Limits for one run, and a start.

    Attributes:
        time_limit_s: Seconds; inf: none.
        seed: Of the engine's random decisions.
        on_progress: Called with (incumbent or None, bound), perhaps from within the engine.
        stopped: Whether the run should end now, with what it has.
        start: Values of the first columns of a good point, to begin with; the engine completes it, or ignores it.
    """

    time_limit_s: float
    seed: int
    on_progress: Callable[[float | None, float], None] | None = None
    stopped: Callable[[], bool] | None = None
    start: FloatVector | None = None


class Backend(Protocol):
    """An engine for mixed integer programs."""

    name: str
    package: str

    def run(self, program: MixedIntegerProgram, options: EngineOptions) -> BackendResult:
        """Solve to optimality or to the limit."""
