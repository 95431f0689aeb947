"""`compare`: two networks on the same splits, and `Comparison`, what came out.

`Comparison` has three methods for convenience that call upwards when they are used: `importance` (`graphnn.explain`),
`to_json` and `to_html` (`graphnn.report`). Nothing else here knows of those packages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from graphnn.compiler.model import compile_network
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import LayerPlan, plan_layers
from graphnn.data.cells import Cells, as_cells
from graphnn.data.labels import LabelledCells, check_binary, labels_from_anndata, match_labels
from graphnn.errors import MismatchError, quoted
from graphnn.evaluate.engine import Fit, Trainer
from graphnn.evaluate.metrics import measure, names_of
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.splits import Split, make_splits, strata_of
from graphnn.evaluate.statistics import corrected_resampled_t
from graphnn.extract.dag import Dag

NETWORKS = ("full", "compressed")


@dataclass(frozen=True)
class TrainingProgress:
    """A moment of a comparison: which of `n_runs` runs it is (from 1), and the epoch just finished."""

    run: int
    n_runs: int
    network: str
    seed: int
    fold: int
    epoch: int
    loss: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two networks, trained and tested on the same splits.

    Attributes:
        networks: "full" and "compressed".
        plans: The layer plan of each network.
        cells: The cells that were used, those with a label.
        labels: One column for each output, indexed by barcode.
        columns: Column of `cells` that feeds each input.
        protocol: "nested" or "tutorial"; see `graphnn.evaluate.splits`.
        folds: Folds of each repeat.
        seeds: Number of repeats.
        seed: The first repeat's.
        training: How the networks were trained.
        options: How they were compiled.
        fits: For each network, one `Fit` a split, in the order of the splits.
        scores: One row a network, output and split: network, output, seed, fold, n_train, n_validation, n_test, epochs,
            then the metrics.
        n_unlabelled: Cells without a label, which were left out.
        notes: What was left out or should be known, in sentences.
    """

    networks: Mapping[str, Dag]
    plans: Mapping[str, LayerPlan]
    cells: Cells
    labels: pd.DataFrame
    columns: Mapping[str, str]
    protocol: str
    folds: int
    seeds: int
    seed: int
    training: TrainingOptions
    options: NetworkOptions
    fits: Mapping[str, tuple[Fit, ...]]
    scores: pd.DataFrame
    n_unlabelled: int = 0
    notes: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Predicted vertices, sorted."""
        return self.networks["full"].outputs

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics of the task, the leading one first."""
        return names_of(self.options.task)

    @property
    def is_optimistic(self) -> bool:
        """Whether early stopping watched the reported fold."""
        return self.protocol == "tutorial"

    @property
    def compression(self) -> pd.DataFrame:
        """Sizes: quantity, full, compressed, reduction_percent.

        Edges are real edges. The last row counts, as the published tutorial of the field does, one artificial edge
        for each input and output as well; it is there to compare with that figure only.
        """
        rows = []
        for quantity, count in _QUANTITIES.items():
            full, compressed = (count(self.networks[name], self.plans[name]) for name in NETWORKS)
            reduction = 100.0 * (full - compressed) / full if full else 0.0
            rows.append((quantity, full, compressed, reduction))
        return pd.DataFrame(rows, columns=["quantity", "full", "compressed", "reduction_percent"])

    def summary(self, *, confidence: float = 0.95) -> pd.DataFrame:
        """Mean of each metric and its paired change, compressed - full.

        Args:
            confidence: Of the interval.

        Returns:
            metric, full, compressed, change, ci_low, ci_high, p: interval and two-sided p value by the corrected
            resampled t test (`graphnn.evaluate.statistics`). With several outputs a column `output` comes last. A
            metric that is undefined on every split (ROC-AUC with one class) has NaN.
        """
        ratio = float(
            np.mean([len(f.split.test) / (len(self.cells.barcodes) - len(f.split.test)) for f in self.fits["full"]])
        )
        rows = []
        for output in self.outputs:
            for metric in self.metrics:
                full, compressed = (self._scores_of(name, output, metric) for name in NETWORKS)
                both = np.isfinite(full) & np.isfinite(compressed)
                if not both.any():
                    rows.append((metric, *[np.nan] * 6, output))
                    continue
                change = corrected_resampled_t((compressed - full)[both], test_to_train=ratio, confidence=confidence)
                rows.append(
                    (
                        metric,
                        full[both].mean(),
                        compressed[both].mean(),
                        change.mean,
                        change.ci_low,
                        change.ci_high,
                        change.p,
                        output,
                    )
                )
        columns = ["metric", "full", "compressed", "change", "ci_low", "ci_high", "p", "output"]
        frame = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[1:7], np.float64))
        return frame if len(self.outputs) > 1 else frame.drop(columns="output")

    def predictions(self) -> pd.DataFrame:
        """Every reported prediction: network, output, seed, fold, barcode, label, prediction."""
        frames = []
        for name in NETWORKS:
            for fit in self.fits[name]:
                rows = fit.split.test
                for column, output in enumerate(self.outputs):
                    frames.append(
                        pd.DataFrame(
                            {
                                "network": name,
                                "output": output,
                                "seed": fit.split.seed,
                                "fold": fit.split.fold,
                                "barcode": self.labels.index[rows],
                                "label": self.labels[output].to_numpy()[rows],
                                "prediction": fit.prediction[:, column],
                            }
                        )
                    )
        return pd.concat(frames, ignore_index=True)

    def inputs_of(self, fit: Fit) -> npt.NDArray[np.float32]:
        """Scaled values of the reported cells of a fit, shape (n_test, n_inputs), columns in the plan's order."""
        plan = self.plans["full"]
        cells = self.cells.subset([self.cells.barcodes[row] for row in fit.split.test])
        return fit.scaler.transform(cells.select([self.columns[name] for name in plan.inputs]))

    def importance(self) -> pd.DataFrame:
        """Importance of every hidden vertex in every fit; see `graphnn.explain.importance.node_importance`.

        Returns:
            node, network, output, fold, seed, score, bias. Computed once; each call gives a copy.
        """
        return self._importance.copy()

    @cached_property
    def _importance(self) -> pd.DataFrame:
        from graphnn.explain.importance import node_importance

        return node_importance(self)

    def to_json(self, path: str | Path, *, force: bool = False, **context: Any) -> None:
        """Write everything that the report shows, and all names, as JSON; see `graphnn.report.write`."""
        from graphnn.report.write import write_json

        write_json(self, Path(path), force=force, **context)

    def to_html(self, path: str | Path, *, force: bool = False, **context: Any) -> None:
        """Write the report as one self-contained HTML file; see `graphnn.report.write`."""
        from graphnn.report.write import write_html

        write_html(self, Path(path), force=force, **context)

    def _scores_of(self, network: str, output: str, metric: str) -> npt.NDArray[np.float64]:
        chosen = (self.scores["network"] == network) & (self.scores["output"] == output)
        return self.scores.loc[chosen, metric].to_numpy(dtype=np.float64)


