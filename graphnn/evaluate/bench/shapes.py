"""Drawn networks of given sizes and cells for them: what the training benchmark runs on, the same on every machine.

The profile is that of the shortest-path network of a real PKN: levels that shrink towards the output, most edges from
genes, regulons and genes with heavy tails, edges that skip levels, and two last levels that read hidden vertices only.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from graphnn.errors import OptionError
from graphnn.extract.dag import Dag
from graphnn.graph.prior import PriorGraph

IntVector = npt.NDArray[np.int64]
FloatVector = npt.NDArray[np.float64]
FloatMatrix = npt.NDArray[np.float32]

PROFILE_UNITS = (276, 100, 68, 53, 17, 9, 1)
PROFILE_EDGES = (30_492, 3_291, 1_476, 1_065, 371, 168, 46)
PROFILE_INPUTS = 18_327
LEAST_EDGES, LEAST_UNITS = 200, 14
REGULON_EXPONENT = 0.8  # popularity of a regulator falls with rank^-0.8: in the real PKN from 2,500 genes to a few
GENE_EXPONENT = 0.3  # that of a gene with rank^-0.3: most genes have one to three regulators, few more than ten
FEW_PAIRS = 2_000_000  # up to here all pairs are weighed; beyond, edges are so sparse that drawing again is cheap
N_DRIVERS = 3
MEAN_COUNT = 0.04  # of the median gene: about 90 % of the counts are zeros


@dataclass(frozen=True)
class Shape:
    """Sizes of a drawn network.

    Attributes:
        name: In the table.
        n_inputs: Vertices that receive data.
        level_units: Vertices of each level, the one output last.
        level_edges: Edges into each level.

    Raises:
        OptionError: No network has these sizes.
    """

    name: str
    n_inputs: int
    level_units: tuple[int, ...]
    level_edges: tuple[int, ...]

    def __post_init__(self) -> None:
        units, edges = self.level_units, self.level_edges
        if len(units) != len(edges) or len(units) < 3 or min((*units, self.n_inputs)) < 1 or units[-1] != 1:
            raise OptionError("level_units", units, "at least three levels, each with vertices and edges, one output")
        if self.n_inputs < units[0]:
            raise OptionError("n_inputs", self.n_inputs, f"at least {units[0]}, one for each vertex of the first level")
        least = [units[0], *(max(pair) for pair in pairwise(units))]
        if any(count < need for count, need in zip(edges, least, strict=True)):
            raise OptionError("level_edges", edges, f"at least {least}, so that every vertex is read and reads")

    @property
    def n_units(self) -> int:
        """Vertices that are no inputs: each has a bias."""
        return sum(self.level_units)

    @property
    def n_edges(self) -> int:
        """Edges: each has a weight."""
        return sum(self.level_edges)


def shape_of(n_edges: int, *, n_inputs: int | None = None, n_units: int | None = None, name: str = "") -> Shape:
    """The real profile, brought to other sizes.

    Args:
        n_edges: Edges, at least 200.
        n_inputs: Inputs; None: in proportion to the edges.
        n_units: Vertices that are no inputs, the output among them; None: in proportion, at least 14.
        name: In the table; empty: the number of edges.

    Raises:
        OptionError: A number is too small, or the numbers do not go together.

    Example:
        >>> shape_of(36_909).level_units, shape_of(3_700).n_inputs, shape_of(3_700).n_units
        ((276, 100, 68, 53, 17, 9, 1), 1837, 53)
    """
    if n_edges < LEAST_EDGES:
        raise OptionError("n_edges", n_edges, f"at least {LEAST_EDGES}")
    share = n_edges / sum(PROFILE_EDGES)
    inputs = round(PROFILE_INPUTS * share) if n_inputs is None else n_inputs
    units = max(LEAST_UNITS, round(sum(PROFILE_UNITS) * share)) if n_units is None else n_units
    if units < len(PROFILE_UNITS):
        raise OptionError("n_units", units, f"at least {len(PROFILE_UNITS)}, one a level")
    hidden = _apportioned(units - 1, PROFILE_UNITS[:-1], least=[1] * (len(PROFILE_UNITS) - 1))
    sizes = (*hidden, 1)
    least = [sizes[0], *(max(pair) for pair in pairwise(sizes))]
    edges = _apportioned(n_edges, PROFILE_EDGES, least=least)
    return Shape(name or f"{n_edges:,} edges", inputs, sizes, edges)


def enlarged(factor: int) -> Shape:
    """The real profile with `factor` times as many edges and hidden vertices, and its cube root times the inputs.

    So it grows towards PKNs of millions of edges, whose vertices outgrow the genes that can be measured.
    """
    profile = shape_of(sum(PROFILE_EDGES))
    return shape_of(
        factor * profile.n_edges,
        n_inputs=round(PROFILE_INPUTS * factor ** (1 / 3)),
        n_units=factor * profile.n_units,
        name=f"pkn-37k x {factor}",
    )


def draw_network(shape: Shape, *, seed: int = 0) -> Dag:
    """Draw a network with exactly these sizes.

    Laws: it has `shape.n_inputs` inputs, `shape.n_units` other vertices and `shape.n_edges` edges; the longest path to
    a vertex of level k has k edges; every vertex lies on a path from an input to the output. Equal arguments give
    equal networks in any process.

    Args:
        shape: The sizes.
        seed: Of all draws, >= 0.

    Raises:
        OptionError: The sizes leave no room: too few edges for the inputs, or more than there are pairs.

    Example:
        >>> dag = draw_network(shape_of(200))
        >>> dag.graph.n_edges, len(dag.inputs), len(dag.hidden), dag.outputs
        (200, 99, 13, ('output',))
    """
    draw = np.random.default_rng(seed)
    first = np.concatenate([[0], np.cumsum(shape.level_units)])
    among = _among_units(draw, shape, first)
    reserved = np.bincount(_level_of(first, among[1]), minlength=len(shape.level_units))
    from_data = np.array(shape.level_edges) - reserved
    genes = _from_inputs(draw, shape, first, from_data)
    sources = np.concatenate([genes[0], shape.n_inputs + among[0]])
    targets = shape.n_inputs + np.concatenate([genes[1], among[1]])
    signs = np.where(draw.random(len(sources)) < 0.5, -1, 1).astype(np.int8)
    order = np.lexsort((targets, sources))
    names = _names(shape)
    graph = PriorGraph(names, sources[order], targets[order], signs[order])
    return Dag.from_graph(graph, names[: shape.n_inputs], names[-1:])


def draw_cells(dag: Dag, n_cells: int, *, seed: int = 0) -> tuple[FloatMatrix, FloatMatrix]:
    """Simulated cells with planted truth, log-normalised, for the inputs of a network with one output.

    The hidden vertices that most inputs feed drive label and genes, so that a network that learns anything shows it.

    Args:
        dag: The network.
        n_cells: Cells, >= 2.
        seed: Of all draws, >= 0.

    Returns:
        Cells, shape (n_cells, n_inputs), columns in the order of the sorted inputs, mostly zeros; labels 0 or 1, shape
        (n_cells, 1).
    """
    from graphnn.data.simulate import SimulationOptions, simulate_cells  # SciPy and pandas load slowly

    graph = dag.graph
    is_input = np.zeros(graph.n_nodes, dtype=bool)
    is_input[graph.indices(dag.inputs)] = True
    regulons = np.bincount(graph.targets[is_input[graph.sources]], minlength=graph.n_nodes)
    regulons[graph.indices(dag.outputs)] = 0
    drivers = [graph.nodes[index] for index in np.argsort(-regulons, kind="stable")[:N_DRIVERS].tolist()]
    drivers = [name for name in drivers if regulons[graph.indices([name])[0]]]
    options = SimulationOptions(mean_count=MEAN_COUNT)
    simulation = simulate_cells(
        graph, dag.inputs, dag.outputs, n_cells=n_cells, drivers=drivers, seed=seed, options=options
    )
    cells = simulation.to_cells().log_normalized()
    x = cells.select([name.removesuffix("_gene") for name in sorted(dag.inputs)])
    return x.astype(np.float32), simulation.labels.to_numpy(dtype=np.float32)


def _names(shape: Shape) -> tuple[str, ...]:
    """Names in sorted order: inputs, hidden vertices level by level, the output."""
    digits = len(str(shape.n_inputs + shape.n_units))
    inputs = [f"G{index:0{digits}d}_gene" for index in range(shape.n_inputs)]
    return (*inputs, *(f"H{index:0{digits}d}" for index in range(shape.n_units - 1)), "output")


def _apportioned(total: int, profile: tuple[int, ...], *, least: list[int]) -> tuple[int, ...]:
    """Whole numbers that sum to `total`, as near to the profile's proportions as the least of each allows.

    The first gives what the others' least needs.
    """
    exact = np.array(profile, dtype=np.float64) * total / sum(profile)
    parts = np.floor(exact).astype(np.int64)
    late = np.argsort(-(exact - parts), kind="stable")[: total - int(parts.sum())]
    parts[late] += 1
    parts = np.maximum(parts, least)
    parts[0] -= parts.sum() - total
    if parts[0] < least[0]:
        raise OptionError("n_edges and n_units", total, f"at least {sum(least)}, for the vertices of each level")
    return tuple(parts.tolist())


def _level_of(first: IntVector, units: IntVector) -> IntVector:
    return np.searchsorted(first, units, side="right") - 1


def _among_units(draw: np.random.Generator, shape: Shape, first: IntVector) -> tuple[IntVector, IntVector]:
    """Edges among the vertices that are no inputs: each reads the level before it and is read by a later one.

    The last two levels get all their edges here. Level k is first[k] .. first[k + 1] - 1.
    """
    n_levels, n = len(shape.level_units), shape.n_units
    room = np.array(shape.level_edges)
    keys: list[int] = []
    read = np.zeros(n, dtype=bool)
    for level in range(1, n_levels):
        heads = np.arange(first[level], first[level + 1])
        before = first[level] - first[level - 1]
        tails = first[level - 1] + np.resize(draw.permutation(before), len(heads))
        keys += (tails * n + heads).tolist()
        read[tails] = True
        room[level] -= len(heads)
    for tail in np.flatnonzero(~read[:-1])[::-1].tolist():  # the last levels have least room, so they choose first
        later = np.arange(int(_level_of(first, np.array([tail]))[0]) + 1, n_levels)
        if not room[later].any():
            raise OptionError("n_edges", shape.n_edges, "enough for every vertex to be read; fewer vertices need fewer")
        level = int(draw.choice(later, p=room[later] / room[later].sum()))
        keys.append(tail * n + int(draw.integers(first[level], first[level + 1])))
        room[level] -= 1
    for level in (n_levels - 2, n_levels - 1):
        heads, n_tails = np.arange(first[level], first[level + 1]), int(first[level])
        held = np.array([key for key in keys if first[level] <= key % n < first[level + 1]], dtype=np.int64)
        start = held // n, held % n - first[level]
        wanted = min(len(held) + int(room[level]), n_tails * len(heads))
        tails_of = _distinct(draw, start, wanted, np.ones(n_tails), _zipf(draw, len(heads), REGULON_EXPONENT))
        added = slice(len(held), None)
        keys += (tails_of[0][added] * n + tails_of[1][added] + first[level]).tolist()
    found = np.array(keys, dtype=np.int64)
    return found // n, found % n


def _from_inputs(
    draw: np.random.Generator, shape: Shape, first: IntVector, counts: IntVector
) -> tuple[IntVector, IntVector]:
    """Edges from inputs, so many into each level: every input has one, every vertex of the first level has one."""
    if counts.sum() < shape.n_inputs or counts[0] < shape.level_units[0]:
        raise OptionError("n_inputs", shape.n_inputs, f"at most {counts.sum()}, the edges that are left for them")
    order = draw.permutation(shape.n_inputs)
    share = _apportioned(
        shape.n_inputs,
        tuple(counts.tolist()),
        least=[min(shape.level_units[0], shape.n_inputs)] + [0] * (len(counts) - 1),
    )
    popular = _zipf(draw, shape.n_inputs, GENE_EXPONENT)
    tails, heads, begin = [], [], 0
    for level, (count, own) in enumerate(zip(counts.tolist(), share, strict=True)):
        n_heads = shape.level_units[level]
        weights = _zipf(draw, n_heads, REGULON_EXPONENT)
        chosen = order[begin : begin + own]
        begin += own
        picked = draw.choice(n_heads, own, p=weights)
        if level == 0:
            picked[: min(n_heads, own)] = np.arange(min(n_heads, own))
        found = _distinct(draw, (chosen, picked), count, popular, weights)
        tails.append(found[0])
        heads.append(first[level] + found[1])
    return np.concatenate(tails), np.concatenate(heads)


def _zipf(draw: np.random.Generator, n: int, exponent: float) -> FloatVector:
    """Probabilities that fall with rank^-exponent, ranks drawn, shape (n,)."""
    weights = np.arange(1, n + 1, dtype=np.float64) ** -exponent
    return draw.permutation(weights / weights.sum())


def _distinct(
    draw: np.random.Generator, start: tuple[IntVector, IntVector], count: int, tails: FloatVector, heads: FloatVector
) -> tuple[IntVector, IntVector]:
    """`count` distinct pairs, those of `start` first, the others drawn by the weights of tail and head."""
    n = len(heads)
    keys = start[0] * n + start[1]
    if not len(keys) <= count <= len(tails) * n:
        raise OptionError("n_edges", count, f"between {len(keys)} and {len(tails) * n} between two levels")
    if len(tails) * n <= FEW_PAIRS:
        # Weighted, without replacement: the smallest of exponential variables (Efraimidis and Spirakis 2006).
        waits = draw.exponential(size=len(tails) * n) / np.outer(tails, heads).ravel()
        waits[keys] = np.inf
        more = np.argsort(waits, kind="stable")[: count - len(keys)]
        keys = np.concatenate([keys, more])
    while len(keys) < count:
        size = 2 * (count - len(keys)) + 1_000
        drawn = draw.choice(len(tails), size, p=tails / tails.sum()) * n + draw.choice(n, size, p=heads / heads.sum())
        keys = np.concatenate([keys, drawn])
        keys = keys[np.sort(np.unique(keys, return_index=True)[1])][:count]
    return keys // n, keys % n
