"""`Table`: cells and labels that replicates share, in the form that each engine reads. Imports JAX."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphnn.evaluate.engine.feed import Batch, Feed, stored_values
from graphnn.evaluate.engine.place import Place
from graphnn.evaluate.preprocess import Scaler, canonical, fit_scaler
from graphnn.evaluate.splits import Split

FloatMatrix = npt.NDArray[np.float32]


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

    def __post_init__(self) -> None:
        self.x = canonical(self.x)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.x.shape[0]

    @cached_property
    def n_values(self) -> int:
        """How many values are not zero."""
        return stored_values(self.x)

    @cached_property
    def feed(self) -> Feed:
        """The cells as the engine on JAX makes batches of them."""
        return Feed(self.x)

    @cached_property
    def rows(self) -> sp.csr_array:
        """The cells as the engine on numba reads them: what is not zero, of each cell by ascending column."""
        return sp.csr_array(self.x, dtype=np.float32)

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
