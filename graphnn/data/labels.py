"""Labels of cells: reading them, matching them to cells by barcode, and checks before training.

May import `graphnn.errors`, `graphnn.graph` and `graphnn.data.cells`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from graphnn.data.cells import Cells, barcode_names, is_anndata
from graphnn.data.groups import read_groups
from graphnn.errors import DataError, FormatError, MissingFileError, OptionError, did_you_mean, quoted
from graphnn.graph.files import read_rows

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True, eq=False)
class LabelledCells:
    """Cells that have a label, row by row with their labels.

    Attributes:
        cells: The cells with a label, in the order they had.
        labels: float64, index `cells.barcodes`, one column for each output in the order asked for.
        n_unlabelled: Cells left out because there is no label for them.
        n_unmatched: Labels left out because there is no cell for them.
    """

    cells: Cells
    labels: pd.DataFrame
    n_unlabelled: int = 0
    n_unmatched: int = 0


def read_labels(path: str | Path, *, outputs: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table of labels: barcodes in the first column, then one column of numbers for each output.

    Args:
        path: CSV or TSV file (the delimiter is read off the header; ".gz" is gzip).
        outputs: Columns to keep, in this order. None: all. One output takes the only column whatever its name.

    Returns:
        float64 columns, indexed by barcode, in the order of the file.

    Raises:
        MissingFileError: There is no such file.
        FormatError: The file is empty or no table, a column occurs twice, or a label is no finite number; the line is
            named.
        DataError: A barcode occurs twice, or the columns do not fit the outputs.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(path, what="a table of labels")
    rows = read_rows(path, what="a table of labels")
    _, (_, *columns) = next(rows)
    if len(set(columns)) < len(columns) or not all(columns):
        raise FormatError(f"expected label columns with names of their own, got {quoted(columns)}; rename", path=path)
    index: list[str] = []
    values: list[list[float]] = []
    for line, (barcode, *entries) in rows:
        if not barcode:
            raise FormatError("expected a barcode in the first column, got none; fill it", path=path, line=line)
        index.append(barcode)
        values.append(
            [_number(entry, column, path=path, line=line) for column, entry in zip(columns, entries, strict=True)]
        )
    if not index:
        raise FormatError("expected at least one label, got a header only; is this the right file?", path=path)
    frame = pd.DataFrame(values, index=pd.Index(index, name="barcode", dtype=object), columns=columns, dtype=np.float64)
    _check_barcodes(tuple(index))
    return frame if outputs is None else _for_outputs(frame, _check_outputs(outputs))


def read_classes(path: str | Path) -> pd.DataFrame | pd.Series:
    """Read classes of cells: one column of names, or one column of 0 and 1 for each class.

    Args:
        path: As for `read_labels`.

    Returns:
        Names, indexed by barcode; or what `read_labels` gives.

    Raises:
        MissingFileError, FormatError, DataError: As `read_labels`.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(path, what="a table of labels")
    _, header = next(read_rows(path, what="a table of labels"))
    if len(header) != 2:
        return read_labels(path)
    found = read_groups(path, kind="label")
    _check_barcodes(tuple(found.index))
    return found


def labels_from_anndata(adata: AnnData, column: str | Sequence[str], *, outputs: Sequence[str]) -> pd.DataFrame:
    """Labels from columns of `adata.obs`, indexed by barcode.

    Args:
        adata: The cells.
        column: Name of a column; with two or more outputs the names of as many columns, which are those of the outputs.
        outputs: Columns of the result. One output takes the one column whatever its name.

    Raises:
        DataError: There is no AnnData or no such column, values are no numbers, or columns do not fit the outputs.
    """
    wanted = _check_outputs(outputs)
    if not is_anndata(adata):
        raise DataError(
            f"expected AnnData for the labels in obs column {column!r}, got {type(adata).__name__}; give the labels as "
            "a Series or DataFrame indexed by barcode"
        )
    names = [column] if isinstance(column, str) else list(column)
    absent = [name for name in names if name not in adata.obs.columns]
    if absent:
        raise DataError(
            f"expected label columns in obs, but {quoted(absent)} are not there (there are "
            f"{quoted(list(adata.obs.columns))}); choose among these",
            names=absent,
        )
    frame = adata.obs[names].set_axis(_index(barcode_names(adata.obs_names)), axis="index")
    frame = frame[frame.notna().all(axis="columns")]  # obs marks cells without a label so
    return _as_numbers(_for_outputs(frame, wanted))


def classes_from_anndata(adata: AnnData, column: str) -> pd.Series:
    """Class names from a column of `adata.obs`, indexed by barcode; cells without one, as obs marks them, are left out.

    Args:
        adata: The cells.
        column: Name of a column that is there.
    """
    classes = adata.obs[column].set_axis(_index(barcode_names(adata.obs_names)), axis="index")
    return classes[classes.notna()]


