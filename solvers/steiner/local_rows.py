"""Local rows: what leaves a vertex must have come to it, what comes to it must leave it.

In an answer without needless arcs every arc u -> v is on a way of some terminal (to the root, or from the hub), so one
of the arcs into u is taken unless u is where ways begin, and one of those out of v unless v is where they end; and not
the one that goes straight back. These rows cut off no such answer. They tighten the relaxation over directed cuts,
which asks nothing at vertices that are no terminals (T. Polzin, S. Vahdati Daneshmand, "A comparison of Steiner tree
relaxations", Discrete Applied Mathematics 112 (2001) 241-261, flow-balance constraints).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from solvers.problem import FloatVector, IntVector
from solvers.steiner.instance import Instance

Row = tuple[FloatVector, IntVector, float]  # values, arcs, least value of the sum
TOLERANCE = 1e-4


class LocalRows:
    """Finds the local rows that a point violates.

    Free arcs would make the rows empty. A vertex with free arcs into it is passed over to the arcs before those, as
    long as there is no terminal, hub or further free arc in between (as in the node form); else it gets no row.
    """

    def __init__(self, views: Sequence[Instance], column: IntVector) -> None:
        first = views[0]
        self.column = column
        n = first.n_vertices
        forward = [view for view in views if (view.tails is first.tails)]
        reverse = [view for view in views if (view.tails is not first.tails)]
        starts, ends = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        for view in forward:
            starts[view.terminals] = ends[view.root] = True
        for view in reverse:
            ends[view.terminals] = starts[view.root] = True
        tails, heads, free = first.tails, first.heads, first.costs == 0
        self.sides = [
            _Side(n, tails, heads, free, starts, column),
            _Side(n, heads, tails, free, ends, column),
        ]

    def violated(self, x: FloatVector, *, most: int) -> list[Row]:
        """At most so many rows that the values of the arcs violate, the worst first."""
        found = [row for side in self.sides for row in side.violated(x)]
        found.sort(key=lambda row: (row[0], row[1]))
        return [row for _, _, row in found[:most]]


class _Side:
    """Rows `x of an arc out of v <= sum of x over the arcs into v`; the other side has tails and heads exchanged."""

    def __init__(
        self,
        n_vertices: int,
        tails: IntVector,
        heads: IntVector,
        free: np.ndarray,
        starts: np.ndarray,
        column: IntVector,
    ) -> None:
        self.tails, self.heads, self.free = tails, heads, free
        into = csr_array(
            (np.ones(int((~free).sum())), (heads[~free], np.flatnonzero(~free))), shape=(n_vertices, len(tails))
        )
        begins = starts.copy()
        behind_free = np.unique(heads[free])
        direct = np.zeros(n_vertices, dtype=bool)
        direct[behind_free] = True
        # one step back over free arcs: their tails must be plain vertices with costly arcs into them only
        passable = ~direct & ~starts
        blocked = np.zeros(n_vertices, dtype=bool)
        blocked[heads[free & ~passable[tails]]] = True
        step = csr_array((np.ones(int(free.sum())), (heads[free], tails[free])), shape=(n_vertices, n_vertices))
        self.into = csr_array(into + step @ into)
        self.into.data[:] = 1.0
        self.asks = ~(begins | blocked)
        self.arcs = np.flatnonzero(~free & self.asks[tails] & (column >= 0))

    def violated(self, x: FloatVector) -> list[tuple[float, int, Row]]:
        arcs = self.arcs[x[self.arcs] > TOLERANCE]
        if not len(arcs):
            return []
        arriving = (self.into @ np.where(self.free, 0.0, x))[self.tails[arcs]]
        short = np.flatnonzero(x[arcs] > arriving + TOLERANCE)
        rows = []
        for position in short.tolist():
            arc = int(arcs[position])
            vertex = int(self.tails[arc])
            before = self.into.indices[self.into.indptr[vertex] : self.into.indptr[vertex + 1]].astype(np.int64)
            before = before[before != arc]
            values = np.append(np.ones(len(before)), -1.0)
            rows.append((float(arriving[position] - x[arc]), arc, (values, np.append(before, arc), 0.0)))
        return rows
