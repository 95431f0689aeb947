"""The cheapest covering network by enumeration of all edge subsets: slow, plain, and without any code of the product.

A problem is anything with n_vertices, sources, targets, inputs, outputs and costs. Sets of edges and of vertices are
bit masks: bit i stands for edge i or vertex i.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-9
MAX_EDGES = 14


@dataclass(frozen=True)
class Cover:
    """The least cost of a feasible edge set and every feasible edge set that costs no more."""

    objective: float
    edge_sets: tuple[frozenset[int], ...]


def cheapest_cover(problem: Any) -> Cover | None:
    """Try all subsets of edges in order of their cost; None where no subset is feasible.

    Feasible: acyclic, every input reaches an output, every output is reached from an input, and every edge lies on
    a walk from an input to an output, all within the subset.
    """
    edges = _edges(problem)
    if len(edges) > MAX_EDGES:
        raise ValueError(f"expected at most {MAX_EDGES} edges to enumerate, got {len(edges)}")
    best: float | None = None
    found: list[frozenset[int]] = []
    for cost, chosen in _subsets_by_cost([float(cost) for cost in problem.costs]):
        if best is not None and cost > best + TOLERANCE:
            break
        if not broken_rules(problem, chosen, edges=edges):
            best = cost if best is None else best
            found.append(frozenset(chosen))
    return None if best is None else Cover(best, tuple(found))


def broken_rules(problem: Any, chosen: Iterable[int], *, edges: list[tuple[int, int]] | None = None) -> frozenset[str]:
    """Which of the rules "input", "output", "cycle" and "path" a set of edges breaks."""
    edges = _edges(problem) if edges is None else edges
    kept = [edges[index] for index in chosen]
    inputs, outputs = _mask(problem.inputs), _mask(problem.outputs)
    fed = _closure(kept, inputs)
    useful = _closure([(head, tail) for tail, head in kept], outputs)
    broken = set()
    if inputs & ~useful:
        broken.add("input")
    if outputs & ~fed:
        broken.add("output")
    if any(not (fed >> tail & 1 and useful >> head & 1) for tail, head in kept):
        broken.add("path")
    if _has_cycle(kept):
        broken.add("cycle")
    return frozenset(broken)


def uncoverable(problem: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Inputs that reach no output and outputs that no input reaches, with all edges at hand."""
    edges = _edges(problem)
    fed = _closure(edges, _mask(problem.inputs))
    useful = _closure([(head, tail) for tail, head in edges], _mask(problem.outputs))
    return (
        tuple(sorted(int(vertex) for vertex in problem.inputs if not useful >> int(vertex) & 1)),
        tuple(sorted(int(vertex) for vertex in problem.outputs if not fed >> int(vertex) & 1)),
    )


def has_cycle(problem: Any) -> bool:
    """Whether all edges together hold a directed cycle."""
    return _has_cycle(_edges(problem))


def _subsets_by_cost(costs: list[float]) -> list[tuple[float, list[int]]]:
    totals = [0.0]
    for cost in costs:  # totals[mask] is the cost of the edges in mask
        totals += [total + cost for total in totals]
    order = sorted(range(len(totals)), key=totals.__getitem__)
    return [(totals[mask], [index for index in range(len(costs)) if mask >> index & 1]) for mask in order]


def _edges(problem: Any) -> list[tuple[int, int]]:
    return [(int(tail), int(head)) for tail, head in zip(problem.sources, problem.targets, strict=True)]


def _mask(vertices: Iterable[int]) -> int:
    return sum(1 << vertex for vertex in {int(vertex) for vertex in vertices})


def _closure(edges: list[tuple[int, int]], start: int) -> int:
    reached, before = start, -1
    while reached != before:
        before = reached
        for tail, head in edges:
            if reached >> tail & 1:
                reached |= 1 << head
    return reached


def _has_cycle(edges: list[tuple[int, int]]) -> bool:
    """Take edges into which nothing leads any more away, until none is left or none can be taken."""
    while edges:
        heads = {head for _, head in edges}
        rest = [(tail, head) for tail, head in edges if tail in heads]
        if len(rest) == len(edges):
            return True
        edges = rest
    return False
