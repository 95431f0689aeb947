"""`extract_dag`: an acyclic network from a prior knowledge network, with its proof."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from graphnn import __version__
from graphnn.errors import OptionError
from graphnn.extract.constraints import ConstraintOptions, Edge
from graphnn.extract.dag import Dag, Proof
from graphnn.extract.encode import FloatVector, encode
from graphnn.extract.question import (
    Preference,
    Question,
    answered,
    ask,
    build,
    check_answer,
    find,
    origin,
    plain,
    preference,
)
from graphnn.extract.shortest import shortest_path_edges
from graphnn.extract.verify import verify_dag
from graphnn.graph.prior import PriorGraph
from solvers.options import METHODS
from solvers.registry import available
from solvers.result import Progress
from solvers.solve import solve_largest

OBJECTIVES = ("min_edges", "shortest_paths", "max_edges")
SOLVERS = ("auto", "highs", "scip", "cvxpy")


def extract_dag(
    graph: PriorGraph,
    inputs: Iterable[str],
    outputs: Iterable[str],
    *,
    objective: str = "min_edges",
    method: str = "auto",
    solver: str = "auto",
    edge_cost: Sequence[float] | FloatVector | None = None,
    time_limit_s: float | None = None,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    node_cost: Mapping[str, float] | Sequence[float] | FloatVector | None = None,
    forced_edges: Iterable[Edge] = (),
    forbidden_edges: Iterable[Edge] = (),
    forced_nodes: Iterable[str] = (),
    forbidden_nodes: Iterable[str] = (),
    rewards: Mapping[str, float] | None = None,
    max_parents: int | None = None,
    max_depth: int | None = None,
    min_routes: int = 1,
    disjoint_routes: bool = False,
    signs: bool = False,
    states: Mapping[str, int] | None = None,
    prefer: Preference | None = None,
) -> Dag:
    """Find an acyclic network in which every input reaches an output and every output is reached from an input.

    With one output and unit costs the smallest network is a tree: every vertex keeps one way out. Networks of equal
    size often exist; which one is returned depends on the names and the options alone, not on the run.

    Args:
        graph: The prior knowledge network, usually pruned. Inputs that it does not hold, or that reach no output,
            are left out, as `prune` reports them.
        inputs: Measured vertices.
        outputs: Predicted vertices; each of them has to be reached.
        objective: "min_edges" (least total cost), "shortest_paths" (union of all shortest paths from inputs to
            outputs; see `graphnn.extract.shortest` for several outputs), "max_edges" (as many edges as possible).
            All options from `edge_cost` on, but for the limit and the seed, belong to "min_edges".
        method: "steiner" (reductions, dual ascent and cuts), "milp" (acyclic-flow program), "auto" (steiner, and the
            program where options or negative costs need it).
        solver: "highs", "scip", "cvxpy" or "auto" (highs): who solves the acyclic-flow program. The cut stage of
            "steiner" is HiGHS's, so "scip" or "cvxpy" with method "auto" means the program.
        edge_cost: Cost of each edge, shape (n_edges,), row by row as in `graph.to_frame()`; None: 1 each. Negative
            costs, of edges that pay, need the program: method "milp" or "auto".
        time_limit_s: Wall clock in seconds, >= 0; the best verified network by then is returned with its bound.
        seed: Of heuristics and solvers; the optimum's size does not depend on it.
        on_progress: Called with incumbent, bound and seconds.
        node_cost: Cost >= 0 of vertices, paid once for each in the network: a mapping of names (others cost nothing),
            or an array, shape (n_nodes,), in the order of `graph.nodes`.
        forced_edges: (source, target) pairs that are in the network.
        forbidden_edges: (source, target) pairs that are not.
        forced_nodes: Vertices that are in the network.
        forbidden_nodes: Vertices that are not; no inputs and no outputs.
        rewards: Inputs that may be left out, each at the price of its reward >= 0; others are required.
        max_parents: No vertex has more edges into it.
        max_depth: No path has more edges.
        min_routes: Every input keeps so many regulators (vertices that follow it), or all it has.
        disjoint_routes: With `min_routes`: count paths to outputs that share no vertex but the input and outputs.
        signs: Every vertex gets one state, 1 or -1, that all edges with a sign agree with.
        states: With `signs`: states that are known.
        prefer: Second criterion among all networks of least cost: "shallow" (the shortest longest path); weights >= 0
            with at most 3 decimals, shape (n_edges,), of which the total is least; or scores of which the total is
            greatest: a mapping, or a Series, of vertex names, or of (source, target) pairs, to finite numbers. Vertices
            and edges without a score have 0. Weights and scores need whole costs. Scores that do not lie on a grid of
            2**20 steps are compared on it; `proof.details["prefer"]["resolution"]` says what the total may be off.

    Returns:
        The network; `proof.is_optimal` says whether it is proved to be minimal (or largest). Ctrl-C, once, ends the
        search early: the best network so far is returned, and `proof.details["interrupted"]` is True.

    Raises:
        OptionError: An option has a value it cannot have, or two options contradict each other.
        UnknownNodeError: An option names a vertex that is not in the network; one that pruning dropped is known.
        NoNetworkError: No input reaches an output, an output is reached from no input, or no network obeys the options.
        NoAnswerInTimeError: The time limit came before any network.
        SolverFailedError: An engine failed, or its answer did not pass the independent check.
        KeyboardInterrupt: Ctrl-C came before any network, or twice.

    Example:
        >>> g = PriorGraph.from_sif_tuples([("x", 1, "a"), ("x", 1, "b"), ("a", 1, "y"), ("b", 1, "a"), ("a", 1, "b")])
        >>> dag = extract_dag(g, ["x"], ["y"])
        >>> dag.graph.to_sif_tuples(), dag.proof.termination
        ([('a', 1, 'y'), ('x', 1, 'a')], 'optimal')
        >>> extract_dag(g, ["x"], ["y"], forced_nodes=["b"]).graph.to_sif_tuples()
        [('a', 1, 'y'), ('b', 1, 'a'), ('x', 1, 'b')]
        >>> g = PriorGraph.from_sif_tuples([("x", 1, "a"), ("x", 1, "b"), ("a", 1, "y"), ("b", 1, "y")])
        >>> extract_dag(g, ["x"], ["y"], prefer={"a": 0.25, "b": 1.5}).hidden
        ('b',)
        >>> extract_dag(g, ["x"], ["y"], prefer={("x", "b"): 0.5, ("a", "y"): 0.75}).hidden
        ('a',)

    Reference:
        The acyclic-flow model is that of P. Rodriguez-Mier et al., "Unifying multi-sample network inference from
        prior knowledge and omics data with CORNETO", Nature Machine Intelligence 7 (2025) 1168-1186; why the order
        may be left out with costs >= 0 is shown in docs/correctness.md.
    """
    started = time.monotonic()
    check_extraction(objective, method=method, solver=solver, time_limit_s=time_limit_s, seed=seed)
    rules: ConstraintOptions = {
        "node_cost": node_cost,
        "forced_edges": forced_edges,
        "forbidden_edges": forbidden_edges,
        "forced_nodes": forced_nodes,
        "forbidden_nodes": forbidden_nodes,
        "rewards": rewards,
        "max_parents": max_parents,
        "max_depth": max_depth,
        "min_routes": min_routes,
        "disjoint_routes": disjoint_routes,
        "signs": signs,
        "states": states,
    }
    question = ask(
        graph,
        inputs,
        outputs,
        method=method,
        solver=solver,
        edge_cost=edge_cost,
        time_limit_s=time_limit_s,
        seed=seed,
        on_progress=on_progress,
        rules=rules,
    )
    if objective == "min_edges":
        found = find(question, prefer)
        return build(question, found.solution, preference(question, found, prefer))
    _refuse_costs_and_rules(question, objective, prefer)
    return _shortest(question, started) if objective == "shortest_paths" else _largest(question)


def _refuse_costs_and_rules(question: Question, objective: str, prefer: object) -> None:
    asked = sorted(question.constraints.to_dict())
    asked += ["edge_cost"] * (question.cost is not None) + ["prefer"] * (prefer is not None)
    if asked:
        names = ", ".join(asked)
        raise OptionError(names, "given", f"absent with objective={objective!r}", do="they belong to 'min_edges'")


def _shortest(question: Question, started: float) -> Dag:
    graph = question.graph
    starts, ends = graph.indices(question.inputs), graph.indices(question.outputs)
    kept = np.flatnonzero(shortest_path_edges(graph, starts, ends))
    return _checked(question, kept, _constructed(kept, started))


def _largest(question: Question) -> Dag:
    problem = encode(question.graph, question.inputs, question.outputs, -1.0)
    solution = answered(question, lambda: solve_largest(problem, options=question.options))
    check_answer(question, solution)
    proof = Proof(
        objective_name="max_edges",
        termination=solution.termination.value,
        objective=-solution.objective,
        bound=-solution.bound,
        method=solution.method,
        solver=solution.backend,
        seconds=solution.seconds,
        versions={"graphnn": __version__, **solution.versions},
        details={"unit_costs": True, **plain(solution.details)},
    )
    return _checked(question, solution.edges, proof)


def _checked(question: Question, kept: Any, proof: Proof) -> Dag:
    dag = Dag.from_graph(question.graph.keep_edges(kept), question.inputs, question.outputs, proof=proof)
    verify_dag(question.graph, dag)
    return replace(dag, origin=origin(question.graph, left_out=question.left_out))


def check_extraction(
    objective: str, *, method: str = "auto", solver: str = "auto", time_limit_s: float | None = None, seed: object = 0
) -> None:
    """Refuse options of `extract_dag` that cannot be, before anything is read or solved.

    Raises:
        OptionError: An option has a value it cannot have.
    """
    for option, value, known in (
        ("objective", objective, OBJECTIVES),
        ("method", method, METHODS),
        ("solver", solver, SOLVERS),
    ):
        if value not in known:
            raise OptionError(option, value, f"one of {', '.join(known)}")
    if solver not in ("auto", *available()):
        raise OptionError("solver", solver, f"one that is installed ({', '.join(available())})")
    if time_limit_s is not None and not _is_seconds(time_limit_s):
        raise OptionError("time_limit_s", time_limit_s, "a number of seconds >= 0, or None for no limit")
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise OptionError("seed", seed, "a whole number of at least 0")
    if objective == "max_edges" and method == "steiner":
        raise OptionError("method", method, "'auto' or 'milp' with objective='max_edges'")


def _is_seconds(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) >= 0


def _constructed(kept: Any, started: float) -> Proof:
    return Proof(
        objective_name="shortest_paths",
        termination="constructed",
        objective=float(len(kept)),
        bound=None,
        method="the union of all shortest paths from inputs to outputs",
        solver="breadth-first search",
        seconds=time.monotonic() - started,
        versions={"graphnn": __version__},
    )
