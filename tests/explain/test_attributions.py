"""Attributions of the inputs: completeness, what a linear network says, names; and values of hidden vertices."""

from __future__ import annotations

import numpy as np
import pytest

from graphnn.compiler.options import NetworkOptions
from graphnn.errors import MismatchError, OptionError
from graphnn.explain.activities import node_activities
from graphnn.explain.attributions import input_attributions
from graphnn.explain.options import ImportanceOptions
from graphnn.explain.passes import Passes
from graphnn.explain.paths import MOST_STEPS, integrate
from tests.compiler.drawn import cells, everything
from tests.evaluate.small import comparison, named_weights
from tests.explain.test_passes import EVERY_OPTION, fitted
from tests.oracles.forward import forward


@pytest.mark.parametrize("of", ["prediction", "logit"])
@pytest.mark.parametrize("name", EVERY_OPTION)
def test_attributions_sum_to_the_change_of_the_output_in_every_cell(name, of):
    _, _, passes = fitted(everything(), EVERY_OPTION[name], seed=3)
    x, baseline = cells(4, n_cells=7, seed=3).astype(np.float64), np.array([[0.5, -1.0, 0.0, 2.0]])
    path = integrate(passes, passes.from_data(x), start=passes.from_data(baseline), of=of, tolerance=1e-3)
    ends = [passes.read(passes.forward(passes.from_data(part)), of) for part in (x, baseline)]
    for output in range(2):
        attributions = passes.to_data(path.by_sum[output]) * (x - baseline).T
        missed = np.abs(attributions.sum(axis=0) - (ends[0] - ends[1])[output]).sum()
        assert missed < 1e-3 * np.abs((ends[0] - ends[1])[output]).sum()
        assert path.gap.missed[output] == pytest.approx(missed, rel=1e-6, abs=1e-12)


def test_kinks_are_met_with_more_steps():
    smooth, kinked = (
        fitted(everything(), NetworkOptions(hidden_activation=name), seed=8)[2] for name in ("tanh", "relu")
    )
    x = cells(4, n_cells=20, seed=8)
    steps = [
        integrate(p, p.from_data(x), start=p.from_data(0 * x[:1] + 0.3), of="prediction", tolerance=1e-5).gap.steps
        for p in (smooth, kinked)
    ]
    assert steps[0] < steps[1] <= MOST_STEPS


def test_a_linear_network_gives_weight_times_distance():
    options = NetworkOptions(hidden_activation="linear", task="regression")
    _, _, passes = fitted(everything(), options, seed=2)
    x = cells(4, n_cells=3, seed=2).astype(np.float64)
    start = passes.from_data(np.zeros((1, 4)))
    path = integrate(passes, passes.from_data(x), start=start, of="prediction", tolerance=0.01)
    one = np.eye(4)
    weights = [passes.read(passes.forward(passes.from_data(row[None])))[:, 0] for row in (*one, np.zeros(4))]
    for output in range(2):
        slope = np.array([weights[column][output] - weights[4][output] for column in range(4)])
        np.testing.assert_allclose(
            passes.to_data(path.by_sum[output]), np.repeat(slope[:, None], 3, axis=1), atol=1e-12
        )


def test_the_table_has_every_input_of_every_fit_and_a_gap_below_one_percent():
    found = comparison()
    frame = input_attributions(found)
    expected = [
        (name, output, seed, fold, gene)
        for name in found.networks
        for output in found.outputs
        for seed in (4, 5)
        for fold in range(3)
        for gene in sorted(found.networks[name].inputs)
    ]
    assert list(frame[["network", "output", "seed", "fold", "input"]].itertuples(index=False, name=None)) == expected
    assert (frame["gap"] < 0.01).all()
    assert (frame["signed"].abs() <= frame["score"] + 1e-12).all()
    assert input_attributions(found, networks=["compressed"]).equals(
        frame[frame["network"] == "compressed"].reset_index(drop=True)
    )
    absolute = input_attributions(found, options=ImportanceOptions(over="absolute_mean"))
    np.testing.assert_allclose(absolute["score"], frame["signed"].abs())


def test_signed_attributions_sum_to_the_mean_change_of_the_prediction():
    found = comparison()
    frame = input_attributions(found, options=ImportanceOptions(tolerance=1e-6))
    sums = frame.groupby(["network", "seed", "fold"])["signed"].sum()
    for name in found.networks:
        for fit in found.fits[name]:
            passes = Passes.of(found.plans[name], found.options, fit.state)
            at_zero = passes.read(passes.forward(passes.from_data(np.zeros((1, 4)))))[0, 0]
            change = fit.prediction[:, 0].astype(np.float64).mean() - at_zero
            assert sums[name, fit.split.seed, fit.split.fold] == pytest.approx(change, abs=2e-6)


def test_the_genes_that_drive_the_label_come_first():
    """The label is a - b and noise."""
    mean = input_attributions(comparison(), networks="full").groupby("input")["score"].mean()
    assert set(mean.nlargest(2).index) == {"a", "b"}


def test_parts_of_the_cells_are_all_cells(monkeypatch):
    found = comparison()
    options = ImportanceOptions(tolerance=0.9)  # so that all parts take the same steps
    whole = input_attributions(found, options=options)
    monkeypatch.setattr("graphnn.explain.attributions._CELLS", 5)
    np.testing.assert_allclose(input_attributions(found, options=options)["score"], whole["score"], rtol=1e-9)


def test_activities_are_the_oracles_values_by_name():
    found = comparison()
    dag, fit = found.networks["full"], found.fits["full"][3]
    frame = node_activities(found, "full", fit)
    assert frame.index.tolist() == [found.cells.barcodes[row] for row in fit.split.test]
    assert frame.columns.tolist() == sorted(dag.hidden)
    named = named_weights(dag, fit)
    edges = [(*key, value) for key, value in named.items() if isinstance(key, tuple)]
    biases = {key: value for key, value in named.items() if isinstance(key, str)}
    inputs = found.inputs_of(fit).astype(np.float64)
    for node in dag.hidden:
        expected = [
            forward(edges, biases, dict(zip(sorted(dag.inputs), row.tolist(), strict=True)), ["y"])[node]
            for row in inputs
        ]
        np.testing.assert_allclose(frame[node], expected, rtol=1e-5, atol=1e-6)


def test_activities_of_what_is_not_there_are_refused():
    found = comparison()
    with pytest.raises(OptionError, match="did you mean 'full'"):
        node_activities(found, "fulll", found.fits["full"][0])
    with pytest.raises(MismatchError, match="weights of"):
        node_activities(found, "compressed", found.fits["full"][0])
