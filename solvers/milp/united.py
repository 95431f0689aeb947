"""A first network with disjoint routes: an order of the vertices in which inputs keep them, then few edges along it.

Order. Vertices are placed one after the other, outputs first, and keep only edges to vertices placed before them, so
that no cycle can arise. The *gate* of a placed vertex is the last vertex that all its ways to the outputs share: the
vertex itself if two of its ways share nothing else or if it has an edge to an output. A vertex with neighbours of two
gates has two disjoint ways, through one of each. So vertices are placed as soon as two gates are open to them (one, if
they need no more), and only where none is, one whose ways all lead through one gate; first come, first served.

Edges. Input by input, those with the least choice first, disjoint paths of least cost along the order are taken, where
what earlier inputs use is free. Then each input in turn gives its paths up and takes others if they are cheaper.

This finds a network or does not; whether it obeys all rules, and how far it is from the cheapest, is for others to say.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

import numpy as np

from solvers.arrays import neighbours, strong_components
from solvers.clock import Clock
from solvers.cover import ears
from solvers.milp.routes import available_routes
from solvers.milp.ways import Bundle, Ways
from solvers.problem import IntVector, Problem

ORDERS = 20  # that are tried
AGAINST = 10.0  # length of an edge against the order, which is better kept
ROUNDS = 3  # of giving up and taking other paths

Pair = tuple[int, int]


def united_routes(problem: Problem, clock: Clock) -> IntVector | None:
    """Edges along which every input keeps the disjoint routes that it must have; None where none are found in time.

    Args:
        problem: Normal (`solvers.reduce.normal`), with `Rules.disjoint_routes`.
        clock: When to stop.

    Returns:
        Sorted edge indices without a cycle.
    """
    need = available_routes(problem, clock)
    place = _suitable_order(problem, need, clock)
    if place is None:
        return None
    ways = Ways(problem, place[problem.sources] > place[problem.targets])
    union = _Union(problem, ways)
    for vertex in sorted(need, key=lambda each: (len(ways.after[each]) - need[each], each)):
        if clock.expired or not union.join(vertex, need[vertex]):
            return None
    for _ in range(ROUNDS):
        if not union.improve(need, clock):
            break
    return _with_all_outputs(problem, union.edges())


def _with_all_outputs(problem: Problem, edges: IntVector) -> IntVector:
    """The edges with ways to outputs that they do not reach; those leave them and never return."""
    fed = np.zeros(problem.n_vertices, dtype=bool)
    fed[problem.sources[edges]] = fed[problem.targets[edges]] = True
    unfed = problem.outputs[~fed[problem.outputs]].tolist()
    more = ears(problem, np.arange(problem.n_edges), fed.tolist(), unfed) if unfed else []
    return np.union1d(edges, np.array(more, dtype=np.int64))


def _suitable_order(problem: Problem, need: Mapping[int, int], clock: Clock) -> IntVector | None:
    """An order along which all inputs keep their routes: what some lack is held, and the order made anew."""
    every = Ways(problem)
    held: set[Pair] = set()
    for _ in range(ORDERS):
        place = _order(problem, need, held)
        along = Ways(problem, place[problem.sources] > place[problem.targets])
        short = [vertex for vertex, least in need.items() if along.most(vertex, least).count < least]
        if not short:
            return place
        if clock.expired:
            return None
        for vertex in short:
            more = held | _ways_to_hold(every, vertex, need[vertex], place.tolist(), held)
            held = held if _has_cycle(problem.n_vertices, more) else more
    return None


def _ways_to_hold(every: Ways, vertex: int, least: int, place: list[int], held: set[Pair]) -> set[Pair]:
    """Disjoint paths in the whole network that go along what is held, and little against the order."""

    def length(tail: int, head: int) -> float:
        if (tail, head) in held:
            return 0.0
        return 1.0 if place[tail] > place[head] else AGAINST

    paths = Bundle(every, vertex)
    while paths.count < least and paths.extend_cheaply(length):
        pass
    return {*paths.edges()}


def _has_cycle(n_vertices: int, pairs: set[Pair]) -> bool:
    ends = np.array(sorted(pairs))
    label = strong_components(n_vertices, ends[:, 0], ends[:, 1])
    return bool((label[ends[:, 0]] == label[ends[:, 1]]).any())


def _order(problem: Problem, need: Mapping[int, int], held: set[Pair]) -> IntVector:
    """The place of each vertex, shape (n_vertices,); what is held leads from later to earlier ones."""
    before = neighbours(problem.n_vertices, problem.targets, problem.sources)
    place = [-1] * problem.n_vertices
    gate = [-1] * problem.n_vertices
    gates: list[set[int]] = [set() for _ in range(problem.n_vertices)]
    waits: dict[int, set[int]] = {}
    for tail, head in held:
        waits.setdefault(tail, set()).add(head)
    wide, narrow = deque(problem.outputs.tolist()), deque[int]()
    count = 0
    while wide or narrow:
        vertex = (wide or narrow).popleft()
        if place[vertex] >= 0:
            continue
        place[vertex], count = count, count + 1
        open_to = gates[vertex]
        direct = any(other < 0 for other in open_to)
        gate[vertex] = next(iter(open_to)) if len(open_to) == 1 and not direct else vertex
        seen_as = gate[vertex] if open_to else -1 - vertex  # an output is open to nothing
        for tail in before[vertex]:
            if place[tail] < 0:
                gates[tail].add(seen_as)
                waits.get(tail, set()).discard(vertex)
                if not waits.get(tail):
                    enough = len(gates[tail]) >= need.get(tail, 1)
                    (wide if enough else narrow).append(tail)
    return np.array(place)


class _Union:
    """Paths of all inputs so far, and how many of them use each pair of vertices."""

    def __init__(self, problem: Problem, ways: Ways) -> None:
        self.problem, self.ways = problem, ways
        order = np.lexsort((np.arange(problem.n_edges), problem.costs))[::-1]  # of parallel edges the cheapest is last
        ends = zip(problem.sources[order].tolist(), problem.targets[order].tolist(), strict=True)
        self.edge: dict[Pair, int] = dict(zip(ends, order.tolist(), strict=True))
        self.cost = {pair: float(problem.costs[edge]) for pair, edge in self.edge.items()}
        self.price: list[float] = problem.vertex_costs.tolist()
        self.paths: dict[int, list[Pair]] = {}
        self.uses: Counter[Pair] = Counter()
        self.visits: Counter[int] = Counter()

    def join(self, vertex: int, need: int) -> bool:
        """Take disjoint paths of an input; whether there are as many as it needs."""
        paths = Bundle(self.ways, vertex)
        while paths.count < need:
            if not paths.extend_cheaply(self._length):
                return False
        self._use(vertex, paths.edges(), 1)
        return True

    def improve(self, need: Mapping[int, int], clock: Clock) -> bool:
        """Let each input that pays for an edge alone choose again; whether the union became cheaper."""
        cheaper = False
        for vertex in need:
            old = self.paths[vertex]
            if clock.expired:
                return False
            if all(self.uses[pair] > 1 for pair in old if pair[0] != vertex):
                continue
            self._use(vertex, old, -1)
            spared = self._paid(old)
            self.join(vertex, need[vertex])
            new = self.paths[vertex]
            self._use(vertex, new, -1)
            paid = self._paid(new)
            self._use(vertex, new if paid < spared else old, 1)
            cheaper |= paid < spared
        return cheaper

    def edges(self) -> IntVector:
        """What the paths use."""
        return np.array(sorted(self.edge[pair] for pair, uses in self.uses.items() if uses), dtype=np.int64)

    def _length(self, tail: int, head: int) -> float:
        if self.uses[tail, head]:
            return 0.0
        return self.cost[tail, head] + (0.0 if self.visits[head] else self.price[head])

    def _paid(self, pairs: list[Pair]) -> float:
        """What these pairs add to the cost of the others."""
        heads = sorted({head for _, head in pairs})
        return sum(self.cost[pair] for pair in pairs if not self.uses[pair]) + sum(
            self.price[head] for head in heads if not self.visits[head]
        )

    def _use(self, vertex: int, pairs: list[Pair], times: int) -> None:
        self.paths[vertex] = pairs
        for pair in pairs:
            self.uses[pair] += times
            self.visits[pair[1]] += times
