"""Groups of cells that must not stand on both sides of a split: donors, batches, plates.

May import `graphnn.errors`, `graphnn.graph` and this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from graphnn.data.cells import barcode_names
from graphnn.errors import DataError, FormatError, MissingFileError, quoted
from graphnn.graph.files import read_rows


def read_groups(path: str | Path, *, kind: str = "group") -> pd.Series:
    """Read a table of groups: barcodes in the first column, groups in the second.

    Args:
        path: CSV or TSV file (the delimiter is read off the header; ".gz" is gzip).
        kind: What the groups are, for messages.

    Returns:
        Text, indexed by barcode, in the order of the file; its name is that of the second column.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is no table of two columns, or an entry is empty; the line is named.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(path, what=f"a table of {kind}s")
    rows = read_rows(path, what=f"a table of {kind}s")
    _, header = next(rows)
    if len(header) != 2:
        raise FormatError(f"expected the columns barcode and {kind}, got {quoted(header)}; leave two", path=path)
    found: dict[str, list[str]] = {"barcode": [], "group": []}
    for line, (barcode, group) in rows:
        if not barcode or not group:
            raise FormatError(f"expected a barcode and its {kind}, got an empty entry; fill it", path=path, line=line)
        found["barcode"].append(barcode)
        found["group"].append(group)
    return pd.Series(found["group"], index=pd.Index(found["barcode"], name="barcode", dtype=object), name=header[1])


def match_groups(
    given: Sequence[str], groups: pd.Series | np.ndarray | Sequence[Any], *, barcodes: Sequence[str]
) -> npt.NDArray[np.int64]:
    """Bring groups into the order of some cells, by barcode.

    Args:
        given: Barcodes of all cells as they were given.
        groups: Series indexed by barcode, or one entry for each of the given cells in their order. Names or numbers.
        barcodes: The cells whose groups are asked for.

    Returns:
        The number of each cell's group, from 0, in the order of the groups as text; shape (len(barcodes),).

    Raises:
        DataError: A cell has no group, a barcode occurs twice, or there are other than one entry a cell; `names` lists
            barcodes.

    Example:
        >>> match_groups(("c1", "c2", "c3"), ["mother", "child", "mother"], barcodes=["c3", "c2"]).tolist()
        [1, 0]
    """
    if isinstance(groups, pd.Series):
        found = groups.set_axis(pd.Index(list(barcode_names(groups.index)), dtype=object))
        twice = tuple(found.index[found.index.duplicated()].unique())
        if twice:
            raise DataError(
                f"expected one group a cell, but barcodes {quoted(twice)} occur several times; keep one row of each",
                names=twice,
            )
    else:
        values = np.asarray(groups, dtype=object)
        if isinstance(groups, str) or values.shape != (len(given),):
            got = f"the name {groups!r}" if isinstance(groups, str) else f"shape {values.shape}"
            raise DataError(
                f"expected one group for each of {len(given):,} cells, got {got}; give a Series indexed by barcode"
            )
        found = pd.Series(values, index=pd.Index(list(given), dtype=object))
    found = found.reindex(list(barcodes))
    absent = [str(barcode) for barcode in found.index[found.isna()]]
    if absent:
        raise DataError(
            f"expected a group for every cell with a label, but {len(absent):,} cells ({quoted(absent)}) have none; "
            "leave these cells out of the labels, or give them a group",
            names=absent,
        )
    return np.unique(found.astype(str).to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)
