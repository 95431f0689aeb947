"""`EdgeSum`: what the edges of one layer bring to its columns, with gradients that no backend derives as well.

Imports `backend` and `noise`. On every backend the same numbers come out; on JAX the gradient is our own:

- forward, edges are grouped by target into chunks of a few edges, and a chunk is a sum of gathered rows that the
  compiler fuses into one loop; only sums over several chunks need a scatter;
- the gradient towards the weights is one product of gathered rows and one matrix product with ones. XLA's reduction
  over the batch runs element by element on the CPU (`python -m benchmarks.kernels`: 2.6 ms against 0.4 ms);
- the gradient towards the rows runs over edges sorted by source; where nobody asks for it, as with data, the compiler
  drops it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from graphnn.compiler.backend import keras
from graphnn.compiler.noise import keep_factor
from graphnn.errors import OptionError
from graphnn.graph.reach import IntVector

ops = keras.ops

WIDTHS = (1, 2, 4)  # edges a chunk; wider ones take longer to compile and are no faster
DENSE_RATIO = 8  # matrix entries that cost as much as one edge
DENSE_LARGEST = 2**20  # entries: beyond, a masked matrix is never "auto"


class Drop(NamedTuple):
    """Dropout of edge inputs: the state of the generator, the rate of each edge, and the number of the first edge."""

    state: Any
    rates: npt.NDArray[np.float32]
    first: int


class EdgeSum:
    """The map y[t, b] = sum over edges e into t of kernel[e] rows[source[e], b].

    Args:
        sources: Row that each edge reads, shape (n_edges,).
        targets: Row of the result to which it leads, shape (n_edges,).
        n_sources: Rows that are read; a list of edges may read from more, a matrix may not.
        n_targets: Rows of the result; those without an edge are 0.
        kind: "edge": one product an edge. "dense": a matrix with zeros where there is no edge, for blocks in which
            most pairs are edges. "auto": "dense" where the matrix is small and at most `DENSE_RATIO` times as large as
            the list of edges.

    Raises:
        OptionError: A dense matrix would have more entries than can be counted.
    """

    def __init__(self, sources: IntVector, targets: IntVector, *, n_sources: int, n_targets: int, kind: str) -> None:
        self.sources, self.targets = sources.astype(np.int32), targets.astype(np.int32)
        self.n_sources, self.n_targets = n_sources, n_targets
        size = n_sources * n_targets
        if kind == "dense" and size >= 2**31:
            raise OptionError("kernel", kind, "edge or auto for a level of this size")
        is_dense = kind == "dense" or (kind == "auto" and size <= min(DENSE_LARGEST, DENSE_RATIO * len(sources)))
        self.kind = "dense" if is_dense else "edge"

    def __call__(self, rows: Any, kernel: Any, drop: Drop | None = None) -> Any:
        """Sum over the edges.

        Args:
            rows: Shape (n_sources, batch).
            kernel: Shape (n_edges,).
            drop: Which edge inputs are dropped; None: none.

        Returns:
            Shape (n_targets, batch).
        """
        if keras.backend.backend() == "jax":
            return _on_jax().one(self, rows, kernel, drop)
        if self.kind == "dense" and drop is None:
            return ops.matmul(self.matrix(kernel), rows)
        return self.scattered(rows, kernel, drop)

    def scattered(self, rows: Any, kernel: Any, drop: Drop | None) -> Any:
        """The plain sum: gather, multiply, scatter."""
        messages = ops.take(rows, self.sources, axis=0) * ops.expand_dims(kernel, 1)
        if drop is not None:
            messages = messages * _factor(drop, messages)
        is_sorted = self.is_sorted and keras.backend.backend() != "tensorflow"  # which takes no count of sorted ones
        return ops.segment_sum(messages, self.targets, num_segments=self.n_targets, sorted=is_sorted)

    def matrix(self, kernel: Any) -> Any:
        """The weights as a matrix, shape (n_targets, n_sources), zero where there is no edge."""
        padded = ops.concatenate([kernel, ops.zeros((1,), dtype=kernel.dtype)])
        return ops.reshape(ops.take(padded, self._entries), (self.n_targets, self.n_sources))

    @cached_property
    def is_sorted(self) -> bool:
        """Whether edges with the same target stand together, ascending."""
        return bool((np.diff(self.targets) >= 0).all())

    @cached_property
    def by_source(self) -> npt.NDArray[np.int32]:
        """The edges in the order of their sources, shape (n_edges,)."""
        return np.argsort(self.sources, kind="stable").astype(np.int32)

    @cached_property
    def places(self) -> npt.NDArray[np.int32]:
        """Where the weight of each edge stands in the flat matrix, shape (n_edges,)."""
        return self.targets * np.int32(self.n_sources) + self.sources

    @cached_property
    def _entries(self) -> npt.NDArray[np.int32]:
        entries = np.full(self.n_targets * self.n_sources, len(self.sources), dtype=np.int32)
        entries[self.places] = np.arange(len(self.sources), dtype=np.int32)
        return entries

    @cached_property
    def chunks(self) -> Chunks:
        """The edges in chunks of one target each."""
        fan_in = np.bincount(self.targets, minlength=self.n_targets)
        # a chunk costs about two edges: its row of the result is written, and added up where there are several
        costs = {width: int((-(-fan_in // width)).sum()) * (width + 2) for width in WIDTHS}
        width = min(WIDTHS, key=costs.__getitem__)
        n_chunks = -(-fan_in // width)
        order = np.argsort(self.targets, kind="stable")
        target = self.targets[order]
        position = np.arange(len(order)) - (np.cumsum(fan_in) - fan_in)[target]
        chunk = (np.cumsum(n_chunks) - n_chunks)[target] + position // width
        edges = np.full((int(n_chunks.sum()), width), len(order), dtype=np.int32)
        edges[chunk, position % width] = order
        sources = np.append(self.sources, np.int32(0))[edges]
        return Chunks(sources, edges, np.repeat(np.arange(self.n_targets, dtype=np.int32), n_chunks))


class Chunks(NamedTuple):
    """Edges in chunks: the row that each reads and its number, shape (n_chunks, width); the target of each chunk.

    A chunk that is not full reads row 0 with the edge number n_edges, which has no weight.
    """

    sources: npt.NDArray[np.int32]
    edges: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]


class JointSum:
    """Several sums that read the same rows, as one: few large steps, not many small ones. JAX only.

    Its gradient is taken sum by sum: XLA would put the joint slope together anew for every edge that reads it.

    Args:
        parts: The sums, each with at least one edge.
    """

    def __init__(self, parts: Sequence[EdgeSum]) -> None:
        self.parts = tuple(parts)
        self.bounds = np.cumsum([0, *(part.n_targets for part in parts)]).tolist()
        self.whole = EdgeSum(
            np.concatenate([part.sources for part in parts]),
            np.concatenate([start + part.targets for start, part in zip(self.bounds, parts, strict=False)]),
            n_sources=max(part.n_sources for part in parts),
            n_targets=self.bounds[-1],
            kind="edge",
        )

    def __call__(self, rows: Any, kernels: Sequence[Any]) -> tuple[Any, ...]:
        """The result of each sum, from the rows and the kernel of each."""
        return _on_jax().joint(self, rows, tuple(kernels))


def rows_at(rows: Any, index: npt.NDArray[np.int32]) -> Any:
    """Some rows of an array; every index must be one, which on JAX saves the check of each."""
    if keras.backend.backend() == "jax":
        return rows.at[index].get(mode="promise_in_bounds")
    return ops.take(rows, index, axis=0)


def _factor(drop: Drop, like: Any) -> Any:
    return ops.cast(keep_factor(drop.state, drop.rates, ops.shape(like), first=drop.first), like.dtype)


_ON_JAX: list[Any] = []


def _on_jax() -> Any:
    """The sum with our own gradient; made at the first use, so that other backends never load JAX."""
    if not _ON_JAX:
        _ON_JAX.append(_make_jax())
    return _ON_JAX[0]


def _make_jax() -> Any:
    import jax
    import jax.numpy as jnp

    exact = jax.lax.Precision.HIGHEST

    def taken(array: Any, index: Any) -> Any:
        return array.at[index].get(mode="promise_in_bounds")

    def summed(messages: Any, targets: Any, count: int, is_sorted: bool) -> Any:
        return jax.ops.segment_sum(messages, targets, count, indices_are_sorted=is_sorted, mode="promise_in_bounds")

    def forward(edges: EdgeSum, rows: Any, kernel: Any, drop: Drop | None) -> Any:
        if drop is not None:
            messages = taken(rows, edges.sources) * kernel[:, None]
            return summed(messages * _factor(drop, messages), edges.targets, edges.n_targets, edges.is_sorted)
        if edges.kind == "dense":
            return jnp.matmul(edges.matrix(kernel), rows, precision=exact)
        chunks = edges.chunks
        weights = taken(jnp.append(kernel, jnp.zeros((1,), kernel.dtype)), chunks.edges)
        parts = [taken(rows, chunks.sources[:, slot]) * weights[:, slot, None] for slot in range(chunks.edges.shape[1])]
        total = sum(parts[1:], parts[0])
        if len(chunks.targets) == edges.n_targets and len(np.unique(chunks.targets)) == edges.n_targets:
            return total
        return summed(total, chunks.targets, edges.n_targets, True)

    def backward(edges: EdgeSum, rows: Any, kernel: Any, drop: Drop | None, slope: Any) -> tuple[Any, Any]:
        if drop is None and edges.kind == "dense":
            of_matrix = jnp.matmul(slope, rows.T, precision=exact)
            of_rows = jnp.matmul(edges.matrix(kernel).T, slope, precision=exact)
            return of_rows, taken(of_matrix.reshape(-1), edges.places)
        arrived = taken(slope, edges.targets)
        if drop is not None:
            arrived = arrived * _factor(drop, arrived)
        messages = taken(rows, edges.sources) * arrived
        of_kernel = jnp.matmul(messages, jnp.ones((messages.shape[1],), messages.dtype), precision=exact)
        order = edges.by_source
        back = taken(arrived, order) if drop is not None else taken(slope, edges.targets[order])
        of_rows = summed(back * taken(kernel, order)[:, None], edges.sources[order], rows.shape[0], True)
        return of_rows, of_kernel

    @partial(jax.custom_vjp, nondiff_argnums=(0,))
    def plain(edges: EdgeSum, rows: Any, kernel: Any) -> Any:
        return forward(edges, rows, kernel, None)

    plain.defvjp(
        lambda edges, rows, kernel: (forward(edges, rows, kernel, None), (rows, kernel)),
        lambda edges, kept, slope: backward(edges, kept[0], kept[1], None, slope),
    )

    @partial(jax.custom_vjp, nondiff_argnums=(0, 1))
    def dropping(edges: EdgeSum, plan: _DropPlan, rows: Any, kernel: Any, state: Any) -> Any:
        return forward(edges, rows, kernel, Drop(state, plan.rates, plan.first))

    dropping.defvjp(
        lambda edges, plan, rows, kernel, state: (
            forward(edges, rows, kernel, Drop(state, plan.rates, plan.first)),
            (rows, kernel, state),
        ),
        lambda edges, plan, kept, slope: (
            *backward(edges, kept[0], kept[1], Drop(kept[2], plan.rates, plan.first), slope),
            None,  # the state is no number to differentiate by
        ),
    )

    def total(edges: EdgeSum, rows: Any, kernel: Any, drop: Drop | None) -> Any:
        rows, kernel = jnp.asarray(rows), jnp.asarray(kernel)
        if drop is None:
            return plain(edges, rows, kernel)
        return dropping(edges, _DropPlan(drop.rates, drop.first), rows, kernel, drop.state)

    @partial(jax.custom_vjp, nondiff_argnums=(0,))
    def joint(sums: JointSum, rows: Any, kernels: tuple[Any, ...]) -> tuple[Any, ...]:
        whole = forward(sums.whole, rows, jnp.concatenate(kernels), None)
        return tuple(whole[start:stop] for start, stop in pairwise(sums.bounds))

    def joint_backward(sums: JointSum, kept: Any, slopes: tuple[Any, ...]) -> Any:
        rows, kernels = kept
        found = [
            backward(part, rows, kernel, None, slope)
            for part, kernel, slope in zip(sums.parts, kernels, slopes, strict=True)
        ]
        return sum(of_rows for of_rows, _ in found), tuple(of_kernel for _, of_kernel in found)

    joint.defvjp(lambda sums, rows, kernels: (joint(sums, rows, kernels), (rows, kernels)), joint_backward)
    return SimpleNamespace(one=total, joint=joint)


class _DropPlan:
    """What of a `Drop` is known before it runs; compared by identity, as custom gradients ask."""

    def __init__(self, rates: npt.NDArray[np.float32], first: int) -> None:
        self.rates, self.first = rates, first
