"""`graphnn train` and `graphnn predict`: one feeds the other, options are used, bad input changes nothing."""

from __future__ import annotations

import gzip
import inspect
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import graphnn as gn
from graphnn.cli.app import app
from tests.cli.test_process import watched
from tests.cli.tools import ROLES, Run, cells_csv, command, contents, fill, process, run, succeed, without

SHORT = ("--epochs", "3", "--input-suffix", "_gene")
TRAIN = ("train", "net.json", "--cells", "cells.csv", "--labels", "labels.csv", *SHORT)
PREDICT = ("predict", "model.gnn", "--cells", "cells.csv")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with a network and a model that was trained on its cells; to be read only."""
    place, before = fill(tmp_path_factory.mktemp("trained")), Path.cwd()
    os.chdir(place)
    try:
        succeed("extract", "net.sif", *ROLES, "--out", "net.json")
        return place, succeed(*TRAIN, "--out", "model.gnn", "--json")
    finally:
        os.chdir(before)


@pytest.fixture
def place(folder, trained):
    """A working directory of the test's own with the same files."""
    for name in ("net.json", "model.gnn"):
        (folder / name).write_bytes((trained[0] / name).read_bytes())
    return folder


def table(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), index_col=0)


# -- what they do --------------------------------------------------------------------------------------------------


def test_train_says_what_it_did_and_leaves_a_bundle(trained):
    place, result = trained
    data = result.data
    assert (data["out"], data["inputs"], data["outputs"]) == ("model.gnn", 4, ["Y"])
    assert (data["edges"], data["parameters"], data["epochs"]) == (6, 9, 3)
    assert data["cells"] == {"train": 19, "validation": 5, "unlabelled": 0}
    assert len(data["validation_loss"]) == 3
    assert data["validation"][0]["output"] == "Y"
    assert data["validation"][0]["n_validation"] == 5
    assert "validation roc_auc" in result.stderr
    assert "optimistic" in result.stderr
    bundle = gn.read_bundle(place / "model.gnn", expect=gn.Dag.read(place / "net.json"))
    assert bundle.plan.fingerprint == data["fingerprint"]
    assert bundle.features.columns == ("A", "B", "C", "E")
    assert bundle.training == {key: data[key] for key in bundle.training}


def test_predict_prints_the_table_of_the_python_function(place):
    result = succeed(*PREDICT)
    assert result.stdout.splitlines()[0] == "barcode,Y"
    expected = gn.predict("model.gnn", gn.read_cells("cells.csv"))
    assert table(result.stdout)["Y"].astype(np.float32).tolist() == expected["Y"].tolist()
    assert list(table(result.stdout).index) == list(expected.index)
    assert "log1p" in result.stderr


def test_predict_writes_what_it_prints_plain_and_gzipped(place):
    printed = succeed(*PREDICT).stdout
    assert succeed(*PREDICT, "--out", "p.csv").stdout == ""
    assert (place / "p.csv").read_text() == printed
    succeed(*PREDICT, "--out", "p.csv.gz")
    assert gzip.decompress((place / "p.csv.gz").read_bytes()).decode() == printed
    before = (place / "p.csv.gz").read_bytes()
    succeed(*PREDICT, "--out", "p.csv.gz", "--force")
    assert (place / "p.csv.gz").read_bytes() == before


def test_json_of_predict_holds_a_summary_and_the_predictions_where_no_file_does(place):
    data = succeed(*PREDICT, "--json").data
    assert {row["barcode"]: row["Y"] for row in data["predictions"]} == pytest.approx(
        table(succeed(*PREDICT).stdout)["Y"].to_dict()
    )
    assert (data["cells"], data["outputs"], data["out"], data["seed"]) == (24, ["Y"], None, 0)
    assert data["missing"] == {"policy": "raise", "inputs": []}
    other = succeed(*PREDICT, "--json", "--out", "p.csv", "--seed", "4").data
    assert (other["predictions"], other["out"], other["seed"]) == (None, "p.csv", 4)
    assert without(data, "predictions", "out", "seed") == without(other, "predictions", "out", "seed")


def test_quiet_says_nothing(place):
    assert succeed(*TRAIN, "--out", "quiet.gnn", "--quiet").stderr == ""
    assert succeed(*PREDICT, "--quiet").stderr == ""


def test_training_twice_gives_the_same_bytes_in_any_process(place, trained):
    for seed in ("0", "1"):
        result = process(*TRAIN, "--out", f"{seed}.gnn", cwd=place, PYTHONHASHSEED=seed)
        assert result.code == 0, result.stderr
    assert (place / "0.gnn").read_bytes() == (place / "1.gnn").read_bytes() == (place / "model.gnn").read_bytes()


