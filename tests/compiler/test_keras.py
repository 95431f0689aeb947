"""An ordinary Keras model: callbacks, summary, saving to a fresh process, half precision, plots, other backends."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest

from graphnn.compiler.backend import keras
from graphnn.compiler.model import compile_network, plan_of, reset
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from tests.compiler.drawn import cells, everything, randomize, run_python
from tests.compiler.test_options import EVERYTHING

FULL = replace(EVERYTHING, activations={"h": "relu", 1: "celu", 3: "selu"}, dtype="auto")
HALVES = ("mixed_float16", "mixed_bfloat16")


def data_of(n_cells: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Cells and one class of two for each."""
    data = cells(4, n_cells=n_cells, seed=3)
    return data, np.eye(2, dtype=np.float32)[(data[:, 0] > data[:, 3]).astype(int)]


def test_callbacks_stop_and_keep_the_best(tmp_path):
    model = compile_network(everything(), NetworkOptions(task="multiclass"))
    data, labels = data_of()
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True, monitor="val_loss")
    keep = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True, monitor="val_loss")
    model.optimizer.learning_rate = 0.5  # too large, so that it gets worse again
    history = model.fit(
        data[:48], labels[:48], validation_data=(data[48:], labels[48:]), epochs=60, callbacks=[stop, keep], verbose=0
    ).history["val_loss"]
    assert len(history) < 60
    assert np.argmin(history) == len(history) - 3
    best = keras.saving.load_model(tmp_path / "best.keras")
    held = (data[48:], labels[48:])
    for one in (model, best):
        assert one.evaluate(*held, verbose=0) == pytest.approx(min(history), rel=1e-5)


def test_the_summary_counts_what_is_trainable():
    model = compile_network(everything(), FULL)
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert f"Trainable params: {plan_layers(everything()).count_parameters(3):,} " in text
    for name in ("data", "input_names", "input_normalization", "input_dropout", "level_1", "outputs"):
        assert name in text


@pytest.mark.parametrize("dtype", ["auto", *HALVES])
def test_every_option_is_saved_to_a_fresh_process(tmp_path, dtype):
    """Predictions are the same to the last bit, and so is what training does next: dropout goes on where it stood."""
    model = compile_network(everything(), replace(FULL, dtype=dtype))
    data, labels = data_of()
    model.fit(data, labels, epochs=2, verbose=0)
    model.save(tmp_path / "m.keras")
    np.savez(tmp_path / "data.npz", data=data, labels=labels)
    code = (
        "import sys, json, numpy as np\n"
        "import graphnn.compiler.model as m\n"
        "from graphnn.compiler.backend import keras\n"
        "model = keras.saving.load_model(sys.argv[1] + '/m.keras')\n"
        "given = np.load(sys.argv[1] + '/data.npz')\n"
        "first = model.predict(given['data'], verbose=0)\n"
        "loss = float(model.train_on_batch(given['data'], given['labels']))\n"
        "configs = [layer.get_config() for layer in model.layers]\n"
        "np.savez(sys.argv[1] + '/got.npz', first=first, loss=loss, second=model.predict(given['data'], verbose=0))\n"
        "print(m.plan_of(model).fingerprint)\nprint(json.dumps(configs, default=str))\n"
    )
    fingerprint, configs = run_python(code, str(tmp_path)).splitlines()[-2:]
    assert fingerprint == plan_of(model).fingerprint
    assert json.loads(configs) == json.loads(json.dumps([layer.get_config() for layer in model.layers], default=str))
    with np.load(tmp_path / "got.npz") as got:
        assert np.array_equal(got["first"], model.predict(data, verbose=0))
        assert float(got["loss"]) == float(model.train_on_batch(data, labels))
        assert np.array_equal(got["second"], model.predict(data, verbose=0))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_computes_trains_and_loads(tmp_path, dtype, task):
    options = NetworkOptions(task=task, units=2, input_normalization=True, kernel_l2=1e-4)
    full, half = (compile_network(everything(), replace(options, dtype=kind)) for kind in ("auto", dtype))
    for model in (full, half):
        randomize(model, 5)
    data, labels = data_of()
    assert {layer.compute_dtype for layer in half.layers if layer.name.startswith("level_")} == {dtype[6:]}
    assert {variable.dtype for variable in half.trainable_variables} == {"float32"}
    got = half.predict(data, verbose=0)
    assert got.dtype == np.float32  # nothing is rounded to 1 that is none
    scale = {"mixed_float16": 1e-2, "mixed_bfloat16": 8e-2}[dtype]
    np.testing.assert_allclose(got, full.predict(data, verbose=0), atol=scale, rtol=scale)
    before = half.get_weights()
    half.optimizer.learning_rate = 0.02
    losses = half.fit(data, labels, epochs=8, batch_size=16, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    moved = [not np.array_equal(a, b) for a, b in zip(before, half.get_weights(), strict=True)]
    assert all(moved), "a weight got no gradient"
    assert isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer) == (dtype == "mixed_float16")
    half.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert np.array_equal(again.predict(data, verbose=0), half.predict(data, verbose=0))
    reset(half, 7)
    fresh = compile_network(everything(), replace(options, dtype=dtype, seed=7))
    assert all(np.array_equal(a, b) for a, b in zip(half.get_weights(), fresh.get_weights(), strict=True))


