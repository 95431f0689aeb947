"""A forward pass vertex by vertex, in plain Python: the oracle of the compiler. Shares no code with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

V = TypeVar("V")  # a vertex: its name, or (name, unit)

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def _clipped(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _elu(value: float) -> float:
    return value if value > 0 else math.expm1(value)


FUNCTIONS: dict[str, Callable[[float], float]] = {
    "celu": _elu,
    "elu": _elu,
    "exponential": math.exp,
    "gelu": lambda value: 0.5 * value * (1 + math.erf(value / math.sqrt(2))),
    "hard_sigmoid": lambda value: _clipped(value / 6 + 0.5, 0.0, 1.0),
    "hard_silu": lambda value: value * _clipped(value / 6 + 0.5, 0.0, 1.0),
    "hard_tanh": lambda value: _clipped(value, -1.0, 1.0),
    "leaky_relu": lambda value: value if value > 0 else 0.2 * value,
    "linear": lambda value: value,
    "log_sigmoid": lambda value: -_softplus(-value),
    "mish": lambda value: value * math.tanh(_softplus(value)),
    "relu": lambda value: max(value, 0.0),
    "relu6": lambda value: _clipped(value, 0.0, 6.0),
    "selu": lambda value: SELU_SCALE * (value if value > 0 else SELU_ALPHA * math.expm1(value)),
    "sigmoid": _sigmoid,
    "silu": lambda value: value * _sigmoid(value),
    "softplus": _softplus,
    "softsign": lambda value: value / (1 + abs(value)),
    "tanh": math.tanh,
}


def forward(
    edges: Iterable[tuple[V, V, float]],
    biases: Mapping[V, float],
    measured: Mapping[V, float],
    outputs: Sequence[V],
    *,
    hidden_activation: str = "elu",
    output_activation: str = "sigmoid",
    activations: Mapping[V, str] | None = None,
) -> dict[V, float]:
    """Value of every vertex for one cell.

    Args:
        edges: (source, target, weight).
        biases: Of every vertex that is not measured.
        measured: Value of every input.
        outputs: Predicted vertices.
        hidden_activation: Of the hidden vertices.
        output_activation: Of the outputs.
        activations: Exceptions among the hidden vertices.
    """
    into: dict[V, list[tuple[V, float]]] = {}
    for source, target, weight in edges:
        into.setdefault(target, []).append((source, weight))
    values: dict[V, float] = {}

    def value(vertex: V) -> float:
        if vertex not in values:
            total = sum(weight * value(source) for source, weight in into.get(vertex, []))
            if vertex in measured:
                values[vertex] = measured[vertex] + total
            else:
                hidden = (activations or {}).get(vertex, hidden_activation)
                name = output_activation if vertex in outputs else hidden
                values[vertex] = FUNCTIONS[name](total + biases[vertex])
        return values[vertex]

    for vertex in {**dict.fromkeys(into), **dict.fromkeys(measured)}:
        value(vertex)
    return values


def softmax(values: Sequence[float]) -> list[float]:
    """One distribution over the values."""
    largest = max(values)
    powers = [math.exp(value - largest) for value in values]
    return [power / sum(powers) for power in powers]
