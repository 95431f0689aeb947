"""What the engine on numba can do, and why it cannot do the rest. Loads numba to see whether it is there.

It can be asked where numba is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from graphnn.compiler.backend import keras
from graphnn.compiler.layers import EdgeDense, InputDropout
from graphnn.compiler.model import parts_of
from graphnn.evaluate.engine.table import Table

# Activations whose slope can be told from their value.
ABLE = (
    "linear", "relu", "leaky_relu", "relu6", "elu", "celu", "selu", "sigmoid", "tanh", "softsign", "hard_sigmoid",
    "hard_tanh",
)  # fmt: skip
MOST_VALUES = 500_000_000  # that are not zero: each replicate has a scaled copy of them, 2 GB


def missing_numba() -> str:
    """Why there is no numba, in words; empty where there is."""
    try:
        import_module("numba").njit  # noqa: B018 - a folder of that name is no numba
    except (ImportError, OSError) as error:  # beside a NumPy that it does not know; or its compiler does not load
        return f"numba is not installed or does not load ({error})"
    except AttributeError:
        return "numba is not installed or does not load"
    return ""


def obstacle_in_training(model: Any, table: Table) -> str:
    """Why the engine on numba cannot train a model on these cells, in words; empty where it can."""
    if any(isinstance(layer, InputDropout) for layer in model.layers) or any(
        layer.dropout for layer in parts_of(model)[1]
    ):
        return "the model has dropout"
    if any(not layer.trainable for layer in parts_of(model)[1]):
        return "a level of the model does not train"
    reason = obstacle(model)
    if not reason and table.n_values > MOST_VALUES:
        reason = f"the cells have more than {MOST_VALUES:,} values that are not zero"
    return reason


def obstacle(model: Any) -> str:
    """Why the loops on numba cannot tell what a model predicts, in words; empty where they can."""
    reason = missing_numba()
    if reason:
        return reason
    levels = parts_of(model)[1]
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        return "the model has input normalisation"
    if any(layer.compute_dtype != "float32" for layer in levels):
        return "the model does not compute in float32"
    used = sorted({name for layer in levels for name in activations_of(layer)} - set(ABLE))
    return f"the model has the activation {used[0]}" if used else ""


def activations_of(layer: EdgeDense) -> list[str]:
    """The activation of each unit of a level."""
    level, wiring = layer.level, layer.wiring
    hidden = [layer.activations.get(name, layer.hidden_activation) for name in level.nodes[: level.n_hidden]]
    of_units = [name for name in hidden for _ in range(layer.units)]
    return [*of_units, *[layer.output_activation] * wiring.n_outputs, *["linear"] * wiring.n_fed]
