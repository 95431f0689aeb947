"""The engine on numba: against the forward pass by hand, finite differences, the engine on JAX, and law by law."""

from __future__ import annotations

import hashlib
import sys
import types
from functools import cache
from importlib.machinery import ModuleSpec
from itertools import product
from typing import Any

import jax
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

from graphnn.compiler.backend import keras
from graphnn.compiler.model import compile_network, parts_of, plan_of, weights_frame
from graphnn.compiler.options import NetworkOptions
from graphnn.errors import DataError, OptionError
from graphnn.evaluate import engine as package
from graphnn.evaluate.engine import Fit, Place, Table, Trainer, able
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.preprocess import fit_scaler
from graphnn.evaluate.splits import Split
from graphnn.extract.dag import Dag
from tests.compiler.by_hand import ByHand
from tests.compiler.drawn import dag_of, dags, everything, randomize, rich_dag, run_python

pytest.importorskip("numba")

from graphnn.evaluate.engine import kernels, on_numba, wires

ACTIVATIONS = sorted(wires.ACTIVATIONS)
HEADS = [
    ("binary", "auto"), ("binary", "linear"), ("multiclass", "auto"), ("multiclass", "linear"), ("regression", "auto"),
    ("regression", "softsign"),
]  # fmt: skip
HERE = Place((jax.devices()[0],))


# -- networks, cells and what stands between a test and the engine -----------------------------------------------------


def fan() -> Dag:
    """Inputs with 1, 2, 3, 5 and 11 targets, so that chunks of two follow each other; a fed input; y feeds z."""
    targets = {"a": range(10), "b": range(5), "c": range(3), "d": [3], "e": [4, 9]}
    edges = [f"{name}>h{k}" for name, reached in targets.items() for k in reached]
    edges += [f"h{k}>{'yz'[k % 2]}" for k in range(10)]
    return dag_of(" ".join([*edges, "a>y h0>f f>h9 f>y y>z h1>h8"]), inputs="a b c d e f", outputs="y z")


def deep() -> Dag:
    """Inputs of ten targets and more, which the loops follow one by one."""
    edges = [f"{name}>h{k}" for name, count in {"a": 12, "b": 10, "c": 11}.items() for k in range(count)]
    edges += [f"h{k}>{'yz'[k % 2]}" for k in range(12)]
    return dag_of(" ".join([*edges, "h0>k k>m m>z"]), inputs="a b c", outputs="y z")


NETWORKS = {"everything": everything(), "fan": fan(), "deep": deep()} | {
    f"rich {seed}": rich_dag(seed) for seed in (1, 6, 8)
}


def cells_of(dag: Dag, n_cells: int, *, seed: int = 0, zeros: float = 0.5) -> np.ndarray:
    """Measurements, many of them zero; some cells, and the last input but one, hold nothing else."""
    rng, shape = np.random.default_rng(seed), (n_cells, len(dag.inputs))
    x = rng.normal(size=shape) * (rng.random(shape) >= zeros)
    if zeros:
        x[2::50], x[:, -2:-1] = 0, 0
    return x.astype(np.float32)


def labels_of(dag: Dag, n_cells: int, task: str, *, seed: int = 0) -> np.ndarray:
    rng, n_outputs = np.random.default_rng((seed, 1)), len(dag.outputs)
    if task == "regression":
        return rng.normal(size=(n_cells, n_outputs)).astype(np.float32)
    classes = np.eye(n_outputs)[rng.integers(0, n_outputs, n_cells)]
    return (classes if task == "multiclass" else rng.random((n_cells, n_outputs)) < 0.5).astype(np.float32)


def split_of(n_cells: int, n_train: int, *, test: Any = None) -> Split:
    """The first cells train, the others are watched and tested."""
    rest = np.arange(n_train, n_cells)
    return Split(0, 0, np.arange(n_train), rest, rest if test is None else np.asarray(test))


def trainer_of(model: Any, x: Any, y: Any, split: Split, **training: Any) -> Trainer:
    given = {"epochs": 4, "patience": 9, "learning_rate": 0.02, "engine": "numba"} | training
    return Trainer(model, Table(x, y), [split], TrainingOptions(**given))


def run_of(trainer: Trainer, split: Split) -> Any:
    """A replicate before its first step."""
    scaler = trainer._table.scaler(split, trainer._options.scaling)
    return trainer._engine.begin(split, scaler, HERE)


def weights_of(fit: Fit) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in fit.state[0]])


class Step:
    """Slopes of the loss of some cells, as one step of the engine finds them, at weights of our own."""

    def __init__(self, dag: Dag, x: Any, y: np.ndarray, network: NetworkOptions | None = None) -> None:
        self.model = compile_network(dag, network)
        randomize(self.model, 5)
        split = split_of(len(y), len(y), test=range(len(y)))
        split = Split(0, 0, split.train, split.train, split.test)
        trainer = trainer_of(self.model, x, y, split, scaling="none")
        self.run, self.lowered = run_of(trainer, split), trainer._engine._lowered

    def slopes(self, rows: Any) -> np.ndarray:
        """Of all trainable numbers in the model's order."""
        weights = [np.asarray(variable.value) for variable in self.model.trainable_variables]
        self.run._memory.weight[:] = on_numba.packed(self.lowered, weights)
        self.run.train(np.asarray(rows)[None])
        return self.run._memory.slope[self.lowered.place].astype(np.float64)


# -- predictions -------------------------------------------------------------------------------------------------------


