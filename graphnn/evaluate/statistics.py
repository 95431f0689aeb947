"""The paired difference over cross-validation splits, with an interval that respects their overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student_t

from graphnn.errors import DataError, OptionError
from graphnn.evaluate.options import check_margin


@dataclass(frozen=True)
class PairedChange:
    """Mean difference with its interval and two-sided p value; None where nothing is known of the spread: with
    one split, or where all differences are the same and not zero."""

    mean: float
    ci_low: float | None
    ci_high: float | None
    p: float | None


def corrected_resampled_t(
    differences: npt.NDArray[np.float64], *, test_to_train: float, confidence: float = 0.95
) -> PairedChange:
    """Corrected resampled t test.

    Training sets of different splits overlap, so the differences are not independent and the usual variance of the
    mean, s^2 / k, is too small. The correction adds the ratio of test to training size:

        t = mean / sqrt((1 / k + n_test / n_train) s^2),  k - 1 degrees of freedom.

    Args:
        differences: One a split, shape (k,).
        test_to_train: n_test / n_train, the mean over splits; all cells outside the test fold count as training,
            those that early stopping watched too.
        confidence: Of the interval, in (0, 1).

    Raises:
        DataError: There is no difference at all.
        OptionError: `confidence` is not in (0, 1).

    Example:
        >>> change = corrected_resampled_t(np.array([0.01, 0.03, 0.02, 0.0, 0.04]), test_to_train=0.25)
        >>> round(change.mean, 3), round(change.ci_low, 3), round(change.ci_high, 3), round(change.p, 3)
        (0.02, -0.009, 0.049, 0.13)

    Reference:
        C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning 52 (2003) 239-281,
        doi:10.1023/A:1024068626366.
    """
    if not 0 < confidence < 1:
        raise OptionError("confidence", confidence, "in (0, 1)", do="write 0.95 for 95 %")
    count = len(differences)
    if not count:
        raise DataError("expected at least one split on which the metric is defined for both networks, got none")
    mean = float(np.mean(differences))
    if count < 2:
        return PairedChange(mean, None, None, None)
    spread = _spread(differences, test_to_train)
    half = float(student_t.ppf(0.5 + confidence / 2, count - 1)) * spread
    if spread == 0.0:
        return PairedChange(0.0, 0.0, 0.0, 1.0) if mean == 0.0 else PairedChange(mean, None, None, None)
    p = float(2 * student_t.sf(abs(mean) / spread, count - 1))
    return PairedChange(mean, mean - half, mean + half, p)


def _spread(differences: npt.NDArray[np.float64], test_to_train: float) -> float:
    """Standard error of the mean with the correction; 0 exactly where all differences are the same."""
    if np.ptp(differences) == 0:
        return 0.0
    return float(np.sqrt((1.0 / len(differences) + test_to_train) * np.var(differences, ddof=1)))


@dataclass(frozen=True)
class NotWorse:
    """Whether a change is shown not to be worse than a margin allows.

    Attributes:
        change: Mean difference, turned so that more is better.
        bound: One-sided lower confidence bound of it; None where nothing is known of the spread.
        p: Of the hypothesis that the change is a loss of the margin or more; None likewise, and where nothing changed
            on any split.
        supported: Whether the bound lies above -margin.
    """

    change: float
    bound: float | None
    p: float | None
    supported: bool


def not_worse(
    differences: npt.NDArray[np.float64], *, margin: float, test_to_train: float, confidence: float = 0.95
) -> NotWorse:
    """Test of non-inferiority by the corrected resampled t.

    The hypothesis to be refuted is that the loss is `margin` or more; it is refuted where the one-sided lower bound of
    the mean difference lies above -margin.

    Args:
        differences: One a split, turned so that more is better, shape (k,).
        margin: The largest loss that would not matter, > 0, in units of the metric.
        test_to_train: As for `corrected_resampled_t`.
        confidence: Of the one-sided bound, in (0, 1).

    Raises:
        DataError: There is no difference at all.
        OptionError: `margin` is no finite number above 0, or `confidence` is not in (0, 1).

    Example:
        >>> found = not_worse(np.array([0.01, 0.0, -0.01, 0.01, -0.01]), margin=0.03, test_to_train=0.25)
        >>> round(found.bound, 4), round(found.p, 4), found.supported
        (-0.0143, 0.0059, True)

    Reference:
        E. Walker, A. S. Nowacki, "Understanding equivalence and noninferiority testing", Journal of General Internal
        Medicine 26 (2011) 192-196, doi:10.1007/s11606-010-1513-8; with the variance of `corrected_resampled_t`.
    """
    check_margin(margin)
    change = corrected_resampled_t(differences, test_to_train=test_to_train, confidence=confidence)
    count = len(differences)
    spread = _spread(differences, test_to_train) if count > 1 else 0.0
    if spread == 0.0:
        known = count > 1 and change.mean == 0.0  # nothing changed on any split
        return NotWorse(change.mean, 0.0 if known else None, None, known)
    bound = change.mean - float(student_t.ppf(confidence, count - 1)) * spread
    p = float(student_t.sf((change.mean + margin) / spread, count - 1))
    return NotWorse(change.mean, bound, p, bound > -margin)


def empirical_p(n_as_good: int, n_draws: int) -> float:
    """p value of a rank among random draws: (1 + n_as_good) / (1 + n_draws); NaN without draws.

    The observed value counts as one of the draws, so that no p value is 0. Where it is a draw like any other, and all
    are compared in one repeat, the chance of a p value of at most a is at most a. Here a draw is compared with what was
    observed in its own repeat. Where draws are spread over several repeats, the chance of the smallest p value, that
    all fall behind, is no larger than in one: with F(r) the share of draws that the observed value beats in repeat r,
    E[prod F(r)^n(r)] <= E[F^(sum n(r))] by Hoelder's inequality, as F(r) has one distribution in all repeats. Of the
    other p values that is not proved; in a simulation they keep their level (`tests/evaluate/test_controls.py`).

    Args:
        n_as_good: Draws that do at least as well.
        n_draws: All draws.

    Reference:
        B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics and
        Molecular Biology 9 (2010) 39, doi:10.2202/1544-6115.1585.

    Example:
        >>> empirical_p(0, 19), empirical_p(19, 19)
        (0.05, 1.0)
    """
    return (1 + n_as_good) / (1 + n_draws) if n_draws else float("nan")
