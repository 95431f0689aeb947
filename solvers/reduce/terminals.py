"""Terminal reductions of the node form, where every vertex of the answer pays once for its way out.

`core` is a set of vertices that any answer can be assumed to join to the root at no further choice. Each test below
keeps an optimum:

    attach    a terminal with a way to the core pays its cost in any answer and can take that way: it joins the core.
    served    a terminal without predecessors (a leaf: no other way runs through it) that has a way to the core, or
              to another terminal that is no leaf, pays its cost and takes that way: it asks for nothing more, since
              that terminal is in every answer and reaches the root without the leaf.
    forced    a leaf with one way left forces the vertex at its end into every answer: that vertex becomes a terminal.
    dominance a leaf whose ways include all ways of another leaf asks for nothing more: where that one goes it can go.
    useless   a leaf that asks for nothing more can be dropped; so can, then, vertices that no terminal reaches.

The way back needs no log: the reduced answer is a set of vertices, and together with the core, the terminals and the
leaves it spans an arborescence of the original network (`solvers.steiner.grow`).
"""

from __future__ import annotations

from dataclasses import dataclass

from solvers.problem import IntVector


@dataclass(frozen=True)
class ReducedTerminals:
    """What is left to decide.

    Attributes:
        core: Vertices that are joined to the root.
        terminals: Vertices that must still reach the core and pay in any answer (not in the core), sorted.
        leaves: Of the leaves the ones that still ask for something, sorted.
        n_forced: How many vertices were forced.
        n_dominated: How many leaves were dominated.
    """

    core: frozenset[int]
    terminals: tuple[int, ...]
    leaves: tuple[int, ...]
    n_forced: int
    n_dominated: int


def reduce_terminals(
    successors: list[list[int]], predecessors: list[list[int]], inputs: IntVector, root: int
) -> ReducedTerminals:
    """Apply attach, served, forced until nothing changes, then dominance, then again.

    Args:
        successors: Heads of the edges out of each vertex.
        predecessors: Tails of the edges into each vertex.
        inputs: Terminals to begin with.
        root: The root.
    """
    members = inputs.tolist()
    leaves = {vertex: set(successors[vertex]) for vertex in members if not predecessors[vertex]}
    terminals = {vertex for vertex in members if predecessors[vertex]}
    core = {root}
    n_forced = n_dominated = 0
    _attach(core, terminals, predecessors, [root])
    while True:
        leaves, forced = _serve(leaves, core, terminals)
        terminals |= forced
        n_forced += len(forced)
        fresh = [vertex for vertex in sorted(forced) if any(head in core for head in successors[vertex])]
        for vertex in fresh:
            if vertex in terminals:
                terminals.discard(vertex)
                core.add(vertex)
                _attach(core, terminals, predecessors, [vertex])
        if forced:
            continue
        kept = _undominated(leaves)
        if len(kept) == len(leaves):
            break
        n_dominated += len(leaves) - len(kept)
        leaves = kept
    return ReducedTerminals(
        core=frozenset(core),
        terminals=tuple(sorted(terminals)),
        leaves=tuple(sorted(leaves)),
        n_forced=n_forced,
        n_dominated=n_dominated,
    )


def _attach(core: set[int], terminals: set[int], predecessors: list[list[int]], start: list[int]) -> None:
    """Move terminals with a way to the core into the core, and on through them; changes both sets."""
    queue = list(start)
    while queue:
        for tail in predecessors[queue.pop()]:
            if tail in terminals:
                terminals.discard(tail)
                core.add(tail)
                queue.append(tail)


def _serve(leaves: dict[int, set[int]], core: set[int], terminals: set[int]) -> tuple[dict[int, set[int]], set[int]]:
    """Leaves that still ask for something, and the vertices that leaves with one way force."""
    asking = {leaf: ways for leaf, ways in leaves.items() if ways.isdisjoint(core) and ways.isdisjoint(terminals)}
    forced = {next(iter(ways)) for ways in asking.values() if len(ways) == 1}
    return {leaf: ways for leaf, ways in asking.items() if len(ways) > 1}, forced


def _undominated(leaves: dict[int, set[int]]) -> dict[int, set[int]]:
    """One leaf of each inclusion-minimal set of ways: the lowest index among equal ones."""
    by_size = sorted(leaves, key=lambda leaf: (len(leaves[leaf]), leaf))
    kept: dict[int, set[int]] = {}
    holding: dict[int, list[int]] = {}
    for leaf in by_size:
        ways = leaves[leaf]
        rivals = (rival for way in ways for rival in holding.get(way, ()))
        if any(kept[rival] <= ways for rival in rivals):
            continue
        kept[leaf] = ways
        holding.setdefault(min(ways), []).append(leaf)
    return kept
