"""`Table`: cells and labels that replicates share, in the form that each engine reads. Imports JAX."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphnn.evaluate.engine.feed import Batch, Feed, stored_values
from graphnn.evaluate.engine.place import Place
from graphnn.evaluate.preprocess import Scaler, canonical, fit_scaler
from graphnn.evaluate.splits import Split

FloatMatrix = npt.NDArray[np.float32]


class Values:
    """Values of cells, and all that is made of them once for every network and every labelling.

    Args:
        x: Cells, shape (n_cells, n_inputs), dense or sparse.
    """

    def __init__(self, x: FloatMatrix | sp.csr_array) -> None:
        self.x = canonical(x)
        self._made: dict[Any, Any] = {}
        self._lock = threading.Lock()

    @cached_property
    def count(self) -> int:
        """How many values are not zero."""
        return stored_values(self.x)

    def made(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once a key, by one thread at a time."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]


@dataclass(eq=False)
class Table:
    """Cells and labels that replicates share, and the scaling of each split, fitted once for all networks.

    Attributes:
        x: Cells, columns in the order of the model's inputs, shape (n_cells, n_inputs), dense or sparse.
        y: Labels, shape (n_cells, n_outputs).
        values: What is made of the cells; None: nothing yet.
    """

    x: FloatMatrix | sp.csr_array
    y: FloatMatrix
    values: Values = field(default=None, repr=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.values = self.values or Values(self.x)
        self.x = self.values.x

    def labelled(self, y: FloatMatrix) -> Table:
        """The same cells with other labels; all that was made of the cells is shared."""
        return Table(self.x, y, self.values)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.x.shape[0]

    @property
    def n_values(self) -> int:
        """How many values are not zero."""
        return self.values.count

    @property
    def feed(self) -> Feed:
        """The cells as the engine on JAX makes batches of them."""
        return self.values.made("feed", lambda: Feed(self.x))

    @property
    def rows(self) -> sp.csr_array:
        """What is not zero, of each cell by ascending column."""
        return self.values.made("rows", lambda: sp.csr_array(self.x, dtype=np.float32))

    def scaler(self, split: Split, scaling: str) -> Scaler:
        """Fitted on the cells of the split that train."""
        key = ("scaler", split.train.tobytes(), scaling)
        return self.values.made(key, lambda: fit_scaler(self.x[split.train], scaling))

    def at(self, place: Place) -> Batch:
        """The arrays of the feed at a place; put there once."""
        arrays = self.feed.arrays
        return self.values.made(("place", place), lambda: place.put(arrays))
