"""The main job, step by step with a word on each: prune, extract twice, compare, report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from graphnn.cli.progress import solver_line, training_bar
from graphnn.compiler.options import NetworkOptions
from graphnn.data.cells import Cells
from graphnn.errors import DataError, OptionError, quoted
from graphnn.evaluate.compare import Comparison, compare
from graphnn.evaluate.options import TrainingOptions, check_task
from graphnn.evaluate.prepare import labelled_cells
from graphnn.evaluate.runs import undisturbed
from graphnn.extract.dag import Dag
from graphnn.extract.extract import extract_dag
from graphnn.graph.files import check_output, write_together
from graphnn.graph.prior import PriorGraph
from graphnn.report.payload import Context, make_payload
from graphnn.report.write import html_bytes, json_bytes

NORMALIZATIONS = ("auto", "log", "none")
FILES = ("full.json", "compressed.json", "report.json", "report.html")


@dataclass(frozen=True)
class Job:
    """What to do once network and cells are read.

    Attributes:
        inputs: Measured vertices, before pruning.
        outputs: Predicted vertices.
        suffix: What inputs have behind the gene's name.
        objective: Of the compressed network.
        full_objective: Of the network it is compared with.
        method: As `extract_dag`.
        solver: As `extract_dag`.
        time_limit_s: For each extraction.
        folds: As `compare`.
        seeds: As `compare`.
        seed: As `compare`.
        protocol: As `compare`.
        groups: As `compare`.
        controls: As `compare`.
        draws: As `compare`.
        training: As `compare`.
        network: As `compare`.
    """

    inputs: Sequence[str]
    outputs: Sequence[str]
    suffix: str = ""
    objective: str = "min_edges"
    full_objective: str = "shortest_paths"
    method: str = "auto"
    solver: str = "auto"
    time_limit_s: float | None = None
    folds: int = 5
    seeds: int = 1
    seed: int = 0
    protocol: str = "nested"
    groups: Any = None
    controls: Sequence[str] = ()
    draws: int = 19
    training: TrainingOptions = field(default_factory=TrainingOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)


def check_folder(folder: Path, files: Sequence[str], *, force: bool) -> None:
    """Refuse, before any work, a folder that cannot be made and files in it that would be replaced."""
    for part in (folder, *folder.parents):
        if part.exists():
            if not part.is_dir() or not os.access(part, os.W_OK | os.X_OK):
                raise OptionError("--out", str(folder), "a folder that can be written", do=f"{part} stands in the way")
            break
    for name in files:
        if folder.is_dir():
            check_output(folder / name, force=force)


def normalize(cells: Cells, how: str, screen: Console) -> tuple[Cells, str]:
    """Cells ready for training and a sentence on what was done: "auto" log-normalises whole numbers, as counts are."""
    if how not in NORMALIZATIONS:
        raise OptionError("--normalize", how, f"one of {', '.join(NORMALIZATIONS)}")
    if how == "none" or (how == "auto" and not cells.holds_counts()):
        note = "Values were used as they are" + (", since they are no whole numbers." if how == "auto" else ".")
    else:
        cells = cells.log_normalized()
        note = "Counts were scaled to 10,000 a cell and log1p-transformed, cell by cell."
    screen.print(note)
    return cells, note


def measured(graph: PriorGraph, cells: Cells, job: Job, screen: Console) -> tuple[list[str], tuple[str, ...]]:
    """Inputs that have a column in the cells (and those that are not in the network), and those that have none.

    Raises:
        DataError: None has.
    """
    present = [name for name in job.inputs if name in graph]
    if not present:
        return list(job.inputs), ()  # pruning says it better
    columns = cells.columns_of(present, suffix=job.suffix)
    if not columns:
        raise DataError(
            f"expected a column for at least one of {len(present):,} inputs ({quoted(present)}), but the cells have "
            f"none of them (they have {quoted(cells.genes)}); check --input-suffix and the kind of gene names",
            names=present,
        )
    unmeasured = tuple(sorted(set(present) - set(columns)))
    without = f"; without: {quoted(unmeasured)}" if unmeasured else ""
    screen.print(f"{len(columns):,} of {len(present):,} inputs of the network have a column in the cells{without}.")
    # Names that are not in the network stay in the list, so that pruning reports them.
    absent = [name for name in job.inputs if name not in graph]
    return [*columns, *absent], unmeasured


def run_job(
    graph: PriorGraph, cells: Cells, labels: Any, job: Job, screen: Console
) -> tuple[Comparison, Mapping[str, Dag], tuple[str, ...]]:
    """Prune, extract both networks, train and test them; gives both and the inputs without a column."""
    check_task(job.network.task, n_outputs=len(job.outputs), training=job.training)
    labelled_cells(cells, labels, job.outputs, None, task=job.network.task)  # what cannot be used is found before
    inputs, unmeasured = measured(graph, cells, job, screen)
    pruned = graph.prune(inputs, job.outputs)
    screen.print(
        f"Pruned to {pruned.n_nodes:,} vertices and {pruned.n_edges:,} edges on input-to-output paths "
        f"(dropped: {len(pruned.dropped.unreachable):,} unreachable, {len(pruned.dropped.dead_end):,} dead ends)."
    )
    networks = {}
    for name, objective in (("full", job.full_objective), ("compressed", job.objective)):
        with solver_line(screen, objective) as report:
            networks[name] = extract_dag(
                pruned,
                inputs,
                job.outputs,
                objective=objective,
                method="auto" if objective == "max_edges" else job.method,
                solver=job.solver,
                time_limit_s=job.time_limit_s,
                seed=job.seed,
                on_progress=report,
            )
        if networks[name].proof.details.get("interrupted"):
            raise KeyboardInterrupt  # half a search is an answer to `extract`, not a basis for a comparison
        screen.print(f"{name.capitalize()} network: {networks[name].proof.sentence()}")
    with training_bar(screen) as progress:
        comparison = compare(
            networks["full"],
            networks["compressed"],
            cells,
            labels,
            folds=job.folds,
            seeds=job.seeds,
            seed=job.seed,
            protocol=job.protocol,
            training=job.training,
            network=job.network,
            input_suffix=job.suffix,
            groups=job.groups,
            controls=job.controls,
            draws=job.draws,
            prior=pruned,
            time_limit_s=job.time_limit_s,
            on_progress=progress,
        )
    return comparison, networks, unmeasured


def write_results(
    comparison: Comparison, networks: Mapping[str, Dag], folder: Path, context: Context, *, force: bool
) -> dict[str, Any]:
    """Write both networks and the report into a folder, all at the end; gives the payload."""
    payload = undisturbed(lambda: make_payload(comparison, context))
    contents = {
        "full.json": networks["full"].to_json().encode(),
        "compressed.json": networks["compressed"].to_json().encode(),
        "report.json": json_bytes(payload),
        "report.html": html_bytes(payload),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_together({folder / name: data for name, data in contents.items()}, force=force)
    return payload


def show(payload: Mapping[str, Any], screen: Console) -> None:
    """The answer as a small table and its sentences."""
    table = Table(title="metric, mean over folds", title_justify="left")
    several = len({row["output"] for row in payload["summary"]}) > 1
    for column in ("metric", *(("output",) if several else ()), "full", "compressed", "change", "95 % interval", "p"):
        table.add_column(column, justify="left" if column in ("metric", "output") else "right")
    for row in payload["summary"]:
        values = [_text(row[key]) for key in ("full", "compressed", "change")]
        interval = f"{_text(row['ci_low'])} .. {_text(row['ci_high'])}"
        table.add_row(row["metric"], *((row["output"],) if several else ()), *values, interval, _text(row["p"]))
    screen.print(table)
    told = ("sentences", "control_sentences", "corrected_sentences", "warnings")
    for sentence in (sentence for part in told for sentence in payload[part]):
        screen.print(sentence)


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
