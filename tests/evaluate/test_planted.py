"""Planted truth and negative controls on the demo network: signal is found where it is, and nowhere else."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from graphnn.data.demo import DEMO_OUTPUT, demo_inputs, demo_network
from graphnn.data.simulate import SimulationOptions, simulate_cells
from graphnn.evaluate.splits import Split
from graphnn.extract.extract import extract_dag
from tests.evaluate.small import splits_of, trainer


@cache
def planted():
    network, inputs = demo_network(), demo_inputs()
    deep = SimulationOptions(mean_count=1.0)  # deeply sequenced, so that 300 cells are enough
    simulation = simulate_cells(network, inputs, [DEMO_OUTPUT], n_cells=300, seed=1, options=deep)
    pruned = network.prune(inputs, [DEMO_OUTPUT])
    dags = {
        name: extract_dag(pruned, inputs, [DEMO_OUTPUT], objective=objective)
        for name, objective in (("full", "shortest_paths"), ("compressed", "min_edges"))
    }
    cells = simulation.to_cells().log_normalized()
    columns = cells.columns_of(dags["full"].inputs, suffix="_gene")
    x = cells.select([columns[name] for name in dags["full"].inputs])
    genes = [columns[name] for name in dags["full"].inputs]
    return dags, x, simulation.labels[DEMO_OUTPUT].to_numpy(), np.isin(genes, simulation.driver_genes)


@cache
def mean_aucs() -> dict[str, float]:
    """Mean AUC of 3 folds: as simulated, with shuffled labels, and with driver genes that carry other cells' values.

    For the compressed network all three are rows of one table with splits of their own: one program trains them.
    """
    dags, x, y, is_driven = planted()
    assert 0 < is_driven.sum() < len(is_driven)
    rng = np.random.default_rng(0)
    absent = x.copy()
    absent[:, is_driven] = rng.permutation(absent[:, is_driven], axis=0)
    tables = {"as simulated": (x, y), "shuffled labels": (x, rng.permutation(y)), "absent drivers": (absent, y)}
    found = {"full": _mean_auc(dags["full"], {"": (x, y)})[""]}
    return found | _mean_auc(dags["compressed"], tables)


def _mean_auc(dag, tables) -> dict[str, float]:
    splits, first = {}, 0
    for name, (_, y) in tables.items():
        moved = [
            (split, [rows + first for rows in (split.train, split.validation, split.test)]) for split in splits_of(y)
        ]
        splits[name] = [Split(split.seed, split.fold, *rows) for split, rows in moved]
        first += len(y)
    x, y = (np.concatenate(part) for part in zip(*tables.values(), strict=True))
    every = [split for group in splits.values() for split in group]
    run = trainer(dag, x, y, every, epochs=20, patience=8, learning_rate=0.02, batch_size=32)
    return {
        name: float(np.mean([roc_auc_score(y[split.test], run.fit(split).prediction[:, 0]) for split in group]))
        for name, group in splits.items()
    }


@pytest.mark.parametrize("name", ["full", "as simulated"])
def test_planted_signal_is_found(name):
    assert mean_aucs()[name] > 0.7


@pytest.mark.parametrize("name", ["shuffled labels", "absent drivers"])
def test_where_nothing_is_planted_nothing_is_found(name):
    assert 0.35 < mean_aucs()[name] < 0.65
