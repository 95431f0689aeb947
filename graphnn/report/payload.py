"""Everything that a report says, as one dictionary of JSON types; the page is made from it, so the numbers agree.

The only values that differ between two runs with the same seed are `created` and the keys named `seconds`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd

from graphnn import __version__
from graphnn.errors import quoted
from graphnn.evaluate.comparison import MEAN, NETWORKS, Comparison
from graphnn.evaluate.controls import CONTROL_INPUTS
from graphnn.explain.importance import METHODS
from graphnn.extract.dag import Dag
from graphnn.graph.check import reading
from graphnn.graph.prior import Dropped, PriorGraph
from graphnn.report import sentences
from graphnn.report.html import FORMAT
from graphnn.report.text import metric_label

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "keras", "jax", "highspy")
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Context:
    """What a comparison does not know of itself.

    Attributes:
        title: Of the report.
        pkn: Name of the prior knowledge network, e.g. its file.
        cells: Name of the table of cells.
        graph: The prior knowledge network before pruning; None: only the networks made from it are known.
        n_inputs_requested: Inputs that were asked for, before pruning.
        unmeasured: Inputs of the network that have no column in the cells.
        command: Command line that makes the same report.
        notes: Sentences on what was done before the comparison.
        planted: Hidden vertices that are known to drive the label, in simulated data.
        margin: Largest loss that would not matter, in units of each metric.
    """

    title: str = "What did the compression cost?"
    pkn: str = "prior knowledge network"
    cells: str = "cells"
    graph: PriorGraph | None = None
    n_inputs_requested: int | None = None
    unmeasured: tuple[str, ...] = ()
    command: str | None = None
    notes: tuple[str, ...] = ()
    planted: tuple[str, ...] = ()
    margin: float = 0.01


TOP, RANK_LEVEL = 10, 0.9  # nodes at the top that fits are compared by; share of the fits that an interval holds


def make_payload(comparison: Comparison, context: Context | None = None) -> dict[str, Any]:
    """Collect everything that the report shows.

    Args:
        comparison: What `compare` returned.
        context: Names and notes; None: neutral ones.

    Returns:
        JSON types only; NaN is None. `docs/report-json.md` is the data dictionary.
    """
    context = context or Context()
    full, compressed = (comparison.networks[name] for name in NETWORKS)
    summary = _with_output(comparison, comparison.summary(confidence=CONFIDENCE))
    shown = _with_output(comparison, comparison.non_inferiority(margin=context.margin, confidence=CONFIDENCE))
    importance = comparison.importance()
    ranking, stability = _ranking(comparison, importance), comparison.stability(top=TOP)
    payload = {
        "format": FORMAT,
        "title": context.title,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": context.command,
        "seed": comparison.seed,
        "versions": {"graphnn": __version__, **{package: metadata.version(package) for package in PACKAGES}},
        "asked": _asked(comparison, context),
        "dropped": full.origin.get("dropped") or _nothing_dropped(),
        "networks": {name: _network(comparison, name) for name in NETWORKS},
        "compression": _records(comparison.compression),
        "protocol": _protocol(comparison) | {"margin": context.margin},
        "folds": _records(_without_draws(comparison)),
        "summary": _records(summary),
        "non_inferiority": _records(shown),
        "sentences": _sentences(comparison, summary, shown),
        **_controls(comparison),
        "importance": _records(ranking),
        "importance_method": METHODS["gradient"],
        "importance_runs": _records(importance),
        "stability": _records(stability),
        "rank_intervals": _records(comparison.rank_intervals(level=RANK_LEVEL, top=TOP)),
        "importance_sentences": [
            sentences.of_stability(row, several=len(comparison.outputs) > 1) for _, row in stability.iterrows()
        ],
        **_corrected(comparison),
        **_confusing(comparison),
        "hidden_network": _hidden_network(comparison, ranking),
        "planted": _planted(context, ranking),
        "warnings": _warnings(comparison, full, compressed),
    }
    return _plain(payload)


CONFUSING = 20  # cells for each output
MOST_OUTPUTS = 5  # that sentences speak of one by one


def _with_output(comparison: Comparison, table: pd.DataFrame) -> pd.DataFrame:
    """The table with the column `output`, which tables of a single output lack."""
    return table if "output" in table else table.assign(output=comparison.outputs[0])


def _without_draws(comparison: Comparison) -> pd.DataFrame:
    """Scores of what is trained on all splits; draws have a table of their own."""
    drawn = [name for name, made in comparison.controls.items() if made.draw]
    return comparison.scores[~comparison.scores["network"].isin(drawn)]


def _controls(comparison: Comparison) -> dict[str, Any]:
    """Sizes of all that was trained, contrasts with the compressed network, and where it falls among random ones."""
    contrasts = _with_output(comparison, comparison.contrasts(confidence=CONFIDENCE))
    nulls = comparison.null_tests()
    draws = comparison.draws()
    minima = comparison.minima_stability(top=TOP) if comparison.drawn("minima") else pd.DataFrame()
    several = len(comparison.outputs) > 1
    return {
        "contenders": _records(comparison.sizes.assign(engine=[comparison.engines[name] for name in comparison.fits])),
        "contrasts": _records(contrasts),
        "null_tests": _records(nulls),
        "null_draws": _records(draws[draws["metric"] == comparison.metrics[0]]),
        "minima_stability": _records(minima),
        "control_sentences": sentences.of_controls(comparison, contrasts, nulls, minima, several=several),
    }


def _corrected(comparison: Comparison) -> dict[str, Any]:
    """Importance beside that on control inputs, where these were trained on."""
    if not comparison.drawn(CONTROL_INPUTS):
        return {"corrected_importance": [], "corrected_sentences": []}
    found = comparison.corrected_importance()
    return {
        "corrected_importance": _records(found),
        "corrected_sentences": sentences.of_correction(found, several=len(comparison.outputs) > 1),
    }


def _confusing(comparison: Comparison) -> dict[str, Any]:
    """The cells of which the networks are least sure; none for a regression."""
    if comparison.options.task == "regression":
        return {"confusing_cells": [], "confusing_sentence": ""}
    found = comparison.confusing_cells(n=CONFUSING)
    return {"confusing_cells": _records(found), "confusing_sentence": sentences.of_confusing(found)}


def _asked(comparison: Comparison, context: Context) -> dict[str, Any]:
    full, compressed = (comparison.networks[name] for name in NETWORKS)
    cells, origin = comparison.cells, full.origin
    return {
        "pkn": {"name": context.pkn, **_prior(comparison, context)},
        "pruned": {key: origin.get(key) for key in ("nodes", "edges", "fingerprint")},
        "cells": {
            "name": context.cells,
            "cells": cells.n_cells,
            "genes": cells.n_genes,
            "merged_genes": len(cells.merged.genes),
            "unlabelled": comparison.n_unlabelled,
            "normalization": None if cells.normalization is None else cells.normalization.to_dict(),
        },
        "inputs_requested": context.n_inputs_requested or len(full.inputs),
        "inputs_without_column": list(context.unmeasured),
        "outputs": list(comparison.outputs),
        "objective": compressed.proof.objective_name,
        "full_objective": full.proof.objective_name,
        "reading": None if context.graph is None else context.graph.ingestion.to_dict(),
        "notes": [*_merged(comparison, context), *context.notes, *comparison.notes],
    }


def _prior(comparison: Comparison, context: Context) -> dict[str, Any]:
    """Size and fingerprint of the prior network: as given, else as it was when the full network was extracted."""
    origin, graph = comparison.networks["full"].origin, context.graph or comparison.networks["full"].graph
    if context.graph is None and origin.get("fingerprint"):
        return {key: origin[key] for key in ("nodes", "edges", "fingerprint")}
    return {"nodes": graph.n_nodes, "edges": graph.n_edges, "fingerprint": graph.fingerprint}


def _merged(comparison: Comparison, context: Context) -> list[str]:
    """What was merged or missing when the network and the cells were read."""
    notes = [] if context.graph is None else [f"{f.topic}: {f.sentence}." for f in reading(context.graph)]
    if context.unmeasured:
        names = quoted(context.unmeasured)
        notes.append(f"{len(context.unmeasured):,} inputs of the network have no column in the cells: {names}.")
    merged = comparison.cells.merged
    if merged.genes:
        notes.append(
            f"{len(merged.genes):,} genes stood on several columns; policy: {merged.policy} ({quoted(merged.genes)})."
        )
    return notes


def _nothing_dropped() -> dict[str, Any]:
    return Dropped().to_dict()


def _network(comparison: Comparison, name: str) -> dict[str, Any]:
    dag, plan = comparison.networks[name], comparison.plans[name]
    return {
        "nodes": dag.graph.n_nodes,
        "edges": dag.graph.n_edges,
        "inputs": len(dag.inputs),
        "hidden": len(dag.hidden),
        "outputs": len(dag.outputs),
        "parameters": plan.count_parameters(comparison.options.units),
        "depth": plan.depth,
        "fingerprint": dag.fingerprint,
        "engine": comparison.engines[name],
        "proof": {**dag.proof.to_dict(), "sentence": dag.proof.sentence()},
    }


def _protocol(comparison: Comparison) -> dict[str, Any]:
    repeats = f", repeated with {comparison.seeds} seeds" if comparison.seeds > 1 else ""
    grouped = ""
    if comparison.n_groups is not None:
        grouped = f", cells of one group (of {comparison.n_groups:,}) never on both sides of a split"
    shared = (
        f"{comparison.folds}-fold cross-validation{repeats}, the same splits for both networks{grouped}; "
        "scaling fitted on training cells; early stopping watched "
    )
    if comparison.is_optimistic:
        sentence = shared + "the reported fold, as in the published tutorial: the figures are optimistic."
    else:
        sentence = shared + "cells apart from the reported fold, which chose nothing."
    return {
        "name": comparison.protocol,
        "optimistic": comparison.is_optimistic,
        "sentence": sentence,
        "folds": comparison.folds,
        "seeds": comparison.seeds,
        "groups": comparison.n_groups,
        "confidence": CONFIDENCE,
        "training": comparison.training.to_dict(),
        "network": {name: value for name, value in comparison.options.to_dict().items() if name != "seed"},
    }


def _sentences(comparison: Comparison, summary: pd.DataFrame, shown: pd.DataFrame) -> list[str]:
    """The answer in words: what was saved, and what became of the leading metric."""
    sizes = {row["quantity"]: row for row in _records(comparison.compression)}
    edges, hidden = sizes["edges"], sizes["hidden nodes"]
    told = [
        f"The compressed network has {edges['compressed']:,} edges, the full one {edges['full']:,} "
        f"({edges['reduction_percent']:.1f} % fewer), and {hidden['compressed']:,} hidden nodes instead of "
        f"{hidden['full']:,}."
    ]
    several = len(comparison.outputs) > 1
    for table, words in ((summary, sentences.of_change), (shown, sentences.of_margin)):
        rows = table[table["metric"] == comparison.metrics[0]]
        first = rows[rows["output"] == MEAN]  # of many outputs the first ones only; the table has all
        ordered = pd.concat([first, rows.drop(first.index).head(MOST_OUTPUTS)])
        told += [words(row, several=several) for _, row in ordered.iterrows()]
    if comparison.is_optimistic:
        told.append("These figures are optimistic: early stopping watched the reported fold.")
    n_done, n_splits = len(comparison.fits["full"]), comparison.folds * comparison.seeds
    if n_done < n_splits:
        told.append(f"Stopped by the user after {n_done:,} of {n_splits:,} splits; all figures are of these alone.")
    return told


def _ranking(comparison: Comparison, importance: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread of the score over seeds and folds, and the rank by mean (1 is first; ties by name).

    With several outputs the score of a fit is the mean over these. Beside it the means of two other measures, and the
    ranks by them.
    """
    measures = importance.assign(
        squared_bias=importance["bias"] ** 2, conductance=comparison.importance(method="conductance")["score"]
    )
    measured = ["score", "conductance", "squared_bias"]
    by_fit = measures.groupby(["network", "node", "seed", "fold"], sort=True)[measured].mean().reset_index()
    groups = by_fit.groupby(["network", "node"], sort=True)
    frame = groups.agg(
        mean=("score", "mean"),
        sd=("score", "std"),
        conductance=("conductance", "mean"),
        squared_bias=("squared_bias", "mean"),
    ).reset_index()
    for measure, rank in (("conductance", "conductance_rank"), ("squared_bias", "bias_rank"), ("mean", "rank")):
        frame = frame.sort_values(["network", measure, "node"], ascending=[False, False, True], kind="stable")
        frame[rank] = frame.groupby("network").cumcount() + 1
    columns = ["mean", "sd", "rank", "conductance", "conductance_rank", "squared_bias", "bias_rank"]
    return frame[["node", "network", *columns]].reset_index(drop=True)


