"""Training: one compiled program a network for all folds and seeds, side by side, with early stopping.

Imports JAX. A replicate is one program run until the validation loss no longer falls: all steps of an epoch, with the
update of all weights as one vector. A second one looks at cells that do not train. All replicates of a network are
brought to one shape and share both. They run side by side in threads, one program each, and not
in one program with a further axis: gathers of rows over several replicates do not vectorise on the CPU
(`python -m benchmarks.kernels`), and a replicate alone gives the same bits as among others.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import expit

from graphnn.compiler.backend import keras
from graphnn.compiler.edge_sum import JointSum
from graphnn.compiler.layers import EdgeDense, InputDropout
from graphnn.compiler.model import initial_state, output_places, parts_of, plan_of
from graphnn.errors import BatchMemoryError, DataError, OptionError
from graphnn.evaluate.cache import use_compilation_cache
from graphnn.evaluate.feed import Batch, Feed
from graphnn.evaluate.metrics import leading
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.preprocess import Scaler, fit_scaler
from graphnn.evaluate.splits import IntVector, Split

FloatMatrix = npt.NDArray[np.float32]
State = tuple[list[Any], list[Any]]  # trainable and other variables of a model

LOOK = 256  # cells of one prediction
FIRST = 20  # epochs whose batches say how much a batch holds
HALF_SCALE = 1024.0  # the loss in float16 is multiplied by it, the gradient divided: small slopes would be none there
_FRONT = (keras.layers.BatchNormalization, InputDropout)  # what may stand between the data and the levels


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


@dataclass(frozen=True)
class Epoch:
    """What a replicate says after an epoch: its number (from 1), validation loss, and leading metric where defined."""

    number: int
    loss: float
    metric: float | None


class Stopped(Exception):
    """A replicate was asked to stop before it was done."""


@dataclass(frozen=True)
class Place:
    """Where a replicate trains: one device, or several that share each batch."""

    devices: tuple[Any, ...]

    @cached_property
    def mesh(self) -> Any:
        """The devices in a row."""
        return jax.sharding.Mesh(np.array(self.devices), ("cells",))

    def put(self, arrays: Any) -> Any:
        """Arrays on each of the devices; nobody may write to them afterwards, the memory may be the same."""
        everywhere = jax.sharding.NamedSharding(self.mesh, jax.sharding.PartitionSpec())
        target = self.devices[0] if len(self.devices) == 1 else everywhere
        return jax.device_put(arrays, target, may_alias=True)

    def spread(self, x: Any) -> Any:
        """Cut a batch, shape (n_inputs, width), into one part a device where that comes out even; traceable."""
        if len(self.devices) == 1 or x.shape[1] % len(self.devices):
            return x
        cut = jax.sharding.NamedSharding(self.mesh, jax.sharding.PartitionSpec(None, "cells"))
        return jax.lax.with_sharding_constraint(x, cut)


def places(n_jobs: int) -> tuple[Place, ...]:
    """Where replicates may train: each device by itself, or groups of devices where there are more than replicates."""
    devices = jax.devices()
    size = max(1, len(devices) // max(n_jobs, 1))
    return tuple(Place(tuple(devices[start : start + size])) for start in range(0, size * (len(devices) // size), size))


@dataclass(eq=False)
class Table:
    """Cells and labels that replicates share, and the scaling of each split, fitted once for all networks.

    Attributes:
        x: Cells, columns in the order of the model's inputs, shape (n_cells, n_inputs), dense or sparse.
        y: Labels, shape (n_cells, n_outputs).
    """

    x: FloatMatrix | sp.csr_array
    y: FloatMatrix
    _scalers: dict[tuple[bytes, str], Scaler] = field(default_factory=dict)
    _placed: dict[Place, Batch] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def feed(self) -> Feed:
        """The cells as batches are made of them."""
        return Feed(self.x)

    def scaler(self, split: Split, scaling: str) -> Scaler:
        """Fitted on the cells of the split that train."""
        key = (split.train.tobytes(), scaling)
        with self._lock:
            if key not in self._scalers:
                self._scalers[key] = fit_scaler(self.x[split.train], scaling)
            return self._scalers[key]

    def at(self, place: Place) -> Batch:
        """The arrays of the feed at a place; put there once."""
        with self._lock:
            if place not in self._placed:
                self._placed[place] = place.put(self.feed.arrays)
            return self._placed[place]


class Trainer:
    """Trains replicates of one model; compiles once, because all splits are brought to one shape.

    Args:
        model: What `compile_network` built. Its own variables are never changed.
        table: Cells and labels.
        splits: All that will be trained.
        options: How.
        task: Of the network, for the metric that progress shows.

    Raises:
        OptionError: Keras does not run on JAX, or a batch would have more values than can be counted.
    """

    def __init__(
        self, model: Any, table: Table, splits: Sequence[Split], options: TrainingOptions, *, task: str = "binary"
    ) -> None:
        if keras.backend.backend() != "jax":
            raise OptionError("KERAS_BACKEND", keras.backend.backend(), "jax for training", do="set KERAS_BACKEND=jax")
        use_compilation_cache()
        self._model, self._table, self._options, self._task = model, table, options, task
        self._names, self._levels, self._readout = parts_of(model)
        self._front = [layer for layer in model.layers if isinstance(layer, _FRONT)]
        self._read = output_places(plan_of(model), units=self._levels[0].units)[2]
        joint = [layer for layer in self._levels if layer.data_edges != slice(0, 0) and layer.kernel_kind != "dense"]
        drops = any(layer.drops_edges for layer in self._levels)
        self._from_data = None if drops or not joint else _DataSum(joint)
        self._loss_scale = HALF_SCALE if self._levels[0].compute_dtype == "float16" else 1.0
        self._trainable, self._other = list(model.trainable_variables), list(model.non_trainable_variables)
        sizes = [int(np.prod(variable.shape)) for variable in self._trainable]
        self._bounds = np.cumsum([0, *sizes])
        self._flat = keras.Variable(np.zeros(self._bounds[-1], dtype=np.float32), name="all_weights")
        self._optimizer = keras.optimizers.Adam(learning_rate=options.learning_rate)
        self._optimizer.build([self._flat])
        self._loss_of_cell = type(model.loss).from_config({**model.loss.get_config(), "reduction": "none"})
        smallest = min(len(split.train) for split in splits)
        self._n_batches = -(-smallest // options.batch_size)
        self._batch = smallest // self._n_batches
        # Rows of a multiple of 16 values are quicker: what is added are cells of zeros, of which the loss knows
        # nothing; normalisation would, so there the batch stays as it is.
        reads_batch = any(isinstance(layer, keras.layers.BatchNormalization) for layer in self._front)
        self._width = self._batch if reads_batch else _padded(self._batch)
        longest = max(max(len(split.validation), len(split.test)) for split in splits)
        self._n_looks = -(-longest // LOOK)
        self._look = _padded(-(-longest // self._n_looks))
        feed = table.feed
        if feed.n_inputs * max(self._width, self._look) >= 2**31:
            raise OptionError("batch_size", options.batch_size, f"below {2**31 // feed.n_inputs:,} with so many inputs")
        # of the first epochs; a fuller batch later on is let through, and costs a compilation
        self._capacity = max(feed.capacity(islice(self._epochs(split), FIRST)) for split in splits)
        seen = (rows for split in splits for rows in (split.validation, split.test))
        looks = (np.resize(rows, (self._n_looks, self._look)) for rows in seen)
        self._look_capacity = feed.capacity(looks)
        self._programs: dict[Place, tuple[Any, Any]] = {}
        self._compiled: set[Any] = set()
        self._lock = threading.Lock()

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
        place = place or Place((jax.devices()[0],))
        try:
            self._table.at(place)
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            raise DataError(
                f"expected {self._table.feed.n_cells:,} cells to fit in memory, but they do not; train on fewer cells"
            ) from error
        try:
            return self._fit(split, on_epoch, place, stop)
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            raise BatchMemoryError(self._batch, (str(error) or "out of memory").splitlines()[0]) from error

    def _fit(self, split: Split, on_epoch: Any, place: Place, stop: threading.Event | None) -> Fit:
        scaler = self._table.scaler(split, self._options.scaling)
        scale = place.put((scaler.offset, scaler.factor, np.float32(scaler.limit)))
        cells = self._table.at(place)
        epoch, look = self._programs_at(place)
        seed = int(np.random.SeedSequence((split.seed, split.fold, 7)).generate_state(1)[0])
        trainable, other = initial_state(self._model, seed)
        flat = np.concatenate([np.ravel(value) for value in trainable]).astype(np.float32)
        carry = place.put((flat, other, [np.array(v.value) for v in self._optimizer.variables]))
        watched, tested = place.put(self._looks(split.validation)), place.put(self._looks(split.test))
        best, kept, losses = (np.inf, 0), carry[:2], []
        for number, rows in enumerate(self._epochs(split), start=1):
            capacity = max(self._capacity, self._table.feed.capacity([rows]))
            batches = place.put((self._table.feed.batches(rows, capacity), self._table.y[rows]))
            carry = self._run(epoch, carry, batches, scale, cells)
            prediction, loss = self._run(look, *carry[:2], watched, scale, cells)
            loss = float(loss)
            if not np.isfinite(loss):
                raise DataError(
                    f"expected a finite validation loss, got {loss} in epoch {number} of seed {split.seed}, fold "
                    f"{split.fold}; lower learning_rate or scale the data"
                )
            losses.append(loss)
            if on_epoch is not None:
                on_epoch(Epoch(number, loss, self._metric(split, prediction)))
            if loss < best[0]:
                best, kept = (loss, number), carry[:2]
            elif number - best[1] >= self._options.patience:
                break
            if number < self._options.epochs and stop is not None and stop.is_set():
                raise Stopped
        prediction = np.asarray(self._run(look, *kept, tested, scale, cells)[0])
        prediction = prediction.reshape(-1, self._table.y.shape[1])[: len(split.test)]
        state = (self._split(np.array(kept[0])), [np.array(value) for value in kept[1]])
        return Fit(split, state, scaler, self._called(prediction), np.array(losses), best[1])

    def _programs_at(self, place: Place) -> tuple[Any, Any]:
        """The programs of an epoch and of predictions, made once a place."""
        with self._lock:
            if place not in self._programs:
                self._programs[place] = jax.jit(partial(self._run_epoch, place)), jax.jit(self._run_look)
            return self._programs[place]

    def _run(self, program: Any, *arguments: Any) -> Any:
        """Run; the first run compiles, and nobody else does meanwhile."""
        if program not in self._compiled:
            with self._lock:
                if program not in self._compiled:
                    result = program(*arguments)
                    self._compiled.add(program)
                    return result
        return program(*arguments)

    def _epochs(self, split: Split) -> Iterator[IntVector]:
        """The rows of each epoch's batches, shape (n_batches, batch); the same whenever it is asked for."""
        draw = np.random.default_rng((split.seed, split.fold, 11))
        for _ in range(self._options.epochs):
            rows = draw.permutation(split.train)[: self._n_batches * self._batch]
            yield rows.reshape(self._n_batches, self._batch)

    def _looks(self, rows: IntVector) -> Any:
        """Batches, labels and weights of cells that do not train; as many for all rows of all splits.

        What fills them up are cells that come again, with weight 0.
        """
        filled = np.resize(rows, (self._n_looks, self._look))
        weights = (np.arange(filled.size) < len(rows)).astype(np.float32).reshape(filled.shape)
        return self._table.feed.batches(filled, self._look_capacity), self._table.y[filled], weights

    def _metric(self, split: Split, prediction: Any) -> float | None:
        """The task's leading metric on the watched cells, the mean over outputs on which it is defined."""
        flat = self._called(np.asarray(prediction).reshape(-1, self._table.y.shape[1]))[: len(split.validation)]
        called, truth = flat.astype(np.float64), self._table.y[split.validation].astype(np.float64)
        found = [leading(self._task, truth[:, k], called[:, k]) for k in range(truth.shape[1])]
        known = [value for value in found if value is not None]
        return float(np.mean(known)) if known else None

    def _called(self, prediction: FloatMatrix) -> FloatMatrix:
        return expit(prediction) if getattr(self._model.loss, "from_logits", False) else prediction

    # -- what is compiled --------------------------------------------------------------------------------------------

    def _run_epoch(self, place: Place, carry: Any, batches: Any, scale: Any, cells: Batch) -> Any:
        def step(carry: Any, given: Any) -> Any:
            flat, other, momenta = carry
            batch, labels = given
            x = place.spread(self._table.feed.assemble(cells, batch, scale, self._width))
            grads, other = jax.grad(self._loss, has_aux=True)(self._split(flat), other, x, labels)
            slope = jnp.concatenate([jnp.ravel(grad) for grad in grads]) / self._loss_scale
            [flat], momenta = self._optimizer.stateless_apply(momenta, [slope], [flat])
            return (self._constrained(flat), other, momenta), None

        return jax.lax.scan(step, carry, batches)[0]

    def _run_look(self, flat: Any, other: Any, looks: Any, scale: Any, cells: Batch) -> Any:
        """Predictions, shape (n_looks, look, n_outputs), and the task's loss over cells with a weight."""
        trainable = self._split(flat)

        def look(given: Any) -> Any:
            batch, labels, weights = given
            x = self._table.feed.assemble(cells, batch, scale, self._look)
            prediction = self._forward(trainable, other, x, training=False)[0]
            return prediction, jnp.sum(self._loss_of_cell(labels, prediction) * weights)

        predictions, losses = jax.lax.map(look, looks)
        return predictions, jnp.sum(losses) / jnp.sum(looks[2])

    def _loss(self, trainable: Any, other: Any, x: Any, y: Any) -> tuple[Any, Any]:
        prediction, other, penalties = self._forward(trainable, other, x, training=True)
        return self._loss_scale * (self._model.loss(y, prediction[: len(y)]) + sum(penalties)), other

    def _forward(self, trainable: Any, other: Any, x: Any, *, training: bool) -> tuple[Any, list[Any], list[Any]]:
        """What `model.stateless_call` gives, of cells with inputs first: no level turns its values over and back."""
        mapping = list(zip([*self._trainable, *self._other], [*trainable, *other], strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            blocks = {0: x}
            for layer in self._front:
                blocks[0] = layer(blocks[0].T, training=training).T
            arrived = {} if self._from_data is None else self._from_data(blocks[0])
            for layer in self._levels:
                rows = {block: blocks[block] for block in layer.wiring.blocks}
                given = arrived.get(layer.number)
                blocks[layer.number] = layer.from_rows(rows, training=training, from_data=given)
            prediction = self._readout([blocks[number].T for number in self._read])
            penalties = list(self._model.losses) if training else []
        return prediction, [_after(scope, variable) for variable in self._other], penalties

    def _split(self, flat: Any) -> list[Any]:
        """The flat vector as the model's trainable variables."""
        parts = zip(self._bounds[:-1], self._bounds[1:], self._trainable, strict=True)
        return [flat[start:stop].reshape(variable.shape) for start, stop, variable in parts]

    def _constrained(self, flat: Any) -> Any:
        if all(variable.constraint is None for variable in self._trainable):
            return flat
        parts = zip(self._trainable, self._split(flat), strict=True)
        return jnp.concatenate(
            [jnp.ravel(part if variable.constraint is None else variable.constraint(part)) for variable, part in parts]
        )


class _DataSum:
    """What the data bring to all levels, in one sum."""

    def __init__(self, levels: Sequence[EdgeDense]) -> None:
        self._levels = levels
        self._sum = JointSum([layer.data_sum for layer in self._levels])

    def __call__(self, x: Any) -> dict[int, Any]:
        """For each level that reads the data what arrives there, shape (n_units, batch)."""
        dtype = self._levels[0].compute_dtype
        kernels = [jnp.asarray(layer.kernel)[layer.data_edges].astype(dtype) for layer in self._levels]
        numbers = [layer.number for layer in self._levels]
        return dict(zip(numbers, self._sum(x.astype(dtype), kernels), strict=True))


@dataclass(frozen=True)
class Job:
    """A replicate to train: of which trainer, on which split, and what is called after each epoch."""

    trainer: Trainer
    split: Split
    on_epoch: Callable[[Epoch], None] | None = None


def fit_all(
    jobs: Sequence[Job], *, workers: int | None = None, on_done: Callable[[int], None] | None = None
) -> list[Fit | None]:
    """Train replicates side by side, each on one of the devices that JAX sees, in turn.

    Law: the fits are the same, bit for bit, for every number of workers on one kind of device.

    Args:
        jobs: What to train, in the order in which they begin.
        workers: How many at a time; None: see `default_workers`.
        on_done: Called with the number of jobs done, whenever one is.

    Returns:
        One fit a job. Ctrl-C stops what is running; jobs that were not done are None then, and where none was done
        KeyboardInterrupt is raised.

    Raises:
        DataError: A loss is not finite any more.
        BatchMemoryError: A batch does not fit in memory.
    """
    if not jobs:
        return []
    where = places(len(jobs))
    count = min(workers or default_workers(len(where)), len(jobs))
    stop = threading.Event()
    running: dict[Future[Fit], int] = {}
    fits: list[Fit | None] = [None] * len(jobs)

    def collect(futures: Iterable[Future[Fit]]) -> None:
        for future in futures:
            fits[running.pop(future)] = future.result()
            if on_done is not None:
                on_done(sum(fit is not None for fit in fits))

    with ThreadPoolExecutor(max_workers=count, thread_name_prefix="graphnn") as pool:
        try:
            for at, job in enumerate(jobs):
                place = where[at % len(where)]
                running[pool.submit(job.trainer.fit, job.split, job.on_epoch, place=place, stop=stop)] = at
            while running:
                collect(wait(running, timeout=0.2, return_when=FIRST_COMPLETED).done)
        except BaseException as error:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            if not isinstance(error, KeyboardInterrupt):
                raise
            collect([future for future in running if not future.cancelled() and future.exception() is None])
            if not any(fits):
                raise
    return fits


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower()


def default_workers(n_places: int) -> int:
    """Replicates at a time: two for each device, as one leaves a core idle while it scatters; never more than cores."""
    return max(1, min(2 * n_places, os.cpu_count() or 1))


def _padded(count: int) -> int:
    return -(-count // 16) * 16 if count > 16 else count


def _after(scope: Any, variable: Any) -> Any:
    value = scope.get_current_value(variable)
    return variable.value if value is None else value
