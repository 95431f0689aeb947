"""`Feed`: cells on the device, from which a batch is made with inputs first, shape (n_inputs, batch).

Imports JAX. Cells that are mostly zeros stay sparse until the batch: a batch is a scatter of what is not zero, which
on the CPU is quicker than to gather and transpose dense rows (`python -m benchmarks.kernels`), and no dense copy of
all cells is ever made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

FloatMatrix = npt.NDArray[np.float32]
IntVector = npt.NDArray[np.int64]
Batch = dict[str, Any]  # arrays, as NumPy on the host or traced
Scale = tuple[Any, Any, Any]  # offset, factor and limit of a Scaler

DENSE_FROM = 0.4  # share of values that are not zero: from here on dense rows are quicker
CHUNKS = (8, 16, 32, 64)  # values a chunk


def stored_values(x: FloatMatrix | sp.csr_array) -> int:
    """How many values are not zero; of sparse cells those that are stored."""
    return int(np.count_nonzero(x)) if isinstance(x, np.ndarray) else x.nnz


class Feed:
    """Cells in the form that makes batches quickly; shared by all replicates and networks.

    A cell's values that are not zero are cut into chunks of one length. A batch is a list of chunks, padded to a
    number that all batches share, with the place of each chunk's cell in the batch.

    Args:
        x: Cells, shape (n_cells, n_inputs), dense or sparse.
    """

    def __init__(self, x: FloatMatrix | sp.csr_array) -> None:
        self.n_cells, self.n_inputs = x.shape
        self.is_sparse = stored_values(x) < DENSE_FROM * self.n_cells * self.n_inputs
        if self.is_sparse:
            self._cut(sp.csr_array(x))
        else:
            self.arrays = {"rows": x.astype(np.float32) if isinstance(x, np.ndarray) else x.toarray()}

    def _cut(self, x: sp.csr_array) -> None:
        counts = np.diff(x.indptr).astype(np.int64)
        wanted = max(counts.mean() / 8, 1)
        length = min(CHUNKS, key=lambda chunk: abs(np.log2(chunk / wanted)))
        self.n_chunks = -(-counts // length)
        self.first_chunk = np.cumsum(self.n_chunks) - self.n_chunks
        total = int(self.n_chunks.sum())
        # one chunk more, all padding: an input that is none, which a scatter leaves out
        columns, values = (
            np.full((total + 1) * length, self.n_inputs, np.int32),
            np.zeros((total + 1) * length, np.float32),
        )
        place = np.repeat(self.first_chunk * length - x.indptr[:-1], counts) + np.arange(x.nnz)
        columns[place], values[place] = x.indices, x.data
        self.arrays = {"columns": columns.reshape(-1, length), "values": values.reshape(-1, length)}

    def capacity(self, batches: Iterable[npt.NDArray[np.int64]]) -> int:
        """Chunks that the fullest of some batches needs, each an array of rows; rounded up, so that seeds share it."""
        if not self.is_sparse:
            return 0
        most = max((int(self.n_chunks[rows].sum(axis=-1).max()) for rows in batches), default=1)
        step = max(16, 2 ** (max(most, 1).bit_length() - 4))
        return -(-most // step) * step

    def batches(self, rows: npt.NDArray[np.int64], capacity: int) -> Batch:
        """What `assemble` needs for each of some batches.

        Args:
            rows: Of each batch, shape (n_batches, batch).
            capacity: Chunks of a batch, at least what `capacity` says of these rows.

        Returns:
            Arrays with n_batches first.
        """
        if not self.is_sparse:
            return {"rows": rows.astype(np.int32)}
        n_batches, batch = rows.shape
        counts = self.n_chunks[rows.reshape(-1)]
        chunks = np.full((n_batches, capacity), len(self.arrays["columns"]) - 1, dtype=np.int32)
        places = np.zeros((n_batches, capacity), dtype=np.int32)
        before = np.cumsum(counts) - counts  # chunks ahead of each cell, over all batches
        ahead = before.reshape(n_batches, batch)[:, :1]
        index = np.arange(int(counts.sum()))
        within = index - np.repeat(before, counts)
        where = np.repeat(np.arange(n_batches), counts.reshape(n_batches, batch).sum(axis=1))
        column = index - ahead[where, 0]
        chunks[where, column] = np.repeat(self.first_chunk[rows.reshape(-1)], counts) + within
        places[where, column] = np.repeat(np.tile(np.arange(batch), n_batches), counts)
        return {"chunks": chunks, "places": places}

    def assemble(self, arrays: Batch, batch: Batch, scale: Scale, size: int) -> Any:
        """Scaled values of one batch, inputs first, shape (n_inputs, size); traceable.

        Args:
            arrays: `self.arrays` on the device.
            batch: One batch out of `batches`.
            scale: Offset and factor of each input, shape (n_inputs,), and the limit of what comes out.
            size: Columns of the result, at least the cells of the batch; what is beyond them are cells of zeros.
        """
        offset, factor, limit = (jnp.asarray(part) for part in scale)
        if not self.is_sparse:
            rows = arrays["rows"][batch["rows"]]
            rows = jnp.pad(rows, ((0, size - len(rows)), (0, 0)))
            return jnp.clip((rows.T - offset[:, None]) * factor[:, None], -limit, limit)
        columns, values = arrays["columns"][batch["chunks"]], arrays["values"][batch["chunks"]]
        scaled = jnp.clip((values - offset[columns]) * factor[columns], -limit, limit)
        empty = jnp.broadcast_to(jnp.clip(-offset * factor, -limit, limit)[:, None], (self.n_inputs, size))
        place = columns * size + batch["places"][:, None]
        filled = empty.reshape(-1).at[place.reshape(-1)].set(scaled.reshape(-1), mode="drop", unique_indices=True)
        return filled.reshape(self.n_inputs, size)