def _hidden_network(comparison: Comparison, ranking: pd.DataFrame) -> dict[str, Any]:
    """The compressed network without its inputs; weights are means over all fits."""
    dag, plan = comparison.networks["compressed"], comparison.plans["compressed"]
    chosen = ranking[ranking["network"] == "compressed"]
    importance = dict(zip(chosen["node"], chosen["mean"], strict=True))
    level_of = {name: number for number, level in enumerate(plan.levels, start=1) for name in level.nodes}
    inputs, outputs = set(dag.inputs), set(dag.outputs)
    attached: dict[str, int] = {}
    edges = []
    for source, sign, target in dag.graph.to_sif_tuples():
        if source in inputs:
            attached[target] = attached.get(target, 0) + 1
        elif target not in inputs:
            edges.append((source, sign, target))
    weights = _mean_weights(comparison)
    return {
        "nodes": [
            {
                "name": name,
                "level": level_of[name],
                "role": "output" if name in outputs else "hidden",
                "n_inputs": attached.get(name, 0),
                "importance": importance.get(name),
            }
            for name in dag.graph.nodes
            if name not in inputs
        ],
        "edges": [
            {"source": source, "target": target, "interaction": sign, "weight": weights[source, target]}
            for source, sign, target in edges
        ],
    }


def _mean_weights(comparison: Comparison) -> dict[tuple[str, str], float]:
    """Mean weight of each edge of the compressed network over all fits, and over its units."""
    plan, fits = comparison.plans["compressed"], comparison.fits["compressed"]
    by_level = [plan.weights_by_level(fit.state[0], units=comparison.options.units) for fit in fits]
    kernels = [np.concatenate([kernel for kernel, _ in levels]) for levels in by_level]
    mean = np.mean(kernels, axis=0)
    return {edge: float(weight) for edge, weight in zip(plan.edges(), mean, strict=True)}


