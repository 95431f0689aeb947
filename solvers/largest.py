"""The largest acyclic network: leave out as few edges as possible (minimum feedback arc set with coverage).

NP-hard, and on real networks far from provable: a strongly connected component of 2,000 vertices leaves a gap of a
quarter of the edges to be dropped after minutes with the best codes. So there are two ways. With few edges inside
components the acyclic-flow program decides (every edge pays 1). Otherwise an order of the vertices is improved by
moving single vertices, and the bound is the number of edges less a packing of cycles that share no edge, from each of
which one edge must go.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from solvers.arrays import neighbours, reachable, strong_components
from solvers.clock import Clock
from solvers.cover import covers
from solvers.milp.solve import solve_milp
from solvers.options import Options
from solvers.problem import BoolVector, IntVector, Problem
from solvers.result import Solution, Termination

EXACT_UP_TO = 150  # edges inside components that the program is given
PASSES = 20  # of single-vertex moves


def largest_acyclic(problem: Problem, options: Options, clock: Clock) -> Solution:
    """Keep as many edges as possible.

    Args:
        problem: All edges on input-to-output walks, each at cost -1.
        options: `backend`, `seed` for the program; `method="milp"` asks for it at any size.
        clock: Time left.

    Returns:
        A solution with objective = -(number of edges kept) and bound = -(number that cannot be exceeded).
    """
    label = strong_components(problem.n_vertices, problem.sources, problem.targets)
    inner = label[problem.sources] == label[problem.targets]
    edges = _ordered(problem, inner, clock)
    bound = -float(problem.n_edges - _disjoint_cycles(problem, inner))
    solution = Solution(
        termination=Termination.OPTIMAL if bound == -len(edges) else Termination.LIMIT,
        edges=edges,
        objective=-float(len(edges)),
        bound=bound,
        method="vertex order",
        backend="cycle packing",
        seconds=clock.seconds,
        details={"edges_in_components": int(inner.sum())},
    )
    if solution.termination is Termination.OPTIMAL or (inner.sum() > EXACT_UP_TO and options.method != "milp"):
        return solution
    exact = solve_milp(problem, options, clock, order=True, start=edges)
    better = max(exact.bound, bound)
    done = exact.objective <= better
    return replace(exact, bound=better, termination=Termination.OPTIMAL if done else Termination.LIMIT)


def _ordered(problem: Problem, inner: BoolVector, clock: Clock) -> IntVector:
    """Edges that run forward in a good order of the vertices, cut back to input-to-output paths.

    Edges between components always run forward. As long as every vertex but the outputs has an edge forward, every
    walk along such edges ends in an output. The first order has this; free moves may lose it, guarded ones keep it.
    """
    moves = _Moves(problem, inner)
    first = _by_distance(problem)
    guarded = moves.run(first, clock, guard=True)
    free = moves.run(moves.mend(moves.run(first, clock, guard=False)), clock, guard=True)
    candidates = [_forward_on_paths(problem, rank, inner) for rank in (first, guarded, free)]
    return max((edges for edges in candidates if covers(problem, edges)), key=len)


def _by_distance(problem: Problem) -> IntVector:
    """Rank of each vertex, farthest from the outputs first: all shortest ways to an output then run forward.

    An output that no such way feeds ranks behind all that reaches it, by the distance from what is fed already.
    """
    to_output = _hops(problem.n_vertices, problem.targets, problem.sources, problem.outputs)
    forward = to_output[problem.sources] == to_output[problem.targets] + 1
    fed = reachable(problem.n_vertices, problem.sources[forward], problem.targets[forward], problem.inputs)
    late = _hops(problem.n_vertices, problem.sources, problem.targets, np.flatnonzero(fed))
    order = np.lexsort((np.arange(problem.n_vertices), -to_output, np.where(fed, 0, late)))
    rank = np.empty(problem.n_vertices, dtype=np.int64)
    rank[order] = np.arange(problem.n_vertices)
    return rank


def _hops(n_vertices: int, tails: IntVector, heads: IntVector, starts: IntVector) -> IntVector:
    """Edges of a shortest walk from `starts` to each vertex; n_vertices where there is none."""
    onward = neighbours(n_vertices, tails, heads)
    distance = [n_vertices] * n_vertices
    queue = deque(starts.tolist())
    for start in queue:
        distance[start] = 0
    while queue:
        vertex = queue.popleft()
        for head in onward[vertex]:
            if distance[head] == n_vertices:
                distance[head] = distance[vertex] + 1
                queue.append(head)
    return np.array(distance, dtype=np.int64)


def _forward_on_paths(problem: Problem, rank: IntVector, inner: BoolVector) -> IntVector:
    edges = np.flatnonzero(~inner | (rank[problem.sources] < rank[problem.targets]))
    tails, heads = problem.sources[edges], problem.targets[edges]
    fed = reachable(problem.n_vertices, tails, heads, problem.inputs)
    out = reachable(problem.n_vertices, heads, tails, problem.outputs)
    return edges[fed[tails] & out[heads]]


class _Moves:
    """Moves of single vertices of components within an order."""

    def __init__(self, problem: Problem, inner: BoolVector) -> None:
        n_vertices = problem.n_vertices
        self.before = neighbours(n_vertices, problem.targets[inner], problem.sources[inner])
        self.after = neighbours(n_vertices, problem.sources[inner], problem.targets[inner])
        leaves = np.bincount(problem.sources[~inner], minlength=n_vertices) > 0
        leaves[problem.outputs] = True
        enters = np.bincount(problem.targets[~inner], minlength=n_vertices) > 0
        enters[problem.inputs] = True
        self.goes_on, self.is_fed = leaves.tolist(), enters.tolist()  # by edges between components, or by its role
        self.members = [vertex for vertex in range(n_vertices) if self.before[vertex] and self.after[vertex]]

    def run(self, rank: IntVector, clock: Clock, *, guard: bool) -> IntVector:
        """Move each vertex to where most of its edges run forward, until nothing moves.

        With `guard` no vertex loses its last edge forward, nor its last edge from behind.
        """
        position = rank.astype(float).tolist()
        for _ in range(PASSES):
            moves = 0
            for vertex in sorted(self.members, key=position.__getitem__):
                if clock.expired:
                    break
                low, high = self._room(vertex, position) if guard else (-float("inf"), float("inf"))
                tails = [position[tail] for tail in self.before[vertex]]
                heads = [position[head] for head in self.after[vertex]]
                place = _best_place(position[vertex], tails, heads, low, high)
                if place is not None:
                    position[vertex] = place
                    moves += 1
            position = _renumbered(position)
            if not moves:
                break
        return np.array(position).astype(np.int64)

    def mend(self, rank: IntVector) -> IntVector:
        """Give vertices without an edge forward, or without one from behind, one again, as far as that goes."""
        position = rank.astype(float).tolist()
        for _ in range(PASSES):
            moves = 0
            for vertex in sorted(self.members, key=position.__getitem__, reverse=True):
                last = max(position[head] for head in self.after[vertex])
                if not self.goes_on[vertex] and last < position[vertex]:
                    position[vertex] = last - 0.5
                    moves += 1
            position = _renumbered(position)
            if not moves:
                break
        return np.array(position).astype(np.int64)

    def _room(self, vertex: int, position: list[float]) -> tuple[float, float]:
        """Bounds on a vertex's place: it and its neighbours keep a way on and, where they have one, a way in."""
        here = position[vertex]
        behind = [tail for tail in self.before[vertex] if position[tail] < here]
        ahead = [head for head in self.after[vertex] if position[head] > here]
        low = [position[tail] for tail in behind if self._is_last_forward(tail, position)]
        high = [position[head] for head in ahead if self._is_last_behind(head, position)]
        if not self.goes_on[vertex]:
            high.append(max(position[head] for head in self.after[vertex]))
        if not self.is_fed[vertex] and behind:
            low.append(min(position[tail] for tail in self.before[vertex]))
        return max(low, default=-float("inf")), min(high, default=float("inf"))

    def _is_last_forward(self, tail: int, position: list[float]) -> bool:
        return not self.goes_on[tail] and sum(position[head] > position[tail] for head in self.after[tail]) == 1

    def _is_last_behind(self, head: int, position: list[float]) -> bool:
        return not self.is_fed[head] and sum(position[tail] < position[head] for tail in self.before[head]) == 1


