"""Importance of all hidden vertices: one reverse pass against the numerical way, vertex by vertex, on the same network.

`python -m benchmarks.importance` draws a network of 500 hidden vertices and 3,000 inputs and 1,000 cells, measures,
prints and stores. The activation is tanh, which has no kinks, so that a difference quotient has a limit to agree with.
The numerical way is written as well as it can be: what the data bring is summed once, and only levels above the vertex
are computed anew, in place. Times are the least of a few runs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.store import show, store
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import LayerPlan, plan_layers
from graphnn.evaluate.bench.shapes import Shape, draw_network
from graphnn.explain.circuit import make_circuit
from graphnn.explain.methods import METHODS, Question
from graphnn.explain.options import ImportanceOptions
from graphnn.explain.passes import Passes

SHAPE = Shape("500 hidden vertices", 3_000, (280, 100, 60, 40, 15, 5, 1), (8_000, 1_600, 800, 600, 250, 80, 15))
N_CELLS, BAR, AGREEMENT = 1_000, 50.0, 1e-4


def draw_passes(shape: Shape = SHAPE, *, activation: str = "tanh", seed: int = 0) -> Passes:
    """A drawn network with drawn weights, by size such that values stay of order 1."""
    plan = plan_layers(draw_network(shape, seed=seed))
    circuit = make_circuit(plan, NetworkOptions(hidden_activation=activation))
    return Passes(circuit, circuit.fill((draw_weights(plan, seed=seed), [])))


def draw_weights(plan: LayerPlan, *, seed: int) -> list[Any]:
    """Kernel and bias of each level. No weight is near 0: what a vertex without any influence scores is rounding."""
    draw, found = np.random.default_rng(seed), []
    for level in plan.levels:
        size = draw.choice([-1.0, 1.0], size=level.n_edges) * draw.uniform(0.5, 1.5, size=level.n_edges)
        found.append(size / np.sqrt(level.fan_in[level.target_column]))
        found.append(draw.normal(size=level.n_biases) / 2)
    return found


def seconds(function: Callable[[], Any], *, runs: int) -> tuple[float, Any]:
    """The least time of some runs, and what came out."""
    least, found = float("inf"), None
    for _ in range(runs):
        start = time.perf_counter()
        found = function()
        least = min(least, time.perf_counter() - start)
    return least, found


def main() -> int:
    """Measure, print, store."""
    passes = draw_passes()
    circuit = passes.circuit
    x = np.random.default_rng(1).normal(size=(N_CELLS, len(circuit.plan.inputs))).astype(np.float32)
    to_base, base = seconds(lambda: passes.from_data(x), runs=5)
    ask = Question(passes, base, passes.from_data(np.zeros((1, x.shape[1]))), ImportanceOptions())
    rows: list[dict[str, Any]] = [{"what": "sums over the data, for any method", "seconds": to_base}]
    times, scores = {}, {}
    for method, runs in {"gradient": 7, "numerical": 2, "knockout": 2, "conductance": 2}.items():
        times[method], effects = seconds(lambda method=method: METHODS[method](ask), runs=runs)
        scores[method] = effects
        rows.append({"what": method, "seconds": times[method]})
    run = passes.forward(base)
    reverse, _ = seconds(lambda: passes.reverse(run, output=0), runs=7)
    rows.append({"what": "the reverse pass alone", "seconds": reverse})
    ratio = times["numerical"] / times["gradient"]
    worst = max(
        float(np.max(np.abs(a - b) / np.abs(b)))
        for a, b in (
            (scores["numerical"].absolute, scores["gradient"].absolute),
            (np.abs(scores["numerical"].signed), np.abs(scores["gradient"].signed)),
        )
    )
    figures = {
        "numerical / gradient, each with its forward pass": ratio,
        "the same, sums over the data included": (times["numerical"] + to_base) / (times["gradient"] + to_base),
        "numerical / reverse pass alone": times["numerical"] / reverse,
        "largest relative difference of scores": worst,
    }
    show(rows)
    show([{"figure": name, "value": value} for name, value in figures.items()])
    print(store("importance", [*rows, *({"what": name, "value": value} for name, value in figures.items())]))
    print(f"{len(circuit.hidden)} hidden vertices, {N_CELLS:,} cells: {ratio:.0f} times faster, bar {BAR:g}")
    return 0 if ratio >= BAR and worst <= AGREEMENT else 1


if __name__ == "__main__":
    sys.exit(main())
