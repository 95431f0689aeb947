"""Close a gap by branch and cut, over no more arcs than a better answer can use.

An answer with an arc costs at least the value of a dual solution and the arc's reduced cost. Where costs are integers
and the gap is small, answers that meet the bound are looked for first: they use few arcs, and are often there. If there
is none the bound rises by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from solvers.bounds import to_beat
from solvers.clock import Clock
from solvers.problem import FloatVector, IntVector
from solvers.steiner.branch import Task, branch_and_cut
from solvers.steiner.instance import Instance

STEPS_UP_TO = 10  # a gap of so many units is closed from below, unit by unit


@dataclass(frozen=True, eq=False)
class Gap:
    """An answer, a bound, and what is known of answers between them.

    Attributes:
        views: Instances over the same arcs.
        arcs: Costly arcs of the best answer known.
        cost: What it costs.
        bound: What every answer costs at least.
        value: Of a dual solution, at most the bound.
        reduced: Its reduced costs, at least 0 for arcs that are not closed, inf for arcs that no better answer uses.
        cuts: To begin with.
        integral: Whether costs are integers.
        repair: Makes an answer from values of the arcs.
    """

    views: Sequence[Instance]
    arcs: IntVector
    cost: float
    bound: float
    value: float
    reduced: FloatVector
    cuts: Sequence[IntVector]
    integral: bool
    repair: Callable[[FloatVector], IntVector]


@dataclass(frozen=True, eq=False)
class Closing:
    """What was reached: the best answer, the bound, and counts for the record."""

    arcs: IntVector
    cost: float
    bound: float
    n_cuts: int
    n_nodes: int


def close(gap: Gap, clock: Clock, *, seed: int, on_progress: Callable[[float, float], None] | None = None) -> Closing:
    """Branch and cut until the bound meets the cost, or time is up.

    Args:
        gap: What to close.
        clock: Time left.
        seed: For the engine.
        on_progress: Called with (cost, bound).
    """
    costs = gap.views[0].costs
    arcs, cost, bound = gap.arcs, gap.cost, gap.bound
    n_cuts = n_nodes = 0
    while bound < cost and not clock.expired:
        below = bound + 1 if gap.integral and cost - bound <= STEPS_UP_TO else cost
        limit = to_beat(below, integral=gap.integral)
        task = Task(
            views=gap.views,
            open=np.flatnonzero((costs > 0) & (gap.value + gap.reduced < limit + 1e-9 * cost)),
            below=below,
            cost=cost,
            bound=bound,
            cuts=gap.cuts,
            integral=gap.integral,
            repair=gap.repair,
        )
        found = branch_and_cut(task, clock, seed=seed, on_progress=on_progress)
        if found.arcs is not None:
            arcs, cost = found.arcs, float(costs[found.arcs].sum())
        bound = max(bound, min(found.bound, below, cost))
        n_cuts, n_nodes = n_cuts + found.n_cuts, n_nodes + found.n_nodes
    return Closing(arcs, cost, min(bound, cost), n_cuts, n_nodes)
