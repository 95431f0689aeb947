"""`compare`: two networks on the same splits, and `Comparison`, what came out.

`Comparison` has methods for convenience that call upwards when used: `importance`, `stability` and `rank_intervals`
(`graphnn.explain`), `to_json` and `to_html` (`graphnn.report`). Nothing else here knows of those packages.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from graphnn.compiler.lowering import check_activations, fitting_options
from graphnn.compiler.model import compile_network
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import LayerPlan, plan_layers
from graphnn.data.cells import Cells
from graphnn.data.labels import LabelledCells, check_binary
from graphnn.errors import MismatchError, OptionError, quoted
from graphnn.evaluate.engine import Epoch, Fit, Job, Table, Trainer, fit_all
from graphnn.evaluate.metrics import SMALLER_IS_BETTER, measure, names_of
from graphnn.evaluate.options import TrainingOptions, check_whole
from graphnn.evaluate.prepare import group_numbers, input_columns, labelled_cells, notes_on_data
from graphnn.evaluate.splits import Split, make_splits, strata_of
from graphnn.evaluate.statistics import corrected_resampled_t, not_worse
from graphnn.extract.dag import Dag

NETWORKS = ("full", "compressed")


@dataclass(frozen=True)
class TrainingProgress:
    """A moment of a comparison: the epoch that one of its runs has just finished. Several runs may be under way.

    Attributes:
        run: Which run, from 1.
        n_runs: Of so many.
        n_done: So many are done.
        network: Its network.
        seed: Its repeat.
        fold: Its fold.
        at: The epoch.
    """

    run: int
    n_runs: int
    n_done: int
    network: str
    seed: int
    fold: int
    at: Epoch

    @property
    def epoch(self) -> int:
        """Number of the epoch, from 1."""
        return self.at.number

    @property
    def loss(self) -> float:
        """On the cells that early stopping watches."""
        return self.at.loss

    @property
    def metric(self) -> float | None:
        """The task's leading metric on these cells; None where it is not defined. Computed when it is first read."""
        return self.at.metric


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
        engines: What trained each network: "jax" or "numba".
        scores: One row a network, output and split: network, output, seed, fold, n_train, n_validation, n_test, epochs,
            then the metrics.
        n_groups: How many groups the cells are of, none of which stands on both sides of a split; None: no groups.
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
    engines: Mapping[str, str]
    scores: pd.DataFrame
    n_groups: int | None = None
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
    def is_partial(self) -> bool:
        """Whether the user stopped it before all splits were done."""
        return len(self.fits["full"]) < self.folds * self.seeds

    @property
    def compression(self) -> pd.DataFrame:
        """Sizes: quantity, full, compressed, reduction_percent.

        Edges are real edges. The last row counts, as the published tutorial of the field does, one artificial edge
        for each input and output as well; it is there to compare with that figure only.
        """
        rows = []
        for quantity, count in _QUANTITIES.items():
            units = self.options.units
            full, compressed = (count(self.networks[name], self.plans[name], units) for name in NETWORKS)
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
        rows = []
        for output, metric, full, compressed in self._pairs():
            if not len(full):
                rows.append((metric, *[np.nan] * 6, output))
                continue
            change = corrected_resampled_t(compressed - full, test_to_train=self._test_to_train, confidence=confidence)
            means = full.mean(), compressed.mean()
            rows.append((metric, *means, change.mean, change.ci_low, change.ci_high, change.p, output))
        columns = ["metric", "full", "compressed", "change", "ci_low", "ci_high", "p", "output"]
        frame = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[1:7], np.float64))
        return frame if len(self.outputs) > 1 else frame.drop(columns="output")

    def non_inferiority(self, *, margin: float = 0.01, confidence: float = 0.95) -> pd.DataFrame:
        """Whether the compressed network is shown not to be worse than the full one by `margin` or more.

        An interval that holds zero shows nothing; this asks the question that a compression raises. "Supported" is a
        statement at the confidence asked for; "not supported" says that these cells cannot rule such a loss out.

        Args:
            margin: The largest loss that would not matter to you, > 0, in units of each metric.
            confidence: Of the one-sided bound.

        Returns:
            metric, margin, change (turned so that more is better: for the mean squared error full - compressed), bound,
            p, supported; see `graphnn.evaluate.statistics.not_worse`. With several outputs a column `output` comes
            last. A metric that is undefined on every split has NaN and is not supported.

        Raises:
            OptionError: `margin` is no finite number above 0, or `confidence` is not in (0, 1).
        """
        rows = []
        for output, metric, full, compressed in self._pairs():
            gain = (full - compressed) if metric in SMALLER_IS_BETTER else (compressed - full)
            ratio = self._test_to_train
            # an empty difference is refused below; options are checked in any case
            found = not_worse(
                gain if len(gain) else np.zeros(1), margin=margin, test_to_train=ratio, confidence=confidence
            )
            if len(gain):
                rows.append((metric, margin, found.change, found.bound, found.p, found.supported, output))
            else:
                rows.append((metric, margin, np.nan, np.nan, np.nan, False, output))
        columns = ["metric", "margin", "change", "bound", "p", "supported", "output"]
        frame = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[1:5], np.float64))
        return frame if len(self.outputs) > 1 else frame.drop(columns="output")

    def _pairs(self) -> Iterator[tuple[str, str, npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
        """Output, metric, and its values for both networks on the splits on which both have one."""
        for output in self.outputs:
            for metric in self.metrics:
                full, compressed = (self._scores_of(name, output, metric) for name in NETWORKS)
                both = np.isfinite(full) & np.isfinite(compressed)
                yield output, metric, full[both], compressed[both]

    @property
    def _test_to_train(self) -> float:
        """Cells of the reported fold by all others, the mean over splits."""
        tested = np.array([len(fit.split.test) for fit in self.fits["full"]])
        return float(np.mean(tested / (len(self.cells.barcodes) - tested)))

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

    def stability(self, *, top: int = 10) -> pd.DataFrame:
        """How far the fits agree on which vertices matter; see `graphnn.explain.stability.rank_stability`."""
        from graphnn.explain.stability import rank_stability

        return rank_stability(self._importance, top=top)

    def rank_intervals(self, *, level: float = 0.9, top: int = 10) -> pd.DataFrame:
        """Where each vertex ranks over the fits; see `graphnn.explain.stability.rank_intervals`."""
        from graphnn.explain.stability import rank_intervals

        return rank_intervals(self._importance, level=level, top=top)

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
    groups: Any = None,
    workers: int | None = None,
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
        network: None: the defaults of `NetworkOptions`. Its seed is not used: each fit has one of its own. An exception
            in `activations` must fit one of the networks; the other does without it.
        input_suffix: What inputs of the network have behind the gene's name, e.g. "_gene".
        layer: Layer of an AnnData; None: its X.
        groups: Donor, batch or whatever else cells of one kind share: a Series indexed by barcode, one entry a cell, or
            the name of an `obs` column. Cells of one group never stand on both sides of a split, nor among both those
            that train and those that tell when to stop.
        workers: Runs side by side; None: one a core with the engine on numba, as far as memory allows, and two a device
            with that on JAX. It changes no number.
        on_progress: Called after each epoch of each run.

    Returns:
        The comparison; the same arguments give the same numbers. Ctrl-C ends the training: the splits that are done for
        both networks are compared, and a note says so; `is_partial` is True then.

    Raises:
        MismatchError: The networks have other inputs or outputs than each other, or an input has no column.
        DataError: Cells, labels or groups cannot be used (no shared barcodes, one class, NaN, fewer cells or groups
            than folds).
        OptionError: An option is out of its range.
    """
    training, options = training or TrainingOptions(), network or NetworkOptions()
    if options.task == "multiclass":
        do = "use binary with one output a class, or train one model (graphnn.compile_network)"
        raise OptionError("task", options.task, "binary or regression for a comparison", do=do)
    networks = {"full": full, "compressed": compressed}
    _check_roles(full, compressed)
    if workers is not None:
        check_whole("workers", workers, least=1)
    matched = labelled_cells(X, y, full.outputs, layer)
    if options.task == "binary":
        check_binary(matched.labels)
    columns = input_columns(matched.cells, full.inputs, input_suffix)
    numbers = None if groups is None else group_numbers(X, groups, matched.cells.barcodes)
    splits = make_splits(
        matched.labels.to_numpy(dtype=np.float64),
        folds=folds,
        seeds=seeds,
        seed=seed,
        protocol=protocol,
        validation_fraction=training.validation_fraction,
        stratify=options.task == "binary",
        groups=numbers,
    )
    plans = {name: plan_layers(dag) for name, dag in networks.items()}
    check_activations(options, *plans.values())
    x = matched.cells.select_as_is([columns[name] for name in full.inputs])
    table = Table(x, matched.labels.to_numpy(dtype=np.float32))
    models = {name: compile_network(plan, fitting_options(options, plan)) for name, plan in plans.items()}

    def trainers_with(given: TrainingOptions) -> dict[str, Trainer]:
        return {name: Trainer(model, table, splits, given, task=options.task) for name, model in models.items()}

    trainers = trainers_with(training)
    if len({trainer.engine for trainer in trainers.values()}) > 1:  # one that can train both, so that only they differ
        trainers = trainers_with(replace(training, engine="jax"))
    fits = _fit_pairs(trainers, splits, on_progress, workers)
    n_done = len(fits["full"])
    notes = (*notes_on_data(matched, columns, full.outputs, y), *_split_notes(matched, splits, folds, options.task))
    if n_done < len(splits):
        notes = (*notes, f"Stopped by the user after {n_done:,} of {len(splits):,} splits: the others are not in it.")
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
        engines={name: trainer.engine for name, trainer in trainers.items()},
        scores=_score(fits, matched.labels, options.task),
        n_groups=None if numbers is None else len(np.unique(numbers)),
        n_unlabelled=matched.n_unlabelled,
        notes=notes,
    )


def _fit_pairs(
    trainers: Mapping[str, Trainer],
    splits: Sequence[Split],
    on_progress: Callable[[TrainingProgress], None] | None,
    workers: int | None,
) -> dict[str, tuple[Fit, ...]]:
    """Both networks on each split in turn, so that Ctrl-C leaves whole pairs; those splits are kept that have both.

    Raises:
        KeyboardInterrupt: No split has both.
    """
    pairs = [(name, split) for split in splits for name in trainers]
    progress = _Progress(on_progress, len(pairs))
    jobs = [
        Job(trainers[name], split, progress.of(run, name, split)) for run, (name, split) in enumerate(pairs, start=1)
    ]
    done = fit_all(jobs, workers=workers, on_done=progress.done)
    found = {name: done[place :: len(trainers)] for place, name in enumerate(trainers)}
    whole = [at for at in range(len(splits)) if all(fits[at] is not None for fits in found.values())]
    if not whole:
        raise KeyboardInterrupt
    return {name: tuple(fit for at in whole if (fit := fits[at]) is not None) for name, fits in found.items()}


class _Progress:
    """Tells one listener of all runs, one moment at a time, whichever thread it comes from."""

    def __init__(self, listener: Callable[[TrainingProgress], None] | None, n_runs: int) -> None:
        self._listener, self._n_runs, self._n_done, self._lock = listener, n_runs, 0, threading.Lock()

    def done(self, n_done: int) -> None:
        self._n_done = n_done

    def of(self, run: int, network: str, split: Split) -> Callable[[Epoch], None] | None:
        """What a run calls after each epoch."""
        listener = self._listener
        if listener is None:
            return None

        def tell(epoch: Epoch) -> None:
            with self._lock:
                listener(
                    TrainingProgress(
                        run=run,
                        n_runs=self._n_runs,
                        n_done=self._n_done,
                        network=network,
                        seed=split.seed,
                        fold=split.fold,
                        at=epoch,
                    )
                )

        return tell


_QUANTITIES: dict[str, Callable[[Dag, LayerPlan, int], int]] = {
    "edges": lambda dag, plan, units: dag.graph.n_edges,
    "hidden nodes": lambda dag, plan, units: len(dag.hidden),
    "nodes": lambda dag, plan, units: dag.graph.n_nodes,
    "parameters": lambda dag, plan, units: plan.count_parameters(units),
    "depth": lambda dag, plan, units: plan.depth,
    "edges with boundary edges (the published tutorial's basis)": lambda dag, plan, units: (
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


def _split_notes(matched: LabelledCells, splits: Sequence[Split], folds: int, task: str) -> tuple[str, ...]:
    if task != "binary":
        return ()
    labels, notes = matched.labels.to_numpy(dtype=np.float64), []
    if strata_of(labels, folds) is None:
        notes.append(
            f"Folds are not stratified: a combination of labels is rarer than {folds} cells, so the share of a label "
            "can differ between folds."
        )
    parts = {"train": "train", "validation": "tell when to stop", "test": "are reported"}
    for part, words in parts.items():
        lacking = sum((np.ptp(labels[getattr(split, part)], axis=0) == 0).any() for split in splits)
        if lacking:
            notes.append(
                f"In {lacking:,} of {len(splits):,} splits the cells that {words} are of one class only; metrics that "
                "need both are left out there. Fewer folds, or groups that hold both classes, would help."
            )
    return tuple(notes)
