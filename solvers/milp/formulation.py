"""Acyclic flow as sparse arrays.

Columns, in blocks: x (binary, edge is active), f (flow on the edge), p (what an input injects), d (what an output
drains), L (position of a vertex in the order; only inside strongly connected components, only where needed).

    flow     sum_out f - sum_in f = p_v [v input] - d_v [v output]          every vertex v
    coupling f_e <= M_e x_e                                                 every edge e
    use      f_e >= x_e                                                     only where an edge pays (cost < 0)
    order    L_v - L_u >= 1 - S (1 - x_uv),  0 <= L <= S - 1                edges inside a component of S vertices
    local    x_uv <= sum_{w != u} x_vw  (v no output);  x_vw <= sum_{u != w} x_uv  (v no input)
    tree     sum_out x <= 1                                                 one output, costs >= 0
    cover    sum_out x >= 1 (input), sum_in x >= 1 (output)

One output: every input injects exactly 1 and M_e is the number of inputs that reach the tail of e; path
decomposition of a feasible choice gives such a flow. Several outputs: besides one unit from every input to some
output, one unit runs from some input to every output, so p lies in [1, 1 + n_outputs] and M_e grows by the number
of outputs that the head reaches. Where edges pay, one more unit runs through every edge.

With costs >= 0 the order rows may be left out: a cover without redundant edges is acyclic (if it had a cycle, the
cycle's edge that leaves its last exit before its next entry could go), so `solvers.cover.tidy` makes an acyclic
choice of equal cost from any optimal one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from solvers.arrays import neighbours, strong_components
from solvers.backends.base import MixedIntegerProgram
from solvers.problem import BoolVector, FloatVector, IntVector, Problem


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a program: coefficients as (row, column, value) triples and bounds per row."""

    row: IntVector
    column: IntVector
    value: FloatVector
    lower: FloatVector
    upper: FloatVector


def acyclic_flow(problem: Problem, *, order: bool | None = None, local_rows: bool = True) -> MixedIntegerProgram:
    """Formulate; the first n_edges columns say which edges are active.

    Args:
        problem: All edges lie on input-to-output walks (`solvers.reduce.paths`).
        order: Include the order rows. None: only where a cost is negative, where they are needed.
        local_rows: Include the local, tree and cover rows, which cut off no integer solution of least cost.

    Returns:
        The program.
    """
    pays = problem.has_negative_costs
    with_order = pays if order is None else order
    n_edges, n_in, n_out = problem.n_edges, len(problem.inputs), len(problem.outputs)
    inner, size = _inner_edges(problem)
    n_order = problem.n_vertices if with_order else 0
    n_columns = 2 * n_edges + n_in + n_out + n_order
    capacity = flow_capacity(problem) + (n_edges if pays else 0)
    blocks = [_flow_rows(problem), _coupling_rows(problem, capacity)]
    if pays:
        blocks.append(_use_rows(n_edges))
    if with_order:
        blocks.append(_order_rows(problem, inner, size, first=2 * n_edges + n_in + n_out))
    if local_rows:
        blocks += [_local_rows(problem, into=True), _local_rows(problem, into=False), _cover_rows(problem)]
        if n_out == 1 and not pays:
            blocks.append(_tree_rows(problem))
    extra = n_edges if pays else 0
    injection = 1.0 + extra + (n_out if n_out > 1 else 0)
    upper = np.concatenate(
        [
            np.ones(n_edges),
            capacity,
            np.full(n_in, injection),
            np.full(n_out, injection * n_in),
            np.maximum(size[:n_order] - 1.0, 0.0),
        ]
    )
    lower = np.zeros(n_columns)
    lower[2 * n_edges : 2 * n_edges + n_in + n_out] = 1.0
    matrix, row_lower, row_upper = _stack(blocks, n_columns)
    integer = np.zeros(n_columns, dtype=bool)
    integer[:n_edges] = True
    cost = np.zeros(n_columns)
    cost[:n_edges] = problem.costs
    return MixedIntegerProgram(cost, matrix, row_lower, row_upper, lower, upper, integer)


def flow_capacity(problem: Problem) -> FloatVector:
    """Most flow that an edge needs to carry: inputs that reach its tail, plus outputs its head reaches if several."""
    reach = _count_reaching(problem.n_vertices, problem.sources, problem.targets, problem.inputs)
    capacity = reach[problem.sources]
    if len(problem.outputs) > 1:
        fed = _count_reaching(problem.n_vertices, problem.targets, problem.sources, problem.outputs)
        capacity = capacity + fed[problem.targets]
    return capacity.astype(np.float64)


def _count_reaching(n_vertices: int, tails: IntVector, heads: IntVector, starts: IntVector) -> IntVector:
    """How many of `starts` reach each vertex: sets as bits of integers, passed along the component graph."""
    label = strong_components(n_vertices, tails, heads)
    n_components = int(label.max()) + 1
    outside = label[tails] != label[heads]
    pairs = np.unique(np.stack([label[tails[outside]], label[heads[outside]]], axis=1), axis=0)
    successors = neighbours(n_components, pairs[:, 0], pairs[:, 1])
    waiting = np.bincount(pairs[:, 1], minlength=n_components).tolist()
    bits = [0] * n_components
    for position, vertex in enumerate(starts.tolist()):
        bits[label[vertex]] |= 1 << position
    free = [component for component in range(n_components) if waiting[component] == 0]
    while free:
        component = free.pop()
        for successor in successors[component]:
            bits[successor] |= bits[component]
            waiting[successor] -= 1
            if waiting[successor] == 0:
                free.append(successor)
    return np.array([bits[component].bit_count() for component in label.tolist()], dtype=np.int64)


