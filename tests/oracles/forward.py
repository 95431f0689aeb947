"""A forward pass vertex by vertex, in plain Python: the oracle of the compiler. Shares no code with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

FUNCTIONS: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "elu": lambda total: total if total > 0 else math.expm1(total),
    "linear": lambda value: value,
    "relu": lambda value: max(value, 0.0),
    "sigmoid": lambda value: 1 / (1 + math.exp(-value)),
}


def forward(
    edges: Iterable[tuple[str, str, float]],
    biases: Mapping[str, float],
    measured: Mapping[str, float],
    outputs: Sequence[str],
    *,
    hidden_activation: str = "elu",
    output_activation: str = "sigmoid",
) -> dict[str, float]:
    """Value of every vertex for one cell.

    Args:
        edges: (source, target, weight).
        biases: Of every vertex that is not measured.
        measured: Value of every input.
        outputs: Predicted vertices.
    """
    into: dict[str, list[tuple[str, float]]] = {}
    for source, target, weight in edges:
        into.setdefault(target, []).append((source, weight))
    values: dict[str, float] = {}

    def value(vertex: str) -> float:
        if vertex not in values:
            total = sum(weight * value(source) for source, weight in into.get(vertex, []))
            if vertex in measured:
                values[vertex] = measured[vertex] + total
            else:
                name = output_activation if vertex in outputs else hidden_activation
                values[vertex] = FUNCTIONS[name](total + biases[vertex])
        return values[vertex]

    for vertex in {**dict.fromkeys(into), **dict.fromkeys(measured)}:
        value(vertex)
    return values
