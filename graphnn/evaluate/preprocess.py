"""Scaling of inputs, fitted on training cells only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatMatrix = npt.NDArray[np.float32]
FloatVector = npt.NDArray[np.float32]

LARGEST = 10.0  # standard deviations; a gene seen in one training cell would otherwise outweigh all others


@dataclass(frozen=True, eq=False)
class Scaler:
    """clip((x - offset) * factor, -limit, limit) for each input; offset and factor have shape (n_inputs,)."""

    offset: FloatVector
    factor: FloatVector
    limit: float

    def transform(self, x: FloatMatrix) -> FloatMatrix:
        """Scaled cells, shape (n_cells, n_inputs)."""
        return np.clip((x - self.offset) * self.factor, -self.limit, self.limit)


def fit_scaler(x: FloatMatrix, scaling: str) -> Scaler:
    """Fit a scaling on the cells that train.

    Args:
        x: Training cells, shape (n_train, n_inputs).
        scaling: "standard", "max" or "none"; see `TrainingOptions`.

    Returns:
        An input that is constant among the training cells is only shifted (standard) or left alone (max).
    """
    n_inputs = x.shape[1]
    offset, factor = np.zeros(n_inputs, dtype=np.float64), np.ones(n_inputs, dtype=np.float64)
    if scaling == "standard":
        offset = x.mean(axis=0, dtype=np.float64)
        spread = x.std(axis=0, dtype=np.float64)
        varies = spread > 1e-7 * np.abs(x).max(axis=0)  # float32 cannot tell smaller spreads from none
        factor = 1.0 / np.where(varies, spread, 1.0)
    elif scaling == "max":
        largest = np.abs(x).max(axis=0).astype(np.float64)
        factor = 1.0 / np.where(largest > 0, largest, 1.0)
    limit = LARGEST if scaling == "standard" else float("inf")
    return Scaler(offset.astype(np.float32), factor.astype(np.float32), limit)
