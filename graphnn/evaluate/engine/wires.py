"""`Wires`: a compiled model as the index arrays that the engine on numba runs over. Imports numba.

All units of all levels stand in one list, level by level, so a unit comes after all that it reads. Weights stand in one
vector in the order in which they are used:

- edges out of the data, in *chunks* of two edges of one input. The first chunk of an input has the number of the input,
  and each names the one that follows it. The inner loop over an input's edges, whose length nobody can foretell, so
  becomes a list of chunks without a loop, in a third of the time (`python -m benchmarks.kernels`). A chunk that is not
  full leads to a unit that is none, with weight 0;
- edges between units, by target;
- one bias for each unit that has one.

What an input brings to a unit that it feeds, its measurement, is an edge whose weight stays 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from graphnn.compiler.backend import keras
from graphnn.compiler.layers import EdgeDense
from graphnn.compiler.model import output_places, parts_of, plan_of
from graphnn.evaluate.engine import kernels
from graphnn.evaluate.engine.able import ABLE, activations_of
from graphnn.evaluate.engine.kernels import Penalty, Wires
from graphnn.graph.reach import IntVector

FloatVector = npt.NDArray[np.float32]

CHUNK = 2  # edges of an input, side by side
DEEP = 4  # chunks of an input, on average, from which on they are many

# By the numbers that the loops know them by.
ACTIVATIONS = {name: getattr(kernels, name.upper()) for name in ABLE if name != "celu"} | {"celu": kernels.ELU}


@dataclass(frozen=True, eq=False)
class Lowered:
    """A model as arrays.

    Attributes:
        wires: Its wiring.
        penalty: Its penalties.
        loss: One of those in `kernels`.
        place: Where in the vector of weights each trainable number of the model stands, in the model's order.
        n_weights: Length of that vector.
    """

    wires: Wires
    penalty: Penalty
    loss: int
    place: IntVector
    n_weights: int


def lower(model: Any) -> Lowered:
    """Bring a model that `compile_network` built to arrays; `able.obstacle` has said that it can be."""
    names, levels, readout = parts_of(model)
    start = np.cumsum([0, *(layer.wiring.n_nodes for layer in levels)])
    n_units = int(start[-1])
    data, between = _edges(levels, start)
    chunks = _chunks(data, n_inputs=len(names.names), n_units=n_units)
    order = np.lexsort((between["source"], between["target"]))
    n_data, n_between = chunks.unit.size, len(order)
    number_of = np.empty(n_between, dtype=np.int64)
    number_of[order] = np.arange(n_between)
    has_bias = np.concatenate([np.arange(layer.wiring.n_nodes) < layer.wiring.n_biases for layer in levels])
    bias = np.where(has_bias, np.cumsum(has_bias) - 1, -1)
    place = np.full(int(sum(np.prod(variable.shape) for variable in model.trainable_variables)), -1, dtype=np.int64)
    trained = data["number"] >= 0
    place[data["number"][trained]] = chunks.place[trained]
    place[between["number"]] = n_data + number_of
    place[_bias_numbers(levels)] = n_data + n_between + np.arange(int(has_bias.sum()))
    output = _outputs(model, levels, start)
    output_of = np.full(n_units, -1, dtype=np.int64)
    output_of[output] = np.arange(len(output))
    wires = Wires(
        chunk_unit=chunks.unit,
        chunk_next=chunks.following,
        chunk_input=chunks.input,
        first=np.searchsorted(between["target"][order], np.arange(n_units + 1)).astype(np.int64),
        source=between["source"][order].astype(np.uint32),
        activation=np.array([ACTIVATIONS[name] for layer in levels for name in activations_of(layer)], dtype=np.int8),
        bias=bias.astype(np.int64),
        output=output,
        output_of=output_of,
        fixed=chunks.place[~trained],
        is_deep=len(chunks.input) > DEEP * len(names.names),
    )
    n_weights = n_data + n_between + int(has_bias.sum())
    return Lowered(wires, _penalty(levels, place, n_weights), _loss(model, readout), place, n_weights)


class _Chunks(NamedTuple):
    unit: npt.NDArray[np.uint32]
    following: npt.NDArray[np.int32]
    input: npt.NDArray[np.uint32]
    place: IntVector  # of each given edge among all edges of chunks


def _edges(levels: list[EdgeDense], start: IntVector) -> tuple[dict[str, IntVector], dict[str, IntVector]]:
    """Edges out of the data and edges between units: source, target, number among the model's trainable numbers.

    A measurement that a unit adds to its sum is an edge without a number, -1.
    """
    parts: list[list[IntVector]] = []
    fed: list[list[IntVector]] = []
    first = 0
    for layer, begin in zip(levels, start, strict=False):
        wiring = layer.wiring
        source = wiring.source_column + np.where(wiring.source_level > 0, start[wiring.source_level - 1], 0)
        parts.append([wiring.source_level, source, begin + wiring.target_column, first + np.arange(wiring.n_edges)])
        fed.append([wiring.input_columns, begin + wiring.n_biases + np.arange(wiring.n_fed)])
        first += wiring.n_edges + wiring.n_biases
    level, source, target, number = (np.concatenate(column) for column in zip(*parts, strict=True))
    fed_source, fed_target = (np.concatenate(column) for column in zip(*fed, strict=True))
    of_data = level == 0
    data = {
        "source": np.concatenate([source[of_data], fed_source]),
        "target": np.concatenate([target[of_data], fed_target]),
        "number": np.concatenate([number[of_data], np.full(len(fed_source), -1)]),
    }
    return data, {"source": source[~of_data], "target": target[~of_data], "number": number[~of_data]}


def _chunks(data: dict[str, IntVector], *, n_inputs: int, n_units: int) -> _Chunks:
    """Cut the edges of each input into chunks."""
    source = data["source"]
    order = np.lexsort((data["target"], source))
    fan_out = np.bincount(source, minlength=n_inputs)
    more = np.maximum(-(-fan_out // CHUNK) - 1, 0)  # chunks beyond the first
    first_more = n_inputs + np.cumsum(more) - more
    position = np.arange(len(order)) - (np.cumsum(fan_out) - fan_out)[source[order]]
    turn = position // CHUNK
    chunk = np.where(turn == 0, source[order], first_more[source[order]] + turn - 1)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = CHUNK * chunk + position % CHUNK
    n_chunks = n_inputs + int(more.sum())
    unit = np.full(CHUNK * n_chunks, n_units, dtype=np.uint32)
    unit[place] = data["target"]
    inputs = np.concatenate([np.arange(n_inputs), np.repeat(np.arange(n_inputs), more)])
    following = np.full(n_chunks, -1, dtype=np.int32)
    following[:n_inputs] = np.where(more > 0, first_more, -1)
    following[n_inputs:-1] = np.where(
        inputs[n_inputs + 1 :] == inputs[n_inputs:-1], np.arange(n_inputs + 1, n_chunks), -1
    )
    return _Chunks(unit.reshape(-1, CHUNK), following, inputs.astype(np.uint32), place)


def _bias_numbers(levels: list[EdgeDense]) -> IntVector:
    """Number of each bias among the model's trainable numbers."""
    found, first = [], 0
    for layer in levels:
        wiring = layer.wiring
        found.append(first + wiring.n_edges + np.arange(wiring.n_biases))
        first += wiring.n_edges + wiring.n_biases
    return np.concatenate(found)


