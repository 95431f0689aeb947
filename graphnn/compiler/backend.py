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
    """Numbers of NumPy as a tensor of the backend; None: float32.

    On JAX by a plain copy to the device: a conversion compiles a program for every shape, some 5 ms apiece.
    """
    if keras.backend.backend() != "jax" or dtype not in (None, "float32"):
        return keras.ops.convert_to_tensor(array, dtype=dtype)
    import jax

    return jax.device_put(np.asarray(array, dtype=np.float32))
