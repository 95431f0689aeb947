"""The standing training benchmark: `python -m benchmarks.training`, or `make bench-training`.

A drawn PKN of 37,000 edges, the real T-cell PKN (where the folder of real data is) and the tutorial's shape, the last
two against their minimal networks with `--total`; then larger ones. One contestant at a time, in a process of its own.
Rows are stored as they come, so that an interrupted run keeps what it measured. `--page` writes the stored figures into
docs/training-benchmark.md; nobody types them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import graphnn as gn
from benchmarks.store import RESULTS, real_data, store
from graphnn.evaluate.bench import record as shown
from graphnn.evaluate.bench.contest import (
    NAMES,
    Instance,
    TotalOptions,
    contest,
    contestant,
    extrapolated,
    instance_of,
    total,
)
from graphnn.evaluate.bench.floor import copy_bandwidth
from graphnn.evaluate.bench.shapes import Shape, draw_cells, draw_network, enlarged, shape_of
from graphnn.evaluate.bench.task import RunOptions

NAME = "training"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "training-benchmark.md"
BEGIN, END = "<!-- results: made by python -m benchmarks.training --page -->", "<!-- end of results -->"
NOT_YET = "Not measured yet."
BATCH = 64
CELLS, TRAINING_CELLS = 1_735, 1_388
FEW_CELLS, FEW_TRAINING_CELLS = 448, 320  # for the large ones: five batches an epoch
OUTPUT, SUFFIX = "LCK", "_gene"
TUTORIAL = shape_of(25_928, n_inputs=12_459, n_units=308, name="tutorial")
LARGEST = shape_of(4_000_000, n_inputs=100_000, n_units=50_000, name="4m")


def drawn(shape: Shape, *, n_cells: int = CELLS, n_train: int = TRAINING_CELLS, pair: bool = False) -> Instance:
    """A drawn network with simulated cells; with `pair`, its minimal network as well."""
    dag = draw_network(shape)
    second = gn.extract_dag(dag.graph, dag.inputs, dag.outputs) if pair else None
    x, y = draw_cells(dag, n_cells)
    return instance_of(shape.name, dag, x, y, n_train=n_train, batch_size=BATCH, second=second)


def tcell() -> Instance:
    """The real T-cell PKN towards LCK with real cells: shortest paths, and the minimal network.

    Raises:
        SystemExit: The folder of real data is absent.
    """
    folder = real_data()
    if folder is None:
        raise SystemExit("the folder of real data is absent: set GRAPHNN_REAL_DATA")
    graph = gn.read_sif(folder / "pkn" / "tcell_abc.sif.gz")
    cells = gn.read_cells(folder / "cells" / "blood559.h5").log_normalized()
    labels = gn.read_labels(folder / "cells" / "blood559_labels.csv")
    columns = cells.columns_of([name for name in graph.nodes if name.endswith(SUFFIX)], suffix=SUFFIX)
    pruned = graph.prune(list(columns), [OUTPUT])
    inputs = [name for name in columns if name in pruned.nodes]
    full = gn.extract_dag(pruned, inputs, [OUTPUT], objective="shortest_paths")
    minimal = gn.extract_dag(pruned, inputs, [OUTPUT])
    known = set(labels.index)
    barcodes = [barcode for barcode in cells.barcodes if barcode in known]
    barcodes = np.random.default_rng(0).permutation(barcodes).tolist()  # the file has one class behind the other
    x = cells.subset(barcodes).select([columns[name] for name in sorted(inputs)])
    y = labels.loc[barcodes].to_numpy(dtype="float32")[:, :1]
    n_train = len(barcodes) * 4 // 5
    return instance_of("tcell_abc", full, x, y, n_train=n_train, batch_size=BATCH, second=minimal)


MAKERS: dict[str, Callable[[], Instance]] = {
    "pkn-37k": partial(drawn, shape_of(36_909, name="pkn-37k")),
    "tcell_abc": tcell,
    "tutorial": partial(drawn, TUTORIAL, pair=True),
    "pkn-37k x 10": partial(drawn, enlarged(10), n_cells=FEW_CELLS, n_train=FEW_TRAINING_CELLS),
    "pkn-37k x 100": partial(drawn, enlarged(100), n_cells=FEW_CELLS, n_train=FEW_TRAINING_CELLS),
    "4m": partial(drawn, LARGEST, n_cells=FEW_CELLS, n_train=FEW_TRAINING_CELLS),
}
GROWTH = ("pkn-37k x 10", "pkn-37k x 100", "4m")  # ours only
PAIRS = ("tcell_abc", "tutorial")


def measure(
    instances: Sequence[str], names: Sequence[str], options: RunOptions, *, limit_s: float, keep: list[dict[str, Any]]
) -> None:
    """Let everyone train; after each row the file holds all rows so far, and those that are kept."""
    for name in instances:
        instance = MAKERS[name]()
        bandwidth = copy_bandwidth()
        entrants = [contestant(one) for one in names if name not in GROWTH or one == "ours"]
        load = load_average()
        for row in contest(instance, entrants, options, limit_s=limit_s, bandwidth=bandwidth, before=announced):
            print(shown.sentence(row.to_dict()), flush=True)
            facts = {"kind": "step", "copy_gb_per_s": bandwidth / 1e9, "limit_s": limit_s, "load": load}
            save({**row.to_dict(), **facts, **row_facts(options)}, keep)
            load = load_average()


def measure_totals(
    instances: Sequence[str], options: RunOptions, wanted: TotalOptions, *, limit_s: float, keep: list[dict[str, Any]]
) -> None:
    """Our whole job with an empty cache and again with a filled one."""
    for name in instances:
        if name not in PAIRS:
            continue
        instance, load = MAKERS[name](), load_average()
        for row in total(instance, options, wanted, limit_s=limit_s, before=announced):
            print(row["status"], row.get("seconds"), row["message"], flush=True)
            save({**row, "kind": "total", "limit_s": limit_s, "load": load, **row_facts(options)}, keep)
            load = load_average()


def load_average() -> float | None:
    """Programs that wanted a core in the last minute, the one before among them; None where the system does not say.

    On a quiet machine it is at most the number of cores; more means that others worked beside the contestants.
    """
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def announced(instance: str, name: str) -> None:
    """Say who is next."""
    print(f"{instance}: {name} ...", flush=True)


def row_facts(options: RunOptions) -> dict[str, Any]:
    """With what a row was measured."""
    found = shown.facts()
    return {name: found[name] for name in ("commit", "date", "machine")} | {
        "batch_size": options.batch_size,
        "trained_epochs": options.epochs,
        "learning_rate": options.learning_rate,
    }


def save(row: dict[str, Any], keep: list[dict[str, Any]]) -> None:
    """Put a row in the place of what it measures anew, or behind the others, and store all."""
    keep[:] = [one for one in keep if key_of(one) != key_of(row)] + [row]
    keep.sort(key=_place)
    store(NAME, keep)


def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a row is the measurement of."""
    return row["kind"], row["instance"], row["contestant"], row.get("cache"), row.get("seeds")


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    names, known = list(MAKERS), list(NAMES)
    kind, instance, name, cache, seeds = key_of(row)
    return kind, names.index(instance), known.index(name), seeds or 0, cache or ""


