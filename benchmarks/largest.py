"""Largest acyclic networks of a real, cyclic prior network: edges kept, bound, seconds, and when they were reached.

    python -m benchmarks.largest [output ...] [--time-limit seconds]

Needs the folder of real data (GRAPHNN_REAL_DATA): pkn/tcell_abc.sif.gz.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import graphnn as gn
from benchmarks.store import real_data, show, store
from solvers import Progress

OUTPUTS = ("LCK", "EGFR", "MTOR")


def measured(graph: gn.PriorGraph, output: str, time_limit_s: float | None) -> dict[str, Any]:
    """One row: the largest network for one output, all genes as inputs."""
    genes = [name for name in graph.nodes if name.endswith("_gene")]
    pruned = graph.prune(genes, [output])
    moments: list[Progress] = []
    start = time.perf_counter()
    dag = gn.extract_dag(
        pruned, genes, [output], objective="max_edges", time_limit_s=time_limit_s, on_progress=moments.append
    )
    seconds = time.perf_counter() - start
    kept = dag.graph.n_edges
    bound = int(dag.proof.bound or 0)
    return {
        "output": output,
        "time_limit_s": time_limit_s or "none",
        "edges": pruned.n_edges,
        "kept": kept,
        "at_most": bound,
        "gap_percent": 100 * (bound - kept) / kept,
        "seconds": seconds,
        "kept_after_s": next(moment.seconds for moment in moments if moment.incumbent == moments[-1].incumbent),
        "bound_after_s": next(moment.seconds for moment in moments if moment.bound == moments[-1].bound),
    }


def main() -> int:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outputs", nargs="*", default=OUTPUTS)
    parser.add_argument("--time-limit", type=float, default=None)
    arguments = parser.parse_args()
    data = real_data()
    if data is None:
        print("the folder of real data is absent: set GRAPHNN_REAL_DATA", file=sys.stderr)
        return 1
    graph = gn.read_sif(data / "pkn" / "tcell_abc.sif.gz")
    limits = [arguments.time_limit] if arguments.time_limit else [None, 10.0]
    rows = [measured(graph, output, limit) for limit in limits for output in arguments.outputs]
    show(rows)
    print(store("largest", rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
