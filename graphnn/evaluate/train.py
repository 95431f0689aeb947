"""`train`: one model on all cells, and `Trained`, what came out, ready to predict and to be saved.

How good such a model is, `compare` says: no cell is kept apart here to measure it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from graphnn.compiler.bundle import Bundle, save_bundle
from graphnn.compiler.features import Features, Preprocessing
from graphnn.compiler.model import compile_network
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import LayerPlan, plan_layers
from graphnn.data.cells import Cells
from graphnn.evaluate.engine import Epoch, Fit, Table, Trainer
from graphnn.evaluate.metrics import measure_all
from graphnn.evaluate.options import TrainingOptions, check_task
from graphnn.evaluate.predict import predict
from graphnn.evaluate.prepare import input_columns, labelled_cells, notes_on_data
from graphnn.evaluate.splits import Split, hold_out
from graphnn.extract.dag import Dag


@dataclass(frozen=True, eq=False)
class Trained:
    """One model, trained on all cells.

    Attributes:
        model: With the weights of the best epoch. Its optimiser has the learning rate of the training and no memory.
        plan: Of the model.
        network: What it was compiled from, where that was a `Dag`.
        features: The column that feeds each input, and its scaling, fitted on the cells that set the weights.
        preprocessing: What was done to the cells before.
        options: How the network was compiled.
        training: How it was trained.
        seed: Of the validation part, the weights, dropout and batches.
        split: Rows of the cells with a label: those that set the weights, and those that told when to stop.
        losses: Validation loss after each epoch, shape (n_epochs,).
        best_epoch: Whose weights were kept, from 1.
        validation: One row an output: output, n_validation, then metrics on the cells that told when to stop. They are
            optimistic, and no measure of how well the model predicts other cells.
        engine: What trained it: "jax" or "numba".
        n_unlabelled: Cells without a label, which were left out.
        notes: What was left out or should be known, in sentences.
    """

    model: Any
    plan: LayerPlan
    network: Dag | None
    features: Features
    preprocessing: Preprocessing
    options: NetworkOptions
    training: TrainingOptions
    seed: int
    split: Split
    losses: npt.NDArray[np.float64]
    best_epoch: int
    validation: pd.DataFrame
    engine: str
    n_unlabelled: int = 0
    notes: tuple[str, ...] = ()

    @property
    def history(self) -> pd.DataFrame:
        """Validation loss of each epoch: epoch (from 1), validation_loss."""
        return pd.DataFrame({"epoch": np.arange(1, len(self.losses) + 1), "validation_loss": self.losses})

    @cached_property
    def bundle(self) -> Bundle:
        """The model with what it needs to predict, as `read_bundle` would give it."""
        return Bundle(self.model, self.plan, self.features, self.preprocessing, self.summary())

    def summary(self) -> dict[str, Any]:
        """What trained the model and how it went, as JSON types; a bundle keeps it as `training.json`."""
        metrics = self.validation.astype(object).where(self.validation.notna(), None)
        return {
            "network": self.options.to_dict(),
            "training": self.training.to_dict(),
            "seed": self.seed,
            "engine": self.engine,
            "cells": {
                "train": len(self.split.train),
                "validation": len(self.split.validation),
                "unlabelled": self.n_unlabelled,
            },
            "epochs": len(self.losses),
            "best_epoch": self.best_epoch,
            "validation_loss": self.losses.tolist(),
            "validation": metrics.to_dict(orient="records"),
            "notes": list(self.notes),
        }

    def predict(self, cells: Any, **how: Any) -> pd.DataFrame:
        """Predictions for new cells; see `graphnn.evaluate.predict.predict`."""
        return predict(self.bundle, cells, **how)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the model with features, preprocessing and this summary; see `graphnn.compiler.bundle.save_bundle`."""
        return save_bundle(
            self.model,
            path,
            preprocessing=self.preprocessing,
            features=self.features,
            prior=self.network,
            training=self.summary(),
            force=force,
        )


