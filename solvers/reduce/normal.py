"""From a problem as it was put to one in which every edge and every role can be used."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from solvers.arrays import distances, reachable
from solvers.cover import sample_roles
from solvers.errors import InfeasibleProblem
from solvers.problem import BoolVector, IntVector, Problem
from solvers.reduce.costs import scaled
from solvers.rules import Rules, Sample


@dataclass(frozen=True, eq=False)
class Normal:
    """A problem without useless parts.

    Attributes:
        problem: What is left; its rules speak of its own edges, and nothing in it is forbidden.
        kept: Index in the original problem of each edge, shape (n_left,).
        constant: Rewards that are lost whatever is chosen.
    """

    problem: Problem
    kept: IntVector
    constant: float


def normalise(problem: Problem) -> Normal:
    """Leave out edges that no network can hold, and inputs that may and must be left out.

    Laws. *Forbidden* edges and edges at forbidden vertices are in no network by definition. *Walks*: every edge of a
    network lies on a walk from an input to an output (of one sample). *Depth*: a walk through an edge is at least as
    long as the shortest way from an input to its tail, itself, and the shortest way from its head to an output; in a
    network that is a path, so edges for which the sum exceeds `max_depth` are in none. *Idle inputs*: an input
    that may be left out and has no edge left is in no network; its reward is lost in all of them.

    Raises:
        InfeasibleProblem: A required input reaches no output, an output is reached from no input, or a forced edge or
            vertex is on no way; it says which, and why.
    """
    rules = problem.rules
    barred = np.zeros(problem.n_vertices, dtype=bool)
    barred[list(rules.forbidden_vertices)] = True
    alive = ~(barred[problem.sources] | barred[problem.targets])
    alive[list(rules.forbidden_edges)] = False
    alive = _on_walks(problem, np.flatnonzero(alive))
    _check_forced(problem, alive)
    return _left(problem, np.flatnonzero(alive))


def _on_walks(problem: Problem, edges: IntVector) -> BoolVector:
    """Which of the edges are on a walk that is not too long, of some sample."""
    useful = np.zeros(problem.n_edges, dtype=bool)
    tails, heads = problem.sources[edges], problem.targets[edges]
    limit = problem.rules.max_depth
    optional = np.array(list(problem.rules.rewards), dtype=np.int64)
    for inputs, outputs in sample_roles(problem):
        if limit is None:
            fed = reachable(problem.n_vertices, tails, heads, inputs)
            out = reachable(problem.n_vertices, heads, tails, outputs)
            useful[edges[fed[tails] & out[heads]]] = True
        else:
            ahead = distances(problem.n_vertices, tails, heads, inputs)
            behind = distances(problem.n_vertices, heads, tails, outputs)
            limit = min(limit, problem.n_vertices - 1)  # no path is longer, and `distances` says so of no path
            fed, out = ahead <= limit, behind <= limit
            useful[edges[ahead[tails] + 1 + behind[heads] <= limit]] = True
        lost = np.setdiff1d(inputs[~out[inputs]], optional)
        unfed = outputs[~fed[outputs]]
        if len(lost) or len(unfed):
            raise InfeasibleProblem(lost.tolist(), unfed.tolist(), reason=_reason(problem))
    return useful


def _reason(problem: Problem) -> str:
    rules = problem.rules
    causes = []
    if rules.max_depth is not None:
        causes.append(f"by a path of at most {rules.max_depth} edges")
    if rules.forbidden_edges or rules.forbidden_vertices:
        causes.append("without what is forbidden")
    if rules.samples:
        causes.append("within their sample")
    return " ".join(causes)


def _check_forced(problem: Problem, alive: BoolVector) -> None:
    rules = problem.rules
    touched = np.zeros(problem.n_vertices, dtype=bool)
    touched[problem.sources[alive]] = touched[problem.targets[alive]] = True
    edges = [edge for edge in rules.forced_edges if not alive[edge]]
    vertices = [vertex for vertex in rules.forced_vertices if not touched[vertex]]
    if edges or vertices:
        reason = "lies on no way from an input to an output that the other rules allow"
        raise InfeasibleProblem([], [], reason=reason, edges=edges, vertices=vertices)


def _left(problem: Problem, kept: IntVector) -> Normal:
    touched = np.zeros(problem.n_vertices, dtype=bool)
    touched[problem.sources[kept]] = touched[problem.targets[kept]] = True
    idle = [vertex for vertex in problem.rules.rewards if not touched[vertex]]
    constant = float(sum(problem.rules.rewards[vertex] for vertex in idle))
    inputs = np.setdiff1d(problem.inputs, np.array(idle, dtype=np.int64))
    rules = renumbered(problem.rules, kept, problem.n_edges)
    rules = replace(
        rules,
        forbidden_edges=(),
        forbidden_vertices=(),
        rewards={vertex: reward for vertex, reward in rules.rewards.items() if touched[vertex]},
        samples=tuple(
            Sample(tuple(v for v in sample.inputs if touched[v] or v not in problem.rules.rewards), sample.outputs)
            for sample in rules.samples
        ),
    )
    return Normal(restricted(problem, kept, inputs=inputs, rules=rules), kept, constant)


def restricted(
    problem: Problem,
    edges: IntVector,
    *,
    inputs: IntVector | None = None,
    rules: Rules | None = None,
) -> Problem:
    """The problem with these edges only; its rules are renumbered unless others are given."""
    return problem.changed(
        sources=problem.sources[edges],
        targets=problem.targets[edges],
        inputs=problem.inputs if inputs is None else inputs,
        costs=problem.costs[edges],
        rules=renumbered(problem.rules, edges, problem.n_edges) if rules is None else rules,
    )


def renumbered(rules: Rules, edges: IntVector, n_edges: int) -> Rules:
    """The rules in the numbers of the edges that are left; excluded sets that need other edges cannot occur."""
    number = np.full(n_edges, -1)
    number[edges] = np.arange(len(edges))
    excluded = [number[list(each)] for each in rules.excluded]
    return replace(
        rules,
        forced_edges=tuple(number[list(rules.forced_edges)].tolist()),
        forbidden_edges=tuple(new for new in number[list(rules.forbidden_edges)].tolist() if new >= 0),
        signs=None if rules.signs is None else tuple(np.array(rules.signs)[edges].tolist()),
        excluded=tuple(tuple(each.tolist()) for each in excluded if (each >= 0).all()),
    )


def scaled_problem(problem: Problem) -> tuple[Problem, float]:
    """The problem with all costs and rewards divided by one factor (see `scaled`), and that factor."""
    rewards = np.array(list(problem.rules.rewards.values()), dtype=np.float64)
    every, factor = scaled(np.concatenate([problem.costs, problem.vertex_costs, rewards]))
    n_edges, n_vertices = problem.n_edges, problem.n_vertices
    rules = replace(
        problem.rules, rewards=dict(zip(problem.rules.rewards, every[n_edges + n_vertices :].tolist(), strict=True))
    )
    smaller = problem.changed(costs=every[:n_edges], vertex_costs=every[n_edges : n_edges + n_vertices], rules=rules)
    return smaller, factor
