"""The problem with all its roles as one digraph in which arcs cost, and views of it that each ask for one thing.

A view says: these terminals must reach this root, over arcs as they are or all reversed. All views share the arcs; an
arc is paid once. So

    inputs      must reach a root behind the outputs                          (forward)
    outputs     must be reached from a hub before the inputs                  (reversed)
    samples     each have a root and a hub of their own
    rewards     an input that may be left out asks through a vertex of its own, which reaches the root by an arc that
                costs the reward, or the input for nothing
    vertex cost a vertex that costs is split in two, with an arc of that cost between
    forced      a forced edge costs nothing more (its cost is settled); its tail must be reached, its head must reach
                on; a forced vertex must do both
    leaf        an input without edges into it pays for its cheapest way out in any case, or loses its reward: the less
                of both is settled and taken off all its ways and the reward

Every network that obeys the rules of a problem is, read as arcs, an answer to all views at the same cost (settled cost
added) or at a lower one: leave the arcs of rewards out, except of inputs left out. So a bound on the cheapest answer
to all views is a bound for the problem. The other way round, an answer gives a network only if that obeys the rules
that views know nothing of (order, fan-in, depth, redundancy, signs), and it may cost more where a leaf would have to
go two ways; the caller checks. Without leaves and without such rules there is always one of the same cost (docs: cover
theorem).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvers.arrays import reachable
from solvers.cover import sample_roles
from solvers.problem import FloatVector, IntVector, Problem
from solvers.reduce.terminals import _undominated as undominated
from solvers.steiner.instance import Instance


@dataclass(frozen=True, eq=False)
class Network:
    """Arcs and what is asked of them.

    Attributes:
        views: Instances over the same arcs, by index and at the same costs; the first one is forward.
        edges: Edge of the problem that each arc stands for, -1 for arcs of roles, shape (n_arcs,).
        constant: Cost that is settled.
        leaves: Inputs of which the cheapest way out is settled, sorted.
    """

    views: tuple[Instance, ...]
    edges: IntVector
    constant: float
    leaves: IntVector

    @property
    def costs(self) -> FloatVector:
        """Of each arc."""
        return self.views[0].costs

    @property
    def has_integer_costs(self) -> bool:
        """Whether every arc and what is settled cost an integer, so that bounds round up."""
        return self.views[0].has_integer_costs and float(self.constant).is_integer()


def network_of(problem: Problem, *, settle_leaves: bool) -> Network:
    """All views that the problem's roles and rules need; a view that others imply is left out."""
    return _Builder(problem, settle_leaves=settle_leaves).network()


