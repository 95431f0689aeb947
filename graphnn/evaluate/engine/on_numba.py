"""The engine on numba: compiled loops that belong to no network, so that nothing is compiled for one.

Imports numba. The loops are compiled when they are first used on a machine, for some seconds, and kept by numba beside
the package or in the user's cache folder (`NUMBA_CACHE_DIR`). They hold no lock of the interpreter: replicates run side
by side on as many cores as there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_softmax, softmax

from graphnn.compiler.model import initial_state
from graphnn.evaluate.engine import kernels
from graphnn.evaluate.engine.batches import Batches
from graphnn.evaluate.engine.fit import FloatMatrix, State, seed_of
from graphnn.evaluate.engine.place import Place
from graphnn.evaluate.engine.table import Table
from graphnn.evaluate.engine.wires import CLASS, CLASS_LOGIT, LOGIT, SQUARE, Lowered, lower
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.preprocess import Scaler
from graphnn.evaluate.splits import IntVector, Split

ROW_BYTES = 64  # rows begin at a multiple of it, as the loops expect


class NumbaEngine:
    """Runs replicates of one model.

    Args:
        model: What `compile_network` built, and `wires.obstacle` has nothing against.
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
        self._cells = table.rows
        self._first = self._cells.indptr.astype(np.int64)
        self._column = self._cells.indices.astype(np.uint32)
        self._y = np.ascontiguousarray(table.y, dtype=np.float32)
        self._most = most_chunks(self._lowered, self._first, self._column)
        self._shapes = [variable.shape for variable in model.trainable_variables]

    def begin(self, split: Split, scaler: Scaler, place: Place) -> _NumbaRun:
        """A replicate before its first step."""
        return _NumbaRun(self, split, scaler)


class _NumbaRun:
    """One replicate; see `graphnn.evaluate.engine.trainer.Run`."""

    def __init__(self, engine: NumbaEngine, split: Split, scaler: Scaler) -> None:
        self._engine, self._split = engine, split
        self._cells = scaled(engine._first, engine._column, engine._cells.data, engine._y, scaler)
        trainable, self._other = initial_state(engine._model, seed_of(split))
        self._memory = kernels.Memory(*(np.zeros(engine._lowered.n_weights, dtype=np.float32) for _ in range(4)))
        self._memory.weight[:] = packed(engine._lowered, trainable)
        self._room = room_for(engine._lowered, engine._most)
        self._n_steps = 0
        self._watched: FloatMatrix = np.zeros((0, 0), dtype=np.float32)

    def train(self, rows: IntVector) -> None:
        lowered = self._engine._lowered
        rate = self._engine._options.learning_rate
        batches = np.ascontiguousarray(rows, dtype=np.int64)
        kernels.train(
            lowered.wires, self._cells, batches, lowered.loss, self._memory, lowered.penalty, rate, self._n_steps,
            self._room,
        )  # fmt: skip
        self._n_steps += len(batches)

    def watch(self) -> float:
        self._watched = self._predict(self._split.validation, self._memory.weight)
        return mean_loss(self._engine._lowered.loss, self._engine._y[self._split.validation], self._watched)

    @property
    def watched(self) -> FloatMatrix:
        return called(self._engine._lowered.loss, self._watched)

    def keep(self) -> Any:
        return self._memory.weight.copy()

    def test(self, kept: Any) -> FloatMatrix:
        return called(self._engine._lowered.loss, self._predict(self._split.test, kept))

    def state(self, kept: Any) -> State:
        return unpacked(self._engine._lowered, kept, self._engine._shapes), [np.array(value) for value in self._other]

    def _predict(self, rows: IntVector, weight: npt.NDArray[np.float32]) -> FloatMatrix:
        found = np.zeros((len(rows), self._cells.y.shape[1]), dtype=np.float32)
        kernels.predict(self._engine._lowered.wires, self._cells, rows.astype(np.int64), weight, self._room, found)
        return found


