"""`Problem`: choose edges of a directed graph so that every input reaches an output and every output is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from solvers.errors import ProblemError

IntVector = npt.NDArray[np.int64]
FloatVector = npt.NDArray[np.float64]
BoolVector = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Problem:
    """The minimum-cost acyclic covering network problem.

    Find an acyclic set of edges in which every input has a path to an output, every output has a path from an
    input, and every edge lies on an input-to-output path, at least total cost. For costs >= 0 this is the acyclic
    flow problem of the field without its artificial edges; for negative costs (see `Options`) edges pay.

    Attributes:
        n_vertices: Number of vertices; they are 0 .. n_vertices - 1.
        sources: Tail of each edge, shape (n_edges,).
        targets: Head of each edge, shape (n_edges,).
        inputs: Sorted vertices that must reach an output, shape (n_inputs,).
        outputs: Sorted vertices that must be reached from an input, shape (n_outputs,).
        costs: Cost of each edge, shape (n_edges,); default 1 each.
    """

    n_vertices: int
    sources: IntVector
    targets: IntVector
    inputs: IntVector
    outputs: IntVector
    costs: FloatVector

    def __init__(
        self, *, n_vertices: int, sources: Any, targets: Any, inputs: Any, outputs: Any, costs: Any = None
    ) -> None:
        sources, targets = _indices(sources, n_vertices, "sources"), _indices(targets, n_vertices, "targets")
        weights = np.ones(len(sources)) if costs is None else np.array(costs, dtype=np.float64)
        if not len(sources) == len(targets) == len(weights):
            raise ProblemError(
                f"expected sources, targets and costs of one length, got {len(sources)}, {len(targets)}, {len(weights)}"
            )
        if not np.isfinite(weights).all():
            raise ProblemError(f"expected finite costs, got {weights[~np.isfinite(weights)][0]}")
        if (sources == targets).any():
            raise ProblemError(f"expected no self-loops, got one at vertex {sources[sources == targets][0]}")
        values = {
            "n_vertices": int(n_vertices),
            "sources": sources,
            "targets": targets,
            "inputs": np.unique(_indices(inputs, n_vertices, "inputs")),
            "outputs": np.unique(_indices(outputs, n_vertices, "outputs")),
            "costs": weights,
        }
        if not len(values["inputs"]) or not len(values["outputs"]):
            raise ProblemError("expected at least one input and one output, got none")
        if np.intersect1d(values["inputs"], values["outputs"]).size:
            raise ProblemError("expected inputs and outputs to be disjoint, got a vertex that is both")
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def n_edges(self) -> int:
        """Number of edges to choose from."""
        return len(self.sources)

    @property
    def has_integer_costs(self) -> bool:
        """Whether every cost is an integer, so that bounds may be rounded up and checked exactly."""
        return bool((self.costs == np.round(self.costs)).all())

    @property
    def has_negative_costs(self) -> bool:
        """Whether an edge pays for being chosen; acyclicity then has to be enforced."""
        return bool((self.costs < 0).any())


def _indices(values: Any, n_vertices: int, what: str) -> IntVector:
    array = np.array(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ProblemError(f"expected integer {what}, got {array.dtype}")
    array = array.astype(np.int64).reshape(-1)
    if array.size and (array.min() < 0 or array.max() >= n_vertices):
        raise ProblemError(f"expected {what} in [0, {n_vertices}), got {array.min()} .. {array.max()}")
    return array
