"""What a prior network is, what pruning keeps and which paths are shortest: plain Python, Warshall and networkx.

Everything here starts from (source, interaction, target) triples and names; no code of the product is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

Triple = tuple[str, int, str]


@dataclass(frozen=True)
class Simple:
    """A list of triples after the policies: no self-loops, one edge a pair, contradicting signs unknown."""

    nodes: frozenset[str]
    signs: dict[tuple[str, str], int]
    self_loops: frozenset[str]
    duplicates: frozenset[tuple[str, str]]
    sign_conflicts: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Pruned:
    """What stays and what goes."""

    nodes: frozenset[str]
    edges: frozenset[tuple[str, str]]
    unreachable: frozenset[str]
    dead_end: frozenset[str]


def simple(triples: Iterable[Triple], *, isolated: Iterable[str] = ()) -> Simple:
    """Apply the policies of reading to triples whose interactions are 1, -1 or 0."""
    triples = list(triples)
    seen: dict[tuple[str, str], set[int]] = {}
    for source, sign, target in triples:
        if source != target:
            seen.setdefault((source, target), set()).add(sign)
    copies = Counter((source, target) for source, _, target in triples if source != target)
    conflicts = {pair for pair, signs in seen.items() if {1, -1} <= signs}
    return Simple(
        nodes=frozenset({name for source, _, target in triples for name in (source, target)} | set(isolated)),
        signs={pair: 0 if pair in conflicts else sum(signs) for pair, signs in seen.items()},
        self_loops=frozenset(source for source, _, target in triples if source == target),
        duplicates=frozenset(pair for pair, count in copies.items() if count > 1 and pair not in conflicts),
        sign_conflicts=frozenset(conflicts),
    )


def warshall(nodes: Iterable[str], edges: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """For each vertex the vertices that it reaches, itself included, by Warshall's transitive closure."""
    nodes = sorted(nodes)
    reach = {name: {name} for name in nodes}
    for source, target in edges:
        reach[source].add(target)
    for middle in nodes:
        for start in nodes:
            if middle in reach[start]:
                reach[start] |= reach[middle]
    return reach


def pruned(graph: Simple, inputs: Iterable[str], outputs: Iterable[str]) -> Pruned:
    """Vertices on a walk from an input to an output, and all edges among them."""
    reach = warshall(graph.nodes, graph.signs)
    starts, ends = set(inputs) & graph.nodes, set(outputs) & graph.nodes
    fed = {name for name in graph.nodes if any(name in reach[start] for start in starts)}
    useful = {name for name in graph.nodes if reach[name] & ends}
    kept = fed & useful
    return Pruned(
        nodes=frozenset(kept),
        edges=frozenset((source, target) for source, target in graph.signs if {source, target} <= kept),
        unreachable=frozenset(graph.nodes - fed),
        dead_end=frozenset(fed - useful),
    )


def digraph(n_nodes: int, sources: Iterable[int], targets: Iterable[int]) -> nx.DiGraph:
    """The networkx graph of integer edges."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n_nodes))
    graph.add_edges_from((int(source), int(target)) for source, target in zip(sources, targets, strict=True))
    return graph


def longest_levels(graph: nx.DiGraph) -> list[int]:
    """For each vertex of an acyclic graph the length of the longest path that ends in it."""
    return [
        nx.dag_longest_path_length(graph.subgraph(nx.ancestors(graph, vertex) | {vertex})) for vertex in sorted(graph)
    ]


def smallest_first_order(graph: nx.DiGraph) -> list[int]:
    """The topological order that always takes the smallest free vertex."""
    return list(nx.lexicographical_topological_sort(graph))


def shortest_path_union(graph: nx.DiGraph, inputs: Iterable[str], output: str) -> set[tuple[str, str]]:
    """Edges of all shortest paths from each input to the output."""
    paths = [path for start in inputs for path in nx.all_shortest_paths(graph, start, output)]
    return {(tail, head) for path in paths for tail, head in pairwise(path)}


def nearest_output(graph: nx.DiGraph, start: str, outputs: Iterable[str]) -> int | None:
    """Number of edges from a vertex to the output nearest to it; None where it reaches none."""
    distance = nx.single_source_shortest_path_length(graph, start)
    return min((distance[end] for end in outputs if end in distance), default=None)
