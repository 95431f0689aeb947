"""Interval, p value and non-inferiority: against worked values, a simulation of their coverage, and law by law."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.model_selection import StratifiedKFold

from graphnn.errors import DataError, OptionError
from graphnn.evaluate.statistics import corrected_resampled_t, not_worse
from tests.evaluate.small import comparison

FOLDS, REPEATS, CELLS, COMPARISONS, MARGIN = 5, 5, 60, 1_000, 0.05


@cache
def simulated() -> np.ndarray:
    """Differences of ROC-AUC on each split, shape (COMPARISONS, splits): two classifiers that are equally good.

    The one reads two features, the other two further ones of the same law, and each weighs its features by the
    difference of class means on the cells that train (a linear discriminant with equal spreads). By symmetry the
    expected difference is 0, while splits of one comparison share cells as those of a cross-validation do.
    """
    rng = np.random.default_rng(0)
    y = np.arange(CELLS) % 2
    found = np.empty((COMPARISONS, FOLDS * REPEATS))
    for number in range(COMPARISONS):
        x = rng.normal(size=(CELLS, 4)) + 0.7 * y[:, None]
        cuts = [
            cut
            for repeat in range(REPEATS)
            for cut in StratifiedKFold(FOLDS, shuffle=True, random_state=1_000 * number + repeat).split(x, y)
        ]
        for place, (train, test) in enumerate(cuts):
            slope = x[train][y[train] == 1].mean(axis=0) - x[train][y[train] == 0].mean(axis=0)
            scores = x[test] * slope
            auc = [_auc(scores[:, part].sum(axis=1), y[test]) for part in (slice(0, 2), slice(2, 4))]
            found[number, place] = auc[1] - auc[0]
    return found


def _auc(score: np.ndarray, y: np.ndarray) -> float:
    return float((score[y == 1][:, None] > score[y == 0][None]).mean())


def ratio() -> float:
    return 1 / (FOLDS - 1)


def test_the_95_percent_interval_holds_the_truth_in_92_to_98_percent_of_comparisons():
    held = 0
    for differences in simulated():
        change = corrected_resampled_t(differences, test_to_train=ratio())
        held += change.ci_low <= 0 <= change.ci_high
    assert 0.92 <= held / COMPARISONS <= 0.98


def test_the_usual_interval_does_not():
    """What the correction is for: without it, the interval of the same differences is far too narrow."""
    means, spreads = simulated().mean(axis=1), simulated().std(axis=1, ddof=1) / math.sqrt(FOLDS * REPEATS)
    half = stats.t.ppf(0.975, FOLDS * REPEATS - 1) * spreads
    assert (np.abs(means) <= half).mean() < 0.8


def test_p_values_are_small_as_often_as_they_say():
    p = np.array([corrected_resampled_t(each, test_to_train=ratio()).p for each in simulated()])
    for level in (0.01, 0.05, 0.2):
        assert abs((p <= level).mean() - level) < 0.03


def test_a_loss_of_the_margin_is_called_not_worse_in_at_most_about_one_of_twenty():
    """At the edge of the hypothesis the test errs as often as it says; where there is no loss it mostly finds that."""
    at_margin = [not_worse(each - MARGIN, margin=MARGIN, test_to_train=ratio()).supported for each in simulated()]
    assert np.mean(at_margin) < 0.08
    wide = [not_worse(each, margin=8 * MARGIN, test_to_train=ratio()).supported for each in simulated()]
    assert np.mean(wide) > 0.8


def test_a_worked_value():
    """Ten differences in percent; s, t and p computed by hand from the formula of Nadeau and Bengio (2003), eq. 9."""
    differences = np.array([1.0, 3.0, 2.0, 0.0, 4.0, 1.0, 2.0, 3.0, 2.0, 2.0])
    assert differences.mean() == 2.0
    variance = 12 / 9  # squares 1 1 0 4 4 1 0 1 0 0 add up to 12
    assert differences.var(ddof=1) == pytest.approx(variance)
    t = 2.0 / math.sqrt((1 / 10 + 1 / 9) * variance)
    change = corrected_resampled_t(differences, test_to_train=1 / 9)
    assert change.p == pytest.approx(2 * stats.t.sf(t, 9), rel=1e-12)
    assert t == pytest.approx(3.7697, abs=1e-4)
    assert change.p == pytest.approx(0.00442, abs=5e-5)


# -- non-inferiority ---------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    differences=st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=12),
    margin=st.floats(0.001, 0.3),
    confidence=st.sampled_from([0.8, 0.9, 0.95, 0.99]),
)
def test_bound_p_and_verdict_say_the_same(differences, margin, confidence):
    values = np.array(differences)
    found = not_worse(values, margin=margin, test_to_train=0.25, confidence=confidence)
    if found.bound is None or np.ptp(values) == 0:
        return
    two_sided = corrected_resampled_t(values, test_to_train=0.25, confidence=2 * confidence - 1)
    assert found.bound == pytest.approx(two_sided.ci_low, abs=1e-12)
    assert found.supported == (found.bound > -margin)
    if abs(found.p - (1 - confidence)) > 1e-9:
        assert found.supported == (found.p < 1 - confidence)
    wider = not_worse(values, margin=2 * margin, test_to_train=0.25, confidence=confidence)
    assert wider.p <= found.p + 1e-12
    assert wider.supported or not found.supported


def test_what_never_changes_is_not_worse_and_what_always_changes_alike_is_unknown():
    same = not_worse(np.zeros(5), margin=0.01, test_to_train=0.25)
    assert (same.supported, same.bound, same.p) == (True, 0.0, None)
    for value, count in ((-0.005, 5), (-0.1, 3), (0.7, 7)):
        constant = not_worse(np.full(count, value), margin=0.8, test_to_train=0.5)
        assert (constant.supported, constant.bound, constant.p) == (False, None, None)
        assert corrected_resampled_t(np.full(count, value), test_to_train=0.5).p is None
    assert not not_worse(np.array([0.1]), margin=0.01, test_to_train=0.25).supported
    with pytest.raises(DataError):
        not_worse(np.array([]), margin=0.01, test_to_train=0.25)


@pytest.mark.parametrize("margin", [0, -0.01, float("nan"), float("inf"), "0.01", True, None])
def test_a_margin_that_is_none_is_refused(margin):
    with pytest.raises(OptionError, match="margin"):
        comparison().non_inferiority(margin=margin)


def test_the_table_is_that_of_the_scores():
    found = comparison()
    table = found.non_inferiority(margin=0.3).set_index("metric")
    assert list(table.columns) == ["margin", "change", "bound", "p", "supported"]
    wide = found.scores.pivot(index=["seed", "fold"], columns="network", values="roc_auc")
    gain = (wide["compressed"] - wide["full"]).to_numpy()
    tested = [len(fit.split.test) for fit in found.fits["full"]]
    ratio = np.mean([count / (len(found.cells.barcodes) - count) for count in tested])
    expected = not_worse(gain, margin=0.3, test_to_train=ratio)
    row = table.loc["roc_auc"]
    assert (row["change"], row["bound"], row["p"]) == pytest.approx((expected.change, expected.bound, expected.p))
    assert row["supported"] == expected.supported
    assert found.non_inferiority(margin=10.0)["supported"].all()
    assert not found.non_inferiority(margin=1e-9).set_index("metric").loc["roc_auc", "supported"] or gain.mean() > 0
