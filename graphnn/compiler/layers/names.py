"""Layers that carry names: `InputNames` in front of the first level, `Readout` behind the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnn.compiler.backend import keras
from graphnn.compiler.layers.shapes import as_list, batch_size, check_width

ops = keras.ops


@keras.saving.register_keras_serializable(package="graphnn")
class InputNames(keras.layers.Layer):
    """Hands the data on as they are; carries the names of their columns.

    Args:
        names: One per column.
    """

    def __init__(self, names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.names = tuple(names)

    def build(self, input_shape: Sequence[int | None]) -> None:
        check_width("the data", expected=len(self.names), got=input_shape[-1])

    def call(self, data: Any) -> Any:
        return data

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "names": list(self.names)}


@keras.saving.register_keras_serializable(package="graphnn")
class Readout(keras.layers.Layer):
    """Gathers the outputs from the levels in which they stand; carries their names.

    Args:
        names: Of the outputs, the columns of the prediction.
        blocks: Which of the given levels holds each output, shape (n_outputs,), as positions in the call's list.
        columns: Column of each output there, shape (n_outputs,).
    """

    def __init__(self, names: Sequence[str], blocks: Sequence[int], columns: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.names, self.blocks, self.columns = tuple(names), tuple(blocks), tuple(columns)
        place = np.array(self.blocks, dtype=np.int32)
        self._columns_of = tuple(
            np.array(self.columns, dtype=np.int32)[place == block] for block in range(max(self.blocks) + 1)
        )
        self._order = np.argsort(np.argsort(place, kind="stable")).astype(np.int32)

    def call(self, levels: Any) -> Any:
        parts = zip(as_list(levels), self._columns_of, strict=True)
        found = [ops.take(level, columns, axis=1) for level, columns in parts]
        if len(found) == 1:
            return found[0]
        return ops.take(ops.concatenate(found, axis=1), self._order, axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        return batch_size(input_shape), len(self.names)

    def get_config(self) -> dict[str, Any]:
        own = {"names": list(self.names), "blocks": list(self.blocks), "columns": list(self.columns)}
        return {**super().get_config(), **own}
