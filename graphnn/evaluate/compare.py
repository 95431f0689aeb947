"""`compare`: networks and controls on the same splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from graphnn.compiler.lowering import check_activations
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.data.labels import LabelledCells
from graphnn.errors import MismatchError, OptionError, quoted
from graphnn.evaluate.comparison import LEAST_MOVED, NETWORKS, Comparison
from graphnn.evaluate.controls import CONTROL_INPUTS, DRAWN, Ground, check_prior, entered
from graphnn.evaluate.engine import Table
from graphnn.evaluate.entrants import preference_scores
from graphnn.evaluate.metrics import measure_all
from graphnn.evaluate.options import CONTROLS, TrainingOptions, check_controls, check_task, check_whole
from graphnn.evaluate.prepare import group_numbers, input_columns, labelled_cells, notes_on_data
from graphnn.evaluate.runs import Results, Training, TrainingProgress, undisturbed
from graphnn.evaluate.splits import Split, make_splits, strata_of
from graphnn.extract.dag import Dag
from graphnn.graph.prior import PriorGraph

__all__ = ["NETWORKS", "Comparison", "TrainingProgress", "compare"]


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
    time_limit_s: float | None = None,
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
        prior: The prior knowledge network from which the compressed network was extracted; "minima" and
            "label-preferred" look for other minimal networks there, and need it.
        time_limit_s: Of each extraction for these two; a note says where it came before the proof.
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
    networks = _networks(full, compressed, {} if others is None else others)
    check_task(options.task, n_outputs=len(full.outputs), training=training)
    check_prior(wanted, compressed, prior)
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
        table=table,
        labels=labels,
        splits=splits,
        seed=seed,
        draws=draws,
        prior=prior,
        groups=numbers,
        units=options.units,
        time_limit_s=time_limit_s,
    )
    if "label-preferred" in wanted:
        scores = preference_scores(matched.cells, labels, splits, ground.plain_prior, suffix=input_suffix)
        ground = replace(ground, scores=scores)
    n_runs = len(networks) * len(splits) + sum(_n_runs(control, ground) for control in wanted)
    runs = Training(training, options, ground, n_runs=n_runs, on_progress=on_progress, workers=workers)
    found = runs.controls(wanted, runs.networks([entered(name, dag, ground) for name, dag in networks.items()]))
    beside = {name: made for name, made in found.entries.items() if made.control}
    notes = (*notes_on_data(matched, columns, full.outputs, y), *_split_notes(matched, splits, folds, options.task))
    notes += _control_notes(found, wanted, draws, n_splits=len(splits))
    return Comparison(
        networks=networks,
        plans=plans | {name: plan_layers(made.dag) for name, made in beside.items() if made.dag is not None},
        cells=matched.cells,
        labels=matched.labels,
        columns=columns,
        protocol=protocol,
        folds=folds,
        seeds=seeds,
        seed=seed,
        training=training,
        options=options,
        fits=found.fits,
        engines=found.engines,
        scores=undisturbed(lambda: _score(found, full.outputs, options.task)),
        controls=beside,
        lost_controls=found.lost,
        n_groups=None if numbers is None else len(np.unique(numbers)),
        n_unlabelled=matched.n_unlabelled,
        notes=notes,
    )


def _n_runs(control: str, ground: Ground) -> int:
    drawn = control in DRAWN or control == CONTROL_INPUTS
    return ground.n_draws(control) * len(ground.repeat(1)) if drawn else len(ground.splits)


def _networks(full: Dag, compressed: Dag, others: Mapping[str, Dag]) -> dict[str, Dag]:
    """All networks by name.

    Raises:
        OptionError: A name is taken.
        MismatchError: One has other inputs or outputs.
    """
    if not isinstance(others, Mapping):
        do = 'write {"redundant": network}'
        raise OptionError("others", type(others).__name__, "further networks by name", do=do)
    taken = {*NETWORKS, *CONTROLS}
    for name in others:
        drawn = isinstance(name, str) and name.rpartition(" ")[0] in CONTROLS  # "rewired 3" is a draw's
        if not isinstance(name, str) or not name or name in taken or drawn:
            raise OptionError("others", name, "names of their own for further networks", do="choose another name")
    networks = {"full": full, "compressed": compressed, **others}
    for name, network in networks.items():
        if not isinstance(network, Dag):
            do = "extract it with graphnn.extract_dag, or give it roles with Dag.from_graph"
            raise OptionError(name, type(network).__name__, "a Dag", do=do)
    for other in list(networks.values())[1:]:
        _check_roles(full, other)
    return networks


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


def _score(found: Results, outputs: Sequence[str], task: str) -> pd.DataFrame:
    rows = []
    for name, fits in found.fits.items():
        for fit in fits:
            truth = found.entries[name].labels[fit.split.test]
            measured = measure_all(task, truth, fit.prediction.astype(np.float64))
            for output, metrics in zip(outputs, measured, strict=True):
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
                        **metrics,
                    }
                )
    return pd.DataFrame(rows)


def _control_notes(found: Results, wanted: Sequence[str], draws: int, *, n_splits: int) -> tuple[str, ...]:
    """What became of controls that are not all there, or not what they should be; and of training that was stopped."""
    notes = []
    if "minima" in wanted and "minima" not in found.lost:
        count = sum(entry.control == "minima" for entry in found.entries.values())
        if count < draws:
            notes.append(f"{draws:,} other minimal networks were asked for, and {count:,} were found.")
    same = [made for made in found.entries.values() if made.control == "label-preferred"]
    if same and all(dag == found.entries["compressed"].dag for dag in same[0].dags):
        notes.append("label-preferred: the choice is the compressed network itself in every split.")
    for control in found.unproved:
        notes.append(f"{control}: not every network is proved to be the best of the minimal ones; a limit came before.")
    if found.unconverged:
        notes.append(f"elastic-net: {found.unconverged:,} of the models that were chosen had not converged.")
    stiff = [name for name, entry in found.entries.items() if entry.moved < LEAST_MOVED]
    if stiff:
        notes.append(
            f"{quoted(stiff)}: fewer than {100 * LEAST_MOVED:.0f} % of the edges could be moved, so they say little."
        )
    n_done = len(found.fits["full"])
    if n_done < n_splits:
        notes.append(f"Stopped by the user after {n_done:,} of {n_splits:,} splits: the others are not in it.")
    if found.lost:
        notes.append(f"Stopped by the user: controls that are not, or not wholly, in it: {', '.join(found.lost)}.")
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
