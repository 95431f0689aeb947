"""Cells and labels of the verbs that train and predict: option types, and reading both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphnn.errors import OptionError, quoted

if TYPE_CHECKING:
    import pandas as pd

    from graphnn.data.cells import Cells

CellsFile = Annotated[
    Path, typer.Option("--cells", help="Cells: 10x .h5, .h5ad, or a table with barcodes in the first column.")
]
Labels = Annotated[Path | None, typer.Option(help="Labels: table `barcode,<output>`.")]
Label = Annotated[str | None, typer.Option(help="Labels: column of obs in a .h5ad file.")]
CellsLayer = Annotated[str | None, typer.Option(help="Layer of a .h5ad file.")]
Genome = Annotated[str | None, typer.Option(help="Genome of a 10x file that holds several.")]
Groups = Annotated[
    str | None,
    typer.Option(help="Donors or batches, which no split divides: table `barcode,group`, or column of obs of .h5ad."),
]
ClassWeight = Annotated[str | None, typer.Option(help="balanced: every class counts as much as any other in the loss.")]
Normalize = Annotated[str, typer.Option(help="auto (log-normalise whole numbers), log or none.")]


def check_label_source(labels: Path | None, label: str | None) -> None:
    """Refuse labels that are not given, or given twice.

    Raises:
        OptionError: They are.
    """
    if (labels is None) == (label is None):
        raise OptionError("labels", labels or label, "given once", do="use --labels FILE, or --label COLUMN with .h5ad")


def read_cells_and_labels(
    path: Path, labels: Path | None, label: str | None, outputs: Sequence[str], *, task: str, **how: str | None
) -> tuple[Cells, pd.DataFrame | pd.Series]:
    """Cells of a file, and their labels from a table or a column of obs; `how` goes to `read_cells`.

    For "multiclass" one column holds names of classes, several hold 0 and 1.
    """
    from graphnn.data.labels import classes_from_anndata, labels_from_anndata, read_classes, read_labels
    from graphnn.data.read import read_cells

    if labels is not None:
        read = read_classes if task == "multiclass" else read_labels
        return read_cells(path, **how), read(labels)  # type: ignore[arg-type]
    if path.suffix != ".h5ad":
        raise OptionError("--label", label, "given with a .h5ad file only", do="use --labels FILE")
    import anndata

    table = read_cells(path, **how)  # type: ignore[arg-type]
    adata = anndata.read_h5ad(path, backed="r")
    try:
        if task == "multiclass" and label is not None and label in adata.obs.columns:
            return table, classes_from_anndata(adata, label)
        return table, labels_from_anndata(adata, label or "", outputs=outputs)
    finally:
        adata.file.close()


def read_groups_of(path: Path, groups: str | None) -> pd.Series | None:
    """Groups of cells from a table, or from a column of obs where there is no such file.

    Raises:
        OptionError: It is neither.
    """
    from graphnn.data.groups import read_groups

    if groups is None:
        return None
    if path.suffix != ".h5ad" or Path(groups).is_file():
        return read_groups(groups)
    import anndata

    adata = anndata.read_h5ad(path, backed="r")
    try:
        if groups not in adata.obs.columns:
            known = list(adata.obs.columns)
            raise OptionError("--groups", groups, "a file, or a column of obs", do=f"obs has {quoted(known)}")
        return adata.obs[groups]
    finally:
        adata.file.close()
