"""`train`: one model on all cells, the same on every run, saved with all that it needs to predict."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import graphnn as gn
from graphnn.compiler.model import weights_frame
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.data.cells import Cells
from graphnn.errors import DataError, MismatchError, OptionError, OutputExistsError
from graphnn.evaluate import train as module
from graphnn.evaluate.splits import hold_out
from graphnn.evaluate.train import train
from tests.compiler.drawn import run_python
from tests.evaluate.small import INPUTS, TRAINING, cells, networks

OPTIONS = NetworkOptions(dropout=0.2, input_normalization=True, hidden_activation="tanh")


@pytest.fixture(scope="module")
def trained():
    x, y = cells()
    return train(networks()[0], x, y, seed=3, training=TRAINING, options=OPTIONS)


# -- what trains ---------------------------------------------------------------------------------------------------


def test_all_cells_train_or_tell_when_to_stop(trained):
    rows = np.concatenate([trained.split.train, trained.split.validation])
    assert sorted(rows.tolist()) == list(range(71))
    assert len(trained.split.validation) == round(TRAINING.validation_fraction * 71)


def test_both_parts_have_the_same_share_of_each_class():
    labels = np.array([[1.0]] * 30 + [[0.0]] * 170)
    split = hold_out(labels, seed=1, validation_fraction=0.2, stratify=True)
    assert labels[split.validation].sum() == 6
    assert labels[split.train].sum() == 24
    other = hold_out(labels, seed=2, validation_fraction=0.2, stratify=True)
    assert split.validation.tolist() != other.validation.tolist()


@pytest.mark.parametrize("n_rare", [1, 2])
def test_many_rare_combinations_of_labels_do_not_take_all_cells_for_validation(n_rare):
    combinations = [[number >> bit & 1 for bit in range(5)] for number in range(32) for _ in range(n_rare)]
    split = hold_out(np.array(combinations, dtype=float), seed=0, validation_fraction=0.25, stratify=True)
    assert len(split.validation) == 8 * n_rare


def test_the_only_cell_of_a_class_trains():
    labels = np.array([[0.0]] * 9 + [[1.0]])
    assert 9 in hold_out(labels, seed=0, validation_fraction=0.5, stratify=True).train


def test_scaling_and_means_see_the_training_cells_only(trained):
    x = cells()[0].to_numpy(dtype=np.float32)[trained.split.train]
    np.testing.assert_allclose(trained.features.mean, x.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(trained.features.offset, x.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(1 / trained.features.factor, x.std(axis=0), rtol=1e-6)


def test_the_model_has_the_weights_of_the_best_epoch(trained):
    """An oracle from outside: the loss on the validation cells, by Keras' own evaluation, is the lowest one seen."""
    x, y = cells()
    rows = trained.split.validation
    scaled = trained.features.transform(x[list(INPUTS)].to_numpy(dtype=np.float32)[rows])
    loss = trained.model.evaluate(scaled, y.to_numpy(dtype=np.float32)[rows, None], verbose=0)
    penalties = float(sum(trained.model.losses))
    assert loss - penalties == pytest.approx(trained.losses.min(), abs=1e-5)
    assert trained.best_epoch == int(np.argmin(trained.losses)) + 1
    assert trained.history["validation_loss"].tolist() == trained.losses.tolist()
    assert trained.history["epoch"].tolist() == list(range(1, len(trained.losses) + 1))


def test_validation_figures_are_those_of_the_validation_cells(trained):
    from sklearn.metrics import roc_auc_score

    x, y = cells()
    rows = trained.split.validation
    row = trained.validation.iloc[0]
    found = trained.predict(x)["y"].to_numpy()
    assert (row["output"], row["n_validation"]) == ("y", len(rows))
    assert row["roc_auc"] == pytest.approx(roc_auc_score(y.to_numpy()[rows], found[rows]))
    assert "test" not in json.dumps(trained.summary())


def test_two_runs_are_the_same_to_the_bit_and_seeds_differ(trained):
    x, y = cells()
    again = train(networks()[0], x, y, seed=3, training=TRAINING, options=OPTIONS)
    other = train(networks()[0], x, y, seed=4, training=TRAINING, options=OPTIONS)
    assert weights_frame(again.model).equals(weights_frame(trained.model))
    assert again.predict(x).equals(trained.predict(x))
    assert again.losses.tobytes() == trained.losses.tobytes()
    assert not weights_frame(other.model).equals(weights_frame(trained.model))


