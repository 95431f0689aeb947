"""`MaskedDense`: a dense layer with a masked matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.compiler.backend import keras
from graphnn.compiler.initial import live_glorot
from graphnn.compiler.layers.shapes import check_width
from graphnn.compiler.options import check_seed
from graphnn.errors import OptionError

ops = keras.ops


@keras.saving.register_keras_serializable(package="graphnn")
class MaskedDense(keras.layers.Layer):
    """A dense layer whose kernel is multiplied by a fixed 0/1 matrix.

    Law: the gradient on an absent edge is exactly zero, so its weight, which starts at zero, stays there.

    Args:
        mask: 1 where an edge may be, shape (n_in, n_out); or its saved form, a dictionary.
        activation: As in keras.layers.Dense, and so are all that follow; elementwise or not.
        use_bias: Whether each output unit has a bias.
        kernel_initializer: None draws by live fan-in and fan-out; absent edges start at zero in any case.
        bias_initializer: Of the bias.
        kernel_regularizer: Of the masked kernel: absent edges are never punished.
        bias_regularizer: Of the bias.
        activity_regularizer: Of the result.
        kernel_constraint: Of the kernel.
        bias_constraint: Of the bias.
        seed: For `kernel_initializer=None`.

    Raises:
        OptionError: The mask is no matrix of zeros and ones.
    """

    def __init__(
        self,
        mask: npt.ArrayLike | Mapping[str, Any],
        *,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.mask = _mask(mask)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = None if kernel_initializer is None else keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        check_seed(seed)
        self.seed = seed

    def build(self, input_shape: Sequence[int | None]) -> None:
        n_in, n_out = self.mask.shape
        check_width("the input of MaskedDense", expected=n_in, got=input_shape[-1])
        self.kernel = self.add_weight(
            name="kernel",
            shape=(n_in, n_out),
            initializer=self._initial_kernel,
            regularizer=None if self.kernel_regularizer is None else self._punish_present,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(n_out,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, data: Any) -> Any:
        result = ops.matmul(data, self._masked(self.kernel))
        return self.activation(result if self.bias is None else result + self.bias)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.mask.shape[1])

    def get_config(self) -> dict[str, Any]:
        rows, columns = np.nonzero(self.mask)
        saved = {"shape": list(self.mask.shape), "rows": rows.tolist(), "columns": columns.tolist()}
        initializer = self.kernel_initializer
        return {
            **super().get_config(),
            "mask": saved,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": None if initializer is None else keras.initializers.serialize(initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
            "seed": self.seed,
        }

    def _masked(self, kernel: Any) -> Any:
        return kernel * ops.convert_to_tensor(self.mask, dtype=kernel.dtype)

    def _punish_present(self, kernel: Any) -> Any:
        return self.kernel_regularizer(self._masked(kernel))

    def _initial_kernel(self, shape: Any, dtype: Any = None) -> Any:
        if self.kernel_initializer is not None:
            return self._masked(self.kernel_initializer(shape, dtype=dtype))
        rows, columns = np.nonzero(self.mask)
        fan_in, fan_out = (np.count_nonzero(self.mask, axis=axis) for axis in (0, 1))
        kernel = np.zeros(self.mask.shape, dtype=np.float32)
        kernel[rows, columns] = live_glorot(fan_in[columns], fan_out[rows], seed=self.seed)
        return ops.convert_to_tensor(kernel, dtype=dtype)


def _mask(mask: Any) -> npt.NDArray[np.float32]:
    if isinstance(mask, Mapping):
        edges, shape = (mask["rows"], mask["columns"]), tuple(mask["shape"])
        mask = np.zeros(shape, dtype=np.float32)
        mask[edges] = 1.0
    matrix = np.array(mask, dtype=np.float32)
    if matrix.ndim != 2 or not np.isin(matrix, (0.0, 1.0)).all():
        raise OptionError("mask", matrix.shape, "a matrix of zeros and ones, shape (n_in, n_out)")
    matrix.setflags(write=False)
    return matrix
