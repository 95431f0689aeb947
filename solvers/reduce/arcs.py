"""Reductions of arcs: those that no cheapest answer needs. The way back is the index of each arc that stays."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from solvers.problem import BoolVector, FloatVector, IntVector
from solvers.steiner.instance import Instance

ROUNDING = 1e-9  # relative; sums of costs in another order may differ by this, and a tie decides nothing


def worth_their_cost(instance: Instance) -> BoolVector:
    """Mark the arcs that are not dearer than another way from their tail to where ways end anyway.

    Law: the optimum over marked arcs is the optimum. Proof: let D(v) be the length of a shortest way from v to the
    root and let c(v, w) > D(v). In an answer with v -> w, put that shortest way in its place: it costs no more than
    D(v), and all that went through v -> w reaches v and from there the root. So the answer gets cheaper, and no
    cheapest answer has the arc. A leaf (a terminal without arcs into it) may also end at any other terminal u that is
    no leaf: u reaches the root in the answer, and not through the leaf. So for leaves D is the distance to the
    nearest of those.

    Args:
        instance: Every terminal can reach the root.

    Returns:
        Shape (n_arcs,).
    """
    is_leaf = np.zeros(instance.n_vertices, dtype=bool)
    is_leaf[instance.terminals] = True
    is_leaf[instance.heads] = False
    root = np.array([instance.root])
    inner = instance.terminals[~is_leaf[instance.terminals]]
    backwards = (instance.heads, instance.tails)
    to_root = shortest(instance.n_vertices, *backwards, instance.costs, root)
    to_goal = shortest(instance.n_vertices, *backwards, instance.costs, np.append(inner, root))
    limit = np.where(is_leaf, to_goal, to_root)[instance.tails]
    return np.asarray(instance.costs <= limit * (1 + ROUNDING))


def within_bound(instance: Instance, bound: float, reduced: FloatVector, to_beat: float) -> BoolVector:
    """Mark the arcs that an answer cheaper than `to_beat` can use, judged by a dual solution.

    Law: every answer without needless arcs that costs less than `to_beat` uses marked arcs only. Proof: such an
    answer with arc a holds a way from some terminal through a to the root. The reduced costs on that way sum to at
    least the distance of a's tail from the terminals, plus that of a, plus the distance of its head to the root, all
    in reduced costs; and an answer costs at least the bound plus the reduced costs of its arcs.

    Args:
        instance: The instance.
        bound: Value of the dual solution.
        reduced: Reduced costs, >= 0, shape (n_arcs,).
        to_beat: Only answers that cost less are of interest.

    Returns:
        Shape (n_arcs,).
    """
    tails, heads = instance.tails, instance.heads
    there = shortest(instance.n_vertices, tails, heads, reduced, instance.terminals)
    onward = shortest(instance.n_vertices, heads, tails, reduced, np.array([instance.root]))
    through = bound + there[tails] + reduced + onward[heads]
    return np.asarray(through < to_beat + ROUNDING * abs(to_beat))


def restricted_to(instance: Instance, kept: IntVector) -> Instance:
    """The instance with these arcs only; arc i of it is arc `kept[i]`."""
    return Instance(
        n_vertices=instance.n_vertices,
        tails=instance.tails[kept],
        heads=instance.heads[kept],
        costs=instance.costs[kept],
        terminals=instance.terminals,
        root=instance.root,
    )


def shortest(
    n_vertices: int, tails: IntVector, heads: IntVector, lengths: FloatVector, starts: IntVector
) -> FloatVector:
    """Distance of each vertex from the nearest of `starts`, shape (n_vertices,); inf where there is no way."""
    key = tails * n_vertices + heads
    order = np.lexsort((lengths, key))
    order = order[np.append(True, np.diff(key[order]) > 0)] if len(order) else order  # parallel arcs would be summed
    matrix = csr_array((lengths[order], (tails[order], heads[order])), shape=(n_vertices, n_vertices))
    return np.asarray(dijkstra(matrix, indices=starts, min_only=True))
