"""CORNETO's acyclic flow as a contestant. A separate program: run by path, by a Python that has `corneto` (GPL).

    pip install 'corneto==1.0.0rc8' cvxpy highspy       # in a virtual environment of its own
    export GRAPHNN_CORNETO_PYTHON=.../bin/python

The model is that of CORNETO's tutorial on knowledge-primed networks: `AcyclicFlow` on the graph with an edge from
nowhere into each input and one from each output to nowhere, a flow of at least the indicator tolerance through each
of them, and the cost of the edges with flow as objective. CORNETO builds it, CVXPY compiles it, HiGHS solves it.

It imports nothing of graphnn; the files are described in solvers/bench/exchange.py.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import time
from importlib import metadata

import numpy as np

TOLERANCE = 1e-4  # the default of CORNETO's indicators: less counts as no flow


def graph_of(corneto, held):
    """The graph with its boundary edges; index of the first edge into an input, and of the first out of an output."""
    graph = corneto.Graph()
    for tail, head in zip(held["sources"].tolist(), held["targets"].tolist(), strict=True):
        graph.add_edge(tail, head)
    into = [graph.add_edge((), vertex) for vertex in held["inputs"].tolist()]
    out = [graph.add_edge(vertex, ()) for vertex in held["outputs"].tolist()]
    return graph, into, out


def solve(held, limit_s, backend):
    """The answer as a dictionary."""
    import corneto  # noqa: TID251 - this is the separate program
    import cvxpy

    start = time.perf_counter()
    graph, into, out = graph_of(corneto, held)
    n_edges = len(held["sources"])
    costs = np.ones(graph.num_edges)  # boundary edges count 1 each, as in the tutorial; taken off again below
    costs[:n_edges] = held["costs"]
    problem = corneto.opt.AcyclicFlow(graph)
    problem += problem.expr.flow[into] >= TOLERANCE
    problem += problem.expr.flow[out] >= TOLERANCE
    chosen = problem.expr.with_flow
    problem.add_objectives(costs @ chosen)
    build = {}

    def timed(self, **options):
        """CVXPY's own solve, with the seconds of compiling known and taken off the limit."""
        self.get_problem_data(solver=backend)  # kept by CVXPY, so that solve() does not compile again
        build["seconds"] = time.perf_counter() - start
        options["time_limit"] = max(1.0, limit_s - build["seconds"])
        return original(self, **options)

    original, cvxpy.Problem.solve = cvxpy.Problem.solve, timed
    said = {"status": "nothing", "build_s": None, "message": ""}
    try:
        solved = problem.solve(solver=backend, max_seconds=max(1, int(limit_s)))
    except cvxpy.SolverError as error:
        return {**said, "build_s": build.get("seconds"), "seconds": time.perf_counter() - start, "message": str(error)}
    seconds = time.perf_counter() - start
    said |= {"build_s": build.get("seconds"), "seconds": seconds, "details": {"engine_status": str(solved.status)}}
    stats = getattr(solved.solver_stats, "extra_stats", None)
    bound = _bound(stats)
    boundary = len(into) + len(out)
    if bound is not None:
        said["bound"] = bound - boundary
    values = chosen.value
    if values is None:
        return said
    edges = np.flatnonzero(np.asarray(values).ravel()[:n_edges] > 0.5)
    said |= {"edges": edges.tolist(), "objective": float(costs @ np.round(np.asarray(values).ravel())) - boundary}
    return {**said, "status": "optimal" if solved.status == "optimal" else "limit"}


def _bound(stats):
    """What HiGHS proved, out of the statistics that CVXPY keeps."""
    for name in ("mip_dual_bound",):
        value = stats.get(name) if isinstance(stats, dict) else getattr(stats, name, None)
        if value is not None and math.isfinite(value):
            return float(value)
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("problem")
    parser.add_argument("answer")
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)  # CORNETO passes no seed on
    parser.add_argument("--option", action="append", default=[])
    given = parser.parse_args()
    backend = dict(option.split("=", 1) for option in given.option).get("engine", "HIGHS")
    try:
        versions = {name: metadata.version(name) for name in ("corneto", "cvxpy", "highspy")}
    except metadata.PackageNotFoundError as error:
        said = {"status": "not installed", "message": f"this Python has no {error.name}"}
    else:
        with np.load(given.problem, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
        said = {**solve(held, given.limit, backend), "versions": versions}
    said["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with open(given.answer, "w", encoding="utf-8") as file:
        json.dump(said, file)


if __name__ == "__main__":
    main()
