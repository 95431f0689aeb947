"""Shapes of what a layer is called with."""

from __future__ import annotations

from typing import Any

from graphnn.errors import MismatchError


def as_list(blocks: Any) -> list[Any]:
    """A call's list; a bare tensor is a list of one."""
    return list(blocks) if isinstance(blocks, (list, tuple)) else [blocks]


def shapes_of(input_shape: Any) -> list[Any]:
    """The shapes of a call's list; Keras gives the bare shape where a bare tensor was passed."""
    nested = bool(input_shape) and isinstance(input_shape[0], (list, tuple))
    return list(input_shape) if nested else [input_shape]


def batch_size(input_shape: Any) -> int | None:
    """Cells in a batch, None where the shape leaves it open."""
    return shapes_of(input_shape)[0][0]


def check_width(what: str, *, expected: int, got: int | None) -> None:
    """Refuse another number of columns.

    Raises:
        MismatchError: It is known, and not the expected one.
    """
    if got is not None and got != expected:
        raise MismatchError(
            f"expected {what} to have {expected:,} columns, got {got:,}; give the columns that the network names",
            expected=expected,
            got=got,
        )
