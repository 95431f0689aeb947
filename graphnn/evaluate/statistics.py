"""The paired difference over cross-validation splits, with an interval that respects their overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student_t

from graphnn.errors import DataError, OptionError


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
    spread = float(np.sqrt((1.0 / count + test_to_train) * np.var(differences, ddof=1)))
    half = float(student_t.ppf(0.5 + confidence / 2, count - 1)) * spread
    if spread == 0.0:
        return PairedChange(0.0, 0.0, 0.0, 1.0) if mean == 0.0 else PairedChange(mean, None, None, None)
    p = float(2 * student_t.sf(abs(mean) / spread, count - 1))
    return PairedChange(mean, mean - half, mean + half, p)
