"""Class weights: what a label counts in the loss, on both engines, against repeating cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphnn as gn
from graphnn.errors import OptionError
from graphnn.evaluate.engine import Table, Trainer
from graphnn.evaluate.engine.weights import label_weights
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.splits import Split

INPUTS = [f"x{i}" for i in range(6)]


def network(outputs: list[str]) -> gn.Dag:
    """Two hidden vertices, each of which reads all inputs and feeds all outputs."""
    edges = [(name, 1, hidden) for name in INPUTS for hidden in ("a", "b")]
    edges += [(hidden, 1, output) for hidden in ("a", "b") for output in outputs]
    return gn.Dag.from_graph(gn.PriorGraph.from_sif_tuples(edges), INPUTS, outputs)


def task(name: str, n_cells: int = 120) -> tuple[gn.Dag, np.ndarray, np.ndarray, gn.NetworkOptions]:
    """A network with cells and labels of unequal classes."""
    draw = np.random.default_rng(5)
    x = draw.normal(size=(n_cells, len(INPUTS))).astype(np.float32)
    score = x[:, 0] + 0.5 * draw.normal(size=n_cells)
    if name == "multiclass":
        kind = np.digitize(score, [-1.0, 1.3])
        y = np.eye(3, dtype=np.float32)[kind]
    else:
        y = np.stack([score > 1.0, x[:, 1] > -0.8], axis=1).astype(np.float32)[:, : 1 if name == "binary" else 2]
    outputs = [f"y{k}" for k in range(y.shape[1])]
    return network(outputs), x, y, gn.NetworkOptions(task="multiclass" if name == "multiclass" else "binary")


def fit(name: str, engine: str, **options: Any) -> Any:
    """Train on one split."""
    dag, x, y, how = task(name)
    rows = np.arange(len(x))
    split = Split(3, 0, rows[:80], rows[80:100], rows[100:])
    training = TrainingOptions(**{"epochs": 8, "batch_size": 16, "engine": engine, "learning_rate": 0.02} | options)
    model = gn.compile_network(dag, how)
    return Trainer(model, Table(x, y), [split], training, task=how.task).fit(split)


@pytest.mark.parametrize("name", ["binary", "two outputs", "multiclass"])
def test_both_engines_weigh_alike(name: str) -> None:
    fits = [fit(name, engine, class_weight="balanced") for engine in ("numba", "jax")]
    np.testing.assert_allclose(fits[0].prediction, fits[1].prediction, atol=2e-4)
    np.testing.assert_allclose(fits[0].losses, fits[1].losses, rtol=2e-4)
    assert not np.allclose(fits[0].prediction, fit(name, "numba").prediction, atol=1e-3)


@pytest.mark.parametrize("engine", ["numba", "jax"])
def test_weights_are_what_repeated_cells_do(engine: str) -> None:
    """One step over all cells with a class three times as rare, against one in which its cells stand three times."""
    dag, x, _, how = task("binary")
    y = (np.arange(80) % 4 == 0).astype(np.float32)[:, None]  # 20 of 80
    repeated = np.concatenate([np.arange(80), *[np.flatnonzero(y[:, 0])] * 2])
    found = []
    for rows, weight in ((np.arange(80), "balanced"), (repeated, None)):
        table = Table(x[rows], y[rows])
        split = Split(3, 0, np.arange(len(rows)), np.arange(80), np.arange(80))
        options = TrainingOptions(
            epochs=1, batch_size=len(rows), engine=engine, class_weight=weight, learning_rate=0.02, scaling="none"
        )
        found.append(Trainer(gn.compile_network(dag, how), table, [split], options).fit(split).prediction)
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_weights_by_hand() -> None:
    y = np.array([[1], [0], [0], [0], [1]], dtype=np.float32)
    weight = label_weights(y, np.arange(4), "balanced", exclusive=False)  # one of four that train is 1
    np.testing.assert_allclose(weight[:, 0], [2, 2 / 3, 2 / 3, 2 / 3, 2])
    assert weight[:4].mean() == pytest.approx(1)
    classes = np.eye(3, dtype=np.float32)[[0, 0, 1, 2, 2, 2]]
    weight = label_weights(classes, np.arange(6), "balanced", exclusive=True)
    np.testing.assert_allclose(weight, np.array([1, 1, 2, 2 / 3, 2 / 3, 2 / 3])[:, None].repeat(3, axis=1))


def test_a_class_that_none_trains_on_counts_one() -> None:
    weight = label_weights(np.array([[0], [0], [1]], dtype=np.float32), np.arange(2), "balanced", exclusive=False)
    assert weight[:, 0].tolist() == [1, 1, 1]


def test_rare_classes_are_called_more_often() -> None:
    plain, balanced = (fit("binary", "numba", class_weight=weight, epochs=30) for weight in (None, "balanced"))
    assert balanced.prediction.mean() > plain.prediction.mean() + 0.05


def test_other_words_are_refused() -> None:
    with pytest.raises(OptionError, match="balanced"):
        TrainingOptions(class_weight="equal")
