"""A small prior network, cells, and one comparison that the tests of evaluation, explanation and report share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from graphnn.compiler.model import compile_network, weights_frame
from graphnn.compiler.options import NetworkOptions
from graphnn.evaluate.compare import Comparison, TrainingProgress, compare
from graphnn.evaluate.engine import Fit, Table, Trainer
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.splits import Split, make_splits
from graphnn.extract.dag import Dag
from graphnn.extract.extract import extract_dag
from graphnn.graph.prior import PriorGraph

# A cycle (g, h, k), a second way for b, a signed edge, a vertex off every path, an input that the data lack.
PRIOR = (
    ("a", 1, "h"), ("b", 1, "h"), ("b", 1, "g"), ("c", -1, "g"), ("d", 1, "k"), ("c", 1, "k"), ("g", 1, "h"),
    ("h", 1, "k"), ("k", 1, "g"), ("h", 1, "y"), ("g", 0, "y"), ("k", 1, "y"), ("lonely", 1, "nowhere"),
)  # fmt: skip
INPUTS, OUTPUT = ("a", "b", "c", "d"), "y"
ENGINE = "auto"  # of `trainer`; tests that hold for every engine set it to each
TRAINING = TrainingOptions(epochs=6, patience=3, batch_size=16, learning_rate=0.05)


@cache
def networks() -> tuple[Dag, Dag]:
    """(full, compressed), from the prior network by the package's own way."""
    pruned = PriorGraph.from_sif_tuples(PRIOR).prune(INPUTS, [OUTPUT])
    full = extract_dag(pruned, INPUTS, [OUTPUT], objective="max_edges")
    return full, extract_dag(pruned, INPUTS, [OUTPUT])


def cells(n_cells: int = 71, *, seed: int = 0, columns: Sequence[str] = INPUTS) -> tuple[pd.DataFrame, pd.Series]:
    """Measurements and a 0/1 label that the first two columns drive."""
    rng = np.random.default_rng(seed)
    barcodes = [f"cell-{number}" for number in rng.permutation(n_cells)]
    x = pd.DataFrame(rng.normal(size=(n_cells, len(columns))) * 2 + 1, index=barcodes, columns=list(columns))
    score = x.iloc[:, 0] - x.iloc[:, 1] + rng.normal(size=n_cells)
    return x, (score > score.median()).astype(int).rename("label")


@cache
def progress_and_comparison() -> tuple[tuple[TrainingProgress, ...], Comparison]:
    """The shared comparison, 3 folds x 2 seeds, and all that it reported on its way."""
    seen: list[TrainingProgress] = []
    full, compressed = networks()
    x, y = cells()
    found = compare(full, compressed, x, y, folds=3, seeds=2, seed=4, training=TRAINING, on_progress=seen.append)
    return tuple(seen), found


def comparison() -> Comparison:
    """The shared comparison; its inputs are `cells()` and `networks()`."""
    return progress_and_comparison()[1]


def splits_of(labels: Any, **changes: Any) -> tuple[Split, ...]:
    """`make_splits` with defaults."""
    labels = np.asarray(labels, dtype=np.float64)
    labels = labels[:, None] if labels.ndim == 1 else labels
    options = {"folds": 3, "seeds": 1, "seed": 0, "protocol": "nested", "validation_fraction": 0.25, "stratify": True}
    return make_splits(labels, **{**options, **changes})


def trainer(
    dag: Dag, x: Any, y: Any, splits: Sequence[Split], network: NetworkOptions | None = None, **options: Any
) -> Trainer:
    """A trainer of a fresh model."""
    defaults: dict[str, Any] = {"epochs": 5, "patience": 5, "batch_size": 16, "learning_rate": 0.05}
    defaults |= {"validation_fraction": 0.25, "engine": ENGINE}
    y = np.asarray(y, dtype=np.float32)
    return Trainer(
        compile_network(dag, network),
        Table(np.asarray(x, dtype=np.float32), y[:, None] if y.ndim == 1 else y),
        splits,
        TrainingOptions(**{**defaults, **options}),
    )


def named_weights(dag: Dag, fit: Fit, network: NetworkOptions | None = None) -> dict[Any, float]:
    """Weight of each edge (source, target) and bias of each vertex, by name."""
    from graphnn.compiler.model import bias_frame

    model = compile_network(dag, network)
    for variable, value in zip(model.trainable_variables, fit.state[0], strict=True):
        variable.assign(value)
    edges, biases = weights_frame(model), bias_frame(model)
    named: dict[Any, float] = dict(zip(biases["node"], biases["bias"].astype(float), strict=True))
    return named | {(row.source, row.target): float(row.weight) for row in edges.itertuples()}


def bytes_of(fit: Fit, *, with_prediction: bool = True) -> bytes:
    """Every bit of a fit: weights, state, scaler, losses, best epoch, and the prediction."""
    arrays = [*fit.state[0], *fit.state[1], fit.scaler.offset, fit.scaler.factor, fit.losses]
    arrays += [fit.prediction] if with_prediction else []
    parts = [f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes() for array in arrays]
    return b"|".join([*parts, str((fit.best_epoch, fit.scaler.limit)).encode()])


def without_times(value: Any) -> Any:
    """A payload without `created` and `seconds`."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in ("created", "seconds")}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def digest_of(found: Comparison) -> str:
    """Of the payload without its times and of every bit of every fit."""
    from graphnn.report.payload import make_payload

    text = json.dumps(without_times(make_payload(found)), ensure_ascii=False, allow_nan=False)
    digest = hashlib.sha256(text.encode())
    for name in ("full", "compressed"):
        for fit in found.fits[name]:
            digest.update(bytes_of(fit))
    return digest.hexdigest()
