"""The engine on numba: compiled loops that belong to no network, so that nothing is compiled for one.

Imports numba. The loops are compiled when they are first used on a machine, for some seconds, and kept by numba beside
the package or in the user's cache folder (`NUMBA_CACHE_DIR`). They hold no lock of the interpreter: replicates run side
by side on as many cores as there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import expit, log_softmax, softmax

from graphnn.compiler.backend import keras
from graphnn.compiler.model import initial_state
from graphnn.evaluate.engine import kernels
from graphnn.evaluate.engine.batches import Batches
from graphnn.evaluate.engine.fit import FloatMatrix, State, seed_of
from graphnn.evaluate.engine.place import Place
from graphnn.evaluate.engine.table import Table
from graphnn.evaluate.engine.weights import label_weights
from graphnn.evaluate.engine.wires import Lowered, lower
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.preprocess import Scaler
from graphnn.evaluate.splits import IntVector, Split

FloatVector = npt.NDArray[np.float32]

ROW_BYTES = 64  # rows begin at a multiple of it, as the loops expect


class NumbaEngine:
    """Runs replicates of one model.

    Args:
        model: What `compile_network` built, and `able.obstacle` has nothing against.
        table: Cells and labels.
        splits: All that will be trained.
        batches: Of each of them.
        options: How they train.
    """

    name = "numba"

    def __init__(
        self, model: Any, table: Table, splits: Sequence[Split], batches: Batches, options: TrainingOptions
    ) -> None:
        self._model, self._options = model, options
        self._lowered = lower(model)
        rows = table.rows
        self._stored = table.values.made("stored", lambda: stored(rows))
        self._y = np.ascontiguousarray(table.y, dtype=np.float32)
        self._most = most_chunks(self._lowered, self._stored)
        self._shapes = [variable.shape for variable in model.trainable_variables]

    @property
    def replicate_bytes(self) -> int:
        """What a replicate holds of its own: mostly a scaled copy of the values."""
        return 4 * (len(self._stored.value) + 4 * self._lowered.n_weights)

    def begin(self, split: Split, scaler: Scaler, place: Place) -> _NumbaRun:
        """A replicate before its first step."""
        return _NumbaRun(self, split, scaler)


class _NumbaRun:
    """One replicate; see `graphnn.evaluate.engine.trainer.Run`."""

    def __init__(self, engine: NumbaEngine, split: Split, scaler: Scaler) -> None:
        self._engine, self._split = engine, split
        limit = np.full(len(scaler.offset), scaler.limit, dtype=np.float32)
        exclusive = engine._lowered.loss in (kernels.CLASS, kernels.CLASS_LOGIT)
        self._weight = label_weights(engine._y, split.train, engine._options.class_weight, exclusive=exclusive)
        self._cells = scaled(engine._stored, scaler.offset, scaler.factor, limit, engine._y, weight=self._weight)
        trainable, self._other = initial_state(engine._model, seed_of(split))
        self._memory = kernels.Memory(*(np.zeros(engine._lowered.n_weights, dtype=np.float32) for _ in range(4)))
        self._memory.weight[:] = packed(engine._lowered, trainable)
        self._room = room_for(engine._lowered, engine._most)
        self._n_steps = 0
        self._watched: FloatMatrix = np.zeros((0, 0), dtype=np.float32)

    def train(self, rows: IntVector) -> None:
        lowered = self._engine._lowered
        rate = float(self._engine._options.learning_rate)
        batches = np.ascontiguousarray(rows, dtype=np.int64)
        kernels.train(
            lowered.wires, self._cells, batches, lowered.loss, self._memory, lowered.penalty, rate, self._n_steps,
            self._room,
        )  # fmt: skip
        self._n_steps += len(batches)

    def watch(self) -> float:
        self._watched = self._predict(self._split.validation, self._memory.weight)
        rows, weight = self._split.validation, self._weight
        return mean_loss(
            self._engine._lowered.loss, self._engine._y[rows], self._watched, weight[rows] if len(weight) else None
        )

    @property
    def watched(self) -> FloatMatrix:
        return called(self._engine._lowered.loss, self._watched)

    def keep(self) -> Any:
        return self._memory.weight.copy()

    def test(self, kept: Any) -> FloatMatrix:
        return called(self._engine._lowered.loss, self._predict(self._split.test, kept))

    def state(self, kept: Any) -> State:
        return unpacked(self._engine._lowered, kept, self._engine._shapes), [np.array(value) for value in self._other]

    def _predict(self, rows: IntVector, weight: FloatVector) -> FloatMatrix:
        return values_of(self._engine._lowered, self._cells, rows, weight, self._room)


class NumbaForward:
    """What a model says of cells, as `model.predict` would, but over what is not zero, and with nothing to compile.

    Args:
        model: What `compile_network` built, and `able.obstacle` has nothing against. Its weights are those of now.
    """

    def __init__(self, model: Any) -> None:
        self._lowered = lower(model)
        self._weight = packed(
            self._lowered, [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]
        )

    def __call__(
        self, rows: sp.csr_array, *, offset: FloatVector, factor: FloatVector, limit: FloatVector, zero: FloatVector
    ) -> FloatMatrix:
        """Values of the outputs.

        Args:
            rows: Cells before scaling, shape (n_cells, n_inputs), columns ascending in each row.
            offset: What is taken from each input, shape (n_inputs,).
            factor: By which it is multiplied then.
            limit: At which its size is cut then.
            zero: Scaled value of each input where `rows` holds nothing.

        Returns:
            Shape (n_cells, n_outputs).
        """
        given = stored(rows)
        cells = scaled(given, offset, factor, limit, np.zeros((0, 0), dtype=np.float32), zero)
        room = room_for(self._lowered, most_chunks(self._lowered, given))
        found = values_of(self._lowered, cells, np.arange(rows.shape[0]), self._weight, room)
        return softmax(found, axis=1) if self._lowered.loss == kernels.CLASS else found


def values_of(lowered: Lowered, cells: kernels.Cells, rows: IntVector, weight: FloatVector, room: Any) -> FloatMatrix:
    """Values of the outputs for some cells, before any softmax, shape (n_rows, n_outputs)."""
    found = np.zeros((len(rows), len(lowered.wires.output)), dtype=np.float32)
    kernels.predict(lowered.wires, cells, rows.astype(np.int64), weight, room, found)
    return found


class Stored(NamedTuple):
    """Values that are not zero, shared by all replicates: first value of each cell, input and size of each value."""

    first: npt.NDArray[np.int64]
    column: npt.NDArray[np.uint32]
    value: FloatVector
    n_inputs: int


def stored(rows: sp.csr_array) -> Stored:
    """Cells in the types that the loops read; columns ascend in each row."""
    value = np.require(rows.data, dtype=np.float32, requirements=("C", "W"))
    return Stored(rows.indptr.astype(np.int64), rows.indices.astype(np.uint32), value, rows.shape[1])


def scaled(
    given: Stored,
    offset: FloatVector,
    factor: FloatVector,
    limit: FloatVector,
    y: FloatMatrix,
    zero: FloatVector | None = None,
    weight: FloatMatrix | None = None,
) -> kernels.Cells:
    """Cells as the loops read them: clip((x - offset) * factor, -limit, limit); `zero`: see `NumbaForward`."""
    weight = np.zeros((0, 0), dtype=np.float32) if weight is None else weight
    zero = np.clip(-offset * factor, -limit, limit) if zero is None else zero
    # copies: numba compiles anew for arrays that nobody may write to
    offset, factor, limit, zero = (np.array(part, dtype=np.float32) for part in (offset, factor, limit, zero))
    value = np.empty(len(given.column), dtype=np.float32)
    kernels.scale(given.column, given.value, offset, factor, limit, zero, value)
    return kernels.Cells(given.first, given.column, value, zero, y, weight)


def packed(lowered: Lowered, trainable: Sequence[Any]) -> FloatVector:
    """Values of a model's trainable variables in the order of the loops."""
    weight = np.zeros(lowered.n_weights, dtype=np.float32)
    weight[lowered.place] = np.concatenate([np.ravel(value) for value in trainable])
    weight[lowered.wires.fixed] = 1.0
    return weight