def _planted(context: Context, ranking: pd.DataFrame) -> list[dict[str, Any]]:
    rows = ranking[ranking["node"].isin(context.planted)]
    return _records(rows[["node", "network", "rank"]])


def _warnings(comparison: Comparison, full: Dag, compressed: Dag) -> list[str]:
    warnings = []
    if not compressed.proof.is_optimal:
        warnings.append(f"The compressed network is not proved to be minimal. {compressed.proof.sentence()}")
    if compressed.graph.n_edges >= full.graph.n_edges:
        warnings.append("The compressed network has no fewer edges than the full one.")
    warnings += _thin_metrics(comparison)
    if comparison.is_optimistic:
        warnings.append("Optimistic protocol: early stopping watched the reported fold.")
    return warnings


def _thin_metrics(comparison: Comparison) -> list[str]:
    """Metrics that are defined on some splits only, so that their interval rests on fewer."""
    found = []
    for output, rows in comparison.scores.groupby("output", sort=True):
        for metric in comparison.metrics:
            pair = rows[rows["network"].isin(NETWORKS)]
            defined = pair.groupby(["seed", "fold"])[metric].count().eq(len(NETWORKS))
            if not defined.all():
                found.append(
                    f"{metric_label(metric)} of {output} is defined on {int(defined.sum())} of {len(defined)} folds "
                    "only; its mean and interval rest on those."
                )
    return found


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False)]


def _plain(value: Any) -> Any:
    """JSON types: NumPy scalars become Python's, NaN and infinities None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
