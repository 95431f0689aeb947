"""Simulated cells: the law of the model, the planted truth, its negative controls, equal bytes for equal seeds."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from graphnn.data.demo import DEMO_OUTPUT, demo_inputs, demo_network
from graphnn.data.simulate import SimulationOptions, driver_candidates, simulate_cells
from graphnn.errors import NoNetworkError, OptionError, UnknownNodeError
from graphnn.graph.prior import PriorGraph


def demo_cells(**arguments):
    return simulate_cells(demo_network(), demo_inputs(), [DEMO_OUTPUT], **arguments)


@pytest.fixture(scope="module")
def cells():
    return demo_cells()


def digest(simulation):
    whole = hashlib.sha256()
    for array in (simulation.counts.toarray(), simulation.labels.to_numpy(), simulation.activities):
        whole.update(np.ascontiguousarray(array).tobytes())
    whole.update(json.dumps([simulation.genes, simulation.links, simulation.parameters]).encode())
    return whole.hexdigest()


def mean_auc(simulation, labels):
    """ROC-AUC of a logistic regression on scaled log-counts, mean of 5 folds."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return cross_val_score(model, np.log1p(simulation.counts.toarray()), labels, cv=folds, scoring="roc_auc").mean()


def association(simulation):
    """Absolute correlation of each gene's log-count with the label; 0 for a gene that no cell expresses."""
    values = np.log1p(simulation.counts.toarray())
    label = simulation.labels[DEMO_OUTPUT].to_numpy()
    scores = [abs(np.corrcoef(column, label)[0, 1]) if column.any() else 0.0 for column in values.T]
    return dict(zip(simulation.genes, scores, strict=True))


# -- what comes back -------------------------------------------------------------------------------------------


def test_shapes_names_and_types(cells):
    assert cells.counts.shape == (600, len(demo_inputs()))
    assert cells.counts.dtype == np.int64
    assert cells.counts.data.min() >= 1
    assert [f"{gene}_gene" for gene in cells.genes] == list(demo_inputs())
    assert len(set(cells.barcodes)) == 600
    assert cells.labels.index.tolist() == list(cells.barcodes)
    assert cells.labels.columns.tolist() == [DEMO_OUTPUT]
    assert set(cells.labels[DEMO_OUTPUT]) == {0, 1}
    assert 0.35 < cells.labels[DEMO_OUTPUT].mean() < 0.65
    assert json.loads(json.dumps(cells.parameters)) == cells.parameters


def test_tables_keep_names_and_values(cells):
    frame = cells.to_frame()
    assert frame.columns.tolist() == list(cells.genes)
    assert frame.index.equals(cells.labels.index)
    assert (frame.to_numpy() == cells.counts.toarray()).all()
    same = cells.to_cells()
    assert (same.genes, same.barcodes) == (cells.genes, cells.barcodes)


def test_arrays_cannot_be_changed(cells):
    with pytest.raises(ValueError, match="read-only"):
        cells.counts.data[0] = 7


@pytest.mark.parametrize("seed", range(4))
def test_zeros_are_as_common_as_in_10x_data(seed):
    assert 0.7 <= demo_cells(seed=seed).sparsity <= 0.9


def test_drivers_are_hidden_candidates_and_links_are_edges(cells):
    graph = demo_network()
    assert len(cells.drivers) == 3
    assert set(cells.drivers) <= set(driver_candidates(graph, demo_inputs(), [DEMO_OUTPUT]))
    edges = {(source, target): sign for source, sign, target in graph.to_sif_tuples()}
    assert all(edges[f"{gene}_gene", driver] == sign for driver, sign, gene in cells.links)
    assert cells.driver_genes == tuple(sorted({gene for _, _, gene in cells.links}))


# -- the two designs -------------------------------------------------------------------------------------------


def test_each_gene_speaks_for_one_driver_without_redundancy_and_for_all_with_it():
    drivers = ["NFATC1", "NFATC2", "FOXO1"]
    alone = demo_cells(drivers=drivers, n_cells=10)
    shared = demo_cells(drivers=drivers, n_cells=10, redundancy=True)
    assert len(alone.links) == len(alone.driver_genes)
    assert len(shared.links) > len(shared.driver_genes)
    assert alone.driver_genes == shared.driver_genes
    assert set(alone.links) < set(shared.links)
    fed = {(driver, f"{gene}_gene") for driver, _, gene in shared.links}
    assert fed == {(b, a) for a, _, b in demo_network().to_sif_tuples() if b in drivers and a.endswith("_gene")}


