"""The cells of which networks are least sure. Called by `Comparison.confusing_cells`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from graphnn.errors import OptionError
from graphnn.evaluate.metrics import THRESHOLD

if TYPE_CHECKING:
    from graphnn.evaluate.comparison import Comparison

PAIR = ["full", "compressed"]


def confusing_cells(comparison: Comparison, *, n: int) -> pd.DataFrame:
    """See `Comparison.confusing_cells`."""
    task = comparison.options.task
    if task == "regression":
        raise OptionError("task", task, "one with classes for cells near a tie", do="read predictions() instead")
    every = comparison.predictions()
    names = list(comparison.networks)
    mean = every.pivot_table(index=["output", "barcode"], columns="network", values="prediction", sort=False)[names]
    if task == "multiclass":
        return _of_classes(comparison, mean, n)
    frames = []
    for output in comparison.outputs:
        found = mean.loc[output].astype(np.float64)
        found.insert(0, "label", comparison.labels[output].reindex(found.index))
        found["distance"] = (found[PAIR] - THRESHOLD).abs().mean(axis=1)
        found["n_wrong"] = ((found[names] >= THRESHOLD).astype(int).sub(found["label"].astype(int), axis=0) != 0).sum(
            axis=1
        )
        frames.append(_nearest(found, n).assign(output=output))
    return _columns(pd.concat(frames, ignore_index=True))


def _of_classes(comparison: Comparison, mean: pd.DataFrame, n: int) -> pd.DataFrame:
    """One row a cell: how far its most probable class leads, and how probable its own is."""
    names, outputs = list(comparison.networks), list(comparison.outputs)
    of = {name: mean[name].unstack("output")[outputs] for name in names}  # barcodes x classes
    barcodes = of[names[0]].index
    own = comparison.labels.loc[barcodes, outputs].to_numpy().argmax(axis=1)
    found = pd.DataFrame({"label": [outputs[k] for k in own]}, index=barcodes)
    for name in names:
        found[name] = of[name].to_numpy()[np.arange(len(own)), own].astype(np.float64)
    ranked = [np.sort(of[name].to_numpy(dtype=np.float64), axis=1) for name in PAIR]
    found["distance"] = np.mean([probabilities[:, -1] - probabilities[:, -2] for probabilities in ranked], axis=0)
    found["n_wrong"] = sum((of[name].to_numpy().argmax(axis=1) != own).astype(int) for name in names)
    return _columns(_nearest(found, n).assign(output="(classes)"))


def _nearest(found: pd.DataFrame, n: int) -> pd.DataFrame:
    rows = found.rename_axis("barcode").reset_index()
    return rows.sort_values(["distance", "barcode"], kind="stable").head(n)


def _columns(frame: pd.DataFrame) -> pd.DataFrame:
    first = ["output", "barcode", "label"]
    return frame[[*first, *[name for name in frame.columns if name not in first]]].reset_index(drop=True)
