"""Training: against an Adam of our own on gradients by finite differences, and law by law."""

from __future__ import annotations

import json
import math
from functools import cache

import jax
import numpy as np
import pytest

from graphnn.compiler.options import NetworkOptions
from graphnn.errors import BatchMemoryError, DataError, OptionError
from graphnn.evaluate.compare import compare
from graphnn.evaluate.engine import Job, Stopped, fit_all
from graphnn.evaluate.engine.feed import Feed
from tests.compiler.drawn import dag_of, everything, run_python
from tests.evaluate import small
from tests.evaluate.small import TRAINING, bytes_of, cells, comparison, named_weights, networks, splits_of, trainer
from tests.oracles.forward import forward

FULL, COMPRESSED = networks()
X, Y = cells(48, seed=1)
X, Y = X.to_numpy(dtype=np.float32), Y.to_numpy(dtype=np.float32)
FROZEN = {"epochs": 1, "learning_rate": 1e-30}  # weights stay where they start


@pytest.fixture(params=["jax", "numba"])
def engine(request, monkeypatch):
    """Each engine in turn, for what must hold on every one."""
    if request.param == "numba":
        pytest.importorskip("numba")
    monkeypatch.setattr(small, "ENGINE", request.param)
    return request.param


def weights_of(fit) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in fit.state[0]])


# -- the reference: nothing of it is shared with the engine ---------------------------------------------------------


def task_loss(dag, named, x, y, *, task: str) -> float:
    edges = [(*key, value) for key, value in named.items() if isinstance(key, tuple)]
    biases = {key: value for key, value in named.items() if isinstance(key, str)}
    total = 0.0
    for row, labels in zip(x, y, strict=True):
        measured = dict(zip(sorted(dag.inputs), row.tolist(), strict=True))
        kind = "sigmoid" if task == "binary" else "linear"
        values = forward(edges, biases, measured, dag.outputs, output_activation=kind)
        for output, label in zip(sorted(dag.outputs), labels, strict=True):
            p = values[output]
            total += (p - label) ** 2 if task == "regression" else -math.log(p if label else 1 - p)
    return total / y.size


def reference(dag, start, x, y, split, *, epochs, rate, kernel_l2=0.0, bias_l2=0.0, task="binary"):
    """Full-batch Adam in float64: the weights and the validation loss after each epoch.

    In the form before section 2.1 of Kingma and Ba (2015), "epsilon hat", which is Keras's.
    """
    offset, spread = x[split.train].mean(axis=0), x[split.train].std(axis=0)
    x = np.clip((x - offset) / spread, -10, 10)
    keys, theta = list(start), np.array([start[key] for key in start])
    is_edge = np.array([isinstance(key, tuple) for key in keys])

    def loss(values):
        penalty = kernel_l2 * (values[is_edge] ** 2).sum() + bias_l2 * (values[~is_edge] ** 2).sum()
        named = dict(zip(keys, values.tolist(), strict=True))
        return task_loss(dag, named, x[split.train], y[split.train], task=task) + penalty

    m, v, trail = np.zeros_like(theta), np.zeros_like(theta), []
    for step in range(1, epochs + 1):
        unit = 1e-5 * np.eye(len(theta))
        slope = np.array([(loss(theta + one) - loss(theta - one)) / 2e-5 for one in unit])
        m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
        size = rate * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        theta = theta - size * m / (np.sqrt(v) + 1e-7)
        named = dict(zip(keys, theta.tolist(), strict=True))
        trail.append((named, task_loss(dag, named, x[split.validation], y[split.validation], task=task)))
    return trail


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_trained_weights_are_those_of_an_adam_of_our_own(task, engine):
    """Skip edges, a fed input, an output with a successor, two outputs; penalties on kernels and on biases."""
    dag = everything()
    rng = np.random.default_rng(3)
    x = rng.normal(1, 2, size=(15, 4))
    y = (rng.random((15, 2)) < 0.5).astype(float) if task == "binary" else rng.normal(size=(15, 2))
    network = NetworkOptions(task=task, kernel_l2=0.01, bias_l2=0.02)
    split = splits_of(y, stratify=False)[0]
    start = named_weights(dag, trainer(dag, x, y, [split], network, **FROZEN).fit(split), network)
    epochs, rate = 4, 0.02
    fit = trainer(dag, x, y, [split], network, epochs=epochs, learning_rate=rate, batch_size=99).fit(split)
    penalties = {"kernel_l2": network.kernel_l2, "bias_l2": network.bias_l2}
    trail = reference(dag, start, x, y, split, epochs=epochs, rate=rate, task=task, **penalties)
    np.testing.assert_allclose(fit.losses, [loss for _, loss in trail], rtol=1e-5)
    best = int(np.argmin([loss for _, loss in trail]))
    assert fit.best_epoch == best + 1
    got, expected = named_weights(dag, fit, network), trail[best][0]
    assert got.keys() == expected.keys() == start.keys()
    moved = max(abs(expected[key] - start[key]) for key in start)
    assert moved > 0.5 * rate * fit.best_epoch
    assert [got[key] for key in start] == pytest.approx([expected[key] for key in start], abs=1e-4 * moved)


