"""Planted truth and negative controls: the signal, and the vertex that carries it, are found where they are.

On the demo network, and on small copies of the two designs of the KPNN paper; `benchmarks/planted.py` runs these in
full size over many seeds.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from graphnn.compiler.options import NetworkOptions
from graphnn.data.demo import DEMO_OUTPUT, demo_inputs, demo_network
from graphnn.data.designs import INPUT_SUFFIX, PlantedDesign, sim1, sim2
from graphnn.data.simulate import SimulationOptions, simulate_cells
from graphnn.evaluate.compare import compare
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.splits import Split
from graphnn.extract.dag import Dag
from graphnn.extract.extract import extract_dag
from graphnn.graph.prior import PriorGraph
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


# -- which vertex it is ----------------------------------------------------------------------------------------

L2 = 0.05
SMALL = {"n_cells": 800, "n_inputs": 420, "n_hidden": 21}
SEEDS = range(3)


def dealt(dag: Dag, seed: int) -> Dag:
    """The same wiring with the names of the inputs dealt out anew: a wrong prior with the same shape."""
    names = dict(zip(dag.inputs, np.random.default_rng(seed).permutation(dag.inputs).tolist(), strict=True))
    edges = [(names.get(source, source), sign, target) for source, sign, target in dag.graph.to_sif_tuples()]
    return Dag.from_graph(PriorGraph.from_sif_tuples(edges), dag.inputs, dag.outputs)


def ranks_of(design: PlantedDesign, labels, network: NetworkOptions, seed: int, *, epochs: int = 200):
    """For the right and the wrong prior: ranks of the planted vertices, the best decoy by the weaker of them, AUC."""
    drawn = design.network
    dag = Dag.from_graph(drawn.graph, drawn.inputs, drawn.outputs)
    found = compare(
        dag,
        dealt(dag, seed),
        design.simulation.to_cells().log_normalized(),
        labels,
        folds=3,
        seed=seed,
        training=TrainingOptions(epochs=epochs),
        network=network,
        input_suffix=INPUT_SUFFIX,
    )
    importance, rows = found.importance(), {}
    for name, title in (("full", "right prior"), ("compressed", "wrong prior")):
        scores = importance[importance["network"] == name].groupby("node")["score"].mean().sort_values(ascending=False)
        planted = list(drawn.planted)
        ranks = sorted(scores.index.get_loc(node) + 1 for node in planted)
        auc = found.scores.loc[found.scores["network"] == name, "roc_auc"].mean()
        rows[title] = (ranks, scores.drop(planted).max() / scores[planted].min(), auc)
    return rows


@cache
def one_planted(kind: str):
    """Results of each seed: as simulated, with shuffled labels, and with inputs that know nothing."""
    rows = []
    for seed in SEEDS:
        design = sim1(seed, effect=0.0 if kind == "no effect" else 1.0, **SMALL)
        labels = design.simulation.labels
        if kind == "shuffled labels":
            labels = labels.set_axis(np.random.default_rng(seed).permutation(labels.index), axis=0)
        rows.append(ranks_of(design, labels, NetworkOptions(kernel_l2=L2), seed))
    return rows


def test_the_planted_vertex_ranks_first_and_decoys_are_far_below():
    for row in one_planted("as simulated"):
        ranks, ratio, auc = row["right prior"]
        assert ranks == [1]
        assert ratio < 0.3
        assert auc > 0.8


def test_a_wrong_prior_loses_the_planted_vertex_though_it_predicts_nearly_as_well():
    rows = [row["wrong prior"] for row in one_planted("as simulated")]
    assert sum(ranks == [1] for ranks, _, _ in rows) <= 1  # one of 21 by chance
    assert all(auc > 0.7 for _, _, auc in rows)


@pytest.mark.parametrize("kind", ["shuffled labels", "no effect"])
def test_where_the_label_is_not_in_the_inputs_the_planted_vertex_is_one_of_many(kind):
    rows = [row["right prior"] for row in one_planted(kind)]
    assert sum(ranks == [1] for ranks, _, _ in rows) <= 1
    assert 0.4 < np.mean([auc for _, _, auc in rows]) < 0.6


def test_of_two_redundant_planted_vertices_dropout_finds_both():
    design = sim2(0, **SMALL)
    dropout = NetworkOptions(kernel_l2=L2, dropout=0.5, dropout_on="nodes")
    ranks, ratio, auc = ranks_of(design, design.simulation.labels, dropout, 0, epochs=40)["right prior"]
    assert ranks == [1, 2]
    assert ratio < 0.5
    assert auc > 0.8