def train(
    network: Dag | LayerPlan,
    X: Any,
    y: Any,
    *,
    seed: int = 0,
    training: TrainingOptions | None = None,
    options: NetworkOptions | None = None,
    input_suffix: str = "",
    layer: str | None = None,
    on_progress: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Train one model on all cells that have a label.

    A part of the cells (`TrainingOptions.validation_fraction`; it has the same share of each label where the task
    is binary) sets no weights: it tells when to stop. Nothing is kept apart to measure the model; that is what
    `compare` is for.

    Args:
        network: Acyclic network, or its plan.
        X: Cells x genes with names: Cells, DataFrame or AnnData. Columns are matched by name, never by position.
        y: Labels: Series or DataFrame indexed by barcode, array with one label a cell, or name of an `obs` column. For
            the task "multiclass" also class names, each the name of an output.
        seed: Of the validation part, the weights, dropout and batches.
        training: None: the defaults of `TrainingOptions`.
        options: None: the defaults of `NetworkOptions`. Its seed is not used.
        input_suffix: What inputs of the network have behind the gene's name, e.g. "_gene".
        layer: Layer of an AnnData; None: its X.
        on_progress: Called after each epoch with its number (from 1), validation loss and leading metric.

    Returns:
        The model and what belongs to it; the same arguments give the same numbers.

    Raises:
        MismatchError: An input has no column.
        DataError: Cells or labels cannot be used, or the loss is not finite any more.
        OptionError: An option is out of its range, or Keras does not run on JAX.
    """
    training, options = training or TrainingOptions(), options or NetworkOptions()
    plan = network if isinstance(network, LayerPlan) else plan_layers(network)
    check_task(options.task, n_outputs=len(plan.outputs), training=training)
    matched = labelled_cells(X, y, plan.outputs, layer, task=options.task)
    columns = input_columns(matched.cells, plan.inputs, input_suffix)
    split = hold_out(
        matched.labels.to_numpy(dtype=np.float64),
        seed=seed,
        validation_fraction=training.validation_fraction,
        stratify=options.task != "regression",
    )
    x = matched.cells.select_as_is([columns[name] for name in plan.inputs])
    model = compile_network(plan, options)
    table = Table(x, matched.labels.to_numpy(dtype=np.float32))
    trainer = Trainer(model, table, [split], training, task=options.task)
    fit = trainer.fit(split, on_progress)
    _restore(model, fit, training)
    return Trained(
        model=model,
        plan=plan,
        network=network if isinstance(network, Dag) else None,
        features=_features(plan, columns, fit, x),
        preprocessing=_preprocessing(matched.cells, training, input_suffix),
        options=options,
        training=training,
        seed=seed,
        split=split,
        losses=fit.losses,
        best_epoch=fit.best_epoch,
        validation=_validation(fit, matched.labels, options.task),
        engine=trainer.engine,
        n_unlabelled=matched.n_unlabelled,
        notes=notes_on_data(matched, columns, plan.outputs, y),
    )


def _restore(model: Any, fit: Fit, training: TrainingOptions) -> None:
    """Give the model the weights and the state of the best epoch."""
    for variables, values in zip((model.trainable_variables, model.non_trainable_variables), fit.state, strict=True):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    model.optimizer.learning_rate = training.learning_rate


def _features(plan: LayerPlan, columns: Mapping[str, str], fit: Fit, x: Any) -> Features:
    scaler = fit.scaler
    mean = np.asarray(x[fit.split.train].mean(axis=0, dtype=np.float64)).reshape(-1)
    return Features(
        inputs=plan.inputs,
        columns=tuple(columns[name] for name in plan.inputs),
        offset=scaler.offset,
        factor=scaler.factor,
        limit=np.full(len(plan.inputs), scaler.limit, dtype=np.float32),
        mean=mean.astype(np.float32),
    )


def _preprocessing(cells: Cells, training: TrainingOptions, suffix: str) -> Preprocessing:
    return Preprocessing(
        scaling=training.scaling,
        log_total=None if cells.normalization is None else cells.normalization.total,
        whole_numbers=cells.holds_counts(),
        duplicates=cells.merged.policy if cells.merged.genes else "max",
        suffix=suffix,
    )


def _validation(fit: Fit, labels: pd.DataFrame, task: str) -> pd.DataFrame:
    rows = fit.split.test  # the validation rows, see hold_out
    found = measure_all(task, labels.to_numpy(np.float64)[rows], fit.prediction.astype(np.float64))
    return pd.DataFrame(
        [
            {"output": output, "n_validation": len(rows), **metrics}
            for output, metrics in zip(labels.columns, found, strict=True)
        ]
    )
