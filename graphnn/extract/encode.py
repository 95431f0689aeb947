"""The only place where names meet the integers of `solvers`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graphnn.errors import NoNetworkError, OptionError, did_you_mean, quoted
from graphnn.extract.constraints import Constraints
from graphnn.graph.prior import PriorGraph, as_names
from graphnn.graph.reach import reachable
from solvers.errors import InfeasibleProblem
from solvers.problem import Problem
from solvers.rules import Rules, Sample

FloatVector = npt.NDArray[np.float64]


def roles(graph: PriorGraph, inputs: Sequence[str], outputs: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Inputs that the network can serve, and the outputs, sorted.

    Inputs that are absent or reach no output are left out, as `prune` leaves them out and reports them. Outputs are
    what the user wants to predict: an output that cannot be served is an error.

    Raises:
        OptionError: A vertex is input and output.
        NoNetworkError: No input is left, or an output is absent or reached from no input.
    """
    wanted_in, wanted_out = as_names(inputs, role="inputs"), as_names(outputs, role="outputs")
    both = sorted({*wanted_in} & {*wanted_out})
    if both:
        raise OptionError(
            "inputs and outputs", quoted(both), "disjoint", do="a vertex cannot be measured and predicted"
        )
    present = [name for name in wanted_in if name in graph]
    absent = [name for name in wanted_out if name not in graph]
    if not wanted_out or absent:
        raise NoNetworkError(
            f"expected every output in the network, but {quoted(absent) or 'no output'} is not; "
            "check the names, and what pruning dropped" + did_you_mean(absent, graph.nodes),
            outputs=absent,
        )
    ends = graph.indices(wanted_out)
    out = reachable(graph.n_nodes, graph.targets, graph.sources, ends)
    served = [name for name in present if out[graph.position[name]]]
    if not served:
        raise NoNetworkError(
            f"expected an input that reaches {quoted(wanted_out)}, but none of {len(wanted_in):,} does; "
            "check names, suffixes such as '_gene', and the direction of the edges",
            inputs=wanted_in,
            outputs=wanted_out,
        )
    fed = reachable(graph.n_nodes, graph.sources, graph.targets, graph.indices(served))
    unfed = [name for name in wanted_out if not fed[graph.position[name]]]
    if unfed:
        raise NoNetworkError(
            f"expected every output to be reached from an input, but {quoted(unfed)} cannot be; "
            "leave them out, or check the direction of the edges",
            outputs=unfed,
        )
    return tuple(served), wanted_out


def encode(
    graph: PriorGraph,
    inputs: Sequence[str],
    outputs: Sequence[str],
    cost: FloatVector | float | None = None,
    constraints: Constraints | None = None,
) -> Problem:
    """The problem on vertex indices; edge i of the problem is edge i of the graph.

    What constraints say of names that the graph does not have is left out.
    """
    if isinstance(cost, float):
        cost = np.full(graph.n_edges, cost)
    constraints = constraints or Constraints()
    vertex_costs = np.zeros(graph.n_nodes)
    for name, price in constraints.node_cost.items():
        if name in graph:
            vertex_costs[graph.position[name]] = price
    return Problem(
        n_vertices=graph.n_nodes,
        sources=graph.sources,
        targets=graph.targets,
        inputs=graph.indices(inputs),
        outputs=graph.indices(outputs),
        costs=cost,
        vertex_costs=vertex_costs,
        rules=_rules(graph, constraints),
    )


def edge_numbers(graph: PriorGraph) -> dict[tuple[str, str], int]:
    """Row of each edge, by (source, target)."""
    ends = zip(graph.sources.tolist(), graph.targets.tolist(), strict=True)
    return {(graph.nodes[source], graph.nodes[target]): edge for edge, (source, target) in enumerate(ends)}


def _rules(graph: PriorGraph, constraints: Constraints) -> Rules:
    named = constraints.forced_edges or constraints.forbidden_edges
    edge = edge_numbers(graph) if named else {}
    place = graph.position
    return Rules(
        forced_edges=tuple(edge[pair] for pair in constraints.forced_edges if pair in edge),
        forbidden_edges=tuple(edge[pair] for pair in constraints.forbidden_edges if pair in edge),
        forced_vertices=tuple(place[name] for name in constraints.forced_nodes if name in place),
        forbidden_vertices=tuple(place[name] for name in constraints.forbidden_nodes if name in place),
        rewards={place[name]: reward for name, reward in constraints.rewards.items() if name in place},
        max_parents=constraints.max_parents,
        max_depth=constraints.max_depth,
        min_routes=constraints.min_routes,
        disjoint_routes=constraints.disjoint_routes,
        signs=tuple(graph.interactions.tolist()) if constraints.signs else None,
        states={place[name]: state for name, state in constraints.states.items() if name in place},
        samples=tuple(
            Sample(tuple(place[name] for name in inputs if name in place), tuple(place[name] for name in outputs))
            for inputs, outputs in constraints.samples.values()
        ),
        shared_order=constraints.shared_order,
    )


def no_network(graph: PriorGraph, found: InfeasibleProblem, *, unserved: Sequence[int] = ()) -> NoNetworkError:
    """What a problem without a network means, in names.

    Args:
        graph: Its prior network.
        found: What the solver says.
        unserved: Inputs that cannot be served together with the others, where that is known.
    """
    inputs, outputs = _names(graph, found.inputs), _names(graph, found.outputs)
    nodes = _names(graph, found.vertices)
    edges = [(graph.nodes[graph.sources[edge]], graph.nodes[graph.targets[edge]]) for edge in found.edges]
    parts = [f"no way from {quoted(inputs)} to an output"] if inputs else []
    parts += [f"no way from an input to {quoted(outputs)}"] if outputs else []
    parts += [f"no network with the edge {quoted([f'{s} -> {t}' for s, t in edges])}"] if edges else []
    parts += [f"no network with the vertex {quoted(nodes)}"] if nodes else []
    together = _names(graph, unserved)
    what = " and ".join(parts or ["no network at all"])
    reason = f" ({found.reason})" if found.reason else ""
    hint = f": {quoted(together)} cannot be served together with the other inputs" if together else ""
    return NoNetworkError(
        f"expected a network that obeys all options, but there is {what}{reason}{hint}; relax an option, "
        "or let inputs be left out for a reward",
        inputs=inputs or together,
        outputs=outputs,
        nodes=nodes,
        edges=edges,
    )


def _names(graph: PriorGraph, numbers: Sequence[int]) -> list[str]:
    return [graph.nodes[number] for number in numbers]
