"""What is asked of an extraction, as a problem for the solvers, and from their answer back to a checked `Dag`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

import numpy as np

from graphnn import __version__
from graphnn.errors import NoAnswerInTimeError, OptionError, SolverFailedError
from graphnn.extract.constraints import ConstraintOptions, Constraints, Edge, Roles, constrain
from graphnn.extract.dag import Dag, Proof, check_cost
from graphnn.extract.encode import FloatVector, encode, no_network, roles
from graphnn.extract.scores import Scores, is_scores, read_scores
from graphnn.extract.verify import verify_dag
from graphnn.graph.prior import PriorGraph, as_names
from solvers.errors import InfeasibleProblem, ProblemError, SolverError
from solvers.interrupt import NothingFound
from solvers.options import Options
from solvers.prefer import (
    Preferred,
    check_exact,
    check_signs,
    check_whole_costs,
    solve_lightest,
    solve_preferring,
    solve_shallow,
    whole_weights,
)
from solvers.problem import Problem
from solvers.result import Progress, Solution, Termination
from solvers.solve import solve

T = TypeVar("T")
Preference: TypeAlias = (
    str | Sequence[float] | FloatVector | Mapping[str, float] | Mapping[Edge, float]
)  # of `extract_dag`

SHALLOW = "shallow"
DIAGNOSIS_S = 10.0  # for finding out which inputs cannot be served together, where there is no network


@dataclass(frozen=True, eq=False)
class Question:
    """A checked extraction.

    Attributes:
        graph: The prior network.
        wanted: Inputs that were asked for.
        inputs: Those that the network can serve.
        outputs: Predicted vertices.
        cost: Cost of each edge, shape (n_edges,); None: 1 each.
        constraints: All further rules.
        options: How to solve.
    """

    graph: PriorGraph
    wanted: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    cost: FloatVector | None
    constraints: Constraints
    options: Options

    @cached_property
    def problem(self) -> Problem:
        """The same on integers."""
        return encode(self.graph, self.inputs, self.outputs, self.cost, self.constraints)

    @property
    def left_out(self) -> list[str]:
        """Inputs that are absent or reach no output."""
        return sorted({*self.wanted} - {*self.inputs})


def ask(
    graph: PriorGraph,
    inputs: Iterable[str],
    outputs: Iterable[str],
    *,
    method: str = "auto",
    solver: str = "auto",
    edge_cost: Sequence[float] | FloatVector | None = None,
    time_limit_s: float | None = None,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    served: Sequence[str] | None = None,
    samples: Mapping[str, Roles] | None = None,
    shared_order: bool = True,
    rules: ConstraintOptions | None = None,
) -> Question:
    """Check everything that can be wrong before anything is solved; `served`: inputs, where they were looked at.

    Raises:
        OptionError, UnknownNodeError, NoNetworkError, FormatError: as `extract_dag`.
    """
    wanted = as_names(inputs, role="inputs")
    if served is None:
        served, outputs = roles(graph, wanted, as_names(outputs, role="outputs"))
    found = constrain(
        graph,
        served,
        tuple(outputs),
        wanted=wanted,
        samples=samples,
        shared_order=shared_order,
        **(rules or {}),
    )
    if method == "auto" and solver in ("scip", "cvxpy"):
        method = "milp"
    cost = None if edge_cost is None else check_cost(edge_cost, n_edges=graph.n_edges, signed=True)
    negative = cost is not None and bool((cost < 0).any())
    if cost is not None and negative and method == "steiner":
        do = "only the acyclic-flow program handles edges that pay: method='milp' or 'auto'"
        raise OptionError("edge_cost", float(min(cost)), "at least 0 with method='steiner'", do=do)
    if negative and not shared_order:
        raise OptionError("shared_order", False, "True with negative edge_cost")
    options = Options(method=method, backend=solver, time_limit_s=time_limit_s, seed=int(seed), on_progress=on_progress)
    return Question(graph, wanted, tuple(served), tuple(outputs), cost, found, options)


def find(question: Question, prefer: Preference | None = None) -> Preferred:
    """Solve, with a second criterion if there is one.

    Raises:
        OptionError: `prefer` cannot be used.
        NoNetworkError, NoAnswerInTimeError, SolverFailedError: as `extract_dag`.
    """
    problem, options = question.problem, question.options
    asked = check_preference(question, prefer)
    if isinstance(asked, Scores):
        whole = asked.weights(question.graph)
        found = answered(question, lambda: solve_lightest(problem, whole, options))
    elif asked is not None:
        found = answered(question, lambda: solve_preferring(problem, asked, options))
    elif prefer is not None:
        found = answered(question, lambda: solve_shallow(problem, options))
    else:
        found = answered(question, lambda: Preferred(solve(problem, options=options), 0.0, 0.0))
    check_answer(question, found.solution)
    return found


def check_preference(question: Question, prefer: Any) -> FloatVector | Scores | None:
    """The weights or the scores of `prefer`, if it has any.

    Raises:
        OptionError: It is another word than "shallow", has weights or scores that cannot be used, or costs are no whole
            numbers.
        UnknownNodeError: A score has a name that is not in the network.
    """
    if prefer is None:
        return None
    if is_scores(prefer):
        return _check_scores(question, scores_of(question, prefer))
    if isinstance(prefer, str):
        if prefer != SHALLOW:
            raise OptionError("prefer", prefer, "'shallow', an array with one weight an edge, or scores by name")
        if not question.constraints.shared_order:
            raise OptionError("prefer", prefer, "weights where samples have orders of their own")
        return None
    try:
        weights = np.array(prefer, dtype=np.float64)
        whole_weights(question.problem, weights)
    except (TypeError, ProblemError, ValueError) as error:
        text = str(error) if isinstance(error, ProblemError) else "expected numbers"
        raise OptionError("prefer", "other weights", f"weights >= 0, one a row of to_frame() ({text})") from error
    check_whole(question, "prefer")
    return weights


def scores_of(question: Question, prefer: Any) -> Scores:
    """Scores by name, checked, in the order of the network; raises like `read_scores`."""
    problem = question.problem
    everything = float(np.abs(problem.costs).sum() + np.abs(problem.vertex_costs).sum())
    everything += sum(problem.rules.rewards.values())
    return read_scores(question.graph, prefer, wanted=question.wanted, cost=everything)


def _check_scores(question: Question, scores: Scores) -> Scores:
    """Refuse scores that cannot be compared exactly, or not with the method and the rules."""
    check_whole(question, "prefer")
    problem, weights = question.problem, scores.weights(question.graph)
    try:
        check_signs(problem, weights, question.options)
        check_exact(-weights.least, float(np.abs(problem.costs).sum()))
    except ProblemError as error:
        what = f"scores of {scores.kind}"
        raise OptionError("prefer", what, f"such as go with the other options ({error})") from error
    return scores


def check_whole(question: Question, option: str) -> None:
    """Refuse fractions where a second criterion is asked for.

    Raises:
        OptionError: A cost or a reward is no whole number.
    """
    try:
        check_whole_costs(question.problem)
    except ProblemError as error:
        raise OptionError(
            "edge_cost, node_cost and rewards", "fractions", f"whole numbers with {option}", do="multiply them"
        ) from error


def answered(question: Question, job: Callable[[], T]) -> T:
    """Run a solver; what it cannot do is said in names.

    Raises:
        NoNetworkError: No network obeys the rules.
        SolverFailedError: The engine failed.
    """
    try:
        return job()
    except InfeasibleProblem as error:
        named = error.inputs or error.outputs or error.edges or error.vertices
        unserved = [] if named else unserved_together(question)
        raise no_network(question.graph, error, unserved=unserved) from error
    except SolverError as error:
        raise SolverFailedError(str(error)) from error


def check_answer(question: Question, solution: Solution) -> None:
    """Refuse an answer that is none.

    Raises:
        NoAnswerInTimeError: The limit came before any network.
    """
    if solution.termination is not Termination.NOTHING:
        return
    if solution.details.get("interrupted"):
        raise KeyboardInterrupt
    limit = question.options.time_limit_s
    raise NoAnswerInTimeError(time_limit_s=limit, bound=solution.bound, method=solution.method)


def unserved_together(question: Question) -> list[int]:
    """Why there is no network: inputs without which there is one, as few as possible; empty if that is not found.

    Every input may be left out at the price of 1, nothing else costs anything (an elastic problem).
    """
    problem = question.problem
    rewards = {vertex: 0.0 if vertex in problem.rules.rewards else 1.0 for vertex in problem.inputs.tolist()}
    elastic = Problem(
        n_vertices=problem.n_vertices,
        sources=problem.sources,
        targets=problem.targets,
        inputs=problem.inputs,
        outputs=problem.outputs,
        costs=np.zeros(problem.n_edges),
        rules=replace(problem.rules, rewards=rewards),
    )
    limit = question.options.time_limit_s
    limit = DIAGNOSIS_S if limit is None else min(DIAGNOSIS_S, limit)
    try:
        found = solve(elastic, options=replace(question.options, time_limit_s=limit, method="auto", on_progress=None))
    except (SolverError, NothingFound):
        return []
    if found.termination is Termination.NOTHING or found.objective == 0:
        return []
    taken = {*problem.sources[found.edges].tolist(), *problem.targets[found.edges].tolist()}
    return [vertex for vertex, reward in rewards.items() if reward and vertex not in taken]


def build(question: Question, solution: Solution, facts: Mapping[str, Any] | None = None) -> Dag:
    """The network of a solution, verified.

    Args:
        question: What was asked.
        solution: With a network.
        facts: Further details of the proof.

    Raises:
        SolverFailedError: The network does not pass the check (`VerificationError` says how).
    """
    graph, cost, rules = question.graph, question.cost, question.constraints
    network = graph.keep_edges(solution.edges)
    details = {
        "unit_costs": cost is None and rules.counts_edges_only,
        **plain(solution.details),
    }
    if not rules.is_trivial:
        details["constraints"] = rules.to_dict()
    if rules.rewards:
        details["inputs_not_taken"] = [name for name in question.inputs if name not in network]
    proof = Proof(
        objective_name="min_edges",
        termination=solution.termination.value,
        objective=solution.objective,
        bound=solution.bound,
        method=solution.method,
        solver=solution.backend,
        seconds=solution.seconds,
        versions={"graphnn": __version__, **solution.versions},
        details={**details, **(facts or {})},
    )
    dag = Dag.from_graph(
        network,
        [name for name in question.inputs if name in network],
        question.outputs,
        proof=proof,
        edge_cost=None if cost is None else cost[solution.edges],
    )
    verify_dag(graph, dag)
    return replace(dag, origin=origin(graph, left_out=question.left_out))


def preference(question: Question, found: Preferred, prefer: Any) -> dict[str, Any]:
    """What the proof says of the second criterion; empty where there is none."""
    if prefer is None:
        return {}
    fact: dict[str, Any] = {"value": found.value, "bound": found.bound, "proved": found.is_proved}
    if isinstance(prefer, str):
        return {"prefer": {"criterion": "depth", **fact}}
    edges = found.solution.edges
    if is_scores(prefer):
        scores = scores_of(question, prefer)
        return {"prefer": {"criterion": "score", **_scored(scores, scores.of(question.graph, edges), found)}}
    weights = np.array(prefer, dtype=np.float64)[edges]
    return {"prefer": {"criterion": "weight", **fact, "kind": "edges", "weights": weights.tolist()}}


def _scored(scores: Scores, parts: FloatVector, found: Preferred) -> dict[str, Any]:
    """A total of scores and what bounds it, from the grid back to the scores as they were given."""
    value, resolution = math.fsum(parts.tolist()), scores.resolution(parts)
    bound = value if found.is_proved and scores.exact else max(value, -found.bound * scores.step)
    return {
        "kind": scores.kind,
        "value": value,
        "bound": bound,
        "proved": found.is_proved,
        "resolution": resolution,
        "scores": parts.tolist(),
    }


def plain(details: Mapping[str, Any]) -> dict[str, Any]:
    """Details with numbers of Python in place of NumPy's."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in details.items()}


def origin(graph: PriorGraph, *, left_out: list[str]) -> dict[str, Any]:
    """Where a network comes from, as JSON types."""
    return {
        "nodes": graph.n_nodes,
        "edges": graph.n_edges,
        "fingerprint": graph.fingerprint,
        "dropped": graph.dropped.to_dict(),
        "inputs_left_out": left_out,
    }
