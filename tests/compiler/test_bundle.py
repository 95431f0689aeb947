"""Bundles: another process predicts the same to the bit; damage, strangers and other wiring are refused."""

from __future__ import annotations

import io
import json
import os
import zipfile

import numpy as np
import pytest

from graphnn.compiler.backend import keras
from graphnn.compiler.bundle import load_bundle, read_manifest, save_bundle
from graphnn.compiler.model import bias_frame, compile_network, plan_of, weights_frame
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.errors import FormatError, MismatchError, MissingFileError, OptionError, OutputExistsError
from tests.compiler.drawn import awkward, cells, dag_of, everything, run_python

OPTIONS = NetworkOptions(dropout=0.2, input_normalization=True, kernel_l1=0.01, bias_l2=0.02)


def trained(dag):
    model = compile_network(dag, OPTIONS)
    data = cells(len(dag.inputs), n_cells=64, seed=8)
    labels = np.repeat((data[:, :1] > 0).astype(np.float32), len(dag.outputs), axis=1)
    model.fit(data, labels, epochs=2, verbose=0)
    return model


@pytest.fixture(scope="module")
def model():
    return trained(awkward())


@pytest.fixture
def bundle(model, tmp_path):
    return save_bundle(model, tmp_path / "net.gnn")


def test_another_process_predicts_the_same_to_the_bit(model, bundle, tmp_path):
    data = cells(5, n_cells=40)
    np.save(tmp_path / "data.npy", data)
    plain = tmp_path / "plain.keras"
    model.save(plain)
    code = (
        "import sys, numpy as np\n"
        "from graphnn import load_bundle, plan_of\n"
        "import keras\n"
        "folder = sys.argv[1]\n"
        "model = load_bundle(folder + '/net.gnn')\n"
        "other = keras.saving.load_model(folder + '/plain.keras')\n"
        "assert plan_of(other) == plan_of(model)\n"
        "data = np.load(folder + '/data.npy')\n"
        "np.savez(folder + '/got.npz', a=model.predict(data, verbose=0), b=other.predict(data, verbose=0))\n"
        "print(plan_of(model).fingerprint)\n"
    )
    fingerprint = run_python(code, str(tmp_path)).split()[-1]
    assert fingerprint == plan_layers(awkward()).fingerprint
    expected = model.predict(data, verbose=0)
    with np.load(tmp_path / "got.npz") as got:
        assert np.array_equal(got["a"], expected)
        assert np.array_equal(got["b"], expected)


def test_everything_comes_back(model, bundle):
    again = load_bundle(bundle, expect=awkward())
    assert weights_frame(again).equals(weights_frame(model))
    assert bias_frame(again).equals(bias_frame(model))
    for ours, theirs in zip(again.non_trainable_variables, model.non_trainable_variables, strict=True):
        assert np.array_equal(ours.value, theirs.value)
    assert float(sum(again.losses)) == float(sum(model.losses)) > 0
    assert int(again.optimizer.iterations) == int(model.optimizer.iterations) == 4
    labels = np.zeros((5, 2), dtype=np.float32)
    assert np.isfinite(again.train_on_batch(cells(5, n_cells=5), labels))
    assert load_bundle(bundle, expect=plan_layers(awkward())) is not None


