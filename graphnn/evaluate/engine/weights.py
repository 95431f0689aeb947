"""What a label counts in the loss, by its class. NumPy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphnn.evaluate.splits import IntVector

FloatMatrix = npt.NDArray[np.float32]


def label_weights(y: FloatMatrix, train: IntVector, class_weight: str | None, *, exclusive: bool) -> FloatMatrix:
    """Weights by which every class counts as much as any other among the cells that train.

    A label of class c counts n / (k n_c): n cells that train, n_c of them of the class, k classes. A class that no cell
    trains on counts 1.

    Args:
        y: Labels, shape (n_cells, n_outputs), 0 or 1.
        train: Rows that train.
        class_weight: "balanced" or None.
        exclusive: Whether the outputs are classes of one question, of which each cell has one: all labels of a cell
            have the weight of its class then. Else each output is a question of its own.

    Returns:
        Shape (n_cells, n_outputs); for None (0, 0).
    """
    if class_weight is None:
        return np.zeros((0, 0), dtype=np.float32)
    kinds = np.argmax(y, axis=1)[:, None] if exclusive else (y > 0.5).astype(np.int64)
    n_classes = y.shape[1] if exclusive else 2
    columns = [_balanced(kinds[:, k], train, n_classes) for k in range(kinds.shape[1])]
    return np.ascontiguousarray(np.broadcast_to(np.stack(columns, axis=1), y.shape), dtype=np.float32)


def _balanced(kind: IntVector, train: IntVector, n_classes: int) -> npt.NDArray[np.float64]:
    counts = np.bincount(kind[train], minlength=n_classes)
    present = counts > 0
    factor = np.where(present, len(train) / (present.sum() * np.maximum(counts, 1)), 1.0)
    return np.asarray(factor[kind])