def stored() -> dict[str, Any] | None:
    """What was stored last; None if nothing was."""
    path = RESULTS / f"{NAME}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def section(record: dict[str, Any] | None) -> str:
    """The results section of the page, made of a record alone."""
    if record is None or not record["rows"]:
        return NOT_YET
    steps = [row for row in record["rows"] if row["kind"] == "step"]
    totals = [row for row in record["rows"] if row["kind"] == "total"]
    lines = [_measured_on(record["rows"])]
    for instance in dict.fromkeys(row["instance"] for row in steps if row["instance"] not in GROWTH):
        rows = [row for row in steps if row["instance"] == instance]
        lines += ["", f"### {instance}", "", _sizes(rows[0]), "", *shown.step_table(rows)]
        compared = shown.ratio_table(rows, instance)
        lines += ["", *compared] if compared else []
        lines += _loops(rows)
    grown = [row for row in steps if row["instance"] in GROWTH]
    if grown:
        lines += ["", "### Growth", "", *_growth(grown)]
    if totals:
        lines += ["", "### Cross-validation of two networks", "", *_totals(totals, steps)]
    return "\n".join(lines)


def _measured_on(rows: Sequence[dict[str, Any]]) -> str:
    """A sentence on machine, dates, commits and versions."""
    machines = dict.fromkeys(f"{row['machine']['processor']}, {row['machine']['cores']} cores" for row in rows)
    commits = dict.fromkeys(str(row["commit"]) for row in rows)
    dates = sorted({row["date"] for row in rows})
    versions = sorted({f"{name} {version}" for row in rows for name, version in row["versions"].items()})
    loads = sorted(row["load"] for row in rows if row.get("load") is not None)
    load = f"load average before the runs {loads[0]:g} to {loads[-1]:g}" if loads else "load average not recorded"
    return (
        f"Measured on {'; '.join(machines)}, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, {load}, "
        f"commit {', '.join(commits)}; {', '.join(versions)}."
    )


def _sizes(row: dict[str, Any]) -> str:
    floor = "" if row["floor_ms"] is None else f" Floor of a step: {row['floor_ms']:.3g} ms at "
    speed = f"{row['copy_gb_per_s']:.3g} GB/s." if floor else ""
    return (
        f"{row['n_inputs']:,} inputs, {row['n_units']:,} other vertices, {row['n_edges']:,} edges, "
        f"{row['n_levels']} levels; {row['n_train']:,} cells, batch {row['batch_size']}, "
        f"{row['trained_epochs']} epochs.{floor}{speed}"
    )


