"""Random networks that stand in for a real one: of its shape, its degrees or its size, and nothing else.

May import `graphnn.extract` and what that may.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graphnn.extract.dag import Dag, Proof
from graphnn.graph.prior import PriorGraph

IntVector = npt.NDArray[np.int64]

SWEEPS = 20  # times that as many exchanges are tried as there are edges
Edge = tuple[int, int, int]  # source, interaction, target


def rewired(dag: Dag, *, seed: int = 0) -> Dag:
    """Exchange the ends of edges at random; every vertex keeps the number of edges into it and out of it.

    Two edges a -> b and c -> d become a -> d and c -> b where neither exists and both agree with a topological order,
    so the network stays simple and acyclic, and, as degrees stay, every vertex stays on an input-to-output path. Each
    sweep draws a new order that the network then has. An edge keeps the interaction that it had at its source.

    What is drawn, in the limit of many sweeps, is a pair of a network and an order of it, roughly all pairs alike; so
    networks with many orders come more often than those with few (a chain has one).

    Args:
        dag: The network.
        seed: Of the draw, >= 0.

    Returns:
        A network with the same vertices, roles and degrees; the depth may differ. A network that allows no exchange
        comes back as it is. `proof.details["moved"]` is the share of its edges that the given network has not.

    Reference:
        S. Maslov, K. Sneppen, "Specificity and stability in topology of protein networks", Science 296 (2002) 910-913,
        doi:10.1126/science.1065103; with orders as in B. Karrer, M. E. J. Newman, "Random graph models for directed
        acyclic networks", Physical Review E 80 (2009) 046110, doi:10.1103/PhysRevE.80.046110.

    Example:
        >>> edges = [("x1", 1, "a"), ("x2", 1, "b"), ("a", 1, "y"), ("b", 1, "y")]
        >>> dag = Dag.from_graph(PriorGraph.from_sif_tuples(edges), ["x1", "x2"], ["y"])
        >>> sorted({rewired(dag, seed=seed) == dag for seed in range(9)})
        [False, True]
    """
    draw = np.random.default_rng((seed, 17))
    graph = dag.graph
    source, target = graph.sources.tolist(), graph.targets.tolist()
    sign = graph.interactions.tolist()
    n_edges = len(source)
    there = set(zip(source, target, strict=True))
    for _ in range(SWEEPS):
        place = _random_order(graph.n_nodes, source, target, draw)
        pairs = draw.integers(0, n_edges, size=(n_edges, 2)).tolist()
        for i, j in pairs:
            a, b, c, d = source[i], target[i], source[j], target[j]
            if b == d or a == c or place[a] >= place[d] or place[c] >= place[b]:
                continue
            if (a, d) in there or (c, b) in there:
                continue
            there -= {(a, b), (c, d)}
            there |= {(a, d), (c, b)}
            target[i], target[j] = d, b
    found = list(zip(source, sign, target, strict=True))
    return _network(dag, found, "exchanging the ends of edges at random, degrees kept")


def dealt(dag: Dag, *, seed: int = 0) -> Dag:
    """The same wiring, its inputs' names dealt out anew at random: the shape stays, what is measured where does not.

    Args:
        dag: The network.
        seed: Of the draw, >= 0.

    Returns:
        A network with the same vertices, roles and shape. `proof.details["moved"]` as in `rewired`.

    Example:
        >>> edges = [("x1", 1, "a"), ("x2", 1, "b"), ("a", 1, "y"), ("b", 1, "y")]
        >>> dag = Dag.from_graph(PriorGraph.from_sif_tuples(edges), ["x1", "x2"], ["y"])
        >>> sorted({dealt(dag, seed=seed).graph.to_sif_tuples()[2][2] for seed in range(9)})
        ['a', 'b']
    """
    graph = dag.graph
    names = graph.indices(dag.inputs)
    place = np.arange(graph.n_nodes)
    place[names] = np.random.default_rng((seed, 37)).permutation(names)
    ends = (place[graph.sources].tolist(), graph.interactions.tolist(), place[graph.targets].tolist())
    return _network(dag, list(zip(*ends, strict=True)), "dealing its inputs out anew at random")


def random_wiring(dag: Dag, *, seed: int = 0) -> Dag:
    """Wire the vertices of a network anew at random, with as many edges; no degree is kept.

    Hidden vertices are put into a random order. Each hidden vertex and each output then gets an edge from a vertex
    before it, one that has no edge yet where there is such; each vertex that has none then gets one to a vertex behind
    it; edges that are still left lead from any vertex to any one behind it. So every vertex is on an input-to-output
    path. The networks are not drawn with equal probability each.

    Args:
        dag: The network.
        seed: Of the draw, >= 0.

    Returns:
        A network with the same vertices and roles and as many edges. Where so many do not fit (inputs that have edges
        into them, which these networks do not have) there are as many as fit.

    Example:
        >>> edges = [("x1", 1, "a"), ("x2", 1, "b"), ("a", 1, "y"), ("b", 1, "y")]
        >>> dag = Dag.from_graph(PriorGraph.from_sif_tuples(edges), ["x1", "x2"], ["y"])
        >>> random_wiring(dag, seed=1).graph.shape
        (5, 4)
    """
    draw = np.random.default_rng((seed, 19))
    graph = dag.graph
    inputs, outputs = graph.indices(dag.inputs).tolist(), graph.indices(dag.outputs).tolist()
    hidden = draw.permutation(graph.indices(dag.hidden)).tolist()
    behind = [*hidden, *outputs]  # a vertex may lead to every one of these that stands behind it, outputs to none
    place = {vertex: i for i, vertex in enumerate(behind)}
    edges: set[tuple[int, int]] = set()
    idle, before = list(inputs), list(inputs)
    for vertex in behind:
        pool = idle or before
        at = int(draw.integers(len(pool)))
        edges.add((pool[at], vertex))
        if idle:
            idle[at] = idle[-1]
            idle.pop()
        if place[vertex] < len(hidden):
            idle.append(vertex)
            before.append(vertex)
    for vertex in idle:
        first = place.get(vertex, -1) + 1
        edges.add((vertex, behind[int(draw.integers(first, len(behind)))]))
    sources = [*inputs, *hidden]
    room = len(inputs) * len(behind) + sum(len(behind) - 1 - i for i in range(len(hidden)))
    while len(edges) < min(graph.n_edges, room):
        vertex = sources[int(draw.integers(len(sources)))]
        first = place.get(vertex, -1) + 1
        edges.add((vertex, behind[int(draw.integers(first, len(behind)))]))
    signs = draw.permutation(graph.interactions)[: len(edges)].tolist()
    signs += [0] * (len(edges) - len(signs))
    found = [(a, sign, b) for (a, b), sign in zip(sorted(edges), signs, strict=True)]
    return _network(dag, found, "wiring its vertices at random, with as many edges")


def _network(dag: Dag, edges: Sequence[Edge], how: str) -> Dag:
    names = dag.graph.nodes
    given = set(zip(dag.graph.sources.tolist(), dag.graph.targets.tolist(), strict=True))
    moved = sum((source, target) not in given for source, _, target in edges) / len(edges)
    graph = PriorGraph.from_sif_tuples([(names[a], sign, names[b]) for a, sign, b in edges])
    proof = Proof("drawn", "constructed", float(len(edges)), None, how, "none", details={"moved": moved})
    return Dag.from_graph(graph, dag.inputs, dag.outputs, proof=proof)


def _random_order(n_nodes: int, source: Sequence[int], target: Sequence[int], draw: np.random.Generator) -> list[int]:
    """Place of each vertex in a topological order, drawn by taking what is free at random."""
    key = draw.random(n_nodes).tolist()
    waiting = [0] * n_nodes
    following: list[list[int]] = [[] for _ in range(n_nodes)]
    for a, b in zip(source, target, strict=True):
        following[a].append(b)
        waiting[b] += 1
    free = [(key[vertex], vertex) for vertex in range(n_nodes) if not waiting[vertex]]
    heapq.heapify(free)
    place, n_placed = [0] * n_nodes, 0
    while free:
        _, vertex = heapq.heappop(free)
        place[vertex], n_placed = n_placed, n_placed + 1
        for follower in following[vertex]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(free, (key[follower], follower))
    return place
