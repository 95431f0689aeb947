"""What the drawn families share: distinct edges by popularity, trees that guarantee ways, costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from solvers.errors import ProblemError
from solvers.problem import FloatVector, IntVector, Problem

COSTS = ("unit", "integer", "real")
Edges = tuple[IntVector, IntVector]


def edge_costs(draw: np.random.Generator, n_edges: int, costs: str) -> FloatVector:
    """A cost for each edge, shape (n_edges,): all 1, whole numbers from 1 to 10, or uniform in [0.1, 1).

    Raises:
        ProblemError: `costs` is none of "unit", "integer" and "real".
    """
    if costs == "unit":
        return np.ones(n_edges)
    if costs == "integer":
        return draw.integers(1, 11, n_edges).astype(np.float64)
    if costs == "real":
        return draw.uniform(0.1, 1.0, n_edges)
    raise ProblemError(f"expected costs to be one of {', '.join(COSTS)}, got {costs!r}")


def zipf(draw: np.random.Generator, n: int, exponent: float) -> FloatVector:
    """Probabilities proportional to rank^-exponent over n things whose ranks are drawn, shape (n,)."""
    weights = np.arange(1, n + 1, dtype=np.float64) ** -exponent
    return draw.permutation(weights / weights.sum())


def distinct_edges(
    draw: np.random.Generator, start: Edges, n_edges: int, tails: FloatVector, heads: FloatVector
) -> Edges:
    """Edges drawn until there are `n_edges` distinct ones, tail and head independently by their probabilities.

    Args:
        draw: The generator.
        start: Edges that are there already, distinct, kept first; tails and heads are indices into the probabilities.
        n_edges: How many edges in all.
        tails: Probability of each tail, shape (n_tails,).
        heads: Probability of each head, shape (n_heads,).

    Raises:
        ProblemError: There are not so many pairs, or fewer edges are wanted than are there.
    """
    possible = int((tails > 0).sum()) * int((heads > 0).sum())
    if not len(start[0]) <= n_edges <= possible:
        raise ProblemError(f"expected between {len(start[0])} and {possible} edges, got {n_edges}")
    cumulated = np.cumsum(tails), np.cumsum(heads)
    keys = start[0] * len(heads) + start[1]
    while len(keys) < n_edges:
        size = max(1_000, 2 * (n_edges - len(keys)))
        tail, head = (_picked(draw, sums, size) for sums in cumulated)
        drawn = np.concatenate([keys, tail * len(heads) + head])
        first = np.sort(np.unique(drawn, return_index=True)[1])  # in the order in which they were drawn
        keys = drawn[first]
    return keys[:n_edges] // len(heads), keys[:n_edges] % len(heads)


def _picked(draw: np.random.Generator, sums: FloatVector, size: int) -> IntVector:
    """Indices drawn by cumulated probabilities; rounding never leads past the end."""
    found = np.searchsorted(sums, draw.uniform(0.0, sums[-1], size), side="right")
    return np.minimum(found, len(sums) - 1).astype(np.int64)


def in_tree(draw: np.random.Generator, n: int) -> Edges:
    """A random recursive tree: each vertex but the first of a drawn order has one edge to an earlier one."""
    order = draw.permutation(n)
    earlier = (draw.random(n - 1) * np.arange(1, n)).astype(np.int64)
    return order[1:].astype(np.int64), order[earlier].astype(np.int64)


def strongly_connected(draw: np.random.Generator, n: int, n_edges: int) -> Edges:
    """Distinct random edges without loops among n vertices, every vertex with a way to every other.

    Raises:
        ProblemError: `n_edges` is below 2 (n - 1), where the trees that guarantee the ways may not fit, or too large.
    """
    if not 2 * (n - 1) <= n_edges <= n * (n - 1):
        raise ProblemError(f"expected between {2 * (n - 1)} and {n * (n - 1)} edges, got {n_edges}")
    (tails, towards), (away, heads) = in_tree(draw, n), in_tree(draw, n)[::-1]
    trees = np.unique(np.concatenate([tails * n + towards, away * n + heads]))
    return without_loops(draw, (trees // n, trees % n), n, n_edges)


def without_loops(draw: np.random.Generator, start: Edges, n: int, n_edges: int) -> Edges:
    """Distinct uniform edges without loops among n vertices until there are `n_edges`, those of `start` first."""
    # A head is drawn as an offset 1 .. n - 1 from its tail, so that no loop can come up.
    offsets = np.where(np.arange(n) > 0, 1.0, 0.0)
    tails, shifts = distinct_edges(draw, (start[0], (start[1] - start[0]) % n), n_edges, np.ones(n), offsets)
    return tails, (tails + shifts) % n


def assembled(
    draw: np.random.Generator, parts: list[Edges], *, n_vertices: int, inputs: Any, outputs: Any, costs: str
) -> Problem:
    """The problem on all parts together, with drawn costs."""
    sources = np.concatenate([tails for tails, _ in parts])
    targets = np.concatenate([heads for _, heads in parts])
    return Problem(
        n_vertices=n_vertices,
        sources=sources,
        targets=targets,
        inputs=inputs,
        outputs=outputs,
        costs=edge_costs(draw, len(sources), costs),
    )
