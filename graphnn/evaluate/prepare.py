"""From what a user has to what trains: cells with labels, a column for each input, and what should be known of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from graphnn.data.cells import Cells, as_cells, barcode_names, is_anndata
from graphnn.data.groups import match_groups
from graphnn.data.labels import (
    LabelledCells,
    check_binary,
    check_classes,
    classes_from_anndata,
    labels_from_anndata,
    match_labels,
    one_hot,
)
from graphnn.errors import DataError, MismatchError, quoted
from graphnn.evaluate.splits import IntVector


def labelled_cells(X: Any, y: Any, outputs: Sequence[str], layer: str | None, *, task: str) -> LabelledCells:
    """Cells with labels that the task can use.

    Args:
        X: Cells, DataFrame or AnnData.
        y: Labels as in `match_labels`, or the name of an `obs` column. For "multiclass" also class names: one entry a
            cell, each the name of an output.
        outputs: Predicted vertices.
        layer: Layer of an AnnData; None: its X.
        task: "binary", "multiclass" or "regression".

    Raises:
        DataError: Cells or labels cannot be used.
    """
    cells = as_cells(X, layer=layer)
    if task == "multiclass":
        y = _as_classes(X, y, cells, outputs)
    if isinstance(y, str):
        y = labels_from_anndata(X, y, outputs=outputs)
    matched = match_labels(cells, y, outputs=outputs)
    if task == "binary":
        check_binary(matched.labels)
    elif task == "multiclass":
        check_classes(matched.labels)
    return matched


def _as_classes(X: Any, y: Any, cells: Cells, outputs: Sequence[str]) -> Any:
    """One column a class where class names were given; else the labels as they are."""
    if isinstance(y, str):
        if not is_anndata(X) or y not in X.obs.columns:
            return y  # refused with the reason where labels are read
        y = classes_from_anndata(X, y)
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        y = y.iloc[:, 0]
    if not isinstance(y, pd.DataFrame | pd.Series):
        values = np.asarray(y)
        if values.shape != (cells.n_cells,):
            return y
        y = pd.Series(values, index=list(cells.barcodes))
    return one_hot(y, outputs=outputs) if isinstance(y, pd.Series) else y


def group_numbers(X: Any, groups: Any, barcodes: Sequence[str]) -> IntVector:
    """The number of each cell's group.

    Args:
        X: Cells as they were given: Cells, DataFrame or AnnData.
        groups: As in `match_groups`, or the name of an `obs` column.
        barcodes: Of the cells that are used.

    Raises:
        DataError: A cell has no group, or there is no such column.
    """
    if isinstance(groups, str) and is_anndata(X):
        if groups not in X.obs.columns:
            raise DataError(
                f"expected a column of groups in obs, but {groups!r} is not there (there are "
                f"{quoted(list(X.obs.columns))}); choose among these",
                names=(groups,),
            )
        groups = X.obs[groups]
    if isinstance(X, Cells):
        given = X.barcodes
    else:
        given = barcode_names(X.obs_names if is_anndata(X) else X.index)
    return match_groups(given, groups, barcodes=barcodes)


def input_columns(cells: Cells, inputs: tuple[str, ...], suffix: str) -> dict[str, str]:
    """The column that feeds each input, by name.

    Raises:
        MismatchError: An input has none.
    """
    columns = cells.columns_of(inputs, suffix=suffix)
    missing = [name for name in inputs if name not in columns]
    if missing:
        raise MismatchError(
            f"expected a column for each of {len(inputs):,} inputs, but {quoted(missing)} have none; prune and extract "
            "with the inputs that are measured (Cells.columns_of), and give input_suffix (--input-suffix) if inputs "
            "have one",
            expected=inputs,
            got=missing,
        )
    return columns


def notes_on_data(
    matched: LabelledCells, columns: Mapping[str, str], outputs: Sequence[str], y: Any
) -> tuple[str, ...]:
    """What was left out or should be known, in sentences."""
    notes = []
    given = list(y.columns) if isinstance(y, pd.DataFrame) else [y.name] if isinstance(y, pd.Series) else []
    if len(outputs) == 1 and len(given) == 1 and given[0] not in (outputs[0], None):
        notes.append(f"Labels: the column {given[0]!r} was taken for the output {outputs[0]!r}.")
    shared = len(columns) - len(set(columns.values()))
    if shared:
        notes.append(f"{shared:,} inputs are fed by a column that feeds another input too.")
    if matched.n_unlabelled:
        notes.append(f"{matched.n_unlabelled:,} cells have no label and were left out.")
    if matched.n_unmatched:
        notes.append(f"{matched.n_unmatched:,} labels have no cell and were left out.")
    if matched.cells.holds_counts() and matched.cells.normalization is None:
        notes.append(
            "The cells hold whole numbers: if these are counts, normalise them first (Cells.log_normalized), "
            "so that sequencing depth does not stand in for biology."
        )
    return tuple(notes)
