"""The tables of a bundle as CSV, both ways: nodes, edges, features.

May import `graphnn.errors` and the NumPy modules of this package.

Text is always quoted, so that no name is taken for a number, a missing value or two fields; numbers never are, and are
written so that they come back to the last bit.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from graphnn.compiler.features import Features
from graphnn.compiler.plan import LayerPlan
from graphnn.errors import FormatError

NODES = ("name", "role", "level", "column")
EDGES = ("source", "target", "interaction")
FEATURES = ("input", "column", "offset", "factor", "limit", "mean")


def nodes_table(plan: LayerPlan) -> bytes:
    """One row for each place of a vertex: a fed input stands in the data (level 0) and in the level that feeds it."""
    rows: list[tuple[Any, ...]] = [(name, "input", 0, column) for column, name in enumerate(plan.inputs)]
    for number, level in enumerate(plan.levels, start=1):
        roles = ("hidden",) * level.n_hidden + ("output",) * level.n_outputs + ("fed input",) * level.n_fed
        rows += [(name, roles[column], number, column) for column, name in enumerate(level.nodes)]
    return _write(NODES, rows)


def edges_table(plan: LayerPlan) -> bytes:
    """One row for each edge, in the order of the kernels: level by level."""
    signs = np.concatenate([level.interaction for level in plan.levels]).tolist()
    return _write(EDGES, [(*edge, sign) for edge, sign in zip(plan.edges(), signs, strict=True)])


def features_table(features: Features) -> bytes:
    """One row for each input."""
    numbers = [getattr(features, name).astype(np.float64).tolist() for name in FEATURES[2:]]
    return _write(FEATURES, zip(features.inputs, features.columns, *numbers, strict=True))


def read_features(data: bytes) -> Features:
    """Inverse of `features_table`.

    Raises:
        FormatError: It is no such table.
    """
    rows = _read(data, FEATURES, what="features.csv")
    try:
        numbers = np.array([row[2:] for row in rows], dtype=np.float64).reshape(len(rows), len(FEATURES) - 2)
    except ValueError as error:
        raise FormatError(f"expected numbers in features.csv, got others ({error}); save the bundle again") from error
    with np.errstate(over="ignore"):
        return Features(tuple(row[0] for row in rows), tuple(row[1] for row in rows), *numbers.T.astype(np.float32))


def check_tables(nodes: bytes, edges: bytes, plan: LayerPlan) -> None:
    """Refuse tables that say something else than the plan.

    Raises:
        FormatError: They do.
    """
    for name, given, ours, header in (
        ("nodes.csv", nodes, nodes_table(plan), NODES),
        ("edges.csv", edges, edges_table(plan), EDGES),
    ):
        if given != ours and _read(given, header, what=name) != _read(ours, header, what=name):
            raise FormatError(f"expected {name} to say what the plan says, got something else; save the bundle again")


def _write(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _read(data: bytes, header: Sequence[str], *, what: str) -> list[list[str]]:
    try:
        rows = list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"expected {what} to be a table in UTF-8, got {error}; save the bundle again") from error
    if not rows or tuple(rows[0]) != tuple(header) or any(len(row) != len(header) for row in rows):
        raise FormatError(
            f"expected {what} with the columns {', '.join(header)}, got other ones; save the bundle again"
        )
    return rows[1:]
