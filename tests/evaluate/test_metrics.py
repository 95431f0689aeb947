"""Metrics: against numbers counted by hand and by pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphnn.evaluate.metrics import measure, names_of

TRUTH = np.array([1, 1, 1, 0, 0, 0, 0, 1], dtype=float)
SCORE = np.array([0.9, 0.5, 0.2, 0.6, 0.4, 0.1, 0.2, 0.8])


def auc_by_pairs(truth: np.ndarray, score: np.ndarray) -> float:
    pairs = [(p, n) for p in score[truth == 1] for n in score[truth == 0]]
    return sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs)


def test_binary_by_hand():
    """Called: 0.9, 0.5 (the threshold itself), 0.6, 0.8; true positives 3, false 1, missed 1, true negatives 3."""
    found = measure("binary", TRUTH, SCORE)
    assert list(found) == list(names_of("binary"))
    assert found == pytest.approx(
        {"roc_auc": auc_by_pairs(TRUTH, SCORE), "accuracy": 6 / 8, "precision": 3 / 4, "recall": 3 / 4, "f1": 3 / 4}
    )
    # 16 pairs: 0.9 beats 4, 0.5 beats 3, 0.2 beats 1 and ties 1, 0.8 beats 4
    assert found["roc_auc"] == pytest.approx((4 + 3 + 1.5 + 4) / 16)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=25))
def test_drawn_binary_by_counting(rows):
    truth = np.array([float(label) for label, _ in rows])
    score = np.array([value / 6 for _, value in rows])
    found = measure("binary", truth, score)
    called = score >= 0.5
    hit, false, missed = (called & (truth == 1)).sum(), (called & (truth == 0)).sum(), (~called & (truth == 1)).sum()
    assert found["accuracy"] == pytest.approx((called == truth).mean())
    assert found["precision"] == pytest.approx(hit / (hit + false) if hit + false else 0.0)
    assert found["recall"] == pytest.approx(hit / (hit + missed) if hit + missed else 0.0)
    assert found["f1"] == pytest.approx(2 * hit / (2 * hit + false + missed) if hit + false + missed else 0.0)
    if 0 < truth.sum() < len(truth):
        assert found["roc_auc"] == pytest.approx(auc_by_pairs(truth, score))
    else:
        assert found["roc_auc"] is None


def test_auc_of_a_constant_is_a_half():
    assert measure("binary", TRUTH, np.full(8, 0.3))["roc_auc"] == 0.5


def test_regression_by_hand():
    truth, prediction = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 5.0])
    found = measure("regression", truth, prediction)
    assert list(found) == list(names_of("regression"))
    # ranks 1 3 2 4: sum of squared rank differences 2; squared errors 0 + 1 + 1 + 1; variance around 2.5 sums to 5
    assert found == pytest.approx({"spearman": 1 - 6 * 2 / (4 * 15), "r2": 1 - 3 / 5, "mse": 3 / 4})


@pytest.mark.parametrize(
    ("truth", "prediction", "undefined"),
    [
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], {"spearman", "r2"}),
        ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0], set()),
        ([1.0], [2.0], {"spearman", "r2"}),
    ],
)
def test_what_is_not_defined_is_none(truth, prediction, undefined):
    found = measure("regression", np.array(truth), np.array(prediction))
    assert {name for name, value in found.items() if value is None} == undefined
    assert all(np.isfinite(value) for value in found.values() if value is not None)


def test_one_prediction_for_all_ranks_nothing():
    """As for the ROC-AUC: a fold in which a model fails counts."""
    assert measure("regression", np.array([1.0, 2.0, 3.0]), np.full(3, 5.0))["spearman"] == 0.0


def test_values_are_plain_floats():
    for task in ("binary", "regression"):
        assert {type(value) for value in measure(task, TRUTH, SCORE).values()} == {float}