def scaled(first: Any, column: Any, value: Any, y: Any, scaler: Scaler) -> kernels.Cells:
    """Cells as the loops read them, scaled."""
    offset, factor, limit = scaler.offset, scaler.factor, np.float32(scaler.limit)
    zero = np.clip(-offset * factor, -limit, limit).astype(np.float32)
    found = np.empty(len(value), dtype=np.float32)
    kernels.scale(column, value, offset, factor, zero, limit, found)
    return kernels.Cells(first, column, found, zero, y)


def packed(lowered: Lowered, trainable: Sequence[Any]) -> npt.NDArray[np.float32]:
    """Values of a model's trainable variables in the order of the loops."""
    weight = np.zeros(lowered.n_weights, dtype=np.float32)
    weight[lowered.place] = np.concatenate([np.ravel(value) for value in trainable])
    weight[lowered.wires.fixed] = 1.0
    return weight


def unpacked(lowered: Lowered, weight: npt.NDArray[np.float32], shapes: Sequence[Any]) -> list[Any]:
    """Inverse of `packed`."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(weight[lowered.place], ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def most_chunks(lowered: Lowered, first: Any, column: Any) -> int:
    """Chunks beyond the first ones that `WIDTH` cells read, at most."""
    wires, n_cells = lowered.wires, len(first) - 1
    more = np.bincount(wires.chunk_input, minlength=int(wires.chunk_input.max()) + 1) - 1
    of_cell = np.zeros(n_cells, dtype=np.int64)
    kernels.count(first, column, more, of_cell)
    return int(kernels.WIDTH * of_cell.max(initial=0)) + 1  # an entry is written before it is known to be one


def room_for(lowered: Lowered, most: int) -> kernels.Room:
    """Space for one replicate."""
    n_units, width = len(lowered.wires.bias), kernels.WIDTH
    return kernels.Room(
        v=_rows(n_units),
        g=_rows(n_units),
        arrived=np.zeros((width, n_units + 1), dtype=np.float32),
        level=np.zeros(n_units + 1, dtype=np.float32),
        total=np.zeros(n_units + 1, dtype=np.float32),
        chunk=np.zeros(most, dtype=np.int32),
        value=np.zeros(most, dtype=np.float32),
        until=np.zeros(width + 1, dtype=np.int64),
        loss=_rows(1 + len(lowered.wires.output)),
        bits=np.zeros(width, dtype=np.int32),
    )


def _rows(count: int) -> npt.NDArray[np.float32]:
    """Rows of `WIDTH` zeros, the first at a multiple of `ROW_BYTES`."""
    size = 4 * count * kernels.WIDTH
    raw = np.zeros(size + ROW_BYTES, dtype=np.uint8)
    start = -raw.ctypes.data % ROW_BYTES
    return raw[start : start + size].view(np.float32).reshape(count, kernels.WIDTH)


def called(loss: int, values: FloatMatrix) -> FloatMatrix:
    """Predictions from values of the outputs: probabilities where the task has them."""
    if loss in (CLASS, CLASS_LOGIT):
        return softmax(values, axis=1)
    return expit(values) if loss == LOGIT else values


def mean_loss(loss: int, y: FloatMatrix, values: FloatMatrix) -> float:
    """The task's loss over cells, as Keras defines it, from values of the outputs, shape (n_cells, n_outputs)."""
    z, y = values.astype(np.float64), y.astype(np.float64)
    if loss == SQUARE:
        return float(np.mean((z - y) ** 2))
    if loss == LOGIT:
        return float(np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))))
    if loss == CLASS_LOGIT:
        return float(-np.mean(np.sum(y * log_softmax(z, axis=1), axis=1)))
    p = np.clip(softmax(z, axis=1) if loss == CLASS else z, kernels.EPSILON, 1 - kernels.EPSILON)
    if loss == CLASS:
        return float(-np.mean(np.sum(y * np.log(p), axis=1)))
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)))
