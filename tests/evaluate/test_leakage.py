"""Leakage, by intervention: what the reported cells hold must not move what was trained, scaled or chosen."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from graphnn.compiler.options import NetworkOptions
from graphnn.data.cells import as_cells
from graphnn.evaluate.compare import compare
from graphnn.evaluate.entrants import preference_scores
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.preprocess import fit_scaler
from graphnn.graph.prior import PriorGraph
from tests.evaluate.small import (
    INPUTS,
    OUTPUT,
    PRIOR,
    TRAINING,
    bytes_of,
    cells,
    comparison,
    networks,
    splits_of,
    trainer,
)

FULL, COMPRESSED = networks()
X, Y = cells(48, seed=1)
X, Y = X.to_numpy(dtype=np.float32), Y.to_numpy(dtype=np.float32)
RICH = NetworkOptions(input_normalization=True, dropout=0.2, kernel_l2=0.001)  # all state that could carry a leak


def fits(protocol: str, *changes: str, network: NetworkOptions | None = None, **training):
    """The first fold: as it is, then for each change with other values or labels (or both) in its test cells."""
    split = splits_of(Y, protocol=protocol)[0]
    found = []
    for change in ("", *changes):
        x, y = X.copy(), Y.copy()
        if "values" in change:
            x[split.test] = np.random.default_rng(5).normal(40, 9, size=x[split.test].shape)
        if "labels" in change:
            y[split.test] = 1 - y[split.test]
        found.append(trainer(FULL, x, y, [split], network, epochs=6, **training).fit(split))
    return found


def test_nested_the_reported_cells_choose_nothing():
    before, values, labels = fits("nested", "values", "labels")
    assert bytes_of(values, with_prediction=False) == bytes_of(before, with_prediction=False)
    assert bytes_of(labels) == bytes_of(before)  # the prediction too
    assert not np.array_equal(values.prediction, before.prediction)  # the intervention arrived


def test_nested_nor_do_they_through_normalisation_dropout_or_another_scaling():
    before, after = fits("nested", "values and labels", network=RICH, scaling="max")
    assert bytes_of(after, with_prediction=False) == bytes_of(before, with_prediction=False)
    assert not np.array_equal(after.prediction, before.prediction)


def test_tutorial_the_reported_cells_do_choose():
    """The tests above can see a leak: here is one, and it is labelled."""
    before, values, labels = fits("tutorial", "values", "labels")
    assert not np.array_equal(labels.losses, before.losses)
    assert not np.array_equal(values.losses, before.losses)
    assert values.scaler.offset.tobytes() == before.scaler.offset.tobytes()


def test_validation_labels_choose_the_epoch_but_train_nothing():
    split = splits_of(Y)[0]
    turned = Y.copy()
    turned[split.validation] = 1 - turned[split.validation]
    one = [trainer(FULL, X, y, [split], epochs=1).fit(split) for y in (Y, turned)]
    assert all(np.array_equal(a, b) for a, b in zip(one[0].state[0], one[1].state[0], strict=True))
    assert not np.array_equal(one[0].losses, one[1].losses)


def test_through_compare_the_fits_of_a_fold_ignore_its_cells():
    """Everything above the trainer too: the same comparison with fold 1 of the second repeat changed by barcode."""
    before = comparison()
    x, y = cells()
    target = next(fit.split for fit in before.fits["full"] if (fit.split.seed, fit.split.fold) == (5, 1))
    rows = [before.cells.barcodes[row] for row in target.test]
    x.loc[rows] = x.loc[rows] * -7 + 3
    after = compare(FULL, COMPRESSED, x, y, folds=3, seeds=2, seed=4, training=TRAINING)
    for name in ("full", "compressed"):
        for old, new in zip(before.fits[name], after.fits[name], strict=True):
            same = bytes_of(old, with_prediction=False) == bytes_of(new, with_prediction=False)
            assert same == (old.split.seed == 5 and old.split.fold == 1), (name, old.split.seed, old.split.fold)


def test_the_scaler_is_that_of_the_training_rows():
    before = comparison()
    x = cells()[0].to_numpy(dtype=np.float32).astype(np.float64)
    for fit in before.fits["full"]:
        train = x[fit.split.train]
        np.testing.assert_allclose(fit.scaler.offset, train.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(fit.scaler.factor, 1 / train.std(axis=0), rtol=1e-6)
        more = x[np.concatenate([fit.split.train, fit.split.validation])]
        assert not np.allclose(fit.scaler.offset, more.mean(axis=0), rtol=1e-4)
        scaled = before.inputs_of(fit)
        expected = (x[fit.split.test] - train.mean(axis=0)) / train.std(axis=0)
        np.testing.assert_allclose(scaled, expected, atol=1e-5)


def test_scalings_by_hand():
    x = np.array([[1.0, -4.0, 3.0], [3.0, 2.0, 3.0]], dtype=np.float32)
    new = np.array([[5.0, 8.0, 4.0], [1e6, -4.0, 3.0]], dtype=np.float32)
    standard, largest, none = (fit_scaler(x, name).transform(new) for name in ("standard", "max", "none"))
    assert standard.tolist() == [[3.0, 3.0, 1.0], [10.0, -1.0, 0.0]]  # cut at 10; a constant is only shifted
    np.testing.assert_allclose(largest, [[5 / 3, 2.0, 4 / 3], [1e6 / 3, -1.0, 1.0]], rtol=1e-6)
    assert none.tolist() == new.tolist()
    assert fit_scaler(np.zeros((2, 1), np.float32), "max").transform(np.ones((1, 1), np.float32)).tolist() == [[1.0]]


def test_the_scaling_of_training_is_that_of_the_scaler():
    """Training scales on the device, the importance with NumPy: one and the same prediction."""
    split = splits_of(Y)[0]
    wild = X.copy()
    wild[split.test[0]] = 1e4  # beyond the cut
    run = trainer(FULL, wild, Y, [split], epochs=2)
    fit = run.fit(split)
    model = run.model
    scaled = fit.scaler.transform(wild[split.test])
    assert np.abs(scaled).max() == 10
    np.testing.assert_allclose(model.stateless_call(*fit.state, scaled)[0], fit.prediction, atol=1e-6)


def test_the_unit_of_a_measurement_does_not_matter():
    """Mol per litre or nanomol: "standard" takes the unit away, it must not take the measurement for a constant."""
    x = np.random.default_rng(0).lognormal(size=(20, 3)).astype(np.float32)
    expected = fit_scaler(x, "standard").transform(x)
    for unit in (1e-9, 1e-6, 1e6):
        little = (x * unit).astype(np.float32)
        np.testing.assert_allclose(fit_scaler(little, "standard").transform(little), expected, atol=1e-3)


# -- a canary: an input that tells the label in one fold only, the one that is reported -------------------------------


EVERY_MODEL = ("dense", "elastic-net", "label-preferred")


def canary(seed: int, *, sign: int = 1, in_training: bool = False) -> tuple[pd.DataFrame, pd.Series]:
    """Noise and a label that nothing tells, but for the input "d" in the cells of the first fold.

    With `in_training` "d" tells the label everywhere: a network that could use the canary. The sign says which way it
    tells: a network that has not seen it has some weight for "d" all the same, and does well by one sign as it does
    badly by the other, so that over both it is where chance is.
    """
    rng = np.random.default_rng(seed)
    n_cells = 400
    x = pd.DataFrame(rng.normal(size=(n_cells, 4)), columns=list("abcd"), index=[f"c{i}" for i in range(n_cells)])
    x["h"], x["k"] = rng.normal(size=(2, n_cells))  # genes of hidden vertices, by which a network may be preferred
    y = pd.Series(rng.permutation(np.arange(n_cells) % 2), index=x.index)
    labels = y.to_numpy(dtype=np.float64)[:, None]
    first = splits_of(labels, folds=5, seed=seed, validation_fraction=0.2)[0]
    rows = np.arange(n_cells) if in_training else first.test
    for name in ("d", "k"):
        x.iloc[rows, x.columns.get_loc(name)] = sign * 3.0 * (2 * y.iloc[rows] - 1)
    return x, y


CANARY = {"training": TrainingOptions(epochs=30, patience=5, learning_rate=0.05), "controls": EVERY_MODEL}


@pytest.fixture(scope="module")
def aucs() -> dict[str, pd.DataFrame]:
    """ROC-AUC of the first fold, a row a data set and a column a network or model."""
    prior = PriorGraph.from_sif_tuples(PRIOR).prune(INPUTS, [OUTPUT])
    found = {}
    for what, protocol, in_training in (
        ("nested", "nested", False), ("tutorial", "tutorial", False), ("telling", "nested", True)
    ):  # fmt: skip
        rows = []
        for seed, sign in itertools.product(range(5), (1, -1)):
            x, y = canary(seed, sign=sign, in_training=in_training)
            done = compare(FULL, COMPRESSED, x, y, folds=5, seed=seed, protocol=protocol, prior=prior, **CANARY)
            first = done.scores[done.scores["fold"] == 0]
            rows.append(first.set_index("network")["roc_auc"].astype(float))
        found[what] = pd.DataFrame(rows)
    return found


def test_a_canary_of_the_reported_fold_raises_no_auc(aucs):
    for name in ("full", "compressed", *EVERY_MODEL):
        mean = aucs["nested"][name].mean()
        assert 0.45 < mean < 0.55, (name, mean)


def test_the_canary_is_one_where_it_may_be_learnt_or_watched(aucs):
    """What would be seen if the reported fold had trained, and that watching it is seen as well."""
    assert (aucs["telling"].mean() > 0.9).all()
    for name in ("full", "compressed"):
        assert aucs["tutorial"][name].mean() > aucs["nested"][name].mean() + 0.04


def test_a_network_preferred_by_labels_ignores_the_reported_fold():
    """Chosen by the genes of hidden vertices among training cells: other cells of a fold change its network never."""
    prior = PriorGraph.from_sif_tuples(PRIOR).prune(INPUTS, [OUTPUT])
    x, y = canary(3)
    how = {"folds": 5, "seed": 3, "prior": prior, "controls": ["label-preferred"], "training": TRAINING}
    before = compare(FULL, COMPRESSED, x, y, **how)
    split = before.fits["full"][0].split
    changed = x.copy()
    watched = np.concatenate([split.test, split.validation])
    changed.iloc[watched] = np.random.default_rng(9).normal(5, 4, size=(len(watched), x.shape[1]))
    after = compare(FULL, COMPRESSED, changed, y, **how)
    dags = [found.controls["label-preferred"].dags for found in (before, after)]
    assert dags[0][0] == dags[1][0]
    scores = [
        preference_scores(as_cells(table), y.to_numpy(dtype=float)[:, None], [split], prior, suffix="")[0]
        for table in (x, changed)
    ]
    assert scores[0] == scores[1]
    other = before.fits["full"][1].split  # in which the changed cells train
    moved = [
        preference_scores(as_cells(table), y.to_numpy(dtype=float)[:, None], [other], prior, suffix="")[0]
        for table in (x, changed)
    ]
    assert moved[0] != moved[1]
