"""Violated directed cuts of a fractional point, terminal by terminal.

With up to `MANY` terminals by augmenting paths on Python lists: a general maximum-flow routine spends most of its time
on setting up matrices; here a terminal is done as soon as a whole unit reaches the root, which takes a few short
searches. With more of them, most of them leaves, by `solvers.steiner.cuts` on what carries flow.

Where less than a unit arrives, the arcs that leave the side of the terminal (nearest cut) and those that leave all but
the side of the root (farthest, or back cut) are violated cuts.
Nested cuts: the arcs of a cut are then filled up, and the next one behind it is looked for (T. Koch, A. Martin,
Networks 32 (1998) 207-232, section 4).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np

from solvers.arrays import grouped, reachable
from solvers.clock import Clock
from solvers.problem import BoolVector, FloatVector
from solvers.steiner.cuts import Cut, leaving, separator
from solvers.steiner.instance import Instance

WHOLE = 1.0 - 1e-4  # a cut is violated where less than this leaves
UNLIMITED = 4.0  # room of free arcs: more than the one unit that is ever sent
NOTHING = 1e-9  # room below this is none
MANY = 1_500  # terminals
NESTED = 4  # cuts one behind the other for one terminal
WORTH = 0.7  # nested cuts are looked for while less than this arrives


class PointSeparator(Protocol):
    """Finds violated cuts of one instance, point after point."""

    def cuts(self, x: FloatVector, clock: Clock, *, first: int, most: int) -> list[Cut]:
        """Violated cuts.

        Args:
            x: Value of each arc in [0, 1], shape (n_arcs,); free arcs are taken for granted.
            clock: Stops, with the cuts found by then, when it expires.
            first: Position of the terminal to begin with, so that rounds take turns.
            most: Stop after about so many cuts.
        """


@lru_cache(maxsize=4)
def point_separator(instance: Instance) -> PointSeparator:
    """The separator that suits the instance, made once for the instances that were used last."""
    return ByPaths(instance) if len(instance.terminals) <= MANY else _ByMatrices(instance)


class _ByMatrices:
    """Maximum flows for at most `MANY` terminals a point."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def cuts(self, x: FloatVector, clock: Clock, *, first: int, most: int) -> list[Cut]:
        return separator(self.instance).of_point(x, clock, first=first, most=most, flows=MANY)


class ByPaths:
    """Augmenting paths; nested and back cuts."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        n, m = instance.n_vertices, instance.n_arcs
        self.free = instance.costs == 0
        ends = np.empty(2 * m, dtype=np.int64)  # arc a leads to ends[2 a], its reverse to ends[2 a + 1]
        ends[0::2], ends[1::2] = instance.heads, instance.tails
        begins = np.empty(2 * m, dtype=np.int64)
        begins[0::2], begins[1::2] = instance.tails, instance.heads
        order, first = grouped(n, begins)
        self.ends = ends.tolist()
        self.is_leaf = _is_leaf(instance)
        useful = (order % 2 == 0) | ~self.is_leaf[ends[order]]
        self.out = [
            part[keep].tolist()
            for part, keep in zip(np.split(order, first[1:-1]), np.split(useful, first[1:-1]), strict=True)
        ]
        self.changed: list[int] = []  # arcs whose room differs from that of the point
        self.seen = [0] * n
        self.came = [0] * n
        self.turn = 0

    def cuts(self, x: FloatVector, clock: Clock, *, first: int, most: int) -> list[Cut]:
        """See `PointSeparator`."""
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
        found: list[Cut] = []
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
                found.append(Cut(near, terminal))
                if not nested:
                    far = leaving(instance, self._far_side(rest))
                    if not np.array_equal(near, far):
                        found.append(Cut(far, terminal))
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

    def _far_side(self, room: list[float]) -> BoolVector:
        """All vertices but other leaves and those that can still send to the root, shape (n_vertices,)."""
        ends = self.ends
        near_root = [False] * self.instance.n_vertices
        near_root[self.instance.root] = True
        queue = [self.instance.root]
        for vertex in queue:
            for arc in self.out[vertex]:
                tail = ends[arc]
                if room[arc ^ 1] > NOTHING and not near_root[tail]:
                    near_root[tail] = True
                    queue.append(tail)
        far = ~np.array(near_root) & ~self.is_leaf
        own = np.array(self.seen) == self.turn  # the side of the terminal; of leaves it holds its own only
        return far | (own & self.is_leaf)


def _is_leaf(instance: Instance) -> BoolVector:
    """Vertices into which nothing leads, or only such a vertex: no way of another terminal comes through them.

    Flow from such a terminal never has to come back to it, so the reverses of its arcs are left out of searches.
    """
    n_in = np.bincount(instance.heads, minlength=instance.n_vertices)
    leaf = n_in == 0
    behind = np.bincount(instance.heads[leaf[instance.tails]], minlength=instance.n_vertices)
    return leaf | ((n_in == 1) & (behind == 1))