def test_activities_have_the_asked_for_correlation():
    for correlation in (0.0, 0.9):
        options = SimulationOptions(activity_correlation=correlation)
        found = np.corrcoef(demo_cells(n_cells=4000, options=options).activities.T)
        assert found[np.triu_indices(3, 1)] == pytest.approx([correlation] * 3, abs=0.06)


# -- the planted truth -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_driver_genes_tell_more_of_the_label_than_the_others(seed):
    simulation = demo_cells(seed=seed, n_cells=2000)
    score = association(simulation)
    driven = [score[gene] for gene in simulation.driver_genes]
    others = [score[gene] for gene in simulation.genes if gene not in simulation.driver_genes]
    assert np.median(driven) > 3 * np.median(others)
    assert max(others) < 0.1


def test_effects_have_the_sign_of_the_edge():
    simulation = demo_cells(drivers=["MYC", "BACH2", "FOXO1"], n_cells=3000)
    values = np.log1p(simulation.to_frame())
    for driver, sign, gene in simulation.links:
        activity = simulation.activities[:, simulation.drivers.index(driver)]
        assert sign * np.corrcoef(values[gene], activity)[0, 1] > 0.05, (driver, gene)


def test_counts_follow_the_mean_and_variance_of_the_model():
    options = SimulationOptions(gene_sd=0.0, size_factor_sd=0.0, mean_count=2.0, dispersion=0.5)
    counts = demo_cells(n_cells=4000, effect=0.0, options=options).counts.toarray()
    assert counts.mean() == pytest.approx(2.0, rel=0.02)
    assert counts.var() == pytest.approx(2.0 + 0.5 * 2.0**2, rel=0.05)


