"""The fast path on large drawn networks with one output: seconds, gap and memory. `python -m benchmarks.steiner_scale`.

Each case runs in a process of its own, so that its peak of memory is its own. Seconds are those of `solvers.solve`,
from arrays to solution. Real costs on the real network need the folder of real data (GRAPHNN_REAL_DATA).
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

import graphnn as gn
import solvers
from benchmarks.store import real_data, show, store
from solvers.bench.families import regulons

LIMIT_S = 60.0
CASES = (  # attachment of genes, exponent of regulators, edges, costs
    ("preferential", 0.8, 300_000, "unit"),
    ("preferential", 0.8, 1_000_000, "unit"),
    ("uniform", 0.5, 300_000, "unit"),
    ("uniform", 0.8, 300_000, "unit"),
    ("uniform", 1.1, 300_000, "unit"),
    ("uniform", 0.8, 1_000_000, "unit"),
    ("preferential", 0.8, 104_000, "real"),
    ("preferential", 0.8, 300_000, "real"),
    ("tcell_abc", 0.0, 0, "real"),
)


def drawn(attachment: str, exponent: float, n_edges: int, costs: str) -> solvers.Problem:
    """The problem of a case."""
    if attachment != "tcell_abc":
        return regulons(n_edges=n_edges, attachment=attachment, exponent=exponent, costs=costs)
    folder = real_data()
    if folder is None:
        raise FileNotFoundError("expected the folder of real data, got none: set GRAPHNN_REAL_DATA")
    graph = gn.read_sif(folder / "pkn" / "tcell_abc.sif.gz")
    graph = graph.prune([name for name in graph.nodes if name.endswith("_gene")], ["LCK"])
    number = {name: index for index, name in enumerate(graph.nodes)}
    frame = graph.to_frame()
    return solvers.Problem(
        n_vertices=graph.n_nodes,
        sources=[number[name] for name in frame["source"]],
        targets=[number[name] for name in frame["target"]],
        inputs=[index for name, index in number.items() if name.endswith("_gene")],
        outputs=[number["LCK"]],
        costs=np.random.default_rng(0).uniform(0.1, 1.0, len(frame)),
    )


def measured(case: tuple[str, float, int, str]) -> dict[str, Any]:
    """One case: what was reached in how long."""
    problem = drawn(*case)
    start, cpu = time.perf_counter(), time.process_time()
    solution = solvers.solve(problem, options=solvers.Options(time_limit_s=LIMIT_S))
    return {
        "network": case[0],
        "exponent": case[1],
        "edges": problem.n_edges,
        "costs": case[3],
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "objective": solution.objective,
        "bound": solution.bound,
        "gap_percent": 100 * (solution.objective - solution.bound) / solution.objective,
        "proved_by": solution.backend if solution.termination is solvers.Termination.OPTIMAL else "-",
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> int:
    """Measure all cases, print, store; with a number as argument measure that one and print JSON."""
    if len(sys.argv) > 1:
        print(json.dumps(measured(CASES[int(sys.argv[1])])))
        return 0
    rows = []
    for number in range(len(CASES)):
        command = [sys.executable, "-m", "benchmarks.steiner_scale", str(number)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            continue
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    show(rows)
    store("steiner_scale", rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
