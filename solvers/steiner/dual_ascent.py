"""Wong's dual ascent for Steiner arborescences: a bound, reduced costs and cuts with their duals.

R. T. Wong, "A dual ascent approach for Steiner tree problems on a directed graph", Mathematical Programming 28
(1984) 271-287; the order in which terminals are treated follows T. Pajor, E. Uchoa, R. Werneck, "A robust and scalable
algorithm for the Steiner problem in graphs", Mathematical Programming Computation 10 (2018) 69-118.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from solvers.arrays import grouped, neighbours, reachable
from solvers.clock import Clock
from solvers.problem import FloatVector, IntVector
from solvers.steiner import ascent_kernel
from solvers.steiner.instance import Instance

COMPILED_FROM = 50_000  # arcs, from which on loading numba pays
PARK_FROM = 100  # arcs of a cut, from which on terminals that reach the same vertices take turns


@dataclass(frozen=True, eq=False)
class Ascent:
    """A feasible dual solution.

    Certificate: every cut holds all arcs that leave some set of vertices with its witness, a terminal, and without
    the root; duals are > 0; for each arc the duals of the cuts that hold it sum to at most its cost. So the sum of
    the duals is a bound. The cuts listed are all of them unless more than `max_cuts` were found.

    Attributes:
        bound: Sum of the duals: no feasible choice of arcs costs less.
        reduced: Reduced cost of each arc, at least 0, shape (n_arcs,): its cost less the duals of its cuts.
        cuts: Arcs of each cut with a positive dual; every feasible choice takes one of them.
        witnesses: A terminal inside each cut, shape (n_cuts,).
        duals: Dual value of each cut, shape (n_cuts,).
        finished: Whether every terminal reaches the root over arcs of reduced cost 0.
    """

    bound: float
    reduced: FloatVector
    cuts: tuple[IntVector, ...]
    witnesses: IntVector
    duals: FloatVector
    finished: bool


def dual_ascent(instance: Instance, clock: Clock, *, max_cuts: int = 20_000) -> Ascent:
    """Raise the duals of cuts around terminals until each terminal reaches the root over saturated arcs.

    The cut of a terminal is the set of arcs that leave W, the vertices it reaches over saturated arcs (reduced cost
    0). While the root is not in W the cut's dual can grow by the least reduced cost on it, which saturates an arc.
    The terminal with the smallest cut is treated first.

    Args:
        instance: Costs >= 0.
        clock: Stops early, with a valid bound, when it expires.
        max_cuts: Cuts that are remembered.
    """
    ascent = _Ascending(instance, max_cuts)
    ascent.raise_single_vertices()
    compiled = instance.n_arcs >= COMPILED_FROM and ascent_kernel.is_available()
    finished = ascent.raise_all_compiled(clock) if compiled else ascent.raise_all(clock)
    return Ascent(
        bound=ascent.bound,
        reduced=np.maximum(np.array(ascent.reduced), 0.0),
        cuts=tuple(ascent.cuts),
        witnesses=np.array(ascent.witnesses, dtype=np.int64),
        duals=np.array(ascent.duals, dtype=np.float64),
        finished=finished,
    )


class _Ascending:
    """State of an ascent: reduced costs, the cuts so far, and which vertices reach the root over saturated arcs."""

    def __init__(self, instance: Instance, max_cuts: int) -> None:
        self.instance, self.max_cuts = instance, max_cuts
        self.tiny = 1e-12 * max(1.0, float(instance.costs.max(initial=0.0)))
        arcs = np.arange(instance.n_arcs)
        self.out_of = neighbours(instance.n_vertices, instance.tails, arcs)
        self.into = neighbours(instance.n_vertices, instance.heads, arcs)
        self.tails, self.heads = instance.tails.tolist(), instance.heads.tolist()
        self.reduced: list[float] = instance.costs.tolist()
        self.joined: list[bool] = []
        self.stamp = [-1] * instance.n_vertices
        self.turn = 0
        self.owner = [-1] * instance.n_vertices  # the terminal that last reached each vertex
        self.waits_for: dict[int, int] = {}
        self.parked: dict[int, list[int]] = {}
        self.bound = 0.0
        self.cuts: list[IntVector] = []
        self.witnesses: list[int] = []
        self.duals: list[float] = []

    def raise_single_vertices(self) -> None:
        """Raise the cut around each terminal alone as far as it goes (no two share an arc), all at once."""
        instance = self.instance
        order, first = grouped(instance.n_vertices, instance.tails)
        begin, end = first[instance.terminals], first[instance.terminals + 1]
        reduced = instance.costs.copy()
        for terminal, start, stop in zip(instance.terminals.tolist(), begin.tolist(), end.tolist(), strict=True):
            arcs = order[start:stop]
            step = float(reduced[arcs].min(initial=np.inf))
            if 0.0 < step < np.inf:
                reduced[arcs] -= step
                self._remember(arcs, terminal, step)
        self.reduced = reduced.tolist()
        saturated = reduced <= self.tiny
        tails, heads = instance.tails[saturated], instance.heads[saturated]
        self.joined = reachable(instance.n_vertices, heads, tails, np.array([instance.root])).tolist()

    def raise_all(self, clock: Clock) -> bool:
        """Raise until every terminal has joined the root; whether that was reached in time."""
        queue = [(0, terminal) for terminal in self.instance.terminals.tolist()]
        heapq.heapify(queue)
        joined, reduced = self.joined, self.reduced
        while queue:
            size, terminal = heapq.heappop(queue)
            if joined[terminal]:
                for other in self.parked.pop(terminal, ()):
                    del self.waits_for[other]
                    heapq.heappush(queue, (0, other))
                continue
            if clock.expired:
                return False
            cut = self._cut(terminal)
            if cut is None:
                continue
            if queue and len(cut) > size and len(cut) > queue[0][0]:
                heapq.heappush(queue, (len(cut), terminal))
                continue
            step = min([reduced[arc] for arc in cut])
            for arc in cut:
                reduced[arc] -= step
            self._remember(np.array(cut, dtype=np.int64), terminal, step)
            for arc in cut:
                if reduced[arc] <= self.tiny and joined[self.heads[arc]]:
                    self._join(self.tails[arc])
            heapq.heappush(queue, (len(cut), terminal))
        return True

    def raise_all_compiled(self, clock: Clock) -> bool:
        """As `raise_all`, with the loop compiled; a call of it takes milliseconds, so the clock is still heard."""
        instance = self.instance
        n, m = instance.n_vertices, instance.n_arcs
        order, first = grouped(n, instance.tails)
        into, into_first = grouped(n, instance.heads)
        reduced, joined = np.array(self.reduced), np.array(self.joined)
        heap = np.sort(instance.terminals).astype(np.int64)
        count, turn = len(heap), 0
        stamp, owner, waits_for, parked, beside = (np.full(n, -1, dtype=np.int64) for _ in range(5))
        stack, cut = np.empty(n + 1, dtype=np.int64), np.empty(m, dtype=np.int64)
        found = np.empty(4 * m, dtype=np.int64)
        ends, witnesses, steps = np.empty(5_000, np.int64), np.empty(5_000, np.int64), np.empty(5_000)
        run = ascent_kernel.kernel()
        while count and not clock.expired:
            count, turn, n_found = run(
                first, order, into_first, into, instance.tails, instance.heads, reduced, joined, self.tiny, PARK_FROM,
                heap, count, stamp, turn, owner, waits_for, parked, beside, stack, cut, found, ends, witnesses, steps,
            )  # fmt: skip
            starts = [0, *ends[: max(n_found - 1, 0)].tolist()]
            for start, end, terminal, step in zip(starts, ends, witnesses, steps[:n_found], strict=False):
                self._remember(found[start:end].copy(), int(terminal), float(step))
        self.reduced, self.joined = reduced.tolist(), joined.tolist()
        return bool(joined[instance.terminals].all())

    def _cut(self, terminal: int) -> list[int] | None:
        """Arcs that leave the vertices a terminal reaches over saturated arcs; None if it was parked.

        Late in an ascent most terminals reach the same large set, and to look at it again and again for each of them
        would take nearly all of the time. So where the cut has grown large and the terminal meets a vertex that
        another unjoined one has reached, it waits until that one has joined: the order changes, not what is valid.
        """
        self.turn += 1
        turn, stamp, out_of, heads = self.turn, self.stamp, self.out_of, self.heads
        reduced, tiny, owner = self.reduced, self.tiny, self.owner
        stamp[terminal] = turn
        stack = [terminal]
        leaving: list[int] = []
        while stack:
            for arc in out_of[stack.pop()]:
                head = heads[arc]
                if stamp[head] == turn:
                    continue
                if reduced[arc] > tiny:
                    leaving.append(arc)
                    continue
                if owner[head] != terminal:
                    if len(leaving) > PARK_FROM and self._park(terminal, owner[head]):
                        return None
                    owner[head] = terminal
                stamp[head] = turn
                stack.append(head)
        return [arc for arc in leaving if stamp[heads[arc]] != turn]

    def _park(self, terminal: int, other: int) -> bool:
        """Let a terminal wait for the one that the other waits for in the end; whether there is such a one."""
        while other in self.waits_for:
            other = self.waits_for[other]
        if other < 0 or other == terminal or self.joined[other]:
            return False
        self.waits_for[terminal] = other
        self.parked.setdefault(other, []).append(terminal)
        return True

    def _join(self, vertex: int) -> None:
        """Mark a vertex, and all that reach it over saturated arcs, as joined to the root."""
        joined, reduced, tiny = self.joined, self.reduced, self.tiny
        if joined[vertex]:
            return
        joined[vertex] = True
        stack = [vertex]
        while stack:
            for arc in self.into[stack.pop()]:
                tail = self.tails[arc]
                if not joined[tail] and reduced[arc] <= tiny:
                    joined[tail] = True
                    stack.append(tail)

    def _remember(self, arcs: IntVector, terminal: int, step: float) -> None:
        self.bound += step
        if len(self.cuts) < self.max_cuts:
            self.cuts.append(arcs)
            self.witnesses.append(terminal)
            self.duals.append(step)
