"""From any covering set of edges to an acyclic one without redundant edges."""

from __future__ import annotations

from collections import deque

import numpy as np

from solvers.arrays import neighbours, reachable
from solvers.problem import IntVector, Problem


def tidy(problem: Problem, edges: IntVector) -> IntVector:
    """Choose, among covering edges, an acyclic cover; with costs >= 0 it costs no more.

    First every vertex keeps the edge that begins its shortest way to an output (fewest edges, then the lowest edge
    index), as far as inputs need it: a forest. Then each output that the forest does not feed is joined to it by a
    shortest path whose inner vertices are new. Such a path leaves the forest and never returns, so no cycle arises.

    Args:
        problem: Costs are not looked at.
        edges: Indices of edges that cover all inputs and outputs, cyclic or not.

    Returns:
        Sorted indices, a subset of `edges`.
    """
    edges = np.unique(edges)
    tails, heads = problem.sources[edges], problem.targets[edges]
    way_out = _shortest_way_out(problem, edges, tails, heads)
    kept, fed = _follow(problem, way_out)
    unfed = [output for output in problem.outputs.tolist() if not fed[output]]
    if unfed:
        kept += _ears(problem, edges, fed, unfed)
    return np.unique(np.array(kept, dtype=np.int64))


def _shortest_way_out(problem: Problem, edges: IntVector, tails: IntVector, heads: IntVector) -> list[int]:
    """For each vertex the edge that begins its shortest way to an output; -1 for outputs and where there is none."""
    into = neighbours(problem.n_vertices, heads, np.arange(len(edges)))
    way_out = [-1] * problem.n_vertices
    seen = [False] * problem.n_vertices
    queue = deque(problem.outputs.tolist())
    for output in queue:
        seen[output] = True
    while queue:
        for position in into[queue.popleft()]:
            tail = int(tails[position])
            if not seen[tail]:
                seen[tail] = True
                way_out[tail] = int(edges[position])
                queue.append(tail)
    return way_out


def _follow(problem: Problem, way_out: list[int]) -> tuple[list[int], list[bool]]:
    """Edges on the ways of the inputs, and the vertices that those touch."""
    kept: list[int] = []
    fed = [False] * problem.n_vertices
    for vertex in problem.inputs.tolist():
        while not fed[vertex]:
            fed[vertex] = True
            edge = way_out[vertex]
            if edge < 0:
                break
            kept.append(edge)
            vertex = int(problem.targets[edge])
    return kept, fed


def _ears(problem: Problem, edges: IntVector, fed: list[bool], unfed: list[int]) -> list[int]:
    """Shortest paths from the fed vertices to the unfed outputs."""
    out_of = neighbours(problem.n_vertices, problem.sources[edges], np.arange(len(edges)))
    way_in = [-1] * problem.n_vertices
    seen = list(fed)
    queue = deque(vertex for vertex in range(problem.n_vertices) if fed[vertex])
    while queue:
        for position in out_of[queue.popleft()]:
            head = int(problem.targets[edges[position]])
            if not seen[head]:
                seen[head] = True
                way_in[head] = int(edges[position])
                queue.append(head)
    kept: list[int] = []
    for vertex in unfed:
        while not fed[vertex] and way_in[vertex] >= 0:
            fed[vertex] = True
            kept.append(way_in[vertex])
            vertex = int(problem.sources[way_in[vertex]])
    return kept


def covers(problem: Problem, edges: IntVector) -> bool:
    """Whether every input reaches an output and every output is reached from an input over these edges."""
    tails, heads = problem.sources[edges], problem.targets[edges]
    out = reachable(problem.n_vertices, heads, tails, problem.outputs)
    into = reachable(problem.n_vertices, tails, heads, problem.inputs)
    return bool(out[problem.inputs].all() and into[problem.outputs].all())
