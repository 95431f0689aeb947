"""Families of instances: each function draws a problem from its sizes and a seed, always the same one.

Inputs, hidden vertices and outputs are those of `solvers.Problem`: edges run from inputs towards outputs. Every family
promises an instance that has a network, without self-loops, and without parallel edges.
"""

from __future__ import annotations

import numpy as np

from solvers.bench.drawing import (
    Edges,
    assembled,
    distinct_edges,
    edge_costs,
    in_tree,
    strongly_connected,
    zipf,
)
from solvers.errors import ProblemError
from solvers.problem import IntVector, Problem

ATTACHMENTS = ("preferential", "uniform")


def regulons(
    n_inputs: int = 18_000,
    n_hidden: int = 2_000,
    n_edges: int = 300_000,
    *,
    seed: int = 0,
    attachment: str = "preferential",
    exponent: float = 0.8,
    gene_exponent: float = 1.2,
    hidden_edges: int | None = None,
    output_edges: int = 20,
    costs: str = "unit",
    n_outputs: int = 1,
) -> Problem:
    """A PKN with heavy-tailed regulons: genes point at their regulators, which signal to the outputs in cycles.

    Hidden vertices are 0 .. n_hidden - 1, genes (the inputs) follow, outputs are last. The popularity of regulators
    falls with rank^-exponent.

    Args:
        n_inputs: Genes.
        n_hidden: Regulators and signalling proteins; all lie in one strongly connected component.
        n_edges: Gene-to-regulator edges, all distinct.
        seed: Of all draws.
        attachment: "uniform": a gene has as many regulators as any other, a random set cover. "preferential": the
            popularity of genes falls with rank^-gene_exponent, so that many have 1 to 3 regulators and some hundreds,
            as in regulon databases.
        exponent: Of the popularity of regulators.
        gene_exponent: Of the popularity of genes, where attachment is preferential.
        hidden_edges: Edges among hidden vertices; None: 25 a vertex, or all where there are fewer.
        output_edges: Hidden vertices that point at each output, at most n_hidden.
        costs: "unit", "integer" (1 to 10) or "real" (0.1 to 1).
        n_outputs: Outputs.

    Raises:
        ProblemError: An unknown attachment or kind of costs, or sizes that do not go together.
    """
    if attachment not in ATTACHMENTS:
        raise ProblemError(f"expected attachment to be one of {', '.join(ATTACHMENTS)}, got {attachment!r}")
    draw = np.random.default_rng(seed)
    popular = zipf(draw, n_hidden, exponent)
    genes = zipf(draw, n_inputs, gene_exponent if attachment == "preferential" else 0.0)
    first = np.arange(n_inputs), draw.choice(n_hidden, n_inputs, p=popular)
    regulated = distinct_edges(draw, first, n_edges, genes, popular)
    among = min(25 * n_hidden, n_hidden * (n_hidden - 1)) if hidden_edges is None else hidden_edges
    outputs = n_hidden + n_inputs + np.arange(n_outputs)
    return assembled(
        draw,
        [
            strongly_connected(draw, n_hidden, among),
            (n_hidden + regulated[0], regulated[1]),
            _entries(draw, np.arange(n_hidden), outputs, output_edges),
        ],
        n_vertices=n_hidden + n_inputs + n_outputs,
        inputs=n_hidden + np.arange(n_inputs),
        outputs=outputs,
        costs=costs,
    )


def _entries(draw: np.random.Generator, hidden: IntVector, outputs: IntVector, count: int) -> Edges:
    """Edges from `count` drawn hidden vertices to each output."""
    count = min(count, len(hidden))
    tails = [draw.choice(hidden, count, replace=False) for _ in outputs]
    return np.concatenate(tails), np.repeat(outputs, count)