def by_hand(dag: Dag, fit: Fit, x: Any, network: NetworkOptions) -> np.ndarray:
    """What a fit should have predicted, from its weights, in double precision."""
    model = compile_network(dag, network)
    for variable, value in zip(model.trainable_variables, fit.state[0], strict=True):
        variable.assign(value)
    dense = np.asarray(x.todense() if sp.issparse(x) else x)
    found = ByHand(model, dag, network).predict(fit.scaler.transform(dense[fit.split.test]))
    if network.output != "linear" or network.task == "regression":
        return found
    return expit(found) if network.task == "binary" else softmax(found, axis=1)


@given(
    dag=dags(), units=st.integers(1, 3), hidden=st.sampled_from(ACTIVATIONS), head=st.sampled_from(HEADS),
    scaling=st.sampled_from(["standard", "max", "none"]), sparse=st.booleans(), batch_size=st.sampled_from([7, 64, 70]),
)  # fmt: skip
def test_a_fit_predicts_what_its_weights_give_node_by_node(dag, units, hidden, head, scaling, sparse, batch_size):
    head = head if len(dag.outputs) > 1 else ("binary", head[1].replace("softsign", "auto"))
    network = NetworkOptions(hidden_activation=hidden, units=units, task=head[0], output_activation=head[1])
    x, split = cells_of(dag, 90), split_of(90, 75)
    x = sp.csr_array(x) if sparse else x
    y = labels_of(dag, 90, network.task)
    run = trainer_of(compile_network(dag, network), x, y, split, epochs=2, scaling=scaling, batch_size=batch_size)
    fit = run.fit(split)
    np.testing.assert_allclose(fit.prediction, by_hand(dag, fit, x, network), rtol=5e-6, atol=5e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_any_number_of_cells_is_predicted_as_each_cell_alone_to_the_bit(name):
    """What fills a block of 64 cells up reaches no result, and no block reaches another."""
    dag = NETWORKS[name]
    model, x = compile_network(dag, NetworkOptions(units=2)), cells_of(dag, 140)
    y, train = labels_of(dag, 140, "binary"), np.arange(20)
    for scaling in ("standard", "none"):

        def predicted(rows, scaling=scaling):
            split = Split(0, 0, train, train, np.asarray(rows))
            run = run_of(trainer_of(model, x, y, split, scaling=scaling), split)
            return run.test(run.keep())

        alone = np.concatenate([predicted([row]) for row in range(140)])
        assert len(np.unique(alone)) > 100
        for size in (2, 63, 64, 65, 128, 129, 140):
            assert np.array_equal(predicted(np.arange(size)), alone[:size])
            assert np.array_equal(predicted(np.arange(140)[::-1][:size]), alone[::-1][:size])


@pytest.mark.parametrize("head", HEADS, ids=" ".join)
@pytest.mark.parametrize("name", ["deep", "rich 8"])
def test_a_forward_pass_is_that_of_keras_with_any_value_for_what_is_absent(name, head):
    dag = NETWORKS[name]
    model = compile_network(dag, NetworkOptions(units=2, task=head[0], output_activation=head[1]))
    randomize(model, 7)
    x, rng = cells_of(dag, 100), np.random.default_rng(3)
    offset, factor, limit, zero = rng.uniform(0.2, 1.5, size=(4, len(dag.inputs))).astype(np.float32)
    limit[0] = np.inf
    scaled = np.where(x != 0, np.clip((x - offset) * factor, -limit, limit), zero)
    found = on_numba.NumbaForward(model)(sp.csr_array(x), offset=offset, factor=factor, limit=limit, zero=zero)
    np.testing.assert_allclose(found, model(scaled, training=False), rtol=5e-6, atol=5e-6)


# -- slopes ------------------------------------------------------------------------------------------------------------


def loss_by_hand(step: Step, hand: ByHand, dag: Dag, x: np.ndarray, y: np.ndarray, **changed: Any) -> float:
    """Task loss and penalties in double precision; `changed`: number of an edge or of a bias, and by how much."""
    options, found = hand.options, {}

    def change(edges, biases):
        kind, number, much = changed["kind"], changed["number"], changed["much"]
        if kind == "edge":
            edges[number] = (*edges[number][:2], edges[number][2] + much)
        else:
            biases[list(biases)[number]] += much
        found.update(kernel=np.array([weight for *_, weight in edges]), bias=np.array(list(biases.values())))

    p = hand.predict(x, change=change)
    if options.task == "regression":
        loss = np.mean((p - y) ** 2)
    elif options.task == "multiclass":
        p = p if options.output == "softmax" else softmax(p, axis=1)
        loss = -np.mean(np.sum(y * np.log(p), axis=1))
    else:
        p = p if options.output == "sigmoid" else expit(p)
        loss = -np.mean(y * np.log(p) + (1 - y) * np.log1p(-p))
    for part in ("kernel", "bias"):
        loss += getattr(options, f"{part}_l1") * np.abs(found[part]).sum()
        loss += getattr(options, f"{part}_l2") * (found[part] ** 2).sum()
    wrong = -weights_frame(step.model)["interaction"].to_numpy() * found["kernel"]
    return loss + (options.sign_policy == "soft") * options.sign_penalty * np.maximum(wrong, 0).sum()


def finite_differences(step: Step, dag: Dag, x: np.ndarray, y: np.ndarray, options: NetworkOptions) -> np.ndarray:
    """Central differences towards all trainable numbers, in the model's order."""
    hand, parts, seen = ByHand(step.model, dag, options), [], {"edge": 0, "bias": 0}
    for variable in step.model.trainable_variables:
        kind = "edge" if variable.path.endswith("kernel") else "bias"
        for number in range(seen[kind], seen[kind] + variable.shape[0]):
            up, down = (
                loss_by_hand(step, hand, dag, x, y, kind=kind, number=number, much=much) for much in (1e-6, -1e-6)
            )
            parts.append((up - down) / 2e-6)
        seen[kind] += variable.shape[0]
    return np.array(parts)


OF_ACTIVATIONS = {
    **{f"{name} in between": {"hidden_activation": name} for name in ACTIVATIONS},
    **{f"{name} at the end": {"task": "regression", "output_activation": name} for name in ACTIVATIONS},
}
GRADIENTS = {
    **{f"{task} {head}": {"task": task, "output_activation": head} for task, head in HEADS},
    "exceptions by level and by name": {"activations": {1: "tanh", 3: "softsign", "k": "sigmoid", "h0": "selu"}},
    **{name: {name: 0.3} for name in ("kernel_l1", "kernel_l2", "bias_l1", "bias_l2")},
    "wrong signs": {"sign_policy": "soft", "sign_penalty": 0.3},
    "all penalties": {"sign_policy": "soft", "kernel_l1": 0.1, "kernel_l2": 0.2, "bias_l1": 0.3, "bias_l2": 0.4},
    "hard": {"sign_policy": "hard"},
    "initialised": {"sign_policy": "initialised"},
    "two units, and exceptions": {"units": 2, "activations": {1: "tanh", "k": "sigmoid", "h0": "softsign"}},
    "three units": {"units": 3, "hidden_activation": "tanh"},
}


def fitting(given: dict[str, Any], dag: Dag) -> NetworkOptions:
    """The options without exceptions for vertices that the network does not have."""
    kept = {of: name for of, name in given.get("activations", {}).items() if isinstance(of, int) or of in dag.hidden}
    return NetworkOptions(**given | {"activations": kept})


@pytest.mark.parametrize(
    ("name", "case"),
    [*product(["everything"], OF_ACTIVATIONS), *product(["everything", "fan", "deep"], GRADIENTS)],
)
def test_slopes_are_finite_differences_of_a_loss_in_double_precision(name, case):
    dag = NETWORKS[name]
    options = fitting((OF_ACTIVATIONS | GRADIENTS)[case], dag)
    x, y = cells_of(dag, 5, zeros=0.3, seed=2), labels_of(dag, 5, options.task)
    step = Step(dag, x, y, options)
    expected, got = finite_differences(step, dag, x, y, options), step.slopes(range(5))
    assert len(got) == len(expected) == plan_of(step.model).count_parameters(options.units)
    largest = np.abs(expected).max()
    assert largest > 0.01  # there is something to find
    assert np.abs(expected).astype(bool).mean() > 0.4
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.parametrize("name", NETWORKS)
def test_slopes_of_a_batch_are_the_means_of_those_of_its_cells(name):
    dag = NETWORKS[name]
    step = Step(dag, sp.csr_array(cells_of(dag, 150)), labels_of(dag, 150, "binary"))
    alone = np.array([step.slopes([row]) for row in range(150)])
    assert np.abs(alone).max() > 0.1
    for rows in (range(7), range(64), range(65), range(80, 150), range(130), range(150)):
        np.testing.assert_allclose(step.slopes(rows), alone[rows].mean(axis=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("head", HEADS[:4], ids=" ".join)
@pytest.mark.parametrize("label", [0, 1])
def test_the_loss_has_the_slope_that_keras_gives_it_where_outputs_are_certain_too(head, label):
    """One edge of weight 1 or -1 to each output, so that its bias has the slope of the loss towards what arrives."""
    z = np.linspace(-100, 100, 201, dtype=np.float32)
    z = z[(np.abs(z) < 15) | (np.abs(z) > 17)]  # between them Keras halves the slope of the probability 1 - 1e-7
    y = np.tile(np.array([label, 1 - label], dtype=np.float32), (len(z), 1))
    network = NetworkOptions(task=head[0], output_activation=head[1])
    step = Step(dag_of("a>y a>z", inputs="a", outputs="y z"), z[:, None], y, network)
    shift = 90.0 if head[0] == "multiclass" else 0.0  # exp(90) is more than float32 holds
    for variable, values in zip(step.model.trainable_variables, ([1.0, -1.0], [shift, shift]), strict=True):
        variable.assign(values)
    called = {"sigmoid": jax.nn.sigmoid, "softmax": jax.nn.softmax, "linear": lambda arrived: arrived}[network.output]
    slope = jax.grad(lambda arrived, labels: step.model.loss(labels[None], called(arrived)[None]))
    expected = jax.vmap(slope)(np.stack([z, -z], axis=1) + np.float32(shift), y)
    assert (np.abs(expected) > 0.4).any()
    found = np.array([step.slopes([row])[2:] for row in range(len(z))])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-7)


# -- the engine on JAX -------------------------------------------------------------------------------------------------

# network, options of the network, options of the training, cells that train
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], int]] = {
    "elu, batches of 7": ("everything", {}, {"batch_size": 7}, 42),
    "logits, relu, exceptions by level and name": (
        "everything",
        {"output_activation": "linear", "hidden_activation": "relu", "activations": {1: "tanh", "k": "softsign"}},
        {"scaling": "max"},
        128,
    ),
    "classes, selu, two units, batches of 65": (
        "fan",
        {"task": "multiclass", "hidden_activation": "selu", "units": 2},
        {"batch_size": 65, "scaling": "none"},
        130,
    ),
    "logits of classes, celu, three units, a batch of 150": (
        "fan",
        {"task": "multiclass", "output_activation": "linear", "hidden_activation": "celu", "units": 3},
        {"batch_size": 150},
        150,
    ),
    "numbers, leaky_relu, kernel_l1": (
        "rich 1",
        {"task": "regression", "hidden_activation": "leaky_relu", "kernel_l1": 0.01},
        {},
        128,
    ),
    "numbers from softsign, sigmoid, soft signs, both l2": (
        "rich 6",
        {"task": "regression", "output_activation": "softsign", "hidden_activation": "sigmoid"}
        | {"sign_policy": "soft", "sign_penalty": 0.05, "kernel_l2": 0.01, "bias_l2": 0.02},
        {"scaling": "none", "batch_size": 33},
        99,
    ),
    "hard signs, relu6, three units": (
        "rich 8",
        {"sign_policy": "hard", "hidden_activation": "relu6", "units": 3},
        {"batch_size": 7, "learning_rate": 0.1},
        42,
    ),
    "initialised signs, hard_tanh, numbers from tanh": (
        "fan",
        {"task": "regression", "output_activation": "tanh", "hidden_activation": "hard_tanh"}
        | {"sign_policy": "initialised"},
        {"scaling": "max"},
        64,
    ),
    "hard_sigmoid, linear": (
        "rich 8",
        {"hidden_activation": "hard_sigmoid", "activations": {2: "linear"}},
        {"batch_size": 70},
        70,
    ),
}
CLASS_LOGITS = "logits of classes, celu, three units, a batch of 150"


