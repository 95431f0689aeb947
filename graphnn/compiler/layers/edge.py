"""`EdgeDense`: one level of a network, one weight for each edge into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.compiler.backend import keras, placed
from graphnn.compiler.dropout import adapted
from graphnn.compiler.edge_sum import Drop, EdgeSum, rows_at
from graphnn.compiler.initial import dropout_state, initial_kernel
from graphnn.compiler.layers.shapes import as_list, batch_size, shapes_of
from graphnn.compiler.layers.signs import SignConstraint, SignPenalty
from graphnn.compiler.level import Level
from graphnn.compiler.noise import dropped
from graphnn.compiler.options import (
    ACTIVATIONS,
    DROPOUT_ON,
    KERNELS,
    SIGN_POLICIES,
    check_choice,
    check_number,
    check_seed,
    check_units,
)
from graphnn.compiler.wiring import Expansion, expand
from graphnn.errors import MismatchError, OptionError

ops = keras.ops


@keras.saving.register_keras_serializable(package="graphnn")
class EdgeDense(keras.layers.Layer):
    """One level of a network: one weight for each edge into it, one bias for each hidden vertex and output.

    Called with the list of blocks in `level.blocks` (ascending; block 0 is the data), each of shape (batch, width),
    it gives (batch, n_units). Inside, units come first: a gathered row is then contiguous.

        hidden     hidden_activation(sum_u w_uv a_u + b_v)
        output     output_activation(sum_u w_uv a_u + b_v)
        fed input  x_v + sum_u w_uv a_u

    With several units the sums run over units, `wiring` has their columns and edges, and "edge" below means an edge of
    units. In half precision a level with outputs gives float32, so that a probability near 1 is not rounded to it.

    Args:
        level: Names and wiring (`Level`, or its dictionary).
        number: Which level it is; part of the seed.
        hidden_activation: One of `options.ACTIVATIONS`.
        output_activation: The same for outputs.
        activations: Exceptions to hidden_activation, by name of a hidden vertex.
        units: Of each hidden vertex.
        hidden_counts: How many hidden vertices each block in `level.blocks` has; needed with several units.
        dropout: Fraction dropped in training.
        dropout_on: "edges" (each edge input separately, at units with fan-in of at least 2; the measurement of a
            fed input is no edge and stays) or "nodes" (values of hidden units).
        adaptive_dropout: Drop less where little arrives, by the rule of `dropout.adapted`: on edges by fan-in, on nodes
            by `siblings`.
        siblings: What `dropout.siblings` counts, shape (n_hidden,); needed for adaptive dropout on nodes.
        sign_policy: One of `options.SIGN_POLICIES`.
        sign_penalty: Strength of the penalty under "soft".
        kernel: One of `options.KERNELS`.
        seed: Of initial weights and dropout.
        kernel_regularizer: Of the edge weights.
        bias_regularizer: Of the biases.

    Raises:
        OptionError: An option is out of its range.
        FormatError: The level contradicts itself.
    """

    def __init__(
        self,
        level: Level | Mapping[str, Any],
        *,
        number: int,
        hidden_activation: str = "elu",
        output_activation: str = "sigmoid",
        activations: Mapping[str, str] | None = None,
        units: int = 1,
        hidden_counts: Sequence[int] = (),
        dropout: float = 0.0,
        dropout_on: str = "edges",
        adaptive_dropout: bool = False,
        siblings: Sequence[int] = (),
        sign_policy: str = "free",
        sign_penalty: float = 0.0,
        kernel: str = "auto",
        seed: int = 0,
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.level = level if isinstance(level, Level) else Level.from_dict(level)
        self.number = number
        check_choice("hidden_activation", hidden_activation, ACTIVATIONS)
        check_choice("output_activation", output_activation, ACTIVATIONS)
        self.hidden_activation, self.output_activation = hidden_activation, output_activation
        self.activations = dict(activations or {})
        self.units, self.hidden_counts = units, tuple(hidden_counts)
        self.dropout, self.dropout_on, self.seed = dropout, dropout_on, seed
        self.adaptive_dropout, self.siblings = adaptive_dropout, tuple(siblings)
        self.sign_policy, self.sign_penalty, self.kernel_kind = sign_policy, sign_penalty, kernel
        self._check_options()
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.seed_generator = None
        if dropout > 0:
            self.seed_generator = keras.random.SeedGenerator(int(dropout_state(seed=seed, level=number)[0]))
        self.wiring = self.expansion().wiring
        self._rates = self._dropout_rates()
        self._parts = self._parts_of_sum()

    def _check_options(self) -> None:
        for name, activation in self.activations.items():
            check_choice(f"the activation of {name!r}", activation, ACTIVATIONS)
        strange = [name for name in self.activations if name not in self.level.nodes[: self.level.n_hidden]]
        if strange:
            raise OptionError("activations", strange[0], "a hidden vertex of the level")
        check_choice("dropout_on", self.dropout_on, DROPOUT_ON)
        check_choice("sign_policy", self.sign_policy, SIGN_POLICIES)
        check_choice("kernel", self.kernel_kind, KERNELS)
        check_number("dropout", self.dropout, below=1.0, expected="a fraction in [0, 1)")
        check_number("sign_penalty", self.sign_penalty, below=float("inf"), expected="a finite number, 0 or more")
        check_seed(self.seed)
        check_units(self.units)
        if self.units > 1 and len(self.hidden_counts) != len(self.level.blocks):
            raise OptionError("hidden_counts", self.hidden_counts, "one number for each block that the level reads")
        if self.adaptive_dropout and self.dropout_on == "nodes" and len(self.siblings) != self.level.n_hidden:
            raise OptionError("siblings", self.siblings, "one number for each hidden vertex of the level")

    def expansion(self) -> Expansion:
        """Which unit of which vertex each column is, and which edge between vertices each edge of units."""
        return expand(self.level, units=self.units, hidden_counts=self.hidden_counts)

    @property
    def result_dtype(self) -> str:
        """What a call gives: float32 from a level with outputs in half precision, else the layer's compute dtype."""
        half = self.compute_dtype in ("float16", "bfloat16")
        return "float32" if half and self.level.n_outputs else self.compute_dtype

    def build(self, input_shape: Any) -> None:
        wiring = self.wiring
        shapes = shapes_of(input_shape)
        if len(shapes) != len(wiring.blocks):
            raise MismatchError(
                f"expected the blocks {wiring.blocks} as a list, got {len(shapes)}; pass one tensor for each",
                expected=len(wiring.blocks),
                got=len(shapes),
            )
        for number, shape in zip(wiring.blocks, shapes, strict=True):
            self._check_reach(number, shape[-1])
        self.kernel = self.add_weight(
            name="kernel",
            shape=(wiring.n_edges,),
            initializer=self._initial_kernel,
            regularizer=self._penalty(),
            constraint=SignConstraint(wiring.interaction) if self.sign_policy == "hard" else None,
        )
        self.bias = None
        if wiring.n_biases:
            self.bias = self.add_weight(
                name="bias",
                shape=(wiring.n_biases,),
                initializer=self._initial_bias,
                regularizer=self.bias_regularizer,
            )

    def call(self, blocks: Any, training: bool = False) -> Any:
        rows = {number: ops.transpose(block) for number, block in zip(self.wiring.blocks, as_list(blocks), strict=True)}
        return ops.transpose(self.from_rows(rows, training=training))

    def from_rows(self, rows: dict[int, Any], *, training: bool = False, from_data: Any = None) -> Any:
        """The same with units first: what a call does between two transpositions.

        Args:
            rows: For each block in `wiring.blocks` its values, shape (width, batch).
            training: Whether to drop.
            from_data: What the edges out of the data bring, shape (n_units, batch), where somebody has summed it
                already; None: the level does. Only for levels that drop no edges.

        Returns:
            Shape (n_units, batch).
        """
        wiring = self.wiring
        total = self._arrived(rows, training=training, from_data=from_data)
        parts = []
        biased: Any = None
        if self.bias is not None:
            biased = total[: wiring.n_biases] + ops.cast(ops.expand_dims(self.bias, 1), total.dtype)
        if wiring.n_hidden:
            hidden = self._activate(biased[: wiring.n_hidden])
            if training and self.seed_generator is not None and self.dropout_on == "nodes":
                hidden = self._drop_nodes(hidden)
            parts.append(hidden)
        if wiring.n_outputs:
            reached = ops.cast(biased[wiring.n_hidden :], self.result_dtype)
            parts.append(keras.activations.get(self.output_activation)(reached))
        if wiring.n_fed:
            measured = rows_at(rows[0], wiring.input_columns.astype(np.int32))
            parts.append(measured + total[wiring.n_biases :])
        parts = [ops.cast(part, self.result_dtype) for part in parts]
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=0)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        return batch_size(input_shape), self.wiring.n_nodes

    def compute_output_spec(self, blocks: Any, training: bool = False) -> Any:
        shape = (as_list(blocks)[0].shape[0], self.wiring.n_nodes)
        return keras.KerasTensor(shape, dtype=self.result_dtype)

    def initial_weights(self, seed: int) -> list[npt.NDArray[np.float32]]:
        """The weights with which a replicate of that seed starts, in the order of `weights`; changes nothing."""
        wiring = self.wiring
        kernel = initial_kernel(wiring.fan_in[wiring.target_column], seed=seed, level=self.number)
        if self.sign_policy != "free":
            kernel = np.where(wiring.interaction < 0, -kernel, kernel)
        return [kernel, np.zeros(wiring.n_biases, dtype=np.float32)] if wiring.n_biases else [kernel]

    def initial_dropout_state(self, seed: int) -> list[npt.NDArray[np.uint32]]:
        """The state with which its dropout starts: one array, or none where nothing is dropped."""
        return [] if self.seed_generator is None else [dropout_state(seed=seed, level=self.number)]

    def save_own_variables(self, store: Any) -> None:
        for name, variable in self._named_variables().items():
            store[name] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store: Any) -> None:
        for name, variable in self._named_variables().items():
            variable.assign(store[name])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "level": self.level.to_dict(),
            "number": self.number,
            "hidden_activation": self.hidden_activation,
            "output_activation": self.output_activation,
            "activations": dict(self.activations),
            "units": self.units,
            "hidden_counts": list(self.hidden_counts),
            "dropout": self.dropout,
            "dropout_on": self.dropout_on,
            "adaptive_dropout": self.adaptive_dropout,
            "siblings": list(self.siblings),
            "sign_policy": self.sign_policy,
            "sign_penalty": self.sign_penalty,
            "kernel": self.kernel_kind,
            "seed": self.seed,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
        }

    def _initial_kernel(self, shape: Any, dtype: Any = None) -> Any:
        return placed(self.initial_weights(self.seed)[0], dtype=dtype)

    def _initial_bias(self, shape: Any, dtype: Any = None) -> Any:
        return placed(np.zeros(shape, dtype=np.float32), dtype=dtype)

    def _penalty(self) -> Any:
        """What is added to the loss for the kernel."""
        if self.sign_policy != "soft":
            return self.kernel_regularizer
        of_signs, of_size = SignPenalty(self.wiring.interaction, self.sign_penalty), self.kernel_regularizer
        return of_signs if of_size is None else lambda kernel: of_signs(kernel) + of_size(kernel)

    def _activate(self, total: Any) -> Any:
        """The hidden activation, or those of its exceptions: group by group, then brought back into order."""
        if not self.activations:
            return keras.activations.get(self.hidden_activation)(total)
        groups, order = self._groups
        done = [keras.activations.get(name)(rows_at(total, rows)) for name, rows in groups]
        return rows_at(ops.concatenate(done, axis=0), order)

    @cached_property
    def _groups(self) -> tuple[list[tuple[str, Any]], Any]:
        """Rows of each activation, ascending; and the place of each row among all groups."""
        names = [self.activations.get(name, self.hidden_activation) for name in self.level.nodes[: self.level.n_hidden]]
        of_row = np.repeat(np.array(names), self.units)
        groups = [(name, np.flatnonzero(of_row == name).astype(np.int32)) for name in sorted(set(names))]
        return groups, np.argsort(np.concatenate([rows for _, rows in groups])).astype(np.int32)

    def _drop_nodes(self, hidden: Any) -> Any:
        if not self.adaptive_dropout:
            return keras.random.dropout(hidden, self.dropout, seed=self.seed_generator)
        rates = np.repeat(adapted(self.dropout, np.array(self.siblings)), self.units)
        return dropped(hidden, self.seed_generator.next(), rates=rates)  # type: ignore[union-attr]

    def _named_variables(self) -> dict[str, Any]:
        """What is saved. Keras would leave the dropout state out, and training would not go on where it stopped."""
        state = None if self.seed_generator is None else self.seed_generator.state
        named = {"kernel": self.kernel, "bias": self.bias, "dropout_state": state}
        return {name: variable for name, variable in named.items() if variable is not None}

    def _check_reach(self, number: int, width: int | None) -> None:
        """A gather beyond a block's last column raises nothing: JAX fills with NaN."""
        wiring = self.wiring
        read = wiring.source_column[wiring.edges_of_block.get(number, slice(0, 0))]
        measured = wiring.input_columns if number == 0 else read[:0]
        reach = int(np.concatenate([read, measured]).max(initial=-1)) + 1
        if width is not None and width < reach:
            raise MismatchError(
                f"expected block {number} to have at least {reach:,} columns, got {width:,}; pass the level's blocks",
                expected=reach,
                got=width,
            )

    @property
    def drops_edges(self) -> bool:
        """Whether training may drop any of its edges."""
        return self._rates is not None

    @property
    def data_edges(self) -> slice:
        """Where in the kernel the edges out of the data stand."""
        return self.wiring.edges_of_block.get(0, slice(0, 0))

    @property
    def data_sum(self) -> EdgeSum:
        """The sum over the edges out of the data, as a list of edges whatever the kernel."""
        columns = self.wiring.source_column[self.data_edges]
        targets = self.wiring.target_column[self.data_edges]
        n_rows = int(columns.max()) + 1
        return EdgeSum(columns, targets, n_sources=n_rows, n_targets=self.wiring.n_nodes, kind="edge")

    def _arrived(self, rows: dict[int, Any], *, training: bool, from_data: Any) -> Any:
        """What the edges bring to each unit, shape (n_units, batch).

        One sum for the data, whose rows are many, and one for all other blocks together: on two cores 1.7 s instead of
        5 s to compile a level stack that reads 28 blocks, and the same time per step.
        """
        state = self.seed_generator.next() if training and self._rates is not None else None  # type: ignore[union-attr]
        kernel = ops.cast(self.kernel, self.compute_dtype)
        total = from_data
        for edges, reads, part in self._parts:
            if from_data is not None and reads[0][0] == 0:
                continue
            taken = [rows[block] if wanted is None else rows_at(rows[block], wanted) for block, wanted in reads]
            source = taken[0] if len(taken) == 1 else ops.concatenate(taken, axis=0)
            drop = None if self._rates is None or state is None else Drop(state, self._rates[edges], edges.start)
            arrived = part(ops.cast(source, self.compute_dtype), kernel[edges], drop)
            total = arrived if total is None else total + arrived
        return total

    def _dropout_rates(self) -> npt.NDArray[np.float32] | None:
        """Rate of each edge, None where no edge is ever dropped."""
        if not self.dropout or self.dropout_on != "edges" or not (self.wiring.fan_in >= 2).any():
            return None
        fan_in = self.wiring.fan_in[self.wiring.target_column]
        rates = adapted(self.dropout, fan_in) if self.adaptive_dropout else np.where(fan_in >= 2, self.dropout, 0.0)
        return rates.astype(np.float32)

    def _parts_of_sum(self) -> list[tuple[slice, list[tuple[int, Any]], EdgeSum]]:
        """The sums over edges out of the data, and over all others: edges, rows read of each block, and the sum."""
        wiring, blocks = self.wiring, list(self.wiring.edges_of_block.items())
        from_data = [(block, edges) for block, edges in blocks if block == 0]
        return [self._part(group) for group in (from_data, blocks[len(from_data) :]) if group] if wiring.n_edges else []

    def _part(self, group: list[tuple[int, slice]]) -> tuple[slice, list[tuple[int, Any]], EdgeSum]:
        """One sum over the edges out of some blocks; each block is read once, by the rows that it needs."""
        edges = slice(group[0][1].start, group[-1][1].stop)
        reads: list[tuple[int, Any]] = []
        sources, n_rows = [], 0
        for block, part in group:
            wanted, place = np.unique(self.wiring.source_column[part], return_inverse=True)
            reads.append((block, wanted.astype(np.int32)))
            sources.append(n_rows + place)
            n_rows += len(wanted)
        targets, n_targets = self.wiring.target_column[edges], self.wiring.n_nodes
        found = EdgeSum(np.concatenate(sources), targets, n_sources=n_rows, n_targets=n_targets, kind=self.kernel_kind)
        if group[0][0] == 0 and found.kind == "edge":  # data are wide: edges gather from them as they are
            return edges, [(0, None)], self.data_sum
        return edges, reads, found
