"""`Trainer`: replicates of one model, each stopped early, on whichever engine runs the model fastest.

What stands here is the same for all engines: which cells make a step, who is watched, when it ends, what is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import jax
import numpy as np

from graphnn.compiler.backend import keras
from graphnn.errors import BatchMemoryError, DataError, OptionError
from graphnn.evaluate.engine.able import obstacle_in_training
from graphnn.evaluate.engine.batches import Batches
from graphnn.evaluate.engine.fit import Epoch, Fit, FloatMatrix, State, Stopped
from graphnn.evaluate.engine.on_jax import JaxEngine
from graphnn.evaluate.engine.place import Place
from graphnn.evaluate.engine.table import Table
from graphnn.evaluate.metrics import leading
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.preprocess import Scaler
from graphnn.evaluate.splits import IntVector, Split


class Run(Protocol):
    """One replicate on an engine, from its first weights to its last prediction."""

    def train(self, rows: IntVector) -> None:
        """One epoch of steps; rows of the cells of each, shape (n_batches, batch)."""

    def watch(self) -> float:
        """The task's loss on the cells that tell when to stop; no penalty is part of it."""

    @property
    def watched(self) -> FloatMatrix:
        """Predictions of `watch`, shape (n_validation, n_outputs); probabilities where the task has them."""

    def keep(self) -> Any:
        """What the replicate has learnt so far, which later steps do not change."""

    def test(self, kept: Any) -> FloatMatrix:
        """Predictions for the test cells from what was kept, shape (n_test, n_outputs)."""

    def state(self, kept: Any) -> State:
        """What was kept, as values of the model's variables."""


class Engine(Protocol):
    """Trains replicates of one model."""

    name: str

    @property
    def replicate_bytes(self) -> int:
        """What a replicate holds of its own while it trains, about; 0: hardly anything beside what all share."""

    def begin(self, split: Split, scaler: Scaler, place: Place) -> Run:
        """A replicate before its first step; weights, dropout and batches come from the split's seed and fold."""


class Trainer:
    """Trains replicates of one model; what can be shared by them is prepared once.

    Args:
        model: What `compile_network` built. Its own variables are never changed.
        table: Cells and labels.
        splits: All that will be trained.
        options: How.
        task: Of the network, for the metric that progress shows.

    Attributes:
        model: As given.

    Raises:
        DataError: The cells do not fit in memory.
        OptionError: Keras does not run on JAX, a batch would have more values than can be counted, or the engine that
            was asked for cannot train this model.
    """

    def __init__(
        self, model: Any, table: Table, splits: Sequence[Split], options: TrainingOptions, *, task: str = "binary"
    ) -> None:
        if keras.backend.backend() != "jax":
            raise OptionError("KERAS_BACKEND", keras.backend.backend(), "jax for training", do="set KERAS_BACKEND=jax")
        self.model = model
        self._table, self._options, self._task = table, options, task
        self._batches = Batches.fitting(splits, largest=options.batch_size)
        try:
            self._engine = _engine_for(model, table, splits, options, self._batches)
        except MemoryError as error:
            raise _too_many_cells(table) from error

    @property
    def replicate_bytes(self) -> int:
        """What a replicate holds of its own while it trains, about."""
        return self._engine.replicate_bytes

    @property
    def engine(self) -> str:
        """Which engine trains: "jax" or "numba"."""
        return self._engine.name

    def fit(
        self,
        split: Split,
        on_epoch: Callable[[Epoch], None] | None = None,
        *,
        place: Place | None = None,
        stop: threading.Event | None = None,
    ) -> Fit:
        """Train one replicate; its weights, its dropout and its batches come from the split's seed and fold.

        Args:
            split: One of those that the trainer was made for.
            on_epoch: Called after each epoch.
            place: Where; None: the first device.
            stop: Ends the training, when it is set, after the epoch that is running.

        Raises:
            DataError: The loss is not finite any more, or the cells do not fit in memory.
            BatchMemoryError: A batch does not fit in memory.
            Stopped: `stop` was set.
        """
        run = self.begin(split, place=place)
        try:
            return self._fit(run, split, on_epoch, stop)
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            reason = (str(error) or "out of memory").splitlines()[0]
            raise BatchMemoryError(self._batches.size, reason) from error

    def begin(self, split: Split, *, place: Place | None = None) -> Run:
        """A replicate before its first step, for who steps by himself; `fit` trains it to its end.

        Raises:
            DataError: The cells do not fit in memory.
        """
        try:
            return self._engine.begin(split, self.scaler(split), place or Place((jax.devices()[0],)))
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            raise _too_many_cells(self._table) from error

    def epochs(self, split: Split) -> Iterator[IntVector]:
        """The cells of each step, epoch by epoch, shape (n_steps, batch)."""
        return self._batches.of(split, self._options.epochs)

    def scaler(self, split: Split) -> Scaler:
        """The scaling of a split, fitted on the cells that train."""
        return self._table.scaler(split, self._options.scaling)

    def _fit(self, run: Run, split: Split, on_epoch: Any, stop: threading.Event | None) -> Fit:
        best, kept, losses = (np.inf, 0), run.keep(), []
        for number, rows in enumerate(self.epochs(split), start=1):
            run.train(rows)
            loss = run.watch()
            if not np.isfinite(loss):
                raise DataError(
                    f"expected a finite validation loss, got {loss} in epoch {number} of seed {split.seed}, fold "
                    f"{split.fold}; lower learning_rate or scale the data"
                )
            losses.append(loss)
            if on_epoch is not None:
                on_epoch(Epoch(number, loss, partial(self._metric, split, run.watched)))
            if loss < best[0]:
                best, kept = (loss, number), run.keep()
            elif number - best[1] >= self._options.patience:
                break
            if number < self._options.epochs and stop is not None and stop.is_set():
                raise Stopped
        scaler = self.scaler(split)
        return Fit(split, run.state(kept), scaler, run.test(kept), np.array(losses), best[1])

    def _metric(self, split: Split, prediction: FloatMatrix) -> float | None:
        """The task's leading metric on the watched cells, the mean over outputs on which it is defined."""
        called, truth = prediction.astype(np.float64), self._table.y[split.validation].astype(np.float64)
        found = [leading(self._task, truth[:, k], called[:, k]) for k in range(truth.shape[1])]
        known = [value for value in found if value is not None]
        return float(np.mean(known)) if known else None


def _engine_for(
    model: Any, table: Table, splits: Sequence[Split], options: TrainingOptions, batches: Batches
) -> Engine:
    """The engine that was asked for; under "auto" numba where it is installed, can do it, and nothing better is there.

    Raises:
        OptionError: The engine that was asked for cannot train this model.
    """
    if options.engine != "jax":
        reason = obstacle_in_training(model, table)
        if options.engine == "auto" and not reason and (len(jax.devices()) > 1 or jax.default_backend() != "cpu"):
            reason = "JAX sees an accelerator or several devices"
        if not reason:
            from graphnn.evaluate.engine.on_numba import NumbaEngine

            return NumbaEngine(model, table, splits, batches, options)
        if options.engine == "numba":
            do = "pip install 'graphnn[fast]'" if "installed" in reason else "use engine='auto' or 'jax'"
            raise OptionError("engine", "numba", f"auto or jax, because {reason}", do=do)
    return JaxEngine(model, table, splits, batches, options)


def _too_many_cells(table: Table) -> DataError:
    return DataError(
        f"expected {table.n_cells:,} cells to fit in memory, but they do not; train fewer replicates side by side "
        "(workers=1), or on fewer cells"
    )


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower()
