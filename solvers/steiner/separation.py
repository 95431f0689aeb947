"""Violated directed cuts of a fractional point, terminal by terminal, by augmenting paths on Python lists.

A general maximum-flow routine spends most of its time on setting up matrices; here a terminal is done as soon as a
whole unit reaches the root, which takes a few short searches. Where less does, the arcs that leave the side of the
terminal (nearest cut) and those that leave all but the side of the root (farthest, or back cut) are violated cuts.
Nested cuts: the arcs of a cut are then filled up, and the next one behind it is looked for (T. Koch, A. Martin,
Networks 32 (1998) 207-232, section 4).
"""

from __future__ import annotations

import numpy as np

from solvers.arrays import grouped, reachable
from solvers.clock import Clock
from solvers.problem import FloatVector, IntVector
from solvers.steiner.cuts import leaving
from solvers.steiner.instance import Instance

WHOLE = 1.0 - 1e-4  # a cut is violated where less than this leaves
UNLIMITED = 4.0  # room of free arcs: more than the one unit that is ever sent
NOTHING = 1e-9  # room below this is none
NESTED = 4  # cuts one behind the other for one terminal
WORTH = 0.7  # nested cuts are looked for while less than this arrives


class Separator:
    """Finds violated cuts of one instance; made once, asked for many points."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        n, m = instance.n_vertices, instance.n_arcs
        self.free = instance.costs == 0
        ends = np.empty(2 * m, dtype=np.int64)  # arc a leads to ends[2 a], its reverse to ends[2 a + 1]
        ends[0::2], ends[1::2] = instance.heads, instance.tails
        begins = np.empty(2 * m, dtype=np.int64)
        begins[0::2], begins[1::2] = instance.tails, instance.heads
        order, first = grouped(n, begins)
        self.first, self.order, self.ends = first.tolist(), order.tolist(), ends.tolist()
        self.out = [self.order[self.first[v] : self.first[v + 1]] for v in range(n)]
        self.changed: list[int] = []  # arcs whose room differs from that of the point
        self.seen = [0] * n
        self.came = [0] * n
        self.turn = 0

    def cuts(self, x: FloatVector, clock: Clock, *, first: int, most: int) -> list[IntVector]:
        """Arcs of violated cuts.

        Args:
            x: Value of each arc in [0, 1], shape (n_arcs,); free arcs are taken for granted.
            clock: Stops, with the cuts found by then, when it expires.
            first: Position of the terminal to begin with, so that rounds take turns.
            most: Stop after so many cuts.
        """
        instance = self.instance
        value = np.where(self.free, UNLIMITED, np.clip(x, 0.0, 1.0))
        whole = value >= WHOLE
        root = np.array([instance.root])
        joined = reachable(instance.n_vertices, instance.heads[whole], instance.tails[whole], root)
        waiting = [terminal for terminal in np.roll(instance.terminals, -first).tolist() if not joined[terminal]]
        room = np.zeros(2 * instance.n_arcs)
        room[0::2] = value
        filled = room.tolist()  # room at the point; cuts that were found stay filled up
        rest = filled.copy()
        found: list[IntVector] = []
        for terminal in waiting:
            if len(found) >= most or clock.expired:
                break
            for arc in self.changed:
                rest[arc] = filled[arc]
            self.changed.clear()
            arrived = 0.0
            for nested in range(NESTED):
                arrived = self._flow(rest, terminal, instance.root, arrived)
                if arrived >= WHOLE:
                    break
                near = leaving(instance, np.array(self.seen) == self.turn)
                found.append(near)
                if not nested:
                    far = leaving(instance, self._far_side(rest))
                    if len(far) != len(near) or (far != near).any():
                        found.append(far)
                for arc in near.tolist():
                    rest[2 * arc] = UNLIMITED
                    if not nested:
                        filled[2 * arc] = UNLIMITED  # for the other terminals too, or they find the same cut
                    else:
                        self.changed.append(2 * arc)
                if arrived > WORTH:
                    break
        return found

    def _flow(self, room: list[float], start: int, goal: int, total: float) -> float:
        """Send on, up to one unit in all; where less arrives, `seen == turn` marks the side of the start.

        Changes `room`; gives what has arrived.
        """
        out, ends, seen, came = self.out, self.ends, self.seen, self.came
        while total < WHOLE:
            self.turn += 1
            turn = self.turn
            seen[start] = turn
            queue = [start]
            for vertex in queue:
                for arc in out[vertex]:
                    if room[arc] > NOTHING:
                        head = ends[arc]
                        if seen[head] != turn:
                            seen[head] = turn
                            came[head] = arc
                            queue.append(head)
                if seen[goal] == turn:
                    break
            if seen[goal] != turn:
                return total
            step, vertex = 1.0 - total, goal
            while vertex != start:
                step = min(step, room[came[vertex]])
                vertex = ends[came[vertex] ^ 1]
            vertex = goal
            while vertex != start:
                arc = came[vertex]
                room[arc] -= step
                room[arc ^ 1] += step
                self.changed += (arc, arc ^ 1)
                vertex = ends[arc ^ 1]
            total += step
        return total

    def _far_side(self, room: list[float]) -> np.ndarray:
        """All vertices but those that can still send to the root, shape (n_vertices,)."""
        ends, order, first = self.ends, self.order, self.first
        near_root = [False] * self.instance.n_vertices
        near_root[self.instance.root] = True
        queue = [self.instance.root]
        for vertex in queue:
            for position in range(first[vertex], first[vertex + 1]):
                back = order[position] ^ 1
                tail = ends[order[position]]
                if room[back] > NOTHING and not near_root[tail]:
                    near_root[tail] = True
                    queue.append(tail)
        return ~np.array(near_root)
