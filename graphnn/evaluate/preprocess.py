"""Scaling of inputs, fitted on training cells only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

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


def fit_scaler(x: FloatMatrix | sp.csr_array, scaling: str) -> Scaler:
    """Fit a scaling on the cells that train.

    Args:
        x: Training cells, shape (n_train, n_inputs), dense or sparse.
        scaling: "standard", "max" or "none"; see `TrainingOptions`.

    Returns:
        An input that is constant among the training cells is only shifted (standard) or left alone (max).
    """
    n_inputs, x = x.shape[1], canonical(x)
    offset, factor = np.zeros(n_inputs, dtype=np.float64), np.ones(n_inputs, dtype=np.float64)
    if scaling == "standard":
        offset, spread = _moments(x)
        # float32 cannot tell smaller spreads from none, nor hold the inverse of the smallest
        varies = spread > np.maximum(1e-7 * _largest(x), 1e-30)
        factor = 1.0 / np.where(varies, spread, 1.0)
    elif scaling == "max":
        largest = _largest(x)
        factor = 1.0 / np.where(largest > 0, largest, 1.0)
    limit = LARGEST if scaling == "standard" else float("inf")
    return Scaler(offset.astype(np.float32), factor.astype(np.float32), limit)


def canonical(x: FloatMatrix | sp.csr_array) -> FloatMatrix | sp.csr_array:
    """The same cells; sparse ones with ascending columns, each once in a row."""
    if isinstance(x, np.ndarray) or x.has_canonical_format:
        return x
    x = x.copy()
    x.sum_duplicates()
    return x


def _moments(x: FloatMatrix | sp.csr_array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of each column, in two passes."""
    if isinstance(x, np.ndarray):
        return x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    count, n_inputs = x.shape
    columns, values = x.indices, x.data.astype(np.float64)
    mean = np.bincount(columns, values, minlength=n_inputs) / count
    stored = np.bincount(columns, minlength=n_inputs)
    squares = np.bincount(columns, (values - mean[columns]) ** 2, minlength=n_inputs) + (count - stored) * mean**2
    return mean, np.sqrt(squares / count)


def _largest(x: FloatMatrix | sp.csr_array) -> npt.NDArray[np.float64]:
    """Largest absolute value of each column."""
    largest = abs(x).max(axis=0)
    return (largest if isinstance(largest, np.ndarray) else largest.toarray()).reshape(-1).astype(np.float64)
