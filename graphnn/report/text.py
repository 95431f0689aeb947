"""Numbers and names as the report shows them: one format for the page, the figures and the sentences."""

from __future__ import annotations

import math

LABEL_WIDTH = 17  # characters; longer names are shortened in the middle, the whole name is in the tooltip
MEAN_OF_OUTPUTS = "(mean)"  # stand in tables where the name of an output does
ALL_CLASSES = "(classes)"
METRIC_LABELS = {
    "roc_auc": "ROC-AUC",
    "average_precision": "Average precision",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "spearman": "Spearman ρ",
    "pearson": "Pearson r",
    "r2": "R²",
    "mse": "Mean squared error",
    "mae": "Mean absolute error",
}
OBJECTIVE_LABELS = {
    "min_edges": "the fewest edges that carry every input to an output",
    "shortest_paths": "the union of all shortest input-to-output paths",
    "max_edges": "the most edges without a cycle",
    "given": "as given, nothing was optimised",
}


def number_text(value: float | None, *, digits: int = 3) -> str:
    """Write a measured number: three decimals, thousands separators, "n/a" for None.

    Example:
        >>> number_text(0.94312), number_text(1234.5), number_text(-0.5), number_text(0.00044), number_text(None)
        ('0.943', '1,234.500', '−0.500', '0.00044', 'n/a')
    """
    if value is None or not math.isfinite(value):
        return "n/a"
    if 0 < abs(value) < 0.5 * 10**-digits:  # what is not zero is not written as zero
        text = f"{value:.1e}" if abs(value) < 1e-6 else f"{value:.{1 - math.floor(math.log10(abs(value)))}f}"
    else:
        text = f"{value:,.{digits}f}"
    return text.replace("-", "−")


def significant_text(value: float | None, *, digits: int = 3) -> str:
    """Write a number of no fixed scale, such as an importance, with so many significant digits.

    Example:
        >>> significant_text(0.0023712), significant_text(1.5), significant_text(1234.6), significant_text(0.0)
        ('0.00237', '1.50', '1,235', '0')
    """
    if value is None or not math.isfinite(value):
        return "n/a"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    text = f"{value:.{digits - 1}e}" if size < -6 or size > 8 else f"{value:,.{max(0, digits - 1 - size)}f}"
    return text.replace("-", "−")


def change_text(value: float | None, *, digits: int = 3) -> str:
    """Write a difference with its sign.

    Example:
        >>> change_text(0.0123), change_text(-0.004), change_text(0.0)
        ('+0.012', '−0.004', '0.000')
    """
    sign = "+" if value is not None and math.isfinite(value) and value > 0 else ""
    return sign + number_text(value, digits=digits)


def count_text(value: float | None) -> str:
    """Write a count, or a cost that need not be whole.

    Example:
        >>> count_text(12618), count_text(12618.0), count_text(0.25), count_text(None)
        ('12,618', '12,618', '0.25', 'n/a')
    """
    if value is None or not math.isfinite(value):
        return "n/a"
    text = f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"
    return text.replace("-", "−")


def percent_text(value: float, digits: int = 1) -> str:
    """Write a percentage without its sign: 51.33 is "51.3"; what is not zero is not written as zero."""
    return "0" if value == 0 else number_text(value, digits=digits)


def p_text(value: float | None) -> str:
    """Write a p value: three decimals, "< 0.001" below, "n/a" for None."""
    return "< 0.001" if value is not None and value < 0.001 else number_text(value)


def objective_label(name: str) -> str:
    """Say what an objective asks for, with its name as the program knows it."""
    return f"{OBJECTIVE_LABELS[name]} ({name})" if name in OBJECTIVE_LABELS else name


def metric_label(metric: str) -> str:
    """Name a metric as it is written in papers: "roc_auc" is "ROC-AUC"."""
    return METRIC_LABELS.get(metric) or (metric[:1].upper() + metric[1:].replace("_", " "))


def output_label(output: str) -> str:
    """Name an output; "(mean)" stands for the mean of all.

    Example:
        >>> output_label("TCR"), output_label("(mean)")
        ('TCR', 'mean of outputs')
    """
    return {MEAN_OF_OUTPUTS: "mean of outputs", ALL_CLASSES: "all classes"}.get(output, output)


def short_name(name: str, *, width: int = LABEL_WIDTH) -> str:
    """Shorten a name in the middle: names of one family share their beginnings, so both ends are kept.

    Example:
        >>> short_name("LCK"), short_name("MAPK_signalling_complex_isoform_7", width=11)
        ('LCK', 'MAPK_…orm_7')
    """
    if len(name) <= width:
        return name
    return name[: width // 2] + "…" + name[len(name) - (width - width // 2 - 1) :]
