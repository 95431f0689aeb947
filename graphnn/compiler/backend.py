"""The one door to Keras: `from graphnn.compiler.backend import keras`. Imports nothing of graphnn.

JAX is the default engine. A KERAS_BACKEND that the user set is respected, and so is a Keras that was imported
before: both have made the choice already.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

if "keras" not in sys.modules:
    os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

__all__ = ["keras", "placed"]


def placed(array: Any, *, dtype: str | None) -> Any:
    """An array of NumPy as a tensor of the backend.

    On JAX by a plain copy to the device: a conversion compiles a program for every shape, some 5 ms apiece.
    """
    array = np.asarray(array, dtype=dtype if dtype in ("float32", "float64") else None)
    if keras.backend.backend() != "jax" or (dtype is not None and str(array.dtype) != dtype):
        return keras.ops.convert_to_tensor(array, dtype=dtype)
    import jax

    return jax.device_put(array)
