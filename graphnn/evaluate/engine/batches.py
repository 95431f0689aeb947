"""`Batches`: which cells make a step, drawn once for every engine. NumPy only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from graphnn.evaluate.splits import IntVector, Split


@dataclass(frozen=True)
class Batches:
    """The cut of epochs into steps of one size.

    Attributes:
        size: Cells of a step.
    """

    size: int

    @classmethod
    def fitting(cls, splits: Sequence[Split], *, largest: int) -> Batches:
        """Steps of nearly `largest` cells, so that hardly a cell of the split with the fewest is left over."""
        smallest = min(len(split.train) for split in splits)
        return cls(smallest // -(-smallest // largest))

    def count(self, split: Split) -> int:
        """Steps of an epoch. Splits of nearly one size have one number of steps; groups make others."""
        return len(split.train) // self.size

    def of(self, split: Split, epochs: int) -> Iterator[IntVector]:
        """The rows of each epoch, shape (count, size); the same whenever it is asked for."""
        draw, count = np.random.default_rng((split.seed, split.fold, 11)), self.count(split)
        for _ in range(epochs):
            yield draw.permutation(split.train)[: count * self.size].reshape(count, self.size)
