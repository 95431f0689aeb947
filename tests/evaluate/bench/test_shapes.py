"""Drawn networks have exactly the sizes that were asked for, and are the same everywhere."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphnn as gn
from graphnn.errors import OptionError
from graphnn.evaluate.bench.shapes import (
    PROFILE_EDGES,
    PROFILE_UNITS,
    Shape,
    draw_cells,
    draw_network,
    enlarged,
    shape_of,
)
from graphnn.graph.order import longest_path_levels

SIZES = st.tuples(st.integers(200, 1_500), st.integers(14, 40), st.integers(0, 3))


def sizes_of(dag):
    """Vertices of each level and edges into each, by longest path; the oracle shares no code with the generator."""
    graph = dag.graph
    level = longest_path_levels(graph.n_nodes, graph.sources, graph.targets)
    return tuple(np.bincount(level)[1:].tolist()), tuple(np.bincount(level[graph.targets])[1:].tolist())


def test_the_profile_is_the_real_one():
    shape = shape_of(36_909)
    assert (shape.level_units, shape.level_edges, shape.n_inputs) == (PROFILE_UNITS, PROFILE_EDGES, 18_327)
    assert (shape.n_units, shape.n_edges) == (524, 36_909)


@settings(max_examples=30, deadline=None)
@given(SIZES)
def test_counts_are_exact_and_every_vertex_takes_part(sizes):
    n_edges, n_units, seed = sizes
    shape = shape_of(n_edges, n_inputs=n_edges // 2, n_units=n_units)
    dag = draw_network(shape, seed=seed)  # Dag.from_graph refuses cycles, and vertices that are on no path
    graph = dag.graph
    assert sizes_of(dag) == (shape.level_units, shape.level_edges)
    assert (len(dag.inputs), len(dag.hidden), dag.outputs) == (n_edges // 2, n_units - 1, ("output",))
    assert len({*zip(graph.sources.tolist(), graph.targets.tolist(), strict=True)}) == n_edges
    assert list(graph.nodes) == sorted(graph.nodes)
    again = gn.PriorGraph.from_sif_tuples(graph.to_sif_tuples())
    assert again.fingerprint == graph.fingerprint  # the constructor got what the readers guarantee


def test_the_tutorials_shape_has_its_number_of_weights():
    dag = draw_network(shape_of(25_928, n_inputs=12_459, n_units=308))
    plan = gn.plan_layers(dag)
    assert (plan.n_edges, plan.n_parameters, len(plan.inputs)) == (25_928, 26_236, 12_459)


def test_regulons_and_genes_have_heavy_tails():
    graph = draw_network(shape_of(3_700)).graph
    is_gene = np.char.endswith(np.array(graph.nodes), "_gene")
    regulons = np.sort(np.bincount(graph.targets[is_gene[graph.sources]], minlength=graph.n_nodes))[::-1]
    regulators = np.bincount(graph.sources, minlength=graph.n_nodes)[is_gene]
    assert regulons[0] > 4 * regulons[10] > 0
    assert np.median(regulators) <= 3
    assert regulators.min() == 1 < 3 < regulators.max()


def test_growth_has_edges_and_hidden_vertices_in_proportion():
    once, tenfold = shape_of(36_909), enlarged(10)
    assert (tenfold.n_edges, tenfold.n_units) == (10 * once.n_edges, 10 * once.n_units)
    assert once.n_inputs < tenfold.n_inputs < 10 * once.n_inputs


def test_cells_are_sparse_and_carry_a_signal_that_one_regulon_shows():
    dag = draw_network(shape_of(400))
    x, y = draw_cells(dag, 300)
    assert (x.shape, y.shape, x.dtype, y.dtype) == ((300, len(dag.inputs)), (300, 1), np.float32, np.float32)
    assert 0.75 < (x == 0).mean() < 0.97
    assert 0.3 < y.mean() < 0.7
    correlations = [abs(np.corrcoef(column, y[:, 0])[0, 1]) for column in x.T if column.any()]
    assert max(correlations) > 0.3


DIGEST = """
import hashlib
from graphnn.evaluate.bench.shapes import draw_cells, draw_network, shape_of
dag = draw_network(shape_of(300), seed=3)
x, y = draw_cells(dag, 20, seed=3)
print(dag.fingerprint, hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest())
"""


def test_equal_arguments_give_equal_bytes_under_every_hash_seed():
    said = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    x, y = draw_cells(draw_network(shape_of(300), seed=3), 20, seed=3)
    here = (
        f"{draw_network(shape_of(300), seed=3).fingerprint} {hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()}\n"
    )
    assert said == {here}
    assert draw_network(shape_of(300), seed=4).fingerprint != here.split()[0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: shape_of(199), "n_edges to be at least 200"),
        (lambda: shape_of(1_000, n_units=6), "n_units to be at least 7"),
        (lambda: shape_of(200, n_units=300), "at least"),
        (lambda: Shape("x", 10, (2, 2, 2), (9, 9, 9)), "one output"),
        (lambda: Shape("x", 10, (3, 2, 1), (9, 1, 3)), "every vertex is read"),
        (lambda: draw_network(shape_of(300, n_inputs=5_000)), "n_inputs to be at most"),
        (lambda: shape_of(2_000, n_inputs=5), "n_inputs to be at least 13"),
        (lambda: draw_network(shape_of(2_000, n_inputs=20)), "between two levels"),
    ],
)
def test_sizes_that_cannot_be_are_refused(make, words):
    with pytest.raises(OptionError, match=words):
        make()
