"""Wong's dual ascent for Steiner arborescences: a bound, reduced costs and cuts.

R. T. Wong, "A dual ascent approach for Steiner tree problems on a directed graph", Mathematical Programming 28
(1984) 271-287; the order in which terminals are treated follows T. Pajor, E. Uchoa, R. Werneck, "A robust and scalable
algorithm for the Steiner problem in graphs", Mathematical Programming Computation 10 (2018) 69-118.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from solvers.arrays import neighbours
from solvers.clock import Clock
from solvers.problem import FloatVector, IntVector
from solvers.steiner.instance import Instance


@dataclass(frozen=True, eq=False)
class Ascent:
    """A feasible dual solution.

    Attributes:
        bound: Sum of the duals: no feasible choice of arcs costs less.
        reduced: Reduced cost of each arc, at least 0, shape (n_arcs,).
        cuts: Arcs of each cut with a positive dual; every feasible choice takes one of them.
        finished: Whether every terminal reaches the root over arcs of reduced cost 0.
    """

    bound: float
    reduced: FloatVector
    cuts: tuple[IntVector, ...]
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
    out_of = neighbours(instance.n_vertices, instance.tails, np.arange(instance.n_arcs))
    heads = instance.heads.tolist()
    reduced = instance.costs.tolist()
    tiny = 1e-12 * max(1.0, float(instance.costs.max(initial=0.0)))
    stamp = [-1] * instance.n_vertices
    turn, finished = 0, True
    cuts: list[IntVector] = []
    bound = _raise_single_vertices(instance, out_of, reduced, cuts)
    queue = [(0, terminal) for terminal in instance.terminals.tolist()]
    heapq.heapify(queue)
    while queue:
        size, terminal = heapq.heappop(queue)
        if clock.expired:
            finished = False
            break
        turn += 1
        cut = _cut(terminal, instance.root, out_of, heads, reduced, tiny, stamp, turn)
        if cut is None:
            continue
        if queue and len(cut) > size and len(cut) > queue[0][0]:
            heapq.heappush(queue, (len(cut), terminal))
            continue
        step = min([reduced[arc] for arc in cut])
        bound += step
        for arc in cut:
            reduced[arc] -= step
        if len(cuts) < max_cuts:
            cuts.append(np.array(cut, dtype=np.int64))
        heapq.heappush(queue, (len(cut), terminal))
    return Ascent(bound, np.maximum(np.array(reduced), 0.0), tuple(cuts), finished)


def _raise_single_vertices(
    instance: Instance, out_of: list[list[int]], reduced: list[float], cuts: list[IntVector]
) -> float:
    """Raise the cut around each terminal alone as far as it goes (no two share an arc); the sum of the duals."""
    bound = 0.0
    for terminal in instance.terminals.tolist():
        arcs = out_of[terminal]
        step = min((reduced[arc] for arc in arcs), default=0.0)
        if step > 0.0:
            bound += step
            cuts.append(np.array(arcs, dtype=np.int64))
            for arc in arcs:
                reduced[arc] -= step
    return bound


def _cut(
    terminal: int,
    root: int,
    out_of: list[list[int]],
    heads: list[int],
    reduced: list[float],
    tiny: float,
    stamp: list[int],
    turn: int,
) -> list[int] | None:
    """Arcs that leave the vertices a terminal reaches over saturated arcs; None if the root is among those."""
    stamp[terminal] = turn
    stack = [terminal]
    leaving: list[int] = []
    while stack:
        for arc in out_of[stack.pop()]:
            head = heads[arc]
            if stamp[head] == turn:
                continue
            if reduced[arc] <= tiny:
                if head == root:
                    return None
                stamp[head] = turn
                stack.append(head)
            else:
                leaving.append(arc)
    return [arc for arc in leaving if stamp[heads[arc]] != turn]
