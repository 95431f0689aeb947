"""`compare`: names before positions, errors before training, and a summary that can be counted again."""

from __future__ import annotations

import itertools

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import metrics as sk

from graphnn.compiler.options import NetworkOptions
from graphnn.data.cells import Cells
from graphnn.errors import DataError, MismatchError
from graphnn.evaluate import entrants
from graphnn.evaluate.compare import NETWORKS, compare
from graphnn.evaluate.engine import Fit
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.preprocess import fit_scaler
from graphnn.evaluate.statistics import corrected_resampled_t
from tests.compiler.drawn import dag_of
from tests.evaluate.small import (
    INPUTS,
    OUTPUT,
    TRAINING,
    bytes_of,
    cells,
    comparison,
    digest_of,
    networks,
    progress_and_comparison,
)

FULL, COMPRESSED = networks()
SUMMARY = ["metric", "full", "compressed", "change", "ci_low", "ci_high", "p"]
AS_SHARED = {"folds": 3, "seeds": 2, "seed": 4, "training": TRAINING}


class Recorder:
    """Stands in for the trainer where only what reaches it matters; predicts the label's mean."""

    seen: list[Recorder] = []  # noqa: RUF012
    engine, replicate_bytes = "none", 0

    def __init__(self, model, table, splits, options, *, task) -> None:
        self.x, self.y, self.splits = table.x, table.y, splits
        Recorder.seen.append(self)

    def fit(self, split, on_epoch=None, **_) -> Fit:
        prediction = np.full((len(split.test), self.y.shape[1]), self.y.mean(), dtype=np.float32)
        return Fit(split, ([], []), fit_scaler(self.x[split.train], "none"), prediction, np.array([1.0]), 1)


@pytest.fixture
def recorded(monkeypatch):
    monkeypatch.setattr(entrants, "Trainer", Recorder)
    monkeypatch.setattr(entrants, "compile_network", lambda *_: None)
    monkeypatch.setattr(Recorder, "seen", [])
    return Recorder.seen


def reached(recorded, *arguments, **options) -> tuple[np.ndarray, np.ndarray]:
    """x and y as they came to the trainer, the same for both networks."""
    recorded.clear()
    compare(*arguments, **{"folds": 3, **options})
    first, second = recorded
    assert first.x is second.x
    assert first.y is second.y
    assert first.splits is second.splits
    return first.x, first.y


# -- columns and labels by name -------------------------------------------------------------------------------------


def test_columns_and_labels_in_any_order_give_the_same_bytes():
    """Shuffled and further columns, one of them full of NaN; labels in another order, in a frame, as booleans."""
    x, y = cells()
    wide = x.assign(unused=np.nan, B=1.5, **{"0": np.arange(len(x), dtype=float)})
    wide = wide[["unused", "d", "0", "b", "B", "a", "c"]]
    labels = y.astype(bool).sample(frac=1, random_state=1).to_frame("any name")
    found = compare(FULL, COMPRESSED, wide, labels, **AS_SHARED)
    before = comparison()
    pd.testing.assert_frame_equal(found.summary(), before.summary(), check_exact=True)
    pd.testing.assert_frame_equal(found.predictions(), before.predictions(), check_exact=True)
    for name in NETWORKS:
        assert list(map(bytes_of, found.fits[name])) == list(map(bytes_of, before.fits[name]))
    assert found.columns == {name: name for name in INPUTS}


def test_the_order_of_cells_moves_rows_but_loses_none(recorded):
    x, y = cells()
    order = np.random.default_rng(1).permutation(len(x))
    values, labels = reached(recorded, FULL, COMPRESSED, x.iloc[order], y)
    assert np.array_equal(values, x.to_numpy(dtype=np.float32)[order])
    assert np.array_equal(labels[:, 0], y.to_numpy()[order])


@pytest.mark.parametrize("kind", ["series", "frame", "array", "list", "column", "obs", "cells", "sparse"])
def test_every_form_of_cells_and_labels_reaches_the_trainer_alike(recorded, kind):
    x, y = cells()
    genes = pd.DataFrame(index=list(INPUTS)[::-1])
    adata = anndata.AnnData(x.to_numpy()[:, ::-1], obs=pd.DataFrame({"T": y, "n": 1}), var=genes)
    given = {
        "series": (x, y[::-1]),
        "frame": (x, pd.DataFrame({"other": 7, OUTPUT: y[::-1]})),
        "array": (x, y.to_numpy()),
        "list": (x, y.tolist()),
        "column": (x, y.to_numpy()[:, None]),
        "obs": (adata, "T"),
        "cells": (Cells.from_frame(x), y),
        "sparse": (Cells(sp.csr_array(x.to_numpy()), tuple(x.index), tuple(x.columns)), y),
    }[kind]
    values, labels = reached(recorded, FULL, COMPRESSED, *given)
    assert sp.issparse(values) == (kind == "sparse")
    values = values.toarray() if sp.issparse(values) else values
    assert np.array_equal(values, x.to_numpy(dtype=np.float32))
    assert values.dtype == np.float32
    assert labels[:, 0].tolist() == y.tolist()


