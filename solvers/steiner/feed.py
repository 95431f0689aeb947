"""See to the outputs after every input has been joined to one of them."""

from __future__ import annotations

import heapq

import numpy as np

from solvers.arrays import grouped
from solvers.cover import tidy
from solvers.problem import IntVector, Problem

TRIES = 200  # exchanges looked at for one output: enough for real receptors, bounded for hubs


def feed_outputs(problem: Problem, edges: IntVector) -> IntVector:
    """Edges that cover inputs and outputs, acyclic and without redundancy.

    In a forest each vertex keeps one way out. An output that no way reaches is fed, where possible, by turning the way
    of a vertex with an edge to it: that costs the same if its ways do, and is accepted only if no other output goes
    hungry and the cost does not rise. Outputs that remain are fed by further edges.

    Args:
        problem: All edges on input-to-output walks.
        edges: Edges that join every input to some output.

    Returns:
        Sorted edge indices.
    """
    best = tidy(problem, edges)
    for output in problem.outputs.tolist():
        if output not in set(problem.targets[best].tolist()):
            best = _turn_towards(problem, best, output)
    if len(np.setdiff1d(problem.outputs, problem.targets[best])):
        best = tidy(problem, _with_ears(problem, best))
    return best


def _turn_towards(problem: Problem, edges: IntVector, output: int) -> IntVector:
    order, first = grouped(problem.n_vertices, problem.targets)
    fed = np.intersect1d(problem.outputs, problem.targets[edges])
    cost = problem.costs[edges].sum()
    way_out = {int(problem.sources[edge]): int(edge) for edge in edges}
    for edge in order[first[output] : first[output + 1]][:TRIES].tolist():
        vertex = int(problem.sources[edge])
        if vertex not in way_out:
            continue
        turned = tidy(problem, np.append(edges[edges != way_out[vertex]], edge))
        now_fed = np.intersect1d(problem.outputs, problem.targets[turned])
        if len(now_fed) > len(fed) and problem.costs[turned].sum() <= cost:
            return turned
    return edges


def _with_ears(problem: Problem, edges: IntVector) -> IntVector:
    """The edges with, for each hungry output, a cheapest path from what an input reaches."""
    order, first = grouped(problem.n_vertices, problem.sources)
    heads, costs = problem.targets.tolist(), problem.costs.tolist()
    touched = np.unique(np.concatenate([problem.sources[edges], problem.targets[edges], problem.inputs]))
    distance = dict.fromkeys(touched.tolist(), 0.0)
    way_in: dict[int, int] = {}
    queue = [(0.0, vertex) for vertex in touched.tolist()]
    heapq.heapify(queue)
    while queue:
        reached, vertex = heapq.heappop(queue)
        if reached > distance[vertex]:
            continue
        for edge in order[first[vertex] : first[vertex + 1]].tolist():
            length = reached + costs[edge]
            if length < distance.get(heads[edge], np.inf):
                distance[heads[edge]] = length
                way_in[heads[edge]] = edge
                heapq.heappush(queue, (length, heads[edge]))
    added = set(edges.tolist())
    for vertex in problem.outputs.tolist():
        while vertex in way_in:
            added.add(way_in[vertex])
            vertex = int(problem.sources[way_in[vertex]])
    return np.array(sorted(added), dtype=np.int64)
