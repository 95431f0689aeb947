"""The floor of a training step: bytes that must move, over the speed at which this machine copies."""

from __future__ import annotations

import time

import numpy as np

FLOAT = 4  # bytes of a float32
COPIED_MB = 256  # far beyond every cache
REPEATS = 9


def copy_bandwidth(megabytes: int = COPIED_MB, *, repeats: int = REPEATS) -> float:
    """Bytes a second that NumPy moves when it copies a large array: bytes read and bytes written, best of several.

    One thread copies, so a step that uses several cores can come nearer to the floor than its own share suggests.

    Args:
        megabytes: Size of the array.
        repeats: How often it is copied, after once to touch the memory.
    """
    source = np.ones(megabytes * 1_000_000 // FLOAT, dtype=np.float32)
    target = source.copy()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - start)
    return 2 * source.nbytes / best


def step_bytes(*, n_inputs: int, n_parameters: int, batch_size: int) -> int:
    """Bytes that a step of Adam in float32 cannot avoid to move.

    The cells of the batch are read once: 4 batch_size n_inputs. Each parameter and both of its moments are read and
    written: 6 x 4 n_parameters. Gradients and activations may stay in the caches, so they count nothing; nor do
    the indices of the edges. It is a floor: no program moves less, ours included.

    Example:
        >>> step_bytes(n_inputs=18_327, n_parameters=37_433, batch_size=64)
        5590104
    """
    return FLOAT * (batch_size * n_inputs + 6 * n_parameters)
