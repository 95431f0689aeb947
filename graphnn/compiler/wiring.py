"""`Wiring`: the columns of one layer and every edge into them, as read-only index arrays; and units of vertices.

NumPy only; imports `graphnn.graph` types and no Keras.

With several units a hidden vertex has so many columns, side by side; inputs, fed ones too, and outputs keep one. An
edge between two vertices is then one weight for each pair of their units, an *edge of units*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from graphnn.graph.reach import IntVector

ARRAYS = ("input_columns", "source_level", "source_column", "target_column", "interaction")


@dataclass(frozen=True, eq=False, kw_only=True)
class Wiring:
    """One layer. Columns are ordered hidden, outputs, fed inputs; edges by (source_level, target, source).

    Attributes:
        n_hidden: How many columns are hidden.
        n_outputs: How many are outputs.
        n_fed: How many are inputs into which edges lead.
        input_columns: Column of each fed input in the data, shape (n_fed,).
        source_level: Block that each edge reads (0: the data), shape (n_edges,).
        source_column: Column in that block, shape (n_edges,).
        target_column: Column of this layer, shape (n_edges,).
        interaction: 1, -1 or 0, shape (n_edges,).
    """

    n_hidden: int
    n_outputs: int
    n_fed: int
    input_columns: IntVector
    source_level: IntVector
    source_column: IntVector
    target_column: IntVector
    interaction: IntVector

    def __post_init__(self) -> None:
        for name in ARRAYS:
            array = np.array(getattr(self, name), dtype=np.int64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def arrays(self) -> tuple[IntVector, ...]:
        """The index arrays, in the order of the fields."""
        return tuple(getattr(self, name) for name in ARRAYS)

    @property
    def n_nodes(self) -> int:
        """Number of columns, the width of the layer's result."""
        return self.n_hidden + self.n_outputs + self.n_fed

    @property
    def n_edges(self) -> int:
        """Number of edges into the layer, the length of its kernel."""
        return len(self.source_level)

    @property
    def n_biases(self) -> int:
        """Hidden columns and outputs: those with a bias."""
        return self.n_hidden + self.n_outputs

    @cached_property
    def blocks(self) -> tuple[int, ...]:
        """The blocks that the layer reads, ascending; with fed inputs the data (0) is among them."""
        measured = {0} if self.n_fed else set()
        return tuple(sorted({*self.source_level.tolist()} | measured))

    @cached_property
    def edges_of_block(self) -> dict[int, slice]:
        """Where in the kernel the edges out of each block stand, ascending; without edges a block is absent."""
        numbers, first = np.unique(self.source_level, return_index=True)
        last = [*first.tolist()[1:], self.n_edges]
        spans = zip(numbers.tolist(), first.tolist(), last, strict=True)
        return {number: slice(start, stop) for number, start, stop in spans}

    @cached_property
    def fan_in(self) -> IntVector:
        """Number of edges into each column, shape (n_nodes,)."""
        return np.bincount(self.target_column, minlength=self.n_nodes)


class Expansion(NamedTuple):
    """Vertices as units.

    Attributes:
        wiring: Columns and edges of units.
        edge: Which edge between vertices each edge of units belongs to, shape (wiring.n_edges,).
        source_unit: Which unit of its source it reads, from 0, shape (wiring.n_edges,).
        target_unit: Which unit of its target it leads to, from 0, shape (wiring.n_edges,).
        node: Which vertex each column belongs to, shape (wiring.n_nodes,).
        node_unit: Which of its units it is, from 0, shape (wiring.n_nodes,).
    """

    wiring: Wiring
    edge: IntVector
    source_unit: IntVector
    target_unit: IntVector
    node: IntVector
    node_unit: IntVector


def expand(level: Wiring, *, units: int, hidden_counts: Sequence[int] = ()) -> Expansion:
    """Give each hidden vertex several columns.

    Law: an edge has units x units weights between hidden vertices, units where one end is an input or an output, and
    one where both are; with one unit everything stays as it is.

    Args:
        level: Columns are vertices.
        units: Of each hidden vertex, at least 1.
        hidden_counts: Hidden vertices of each block in `level.blocks`, shape (n_blocks,); empty with one unit.

    Example:
        >>> level = Wiring(n_hidden=1, n_outputs=1, n_fed=0, input_columns=[], source_level=[0, 1],
        ...                source_column=[0, 0], target_column=[0, 1], interaction=[1, 1])
        >>> found = expand(level, units=2, hidden_counts=(0, 3))
        >>> found.wiring.source_column.tolist(), found.wiring.target_column.tolist()
        ([0, 0, 0, 1], [0, 1, 2, 2])
    """
    node, node_unit = _columns(level, units)
    if units == 1:
        none = np.zeros(level.n_edges, dtype=np.int64)
        return Expansion(level, np.arange(level.n_edges), none, none, node, node_unit)
    n_hidden_there = np.asarray(hidden_counts, dtype=np.int64)[np.searchsorted(level.blocks, level.source_level)]
    n_sources = np.where(level.source_column < n_hidden_there, units, 1)
    n_targets = np.where(level.target_column < level.n_hidden, units, 1)
    edge = np.repeat(np.arange(level.n_edges), n_sources * n_targets)
    first = np.cumsum(n_sources * n_targets) - n_sources * n_targets
    target_unit, source_unit = np.divmod(np.arange(len(edge)) - first[edge], n_sources[edge])
    source = _first_column(level.source_column, n_hidden_there, units)[edge] + source_unit
    target = _first_column(level.target_column, level.n_hidden, units)[edge] + target_unit
    order = np.lexsort((source, target, level.source_level[edge]))
    edge, source_unit, target_unit = edge[order], source_unit[order], target_unit[order]
    wiring = Wiring(
        n_hidden=level.n_hidden * units,
        n_outputs=level.n_outputs,
        n_fed=level.n_fed,
        input_columns=level.input_columns,
        source_level=level.source_level[edge],
        source_column=source[order],
        target_column=target[order],
        interaction=level.interaction[edge],
    )
    return Expansion(wiring, edge, source_unit, target_unit, node, node_unit)


def _columns(level: Wiring, units: int) -> tuple[IntVector, IntVector]:
    """Vertex and unit of each column."""
    of_hidden = np.arange(level.n_hidden * units)
    others = np.arange(level.n_hidden, level.n_nodes)
    return np.concatenate([of_hidden // units, others]), np.concatenate([of_hidden % units, np.zeros_like(others)])


def _first_column(column: IntVector, n_hidden: IntVector | int, units: int) -> IntVector:
    """The column at which the units of a vertex begin: hidden vertices come first in a block."""
    return column + (units - 1) * np.minimum(column, n_hidden)
