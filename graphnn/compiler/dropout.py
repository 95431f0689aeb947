"""Dropout that is milder where little arrives. NumPy only; imports `graphnn.compiler.plan` types.

The rule is that of the KPNN program (N. Fortelny, C. Bock, Genome Biology 21 (2020) 190,
doi:10.1186/s13059-020-02100-5; `KPNN_Function.py` of github.com/epigen/KPNN). Its "children of a parent" are here the
sources of the edges into a vertex.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphnn.compiler.plan import LayerPlan
from graphnn.graph.reach import IntVector

MILDEST = ((1, 0.0), (2, 0.1), (3, 0.3))  # inputs, and the largest rate with so many
MANY = 4  # from here on the full rate


def adapted(rate: float, n_inputs: IntVector) -> npt.NDArray[np.float32]:
    """The rate at which values are dropped that are among n_inputs: 1: 0; 2: at most 0.1; 3: at most 0.3; more: rate.

    Args:
        rate: The full rate.
        n_inputs: Any shape, at least 1.

    Returns:
        The same shape.

    Example:
        >>> adapted(0.5, np.array([1, 2, 3, 4, 99])).tolist() == np.float32([0, 0.1, 0.3, 0.5, 0.5]).tolist()
        True
    """
    rates = np.full(np.shape(n_inputs), rate, dtype=np.float32)
    for count, largest in MILDEST:
        rates[n_inputs == count] = min(rate, largest)
    return rates


def siblings(plan: LayerPlan, *, units: int) -> list[IntVector]:
    """How many units the targets of each hidden vertex read, its own included; `MANY` stands for more.

    A unit that several of the targets read counts once. KPNN counts so for its dropout, which is on nodes: a node whose
    parents have no other child is never dropped.

    Args:
        plan: Of the network.
        units: Of each hidden vertex.

    Returns:
        For each level one number for each hidden vertex, shape (n_hidden,).
    """
    start = np.cumsum([0, *(len(plan.block(number)) for number in range(plan.depth + 1))])
    size = np.ones(start[-1], dtype=np.int64)
    for number, level in enumerate(plan.levels, start=1):
        size[start[number] : start[number] + level.n_hidden] = units
    tails = np.concatenate([start[level.source_level] + level.source_column for level in plan.levels])
    heads = np.concatenate([start[k] + level.target_column for k, level in enumerate(plan.levels, start=1)])
    arriving = np.bincount(heads, weights=size[tails], minlength=len(size))
    few = arriving[heads] < MANY  # what leads to a target with many inputs needs no list
    count = np.zeros(len(size), dtype=np.int64)
    count[tails[~few]] = MANY
    sources_of: dict[int, list[int]] = {}
    targets_of: dict[int, list[int]] = {}
    for tail, head in zip(tails[few].tolist(), heads[few].tolist(), strict=True):
        sources_of.setdefault(head, []).append(tail)
        targets_of.setdefault(tail, []).append(head)
    for tail, its_targets in targets_of.items():
        if not count[tail]:
            shared = {source for head in its_targets for source in sources_of[head]}
            count[tail] = min(MANY, sum(int(size[source]) for source in shared))
    return [count[start[k] : start[k] + level.n_hidden] for k, level in enumerate(plan.levels, start=1)]
