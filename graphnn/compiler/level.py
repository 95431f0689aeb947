"""`Level`: the vertices of one layer and every edge into them, as read-only index arrays.

May import `graphnn.errors` and `graphnn.graph`; NumPy, no Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from graphnn.errors import FormatError
from graphnn.graph.reach import IntVector

_ARRAYS = ("input_columns", "source_level", "source_column", "target_column", "interaction")


@dataclass(frozen=True, eq=False)
class Level:
    """One layer. Vertices are ordered hidden, outputs, fed inputs; edges by (source_level, target, source).

    Attributes:
        nodes: Names of the vertices, shape (n_nodes,), each of the three groups sorted.
        n_hidden: How many of them are hidden.
        n_outputs: How many of them are outputs.
        n_fed: How many of them are inputs into which edges lead.
        input_columns: Column of each fed input in the data, shape (n_fed,).
        source_level: Block that each edge reads (0: the data), shape (n_edges,).
        source_column: Column in that block, shape (n_edges,).
        target_column: Column in `nodes`, shape (n_edges,).
        interaction: 1, -1 or 0, shape (n_edges,).

    Raises:
        FormatError: Counts, lengths, ranges or order contradict each other.
    """

    nodes: tuple[str, ...]
    n_hidden: int
    n_outputs: int
    n_fed: int
    input_columns: IntVector
    source_level: IntVector
    source_column: IntVector
    target_column: IntVector
    interaction: IntVector

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            array = np.array(getattr(self, name), dtype=np.int64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        reason = self._fault()
        if reason:
            raise FormatError(f"expected a consistent level, but {reason}; plan the network again")

    @property
    def arrays(self) -> tuple[IntVector, ...]:
        """The index arrays, in the order of the fields."""
        return tuple(getattr(self, name) for name in _ARRAYS)

    @property
    def n_nodes(self) -> int:
        """Number of vertices, the width of the layer's result."""
        return len(self.nodes)

    @property
    def n_edges(self) -> int:
        """Number of edges into the level, the length of its kernel."""
        return len(self.source_level)

    @property
    def n_biases(self) -> int:
        """Hidden vertices and outputs: those with a bias."""
        return self.n_hidden + self.n_outputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs in this level."""
        return self.nodes[self.n_hidden : self.n_biases]

    @property
    def fed(self) -> tuple[str, ...]:
        """Names of the fed inputs in this level."""
        return self.nodes[self.n_biases :]

    @cached_property
    def blocks(self) -> tuple[int, ...]:
        """The blocks that the level reads, ascending; with fed inputs the data (0) is among them."""
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
        """Number of edges into each vertex, shape (n_nodes,)."""
        return np.bincount(self.target_column, minlength=self.n_nodes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Level) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.nodes, self.n_edges))

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON types."""
        return {
            "nodes": list(self.nodes),
            "n_hidden": self.n_hidden,
            "n_outputs": self.n_outputs,
            "n_fed": self.n_fed,
            **{name: getattr(self, name).tolist() for name in _ARRAYS},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Level:
        """Inverse of `to_dict`.

        Raises:
            FormatError: It is no such dictionary.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(data, Mapping) or set(data) != set(names):
            raise FormatError(f"expected a level with the keys {', '.join(names)}, got {str(data)[:60]!r}")
        for name in ("nodes", *_ARRAYS):
            kind = str if name == "nodes" else int
            if not isinstance(data[name], (list, tuple)) or any(type(value) is not kind for value in data[name]):
                raise FormatError(f"expected {name} of a level to be a list of {kind.__name__}; write the plan again")
        try:
            return cls(**{**data, "nodes": tuple(data["nodes"])})
        except OverflowError as error:
            raise FormatError(f"expected indices in a level, got a number too large ({error})") from error

    def _fault(self) -> str:
        """What contradicts what; empty where nothing does."""
        counts = (self.n_hidden, self.n_outputs, self.n_fed)
        if any(type(count) is not int or count < 0 for count in counts) or sum(counts) != self.n_nodes:
            return f"{self.n_nodes} vertices are counted as {counts}"
        if any(not isinstance(name, str) or not name for name in self.nodes):
            return "a vertex has no name"
        if not self.n_edges or any(array.shape != (self.n_edges,) for array in self.arrays[1:]):
            return "the edge arrays have other lengths, or no edges"
        if self.input_columns.shape != (self.n_fed,):
            return "not every fed input has its data column"
        if any((array < 0).any() for array in self.arrays[:-1]) or not np.isin(self.interaction, (-1, 0, 1)).all():
            return "an index or an interaction is out of range"
        if (self.target_column >= self.n_nodes).any() or not self.fan_in.all():
            return "an edge ends in no vertex, or a vertex has no edge"
        groups = (self.nodes[: self.n_hidden], self.outputs, self.fed)
        if any(list(group) != sorted(set(group)) for group in groups):
            return "its vertices are not sorted"
        keys = np.stack([self.source_level, self.target_column, self.source_column])
        step = np.diff(keys, axis=1)
        rises = (step[0] > 0) | ((step[0] == 0) & ((step[1] > 0) | ((step[1] == 0) & (step[2] > 0))))
        return "" if rises.all() else "its edges are not sorted, or one stands twice"
