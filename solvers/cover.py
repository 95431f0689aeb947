"""From any covering set of edges to an acyclic one without redundant edges."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from solvers.arrays import neighbours, reachable
from solvers.problem import IntVector, Problem


def tidy(problem: Problem | Roles, edges: IntVector) -> IntVector:
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
        kept += ears(problem, edges, fed, unfed)
    return np.unique(np.array(kept, dtype=np.int64))


def _shortest_way_out(problem: Problem | Roles, edges: IntVector, tails: IntVector, heads: IntVector) -> list[int]:
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


def _follow(problem: Problem | Roles, way_out: list[int]) -> tuple[list[int], list[bool]]:
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


def ears(problem: Problem | Roles, edges: IntVector, fed: list[bool], unfed: list[int]) -> list[int]:
    """Shortest paths from the fed vertices to the unfed outputs, as edges; their inner vertices are not fed before."""
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


def settle(problem: Problem, edges: IntVector, *, ordered: bool) -> IntVector:
    """Make the choice of a program a feasible one of no higher cost, as far as leaving edges out can do that.

    Args:
        problem: Costs are not looked at, except where they are negative: such edges stay.
        edges: A choice that obeys the rules but may hold idle edges and, unless `ordered`, cycles.
        ordered: Whether the choice is acyclic, so that only idle edges have to go.

    Returns:
        Sorted indices, a subset of `edges`. The inputs of a sample that the choice touches stay covered, so no reward
        is lost where there is one sample.
    """
    rules = problem.rules
    if ordered:
        return _on_walks(problem, edges)
    parts = []
    for inputs, outputs in sample_roles(problem):
        touched = np.union1d(problem.sources[edges], problem.targets[edges])
        asked = inputs[np.isin(inputs, touched)]
        held = np.zeros(0, dtype=np.int64)
        if rules.min_routes > 1:  # inputs have no edges into them here, and keep all their ways out
            held = edges[np.isin(problem.sources[edges], inputs)]
            asked = np.unique(problem.targets[held])  # outputs among them are fed
        parts += [held, tidy(_with_roles(problem, asked, outputs), edges)]
    return np.unique(np.concatenate(parts))


def sample_roles(problem: Problem) -> list[tuple[IntVector, IntVector]]:
    """Inputs and outputs of each sample; of the problem where it has no samples."""
    samples = problem.rules.samples
    if not samples:
        return [(problem.inputs, problem.outputs)]
    return [(np.array(sample.inputs, dtype=np.int64), np.array(sample.outputs)) for sample in samples]


@dataclass(frozen=True, eq=False)
class Roles:
    """What `tidy` looks at of a problem, with other inputs, of which there may be none."""

    n_vertices: int
    sources: IntVector
    targets: IntVector
    inputs: IntVector
    outputs: IntVector


def _with_roles(problem: Problem, inputs: IntVector, outputs: IntVector) -> Roles:
    return Roles(problem.n_vertices, problem.sources, problem.targets, inputs, outputs)


def _on_walks(problem: Problem, edges: IntVector) -> IntVector:
    """The edges on walks from an input to an output of one sample."""
    return union_of(on_walks(problem, edges, *roles) for roles in sample_roles(problem))


def on_walks(problem: Problem, edges: IntVector, inputs: IntVector, outputs: IntVector) -> IntVector:
    """The edges on walks from one of the inputs to one of the outputs."""
    tails, heads = problem.sources[edges], problem.targets[edges]
    fed = reachable(problem.n_vertices, tails, heads, inputs)
    out = reachable(problem.n_vertices, heads, tails, outputs)
    return edges[fed[tails] & out[heads]]


def union_of(parts: Iterable[IntVector]) -> IntVector:
    """Edges of any of the parts, sorted."""
    return np.unique(np.concatenate([*parts, np.zeros(0, dtype=np.int64)]))


def covers(problem: Problem, edges: IntVector) -> bool:
    """Whether every input reaches an output and every output is reached from an input over these edges."""
    tails, heads = problem.sources[edges], problem.targets[edges]
    out = reachable(problem.n_vertices, heads, tails, problem.outputs)
    into = reachable(problem.n_vertices, tails, heads, problem.inputs)
    return bool(out[problem.inputs].all() and into[problem.outputs].all())
