"""What a compiled model should compute, from its weights by name and the vertex-by-vertex oracle, in double precision.

A vertex of the oracle is here (name, unit), so that one oracle serves any number of units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.compiler.model import bias_frame, weights_frame
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.extract.dag import Dag
from tests.oracles.forward import forward, softmax

Edge = tuple[tuple[str, int], tuple[str, int]]
Matrix = npt.NDArray[np.float64]


def edges_of(model: Any) -> list[tuple[tuple[str, int], tuple[str, int], float]]:
    """(source, target, weight) of each edge of units."""
    frame = weights_frame(model)
    ones = [1] * len(frame)
    starts = zip(frame["source"], frame.get("source_unit", ones), strict=True)
    ends = zip(frame["target"], frame.get("target_unit", ones), strict=True)
    return list(zip(starts, ends, frame["weight"].astype(float), strict=True))


def biases_of(model: Any) -> dict[tuple[str, int], float]:
    """Bias of each unit of each vertex that is no input."""
    frame = bias_frame(model)
    units = frame.get("node_unit", [1] * len(frame))
    return dict(zip(zip(frame["node"], units, strict=True), frame["bias"].astype(float), strict=True))


def units_of(dag: Dag, units: int) -> list[tuple[str, int]]:
    """Every unit of every vertex: hidden ones have so many, others one."""
    hidden = set(dag.hidden)
    return [(name, k + 1) for name in dag.graph.nodes for k in range(units if name in hidden else 1)]


def check_names(model: Any, dag: Dag, units: int) -> None:
    """The frames name each edge of units and each unit with a bias once, and nothing else."""
    of = {name: [unit for unit in units_of(dag, units) if unit[0] == name] for name in dag.graph.nodes}
    expected = [(a, b) for s, _, t in dag.graph.to_sif_tuples() for a in of[s] for b in of[t]]
    assert sorted((source, target) for source, target, _ in edges_of(model)) == sorted(expected)
    assert sorted(biases_of(model)) == sorted(unit for unit in units_of(dag, units) if unit[0] not in dag.inputs)


def activations_of(dag: Dag, options: NetworkOptions) -> dict[tuple[str, int], str]:
    """The activation of each hidden unit, read off the options by hand: name before level before the default."""
    level_of = {name: k for k, level in enumerate(plan_layers(dag).levels, start=1) for name in level.nodes}
    given = options.activations
    return {
        (name, unit): given.get(name, given.get(level_of[name], options.hidden_activation))
        for name, unit in units_of(dag, options.units)
        if name in dag.hidden
    }


class ByHand:
    """The network of a model, vertex by vertex.

    Args:
        model: Where the weights come from, now.
        dag: Its network.
        options: With which it was compiled.
    """

    def __init__(self, model: Any, dag: Dag, options: NetworkOptions | None = None) -> None:
        self.options = options or NetworkOptions()
        self.edges, self.biases = edges_of(model), biases_of(model)
        self.inputs = [(name, 1) for name in sorted(dag.inputs)]
        self.outputs = [(name, 1) for name in sorted(dag.outputs)]
        self.activations = activations_of(dag, self.options)

    def predict(
        self,
        data: npt.ArrayLike,
        *,
        change: Callable[[list[Any], dict[Any, float]], None] | None = None,
        pushed: Sequence[tuple[str, int]] = (),
        push: float = 0.0,
    ) -> Matrix:
        """The predictions, shape (n_cells, n_outputs).

        Args:
            data: Columns are the inputs, sorted.
            change: Changes a copy of edges and biases in place before the pass.
            pushed: Units whose value is larger by `push`, with everything above them computed anew.
            push: How much.
        """
        edges, biases = list(self.edges), dict(self.biases)
        if change is not None:
            change(edges, biases)
        pusher = ("\0push", 1)  # a measured vertex that carries the push to all targets of the pushed ones
        edges += [(pusher, target, weight) for source, target, weight in edges if source in pushed]
        softened = self.options.output == "softmax"
        rows = []
        for row in np.asarray(data, dtype=np.float64):
            values = forward(
                edges,
                biases,
                {**dict(zip(self.inputs, row.tolist(), strict=True)), pusher: push},
                self.outputs,
                output_activation="linear" if softened else self.options.output,
                activations=self.activations,
            )
            found = [values[output] + (push if output in pushed else 0.0) for output in self.outputs]
            rows.append(softmax(found) if softened else found)
        return np.array(rows)


def expected_of(model: Any, dag: Dag, data: npt.ArrayLike, options: NetworkOptions | None = None) -> Matrix:
    """The predictions of a model, by hand."""
    return ByHand(model, dag, options).predict(data)
