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
from graphnn.data.designs import plant, relays, sim1, sim2, simulate_network
from graphnn.data.simulate import SimulationOptions, driver_candidates, simulate_cells
from graphnn.errors import NoNetworkError, OptionError, UnknownNodeError
from graphnn.extract.dag import Dag
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
from graphnn.data.designs import sim2, simulate_network
network = simulate_network(n_inputs=90, n_hidden=20, n_levels=3, n_planted=3, shared=0.4, overlap=0.5, seed=2)
print(network.graph.fingerprint, network.planted, network.parameters)
design = sim2(4, n_cells=20, n_inputs=40, n_hidden=8)
print(design.network.graph.fingerprint, design.simulation.links, design.simulation.counts.sum())
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


# -- drawn networks with planted vertices ----------------------------------------------------------------------


def inputs_of(network, name):
    return {
        source for source, _, target in network.graph.to_sif_tuples() if target == name and source in network.inputs
    }


@given(
    n_hidden=st.integers(7, 30),
    n_levels=st.integers(1, 3),
    n_planted=st.integers(1, 4),
    shared=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    overlap=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_drawn_networks_have_the_size_and_the_sharing_that_was_asked_for(
    n_hidden, n_levels, n_planted, shared, overlap, seed
):
    options = {"n_hidden": n_hidden, "n_levels": n_levels, "n_planted": n_planted, "shared": shared, "seed": seed}
    network = simulate_network(n_inputs=300, overlap=overlap, **options)
    dag = Dag.from_graph(network.graph, network.inputs, network.outputs)  # acyclic, every vertex on a path
    assert (len(dag.inputs), len(dag.hidden), dag.outputs) == (300, n_hidden, ("OUT",))
    assert network.hidden == dag.hidden
    lowest = {target for source, _, target in network.graph.to_sif_tuples() if source in network.inputs}
    assert set(network.planted) <= lowest <= set(network.hidden)
    assert (lowest == set(network.hidden)) == (n_levels == 1)
    bare = simulate_network(n_inputs=300, **options)
    first = inputs_of(bare, bare.planted[0])
    assert bare.planted == network.planted
    assert inputs_of(bare, bare.planted[0]) <= inputs_of(network, network.planted[0])
    for other in bare.planted[1:]:
        mine = inputs_of(bare, other)
        assert len(first & mine) == round(shared * len(first))
        assert abs(len(mine) - len(first)) <= 2
    assert network.graph.n_edges == bare.graph.n_edges + round(overlap * 300)


def test_each_level_is_about_half_as_wide_and_every_vertex_leads_to_one():
    network = simulate_network(n_inputs=200, n_hidden=28, n_levels=3)
    above = [(source, target) for source, _, target in network.graph.to_sif_tuples() if source in network.hidden]
    assert len({source for source, _ in above}) == len(above) == 28
    first = {target for source, _, target in network.graph.to_sif_tuples() if source in network.inputs}
    second = {target for source, target in above if source in first}
    third = {target for source, target in above if source in second}
    assert [len(level) for level in (first, second, third)] == [16, 8, 4]
    assert {target for source, target in above if source in third} == {"OUT"}
    way = [name for name in relays(network.graph, network.planted) if name != "OUT"]
    assert len(way) == 2
    assert way[0] in second
    assert way[1] in third


def test_in_sim1_one_vertex_speaks_and_only_through_its_own_inputs():
    design = sim1(5, n_cells=1500, n_inputs=120, n_hidden=12)
    (planted,) = design.network.planted
    assert design.simulation.drivers == (planted,)
    assert {f"{gene}_gene" for gene in design.simulation.driver_genes} == inputs_of(design.network, planted)
    values = np.log1p(design.simulation.to_frame())
    label = design.simulation.labels["OUT"].to_numpy()
    driven = values.columns.isin(design.simulation.driver_genes)
    tells = np.array([abs(np.corrcoef(values[gene], label)[0, 1]) for gene in values])
    assert np.median(tells[driven]) > 3 * np.median(tells[~driven])
    assert relays(design.network.graph, design.network.planted) == ("OUT",)


def test_in_sim2_two_vertices_read_the_same_inputs_with_the_same_signs():
    design = sim2(5, n_cells=30, n_inputs=120, n_hidden=12)
    one, two = design.network.planted
    assert inputs_of(design.network, one) == inputs_of(design.network, two)
    links = {name: {(s, g) for d, s, g in design.simulation.links if d == name} for name in (one, two)}
    assert links[one] == links[two]
    assert np.array_equal(*design.simulation.activities.T)


def test_the_effect_of_twins_is_that_of_one():
    effects = {}
    for make in (sim1, sim2):
        design = make(1, n_cells=4000, n_inputs=30, n_hidden=6, options=SimulationOptions(mean_count=20.0, gene_sd=0.0))
        values = np.log(design.simulation.to_frame() + 1.0)
        activity = design.simulation.activities[:, 0]
        slopes = [abs(np.polyfit(activity, values[gene], 1)[0]) for gene in design.simulation.driver_genes]
        effects[make.__name__] = np.mean(slopes)
    assert effects["sim1"] == pytest.approx(effects["sim2"], rel=0.05)
    assert effects["sim1"] == pytest.approx(1.0, abs=0.15)


def test_a_design_without_effect_keeps_its_labels_and_moves_no_gene():
    small = {"n_cells": 300, "n_inputs": 60, "n_hidden": 6}
    with_effect, without = sim1(2, **small), sim1(2, effect=0.0, **small)
    assert with_effect.network == without.network
    assert with_effect.simulation.labels.equals(without.simulation.labels)
    assert (with_effect.simulation.counts != without.simulation.counts).nnz > 0
    again = plant(without.network, n_cells=300, effect=0.0, seed=2)
    assert digest(again) == digest(without.simulation)


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ({"n_inputs": 0}, "n_inputs"),
        ({"n_inputs": 5, "n_hidden": 20}, "n_inputs"),
        ({"n_hidden": 2, "n_levels": 2}, "n_hidden"),
        ({"n_levels": 1.5}, "n_levels"),
        ({"n_planted": 102}, "n_planted"),
        ({"shared": 1.1}, "shared"),
        ({"shared": "all"}, "shared"),
        ({"overlap": -0.1}, "overlap"),
        ({"overlap": True}, "overlap"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_sizes_of_drawn_networks_name_the_option(arguments, option):
    with pytest.raises(OptionError) as caught:
        simulate_network(**arguments)
    assert caught.value.option == option


def test_relays_of_an_unknown_vertex_are_refused():
    with pytest.raises(UnknownNodeError):
        relays(demo_network(), ["NOPE"])