def _loops(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What the loops of our engine cost a machine that has never run them."""
    lines = []
    for row in rows:
        loops_s = row["details"].get("loops_s")
        if row["contestant"] == "ours" and loops_s:
            first_s = row["build_s"] + row["first_epoch_s"] + loops_s
            lines += [
                "",
                f"The loops of `ours`, which belong to no network, were compiled beforehand, in {loops_s:.3g} s. With "
                "them, as for the first network that a machine ever trains, build and first epoch take "
                f"{first_s:.3g} s.",
            ]
    return lines


def _growth(rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        "| network | inputs | other vertices | edges | build | first epoch | step | x floor | first prediction "
        "| peak memory |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        sizes = " | ".join(f"{row[key]:,}" for key in ("n_inputs", "n_units", "n_edges"))
        if row["status"] != "done":
            lines.append(f"| {row['instance']} | {sizes} | {row['status']} |" + " |" * 5)
            continue
        figures = (
            f"{row['build_s']:.3g} s | {row['first_epoch_s']:.3g} s | {row['step_ms']:.3g} ms | "
            f"{row['floor_ratio']:.3g} | {row['first_predict_s']:.3g} s | {row['peak_mb']:,.0f} MB"
        )
        lines.append(f"| {row['instance']} | {sizes} | {figures} |")
    return lines


def _totals(totals: Sequence[dict[str, Any]], steps: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        "| network | contestant | folds x seeds x networks | cache | seconds | how | epochs full / minimal "
        "| ROC-AUC full / minimal |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in totals:
        runs = f"{row['folds']} x {row['seeds']} x 2"
        start = f"| {row['instance']} | {row['contestant']} | {runs} | {row['cache']} |"
        if row["status"] != "done":
            lines.append(f"{start} {row['status']} | | | |")
            continue
        both = [" / ".join(f"{row[f'{key}_{one}']:.3g}" for one in ("full", "compressed")) for key in ("epochs", "auc")]
        lines.append(f"{start} **{row['seconds']:,.3g}** | measured | {' | '.join(both)} |")
        if row["cache"] == "cold" and row["seeds"] == 1:
            for one in _extrapolations(row, steps):
                lines.append(
                    f"| {one['instance']} | {one['contestant']} | {runs} | | {one['seconds']:,.0f} | extrapolated | | |"
                )
    return lines


def _extrapolations(own: dict[str, Any], steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the whole job would take the others, each from its own row on the same full network."""
    found = [row for row in steps if row["instance"] == own["instance"] and row["contestant"] != "ours"]
    guessed = (extrapolated(row, own, batch_size=row["batch_size"]) for row in found)
    return [one for one in guessed if one is not None]


def write_page() -> None:
    """Put the stored figures between the two marks of the page, and the drawing beside it."""
    record, text = stored(), PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    body, drawing = section(record), PAGE.with_suffix(".svg")
    steps = [row for row in (record or {"rows": []})["rows"] if row["kind"] == "step" and row["status"] == "done"]
    if steps and shown.can_draw():
        drawing.write_bytes(shown.drawn(steps))
    if drawing.is_file():
        body += f"\n\n![Build and first epoch, step, and memory]({drawing.name})"
    PAGE.write_text(f"{head}{BEGIN}\n\n{body}\n\n{END}{tail}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and store, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instance", action="append", choices=list(MAKERS), help="only this one; repeatable")
    parser.add_argument("--contestant", action="append", choices=NAMES, help="default: all; repeatable")
    parser.add_argument("--epochs", type=int, default=6, help="passes of the step measurement; the first compiles")
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds for each contestant")
    parser.add_argument("--no-steps", action="store_true", help="only the whole job, see --total")
    parser.add_argument("--total", action="store_true", help="our whole job too: folds x seeds x 2 networks, a report")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--add", action="store_true", help="keep the stored rows that are not measured anew")
    parser.add_argument("--page", action="store_true", help="write the stored figures into the page, measure nothing")
    given = parser.parse_args(arguments)
    if given.page:
        write_page()
        return 0
    before = stored() if given.add else None
    keep = before["rows"] if before else []
    chosen = given.instance or [name for name in MAKERS if name != "tcell_abc" or real_data()]
    if real_data() is None and not given.instance:
        print("the folder of real data is absent: set GRAPHNN_REAL_DATA; tcell_abc is left out", file=sys.stderr)
    options = RunOptions(batch_size=BATCH, epochs=given.epochs)
    try:
        if not given.no_steps:
            measure(chosen, given.contestant or NAMES, options, limit_s=given.limit, keep=keep)
        if given.total:
            wanted = TotalOptions(folds=given.folds, seeds=given.seeds)
            measure_totals(chosen, options, wanted, limit_s=given.limit, keep=keep)
    except KeyboardInterrupt:
        print(f"\nstopped: {len(keep)} rows are stored", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
