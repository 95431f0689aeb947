"""The engine on JAX: one compiled program a network for all folds and seeds.

Imports JAX. A replicate is one program run once an epoch: all steps of the epoch, with the update of all weights as one
vector. A second one looks at cells that do not train. All replicates of a network are brought to one shape and share
both.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from graphnn.compiler.backend import keras
from graphnn.compiler.edge_sum import JointSum
from graphnn.compiler.layers import EdgeDense, InputDropout
from graphnn.compiler.lowering import probability
from graphnn.compiler.model import initial_state, output_places, parts_of, plan_of
from graphnn.errors import OptionError
from graphnn.evaluate.engine.batches import Batches
from graphnn.evaluate.engine.cache import use_compilation_cache
from graphnn.evaluate.engine.feed import Batch
from graphnn.evaluate.engine.fit import FloatMatrix, State, seed_of
from graphnn.evaluate.engine.place import Place
from graphnn.evaluate.engine.table import Table
from graphnn.evaluate.engine.weights import label_weights
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.preprocess import Scaler
from graphnn.evaluate.splits import IntVector, Split

LOOK = 256  # cells of one prediction
FIRST = 20  # epochs whose batches say how much a batch holds
HALF_SCALE = 1024.0  # the loss in float16 is multiplied by it, the gradient divided: small slopes would be none there
_FRONT = (keras.layers.BatchNormalization, InputDropout)  # what may stand between the data and the levels


class JaxEngine:
    """Runs replicates of one model; compiles once, because all splits are brought to one shape.

    Args:
        model: What `compile_network` built.
        table: Cells and labels.
        splits: All that will be trained.
        batches: Of each of them.
        options: How they train.

    Raises:
        OptionError: A batch would have more values than can be counted.
    """

    name = "jax"

    def __init__(
        self, model: Any, table: Table, splits: Sequence[Split], batches: Batches, options: TrainingOptions
    ) -> None:
        use_compilation_cache()
        self._model, self._table, self._batches, self._options = model, table, batches, options
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
        # Rows of a multiple of 16 values are quicker: what is added are cells of zeros, of which the loss knows
        # nothing; normalisation would, so there the batch stays as it is.
        reads_batch = any(isinstance(layer, keras.layers.BatchNormalization) for layer in self._front)
        self._width = batches.size if reads_batch else _padded(batches.size)
        longest = max(max(len(split.validation), len(split.test)) for split in splits)
        self._n_looks = -(-longest // LOOK)
        self._look = _padded(-(-longest // self._n_looks))
        feed = table.feed
        if feed.n_inputs * max(self._width, self._look) >= 2**31:
            raise OptionError("batch_size", options.batch_size, f"below {2**31 // feed.n_inputs:,} with so many inputs")
        # of the first epochs; a fuller batch later on is let through, and costs a compilation
        some = min(FIRST, options.epochs)
        self._capacity = max(feed.capacity(batches.of(split, some)) for split in splits)
        seen = (rows for split in splits for rows in (split.validation, split.test))
        looks = (np.resize(rows, (self._n_looks, self._look)) for rows in seen)
        self._look_capacity = feed.capacity(looks)
        self._programs: dict[Place, tuple[Any, Any]] = {}
        self._compiled: set[Any] = set()
        self._lock = threading.Lock()

    @property
    def replicate_bytes(self) -> int:
        """Replicates share the cells."""
        return 0

    def begin(self, split: Split, scaler: Scaler, place: Place) -> _JaxRun:
        """A replicate before its first step."""
        return _JaxRun(self, split, scaler, place)

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

    def _weights_of(self, split: Split) -> FloatMatrix:
        """What each label counts; empty: 1 each."""
        exclusive = isinstance(self._model.loss, keras.losses.CategoricalCrossentropy)
        return label_weights(self._table.y, split.train, self._options.class_weight, exclusive=exclusive)

    def _labels(self, rows: IntVector, weight: FloatMatrix) -> tuple[Any, ...]:
        """Labels of some cells and, where it is not 1, what each counts."""
        return (self._table.y[rows], weight[rows]) if len(weight) else (self._table.y[rows],)

    def _looks(self, rows: IntVector, weight: FloatMatrix) -> Any:
        """Batches, labels and weights of cells that do not train; as many for all rows of all splits.

        What fills them up are cells that come again, with weight 0.
        """
        filled = np.resize(rows, (self._n_looks, self._look))
        weights = (np.arange(filled.size) < len(rows)).astype(np.float32).reshape(filled.shape)
        return self._table.feed.batches(filled, self._look_capacity), self._labels(filled, weight), weights

    def _called(self, prediction: Any, count: int) -> FloatMatrix:
        """Predictions of so many cells, shape (count, n_outputs), as probabilities where the task has them."""
        found = np.asarray(prediction).reshape(-1, self._table.y.shape[1])[:count]
        return probability(self._model.loss)(found)

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
            return prediction, jnp.sum(self._losses(labels, prediction) * weights)

        predictions, losses = jax.lax.map(look, looks)
        return predictions, jnp.sum(losses) / jnp.sum(looks[2])

    def _loss(self, trainable: Any, other: Any, x: Any, labels: Any) -> tuple[Any, Any]:
        prediction, other, penalties = self._forward(trainable, other, x, training=True)
        prediction = prediction[: len(labels[0])]
        weighted = len(labels) > 1
        loss = jnp.mean(self._losses(labels, prediction)) if weighted else self._model.loss(labels[0], prediction)
        return self._loss_scale * (loss + sum(penalties)), other

    def _losses(self, labels: Any, prediction: Any) -> Any:
        """Loss of each cell, shape (n_cells,), each label weighted by what it counts."""
        if len(labels) == 1:
            return self._loss_of_cell(labels[0], prediction)
        y, weight = labels
        if isinstance(self._model.loss, keras.losses.CategoricalCrossentropy):
            return self._loss_of_cell(y, prediction) * weight[:, 0]
        return jnp.mean(self._loss_of_cell(y[..., None], prediction[..., None]) * weight, axis=-1)

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


class _JaxRun:
    """One replicate; see `graphnn.evaluate.engine.trainer.Run`."""

    def __init__(self, engine: JaxEngine, split: Split, scaler: Scaler, place: Place) -> None:
        self._engine, self._split, self._place = engine, split, place
        self._cells = engine._table.at(place)
        self._scale = place.put((scaler.offset, scaler.factor, np.float32(scaler.limit)))
        trainable, other = initial_state(engine._model, seed_of(split))
        flat = np.concatenate([np.ravel(value) for value in trainable]).astype(np.float32)
        self._carry = place.put((flat, other, [np.array(v.value) for v in engine._optimizer.variables]))
        self._weight = engine._weights_of(split)
        self._watch = place.put(engine._looks(split.validation, self._weight))
        self._prediction: Any = None

    def train(self, rows: IntVector) -> None:
        table = self._engine._table
        capacity = max(self._engine._capacity, table.feed.capacity([rows]))
        labels = self._engine._labels(rows, self._weight)
        batches = self._place.put((table.feed.batches(rows, capacity), labels))
        epoch = self._engine._programs_at(self._place)[0]
        self._carry = self._engine._run(epoch, self._carry, batches, self._scale, self._cells)

    def watch(self) -> float:
        self._prediction, loss = self._look(self._carry[:2], self._watch)
        return float(loss)

    @property
    def watched(self) -> FloatMatrix:
        return self._engine._called(self._prediction, len(self._split.validation))

    def keep(self) -> Any:
        return self._carry[:2]

    def test(self, kept: Any) -> FloatMatrix:
        looks = self._place.put(self._engine._looks(self._split.test, self._weight))
        return self._engine._called(self._look(kept, looks)[0], len(self._split.test))

    def state(self, kept: Any) -> State:
        return self._engine._split(np.array(kept[0])), [np.array(value) for value in kept[1]]

    def _look(self, kept: Any, looks: Any) -> Any:
        look = self._engine._programs_at(self._place)[1]
        return self._engine._run(look, *kept, looks, self._scale, self._cells)


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


def _padded(count: int) -> int:
    return -(-count // 16) * 16 if count > 16 else count


def _after(scope: Any, variable: Any) -> Any:
    value = scope.get_current_value(variable)
    return variable.value if value is None else value
