"""Initial weights, drawn edge by edge from the live fan-in. NumPy only; imports `graphnn.graph` types only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphnn.graph.reach import IntVector

SPREAD = 0.3  # weights start within this fraction of each other


def initial_kernel(fan_in: IntVector, *, seed: int, level: int) -> npt.NDArray[np.float32]:
    """Draw one weight per edge: positive, about 1 / fan_in of its target, so that a vertex starts as a mean.

    Three things differ from a dense layer. The fan-in is that of the edges that exist: a masked rectangle would give
    its own size, hundreds of times larger. Weights start positive and of one size, because many vertices of a prior
    network have one way in: there a weight near zero, as symmetric draws give, shuts off all that lies behind it, and
    along a chain of such vertices hardly anything arrives. And they fall with the fan-in, not with its root: genes
    that one regulator reads go up and down together, so a sum of thousands of them over the root of their number
    would swamp whatever else arrives. Signs are learnt. `benchmarks/initial_weights.py` measures this rule against
    others.

    Args:
        fan_in: Edges into the target of each edge, shape (n_edges,).
        seed: Of the replicate.
        level: Number of the level; each level draws from its own stream.

    Returns:
        Shape (n_edges,). The same arguments give the same numbers, on every machine.

    Example:
        >>> kernel = initial_kernel(np.array([1, 4]), seed=0, level=1)
        >>> bool((np.abs(kernel * [1, 4] - 1) <= SPREAD).all())
        True
    """
    draw = np.random.default_rng((seed, level)).uniform(1.0 - SPREAD, 1.0 + SPREAD, size=len(fan_in))
    return (draw / fan_in).astype(np.float32)


def live_glorot(fan_in: IntVector, fan_out: IntVector, *, seed: int) -> npt.NDArray[np.float32]:
    """Draw one weight per edge, uniform within sqrt(6 / (fan_in + fan_out)) of zero, over the edges that exist.

    The rule of X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010, with live fans; for a masked layer inside a network of other layers.

    Args:
        fan_in: Edges into the target of each edge, shape (n_edges,).
        fan_out: Edges out of the source of each edge, shape (n_edges,).
        seed: Of the draw.
    """
    draw = np.random.default_rng(seed).uniform(-1.0, 1.0, size=len(fan_in))
    return (draw * np.sqrt(6.0 / (fan_in + fan_out))).astype(np.float32)


def dropout_state(*, seed: int, level: int) -> npt.NDArray[np.uint32]:
    """State of a level's dropout generator before its first draw, shape (2,): a derived 31-bit seed and 0."""
    return np.array([np.random.SeedSequence((seed, level, 1)).generate_state(1)[0] >> 1, 0], dtype=np.uint32)