def test_manifest_says_what_it_is(bundle):
    manifest = read_manifest(bundle)
    assert manifest["format"] == "graphnn-bundle/1"
    assert manifest["fingerprint"] == plan_layers(awkward()).fingerprint
    assert set(manifest["versions"]) == {"graphnn", "keras", "jax", "numpy", "backend"}
    assert manifest["versions"]["keras"] == keras.__version__
    with zipfile.ZipFile(bundle) as archive:
        assert archive.namelist() == ["manifest.json", "plan.json", "model.keras"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_same_model_gives_the_same_bytes_in_every_process(tmp_path):
    code = (
        "import sys\n"
        "from tests.compiler.test_bundle import *\n"
        "save_bundle(compile_network(everything(), OPTIONS), sys.argv[1])\n"
    )
    run_python(code, str(tmp_path / "one"), PYTHONHASHSEED="1")
    save_bundle(compile_network(everything(), OPTIONS), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_loading_and_saving_again_gives_the_same_bytes(bundle, tmp_path):
    second = save_bundle(load_bundle(bundle), tmp_path / "again.gnn")
    assert second.read_bytes() == bundle.read_bytes()


def test_other_names_or_wiring_are_refused(tmp_path):
    dag = dag_of("a>h b>h h>y", inputs="a b", outputs="y")
    path = save_bundle(compile_network(dag), tmp_path / "net.gnn")
    others = {
        "'c'": dag_of("a>h c>h h>y", inputs="a c", outputs="y"),
        "'k'": dag_of("a>k b>k k>y", inputs="a b", outputs="y"),
        "'z'": dag_of("a>h b>h h>z", inputs="a b", outputs="z"),
        "'a -> y'": dag_of("a>h b>h h>y a>y", inputs="a b", outputs="y"),
        "interactions": dag_of("h>y a>h b>h", inputs="a b", outputs="y"),
    }
    for culprit, other in others.items():
        with pytest.raises(MismatchError, match=culprit) as caught:
            load_bundle(path, expect=other)
        assert caught.value.got == plan_layers(dag).fingerprint


def test_a_file_is_overwritten_on_request_only_and_whole_or_not_at_all(model, bundle, monkeypatch):
    before = bundle.read_bytes()
    with pytest.raises(OutputExistsError):
        save_bundle(compile_network(everything()), bundle)
    assert bundle.read_bytes() == before

    def fail(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="disk full"):
            save_bundle(compile_network(everything()), bundle, force=True)
    assert bundle.read_bytes() == before
    assert list(bundle.parent.iterdir()) == [bundle]
    save_bundle(compile_network(everything()), bundle, force=True)
    assert plan_of(load_bundle(bundle)) == plan_layers(everything())
    assert list(bundle.parent.iterdir()) == [bundle]


def test_what_cannot_be_saved_is_refused(model, tmp_path):
    foreign = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(MismatchError):
        save_bundle(foreign, tmp_path / "x.gnn")
    with pytest.raises(OptionError):
        save_bundle(model, tmp_path, force=True)
    with pytest.raises(MissingFileError):
        save_bundle(model, tmp_path / "nowhere" / "x.gnn")
    assert list(tmp_path.iterdir()) == []


def rewritten(source, target, **changes):
    """Copy a bundle with members changed (bytes), or left out (None)."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        names = {name.split(".")[0]: name for name in old.namelist()}
        for key, name in names.items():
            data = changes.get(key, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return target


def test_missing_and_damaged_files_are_refused(bundle, tmp_path):
    with pytest.raises(MissingFileError):
        load_bundle(tmp_path / "absent.gnn")
    whole = bundle.read_bytes()
    bad = tmp_path / "bad.gnn"
    for damage in (b"", b"not a zip", whole[:100], whole[: len(whole) // 2], whole[:-30]):
        bad.write_bytes(damage)
        with pytest.raises(FormatError, match=r"bad\.gnn"):
            load_bundle(bad)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    bad.write_bytes(bytes(flipped))
    with pytest.raises(FormatError):
        load_bundle(bad)
    with pytest.raises(FormatError):
        load_bundle(tmp_path)


def test_parts_that_contradict_each_other_are_refused(bundle, tmp_path, model):
    stranger = save_bundle(compile_network(everything()), tmp_path / "stranger.gnn")
    with zipfile.ZipFile(stranger) as archive:
        other = {name.split(".")[0]: archive.read(name) for name in archive.namelist()}
    manifest = read_manifest(bundle)
    foreign = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    foreign.save(tmp_path / "foreign.keras")
    changes = [
        {"manifest": None},
        {"plan": None},
        {"model": None},
        {"manifest": b"{"},
        {"manifest": b"[]"},
        {"manifest": json.dumps({**manifest, "format": "graphnn-bundle/2"}).encode()},
        {"manifest": json.dumps({**manifest, "fingerprint": "0" * 64}).encode()},
        {"manifest": other["manifest"]},
        {"plan": other["plan"]},
        {"plan": b"\xff\xfe"},
        {"model": other["model"]},
        {"plan": other["plan"], "manifest": other["manifest"]},
        {"model": b"no zip"},
        {"model": (tmp_path / "foreign.keras").read_bytes()},
    ]
    for number, change in enumerate(changes):
        with pytest.raises(FormatError, match=rf"{number}\.gnn"):
            load_bundle(rewritten(bundle, tmp_path / f"{number}.gnn", **change))
    assert load_bundle(rewritten(bundle, tmp_path / "same.gnn")) is not None


def test_nothing_unsafe_is_loaded(bundle, tmp_path):
    """A Lambda layer, code in a model file, is refused although the bundle is otherwise whole."""
    plan = json.loads(plan_layers(awkward()).to_json())
    model = keras.Sequential([keras.Input((len(plan["inputs"]),)), keras.layers.Lambda(lambda x: x * 2)])
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(FormatError, match=r"Sequential|[Ll]ambda"):
        load_bundle(rewritten(bundle, tmp_path / "l.gnn", model=(tmp_path / "lambda.keras").read_bytes()))


@pytest.mark.parametrize(
    "layer",
    [
        {"class_name": "function", "module": "subprocess", "config": "Popen", "registered_name": "function"},
        {"class_name": "Dense", "module": "keras.layers", "config": {"units": 3}},
        {"class_name": "run", "module": "keras.optimizers", "config": {}},
    ],
    ids=["a function of another module", "a layer that is none of ours", "a name that is no class"],
)
def test_a_class_that_is_none_of_ours_is_refused_before_keras_looks_for_it(bundle, tmp_path, layer, monkeypatch):
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("Keras was asked to load it"))
    with zipfile.ZipFile(bundle) as archive:
        inner = archive.read("model.keras")
    config = json.loads(zipfile.ZipFile(io.BytesIO(inner)).read("config.json"))
    config["config"]["layers"].append({**layer, "name": "extra", "inbound_nodes": []})
    parts = io.BytesIO()
    with zipfile.ZipFile(parts, "w") as target, zipfile.ZipFile(io.BytesIO(inner)) as source:
        for name in source.namelist():
            target.writestr(name, json.dumps(config) if name == "config.json" else source.read(name))
    with pytest.raises(FormatError, match="load only"):
        load_bundle(rewritten(bundle, tmp_path / "l.gnn", model=parts.getvalue()))
