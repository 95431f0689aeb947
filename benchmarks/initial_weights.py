"""Which initial weights and which activation let a deep, sparse network learn? `python -m benchmarks.initial_weights`

Mean ROC-AUC of the shortest-path and of the minimal network over five folds, the nested protocol: five simulated data
sets (seeds 0 to 4) on the demo network, 600 cells each, under every activation; a drawn network of a published
tutorial's size, and the real T-cell network with its cells where the folder of real data is, under the default one. The
defaults of graphnn were chosen by this table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

import graphnn as gn
from benchmarks.store import real_data, show, store
from benchmarks.training import MAKERS
from graphnn.compiler.initial import initial_kernel
from graphnn.compiler.layers import edge
from graphnn.data.demo import DEMO_OUTPUT, INPUT_SUFFIX, demo_inputs, demo_network
from graphnn.evaluate.bench.own import as_dag

Draw = Callable[..., Any]
DEFAULT = "elu"


def symmetric(fan_in: Any, *, seed: int, level: int) -> Any:
    """Uniform around zero with the variance of LeCun's rule over live fan-in."""
    limit = np.sqrt(3.0 / fan_in)
    return (np.random.default_rng((seed, level)).uniform(-1, 1, len(fan_in)) * limit).astype(np.float32)


def root(fan_in: Any, *, seed: int, level: int) -> Any:
    """Positive, about 1 / sqrt(fan-in)."""
    return initial_kernel(fan_in, seed=seed, level=level) * np.sqrt(fan_in).astype(np.float32)


def signed_root(fan_in: Any, *, seed: int, level: int) -> Any:
    """The same with random signs."""
    signs = np.random.default_rng((seed, level, 2)).choice([-1.0, 1.0], len(fan_in))
    return (root(fan_in, seed=seed, level=level) * signs).astype(np.float32)


RULES: dict[str, Draw] = {
    "symmetric": symmetric,
    "1 / sqrt(fan-in), random sign": signed_root,
    "1 / sqrt(fan-in), positive": root,
    "1 / fan-in, positive": initial_kernel,
}
ACTIVATIONS = (DEFAULT, "tanh", "relu", "sigmoid")


def on_demo(activation: str, *, seeds: int = 5) -> Iterator[gn.Comparison]:
    """Comparisons on the demo network, each with cells of its own."""
    graph, inputs = demo_network(), demo_inputs()
    pruned = graph.prune(inputs, [DEMO_OUTPUT])
    full = gn.extract_dag(pruned, inputs, [DEMO_OUTPUT], objective="shortest_paths")
    minimal = gn.extract_dag(pruned, inputs, [DEMO_OUTPUT])
    for seed in range(seeds):
        simulation = gn.simulate_cells(graph, inputs, [DEMO_OUTPUT], input_suffix=INPUT_SUFFIX, seed=seed)
        cells, options = simulation.to_cells().log_normalized(), gn.NetworkOptions(hidden_activation=activation)
        yield gn.compare(full, minimal, cells, simulation.labels, seed=seed, network=options, input_suffix=INPUT_SUFFIX)


def on_instance(name: str) -> gn.Comparison:
    """The comparison of both networks of an instance of the training benchmark."""
    instance = MAKERS[name]()
    full, cells = as_dag(instance.network), instance.cells
    x, y = np.concatenate([cells.x_train, cells.x_test]), np.concatenate([cells.y_train, cells.y_test])
    names = [f"cell{row:06d}" for row in range(len(x))]
    columns = [instance.network.nodes[vertex] for vertex in instance.network.inputs.tolist()]
    labels = pd.Series(y[:, 0], index=names, name=full.outputs[0])
    assert instance.second is not None
    return gn.compare(full, as_dag(instance.second), pd.DataFrame(x, index=names, columns=columns), labels)


def main() -> int:
    """Measure, print, store."""
    rows: list[dict[str, Any]] = []
    for rule, draw in RULES.items():
        edge.initial_kernel = draw  # only here: the rule is not an option of the product
        for activation in ACTIVATIONS:
            rows.append(row_of(rule, "demo", activation, list(on_demo(activation))))
        for name in ("tutorial", *(["tcell_abc"] if real_data() else [])):
            rows.append(row_of(rule, name, DEFAULT, [on_instance(name)]))
    show(rows)
    print(store("initial_weights", rows))
    return 0


def row_of(rule: str, network: str, activation: str, comparisons: list[gn.Comparison]) -> dict[str, Any]:
    """Mean ROC-AUC and epochs over comparisons."""
    auc = np.mean(
        [found.summary().loc[0, ["full", "compressed"]].to_numpy(dtype=float) for found in comparisons], axis=0
    )
    epochs = float(np.mean([found.scores["epochs"].mean() for found in comparisons]))
    row = {"rule": rule, "network": network, "activation": activation, "full": auc[0], "minimal": auc[1]}
    show([row | {"epochs": epochs}])
    return row | {"epochs": epochs}


if __name__ == "__main__":
    sys.exit(main())
