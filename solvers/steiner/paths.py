"""Takahashi and Matsuyama's path heuristic: join the nearest terminal to what is joined already, again and again.

H. Takahashi, A. Matsuyama, "An approximate solution for the Steiner problem in graphs", Mathematica Japonica 24
(1980) 573-577, here towards a root in a directed graph.
"""

from __future__ import annotations

import heapq

import numpy as np

from solvers.arrays import neighbours
from solvers.problem import FloatVector, IntVector
from solvers.steiner.instance import Instance


def join_by_paths(instance: Instance, lengths: FloatVector) -> IntVector:
    """Arcs of an arborescence that joins all terminals to the root.

    Args:
        instance: Every terminal can reach the root.
        lengths: What a path is short by, >= 0, shape (n_arcs,): costs, or reduced costs of a dual ascent.

    Returns:
        Arc indices, sorted; every vertex of the arborescence but the root has one arc out.
    """
    into = neighbours(instance.n_vertices, instance.heads, np.arange(instance.n_arcs))
    tails, heads, length = instance.tails.tolist(), instance.heads.tolist(), lengths.tolist()
    waiting = [False] * instance.n_vertices
    for terminal in instance.terminals.tolist():
        waiting[terminal] = True
    distance = [float("inf")] * instance.n_vertices
    onward = [-1] * instance.n_vertices
    joined = [False] * instance.n_vertices
    distance[instance.root], joined[instance.root] = 0.0, True
    left = len(instance.terminals)
    queue: list[tuple[float, int]] = [(0.0, instance.root)]
    chosen: list[int] = []
    while queue and left:
        reached, vertex = heapq.heappop(queue)
        if reached > distance[vertex]:
            continue
        if waiting[vertex] and not joined[vertex]:
            while not joined[vertex]:
                joined[vertex] = True
                left -= waiting[vertex]
                distance[vertex] = 0.0
                heapq.heappush(queue, (0.0, vertex))
                chosen.append(onward[vertex])
                vertex = heads[onward[vertex]]
            continue
        for arc in into[vertex]:
            tail = tails[arc]
            if reached + length[arc] < distance[tail]:
                distance[tail] = reached + length[arc]
                onward[tail] = arc
                heapq.heappush(queue, (distance[tail], tail))
    return np.array(sorted(chosen), dtype=np.int64)
