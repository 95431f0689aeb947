"""Control inputs: values in which every input tells as much about the label as every other. NumPy only.

Networks that are trained on them show what of an importance is due to the shape of the network alone; see
`graphnn.explain.corrected`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.errors import DataError, OptionError, quoted
from graphnn.evaluate.options import check_whole

SEPARATION = 1.5  # of the best linear combination, in standard deviations of noise per standard deviation of the label


def control_cells(labels: Any, n_inputs: int, *, seed: int, strength: float | None = None) -> npt.NDArray[np.float32]:
    """Draw cells in which all inputs are equally predictive of every output.

        x[c, j] = strength * sum_o sign[j, o] * z[c, o] + noise[c, j],      noise standard normal

    z are the labels, each column standardised. With one output all signs are 1, and inputs can be exchanged for each
    other. With several, a single direction could not tell the outputs apart, so signs are drawn, 1 or -1 with equal
    chance; inputs are then equal in law. (In one draw, and for outputs that are correlated, the correlation with an
    output differs between inputs with the signs that they drew.)

    The default strength is 1.5 / sqrt(n_inputs). The sum of all inputs, the best linear combination for one output,
    then has a signal of 1.5 for one standard deviation of the label: for two classes of equal size d' = 3, a ROC-AUC of
    0.98; for a number a correlation of 0.83. A network that uses all inputs predicts well but not perfectly, and none
    that uses a few of them does, so there is something to learn from each.

    Args:
        labels: Shape (n_cells,) or (n_cells, n_outputs), finite numbers; array, Series or DataFrame.
        n_inputs: How many inputs, at least 1.
        seed: Of signs and noise, 0 or more.
        strength: Of the signal of one input, in standard deviations of the noise, > 0.

    Returns:
        Shape (n_cells, n_inputs), rows in the order of the labels.

    Raises:
        DataError: Labels are no finite numbers, or one output has the same label in every cell.
        OptionError: Another argument is out of its range.

    Example:
        >>> x = control_cells([0, 1] * 200, 100, seed=0)
        >>> gap = x[1::2].mean(axis=0) - x[::2].mean(axis=0)
        >>> x.shape, round(float(gap.mean()), 2), bool(abs(gap - gap.mean()).max() < 0.5)
        ((400, 100), 0.31, True)

    Reference:
        After the control inputs of N. Fortelny, C. Bock, Genome Biology 21 (2020) 190,
        doi:10.1186/s13059-020-02100-5.
    """
    check_whole("n_inputs", n_inputs, least=1)
    check_whole("seed", seed, least=0)
    if strength is None:
        strength = SEPARATION / float(np.sqrt(n_inputs))
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 < strength < np.inf:
        raise OptionError("strength", strength, "a finite number above 0")
    standard = _standardised(labels)
    draw = np.random.default_rng(seed)
    signs = draw.choice([-1.0, 1.0], size=(standard.shape[1], n_inputs)) if standard.shape[1] > 1 else 1.0
    signal = standard @ (strength * signs * np.ones((standard.shape[1], n_inputs)))
    return signal.astype(np.float32) + draw.standard_normal(signal.shape, dtype=np.float32)


def _standardised(labels: Any) -> npt.NDArray[np.float64]:
    """Columns of mean 0 and standard deviation 1, shape (n_cells, n_outputs)."""
    try:
        values = np.asarray(labels, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"expected labels that are numbers, got others ({error}); convert them") from error
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise DataError(
            f"expected finite labels of shape (n_cells, n_outputs), got shape {values.shape} or missing values; "
            "leave out cells without a label"
        )
    constant = np.flatnonzero(np.ptp(values, axis=0) == 0)
    if len(constant):
        names = [str(getattr(labels, "columns", range(values.shape[1]))[column]) for column in constant]
        raise DataError(
            f"expected labels that differ between cells, but the output {quoted(names)} has one only; "
            "leave it out, or add cells",
            names=names,
        )
    return (values - values.mean(axis=0)) / values.std(axis=0)
