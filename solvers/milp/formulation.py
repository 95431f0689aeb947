"""Acyclic flow as sparse arrays.

Columns, in blocks: x (binary, edge is active), y (vertex is used; only where its cost, its reward or a rule speaks of
it), and where needed L (position of a vertex in the order), z (binary, state of a vertex), u (one of several parallel
edges is active). For each sample s (one, unless the rules name several): f (flow on the edge), p (what an input
injects), d (what an output drains).

    flow     sum_out f - sum_in f = p_v [v input] - d_v [v output]          every vertex v, every sample
    coupling f_e <= M_e x_e                                                 every edge e, every sample
    use      sum_s f_e >= x_e                                               only where a choice may hold idle edges
    ends     x_e <= y_v (e at v),  y_v <= sum of x at v                     every vertex with a column y
    inject   p_v <= P y_v                                                   inputs that may be left out
    earn     y_v <= sum of p_v (samples of which v is an input) + sum of f out of v (others)
    own      w_e <= x_e, f_e <= M_e w_e, order of w                         samples with edges w of their own
    order    L_v - L_u >= 1 - S (1 - x_uv),  0 <= L <= S - 1                edges inside a component of S vertices
    depth    L_v - L_u >= 1 - (D + 1) (1 - x_uv),  0 <= L <= D              every edge, in place of order
    parents  sum_in x <= k                                                  every vertex
    routes   sum of x over the regulators of an input >= k (k y_v)          inputs
    state    x_e <= 1 - |z_u - z_v| (sign 1), x_e <= 1 - |z_u + z_v - 1| (sign -1)
    local    x_uv <= sum_{w != u} x_vw  (v no output);  x_vw <= sum_{u != w} x_uv  (v no input)
    tree     sum_out x <= 1                                                 one output, where nothing asks for more
    cover    sum_out x >= 1 (input), sum_in x >= 1 (output)

One output: every input injects exactly 1 and M_e is the number of inputs that reach the tail of e; path
decomposition of a feasible choice gives such a flow. Several outputs: besides one unit from every input to some
output, one unit runs from some input to every output, so p lies in [1, 1 + n_outputs] and M_e grows by the number
of outputs that the head reaches. Where idle edges could be chosen, one more unit runs through every edge.

A reward is earned where the input is on a way to an output. In its own samples it injects a unit then, which has to
leave by such a way; that some flow leaves it would not be enough, as flow may run round a cycle. In other samples it is
*visited*: one more unit is sent through it, and no cycle can feign that, since either all samples share one order, or,
where samples have orders of their own, each has its own acyclic edges then.

The order rows may be left out where the family of feasible choices is closed under leaving edges out as long as all
stays covered: then a cover without redundant edges is acyclic (if it had a cycle, the cycle's edge that leaves its
last exit before its next entry could go), and `solvers.cover.settle` finds one of no higher cost. That holds for costs
>= 0 with rewards, vertex costs, fan-in limits, signs, and samples with orders of their own; it does not hold for
negative costs, forced edges or vertices, one order for several samples, depth limits, or redundancy where inputs have
edges into them. `needs_order` decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_array, csr_array

from solvers.arrays import neighbours, strong_components
from solvers.backends.base import MixedIntegerProgram
from solvers.clock import Clock
from solvers.milp.columns import Columns, Flow, Rows, make_columns
from solvers.milp.extras import extra_rows, order_rows
from solvers.milp.routes import available_routes
from solvers.problem import BoolVector, FloatVector, IntVector, Problem
from solvers.rules import Sample


@dataclass(frozen=True)
class Wants:
    """What a formulation has to hold beside flow and coupling.

    Attributes:
        order: The order of the vertices, where a cheapest cover may be cyclic.
        use: Edges that are chosen only if a unit of flow runs through them, since idle ones could be chosen.
        own_orders: Whether samples need edges and positions of their own.
        local: Rows that only make it faster.
        routes: Disjoint routes that each input must have; empty where routes need not be disjoint.
    """

    order: bool
    use: IntVector
    own_orders: bool = False
    local: bool = True
    routes: Mapping[int, int] = field(default_factory=dict)


def wants(problem: Problem, clock: Clock | None = None) -> Wants:
    """What a problem needs; when the clock expires, a little less."""
    routes = available_routes(problem, clock) if problem.rules.disjoint_routes else {}
    return Wants(needs_order(problem), edges_to_use(problem), own_orders=needs_own_orders(problem), routes=routes)


def needs_order(problem: Problem) -> bool:
    """Whether a cheapest cover may be cyclic, so that the order of vertices must be part of the program."""
    rules = problem.rules
    shared = len(rules.samples) > 1 and rules.shared_order
    fed = np.isin(problem.inputs, problem.targets).any()
    redundant = rules.min_routes > 1 and (rules.disjoint_routes or bool(fed))
    forced = bool(rules.forced_edges or rules.forced_vertices)
    named = forced or bool(rules.excluded) or rules.max_depth is not None
    return problem.has_negative_costs or named or shared or redundant


def needs_own_orders(problem: Problem) -> bool:
    """Whether an input could earn its reward in a sample with an order of its own that has it on a cycle only."""
    rules = problem.rules
    return not rules.shared_order and any(len(visits(problem, sample)) for sample in rules.samples)


def visits(problem: Problem, sample: Sample) -> IntVector:
    """Inputs of other samples only, which a way of this one may pass and so earn their rewards."""
    optional = np.array(list(problem.rules.rewards), dtype=np.int64)
    return optional[np.isin(optional, problem.targets) & ~np.isin(optional, sample.inputs)]


def edges_to_use(problem: Problem) -> IntVector:
    """Edges that a cheapest choice may hold though they lie on no walk from an input to an output.

    Where edges or vertices pay, or are asked for by a rule. All others can be left out of a choice at no cost.
    """
    rules = problem.rules
    if rules.excluded:
        return np.arange(problem.n_edges)
    wanted = problem.costs < 0
    wanted[list(rules.forced_edges)] = True
    vertices = problem.vertex_costs < 0
    vertices[list(rules.forced_vertices)] = True
    wanted |= vertices[problem.sources] | vertices[problem.targets]
    if rules.min_routes > 1:
        wanted |= np.isin(problem.sources, problem.inputs)
    return np.flatnonzero(wanted)


def acyclic_flow(problem: Problem, wants: Wants) -> tuple[MixedIntegerProgram, Columns]:
    """Formulate; the first n_edges columns say which edges are active.

    Args:
        problem: Normal (`solvers.reduce.normal`).
        wants: Which rows to include.

    Returns:
        The program, and where its columns are.
    """
    samples = problem.rules.samples or (Sample(tuple(problem.inputs.tolist()), tuple(problem.outputs.tolist())),)
    columns = make_columns(problem, samples, with_order=wants.order, own_orders=wants.own_orders)
    blocks: list[Rows] = []
    upper, lower = columns.upper.copy(), columns.lower.copy()
    for number, sample in enumerate(samples):
        flow = columns.flows[number]
        more = len(wants.use) + len(visits(problem, sample))  # units beside those that cover
        capacity = flow_capacity(problem, sample) + more
        upper[flow.edges : flow.edges + problem.n_edges] = capacity
        blocks += [_flow_rows(problem, sample, flow.edges, flow.ends), _coupling_rows(problem, capacity, flow)]
        injection = 1.0 + more + (len(sample.outputs) if len(sample.outputs) > 1 else 0)
        first, n_in, n_out = flow.ends, len(sample.inputs), len(sample.outputs)
        upper[first : first + n_in] = injection
        upper[first + n_in : first + n_in + n_out] = injection * n_in
        lower[first : first + n_in] = [0.0 if vertex in problem.rules.rewards else 1.0 for vertex in sample.inputs]
        lower[first + n_in : first + n_in + n_out] = 1.0
        blocks.append(_injection_rows(problem, sample, columns, first, injection))
    blocks.append(_earning_rows(problem, samples, columns))
    if len(wants.use):
        blocks.append(_use_rows(wants.use, [flow.edges for flow in columns.flows]))
    if wants.own_orders:
        blocks += [_own_rows(problem, flow) for flow in columns.flows]
    shared = wants.order and problem.rules.max_depth is None
    orders = [Flow(0, 0, order=columns.order)] if shared else list(columns.flows) if wants.own_orders else []
    inner, size = inner_edges(problem)
    for each in orders:
        upper[each.order : each.order + problem.n_vertices] = np.maximum(size - 1.0, 0.0)
        span = size[problem.sources].astype(float)
        blocks.append(order_rows(problem, np.flatnonzero(inner), span, each.order, active=each.active))
    blocks += extra_rows(problem, columns, wants.routes)
    if wants.local:
        blocks += [_local_rows(problem, into=True), _local_rows(problem, into=False), _cover_rows(problem, columns)]
        if _is_tree(problem, wants):
            blocks.append(_tree_rows(problem))
    matrix, row_lower, row_upper = _stack(blocks, columns.count)
    return MixedIntegerProgram(columns.cost, matrix, row_lower, row_upper, lower, upper, columns.integer), columns


def _is_tree(problem: Problem, wants: Wants) -> bool:
    """Whether some cheapest choice leaves every vertex but once; see the corollary for one output in the docs."""
    rules = problem.rules
    return len(problem.outputs) == 1 and len(rules.samples) < 2 and not len(wants.use)


def flow_capacity(problem: Problem, sample: Sample) -> FloatVector:
    """Most flow that an edge needs to carry: inputs that reach its tail, plus outputs its head reaches if several."""
    reach = _count_reaching(problem.n_vertices, problem.sources, problem.targets, np.array(sample.inputs))
    capacity = reach[problem.sources]
    if len(sample.outputs) > 1:
        fed = _count_reaching(problem.n_vertices, problem.targets, problem.sources, np.array(sample.outputs))
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


def inner_edges(problem: Problem) -> tuple[BoolVector, IntVector]:
    """Edges inside a strongly connected component, and the size of each vertex's component."""
    label = strong_components(problem.n_vertices, problem.sources, problem.targets)
    return label[problem.sources] == label[problem.targets], np.bincount(label)[label]


