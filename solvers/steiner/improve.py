"""Local search: leave a vertex or an arc out of the answer wherever the terminals reach the root without it."""

from __future__ import annotations

import numpy as np

from solvers.arrays import neighbours
from solvers.clock import Clock
from solvers.problem import IntVector
from solvers.steiner.instance import Instance
from solvers.steiner.paths import join_by_paths


def cost_of_arcs(instance: Instance, arcs: IntVector) -> float:
    """Cost of a set of arcs."""
    return float(instance.costs[arcs].sum())


def shake(instance: Instance, arcs: IntVector, clock: Clock, *, seed: int, rounds: int, enough: float) -> IntVector:
    """Rejoin the terminals with perturbed lengths that favour the arcs of the best answer; keep what is cheaper.

    Args:
        instance: As for `join_by_paths`.
        arcs: An answer to improve on.
        clock: Stops when it expires.
        seed: Of the perturbations.
        rounds: How often to try.
        enough: Stop when the cost is down to this (a bound).
    """
    draw = np.random.default_rng(seed)
    best, best_cost = arcs, cost_of_arcs(instance, arcs)
    for _ in range(rounds):
        if clock.expired or best_cost <= enough:
            break
        lengths = instance.costs * draw.uniform(0.6, 1.4, instance.n_arcs)
        lengths[best] *= draw.uniform(0.3, 0.9)
        candidate = without_needless(instance, join_by_paths(instance, lengths))
        cost = cost_of_arcs(instance, candidate)
        if cost < best_cost:
            best, best_cost = candidate, cost
    return best


def without_needless(instance: Instance, arcs: IntVector) -> IntVector:
    """Try to leave each costly arc out, dearest and then least used first, and rejoin over what is left and free.

    Args:
        instance: As for `join_by_paths`.
        arcs: A feasible answer.

    Returns:
        A feasible answer that costs no more.
    """
    usable = instance.costs == 0
    usable[arcs] = True
    out_of = neighbours(instance.n_vertices, instance.tails, np.arange(instance.n_arcs))
    into = neighbours(instance.n_vertices, instance.heads, np.arange(instance.n_arcs))
    tails, heads = instance.tails.tolist(), instance.heads.tolist()
    alive = usable.tolist()
    load = _load(instance, arcs)
    paid = [arc for arc in arcs.tolist() if instance.costs[arc] > 0]
    reached = _reaches_root(instance, into, tails, alive)
    need = [terminal for terminal in instance.terminals.tolist() if reached[terminal]]
    for arc in sorted(paid, key=lambda arc: (load[arc], -instance.costs[arc], arc)):
        alive[arc] = False
        if not _still_joined(tails[arc], arc, need, instance.root, into, out_of, tails, heads, alive):
            alive[arc] = True
    return _used(instance, np.array(alive))


def _still_joined(
    start: int,
    arc: int,
    need: list[int],
    root: int,
    into: list[list[int]],
    out_of: list[list[int]],
    tails: list[int],
    heads: list[int],
    alive: list[bool],
) -> bool:
    """Whether the terminals that hung on an arc's tail still reach the root without it.

    Only vertices that reach the tail can have lost their way; if the tail itself still reaches the root, none has.
    """
    if _walks_to(start, root, out_of, heads, alive):
        return True
    behind = {start}
    stack = [start]
    while stack:
        for incoming in into[stack.pop()]:
            if alive[incoming] and tails[incoming] not in behind:
                behind.add(tails[incoming])
                stack.append(tails[incoming])
    return all(_walks_to(terminal, root, out_of, heads, alive) for terminal in need if terminal in behind)


def _walks_to(start: int, root: int, out_of: list[list[int]], heads: list[int], alive: list[bool]) -> bool:
    seen = {start}
    stack = [start]
    while stack:
        vertex = stack.pop()
        if vertex == root:
            return True
        for arc in out_of[vertex]:
            if alive[arc] and heads[arc] not in seen:
                seen.add(heads[arc])
                stack.append(heads[arc])
    return False


def _reaches_root(instance: Instance, into: list[list[int]], tails: list[int], alive: list[bool]) -> list[bool]:
    reached = [False] * instance.n_vertices
    reached[instance.root] = True
    stack = [instance.root]
    while stack:
        for arc in into[stack.pop()]:
            if alive[arc] and not reached[tails[arc]]:
                reached[tails[arc]] = True
                stack.append(tails[arc])
    return reached


def _load(instance: Instance, arcs: IntVector) -> dict[int, int]:
    """How many terminals use each arc of an arborescence."""
    onward = dict(zip(instance.tails[arcs].tolist(), arcs.tolist(), strict=True))
    load = dict.fromkeys(arcs.tolist(), 0)
    for vertex in instance.terminals.tolist():
        while vertex in onward:
            load[onward[vertex]] += 1
            vertex = int(instance.heads[onward[vertex]])
    return load


def _used(instance: Instance, alive: np.ndarray) -> IntVector:
    """An arborescence over the arcs that are left."""
    lengths = np.where(alive, instance.costs, np.inf)
    return join_by_paths(instance, lengths)
