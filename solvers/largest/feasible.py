"""From an order of groups to the feasible network that it stands for."""

from __future__ import annotations

import numpy as np

from solvers.largest.contract import Contracted
from solvers.problem import BoolVector, FloatVector, IntVector, Problem


def forward_edges(problem: Problem, contracted: Contracted, place: FloatVector) -> IntVector:
    """Edges that an order of the groups keeps: merged ones, and those of arcs that run forward; less what strays.

    The result is acyclic, and every edge of it lies on an input-to-output walk of it. It need not cover everything.
    """
    kept = np.ones(problem.n_edges, dtype=bool)
    kept[contracted.lost] = False
    backward = contracted.inner & (place[contracted.tails] >= place[contracted.heads])
    for arc in np.flatnonzero(backward).tolist():
        kept[list(contracted.edges[arc])] = False
    return without_strays(problem, np.flatnonzero(kept))


def without_strays(problem: Problem, edges: IntVector) -> IntVector:
    """Leave out, of acyclic edges, those on no input-to-output walk.

    Law: in an acyclic set every edge lies on such a walk exactly if at the end of every edge another begins or an
    output lies, and at its beginning another ends or an input lies; walking on and back comes to an end there.
    """
    is_input, is_output = marked(problem.n_vertices, problem.inputs), marked(problem.n_vertices, problem.outputs)
    while True:
        goes_on = is_output | marked(problem.n_vertices, problem.sources[edges])
        is_fed = is_input | marked(problem.n_vertices, problem.targets[edges])
        useful = goes_on[problem.targets[edges]] & is_fed[problem.sources[edges]]
        if useful.all():
            return edges
        edges = edges[useful]


def marked(count: int, where: IntVector) -> BoolVector:
    """True at these indices, shape (count,)."""
    mask = np.zeros(count, dtype=bool)
    mask[where] = True
    return mask
