"""The cheapest network under rules by enumeration of all edge subsets: slow, plain, and without code of the product.

Written from the docstring of `solvers.rules.Rules` alone. Sets of edges and of vertices are bit masks: bit i stands
for edge i or vertex i. Where it can, the oracle tries everything instead of computing something: states are tried,
simple paths are listed, networks of single samples are listed.

How the docstring is read where it leaves a choice:

- An optional input (one with a reward) is asked for nothing, whatever sample it belongs to; the edges at it have to
  lie on walks, as all edges.
- A route of an input leads from it to an output and does not come back to it. How many there could be is counted over
  edges that are not forbidden, nor at a forbidden vertex, and on a walk from an input to an output of one sample that
  is no longer than paths may be. A path is a sequence of vertices: parallel edges make one.
- A directed path visits no vertex twice; that matters for the depth of choices with cycles only.
- With an order for each sample, S is the union of acyclic networks of which each covers one of the samples, any number
  of them for one sample.
- States without signs say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import combinations
from typing import Any

from tests.oracles.cover import TOLERANCE, Cover

MAX_EDGES = 11

Edges = list[tuple[int, int]]


def cheapest(problem: Any) -> Cover | None:
    """The least objective and every edge set that reaches it; None where nothing is feasible."""
    return _first(all_feasible(problem))


def all_feasible(problem: Any) -> list[tuple[float, frozenset[int]]]:
    """(objective, edge set) of every feasible edge set, by objective, then by edges."""
    n_edges = len(problem.sources)
    if n_edges > MAX_EDGES:
        raise ValueError(f"expected at most {MAX_EDGES} edges to enumerate, got {n_edges}")
    judge = Judge(problem)
    found = [
        (objective_of(problem, chosen), frozenset(chosen))
        for chosen in (_bits(mask) for mask in range(1 << n_edges))
        if judge.accepts(chosen)
    ]
    return sorted(found, key=lambda item: (item[0], sorted(item[1])))


def objective_of(problem: Any, chosen: Iterable[int]) -> float:
    """Edge costs, costs of the vertices at their ends, and rewards of optional inputs that are not among those."""
    kept = sorted(chosen)
    ends = {int(problem.sources[edge]) for edge in kept} | {int(problem.targets[edge]) for edge in kept}
    total = 0.0
    for edge in kept:
        total += float(problem.costs[edge])
    for vertex in range(problem.n_vertices):
        if vertex in ends:
            total += float(problem.vertex_costs[vertex])
        elif vertex in problem.rules.rewards:
            total += float(problem.rules.rewards[vertex])
    return total


class Judge:
    """Says of edge sets of one problem which rules they break, in the words of `solvers.check`."""

    def __init__(self, problem: Any) -> None:
        self.rules = problem.rules
        self.edges: Edges = [(int(u), int(v)) for u, v in zip(problem.sources, problem.targets, strict=True)]
        self.inputs, self.outputs = [int(v) for v in problem.inputs], [int(v) for v in problem.outputs]
        samples = [(list(sample.inputs), list(sample.outputs)) for sample in self.rules.samples]
        self.own_orders = bool(samples) and not self.rules.shared_order
        self.samples = samples or [(self.inputs, self.outputs)]
        self.consistent = None if self.rules.signs is None else self._consistent(problem.n_vertices)
        usable = [
            edge
            for number, edge in enumerate(self.edges)
            if number not in self.rules.forbidden_edges and not {*edge} & {*self.rules.forbidden_vertices}
        ]
        usable = [edge for edge in usable if any(self._walk_through(usable, edge, *roles) for roles in self.samples)]
        asks = self.rules.min_routes > 1
        self.could = {vertex: self._routes(usable, vertex) for vertex in self.inputs} if asks else {}
        self._covers: list[list[int]] | None = None

    def _walk_through(self, edges: Edges, edge: tuple[int, int], inputs: Any, outputs: Any) -> bool:
        """Whether the edge lies on a walk from an input to an output that is no longer than paths may be."""
        limit = self.rules.max_depth or len(self.edges)
        behind = _steps([(v, u) for u, v in edges], outputs)
        ahead = _steps(edges, inputs)
        return ahead.get(edge[0], limit) + 1 + behind.get(edge[1], limit) <= limit

    def accepts(self, chosen: Iterable[int]) -> bool:
        """Whether no rule is broken; quick tests first."""
        chosen = list(chosen)
        return not self._broken_locally(chosen) and not self._broken_covering(chosen) and not self._broken_ways(chosen)

    def broken(self, chosen: Iterable[int]) -> frozenset[str]:
        """All broken rules; for samples with own orders, "covering" stands for whatever is wrong with the covers."""
        chosen = list(chosen)
        return frozenset(self._broken_locally(chosen) | self._broken_covering(chosen) | self._broken_ways(chosen))

    # -- covering

    def _broken_covering(self, chosen: list[int]) -> set[str]:
        if self.own_orders:
            return set() if self._is_union_of_covers(sum(1 << edge for edge in chosen)) else {"covering"}
        kept = [self.edges[edge] for edge in chosen]
        broken = {"cycle"} if has_cycle(kept) else set()
        useful = set()
        for inputs, outputs in self.samples:
            fed, drained = _closure(kept, inputs), _closure([(v, u) for u, v in kept], outputs)
            if any(vertex not in self.rules.rewards and not drained >> vertex & 1 for vertex in inputs):
                broken.add("uncovered input")
            if any(not fed >> vertex & 1 for vertex in outputs):
                broken.add("unfed output")
            useful |= {pair for pair in kept if fed >> pair[0] & 1 and drained >> pair[1] & 1}
        if any(pair not in useful for pair in kept):
            broken.add("stray edge")
        return broken

    def _is_union_of_covers(self, mask: int) -> bool:
        union = 0
        for networks in self._covers_of_each_sample():
            inside = [network for network in networks if network & mask == network]
            if not inside:
                return False
            for network in inside:
                union |= network
        return union == mask

    def _covers_of_each_sample(self) -> list[list[int]]:
        """For each sample all acyclic edge sets that cover it and hold no edge without use for it."""
        if self._covers is None:
            self._covers = [[] for _ in self.samples]
            for mask in range(1 << len(self.edges)):
                kept = [self.edges[edge] for edge in _bits(mask)]
                if has_cycle(kept):
                    continue
                for networks, (inputs, outputs) in zip(self._covers, self.samples, strict=True):
                    fed, drained = _closure(kept, inputs), _closure([(v, u) for u, v in kept], outputs)
                    if (
                        all(vertex in self.rules.rewards or drained >> vertex & 1 for vertex in inputs)
                        and all(fed >> vertex & 1 for vertex in outputs)
                        and all(fed >> u & 1 and drained >> v & 1 for u, v in kept)
                    ):
                        networks.append(mask)
        return self._covers

    # -- what can be seen edge by edge and vertex by vertex

    def _broken_locally(self, chosen: list[int]) -> set[str]:
        rules, kept = self.rules, [self.edges[edge] for edge in chosen]
        ends = {vertex for pair in kept for vertex in pair}
        heads = [head for _, head in kept]
        most = rules.max_parents
        holds = {
            "forbidden edge": not {*rules.forbidden_edges} & {*chosen},
            "missing edge": {*rules.forced_edges} <= {*chosen},
            "forbidden vertex": not {*rules.forbidden_vertices} & ends,
            "missing vertex": {*rules.forced_vertices} <= ends,
            "too many parents": most is None or all(heads.count(head) <= most for head in heads),
            "state conflict": self.consistent is None or self._has_states(chosen),
            "excluded network": all({*chosen} != {*edges} for edges in rules.excluded),
        }
        return {rule for rule, kept_to in holds.items() if not kept_to}

    def _has_states(self, chosen: list[int]) -> bool:
        mask = sum(1 << edge for edge in chosen)
        return any(mask & allowed == mask for allowed in self.consistent or ())

    def _consistent(self, n_vertices: int) -> list[int]:
        """For every way to give all vertices states, known ones kept, the edges whose signs agree with it."""
        found = set()
        for number in range(1 << n_vertices):
            state = [1 if number >> vertex & 1 else -1 for vertex in range(n_vertices)]
            if any(state[vertex] != known for vertex, known in self.rules.states.items()):
                continue
            found.add(
                sum(
                    1 << edge
                    for edge, (tail, head) in enumerate(self.edges)
                    if self.rules.signs[edge] == 0 or state[head] == self.rules.signs[edge] * state[tail]
                )
            )
        return sorted(found)

    # -- depth and routes, by listing simple paths

    def _broken_ways(self, chosen: list[int]) -> set[str]:
        kept = [self.edges[edge] for edge in chosen]
        broken = set()
        if self.rules.max_depth is not None and longest_path(kept) > self.rules.max_depth:
            broken.add("too deep")
        ends = {vertex for pair in kept for vertex in pair}
        if any(vertex in ends and self._routes(kept, vertex) < could for vertex, could in self.could.items()):
            broken.add("too few routes")
        return broken

    def _routes(self, edges: Edges, start: int) -> int:
        """Routes of an input within some edges, counted up to as many as are asked."""
        return _routes(tuple(edges), start, tuple(self.outputs), self.rules.min_routes, self.rules.disjoint_routes)


@lru_cache(maxsize=1 << 16)
def _routes(edges: tuple[tuple[int, int], ...], start: int, outputs: tuple[int, ...], most: int, disjoint: bool) -> int:
    paths = {
        path
        for path in simple_paths(list(edges), start)
        if path[-1] in outputs and not {*path[:-1]} & {*outputs}  # an output ends a path
    }
    if not disjoint:
        return min(most, len({path[1] for path in paths}))
    direct = len({path[-1] for path in paths if len(path) == 2})  # nothing between, so they share nothing
    longer = sorted({tuple(sorted(path[1:-1])) for path in paths if len(path) > 2})
    return min(most, direct + _most_disjoint(longer, most))


def _most_disjoint(sets: list[tuple[int, ...]], most: int) -> int:
    for size in range(most, 0, -1):
        for choice in combinations(sets, size):
            if sum(map(len, choice)) == len(set().union(*choice)):
                return size
    return 0


def simple_paths(edges: Edges, start: int) -> Iterator[tuple[int, ...]]:
    """Every path of at least one edge from a vertex that visits no vertex twice, as its vertices."""
    after: dict[int, set[int]] = {}
    for tail, head in edges:
        after.setdefault(tail, set()).add(head)
    stack = [(start,)]
    while stack:
        path = stack.pop()
        if len(path) > 1:
            yield path
        stack += [(*path, head) for head in sorted(after.get(path[-1], ())) if head not in path]


def longest_path(edges: Edges) -> int:
    """Number of edges of the longest simple path."""
    return max((len(path) - 1 for tail in {tail for tail, _ in edges} for path in simple_paths(edges, tail)), default=0)


def has_cycle(edges: Edges) -> bool:
    """Whether there are edges of which each begins where another one of them ends."""
    while edges:
        heads = {head for _, head in edges}
        rest = [(tail, head) for tail, head in edges if tail in heads]
        if len(rest) == len(edges):
            return True
        edges = rest
    return False


def _first(found: list[tuple[float, frozenset[int]]]) -> Cover | None:
    if not found:
        return None
    least = found[0][0]
    return Cover(least, tuple(edges for cost, edges in found if cost <= least + TOLERANCE))


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def _steps(edges: Edges, starts: Iterable[int]) -> dict[int, int]:
    """Fewest edges from one of `starts` to each vertex that is reached."""
    steps = dict.fromkeys(starts, 0)
    for _ in edges:
        for tail, head in edges:
            if tail in steps:
                steps[head] = min(steps.get(head, steps[tail] + 1), steps[tail] + 1)
    return steps


def _closure(edges: Edges, starts: Iterable[int]) -> int:
    reached, before = 0, -1
    for vertex in starts:
        reached |= 1 << vertex
    while reached != before:
        before = reached
        for tail, head in edges:
            if reached >> tail & 1:
                reached |= 1 << head
    return reached