def test_cells_of_an_annotated_file_train_and_are_predicted_alike(place):
    anndata = pytest.importorskip("anndata")
    frame = pd.read_csv("cells.csv", index_col=0)
    adata = anndata.AnnData(np.zeros(frame.shape, dtype=np.float32), pd.DataFrame(index=frame.index))
    adata.var_names = list(frame.columns)
    adata.layers["counts"] = frame.to_numpy(dtype=np.float32)
    adata.obs["state"] = pd.read_csv("labels.csv", index_col=0)["Y"]
    adata.write_h5ad("cells.h5ad")
    from_h5ad = ("train", "net.json", "--cells", "cells.h5ad", "--label", "state", "--layer", "counts", *SHORT)
    succeed(*from_h5ad, "--out", "other.gnn")
    first, second = (gn.read_bundle(name) for name in ("model.gnn", "other.gnn"))
    assert second.features.offset.tolist() == pytest.approx(first.features.offset.tolist())
    predicted = succeed("predict", "other.gnn", "--cells", "cells.h5ad", "--layer", "counts").stdout
    assert table(predicted)["Y"].to_numpy() == pytest.approx(table(succeed(*PREDICT).stdout)["Y"].to_numpy(), abs=1e-5)


# -- options -------------------------------------------------------------------------------------------------------

TRAINING = {
    "--epochs": 2,
    "--patience": 1,
    "--batch-size": 4,
    "--learning-rate": 0.1,
    "--validation-fraction": 0.4,
    "--scaling": "max",
}
NETWORK = {
    "--task": "regression",
    "--hidden-activation": "relu",
    "--input-normalization": True,
    "--dropout": 0.25,
    "--kernel-l1": 0.1,
    "--kernel-l2": 0.2,
    "--bias-l1": 0.3,
    "--bias-l2": 0.4,
    "--units": 2,
    "--input-dropout": 0.5,
    "--sign-policy": "soft",
}


@pytest.mark.parametrize("option", [*TRAINING, *NETWORK])
def test_every_option_of_train_is_recorded_and_changes_the_model(place, trained, option):
    value = {**TRAINING, **NETWORK}[option]
    words = (option,) if value is True else (option, str(value))
    data = succeed(*TRAIN, "--learning-rate", "0.5", "--epochs", "6", *words, "--out", "new.gnn", "--json").data
    base = succeed(*TRAIN, "--learning-rate", "0.5", "--epochs", "6", "--out", "base.gnn", "--json").data
    part, name = "training" if option in TRAINING else "network", option[2:].replace("-", "_")
    assert data[part][name] == value
    assert base[part][name] != value
    assert data["validation_loss"] != base["validation_loss"]


def test_seed_dropout_on_and_normalize_change_the_model(place, trained):
    base = trained[1].data["validation_loss"]
    assert succeed(*TRAIN, "--seed", "5", "--out", "a.gnn", "--json").data["validation_loss"] != base
    raw = succeed(*TRAIN, "--normalize", "none", "--out", "b.gnn", "--json").data
    assert raw["validation_loss"] != base
    assert gn.read_bundle("b.gnn").preprocessing.whole_numbers
    assert gn.read_bundle("model.gnn").preprocessing.log_total == 10_000
    dropped = [
        succeed(*TRAIN, "--dropout", "0.5", "--dropout-on", on, "--out", f"{on}.gnn", "--json").data
        for on in ("edges", "nodes")
    ]
    assert dropped[0]["validation_loss"] != dropped[1]["validation_loss"]


def test_exceptions_of_activations_and_ways_to_compute_are_recorded(place, trained):
    base = trained[1].data["validation_loss"]
    for words, kept in (
        (("--activation", "A=tanh"), {"of": "A", "activation": "tanh"}),
        (("--level-activation", "1=relu"), {"of": 1, "activation": "relu"}),
    ):
        data = succeed(*TRAIN, *words, "--out", "new.gnn", "--force", "--json").data
        assert data["network"]["activations"] == [kept]
        assert data["validation_loss"] != base
    ways = ("--engine", "jax", "--kernel", "edge", "--dtype", "float32", "--adaptive-dropout", "--sign-penalty", "0.5")
    data = succeed(*TRAIN, *ways, "--out", "new.gnn", "--force", "--json").data
    assert (data["training"]["engine"], data["engine"]) == ("jax", "jax")
    assert [data["network"][name] for name in ("kernel", "dtype", "adaptive_dropout", "sign_penalty")] == [
        "edge", "float32", True, 0.5,
    ]  # fmt: skip
    assert data["validation_loss"] == pytest.approx(base, abs=1e-5), "nothing is dropped or punished"


