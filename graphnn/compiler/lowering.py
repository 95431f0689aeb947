"""From a plan and options to the layers, the loss and the optimiser of a model.

May import `graphnn.errors` and the modules of this package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from graphnn.compiler.backend import keras, placed
from graphnn.compiler.dropout import siblings
from graphnn.compiler.layers import EdgeDense
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import LayerPlan
from graphnn.errors import OptionError, did_you_mean


def edge_layers(plan: LayerPlan, options: NetworkOptions) -> list[EdgeDense]:
    """One layer for each level.

    Raises:
        OptionError: `activations` names a vertex that is not hidden, or a level without hidden vertices.
    """
    check_activations(options, plan)
    counts: list[Any] = [()] * plan.depth
    if options.adaptive_dropout and options.dropout_on == "nodes":
        counts = [count.tolist() for count in siblings(plan, units=options.units)]
    return [
        EdgeDense(
            level,
            number=number,
            hidden_activation=options.activations.get(number, options.hidden_activation),
            output_activation="linear" if options.task == "multiclass" else options.output,
            activations={name: options.activations[name] for name in _hidden(level) if name in options.activations},
            units=options.units,
            hidden_counts=plan.hidden_counts(number) if options.units > 1 else (),
            dropout=options.dropout,
            dropout_on=options.dropout_on,
            adaptive_dropout=options.adaptive_dropout,
            siblings=counts[number - 1],
            sign_policy=options.sign_policy,
            sign_penalty=options.sign_penalty,
            kernel=options.kernel,
            seed=options.seed,
            kernel_regularizer=_penalty(options.kernel_l1, options.kernel_l2),
            bias_regularizer=_penalty(options.bias_l1, options.bias_l2),
            name=f"level_{number}",
            dtype=None if options.dtype == "auto" else options.dtype,
        )
        for number, level in enumerate(plan.levels, start=1)
    ]


def check_activations(options: NetworkOptions, *plans: LayerPlan) -> None:
    """Refuse exceptions that name nothing in any of the networks.

    Raises:
        OptionError: A name is that of no hidden vertex, or a level has no hidden vertex.
    """
    hidden = sorted({name for plan in plans for level in plan.levels for name in _hidden(level)})
    levels = sorted({number for plan in plans for number, level in enumerate(plan.levels, start=1) if level.n_hidden})
    for of in options.activations:
        if isinstance(of, str) and of not in hidden:
            raise OptionError("activations", of, "names of hidden vertices", do=_hint(of, hidden))
        if isinstance(of, int) and of not in levels:
            listed = ", ".join(map(str, levels)) or "there is none"
            raise OptionError("activations", of, f"a level with hidden vertices ({listed})")


def fitting_options(options: NetworkOptions, plan: LayerPlan) -> NetworkOptions:
    """The options without exceptions for vertices and levels that this network does not have.

    For networks that are compiled side by side with the same options; `check_activations` with all of them has made
    sure before that each exception fits one.
    """
    names = {name for level in plan.levels for name in _hidden(level)}
    known = names | {number for number, level in enumerate(plan.levels, start=1) if level.n_hidden}
    kept = {of: activation for of, activation in options.activations.items() if of in known}
    return options if len(kept) == len(options.activations) else replace(options, activations=kept)


def _hint(name: str, known: list[str]) -> str:
    return did_you_mean([name], known).removeprefix("; ") or "list the hidden vertices with Dag.hidden"


def half_precision(options: NetworkOptions) -> str:
    """ "float16" or "bfloat16" if the levels compute in it, else empty."""
    policy = keras.config.dtype_policy() if options.dtype == "auto" else keras.dtype_policies.get(options.dtype)
    return policy.compute_dtype if policy.compute_dtype in ("float16", "bfloat16") else ""


def optimizer(options: NetworkOptions) -> keras.optimizers.Optimizer:
    """Adam; in float16 with a loss that is scaled up, without which small gradients become 0."""
    adam = keras.optimizers.Adam(name="adam")
    if half_precision(options) != "float16":
        return adam
    return keras.optimizers.LossScaleOptimizer(adam, name="loss_scale")


class Zeros(keras.initializers.Initializer):
    """Zeros out of NumPy: JAX compiles a program for every shape that it fills itself, some 20 ms apiece."""

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return placed(np.zeros(shape, dtype=dtype or "float32"), dtype=dtype or "float32")


def build_optimizer(optimizer: keras.optimizers.Optimizer, variables: list[Any]) -> None:
    """Make an optimiser's memory of these variables, filled from NumPy where it is Adam."""
    if type(optimizer) is not keras.optimizers.Adam:
        optimizer.build(variables)
        return
    optimizer.add_optimizer_variables = partial(optimizer.add_optimizer_variables, initializer=Zeros())
    try:
        optimizer.build(variables)
    finally:
        del optimizer.add_optimizer_variables


def loss(options: NetworkOptions) -> keras.Loss:
    """What the task minimises."""
    logits = options.output == "linear"
    if options.task == "regression":
        return keras.losses.MeanSquaredError()
    if options.task == "multiclass":
        return keras.losses.CategoricalCrossentropy(from_logits=logits)
    return keras.losses.BinaryCrossentropy(from_logits=logits)


def probability(loss: Any) -> Callable[[Any], Any]:
    """What makes probabilities of a model's result, by its loss: models may end in logits."""
    if not getattr(loss, "from_logits", False):
        return lambda found: found
    return partial(softmax, axis=1) if type(loss).__name__.startswith("Categorical") else expit


def _hidden(level: Any) -> tuple[str, ...]:
    return level.nodes[: level.n_hidden]


def _penalty(l1: float, l2: float) -> keras.Regularizer | None:
    return keras.regularizers.L1L2(l1=l1, l2=l2) if l1 or l2 else None
