"""Which minimum: second criteria, many networks, what is necessary; on the T-cell PKN. `python -m benchmarks.minima`.

Needs the folder of real data (GRAPHNN_REAL_DATA). Seconds are those of the public functions, from graph to verified
networks. Scores are drawn: normal ones of every vertex or edge, and realistic ones, of which 2 % are not 0.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import graphnn as gn
from benchmarks.store import real_data, show, store
from graphnn.extract.minima import necessary_vertices, network_frequencies

OUTPUT, SUFFIX = "LCK", "_gene"
LIMIT_S = 120.0
NETWORKS = 50


def scores(keys: list[Any], kind: str, seed: int) -> dict[Any, float]:
    """A score of each key: "normal", or "few" (2 % are large, the others 0)."""
    chance = np.random.default_rng(seed)
    values = chance.normal(size=len(keys))
    if kind == "few":
        values = (chance.random(len(keys)) < 0.02) * chance.exponential(3.0, len(keys))
    return dict(zip(keys, values.tolist(), strict=True))


def preferred(graph: gn.PriorGraph, inputs: list[str], prefer: Any) -> dict[str, Any]:
    """One smallest network with a second criterion."""
    dag = gn.extract_dag(graph, inputs, [OUTPUT], prefer=prefer, time_limit_s=LIMIT_S)
    stated = dag.proof.details["prefer"]
    proved = _word(dag.proof.is_optimal and stated["proved"])
    return {"networks": 1, "edges": dag.graph.n_edges, "proved": proved, "value": stated["value"]}


def many(graph: gn.PriorGraph, inputs: list[str]) -> dict[str, Any]:
    """Networks that share little, each checked once more; the value is how many hidden vertices are in all of them."""
    dags = gn.extract_alternatives(graph, inputs, [OUTPUT], k=NETWORKS, time_limit_s=LIMIT_S)
    for dag in dags:
        gn.verify_dag(graph, dag)
    vertices = network_frequencies(dags).vertices
    in_all = int(vertices["in_all"][vertices["role"] == "hidden"].sum())
    last = dags[-1].proof.details["alternative"]
    proved = _word(all(dag.proof.is_optimal for dag in dags) and last["shared"] == last["shared_bound"])
    edges = max(dag.graph.n_edges for dag in dags)
    return {"networks": len({dag.fingerprint for dag in dags}), "edges": edges, "proved": proved, "value": in_all}


def needed(graph: gn.PriorGraph, inputs: list[str]) -> dict[str, Any]:
    """Hidden vertices that every smallest network has."""
    status = necessary_vertices(graph, inputs, [OUTPUT], time_limit_s=LIMIT_S)["status"]
    proved = _word(not (status == "open").any())
    return {"networks": "all", "edges": "-", "proved": proved, "value": int((status == "necessary").sum())}


def _word(proved: bool) -> str:
    return "yes" if proved else "no"


def measured(task: str, job: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """One row."""
    start, cpu = time.perf_counter(), time.process_time()
    found = job()
    return {"task": task, "seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu, **found}


def main() -> int:
    """Measure all tasks, print, store."""
    folder = real_data()
    if folder is None:
        print("expected the folder of real data, got none: set GRAPHNN_REAL_DATA", file=sys.stderr)
        return 1
    graph = gn.read_sif(folder / "pkn" / "tcell_abc.sif.gz")
    inputs = [name for name in graph.nodes if name.endswith(SUFFIX)]
    graph = graph.prune(inputs, [OUTPUT])
    keys = {"vertices": list(graph.nodes), "edges": [(tail, head) for tail, _, head in graph.to_sif_tuples()]}
    rows = []
    for what, names in keys.items():
        for kind in ("normal", "few"):
            for seed in (0, 1):
                drawn = scores(names, kind, seed)
                rows.append(
                    measured(f"prefer {what}, {kind} {seed}", lambda drawn=drawn: preferred(graph, inputs, drawn))
                )
    rows.append(measured(f"alternatives, k={NETWORKS}", lambda: many(graph, inputs)))
    rows.append(measured("necessary vertices", lambda: needed(graph, inputs)))
    show(rows)
    store("minima", rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