def test_duplicates_of_training_hold_for_prediction(place):
    frame = pd.read_csv("cells.csv", index_col=0)
    pd.concat([frame, frame[["A"]]], axis="columns").to_csv("double.csv")
    succeed(*TRAIN[:3], "double.csv", *TRAIN[4:], "--duplicates", "sum", "--out", "sum.gnn")
    assert gn.read_bundle("sum.gnn").preprocessing.duplicates == "sum"
    printed = table(succeed("predict", "sum.gnn", "--cells", "double.csv").stdout)["Y"]
    summed = gn.predict("sum.gnn", gn.read_cells("double.csv", duplicates="sum"))["Y"]
    assert printed.to_numpy() == pytest.approx(summed.to_numpy(), abs=1e-6)


def test_missing_genes_by_policy(place):
    pd.read_csv("cells.csv", index_col=0).drop(columns=["B", "E"]).to_csv("few.csv")
    few = ("predict", "model.gnn", "--cells", "few.csv")
    refused = run(*few)
    assert (refused.code, refused.stdout) == (1, "")
    assert "'B', 'E'" in refused.stderr
    found = {how: succeed(*few, "--missing", how, "--json").data for how in ("zero", "mean")}
    assert found["zero"]["missing"] == {"policy": "zero", "inputs": ["B_gene", "E_gene"]}
    assert found["zero"]["predictions"] != found["mean"]["predictions"]
    for how, data in found.items():
        expected = gn.predict("model.gnn", gn.read_cells("few.csv"), missing=how)
        assert [row["Y"] for row in data["predictions"]] == pytest.approx(expected["Y"].tolist())


def test_normalize_and_batch_size_of_predict(place):
    base = succeed(*PREDICT).stdout
    one = succeed(*PREDICT, "--batch-size", "1").stdout
    np.testing.assert_allclose(table(one), table(base), atol=1e-6)
    raw = table(succeed(*PREDICT, "--normalize", "none").stdout)
    assert not np.allclose(raw, table(base))
    assert run(*PREDICT, "--batch-size", "0").code == 2


def test_no_option_is_left_out_here():
    verbs = {info.callback.__name__: info.callback for info in app.registered_commands}
    tested = {option[2:].replace("-", "_") for option in (*TRAINING, *NETWORK)}
    common = {"out", "force", "json_", "quiet", "seed", "cells", "layer", "genome", "normalize"}
    train = tested | common | {"network", "labels", "label", "input_suffix", "duplicates", "dropout_on"}
    train |= {"activation", "level_activation", "adaptive_dropout", "sign_penalty", "kernel", "dtype", "engine"}
    train |= {"class_weight"}
    assert set(inspect.signature(verbs["train"]).parameters) == train
    predict = common | {"model", "missing", "batch_size"}
    assert set(inspect.signature(verbs["predict"]).parameters) == predict


# -- bad input -----------------------------------------------------------------------------------------------------


def refuse(place: Path, *arguments: str, code: int, words: tuple[str, ...]) -> Run:
    """Run with --force and an older file at the place of the output, and see that nothing changed."""
    (place / "old.out").write_text("older")
    before = contents(place)
    result = run(*arguments, "--out", "old.out", "--force", "--json")
    assert result.code == code, result.stderr
    assert result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if line.lower().startswith("error")]
    assert len(errors) == 1, result.stderr
    for word in words:
        assert word in result.stderr
    assert contents(place) == before
    return result


def test_files_are_replaced_on_request_only_and_that_is_said_before_the_work(place, monkeypatch):
    (place / "old.gnn").write_text("older")
    for verb in (TRAIN, PREDICT):
        result = run(*verb, "--out", "old.gnn")
        assert (result.code, result.stdout) == (2, "")
        assert "--force" in result.stderr
    assert (place / "old.gnn").read_text() == "older"
    succeed(*TRAIN, "--out", "old.gnn", "--force")
    succeed(*PREDICT, "--out", "old.gnn", "--force")
    assert (place / "old.gnn").read_text().startswith("barcode,Y\n")


