"""What an interaction says about the sign of a weight: a constraint that keeps it, a penalty for the wrong one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.compiler.backend import keras
from graphnn.errors import OptionError

ops = keras.ops


@keras.saving.register_keras_serializable(package="graphnn")
class SignConstraint(keras.constraints.Constraint):
    """Projection of weights on their signs: s * max(0, s * w); where s is 0, w is free.

    Keras applies it after each step of the optimiser. It is the nearest point with the right signs.

    Args:
        signs: 1, -1 or 0 for each weight, the shape of the weights.

    Raises:
        OptionError: A sign is something else.
    """

    def __init__(self, signs: npt.ArrayLike) -> None:
        if not np.isin(signs, (-1, 0, 1)).all():
            raise OptionError("signs", signs, "an array of 1, -1 and 0")
        self.signs = np.array(signs, dtype=np.int8)
        self.signs.setflags(write=False)

    def __call__(self, weights: Any) -> Any:
        weights = ops.convert_to_tensor(weights)
        signs = ops.convert_to_tensor(self.signs, dtype=weights.dtype)
        return ops.where(signs == 0, weights, signs * ops.maximum(signs * weights, 0.0))

    def get_config(self) -> dict[str, Any]:
        return {"signs": self.signs.tolist()}


@keras.saving.register_keras_serializable(package="graphnn")
class SignPenalty(keras.regularizers.Regularizer):
    """Penalty on weights of the wrong sign: strength * sum of max(0, -s * w), and nothing where s is 0.

    Args:
        signs: As for `SignConstraint`.
        strength: 0 or more.

    Raises:
        OptionError: A sign is something else.
    """

    def __init__(self, signs: npt.ArrayLike, strength: float) -> None:
        self.signs, self.strength = SignConstraint(signs).signs, strength

    def __call__(self, weights: Any) -> Any:
        weights = ops.convert_to_tensor(weights)
        signs = ops.convert_to_tensor(self.signs, dtype=weights.dtype)
        return self.strength * ops.sum(ops.maximum(-signs * weights, 0.0))

    def get_config(self) -> dict[str, Any]:
        return {"signs": self.signs.tolist(), "strength": self.strength}
