"""What the engine on numba does with the edges out of the data, against what was left; a part of `benchmarks.kernels`.

Imports numba.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from graphnn.compiler.model import compile_network
from graphnn.evaluate.engine import kernels, on_numba
from graphnn.evaluate.engine.wires import lower
from graphnn.extract.dag import Dag

BATCH, RUNS, TILE = kernels.WIDTH, 60, 4_096
compiled = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})


@compiled
def by_loops(first, column, value, rows, edge_first, unit, weight, arrived):  # type: ignore[no-untyped-def]
    """For each value a loop over the edges of its input."""
    for b in range(len(rows)):
        row = arrived[b]
        for k in range(first[rows[b]], first[rows[b] + 1]):
            x = value[k]
            for e in range(edge_first[column[k]], edge_first[column[k] + 1]):
                row[unit[e]] += x * weight[e]


@compiled
def by_input(first, place, value, edge_first, unit, weight, sums):  # type: ignore[no-untyped-def]
    """Values sorted by input: for each edge a loop over the cells that have its input."""
    for i in range(len(first) - 1):
        for e in range(edge_first[i], edge_first[i + 1]):
            row, w = sums[unit[e]], weight[e]
            for k in range(first[i], first[i + 1]):
                row[place[k]] += w * value[k]


@compiled
def dense_batch(first, column, value, zero, rows, cursor, x):  # type: ignore[no-untyped-def]
    """A dense batch, inputs first, tile by tile: zeros filled in, then what is not zero."""
    for b in range(len(rows)):
        cursor[b] = first[rows[b]]
    for begin in range(0, len(x), TILE):
        end = min(begin + TILE, len(x))
        for i in range(begin, end):
            for b in range(BATCH):
                x[i, b] = zero[i]
        for b in range(len(rows)):
            at, last = cursor[b], first[rows[b] + 1]
            while at < last and column[at] < end:
                x[column[at], b] = value[at]
                at += 1
            cursor[b] = at


@compiled
def over_rows(source, weight, first, both):  # type: ignore[no-untyped-def]
    """Sums over whole rows of a dense batch; units stand behind the inputs."""
    for u in range(len(first) - 1):
        at = np.int64(len(both) - len(first) + 1 + u)
        kernels.add_edges(both, source, weight, np.int64(0), np.int64(first[u]), np.int64(first[u + 1]), at)


def milliseconds(function: Callable[..., Any], *arguments: Any) -> float:
    """The least time of a call."""
    function(*arguments)
    least = float("inf")
    for _ in range(RUNS):
        start = time.perf_counter()
        function(*arguments)
        least = min(least, time.perf_counter() - start)
    return 1e3 * least


def measure(network: Dag, cells: Any, note: Callable[[str, str, float], None]) -> None:
    """Forward sums over the edges out of the data of a batch, in every way."""
    lowered = lower(compile_network(network))
    wires, draw = lowered.wires, np.random.default_rng(0)
    n_inputs, n_units = cells.shape[1], len(wires.bias)
    ones = np.ones(n_inputs, dtype=np.float32)
    given = on_numba.stored(cells)
    held = on_numba.scaled(given, 0 * ones, ones, 10 * ones, np.zeros((0, 0), dtype=np.float32))
    rows = draw.permutation(cells.shape[0])[:BATCH]
    weight = draw.normal(size=lowered.n_weights).astype(np.float32)
    room = on_numba.room_for(lowered, on_numba.most_chunks(lowered, given))
    is_edge = wires.chunk_unit.reshape(-1) < n_units
    source = np.repeat(wires.chunk_input, 2)[is_edge].astype(np.int64)
    unit = wires.chunk_unit.reshape(-1)[is_edge].astype(np.int64)
    order = np.lexsort((unit, source))
    source, unit = source[order], unit[order]
    edge_first = np.searchsorted(source, np.arange(n_inputs + 1))
    w = weight[: len(source)]
    question = f"{len(source):,} edges out of the data, {BATCH} cells of 10 % values: forward, numba"
    note(question, "chunks of two edges (used)", milliseconds(kernels.add_data, wires, held, rows, weight, room))
    way = (held.first, held.column, held.value, rows, edge_first, unit, w, room.arrived)
    note(question, "a loop over the edges of each value", milliseconds(by_loops, *way))

    batch = cells[rows].tocsc()
    batch.sort_indices()
    sums = np.zeros((n_units + 1, BATCH), dtype=np.float32)
    way = (batch.indptr.astype(np.int64), batch.indices.astype(np.int64), batch.data, edge_first, unit, w, sums)
    note(question, "values sorted by input, sorting not counted", milliseconds(by_input, *way))

    both = on_numba.rows_of_zeros(n_inputs + n_units)
    way = (held.first, held.column, held.value, held.zero, rows, np.zeros(BATCH, np.int64), both[:n_inputs])
    filled = milliseconds(dense_batch, *way)
    by_unit = np.lexsort((source, unit))
    first = np.searchsorted(unit[by_unit], np.arange(n_units + 1))
    summed = milliseconds(over_rows, source[by_unit].astype(np.uint32), w[by_unit].copy(), first, both)
    note(question, "a dense batch, filled tile by tile, and sums over its rows", filled + summed)
    note(question, "of that: the sums alone", summed)
