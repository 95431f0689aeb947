"""Every way to score hidden vertices: against its definition by the vertex-by-vertex oracle, and its laws."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.importance import AGREEMENT, draw_passes
from graphnn.compiler.options import NetworkOptions
from graphnn.errors import OptionError, UnknownNodeError
from graphnn.evaluate.bench.shapes import Shape
from graphnn.explain.importance import METHODS, node_importance
from graphnn.explain.methods import METHODS as FUNCTIONS
from graphnn.explain.methods import Question, conductance, gradient, knockout, numerical
from graphnn.explain.options import ImportanceOptions
from tests.compiler.by_hand import ByHand, units_of
from tests.compiler.drawn import cells, dag_of, everything
from tests.evaluate.small import comparison
from tests.explain.test_passes import EVERY_OPTION, fitted

SMALL = Shape("small", 60, (30, 12, 6, 1), (150, 60, 30, 8))
OPTIONS = NetworkOptions(hidden_activation="tanh", units=2, activations={"g": "softplus"})


def question(passes, x, **options) -> Question:
    return Question(
        passes, passes.from_data(x), passes.from_data(np.zeros((1, x.shape[1]))), ImportanceOptions(**options)
    )


def by_row(passes, values):
    return dict(zip(passes.circuit.hidden, values, strict=True))


@pytest.mark.parametrize("over", ["mean_absolute", "absolute_mean"])
@pytest.mark.parametrize("of", ["prediction", "logit"])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "elu"])
def test_gradient_and_numerical_are_one_score(activation, of, over):
    """The kinks of relu would spoil the quotient; elu has a kink in its slope only."""
    passes = draw_passes(SMALL, activation=activation)
    ask = question(passes, np.random.default_rng(0).normal(size=(200, 60)), of=of, over=over)
    exact, quotient = (method(ask).score(over) for method in (gradient, numerical))
    np.testing.assert_allclose(quotient, exact, rtol=AGREEMENT)
    assert (exact > 0).all()


def test_they_agree_at_the_size_of_the_benchmark():
    passes = draw_passes()
    ask = question(passes, np.random.default_rng(1).normal(size=(60, 3_000)))
    exact, quotient = gradient(ask), numerical(ask)
    assert exact.absolute.shape == (1, 500)
    np.testing.assert_allclose(quotient.absolute, exact.absolute, rtol=AGREEMENT)
    np.testing.assert_allclose(quotient.signed, exact.signed, rtol=AGREEMENT)


@pytest.mark.parametrize("name", ["units, exceptions", "softmax", "regression above 0", "logits of classes"])
def test_they_agree_on_every_kind_of_network(name):
    _, _, passes = fitted(everything(), EVERY_OPTION[name], seed=2)
    ask = question(passes, cells(4, n_cells=9, seed=2))
    exact, quotient = gradient(ask), numerical(ask)
    np.testing.assert_allclose(quotient.signed, exact.signed, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(quotient.absolute, exact.absolute, rtol=1e-5, atol=1e-9)


def test_numerical_is_the_quotient_of_the_oracle():
    dag, step = everything(), 0.3  # far from a derivative, so that nothing else would agree
    model, _, passes = fitted(dag, OPTIONS, seed=4)
    x = cells(4, n_cells=4, seed=4)
    found = numerical(question(passes, x, epsilon=step))
    by_hand = ByHand(model, dag, OPTIONS)
    for node in dag.hidden:
        units = [unit for unit in units_of(dag, OPTIONS.units) if unit[0] == node]
        up, down = (by_hand.predict(x, pushed=units, push=sign * step) for sign in (1, -1))
        expected = (up - down) / (2 * step)
        row = passes.circuit.hidden.index(node)
        np.testing.assert_allclose(found.absolute[:, row], np.abs(expected).mean(axis=0), rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(found.signed[:, row], expected.mean(axis=0), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("to", ["mean", "zero"])
def test_knockout_is_the_oracles_prediction_without_the_vertex(to):
    dag, options = everything(), NetworkOptions(hidden_activation="tanh", activations={"k": "gelu"})
    model, _, passes = fitted(dag, options, seed=6)
    x = cells(4, n_cells=5, seed=6)
    found = knockout(question(passes, x, knockout_to=to))
    by_hand = ByHand(model, dag, options)
    values = by_row(passes, passes.hidden_values(x).T)
    for node in dag.hidden:
        goal = values[node].mean() if to == "mean" else 0.0
        as_is = by_hand.predict(x)
        pushes = (goal - values[node]).tolist()
        without = [
            by_hand.predict(row[None], pushed=[(node, 1)], push=push)[0] for row, push in zip(x, pushes, strict=True)
        ]
        change = np.array(without) - as_is
        row = passes.circuit.hidden.index(node)
        np.testing.assert_allclose(found.signed[:, row], change.mean(axis=0), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.absolute[:, row], np.abs(change).mean(axis=0), rtol=1e-4, atol=1e-6)


def test_a_vertex_with_one_value_is_missed_by_nobody():
    dag = dag_of("a>h b>k h>y k>y", inputs="a b", outputs="y")
    _, _, passes = fitted(dag, NetworkOptions())
    x = cells(2, n_cells=8)
    x[:, 0] = 3.0
    found = by_row(passes, knockout(question(passes, x)).absolute[0])
    assert found["h"] == pytest.approx(0, abs=1e-15)
    assert found["k"] > 1e-3


@pytest.mark.parametrize("of", ["prediction", "logit"])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_conductances_of_a_level_sum_to_the_change_of_the_output(task, of):
    """Every way runs through one vertex of each level: so the flow through a level is all there is."""
    dag = dag_of(
        "a>g a>h b>h b>i g>k h>k h>l i>l k>y l>y k>z l>z", inputs="a b", outputs="y z"
    )  # fmt: skip
    _, _, passes = fitted(dag, NetworkOptions(task=task, units=2, hidden_activation="tanh"), seed=1)
    x = cells(2, n_cells=6, seed=1)
    ask = question(passes, x, of=of, tolerance=1e-8)
    found = conductance(ask)
    ends = [passes.read(passes.forward(base), of) for base in (ask.base, ask.start)]
    change = (ends[0] - ends[1]).mean(axis=1)
    for level in ("ghi", "kl"):
        rows = [passes.circuit.hidden.index(node) for node in level]
        np.testing.assert_allclose(found.signed[:, rows].sum(axis=1), change, rtol=1e-6, atol=1e-10)
    assert (found.gap < 1e-8).all()


def test_conductance_by_the_definition():
    """By its sum over inputs, with derivatives by differences; K. Dhamdhere et al., equation 2."""
    _, _, passes = fitted(everything(), OPTIONS, seed=3)
    x, step = cells(4, n_cells=1, seed=3).astype(np.float64), 1e-6
    found = conductance(question(passes, x, tolerance=1e-10)).signed
    places, weights = np.polynomial.legendre.leggauss(40)
    expected = np.zeros_like(found)
    for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
        run = passes.forward(passes.from_data(place * x))
        slopes = [passes.reverse(run, output=output).by_value for output in range(2)]
        for column in range(4):
            up, down = place * x, place * x
            up[0, column] += step
            down[0, column] -= step
            moved = [passes.forward(passes.from_data(data)).values for data in (up, down)]
            by_input = (moved[0] - moved[1]) / (2 * step)
            for output in range(2):
                flow = passes.circuit.by_vertex(slopes[output] * by_input)[:, 0]
                expected[output] += weight * x[0, column] * flow
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", FUNCTIONS)
def test_many_cells_are_few_cells_after_each_other(method, monkeypatch):
    _, _, passes = fitted(everything(), OPTIONS, seed=5)
    x = cells(4, n_cells=11, seed=5)
    options = {"tolerance": 1e-9} if "integr" in method or method == "conductance" else {}
    whole = FUNCTIONS[method](question(passes, x, **options))
    monkeypatch.setattr("graphnn.explain.methods._CELLS", 4)
    parts = FUNCTIONS[method](question(passes, x, **options))
    np.testing.assert_allclose(parts.absolute, whole.absolute, rtol=1e-7)
    np.testing.assert_allclose(parts.signed, whole.signed, rtol=1e-7, atol=1e-12)


def test_a_saturated_sigmoid_hides_what_the_logit_shows():
    dag = dag_of("a>h h>y", inputs="a", outputs="y")
    _, _, passes = fitted(dag, NetworkOptions())
    bias = passes.weights.bias.copy()
    bias[passes.circuit.output_units] = 40.0
    sure = type(passes)(passes.circuit, passes.weights._replace(bias=bias))
    x = cells(1, n_cells=5)
    assert gradient(question(sure, x)).absolute.max() < 1e-12
    np.testing.assert_allclose(
        gradient(question(sure, x, of="logit")).absolute, gradient(question(passes, x, of="logit")).absolute
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_table_of_each_method(method):
    found = comparison()
    plain = node_importance(found, method=method)
    frame = node_importance(found, method=method, details=True)
    assert frame.columns.tolist() == [*plain.columns, "signed", "gap", "method"]
    keys = ["node", "network", "output", "fold", "seed", "bias"]
    assert frame[keys].equals(found.importance()[keys])
    assert frame["score"].equals(plain["score"])
    assert np.isfinite(frame["score"]).all()
    assert (frame["score"] >= 0).all()
    assert frame["score"].max() > 0
    assert set(frame["method"]) == {method}
    integrated = method in ("conductance", "integrated_gradients")
    assert frame["gap"].notna().all() == integrated
    if integrated:
        assert (frame["gap"] < 0.01).all()
    if method == "squared_bias":
        assert frame["score"].tolist() == pytest.approx((frame["bias"] ** 2).tolist())
        assert frame["signed"].isna().all()
    else:
        assert (frame["signed"].abs() <= frame["score"] * (1 + 1e-12) + 1e-15).all()


def test_what_the_tutorial_measures_is_blind_to_cells_and_weights_of_edges():
    _, _, passes = fitted(everything(), OPTIONS)
    one, other = (FUNCTIONS["squared_bias"](question(passes, cells(4, seed=seed))) for seed in (0, 1))
    np.testing.assert_array_equal(one.absolute, other.absolute)
    np.testing.assert_array_equal(one.absolute[0], one.absolute[1])


def test_networks_are_chosen_by_name_in_the_order_of_the_comparison():
    found = comparison()
    both = node_importance(found, networks=["compressed", "full"])
    assert both.equals(found.importance())
    alone = node_importance(found, networks=["compressed"])
    assert alone.equals(both[both["network"] == "compressed"].reset_index(drop=True))
    assert node_importance(found, networks="full")["network"].unique().tolist() == ["full"]
    assert len(node_importance(found, networks=[])) == 0
    with pytest.raises(OptionError, match="did you mean 'full'"):
        node_importance(found, networks=["ful"])


def test_an_unknown_method_is_told_the_nearest():
    with pytest.raises(OptionError, match="did you mean 'gradient'"):
        node_importance(comparison(), method="gradients")
    with pytest.raises(OptionError, match="one of gradient, numerical"):
        node_importance(comparison(), method="zzz")


def test_the_baseline_is_a_matter_of_choice():
    found = comparison()
    scores = [
        node_importance(found, method="conductance", options=ImportanceOptions(baseline=baseline))["score"].to_numpy()
        for baseline in ("zeros", "mean", "empty", {}, {"a": 1.0, "c": -1.0})
    ]
    np.testing.assert_array_equal(scores[0], scores[3])
    for other in (1, 2, 4):
        assert not np.allclose(scores[0], scores[other], rtol=1e-3)
    with pytest.raises(UnknownNodeError, match="nowhere"):
        node_importance(found, method="conductance", options=ImportanceOptions(baseline={"nowhere": 1.0}))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("of", "odds"), ("over", "mean"), ("epsilon", 0), ("epsilon", float("inf")), ("epsilon", True),
        ("knockout_to", "one"), ("baseline", "ones"), ("baseline", {"a": float("nan")}), ("tolerance", 1),
        ("tolerance", 0.0),
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(OptionError, match=option):
        ImportanceOptions(**{option: value})


def test_one_sentence_for_each_method():
    assert list(METHODS) == list(FUNCTIONS)
    assert all(sentence and not sentence.endswith(".") for sentence in METHODS.values())
