"""Bring costs to the range that floating-point engines work in."""

from __future__ import annotations

import math

import numpy as np

from solvers.problem import BoolVector, FloatVector, Problem
from solvers.steiner.feed import feed_outputs
from solvers.steiner.instance import arc_instance, rooted
from solvers.steiner.paths import join_by_paths

SPREAD = 1e2  # dearest over cheapest cost, from which on dear edges could set the scale for all others


def affordable_edges(problem: Problem) -> BoolVector:
    """Mark the edges that are no dearer than some feasible choice is as a whole.

    Law: the optimum uses marked edges only. Proof: costs are >= 0, so a choice with a dearer edge costs more than the
    choice at hand. Without this one edge of cost 1 beside edges of cost 1e-9 would set the scale, and the tolerances
    of the engines would hide all that matters.

    Args:
        problem: Costs >= 0, all edges on input-to-output walks.

    Returns:
        Shape (n_edges,); all True where costs are of similar size.
    """
    positive = problem.costs[problem.costs > 0]
    if not len(positive) or positive.max() <= SPREAD * positive.min():
        return np.ones(problem.n_edges, dtype=bool)
    graph = rooted(problem)
    instance = arc_instance(graph)
    choice = feed_outputs(problem, graph.edges[join_by_paths(instance, instance.costs)])
    return np.asarray(problem.costs <= problem.costs[choice].sum())


def scaled(costs: FloatVector) -> tuple[FloatVector, float]:
    """Costs divided by a factor, and that factor.

    Integers are divided by their greatest common divisor and stay integers. Other costs are divided by a power of two,
    which changes no digit, so that the largest is in [1, 2).
    """
    largest = float(np.abs(costs).max(initial=0.0))
    if largest == 0.0:
        return costs, 1.0
    if (costs == np.round(costs)).all():
        factor = float(math.gcd(*(int(cost) for cost in costs)))
    else:
        factor = 2.0 ** math.floor(math.log2(largest))
    return costs / factor, factor
