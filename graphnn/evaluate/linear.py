"""Elastic-net regression by scikit-learn on the splits, scaling and cells of the networks: what no network adds to.

May import `graphnn.evaluate` modules that train nothing themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import sklearn
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.metrics import log_loss, mean_squared_error

from graphnn.evaluate.engine import Epoch, Fit, Table
from graphnn.evaluate.engine.fit import State, Stopped, seed_of
from graphnn.evaluate.engine.weights import label_weights
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.preprocess import Scaler
from graphnn.evaluate.splits import IntVector, Split

Called = npt.NDArray[np.float64]

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)  # of the penalty, by the largest one at which any input has a weight
L1_RATIO = 0.5
PASSES = 1000  # over the cells, for each strength, at most
TOLERANCE = 1e-3
DENSE_VALUES = 250_000_000  # of a part of the cells: 1 GB


class LinearTrainer:
    """Trains an elastic-net regression a split: logistic for classes, linear for numbers.

    The strength of the penalty is chosen among four by the loss on the cells that early stopping watches, as the number
    of epochs of a network is. Inputs are scaled as for the networks. Only where the cells of a part are too many to be
    dense (`DENSE_VALUES`) they stay sparse, divided but neither shifted nor cut; the intercept then learns slowly.

    Args:
        table: Cells and labels.
        options: Of the networks; scaling and class weights are used.
        task: "binary", "multiclass" or "regression".
    """

    @property
    def engine(self) -> str:
        """What trains."""
        return "scikit-learn"

    def __init__(self, table: Table, options: TrainingOptions, *, task: str) -> None:
        self._table, self._options, self._task = table, options, task
        self.unconverged = 0  # models that were chosen and had not converged

    @property
    def replicate_bytes(self) -> int:
        """What a replicate holds of its own: its parts of the cells, twice while they are scaled."""
        n_values = self._table.x.shape[0] * self._table.x.shape[1]
        return 8 * min(n_values, DENSE_VALUES)

    def fit(
        self, split: Split, on_epoch: Callable[[Epoch], None] | None = None, *, place: Any = None, stop: Any = None
    ) -> Fit:
        """Train on one split.

        `losses` of the fit has one value a strength, the mean over outputs, and `best_epoch` says which of these is
        least; each output has a strength of its own. The state holds coefficients, shape (n_inputs, n_outputs), and
        intercepts, shape (n_outputs,), for scaled inputs.

        Raises:
            Stopped: `stop` was set.
        """
        scaler = self._table.scaler(split, self._options.scaling)
        x = [_scaled(self._table.x[rows], scaler) for rows in (split.train, split.validation, split.test)]
        y = self._table.y
        weight = label_weights(y, split.train, self._options.class_weight, exclusive=self._task == "multiclass")
        weights = [weight[:, k] if len(weight) else None for k in range(y.shape[1])]
        if self._task == "multiclass":
            kinds = np.argmax(y, axis=1)
            parts = [_fit_one(x, kinds, split, weights[0], classes=np.arange(y.shape[1]), stop=stop)]
        elif self._task == "binary":
            parts = [
                _fit_one(x, y[:, k].astype(np.int64), split, weights[k], classes=np.arange(2), stop=stop, told=1)
                for k in range(y.shape[1])
            ]
        else:
            parts = [_fit_number(x, y[:, k].astype(np.float64), split, stop=stop) for k in range(y.shape[1])]
        self.unconverged += sum(part[4] for part in parts)
        called = np.concatenate([part[0] for part in parts], axis=1).astype(np.float32)
        losses = np.mean([part[1] for part in parts], axis=0)
        state: State = (
            [np.concatenate([part[2] for part in parts], axis=1), np.concatenate([p[3] for p in parts])],
            [],
        )
        return Fit(split, state, scaler, called, losses, int(np.argmin(losses)) + 1)


def _scaled(x: Any, scaler: Scaler) -> Any:
    """Cells as the networks see them, dense; sparse and only divided where they are too many."""
    if isinstance(x, np.ndarray):
        return scaler.transform(x)
    if x.shape[0] * x.shape[1] <= DENSE_VALUES:
        return scaler.transform(x.toarray())
    scaled = sp.csr_array(x.multiply(scaler.factor), dtype=np.float32)
    if scaled.nnz < 2**31:  # scikit-learn takes no larger indices than it needs
        scaled.indices, scaled.indptr = scaled.indices.astype(np.int32), scaled.indptr.astype(np.int32)
    return scaled


Part = tuple[Called, Called, Called, Called, bool]  # test cells, losses, coefficients, intercepts, not converged


def _fit_one(
    x: list[Any],
    kinds: IntVector,
    split: Split,
    weight: npt.NDArray[np.float32] | None,
    *,
    classes: IntVector,
    stop: threading.Event | None,
    told: int | None = None,
) -> Part:
    """Probabilities of the test cells: of the last `told` classes, or of all of them."""
    train, seen, n_classes = kinds[split.train], np.unique(kinds[split.train]), len(classes)
    n_columns = told or n_classes
    if len(seen) < 2:  # nothing to tell apart: a constant
        share = np.zeros((len(split.test), n_classes))
        share[:, seen[0]] = 1.0
        nothing = np.zeros((x[0].shape[1], n_columns))
        return share[:, -n_columns:], np.zeros(len(STRENGTHS)), nothing, np.zeros(n_columns), False
    own = None if weight is None else weight[split.train].astype(np.float64)
    best: tuple[float, Any] = (np.inf, None)
    losses = []
    model = LogisticRegression(
        **_elastic_net(), solver="saga", max_iter=PASSES, tol=TOLERANCE, warm_start=True, random_state=seed_of(split)
    )
    for strength in _strengths(_largest_slope(x[0], (train[:, None] == seen) * 1.0)):
        _refuse_stopped(stop)
        model.C = 1.0 / (len(train) * strength)
        model.fit(x[0], train, sample_weight=own)
        called = _spread(model.predict_proba(x[1]), seen, n_classes)
        of_watched = None if weight is None else weight[split.validation]
        losses.append(log_loss(kinds[split.validation], called, labels=np.arange(n_classes), sample_weight=of_watched))
        if losses[-1] < best[0]:
            found = _spread(model.predict_proba(x[2]), seen, n_classes)
            ended = bool(np.max(model.n_iter_) >= PASSES)
            best = (losses[-1], (found[:, -n_columns:], *_weights(model, seen, n_columns), ended))
    called, coefficients, intercepts, ended = best[1]
    return called, np.array(losses), coefficients, intercepts, ended


def _fit_number(x: list[Any], y: npt.NDArray[np.float64], split: Split, *, stop: threading.Event | None) -> Part:
    train, losses = y[split.train], []
    spread, mean = float(train.std()) or 1.0, float(train.mean())
    target = (train - mean) / spread
    best: tuple[float, Any] = (np.inf, None)
    for strength in _strengths(_largest_slope(x[0], target[:, None])):
        _refuse_stopped(stop)
        model = ElasticNet(alpha=strength, l1_ratio=L1_RATIO, max_iter=PASSES)
        model.fit(x[0], target)
        losses.append(mean_squared_error(y[split.validation], mean + spread * model.predict(x[1])))
        if losses[-1] < best[0]:
            coefficients = spread * np.asarray(model.coef_, dtype=np.float64)[:, None]
            called = (mean + spread * model.predict(x[2]))[:, None]
            ended = bool(model.n_iter_ >= PASSES)
            best = (losses[-1], (called, coefficients, np.array([mean + spread * float(model.intercept_)]), ended))
    called, coefficients, intercepts, ended = best[1]
    return called, np.array(losses), coefficients, intercepts, ended


def _refuse_stopped(stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise Stopped


def _elastic_net() -> dict[str, Any]:
    """The penalty's name, which scikit-learn 1.8 did away with."""
    major, minor = (int(part) for part in sklearn.__version__.split(".")[:2])
    return {"l1_ratio": L1_RATIO} | ({} if (major, minor) >= (1, 8) else {"penalty": "elasticnet"})


