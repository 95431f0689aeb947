"""`Level`: the vertices of one layer and every edge into them, as read-only index arrays.

May import `graphnn.errors` and `graphnn.graph`; NumPy, no Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from graphnn.compiler.wiring import ARRAYS, Wiring
from graphnn.errors import FormatError


@dataclass(frozen=True, eq=False, kw_only=True)
class Level(Wiring):
    """One layer with names. Vertices are ordered hidden, outputs, fed inputs.

    Attributes:
        nodes: Names of the vertices, shape (n_nodes,), each of the three groups sorted.

    Raises:
        FormatError: Counts, lengths, ranges or order contradict each other.
    """

    nodes: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        reason = self._fault()
        if reason:
            raise FormatError(f"expected a consistent level, but {reason}; plan the network again")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs in this level."""
        return self.nodes[self.n_hidden : self.n_biases]

    @property
    def fed(self) -> tuple[str, ...]:
        """Names of the fed inputs in this level."""
        return self.nodes[self.n_biases :]

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
            **{name: getattr(self, name).tolist() for name in ARRAYS},
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
        for name in ("nodes", *ARRAYS):
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
        if any(type(count) is not int or count < 0 for count in counts) or sum(counts) != len(self.nodes):
            return f"{len(self.nodes)} vertices are counted as {counts}"
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
