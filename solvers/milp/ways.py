"""Paths that share no inner vertex, by augmenting paths in a graph that is kept as plain lists.

Each vertex v is two places, 2 v where it is entered and 2 v + 1 where it is left, with room for one path between them;
every edge has room for one path; an output ends a path and has room for all. A search for one more path may go back
along a path that is there and so turn it into another way (Ford and Fulkerson 1956). Where none is left, the places
that the last search saw are one side of a minimum cut (Menger 1927).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

from solvers.arrays import distances, neighbours
from solvers.problem import BoolVector, Problem

Length = Callable[[int, int], float]


class Ways:
    """Some edges of a problem, for one search after the other.

    Attributes:
        after: Heads of the edges out of each vertex, without repeats, those nearest to an output first.
        is_output: Of each vertex.
    """

    def __init__(self, problem: Problem, usable: BoolVector | None = None) -> None:
        """Take the usable edges (None: all) that do not leave an output."""
        n = problem.n_vertices
        ends = np.zeros(n, dtype=bool)
        ends[problem.outputs] = True
        keep = ~ends[problem.sources] if usable is None else usable & ~ends[problem.sources]
        pairs = np.unique(np.stack([problem.sources[keep], problem.targets[keep]], axis=1), axis=0)
        steps = distances(n, pairs[:, 1], pairs[:, 0], problem.outputs)
        pairs = pairs[np.argsort(steps[pairs[:, 1]], kind="stable")]
        self.after = neighbours(n, pairs[:, 0], pairs[:, 1])
        self.is_output: list[bool] = ends.tolist()

    def most(self, start: int, limit: int) -> Bundle:
        """As many disjoint paths from `start` to outputs as there are, at most `limit`."""
        paths = Bundle(self, start)
        while paths.count < limit and len(self.after[start]) > paths.count and paths.extend():
            pass
        return paths


class Bundle:
    """Disjoint paths from one vertex to outputs, and what the last search for one more has seen.

    Attributes:
        count: How many.
        seen: For each place that the last search came to, the place before it.
    """

    def __init__(self, ways: Ways, start: int) -> None:
        self.ways, self.start, self.count = ways, start, 0
        self.seen: dict[int, int] = {}
        self._next: dict[int, int] = {}  # along the paths, of inner vertices
        self._before: dict[int, int] = {}
        self._first: dict[int, None] = {}  # vertices after the start

    def edges(self) -> list[tuple[int, int]]:
        """The edges of the paths, as pairs of vertices."""
        return [(self.start, head) for head in self._first] + list(self._next.items())

    def extend(self) -> bool:
        """Find one more path, by a depth-first search that prefers what is near an output."""
        root = 2 * self.start + 1
        self.seen = {root: root}
        stack = [root]
        while stack:
            place = stack.pop()
            for other in self._beyond(place)[::-1]:
                if other not in self.seen:
                    self.seen[other] = place
                    if self._is_goal(other):
                        self._take(other)
                        return True
                    stack.append(other)
        return False

    def extend_cheaply(self, length: Length) -> bool:
        """Find one more path, of least length but for what it changes of the others."""
        root = 2 * self.start + 1
        self.seen = {}
        heap = [(0.0, root, root)]
        while heap:
            far, place, origin = heapq.heappop(heap)
            if place in self.seen:
                continue
            self.seen[place] = origin
            if self._is_goal(place):
                self._take(place)
                return True
            for other in self._beyond(place):
                if other not in self.seen:
                    onward = place & 1 and not other & 1 and other != place - 1
                    heapq.heappush(heap, (far + (length(place >> 1, other >> 1) if onward else 0.0), other, place))
        return False

    def _is_goal(self, place: int) -> bool:
        return not place & 1 and self.ways.is_output[place >> 1]

    def _beyond(self, place: int) -> list[int]:
        """Places next to one: over edges without a path, or back along a path."""
        vertex = place >> 1
        if not place & 1:
            if vertex not in self._before:
                return [place + 1]
            return [2 * self._before[vertex] + 1]  # the way through the vertex is taken: back where that path came from
        taken = self._first if vertex == self.start else (self._next[vertex],) if vertex in self._next else ()
        onward = [2 * head for head in self.ways.after[vertex] if head not in taken and head != self.start]
        return [*onward, place - 1] if vertex in self._next else onward

    def _take(self, place: int) -> None:
        """Put the path that the search found together with those that are there."""
        arcs = []
        root = 2 * self.start + 1
        while place != root:
            arcs.append((self.seen[place], place))
            place = self.seen[place]
        for tail, head in arcs:
            if not tail & 1 and head & 1 and tail + 1 != head:  # back from where a vertex is entered
                del self._before[tail >> 1], self._next[head >> 1]
        for tail, head in arcs:
            if tail & 1 and not head & 1 and tail - 1 != head:
                self._join(tail >> 1, head >> 1)
        self.count += 1

    def _join(self, vertex: int, head: int) -> None:
        if vertex == self.start:
            self._first[head] = None
        else:
            self._next[vertex] = head
        if not self.ways.is_output[head]:
            self._before[head] = vertex

    def inside(self, n_vertices: int) -> tuple[BoolVector, BoolVector]:
        """Vertices of which the last search came to where they are entered, and left; shape (n_vertices,) each."""
        places = np.zeros(2 * n_vertices, dtype=bool)
        places[np.fromiter(self.seen, dtype=np.int64)] = True
        return places[::2], places[1::2]
