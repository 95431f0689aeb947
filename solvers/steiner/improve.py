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
        candidate = polish(instance, join_by_paths(instance, lengths), clock)
        cost = cost_of_arcs(instance, candidate)
        if cost < best_cost:
            best, best_cost = candidate, cost
    return best


def polish(instance: Instance, arcs: IntVector, clock: Clock) -> IntVector:
    """The local search that fits the instance: `without_needless` where arcs are free, else `reattach`."""
    return without_needless(instance, arcs, clock) if instance.has_free_arcs else reattach(instance, arcs)


def reattach(instance: Instance, arcs: IntVector) -> IntVector:
    """Let every vertex on which nothing hangs take its cheapest way to a vertex of the answer, until none moves.

    For instances without free arcs, in which leaving out an arc always cuts somebody off. Nothing hangs on such a
    vertex, so no cycle can arise; one that is no terminal goes.

    Args:
        instance: As for `join_by_paths`.
        arcs: An arborescence that joins all terminals.

    Returns:
        One that costs no more.
    """
    order = np.argsort(instance.tails, kind="stable")
    first = np.searchsorted(instance.tails[order], np.arange(instance.n_vertices + 1))
    onward = dict(zip(instance.tails[arcs].tolist(), arcs.tolist(), strict=True))
    hanging = np.bincount(instance.heads[arcs], minlength=instance.n_vertices)
    is_terminal = np.zeros(instance.n_vertices, dtype=bool)
    is_terminal[instance.terminals] = True
    waiting = [vertex for vertex in onward if hanging[vertex] == 0]
    while waiting:
        vertex = waiting.pop()
        if hanging[vertex] or vertex not in onward:  # another has taken a way to it since, or it went
            continue
        before = onward[vertex]
        head = int(instance.heads[before])
        if not is_terminal[vertex]:
            del onward[vertex]
        else:
            ways = order[first[vertex] : first[vertex + 1]]
            best = min(ways.tolist(), key=lambda arc: (not _is_in(instance, onward, arc), instance.costs[arc], arc))
            if best == before or instance.costs[best] >= instance.costs[before]:
                continue
            onward[vertex] = best
            hanging[instance.heads[best]] += 1
        hanging[head] -= 1
        if hanging[head] == 0 and head in onward:
            waiting.append(head)
    return np.array(sorted(onward.values()), dtype=np.int64)


def _is_in(instance: Instance, onward: dict[int, int], arc: int) -> bool:
    head = int(instance.heads[arc])
    return head == instance.root or head in onward


def without_needless(instance: Instance, arcs: IntVector, clock: Clock) -> IntVector:
    """Try to leave each costly arc out, the least used first, and rejoin what hung on it at no further cost.

    Args:
        instance: As for `join_by_paths`.
        arcs: An arborescence that joins all terminals.
        clock: Stops, with what is found by then, when it expires.

    Returns:
        An arborescence that costs no more.
    """
    tree = _Tree(instance, arcs)
    load = tree.load()
    paid = [arc for arc in arcs.tolist() if instance.costs[arc] > 0]
    for arc in sorted(paid, key=lambda arc: (load.get(arc, 0), -instance.costs[arc], arc)):
        if clock.expired:
            break
        if tree.onward[tree.tails[arc]] == arc:
            tree.leave_out(arc)
    return tree.arcs()


class _Tree:
    """An arborescence towards the root in which arcs can be left out."""

    def __init__(self, instance: Instance, arcs: IntVector) -> None:
        self.root = instance.root
        self.tails, self.heads = instance.tails.tolist(), instance.heads.tolist()
        self.free = (instance.costs == 0).tolist()
        self.out_of = neighbours(instance.n_vertices, instance.tails, np.arange(instance.n_arcs))
        self.is_terminal = [False] * instance.n_vertices
        self.terminals = instance.terminals.tolist()
        for terminal in self.terminals:
            self.is_terminal[terminal] = True
        self.onward = [-1] * instance.n_vertices  # the arc that each joined vertex takes
        self.behind: list[set[int]] = [set() for _ in range(instance.n_vertices)]  # who takes an arc to it
        for arc in arcs.tolist():
            self.onward[self.tails[arc]] = arc
            self.behind[self.heads[arc]].add(self.tails[arc])

    def load(self) -> dict[int, int]:
        """How many terminals use each arc."""
        load: dict[int, int] = {}
        for vertex in self.terminals:
            while self.onward[vertex] >= 0:
                load[self.onward[vertex]] = load.get(self.onward[vertex], 0) + 1
                vertex = self.heads[self.onward[vertex]]
        return load

    def leave_out(self, arc: int) -> bool:
        """Leave an arc out if all terminals that hang on it find another way that costs nothing; whether they did."""
        hanging = self._hanging_on(self.tails[arc])
        ways = self._other_ways(hanging, arc)
        if any(self.is_terminal[vertex] and vertex not in ways for vertex in hanging):
            return False
        for vertex in hanging:
            before = self.onward[vertex]
            self.behind[self.heads[before]].discard(vertex)
            self.onward[vertex] = ways.get(vertex, -1)
        for vertex, way in ways.items():
            self.behind[self.heads[way]].add(vertex)
        return True

    def _hanging_on(self, vertex: int) -> set[int]:
        """The vertex and all whose ways lead through it."""
        found = {vertex}
        stack = [vertex]
        while stack:
            for tail in self.behind[stack.pop()]:
                found.add(tail)
                stack.append(tail)
        return found

    def _other_ways(self, hanging: set[int], without: int) -> dict[int, int]:
        """For each hanging vertex that can rejoin, the arc to take: free arcs, or costly ones of the tree."""
        waiting: dict[int, list[int]] = {}  # arcs among hanging vertices, by head
        ways: dict[int, int] = {}
        stack: list[int] = []
        for vertex in sorted(hanging):
            for arc in self.out_of[vertex]:
                if arc == without or not (self.free[arc] or self.onward[vertex] == arc):
                    continue
                head = self.heads[arc]
                if head in hanging:
                    waiting.setdefault(head, []).append(arc)
                elif vertex not in ways and (head == self.root or self.onward[head] >= 0):
                    ways[vertex] = arc
                    stack.append(vertex)
        while stack:
            for arc in waiting.get(stack.pop(), ()):
                tail = self.tails[arc]
                if tail not in ways:
                    ways[tail] = arc
                    stack.append(tail)
        return ways

    def arcs(self) -> IntVector:
        """Arcs on the ways of the terminals, sorted."""
        used: set[int] = set()
        for vertex in self.terminals:
            while self.onward[vertex] >= 0 and self.onward[vertex] not in used:
                used.add(self.onward[vertex])
                vertex = self.heads[self.onward[vertex]]
        return np.array(sorted(used), dtype=np.int64)