def test_an_epoch_takes_as_many_steps_as_there_are_batches(engine):
    """Labels far away make every gradient of the output's bias alike, and Adam then moves it by the rate each step."""
    dag, rate = dag_of("a>y b>y", inputs="a b", outputs="y"), 1e-4
    x, y = np.random.default_rng(0).normal(size=(60, 2)), np.full(60, 1e3)
    split = splits_of(y, stratify=False)[0]
    assert len(split.train) == 30
    for batch_size, n_batches in ((30, 1), (29, 2), (8, 4), (1, 30)):
        network = NetworkOptions(task="regression")
        run = trainer(dag, x, y, [split], network, epochs=1, learning_rate=rate, batch_size=batch_size)
        assert named_weights(dag, run.fit(split))["y"] == pytest.approx(n_batches * rate, rel=1e-2), batch_size


# -- laws ------------------------------------------------------------------------------------------------------------


def test_best_weights_are_restored_and_predict_what_is_reported():
    found = comparison()
    for name in ("full", "compressed"):
        run = trainer(found.networks[name], cells()[0], cells()[1], [fit.split for fit in found.fits[name]])
        for fit in found.fits[name]:
            prediction = run.model.stateless_call(*fit.state, found.inputs_of(fit), training=False)[0]
            np.testing.assert_allclose(fit.prediction, prediction, atol=1e-6)
            assert np.isfinite(fit.losses).all()
            assert fit.best_epoch == 1 + int(np.argmin(fit.losses))
            patience, epochs = found.training.patience, found.training.epochs
            assert len(fit.losses) == min(epochs, fit.best_epoch + patience)


def test_the_validation_loss_at_the_best_epoch_is_that_of_the_kept_weights():
    found = comparison()
    x = cells()[0].to_numpy(dtype=np.float64)
    for fit in found.fits["compressed"]:
        train = x[fit.split.train]
        scaled = (x - train.mean(axis=0)) / train.std(axis=0)
        y = cells()[1].to_numpy()[:, None]
        named = named_weights(found.networks["compressed"], fit)
        rows = fit.split.validation
        loss = task_loss(found.networks["compressed"], named, scaled[rows], y[rows], task="binary")
        assert fit.losses[fit.best_epoch - 1] == pytest.approx(loss, rel=1e-4)


def test_training_stops_after_the_patience_and_goes_back_to_the_best_epoch(engine):
    """Validation labels are the reverse of what the training cells teach, so learning must worsen sooner or later."""
    split = splits_of(Y)[0]
    y = (X[:, 0] > 1).astype(np.float32)
    y[split.validation] = 1 - y[split.validation]
    fit = trainer(COMPRESSED, X, y, [split], epochs=60, patience=4).fit(split)
    assert fit.best_epoch == 1 + int(np.argmin(fit.losses))
    assert len(fit.losses) == fit.best_epoch + 4 < 60
    until = trainer(COMPRESSED, X, y, [split], epochs=fit.best_epoch).fit(split)
    assert np.array_equal(weights_of(until), weights_of(fit))