def _largest_slope(x: Any, y: npt.NDArray[np.float64]) -> float:
    """Largest absolute covariance of an input and a label.

    A penalty of this strength by L1_RATIO leaves no weight, but for class weights, which it does not look at.
    """
    centred = y - y.mean(axis=0)
    return float(np.abs(x.T @ centred).max() / len(y))


def _strengths(largest: float) -> Iterable[float]:
    return sorted((max(largest, 1e-6) / L1_RATIO * share for share in STRENGTHS), reverse=True)


def _spread(called: Called, seen: IntVector, n_classes: int) -> Called:
    """Probabilities in a column for every class, those that nobody trained on too."""
    found = np.zeros((len(called), n_classes))
    found[:, seen] = called
    return found / found.sum(axis=1, keepdims=True)  # float32 adds up to nearly 1


def _weights(model: Any, seen: IntVector, n_columns: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Coefficients and intercepts with a column for every class that is told; of two classes the first has none."""
    coefficients, intercepts = np.zeros((model.coef_.shape[1], n_columns)), np.zeros(n_columns)
    columns = [0] if n_columns == 1 else seen if len(model.coef_) == len(seen) else seen[1:]
    coefficients[:, columns], intercepts[columns] = model.coef_.T, model.intercept_
    return coefficients, intercepts
