"""Contract what the cover rules tie together, so that only the real choices of an order are left.

Call a set of edges *kept* if it is feasible (acyclic, and every edge of it on a walk of it from an input to an
output). Groups of vertices are merged, edge by edge, with these laws. A group is *fed* if it holds an input, *out* if
it holds an output.

    dead    A group that is not fed and has no arc into it can keep no arc out of it: walks to it would have to begin
            at an input. Mirrored for groups without an arc out that are not out. With a single output its own edges
            out are in no feasible set: every walk along them would have to come back.
    merge   All arcs into a group V come from one group U, and V is not fed. If V keeps an arc out, the walk of kept
            edges that comes to it from an input enters V, hence over an arc from U. So an arc from V back to U is
            never kept, and merging V into U makes no cycle among kept arcs: such a cycle would need a second way from
            U to V, whose last arc into V would come from another group. Mirrored for groups with one way out.

By induction the kept arcs between groups are acyclic in every feasible set: a cycle of groups is a valid covering
inequality. Conversely the merged edges plus all arcs that run forward in an order of the groups are acyclic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvers.arrays import strong_components
from solvers.problem import BoolVector, IntVector, Problem


@dataclass(frozen=True, eq=False)
class Bundle:
    """Merged edges that are lost if none of some arcs is kept.

    Attributes:
        arcs: Indices of arcs, all of which begin (or all of which end) in one group.
        leaving: Whether the arcs begin in that group.
        weight: Number of edges lost without them.
    """

    arcs: tuple[int, ...]
    leaving: bool
    weight: int


@dataclass(frozen=True, eq=False)
class Contracted:
    """Groups of vertices and the arcs between them.

    Attributes:
        n_groups: Groups are numbered by one of their vertices; most numbers stand for nothing.
        tails: Group in which each arc begins, shape (n_arcs,); no two arcs have equal ends.
        heads: Group in which each arc ends, shape (n_arcs,).
        edges: Edges of the problem that each arc stands for.
        inner: Whether the arc lies inside a strongly connected component of groups, shape (n_arcs,).
        fed: Whether the group holds an input, shape (n_groups,).
        out: Whether the group holds an output, shape (n_groups,).
        lost: Edges that no feasible set holds.
        bundles: Merged edges that hang on arcs.
    """

    n_groups: int
    tails: IntVector
    heads: IntVector
    edges: tuple[tuple[int, ...], ...]
    inner: BoolVector
    fed: BoolVector
    out: BoolVector
    lost: IntVector
    bundles: tuple[Bundle, ...]

    @property
    def weights(self) -> IntVector:
        """Number of edges that each arc stands for, shape (n_arcs,)."""
        return np.array([len(edges) for edges in self.edges], dtype=np.int64)


def contract(problem: Problem) -> Contracted:
    """Merge until nothing can be merged.

    Args:
        problem: All edges on input-to-output walks.
    """
    graph = _Groups(problem)
    graph.shrink()
    return graph.result()


class _Groups:
    """Groups under contraction; `onward[u][v]` and `before[v][u]` are the edges from group u to group v."""

    def __init__(self, problem: Problem) -> None:
        count = problem.n_vertices
        self.onward: list[dict[int, list[int]]] = [{} for _ in range(count)]
        self.before: list[dict[int, list[int]]] = [{} for _ in range(count)]
        for edge, (tail, head) in enumerate(zip(problem.sources.tolist(), problem.targets.tolist(), strict=True)):
            self.onward[tail].setdefault(head, []).append(edge)
            self.before[head].setdefault(tail, []).append(edge)
        self.fed, self.out = [False] * count, [False] * count
        for vertex in problem.inputs.tolist():
            self.fed[vertex] = True
        for vertex in problem.outputs.tolist():
            self.out[vertex] = True
        self.lost: list[int] = []
        self.hanging: list[tuple[list[int], bool, int]] = []  # edges, leaving, weight
        self.queue = list(range(count))
        self.is_queued = [True] * count
        if len(problem.outputs) == 1:
            output = int(problem.outputs[0])
            for head in sorted(self.onward[output]):
                self._lose(output, head)

    def shrink(self) -> None:
        """Apply the laws to each group, and again to those that changed."""
        position = 0
        while position < len(self.queue):
            group = self.queue[position]
            position += 1
            self.is_queued[group] = False
            if not self.fed[group] and not self.before[group]:
                for head in sorted(self.onward[group]):
                    self._lose(group, head)
            elif not self.out[group] and not self.onward[group]:
                for tail in sorted(self.before[group]):
                    self._lose(tail, group)
            elif not self.fed[group] and len(self.before[group]) == 1:
                self._merge(group, next(iter(self.before[group])), behind=True)
            elif not self.out[group] and len(self.onward[group]) == 1:
                self._merge(group, next(iter(self.onward[group])), behind=False)

    def result(self) -> Contracted:
        """The arcs that are left, ordered by tail and head."""
        ends = [(tail, head) for tail, heads in enumerate(self.onward) for head in sorted(heads)]
        tails = np.array([tail for tail, _ in ends], dtype=np.int64)
        heads = np.array([head for _, head in ends], dtype=np.int64)
        edges = tuple(tuple(sorted(self.onward[tail][head])) for tail, head in ends)
        label = strong_components(len(self.onward), tails, heads)
        arc_of = {edge: arc for arc, group in enumerate(edges) for edge in group}
        return Contracted(
            n_groups=len(self.onward),
            tails=tails,
            heads=heads,
            edges=edges,
            inner=label[tails] == label[heads],
            fed=np.array(self.fed),
            out=np.array(self.out),
            lost=np.array(sorted(self.lost), dtype=np.int64),
            bundles=tuple(self._bundles(arc_of)),
        )

    def _bundles(self, arc_of: dict[int, int]) -> list[Bundle]:
        """What hangs on arcs alone; where an edge was merged later, it is left out of account."""
        lost = set(self.lost)
        bundles = []
        for edges, leaving, weight in self.hanging:
            alive = [edge for edge in edges if edge not in lost]
            if alive and all(edge in arc_of for edge in alive):
                bundles.append(Bundle(tuple(sorted({arc_of[edge] for edge in alive})), leaving, weight))
        return bundles

    def _lose(self, tail: int, head: int) -> None:
        self.lost += self.onward[tail].pop(head)
        del self.before[head][tail]
        self._look_at(tail)
        self._look_at(head)

    def _look_at(self, group: int) -> None:
        if not self.is_queued[group]:
            self.is_queued[group] = True
            self.queue.append(group)

    def _merge(self, group: int, into: int, *, behind: bool) -> None:
        """Merge a group into the one from which all its arcs come (`behind`), or to which all its arcs lead."""
        towards, other = (self.onward, self.before) if behind else (self.before, self.onward)
        merged = towards[into].pop(group)
        del other[group][into]
        if into in towards[group]:  # the way back
            self._lose(*((group, into) if behind else (into, group)))
        if not (self.out[group] if behind else self.fed[group]):
            rest = [edge for edges in towards[group].values() for edge in edges]
            self.hanging.append((rest, behind, len(merged)))
        for end in sorted(towards[group]):
            edges = towards[group][end]
            towards[into].setdefault(end, []).extend(edges)
            del other[end][group]
            other[end].setdefault(into, []).extend(edges)
            self._look_at(end)
        towards[group] = {}
        self.fed[into] |= self.fed[group]
        self.out[into] |= self.out[group]
        self.fed[group] = self.out[group] = False
        self._look_at(into)