def test_a_sure_prediction_keeps_its_distance_to_one_in_half_precision():
    """In float16 the sigmoid of 10 is 1, and the gradient of a wrong label there is 0."""
    model = compile_network(everything(), NetworkOptions(dtype="mixed_float16"))
    for variable in model.trainable_variables:
        variable.assign(np.zeros(variable.shape) + (10.0 if variable.path.endswith("bias") else 0.0))
    assert 1 - 1e-4 < float(model.predict(np.zeros((1, 4)), verbose=0)[0, 0]) < 1


def test_large_values_are_normalised_before_they_are_halved():
    options = NetworkOptions(dtype="mixed_float16", input_normalization=True)
    model = compile_network(everything(), options)
    found = model(np.full((2, 4), 1e6, dtype=np.float32), training=True)
    assert np.isfinite(keras.ops.convert_to_numpy(found)).all()


def test_models_are_drawn_as_graphs(tmp_path):
    pytest.importorskip("pydot")
    model = compile_network(everything(), FULL)
    dot = keras.utils.model_to_dot(model, show_shapes=True).to_string()
    assert "level_1" in dot
    try:
        keras.utils.plot_model(model, tmp_path / "model.png")
    except (ImportError, OSError) as error:
        pytest.skip(f"graphviz is not installed ({error})")
    assert (tmp_path / "model.png").stat().st_size > 0


# -- other backends ------------------------------------------------------------------------------------------------

PORTABLE = [
    NetworkOptions(),
    replace(FULL, dropout_on="nodes"),
    replace(FULL, dropout_on="edges", sign_policy="hard"),
    NetworkOptions(task="regression", units=2, dropout=0.3, dropout_on="nodes"),
    NetworkOptions(output_activation="linear", kernel="dense"),
]
AGREEMENT = """
import json, sys
import numpy as np
import graphnn.compiler.model as m
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import LayerPlan
import keras
given = json.load(open(sys.argv[1]))
plan = LayerPlan.from_dict(given["plan"])
data, labels = (np.array(given[key], dtype="float32") for key in ("data", "labels"))
found = []
for options, weights in zip(given["options"], given["weights"]):
    model = m.compile_network(plan, NetworkOptions.from_dict(options))
    names = m.weights_frame(model)[["source", "target"]].to_numpy().tolist()
    for variable, value in zip(model.trainable_variables, weights):
        variable.assign(np.array(value, dtype="float32"))
    first = model.predict(data, verbose=0).tolist()
    loss = model.train_on_batch(data, labels)
    moved = any(
        not np.allclose(keras.ops.convert_to_numpy(v), w) for v, w in zip(model.trainable_variables, weights)
    )
    found.append({"first": first, "loss": float(loss), "moved": moved, "names": names})
print(json.dumps({"backend": keras.backend.backend(), "found": found}))
"""


@cache
def task() -> str:
    """Plan, options, weights, cells and labels as JSON; the weights are the same for all backends."""
    data, labels = data_of(8)
    weights = []
    for options in PORTABLE:
        model = compile_network(everything(), options)
        randomize(model, 11)
        weights.append([keras.ops.convert_to_numpy(v).tolist() for v in model.trainable_variables])
    return json.dumps(
        {
            "plan": plan_layers(everything()).to_dict(),
            "options": [options.to_dict() for options in PORTABLE],
            "weights": weights,
            "data": data.tolist(),
            "labels": labels.tolist(),
        }
    )


def answer_of(backend: str, file) -> dict:
    """What a backend computes in a process of its own."""
    return json.loads(run_python(AGREEMENT, str(file), KERAS_BACKEND=backend).splitlines()[-1])


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_other_backends_predict_the_same_and_train(tmp_path, backend):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    file = tmp_path / "task.json"
    file.write_text(task())
    ours, theirs = (answer_of(name, file) for name in ("jax", backend))
    assert (ours["backend"], theirs["backend"]) == ("jax", backend)
    for options, first, second in zip(PORTABLE, ours["found"], theirs["found"], strict=True):
        np.testing.assert_allclose(second["first"], first["first"], atol=1e-5, err_msg=str(options))
        assert second["names"] == first["names"]
        assert np.isfinite(second["loss"])
        assert second["moved"]
        if not options.dropout or options.dropout_on == "edges":  # drawn by our own hash: the same mask everywhere
            assert second["loss"] == pytest.approx(first["loss"], rel=1e-4)
