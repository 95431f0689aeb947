"""Every option changes exactly what it names: two models that differ in one option alone, side by side."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from graphnn.compiler.backend import keras
from graphnn.compiler.layers import EdgeDense
from graphnn.compiler.model import compile_network
from graphnn.compiler.options import NetworkOptions
from tests.compiler.drawn import cells, everything, randomize

HEAD = {"inference", "training"}  # what the model predicts, and what it computes on its way there in training
DROPPED = {"dropout": 0.5}

# option, other options of both models, value here, value there, what differs; and nothing else may
EFFECTS: list[tuple[str, dict[str, Any], Any, Any, set[str]]] = [
    ("hidden_activation", {}, "elu", "tanh", HEAD),
    ("output_activation", {}, "auto", "linear", HEAD | {"loss"}),
    ("output_activation", {}, "auto", "sigmoid", set()),
    ("output_activation", {"task": "multiclass"}, "auto", "linear", HEAD | {"loss"}),
    ("activations", {}, {}, {"k": "tanh"}, HEAD),
    ("activations", {}, {}, {1: "tanh"}, HEAD),
    ("activations", {}, {"h": "tanh", "g": "tanh"}, {1: "tanh"}, set()),
    ("activations", {}, {"k": "tanh"}, {"k": "tanh", 3: "relu"}, set()),
    ("task", {}, "binary", "regression", HEAD | {"loss"}),
    ("task", {}, "binary", "multiclass", HEAD | {"loss"}),
    ("task", {"output_activation": "linear"}, "binary", "multiclass", {"loss"}),
    ("units", {}, 1, 2, HEAD | {"parameters", "initial weights", "projection"}),
    ("input_normalization", {}, False, True, HEAD | {"state"}),
    ("input_dropout", {}, 0.0, 0.5, {"training", "state"}),
    ("input_dropout", {}, 0.1, 0.5, {"training"}),
    ("dropout", {}, 0.0, 0.5, {"training", "state"}),
    ("dropout", {"dropout_on": "nodes"}, 0.1, 0.5, {"training"}),
    ("dropout_on", {}, "edges", "nodes", set()),
    ("dropout_on", DROPPED, "edges", "nodes", {"training"}),
    ("adaptive_dropout", {}, False, True, set()),
    ("adaptive_dropout", DROPPED, False, True, {"training"}),
    ("adaptive_dropout", DROPPED | {"dropout_on": "nodes"}, False, True, {"training"}),
    ("kernel_l1", {}, 0.0, 0.5, {"penalty"}),
    ("kernel_l2", {}, 0.0, 0.5, {"penalty"}),
    ("bias_l1", {}, 0.0, 0.5, {"penalty"}),
    ("bias_l2", {}, 0.0, 0.5, {"penalty"}),
    ("sign_policy", {}, "free", "initialised", {"initial weights"}),
    ("sign_policy", {}, "initialised", "soft", {"penalty"}),
    ("sign_policy", {}, "initialised", "hard", {"projection"}),
    ("sign_policy", {"kernel_l1": 0.1}, "initialised", "soft", {"penalty"}),
    ("sign_penalty", {}, 0.1, 0.5, set()),
    ("sign_penalty", {"sign_policy": "soft"}, 0.1, 0.5, {"penalty"}),
    ("kernel", {}, "edge", "dense", set()),
    ("kernel", DROPPED | {"units": 2}, "auto", "dense", set()),
    ("dtype", {}, "auto", "float32", set()),
    ("dtype", {}, "auto", "mixed_bfloat16", HEAD | {"precision"}),
    ("dtype", {}, "auto", "mixed_float16", HEAD | {"precision"}),
    ("seed", {}, 0, 1, {"initial weights"}),
    ("seed", DROPPED, 0, 1, {"initial weights", "training", "state"}),
    ("seed", {"input_dropout": 0.5}, 0, 1, {"initial weights", "training", "state"}),
]


def observed(options: NetworkOptions) -> dict[str, Any]:
    """Everything about a model that an option may change, as arrays and numbers."""
    model = compile_network(everything(), options)
    levels = [layer for layer in model.layers if isinstance(layer, EdgeDense)]
    found: dict[str, Any] = {
        "parameters": sum(int(np.prod(variable.shape)) for variable in model.trainable_variables),
        "initial weights": [np.array(variable.value) for variable in model.trainable_variables],
        "state": [np.array(variable.value) for variable in model.non_trainable_variables],
        "precision": [layer.compute_dtype for layer in levels],
    }
    randomize(model, 3)
    data, prediction = cells(4, n_cells=16), np.linspace(0.1, 0.9, 8).reshape(4, 2)
    found["penalty"] = float(sum(model.losses))
    found["loss"] = float(model.loss(np.array([[0, 1], [1, 0], [1, 0], [0, 1]]), prediction))
    found["inference"] = np.array(model(data, training=False))
    found["training"] = np.array(model(data, training=True))
    found["projection"] = [
        np.array(variable.value if variable.constraint is None else variable.constraint(variable))
        for variable in model.trainable_variables
    ]
    return found


def same(first: Any, second: Any, *, within: float = 0.0) -> bool:
    """Equal, by default to the last bit."""
    if isinstance(first, list):
        return len(first) == len(second) and all(same(a, b, within=within) for a, b in zip(first, second, strict=True))
    if within and np.asarray(first).dtype.kind == "f":
        return np.allclose(first, second, rtol=0, atol=within)
    return np.array_equal(first, second)


def _label(value: Any) -> str:
    return f"{value}" if not isinstance(value, set) else "+".join(sorted(value)) or "nothing"


@pytest.mark.parametrize(("option", "others", "here", "there", "changes"), EFFECTS, ids=_label)
def test_an_option_changes_what_it_names_and_nothing_else(option, others, here, there, changes):
    first, second = (observed(NetworkOptions(**{**others, option: value})) for value in (here, there))
    within = 1e-6 if option == "kernel" else 0.0  # it may change the order of a sum
    assert {aspect for aspect in first if not same(first[aspect], second[aspect], within=within)} == changes


def test_every_option_has_its_effects_listed():
    assert {effect[0] for effect in EFFECTS} == {field.name for field in fields(NetworkOptions)}


def test_the_comparison_sees_every_aspect():
    """Negative control: a change of each aspect is found, and the same options give the same to the last bit."""
    assert set().union(*(changes for *_, changes in EFFECTS)) == set(observed(NetworkOptions()))
    options = NetworkOptions(units=2, dropout=0.5, input_dropout=0.1, adaptive_dropout=True, sign_policy="hard")
    first, second = observed(options), observed(options)
    assert all(same(first[aspect], second[aspect]) for aspect in first)


def test_the_global_policy_of_keras_counts_where_no_dtype_is_given():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        first = observed(NetworkOptions())
    finally:
        keras.config.set_dtype_policy(before)
    second = observed(NetworkOptions(dtype="mixed_bfloat16"))
    assert all(same(first[aspect], second[aspect]) for aspect in first)
