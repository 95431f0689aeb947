"""Which initial weights and which activation let a deep, sparse network learn? `python -m benchmarks.initial_weights`

Five simulated data sets (seeds 0 to 4) on the demo network, 600 cells each; five folds, the nested protocol; mean
ROC-AUC of the shortest-path and of the minimal network. The defaults of graphnn were chosen by this table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import graphnn as gn
from benchmarks.store import show, store
from graphnn.compiler.initial import initial_kernel
from graphnn.compiler.layers import edge
from graphnn.data.demo import DEMO_OUTPUT, INPUT_SUFFIX, demo_inputs, demo_network

Draw = Callable[..., Any]


def symmetric(fan_in: Any, *, seed: int, level: int) -> Any:
    """Uniform around zero with the variance of LeCun's rule over live fan-in."""
    limit = np.sqrt(3.0 / fan_in)
    return (np.random.default_rng((seed, level)).uniform(-1, 1, len(fan_in)) * limit).astype(np.float32)


def signed(fan_in: Any, *, seed: int, level: int) -> Any:
    """The rule of graphnn with random signs."""
    signs = np.random.default_rng((seed, level, 2)).choice([-1.0, 1.0], len(fan_in))
    return (initial_kernel(fan_in, seed=seed, level=level) * signs).astype(np.float32)


RULES: dict[str, Draw] = {"symmetric": symmetric, "one size, random sign": signed, "one size, positive": initial_kernel}
ACTIVATIONS = ("elu", "tanh", "relu", "sigmoid")


def main(seeds: int = 5) -> int:
    """Measure, print, store."""
    graph, inputs = demo_network(), demo_inputs()
    pruned = graph.prune(inputs, [DEMO_OUTPUT])
    full = gn.extract_dag(pruned, inputs, [DEMO_OUTPUT], objective="shortest_paths")
    minimal = gn.extract_dag(pruned, inputs, [DEMO_OUTPUT])
    rows: list[dict[str, Any]] = []
    for rule, draw in RULES.items():
        edge.initial_kernel = draw  # only here: the rule is not an option of the product
        for activation in ACTIVATIONS:
            means = []
            for seed in range(seeds):
                simulation = gn.simulate_cells(graph, inputs, [DEMO_OUTPUT], input_suffix=INPUT_SUFFIX, seed=seed)
                comparison = gn.compare(
                    full,
                    minimal,
                    simulation.to_cells().log_normalized(),
                    simulation.labels,
                    seed=seed,
                    network=gn.NetworkOptions(hidden_activation=activation),
                    input_suffix=INPUT_SUFFIX,
                )
                means.append(comparison.summary().loc[0, ["full", "compressed"]].to_numpy(dtype=float))
            full_auc, minimal_auc = np.mean(means, axis=0)
            rows.append({"rule": rule, "activation": activation, "full": full_auc, "minimal": minimal_auc})
            show(rows[-1:])
    show(rows)
    print(store("initial_weights", rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
