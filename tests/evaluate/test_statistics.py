"""The corrected resampled t test: against its formula, its special case, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from graphnn.errors import DataError, OptionError
from graphnn.evaluate.statistics import corrected_resampled_t
from tests.evaluate.small import comparison

VALUES = np.array([0.02, -0.01, 0.05, 0.03, 0.00, 0.04, -0.02])


def student_density(t: float, freedom: int) -> float:
    scale = math.gamma((freedom + 1) / 2) / (math.sqrt(freedom * math.pi) * math.gamma(freedom / 2))
    return scale * (1 + t * t / freedom) ** (-(freedom + 1) / 2)


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_against_the_formula_with_an_integrated_density(ratio):
    count = len(VALUES)
    mean = sum(VALUES) / count
    variance = sum((value - mean) ** 2 for value in VALUES) / (count - 1)
    t = mean / math.sqrt((1 / count + ratio) * variance)
    tail = integrate.quad(student_density, t, np.inf, args=(count - 1,))[0]
    found = corrected_resampled_t(VALUES, test_to_train=ratio)
    assert found.mean == pytest.approx(mean)
    assert found.p == pytest.approx(2 * tail, abs=1e-9)
    half = (found.ci_high - found.ci_low) / 2
    assert (found.ci_high + found.ci_low) / 2 == pytest.approx(mean)
    inside = integrate.quad(student_density, -half * t / mean, half * t / mean, args=(count - 1,))[0]
    assert inside == pytest.approx(0.95, abs=1e-8)


@given(
    st.lists(st.floats(-1, 1).map(lambda value: round(value, 4)), min_size=2, max_size=30),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_without_overlap_it_is_the_usual_paired_t_test(values, confidence):
    differences = np.array(values)
    if np.ptp(differences) < 1e-3:
        return
    found = corrected_resampled_t(differences, test_to_train=0.0, confidence=confidence)
    usual = stats.ttest_1samp(differences, 0.0)
    interval = usual.confidence_interval(confidence)
    assert found.p == pytest.approx(usual.pvalue)
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))


def test_interval_and_p_value_agree_about_zero():
    rng = np.random.default_rng(0)
    for _ in range(200):
        found = corrected_resampled_t(rng.normal(0.5, 1, size=6), test_to_train=0.25)
        assert (found.p < 0.05) == (found.ci_low > 0 or found.ci_high < 0)


def test_more_overlap_widens_the_interval_and_turning_the_sign_mirrors_it():
    found = [corrected_resampled_t(VALUES, test_to_train=ratio) for ratio in (0.0, 0.1, 0.25, 0.5)]
    widths = [change.ci_high - change.ci_low for change in found]
    assert widths == sorted(set(widths))
    assert [change.p for change in found] == sorted({change.p for change in found})
    mirrored = corrected_resampled_t(-VALUES, test_to_train=0.1)
    assert (mirrored.ci_low, mirrored.ci_high) == pytest.approx((-found[1].ci_high, -found[1].ci_low))
    assert mirrored.p == pytest.approx(found[1].p)


def test_coverage_where_its_assumption_holds():
    """Differences that correlate by n_test / (n_test + n_train), as Nadeau and Bengio assume: 95 % means 95 %."""
    rng, k, ratio, truth, draws = np.random.default_rng(7), 10, 0.25, 0.3, 4000
    overlap = ratio / (1 + ratio)
    shared = rng.normal(size=(draws, 1)) * math.sqrt(overlap)
    samples = truth + shared + rng.normal(size=(draws, k)) * math.sqrt(1 - overlap)
    covered = {0.0: 0, ratio: 0}
    for sample in samples:
        for correction in covered:
            found = corrected_resampled_t(sample, test_to_train=correction)
            covered[correction] += found.ci_low <= truth <= found.ci_high
    assert 0.94 < covered[ratio] / draws < 0.96
    assert covered[0.0] / draws < 0.85  # the usual t test claims far too much


def test_one_split_says_nothing_of_the_spread():
    found = corrected_resampled_t(np.array([0.1]), test_to_train=0.25)
    assert (found.mean, found.ci_low, found.ci_high, found.p) == (0.1, None, None, None)


def test_no_difference_at_all_is_refused():
    with pytest.raises(DataError):
        corrected_resampled_t(np.array([]), test_to_train=0.25)


def test_equal_scores_on_every_split_are_no_evidence_of_a_change():
    found = corrected_resampled_t(np.zeros(5), test_to_train=0.25)
    assert (found.mean, found.ci_low, found.ci_high, found.p) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("confidence", [95, 0.0, float("nan")])
def test_a_confidence_outside_its_range_is_refused(confidence):
    """The docstring says (0, 1); 95 for 0.95 is the likeliest slip and must not come back as NaN."""
    with pytest.raises(OptionError, match="confidence"):
        corrected_resampled_t(VALUES, test_to_train=0.25, confidence=confidence)


def test_a_summary_asked_for_95_instead_of_095_is_refused():
    with pytest.raises(OptionError, match="confidence"):
        comparison().summary(confidence=95)
