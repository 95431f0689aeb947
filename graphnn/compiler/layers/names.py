"""Layers around the levels: `InputNames` and `InputDropout` in front of the first, `Readout` behind the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.compiler.backend import keras
from graphnn.compiler.initial import dropout_state
from graphnn.compiler.layers.shapes import as_list, batch_size, check_width
from graphnn.compiler.noise import keep_mask
from graphnn.compiler.options import check_choice, check_number, check_seed

HEADS = ("linear", "softmax")

ops = keras.ops


@keras.saving.register_keras_serializable(package="graphnn")
class InputNames(keras.layers.Layer):
    """Hands the data on as they are; carries the names of their columns.

    Args:
        names: One per column.
    """

    def __init__(self, names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        object.__setattr__(self, "names", tuple(names))  # Keras would walk through all of them, looking for variables

    def build(self, input_shape: Sequence[int | None]) -> None:
        check_width("the data", expected=len(self.names), got=input_shape[-1])

    def call(self, data: Any) -> Any:
        return data

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "names": list(self.names)}


@keras.saving.register_keras_serializable(package="graphnn")
class InputDropout(keras.layers.Layer):
    """Drops values of the data in training, each for all its targets at once, and divides the others by 1 - rate.

    Args:
        rate: Fraction dropped, in [0, 1).
        seed: Of dropout.

    Raises:
        OptionError: An option is out of its range.
    """

    def __init__(self, rate: float, *, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_number("rate", rate, below=1.0, expected="a fraction in [0, 1)")
        check_seed(seed)
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(int(dropout_state(seed=seed, level=0)[0]))

    def call(self, data: Any, training: bool = False) -> Any:
        if not training:
            return data
        keep = keep_mask(self.seed_generator.next(), shape=ops.shape(data), rate=self.rate)
        return data * ops.cast(ops.where(keep, 1.0 / (1.0 - self.rate), 0.0), data.dtype)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Any:
        return input_shape

    def initial_dropout_state(self, seed: int) -> list[npt.NDArray[np.uint32]]:
        """The state with which dropout of a replicate of that seed starts: one array."""
        return [dropout_state(seed=seed, level=0)]

    def save_own_variables(self, store: Any) -> None:
        store["dropout_state"] = ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store: Any) -> None:
        self.seed_generator.state.assign(store["dropout_state"])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(package="graphnn")
class Readout(keras.layers.Layer):
    """Gathers the outputs from the levels in which they stand; carries their names.

    A softmax stands here and not in a level, because outputs may stand in several levels. What an output hands on to
    vertices above it is its value before the softmax.

    Args:
        names: Of the outputs, the columns of the prediction.
        blocks: Which of the given levels holds each output, shape (n_outputs,), as positions in the call's list.
        columns: Column of each output there, shape (n_outputs,).
        head: "linear" hands the outputs on as they are; "softmax" makes one distribution over them.

    Raises:
        OptionError: The head is another.
    """

    def __init__(
        self,
        names: Sequence[str],
        blocks: Sequence[int],
        columns: Sequence[int],
        *,
        head: str = "linear",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("head", head, HEADS)
        self.head = head
        self.names, self.blocks, self.columns = tuple(names), tuple(blocks), tuple(columns)
        place = np.array(self.blocks, dtype=np.int32)
        self._columns_of = tuple(
            np.array(self.columns, dtype=np.int32)[place == block] for block in range(max(self.blocks) + 1)
        )
        self._order = np.argsort(np.argsort(place, kind="stable")).astype(np.int32)

    def call(self, levels: Any) -> Any:
        parts = zip(as_list(levels), self._columns_of, strict=True)
        found = [ops.take(level, columns, axis=1) for level, columns in parts]
        values = found[0] if len(found) == 1 else ops.take(ops.concatenate(found, axis=1), self._order, axis=1)
        return keras.activations.softmax(values) if self.head == "softmax" else values

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        return batch_size(input_shape), len(self.names)

    def get_config(self) -> dict[str, Any]:
        places = {"blocks": list(self.blocks), "columns": list(self.columns)}
        return {**super().get_config(), "names": list(self.names), **places, "head": self.head}
