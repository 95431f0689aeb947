"""Drawn instances of the fast path, small enough to enumerate."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from solvers.arrays import reachable
from solvers.steiner.instance import Instance, node_instance


def drawn_instance(seed: int, *, form: str = "arc", n_vertices: int = 7, n_arcs: int = 13) -> Instance:
    """A digraph in which every terminal reaches the root.

    Args:
        seed: Of all draws.
        form: "arc" (real costs), "free" (whole costs, many of them 0) or "node" (the node form, whole costs).
        n_vertices: The last is the root.
        n_arcs: Without the arcs that make sure of a way to the root.
    """
    draw = np.random.default_rng(seed)
    root = n_vertices - 1
    pairs = {(vertex, int(draw.integers(vertex + 1, n_vertices))) for vertex in range(root)}
    for tail, head in draw.integers(0, n_vertices, size=(n_arcs, 2)).tolist():
        if tail not in (head, root) and len(pairs) < n_arcs:
            pairs.add((tail, head))
    tails, heads = (np.array(ends) for ends in zip(*sorted(pairs), strict=True))
    terminals = np.flatnonzero(draw.random(root) < 0.6)
    terminals = terminals if len(terminals) else np.array([0])
    if form == "node":
        cost = draw.integers(1, 4, n_vertices).astype(float)
        leaves = np.setdiff1d(terminals, heads)
        cost[leaves] = 0.0
        cost[root] = 0.0
        return node_instance(n_vertices, tails, heads, cost, terminals, root)
    costs = draw.uniform(0.1, 1.0, len(tails)) if form == "arc" else draw.integers(0, 4, len(tails)).astype(float)
    return Instance(n_vertices, tails, heads, costs, terminals, root)


def joins(instance: Instance, arcs: np.ndarray) -> bool:
    """Whether these arcs and the free ones join all terminals to the root."""
    usable = instance.costs == 0
    usable[arcs] = True
    tails, heads = instance.tails[usable], instance.heads[usable]
    return bool(reachable(instance.n_vertices, heads, tails, np.array([instance.root]))[instance.terminals].all())


def least_cost(instance: Instance, allowed: np.ndarray | None = None) -> float:
    """Cost of a cheapest answer over the allowed arcs, by trying all subsets of costly ones; inf if there is none."""
    costly = np.flatnonzero((instance.costs > 0) & (True if allowed is None else allowed))
    if allowed is not None:
        free_gone = (instance.costs == 0) & ~allowed
        kept = np.flatnonzero(~free_gone)
        renumbered = np.searchsorted(kept, costly)
        instance = Instance(
            instance.n_vertices, instance.tails[kept], instance.heads[kept], instance.costs[kept],
            instance.terminals, instance.root,
        )  # fmt: skip
        costly = renumbered
    best = np.inf
    for size in range(len(costly) + 1):
        for chosen in combinations(costly.tolist(), size):
            cost = float(instance.costs[list(chosen)].sum())
            if cost < best and joins(instance, np.array(chosen, dtype=np.int64)):
                best = cost
    return best
