"""Initial weights, drawn edge by edge from live fans. NumPy only; imports `graphnn.graph` types only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphnn.graph.reach import IntVector


def initial_kernel(fan_in: IntVector, fan_out: IntVector, *, seed: int, level: int) -> npt.NDArray[np.float32]:
    """Draw one weight per edge, uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).

    The fans are those of the edges that exist. A masked rectangle would give its own size, which for a network of
    prior knowledge is hundreds of times larger, and so weights that start far too small.

    Args:
        fan_in: Edges into the target of each edge, shape (n_edges,).
        fan_out: Edges out of the source of each edge, in the whole network, shape (n_edges,).
        seed: Of the replicate.
        level: Number of the level; each level draws from its own stream.

    Returns:
        Shape (n_edges,). The same arguments give the same numbers, on every machine.

    Example:
        >>> kernel = initial_kernel(np.array([2, 2]), np.array([1, 4]), seed=0, level=1)
        >>> bool((np.abs(kernel) <= np.sqrt([2, 1])).all())
        True
    """
    draw = np.random.default_rng((seed, level)).uniform(-1.0, 1.0, size=len(fan_in))
    return (draw * np.sqrt(6.0 / (fan_in + fan_out))).astype(np.float32)


def dropout_state(*, seed: int, level: int) -> npt.NDArray[np.uint32]:
    """State of a level's dropout generator before its first draw, shape (2,): a derived 31-bit seed and 0."""
    return np.array([np.random.SeedSequence((seed, level, 1)).generate_state(1)[0] >> 1, 0], dtype=np.uint32)