def compare(
    full: Dag,
    compressed: Dag,
    X: Any,
    y: Any,
    *,
    folds: int = 5,
    seeds: int = 1,
    seed: int = 0,
    protocol: str = "nested",
    training: TrainingOptions | None = None,
    network: NetworkOptions | None = None,
    input_suffix: str = "",
    layer: str | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> Comparison:
    """Train and test two networks on the same splits, with the same options and the same budget.

    Scaling is fitted on the cells that train. Under the "nested" protocol early stopping watches cells that are
    neither trained on nor reported, so the reported fold chooses nothing.

    Args:
        full: The network before compression.
        compressed: The network after; the same inputs and outputs.
        X: Cells x genes with names: Cells, DataFrame or AnnData. Columns are matched by name, never by position.
        y: Labels: Series or DataFrame indexed by barcode, array with one label a cell, or name of an `obs` column.
        folds: Folds of each repeat, at least 2.
        seeds: Number of repeats; each draws its own splits and initial weights.
        seed: The first repeat's seed.
        protocol: "nested", or "tutorial" (early stopping watches the reported fold; labelled optimistic).
        training: None: the defaults of `TrainingOptions`.
        network: None: the defaults of `NetworkOptions`. Its seed is not used: each fit has one of its own.
        input_suffix: What inputs of the network have behind the gene's name, e.g. "_gene".
        layer: Layer of an AnnData; None: its X.
        on_progress: Called after each epoch.

    Returns:
        The comparison; the same arguments give the same numbers.

    Raises:
        MismatchError: The networks have other inputs or outputs than each other, or an input has no column.
        DataError: Cells or labels cannot be used (no shared barcodes, one class, NaN, fewer cells than folds).
        OptionError: An option is out of its range.
    """
    training, options = training or TrainingOptions(), network or NetworkOptions()
    networks = {"full": full, "compressed": compressed}
    _check_roles(full, compressed)
    matched = _labelled(X, y, full.outputs, layer)
    if options.task == "binary":
        check_binary(matched.labels)
    columns = _columns(matched.cells, full.inputs, input_suffix)
    splits = make_splits(
        matched.labels.to_numpy(dtype=np.float64),
        folds=folds,
        seeds=seeds,
        seed=seed,
        protocol=protocol,
        validation_fraction=training.validation_fraction,
        stratify=options.task == "binary",
    )
    plans = {name: plan_layers(dag) for name, dag in networks.items()}
    x = matched.cells.select([columns[name] for name in full.inputs])
    truth = matched.labels.to_numpy(dtype=np.float32)
    fits = {}
    for position, name in enumerate(NETWORKS):
        trainer = Trainer(compile_network(plans[name], options), x, truth, splits, training)
        first = position * len(splits) + 1
        n_runs = len(NETWORKS) * len(splits)
        fits[name] = tuple(
            trainer.fit(split, _relay(on_progress, run=first + index, n_runs=n_runs, network=name, split=split))
            for index, split in enumerate(splits)
        )
    return Comparison(
        networks=networks,
        plans=plans,
        cells=matched.cells,
        labels=matched.labels,
        columns=columns,
        protocol=protocol,
        folds=folds,
        seeds=seeds,
        seed=seed,
        training=training,
        options=options,
        fits=fits,
        scores=_score(fits, matched.labels, options.task),
        n_unlabelled=matched.n_unlabelled,
        notes=(*_notes(matched, columns, full.outputs, y), *_split_notes(matched, folds, options.task)),
    )


_QUANTITIES: dict[str, Callable[[Dag, LayerPlan], int]] = {
    "edges": lambda dag, plan: dag.graph.n_edges,
    "hidden nodes": lambda dag, plan: len(dag.hidden),
    "nodes": lambda dag, plan: dag.graph.n_nodes,
    "parameters": lambda dag, plan: plan.n_parameters,
    "depth": lambda dag, plan: plan.depth,
    "edges with boundary edges (the published tutorial's basis)": lambda dag, plan: (
        dag.graph.n_edges + len(dag.inputs) + len(dag.outputs)
    ),
}


def _check_roles(full: Dag, compressed: Dag) -> None:
    for role in ("inputs", "outputs"):
        first, second = getattr(full, role), getattr(compressed, role)
        if first != second:
            odd = sorted({*first} ^ {*second})
            raise MismatchError(
                f"expected networks with the same {role}, but {quoted(odd)} stand in one only; "
                "extract both from one pruned network with the same names",
                expected=first,
                got=second,
            )


def _labelled(X: Any, y: Any, outputs: tuple[str, ...], layer: str | None) -> LabelledCells:
    if isinstance(y, str):
        y = labels_from_anndata(X, y, outputs=outputs)
    return match_labels(as_cells(X, layer=layer), y, outputs=outputs)


def _columns(cells: Cells, inputs: tuple[str, ...], suffix: str) -> dict[str, str]:
    columns = cells.columns_of(inputs, suffix=suffix)
    missing = [name for name in inputs if name not in columns]
    if missing:
        raise MismatchError(
            f"expected a column for each of {len(inputs):,} inputs, but {quoted(missing)} have none; prune and extract "
            "with the inputs that are measured (Cells.columns_of), and give input_suffix if inputs have one",
            expected=inputs,
            got=missing,
        )
    return columns


def _relay(report: Callable[[TrainingProgress], None] | None, *, split: Split, **run: Any) -> Any:
    if report is None:
        return None
    return lambda epoch, loss: report(TrainingProgress(**run, seed=split.seed, fold=split.fold, epoch=epoch, loss=loss))


def _score(fits: Mapping[str, tuple[Fit, ...]], labels: pd.DataFrame, task: str) -> pd.DataFrame:
    rows = []
    for name in NETWORKS:
        for fit in fits[name]:
            for column, output in enumerate(labels.columns):
                truth = labels[output].to_numpy(dtype=np.float64)[fit.split.test]
                rows.append(
                    {
                        "network": name,
                        "output": output,
                        "seed": fit.split.seed,
                        "fold": fit.split.fold,
                        "n_train": len(fit.split.train),
                        "n_validation": len(fit.split.validation),
                        "n_test": len(fit.split.test),
                        "epochs": len(fit.losses),
                        **measure(task, truth, fit.prediction[:, column].astype(np.float64)),
                    }
                )
    return pd.DataFrame(rows)


def _split_notes(matched: LabelledCells, folds: int, task: str) -> tuple[str, ...]:
    if task == "binary" and strata_of(matched.labels.to_numpy(dtype=np.float64), folds) is None:
        return (
            f"Folds are not stratified: a combination of labels is rarer than {folds} cells, so the share of a label "
            "can differ between folds.",
        )
    return ()


def _notes(matched: LabelledCells, columns: Mapping[str, str], outputs: tuple[str, ...], y: Any) -> tuple[str, ...]:
    notes = []
    given = list(y.columns) if isinstance(y, pd.DataFrame) else [y.name] if isinstance(y, pd.Series) else []
    if len(outputs) == 1 and len(given) == 1 and given[0] not in (outputs[0], None):
        notes.append(f"Labels: the column {given[0]!r} was taken for the output {outputs[0]!r}.")
    shared = len(columns) - len(set(columns.values()))
    if shared:
        notes.append(f"{shared:,} inputs are fed by a column that feeds another input too.")
    if matched.n_unlabelled:
        notes.append(f"{matched.n_unlabelled:,} cells have no label and were left out.")
    if matched.n_unmatched:
        notes.append(f"{matched.n_unmatched:,} labels have no cell and were left out.")
    if matched.cells.holds_counts() and matched.cells.normalization is None:
        notes.append(
            "The cells hold whole numbers: if these are counts, normalise them first (Cells.log_normalized), "
            "so that sequencing depth does not stand in for biology."
        )
    return tuple(notes)
