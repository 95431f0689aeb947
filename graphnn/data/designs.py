"""Drawn networks with planted hidden vertices, and the two simulated designs of the KPNN paper.

May import `graphnn.errors`, `graphnn.graph` and `graphnn.data.simulate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.data.simulate import Simulation, SimulationOptions, check_count, check_number, simulate_cells
from graphnn.errors import OptionError
from graphnn.graph.prior import PriorGraph, as_names
from graphnn.graph.reach import reachable

IntVector = npt.NDArray[np.int64]

OUTPUT = "OUT"
INPUT_SUFFIX = "_gene"


@dataclass(frozen=True)
class SimulatedNetwork:
    """A drawn acyclic network in the direction of computation.

    Attributes:
        graph: All vertices are on input-to-output paths.
        inputs: Measured vertices, sorted.
        outputs: The predicted vertex.
        planted: Hidden vertices of the lowest level that are meant to carry a signal; the first by draw comes first.
        parameters: Every argument, as JSON types.
    """

    graph: PriorGraph
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    planted: tuple[str, ...]
    parameters: Mapping[str, Any]

    @property
    def hidden(self) -> tuple[str, ...]:
        """Vertices that are neither input nor output, sorted."""
        roles = {*self.inputs, *self.outputs}
        return tuple(name for name in self.graph.nodes if name not in roles)


@dataclass(frozen=True, eq=False)
class PlantedDesign:
    """A network, and cells whose label its planted vertices drive.

    Attributes:
        name: "sim1" or "sim2".
        network: Its `planted` vertices are the drivers of the simulation.
        simulation: Cells, labels and activities.
    """

    name: str
    network: SimulatedNetwork
    simulation: Simulation


def simulate_network(
    *,
    n_inputs: int = 3504,
    n_hidden: int = 101,
    n_levels: int = 1,
    n_planted: int = 1,
    shared: float = 1.0,
    overlap: float = 0.0,
    seed: int = 0,
) -> SimulatedNetwork:
    """Draw a network of one output in which a few hidden vertices are planted.

    Inputs are dealt out to the lowest level of hidden vertices, about as many to each. Each level above is half as wide
    as the one below it, every vertex leads to one of the next level, and the highest level leads to the output. Each
    input has one drawn interaction, 1 or -1, for all that it feeds; all other interactions are 1.

    Args:
        n_inputs: Number of inputs.
        n_hidden: Number of hidden vertices, on all levels together.
        n_levels: Levels of hidden vertices. With one, no hidden vertex stands above a planted one.
        n_planted: Number of planted vertices, all on the lowest level.
        shared: Share of the first planted vertex's inputs that each other planted vertex reads too, in [0, 1]; the rest
            of its inputs are its own. 1 makes them twins, which no data can tell apart.
        overlap: Share of the inputs that feed one more vertex of the lowest level, in [0, 1].
        seed: Of the draw, >= 0.

    Returns:
        The network; equal arguments give equal bytes in any process.

    Raises:
        OptionError: A number is outside its range, or there are too few vertices or inputs for what was asked.

    Example:
        >>> network = simulate_network(n_inputs=12, n_hidden=4, n_planted=2, seed=1)
        >>> network.graph, network.hidden, network.planted
        (PriorGraph(17 nodes, 20 edges), ('H1', 'H2', 'H3', 'H4'), ('H1', 'H2'))
    """
    counts = {"n_inputs": n_inputs, "n_hidden": n_hidden, "n_levels": n_levels, "n_planted": n_planted}
    for option, value in counts.items():
        check_count(option, value, least=1)
    check_count("seed", seed, least=0)
    for option, share in (("shared", shared), ("overlap", overlap)):
        check_number(option, share, lambda value: 0 <= value <= 1, "between 0 and 1")
    widths = _widths(n_hidden, n_levels)
    if n_planted > widths[0]:
        raise OptionError("n_planted", n_planted, f"at most {widths[0]}, the vertices of the lowest level")

    # one stream a purpose: what one option asks for never shifts the draws behind another
    choice, deal, sign, climb, more = np.random.default_rng((seed, 29)).spawn(5)
    planted = choice.permutation(widths[0])[:n_planted]
    feeds = _dealt(deal.permutation(n_inputs), widths[0], planted, shared)
    feeds |= _overlaps(feeds, round(overlap * n_inputs), widths[0], more)
    inputs, hidden = _numbered("G", n_inputs, INPUT_SUFFIX), _numbered("H", n_hidden, "")
    signs = sign.choice([-1, 1], size=n_inputs).tolist()
    edges: list[tuple[str, int, str]] = [(inputs[i], signs[i], hidden[h]) for i, h in sorted(feeds)]
    start = 0
    for below, above in pairwise(widths):
        targets = climb.permutation(np.arange(below) % above).tolist()
        edges += [(hidden[start + i], 1, hidden[start + below + target]) for i, target in enumerate(targets)]
        start += below
    edges += [(name, 1, OUTPUT) for name in hidden[start:]]
    return SimulatedNetwork(
        graph=PriorGraph.from_sif_tuples(edges),
        inputs=inputs,
        outputs=(OUTPUT,),
        planted=tuple(hidden[place] for place in planted.tolist()),
        parameters={
            **{option: int(value) for option, value in counts.items()},
            "shared": float(shared),
            "overlap": float(overlap),
            "seed": int(seed),
        },
    )


def sim1(
    seed: int = 0,
    *,
    n_cells: int = 2000,
    effect: float = 1.0,
    n_inputs: int = 3504,
    n_hidden: int = 101,
    options: SimulationOptions | None = None,
) -> PlantedDesign:
    """One planted vertex among hidden vertices whose inputs know nothing of the label, as in SIM1 of the KPNN paper.

    All hidden vertices lead straight to the output and share no inputs, so every other one is a decoy in the strict
    sense. Counts are sparse and overdispersed (`simulate_cells`), unlike those of the paper.

    Args:
        seed: Of the network and of the cells.
        n_cells: Number of cells.
        effect: Shift of the log-expression of the planted vertex's inputs for one standard deviation of its activity;
            0 plants nothing in the inputs (a negative control).
        n_inputs: Number of inputs.
        n_hidden: Number of hidden vertices.
        options: How counts and labels are drawn.

    Returns:
        The network and the cells.

    Raises:
        OptionError: A number is outside its range.

    Example:
        >>> design = sim1(3, n_cells=20, n_inputs=40, n_hidden=8)
        >>> design.simulation.drivers == design.network.planted, len(design.simulation.driver_genes)
        (True, 5)

    Reference:
        Fortelny N, Bock C (2020) Knowledge-primed neural networks enable biologically interpretable deep learning on
        single-cell sequencing data. Genome Biology 21:190.
    """
    network = simulate_network(n_inputs=n_inputs, n_hidden=n_hidden, seed=seed)
    return PlantedDesign("sim1", network, plant(network, n_cells=n_cells, effect=effect, seed=seed, options=options))


def sim2(
    seed: int = 0,
    *,
    n_cells: int = 2000,
    effect: float = 1.0,
    n_inputs: int = 3504,
    n_hidden: int = 101,
    options: SimulationOptions | None = None,
) -> PlantedDesign:
    """Two planted vertices that read the same inputs, so that either would do, as in SIM2 of the KPNN paper.

    Args:
        seed: As for `sim1`, like all others.
        n_cells: Number of cells.
        effect: Of both planted vertices together.
        n_inputs: Number of inputs.
        n_hidden: Number of hidden vertices.
        options: How counts and labels are drawn; `activity_correlation` is set to 1.

    Returns:
        The network and the cells.

    Raises:
        OptionError: A number is outside its range.

    Example:
        >>> network = sim2(3, n_cells=20, n_inputs=40, n_hidden=8).network
        >>> first, second = ({a for a, _, b in network.graph.to_sif_tuples() if b == name} for name in network.planted)
        >>> len(first), first == second
        (6, True)
    """
    network = simulate_network(n_inputs=n_inputs, n_hidden=n_hidden, n_planted=2, seed=seed)
    return PlantedDesign("sim2", network, plant(network, n_cells=n_cells, effect=effect, seed=seed, options=options))


def plant(
    network: SimulatedNetwork,
    *,
    n_cells: int = 2000,
    effect: float = 1.0,
    seed: int = 0,
    options: SimulationOptions | None = None,
) -> Simulation:
    """Simulate cells whose label the planted vertices of a drawn network drive, all with one activity.

    Args:
        network: From `simulate_network`.
        n_cells: Number of cells.
        effect: Of the planted vertices together on an input that all of them read.
        seed: Of the cells.
        options: How counts and labels are drawn; `activity_correlation` is set to 1 where several are planted.

    Returns:
        What `simulate_cells` gives, with the planted vertices as drivers.

    Raises:
        OptionError: A number is outside its range.
    """
    several = len(network.planted) > 1
    settings = options or SimulationOptions()
    return simulate_cells(
        network.graph,
        network.inputs,
        network.outputs,
        n_cells=n_cells,
        drivers=network.planted,
        effect=effect / len(network.planted),  # an input of several planted vertices follows each of them
        redundancy=several,
        input_suffix=INPUT_SUFFIX,
        seed=seed,
        options=replace(settings, activity_correlation=1.0) if several else settings,
    )


def relays(graph: PriorGraph, planted: Iterable[str]) -> tuple[str, ...]:
    """Vertices on the way from planted vertices to the outputs: they carry the same signal and are no decoys.

    Args:
        graph: Network in the direction of computation.
        planted: Names of vertices.

    Returns:
        All that an edge or a chain of edges leads to from a planted vertex, but for these, sorted.

    Raises:
        UnknownNodeError: A planted vertex is not in the network.

    Example:
        >>> relays(PriorGraph.from_sif_tuples([("x", 1, "h"), ("h", 1, "k"), ("x", 1, "d"), ("k", 1, "y")]), ["h"])
        ('k', 'y')
    """
    names = as_names(planted, role="planted vertices")
    found = reachable(graph.n_nodes, graph.sources, graph.targets, graph.indices(names, role="planted vertices"))
    known = frozenset(names)
    return tuple(name for name, there in zip(graph.nodes, found.tolist(), strict=True) if there and name not in known)


def _widths(n_hidden: int, n_levels: int) -> list[int]:
    """Vertices of each level, lowest first, each about half as many as the one before."""
    if n_levels > 1 and n_hidden < 2**n_levels - 1:
        raise OptionError("n_hidden", n_hidden, f"at least {2**n_levels - 1} for {n_levels} levels")
    ends = np.cumsum(0.5 ** np.arange(n_levels))
    edges = np.rint(n_hidden * ends / ends[-1]).astype(np.int64)
    return np.diff(edges, prepend=0).tolist()


def _dealt(order: IntVector, width: int, planted: IntVector, shared: float) -> set[tuple[int, int]]:
    """(input, vertex of the lowest level): about as many inputs to each, a part of them shared by the planted ones."""
    own = np.ones(width)
    own[planted[1:]] = 1.0 - shared
    ends = np.rint(len(order) * np.cumsum(own) / own.sum()).astype(np.int64)
    parts = [part.tolist() for part in np.split(order, ends[:-1])]
    common = parts[planted[0]][: round(shared * len(parts[planted[0]]))]
    for place in planted[1:].tolist():
        parts[place] += common
    if not all(parts):
        raise OptionError("n_inputs", len(order), f"enough for {width} vertices of the lowest level", do="ask for more")
    return {(item, place) for place, part in enumerate(parts) for item in part}


def _overlaps(feeds: set[tuple[int, int]], count: int, width: int, rng: np.random.Generator) -> set[tuple[int, int]]:
    """One more vertex of the lowest level for so many inputs, where there is one that does not read it yet."""
    readers: dict[int, set[int]] = {}
    for item, place in sorted(feeds):
        readers.setdefault(item, set()).add(place)
    found = set()
    for item in rng.permutation(sorted(readers))[:count].tolist():
        free = [place for place in range(width) if place not in readers[item]]
        if free:
            found.add((item, free[int(rng.integers(len(free)))]))
    return found


def _numbered(letter: str, count: int, suffix: str) -> tuple[str, ...]:
    return tuple(f"{letter}{number:0{len(str(count))}d}{suffix}" for number in range(1, count + 1))
