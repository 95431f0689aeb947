"""Dropout masks from a counter hash. Keras operations only; imports `backend`.

`keras.random` on JAX draws with Threefry and stores the mask for the backward pass. For 35,000 edges and 64 cells on
two cores that took one gradient from 4 ms to 20 ms; a hash of (seed, step, edge, cell) is computed where it is used,
in both passes, and gave 4 to 6 ms (single runs on a busy machine).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.compiler.backend import keras

ops = keras.ops

# Constants of the "lowbias32" mixer (Wellons 2018, https://nullprogram.com/blog/2018/07/31/), as signed 32-bit
# integers: every backend wraps those on overflow, and not every one has unsigned ones.
_SHIFTS = (16, 15, 16)
_FACTORS = (0x7FEB352D, 0x846CA68B - 2**32)
_GOLDEN = 0x9E3779B9 - 2**32


def keep_mask(state: Any, *, shape: tuple[Any, Any], rate: float | npt.NDArray[np.float32], first: int = 0) -> Any:
    """Which entries stay, each with probability 1 - rate, independently.

    Args:
        state: Two integers, seed and step, as `keras.random.SeedGenerator.next` gives them.
        shape: (n_rows, n_columns).
        rate: Fraction that is dropped, in [0, 1); one number, or one for each row, shape (n_rows, 1).
        first: Number of the first row, where the rows are a part of more: parts then draw apart from each other.

    Returns:
        Booleans of that shape; the same state gives the same mask on every machine.
    """
    state = ops.cast(state, "int32")
    key = _mix(state[0] + _mix(state[1] * np.int32(_GOLDEN) + 1))
    rows = ops.expand_dims(ops.arange(first, first + shape[0], dtype="int32"), 1)
    counter = rows * shape[1] + ops.arange(shape[1], dtype="int32")
    bits = _mix(ops.bitwise_xor(_mix(counter + key), _mix(key)))
    threshold = np.minimum((1.0 - np.asarray(rate, dtype=np.float64)) * 2**31, 2**31 - 1).astype(np.int32)
    return ops.less(ops.bitwise_and(bits, np.int32(2**31 - 1)), threshold)


def keep_factor(state: Any, rates: npt.NDArray[np.float32], shape: tuple[Any, Any], *, first: int = 0) -> Any:
    """0 where an entry is dropped, 1 / (1 - rate) where it stays; a rate of 0 leaves a row as it is.

    Args:
        state: As for `keep_mask`.
        rates: Each in [0, 1), shape (n_rows,).
        shape: (n_rows, n_columns).
        first: As for `keep_mask`.
    """
    rates = np.asarray(rates, dtype=np.float32)[:, None]
    keep = ops.logical_or(keep_mask(state, shape=shape, rate=rates, first=first), rates == 0)
    return ops.where(keep, 1.0 / (1.0 - rates), np.float32(0.0))


def dropped(values: Any, state: Any, *, rates: npt.NDArray[np.float32]) -> Any:
    """Drop each value at the rate of its row and divide what stays by 1 - rate; see `keep_factor`."""
    return values * ops.cast(keep_factor(state, rates, ops.shape(values)), values.dtype)


def _mix(value: Any) -> Any:
    value = _xor_shifted(value, _SHIFTS[0]) * np.int32(_FACTORS[0])
    value = _xor_shifted(value, _SHIFTS[1]) * np.int32(_FACTORS[1])
    return _xor_shifted(value, _SHIFTS[2])


def _xor_shifted(value: Any, bits: int) -> Any:
    """value ^ (value >> bits), the shift filling with zeros: signed integers fill with the sign, which is cut off."""
    shifted = ops.bitwise_and(ops.right_shift(value, np.int32(bits)), np.int32(2 ** (32 - bits) - 1))
    return ops.bitwise_xor(value, shifted)
