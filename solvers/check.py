"""An independent check of an answer: plain Python over edge lists, no code shared with any engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from solvers.problem import Problem

RULES = ("edge index", "duplicate edge", "cycle", "uncovered input", "unfed output", "stray edge")


@dataclass(frozen=True)
class Violation:
    """A broken rule (one of `RULES`) and the vertices, or for edge rules the edge indices, that break it."""

    rule: str
    items: tuple[Any, ...]

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.items[:5])) + (", ..." if len(self.items) > 5 else "")
        return f"{self.rule}: {shown}"


def violations(problem: Problem, edges: Iterable[Any]) -> list[Violation]:
    """Every rule that a choice of edges breaks; an empty list says that it is a feasible acyclic network.

    Args:
        problem: The problem that was solved.
        edges: Chosen edge indices in any order.

    Returns:
        Violations in the order of `RULES`. With an edge index out of range nothing else can be checked.

    Example:
        >>> p = Problem(n_vertices=3, sources=[0, 1], targets=[1, 2], inputs=[0], outputs=[2])
        >>> [str(v) for v in violations(p, [0])]
        ['uncovered input: 0', 'unfed output: 2', 'stray edge: 0']
    """
    given = list(edges)
    outside = tuple(edge for edge in given if int(edge) != edge or not 0 <= edge < problem.n_edges)
    if outside:
        return [Violation("edge index", outside)]
    chosen = [int(edge) for edge in given]
    found = []
    repeated = (
        tuple(sorted({edge for edge in chosen if chosen.count(edge) > 1})) if len(set(chosen)) < len(chosen) else ()
    )
    if repeated:
        found.append(Violation("duplicate edge", repeated))
    chosen = sorted(set(chosen))
    pairs = [(int(problem.sources[edge]), int(problem.targets[edge])) for edge in chosen]
    cycle = _vertices_on_cycles(problem.n_vertices, pairs)
    if cycle:
        found.append(Violation("cycle", cycle))
    from_inputs = _reached(problem.n_vertices, pairs, problem.inputs.tolist())
    to_outputs = _reached(problem.n_vertices, [(head, tail) for tail, head in pairs], problem.outputs.tolist())
    uncovered = tuple(vertex for vertex in problem.inputs.tolist() if not to_outputs[vertex])
    if uncovered:
        found.append(Violation("uncovered input", uncovered))
    unfed = tuple(vertex for vertex in problem.outputs.tolist() if not from_inputs[vertex])
    if unfed:
        found.append(Violation("unfed output", unfed))
    stray = tuple(
        edge for edge, (tail, head) in zip(chosen, pairs, strict=True) if not (from_inputs[tail] and to_outputs[head])
    )
    if stray:
        found.append(Violation("stray edge", stray))
    return found


def cost_of(problem: Problem, edges: Iterable[Any]) -> float:
    """Cost of a choice of edges, summed exactly where costs are integers."""
    costs = [problem.costs[int(edge)] for edge in edges]
    if problem.has_integer_costs:
        return float(sum(int(cost) for cost in costs))
    return float(sum(sorted(float(cost) for cost in costs)))


def _reached(n_vertices: int, pairs: Sequence[tuple[int, int]], starts: Sequence[int]) -> list[bool]:
    successors: list[list[int]] = [[] for _ in range(n_vertices)]
    for tail, head in pairs:
        successors[tail].append(head)
    seen = [False] * n_vertices
    queue = deque(starts)
    for start in starts:
        seen[start] = True
    while queue:
        for head in successors[queue.popleft()]:
            if not seen[head]:
                seen[head] = True
                queue.append(head)
    return seen


def _vertices_on_cycles(n_vertices: int, pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Vertices left when tails and heads without a way on are peeled off: all that lie on or between cycles."""
    remaining = set(range(n_vertices))
    for forward in (True, False):
        oriented = pairs if forward else [(head, tail) for tail, head in pairs]
        waiting = [0] * n_vertices
        successors: list[list[int]] = [[] for _ in range(n_vertices)]
        for tail, head in oriented:
            if tail in remaining and head in remaining:
                waiting[head] += 1
                successors[tail].append(head)
        free = [vertex for vertex in remaining if waiting[vertex] == 0]
        while free:
            vertex = free.pop()
            remaining.discard(vertex)
            for head in successors[vertex]:
                waiting[head] -= 1
                if waiting[head] == 0:
                    free.append(head)
    return tuple(sorted(remaining))
