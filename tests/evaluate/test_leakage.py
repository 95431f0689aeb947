"""Leakage, by intervention: what the reported cells hold must not move what was trained, scaled or chosen."""

from __future__ import annotations

import numpy as np

from graphnn.compiler.options import NetworkOptions
from graphnn.evaluate.compare import compare
from graphnn.evaluate.preprocess import fit_scaler
from tests.evaluate.small import TRAINING, bytes_of, cells, comparison, networks, splits_of, trainer

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