def test_train_refuses_what_it_cannot_train_on(place):
    cells, labels = (place / "cells.csv").read_text(), (place / "labels.csv").read_text()
    refuse(place, "train", "gone.json", *TRAIN[2:], code=1, words=("gone.json",))
    refuse(place, "train", "net.sif", *TRAIN[2:], code=1, words=("net.sif",))
    refuse(place, *TRAIN[:2], "--cells", "cells.csv", *SHORT, code=2, words=("--labels",))
    refuse(place, *TRAIN, "--label", "state", code=2, words=("--label",))
    refuse(place, *TRAIN, "--cells", "gone.csv", code=1, words=("gone.csv",))
    refuse(place, *TRAIN[:6], "--epochs", "2", code=1, words=("'A_gene'", "--input-suffix"))
    (place / "labels.csv").write_text(labels.replace(",1\n", ",0\n"))
    refuse(place, *TRAIN, code=1, words=("single class",))
    (place / "labels.csv").write_text(labels)
    (place / "cells.csv").write_text(cells.replace("c04,", "c04,,", 1))
    refuse(place, *TRAIN, code=1, words=("cells.csv",))
    (place / "cells.csv").write_text(cells_csv(("A", "B", "C")))
    refuse(place, *TRAIN, code=1, words=("'E_gene'",))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--epochs", "0"),
        ("--patience", "0"),
        ("--batch-size", "0"),
        ("--learning-rate", "nan"),
        ("--validation-fraction", "0"),
        ("--validation-fraction", "0.6"),
        ("--scaling", "minmax"),
        ("--task", "ranking"),
        ("--task", "multiclass"),
        ("--units", "0"),
        ("--activation", "A:tanh"),
        ("--activation", "nobody=tanh"),
        ("--sign-policy", "strict"),
        ("--dropout", "1"),
        ("--hidden-activation", "softmax"),
        ("--normalize", "cpm"),
        ("--duplicates", "mean"),
        ("--layer", "counts"),
        ("--genome", "human"),
    ],
)
def test_values_out_of_range_are_refused_before_anything_is_trained(place, monkeypatch, option, value):
    monkeypatch.setattr("graphnn.evaluate.train.Trainer", None)
    refuse(place, *TRAIN, option, value, code=2, words=(value.partition("=")[0],))


def test_predict_refuses_what_it_cannot_predict(place):
    whole = (place / "model.gnn").read_bytes()
    refuse(place, "predict", "gone.gnn", *PREDICT[2:], code=1, words=("gone.gnn",))
    refuse(place, "predict", "net.json", *PREDICT[2:], code=1, words=("net.json",))
    refuse(place, *PREDICT, "--cells", "gone.csv", code=1, words=("gone.csv",))
    refuse(place, *PREDICT, "--missing", "median", code=2, words=("--missing", "median"))
    refuse(place, *PREDICT, "--normalize", "cpm", code=2, words=("--normalize", "cpm"))
    (place / "bad.gnn").write_bytes(whole[: len(whole) // 2])
    refuse(place, "predict", "bad.gnn", *PREDICT[2:], code=1, words=("bad.gnn", "cut short"))
    (place / "bad.gnn").write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    refuse(place, "predict", "bad.gnn", *PREDICT[2:], code=1, words=("bad.gnn",))
    text = (place / "cells.csv").read_text()
    lines = text.splitlines()
    lines[5] = "c04,1,inf,3,4"
    (place / "cells.csv").write_text("\n".join(lines) + "\n")
    refuse(place, *PREDICT, "--normalize", "none", code=1, words=("'B'", "'c04'"))
    (place / "cells.csv").write_text(text.replace("barcode,A,B,C,E", "barcode,P,Q,R,S"))
    for how in ("raise", "zero", "mean"):
        refuse(place, *PREDICT, "--missing", how, code=1, words=("at least one",))


def test_a_bundle_without_training_predicts_by_the_names_of_inputs(place):
    succeed("compile", "net.json", "--out", "fresh.gnn")
    frame = pd.read_csv("cells.csv", index_col=0)
    refused = run("predict", "fresh.gnn", "--cells", "cells.csv")
    assert refused.code == 1
    frame.rename(columns=lambda name: f"{name}_gene").to_csv("named.csv")
    predicted = succeed("predict", "fresh.gnn", "--cells", "named.csv")
    assert len(table(predicted.stdout)) == 24
    assert "weights are random" in predicted.stderr
    short = run("predict", "fresh.gnn", "--cells", "named.csv", "--missing", "mean")
    assert short.code == 0, "nothing is missing"


def test_ctrl_c_leaves_everything_as_it_was(place):
    (place / "inner").mkdir()
    inner = fill(place / "inner")
    (inner / "net.json").write_bytes((place / "net.json").read_bytes())
    (inner / "model.gnn").write_text("older")
    before = contents(inner)
    endless = ("--epochs", "1000000", "--patience", "1000000", "--out", "model.gnn", "--force", "--json")
    with watched(command(*TRAIN, *endless), inner) as watch:
        watch.read_until("epoch")
        code = watch.interrupt()
    assert code == 130, watch.seen
    assert "Traceback" not in watch.seen
    assert contents(inner) == before
    assert (place / "stdout").read_bytes() == b""


def test_names_in_odd_characters_come_out_as_they_are(place):
    frame = pd.read_csv("cells.csv", index_col=0)
    frame.index = ["[bold]c[/]", "a,b", 'q"q', "π", *frame.index[4:]]
    frame.to_csv("odd.csv")
    found = table(succeed("predict", "model.gnn", "--cells", "odd.csv").stdout)
    assert list(found.index) == list(frame.index)


def test_a_bundle_holds_what_the_format_says(trained):
    with zipfile.ZipFile(trained[0] / "model.gnn") as archive:
        names = set(archive.namelist())
        steps = json.loads(archive.read("preprocessing.json"))
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in (*names, *steps))
