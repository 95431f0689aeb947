"""`extract_dag`: an acyclic network from a prior knowledge network, with its proof."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np

from graphnn import __version__
from graphnn.errors import NoAnswerInTimeError, OptionError, SolverFailedError
from graphnn.extract.dag import Dag, Proof, check_cost
from graphnn.extract.encode import FloatVector, encode, roles
from graphnn.extract.shortest import shortest_path_edges
from graphnn.extract.verify import verify_dag
from graphnn.graph.prior import PriorGraph, as_names
from solvers.errors import SolverError
from solvers.options import METHODS, Options
from solvers.registry import available
from solvers.result import Progress, Solution, Termination
from solvers.solve import solve, solve_largest

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
        method: "steiner" (reductions, dual ascent and cuts), "milp" (acyclic-flow program), "auto" (steiner).
        solver: "highs", "scip", "cvxpy" or "auto" (highs): who solves the acyclic-flow program. The cut stage of
            "steiner" is HiGHS's, so "scip" or "cvxpy" with method "auto" means the program.
        edge_cost: Cost of each edge, >= 0, shape (n_edges,), row by row as in `graph.to_frame()`; None: 1 each.
        time_limit_s: Wall clock in seconds, > 0; the best verified network by then is returned with its bound.
        seed: Of heuristics and solvers; the optimum's size does not depend on it.
        on_progress: Called with incumbent, bound and seconds.

    Returns:
        The network; `proof.is_optimal` says whether it is proved to be minimal (or largest).

    Raises:
        OptionError: An option has a value it cannot have.
        NoNetworkError: No input reaches an output, or an output is reached from no input.
        NoAnswerInTimeError: The time limit came before any network.
        SolverFailedError: An engine failed, or its answer did not pass the independent check.

    Example:
        >>> g = PriorGraph.from_sif_tuples([("x", 1, "a"), ("x", 1, "b"), ("a", 1, "y"), ("b", 1, "a"), ("a", 1, "b")])
        >>> dag = extract_dag(g, ["x"], ["y"])
        >>> dag.graph.to_sif_tuples(), dag.proof.termination
        ([('a', 1, 'y'), ('x', 1, 'a')], 'optimal')

    Reference:
        The acyclic-flow model is that of P. Rodriguez-Mier et al., "Unifying multi-sample network inference from
        prior knowledge and omics data with CORNETO", Nature Machine Intelligence 7 (2025) 1168-1186; why the order
        may be left out with costs >= 0 is shown in docs/correctness.md.
    """
    started = time.monotonic()
    check_extraction(objective, method=method, solver=solver, time_limit_s=time_limit_s, seed=seed)
    wanted = as_names(inputs, role="inputs")
    inputs, outputs = roles(graph, wanted, as_names(outputs, role="outputs"))
    if objective != "min_edges" and edge_cost is not None:
        raise OptionError(
            "edge_cost", "an array", f"None with objective={objective!r}", do="costs belong to 'min_edges'"
        )
    if method == "auto" and solver in ("scip", "cvxpy"):
        method = "milp"
    cost = None if edge_cost is None else check_cost(edge_cost, n_edges=graph.n_edges)
    if objective == "shortest_paths":
        kept = np.flatnonzero(shortest_path_edges(graph, graph.indices(inputs), graph.indices(outputs)))
        proof = _constructed(kept, started)
    else:
        options = Options(
            method=method, backend=solver, time_limit_s=time_limit_s, seed=int(seed), on_progress=on_progress
        )
        try:
            if objective == "max_edges":
                solution = solve_largest(encode(graph, inputs, outputs, -1.0), options=options)
            else:
                solution = solve(encode(graph, inputs, outputs, cost), options=options)
        except SolverError as error:
            raise SolverFailedError(str(error)) from error
        if solution.termination is Termination.NOTHING:
            raise NoAnswerInTimeError(time_limit_s=time_limit_s, bound=solution.bound, method=solution.method)
        kept, proof = solution.edges, _proof(solution, objective, unit_costs=cost is None)
    dag = Dag.from_graph(
        graph.keep_edges(kept), inputs, outputs, proof=proof, edge_cost=None if cost is None else cost[kept]
    )
    verify_dag(graph, dag)
    return replace(dag, origin=_origin(graph, left_out=sorted({*wanted} - {*inputs})))


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
    if time_limit_s is not None and not time_limit_s > 0:
        raise OptionError("time_limit_s", time_limit_s, "a number of seconds > 0, or None for no limit")
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise OptionError("seed", seed, "a whole number of at least 0")
    if objective == "max_edges" and method == "steiner":
        raise OptionError("method", method, "'auto' or 'milp' with objective='max_edges'")


def _proof(solution: Solution, objective: str, *, unit_costs: bool) -> Proof:
    sign = -1.0 if objective == "max_edges" else 1.0
    return Proof(
        objective_name=objective,
        termination=solution.termination.value,
        objective=sign * solution.objective,
        bound=sign * solution.bound,
        method=solution.method,
        solver=solution.backend,
        seconds=solution.seconds,
        versions={"graphnn": __version__, **solution.versions},
        details={"unit_costs": unit_costs, **_plain(solution.details)},
    )


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


def _origin(graph: PriorGraph, *, left_out: list[str]) -> dict[str, Any]:
    return {
        "nodes": graph.n_nodes,
        "edges": graph.n_edges,
        "fingerprint": graph.fingerprint,
        "dropped": graph.dropped.to_dict(),
        "inputs_left_out": left_out,
    }


def _plain(details: Any) -> dict[str, Any]:
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in details.items()}