def match_labels(
    cells: Cells, y: pd.DataFrame | pd.Series | np.ndarray | Sequence[Any], *, outputs: Sequence[str]
) -> LabelledCells:
    """Bring labels into the order of the cells, by barcode.

    Cells without a label and labels without a cell are left out and counted.

    Args:
        cells: The cells.
        y: Series or DataFrame indexed by barcode, or, for one output, an array with one label a cell in their order.
            For an obs column of an AnnData call `labels_from_anndata` first.
        outputs: Names of the predicted vertices. Two or more must be columns of `y`; one output takes the only column
            whatever its name.

    Returns:
        The cells with their labels, in the order of `cells.barcodes`.

    Raises:
        DataError: No barcode is shared, a barcode occurs twice in `y`, an array has another length, a column is
            missing, or a label of a shared cell is NaN, infinite or no number; `names` lists barcodes or columns.

    Example:
        >>> cells = Cells(np.ones((2, 1)), ("c1", "c2"), ("A",))
        >>> matched = match_labels(cells, pd.Series([0, 1, 1], index=["c9", "c2", "c1"]), outputs=["LCK"])
        >>> matched.labels["LCK"].to_dict(), matched.n_unlabelled, matched.n_unmatched
        ({'c1': 1.0, 'c2': 1.0}, 0, 1)
    """
    wanted = _check_outputs(outputs)
    if not isinstance(y, pd.DataFrame | pd.Series):
        return LabelledCells(cells, _check_finite(_as_numbers(_aligned(cells, y, wanted))))
    frame = y.to_frame() if isinstance(y, pd.Series) else y
    frame = frame.set_axis(_index(barcode_names(frame.index)), axis="index")
    _check_barcodes(tuple(frame.index))
    known = set(frame.index)
    shared = [barcode for barcode in cells.barcodes if barcode in known]
    if not shared:
        raise DataError(
            f"expected labels for the cells, but no barcode is shared: cells {quoted(cells.barcodes, limit=3)}, labels "
            f"{quoted(list(frame.index), limit=3)}; index the labels by barcode and check prefixes and suffixes such "
            "as '-1'",
            names=(*cells.barcodes[:3], *frame.index[:3]),
        )
    labels = _check_finite(_as_numbers(_for_outputs(frame, wanted).loc[shared]))
    return LabelledCells(
        cells=cells if len(shared) == cells.n_cells else cells.subset(shared),
        labels=labels,
        n_unlabelled=cells.n_cells - len(shared),
        n_unmatched=len(frame) - len(shared),
    )


def check_binary(labels: pd.DataFrame) -> None:
    """Raise unless every column holds both classes, 0 and 1 (False and True count as these), and nothing else.

    Raises:
        DataError: A column has text, other values or a single class; `names` lists that output.
    """
    numbers = _check_finite(_as_numbers(labels))
    for output in numbers.columns:
        classes = np.unique(numbers[output].to_numpy()).tolist()
        shown = ", ".join(f"{value:g}" for value in classes[:5]) + (", ..." if len(classes) > 5 else "")
        if not set(classes) <= {0.0, 1.0}:
            raise DataError(
                f"expected labels 0 and 1 for the output {output!r}, got {len(classes):,} values ({shown}); encode the "
                "classes as 0 and 1",
                names=(str(output),),
            )
        if len(classes) < 2:
            raise DataError(
                f"expected both classes, 0 and 1, for the output {output!r}, got a single class ({shown}) in "
                f"{len(numbers):,} cells; add cells of the other class",
                names=(str(output),),
            )


def check_classes(labels: pd.DataFrame) -> None:
    """Raise unless each cell is of exactly one class and each class has at least two cells.

    Args:
        labels: One column for each class, 1 for its cells and 0 for the others; see `one_hot`.

    Raises:
        DataError: A value is neither 0 nor 1, a cell is of no class or of several, or a class has fewer than two cells.
    """
    numbers = _check_finite(_as_numbers(labels))
    values = numbers.to_numpy()
    if not np.isin(values, (0.0, 1.0)).all():
        raise DataError("expected labels 0 and 1 for classes, got other values; give a Series of class names")
    odd = values.sum(axis=1) != 1
    if odd.any():
        names = [str(name) for name in numbers.index[odd]]
        raise DataError(
            f"expected each cell to be of exactly one class, but {len(names):,} cells are of none or of several "
            f"({quoted(names)}); for questions with answers of their own use task='binary'",
            names=names,
        )
    few = [str(name) for name, count in numbers.sum().items() if count < 2]
    if few:
        raise DataError(
            f"expected at least two cells of each class, but {quoted(few)} have fewer; leave these classes out, or "
            "gather more of their cells",
            names=few,
        )


