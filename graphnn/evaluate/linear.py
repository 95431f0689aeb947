"""Elastic-net regression by scikit-learn on the splits, scaling and cells of the networks: what no network adds to.

May import `graphnn.evaluate` modules that train nothing themselves.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.metrics import log_loss, mean_squared_error

from graphnn.evaluate.engine import Epoch, Fit, Table
from graphnn.evaluate.engine.fit import State, seed_of
from graphnn.evaluate.engine.weights import label_weights
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.splits import IntVector, Split

Called = npt.NDArray[np.float64]

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)  # of the penalty, by the largest one at which any input has a weight
L1_RATIO = 0.5
PASSES = 300  # over the cells, for each strength


class LinearTrainer:
    """Trains an elastic-net regression a split: logistic for classes, linear for numbers.

    The strength of the penalty is chosen among four by the loss on the cells that early stopping watches, as the number
    of epochs of a network is. Inputs are divided by what the networks' scaling divides them by; they are not shifted,
    which the intercept makes up for and keeps zeros.

    Args:
        table: Cells and labels.
        options: Of the networks; scaling and class weights are used.
        task: "binary", "multiclass" or "regression".
    """

    engine = "scikit-learn"
    replicate_bytes = 0

    def __init__(self, table: Table, options: TrainingOptions, *, task: str) -> None:
        self._table, self._options, self._task = table, options, task

    def fit(
        self, split: Split, on_epoch: Callable[[Epoch], None] | None = None, *, place: Any = None, stop: Any = None
    ) -> Fit:
        """Train on one split; `losses` of the fit has one value a strength, `best_epoch` says which was chosen.

        The state holds coefficients, shape (n_inputs, n_outputs), and intercepts, shape (n_outputs,).
        """
        scaler = self._table.scaler(split, self._options.scaling)
        x = [_scaled(self._table.x[rows], scaler.factor) for rows in (split.train, split.validation, split.test)]
        y = self._table.y
        weight = label_weights(y, split.train, self._options.class_weight, exclusive=self._task == "multiclass")
        if self._task == "multiclass":
            kinds = np.argmax(y, axis=1)
            parts = [_fit_one(x, kinds, split, weight[:, 0] if len(weight) else None, n_classes=y.shape[1])]
        elif self._task == "binary":
            parts = [
                _fit_one(x, y[:, k].astype(np.int64), split, weight[:, k] if len(weight) else None, n_classes=2)
                for k in range(y.shape[1])
            ]
        else:
            parts = [_fit_number(x, y[:, k].astype(np.float64), split) for k in range(y.shape[1])]
        called = np.concatenate([part[0] for part in parts], axis=1).astype(np.float32)
        losses = np.mean([part[1] for part in parts], axis=0)
        state: State = (
            [np.concatenate([part[2] for part in parts], axis=1), np.concatenate([p[3] for p in parts])],
            [],
        )
        return Fit(split, state, scaler, called, losses, int(np.argmin(losses)) + 1)


def _scaled(x: Any, factor: npt.NDArray[np.float32]) -> Any:
    if isinstance(x, np.ndarray):
        return np.asarray(x * factor, dtype=np.float64)
    scaled = sp.csr_array(x.multiply(factor), dtype=np.float64)
    if scaled.nnz < 2**31:  # scikit-learn takes no larger indices than it needs
        scaled.indices, scaled.indptr = scaled.indices.astype(np.int32), scaled.indptr.astype(np.int32)
    return scaled


def _fit_one(
    x: list[Any], kinds: IntVector, split: Split, weight: npt.NDArray[np.float32] | None, *, n_classes: int
) -> tuple[Called, npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Probabilities of the test cells (of class 1, or of every class), losses, coefficients and intercepts."""
    train, seen = kinds[split.train], np.unique(kinds[split.train])
    n_columns = 1 if n_classes == 2 else n_classes
    if len(seen) < 2:  # nothing to tell apart: a constant
        share = np.zeros((len(split.test), n_classes))
        share[:, seen[0]] = 1.0
        nothing = np.zeros((x[0].shape[1], n_columns))
        return share[:, -n_columns:], np.zeros(len(STRENGTHS)), nothing, np.zeros(n_columns)
    own = None if weight is None else weight[split.train].astype(np.float64)
    best: tuple[float, Any] = (np.inf, None)
    losses = []
    model = LogisticRegression(
        **_elastic_net(), solver="saga", max_iter=PASSES, tol=1e-3, warm_start=True, random_state=seed_of(split)
    )
    for strength in _strengths(_largest_slope(x[0], (train[:, None] == seen) * 1.0)):
        model.C = 1.0 / (len(train) * strength)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # early ending is a penalty of its own
            model.fit(x[0], train, sample_weight=own)
        called = _spread(model.predict_proba(x[1]), seen, n_classes)
        of_watched = None if weight is None else weight[split.validation]
        losses.append(log_loss(kinds[split.validation], called, labels=np.arange(n_classes), sample_weight=of_watched))
        if losses[-1] < best[0]:
            found = _spread(model.predict_proba(x[2]), seen, n_classes)
            best = (losses[-1], (found[:, -n_columns:], *_weights(model, seen, n_columns)))
    called, coefficients, intercepts = best[1]
    return called, np.array(losses), coefficients, intercepts


def _fit_number(
    x: list[Any], y: npt.NDArray[np.float64], split: Split
) -> tuple[Called, npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    train, losses = y[split.train], []
    spread = float(train.std()) or 1.0
    best: tuple[float, Any] = (np.inf, None)
    for strength in _strengths(_largest_slope(x[0], train[:, None]) / spread):
        model = ElasticNet(alpha=strength * spread, l1_ratio=L1_RATIO, max_iter=PASSES)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x[0], train)
        losses.append(mean_squared_error(y[split.validation], model.predict(x[1])))
        if losses[-1] < best[0]:
            coefficients = np.asarray(model.coef_, dtype=np.float64)[:, None]
            best = (losses[-1], (model.predict(x[2])[:, None], coefficients, np.array([float(model.intercept_)])))
    called, coefficients, intercepts = best[1]
    return called, np.array(losses), coefficients, intercepts


def _elastic_net() -> dict[str, Any]:
    """The penalty's name, which scikit-learn 1.8 did away with."""
    major, minor = (int(part) for part in sklearn.__version__.split(".")[:2])
    return {"l1_ratio": L1_RATIO} | ({} if (major, minor) >= (1, 8) else {"penalty": "elasticnet"})


def _largest_slope(x: Any, y: npt.NDArray[np.float64]) -> float:
    """Largest absolute covariance of an input and a label: penalties of this strength by L1_RATIO leave no weight."""
    centred = y - y.mean(axis=0)
    return float(np.abs(x.T @ centred).max() / len(y))


def _strengths(largest: float) -> Iterable[float]:
    return sorted((max(largest, 1e-6) / L1_RATIO * share for share in STRENGTHS), reverse=True)


def _spread(called: Called, seen: IntVector, n_classes: int) -> Called:
    """Probabilities in a column for every class, those that nobody trained on too."""
    found = np.zeros((len(called), n_classes))
    found[:, seen] = called
    return found


def _weights(model: Any, seen: IntVector, n_columns: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    coefficients, intercepts = np.zeros((model.coef_.shape[1], n_columns)), np.zeros(n_columns)
    columns = [0] if n_columns == 1 else seen if len(model.coef_) == len(seen) else seen[1:]
    coefficients[:, columns], intercepts[columns] = model.coef_.T, model.intercept_
    return coefficients, intercepts
