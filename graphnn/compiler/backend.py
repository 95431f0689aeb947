"""The one door to Keras: `from graphnn.compiler.backend import keras`. Imports nothing of graphnn.

JAX is the default engine. A KERAS_BACKEND that the user set is respected, and so is a Keras that was imported
before: both have made the choice already.
"""

from __future__ import annotations

import os
import sys

if "keras" not in sys.modules:
    os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

__all__ = ["keras"]