def test_the_layer_of_an_anndata_is_the_one_named(recorded):
    x, y = cells()
    adata = anndata.AnnData(np.zeros(x.shape), obs=pd.DataFrame(index=x.index), var=pd.DataFrame(index=list(INPUTS)))
    adata.layers["log"] = x.to_numpy()
    values, _ = reached(recorded, FULL, COMPRESSED, adata, y, layer="log")
    assert np.array_equal(values, x.to_numpy(dtype=np.float32))


def test_a_suffix_of_inputs_is_taken_off(recorded):
    full = dag_of("a_gene>h c_gene>h h>y b_gene>y", inputs="a_gene b_gene c_gene", outputs="y")
    x, y = cells()
    values, _ = reached(recorded, full, full, x, y, input_suffix="_gene")
    assert np.array_equal(values, x[["a", "b", "c"]].to_numpy(dtype=np.float32))
    with pytest.raises(MismatchError, match="'a_gene', 'b_gene', 'c_gene'"):
        compare(full, full, x, y, folds=3)


def test_cells_without_labels_and_labels_without_cells_are_counted(recorded):
    x, y = cells()
    some = pd.concat([y.iloc[5:], pd.Series([1, 0], index=["elsewhere", "nowhere"])])
    found = compare(FULL, COMPRESSED, x, some, folds=3)
    assert found.n_unlabelled == 5
    assert found.cells.n_cells == len(x) - 5
    assert found.labels.index.tolist() == x.index[5:].tolist()
    assert any("5 cells have no label" in note for note in found.notes)
    assert any("2 labels have no cell" in note for note in found.notes)


# -- errors, all before anything is trained -------------------------------------------------------------------------


@pytest.fixture
def untrained(monkeypatch):
    def train(*_, **__):
        raise AssertionError("training began before the input was checked")

    monkeypatch.setattr(entrants, "Trainer", train)


def test_a_missing_column_is_named(untrained):
    x, y = cells()
    with pytest.raises(MismatchError, match="'c'") as caught:
        compare(FULL, COMPRESSED, x.drop(columns="c"), y)
    assert caught.value.got == ["c"]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (dag_of("a>h b>h c>h h>y", inputs="a b c", outputs="y"), "'d'"),
        (dag_of("a>h b>h c>h d>h h>z", inputs="a b c d", outputs="z"), "'y', 'z'"),
        (dag_of("a>h b>h c>h d>h h>y h>z", inputs="a b c d", outputs="y z"), "'z'"),
    ],
)
def test_networks_with_other_roles_are_refused_either_way_round(untrained, other, named):
    x, y = cells()
    for pair in itertools.permutations([FULL, other]):
        with pytest.raises(MismatchError, match=named):
            compare(*pair, x, y)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_refused_by_name_where_it_is_used(untrained, bad):
    x, y = cells()
    x.loc[x.index[3], "b"] = bad
    with pytest.raises(DataError, match=str(x.index[3])) as caught:
        compare(FULL, COMPRESSED, x, y)
    assert caught.value.names == ("b",)


def test_labels_that_cannot_be_used_are_refused(untrained):
    x, y = cells()
    for labels, text in (
        (y * 0, "single class"),
        (y + 1, "0 and 1"),
        (y.astype(float).replace(1.0, np.nan), "finite label"),
        (y.set_axis([f"other-{name}" for name in y.index]), "no barcode is shared"),
        (y.to_numpy()[:-1], "one label for each"),
        (y.map({0: "no", 1: "yes"}), "numbers as labels"),
        (pd.concat([y, y.iloc[:1]]), "several times"),
        ("T", "AnnData"),
    ):
        with pytest.raises(DataError, match=text):
            compare(FULL, COMPRESSED, x, labels)


def test_fewer_cells_than_folds_are_refused(untrained):
    x, _ = cells()
    with pytest.raises(DataError, match="fold"):
        compare(FULL, COMPRESSED, x.iloc[:4], [0, 1, 0, 1], folds=5)


# -- what comes out -------------------------------------------------------------------------------------------------


