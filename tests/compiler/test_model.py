"""The model: parameter count, plan recovery, regularisers, normalisation, replicates, columns by name."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from graphnn.compiler.backend import keras
from graphnn.compiler.layers import EdgeDense, InputNames
from graphnn.compiler.lowering import check_activations, fitting_options
from graphnn.compiler.model import (
    align,
    bias_frame,
    columns_for,
    compile_network,
    initial_state,
    initial_weights,
    plan_of,
    reset,
    weights_frame,
)
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.errors import DataError, MismatchError, OptionError
from tests.compiler.by_hand import ByHand
from tests.compiler.drawn import cells, dag_of, dags, everything, randomize, run_python


def trainable(model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@settings(max_examples=25, deadline=None)
@given(dags())
def test_trainable_numbers_are_edges_and_non_input_vertices_and_the_plan_comes_back(dag):
    model = compile_network(dag, NetworkOptions(input_normalization=True, dropout=0.5))
    expected = dag.graph.n_edges + len(dag.hidden) + len(dag.outputs)
    assert trainable(model) == expected == plan_layers(dag).n_parameters
    assert plan_of(model) == plan_layers(dag)
    assert columns_for(model) == tuple(sorted(dag.inputs))
    assert model.output_shape == (None, len(dag.outputs))


def test_a_plan_compiles_like_its_network():
    dag = everything()
    first, second = compile_network(dag), compile_network(plan_layers(dag))
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def test_a_level_reads_only_the_blocks_it_needs():
    dag = dag_of("a>h h>k k>y b>k", inputs="a b", outputs="y")
    layers = [layer for layer in compile_network(dag).layers if isinstance(layer, EdgeDense)]
    assert [layer.level.blocks for layer in layers] == [(0,), (0, 1), (2,)]


def test_a_foreign_or_changed_model_is_refused():
    foreign = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(MismatchError, match="Dense"):
        plan_of(foreign)
    with pytest.raises(MismatchError):
        initial_weights(foreign, 0)
    model = compile_network(everything())
    longer = keras.Model(model.input, keras.layers.Dense(1)(model.output))
    with pytest.raises(MismatchError):
        plan_of(longer)
    headless = keras.Model(model.input, model.get_layer("level_1").output)
    with pytest.raises(MismatchError):
        plan_of(headless)
    renamed = compile_network(everything())
    next(layer for layer in renamed.layers if isinstance(layer, InputNames)).names = ("a", "b", "c", "g")
    with pytest.raises(MismatchError):
        plan_of(renamed)


@pytest.mark.parametrize("which", ["kernel_l1", "kernel_l2", "bias_l1", "bias_l2"])
def test_each_regulariser_reaches_its_weights_and_no_other(which):
    model = compile_network(everything(), NetworkOptions(**{which: 0.25}))
    randomize(model)
    values = weights_frame(model)["weight"] if which.startswith("kernel") else bias_frame(model)["bias"]
    expected = 0.25 * (values.abs() if which.endswith("l1") else values**2).sum()
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)
    other = [v for v in model.trainable_variables if not v.path.endswith(which.split("_")[0])]
    for variable in other:
        variable.assign(variable * 3 + 1)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("activations", "culprit"),
    [
        ({"H": "tanh"}, r"'H'; did you mean 'h'\?"),
        ({"nonsense": "tanh"}, "'nonsense'; list the hidden"),
        ({"a": "tanh"}, "'a'"),  # an input
        ({"f": "tanh"}, "'f'"),  # a fed input
        ({"y": "tanh"}, "'y'"),  # an output
        ({2: "tanh"}, r"a level with hidden vertices \(1, 3\), got 2"),  # fed inputs only
        ({9: "tanh"}, "got 9"),
    ],
)
def test_activations_of_what_the_network_does_not_have_are_refused(activations, culprit):
    with pytest.raises(OptionError, match=culprit):
        compile_network(everything(), NetworkOptions(activations=activations))


def test_an_exception_must_fit_one_of_several_networks():
    first, second = plan_layers(everything()), plan_layers(dag_of("a>x x>y", inputs="a", outputs="y"))
    options = NetworkOptions(activations={"k": "tanh", "x": "relu", 3: "elu"})
    check_activations(options, first, second)
    for plan, names in ((first, ["k", 3]), (second, ["x"])):
        fitting = fitting_options(options, plan)
        assert sorted(fitting.activations, key=str) == sorted(names, key=str)
        compile_network(plan, fitting)
    with pytest.raises(OptionError, match="'z'"):
        check_activations(NetworkOptions(activations={"z": "tanh"}), first, second)


def test_several_classes_need_several_outputs():
    with pytest.raises(OptionError, match="one output"):
        compile_network(dag_of("a>h h>y", inputs="a", outputs="y"), NetworkOptions(task="multiclass"))


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        (NetworkOptions(), lambda y, p: -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()),
        (NetworkOptions(task="regression"), lambda y, p: ((y - p) ** 2).mean()),
        (NetworkOptions(task="multiclass"), lambda y, p: -(y * np.log(p)).sum(axis=1).mean()),
    ],
    ids=["binary", "regression", "multiclass"],
)
def test_the_loss_is_that_of_the_task_and_logits_change_nothing(options, loss):
    labels = np.eye(2, dtype=np.float32)[[0, 1, 1, 0, 1, 0]]
    dag = dag_of("a>h b>h h>y h>z b>z", inputs="a b", outputs="y z")  # an output with a successor hands on its logits
    heads = ["auto"] if options.task == "regression" else ["auto", "linear"]
    for head in heads:
        model = compile_network(dag, replace(options, output_activation=head))
        randomize(model, 4)
        by_hand = ByHand(model, dag, options).predict(cells(2))
        assert model.evaluate(cells(2), labels, verbose=0) == pytest.approx(loss(labels, by_hand), rel=1e-5)


def test_without_regularisers_there_is_no_penalty():
    assert compile_network(everything()).losses == []


def test_input_normalisation_is_a_part_of_the_model():
    plain = compile_network(everything())
    model = compile_network(everything(), NetworkOptions(input_normalization=True))
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(layers) == 1
    assert trainable(model) == trainable(plain)
    layers[0].moving_variance.assign(np.full(4, 25.0))
    layers[0].moving_mean.assign(np.arange(4.0))
    for variable, source in zip(plain.trainable_variables, model.trainable_variables, strict=True):
        variable.assign(np.asarray(source.value))  # a shared buffer would be donated away
    data = cells(4)
    by_hand = (data - np.arange(4)) / np.sqrt(25 + layers[0].epsilon)
    got = np.asarray(model.predict_on_batch(data))
    np.testing.assert_allclose(got, plain.predict_on_batch(by_hand.astype(np.float32)), atol=1e-6)
    assert np.abs(got - plain.predict_on_batch(data)).max() > 1e-3
    before = np.asarray(layers[0].moving_mean.value)
    model.fit(data + 100, np.zeros((6, 2)), epochs=1, verbose=0)
    assert (np.asarray(layers[0].moving_mean.value) != before).all()


def _task(options: NetworkOptions):
    data = cells(4, n_cells=256, seed=3)
    if options.task == "regression":
        return data, np.stack([data[:, 0] - data[:, 1], data[:, 3]], axis=1)
    if options.task == "multiclass":
        return data, np.eye(2, dtype=np.float32)[(data[:, 0] > data[:, 3]).astype(int)]
    return data, (data[:, [0, 3]] > 0).astype(np.float32)


@pytest.mark.parametrize(
    "options",
    [
        NetworkOptions(),
        NetworkOptions(output_activation="linear"),
        NetworkOptions(task="regression", hidden_activation="relu", input_normalization=True),
        NetworkOptions(dropout=0.1, kernel_l2=1e-4, input_normalization=True),
        NetworkOptions(dropout=0.1, dropout_on="nodes"),
        NetworkOptions(task="multiclass", units=2, adaptive_dropout=True, dropout=0.2, input_dropout=0.05),
        NetworkOptions(sign_policy="soft", dtype="mixed_bfloat16"),
        NetworkOptions(task="multiclass", output_activation="linear", dtype="mixed_float16"),
    ],
    ids=["binary", "logits", "regression", "edge dropout", "node dropout", "classes", "bfloat16", "float16"],
)
def test_fit_lowers_the_loss(options):
    model = compile_network(everything(), options)
    model.optimizer.learning_rate = 0.02
    data, labels = _task(options)
    history = model.fit(data, labels, epochs=12, batch_size=64, verbose=0).history["loss"]
    assert history[-1] < 0.9 * history[0]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_reset_makes_true_replicates():
    options = NetworkOptions(dropout=0.3, input_normalization=True, seed=5)
    model = compile_network(everything(), options)
    data, labels = _task(options)

    def trained(seed: int) -> list[np.ndarray]:
        reset(model, seed)
        model.fit(data, labels, epochs=2, batch_size=64, shuffle=False, verbose=0)
        state = [*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables]
        return [np.asarray(variable.value) for variable in state]

    first, other, again = trained(1), trained(2), trained(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    weights = slice(0, len(model.trainable_variables))
    assert not any(np.array_equal(a, b) for a, b in zip(first[weights], other[weights], strict=True))
    kernels = [np.asarray(v.value) for v in model.trainable_variables if v.path.endswith("kernel")]
    reset(model, 5)
    fresh = compile_network(everything(), options)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), fresh.get_weights(), strict=True))
    for ours, theirs in zip(model.non_trainable_variables, fresh.non_trainable_variables, strict=True):
        assert np.array_equal(ours.value, theirs.value)
    assert int(model.optimizer.iterations) == 0
    renewed = [np.asarray(v.value) for v in model.trainable_variables if v.path.endswith("kernel")]
    assert not any(np.isclose(a, b).any() for a, b in zip(kernels, renewed, strict=True))


def test_initial_weights_fit_the_model_and_change_nothing():
    model = compile_network(everything(), NetworkOptions(dropout=0.3, input_normalization=True))
    before = model.get_weights()
    drawn = initial_weights(model, 9)
    assert [w.shape for w in drawn] == [tuple(w.shape) for w in model.weights]
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    trained, rest = initial_state(model, 9)
    prediction, _ = model.stateless_call(trained, rest, cells(4))
    reset(model, 9)
    np.testing.assert_allclose(np.asarray(prediction), model.predict_on_batch(cells(4)), atol=1e-6)
    assert all(np.array_equal(a, b) for a, b in zip(drawn, model.get_weights(), strict=True))
    for seed in (-1, 1.5, True):
        with pytest.raises(OptionError):
            initial_weights(model, seed)


def test_frames_name_every_weight():
    dag = everything()
    model = compile_network(dag)
    randomize(model)
    frame = weights_frame(model)
    assert list(frame.columns) == ["source", "target", "interaction", "weight"]
    signs = {(source, target): sign for source, sign, target in dag.graph.to_sif_tuples()}
    assert dict(zip(zip(frame["source"], frame["target"], strict=True), frame["interaction"], strict=True)) == signs
    biases = bias_frame(model)
    assert list(biases.columns) == ["node", "bias"]
    assert sorted(biases["node"]) == sorted({*dag.hidden, *dag.outputs})


def test_columns_are_matched_by_name_and_never_by_position():
    plan = plan_layers(everything())
    frame = pd.DataFrame(cells(6, n_cells=3), columns=["f", "noise", "c", "a", "other", "b"])
    matrix = align(frame, plan)
    assert matrix.dtype == np.float32
    assert np.array_equal(matrix, frame[["a", "b", "c", "f"]].to_numpy())
    shuffled = frame[["b", "other", "a", "f", "noise", "c"]]
    assert np.array_equal(align(shuffled, plan), matrix)
    integers = frame.round().astype(int)
    assert np.array_equal(align(integers, plan), integers[["a", "b", "c", "f"]].to_numpy())


def test_columns_that_cannot_be_used_are_named():
    plan = plan_layers(everything())
    frame = pd.DataFrame(cells(4, n_cells=3), columns=["a", "b", "c", "f"])
    with pytest.raises(MismatchError, match="'b', 'f' missing") as caught:
        align(frame.drop(columns=["b", "f"]), plan)
    assert caught.value.expected == ("b", "f")
    with pytest.raises(MismatchError, match="'a' more than once"):
        align(pd.concat([frame, frame[["a"]]], axis=1), plan)
    with pytest.raises(MismatchError):
        align(frame.rename(columns=str.upper), plan)
    with pytest.raises(DataError, match="'c'") as odd:
        align(frame.assign(c=[1.0, np.nan, 2.0]), plan)
    assert odd.value.names == ("c",)
    with pytest.raises(DataError):
        align(frame.assign(c=["x", "y", "z"]), plan)


def test_jax_is_the_default_but_a_choice_that_was_made_is_respected():
    code = (
        "import os\nfrom graphnn.compiler.backend import keras\n"
        "print(os.environ.get('KERAS_BACKEND'), keras.backend.backend())\n"
    )
    forget = "import os; os.environ.pop('KERAS_BACKEND', None)\n"
    assert run_python(forget + code).split() == ["jax", "jax"]
    imported_before = run_python("import keras\n" + forget + code, KERAS_BACKEND="numpy")
    assert imported_before.split() == ["None", "numpy"]


def test_another_backend_computes_the_same():
    """The layers use keras.ops only: NumPy as a backend gives JAX's predictions."""
    code = (
        "from graphnn.compiler.model import compile_network\n"
        "from tests.compiler.drawn import *\n"
        "model = compile_network(everything()); randomize(model)\n"
        "import json, keras; assert keras.backend.backend() == 'numpy'\n"
        "print(json.dumps(np.asarray(model.predict_on_batch(cells(4))).tolist()))\n"
    )
    model = compile_network(everything())
    randomize(model)
    got = np.array(json.loads(run_python(code, KERAS_BACKEND="numpy")))
    np.testing.assert_allclose(got, model.predict_on_batch(cells(4)), atol=1e-6)
