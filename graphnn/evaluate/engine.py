"""Training: one compiled program a network for all folds and seeds, early stopping, best weights restored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from scipy.special import expit

from graphnn.compiler.backend import keras
from graphnn.compiler.model import initial_state
from graphnn.errors import DataError, OptionError
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.preprocess import Scaler, fit_scaler
from graphnn.evaluate.splits import IntVector, Split

FloatMatrix = npt.NDArray[np.float32]
State = tuple[list[Any], list[Any]]  # trainable and other variables of a model


@dataclass(frozen=True, eq=False)
class Fit:
    """One trained replicate.

    Attributes:
        split: What it was trained, stopped and tested on.
        state: Values of the model's trainable and other variables at the best epoch.
        scaler: Fitted on the training rows.
        prediction: For the test rows, shape (n_test, n_outputs); probabilities for a binary task, logits or not.
        losses: Validation loss after each epoch, shape (n_epochs,).
        best_epoch: Whose weights were restored, from 1.
    """

    split: Split
    state: State
    scaler: Scaler
    prediction: FloatMatrix
    losses: npt.NDArray[np.float64]
    best_epoch: int


class Trainer:
    """Trains replicates of one model; compiles once, because all splits are brought to one shape.

    Args:
        model: What `compile_network` built. Its own variables are never changed.
        x: Cells, columns in the order of the model's inputs, shape (n_cells, n_inputs).
        y: Labels, shape (n_cells, n_outputs).
        splits: All that will be trained.
        options: How.

    Raises:
        OptionError: Keras does not run on JAX.
    """

    def __init__(
        self, model: Any, x: FloatMatrix, y: FloatMatrix, splits: Sequence[Split], options: TrainingOptions
    ) -> None:
        if keras.backend.backend() != "jax":
            raise OptionError("KERAS_BACKEND", keras.backend.backend(), "jax for training", do="set KERAS_BACKEND=jax")
        self._model, self._options, self._x = model, options, x
        self._truth = y
        self._data = (jnp.asarray(x), jnp.asarray(y))  # arguments of the programs: a constant would be compiled in
        self._optimizer = keras.optimizers.Adam(learning_rate=options.learning_rate)
        self._optimizer.build(model.trainable_variables)
        self._fresh = [np.array(variable.value) for variable in self._optimizer.variables]
        smallest = min(len(split.train) for split in splits)
        self._n_batches = -(-smallest // options.batch_size)
        self._batch = smallest // self._n_batches
        self._held = max(max(len(split.validation), len(split.test)) for split in splits)
        self._epoch = jax.jit(self._run_epoch)
        self._predict = jax.jit(self._run_predict)

    def fit(self, split: Split, on_epoch: Callable[[int, float], None] | None = None) -> Fit:
        """Train one replicate; its weights, its dropout and its batches come from the split's seed and fold.

        Args:
            split: One of those that the trainer was made for.
            on_epoch: Called after each epoch with its number (from 1) and the validation loss.

        Raises:
            DataError: The loss is not finite any more.
        """
        scaler = fit_scaler(self._x[split.train], self._options.scaling)
        scale = (jnp.asarray(scaler.offset), jnp.asarray(scaler.factor), scaler.limit)
        seed = int(np.random.SeedSequence((split.seed, split.fold, 7)).generate_state(1)[0])
        draw = np.random.default_rng((split.seed, split.fold, 11))
        state: State = initial_state(self._model, seed)
        momenta: list[Any] = list(self._fresh)
        best, best_state, losses = (np.inf, 0), state, []
        for epoch in range(1, self._options.epochs + 1):
            rows = draw.permutation(split.train)[: self._n_batches * self._batch]
            state, momenta = self._epoch(state, momenta, rows.reshape(self._n_batches, self._batch), scale, *self._data)
            loss = self._loss_on(state, split.validation, scale)
            if not np.isfinite(loss):
                raise DataError(
                    f"expected a finite validation loss, got {loss} in epoch {epoch}; "
                    "lower learning_rate or scale the data"
                )
            losses.append(loss)
            if on_epoch is not None:
                on_epoch(epoch, loss)
            if loss < best[0]:
                best, best_state = (loss, epoch), state
            elif epoch - best[1] >= self._options.patience:
                break
        kept = tuple([np.array(value) for value in part] for part in best_state)
        prediction = self._predict_rows(best_state, split.test, scale)
        if getattr(self._model.loss, "from_logits", False):
            prediction = expit(prediction)
        return Fit(split, kept, scaler, prediction, np.array(losses), best[1])  # type: ignore[arg-type]

    def _run_epoch(
        self, state: State, momenta: list[Any], batches: Any, scale: Any, cells: Any, labels: Any
    ) -> tuple[State, list[Any]]:
        def step(carry: Any, rows: Any) -> Any:
            (trainable, other), momenta = carry
            slope = jax.grad(self._loss, has_aux=True)
            grads, other = slope(trainable, other, _scaled(cells[rows], scale), labels[rows])
            trainable, momenta = self._optimizer.stateless_apply(momenta, grads, trainable)
            return ((trainable, other), momenta), None

        return jax.lax.scan(step, (state, momenta), batches)[0]

    def _loss(self, trainable: Any, other: Any, x: Any, y: Any) -> tuple[Any, Any]:
        prediction, other, penalties = self._model.stateless_call(
            trainable, other, x, training=True, return_losses=True
        )
        return self._model.loss(y, prediction) + sum(penalties), other

    def _run_predict(self, state: State, rows: Any, scale: Any, cells: Any) -> Any:
        return self._model.stateless_call(*state, _scaled(cells[rows], scale), training=False)[0]

    def _predict_rows(self, state: State, rows: IntVector, scale: Any) -> FloatMatrix:
        """Predictions for rows, padded to one length so that one program serves all splits."""
        padded = np.resize(rows, self._held)
        return np.asarray(self._predict(state, padded, scale, self._data[0]))[: len(rows)]

    def _loss_on(self, state: State, rows: IntVector, scale: Any) -> float:
        """The task's loss, without penalties, on rows that do not train."""
        return float(self._model.loss(self._truth[rows], self._predict_rows(state, rows, scale)))


def _scaled(x: Any, scale: Any) -> Any:
    offset, factor, limit = scale
    return jnp.clip((x - offset) * factor, -limit, limit)
