"""Importance of hidden vertices, per fit, with names."""

from __future__ import annotations

import numpy as np
import pandas as pd

from graphnn.compiler.lowering import fitting_options
from graphnn.compiler.model import compile_network
from graphnn.compiler.plan import LayerPlan
from graphnn.evaluate.compare import NETWORKS, Comparison
from graphnn.explain.gradients import gradient_function

METHOD = "mean absolute derivative of the output by the vertex's value, over the cells of the reported fold"


def node_importance(comparison: Comparison) -> pd.DataFrame:
    """Score every hidden vertex of both networks in every fit.

    The score is the mean, over the cells of the reported fold, of |d output / d value of the vertex|: how far the
    prediction would move if the vertex's activity did. It follows topology as well as data (a vertex that everything
    runs through scores high in any data), so compare scores of one vertex between conditions rather than vertices.

    Args:
        comparison: What `compare` returned.

    Returns:
        node, network, output, fold, seed, score, bias; sorted by network, output, seed, fold, node. With several units
        the score is that of moving all units of a vertex together, and the bias their mean.
    """
    frames = []
    for name in NETWORKS:
        plan = comparison.plans[name]
        model = compile_network(plan, fitting_options(comparison.options, plan))
        gradients = gradient_function(model)
        hidden = np.concatenate([np.arange(level.n_nodes) < level.n_hidden for level in plan.levels])
        nodes = np.array([node for level in plan.levels for node in level.nodes], dtype=object)[hidden]
        most = max(len(fit.split.test) for fit in comparison.fits[name])
        for fit in comparison.fits[name]:
            x = comparison.inputs_of(fit)
            padded = np.resize(x, (most, x.shape[1]))  # one shape, so one program for all fits
            bias = _biases(plan, fit.state[0], units=comparison.options.units)[hidden]
            for column, output in enumerate(comparison.outputs):
                parts = gradients(fit.state, padded, column)
                slopes = np.concatenate([np.abs(part[: len(x)]).mean(axis=0) for part in parts])
                frames.append(
                    pd.DataFrame(
                        {
                            "node": nodes,
                            "network": name,
                            "output": output,
                            "fold": fit.split.fold,
                            "seed": fit.split.seed,
                            "score": slopes[hidden].astype(np.float64),
                            "bias": bias,
                        }
                    )
                )
    frame = pd.concat(frames, ignore_index=True)
    place = {name: position for position, name in enumerate(NETWORKS)}
    order = frame.assign(place=frame["network"].map(place)).sort_values(["place", "output", "seed", "fold", "node"])
    return order.drop(columns="place").reset_index(drop=True)


def _biases(plan: LayerPlan, trainable: list[np.ndarray], *, units: int) -> np.ndarray:
    """Bias of each vertex in level order, NaN for fed inputs, shape (n_nodes,)."""
    parts = []
    for (_, bias), level in zip(plan.weights_by_level(trainable, units=units), plan.levels, strict=True):
        values = np.full(level.n_nodes, np.nan)
        if bias is not None:
            values[: level.n_biases] = bias
        parts.append(values)
    return np.concatenate(parts)
