"""The only place where names meet the integers of `solvers`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graphnn.errors import NoNetworkError, OptionError, did_you_mean, quoted
from graphnn.graph.prior import PriorGraph, as_names
from graphnn.graph.reach import reachable
from solvers.problem import Problem

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
    graph: PriorGraph, inputs: Sequence[str], outputs: Sequence[str], cost: FloatVector | float | None = None
) -> Problem:
    """The problem on vertex indices; edge i of the problem is edge i of the graph."""
    if isinstance(cost, float):
        cost = np.full(graph.n_edges, cost)
    return Problem(
        n_vertices=graph.n_nodes,
        sources=graph.sources,
        targets=graph.targets,
        inputs=graph.indices(inputs),
        outputs=graph.indices(outputs),
        costs=cost,
    )
