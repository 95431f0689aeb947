"""What training gives: `Fit`, and what is said and asked on the way. NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.evaluate.preprocess import Scaler
from graphnn.evaluate.splits import Split

FloatMatrix = npt.NDArray[np.float32]
State = tuple[list[Any], list[Any]]  # trainable and other variables of a model


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


@dataclass(frozen=True, eq=False)
class Epoch:
    """What a replicate says after an epoch.

    Attributes:
        number: From 1.
        loss: On the cells that tell when to stop.
        measure: Computes `metric`; an epoch may take less time than that, so nobody does it unasked.
    """

    number: int
    loss: float
    measure: Callable[[], float | None]

    @cached_property
    def metric(self) -> float | None:
        """The task's leading metric on these cells; None where it is not defined. Computed when it is first read."""
        return self.measure()


class Stopped(Exception):
    """A replicate was asked to stop before it was done."""


def seed_of(split: Split) -> int:
    """The seed of a replicate's weights and dropout."""
    return int(np.random.SeedSequence((split.seed, split.fold, 7)).generate_state(1)[0])
