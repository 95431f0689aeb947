"""Why the training engines compute as they do: each choice against what was left, on the sizes of a real network.

`python -m benchmarks.kernels` measures, prints and stores. Times are the least of many runs, in milliseconds; compare
within one table, not between machines. What did not pay is in it too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp

from benchmarks.store import show, store
from graphnn.compiler.edge_sum import EdgeSum
from graphnn.compiler.plan import plan_layers
from graphnn.evaluate.bench.shapes import PROFILE_EDGES, PROFILE_INPUTS, PROFILE_UNITS, Shape, draw_network
from graphnn.evaluate.engine.feed import Feed

BATCH, RUNS, REPLICATES = 64, 30, 5


def milliseconds(function: Callable[..., Any], *arguments: Any) -> float:
    """The least time of a compiled call."""
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*arguments))
    least = float("inf")
    for _ in range(RUNS):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        least = min(least, time.perf_counter() - start)
    return 1e3 * least


def main() -> int:
    """Measure, print, store."""
    draw = np.random.default_rng(0)
    network = draw_network(Shape("pkn-37k", PROFILE_INPUTS, PROFILE_UNITS, PROFILE_EDGES), seed=0)
    level = plan_layers(network).levels[0]
    n_inputs, n_targets = PROFILE_INPUTS, level.n_nodes
    edges = EdgeSum(level.source_column, level.target_column, n_sources=n_inputs, n_targets=n_targets, kind="edge")
    kernel = draw.normal(size=level.n_edges).astype(np.float32)
    slope = jnp.asarray(draw.normal(size=(n_targets, BATCH)).astype(np.float32))
    rows: list[dict[str, Any]] = []

    def note(question: str, way: str, value: float) -> None:
        rows.append({"question": question, "way": way, "ms": value})

    # -- a batch of sparse cells, inputs first, scaled
    cells = sp.random_array((1_388, n_inputs), density=0.1, rng=draw, dtype=np.float32, format="csr")
    picked = draw.permutation(1_388)[:BATCH][None]
    scale = (np.full(n_inputs, 0.05, np.float32), np.full(n_inputs, 6.0, np.float32), np.float32(10))
    sparse = Feed(cells)
    arrays = jax.device_put(sparse.arrays)
    batch = {name: part[0] for name, part in sparse.batches(picked, sparse.capacity([picked])).items()}
    note(
        "a batch, inputs first",
        "scatter what is not zero (used)",
        milliseconds(lambda a, b: sparse.assemble(a, b, scale, BATCH), arrays, batch),
    )
    dense = jnp.asarray(cells.toarray())
    offset, factor, limit = scale
    note(
        "a batch, inputs first",
        "gather dense rows, scale, transpose",
        milliseconds(lambda x, r: jnp.clip((x[r] - offset) * factor, -limit, limit).T + 0, dense, picked[0]),
    )
    x = sparse.assemble(arrays, batch, scale, BATCH)

    # -- what the edges bring
    question = f"{level.n_edges:,} edges into {n_targets} vertices, {BATCH} cells: forward"
    note(question, "chunks of edges (used)", milliseconds(lambda x, w: edges(x, w), x, kernel))
    note(question, "gather, multiply, segment_sum", milliseconds(lambda x, w: edges.scattered(x, w, None), x, kernel))
    note(
        question,
        "masked matrix from the edge weights",
        milliseconds(lambda x, w: edges.matrix(w) @ x, x, kernel),
    )

    # -- the gradient towards the weights
    source, target = edges.sources, edges.targets
    question = "the same: gradient towards the weights"
    ones = np.ones(BATCH, np.float32)
    note(
        question,
        "products, then times ones (used)",
        milliseconds(lambda x, g: (x[source] * g[target]) @ ones, x, slope),
    )
    note(question, "products, then sum", milliseconds(lambda x, g: (x[source] * g[target]).sum(axis=1), x, slope))
    note(question, "einsum", milliseconds(lambda x, g: jnp.einsum("eb,eb->e", x[source], g[target]), x, slope))

    # -- several replicates
    question = f"{REPLICATES} replicates: forward and gradient, ms for each"

    def both(x: Any, w: Any, g: Any) -> Any:
        result, pull = jax.vjp(lambda w: edges(x, w), w)
        return result, pull(g)[0]

    note(question, "one after the other (used)", milliseconds(both, x, kernel, slope))
    many = [jnp.stack([value + 0.1 * number for number in range(REPLICATES)]) for value in (x, kernel, slope)]
    note(question, "together under vmap", milliseconds(jax.vmap(both), *many) / REPLICATES)
    if find_spec("numba"):
        from benchmarks.kernels_numba import measure

        measure(network, cells, note)
    show(rows)
    print(store("kernels", rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