def _inner_edges(problem: Problem) -> tuple[BoolVector, IntVector]:
    """Edges inside a strongly connected component, and the size of each vertex's component."""
    label = strong_components(problem.n_vertices, problem.sources, problem.targets)
    return label[problem.sources] == label[problem.targets], np.bincount(label)[label]


def _flow_rows(problem: Problem) -> Rows:
    n_edges, n_in, n_out = problem.n_edges, len(problem.inputs), len(problem.outputs)
    edges = np.arange(n_edges)
    column = np.concatenate([n_edges + edges, n_edges + edges, 2 * n_edges + np.arange(n_in + n_out)])
    row = np.concatenate([problem.sources, problem.targets, problem.inputs, problem.outputs])
    value = np.concatenate([np.ones(n_edges), -np.ones(n_edges), -np.ones(n_in), np.ones(n_out)])
    zero = np.zeros(problem.n_vertices)
    return Rows(row, column, value, zero, zero)


def _coupling_rows(problem: Problem, capacity: FloatVector) -> Rows:
    edges = np.arange(problem.n_edges)
    return Rows(
        row=np.concatenate([edges, edges]),
        column=np.concatenate([edges, problem.n_edges + edges]),
        value=np.concatenate([-capacity, np.ones(problem.n_edges)]),
        lower=np.full(problem.n_edges, -np.inf),
        upper=np.zeros(problem.n_edges),
    )


def _use_rows(n_edges: int) -> Rows:
    edges = np.arange(n_edges)
    return Rows(
        row=np.concatenate([edges, edges]),
        column=np.concatenate([edges, n_edges + edges]),
        value=np.concatenate([-np.ones(n_edges), np.ones(n_edges)]),
        lower=np.zeros(n_edges),
        upper=np.full(n_edges, np.inf),
    )


def _order_rows(problem: Problem, inner: BoolVector, size: IntVector, *, first: int) -> Rows:
    edges = np.flatnonzero(inner)
    count = len(edges)
    span = size[problem.sources[edges]].astype(np.float64)
    row = np.arange(count)
    return Rows(
        row=np.concatenate([row, row, row]),
        column=np.concatenate([first + problem.targets[edges], first + problem.sources[edges], edges]),
        value=np.concatenate([np.ones(count), -np.ones(count), -span]),
        lower=1.0 - span,
        upper=np.full(count, np.inf),
    )


def _local_rows(problem: Problem, *, into: bool) -> Rows:
    """An active edge goes on (`into`: into v no output, out of v by another way than back), and mirrored."""
    ends, others = (problem.targets, problem.sources) if into else (problem.sources, problem.targets)
    exempt = np.zeros(problem.n_vertices, dtype=bool)
    exempt[problem.outputs if into else problem.inputs] = True
    onward = neighbours(problem.n_vertices, others, np.arange(problem.n_edges))
    edges = np.flatnonzero(~exempt[ends])
    row: list[int] = []
    column: list[int] = []
    value: list[float] = []
    for position, edge in enumerate(edges.tolist()):
        back = others[edge]
        after = [other for other in onward[ends[edge]] if ends[other] != back]
        row += [position] * (len(after) + 1)
        column += [edge, *after]
        value += [-1.0] + [1.0] * len(after)
    return Rows(
        np.array(row, int), np.array(column, int), np.array(value), np.zeros(len(edges)), np.full(len(edges), np.inf)
    )


def _cover_rows(problem: Problem) -> Rows:
    number = np.full(problem.n_vertices, -1)
    number[problem.inputs] = np.arange(len(problem.inputs))
    fed = np.full(problem.n_vertices, -1)
    fed[problem.outputs] = len(problem.inputs) + np.arange(len(problem.outputs))
    leaving, entering = np.flatnonzero(number[problem.sources] >= 0), np.flatnonzero(fed[problem.targets] >= 0)
    count = len(problem.inputs) + len(problem.outputs)
    return Rows(
        row=np.concatenate([number[problem.sources[leaving]], fed[problem.targets[entering]]]),
        column=np.concatenate([leaving, entering]),
        value=np.ones(len(leaving) + len(entering)),
        lower=np.ones(count),
        upper=np.full(count, np.inf),
    )


def _tree_rows(problem: Problem) -> Rows:
    edges = np.arange(problem.n_edges)
    n_rows = problem.n_vertices
    return Rows(problem.sources, edges, np.ones(problem.n_edges), np.full(n_rows, -np.inf), np.ones(n_rows))


def _stack(blocks: list[Rows], n_columns: int) -> tuple[csr_array, FloatVector, FloatVector]:
    offsets = np.cumsum([0] + [len(block.lower) for block in blocks])
    row = np.concatenate([block.row + offset for block, offset in zip(blocks, offsets[:-1], strict=True)])
    column = np.concatenate([block.column for block in blocks])
    value = np.concatenate([block.value for block in blocks])
    matrix = csr_array(coo_array((value, (row, column)), shape=(int(offsets[-1]), n_columns)))
    lower = np.concatenate([block.lower for block in blocks])
    return matrix, lower, np.concatenate([block.upper for block in blocks])
