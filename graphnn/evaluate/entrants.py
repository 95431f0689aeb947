"""Who trains each contender of a comparison, and by what labels a network is preferred inside a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.compiler.lowering import fitting_options
from graphnn.compiler.model import compile_network
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.data.cells import Cells
from graphnn.evaluate.association import label_association
from graphnn.evaluate.controls import Contender
from graphnn.evaluate.engine import Epoch, Fit, Trainer
from graphnn.evaluate.linear import LinearTrainer
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.splits import Split
from graphnn.extract.dag import Dag
from graphnn.graph.prior import PriorGraph


class SplitTrainers:
    """A trainer for each split, where each split has a network of its own."""

    def __init__(self, trainers: Mapping[tuple[int, int], Trainer]) -> None:
        self._trainers = trainers

    @property
    def engine(self) -> str:
        """Which engine trains; the same for all."""
        engines = {trainer.engine for trainer in self._trainers.values()}
        return "jax" if "jax" in engines else engines.pop()

    @property
    def replicate_bytes(self) -> int:
        """What a replicate holds of its own while it trains, at most, about."""
        return max(trainer.replicate_bytes for trainer in self._trainers.values())

    def fit(self, split: Split, on_epoch: Callable[[Epoch], None] | None = None, **where: Any) -> Fit:
        """As `Trainer.fit`."""
        return self._trainers[split.seed, split.fold].fit(split, on_epoch, **where)


AnyTrainer = Trainer | SplitTrainers | LinearTrainer


def trainers_of(
    entered: Sequence[Contender], training: TrainingOptions, options: NetworkOptions
) -> dict[str, AnyTrainer]:
    """One trainer a contender; all networks by one engine, so that only they differ."""
    made = {contender.name: _trainer(contender, training, options) for contender in entered}
    if len({trainer.engine for trainer in made.values() if not isinstance(trainer, LinearTrainer)}) > 1:
        given = replace(training, engine="jax")
        made |= {contender.name: _trainer(contender, given, options) for contender in entered if contender.entry.dags}
    return made


def _trainer(contender: Contender, training: TrainingOptions, options: NetworkOptions) -> AnyTrainer:
    entry = contender.entry
    if not entry.dags:
        return LinearTrainer(contender.table, training, task=options.task)

    def of(dag: Dag, splits: Sequence[Split]) -> Trainer:
        plan = plan_layers(dag)
        model = compile_network(plan, fitting_options(options, plan))
        return Trainer(model, contender.table, splits, training, task=options.task)

    if entry.dag is not None:
        return of(entry.dag, contender.splits)
    pairs = zip(entry.dags, contender.splits, strict=True)
    return SplitTrainers({(split.seed, split.fold): of(dag, [split]) for dag, split in pairs})


def preference_scores(
    cells: Cells, labels: npt.NDArray[np.float64], splits: Sequence[Split], prior: PriorGraph, *, suffix: str
) -> tuple[dict[str, float], ...]:
    """For each split how strongly the own gene of each vertex tells the label, among the cells that train.

    Args:
        cells: With counts or values of all genes, not of inputs alone.
        labels: Shape (n_cells, n_outputs).
        splits: The training rows of each are looked at, and no others.
        prior: Its vertices are scored.
        suffix: What inputs have behind the gene's name.

    Returns:
        Vertex -> score in [0, 1], for vertices whose gene has a column.
    """
    columns = cells.columns_of(prior.nodes, suffix=suffix)
    names = sorted(columns)
    x = cells.select_as_is([columns[name] for name in names])
    found = []
    for split in splits:
        scores = label_association(x[split.train], labels[split.train])
        found.append(dict(zip(names, scores.tolist(), strict=True)))
    return tuple(found)
