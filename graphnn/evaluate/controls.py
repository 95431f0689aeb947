"""Controls of a comparison: other models and random networks, trained on the same cells with the same budget.

May import the modules of this package that train nothing themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from graphnn.errors import OptionError
from graphnn.evaluate.control_inputs import control_cells
from graphnn.evaluate.dense import dense_network
from graphnn.evaluate.engine import Table
from graphnn.evaluate.options import CONTROLS
from graphnn.evaluate.rewire import dealt, random_wiring, rewired
from graphnn.evaluate.splits import IntVector, Split
from graphnn.extract.alternatives import extract_alternatives
from graphnn.extract.dag import Dag
from graphnn.extract.extract import extract_dag
from graphnn.graph.prior import PriorGraph

FloatMatrix = npt.NDArray[np.float64]

DRAWN = ("rewired", "dealt", "random", "shuffled", "minima")
OF_PRIOR = ("label-preferred", "minima")  # need to know the prior network
CONTROL_INPUTS = "control-inputs"
MOST_CONTROL_INPUTS = 10  # draws of these: each has dense cells of its own, which take longer to train on
TOGETHER = 2  # of them in memory at a time


@dataclass(frozen=True, eq=False)
class Control:
    """What was trained, as a comparison keeps it.

    Attributes:
        name: Of its own, e.g. "compressed", "rewired 3".
        dags: Its network on each split; empty: it is no network.
        labels: What it was trained and tested on, shape (n_cells, n_outputs).
        control: Which control it is; empty: a network that is compared.
        draw: Which of several draws of one control, from 1; 0: there is one only.
        cells_seed: Of its own cells (`control_cells`); None: those of the comparison.
    """

    name: str
    dags: tuple[Dag, ...]
    labels: FloatMatrix
    control: str = ""
    draw: int = 0
    cells_seed: int | None = None

    @property
    def dag(self) -> Dag | None:
        """Its network where that is the same on all splits; else None."""
        return self.dags[0] if len({id(dag) for dag in self.dags}) == 1 else None

    @property
    def moved(self) -> float:
        """Share of its edges that the network which it stands in for has not; 1 where nobody has moved any."""
        return 1.0 if self.dag is None else float(self.dag.proof.details.get("moved", 1.0))

    def own_cells(self, n_inputs: int) -> npt.NDArray[np.float32]:
        """Its control inputs, shape (n_cells, n_inputs); drawn anew at every call."""
        if self.cells_seed is None:
            raise OptionError("control", self.name, f"a draw of {CONTROL_INPUTS}; others have no cells of their own")
        return control_cells(self.labels, n_inputs, seed=self.cells_seed)


@dataclass(frozen=True, eq=False)
class Contender:
    """A control, or a network that is compared, with what it takes to train it.

    Attributes:
        entry: What is kept of it.
        splits: Those on which it is trained.
        table: Cells and labels.
    """

    entry: Control
    splits: tuple[Split, ...]
    table: Table

    @property
    def name(self) -> str:
        """Of its own."""
        return self.entry.name


@dataclass(frozen=True, eq=False)
class Ground:
    """What controls are made of.

    Attributes:
        dag: The network that they are controls of.
        table: Cells and labels.
        labels: The same labels in full precision, shape (n_cells, n_outputs).
        splits: Of the comparison.
        seed: Of the comparison.
        draws: How many of each drawn control.
        prior: Where other minimal networks are looked for; None: nobody said.
        groups: Number of each cell's group; None: every cell stands for itself.
        units: Of each hidden vertex.
        scores: Of each split, for "label-preferred": association of vertices with the label among cells that train.
        time_limit_s: Of each extraction.
    """

    dag: Dag
    table: Table
    labels: FloatMatrix
    splits: tuple[Split, ...]
    seed: int
    draws: int
    prior: PriorGraph | None = None
    groups: IntVector | None = None
    units: int = 1
    scores: Sequence[Mapping[str, float]] = field(default_factory=tuple)
    time_limit_s: float | None = None

    @property
    def plain_prior(self) -> PriorGraph:
        """The prior network; see `check_prior`."""
        if self.prior is None:
            raise OptionError("prior", None, "the prior network", do="see check_prior")
        return self.prior

    def repeat(self, draw: int) -> tuple[Split, ...]:
        """The splits of the repeat on which a draw is trained: draws take the repeats in turn."""
        repeats = sorted({split.seed for split in self.splits})
        chosen = repeats[(draw - 1) % len(repeats)]
        return tuple(split for split in self.splits if split.seed == chosen)

    def n_draws(self, control: str) -> int:
        """How many contenders a control makes, at most."""
        if control == CONTROL_INPUTS:
            return min(self.draws, MOST_CONTROL_INPUTS)
        return self.draws if control in DRAWN else 1


def check_prior(controls: Sequence[str], dag: Dag, prior: PriorGraph | None) -> None:
    """Refuse controls that look for other minima where nobody said of what.

    Raises:
        OptionError: There is no prior network, or the compressed network was extracted with costs or rules, which
            other minima would not obey.
    """
    asked = [name for name in controls if name in OF_PRIOR]
    if not asked:
        return
    if prior is None:
        do = "give prior=pruned, the network from which the compressed one was extracted"
        raise OptionError("prior", None, f"the prior network with controls {', '.join(asked)}", do=do)
    details = dag.proof.details
    if dag.edge_cost is not None or details.get("constraints") or dag.proof.objective_name != "min_edges":
        what = "a compressed network of the fewest edges, without costs or rules"
        raise OptionError("controls", ", ".join(asked), what, do="leave these controls out")


def check_minimum(dag: Dag, other: Dag) -> None:
    """Refuse a prior network whose minima are of another size than the compressed network.

    Raises:
        OptionError: They are.
    """
    if other.proof.is_optimal and other.graph.n_edges != dag.graph.n_edges:
        got = f"one whose smallest networks have {other.graph.n_edges:,} edges"
        needed = f"the network from which the compressed one of {dag.graph.n_edges:,} edges was extracted"
        raise OptionError("prior", got, needed)


def contenders(control: str, ground: Ground) -> Iterator[list[Contender]]:
    """What a control adds to the comparison, in portions that are trained together.

    Args:
        control: A name of `CONTROLS`.
        ground: What it is made of.

    Yields:
        Contenders: one in all, or one a draw. Fewer draws where there are no more (other minimal networks).

    Raises:
        KeyboardInterrupt: A search for networks was interrupted.
    """
    numbers = range(1, ground.n_draws(control) + 1)
    if control == "dense":
        yield [_once(control, ground, (dense_network(ground.dag, units=ground.units),) * len(ground.splits))]
    elif control == "elastic-net":
        yield [_once(control, ground, ())]
    elif control == "label-preferred":
        yield [_once(control, ground, _preferred(ground))]
    elif control == "minima":
        yield [_drawn(control, ground, at, dag) for at, dag in zip(numbers, _other_minima(ground), strict=False)]
    elif control == "shuffled":
        yield [_shuffled(ground, at) for at in numbers]
    elif control == CONTROL_INPUTS:
        for first in range(0, len(numbers), TOGETHER):
            yield [_on_control_inputs(ground, at) for at in numbers[first : first + TOGETHER]]
    else:
        wire = {"rewired": rewired, "dealt": dealt, "random": random_wiring}[control]
        yield [_drawn(control, ground, at, wire(ground.dag, seed=_seed(ground, control, at))) for at in numbers]


def entered(name: str, dag: Dag, ground: Ground) -> Contender:
    """A network that is compared."""
    return Contender(Control(name, (dag,) * len(ground.splits), ground.labels), ground.splits, ground.table)


def _once(control: str, ground: Ground, dags: tuple[Dag, ...]) -> Contender:
    return Contender(Control(control, dags, ground.labels, control), ground.splits, ground.table)


def _drawn(control: str, ground: Ground, draw: int, dag: Dag) -> Contender:
    splits = ground.repeat(draw)
    entry = Control(f"{control} {draw}", (dag,) * len(splits), ground.labels, control, draw)
    return Contender(entry, splits, ground.table)


def _seed(ground: Ground, control: str, draw: int) -> int:
    return int(np.random.SeedSequence((ground.seed, list(CONTROLS).index(control), draw)).generate_state(1)[0])


def _shuffled(ground: Ground, draw: int) -> Contender:
    """Labels dealt out anew; see `dealt_labels`."""
    made = _drawn("shuffled", ground, draw, ground.dag)
    draws = np.random.default_rng(_seed(ground, "shuffled", draw))
    labels, splits = dealt_labels(ground.labels, made.splits, ground.groups, draws)
    table = ground.table.labelled(labels.astype(np.float32))
    return Contender(replace(made.entry, labels=labels), splits, table)


def dealt_labels(
    labels: FloatMatrix, splits: Sequence[Split], groups: IntVector | None, draws: np.random.Generator
) -> tuple[FloatMatrix, tuple[Split, ...]]:
    """Labels dealt out so that, where they have nothing to do with the cells, nothing tells the draw from the real one.

    Without groups the cells are dealt: each gets the labels, and the part in each split, of another, so that splits
    which were stratified by labels stay so. With groups, labels are dealt among the cells of each group; where every
    group has one label throughout (of a donor), among whole groups, as cells of one donor resemble each other.

    Args:
        labels: Shape (n_cells, n_outputs); those of one cell stay together.
        splits: Their parts.
        groups: Number of each cell's group, or None.
        draws: Where chance comes from.

    Returns:
        Labels and splits, in the order of the cells.
    """
    n_cells = len(labels)
    if groups is None:
        source = draws.permutation(n_cells)  # cell i takes the place of cell source[i]
        place = np.empty(n_cells, dtype=np.int64)
        place[source] = np.arange(n_cells)
        moved = [
            replace(
                split,
                train=np.sort(place[split.train]),
                validation=np.sort(place[split.validation]),
                test=np.sort(place[split.test]),
            )
            for split in splits
        ]
        return labels[source], tuple(moved)
    members = [np.flatnonzero(groups == number) for number in np.unique(groups)]
    if all((labels[rows] == labels[rows[0]]).all() for rows in members):
        first = np.array([rows[0] for rows in members])
        found = np.empty_like(labels)
        for rows, other in zip(members, draws.permutation(first), strict=True):
            found[rows] = labels[other]
        return found, tuple(splits)
    found = labels.copy()
    for rows in members:
        found[rows] = labels[draws.permutation(rows)]
    return found, tuple(splits)


def _on_control_inputs(ground: Ground, draw: int) -> Contender:
    made = _drawn(CONTROL_INPUTS, ground, draw, ground.dag)
    entry = replace(made.entry, cells_seed=_seed(ground, CONTROL_INPUTS, draw))
    return Contender(entry, made.splits, Table(entry.own_cells(ground.table.x.shape[1]), ground.table.y))


def _other_minima(ground: Ground) -> list[Dag]:
    """Networks of least cost that differ from the one compared and from each other as far as can be."""
    found = extract_alternatives(
        ground.plain_prior, ground.dag.inputs, ground.dag.outputs, k=ground.draws + 1, time_limit_s=ground.time_limit_s
    )
    _refuse_interrupted(found)
    check_minimum(ground.dag, found[0])
    least = found[0].graph.n_edges
    return [dag for dag in found if dag != ground.dag and dag.graph.n_edges == least][: ground.draws]


def _preferred(ground: Ground) -> tuple[Dag, ...]:
    made = []
    for scores in ground.scores:
        found = extract_dag(
            ground.plain_prior,
            ground.dag.inputs,
            ground.dag.outputs,
            prefer=dict(scores),
            seed=ground.seed,
            time_limit_s=ground.time_limit_s,
        )
        _refuse_interrupted([found])
        check_minimum(ground.dag, found)
        made.append(found)
    return tuple(made)


def _refuse_interrupted(found: Sequence[Dag]) -> None:
    if any(dag.proof.details.get("interrupted") for dag in found):
        raise KeyboardInterrupt  # half a search is no control
