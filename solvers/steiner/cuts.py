"""Violated directed cuts: a terminal that a (fractional) choice of arcs does not join to the root by a whole unit.

A cut stands for a set W of vertices with a terminal, its witness, and without the root: every answer takes an arc that
leaves W. Free arcs are taken anyway, so only sets that no free arc leaves are of use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from solvers.arrays import grouped, reachable
from solvers.clock import Clock
from solvers.problem import BoolVector, FloatVector, IntVector
from solvers.steiner.instance import Instance

SCALE = 1_000_000  # capacities of the maximum flow are integers: x in millionths
TOLERANCE = 1e-4  # a cut is violated where less than 1 - TOLERANCE leaves
MOST_INTEGER_CUTS = 2_000  # of one point; more of them would only be found more slowly
CLOSURE_STEPS = 5_000_000  # arcs looked at for the cuts that need no maximum flow


@dataclass(frozen=True, eq=False)
class Cut:
    """Arcs that leave a set of vertices, shape (n_leaving,), and the terminal inside."""

    arcs: IntVector
    witness: int


def integer_cuts(instance: Instance, chosen: IntVector) -> list[IntVector]:
    """Cuts that a choice of arcs violates, one a group of terminals that are stuck together; none if it is feasible.

    The cut of a terminal holds the arcs that leave the vertices it reaches over the chosen and the free arcs. At most
    `MOST_INTEGER_CUTS` are given.

    Args:
        instance: The instance.
        chosen: Arcs that are taken; free arcs are taken anyway.
    """
    return [cut.arcs for cut in separator(instance).of_choice(chosen)]


def fractional_cuts(instance: Instance, x: FloatVector, clock: Clock, *, first: int, most: int) -> list[IntVector]:
    """Cuts of least capacity that a fractional point violates, nearest to the terminal and nearest to the root.

    Args:
        instance: The instance.
        x: Value of each arc in [0, 1], shape (n_arcs,); free arcs count as unlimited.
        clock: Stops, with the cuts found by then, when it expires.
        first: Position of the terminal to begin with, so that rounds take turns.
        most: Stop after so many cuts.
    """
    return [cut.arcs for cut in separator(instance).of_point(x, clock, first=first, most=most)]


def leaving(instance: Instance, inside: BoolVector) -> IntVector:
    """Arcs that leave a set of vertices, shape (n_leaving,)."""
    return np.flatnonzero(inside[instance.tails] & ~inside[instance.heads])


@lru_cache(maxsize=4)
def separator(instance: Instance) -> Separator:
    """The separator of an instance, made once for the instances that were used last."""
    return Separator(instance)


class Separator:
    """Finds violated cuts of one instance, point after point.

    A *leaf* is a terminal without arcs into it. Nothing flows through it, so maximum flows for other terminals are
    computed without it, on the arcs that carry something and lead to the root: a small part of the instance. In the
    node form the vertex behind the leaf's own arc belongs to it.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.free = instance.costs == 0
        self.order, self.first = grouped(instance.n_vertices, instance.tails)
        self.start = np.arange(instance.n_vertices)  # where the ways of a terminal begin to differ
        self.is_leaf = np.zeros(instance.n_vertices, dtype=bool)
        self._mark_leaves()
        inner = np.flatnonzero(~self.is_leaf[instance.tails])
        self.inner = inner
        self.leaf_arcs = np.flatnonzero(self.is_leaf[instance.tails])
        self.into = self._rows(instance.heads[inner], inner)
        self.out = self.first, self.order
        self._closed: tuple[csr_array, IntVector] | None = None

    # -- cuts that need no maximum flow ----------------------------------------------------------------------------

    @property
    def closures(self) -> tuple[csr_array, IntVector]:
        """Cuts around what each terminal reaches over free arcs: rows over the arcs, and the terminal of each row."""
        if self._closed is None:
            self._closed = self._close()
        return self._closed

    def of_closures(self, x: FloatVector, *, most: int) -> list[Cut]:
        """The cuts around closures that a point violates, the worst first, no arc in too many of them."""
        rows, witnesses = self.closures
        value = rows @ x
        short = np.flatnonzero(value < 1 - TOLERANCE)
        short = short[np.lexsort((np.diff(rows.indptr)[short], value[short]))]
        used = np.zeros(self.instance.n_arcs, dtype=np.int64)
        cuts: list[Cut] = []
        enough = max(4, most // 40)
        for row in short.tolist():
            arcs = rows.indices[rows.indptr[row] : rows.indptr[row + 1]]
            if used[arcs].max(initial=0) >= enough:
                continue
            used[arcs] += 1
            cuts.append(Cut(arcs.astype(np.int64), int(witnesses[row])))
            if len(cuts) >= most:
                break
        return cuts

    # -- points ----------------------------------------------------------------------------------------------------

    def of_choice(self, chosen: IntVector, *, most: int = MOST_INTEGER_CUTS) -> list[Cut]:
        """At most so many cuts that a 0/1 point violates; see `integer_cuts`."""
        instance = self.instance
        taken = self.free.copy()
        taken[chosen] = True
        joined = self._joined(taken)
        cuts: list[Cut] = []
        covered = joined.copy()
        for terminal in instance.terminals[~joined[instance.terminals]].tolist():
            if covered[terminal]:
                continue
            inside = self._spread(np.array([terminal]), taken)
            covered |= inside
            cuts.append(Cut(self._leaving(inside), terminal))
            if len(cuts) >= most:
                break
        return cuts

    def of_point(self, x: FloatVector, clock: Clock, *, first: int, most: int, flows: int | None = None) -> list[Cut]:
        """Cuts that a fractional point violates; see `fractional_cuts`. At most `flows` maximum flows are computed."""
        instance = self.instance
        scaled = np.minimum(np.round(np.maximum(x, 0.0) * SCALE), SCALE).astype(np.int32)
        scaled[self.free] = SCALE
        whole = scaled >= (1 - TOLERANCE) * SCALE  # terminals that arrive over such arcs alone need no maximum flow
        joined = self._joined(whole)
        terminals = np.roll(instance.terminals, -first)
        terminals = terminals[~joined[terminals]]
        if not len(terminals):
            return []
        network = _Support(self, scaled)
        cuts: list[Cut] = []
        for terminal in terminals[:flows].tolist():
            if len(cuts) >= most or clock.expired:
                break
            if not network.is_cut_off(terminal):
                cuts += network.cuts(terminal)
        return cuts

    # -- sets of vertices --------------------------------------------------------------------------------------------

    def _joined(self, usable: BoolVector) -> BoolVector:
        """Vertices that reach the root over usable arcs, as far as terminals and what is no leaf go."""
        instance = self.instance
        joined = np.zeros(instance.n_vertices, dtype=bool)
        fresh = np.array([instance.root])
        joined[fresh] = True
        while len(fresh):
            arcs = _members(self.into, fresh)
            tails = instance.tails[arcs[usable[arcs]]]
            fresh = np.unique(tails[~joined[tails]])
            joined[fresh] = True
        arcs = self.leaf_arcs[usable[self.leaf_arcs]]
        joined[instance.tails[arcs[joined[instance.heads[arcs]]]]] = True
        joined[instance.terminals] |= joined[self.start[instance.terminals]]
        return joined

    def _spread(self, starts: IntVector, usable: BoolVector) -> BoolVector:
        """Vertices that `starts` reach over usable arcs."""
        inside = np.zeros(self.instance.n_vertices, dtype=bool)
        inside[starts] = True
        while len(starts):
            arcs = _members(self.out, starts)
            heads = self.instance.heads[arcs[usable[arcs]]]
            starts = np.unique(heads[~inside[heads]])
            inside[starts] = True
        return inside

    def _leaving(self, inside: BoolVector) -> IntVector:
        arcs = _members(self.out, np.flatnonzero(inside))
        return np.sort(arcs[~inside[self.instance.heads[arcs]]])

    def _entering_inner(self, towards: BoolVector) -> tuple[BoolVector, IntVector]:
        """The set with all that reach it over free arcs, leaves left out, and the arcs into it from no leaf."""
        towards = towards.copy()
        fresh = np.flatnonzero(towards)
        while len(fresh):
            arcs = _members(self.into, fresh)
            tails = self.instance.tails[arcs[self.free[arcs]]]
            fresh = np.unique(tails[~towards[tails]])
            towards[fresh] = True
        arcs = _members(self.into, np.flatnonzero(towards))
        return towards, arcs[~towards[self.instance.tails[arcs]]]

    def _rows(self, ends: IntVector, values: IntVector) -> tuple[IntVector, IntVector]:
        order, first = grouped(self.instance.n_vertices, ends)
        return first, values[order]

    def _mark_leaves(self) -> None:
        instance = self.instance
        n_in = np.bincount(instance.heads, minlength=instance.n_vertices)
        n_out = np.diff(self.first)
        leaves = instance.terminals[n_in[instance.terminals] == 0]
        self.is_leaf[leaves] = True
        single = leaves[n_out[leaves] == 1]
        arcs = self.order[self.first[single]]
        own = self.free[arcs] & (n_in[instance.heads[arcs]] == 1) & (instance.heads[arcs] != instance.root)
        self.start[single[own]] = instance.heads[arcs[own]]
        self.is_leaf[instance.heads[arcs[own]]] = True

    def _close(self) -> tuple[csr_array, IntVector]:
        instance = self.instance
        first, order = self.first.tolist(), self.order.tolist()
        heads, free = instance.heads.tolist(), self.free.tolist()
        indices: list[int] = []
        ends = [0]
        witnesses: list[int] = []
        steps = 0
        for terminal in instance.terminals.tolist():
            inside, stack, cut = {terminal}, [terminal], []
            while stack:
                vertex = stack.pop()
                for arc in order[first[vertex] : first[vertex + 1]]:
                    head = heads[arc]
                    if not free[arc]:
                        cut.append(arc)
                    elif head not in inside:
                        inside.add(head)
                        stack.append(head)
                steps += first[vertex + 1] - first[vertex] + 1
            if instance.root not in inside:
                indices += [arc for arc in cut if heads[arc] not in inside]
                ends.append(len(indices))
                witnesses.append(terminal)
            if steps > CLOSURE_STEPS:
                break
        shape = (len(witnesses), instance.n_arcs)
        rows = csr_array((np.ones(len(indices)), np.array(indices, dtype=np.int64), np.array(ends)), shape=shape)
        return rows, np.array(witnesses, dtype=np.int64)


class _Support:
    """The arcs that carry something at a point and lead on to the root, without those of leaves."""

    def __init__(self, parent: Separator, scaled: np.ndarray) -> None:
        self.parent, self.scaled = parent, scaled
        instance = parent.instance
        carrying = scaled > 0
        self.carrying = carrying
        root = np.array([instance.root])
        back = reachable(instance.n_vertices, instance.heads[carrying], instance.tails[carrying], root)
        self.arrives = back
        self.beyond = parent.free | (carrying & ~back[instance.heads])  # what leads nowhere is no part of the flow
        arcs = parent.inner[carrying[parent.inner] & back[instance.heads[parent.inner]]]
        vertices = np.unique(np.concatenate([instance.tails[arcs], instance.heads[arcs], root]))
        self.vertices, self.source = vertices, len(vertices)
        self.number = np.full(instance.n_vertices, -1)
        self.number[vertices] = np.arange(len(vertices))
        shape = (len(vertices) + 1, len(vertices) + 1)
        base = csr_array((scaled[arcs], (self.number[instance.tails[arcs]], self.number[instance.heads[arcs]])), shape)
        base.sum_duplicates()
        self.base = base
        self.cut_off = np.zeros(len(vertices), dtype=bool)  # on the terminal's side of a cut of this point

    def is_cut_off(self, terminal: int) -> bool:
        """Whether a cut found already stands behind all ways of a leaf: its own would say much the same."""
        arcs = self._onward(terminal) if self.parent.is_leaf[terminal] else ()
        return len(arcs) > 0 and bool(self.cut_off[self.number[self.parent.instance.heads[arcs]]].all())

    def cuts(self, terminal: int) -> list[Cut]:
        """The cuts of least capacity of a terminal, if less than one unit arrives."""
        parent, instance = self.parent, self.parent.instance
        if not self.arrives[terminal]:
            stuck = parent._spread(np.array([terminal]), self.carrying)
            return [Cut(parent._leaving(stuck), terminal)]
        capacity, start = self._from(terminal)
        root = int(self.number[instance.root])
        flow = maximum_flow(capacity, start, root)
        if flow.flow_value >= (1 - TOLERANCE) * SCALE:
            return []
        left = (capacity - flow.flow).tocoo()
        usable = left.data > 0
        tails, heads = left.row[usable].astype(np.int64), left.col[usable].astype(np.int64)
        near = np.flatnonzero(reachable(self.source + 1, tails, heads, np.array([start])))
        self.cut_off[near[near < self.source]] = True
        far = np.flatnonzero(reachable(self.source + 1, heads, tails, np.array([root])))
        own = np.unique([terminal, int(parent.start[terminal])])
        inside = np.concatenate([own, self.vertices[near[near < self.source]]])
        cuts = [Cut(parent._leaving(parent._spread(inside, self.beyond)), terminal)]
        towards = np.zeros(instance.n_vertices, dtype=bool)
        towards[self.vertices[far[far < self.source]]] = True
        towards, arcs = parent._entering_inner(towards)
        if not towards[own].any():
            mine = _members(parent.out, own)
            arcs = np.unique(np.concatenate([arcs, mine[towards[instance.heads[mine]]]]))
            if not parent.free[arcs].any() and not np.array_equal(arcs, cuts[0].arcs):
                cuts.append(Cut(arcs, terminal))
        return cuts

    def _onward(self, terminal: int) -> IntVector:
        """Arcs of a leaf that carry something and lead to the root."""
        parent = self.parent
        start = int(parent.start[terminal])
        arcs = parent.order[parent.first[start] : parent.first[start + 1]]
        return arcs[self.carrying[arcs] & (self.number[parent.instance.heads[arcs]] >= 0)]

    def _from(self, terminal: int) -> tuple[csr_array, int]:
        """Capacities with the arcs of the terminal, and the vertex where its flow starts."""
        parent, instance = self.parent, self.parent.instance
        if not parent.is_leaf[terminal]:
            return self.base, int(self.number[terminal])
        arcs = self._onward(terminal)
        base = self.base
        indptr = base.indptr.copy()
        indptr[-1] += len(arcs)
        indices = np.concatenate([base.indices, self.number[instance.heads[arcs]].astype(base.indices.dtype)])
        data = np.concatenate([base.data, self.scaled[arcs]])
        capacity = csr_array((data, indices, indptr), shape=base.shape)
        capacity.sum_duplicates()
        return capacity, self.source


def _members(rows: tuple[IntVector, IntVector], keys: IntVector) -> IntVector:
    """Values of all rows with these keys, one row after the other."""
    first, values = rows
    begin, count = first[keys], first[keys + 1] - first[keys]
    total = int(count.sum())
    if not total:
        return np.zeros(0, dtype=np.int64)
    offsets = np.repeat(begin - np.concatenate([[0], np.cumsum(count)[:-1]]), count)
    return values[offsets + np.arange(total)]
