"""Bundles: another process predicts the same to the bit; damage, strangers and other wiring are refused."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphnn.compiler.backend import keras
from graphnn.compiler.bundle import load_bundle, read_bundle, read_manifest, save_bundle
from graphnn.compiler.features import Features, Preprocessing
from graphnn.compiler.model import bias_frame, compile_network, plan_of, weights_frame
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.compiler.realign import options_of, realigned
from graphnn.compiler.tables import features_table, read_features
from graphnn.errors import FormatError, MismatchError, MissingFileError, OptionError, OutputExistsError
from graphnn.extract.dag import Dag
from graphnn.extract.extract import extract_dag
from graphnn.graph.prior import PriorGraph
from tests.compiler.drawn import AWKWARD, awkward, cells, dag_of, everything, randomize, run_python

FIXTURES = Path(__file__).parent / "fixtures"
MEMBERS = ("manifest.json", "plan.json", "nodes.csv", "edges.csv", "model.keras")
GIVEN = ("features.csv", "preprocessing.json", "training.json")
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


def features_of(dag):
    """Made-up scaling; float32 numbers without a short decimal form, columns that share a name."""
    inputs = sorted(dag.inputs)
    draw = np.random.default_rng(3)
    numbers = [draw.normal(size=len(inputs)).astype(np.float32) for _ in range(3)]
    limit = np.full(len(inputs), np.inf, dtype=np.float32)
    return Features(inputs, ["NA", *inputs[1:-1], "NA"], numbers[0], numbers[1] ** 2 + 0.1, limit, numbers[2])


STEPS = Preprocessing(scaling="standard", log_total=1e4, whole_numbers=False, duplicates="sum", suffix="_gene")


@pytest.fixture
def full(model, tmp_path):
    """A bundle with all that it may hold."""
    return save_bundle(
        model,
        tmp_path / "full.gnn",
        features=features_of(awkward()),
        preprocessing=STEPS,
        prior=awkward(),
        training={"seed": 3, "notes": ["✓"]},
    )


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
    assert manifest["format"] == "graphnn-bundle/2"
    assert manifest["fingerprint"] == plan_layers(awkward()).fingerprint
    assert set(manifest["versions"]) == {"graphnn", "keras", "jax", "numpy", "backend"}
    assert manifest["versions"]["keras"] == keras.__version__
    with zipfile.ZipFile(bundle) as archive:
        assert archive.namelist() == list(MEMBERS)
        assert manifest["members"] == {
            name: hashlib.sha256(archive.read(name)).hexdigest() for name in sorted(MEMBERS) if name != "manifest.json"
        }
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


def repacked(members, target, *, hashed=True, sealed=True):
    """Write members as a bundle, as another program would: with hashes and seal that fit, or without."""
    members = dict(members)
    if hashed:
        manifest = json.loads(members["manifest.json"])
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in members.items() if name != "manifest.json"}
        members["manifest.json"] = json.dumps({**manifest, "members": hashes}).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.comment = b"graphnn sha256 " + b"?" * 64 if sealed else b""
    data = buffer.getvalue()
    target.write_bytes(data[:-64] + hashlib.sha256(data[:-64]).hexdigest().encode() if sealed else data)
    return target


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(source, target, *, hashed=True, **changes):
    """Copy a bundle with members changed (bytes), or left out (None); hashes and seal fit again."""
    short = {name.split(".")[0]: name for name in members_of(source)}
    changed = {**members_of(source), **{short[key]: data for key, data in changes.items()}}
    left = {name: data for name, data in changed.items() if data is not None}
    return repacked(left, target, hashed=hashed and "manifest.json" in left)


@pytest.mark.parametrize("units", [6000, 0, "many", None])
def test_a_layer_with_more_units_than_the_file_has_weights_is_refused_before_it_is_built(tmp_path, units):
    """Edges of units grow with the square of their number: a small file could fill the memory."""
    path = save_bundle(compile_network(everything(), NetworkOptions(units=2)), tmp_path / "net.gnn")
    inner = members_of(path)["model.keras"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(inner)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json":
                assert data.count(b'"units": 2') == plan_layers(everything()).depth
                data = data.replace(b'"units": 2', b'"units": ' + json.dumps(units).encode())
            target.writestr(name, data)
    with pytest.raises(FormatError, match=r"weights|units"):
        read_bundle(rewritten(path, tmp_path / "bad.gnn", model=buffer.getvalue()))


# -- damage --------------------------------------------------------------------------------------------------------


def test_missing_files_and_files_of_another_kind_are_refused(tmp_path):
    with pytest.raises(MissingFileError):
        load_bundle(tmp_path / "absent.gnn")
    with pytest.raises(FormatError):
        load_bundle(tmp_path)
    bad = tmp_path / "bad.gnn"
    for content in (b"", b"not a zip", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)):
        bad.write_bytes(content)
        with pytest.raises(FormatError, match=r"bad\.gnn"):
            load_bundle(bad)


def test_a_bundle_cut_short_or_with_more_behind_it_is_refused(full, tmp_path):
    whole = full.read_bytes()
    bad = tmp_path / "bad.gnn"
    for length in (*range(1, 200, 17), len(whole) // 2, *range(len(whole) - 200, len(whole), 7), len(whole) - 1):
        bad.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=r"bad\.gnn"):
            load_bundle(bad)
    bad.write_bytes(whole + b"\0")
    with pytest.raises(FormatError):
        load_bundle(bad)


def test_one_changed_byte_anywhere_is_refused(full, tmp_path):
    """Names, times and flags in the zip's own headers too, of which a zip has no checksum."""
    whole = full.read_bytes()
    bad = tmp_path / "bad.gnn"
    step = max(1, len(whole) // 500)
    places = {*range(400), *range(len(whole) - 1000, len(whole)), *range(400, len(whole), step)}
    for place in sorted(places):
        changed = bytearray(whole)
        changed[place] ^= 1 << (place % 8)
        bad.write_bytes(bytes(changed))
        with pytest.raises(FormatError, match=r"bad\.gnn"):
            read_manifest(bad)


@pytest.mark.parametrize("name", [*MEMBERS, *GIVEN])
def test_one_changed_byte_in_a_member_is_refused_where_the_zip_around_it_is_whole(full, tmp_path, name):
    members = members_of(full)
    for place in range(0, len(members[name]), max(1, len(members[name]) // 40)):
        data = bytearray(members[name])
        data[place] ^= 1
        if name == "manifest.json" and json_like(bytes(data), members[name]):
            continue  # another version number is no damage that a reader can tell
        with pytest.raises(FormatError, match=r"bad\.gnn"):
            read_bundle(repacked({**members, name: bytes(data)}, tmp_path / "bad.gnn", hashed=False))


def json_like(data, before):
    """Whether a changed manifest is JSON of the same format, fingerprint and hashes."""
    try:
        new, old = json.loads(data), json.loads(before)
    except ValueError:
        return False
    return all(new.get(key) == old[key] for key in ("format", "fingerprint", "members"))


def test_the_member_that_was_changed_is_named(full, tmp_path):
    members = members_of(full)
    changed = {**members, "edges.csv": members["edges.csv"] + b"\n"}
    with pytest.raises(FormatError, match=r"'edges\.csv' was changed"):
        read_bundle(repacked(changed, tmp_path / "bad.gnn", hashed=False))


def test_a_bundle_that_another_program_packed_again_is_refused(full, tmp_path):
    with pytest.raises(FormatError, match="packed again"):
        read_bundle(repacked(members_of(full), tmp_path / "bad.gnn", sealed=False))
    assert read_bundle(repacked(members_of(full), tmp_path / "good.gnn")).training == {"seed": 3, "notes": ["✓"]}


def test_missing_and_further_members_are_refused(full, tmp_path):
    members = members_of(full)
    for name in MEMBERS:
        left = {other: data for other, data in members.items() if other != name}
        with pytest.raises(FormatError, match=name.replace(".", r"\.")):
            read_bundle(repacked(left, tmp_path / "bad.gnn", hashed=name != "manifest.json"))
    for name in GIVEN:  # it may be absent, but not where the manifest has its hash
        left = {other: data for other, data in members.items() if other != name}
        with pytest.raises(FormatError, match="hashes"):
            read_bundle(repacked(left, tmp_path / "bad.gnn", hashed=False))
        assert read_bundle(repacked(left, tmp_path / "good.gnn")).plan == plan_layers(awkward())
    for name in ("extra.json", "../plan.json", "plan.json/", "PLAN.JSON"):
        with pytest.raises(FormatError):
            read_bundle(repacked({**members, name: b"{}"}, tmp_path / "bad.gnn"))


def test_a_member_that_stands_twice_is_refused(full, tmp_path):
    members = members_of(full)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("plan.json", b"{}")
    (tmp_path / "bad.gnn").write_bytes(buffer.getvalue())
    with pytest.raises(FormatError, match=r"once, got 'plan\.json'"):
        read_bundle(tmp_path / "bad.gnn")


def test_a_small_file_that_would_fill_the_memory_is_refused_before_it_is_unpacked(full, tmp_path, monkeypatch):
    members = {**members_of(full), "training.json": b" " * (70 * 2**20)}
    bad = repacked(members, tmp_path / "bad.gnn")
    assert bad.stat().st_size < 2**18
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(FormatError, match="fill the memory"):
        read_bundle(bad)


def test_a_member_that_is_larger_than_it_claims_is_refused(full, tmp_path, monkeypatch):
    """The claim is what limits memory, so it must bind: zlib is asked for no more than claimed."""
    bad = repacked({**members_of(full), "training.json": b" " * (60 * 2**20)}, tmp_path / "bad.gnn")
    data = bad.read_bytes().replace((60 * 2**20).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    bad.write_bytes(data[:-64] + hashlib.sha256(data[:-64]).hexdigest().encode())
    longest = []
    read = zipfile.ZipExtFile._read1

    def spy(self, n):
        found = read(self, n)
        longest.append(len(found))
        return found

    monkeypatch.setattr(zipfile.ZipExtFile, "_read1", spy)
    with pytest.raises(FormatError):
        read_bundle(bad)
    assert max(longest) < 2**20


def test_a_model_file_that_would_fill_the_memory_is_refused(full, tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members_of_bytes(members_of(full)["model.keras"]).items():
            archive.writestr(name, data if name != "config.json" else data + b" " * (70 * 2**20))
    with pytest.raises(FormatError, match="fill the memory"):
        read_bundle(rewritten(full, tmp_path / "bad.gnn", model=inner.getvalue()))


def members_of_bytes(data):
    return members_of(io.BytesIO(data))


def test_parts_that_contradict_each_other_are_refused(full, tmp_path, model):
    stranger = save_bundle(
        compile_network(everything()),
        tmp_path / "stranger.gnn",
        features=features_of(everything()),
    )
    other = {name.split(".")[0]: data for name, data in members_of(stranger).items()}
    manifest = read_manifest(full)
    foreign = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    foreign.save(tmp_path / "foreign.keras")
    features = members_of(full)["features.csv"].decode()
    steps = STEPS.to_dict()
    changes = [
        {"manifest": None},
        {"plan": None},
        {"model": None},
        {"manifest": json.dumps({**manifest, "format": "graphnn-bundle/1"}).encode()},
        {"manifest": json.dumps({**manifest, "format": "graphnn-bundle/3"}).encode()},
        {"manifest": json.dumps({**manifest, "fingerprint": "0" * 64}).encode()},
        {"manifest": other["manifest"]},
        {"plan": other["plan"]},
        {"plan": b"\xff\xfe"},
        {"model": other["model"]},
        {"plan": other["plan"], "manifest": other["manifest"]},
        {"nodes": other["nodes"]},
        {"edges": other["edges"]},
        {"edges": b"\xff"},
        {"edges": b""},
        {"features": other["features"]},
        {"features": features.replace("inf", "-1.0").encode()},
        {"features": features.replace("inf", "wide").encode()},
        {"features": "\n".join(features.splitlines()[:-1]).encode()},
        {"features": features.replace('"offset"', '"shift"').encode()},
        {"preprocessing": b"[]"},
        {"preprocessing": b"{"},
        {"preprocessing": json.dumps({**steps, "centred": True}).encode()},
        {"preprocessing": json.dumps({**steps, "log_total": "10000"}).encode()},
        {"preprocessing": json.dumps({**steps, "log_total": 0}).encode()},
        {"preprocessing": json.dumps({**steps, "whole_numbers": 1}).encode()},
        {"training": b"3"},
        {"model": b"no zip"},
        {"model": (tmp_path / "foreign.keras").read_bytes()},
    ]
    for number, change in enumerate(changes):
        with pytest.raises(FormatError, match=rf"{number}\.gnn"):
            read_bundle(rewritten(full, tmp_path / f"{number}.gnn", **change))
    for data in (b"{", b"[]", b'{"format": "graphnn-bundle/2"}'):
        with pytest.raises(FormatError, match=r"bad\.gnn"):
            read_bundle(rewritten(full, tmp_path / "bad.gnn", hashed=False, manifest=data))
    assert read_bundle(rewritten(full, tmp_path / "same.gnn")).features is not None


def test_ctrl_c_while_saving_leaves_no_file(model, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    for name, place in (("replace", os), ("save", keras.Model), ("fdopen", os)):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, stop)
            with pytest.raises(KeyboardInterrupt):
                save_bundle(model, tmp_path / "net.gnn")
        assert list(tmp_path.iterdir()) == []


# -- what is in it -------------------------------------------------------------------------------------------------


def test_everything_that_was_given_comes_back_exactly(full, model):
    found = read_bundle(full)
    given = features_of(awkward())
    assert (found.features.inputs, found.features.columns) == (given.inputs, given.columns)
    for name in ("offset", "factor", "limit", "mean"):
        assert getattr(found.features, name).tobytes() == getattr(given, name).tobytes()
    assert found.preprocessing == STEPS
    assert found.training == {"seed": 3, "notes": ["✓"]}
    assert found.plan == plan_layers(awkward())
    assert found.manifest["network"] == awkward().fingerprint
    assert weights_frame(found.model).equals(weights_frame(model))


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(numbers=st.lists(st.tuples(finite, finite, finite), min_size=len(AWKWARD), max_size=len(AWKWARD)))
def test_features_come_back_to_the_last_bit_whatever_names_and_numbers(numbers):
    names = sorted(AWKWARD)
    offset, factor, mean = np.array(numbers, dtype=np.float32).T
    limit = np.resize(np.array([10, np.inf], dtype=np.float32), len(names))
    given_ = Features(names, [name + '"\r\n' for name in names], offset, factor, limit, mean)
    again = read_features(features_table(given_))
    assert (again.inputs, again.columns) == (given_.inputs, given_.columns)
    for name in ("offset", "factor", "limit", "mean"):
        assert getattr(again, name).tobytes() == getattr(given_, name).tobytes()


def test_tables_list_nodes_and_edges_in_the_order_of_the_kernels(tmp_path):
    model = compile_network(everything())
    members = members_of(save_bundle(model, tmp_path / "net.gnn"))
    nodes, edges = (list(csv.reader(io.StringIO(members[name].decode()))) for name in ("nodes.csv", "edges.csv"))
    frame = weights_frame(model)
    assert edges[0] == ["source", "target", "interaction"]
    assert edges[1:] == [[row.source, row.target, str(row.interaction)] for row in frame.itertuples()]
    assert nodes[0] == ["name", "role", "level", "column"]
    assert nodes[1:5] == [[name, "input", "0", str(i)] for i, name in enumerate("abcf")]
    assert ["f", "fed input", "2", "0"] in nodes
    assert ["y", "output", "4", "0"] in nodes
    assert [row[0] for row in nodes].count("f") == 2
    assert len(nodes) == 1 + 4 + sum(level.n_nodes for level in plan_layers(everything()).levels)


def test_names_in_tables_are_exact(full):
    members = members_of(full)
    nodes = list(csv.reader(io.StringIO(members["nodes.csv"].decode(), newline="")))
    assert {row[0] for row in nodes[1:]} == set(AWKWARD)


def test_the_prior_network_is_kept_by_its_fingerprint(tmp_path):
    tuples = [("a", 1, "h"), ("b", 1, "h"), ("h", 1, "y"), ("y", 1, "h"), ("b", 1, "g"), ("g", 1, "y")]
    pkn = PriorGraph.from_sif_tuples(tuples)
    dag = extract_dag(pkn, ["a", "b"], ["y"])
    model = compile_network(dag)
    known = {"fingerprint": pkn.fingerprint, "nodes": 5, "edges": 6}
    manifest = read_manifest(save_bundle(model, tmp_path / "a.gnn", prior=dag))
    assert (manifest["prior"], manifest["network"]) == (known, dag.fingerprint)
    manifest = read_manifest(save_bundle(model, tmp_path / "b.gnn", prior=pkn))
    assert manifest["prior"] == known
    assert "network" not in manifest
    assert "prior" not in read_manifest(save_bundle(model, tmp_path / "c.gnn"))
    for stranger, culprit in ((everything(), "'a'|'g'|edges"), (PriorGraph.from_sif_tuples(tuples[1:]), "'a -> h'")):
        with pytest.raises(MismatchError, match=culprit):
            save_bundle(model, tmp_path / "d.gnn", prior=stranger)
    assert not (tmp_path / "d.gnn").exists()


def test_what_does_not_belong_to_the_model_is_not_saved(model, tmp_path):
    with pytest.raises(MismatchError, match="inputs"):
        save_bundle(model, tmp_path / "x.gnn", features=features_of(everything()))
    for odd in ({"loss": float("nan")}, {"when": object()}, {3: {4}}):
        with pytest.raises(OptionError, match="training"):
            save_bundle(model, tmp_path / "x.gnn", training=odd)
    with pytest.raises(FormatError):
        Features(["a"], ["A", "B"], [0], [1], [1], [0])
    assert list(tmp_path.iterdir()) == []


# -- other versions and other engines ------------------------------------------------------------------------------


def test_a_bundle_of_the_first_format_predicts_what_it_did():
    """The file was written by the version that had the first format; it is never written anew."""
    known = json.loads((FIXTURES / "bundle-format-1.json").read_text())
    found = read_bundle(FIXTURES / "bundle-format-1.gnn", expect=everything())
    assert found.manifest["format"] == "graphnn-bundle/1"
    assert (found.features, found.preprocessing, found.training) == (None, None, None)
    predicted = found.model.predict(np.array(known["cells"], dtype=np.float32), verbose=0)
    np.testing.assert_allclose(predicted, known["prediction"], rtol=0, atol=1e-6)


def test_a_bundle_of_the_first_format_is_saved_in_the_second(tmp_path):
    old = load_bundle(FIXTURES / "bundle-format-1.gnn")
    new = read_bundle(save_bundle(old, tmp_path / "new.gnn"))
    assert new.manifest["format"] == "graphnn-bundle/2"
    assert weights_frame(new.model).equals(weights_frame(old))


def test_a_bundle_of_one_engine_loads_under_another(bundle, model, tmp_path):
    data = cells(5, n_cells=9)
    np.save(tmp_path / "data.npy", data)
    code = (
        "import sys, numpy as np\n"
        "from graphnn import load_bundle\n"
        "import keras\n"
        "assert keras.backend.backend() == 'numpy'\n"
        "model = load_bundle(sys.argv[1] + '/net.gnn')\n"
        "np.save(sys.argv[1] + '/got.npy', model(np.load(sys.argv[1] + '/data.npy')))\n"
    )
    run_python(code, str(tmp_path), KERAS_BACKEND="numpy")
    np.testing.assert_allclose(np.load(tmp_path / "got.npy"), model.predict(data, verbose=0), rtol=0, atol=1e-5)


# -- realigning ----------------------------------------------------------------------------------------------------


def named(model):
    """Every weight by name."""
    edges, biases = weights_frame(model), bias_frame(model)
    return dict(zip(plan_of(model).edges(), edges["weight"], strict=True)) | dict(
        zip(biases["node"], biases["bias"], strict=True)
    )


@pytest.fixture
def large(tmp_path):
    """A network with an edge and an input that the tests below do without, every weight its own number."""
    dag = dag_of("a>h b>h b>g c>g h>k g>k k>y g>y c>z k>z", inputs="a b c", outputs="y z")
    model = compile_network(dag, OPTIONS)
    randomize(model, seed=5)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign([1.0, 2.0, 3.0])
            layer.moving_variance.assign([4.0, 5.0, 6.0])
    save_bundle(model, tmp_path / "large.gnn", features=features_of(dag), preprocessing=STEPS)
    return tmp_path / "large.gnn", model


def test_a_part_of_the_network_gets_its_weights_by_name(large):
    path, model = large
    part = dag_of("b>g c>g g>k k>y g>y c>z k>z", inputs="b c", outputs="y z")  # without a, h; k comes a level earlier
    with pytest.raises(MismatchError, match="realign=True"):
        read_bundle(path, expect=part)
    found = read_bundle(path, expect=part, realign=True)
    assert found.plan == plan_of(found.model) == plan_layers(part)
    ours, theirs = named(found.model), named(model)
    assert ours == {name: theirs[name] for name in ours}
    assert len(ours) == plan_layers(part).n_parameters
    normalize = next(layer for layer in found.model.layers if isinstance(layer, keras.layers.BatchNormalization))
    assert np.array(normalize.moving_mean.value).tolist() == [2.0, 3.0]
    assert np.array(normalize.moving_variance.value).tolist() == [5.0, 6.0]
    before = features_of(dag_of("a>y b>y c>y", inputs="a b c", outputs="y"))
    assert found.features.inputs == ("b", "c")
    assert found.features.columns == before.columns[1:]
    assert found.features.offset.tolist() == before.offset[1:].tolist()
    assert found.preprocessing == STEPS
    assert [layer.get_config()["dropout"] for layer in found.model.layers if layer.name == "level_1"] == [0.2]


def test_a_part_computes_what_the_whole_does_where_the_rest_is_silent(large):
    """The oracle: with the weights of the left-out edges at zero, both networks are the same function."""
    path, model = large
    part = dag_of("b>g c>g g>k k>y g>y c>z k>z", inputs="b c", outputs="y z")
    small = load_bundle(path, expect=part, realign=True)
    levels = [layer for layer in model.layers if hasattr(layer, "level")]
    for number, layer in enumerate(levels, start=1):
        edges = plan_of(model).level_edges(number)
        keep = np.array(["a" not in edge and "h" not in edge for edge in edges])
        layer.kernel.assign(np.where(keep, np.array(layer.kernel.value), 0))
    data = cells(3, n_cells=20)
    np.testing.assert_allclose(small.predict(data[:, 1:], verbose=0), model.predict(data, verbose=0), rtol=0, atol=1e-6)


def test_the_same_network_is_given_as_it_is(large):
    path, model = large
    same = plan_of(model)
    assert named(load_bundle(path, expect=same, realign=True)) == named(model)
    assert int(load_bundle(path, expect=same, realign=True).optimizer.iterations) == 0


def test_interactions_of_another_reading_do_not_matter(large):
    path, model = large
    tuples = [(source, 0, target) for source, target in plan_of(model).edges()]
    signless = Dag.from_graph(PriorGraph.from_sif_tuples(tuples), ["a", "b", "c"], ["y", "z"])
    assert named(load_bundle(path, expect=signless, realign=True)) == named(model)


@pytest.mark.parametrize(
    "options",
    [
        NetworkOptions(),
        OPTIONS,
        NetworkOptions(units=3, activations={"g": "tanh", 1: "relu"}, output_activation="linear"),
        NetworkOptions(sign_policy="hard", kernel_l1=0.1, bias_l2=0.2, kernel="edge", seed=4),
        NetworkOptions(sign_policy="soft", sign_penalty=0.3, input_dropout=0.1, dropout=0.2, adaptive_dropout=True),
        NetworkOptions(task="regression", output_activation="softplus", dtype="mixed_bfloat16"),
        NetworkOptions(task="multiclass", dropout=0.3, dropout_on="nodes", input_normalization=True),
        NetworkOptions(task="multiclass", output_activation="linear", kernel="dense"),
    ],
    ids=lambda options: "",
)
def test_options_go_with_the_weights(tmp_path, options):
    """All of them, unit by unit: the same network again is the same function with the same loss."""
    dag = dag_of("a>h b>h b>g c>g h>k g>k k>y g>y c>z k>z", inputs="a b c", outputs="y z")
    model = compile_network(dag, options)
    randomize(model, seed=5)
    path = save_bundle(model, tmp_path / "net.gnn")
    for layer in model.layers:  # what the model itself would not allow stays out of this test
        if options.sign_policy == "hard" and hasattr(layer, "level"):
            sign = np.where(layer.wiring.interaction < 0, -1, 1)
            layer.kernel.assign(np.abs(np.array(layer.kernel.value)) * sign)
            path = save_bundle(model, tmp_path / "net.gnn", force=True)
    other = realigned(load_bundle(path), plan_layers(dag))
    known, found = options_of(model), options_of(other)
    assert found == known
    data = cells(3, n_cells=20)
    assert np.array_equal(other.predict(data, verbose=0), model.predict(data, verbose=0))
    assert weights_frame(other).equals(weights_frame(model))
    assert type(other.loss) is type(model.loss)
    assert other.loss.get_config() == model.loss.get_config()
    assert other.optimizer.get_config() == model.optimizer.get_config()
    part = dag_of("b>g c>g g>k k>y g>y c>z k>z", inputs="b c", outputs="y z")
    if options.sign_policy != "hard":  # interactions of the part are drawn anew
        assert options_of(load_bundle(path, expect=part, realign=True)).units == options.units
    else:
        with pytest.raises(MismatchError, match="signs"):
            load_bundle(path, expect=part, realign=True)


@pytest.mark.parametrize(
    ("text", "inputs", "outputs", "culprits"),
    [
        ("a>h b>h h>k k>y a>k", "a b", "y", ["a -> k"]),
        ("a>h b>h h>new new>k k>y", "a b", "y", ["new"]),
        ("a>h d>h h>k k>y", "a d", "y", ["d"]),
        ("a>h b>h h>k k>q", "a b", "q", ["q"]),
        ("a>h b>h h>k", "a b", "k", ["k"]),
        ("b>h h>k k>y", "h b", "y", ["h"]),
    ],
    ids=["an edge", "a vertex", "an input", "an output", "a hidden vertex as output", "a hidden vertex as input"],
)
def test_what_the_bundle_lacks_is_named(large, text, inputs, outputs, culprits):
    with pytest.raises(MismatchError) as caught:
        load_bundle(large[0], expect=dag_of(text, inputs=inputs, outputs=outputs), realign=True)
    assert list(caught.value.expected) == culprits
    assert all(repr(name) in str(caught.value) for name in culprits)


def test_realigning_needs_a_network(bundle):
    with pytest.raises(OptionError, match="expect"):
        load_bundle(bundle, realign=True)


# -- code in a bundle ----------------------------------------------------------------------------------------------


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
        {
            "class_name": "EdgeDense",
            "module": "graphnn.compiler.layers.edge",
            "config": {},
            "registered_name": "x>Evil",
        },
        {"class_name": "function", "module": "subprocess", "config": "Popen", "registered_name": "function"},
        {"class_name": "Dense", "module": "keras.layers", "config": {"units": 3}},
        {"class_name": "run", "module": "keras.optimizers", "config": {}},
    ],
    ids=[
        "a class registered by somebody else",
        "a function of another module",
        "a layer that is none of ours",
        "a name that is no class",
    ],
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
