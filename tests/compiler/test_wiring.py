"""Units of vertices: columns and edges of units against enumeration; how many parameters; means by vertex."""

from __future__ import annotations

import numpy as np
import pytest

from graphnn.compiler.model import compile_network, weights_frame
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.compiler.wiring import expand
from graphnn.errors import MismatchError
from tests.compiler.drawn import everything, randomize, rich_dag


def labels(plan, block: int, units: int) -> list[tuple[str, int]]:
    """Name and unit of each column of a block."""
    hidden = 0 if block == 0 else plan.levels[block - 1].n_hidden
    names = plan.block(block)
    return [(name, k) for name in names[:hidden] for k in range(units)] + [(name, 0) for name in names[hidden:]]


@pytest.mark.parametrize("units", [1, 2, 3])
def test_edges_of_units_are_all_pairs_of_the_units_of_an_edge(units):
    for seed in range(30):
        plan = plan_layers(rich_dag(seed))
        for number, level in enumerate(plan.levels, start=1):
            found = expand(level, units=units, hidden_counts=plan.hidden_counts(number))
            wiring, there = found.wiring, {block: labels(plan, block, units) for block in level.blocks}
            here = labels(plan, number, units)
            assert wiring.n_nodes == len(here) == len(found.node)
            assert [(level.nodes[v], k) for v, k in zip(found.node, found.node_unit, strict=True)] == here
            pairs = [
                (there[block][source], here[target])
                for block, source, target in zip(
                    wiring.source_level.tolist(),
                    wiring.source_column.tolist(),
                    wiring.target_column.tolist(),
                    strict=True,
                )
            ]
            edges = plan.level_edges(number)
            blocks = level.source_level.tolist()
            expected = {
                (a, b)
                for (source, target), block in zip(edges, blocks, strict=True)
                for a in there[block]
                for b in here
                if a[0] == source and b[0] == target
            }
            assert len(pairs) == len(set(pairs))
            assert set(pairs) == expected
            assert [(a[0], b[0]) for a, b in pairs] == [edges[edge] for edge in found.edge]
            assert [(a[1], b[1]) for a, b in pairs] == list(zip(found.source_unit, found.target_unit, strict=True))
            assert np.array_equal(wiring.interaction, level.interaction[found.edge])
            assert list(wiring.input_columns) == list(level.input_columns)
            order = np.lexsort((wiring.source_column, wiring.target_column, wiring.source_level))
            assert np.array_equal(order, np.arange(wiring.n_edges))  # as the edges of a level


def test_one_unit_changes_nothing():
    level = plan_layers(everything()).levels[0]
    assert expand(level, units=1).wiring is level


@pytest.mark.parametrize("units", [1, 2, 5])
def test_the_count_of_parameters_is_that_of_the_model(units):
    for seed in range(6):
        plan = plan_layers(rich_dag(seed))
        model = compile_network(plan, NetworkOptions(units=units))
        trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
        assert trainable == plan.count_parameters(units)
    assert plan.count_parameters() == plan.n_parameters


def test_weights_by_level_are_means_over_units():
    plan = plan_layers(everything())
    model = compile_network(plan, NetworkOptions(units=3))
    randomize(model)
    trainable = [np.array(variable.value) for variable in model.trainable_variables]
    kernels = np.concatenate([kernel for kernel, _ in plan.weights_by_level(trainable, units=3)])
    means = weights_frame(model).groupby(["source", "target"])["weight"].mean()
    np.testing.assert_allclose(kernels, [means[edge] for edge in plan.edges()], rtol=1e-6)
    biases = [bias for _, bias in plan.weights_by_level(trainable, units=3) if bias is not None]
    assert [len(bias) for bias in biases] == [level.n_biases for level in plan.levels if level.n_biases]
    np.testing.assert_allclose(biases[0], trainable[1].reshape(2, 3).mean(axis=1), rtol=1e-6)
    with pytest.raises(MismatchError):
        plan.weights_by_level(trainable)
