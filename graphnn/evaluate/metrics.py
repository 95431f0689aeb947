"""Metrics of a fold, by scikit-learn and SciPy; None where a metric is not defined."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn import metrics as sk

FloatVector = npt.NDArray[np.float64]

BINARY = ("roc_auc", "accuracy", "precision", "recall", "f1")
REGRESSION = ("spearman", "r2", "mse")
SMALLER_IS_BETTER = ("mse",)
THRESHOLD = 0.5


def names_of(task: str) -> tuple[str, ...]:
    """Metrics of a task, the leading one first."""
    return BINARY if task == "binary" else REGRESSION


def measure(task: str, truth: FloatVector, prediction: FloatVector) -> dict[str, float | None]:
    """All metrics of one output on the cells of one fold.

    Args:
        task: "binary" or "regression".
        truth: Shape (n_cells,); 0 or 1 for "binary".
        prediction: Shape (n_cells,); probability for "binary", called 1 from 0.5 on.

    Returns:
        Metric -> value. ROC-AUC is None where only one class is present, Spearman's rho where a side is constant.
    """
    if task == "binary":
        called = prediction >= THRESHOLD
        return {
            "roc_auc": leading(task, truth, prediction),
            "accuracy": float(sk.accuracy_score(truth, called)),
            "precision": float(sk.precision_score(truth, called, zero_division=0)),
            "recall": float(sk.recall_score(truth, called, zero_division=0)),
            "f1": float(sk.f1_score(truth, called, zero_division=0)),
        }
    return {
        "spearman": leading(task, truth, prediction),
        "r2": float(sk.r2_score(truth, prediction)) if len(truth) > 1 and np.ptp(truth) > 0 else None,
        "mse": float(sk.mean_squared_error(truth, prediction)),
    }


def leading(task: str, truth: FloatVector, prediction: FloatVector) -> float | None:
    """The first of the metrics that `measure` gives, alone."""
    if task == "binary":
        return float(sk.roc_auc_score(truth, prediction)) if len(np.unique(truth)) == 2 else None
    varies = np.ptp(truth) > 0 and np.ptp(prediction) > 0
    return float(spearmanr(truth, prediction).statistic) if varies else None
