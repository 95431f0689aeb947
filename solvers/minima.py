"""All cheapest networks of a problem with one output at once: the edges that they use, and the lightest of them.

Let every edge cost more than 0, vertex costs put on the edges out of the vertex. Then every cheapest network is an
arborescence: each of its vertices but the output is left by exactly one edge. That is used four times.

Law (edges). With a dual solution of value b, a network with an edge of reduced cost r costs at least b + r, and a
little more by the ways to and from it (`solvers.reduce.arcs.within_bound`). What costs more than the least is in no
cheapest network. The other edges are *open*.

Law (vertices). A vertex that has one open edge out of it, and is in every network over open edges, has the head of that
edge in every such network. Inputs are in every network. What follows from them *must* be there.

Law (scores). Let M > 0 and w(N) the weight of a network N, edges and vertices. If N minimises M cost(N) + w(N) over
the open edges, with value s, then every cheapest network weighs at least s - M c, where c is the least cost; so if N
costs c, it is the lightest of the cheapest networks. Proof: cheapest networks use open edges only, and score
M c + w >= s. QED. With M > W - L, W the weight of a cheapest network and L <= w(N) for all N, the minimiser costs c,
as in `solvers.prefer`; a smaller M is tried first, since engines tell large numbers apart less well.

Law (settling). In a problem of scores > 0, let *core* be the output at first. (a) A vertex that must be there, and
whose cheapest edge leads into the core, may take that edge and join the core: whatever it takes instead costs as much,
and the core reaches the output without it. (b) Vertices that must be there and reach each other over cheapest edges,
a *group*, may be left by one edge: from the vertex at which a way to the output leaves the group for the last time; the
others take cheapest edges to that vertex. (c) An input into which no edge leads may take its cheapest edge if that
leads to a vertex that must be there: that one reaches the output without the input. (d) An edge that is no cheaper than
one from the same place into the core (for an input of c: to a vertex that must be there) can be replaced by that one.
(e) A vertex that must be there is left by one edge, so a constant on all edges out of it changes no choice.

Law (ties). Let scores be whole, e a whole number from 0 to E - 1 on each edge, n the number of vertices, K = n E. A
bound b on K score + e, over all answers, bounds the score by (b - (n - 1)(E - 1)) / K, since an answer has at most
n - 1 edges; rounded up that is the least score itself if b is met. So ties can be broken, which engines take long over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from solvers.arrays import distances, reachable, strong_components
from solvers.check import violations
from solvers.clock import Clock
from solvers.interrupt import NothingFound
from solvers.options import Options
from solvers.problem import BoolVector, FloatVector, IntVector, Problem
from solvers.reduce.arcs import restricted_to, within_bound
from solvers.reduce.normal import normalise
from solvers.result import Solution, Termination
from solvers.solve import solve
from solvers.steiner.dual_ascent import dual_ascent
from solvers.steiner.instance import Instance

ASCENTS = 3  # at most; each works on the edges that the one before has left
FIRST = 16  # times the spread of weights, the M that is tried first
GROWTH = 16  # of M, where the minimiser was dearer than the least
TIES = (64, 16, 4)  # numbers of values that break ties, E of the law; the first with which costs stay precise
PRECISE = 9e8  # costs of answers up to here are told apart by engines, which work to a relative 1e-9


@dataclass(frozen=True, eq=False)
class Minima:
    """Where the cheapest networks of a problem are.

    Attributes:
        problem: As it was put.
        root: Its output.
        edges: Open edges, shape (n_open,).
        costs: Of the open edges, with those of their tails, shape (n_open,).
        least: What a cheapest network costs, without its output's own cost.
        must: Whether each vertex is in every network over open edges, shape (n_vertices,).
    """

    problem: Problem
    root: int
    edges: IntVector
    costs: FloatVector
    least: int
    must: BoolVector

    @property
    def tails(self) -> IntVector:
        """Of the open edges."""
        return self.problem.sources[self.edges]

    @property
    def heads(self) -> IntVector:
        """Of the open edges."""
        return self.problem.targets[self.edges]


@dataclass(frozen=True, eq=False)
class Lightest:
    """The lightest cheapest network that was found.

    Attributes:
        edges: Of the problem.
        weight: Without the weight of the output.
        bound: No cheapest network weighs less.
        solutions: Of the scored problems that were solved on the way.
        interrupted: Whether Ctrl-C came.
    """

    edges: IntVector
    weight: int
    bound: int
    solutions: tuple[Solution, ...]
    interrupted: bool = False


def minima_of(problem: Problem, optimum: Solution, clock: Clock) -> Minima | None:
    """The edges that cheapest networks can use; None where the laws above do not hold.

    Args:
        problem: Whole costs.
        optimum: A network that is proved to be cheapest.
        clock: Time left.
    """
    normal = normalise(problem)
    usable = normal.problem
    if len(problem.outputs) > 1 or not usable.rules.is_plain or optimum.termination is not Termination.OPTIMAL:
        return None
    root = int(problem.outputs[0])
    folded = problem.costs + problem.vertex_costs[problem.sources]
    edges = normal.kept[problem.sources[normal.kept] != root]
    if not len(edges) or folded[edges].min() <= 0:
        return None
    instance = Instance(
        n_vertices=problem.n_vertices,
        tails=problem.sources[edges],
        heads=problem.targets[edges],
        costs=folded[edges],
        terminals=usable.inputs,
        root=root,
    )
    least = float(folded[optimum.edges].sum())
    for _ in range(ASCENTS):
        ascent = dual_ascent(instance, clock)
        kept = np.flatnonzero(within_bound(instance, ascent.bound, ascent.reduced, least + 1))
        done = len(kept) == len(edges)
        edges, instance = edges[kept], restricted_to(instance, kept)
        if done or clock.expired:
            break
    known = np.zeros(problem.n_vertices, dtype=bool)
    known[usable.inputs] = known[root] = True
    must = _must(problem.n_vertices, instance.tails, instance.heads, known)
    return Minima(problem, root, edges, folded[edges], round(least), must)


def sharpened(minima: Minima, known: IntVector, options: Options, clock: Clock) -> Minima:
    """The same with fewer open edges and more vertices that must be there, by networks that are hard to come by.

    Of all cheapest networks, one with as many vertices as possible that no network has shown yet is found, again and
    again. If there is none with any, edges at unseen vertices are in no cheapest network. Then one with as few as
    possible of the vertices that all networks have shared so far; if it has all of them, they must be there.

    Args:
        minima: Of the problem.
        known: A cheapest network.
        options: How to solve.
        clock: Time left; what was not proved by then is left as it was.
    """
    problem = minima.problem
    seen = np.zeros(problem.n_vertices, dtype=bool)
    shared = np.ones(problem.n_vertices, dtype=bool)
    for sign in (-1, 1):
        while True:
            present = _vertices(problem, known)
            seen, shared = seen | present, shared & present
            counted = ~seen if sign < 0 else shared & ~minima.must
            found = lightest_minimum(minima, sign * counted[problem.sources].astype(np.int64), known, options, clock)
            if found.bound < found.weight:
                return minima
            if found.weight == (0 if sign < 0 else int(counted.sum())):
                break
            known = found.edges
        if sign < 0:
            minima = _narrowed(minima, seen)
        else:
            minima = replace(minima, must=minima.must | shared)
    return minima


def _vertices(problem: Problem, edges: IntVector) -> BoolVector:
    present = np.zeros(problem.n_vertices, dtype=bool)
    present[problem.sources[edges]] = present[problem.targets[edges]] = True
    return present


def _narrowed(minima: Minima, vertices: BoolVector) -> Minima:
    """With the edges between these vertices only."""
    kept = np.flatnonzero(vertices[minima.tails] & vertices[minima.heads])
    narrow = replace(minima, edges=minima.edges[kept], costs=minima.costs[kept])
    return replace(narrow, must=_must(minima.problem.n_vertices, narrow.tails, narrow.heads, minima.must))


def _must(n_vertices: int, tails: IntVector, heads: IntVector, known: BoolVector) -> BoolVector:
    """Vertices that are in every network, by the law, from those of which it is known."""
    only_way = np.bincount(tails, minlength=n_vertices)[tails] == 1
    return known | reachable(n_vertices, tails[only_way], heads[only_way], np.flatnonzero(known))


def lightest_minimum(minima: Minima, weights: IntVector, known: IntVector, options: Options, clock: Clock) -> Lightest:
    """The lightest of the cheapest networks.

    Args:
        minima: Of the problem.
        weights: Of each edge of the problem, with that of its tail, any sign, shape (n_edges,).
        known: A cheapest network.
        options: How to solve.
        clock: Time left.

    Raises:
        SolverError: An engine failed.
    """
    open_weights = weights[minima.edges]
    best, weight = known, int(weights[known].sum())
    bound = lowest = _lowest(minima, open_weights)
    solutions: list[Solution] = []
    for factor in _factors(minima, open_weights, weight - lowest):
        if bound >= weight or clock.expired:
            break
        scores = factor * minima.costs + open_weights
        edges, score, solution = _least_score(minima, scores, factor * minima.least + weight, options, clock)
        if solution is not None:
            solutions.append(solution)
            if solution.details.get("interrupted"):
                return Lightest(best, weight, bound, tuple(solutions), interrupted=True)
        bound = max(bound, score - factor * minima.least)
        if edges is None or violations(minima.problem, edges):
            break
        cost = minima.problem.costs[edges] + minima.problem.vertex_costs[minima.problem.sources[edges]]
        found = int(weights[edges].sum())
        if round(float(cost.sum())) == minima.least and found < weight:
            best, weight = edges, found
        if solution is not None and solution.termination is not Termination.OPTIMAL:
            break
    return Lightest(best, weight, min(bound, weight), tuple(solutions))


def _lowest(minima: Minima, weights: IntVector) -> int:
    """No network over open edges in which one edge leaves each vertex weighs less."""
    least = np.zeros(minima.problem.n_vertices, dtype=np.int64)
    tails = minima.tails
    least[tails] = np.iinfo(np.int64).max
    np.minimum.at(least, tails, weights)
    return int(np.where(minima.must, least, np.minimum(least, 0)).sum())


def _factors(minima: Minima, weights: IntVector, surplus: int) -> list[int]:
    """Values of M to be tried in turn; all make every score positive, and the last is large enough for the law."""
    positive = int(np.ceil((1 - weights) / minima.costs).max(initial=1))
    last = max(surplus + 1, positive)
    spread = int(weights.max() - weights.min()) if len(weights) else 0
    factors = [max(positive, FIRST * (spread + 1))]
    while factors[-1] * GROWTH < last:
        factors.append(factors[-1] * GROWTH)
    return [factor for factor in factors if factor < last] + [last]


def _least_score(
    minima: Minima, scores: FloatVector, known: int, options: Options, clock: Clock
) -> tuple[IntVector | None, int, Solution | None]:
    """The network of least score (None: none was found), a bound on the score, and how it came about.

    Args:
        minima: Of the problem.
        scores: Of the open edges, > 0.
        known: What a known network scores.
        options: How to solve.
        clock: Time left.
    """
    layers = _all_settled(minima, scores)
    constant, left = sum(layer.constant for layer in layers), layers[-1].problem
    if left is None:
        return _expanded(layers, np.zeros(0, dtype=np.int64)), constant, None
    problem, factor = _without_ties(left, known - constant, seed=options.seed)
    limit = None if np.isinf(clock.left_s) else clock.left_s
    try:
        solution = solve(problem, options=replace(options, time_limit_s=limit, on_progress=None))
    except NothingFound:
        nothing = np.zeros(0, dtype=np.int64)
        stopped = {"interrupted": True}
        return None, 0, Solution(Termination.NOTHING, nothing, np.inf, -np.inf, "", "", 0.0, details=stopped)
    bound = constant + _least_whole(solution.bound, factor, problem.n_vertices)
    if solution.termination is Termination.NOTHING:
        return None, bound, solution
    return _expanded(layers, solution.edges), bound, solution


def _without_ties(problem: Problem, most: int, *, seed: int) -> tuple[Problem, int]:
    """The problem with ties broken and the factor on its costs; as it is, with factor 1, where numbers get large."""
    for ties in TIES:
        factor = ties * problem.n_vertices
        if factor * max(most, 1) <= PRECISE:
            breaking = np.random.default_rng(seed).integers(0, ties, problem.n_edges)
            return problem.changed(costs=problem.costs * factor + breaking), factor
    return problem, 1


def _least_whole(bound: float, factor: int, n_vertices: int) -> int:
    """What the law of ties says of the score."""
    if not np.isfinite(bound):
        return 0
    breaking = (n_vertices - 1) * (factor // n_vertices - 1) if factor > 1 else 0
    return int(np.ceil((bound - breaking) / factor - 1e-6))


@dataclass(frozen=True, eq=False)
class _Settled:
    """What is left of a problem of scores after settling.

    Attributes:
        minima: Of the problem.
        problem: The smaller problem; None where nothing is left.
        edges: Place among the open edges of each of its edges.
        taken: Places of edges that are in the answer.
        inside: Places of cheapest edges within groups.
        grouped: Whether each vertex is in a group.
        constant: Score that is settled or shifted.
    """

    minima: Minima
    problem: Problem | None
    edges: IntVector
    taken: IntVector
    inside: IntVector
    grouped: BoolVector
    constant: int

    def expanded(self, edges: IntVector) -> IntVector:
        """The edges of the original problem for an answer of the smaller one."""
        tails, heads = self.minima.tails, self.minima.heads
        chosen = self.edges[edges]
        exits = tails[chosen][self.grouped[tails[chosen]]]
        within = self.inside[towards(self.minima.problem.n_vertices, tails[self.inside], heads[self.inside], exits)]
        return np.sort(self.minima.edges[np.concatenate([self.taken, chosen, within])])


def _all_settled(minima: Minima, scores: FloatVector) -> list[_Settled]:
    """Settle what is left again, as inputs whose predecessors are settled have become leaves, until nothing changes."""
    layers = [_settled(minima, scores)]
    while (left := layers[-1].problem) is not None:
        must = np.zeros(left.n_vertices, dtype=bool)
        must[left.inputs] = must[left.outputs] = True
        whole = Minima(left, int(left.outputs[0]), np.arange(left.n_edges), left.costs, 0, must)
        further = _settled(whole, left.costs)
        if further.problem is not None and further.problem.n_edges == left.n_edges:
            break
        layers.append(further)
    return layers


def _expanded(layers: Sequence[_Settled], edges: IntVector) -> IntVector:
    """The edges of the original problem for an answer of what is left."""
    for layer in reversed(layers):
        edges = layer.expanded(edges)
    return edges


def towards(n_vertices: int, tails: IntVector, heads: IntVector, goals: IntVector) -> IntVector:
    """Of each vertex that reaches a goal, one edge of a shortest way there."""
    level = distances(n_vertices, heads, tails, goals)
    onward = np.flatnonzero((level[tails] < n_vertices) & (level[tails] == level[heads] + 1))
    return np.asarray(onward[np.unique(tails[onward], return_index=True)[1]])


def _settled(minima: Minima, scores: FloatVector) -> _Settled:
    """Apply the law of settling to the problem of these scores."""
    n, root, must, tails, heads = minima.problem.n_vertices, minima.root, minima.must, minima.tails, minima.heads
    base = np.full(n, np.inf)
    np.minimum.at(base, tails, scores)
    base[~must] = 0.0
    base[root] = 0.0
    beyond = scores - base[tails]
    tight = np.flatnonzero(must[tails] & must[heads] & (beyond == 0))
    joining = tight[towards(n, tails[tight], heads[tight], np.array([root]))]
    core = np.zeros(n, dtype=bool)
    core[tails[joining]] = core[root] = True
    place, sizes = _groups(n, tails[tight], heads[tight])
    place[core] = root
    grouped = (sizes > 1) & ~core
    inside = tight[grouped[tails[tight]] & (place[tails[tight]] == place[heads[tight]])]

    leads_on = place[tails] != place[heads]
    is_leaf = must & ~core
    is_leaf[heads] = False
    safe = np.where(is_leaf[tails], must[heads], core[heads]) & leads_on
    limit = np.full(n, np.inf)
    np.minimum.at(limit, place[tails[safe]], beyond[safe])
    fallback = np.flatnonzero(safe & (beyond == limit[place[tails]]))
    fallback = fallback[np.unique(place[tails[fallback]], return_index=True)[1]]
    served = is_leaf & (limit == 0)
    taken = np.concatenate([joining, fallback[served[tails[fallback]]]])
    asking = np.flatnonzero(must & ~core & ~served)
    terminals = np.unique(place[asking])
    constant = round(float(scores[taken].sum() + base[asking].sum())) - len(terminals)

    useful = leads_on & (beyond < limit[place[tails]])
    useful[fallback] = True
    useful &= ~(core | served)[tails]
    edges = np.flatnonzero(useful)
    if not len(terminals):
        return _Settled(minima, None, edges[:0], taken, inside, grouped, constant)
    costs = beyond[edges] + must[tails[edges]]
    problem, kept = _compact(n, place[tails[edges]], place[heads[edges]], costs, terminals=terminals, root=root)
    return _Settled(minima, problem, edges[kept], taken, inside, grouped, constant)


def _groups(n_vertices: int, tails: IntVector, heads: IntVector) -> tuple[IntVector, IntVector]:
    """For each vertex the first vertex of its strong component, and the size of that."""
    label = strong_components(n_vertices, tails, heads)
    _, first, inverse, counts = np.unique(label, return_index=True, return_inverse=True, return_counts=True)
    return first[inverse], counts[inverse]


def _compact(
    n: int, tails: IntVector, heads: IntVector, costs: FloatVector, *, terminals: IntVector, root: int
) -> tuple[Problem, IntVector]:
    """The problem on the vertices that terminals reach, renumbered, without parallel edges; places of its edges."""
    kept = np.flatnonzero(reachable(n, tails, heads, terminals)[tails])
    cheapest_first = kept[np.lexsort((kept, costs[kept], tails[kept] * n + heads[kept]))]
    _, first = np.unique(tails[cheapest_first] * n + heads[cheapest_first], return_index=True)
    kept = np.sort(cheapest_first[first])
    vertices = np.unique(np.concatenate([tails[kept], heads[kept], terminals, [root]]))
    problem = Problem(
        n_vertices=len(vertices),
        sources=np.searchsorted(vertices, tails[kept]),
        targets=np.searchsorted(vertices, heads[kept]),
        inputs=np.searchsorted(vertices, terminals),
        outputs=np.searchsorted(vertices, [root]),
        costs=costs[kept],
    )
    return problem, kept
