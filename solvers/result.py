"""What a solve returns: proved, found and nothing are kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from solvers.problem import IntVector


class Termination(Enum):
    """Why a solve ended."""

    OPTIMAL = "optimal"  # bound meets objective
    LIMIT = "limit"  # stopped early with a network and a bound
    NOTHING = "nothing"  # stopped early without a network; the bound holds


@dataclass(frozen=True)
class Progress:
    """A moment of a solve: best cost so far (None: none yet), proved bound, seconds since the start."""

    incumbent: float | None
    bound: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Solution:
    """Chosen edges, what they cost and what is proved.

    Attributes:
        termination: See `Termination`.
        edges: Indices of the chosen edges, sorted, shape (n_chosen,); empty where there is nothing.
        objective: Their cost; inf where there is nothing.
        bound: No feasible choice costs less.
        method: "steiner" or "milp".
        backend: Engine that had the last word: "dual ascent", "highs", "scip", "cvxpy".
        seconds: Wall clock.
        versions: Version of each engine that took part.
        details: Further facts (reductions, cuts, nodes), JSON types only.
    """

    termination: Termination
    edges: IntVector
    objective: float
    bound: float
    method: str
    backend: str
    seconds: float
    versions: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