def unpacked(lowered: Lowered, weight: FloatVector, shapes: Sequence[Any]) -> list[Any]:
    """Inverse of `packed`."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(weight[lowered.place], ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def most_chunks(lowered: Lowered, given: Stored) -> int:
    """Chunks beyond the first ones that `WIDTH` cells read, at most."""
    more = np.bincount(lowered.wires.chunk_input, minlength=given.n_inputs) - 1
    of_cell = np.zeros(len(given.first) - 1, dtype=np.int64)
    kernels.count(given.first, given.column, more, of_cell)
    return int(kernels.WIDTH * of_cell.max(initial=0)) + 1  # an entry is written before it is known to be one


def room_for(lowered: Lowered, most: int) -> kernels.Room:
    """Space for one replicate."""
    n_units, width = len(lowered.wires.bias), kernels.WIDTH
    n_filled = (n_units // kernels.SIDE + 1) * kernels.SIDE
    return kernels.Room(
        v=rows_of_zeros(n_filled),
        g=rows_of_zeros(n_filled),
        arrived=np.zeros((width, n_filled), dtype=np.float32),
        level=np.zeros(n_units + 1, dtype=np.float32),
        total=np.zeros(n_units + 1, dtype=np.float32),
        chunk=np.zeros(most, dtype=np.int32),
        value=np.zeros(most, dtype=np.float32),
        until=np.zeros(width + 1, dtype=np.int64),
        loss=rows_of_zeros(1 + len(lowered.wires.output)),
        bits=np.zeros(width, dtype=np.int32),
    )


def rows_of_zeros(count: int) -> npt.NDArray[np.float32]:
    """Rows of `WIDTH` zeros, the first at a multiple of `ROW_BYTES`."""
    size = 4 * count * kernels.WIDTH
    raw = np.zeros(size + ROW_BYTES, dtype=np.uint8)
    start = -raw.ctypes.data % ROW_BYTES
    return raw[start : start + size].view(np.float32).reshape(count, kernels.WIDTH)


def called(loss: int, values: FloatMatrix) -> FloatMatrix:
    """Predictions from values of the outputs: probabilities where the task has them."""
    if loss in (kernels.CLASS, kernels.CLASS_LOGIT):
        return softmax(values, axis=1)
    return expit(values) if loss == kernels.LOGIT else values


def mean_loss(loss: int, y: FloatMatrix, values: FloatMatrix, weight: FloatMatrix | None = None) -> float:
    """The task's loss over cells, as Keras defines it, from values of the outputs.

    Args:
        loss: Which, a number of `kernels`.
        y: Labels, shape (n_cells, n_outputs).
        values: Of the outputs, before any softmax, likewise.
        weight: What each label counts, likewise; None: 1.
    """
    parts = _losses(loss, y.astype(np.float64), values)
    return float(np.mean(parts if weight is None else parts * weight[:, : parts.shape[1]].astype(np.float64)))


def _losses(loss: int, y: npt.NDArray[np.float64], values: FloatMatrix) -> npt.NDArray[np.float64]:
    """Loss of each label, shape (n_cells, n_outputs), or of each cell where its outputs are classes, (n_cells, 1)."""
    z = values.astype(np.float64)
    if loss == kernels.SQUARE:
        return np.asarray((z - y) ** 2)
    if loss == kernels.LOGIT:
        return np.asarray(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))))
    if loss == kernels.CLASS_LOGIT:
        return np.asarray(-np.sum(y * log_softmax(z, axis=1), axis=1, keepdims=True))
    small = np.float32(kernels.EPSILON)  # Keras cuts in float32, where 1 - 1e-7 is not what it is in float64
    p = np.clip(softmax(values, axis=1) if loss == kernels.CLASS else values, small, 1 - small).astype(np.float64)
    if loss == kernels.CLASS:
        return np.asarray(-np.sum(y * np.log(p), axis=1, keepdims=True))
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)))