def one_hot(classes: pd.Series, *, outputs: Sequence[str]) -> pd.DataFrame:
    """Class names as one column of 0 and 1 for each output.

    Args:
        classes: Name of each cell's class, indexed by barcode; each the name of an output.
        outputs: Predicted vertices, one a class.

    Raises:
        DataError: A cell has no class, or one that is no output; `names` lists barcodes or classes.

    Example:
        >>> one_hot(pd.Series(["B", "T"], index=["c1", "c2"]), outputs=["T", "B"]).loc["c2"].to_dict()
        {'T': 1.0, 'B': 0.0}
    """
    wanted = _check_outputs(outputs)
    empty = classes.isna()
    if empty.any():
        names = [str(name) for name in classes.index[empty]]
        raise DataError(
            f"expected a class for every cell, got none for {len(names):,} ({quoted(names)}); leave these cells out of "
            "the labels",
            names=names,
        )
    found = classes.astype(str)
    unknown = sorted({*found} - {*wanted})
    if unknown:
        raise DataError(
            f"expected classes that are outputs of the network, but {quoted(unknown)} are none (outputs: "
            f"{quoted(wanted)}); give each class its output, or leave its cells out{did_you_mean(unknown, wanted)}",
            names=unknown,
        )
    return pd.DataFrame({name: (found == name).astype(np.float64) for name in wanted}, index=classes.index)


def _index(barcodes: tuple[str, ...]) -> pd.Index:
    return pd.Index(list(barcodes), name="barcode", dtype=object)


def _check_outputs(outputs: Sequence[str]) -> list[str]:
    names = [outputs] if isinstance(outputs, str) else list(outputs)
    if isinstance(outputs, str) or not names or len(set(names)) < len(names):
        raise OptionError("outputs", outputs, "a list of different names", do=f"write {list(dict.fromkeys(names))!r}")
    return names


def _check_barcodes(barcodes: tuple[str, ...]) -> None:
    index = pd.Index(barcodes)
    if not index.is_unique:
        twice = tuple(index[index.duplicated()].unique())
        raise DataError(
            f"expected one label a cell, but barcodes {quoted(twice)} occur several times; keep one row of each",
            names=twice,
        )


def _for_outputs(frame: pd.DataFrame, outputs: list[str]) -> pd.DataFrame:
    """The columns of the outputs; a single column serves a single output under any name."""
    if len(outputs) == 1 and frame.shape[1] == 1:
        return frame.set_axis(outputs, axis="columns")
    absent = [name for name in outputs if name not in frame.columns]
    twice = [name for name in outputs if list(frame.columns).count(name) > 1]
    if absent or twice:
        raise DataError(
            f"expected one label column for each output, but {quoted(absent or twice)} "
            f"{'have none' if absent else 'have several'} among {quoted(list(frame.columns))}; name the columns like "
            "the outputs",
            names=absent or twice,
        )
    return frame[outputs]


def _aligned(cells: Cells, y: object, outputs: list[str]) -> pd.DataFrame:
    if isinstance(y, str):
        raise DataError(
            f"expected labels, got the name {y!r}; with AnnData call labels_from_anndata(adata, {y!r}, outputs=...)",
            names=(y,),
        )
    values = np.asarray(y)
    if len(outputs) > 1:
        raise DataError(
            f"expected labels with names for the outputs {quoted(outputs)}, got {type(y).__name__}; give a DataFrame "
            "with these columns",
            names=outputs,
        )
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (cells.n_cells,):
        raise DataError(
            f"expected an array with one label for each of {cells.n_cells:,} cells, got {type(y).__name__} of shape "
            f"{values.shape}; give a Series indexed by barcode if the cells differ"
        )
    return pd.DataFrame({outputs[0]: values}, index=_index(cells.barcodes))


def _as_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """All columns as float64; text is refused, even where it looks like numbers."""
    columns = {name: _numeric(frame[name]) for name in frame.columns}
    return pd.DataFrame(columns, index=frame.index, columns=frame.columns)


def _numeric(column: pd.Series) -> np.ndarray:
    present = column.dropna()
    odd = [value for value in present.unique() if not isinstance(value, int | float | np.number | np.bool_)]
    if odd:
        raise DataError(
            f"expected numbers as labels for {str(column.name)!r}, got {quoted(odd)}; encode them, e.g. "
            f"(labels == {odd[0]!r}).astype(int)",
            names=(str(column.name),),
        )
    return column.astype(object).where(column.notna(), np.nan).to_numpy(dtype=np.float64)


def _check_finite(labels: pd.DataFrame) -> pd.DataFrame:
    bad = ~np.isfinite(labels.to_numpy())
    if bad.any():
        names = [str(name) for name in labels.index[bad.any(axis=1)]]
        raise DataError(
            f"expected a finite label in every cell, got NaN or infinite ones in {len(names):,} cells "
            f"({quoted(names)}); leave these cells out of the labels",
            names=names,
        )
    return labels


def _number(entry: str, column: str, *, path: Path, line: int) -> float:
    try:
        number = float(entry)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise FormatError(
            f"expected a number as label in column {column!r}, got {entry!r}; encode classes as 0 and 1 and delete "
            "rows without a label",
            path=path,
            line=line,
        )
    return number
