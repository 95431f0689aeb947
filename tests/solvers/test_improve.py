"""Local search keeps an arborescence an arborescence, whatever it begins with."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.steiner.improve import cost_of_arcs, reattach
from solvers.steiner.instance import Instance


def joins_all(instance: Instance, arcs: np.ndarray) -> bool:
    """Whether following the chosen arcs leads every terminal to the root, each vertex by one arc."""
    onward = dict(zip(instance.tails[arcs].tolist(), instance.heads[arcs].tolist(), strict=True))
    for vertex in instance.terminals.tolist():
        for _ in range(instance.n_vertices):
            vertex = onward.get(vertex, vertex)
        if vertex != instance.root:
            return False
    return len(onward) == len(arcs)


def test_two_vertices_do_not_hang_on_each_other():
    """Each has a cheap way to the other; once one took it, the other is held by it."""
    tails, heads, costs = np.array([0, 1, 0, 1]), np.array([2, 2, 1, 0]), np.array([10.0, 10.0, 1.0, 1.0])
    instance = Instance(3, tails, heads, costs, terminals=np.array([0, 1]), root=2)
    better = reattach(instance, np.array([0, 1]))
    assert joins_all(instance, better)
    assert cost_of_arcs(instance, better) == 11


@pytest.mark.parametrize("seed", range(200))
def test_reattaching_drawn_arborescences(seed):
    generator = np.random.default_rng(seed)
    n_vertices = int(generator.integers(4, 12))
    root = n_vertices - 1
    towards = [(vertex, int(generator.integers(vertex + 1, n_vertices))) for vertex in range(root)]  # a tree
    others = {(int(a), int(b)) for a, b in generator.integers(0, n_vertices, size=(30, 2)) if a != b and a != root}
    pairs = towards + sorted(others - set(towards))
    tails, heads = (np.array(ends) for ends in zip(*pairs, strict=True))
    costs = generator.uniform(0.1, 1.0, len(pairs))
    terminals = np.flatnonzero(generator.random(root) < 0.6)
    instance = Instance(n_vertices, tails, heads, costs, terminals, root)
    before = np.arange(root)
    after = reattach(instance, before)
    assert joins_all(instance, after)
    assert cost_of_arcs(instance, after) <= cost_of_arcs(instance, before)
