"""Violated directed cuts: a terminal that a (fractional) choice of arcs does not join to the root by a whole unit."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from solvers.arrays import reachable
from solvers.clock import Clock
from solvers.problem import FloatVector, IntVector
from solvers.steiner.instance import Instance

SCALE = 1_000_000  # capacities of the maximum flow are integers: x in millionths
TOLERANCE = 1e-4  # a cut is violated where less than 1 - TOLERANCE leaves


def integer_cuts(instance: Instance, chosen: IntVector) -> list[IntVector]:
    """Cuts that a choice of arcs violates, one a group of terminals that are stuck together; none if it is feasible.

    The cut of a terminal holds the arcs that leave the vertices it reaches over the chosen and the free arcs.

    Args:
        instance: The instance.
        chosen: Arcs that are taken; free arcs are taken anyway.
    """
    taken = instance.costs == 0
    taken[chosen] = True
    tails, heads = instance.tails[taken], instance.heads[taken]
    joined = reachable(instance.n_vertices, heads, tails, np.array([instance.root]))
    cuts = []
    covered = joined.copy()
    for terminal in instance.terminals.tolist():
        if covered[terminal]:
            continue
        inside = reachable(instance.n_vertices, tails, heads, np.array([terminal]))
        covered |= inside
        cuts.append(leaving(instance, inside))
    return cuts


def fractional_cuts(instance: Instance, x: FloatVector, clock: Clock, *, first: int, most: int) -> list[IntVector]:
    """Cuts of least capacity that a fractional point violates, nearest to the terminal and nearest to the root.

    Args:
        instance: The instance.
        x: Value of each arc in [0, 1], shape (n_arcs,); free arcs count as unlimited.
        clock: Stops, with the cuts found by then, when it expires.
        first: Position of the terminal to begin with, so that rounds take turns.
        most: Stop after so many cuts.
    """
    scaled = np.minimum(np.round(np.maximum(x, 0.0) * SCALE), SCALE).astype(np.int32)
    scaled[instance.costs == 0] = SCALE
    shape = (instance.n_vertices, instance.n_vertices)
    capacity = csr_array((scaled, (instance.tails, instance.heads)), shape=shape)
    capacity.sum_duplicates()
    cuts: list[IntVector] = []
    whole = scaled >= (1 - TOLERANCE) * SCALE  # terminals that arrive over such arcs alone need no maximum flow
    joined = reachable(instance.n_vertices, instance.heads[whole], instance.tails[whole], np.array([instance.root]))
    terminals = [terminal for terminal in np.roll(instance.terminals, -first).tolist() if not joined[terminal]]
    for terminal in terminals:
        if len(cuts) >= most or clock.expired:
            break
        flow = maximum_flow(capacity, terminal, instance.root)
        if flow.flow_value >= (1 - TOLERANCE) * SCALE:
            continue
        left = (capacity - flow.flow).tocoo()
        open_arcs = left.data > 0
        tails, heads = left.row[open_arcs].astype(np.int64), left.col[open_arcs].astype(np.int64)
        near = reachable(instance.n_vertices, tails, heads, np.array([terminal]))
        far = ~reachable(instance.n_vertices, heads, tails, np.array([instance.root]))
        cuts.append(leaving(instance, near))
        if (near != far).any():
            cuts.append(leaving(instance, far))
    return cuts


def leaving(instance: Instance, inside: np.ndarray) -> IntVector:
    """Arcs that leave a set of vertices, shape (n_leaving,)."""
    return np.flatnonzero(inside[instance.tails] & ~inside[instance.heads])