def _flow_rows(problem: Problem, sample: Sample, first_flow: int, first_end: int) -> Rows:
    n_edges, n_in, n_out = problem.n_edges, len(sample.inputs), len(sample.outputs)
    flow = first_flow + np.arange(n_edges)
    column = np.concatenate([flow, flow, first_end + np.arange(n_in + n_out)])
    row = np.concatenate([problem.sources, problem.targets, np.array(sample.inputs), np.array(sample.outputs)])
    value = np.concatenate([np.ones(n_edges), -np.ones(n_edges), -np.ones(n_in), np.ones(n_out)])
    zero = np.zeros(problem.n_vertices)
    return Rows(row, column, value, zero, zero)


def _coupling_rows(problem: Problem, capacity: FloatVector, flow: Flow) -> Rows:
    edges = np.arange(problem.n_edges)
    return Rows(
        row=np.concatenate([edges, edges]),
        column=np.concatenate([flow.active + edges, flow.edges + edges]),
        value=np.concatenate([-capacity, np.ones(problem.n_edges)]),
        lower=np.full(problem.n_edges, -np.inf),
        upper=np.zeros(problem.n_edges),
    )


def _injection_rows(problem: Problem, sample: Sample, columns: Columns, first: int, most: float) -> Rows:
    """p_v <= P y_v for inputs that may be left out."""
    positions = [place for place, vertex in enumerate(sample.inputs) if vertex in problem.rules.rewards]
    used = np.array([columns.used[sample.inputs[place]] for place in positions], dtype=np.int64)
    injected = first + np.array(positions, dtype=np.int64)
    row = np.arange(len(positions))
    return Rows(
        row=np.concatenate([row, row]),
        column=np.concatenate([used, injected]),
        value=np.concatenate([np.full(len(positions), most), -np.ones(len(positions))]),
        lower=np.zeros(len(positions)),
        upper=np.full(len(positions), np.inf),
    )


