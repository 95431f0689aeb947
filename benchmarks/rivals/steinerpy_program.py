"""SteinerPy as a contestant. A separate program: run by path, by a Python that has `steinerpy` (MIT).

    pip install 'steinerpy==1.0.20'       # in a virtual environment of its own
    export GRAPHNN_STEINERPY_PYTHON=.../bin/python

A problem with one output is a Steiner arborescence on the reversed graph: the output is the root, the inputs are the
terminals. Several outputs are beyond it. Preprocessing is off because SteinerPy refuses it for directed graphs.

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


def solve(held, limit_s, dual_ascent):
    """The answer as a dictionary."""
    import networkx
    from steinerpy import SteinerProblem

    if len(held["outputs"]) != 1:
        return {"status": "not applicable", "message": "it solves for one output"}
    start = time.perf_counter()
    index = {}
    graph = networkx.DiGraph()
    for edge in np.argsort(-held["costs"], kind="stable").tolist():  # of parallel edges the cheapest stays
        tail, head = int(held["targets"][edge]), int(held["sources"][edge])
        index[tail, head] = edge
        graph.add_edge(tail, head, weight=float(held["costs"][edge]))
    terminals = [int(held["outputs"][0]), *held["inputs"].tolist()]
    problem = SteinerProblem(graph, [terminals], preprocess=False, dual_ascent=dual_ascent)
    build_s = time.perf_counter() - start
    said = {"build_s": build_s, "details": {}}
    try:
        found = problem.get_solution(time_limit=max(1.0, limit_s - build_s))
    except RuntimeError as error:  # how it says that there was no network in time
        return {**said, "status": "nothing", "seconds": time.perf_counter() - start, "message": str(error)}
    said["seconds"] = time.perf_counter() - start
    if not math.isfinite(found.objective):
        return {**said, "status": "nothing", "message": "it returned no network"}
    # Its gap is (objective - bound) / max(1, objective); the bound is not given otherwise.
    gap = found.gap if found.gap is not None and math.isfinite(found.gap) else None
    bound = None if gap is None else found.objective - gap * max(1.0, abs(found.objective))
    return {
        **said,
        "status": "optimal" if gap is not None and gap <= 1e-6 else "limit",
        "edges": [index[edge] for edge in found.edges],
        "objective": found.objective,
        "bound": bound,
        "details": {"stated_gap": gap},
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("problem")
    parser.add_argument("answer")
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)  # it takes none
    parser.add_argument("--option", action="append", default=[])
    given = parser.parse_args()
    chosen = dict(option.split("=", 1) for option in given.option)
    try:
        versions = {name: metadata.version(name) for name in ("steinerpy", "highspy")}
    except metadata.PackageNotFoundError as error:
        said = {"status": "not installed", "message": f"this Python has no {error.name}"}
    else:
        with np.load(given.problem, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
        said = {**solve(held, given.limit, chosen.get("dual_ascent", "0") == "1"), "versions": versions}
    said["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with open(given.answer, "w", encoding="utf-8") as file:
        json.dump(said, file)


if __name__ == "__main__":
    main()