def test_scores_are_those_of_the_predictions_and_the_truth():
    found, y = comparison(), cells()[1]
    predictions = found.predictions()
    assert predictions["label"].tolist() == y.loc[predictions["barcode"]].tolist()
    keys = ["network", "output", "seed", "fold"]
    rows = found.scores.set_index(keys)
    assert len(rows) == 2 * 3 * 2
    for key, part in predictions.groupby(keys):
        truth, score = part["label"], part["prediction"]
        row = rows.loc[key]
        assert row["n_test"] == len(part)
        assert row["roc_auc"] == pytest.approx(sk.roc_auc_score(truth, score))
        assert row["accuracy"] == pytest.approx(sk.accuracy_score(truth, score >= 0.5))
        assert row["f1"] == pytest.approx(sk.f1_score(truth, score >= 0.5, zero_division=0))
    assert (rows[["n_train", "n_validation", "n_test"]].sum(axis=1) == len(y)).all()
    assert rows["epochs"].tolist() == [len(fit.losses) for name in NETWORKS for fit in found.fits[name]]


def test_every_cell_is_reported_once_a_repeat_and_for_both_networks():
    predictions = comparison().predictions()
    for _, part in predictions.groupby(["network", "seed"]):
        assert sorted(part["barcode"]) == sorted(cells()[0].index)
    full, compressed = (predictions[predictions["network"] == name] for name in NETWORKS)
    for column in ("seed", "fold", "barcode", "label"):
        assert full[column].tolist() == compressed[column].tolist()


def test_the_summary_can_be_counted_again():
    found = comparison()
    summary = found.summary()
    assert summary.columns.tolist() == SUMMARY
    assert summary["metric"].tolist() == ["roc_auc", "accuracy", "precision", "recall", "f1"]
    n_test = found.scores.query("network == 'full'")["n_test"]
    ratio = (n_test / (71 - n_test)).mean()  # of all cells that are not reported: stopping is a part of training
    assert n_test.nunique() == 2
    assert (summary.dtypes.iloc[1:] == np.float64).all()
    for row in summary.itertuples():
        full, compressed = (
            found.scores.loc[found.scores["network"] == name, row.metric].to_numpy(dtype=float) for name in NETWORKS
        )
        assert row.full == pytest.approx(full.mean())
        assert row.compressed == pytest.approx(compressed.mean())
        assert row.change == pytest.approx((compressed - full).mean())
        expected = corrected_resampled_t(compressed - full, test_to_train=ratio)
        assert (row.ci_low, row.ci_high, row.p) == pytest.approx((expected.ci_low, expected.ci_high, expected.p))
        varies = np.ptp(compressed - full) > 0
        assert varies or row.metric != "roc_auc"
        assert (row.ci_low < row.change < row.ci_high) == varies
    wider = found.summary(confidence=0.99)
    assert (wider["ci_low"] <= summary["ci_low"]).all()
    assert wider.loc[0, "ci_low"] < summary.loc[0, "ci_low"]
    assert (wider["p"] == summary["p"]).all()