class _Builder:
    """Collects vertices and arcs."""

    def __init__(self, problem: Problem, *, settle_leaves: bool) -> None:
        self.problem, self.rules = problem, problem.rules
        free = np.setdiff1d(problem.inputs, problem.targets) if settle_leaves else np.zeros(0, dtype=np.int64)
        self.leaves = free
        self.n_vertices = problem.n_vertices
        self.tails: list[int] = []
        self.heads: list[int] = []
        self.costs: list[float] = []
        self.edges: list[int] = []
        self.constant = 0.0
        self.leave = np.arange(problem.n_vertices)  # where a vertex is left: itself, or its second half

    def network(self) -> Network:
        """Put everything together."""
        problem = self.problem
        self._split_vertices()
        costs = problem.costs.copy()
        forced = list(self.rules.forced_edges)
        self.constant += float(costs[forced].sum())
        costs[forced] = 0.0
        self._settle(costs)
        self.tails += self.leave[problem.sources].tolist()
        self.heads += problem.targets.tolist()
        self.costs += costs.tolist()
        self.edges += range(problem.n_edges)
        asks = [self._ask(inputs, outputs) for inputs, outputs in sample_roles(problem)]
        if self.rules.rewards:
            asks.append(self._offer_rewards())
        tails, heads = np.array(self.tails, dtype=np.int64), np.array(self.heads, dtype=np.int64)
        cost = np.array(self.costs, dtype=np.float64)
        views = []
        for seekers, root, sinks, hub in asks:
            seekers = _asking(tails, heads, cost, seekers, self.leaves)
            if len(seekers):
                views.append(Instance(self.n_vertices, tails, heads, cost, seekers, root))
            if len(sinks):
                views.append(Instance(self.n_vertices, heads, tails, cost, sinks, hub))
        return Network(tuple(views), np.array(self.edges, dtype=np.int64), self.constant, self.leaves)

    def _settle(self, costs: FloatVector) -> None:
        """Take the cost of its cheapest way out off all ways of each leaf."""
        least = np.full(self.problem.n_vertices, np.inf)
        np.minimum.at(least, self.problem.sources, costs)
        for vertex, reward in self.rules.rewards.items():
            least[vertex] = min(least[vertex], reward)
        of_leaf = np.isin(self.problem.sources, self.leaves)
        costs[of_leaf] -= least[self.problem.sources[of_leaf]]
        self.constant += float(least[self.leaves].sum())
        self.settled = np.zeros(self.problem.n_vertices)
        self.settled[self.leaves] = least[self.leaves]

    def _new_vertex(self) -> int:
        self.n_vertices += 1
        return self.n_vertices - 1

    def _arc(self, tail: int, head: int, cost: float) -> None:
        self.tails.append(int(tail))
        self.heads.append(int(head))
        self.costs.append(cost)
        self.edges.append(-1)

    def _split_vertices(self) -> None:
        problem, rules = self.problem, self.rules
        settled = {*problem.inputs.tolist(), *problem.outputs.tolist(), *rules.forced_vertices} - {*rules.rewards}
        settled |= {int(problem.sources[edge]) for edge in rules.forced_edges}
        settled |= {int(problem.targets[edge]) for edge in rules.forced_edges}
        for vertex in np.flatnonzero(problem.vertex_costs).tolist():
            if vertex in settled:
                self.constant += float(problem.vertex_costs[vertex])
            else:
                self.leave[vertex] = self._new_vertex()
                self._arc(vertex, int(self.leave[vertex]), float(problem.vertex_costs[vertex]))

    def _offer_rewards(self) -> tuple[IntVector, int, IntVector, int]:
        """A vertex before each input that may be left out, which reaches some output through it, or pays."""
        root = self._new_vertex()
        for output in self.problem.outputs.tolist():
            self._arc(int(self.leave[output]), root, 0.0)
        doors = []
        for vertex, reward in self.rules.rewards.items():
            doors.append(self._new_vertex())
            self._arc(doors[-1], vertex, 0.0)
            self._arc(doors[-1], root, reward - float(self.settled[vertex]))
        return np.array(doors, dtype=np.int64), root, np.zeros(0, dtype=np.int64), root

    def _ask(self, inputs: IntVector, outputs: IntVector) -> tuple[IntVector, int, IntVector, int]:
        """Seekers with their root, and sinks with their hub, of one sample."""
        root, hub = self._new_vertex(), self._new_vertex()
        for output in outputs.tolist():
            self._arc(int(self.leave[output]), root, 0.0)
        for vertex in inputs.tolist():
            self._arc(hub, vertex, 0.0)
        required = [vertex for vertex in inputs.tolist() if vertex not in self.rules.rewards]
        seekers = list(required)
        sinks = outputs.tolist()
        if len(self.rules.samples) < 2:  # with several samples it is open which of them uses what is forced
            seekers += self.rules.forced_vertices
            sinks += self.rules.forced_vertices
            seekers += [int(self.problem.targets[edge]) for edge in self.rules.forced_edges]
            sinks += [int(self.problem.sources[edge]) for edge in self.rules.forced_edges]
        if len(outputs) == 1 and required:  # the output is what a required input reaches
            sinks = [vertex for vertex in sinks if vertex != outputs[0]]
        fed = set(inputs.tolist())
        done = set(outputs.tolist())
        return (
            np.array(sorted({*seekers} - done), dtype=np.int64),
            root,
            np.array(sorted({*sinks} - fed), dtype=np.int64),
            hub,
        )


def _asking(tails: IntVector, heads: IntVector, cost: FloatVector, seekers: IntVector, leaves: IntVector) -> IntVector:
    """The seekers without the leaves that others speak for.

    Of leaves all of whose ways are free: one with a single way makes the vertex there a seeker, which pays nothing
    more for the leaf; one with a way to a seeker that is no leaf arrives with it; one whose ways include all ways of
    another arrives with that. Each asks for nothing that is not asked for without it.
    """
    is_leaf = np.zeros(int(max(tails.max(), heads.max())) + 1, dtype=bool)
    is_leaf[leaves] = True
    is_leaf[tails[cost > 0]] = False
    mine = is_leaf[tails]
    ways: dict[int, set[int]] = {}
    for tail, head in zip(tails[mine].tolist(), heads[mine].tolist(), strict=True):
        ways.setdefault(tail, set()).add(head)
    known = set(seekers.tolist())
    asking = {leaf: heads for leaf, heads in ways.items() if leaf in known}
    others = {vertex for vertex in seekers.tolist() if vertex not in asking}
    others |= {next(iter(heads)) for heads in asking.values() if len(heads) == 1}
    asking = {leaf: heads for leaf, heads in asking.items() if heads.isdisjoint(others)}
    return np.array(sorted([*others, *undominated(asking)]), dtype=np.int64)


def covers_all(network: Network, arcs: IntVector) -> bool:
    """Whether the arcs, with those that cost nothing, answer every view."""
    taken = network.costs == 0
    taken[arcs] = True
    return all(
        reachable(view.n_vertices, view.heads[taken], view.tails[taken], np.array([view.root]))[view.terminals].all()
        for view in network.views
    )
