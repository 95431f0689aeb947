"""Edge tables with named columns: KPNN edge lists, OmniPath, decoupler (CollecTRI, DoRothEA), any CSV or TSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from graphnn.errors import FormatError, OptionError
from graphnn.graph.files import read_rows
from graphnn.graph.interaction import parse_interaction, sign_of_weight
from graphnn.graph.prior import PriorGraph


def read_edge_table(
    path: str | Path | pd.DataFrame,
    *,
    source: str = "source",
    target: str = "target",
    interaction: str | None = None,
    weight: str | None = None,
    stimulation: str | None = None,
    inhibition: str | None = None,
) -> PriorGraph:
    """Read a table with one edge a row into a PriorGraph.

    A PKN edge runs in the direction of computation, from the measured vertex to the output. A KPNN edge list
    (`parent,child`) and a signalling network run the other way: exchange the names, `source="child",
    target="parent"`, to reverse them.

    The sign comes from the first of these that is given or found: `interaction` (1, -1, 0 or words), `weight` (its
    sign, as in decoupler), `stimulation` with `inhibition` (flags, as OmniPath's `is_stimulation`, `is_inhibition`;
    both or neither set means unknown). Where none is given, columns of these names are used if they exist. Where
    there is no such column every interaction is 0 (unknown).

    Args:
        path: CSV or TSV file (the delimiter is read off the header; ".gz" is gzip), or a DataFrame.
        source: Column with the tail of each edge.
        target: Column with the head of each edge.
        interaction: Column with the sign. None: the column "interaction" if there is one.
        weight: Column whose sign is the interaction. None: the column "weight" if there is one.
        stimulation: Column of flags. None: "is_stimulation" if there is one.
        inhibition: Column of flags. None: "is_inhibition" if there is one.

    Raises:
        MissingFileError: There is no such file.
        FormatError: A named column is missing or there twice, a name is empty, or a sign cannot be read; the line is
            named (for a DataFrame its first row is line 2).
        OptionError: One of `stimulation` and `inhibition` was given without the other.
    """
    name = None if isinstance(path, pd.DataFrame) else path
    table = path.set_axis(range(2, len(path) + 2)) if isinstance(path, pd.DataFrame) else _read_table(path)
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise FormatError(f"expected columns with names of their own, got {twice[0]!r} twice; rename one", path=name)
    for column in (source, target, interaction, weight, stimulation, inhibition):
        if column is not None and column not in table.columns:
            raise FormatError(
                f"expected a column {column!r}, got {', '.join(map(repr, table.columns))}; name the columns with "
                "source=, target= (--source, --target) and interaction=",
                path=name,
            )
    if (stimulation is None) != (inhibition is None):
        raise OptionError("stimulation and inhibition", (stimulation, inhibition), "given together or not at all")
    if not len(table):
        raise FormatError("expected at least one edge, got a header only; is this the right file?", path=name)
    ends = {column: _names(table[column], path=name) for column in (source, target)}

    asked = [interaction, weight, stimulation, inhibition]
    if asked == [None] * 4:
        usual = ("interaction", "weight", "is_stimulation", "is_inhibition")
        asked = [column if column in table.columns else None for column in usual]
    signs = _signs(table, interaction=asked[0], weight=asked[1], flags=(asked[2], asked[3]), path=name)
    return PriorGraph.from_edges(ends[source], ends[target], signs)


def _read_table(path: str | Path) -> pd.DataFrame:
    """The table as text, indexed by the number of each row's line."""
    rows = read_rows(path, what="an edge table")
    _, header = next(rows)
    numbered = list(rows)
    lines = pd.Index([line for line, _ in numbered], dtype=np.int64)
    return pd.DataFrame([fields for _, fields in numbered], index=lines, columns=header, dtype=object)


def _names(column: pd.Series, *, path: str | Path | None) -> list[str]:
    names = [value.strip() if isinstance(value, str) else value for value in column]
    for row, value in zip(column.index, names, strict=True):
        if not isinstance(value, str) or not value:
            raise FormatError(
                f"expected a name in column {column.name!r}, got {value!r}; fill it or delete the row",
                path=path,
                line=row,
            )
    return names


def _signs(
    table: pd.DataFrame,
    *,
    interaction: str | None,
    weight: str | None,
    flags: tuple[str | None, str | None],
    path: str | Path | None,
) -> list[int]:
    if interaction is not None:
        return _by_row(table[interaction], parse_interaction, path=path)
    if weight is not None:
        return _by_row(table[weight], lambda value: sign_of_weight(_number(value)), path=path)
    if flags[0] is not None and flags[1] is not None:
        up = _by_row(table[flags[0]], _flag, path=path)
        down = _by_row(table[flags[1]], _flag, path=path)
        return (np.array(up) - np.array(down)).tolist()
    return [0] * len(table)


def _by_row(column: pd.Series, read: Callable[[object], int], *, path: str | Path | None) -> list[int]:
    known: dict[object, int] = {}
    for row, value in zip(column.index.tolist(), column, strict=True):
        if value not in known:
            try:
                known[value] = read(value)
            except FormatError as error:
                raise FormatError(error.reason, path=path, line=row) from error
    return [known[value] for value in column]


def _number(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise FormatError(f"expected a finite weight, got {value!r}; its sign is the interaction")
    return number


def _flag(value: object) -> int:
    flag = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}.get(str(value).strip().casefold())
    if flag is None:
        raise FormatError(f"expected a flag (1, 0, true, false), got {value!r}")
    return flag