NETWORKS = {"jax": NetworkOptions(dropout=0.3, input_normalization=True), "numba": NetworkOptions(kernel_l1=1e-3)}


def test_fits_repeat_to_the_bit_alone_among_others_and_in_any_order(engine):
    network = NETWORKS[engine]
    splits = splits_of(Y, seeds=2)
    run = trainer(FULL, X, Y, splits, network, epochs=3)
    variables = [np.array(variable.value) for variable in run.model.variables]
    forth = [bytes_of(run.fit(split)) for split in splits]
    back = [bytes_of(run.fit(split)) for split in reversed(splits)][::-1]
    assert forth == back
    assert len(set(forth)) == len(splits)
    alone = trainer(FULL, X, Y, splits[1:2], network, epochs=3)
    assert bytes_of(alone.fit(splits[1])) == forth[1]
    for variable, before in zip(run.model.variables, variables, strict=True):
        assert np.array_equal(np.array(variable.value), before), variable.path  # the model itself never changes


def test_replicates_start_from_weights_of_their_own(engine):
    splits = splits_of(Y, seeds=3)
    run = trainer(FULL, X, Y, splits, **FROZEN)
    starts = [weights_of(run.fit(split)) for split in splits]
    assert len({start.tobytes() for start in starts}) == len(splits)
    together = np.stack(starts)
    varied = together.std(axis=0) > 1e-20
    n_biases = len(FULL.hidden) + len(FULL.outputs)
    assert varied.sum() == FULL.graph.n_edges  # every edge anew
    assert (~varied).sum() == n_biases
    assert np.abs(together[:, ~varied]).max() < 1e-29  # biases start at zero (and the frozen rate is not quite)


def test_the_seed_of_the_network_options_is_not_used():
    split = splits_of(Y)[0]
    found = [
        bytes_of(trainer(FULL, X, Y, [split], NetworkOptions(seed=seed, dropout=0.4), epochs=2).fit(split))
        for seed in (0, 9)
    ]
    assert found[0] == found[1]


def test_penalties_shrink_what_they_name(engine):
    split = splits_of(Y)[0]
    size = {}
    for name, options in {"none": {}, "kernel": {"kernel_l2": 1.0}, "bias": {"bias_l2": 5.0}}.items():
        network = NetworkOptions(**options)
        named = named_weights(FULL, trainer(FULL, X, Y, [split], network, epochs=25, patience=25).fit(split), network)
        edges = [value for key, value in named.items() if isinstance(key, tuple)]
        biases = [value for key, value in named.items() if isinstance(key, str)]
        size[name] = (np.linalg.norm(edges), np.linalg.norm(biases))
    assert size["kernel"][0] < 0.5 * size["none"][0]
    assert size["bias"][1] < 0.5 * size["none"][1]
    assert size["bias"][0] > 0.7 * size["none"][0]  # and not the other


@cache
def without_dropout():
    split = splits_of(Y)[0]
    return trainer(FULL, X, Y, [split], epochs=3, engine="jax").fit(split)


@pytest.mark.parametrize("dropout_on", ["edges", "nodes"])
def test_dropout_enters_training_and_no_prediction(dropout_on):
    split = splits_of(Y)[0]
    run = trainer(FULL, X, Y, [split], NetworkOptions(dropout=0.5, dropout_on=dropout_on), epochs=3)
    dropped = run.fit(split)
    assert bytes_of(dropped) == bytes_of(run.fit(split))
    assert not np.allclose(weights_of(dropped), weights_of(without_dropout()), atol=1e-4)
    x = dropped.scaler.transform(X[split.test])
    with_masks = [run.model.stateless_call(*dropped.state, x, training=flag)[0] for flag in (False, False, True)]
    assert np.array_equal(with_masks[0], with_masks[1])
    assert not np.allclose(with_masks[0], with_masks[2], atol=1e-3)  # there is something to drop
    np.testing.assert_allclose(with_masks[0], dropped.prediction, atol=1e-6)


