"""Controls of a comparison: other models and random networks, trained on the same cells with the same budget.

May import the modules of this package that train nothing themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.evaluate.control_inputs import control_cells
from graphnn.evaluate.dense import dense_network
from graphnn.evaluate.engine import Table
from graphnn.evaluate.options import CONTROLS
from graphnn.evaluate.rewire import dealt, random_wiring, rewired
from graphnn.evaluate.splits import Split
from graphnn.extract.alternatives import extract_alternatives
from graphnn.extract.dag import Dag
from graphnn.graph.prior import PriorGraph

FloatMatrix = npt.NDArray[np.float64]

DRAWN = ("rewired", "dealt", "random", "shuffled", "minima")
PER_REPEAT = "control-inputs"


@dataclass(frozen=True, eq=False)
class Contender:
    """What is trained and tested.

    Attributes:
        name: Of its own, e.g. "compressed", "rewired 3".
        dags: Its network on each split; empty: it is no network.
        table: Cells and labels that it trains on.
        labels: The same labels in full precision, shape (n_cells, n_outputs).
        splits: Those on which it is trained.
        control: Which control it is; empty: a network that is compared.
        draw: Which of several draws of one control, from 1; 0: there is one only.
    """

    name: str
    dags: tuple[Dag, ...]
    table: Table
    labels: FloatMatrix
    splits: tuple[Split, ...]
    control: str = ""
    draw: int = 0

    @property
    def dag(self) -> Dag | None:
        """Its network where that is the same on all splits; else None."""
        return self.dags[0] if len({id(dag) for dag in self.dags}) == 1 else None


@dataclass(frozen=True, eq=False)
class Ground:
    """What controls are made of.

    Attributes:
        dag: The network that they are controls of.
        prior: Where other minimal networks are looked for.
        table: Cells and labels.
        labels: The same labels in full precision, shape (n_cells, n_outputs).
        splits: Of the comparison.
        seed: Of the comparison.
        draws: How many of each drawn control.
        units: Of each hidden vertex.
        scores: Of each split, for "label-preferred": association of vertices with the label among cells that train.
    """

    dag: Dag
    prior: PriorGraph
    table: Table
    labels: FloatMatrix
    splits: tuple[Split, ...]
    seed: int
    draws: int
    units: int = 1
    scores: Sequence[Mapping[str, float]] = field(default_factory=tuple)

    def repeat(self, draw: int) -> tuple[Split, ...]:
        """The splits of the repeat on which a draw is trained: draws take the repeats in turn."""
        repeats = sorted({split.seed for split in self.splits})
        chosen = repeats[(draw - 1) % len(repeats)]
        return tuple(split for split in self.splits if split.seed == chosen)


def contenders(control: str, ground: Ground) -> list[Contender]:
    """What a control adds to the comparison.

    Args:
        control: A name of `CONTROLS`.
        ground: What it is made of.

    Returns:
        One contender, or one a draw. Fewer draws where there are no more (other minimal networks).
    """
    if control == "dense":
        return [_once(control, ground, dense_network(ground.dag, units=ground.units))]
    if control == "elastic-net":
        return [Contender(control, (), ground.table, ground.labels, ground.splits, control)]
    if control == "label-preferred":
        return [Contender(control, _preferred(ground), ground.table, ground.labels, ground.splits, control)]
    numbers = range(1, ground.draws + 1)
    if control == "minima":
        return [_drawn(control, ground, at, dag) for at, dag in zip(numbers, _other_minima(ground), strict=False)]
    if control == "shuffled":
        return [_drawn(control, ground, at, ground.dag, _shuffled(ground, at)) for at in numbers]
    if control == PER_REPEAT:
        repeats = len({split.seed for split in ground.splits})
        return [_on_control_inputs(ground, at) for at in range(1, repeats + 1)]
    wire = {"rewired": rewired, "dealt": dealt, "random": random_wiring}[control]
    return [_drawn(control, ground, at, wire(ground.dag, seed=_seed(ground, control, at))) for at in numbers]


def _once(control: str, ground: Ground, dag: Dag) -> Contender:
    return Contender(control, (dag,) * len(ground.splits), ground.table, ground.labels, ground.splits, control)


def _drawn(control: str, ground: Ground, draw: int, dag: Dag, labels: FloatMatrix | None = None) -> Contender:
    splits = ground.repeat(draw)
    table = ground.table if labels is None else ground.table.labelled(labels.astype(np.float32))
    labels = ground.labels if labels is None else labels
    return Contender(f"{control} {draw}", (dag,) * len(splits), table, labels, splits, control, draw)


def _seed(ground: Ground, control: str, draw: int) -> int:
    return int(np.random.SeedSequence((ground.seed, list(CONTROLS).index(control), draw)).generate_state(1)[0])


def _shuffled(ground: Ground, draw: int) -> FloatMatrix:
    """Labels dealt out anew among all cells; those of several outputs stay together."""
    return ground.labels[np.random.default_rng(_seed(ground, "shuffled", draw)).permutation(len(ground.labels))]


def _on_control_inputs(ground: Ground, draw: int) -> Contender:
    values = control_cells(ground.labels, ground.table.x.shape[1], seed=_seed(ground, PER_REPEAT, draw))
    made = _drawn(PER_REPEAT, ground, draw, ground.dag)
    table = Table(values, ground.table.y)
    return Contender(made.name, made.dags, table, ground.labels, made.splits, PER_REPEAT, draw)


def _other_minima(ground: Ground) -> list[Dag]:
    """Networks of least cost that differ from the one compared and from each other as far as can be."""
    found = extract_alternatives(ground.prior, ground.dag.inputs, ground.dag.outputs, k=ground.draws + 1)
    least = found[0].graph.n_edges
    return [dag for dag in found if dag != ground.dag and dag.graph.n_edges == least][: ground.draws]


def _preferred(ground: Ground) -> tuple[Dag, ...]:
    from graphnn.extract.extract import extract_dag

    made: dict[Any, Dag] = {}
    for split, scores in zip(ground.splits, ground.scores, strict=True):
        made[split.seed, split.fold] = extract_dag(
            ground.prior, ground.dag.inputs, ground.dag.outputs, prefer=dict(scores), seed=ground.seed
        )
    return tuple(made[split.seed, split.fold] for split in ground.splits)
