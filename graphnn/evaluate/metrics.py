"""Metrics of a fold, by scikit-learn and SciPy; None where a metric is not defined."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn import metrics as sk

FloatVector = npt.NDArray[np.float64]
FloatMatrix = npt.NDArray[np.float64]

BINARY = ("roc_auc", "accuracy", "precision", "recall", "f1")
REGRESSION = ("spearman", "r2", "mse")
SMALLER_IS_BETTER = ("mse",)
THRESHOLD = 0.5


def names_of(task: str) -> tuple[str, ...]:
    """Metrics of a task, the leading one first."""
    return REGRESSION if task == "regression" else BINARY


def measure_all(task: str, truth: FloatMatrix, prediction: FloatMatrix) -> list[dict[str, float | None]]:
    """All metrics of each output on the cells of one fold.

    Args:
        task: "binary", "multiclass" (each output against the rest; a cell is called the most probable one) or
            "regression".
        truth: Shape (n_cells, n_outputs); 0 or 1 but for a regression.
        prediction: Likewise; probabilities but for a regression.

    Returns:
        For each output what `measure` gives.
    """
    n_outputs = truth.shape[1]
    called = None
    if task == "multiclass":
        called = np.argmax(prediction, axis=1)[:, None] == np.arange(n_outputs)
    return [
        measure(task, truth[:, k], prediction[:, k], called=None if called is None else called[:, k])
        for k in range(n_outputs)
    ]


def measure(
    task: str, truth: FloatVector, prediction: FloatVector, *, called: npt.NDArray[np.bool_] | None = None
) -> dict[str, float | None]:
    """All metrics of one output on the cells of one fold.

    Args:
        task: "binary", "multiclass" or "regression".
        truth: Shape (n_cells,); 0 or 1 but for a regression.
        prediction: Shape (n_cells,); probability but for a regression.
        called: Which cells are called 1, shape (n_cells,); None: those with a probability from 0.5 on.

    Returns:
        Metric -> value. ROC-AUC is None where only one class is present, Spearman's rho where the truth is constant
        (0 where the prediction is).
    """
    if task != "regression":
        called = prediction >= THRESHOLD if called is None else called
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
    if task != "regression":
        return float(sk.roc_auc_score(truth, prediction)) if len(np.unique(truth)) == 2 else None
    if np.ptp(truth) == 0:
        return None
    # one prediction for all ranks nothing, as a ROC-AUC of 1/2 does; left out, such folds would flatter who fails
    return float(spearmanr(truth, prediction).statistic) if np.ptp(prediction) > 0 else 0.0
