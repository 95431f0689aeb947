"""`compare`: networks and controls on the same splits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from graphnn.compiler.lowering import check_activations
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.data.labels import LabelledCells
from graphnn.errors import MismatchError, OptionError, quoted
from graphnn.evaluate.comparison import NETWORKS, Comparison
from graphnn.evaluate.controls import Contender, Ground, contenders
from graphnn.evaluate.engine import Epoch, Fit, Job, Table, fit_all
from graphnn.evaluate.entrants import preference_scores, trainers_of
from graphnn.evaluate.metrics import measure_all
from graphnn.evaluate.options import CONTROLS, TrainingOptions, check_controls, check_task, check_whole
from graphnn.evaluate.prepare import group_numbers, input_columns, labelled_cells, notes_on_data
from graphnn.evaluate.splits import Split, make_splits, strata_of
from graphnn.extract.dag import Dag
from graphnn.graph.prior import PriorGraph

__all__ = ["NETWORKS", "Comparison", "TrainingProgress", "compare"]


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
    others: Mapping[str, Dag] | None = None,
    controls: Sequence[str] = (),
    draws: int = 19,
    prior: PriorGraph | None = None,
    workers: int | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> Comparison:
    """Train and test networks on the same splits, with the same options and the same budget.

    Scaling is fitted on the cells that train. Under the "nested" protocol early stopping watches cells that are
    neither trained on nor reported, so the reported fold chooses nothing.

    Args:
        full: The network before compression.
        compressed: The network after; the same inputs and outputs.
        X: Cells x genes with names: Cells, DataFrame or AnnData. Columns are matched by name, never by position.
        y: Labels: Series or DataFrame indexed by barcode, array with one label a cell, or name of an `obs` column. For
            the task "multiclass" also class names, each the name of an output.
        folds: Folds of each repeat, at least 2.
        seeds: Number of repeats; each draws its own splits and initial weights.
        seed: The first repeat's seed.
        protocol: "nested", or "tutorial" (early stopping watches the reported fold; labelled optimistic).
        training: None: the defaults of `TrainingOptions`.
        network: None: the defaults of `NetworkOptions`. Its seed is not used: each fit has one of its own. An exception
            in `activations` must fit one of the networks; the others do without it.
        input_suffix: What inputs of the network have behind the gene's name, e.g. "_gene".
        layer: Layer of an AnnData; None: its X.
        groups: Donor, batch or whatever else cells of one kind share: a Series indexed by barcode, one entry a cell, or
            the name of an `obs` column. Cells of one group never stand on both sides of a split, nor among both those
            that train and those that tell when to stop.
        others: Further networks, by names of their own, with the same inputs and outputs.
        controls: What else is trained on the same splits, by name: "dense", "elastic-net", "label-preferred",
            "rewired", "dealt", "random", "shuffled", "minima", "control-inputs" (`graphnn.evaluate.options.CONTROLS`
            says what each is). All are controls of the compressed network.
        draws: How many random networks, label shuffles or minima of each drawn control ("rewired", "dealt", "random",
            "shuffled", "minima"), at least 1. Each is trained on the splits of one repeat, in turn. With n draws no
            empirical p value is below 1 / (n + 1).
        prior: The prior knowledge network in which other minimal networks are looked for; None: the full network.
        workers: Runs side by side; None: one a core with the engine on numba, as far as memory allows, and two a device
            with that on JAX. It changes no number.
        on_progress: Called after each epoch of each run.

    Returns:
        The comparison; the same arguments give the same numbers. Ctrl-C ends the training: the splits that are done for
        all networks are compared, controls that are done are kept, and a note says so; `is_partial` is True then.

    Raises:
        MismatchError: The networks have other inputs or outputs than each other, or an input has no column.
        DataError: Cells, labels or groups cannot be used (no shared barcodes, one class, NaN, fewer cells or groups
            than folds).
        OptionError: An option is out of its range, or a control is unknown.
    """
    training, options = training or TrainingOptions(), network or NetworkOptions()
    wanted = check_controls(controls)
    check_whole("draws", draws, least=1)
    check_task(options.task, n_outputs=len(full.outputs), training=training)
    networks = _networks(full, compressed, others or {})
    if workers is not None:
        check_whole("workers", workers, least=1)
    matched = labelled_cells(X, y, full.outputs, layer, task=options.task)
    columns = input_columns(matched.cells, full.inputs, input_suffix)
    numbers = None if groups is None else group_numbers(X, groups, matched.cells.barcodes)
    labels = matched.labels.to_numpy(dtype=np.float64)
    splits = make_splits(
        labels,
        folds=folds,
        seeds=seeds,
        seed=seed,
        protocol=protocol,
        validation_fraction=training.validation_fraction,
        stratify=options.task != "regression",
        groups=numbers,
    )
    plans = {name: plan_layers(dag) for name, dag in networks.items()}
    check_activations(options, *plans.values())
    x = matched.cells.select_as_is([columns[name] for name in full.inputs])
    table = Table(x, labels.astype(np.float32))
    ground = Ground(
        dag=compressed,
        prior=full.graph if prior is None else prior,
        table=table,
        labels=labels,
        splits=splits,
        seed=seed,
        draws=draws,
        units=options.units,
    )
    if "label-preferred" in wanted:
        scores = preference_scores(matched.cells, labels, splits, ground.prior, suffix=input_suffix)
        ground = replace(ground, scores=scores)
    entered = [Contender(name, (dag,) * len(splits), table, labels, splits) for name, dag in networks.items()]
    beside = [contender for control in wanted for contender in contenders(control, ground)]
    trainers = trainers_of([*entered, *beside], training, options)
    fits = _fit([*entered, *beside], trainers, on_progress, workers)
    n_done = len(fits["full"])
    kept = {contender.name: contender for contender in beside if contender.name in fits}
    notes = (*notes_on_data(matched, columns, full.outputs, y), *_split_notes(matched, splits, folds, options.task))
    notes += _control_notes(wanted, beside, kept, draws)
    if n_done < len(splits):
        notes = (*notes, f"Stopped by the user after {n_done:,} of {len(splits):,} splits: the others are not in it.")
    return Comparison(
        networks=networks,
        plans=plans | {name: plan_layers(made.dag) for name, made in kept.items() if made.dag is not None},
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
        engines={name: trainers[name].engine for name in fits},
        scores=_score([*entered, *kept.values()], fits, full.outputs, options.task),
        controls=kept,
        n_groups=None if numbers is None else len(np.unique(numbers)),
        n_unlabelled=matched.n_unlabelled,
        notes=notes,
    )


def _networks(full: Dag, compressed: Dag, others: Mapping[str, Dag]) -> dict[str, Dag]:
    """All networks by name.

    Raises:
        OptionError: A name is taken.
        MismatchError: One has other inputs or outputs.
    """
    taken = {*NETWORKS, *CONTROLS}
    for name in others:
        drawn = isinstance(name, str) and name.rpartition(" ")[0] in CONTROLS  # "rewired 3" is a draw's
        if not isinstance(name, str) or not name or name in taken or drawn:
            raise OptionError("others", name, "names of their own for further networks", do="choose another name")
    networks = {"full": full, "compressed": compressed, **others}
    for other in list(networks.values())[1:]:
        _check_roles(full, other)
    return networks


def _fit(
    entered: Sequence[Contender],
    trainers: Mapping[str, Any],
    on_progress: Callable[[TrainingProgress], None] | None,
    workers: int | None,
) -> dict[str, tuple[Fit, ...]]:
    """All networks on each split in turn, then control by control, so that Ctrl-C leaves whole splits.

    Those splits are kept that all networks have; of a control those of them that it has, and of a draw all or none.

    Raises:
        KeyboardInterrupt: No split has all networks.
    """
    main = [contender for contender in entered if not contender.control]
    beside = [contender for contender in entered if contender.control]
    splits = main[0].splits
    pairs = [(contender.name, split) for split in splits for contender in main]
    pairs += [(contender.name, split) for contender in beside for split in contender.splits]
    progress = _Progress(on_progress, len(pairs))
    jobs = [
        Job(trainers[name], split, progress.of(run, name, split)) for run, (name, split) in enumerate(pairs, start=1)
    ]
    done = fit_all(jobs, workers=workers, on_done=progress.done)
    found: dict[str, list[Fit | None]] = {contender.name: [] for contender in entered}
    for (name, _), fit in zip(pairs, done, strict=True):
        found[name].append(fit)
    whole = [at for at in range(len(splits)) if all(found[contender.name][at] is not None for contender in main)]
    if not whole:
        raise KeyboardInterrupt
    fits = {made.name: tuple(fit for at in whole if (fit := found[made.name][at]) is not None) for made in main}
    used = {(splits[at].seed, splits[at].fold) for at in whole}
    for contender in beside:
        own = [fit for fit in found[contender.name] if fit is not None]
        kept = tuple(fit for fit in own if (fit.split.seed, fit.split.fold) in used)
        if kept and not (contender.draw and len(kept) < len(contender.splits)):
            fits[contender.name] = kept
    return fits


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


def _score(
    entered: Sequence[Contender], fits: Mapping[str, tuple[Fit, ...]], outputs: Sequence[str], task: str
) -> pd.DataFrame:
    rows = []
    for contender in entered:
        for fit in fits[contender.name]:
            truth = contender.labels[fit.split.test]
            found = measure_all(task, truth, fit.prediction.astype(np.float64))
            for output, metrics in zip(outputs, found, strict=True):
                rows.append(
                    {
                        "network": contender.name,
                        "output": output,
                        "seed": fit.split.seed,
                        "fold": fit.split.fold,
                        "n_train": len(fit.split.train),
                        "n_validation": len(fit.split.validation),
                        "n_test": len(fit.split.test),
                        "epochs": len(fit.losses),
                        **metrics,
                    }
                )
    return pd.DataFrame(rows)


def _control_notes(
    wanted: Sequence[str], beside: Sequence[Contender], kept: Mapping[str, Contender], draws: int
) -> tuple[str, ...]:
    """What became of controls that are not all there."""
    notes = []
    if "minima" in wanted:
        count = sum(contender.control == "minima" for contender in beside)
        if count < draws:
            none = "no other minimal network was found" if not count else f"only {count:,} other minimal networks were"
            notes.append(f"Of {draws:,} minimal networks that were asked for beside the compressed one, {none}.")
    lost = len(beside) - len(kept)
    if lost:
        notes.append(f"{lost:,} of {len(beside):,} controls were not done when it was stopped, and are not in it.")
    return tuple(notes)


def _split_notes(matched: LabelledCells, splits: Sequence[Split], folds: int, task: str) -> tuple[str, ...]:
    if task == "regression":
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
