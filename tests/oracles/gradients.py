"""Derivatives by the value of each vertex, by JAX through the compiled model: oracle of `graphnn.explain.passes`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from graphnn.compiler.backend import keras
from graphnn.compiler.model import output_places, parts_of, plan_of

Values = list[npt.NDArray[np.float32]]


def gradient_function(model: Any) -> Callable[[Any, Any, int], Values]:
    """Make the function that differentiates an output by the value of every vertex.

    Zero is added to the values of each level; the derivative by that zero is the derivative by the vertex's value
    with everything above it recomputed. For a small epsilon it equals the difference quotient that the KPNN
    paper takes vertex by vertex (N. Fortelny, C. Bock, Genome Biology 21 (2020) 190,
    doi:10.1186/s13059-020-02100-5), at the price of one backward pass instead of two forward passes a vertex.

    With several units the units of a vertex are moved together: the derivative by a vertex is the sum over its units.

    Args:
        model: What `compile_network` built.

    Returns:
        Function of (state, x, output): trainable and other variables, cells of shape (n_cells, n_inputs), and the
        column of the output; gives for each level the derivatives, shape (n_cells, n_nodes of the level).
    """
    names, levels, readout = parts_of(model)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    read = output_places(plan_of(model), units=levels[0].units)[2]
    vertex_of_column = {layer.number: layer.expansion().node for layer in levels}

    def predict(offsets: Any, state: Any, x: Any) -> Any:
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        with keras.StatelessScope(state_mapping=list(zip(variables, [*state[0], *state[1]], strict=True))):
            blocks = {0: names(x)}
            for norm in norms:
                blocks[0] = norm(blocks[0], training=False)
            for layer, offset in zip(levels, offsets, strict=True):
                value = layer([blocks[block] for block in layer.level.blocks], training=False)
                push = offset if layer.units == 1 else jnp.take(offset, vertex_of_column[layer.number], axis=1)
                blocks[layer.number] = value + push
            return readout([blocks[number] for number in read])

    def total(offsets: Any, state: Any, x: Any, output: Any) -> Any:
        return predict(offsets, state, x)[:, output].sum()

    slope = jax.jit(jax.grad(total))

    def gradients(state: Any, x: Any, output: int) -> Values:
        zeros = [jnp.zeros((len(x), layer.level.n_nodes), dtype=jnp.float32) for layer in levels]
        return [np.asarray(part) for part in slope(zeros, state, jnp.asarray(x), output)]

    return gradients
