"""Results in words: one plain sentence for each, from the tables of a comparison."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from graphnn.evaluate.comparison import MEAN, Comparison
from graphnn.evaluate.options import CONTROLS
from graphnn.report.text import change_text, metric_label, number_text, p_text

CONFIDENCE = 0.95
MANY = 5  # nodes that a sentence names at most
LEVEL = 0.05  # of the false discovery rate


def of_change(row: Any, *, several: bool) -> str:
    """What became of a metric."""
    metric = _metric(row, several=several)
    if not math.isfinite(row["full"]):
        return f"{metric} is not defined on any fold, so nothing can be said of its change."
    means = f"Mean {metric} is {number_text(row['full'])} before and {number_text(row['compressed'])} after compression"
    change = f"{means}: a change of {change_text(row['change'])}"
    if not math.isfinite(row["p"]):
        return f"{change}; the splits say nothing of its uncertainty."
    interval = f"{100 * CONFIDENCE:.0f} % interval {change_text(row['ci_low'])} to {change_text(row['ci_high'])}"
    clear = row["ci_low"] > 0 or row["ci_high"] < 0
    verdict = "a difference beyond chance" if clear else "no difference beyond chance was detected"
    return f"{change} ({interval}, corrected resampled t, {_p_words(row['p'])}); {verdict}."


def _p_words(p: float) -> str:
    text = p_text(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def of_margin(row: Any, *, several: bool) -> str:
    """What was shown of the margin."""
    metric = _metric(row, several=several)
    claim = f"Not worse than {number_text(row['margin'])} in {metric}"
    if not math.isfinite(row["change"]):
        return f"{claim}: nothing can be said, as it is not defined on any fold."
    if math.isfinite(row["bound"]) and not math.isfinite(row["p"]):
        return f"{claim}: supported, as it changed on no split."
    if not math.isfinite(row["bound"]):
        return f"{claim}: nothing can be said, as the splits say nothing of the uncertainty of the change."
    found = f"one-sided {100 * CONFIDENCE:.0f} % bound {change_text(row['bound'])}, {_p_words(row['p'])}"
    if row["supported"]:
        return f"{claim}: supported ({found})."
    return f"{claim}: not supported ({found}); these cells cannot rule a larger loss out."


def of_stability(row: Any, *, several: bool) -> str:
    """How far fits agree on the order of the nodes."""
    whose = f"{row['network'].capitalize()} network" + (f", output {row['output']}" if several else "")
    if row["n_fits"] < 2:
        return f"{whose}: one fit cannot say how stable its ranks are."
    if not math.isfinite(row["kendall_w"]):
        few = row["n_nodes"] < 3
        return (
            f"{whose}: {'too few nodes' if few else 'all scores tie, so nothing is there'} to say how stable ranks are."
        )
    shared, chance = (f"{100 * row[name]:.0f} %" for name in ("jaccard", "jaccard_by_chance"))
    return (
        f"{whose}: over {row['n_fits']:,} fits the ranks of {row['n_nodes']:,} nodes have Kendall's W "
        f"{number_text(row['kendall_w'], digits=2)} (1: all fits give one order; near 0: no more than chance); two "
        f"fits share {shared} of the nodes that either has among its first {row['top']:,} (by chance {chance})."
    )


def of_controls(
    comparison: Comparison, contrasts: pd.DataFrame, nulls: pd.DataFrame, minima: pd.DataFrame, *, several: bool
) -> list[str]:
    """Every network and control against the compressed network, in the leading metric."""
    leading = comparison.metrics[0]
    told = [
        _of_contrast(row, several=several)
        for _, row in contrasts[(contrasts["metric"] == leading) & (contrasts["network"] != "full")].iterrows()
    ]
    told += [_of_null(row, several=several) for _, row in nulls[nulls["metric"] == leading].iterrows()]
    told += [_of_minima(row, several=several) for _, row in minima.iterrows()]
    if comparison.lost_controls:
        lost = ", ".join(comparison.lost_controls)
        told.append(f"Stopped by the user: controls that are not, or not wholly, here: {lost}.")
    return told


def _of_contrast(row: Any, *, several: bool) -> str:
    name, metric = row["network"], _metric(row, several=several)
    what = f"{name} ({CONTROLS[name]})" if name in CONTROLS else f"The network {name}"
    if not math.isfinite(row["mean"]):
        return f"{_capital(what)}: {metric} is not defined on any split that it shares with the compressed network."
    change = f"{_capital(what)}: {metric} {number_text(row['mean'])}, that is {change_text(row['change'])} against "
    change += f"the compressed network's {number_text(row['reference'])} on the same splits"
    if not math.isfinite(row["p"]):
        return f"{change}; the splits say nothing of its uncertainty."
    clear = row["ci_low"] > 0 or row["ci_high"] < 0
    interval = f"{change_text(row['ci_low'])} to {change_text(row['ci_high'])}, {_p_words(row['p'])}"
    return f"{change} ({interval}); {'a difference beyond chance' if clear else 'no difference beyond chance'}."


def _of_null(row: Any, *, several: bool) -> str:
    metric, what = _metric(row, several=several), CONTROLS[row["control"]]
    if not row["n_draws"]:
        return f"{_capital(row['control'])} ({what}): {metric} is not defined on any draw."
    told = (
        f"{_capital(row['control'])} ({what}): {row['n_draws']:,} draws have a mean {metric} of "
        f"{number_text(row['null_mean'])} ({number_text(row['null_low'])} to {number_text(row['null_high'])}); the "
        f"compressed network has {number_text(row['observed'])}, and {row['n_as_good']:,} of them "
        f"{'does' if row['n_as_good'] == 1 else 'do'} as well or better"
    )
    if row["control"] == "minima":
        return f"{told}. They are chosen to differ, not drawn at random, so there is no p value."
    if not math.isfinite(row["p"]):
        return f"{told}. Most of their edges could not be moved, so they say little, and there is no p value."
    told += f" (empirical {_p_words(row['p'])})."
    if 1 / (1 + row["n_draws"]) > LEVEL:
        return f"{told} So few draws give no p value below {number_text(1 / (1 + row['n_draws']))}."
    if row["control"] == "shuffled":
        found = "does hardly better than by chance" if row["p"] > LEVEL else "does better than by chance"
        return f"{told} The network {found}."
    if row["p"] > LEVEL:
        return (
            f"{told} These cells do not show that the wiring of the prior knowledge predicts better than such wiring."
        )
    return f"{told} The wiring of the prior knowledge predicts better than such wiring, beyond chance."


def _of_minima(row: Any, *, several: bool) -> str:
    whose = f" for {row['output']}" if several else ""
    told = f"Between {row['n_networks']:,} minimal networks that share {row['n_nodes']:,} hidden nodes"
    if not math.isfinite(row["kendall_w"]):
        return f"{told}, nothing can be said of how stable ranks of importance are{whose}."
    shared, chance = (f"{100 * row[name]:.0f} %" for name in ("jaccard", "jaccard_by_chance"))
    return (
        f"{told}, the ranks of importance{whose} have Kendall's W {number_text(row['kendall_w'], digits=2)}; two "
        f"networks share {shared} of the nodes that either has among its first {row['top']:,} (by chance {chance})."
    )


def of_correction(found: pd.DataFrame, *, several: bool) -> list[str]:
    """Which nodes stand out against control inputs."""
    told = []
    for output, rows in found.groupby("output", sort=False):
        whose = f" for {output}" if several else ""
        clear = rows[(rows["q"] <= LEVEL) & (rows["ratio"] > 1)].sort_values("ratio", ascending=False, kind="stable")
        if rows["p"].isna().all():
            told.append(f"Too few draws of control inputs to say which nodes stand out against them{whose}.")
            continue
        words = f"{len(clear):,} of {len(rows):,} nodes matter more{whose} than the shape of the network explains"
        if len(clear):
            names = ", ".join(f"{row.node} ({row.ratio:.1f} times)" for row in clear.head(MANY).itertuples())
            words += f"; the largest: {names}"
        told.append(
            f"{words} (false discovery rate {100 * LEVEL:.0f} %, by how much control inputs differ from draw to draw)."
        )
    return told


def of_confusing(found: pd.DataFrame) -> str:
    """What the table of cells near a tie says."""
    wrong = int((found["n_wrong"] > 0).sum())
    return (
        f"The predictions of which both networks are least sure, in folds that did not train on the cell; {wrong:,} of "
        f"these {len(found):,} are wrong by at least one network. Such cells may be mixtures, transitions, or wrongly "
        "labelled."
    )


def _metric(row: Any, *, several: bool) -> str:
    """A metric and, where there are several outputs, whose it is."""
    label = metric_label(row["metric"])
    if not several:
        return label
    return f"{label} over all outputs" if row["output"] == MEAN else f"{label} of {row['output']}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