def test_the_same_bundle_under_another_hash_seed(tmp_path):
    code = (
        "import sys\n"
        "from tests.evaluate.test_train import *\n"
        "x, y = cells()\n"
        "train(networks()[0], x, y, seed=3, training=TRAINING, options=OPTIONS).save(sys.argv[1])\n"
    )
    for seed in ("1", "2"):
        run_python(code, str(tmp_path / seed), PYTHONHASHSEED=seed)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_order_of_columns_and_further_columns_change_nothing(trained):
    x, y = cells()
    shuffled = x[list(INPUTS)[::-1]].assign(other=7.0)
    again = train(networks()[0], shuffled, y, seed=3, training=TRAINING, options=OPTIONS)
    assert weights_frame(again.model).equals(weights_frame(trained.model))


def test_a_plan_trains_like_its_network(trained):
    x, y = cells()
    again = train(plan_layers(networks()[0]), x, y, seed=3, training=TRAINING, options=OPTIONS)
    assert weights_frame(again.model).equals(weights_frame(trained.model))
    assert again.network is None


def test_it_learns_what_drives_the_label():
    x, y = cells(400)
    options = replace(TRAINING, epochs=60, patience=15)
    found = train(networks()[0], x, y, training=options)
    fresh_x, fresh_y = cells(400, seed=9)
    predicted = found.predict(fresh_x)["y"].to_numpy()
    best = (fresh_x["a"] - fresh_x["b"]).to_numpy()
    from sklearn.metrics import roc_auc_score

    assert roc_auc_score(fresh_y, predicted) > roc_auc_score(fresh_y, best) - 0.05
    noise = train(networks()[0], x, y.sample(frac=1, random_state=0).set_axis(y.index), training=options)
    assert roc_auc_score(fresh_y, noise.predict(fresh_x)["y"]) < 0.7  # negative control: shuffled labels


def test_regression(tmp_path):
    x, _ = cells()
    truth = (x["a"] - 2 * x["b"]).rename("y")
    options = replace(TRAINING, epochs=40, patience=40)
    found = train(networks()[0], x, truth, training=options, options=NetworkOptions(task="regression"))
    assert list(found.validation.columns) == ["output", "n_validation", "spearman", "r2", "mse"]
    assert found.predict(x)["y"].min() < 0
    again = gn.read_bundle(found.save(tmp_path / "r.gnn"))
    assert gn.predict(again, x).equals(found.predict(x))


@pytest.mark.parametrize(
    "options",
    [
        NetworkOptions(dtype="mixed_float16"),
        NetworkOptions(units=2, sign_policy="hard", input_dropout=0.1, activations={1: "relu"}),
        NetworkOptions(output_activation="linear", dropout=0.3, dropout_on="nodes", adaptive_dropout=True),
    ],
    ids=["half precision", "units and signs", "logits"],
)
def test_any_options_train_save_and_predict(tmp_path, options):
    x, y = cells()
    found = train(networks()[0], x, y, training=TRAINING, options=options)
    bundle = gn.read_bundle(found.save(tmp_path / "net.gnn"))
    assert gn.predict(bundle, x).equals(found.predict(x))
    assert found.predict(x)["y"].between(0, 1).all()
    assert weights_frame(bundle.model).equals(weights_frame(found.model))


def test_progress_is_told_epoch_by_epoch():
    x, y = cells()
    seen = []
    found = train(networks()[1], x, y, training=TRAINING, on_progress=seen.append)
    assert [epoch.number for epoch in seen] == list(range(1, len(found.losses) + 1))
    assert [epoch.loss for epoch in seen] == found.losses.tolist()
    assert seen[found.best_epoch - 1].metric == pytest.approx(found.validation.loc[0, "roc_auc"])


# -- what is kept --------------------------------------------------------------------------------------------------


def test_a_saved_model_predicts_the_same_in_another_process(trained, tmp_path):
    x, _ = cells()
    trained.save(tmp_path / "model.gnn")
    x.to_csv(tmp_path / "x.csv")
    code = (
        "import sys, graphnn as gn, pandas as pd\n"
        "x = pd.read_csv(sys.argv[1] + '/x.csv', index_col=0)\n"
        "gn.predict(sys.argv[1] + '/model.gnn', x).to_csv(sys.argv[1] + '/got.csv')\n"
    )
    run_python(code, str(tmp_path))
    got = pd.read_csv(tmp_path / "got.csv", index_col=0, dtype={"y": np.float32})
    assert got["y"].tolist() == trained.predict(pd.read_csv(tmp_path / "x.csv", index_col=0))["y"].tolist()


def test_a_bundle_knows_what_trained_it(trained, tmp_path):
    path = trained.save(tmp_path / "model.gnn")
    found = gn.read_bundle(path, expect=networks()[0])
    assert found.training == json.loads(json.dumps(trained.summary()))
    assert found.training["training"] == TRAINING.to_dict()
    assert NetworkOptions.from_dict(found.training["network"]) == OPTIONS
    assert (found.training["seed"], found.training["best_epoch"]) == (3, trained.best_epoch)
    assert found.training["cells"] == {"train": 57, "validation": 14, "unlabelled": 0}
    assert found.preprocessing == trained.preprocessing
    assert found.manifest["network"] == networks()[0].fingerprint
    assert found.manifest["prior"]["fingerprint"] == networks()[0].origin["fingerprint"]
    with pytest.raises(OutputExistsError):
        trained.save(path)
    trained.save(path, force=True)