def test_the_state_of_normalisation_and_dropout_is_carried_through_the_batches():
    """Full batches: after n of them the moving mean is (1 - 0.9^n) of the training mean; the masks have moved on."""
    split = splits_of(Y)[0]
    network = NetworkOptions(input_normalization=True, dropout=0.2)
    run = trainer(FULL, X, Y, [split], network, epochs=3, scaling="none", batch_size=99)
    fit = run.fit(split)
    state = dict(zip([v.path for v in run.model.non_trainable_variables], fit.state[1], strict=True))
    mean = next(value for path, value in state.items() if path.endswith("moving_mean"))
    kept = 0.9**fit.best_epoch
    np.testing.assert_allclose(mean, (1 - kept) * X[split.train].mean(axis=0), rtol=1e-4)
    variance = next(value for path, value in state.items() if path.endswith("moving_variance"))
    np.testing.assert_allclose(variance, kept + (1 - kept) * X[split.train].var(axis=0), rtol=1e-4)
    counters = [int(value[1]) for value in state.values() if value.dtype == np.uint32]
    assert counters
    assert set(counters) <= {0, fit.best_epoch}  # 0: a level where nothing can be dropped
    assert fit.best_epoch in counters


def test_a_loss_that_is_no_number_any_more_is_an_error_in_words(engine):
    split = splits_of(Y)[0]
    run = trainer(FULL, X, Y * 1e30, [split], NetworkOptions(task="regression"), epochs=3)
    with pytest.raises(DataError, match="finite validation loss"):
        run.fit(split)


def test_another_backend_of_keras_is_refused(monkeypatch):
    from graphnn.compiler.backend import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    x, y = cells()
    with pytest.raises(OptionError) as caught:
        compare(FULL, COMPRESSED, x, y, folds=3)
    assert (caught.value.option, caught.value.value) == ("KERAS_BACKEND", "torch")


# -- many replicates -------------------------------------------------------------------------------------------------


def sparse_cells():
    """Mostly zeros, so that batches are scattered."""
    rng = np.random.default_rng(5)
    x = (rng.random(X.shape) * (rng.random(X.shape) < 0.3)).astype(np.float32)
    assert Feed(x).is_sparse
    return x


def test_any_number_of_workers_gives_the_same_bits(engine):
    splits = splits_of(Y, seeds=2)
    for x in (X, sparse_cells()):
        run = trainer(FULL, x, Y, splits, NETWORKS[engine], epochs=3)
        alone = [bytes_of(run.fit(split)) for split in splits]
        for workers in (1, 3):
            fits = fit_all([Job(run, split) for split in splits], workers=workers)
            assert [bytes_of(fit) for fit in fits] == alone


def test_sparse_and_dense_batches_train_alike(monkeypatch):
    x = sparse_cells()
    split = splits_of(Y)[0]
    sparse = trainer(FULL, x, Y, [split], epochs=4, engine="jax").fit(split)
    monkeypatch.setattr("graphnn.evaluate.engine.feed.DENSE_FROM", 0.0)
    dense = trainer(FULL, x, Y, [split], epochs=4, engine="jax").fit(split)
    np.testing.assert_allclose(sparse.losses, dense.losses, rtol=1e-5)
    np.testing.assert_allclose(weights_of(sparse), weights_of(dense), atol=1e-4)
    np.testing.assert_allclose(sparse.prediction, dense.prediction, atol=1e-5)


def test_both_networks_of_a_comparison_are_trained_by_one_engine():
    """`g` stands in the full network only, and its activation is one that the loops do not know."""
    pytest.importorskip("numba")
    (only,) = set(FULL.hidden) - set(COMPRESSED.hidden)
    x, y = cells()
    plain, other = (
        compare(FULL, COMPRESSED, x, y, folds=3, training=TRAINING, network=NetworkOptions(activations=activations))
        for activations in ({}, {only: "gelu"})
    )
    assert plain.engines == {"full": "numba", "compressed": "numba"}
    assert other.engines == {"full": "jax", "compressed": "jax"}


