"""Drawn problems with their optimum, enumerated once and shared by the tests of all engines."""

from __future__ import annotations

from functools import lru_cache

from solvers.problem import Problem
from tests.oracles.cover import Cover, cheapest_cover
from tests.oracles.strategies import drawn_problems

Solved = tuple[Problem, Cover]


@lru_cache
def solved_problems(
    count: int,
    *,
    seed: int,
    max_edges: int = 10,
    costs: str = "unit",
    n_outputs: int | None = None,
    parallel: bool = False,
    acyclic: bool = False,
) -> tuple[Solved, ...]:
    """So many drawn problems, each with the cheapest cover that enumeration finds."""
    problems = drawn_problems(
        count, seed=seed, max_edges=max_edges, costs=costs, n_outputs=n_outputs, parallel=parallel, acyclic=acyclic
    )
    return tuple((problem, cheapest_cover(problem)) for problem in problems)
