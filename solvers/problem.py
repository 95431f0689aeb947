"""`Problem`: choose edges of a directed graph so that every input reaches an output and every output is reached."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from solvers.errors import ProblemError
from solvers.rules import Rules

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
        vertex_costs: Cost of each vertex, paid once if a chosen edge begins or ends there, shape (n_vertices,);
            default 0 each.
        rules: What else a network has to respect.
    """

    n_vertices: int
    sources: IntVector
    targets: IntVector
    inputs: IntVector
    outputs: IntVector
    costs: FloatVector
    vertex_costs: FloatVector
    rules: Rules

    def __init__(
        self,
        *,
        n_vertices: int,
        sources: Any,
        targets: Any,
        inputs: Any,
        outputs: Any,
        costs: Any = None,
        vertex_costs: Any = None,
        rules: Rules | None = None,
    ) -> None:
        sources, targets = _indices(sources, n_vertices, "sources"), _indices(targets, n_vertices, "targets")
        weights = np.ones(len(sources)) if costs is None else np.array(costs, dtype=np.float64)
        if not len(sources) == len(targets) == len(weights):
            raise ProblemError(
                f"expected sources, targets and costs of one length, got {len(sources)}, {len(targets)}, {len(weights)}"
            )
        prices = np.zeros(int(n_vertices)) if vertex_costs is None else np.array(vertex_costs, dtype=np.float64)
        if prices.shape != (int(n_vertices),):
            raise ProblemError(f"expected one cost for each of {n_vertices} vertices, got shape {prices.shape}")
        for what, numbers in (("costs", weights), ("vertex costs", prices)):
            if not np.isfinite(numbers).all():
                raise ProblemError(f"expected finite {what}, got {numbers[~np.isfinite(numbers)][0]}")
        if (sources == targets).any():
            raise ProblemError(f"expected no self-loops, got one at vertex {sources[sources == targets][0]}")
        values: dict[str, Any] = {
            "n_vertices": int(n_vertices),
            "sources": sources,
            "targets": targets,
            "inputs": np.unique(_indices(inputs, n_vertices, "inputs")),
            "outputs": np.unique(_indices(outputs, n_vertices, "outputs")),
            "costs": weights,
            "vertex_costs": prices,
        }
        if not len(values["inputs"]) or not len(values["outputs"]):
            raise ProblemError("expected at least one input and one output, got none")
        if np.intersect1d(values["inputs"], values["outputs"]).size:
            raise ProblemError("expected inputs and outputs to be disjoint, got a vertex that is both")
        values["rules"] = (rules or Rules()).checked(
            n_vertices=int(n_vertices),
            n_edges=len(sources),
            inputs=values["inputs"].tolist(),
            outputs=values["outputs"].tolist(),
        )
        if not values["rules"].shared_order and min(weights.min(initial=0.0), prices.min(initial=0.0)) < 0:
            raise ProblemError("expected shared_order=True with negative costs, got samples with their own orders")
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, name, value)

    def changed(self, **values: Any) -> Problem:
        """The problem with some attributes replaced, checked as any other."""
        kept = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in values}
        return Problem(**kept, **values)

    @property
    def n_edges(self) -> int:
        """Number of edges to choose from."""
        return len(self.sources)

    @property
    def has_integer_costs(self) -> bool:
        """Whether every cost and reward is an integer, so that bounds may be rounded up and checked exactly."""
        rewards = np.array(list(self.rules.rewards.values()))
        return all(bool((values == np.round(values)).all()) for values in (self.costs, self.vertex_costs, rewards))

    @property
    def has_negative_costs(self) -> bool:
        """Whether an edge or a vertex pays for being chosen; acyclicity then has to be enforced."""
        return bool((self.costs < 0).any() or (self.vertex_costs < 0).any())

    @property
    def is_plain(self) -> bool:
        """Whether only edges cost and only covering is asked."""
        return self.rules.is_plain and not self.vertex_costs.any()

    @property
    def is_cover(self) -> bool:
        """Whether only covering is asked; vertices may cost, and inputs may be left out for a reward."""
        return replace(self.rules, rewards={}).is_plain


def _indices(values: Any, n_vertices: int, what: str) -> IntVector:
    array = np.array(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ProblemError(f"expected integer {what}, got {array.dtype}")
    array = array.astype(np.int64).reshape(-1)
    if array.size and (array.min() < 0 or array.max() >= n_vertices):
        raise ProblemError(f"expected {what} in [0, {n_vertices}), got {array.min()} .. {array.max()}")
    return array