def fits_on_both(name: str, given: dict[str, Any], training: dict[str, Any], n_train: int) -> dict[str, Fit]:
    """By the name of the engine."""
    dag, network, n_cells = NETWORKS[name], NetworkOptions(**given), n_train + 70
    x, y = cells_of(dag, n_cells), labels_of(dag, n_cells, network.task)
    split, fits = split_of(n_cells, n_train), {}
    for engine in ("jax", "numba"):
        trainer = trainer_of(compile_network(dag, network), x, y, split, engine=engine, **training)
        assert trainer.engine == engine
        fits[engine] = trainer.fit(split)
    return fits


@cache
def fits_of(case: str) -> dict[str, Fit]:
    return fits_on_both(*CASES[case])


def check_equal(fits: dict[str, Fit], *, predictions: bool = True) -> None:
    """Up to rounding."""
    a, b = fits["numba"], fits["jax"]
    np.testing.assert_allclose(a.losses, b.losses, rtol=1e-5)
    assert len(set(b.losses.tolist())) > 1  # it learns
    assert a.best_epoch == b.best_epoch
    np.testing.assert_allclose(weights_of(a), weights_of(b), rtol=1e-5, atol=2e-5)
    if predictions:
        np.testing.assert_allclose(a.prediction, b.prediction, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_training_equals_that_of_the_engine_on_jax(case):
    check_equal(fits_of(case), predictions=case != CLASS_LOGITS)  # these: the next test


def test_both_engines_make_probabilities_of_the_logits_of_classes():
    fits = fits_of(CLASS_LOGITS)
    np.testing.assert_allclose(fits["numba"].prediction.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(fits["jax"].prediction, fits["numba"].prediction, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("network", [{"bias_l1": 0.02}, {"kernel_l1": 0.05, "sign_policy": "hard"}], ids=str)
def test_l1_moves_numbers_that_are_zero_as_it_does_on_jax(network):
    """Biases start at zero, and hard signs leave weights there: JAX says that the slope of |0| is 1."""
    check_equal(fits_on_both("fan", network, {"learning_rate": 0.2, "epochs": 3}, 64))


@pytest.mark.parametrize("hidden", ["leaky_relu", "relu6"])
def test_slopes_of_cells_that_hold_nothing_are_those_of_jax(hidden):
    """They reach every unit as its bias, and biases start at zero, where these functions have a kink."""
    dag = NETWORKS["everything"]
    network = NetworkOptions(hidden_activation=hidden)
    x, y = np.zeros((4, 4), dtype=np.float32), labels_of(dag, 4, "binary")
    step = Step(dag, x, y, network)
    for variable in step.model.trainable_variables:
        if variable.path.endswith("bias"):
            variable.assign(np.zeros(variable.shape))

    def loss(trainable):
        found = step.model.stateless_call(trainable, step.model.non_trainable_variables, x, training=True)[0]
        return step.model.loss(y, found)

    expected = jax.grad(loss)([variable.value for variable in step.model.trainable_variables])
    expected = np.concatenate([np.ravel(part) for part in expected])
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(step.slopes(range(4)), expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", ["probability", "logit", "class", "class logit", "number"])
def test_the_loss_of_watched_cells_is_that_of_keras(kind):
    """Probabilities of 0 and 1 too, which both losses take for nearly that."""
    p = np.array([[0.0, 1.0], [1.0, 0.0], [0.25, 0.75], [1e-8, 1 - 6e-8], [1e-6, 1 - 1e-6]], dtype=np.float32)
    z = np.array([[-80, 80], [80, -80], [0.5, 0.1], [-3, 3], [-16, 16]], dtype=np.float32)
    number, loss, values = {
        "probability": (kernels.PROBABILITY, keras.losses.BinaryCrossentropy(), p),
        "logit": (kernels.LOGIT, keras.losses.BinaryCrossentropy(from_logits=True), z),
        "class": (kernels.CLASS, keras.losses.CategoricalCrossentropy(), z),
        "class logit": (kernels.CLASS_LOGIT, keras.losses.CategoricalCrossentropy(from_logits=True), z),
        "number": (kernels.SQUARE, keras.losses.MeanSquaredError(), z),
    }[kind]
    for labels in ([1, 0], [0, 1]):
        for row in values:
            y = np.array([labels], dtype=np.float32)
            predicted = softmax(row[None], axis=1) if kind == "class" else row[None]
            assert on_numba.mean_loss(number, y, row[None]) == pytest.approx(
                float(loss(y, predicted)), rel=1e-5, abs=1e-6
            )


# -- forms of cells ----------------------------------------------------------------------------------------------------


def sparse_forms(x: np.ndarray) -> dict[str, sp.csr_array]:
    """The same cells with explicit zeros, unsorted, with entries in two parts, with other integers."""
    plain = sp.csr_array(x)
    backward, doubled = plain.copy(), plain.copy()
    for start, stop in zip(plain.indptr[:-1], plain.indptr[1:], strict=True):
        backward.indices[start:stop], backward.data[start:stop] = (
            plain.indices[start:stop][::-1], plain.data[start:stop][::-1]
        )  # fmt: skip
    backward.has_sorted_indices = backward.has_canonical_format = False
    doubled = sp.csr_array(
        (np.repeat(plain.data / 2, 2), np.repeat(plain.indices, 2), 2 * plain.indptr), shape=plain.shape
    )
    full = np.arange(x.size) % x.shape[1]
    zeros = sp.csr_array((x.reshape(-1), full, np.arange(0, x.size + 1, x.shape[1])), shape=x.shape)
    long = sp.csr_array((plain.data, plain.indices.astype(np.int64), plain.indptr.astype(np.int64)), shape=x.shape)
    read_only = plain.copy()
    for part in (read_only.data, read_only.indices, read_only.indptr):
        part.setflags(write=False)
    forms = {"plain": plain, "unsorted": backward, "in two parts": doubled, "explicit zeros": zeros}
    return forms | {"int64": long, "read-only": read_only}


def test_entries_in_two_parts_are_scaled_as_their_sum():
    x = cells_of(NETWORKS["fan"], 90)
    found, expected = (fit_scaler(form, "standard") for form in (sparse_forms(x)["in two parts"], x))
    np.testing.assert_allclose(found.offset, expected.offset, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.factor, expected.factor, rtol=1e-5)


@pytest.mark.parametrize("scaling", ["standard", "max", "none"])
def test_sparse_cells_train_as_dense_ones_in_whatever_form_they_come(scaling):
    dag, n_cells = NETWORKS["fan"], 90
    x, y, split = cells_of(dag, n_cells), labels_of(dag, n_cells, "binary"), split_of(n_cells, 70)
    dense = trainer_of(compile_network(dag), x, y, split, scaling=scaling).fit(split)
    for name, form in sparse_forms(x).items():
        assert np.array_equal(form.toarray(), x), name
        before = form.data.copy(), form.indices.copy()
        fit = trainer_of(compile_network(dag), form, y, split, scaling=scaling).fit(split)
        assert np.array_equal(form.data, before[0]), name  # nobody sorts what is not his
        assert np.array_equal(form.indices, before[1]), name
        np.testing.assert_allclose(fit.scaler.factor, dense.scaler.factor, rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(weights_of(fit), weights_of(dense), atol=2e-5, err_msg=name)
        np.testing.assert_allclose(fit.prediction, dense.prediction, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_cells_that_hold_nothing_train_biases_only(form):
    dag = NETWORKS["everything"]
    x, y, split = form(np.zeros((60, 4), dtype=np.float32)), labels_of(dag, 60, "binary"), split_of(60, 40)
    start = weights_of(trainer_of(compile_network(dag), x, y, split, learning_rate=1e-30, epochs=1).fit(split))
    fit = trainer_of(compile_network(dag), x, y, split, scaling="none").fit(split)
    model = compile_network(dag)
    of_data = np.concatenate(
        [np.r_[layer.wiring.source_level == 0, np.zeros(layer.wiring.n_biases, bool)] for layer in parts_of(model)[1]]
    )
    assert 0 < of_data.sum() < len(of_data)
    assert np.array_equal(weights_of(fit)[of_data], start[of_data])
    assert (weights_of(fit) != start)[~of_data].any()
    assert len(np.unique(fit.prediction[:, 0])) == 1


def test_no_step_writes_beyond_its_room():
    """Every cell of a block reads as many chunks as a cell can, and a canary sits behind the room."""
    dag = NETWORKS["fan"]
    x, y = cells_of(dag, 150, zeros=0), labels_of(dag, 150, "binary")
    assert (x != 0).all()
    split = split_of(150, 130)
    run = run_of(trainer_of(compile_network(dag), x, y, split), split)
    size, yard = len(run._room.chunk), 64
    fields = {"chunk": np.full(size + yard, -7, np.int32), "value": np.full(size + yard, -7, np.float32)}
    run._room = run._room._replace(**{name: array[:size] for name, array in fields.items()})
    run.train(np.arange(130)[None])
    run.watch()
    assert run._room.until.max() == 64 * 8 == size - 1  # a: 5 chunks more, b: 2, c: 1, e: none
    for array in fields.values():
        assert (array[size:] == -7).all()


# -- functions of one value --------------------------------------------------------------------------------------------

GRID = np.concatenate(
    [np.linspace(-100, 100, 3000), [0.0, -0.0, 5.9, 6.1, -2.9, 2.9], *(s * np.logspace(-30, 1.9, 400) for s in (1, -1))]
).astype(np.float32)


def rowwise(function: Any, *columns: np.ndarray) -> np.ndarray:
    """Give a function that changes its first argument rows of 64 values."""
    length = len(columns[0])
    rows = []
    for start in range(0, length, kernels.WIDTH):
        given = on_numba.rows_of_zeros(len(columns))
        for row, column in zip(given, columns, strict=True):
            row[:] = np.resize(column[start : start + kernels.WIDTH], kernels.WIDTH)
        function(*given)
        rows.append(given[0])
    return np.concatenate(rows)[:length]


def activated(name: str, x: np.ndarray) -> np.ndarray:
    bits, spare = np.zeros(kernels.WIDTH, dtype=np.int32), on_numba.rows_of_zeros(1)[0]
    return rowwise(lambda row: kernels.activate(row, np.int8(wires.ACTIVATIONS[name]), bits, spare), x)


def exponentials(x: np.ndarray, *, less: int = 0) -> np.ndarray:
    bits = np.zeros(kernels.WIDTH, dtype=np.int32)
    return rowwise(lambda row: kernels.exponential(row, bits, np.float32(less)), x.astype(np.float32))


def test_exponential_and_sigmoid_are_those_of_numpy():
    bits = np.zeros(kernels.WIDTH, dtype=np.int32)
    within = GRID[(GRID >= -87) & (GRID <= 88)]
    np.testing.assert_allclose(exponentials(within), np.exp(within.astype(np.float64)), rtol=2.5e-7)
    np.testing.assert_allclose(exponentials(within, less=1), np.expm1(within.astype(np.float64)), rtol=4e-7)
    low, high = exponentials(np.array([-100, 100]))
    assert 0 <= low < 1e-37
    assert 1e38 < high < np.inf
    found = rowwise(lambda row: kernels.sigmoid(row, bits), GRID)
    np.testing.assert_allclose(found, expit(GRID.astype(np.float64)), rtol=4e-7, atol=1e-37)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_exponential_of_what_is_not_finite_is_no_number(value):
    for less in (0, 1):
        found = exponentials(np.array([value, 0.0]), less=less)
        assert np.isnan(found[0])
        assert found[1] == 1 - less


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_and_its_slope_are_those_of_keras(name):
    expected, back = jax.vjp(keras.activations.get(name), GRID)
    found = activated(name, GRID)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=3e-7)
    kind = np.int8(wires.ACTIVATIONS[name])
    slopes = rowwise(lambda slope, value: kernels.steepen(slope, value, kind), np.full_like(GRID, 3), found)
    np.testing.assert_allclose(slopes, back(np.full_like(GRID, 3))[0], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_small_values_keep_their_digits(name):
    """Fractions of a total are a millionth and less: what rounds to zero there, learns nothing."""
    x = np.concatenate([sign * np.logspace(-9, -1, 321) for sign in (1, -1)]).astype(np.float32)
    expected = np.asarray(keras.activations.get(name)(x.astype(np.float32)))
    np.testing.assert_allclose(activated(name, x), expected, rtol=2e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_no_activation_hides_what_is_no_number(name):
    x = np.where(np.arange(128) % 3 == 0, np.nan, np.linspace(-8, 8, 128)).astype(np.float32)
    assert np.array_equal(np.isnan(activated(name, x)), np.isnan(x))


@pytest.mark.parametrize("head", HEADS, ids=" ".join)
def test_a_weight_that_is_no_number_is_an_error_and_no_prediction(head, monkeypatch):
    dag = NETWORKS["everything"]
    network = NetworkOptions(hidden_activation="relu6", task=head[0], output_activation=head[1])
    x, y, split = cells_of(dag, 90), labels_of(dag, 90, head[0]), split_of(90, 64)
    trainer = trainer_of(compile_network(dag, network), x, y, split, scaling="none")
    for place in trainer._engine._lowered.place.tolist():
        run = run_of(trainer, split)
        assert np.isfinite(run.watch())
        run._memory.weight[place] = np.nan
        assert np.isnan(run.watch())
        run.train(np.arange(64)[None])
        assert np.isnan(run._memory.weight[place])
    monkeypatch.setattr(trainer._engine, "begin", lambda *_: run)
    with pytest.raises(DataError, match="finite validation loss, got nan in epoch 1"):
        trainer.fit(split)


# -- determinism -------------------------------------------------------------------------------------------------------

IN_A_PROCESS = """
import hashlib, json, os, sys
import numpy as np
from graphnn.evaluate.engine import Job, fit_all
from tests.evaluate.small import bytes_of, cells, networks, splits_of, trainer
x, y = cells(6000)  # enough of them that replicates run at the same time
splits = splits_of(y.to_numpy(dtype=np.float32), seeds=2)
run = trainer(networks()[0], x, y, splits, epochs=3, engine="numba")
for workers in (1, 3):
    fits = fit_all([Job(run, split) for split in splits], workers=workers)
    print(hashlib.sha256(b"".join(map(bytes_of, fits))).hexdigest())
print(sum(len(files) for *_, files in os.walk(os.environ["NUMBA_CACHE_DIR"])))
"""


def test_the_same_bits_from_any_workers_hash_seed_and_cache(tmp_path):
    found = [
        run_python(IN_A_PROCESS, PYTHONHASHSEED=seed, NUMBA_CACHE_DIR=str(tmp_path / "cache"), KERAS_BACKEND="jax")
        for seed in ("0", "1")
    ]
    fresh, warm = (text.split() for text in found)
    assert fresh[0] == fresh[1] == warm[0] == warm[1]
    assert fresh[2] == warm[2] != "0"  # what was compiled was kept, and was enough


def test_only_networks_of_inputs_with_many_targets_are_deep():
    assert [name for name, dag in NETWORKS.items() if wires.lower(compile_network(dag)).wires.is_deep] == ["deep"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_lowered_the_same_way_every_time(name):
    def digest():
        lowered = wires.lower(compile_network(NETWORKS[name], NetworkOptions(units=2, sign_policy="hard")))
        arrays = [*lowered.wires, *lowered.penalty, lowered.place]
        return hashlib.sha256(b"|".join(np.asarray(array).tobytes() for array in arrays)).hexdigest()

    assert digest() == digest()


# -- who trains --------------------------------------------------------------------------------------------------------

OBSTACLES: dict[str, dict[str, Any]] = {
    "input normalisation": {"input_normalization": True},
    "dropout": {"dropout": 0.1},
    "Dropout": {"input_dropout": 0.1},
    "float32": {"dtype": "mixed_bfloat16"},
    "gelu": {"hidden_activation": "gelu"},
    "softplus": {"task": "regression", "output_activation": "softplus"},
    "mish": {"activations": {"k": "mish"}},
    "silu": {"activations": {1: "silu"}},
}


@cache
def small_case() -> tuple[np.ndarray, np.ndarray, Split]:
    dag = NETWORKS["everything"]
    return cells_of(dag, 60), labels_of(dag, 60, "binary"), split_of(60, 40)


def check_refused(model: Any, *, reason: str, do: str = "use engine='auto' or 'jax'") -> None:
    """Refused where it is asked for, in words; the other engine where nothing is asked for."""
    with pytest.raises(OptionError) as caught:
        trainer_of(model, *small_case())
    assert (caught.value.option, caught.value.value) == ("engine", "numba")
    assert "because " in str(caught.value)
    assert reason.lower() in str(caught.value)
    assert str(caught.value).endswith(do)
    assert trainer_of(model, *small_case(), engine="auto").engine == "jax"


@pytest.mark.parametrize("reason", OBSTACLES)
def test_what_numba_cannot_train_is_refused_in_words_and_trains_on_jax(reason):
    check_refused(compile_network(NETWORKS["everything"], NetworkOptions(**OBSTACLES[reason])), reason=reason)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_too_many_values_are_refused_in_words_and_train_on_jax(form, monkeypatch):
    x, y, split = small_case()
    stored = int((x != 0).sum())
    monkeypatch.setattr(able, "MOST_VALUES", stored)
    model = compile_network(NETWORKS["everything"])
    assert trainer_of(model, form(x), y, split).engine == "numba"
    monkeypatch.setattr(able, "MOST_VALUES", stored - 1)
    check_refused(model, reason=f"more than {stored - 1:,} values")


def test_without_numba_jax_trains_and_who_asks_for_numba_is_told_how_to_install_it(monkeypatch):
    model = compile_network(NETWORKS["everything"])
    assert trainer_of(model, *small_case(), engine="auto").engine == "numba"
    monkeypatch.setitem(sys.modules, "numba", None)
    check_refused(model, reason="numba is not installed", do="pip install 'graphnn[fast]'")


def test_a_numba_that_does_not_load_is_as_none(monkeypatch):
    """As after an upgrade of NumPy beyond what numba knows: "Numba needs NumPy 2.3 or less"."""
    model = compile_network(NETWORKS["everything"])
    for name in ("kernels", "on_numba", "wires"):
        monkeypatch.delitem(sys.modules, f"{package.__name__}.{name}")
        monkeypatch.delattr(package, name)
    empty = types.ModuleType("numba")
    empty.__spec__ = ModuleSpec("numba", None)
    monkeypatch.setitem(sys.modules, "numba", empty)
    assert trainer_of(model, *small_case(), engine="auto").engine == "jax"


@pytest.mark.parametrize("what", ["devices", "accelerator"])
def test_where_jax_sees_more_than_a_cpu_numba_trains_only_who_asks_for_it(what, monkeypatch):
    model = compile_network(NETWORKS["everything"])
    if what == "devices":
        monkeypatch.setattr(jax, "devices", lambda: [HERE.devices[0]] * 2)
    else:
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert trainer_of(model, *small_case(), engine="auto").engine == "jax"
    assert trainer_of(model, *small_case(), engine="numba").engine == "numba"


def test_an_activation_that_no_vertex_uses_is_no_obstacle():
    named = dict.fromkeys(NETWORKS["everything"].hidden, "tanh")
    model = compile_network(NETWORKS["everything"], NetworkOptions(hidden_activation="gelu", activations=named))
    assert trainer_of(model, *small_case()).engine == "numba"


@pytest.mark.parametrize("engine", ["Numba", "cuda", "", None])
def test_an_engine_that_is_none_is_refused(engine):
    with pytest.raises(OptionError, match="one of auto, jax, numba") as caught:
        TrainingOptions(engine=engine)
    assert (caught.value.option, caught.value.value) == ("engine", engine)


def test_a_model_with_levels_that_do_not_train_is_trained_or_refused():
    model = compile_network(NETWORKS["everything"])
    model.get_layer("level_2").trainable = False
    trainer = trainer_of(model, *small_case(), engine="auto")
    frozen = trainer.fit(small_case()[2]).state
    assert len(frozen[0]) == len(model.trainable_variables)


# -- laws of lowering --------------------------------------------------------------------------------------------------


def names_of_units(model: Any) -> list[tuple[str, int]]:
    """(vertex, unit) of each unit, in the order of the loops."""
    found = []
    for layer in parts_of(model)[1]:
        columns = layer.expansion()
        found += [(layer.level.nodes[n], u + 1) for n, u in zip(columns.node.tolist(), columns.node_unit, strict=True)]
    return found


def decoded(model: Any, lowered: wires.Lowered, weight: np.ndarray) -> list[tuple[Any, Any, float]]:
    """(source, target, weight) of all that stands in chunks and in the list of edges; an empty place must weigh 0."""
    wiring, names, inputs = lowered.wires, names_of_units(model), plan_of(model).inputs
    found = []
    for (chunk, side), unit in np.ndenumerate(wiring.chunk_unit):
        value = float(weight[2 * chunk + side])
        if unit < len(names):
            found.append(((inputs[wiring.chunk_input[chunk]], 1), names[unit], value))
        else:
            assert (unit, value) == (len(names), 0.0)
    n_data = wiring.chunk_unit.size
    for target in range(len(names)):
        for edge in range(wiring.first[target], wiring.first[target + 1]):
            found.append((names[wiring.source[edge]], names[target], float(weight[n_data + edge])))
    return found


@settings(max_examples=30)
@given(dag=dags(max_nodes=12), units=st.integers(1, 3))
def test_each_edge_and_each_measurement_stands_once_with_its_own_weight(dag, units):
    model = compile_network(dag, NetworkOptions(units=units))
    lowered, number = wires.lower(model), 1.0
    for variable in model.trainable_variables:  # a number of its own for each
        variable.assign(np.arange(number + 1, number + 1 + variable.shape[0]))
        number += variable.shape[0]
    weight = on_numba.packed(lowered, [np.asarray(variable.value) for variable in model.trainable_variables])
    hand = ByHand(model, dag)
    fed = [((name, 1), (name, 1), 1.0) for name in sorted(dag.inputs) if (name, 1) in names_of_units(model)]
    assert sorted(decoded(model, lowered, weight)) == sorted([*hand.edges, *fed])
    assert len(lowered.wires.fixed) == len(fed)
    first_bias = lowered.wires.chunk_unit.size + len(lowered.wires.source)
    biases = zip(names_of_units(model), lowered.wires.bias.tolist(), strict=True)
    assert {name: weight[first_bias + place] for name, place in biases if place >= 0} == hand.biases
    assert [names_of_units(model)[unit] for unit in lowered.wires.output] == [(name, 1) for name in dag.outputs]


@settings(max_examples=30)
@given(dag=dags(max_nodes=12), units=st.integers(1, 3), seed=st.integers(0, 99))
def test_unpacked_is_the_inverse_of_packed_and_every_trained_number_has_a_place(dag, units, seed):
    model = compile_network(dag, NetworkOptions(units=units))
    randomize(model, seed)
    lowered = wires.lower(model)
    values = [np.asarray(variable.value) for variable in model.trainable_variables]
    back = on_numba.unpacked(lowered, on_numba.packed(lowered, values), [value.shape for value in values])
    assert all(np.array_equal(a, b) for a, b in zip(back, values, strict=True))
    assert len(np.unique(lowered.place)) == len(lowered.place) == plan_of(model).count_parameters(units)
    assert units > 1 or len(lowered.place) == plan_of(model).n_parameters
    assert lowered.place.min() >= 0
    assert not set(lowered.place.tolist()) & set(lowered.wires.fixed.tolist())


@pytest.mark.parametrize("name", NETWORKS)
def test_chunks_of_an_input_follow_each_other_and_end(name):
    lowered = wires.lower(compile_network(NETWORKS[name], NetworkOptions(units=3)))
    wiring, seen = lowered.wires, []
    for column in range(len(NETWORKS[name].inputs)):
        chunk = column
        while chunk >= 0:
            assert wiring.chunk_input[chunk] == column
            seen.append(chunk)
            chunk = int(wiring.chunk_next[chunk])
    assert sorted(seen) == list(range(len(wiring.chunk_next)))


def test_measurements_keep_the_weight_one_and_hard_signs_hold_after_every_step():
    dag = NETWORKS["everything"]
    model = compile_network(dag, NetworkOptions(sign_policy="hard"))
    x, y, split = small_case()
    run = run_of(trainer_of(model, x, y, split, learning_rate=0.5), split)
    lowered, signs = wires.lower(model), weights_frame(model)["interaction"].to_numpy()
    is_edge = np.concatenate([np.full(v.shape[0], v.path.endswith("kernel")) for v in model.trainable_variables])
    zeros = 0
    for _ in range(5):
        run.train(split.train[None])
        weight = run._memory.weight[lowered.place][is_edge]
        assert (run._memory.weight[lowered.wires.fixed] == 1).all()
        assert (weight * signs >= 0).all()
        zeros += int((weight == 0).sum())
    assert len(lowered.wires.fixed) == 1
    assert zeros > 0  # the rule had something to do


def test_all_records_that_loops_read_stand_in_the_file_whose_date_numba_looks_at():
    """Kept code reads fields by position: were they ordered anew in another file, it would go on with the old order."""
    x, y, split = small_case()
    trainer_of(compile_network(NETWORKS["everything"]), x, y, split, epochs=1).fit(split)
    records = [kind for signature in kernels.train.signatures for kind in signature if hasattr(kind, "instance_class")]
    assert records
    assert {kind.instance_class.__module__ for kind in records} == {kernels.__name__}
