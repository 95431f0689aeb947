"""From arcs that answer all views to edges of the problem."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from solvers.arrays import reachable
from solvers.cover import sample_roles, settle
from solvers.problem import IntVector, Problem
from solvers.steiner.network import Network


def realise(problem: Problem, network: Network, arcs: IntVector) -> IntVector:
    """Edges that an answer stands for, acyclic and without idle ones as far as leaving out does it.

    Ways of leaves are free in the network, so the answer may have a leaf go two ways. Here each goes one: leaves are
    first given to outputs that nothing else would feed, a different one to each (a matching), and the others take the
    shortest way.

    Args:
        problem: What the network was made of.
        network: All views of the problem.
        arcs: Costly arcs of an answer.

    Returns:
        Sorted edge indices. They are feasible if the rules that views know nothing of agree, and cost what the arcs
        cost if the matching succeeds.
    """
    taken = network.costs == 0
    taken[arcs] = True
    edges = network.edges[taken]
    edges = np.unique(edges[edges >= 0])
    if problem.rules.forced_edges:
        edges = np.union1d(edges, np.array(problem.rules.forced_edges))
    for inputs, outputs in sample_roles(problem):
        edges = _one_way_each(problem, network, edges, inputs, outputs)
    return settle(problem, edges, ordered=False)


def _one_way_each(
    problem: Problem, network: Network, edges: IntVector, inputs: IntVector, outputs: IntVector
) -> IntVector:
    """The edges without those of leaves that are given to an output and would go elsewhere."""
    of_leaf = np.isin(problem.sources[edges], network.leaves)
    inner, outer = edges[~of_leaf], edges[of_leaf]
    if not len(outer):
        return edges
    tails, heads = problem.sources[inner], problem.targets[inner]
    only_way = np.bincount(problem.sources[outer], minlength=problem.n_vertices)
    bound = problem.targets[outer[only_way[problem.sources[outer]] == 1]]
    sure = np.concatenate([np.setdiff1d(inputs, network.leaves), bound])
    fed = reachable(problem.n_vertices, tails, heads, sure)
    hungry = outputs[~fed[outputs]]
    if not len(hungry):
        return edges
    rows, columns = [], []
    for place, output in enumerate(hungry.tolist()):
        behind = reachable(problem.n_vertices, heads, tails, np.array([output]))
        useful = np.flatnonzero(behind[problem.targets[outer]])
        rows.append(np.full(len(useful), place))
        columns.append(problem.sources[outer[useful]])
    row, column = np.concatenate(rows), np.concatenate(columns)
    pairs = csr_array((np.ones(len(row), dtype=np.int8), (row, column)), shape=(len(hungry), problem.n_vertices))
    match = maximum_bipartite_matching(csr_array(pairs), perm_type="column")
    kept = np.ones(len(outer), dtype=bool)
    for output, leaf in zip(hungry.tolist(), match.tolist(), strict=True):
        if leaf >= 0:
            behind = reachable(problem.n_vertices, heads, tails, np.array([output]))
            kept &= (problem.sources[outer] != leaf) | behind[problem.targets[outer]]
    return np.concatenate([inner, outer[kept]])
