"""See to the outputs after every input has been joined to one of them.

Joining the outputs in one root forgets that each of them has to be reached. In the node form this is put back as far
as vertices go: for every output a vertex of cost 0 is added that must reach the root and whose ways lead to the
vertices with an edge to the output. Any network that feeds the output holds one of those, so the bound stays valid.
"""

from __future__ import annotations

import heapq
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from solvers.arrays import grouped
from solvers.cover import tidy
from solvers.problem import BoolVector, FloatVector, IntVector, Problem
from solvers.steiner.instance import Rooted

TRIES = 200  # exchanges looked at for one output: enough for real receptors, bounded for hubs


def with_feeders(problem: Problem, graph: Rooted) -> Rooted:
    """The rooted graph with one more input for each output, that asks for a vertex with an edge to it.

    An output that has an edge from another output is left out: that edge may feed it. The added edges have index -1
    in `edges` and cost 0; added vertices come after the root.
    """
    is_output = np.zeros(problem.n_vertices, dtype=bool)
    is_output[problem.outputs] = True
    fed_by_output = problem.targets[is_output[problem.sources]]
    asking = np.setdiff1d(problem.outputs, fed_by_output)
    number = np.full(problem.n_vertices, -1)
    number[asking] = graph.n_vertices + np.arange(len(asking))
    into = np.flatnonzero(number[problem.targets] >= 0)
    pairs = np.unique(np.stack([number[problem.targets[into]], problem.sources[into]], axis=1), axis=0)
    return replace(
        graph,
        n_vertices=graph.n_vertices + len(asking),
        edges=np.concatenate([graph.edges, np.full(len(pairs), -1)]),
        tails=np.concatenate([graph.tails, pairs[:, 0]]),
        heads=np.concatenate([graph.heads, pairs[:, 1]]),
        costs=np.concatenate([graph.costs, np.zeros(len(pairs))]),
        inputs=np.concatenate([graph.inputs, number[asking]]),
    )


def edges_among(problem: Problem, chosen: BoolVector, cost: FloatVector) -> IntVector:
    """Edges by which a chosen vertex goes on to another or to an output.

    Args:
        problem: Ways out of a vertex cost the same, but for dearer edges beside a cheaper one.
        chosen: Shape (n_vertices,).
        cost: What leaving each vertex costs, shape (n_vertices,); dearer edges are left out.
    """
    is_output = np.zeros(problem.n_vertices, dtype=bool)
    is_output[problem.outputs] = True
    tails, heads = problem.sources, problem.targets
    leads_on = chosen[tails] & ~is_output[tails] & (chosen[heads] | is_output[heads])
    return np.flatnonzero(leads_on & (problem.costs <= cost[tails]))


def feed_outputs(problem: Problem, edges: IntVector) -> IntVector:
    """Edges that cover inputs and outputs, acyclic and without redundancy.

    In a forest each vertex keeps one way out. Where outputs go hungry, each is given a vertex of its own with an edge
    to it, inputs first since they are always fed, and the way of that vertex is turned to it. Everything that went
    through the vertex still arrives, at that output. Outputs that are still hungry are fed by further edges.

    Args:
        problem: All edges on input-to-output walks.
        edges: Edges that join every input to some output; ways to turn to are among them.

    Returns:
        Sorted edge indices.
    """
    best = tidy(problem, edges)
    if len(problem.outputs) > 1:
        best = min(
            (best, tidy(problem, _one_vertex_each(problem, edges))),
            key=lambda found: (len(_hungry(problem, found)), problem.costs[found].sum()),
        )
    for output in _hungry(problem, best).tolist():
        best = _turn_towards(problem, best, output)
    if len(_hungry(problem, best)):
        best = tidy(problem, _with_ears(problem, best))
    return best


def _hungry(problem: Problem, edges: IntVector) -> IntVector:
    """Outputs into which none of the edges leads."""
    return np.setdiff1d(problem.outputs, problem.targets[edges])


def _one_vertex_each(problem: Problem, edges: IntVector) -> IntVector:
    """The edges less those that a vertex given to an output has besides the edge to that output."""
    number = np.full(problem.n_vertices, -1)
    number[problem.outputs] = np.arange(len(problem.outputs))
    is_input = np.zeros(problem.n_vertices, dtype=bool)
    is_input[problem.inputs] = True
    into = edges[number[problem.targets[edges]] >= 0]
    given: dict[int, int] = {}  # output: vertex
    for only_inputs in (True, False):
        taken = set(given.values())
        fits = np.array(
            [number[problem.targets[edge]] not in given and int(problem.sources[edge]) not in taken for edge in into],
            bool,
        )
        usable = into[fits & (is_input[problem.sources[into]] if only_inputs else True)]
        shape = (len(problem.outputs), problem.n_vertices)
        ones = np.ones(len(usable), dtype=np.int8)
        match = maximum_bipartite_matching(
            csr_array((ones, (number[problem.targets[usable]], problem.sources[usable])), shape=shape),
            perm_type="column",
        )
        given |= {output: int(vertex) for output, vertex in enumerate(match) if vertex >= 0}
    own = np.full(problem.n_vertices, -1)
    for output, vertex in given.items():
        own[vertex] = problem.outputs[output]
    free = own[problem.sources[edges]] < 0
    return edges[free | (own[problem.sources[edges]] == problem.targets[edges])]


def _turn_towards(problem: Problem, edges: IntVector, output: int) -> IntVector:
    """Turn the way of one vertex to the output, if no other goes hungry by it and it costs nothing."""
    order, first = grouped(problem.n_vertices, problem.targets)
    hungry = len(_hungry(problem, edges))
    cost = problem.costs[edges].sum()
    way_out = {int(problem.sources[edge]): int(edge) for edge in edges}
    for edge in order[first[output] : first[output + 1]][:TRIES].tolist():
        vertex = int(problem.sources[edge])
        if vertex not in way_out:
            continue
        turned = tidy(problem, np.append(edges[edges != way_out[vertex]], edge))
        if len(_hungry(problem, turned)) < hungry and problem.costs[turned].sum() <= cost:
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