def _renumbered(position: list[float]) -> list[float]:
    order = sorted(range(len(position)), key=lambda vertex: (position[vertex], vertex))
    result = [0.0] * len(position)
    for index, vertex in enumerate(order):
        result[vertex] = float(index)
    return result


def _best_place(here: float, tails: list[float], heads: list[float], low: float, high: float) -> float | None:
    """A place between low and high with strictly more edges forward than here; None if there is none."""
    events = sorted([(where, 1) for where in tails] + [(where, -1) for where in heads])
    best = sum(where < here for where in tails) + sum(where > here for where in heads)
    forward, place = len(heads), None  # in front of everything, all edges out run forward
    previous = events[0][0] - 1.0
    for where, change in [*events, (events[-1][0] + 1.0, 0)]:
        left, right = max(previous, low), min(where, high)
        if forward > best and left < right:
            best, place = forward, (left + right) / 2
        forward += change
        previous = where
    return place


def _disjoint_cycles(problem: Problem, inner: BoolVector) -> int:
    """Number of cycles, no two sharing an edge, found by repeated breadth-first search: a bound on edges to drop."""
    edges = np.flatnonzero(inner)
    alive = dict.fromkeys(edges.tolist(), True)
    out_of: dict[int, list[int]] = {}
    for edge in edges.tolist():
        out_of.setdefault(int(problem.sources[edge]), []).append(edge)
    heads = problem.targets.tolist()
    count = 0
    for longest in (2, 3, 4, 6, 10):
        for edge in edges.tolist():
            if not alive[edge]:
                continue
            way = _way_back(heads[edge], int(problem.sources[edge]), out_of, heads, alive, longest - 1)
            if way is not None:
                count += 1
                for used in (edge, *way):
                    alive[used] = False
    return count


def _way_back(
    start: int, goal: int, out_of: dict[int, list[int]], heads: list[int], alive: dict[int, bool], longest: int
) -> list[int] | None:
    """A shortest path of at most `longest` living edges from start to goal."""
    came: dict[int, tuple[int, int]] = {}  # vertex: the edge it was reached by, and where that begins
    layer = [start]
    for _ in range(longest):
        following = []
        for vertex in layer:
            for edge in out_of.get(vertex, ()):
                head = heads[edge]
                if alive[edge] and head != start and head not in came:
                    came[head] = edge, vertex
                    following.append(head)
        if goal in came:
            break
        layer = following
    if goal not in came:
        return None
    way = []
    while goal != start:
        edge, goal = came[goal]
        way.append(edge)
    return way