def _own_rows(problem: Problem, flow: Flow) -> Rows:
    """w_e <= x_e: edges of one sample are edges of the network."""
    edges, count = np.arange(problem.n_edges), problem.n_edges
    return Rows(
        row=np.concatenate([edges, edges]),
        column=np.concatenate([edges, flow.active + edges]),
        value=np.concatenate([np.ones(count), -np.ones(count)]),
        lower=np.zeros(count),
        upper=np.full(count, np.inf),
    )


def _earning_rows(problem: Problem, samples: Sequence[Sample], columns: Columns) -> Rows:
    """y_v <= what v injects in its samples, and what leaves it in others."""
    row: list[int] = []
    column: list[int] = []
    value: list[float] = []
    leaving = neighbours(problem.n_vertices, problem.sources, np.arange(problem.n_edges))
    place = [dict(zip(sample.inputs, range(len(sample.inputs)), strict=True)) for sample in samples]
    for number, vertex in enumerate(problem.rules.rewards):
        units: list[int] = []
        for flow, known in zip(columns.flows, place, strict=True):
            is_input = vertex in known
            units += [flow.ends + known[vertex]] if is_input else [flow.edges + edge for edge in leaving[vertex]]
        row += [number] * (len(units) + 1)
        column += [columns.used[vertex], *units]
        value += [-1.0] + [1.0] * len(units)
    count = len(problem.rules.rewards)
    return Rows(np.array(row, int), np.array(column, int), np.array(value), np.zeros(count), np.full(count, np.inf))


def _use_rows(edges: IntVector, flows: Sequence[int]) -> Rows:
    count = len(edges)
    row = np.arange(count)
    return Rows(
        row=np.concatenate([row, *(row for _ in flows)]),
        column=np.concatenate([edges, *(first + edges for first in flows)]),
        value=np.concatenate([-np.ones(count), *(np.ones(count) for _ in flows)]),
        lower=np.zeros(count),
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


def _cover_rows(problem: Problem, columns: Columns) -> Rows:
    """Every input that is required, or used, is left; every output is entered."""
    number = np.full(problem.n_vertices, -1)
    number[problem.inputs] = np.arange(len(problem.inputs))
    fed = np.full(problem.n_vertices, -1)
    fed[problem.outputs] = len(problem.inputs) + np.arange(len(problem.outputs))
    leaving, entering = np.flatnonzero(number[problem.sources] >= 0), np.flatnonzero(fed[problem.targets] >= 0)
    optional = [vertex for vertex in problem.inputs.tolist() if vertex in problem.rules.rewards]
    used = np.array([columns.used[vertex] for vertex in optional], dtype=np.int64)
    count = len(problem.inputs) + len(problem.outputs)
    lower = np.ones(count)
    lower[number[optional]] = 0.0
    return Rows(
        row=np.concatenate([number[problem.sources[leaving]], fed[problem.targets[entering]], number[optional]]),
        column=np.concatenate([leaving, entering, used]),
        value=np.concatenate([np.ones(len(leaving) + len(entering)), -np.ones(len(optional))]),
        lower=lower,
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
