"""The main job on real input: file to pruned graph, to proved network, to comparison. `make bench`.

Needs the folder of real data (GRAPHNN_REAL_DATA): pkn/tcell_abc.sif.gz, cells/blood559.h5 and its labels.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import graphnn as gn
from benchmarks.store import real_data, show, store


def timed(what: str, rows: list[dict[str, Any]], function: Callable[[], Any], describe: Callable[[Any], str]) -> Any:
    """Run, and note the seconds with a word on the result."""
    start = time.perf_counter()
    result = function()
    rows.append({"step": what, "seconds": time.perf_counter() - start, "result": describe(result)})
    return result


def million_edges(folder: Path) -> tuple[Path, list[str]]:
    """A drawn SIF file of about a million edges: 18,000 inputs, 2,000 hidden vertices in cycles, one output."""
    draw = np.random.default_rng(0)
    popular = np.arange(1, 2_001) ** -0.5  # regulons of very different sizes, as in real networks
    hubs = draw.choice(2_000, size=1_150_000, p=popular / popular.sum())
    pairs = np.unique(np.stack([draw.integers(0, 18_000, size=len(hubs)), hubs], axis=1), axis=0)
    lines = [f"G{gene}_gene\t1\tP{hub}" for gene, hub in pairs.tolist()]
    lines += [f"P{first}\t-1\tP{second}" for first, second in draw.integers(0, 2_000, size=(50_000, 2)).tolist()]
    lines += [f"P{hub}\t1\tOUT" for hub in range(20)]
    path = folder / "million.sif"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path, [f"G{index}_gene" for index in range(18_000)]


def main() -> int:
    """Measure, print, store."""
    data = real_data()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        path, names = million_edges(Path(folder))
        timed("1 M edges: file to pruned graph", rows, lambda: gn.read_sif(path).prune(names, ["OUT"]), str)
    if data is None:
        print("the folder of real data is absent: set GRAPHNN_REAL_DATA", file=sys.stderr)
        return 1
    graph = timed("tcell_abc: read", rows, lambda: gn.read_sif(data / "pkn" / "tcell_abc.sif.gz"), str)
    genes = [name for name in graph.nodes if name.endswith("_gene")]
    pruned = timed("tcell_abc: prune", rows, lambda: graph.prune(genes, ["LCK"]), str)
    timed(
        "tcell_abc: minimal network", rows, lambda: gn.extract_dag(pruned, genes, ["LCK"]), lambda d: d.proof.sentence()
    )
    timed(
        "tcell_abc: minimal network by the acyclic-flow program",
        rows,
        lambda: gn.extract_dag(pruned, genes, ["LCK"], method="milp", time_limit_s=300),
        lambda d: d.proof.sentence(),
    )
    cells = gn.read_cells(data / "cells" / "blood559.h5").log_normalized()
    labels = gn.read_labels(data / "cells" / "blood559_labels.csv")
    inputs = list(cells.columns_of(genes, suffix="_gene"))
    measured = graph.prune(inputs, ["LCK"])
    full = gn.extract_dag(measured, inputs, ["LCK"], objective="shortest_paths")
    minimal = gn.extract_dag(measured, inputs, ["LCK"])
    comparison = timed(
        "blood559: 5 folds x 2 networks",
        rows,
        lambda: gn.compare(full, minimal, cells, labels, input_suffix="_gene"),
        lambda c: "ROC-AUC full {full:.4f}, compressed {compressed:.4f}".format(**c.summary().iloc[0]),
    )
    with tempfile.TemporaryDirectory() as folder:
        timed(
            "blood559: report", rows, lambda: comparison.to_html(Path(folder) / "report.html"), lambda _: "report.html"
        )
    show(rows)
    print(store("main_job", rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