def _outputs(model: Any, levels: list[EdgeDense], start: IntVector) -> IntVector:
    positions, columns, numbers = output_places(plan_of(model), units=levels[0].units)
    return start[np.array(numbers)[list(positions)] - 1] + np.array(columns)


def _loss(model: Any, readout: Any) -> int:
    if isinstance(model.loss, keras.losses.MeanSquaredError):
        return kernels.SQUARE
    if isinstance(model.loss, keras.losses.CategoricalCrossentropy):
        return kernels.CLASS if readout.head == "softmax" else kernels.CLASS_LOGIT
    return kernels.LOGIT if model.loss.get_config()["from_logits"] else kernels.PROBABILITY


def _penalty(levels: list[EdgeDense], place: IntVector, n_weights: int) -> Penalty:
    """Penalties in the order of the vector of weights."""
    columns: tuple[list[Any], ...] = ([], [], [], [])
    for layer in levels:
        n_edges, n_biases = layer.wiring.n_edges, layer.wiring.n_biases
        for rule, count in ((layer.kernel_regularizer, n_edges), (layer.bias_regularizer, n_biases)):
            columns[0].append(np.full(count, 0.0 if rule is None else float(rule.l1)))
            columns[1].append(np.full(count, 0.0 if rule is None else float(rule.l2)))
        signs = np.concatenate([layer.wiring.interaction, np.zeros(n_biases)])
        columns[2].append(signs * layer.sign_penalty * (layer.sign_policy == "soft"))
        columns[3].append(signs * (layer.sign_policy == "hard"))
    l1, l2, toward, kept = (np.concatenate(column) for column in columns)
    punished, none = bool(l1.any() or l2.any() or toward.any()), np.zeros(0, dtype=np.float32)
    l1, l2, toward = (_placed(column, place, n_weights) if punished else none for column in (l1, l2, toward))
    return Penalty(l1, l2, toward, _placed(kept, place, n_weights) if kept.any() else none)


def _placed(values: npt.NDArray[Any], place: IntVector, n_weights: int) -> FloatVector:
    found = np.zeros(n_weights, dtype=np.float32)
    found[place] = values
    return found
