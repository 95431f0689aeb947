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
leaves it spans an arborescence of the original network.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from solvers.problem import IntVector

TESTS = ("attach", "served", "forced", "dominance")


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
    successors: list[list[int]],
    predecessors: list[list[int]],
    inputs: IntVector,
    root: int,
    *,
    only: Collection[str] = TESTS,
) -> ReducedTerminals:
    """Apply attach, served, forced until nothing changes, then dominance, then again.

    Args:
        successors: Heads of the edges out of each vertex.
        predecessors: Tails of the edges into each vertex.
        inputs: Terminals to begin with.
        root: The root.
        only: The tests to apply, of `TESTS`.
    """
    state = _State(successors, predecessors, inputs, root, only)
    state.settle()
    return state.result()


class _State:
    """Leaves that still ask, with their ways; terminals; core. A change is passed on to those it concerns only."""

    def __init__(
        self,
        successors: list[list[int]],
        predecessors: list[list[int]],
        inputs: IntVector,
        root: int,
        only: Collection[str],
    ) -> None:
        self.successors, self.predecessors, self.only = successors, predecessors, only
        members = inputs.tolist()
        self.leaves = {vertex: set(successors[vertex]) for vertex in members if not predecessors[vertex]}
        self.terminals = {vertex for vertex in members if predecessors[vertex]}
        self.core = {root}
        self.n_forced = self.n_dominated = 0

    def settle(self) -> None:
        """Apply the tests until none changes anything."""
        self._attach(min(self.core))
        for vertex in sorted(self.core | self.terminals):
            self._serve(vertex)
        while True:
            self._force()
            if "dominance" not in self.only:
                return
            kept = undominated(self.leaves)
            if len(kept) == len(self.leaves):
                return
            self.n_dominated += len(self.leaves) - len(kept)
            self.leaves = kept

    def result(self) -> ReducedTerminals:
        """What is left."""
        return ReducedTerminals(
            core=frozenset(self.core),
            terminals=tuple(sorted(self.terminals)),
            leaves=tuple(sorted(self.leaves)),
            n_forced=self.n_forced,
            n_dominated=self.n_dominated,
        )

    def _attach(self, start: int) -> None:
        """Move terminals with a way to a vertex of the core into the core, and on through them."""
        if "attach" not in self.only:
            return
        queue = [start]
        while queue:
            for tail in self.predecessors[queue.pop()]:
                if tail in self.terminals:
                    self.terminals.discard(tail)
                    self.core.add(tail)
                    queue.append(tail)

    def _serve(self, vertex: int) -> None:
        """Drop the leaves with a way to a vertex that is in every answer."""
        if "served" in self.only:
            for leaf in self.predecessors[vertex]:
                self.leaves.pop(leaf, None)

    def _force(self) -> None:
        """Make the only way of a leaf a terminal. It serves that leaf and all others with a way to it.

        Which leaves have one way left never changes, since ways are those of the network, so one look is enough.
        """
        if "forced" not in self.only:
            return
        for leaf in sorted(self.leaves):
            ways = self.leaves.get(leaf, ())
            if len(ways) != 1:
                continue
            (vertex,) = ways
            if vertex in self.core or vertex in self.terminals:
                self.leaves.pop(leaf)
                continue
            self.n_forced += 1
            self.leaves.pop(leaf)
            self.terminals.add(vertex)
            self._serve(vertex)
            if "attach" in self.only and not self.core.isdisjoint(self.successors[vertex]):
                self.terminals.discard(vertex)
                self.core.add(vertex)
                self._attach(vertex)


def undominated(ways: dict[int, set[int]]) -> dict[int, set[int]]:
    """One key of each inclusion-minimal set: the lowest among equal ones.

    Supersets of a set are found by intersecting, the rarest member first, the lists of those that hold each member;
    mostly nothing but the set itself is left after two or three.

    Args:
        ways: Sets that are not empty.
    """
    holders: dict[int, set[int]] = {}
    for key in sorted(ways):
        for member in ways[key]:
            holders.setdefault(member, set()).add(key)
    dropped: set[int] = set()
    for key in sorted(ways, key=lambda key: (len(ways[key]), key)):
        if key in dropped:
            continue
        rarest_first = sorted(ways[key], key=lambda member: (len(holders[member]), member))
        supersets = holders[rarest_first[0]]
        for member in rarest_first[1:]:
            supersets = supersets & holders[member]
            if len(supersets) == 1:
                break
        if len(supersets) > 1:
            dropped |= supersets
            dropped.discard(key)
    return {key: members for key, members in ways.items() if key not in dropped}


_undominated = undominated  # the name under which other modules know it
