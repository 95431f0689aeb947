"""Edges that no input-to-output walk uses."""

from __future__ import annotations

import numpy as np

from solvers.arrays import reachable
from solvers.errors import InfeasibleProblem
from solvers.problem import BoolVector, Problem


def edges_on_paths(problem: Problem) -> BoolVector:
    """Mark the edges that lie on a walk from an input to an output.

    Law: the optimum uses marked edges only. Proof: every edge of a feasible choice lies on such a walk by definition.

    Returns:
        Shape (n_edges,).

    Raises:
        InfeasibleProblem: An input reaches no output, or an output is reached from no input.
    """
    forward = reachable(problem.n_vertices, problem.sources, problem.targets, problem.inputs)
    backward = reachable(problem.n_vertices, problem.targets, problem.sources, problem.outputs)
    lost = problem.inputs[~backward[problem.inputs]]
    unfed = problem.outputs[~forward[problem.outputs]]
    if len(lost) or len(unfed):
        raise InfeasibleProblem(lost.tolist(), unfed.tolist())
    return np.asarray(forward[problem.sources] & backward[problem.targets])