def preferential(
    n_inputs: int = 4_000,
    n_hidden: int = 2_000,
    *,
    seed: int = 0,
    edges_per_vertex: int = 5,
    regulators: int = 3,
    output_edges: int = 10,
    costs: str = "unit",
    n_outputs: int = 1,
) -> Problem:
    """A PKN grown by preferential attachment (Barabasi and Albert 1999), its edges turned at random.

    Each hidden vertex after the first few joins `edges_per_vertex` others, by their degree so far; each gene (input)
    points at 1 to `regulators` hidden vertices, by degree. Vertices are numbered as in `regulons`.

    Raises:
        ProblemError: An unknown kind of costs, or sizes that do not go together.
    """
    draw = np.random.default_rng(seed)
    if not 1 <= edges_per_vertex < n_hidden:
        raise ProblemError(f"expected edges_per_vertex in [1, {n_hidden}), got {edges_per_vertex}")
    younger, older = _grown(draw, n_hidden, edges_per_vertex)
    turned = draw.random(len(younger)) < 0.5
    among = np.where(turned, younger, older) * n_hidden + np.where(turned, older, younger)
    among = np.union1d(among, _pairs(in_tree(draw, n_hidden), n_hidden))  # every hidden vertex has a way to every ...
    among = np.union1d(among, _pairs(in_tree(draw, n_hidden)[::-1], n_hidden))  # ... and from every other
    degree = np.bincount(np.concatenate([younger, older]), minlength=n_hidden).astype(np.float64)
    first = np.arange(n_inputs), draw.choice(n_hidden, n_inputs, p=degree / degree.sum())
    n_edges = n_inputs + int(draw.integers(0, regulators, n_inputs).sum())
    regulated = distinct_edges(draw, first, n_edges, np.ones(n_inputs), degree)
    outputs = n_hidden + n_inputs + np.arange(n_outputs)
    return assembled(
        draw,
        [
            (among // n_hidden, among % n_hidden),
            (n_hidden + regulated[0], regulated[1]),
            _entries(draw, np.arange(n_hidden), outputs, output_edges),
        ],
        n_vertices=n_hidden + n_inputs + n_outputs,
        inputs=n_hidden + np.arange(n_inputs),
        outputs=outputs,
        costs=costs,
    )


def layered(
    n_layers: int = 6,
    width: int = 300,
    *,
    seed: int = 0,
    out_edges: int = 4,
    costs: str = "unit",
    n_outputs: int = 1,
) -> Problem:
    """Random layers: each vertex points at `out_edges` vertices of the next layer, the last layer at the outputs.

    The first layer is the inputs. Each layer covers the one before it as in a random set cover, so that the linear
    program has a gap at each of them. Without cycles.

    Raises:
        ProblemError: An unknown kind of costs, or more edges a vertex than a layer is wide.
    """
    if not 1 <= out_edges <= width:
        raise ProblemError(f"expected out_edges in [1, {width}], got {out_edges}")
    draw = np.random.default_rng(seed)
    parts = []
    for layer in range(n_layers - 1):
        heads = np.concatenate([draw.choice(width, out_edges, replace=False) for _ in range(width)])
        parts.append((layer * width + np.repeat(np.arange(width), out_edges), (layer + 1) * width + heads))
    last, outputs = (n_layers - 1) * width + np.arange(width), n_layers * width + np.arange(n_outputs)
    parts.append((np.tile(last, n_outputs), np.repeat(outputs, width)))
    return assembled(
        draw,
        parts,
        n_vertices=n_layers * width + n_outputs,
        inputs=np.arange(width),
        outputs=outputs,
        costs=costs,
    )


def set_cover(
    n_elements: int = 200, n_sets: int = 100, *, seed: int = 0, sets_per_element: int = 4, costs: str = "unit"
) -> Problem:
    """A random set cover: elements (inputs) point at the sets that hold them, sets at the output.

    Raises:
        ProblemError: An unknown kind of costs, or more sets an element than there are.
    """
    if not 1 <= sets_per_element <= n_sets:
        raise ProblemError(f"expected sets_per_element in [1, {n_sets}], got {sets_per_element}")
    draw = np.random.default_rng(seed)
    heads = np.concatenate([draw.choice(n_sets, sets_per_element, replace=False) for _ in range(n_elements)])
    sets, output = n_elements + np.arange(n_sets), n_elements + n_sets
    return assembled(
        draw,
        [
            (np.repeat(np.arange(n_elements), sets_per_element), n_elements + heads),
            (sets, np.full(n_sets, output)),
        ],
        n_vertices=n_elements + n_sets + 1,
        inputs=np.arange(n_elements),
        outputs=[output],
        costs=costs,
    )


def grid(rows: int = 30, columns: int = 30, n_inputs: int = 40, *, seed: int = 0, costs: str = "unit") -> Problem:
    """A grid whose edges run both ways at one cost; drawn vertices are inputs, the one at the middle is the output.

    Raises:
        ProblemError: An unknown kind of costs, or more inputs than vertices.
    """
    n = rows * columns
    output = (rows // 2) * columns + columns // 2
    if not 1 <= n_inputs < n:
        raise ProblemError(f"expected n_inputs in [1, {n}), got {n_inputs}")
    draw = np.random.default_rng(seed)
    vertex = np.arange(n).reshape(rows, columns)
    ends = [(vertex[:, :-1], vertex[:, 1:]), (vertex[:-1, :], vertex[1:, :])]
    tails, heads = (np.concatenate([pair[side].ravel() for pair in ends]) for side in (0, 1))
    inputs = draw.choice(np.setdiff1d(vertex, [output]), n_inputs, replace=False)
    return _both_ways(draw, (tails, heads), n_vertices=n, inputs=inputs, output=output, costs=costs)


def hypercube(dimension: int = 6, *, seed: int = 0, costs: str = "unit") -> Problem:
    """A hypercube whose vertices of even weight are to be joined, as the `hc` instances of SteinLib.

    Edges run both ways; vertex 0 is the output, all others with an even number of ones are inputs. With costs "unit"
    this is hc<dimension>u; hc6u has the optimum 39, hc7u 77. Costs "perturbed" are whole numbers from 100 to 110, in
    the manner of hc<dimension>p (drawn here, so not the same instances).

    Raises:
        ProblemError: An unknown kind of costs, or a dimension below 2.
    """
    if dimension < 2:
        raise ProblemError(f"expected a dimension of at least 2, got {dimension}")
    draw = np.random.default_rng(seed)
    vertex = np.arange(2**dimension)
    bits = 1 << np.arange(dimension)
    ones = ((vertex[:, None] & bits) > 0).sum(axis=1)
    tails, places = np.nonzero((vertex[:, None] & bits) == 0)
    return _both_ways(
        draw,
        (tails, tails | bits[places]),
        n_vertices=len(vertex),
        inputs=vertex[(ones % 2 == 0) & (vertex > 0)],
        output=0,
        costs=costs,
    )


def random_digraph(
    n_vertices: int = 1_000,
    n_edges: int = 5_000,
    n_inputs: int = 50,
    *,
    seed: int = 0,
    costs: str = "unit",
    n_outputs: int = 1,
) -> Problem:
    """A random directed graph with drawn inputs and outputs; random trees give every vertex a way to every other.

    Raises:
        ProblemError: An unknown kind of costs, or sizes that do not go together.
    """
    draw = np.random.default_rng(seed)
    roles = draw.choice(n_vertices, n_inputs + n_outputs, replace=False)
    among = strongly_connected(draw, n_vertices, n_edges)
    return assembled(
        draw, [among], n_vertices=n_vertices, inputs=roles[:n_inputs], outputs=roles[n_inputs:], costs=costs
    )


def _grown(draw: np.random.Generator, n: int, each: int) -> Edges:
    """Edges of a graph grown by preferential attachment: (younger, older), distinct, `each` a vertex where possible."""
    ends = list(range(each))  # one entry for each edge end so far, and one for each vertex to start from
    younger, older = [], []
    for vertex in range(each, n):
        joined = np.unique(np.array(ends)[draw.integers(0, len(ends), each)]).tolist()
        younger += [vertex] * len(joined)
        older += joined
        ends += [vertex] * len(joined) + joined
    return np.array(younger, dtype=np.int64), np.array(older, dtype=np.int64)


def _pairs(edges: Edges, n: int) -> IntVector:
    """One number an edge."""
    return edges[0] * n + edges[1]


def _both_ways(
    draw: np.random.Generator, edges: Edges, *, n_vertices: int, inputs: IntVector, output: int, costs: str
) -> Problem:
    """The problem with each edge in both directions, at the same cost."""
    tails, heads = edges
    if costs == "perturbed":
        once = draw.integers(100, 111, len(tails)).astype(np.float64)
    else:
        once = edge_costs(draw, len(tails), costs)
    return Problem(
        n_vertices=n_vertices,
        sources=np.concatenate([tails, heads]),
        targets=np.concatenate([heads, tails]),
        inputs=inputs,
        outputs=[output],
        costs=np.tile(once, 2),
    )