def test_compression_against_counts_by_hand():
    full = dag_of("a>h b>h b>g c>g h>g g>y a>y h>y", inputs="a b c", outputs="y")
    compressed = dag_of("a>y b>h c>h h>y", inputs="a b c", outputs="y")
    x, y = cells(columns=("a", "b", "c"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entrants, "Trainer", Recorder)
        patch.setattr(entrants, "compile_network", lambda *_: None)
        table = compare(full, compressed, x, y, folds=2).compression
    assert table.columns.tolist() == ["quantity", "full", "compressed", "reduction_percent"]
    rows = {row.quantity: (row.full, row.compressed, row.reduction_percent) for row in table.itertuples()}
    boundary = table["quantity"].iloc[-1]
    assert "boundary" in boundary
    assert "tutorial" in boundary
    assert rows == {
        "edges": (8, 4, 50.0),
        "hidden nodes": (2, 1, 50.0),
        "nodes": (6, 5, pytest.approx(100 / 6)),
        "parameters": (8 + 3, 4 + 2, pytest.approx(500 / 11)),
        "depth": (3, 2, pytest.approx(100 / 3)),  # a, h, g, y against b, h, y
        boundary: (8 + 3 + 1, 4 + 3 + 1, pytest.approx(100 / 3)),
    }


def test_a_network_against_itself_has_no_change_at_all():
    x, y = cells()
    found = compare(COMPRESSED, COMPRESSED, x, y, folds=2, training=TrainingOptions(epochs=2))
    for ours, theirs in zip(found.fits["full"], found.fits["compressed"], strict=True):
        assert bytes_of(ours) == bytes_of(theirs)
    summary = found.summary()
    assert (summary[["change", "ci_low", "ci_high"]] == 0).all(axis=None)
    assert (summary["p"] == 1).all()
    assert (found.compression["reduction_percent"] == 0).all()


def test_progress_names_every_run_and_epoch():
    seen, found = progress_and_comparison()
    runs = [(name, fits[at]) for at in range(6) for name, fits in found.fits.items()]  # pairs, split by split
    expected = [
        (run, len(runs), name, fit.split.seed, fit.split.fold, epoch, loss)
        for run, (name, fit) in enumerate(runs, start=1)
        for epoch, loss in enumerate(fit.losses.tolist(), start=1)
    ]
    told = [(p.run, p.n_runs, p.network, p.seed, p.fold, p.epoch, p.loss) for p in seen]
    assert sorted(told) == expected  # runs go side by side, the epochs of each in order
    for run in range(1, len(runs) + 1):
        assert [moment[5] for moment in told if moment[0] == run] == [row[5] for row in expected if row[0] == run]
    done = [p.n_done for p in seen]
    assert done == sorted(done)
    assert all(0 <= p.n_done < len(runs) and 0 <= p.metric <= 1 for p in seen)


def test_fewer_repeats_are_the_first_of_more():
    x, y = cells()
    one = compare(FULL, COMPRESSED, x, y, **{**AS_SHARED, "seeds": 1})
    for name in NETWORKS:
        assert list(map(bytes_of, one.fits[name])) == list(map(bytes_of, comparison().fits[name][:3]))
    assert not one.is_optimistic


def test_the_arguments_are_not_modified_and_the_results_are_copies():
    x, _ = cells()
    pd.testing.assert_frame_equal(pd.DataFrame(comparison().cells.matrix, x.index, x.columns), x)
    first = comparison().importance()
    first["score"] = -1.0
    assert (comparison().importance()["score"] >= 0).all()
    digest = digest_of(comparison())
    comparison().summary()["change"] = 0.0
    assert digest_of(comparison()) == digest


# -- other tasks ----------------------------------------------------------------------------------------------------


def test_several_outputs_each_with_its_own_labels():
    full = dag_of("a>h b>h c>h h>y h>z d>z a>y y>z", inputs="a b c d", outputs="y z")
    compressed = dag_of("a>h b>h c>h h>y y>z d>z", inputs="a b c d", outputs="y z")
    x, y = cells()
    labels = pd.DataFrame({"z": (x["d"] > 1).astype(int), "unused": "text", "y": y})
    found = compare(full, compressed, x, labels, folds=2, training=TrainingOptions(epochs=30, learning_rate=0.05))
    summary = found.summary()
    assert summary.columns.tolist() == [*SUMMARY, "output"]
    assert summary["output"].tolist() == ["y"] * 5 + ["z"] * 5 + ["(mean)"] * 5
    means = summary.set_index(["output", "metric"])["full"]
    assert means["(mean)", "roc_auc"] == pytest.approx((means["y", "roc_auc"] + means["z", "roc_auc"]) / 2)
    assert found.labels.columns.tolist() == ["y", "z"]
    predictions = found.predictions()
    for output in ("y", "z"):
        part = predictions[predictions["output"] == output]
        assert part["label"].tolist() == labels[output].loc[part["barcode"]].tolist()
        auc = sk.roc_auc_score(part["label"], part["prediction"])
        assert auc > 0.75, (output, auc)  # crossed outputs would be near 0.5
    importance = found.importance()
    assert set(importance["output"]) == {"y", "z"}
    assert not importance.isna().any(axis=None)


def test_regression_recovers_a_number():
    x, _ = cells(90, seed=3)
    target = (2 * x["a"] - x["b"] + 5).rename("t")
    found = compare(
        FULL, COMPRESSED, x, target, folds=3, network=NetworkOptions(task="regression"),
        training=TrainingOptions(epochs=80, learning_rate=0.05),
    )  # fmt: skip
    summary = found.summary().set_index("metric")
    assert summary.index.tolist() == ["spearman", "r2", "mse"]
    assert summary.loc["spearman", "full"] > 0.8
    assert summary.loc["r2", "full"] > 0.5
    predictions = found.predictions()
    assert np.isfinite(predictions["prediction"]).all()
    assert predictions["label"].tolist() == target.loc[predictions["barcode"]].tolist()


def test_logits_are_called_at_zero_not_at_a_half():
    """A binary network with a linear output predicts log-odds: a probability of 0.5 is a logit of 0.

    The threshold of accuracy, precision, recall and F1 must be that of the probability, or the reported prediction
    must be one.
    """
    x, y = cells()
    network = NetworkOptions(output_activation="linear")
    found = compare(FULL, COMPRESSED, x, y, folds=2, network=network, training=TrainingOptions(epochs=8))
    predictions = found.predictions()
    outside = (predictions["prediction"] < 0).any() or (predictions["prediction"] > 1).any()
    threshold = 0.0 if outside else 0.5
    between = predictions["prediction"].between(0, 0.5)
    assert between.any()  # else the test would show nothing
    for key, part in predictions.groupby(["network", "fold"]):
        row = found.scores[(found.scores["network"] == key[0]) & (found.scores["fold"] == key[1])].iloc[0]
        called = part["prediction"] >= threshold
        assert row["accuracy"] == pytest.approx(sk.accuracy_score(part["label"], called)), key