@pytest.mark.parametrize("redundancy", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_default_is_neither_trivial_nor_hopeless(seed, redundancy):
    simulation = demo_cells(seed=seed, redundancy=redundancy)
    assert 0.8 <= mean_auc(simulation, simulation.labels[DEMO_OUTPUT]) <= 0.97


def test_shuffled_labels_cannot_be_predicted(cells):
    shuffled = np.random.default_rng(1).permutation(cells.labels[DEMO_OUTPUT])
    assert 0.4 <= mean_auc(cells, shuffled) <= 0.6


def test_without_effect_the_genes_know_nothing():
    simulation = demo_cells(effect=0.0)
    assert 0.4 <= mean_auc(simulation, simulation.labels[DEMO_OUTPUT]) <= 0.6


# -- determinism -----------------------------------------------------------------------------------------------


def test_equal_seeds_give_equal_bytes_and_others_differ(cells):
    assert digest(demo_cells()) == digest(cells)
    assert digest(demo_cells(seed=1)) != digest(cells)


def test_order_and_repeats_of_the_names_do_not_matter():
    inputs = list(demo_inputs())
    again = simulate_cells(demo_network(), [*reversed(inputs), inputs[0]], DEMO_OUTPUT, n_cells=20)
    assert digest(again) == digest(demo_cells(n_cells=20))


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    demo_cells(n_cells=5)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


SCRIPT = """
import hashlib
from graphnn.data.demo import demo_inputs, demo_network
from graphnn.data.simulate import simulate_cells
for arguments in ({"redundancy": True}, {"seed": 5}):
    s = simulate_cells(demo_network(), set(demo_inputs()), {"TCR"}, n_cells=30, **arguments)
    text = s.to_frame().to_csv() + s.labels.to_csv() + repr(s.links) + repr(s.parameters)
    print(hashlib.sha256(text.encode() + s.activities.tobytes()).hexdigest())
"""


def test_bytes_are_the_same_under_every_hash_seed():
    prints = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(prints) == 1


def test_nuisance_genes_change_neither_labels_nor_measured_counts(cells):
    noisy = demo_cells(options=SimulationOptions(n_nuisance_genes=12))
    n_measured = len(cells.genes)
    assert noisy.counts.shape == (600, n_measured + 12)
    assert noisy.genes[n_measured:][0] == "NUISANCE01"
    assert (noisy.counts.toarray()[:, :n_measured] == cells.counts.toarray()).all()
    assert noisy.labels.equals(cells.labels)
    score = association(noisy)
    assert max(score[gene] for gene in noisy.genes[n_measured:]) < 0.15


# -- other networks --------------------------------------------------------------------------------------------


@given(
    edges=st.lists(
        st.tuples(st.sampled_from("abcde"), st.sampled_from([-1, 0, 1]), st.sampled_from("xyz")), min_size=1
    ),
    seed=st.integers(0, 2**32),
)
def test_any_network_with_a_fed_hidden_vertex_can_be_simulated(edges, seed):
    graph = PriorGraph.from_sif_tuples([*edges, *((hidden, 1, "out") for _, _, hidden in edges)])
    inputs = [name for name in graph.nodes if name in "abcde"]
    driver = edges[0][2]
    simulation = simulate_cells(graph, inputs, drivers=[driver], n_cells=4, seed=seed)
    assert simulation.labels.columns.tolist() == ["out"]
    assert simulation.genes == tuple(inputs)
    assert {name for _, _, name in simulation.links} == {a for a, _, b in edges if b == driver}
    assert all(sign in (1, -1) for _, sign, _ in simulation.links)


def test_each_output_listens_to_the_drivers_that_reach_it():
    edges = [(gene, 1, hidden) for hidden in ("h", "k") for gene in ("a", "b", "c")]
    graph = PriorGraph.from_sif_tuples([*edges, ("h", 1, "y"), ("k", 1, "z")])
    simulation = simulate_cells(graph, list("abc"), drivers=["h", "k"], n_cells=2000, redundancy=True)
    for output, own, other in (("y", 0, 1), ("z", 1, 0)):
        label = simulation.labels[output]
        assert np.corrcoef(label, simulation.activities[:, own])[0, 1] > 0.6
        assert abs(np.corrcoef(label, simulation.activities[:, other])[0, 1]) < 0.1
    with pytest.raises(NoNetworkError, match="'z'"):
        simulate_cells(graph, list("abc"), drivers=["h"])


# -- bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ({"n_cells": 1}, "n_cells"),
        ({"n_cells": 10.5}, "n_cells"),
        ({"n_cells": True}, "n_cells"),
        ({"n_drivers": 0}, "n_drivers"),
        ({"n_drivers": 1000}, "n_drivers"),
        ({"effect": -1.0}, "effect"),
        ({"effect": float("nan")}, "effect"),
        ({"effect": 500.0}, "effect"),
        ({"seed": -1}, "seed"),
        ({"drivers": []}, "drivers"),
        ({"drivers": ["LCK"]}, "drivers"),  # hidden, but no gene feeds it
        ({"drivers": ["TCR"]}, "drivers"),
        ({"drivers": ["IL2_gene"]}, "drivers"),
    ],
)
def test_bad_arguments_name_the_option(arguments, option):
    with pytest.raises(OptionError) as caught:
        demo_cells(**arguments)
    assert caught.value.option == option


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("label_slope", 0),
        ("activity_correlation", 1.5),
        ("mean_count", float("inf")),
        ("gene_sd", -0.1),
        ("size_factor_sd", "much"),
        ("dispersion", 0.0),
        ("n_nuisance_genes", -1),
    ],
)
def test_bad_options_are_named(name, value):
    with pytest.raises(OptionError) as caught:
        replace(SimulationOptions(), **{name: value})
    assert caught.value.option == name


def test_unknown_names_are_listed():
    with pytest.raises(UnknownNodeError) as caught:
        demo_cells(drivers=["FOXO1", "FOXO9"])
    assert caught.value.names == ("FOXO9",)
    with pytest.raises(UnknownNodeError):
        simulate_cells(demo_network(), ["NOPE_gene"], [DEMO_OUTPUT])
    with pytest.raises(UnknownNodeError):
        simulate_cells(demo_network(), demo_inputs(), ["NOPE"])


def test_two_inputs_for_one_gene_and_a_driver_robbed_of_all_genes_are_refused():
    graph = PriorGraph.from_sif_tuples([("a", 1, "h"), ("a_gene", 1, "h"), ("h", 1, "y")])
    with pytest.raises(OptionError, match="suffix"):
        simulate_cells(graph, ["a", "a_gene"], ["y"], drivers=["h"])
    graph = PriorGraph.from_sif_tuples([("a", 1, "h"), ("a", 1, "k"), ("h", 1, "y"), ("k", 1, "y")])
    with pytest.raises(OptionError, match="redundancy=True"):
        simulate_cells(graph, ["a"], ["y"], drivers=["h", "k"])
    assert len(simulate_cells(graph, ["a"], ["y"], drivers=["h", "k"], redundancy=True).links) == 2
