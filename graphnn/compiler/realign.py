"""The model of one network filled with the weights of another's, by name.

May import `graphnn.errors` and the modules of this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from graphnn.compiler.backend import keras
from graphnn.compiler.layers import EdgeDense, InputDropout
from graphnn.compiler.model import bias_frame, compile_network, parts_of, plan_of, sign_violations, weights_frame
from graphnn.compiler.options import DTYPES, NetworkOptions
from graphnn.compiler.plan import LayerPlan
from graphnn.errors import MismatchError, quoted


def realigned(model: keras.Model, wanted: LayerPlan) -> keras.Model:
    """Build the model of another network and give it every weight by name.

    Weights of edges go by (source, target), biases by vertex, both unit by unit; statistics of input normalisation by
    input. Edges and vertices that only the given model has are left out, whatever they did for the prediction.
    Interactions are not compared (a weight is what was learnt) unless the model binds weights to them.

    Args:
        model: Where the weights come from; it stays as it is.
        wanted: Network that the new model is of.

    Returns:
        A model with the options of the given one, its loss, and its optimiser without memory.

    Raises:
        MismatchError: The given model lacks an edge, an input or another vertex of the network, a vertex is hidden in
            one and an output in the other, or a weight has the wrong sign under the policy "hard"; they are named.
    """
    known = plan_of(model)
    _check_reach(known, wanted)
    options = options_of(model)
    hidden = {name for level in wanted.levels for name in level.nodes[: level.n_hidden]}
    kept: dict[str | int, str] = {of: name for of, name in options.activations.items() if of in hidden}
    fresh = compile_network(wanted, replace(options, activations=kept))
    layers = parts_of(fresh)[1]
    _fill([layer.kernel for layer in layers], weights_frame(fresh), weights_frame(model), value="weight")
    biased = [layer.bias for layer in layers if layer.bias is not None]
    _fill(biased, bias_frame(fresh), bias_frame(model), value="bias")
    _take_over_statistics(model, fresh, known, wanted)
    _check_signs(fresh, options)
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        fresh.compile(optimizer=type(optimizer).from_config(optimizer.get_config()), loss=model.loss)
        fresh.optimizer.build(fresh.trainable_variables)
    return fresh


def options_of(model: keras.Model) -> NetworkOptions:
    """The options with which `compile_network` built a model; exceptions of a level are given by names of its vertices.

    Raises:
        MismatchError: It was not built so.
    """
    _, layers, readout = parts_of(model)
    first = layers[0]
    kernel, bias = (_penalty(getattr(first, name)) for name in ("kernel_regularizer", "bias_regularizer"))
    dropped = next((layer for layer in model.layers if isinstance(layer, InputDropout)), None)
    return NetworkOptions(
        hidden_activation=first.hidden_activation,
        output_activation=readout.head if readout.head == "softmax" else first.output_activation,
        activations=_exceptions(layers),
        task=_task(model),
        units=first.units,
        input_normalization=_statistics(model) is not None,
        input_dropout=0.0 if dropped is None else dropped.rate,
        dropout=first.dropout,
        dropout_on=first.dropout_on,
        adaptive_dropout=first.adaptive_dropout,
        kernel_l1=kernel[0],
        kernel_l2=kernel[1],
        bias_l1=bias[0],
        bias_l2=bias[1],
        sign_policy=first.sign_policy,
        sign_penalty=first.sign_penalty,
        kernel=first.kernel_kind,
        dtype=first.dtype_policy.name if first.dtype_policy.name in DTYPES else "auto",
        seed=first.seed,
    )


def _exceptions(layers: Sequence[EdgeDense]) -> dict[str | int, str]:
    """Activation of each hidden vertex that has another one than the first layer gives."""
    usual = layers[0].hidden_activation
    of = {
        name: layer.activations.get(name, layer.hidden_activation)
        for layer in layers
        for name in layer.level.nodes[: layer.level.n_hidden]
    }
    return {name: activation for name, activation in of.items() if activation != usual}


def _task(model: keras.Model) -> str:
    kinds = {keras.losses.MeanSquaredError: "regression", keras.losses.CategoricalCrossentropy: "multiclass"}
    return kinds.get(type(model.loss), "binary")


def _check_reach(known: LayerPlan, wanted: LayerPlan) -> None:
    """Refuse a network of which something is not in the model."""
    given, asked, inputs, edges = _roles(known), _roles(wanted), set(known.inputs), set(known.edges())
    for what, missing in (
        ("inputs", [name for name in wanted.inputs if name not in inputs]),
        ("vertices", [name for name in asked if name not in given]),
        ("edges", [" -> ".join(edge) for edge in wanted.edges() if edge not in edges]),
    ):
        if missing:
            raise MismatchError(
                f"expected a model that holds the given network, but it lacks the {what} {quoted(missing)}; "
                "take them out of the network, or train it",
                expected=tuple(missing),
                got=known.fingerprint,
            )
    turned = [name for name, role in asked.items() if given[name] != role]
    if turned:
        raise MismatchError(
            f"expected vertices with the roles that they have in the model, but {quoted(turned)} are hidden in one and "
            "outputs in the other; train the given network",
            expected=tuple(turned),
            got=known.fingerprint,
        )


def _roles(plan: LayerPlan) -> dict[str, str]:
    """Hidden or output, for each vertex that is no input."""
    outputs = set(plan.outputs)
    names = (name for level in plan.levels for name in level.nodes[: level.n_biases])
    return {name: "output" if name in outputs else "hidden" for name in names}


def _fill(variables: Sequence[Any], rows: pd.DataFrame, given: pd.DataFrame, *, value: str) -> None:
    """Assign the rows of a frame, one variable after the other, from the rows of the same names in another."""
    keys = [column for column in rows.columns if column not in ("interaction", value)]
    known = dict(zip(zip(*(given[key] for key in keys), strict=True), given[value], strict=True))
    values = np.array([known[key] for key in zip(*(rows[key] for key in keys), strict=True)], dtype=np.float32)
    ends = np.cumsum([variable.shape[0] for variable in variables])
    for variable, part in zip(variables, np.split(values, ends[:-1]), strict=True):
        variable.assign(part)


def _check_signs(model: keras.Model, options: NetworkOptions) -> None:
    """Refuse weights that the model's own policy excludes."""
    if options.sign_policy != "hard":
        return
    wrong = sign_violations(model)
    if len(wrong):
        edges = [" -> ".join(edge) for edge in dict.fromkeys(zip(wrong["source"], wrong["target"], strict=True))]
        raise MismatchError(
            f"expected weights with the signs of the given network, but {quoted(edges)} have the other one, and the "
            "model binds weights to signs; train the given network",
            expected=tuple(edges),
        )


def _statistics(model: keras.Model) -> Any:
    """The layer that normalises the inputs, None where there is none."""
    return next((layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)), None)


def _take_over_statistics(model: keras.Model, fresh: keras.Model, known: LayerPlan, wanted: LayerPlan) -> None:
    old, new = _statistics(model), _statistics(fresh)
    if old is None:
        return
    place = {name: position for position, name in enumerate(known.inputs)}
    columns = np.array([place[name] for name in wanted.inputs])
    for name in ("moving_mean", "moving_variance"):
        values = keras.ops.convert_to_numpy(getattr(old, name))
        getattr(new, name).assign(values[columns])


def _penalty(regularizer: Any) -> tuple[float, float]:
    """L1 and L2 of a regulariser."""
    return (0.0, 0.0) if regularizer is None else (float(regularizer.l1), float(regularizer.l2))