def test_what_was_done_to_the_cells_is_kept():
    x, y = cells()
    counts = np.floor(np.abs(x) * 5).astype(np.int64)
    table = Cells.from_frame(pd.concat([counts, counts[["a"]]], axis="columns"), duplicates="sum")
    raw = train(networks()[0], table, y, training=replace(TRAINING, scaling="none"))
    assert raw.preprocessing.to_dict() == {
        "scaling": "none", "log_total": None, "whole_numbers": True, "duplicates": "sum", "suffix": "",
    }  # fmt: skip
    assert any("whole numbers" in note for note in raw.notes)
    normalised = train(networks()[0], table.log_normalized(total=500), y, training=TRAINING)
    assert (normalised.preprocessing.log_total, normalised.preprocessing.whole_numbers) == (500, False)
    assert np.isinf(raw.features.limit).all()
    assert (normalised.features.limit == 10).all()


def test_a_suffix_leads_to_the_column_and_is_kept():
    x, y = cells()
    dag = networks()[0]
    tuples = [(f"{s}_gene" if s in INPUTS else s, i, t) for s, i, t in dag.graph.to_sif_tuples()]
    marked = gn.Dag.from_graph(gn.PriorGraph.from_sif_tuples(tuples), [f"{name}_gene" for name in INPUTS], ["y"])
    found = train(marked, x, y, training=TRAINING, input_suffix="_gene")
    assert found.features.inputs == tuple(f"{name}_gene" for name in INPUTS)
    assert found.features.columns == INPUTS
    assert found.preprocessing.suffix == "_gene"
    assert len(found.predict(x)) == len(x)
    with pytest.raises(MismatchError, match="input_suffix"):
        train(marked, x, y, training=TRAINING)


def test_labels_that_are_missing_or_too_many_are_told():
    x, y = cells()
    labels = pd.concat([y.iloc[5:], pd.Series([1], index=["elsewhere"], name="label")])
    found = train(networks()[0], x, labels, training=TRAINING)
    assert found.n_unlabelled == 5
    assert any("5 cells have no label" in note for note in found.notes)
    assert any("1 labels have no cell" in note for note in found.notes)


def test_a_loaded_model_can_be_trained_on_at_the_same_rate(trained, tmp_path):
    x, y = cells()
    model = gn.load_bundle(trained.save(tmp_path / "model.gnn"))
    assert float(model.optimizer.learning_rate) == pytest.approx(TRAINING.learning_rate)
    scaled = trained.features.transform(x.to_numpy(dtype=np.float32))
    labels = y.to_numpy(dtype=np.float32)[:, None]
    before = model.evaluate(scaled, labels, verbose=0)  # without the noise of dropout and of unseeded batches
    model.fit(scaled, labels, epochs=15, batch_size=len(x), shuffle=False, verbose=0)
    assert model.evaluate(scaled, labels, verbose=0) < before


# -- refusals ------------------------------------------------------------------------------------------------------


def test_what_cannot_be_trained_on_is_refused_before_training(monkeypatch):
    monkeypatch.setattr(module, "Trainer", None)
    x, y = cells()
    dag = networks()[0]
    with pytest.raises(MismatchError, match="'d'"):
        train(dag, x.drop(columns="d"), y)
    with pytest.raises(DataError, match="single class"):
        train(dag, x, y * 0)
    with pytest.raises(DataError, match="'b'"):
        train(dag, x.assign(b=np.nan), y)
    with pytest.raises(DataError, match="no barcode is shared"):
        train(dag, x, y.set_axis([f"other-{name}" for name in y.index]))
    with pytest.raises(DataError, match="cells"):
        train(dag, x.iloc[:1], y.iloc[:1], options=NetworkOptions(task="regression"))
    with pytest.raises(OptionError, match="give each class its output"):
        train(dag, x, y, options=NetworkOptions(task="multiclass"))
    for seed in (-1, 1.5, 2**32, True):
        with pytest.raises(OptionError, match="seed"):
            train(dag, x, y, seed=seed)


def test_training_under_another_engine_is_refused():
    code = (
        "from tests.evaluate.small import *\n"
        "import graphnn as gn\n"
        "x, y = cells()\n"
        "try:\n"
        "    gn.train(networks()[0], x, y)\n"
        "except gn.GraphnnError as error:\n"
        "    print(error)\n"
    )
    assert "expected KERAS_BACKEND to be jax" in run_python(code, KERAS_BACKEND="numpy")
