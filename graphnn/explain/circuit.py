"""`Circuit`: a network as sparse index arrays, without numbers; what `Passes` fills with the weights of a fit.

May import the NumPy modules of `graphnn.compiler`; no Keras, no JAX. Units of all levels stand in one list, level by
level, so that a unit comes after all that it reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import LayerPlan
from graphnn.compiler.wiring import Expansion, expand
from graphnn.errors import MismatchError
from graphnn.graph.reach import IntVector

Floats = npt.NDArray[np.floating]

NORMALISATION_EPSILON = 1e-3  # that of keras.layers.BatchNormalization, which the compiler leaves as it is


class Layer(NamedTuple):
    """One level.

    Attributes:
        units: Its units among all.
        n_edges: Length of its kernel.
        n_biases: Length of its bias; 0: it has none.
        data_edges: Where in the kernel the edges out of the data stand.
        between: Where in the kernel the edges between units stand, by target and then source, shape (n_between,).
        first: Start of each unit among them, shape (n_units + 1,).
        source: Unit that each reads, shape (n_between,).
        activations: Name of an activation and the units of the level that have it; fed inputs have none.
    """

    units: slice
    n_edges: int
    n_biases: int
    data_edges: slice
    between: IntVector
    first: IntVector
    source: IntVector
    activations: tuple[tuple[str, slice | IntVector], ...]


class Weights(NamedTuple):
    """The numbers of a fit, in the order of a circuit.

    Attributes:
        data: Edges out of the data, CSR of shape (n_units, n_inputs).
        between: For each level its edges between units, CSR of shape (n_units of the level, units before it); None
            where a level reads the data only.
        bias: Shape (n_units,), 0 for fed inputs.
        mean: What is subtracted from each input, shape (n_inputs,).
        factor: What it is then multiplied by, shape (n_inputs,).
    """

    data: Any
    between: tuple[Any, ...]
    bias: Floats
    mean: Floats
    factor: Floats


@dataclass(frozen=True, eq=False)
class Circuit:
    """A network, unit by unit.

    Attributes:
        plan: Its levels.
        layers: What each level reads and how it computes.
        hidden: Names of the hidden vertices, level by level.
        hidden_units: Their units among all, one vertex after the other, shape (n_hidden * units,).
        hidden_level: Level of each hidden vertex, from 1, shape (n_hidden,).
        output_units: Unit of each output, in the order of `plan.outputs`.
        fed_units: Units that add a measurement to their sum.
        fed_columns: The column of the data that each of them adds.
        data_first: Start of each unit among the edges out of the data, shape (n_units + 1,).
        data_source: Column of the data that each reads.
        units: Of each hidden vertex.
        is_softmax: Whether the outputs become one distribution.
        is_normalised: Whether the model normalises the data itself.
    """

    plan: LayerPlan
    layers: tuple[Layer, ...]
    hidden: tuple[str, ...]
    hidden_units: IntVector
    hidden_level: IntVector
    output_units: IntVector
    fed_units: IntVector
    fed_columns: IntVector
    data_first: IntVector
    data_source: IntVector
    units: int
    is_softmax: bool
    is_normalised: bool

    @property
    def n_units(self) -> int:
        """Units of all levels."""
        return self.layers[-1].units.stop

    @property
    def level_of_outputs(self) -> IntVector:
        """Level of each output, from 1, shape (n_outputs,)."""
        stops = [layer.units.stop for layer in self.layers]
        return np.searchsorted(stops, self.output_units, side="right") + 1

    def bias_of_hidden(self, bias: Floats) -> Floats:
        """Bias of each unit of each hidden vertex, shape (n_hidden, units)."""
        return bias[self.hidden_units].reshape(-1, self.units)

    def by_vertex(self, values: Floats) -> Floats:
        """Rows of hidden vertices, each the sum of its units: from (n_units, n_cells) to (n_hidden, n_cells)."""
        rows = values[self.hidden_units]
        return rows if self.units == 1 else rows.reshape(len(self.hidden), self.units, values.shape[1]).sum(axis=1)

    def fill(self, state: tuple[Any, Any], dtype: npt.DTypeLike = np.float64) -> Weights:
        """Bring the weights of a fit into the order of the circuit.

        Args:
            state: Values of the model's trainable and other variables, in the model's order.
            dtype: What is computed in.

        Raises:
            MismatchError: They are those of another model.
        """
        trainable, others = list(state[0]), list(state[1])
        shapes = [tuple(np.shape(array)) for array in trainable]
        expected = [(count,) for layer in self.layers for count in (layer.n_edges, layer.n_biases) if count]
        if shapes != expected:
            raise MismatchError(
                f"expected the weights of {len(self.layers)} levels, got arrays of other number or shape; "
                "give the state of a fit of this network, with its options",
                expected=expected,
                got=shapes,
            )
        waiting = iter(trainable)
        from_data, between, bias = [], [], np.zeros(self.n_units, dtype=dtype)
        for layer in self.layers:
            kernel = np.asarray(next(waiting), dtype=dtype)
            if layer.n_biases:
                start = layer.units.start
                bias[start : start + layer.n_biases] = np.asarray(next(waiting), dtype=dtype)
            from_data.append(kernel[layer.data_edges])
            shape = (layer.units.stop - layer.units.start, layer.units.start)
            arrays = (kernel[layer.between], layer.source, layer.first)
            between.append(sp.csr_array(arrays, shape=shape) if len(layer.between) else None)
        shape = (self.n_units, len(self.plan.inputs))
        data = sp.csr_array((np.concatenate(from_data), self.data_source, self.data_first), shape=shape)
        return Weights(data, tuple(between), bias, *self._normalisation(others, dtype))

    def _normalisation(self, others: list[Any], dtype: npt.DTypeLike) -> tuple[Floats, Floats]:
        n_inputs = len(self.plan.inputs)
        if not self.is_normalised:
            return np.zeros(n_inputs, dtype=dtype), np.ones(n_inputs, dtype=dtype)
        shapes = [tuple(np.shape(array)) for array in others[:2]]  # the layer stands in front of all that drops
        if shapes != [(n_inputs,)] * 2:
            raise MismatchError(
                "expected mean and variance of each input first among the other variables, got arrays of other shapes; "
                "give the state of a fit of this network, with its options",
                expected=[(n_inputs,)] * 2,
                got=shapes,
            )
        mean, variance = (np.asarray(array, dtype=dtype) for array in others[:2])
        return mean, 1 / np.sqrt(variance + NORMALISATION_EPSILON)


def make_circuit(plan: LayerPlan, options: NetworkOptions) -> Circuit:
    """Lay a network out unit by unit, as `compile_network` would compute it.

    Args:
        plan: Of the network.
        options: With which it was compiled; exceptions for vertices that it does not have are without effect.
    """
    parts = [
        expand(level, units=options.units, hidden_counts=plan.hidden_counts(number) if options.units > 1 else ())
        for number, level in enumerate(plan.levels, start=1)
    ]
    start = np.cumsum([0, *(part.wiring.n_nodes for part in parts)])
    layers = tuple(_layer(plan, options, number, part, start) for number, part in enumerate(parts, start=1))
    hidden_units = [np.arange(part.wiring.n_hidden) + begin for part, begin in zip(parts, start, strict=False)]
    fed_units = [begin + np.arange(p.wiring.n_biases, p.wiring.n_nodes) for p, begin in zip(parts, start, strict=False)]
    place = {
        name: int(start[number]) + level.n_hidden * options.units + column
        for number, level in enumerate(plan.levels)
        for column, name in enumerate(level.outputs)
    }
    data_targets = np.concatenate(
        [begin + p.wiring.target_column[x.data_edges] for p, x, begin in zip(parts, layers, start, strict=False)]
    )
    return Circuit(
        plan=plan,
        layers=layers,
        hidden=tuple(name for level in plan.levels for name in level.nodes[: level.n_hidden]),
        hidden_units=np.concatenate(hidden_units),
        hidden_level=np.repeat(np.arange(1, plan.depth + 1), [level.n_hidden for level in plan.levels]),
        output_units=np.array([place[name] for name in plan.outputs], dtype=np.int64),
        fed_units=np.concatenate(fed_units),
        fed_columns=np.concatenate([level.input_columns for level in plan.levels]),
        data_first=_first(data_targets, int(start[-1])),
        data_source=np.concatenate(
            [part.wiring.source_column[layer.data_edges] for part, layer in zip(parts, layers, strict=True)]
        ),
        units=options.units,
        is_softmax=options.output == "softmax",
        is_normalised=options.input_normalization,
    )


def _layer(plan: LayerPlan, options: NetworkOptions, number: int, part: Expansion, start: IntVector) -> Layer:
    level, wiring = plan.levels[number - 1], part.wiring
    data_edges = wiring.edges_of_block.get(0, slice(0, 0))
    rest = np.arange(data_edges.stop, wiring.n_edges)
    source = start[wiring.source_level[rest] - 1] + wiring.source_column[rest]
    order = np.lexsort((source, wiring.target_column[rest]))
    default = options.activations.get(number, options.hidden_activation)
    hidden = [options.activations.get(name, default) for name in level.nodes[: level.n_hidden]]
    output = "linear" if options.task == "multiclass" else options.output
    return Layer(
        units=slice(int(start[number - 1]), int(start[number])),
        n_edges=wiring.n_edges,
        n_biases=wiring.n_biases,
        data_edges=data_edges,
        between=rest[order],
        first=_first(wiring.target_column[rest], wiring.n_nodes),
        source=source[order],
        activations=(
            *_groups(np.repeat(np.array(hidden, dtype=object), options.units)),
            *([(output, slice(wiring.n_hidden, wiring.n_biases))] if wiring.n_outputs else []),
        ),
    )


def _groups(names: npt.NDArray[np.object_]) -> tuple[tuple[str, slice | IntVector], ...]:
    """Units of each activation; a slice where all have one."""
    kinds = sorted(set(names.tolist()))
    if len(kinds) == 1:
        return ((kinds[0], slice(0, len(names))),)
    return tuple((kind, np.flatnonzero(names == kind)) for kind in kinds)


def _first(targets: IntVector, n_targets: int) -> IntVector:
    """Start of each target among edges that are sorted by it."""
    return np.concatenate([[0], np.cumsum(np.bincount(targets, minlength=n_targets))])
