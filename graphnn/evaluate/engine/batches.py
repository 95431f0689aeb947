"""`Batches`: which cells make a step, drawn once for every engine. NumPy only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from graphnn.evaluate.splits import IntVector, Split


@dataclass(frozen=True)
class Batches:
    """The cut of an epoch into steps, the same for all splits.

    Attributes:
        count: Steps of an epoch.
        size: Cells of a step.
    """

    count: int
    size: int

    @classmethod
    def fitting(cls, splits: Sequence[Split], *, largest: int) -> Batches:
        """As few steps as `largest` cells a step allow in the split with the fewest training cells."""
        smallest = min(len(split.train) for split in splits)
        count = -(-smallest // largest)
        return cls(count, smallest // count)

    def of(self, split: Split, epochs: int) -> Iterator[IntVector]:
        """The rows of each epoch, shape (count, size); the same whenever it is asked for."""
        draw = np.random.default_rng((split.seed, split.fold, 11))
        for _ in range(epochs):
            yield draw.permutation(split.train)[: self.count * self.size].reshape(self.count, self.size)