class Interrupted:
    """A trainer that is stopped by Ctrl-C in one of its runs; the runs after that wait until they are told to stop."""

    engine = "jax"

    def __init__(self, at: int) -> None:
        self.at = at

    def fit(self, split, on_epoch=None, *, place, stop):
        if split < self.at:
            return f"fit {split}"
        if split > self.at:
            assert stop.wait(60)
            raise Stopped
        raise KeyboardInterrupt


def test_ctrl_c_keeps_what_is_done():
    jobs = [Job(Interrupted(2), number) for number in range(6)]
    assert fit_all(jobs, workers=1) == ["fit 0", "fit 1", None, None, None, None]
    with pytest.raises(KeyboardInterrupt):
        fit_all([Job(Interrupted(0), number) for number in range(4)], workers=2)


def test_ctrl_c_compares_the_splits_that_both_networks_have(monkeypatch, tmp_path):
    x, y = cells()
    whole = compare(FULL, COMPRESSED, x, y, folds=3)
    done = []

    def interrupted(jobs, *, workers=None, on_done=None):
        fits = [job.trainer.fit(job.split) if at < 5 else None for at, job in enumerate(jobs)]
        done.append(len(fits))
        return fits

    monkeypatch.setattr("graphnn.evaluate.runs.fit_all", interrupted)
    part = compare(FULL, COMPRESSED, x, y, folds=3)
    assert done == [6]
    assert part.is_partial
    assert not whole.is_partial
    assert any("after 2 of 3 splits" in note for note in part.notes)
    assert list(map(bytes_of, part.fits["full"])) == list(map(bytes_of, whole.fits["full"][:2]))
    assert len(part.scores) == 4
    assert part.summary()["full"].notna().all()
    part.to_json(tmp_path / "report.json")
    part.to_html(tmp_path / "report.html")
    assert "after 2 of 3 splits" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_error_in_one_run_ends_the_others():
    class Failing(Interrupted):
        def fit(self, split, on_epoch=None, *, place, stop):
            if split == 1:
                raise DataError("expected better data")
            assert stop.wait(60)
            raise Stopped

    with pytest.raises(DataError, match="better data"):
        fit_all([Job(Failing(0), number) for number in range(5)], workers=3)


@pytest.mark.parametrize("error", [MemoryError(), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")])
def test_a_batch_that_does_not_fit_in_memory_is_an_error_in_words(monkeypatch, error):
    split = splits_of(Y)[0]
    run = trainer(FULL, X, Y, [split], engine="jax")

    def full(*_):
        raise error

    monkeypatch.setattr(run._engine, "_run", full)
    with pytest.raises(BatchMemoryError, match="smaller batch_size") as caught:
        run.fit(split)
    assert caught.value.batch_size == run._batches.size


ON_DEVICES = """
import sys, hashlib, json
import jax, numpy as np
from graphnn.evaluate.engine import Job, fit_all, places
from tests.evaluate.small import bytes_of, cells, networks, splits_of, trainer
x, y = cells(80)
x, y, full = x.to_numpy(dtype=np.float32), y.to_numpy(dtype=np.float32), networks()[0]
splits = splits_of(y, seeds=2)
run = trainer(full, x, y, splits, batch_size=32, engine='jax')
many, one = fit_all([Job(run, s) for s in splits]), fit_all([Job(run, splits[0])])
print(json.dumps([len(jax.devices()), [len(place.devices) for place in places(1)],
      [hashlib.sha256(bytes_of(fit)).hexdigest() for fit in many], one[0].losses.tolist(),
      one[0].prediction.ravel().tolist()]))
"""


def test_several_devices_are_used_and_change_nothing_but_rounding():
    found = {
        count: json.loads(run_python(ON_DEVICES, XLA_FLAGS=f"--xla_force_host_platform_device_count={count}"))
        for count in (1, 4)
    }
    assert [found[count][:2] for count in (1, 4)] == [[1, [1]], [4, [4]]]
    assert found[4][2] == found[1][2]  # a device for each replicate: the same bits
    np.testing.assert_allclose(found[4][3], found[1][3], rtol=1e-5)  # one replicate on four: batches are shared
    np.testing.assert_allclose(found[4][4], found[1][4], atol=1e-5)
